//! What a report says is wrong, the cause that explains most first.

use super::{FirstStep, Short, SlopeCheck, StepReport, StopReason};

/// A first step is called long from so many times the largest parameter on.
const LONG: f64 = 100.0;

/// A gradient that falls by so much in one move has probably left the region it was to explore.
const PLATEAU: f64 = 1e-6;

/// A loss that grows by so much, and its gradient with it, runs away.
const RUNAWAY: f64 = 1e6;

/// Losses below this are called small beside tolerances that are absolute.
const SMALL_LOSS: f64 = 1e-5;

/// Where a tolerance ends a step while this share of the first gradient is left, it ended it early.
const STEEP: f64 = 1e-2;

/// A promised decrease of fewer units in the last place of the loss cannot be told from rounding.
const NOISY: f64 = 4.0;

/// From this curvature on a memory is said to hide the gradient.
const SHARP: f64 = 1e6;

/// How sure a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing else explains what was seen.
    Cause,
    /// The usual explanation of it.
    Likely,
    /// Nothing is wrong, yet there is something to do.
    Advice,
    /// Worth knowing.
    Note,
}

/// A sentence about a step.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) rank: Rank,
    pub(super) text: String,
}

fn cause(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Cause, text: text.into() })
}

fn likely(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Likely, text: text.into() })
}

fn advice(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Advice, text: text.into() })
}

fn note(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Note, text: text.into() })
}

/// Of what is wrong only the first is kept, which explains most, and what is surer than it: the rest follows from it.
fn drop_consequences(remarks: &mut Vec<Remark>) {
    let mut first = None;
    remarks.retain(|remark| {
        remark.rank == Rank::Note
            || first.is_none_or(|first| remark.rank < first) && {
                first.get_or_insert(remark.rank);
                true
            }
    });
}

impl StepReport {
    /// All that is to be said, in the order of what explains most. A cause makes those below it consequences.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let checks: [fn(&Self) -> Option<Remark>; 22] = [
            Self::on_foreign_leaves,
            Self::on_error,
            Self::on_no_gradient,
            Self::on_constant_closure,
            Self::on_accumulation,
            Self::on_meddling,
            Self::on_contradiction,
            Self::on_non_finite,
            Self::on_no_movement,
            Self::on_first_step,
            Self::on_runaway,
            Self::on_increases,
            Self::on_uphill,
            Self::on_kink,
            Self::on_noise,
            Self::on_refused_pairs,
            Self::on_tolerances,
            Self::on_limits,
            Self::on_missing_gradients,
            Self::on_zero_gradients,
            Self::on_searches,
            Self::on_another_loss,
        ];
        let mut remarks: Vec<Remark> = checks.into_iter().filter_map(|check| check(self)).collect();
        drop_consequences(&mut remarks);
        if self.resets > 0 {
            let resets = plural(self.resets, "time");
            remarks.extend(note(format!("the memory was cleared {resets} because its direction led nowhere")));
        }
        if self.returned_to_best {
            remarks.extend(note("the parameters went back to the best point of the step"));
        }
        let others = self.notes.len() - usize::from(self.stop == StopReason::Failed).min(self.notes.len());
        remarks.extend(self.notes[..others].iter().filter_map(|text| note(text.as_str())));
        remarks
    }

    fn on_foreign_leaves(&self) -> Option<Remark> {
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

    fn on_error(&self) -> Option<Remark> {
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
                 closure. Compute all of it inside, from the parameters as they are then",
            )
        } else {
            cause(error.as_str())
        }
    }

    /// Whether no parameter has any gradient at all.
    pub(super) fn no_gradient(&self) -> bool {
        self.params > 0 && self.params_without_gradient.len() == self.params
    }

    fn on_no_gradient(&self) -> Option<Remark> {
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

    fn on_constant_closure(&self) -> Option<Remark> {
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

    fn on_accumulation(&self) -> Option<Remark> {
        if !self.gradients_accumulate {
            return None;
        }
        cause(
            "gradients are accumulating: an evaluation added its gradient to the one that was there before. Call \
             zero_grad() in the closure, before backward()",
        )
    }

    fn on_non_finite(&self) -> Option<Remark> {
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
            (what, "inf / inf, 0 / 0, the log of a negative number and NaN in the data give it".into())
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
        if self.stop == StopReason::NonFinite {
            return cause(format!(
                "{count}; {first}. Nothing finite was found from here: rewrite the loss, or lower lr"
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

    fn on_no_movement(&self) -> Option<Remark> {
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

    fn on_meddling(&self) -> Option<Remark> {
        self.closure_moves_parameters.then(|| {
            cause(
                "the closure changes parameters in place. It is to be evaluated where the optimizer puts them: change \
                 them after the step (clamping, projection), or compute the loss from a changed copy",
            )
        })?
    }

    fn on_another_loss(&self) -> Option<Remark> {
        let [before, now] = self.another_loss?.map(Short);
        note(format!(
            "where the last step ended the loss was {before}, at the same point it is {now} now: the closure computes \
             another loss than then (another batch, dropout, a changed penalty), and the memory belongs to the old one"
        ))
    }

    fn on_contradiction(&self) -> Option<Remark> {
        let SlopeCheck { slopes: [before, after], measured, .. } = self.slope_checks.contradiction()?;
        let [before, after, measured] = [before, after, measured].map(Short);
        likely(format!(
            "the gradient does not belong to the loss: on {} of {} moves the loss did not change as the gradient says; on \
             the shortest by {measured} per unit of t, where g.d is {before} at its begin and {after} at its end. Return \
             the loss that backward() ran on; look for detached parts, a wrong derivative, and for random numbers \
             (dropout, another batch) in the closure",
            self.slope_checks.failed, self.slope_checks.made
        ))
    }

    fn on_first_step(&self) -> Option<Remark> {
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
    fn went_wrong(&self) -> bool {
        let maximized = self.best_loss > self.initial_loss;
        if maximized { self.final_loss < self.initial_loss } else { self.final_loss > self.initial_loss }
    }

    fn on_runaway(&self) -> Option<Remark> {
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

    fn on_increases(&self) -> Option<Remark> {
        let rises = self.loss_increases;
        let arrived = self.gradient_max < STEEP * STEEP * self.initial_gradient_max;
        if rises == 0 || arrived && !self.went_wrong() {
            return None;
        }
        let text = format!(
            "the loss got worse in {rises} of {} without a line search: steps of t = {} go too far. Use \
             line_search_fn(LineSearch::StrongWolfe), or lower lr",
            plural(self.iterations, "iteration"),
            Short(self.step_length.unwrap_or(f64::NAN))
        );
        if self.went_wrong() || 3 * rises > self.iterations && self.steep() { likely(text) } else { note(text) }
    }

    fn on_uphill(&self) -> Option<Remark> {
        let slope = self.directional_derivative.filter(|&slope| slope > 0.0)?;
        likely(format!(
            "the direction leads uphill (g.d = {}): clipping bent it, or the {} in memory belong to another function. Use \
             guarded(true), which then follows the gradient, or a new optimizer",
            Short(slope),
            plural(self.pairs_in_memory, "pair")
        ))
    }

    fn on_kink(&self) -> Option<Remark> {
        let kink = self.kink.filter(|_| self.searches_unsatisfied > 0)?;
        let [down, up, width] = [kink.slopes[0], kink.slopes[1], kink.width].map(Short);
        likely(format!(
            "the loss has a kink: along the direction its slope jumps from {down} to {up} within {width}, and no point \
             there satisfies the strong Wolfe conditions. Smooth the loss (abs, relu, max, an L1 penalty)"
        ))
    }

    fn on_refused_pairs(&self) -> Option<Remark> {
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

    /// Whether the step ended although its gradient asks for more.
    fn steep(&self) -> bool {
        self.gradient_max > self.tolerance_grad
    }

    /// Whether a tolerance on changes ended the step.
    fn ended_by_change(&self) -> bool {
        matches!(self.stop, StopReason::LossTolerance | StopReason::StepTolerance | StopReason::DirectionalDerivative)
    }

    /// Whether the step left most of its gradient, after few iterations without any memory of earlier steps. One
    /// that goes on from another may have begun near the minimum.
    fn ended_early(&self) -> bool {
        let fresh = self.pairs_in_memory <= self.pairs_accepted;
        fresh && self.iterations < 10 && self.gradient_max > STEEP * self.initial_gradient_max
    }

    /// The decrease that the last direction promised; where nothing was moved along it, over its full length.
    fn promised(&self) -> f64 {
        let moved = self.stop != StopReason::DirectionalDerivative;
        let t = self.step_length.filter(|&t| moved && t != 0.0).unwrap_or(1.0);
        (self.directional_derivative.unwrap_or(f64::NAN) * t).abs()
    }

    /// Whether the last step promised less than the rounding error of the loss.
    fn promises_little(&self) -> bool {
        self.promised() < NOISY * self.noise_floor
    }

    fn on_noise(&self) -> Option<Remark> {
        let limited = matches!(self.stop, StopReason::MaxIter | StopReason::MaxEval);
        let ended = (self.ended_by_change() || limited || self.searches_unsatisfied > 0) && self.steep();
        if !ended || !self.promises_little() {
            return None;
        }
        let (dtype, wider) = if self.loss_epsilon > f64::EPSILON {
            ("f32", "Compute in f64, subtract")
        } else if self.epsilon() > f64::EPSILON {
            ("f32, in which part of it is computed,", "Compute all of it in f64, subtract")
        } else {
            ("f64", "Subtract")
        };
        let tolerances = if limited { "raise the tolerances" } else { "be content" };
        let text = format!(
            "the last step promised a decrease of {}, less than the rounding of the loss in {dtype} shows ({} at a loss of \
             {}). {wider} what is constant in the loss, or {tolerances}",
            Short(self.promised()),
            Short(self.noise_floor),
            Short(self.final_loss)
        );
        if self.ended_early() || limited {
            likely(text)
        } else if self.gradient_max > 1e3 * self.tolerance_grad {
            advice(text)
        } else {
            None
        }
    }

    fn on_tolerances(&self) -> Option<Remark> {
        let at_start = self.stop == StopReason::GradientToleranceAtStart;
        if at_start && self.gradient_max == 0.0 && !self.no_gradient() {
            return advice(
                "the gradient is exactly zero here. If this is no minimum, the loss is flat: a saturated function (exp, \
                 sigmoid), a dead relu, rounding or a comparison in it; begin elsewhere",
            );
        }
        let small = self.initial_loss.abs() < SMALL_LOSS && self.initial_loss != 0.0;
        if at_start && small && self.pairs_in_memory == 0 && !self.no_gradient() {
            return advice(format!(
                "tolerances are absolute and this loss is small ({}): if this is no minimum, multiply the loss by a \
                 constant, or lower tolerance_grad",
                Short(self.initial_loss)
            ));
        }
        if matches!(self.stop, StopReason::GradientTolerance | StopReason::GradientToleranceAtStart) {
            let loose = self.tolerance_grad > STEEP * STEEP && !self.no_gradient();
            return loose.then(|| {
                advice(format!(
                    "tolerance_grad = {} is large (its default is 1e-7): lower it if this is no minimum",
                    Short(self.tolerance_grad)
                ))
            })?;
        }
        let relative = self.stop == StopReason::RelativeLossTolerance;
        let uphill = self.directional_derivative.is_some_and(|slope| slope > 0.0);
        if !self.steep() || !(self.ended_by_change() || relative) || self.promises_little() || uphill {
            return None;
        }
        let early = self.ended_early();
        let option = if relative { "tolerance_change_rel" } else { "tolerance_change" };
        let [steepest, limit] = [self.gradient_max, self.tolerance_grad].map(Short);
        let text = if small && !relative {
            format!(
                "tolerances are absolute and this loss is small ({}). Multiply it by a constant, or lower {option}",
                Short(self.initial_loss)
            )
        } else if self.stop == StopReason::StepTolerance && self.line_search_evaluations.is_empty() && early {
            format!(
                "lr makes steps shorter than tolerance_change (t = {}), while max|g| = {steepest}. Raise lr",
                Short(self.step_length.unwrap_or(f64::NAN))
            )
        } else if let Some(curvature) = self.expected_curvature() {
            format!(
                "g.d is small because the memory expects a curvature of {curvature} here (|g|^2 / |g.d|), while max|g| = \
                 {steepest}: the loss may be ill-conditioned, and this no minimum. Scale the parameters so that a unit of \
                 each matters alike, or lower {option} (0 turns it off)"
            )
        } else if self.gradient_max > 1e3 * self.tolerance_grad {
            format!(
                "max|g| = {steepest} is far above tolerance_grad = {limit}, so this may be no minimum. Lower {option} \
                 (0 turns it off) to go on"
            )
        } else {
            return None;
        };
        if early { likely(text) } else { advice(text) }
    }

    /// The curvature that the last direction was made for, where it is so large that it hides the gradient.
    fn expected_curvature(&self) -> Option<Short> {
        let slope = self.directional_derivative.filter(|_| self.stop == StopReason::DirectionalDerivative)?;
        let curvature = self.gradient_norm.powi(2) / slope.abs();
        (self.pairs_in_memory > 0 && curvature > SHARP).then_some(Short(curvature))
    }

    fn on_limits(&self) -> Option<Remark> {
        let option = match self.stop {
            StopReason::MaxIter => "max_iter",
            StopReason::MaxEval => "max_eval",
            _ => return None,
        };
        let limit = self.compared.map_or(f64::NAN, |compared| compared.limit);
        if limit < 1.0 {
            return cause(format!("{option} is {}: the step may not move at all. Raise it", Short(limit)));
        }
        if !self.steep() {
            return None;
        }
        let text = format!(
            "max|g| = {} is still above tolerance_grad = {}. Call step again, which goes on with the same memory, or raise \
             {option}",
            Short(self.gradient_max),
            Short(self.tolerance_grad)
        );
        let t = self.step_length.unwrap_or(1.0);
        if !self.line_search_evaluations.is_empty() || t >= 0.5 || self.loss_increases > 0 {
            return advice(text);
        }
        let short = format!(
            "without a line search each step goes t = lr = {} of the way that the method proposes, where 1 is natural. \
             Raise lr, or use line_search_fn(LineSearch::StrongWolfe)",
            Short(t)
        );
        if t < STEEP { likely(short) } else { advice(format!("{text}; {short}")) }
    }

    fn missing(&self) -> String {
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

    fn on_missing_gradients(&self) -> Option<Remark> {
        if self.params_without_gradient.is_empty() || self.no_gradient() || !self.foreign_leaves.is_empty() {
            return None;
        }
        note(format!("{}: unused in the closure, detached, or requires_grad is false?", self.missing()))
    }

    fn on_zero_gradients(&self) -> Option<Remark> {
        let zero = &self.params_with_zero_gradient;
        if zero.is_empty() || zero.len() + self.params_without_gradient.len() == self.params {
            return None;
        }
        note(format!("{} of {} parameters have a gradient of exactly zero: {}", zero.len(), self.params, listed(zero)))
    }

    fn on_searches(&self) -> Option<Remark> {
        if self.searches_unsatisfied == 0 {
            return None;
        }
        let searches = plural(self.searches_unsatisfied, "line search");
        note(format!(
            "{searches} of {} ended without a strong Wolfe point",
            self.line_search_evaluations.len().max(self.searches_unsatisfied)
        ))
    }
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    let ending = match (count, noun) {
        (1, _) => "",
        (_, noun) if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}

/// The first five of these names.
fn listed(names: &[String]) -> String {
    let some: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    some.join(", ") + if names.len() > some.len() { ", .." } else { "" }
}
