//! The move of an iteration: a fixed step or a line search, and what becomes of NaN and infinity on the way.

use super::line_search::{BEFORE_A_WALL, Ending, Point, SLOTS, strong_wolfe};
use super::non_finite::NonFinite;
use super::observer::Line;
use super::options::Search;
use super::scalar::Number;
use super::step::{Start, Step};
use crate::base::lock;
use crate::{Error, Result, StopReason};
use tape::{Float, vector};

/// Where an iteration ended: step length and loss.
pub(super) struct Moved<T> {
    pub(super) t: Number<T>,
    pub(super) loss: f64,
}

impl<T: Float> Step<'_, '_, T> {
    /// Moves from a point of this loss; `None` where every trial was NaN or infinite.
    pub(super) fn advance(&mut self, start: &Start<T>, last: bool, loss: f64) -> Result<Option<Moved<T>>> {
        self.observer.line = Line::new(start.slope.to_f64(), start.direction_max.to_f64());
        match &self.options.search {
            Search::None if last && !self.options.additions.evaluates_last() => {
                self.add(start.t);
                self.report.moved_since_final_loss = true;
                Ok(Some(Moved { t: start.t, loss }))
            }
            Search::None => self.fixed_step(start.t, loss),
            Search::StrongWolfe => self.search(start, loss),
            Search::Unknown(name) => Err(Error::UnknownLineSearch(name.clone())),
        }
    }

    /// Moves by `t d` and evaluates there.
    fn fixed_step(&mut self, mut t: Number<T>, loss: f64) -> Result<Option<Moved<T>>> {
        self.flat.snapshot(&mut self.buffers.x);
        let recovers = self.options.additions.non_finite == NonFinite::Recover;
        // The old gradient is needed again where the move is taken back.
        let slot = if recovers { (self.accepted + 1) % SLOTS } else { self.accepted };
        for _ in 0..=self.options.additions.conditions.max_steps {
            self.note_first_step(t);
            self.astray = true;
            self.add(t);
            let (_, new_loss) = self.evaluate(slot)?;
            let gradient_max = vector::max_abs(&self.buffers.gradients[slot]).to_f64();
            self.look_for_a_constant_closure(new_loss, slot);
            self.compare_with_slopes(t, new_loss, None, slot);
            if recovers && !(new_loss.is_finite() && gradient_max.is_finite()) {
                self.report.count_evaluation(new_loss, gradient_max);
                self.flat.restore(&self.buffers.x);
                self.astray = false;
                if self.evaluations_left() == 0 {
                    break;
                }
                t = Number::Float(BEFORE_A_WALL) * t;
                continue;
            }
            self.accepted = slot;
            self.accept_evaluation(new_loss, Some(t))?;
            self.astray = false;
            self.report.loss_increases += usize::from(new_loss > loss);
            return Ok(Some(Moved { t, loss: new_loss }));
        }
        Ok(None)
    }

    /// Searches along `d` and moves to the point found.
    fn search(&mut self, start: &Start<T>, loss: f64) -> Result<Option<Moved<T>>> {
        self.flat.snapshot(&mut self.buffers.x);
        self.note_first_step(start.t);
        let origin = Point { t: Number::Int(0), loss, slope: start.slope, slot: self.accepted };
        let mut conditions = self.options.additions.conditions;
        conditions.walls = self.recovers();
        conditions.max_steps = conditions.max_steps.min(self.evaluations_left().saturating_sub(1));
        let (evaluations, bad) = (self.report.evaluations, self.report.non_finite_evaluations);
        let found = strong_wolfe(origin, start.t, start.direction_max, conditions, &mut |t, slot| self.trial(t, slot))?;
        self.report.line_search_evaluations.push(self.report.evaluations - evaluations);
        let nowhere = found.point.slot == origin.slot;
        if nowhere && self.recovers() && self.report.non_finite_evaluations > bad {
            return Ok(None);
        }
        self.add(found.point.t);
        self.accepted = found.point.slot;
        self.report.gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        self.report.searches_unsatisfied += usize::from(found.ending != Ending::Accepted);
        Ok(Some(Moved { t: found.point.t, loss: found.point.loss }))
    }

    /// Evaluates at `x + t d`, then puts the parameters back, by copy.
    fn trial(&mut self, t: Number<T>, slot: usize) -> Result<(f64, T)> {
        self.astray = true;
        self.add(t);
        let (_, loss) = self.evaluate(slot)?;
        self.look_for_a_constant_closure(loss, slot);
        self.flat.restore(&self.buffers.x);
        self.astray = false;
        let slope = vector::dot(&self.buffers.gradients[slot], &lock(&self.engine.state).d);
        self.report.count_evaluation(loss, slope.to_f64());
        self.compare_with_slopes(t, loss, Some(slope), slot);
        if loss.is_finite() && slope.to_f64().is_finite() {
            return Ok((loss, slope));
        }
        match self.options.additions.non_finite {
            NonFinite::Torch => Ok((loss, slope)),
            NonFinite::Stop => Err(self.non_finite(loss, slope.to_f64(), Some(t))),
            NonFinite::Recover => Ok((f64::INFINITY, T::from_f64(f64::NAN))),
        }
    }

    pub(super) fn recovers(&self) -> bool {
        self.options.additions.non_finite == NonFinite::Recover
    }

    /// How many more evaluations this step may make; no limit but torch's own tests unless guarded.
    pub(super) fn evaluations_left(&self) -> usize {
        if !self.options.additions.guarded {
            return usize::MAX;
        }
        usize::try_from(self.options.max_eval).unwrap_or(0).saturating_sub(self.report.evaluations)
    }

    /// The error of [`NonFinite::Stop`] for the evaluation just counted.
    pub(super) fn non_finite(&self, loss: f64, gradient: f64, t: Option<Number<T>>) -> Error {
        let (quantity, value) = if loss.is_finite() { ("gradient", gradient) } else { ("loss", loss) };
        let step_length = t.map(Number::to_f64);
        Error::NonFinite { quantity, value, evaluation: self.report.evaluations, step_length }
    }

    /// Nothing finite was found, not even along the gradient.
    pub(super) fn stop_at_non_finite(&mut self) {
        self.end_iteration(Number::Int(0));
        self.report.stop = StopReason::NonFinite;
    }
}
