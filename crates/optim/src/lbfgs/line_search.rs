//! The strong Wolfe line search of torch's L-BFGS, a port of minFunc's, as scalar code over a callback.
//!
//! A trial `t` is accepted where `phi(t) <= phi(0) + c1 t phi'(0)` and `|phi'(t)| <= -c2 phi'(0)` (Nocedal &
//! Wright, eq. 3.7). torch calls the search with constants of its own, whatever the optimizer's tolerances
//! are.

use super::scalar::{Number, ZeroDivision};
use tape::Float;

/// What a search asks of a point, and when it gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// Share of the promised decrease that must be reached.
    pub(crate) c1: f64,
    /// Share of the first slope that may be left.
    pub(crate) c2: f64,
    /// Bracketing and zooming together take at most this many steps, hence at most one evaluation more.
    pub(crate) max_steps: usize,
    /// A bracket is given up when no parameter differs by this much between its ends.
    pub(crate) min_width: f64,
    /// An infinite loss is a wall, which the next trial keeps away from; torch's cubic makes it the middle.
    pub(crate) walls: bool,
    /// The gradient at the start is kept to the end of the search, at the price of a fourth buffer, and where an
    /// interpolation overflows the middle is tried.
    pub(crate) careful: bool,
}

/// The share of the way to a wall at which the next trial is made. Beyond it there is nothing to interpolate, and
/// before it the function may bend sharply.
pub(crate) const BEFORE_A_WALL: f64 = 0.25;

impl Conditions {
    /// What torch's optimizer uses.
    pub(crate) const TORCH: Self =
        Self { c1: 1e-4, c2: 0.9, max_steps: 25, min_width: 1e-9, walls: false, careful: false };
}

/// A point on the line: step length, loss, directional derivative, and which buffer of the caller holds its
/// gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point<T> {
    pub(crate) t: Number<T>,
    pub(crate) loss: f64,
    pub(crate) slope: T,
    pub(crate) slot: usize,
}

/// How many gradient buffers a search needs at most, that of its start included; the last one only where that is
/// to be kept.
pub(crate) const SLOTS: usize = 4;

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The point satisfies the strong Wolfe conditions.
    Accepted,
    /// The bracket shrank below the width at which its ends differ.
    BracketClosed,
    /// The steps ran out; the point is the lower end of the bracket.
    OutOfSteps,
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<T> {
    pub(crate) point: Point<T>,
    pub(crate) ending: Ending,
}

/// Where torch's search raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breakdown {
    /// Two trial steps are the same plain number: `float division by zero`.
    ZeroDivision,
    /// The curvature condition holds at a trial whose loss is NaN: `list index out of range`.
    NanLoss,
}

impl From<ZeroDivision> for Breakdown {
    fn from(_: ZeroDivision) -> Self {
        Self::ZeroDivision
    }
}

/// The minimiser of the cubic through the values and slopes of `a` and `b` (Nocedal & Wright, eq. 3.59),
/// clamped to `bounds` (by default the interval between the two); the middle of the bounds where the cubic
/// has none.
pub(crate) fn cubic_interpolate<T: Float>(
    a: &Point<T>,
    b: &Point<T>,
    bounds: Option<(Number<T>, Number<T>)>,
) -> Result<Number<T>, ZeroDivision> {
    let (low, high) = bounds.unwrap_or(if a.t <= b.t { (a.t, b.t) } else { (b.t, a.t) });
    let chord = Number::Float(3.0 * (a.loss - b.loss)).divide(a.t - b.t)?;
    let d1 = a.slope + b.slope - chord.round();
    let d2_square = d1 * d1 - a.slope * b.slope;
    // A NaN takes the else branch, as in torch.
    if d2_square >= T::ZERO {
        let d2 = d2_square.sqrt();
        let two = T::from_f64(2.0);
        let minimiser = if a.t <= b.t {
            let share = (b.slope + d2 - d1) / (b.slope - a.slope + two * d2);
            b.t - (b.t - a.t) * Number::Tensor(share)
        } else {
            let share = (a.slope + d2 - d1) / (a.slope - b.slope + two * d2);
            a.t - (a.t - b.t) * Number::Tensor(share)
        };
        Ok(minimiser.python_max(low).python_min(high))
    } else {
        (low + high).divide(Number::Int(2))
    }
}

/// One search; holds what every test needs.
struct Search<'a, T, F> {
    start: Point<T>,
    /// Largest component of the direction, to measure a bracket in parameters.
    direction_max: T,
    /// Evaluates the line at a step length and leaves the gradient in a buffer.
    evaluate: &'a mut F,
    conditions: Conditions,
    steps: usize,
}

/// Searches from `start` (at step length 0) along a direction whose largest component is `direction_max`,
/// trying `first` at first. `evaluate(t, slot)` returns loss and slope at `t` and keeps the gradient in
/// buffer `slot`.
pub(crate) fn strong_wolfe<T, E, F>(
    start: Point<T>,
    first: Number<T>,
    direction_max: T,
    conditions: Conditions,
    evaluate: &mut F,
) -> Result<Found<T>, E>
where
    T: Float,
    E: From<Breakdown>,
    F: FnMut(Number<T>, usize) -> Result<(f64, T), E>,
{
    let mut search = Search { start, direction_max, evaluate, conditions, steps: 0 };
    match search.bracket(first)? {
        Bracketed::Accepted(point) if point.loss.is_nan() => Err(Breakdown::NanLoss.into()),
        Bracketed::Accepted(point) => Ok(Found { point, ending: Ending::Accepted }),
        Bracketed::Between(ends) => search.zoom(ends),
    }
}

enum Bracketed<T> {
    Accepted(Point<T>),
    Between([Point<T>; 2]),
}

impl<T, E, F> Search<'_, T, F>
where
    T: Float,
    E: From<Breakdown>,
    F: FnMut(Number<T>, usize) -> Result<(f64, T), E>,
{
    /// Evaluates at `t`, in a buffer that none of `kept` uses.
    fn trial(&mut self, t: Number<T>, kept: [usize; 2]) -> Result<Point<T>, E> {
        let start = self.conditions.careful.then_some(self.start.slot);
        let slot = (0..SLOTS).find(|slot| !kept.contains(slot) && Some(*slot) != start).unwrap_or(0);
        let (loss, slope) = (self.evaluate)(t, slot)?;
        Ok(Point { t, loss, slope, slot })
    }

    fn interpolate(
        &self,
        a: &Point<T>,
        b: &Point<T>,
        bounds: Option<(Number<T>, Number<T>)>,
    ) -> Result<Number<T>, Breakdown> {
        let t = cubic_interpolate(a, b, bounds)?;
        if self.conditions.careful && t.to_f64().is_nan() {
            let (low, high) = bounds.unwrap_or((a.t, b.t));
            return Ok(Number::Float(0.5) * (low + high));
        }
        Ok(t)
    }

    /// Whether the loss fails to decrease as the first Wolfe condition asks.
    fn decreases_too_little(&self, point: &Point<T>) -> bool {
        let descent = Number::Float(self.conditions.c1) * point.t * Number::Tensor(self.start.slope);
        Number::Float(point.loss) > Number::Float(self.start.loss) + descent
    }

    /// The second Wolfe condition.
    fn is_flat(&self, point: &Point<T>) -> bool {
        point.slope.abs() <= T::from_f64(-self.conditions.c2) * self.start.slope
    }

    /// Lengthens the step until an acceptable point lies between two trials, or is met.
    fn bracket(&mut self, first: Number<T>) -> Result<Bracketed<T>, E> {
        let mut previous = self.start;
        let mut point = self.trial(first, [self.start.slot; 2])?;
        while self.steps < self.conditions.max_steps {
            let no_better = self.steps > 1 && point.loss >= previous.loss;
            if self.decreases_too_little(&point) || no_better {
                return Ok(Bracketed::Between([previous, point]));
            }
            if self.is_flat(&point) {
                return Ok(Bracketed::Accepted(point));
            }
            if point.slope >= T::ZERO {
                return Ok(Bracketed::Between([previous, point]));
            }
            let least = point.t + Number::Float(0.01) * (point.t - previous.t);
            let most = point.t * Number::Int(10);
            let t = self.interpolate(&previous, &point, Some((least, most)))?;
            previous = point;
            // The gradient at the start is kept for the case that the steps run out.
            point = self.trial(t, [self.start.slot, previous.slot])?;
            self.steps += 1;
        }
        Ok(Bracketed::Between([self.start, point]))
    }

    /// Shrinks the bracket around an acceptable point.
    fn zoom(&mut self, mut ends: [Point<T>; 2]) -> Result<Found<T>, E> {
        let mut low = lower(&ends);
        let mut stalled = false;
        while self.steps < self.conditions.max_steps {
            let width = (ends[1].t - ends[0].t).abs();
            if width * Number::Tensor(self.direction_max) < Number::Float(self.conditions.min_width) {
                return Ok(Found { point: ends[low], ending: Ending::BracketClosed });
            }
            let t = if self.conditions.walls && ends[1 - low].loss == f64::INFINITY {
                ends[low].t + Number::Float(BEFORE_A_WALL) * (ends[1 - low].t - ends[low].t)
            } else {
                let t = self.interpolate(&ends[0], &ends[1], None)?;
                away_from_ends(t, &ends, &mut stalled)
            };
            let point = self.trial(t, [ends[0].slot, ends[1].slot])?;
            self.steps += 1;
            if self.decreases_too_little(&point) || point.loss >= ends[low].loss {
                ends[1 - low] = point;
                low = lower(&ends);
                continue;
            }
            if self.is_flat(&point) {
                return Ok(Found { point, ending: Ending::Accepted });
            }
            if Number::Tensor(point.slope) * (ends[1 - low].t - ends[low].t) >= Number::Int(0) {
                ends[1 - low] = ends[low];
            }
            ends[low] = point;
        }
        Ok(Found { point: ends[low], ending: Ending::OutOfSteps })
    }
}

/// Which end has the lower loss; the second where a NaN makes the comparison false, as in torch.
fn lower<T>(ends: &[Point<T>; 2]) -> usize {
    if ends[0].loss <= ends[1].loss { 0 } else { 1 }
}

/// A trial within a tenth of the bracket from its end is moved to that distance if it is outside, or if the
/// trial before was close to an end too (`stalled`).
fn away_from_ends<T: Float>(t: Number<T>, ends: &[Point<T>; 2], stalled: &mut bool) -> Number<T> {
    let most = ends[0].t.python_max(ends[1].t);
    let least = ends[0].t.python_min(ends[1].t);
    let margin = Number::Float(0.1) * (most - least);
    if (most - t).python_min(t - least) < margin {
        if *stalled || t >= most || t <= least {
            *stalled = false;
            return if (t - most).abs() < (t - least).abs() { most - margin } else { least + margin };
        }
        *stalled = true;
    } else {
        *stalled = false;
    }
    t
}

#[cfg(test)]
mod tests;
