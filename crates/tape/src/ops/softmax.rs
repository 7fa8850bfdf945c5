//! Softmax, its logarithm, and the logarithm of a sum of exponentials, all without overflow.

use crate::autograd::{Gradients, Op, Rule, gradients, is_grad_enabled, save_output};
use crate::autograd::{Saved, Saves};
use crate::dtype::dispatch_float;
use crate::kernel::axis::Axis;
use crate::kernel::map::{self, Ternary};
use crate::kernel::softmax as kernel;
use crate::kernel::vmath::VMath;
use crate::kernel::{Strided, softmax::Along};
use crate::shape::{Dims, Ints, broadcast_strides, dim_mask, normalize_dim};
use crate::storage::build;
use crate::{Float, Tensor};

/// `exp(x) / sum exp(x)` along a dimension.
pub(crate) struct Softmax(usize);
/// `x - log sum exp(x)` along a dimension.
pub(crate) struct LogSoftmax(usize);
/// `log sum exp(x)` over some dimensions; holds the input's shape with those as one.
pub(crate) struct LogSumExp(Dims);

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "SoftmaxBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let y = rule.saved(0);
        let formula = || {
            let sum = (grad * y).sum_dim(self.0 as isize, true);
            (grad - sum) * y
        };
        gradients![rule; fused(kernel::SoftmaxBackward, self.0, grad, y, formula)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        samples_along(Tensor::softmax)
    }
}

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "LogSoftmaxBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; log_softmax_gradient(grad, rule.saved(0), self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        samples_along(Tensor::log_softmax)
    }
}

impl Op for LogSumExp {
    fn name(&self) -> &'static str {
        "LogsumexpBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        let (grad, y) = (grad.reshape_to(&self.0), rule.saved(1).reshape_to(&self.0));
        gradients![rule; if is_grad_enabled() || grad.dtype() != x.dtype() {
            grad * (x - y).exp()
        } else {
            shares(x, &y, &grad)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].logsumexp(-1, false)),
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].logsumexp([0, 2], true)),
            Sample::new([spread(&[3, 2, 4], -1.0, 1.0)], |x| x[0].transpose(0, 1).logsumexp([0, 1], false)),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].logsumexp(0, false)),
        ]
    }
}

#[cfg(test)]
fn samples_along(f: impl Fn(&Tensor, isize) -> Tensor + Send + Sync + Copy + 'static) -> Vec<crate::op::Sample> {
    use crate::op::{Sample, spread};
    vec![
        Sample::new([spread(&[2, 3], -2.0, 2.0)], move |x| f(&x[0], -1)),
        Sample::new([spread(&[2, 3, 2], -2.0, 2.0)], move |x| f(&x[0], 1)),
        Sample::new([spread(&[2, 3], -2.0, 2.0)], move |x| f(&x[0].t(), 1)),
        Sample::new([spread(&[17, 2], -2.0, 2.0)], move |x| f(&x[0], 1)),
        Sample::new([spread(&[], -2.0, 2.0)], move |x| f(&x[0], 0)),
        Sample::new([spread(&[2, 0], -2.0, 2.0)], move |x| f(&x[0], 1)),
    ]
}

/// `grad exp(x - y)` on one element: what it has of the sum, times the gradient of the sum's logarithm.
#[derive(Clone, Copy)]
struct Share;
impl<T: Float + VMath> Ternary<T> for Share {
    #[inline(always)]
    fn apply(self, x: T, y: T, grad: T) -> T {
        grad * VMath::exp(x - y)
    }
}

/// [`Share`] of every element, for `y` and `grad` that broadcast to the shape of `x`.
fn shares(x: &Tensor, y: &Tensor, grad: &Tensor) -> Tensor {
    let shape = x.sizes();
    let [strides_y, strides_grad] = [y, grad].map(|part| broadcast_strides(part.sizes(), part.stride(), shape));
    dispatch_float!("logsumexp", x.dtype(), T => {
        let buffer = build::<T>(x.numel(), |out| {
            x.with3::<T, T, T, _>(y, grad, |x, y, grad| {
                let y = Strided { data: y.data, shape, strides: &strides_y };
                let grad = Strided { data: grad.data, shape, strides: &strides_grad };
                map::ternary(x, y, grad, out, Share);
            });
        });
        Tensor::from_buffer(buffer, x.layout().shape.clone())
    })
}

/// `f` of every line of `x` along dimension `dim`; not recorded.
#[track_caller]
fn along<F>(op: &str, x: &Tensor, dim: usize, f: F) -> Tensor
where
    F: Along<f32> + Along<f64>,
{
    let (axis, x) = (Axis::new(x.sizes(), dim), x.dense());
    dispatch_float!(op, x.dtype(), T => {
        let numel = x.numel();
        let buffer = build::<T>(numel, |out| {
            x.with::<T, _>(|x| kernel::along(axis, &x.data[..numel], &[], out, f));
        });
        Tensor::from_buffer(buffer, x.layout().shape.clone())
    })
}

/// A derivative `f(grad, result)` in one pass where it needs no history, else by its formula.
fn fused<F>(f: F, dim: usize, grad: &Tensor, result: &Tensor, formula: impl FnOnce() -> Tensor) -> Tensor
where
    F: Along<f32> + Along<f64>,
{
    if is_grad_enabled() || grad.dtype() != result.dtype() {
        return formula();
    }
    let (axis, grad, result) = (Axis::new(grad.sizes(), dim), grad.dense(), result.dense());
    dispatch_float!("backward", grad.dtype(), T => {
        let numel = grad.numel();
        let buffer = build::<T>(numel, |out| {
            grad.with2::<T, T, _>(&result, |grad, result| {
                kernel::along(axis, &grad.data[..numel], &result.data[..numel], out, f);
            });
        });
        Tensor::from_buffer(buffer, grad.layout().shape.clone())
    })
}

/// The gradient of a log-softmax along `dim` from that of its result and the result.
pub(super) fn log_softmax_gradient(grad: &Tensor, result: &Tensor, dim: usize) -> Tensor {
    let formula = || grad - result.exp() * grad.sum_dim(dim as isize, true);
    fused(kernel::LogSoftmaxBackward, dim, grad, result, formula)
}

/// The logarithm of the softmax along a dimension; not recorded.
#[track_caller]
pub(super) fn log_softmax(op: &str, x: &Tensor, dim: usize) -> Tensor {
    along(op, x, dim, kernel::LogSoftmax)
}

/// Elements in memory such that the dimensions of `mask` lie side by side, and where they lie.
fn gathered(x: &Tensor, mask: &[bool]) -> (Tensor, Axis) {
    let first = mask.iter().position(|&named| named).unwrap_or(x.dim());
    let end = mask.iter().rposition(|&named| named).map_or(first, |last| last + 1);
    if mask[first..end].iter().all(|&named| named) {
        return (x.dense(), Axis::spanning(x.sizes(), first, end));
    }
    let kept = (0..x.dim()).filter(|&dim| !mask[dim]);
    let order: Vec<usize> = kept.chain((0..x.dim()).filter(|&dim| mask[dim])).collect();
    let x = crate::no_grad(|| x.permute(order)).dense();
    let named = mask.iter().filter(|&&named| named).count();
    let axis = Axis::spanning(x.sizes(), x.dim() - named, x.dim());
    (x, axis)
}

impl Tensor {
    /// `exp(x) / sum exp(x)` along dimension `dim`: positive numbers that add up to one. The largest
    /// element is subtracted first, so nothing overflows.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let p = Tensor::from([[0.0, 0.0], [1000.0, 0.0]]).softmax(-1);
    /// assert_eq!(p.to_vec::<f64>(), [0.5, 0.5, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `dim` is out of range or the dtype is not floating point.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor {
        let dim = normalize_dim("softmax", dim, self.dim());
        along("softmax", self, dim, kernel::Softmax).record(&[self], || Softmax(dim), save_output)
    }

    /// The logarithm of [`softmax`](Tensor::softmax), `x - log sum exp(x)` along dimension `dim`, accurate
    /// where the softmax itself underflows.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let y = Tensor::from([1000.0, 0.0]).log_softmax(0);
    /// assert_eq!(y.to_vec::<f64>(), [0.0, -1000.0]);
    /// ```
    ///
    /// # Panics
    /// If `dim` is out of range or the dtype is not floating point.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor {
        let dim = normalize_dim("log_softmax", dim, self.dim());
        log_softmax("log_softmax", self, dim).record(&[self], || LogSoftmax(dim), save_output)
    }

    /// `log sum exp(x)` over dimensions `dims`, which with `keepdim` remain with size one. The largest
    /// element is subtracted first, so nothing overflows. Integers are converted to `float32`.
    ///
    /// Where all elements are `-inf` the result is `-inf` and the gradient NaN, as in torch.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1000.0, 1000.0]]);
    /// assert_eq!(x.logsumexp(1, false).item(), 1000.0 + 2.0_f64.ln());
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice, or the dtype is `Bool`.
    #[track_caller]
    pub fn logsumexp(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        let x = self.to_floating();
        let mask = dim_mask("logsumexp", &dims.into(), x.dim());
        let sizes = || x.sizes().iter().zip(&mask);
        let kept: Dims = sizes().map(|(&size, &named)| if named { 1 } else { size }).collect();
        let shape: Dims = match keepdim {
            true => kept.clone(),
            false => sizes().filter(|&(_, &named)| !named).map(|(&size, _)| size).collect(),
        };
        let (lines, axis) = gathered(&x, &mask);
        let out = dispatch_float!("logsumexp", x.dtype(), T => {
            let buffer = build::<T>(kept.iter().product(), |out| match axis.len {
                0 => out.fill(-T::INFINITY),
                _ => lines.with::<T, _>(|x| {
                    kernel::along(axis, &x.data[..lines.numel()], &[], out, kernel::LogSumExp);
                }),
            });
            Tensor::from_buffer(buffer, shape)
        });
        out.record(&[&x], || LogSumExp(kept), |y| Saves::from_iter([Saved::input(&x), Saved::output(y, 0)]))
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor, no_grad};

    /// Softmax, its logarithm and the logarithm of the sum of exponentials of one line, from definitions.
    fn naive(line: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
        let largest = line.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = line.iter().map(|x| (x - largest).exp()).sum();
        let log = largest + sum.ln();
        (line.iter().map(|x| (x - largest).exp() / sum).collect(), line.iter().map(|x| x - log).collect(), log)
    }

    fn close(actual: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(actual.len(), expected.len());
        for (a, b) in actual.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}");
        }
    }

    #[test]
    fn every_layout_matches_a_naive_loop() {
        let shapes: [[usize; 3]; 8] =
            [[1, 5, 1], [3, 5, 1], [40, 10, 1], [37, 64, 1], [2, 1000, 1], [2, 7, 3], [3, 70, 33], [500, 90, 1]];
        for shape in shapes {
            let x = spread(&shape, -5.0, 5.0);
            for (x, dim) in [(x.clone(), 1), (x.transpose(1, 2), 2), (x.transpose(0, 1), 0)] {
                let lines = x.detach().transpose(dim, -1);
                let (mut soft, mut log_soft, mut log) = (Vec::new(), Vec::new(), Vec::new());
                for line in lines.to_vec::<f64>().chunks(shape[1]) {
                    let (a, b, c) = naive(line);
                    soft.extend(a);
                    log_soft.extend(b);
                    log.push(c);
                }
                let back = |y: Tensor| y.transpose(dim, -1).to_vec::<f64>();
                close(&back(x.softmax(dim)), &soft, 1e-14);
                close(&back(x.log_softmax(dim)), &log_soft, 1e-14);
                close(&back(x.logsumexp(dim, true)), &log, 1e-14);
                let single = x.float();
                close(&back(single.softmax(dim).double()), &soft, 1e-6);
                close(&back(single.log_softmax(dim).double()), &log_soft, 1e-6);
                close(&back(single.logsumexp(dim, true).double()), &log, 1e-6);
            }
        }
    }

    #[test]
    fn logsumexp_reduces_any_set_of_dimensions() {
        let x = spread(&[3, 4, 5], -2.0, 2.0);
        for dims in [vec![0], vec![1], vec![0, 1], vec![0, 2], vec![-1, 1], vec![0, 1, 2]] {
            let expected = x.exp().sum_dim(dims.clone(), false).log();
            let actual = x.logsumexp(dims.clone(), false);
            assert_eq!(actual.sizes(), expected.sizes());
            close(&actual.to_vec::<f64>(), &expected.to_vec::<f64>(), 1e-14);
            assert_eq!(x.logsumexp(dims.clone(), true).sizes(), x.sum_dim(dims, true).sizes());
        }
        assert_eq!(Tensor::zeros([2, 0], DType::F64).logsumexp(1, false).to_vec::<f64>(), [f64::NEG_INFINITY; 2]);
        assert_eq!(Tensor::from([3i64]).logsumexp(0, false).to_vec::<f32>(), [3.0]);
    }

    #[test]
    fn infinities_are_torchs() {
        let inf = f64::INFINITY;
        let x = Tensor::from([[-inf, -inf], [1.0, 2.0], [inf, 1.0], [-inf, 0.0]]).requires_grad_(true);
        let y = x.logsumexp(1, false);
        assert_eq!(y.i(0).item(), -inf);
        assert_eq!(y.i(2).item(), inf);
        y.sum().backward().unwrap();
        let grad = x.grad().unwrap().to_vec::<f64>();
        assert!(grad[..2].iter().all(|g| g.is_nan()) && grad[4].is_nan());
        assert_eq!((grad[5], grad[6], grad[7]), (0.0, 0.0, 1.0));
        close(&grad[2..4], &[0.2689414213699951, 0.7310585786300049], 1e-15);
        let (soft, log) = no_grad(|| (x.softmax(1).to_vec::<f64>(), x.log_softmax(1).to_vec::<f64>()));
        for row in [0, 1, 4, 5] {
            assert!(soft[row].is_nan() && log[row].is_nan());
        }
        assert_eq!((&soft[6..], &log[6..]), (&[0.0, 1.0][..], &[-inf, 0.0][..]));
        assert!(Tensor::from([f64::NAN, 1.0]).softmax(0).to_vec::<f64>().iter().all(|p| p.is_nan()));
    }

    #[test]
    fn fused_derivatives_equal_their_formulas() {
        for (shape, dim) in [([40usize, 10, 1], 1), ([2, 300, 1], 1), ([3, 7, 18], 1), ([3, 7, 18], 0)] {
            for f in [Tensor::softmax, Tensor::log_softmax, |x: &Tensor, dim| x.logsumexp(dim, true)] {
                let x = spread(&shape, -3.0, 3.0).requires_grad_(true);
                let y = f(&x, dim);
                let weights = spread(y.sizes(), -1.0, 1.0);
                let run = |create_graph| {
                    let builder = crate::grad(&y, &x).grad_outputs(&weights).retain_graph(true);
                    builder.create_graph(create_graph).compute().unwrap().remove(0)
                };
                close(&run(false).to_vec::<f64>(), &run(true).to_vec::<f64>(), 1e-14);
            }
        }
    }

    #[test]
    fn large_inputs_have_the_bits_of_small_ones() {
        // Every line alone, on one thread, against all of them on several.
        for (shape, dim) in [([6000usize, 10, 1], 1), ([80, 1000, 1], 1), ([50, 20, 40], 1)] {
            let x = spread(&shape, -3.0, 3.0).float();
            let whole = x.log_softmax(dim);
            let parts: Vec<Tensor> = x.split(shape[0] / 2, 0).iter().map(|part| part.log_softmax(dim)).collect();
            assert_eq!(whole.to_vec::<f32>(), Tensor::cat(parts, 0).to_vec::<f32>());
        }
    }

    #[test]
    #[should_panic(expected = "softmax: not implemented for dtype int64")]
    fn integers_are_refused() {
        Tensor::from([1i64, 2]).softmax(0);
    }
}
