//! Whether operations are recorded, per thread.

use crate::kernel::parallel::Locked;
use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread are recorded at present.
///
/// ```
/// use tape::{is_grad_enabled, no_grad};
/// assert!(is_grad_enabled() && !no_grad(is_grad_enabled));
/// ```
#[inline]
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Restores the mode that was found at its creation, also when the stack unwinds.
struct Restore {
    previous: bool,
    /// No job of another may run on this thread meanwhile: it would find this mode.
    _alone: Locked,
    /// The mode belongs to a thread, so the guard must stay on it.
    _thread: PhantomData<*const ()>,
}

impl Restore {
    fn set(enabled: bool) -> Restore {
        Restore { previous: ENABLED.replace(enabled), _alone: Locked::new(), _thread: PhantomData }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        ENABLED.set(self.previous);
    }
}

/// Runs `body` with recording on or off.
#[inline]
pub(crate) fn with_grad_mode<R>(enabled: bool, body: impl FnOnce() -> R) -> R {
    let _restore = Restore::set(enabled);
    body()
}

/// Runs `body` without recording: its results do not require gradients, even if its inputs do.
/// The previous mode returns afterwards, also after a panic.
///
/// ```
/// use tape::{Tensor, no_grad};
/// let x = Tensor::from([1.0]).requires_grad_(true);
/// let y = no_grad(|| &x * 2.0);
/// assert!(!y.requires_grad() && x.requires_grad());
/// ```
pub fn no_grad<R>(body: impl FnOnce() -> R) -> R {
    with_grad_mode(false, body)
}

/// Runs `body` with recording on, inside [`no_grad`] too.
///
/// ```
/// use tape::{Tensor, enable_grad, no_grad};
/// let x = Tensor::from([1.0]).requires_grad_(true);
/// assert!(no_grad(|| enable_grad(|| &x * 2.0)).requires_grad());
/// ```
pub fn enable_grad<R>(body: impl FnOnce() -> R) -> R {
    with_grad_mode(true, body)
}

/// Runs `body` with recording on or off, as the argument says: [`enable_grad`] or [`no_grad`].
///
/// ```
/// use tape::{Tensor, set_grad_enabled};
/// let x = Tensor::from([1.0]).requires_grad_(true);
/// for training in [true, false] {
///     assert_eq!(set_grad_enabled(training, || &x * 2.0).requires_grad(), training);
/// }
/// ```
pub fn set_grad_enabled<R>(enabled: bool, body: impl FnOnce() -> R) -> R {
    with_grad_mode(enabled, body)
}

/// [`no_grad`] for the rest of a scope.
///
/// ```
/// use tape::{NoGradGuard, Tensor};
/// let x = Tensor::from([1.0]).requires_grad_(true);
/// {
///     let _guard = NoGradGuard::new();
///     x.add_(1.0); // a change of the parameter, not part of any computation
/// }
/// assert_eq!(x.item(), 2.0);
/// ```
#[must_use = "recording is off only as long as the guard lives; bind it to a name"]
pub struct NoGradGuard(#[expect(dead_code, reason = "held for its Drop")] Restore);

impl NoGradGuard {
    /// Turns recording off until the guard is dropped.
    #[expect(clippy::new_without_default, reason = "a default guard would be a surprise")]
    pub fn new() -> NoGradGuard {
        NoGradGuard(Restore::set(false))
    }
}

/// [`enable_grad`] for the rest of a scope.
///
/// ```
/// use tape::{EnableGradGuard, NoGradGuard, is_grad_enabled};
/// let _off = NoGradGuard::new();
/// let _on = EnableGradGuard::new();
/// assert!(is_grad_enabled());
/// ```
#[must_use = "recording is on only as long as the guard lives; bind it to a name"]
pub struct EnableGradGuard(#[expect(dead_code, reason = "held for its Drop")] Restore);

impl EnableGradGuard {
    /// Turns recording on until the guard is dropped.
    #[expect(clippy::new_without_default, reason = "a default guard would be a surprise")]
    pub fn new() -> EnableGradGuard {
        EnableGradGuard(Restore::set(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::parallel::allowed;
    use crate::{Tensor, checkpoint};

    #[test]
    fn jobs_of_others_do_not_run_in_a_mode_that_is_not_theirs() {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        threads.install(|| {
            assert!(allowed());
            // Here a job would not be recorded, there it would be taken for a part of the region.
            assert!(no_grad(|| !allowed()));
            let x = Tensor::from(2.0).requires_grad_(true);
            checkpoint(|x| if allowed() { panic!("a region is not alone") } else { x[0].exp() }, &[&x]);
            assert!(allowed());
        });
    }
}
