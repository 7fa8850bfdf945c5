//! What the calls of the closure tell beside loss and gradient.

use crate::BoxError;
use crate::flat::Flat;
use crate::optimizer::Closure;
use std::time::{Duration, Instant};
use tape::{Tensor, watch_leaves};

/// So many calls are timed one by one; of those after them one in so many.
const TIMED: usize = 8;

/// Watches the calls of one step.
#[derive(Debug, Default)]
pub(super) struct Observer {
    calls: usize,
    time: Duration,
    /// Whether `backward` reached one of the optimizer's parameters in the first call.
    pub(super) reached_own: bool,
    /// Shapes of the other leaves it reached.
    pub(super) foreign: Vec<Vec<usize>>,
    /// The second call added to the gradient that the first one had left.
    pub(super) accumulates: bool,
}

impl Observer {
    /// Calls the closure.
    pub(super) fn call(&mut self, flat: &Flat, closure: &mut Closure<'_>) -> Result<Tensor, BoxError> {
        let number = self.calls;
        self.calls += 1;
        let weight = if number < TIMED { 1 } else { TIMED as u32 };
        let started = (number < TIMED || number.is_multiple_of(TIMED)).then(Instant::now);
        let outcome = match number {
            0 => self.first(flat, closure),
            1 => self.second(flat, closure),
            _ => closure(),
        };
        if let Some(started) = started {
            self.time += weight * started.elapsed();
        }
        outcome
    }

    /// Finds out which leaves the gradients go to.
    fn first(&mut self, flat: &Flat, closure: &mut Closure<'_>) -> Result<Tensor, BoxError> {
        let (outcome, leaves) = watch_leaves(closure);
        let (own, foreign): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| flat.owns(leaf));
        self.reached_own = !own.is_empty();
        self.foreign = foreign.iter().map(|leaf| leaf.sizes().to_vec()).collect();
        outcome
    }

    /// Finds out whether gradients were cleared. A cleared gradient is another tensor afterwards, or the same one
    /// after two changes: it was zeroed and added to. One change alone is an addition to the old value.
    fn second(&mut self, flat: &Flat, closure: &mut Closure<'_>) -> Result<Tensor, BoxError> {
        let before = flat.some_gradient();
        let outcome = closure();
        self.accumulates = outcome.is_ok()
            && before.is_some_and(|(grad, version)| {
                flat.some_gradient().is_some_and(|(now, after)| now.same(&grad) && after == version + 1)
            });
        outcome
    }

    /// Time spent in the closure, estimated where there were many calls.
    pub(super) fn time(&self) -> Duration {
        self.time
    }
}
