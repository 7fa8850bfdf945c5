//! Normalisation and dropout.

use super::methods;
use tape::{Ints, Tensor};

methods! {
    /// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimensions: [`Tensor::layer_norm`].
    ///
    /// ```
    /// use nn::functional::{group_norm, instance_norm, layer_norm, rms_norm};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 3.0], [-4.0, 4.0]]);
    /// assert_eq!(layer_norm(&x, 2, None, None, 0.0).to_vec::<f64>(), [-1.0, 1.0, -1.0, 1.0]);
    /// assert_eq!(group_norm(&x, 1, None, None, 0.0).to_vec::<f64>(), [-1.0, 1.0, -1.0, 1.0]);
    /// assert_eq!(instance_norm(&x.unsqueeze(0), None, None, 0.0).to_vec::<f64>(), [-1.0, 1.0, -1.0, 1.0]);
    /// assert_eq!(rms_norm(&Tensor::from([-3.0, 3.0]), 2, None, 0.0).to_vec::<f64>(), [-1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the input does not end with `normalized_shape`, weight or bias do not have it, or dtypes do not fit.
    fn layer_norm(
        input,
        normalized_shape: impl Into<Ints>,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: impl Into<f64>
    ) = layer_norm;

    /// `x / sqrt(mean(x^2) + eps) * weight` over the last dimensions: [`Tensor::rms_norm`].
    ///
    /// # Panics
    /// As [`layer_norm`].
    fn rms_norm(input, normalized_shape: impl Into<Ints>, weight: Option<&Tensor>, eps: impl Into<f64>) = rms_norm;

    /// Each sample of `[n, c, ..]` normalised over groups of channels: [`Tensor::group_norm`].
    ///
    /// # Panics
    /// If the groups do not divide the channels, or weight and bias do not have one number per channel.
    fn group_norm(
        input,
        num_groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: impl Into<f64>
    ) = group_norm;

    /// Each channel of each sample of `[n, c, space..]` normalised over space: [`Tensor::instance_norm`].
    ///
    /// # Panics
    /// If there is no more than one element in space, or weight and bias do not have one number per channel.
    fn instance_norm(input, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: impl Into<f64>) = instance_norm;

    /// Each channel of `[n, c, ..]` normalised over samples and space, or by running statistics, which training
    /// moves: [`Tensor::batch_norm`].
    ///
    /// ```
    /// use nn::functional::batch_norm;
    /// use tape::{DType, Tensor};
    ///
    /// let (mean, var) = (Tensor::zeros(1, DType::F64), Tensor::ones(1, DType::F64));
    /// let x = Tensor::from([[1.0], [3.0]]);
    /// let y = batch_norm(&x, Some(&mean), Some(&var), None, None, true, 0.5, 0.0);
    /// assert_eq!((y.to_vec::<f64>(), mean.item(), var.item()), (vec![-1.0, 1.0], 1.0, 1.5));
    /// ```
    ///
    /// # Panics
    /// If training sees one value per channel, evaluation has no statistics, or shapes or dtypes do not fit.
    #[expect(clippy::too_many_arguments, reason = "torch's list")]
    fn batch_norm(
        input,
        running_mean: Option<&Tensor>,
        running_var: Option<&Tensor>,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        training: bool,
        momentum: impl Into<f64>,
        eps: impl Into<f64>
    ) = batch_norm;

    /// In training, elements set to zero with probability `p` and the others divided by `1 - p`:
    /// [`Tensor::dropout`].
    ///
    /// ```
    /// use nn::functional::dropout;
    /// use tape::{DType, Tensor};
    ///
    /// let x = Tensor::ones(100, DType::F32);
    /// assert!(dropout(&x, 0.5, true).to_vec::<f32>().iter().all(|&y| y == 0.0 || y == 2.0));
    /// assert_eq!(dropout(&x, 0.5, false).to_vec::<f32>(), [1.0; 100]);
    /// ```
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`, or the dtype is not floating point.
    fn dropout(input, p: impl Into<f64>, training: bool) = dropout;
}
