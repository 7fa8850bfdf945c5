//! Smooth functions of matrices, each one in tensor operations and as a naive loop in `f64`.

use super::Naive;
use tape::Tensor;

/// A function of every element.
pub type Unary = (fn(&Tensor) -> Tensor, fn(f64) -> f64);

pub const UNARY: [Unary; 16] = [
    (|x| x.sigmoid(), sigmoid),
    (|x| x.cos(), f64::cos),
    (|x| x.atan(), f64::atan),
    (|x| x.asinh(), f64::asinh),
    (|x| x.softplus(1.0, 20.0), |x| x.exp().ln_1p()),
    (|x| x.logsigmoid(), |x| -(-x).exp().ln_1p()),
    (|x| x.silu(), |x| x * sigmoid(x)),
    (|x| x.mish(), |x| x * x.exp().ln_1p().tanh()),
    (|x| x.gelu_tanh(), |x| 0.5 * x * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044715 * x * x * x)).tanh())),
    (|x| (x.square() + 0.5).sqrt(), |x| (x * x + 0.5).sqrt()),
    (|x| (x.square() + 0.5).rsqrt(), |x| 1.0 / (x * x + 0.5).sqrt()),
    (|x| (x.square() + 1.0).reciprocal(), |x| 1.0 / (x * x + 1.0)),
    (|x| x.square().log1p(), |x| (x * x).ln_1p()),
    (|x| x.tanh().expm1(), |x| x.tanh().exp_m1()),
    (|x| (x.tanh() * 0.9).atanh(), |x| (x.tanh() * 0.9).atanh()),
    (|x| (x.tanh() * 0.9).asin(), |x| (x.tanh() * 0.9).asin()),
];

/// A function of pairs of elements; the second operand broadcasts.
pub type Binary = (fn(&Tensor, &Tensor) -> Tensor, fn(f64, f64) -> f64);

pub const BINARY: [Binary; 6] = [
    (|a, b| a / (b.square() + 0.5), |a, b| a / (b * b + 0.5)),
    (|a, b| a.atan2(&(b.square() + 0.5)), |a, b| a.atan2(b * b + 0.5)),
    (|a, b| a.logaddexp(b), |a, b| (a.exp() + b.exp()).ln()),
    (|a, b| (a.square() + 0.5).hypot(b), |a, b| (a * a + 0.5).hypot(b)),
    (|a, b| (a.square() + 0.5).pow(&b.tanh()), |a, b| (a * a + 0.5).powf(b.tanh())),
    (|a, b| a.lerp(b, 0.3), |a, b| a + 0.3 * (b - a)),
];

/// A number from every line along a dimension, which keeps size 1.
pub type Reduction = (fn(&Tensor, isize) -> Tensor, fn(&[f64]) -> f64);

pub const REDUCTIONS: [Reduction; 5] = [
    (|x, dim| x.mean_dim(dim, true), |line| line.iter().sum::<f64>() / line.len() as f64),
    (|x, dim| x.logsumexp(dim, true), |line| line.iter().map(|v| v.exp()).sum::<f64>().ln()),
    (|x, dim| x.prod_dim(dim, true), |line| line.iter().product()),
    (
        |x, dim| x.var_dim(dim, 0.0, true),
        |line| {
            let mean = line.iter().sum::<f64>() / line.len() as f64;
            line.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / line.len() as f64
        },
    ),
    (
        |x, dim| (x.square() + 0.1).norm_dim(2.0, dim, true),
        |line| line.iter().map(|v| (v * v + 0.1) * (v * v + 0.1)).sum::<f64>().sqrt(),
    ),
];

/// A line from every line along a dimension.
pub type Scan = (fn(&Tensor, isize) -> Tensor, fn(&[f64]) -> Vec<f64>);

pub const SCANS: [Scan; 6] = [
    (
        |x, dim| x.softmax(dim),
        |line| {
            let sum: f64 = line.iter().map(|v| v.exp()).sum();
            line.iter().map(|v| v.exp() / sum).collect()
        },
    ),
    (
        |x, dim| x.log_softmax(dim),
        |line| {
            let sum: f64 = line.iter().map(|v| v.exp()).sum();
            line.iter().map(|v| v - sum.ln()).collect()
        },
    ),
    (
        |x, dim| x.cumsum(dim),
        |line| {
            line.iter()
                .scan(0.0, |sum, v| {
                    *sum += v;
                    Some(*sum)
                })
                .collect()
        },
    ),
    (
        |x, dim| x.tanh().cumprod(dim),
        |line| {
            line.iter()
                .scan(1.0, |product, v| {
                    *product *= v.tanh();
                    Some(*product)
                })
                .collect()
        },
    ),
    (|x, dim| x.flip(dim), |line| line.iter().rev().copied().collect()),
    (
        |x, dim| x.roll(1, dim),
        |line| {
            let mut rolled = line.to_vec();
            rolled.rotate_right(1);
            rolled
        },
    ),
];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Applies a naive scan to every line of a matrix along `dim`.
pub fn scan(x: &Naive, dim: usize, f: fn(&[f64]) -> Vec<f64>) -> Naive {
    let (rows, columns) = (x.shape[0], x.shape[1]);
    let lines = if dim == 0 { columns } else { rows };
    let line = |i: usize| -> Vec<f64> {
        (0..x.shape[dim]).map(|k| if dim == 0 { x.at(&[k, i]) } else { x.at(&[i, k]) }).collect()
    };
    let scanned: Vec<Vec<f64>> = (0..lines).map(|i| f(&line(i))).collect();
    Naive::from_fn(&x.shape, |at| if dim == 0 { scanned[at[1]][at[0]] } else { scanned[at[0]][at[1]] })
}
