//! Losses with torch's default options, averaged over their elements or rows.

use crate::loss::{
    BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, L1Loss,
    MSELoss, MarginRankingLoss, PoissonNLLLoss, SmoothL1Loss, SoftMarginLoss, TripletMarginLoss,
};
use tape::{Operand, Tensor};

/// Mean cross entropy between the softmax of `logits` and `target`, as `torch.nn.functional.cross_entropy`.
///
/// `logits: [N, C]` are unnormalised scores; `[C]` is one row, and `[N, C, d1, ..]` has rows along further
/// dimensions. The target is either of
/// - class numbers, `I64`, `[N]` (`[]`, `[N, d1, ..]`): `loss = -1/N sum_n log softmax(logits[n])[target[n]]`;
///   a row of class -100 does not count
/// - probabilities of the dtype and shape of `logits`:
///   `loss = -1/N sum_n sum_c target[n, c] log softmax(logits[n])[c]`
///
/// The result has no dimensions. Gradients flow to the logits and to a target of probabilities. Class weights,
/// label smoothing and other options: [`CrossEntropyLoss`](crate::CrossEntropyLoss).
///
/// ```
/// use nn::functional::cross_entropy;
/// use tape::Tensor;
///
/// let logits = Tensor::from([[0.0, 0.0], [0.0, 0.0]]);
/// let loss = cross_entropy(&logits, &Tensor::from([0_i64, 1]));
/// assert!((loss.item() - 2.0_f64.ln()).abs() < 1e-15);
/// let soft = Tensor::from([[0.5, 0.5], [1.0, 0.0]]);
/// assert!((cross_entropy(&logits, &soft).item() - 2.0_f64.ln()).abs() < 1e-15);
/// ```
///
/// # Panics
/// If shapes or dtypes do not fit, or a class number is outside of `0..C`.
#[track_caller]
pub fn cross_entropy(logits: &Tensor, target: &Tensor) -> Tensor {
    Tensor::cross_entropy(logits, target)
}

/// Mean of the negated log-probabilities of class numbers, `-1/N sum_n x[n, target[n]]`. Shapes and the class
/// number -100 are those of [`cross_entropy`]. Options: [`NLLLoss`](crate::NLLLoss).
///
/// ```
/// use nn::functional::{cross_entropy, log_softmax, nll_loss};
/// use tape::Tensor;
///
/// let (logits, classes) = (Tensor::from([[1.0, 3.0], [0.5, -2.0]]), Tensor::from([0i64, 1]));
/// let loss = nll_loss(&log_softmax(&logits, 1), &classes).item();
/// assert!((loss - cross_entropy(&logits, &classes).item()).abs() < 1e-15);
/// ```
///
/// # Panics
/// If shapes or dtypes do not fit, or a class number is outside of `0..C`.
#[track_caller]
pub fn nll_loss(log_probabilities: &Tensor, target: &Tensor) -> Tensor {
    Tensor::nll_loss(log_probabilities, target)
}

/// Mean squared error `mean((input - target)^2)`, as `torch.nn.functional.mse_loss`.
///
/// `target` has the shape of `input`, or one that broadcasts to it. The result has no dimensions. Options:
/// [`MSELoss`].
///
/// ```
/// use nn::functional::mse_loss;
/// use tape::Tensor;
///
/// let loss = mse_loss(&Tensor::from([1.0, 2.0]), &Tensor::from([1.0, 4.0]));
/// assert_eq!(loss.item(), 2.0);
/// ```
///
/// # Panics
/// If `target` would enlarge `input` in broadcasting: `[N, 1]` against `[N]` compares every prediction with
/// every target, which torch only warns of.
#[track_caller]
pub fn mse_loss(input: &Tensor, target: &Tensor) -> Tensor {
    MSELoss::new().forward(input, target)
}

/// Mean absolute error `mean(|input - target|)`; the derivative at 0 is 0. Options: [`L1Loss`].
///
/// ```
/// use nn::functional::l1_loss;
/// use tape::Tensor;
///
/// assert_eq!(l1_loss(&Tensor::from([1.0, 2.0]), &Tensor::from([1.0, 4.0])).item(), 1.0);
/// ```
///
/// # Panics
/// If `target` would enlarge `input` in broadcasting.
#[track_caller]
pub fn l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    L1Loss::new().forward(input, target)
}

/// Mean of `d^2 / 2` where `|d| < 1` and `|d| - 1/2` elsewhere, `d = input - target`. Options, first of all
/// `beta`, the end of the parabola: [`SmoothL1Loss`].
///
/// ```
/// use nn::functional::smooth_l1_loss;
/// use tape::Tensor;
///
/// assert_eq!(smooth_l1_loss(&Tensor::from([0.5, -3.0]), &Tensor::from(0.0)).item(), (0.125 + 2.5) / 2.0);
/// ```
///
/// # Panics
/// If `target` would enlarge `input` in broadcasting.
#[track_caller]
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    SmoothL1Loss::new().forward(input, target)
}

/// Mean of `d^2 / 2` where `|d| <= delta` and `delta (|d| - delta / 2)` elsewhere, `d = input - target`, with
/// `delta` 1. Options: [`HuberLoss`]. Huber, "Robust estimation of a location parameter", 1964.
///
/// ```
/// use nn::functional::huber_loss;
/// use tape::Tensor;
///
/// assert_eq!(huber_loss(&Tensor::from([0.5, -3.0]), &Tensor::from(0.0)).item(), (0.125 + 2.5) / 2.0);
/// ```
///
/// # Panics
/// If `target` would enlarge `input` in broadcasting.
#[track_caller]
pub fn huber_loss(input: &Tensor, target: &Tensor) -> Tensor {
    HuberLoss::new().forward(input, target)
}

/// Mean of `-(t log x + (1 - t) log(1 - x))` of probabilities `x = input` and `t = target`. Logarithms are
/// bounded by -100, and slopes by `1e12`, as in torch. Options: [`BCELoss`].
///
/// From logits, [`binary_cross_entropy_with_logits`] is more accurate.
///
/// ```
/// use nn::functional::binary_cross_entropy;
/// use tape::Tensor;
///
/// let loss = binary_cross_entropy(&Tensor::from([0.5, 0.0]), &Tensor::from([1.0, 1.0]));
/// assert!((loss.item() - (2.0_f64.ln() + 100.0) / 2.0).abs() < 1e-13);
/// ```
///
/// # Panics
/// If the shapes differ, or an element of `input` is not in `0..=1`.
#[track_caller]
pub fn binary_cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    BCELoss::new().forward(input, target)
}

/// [`binary_cross_entropy`] of `sigmoid(input)`, computed as `(1 - t) x - logsigmoid(x)`, which is accurate for
/// large `x` too. Options: [`BCEWithLogitsLoss`].
///
/// ```
/// use nn::functional::binary_cross_entropy_with_logits;
/// use tape::Tensor;
///
/// let loss = binary_cross_entropy_with_logits(&Tensor::from([1000.0]), &Tensor::from([0.0]));
/// assert_eq!(loss.item(), 1000.0);
/// ```
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn binary_cross_entropy_with_logits(input: &Tensor, target: &Tensor) -> Tensor {
    BCEWithLogitsLoss::new().forward(input, target)
}

/// Mean of the terms `t (log t - x)` of the Kullback-Leibler divergence of probabilities `t = target` from
/// log-probabilities `x = input`. Note the order of the arguments, and that the divergence itself is the sum
/// over each row: [`KLDivLoss`] has `batch_mean()` for it, and `log_target`.
///
/// ```
/// use nn::functional::kl_div;
/// use tape::Tensor;
///
/// let p = Tensor::from([0.0, 1.0]);
/// assert_eq!(kl_div(&Tensor::from([0.5, 0.5]).log(), &p).item(), 2.0_f64.ln() / 2.0);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn kl_div(input: &Tensor, target: &Tensor) -> Tensor {
    KLDivLoss::new().forward(input, target)
}

/// Mean of `(log v + (x - t)^2 / v) / 2`: the negative log likelihood of `t = target` under normal
/// distributions of mean `x = input` and variance `v = max(var, 1e-6)`, without its constant.
///
/// `var` is a number, or a tensor in the shape of `input`, or of one variance for the last dimension: `[..]` or
/// `[.., 1]` for an input of `[.., D]`. Options: [`GaussianNLLLoss`].
///
/// ```
/// use nn::functional::gaussian_nll_loss;
/// use tape::Tensor;
///
/// let (mean, observed) = (Tensor::from([0.0, 2.0]), Tensor::from([0.0, 0.0]));
/// assert_eq!(gaussian_nll_loss(&mean, &observed, 1.0).item(), 1.0);
/// ```
///
/// # Panics
/// If the shapes do not fit or a variance is negative.
#[track_caller]
pub fn gaussian_nll_loss<'a>(input: &Tensor, target: &Tensor, var: impl Into<Operand<'a>>) -> Tensor {
    GaussianNLLLoss::new().forward(input, target, var)
}

/// Mean of `exp(x) - t x`: the negative log likelihood of counts `t = target` under Poisson distributions of
/// rate `exp(x)`, `x = input`, without `log(t!)`. Options: [`PoissonNLLLoss`].
///
/// ```
/// use nn::functional::poisson_nll_loss;
/// use tape::Tensor;
///
/// assert_eq!(poisson_nll_loss(&Tensor::from([0.0]), &Tensor::from([3.0])).item(), 1.0);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn poisson_nll_loss(input: &Tensor, target: &Tensor) -> Tensor {
    PoissonNLLLoss::new().forward(input, target)
}

/// Mean of `x` where the target is 1 and `max(0, 1 - x)` where it is -1, for distances `x = input`. Options:
/// [`HingeEmbeddingLoss`].
///
/// ```
/// use nn::functional::hinge_embedding_loss;
/// use tape::Tensor;
///
/// let loss = hinge_embedding_loss(&Tensor::from([0.5, 0.75]), &Tensor::from([1.0, -1.0]));
/// assert_eq!(loss.item(), (0.5 + 0.25) / 2.0);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn hinge_embedding_loss(input: &Tensor, target: &Tensor) -> Tensor {
    HingeEmbeddingLoss::new().forward(input, target)
}

/// Mean of `1 - cos` where the target is 1 and `max(0, cos)` where it is -1, for the cosine of the angle between
/// the rows of two `[N, D]` inputs. Options: [`CosineEmbeddingLoss`].
///
/// ```
/// use nn::functional::cosine_embedding_loss;
/// use tape::Tensor;
///
/// let (a, b) = (Tensor::from([[1.0, 0.0]]), Tensor::from([[0.0, 2.0]]));
/// assert_eq!(cosine_embedding_loss(&a, &b, &Tensor::from([1.0])).item(), 1.0);
/// ```
///
/// # Panics
/// If the inputs are not `[N, D]` with a target `[N]`, or `[D]` with a target without dimensions.
#[track_caller]
pub fn cosine_embedding_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    CosineEmbeddingLoss::new().forward(input1, input2, target)
}

/// Mean of `max(0, -t (x1 - x2))` for marks `t` of 1 and -1: zero where the inputs are in the order that is
/// wanted. Options: [`MarginRankingLoss`].
///
/// ```
/// use nn::functional::margin_ranking_loss;
/// use tape::Tensor;
///
/// let (a, b, above) = (Tensor::from([3.0, 1.0]), Tensor::from([1.0, 2.0]), Tensor::from([1.0, 1.0]));
/// assert_eq!(margin_ranking_loss(&a, &b, &above).item(), 0.5);
/// ```
///
/// # Panics
/// If the numbers of dimensions differ or the shapes do not broadcast.
#[track_caller]
pub fn margin_ranking_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    MarginRankingLoss::new().forward(input1, input2, target)
}

/// Mean of `max(0, |a - p| - |a - n| + 1)` for the rows of anchors, positives and negatives. Options:
/// [`TripletMarginLoss`].
///
/// ```
/// use nn::functional::triplet_margin_loss;
/// use tape::Tensor;
///
/// let (a, p, n) = (Tensor::from([[0.0]]), Tensor::from([[1.0]]), Tensor::from([[-1.5]]));
/// assert!((triplet_margin_loss(&a, &p, &n).item() - 0.5).abs() < 1e-5);
/// ```
///
/// # Panics
/// If the numbers of dimensions differ or the shapes do not broadcast.
#[track_caller]
pub fn triplet_margin_loss(anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
    TripletMarginLoss::new().forward(anchor, positive, negative)
}

/// Mean of `log(1 + exp(-t x))` for classes `t` of 1 and -1. It stays finite where torch's `exp` overflows.
/// Options: [`SoftMarginLoss`].
///
/// ```
/// use nn::functional::soft_margin_loss;
/// use tape::Tensor;
///
/// assert_eq!(soft_margin_loss(&Tensor::from([0.0]), &Tensor::from([1.0])).item(), 2.0_f64.ln());
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn soft_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    SoftMarginLoss::new().forward(input, target)
}
