//! One step: the loop of torch's `LBFGS.step`, in its order.

use super::Lbfgs;
use super::callback::Callback;
use super::line_search::{Breakdown, Ending, Point, SLOTS, strong_wolfe};
use super::objective::Output;
use super::options::{Options, Search};
use super::problem::Precision;
use super::scalar::Number;
use crate::base::lock;
use crate::flat::Flat;
use crate::optimizer::Closure;
use crate::{Error, ParamGroup, Result, StepReport, StopReason};
use std::sync::Mutex;
use tape::{Float, Tensor, vector};

/// Memory that a step needs and the state does not hold; kept for the next step.
#[derive(Debug)]
pub(super) struct Buffers<T> {
    /// The parameters at the last accepted point, while they are tried elsewhere.
    x: Vec<T>,
    /// Gradients: of the accepted point, and of the line search's trials.
    pub(super) gradients: [Vec<T>; SLOTS],
    /// The same with the loss's gradient clipped; empty without clipping.
    pub(super) clipped: [Vec<T>; SLOTS],
    /// Positions of the parameters that had no gradient at the last evaluation.
    missing: Vec<usize>,
    /// The parameters where they were last evaluated; empty without weight decay.
    parameters: Vec<T>,
}

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self {
            x: Vec::new(),
            gradients: [const { Vec::new() }; SLOTS],
            clipped: [const { Vec::new() }; SLOTS],
            missing: Vec::new(),
            parameters: Vec::new(),
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
    let mut options = Options::read(&groups)?;
    let cleared = {
        let mut state = lock(&engine.state);
        state.memory.set_narrow(options.additions.narrow_history);
        state.adopt(&mut options.objective.metric)
    };
    let mut step = Step::new(lbfgs, flat, engine, &groups, &options, closure);
    step.report.tolerance_grad = options.tolerance_grad;
    step.report.notes = lbfgs.base.warnings();
    if cleared {
        let note =
            "the ratios of the groups' learning rates changed: the memory was in other variables and was cleared";
        step.report.notes.push(note.into());
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
    flat: &'a Flat,
    pub(super) engine: &'a Precision<T>,
    groups: &'a [ParamGroup],
    pub(super) options: &'a Options<T>,
    pub(super) callback: Option<&'a Callback>,
    filed: &'a Mutex<StepReport>,
    closure: &'a mut Closure<'c>,
    pub(super) buffers: Buffers<T>,
    /// Which buffer holds the gradient at the accepted point.
    pub(super) accepted: usize,
    /// The parameters are not at `buffers.x`, and are to be put back there if anything fails.
    astray: bool,
    /// An iteration has begun that has not moved yet.
    pub(super) in_flight: bool,
    /// Evaluations of this step that `func_evals` includes already.
    counted: usize,
    /// The state's keys had been stored before this step.
    pub(super) stored_before: bool,
    pub(super) report: StepReport,
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
        for gradient in &mut buffers.gradients {
            gradient.resize(n, T::ZERO);
        }
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
        }
    }

    fn minimise(&mut self) -> Result<Tensor> {
        let options = self.options;
        let (first, loss) = self.evaluate(self.accepted)?;
        let mut loss = self.accept_evaluation(loss);
        self.report.initial_loss = loss;
        self.count_evaluations();
        if self.flat.numel() == 0 {
            return Err(Error::NoElements);
        }
        if self.gradient_is_small() {
            self.stop_at_gradient(StopReason::GradientToleranceAtStart);
            return Ok(first);
        }
        let mut n_iter = 0;
        if options.max_iter <= 0 {
            let mut state = lock(&self.engine.state);
            state.none_stored = !state.begun;
            drop(state);
            self.stop(StopReason::MaxIter, "iterations", 0.0, ">=", "max_iter", options.max_iter as f64);
        }
        while n_iter < options.max_iter {
            n_iter += 1;
            self.report.iterations += 1;
            let previous_loss = loss;
            let start = self.begin_iteration(loss)?;
            self.report.directional_derivative = Some(start.slope.to_f64());
            if start.slope > T::from_f64(-options.tolerance_change) {
                // torch leaves the first trial in `t`, a move that did not happen, and relies on `y = 0` to skip
                // the pair. Damping would store it.
                self.end_iteration(if options.additions.powell_damping { Number::Int(0) } else { start.t });
                let slope = start.slope.to_f64();
                let limit = -options.tolerance_change;
                self.stop(StopReason::DirectionalDerivative, "g.d", slope, ">", "-tolerance_change", limit);
                break;
            }
            let t = match &options.search {
                Search::None => {
                    loss = self.fixed_step(start.t, n_iter == options.max_iter, loss)?;
                    start.t
                }
                Search::StrongWolfe => {
                    let found = self.search(&start, loss)?;
                    loss = found.loss;
                    found.t
                }
                Search::Unknown(name) => return Err(Error::UnknownLineSearch(name.clone())),
            };
            self.end_iteration(t);
            self.report.step_length = Some(t.to_f64());
            self.report.final_loss = loss;
            let step_max = (Number::Tensor(start.direction_max) * t).abs();
            if self.callback_stops() || self.should_stop(n_iter, step_max, loss, previous_loss) {
                break;
            }
        }
        Ok(first)
    }

    /// Runs the closure and leaves the objective's gradient in one of the buffers; returns the closure's loss
    /// and the objective.
    fn evaluate(&mut self, slot: usize) -> Result<(Tensor, f64)> {
        let Buffers { gradients, clipped, missing, parameters, .. } = &mut self.buffers;
        let (gradient, clipped) = (&mut gradients[slot], &mut clipped[slot]);
        let output = Output { gradient, clipped, missing, parameters };
        self.options.objective.evaluate(self.closure, self.flat, output)
    }

    /// The parameters stay where they were just evaluated.
    fn accept_evaluation(&mut self, loss: f64) -> f64 {
        self.report.gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        self.report.count_evaluation(loss, self.report.gradient_max);
        self.report.final_loss = loss;
        loss
    }

    /// The move is made: the state may say so.
    fn end_iteration(&mut self, t: Number<T>) {
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

    fn add(&self, t: Number<T>) {
        self.options.objective.metric.add(self.flat, t.round(), &lock(&self.engine.state).d);
    }

    /// Moves by `t d` and, except in the last iteration, evaluates there.
    fn fixed_step(&mut self, t: Number<T>, last: bool, loss: f64) -> Result<f64> {
        if last {
            self.add(t);
            self.report.moved_since_final_loss = true;
            return Ok(loss);
        }
        self.flat.snapshot(&mut self.buffers.x);
        self.astray = true;
        self.add(t);
        let (_, new_loss) = self.evaluate(self.accepted)?;
        self.astray = false;
        if new_loss > loss {
            self.report.loss_increases += 1;
        }
        Ok(self.accept_evaluation(new_loss))
    }

    /// Searches along `d` and moves to the point found.
    fn search(&mut self, start: &Start<T>, loss: f64) -> Result<Point<T>> {
        self.flat.snapshot(&mut self.buffers.x);
        let origin = Point { t: Number::Int(0), loss, slope: start.slope, slot: self.accepted };
        let conditions = self.options.additions.conditions;
        let found = strong_wolfe(origin, start.t, start.direction_max, conditions, &mut |t, slot| self.trial(t, slot))?;
        self.add(found.point.t);
        self.accepted = found.point.slot;
        self.report.gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        if found.ending != Ending::Accepted {
            self.report.searches_unsatisfied += 1;
        }
        Ok(found.point)
    }

    /// Evaluates at `x + t d`, then puts the parameters back, by copy.
    fn trial(&mut self, t: Number<T>, slot: usize) -> Result<(f64, T)> {
        self.astray = true;
        self.add(t);
        let (_, loss) = self.evaluate(slot)?;
        self.flat.restore(&self.buffers.x);
        self.astray = false;
        let slope = vector::dot(&self.buffers.gradients[slot], &lock(&self.engine.state).d);
        self.report.count_evaluation(loss, slope.to_f64());
        Ok((loss, slope))
    }
}

impl<T: Float> Drop for Step<'_, '_, T> {
    fn drop(&mut self) {
        if self.astray {
            self.flat.restore(&self.buffers.x);
        }
        self.count_evaluations();
        let mut state = lock(&self.engine.state);
        if self.in_flight {
            state.n_iter -= 1;
        }
        self.report.pairs_in_memory = state.memory.len();
        self.report.history_bytes = state.memory.bytes();
        drop(state);
        if !self.buffers.missing.is_empty() {
            let names: Vec<String> = self.groups.iter().filter_map(ParamGroup::names).flatten().collect();
            let label = |&i: &usize| names.get(i).cloned().unwrap_or_else(|| format!("#{i}"));
            self.report.params_without_gradient = self.buffers.missing.iter().map(label).collect();
        }
        if self.options.objective.maximize {
            self.report.turn_losses();
        }
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
