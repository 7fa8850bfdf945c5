//! The move of an iteration: a fixed step or a line search, and what becomes of NaN and infinity on the way.

use super::line_search::{BEFORE_A_WALL, Ending, Found, Point, strong_wolfe};
use super::non_finite::NonFinite;
use super::observer::Line;
use super::options::Search;
use super::scalar::Number;
use super::step::{Start, Step};
use crate::base::lock;
use crate::{Error, Result, StopReason};
use tape::vector::all_finite;
use tape::{Float, vector};

/// Where an iteration ended: step length and loss.
pub(super) struct Moved<T> {
    pub(super) t: Number<T>,
    pub(super) loss: f64,
    pub(super) made: Made,
}

/// What the move of an iteration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Move,
    /// The line search found no better point. `blindly` if a trial was NaN or infinite.
    Nothing {
        blindly: bool,
    },
    /// Every trial was NaN or infinite, or the one that torch would take; never where torch's behaviour is wanted.
    NothingFinite,
}

impl<T: Float> Step<'_, '_, T> {
    /// Moves from a point of this loss.
    pub(super) fn advance(&mut self, start: &Start<T>, last: bool, loss: f64) -> Result<Moved<T>> {
        self.observer.line = Line::new(start.slope.to_f64(), start.direction_max.to_f64());
        match &self.options.search {
            Search::None if last && !self.options.additions.evaluates_last() => {
                self.note_first_step(start.t);
                self.add(start.t);
                self.report.moved_since_final_loss = true;
                Ok(Moved { t: start.t, loss, made: Made::Move })
            }
            Search::None => self.fixed_step(start.t, loss),
            Search::StrongWolfe => self.search(start, loss),
            Search::Unknown(name) => Err(Error::UnknownLineSearch(name.clone())),
        }
    }

    /// Moves by `t d` and evaluates there.
    fn fixed_step(&mut self, mut t: Number<T>, loss: f64) -> Result<Moved<T>> {
        let additions = &self.options.additions;
        let refuses = additions.refuses_non_finite();
        self.note_first_step(t);
        self.flat.snapshot(&mut self.buffers.x);
        // The old gradient is needed again where the move is taken back.
        let slot = if refuses { self.free_slot() } else { self.accepted };
        for _ in 0..=additions.conditions.max_steps {
            self.astray = true;
            self.add(t);
            let (_, new_loss) = self.evaluate(slot)?;
            let gradient_max = vector::max_abs(&self.buffers.gradients[slot]).to_f64();
            self.look_for_a_constant_closure(new_loss, slot);
            self.compare_with_slopes(t, new_loss, None, slot);
            let finite = self.judge(new_loss, gradient_max, slot);
            if finite || !refuses {
                self.astray = false;
                self.accepted = slot;
                self.report.gradient_max = gradient_max;
                self.report.final_loss = new_loss;
                self.report.loss_increases += usize::from(new_loss > loss);
                return Ok(Moved { t, loss: new_loss, made: Made::Move });
            }
            if additions.non_finite == NonFinite::Stop {
                return Err(self.non_finite(new_loss, gradient_max, Some(t)));
            }
            self.flat.restore(&self.buffers.x);
            self.astray = false;
            if !self.recovers() || self.evaluations_left() == 0 {
                break;
            }
            t = Number::Float(BEFORE_A_WALL) * t;
        }
        Ok(Moved { t: Number::Int(0), loss, made: Made::NothingFinite })
    }

    /// Searches along `d` and moves to the point found.
    fn search(&mut self, start: &Start<T>, loss: f64) -> Result<Moved<T>> {
        self.note_first_step(start.t);
        self.flat.snapshot(&mut self.buffers.x);
        let origin = Point { t: Number::Int(0), loss, slope: start.slope, slot: self.accepted };
        let mut conditions = self.options.additions.conditions;
        conditions.walls = self.recovers();
        conditions.careful = self.options.additions.refuses_non_finite();
        conditions.max_steps = conditions.max_steps.min(self.evaluations_left().saturating_sub(1));
        let (before, bad_before) = (self.report.evaluations, self.report.non_finite_evaluations);
        self.report.line_search_evaluations.push(0);
        let found = strong_wolfe(origin, start.t, start.direction_max, conditions, &mut |t, slot| self.trial(t, slot));
        let mut found = match found {
            // torch fails here with an error; a guarded step has not accepted the point, and that is all.
            Err(Error::NanLossAccepted) if self.options.additions.guarded => {
                return Ok(Moved { t: Number::Int(0), loss, made: Made::NothingFinite });
            }
            found => found?,
        };
        let bad = self.report.non_finite_evaluations - bad_before;
        let mut made = Made::Move;
        if conditions.careful {
            let all_bad = bad == self.report.evaluations - before;
            made = self.examine(
                &mut found,
                origin,
                if all_bad { Made::NothingFinite } else { Made::Nothing { blindly: bad > 0 } },
            );
        }
        if made == Made::Move {
            self.add(found.point.t);
        }
        self.accepted = found.point.slot;
        self.report.gradient_max = vector::max_abs(&self.buffers.gradients[self.accepted]).to_f64();
        self.report.searches_unsatisfied += usize::from(found.ending != Ending::Accepted);
        Ok(Moved { t: found.point.t, loss: found.point.loss, made })
    }

    /// Whether the point that a search found is to be moved to; the origin takes its place if not.
    fn examine(&self, found: &mut Found<T>, origin: Point<T>, nothing: Made) -> Made {
        let Point { loss, slot, .. } = found.point;
        if slot == origin.slot {
            return nothing;
        }
        let finite = loss.is_finite() && all_finite(&self.buffers.gradients[slot]);
        if finite && (loss <= origin.loss || !self.options.additions.guarded) {
            return Made::Move;
        }
        found.point = origin;
        if finite { nothing } else { Made::NothingFinite }
    }

    /// Evaluates at `x + t d`, then puts the parameters back, by copy.
    fn trial(&mut self, t: Number<T>, slot: usize) -> Result<(f64, T)> {
        self.astray = true;
        self.add(t);
        let (_, loss) = self.evaluate(slot)?;
        self.look_for_a_constant_closure(loss, slot);
        let slope = vector::dot(&self.buffers.gradients[slot], &lock(&self.engine.state).d);
        let finite = self.judge(loss, slope.to_f64(), slot);
        if let Some(evaluations) = self.report.line_search_evaluations.last_mut() {
            *evaluations += 1;
        }
        self.flat.restore(&self.buffers.x);
        self.astray = false;
        self.compare_with_slopes(t, loss, Some(slope), slot);
        let beyond = (f64::INFINITY, T::from_f64(f64::NAN));
        match self.options.additions.non_finite {
            _ if finite => Ok((loss, slope)),
            NonFinite::Stop => Err(self.non_finite(loss, slope.to_f64(), Some(t))),
            NonFinite::Recover => Ok(beyond),
            // torch's search sees a loss or slope that is not finite as it is; of infinite parameters it would see
            // nothing.
            NonFinite::Torch if loss.is_finite() && slope.to_f64().is_finite() => Ok(beyond),
            NonFinite::Torch => Ok((loss, slope)),
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

    /// Whether a move that came to nothing is to be tried again along the gradient, with an empty memory. In the
    /// first iteration that would be the same again.
    pub(super) fn may_start_over(&self, moved: &Moved<T>) -> bool {
        let state = lock(&self.engine.state);
        let sensible = match moved.made {
            Made::Move => false,
            Made::NothingFinite => self.recovers(),
            Made::Nothing { blindly } => {
                blindly && self.recovers() || self.options.additions.guarded && state.memory.len() > 0
            }
        };
        sensible && state.n_iter > 1 && self.evaluations_left() > 0
    }

    /// The error of [`NonFinite::Stop`] for the evaluation just counted.
    pub(super) fn non_finite(&self, loss: f64, size: f64, t: Option<Number<T>>) -> Error {
        let step_length = t.map(Number::to_f64);
        let (quantity, value) = if !loss.is_finite() {
            ("loss", self.options.objective.in_users_sign(loss))
        } else if !size.is_finite() {
            ("gradient", size)
        } else {
            ("parameter", step_length.unwrap_or(f64::NAN))
        };
        Error::NonFinite { quantity, value, evaluation: self.report.evaluations, step_length }
    }

    /// Nothing finite was found: the iteration did not take place.
    pub(super) fn stop_in_flight(&mut self) {
        if self.evaluations_left() == 0 {
            self.stop_at_max_eval();
        } else {
            self.report.stop = StopReason::NonFinite;
        }
    }
}
