//! Activation checkpointing: the same derivatives, from a second run of the forward pass.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tape::{Context, DType, Error, Function, Tensor, checkpoint, grad, manual_seed, no_grad};

fn weights() -> [Tensor; 2] {
    let leaf = |phase: f64| {
        let values: Vec<f64> = (0..9).map(|i| (f64::from(i) * 1.7 + phase).sin()).collect();
        Tensor::from_vec(values, [3, 3]).requires_grad_(true)
    };
    [leaf(0.3), leaf(1.1)]
}

fn block(x: &Tensor, w: &Tensor) -> Tensor {
    x.matmul(w).tanh().exp() * x
}

/// The gradients of two blocks, each one checkpointed or not.
fn gradients(checkpointed: bool, order: usize) -> Vec<Vec<f64>> {
    let [v, w] = weights();
    let x = Tensor::from([[0.1, -0.4, 0.9]]).requires_grad_(true);
    let apply = |x: &Tensor, w: &Tensor| {
        let weight = w.clone();
        if checkpointed { checkpoint(move |x| block(&x[0], &weight), &[x]) } else { block(x, w) }
    };
    let mut y = apply(&apply(&x, &v), &w).sum();
    for _ in 1..order {
        let first = grad(&y, [&x, &v]).create_graph(true).compute().expect("there is a graph");
        y = first[0].square().sum() + first[1].square().sum();
    }
    y.backward().expect("there is a graph");
    [x, v, w].iter().map(|leaf| leaf.grad().expect("all leaves are used").to_vec::<f64>()).collect()
}

#[test]
fn gradients_of_every_order_are_those_without_checkpoints() {
    for order in 1..=3 {
        let (found, expected) = (gradients(true, order), gradients(false, order));
        if order == 1 {
            assert_eq!(found, expected);
        }
        // Second derivatives meet in another order, and sums round differently.
        for (a, b) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "order {order}: {a} and {b}");
        }
    }
}

#[test]
fn the_function_is_run_once_more_and_not_before_it_is_needed() {
    let runs = Arc::new(AtomicUsize::new(0));
    let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    let counted = Arc::clone(&runs);
    let function = move |x: &[Tensor]| {
        counted.fetch_add(1, Ordering::Relaxed);
        (x[0].exp().sin() * x[0].cos()).sum()
    };
    let y = checkpoint(function, &[&x]);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    y.backward().unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert!(matches!(y.backward().unwrap_err(), Error::GraphFreed { .. }));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[test]
fn a_retained_graph_can_be_walked_again() {
    let x = Tensor::from([0.5]).requires_grad_(true);
    let y = checkpoint(|x| x[0].exp().sin(), &[&x]).sum();
    let first = grad(&y, &x).retain_graph(true).compute().unwrap().remove(0).item();
    let with_graph = grad(&y, &x).create_graph(true).compute().unwrap().remove(0);
    let second = grad(with_graph.sum(), &x).retain_graph(true).compute().unwrap().remove(0).item();
    let last = grad(&y, &x).compute().unwrap().remove(0).item();
    let expected = 0.5f64.exp() * 0.5f64.exp().cos();
    for found in [first, with_graph.item(), last] {
        assert!((found - expected).abs() < 1e-15, "{found} against {expected}");
    }
    let e = 0.5f64.exp();
    assert!((second - (e * e.cos() - e * e * e.sin())).abs() < 1e-14);
}

#[test]
fn intermediate_values_are_not_kept() {
    let x = Tensor::from([0.5, 0.7]).requires_grad_(true);
    let leaked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&leaked);
    let function = move |x: &[Tensor]| {
        let inner = x[0].exp();
        log.lock().unwrap().push(inner.detach());
        inner.sin()
    };
    // A derivative that had kept the value would find it changed.
    let y = function(std::slice::from_ref(&x));
    leaked.lock().unwrap()[0].zero_();
    assert!(matches!(y.sum().backward().unwrap_err(), Error::ModifiedInPlace { .. }));
    let y = checkpoint(function, &[&x]);
    leaked.lock().unwrap()[1].zero_();
    y.sum().backward().unwrap();
    let found = x.grad().unwrap().to_vec::<f64>();
    assert_eq!(found, (x.exp() * x.exp().cos()).to_vec::<f64>());
}

/// Says how many of its values are alive.
struct Alive(Arc<AtomicUsize>);

struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Function for Alive {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
        self.0.fetch_add(1, Ordering::Relaxed);
        context.set(Token(Arc::clone(&self.0)));
        context.save_for_backward(&[&inputs[0]]);
        inputs[0].square()
    }
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(grad_output * 2.0 * &context.saved_tensors()[0])]
    }
}

#[test]
fn functions_of_users_inside_are_run_again_too() {
    let alive = Arc::new(AtomicUsize::new(0));
    let x = Tensor::from([3.0]).requires_grad_(true);
    let counter = Arc::clone(&alive);
    let y = checkpoint(move |x| Alive(Arc::clone(&counter)).apply(&[&x[0].exp()]), &[&x]);
    y.sum().backward().unwrap();
    let expected = 2.0 * 3.0f64.exp().powi(2);
    assert!((x.grad().unwrap().item() / expected - 1.0).abs() < 1e-15);
    drop(y);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn checkpoints_nest() {
    let x = Tensor::from([0.7, -0.2]).requires_grad_(true);
    let nested = |x: &[Tensor]| {
        let inner = checkpoint(|x| x[0].sin().exp(), &[&x[0].cos()]);
        (inner * &x[0]).tanh()
    };
    checkpoint(nested, &[&x]).sum().backward().unwrap();
    let found = x.grad().unwrap().to_vec::<f64>();
    x.set_grad(None);
    (x.cos().sin().exp() * &x).tanh().sum().backward().unwrap();
    assert_eq!(found, x.grad().unwrap().to_vec::<f64>());
}

#[test]
fn gradients_taken_inside_work() {
    // A residual of a differential equation: u'(x) + u(x).
    let residual = |x: &Tensor| {
        let u = x.sin() * x.exp();
        grad(u.sum(), x).create_graph(true).compute().unwrap().remove(0) + u
    };
    let x = Tensor::from([0.7, -0.2]).requires_grad_(true);
    checkpoint(move |x| residual(&x[0]), &[&x]).square().sum().backward().unwrap();
    let found = x.grad().unwrap().to_vec::<f64>();
    x.set_grad(None);
    residual(&x).square().sum().backward().unwrap();
    assert_eq!(found, x.grad().unwrap().to_vec::<f64>());
}

#[test]
fn random_numbers_are_drawn_again() {
    let x = Tensor::ones([100], DType::F64).requires_grad_(true);
    manual_seed(3);
    let y = checkpoint(|x| &x[0] * Tensor::rand([100], DType::F64), &[&x]);
    let next = Tensor::rand([4], DType::F64).to_vec::<f64>();
    y.sum().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), y.to_vec::<f64>());
    // The second run has not used up numbers of those that come after.
    manual_seed(3);
    Tensor::rand([100], DType::F64);
    assert_eq!(Tensor::rand([4], DType::F64).to_vec::<f64>(), next);
}

#[test]
fn what_cannot_be_repeated_is_an_error() {
    let x = Tensor::from([1.0]).requires_grad_(true);
    let calls = AtomicUsize::new(0);
    let fickle = move |x: &[Tensor]| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 { x[0].exp() } else { x[0].exp().exp() }
    };
    let y = checkpoint(fickle, &[&x]);
    let error = y.sum().backward().unwrap_err();
    assert!(matches!(error, Error::Recomputation { forward: 1, recomputed: 2 }), "{error}");

    let y = checkpoint(|x| x[0].exp(), &[&x]);
    no_grad(|| x.add_(1.0));
    let error = y.sum().backward().unwrap_err();
    assert!(matches!(error, Error::ModifiedInPlace { node: "checkpoint", .. }), "{error}");
    assert!(x.grad().is_none());
}

#[test]
fn in_place_changes_inside_are_repeated() {
    let x = Tensor::from([0.4, 0.6]).requires_grad_(true);
    let function = |x: &[Tensor]| {
        let y = x[0].sin();
        y.mul_(&x[0].cos());
        y.add_(1.0).square()
    };
    checkpoint(function, &[&x]).sum().backward().unwrap();
    let found = x.grad().unwrap().to_vec::<f64>();
    x.set_grad(None);
    function(std::slice::from_ref(&x)).sum().backward().unwrap();
    assert_eq!(found, x.grad().unwrap().to_vec::<f64>());
}

#[test]
fn nothing_is_kept_under_no_grad() {
    let x = Tensor::from([0.4]).requires_grad_(true);
    assert!(!no_grad(|| checkpoint(|x| x[0].exp(), &[&x])).requires_grad());
}

#[test]
fn threads_may_differentiate_one_region_at_the_same_time() {
    let x = Tensor::from([0.3, 0.7]).requires_grad_(true);
    let y = checkpoint(|x| x[0].exp().sin().exp().sum(), &[&x]);
    let expected = grad(&y, &x).retain_graph(true).compute().unwrap()[0].to_vec::<f64>();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (x, y, expected) = (&x, &y, &expected);
            scope.spawn(move || {
                for _ in 0..4000 {
                    // With history and without it: neither finds the other's values.
                    let pass = grad(y, x).retain_graph(true).create_graph(thread == 0);
                    assert_eq!(pass.compute().unwrap()[0].to_vec::<f64>(), *expected);
                }
            });
        }
    });
}
