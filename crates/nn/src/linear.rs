//! The affine layer.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module, init};
use tape::{DType, Tensor, get_default_dtype, no_grad};

/// Affine map `y = x W^T + b` over the last dimension, as `torch.nn.Linear`.
///
/// `x: [..., in_features]`, `weight: [out_features, in_features]`, `bias: [out_features]`, `y: [...,
/// out_features]`. A clone shares the parameters.
///
/// ```
/// use nn::{Linear, Module};
/// use tape::{DType, Tensor};
///
/// tape::manual_seed(0);
/// let layer = Linear::new(3, 2);
/// assert_eq!(layer.forward(&Tensor::zeros([5, 3], DType::F32)).shape(), [5, 2]);
///
/// let doubled = Linear::from_tensors(Tensor::from([[2.0]]), None);
/// assert_eq!(doubled.forward(&Tensor::from([[1.0], [4.0]])).to_vec::<f64>(), [2.0, 8.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out_features, in_features]`.
    pub weight: Tensor,
    /// `[out_features]`, if the layer has one.
    pub bias: Option<Tensor>,
}

deep_copy! { Linear { weight, bias } }

impl Linear {
    /// A layer of the [default dtype](get_default_dtype), `F32`, with bias and torch's initial values, drawn
    /// from the process-wide generator: weight and then bias uniform on `[-1/sqrt(in_features),
    /// 1/sqrt(in_features))`.
    ///
    /// ```
    /// use nn::Linear;
    ///
    /// tape::manual_seed(0);
    /// let layer = Linear::new(2, 2);
    /// // torch.manual_seed(0); torch.nn.Linear(2, 2).weight
    /// assert_eq!(layer.weight.to_vec::<f32>(), [-0.005293981, 0.37932289, -0.58198076, -0.52038747]);
    /// ```
    pub fn new(in_features: usize, out_features: usize) -> Linear {
        Linear::builder(in_features, out_features).build()
    }

    /// Options: [`bias`](LinearBuilder::bias), [`dtype`](LinearBuilder::dtype).
    ///
    /// ```
    /// use nn::Linear;
    /// use tape::DType;
    ///
    /// let layer = Linear::builder(4, 3).bias(false).dtype(DType::F64).build();
    /// assert!(layer.bias.is_none());
    /// assert_eq!(layer.weight.dtype(), DType::F64);
    /// ```
    pub fn builder(in_features: usize, out_features: usize) -> LinearBuilder {
        LinearBuilder { in_features, out_features, bias: true, dtype: get_default_dtype() }
    }

    /// A layer of these very tensors (not copies), as loaded or computed elsewhere; whether they require
    /// gradients stays as it is.
    ///
    /// # Panics
    /// If the weight is not two-dimensional, or shape or dtype of the bias does not fit it.
    #[track_caller]
    pub fn from_tensors(weight: Tensor, bias: Option<Tensor>) -> Linear {
        assert!(
            weight.dim() == 2,
            "Linear: the weight must have shape [out_features, in_features], but has {:?}; reshape it",
            weight.sizes()
        );
        if let Some(bias) = &bias {
            assert!(
                bias.sizes() == &weight.sizes()[..1] && bias.dtype() == weight.dtype(),
                "Linear: a weight of shape {:?} ({}) takes a bias of shape {:?} ({}), but got {:?} ({})",
                weight.sizes(),
                weight.dtype(),
                &weight.sizes()[..1],
                weight.dtype(),
                bias.sizes(),
                bias.dtype()
            );
        }
        Linear { weight, bias }
    }

    /// Size of the last dimension of an input.
    pub fn in_features(&self) -> usize {
        self.weight.sizes()[1]
    }

    /// Size of the last dimension of an output.
    pub fn out_features(&self) -> usize {
        self.weight.sizes()[0]
    }
}

impl Module for Linear {
    /// # Panics
    /// If the last dimension of `input` is not `in_features`, or its dtype is not the weight's.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        let features = self.in_features();
        assert!(
            input.sizes().last() == Some(&features),
            "Linear: the last dimension of the input must be in_features = {features}, but the input has \
             shape {:?} (weight {:?}); reshape or transpose the input, or build the layer for its size",
            input.sizes(),
            self.weight.sizes()
        );
        assert!(
            input.dtype() == self.weight.dtype(),
            "Linear: the input is {} but the weight is {}; convert the input with to_dtype(DType::{:?}) or \
             build the layer with .dtype(DType::{:?})",
            input.dtype(),
            self.weight.dtype(),
            self.weight.dtype(),
            input.dtype()
        );
        Tensor::linear(input, &self.weight, self.bias.as_ref())
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight).parameter("bias", &self.bias)
    }

    boxed_copy!();
}

/// Options of a [`Linear`] layer, made by [`Linear::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct LinearBuilder {
    in_features: usize,
    out_features: usize,
    bias: bool,
    dtype: DType,
}

impl LinearBuilder {
    /// Whether the layer adds a bias (default: yes). Without one no numbers are drawn for it.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The dtype of the parameters (default: [`get_default_dtype`], `F32`). Other dtypes draw other numbers, as in torch.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Draws the initial values from the process-wide generator: the weight by
    /// [`kaiming_uniform_`](init::kaiming_uniform_) with `a = sqrt(5)`, then the bias.
    ///
    /// # Panics
    /// If the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> Linear {
        init::check_dtype("Linear", "parameters", self.dtype);
        let weight = Tensor::empty([self.out_features, self.in_features], self.dtype);
        init::kaiming_uniform_(&weight, 5.0_f64.sqrt());
        let bias = self.bias.then(|| {
            // Without inputs there is no spread to keep: the bias is zero, though its numbers are drawn.
            let bound = if self.in_features == 0 { 0.0 } else { 1.0 / (self.in_features as f64).sqrt() };
            let bias = Tensor::empty([self.out_features], self.dtype);
            no_grad(|| bias.uniform_(-bound, bound)).requires_grad_(true)
        });
        Linear { weight: weight.requires_grad_(true), bias }
    }
}
