//! The tensor handle: shape, memory, and its place in the graph.

mod clip;
mod create;
mod format;
mod operators;
mod read;
mod write;

use crate::autograd::{Edge, Leaf, Node};
use crate::buffer::Buffer;
use crate::kernel::parallel::Locked;
use crate::kernel::{Strided, StridedMut, is_row_major};
use crate::shape::{Dims, Shape, row_major};
use crate::storage::Storage;
use crate::{DType, Element};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub use create::{Nested, Number};

/// A multi-dimensional array that remembers how it was computed.
///
/// A `Tensor` is a handle: cloning it gives the same tensor again (torch's differentiable `clone` is
/// [`Tensor::copy`]), it is cheap to pass around, and it is `Send + Sync`. Views made by indexing,
/// `transpose`, `reshape` and their like share memory with the tensor they come from.
///
/// ```
/// use tape::Tensor;
/// let x = Tensor::from([2.0, 3.0]).requires_grad_(true);
/// let loss = (&x * &x).sum();
/// loss.backward()?;
/// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [4.0, 6.0]);
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor {
    pub(crate) inner: Arc<Inner>,
}

/// Where the elements of a tensor lie in its storage.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Layout {
    pub shape: Dims,
    /// In elements; 0 repeats one element.
    pub strides: Dims,
    pub offset: usize,
}

impl Layout {
    #[inline]
    pub fn contiguous(shape: Dims) -> Layout {
        Layout { strides: row_major(&shape), shape, offset: 0 }
    }

    /// Number of storage elements from the first to the last one that the layout reaches, plus one.
    pub fn span(&self) -> usize {
        if self.shape.contains(&0) {
            return 0;
        }
        1 + self.shape.iter().zip(&self.strides).map(|(&size, &stride)| (size - 1) * stride).sum::<usize>()
    }
}

pub(crate) struct Inner {
    pub storage: Arc<Storage>,
    pub layout: Layout,
    pub dtype: DType,
    /// Dense and row-major; cached because every op asks.
    pub contiguous: bool,
    /// For a tensor without history: whether it is a leaf that wants a gradient.
    pub requires_grad: AtomicBool,
    /// The operation that made this tensor, as recorded when it was made.
    pub origin: Option<(Arc<Node>, u32)>,
    /// An in-place operation has given this tensor another history; it is in `leaf`.
    pub rebased: AtomicBool,
    /// The tensor that owns the memory, if this is a differentiable view of it.
    pub base: Option<Tensor>,
    /// Storage version at which a view's history was last known to be right.
    pub history_version: AtomicU32,
    /// Slot of this leaf in a running backward pass, see `autograd::engine`.
    pub claim: AtomicU64,
    /// Gradient, hooks and other state that few tensors have.
    pub leaf: OnceLock<Box<Leaf>>,
}

impl Tensor {
    /// A tensor without history that owns `buffer`.
    #[inline]
    pub(crate) fn from_buffer(buffer: Buffer, shape: Dims) -> Tensor {
        debug_assert_eq!(buffer.len(), crate::shape::numel(&shape));
        let dtype = buffer.dtype();
        Tensor::assemble(Arc::new(Storage::new(buffer)), Layout::contiguous(shape), dtype, true, None)
    }

    #[inline]
    fn assemble(storage: Arc<Storage>, layout: Layout, dtype: DType, contiguous: bool, base: Option<Tensor>) -> Tensor {
        let history_version = AtomicU32::new(storage.version());
        Tensor {
            inner: Arc::new(Inner {
                storage,
                layout,
                dtype,
                contiguous,
                requires_grad: AtomicBool::new(false),
                origin: None,
                rebased: AtomicBool::new(false),
                base,
                history_version,
                claim: AtomicU64::new(0),
                leaf: OnceLock::new(),
            }),
        }
    }

    /// A new handle on the same elements under another layout, without history of its own yet, that
    /// follows in-place changes of this tensor's history.
    #[inline]
    pub(crate) fn view_with(&self, layout: Layout) -> Tensor {
        let base = self.inner.base.as_ref().unwrap_or(self).clone();
        let contiguous = is_row_major(&layout.shape, &layout.strides);
        Tensor::assemble(Arc::clone(&self.inner.storage), layout, self.inner.dtype, contiguous, Some(base))
    }

    /// A new handle on the same elements that never has a history: `detach`, and saved outputs.
    #[inline]
    pub(crate) fn alias(&self) -> Tensor {
        Tensor::assemble(
            Arc::clone(&self.inner.storage),
            self.inner.layout.clone(),
            self.inner.dtype,
            self.inner.contiguous,
            None,
        )
    }

    /// Gives a tensor that nobody else has seen its history.
    #[inline]
    pub(crate) fn with_origin(mut self, node: Arc<Node>, output: u32) -> Tensor {
        let inner = Arc::get_mut(&mut self.inner).expect("a result that is being recorded has one handle");
        inner.origin = Some((node, output));
        self
    }

    /// Sizes of the dimensions, as a value that outlives the tensor. It reads as a slice and compares with
    /// arrays; [`sizes`](Tensor::sizes) borrows them.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2, 3], DType::F32).shape(), [2, 3]);
    /// ```
    #[inline]
    pub fn shape(&self) -> Shape {
        Shape(self.inner.layout.shape.clone())
    }

    /// Sizes of the dimensions, borrowed from the tensor: for functions of slices and for patterns.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 3], DType::F32);
    /// let [rows, columns] = x.sizes() else { panic!("a matrix is expected") };
    /// assert_eq!((*rows, *columns), (2, 3));
    /// ```
    #[inline]
    pub fn sizes(&self) -> &[usize] {
        &self.inner.layout.shape
    }

    /// Size of one dimension; negative ones count from the end.
    ///
    /// # Panics
    /// If the tensor has no such dimension.
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        let index = crate::shape::normalize_dim("size", dim, self.dim());
        self.sizes().get(index).copied().unwrap_or_else(|| panic!("size: a tensor of 0 dimensions has no dim {dim}"))
    }

    /// Number of dimensions.
    #[inline]
    pub fn dim(&self) -> usize {
        self.sizes().len()
    }

    /// Number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.sizes().iter().product()
    }

    /// Distance in memory, in elements, between neighbours along each dimension.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 3], DType::F32);
    /// assert_eq!((x.stride(), x.t().stride()), (&[3, 1][..], &[1, 3][..]));
    /// ```
    pub fn stride(&self) -> &[usize] {
        &self.inner.layout.strides
    }

    /// Element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// Whether the elements lie densely in row-major order.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.inner.contiguous
    }

    /// Whether both handles are the same tensor (Python's `is`). Two views of the same memory are not.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0]);
    /// assert!(x.same(&x.clone()) && !x.same(&x.detach()));
    /// ```
    pub fn same(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// A number that identifies this tensor as long as a handle on it lives, for use as a map key.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    /// How often the memory of this tensor has been changed in place, torch's `_version`.
    pub fn version(&self) -> u32 {
        self.inner.storage.version()
    }

    #[inline]
    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Whether several indices reach the same element, as in an expanded tensor.
    pub(crate) fn repeats_elements(&self) -> bool {
        let layout = self.layout();
        let repeated = |(&size, &stride): (&usize, &usize)| size > 1 && stride == 0;
        !layout.shape.contains(&0) && layout.shape.iter().zip(&layout.strides).any(repeated)
    }

    /// Whether both tensors live in the same memory.
    pub(crate) fn shares_storage(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.inner.storage, &other.inner.storage)
    }

    /// Whether this handle is the only way to reach the tensor and its memory, so that it may be
    /// overwritten without anybody noticing.
    #[inline]
    pub(crate) fn is_exclusive(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
            && Arc::strong_count(&self.inner.storage) == 1
            && Arc::weak_count(&self.inner) == 0
    }

    /// The elements of a locked buffer, as this tensor arranges them.
    #[inline]
    pub(crate) fn strided<'a, T: Element>(&'a self, buffer: &'a Buffer) -> Strided<'a, T> {
        let layout = &self.inner.layout;
        let data = buffer.as_slice::<T>();
        Strided { data: &data[layout.offset.min(data.len())..], shape: &layout.shape, strides: &layout.strides }
    }

    /// The elements of a locked buffer for writing; the layout must not repeat elements.
    #[inline]
    pub(crate) fn strided_mut<'a, T: Element>(&'a self, buffer: &'a mut Buffer) -> StridedMut<'a, T> {
        let layout = &self.inner.layout;
        let data = buffer.as_mut_slice::<T>();
        let start = layout.offset.min(data.len());
        StridedMut { data: &mut data[start..], shape: &layout.shape, strides: &layout.strides }
    }

    /// Locks this tensor for writing and `source`, which lives in other memory, for reading, in the
    /// order of [`with2`](Tensor::with2).
    pub(crate) fn write_with<T: Element, U: Element>(
        &self,
        source: &Tensor,
        write: impl FnOnce(StridedMut<'_, T>, Strided<'_, U>),
    ) {
        let _locked = Locked::new();
        let (to, from) = (&self.inner.storage, &source.inner.storage);
        assert!(!Arc::ptr_eq(to, from), "a kernel may not read the memory that it writes");
        if Arc::as_ptr(to) < Arc::as_ptr(from) {
            let mut target = to.write();
            let source_buffer = from.read();
            write(self.strided_mut(&mut target), source.strided(&source_buffer));
        } else {
            let source_buffer = from.read();
            let mut target = to.write();
            write(self.strided_mut(&mut target), source.strided(&source_buffer));
        }
    }

    /// Reads the elements under a lock.
    #[inline]
    pub(crate) fn with<T: Element, R>(&self, read: impl FnOnce(Strided<'_, T>) -> R) -> R {
        let _locked = Locked::new();
        let guard = self.inner.storage.read();
        read(self.strided(&guard))
    }

    /// Reads two tensors under their locks, taken in one global order so that threads cannot block
    /// each other in a circle.
    #[inline]
    pub(crate) fn with2<T: Element, U: Element, R>(
        &self,
        other: &Tensor,
        read: impl FnOnce(Strided<'_, T>, Strided<'_, U>) -> R,
    ) -> R {
        let _locked = Locked::new();
        let (a, b) = (&self.inner.storage, &other.inner.storage);
        if Arc::ptr_eq(a, b) {
            let guard = a.read();
            read(self.strided(&guard), other.strided(&guard))
        } else if Arc::as_ptr(a) < Arc::as_ptr(b) {
            let first = a.read();
            let second = b.read();
            read(self.strided(&first), other.strided(&second))
        } else {
            let second = b.read();
            let first = a.read();
            read(self.strided(&first), other.strided(&second))
        }
    }

    /// Reads three tensors under their locks.
    pub(crate) fn with3<T: Element, U: Element, V: Element, R>(
        &self,
        b: &Tensor,
        c: &Tensor,
        read: impl FnOnce(Strided<'_, T>, Strided<'_, U>, Strided<'_, V>) -> R,
    ) -> R {
        let _locked = Locked::new();
        // Distinct storages in address order; at most three, so a sorted array of options will do.
        let mut storages = [&self.inner.storage, &b.inner.storage, &c.inner.storage];
        storages.sort_by_key(|storage| Arc::as_ptr(storage));
        let mut guards = Vec::with_capacity(3);
        for (i, storage) in storages.iter().enumerate() {
            if i == 0 || !Arc::ptr_eq(storage, storages[i - 1]) {
                guards.push((Arc::as_ptr(storage), storage.read()));
            }
        }
        let find = |tensor: &Tensor| {
            let wanted = Arc::as_ptr(&tensor.inner.storage);
            guards.iter().position(|(address, _)| *address == wanted).expect("each storage was locked")
        };
        let (i, j, k) = (find(self), find(b), find(c));
        read(self.strided(&guards[i].1), b.strided(&guards[j].1), c.strided(&guards[k].1))
    }

    /// Whether no in-place operation has changed the history since the tensor was made.
    #[inline]
    fn has_first_history(&self) -> bool {
        let inner = &*self.inner;
        let current = || inner.history_version.load(Ordering::Acquire) == inner.storage.version();
        !inner.rebased.load(Ordering::Acquire) && (inner.base.is_none() || current())
    }

    /// The edge through which gradients reach this tensor; `None` for constants.
    #[inline]
    pub(crate) fn edge(&self) -> Option<Edge> {
        let inner = &*self.inner;
        if !self.has_first_history() {
            return self.current_edge();
        }
        match &inner.origin {
            Some((node, output)) => Some(Edge::Node(Arc::clone(node), *output)),
            None if inner.requires_grad.load(Ordering::Relaxed) => Some(Edge::Leaf(self.clone())),
            None => None,
        }
    }

    /// Whether gradients flow to this tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0]).requires_grad_(true);
    /// assert!((&x * 2.0).requires_grad() && !x.detach().requires_grad());
    /// ```
    #[inline]
    pub fn requires_grad(&self) -> bool {
        let inner = &*self.inner;
        if !self.has_first_history() {
            return self.current_edge().is_some();
        }
        inner.origin.is_some() || inner.requires_grad.load(Ordering::Relaxed)
    }
}
