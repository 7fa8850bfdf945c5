//! A function of the user's that sees every iteration.

use std::fmt::{self, Debug, Formatter};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a [`callback`](crate::LbfgsBuilder::callback) is told about an iteration that has just moved the
/// parameters. All of it is copied: nothing changes when the step goes on.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Iteration {
    /// Iteration of this step, from 1.
    pub iteration: usize,
    /// Iterations since the optimizer began, over all steps: `n_iter` of the state.
    pub n_iter: i64,
    /// Evaluations of this step so far.
    pub evaluations: usize,
    /// Loss where the parameters are now; unknown after the last iteration without a line search, which is
    /// not evaluated, as in torch.
    pub loss: Option<f64>,
    /// `max|g|` where the parameters are now, unknown where the loss is.
    pub gradient_max: Option<f64>,
    /// Length `t` of the step just made along the direction `d`.
    pub step_length: f64,
    /// `g . d` at the point the step began from.
    pub directional_derivative: f64,
}

type Function = dyn Fn(&Iteration) -> ControlFlow<()> + Send + Sync;

/// The function, shared by clones.
#[derive(Clone)]
pub(super) struct Callback(Arc<Function>);

impl Callback {
    pub(super) fn new(function: impl Fn(&Iteration) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// Whether the step is to go on.
    pub(super) fn call(&self, iteration: &Iteration) -> ControlFlow<()> {
        (self.0)(iteration)
    }
}

impl Debug for Callback {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}
