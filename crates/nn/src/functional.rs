//! Functions of tensors under the names of `torch.nn.functional`, one file per family.
//!
//! Losses take torch's default options here; the types of [`crate::loss`] take others, as
//! [`HuberLoss`](crate::HuberLoss)`::new().delta(0.5).forward(&input, &target)`.

mod activation;
mod loss;

pub use activation::{log_softmax, logsigmoid, relu, sigmoid, softmax, softplus, tanh};
pub use loss::{
    binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy, gaussian_nll_loss,
    hinge_embedding_loss, huber_loss, kl_div, l1_loss, margin_ranking_loss, mse_loss, nll_loss, poisson_nll_loss,
    smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
};

use tape::Tensor;

/// The affine map `x W^T + b` over the last dimension: [`Tensor::linear`].
///
/// `input: [..., in]`, `weight: [out, in]`, `bias: [out]`, result `[..., out]`.
///
/// ```
/// use nn::functional::linear;
/// use tape::Tensor;
///
/// let y = linear(&Tensor::from([[1.0, 2.0]]), &Tensor::from([[3.0, 4.0]]), Some(&Tensor::from([5.0])));
/// assert_eq!(y.to_vec::<f64>(), [16.0]);
/// ```
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn linear(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    Tensor::linear(input, weight, bias)
}
