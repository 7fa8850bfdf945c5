//! The exponential of a matrix.

use super::factors::Factors;
use super::matrix::{check_square, identity};
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::{Tensor, no_grad};

/// `exp(A)`.
pub(crate) struct MatrixExp;

impl Op for MatrixExp {
    fn name(&self) -> &'static str {
        "LinalgMatrixExpBackward0"
    }

    /// The upper right block of `exp([[A^T, grad], [0, A^T]])`: R. Mathias, "A chain rule for matrix functions and
    /// applications" (1996).
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let a = rule.saved(0);
        gradients![rule; {
            let (n, at) = (a.size(-1), a.mt());
            let top = Tensor::cat(&[&at, grad], -1);
            let bottom = Tensor::cat(&[&a.detach().zeros_like(), &at], -1);
            let blocks = matrix_exp(&Tensor::cat(&[&top, &bottom], -2));
            blocks.narrow(-2, 0, n).narrow(-1, n as isize, n)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[3, 3], -1.0, 1.0)], |x| matrix_exp(&x[0])),
            Sample::new([spread(&[2, 2, 2], -1.0, 1.0)], |x| matrix_exp(&x[0])),
            Sample::new([regular(&[2, 2])], |x| matrix_exp(&(x[0].t() * 3.0))),
            Sample::new([Tensor::zeros([2, 2], crate::DType::F64)], |x| matrix_exp(&x[0])),
            Sample::new([spread(&[0, 0], -1.0, 1.0)], |x| matrix_exp(&x[0])),
            Sample::new([spread(&[1, 1], -1.0, 1.0)], |x| matrix_exp(&x[0])),
        ]
    }
}

/// Coefficients of the numerator of the Padé approximant of degree 13.
const PADE: [f64; 14] = [
    64_764_752_532_480_000.0,
    32_382_376_266_240_000.0,
    7_771_770_303_897_600.0,
    1_187_353_796_428_800.0,
    129_060_195_264_000.0,
    10_559_470_521_600.0,
    670_442_572_800.0,
    33_522_128_640.0,
    1_323_241_920.0,
    40_840_800.0,
    960_960.0,
    16_380.0,
    182.0,
    1.0,
];
/// The largest 1-norm for which that approximant is exact to the last bit of `f64`.
const THETA: f64 = 5.371_920_351_148_152;

/// Scaling and squaring: N. J. Higham, "The scaling and squaring method for the matrix exponential revisited"
/// (2005). Every matrix of a batch has its own scale. Values alone, `f64`.
fn scale_and_square(a: &Tensor) -> Tensor {
    let norms = a.abs().sum_dim(-2, false).amax(-1, false);
    // NaN and infinities are not scaled: they stay what they are.
    let squarings = |norm: f64| if norm > THETA && norm.is_finite() { (norm / THETA).log2().ceil() } else { 0.0 };
    let squarings: Vec<f64> = norms.contiguous().to_vec::<f64>().into_iter().map(squarings).collect();
    let most = squarings.iter().fold(0.0, |max: f64, &s| max.max(s));
    let per_matrix = |values: Vec<f64>| Tensor::from_vec(values, norms.sizes()).unsqueeze(-1).unsqueeze(-1);
    // Two steps: the reciprocal of 2^1024 and beyond is no normal number.
    let halves = |part: fn(f64) -> f64| per_matrix(squarings.iter().map(|&s| (-part(s)).exp2()).collect());
    let scaled = a * halves(|s| (s / 2.0).floor()) * halves(|s| (s / 2.0).ceil());
    let mut power = pade(&scaled);
    let squarings = per_matrix(squarings);
    for done in 0..most as usize {
        power = Tensor::where_(&squarings.gt(done as f64), power.matmul(&power), &power);
    }
    power
}

/// The approximant `(V - U)^-1 (V + U)`, with the odd terms in `U`.
fn pade(a: &Tensor) -> Tensor {
    let one = identity(a);
    let a2 = a.matmul(a);
    let a4 = a2.matmul(&a2);
    let a6 = a4.matmul(&a2);
    let sum = |first: usize| {
        let high = &a6 * PADE[first + 12] + &a4 * PADE[first + 10] + &a2 * PADE[first + 8];
        a6.matmul(&high) + &a6 * PADE[first + 6] + &a4 * PADE[first + 4] + &a2 * PADE[first + 2] + &one * PADE[first]
    };
    let (u, v) = (a.matmul(&sum(1)), sum(0));
    let factors = Factors::of(&(&v - &u));
    factors.solve(&(v + u), false, &super::matrix::batch_of(a).iter().copied().collect())
}

/// The exponential `I + A + A^2 / 2 + ..` of square matrices, `[.., n, n]`. Computed in `f64` for either dtype.
///
/// ```
/// use tape::{Tensor, linalg};
/// let rotation = linalg::matrix_exp(&Tensor::from([[0.0, -1.0], [1.0, 0.0]]));
/// let (sin, cos) = 1f64.sin_cos();
/// assert!(rotation.allclose(&Tensor::from([[cos, -sin], [sin, cos]]), 1e-14, 0.0));
/// ```
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn matrix_exp(a: &Tensor) -> Tensor {
    check_square("linalg.matrix_exp", a);
    let value = no_grad(|| match a.numel() {
        0 => a.detach().copy(),
        _ => scale_and_square(&a.detach().double()).to_dtype(a.dtype()),
    });
    value.detach().record(&[a], || MatrixExp, |_| saves![a])
}
