//! The graph behind tensors and the reverse pass over it.
//!
//! Every recorded operation is a [`node::Node`]: it holds its operation, the values that the
//! operation's derivative needs, and an edge to the origin of each input. Tensors own their node, nodes
//! own their edges, and nothing points forward, so a graph frees itself with the last tensor that needs
//! it. [`engine`] walks the edges backward, last recorded operation first.

mod checkpoint;
mod engine;
mod flat;
mod function;
mod gradient;
mod hooks;
mod leaf;
mod mode;
mod node;
mod watch;

pub use checkpoint::checkpoint;
pub use function::{Context, Function, MultiFunction};
pub use gradient::{BackwardOptions, Grad, GradAllowUnused, Tensors, grad};
pub use mode::{EnableGradGuard, NoGradGuard, enable_grad, is_grad_enabled, no_grad, set_grad_enabled};
pub use watch::watch_leaves;

pub(crate) use leaf::Leaf;
pub(crate) use node::{
    Edge, Gradients, Node, Op, Rule, Saved, Saves, gradients, record_many, save_factors, save_output, saves,
};
