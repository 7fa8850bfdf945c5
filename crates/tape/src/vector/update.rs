//! One step of an optimizer in one pass over memory.

use super::same_length;
use crate::Float;
use crate::kernel::parallel::{allowed, run_all};
use crate::kernel::simd::{Kernel, dispatch};
use std::array;

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
    state: [&mut [T]; N],
    rule: impl ElementUpdate<T, N>,
) {
    same_length("update", param.len(), gradient.len());
    for values in &state {
        same_length("update", param.len(), values.len());
    }
    let all = Pass { param, gradient, state, rule };
    if all.param.len() < PARALLEL || !allowed() {
        return dispatch(all);
    }
    let mut jobs = Vec::with_capacity(all.param.len().div_ceil(PIECE));
    let mut rest = Some(all);
    while let Some(pass) = rest.take() {
        let (piece, more) = pass.split();
        let mut piece = Some(piece);
        jobs.push(Box::new(move || piece.take().map_or((), dispatch)) as Box<dyn FnMut() + Send>);
        rest = more;
    }
    run_all(&mut jobs);
}

struct Pass<'a, T, R, const N: usize> {
    param: &'a mut [T],
    gradient: &'a [T],
    state: [&'a mut [T]; N],
    rule: R,
}

impl<T: Float, R: Copy, const N: usize> Pass<'_, T, R, N> {
    /// The first piece, and what is left behind it.
    fn split(self) -> (Self, Option<Self>) {
        let Pass { param, gradient, mut state, rule } = self;
        if param.len() <= PIECE {
            return (Pass { param, gradient, state, rule }, None);
        }
        let (param, param_rest) = param.split_at_mut(PIECE);
        let (gradient, gradient_rest) = gradient.split_at(PIECE);
        let state_rest = array::from_fn(|k| {
            let (values, rest) = std::mem::take(&mut state[k]).split_at_mut(PIECE);
            state[k] = values;
            rest
        });
        let rest = Pass { param: param_rest, gradient: gradient_rest, state: state_rest, rule };
        (Pass { param, gradient, state, rule }, Some(rest))
    }
}

impl<T: Float, R: ElementUpdate<T, N>, const N: usize> Kernel for Pass<'_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pass { param, gradient, state, rule } = self;
        let (mut new_param, mut new_state) = ([T::ZERO; STRIP], [[T::ZERO; STRIP]; N]);
        let mut start = 0;
        while start < param.len() {
            let len = STRIP.min(param.len() - start);
            let end = start + len;
            {
                let (p, g) = (&param[start..end], &gradient[start..end]);
                let s: [&[T]; N] = array::from_fn(|k| &state[k][start..end]);
                let out = &mut new_param[..len];
                for i in 0..len {
                    let (value, values) = rule.apply(p[i], g[i], array::from_fn(|k| s[k][i]));
                    out[i] = value;
                    for k in 0..N {
                        new_state[k][i] = values[k];
                    }
                }
            }
            param[start..end].copy_from_slice(&new_param[..len]);
            for k in 0..N {
                state[k][start..end].copy_from_slice(&new_state[k][..len]);
            }
            start = end;
        }
    }
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
        let mut slots = memory.iter_mut();
        at_every_level(|| {
            let [param, a, b, c] = slots.next().expect("there are three levels").each_mut().map(Vec::as_mut_slice);
            Pass { param, gradient: &gradient, state: [a, b, c], rule: Mixed }
        });
        results.extend(memory.into_iter().filter(|result| *result != starts));
        assert!(!results.is_empty() && results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
