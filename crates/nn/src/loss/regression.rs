//! Losses of the difference of prediction and target.

use super::{Reduction, options, setters, target_like};
use tape::Tensor;

/// Squared error, as `torch.nn.MSELoss`: [`functional::mse_loss`](crate::functional::mse_loss) with options.
///
/// ```
/// use nn::{MSELoss, Reduction};
/// use tape::Tensor;
///
/// let loss = MSELoss::new().reduction(Reduction::Sum);
/// assert_eq!(loss.forward(&Tensor::from([1.0, 2.0]), &Tensor::from([1.0, 4.0])).item(), 4.0);
/// ```
#[derive(Clone, Debug)]
pub struct MSELoss {
    reduction: Reduction,
}

/// Absolute error, as `torch.nn.L1Loss`: [`functional::l1_loss`](crate::functional::l1_loss) with options.
#[derive(Clone, Debug)]
pub struct L1Loss {
    reduction: Reduction,
}

/// Absolute error with a parabola around zero, as `torch.nn.SmoothL1Loss`:
/// [`functional::smooth_l1_loss`](crate::functional::smooth_l1_loss) with options.
#[derive(Clone, Debug)]
pub struct SmoothL1Loss {
    beta: f64,
    reduction: Reduction,
}

/// Squared error with linear tails, as `torch.nn.HuberLoss`:
/// [`functional::huber_loss`](crate::functional::huber_loss) with options.
#[derive(Clone, Debug)]
pub struct HuberLoss {
    delta: f64,
    reduction: Reduction,
}

options! {
    MSELoss {}
    L1Loss {}
    SmoothL1Loss { beta: 1.0 }
    HuberLoss { delta: 1.0 }
}

setters! {
    SmoothL1Loss {
        /// Where the parabola ends (default: 1). With 0 the loss is the absolute error.
        beta: f64,
    }
    HuberLoss {
        /// Where the tails begin (default: 1).
        delta: f64,
    }
}

impl MSELoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If `target` would enlarge `input` in broadcasting.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let target = target_like("mse_loss", input, target);
        match self.reduction {
            Reduction::Mean => Tensor::mse_loss(input, &target),
            other => other.of((input - target).square()),
        }
    }
}

impl L1Loss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If `target` would enlarge `input` in broadcasting.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        self.reduction.of((input - target_like("l1_loss", input, target)).abs())
    }
}

/// `d` kept within `-limit..=limit`. With it both losses below are products that have torch's derivatives
/// everywhere: a choice between two formulas would let NaN leak out of the one not chosen. At the limits and
/// at NaN its slope is that of `hardtanh`, which is what torch's second derivatives have there.
fn core(difference: &Tensor, limit: f64) -> Tensor {
    difference.hardtanh(-limit, limit)
}

impl SmoothL1Loss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If `target` would enlarge `input` in broadcasting, or `beta` is negative.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            self.beta >= 0.0,
            "smooth_l1_loss does not support negative values for beta, but beta is {}",
            self.beta
        );
        let difference = input - target_like("smooth_l1_loss", input, target);
        if self.beta == 0.0 {
            return self.reduction.of(difference.abs());
        }
        let core = core(&difference, self.beta);
        self.reduction.of(&core / self.beta * (difference - core * 0.5))
    }
}

impl HuberLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If `target` would enlarge `input` in broadcasting, or `delta` is not positive.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            self.delta > 0.0,
            "huber_loss does not support non-positive values for delta, but delta is {}",
            self.delta
        );
        let difference = input - target_like("huber_loss", input, target);
        let core = core(&difference, self.delta);
        self.reduction.of(&core * (difference - &core * 0.5))
    }
}
