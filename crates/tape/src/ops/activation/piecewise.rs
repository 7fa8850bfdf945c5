//! Activations that are made of straight pieces or of other operations.

use crate::autograd::no_grad;
use crate::ops::function::Derivative;
use crate::shape::normalize_dim;
use crate::{DType, Scalar, Tensor};

static HARDSIGMOID: Derivative = Derivative {
    node: "HardsigmoidBackward0",
    gradient: |grad, x, _| Tensor::where_(&x.gt(-3).logical_and(&x.lt(3)), grad * (1.0 / 6.0), 0),
};

static HARDSWISH: Derivative = Derivative {
    node: "HardswishBackward0",
    gradient: |grad, x, _| {
        let bent = grad * (x / 3.0 + 0.5);
        // NaN is beyond both ends.
        Tensor::where_(&x.lt(3), bent.masked_fill(&x.le(-3), 0), grad)
    },
};

/// The parameter is the half width of the interval that becomes 0.
static SOFTSHRINK: Derivative = Derivative {
    node: "SoftshrinkBackward0",
    gradient: |grad, x, &[lambda, ..]| grad.masked_fill(&within(x, lambda), 0),
};

/// The parameter is the half width of the interval that becomes 0.
static HARDSHRINK: Derivative = Derivative {
    node: "HardshrinkBackward0",
    gradient: |grad, x, &[lambda, ..]| grad.masked_fill(&within(x, lambda), 0),
};

/// The parameter is the threshold.
static THRESHOLD: Derivative = Derivative {
    node: "ThresholdBackward0",
    gradient: |grad, x, &[threshold, ..]| grad.masked_fill(&x.le(threshold), 0),
};

/// Whether each element lies in `[-limit, limit]`.
fn within(x: &Tensor, limit: f64) -> Tensor {
    x.ge(-limit).logical_and(&x.le(limit))
}

#[track_caller]
fn check_floating(op: &str, x: &Tensor) {
    if !x.dtype().is_floating_point() {
        panic!("{op}: not implemented for dtype {}; convert with double() first", x.dtype());
    }
}

impl Tensor {
    /// `min(max(x + 3, 0), 6) / 6`, straight pieces in the place of [`sigmoid`](Tensor::sigmoid). The gradient
    /// at -3 and 3 is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-4.0, 0.0, 4.0]).hardsigmoid().to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn hardsigmoid(&self) -> Tensor {
        check_floating("hardsigmoid", self);
        HARDSIGMOID.record(no_grad(|| (self + 3).clamp(0, 6) / 6), self, [0.0; 3])
    }

    /// `x` times [`hardsigmoid`](Tensor::hardsigmoid) of `x` (Howard et al., arXiv:1905.02244).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-4.0, 1.5, 4.0]).hardswish().to_vec::<f64>(), [0.0, 1.125, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn hardswish(&self) -> Tensor {
        check_floating("hardswish", self);
        HARDSWISH.record(no_grad(|| self * (self + 3).clamp(0, 6) / 6), self, [0.0; 3])
    }

    /// Every element moved towards zero by `lambda`; 0 where it would pass zero. torch's default is 0.5.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 0.3, 2.0]).softshrink(0.5).to_vec::<f64>(), [-1.5, 0.0, 1.5]);
    /// ```
    ///
    /// # Panics
    /// If `lambda` is negative or the dtype is not floating point.
    #[track_caller]
    pub fn softshrink(&self, lambda: impl Into<f64>) -> Tensor {
        let lambda = lambda.into();
        if lambda.is_nan() || lambda < 0.0 {
            panic!("softshrink: lambda must be greater or equal to 0, but found to be {lambda}");
        }
        check_floating("softshrink", self);
        SOFTSHRINK.record(no_grad(|| self - self.clamp(-lambda, lambda)), self, [lambda, 0.0, 0.0])
    }

    /// 0 for elements within `-lambda..=lambda`, the others as they are. torch's default is 0.5.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 0.3, 2.0]).hardshrink(0.5).to_vec::<f64>(), [-2.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn hardshrink(&self, lambda: impl Into<f64>) -> Tensor {
        check_floating("hardshrink", self);
        let lambda = lambda.into();
        HARDSHRINK.record(no_grad(|| self.masked_fill(&within(self, lambda), 0)), self, [lambda, 0.0, 0.0])
    }

    /// `x - tanh(x)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 50.0]).tanhshrink().to_vec::<f64>(), [0.0, 49.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn tanhshrink(&self) -> Tensor {
        self - self.tanh()
    }

    /// `x / (1 + |x|)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.0, 3.0]).softsign().to_vec::<f64>(), [-0.5, 0.75]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn softsign(&self) -> Tensor {
        self / (self.abs() + 1)
    }

    /// Elements above `threshold` (and NaN) as they are, `value` in the place of all others.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 1.0, 2.0]).threshold(1.0, 20.0).to_vec::<f64>(), [20.0, 20.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn threshold(&self, threshold: impl Into<f64>, value: impl Into<f64>) -> Tensor {
        let numbers = [threshold.into(), value.into()];
        let parameters = [numbers[0], 0.0, 0.0];
        let [threshold, value] = numbers.map(|number| match self.dtype() {
            DType::I64 => Scalar::Int(number as i64),
            DType::Bool => panic!("threshold: not implemented for dtype bool; convert with long() first"),
            _ => Scalar::Float(number),
        });
        THRESHOLD.record(no_grad(|| self.masked_fill(&self.le(threshold), value)), self, parameters)
    }

    /// [`softmax`](Tensor::softmax) of `-x` along dimension `dim`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 3.0]).softmin(0).to_vec::<f64>(), [0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or the tensor is boolean.
    #[track_caller]
    pub fn softmin(&self, dim: isize) -> Tensor {
        self.neg().softmax(dim)
    }

    /// The gated linear unit `a sigmoid(b)`, with `a` the first and `b` the second half of the tensor along
    /// dimension `dim` (Dauphin et al., arXiv:1612.08083). torch's default is the last dimension, -1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 0.0, 50.0]).glu(0).to_vec::<f64>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or of odd size, or the dtype is not floating point.
    #[track_caller]
    pub fn glu(&self, dim: isize) -> Tensor {
        if self.dim() == 0 {
            panic!("glu: does not support scalars because halving size must be even");
        }
        check_floating("glu", self);
        let at = normalize_dim("glu", dim, self.dim());
        let size = self.sizes()[at];
        if !size.is_multiple_of(2) {
            panic!("glu: Halving dimension must be even, but dimension {at} is size {size}");
        }
        let half = |start: usize| self.narrow(dim, start as isize, size / 2);
        half(0) * half(size / 2).sigmoid()
    }

    /// `x` above zero and `weight x` else, with a learned slope: one for all, or one for each channel
    /// (dimension 1) (He et al., arXiv:1502.01852). The gradient at 0 is the slope.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[-2.0, -2.0], [3.0, -4.0]]);
    /// assert_eq!(x.prelu(&Tensor::from([0.5, 0.25])).to_vec::<f64>(), [-1.0, -0.5, 3.0, -1.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes differ or are not floating point, the weight has more than one dimension, or its size is
    /// neither 1 nor that of dimension 1 (1 if there is no such dimension).
    #[track_caller]
    pub fn prelu(&self, weight: &Tensor) -> Tensor {
        if self.dtype() != weight.dtype() || !self.dtype().is_floating_point() {
            panic!(
                "prelu: Type promoting not supported. Got {} and {}; convert one of them with to_dtype",
                self.dtype(),
                weight.dtype()
            );
        }
        if weight.dim() > 1 {
            panic!("prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {}", weight.dim());
        }
        let weight = if weight.numel() == 1 {
            weight.reshape(())
        } else {
            let channels = if self.dim() > 1 { self.sizes()[1] } else { 1 };
            if weight.numel() != channels {
                panic!(
                    "prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = {} and \
                     channel size = {channels}.",
                    weight.numel()
                );
            }
            let mut shape = vec![1isize; self.dim()];
            shape[1] = channels as isize;
            weight.reshape(shape)
        };
        // Without the elements above zero, so that an infinite one does not reach the weight's gradient.
        let above = no_grad(|| self.gt(0));
        Tensor::where_(&above, self, self.masked_fill(&above, 0) * weight)
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<crate::op::Sample> {
    use crate::op::{Sample, spread, unary_samples};
    let mut samples = unary_samples(-4.0, 4.0, |x| x.hardsigmoid() * x);
    samples.extend(unary_samples(-4.0, 4.0, Tensor::hardswish));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.softshrink(0.4) * x));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.hardshrink(0.4) * x));
    samples.extend(unary_samples(-2.0, 2.0, Tensor::tanhshrink));
    samples.extend(unary_samples(-2.0, 2.0, Tensor::softsign));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.threshold(0.2, -3.0) * x));
    samples.push(Sample::new([spread(&[2, 3], -2.0, 2.0)], |x| x[0].softmin(1)));
    samples.push(Sample::new([spread(&[2, 4], -2.0, 2.0)], |x| x[0].glu(-1)));
    samples.push(Sample::new([spread(&[4, 3], -2.0, 2.0)], |x| x[0].glu(0)));
    samples.push(Sample::new([spread(&[3, 4], -2.0, 2.0)], |x| x[0].t().glu(0)));
    samples.push(Sample::new([spread(&[2, 0], -2.0, 2.0)], |x| x[0].glu(1)));
    for (x, weight) in [(&[2, 3][..], &[3][..]), (&[2, 3], &[1]), (&[2, 3, 2], &[3]), (&[4], &[]), (&[], &[1])] {
        samples.push(Sample::new([spread(x, -2.0, 2.0), spread(weight, 0.1, 0.6)], |x| x[0].prelu(&x[1])));
    }
    samples
}
