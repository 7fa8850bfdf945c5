//! Zeros, infinities, NaN and subnormals give what C's functions give.

use super::{map2, ulp_f32, ulp_f64};
use crate::kernel::vmath::VMath;

/// Zeros, infinities, NaN, subnormals, integers of both parities, halves, extremes.
const SPECIAL: [f64; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    -2.0,
    3.0,
    -3.0,
    0.5,
    -0.5,
    2.5,
    -2.5,
    1e10,
    -1e10,
    1e-310,
    -1e-310,
    1e300,
    -1e300,
    9007199254740993.0,
    -9007199254740991.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
];

/// Whether two numbers are the same, zeros by their sign and NaN with any NaN, or within `bound` ulp.
fn same_f64(got: f64, want: f64, bound: f64) -> bool {
    let zeros = got == 0.0 || want == 0.0;
    let zeros_agree = got == want && got.is_sign_negative() == want.is_sign_negative();
    if zeros && bound < 1e-3 { zeros_agree } else { ulp_f64(got, want) <= bound && (!zeros || zeros_agree) }
}

#[test]
fn pow_and_atan2_have_the_special_cases_of_c() {
    let (mut x, mut y) = (vec![], vec![]);
    for a in SPECIAL {
        for b in SPECIAL {
            x.push(a);
            y.push(b);
        }
    }
    let pow = map2(
        &x,
        &y,
        #[inline(always)]
        |x: f64, y: f64| VMath::pow(x, y),
    );
    let atan2 = map2(
        &x,
        &y,
        #[inline(always)]
        |x: f64, y: f64| VMath::atan2(x, y),
    );
    for i in 0..x.len() {
        let want = x[i].powf(y[i]);
        assert!(same_f64(pow[i], want, 1.6), "pow({:e}, {:e}) = {:e}, not {want:e}", x[i], y[i], pow[i]);
        let want = x[i].atan2(y[i]);
        assert!(same_f64(atan2[i], want, 2.0), "atan2({:e}, {:e}) = {:e}, not {want:e}", x[i], y[i], atan2[i]);
    }

    let x32: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let y32: Vec<f32> = y.iter().map(|&y| y as f32).collect();
    let pow = map2(
        &x32,
        &y32,
        #[inline(always)]
        |x: f32, y: f32| VMath::pow(x, y),
    );
    let atan2 = map2(
        &x32,
        &y32,
        #[inline(always)]
        |x: f32, y: f32| VMath::atan2(x, y),
    );
    for (i, (&x, &y)) in x32.iter().zip(&y32).enumerate() {
        let want = x.powf(y);
        assert!(same_f64(f64::from(pow[i]), f64::from(want), 0.0), "pow({x:e}, {y:e}) = {:e}", pow[i]);
        let want = f64::from(x).atan2(f64::from(y));
        assert!(ulp_f32(atan2[i], want) <= 1.5, "atan2({x:e}, {y:e}) = {:e}, not {want:e}", atan2[i]);
        assert_eq!(
            atan2[i].is_sign_negative(),
            want.is_sign_negative() || want.is_nan() && atan2[i].is_sign_negative()
        );
    }
}

#[test]
fn special_values_are_those_of_c() {
    type Unary = (&'static str, fn(f64) -> f64, fn(f32) -> f32, fn(f64) -> f64);
    macro_rules! unary {
        ($($name:ident = $want:expr),+ $(,)?) => {
            [$((stringify!($name), VMath::$name, VMath::$name, $want)),+]
        };
    }
    let functions: [Unary; 18] = unary![
        exp = f64::exp,
        exp2 = f64::exp2,
        expm1 = f64::exp_m1,
        log = f64::ln,
        log2 = f64::log2,
        log10 = f64::log10,
        log1p = f64::ln_1p,
        sin = f64::sin,
        cos = f64::cos,
        tan = f64::tan,
        tanh = f64::tanh,
        sinh = f64::sinh,
        cosh = f64::cosh,
        asin = f64::asin,
        acos = f64::acos,
        atan = f64::atan,
        sigmoid = |x| 1.0 / (1.0 + (-x).exp()),
        logsigmoid = |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p(),
    ];
    let extremes = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for (name, double, single, want) in functions {
        for x in extremes {
            let want = if x.is_nan() { x } else { want(x) };
            assert!(same_f64(double(x), want, 2.5), "f64 {name}({x:e}) = {:e}, not {want:e}", double(x));
            if x.abs() > 1e-300 || x == 0.0 || x.is_nan() {
                let got = single(x as f32);
                let zero_sign = want != 0.0 || got.is_sign_negative() == want.is_sign_negative();
                assert!(ulp_f32(got, want) <= 2.0 && zero_sign, "f32 {name}({x:e}) = {got:e}, not {want:e}");
            }
        }
    }
    assert_eq!(2f64.powi(10).log2(), VMath::log2(1024.0f64));
    assert_eq!((0..=30).map(|n| VMath::log2(2f64.powi(n))).sum::<f64>(), 465.0);
    assert_eq!(VMath::digamma(0.0f64), f64::NEG_INFINITY);
    assert_eq!(VMath::digamma(-0.0f64), f64::INFINITY);
    assert_eq!(VMath::digamma(1e-310f64), f64::NEG_INFINITY);
    assert!(VMath::digamma(-3.0f64).is_nan() && VMath::digamma(f64::NAN).is_nan());
    assert_eq!(VMath::digamma(f32::INFINITY), f32::INFINITY);
    for pole in [0.0, -0.0, -1.0, -1e300, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(VMath::lgamma(pole), f64::INFINITY);
    }
}
