//! Losses and their derivatives in one pass.

use super::axis::Axis;
use super::parallel::for_chunks;
use super::reduce::{self, Number};
use super::simd::{Kernel, dispatch};
use super::vmath::VMath;
use crate::{Float, vector};

/// Elements of a sum that one dot product adds up.
const PIECE: usize = 4096;
/// Elements from which a second thread pays.
const PARALLEL: usize = 1 << 17;
/// Elements that it takes at a time in an elementwise pass.
const GRAIN: usize = 1 << 14;

/// The sum of dense values in a tree of additions that depends on their number alone.
fn sum<T: Number>(values: &[T]) -> T {
    reduce::reduce_all::<reduce::Sum<T>>(super::Strided { data: values, shape: &[values.len()], strides: &[1] })
}

/// `sum (a - b)^2` of slices of one length.
pub(crate) fn squared_distance<T: Float + Number>(a: &[T], b: &[T]) -> T {
    let piece = |(a, b): (&[T], &[T])| {
        let mut scratch = [T::default(); PIECE];
        let difference = &mut scratch[..a.len()];
        vector::sub(a, b, difference);
        vector::dot(difference, difference)
    };
    if a.len() <= PIECE {
        return piece((a, b));
    }
    let mut sums = vec![T::default(); a.len().div_ceil(PIECE)];
    let pieces = |first: usize, sums: &mut [T]| {
        let values = a.chunks(PIECE).zip(b.chunks(PIECE)).skip(first);
        sums.iter_mut().zip(values).for_each(|(sum, values)| *sum = piece(values));
    };
    if a.len() < PARALLEL {
        pieces(0, &mut sums);
    } else {
        for_chunks(&mut sums, GRAIN / PIECE, &pieces);
    }
    sum(&sums)
}

/// Which class each line of an axis belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Classes<'a> {
    pub axis: Axis,
    /// One per line, in row-major order; numbers that are no class leave their line out.
    pub target: &'a [i64],
}

impl Classes<'_> {
    /// The positions of the lines' classes in an array with this axis; none for lines left out.
    fn positions(&self) -> impl Iterator<Item = Option<usize>> {
        let Axis { len, inner, .. } = self.axis;
        self.target.iter().enumerate().map(move |(line, &class)| {
            let first = line / inner * len * inner + line % inner;
            usize::try_from(class).ok().filter(|&class| class < len).map(|class| first + class * inner)
        })
    }

    /// `-sum log p(class)` over the lines.
    pub fn negative_sum<T: Float + Number>(&self, log_probabilities: &[T]) -> T {
        let picked: Vec<T> = self.positions().flatten().map(|at| -log_probabilities[at]).collect();
        sum(&picked)
    }

    /// `scale (exp(log p) - [is class])`, and zero in lines left out.
    pub fn softmax_gradient<T: Float + VMath>(&self, log_probabilities: &[T], scale: T, out: &mut [T]) {
        if out.len() < PARALLEL {
            dispatch(ScaledExp { x: log_probabilities, scale, out });
        } else {
            for_chunks(out, GRAIN, &|start, out| {
                dispatch(ScaledExp { x: &log_probabilities[start..start + out.len()], scale, out });
            });
        }
        self.add(-scale, out);
        let Axis { len, inner, .. } = self.axis;
        for (line, at) in self.positions().enumerate() {
            if at.is_none() {
                let first = line / inner * len * inner + line % inner;
                out[first..].iter_mut().step_by(inner).take(len).for_each(|out| *out = T::ZERO);
            }
        }
    }

    /// Adds `value` at every line's class.
    pub fn add<T: Float>(&self, value: T, out: &mut [T]) {
        self.positions().flatten().for_each(|at| out[at] += value);
    }
}

/// `out = scale exp(x)`.
struct ScaledExp<'a, T> {
    x: &'a [T],
    scale: T,
    out: &'a mut [T],
}

impl<T: Float + VMath> Kernel for ScaledExp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = VMath::exp(x) * self.scale;
        }
    }
}
