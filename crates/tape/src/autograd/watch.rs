//! Which leaves backward passes reach.

use crate::Tensor;
use std::cell::{Cell, RefCell};

thread_local! {
    /// Whether anybody wants to know: all that a pass looks at otherwise.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static REACHED: RefCell<Vec<Tensor>> = const { RefCell::new(Vec::new()) };
}

/// Called for every leaf whose gradient is added to.
#[inline]
pub(crate) fn note(leaf: &Tensor) {
    if WATCHED.get() {
        REACHED.with_borrow_mut(|reached| reached.push(leaf.clone()));
    }
}

/// Runs `f` and lists the leaves to whose gradients backward passes of this thread added meanwhile, each
/// once, in the order in which they were reached first.
///
/// This is how an optimizer finds out that gradients went to tensors it does not own. Calls may be nested;
/// the outer one then sees the leaves of the inner one too.
///
/// ```
/// use tape::{Tensor, watch_leaves};
/// let (w, b) = (Tensor::from([2.0]).requires_grad_(true), Tensor::from([1.0]).requires_grad_(true));
/// let (outcome, reached) = watch_leaves(|| (&w * 3.0 + &b).sum().backward());
/// outcome?;
/// assert_eq!(reached.len(), 2);
/// assert!(reached.iter().any(|leaf| leaf.same(&w)));
/// # Ok::<(), tape::Error>(())
/// ```
pub fn watch_leaves<R>(f: impl FnOnce() -> R) -> (R, Vec<Tensor>) {
    let watch = Watch::start();
    let outcome = f();
    let mut reached = watch.finish();
    let mut seen = std::collections::HashSet::new();
    reached.retain(|leaf| seen.insert(leaf.id()));
    (outcome, reached)
}

/// Restores what was watched before, also when `f` panics.
struct Watch {
    outer: Option<Vec<Tensor>>,
}

impl Watch {
    fn start() -> Self {
        Self { outer: WATCHED.replace(true).then(|| REACHED.take()) }
    }

    fn finish(self) -> Vec<Tensor> {
        REACHED.with_borrow(Clone::clone)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let reached = REACHED.take();
        WATCHED.set(self.outer.is_some());
        if let Some(mut outer) = self.outer.take() {
            outer.extend(reached);
            REACHED.set(outer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(x: f64) -> Tensor {
        Tensor::from([x]).requires_grad_(true)
    }

    fn ids(tensors: &[Tensor]) -> Vec<usize> {
        tensors.iter().map(Tensor::id).collect()
    }

    #[test]
    fn every_leaf_is_listed_once_and_constants_are_not() {
        let (a, b, constant) = (leaf(1.0), leaf(2.0), Tensor::from([3.0]));
        let (_, reached) = watch_leaves(|| {
            (&a * &constant).sum().backward().expect("a graph");
            (&b * &a).sum().backward().expect("a graph");
        });
        let mut found = ids(&reached);
        found.sort_unstable();
        let mut expected = ids(&[a, b]);
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn nested_watches_tell_both() {
        let (a, b, c) = (leaf(1.0), leaf(2.0), leaf(3.0));
        let ((), outer) = watch_leaves(|| {
            a.sum().backward().expect("a graph");
            let (_, inner) = watch_leaves(|| b.sum().backward());
            assert_eq!(ids(&inner), ids(std::slice::from_ref(&b)));
            c.sum().backward().expect("a graph");
        });
        assert_eq!(ids(&outer), ids(&[a, b, c]));
    }

    #[test]
    fn a_panic_ends_the_watch() {
        let a = leaf(1.0);
        let outcome = std::panic::catch_unwind(|| watch_leaves(|| panic!("stop")));
        assert!(outcome.is_err());
        a.sum().backward().expect("a graph");
        assert!(!WATCHED.get() && REACHED.with_borrow(Vec::is_empty));
        // `tape::grad` hands its result out and adds to no leaf.
        let (_, reached) = watch_leaves(|| crate::grad(&(&a * 2.0).sum(), [&a]).compute().expect("a graph"));
        assert!(reached.is_empty());
    }
}
