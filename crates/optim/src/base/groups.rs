//! The list of groups, shared between an optimizer and the schedulers that set its options.

use super::lock;
use crate::{Error, ParamGroup, Result};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use tape::Tensor;

/// The groups of one optimizer.
///
/// Schedulers hold this and not the optimizer: it outlives the optimizer and knows neither hooks nor state.
#[derive(Debug, Default)]
pub struct Groups {
    list: Mutex<Arc<Vec<ParamGroup>>>,
    tracking: AtomicU8,
}

/// Values of `Groups::tracking`, in the order in which they are reached.
const UNTRACKED: u8 = 0;
const TRACKED: u8 = 1;
const STEP_CALLED: u8 = 2;

impl Groups {
    pub(super) fn over(list: Vec<ParamGroup>) -> Self {
        Self { list: Mutex::new(Arc::new(list)), tracking: AtomicU8::new(UNTRACKED) }
    }

    /// The groups as they are now. Each is a handle, so options set through it are those of the optimizer.
    pub fn all(&self) -> Arc<Vec<ParamGroup>> {
        Arc::clone(&lock(&self.list))
    }

    /// From now on [`step_called`](Self::step_called) tells whether the optimizer has stepped.
    ///
    /// torch's schedulers replace `optimizer.step` for this; a step made before the first scheduler was built
    /// does not count.
    pub fn track_steps(&self) {
        let _ = self.tracking.compare_exchange(UNTRACKED, TRACKED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the optimizer has stepped since [`track_steps`](Self::track_steps) was first called.
    pub fn step_called(&self) -> bool {
        self.tracking.load(Ordering::Relaxed) == STEP_CALLED
    }

    pub(super) fn note_step(&self) {
        let _ = self.tracking.compare_exchange(TRACKED, STEP_CALLED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Adds a group, if that is all named or all unnamed like the others and has no parameter of theirs.
    pub(super) fn join(&self, group: ParamGroup) -> Result<()> {
        let mut groups = lock(&self.list);
        let named = group.has_names();
        if groups.first().is_some_and(|first| first.has_names() != named) {
            return Err(Error::MixedNames { added: if named { "with names" } else { "without names" } });
        }
        let taken: HashSet<usize> = groups.iter().flat_map(ParamGroup::params).map(Tensor::id).collect();
        if group.params().iter().any(|p| taken.contains(&p.id())) {
            return Err(Error::ParameterInTwoGroups);
        }
        let mut all = groups.to_vec();
        all.push(group);
        *groups = Arc::new(all);
        Ok(())
    }
}
