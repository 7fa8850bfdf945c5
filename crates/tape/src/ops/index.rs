//! Indexing with `i(..)`: integers, ranges, new axes, index tensors and boolean masks, by the rules of
//! NumPy and torch.

mod entry;

pub use entry::{Ellipsis, Index, Indices, NewAxis};

use super::view::clip_range;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch;
use crate::shape::{Dims, broadcast};
use crate::storage::build;
use crate::{DType, Tensor};
use entry::Entries;
use smallvec::SmallVec;
use std::sync::Arc;

/// Rows of a matrix by number, repetition allowed.
pub(crate) struct TakeRows {
    rows: Arc<Vec<usize>>,
    height: usize,
}

/// The adjoint of [`TakeRows`]: adds each row to the one it was taken from.
pub(crate) struct PutRows {
    rows: Arc<Vec<usize>>,
}

fn take_rows(x: &Tensor, rows: &Arc<Vec<usize>>) -> Tensor {
    let (height, width) = (x.sizes()[0], x.sizes()[1]);
    let source = x.dense();
    let out = dispatch!(x.dtype(), T => {
        let buffer = build::<T>(rows.len() * width, |out| {
            source.with::<T, _>(|x| {
                for (out, &row) in out.chunks_exact_mut(width.max(1)).zip(rows.iter()) {
                    out.copy_from_slice(&x.data[row * width..(row + 1) * width]);
                }
            });
        });
        Tensor::from_buffer(buffer, Dims::from_slice(&[rows.len(), width]))
    });
    out.record(&[x], || TakeRows { rows: Arc::clone(rows), height }, |_| saves![])
}

fn put_rows(grad: &Tensor, rows: &Arc<Vec<usize>>, height: usize) -> Tensor {
    let width = grad.sizes()[1];
    let source = grad.dense();
    let out = crate::dtype::dispatch_float!("index", grad.dtype(), T => {
        let buffer = build::<T>(height * width, |out| {
            out.fill(T::default());
            source.with::<T, _>(|grad| {
                for (grad, &row) in grad.data.chunks_exact(width.max(1)).zip(rows.iter()) {
                    for (out, &grad) in out[row * width..(row + 1) * width].iter_mut().zip(grad) {
                        *out += grad;
                    }
                }
            });
        });
        Tensor::from_buffer(buffer, Dims::from_slice(&[height, width]))
    });
    out.record(&[grad], || PutRows { rows: Arc::clone(rows) }, |_| saves![])
}

impl Op for TakeRows {
    fn name(&self) -> &'static str {
        "IndexBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; put_rows(grad, &self.rows, self.height)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[4], -1.0, 1.0)], |x| x[0].i([2, 0, 2, -1]) * 2.0),
            Sample::new([spread(&[3, 2, 2], -1.0, 1.0)], |x| x[0].i((.., [1, 0, 1], 0))),
            Sample::new([spread(&[3, 4], -1.0, 1.0)], |x| x[0].i(([0, 2, 2], [1, 1, 3]))),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| {
                let mask = Tensor::from([[true, false, true], [false, false, true]]);
                x[0].i(mask)
            }),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].t().i([2, 1])),
        ]
    }
}

impl Op for PutRows {
    fn name(&self) -> &'static str {
        "IndexPutBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; take_rows(grad, &self.rows)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![Sample::new([spread(&[3, 2], -1.0, 1.0)], |x| put_rows(&x[0], &Arc::new(vec![1, 0, 1]), 3))]
    }
}

impl Tensor {
    /// Indexing as torch's `x[...]`: integers, ranges, [`NewAxis`], [`Ellipsis`], index tensors and
    /// boolean masks, one entry or a tuple of them. An array, slice or `Vec` of `i64`, `i32`, `usize` or
    /// `bool` stands for the tensor of its elements.
    ///
    /// Integers and ranges give views: assign through them with `x.i(..).copy_(..)` or `fill_`.
    /// Index tensors and masks give copies; write through those with
    /// [`index_put_`](Tensor::index_put_).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.i((.., 1)).to_vec::<f64>(), [2.0, 5.0]);
    /// assert_eq!(x.i((-1, 1..)).to_vec::<f64>(), [5.0, 6.0]);
    /// assert_eq!(x.i((.., &Tensor::from([2i64, 0]))).to_vec::<f64>(), [3.0, 1.0, 6.0, 4.0]);
    /// let large = Tensor::from([[false, false, true], [true, true, true]]);
    /// assert_eq!(x.i(&large).to_vec::<f64>(), [3.0, 4.0, 5.0, 6.0]);
    /// let columns = vec![2usize, 0];
    /// assert_eq!(x.i((0, &columns)).to_vec::<f64>(), [3.0, 1.0]);
    /// x.i((0, ..)).fill_(0.0);
    /// assert_eq!(x.sum().item(), 15.0);
    /// ```
    ///
    /// # Panics
    /// If there are more entries than dimensions, an integer is out of range, or a mask's shape does not
    /// fit.
    #[track_caller]
    pub fn i(&self, index: impl Indices) -> Tensor {
        let entries = index.entries();
        if let [Index::At(at)] = entries[..] {
            return self.select(0, at);
        }
        let (view, advanced) = self.basic_index(entries);
        if advanced.is_empty() { view } else { view.advanced(&advanced).0 }
    }

    /// Writes `values`, broadcast to the shape of `self.i(index)`, to the elements that the index names,
    /// index tensors and masks included. With `accumulate` they are added; else an element that is named
    /// twice keeps the last value.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, -2.0, -3.0]);
    /// x.index_put_(x.lt(0.0), 0.0, false);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`i`](Tensor::i), and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn index_put_<'a>(
        &self,
        index: impl Indices,
        values: impl Into<crate::Operand<'a>>,
        accumulate: bool,
    ) -> Tensor {
        let (view, advanced) = self.basic_index(index.entries());
        let values = match values.into() {
            crate::Operand::Tensor(values) => values.to_dtype(self.dtype()),
            crate::Operand::Scalar(number) => Tensor::full((), number, self.dtype()),
        };
        if advanced.is_empty() {
            if accumulate {
                view.add_(&values)
            } else {
                view.copy_(&values)
            };
            return self.clone();
        }
        view.replace_("index_put_", |view| view.put(&advanced, &values, accumulate));
        self.clone()
    }

    /// This tensor with `values` at the elements that the index names: [`index_put_`](Tensor::index_put_)
    /// of a copy, with gradients to both. Of several values for one element, without `accumulate`, the last
    /// one alone gets the gradient (in torch all do).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, at) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([0i64, 2, 0]));
    /// assert_eq!(x.index_put(&at, 0.5, true).to_vec::<f64>(), [2.0, 2.0, 3.5]);
    /// ```
    ///
    /// # Panics
    /// As [`i`](Tensor::i), and if the values do not broadcast to the shape of `self.i(index)`.
    #[track_caller]
    pub fn index_put<'a>(
        &self,
        index: impl Indices,
        values: impl Into<crate::Operand<'a>>,
        accumulate: bool,
    ) -> Tensor {
        let entries = index.entries();
        let (view, advanced) = self.basic_index(entries.clone());
        if advanced.is_empty() || view.layout() != self.layout() {
            return self.copy().index_put_(Entries(entries), values, accumulate);
        }
        let values = match values.into() {
            crate::Operand::Tensor(values) => values.to_dtype(self.dtype()),
            crate::Operand::Scalar(number) => Tensor::full((), number, self.dtype()),
        };
        self.put(&advanced, &values, accumulate)
    }

    /// This tensor with `values` at the elements that the index tensors name.
    #[track_caller]
    fn put(&self, advanced: &[(usize, Tensor)], values: &Tensor, accumulate: bool) -> Tensor {
        let (shape, plan) = {
            let (result, plan) = self.detach().advanced(advanced);
            (result.layout().shape.clone(), plan)
        };
        if plan.rows.is_empty() {
            return self.copy();
        }
        let (matrix, values) = (plan.to_matrix(self), plan.to_rows(&values.expand(&shape[..])));
        if accumulate {
            let rows = Tensor::from(plan.rows.iter().map(|&row| row as i64).collect::<Vec<_>>());
            return plan.restore(&matrix.index_add(0, &rows, &values), self.sizes());
        }
        // Each row takes the last value that is put there, or keeps its own.
        let mut source = vec![None; plan.height];
        for (number, &row) in plan.rows.iter().enumerate() {
            source[row] = Some(number);
        }
        let kept = Tensor::from(source.iter().map(Option::is_none).collect::<Vec<bool>>()).unsqueeze(1);
        let taken = source.iter().map(|number| number.unwrap_or(0)).collect();
        let merged = Tensor::where_(&kept, matrix, take_rows(&values, &Arc::new(taken)));
        plan.restore(&merged, self.sizes())
    }

    /// Applies the entries that give views; what remains are tensors with the dimension each indexes.
    #[track_caller]
    fn basic_index(&self, entries: SmallVec<[Index; 4]>) -> (Tensor, Vec<(usize, Tensor)>) {
        let consumed = |entry: &Index| match entry {
            Index::At(_) | Index::Range(..) => 1,
            Index::Tensor(index) if index.dtype() == DType::Bool => index.dim(),
            Index::Tensor(_) => 1,
            Index::NewAxis | Index::Ellipsis => 0,
        };
        let named: usize = entries.iter().map(consumed).sum();
        if named > self.dim() {
            panic!(
                "i: too many indices for tensor of dimension {} (shape {:?}, {named} dimensions indexed)",
                self.dim(),
                self.sizes()
            );
        }
        if entries.iter().filter(|entry| matches!(entry, Index::Ellipsis)).count() > 1 {
            panic!("i: an index can only have a single ellipsis; write the other dimensions out as ..");
        }
        let mut view = self.clone();
        let mut dim = 0;
        let mut advanced = Vec::new();
        for entry in entries {
            match entry {
                Index::At(at) => view = view.select(dim as isize, at),
                Index::Range(start, end) => {
                    let (start, len) = clip_range((start, end), view.sizes()[dim]);
                    view = view.slice_to(dim, start, len, 1);
                    dim += 1;
                }
                Index::NewAxis => {
                    view = view.unsqueeze(dim as isize);
                    dim += 1;
                }
                Index::Ellipsis => dim += self.dim() - named,
                Index::Tensor(index) if index.dtype() == DType::Bool => {
                    for positions in true_positions(&index, &view.sizes()[dim..]) {
                        advanced.push((dim, positions));
                        dim += 1;
                    }
                }
                Index::Tensor(index) if index.dtype() == DType::I64 => {
                    advanced.push((dim, index));
                    dim += 1;
                }
                Index::Tensor(index) => panic!(
                    "i: tensors used as indices must be long or bool tensors, but this one is {}; convert it with long()",
                    index.dtype()
                ),
            }
        }
        (view, advanced)
    }

    /// Indexing by integer tensors, each with its dimension in increasing order.
    #[track_caller]
    fn advanced(&self, indices: &[(usize, Tensor)]) -> (Tensor, RowPlan) {
        let mut shape = Dims::new();
        for (_, index) in indices {
            shape = broadcast("i", &shape, index.sizes());
        }
        let dims: Vec<usize> = indices.iter().map(|(dim, _)| *dim).collect();
        let mut rows = vec![0usize; shape.iter().product()];
        for (dim, index) in indices {
            let size = self.sizes()[*dim];
            let positions = index.expand(&shape[..]).to_vec::<i64>();
            for (row, position) in rows.iter_mut().zip(positions) {
                let from_start = if position < 0 { position + size as i64 } else { position };
                if from_start < 0 || from_start >= size as i64 {
                    panic!("i: index {position} is out of bounds for dimension {dim} with size {size}");
                }
                *row = *row * size + from_start as usize;
            }
        }
        let height = dims.iter().map(|&dim| self.sizes()[dim]).product();
        let plan = RowPlan { rows: Arc::new(rows), height, dims, shape };
        let taken = take_rows(&plan.to_matrix(self), &plan.rows);
        let rest = (0..self.dim()).filter(|dim| !plan.dims.contains(dim)).map(|dim| self.sizes()[dim]);
        let full: Dims = plan.shape.iter().copied().chain(rest).collect();
        (plan.place(taken.reshape_to(&full)), plan)
    }
}

/// Advanced indexing as the selection of rows of a matrix: the indexed dimensions, merged, are the rows.
struct RowPlan {
    rows: Arc<Vec<usize>>,
    height: usize,
    dims: Vec<usize>,
    /// The common shape of the index tensors.
    shape: Dims,
}

impl RowPlan {
    /// All dimensions, the indexed ones first.
    fn order(&self, dims: usize) -> Vec<usize> {
        self.dims.iter().copied().chain((0..dims).filter(|dim| !self.dims.contains(dim))).collect()
    }

    fn to_matrix(&self, x: &Tensor) -> Tensor {
        let width: usize = (0..x.dim()).filter(|dim| !self.dims.contains(dim)).map(|dim| x.sizes()[dim]).product();
        x.permute(self.order(x.dim())).reshape_to(&[self.height, width])
    }

    fn restore(&self, matrix: &Tensor, shape: &[usize]) -> Tensor {
        let order = self.order(shape.len());
        let permuted: Dims = order.iter().map(|&dim| shape[dim]).collect();
        let mut inverse = order.clone();
        for (to, &from) in order.iter().enumerate() {
            inverse[from] = to;
        }
        matrix.reshape_to(&permuted).permute(inverse)
    }

    /// Where the dimensions of the index stand in the result: in place of the indexed ones if those are
    /// neighbours, else in front.
    fn position(&self) -> usize {
        let adjacent = self.dims.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if adjacent { self.dims[0] } else { 0 }
    }

    /// Moves the dimensions of the index from the front to their position.
    fn place(&self, x: Tensor) -> Tensor {
        let (count, position) = (self.shape.len(), self.position());
        let before = count..count + position;
        let order: Vec<usize> = before.chain(0..count).chain(count + position..x.dim()).collect();
        x.permute(order)
    }

    /// The rows of values in the shape of the result.
    fn to_rows(&self, values: &Tensor) -> Tensor {
        let (count, position) = (self.shape.len(), self.position());
        let front = position..position + count;
        let order: Vec<usize> = front.chain(0..position).chain(position + count..values.dim()).collect();
        let height = self.rows.len();
        let width = values.numel().checked_div(height).unwrap_or(0);
        values.permute(order).reshape_to(&[height, width])
    }
}

/// One index tensor per dimension of a mask: the positions of its true elements in row-major order.
#[track_caller]
fn true_positions(mask: &Tensor, shape: &[usize]) -> Vec<Tensor> {
    if mask.sizes() != &shape[..mask.dim()] || mask.dim() == 0 {
        panic!(
            "i: the shape of the mask {:?} at index 0 does not match the shape of the indexed tensor {shape:?} at index 0",
            mask.sizes()
        );
    }
    let flags = mask.to_vec::<bool>();
    let mut positions = vec![Vec::new(); mask.dim()];
    for (flat, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        let mut rest = flat;
        for (dim, positions) in positions.iter_mut().enumerate().rev() {
            positions.push((rest % mask.sizes()[dim]) as i64);
            rest /= mask.sizes()[dim];
        }
    }
    positions.into_iter().map(Tensor::from).collect()
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{Indices, Tensor, gradcheck, gradgradcheck};

    #[test]
    fn values_are_put_as_torch_does() {
        let x = Tensor::from([0.0, 1.0, 2.0, 3.0]).requires_grad_(true);
        let values = Tensor::from([10.0, 20.0, 30.0]).requires_grad_(true);
        let (at, weights) = (Tensor::from([1i64, 1, 3]), Tensor::from([1.0, 2.0, 3.0, 4.0]));
        // torch: x.index_put((at,), values, accumulate), gradient 1, 2, 3, 4
        // (which gives 2 to the first value too where the second one replaces it).
        for (accumulate, expected, gradient, of_values) in [
            (true, [0.0, 31.0, 2.0, 33.0], [1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 4.0]),
            (false, [0.0, 20.0, 2.0, 30.0], [1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 4.0]),
        ] {
            x.set_grad(None);
            values.set_grad(None);
            let out = x.index_put(&at, &values, accumulate);
            assert_eq!(out.to_vec::<f64>(), expected);
            (out * &weights).sum().backward().unwrap();
            assert_eq!(x.grad().unwrap().to_vec::<f64>(), gradient);
            assert_eq!(values.grad().unwrap().to_vec::<f64>(), of_values);
            let in_place = x.detach().copy();
            in_place.index_put_(&at, &values.detach(), accumulate);
            assert_eq!(in_place.to_vec::<f64>(), expected);
        }
        assert_eq!(x.to_vec::<f64>(), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn every_form_of_a_list_is_an_index_tensor() {
        // torch: torch.arange(6).reshape(3, 2)[[2, 0]], and its [True, False, True].
        let x = Tensor::arange(0, 6, 1).reshape([3, 2]);
        #[track_caller]
        fn check(x: &Tensor, index: impl Indices, expected: [i64; 4]) {
            let rows = x.i(index);
            assert_eq!((rows.sizes(), rows.to_vec::<i64>()), (&[2, 2][..], expected.to_vec()));
        }
        macro_rules! check_forms {
            ($list:expr, $expected:expr) => {{
                let list = $list;
                check(&x, list, $expected);
                check(&x, &list, $expected);
                check(&x, &list[..], $expected);
                check(&x, list.to_vec(), $expected);
                check(&x, &list.to_vec(), $expected);
                check(&x, (list.to_vec(), ..), $expected);
            }};
        }
        check_forms!([2i64, 0], [4, 5, 0, 1]);
        check_forms!([-1i64, 0], [4, 5, 0, 1]);
        check_forms!([-1, 0], [4, 5, 0, 1]);
        check_forms!([2usize, 0], [4, 5, 0, 1]);
        check_forms!([true, false, true], [0, 1, 4, 5]);
        assert_eq!(x.i((vec![2, 0], [true, false])).to_vec::<i64>(), [4, 0]);
        assert_eq!(x.i(Vec::<i64>::new()).sizes(), [0, 2]);
        assert_eq!(x.i([false; 3]).sizes(), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "out of bounds for dimension 0 with size 3")]
    fn no_number_is_too_large_to_be_refused() {
        Tensor::zeros([3], crate::DType::F32).i([usize::MAX]);
    }

    #[test]
    fn every_index_can_be_put() {
        let (x, v) = (spread(&[3, 4, 2], -1.0, 1.0), spread(&[2], -0.9, 0.9));
        let mask = Tensor::from([true, false, true]);
        type Put = fn(&Tensor, &Tensor, &Tensor) -> Tensor;
        let puts: [Put; 6] = [
            |x, v, mask| x.index_put(mask, v, false),
            |x, v, _| x.index_put((.., [2, 0, 2]), v, true),
            |x, v, _| x.index_put((1, [0, 3]), v, false),
            |x, v, _| x.index_put(([0, 2], .., [1, 1]), v.i(0), false),
            |x, v, _| x.index_put((1.., -1), v, true),
            |x, v, mask| x.index_put((mask, [1, 3]), v, true),
        ];
        for (number, put) in puts.into_iter().enumerate() {
            let call = |x: &[Tensor]| put(&x[0], &x[1], &mask).square();
            gradcheck(call, &[&x, &v]).unwrap_or_else(|error| panic!("{number}: {error}"));
            gradgradcheck(call, &[&x, &v]).unwrap_or_else(|error| panic!("{number}: {error}"));
        }
        let none = Tensor::from([false, false, false]);
        let copy = x.index_put(&none, 5.0, false);
        assert!(!copy.same(&x) && copy.to_vec::<f64>() == x.to_vec::<f64>());
    }
}
