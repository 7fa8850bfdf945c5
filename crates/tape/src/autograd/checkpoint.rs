//! Activation checkpointing: memory for time, by computing a part of the forward pass again.

use super::mode::{enable_grad, is_grad_enabled};
use super::node::{Node, Saves};
use crate::kernel::parallel::Locked;
use crate::random::{Generator, get_rng_state, set_rng_state};
use crate::{Error, Tensor};
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

/// `function` of `inputs`, as torch's `utils.checkpoint` (`use_reentrant=False`): nothing that its derivative
/// needs is kept. The backward pass runs `function` again when it arrives there, once, and goes on.
///
/// Gradients reach the inputs and every other tensor that `function` uses, such as the weights it captured.
/// Derivatives of all orders, [`grad`](crate::grad()) and checkpoints within checkpoints work. Random numbers
/// that `function` draws from the process-wide generator are the same both times. The function must be
/// deterministic otherwise, and is kept as long as the graph: let it capture clones of tensors, which are
/// handles.
///
/// ```
/// use tape::{Tensor, checkpoint};
/// let w = Tensor::from([[0.5, -0.2], [0.1, 0.3]]).requires_grad_(true);
/// let x = Tensor::from([[1.0, 2.0]]);
/// let weight = w.clone();
/// let y = checkpoint(move |x| x[0].matmul(&weight).tanh().matmul(&weight).tanh(), &[&x]);
/// y.sum().backward()?;
/// let checkpointed = w.grad().unwrap().to_vec::<f64>();
///
/// w.set_grad(None);
/// x.matmul(&w).tanh().matmul(&w).tanh().sum().backward()?;
/// assert_eq!(w.grad().unwrap().to_vec::<f64>(), checkpointed);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// The backward pass fails if an input was changed in place in between, or if the second run records another
/// number of operations than the first.
pub fn checkpoint(function: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static, inputs: &[&Tensor]) -> Tensor {
    let inputs: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
    if !is_grad_enabled() {
        return function(&inputs);
    }
    let versions = inputs.iter().map(Tensor::version).collect();
    let before = get_rng_state();
    let (output, nodes) = collect(|| function(&inputs), Arc::downgrade);
    let generator = (get_rng_state() != before).then_some(before);
    let region = Arc::new(Region {
        function: Box::new(function),
        inputs,
        versions,
        generator,
        operations: nodes.len(),
        recomputed: Mutex::default(),
    });
    for (index, node) in nodes.iter().enumerate() {
        if let Some(node) = node.upgrade() {
            node.forget_saved(Recomputable { region: Arc::clone(&region), index });
        }
    }
    output
}

/// A part of the forward pass that can be run again.
struct Region {
    #[expect(clippy::type_complexity, reason = "a function of tensors")]
    function: Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>,
    inputs: Vec<Tensor>,
    /// Versions of the inputs when the function was run first.
    versions: Vec<u32>,
    /// The process-wide generator at that time, if the function drew from it. It is left alone otherwise: other
    /// threads may be drawing.
    generator: Option<Generator>,
    /// How many operations the function records.
    operations: usize,
    recomputed: Mutex<Recomputed>,
}

/// What the derivatives of a region's operations need, until they fetch it.
#[derive(Default)]
struct Recomputed {
    /// Whether saved values have their history.
    with_history: bool,
    saves: Vec<Option<Saves>>,
}

/// The saved values of one operation of a region.
#[derive(Clone)]
pub(crate) struct Recomputable {
    region: Arc<Region>,
    index: usize,
}

impl Recomputable {
    /// Fetches the values, after running the region again unless an operation before did. Each run serves
    /// every operation once.
    pub fn fetch(&self, with_history: bool) -> Result<Saves, Error> {
        let region = &*self.region;
        if let Some(saves) = region.take(self.index, with_history) {
            return Ok(saves);
        }
        let mut recomputed = region.recompute(with_history)?;
        // Before another thread can take it.
        let own = recomputed.saves.get_mut(self.index).and_then(Option::take);
        let before = std::mem::replace(&mut *region.lock(), recomputed);
        drop(before);
        Ok(own.unwrap_or_default())
    }
}

impl Region {
    fn lock(&self) -> std::sync::MutexGuard<'_, Recomputed> {
        self.recomputed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, index: usize, with_history: bool) -> Option<Saves> {
        let mut recomputed = self.lock();
        if recomputed.with_history != with_history {
            return None;
        }
        recomputed.saves.get_mut(index).and_then(Option::take)
    }

    /// Runs the function with recording on. No lock is held meanwhile.
    fn recompute(&self, with_history: bool) -> Result<Recomputed, Error> {
        self.check_inputs()?;
        let restore = RestoreGenerator(self.generator.as_ref().map(|_| get_rng_state()));
        if let Some(first) = &self.generator {
            set_rng_state(first.clone());
        }
        let (output, nodes) = enable_grad(|| collect(|| (self.function)(&self.inputs), Arc::clone));
        drop(restore);
        if nodes.len() != self.operations {
            return Err(Error::Recomputation { forward: self.operations, recomputed: nodes.len() });
        }
        let saves = nodes.iter().map(|node| Some(node.saved_values(with_history))).collect();
        drop(output);
        Ok(Recomputed { with_history, saves })
    }

    fn check_inputs(&self) -> Result<(), Error> {
        for (index, (input, &expected)) in self.inputs.iter().zip(&self.versions).enumerate() {
            let version = input.version();
            if version != expected {
                return Err(Error::ModifiedInPlace {
                    node: "checkpoint",
                    tensor_type: input.dtype().tensor_type(),
                    shape: input.sizes().to_vec(),
                    index,
                    version,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// Puts the process-wide generator back, also when the function panics.
struct RestoreGenerator(Option<Generator>);

impl Drop for RestoreGenerator {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            set_rng_state(state);
        }
    }
}

type Collector = Box<dyn FnMut(&Arc<Node>)>;

thread_local! {
    /// Whether anybody wants to know of new nodes: this alone is looked at when there is nobody.
    static COLLECTING: Cell<bool> = const { Cell::new(false) };
    /// Who wants to know; the innermost region last.
    static COLLECTORS: RefCell<Vec<Collector>> = const { RefCell::new(Vec::new()) };
}

/// Tells the innermost region of a node that was just made.
#[inline]
pub(super) fn announce(node: &Arc<Node>) {
    if COLLECTING.get() {
        COLLECTORS.with_borrow_mut(|collectors| collectors.iter_mut().next_back().map(|collector| collector(node)));
    }
}

/// Runs `body`, and `keep` on each node made in it.
fn collect<R, K: 'static>(body: impl FnOnce() -> R, keep: impl Fn(&Arc<Node>) -> K + 'static) -> (R, Vec<K>) {
    struct Pop;
    impl Drop for Pop {
        fn drop(&mut self) {
            let collector = COLLECTORS.with_borrow_mut(|collectors| {
                let popped = collectors.pop();
                COLLECTING.set(!collectors.is_empty());
                popped
            });
            // What it holds is freed outside of the borrow.
            drop(collector);
        }
    }
    let kept = std::rc::Rc::new(RefCell::new(Vec::new()));
    let list = std::rc::Rc::clone(&kept);
    COLLECTORS.with_borrow_mut(|all| all.push(Box::new(move |node| list.borrow_mut().push(keep(node)))));
    COLLECTING.set(true);
    let pop = Pop;
    // What other jobs record on this thread is not the region's.
    let _alone = Locked::new();
    let result = body();
    drop(pop);
    let kept = kept.take();
    (result, kept)
}
