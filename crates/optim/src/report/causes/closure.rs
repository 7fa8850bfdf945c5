//! What the closure does wrong.

use super::{Remark, cause, likely, listed, note, plural};
use crate::report::{Short, SlopeCheck, StepReport, StopReason};

impl StepReport {
    pub(super) fn on_foreign_leaves(&self) -> Option<Remark> {
        let foreign = self.foreign_leaves.len();
        if foreign == 0 {
            return None;
        }
        let shapes: Vec<String> = self.foreign_leaves.iter().take(5).map(|shape| format!("{shape:?}")).collect();
        let more = if foreign > shapes.len() { ", .." } else { "" };
        let tensors = format!("{} (shape {}{more})", plural(foreign, "leaf tensor"), shapes.join(", "));
        if !self.reached_own_parameters {
            return cause(format!(
                "backward() gave gradients to {tensors} that this optimizer does not own and to none of its own \
                 parameters. Were they re-created or replaced after it was built? Build the optimizer over the tensors \
                 that the closure uses"
            ));
        }
        if self.params_without_gradient.is_empty() {
            return None;
        }
        likely(format!(
            "{} while backward() gave gradients to {tensors} that this optimizer does not own. Was a parameter \
             re-created after the optimizer was built?",
            self.missing()
        ))
    }

    pub(super) fn on_error(&self) -> Option<Remark> {
        if self.stop != StopReason::Failed {
            return None;
        }
        let error = self.notes.last()?;
        if error.contains("does not require grad") {
            cause(
                "the loss that the closure computed is not connected to any parameter: nothing was recorded on the way. \
                 Compute it from the parameters themselves, not from copies, detached values or under no_grad",
            )
        } else if error.contains("through the graph a second time") {
            cause(
                "backward() ran twice through the same graph: the loss, or a part of it, was computed outside of the \
                 closure, or the closure calls backward() twice. Compute all of it inside, from the parameters as they \
                 are then, and call backward() once",
            )
        } else if error.contains("trial whose loss is NaN") {
            if self.first_non_finite.is_some_and(|(evaluation, _)| evaluation == 1) {
                return None;
            }
            cause(format!(
                "{error}. Use non_finite(NonFinite::Recover), which takes such trials as too long, or lower lr"
            ))
        } else {
            cause(error.as_str())
        }
    }

    /// Whether no parameter has any gradient at all.
    pub(in crate::report) fn no_gradient(&self) -> bool {
        self.params > 0 && self.params_without_gradient.len() == self.params
    }

    pub(super) fn on_no_gradient(&self) -> Option<Remark> {
        if !self.no_gradient() || self.stop == StopReason::Failed || !self.foreign_leaves.is_empty() {
            return None;
        }
        if self.reached_own_parameters {
            return cause(
                "backward() reached the parameters, but their gradients were gone when the closure returned. Call \
                 zero_grad() before backward(), not after it",
            );
        }
        cause(
            "no parameter received a gradient: backward() was not called in the closure, or the loss does not come from \
             the parameters (a detached graph). Call loss.backward() on the loss that the closure returns",
        )
    }

    pub(super) fn on_constant_closure(&self) -> Option<Remark> {
        let moved = self.evaluations.saturating_sub(self.unmoved_evaluations);
        if self.unchanged_evaluations == 0 || self.unchanged_evaluations + 1 < moved || self.promises_little() {
            return None;
        }
        cause(format!(
            "the closure returned the same loss and gradient at {} different points. Compute the loss inside of the \
             closure, from the parameters as they are then",
            self.unchanged_evaluations + 1
        ))
    }

    pub(super) fn on_accumulation(&self) -> Option<Remark> {
        if !self.gradients_accumulate {
            return None;
        }
        cause(
            "gradients are accumulating: an evaluation added its gradient to the one that was there before. Call \
             zero_grad() in the closure, before backward()",
        )
    }

    pub(super) fn on_meddling(&self) -> Option<Remark> {
        self.closure_moves_parameters.then(|| {
            cause(
                "the closure changes parameters in place. It is to be evaluated where the optimizer puts them: change \
                 them after the step (clamping, projection), or compute the loss from a changed copy",
            )
        })?
    }

    pub(super) fn on_frozen_loss(&self) -> Option<Remark> {
        let (frozen, made) = (self.frozen_losses, self.slope_checks.made);
        if 2 * frozen <= made {
            return None;
        }
        likely(format!(
            "the loss did not change in one bit on {frozen} of {made} moves on which the gradient did, and promised a \
             change. Does the closure return the loss of an earlier call, or a rounded one? Return the loss that backward() \
             ran on, as it is"
        ))
    }

    /// What the factor between gradient and derivative tells, where there is one.
    fn factor(&self) -> Option<String> {
        let factor = self.gradient_factor?;
        let times = Short((factor * 1e3).round() / 1e3);
        let why = if factor < 0.0 {
            "so it may have the wrong sign"
        } else {
            "so the loss may be multiplied or divided after backward() (a mean against a sum, loss scaling), or gradients of \
             several backward() calls be added up or averaged"
        };
        Some(format!("the gradient is about {times} times the derivative of the loss, {why}"))
    }

    pub(super) fn on_factor(&self) -> Option<Remark> {
        let factor = self.factor()?;
        let moves = self.slope_checks.made;
        likely(format!(
            "the gradient does not belong to the loss: on most of {moves} moves {factor}. Return the loss that backward() ran \
             on; look for detached parts, and for a wrong derivative"
        ))
    }

    pub(super) fn on_changes_between_steps(&self) -> Option<Remark> {
        if !self.changed_between_steps || self.pairs_in_memory == 0 {
            return None;
        }
        note(
            "the parameters were changed between the last step and this one, by something else than this optimizer (another \
             optimizer, a projection, loaded weights): the memory is from before",
        )
    }

    pub(super) fn on_contradiction(&self) -> Option<Remark> {
        let SlopeCheck { slopes: [before, after], measured, .. } = self.slope_checks.contradiction()?;
        let mirrored = (measured / (0.5 * (before + after)) + 1.0).abs() < 0.1;
        let sign = || {
            mirrored
                .then(|| "it rises as the gradient says that it falls, so the gradient may have the wrong sign".into())
        };
        let hint = self.factor().or_else(sign).map_or(String::new(), |hint| format!("; {hint}"));
        let [before, after, measured] = [before, after, measured].map(Short);
        likely(format!(
            "the gradient does not belong to the loss: on {} of {} moves the loss did not change as the gradient says; on \
             the shortest by {measured} per unit of t, where g.d is {before} at its begin and {after} at its end{hint}. Return \
             the loss that backward() ran on; look for detached parts, a wrong derivative, and for what \
             differs from call to call (random numbers, dropout, another batch)",
            self.slope_checks.failed, self.slope_checks.made
        ))
    }

    pub(super) fn on_another_loss(&self) -> Option<Remark> {
        let [before, now] = self.another_loss?.map(Short);
        note(format!(
            "where the last step ended the loss was {before}, at the same point it is {now} now: the closure computes \
             another loss than then (another batch, dropout, a changed penalty), and the memory belongs to the old one"
        ))
    }

    pub(super) fn missing(&self) -> String {
        let absent = &self.params_without_gradient;
        let have = if absent.len() == 1 { "has" } else { "have" };
        format!(
            "{} of {} parameters {} no gradient and were treated as constants ({})",
            absent.len(),
            self.params,
            if self.params == 1 { have } else { "have" },
            listed(absent)
        )
    }

    pub(super) fn on_missing_gradients(&self) -> Option<Remark> {
        if self.params_without_gradient.is_empty() || self.no_gradient() || !self.foreign_leaves.is_empty() {
            return None;
        }
        note(format!("{}: unused in the closure, detached, or requires_grad is false?", self.missing()))
    }

    pub(super) fn on_zero_gradients(&self) -> Option<Remark> {
        let zero = &self.params_with_zero_gradient;
        if zero.is_empty() || zero.len() + self.params_without_gradient.len() == self.params {
            return None;
        }
        note(format!("{} of {} parameters have a gradient of exactly zero: {}", zero.len(), self.params, listed(zero)))
    }
}
