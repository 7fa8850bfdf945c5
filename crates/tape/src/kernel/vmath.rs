//! Elementwise functions that LLVM vectorises: pure, branch-free, `#[inline(always)]`, for `f32` and `f64`.
//!
//! Inside a [`Kernel`](super::simd::Kernel) a plain `for` loop over [`VMath`] methods compiles to 512-bit or
//! 256-bit instructions. Branches are selects on two computed values, no function calls libm or reads a
//! table, integers come out of floats by adding `1.5 * 2^52`, and every multiply-add is an explicit
//! `mul_add`: so every instruction set gives the same bits.
//!
//! # Method
//! Range reductions after Cody and Waite (*Software Manual for the Elementary Functions*, 1980) and the
//! forms of fdlibm, with fused multiply-adds (Muller et al., *Handbook of Floating-Point Arithmetic*, 2018,
//! chapter 10); polynomials from a Remez exchange in 45-digit arithmetic, refitted after rounding the
//! leading coefficients. Each submodule says what its functions do.
//!
//! # Accuracy
//! The largest error seen, in units in the last place, against references of twice the precision (`f32`:
//! every 97th bit pattern; `f64`: some 8000 to 16000 arguments per function, over all magnitudes and denser
//! where the function bends). Infinities, NaN, signed zeros, overflow and subnormal results are those of C's
//! functions.
//!
//! | function | f32 | f64 | | function | f32 | f64 |
//! |---|---|---|---|---|---|---|
//! | `exp` | 1.01 | 0.98 | | `sin` | 0.58 | 0.70 |
//! | `exp2` | 0.97 | 0.88 | | `cos` | 0.58 | 0.72 |
//! | `expm1` | 1.6 | 1.7 | | `tan` | 2.0 | 1.9 |
//! | `log` | 0.85 | 0.74 | | `asin` | 2.3 | 1.9 |
//! | `log2` | 0.98 | 0.85 | | `acos` | 1.1 | 1.1 |
//! | `log10` | 0.89 | 0.76 | | `atan` | 1.8 | 1.3 |
//! | `log1p` | 0.89 | 0.74 | | `atan2` | 1.5 | 1.4 |
//! | `tanh` | 1.3 | 1.3 | | `erf` | 1.2 | 1.1 |
//! | `sinh` | 2.3 | 2.4 | | `erfc` | 0.51 | 3.9 |
//! | `cosh` | 1.5 | 1.2 | | `pow` | 0.51 | 0.97 |
//! | `sigmoid` | 1.5 | 1.4 | | `lgamma`, `x > 0` | 0.50 | 2.0 |
//! | `logsigmoid` | 2.2 | 2.1 | | `digamma`, `x > 0` | 0.50 | 2.4 of `max(1, value)` |
//! | `erfinv` | | 4.2 | | `polygamma`, `n < 4`, `x > 0` | | 3.8 |
//! | `erfcx` | | 4.9 | | `i0`, `i1` | | 11 |
//!
//! Functions without a number for `f32` are there in `f64` alone. Next to their zeros at negative arguments
//! `lgamma` and `digamma` are accurate absolutely, not relatively, as is `digamma` next to its root 1.4616.

#[macro_use]
mod forms {
    /// `c0 + x (c1 + x (c2 + ...))` by Horner's rule with fused multiply-adds.
    macro_rules! horner {
        ($t:ty, $x:expr; $($c:expr),+) => {{
            let x: $t = $x;
            horner!(@ $t, x; $($c),+)
        }};
        (@ $t:ty, $x:ident; $c:expr) => {{
            let c: $t = $c;
            c
        }};
        (@ $t:ty, $x:ident; $c:expr, $($rest:expr),+) => {
            horner!(@ $t, $x; $($rest),+).mul_add($x, $c)
        };
    }

    /// The same polynomial as `even(x^2) + x odd(x^2)`: half the latency for one more multiplication. Loops
    /// over the longer polynomials are bound by the latency of Horner's chain, whatever the CPU overlaps.
    macro_rules! halves {
        ($t:ty, $x:expr; $($c:expr),+) => {
            forms!(horner, $t, $x; [] []; $($c),+)
        };
    }

    /// The same polynomial as four interleaved ones in `x^4`.
    macro_rules! quarters {
        ($t:ty, $x:expr; $($c:expr),+) => {
            forms!(halves, $t, $x; [] []; $($c),+)
        };
    }

    /// Deals the coefficients to the even and the odd polynomial, both evaluated by `$inner`.
    macro_rules! forms {
        (
            $inner:ident, $t:ty, $x:expr; [$($even:expr),*] [$($odd:expr),*];
            $a:expr, $b:expr, $($rest:expr),+
        ) => {
            forms!($inner, $t, $x; [$($even,)* $a] [$($odd,)* $b]; $($rest),+)
        };
        ($inner:ident, $t:ty, $x:expr; [$($even:expr),*] [$($odd:expr),*]; $a:expr, $b:expr) => {
            forms!($inner, $t, $x; [$($even,)* $a] [$($odd,)* $b];)
        };
        ($inner:ident, $t:ty, $x:expr; [$($even:expr),*] [$($odd:expr),*]; $a:expr) => {
            forms!($inner, $t, $x; [$($even,)* $a] [$($odd),*];)
        };
        ($inner:ident, $t:ty, $x:expr; [$($even:expr),+] [$($odd:expr),+];) => {{
            let x: $t = $x;
            let square = x * x;
            $inner!($t, square; $($odd),+).mul_add(x, $inner!($t, square; $($even),+))
        }};
    }

    /// `$function(x)` at the best instruction set, for functions that no loop inlines: at the baseline each of
    /// their fused multiply-adds is a call. A type, not a closure, which would stay out of line at the baseline.
    macro_rules! alone {
        ($function:path, $x:expr) => {{
            struct Alone(f64);
            impl crate::kernel::simd::Kernel for Alone {
                type Output = f64;
                #[inline(always)]
                fn run(self) -> f64 {
                    $function(self.0)
                }
            }
            crate::kernel::simd::dispatch(Alone($x))
        }};
    }

    /// `x` kept within `[low, high]`; NaN stays NaN (two selects, which become `vmaxps` and `vminps`).
    macro_rules! clamp {
        ($x:expr, $low:expr, $high:expr) => {{
            let x = $x;
            let x = if x < $low { $low } else { x };
            if x > $high { $high } else { x }
        }};
    }
}

mod arc;
mod bessel;
mod erf;
mod exp;
mod gamma;
mod log;
mod pow;
#[cfg(test)]
mod tests;
mod trig;

pub(crate) use bessel::{i0, i1};
pub(crate) use erf::{erfcx, erfinv};
pub(crate) use gamma::polygamma;

/// The elementwise functions of a floating-point type.
///
/// All but `lgamma`, `digamma` and the `_any` fallbacks are branch-free and vectorise. `sin`, `cos` and `tan`
/// hold up to [`VMath::TRIG_LIMIT`] only; a kernel asks once per block and keeps its common loop vectorised:
///
/// ```text
/// if T::trig_in_range(x) {
///     for (out, x) in out.iter_mut().zip(x) { *out = x.sin(); }
/// } else {
///     for (out, x) in out.iter_mut().zip(x) { *out = x.sin_any(); }
/// }
/// ```
pub(crate) trait VMath: Copy {
    /// `sin`, `cos` and `tan` hold for arguments up to this; see [`VMath::trig_in_range`].
    #[cfg_attr(not(test), expect(dead_code, reason = "tests ask where the limit is"))]
    const TRIG_LIMIT: Self;

    fn exp(self) -> Self;
    fn exp2(self) -> Self;
    fn expm1(self) -> Self;
    fn log(self) -> Self;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn log1p(self) -> Self;
    /// For arguments up to [`VMath::TRIG_LIMIT`], infinities and NaN.
    fn sin(self) -> Self;
    /// For arguments up to [`VMath::TRIG_LIMIT`], infinities and NaN.
    fn cos(self) -> Self;
    /// For arguments up to [`VMath::TRIG_LIMIT`], infinities and NaN.
    fn tan(self) -> Self;
    /// For every argument, as a scalar call.
    fn sin_any(self) -> Self;
    /// For every argument, as a scalar call.
    fn cos_any(self) -> Self;
    /// For every argument, as a scalar call.
    fn tan_any(self) -> Self;
    /// Whether [`VMath::sin`], [`VMath::cos`] and [`VMath::tan`] hold for every element of `x`.
    fn trig_in_range(x: &[Self]) -> bool;
    fn tanh(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn asin(self) -> Self;
    fn acos(self) -> Self;
    fn atan(self) -> Self;
    /// The angle of the point `(x, self)`.
    fn atan2(self, x: Self) -> Self;
    /// `1 / (1 + exp(-self))`.
    fn sigmoid(self) -> Self;
    /// `log(sigmoid(self))`.
    fn logsigmoid(self) -> Self;
    fn erf(self) -> Self;
    fn erfc(self) -> Self;
    fn pow(self, y: Self) -> Self;
    /// `log |gamma(self)|`; scalar.
    fn lgamma(self) -> Self;
    /// The logarithmic derivative of the gamma function; scalar.
    fn digamma(self) -> Self;
}

macro_rules! vmath {
    (
        $t:ident, trig_limit: $limit:expr, gamma: |$g:ident| $widen:expr,
        unary: { $($name:ident = $path:path,)+ },
        binary: { $($name2:ident = $path2:path,)+ }
    ) => {
        impl VMath for $t {
            const TRIG_LIMIT: $t = $limit;

            $(
                #[inline(always)]
                fn $name(self) -> $t {
                    $path(self)
                }
            )+
            $(
                #[inline(always)]
                fn $name2(self, other: $t) -> $t {
                    $path2(self, other)
                }
            )+

            #[inline(always)]
            fn sin_any(self) -> $t {
                $t::sin(self)
            }

            #[inline(always)]
            fn cos_any(self) -> $t {
                $t::cos(self)
            }

            #[inline(always)]
            fn tan_any(self) -> $t {
                $t::tan(self)
            }

            #[inline(always)]
            fn trig_in_range(x: &[$t]) -> bool {
                // Infinities are in range: NaN comes out either way. Counting vectorises, stopping early not.
                let beyond: u32 =
                    x.iter().map(|x| u32::from(x.abs() > $limit) & u32::from(x.abs() < $t::INFINITY)).sum();
                beyond == 0
            }

            #[inline(always)]
            fn lgamma(self) -> $t {
                let $g = self;
                alone!(gamma::lgamma, $widen) as $t
            }

            #[inline(always)]
            fn digamma(self) -> $t {
                let $g = self;
                gamma::digamma($widen) as $t
            }
        }
    };
}

vmath! {
    f32, trig_limit: 1.0e12, gamma: |x| f64::from(x),
    unary: {
        exp = exp::exp_f32, exp2 = exp::exp2_f32, expm1 = exp::expm1_f32, tanh = exp::tanh_f32,
        sinh = exp::sinh_f32, cosh = exp::cosh_f32, sigmoid = exp::sigmoid_f32,
        logsigmoid = exp::logsigmoid_f32, log = log::log_f32, log2 = log::log2_f32,
        log10 = log::log10_f32, log1p = log::log1p_f32, sin = trig::sin_f32, cos = trig::cos_f32,
        tan = trig::tan_f32, asin = arc::asin_f32, acos = arc::acos_f32, atan = arc::atan_f32,
        erf = erf::erf_f32, erfc = erf::erfc_f32,
    },
    binary: { atan2 = arc::atan2_f32, pow = pow::pow_f32, }
}

vmath! {
    f64, trig_limit: 1.0e9, gamma: |x| x,
    unary: {
        exp = exp::exp_f64, exp2 = exp::exp2_f64, expm1 = exp::expm1_f64, tanh = exp::tanh_f64,
        sinh = exp::sinh_f64, cosh = exp::cosh_f64, sigmoid = exp::sigmoid_f64,
        logsigmoid = exp::logsigmoid_f64, log = log::log_f64, log2 = log::log2_f64,
        log10 = log::log10_f64, log1p = log::log1p_f64, sin = trig::sin_f64, cos = trig::cos_f64,
        tan = trig::tan_f64, asin = arc::asin_f64, acos = arc::acos_f64, atan = arc::atan_f64,
        erf = erf::erf_f64, erfc = erf::erfc_f64,
    },
    binary: { atan2 = arc::atan2_f64, pow = pow::pow_f64, }
}
