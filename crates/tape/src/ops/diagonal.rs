//! Diagonals and triangles of matrices.

use super::select::fill;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::shape::{Dims, normalize_dim};
use crate::tensor::Layout;
use crate::{DType, Scalar, Tensor};
use std::ops::Range;

/// A diagonal of the plane of two dimensions, as a last dimension in their place.
pub(crate) struct Diagonal(Plane);
/// The adjoint of [`Diagonal`]: zeros but for the diagonal. Holds torch's name of the node.
pub(crate) struct DiagonalEmbed(Plane, &'static str);

/// A diagonal: `offset` columns right of the main one, of rows along `dim1` and columns along `dim2`.
#[derive(Clone, Copy)]
struct Plane {
    offset: isize,
    dim1: usize,
    dim2: usize,
}

impl Op for Diagonal {
    fn name(&self) -> &'static str {
        "DiagonalBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.put_diagonal(rule.input_shape(), self.0, "DiagonalBackwardBackward0")]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = |shape: &[usize]| [spread(shape, -1.0, 1.0)];
        vec![
            Sample::new(x(&[3, 3]), |x| x[0].diagonal(0, 0, 1).square()),
            Sample::new(x(&[3, 4]), |x| x[0].diagonal(1, 0, 1).square() * x[0].diagonal(-1, 1, 0)),
            Sample::new(x(&[2, 3, 4]), |x| x[0].diagonal(-1, -1, 0).square()),
            Sample::new(x(&[2, 3]), |x| x[0].diagonal(7, 0, 1)),
            Sample::new(x(&[3, 2]), |x| x[0].trace() * &x[0]),
            Sample::new(x(&[3, 2]), |x| x[0].diag(-1).square()),
            Sample::new(x(&[2, 3, 3]), |x| x[0].triu(0).square() + x[0].tril(-1)),
            Sample::new(x(&[3, 3]), |x| {
                let y = x[0].square();
                let below = y.diagonal(-1, 0, 1);
                y.mul_(&x[0]);
                &below * &below
            }),
            Sample::new(x(&[3, 2]), |x| {
                let y = x[0].square();
                y.fill_diagonal_(2.0);
                y.diagonal(-1, 0, 1).mul_(&x[0].diagonal(0, 0, 1));
                y.square()
            }),
        ]
    }
}

impl Op for DiagonalEmbed {
    fn name(&self) -> &'static str {
        self.1
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.diagonal_of(self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = |shape: &[usize]| [spread(shape, -1.0, 1.0)];
        vec![
            Sample::new(x(&[3]), |x| x[0].diag(1).square()),
            Sample::new(x(&[2, 3]), |x| x[0].diag_embed(-1, 0, 2).square()),
            Sample::new(x(&[2, 2]), |x| x[0].diagflat(0).square()),
        ]
    }
}

impl Plane {
    #[track_caller]
    fn new(op: &str, offset: isize, dim1: isize, dim2: isize, dims: usize) -> Plane {
        let plane = Plane { offset, dim1: normalize_dim(op, dim1, dims), dim2: normalize_dim(op, dim2, dims) };
        if plane.dim1 == plane.dim2 || dims < 2 {
            panic!("{op}: diagonal dimensions cannot be identical {dim1}, {dim2}; name two of the {dims} dimensions");
        }
        plane
    }

    /// How the diagonal lies in memory that is laid out as `layout`.
    fn layout(self, layout: &Layout) -> Layout {
        let Plane { offset, dim1, dim2 } = self;
        let (down, right) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
        let (rows, columns) = (layout.shape[dim1].saturating_sub(down), layout.shape[dim2].saturating_sub(right));
        let (stride1, stride2) = (layout.strides[dim1], layout.strides[dim2]);
        let mut diagonal = layout.clone();
        if rows.min(columns) > 0 {
            diagonal.offset += down * stride1 + right * stride2;
        }
        for dim in [dim1.max(dim2), dim1.min(dim2)] {
            diagonal.shape.remove(dim);
            diagonal.strides.remove(dim);
        }
        diagonal.shape.push(rows.min(columns));
        diagonal.strides.push(stride1 + stride2);
        diagonal
    }
}

impl Tensor {
    fn diagonal_of(&self, plane: Plane) -> Tensor {
        self.view_as(plane.layout(self.layout()), || Diagonal(plane))
    }

    /// Zeros of `shape` with these elements on a diagonal.
    fn put_diagonal(&self, shape: &[usize], plane: Plane, name: &'static str) -> Tensor {
        let whole = Dims::from_slice(shape);
        let out = self.spread_into(plane.layout(&Layout::contiguous(whole.clone())), whole);
        out.record(&[self], || DiagonalEmbed(plane, name), |_| saves![])
    }

    /// A diagonal of the matrices with rows along `dim1` and columns along `dim2`, as a view: it replaces
    /// the two dimensions by a new last one. Positive offsets are above the main diagonal.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.diagonal(0, 0, 1).to_vec::<f64>(), [1.0, 4.0]);
    /// x.diagonal(1, 0, 1).fill_(0.0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or both are the same.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        self.diagonal_of(Plane::new("diagonal", offset, dim1, dim2, self.dim()))
    }

    /// Of a vector, the square matrix with it on a diagonal; of a matrix, a copy of that diagonal.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).diag(0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 0.0, 2.0]);
    /// assert_eq!(x.diag(0).to_vec::<f64>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is neither a vector nor a matrix.
    #[track_caller]
    pub fn diag(&self, diagonal: isize) -> Tensor {
        match self.dim() {
            1 => self.diag_embed(diagonal, 0, 1),
            2 => self.diagonal(diagonal, 0, 1).copy(),
            dims => panic!(
                "diag: diag(): Supports 1D or 2D tensors. Got {dims}D (shape {:?}); use diagonal or diag_embed",
                self.sizes()
            ),
        }
    }

    /// Matrices of zeros with the last dimension of this tensor on a diagonal; in the result, their rows are
    /// dimension `dim1` and their columns `dim2`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).diag_embed(0, -2, -1);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 0.0, 2.0, 3.0, 0.0, 0.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions, a dimension is out of the result's range, or both are the same.
    #[track_caller]
    pub fn diag_embed(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        let [rest @ .., last] = self.sizes() else {
            panic!("diag_embed: the tensor has no dimensions; unsqueeze(0) it first");
        };
        let plane = Plane::new("diag_embed", offset, dim1, dim2, self.dim() + 1);
        let side = last + offset.unsigned_abs();
        let mut shape = rest.to_vec();
        for dim in [plane.dim1.min(plane.dim2), plane.dim1.max(plane.dim2)] {
            shape.insert(dim, side);
        }
        crate::shape::numel(&shape);
        self.put_diagonal(&shape, plane, "DiagEmbedBackward0")
    }

    /// The square matrix with all elements, in row-major order, on a diagonal.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).diagflat(1).shape(), [5, 5]);
    /// ```
    #[track_caller]
    pub fn diagflat(&self, offset: isize) -> Tensor {
        self.reshape_to(&[self.numel()]).diag_embed(offset, 0, 1)
    }

    /// The sum of the main diagonal of a matrix. Integers sum to `I64`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).trace().item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a matrix, or its dtype is `Bool`.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        if self.dim() != 2 {
            panic!(
                "trace: expected a matrix, but got tensor with dim {} (shape {:?}); sum a diagonal(..) instead",
                self.dim(),
                self.sizes()
            );
        }
        if self.dtype() == DType::Bool {
            panic!("trace: not implemented for dtype bool; convert with to_dtype(DType::I64) first");
        }
        self.diagonal(0, 0, 1).sum()
    }

    /// The upper triangles of matrices (the last two dimensions): zero below the diagonal that is
    /// `diagonal` columns right of the main one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.triu(0).to_vec::<f64>(), [1.0, 2.0, 0.0, 4.0]);
    /// assert_eq!(x.triu(1).to_vec::<f64>(), [0.0, 2.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two dimensions.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Tensor {
        let mask = self.triangle("triu", |row, columns| row.saturating_add(diagonal).clamp(0, columns)..columns);
        fill("triu", &mask, self, true, Scalar::Int(0), "TriuBackward0")
    }

    /// The lower triangles of matrices (the last two dimensions): zero above the diagonal that is
    /// `diagonal` columns right of the main one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.tril(0).to_vec::<f64>(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two dimensions.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Tensor {
        let mask =
            self.triangle("tril", |row, columns| 0..row.saturating_add(diagonal).saturating_add(1).clamp(0, columns));
        fill("tril", &mask, self, true, Scalar::Int(0), "TrilBackward0")
    }

    /// Which elements of a matrix to keep: in each row, the columns of a range.
    #[track_caller]
    fn triangle(&self, op: &str, kept: impl Fn(isize, isize) -> Range<isize>) -> Tensor {
        let [.., rows, columns] = *self.sizes() else {
            panic!("{op}: input tensor must have at least 2 dimensions (shape {:?}); unsqueeze it", self.sizes());
        };
        let mut marks = vec![false; rows * columns];
        for (row, marks) in marks.chunks_exact_mut(columns.max(1)).enumerate() {
            let kept = kept(row as isize, columns as isize);
            marks[kept.start as usize..kept.end as usize].fill(true);
        }
        Tensor::from_vec(marks, [rows, columns])
    }

    /// [`triu`](Tensor::triu) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// x.triu_(0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 2.0, 0.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As `triu`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn triu_(&self, diagonal: isize) -> Tensor {
        self.replace_("triu_", |x| x.triu(diagonal))
    }

    /// [`tril`](Tensor::tril) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// x.tril_(0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As `tril`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn tril_(&self, diagonal: isize) -> Tensor {
        self.replace_("tril_", |x| x.tril(diagonal))
    }

    /// Sets the main diagonal to `value`, in place: of a matrix of any shape, or the elements with all
    /// indices equal if there are more dimensions, which then have one size. Returns the same tensor.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 2], DType::F64);
    /// assert_eq!(x.fill_diagonal_(5.0).to_vec::<f64>(), [5.0, 0.0, 0.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two dimensions, or more than two of different sizes; and as every in-place
    /// operation on a leaf that requires grad.
    #[track_caller]
    pub fn fill_diagonal_(&self, value: impl Into<Scalar>) -> Tensor {
        if self.dim() < 2 {
            panic!("fill_diagonal_: dimensions must larger than 1 (shape {:?})", self.sizes());
        }
        if self.dim() > 2 && self.sizes().iter().any(|&size| size != self.sizes()[0]) {
            panic!(
                "fill_diagonal_: all dimensions of input must be of equal length (shape {:?}); fill a diagonal(..) \
                 instead",
                self.sizes()
            );
        }
        let mut diagonal = self.diagonal(0, 0, 1);
        while diagonal.dim() > 1 {
            diagonal = diagonal.diagonal(0, 0, -1);
        }
        diagonal.fill_(value);
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    fn matrix() -> Tensor {
        Tensor::arange(0, 12, 1).reshape([3, 4])
    }

    #[test]
    fn diagonals_are_torchs() {
        let x = matrix();
        assert_eq!(x.diagonal(1, 0, 1).to_vec::<i64>(), [1, 6, 11]);
        assert_eq!(x.diagonal(-1, 0, 1).to_vec::<i64>(), [4, 9]);
        assert_eq!(x.diagonal(-1, 1, 0).to_vec::<i64>(), [1, 6, 11]);
        assert_eq!(x.t().diagonal(2, 0, 1).to_vec::<i64>(), [8]);
        assert_eq!(x.diagonal(9, 0, 1).sizes(), [0]);
        let batch = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
        assert_eq!(batch.diagonal(1, 2, 0).sizes(), [3, 1]);
        assert_eq!(batch.diagonal(1, 0, 2).to_vec::<i64>(), [1, 14, 5, 18, 9, 22]);
        assert_eq!(Tensor::zeros([0, 3], DType::F32).diagonal(0, 0, 1).sizes(), [0]);
        assert_eq!(x.trace().item_as::<i64>(), 15);
        let embedded = Tensor::from([[true, true]]).diag_embed(1, 0, -1);
        assert_eq!((embedded.sizes(), embedded.to_vec::<bool>().iter().filter(|x| **x).count()), (&[3, 1, 3][..], 2));
        assert_eq!(Tensor::from([1i64, 2]).diag(-1).to_vec::<i64>(), [0, 0, 0, 1, 0, 0, 0, 2, 0]);
    }

    #[test]
    fn a_diagonal_is_a_view_and_diag_is_not() {
        let x = Tensor::ones([2, 2], DType::F64).requires_grad_(true);
        let y = &x * 1.0;
        y.diagonal(0, 0, 1).mul_(3.0);
        assert_eq!(y.to_vec::<f64>(), [3.0, 1.0, 1.0, 3.0]);
        y.diag(0).fill_(7.0);
        assert_eq!(y.to_vec::<f64>(), [3.0, 1.0, 1.0, 3.0]);
        assert_eq!(y.grad_fn_name(), Some("CopySlices"));
        y.sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [3.0, 1.0, 1.0, 3.0]);
    }

    #[test]
    fn triangles_are_torchs() {
        let x = matrix();
        assert_eq!(x.triu(1).to_vec::<i64>(), [0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 11]);
        assert_eq!(x.tril(-1).to_vec::<i64>(), [0, 0, 0, 0, 4, 0, 0, 0, 8, 9, 0, 0]);
        let batch = Tensor::stack([&x, &x], 0).transpose(1, 2);
        assert_eq!(batch.triu(-1).select(0, 1).to_vec::<i64>(), x.t().triu(-1).to_vec::<i64>());
        assert_eq!(Tensor::zeros([2, 0, 3], DType::F32).tril(0).sizes(), [2, 0, 3]);
        assert_eq!((x.triu(isize::MAX).sum().item(), x.tril(isize::MIN).sum().item()), (0.0, 0.0));
        assert!(x.triu(isize::MIN).equal(&x) && x.tril(isize::MAX).equal(&x));
        // What is cut off may be anything.
        let x = Tensor::from([[1.0, f64::NAN], [f64::INFINITY, 2.0]]).requires_grad_(true);
        let y = x.triu(0).tril(0);
        assert_eq!((y.to_vec::<f64>(), y.grad_fn_name()), (vec![1.0, 0.0, 0.0, 2.0], Some("TrilBackward0")));
        y.sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_diagonal_of_a_tall_matrix_or_a_cube_is_filled() {
        let tall = Tensor::zeros([5, 2], DType::I64).fill_diagonal_(1);
        assert_eq!(tall.to_vec::<i64>(), [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let cube = Tensor::zeros([2, 2, 2], DType::I64).fill_diagonal_(1);
        assert_eq!(cube.to_vec::<i64>(), [1, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    #[should_panic(expected = "all dimensions of input must be of equal length")]
    fn only_cubes_have_a_diagonal() {
        Tensor::zeros([2, 3, 3], DType::F32).fill_diagonal_(1);
    }

    #[test]
    #[should_panic(expected = "diagonal dimensions cannot be identical 1, -1")]
    fn a_plane_has_two_dimensions() {
        matrix().diagonal(0, 1, -1);
    }
}
