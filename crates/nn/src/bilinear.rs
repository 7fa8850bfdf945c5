//! The bilinear layer.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module, init};
use tape::{DType, Tensor, get_default_dtype};

/// Bilinear map `y[.., k] = x1^T W[k] x2 + b[k]` of two inputs, as `torch.nn.Bilinear`: [`Tensor::bilinear`].
///
/// `x1: [.., in1_features]`, `x2: [.., in2_features]`, `y: [.., out_features]`.
///
/// ```
/// use nn::Bilinear;
/// use tape::{DType, Tensor};
///
/// let layer = Bilinear::new(3, 4, 2);
/// let (x1, x2) = (Tensor::zeros([5, 3], DType::F32), Tensor::zeros([5, 4], DType::F32));
/// assert_eq!(layer.forward(&x1, &x2).shape(), [5, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Bilinear {
    /// `[out_features, in1_features, in2_features]`.
    pub weight: Tensor,
    /// `[out_features]`, if the layer has one.
    pub bias: Option<Tensor>,
}

deep_copy! { Bilinear { weight, bias } }

impl Bilinear {
    /// A layer of the [default dtype](get_default_dtype) with bias and torch's initial values, drawn from the
    /// process-wide generator: weight and then bias uniform on `[-1/sqrt(in1_features), 1/sqrt(in1_features))`.
    ///
    /// # Panics
    /// If `in1_features` is zero.
    #[track_caller]
    pub fn new(in1_features: usize, in2_features: usize, out_features: usize) -> Bilinear {
        Bilinear::builder(in1_features, in2_features, out_features).build()
    }

    /// Options: [`bias`](BilinearBuilder::bias), [`dtype`](BilinearBuilder::dtype).
    pub fn builder(in1_features: usize, in2_features: usize, out_features: usize) -> BilinearBuilder {
        BilinearBuilder { shape: [out_features, in1_features, in2_features], bias: true, dtype: get_default_dtype() }
    }

    /// Applies the layer to two inputs.
    ///
    /// # Panics
    /// If the last dimensions are not `in1_features` and `in2_features`, those before differ, or a dtype is not the
    /// weight's.
    #[track_caller]
    pub fn forward(&self, input1: &Tensor, input2: &Tensor) -> Tensor {
        Tensor::bilinear(input1, input2, &self.weight, self.bias.as_ref())
    }
}

impl Module for Bilinear {
    /// # Panics
    /// Always: the layer takes [two inputs](Bilinear::forward).
    #[track_caller]
    fn forward(&self, _: &Tensor) -> Tensor {
        panic!("Bilinear: forward takes two inputs, but got one; call Bilinear::forward(&layer, &input1, &input2)")
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight).parameter("bias", &self.bias)
    }

    boxed_copy!();
}

/// Options of a [`Bilinear`] layer, made by [`Bilinear::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct BilinearBuilder {
    shape: [usize; 3],
    bias: bool,
    dtype: DType,
}

impl BilinearBuilder {
    /// Whether the layer adds a bias (default: yes). Without one no numbers are drawn for it.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The dtype of the parameters (default: [`get_default_dtype`], `F32`). Other dtypes draw other numbers, as in
    /// torch.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Draws the initial values from the process-wide generator.
    ///
    /// # Panics
    /// If `in1_features` is zero, or the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> Bilinear {
        init::check_dtype("Bilinear", "parameters", self.dtype);
        let [out_features, in1_features, _] = self.shape;
        assert!(in1_features > 0, "Bilinear: in1_features must be > 0, but got 0; without inputs there is no product");
        let bound = 1.0 / (in1_features as f64).sqrt();
        let drawn = |shape: &[usize]| init::uniform_(&Tensor::empty(shape, self.dtype), -bound, bound);
        let weight = drawn(&self.shape).requires_grad_(true);
        let bias = self.bias.then(|| drawn(&[out_features]).requires_grad_(true));
        Bilinear { weight, bias }
    }
}
