//! Losses of distributions.

use super::{Reduction, options, setters};
use tape::{Operand, Tensor, no_grad};

/// Kullback-Leibler divergence, as `torch.nn.KLDivLoss`: [`functional::kl_div`](crate::functional::kl_div) with
/// options.
///
/// ```
/// use nn::KLDivLoss;
/// use tape::Tensor;
///
/// let (p, q) = (Tensor::from([[0.5, 0.5]]), Tensor::from([[0.25, 0.75]]));
/// let divergence = KLDivLoss::new().batch_mean().forward(&q.log(), &p).item();
/// assert!((divergence - (0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln())).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct KLDivLoss {
    log_target: bool,
    batch_mean: bool,
    reduction: Reduction,
}

/// Negative log likelihood of normal distributions, as `torch.nn.GaussianNLLLoss`:
/// [`functional::gaussian_nll_loss`](crate::functional::gaussian_nll_loss) with options.
#[derive(Clone, Debug)]
pub struct GaussianNLLLoss {
    full: bool,
    eps: f64,
    reduction: Reduction,
}

/// Negative log likelihood of Poisson distributions, as `torch.nn.PoissonNLLLoss`:
/// [`functional::poisson_nll_loss`](crate::functional::poisson_nll_loss) with options.
#[derive(Clone, Debug)]
pub struct PoissonNLLLoss {
    log_input: bool,
    full: bool,
    eps: f64,
    reduction: Reduction,
}

options! {
    KLDivLoss { log_target: false, batch_mean: false }
    GaussianNLLLoss { full: false, eps: 1e-6 }
    PoissonNLLLoss { log_input: true, full: false, eps: 1e-8 }
}

setters! {
    KLDivLoss {
        /// Whether the target, too, is given by logarithms (default: no).
        log_target: bool,
    }
    GaussianNLLLoss {
        /// Whether the constant `log(2 pi) / 2` is added (default: no).
        full: bool,
        /// The least variance; a smaller one is raised to it, while its gradient stays as it is (default: 1e-6).
        eps: f64,
    }
    PoissonNLLLoss {
        /// Whether the input is the logarithm of the rate (default: yes) or the rate itself.
        log_input: bool,
        /// Whether Stirling's approximation of `log(target!)` is added (default: no).
        full: bool,
        /// What is added to a rate before its logarithm is taken (default: 1e-8).
        eps: f64,
    }
}

impl KLDivLoss {
    /// Divides the sum by the size of the first dimension, which makes a divergence of it: torch's reduction
    /// `"batchmean"`. Takes the place of [`reduction`](KLDivLoss::reduction).
    #[must_use]
    pub fn batch_mean(mut self) -> KLDivLoss {
        self.batch_mean = true;
        self
    }

    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let terms = if self.log_target {
            target.exp() * (target - input)
        } else {
            // 0 log 0 is 0, though its derivative is not.
            Tensor::where_(&target.eq(0.0), 0.0, target * target.log()) - target * input
        };
        match self.batch_mean {
            true if input.dim() > 0 => terms.sum() / input.sizes()[0],
            true => terms.sum(),
            false => self.reduction.of(terms),
        }
    }
}

impl GaussianNLLLoss {
    /// Applies the loss to means, observations and variances. The variance is a number, or a tensor in the shape
    /// of `input`, or of one variance for the last dimension: `[..]` or `[.., 1]` for an input of `[.., D]`.
    ///
    /// # Panics
    /// If the shapes do not fit or a variance is negative.
    #[track_caller]
    pub fn forward<'a>(&self, input: &Tensor, target: &Tensor, var: impl Into<Operand<'a>>) -> Tensor {
        let var = self.variance(input, var.into());
        let square = (input - target).square();
        let mut losses = (var.log() + square / var) * 0.5;
        if self.full {
            losses = losses + 0.5 * std::f64::consts::TAU.ln();
        }
        self.reduction.of(losses)
    }

    #[track_caller]
    fn variance(&self, input: &Tensor, var: Operand<'_>) -> Tensor {
        let var = match var {
            Operand::Scalar(number) => input.full_like(number),
            Operand::Tensor(var) => var.into_owned(),
        };
        let negative = no_grad(|| var.lt(0.0).any()).item_as::<bool>();
        assert!(!negative, "gaussian_nll_loss: var has negative entry/entries; pass variances, not logarithms");
        let var = if var.sizes() == input.sizes() {
            var
        } else if Some(var.sizes()) == input.sizes().split_last().map(|(_, batch)| batch) {
            var.unsqueeze(-1)
        } else {
            let (own, wanted) = (var.sizes().split_last(), input.sizes().split_last());
            assert!(
                own.zip(wanted).is_some_and(|((&last, own), (_, wanted))| last == 1 && own == wanted),
                "gaussian_nll_loss: var is of incorrect size: {:?} for an input of shape {:?}",
                var.sizes(),
                input.sizes()
            );
            var
        };
        let var = var.copy();
        no_grad(|| var.clamp_(self.eps, None))
    }
}

impl PoissonNLLLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let mut losses =
            if self.log_input { input.exp() - target * input } else { input - target * (input + self.eps).log() };
        if self.full {
            let stirling = target * target.log() - target + (target * std::f64::consts::TAU).log() * 0.5;
            losses = losses + stirling.masked_fill(&target.le(1.0), 0.0);
        }
        self.reduction.of(losses)
    }
}
