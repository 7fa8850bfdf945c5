//! The begin of an iteration: memory, direction, first step length.

use super::alphas::Alphas;
use super::line_search::SLOTS;
use super::scalar::Number;
use super::state::State;
use super::step::{Start, Step};
use crate::base::lock;
use crate::{Error, Result};
use tape::vector::all_finite;
use tape::{Float, vector};

/// A pair is stored where its curvature `y . s` is above this.
const MIN_CURVATURE: f64 = 1e-10;

/// Share of the curvature of the last matrix that damping keeps at least: Powell's choice.
const DAMPED: f64 = 0.2;

impl<T: Float> Step<'_, '_, T> {
    /// Updates the memory, the direction and what the next pair will be built from; chooses the first step
    /// length.
    ///
    /// While the iteration is in flight the state says `t = 0`: the move that did not happen. A step that
    /// begins from such a state finds the empty pair `s = 0`, skips it and tries the same direction again.
    pub(super) fn begin_iteration(&mut self, loss: f64) -> Result<Start<T>> {
        let mut guard = lock(&self.engine.state);
        let state = &mut *guard;
        self.in_flight = true;
        state.n_iter += 1;
        if state.n_iter == 1 {
            self.report.is_first = true;
            state.memory.clear();
            state.h_diag = Number::Int(1);
            state.prev_flat_grad.copy_from_slice(&self.buffers.gradients[self.accepted]);
            vector::neg(self.steering(), &mut state.d);
        } else {
            self.update(state)?;
        }
        state.prev_clipped.clone_from(&self.buffers.clipped[self.accepted]);
        state.t = Number::Int(0);
        state.prev_loss = loss;
        let along_gradient = state.n_iter == 1 || self.options.additions.guarded && state.memory.len() == 0;
        let t = if along_gradient { self.first_trial() } else { self.options.lr };
        let slope = vector::dot(&self.buffers.gradients[self.accepted], &state.d);
        self.report.directional_derivative = Some(slope.to_f64());
        self.report.direction_non_finite |=
            self.report.non_finite_evaluations == 0 && !slope.is_finite() && !all_finite(&state.d);
        Ok(Start { t, slope, direction_max: vector::max_abs(&state.d) })
    }

    /// The step length of an iteration that follows the gradient itself.
    fn first_trial(&self) -> Number<T> {
        let shrunk = Number::Tensor(T::ONE / vector::sum_abs(self.steering()));
        Number::Float(1.0).python_min(shrunk) * self.options.lr
    }

    /// Whether the direction leads nowhere and there is another one. Never where torch's behaviour is wanted.
    pub(super) fn is_no_descent(&self, start: &Start<T>) -> bool {
        let (slope, state) = (start.slope.to_f64(), lock(&self.engine.state));
        // The product of finite vectors may overflow; that alone does no harm.
        let senseless =
            self.options.additions.refuses_non_finite() && !slope.is_finite() && !(slope < 0.0 && all_finite(&state.d));
        // The flattest direction that torch still follows; once in a step, or the end of a solve would never come.
        let enough = if self.report.resets == 0 { -self.options.tolerance_change } else { 0.0 };
        let uphill = self.options.additions.guarded && (slope >= 0.0 || slope > enough && state.memory.len() > 0);
        (senseless || uphill) && state.n_iter > 1
    }

    /// Clears the memory and follows the gradient, as in a first iteration.
    pub(super) fn restart(&mut self) -> Start<T> {
        self.report.resets += 1;
        let mut state = lock(&self.engine.state);
        state.memory.clear();
        state.h_diag = Number::Int(1);
        state.al.as_mut().into_iter().for_each(Alphas::clear);
        vector::neg(self.steering(), &mut state.d);
        let slope = vector::dot(&self.buffers.gradients[self.accepted], &state.d);
        self.report.directional_derivative = Some(slope.to_f64());
        Start { t: self.first_trial(), slope, direction_max: vector::max_abs(&state.d) }
    }

    /// The gradient that the direction is made of: clipped, if clipping is on.
    fn steering(&self) -> &[T] {
        let clipped = &self.buffers.clipped[self.accepted];
        if clipped.is_empty() { &self.buffers.gradients[self.accepted] } else { clipped }
    }

    /// Stores the pair that the last move gave, if it is fit, and computes the direction.
    fn update(&mut self, state: &mut State<T>) -> Result<()> {
        let history_size = self.options.history_size;
        let best = self.best_slot();
        let (gradient, scratch) = split(&mut self.buffers.gradients, self.accepted, best);
        let t = state.t.round();
        let mut damped = false;
        let (d, previous) = (&state.d, &state.prev_flat_grad);
        let steered = if state.prev_clipped.is_empty() { previous } else { &state.prev_clipped };
        let candidate = state.memory.candidate(scratch, |s, y| {
            vector::sub(gradient, previous, y);
            vector::scaled(t, d, s);
            damped = self.options.additions.powell_damping && damp(t, steered, s, y);
        });
        state.prev_flat_grad.copy_from_slice(gradient);
        let any = !self.options.additions.refuses_non_finite();
        if candidate.ys > T::from_f64(MIN_CURVATURE) && (any || state.memory.has_finite_scale(&candidate)) {
            if history_size == 0 && state.memory.len() == 0 {
                state.memory.discard(candidate);
                state.t = Number::Int(0);
                return Err(Error::NoHistory);
            }
            let capacity = usize::try_from(history_size).unwrap_or(usize::MAX);
            state.h_diag = Number::Tensor(state.memory.store(candidate, capacity));
            self.report.pairs_accepted += 1;
            self.report.pairs_damped += usize::from(damped);
        } else {
            self.report.refused_curvature = Some(candidate.ys.to_f64());
            state.memory.discard(candidate);
            self.report.pairs_skipped += 1;
        }
        let al_last = self.stored_before;
        let alphas = state.al.get_or_insert_with(|| {
            state.al_last = al_last;
            Alphas::new(usize::try_from(history_size).unwrap_or(0))
        });
        let (pairs, places) = (state.memory.len(), alphas.places);
        let Some(alphas) = alphas.room(pairs) else {
            state.t = Number::Int(0);
            return Err(Error::HistoryOutgrown { pairs, places });
        };
        state.memory.direction(self.steering(), state.h_diag, alphas, &mut state.d);
        Ok(())
    }
}

/// The gradient at the accepted point, and two buffers that are free between searches.
fn split<T>(gradients: &mut [Vec<T>; SLOTS], accepted: usize, best: Option<usize>) -> (&[T], (&mut [T], &mut [T])) {
    let (mut gradient, mut first, mut second): (&[T], &mut [T], &mut [T]) = (&[], &mut [], &mut []);
    for (slot, buffer) in gradients.iter_mut().enumerate() {
        if slot == accepted {
            gradient = buffer;
        } else if first.is_empty() && Some(slot) != best {
            first = buffer;
        } else if second.is_empty() && Some(slot) != best {
            second = buffer;
        }
    }
    (gradient, (first, second))
}

/// Damps `y` where its curvature along `s` is too small, and returns whether it was (Nocedal & Wright,
/// Procedure 18.2). With `s = t d` and `d = -H g` the product `B s` is `-t g`.
fn damp<T: Float>(t: T, g: &[T], s: &[T], y: &mut [T]) -> bool {
    let (ys, sbs) = (vector::dot(y, s), -t * vector::dot(g, s));
    // False where either is NaN, and where nothing was moved.
    let too_small = ys < T::from_f64(DAMPED) * sbs;
    if too_small {
        let theta = T::from_f64(1.0 - DAMPED) * sbs / (sbs - ys);
        vector::scale(theta, y);
        vector::axpy((theta - T::ONE) * t, g, y);
    }
    too_small
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `B = H^-1` of a dense positive definite `H`, so that `B s` of the procedure needs no shortcut.
    #[test]
    fn damping_is_the_procedure_with_the_dense_matrix() {
        let h = [[2.0, 0.3], [0.3, 0.5]];
        let determinant = h[0][0] * h[1][1] - h[0][1] * h[1][0];
        let b = [[h[1][1] / determinant, -h[0][1] / determinant], [-h[1][0] / determinant, h[0][0] / determinant]];
        let times = |m: &[[f64; 2]; 2], x: &[f64; 2]| [0, 1].map(|i| m[i][0] * x[0] + m[i][1] * x[1]);
        let g = [1.0, -0.7];
        let d = times(&h, &g).map(|x| -x);
        for t in [1.0, 0.3] {
            let s = d.map(|x| t * x);
            let bs = times(&b, &s);
            let sbs = vector::dot(&s, &bs);
            for y in [[-1.0, 0.2], [0.3, 0.1], [0.0, 0.0], [-4.0, 9.0]] {
                let ys = vector::dot(&y, &s);
                let mut found = y;
                let damped = damp(t, &g, &s, &mut found);
                assert_eq!(damped, ys < 0.2 * sbs, "{y:?}");
                let theta = if ys >= 0.2 * sbs { 1.0 } else { 0.8 * sbs / (sbs - ys) };
                for i in 0..2 {
                    assert!((found[i] - (theta * y[i] + (1.0 - theta) * bs[i])).abs() < 1e-14, "{y:?}: {found:?}");
                }
                assert!(vector::dot(&found, &s) >= 0.2 * sbs * (1.0 - 1e-14), "{y:?}");
            }
        }
    }

    #[test]
    fn a_step_that_did_not_move_is_not_damped() {
        let mut y = [0.0, 0.0];
        assert!(!damp(0.0, &[1.0, 2.0], &[0.0, 0.0], &mut y));
        assert!(!damp(1.0, &[f64::NAN, 2.0], &[-1.0, 0.0], &mut y));
    }
}
