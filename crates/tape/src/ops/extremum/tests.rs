use crate::{DType, Tensor};

const NAN: f64 = f64::NAN;

/// The gradient of the sum of `f` at `x`.
fn gradient(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
    let x = Tensor::from(x).requires_grad_(true);
    f(&x).sum().backward().unwrap();
    x.grad().unwrap().to_vec::<f64>()
}

#[test]
fn equal_extremes_of_all_share_the_gradient() {
    assert_eq!(gradient(&[3.0, 3.0, 1.0], Tensor::max), [0.5, 0.5, 0.0]);
    assert_eq!(gradient(&[3.0, 1.0, 1.0], Tensor::min), [0.0, 0.5, 0.5]);
    assert_eq!(gradient(&[3.0, 3.0, 1.0], |x| x.amax(0, false)), [0.5, 0.5, 0.0]);
    assert_eq!(gradient(&[3.0, 1.0, 1.0], |x| x.amin((), true)), [0.0, 0.5, 0.5]);
}

#[test]
fn nan_is_the_extreme() {
    let x = [3.0, NAN, NAN];
    assert!(Tensor::from(x).max().item().is_nan() && Tensor::from(x).min().item().is_nan());
    // torch: max() shares among the NaN, amax loses them.
    assert_eq!(gradient(&x, Tensor::max), [0.0, 0.5, 0.5]);
    assert!(gradient(&x, |x| x.amax(0, false)).iter().all(|g| g.is_nan()));
    assert_eq!(gradient(&x, |x| x.max_dim(0, false).0), [0.0, 1.0, 0.0]);
    assert_eq!(Tensor::from(x).argmin().item(), 1.0);
}

#[test]
fn the_index_found_gets_the_whole_gradient() {
    assert_eq!(gradient(&[1.0, 3.0, 3.0], |x| x.max_dim(0, false).0), [0.0, 1.0, 0.0]);
    let x = Tensor::from([[1.0, 7.0, 7.0], [4.0, 2.0, 2.0]]).requires_grad_(true);
    let (values, indices) = x.t().min_dim(0, false);
    assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![1.0, 2.0], vec![0, 1]));
    assert!(values.requires_grad() && !indices.requires_grad());
    (values * Tensor::from([2.0, 3.0])).sum().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0, 0.0, 0.0, 0.0, 3.0, 0.0]);
}

#[test]
fn infinite_gradients_stay_at_their_index() {
    let x = Tensor::from([[0.0, 1.0], [-1.0, -2.0]]).requires_grad_(true);
    x.max_dim(0, true).0.sqrt().sum().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [f64::INFINITY, 0.5, 0.0, 0.0]);
}

#[test]
fn shapes_of_the_results() {
    let x = Tensor::zeros([2, 3, 4], DType::F32);
    assert_eq!(x.max().sizes(), [0usize; 0]);
    assert_eq!(x.amax([0, 2], true).sizes(), [1, 3, 1]);
    assert_eq!(x.amin((), true).sizes(), [1, 1, 1]);
    assert_eq!(x.max_dim(-2, true).1.sizes(), [2, 1, 4]);
    assert_eq!(x.argmin_dim(0, false).sizes(), [3, 4]);
    assert_eq!(x.argmax().sizes(), [0usize; 0]);
    let lone = Tensor::from(3.0);
    let (value, index) = lone.max_dim(0, true);
    assert_eq!((value.item(), index.item(), value.dim()), (3.0, 0.0, 0));
    assert_eq!((lone.argmax().item(), lone.amax(-1, false).item()), (0.0, 3.0));
}

#[test]
fn results_may_be_empty_but_not_what_they_are_taken_of() {
    let x = Tensor::zeros([0, 3], DType::F32);
    assert_eq!(x.amax(1, false).sizes(), [0]);
    assert_eq!(x.max_dim(1, true).0.sizes(), [0, 1]);
    assert_eq!(x.argmin_dim(1, false).sizes(), [0]);
}

#[test]
fn integers_and_booleans() {
    let x = Tensor::from([[1i64, i64::MIN], [i64::MAX, 0]]);
    assert_eq!((x.max().item_as::<i64>(), x.min().item_as::<i64>()), (i64::MAX, i64::MIN));
    assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [0, 0]);
    let truth = Tensor::from([[true, false], [false, false]]);
    assert_eq!(truth.max().to_vec::<bool>(), [true]);
    assert_eq!(truth.amax(1, false).to_vec::<bool>(), [true, false]);
    let (values, indices) = truth.min_dim(0, false);
    assert_eq!((values.to_vec::<bool>(), indices.to_vec::<i64>()), (vec![false, false], vec![1, 0]));
}

#[test]
#[should_panic(expected = "max: Expected reduction dim to be specified for input.numel() == 0 (shape [0, 3])")]
fn nothing_has_no_maximum() {
    Tensor::zeros([0, 3], DType::F32).max();
}

#[test]
#[should_panic(expected = "amax: Expected reduction dim 0 to have non-zero size (shape [0, 3])")]
fn no_row_has_no_maximum() {
    Tensor::zeros([0, 3], DType::F32).amax(0, false);
}

#[test]
#[should_panic(expected = "argmax: Expected reduction dim 0 to have non-zero size (shape [0, 3])")]
fn no_row_has_no_index() {
    Tensor::zeros([0, 3], DType::F32).argmax_dim(0, false);
}

#[test]
#[should_panic(expected = "max: Dimension out of range (expected to be in range of [-1, 0], but got 1)")]
fn dimensions_must_exist() {
    Tensor::from([1.0]).max_dim(1, false);
}

#[test]
#[should_panic(expected = "argmax: not implemented for dtype bool")]
fn booleans_have_no_argmax() {
    Tensor::from([true]).argmax();
}
