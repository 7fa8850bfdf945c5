//! One step: the loop of torch's `LBFGS.step`, in its order.

use super::builder::{Options, Search};
use super::line_search::{Breakdown, Conditions, Ending, Point, SLOTS, strong_wolfe};
use super::scalar::Number;
use super::{Lbfgs, Precision};
use crate::base::lock;
use crate::flat::Flat;
use crate::optimizer::{Closure, evaluate};
use crate::{Compared, Error, ParamGroup, Result, StepReport, StopReason};
use std::sync::Mutex;
use tape::{Float, Tensor, vector};

/// A pair is stored where its curvature `y . s` is above this.
const MIN_CURVATURE: f64 = 1e-10;

/// Memory that a step needs and the state does not hold; kept for the next step.
#[derive(Debug)]
pub(super) struct Buffers<T> {
    /// The parameters at the last accepted point, while they are tried elsewhere.
    x: Vec<T>,
    /// Gradients: of the accepted point, and of the line search's trials.
    gradients: [Vec<T>; SLOTS],
    /// Positions of the parameters that had no gradient at the last evaluation.
    missing: Vec<usize>,
}

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self { x: Vec::new(), gradients: [const { Vec::new() }; SLOTS], missing: Vec::new() }
    }
}

/// Runs one step.
pub(super) fn run<T: Float>(lbfgs: &Lbfgs, engine: &Precision<T>, closure: &mut Closure<'_>) -> Result<Tensor> {
    let groups = lbfgs.base.groups().all();
    let [group] = groups.as_slice() else { return Err(Error::ParameterGroups) };
    let options = Options::read(group)?;
    let mut step = Step::new(lbfgs, engine, group, closure);
    step.report.tolerance_grad = options.tolerance_grad;
    step.report.notes = lbfgs.base.warnings();
    let outcome = step.minimise(&options);
    if let Err(error) = &outcome {
        step.report.notes.push(error.to_string());
    }
    outcome
}

/// A step under way. Dropping it, at its end or because the closure failed or panicked, brings parameters and
/// state to the last accepted point and files the report.
struct Step<'a, 'c, T: Float> {
    flat: &'a Flat,
    engine: &'a Precision<T>,
    group: &'a ParamGroup,
    filed: &'a Mutex<StepReport>,
    closure: &'a mut Closure<'c>,
    buffers: Buffers<T>,
    /// Which buffer holds the gradient at the accepted point.
    accepted: usize,
    /// The parameters are not at `buffers.x`, and are to be put back there if anything fails.
    astray: bool,
    /// An iteration has begun that has not moved yet.
    in_flight: bool,
    /// Evaluations of this step that `func_evals` includes already.
    counted: usize,
    /// The state's keys had been stored before this step.
    stored_before: bool,
    report: StepReport,
}

/// What an iteration starts from.
struct Start<T> {
    t: Number<T>,
    /// Directional derivative `g . d`.
    slope: T,
    /// `max|d|`.
    direction_max: T,
}

impl<'a, 'c, T: Float> Step<'a, 'c, T> {
    fn new(lbfgs: &'a Lbfgs, engine: &'a Precision<T>, group: &'a ParamGroup, closure: &'a mut Closure<'c>) -> Self {
        let mut buffers = std::mem::take(&mut *lock(&engine.buffers));
        let n = lbfgs.flat.numel();
        buffers.x.resize(n, T::ZERO);
        for gradient in &mut buffers.gradients {
            gradient.resize(n, T::ZERO);
        }
        let stored_before = {
            let mut state = lock(&engine.state);
            state.exists = true;
            state.begun || state.none_stored
        };
        let report = StepReport { stop: StopReason::Failed, params: group.params().len(), ..StepReport::default() };
        Self {
            flat: &lbfgs.flat,
            engine,
            group,
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

    fn minimise(&mut self, options: &Options<T>) -> Result<Tensor> {
        let (first, loss) = self.evaluate(self.accepted)?;
        let mut loss = self.accept_evaluation(loss);
        self.report.initial_loss = loss;
        self.count_evaluations();
        if self.flat.numel() == 0 {
            return Err(Error::NoElements);
        }
        if self.gradient_is_small(options) {
            self.stop_at_gradient(StopReason::GradientToleranceAtStart, options);
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
            let start = self.begin_iteration(loss, options)?;
            self.report.directional_derivative = Some(start.slope.to_f64());
            if start.slope > T::from_f64(-options.tolerance_change) {
                self.end_iteration(start.t);
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
            if self.should_stop(n_iter, step_max, (loss - previous_loss).abs(), options) {
                break;
            }
        }
        Ok(first)
    }

    /// torch's five tests after a move, in torch's order. Every one is false for NaN.
    fn should_stop(&mut self, n_iter: i64, step_max: Number<T>, change: f64, options: &Options<T>) -> bool {
        let evaluations = self.report.evaluations as f64;
        let tolerance = options.tolerance_change;
        if n_iter == options.max_iter {
            self.stop(StopReason::MaxIter, "iterations", n_iter as f64, ">=", "max_iter", options.max_iter as f64);
        } else if self.report.evaluations as i64 >= options.max_eval {
            self.stop(StopReason::MaxEval, "evaluations", evaluations, ">=", "max_eval", options.max_eval as f64);
        } else if self.gradient_is_small(options) {
            self.stop_at_gradient(StopReason::GradientTolerance, options);
        } else if step_max <= Number::Float(tolerance) {
            self.stop(StopReason::StepTolerance, "max|t d|", step_max.to_f64(), "<=", "tolerance_change", tolerance);
        } else if change < tolerance {
            self.stop(StopReason::LossTolerance, "|loss - previous loss|", change, "<", "tolerance_change", tolerance);
        } else {
            return false;
        }
        true
    }

    fn stop(
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

    fn stop_at_gradient(&mut self, reason: StopReason, options: &Options<T>) {
        self.stop(reason, "max|g|", self.report.gradient_max, "<=", "tolerance_grad", options.tolerance_grad);
    }

    /// Compared in the dtype of the gradient, as torch does.
    fn gradient_is_small(&self, options: &Options<T>) -> bool {
        T::from_f64(self.report.gradient_max) <= T::from_f64(options.tolerance_grad)
    }

    /// Runs the closure and gathers the gradient into one of the buffers.
    fn evaluate(&mut self, slot: usize) -> Result<(Tensor, f64)> {
        let outcome = evaluate(self.closure)?;
        self.flat.gather(&mut self.buffers.gradients[slot], &mut self.buffers.missing);
        Ok(outcome)
    }

    /// The parameters stay where they were just evaluated.
    fn accept_evaluation(&mut self, loss: f64) -> f64 {
        self.report.gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        self.report.count_evaluation(loss, self.report.gradient_max);
        self.report.final_loss = loss;
        loss
    }

    /// Updates the memory, the direction and what the next pair will be built from; chooses the first step
    /// length.
    ///
    /// While the iteration is in flight the state says `t = 0`: the move that did not happen. A step that
    /// begins from such a state finds the empty pair `s = 0`, skips it and tries the same direction again.
    fn begin_iteration(&mut self, loss: f64, options: &Options<T>) -> Result<Start<T>> {
        let gradient = &self.buffers.gradients[self.accepted];
        let mut guard = lock(&self.engine.state);
        let state = &mut *guard;
        self.in_flight = true;
        state.n_iter += 1;
        if state.n_iter == 1 {
            vector::neg(gradient, &mut state.d);
            state.memory.clear();
            state.h_diag = Number::Int(1);
            state.prev_flat_grad.copy_from_slice(gradient);
        } else {
            let t = state.t.round();
            let candidate = state.memory.candidate(|s, y| {
                vector::sub(gradient, &state.prev_flat_grad, y);
                vector::scaled(t, &state.d, s);
            });
            state.prev_flat_grad.copy_from_slice(gradient);
            if candidate.ys > T::from_f64(MIN_CURVATURE) {
                if options.history_size == 0 && state.memory.len() == 0 {
                    state.memory.discard(candidate);
                    state.t = Number::Int(0);
                    return Err(Error::NoHistory);
                }
                let capacity = usize::try_from(options.history_size).unwrap_or(usize::MAX);
                state.h_diag = Number::Tensor(state.memory.store(candidate, capacity));
                self.report.pairs_accepted += 1;
            } else {
                state.memory.discard(candidate);
                self.report.pairs_skipped += 1;
            }
            if state.al.is_none() {
                let places = usize::try_from(options.history_size).unwrap_or(0);
                state.al = Some(vec![None; places]);
                state.al_last = self.stored_before;
            }
            let alphas = state.al.as_deref_mut().unwrap_or_default();
            if state.memory.len() > alphas.len() {
                let (pairs, places) = (state.memory.len(), alphas.len());
                state.t = Number::Int(0);
                return Err(Error::HistoryOutgrown { pairs, places });
            }
            state.memory.direction(gradient, state.h_diag, alphas, &mut state.d);
        }
        state.t = Number::Int(0);
        state.prev_loss = loss;
        let t = if state.n_iter == 1 {
            let shrunk = Number::Tensor(T::ONE / vector::sum_abs(gradient));
            Number::Float(1.0).python_min(shrunk) * options.lr
        } else {
            options.lr
        };
        let slope = vector::dot(gradient, &state.d);
        Ok(Start { t, slope, direction_max: vector::max_abs(&state.d) })
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
        self.flat.add(t.round(), &lock(&self.engine.state).d);
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
        let torch = Conditions::TORCH;
        let found = strong_wolfe(origin, start.t, start.direction_max, torch, &mut |t, slot| self.trial(t, slot))?;
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
        drop(state);
        if !self.buffers.missing.is_empty() {
            let names = self.group.names().unwrap_or_default();
            let label = |&i: &usize| names.get(i).cloned().unwrap_or_else(|| format!("#{i}"));
            self.report.params_without_gradient = self.buffers.missing.iter().map(label).collect();
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
