//! Functions of tensors under the names of `torch.nn.functional`, one file per family.
//!
//! All but the losses are methods of [`Tensor`], which say more; arguments stand in torch's order, and many options
//! at once are a value such as [`ConvOptions`](crate::ConvOptions). Losses take torch's default options; the types of
//! [`crate::loss`] take others, as [`HuberLoss`](crate::HuberLoss)`::new().delta(0.5).forward(&input, &target)`.

mod activation;
mod distance;
mod image;
mod loss;
mod normalization;
mod table;
mod window;

pub use activation::{
    celu, elu, gelu, gelu_tanh, glu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, log_softmax, logsigmoid,
    mish, prelu, relu, relu6, selu, sigmoid, silu, softmax, softmin, softplus, softshrink, softsign, tanh, tanhshrink,
    threshold,
};
pub use distance::{cosine_similarity, normalize, pairwise_distance, pdist};
pub use image::{affine_grid, grid_sample, interpolate, pad, pixel_shuffle, pixel_unshuffle};
pub use loss::{
    binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy, gaussian_nll_loss,
    hinge_embedding_loss, huber_loss, kl_div, l1_loss, margin_ranking_loss, mse_loss, nll_loss, poisson_nll_loss,
    smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
};
pub use normalization::{batch_norm, dropout, group_norm, instance_norm, layer_norm, rms_norm};
pub use table::{embedding, one_hot};
pub use window::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_max_pool1d, adaptive_max_pool2d, avg_pool1d, avg_pool2d,
    conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv3d, fold, max_pool1d,
    max_pool1d_with_indices, max_pool2d, max_pool2d_with_indices, unfold,
};

use tape::Tensor;

/// Declares functions that are a method of their first argument.
macro_rules! methods {
    ($($(#[$attribute:meta])* fn $name:ident(input $(, $argument:ident: $type:ty)*) = $method:ident;)*) => {$(
        $(#[$attribute])*
        #[track_caller]
        pub fn $name(input: &tape::Tensor $(, $argument: $type)*) -> tape::Tensor {
            input.$method($($argument),*)
        }
    )*};
}
use methods;

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

/// The bilinear form `y[.., k] = x1^T W[k] x2 + b[k]` over the last dimensions: [`Tensor::bilinear`].
///
/// `input1: [.., in1]`, `input2: [.., in2]`, `weight: [out, in1, in2]`, `bias: [out]`, result `[.., out]`.
///
/// ```
/// use nn::functional::bilinear;
/// use tape::Tensor;
///
/// let (x1, x2) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0]]));
/// let y = bilinear(&x1, &x2, &Tensor::from([[[1.0], [1.0]]]), None);
/// assert_eq!(y.to_vec::<f64>(), [9.0]);
/// ```
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn bilinear(input1: &Tensor, input2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    Tensor::bilinear(input1, input2, weight, bias)
}

/// Attention `softmax(q k^T / sqrt(d) + mask) v` with torch's masks: [`Tensor::scaled_dot_product_attention`].
///
/// `query: [.., l, d]`, `key: [.., s, d]`, `value: [.., s, e]`, result `[.., l, e]`.
///
/// ```
/// use nn::functional::scaled_dot_product_attention;
/// use tape::{DType, Tensor};
///
/// let (q, v) = (Tensor::zeros([2, 3], DType::F64), Tensor::from([[1.0], [3.0]]));
/// assert_eq!(scaled_dot_product_attention(&q, &q, &v, None, true).to_vec::<f64>(), [1.0, 2.0]);
/// ```
///
/// # Panics
/// If shapes or dtypes do not fit, or there is a mask and `is_causal` is set.
#[track_caller]
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    attn_mask: Option<&Tensor>,
    is_causal: bool,
) -> Tensor {
    Tensor::scaled_dot_product_attention(query, key, value, attn_mask, is_causal)
}
