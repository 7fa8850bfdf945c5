use crate::op::spread;
use crate::{DType, Tensor, grad};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The gradient of the sum of `f` at `x`, and that of `sum (i + 1) g_i`.
fn derivatives(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> [Vec<f64>; 2] {
    let x = Tensor::from(x).requires_grad_(true);
    let first = grad(f(&x).sum(), &x).create_graph(true).compute().unwrap().remove(0);
    let weights = Tensor::arange(1.0, 1.0 + x.numel() as f64, 1.0);
    let second = grad((&first * weights).sum(), &x).compute().unwrap().remove(0);
    [first.to_vec(), second.to_vec()]
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() < 1e-13 || (a.is_nan() && b.is_nan()))
}

#[test]
fn running_products_have_torchs_gradients_with_zeros() {
    let cases = [
        ([2.0, 3.0, 0.0], [[4.0, 2.0, 6.0], [11.0, 7.0, 7.0]]),
        ([2.0, 0.0, 0.0], [[1.0, 2.0, 0.0], [2.0, 7.0, 4.0]]),
        ([0.0, 0.0, 0.0], [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0]]),
        ([2.0, 3.0, 4.0], [[16.0, 10.0, 6.0], [19.0, 11.0, 7.0]]),
    ];
    for (x, expected) in cases {
        assert_eq!(derivatives(&x, |x| x.cumprod(0)), expected.map(Vec::from), "{x:?}");
    }
}

#[test]
fn running_extremes_take_the_later_of_equals() {
    let check = |x: &[f64], f: fn(&Tensor, isize) -> (Tensor, Tensor), values: &[f64], indices: &[i64], g: &[f64]| {
        let x = Tensor::from(x).requires_grad_(true);
        let (found, at) = f(&x, 0);
        assert!(close(&found.to_vec::<f64>(), values), "{found}");
        assert_eq!(at.to_vec::<i64>(), indices);
        found.sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), g);
    };
    let x = &[1.0, 3.0, 3.0, NAN, 2.0, NAN];
    check(x, Tensor::cummax, &[1.0, 3.0, 3.0, NAN, NAN, NAN], &[0, 1, 2, 3, 3, 5], &[1.0, 1.0, 1.0, 2.0, 0.0, 1.0]);
    let x = &[3.0, 1.0, 1.0, NAN, 0.0];
    check(x, Tensor::cummin, &[3.0, 1.0, 1.0, NAN, NAN], &[0, 1, 2, 3, 3], &[1.0, 1.0, 1.0, 2.0, 0.0]);
    let (values, indices) = Tensor::from([true, false]).cummax(0);
    assert_eq!((values.to_vec::<bool>(), indices.to_vec::<i64>()), (vec![true, true], vec![0, 0]));
}

#[test]
fn logarithms_of_running_sums_are_torchs_at_infinities() {
    let both = |x: &[f64]| {
        let x = Tensor::from(x).requires_grad_(true);
        let y = x.logcumsumexp(0);
        y.sum().backward().unwrap();
        (y.to_vec::<f64>(), x.grad().unwrap().to_vec::<f64>())
    };
    let check = |x: &[f64], values: &[f64], gradient: &[f64]| {
        let (found, found_gradient) = both(x);
        assert!(close(&found, values) && close(&found_gradient, gradient), "{found:?} {found_gradient:?}");
    };
    let late = [1.268941421369995, 0.7310585786300049];
    check(&[-INF, -INF, 0.0, 1.0], &[-INF, -INF, 0.0, 1.3132616875182228], &[NAN, NAN, late[0], late[1]]);
    check(&[1.0, INF, 2.0], &[1.0, INF, INF], &[1.0, NAN, 0.0]);
    check(&[1.0, NAN, 2.0], &[1.0, NAN, NAN], &[NAN; 3]);
    check(&[1e3, 1e3 + 1.0], &[1000.0, 1001.3132616875182], &late);
}

#[test]
fn the_gradient_of_a_logarithm_of_a_running_sum_knows_zero_gradients() {
    // Half of the outputs take no part: the derivative by their gradient is not zero for all that.
    let weights = Tensor::from([1.0, 0.0, -2.0, 0.0]);
    let x = spread(&[4], -1.0, 1.0);
    crate::gradcheck(|v| (v[0].logcumsumexp(0) * &weights).exp(), &[&x]).unwrap();
    crate::gradgradcheck(|v| v[0].logcumsumexp(0) * &v[1], &[&x, &weights]).unwrap();
}

#[test]
fn derivatives_of_logarithms_of_running_sums_do_not_overflow() {
    let [first, second] = derivatives(&[1000.0, 1001.0, 5000.0], |x| x.logcumsumexp(0));
    assert!(close(&first, &[1.268941421369995, 0.7310585786300049, 1.0]), "{first:?}");
    let mixed = 0.7310585786300049 * 0.2689414213699951;
    assert!(close(&second, &[-mixed, mixed, 0.0]), "{second:?}");
}

#[test]
fn long_sums_in_single_precision_do_not_drift() {
    let x = Tensor::full([2, 1_000_000], 0.1f32, DType::F32);
    for sums in [x.cumsum(1), x.t().cumsum(0).t()] {
        let last = sums.i((1, -1)).item();
        assert!((last / (f64::from(0.1f32) * 1e6) - 1.0).abs() < 1e-7, "{last}");
    }
}

#[test]
fn dtypes_shapes_and_empty_tensors() {
    assert_eq!(Tensor::from([true, true]).cumsum(0).to_vec::<i64>(), [1, 2]);
    assert_eq!(Tensor::from([true, false]).cumprod(0).to_vec::<i64>(), [1, 0]);
    assert_eq!(Tensor::from([3i64, 2]).cumprod(0).to_vec::<i64>(), [3, 6]);
    assert_eq!(Tensor::from([i64::MAX, 1]).cumsum(0).to_vec::<i64>(), [i64::MAX, i64::MIN]);
    assert_eq!(Tensor::from([0i64]).logcumsumexp(0).dtype(), DType::F32);
    let empty = Tensor::zeros([2, 0, 3], DType::F32);
    for dim in 0..3 {
        assert_eq!(empty.cumsum(dim).sizes(), [2, 0, 3]);
        assert_eq!(empty.cummin(dim).1.sizes(), [2, 0, 3]);
    }
    let lone = Tensor::from(3.0);
    assert_eq!((lone.cumsum(-1).item(), lone.cumprod(0).dim(), lone.cummax(0).1.item()), (3.0, 0, 0.0));
}

#[test]
fn differences_and_trapezoids_are_torchs() {
    assert_eq!(Tensor::from([3i64, 2]).diff(1, 0).to_vec::<i64>(), [-1]);
    assert_eq!(Tensor::from([true, false, false]).diff(1, -1).to_vec::<bool>(), [true, false]);
    assert_eq!(Tensor::from([1.0, 2.0]).diff(5, 0).sizes(), [0]);
    assert_eq!(Tensor::from([1.0, 2.0]).diff(0, 0).to_vec::<f64>(), [1.0, 2.0]);
    let x = Tensor::from([1i64, 2, 3]);
    assert_eq!((x.trapezoid(1.0, 0).item(), x.trapezoid(1.0, 0).dtype()), (4.0, DType::F32));
    assert_eq!(x.cumulative_trapezoid(1.0, 0).to_vec::<f32>(), [1.5, 4.0]);
    let empty = Tensor::ones([2, 0], DType::F32);
    assert_eq!(empty.trapezoid(1.0, 1).to_vec::<f32>(), [0.0, 0.0]);
    assert_eq!(empty.cumulative_trapezoid(1.0, 1).sizes(), [2, 0]);
}

#[test]
#[should_panic(expected = "cumsum: Dimension out of range (expected to be in range of [-1, 0], but got 1)")]
fn dimensions_must_exist() {
    Tensor::from([1.0]).cumsum(1);
}

#[test]
#[should_panic(expected = "diff expects input to be at least one-dimensional")]
fn a_scalar_has_no_differences() {
    Tensor::from(1.0).diff(1, 0);
}
