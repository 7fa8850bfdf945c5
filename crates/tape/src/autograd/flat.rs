//! Derivatives that do not change with the point, such as those of a rectifier.
//!
//! The second derivative of such an operation is zero where it exists. torch keeps the derivative connected to
//! the input all the same, so that a gradient of its square is a tensor of zeros and not an error; here the
//! engine connects what the rule of an operation that [is flat](super::Op::is_flat) returned.

use super::node::{Gradients, Node, Op, OutputInfo, Rule, Saves};
use crate::Tensor;
use smallvec::SmallVec;

/// The dependence of a value on inputs that it does not change with.
struct Flat;

/// `gradient`, which has no history, as a constant function of the inputs of `node`.
pub(super) fn connect(gradient: Tensor, node: &Node) -> Tensor {
    if gradient.requires_grad() {
        return gradient;
    }
    let info = OutputInfo { shape: gradient.layout().shape.clone(), dtype: gradient.dtype() };
    let node = Node::new(Flat, node.edges.clone(), SmallVec::from_iter([info]), Saves::new());
    gradient.alias().with_origin(node, 0)
}

impl Op for Flat {
    fn name(&self) -> &'static str {
        "ZerosBackward"
    }

    fn backward(&self, rule: &Rule<'_>, _: &Tensor) -> Gradients {
        let zeros = |edge: &Option<super::Edge>| {
            edge.as_ref().map(|edge| {
                let (shape, dtype) = edge.shape_and_dtype();
                Tensor::zeros((), dtype).expand(shape)
            })
        };
        rule.node.edges.iter().map(zeros).collect()
    }

    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        unreachable!("the operations that are flat have samples")
    }
}
