//! Probability distributions with torch's names: logarithms of densities for likelihoods, and draws that
//! gradients pass through.
//!
//! Parameters are floating-point tensors or numbers. They broadcast against each other and against the values,
//! and results have the common shape; shapes that do not broadcast panic. Everything is made of recorded
//! operations, so that gradients of all orders reach parameters and values.

use crate::{BCEWithLogitsLoss, Reduction};
use std::f64::consts::{PI, SQRT_2};
use tape::{Operand, Tensor, get_default_dtype};

/// A parameter as a tensor; numbers become tensors without dimensions, which widen nothing.
fn parameter<'a>(value: impl Into<Operand<'a>>) -> Tensor {
    match value.into() {
        Operand::Tensor(tensor) => tensor.into_owned(),
        Operand::Scalar(number) => Tensor::full((), number, get_default_dtype()),
    }
}

/// `log(sqrt(2 pi))`.
fn log_root_two_pi() -> f64 {
    (2.0 * PI).sqrt().ln()
}

/// The normal distribution of mean `loc` and standard deviation `scale`, as `torch.distributions.Normal`.
///
/// ```
/// use nn::distributions::Normal;
/// use tape::Tensor;
///
/// // Maximum likelihood: the gradient of the log-likelihood vanishes at mean and standard deviation.
/// let x = Tensor::from([1.0, 2.0, 6.0]);
/// let (loc, scale) = (Tensor::from(3.0).requires_grad_(true), x.std(0.0).detach().requires_grad_(true));
/// Normal::new(&loc, &scale).log_prob(&x).sum().backward()?;
/// assert!(loc.grad().unwrap().item().abs() < 1e-14 && scale.grad().unwrap().item().abs() < 1e-14);
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Normal {
    loc: Tensor,
    scale: Tensor,
}

impl Normal {
    /// The distribution of these parameters.
    pub fn new<'a, 'b>(loc: impl Into<Operand<'a>>, scale: impl Into<Operand<'b>>) -> Normal {
        Normal { loc: parameter(loc), scale: parameter(scale) }
    }

    /// The mean.
    pub fn mean(&self) -> &Tensor {
        &self.loc
    }

    /// The standard deviation.
    pub fn stddev(&self) -> &Tensor {
        &self.scale
    }

    /// `-(x - loc)^2 / (2 scale^2) - log(scale) - log(sqrt(2 pi))`.
    #[track_caller]
    pub fn log_prob(&self, x: &Tensor) -> Tensor {
        let variance = self.scale.square();
        -((x - &self.loc).square()) / (variance * 2.0) - self.scale.log() - log_root_two_pi()
    }

    /// The probability of values up to `x`.
    #[track_caller]
    pub fn cdf(&self, x: &Tensor) -> Tensor {
        (((x - &self.loc) * self.scale.reciprocal() / SQRT_2).erf() + 1.0) * 0.5
    }

    /// The value with this probability of not being exceeded, for `p` in `[0, 1]`.
    #[track_caller]
    pub fn icdf(&self, p: &Tensor) -> Tensor {
        &self.loc + &self.scale * (p * 2.0 - 1.0).erfinv() * SQRT_2
    }

    /// `1/2 + log(sqrt(2 pi)) + log(scale)`.
    pub fn entropy(&self) -> Tensor {
        self.scale.log() + (0.5 + log_root_two_pi())
    }

    /// `loc + scale z` with `z` drawn from the process-wide generator: gradients pass through to the parameters.
    /// `shape` is put in front of that of the parameters.
    ///
    /// ```
    /// use nn::distributions::Normal;
    /// tape::manual_seed(0);
    /// // torch.distributions.Normal(0., 1.).rsample((3,)) after torch.manual_seed(0)
    /// assert_eq!(Normal::new(0.0, 1.0).rsample([3]).to_vec::<f32>(), [1.5409961, -0.2934289, -2.1787894]);
    /// ```
    #[track_caller]
    pub fn rsample(&self, shape: impl Into<tape::Shape>) -> Tensor {
        let spread = &self.loc * 0.0 + &self.scale;
        let shape: Vec<usize> = shape.into().iter().chain(spread.sizes()).copied().collect();
        &self.loc + &self.scale * Tensor::randn(shape, spread.dtype())
    }

    /// [`rsample`](Normal::rsample) without history.
    #[track_caller]
    pub fn sample(&self, shape: impl Into<tape::Shape>) -> Tensor {
        tape::no_grad(|| self.rsample(shape))
    }
}

/// The distribution of `e^z` for a normal `z`, as `torch.distributions.LogNormal`.
///
/// ```
/// use nn::distributions::LogNormal;
/// use tape::Tensor;
/// let density = LogNormal::new(0.0, 1.0).log_prob(&Tensor::from([1.0])).exp();
/// assert!((density.item() - (2.0 * std::f64::consts::PI).sqrt().recip()).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct LogNormal {
    base: Normal,
}

impl LogNormal {
    /// The distribution whose logarithm is normal with these parameters.
    pub fn new<'a, 'b>(loc: impl Into<Operand<'a>>, scale: impl Into<Operand<'b>>) -> LogNormal {
        LogNormal { base: Normal::new(loc, scale) }
    }

    /// The normal density of `log x`, less `log x`.
    #[track_caller]
    pub fn log_prob(&self, x: &Tensor) -> Tensor {
        let log = x.log();
        self.base.log_prob(&log) - log
    }

    /// The probability of values up to `x`.
    #[track_caller]
    pub fn cdf(&self, x: &Tensor) -> Tensor {
        self.base.cdf(&x.log())
    }

    /// `e^z` of a normal draw; `shape` is put in front of that of the parameters.
    #[track_caller]
    pub fn rsample(&self, shape: impl Into<tape::Shape>) -> Tensor {
        self.base.rsample(shape).exp()
    }
}

/// Ones of a probability that is given by its log-odds, as `torch.distributions.Bernoulli`.
///
/// ```
/// use nn::distributions::Bernoulli;
/// use tape::Tensor;
/// let coin = Bernoulli::from_logits(&Tensor::from([0.0, 40.0]));
/// let log_prob = coin.log_prob(&Tensor::from([1.0, 1.0]));
/// assert!((log_prob.i(0).item() + 2.0_f64.ln()).abs() < 1e-15 && log_prob.i(1).item() > -1e-17);
/// ```
#[derive(Clone, Debug)]
pub struct Bernoulli {
    logits: Tensor,
}

impl Bernoulli {
    /// Ones of probability `sigmoid(logits)`.
    pub fn from_logits<'a>(logits: impl Into<Operand<'a>>) -> Bernoulli {
        Bernoulli { logits: parameter(logits) }
    }

    /// Ones of probability `probs`, kept away from 0 and 1 by the dtype's epsilon, as in torch.
    #[track_caller]
    pub fn from_probs<'a>(probs: impl Into<Operand<'a>>) -> Bernoulli {
        let probs = parameter(probs);
        let eps = if probs.dtype() == tape::DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let probs = probs.clamp(eps, 1.0 - eps);
        Bernoulli { logits: probs.log() - (-probs).log1p() }
    }

    /// The probability of a one.
    pub fn probs(&self) -> Tensor {
        self.logits.sigmoid()
    }

    /// `log p` where `x` is 1, `log(1 - p)` where it is 0, accurate for probabilities near both ends.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn log_prob(&self, x: &Tensor) -> Tensor {
        let both = Tensor::broadcast_tensors([&self.logits, x]);
        -BCEWithLogitsLoss::new().reduction(Reduction::None).forward(&both[0], &both[1])
    }

    /// `-p log p - (1 - p) log(1 - p)`.
    pub fn entropy(&self) -> Tensor {
        BCEWithLogitsLoss::new().reduction(Reduction::None).forward(&self.logits, &self.probs())
    }
}
