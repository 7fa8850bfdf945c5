//! The reverse pass: walks the graph from the outputs, last recorded operation first.
//!
//! A node is run when its sequence number is the largest among those that hold a gradient. Every
//! consumer of a node has a larger number, so by then all contributions have arrived: no counting of
//! dependencies beforehand, no recursion, and the order of additions is torch's.
//!
//! Where a node's gradient waits is found through the node itself: each pass *claims* the nodes that it
//! meets by writing its number and the position of its slot into them. A node that another thread's
//! pass has claimed at the same time is looked up in a map instead.

use super::flat;
use super::mode::with_grad_mode;
use super::node::{Edge, Node, Rule, try_claim};
use crate::{Error, Tensor};
use smallvec::SmallVec;
use std::cell::Cell;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Where gradients wait for their node or leaf.
struct Slot {
    target: Target,
    /// By output.
    grads: SmallVec<[Option<Tensor>; 1]>,
    /// In the heap or, for leaves, in the list already.
    queued: bool,
    /// Positions in the result of `grad` that want the gradient of an output.
    captures: Vec<(u32, usize)>,
    /// Some gradient that was asked for lies behind this node; only kept when inputs were named.
    needed: bool,
}

enum Target {
    Node(Arc<Node>),
    Leaf(Tensor),
    /// A node that was run: no gradient can come its way any more.
    Done,
}

impl Target {
    #[inline]
    fn claim(&self) -> Option<&AtomicU64> {
        match self {
            Target::Node(node) => Some(&node.claim),
            Target::Leaf(leaf) => Some(&leaf.inner.claim),
            Target::Done => None,
        }
    }
}

/// An identity of an edge's target that stays valid as long as a slot holds the target.
fn address(edge: &Edge) -> usize {
    match edge {
        Edge::Node(node, _) => Arc::as_ptr(node).cast::<()>() as usize,
        Edge::Leaf(leaf) => leaf.id(),
    }
}

pub(super) struct Options {
    pub retain_graph: bool,
    pub create_graph: bool,
}

/// The lists of a pass; their memory is kept for the thread's next one.
#[derive(Default)]
struct Lists {
    slots: Vec<Slot>,
    /// Nodes with a gradient, by sequence number.
    heap: BinaryHeap<(u64, u32)>,
    /// Leaves with a gradient, in order of arrival.
    leaves: Vec<u32>,
}

/// Slots that a thread keeps memory for between passes.
const KEPT_SLOTS: usize = 4096;

thread_local! {
    static LISTS: Cell<Lists> = Cell::default();
}

/// One running backward pass.
struct Pass {
    number: u32,
    options: Options,
    lists: Lists,
    /// Slots of targets that another pass holds claimed.
    unclaimed: Option<HashMap<usize, u32>>,
    /// Inputs were named: gradients go to them and nowhere else.
    inputs_named: bool,
}

impl Drop for Pass {
    /// Releases all claims, also when a rule or hook panics.
    fn drop(&mut self) {
        for (index, slot) in self.lists.slots.iter().enumerate() {
            self.release(index as u32, &slot.target);
        }
        let mut lists = std::mem::take(&mut self.lists);
        lists.slots.clear();
        lists.heap.clear();
        lists.leaves.clear();
        if lists.slots.capacity() <= KEPT_SLOTS {
            // A thread that is ending has no use for them.
            let _ = LISTS.try_with(|kept| kept.set(lists));
        }
    }
}

/// Adds the gradients of `roots` to the leaves that they depend on.
pub(super) fn backward(roots: Vec<(Edge, Tensor)>, options: Options) -> Result<(), Error> {
    let mut pass = Pass::new(options, false);
    pass.start(roots)?;
    pass.run(&mut [])?;
    pass.finish_leaves()
}

/// The gradients of `inputs`; `None` for those that the roots do not depend on.
pub(super) fn gradients_of(
    roots: Vec<(Edge, Tensor)>,
    inputs: &[Edge],
    options: Options,
) -> Result<Vec<Option<Tensor>>, Error> {
    let mut pass = Pass::new(options, true);
    for (position, input) in inputs.iter().enumerate() {
        let output = output_of(input);
        let slot = pass.slot(input);
        pass.lists.slots[slot as usize].captures.push((output, position));
    }
    let mut visited = Vec::new();
    for (root, _) in &roots {
        pass.find_needed(root, &mut visited);
    }
    pass.start(roots)?;
    let mut captured = vec![None; inputs.len()];
    pass.run(&mut captured)?;
    let create_graph = pass.options.create_graph;
    for index in std::mem::take(&mut pass.lists.leaves) {
        let slot = &mut pass.lists.slots[index as usize];
        let (Some(grad), Target::Leaf(leaf)) = (slot.grads[0].take(), &slot.target) else { continue };
        let grad = run_leaf_hooks(leaf, grad, create_graph)?;
        for (_, position) in &slot.captures {
            captured[*position] = Some(grad.clone());
        }
    }
    Ok(captured)
}

#[inline]
fn output_of(edge: &Edge) -> u32 {
    match edge {
        Edge::Node(_, output) => *output,
        Edge::Leaf(_) => 0,
    }
}

impl Pass {
    fn new(options: Options, inputs_named: bool) -> Pass {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        Pass {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            options,
            lists: LISTS.take(),
            unclaimed: None,
            inputs_named,
        }
    }

    /// Never 0, which means "free": slots count from one here.
    #[inline]
    fn claim_value(&self, slot: u32) -> u64 {
        u64::from(self.number) << 32 | u64::from(slot + 1)
    }

    #[inline]
    fn release(&self, index: u32, target: &Target) {
        if let Some(claim) = target.claim()
            && claim.load(Ordering::Relaxed) == self.claim_value(index)
        {
            claim.store(0, Ordering::Relaxed);
        }
    }

    /// The slot of an edge's target, made at the first meeting.
    #[inline]
    fn slot(&mut self, edge: &Edge) -> u32 {
        let next = self.lists.slots.len() as u32;
        let value = self.claim_value(next);
        let claim = match edge {
            Edge::Node(node, _) => &node.claim,
            Edge::Leaf(leaf) => &leaf.inner.claim,
        };
        let claimed = try_claim(claim, value);
        if !claimed {
            let holder = claim.load(Ordering::Relaxed);
            if holder >> 32 == u64::from(self.number) {
                return holder as u32 - 1;
            }
        }
        if claimed
            && let Some(known) = &self.unclaimed
            && let Some(&slot) = known.get(&address(edge))
        {
            // Met before, while another pass held it; that pass is over.
            claim.store(0, Ordering::Relaxed);
            return slot;
        }
        let (target, outputs) = match edge {
            Edge::Node(node, _) => (Target::Node(Arc::clone(node)), node.outputs.len()),
            Edge::Leaf(leaf) => (Target::Leaf(leaf.clone()), 1),
        };
        if !claimed {
            let unclaimed = self.unclaimed.get_or_insert_default();
            if let Some(&slot) = unclaimed.get(&address(edge)) {
                return slot;
            }
            unclaimed.insert(address(edge), next);
        }
        let grads = if outputs == 1 { SmallVec::from_buf([None]) } else { SmallVec::from_elem(None, outputs) };
        self.lists.slots.push(Slot { target, grads, queued: false, captures: Vec::new(), needed: false });
        next
    }

    /// Marks every node from which a named input can be reached: depth first, without recursion.
    fn find_needed(&mut self, root: &Edge, visited: &mut Vec<bool>) {
        enum Visit {
            Enter(u32),
            Leave(u32),
        }
        let mut stack = vec![Visit::Enter(self.slot(root))];
        while let Some(visit) = stack.pop() {
            match visit {
                Visit::Enter(index) => {
                    visited.resize(visited.len().max(self.lists.slots.len()), false);
                    if std::mem::replace(&mut visited[index as usize], true) {
                        continue;
                    }
                    let Target::Node(node) = &self.lists.slots[index as usize].target else { continue };
                    let node = Arc::clone(node);
                    stack.push(Visit::Leave(index));
                    for edge in node.edges.iter().flatten() {
                        stack.push(Visit::Enter(self.slot(edge)));
                    }
                }
                Visit::Leave(index) => {
                    let Target::Node(node) = &self.lists.slots[index as usize].target else { continue };
                    let node = Arc::clone(node);
                    let needed = node.edges.iter().flatten().any(|edge| self.is_wanted(edge));
                    self.lists.slots[index as usize].needed = needed;
                }
            }
        }
    }

    /// Whether a gradient for this edge serves a named input.
    fn is_wanted(&mut self, edge: &Edge) -> bool {
        let slot = self.slot(edge);
        let slot = &self.lists.slots[slot as usize];
        slot.needed || !slot.captures.is_empty()
    }

    fn start(&mut self, roots: Vec<(Edge, Tensor)>) -> Result<(), Error> {
        for (edge, grad) in roots {
            self.deliver(&edge, grad, "grad_output", 0)?;
        }
        Ok(())
    }

    /// Hands a gradient to the target of an edge, in the shape and dtype that the target expects.
    #[inline]
    fn deliver(&mut self, edge: &Edge, grad: Tensor, sender: &'static str, index: usize) -> Result<(), Error> {
        let (shape, dtype) = edge.shape_and_dtype();
        let grad = if grad.sizes() == shape { grad } else { fit_shape(grad, shape, sender, index)? };
        let grad = if grad.dtype() == dtype { grad } else { grad.to_dtype(dtype) };
        let slot_index = self.slot(edge);
        let slot = &mut self.lists.slots[slot_index as usize];
        let waiting = &mut slot.grads[output_of(edge) as usize];
        *waiting = Some(match waiting.take() {
            None => grad,
            Some(first) => add(first, grad, self.options.create_graph),
        });
        if !slot.queued {
            slot.queued = true;
            match &slot.target {
                Target::Node(node) => self.lists.heap.push((node.sequence, slot_index)),
                Target::Leaf(_) => self.lists.leaves.push(slot_index),
                Target::Done => unreachable!("a node is run after all that depend on it"),
            }
        }
        Ok(())
    }

    fn run(&mut self, captured: &mut [Option<Tensor>]) -> Result<(), Error> {
        with_grad_mode(self.options.create_graph, || {
            while let Some((_, index)) = self.lists.heap.pop() {
                self.run_node(index, captured)?;
            }
            Ok(())
        })
    }

    #[inline]
    fn run_node(&mut self, index: u32, captured: &mut [Option<Tensor>]) -> Result<(), Error> {
        let slot = &mut self.lists.slots[index as usize];
        let target = std::mem::replace(&mut slot.target, Target::Done);
        let mut grads = std::mem::take(&mut slot.grads);
        let captures = std::mem::take(&mut slot.captures);
        let needed = slot.needed;
        self.release(index, &target);
        let Target::Node(node) = target else { unreachable!("only nodes are in the heap") };
        if let Some(hooks) = node.hooks.get() {
            for (output, grad) in grads.iter_mut().enumerate() {
                if let Some(before) = grad.take() {
                    let info = &node.outputs[output];
                    let after = hooks.run(output as u32, before, self.options.create_graph);
                    *grad = Some(exact_shape(after, &info.shape, output)?.to_dtype(info.dtype));
                }
            }
        }
        for (output, position) in captures {
            captured[position] = grads[output as usize].clone();
        }
        let wanted = if self.inputs_named {
            if !needed {
                return Ok(());
            }
            self.wanted_inputs(&node)
        } else {
            u64::MAX
        };
        let saved = node.unpack(self.options.retain_graph, self.options.create_graph)?;
        let rule = Rule { node: &node, saved: &saved, wanted };
        let mut inputs = node.op.run(&rule, &grads).map_err(|error| *error)?;
        if self.options.create_graph && node.op.is_flat() {
            inputs.iter_mut().for_each(|grad| *grad = grad.take().map(|grad| flat::connect(grad, &node)));
        }
        drop(grads);
        debug_assert_eq!(inputs.len(), node.edges.len(), "{} has one gradient per input", node.op.name());
        for (position, (edge, grad)) in node.edges.iter().zip(inputs).enumerate() {
            if let (Some(edge), Some(grad)) = (edge, grad) {
                self.deliver(edge, grad, node.op.name(), position)?;
            }
        }
        Ok(())
    }

    fn wanted_inputs(&mut self, node: &Node) -> u64 {
        let mut wanted = 0;
        for (i, edge) in node.edges.iter().enumerate() {
            if edge.as_ref().is_some_and(|edge| self.is_wanted(edge)) {
                wanted |= 1 << i.min(63);
            }
        }
        wanted
    }

    /// Leaves come last and all together: a pass that fails has changed no gradient.
    fn finish_leaves(mut self) -> Result<(), Error> {
        let create_graph = self.options.create_graph;
        let mut finished = SmallVec::<[(Tensor, Option<Tensor>); 8]>::new();
        for index in std::mem::take(&mut self.lists.leaves) {
            let slot = &mut self.lists.slots[index as usize];
            let (Some(grad), Target::Leaf(leaf)) = (slot.grads[0].take(), &slot.target) else { continue };
            finished.push((leaf.clone(), Some(run_leaf_hooks(leaf, grad, create_graph)?)));
        }
        with_grad_mode(create_graph, || {
            for (leaf, grad) in &mut finished {
                let grad = grad.take().expect("each gradient is accumulated once");
                leaf.leaf_state().accumulate(leaf, grad, create_graph);
                super::watch::note(leaf);
            }
            for (leaf, _) in finished {
                leaf.leaf_state().afterwards.show(&leaf);
            }
        });
        Ok(())
    }
}

/// A leaf's gradient after its hooks, which run in the mode of the pass.
fn run_leaf_hooks(leaf: &Tensor, grad: Tensor, create_graph: bool) -> Result<Tensor, Error> {
    let Some(state) = leaf.inner.leaf.get() else { return Ok(grad) };
    let grad = with_grad_mode(create_graph, || state.hooks.run(grad));
    Ok(exact_shape(grad, leaf.sizes(), 0)?.to_dtype(leaf.dtype()))
}

/// A hook must return a gradient of the shape it was given.
fn exact_shape(grad: Tensor, shape: &[usize], index: usize) -> Result<Tensor, Error> {
    if grad.sizes() == shape {
        return Ok(grad);
    }
    let (gradient, expected) = (grad.sizes().to_vec(), shape.to_vec());
    Err(Error::InvalidGradient { node: "hook", index, gradient, expected })
}

/// Sums a gradient over the dimensions along which its input was broadcast.
#[inline]
fn fit_shape(grad: Tensor, shape: &[usize], sender: &'static str, index: usize) -> Result<Tensor, Error> {
    if grad.sizes() == shape {
        return Ok(grad);
    }
    if crate::shape::broadcasts_to(shape, grad.sizes()) {
        return Ok(grad.sum_to(shape));
    }
    Err(Error::InvalidGradient { node: sender, index, gradient: grad.sizes().to_vec(), expected: shape.to_vec() })
}

/// The sum of two contributions, in the memory of one of them where nobody else can see it.
#[inline]
fn add(first: Tensor, second: Tensor, create_graph: bool) -> Tensor {
    let reusable = |tensor: &Tensor| tensor.is_exclusive() && tensor.is_contiguous();
    if create_graph {
        &first + &second
    } else if reusable(&first) {
        first.add_in_place(&second);
        first
    } else if reusable(&second) {
        second.add_in_place(&first);
        second
    } else {
        &first + &second
    }
}
