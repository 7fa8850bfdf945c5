//! What a step did and why it stopped.

mod causes;
mod number;
mod slopes;
mod stop;
mod text;

pub(crate) use number::Short;
pub(crate) use slopes::Factors;
pub use slopes::{Kink, SlopeCheck, SlopeChecks};
pub use stop::{Compared, StopReason};

use crate::lbfgs::Iteration;
use std::time::Duration;

/// What the last step did. Printing it gives two to six lines of plain words: why it
/// stopped, the cause if something is wrong, the numbers.
///
/// With the feature `serde` it can be serialised.
///
/// ```
/// use optim::{Lbfgs, Optimizer, StopReason};
/// use tape::Tensor;
/// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizer = Lbfgs::builder([&p]).max_iter(1).build()?;
/// optimizer.step(|| {
///     optimizer.zero_grad();
///     let loss = (&p * &p).sum();
///     loss.backward()?;
///     Ok(loss)
/// })?;
/// let report = optimizer.report();
/// assert_eq!((report.stop, report.iterations, report.evaluations), (StopReason::MaxIter, 1, 1));
/// assert!(report.moved_since_final_loss); // a fixed step is not evaluated again in the last iteration
/// println!("{report}");
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StepReport {
    /// Why the step ended.
    pub stop: StopReason,
    /// The numbers of the test that ended it.
    pub compared: Option<Compared>,
    /// Iterations of this step, as torch counts them: one that ends before it moves is counted.
    pub iterations: usize,
    /// Calls of the closure in this step that returned a loss.
    pub evaluations: usize,
    /// Evaluations of each line search of this step, in order.
    pub line_search_evaluations: Vec<usize>,
    /// Loss of the first evaluation, which `step` returns. This and the other losses have the penalty of
    /// `weight_decay` added, or, with `maximize`, subtracted.
    pub initial_loss: f64,
    /// Loss at the last accepted point that was evaluated.
    pub final_loss: f64,
    /// Whether the parameters were moved after `final_loss` was measured, so that it belongs to the point
    /// before: without a line search the last iteration is not evaluated again, as in torch.
    pub moved_since_final_loss: bool,
    /// Whether a guarded step went back to the best point it had accepted, where `final_loss` was measured.
    pub returned_to_best: bool,
    /// Smallest loss among the evaluations, trial points included; NaN only if all were. With `maximize` the
    /// largest.
    pub best_loss: f64,
    /// `max|g|` where the step began.
    pub initial_gradient_max: f64,
    /// `max|g|` where `final_loss` was measured, of the gradient that the method works with: with weight decay,
    /// and scaled by the groups' learning rates, where these are on.
    pub gradient_max: f64,
    /// `|g|`, the Euclidean norm, where `gradient_max` was measured.
    pub gradient_norm: f64,
    /// The option that `gradient_max` is measured against.
    pub tolerance_grad: f64,
    /// `g . d` of the last direction.
    pub directional_derivative: Option<f64>,
    /// The last accepted step length.
    pub step_length: Option<f64>,
    /// How long the first step was beside the parameters; only in the step that made the optimizer's first
    /// iteration.
    pub first_step: Option<FirstStep>,
    /// Curvature pairs stored in this step.
    pub pairs_accepted: usize,
    /// Curvature pairs among the accepted ones that Powell's damping changed.
    pub pairs_damped: usize,
    /// Curvature pairs refused in this step because `y . s <= 1e-10`.
    pub pairs_skipped: usize,
    /// `y . s` of the last pair that was refused.
    pub refused_curvature: Option<f64>,
    /// Curvature pairs in memory at the end.
    pub pairs_in_memory: usize,
    /// Memory that the pairs take, in bytes.
    pub history_bytes: usize,
    /// How often the memory was cleared to follow the gradient itself.
    pub resets: usize,
    /// Line searches of this step that ended without a point that satisfies the strong Wolfe conditions.
    pub searches_unsatisfied: usize,
    /// Iterations without line search after which the loss was higher (with `maximize`: lower).
    pub loss_increases: usize,
    /// How many parameters there are.
    pub params: usize,
    /// Parameters that had no gradient at the last evaluation, by name or position. They count as constants.
    pub params_without_gradient: Vec<String>,
    /// Parameters whose gradient was zero in every element where `gradient_max` was measured.
    pub params_with_zero_gradient: Vec<String>,
    /// Parameters whose gradient was NaN or infinite, in the first evaluation that gave such a gradient.
    pub params_with_non_finite_gradient: Vec<String>,
    /// Parameters that were NaN or infinite themselves where the step began.
    pub params_non_finite: Vec<String>,
    /// Whether `backward` reached a parameter of this optimizer in the first evaluation. It is not seen on other
    /// threads than that of the step.
    pub reached_own_parameters: bool,
    /// Shapes of the leaves that `backward` reached in the first evaluation and that are no parameters of this
    /// optimizer.
    pub foreign_leaves: Vec<Vec<usize>>,
    /// Whether one of the first two evaluations added to gradients that were there before.
    pub gradients_accumulate: bool,
    /// Whether the closure changed parameters in place.
    pub closure_moves_parameters: bool,
    /// Whether parameters were changed, by something else than this optimizer, since the step before.
    pub changed_between_steps: bool,
    /// Whether the memory gave a direction with NaN or infinity in it at a finite gradient.
    pub direction_non_finite: bool,
    /// The loss where the last step ended and the one where this step began, if the two differ although nobody
    /// has moved the parameters between.
    pub another_loss: Option<[f64; 2]>,
    /// Evaluations that gave the loss and gradient of another point, to the bit.
    pub unchanged_evaluations: usize,
    /// Evaluations on a line that gave its first loss and gradient because the parameters had not moved.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) unmoved_evaluations: usize,
    /// Whether the changes of the loss were those that the gradients promised.
    pub slope_checks: SlopeChecks,
    /// Moves on which the loss stayed the same, to the bit, although the gradient promised a change at both ends.
    pub frozen_losses: usize,
    /// How many times the derivative of the loss the gradient is, if that is not 1 and the same on most moves.
    pub gradient_factor: Option<f64>,
    /// A place where the slope jumped through zero, if a line search closed in on one.
    pub kink: Option<Kink>,
    /// Evaluations whose loss or gradient was NaN or infinite; or a parameter, where such points are refused
    /// ([`NonFinite`](crate::NonFinite), [`guarded`](crate::LbfgsBuilder::guarded)).
    pub non_finite_evaluations: usize,
    /// The first of them: its number in this step, from 1, and its loss.
    pub first_non_finite: Option<(usize, f64)>,
    /// Rounding error of the loss, one unit in the last place of its dtype: smaller decreases cannot be seen.
    pub noise_floor: f64,
    /// Distance from 1 to the next number in the dtype of the loss.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) loss_epsilon: f64,
    /// Whether this step made the optimizer's first iteration.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) is_first: bool,
    /// Evaluations with another loss than the first.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) other_losses: usize,
    /// Whether one of them was no number of `f32`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) wide_losses: bool,
    /// Time spent in the closure. From the ninth evaluation on it is measured at one in eight.
    pub closure_time: Duration,
    /// Time of the step outside of the closure.
    pub optimizer_time: Duration,
    /// Every iteration, if [`trace`](crate::LbfgsBuilder::trace) is on.
    pub trace: Vec<Iteration>,
    /// What torch would have warned of, or the error that ended the step.
    pub notes: Vec<String>,
}

/// The first move of an optimizer beside its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FirstStep {
    /// `max|t d|` of the first trial.
    pub length: f64,
    /// `max|x|` where it began.
    pub parameters: f64,
}

impl Default for StepReport {
    fn default() -> Self {
        Self {
            stop: StopReason::NotStarted,
            compared: None,
            iterations: 0,
            evaluations: 0,
            line_search_evaluations: Vec::new(),
            initial_loss: f64::NAN,
            final_loss: f64::NAN,
            moved_since_final_loss: false,
            returned_to_best: false,
            best_loss: f64::NAN,
            initial_gradient_max: f64::NAN,
            gradient_max: f64::NAN,
            gradient_norm: f64::NAN,
            tolerance_grad: f64::NAN,
            directional_derivative: None,
            step_length: None,
            first_step: None,
            pairs_accepted: 0,
            pairs_damped: 0,
            pairs_skipped: 0,
            refused_curvature: None,
            pairs_in_memory: 0,
            history_bytes: 0,
            resets: 0,
            searches_unsatisfied: 0,
            loss_increases: 0,
            params: 0,
            params_without_gradient: Vec::new(),
            params_with_zero_gradient: Vec::new(),
            params_with_non_finite_gradient: Vec::new(),
            params_non_finite: Vec::new(),
            reached_own_parameters: false,
            foreign_leaves: Vec::new(),
            gradients_accumulate: false,
            closure_moves_parameters: false,
            changed_between_steps: false,
            direction_non_finite: false,
            another_loss: None,
            unchanged_evaluations: 0,
            unmoved_evaluations: 0,
            slope_checks: SlopeChecks::default(),
            frozen_losses: 0,
            gradient_factor: None,
            kink: None,
            non_finite_evaluations: 0,
            first_non_finite: None,
            noise_floor: f64::NAN,
            loss_epsilon: f64::EPSILON,
            is_first: false,
            other_losses: 0,
            wide_losses: false,
            closure_time: Duration::ZERO,
            optimizer_time: Duration::ZERO,
            trace: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// So many losses are not all numbers of `f32` by chance.
const SEVERAL: usize = 4;

impl StepReport {
    /// Counts one evaluation, and whether it was finite.
    pub(crate) fn count_evaluation(&mut self, loss: f64, finite: bool) {
        self.evaluations += 1;
        // `min` gives the other number where one is NaN, which is what is wanted here.
        self.best_loss = self.best_loss.min(loss);
        self.other_losses += usize::from(loss.is_finite() && loss != self.initial_loss);
        self.wide_losses |= loss.is_finite() && f64::from(loss as f32) != loss;
        if !finite {
            self.non_finite_evaluations += 1;
            self.first_non_finite.get_or_insert((self.evaluations, loss));
        }
    }

    /// Relative rounding error of the loss. Where all losses of several evaluations are numbers of `f32`, they were
    /// computed in it, whatever their dtype.
    pub(crate) fn epsilon(&self) -> f64 {
        if !self.wide_losses && self.other_losses >= SEVERAL { f32::EPSILON.into() } else { self.loss_epsilon }
    }

    /// From the losses of the minimised objective to those of the maximised one.
    pub(crate) fn turn_losses(&mut self) {
        for loss in [&mut self.initial_loss, &mut self.final_loss, &mut self.best_loss] {
            *loss = -*loss;
        }
        self.another_loss = self.another_loss.map(|losses| losses.map(|loss| -loss));
        if let Some((_, loss)) = &mut self.first_non_finite {
            *loss = -*loss;
        }
    }
}
