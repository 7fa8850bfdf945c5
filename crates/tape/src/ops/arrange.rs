//! Other arrangements made of the basic views and of `cat`: dimensions moved, split and added, pieces, stacks,
//! grids.

use super::pad::PadMode;
use super::view::clip_range;
use crate::shape::{Dims, Ints, broadcast, dim_mask, normalize_dim};
use crate::{DType, Tensor, Tensors};

/// How [`Tensor::meshgrid`] arranges its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// Matrix indexing: the first tensor runs along the first dimension.
    Ij,
    /// Cartesian indexing: the first tensor runs along the second dimension, the second one along the first.
    Xy,
}

impl Tensor {
    /// The dimensions `source` moved to the places `destination`, as a view; the others keep their order.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 3, 4], DType::F32);
    /// assert_eq!(x.movedim(0, -1).shape(), [3, 4, 2]);
    /// assert_eq!(x.movedim([0, 1], [1, 2]).shape(), [4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If the lists differ in length, or a dimension is out of range or named twice in a list.
    #[track_caller]
    pub fn movedim(&self, source: impl Into<Ints>, destination: impl Into<Ints>) -> Tensor {
        let (source, destination) = (source.into(), destination.into());
        if source.len() != destination.len() {
            panic!(
                "movedim: Invalid source or destination dims: source ({:?} dims) should contain the same number of \
                 dims as destination ({:?} dims)",
                &source[..],
                &destination[..]
            );
        }
        let moved = dim_mask("movedim", &source, self.dim());
        dim_mask("movedim", &destination, self.dim());
        if self.dim() == 0 {
            return self.permute(());
        }
        let mut order: Vec<Option<usize>> = vec![None; self.dim()];
        for (&from, &to) in source.iter().zip(destination.iter()) {
            order[normalize_dim("movedim", to, self.dim())] = Some(normalize_dim("movedim", from, self.dim()));
        }
        let mut rest = (0..self.dim()).filter(|&dim| !moved[dim]);
        let order: Vec<usize> =
            order.into_iter().map(|dim| dim.unwrap_or_else(|| rest.next().expect("one place each"))).collect();
        self.permute(order)
    }

    /// Dimension `dim` split into several of the given sizes, one of which may be `-1` and is computed.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([3, 8], DType::F32).unflatten(1, [2, -1]).shape(), [3, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range, or the sizes are none or do not multiply up to its size.
    #[track_caller]
    pub fn unflatten(&self, dim: isize, sizes: impl Into<Ints>) -> Tensor {
        let sizes = sizes.into();
        if self.dim() == 0 {
            panic!("unflatten: Dimension specified as {dim} but tensor has no dimensions; reshape it");
        }
        let dim = normalize_dim("unflatten", dim, self.dim());
        if sizes.is_empty() {
            panic!("unflatten: sizes must be non-empty");
        }
        let size = self.sizes()[dim];
        let free = sizes.iter().filter(|&&size| size == -1).count();
        if free > 1 {
            panic!("unflatten: only one dimension can be inferred, but the sizes are {:?}", &sizes[..]);
        }
        let known: isize = sizes.iter().filter(|&&size| size != -1).product();
        let fits = match free {
            0 => known == size as isize,
            _ => known > 0 && size.is_multiple_of(known as usize),
        };
        if !fits || sizes.iter().any(|&size| size < -1) {
            panic!(
                "unflatten: Provided sizes {:?} don't multiply up to the size of dim {dim} ({size}) in the input tensor \
                 (shape {:?})",
                &sizes[..],
                self.sizes()
            );
        }
        let parts = sizes.iter().map(|&part| if part == -1 { size / known as usize } else { part as usize });
        let shape: Vec<usize> =
            self.sizes()[..dim].iter().copied().chain(parts).chain(self.sizes()[dim + 1..].iter().copied()).collect();
        self.reshape_to(&shape)
    }

    /// The elements in row-major order, in one dimension: a view if they lie densely, else a copy.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t().ravel().to_vec::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    pub fn ravel(&self) -> Tensor {
        self.contiguous().reshape_to(&[self.numel()])
    }

    /// The tensor broadcast to a larger shape, as a view: [`expand`](Tensor::expand) by its other name.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).broadcast_to([3, 2]).shape(), [3, 2]);
    /// ```
    ///
    /// # Panics
    /// As [`expand`](Tensor::expand).
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Ints>) -> Tensor {
        self.expand(shape)
    }

    /// The last two dimensions exchanged, as a view: torch's `mT`, the transpose of each matrix of a batch.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([5, 2, 3], DType::F32).mt().shape(), [5, 3, 2]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two dimensions.
    #[track_caller]
    pub fn mt(&self) -> Tensor {
        if self.dim() < 2 {
            panic!(
                "mt: tensor.mT is only supported on matrices or batches of matrices. Got {}-D tensor. (shape {:?}; \
                 unsqueeze it)",
                self.dim(),
                self.sizes()
            );
        }
        self.transpose(-2, -1)
    }

    /// The tensor, or a number as a vector of one element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from(1.0).atleast_1d().shape(), [1]);
    /// ```
    pub fn atleast_1d(&self) -> Tensor {
        if self.dim() == 0 { self.reshape_to(&[1]) } else { self.clone() }
    }

    /// The tensor with at least two dimensions: a vector becomes a row.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).atleast_2d().shape(), [1, 2]);
    /// ```
    pub fn atleast_2d(&self) -> Tensor {
        match *self.sizes() {
            [] => self.reshape_to(&[1, 1]),
            [n] => self.reshape_to(&[1, n]),
            _ => self.clone(),
        }
    }

    /// The tensor with at least three dimensions: a vector of `n` gets shape `[1, n, 1]`, a matrix
    /// `[m, n, 1]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).atleast_3d().shape(), [1, 2, 1]);
    /// ```
    pub fn atleast_3d(&self) -> Tensor {
        match *self.sizes() {
            [] => self.reshape_to(&[1, 1, 1]),
            [n] => self.reshape_to(&[1, n, 1]),
            [m, n] => self.reshape_to(&[m, n, 1]),
            _ => self.clone(),
        }
    }

    /// `sections` views of dimension `dim`, of sizes that differ by at most one, the larger ones first.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let sizes: Vec<usize> = Tensor::arange(0, 7, 1).tensor_split(3, 0).iter().map(Tensor::numel).collect();
    /// assert_eq!(sizes, [3, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions, `dim` is out of range, or `sections` is zero.
    #[track_caller]
    pub fn tensor_split(&self, sections: usize, dim: isize) -> Vec<Tensor> {
        let (axis, size) = self.axis_to_split(dim);
        if sections == 0 {
            panic!("tensor_split: number of sections must be larger than 0, got 0");
        }
        let start = |section: usize| section * (size / sections) + section.min(size % sections);
        (0..sections).map(|i| self.slice_to(axis, start(i), start(i + 1) - start(i), 1)).collect()
    }

    /// Views of dimension `dim` cut at the given indices, with Python's rules for slices: negative indices
    /// count from the end, and what lies outside is cut off.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let parts = Tensor::arange(0, 5, 1).tensor_split_at([1, 3], 0);
    /// assert_eq!(parts[1].to_vec::<i64>(), [1, 2]);
    /// assert_eq!(parts[2].to_vec::<i64>(), [3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no dimensions or `dim` is out of range.
    #[track_caller]
    pub fn tensor_split_at(&self, indices: impl Into<Ints>, dim: isize) -> Vec<Tensor> {
        let (axis, size) = self.axis_to_split(dim);
        let indices = indices.into();
        let starts = std::iter::once(Some(0)).chain(indices.iter().map(|&at| Some(at)));
        let ends = indices.iter().map(|&at| Some(at)).chain(std::iter::once(None));
        let part = |bounds| {
            let (start, len) = clip_range(bounds, size);
            self.slice_to(axis, start, len, 1)
        };
        starts.zip(ends).map(part).collect()
    }

    #[track_caller]
    fn axis_to_split(&self, dim: isize) -> (usize, usize) {
        if self.dim() == 0 {
            panic!("tensor_split: expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
        }
        let axis = normalize_dim("tensor_split", dim, self.dim());
        (axis, self.sizes()[axis])
    }

    /// Tensors side by side: along dimension 1, vectors along dimension 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0], [2.0]]);
    /// assert_eq!(Tensor::hstack([&x, &x]).to_vec::<f64>(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`cat`](Tensor::cat).
    #[track_caller]
    pub fn hstack(tensors: impl Into<Tensors>) -> Tensor {
        let tensors = each(tensors, Tensor::atleast_1d);
        let dim = if tensors.first().is_none_or(|first| first.dim() == 1) { 0 } else { 1 };
        Tensor::cat(tensors, dim)
    }

    /// Tensors one below the other: along dimension 0, vectors as rows.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(Tensor::vstack([&x, &x]).shape(), [2, 2]);
    /// ```
    ///
    /// # Panics
    /// As [`cat`](Tensor::cat).
    #[track_caller]
    pub fn vstack(tensors: impl Into<Tensors>) -> Tensor {
        Tensor::cat(each(tensors, Tensor::atleast_2d), 0)
    }

    /// Tensors one behind the other: along dimension 2, after [`atleast_3d`](Tensor::atleast_3d).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(Tensor::dstack([&x, &x]).shape(), [1, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// As [`cat`](Tensor::cat).
    #[track_caller]
    pub fn dstack(tensors: impl Into<Tensors>) -> Tensor {
        Tensor::cat(each(tensors, Tensor::atleast_3d), 2)
    }

    /// Columns side by side: vectors as columns, matrices with all of theirs.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, y) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(Tensor::column_stack([&x, &y]).to_vec::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As [`cat`](Tensor::cat).
    #[track_caller]
    pub fn column_stack(tensors: impl Into<Tensors>) -> Tensor {
        let column = |x: &Tensor| if x.dim() < 2 { x.reshape_to(&[x.numel(), 1]) } else { x.clone() };
        Tensor::cat(each(tensors, column), 1)
    }

    /// The tensors broadcast against each other, as views.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let both = Tensor::broadcast_tensors([Tensor::from([[1.0], [2.0]]), Tensor::from([3.0, 4.0])]);
    /// assert_eq!(both[0].to_vec::<f64>(), [1.0, 1.0, 2.0, 2.0]);
    /// assert_eq!(both[1].to_vec::<f64>(), [3.0, 4.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn broadcast_tensors(tensors: impl Into<Tensors>) -> Vec<Tensor> {
        let tensors = tensors.into().0;
        let mut shape = Dims::new();
        for tensor in &tensors {
            shape = broadcast("broadcast_tensors", &shape, tensor.sizes());
        }
        tensors.iter().map(|tensor| tensor.expand_to(shape.clone())).collect()
    }

    /// The coordinates of a grid, one tensor per vector, as views: element `[i, j, ..]` of result `n` is the
    /// element of vector `n` that index `n` of `i, j, ..` names.
    ///
    /// ```
    /// # use tape::{Indexing, Tensor};
    /// let (x, y) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0, 5.0]));
    /// let grid = Tensor::meshgrid([&x, &y], Indexing::Ij);
    /// assert_eq!(grid[0].to_vec::<f64>(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// assert_eq!(grid[1].to_vec::<f64>(), [3.0, 4.0, 5.0, 3.0, 4.0, 5.0]);
    /// assert_eq!(Tensor::meshgrid([&x, &y], Indexing::Xy)[0].shape(), [3, 2]);
    /// ```
    ///
    /// # Panics
    /// If there is no tensor, one has more than one dimension, or the dtypes differ.
    #[track_caller]
    pub fn meshgrid(tensors: impl Into<Tensors>, indexing: Indexing) -> Vec<Tensor> {
        let tensors = tensors.into().0;
        let Some(first) = tensors.first() else {
            panic!("meshgrid: meshgrid expects a non-empty TensorList; pass at least one tensor");
        };
        if let Some(other) = tensors.iter().find(|tensor| tensor.dtype() != first.dtype()) {
            panic!(
                "meshgrid: meshgrid expects all tensors to have the same dtype, but they are {} and {}; convert one \
                 with to_dtype",
                first.dtype(),
                other.dtype()
            );
        }
        if let Some(matrix) = tensors.iter().find(|tensor| tensor.dim() > 1) {
            panic!(
                "meshgrid: Expected 0D or 1D tensor in the tensor list but got one of shape {:?}; flatten it",
                matrix.sizes()
            );
        }
        let swapped = |axis: usize| match (indexing, axis) {
            (Indexing::Xy, 0 | 1) if tensors.len() > 1 => 1 - axis,
            _ => axis,
        };
        let shape: Dims = (0..tensors.len()).map(|axis| tensors[swapped(axis)].numel()).collect();
        let one = |(number, tensor): (usize, &Tensor)| {
            let mut along = Dims::from_elem(1, tensors.len());
            along[swapped(number)] = tensor.numel();
            tensor.reshape_to(&along).expand_to(shape.clone())
        };
        tensors.iter().enumerate().map(one).collect()
    }

    /// All combinations of one element of each vector, as rows; of a single vector, itself.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let pairs = Tensor::cartesian_prod([Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0])]);
    /// assert_eq!(pairs.to_vec::<f64>(), [1.0, 3.0, 1.0, 4.0, 2.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no tensor, one is not a vector, or the dtypes differ.
    #[track_caller]
    pub fn cartesian_prod(tensors: impl Into<Tensors>) -> Tensor {
        let tensors = tensors.into().0;
        if let Some(other) = tensors.iter().find(|tensor| tensor.dim() != 1) {
            panic!("cartesian_prod: Expect a 1D vector, but got shape {:?}; flatten it", other.sizes());
        }
        if let [single] = &tensors[..] {
            return single.clone();
        }
        let count = tensors.len();
        let grid = Tensor::meshgrid(tensors, Indexing::Ij);
        let rows = grid.first().map_or(0, Tensor::numel);
        Tensor::stack(grid, -1).reshape_to(&[rows, count])
    }

    /// Matrices along the diagonal of a larger one, zeros elsewhere; vectors are rows, numbers 1 x 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::block_diag([Tensor::from([[1.0], [2.0]]), Tensor::from([3.0, 4.0])]);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a tensor has more than two dimensions.
    #[track_caller]
    pub fn block_diag(tensors: impl Into<Tensors>) -> Tensor {
        let tensors = each(tensors, Tensor::atleast_2d);
        if let Some(position) = tensors.iter().position(|tensor| tensor.dim() > 2) {
            panic!(
                "block_diag: Input tensors must have 2 or fewer dimensions. Input {position} has {} dimensions (shape \
                 {:?})",
                tensors[position].dim(),
                tensors[position].sizes()
            );
        }
        if tensors.is_empty() {
            return Tensor::zeros([1, 0], DType::F32);
        }
        let width: usize = tensors.iter().map(|tensor| tensor.sizes()[1]).sum();
        let mut left = 0;
        let wide = |tensor: &Tensor| {
            let right = width - left - tensor.sizes()[1];
            let padded = tensor.pad([left, right], PadMode::Constant(0.0));
            left = width - right;
            padded
        };
        Tensor::cat(tensors.iter().map(wide).collect::<Vec<_>>(), 0)
    }
}

fn each(tensors: impl Into<Tensors>, change: impl Fn(&Tensor) -> Tensor) -> Vec<Tensor> {
    tensors.into().0.iter().map(change).collect()
}

#[cfg(test)]
mod tests;
