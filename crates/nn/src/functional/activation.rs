//! Activations, all of them methods of tensors too.

use super::methods;
use tape::Tensor;

methods! {
    /// `max(x, 0)`, elementwise: [`Tensor::relu`].
    ///
    /// ```
    /// use nn::functional as f;
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([-8.0, -1.0, 0.0, 1.0, 8.0]);
    /// assert_eq!(f::relu(&x).to_vec::<f64>(), [0.0, 0.0, 0.0, 1.0, 8.0]);
    /// assert_eq!(f::relu6(&x).to_vec::<f64>(), [0.0, 0.0, 0.0, 1.0, 6.0]);
    /// assert_eq!(f::leaky_relu(&x, 0.5).to_vec::<f64>(), [-4.0, -0.5, 0.0, 1.0, 8.0]);
    /// assert_eq!(f::hardtanh(&x, -1.0, 1.0).to_vec::<f64>(), [-1.0, -1.0, 0.0, 1.0, 1.0]);
    /// assert_eq!(f::softsign(&x).to_vec::<f64>()[3], 0.5);
    /// ```
    fn relu(input) = relu;

    /// `min(max(x, 0), 6)`, elementwise: [`Tensor::relu6`].
    fn relu6(input) = relu6;

    /// `x` above zero and `negative_slope * x` below (torch's default: 0.01): [`Tensor::leaky_relu`].
    fn leaky_relu(input, negative_slope: impl Into<f64>) = leaky_relu;

    /// `x` above zero and `weight * x` below, with one weight for all or one per channel: [`Tensor::prelu`].
    ///
    /// # Panics
    /// If there is neither one weight nor one per channel, or the dtypes differ.
    fn prelu(input, weight: &Tensor) = prelu;

    /// `x` above zero and `alpha (exp(x) - 1)` below (torch's default: 1): [`Tensor::elu`].
    fn elu(input, alpha: impl Into<f64>) = elu;

    /// `x` above zero and `alpha (exp(x / alpha) - 1)` below (torch's default: 1): [`Tensor::celu`].
    ///
    /// # Panics
    /// If `alpha` is zero.
    fn celu(input, alpha: impl Into<f64>) = celu;

    /// The [`elu`] that keeps mean and variance in deep networks: [`Tensor::selu`].
    fn selu(input) = selu;

    /// `x P(X <= x)` for a standard normal `X`: [`Tensor::gelu`], torch's `approximate='none'`.
    ///
    /// ```
    /// use nn::functional::{gelu, gelu_tanh, mish, silu};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([0.0, 20.0]);
    /// for smooth in [gelu, gelu_tanh, silu, mish] {
    ///     assert!(smooth(&x).allclose(&x, 1e-7, 0.0));
    /// }
    /// ```
    fn gelu(input) = gelu;

    /// The approximation `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` of [`gelu`], torch's
    /// `approximate='tanh'`: [`Tensor::gelu_tanh`].
    fn gelu_tanh(input) = gelu_tanh;

    /// `x sigmoid(x)`, elementwise: [`Tensor::silu`].
    fn silu(input) = silu;

    /// `x tanh(softplus(x))`, elementwise: [`Tensor::mish`].
    fn mish(input) = mish;

    /// Hyperbolic tangent, elementwise: [`Tensor::tanh`].
    fn tanh(input) = tanh;

    /// `x` within `[min_val, max_val]` and the nearer bound outside (torch's defaults: -1, 1): [`Tensor::hardtanh`].
    ///
    /// # Panics
    /// If `min_val > max_val`.
    fn hardtanh(input, min_val: impl Into<f64>, max_val: impl Into<f64>) = hardtanh;

    /// `x - tanh(x)`, elementwise: [`Tensor::tanhshrink`].
    fn tanhshrink(input) = tanhshrink;

    /// `1 / (1 + exp(-x))`, elementwise: [`Tensor::sigmoid`].
    fn sigmoid(input) = sigmoid;

    /// `-log(1 + exp(-x))`, elementwise: [`Tensor::logsigmoid`].
    fn logsigmoid(input) = logsigmoid;

    /// `min(max(x + 3, 0), 6) / 6`, elementwise: [`Tensor::hardsigmoid`].
    ///
    /// ```
    /// use nn::functional::{hardsigmoid, hardswish};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([-3.0, 0.0, 3.0]);
    /// assert_eq!(hardsigmoid(&x).to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// assert_eq!(hardswish(&x).to_vec::<f64>(), [0.0, 0.0, 3.0]);
    /// ```
    fn hardsigmoid(input) = hardsigmoid;

    /// `x` times the [`hardsigmoid`] of `x`: [`Tensor::hardswish`].
    fn hardswish(input) = hardswish;

    /// `x / (1 + |x|)`, elementwise: [`Tensor::softsign`].
    fn softsign(input) = softsign;

    /// `x` moved towards zero by `lambda` (torch's default: 0.5), zero where it would cross: [`Tensor::softshrink`].
    ///
    /// ```
    /// use nn::functional::{hardshrink, softshrink, threshold};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([-2.0, 0.25, 1.0]);
    /// assert_eq!(softshrink(&x, 0.5).to_vec::<f64>(), [-1.5, 0.0, 0.5]);
    /// assert_eq!(hardshrink(&x, 0.5).to_vec::<f64>(), [-2.0, 0.0, 1.0]);
    /// assert_eq!(threshold(&x, 0.5, 9.0).to_vec::<f64>(), [9.0, 9.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `lambda` is negative.
    fn softshrink(input, lambda: impl Into<f64>) = softshrink;

    /// Zero within `[-lambda, lambda]` (torch's default: 0.5) and `x` outside: [`Tensor::hardshrink`].
    fn hardshrink(input, lambda: impl Into<f64>) = hardshrink;

    /// `x` above the threshold and `value` elsewhere: [`Tensor::threshold`].
    fn threshold(input, threshold: impl Into<f64>, value: impl Into<f64>) = threshold;

    /// The first half along `dim` times the [`sigmoid`] of the second: [`Tensor::glu`].
    ///
    /// ```
    /// use nn::functional::glu;
    /// use tape::Tensor;
    ///
    /// assert_eq!(glu(&Tensor::from([3.0, 0.0]), -1).to_vec::<f64>(), [1.5]);
    /// ```
    ///
    /// # Panics
    /// If the dimension has an odd size, or the input has no such dimension.
    fn glu(input, dim: isize) = glu;

    /// `exp(x) / sum(exp(x))` along `dim`: [`Tensor::softmax`].
    ///
    /// ```
    /// use nn::functional::{log_softmax, softmax, softmin};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([[0.0, 0.0, 0.0, 0.0]]);
    /// assert_eq!(softmax(&x, -1).to_vec::<f64>(), [0.25; 4]);
    /// assert_eq!(softmin(&x, -1).to_vec::<f64>(), [0.25; 4]);
    /// assert_eq!(log_softmax(&x, 1).to_vec::<f64>(), [-4.0_f64.ln(); 4]);
    /// ```
    ///
    /// # Panics
    /// If the input has no such dimension.
    fn softmax(input, dim: isize) = softmax;

    /// The [`softmax`] of `-x` along `dim`: [`Tensor::softmin`].
    ///
    /// # Panics
    /// If the input has no such dimension.
    fn softmin(input, dim: isize) = softmin;

    /// Logarithm of the [`softmax`] along `dim`: [`Tensor::log_softmax`].
    ///
    /// # Panics
    /// If the input has no such dimension.
    fn log_softmax(input, dim: isize) = log_softmax;
}

/// `log(1 + exp(x))`, elementwise, and `x` itself above 20: [`Tensor::softplus`] with torch's defaults;
/// [`Softplus`](crate::Softplus) takes others.
///
/// # Panics
/// If the input is not floating point.
#[track_caller]
pub fn softplus(input: &Tensor) -> Tensor {
    input.softplus(1.0, 20.0)
}
