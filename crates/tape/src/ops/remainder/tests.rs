use crate::ops::function::check::{PairTable, assert_pairs_like_torch};
use crate::{DType, Tensor};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn values_and_derivatives_at_special_points() {
    assert_pairs_like_torch(&[
        PairTable {
            name: "fmod",
            call: &|a: &Tensor, b: &Tensor| a.fmod(b),
            y: &[
                NAN, NAN, NAN, NAN, NAN, NAN, -1.5, 2.5, NAN, NAN, NAN, NAN, 0.0, 0.0, -0.0, NAN, NAN, NAN, 0.0, NAN,
                NAN, NAN, NAN, NAN, NAN, 1.0, -1.0, 1.0, 0.0, -0.0, 0.0, 0.0,
            ],
            da: &[
                1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
                1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
            ],
            db: &[
                NAN, NAN, INF, NAN, NAN, INF, 0.0, 0.0, NAN, NAN, NAN, NAN, 0.0, -0.0, 0.0, -INF, INF, -INF, -0.0,
                -INF, NAN, NAN, NAN, NAN, NAN, -1.0, 1.0, 1.0, -1.0, -1.0, 0.0, -0.0,
            ],
            dda: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
            ddb: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
        },
        PairTable {
            name: "remainder",
            call: &|a: &Tensor, b: &Tensor| a.remainder(b),
            y: &[
                NAN, NAN, NAN, NAN, NAN, NAN, INF, -INF, NAN, NAN, NAN, NAN, 0.0, 0.0, -0.0, NAN, NAN, NAN, 0.0, NAN,
                NAN, NAN, NAN, NAN, NAN, 1.0, 0.5, -0.5, 0.0, -0.0, 0.0, 0.0,
            ],
            da: &[
                1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
                1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
            ],
            db: &[
                NAN, NAN, NAN, NAN, NAN, NAN, 1.0, 1.0, NAN, NAN, NAN, NAN, 0.0, -0.0, 0.0, -INF, INF, -INF, -0.0,
                -INF, NAN, NAN, NAN, NAN, NAN, -1.0, 2.0, 2.0, -1.0, -1.0, 0.0, -0.0,
            ],
            dda: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
            ddb: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
        },
    ]);
}

#[test]
fn whole_quotients() {
    // torch's values; 1 / 0.1 is 10 after rounding, but 0.1 fits into 1 nine times.
    let a = Tensor::from([7.5, -7.5, 1.0, -0.0, 3.0, -3.0, INF, 1.0]);
    let b = Tensor::from([2.0, 2.0, 0.1, 2.0, 0.0, 0.0, 2.0, INF]);
    let quotient = a.floor_divide(&b).to_vec::<f64>();
    assert_eq!(quotient[..6], [3.0, -4.0, 9.0, -0.0, INF, -INF]);
    assert!(quotient[3].is_sign_negative() && quotient[6].is_nan() && quotient[7] == 0.0);
    assert_eq!(Tensor::from([-1.0, 1.0]).floor_divide(INF).to_vec::<f64>(), [-1.0, 0.0]);
}

#[test]
fn integers_stay_integers() {
    let a = Tensor::from([7i64, -7, 7, -7, i64::MIN]);
    let b = Tensor::from([3i64, 3, -3, -3, -1]);
    assert_eq!(a.fmod(&b).to_vec::<i64>(), [1, -1, 1, -1, 0]);
    assert_eq!(a.remainder(&b).to_vec::<i64>(), [1, 2, -2, -1, 0]);
    assert_eq!(a.i(..4).floor_divide(b.i(..4)).to_vec::<i64>(), [2, -3, -3, 2]);
    assert_eq!(Tensor::from([true, false]).fmod(2).to_vec::<i64>(), [1, 0]);
    let mixed = Tensor::from([5i64]).remainder(1.5);
    assert_eq!((mixed.dtype(), mixed.item()), (DType::F32, 0.5));
    assert_eq!(Tensor::from([5.5f32]).remainder(1.5).dtype(), DType::F32);
}

#[test]
fn single_precision_remainders_are_exact() {
    let (a, b) = (Tensor::from([1e20f32, -7.3, 5.0]), Tensor::from([3.7f32, 0.1, 1e-30]));
    for (found, (a, b)) in a.fmod(&b).to_vec::<f32>().iter().zip(a.to_vec::<f32>().iter().zip(b.to_vec::<f32>())) {
        assert_eq!(*found, a % b);
    }
}

#[test]
fn the_number_and_the_tensor_have_torchs_node_names() {
    let x = Tensor::from([1.0]).requires_grad_(true);
    assert_eq!(x.fmod(2.0).grad_fn_name(), Some("FmodBackward0"));
    assert_eq!(x.fmod(&x).grad_fn_name(), Some("FmodBackward1"));
}

#[test]
#[should_panic(expected = "fmod: ZeroDivisionError: an integer divisor is zero")]
fn integers_are_not_divided_by_zero() {
    Tensor::from([1i64]).fmod(0);
}

#[test]
#[should_panic(expected = "remainder: not implemented for dtype bool")]
fn truth_values_have_no_remainder() {
    Tensor::from([true]).remainder(&Tensor::from([true]));
}

#[test]
fn what_no_derivative_looks_at_may_change() {
    let x = Tensor::from([5.5, -3.0]).requires_grad_(true);
    let y = &x * 1.0;
    let rest = y.fmod(2).sum() + y.remainder(&Tensor::from([2.0, 4.0])).sum() + y.lerp(&y, &Tensor::from(0.5)).sum();
    y.zero_();
    rest.backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [3.0, 3.0]);
}
