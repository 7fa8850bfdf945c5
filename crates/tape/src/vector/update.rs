//! One step of an optimizer in one pass over memory.

use super::same_length;
use crate::Float;
use crate::kernel::parallel::{allowed, for_chunks};
use crate::kernel::simd::{Kernel, dispatch};

/// Shortest vector that is worth waking another thread for: an optimizer's element costs several times that of
/// a plain loop.
const PARALLEL: usize = 1 << 17;
/// Elements of a piece that one thread does at a time.
const PIECE: usize = 1 << 14;
/// Elements whose new values wait on the stack before they are stored. No slice is then written where another
/// is read, and the loop needs no test whether slices overlap.
const STRIP: usize = 128;

/// What an optimizer does to one element of a parameter that has `N` values of state per element.
///
/// Implementers mark `apply` `#[inline(always)]`, for it is compiled into a loop for every instruction set, and
/// keep it free of branches: `if a { x } else { y }` on two computed values becomes a select. Operations that
/// are to be fused are spelled `mul_add`; nothing else is.
pub trait ElementUpdate<T, const N: usize>: Copy + Send + Sync {
    /// The new element and its new state, from the element, its gradient and its state.
    fn apply(&self, param: T, gradient: T, state: [T; N]) -> (T, [T; N]);
}

/// Updates every element of a parameter and its state by `rule`, in one pass.
///
/// Vectorised for the CPU at run time, on several threads where the vector is long, and with the same bits
/// however it is run.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tape::vector::{ElementUpdate, update};
/// /// `m = 0.9 m + g; p -= m`
/// #[derive(Clone, Copy)]
/// struct HeavyBall;
/// impl ElementUpdate<f32, 1> for HeavyBall {
///     #[inline(always)]
///     fn apply(&self, p: f32, g: f32, [m]: [f32; 1]) -> (f32, [f32; 1]) {
///         let m = 0.9f32.mul_add(m, g);
///         (p - m, [m])
///     }
/// }
/// let (mut p, mut m) = ([1.0, 2.0], [0.0, 10.0]);
/// update(&mut p, &[0.5, -1.0], [&mut m], HeavyBall);
/// assert_eq!((p, m), ([0.5, -6.0], [0.5, 8.0]));
/// ```
#[track_caller]
pub fn update<T: Float, const N: usize>(
    param: &mut [T],
    gradient: &[T],
    mut state: [&mut [T]; N],
    rule: impl ElementUpdate<T, N>,
) {
    same_length("update", param.len(), gradient.len());
    for values in &state {
        same_length("update", param.len(), values.len());
    }
    in_pieces(param, gradient, &mut state, &|param, gradient, state| {
        if let Some(state) = state.first_chunk_mut::<N>() {
            dispatch(Pass { param, gradient, state, rule });
        }
    });
}

/// What is done to one piece of a parameter, its gradient and its state.
type Work<'a, T> = &'a (dyn Fn(&mut [T], &[T], &mut [&mut [T]]) + Sync);

/// A part of a parameter for one thread.
struct Piece<'a, T> {
    param: &'a mut [T],
    gradient: &'a [T],
    state: Vec<&'a mut [T]>,
}

/// Runs `work` on all of a short vector, or on the pieces of a long one. Compiled once for each element type.
fn in_pieces<T: Float>(param: &mut [T], gradient: &[T], state: &mut [&mut [T]], work: Work<'_, T>) {
    if param.len() < PARALLEL || !allowed() {
        return work(param, gradient, state);
    }
    let mut state: Vec<_> = state.iter_mut().map(|values| values.chunks_mut(PIECE)).collect();
    let mut pieces = Vec::with_capacity(param.len().div_ceil(PIECE));
    for (param, gradient) in param.chunks_mut(PIECE).zip(gradient.chunks(PIECE)) {
        pieces.push(Piece { param, gradient, state: state.iter_mut().filter_map(Iterator::next).collect() });
    }
    for_chunks(&mut pieces, 1, &|_, pieces| {
        for Piece { param, gradient, state } in pieces {
            work(param, gradient, state);
        }
    });
}

struct Pass<'a, 'b, T, R, const N: usize> {
    param: &'a mut [T],
    gradient: &'a [T],
    state: &'a mut [&'b mut [T]; N],
    rule: R,
}

impl<T: Float, R: ElementUpdate<T, N>, const N: usize> Kernel for Pass<'_, '_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pass { param, gradient, state, rule } = self;
        let (mut new_param, mut new_state) = ([T::ZERO; STRIP], [[T::ZERO; STRIP]; N]);
        // What is left over at the end, made a whole strip.
        let (mut last, mut last_state) = ([[T::ZERO; STRIP]; 2], [[T::ZERO; STRIP]; N]);
        for start in (0..param.len()).step_by(STRIP) {
            let len = STRIP.min(param.len() - start);
            let end = start + len;
            if len < STRIP {
                last[0][..len].copy_from_slice(&param[start..end]);
                last[1][..len].copy_from_slice(&gradient[start..end]);
                for k in 0..N {
                    last_state[k][..len].copy_from_slice(&state[k][start..end]);
                }
            }
            let p = strip(param, start).unwrap_or(&last[0]);
            let g = strip(gradient, start).unwrap_or(&last[1]);
            let mut s = [&last[0]; N];
            for k in 0..N {
                s[k] = strip(state[k], start).unwrap_or(&last_state[k]);
            }
            for i in 0..STRIP {
                let mut old = [T::ZERO; N];
                for k in 0..N {
                    old[k] = s[k][i];
                }
                let (value, new) = rule.apply(p[i], g[i], old);
                new_param[i] = value;
                for k in 0..N {
                    new_state[k][i] = new[k];
                }
            }
            param[start..end].copy_from_slice(&new_param[..len]);
            for k in 0..N {
                state[k][start..end].copy_from_slice(&new_state[k][..len]);
            }
        }
    }
}

/// The whole strip that begins at `start`.
#[inline(always)]
fn strip<T>(values: &[T], start: usize) -> Option<&[T; STRIP]> {
    values[start..].first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::at_every_level;

    /// Something with every kind of operation an optimizer has, and without symmetry between its arguments.
    #[derive(Clone, Copy)]
    struct Mixed;

    impl<T: Float> ElementUpdate<T, 3> for Mixed {
        #[inline(always)]
        fn apply(&self, p: T, g: T, [a, b, c]: [T; 3]) -> (T, [T; 3]) {
            let a = T::from_f64(0.1).mul_add(g - a, a);
            let b = (T::from_f64(0.3) * g).mul_add(g, b * T::from_f64(0.7));
            let c = if c > b { c } else { b };
            (p - a / (c.abs().sqrt() + T::from_f64(1e-3)), [a, b, c])
        }
    }

    fn noisy<T: Float>(len: usize, seed: usize) -> Vec<T> {
        (0..len).map(|i| T::from_f64(((i * 7919 + seed * 104_729) as f64 * 0.618_033_988_749).fract() - 0.4)).collect()
    }

    fn check<T: Float>(len: usize) {
        let [p, g, a, b, c] = [1, 2, 3, 4, 5].map(|seed| noisy::<T>(len, seed));
        let (mut all, mut state) = (p.clone(), [a.clone(), b.clone(), c.clone()]);
        let mut expected = [p.clone(), a.clone(), b.clone(), c.clone()];
        for i in 0..len {
            let (value, values) = Mixed.apply(p[i], g[i], [a[i], b[i], c[i]]);
            expected[0][i] = value;
            (0..3).for_each(|k| expected[k + 1][i] = values[k]);
        }
        let [x, y, z] = &mut state;
        update(&mut all, &g, [x, y, z], Mixed);
        let [x, y, z] = state;
        assert!([all, x, y, z] == expected, "{len} elements of {}", T::DTYPE);
    }

    #[test]
    fn a_pass_gives_the_bits_of_a_loop_over_elements_at_any_length() {
        for len in [0, 1, 2, 15, 16, 17, STRIP - 1, STRIP, STRIP + 1, 1000, PIECE + 5, PARALLEL + PIECE + 3] {
            check::<f32>(len);
            check::<f64>(len);
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let len = 3 * STRIP + 11;
        let starts: [Vec<f32>; 4] = [1, 2, 3, 4].map(|seed| noisy(len, seed));
        let gradient = noisy::<f32>(len, 5);
        let mut results = Vec::new();
        let mut memory: Vec<[Vec<f32>; 4]> = (0..3).map(|_| starts.clone()).collect();
        let mut slices: Vec<_> = memory.iter_mut().map(|all| all.each_mut().map(Vec::as_mut_slice)).collect();
        let mut slots = slices.iter_mut();
        at_every_level(|| {
            let [param, state @ ..] = slots.next().expect("there are three levels");
            Pass { param, gradient: &gradient, state, rule: Mixed }
        });
        results.extend(memory.into_iter().filter(|result| *result != starts));
        assert!(!results.is_empty() && results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
