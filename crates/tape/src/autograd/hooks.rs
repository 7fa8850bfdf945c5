//! Functions that see, and may replace, the gradient of a tensor.

use crate::Tensor;
use crate::hooks::HookList;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A gradient hook: `None` keeps the gradient.
type Hook = dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync;

/// The hooks of one tensor.
pub(crate) type GradHooks = HookList<Hook>;

impl GradHooks {
    /// Passes a gradient through all hooks. No lock is held while they run.
    pub fn run(&self, grad: Tensor) -> Tensor {
        self.snapshot().iter().fold(grad, |grad, hook| hook(&grad).unwrap_or(grad))
    }

    /// Shows `tensor` to all hooks; what they return is of no interest.
    pub fn show(&self, tensor: &Tensor) {
        for hook in self.snapshot() {
            hook(tensor);
        }
    }
}

/// Hooks and retained gradients of a node's outputs.
#[derive(Default)]
pub(crate) struct NodeHooks {
    hooks: Mutex<Vec<(u32, Arc<GradHooks>)>>,
    /// Tensors whose `.grad` is to be set, by output. Weak: a tensor owns its node.
    retained: Mutex<Vec<(u32, Weak<crate::tensor::Inner>)>>,
}

impl NodeHooks {
    pub fn list(&self, output: u32) -> Arc<GradHooks> {
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, list)) = hooks.iter().find(|(index, _)| *index == output) {
            return Arc::clone(list);
        }
        let list = Arc::new(GradHooks::default());
        hooks.push((output, Arc::clone(&list)));
        list
    }

    pub fn retain(&self, output: u32, tensor: &Tensor) {
        if !self.retains(tensor) {
            let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
            retained.push((output, Arc::downgrade(&tensor.inner)));
        }
    }

    pub fn retains(&self, tensor: &Tensor) -> bool {
        let retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        retained.iter().any(|(_, weak)| std::ptr::eq(weak.as_ptr(), Arc::as_ptr(&tensor.inner)))
    }

    /// Forgets a tensor, whose history is another one now; whether it was known.
    pub fn release(&self, tensor: &Tensor) -> bool {
        let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        let before = retained.len();
        retained.retain(|(_, weak)| !std::ptr::eq(weak.as_ptr(), Arc::as_ptr(&tensor.inner)));
        retained.len() < before
    }

    /// The gradient of an output after its hooks; retained gradients see the value after all hooks,
    /// also those registered later, as in torch.
    pub fn run(&self, output: u32, grad: Tensor, create_graph: bool) -> Tensor {
        let list = {
            let hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
            hooks.iter().find(|(index, _)| *index == output).map(|(_, list)| Arc::clone(list))
        };
        let grad = list.map_or(grad.clone(), |list| list.run(grad));
        let retained: Vec<Tensor> = {
            let retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
            let alive = retained.iter().filter(|(index, _)| *index == output);
            alive.filter_map(|(_, weak)| weak.upgrade().map(|inner| Tensor { inner })).collect()
        };
        for tensor in retained {
            tensor.leaf_state().accumulate(&tensor, grad.clone(), create_graph);
        }
        grad
    }
}
