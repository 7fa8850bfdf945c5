//! Losses of one out of several classes.

use super::{Reduction, options, setters};
use tape::{DType, Tensor};

/// Cross entropy of logits, as `torch.nn.CrossEntropyLoss`:
/// [`functional::cross_entropy`](crate::functional::cross_entropy) with options.
///
/// ```
/// use nn::CrossEntropyLoss;
/// use tape::Tensor;
///
/// let logits = Tensor::from([[0.0, 0.0], [9.0, 9.0], [7.0, 0.0]]);
/// let loss = CrossEntropyLoss::new().weight(&Tensor::from([3.0, 1.0])).ignore_index(-1);
/// let value = loss.forward(&logits, &Tensor::from([0i64, 1, -1])).item();
/// assert!((value - 2.0_f64.ln()).abs() < 1e-15); // a mean of equal losses, with weights 3 and 1
/// ```
#[derive(Clone, Debug)]
pub struct CrossEntropyLoss {
    weight: Option<Tensor>,
    ignore_index: i64,
    label_smoothing: f64,
    reduction: Reduction,
}

/// Negative log likelihood of log-probabilities, as `torch.nn.NLLLoss`:
/// [`functional::nll_loss`](crate::functional::nll_loss) with options.
#[derive(Clone, Debug)]
pub struct NLLLoss {
    weight: Option<Tensor>,
    ignore_index: i64,
    reduction: Reduction,
}

/// torch's mark of a row that takes no part.
const IGNORED: i64 = -100;

options! {
    CrossEntropyLoss { weight: None, ignore_index: IGNORED, label_smoothing: 0.0 }
    NLLLoss { weight: None, ignore_index: IGNORED }
}

setters! {
    CrossEntropyLoss {
        /// The class number that leaves a row out (default: -100).
        ignore_index: i64,
        /// How much of each target is spread evenly over all classes, from 0 (the default) to 1.
        label_smoothing: f64,
    }
    NLLLoss {
        /// The class number that leaves a row out (default: -100).
        ignore_index: i64,
    }
}

impl CrossEntropyLoss {
    /// A factor for each class, `[C]`. The mean over class numbers is divided by the sum of the rows' factors,
    /// the mean over probabilities by the number of rows.
    #[must_use]
    pub fn weight(mut self, weight: &Tensor) -> CrossEntropyLoss {
        self.weight = Some(weight.clone());
        self
    }

    /// Applies the loss.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, a class number is out of bounds, or the label smoothing is not in
    /// `0..=1`.
    #[track_caller]
    pub fn forward(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        let smoothing = self.label_smoothing;
        assert!(
            (0.0..=1.0).contains(&smoothing),
            "cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {smoothing}"
        );
        let plain = self.weight.is_none() && smoothing == 0.0 && self.reduction == Reduction::Mean;
        let of_probabilities = logits.dim() > 0 && logits.sizes() == target.sizes();
        assert!(
            !of_probabilities || self.ignore_index < 0,
            "cross_entropy: ignore_index is not supported for floating point target, but it is {}",
            self.ignore_index
        );
        if plain && (of_probabilities || self.ignore_index == IGNORED) {
            return Tensor::cross_entropy(logits, target);
        }
        let nll = NLLLoss { weight: self.weight.clone(), ignore_index: self.ignore_index, reduction: self.reduction };
        if of_probabilities {
            return self.of_probabilities(logits, target);
        }
        let rows = Rows::new("cross_entropy", logits, target, &nll);
        let log_probabilities = logits.log_softmax(rows.dim);
        let loss = nll.reduce(rows.losses(&log_probabilities, target), &rows);
        if smoothing == 0.0 {
            return loss;
        }
        let spread = nll.reduce(rows.spread(&log_probabilities, &self.weight), &rows);
        spread * (smoothing / rows.classes as f64) + loss * (1.0 - smoothing)
    }

    fn of_probabilities(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            target.dtype().is_floating_point(),
            "cross_entropy: Expected floating point type for target with class probabilities, got {} (shape {:?}); \
             class numbers have one dimension less than the logits",
            target.dtype(),
            target.sizes()
        );
        let dim = class_dim(logits);
        let classes = logits.size(dim);
        let mut target = target.clone();
        if self.label_smoothing > 0.0 {
            target = target * (1.0 - self.label_smoothing) + self.label_smoothing / classes as f64;
        }
        let mut terms = logits.log_softmax(dim) * target;
        if let Some(weight) = &self.weight {
            terms = terms * along_classes("cross_entropy", logits, weight);
        }
        let losses = -terms.sum_dim(dim, false);
        match self.reduction {
            Reduction::Mean => losses.sum() / (logits.numel() / classes.max(1)),
            other => other.of(losses),
        }
    }
}

impl NLLLoss {
    /// A factor for each class, `[C]`. The mean is divided by the sum of the rows' factors.
    #[must_use]
    pub fn weight(mut self, weight: &Tensor) -> NLLLoss {
        self.weight = Some(weight.clone());
        self
    }

    /// Applies the loss.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a class number is out of bounds.
    #[track_caller]
    pub fn forward(&self, log_probabilities: &Tensor, target: &Tensor) -> Tensor {
        if self.weight.is_none() && self.reduction == Reduction::Mean && self.ignore_index == IGNORED {
            return Tensor::nll_loss(log_probabilities, target);
        }
        let rows = Rows::new("nll_loss", log_probabilities, target, self);
        self.reduce(rows.losses(log_probabilities, target), &rows)
    }

    fn reduce(&self, losses: Tensor, rows: &Rows) -> Tensor {
        match (self.reduction, &rows.weights) {
            (Reduction::Mean, Some(weights)) => losses.sum() / weights.sum(),
            (Reduction::Mean, None) => losses.sum() / rows.count,
            (other, _) => other.of(losses),
        }
    }
}

/// The dimension that counts classes: the second, or the only one.
fn class_dim(input: &Tensor) -> isize {
    isize::from(input.dim() > 1)
}

/// The weight of each class in a shape that broadcasts to that of the input.
#[track_caller]
fn along_classes(op: &str, input: &Tensor, weight: &Tensor) -> Tensor {
    let classes = input.size(class_dim(input));
    assert!(
        weight.sizes() == [classes],
        "{op}: weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of \
         shape: {:?}",
        weight.sizes()
    );
    let behind = input.dim() as isize - 1 - class_dim(input);
    (0..behind).fold(weight.clone(), |weight, _| weight.unsqueeze(-1))
}

/// The rows of a batch and their classes.
struct Rows {
    dim: isize,
    classes: usize,
    /// How many rows take part.
    count: usize,
    /// Rows that do not, if there are any.
    ignored: Option<Tensor>,
    /// The class of each row; 0 where it is ignored.
    index: Tensor,
    /// The weight of each row, if classes have weights; 0 where it is ignored.
    weights: Option<Tensor>,
}

impl Rows {
    #[track_caller]
    fn new(op: &str, input: &Tensor, target: &Tensor, options: &NLLLoss) -> Rows {
        check_shapes(op, input, target);
        let dim = class_dim(input);
        let classes = input.size(dim);
        let numbers = target.to_vec::<i64>();
        let takes_part = |class: &&i64| **class != options.ignore_index;
        let is_class = |class: &&i64| usize::try_from(**class).is_ok_and(|class| class < classes);
        if let Some(bad) = numbers.iter().filter(takes_part).find(|class| !is_class(class)) {
            panic!(
                "{op}: Target {bad} is out of bounds. There are {classes} classes (input of shape {:?}), numbered from \
                 0; only ignore_index = {} marks a row to be ignored",
                input.sizes(),
                options.ignore_index
            );
        }
        let count = numbers.iter().filter(takes_part).count();
        let ignored = (count < numbers.len()).then(|| target.eq(options.ignore_index));
        let index = ignored.as_ref().map_or_else(|| target.clone(), |ignored| target.masked_fill(ignored, 0));
        let mut weights = options.weight.as_ref().map(|weight| {
            along_classes(op, input, weight);
            weight.take(&index)
        });
        if let Some(ignored) = &ignored {
            weights = weights.map(|weights| weights.masked_fill(ignored, 0.0));
        }
        Rows { dim, classes, count, ignored, index, weights }
    }

    /// The negated entry of each row's class, times the row's weight.
    fn losses(&self, log_probabilities: &Tensor, target: &Tensor) -> Tensor {
        let at_class = log_probabilities.gather(self.dim, &self.index.unsqueeze(self.dim));
        let mut losses = -at_class.squeeze_dim(self.dim);
        debug_assert_eq!(losses.sizes(), target.sizes());
        if let Some(weights) = &self.weights {
            losses = losses * weights;
        }
        self.without_ignored(losses)
    }

    /// The negated sum of each row over all classes, times the classes' weights.
    fn spread(&self, log_probabilities: &Tensor, weight: &Option<Tensor>) -> Tensor {
        let weighted =
            weight.as_ref().map(|w| log_probabilities * along_classes("cross_entropy", log_probabilities, w));
        self.without_ignored(-weighted.as_ref().unwrap_or(log_probabilities).sum_dim(self.dim, false))
    }

    fn without_ignored(&self, losses: Tensor) -> Tensor {
        match &self.ignored {
            Some(ignored) => losses.masked_fill(ignored, 0.0),
            None => losses,
        }
    }
}

#[track_caller]
fn check_shapes(op: &str, input: &Tensor, target: &Tensor) {
    assert!(
        input.dim() > 0 && target.dtype() == DType::I64,
        "{op}: expected scalar type Long but found {} (input of shape {:?}, target of shape {:?}); class numbers are \
         int64, one per row of the input: convert them with long()",
        target.dtype(),
        input.sizes(),
        target.sizes()
    );
    let mut expected = input.sizes().to_vec();
    expected.remove(class_dim(input) as usize);
    if expected == target.sizes() {
        return;
    }
    let batch = |shape: &[usize]| shape.first().copied().unwrap_or(1);
    let (own, given) = (batch(&expected), batch(target.sizes()));
    let text = if own == given {
        format!("Expected target size {expected:?}, got {:?}", target.sizes())
    } else {
        format!("Expected input batch_size ({own}) to match target batch_size ({given}).")
    };
    panic!(
        "{op}: {text} The input has shape {:?} and the target {:?}; the target has one class number for each row, [N] \
         for [N, C] and [N, d1, ..] for [N, C, d1, ..]",
        input.sizes(),
        target.sizes()
    );
}
