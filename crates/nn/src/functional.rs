//! Losses, as functions of tensors.

use tape::Tensor;

/// Mean cross entropy between the softmax of `logits` and `target`, as `torch.nn.functional.cross_entropy`.
///
/// `logits: [N, C]` are unnormalised scores. The target is either of
/// - class numbers, `I64`, `[N]`: `loss = -1/N sum_n log softmax(logits[n])[target[n]]`
/// - probabilities of the dtype of `logits`, `[N, C]`:
///   `loss = -1/N sum_n sum_c target[n, c] log softmax(logits[n])[c]`
///
/// The result has no dimensions. Gradients flow to the logits and to a target of probabilities.
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

/// Mean squared error `mean((input - target)^2)`, as `torch.nn.functional.mse_loss`.
///
/// `target` has the shape of `input`, or one that broadcasts to it. The result has no dimensions.
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
    if input.sizes() == target.sizes() {
        return Tensor::mse_loss(input, target);
    }
    assert!(
        broadcasts_to(target.sizes(), input.sizes()),
        "mse_loss: using a target size ({:?}) that is different to the input size ({:?}) will likely \
         lead to incorrect results due to broadcasting; reshape one of them so that each prediction meets \
         its own target",
        target.sizes(),
        input.sizes()
    );
    Tensor::mse_loss(input, &target.expand(input.sizes()))
}

fn broadcasts_to(shape: &[usize], wide: &[usize]) -> bool {
    shape.len() <= wide.len()
        && shape.iter().rev().zip(wide.iter().rev()).all(|(&size, &wide)| size == 1 || size == wide)
}
