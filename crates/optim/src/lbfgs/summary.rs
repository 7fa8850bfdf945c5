//! What a step finds out about itself, for its report.

use super::observer::Observer;
use super::scalar::Number;
use super::step::Step;
use crate::ParamGroup;
use crate::base::lock;
use crate::report::{FirstStep, Kink, SlopeCheck};
use std::ops::Range;
use tape::vector::all_finite;
use tape::{DType, Float, vector};

impl<T: Float> Step<'_, '_, T> {
    /// Counts an evaluation and returns whether it is finite: the loss, the gradient, of which `size` is a number
    /// that is NaN or infinite if it is, and, where that matters, the parameters, which are where they were
    /// evaluated.
    pub(super) fn judge(&mut self, loss: f64, size: f64, slot: usize) -> bool {
        let values = loss.is_finite() && (size.is_finite() || all_finite(&self.buffers.gradients[slot]));
        let finite = values && (!self.options.additions.refuses_non_finite() || self.parameters_are_finite());
        self.report.count_evaluation(loss, finite);
        if !values && self.poisoned.is_empty() {
            let gradient = &self.buffers.gradients[slot];
            let poisoned =
                self.flat.ranges().enumerate().filter(|(_, (range, _))| !all_finite(&gradient[range.clone()]));
            self.poisoned = poisoned.map(|(i, _)| i).collect();
        }
        finite
    }

    fn parameters_are_finite(&mut self) -> bool {
        self.buffers.parameters.resize(self.flat.numel(), T::ZERO);
        self.flat.snapshot(&mut self.buffers.parameters);
        all_finite(&self.buffers.parameters)
    }

    /// Compares the optimizer's very first move with the parameters, which it is about to be made from.
    pub(super) fn note_first_step(&mut self, t: Number<T>) {
        let state = lock(&self.engine.state);
        if state.n_iter == 1 && self.report.first_step.is_none() {
            self.flat.snapshot(&mut self.buffers.x);
            let length = t.to_f64().abs() * self.options.objective.metric.largest(self.flat, &state.d);
            self.report.first_step = Some(FirstStep { length, parameters: vector::max_abs(&self.buffers.x).to_f64() });
        }
    }

    /// Counts evaluations that gave the loss and the gradient of the point where the iteration began, to the
    /// bit, although the parameters had been moved from there to `buffers.x` plus a step.
    pub(super) fn look_for_a_constant_closure(&mut self, loss: f64, slot: usize) {
        let state = lock(&self.engine.state);
        if loss.to_bits() == state.prev_loss.to_bits() && self.buffers.gradients[slot] == state.prev_flat_grad {
            let moved = self.flat.differs_from(&self.buffers.x);
            self.report.unchanged_evaluations += usize::from(moved);
            self.report.unmoved_evaluations += usize::from(!moved);
        }
    }

    /// Compares the change of the loss along `t d` with the slopes at both ends, and looks for a kink. Before it
    /// the parameters were at `buffers.x`.
    pub(super) fn compare_with_slopes(&mut self, t: Number<T>, loss: f64, slope: Option<T>, slot: usize) {
        let state = lock(&self.engine.state);
        let slope = slope.unwrap_or_else(|| vector::dot(&self.buffers.gradients[slot], &state.d)).to_f64();
        let previous = state.prev_loss;
        drop(state);
        let t = t.round().to_f64();
        let Observer { line, scale, factors, .. } = &mut self.observer;
        let length = t * line.direction_max;
        let scale = *scale.get_or_insert_with(|| vector::max_abs(&self.buffers.x).to_f64());
        let check = SlopeCheck { length, slopes: [line.slope, slope], measured: (loss - previous) / t };
        // Rounding of the loss, and of the parameters where the move is short beside them.
        let of_loss = self.report.epsilon() * previous.abs().max(loss.abs()) / t;
        let epsilon = if T::DTYPE == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        let of_move = line.slope * epsilon * scale / length;
        if self.report.slope_checks.add(check, of_loss.abs() + of_move.abs()) {
            factors.add(check);
            // Only to the other side of a valley the loss is the same again, with the opposite slope.
            let [a, b] = check.slopes;
            let frozen = loss.to_bits() == previous.to_bits() && (a + b).abs() > 0.1 * a.abs().max(b.abs());
            self.report.frozen_losses += usize::from(frozen);
        }
        if let Some((width, slopes)) = line.turn(t, slope) {
            let share = width / t;
            self.report.kink = Kink::between(slopes, line.slope, share, share * length).or(self.report.kink);
        }
    }

    /// Which parameters have no gradient, a zero one, or one that is not finite.
    pub(super) fn report_gradients(&mut self) {
        if self.report.evaluations == 0 {
            return;
        }
        let gradient = &self.buffers.gradients[self.accepted];
        self.report.gradient_norm = vector::dot(gradient, gradient).to_f64().sqrt();
        let missing = &self.buffers.missing;
        let is_zero = |(i, range): (usize, Range<usize>)| {
            let zero = !range.is_empty() && vector::max_abs(&gradient[range]) == T::ZERO;
            (zero && !missing.contains(&i)).then_some(i)
        };
        let zero: Vec<usize> = self.flat.ranges().map(|(range, _)| range).enumerate().filter_map(is_zero).collect();
        let broken = std::mem::take(&mut self.observer.broken);
        if [&zero, &self.poisoned, &broken, missing].into_iter().all(Vec::is_empty) {
            return;
        }
        let names: Vec<String> = self.groups.iter().filter_map(ParamGroup::names).flatten().collect();
        let labels = |positions: &[usize]| -> Vec<String> {
            let label = |&i: &usize| names.get(i).cloned().unwrap_or_else(|| format!("#{i}"));
            positions.iter().map(label).collect()
        };
        self.report.params_without_gradient = labels(missing);
        self.report.params_with_zero_gradient = labels(&zero);
        self.report.params_non_finite = labels(&broken);
        self.report.params_with_non_finite_gradient = labels(&self.poisoned);
    }

    /// What the calls of the closure told, and the time they took.
    pub(super) fn report_observations(&mut self) {
        let (report, observer) = (&mut self.report, &mut self.observer);
        report.reached_own_parameters = observer.reached_own;
        report.foreign_leaves = std::mem::take(&mut observer.foreign);
        report.gradients_accumulate = observer.accumulates;
        report.noise_floor = report.epsilon() * report.final_loss.abs();
        report.closure_moves_parameters = observer.meddles;
        report.gradient_factor = std::mem::take(&mut observer.factors).common();
        let untouched = self.buffers.version.is_none_or(|version| version == observer.version);
        report.changed_between_steps = report.evaluations > 0 && !untouched;
        self.buffers.version = Some(self.flat.version());
        let (began, ended) = (report.initial_loss, report.final_loss);
        let returned = self.buffers.left.filter(|&(version, loss)| version == observer.version && loss != began);
        report.another_loss = returned.map(|(_, loss)| [loss, began]).filter(|_| report.evaluations > 0);
        let known = !report.moved_since_final_loss && report.evaluations > 0 && ended.is_finite();
        self.buffers.left = known.then(|| (self.flat.version(), ended));
        if std::thread::panicking() {
            report.notes.push("the closure or the callback panicked".into());
        }
        let total = self.began.elapsed();
        report.closure_time = observer.time().min(total);
        report.optimizer_time = total - report.closure_time;
    }
}
