//! Running sums, products, extremes and logarithms of sums of exponentials along a dimension, differences and
//! trapezoids.

use super::reduced::at_least_one_dimension;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, save_output, saves};
use crate::dtype::{dispatch_float, dispatch_number};
use crate::kernel::axis::Axis;
use crate::kernel::reduce::{Largest, Prefer, Smallest};
use crate::kernel::scan::scan;
use crate::shape::normalize_dim;
use crate::storage::build;
use crate::{DType, Element, Tensor};

/// Sums of each element and all before it; `reverse`: after it.
pub(crate) struct Cumsum {
    dim: usize,
    reverse: bool,
}
/// Products of each element and all before it; `reverse`: after it.
pub(crate) struct Cumprod {
    dim: usize,
    reverse: bool,
}
/// The logarithm of the running sum of exponentials.
pub(crate) struct Logcumsumexp(usize);
/// `s_k = b_k + a_k s_(k-1)` (with `s_(k+1)` in reverse) of inputs `a`, `b`: the derivative of running products
/// and of its own.
pub(crate) struct Recurrence {
    dim: usize,
    reverse: bool,
}

impl Op for Cumsum {
    fn name(&self) -> &'static str {
        "CumsumBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.cumsum_along(self.dim, !self.reverse)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let mut samples = samples_along(|x, dim| x.cumsum(dim) * x);
        samples.extend(samples_along(|x, dim| x.cumsum_along(normalize_dim("", dim, 2), true)));
        samples.push(Sample::new([spread(&[4, 2], -1.0, 1.0)], |x| x[0].diff(2, 0).pow(2.0)));
        samples.push(Sample::new([spread(&[3, 2], -1.0, 1.0)], |x| x[0].trapezoid(0.5, 0).pow(2.0)));
        samples.push(Sample::new([spread(&[2, 4], -1.0, 1.0)], |x| x[0].cumulative_trapezoid(2.0, -1)));
        samples.push(Sample::new([spread(&[2, 4], -1.0, 1.0)], |x| x[0].cummax(1).0 * &x[0]));
        samples.push(Sample::new([spread(&[4, 2], -1.0, 1.0)], |x| x[0].t().cummin(-1).0.pow(2.0)));
        samples.push(Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].cumsum(0) * x[0].cummax(-1).0));
        samples
    }
}

impl Op for Cumprod {
    fn name(&self) -> &'static str {
        "CumprodBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        // The derivative of `x_0 .. x_j` by `x_k` is `x_0 .. x_(k-1)` times `x_(k+1) .. x_j`. Summed over j with
        // the gradient, the latter is a recurrence: no division, so zeros do no harm.
        let Cumprod { dim, reverse } = *self;
        let x = rule.saved(0);
        gradients![rule; {
            let before = shifted(x, dim, reverse, 1.0).cumprod_along(dim, reverse);
            before * recurrence(&shifted(x, dim, !reverse, 0.0), grad, dim, !reverse)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let mut samples = samples_along(Tensor::cumprod);
        samples.extend(samples_along(|x, dim| x.cumprod_along(normalize_dim("", dim, 2), true)));
        samples.push(Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].cumprod(0)));
        let zeros = || [Tensor::from([[1.5, 0.0, -2.0, 0.0, 1.2], [0.0, 2.0, 0.5, 0.7, 0.0]])];
        samples.push(Sample::new(zeros(), |x| x[0].cumprod(1)));
        samples.push(Sample::new(zeros(), |x| x[0].cumprod(0)));
        samples
    }
}

impl Op for Logcumsumexp {
    fn name(&self) -> &'static str {
        "LogcumsumexpBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        // The derivative of `y_j` by `x_k` is `exp(x_k - y_j) = exp(x_k - y_k) exp(y_k - y_(k+1)) .. `: factors
        // of at most one, so neither overflow nor cancellation.
        let (dim, x, y) = (self.0, rule.saved(0), rule.saved(1));
        gradients![rule; {
            // Nothing follows the last element: its factor is `exp(y - inf) = 0`.
            let next = shifted(y, dim, true, f64::INFINITY);
            let same = y.eq(&next).logical_and(&y.isinf());
            let ratio = Tensor::where_(&same, 0, y - next).exp();
            (x - y).exp() * recurrence(&ratio, grad, dim, true)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let mut samples = samples_along(Tensor::logcumsumexp);
        samples.push(Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].logcumsumexp(0)));
        samples
    }
}

impl Op for Recurrence {
    fn name(&self) -> &'static str {
        "RecurrenceBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let Recurrence { dim, reverse } = *self;
        let (a, s) = (rule.saved(0), rule.saved(1));
        let carried = recurrence(&shifted(a, dim, !reverse, 0.0), grad, dim, !reverse);
        gradients![rule; &carried * shifted(s, dim, reverse, 0.0), carried.clone()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = || [spread(&[2, 4, 2], -1.0, 1.0), spread(&[2, 4, 2], -0.9, 0.9)];
        vec![
            Sample::new(inputs(), |x| recurrence(&x[0], &x[1], 1, false)),
            Sample::new(inputs(), |x| recurrence(&x[0], &x[1], 0, true)),
            Sample::new(inputs(), |x| recurrence(&x[0], &x[1], 2, true)),
        ]
    }
}

#[cfg(test)]
fn samples_along(f: impl Fn(&Tensor, isize) -> Tensor + Send + Sync + Copy + 'static) -> Vec<crate::op::Sample> {
    use crate::op::{Sample, spread};
    vec![
        Sample::new([spread(&[2, 4], -2.0, 2.0)], move |x| f(&x[0], -1)),
        Sample::new([spread(&[4, 3], -2.0, 2.0)], move |x| f(&x[0], 0)),
        Sample::new([spread(&[3, 2], -2.0, 2.0)], move |x| f(&x[0].t(), 1)),
        Sample::new([spread(&[2, 0], -2.0, 2.0)], move |x| f(&x[0], 1)),
    ]
}

/// `x` moved by one place along a dimension, towards its end or (`back`) its start; `fill` comes in.
pub(crate) fn shifted(x: &Tensor, dim: usize, back: bool, fill: f64) -> Tensor {
    let rest = match x.sizes()[dim] {
        0 => return x.clone(),
        size => size as isize - 1,
    };
    let edge = Tensor::full(super::reduced::without(x.sizes(), dim, true), fill, x.dtype());
    let (from, dim) = (isize::from(back), dim as isize);
    let moved = x.narrow(dim, from, rest as usize);
    if back { Tensor::cat(&[&moved, &edge], dim) } else { Tensor::cat(&[&edge, &moved], dim) }
}

/// See [`Recurrence`]; the inputs have one shape and dtype.
fn recurrence(a: &Tensor, b: &Tensor, dim: usize, reverse: bool) -> Tensor {
    let axis = Axis::new(b.sizes(), dim);
    let out = dispatch_float!("recurrence", b.dtype(), T => {
        let buffer = build::<T>(b.numel(), |out| {
            a.dense().with2::<T, T, _>(&b.dense(), |a, b| {
                let first = if reverse { axis.len.wrapping_sub(1) } else { 0 };
                scan(axis, reverse, out, 0.0f64, |acc, place, at| {
                    let (a, b) = (a.data[at].to_f64(), b.data[at].to_f64());
                    let next = if place == first { b } else { b + a * acc };
                    (next, next as T)
                });
            });
        });
        Tensor::from_buffer(buffer, b.layout().shape.clone())
    });
    let saved = |s: &Tensor| {
        let mut saved = saves![a];
        saved.push(Saved::output(s, 0));
        saved
    };
    out.record(&[a, b], || Recurrence { dim, reverse }, saved)
}

/// Runs `f`, a recorded function along a dimension, on a tensor that may have none.
#[track_caller]
fn along(op: &str, x: &Tensor, dim: isize, f: impl FnOnce(&Tensor, usize) -> Tensor) -> Tensor {
    let dim = normalize_dim(op, dim, x.dim());
    f(&at_least_one_dimension(x), dim).reshape_to(x.sizes())
}

/// `log(exp(a) + exp(b))`.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == high && low.is_infinite() { low } else { high + (low - high).exp().ln_1p() }
}

/// The place of the extreme element so far, the later one of equals; NaN stays, the latest first.
fn running_index<P: Prefer>(x: &Tensor, dim: usize) -> Tensor {
    if x.dtype() == DType::Bool {
        return running_index::<P>(&x.long(), dim);
    }
    let axis = Axis::new(x.sizes(), dim);
    let buffer = build::<i64>(x.numel(), |out| {
        dispatch_number!("cummax", x.dtype(), T => x.dense().with::<T, _>(|x| {
            scan(axis, false, out, (T::default(), 0), |(best, index), place, at| {
                let x = x.data[at];
                // `best` does not displace `x`: x is better, equal, or NaN.
                let taken = place == 0 || !P::displaces(x, best);
                let next = if taken { (x, place as i64) } else { (best, index) };
                (next, next.1)
            });
        }));
    });
    Tensor::from_buffer(buffer, x.layout().shape.clone())
}

#[track_caller]
fn running_extreme<P: Prefer>(op: &str, x: &Tensor, dim: isize) -> (Tensor, Tensor) {
    let at = normalize_dim(op, dim, x.dim());
    let indices = running_index::<P>(&at_least_one_dimension(x).detach(), at).reshape_to(x.sizes());
    (x.gather(dim, &indices), indices)
}

impl Tensor {
    /// The sums of each element and all before it along dimension `dim`. Integers and booleans give `I64`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec::<f64>(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor {
        along("cumsum", self, dim, |x, dim| x.cumsum_along(dim, false))
    }

    /// The products of each element and all before it along dimension `dim`. Integers and booleans give `I64`.
    /// The gradient is exact with zeros among the elements, in every order.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 4.0]).cumprod(0).to_vec::<f64>(), [2.0, 6.0, 24.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn cumprod(&self, dim: isize) -> Tensor {
        along("cumprod", self, dim, |x, dim| x.cumprod_along(dim, false))
    }

    /// The largest of each element and all before it along dimension `dim`, and its index: the later one of
    /// equals. NaN is larger than everything. The element of the index gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([1.0, 3.0, 2.0]).cummax(0);
    /// assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![1.0, 3.0, 3.0], vec![0, 1, 1]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn cummax(&self, dim: isize) -> (Tensor, Tensor) {
        running_extreme::<Largest>("cummax", self, dim)
    }

    /// The smallest of each element and all before it along dimension `dim`, and its index: the later one of
    /// equals. NaN is smaller than everything. The element of the index gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([2.0, 3.0, 1.0]).cummin(0);
    /// assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![2.0, 2.0, 1.0], vec![0, 0, 2]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn cummin(&self, dim: isize) -> (Tensor, Tensor) {
        running_extreme::<Smallest>("cummin", self, dim)
    }

    /// The logarithm of the sum of the exponentials of each element and all before it along dimension `dim`,
    /// without overflow. Integers are converted to `float32` first.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let y = Tensor::from([1000.0, 1000.0]).logcumsumexp(0).to_vec::<f64>();
    /// assert_eq!(y, [1000.0, 1000.0 + 2f64.ln()]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn logcumsumexp(&self, dim: isize) -> Tensor {
        along("logcumsumexp", &self.to_floating(), dim, |x, dim| {
            let axis = Axis::new(x.sizes(), dim);
            let out = dispatch_float!("logcumsumexp", x.dtype(), T => {
                let buffer = build::<T>(x.numel(), |out| x.dense().with::<T, _>(|x| {
                    scan(axis, false, out, f64::NEG_INFINITY, |acc, _, at| {
                        let next = log_add_exp(acc, x.data[at].to_f64());
                        (next, next as T)
                    });
                }));
                Tensor::from_buffer(buffer, x.layout().shape.clone())
            });
            let saved = |y: &Tensor| {
                let mut saved = saves![x];
                saved.extend(save_output(y));
                saved
            };
            out.record(&[x], || Logcumsumexp(dim), saved)
        })
    }

    /// The differences of neighbours along dimension `dim`, taken `n` times; of booleans, whether they differ.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 4.0, 9.0]).diff(1, 0).to_vec::<f64>(), [3.0, 5.0]);
    /// assert_eq!(Tensor::from([1.0, 4.0, 9.0]).diff(2, 0).to_vec::<f64>(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions or the dimension is out of range.
    #[track_caller]
    pub fn diff(&self, n: usize, dim: isize) -> Tensor {
        if self.dim() == 0 {
            panic!("diff: diff expects input to be at least one-dimensional; reshape the tensor to [1]");
        }
        let at = normalize_dim("diff", dim, self.dim()) as isize;
        let mut x = self.copy();
        for _ in 0..n.min(self.size(at)) {
            let rest = x.size(at) - 1;
            let (high, low) = (x.narrow(at, 1, rest), x.narrow(at, 0, rest));
            x = if x.dtype() == DType::Bool { high.logical_xor(&low) } else { high - low };
        }
        x
    }

    /// The integral along dimension `dim` by the trapezoidal rule, for points `dx` apart.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).trapezoid(0.5, 0).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions or the dimension is out of range.
    #[track_caller]
    pub fn trapezoid(&self, dx: impl Into<f64>, dim: isize) -> Tensor {
        self.sums_of_neighbours("trapezoid", dim).sum_dim(dim, false) * (dx.into() / 2.0)
    }

    /// The integrals up to each point but the first along dimension `dim` by the trapezoidal rule, for points
    /// `dx` apart.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let integrals = Tensor::from([1.0, 2.0, 3.0]).cumulative_trapezoid(1.0, 0);
    /// assert_eq!(integrals.to_vec::<f64>(), [1.5, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions or the dimension is out of range.
    #[track_caller]
    pub fn cumulative_trapezoid(&self, dx: impl Into<f64>, dim: isize) -> Tensor {
        self.sums_of_neighbours("cumulative_trapezoid", dim).cumsum(dim) * (dx.into() / 2.0)
    }

    #[track_caller]
    fn sums_of_neighbours(&self, op: &str, dim: isize) -> Tensor {
        if self.dim() == 0 {
            panic!("{op}: Dimension specified as {dim} but tensor has no dimensions; reshape the tensor to [1]");
        }
        let dim = normalize_dim(op, dim, self.dim()) as isize;
        let rest = self.size(dim).saturating_sub(1);
        self.narrow(dim, 0, rest) + self.narrow(dim, (self.size(dim) - rest) as isize, rest)
    }

    fn cumsum_along(&self, dim: usize, reverse: bool) -> Tensor {
        if self.dtype() == DType::Bool {
            return self.long().cumsum_along(dim, reverse);
        }
        let axis = Axis::new(self.sizes(), dim);
        let sum = |acc: f64, x: f64| acc + x;
        let out = running(self, axis, reverse, (0.0, sum), (0, i64::wrapping_add));
        out.record(&[self], || Cumsum { dim, reverse }, |_| saves![])
    }

    pub(super) fn cumprod_along(&self, dim: usize, reverse: bool) -> Tensor {
        if self.dtype() == DType::Bool {
            return self.long().cumprod_along(dim, reverse);
        }
        let axis = Axis::new(self.sizes(), dim);
        let product = |acc: f64, x: f64| acc * x;
        let out = running(self, axis, reverse, (1.0, product), (1, i64::wrapping_mul));
        out.record(&[self], || Cumprod { dim, reverse }, |_| saves![self])
    }
}

/// A running sum or product, not recorded; floating-point numbers are accumulated in double precision.
fn running(
    x: &Tensor,
    axis: Axis,
    reverse: bool,
    (start, step): (f64, impl Fn(f64, f64) -> f64 + Sync),
    (integer_start, integer_step): (i64, impl Fn(i64, i64) -> i64 + Sync),
) -> Tensor {
    let (dense, numel) = (x.dense(), x.numel());
    let buffer = match x.dtype() {
        DType::F32 => build::<f32>(numel, |out| {
            dense.with::<f32, _>(|x| {
                scan(axis, reverse, out, start, |acc, _, at| {
                    let next = step(acc, x.data[at].into());
                    (next, next as f32)
                });
            });
        }),
        DType::F64 => build::<f64>(numel, |out| {
            dense.with::<f64, _>(|x| {
                scan(axis, reverse, out, start, |acc, _, at| {
                    let next = step(acc, x.data[at]);
                    (next, next)
                });
            });
        }),
        DType::I64 | DType::Bool => build::<i64>(numel, |out| {
            dense.with::<i64, _>(|x| {
                scan(axis, reverse, out, integer_start, |acc, _, at| {
                    let next = integer_step(acc, x.data[at]);
                    (next, next)
                });
            });
        }),
    };
    Tensor::from_buffer(buffer, x.layout().shape.clone())
}

#[cfg(test)]
mod tests;
