//! The backward pass: accumulation, errors with torch's texts, hooks, modes, in-place changes, threads.

use std::sync::{Arc, Mutex};
use tape::{BackwardOptions, DType, Error, Tensor, grad, is_grad_enabled, no_grad};

fn leaf<const N: usize>(values: [f64; N]) -> Tensor {
    Tensor::from(values).requires_grad_(true)
}

fn values(x: &Tensor) -> Vec<f64> {
    x.to_vec()
}

#[test]
fn a_second_backward_adds_into_the_same_gradient() {
    let x = leaf([1.0, 2.0]);
    (&x * 3.0).sum().backward().unwrap();
    let first = x.grad().unwrap();
    (&x * &x).sum().backward().unwrap();
    assert!(first.same(&x.grad().unwrap()), "in place, so the handle taken before sees the sum");
    assert_eq!(values(&first), [5.0, 7.0]);
}

#[test]
fn with_create_graph_the_gradient_is_a_new_tensor_with_a_history() {
    let x = leaf([1.0, 2.0]);
    let loss = x.pow(3.0).sum();
    loss.backward_with(BackwardOptions::new().create_graph(true)).unwrap();
    let first = x.grad().unwrap();
    assert!(first.requires_grad());
    x.pow(3.0).sum().backward_with(BackwardOptions::new().create_graph(true)).unwrap();
    assert!(!first.same(&x.grad().unwrap()));
    assert_eq!(values(&x.grad().unwrap()), [6.0, 24.0]);
    x.set_grad(None); // breaks the cycle from the leaf to the graph of its gradient
}

#[test]
fn a_gradient_taken_over_is_never_somebody_elses() {
    let x = leaf([1.0, 2.0]);
    let given = Tensor::from([5.0, 6.0]);
    (&x + 0.0).backward_with(BackwardOptions::new().gradient(&given)).unwrap();
    x.grad().unwrap().zero_();
    assert_eq!(values(&given), [5.0, 6.0]);
    let y = leaf([1.0, 1.0]);
    x.set_grad(None);
    (&x + &y).sum().backward().unwrap(); // both inputs get the same tensor
    x.grad().unwrap().fill_(9.0);
    assert_eq!(values(&y.grad().unwrap()), [1.0, 1.0]);
}

#[test]
fn a_freed_graph_is_refused_only_where_something_was_saved() {
    let x = leaf([1.0, 2.0]);
    let linear = (&x + 1.0).sum();
    linear.backward().unwrap();
    linear.backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [2.0, 2.0]);

    let squares = (&x * &x).sum();
    squares.backward_with(BackwardOptions::new().retain_graph(true)).unwrap();
    squares.backward().unwrap();
    let before = values(&x.grad().unwrap());
    let error = squares.backward().unwrap_err();
    assert!(matches!(error, Error::GraphFreed { .. }));
    assert!(error.to_string().starts_with("Trying to backward through the graph a second time"));
    assert_eq!(values(&x.grad().unwrap()), before, "a failed pass changes no gradient");
}

#[test]
fn roots_are_checked_with_torchs_texts() {
    let x = leaf([1.0, 2.0]);
    let text = |error: Error| error.to_string();
    assert!(
        text((&x * 2.0).backward().unwrap_err()).contains("grad can be implicitly created only for scalar outputs")
    );
    let wrong = BackwardOptions::new().gradient(&Tensor::from([1.0, 1.0, 1.0]));
    assert!(text((&x * 2.0).backward_with(wrong).unwrap_err()).contains(
        "Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a shape of torch.Size([2])."
    ));
    assert!(
        text(Tensor::from([1.0]).backward().unwrap_err())
            .contains("element 0 of tensors does not require grad and does not have a grad_fn")
    );
    // Any shape of one element will do as a root.
    leaf([3.0]).reshape([1, 1]).backward().unwrap();
}

#[test]
fn grad_leaves_grads_alone_and_checks_its_inputs() {
    let (x, y) = (leaf([1.0, 2.0]), leaf([3.0]));
    let unused = grad((&x * &x).sum(), [&x, &y]).compute().unwrap_err();
    assert!(matches!(unused, Error::UnusedInput { index: 1 }), "{unused}");
    let some = grad((&x * &x).sum(), [&x, &y]).allow_unused(true).compute().unwrap();
    assert_eq!(values(some[0].as_ref().unwrap()), [2.0, 4.0]);
    assert!(some[1].is_none());
    let zeros = grad((&x * &x).sum(), [&x, &y]).materialize_grads(true).compute().unwrap();
    assert_eq!(values(zeros[1].as_ref().unwrap()), [0.0]);
    assert!(matches!(
        grad((&x * &x).sum(), &Tensor::from([1.0])).compute().unwrap_err(),
        Error::InputWithoutGrad { index: 0 }
    ));
    assert!(x.grad().is_none() && y.grad().is_none());
}

#[test]
fn grad_of_inner_tensors_and_of_outputs_themselves() {
    let x = leaf([2.0]);
    let y = &x * &x;
    let z = &y * 3.0;
    let gradients = grad(z.sum(), [&y, &x, &z]).compute().unwrap();
    assert_eq!(gradients.iter().map(Tensor::item).collect::<Vec<_>>(), [3.0, 12.0, 1.0]);
}

#[test]
fn grad_does_not_run_what_it_does_not_need() {
    let (x, w) = (leaf([2.0]), leaf([5.0]));
    let side = &w * &w;
    let loss = (&x * 3.0 + &side).sum();
    side.sum().backward().unwrap(); // frees what `side` saved
    assert_eq!(grad(&loss, &x).compute().unwrap()[0].item(), 3.0);
    assert!(grad(&loss, &w).compute().is_err());
}

#[test]
fn gradients_of_every_order() {
    let x = leaf([0.7]);
    let mut y = x.pow(5.0);
    let mut expected = 0.7_f64.powi(5);
    for order in 0..5 {
        assert!((y.item() - expected).abs() < 1e-12 * expected.abs().max(1.0), "order {order}");
        let exponent = 5 - order;
        expected *= f64::from(exponent) / 0.7;
        y = grad(y.sum(), &x).create_graph(true).compute().unwrap().remove(0);
    }
    assert!((y.item() - 120.0).abs() < 1e-10);
}

#[test]
fn broadcasting_sums_gradients_to_the_inputs_shape_and_dtype() {
    let a = Tensor::ones([3, 1], DType::F32).requires_grad_(true);
    let b = Tensor::ones([2, 3, 4], DType::F64).requires_grad_(true);
    (&a * &b).sum().backward().unwrap();
    let (ga, gb) = (a.grad().unwrap(), b.grad().unwrap());
    assert_eq!((ga.sizes(), ga.dtype()), (&[3, 1][..], DType::F32));
    assert_eq!(ga.to_vec::<f32>(), [8.0; 3]);
    assert_eq!((gb.sizes(), gb.dtype()), (&[2, 3, 4][..], DType::F64));
}

#[test]
fn hooks_replace_gradients_in_order_and_retained_gradients_see_the_result() {
    let x = leaf([1.0, 2.0]);
    let y = &x * 2.0;
    y.retain_grad();
    let log = Arc::new(Mutex::new(Vec::new()));
    for factor in [3.0, 5.0] {
        let log = Arc::clone(&log);
        y.register_hook(move |g| {
            log.lock().unwrap().push(g.to_vec::<f64>()[0]);
            Some(g * factor)
        });
    }
    let removed = y.register_hook(|_| panic!("a removed hook does not run"));
    removed.remove();
    removed.remove();
    y.sum().backward().unwrap();
    assert_eq!(*log.lock().unwrap(), [1.0, 3.0]);
    assert_eq!(values(&y.grad().unwrap()), [15.0, 15.0]);
    assert_eq!(values(&x.grad().unwrap()), [30.0, 30.0]);
}

#[test]
fn a_hook_on_a_leaf_runs_once_on_the_whole_gradient() {
    let x = leaf([1.0]);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    x.register_hook(move |g| {
        seen.lock().unwrap().push(g.item());
        None
    });
    (&x * 2.0 + &x * 3.0).sum().backward().unwrap();
    assert_eq!(*calls.lock().unwrap(), [5.0]);
}

#[test]
fn a_hook_with_a_wrong_shape_is_an_error_and_a_panicking_one_leaves_the_graph_usable() {
    let x = leaf([1.0, 2.0]);
    let handle = x.register_hook(|_| Some(Tensor::from([1.0, 2.0, 3.0])));
    assert!((&x * 2.0).sum().backward().is_err());
    assert!(x.grad().is_none());
    handle.remove();
    let handle = x.register_hook(|_| Some(Tensor::from([[1.0, 2.0], [3.0, 4.0]])));
    assert!((&x * 2.0).sum().backward().is_err(), "a broader gradient is no gradient of x");
    handle.remove();

    let y = &x * &x;
    let handle = y.register_hook(|_| panic!("the hook's own business"));
    let loss = y.sum();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loss.backward()));
    assert!(caught.is_err() && is_grad_enabled());
    handle.remove();
    loss.backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [2.0, 4.0]);
}

#[test]
fn modes_nest_and_are_per_thread() {
    no_grad(|| {
        tape::enable_grad(|| assert!(is_grad_enabled()));
        assert!(!is_grad_enabled());
        std::thread::scope(|s| {
            s.spawn(|| assert!(is_grad_enabled()));
        });
        assert!(leaf([1.0]).requires_grad(), "a leaf made inside keeps its flag");
    });
    assert!(is_grad_enabled());
}

#[test]
fn a_saved_tensor_changed_in_place_is_found() {
    let x = leaf([1.0, 2.0]);
    let y = &x * 1.0;
    let loss = (&y * &y).sum();
    no_grad(|| y.add_(1.0));
    let error = loss.backward().unwrap_err().to_string();
    assert!(error.contains("one of the variables needed for gradient computation has been modified by an inplace operation: [torch.DoubleTensor [2]]"), "{error}");
    assert!(error.contains("is at version 1; expected version 0 instead"), "{error}");
    // A change through a view, or of a detached twin, counts as well.
    let z = &x * 1.0;
    let loss = (&z * &z).sum();
    z.detach().i(0).fill_(7.0);
    assert!(loss.backward().is_err());
}

#[test]
fn in_place_operations_are_part_of_the_graph() {
    let x = leaf([1.0, 2.0, 3.0]);
    let y = &x * 2.0;
    y.mul_(&x).add_(1.0);
    assert_eq!(values(&y), [3.0, 9.0, 19.0]);
    y.sum().backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [4.0, 8.0, 12.0]);
}

#[test]
fn writes_through_views_reach_the_base_and_its_other_views() {
    let (x, w) = (leaf([1.0, 2.0, 3.0, 4.0]), leaf([10.0, 20.0]));
    let y = (&x * &x).reshape([2, 2]);
    let row = y.i(0);
    y.i((.., 1)).copy_(&(&w * 2.0));
    assert_eq!(values(&y), [1.0, 20.0, 9.0, 40.0]);
    assert_eq!(values(&row), [1.0, 20.0]);
    // d/dw and d/dx of (row . row) + sum(y): row sees the new elements.
    ((&row * &row).sum() + y.sum()).backward().unwrap();
    assert_eq!(values(&w.grad().unwrap()), [2.0 * 20.0 * 2.0 + 2.0, 2.0]);
    assert_eq!(values(&x.grad().unwrap()), [2.0 * 1.0 * 2.0 + 2.0, 0.0, 6.0, 0.0]);
}

#[test]
fn a_buffer_filled_piece_by_piece_has_the_gradients_of_its_pieces() {
    let x = leaf([1.0, 2.0]);
    let out = Tensor::zeros([2, 2], DType::F64);
    for k in 0..2 {
        out.i(k).copy_(&(&x * (k + 1) as f64));
    }
    assert!(out.requires_grad());
    (&out * &out).sum().backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [2.0 * 5.0 * 1.0, 2.0 * 5.0 * 2.0]);
}

#[test]
#[should_panic(expected = "a leaf Variable that requires grad is being used in an in-place operation.")]
fn a_leaf_is_not_changed_in_place() {
    leaf([1.0]).add_(1.0);
}

#[test]
#[should_panic(expected = "a view of a leaf Variable that requires grad is being used in an in-place operation.")]
fn a_view_of_a_leaf_is_not_changed_in_place() {
    leaf([1.0, 2.0]).i(0).fill_(1.0);
}

#[test]
#[should_panic(expected = "more than one element of the written-to tensor refers to a single memory location")]
fn an_expanded_tensor_is_not_changed_in_place() {
    Tensor::from([1.0]).expand([3]).add_(1.0);
}

#[test]
#[should_panic(expected = "Only Tensors of floating point and complex dtype can require gradients")]
fn integers_do_not_require_gradients() {
    Tensor::from([1i64]).requires_grad_(true);
}

#[test]
#[should_panic(expected = "can't retain_grad on Tensor that has requires_grad=False")]
fn constants_retain_no_gradient() {
    Tensor::from([1.0]).retain_grad();
}

#[test]
#[should_panic(expected = "attempting to assign a gradient of size '[3]' to a tensor of size '[2]'")]
fn a_gradient_of_another_shape_is_not_assigned() {
    leaf([1.0, 2.0]).set_grad(Some(Tensor::from([1.0, 2.0, 3.0])));
}

/// Runs `body` on a thread with the stack that a spawned thread has by default.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(body);
    thread.expect("a thread starts").join().expect("the stack suffices");
}

#[test]
fn a_million_chained_operations_run_backward_and_are_freed() {
    on_a_small_stack(|| {
        let x = leaf([1.0]);
        let mut y = x.clone();
        for _ in 0..1_000_000 {
            y = &y + 1e-6;
        }
        y.sum().backward().unwrap();
        assert_eq!(values(&x.grad().unwrap()), [1.0]);
        drop(y);
        // The same, never run: through saved tensors as well as through edges.
        let mut z = x.clone();
        for _ in 0..1_000_000 {
            z = &z * &z;
        }
        drop(z);
    });
}

#[test]
fn the_gradient_of_a_deep_graph_can_be_differentiated() {
    on_a_small_stack(|| {
        let x = leaf([1.0]);
        let mut y = &x * &x;
        for _ in 0..50_000 {
            y = &y * 1.0;
        }
        let first = grad(y.sum(), &x).create_graph(true).compute().unwrap().remove(0);
        assert_eq!(grad(first.sum(), &x).compute().unwrap()[0].item(), 2.0);
    });
}

#[test]
fn threads_add_into_shared_leaves_exactly() {
    let w = leaf([1.0, 1.0]);
    std::thread::scope(|s| {
        for k in 1..=8 {
            let w = &w;
            s.spawn(move || {
                for _ in 0..100 {
                    (w * f64::from(k)).sum().backward().unwrap();
                }
            });
        }
    });
    assert_eq!(values(&w.grad().unwrap()), [3600.0, 3600.0]);
}

#[test]
fn threads_walk_one_graph_at_the_same_time() {
    let x = leaf([1.0, 2.0]);
    let mut y = &x * &x;
    for _ in 0..200 {
        y = &y + &(&y * 0.0);
    }
    let loss = y.sum();
    std::thread::scope(|s| {
        for _ in 0..8 {
            let loss = &loss;
            s.spawn(move || {
                for _ in 0..20 {
                    loss.backward_with(BackwardOptions::new().retain_graph(true)).unwrap();
                }
            });
        }
    });
    assert_eq!(values(&x.grad().unwrap()), [320.0, 640.0]);
}

#[test]
fn a_backward_pass_inside_a_hook_is_a_pass_of_its_own() {
    let (x, z) = (leaf([2.0]), leaf([3.0]));
    let inner = z.clone();
    let y = &x * &x;
    y.register_hook(move |_| {
        // A hook runs in the mode of the pass, which does not record.
        tape::enable_grad(|| (&inner * &inner).sum()).backward().unwrap();
        None
    });
    y.sum().backward().unwrap();
    assert_eq!((x.grad().unwrap().item(), z.grad().unwrap().item()), (4.0, 6.0));
}

#[test]
fn memory_of_a_graph_is_freed_with_its_last_tensor() {
    let x = leaf([1.0]);
    let alive = Arc::new(());
    let witness = Arc::downgrade(&alive);
    let y = &x * &x;
    y.register_hook(move |_| {
        let _ = &alive;
        None
    });
    let loss = y.exp_sum();
    drop(y);
    assert!(witness.upgrade().is_some());
    drop(loss);
    assert!(witness.upgrade().is_none(), "nothing may keep a graph alive that no tensor needs");
}

/// A loss whose operations save their outputs: the place where graphs could own themselves.
trait ExpSum {
    fn exp_sum(&self) -> Tensor;
}

impl ExpSum for Tensor {
    fn exp_sum(&self) -> Tensor {
        self.exp().tanh().sum()
    }
}

#[test]
fn a_tensor_overwritten_by_a_constant_passes_back_zeros() {
    let x = leaf([1.0, 2.0]);
    let y = &x * 2.0;
    y.fill_(3.0);
    assert!(y.requires_grad());
    y.sum().backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [0.0, 0.0]);
}

#[test]
fn threads_take_gradients_of_one_leaf_without_losing_any() {
    let w = leaf([1.0, 2.0]);
    std::thread::scope(|s| {
        for k in 1..=8 {
            let w = &w;
            s.spawn(move || {
                let k = f64::from(k);
                for _ in 0..500 {
                    let gradient = grad((w * k).sum() + (w * w).sum(), w).compute().expect("the leaf was used");
                    assert_eq!(values(&gradient[0]), [k + 2.0, k + 4.0]);
                }
            });
        }
    });
}

#[test]
fn a_parallel_loop_of_the_user_may_run_backward_on_large_leaves() {
    use rayon::prelude::*;
    let w = Tensor::ones(1 << 19, DType::F64).requires_grad_(true);
    (1..=32).into_par_iter().for_each(|k| (&w * f64::from(k)).sum().backward().unwrap());
    assert!(values(&w.grad().unwrap()).iter().all(|&g| g == 528.0));
}

#[test]
fn a_gradient_kept_with_its_graph_is_memory_of_its_own() {
    let with_graph = || BackwardOptions::new().create_graph(true);
    let x = leaf([1.0, 2.0, 3.0]);
    x.sum().backward_with(with_graph()).unwrap();
    x.sum().backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [2.0, 2.0, 2.0]);
    let (a, b) = (leaf([1.0]), leaf([1.0]));
    (&a + &b).sum().backward_with(with_graph()).unwrap();
    (&a * 5.0).sum().backward().unwrap();
    assert_eq!((a.grad().unwrap().item(), b.grad().unwrap().item()), (6.0, 1.0));
    let expanded = leaf([1.0, 1.0]);
    expanded.set_grad(Some(Tensor::from([1.0]).expand([2])));
    (&expanded * 2.0).sum().backward().unwrap();
    assert_eq!(values(&expanded.grad().unwrap()), [3.0, 3.0]);
}

#[test]
fn replaced_elements_get_no_gradient_even_from_an_infinite_one() {
    let x = leaf([4.0, 4.0]);
    let y = &x * 1.0;
    y.i(0).fill_(0.0);
    y.sqrt().sum().backward().unwrap();
    assert_eq!(values(&x.grad().unwrap()), [0.0, 0.25]);
}

#[test]
fn a_retained_gradient_is_that_of_the_present_value() {
    let x = leaf([3.0]);
    let y = &x * 1.0;
    y.retain_grad();
    y.mul_(2.0);
    assert!(y.retains_grad());
    y.sum().backward().unwrap();
    assert_eq!((y.grad().unwrap().item(), x.grad().unwrap().item()), (1.0, 2.0));
}

#[test]
fn leaf_hooks_run_in_the_mode_of_the_pass() {
    let x = leaf([3.0]);
    x.register_hook(|g| Some(g * 2.0));
    let loss = x.pow(2.0).sum();
    no_grad(|| loss.backward_with(BackwardOptions::new().create_graph(true))).unwrap();
    let first = x.grad().unwrap();
    assert!(first.requires_grad() && first.item() == 12.0);
    x.set_grad(None);
    let w = leaf([1.0]);
    let (constant, hooked) = (w.clone(), leaf([1.0]));
    hooked.register_hook(move |g| Some(g + &constant));
    assert!(!grad((&hooked * 2.0).sum(), &hooked).compute().unwrap()[0].requires_grad());
}

#[test]
fn a_view_of_the_same_shape_is_a_constant_where_nothing_is_recorded() {
    let w = leaf([1.0, 2.0]);
    no_grad(|| {
        for view in [w.reshape(-1), w.i(..), w.expand([2]), w.t()] {
            assert!(!view.requires_grad());
        }
    });
}

#[test]
#[should_panic(expected = "add_: result type float32 can't be cast to the desired output type int64")]
fn fractions_are_not_cut_off_in_place() {
    Tensor::from([1i64, 2]).add_(0.5);
}

#[test]
fn hooks_after_accumulation_see_all_gradients() {
    let (x, y) = (Tensor::from([1.0]).requires_grad_(true), Tensor::from([2.0]).requires_grad_(true));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, other) = (Arc::clone(&seen), y.clone());
    let handle = x.register_post_accumulate_grad_hook(move |x| {
        let of = |t: &Tensor| t.grad().expect("written before the hooks run").item();
        log.lock().unwrap().push((of(x), of(&other)));
    });
    (&x * &y).sum().backward().unwrap();
    (&x * &y).sum().backward().unwrap();
    handle.remove();
    (&x * &y).sum().backward().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(2.0, 1.0), (4.0, 2.0)]);
    // `grad` leaves `.grad` and its hooks alone.
    let called = Arc::clone(&seen);
    x.register_post_accumulate_grad_hook(move |_| called.lock().unwrap().clear());
    grad((&x * &y).sum(), &x).compute().unwrap();
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
#[should_panic(expected = "post accumulate grad hooks cannot be registered on non-leaf tensors")]
fn hooks_after_accumulation_belong_to_leaves() {
    let x = Tensor::from([1.0]).requires_grad_(true);
    (&x * 2.0).register_post_accumulate_grad_hook(|_| {});
}
