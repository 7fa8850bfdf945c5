//! Events for `tracing`, behind the feature of that name: one per step, one per iteration.

use super::callback::Iteration;
use crate::StepReport;

/// Whether anybody listens to iterations.
#[cfg(feature = "tracing")]
pub(super) fn iterations_are_wanted() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

#[cfg(not(feature = "tracing"))]
pub(super) fn iterations_are_wanted() -> bool {
    false
}

/// An iteration has moved the parameters.
#[cfg(feature = "tracing")]
pub(super) fn iteration(iteration: &Iteration) {
    let Iteration { iteration, n_iter, evaluations, loss, gradient_max, step_length, directional_derivative } =
        iteration;
    tracing::debug!(
        iteration,
        n_iter,
        evaluations,
        loss,
        gradient_max,
        step_length,
        directional_derivative,
        "L-BFGS iteration"
    );
}

#[cfg(not(feature = "tracing"))]
pub(super) fn iteration(_: &Iteration) {}

/// A step has ended.
#[cfg(feature = "tracing")]
pub(super) fn step(report: &StepReport) {
    tracing::info!(
        stop = ?report.stop,
        iterations = report.iterations,
        evaluations = report.evaluations,
        initial_loss = report.initial_loss,
        final_loss = report.final_loss,
        gradient_max = report.gradient_max,
        non_finite_evaluations = report.non_finite_evaluations,
        "L-BFGS step"
    );
}

#[cfg(not(feature = "tracing"))]
pub(super) fn step(_: &StepReport) {}
