use crate::{DType, Tensor};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn nan_compares_false_but_differs() {
    let (x, y) = (Tensor::from([NAN, NAN, 1.0]), Tensor::from([NAN, 1.0, NAN]));
    for result in [x.eq(&y), x.lt(&y), x.le(&y), x.gt(&y), x.ge(&y), x.eq(NAN), x.lt(NAN)] {
        assert_eq!((result.dtype(), result.to_vec::<bool>()), (DType::Bool, vec![false; 3]));
    }
    assert_eq!(x.ne(&y).to_vec::<bool>(), [true; 3]);
    assert!(!x.equal(&x));
}

#[test]
fn comparisons_broadcast_and_have_no_history() {
    let x = Tensor::from([[1.0], [2.0], [3.0]]).requires_grad_(true);
    let less = x.lt(Tensor::from([2.0, 3.0]));
    assert_eq!((less.sizes(), less.requires_grad()), (&[3, 2][..], false));
    assert_eq!(less.to_vec::<bool>(), [true, true, false, true, false, false]);
    assert_eq!(Tensor::zeros([0, 3], DType::F32).eq(1).sizes(), [0, 3]);
}

#[test]
fn operands_are_compared_in_their_common_dtype() {
    // 2^24 + 1 is not a single-precision number: it is compared as 2^24, as in torch.
    assert_eq!(Tensor::from([16_777_217i64]).eq(16_777_216.0).to_vec::<bool>(), [true]);
    assert_eq!(Tensor::from([16_777_217i64]).eq(16_777_216).to_vec::<bool>(), [false]);
    assert_eq!(Tensor::from([0.1f32]).eq(0.1).to_vec::<bool>(), [true]);
    assert_eq!(Tensor::from([0.1f32]).eq(Tensor::from([0.1])).to_vec::<bool>(), [false]);
    assert_eq!(Tensor::from([true, false]).lt(1).to_vec::<bool>(), [false, true]);
}

#[test]
fn logic_takes_numbers_as_truth_values() {
    let (x, y) = (Tensor::from([0.0, NAN, -1.0, 0.0]), Tensor::from([1i64, 0, 7, 0]));
    assert_eq!(x.logical_and(&y).to_vec::<bool>(), [false, false, true, false]);
    assert_eq!(x.logical_or(&y).to_vec::<bool>(), [true, true, true, false]);
    assert_eq!(x.logical_xor(&y).to_vec::<bool>(), [true, true, false, false]);
    assert_eq!(x.logical_not().to_vec::<bool>(), [true, false, false, true]);
}

#[test]
fn classes_of_numbers() {
    let x = Tensor::from([1.0, INF, -INF, NAN]);
    assert_eq!(x.isnan().to_vec::<bool>(), [false, false, false, true]);
    assert_eq!(x.float().isinf().to_vec::<bool>(), [false, true, true, false]);
    assert_eq!(x.isfinite().to_vec::<bool>(), [true, false, false, false]);
    assert_eq!(Tensor::from([1i64]).isfinite().to_vec::<bool>(), [true]);
    assert_eq!(Tensor::from([1i64]).isnan().to_vec::<bool>(), [false]);
}

#[test]
fn closeness_is_relative_to_the_second_operand() {
    let close = |a: [f64; 3], b: [f64; 3]| Tensor::from(a).isclose(&Tensor::from(b), 0.5, 0.0);
    assert_eq!(close([1.5, 1.6, -0.5], [1.0, 1.0, -1.0]).to_vec::<bool>(), [true, false, true]);
    assert_eq!(close([INF, INF, NAN], [INF, -INF, NAN]).to_vec::<bool>(), [true, false, false]);
    assert_eq!(close([1.0, INF, 0.0], [INF, 1.0, 0.0]).to_vec::<bool>(), [false, false, true]);
    assert!(Tensor::from([1i64, 2]).allclose(&Tensor::from([1i64, 3]), 0.0, 1.0));
    assert!(Tensor::zeros([0], DType::F32).allclose(&Tensor::zeros([0], DType::F32), 0.0, 0.0));
}

#[test]
#[should_panic(expected = "isclose: float32 did not match float64")]
fn closeness_needs_one_dtype() {
    Tensor::from([1.0f32]).allclose(&Tensor::from([1.0]), 1e-5, 1e-8);
}

#[test]
#[should_panic(expected = "isclose: rtol and atol must be greater than or equal to zero, but got -1 and 0")]
fn closeness_needs_tolerances() {
    Tensor::from([1.0]).allclose(&Tensor::from([1.0]), -1.0, 0.0);
}

#[test]
fn quantifiers_over_dimensions() {
    let x = Tensor::from([[0.0, NAN, 0.0], [0.0, 1.0, 2.0]]);
    assert_eq!(x.any_dim(0, true).to_vec::<bool>(), [false, true, true]);
    assert_eq!(x.t().all_dim(0, false).to_vec::<bool>(), [false, false]);
    assert_eq!(x.any_dim([0, 1], true).sizes(), [1, 1]);
    // Over no dimension at all: the truth values themselves.
    assert_eq!(x.any_dim((), false).sizes(), [2, 3]);
    let empty = Tensor::zeros([0, 2], DType::I64);
    assert!(!empty.any().item_as::<bool>() && empty.all().item_as::<bool>());
    assert_eq!(empty.all_dim(0, false).to_vec::<bool>(), [true, true]);
    assert!(Tensor::from(1.0).any().item_as::<bool>());
}

#[test]
#[should_panic(expected = "lt: The size of tensor a (2) must match the size of tensor b (3)")]
fn shapes_must_broadcast() {
    Tensor::zeros([2], DType::F32).lt(Tensor::zeros([3], DType::F32));
}
