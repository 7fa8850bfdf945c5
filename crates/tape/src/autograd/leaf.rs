//! The state of a tensor that holds a gradient, and the tensor's methods around it.

use super::hooks::GradHooks;
use super::mode::is_grad_enabled;
use super::node::{Edge, Node, OutputInfo};
use crate::Tensor;
use crate::hooks::RemovableHandle;
use crate::ops::history::{AsStrided, StridedScatter};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// What few tensors have: a gradient, hooks, a history given by an in-place operation.
#[derive(Default)]
pub(crate) struct Leaf {
    grad: Mutex<Option<Tensor>>,
    pub hooks: Arc<GradHooks>,
    /// Run after the gradient has changed.
    pub afterwards: Arc<GradHooks>,
    /// Replaces `Inner::origin` once `Inner::rebased` is set.
    history: Mutex<Option<Edge>>,
}

impl Leaf {
    #[inline]
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Tensor>> {
        self.grad.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the gradient of `owner` as torch does: the first gradient is taken over (if nobody else
    /// holds it) or copied, later ones are added in place; with `create_graph` the sum is a new tensor.
    #[inline]
    pub fn accumulate(&self, owner: &Tensor, grad: Tensor, create_graph: bool) {
        debug_assert_eq!(grad.sizes(), owner.sizes());
        let mut slot = self.lock();
        *slot = Some(match slot.take() {
            None if grad.is_exclusive() && grad.is_contiguous() && (create_graph || !grad.requires_grad()) => grad,
            None if create_graph => grad.copy(),
            None => super::no_grad(|| grad.detach().copy()),
            Some(old) if create_graph => old + grad,
            // A gradient that was assigned may repeat elements, which cannot be added to one by one.
            Some(old) if old.repeats_elements() => super::no_grad(|| old.detach() + grad.detach()),
            Some(old) => {
                old.add_in_place(&grad);
                old
            }
        });
    }
}

impl Tensor {
    #[inline]
    pub(crate) fn leaf_state(&self) -> &Leaf {
        self.inner.leaf.get_or_init(Box::default)
    }

    /// Asks for gradients with respect to this tensor (or stops asking). Returns the same tensor.
    ///
    /// # Panics
    /// If the tensor is not of a floating-point dtype, or `false` is given for the result of a recorded
    /// operation.
    #[track_caller]
    pub fn requires_grad_(&self, requires_grad: bool) -> Tensor {
        if requires_grad && !self.dtype().is_floating_point() {
            panic!(
                "requires_grad_: Only Tensors of floating point and complex dtype can require gradients; this one is {}",
                self.dtype()
            );
        }
        if !self.is_leaf() {
            if requires_grad {
                return self.clone();
            }
            panic!(
                "requires_grad_: you can only change requires_grad flags of leaf variables. If you want to use a computed \
                 variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            );
        }
        self.inner.requires_grad.store(requires_grad, Ordering::Relaxed);
        self.clone()
    }

    /// Whether the tensor was not made by a recorded operation: parameters and constants are leaves.
    pub fn is_leaf(&self) -> bool {
        !matches!(self.edge(), Some(Edge::Node(..)))
    }

    /// The accumulated gradient, if there is one. It is the tensor that later backward passes add to.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([2.0, 3.0]).requires_grad_(true);
    /// for _ in 0..2 {
    ///     x.pow(3.0).sum().backward()?;
    /// }
    /// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [24.0, 54.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    pub fn grad(&self) -> Option<Tensor> {
        self.inner.leaf.get().and_then(|leaf| leaf.lock().clone())
    }

    /// Sets or clears the gradient; `set_grad(None)` is how a training loop forgets it.
    ///
    /// # Panics
    /// If the gradient's shape or dtype is not the tensor's, or it is the tensor itself.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        if let Some(grad) = &grad {
            if grad.same(self) {
                panic!("set_grad: can't assign Variable as its own grad");
            }
            if grad.sizes() != self.sizes() {
                panic!(
                    "set_grad: attempting to assign a gradient of size '{:?}' to a tensor of size '{:?}'. Please ensure \
                     that the gradient and the tensor are the same size",
                    grad.sizes(),
                    self.sizes()
                );
            }
            if grad.dtype() != self.dtype() {
                panic!(
                    "set_grad: attempting to assign a gradient with dtype '{}' to a tensor with dtype '{}'. Please ensure \
                     that the gradient and the tensor have the same dtype",
                    grad.dtype().short_name(),
                    self.dtype().short_name()
                );
            }
        } else if self.inner.leaf.get().is_none() {
            return;
        }
        // The old gradient is freed outside of the lock: its graph may be large.
        let old = std::mem::replace(&mut *self.leaf_state().lock(), grad);
        drop(old);
    }

    /// The same values without history: shares memory, and in-place changes of either are seen (and
    /// counted) by both.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0]).requires_grad_(true);
    /// assert!(!x.detach().requires_grad());
    /// ```
    pub fn detach(&self) -> Tensor {
        self.alias()
    }

    /// Keeps the gradient of a tensor that is not a leaf: after `backward`, `grad()` gives it.
    /// For a leaf this does nothing.
    ///
    /// # Panics
    /// If the tensor does not require gradients.
    #[track_caller]
    pub fn retain_grad(&self) -> Tensor {
        match self.edge() {
            None => panic!(
                "retain_grad: can't retain_grad on Tensor that has requires_grad=False; it was computed under no_grad or \
                 from constants"
            ),
            Some(Edge::Leaf(_)) => {}
            Some(Edge::Node(node, output)) => {
                node.hooks.get_or_init(Box::default).retain(output, self);
            }
        }
        self.clone()
    }

    /// Whether [`retain_grad`](Tensor::retain_grad) was called on this tensor, which is not a leaf.
    pub fn retains_grad(&self) -> bool {
        match self.edge() {
            Some(Edge::Node(node, _)) => node.hooks.get().is_some_and(|hooks| hooks.retains(self)),
            _ => false,
        }
    }

    /// Calls `hook` with the gradient of this tensor in each backward pass, before the gradient is
    /// accumulated or passed on; a returned tensor replaces it. Hooks run in order of registration.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    /// let handle = x.register_hook(|g| Some(g * 10.0));
    /// x.sum().backward()?;
    /// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [10.0, 10.0]);
    /// handle.remove();
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the tensor does not require gradients.
    #[track_caller]
    pub fn register_hook(&self, hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static) -> RemovableHandle {
        let hook = Arc::new(hook);
        match self.edge() {
            None => panic!("register_hook: cannot register a hook on a tensor that doesn't require gradient"),
            Some(Edge::Leaf(leaf)) => leaf.leaf_state().hooks.push(hook),
            Some(Edge::Node(node, output)) => node.hooks.get_or_init(Box::default).list(output).push(hook),
        }
    }

    /// Calls `hook` with this leaf after a backward pass has added to its gradient: the place to use a
    /// gradient as soon as it is there, and to drop it. Hooks run in order of registration, after the pass has
    /// written the gradients of all leaves.
    ///
    /// ```
    /// # use tape::{Tensor, no_grad};
    /// let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    /// x.register_post_accumulate_grad_hook(|x| {
    ///     let gradient = x.grad().expect("just accumulated");
    ///     no_grad(|| x.sub_(gradient * 0.5));
    ///     x.set_grad(None);
    /// });
    /// x.square().sum().backward()?;
    /// assert_eq!(x.to_vec::<f64>(), [0.0, 0.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a leaf that requires gradients.
    #[track_caller]
    pub fn register_post_accumulate_grad_hook(
        &self,
        hook: impl Fn(&Tensor) + Send + Sync + 'static,
    ) -> RemovableHandle {
        match self.edge() {
            Some(Edge::Leaf(leaf)) => leaf.leaf_state().afterwards.push(Arc::new(move |leaf| {
                hook(leaf);
                None
            })),
            Some(Edge::Node(..)) => panic!(
                "register_post_accumulate_grad_hook: post accumulate grad hooks cannot be registered on non-leaf tensors; \
                 use register_hook, or detach() the tensor"
            ),
            None => panic!(
                "register_post_accumulate_grad_hook: cannot register a hook on a tensor that doesn't require gradient"
            ),
        }
    }

    /// torch's name of the operation that made this tensor.
    pub fn grad_fn_name(&self) -> Option<&'static str> {
        match self.edge() {
            Some(Edge::Node(node, _)) => Some(node.op.name()),
            _ => None,
        }
    }

    /// The edge of a tensor whose history may have changed since it was made: one that was changed in
    /// place, or a view of memory that was.
    pub(crate) fn current_edge(&self) -> Option<Edge> {
        let inner = &*self.inner;
        if let Some(base) = &inner.base {
            let version = inner.storage.version();
            if inner.history_version.load(Ordering::Acquire) != version {
                let history = self.history_through(base);
                self.set_history(history);
                inner.history_version.store(version, Ordering::Release);
            }
        }
        if inner.rebased.load(Ordering::Acquire) {
            let history = self.leaf_state().history.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if history.is_some() {
                return history;
            }
        } else if let Some((node, output)) = &inner.origin {
            return Some(Edge::Node(Arc::clone(node), *output));
        }
        inner.requires_grad.load(Ordering::Relaxed).then(|| Edge::Leaf(self.clone()))
    }

    /// The history of a view, read off its base: the base's elements through the view's layout.
    fn history_through(&self, base: &Tensor) -> Option<Edge> {
        let was_recorded = self.inner.origin.is_some() || self.inner.rebased.load(Ordering::Acquire);
        // A view made under no_grad of a tensor that already required grad stays a constant, until an
        // in-place operation gives the memory a history of its own.
        let edge = base.edge()?;
        if !was_recorded && matches!(edge, Edge::Leaf(_)) {
            return None;
        }
        let op = AsStrided { base: base.layout().clone(), view: self.layout().clone() };
        let info = OutputInfo { shape: self.layout().shape.clone(), dtype: self.dtype() };
        let node = Node::new(op, SmallVec::from_iter([Some(edge)]), SmallVec::from_iter([info]), SmallVec::new());
        Some(Edge::Node(node, 0))
    }

    /// Makes `history` (of an in-place operation whose result was `value`) the history of this tensor
    /// and, if it is a view, of the memory it looks into.
    pub(crate) fn rebase(&self, history: Option<Edge>, value: &Tensor) {
        debug_assert!(is_grad_enabled());
        let (target, history) = match &self.inner.base {
            None if history.is_some() => (self, history),
            // Overwritten by a constant: the old history stays and gets a gradient of zeros, as in torch.
            None => {
                let op = StridedScatter { base: self.layout().clone(), view: self.layout().clone() };
                let info = OutputInfo { shape: self.layout().shape.clone(), dtype: self.dtype() };
                let edges = SmallVec::from_iter([self.edge(), None]);
                let node = Node::new(op, edges, SmallVec::from_iter([info]), SmallVec::new());
                (self, Some(Edge::Node(node, 0)))
            }
            Some(base) => {
                let op = StridedScatter { base: base.layout().clone(), view: self.layout().clone() };
                let info = OutputInfo { shape: base.layout().shape.clone(), dtype: base.dtype() };
                let edges = SmallVec::from_iter([base.edge(), history]);
                let node = Node::new(op, edges, SmallVec::from_iter([info]), SmallVec::new());
                (base, Some(Edge::Node(node, 0)))
            }
        };
        debug_assert_eq!(value.sizes(), self.sizes());
        target.set_history(history);
    }

    /// Replaces the history; a retained gradient is retained of the new one.
    fn set_history(&self, history: Option<Edge>) {
        let first = || self.inner.origin.as_ref().map(|(node, output)| Edge::Node(Arc::clone(node), *output));
        let rebased = self.inner.rebased.load(Ordering::Acquire);
        let replaced = std::mem::replace(
            &mut *self.leaf_state().history.lock().unwrap_or_else(PoisonError::into_inner),
            history.clone(),
        );
        let old = if rebased { replaced } else { first() };
        if let Some(Edge::Node(old, _)) = &old
            && old.hooks.get().is_some_and(|hooks| hooks.release(self))
            && let Some(Edge::Node(new, output)) = &history
        {
            new.hooks.get_or_init(Box::default).retain(*output, self);
        }
        self.inner.rebased.store(true, Ordering::Release);
    }
}
