//! Accuracy against the standard library and 60-digit values, and equality of the bits at all CPU levels.

mod golden;
mod special;

use self::golden::{DIGAMMA, ERF, ERFC, Golden, LGAMMA, LOGSIGMOID, SIGMOID, SINH, TANH};
use super::VMath;
use crate::kernel::simd::{Kernel, at_every_level, dispatch};

struct Map<'a, T, F> {
    x: &'a [T],
    f: F,
}

impl<T: Copy, F: Fn(T) -> T> Kernel for Map<'_, T, F> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run(self) -> Vec<T> {
        let mut out = self.x.to_vec();
        for out in &mut out {
            *out = (self.f)(*out);
        }
        out
    }
}

impl<'a, T: Copy, F: Fn(T) -> T> Map<'a, T, F> {
    #[inline(always)]
    fn new(x: &'a [T], f: F) -> Self {
        Map { x, f }
    }
}

fn map<T: Copy>(x: &[T], f: impl Fn(T) -> T) -> Vec<T> {
    dispatch(Map::new(x, f))
}

struct Map2<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    f: F,
}

impl<T: Copy, F: Fn(T, T) -> T> Kernel for Map2<'_, T, F> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run(self) -> Vec<T> {
        let mut out = self.x.to_vec();
        for (out, &y) in out.iter_mut().zip(self.y) {
            *out = (self.f)(*out, y);
        }
        out
    }
}

impl<'a, T: Copy, F: Fn(T, T) -> T> Map2<'a, T, F> {
    #[inline(always)]
    fn new(x: &'a [T], y: &'a [T], f: F) -> Self {
        Map2 { x, y, f }
    }
}

fn map2<T: Copy>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> Vec<T> {
    dispatch(Map2::new(x, y, f))
}

/// A linear congruential generator (Knuth's MMIX constants), its high bits.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 ^ (self.0 >> 32)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// Every bit pattern alike: all exponents, both signs, some NaN.
    fn any_f64(&mut self) -> f64 {
        f64::from_bits(self.next())
    }
}

/// The distance of `got` from `want` in units of the last place of an `f32` at `want`.
fn ulp_f32(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if rounded.is_nan() || rounded.is_infinite() || got.is_nan() || got.is_infinite() {
        let same = got == rounded || (got.is_nan() && rounded.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    (f64::from(got) - want).abs() / 2f64.powi(exponent - 23)
}

/// The same for `f64`, against a rounded reference.
fn ulp_f64(got: f64, want: f64) -> f64 {
    if want.is_nan() || want.is_infinite() || got.is_nan() || got.is_infinite() {
        let same = got == want || (got.is_nan() && want.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).max(-1022);
    (got - want).abs() / 2f64.powi((exponent - 52).max(-1000)) / 2f64.powi((exponent - 52).min(-1000) + 1000)
}

/// Every 4999th `f32`, which visits each exponent more than a thousand times, without those `outside`.
fn sampled_f32(outside: impl Fn(f32) -> bool) -> Vec<f32> {
    (0..=u32::MAX).step_by(4999).map(f32::from_bits).filter(|&x| !outside(x)).collect()
}

/// Half of the arguments of any magnitude, half of them in the range where the function bends.
fn sampled_f64(low: f64, high: f64, limit: f64) -> Vec<f64> {
    let mut random = Lcg(7);
    let mut x: Vec<f64> =
        (0..60_000).map(|i| if i % 2 == 0 { random.any_f64() } else { random.between(low, high) }).collect();
    // Any magnitude below the range's own, which bit patterns seldom hit.
    x.extend((0..30_000).map(|_| high * random.between(-40.0, 0.0).exp2()));
    x.retain(|x| x.is_nan() || x.is_infinite() || x.abs() <= limit);
    x
}

#[track_caller]
fn assert_close_f32(name: &str, x: &[f32], got: &[f32], want: impl Fn(f64) -> f64, bound: f64) {
    for (&x, &got) in x.iter().zip(got) {
        let want = want(f64::from(x));
        let error = ulp_f32(got, want);
        assert!(error <= bound, "{name}({x:e}) = {got:e}, not {want:e}: {error} ulp");
    }
}

#[track_caller]
fn assert_close_f64(name: &str, x: &[f64], got: &[f64], want: impl Fn(f64) -> f64, bound: f64) {
    for (&x, &got) in x.iter().zip(got) {
        let want = want(x);
        let error = ulp_f64(got, want);
        assert!(error <= bound, "{name}({x:e}) = {got:e}, not {want:e}: {error} ulp");
    }
}

macro_rules! check_f32 {
    ($($name:ident within $bound:expr, as $want:expr;)+) => {$(
        let x = sampled_f32(|_| false);
        let got = map(&x, #[inline(always)] |x: f32| VMath::$name(x));
        assert_close_f32(stringify!($name), &x, &got, $want, $bound);
    )+};
}

macro_rules! check_f64 {
    ($($name:ident on [$low:expr, $high:expr] within $bound:expr, as $want:expr;)+) => {$(
        let x = sampled_f64($low, $high, f64::INFINITY);
        let got = map(&x, #[inline(always)] |x: f64| VMath::$name(x));
        assert_close_f64(stringify!($name), &x, &got, $want, $bound);
    )+};
}

#[test]
fn f32_is_as_accurate_as_the_table_says() {
    check_f32! {
        exp within 1.02, as f64::exp;
        exp2 within 1.0, as f64::exp2;
        expm1 within 1.6, as f64::exp_m1;
        log within 0.9, as f64::ln;
        log2 within 1.0, as f64::log2;
        log10 within 0.9, as f64::log10;
        log1p within 0.9, as f64::ln_1p;
        tanh within 1.35, as f64::tanh;
        sinh within 2.4, as f64::sinh;
        cosh within 1.5, as f64::cosh;
        asin within 2.3, as f64::asin;
        acos within 1.1, as f64::acos;
        atan within 1.9, as f64::atan;
        sigmoid within 1.5, as |x| 1.0 / (1.0 + (-x).exp());
        logsigmoid within 2.25, as |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p();
    }
}

#[test]
fn f64_is_as_accurate_as_the_table_says() {
    // The reference's own error, below 1 ulp (2 for the hyperbolic functions), is added to the table's.
    check_f64! {
        exp on [-745.0, 710.0] within 2.0, as f64::exp;
        exp2 on [-1075.0, 1024.0] within 2.0, as f64::exp2;
        expm1 on [-40.0, 5.0] within 2.75, as f64::exp_m1;
        log on [0.0, 4.0] within 1.75, as f64::ln;
        log2 on [0.0, 4.0] within 1.9, as f64::log2;
        log10 on [0.0, 4.0] within 2.8, as f64::log10;
        log1p on [-1.0, 3.0] within 1.75, as f64::ln_1p;
        tanh on [-20.0, 3.0] within 3.3, as f64::tanh;
        sinh on [-711.0, 3.0] within 4.5, as f64::sinh;
        cosh on [-711.0, 3.0] within 3.2, as f64::cosh;
        asin on [-1.0, 1.0] within 2.9, as f64::asin;
        acos on [-1.0, 1.0] within 2.1, as f64::acos;
        atan on [-5.0, 5.0] within 2.4, as f64::atan;
    }
}

#[test]
fn f64_agrees_with_60_digits() {
    check_golden("lgamma", LGAMMA, VMath::lgamma, 5.0);
    check_golden("erf", ERF, VMath::erf, 1.5);
    check_golden("erfc", ERFC, VMath::erfc, 4.5);
    check_golden("sigmoid", SIGMOID, VMath::sigmoid, 1.9);
    check_golden("logsigmoid", LOGSIGMOID, VMath::logsigmoid, 2.6);
    check_golden("tanh", TANH, VMath::tanh, 1.8);
    check_golden("sinh", SINH, VMath::sinh, 3.0);
}

#[test]
fn digamma_agrees_with_60_digits() {
    // Absolutely below 1: the recurrence cancels around the root at 1.4616.
    for &(x, want) in DIGAMMA {
        let got = VMath::digamma(x);
        assert!((got - want).abs() <= 6e-16 * want.abs().max(1.0), "digamma({x:e}) = {got:e}, not {want:e}");
    }
}

#[track_caller]
fn check_golden(name: &str, table: Golden, f: impl Fn(f64) -> f64 + Copy, bound: f64) {
    let x: Vec<f64> = table.iter().map(|&(x, _)| x).collect();
    let got = map(&x, f);
    for (&(x, want), got) in table.iter().zip(got) {
        let error = ulp_f64(got, want);
        assert!(error <= bound, "{name}({x:e}) = {got:e}, not {want:e}: {error} ulp");
    }
}

#[test]
fn f32_erf_and_gamma_functions_are_the_rounded_f64_ones() {
    let x = sampled_f32(|x| x.abs() < 1e-30 || x.abs() > 1e4);
    let wide = |f: fn(f64) -> f64| move |x: f32| f(f64::from(x));
    type Check = (&'static str, fn(f32) -> f32, fn(f64) -> f64, f64);
    let checks: [Check; 4] = [
        ("erf", VMath::erf, VMath::erf, 1.25),
        ("erfc", VMath::erfc, VMath::erfc, 0.52),
        ("lgamma", VMath::lgamma, VMath::lgamma, 0.5),
        ("digamma", VMath::digamma, VMath::digamma, 0.5),
    ];
    for (name, single, double, bound) in checks {
        for &x in x.iter().step_by(3) {
            let (got, want) = (single(x), wide(double)(x));
            let error = ulp_f32(got, want);
            assert!(error <= bound, "{name}({x:e}) = {got:e}, not {want:e}: {error} ulp");
        }
    }
}

#[test]
fn trigonometry_holds_up_to_its_limit() {
    let x = sampled_f32(|x| x.is_finite() && x.abs() > f32::TRIG_LIMIT);
    let sin = map(
        &x,
        #[inline(always)]
        |x: f32| VMath::sin(x),
    );
    let cos = map(
        &x,
        #[inline(always)]
        |x: f32| VMath::cos(x),
    );
    let tan = map(
        &x,
        #[inline(always)]
        |x: f32| VMath::tan(x),
    );
    assert_close_f32("sin", &x, &sin, f64::sin, 0.6);
    assert_close_f32("cos", &x, &cos, f64::cos, 0.6);
    assert_close_f32("tan", &x, &tan, f64::tan, 2.0);

    let mut x = sampled_f64(-7.0, 7.0, f64::TRIG_LIMIT);
    // Next to the zeros, where the reduction loses the most.
    x.extend((0..20_000).map(|n| f64::from(n * 31_337) * std::f64::consts::FRAC_PI_2));
    x.retain(|x| !x.is_finite() || x.abs() <= f64::TRIG_LIMIT);
    let sin = map(
        &x,
        #[inline(always)]
        |x: f64| VMath::sin(x),
    );
    let cos = map(
        &x,
        #[inline(always)]
        |x: f64| VMath::cos(x),
    );
    let tan = map(
        &x,
        #[inline(always)]
        |x: f64| VMath::tan(x),
    );
    assert_close_f64("sin", &x, &sin, f64::sin, 1.7);
    assert_close_f64("cos", &x, &cos, f64::cos, 1.7);
    assert_close_f64("tan", &x, &tan, f64::tan, 2.9);
}

#[test]
fn arguments_beyond_the_trigonometric_limit_are_noticed() {
    let inside = [0.0, 1.0, -f64::TRIG_LIMIT, f64::INFINITY, f64::NAN];
    assert!(f64::trig_in_range(&inside));
    for beyond in [1.0000001 * f64::TRIG_LIMIT, -f64::MAX] {
        assert!(!f64::trig_in_range(&[inside.as_slice(), &[beyond, 2.0]].concat()));
    }
    assert!(f32::trig_in_range(&[f32::TRIG_LIMIT, f32::NEG_INFINITY]));
    assert!(!f32::trig_in_range(&[0.0, f32::MAX]));
    // sin(10^22), from 60 digits.
    assert!(ulp_f64(1e22f64.sin_any(), -0.8522008497671888) <= 1.0);
}

#[test]
fn pow_and_atan2_are_accurate() {
    let mut random = Lcg(11);
    // Any magnitude with a small exponent, moderate numbers, and bases next to 1 with large exponents.
    let kinds: [(f64, f64, f64); 3] = [(-1000.0, 1000.0, 1.0), (-3.0, 3.0, 20.0), (-0.001, 0.001, 900_000.0)];
    for (low, high, exponent) in kinds {
        let x: Vec<f64> = (0..20_000).map(|_| random.between(low, high).exp2()).collect();
        let y: Vec<f64> = (0..20_000).map(|_| random.between(-exponent, exponent)).collect();
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
        let x32: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let y32: Vec<f32> = y.iter().map(|&y| y as f32).collect();
        let single = map2(
            &x32,
            &y32,
            #[inline(always)]
            |x: f32, y: f32| VMath::pow(x, y),
        );
        for i in 0..x.len() {
            let (x64, y64) = (f64::from(x32[i]), f64::from(y32[i]));
            assert!(ulp_f64(pow[i], x[i].powf(y[i])) <= 2.0, "pow({:e}, {:e})", x[i], y[i]);
            assert!(ulp_f64(atan2[i], x[i].atan2(y[i])) <= 2.0, "atan2({:e}, {:e})", x[i], y[i]);
            assert!(ulp_f32(single[i], x64.powf(y64)) <= 0.51, "f32 pow({x64:e}, {y64:e})");
        }
    }
}

macro_rules! check_levels {
    ($t:ident, $x:expr; $($name:ident),+) => {$(
        let levels = at_every_level(|| Map::new($x, #[inline(always)] |x: $t| VMath::$name(x)));
        for (level, out) in &levels {
            for ((x, got), want) in $x.iter().zip(out).zip(&levels[0].1) {
                let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
                let name = stringify!($name);
                assert!(same, "{name}({x:e}) = {got:e} at {level:?}, {want:e} at the baseline");
            }
        }
    )+};
}

#[test]
fn every_cpu_level_gives_the_same_bits() {
    let x32: Vec<f32> = sampled_f32(|_| false).into_iter().step_by(53).collect();
    let x64 = &sampled_f64(-5.0, 5.0, f64::INFINITY)[..20_011];
    check_levels!(f32, &x32[..]; exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, tanh, sinh, cosh,
        asin, acos, atan, sigmoid, logsigmoid, erf, erfc);
    check_levels!(f64, x64; exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, tanh, sinh, cosh,
        asin, acos, atan, sigmoid, logsigmoid, erf, erfc);
    for (level, out) in at_every_level(|| {
        Map2::new(
            x64,
            &x64[1..],
            #[inline(always)]
            |x: f64, y: f64| x.pow(y),
        )
    }) {
        for (i, got) in out[..x64.len() - 1].iter().enumerate() {
            let want = x64[i].pow(x64[i + 1]);
            assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "pow {i} at {level:?}");
        }
    }
}
