//! Elements in another order or repeated: flips, rolls, rotations, `repeat_interleave`. Each is a list of
//! indices per dimension; padding (`pad.rs`) is one too.

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::{dispatch, dispatch_float};
use crate::kernel::rearrange::{Plan, add, read};
use crate::shape::{Dims, Ints, dim_mask, normalize_dim};
use crate::storage::build;
use crate::{DType, Scalar, Tensor};
use std::sync::Arc;

/// The elements at every combination of one list of indices per dimension, or a constant outside.
pub(crate) struct Rearrange(Arc<Map>);
/// The adjoint of [`Rearrange`]: adds each element to the one it was read from.
pub(crate) struct RearrangeBackward(Arc<Map>);

/// Where the elements of a result come from.
pub(super) struct Map {
    plan: Plan,
    input: Dims,
    output: Dims,
    /// torch's names of the node and of its derivative's.
    names: [&'static str; 2],
}

impl Op for Rearrange {
    fn name(&self) -> &'static str {
        self.0.names[0]
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; add_back(grad, &self.0)]
    }
    fn is_flat(&self) -> bool {
        // As torch has it: paddings know their input, other arrangements only its shape.
        self.0.names[0].contains("Pad")
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -1.0, 1.0)];
        vec![
            Sample::new(x(), |x| x[0].flip([0, -1]) * &x[0]),
            Sample::new(x(), |x| x[0].roll([1, -2], [1, 2]) * &x[0]),
            Sample::new(x(), |x| x[0].roll(5, ()) * &x[0]),
            Sample::new(x(), |x| x[0].rot90(-1, [1, 2]).square()),
            Sample::new(x(), |x| x[0].repeat_interleave(2, 1).square()),
            Sample::new(x(), |x| x[0].repeat_interleave_each(&Tensor::from([2i64, 0, 1]), 1).square()),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].flip(0) * x[0].repeat_interleave(3, None)),
            Sample::new([spread(&[0, 2], -1.0, 1.0)], |x| x[0].flip([0, 1]).roll(1, 1)),
        ]
    }
}

impl Op for RearrangeBackward {
    fn name(&self) -> &'static str {
        self.0.names[1]
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; read_through(grad, &self.0, Scalar::Int(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| {
            let map = Map::new(&[2, 2], vec![None, Some(vec![0, 1, 0])], ["", ""]);
            add_back(&x[0], &Arc::new(map)).square()
        })]
    }
}

impl Map {
    fn new(input: &[usize], lists: Vec<Option<Vec<usize>>>, names: [&'static str; 2]) -> Map {
        let sizes = lists.iter().zip(input);
        let output = sizes.map(|(list, &size)| list.as_ref().map_or(size, Vec::len)).collect();
        Map { plan: Plan::new(input, &lists), input: Dims::from_slice(input), output, names }
    }
}

/// `x` at every combination of the indices in `lists`, one per dimension (`None`: all of it); places outside
/// give `fill`.
#[track_caller]
pub(super) fn rearranged(x: &Tensor, lists: Vec<Option<Vec<usize>>>, fill: Scalar, names: [&'static str; 2]) -> Tensor {
    let map = Map::new(x.sizes(), lists, names);
    crate::shape::numel(&map.output);
    read_through(x, &Arc::new(map), fill)
}

fn read_through(x: &Tensor, map: &Arc<Map>, fill: Scalar) -> Tensor {
    let source = x.dense();
    let out = dispatch!(x.dtype(), T => {
        let fill = fill.cast::<T>();
        let buffer = build::<T>(map.output.iter().product(), |out| {
            source.with::<T, _>(|x| read(&map.plan, x.data, fill, out));
        });
        Tensor::from_buffer(buffer, map.output.clone())
    });
    out.record(&[x], || Rearrange(Arc::clone(map)), |_| saves![])
}

fn add_back(grad: &Tensor, map: &Arc<Map>) -> Tensor {
    let source = grad.dense();
    let out = dispatch_float!("rearrange", grad.dtype(), T => {
        let buffer = build::<T>(map.input.iter().product(), |out| {
            out.fill(T::default());
            source.with::<T, _>(|grad| add(&map.plan, &grad.data[..source.numel()], out));
        });
        Tensor::from_buffer(buffer, map.input.clone())
    });
    out.record(&[grad], || RearrangeBackward(Arc::clone(map)), |_| saves![])
}

impl Tensor {
    /// The order of the indices reversed along each of `dims`; a copy.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.flip(0).to_vec::<f64>(), [3.0, 4.0, 1.0, 2.0]);
    /// assert_eq!(x.flip([0, 1]).to_vec::<f64>(), [4.0, 3.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn flip(&self, dims: impl Into<Ints>) -> Tensor {
        let named = dim_mask("flip", &dims.into(), self.dim());
        let reversed = |(&size, named): (&usize, bool)| named.then(|| (0..size).rev().collect());
        let lists = self.sizes().iter().zip(named).map(reversed).collect();
        rearranged(self, lists, Scalar::Int(0), ["FlipBackward0"; 2])
    }

    /// Columns in reverse order: [`flip`](Tensor::flip) of dimension 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0]]).fliplr().to_vec::<f64>(), [2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two dimensions.
    #[track_caller]
    pub fn fliplr(&self) -> Tensor {
        if self.dim() < 2 {
            panic!("fliplr: Input must be >= 2-d. (shape {:?}); flip(-1) reverses a vector", self.sizes());
        }
        self.flip(1)
    }

    /// Rows in reverse order: [`flip`](Tensor::flip) of dimension 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).flipud().to_vec::<f64>(), [2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions.
    #[track_caller]
    pub fn flipud(&self) -> Tensor {
        if self.dim() < 1 {
            panic!("flipud: Input must be >= 1-d. (the tensor has no dimensions)");
        }
        self.flip(0)
    }

    /// Elements moved by `shifts` places along `dims`, one shift per dimension; what leaves at the end
    /// comes in again at the start. Without dimensions (`()`), the elements in row-major order are moved.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.roll(1, 1).to_vec::<f64>(), [3.0, 1.0, 2.0, 6.0, 4.0, 5.0]);
    /// assert_eq!(x.roll(-1, ()).to_vec::<f64>(), [2.0, 3.0, 4.0, 5.0, 6.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range, there is not one shift per dimension, or there is no shift.
    #[track_caller]
    pub fn roll(&self, shifts: impl Into<Ints>, dims: impl Into<Ints>) -> Tensor {
        let (shifts, dims) = (shifts.into(), dims.into());
        if shifts.is_empty() {
            panic!("roll: `shifts` required; pass one shift per dimension, or one with () for dims");
        }
        if dims.is_empty() && shifts.len() == 1 {
            let flat = self.reshape_to(&[self.numel()]);
            return flat.roll_lists(vec![rolled(self.numel(), shifts[0])]).reshape_to(self.sizes());
        }
        if dims.len() != shifts.len() {
            panic!(
                "roll: shifts and dimensions must align. shifts: {}, dims:{}; pass one shift per dimension \
                 (shifts {:?}, dims {:?})",
                shifts.len(),
                dims.len(),
                &shifts[..],
                &dims[..]
            );
        }
        if self.dim() == 0 {
            panic!("roll: Dimension specified as {} but tensor has no dimensions; pass () for dims", dims[0]);
        }
        let mut total = vec![0isize; self.dim()];
        for (&shift, &dim) in shifts.iter().zip(dims.iter()) {
            let dim = normalize_dim("roll", dim, self.dim());
            total[dim] += shift % self.sizes()[dim].max(1) as isize;
        }
        let lists = self.sizes().iter().zip(total).map(|(&size, shift)| rolled(size, shift)).collect();
        self.roll_lists(lists)
    }

    fn roll_lists(&self, lists: Vec<Option<Vec<usize>>>) -> Tensor {
        rearranged(self, lists, Scalar::Int(0), ["RollBackward0"; 2])
    }

    /// Rotated `k` times by 90 degrees in the plane of two dimensions, from the first towards the second;
    /// negative `k` turns back.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.rot90(1, [0, 1]).to_vec::<f64>(), [2.0, 4.0, 1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or both are the same.
    #[track_caller]
    pub fn rot90(&self, k: isize, dims: [isize; 2]) -> Tensor {
        if self.dim() < 2 {
            panic!("rot90: expected total dims >= 2, but got total dims = {} (shape {:?})", self.dim(), self.sizes());
        }
        let [a, b] = dims.map(|dim| normalize_dim("rot90", dim, self.dim()) as isize);
        if a == b {
            panic!(
                "rot90: expected rotation dims to be different, but got dim0 = {} and dim1 = {}; name two",
                dims[0], dims[1]
            );
        }
        match k.rem_euclid(4) {
            1 => self.flip(b).transpose(a, b),
            2 => self.flip([a, b]),
            3 => self.flip(a).transpose(a, b),
            _ => self.copy(),
        }
    }

    /// Each index of `dim` repeated `repeats` times in a row; with `None`, each element of the flattened
    /// tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.repeat_interleave(2, 1).to_vec::<f64>(), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    /// assert_eq!(x.repeat_interleave(2, None).shape(), [8]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn repeat_interleave(&self, repeats: usize, dim: impl Into<Option<isize>>) -> Tensor {
        self.interleave("repeat_interleave", dim.into(), |size| vec![repeats; size])
    }

    /// Index `i` of `dim` repeated `repeats[i]` times in a row; with `None`, the elements of the flattened
    /// tensor. `repeats` is a vector of `I64` with one number per index, or one number for all.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let rows = x.repeat_interleave_each(&Tensor::from([1i64, 2]), 0);
    /// assert_eq!(rows.to_vec::<f64>(), [1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range, or `repeats` is not a vector of `I64`, does not have one number per
    /// index, or holds a negative one.
    #[track_caller]
    pub fn repeat_interleave_each(&self, repeats: &Tensor, dim: impl Into<Option<isize>>) -> Tensor {
        const OP: &str = "repeat_interleave_each";
        if repeats.dtype() != DType::I64 {
            panic!("{OP}: repeats must be of dtype int64, but is {}; convert it with long()", repeats.dtype());
        }
        if repeats.dim() > 1 {
            panic!("{OP}: repeats must be 0-dim or 1-dim tensor (its shape is {:?}); flatten it", repeats.sizes());
        }
        let counts = repeats.to_vec::<i64>();
        if let Some(count) = counts.iter().find(|&&count| count < 0) {
            panic!("{OP}: repeats can not be negative, but one is {count}");
        }
        self.interleave(OP, dim.into(), |size| {
            if counts.len() == 1 {
                return vec![counts[0] as usize; size];
            }
            if counts.len() != size {
                panic!(
                    "{OP}: repeats must have the same size as input along dim, but got repeats.size(0) = {} and \
                     a dimension of size {size} (input shape {:?})",
                    counts.len(),
                    self.sizes()
                );
            }
            counts.iter().map(|&count| count as usize).collect()
        })
    }

    /// Indices of a dimension (of the flattened tensor) repeated as often as `counts` of its size says.
    #[track_caller]
    fn interleave(&self, op: &str, dim: Option<isize>, counts: impl FnOnce(usize) -> Vec<usize>) -> Tensor {
        let (x, dim) = match dim {
            Some(dim) if self.dim() > 0 => (self.clone(), normalize_dim(op, dim, self.dim())),
            Some(dim) => (self.reshape_to(&[1]), normalize_dim(op, dim, 0)),
            None => (self.reshape_to(&[self.numel()]), 0),
        };
        let counts = counts(x.sizes()[dim]);
        let list = counts.iter().enumerate().flat_map(|(i, &count)| std::iter::repeat_n(i, count)).collect();
        let mut lists = vec![None; x.dim()];
        lists[dim] = Some(list);
        rearranged(&x, lists, Scalar::Int(0), ["IndexSelectBackward0", "IndexAddBackward0"])
    }
}

/// The indices of a dimension after moving by `shift`; `None` if nothing moves.
fn rolled(size: usize, shift: isize) -> Option<Vec<usize>> {
    if size == 0 || shift % size as isize == 0 {
        return None;
    }
    let shift = shift.rem_euclid(size as isize) as usize;
    Some((size - shift..size).chain(0..size - shift).collect())
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    fn index(x: &Tensor) -> Vec<i64> {
        x.to_vec::<i64>()
    }

    #[test]
    fn rolls_are_torchs() {
        let x = Tensor::arange(0, 12, 1).reshape([3, 4]);
        // torch.arange(12).reshape(3, 4).roll(...)
        assert_eq!(index(&x.roll(1, ())), [11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(index(&x.roll([1, 1], [0, 0]).select(1, 0)), [4, 8, 0]);
        assert_eq!(index(&x.roll([-5, 1], [-1, 0]).select(0, 0)), [9, 10, 11, 8]);
        assert_eq!(Tensor::from(3.0).roll(1, ()).item(), 3.0);
        assert_eq!(Tensor::zeros([0, 2], DType::Bool).roll(1, 0).sizes(), [0, 2]);
    }

    #[test]
    fn flips_and_rotations_are_torchs() {
        let x = Tensor::arange(0, 6, 1).reshape([2, 3]);
        assert_eq!(index(&x.t().flip(0)), [2, 5, 1, 4, 0, 3]);
        assert_eq!(index(&x.flip(())), [0, 1, 2, 3, 4, 5]);
        assert_eq!(index(&x.rot90(1, [0, 1])), [2, 5, 1, 4, 0, 3]);
        assert_eq!(index(&x.rot90(1, [1, 0])), [3, 0, 4, 1, 5, 2]);
        assert_eq!(index(&x.rot90(-1, [0, 1])), [3, 0, 4, 1, 5, 2]);
        assert_eq!(index(&x.rot90(6, [0, 1])), [5, 4, 3, 2, 1, 0]);
        let copy = x.rot90(4, [0, 1]);
        copy.fill_(0);
        assert_eq!(index(&x), [0, 1, 2, 3, 4, 5]);
        let y = spread(&[2, 2, 3], -1.0, 1.0);
        assert_eq!(y.flip([0, 2]).flip([2, 0]).to_vec::<f64>(), y.to_vec::<f64>());
    }

    #[test]
    fn repetitions_are_torchs() {
        let x = Tensor::arange(0, 6, 1).reshape([3, 2]);
        assert_eq!(index(&x.repeat_interleave_each(&Tensor::from([1i64, 2, 0]), 0)), [0, 1, 2, 3, 2, 3]);
        assert_eq!(x.repeat_interleave_each(&Tensor::from(2i64), None).sizes(), [12]);
        assert_eq!(x.repeat_interleave_each(&Tensor::from([2i64]), -2).sizes(), [6, 2]);
        assert_eq!(index(&Tensor::from(2i64).repeat_interleave(3, 0)), [2, 2, 2]);
        assert_eq!(x.repeat_interleave(0, 1).sizes(), [3, 0]);
    }

    #[test]
    #[should_panic(expected = "shifts and dimensions must align. shifts: 2, dims:1")]
    fn every_shift_has_a_dimension() {
        Tensor::zeros([2, 2], DType::F32).roll([1, 2], 0);
    }

    #[test]
    #[should_panic(expected = "repeats.size(0) = 2 and a dimension of size 3")]
    fn every_index_has_a_count() {
        Tensor::zeros(3, DType::F32).repeat_interleave_each(&Tensor::from([1i64, 2]), 0);
    }

    #[test]
    #[should_panic(expected = "repeats can not be negative, but one is -2")]
    fn counts_are_not_negative() {
        Tensor::zeros(2, DType::F32).repeat_interleave_each(&Tensor::from([1i64, -2]), 0);
    }
}
