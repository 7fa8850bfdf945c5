//! Losses of yes or no.

use super::{Reduction, options};
use tape::{Tensor, no_grad};

/// Cross entropy of probabilities, as `torch.nn.BCELoss`:
/// [`functional::binary_cross_entropy`](crate::functional::binary_cross_entropy) with options.
///
/// ```
/// use nn::BCELoss;
/// use tape::Tensor;
///
/// let loss = BCELoss::new().weight(&Tensor::from([2.0, 0.0]));
/// let value = loss.forward(&Tensor::from([0.5, 0.1]), &Tensor::from([1.0, 1.0])).item();
/// assert!((value - 2.0_f64.ln()).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct BCELoss {
    weight: Option<Tensor>,
    reduction: Reduction,
}

/// Cross entropy of logits, as `torch.nn.BCEWithLogitsLoss`:
/// [`functional::binary_cross_entropy_with_logits`](crate::functional::binary_cross_entropy_with_logits) with
/// options.
///
/// ```
/// use nn::BCEWithLogitsLoss;
/// use tape::Tensor;
///
/// // A positive that is missed costs three times as much.
/// let loss = BCEWithLogitsLoss::new().pos_weight(&Tensor::from([3.0]));
/// let value = loss.forward(&Tensor::from([0.0]), &Tensor::from([1.0])).item();
/// assert!((value - 3.0 * 2.0_f64.ln()).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct BCEWithLogitsLoss {
    weight: Option<Tensor>,
    pos_weight: Option<Tensor>,
    reduction: Reduction,
}

options! {
    BCELoss { weight: None }
    BCEWithLogitsLoss { weight: None, pos_weight: None }
}

/// Where `x (1 - x)` is below this the slope of the logarithms is held, as torch does, whose constant is a `float`.
const FLAT: f64 = 1e-12_f32 as f64;

/// torch's lower bound of a logarithm.
const LOWEST: f64 = -100.0;

impl BCELoss {
    /// Factors of the losses, of a shape that broadcasts to theirs. The mean is still taken over their number.
    #[must_use]
    pub fn weight(mut self, weight: &Tensor) -> BCELoss {
        self.weight = Some(weight.clone());
        self
    }

    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes differ, or an element of `input` is not in `0..=1`.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            input.sizes() == target.sizes(),
            "binary_cross_entropy: Using a target size ({:?}) that is different to the input size ({:?}) is \
             deprecated. Please ensure they have the same size.",
            target.sizes(),
            input.sizes()
        );
        let probabilities = no_grad(|| input.ge(0.0).logical_and(&input.le(1.0)).all());
        assert!(
            probabilities.item_as::<bool>(),
            "binary_cross_entropy: all elements of input should be between 0 and 1; apply a sigmoid, or use \
             binary_cross_entropy_with_logits"
        );
        let losses = bce(input, target);
        self.reduction.of(weighted(losses, &self.weight))
    }
}

fn weighted(losses: Tensor, weight: &Option<Tensor>) -> Tensor {
    match weight {
        Some(weight) => losses * weight,
        None => losses,
    }
}

/// `-(t log x + (1 - t) log(1 - x))`, logarithms bounded by -100, and `(x - t) / max(x (1 - x), 1e-12)` as
/// derivative.
fn bce(x: &Tensor, target: &Tensor) -> Tensor {
    let flat = no_grad(|| (x * (1.0 - x)).lt(FLAT));
    if !flat.any().item_as::<bool>() {
        return open_bce(x, target);
    }
    // At the ends the value is a constant in x, and a parabola that is zero in value lends it the slope.
    let (x0, t0) = (x.detach(), target.detach());
    let value = bounded_bce(&x0, target);
    let parabola = (x * x * 0.5 - &t0 * x) / FLAT;
    let ends = value + (&parabola - parabola.detach());
    Tensor::where_(&flat, ends, open_bce(&x.masked_fill(&flat, 0.5), target))
}

fn open_bce(x: &Tensor, target: &Tensor) -> Tensor {
    (target - 1.0) * (-x).log1p() - target * x.log()
}

fn bounded_bce(x: &Tensor, target: &Tensor) -> Tensor {
    (target - 1.0) * (-x).log1p().clamp_min(LOWEST) - target * x.log().clamp_min(LOWEST)
}

impl BCEWithLogitsLoss {
    /// Factors of the losses, of a shape that broadcasts to theirs. The mean is still taken over their number.
    #[must_use]
    pub fn weight(mut self, weight: &Tensor) -> BCEWithLogitsLoss {
        self.weight = Some(weight.clone());
        self
    }

    /// Factors of the positive part of each loss, one per class (the last dimension) or of another shape that
    /// broadcasts.
    #[must_use]
    pub fn pos_weight(mut self, pos_weight: &Tensor) -> BCEWithLogitsLoss {
        self.pos_weight = Some(pos_weight.clone());
        self
    }

    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            input.sizes() == target.sizes(),
            "binary_cross_entropy_with_logits: Target size ({:?}) must be the same as input size ({:?}); reshape one \
             of them",
            target.sizes(),
            input.sizes()
        );
        let mut log_sigmoid = input.logsigmoid();
        if let Some(pos_weight) = &self.pos_weight {
            log_sigmoid = log_sigmoid * ((pos_weight - 1.0) * target + 1.0);
        }
        self.reduction.of(weighted((1.0 - target) * input - log_sigmoid, &self.weight))
    }
}
