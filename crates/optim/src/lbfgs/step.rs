//! One step: the loop of torch's `LBFGS.step`, in its order.

use super::Lbfgs;
use super::callback::Callback;
use super::line_search::{Breakdown, SLOTS};
use super::moves::Made;
use super::non_finite::NonFinite;
use super::objective::Output;
use super::observer::Observer;
use super::options::{Options, Search};
use super::problem::Precision;
use super::scalar::Number;
use super::telling;
use crate::base::lock;
use crate::flat::Flat;
use crate::optimizer::Closure;
use crate::{Error, ParamGroup, Result, StepReport, StopReason};
use std::sync::Mutex;
use std::time::Instant;
use tape::{DType, Float, Tensor, vector};

/// Memory that a step needs and the state does not hold; kept for the next step.
#[derive(Debug)]
pub(super) struct Buffers<T> {
    /// The parameters at the last accepted point, while they are tried elsewhere.
    pub(super) x: Vec<T>,
    /// Gradients: of the accepted point, and of the line search's trials.
    pub(super) gradients: [Vec<T>; SLOTS],
    /// The same with the loss's gradient clipped; empty without clipping.
    pub(super) clipped: [Vec<T>; SLOTS],
    /// Positions of the parameters that had no gradient at the last evaluation.
    pub(super) missing: Vec<usize>,
    /// The parameters where they were last evaluated; filled for weight decay, and to see whether they are finite.
    pub(super) parameters: Vec<T>,
    /// The parameters at the best accepted point; filled only where a guarded step may leave it.
    best: Vec<T>,
    /// How often the parameters had been changed when the last step ended, and the loss there.
    pub(super) left: Option<(u64, f64)>,
    /// How often the parameters had been changed when the last step ended, whatever the loss there.
    pub(super) version: Option<u64>,
}

/// The best accepted point; the parameters there are in `buffers.best`.
#[derive(Clone, Copy, Debug)]
struct Best {
    loss: f64,
    gradient_max: f64,
    /// The buffer that has its gradient.
    slot: usize,
}

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self {
            x: Vec::new(),
            gradients: [const { Vec::new() }; SLOTS],
            clipped: [const { Vec::new() }; SLOTS],
            missing: Vec::new(),
            parameters: Vec::new(),
            best: Vec::new(),
            left: None,
            version: None,
        }
    }
}

/// Runs one step.
pub(super) fn run<T: Float>(
    lbfgs: &Lbfgs,
    flat: &Flat,
    engine: &Precision<T>,
    closure: &mut Closure<'_>,
) -> Result<Tensor> {
    let groups = lbfgs.base.groups().all();
    let mut options = Options::read(&groups).inspect_err(|error| {
        let notes = vec![error.to_string()];
        *lock(&lbfgs.report) =
            StepReport { stop: StopReason::Failed, params: flat.len(), notes, ..StepReport::default() };
    })?;
    let cleared = {
        let mut state = lock(&engine.state);
        let cleared = state.adopt(&mut options.objective.metric);
        state.memory.set_narrow(options.additions.narrow_history);
        cleared
    };
    let mut step = Step::new(lbfgs, flat, engine, &groups, &options, closure);
    step.report.tolerance_grad = options.tolerance_grad;
    step.report.notes = lbfgs.base.warnings();
    if cleared {
        let note =
            "the ratios of the groups' learning rates changed: the memory was in other variables and was cleared";
        step.report.notes.push(note.into());
    }
    for (name, tolerance) in
        [("tolerance_grad", options.tolerance_grad), ("tolerance_change", options.tolerance_change)]
    {
        if tolerance.is_nan() {
            step.report
                .notes
                .push(format!("{name} is NaN, and no comparison with NaN is true: its tests never end a step"));
        }
    }
    let outcome = step.minimise();
    if let Err(error) = &outcome {
        step.report.notes.push(error.to_string());
    }
    outcome
}

/// A step under way. Dropping it, at its end or because the closure failed or panicked, brings parameters and
/// state to the last accepted point and files the report.
pub(super) struct Step<'a, 'c, T: Float> {
    pub(super) flat: &'a Flat,
    pub(super) engine: &'a Precision<T>,
    pub(super) groups: &'a [ParamGroup],
    pub(super) options: &'a Options<T>,
    pub(super) callback: Option<&'a Callback>,
    filed: &'a Mutex<StepReport>,
    closure: &'a mut Closure<'c>,
    pub(super) buffers: Buffers<T>,
    /// Which buffer holds the gradient at the accepted point.
    pub(super) accepted: usize,
    /// The parameters are not at `buffers.x`, and are to be put back there if anything fails.
    pub(super) astray: bool,
    /// An iteration has begun that has not moved yet.
    pub(super) in_flight: bool,
    /// Evaluations of this step that `func_evals` includes already.
    counted: usize,
    /// The state's keys had been stored before this step.
    pub(super) stored_before: bool,
    pub(super) report: StepReport,
    pub(super) observer: Observer,
    pub(super) began: Instant,
    best: Option<Best>,
    /// Positions of the parameters whose gradient was NaN or infinite when one first was.
    pub(super) poisoned: Vec<usize>,
}

/// What an iteration starts from.
pub(super) struct Start<T> {
    pub(super) t: Number<T>,
    /// Directional derivative `g . d`.
    pub(super) slope: T,
    /// `max|d|`.
    pub(super) direction_max: T,
}

impl<'a, 'c, T: Float> Step<'a, 'c, T> {
    fn new(
        lbfgs: &'a Lbfgs,
        flat: &'a Flat,
        engine: &'a Precision<T>,
        groups: &'a [ParamGroup],
        options: &'a Options<T>,
        closure: &'a mut Closure<'c>,
    ) -> Self {
        let mut buffers = std::mem::take(&mut *lock(&engine.buffers));
        let n = flat.numel();
        buffers.x.resize(n, T::ZERO);
        let needed = if options.additions.refuses_non_finite() { SLOTS } else { SLOTS - 1 };
        for gradient in &mut buffers.gradients[..needed] {
            gradient.resize(n, T::ZERO);
        }
        buffers.missing.clear();
        let stored_before = {
            let mut state = lock(&engine.state);
            state.exists = true;
            state.begun || state.none_stored
        };
        let report = StepReport { stop: StopReason::Failed, params: flat.len(), ..StepReport::default() };
        Self {
            flat,
            engine,
            groups,
            options,
            callback: lbfgs.callback.as_ref(),
            filed: &lbfgs.report,
            closure,
            buffers,
            accepted: 0,
            astray: false,
            in_flight: false,
            counted: 0,
            stored_before,
            report,
            observer: Observer::default(),
            began: Instant::now(),
            best: None,
            poisoned: Vec::new(),
        }
    }

    fn minimise(&mut self) -> Result<Tensor> {
        let options = self.options;
        let (first, loss) = self.evaluate(self.accepted)?;
        self.report.loss_epsilon = if first.dtype() == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        let gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        let finite = self.judge(loss, gradient_max, self.accepted);
        (self.report.initial_loss, self.report.initial_gradient_max) = (loss, gradient_max);
        (self.report.final_loss, self.report.gradient_max) = (loss, gradient_max);
        self.keep_the_best();
        self.count_evaluations();
        if self.flat.numel() == 0 {
            return Err(Error::NoElements);
        }
        if options.additions.refuses_non_finite() && !finite {
            if options.additions.non_finite == NonFinite::Stop {
                return Err(self.non_finite(loss, gradient_max, None));
            }
            self.report.stop = StopReason::NonFinite;
        } else if self.gradient_is_small() {
            self.stop_at_gradient(StopReason::GradientToleranceAtStart);
        } else if options.max_iter <= 0 {
            let mut state = lock(&self.engine.state);
            state.none_stored = !state.begun;
            drop(state);
            self.stop(StopReason::MaxIter, "iterations", 0.0, ">=", "max_iter", options.max_iter as f64);
        } else {
            self.iterate(loss)?;
        }
        Ok(first)
    }

    fn iterate(&mut self, mut loss: f64) -> Result<()> {
        let options = self.options;
        for n_iter in 1..=options.max_iter {
            if self.evaluations_left() == 0 {
                self.stop_at_max_eval();
                break;
            }
            self.report.iterations += 1;
            let previous_loss = loss;
            let mut start = self.begin_iteration(loss)?;
            if self.is_no_descent(&start) {
                start = self.restart();
            }
            if start.slope > T::from_f64(-options.tolerance_change) {
                // torch leaves the first trial in `t`, a move that did not happen, and relies on `y = 0` to skip
                // the pair. Damping would store it.
                self.end_iteration(if options.additions.powell_damping { Number::Int(0) } else { start.t });
                let slope = start.slope.to_f64();
                let limit = -options.tolerance_change;
                self.stop(StopReason::DirectionalDerivative, "g.d", slope, ">", "-tolerance_change", limit);
                break;
            }
            let last = n_iter == options.max_iter;
            let mut moved = self.advance(&start, last, loss)?;
            if self.may_start_over(&moved) {
                start = self.restart();
                if start.slope < T::ZERO {
                    moved = self.advance(&start, last, loss)?;
                }
            }
            if moved.made == Made::NothingFinite {
                self.stop_in_flight();
                break;
            }
            loss = moved.loss;
            self.end_iteration(moved.t);
            self.report.step_length = Some(moved.t.to_f64());
            self.report.final_loss = loss;
            self.keep_the_best();
            let step_max = (Number::Tensor(start.direction_max) * moved.t).abs();
            if self.callback_stops() || self.should_stop(n_iter, step_max, loss, previous_loss) {
                break;
            }
        }
        Ok(())
    }

    /// Runs the closure and leaves the objective's gradient in one of the buffers; returns the closure's loss
    /// and the objective.
    pub(super) fn evaluate(&mut self, slot: usize) -> Result<(Tensor, f64)> {
        let Buffers { gradients, clipped, missing, parameters, .. } = &mut self.buffers;
        let (gradient, clipped) = (&mut gradients[slot], &mut clipped[slot]);
        let output = Output { gradient, clipped, missing, parameters };
        let (observer, flat, closure) = (&mut self.observer, self.flat, &mut *self.closure);
        self.options.objective.evaluate(&mut || observer.call(flat, closure), flat, output)
    }

    /// Remembers the best point that was accepted, where a guarded step without line search may move on from it.
    fn keep_the_best(&mut self) {
        let wanderer = self.options.additions.guarded && matches!(self.options.search, Search::None);
        let (loss, gradient_max) = (self.report.final_loss, self.report.gradient_max);
        if wanderer && loss.is_finite() && self.best.is_none_or(|best| loss < best.loss) {
            self.buffers.best.resize(self.flat.numel(), T::ZERO);
            self.flat.snapshot(&mut self.buffers.best);
            self.best = Some(Best { loss, gradient_max, slot: self.accepted });
        }
    }

    /// The gradient buffer of the best point, where that is kept.
    pub(super) fn best_slot(&self) -> Option<usize> {
        self.best.map(|best| best.slot)
    }

    /// A gradient buffer that is free for a trial.
    pub(super) fn free_slot(&self) -> usize {
        let kept = [Some(self.accepted), self.best_slot()];
        (0..SLOTS).find(|&slot| !kept.contains(&Some(slot))).unwrap_or(self.accepted)
    }

    /// Goes back to the best point. The last move is then one that did not happen: no pair is made of it.
    fn return_to_the_best(&mut self) {
        let Some(best) = self.best.take() else { return };
        if self.report.final_loss <= best.loss {
            return;
        }
        self.flat.restore(&self.buffers.best);
        self.accepted = best.slot;
        self.report.final_loss = best.loss;
        self.report.gradient_max = best.gradient_max;
        self.report.returned_to_best = true;
        lock(&self.engine.state).t = Number::Int(0);
    }

    /// The move is made: the state may say so.
    pub(super) fn end_iteration(&mut self, t: Number<T>) {
        self.in_flight = false;
        self.count_evaluations();
        let mut state = lock(&self.engine.state);
        state.t = t;
        state.begun = true;
    }

    fn count_evaluations(&mut self) {
        let fresh = self.report.evaluations - self.counted;
        self.counted = self.report.evaluations;
        lock(&self.engine.state).func_evals += fresh as i64;
    }

    pub(super) fn add(&self, t: Number<T>) {
        self.options.objective.metric.add(self.flat, t.round(), &lock(&self.engine.state).d);
    }
}

impl<T: Float> Drop for Step<'_, '_, T> {
    fn drop(&mut self) {
        if self.astray {
            self.flat.restore(&self.buffers.x);
        }
        self.return_to_the_best();
        self.count_evaluations();
        let mut state = lock(&self.engine.state);
        if self.in_flight {
            state.n_iter -= 1;
        }
        self.report.pairs_in_memory = state.memory.len();
        self.report.history_bytes = state.memory.bytes();
        drop(state);
        self.report_gradients();
        self.report_observations();
        if self.options.objective.maximize {
            self.report.turn_losses();
        }
        telling::step(&self.report);
        *lock(&self.engine.buffers) = std::mem::take(&mut self.buffers);
        *lock(self.filed) = std::mem::take(&mut self.report);
    }
}

impl From<Breakdown> for Error {
    fn from(breakdown: Breakdown) -> Self {
        match breakdown {
            Breakdown::ZeroDivision => Self::StepsCoincide,
            Breakdown::NanLoss => Self::NanLossAccepted,
        }
    }
}
