//! Splitting an output between threads.

use rayon::prelude::*;

/// Runs `work` on pieces of `chunk` elements of `out`, with the position of their first element, on
/// several threads. The work is behind a pointer: the machinery of threads is compiled once per element
/// type, not once per kernel.
pub(crate) fn for_chunks<U: Send>(out: &mut [U], chunk: usize, work: &(dyn Fn(usize, &mut [U]) + Sync)) {
    out.par_chunks_mut(chunk).enumerate().for_each(|(number, out)| work(number * chunk, out));
}
