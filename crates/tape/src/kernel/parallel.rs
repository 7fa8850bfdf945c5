//! Splitting an output between threads, and when that is allowed.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;

thread_local! {
    static LOCKS: Cell<u32> = const { Cell::new(0) };
}

/// Held as long as this thread holds the lock of a tensor's memory, or is in a mode that other jobs must not
/// find it in (see [`allowed`]).
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
/// A thread of a user's pool runs other jobs while it waits for its pieces. If it holds a lock meanwhile, such a
/// job may want that very lock and wait forever; if it does not record operations, neither would the job. So a
/// kernel that runs inside of a user's parallel loop and is [`Locked`] stays on its thread.
#[inline]
pub(crate) fn allowed() -> bool {
    rayon::current_num_threads() > 1 && (LOCKS.get() == 0 || rayon::current_thread_index().is_none())
}

/// Runs both, on two threads if the pool has one to spare.
///
/// The machinery of threads is compiled once and reached through pointers: compiled anew for every kernel
/// it would be a sixth of the library.
#[inline]
pub(crate) fn join<A: Send, B: Send>(left: impl FnOnce() -> A + Send, right: impl FnOnce() -> B + Send) -> (A, B) {
    let (mut left, mut right) = (Some(left), Some(right));
    let (mut a, mut b) = (None, None);
    join_dyn(&mut || a = left.take().map(|left| left()), &mut || b = right.take().map(|right| right()));
    match (a, b) {
        (Some(a), Some(b)) => (a, b),
        _ => unreachable!("both sides were run"),
    }
}

fn join_dyn(left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
    on_own_threads(|| rayon::join(left, right));
}

/// Runs `body`, which hands pieces to others, on threads that run pieces of kernels and nothing else.
///
/// In the pool that users share, a thread that waits for a piece may take up a job of the user, and that job may
/// want a lock which the caller of the kernel holds: each would wait for the other.
pub(crate) fn on_own_threads<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    static OWN: OnceLock<Option<ThreadPool>> = OnceLock::new();
    if rayon::current_thread_index().is_some() {
        return body();
    }
    let build = || ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build().ok();
    match OWN.get_or_init(build) {
        Some(threads) => threads.install(body),
        None => body(),
    }
}

/// Runs `work` on pieces of `chunk` elements of `out`, with the position of their first element, on
/// several threads.
pub(crate) fn for_chunks<U: Send>(out: &mut [U], chunk: usize, work: &(dyn Fn(usize, &mut [U]) + Sync)) {
    if allowed() {
        halve(out, chunk, 0, work);
    } else {
        out.chunks_mut(chunk).enumerate().for_each(|(number, out)| work(number * chunk, out));
    }
}

fn halve<U: Send>(out: &mut [U], chunk: usize, first: usize, work: &(dyn Fn(usize, &mut [U]) + Sync)) {
    if out.len() <= chunk {
        if !out.is_empty() {
            work(first, out);
        }
        return;
    }
    let left = out.len().div_ceil(chunk).div_ceil(2) * chunk;
    let (a, b) = out.split_at_mut(left);
    join(|| halve(a, chunk, first, work), || halve(b, chunk, first + left, work));
}

/// What is done with a piece of each of two outputs, and the position of its first elements.
type Work2<'a, U, V> = &'a (dyn Fn(usize, &mut [U], &mut [V]) + Sync);

/// [`for_chunks`] of two outputs of one length.
pub(crate) fn for_chunks2<U: Send, V: Send>(outs: (&mut [U], &mut [V]), chunk: usize, work: Work2<'_, U, V>) {
    fn halve<U: Send, V: Send>((u, v): (&mut [U], &mut [V]), chunk: usize, first: usize, work: Work2<'_, U, V>) {
        if u.len() <= chunk {
            return work(first, u, v);
        }
        let left = u.len().div_ceil(chunk).div_ceil(2) * chunk;
        let ((a, b), (c, d)) = (u.split_at_mut(left), v.split_at_mut(left));
        join(|| halve((a, c), chunk, first, work), || halve((b, d), chunk, first + left, work));
    }
    if allowed() {
        halve(outs, chunk, 0, work);
    } else {
        let pieces = outs.0.chunks_mut(chunk).zip(outs.1.chunks_mut(chunk)).enumerate();
        pieces.for_each(|(number, (u, v))| work(number * chunk, u, v));
    }
}
