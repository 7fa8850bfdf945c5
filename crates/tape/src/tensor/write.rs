//! Changing a tensor's memory in place.

use crate::autograd::{Edge, is_grad_enabled, no_grad, saves};
use crate::dtype::{dispatch, dispatch_float, dispatch_number};
use crate::kernel::parallel::Locked;
use crate::kernel::{Strided, copy, map};
use crate::ops::arithmetic::f;
use crate::storage::build;
use crate::vector::{self, ElementUpdate};
use crate::{Element, Float, Scalar, Tensor};

impl Tensor {
    /// Overwrites all elements, given in row-major order, without recording anything: the way an
    /// optimizer sets parameters. Counts as an in-place change.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let w = Tensor::from([0.0f32, 0.0]).requires_grad_(true);
    /// w.write_from(&[1.0f32, 2.0]);
    /// assert_eq!(w.to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If `values` does not have as many elements as the tensor.
    #[track_caller]
    pub fn write_from<T: Element>(&self, values: &[T]) {
        self.check_slice("write_from", values.len());
        dispatch!(self.dtype(), S => {
            let _locked = Locked::new();
            let mut guard = self.inner.storage.write();
            copy::cast_from_dense(values, self.strided_mut::<S>(&mut guard));
        });
    }

    /// Adds `alpha * direction` to the elements, given in row-major order, without recording anything.
    ///
    /// `alpha` and `direction` are rounded to the tensor's dtype, and each element is updated by one
    /// fused multiply-add, `p = fma(alpha, d, p)`, as torch's `add_(d, alpha=..)` computes it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let w = Tensor::from([1.0, 2.0]);
    /// w.add_scaled(-0.5, &[2.0, 4.0]);
    /// assert_eq!(w.to_vec::<f64>(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `direction` does not have as many elements as the tensor, the tensor is not floating point, or several
    /// of its indices reach one element.
    #[track_caller]
    pub fn add_scaled<T: Element>(&self, alpha: f64, direction: &[T]) {
        self.check_slice("add_scaled", direction.len());
        self.check_distinct("add_scaled");
        dispatch_float!("add_scaled", self.dtype(), S => {
            let _locked = Locked::new();
            let mut guard = self.inner.storage.write();
            let target = self.strided_mut::<S>(&mut guard);
            let alpha = S::from_f64(alpha);
            match copy::same_type::<T, S>(direction) {
                Some(direction) if self.is_contiguous() => {
                    vector::axpy(alpha, direction, &mut target.data[..direction.len()]);
                }
                _ => copy::update(direction, target, |d: T, p: S| alpha.mul_add(d.cast::<S>(), p)),
            }
        });
    }

    /// Applies an optimizer's `rule` to every element, its gradient and its state, in one pass and without
    /// recording anything: [`vector::update`] on a tensor's memory.
    ///
    /// The state is in row-major order. The gradient may be of any layout; a dense one is read where it is.
    ///
    /// ```
    /// # use tape::Tensor;
    /// # use tape::vector::ElementUpdate;
    /// #[derive(Clone, Copy)]
    /// struct Descend(f32);
    /// impl ElementUpdate<f32, 0> for Descend {
    ///     #[inline(always)]
    ///     fn apply(&self, p: f32, g: f32, _: [f32; 0]) -> (f32, [f32; 0]) {
    ///         ((-self.0).mul_add(g, p), [])
    ///     }
    /// }
    /// let w = Tensor::from([1.0f32, 2.0]).requires_grad_(true);
    /// (&w * &w).sum().backward()?;
    /// w.update_with(&w.grad().expect("backward was called"), [], Descend(0.25));
    /// assert_eq!(w.to_vec::<f32>(), [0.5, 1.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `T` is not the dtype of both tensors, their shapes differ, a slice of state does not have as many
    /// elements, or several indices of the tensor reach one element.
    #[track_caller]
    pub fn update_with<T: Float, const N: usize>(
        &self,
        gradient: &Tensor,
        state: [&mut [T]; N],
        rule: impl ElementUpdate<T, N>,
    ) {
        for values in &state {
            self.check_slice("update_with", values.len());
        }
        let mut state = Some(state);
        self.with_dense::<T>(gradient, &mut |param, gradient| {
            if let Some(state) = state.take() {
                vector::update(param, gradient, state, rule);
            }
        });
    }

    /// Calls `change` with the elements in row-major order and those of `gradient`. Memory that is dense is
    /// handed out as it is.
    #[track_caller]
    fn with_dense<T: Float>(&self, gradient: &Tensor, change: &mut dyn FnMut(&mut [T], &[T])) {
        if [self.dtype(), gradient.dtype()] != [T::DTYPE; 2] || self.sizes() != gradient.sizes() {
            panic!(
                "update_with: a parameter of shape {:?} and dtype {} cannot be updated as {} with a gradient of shape \
                 {:?} and dtype {}; give one of the same shape and dtype",
                self.sizes(),
                self.dtype(),
                T::DTYPE,
                gradient.sizes(),
                gradient.dtype()
            );
        }
        no_grad(|| self.check_in_place("update_with"));
        if gradient.shares_storage(self) {
            return self.with_dense(&no_grad(|| gradient.detach().copy()), change);
        }
        let gradient = gradient.dense();
        self.write_with::<T, T>(&gradient, |target, gradient| {
            let gradient = &gradient.data[..self.numel()];
            if self.is_contiguous() {
                return change(&mut target.data[..gradient.len()], gradient);
            }
            let mut dense = vec![T::ZERO; gradient.len()];
            copy::to_dense(Strided { data: target.data, shape: target.shape, strides: target.strides }, &mut dense);
            change(&mut dense, gradient);
            copy::cast_from_dense(&dense, target);
        });
    }

    #[track_caller]
    fn check_slice(&self, op: &str, len: usize) {
        if len != self.numel() {
            panic!(
                "{op}: the tensor has {} elements (shape {:?}) but the slice has {len}; give one value per element",
                self.numel(),
                self.sizes()
            );
        }
    }

    /// Copies the elements of `source`, broadcast to this shape and converted to this dtype.
    /// Gradients flow back to `source`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 2], DType::F64);
    /// x.i((.., 1)).copy_(&Tensor::from([5.0, 6.0]));
    /// assert_eq!(x.to_vec::<f64>(), [0.0, 5.0, 0.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape of `source` does not broadcast to this tensor's, or this is a leaf (or a view of
    /// one) that requires grad while recording is on.
    #[track_caller]
    pub fn copy_(&self, source: &Tensor) -> Tensor {
        // With a node of its own: gradients of this tensor are not those of everything else made of `source`.
        self.replace_("copy_", |_| {
            source.view_with(source.layout().clone()).record(&[source], || crate::ops::cast::Copy, |_| saves![])
        })
    }

    /// Sets every element to `value`.
    ///
    /// # Panics
    /// As [`copy_`](Tensor::copy_).
    #[track_caller]
    pub fn fill_(&self, value: impl Into<Scalar>) -> Tensor {
        let value = Tensor::full((), value, self.dtype());
        self.replace_("fill_", |_| value)
    }

    /// Sets every element to zero.
    ///
    /// # Panics
    /// As [`copy_`](Tensor::copy_).
    #[track_caller]
    pub fn zero_(&self) -> Tensor {
        self.fill_(0)
    }

    /// Refuses to write to a tensor that reaches one element through several indices.
    #[track_caller]
    pub(crate) fn check_distinct(&self, op: &str) {
        let layout = self.layout();
        if self.repeats_elements() {
            panic!(
                "{op}: unsupported operation: more than one element of the written-to tensor refers to a single memory \
                 location (shape {:?}, strides {:?}). Please copy() the tensor before performing the operation.",
                layout.shape, layout.strides
            );
        }
    }

    /// Refuses an in-place change that would break the graph, with torch's texts.
    #[track_caller]
    pub(crate) fn check_in_place(&self, op: &str) {
        self.check_distinct(op);
        if !is_grad_enabled() {
            return;
        }
        if !self.requires_grad() {
            if self.inner.base.as_ref().is_some_and(Tensor::requires_grad) {
                panic!(
                    "{op}: A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that \
                     this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the \
                     view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or \
                     both outside (if you want the inplace to be tracked)."
                );
            }
            return;
        }
        match &self.inner.base {
            None if self.is_leaf() => panic!(
                "{op}: a leaf Variable that requires grad is being used in an in-place operation. Wrap it in no_grad(|| ..) \
                 if the change is not part of the computation, or change a copy()."
            ),
            Some(base) if base.is_leaf() && base.requires_grad() => panic!(
                "{op}: a view of a leaf Variable that requires grad is being used in an in-place operation. Wrap it in \
                 no_grad(|| ..) if the change is not part of the computation, or change a copy()."
            ),
            _ => {}
        }
    }

    /// Every recorded in-place operation: computes the new value out of place, writes it into this
    /// tensor's memory, and makes the computation this tensor's history.
    #[track_caller]
    pub(crate) fn replace_(&self, op: &str, compute: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        self.check_in_place(op);
        let recording = is_grad_enabled();
        let before = if recording && self.requires_grad() { self.with_same_history() } else { self.alias() };
        let mut value = compute(&before);
        if value.sizes() != self.sizes() {
            if !crate::shape::broadcasts_to(value.sizes(), self.sizes()) {
                panic!(
                    "{op}: output with shape {:?} doesn't match the broadcast shape {:?}; an in-place operation cannot \
                     change the shape of its tensor",
                    self.sizes(),
                    value.sizes()
                );
            }
            value = value.expand(self.sizes());
        }
        if value.dtype() != self.dtype() {
            value = value.to_dtype(self.dtype());
        }
        let history = if recording { value.edge() } else { None };
        if let Some(Edge::Node(node, _)) = &history {
            // What the rule saved of the old value must outlive the write.
            node.unshare_saved(self);
        }
        if value.shares_storage(self) {
            value = no_grad(|| value.detach().copy());
        }
        self.overwrite(&value);
        if recording && (history.is_some() || self.requires_grad()) {
            self.rebase(history, &value);
        }
        self.clone()
    }

    /// Copies the elements of a tensor of the same shape and dtype that lives in other memory.
    pub(crate) fn overwrite(&self, value: &Tensor) {
        let value = value.dense();
        dispatch!(self.dtype(), T => self.write_with::<T, T>(&value, |target, source| {
            copy::cast_from_dense(&source.data[..value.numel()], target);
        }));
    }

    /// This tensor if it is dense, else a dense copy; never recorded.
    pub(crate) fn dense(&self) -> Tensor {
        if self.is_contiguous() {
            return self.clone();
        }
        dispatch!(self.dtype(), T => {
            let buffer = build::<T>(self.numel(), |out| self.with(|x| copy::to_dense(x, out)));
            Tensor::from_buffer(buffer, self.layout().shape.clone())
        })
    }

    /// Adds `other` (same shape and dtype) into this tensor's memory without recording: how gradients
    /// accumulate.
    pub(crate) fn add_in_place(&self, other: &Tensor) {
        if other.shares_storage(self) {
            return self.add_in_place(&no_grad(|| other.detach().copy()));
        }
        if !other.is_contiguous() {
            return self.add_in_place(&other.dense());
        }
        let numel = other.numel();
        dispatch_number!("gradient accumulation", self.dtype(), T => self.write_with::<T, T>(other, |target, source| {
            let source = &source.data[..numel];
            if self.is_contiguous() {
                map::binary_in_place(&mut target.data[..numel], source, f::Plus);
            } else {
                copy::update(source, target, |new: T, old: T| old + new);
            }
        }));
    }

    /// A new handle with this tensor's elements and its present history.
    fn with_same_history(&self) -> Tensor {
        let alias = self.alias();
        match self.edge() {
            Some(Edge::Node(node, output)) => alias.with_origin(node, output),
            Some(Edge::Leaf(_)) => unreachable!("leaves are refused before"),
            None => alias,
        }
    }
}
