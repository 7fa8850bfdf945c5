//! Lists of hooks, and the handles that remove them again.

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Hooks of one kind, in the order in which they run; `H` is their type, such as `dyn Fn(f64) + Send + Sync`.
///
/// ```
/// use std::sync::Arc;
/// use tape::HookList;
/// let hooks: Arc<HookList<dyn Fn(f64) -> f64 + Send + Sync>> = Arc::default();
/// let double = hooks.push(Arc::new(|x| 2.0 * x));
/// hooks.prepend(Arc::new(|x| x + 1.0));
/// let run = || hooks.snapshot().iter().fold(3.0, |x, hook| hook(x));
/// assert_eq!(run(), 8.0);
/// double.remove();
/// assert_eq!(run(), 4.0);
/// ```
pub struct HookList<H: ?Sized> {
    hooks: Mutex<Vec<(u64, Arc<H>)>>,
}

impl<H: ?Sized> Default for HookList<H> {
    fn default() -> Self {
        Self { hooks: Mutex::new(Vec::new()) }
    }
}

impl<H: ?Sized> HookList<H> {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Arc<H>)>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is no hook.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The hooks as they are now. They are run from such a copy, so that no lock is held meanwhile and a hook
    /// may add and remove hooks; what it changes counts from the next run on.
    pub fn snapshot(&self) -> Vec<Arc<H>> {
        self.lock().iter().map(|(_, hook)| Arc::clone(hook)).collect()
    }
}

impl<H: ?Sized + Send + Sync + 'static> HookList<H> {
    /// Adds a hook behind all others.
    pub fn push(self: &Arc<Self>, hook: Arc<H>) -> RemovableHandle {
        let handle = self.handle();
        self.lock().push((handle.id, hook));
        handle
    }

    /// Adds a hook before all others.
    pub fn prepend(self: &Arc<Self>, hook: Arc<H>) -> RemovableHandle {
        let handle = self.handle();
        self.lock().insert(0, (handle.id, hook));
        handle
    }

    fn handle(self: &Arc<Self>) -> RemovableHandle {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let list: Arc<dyn Remove> = Arc::clone(self) as Arc<dyn Remove>;
        RemovableHandle { list: Arc::downgrade(&list), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

impl<H: ?Sized> Debug for HookList<H> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.lock().len())
    }
}

/// A list of whatever hooks, seen from a handle.
trait Remove: Send + Sync {
    fn remove(&self, id: u64);
}

impl<H: ?Sized + Send + Sync> Remove for HookList<H> {
    fn remove(&self, id: u64) {
        let removed = {
            let mut hooks = self.lock();
            let at = hooks.iter().position(|(other, _)| *other == id);
            at.map(|at| hooks.remove(at))
        };
        // Outside of the lock: what a hook owns may use this very list when it is dropped.
        drop(removed);
    }
}

/// Removes a hook again. Dropping the handle leaves the hook where it is.
///
/// ```
/// use tape::Tensor;
/// let x = Tensor::from([1.0]).requires_grad_(true);
/// let handle = x.register_hook(|gradient| Some(gradient * 10.0));
/// {
///     let _until_here = handle.clone().scoped();
///     x.sum().backward()?;
/// }
/// x.sum().backward()?;
/// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [11.0]);
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone)]
pub struct RemovableHandle {
    /// Weak: a handle does not keep alive what the hook was registered on.
    list: Weak<dyn Remove>,
    id: u64,
}

impl RemovableHandle {
    /// Removes the hook. Removing it twice, or after what it was registered on is gone, does nothing.
    pub fn remove(&self) {
        if let Some(list) = self.list.upgrade() {
            list.remove(self.id);
        }
    }

    /// A number that no other hook of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A guard that removes the hook when it is dropped: torch's `with handle:`.
    #[must_use = "the hook is removed when the guard is dropped"]
    pub fn scoped(self) -> ScopedHandle {
        ScopedHandle(self)
    }
}

impl Debug for RemovableHandle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemovableHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Removes its hook when it is dropped, see [`RemovableHandle::scoped`].
#[derive(Debug)]
pub struct ScopedHandle(RemovableHandle);

impl Deref for ScopedHandle {
    type Target = RemovableHandle;

    fn deref(&self) -> &RemovableHandle {
        &self.0
    }
}

impl Drop for ScopedHandle {
    fn drop(&mut self) {
        self.0.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_removed_hook_may_own_the_handle_of_another_one() {
        let (done, outcome) = mpsc::channel();
        std::thread::spawn(move || {
            let hooks: Arc<HookList<dyn Fn() + Send + Sync>> = Arc::default();
            let inner = hooks.push(Arc::new(|| ())).scoped();
            let outer = hooks.push(Arc::new(move || assert!(inner.id() < u64::MAX)));
            outer.remove();
            done.send(hooks.is_empty())
        });
        assert_eq!(outcome.recv_timeout(Duration::from_secs(60)), Ok(true), "a dead-lock");
    }
}
