//! What a step finds out about itself, for its report.

use super::scalar::Number;
use super::step::Step;
use crate::ParamGroup;
use crate::base::lock;
use crate::report::FirstStep;
use tape::{Float, vector};

impl<T: Float> Step<'_, '_, T> {
    /// Compares the optimizer's very first move with the parameters, which are in `buffers.x`.
    pub(super) fn note_first_step(&mut self, t: Number<T>) {
        let state = lock(&self.engine.state);
        if state.n_iter == 1 && self.report.first_step.is_none() {
            let length = (t.round() * vector::max_abs(&state.d)).abs().to_f64();
            self.report.first_step = Some(FirstStep { length, parameters: vector::max_abs(&self.buffers.x).to_f64() });
        }
    }

    /// Counts evaluations that gave the loss and the gradient of the point where the iteration began, to the
    /// bit, although the parameters had been moved from there to `buffers.x` plus a step.
    pub(super) fn look_for_a_constant_closure(&mut self, loss: f64, slot: usize) {
        let state = lock(&self.engine.state);
        if loss.to_bits() == state.prev_loss.to_bits()
            && self.buffers.gradients[slot] == state.prev_flat_grad
            && self.flat.differs_from(&self.buffers.x)
        {
            self.report.unchanged_evaluations += 1;
        }
    }

    /// Which parameters have no gradient, a zero one, or one that is not finite.
    pub(super) fn report_gradients(&mut self) {
        let gradient = &self.buffers.gradients[self.accepted];
        self.report.gradient_norm = vector::dot(gradient, gradient).to_f64().sqrt();
        let (mut zero, mut non_finite) = (Vec::new(), Vec::new());
        for (i, (range, _)) in self.flat.ranges().enumerate() {
            let largest = vector::max_abs(&gradient[range.clone()]).to_f64();
            if !largest.is_finite() {
                non_finite.push(i);
            } else if largest == 0.0 && !range.is_empty() && !self.buffers.missing.contains(&i) {
                zero.push(i);
            }
        }
        if zero.is_empty() && non_finite.is_empty() && self.buffers.missing.is_empty() {
            return;
        }
        let names: Vec<String> = self.groups.iter().filter_map(ParamGroup::names).flatten().collect();
        let labels = |positions: &[usize]| -> Vec<String> {
            let label = |&i: &usize| names.get(i).cloned().unwrap_or_else(|| format!("#{i}"));
            positions.iter().map(label).collect()
        };
        self.report.params_without_gradient = labels(&self.buffers.missing);
        self.report.params_with_zero_gradient = labels(&zero);
        self.report.params_with_non_finite_gradient = labels(&non_finite);
    }

    /// What the calls of the closure told, and the time they took.
    pub(super) fn report_observations(&mut self) {
        let (report, observer) = (&mut self.report, &mut self.observer);
        report.reached_own_parameters = observer.reached_own;
        report.foreign_leaves = std::mem::take(&mut observer.foreign);
        report.gradients_accumulate = observer.accumulates;
        report.noise_floor = report.loss_epsilon * report.final_loss.abs();
        let total = self.began.elapsed();
        report.closure_time = observer.time().min(total);
        report.optimizer_time = total - report.closure_time;
    }
}
