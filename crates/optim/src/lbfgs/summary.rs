//! What a step finds out about itself, for its report.

use super::scalar::Number;
use super::step::Step;
use crate::ParamGroup;
use crate::base::lock;
use crate::report::{FirstStep, Kink, SlopeCheck};
use tape::{DType, Float, vector};

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
        let (t, line) = (t.round().to_f64(), &mut self.observer.line);
        let length = t * line.direction_max;
        let scale = *self.observer.scale.get_or_insert_with(|| vector::max_abs(&self.buffers.x).to_f64());
        let check = SlopeCheck { length, slopes: [line.slope, slope], measured: (loss - previous) / t };
        // Rounding of the loss, and of the parameters where the move is short beside them.
        let of_loss = self.report.loss_epsilon * previous.abs().max(loss.abs()) / t;
        let epsilon = if T::DTYPE == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        let of_move = line.slope * epsilon * scale / length;
        self.report.slope_checks.add(check, of_loss.abs() + of_move.abs());
        if let Some((width, slopes)) = line.turn(t, slope) {
            let share = width / t;
            self.report.kink = Kink::between(slopes, line.slope, share, share * length).or(self.report.kink);
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
        let broken = std::mem::take(&mut self.observer.broken);
        if [&zero, &non_finite, &broken, &self.buffers.missing].into_iter().all(Vec::is_empty) {
            return;
        }
        let names: Vec<String> = self.groups.iter().filter_map(ParamGroup::names).flatten().collect();
        let labels = |positions: &[usize]| -> Vec<String> {
            let label = |&i: &usize| names.get(i).cloned().unwrap_or_else(|| format!("#{i}"));
            positions.iter().map(label).collect()
        };
        self.report.params_without_gradient = labels(&self.buffers.missing);
        self.report.params_with_zero_gradient = labels(&zero);
        self.report.params_non_finite = labels(&broken);
        self.report.params_with_non_finite_gradient = labels(&non_finite);
    }

    /// What the calls of the closure told, and the time they took.
    pub(super) fn report_observations(&mut self) {
        let (report, observer) = (&mut self.report, &mut self.observer);
        report.reached_own_parameters = observer.reached_own;
        report.foreign_leaves = std::mem::take(&mut observer.foreign);
        report.gradients_accumulate = observer.accumulates;
        report.noise_floor = report.loss_epsilon * report.final_loss.abs();
        if std::thread::panicking() {
            report.notes.push("the closure or the callback panicked".into());
        }
        let total = self.began.elapsed();
        report.closure_time = observer.time().min(total);
        report.optimizer_time = total - report.closure_time;
    }
}
