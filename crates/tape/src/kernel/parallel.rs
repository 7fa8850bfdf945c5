//! Splitting an output between threads, and when that is allowed.

use rayon::prelude::*;
use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static LOCKS: Cell<u32> = const { Cell::new(0) };
}

/// Held as long as this thread holds the lock of a tensor's memory, see [`allowed`].
pub(crate) struct Locked(PhantomData<*const ()>);

impl Locked {
    #[inline]
    pub fn new() -> Locked {
        LOCKS.set(LOCKS.get() + 1);
        Locked(PhantomData)
    }
}

impl Drop for Locked {
    #[inline]
    fn drop(&mut self) {
        LOCKS.set(LOCKS.get() - 1);
    }
}

/// Whether a kernel on this thread may hand pieces to others.
///
/// A thread of the pool runs other jobs while it waits for its pieces. If it holds a lock meanwhile, such a
/// job may want that very lock and wait forever; so a kernel that runs inside of a user's parallel loop, on
/// memory that is locked, stays on its thread.
#[inline]
pub(crate) fn allowed() -> bool {
    rayon::current_num_threads() > 1 && (LOCKS.get() == 0 || rayon::current_thread_index().is_none())
}

/// Runs `work` on pieces of `chunk` elements of `out`, with the position of their first element, on
/// several threads. The work is behind a pointer: the machinery of threads is compiled once per element
/// type, not once per kernel.
pub(crate) fn for_chunks<U: Send>(out: &mut [U], chunk: usize, work: &(dyn Fn(usize, &mut [U]) + Sync)) {
    if allowed() {
        out.par_chunks_mut(chunk).enumerate().for_each(|(number, out)| work(number * chunk, out));
    } else {
        out.chunks_mut(chunk).enumerate().for_each(|(number, out)| work(number * chunk, out));
    }
}
