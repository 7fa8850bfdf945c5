//! Losses: means over the elements or rows of a batch, each in one pass forward and one backward.

use super::softmax::{log_softmax, log_softmax_gradient};
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, is_grad_enabled, record_many, saves};
use crate::dtype::dispatch_float;
use crate::kernel::axis::Axis;
use crate::kernel::loss::{self as kernel, Classes};
use crate::kernel::map::Binary;
use crate::op::{promoted, zip};
use crate::shape::{Dims, broadcast};
use crate::storage::build;
use crate::{DType, Element, Float, Tensor};

/// torch's mark of a row that takes no part in a loss.
const IGNORED: i64 = -100;

/// Mean cross entropy of class indices. Its second output, which the caller never sees, is the
/// log-softmax: the derivative needs it, and its history when the derivative is differentiated.
pub(crate) struct CrossEntropy {
    dim: usize,
    /// Rows that take part. If there are none the loss is NaN, and its gradient zero, as in torch.
    count: usize,
    rows: usize,
}

/// Mean of the negated log-probabilities of class indices.
pub(crate) struct NllLoss {
    dim: usize,
    count: usize,
}

/// Mean of squared differences.
pub(crate) struct MseLoss;

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "NllLossBackward0"
    }
    fn backward(&self, _: &Rule<'_>, _: &Tensor) -> Gradients {
        unreachable!("an operation of two outputs has backward_many")
    }
    fn backward_many(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Gradients {
        let (log_probabilities, target) = (rule.saved(0), rule.saved(1));
        let of_loss = || grads[0].as_ref().map(|grad| self.gradient(log_probabilities, target, grad));
        let of_log = || grads[1].as_ref().map(|grad| log_softmax_gradient(grad, log_probabilities, self.dim));
        let sum = match rule.needs(0) {
            false => None,
            true => match (of_loss(), of_log()) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            },
        };
        Gradients::from_iter([sum])
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let sample = |shape: &[usize], target: Tensor| {
            Sample::new([spread(shape, -2.0, 2.0)], move |x| Tensor::cross_entropy(&x[0], &target))
        };
        let transposed = Sample::new([spread(&[3, 4], -2.0, 2.0)], |x| {
            let loss = Tensor::cross_entropy(&x[0].t(), &Tensor::from([2i64, 0, 1, 0]));
            &loss * &loss
        });
        vec![
            sample(&[4, 3], Tensor::from([2i64, 0, 1, 0])),
            sample(&[4, 3], Tensor::from([2i64, IGNORED, 1, IGNORED])),
            sample(&[3], Tensor::from(1i64)),
            sample(&[2, 3, 2], Tensor::from([[2i64, 0], [IGNORED, 1]])),
            transposed,
            Sample::new([spread(&[2, 3], -2.0, 2.0), spread(&[2, 3], 0.1, 0.9)], |x| {
                Tensor::cross_entropy(&x[0], &x[1])
            }),
        ]
    }
}

impl CrossEntropy {
    /// `(softmax - [is class]) grad / count`.
    fn gradient(&self, log_probabilities: &Tensor, target: &Tensor, grad: &Tensor) -> Tensor {
        if is_grad_enabled() {
            let classes = one_hot(log_probabilities, target, self.dim);
            let mut softmax = log_probabilities.exp();
            if self.count < self.rows {
                softmax = softmax * classes.sum_dim(self.dim as isize, true);
            }
            return (softmax - classes) * (grad / self.count.max(1));
        }
        let axis = Axis::new(log_probabilities.sizes(), self.dim);
        dispatch_float!("cross_entropy", log_probabilities.dtype(), T => {
            let scale = grad.item_as::<T>() / T::from_i64(self.count.max(1) as i64);
            let buffer = build::<T>(log_probabilities.numel(), |out| {
                log_probabilities.with2::<T, i64, _>(target, |x, target| {
                    let classes = Classes { axis, target: &target.data[..target_len(axis)] };
                    classes.softmax_gradient(&x.data[..out.len()], scale, out);
                });
            });
            Tensor::from_buffer(buffer, log_probabilities.layout().shape.clone())
        })
    }
}

impl Op for NllLoss {
    fn name(&self) -> &'static str {
        "NllLossBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let like = || Tensor::empty(rule.input_shape(), grad.dtype());
        gradients![rule; one_hot(&like(), rule.saved(0), self.dim) * (-grad / self.count.max(1))]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let call = |target: Tensor| {
            move |x: &[Tensor]| {
                let loss = Tensor::nll_loss(&x[0], &target);
                &loss * &loss
            }
        };
        vec![
            Sample::new([spread(&[4, 3], -2.0, 0.0)], call(Tensor::from([2i64, 0, IGNORED, 0]))),
            Sample::new([spread(&[2, 3, 2], -2.0, 0.0)], call(Tensor::from([[2i64, 0], [1, 1]]))),
            Sample::new([spread(&[3], -2.0, 0.0)], call(Tensor::from(1i64))),
        ]
    }
}

impl Op for MseLoss {
    fn name(&self) -> &'static str {
        "MseLossBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let norm = 2.0 / a.numel() as f64;
        let of_a = if is_grad_enabled() {
            (a - b) * norm * grad
        } else {
            dispatch_float!("mse_loss", a.dtype(), T => {
                let scale = Scaled { norm: T::from_f64(norm), grad: grad.item_as::<T>() };
                zip::<T, T, T, _>("mse_loss", a, b, scale)
            })
        };
        gradients![rule; of_a.clone(), -&of_a]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::binary_samples(|x| Tensor::mse_loss(&x[0], &x[1]));
        // The mean of nothing is NaN, which no check accepts.
        samples.retain(|sample| sample.inputs.iter().all(|input| input.numel() > 0));
        samples
    }
}

/// `norm (a - b) grad` on one element, rounded in this order, which is torch's.
#[derive(Clone, Copy)]
struct Scaled<T> {
    norm: T,
    grad: T,
}
impl<T: Float> Binary<T> for Scaled<T> {
    #[inline(always)]
    fn apply(self, a: T, b: T) -> T {
        self.norm * (a - b) * self.grad
    }
}

/// Number of rows along an axis.
fn target_len(axis: Axis) -> usize {
    axis.outer * axis.inner
}

/// One at the class of each row, zero elsewhere, in the shape and dtype of `like`.
fn one_hot(like: &Tensor, target: &Tensor, dim: usize) -> Tensor {
    let axis = Axis::new(like.sizes(), dim);
    dispatch_float!("one_hot", like.dtype(), T => {
        let buffer = build::<T>(like.numel(), |out| {
            out.fill(T::ZERO);
            target.with::<i64, _>(|target| {
                Classes { axis, target: &target.data[..target_len(axis)] }.add(T::ONE, out);
            });
        });
        Tensor::from_buffer(buffer, like.layout().shape.clone())
    })
}

/// The dimension that counts classes, the target in dense memory, and the number of rows that take part.
#[track_caller]
fn check_classes(op: &str, input: &Tensor, target: &Tensor) -> (usize, Tensor, usize) {
    if input.dim() == 0 || target.dtype() != DType::I64 {
        panic!(
            "{op}: expected scalar type Long but found {} (input of shape {:?}, target of shape {:?}); class \
             indices are int64, one per row of the input: convert them with long()",
            target.dtype(),
            input.sizes(),
            target.sizes()
        );
    }
    let dim = usize::from(input.dim() > 1);
    let mut expected = input.layout().shape.clone();
    let classes = expected.remove(dim);
    if expected[..] != *target.sizes() {
        let batch = |x: &[usize]| x.first().copied().unwrap_or(1);
        let text = if batch(&expected) == batch(target.sizes()) {
            format!("Expected target size {:?}, got {:?}", &expected[..], target.sizes())
        } else {
            format!(
                "Expected input batch_size ({}) to match target batch_size ({}).",
                batch(&expected),
                batch(target.sizes())
            )
        };
        panic!(
            "{op}: {text} The input has shape {:?} and the target {:?}; the target has one class index for \
             each row, [N] for [N, C] and [N, d1, ..] for [N, C, d1, ..]",
            input.sizes(),
            target.sizes()
        );
    }
    let target = target.dense();
    let (mut count, mut bad) = (0, None);
    target.with::<i64, _>(|target| {
        for &class in &target.data[..target.numel()] {
            if class >= 0 && (class as usize) < classes {
                count += 1;
            } else if class != IGNORED {
                bad = bad.or(Some(class));
            }
        }
    });
    if let Some(bad) = bad {
        panic!(
            "{op}: Target {bad} is out of bounds. There are {classes} classes (input of shape {:?}), \
             numbered from 0; only {IGNORED} marks a row to be ignored",
            input.sizes()
        );
    }
    (dim, target, count)
}

/// `-sum log p(class) / count`, not recorded.
fn mean_negative(log_probabilities: &Tensor, target: &Tensor, dim: usize, count: usize) -> Tensor {
    let axis = Axis::new(log_probabilities.sizes(), dim);
    dispatch_float!("nll_loss", log_probabilities.dtype(), T => {
        let sum = log_probabilities.with2::<T, i64, _>(target, |x, target| {
            let classes = Classes { axis, target: &target.data[..target_len(axis)] };
            classes.negative_sum(x.data)
        });
        let mean = sum / T::from_i64(count as i64);
        Tensor::from_buffer(build::<T>(1, |out| out[0] = mean), Dims::new())
    })
}

impl Tensor {
    /// The cross entropy between the softmax of `logits` and `target`, averaged over the rows: the loss of
    /// classification.
    ///
    /// `logits` has shape `[N, C]`, `[C]`, or `[N, C, d1, ..]` with `C` classes. `target` holds either
    /// `I64` class indices, one per row (shape `[N]`, `[]`, or `[N, d1, ..]`), where -100 leaves a row out
    /// of the mean; or floating-point probabilities in the shape of `logits`, to which gradients flow as
    /// well. The loss of a row is `-sum_c target[c] log softmax(logits)[c]`. A mean over no rows is NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let logits = Tensor::from([[0.0, 0.0], [50.0, -50.0]]).requires_grad_(true);
    /// let loss = Tensor::cross_entropy(&logits, &Tensor::from([1i64, 0]));
    /// assert_eq!(loss.item(), 2.0_f64.ln() / 2.0);
    /// loss.backward()?;
    /// assert_eq!(logits.grad().unwrap().i(0).to_vec::<f64>(), [0.25, -0.25]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, a class index is out of bounds, or `logits` is not floating point.
    #[track_caller]
    pub fn cross_entropy(logits: &Tensor, target: &Tensor) -> Tensor {
        if target.dtype().is_floating_point() && target.sizes() == logits.sizes() && logits.dim() > 0 {
            let dim = usize::from(logits.dim() > 1);
            let rows = logits.numel() / logits.sizes()[dim].max(1);
            return -(logits.log_softmax(dim as isize) * target).sum() / rows;
        }
        if !target.dtype().is_floating_point() && target.dim() > 0 && target.sizes() == logits.sizes() {
            panic!(
                "cross_entropy: Expected floating point type for target with class probabilities, got {} \
                 (shape {:?}); class indices have one dimension less than the logits",
                target.dtype(),
                target.sizes()
            );
        }
        let (dim, target, count) = check_classes("cross_entropy", logits, target);
        let rows = target.numel();
        let log_probabilities = log_softmax("cross_entropy", logits, dim);
        let loss = mean_negative(&log_probabilities, &target, dim, count);
        let op = || CrossEntropy { dim, count, rows };
        record_many(vec![loss, log_probabilities], &[logits], op, |outputs| {
            [Saved::output(&outputs[1], 1), Saved::input(&target)].into_iter().collect()
        })
        .swap_remove(0)
    }

    /// The negative log likelihood: minus the entries of `log_probabilities` (say, a
    /// [`log_softmax`](Tensor::log_softmax)) at the rows' classes, averaged. Shapes, `target` and -100 are
    /// those of [`cross_entropy`](Tensor::cross_entropy).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let log_probabilities = Tensor::from([[0.5, 0.5], [0.25, 0.75]]).log();
    /// let loss = Tensor::nll_loss(&log_probabilities, &Tensor::from([0i64, 0]));
    /// assert_eq!(loss.item(), 1.5 * 2.0_f64.ln());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, a class index is out of bounds, or `log_probabilities` is not floating
    /// point.
    #[track_caller]
    pub fn nll_loss(log_probabilities: &Tensor, target: &Tensor) -> Tensor {
        let (dim, target, count) = check_classes("nll_loss", log_probabilities, target);
        let loss = mean_negative(&log_probabilities.dense(), &target, dim, count);
        loss.record(&[log_probabilities], || NllLoss { dim, count }, |_| saves![&target])
    }

    /// The mean of the squared differences `(a - b)^2`. Differing shapes broadcast, about which torch
    /// warns: `[N, 1]` against `[N]` compares every element with every other. A mean over nothing is NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let loss = Tensor::mse_loss(&Tensor::from([1.0, 2.0]), &Tensor::from([1.0, 5.0]));
    /// assert_eq!(loss.item(), 4.5);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the dtype is not floating point.
    #[track_caller]
    pub fn mse_loss(a: &Tensor, b: &Tensor) -> Tensor {
        let (mut a, mut b) = promoted(a, b);
        if a.sizes() != b.sizes() {
            let shape = broadcast("mse_loss", a.sizes(), b.sizes());
            (a, b) = (a.expand_to(shape.clone()), b.expand_to(shape));
        }
        let count = a.numel();
        let loss = dispatch_float!("mse_loss", a.dtype(), T => {
            let sum = a.dense().with2::<T, T, _>(&b.dense(), |a, b| {
                kernel::squared_distance(&a.data[..count], &b.data[..count])
            });
            let mean = sum / T::from_i64(count as i64);
            Tensor::from_buffer(build::<T>(1, |out| out[0] = mean), Dims::new())
        });
        loss.record(&[&a, &b], || MseLoss, |_| saves![&a, &b])
    }

    /// The mean of the absolute differences `|a - b|`. Differing shapes broadcast.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the dtype is not floating point.
    #[track_caller]
    pub fn l1_loss(a: &Tensor, b: &Tensor) -> Tensor {
        a.sub(b).abs().mean()
    }
}

#[cfg(test)]
mod tests {
    use super::IGNORED;
    use crate::op::spread;
    use crate::{DType, Tensor};

    /// Mean cross entropy and its gradient, from definitions, for rows of `classes` logits.
    fn naive(logits: &[f64], classes: usize, target: &[i64]) -> (f64, Vec<f64>) {
        let count = target.iter().filter(|&&class| class != IGNORED).count() as f64;
        let (mut loss, mut gradient) = (0.0, Vec::new());
        for (row, &class) in logits.chunks(classes).zip(target) {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            for (i, x) in row.iter().enumerate() {
                let hit = f64::from(u8::from(i as i64 == class));
                gradient.push(if class == IGNORED { 0.0 } else { (x.exp() / sum - hit) / count });
            }
            loss += if class == IGNORED { 0.0 } else { sum.ln() - row[class as usize] };
        }
        (loss / count, gradient)
    }

    fn close(actual: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(actual.len(), expected.len());
        for (a, b) in actual.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}");
        }
    }

    #[test]
    fn cross_entropy_matches_its_definition() {
        for (rows, classes) in [(1, 3), (5, 4), (100, 10), (7, 100), (30_000, 5)] {
            let x = spread(&[rows, classes], -3.0, 3.0);
            let labels: Vec<i64> =
                (0..rows).map(|i| if i % 5 == 3 { IGNORED } else { (i * 7 % classes) as i64 }).collect();
            let target = Tensor::from(labels.clone());
            let (loss, gradient) = naive(&x.to_vec::<f64>(), classes, &labels);
            for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
                let x = x.detach().to_dtype(dtype).requires_grad_(true);
                let value = Tensor::cross_entropy(&x, &target);
                assert_eq!((value.dim(), value.dtype()), (0, dtype));
                close(&[value.item()], &[loss], tolerance);
                (&value * 2.0).backward().unwrap();
                close(&(x.grad().unwrap() / 2.0).double().to_vec::<f64>(), &gradient, tolerance);
                let nll = Tensor::nll_loss(&x.detach().log_softmax(1), &target);
                close(&[nll.item()], &[loss], tolerance);
            }
        }
    }

    #[test]
    fn classes_may_come_before_other_dimensions() {
        let x = spread(&[2, 3, 5], -2.0, 2.0);
        let target = Tensor::arange(0, 10, 1).reshape([2, 5]).to_vec::<i64>();
        let target = Tensor::from_vec(target.iter().map(|i| i * i % 3).collect::<Vec<_>>(), [2, 5]);
        let rows = x.transpose(1, 2).reshape([10, 3]);
        let expected = Tensor::cross_entropy(&rows, &target.flatten(0, 1)).item();
        close(&[Tensor::cross_entropy(&x, &target).item()], &[expected], 1e-14);
        let single = Tensor::cross_entropy(&rows.i(0), &target.i((0, 0))).item();
        close(&[single], &[Tensor::cross_entropy(&rows.slice(0, ..1, 1), &target.i((0, ..1))).item()], 1e-15);
    }

    #[test]
    fn probabilities_generalise_classes() {
        let x = spread(&[4, 3], -2.0, 2.0);
        let target = Tensor::from([2i64, 0, 1, 1]);
        let hot = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);
        let (a, b) = (x.copy().requires_grad_(true), x.copy().requires_grad_(true));
        let (by_class, by_probability) = (Tensor::cross_entropy(&a, &target), Tensor::cross_entropy(&b, &hot));
        close(&[by_class.item()], &[by_probability.item()], 1e-15);
        by_class.backward().unwrap();
        by_probability.backward().unwrap();
        close(&a.grad().unwrap().to_vec::<f64>(), &b.grad().unwrap().to_vec::<f64>(), 1e-15);
    }

    #[test]
    fn the_saved_softmax_is_not_the_logits() {
        // torch saves the result of the softmax: the logits may change before the backward pass.
        let x = spread(&[4, 3], -2.0, 2.0).requires_grad_(true);
        let logits = &x * 1.0;
        let loss = Tensor::cross_entropy(&logits, &Tensor::from([2i64, 0, 1, 1]));
        crate::no_grad(|| logits.fill_(0.0));
        loss.backward().unwrap();
        let (_, expected) = naive(&x.to_vec::<f64>(), 3, &[2, 0, 1, 1]);
        close(&x.grad().unwrap().to_vec::<f64>(), &expected, 1e-14);
    }

    #[test]
    fn means_of_nothing_are_nan() {
        let empty = Tensor::zeros([0, 3], DType::F32);
        assert!(Tensor::cross_entropy(&empty, &Tensor::zeros(0, DType::I64)).item().is_nan());
        let ignored = Tensor::cross_entropy(&Tensor::zeros([1, 3], DType::F32), &Tensor::from([IGNORED]));
        assert!(ignored.item().is_nan());
        assert!(Tensor::mse_loss(&empty, &empty).item().is_nan());
    }

    #[test]
    fn squared_differences_are_averaged() {
        for len in [1, 5, 4096, 10_000, 300_000] {
            let (a, b) = (spread(&[len], -1.0, 1.0), spread(&[len], 0.0, 3.0));
            let pairs = a.to_vec::<f64>().into_iter().zip(b.to_vec::<f64>());
            let expected = pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / len as f64;
            close(&[Tensor::mse_loss(&a, &b).item()], &[expected], 1e-12);
        }
        let (column, row) = (Tensor::from([[0.0], [1.0]]), Tensor::from([0.0f32, 2.0]));
        assert_eq!(Tensor::mse_loss(&column, &row).item(), (0.0 + 4.0 + 1.0 + 1.0) / 4.0);
        assert_eq!(Tensor::l1_loss(&column, &row).item(), (0.0 + 2.0 + 1.0 + 1.0) / 4.0);
    }

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn targets_that_do_not_fit_are_named() {
        let x = Tensor::zeros([2, 3], DType::F32);
        let loss = |target: Tensor| Tensor::cross_entropy(&x, &target);
        panics_with("Target 7 is out of bounds. There are 3 classes", || loss(Tensor::from([0i64, 7])));
        panics_with("Target -1 is out of bounds.", || loss(Tensor::from([0i64, -1])));
        panics_with("Expected input batch_size (2) to match target batch_size (3).", || {
            loss(Tensor::from([0i64, 1, 2]))
        });
        panics_with("expected scalar type Long but found float32", || loss(Tensor::zeros(2, DType::F32)));
        panics_with("Expected floating point type for target with class probabilities, got int64", || {
            loss(Tensor::zeros([2, 3], DType::I64))
        });
        panics_with("Expected target size [2, 4], got [2, 5]", || {
            Tensor::cross_entropy(&Tensor::zeros([2, 3, 4], DType::F32), &Tensor::zeros([2, 5], DType::I64))
        });
        panics_with("mse_loss: The size of tensor a (2) must match the size of tensor b (3)", || {
            Tensor::mse_loss(&Tensor::zeros(2, DType::F32), &Tensor::zeros(3, DType::F32))
        });
        panics_with("mse_loss: not implemented for dtype int64", || {
            Tensor::mse_loss(&Tensor::from([1i64]), &Tensor::from([1i64]))
        });
    }
}
