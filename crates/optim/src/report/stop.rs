//! Why a step ended.

use super::number::Short;
use std::fmt::{self, Display, Formatter};

/// Why an L-BFGS step ended: one variant per exit of torch's loop, which torch itself does not tell, and those
/// that only options beyond torch's can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum StopReason {
    /// No step has been made yet.
    #[default]
    NotStarted,
    /// `max|g| <= tolerance_grad` at the point where the step began: nothing was moved.
    GradientToleranceAtStart,
    /// `g . d > -tolerance_change`: the direction promises no decrease. The iteration is counted, nothing was
    /// moved.
    DirectionalDerivative,
    /// `max_iter` iterations were made.
    MaxIter,
    /// `max_eval` evaluations were made. The line search is not interrupted, so there may be more, unless the step is
    /// [`guarded`](crate::LbfgsBuilder::guarded).
    MaxEval,
    /// `max|g| <= tolerance_grad`.
    GradientTolerance,
    /// `max|t d| <= tolerance_change`: no parameter moved by more.
    StepTolerance,
    /// `|loss - previous loss| < tolerance_change`.
    LossTolerance,
    /// `|loss - previous loss| <= tolerance_change_rel * max(|loss|, |previous loss|)`: not a test of torch's.
    RelativeLossTolerance,
    /// The callback ended the step.
    Callback,
    /// Loss or gradient were NaN or infinite where the step began, or wherever it looked
    /// ([`NonFinite::Recover`](crate::NonFinite::Recover)); the parameters are at the last accepted point.
    NonFinite,
    /// The step ended in an error or a panic; the parameters are at the last accepted point.
    Failed,
}

/// The two numbers of the test that ended a step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Compared {
    /// What was measured, as a formula.
    pub quantity: &'static str,
    /// Its value.
    pub value: f64,
    /// How the two compare: `<=`, `<`, `>` or `>=`.
    pub relation: &'static str,
    /// The option it was compared with, by torch's name (`-tolerance_change` for the directional derivative).
    pub option: &'static str,
    /// The value of the option.
    pub limit: f64,
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { quantity, value, relation, option, limit } = self;
        write!(f, "{quantity} = {} {relation} {option} = {}", Short(*value), Short(*limit))
    }
}
