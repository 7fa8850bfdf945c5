//! Values put, or combined with what is there, at places that an index tensor names. Sums are in `gather.rs`.

use super::gather::Places;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::dtype::{dispatch, dispatch_number};
use crate::kernel::reduce::{Combine, Largest, Number, Prefer, Smallest};
use crate::kernel::{Strided, copy, gather as kernel};
use crate::storage::build;
use crate::{DType, Element, Operand, Tensor};

/// Elements replaced by others, which are the second input, or by a number. Holds the dimension and torch's
/// name of the node.
pub(crate) struct Scatter(usize, &'static str);

/// Elements combined with others by a product or an extremum.
pub(crate) struct ScatterReduce {
    dim: usize,
    reduce: Reduce,
    include_self: bool,
}

/// How [`Tensor::scatter_reduce`] combines the values that go to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean; of integers, rounded down.
    Mean,
    /// The largest.
    Amax,
    /// The smallest.
    Amin,
}

impl Op for Scatter {
    fn name(&self) -> &'static str {
        self.1
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (dim, at) = (self.0 as isize, rule.saved(0));
        let mut gradients = gradients![rule; grad.scatter(dim, at, 0)];
        if rule.node.edges.len() == 2 {
            // As torch: of values for one place each gets the gradient, though only the last one is there.
            gradients.push(rule.needs(1).then(|| grad.gather(dim, at)));
        }
        gradients
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = |a: &[usize], b: &[usize]| [spread(a, -1.0, 1.0), spread(b, -0.9, 0.9)];
        let index = || Tensor::from([[0i64, 2, 0], [1, 1, 2]]);
        vec![
            Sample::new(inputs(&[3, 4], &[2, 4]), move |x| x[0].scatter(0, &index(), &x[1]).square()),
            Sample::new(inputs(&[4, 3], &[2, 4]), move |x| x[0].t().scatter(0, &index(), &x[1])),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], move |x| x[0].scatter(1, &index(), 2.0).square()),
            Sample::new(inputs(&[], &[]), |x| x[0].scatter(0, &Tensor::from(0i64), &x[1]).square()),
            Sample::new(inputs(&[2, 3], &[2, 2]), |x| x[0].index_copy(1, &Tensor::from([2i64, 0]), &x[1]).square()),
        ]
    }
}

impl Op for ScatterReduce {
    fn name(&self) -> &'static str {
        "ScatterReduceBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        match self.reduce {
            Reduce::Prod => self.product_gradients(rule, grad),
            _ => self.extremum_gradients(rule, grad),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = || [spread(&[3, 4], -1.0, 1.0), spread(&[2, 4], -0.9, 0.9)];
        let index = || Tensor::from([[0i64, 2, 0], [1, 1, 0]]);
        let sample = |reduce, include_self| {
            Sample::new(inputs(), move |x| x[0].scatter_reduce(0, &index(), &x[1], reduce, include_self).square())
        };
        let mut samples = Vec::new();
        for reduce in [Reduce::Sum, Reduce::Prod, Reduce::Mean, Reduce::Amax, Reduce::Amin] {
            samples.extend([sample(reduce, true), sample(reduce, false)]);
        }
        samples
    }
}

impl ScatterReduce {
    /// The gradient of the target: none of what the result does not include.
    fn own(&self, rule: &Rule<'_>, gradient: Tensor) -> Tensor {
        if self.include_self { gradient } else { gradient.scatter(self.dim as isize, rule.saved(1), 0) }
    }

    /// Equal extrema share the gradient, as in torch: the target's element counts even if it is not included.
    fn extremum_gradients(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, at, values, result) = (rule.saved(0), rule.saved(1), rule.saved(2), rule.saved(3));
        let dim = self.dim as isize;
        let own = x.eq(result).to_dtype(grad.dtype());
        let others = values.eq(result.gather(dim, at)).to_dtype(grad.dtype());
        let share = grad / own.scatter_add(dim, at, &others);
        gradients![rule; self.own(rule, &own * &share), &others * share.gather(dim, at)]
    }

    /// The product without the one factor, by division; of a single zero, by the product of the rest.
    fn product_gradients(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, at, values, result) = (rule.saved(0), rule.saved(1), rule.saved(2), rule.saved(3));
        let dim = self.dim as isize;
        let product = |x: &Tensor, values: &Tensor| x.scatter_reduce(dim, at, values, Reduce::Prod, self.include_self);
        let target = || {
            let filled = x.masked_fill(&x.eq(0), 1);
            self.own(rule, grad * product(&filled, values) / filled)
        };
        let factors = || {
            let zero = values.eq(0);
            let zeros = Tensor::zeros(x.sizes(), x.dtype()).scatter_add(dim, at, &zero.to_dtype(x.dtype()));
            let single = Tensor::where_(&zero, zeros.gather(dim, at).eq(1), false);
            let rest = product(x, &values.masked_fill(&single, 1));
            let of_zero = (grad * rest).gather(dim, at);
            let of_others = (grad * result).gather(dim, at) / values.masked_fill(&zero, 1);
            Tensor::where_(&single, of_zero, of_others)
        };
        gradients![rule; target(), factors()]
    }
}

/// `x` with `combine(old, value)` at the places of the index, not recorded.
fn scattered<T: Element>(places: &Places, include_self: Option<T>, combine: fn(T, T) -> T) -> Tensor {
    let Places { x, at, values, axis } = places;
    let strides = crate::shape::row_major(x.sizes());
    let buffer = build::<T>(x.numel(), |out| {
        x.with(|x| copy::to_dense(x, out));
        if let Some(neutral) = include_self {
            let repeated = vec![0; at.dim()];
            at.with::<i64, _>(|at| {
                let neutral = Strided { data: &[neutral], shape: at.shape, strides: &repeated };
                kernel::scatter(out, &strides, *axis, at, neutral, |_, new| new);
            });
        }
        values.with2::<T, i64, _>(at, |values, at| {
            kernel::scatter(out, &strides, *axis, at, values, combine);
        });
    });
    Tensor::from_buffer(buffer, x.layout().shape.clone())
}

/// The function of two values, and what leaves the other one as it is.
fn combination<T: Number>(reduce: Reduce) -> (T, fn(T, T) -> T) {
    match reduce {
        Reduce::Sum | Reduce::Mean => (T::ZERO, T::plus),
        Reduce::Prod => (T::ONE, T::times),
        Reduce::Amax => (T::LOWEST, <Largest as Prefer>::Value::<T>::join),
        Reduce::Amin => (T::HIGHEST, <Smallest as Prefer>::Value::<T>::join),
    }
}

impl Tensor {
    /// This tensor with values of `src` at the places that `index` names: `out[index[i, j], j] = src[i, j]`
    /// for `dim = 0`, `out[i, index[i, j]] = src[i, j]` for `dim = 1`, and so on. `src` is a tensor at least
    /// as large as the index, or one number. A place that is named repeatedly keeps the last value; as in torch,
    /// every value for it gets its gradient all the same.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (x, index) = (Tensor::zeros([2, 3], DType::F64), Tensor::from([[2i64], [0]]));
    /// assert_eq!(x.scatter(1, &index, 1.0).to_vec::<f64>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64`, does not fit both tensors, or holds a number that is negative or too
    /// large, or if the dtypes differ.
    #[track_caller]
    pub fn scatter<'a>(&self, dim: isize, index: &Tensor, src: impl Into<Operand<'a>>) -> Tensor {
        self.scatter_as("scatter", "ScatterBackward0", dim, index, src.into())
    }

    #[track_caller]
    pub(super) fn scatter_as(
        &self,
        op: &str,
        name: &'static str,
        dim: isize,
        index: &Tensor,
        src: Operand<'_>,
    ) -> Tensor {
        if index.numel() == 0 && index.dtype() == DType::I64 {
            return self.copy();
        }
        let (places, recorded) = match &src {
            Operand::Tensor(src) => (Places::new(op, self, dim, index, src), true),
            Operand::Scalar(number) => {
                let number = Tensor::full((), *number, self.dtype()).expand(index.sizes());
                (Places::new(op, self, dim, index, &number), false)
            }
        };
        let out = dispatch!(self.dtype(), T => scattered::<T>(&places, None, |_, new| new));
        let Places { x, at, values, axis } = &places;
        let inputs = [x, values];
        out.record(&inputs[..1 + usize::from(recorded)], || Scatter(*axis, name), |_| saves![at])
            .reshape_to(self.sizes())
    }

    /// [`scatter`](Tensor::scatter) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// x.scatter_(0, &Tensor::from([1i64]), 0.0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// As `scatter`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn scatter_<'a>(&self, dim: isize, index: &Tensor, src: impl Into<Operand<'a>>) -> Tensor {
        self.replace_("scatter_", |x| x.scatter(dim, index, src))
    }

    /// [`scatter_add`](Tensor::scatter_add) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// x.scatter_add_(0, &Tensor::from([1i64, 1]), &Tensor::from([10.0, 20.0]));
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 32.0]);
    /// ```
    ///
    /// # Panics
    /// As `scatter_add`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn scatter_add_(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        self.replace_("scatter_add_", |x| x.scatter_add(dim, index, src))
    }

    /// This tensor with each element combined with the values of `src` that [`scatter`](Tensor::scatter)
    /// would put there; without `include_self`, the values alone are combined. Elements at places that the
    /// index does not name stay.
    ///
    /// Equal extrema share their gradient; as in torch, the tensor's own element counts among them even if
    /// it is not included.
    ///
    /// ```
    /// # use tape::{Reduce, Tensor};
    /// let (x, index) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([0i64, 0, 1]));
    /// let src = Tensor::from([4.0, 7.0, 0.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &src, Reduce::Mean, true).to_vec::<f64>(), [4.0, 1.0, 3.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &src, Reduce::Amax, true).to_vec::<f64>(), [7.0, 2.0, 3.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &src, Reduce::Prod, false).to_vec::<f64>(), [28.0, 0.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64`, does not fit both tensors, or holds a number that is negative or too
    /// large, if the dtypes differ, or for a mean of booleans.
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        dim: isize,
        index: &Tensor,
        src: &Tensor,
        reduce: Reduce,
        include_self: bool,
    ) -> Tensor {
        const OP: &str = "scatter_reduce";
        if index.numel() == 0 && index.dtype() == DType::I64 {
            return self.copy();
        }
        if self.dtype() == DType::Bool && reduce != Reduce::Mean {
            let src = if src.dtype() == DType::Bool { src.long() } else { src.clone() };
            return self.long().scatter_reduce(dim, index, &src, reduce, include_self).bool();
        }
        if matches!(reduce, Reduce::Sum | Reduce::Mean) {
            let start = if include_self { self.clone() } else { self.scatter(dim, index, 0) };
            let sum = start.scatter_add(dim, index, src);
            return if reduce == Reduce::Sum { sum } else { sum.divide_by_count(dim, index, include_self) };
        }
        let places = Places::new(OP, self, dim, index, src);
        let out = dispatch_number!(OP, self.dtype(), T => {
            let (neutral, combine) = combination::<T>(reduce);
            scattered::<T>(&places, (!include_self).then_some(neutral), combine)
        });
        let Places { x, at, values, axis } = &places;
        let op = || ScatterReduce { dim: *axis, reduce, include_self };
        let out = out.record(&[x, values], op, |result| {
            let mut saved = saves![x, at, values];
            saved.push(Saved::output(result, 0));
            saved
        });
        out.reshape_to(self.sizes())
    }

    /// Sums divided by how many values each is of.
    #[track_caller]
    fn divide_by_count(&self, dim: isize, index: &Tensor, include_self: bool) -> Tensor {
        let start = Tensor::full(self.sizes(), i32::from(include_self), self.dtype());
        let count = start.scatter_add(dim, index, &Tensor::ones(index.sizes(), self.dtype()));
        let count = count.clamp_min(1);
        if self.dtype() != DType::I64 {
            return self / count;
        }
        let divided = self.to_vec::<i64>().into_iter().zip(count.to_vec::<i64>());
        Tensor::from_vec(divided.map(|(sum, count)| sum.div_euclid(count)).collect::<Vec<_>>(), self.sizes())
    }
}

#[cfg(test)]
mod tests;
