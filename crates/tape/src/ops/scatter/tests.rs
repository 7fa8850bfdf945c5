use crate::op::spread;
use crate::{DType, Reduce, Tensor};

fn index(values: &[i64]) -> Tensor {
    Tensor::from(values)
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn scatter_matches_a_naive_loop() {
    let x = spread(&[4, 3, 5], -1.0, 1.0);
    let source = spread(&[6, 6, 6], 0.0, 1.0);
    for dim in 0..3usize {
        let mut shape = [2, 3, 4];
        shape[dim] = 6;
        let numel: usize = shape.iter().product();
        let at: Vec<i64> = (0..numel).map(|i| ((i * 7 + i / 3) % x.sizes()[dim]) as i64).collect();
        let mut expected = x.to_vec::<f64>();
        for (n, &at) in at.iter().enumerate() {
            let triple = [n / shape[2] / shape[1], n / shape[2] % shape[1], n % shape[2]];
            let mut place = triple;
            place[dim] = at as usize;
            expected[(place[0] * 3 + place[1]) * 5 + place[2]] = source.i((triple[0], triple[1], triple[2])).item();
        }
        let at = Tensor::from_vec(at, shape);
        assert_eq!(x.scatter(dim as isize, &at, &source).to_vec::<f64>(), expected);
        let y = x.copy();
        y.scatter_(dim as isize, &at, &source);
        assert_eq!(y.to_vec::<f64>(), expected);
    }
}

#[test]
fn the_last_of_several_values_stays_and_all_get_the_gradient() {
    // torch: x[0].scatter(0, tensor([1, 1, 2]), tensor([10., 20., 30.])), gradient 1, 2, 3, 4
    let x = Tensor::from([0.0, 1.0, 2.0, 3.0]).requires_grad_(true);
    let src = Tensor::from([10.0, 20.0, 30.0]).requires_grad_(true);
    let weights = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    for (out, name) in [
        (x.scatter(0, &index(&[1, 1, 2]), &src), "ScatterBackward0"),
        (x.index_copy(0, &index(&[1, 1, 2]), &src), "IndexCopyBackward0"),
    ] {
        assert_eq!((out.to_vec::<f64>(), out.grad_fn_name()), (vec![0.0, 20.0, 30.0, 3.0], Some(name)));
        x.set_grad(None);
        src.set_grad(None);
        (out * &weights).sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 0.0, 0.0, 4.0]);
        assert_eq!(src.grad().unwrap().to_vec::<f64>(), [2.0, 2.0, 3.0]);
    }
}

#[test]
fn numbers_take_the_dtype_and_infinite_gradients_stop() {
    assert_eq!(Tensor::from([1i64, 2]).scatter(0, &index(&[1]), 2.7).to_vec::<i64>(), [1, 2]);
    assert_eq!(Tensor::zeros(3, DType::Bool).scatter(0, &index(&[1]), true).to_vec::<bool>(), [false, true, false]);
    let x = Tensor::from([0.0, 1.0]).requires_grad_(true);
    x.scatter(0, &index(&[0]), 1.0).log().sum().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0, 1.0]);
    assert_eq!(x.scatter(0, &Tensor::zeros(0, DType::I64), 1.0).to_vec::<f64>(), [0.0, 1.0]);
    let y = &x * 2.0;
    y.scatter_add_(0, &index(&[0, 0]), &x.i([1, 1]));
    assert_eq!((y.to_vec::<f64>(), y.grad_fn_name()), (vec![2.0, 2.0], Some("ScatterAddBackward0")));
}

/// torch's results and gradients of `x.scatter_reduce(0, [0, 0, 1, 1, 0], src, reduce, include_self)` with
/// the gradient 1, 2, 3.
fn check(reduce: Reduce, include_self: bool, x: [f64; 3], src: [f64; 5], expected: [&[f64]; 3]) {
    let (x, src) = (Tensor::from(x).requires_grad_(true), Tensor::from(src).requires_grad_(true));
    let out = x.scatter_reduce(0, &index(&[0, 0, 1, 1, 0]), &src, reduce, include_self);
    (&out * Tensor::from([1.0, 2.0, 3.0])).sum().backward().unwrap();
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15 || (a.is_nan() && b.is_nan()));
    for (found, expected) in [out, x.grad().unwrap(), src.grad().unwrap()].iter().zip(expected) {
        let found = found.to_vec::<f64>();
        assert!(same(&found, expected), "{reduce:?} {include_self}: {found:?}, torch {expected:?}");
    }
}

#[test]
fn reductions_are_torchs() {
    const NAN: f64 = f64::NAN;
    let (ties, zeros, nan) = ([1.0, 1.0, 3.0, 3.0, 0.0], [0.0, 2.0, 0.0, 0.0, 5.0], [0.0, 2.0, 0.0, NAN, 5.0]);
    let (a, b, c) = ([1.0, 3.0, 2.0], [0.0, 3.0, 2.0], [NAN, 3.0, 2.0]);
    let (third, two) = (1.0 / 3.0, 2.0 / 3.0);
    use Reduce::{Amax, Amin, Mean, Prod, Sum};
    check(Sum, true, a, ties, [&[3.0, 9.0, 2.0], &[1.0, 2.0, 3.0], &[1.0, 1.0, 2.0, 2.0, 1.0]]);
    check(Sum, false, a, ties, [&[2.0, 6.0, 2.0], &[0.0, 0.0, 3.0], &[1.0, 1.0, 2.0, 2.0, 1.0]]);
    check(Sum, false, c, nan, [&[7.0, NAN, 2.0], &[0.0, 0.0, 3.0], &[1.0, 1.0, 2.0, 2.0, 1.0]]);
    check(Mean, true, a, ties, [&[0.75, 3.0, 2.0], &[0.25, two, 3.0], &[0.25, 0.25, two, two, 0.25]]);
    check(Mean, false, b, zeros, [&[7.0 / 3.0, 0.0, 2.0], &[0.0, 0.0, 3.0], &[third, third, 1.0, 1.0, third]]);
    check(Prod, true, a, ties, [&[0.0, 27.0, 2.0], &[0.0, 18.0, 3.0], &[0.0, 0.0, 18.0, 18.0, 1.0]]);
    check(Prod, true, b, zeros, [&[0.0, 0.0, 2.0], &[0.0, 0.0, 3.0], &[0.0; 5]]);
    check(Prod, false, a, ties, [&[0.0, 9.0, 2.0], &[0.0, 0.0, 3.0], &[0.0, 0.0, 6.0, 6.0, 1.0]]);
    check(Prod, false, b, zeros, [&[0.0, 0.0, 2.0], &[0.0, 0.0, 3.0], &[10.0, 0.0, 0.0, 0.0, 0.0]]);
    check(Prod, false, c, nan, [&[0.0, NAN, 2.0], &[0.0, 0.0, 3.0], &[10.0, 0.0, NAN, NAN, 0.0]]);
    check(Amax, true, a, ties, [&[1.0, 3.0, 2.0], &[third, two, 3.0], &[third, third, two, two, 0.0]]);
    check(Amax, true, b, zeros, [&[5.0, 3.0, 2.0], &[0.0, 2.0, 3.0], &[0.0, 0.0, 0.0, 0.0, 1.0]]);
    check(Amax, true, c, nan, [&[NAN, NAN, 2.0], &[NAN, NAN, 3.0], &[NAN; 5]]);
    check(Amax, false, a, ties, [&[1.0, 3.0, 2.0], &[0.0, 0.0, 3.0], &[third, third, two, two, 0.0]]);
    check(Amax, false, c, nan, [&[5.0, NAN, 2.0], &[0.0, 0.0, 3.0], &[0.0, 0.0, NAN, NAN, 1.0]]);
    check(Amin, true, b, zeros, [&[0.0, 0.0, 2.0], &[0.5, 0.0, 3.0], &[0.5, 0.0, 1.0, 1.0, 0.0]]);
    check(Amin, false, b, zeros, [&[0.0, 0.0, 2.0], &[0.0, 0.0, 3.0], &[0.5, 0.0, 1.0, 1.0, 0.0]]);
    check(Amin, false, c, nan, [&[0.0, NAN, 2.0], &[0.0, 0.0, 3.0], &[1.0, 0.0, NAN, NAN, 0.0]]);
}

#[test]
fn integers_and_booleans_are_reduced_too() {
    let reduced = |reduce, include_self| {
        let (x, src) = (Tensor::from([-7i64, 3]), Tensor::from([1i64, -2]));
        x.scatter_reduce(0, &index(&[0, 0]), &src, reduce, include_self).i(0).item_as::<i64>()
    };
    let all = [Reduce::Sum, Reduce::Prod, Reduce::Mean, Reduce::Amax, Reduce::Amin];
    assert_eq!(all.map(|reduce| reduced(reduce, true)), [-8, 14, -3, 1, -7]);
    assert_eq!(all.map(|reduce| reduced(reduce, false)), [-1, -2, -1, 1, -2]);
    let flags = Tensor::from([true, false]);
    let reduced = |reduce| flags.scatter_reduce(0, &index(&[0, 0]), &flags, reduce, false).i(0).to_vec::<bool>()[0];
    assert_eq!([Reduce::Sum, Reduce::Prod, Reduce::Amax, Reduce::Amin].map(reduced), [true, false, true, false]);
}

#[test]
fn what_does_not_fit_is_named() {
    let x = Tensor::zeros([3, 4], DType::F64);
    let at = Tensor::from([[0i64, 2, 0], [1, 1, 2]]);
    panics_with("index 5 is out of bounds for dimension 0 with size 3", || x.scatter(0, &(&at + 5), 1.0));
    panics_with("index -1 is out of bounds for dimension 0 with size 3", || x.scatter(0, &(&at - 1), 1.0));
    panics_with("same number of dimensions", || x.scatter(0, &at.select(0, 0), 1.0));
    panics_with("Expected self.dtype to be equal to src.dtype", || x.scatter(0, &at, &x.float()));
    panics_with("no larger than self [3, 4] apart from dimension 0", || x.scatter(0, &at.repeat([1, 3]), 1.0));
    panics_with("no larger size than src [1, 4]", || x.scatter_reduce(0, &at, &x.narrow(0, 0, 1), Reduce::Amax, true));
    panics_with("Expected dtype int64 for index", || x.scatter(0, &at.double(), 1.0));
}
