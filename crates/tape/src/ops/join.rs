//! Joining tensors along a dimension and cutting them apart again.

use crate::autograd::{Gradients, Op, Rule, saves};
use crate::dtype::{dispatch, promote};
use crate::shape::{Dims, Ints, normalize_dim};
use crate::storage::build;
use crate::{Tensor, Tensors};

/// Tensors one after the other along an existing dimension.
pub(crate) struct Cat {
    dim: usize,
    /// Size of each input along `dim`; `None` for an empty vector, which takes part whatever its shape.
    sizes: Vec<Option<usize>>,
}

/// Tensors of one shape side by side along a new dimension.
pub(crate) struct Stack(usize);

impl Op for Cat {
    fn name(&self) -> &'static str {
        "CatBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let mut start = 0;
        let part = |(input, size): (usize, &Option<usize>)| {
            let Some(size) = *size else {
                return rule.needs(input).then(|| Tensor::zeros(0, grad.dtype()));
            };
            let first = start;
            start += size;
            rule.needs(input).then(|| grad.slice_to(self.dim, first, size, 1))
        };
        self.sizes.iter().enumerate().map(part).collect()
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let pair = |a: &[usize], b: &[usize]| [spread(a, -1.0, 1.0), spread(b, -0.9, 0.9)];
        vec![
            Sample::new(pair(&[2, 3], &[1, 3]), |x| Tensor::cat([&x[0], &x[1]], 0).pow(2.0)),
            Sample::new(pair(&[2, 3], &[2, 1]), |x| Tensor::cat([&x[0], &x[1], &x[0]], -1)),
            Sample::new(pair(&[2, 3], &[3, 2]), |x| Tensor::cat([&x[0], &x[1].t()], 0)),
            Sample::new(pair(&[2, 0], &[2, 2]), |x| Tensor::cat([&x[0], &x[1]], 1)),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].repeat([2, 1, 2]) * 2.0),
        ]
    }
}

impl Op for Stack {
    fn name(&self) -> &'static str {
        "StackBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let part = |i: usize| rule.needs(i).then(|| grad.select(self.0 as isize, i as isize));
        (0..grad.sizes()[self.0]).map(part).collect()
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let pair = |shape: &[usize]| [spread(shape, -1.0, 1.0), spread(shape, -0.9, 0.9)];
        vec![
            Sample::new(pair(&[2, 3]), |x| Tensor::stack([&x[0], &x[1]], 0).pow(2.0)),
            Sample::new(pair(&[2, 3]), |x| Tensor::stack([&x[0].t(), &x[1].t(), &x[0].t()], -1)),
            Sample::new(pair(&[]), |x| Tensor::stack([&x[0], &x[1]], 0)),
            Sample::new(pair(&[0, 2]), |x| Tensor::stack([&x[0], &x[1]], 1)),
        ]
    }
}

/// All tensors in their common dtype; conversions are recorded.
fn promoted(tensors: Vec<Tensor>) -> Vec<Tensor> {
    let first = (tensors[0].dtype(), tensors[0].dim());
    let (dtype, _) = tensors
        .iter()
        .fold(first, |(dtype, dim), tensor| (promote(dtype, dim, tensor.dtype(), tensor.dim()), dim.max(tensor.dim())));
    tensors.into_iter().map(|tensor| tensor.to_dtype(dtype)).collect()
}

/// The tensors' blocks of elements interleaved: in each of `outer` rounds one block of every tensor.
fn interleave(tensors: &[&Tensor], outer: usize, shape: Dims) -> Tensor {
    dispatch!(tensors[0].dtype(), T => {
        let total: usize = tensors.iter().map(|tensor| tensor.numel()).sum();
        let buffer = build::<T>(total, |out| {
            let round = total / outer.max(1);
            let mut start = 0;
            for tensor in tensors.iter().filter(|tensor| tensor.numel() > 0) {
                let block = tensor.numel() / outer;
                tensor.dense().with::<T, _>(|x| {
                    let data = &x.data[..block * outer];
                    if block == 1 {
                        for (out, &value) in out[start..].iter_mut().step_by(round).zip(data) {
                            *out = value;
                        }
                    } else {
                        for (out, values) in out.chunks_exact_mut(round).zip(data.chunks_exact(block)) {
                            out[start..start + block].copy_from_slice(values);
                        }
                    }
                });
                start += block;
            }
        });
        Tensor::from_buffer(buffer, shape)
    })
}

/// Panics unless the tensors can be joined along `dim`.
#[track_caller]
fn check_cat(joined: &[&Tensor], tensors: &[Tensor], dim: usize) {
    let first = joined[0];
    for (position, tensor) in tensors.iter().enumerate().filter(|(_, tensor)| !is_nothing(tensor)) {
        if tensor.dim() != first.dim() {
            panic!(
                "cat: Tensors must have same number of dimensions: got {} and {} (shapes {:?} and {:?}); \
                 unsqueeze one of them, or stack them",
                first.dim(),
                tensor.dim(),
                first.sizes(),
                tensor.sizes()
            );
        }
        let mut sizes = first.sizes().iter().zip(tensor.sizes()).enumerate();
        if let Some((_, (expected, size))) = sizes.find(|&(axis, (a, b))| axis != dim && a != b) {
            panic!(
                "cat: Sizes of tensors must match except in dimension {dim}. Expected size {expected} but \
                 got size {size} for tensor number {position} in the list. (shapes {:?} and {:?}; join along \
                 the dimension that differs)",
                first.sizes(),
                tensor.sizes()
            );
        }
    }
}

/// A vector without elements joins with anything, as in torch.
fn is_nothing(tensor: &Tensor) -> bool {
    tensor.sizes() == [0]
}

impl Tensor {
    /// Tensors one after the other along dimension `dim`; their other sizes agree. Mixed dtypes are
    /// promoted. An empty vector (shape `[0]`) joins with anything.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (a, b) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0]]));
    /// assert_eq!(Tensor::cat(&[&a, &b], 0).shape(), [2, 2]);
    /// assert_eq!(Tensor::cat(&[&a, &b], -1).to_vec::<f64>(), [1.0, 2.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no tensor, one has no dimensions, or sizes outside of `dim` differ.
    #[track_caller]
    pub fn cat(tensors: impl Into<Tensors>, dim: isize) -> Tensor {
        let tensors = tensors.into().0;
        if tensors.is_empty() {
            panic!("cat: expected a non-empty list of Tensors");
        }
        if let Some(position) = tensors.iter().position(|tensor| tensor.dim() == 0) {
            panic!(
                "cat: zero-dimensional tensor (at position {position}) cannot be concatenated; stack the \
                 tensors, or unsqueeze(0) it"
            );
        }
        let tensors = promoted(tensors);
        let some: Vec<&Tensor> = tensors.iter().filter(|tensor| !is_nothing(tensor)).collect();
        let joined = if some.is_empty() { vec![&tensors[0]] } else { some };
        let axis = normalize_dim("cat", dim, joined[0].dim());
        check_cat(&joined, &tensors, axis);
        let mut shape = joined[0].layout().shape.clone();
        shape[axis] = joined.iter().map(|tensor| tensor.sizes()[axis]).sum();
        let outer = shape[..axis].iter().product();
        let out = interleave(&joined, outer, shape);
        let size = |tensor: &Tensor| (!is_nothing(tensor)).then(|| tensor.sizes()[axis]);
        let inputs: Vec<&Tensor> = tensors.iter().collect();
        out.record(&inputs, || Cat { dim: axis, sizes: tensors.iter().map(size).collect() }, |_| saves![])
    }

    /// Tensors of one shape side by side along a new dimension `dim`. Mixed dtypes are promoted.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0).to_vec::<f64>(), [1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(Tensor::stack(&[&a, &b], -1).to_vec::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no tensor, the shapes differ, or the new dimension is out of range.
    #[track_caller]
    pub fn stack(tensors: impl Into<Tensors>, dim: isize) -> Tensor {
        let tensors = tensors.into().0;
        let Some(first) = tensors.first() else {
            panic!("stack: expects a non-empty TensorList; pass at least one tensor");
        };
        let shape = first.sizes();
        if let Some(position) = tensors.iter().position(|tensor| tensor.sizes() != shape) {
            panic!(
                "stack: stack expects each tensor to be equal size, but got {shape:?} at entry 0 and {:?} at \
                 entry {position}; expand or reshape them to one shape, or cat them",
                tensors[position].sizes()
            );
        }
        let axis = normalize_dim("stack", dim, first.dim() + 1);
        let mut shape = first.layout().shape.clone();
        shape.insert(axis, tensors.len());
        let outer = shape[..axis].iter().product();
        let tensors = promoted(tensors);
        let inputs: Vec<&Tensor> = tensors.iter().collect();
        interleave(&inputs, outer, shape).record(&inputs, || Stack(axis), |_| saves![])
    }

    /// Views of `size` indices each along dimension `dim`; the last one may be smaller.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let parts = Tensor::arange(0, 5, 1).split(2, 0);
    /// assert_eq!(parts.len(), 3);
    /// assert_eq!(parts[2].to_vec::<i64>(), [4]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions, `dim` is out of range, or `size` is zero.
    #[track_caller]
    pub fn split(&self, size: usize, dim: isize) -> Vec<Tensor> {
        let (axis, total) = self.axis_to_cut("split", dim);
        if size == 0 && total > 0 {
            panic!("split: split_size can only be 0 if dimension size is 0, but got dimension size of {total}");
        }
        let count = total.div_ceil(size.max(1)).max(1);
        (0..count).map(|i| self.slice_to(axis, i * size, size.min(total - i * size), 1)).collect()
    }

    /// Views of the given numbers of indices along dimension `dim`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let parts = Tensor::arange(0, 5, 1).split_sizes([4, 1], 0);
    /// assert_eq!(parts[1].to_vec::<i64>(), [4]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions, `dim` is out of range, a size is negative, or the sizes do not add
    /// up to the size of `dim`.
    #[track_caller]
    pub fn split_sizes(&self, sizes: impl Into<Ints>, dim: isize) -> Vec<Tensor> {
        let sizes = sizes.into();
        let (axis, total) = self.axis_to_cut("split", dim);
        if sizes.iter().any(|&size| size < 0) {
            panic!(
                "split_sizes: split_with_sizes expects split_sizes have only non-negative entries, but got \
                 split_sizes={:?}",
                &sizes[..]
            );
        }
        if sizes.iter().sum::<isize>() != total as isize {
            panic!(
                "split_sizes: split_with_sizes expects split_sizes to sum exactly to {total} (input tensor's \
                 size at dimension {axis}), but got split_sizes={:?}",
                &sizes[..]
            );
        }
        let mut start = 0;
        let part = |&size: &isize| {
            start += size as usize;
            self.slice_to(axis, start - size as usize, size as usize, 1)
        };
        sizes.iter().map(part).collect()
    }

    /// At most `chunks` views of equal size along dimension `dim`; the last one may be smaller.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let sizes: Vec<usize> = Tensor::arange(0, 5, 1).chunk(4, 0).iter().map(Tensor::numel).collect();
    /// assert_eq!(sizes, [2, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions, `dim` is out of range, or `chunks` is zero.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, dim: isize) -> Vec<Tensor> {
        let (_, total) = self.axis_to_cut("chunk", dim);
        if chunks == 0 {
            panic!("chunk: chunk expects `chunks` to be greater than 0, got: 0");
        }
        match total {
            // Of nothing there are as many pieces as were asked for.
            0 => vec![self.clone(); chunks],
            total => self.split(total.div_ceil(chunks), dim),
        }
    }

    /// A view of every index of dimension `dim`, without that dimension.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let columns = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).unbind(1);
    /// assert_eq!(columns[1].to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions or `dim` is out of range.
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor> {
        let (axis, total) = self.axis_to_cut("unbind", dim);
        (0..total).map(|i| self.select(axis as isize, i as isize)).collect()
    }

    /// Copies of the tensor side by side: `sizes[i]` of them along dimension `i`. More sizes than
    /// dimensions add dimensions in front.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.repeat(2).to_vec::<f64>(), [1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(x.repeat([3, 1]).shape(), [3, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer sizes than dimensions, or one is negative.
    #[track_caller]
    pub fn repeat(&self, sizes: impl Into<Ints>) -> Tensor {
        let sizes = sizes.into();
        if sizes.len() < self.dim() {
            panic!(
                "repeat: Number of dimensions of repeat dims can not be smaller than number of dimensions of \
                 tensor; got {:?} for shape {:?}: pass one number per dimension, or call tile",
                &sizes[..],
                self.sizes()
            );
        }
        self.repeat_each("repeat", &sizes)
    }

    /// As [`repeat`](Tensor::repeat), where missing sizes are ones in front.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// assert_eq!(x.tile(2).to_vec::<f64>(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a size is negative.
    #[track_caller]
    pub fn tile(&self, sizes: impl Into<Ints>) -> Tensor {
        let sizes = sizes.into();
        let missing = self.dim().saturating_sub(sizes.len());
        let all: Vec<isize> = std::iter::repeat_n(1, missing).chain(sizes.iter().copied()).collect();
        self.repeat_each("tile", &all)
    }

    /// As a broadcast of `[s0, s1]` under the shape `[r0, s0, r1, s1]`, copied and merged.
    #[track_caller]
    fn repeat_each(&self, op: &str, repeats: &[isize]) -> Tensor {
        let lead = repeats.len() - self.dim();
        let (mut single, mut many, mut merged) = (Dims::new(), Dims::new(), Dims::new());
        for (i, &count) in repeats.iter().enumerate() {
            let size = if i < lead { 1 } else { self.sizes()[i - lead] };
            let Ok(count) = usize::try_from(count) else {
                panic!("{op}: Trying to create tensor with negative dimension: the copies asked for are {repeats:?}");
            };
            single.extend_from_slice(&[1, size]);
            many.extend_from_slice(&[count, size]);
            merged.push(count * size);
        }
        self.reshape_to(&single).expand_to(many).copy().reshape_to(&merged)
    }

    /// The dimension that `dim` names and its size.
    #[track_caller]
    fn axis_to_cut(&self, op: &str, dim: isize) -> (usize, usize) {
        if self.dim() == 0 {
            panic!("{op}: {op} expects at least a 1-dimensional tensor; unsqueeze(0) it first");
        }
        let axis = normalize_dim(op, dim, self.dim());
        (axis, self.sizes()[axis])
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    /// Elements of `cat` by their indices.
    fn naive_cat(tensors: &[&Tensor], dim: usize) -> Vec<f64> {
        let total: usize = tensors.iter().map(|t| t.sizes()[dim]).sum();
        let mut shape = tensors[0].sizes().to_vec();
        shape[dim] = total;
        let inner: usize = shape[dim + 1..].iter().product();
        let numel: usize = shape.iter().product();
        (0..numel)
            .map(|flat| {
                let (i, mut j, o) = (flat % inner, flat / inner % total, flat / inner / total);
                let mut owner = tensors.iter();
                loop {
                    let tensor = owner.next().unwrap();
                    if j < tensor.sizes()[dim] {
                        return tensor.to_vec::<f64>()[(o * tensor.sizes()[dim] + j) * inner + i];
                    }
                    j -= tensor.sizes()[dim];
                }
            })
            .collect()
    }

    #[test]
    fn cat_matches_a_naive_loop_and_split_undoes_it() {
        for dim in 0..3 {
            let sized = |size: usize, low: f64| {
                let mut shape = [2, 3, 4];
                shape[dim] = size;
                spread(&shape, low, low + 1.0)
            };
            let (a, b, c) = (sized(1, 0.0), sized(0, 1.0), sized(3, 2.0).transpose(0, 2).copy().transpose(0, 2));
            let joined = Tensor::cat([&a, &b, &c], dim as isize);
            assert_eq!(joined.to_vec::<f64>(), naive_cat(&[&a, &b, &c], dim));
            let parts = joined.split_sizes([1, 0, 3], dim as isize);
            for (part, whole) in parts.iter().zip([&a, &b, &c]) {
                assert_eq!((part.sizes(), part.to_vec::<f64>()), (whole.sizes(), whole.to_vec::<f64>()));
            }
        }
    }

    #[test]
    fn stack_and_unbind_are_inverse() {
        let parts: Vec<Tensor> = (0..3).map(|i| spread(&[2, 4], f64::from(i), f64::from(i + 1))).collect();
        for dim in [0, 1, 2, -1, -2, -3] {
            let stacked = Tensor::stack(&parts, dim);
            assert_eq!(stacked.size(dim), 3);
            for (part, whole) in stacked.unbind(dim).iter().zip(&parts) {
                assert_eq!((part.sizes(), part.to_vec::<f64>()), (whole.sizes(), whole.to_vec::<f64>()));
            }
        }
    }

    #[test]
    fn dtypes_are_promoted_and_empty_vectors_join_anything() {
        let (int, single) = (Tensor::from([1i64]), Tensor::from([2.0f32]));
        assert_eq!(Tensor::cat([&int, &single], 0).to_vec::<f32>(), [1.0, 2.0]);
        assert_eq!(Tensor::stack([int, Tensor::from([true])], 0).dtype(), DType::I64);
        let nothing = Tensor::zeros(0, DType::F64).requires_grad_(true);
        let matrix = Tensor::ones([2, 2], DType::F64).requires_grad_(true);
        let joined = Tensor::cat([&nothing, &matrix], 1);
        assert_eq!(joined.sizes(), [2, 2]);
        joined.sum().backward().unwrap();
        assert_eq!(nothing.grad().unwrap().sizes(), [0]);
        assert_eq!(matrix.grad().unwrap().to_vec::<f64>(), [1.0; 4]);
        assert_eq!(Tensor::cat(vec![nothing.detach(); 2], 0).sizes(), [0]);
    }

    #[test]
    fn pieces_have_torchs_sizes() {
        let sizes = |parts: Vec<Tensor>| parts.iter().map(Tensor::numel).collect::<Vec<_>>();
        let (five, none) = (Tensor::arange(0, 5, 1), Tensor::zeros(0, DType::I64));
        assert_eq!(sizes(five.split(2, -1)), [2, 2, 1]);
        assert_eq!(sizes(five.split(9, 0)), [5]);
        assert_eq!(sizes(five.chunk(4, 0)), [2, 2, 1]);
        assert_eq!(sizes(none.split(0, 0)), [0]);
        assert_eq!(sizes(none.split(2, 0)), [0]);
        assert_eq!(sizes(none.chunk(3, 0)), [0, 0, 0]);
        assert_eq!(sizes(none.unbind(0)), [0; 0]);
    }

    #[test]
    fn repeat_matches_cat() {
        let x = spread(&[2, 3], 0.0, 1.0).t();
        let row = Tensor::cat(vec![x.clone(); 3], 1);
        let whole = Tensor::cat(vec![row; 2], 0);
        let repeated = x.repeat([4, 2, 3]);
        assert_eq!(repeated.sizes(), [4, 6, 6]);
        for copy in repeated.unbind(0) {
            assert_eq!(copy.to_vec::<f64>(), whole.to_vec::<f64>());
        }
        assert_eq!(x.tile([2, 3]).to_vec::<f64>(), whole.to_vec::<f64>());
        assert_eq!(x.repeat([0, 1]).sizes(), [0, 2]);
        assert_eq!(Tensor::from(2.0).repeat(3).to_vec::<f64>(), [2.0; 3]);
    }

    #[test]
    #[should_panic(expected = "Sizes of tensors must match except in dimension 0. Expected size 2 but got size 3 for \
                               tensor number 1 in the list.")]
    fn cat_names_the_sizes_that_differ() {
        Tensor::cat([Tensor::zeros([2, 2], DType::F32), Tensor::zeros([2, 3], DType::F32)], 0);
    }

    #[test]
    #[should_panic(expected = "Tensors must have same number of dimensions: got 2 and 1")]
    fn cat_names_the_ranks_that_differ() {
        Tensor::cat([Tensor::zeros([2, 2], DType::F32), Tensor::zeros(2, DType::F32)], 0);
    }

    #[test]
    #[should_panic(expected = "zero-dimensional tensor (at position 1) cannot be concatenated")]
    fn cat_refuses_scalars() {
        Tensor::cat([Tensor::from([1.0]), Tensor::from(1.0)], 0);
    }

    #[test]
    #[should_panic(expected = "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1")]
    fn stack_names_the_shapes_that_differ() {
        Tensor::stack([Tensor::zeros(2, DType::F32), Tensor::zeros(3, DType::F32)], 0);
    }

    #[test]
    #[should_panic(expected = "sum exactly to 5 (input tensor's size at dimension 0), but got split_sizes=[2, 2]")]
    fn split_sizes_must_add_up() {
        Tensor::arange(0, 5, 1).split_sizes([2, 2], 0);
    }
}
