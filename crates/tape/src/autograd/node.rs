//! Recorded operations.

use super::checkpoint::{Recomputable, announce};
use super::hooks::NodeHooks;
use super::mode::is_grad_enabled;
use crate::shape::Dims;
use crate::{DType, Error, Tensor};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One gradient per input of an operation; `None` where no gradient flows by definition.
pub(crate) type Gradients = SmallVec<[Option<Tensor>; 2]>;

/// The gradients of a rule, one expression per input. An input that needs no gradient costs nothing:
/// its expression is not evaluated.
macro_rules! gradients {
    ($rule:expr; $($gradient:expr),+ $(,)?) => {{
        let mut gradients = $crate::autograd::Gradients::new();
        $(
            let wanted = $rule.needs(gradients.len());
            gradients.push(if wanted { Some($gradient) } else { None });
        )+
        gradients
    }};
}
pub(crate) use gradients;

/// A differentiable operation: how it is called in messages, and its derivative.
///
/// The derivative is written in tensor operations, so that it can be differentiated again. Its
/// gradients may have broadcast shapes or wider dtypes: the engine sums and converts them.
pub(crate) trait Op: Send + Sync + 'static {
    /// torch's name of the backward node.
    fn name(&self) -> &'static str;

    /// The gradients of the inputs from the gradient of the only output.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients;

    /// The gradients of the inputs from those of all outputs; an output that took no part has none.
    #[inline]
    fn backward_many(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Gradients {
        match &grads[0] {
            Some(grad) => self.backward(rule, grad),
            None => SmallVec::from_elem(None, rule.node.edges.len()),
        }
    }

    /// What the engine calls: [`backward`](Op::backward) for the one output that nearly all operations have.
    /// Only what users write can fail; the error is boxed to keep the result of all others small.
    #[inline]
    fn run(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Result<Gradients, Box<Error>> {
        Ok(match grads {
            [Some(grad)] => self.backward(rule, grad),
            grads => self.backward_many(rule, grads),
        })
    }

    /// Whether the derivative is made of pieces that do not change with the inputs, see [`flat`](super::flat).
    fn is_flat(&self) -> bool {
        false
    }

    /// Calls of this operation on inputs it is differentiable at, for the gradient checks.
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample>
    where
        Self: Sized;
}

/// Where a gradient goes: an output of a recorded operation, or a leaf's `.grad`.
#[derive(Clone)]
pub(crate) enum Edge {
    Node(Arc<Node>, u32),
    Leaf(Tensor),
}

impl Edge {
    /// Those of the tensor whose origin this is, which its gradient must have.
    #[inline]
    pub fn shape_and_dtype(&self) -> (&[usize], DType) {
        match self {
            Edge::Node(node, output) => {
                let info = &node.outputs[*output as usize];
                (&info.shape, info.dtype)
            }
            Edge::Leaf(leaf) => (leaf.sizes(), leaf.dtype()),
        }
    }
}

/// Shape and dtype that the gradient of an output must have.
pub(crate) struct OutputInfo {
    pub shape: Dims,
    pub dtype: DType,
}

/// A value kept for the backward pass.
#[derive(Clone)]
pub(crate) struct Saved {
    tensor: Tensor,
    /// Version of the memory that the derivative needs; `None` if it does not look at the elements.
    version: Option<u32>,
    /// The value is this output of the node itself; held without its history, which would be a cycle.
    output: Option<u32>,
}

pub(crate) type Saves = SmallVec<[Saved; 2]>;

enum SavedState {
    Held(Saves),
    /// To be computed again, see [`checkpoint()`](super::checkpoint()).
    Recomputable(Recomputable),
    Freed,
}

/// The inputs (`saves![a, b]`) that an operation's derivative will need.
macro_rules! saves {
    ($($tensor:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "nothing may be saved")]
        let mut saves = $crate::autograd::Saves::new();
        $(saves.push($crate::autograd::Saved::input($tensor));)*
        saves
    }};
}
pub(crate) use saves;

impl Saved {
    /// Saves an input.
    #[inline]
    pub fn input(tensor: &Tensor) -> Saved {
        Saved { version: Some(tensor.version()), tensor: tensor.clone(), output: None }
    }

    /// Holds an input for its shape alone: its elements may change.
    #[inline]
    pub fn shape_of(tensor: &Tensor) -> Saved {
        Saved { version: None, tensor: tensor.clone(), output: None }
    }

    /// Saves output number `index` of the operation that is being recorded.
    #[inline]
    pub fn output(tensor: &Tensor, index: u32) -> Saved {
        Saved { version: Some(tensor.version()), tensor: tensor.alias(), output: Some(index) }
    }
}

/// The factors that the derivative of a product needs: each one only if the other requires a gradient.
/// The rule finds them as [`Rule::left_factor`] and [`Rule::right_factor`].
#[inline]
pub(crate) fn save_factors(left: &Tensor, right: &Tensor) -> Saves {
    let mut saves = Saves::new();
    if right.requires_grad() {
        saves.push(Saved::input(left));
    }
    if left.requires_grad() {
        saves.push(Saved::input(right));
    }
    saves
}

/// The `saved` argument of [`Tensor::record`] for a derivative that needs the result and nothing else.
#[inline]
pub(crate) fn save_output(result: &Tensor) -> Saves {
    SmallVec::from_iter([Saved::output(result, 0)])
}

/// A recorded operation.
pub(crate) struct Node<O: ?Sized = dyn Op> {
    /// Larger than that of every node that this one depends on; within a thread, the order of recording.
    pub sequence: u64,
    /// Slot of this node in a running backward pass, see `engine`.
    pub claim: AtomicU64,
    /// Origin of each input; `None` for constants.
    pub edges: SmallVec<[Option<Edge>; 2]>,
    pub outputs: SmallVec<[OutputInfo; 1]>,
    /// Whether anything was saved: nothing to lock, check or free otherwise.
    saves: bool,
    saved: Mutex<SavedState>,
    /// Fields are dropped in order: this one after all that may free other nodes.
    _end_of_drop: EndOfDrop,
    pub hooks: OnceLock<Box<NodeHooks>>,
    pub op: O,
}

thread_local! {
    static SEQUENCE: Cell<u64> = const { Cell::new(0) };
}

/// Whether an operation on `inputs` is to be recorded.
#[inline]
pub(crate) fn tracks(inputs: &[&Tensor]) -> bool {
    is_grad_enabled() && inputs.iter().any(|input| input.requires_grad())
}

/// A Lamport clock over threads: the order of recording within a thread, which is the order in which
/// torch runs nodes that are ready (and so fixes the order of additions), and never before an input.
#[inline]
fn next_sequence(edges: &[Option<Edge>]) -> u64 {
    let latest = edges.iter().filter_map(|edge| match edge {
        Some(Edge::Node(node, _)) => Some(node.sequence),
        _ => None,
    });
    let sequence = latest.max().unwrap_or(0).max(SEQUENCE.get()) + 1;
    SEQUENCE.set(sequence);
    sequence
}

impl Node {
    pub fn new<O: Op>(
        op: O,
        edges: SmallVec<[Option<Edge>; 2]>,
        outputs: SmallVec<[OutputInfo; 1]>,
        saved: Saves,
    ) -> Arc<Node> {
        let node: Arc<Node> = Arc::new(Node {
            sequence: next_sequence(&edges),
            claim: AtomicU64::new(0),
            edges,
            outputs,
            saves: !saved.is_empty(),
            saved: Mutex::new(SavedState::Held(saved)),
            _end_of_drop: EndOfDrop,
            hooks: OnceLock::new(),
            op,
        });
        announce(&node);
        node
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, SavedState> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees the saved values, which can be computed again.
    pub fn forget_saved(&self, again: Recomputable) {
        if self.saves {
            let mut state = self.lock();
            if matches!(*state, SavedState::Held(_)) {
                let held = std::mem::replace(&mut *state, SavedState::Recomputable(again));
                drop(state);
                drop(held);
            }
        }
    }

    /// The saved values, with their history or without it.
    pub fn saved_values(&self, with_history: bool) -> Saves {
        let state = self.lock();
        let SavedState::Held(saves) = &*state else { return Saves::new() };
        let mut saves = saves.clone();
        if !with_history {
            for saved in &mut saves {
                saved.tensor = saved.tensor.alias();
            }
        }
        saves
    }

    /// Takes what the rule needs out of the node (or copies it, to `retain` the graph), after checking
    /// that it is still what was saved.
    #[inline]
    pub fn unpack(self: &Arc<Self>, retain: bool, create_graph: bool) -> Result<SmallVec<[Tensor; 2]>, Error> {
        if !self.saves {
            return Ok(SmallVec::new());
        }
        let mut state = self.lock();
        match &*state {
            SavedState::Held(saves) => self.check_versions(saves)?,
            SavedState::Recomputable(again) => {
                let again = again.clone();
                if !retain {
                    *state = SavedState::Freed;
                }
                drop(state);
                let saves = again.fetch(create_graph)?;
                self.check_versions(&saves)?;
                return Ok(self.attach_all(saves, create_graph));
            }
            SavedState::Freed => return Err(Error::GraphFreed { node: self.op.name() }),
        }
        if retain {
            let SavedState::Held(saves) = &*state else { unreachable!("the state was matched above") };
            return Ok(saves
                .iter()
                .map(|saved| self.attach(saved.tensor.clone(), saved.output, create_graph))
                .collect());
        }
        let SavedState::Held(saves) = std::mem::replace(&mut *state, SavedState::Freed) else {
            unreachable!("the state was matched above");
        };
        drop(state);
        Ok(self.attach_all(saves, create_graph))
    }

    /// Saved values must not have changed in place.
    #[inline]
    fn check_versions(&self, saves: &Saves) -> Result<(), Error> {
        for (index, saved) in saves.iter().enumerate() {
            let version = saved.tensor.version();
            if let Some(expected) = saved.version
                && version != expected
            {
                return Err(Error::ModifiedInPlace {
                    node: self.op.name(),
                    tensor_type: saved.tensor.dtype().tensor_type(),
                    shape: saved.tensor.sizes().to_vec(),
                    index,
                    version,
                    expected,
                });
            }
        }
        Ok(())
    }

    #[inline]
    fn attach_all(self: &Arc<Self>, saves: Saves, create_graph: bool) -> SmallVec<[Tensor; 2]> {
        saves.into_iter().map(|saved| self.attach(saved.tensor, saved.output, create_graph)).collect()
    }

    /// Gives a saved output its history back if the rule is to be recorded.
    #[inline]
    fn attach(self: &Arc<Self>, tensor: Tensor, output: Option<u32>, create_graph: bool) -> Tensor {
        match output {
            Some(output) if create_graph => tensor.alias().with_origin(Arc::clone(self), output),
            _ => tensor,
        }
    }

    /// Replaces saved values that live in `target`'s memory, which is about to be overwritten, by copies.
    pub fn unshare_saved(&self, target: &Tensor) {
        let mut state = self.lock();
        if let SavedState::Held(saves) = &mut *state {
            for saved in saves.iter_mut().filter(|saved| saved.tensor.shares_storage(target)) {
                if matches!(saved.tensor.edge(), Some(Edge::Leaf(_))) {
                    // A leaf's history is the leaf itself; that it changed is found in the backward pass.
                    continue;
                }
                let copy = super::no_grad(|| saved.tensor.detach().copy());
                saved.tensor = match saved.tensor.edge() {
                    Some(Edge::Node(node, output)) => copy.with_origin(node, output),
                    _ => copy,
                };
                saved.version = saved.version.map(|_| saved.tensor.version());
            }
        }
    }
}

/// What a derivative sees of its operation.
pub(crate) struct Rule<'a> {
    pub node: &'a Node,
    pub saved: &'a [Tensor],
    /// Bit i: input i wants a gradient; all further inputs share the last bit.
    pub wanted: u64,
}

impl Rule<'_> {
    /// A saved value, by its position in the list given at recording.
    #[inline]
    pub fn saved(&self, index: usize) -> &Tensor {
        &self.saved[index]
    }

    /// The first factor saved by [`save_factors`]; there if the second input wants a gradient.
    #[inline]
    pub fn left_factor(&self) -> &Tensor {
        &self.saved[0]
    }

    /// The second factor saved by [`save_factors`]; there if the first input wants a gradient.
    #[inline]
    pub fn right_factor(&self) -> &Tensor {
        &self.saved[self.saved.len() - 1]
    }

    /// The shape of the only differentiable input's gradient, read off where it goes.
    pub fn input_shape(&self) -> &[usize] {
        self.shape_of(0)
    }

    /// The shape of the gradient of an input that wants one.
    pub fn shape_of(&self, input: usize) -> &[usize] {
        let edge = self.node.edges[input].as_ref().expect("the gradient of a constant is not wanted");
        edge.shape_and_dtype().0
    }

    /// Whether a gradient for input `index` is of any use.
    #[inline]
    pub fn needs(&self, index: usize) -> bool {
        self.wanted >> index.min(63) & 1 == 1 && self.node.edges[index].is_some()
    }
}

impl Tensor {
    /// Records that this fresh result is `op` of `inputs`, if they require gradients and recording is
    /// on; `saved` is only evaluated then, and sees the result.
    #[inline]
    pub(crate) fn record<O: Op + crate::ops::Registered>(
        self,
        inputs: &[&Tensor],
        op: impl FnOnce() -> O,
        saved: impl FnOnce(&Tensor) -> Saves,
    ) -> Tensor {
        if !tracks(inputs) {
            return self;
        }
        self.record_always(inputs, op(), saved)
    }

    #[inline]
    fn record_always<O: Op>(self, inputs: &[&Tensor], op: O, saved: impl FnOnce(&Tensor) -> Saves) -> Tensor {
        let mut edges = SmallVec::new();
        for input in inputs {
            edges.push(input.edge());
        }
        let info = OutputInfo { shape: self.layout().shape.clone(), dtype: self.dtype() };
        let saved = saved(&self);
        let node = Node::new(op, edges, SmallVec::from_buf([info]), saved);
        self.with_origin(node, 0)
    }
}

/// Records several outputs of one operation; those that `differentiable` names get the history.
pub(crate) fn record_many<O: Op + crate::ops::Registered>(
    outputs: Vec<Tensor>,
    inputs: &[&Tensor],
    op: impl FnOnce() -> O,
    saved: impl FnOnce(&[Tensor]) -> Saves,
) -> Vec<Tensor> {
    if !tracks(inputs) {
        return outputs;
    }
    let edges = inputs.iter().map(|input| input.edge()).collect();
    let infos = outputs
        .iter()
        .map(|output| OutputInfo { shape: output.layout().shape.clone(), dtype: output.dtype() })
        .collect();
    let node = Node::new(op(), edges, infos, saved(&outputs));
    outputs
        .into_iter()
        .enumerate()
        .map(|(index, output)| {
            if output.dtype().is_floating_point() {
                output.with_origin(Arc::clone(&node), index as u32)
            } else {
                output
            }
        })
        .collect()
}

/// What a node owns of other nodes.
struct Owned {
    _edges: SmallVec<[Option<Edge>; 2]>,
    _saved: SavedState,
}

/// How deep nodes may free each other on the stack before the rest is queued.
const DROP_DEPTH: u32 = 64;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static QUEUE: RefCell<Vec<Owned>> = const { RefCell::new(Vec::new()) };
}

impl<O: ?Sized> Drop for Node<O> {
    /// A chain of a million nodes would free itself by a million nested drops; beyond a small depth the
    /// contents are queued for the outermost drop instead.
    fn drop(&mut self) {
        let depth = DEPTH.get();
        DEPTH.set(depth + 1);
        if depth >= DROP_DEPTH {
            let saved = self.saved.get_mut().unwrap_or_else(PoisonError::into_inner);
            let owned =
                Owned { _edges: std::mem::take(&mut self.edges), _saved: std::mem::replace(saved, SavedState::Freed) };
            // Without the queue (the thread is ending) the stack has to do.
            let _ = QUEUE.try_with(|queue| queue.borrow_mut().push(owned));
        }
    }
}

/// Counts the end of a node's drop, and empties the queue at the end of the outermost one.
struct EndOfDrop;

impl Drop for EndOfDrop {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        if depth == 0 {
            // Still inside a drop as far as those of the queue are concerned.
            while let Ok(Some(next)) = QUEUE.try_with(|queue| queue.borrow_mut().pop()) {
                drop(next);
            }
        }
        DEPTH.set(depth);
    }
}

/// Whether a claim was taken by setting it from "free" to `value`.
#[inline]
pub(crate) fn try_claim(claim: &AtomicU64, value: u64) -> bool {
    claim.compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
