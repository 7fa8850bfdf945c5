//! Level-1 BLAS on slices: what an optimizer does with flat parameter vectors.
//!
//! Every function vectorises for the CPU it runs on and uses the current rayon pool for long vectors. A
//! reduction cuts its input into leaves of fixed size and adds them up in a balanced tree that depends on the
//! length alone, so the result has the same bits whatever the number of threads.
//!
//! ```
//! use tape::vector;
//! let (x, mut y) = ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]);
//! vector::axpy(2.0, &x, &mut y);
//! assert_eq!(y, [12.0, 24.0, 36.0]);
//! assert_eq!(vector::dot(&x, &y), 168.0);
//! ```

pub mod mixed;
mod norm;
mod update;

pub use update::{ElementUpdate, update};

use crate::Float;
use crate::kernel::simd::{Kernel, dispatch};

pub use norm::norm;
pub(crate) use norm::norm_one_by_one;

/// Elements of one leaf of a reduction tree: long enough to hide the fold of the lanes at its end, short
/// enough that a lane of `f32` adds up only 128 terms before the tree takes over (error of order log n).
const LEAF: usize = 8192;
/// Shortest vector that is worth waking another thread for: below it the wake-up costs more than the loop.
const PARALLEL: usize = 1 << 18;
/// Shortest piece that is split between threads.
const GRAIN: usize = 1 << 15;
/// Elements that [`axpy_dot`] updates before it reads them again: they are still in the first-level cache.
const STRIP: usize = 1024;
/// Lanes of the main blocks: enough additions in flight to hide their latency at every register width.
const WIDE: usize = 64;
/// Lanes of the blocks that take what the wide blocks leave over.
const NARROW: usize = 8;

/// Dot product `sum_i x[i] * y[i]` of two vectors of the same length.
///
/// Up to three elements the products are rounded separately and added from left to right, the order of the
/// BLAS behind torch; longer vectors use fused multiply-adds.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// assert_eq!(tape::vector::dot(&[1.0f32, 2.0, 3.0], &[4.0, 5.0, 6.0]), 32.0);
/// ```
#[inline]
#[track_caller]
pub fn dot<T: Float>(x: &[T], y: &[T]) -> T {
    same_length("dot", x.len(), y.len());
    match (x, y) {
        ([], _) => T::ZERO,
        ([x0], [y0]) => *x0 * *y0,
        ([x0, x1], [y0, y1]) => *x0 * *y0 + *x1 * *y1,
        ([x0, x1, x2], [y0, y1, y2]) => *x0 * *y0 + *x1 * *y1 + *x2 * *y2,
        _ => run(Reduce { x, y, fold: Product }),
    }
}

/// `y[i] = fma(alpha, x[i], y[i])` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [1.0, 1.0];
/// tape::vector::axpy(-0.5, &[2.0, 4.0], &mut y);
/// assert_eq!(y, [0.0, -1.0]);
/// ```
#[inline]
#[track_caller]
pub fn axpy<T: Float>(alpha: T, x: &[T], y: &mut [T]) {
    same_length("axpy", x.len(), y.len());
    run(Map { x, y: x, out: y, f: move |x, _, y| alpha.mul_add(x, y) });
}

/// [`axpy`] and then [`dot`] of `z` with the new `y`, in one pass over memory and with the same bits.
///
/// One history pair of the L-BFGS two-loop recursion costs one call.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [1.0, 1.0];
/// assert_eq!(tape::vector::axpy_dot(2.0, &[1.0, 2.0], &mut y, &[10.0, 1.0]), 35.0);
/// assert_eq!(y, [3.0, 5.0]);
/// ```
#[inline]
#[track_caller]
pub fn axpy_dot<T: Float>(alpha: T, x: &[T], y: &mut [T], z: &[T]) -> T {
    same_length("axpy_dot", x.len(), y.len());
    same_length("axpy_dot", y.len(), z.len());
    run(AxpyDot { alpha, x, y, z })
}

/// `y[i] = alpha * y[i]` for every element.
///
/// ```
/// let mut y = [1.0, -2.0];
/// tape::vector::scale(3.0, &mut y);
/// assert_eq!(y, [3.0, -6.0]);
/// ```
#[inline]
pub fn scale<T: Float>(alpha: T, y: &mut [T]) {
    run(Update { y, f: move |y| alpha * y });
}

/// `out[i] = alpha * x[i]` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut out = [0.0; 2];
/// tape::vector::scaled(-1.5, &[2.0, 4.0], &mut out);
/// assert_eq!(out, [-3.0, -6.0]);
/// ```
#[inline]
#[track_caller]
pub fn scaled<T: Float>(alpha: T, x: &[T], out: &mut [T]) {
    same_length("scaled", x.len(), out.len());
    run(Map { x, y: x, out, f: move |x, _, _| alpha * x });
}

/// `out[i] = a[i] - b[i]` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut out = [0.0; 2];
/// tape::vector::sub(&[5.0, 7.0], &[1.0, 10.0], &mut out);
/// assert_eq!(out, [4.0, -3.0]);
/// ```
#[inline]
#[track_caller]
pub fn sub<T: Float>(a: &[T], b: &[T], out: &mut [T]) {
    same_length("sub", a.len(), b.len());
    same_length("sub", a.len(), out.len());
    run(Map { x: a, y: b, out, f: |a: T, b: T, _| a - b });
}

/// `out[i] = -a[i]` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut out = [0.0; 2];
/// tape::vector::neg(&[5.0, -7.0], &mut out);
/// assert_eq!(out, [-5.0, 7.0]);
/// ```
#[inline]
#[track_caller]
pub fn neg<T: Float>(a: &[T], out: &mut [T]) {
    same_length("neg", a.len(), out.len());
    run(Map { x: a, y: a, out, f: |a: T, _, _| -a });
}

/// Largest absolute value, `max_i |x[i]|`; NaN if any element is NaN, 0 for an empty vector.
///
/// ```
/// assert_eq!(tape::vector::max_abs(&[1.0, -4.0, 2.0]), 4.0);
/// assert!(tape::vector::max_abs(&[1.0, f64::NAN, 2.0]).is_nan());
/// ```
#[inline]
pub fn max_abs<T: Float>(x: &[T]) -> T {
    run(Reduce { x, y: x, fold: MaxAbs })
}

/// Sum of the absolute values, `sum_i |x[i]|`.
///
/// ```
/// assert_eq!(tape::vector::sum_abs(&[1.0, -4.0, 2.0]), 7.0);
/// ```
#[inline]
pub fn sum_abs<T: Float>(x: &[T]) -> T {
    run(Reduce { x, y: x, fold: SumAbs })
}

/// Whether no element is infinite or NaN.
///
/// ```
/// assert!(tape::vector::all_finite(&[1.0, -4.0]));
/// assert!(!tape::vector::all_finite(&[1.0, f64::INFINITY]));
/// ```
#[inline]
pub fn all_finite<T: Float>(x: &[T]) -> bool {
    !run(Reduce { x, y: x, fold: NonFinite }).is_nan()
}

/// [`dot`] of short vectors from within a kernel that is compiled for an instruction set already.
#[inline(always)]
pub(crate) fn dot_in_kernel<T: Float>(x: &[T], y: &[T]) -> T {
    Reduce { x, y, fold: Product }.run()
}

#[inline]
#[track_caller]
fn same_length(op: &str, a: usize, b: usize) {
    if a != b {
        lengths_differ(op, a, b);
    }
}

#[cold]
#[track_caller]
fn lengths_differ(op: &str, a: usize, b: usize) -> ! {
    panic!("{op}: slices of different lengths, {a} and {b}; pass vectors of the same length")
}

/// A loop over slices of one length that can be cut in two.
trait Pieces: Kernel<Output: Send> + Send + Sized {
    fn len(&self) -> usize;
    fn split_at(self, mid: usize) -> (Self, Self);
    fn join(left: Self::Output, right: Self::Output) -> Self::Output;
}

/// Runs a loop leaf by leaf, on several threads if it is long. The tree of the leaves halves the number of
/// leaves at every level, so it depends on the length alone.
#[inline]
fn run<P: Pieces>(pieces: P) -> P::Output {
    let len = pieces.len();
    if len <= LEAF { dispatch(pieces) } else { tree(pieces, len >= PARALLEL && crate::kernel::parallel::allowed()) }
}

fn tree<P: Pieces>(pieces: P, parallel: bool) -> P::Output {
    let len = pieces.len();
    if len <= LEAF {
        return dispatch(pieces);
    }
    let (left, right) = pieces.split_at(len.div_ceil(LEAF).div_ceil(2) * LEAF);
    let (left, right) = if parallel && len > GRAIN {
        crate::kernel::parallel::join(|| tree(left, true), || tree(right, true))
    } else {
        (tree(left, false), tree(right, false))
    };
    P::join(left, right)
}

/// `out[i] = f(x[i], y[i], out[i])`; loads whose value `f` ignores are optimised away.
struct Map<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: Fn(T, T, T) -> T> Kernel for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((out, &x), &y) in self.out.iter_mut().zip(self.x).zip(self.y) {
            *out = (self.f)(x, y, *out);
        }
    }
}

impl<T: Float, F: Fn(T, T, T) -> T + Copy + Send> Pieces for Map<'_, T, F> {
    fn len(&self) -> usize {
        self.out.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at(mid);
        let (out, out_right) = self.out.split_at_mut(mid);
        (Map { x, y, out, f: self.f }, Map { x: x_right, y: y_right, out: out_right, f: self.f })
    }

    fn join(_: (), _: ()) {}
}

/// `y[i] = f(y[i])`.
struct Update<'a, T, F> {
    y: &'a mut [T],
    f: F,
}

impl<T: Float, F: Fn(T) -> T> Kernel for Update<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for y in self.y {
            *y = (self.f)(*y);
        }
    }
}

impl<T: Float, F: Fn(T) -> T + Copy + Send> Pieces for Update<'_, T, F> {
    fn len(&self) -> usize {
        self.y.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (left, right) = self.y.split_at_mut(mid);
        (Update { y: left, f: self.f }, Update { y: right, f: self.f })
    }

    fn join(_: (), _: ()) {}
}

/// What a reduction does with one more pair of elements, and with two partial results. All start from zero.
trait Fold<T>: Copy + Send {
    fn step(acc: T, x: T, y: T) -> T;
    fn join(a: T, b: T) -> T;
}

#[derive(Clone, Copy)]
struct Product;

impl<T: Float> Fold<T> for Product {
    #[inline(always)]
    fn step(acc: T, x: T, y: T) -> T {
        x.mul_add(y, acc)
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

#[derive(Clone, Copy)]
struct SumAbs;

impl<T: Float> Fold<T> for SumAbs {
    #[inline(always)]
    fn step(acc: T, x: T, _: T) -> T {
        acc + x.abs()
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

#[derive(Clone, Copy)]
struct MaxAbs;

impl<T: Float> Fold<T> for MaxAbs {
    #[inline(always)]
    fn step(acc: T, x: T, _: T) -> T {
        Self::join(acc, x.abs())
    }

    // The first choice is one instruction, whose answer is `b` if either is NaN; the second
    // keeps a NaN of `a`.
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        let choice = if a > b { a } else { b };
        if a.is_nan() { a } else { choice }
    }
}

/// Zero times an element is NaN where the element is infinite or NaN, and stays so in a sum.
#[derive(Clone, Copy)]
struct NonFinite;

impl<T: Float> Fold<T> for NonFinite {
    #[inline(always)]
    fn step(acc: T, x: T, _: T) -> T {
        acc + x * T::ZERO
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

/// Slices that fold their elements, block by block, into as many accumulators as a block has lanes.
trait Lanes<T> {
    /// Folds all whole blocks of `N` elements at the front, and drops them.
    fn fold<const N: usize>(&mut self, acc: &mut [T; N]);
}

/// Folds `len` elements: wide blocks first, then narrow ones, then single elements. The order depends on
/// `len` and on the size of `T` alone, never on the CPU.
#[inline(always)]
fn fold_lanes<T: Float, F: Fold<T>>(len: usize, mut source: impl Lanes<T>) -> T {
    let mut total = T::ZERO;
    if len >= WIDE {
        total = wide::<T, F>(&mut source);
    }
    let mut narrow = [T::ZERO; NARROW];
    source.fold(&mut narrow);
    let mut single = [T::ZERO; 1];
    source.fold(&mut single);
    F::join(total, F::join(fold_narrow::<T, F>(narrow), single[0]))
}

/// Folds the whole blocks of `N` lanes: four registers of 512 bits, enough to hide the latency of an
/// addition.
#[inline(always)]
fn wide<T: Float, F: Fold<T>>(source: &mut impl Lanes<T>) -> T {
    let mut acc = [T::ZERO; WIDE];
    source.fold(&mut acc);
    let (mut half, mut quarter, mut narrow) = ([T::ZERO; 32], [T::ZERO; 16], [T::ZERO; NARROW]);
    for i in 0..32 {
        half[i] = F::join(acc[i], acc[i + 32]);
    }
    for i in 0..16 {
        quarter[i] = F::join(half[i], half[i + 16]);
    }
    for i in 0..NARROW {
        narrow[i] = F::join(quarter[i], quarter[i + NARROW]);
    }
    fold_narrow::<T, F>(narrow)
}

#[inline(always)]
fn fold_narrow<T: Float, F: Fold<T>>([a, b, c, d, e, f, g, h]: [T; NARROW]) -> T {
    let quads = [F::join(a, e), F::join(b, f), F::join(c, g), F::join(d, h)];
    F::join(F::join(quads[0], quads[2]), F::join(quads[1], quads[3]))
}

/// Folds blocks of `N` pairs. The accumulators are a local value that is replaced as a whole: changed in
/// place through the reference they would be stored and loaded for every block.
#[inline(always)]
fn fold_blocks<T: Float, F: Fold<T>, const N: usize>(x: &[T], y: &[T], acc: &mut [T; N]) {
    let mut local = *acc;
    for (x, y) in x.as_chunks::<N>().0.iter().zip(y.as_chunks::<N>().0) {
        let mut next = [T::ZERO; N];
        for i in 0..N {
            next[i] = F::step(local[i], x[i], y[i]);
        }
        local = next;
    }
    *acc = local;
}

/// A reduction over pairs of elements.
struct Reduce<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    fold: F,
}

impl<T: Float, F: Fold<T>> Lanes<T> for Reduce<'_, T, F> {
    #[inline(always)]
    fn fold<const N: usize>(&mut self, acc: &mut [T; N]) {
        let whole = self.x.len() / N * N;
        let (x, x_rest) = self.x.split_at(whole);
        let (y, y_rest) = self.y.split_at(whole);
        fold_blocks::<T, F, N>(x, y, acc);
        (self.x, self.y) = (x_rest, y_rest);
    }
}

impl<T: Float, F: Fold<T>> Kernel for Reduce<'_, T, F> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        fold_lanes::<T, F>(self.x.len(), self)
    }
}

impl<T: Float, F: Fold<T>> Pieces for Reduce<'_, T, F> {
    fn len(&self) -> usize {
        self.x.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at(mid);
        (Reduce { x, y, fold: self.fold }, Reduce { x: x_right, y: y_right, fold: self.fold })
    }

    fn join(left: T, right: T) -> T {
        F::join(left, right)
    }
}

/// `y = fma(alpha, x, y)` and the dot product of `z` with the new `y`.
struct AxpyDot<'a, T> {
    alpha: T,
    x: &'a [T],
    y: &'a mut [T],
    z: &'a [T],
}

impl<T: Float> Lanes<T> for AxpyDot<'_, T> {
    #[inline(always)]
    fn fold<const N: usize>(&mut self, acc: &mut [T; N]) {
        let whole = self.y.len() / N * N;
        let (x, x_rest) = self.x.split_at(whole);
        let (y, y_rest) = std::mem::take(&mut self.y).split_at_mut(whole);
        let (z, z_rest) = self.z.split_at(whole);
        for ((x, y), z) in x.chunks(STRIP).zip(y.chunks_mut(STRIP)).zip(z.chunks(STRIP)) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = self.alpha.mul_add(x, *y);
            }
            fold_blocks::<T, Product, N>(z, y, acc);
        }
        (self.x, self.y, self.z) = (x_rest, y_rest, z_rest);
    }
}

impl<T: Float> Kernel for AxpyDot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let update = |x: T, y: T| self.alpha.mul_add(x, y);
        // Short vectors stay in registers: reading back what was just stored piecewise stalls the pipeline.
        match (self.x, &mut *self.y, self.z) {
            ([], ..) => T::ZERO,
            ([x0], [y0], [z0]) => {
                *y0 = update(*x0, *y0);
                *z0 * *y0
            }
            ([x0, x1], [y0, y1], [z0, z1]) => {
                let (a, b) = (update(*x0, *y0), update(*x1, *y1));
                (*y0, *y1) = (a, b);
                *z0 * a + *z1 * b
            }
            ([x0, x1, x2], [y0, y1, y2], [z0, z1, z2]) => {
                let (a, b, c) = (update(*x0, *y0), update(*x1, *y1), update(*x2, *y2));
                (*y0, *y1, *y2) = (a, b, c);
                *z0 * a + *z1 * b + *z2 * c
            }
            _ => fold_lanes::<T, Product>(self.y.len(), self),
        }
    }
}

impl<T: Float> Pieces for AxpyDot<'_, T> {
    fn len(&self) -> usize {
        self.y.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at_mut(mid);
        let (z, z_right) = self.z.split_at(mid);
        let alpha = self.alpha;
        (AxpyDot { alpha, x, y, z }, AxpyDot { alpha, x: x_right, y: y_right, z: z_right })
    }

    fn join(left: T, right: T) -> T {
        left + right
    }
}

#[cfg(test)]
mod tests;
