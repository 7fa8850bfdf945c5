//! The operations, one file per family, and the list of all of them.
//!
//! A family's file holds everything about its operations: the element function, the derivative, the
//! [`Tensor`](crate::Tensor) methods with their documentation, and the sample inputs of the gradient
//! checks. To add an operation, write it there and name it below: an operation that is not in the list
//! cannot be recorded, and one in the list without samples or without a rule does not compile.

#[cfg(test)]
use crate::autograd::Op;

/// Operations that the list below names; only they can be recorded.
pub(crate) trait Registered {}

/// An entry of the list: torch's name of the backward node, and the samples.
#[cfg(test)]
pub(crate) struct Listed {
    pub op: &'static str,
    pub samples: fn() -> Vec<crate::op::Sample>,
}

macro_rules! operations {
    ($($family:ident: $($op:ident)+;)+) => {
        $(pub(crate) mod $family;)+
        $($(impl Registered for $family::$op {})+)+

        /// All operations.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<Listed> {
            vec![$($(Listed {
                op: concat!(stringify!($family), "::", stringify!($op)),
                samples: <$family::$op as Op>::samples,
            }),+),+]
        }
    };
}

operations! {
    arithmetic: Add AddScalar Sub SubScalarFrom Mul MulScalar Div DivScalar Neg Reciprocal;
    cast: Cast Copy;
    history: AsStrided AsStridedBackward StridedScatter;
    power: PowScalar;
    sum: Sum Expand;
    view: Reshape Permute Select SelectBackward Slice SliceBackward;
}

