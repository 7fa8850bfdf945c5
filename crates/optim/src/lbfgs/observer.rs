//! What the calls of the closure tell beside loss and gradient.

use crate::BoxError;
use crate::flat::Flat;
use crate::optimizer::Closure;
use crate::report::Factors;
use std::time::{Duration, Instant};
use tape::{Tensor, watch_leaves};

/// So many calls are timed one by one; of those after them one in so many.
const TIMED: usize = 8;

/// Watches the calls of one step.
#[derive(Debug, Default)]
pub(super) struct Observer {
    calls: usize,
    /// Time of the first calls.
    timed: Duration,
    /// Time of those that stand for the later ones, and how many these are.
    sampled: Duration,
    samples: u32,
    /// Whether `backward` reached one of the optimizer's parameters in the first call.
    pub(super) reached_own: bool,
    /// Shapes of the other leaves it reached.
    pub(super) foreign: Vec<Vec<usize>>,
    /// One of the first two calls added to a gradient that was there before.
    pub(super) accumulates: bool,
    /// A call changed parameters in place.
    pub(super) meddles: bool,
    /// How often the parameters had been changed before the first call.
    pub(super) version: u64,
    /// Positions of the parameters that were NaN or infinite after the first call.
    pub(super) broken: Vec<usize>,
    /// Where the optimizer is looking.
    pub(super) line: Line,
    /// How the changes of the loss compare with those that the gradients promise.
    pub(super) factors: Factors,
    /// `max|x|` of a point of this step.
    pub(super) scale: Option<f64>,
}

/// The line `x + t d`, with the last downward and the first upward slope seen on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// `g . d` at its begin.
    pub(super) slope: f64,
    pub(super) direction_max: f64,
    /// Step length and slope.
    down: (f64, f64),
    up: (f64, f64),
}

impl Default for Line {
    fn default() -> Self {
        Self::new(f64::NAN, f64::NAN)
    }
}

impl Line {
    pub(super) fn new(slope: f64, direction_max: f64) -> Self {
        Self { slope, direction_max, down: (0.0, slope), up: (f64::INFINITY, f64::NAN) }
    }

    /// One more trial; how far apart the slopes around the turn lie, and both, once it is known.
    pub(super) fn turn(&mut self, t: f64, slope: f64) -> Option<(f64, [f64; 2])> {
        if slope < 0.0 && t > self.down.0 && t < self.up.0 {
            self.down = (t, slope);
        } else if slope > 0.0 && t < self.up.0 && t > self.down.0 {
            self.up = (t, slope);
        }
        self.up.0.is_finite().then_some((self.up.0 - self.down.0, [self.down.1, self.up.1]))
    }
}

impl Observer {
    /// Calls the closure.
    pub(super) fn call(&mut self, flat: &Flat, closure: &mut Closure<'_>) -> Result<Tensor, BoxError> {
        let number = self.calls;
        self.calls += 1;
        let started = (number < TIMED || number.is_multiple_of(TIMED)).then(Instant::now);
        let version = flat.version();
        let before = match number {
            0 => flat.some_gradient().filter(|(grad, _)| !is_zero(grad)),
            1 => flat.some_gradient(),
            _ => None,
        };
        let outcome = if number == 0 { self.first(flat, closure) } else { closure() };
        if let Some(started) = started {
            if number < TIMED {
                self.timed += started.elapsed();
            } else {
                self.sampled += started.elapsed();
                self.samples += 1;
            }
        }
        if number == 0 {
            self.version = version;
        }
        if outcome.is_ok() {
            self.meddles |= flat.version() != version;
            self.accumulates |= before.is_some_and(|(grad, version)| added_to(flat, &grad, version));
        }
        outcome
    }

    /// Finds out which leaves the gradients go to.
    fn first(&mut self, flat: &Flat, closure: &mut Closure<'_>) -> Result<Tensor, BoxError> {
        let (outcome, leaves) = watch_leaves(closure);
        let (own, foreign): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| flat.owns(leaf));
        self.reached_own = !own.is_empty();
        self.foreign = foreign.iter().map(|leaf| leaf.sizes().to_vec()).collect();
        self.broken = flat.non_finite();
        outcome
    }

    /// Time spent in the closure, estimated where there were many calls.
    pub(super) fn time(&self) -> Duration {
        let later = self.calls.saturating_sub(TIMED) as f64;
        self.timed + self.sampled.mul_f64(later / f64::from(self.samples.max(1)))
    }
}

/// Whether a gradient was added to without having been cleared. A cleared gradient is another tensor afterwards, or
/// the same one after two changes: it was zeroed and added to. One change alone is an addition to the old value.
fn added_to(flat: &Flat, grad: &Tensor, version: u32) -> bool {
    flat.some_gradient().is_some_and(|(now, after)| now.same(grad) && after == version + 1)
}

fn is_zero(tensor: &Tensor) -> bool {
    let mut values = vec![0.0; tensor.numel()];
    tensor.read_into(&mut values);
    values.iter().all(|&value| value == 0.0)
}
