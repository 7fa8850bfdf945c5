//! Misuse: every message names the operation, both sides and a remedy, and loses nothing: the tensors are
//! usable afterwards. Tensors of no elements and of no dimensions, which are no misuse, work everywhere.

mod common;

use common::{Naive, assert_same, panic_text};
use tape::{BackwardOptions, DType, Ellipsis, Error, NewAxis, Tensor, grad, no_grad};

/// Runs `misuse`, and looks for each of `parts` in the text of its panic.
#[track_caller]
fn refused<R>(misuse: impl FnOnce() -> R, parts: &[&str]) {
    let text = panic_text(misuse);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Two matrices that do not fit each other, and a check that both still have their values and gradients.
fn misfits() -> (Tensor, Tensor, impl Fn()) {
    let a = Naive::positions(&[2, 3]).tensor().requires_grad_(true);
    let b = Naive::positions(&[2, 4]).tensor().requires_grad_(true);
    let (x, y) = (a.clone(), b.clone());
    let check = move || {
        for (tensor, len) in [(&x, 6), (&y, 8)] {
            assert_eq!(tensor.to_vec::<f64>(), (0..len).map(f64::from).collect::<Vec<_>>());
            assert_eq!(tensor.version(), 0);
            let gradient = grad((tensor * tensor).sum(), tensor).compute().expect("a fresh graph").remove(0);
            assert_eq!(gradient.to_vec::<f64>(), (0..len).map(|v| f64::from(2 * v)).collect::<Vec<_>>());
        }
    };
    (a, b, check)
}

#[test]
fn shapes_that_do_not_fit_elementwise() {
    let (a, b, unharmed) = misfits();
    let both = ["[2, 3]", "[2, 4]", "must match", "reshape, unsqueeze or expand"];
    refused(|| &a + &b, &[&["add: "], &both[..]].concat());
    refused(|| &a - &b, &[&["sub: "], &both[..]].concat());
    refused(|| &a * &b, &[&["mul: "], &both[..]].concat());
    refused(|| &a / &b, &[&["div: "], &both[..]].concat());
    refused(|| a.pow(&b), &[&["pow: "], &both[..]].concat());
    refused(|| a.lt(&b), &[&["lt: "], &both[..]].concat());
    refused(|| a.maximum(&b), &[&["maximum: "], &both[..]].concat());
    refused(|| Tensor::where_(&a.gt(0.0), &a, &b), &[&["where"], &both[..]].concat());
    refused(|| no_grad(|| a.add_(&b)), &[&["[2, 3]"], &both[..]].concat());
    refused(|| no_grad(|| a.copy_(&b)), &["copy_: ", "[2, 3]", "[2, 4]"]);
    refused(|| a.expand([2, 5]), &["expand: ", "[2, 3]", "[2, 5]", "must match"]);
    unharmed();
}

#[test]
fn shapes_that_do_not_fit_a_product_or_a_join() {
    let (a, b, unharmed) = misfits();
    refused(|| a.matmul(&b), &["matmul: ", "[2, 3]", "[2, 4]", "transpose"]);
    refused(|| a.matmul(&Tensor::from(1.0)), &["matmul: ", "2D and 0D", "mul"]);
    refused(|| Tensor::linear(&a, &b, None), &["linear: ", "[2, 3]", "[2, 4]", "must agree"]);
    refused(|| a.mm(&b.i(0)), &["mm: ", "[2, 3]", "[4]", "matmul"]);
    refused(|| a.i(0).dot(&b.i(0)), &["[3]", "[4]"]);
    refused(|| Tensor::cat([&a, &b], 0), &["cat: ", "[2, 3]", "[2, 4]", "dimension 0"]);
    refused(|| Tensor::stack([&a, &b], 0), &["stack: ", "[2, 3]", "[2, 4]", "reshape"]);
    refused(|| Tensor::mse_loss(&a, &b), &["mse_loss: ", "[2, 3]", "[2, 4]"]);
    assert_eq!(Tensor::cat([&a, &b], 1).shape(), [2, 7]);
    unharmed();
}

#[test]
fn numbers_of_elements_that_do_not_fit() {
    let (a, _, unharmed) = misfits();
    refused(|| a.reshape([4, 2]), &["reshape: ", "[4, 2]", "[2, 3]", "size 6"]);
    refused(|| a.reshape([-1, -1]), &["reshape: ", "only one dimension can be inferred"]);
    refused(|| a.t().view(6), &["view: ", "[3, 2]", ".reshape(...)"]);
    refused(|| a.split_sizes([1, 3], 1), &["split_sizes: ", "3", "[1, 3]"]);
    refused(|| Tensor::from_vec(vec![1.0, 2.0], [3]), &["from_vec: ", "[3]", "3 elements", "2 were given"]);
    refused(|| a.write_from(&[1.0]), &["write_from: ", "6 elements", "has 1"]);
    refused(|| a.read_into(&mut [0.0; 7]), &["read_into: ", "6 elements", "has 7"]);
    refused(|| a.item(), &["item: ", "[2, 3]", "only one element", "reduce it"]);
    unharmed();
}

#[test]
fn sizes_whose_product_overflows() {
    let (a, _, unharmed) = misfits();
    let huge = 1usize << 40;
    refused(|| a.narrow(0, 1, usize::MAX), &["narrow: ", "[2, 3]"]);
    refused(|| a.reshape([huge, huge]), &["reshape: ", "[2, 3]"]);
    refused(|| Tensor::zeros(0, DType::F64).reshape([1isize << 32, 1 << 32]), &["reshape: ", "[0]"]);
    refused(|| Tensor::from([1.0]).expand([huge, huge]), &["more elements than this machine can address"]);
    refused(|| Tensor::zeros([huge, huge], DType::F64), &["more elements than this machine can address"]);
    assert_eq!(a.slice(0, .., usize::MAX).shape(), [1, 3]);
    unharmed();
}

#[test]
fn wrong_dtypes() {
    let (a, _, unharmed) = misfits();
    let (whole, truth) = (Tensor::from([1i64, 2]), Tensor::from([true, false]));
    refused(|| a.to_vec::<f32>(), &["to_vec: ", "float64", "float32", "to_dtype"]);
    refused(|| a.matmul(&a.t().float()), &["matmul: ", "double", "float", "to_dtype"]);
    refused(|| whole.mean(), &["mean: ", "int64", "double()"]);
    refused(|| whole.requires_grad_(true), &["requires_grad_: ", "floating point", "int64"]);
    refused(|| a.i(&a), &["i: ", "float64", "long()"]);
    refused(|| a.gather(0, &a.detach()), &["gather: ", "int64", "float64", "long()"]);
    refused(|| a.index_select(0, &truth), &["index_select: ", "bool", "long()"]);
    refused(|| Tensor::where_(&a, &a, &a), &["where", "float64", "comparison"]);
    refused(|| a.masked_select(&whole), &["masked_select", "int64", "comparison"]);
    refused(
        || a.scatter_add(0, &Tensor::zeros([1, 3], DType::I64), &a.float()),
        &["scatter_add: ", "float64", "float32"],
    );
    refused(|| whole.pow(-1), &["pow: ", "-1", "double()"]);
    refused(|| &truth - &truth, &["sub: ", "bool"]);
    assert_eq!(whole.to_vec::<i64>(), [1, 2]);
    unharmed();
}

#[test]
fn dimensions_out_of_range() {
    let (a, _, unharmed) = misfits();
    let range = ["[-2, 1]", "got 2"];
    refused(|| a.sum_dim(2, false), &[&["sum: "], &range[..]].concat());
    refused(|| a.mean_dim(2, false), &[&["mean: "], &range[..]].concat());
    refused(|| a.amax(2, false), &[&["amax: "], &range[..]].concat());
    refused(|| a.max_dim(2, false), &[&["max"], &range[..]].concat());
    refused(|| a.argmax_dim(2, false), &[&["argmax"], &range[..]].concat());
    refused(|| a.softmax(2), &[&["softmax: "], &range[..]].concat());
    refused(|| a.transpose(0, 2), &[&["transpose: "], &range[..]].concat());
    refused(|| a.narrow(2, 0, 1), &[&["narrow: "], &range[..]].concat());
    refused(|| a.select(2, 0), &[&["select: "], &range[..]].concat());
    refused(|| a.squeeze_dim(2), &[&["squeeze: "], &range[..]].concat());
    refused(|| a.flatten(0, 2), &[&["flatten: "], &range[..]].concat());
    refused(|| Tensor::cat([&a, &a], 2), &[&["cat: "], &range[..]].concat());
    refused(|| a.split(1, 2), &[&["split: "], &range[..]].concat());
    refused(|| a.gather(2, &Tensor::zeros([2, 3], DType::I64)), &[&["gather: "], &range[..]].concat());
    refused(|| a.size(2), &[&["size: "], &range[..]].concat());
    refused(|| a.unsqueeze(3), &["unsqueeze: ", "[-3, 2]", "got 3"]);
    refused(|| a.sum_dim([0, -2], false), &["sum: ", "appears multiple times", "[0, -2]"]);
    refused(|| a.permute([0, 0]), &["permute: ", "multiple times", "[0, 0]"]);
    refused(|| a.permute([0]), &["permute: ", "= 2", "= 1"]);
    unharmed();
}

#[test]
fn indices_out_of_range() {
    let (a, _, unharmed) = misfits();
    let far = Tensor::from([0i64, 3]);
    refused(|| a.i(2), &["index 2", "out of bounds", "size 2", "[2, 3]"]);
    refused(|| a.i((.., -4)), &["index -4", "out of bounds", "size 3"]);
    refused(|| a.i((0, 0, 0)), &["i: ", "too many indices", "[2, 3]"]);
    refused(|| a.i((.., &far)), &["i: ", "index 3", "size 3"]);
    refused(|| a.i(Tensor::from([true, false, true])), &["i: ", "mask [3]", "[2, 3]"]);
    refused(|| a.narrow(1, 2, 2), &["narrow: ", "(2)", "size (3)", "[2, 3]"]);
    refused(|| a.index_select(1, &far), &["index_select: ", "index 3", "size 3"]);
    refused(|| a.gather(1, &far.reshape([2, 1])), &["gather: ", "index 3", "size 3"]);
    refused(|| a.scatter_add(1, &far.reshape([2, 1]), &a), &["scatter_add: ", "index 3", "size 3"]);
    refused(|| a.slice(0, .., 0), &["slice: ", "step must be greater than zero"]);
    refused(|| Tensor::from(1.0).i(0), &["0-dim", "item()"]);
    unharmed();
}

#[test]
fn extremes_of_nothing() {
    let none = Tensor::zeros([2, 0], DType::F64);
    refused(|| none.max(), &["max", "[2, 0]"]);
    refused(|| none.amax(1, false), &["amax: ", "[2, 0]"]);
    refused(|| none.max_dim(1, false), &["max", "[2, 0]"]);
    refused(|| none.argmax(), &["argmax", "[2, 0]"]);
    assert_eq!(none.amax(0, false).shape(), [0]);
}

#[test]
fn backward_from_many_elements_and_from_none() {
    let (a, b, unharmed) = misfits();
    let squares = &a * &a;
    let text = squares.backward().unwrap_err().to_string();
    for part in ["grad can be implicitly created only for scalar outputs", "[2, 3]", "sum()", "gradient(&g)"] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    let wrong = BackwardOptions::new().gradient(&b.detach());
    let text = squares.backward_with(wrong).unwrap_err().to_string();
    assert!(text.contains("[2, 4]") && text.contains("[2, 3]"), "{text}");
    let text = Tensor::from(1.0).backward().unwrap_err().to_string();
    assert!(text.contains("does not require grad") && text.contains("requires_grad_(true)"), "{text}");
    // Neither failure used the graph up.
    squares.sum().backward().unwrap();
    assert_eq!(a.grad().unwrap().to_vec::<f64>(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    unharmed();
}

#[test]
fn a_second_backward_through_a_freed_graph() {
    let (a, _, unharmed) = misfits();
    let loss = (&a * &a).sum();
    loss.backward().unwrap();
    let before = a.grad().unwrap().to_vec::<f64>();
    let error = loss.backward().unwrap_err();
    assert!(matches!(error, Error::GraphFreed { node: "MulBackward0" }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("second time") && text.contains("retain_graph(true)"), "{text}");
    assert_eq!(a.grad().unwrap().to_vec::<f64>(), before);
    (&a * &a).sum().backward().unwrap();
    unharmed();
}

#[test]
fn a_saved_tensor_changed_in_place() {
    let (a, _, unharmed) = misfits();
    let y = &a * 1.0;
    let loss = (&y * &y).sum();
    y.add_(1.0);
    let error = loss.backward().unwrap_err();
    assert!(matches!(error, Error::ModifiedInPlace { version: 1, expected: 0, .. }), "{error:?}");
    let text = error.to_string();
    for part in ["modified by an inplace operation", "[2, 3]", "MulBackward0", "out-of-place"] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(a.grad().is_none(), "a failed pass leaves no gradient");
    (&y * &y).sum().backward().unwrap();
    assert_eq!(a.grad().unwrap().to_vec::<f64>(), [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    unharmed();
}

#[test]
fn what_no_derivative_needs_may_be_changed_in_place() {
    // As in torch: a product saves a factor only for the sake of the other one.
    let (a, _, unharmed) = misfits();
    let (constant, y) = (Tensor::from([1.0, 2.0, 3.0]), &a * 1.0);
    let loss = (&y * &constant).sum();
    y.add_(1.0);
    loss.backward().unwrap();
    assert_eq!(a.grad().unwrap().to_vec::<f64>(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    unharmed();
}

#[test]
fn leaves_and_repeated_elements_changed_in_place() {
    let (a, _, unharmed) = misfits();
    refused(|| a.add_(1.0), &["add_: ", "leaf", "no_grad"]);
    refused(|| a.i(0).zero_(), &["view of a leaf", "no_grad"]);
    refused(|| Tensor::from([1.0]).expand(3).mul_(2.0), &["mul_: ", "single memory location", "[3]", "copy()"]);
    unharmed();
}

#[test]
fn a_view_without_history_of_a_tensor_with_one_changed_in_place() {
    // As torch: its gradient would silently be that of a constant.
    let (a, _, unharmed) = misfits();
    let y = &a * 1.0;
    let view = no_grad(|| y.i(0));
    refused(|| view.mul_(2.0), &["mul_: ", "no_grad", "modified inplace with grad mode enabled"]);
    no_grad(|| view.mul_(2.0));
    unharmed();
}

#[test]
fn grad_of_what_was_not_used() {
    let (a, b, unharmed) = misfits();
    let text = grad((&a * &a).sum(), [&a, &b]).compute().unwrap_err().to_string();
    assert!(text.contains("not have been used") && text.contains("input 1") && text.contains("allow_unused"), "{text}");
    let text = grad((&a * &a).sum(), b.detach()).compute().unwrap_err().to_string();
    assert!(text.contains("does not require grad") && text.contains("input 0"), "{text}");
    assert!(a.grad().is_none());
    unharmed();
}

type Family = (&'static str, fn(&Tensor) -> Tensor);

/// Operations of every family that take any shape.
const ANY_SHAPE: [Family; 36] = [
    ("add", |x| x + x),
    ("add a number", |x| x + 1.0),
    ("rsub", |x| 1.0 - x),
    ("mul by a vector", |x| x * &Tensor::from([2.0])),
    ("div", |x| x / (x * x + 1.0)),
    ("pow", |x| x.pow(2.0)),
    ("exp", |x| x.exp()),
    ("tanh", |x| x.tanh()),
    ("sin", |x| x.sin()),
    ("relu", |x| x.relu()),
    ("clamp", |x| x.clamp(-0.5, 0.5)),
    ("maximum", |x| x.maximum(&(x * 0.5))),
    ("where", |x| Tensor::where_(&x.gt(0.0), x, 0.0)),
    ("masked_fill", |x| x.masked_fill(&x.lt(0.0), 3.0)),
    ("masked_select", |x| x.masked_select(&x.gt(0.0))),
    ("sum", |x| x.sum()),
    ("sum_dim", |x| x.sum_dim(-1, true)),
    ("reshape", |x| x.reshape(x.numel())),
    ("flatten", |x| x.flatten(0, -1)),
    ("squeeze", |x| x.squeeze()),
    ("unsqueeze", |x| x.unsqueeze(-1)),
    ("transpose", |x| x.transpose(0, -1)),
    ("permute", |x| x.permute((0..x.dim()).rev().collect::<Vec<_>>())),
    ("expand", |x| x.expand([&[2], x.sizes()].concat())),
    ("repeat", |x| x.repeat([&[2], vec![1; x.dim()].as_slice()].concat())),
    ("stack", |x| Tensor::stack([x, x], 0)),
    ("i of all", |x| x.i(Ellipsis)),
    ("i with a new axis", |x| x.i((NewAxis, Ellipsis))),
    ("gather", |x| x.gather(0, &Tensor::zeros(x.shape(), DType::I64))),
    ("outer", |x| x.reshape(x.numel()).outer(&x.reshape(x.numel()))),
    ("matmul", |x| x.reshape([x.numel(), 1]).matmul(&x.reshape([1, x.numel()]))),
    ("dot", |x| x.reshape(x.numel()).matmul(&x.reshape(x.numel()))),
    ("softmax", |x| x.softmax(-1)),
    ("log_softmax", |x| x.log_softmax(0)),
    ("mse_loss", |x| Tensor::mse_loss(x, &x.detach())),
    ("copy", |x| x.copy()),
];

#[test]
fn tensors_of_no_elements_and_of_no_dimensions_go_through_every_family() {
    for shape in [&[][..], &[0], &[0, 3], &[3, 0], &[2, 0, 2], &[1], &[1, 1]] {
        for (name, op) in ANY_SHAPE {
            // An index needs something to point at.
            if name == "gather" && shape.first() == Some(&0) {
                continue;
            }
            for dtype in [DType::F64, DType::F32] {
                let x = Naive::positions(shape).map(|p| p + 0.5).tensor().to_dtype(dtype).requires_grad_(true);
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let out = op(&x);
                    out.sum().backward().unwrap();
                    assert_eq!(x.grad().map(|g| g.shape().to_vec()), Some(shape.to_vec()));
                    out.to_string();
                }));
                assert!(outcome.is_ok(), "{name} of shape {shape:?} and dtype {dtype}");
            }
        }
    }
}

#[test]
fn in_place_operations_on_nothing_and_on_scalars() {
    for shape in [&[][..], &[0], &[2, 0]] {
        let x = Naive::positions(shape).tensor();
        x.add_(2.0).mul_(&x).sub_(1.0).div_(2.0);
        assert_same(&x, &Naive::positions(shape).map(|v| ((v + 2.0) * (v + 2.0) - 1.0) / 2.0));
        assert_same(&x.copy_(&Tensor::from(4.0)), &Naive::positions(shape).map(|_| 4.0));
        assert_same(&x.fill_(2).zero_(), &Naive::positions(shape).map(|_| 0.0));
    }
}
