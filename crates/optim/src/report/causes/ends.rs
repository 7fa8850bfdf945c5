//! Steps that end where more was to be had: rounding, tolerances, limits.

use super::{Remark, advice, cause, likely, note, plural};
use crate::report::{Short, StepReport, StopReason};

/// Losses below this are called small beside tolerances that are absolute.
const SMALL_LOSS: f64 = 1e-5;

/// A tolerance for gradients that is above this is called large.
const LOOSE: f64 = 1e-4;

/// A tolerance for changes that is above this is called large.
const LOOSE_CHANGE: f64 = 1e-6;

/// Where a tolerance ends a step while this share of the first gradient is left, it ended it early.
const STEEP: f64 = 1e-2;

/// A promised decrease of fewer units in the last place of the loss cannot be told from rounding.
const NOISY: f64 = 4.0;

/// A promised decrease of so many units in the last place is not hidden by the rounding of a loss of many terms.
const UNEXPLAINED: f64 = 100.0;

/// From this curvature on a memory is said to hide the gradient.
const SHARP: f64 = 1e6;

impl StepReport {
    pub(super) fn on_noise(&self) -> Option<Remark> {
        let limited = matches!(self.stop, StopReason::MaxIter | StopReason::MaxEval);
        let ended = (self.ended_by_change() || limited || self.searches_unsatisfied > 0) && self.steep();
        if !ended || !self.promises_little() || self.expected_curvature().is_some() {
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

    /// A step that ended at a small gradient, or never began.
    fn on_small_gradient(&self) -> Option<Remark> {
        if self.no_gradient() {
            return None;
        }
        let at_start = self.stop == StopReason::GradientToleranceAtStart;
        if at_start && self.gradient_max == 0.0 {
            return advice(
                "the gradient is exactly zero here. If this is no minimum, the loss is flat: a saturated function (exp, \
                 sigmoid), a dead relu, rounding or a comparison in it, or \
                 detach(); or it is a saddle or a maximum, as a net whose weights are all zero: begin elsewhere",
            );
        }
        if at_start && self.is_small() && self.pairs_in_memory == 0 {
            return advice(format!(
                "tolerances are absolute and this loss is small ({}): if this is no minimum, multiply the loss by a \
                 constant, or lower tolerance_grad",
                Short(self.initial_loss)
            ));
        }
        if self.tolerance_grad <= LOOSE {
            return None;
        }
        advice(format!(
            "tolerance_grad = {} is large (its default is 1e-7): lower it if this is no minimum",
            Short(self.tolerance_grad)
        ))
    }

    /// Whether the loss is small beside tolerances that are absolute.
    fn is_small(&self) -> bool {
        self.initial_loss.abs() < SMALL_LOSS && self.initial_loss != 0.0
    }

    pub(super) fn on_tolerances(&self) -> Option<Remark> {
        if matches!(self.stop, StopReason::GradientTolerance | StopReason::GradientToleranceAtStart) {
            return self.on_small_gradient();
        }
        let relative = self.stop == StopReason::RelativeLossTolerance;
        let uphill = self.directional_derivative.is_some_and(|slope| slope > 0.0);
        let hidden = self.promises_little() && self.expected_curvature().is_none();
        if !self.steep() || !(self.ended_by_change() || relative) || hidden || uphill {
            return None;
        }
        let early = self.ended_early();
        let limit = self.compared.map_or(0.0, |compared| compared.limit.abs());
        if !relative && limit > LOOSE_CHANGE && self.gradient_max > 1e3 * self.tolerance_grad {
            return likely(format!(
                "tolerance_change = {} is large (its default is 1e-9), and max|g| = {} is far above tolerance_grad = {}, so \
                 this may be no minimum. Lower tolerance_change (0 turns it off) to go on",
                Short(limit),
                Short(self.gradient_max),
                Short(self.tolerance_grad)
            ));
        }
        let option = if relative { "tolerance_change_rel" } else { "tolerance_change" };
        let [steepest, limit] = [self.gradient_max, self.tolerance_grad].map(Short);
        let text = if self.is_small() && !relative {
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

    /// A line search that came back to where it began, although the slope there promised a decrease.
    pub(super) fn on_failed_search(&self) -> Option<Remark> {
        let stayed = self.step_length == Some(0.0) && self.line_search_evaluations.last().is_some_and(|&n| n > 1);
        let slope = self.directional_derivative.filter(|&slope| stayed && slope < 0.0)?;
        let visible = UNEXPLAINED * self.epsilon() * (1.0 + self.final_loss.abs());
        if !self.steep() || self.stop == StopReason::DirectionalDerivative || self.promised() < visible {
            return None;
        }
        likely(format!(
            "the last line search found no lower loss, though the slope there says that it falls (g.d = {}): the gradient does \
             not belong to the loss (a wrong derivative, a detached part), the closure gives other values from call to call \
             (dropout, random numbers, another batch), or the loss is rounded or has a kink",
            Short(slope)
        ))
    }

    pub(super) fn on_limits(&self) -> Option<Remark> {
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

    /// The curvature that the last direction was made for, where it is so large that it hides the gradient.
    pub(super) fn expected_curvature(&self) -> Option<Short> {
        let slope = self.directional_derivative.filter(|_| self.stop == StopReason::DirectionalDerivative)?;
        let curvature = self.gradient_norm.powi(2) / slope.abs();
        (self.pairs_in_memory > 0 && curvature > SHARP).then_some(Short(curvature))
    }

    /// Whether the step left most of its gradient, after few iterations and as the optimizer's first. One
    /// that goes on from another may have begun near the minimum.
    pub(super) fn ended_early(&self) -> bool {
        self.is_first && self.iterations < 10 && self.gradient_max > STEEP * self.initial_gradient_max
    }

    /// Whether a tolerance on changes ended the step.
    pub(super) fn ended_by_change(&self) -> bool {
        matches!(self.stop, StopReason::LossTolerance | StopReason::StepTolerance | StopReason::DirectionalDerivative)
    }

    /// The decrease that the last direction promised; where nothing was moved along it, over its full length.
    pub(super) fn promised(&self) -> f64 {
        let moved = self.stop != StopReason::DirectionalDerivative;
        let t = self.step_length.filter(|&t| moved && t != 0.0).unwrap_or(1.0);
        (self.directional_derivative.unwrap_or(f64::NAN) * t).abs()
    }

    /// Whether the last step promised less than the rounding error of the loss.
    pub(super) fn promises_little(&self) -> bool {
        self.promised() < NOISY * self.noise_floor
    }

    /// Whether the step ended although its gradient asks for more.
    pub(super) fn steep(&self) -> bool {
        self.gradient_max > self.tolerance_grad
    }

    pub(super) fn on_searches(&self) -> Option<Remark> {
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
