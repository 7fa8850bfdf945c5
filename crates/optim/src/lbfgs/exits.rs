//! The tests that end a step, each with the two numbers it compared.

use super::callback::Iteration;
use super::scalar::Number;
use super::step::Step;
use super::telling;
use crate::base::lock;
use crate::{Compared, StopReason};
use tape::Float;

impl<T: Float> Step<'_, '_, T> {
    /// The tests after a move from a point of loss `previous` to one of loss `loss`: torch's five in torch's
    /// order, then our own. Every one is false for NaN.
    pub(super) fn should_stop(&mut self, n_iter: i64, step_max: Number<T>, loss: f64, previous: f64) -> bool {
        let options = self.options;
        let change = (loss - previous).abs();
        let tolerance = options.tolerance_change;
        let relative = options.additions.tolerance_change_rel;
        let largest = loss.abs().max(previous.abs());
        if n_iter == options.max_iter {
            self.stop(StopReason::MaxIter, "iterations", n_iter as f64, ">=", "max_iter", options.max_iter as f64);
        } else if self.report.evaluations as i64 >= options.max_eval {
            self.stop_at_max_eval();
        } else if self.gradient_is_small() {
            self.stop_at_gradient(StopReason::GradientTolerance);
        } else if step_max <= Number::Float(tolerance) {
            self.stop(StopReason::StepTolerance, "max|t d|", step_max.to_f64(), "<=", "tolerance_change", tolerance);
        } else if change < tolerance {
            self.stop(StopReason::LossTolerance, "|loss - previous loss|", change, "<", "tolerance_change", tolerance);
        } else if relative > 0.0 && change <= relative * largest {
            let limit = relative * largest;
            let option = "tolerance_change_rel * max(|loss|, |previous loss|)";
            self.stop(StopReason::RelativeLossTolerance, "|loss - previous loss|", change, "<=", option, limit);
        } else {
            return false;
        }
        true
    }

    pub(super) fn stop(
        &mut self,
        reason: StopReason,
        quantity: &'static str,
        value: f64,
        relation: &'static str,
        option: &'static str,
        limit: f64,
    ) {
        self.report.stop = reason;
        self.report.compared = Some(Compared { quantity, value, relation, option, limit });
    }

    pub(super) fn stop_at_max_eval(&mut self) {
        let (made, limit) = (self.report.evaluations as f64, self.options.max_eval as f64);
        self.stop(StopReason::MaxEval, "evaluations", made, ">=", "max_eval", limit);
    }

    pub(super) fn stop_at_gradient(&mut self, reason: StopReason) {
        self.stop(reason, "max|g|", self.report.gradient_max, "<=", "tolerance_grad", self.options.tolerance_grad);
    }

    /// Compared in the dtype of the gradient, as torch does.
    pub(super) fn gradient_is_small(&self) -> bool {
        T::from_f64(self.report.gradient_max) <= T::from_f64(self.options.tolerance_grad)
    }

    /// Shows the iteration that has just ended to whoever wants to see it; whether the callback ends the step.
    pub(super) fn callback_stops(&mut self) -> bool {
        if self.callback.is_none() && !self.options.additions.trace && !telling::iterations_are_wanted() {
            return false;
        }
        let iteration = self.iteration();
        telling::iteration(&iteration);
        let stops = self.callback.is_some_and(|callback| callback.call(&iteration).is_break());
        if self.options.additions.trace {
            self.report.trace.push(iteration);
        }
        if stops {
            self.report.stop = StopReason::Callback;
        }
        stops
    }

    fn iteration(&self) -> Iteration {
        let known = !self.report.moved_since_final_loss;
        Iteration {
            iteration: self.report.iterations,
            n_iter: lock(&self.engine.state).n_iter,
            evaluations: self.report.evaluations,
            loss: known.then(|| self.options.objective.in_users_sign(self.report.final_loss)),
            gradient_max: known.then_some(self.report.gradient_max),
            step_length: self.report.step_length.unwrap_or(f64::NAN),
            directional_derivative: self.report.directional_derivative.unwrap_or(f64::NAN),
        }
    }
}
