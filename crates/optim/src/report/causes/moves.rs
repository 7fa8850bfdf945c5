//! What goes wrong on the way: NaN, moves that are too long or lead nowhere, refused pairs.

use super::{Remark, cause, likely, listed, note, plural};
use crate::report::{FirstStep, Short, SlopeChecks, StepReport, StopReason};

/// A first step is called long from so many times the largest parameter on.
const LONG: f64 = 100.0;

/// A gradient that falls by so much in one move has probably left the region it was to explore.
const PLATEAU: f64 = 1e-6;

/// A loss that grows by so much, and its gradient with it, runs away.
const RUNAWAY: f64 = 1e6;

/// A search that goes so many times as far as the memory proposes corrects its scale.
const FAR: f64 = 1e3;

/// A gradient that has fallen to this share of the first is that of a minimum, more or less.
const ARRIVED: f64 = 1e-4;

impl StepReport {
    pub(super) fn on_non_finite(&self) -> Option<Remark> {
        let (evaluation, loss) = self.first_non_finite?;
        let broken = &self.params_with_non_finite_gradient;
        let (bad, all) = (self.non_finite_evaluations, self.evaluations);
        let count = format!("{bad} of {all} evaluations gave a NaN or infinite loss or gradient");
        let (what, why) = if loss.is_finite() {
            let names = listed(broken);
            let what = format!("the gradient was NaN or infinite at a loss of {}", Short(loss));
            (what, format!("in {names}: a derivative has no value there, as that of sqrt at 0"))
        } else {
            let what = format!("the loss was {}", Short(loss));
            let why = if loss.is_nan() {
                "inf / inf, 0 / 0, the log of a negative number and NaN in the data give it"
            } else {
                "an overflow (exp, a high power), a division by 0, the log of 0 and infinities in the data give it"
            };
            (what, why.into())
        };
        if evaluation == 1 && !self.params_non_finite.is_empty() {
            let names = listed(&self.params_non_finite);
            return cause(format!(
                "parameters were NaN or infinite before the step began: {names}. Set them anew; no step can mend them"
            ));
        }
        if evaluation == 1 {
            return cause(format!(
                "{what} already where the step began ({why}); {count}. Rewrite the loss so that it has a value there, or \
                 begin elsewhere"
            ));
        }
        let first = format!("the first was evaluation {evaluation}, a trial point, where {what}");
        if loss == if self.is_maximized() { f64::INFINITY } else { f64::NEG_INFINITY } {
            return likely(format!(
                "the loss runs off to {}: it has no bound on this way. Is its sign right? Bound it, or add a penalty \
                 (weight_decay); {count}",
                Short(loss)
            ));
        }
        if self.stop == StopReason::NonFinite {
            return cause(format!(
                "{count}; {first}. Nothing finite was found from here: use non_finite(NonFinite::Recover), rewrite the loss, or lower lr"
            ));
        }
        if self.final_loss.is_finite() && self.gradient_max.is_finite() {
            return note(format!("{count}; {first}"));
        }
        cause(format!(
            "{count}; {first}, and the step went on from there, as torch does. Use non_finite(NonFinite::Recover), which \
             takes such trials as too long, or lower lr"
        ))
    }

    pub(super) fn on_no_movement(&self) -> Option<Remark> {
        let t = self.step_length?;
        let fixed = self.line_search_evaluations.is_empty();
        let never = self.evaluations > 1 && self.unmoved_evaluations + 1 == self.evaluations;
        if self.promises_little() || !(never || fixed && t == 0.0) {
            return None;
        }
        cause(format!(
            "the parameters never moved, with a step length of {}: is lr 0, or are the moves too short beside the \
             parameters to change their digits?",
            Short(t)
        ))
    }

    pub(super) fn on_first_step(&self) -> Option<Remark> {
        let FirstStep { length, parameters } = self.first_step?;
        let far = parameters > 0.0 && length > LONG * parameters;
        let worse = self.final_loss.is_nan() || self.went_wrong();
        let stuck = self.iterations <= 2 && self.gradient_max < PLATEAU * self.initial_gradient_max;
        let still = self.final_loss.is_nan() || self.gradient_max > 0.0 && self.final_loss != 0.0 || worse;
        if !(far && still && (worse || stuck)) {
            return None;
        }
        let [length, parameters, times] = [length, parameters, (length / parameters).round()].map(Short);
        likely(format!(
            "the first step, of length {length}, was {times} times as long as the largest parameter, {parameters}: it \
             may have left the region where the loss is sensible. Lower lr, or scale the loss"
        ))
    }

    /// Whether the loss ended worse than it began. With `maximize` losses have the user's sign, and the smallest
    /// that was seen is none of those that count.
    pub(super) fn went_wrong(&self) -> bool {
        if self.is_maximized() { self.final_loss < self.initial_loss } else { self.final_loss > self.initial_loss }
    }

    pub(super) fn on_broken_parameters(&self) -> Option<Remark> {
        if self.params_non_finite.is_empty() || self.first_non_finite.is_some_and(|(evaluation, _)| evaluation == 1) {
            return None;
        }
        note(format!("parameters were NaN or infinite before the step began: {}", listed(&self.params_non_finite)))
    }

    /// A memory that proposes steps of another order of magnitude than those that the loss asks for.
    pub(super) fn on_short_memory(&self) -> Option<Remark> {
        let t = self.step_length.filter(|t| *t > FAR)?;
        if self.pairs_in_memory <= self.pairs_accepted || self.line_search_evaluations.is_empty() {
            return None;
        }
        likely(format!(
            "the line search had to go {} times as far as the memory proposed: its pairs belong to another function, or to \
             another scale of this one. Use a new optimizer, whose memory is empty",
            Short(t)
        ))
    }

    /// Whether the losses are those of a maximised objective.
    fn is_maximized(&self) -> bool {
        self.best_loss > self.initial_loss
    }

    pub(super) fn on_broken_direction(&self) -> Option<Remark> {
        if !self.direction_non_finite {
            return None;
        }
        cause(
            "the curvature memory gave a direction that is NaN or infinite, at a finite gradient: the state that was loaded, \
             or an earlier step, has left NaN in it. Build a new optimizer over the same parameters, or use \
             non_finite(NonFinite::Recover), which clears such a memory",
        )
    }

    pub(super) fn on_runaway(&self) -> Option<Remark> {
        let far = self.final_loss.abs() > RUNAWAY * (1.0 + self.initial_loss.abs());
        if !far || self.went_wrong() || self.gradient_max < self.initial_gradient_max {
            return None;
        }
        likely(format!(
            "the loss runs off without bound, from {} to {}: it has no minimum on this way. Is its sign right? Bound it, \
             or add a penalty (weight_decay)",
            Short(self.initial_loss),
            Short(self.final_loss)
        ))
    }

    pub(super) fn on_increases(&self) -> Option<Remark> {
        let rises = self.loss_increases;
        let arrived = self.gradient_max < ARRIVED * self.initial_gradient_max;
        if rises == 0 || arrived && !self.went_wrong() {
            return None;
        }
        let text = format!(
            "the loss got worse in {rises} of {} without a line search: steps of t = {} go too far. Use \
             line_search_fn(LineSearch::StrongWolfe), or lower lr{}",
            plural(self.iterations, "iteration"),
            Short(self.step_length.unwrap_or(f64::NAN)),
            self.doubt()
        );
        if self.went_wrong() || 3 * rises > self.iterations && self.steep() { likely(text) } else { note(text) }
    }

    /// What else may be the reason that the loss does not follow the gradient.
    fn doubt(&self) -> String {
        let SlopeChecks { failed, made, .. } = self.slope_checks;
        if failed < 3 || 5 * failed <= made || self.gradient_factor.is_some() {
            return String::new();
        }
        format!(
            ". Or, as on {failed} of {made} moves the loss did not change as the gradient says: the closure gives other values \
             from call to call (dropout, random numbers, another batch)"
        )
    }

    pub(super) fn on_uphill(&self) -> Option<Remark> {
        let slope = self.directional_derivative.filter(|&slope| slope > 0.0)?;
        likely(format!(
            "the direction leads uphill (g.d = {}): clipping bent it, or the {} in memory belong to another function. Use \
             guarded(true), which then follows the gradient, or a new optimizer",
            Short(slope),
            plural(self.pairs_in_memory, "pair")
        ))
    }

    pub(super) fn on_kink(&self) -> Option<Remark> {
        let kink = self.kink.filter(|_| self.searches_unsatisfied > 0)?;
        let [down, up, width] = [kink.slopes[0], kink.slopes[1], kink.width].map(Short);
        likely(format!(
            "the loss has a kink: along the direction its slope jumps from {down} to {up} within {width}, and no point \
             there satisfies the strong Wolfe conditions. Smooth the loss (abs, relu, max, an L1 penalty)"
        ))
    }

    pub(super) fn on_refused_pairs(&self) -> Option<Remark> {
        let (refused, all) = (self.pairs_skipped, self.pairs_skipped + self.pairs_accepted);
        let curvature = self.refused_curvature?;
        if refused < 3 || 4 * refused <= 3 * all || !self.steep() {
            return None;
        }
        let why = if curvature < 0.0 {
            "the loss curves downwards on its way, or its gradient is noisy. Has it a minimum there? Try \
             LineSearch::StrongWolfe or powell_damping(true)"
        } else if curvature == 0.0 {
            "the gradient is the same at different points, as for a loss that is linear there. Has it a minimum?"
        } else {
            "the limit is absolute and this loss is of small scale. Multiply it by a constant, 1e6 say"
        };
        likely(format!(
            "{refused} of {all} curvature pairs were refused, the last with y.s = {} <= 1e-10, and without them this is \
             gradient descent: {why}",
            Short(curvature)
        ))
    }
}
