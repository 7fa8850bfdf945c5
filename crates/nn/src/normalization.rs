//! Normalisation of samples by their own mean and variance.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module};
use tape::{DType, Ints, Tensor, get_default_dtype};

/// Parameters that start as the identity: ones and zeros.
#[track_caller]
pub(crate) fn identity(layer: &str, shape: &[usize], weight: bool, bias: bool, dtype: DType) -> [Option<Tensor>; 2] {
    crate::init::check_dtype(layer, "parameters", dtype);
    [
        weight.then(|| Tensor::ones(shape, dtype).requires_grad_(true)),
        bias.then(|| Tensor::zeros(shape, dtype).requires_grad_(true)),
    ]
}

/// Normalises the last dimensions, `(x - mean) / sqrt(variance + eps) * weight + bias`, as `torch.nn.LayerNorm`:
/// [`Tensor::layer_norm`].
///
/// ```
/// use nn::{LayerNorm, Module};
/// use tape::Tensor;
///
/// let y = LayerNorm::new(2).forward(&Tensor::from([[1.0f32, 3.0], [-400.0, 400.0]]));
/// assert!(y.allclose(&Tensor::from([[-1.0f32, 1.0], [-1.0, 1.0]]), 1e-4, 0.0));
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// Of the normalised shape, if the layer has one; ones at first.
    pub weight: Option<Tensor>,
    /// Of the normalised shape, if the layer has one; zeros at first.
    pub bias: Option<Tensor>,
    normalized_shape: Vec<usize>,
    eps: f64,
}

/// Normalises groups of channels of each sample of `[n, c, ..]`, as `torch.nn.GroupNorm`: [`Tensor::group_norm`].
///
/// ```
/// use nn::{GroupNorm, Module};
/// use tape::{DType, Tensor};
///
/// let y = GroupNorm::new(3, 6).forward(&Tensor::randn([4, 6, 5, 5], DType::F32));
/// assert!(y.reshape([4, 3, -1]).mean_dim(-1, false).abs().max().item() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct GroupNorm {
    /// `[num_channels]`, if the layer has one; ones at first.
    pub weight: Option<Tensor>,
    /// `[num_channels]`, if the layer has one; zeros at first.
    pub bias: Option<Tensor>,
    num_groups: usize,
    eps: f64,
}

deep_copy! {
    LayerNorm { weight, bias, normalized_shape, eps }
    GroupNorm { weight, bias, num_groups, eps }
}

impl LayerNorm {
    /// Normalises over the last dimensions, whose sizes are `normalized_shape`, with `eps` 1e-5, weight and bias.
    ///
    /// # Panics
    /// If a size is negative.
    #[track_caller]
    pub fn new(normalized_shape: impl Into<Ints>) -> LayerNorm {
        LayerNorm::builder(normalized_shape).build()
    }

    /// Options: [`eps`](LayerNormBuilder::eps), [`elementwise_affine`](LayerNormBuilder::elementwise_affine),
    /// [`bias`](LayerNormBuilder::bias), [`dtype`](LayerNormBuilder::dtype).
    pub fn builder(normalized_shape: impl Into<Ints>) -> LayerNormBuilder {
        let normalized_shape = normalized_shape.into();
        LayerNormBuilder {
            normalized_shape,
            eps: 1e-5,
            elementwise_affine: true,
            bias: true,
            dtype: get_default_dtype(),
        }
    }
}

impl GroupNorm {
    /// Normalises `num_groups` groups of the channels, with `eps` 1e-5, weight and bias.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    #[track_caller]
    pub fn new(num_groups: usize, num_channels: usize) -> GroupNorm {
        GroupNorm::builder(num_groups, num_channels).build()
    }

    /// Options: [`eps`](GroupNormBuilder::eps), [`affine`](GroupNormBuilder::affine),
    /// [`dtype`](GroupNormBuilder::dtype).
    pub fn builder(num_groups: usize, num_channels: usize) -> GroupNormBuilder {
        GroupNormBuilder { num_groups, num_channels, eps: 1e-5, affine: true, dtype: get_default_dtype() }
    }
}

impl Module for LayerNorm {
    /// # Panics
    /// If the input does not end with the normalised shape, or has another dtype.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.layer_norm(&self.normalized_shape[..], self.weight.as_ref(), self.bias.as_ref(), self.eps)
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight).parameter("bias", &self.bias)
    }

    boxed_copy!();
}

impl Module for GroupNorm {
    /// # Panics
    /// If the input has other channels or another dtype.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.group_norm(self.num_groups, self.weight.as_ref(), self.bias.as_ref(), self.eps)
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight).parameter("bias", &self.bias)
    }

    boxed_copy!();
}

/// Options of a [`LayerNorm`] layer, made by [`LayerNorm::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct LayerNormBuilder {
    normalized_shape: Ints,
    eps: f64,
    elementwise_affine: bool,
    bias: bool,
    dtype: DType,
}

impl LayerNormBuilder {
    /// What is added to the variance (default: 1e-5).
    pub fn eps(mut self, eps: impl Into<f64>) -> Self {
        self.eps = eps.into();
        self
    }

    /// Whether there are a weight and a bias (default: yes).
    pub fn elementwise_affine(mut self, elementwise_affine: bool) -> Self {
        self.elementwise_affine = elementwise_affine;
        self
    }

    /// Whether there is a bias beside the weight (default: yes).
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The dtype of the parameters (default: [`get_default_dtype`], `F32`).
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Makes the layer.
    ///
    /// # Panics
    /// If a size is negative, or the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> LayerNorm {
        let shape: Vec<usize> = self.normalized_shape.iter().filter_map(|&size| size.try_into().ok()).collect();
        assert!(
            shape.len() == self.normalized_shape.len() && !shape.is_empty(),
            "LayerNorm: normalized_shape must name the sizes of the last dimensions, but is {:?}",
            &self.normalized_shape[..]
        );
        let affine = self.elementwise_affine;
        let [weight, bias] = identity("LayerNorm", &shape, affine, affine && self.bias, self.dtype);
        LayerNorm { weight, bias, normalized_shape: shape, eps: self.eps }
    }
}

/// Options of a [`GroupNorm`] layer, made by [`GroupNorm::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct GroupNormBuilder {
    num_groups: usize,
    num_channels: usize,
    eps: f64,
    affine: bool,
    dtype: DType,
}

impl GroupNormBuilder {
    /// What is added to the variance (default: 1e-5).
    pub fn eps(mut self, eps: impl Into<f64>) -> Self {
        self.eps = eps.into();
        self
    }

    /// Whether there are a weight and a bias (default: yes).
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = affine;
        self
    }

    /// The dtype of the parameters (default: [`get_default_dtype`], `F32`).
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Makes the layer.
    ///
    /// # Panics
    /// If the groups do not divide the channels, or the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> GroupNorm {
        let (groups, channels) = (self.num_groups, self.num_channels);
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "GroupNorm: num_channels ({channels}) must be divisible by num_groups ({groups})"
        );
        let [weight, bias] = identity("GroupNorm", &[channels], self.affine, self.affine, self.dtype);
        GroupNorm { weight, bias, num_groups: groups, eps: self.eps }
    }
}
