//! Standardised groups of elements (zero mean, unit variance), and the derivative.
//!
//! A dense array is seen as `[outer, groups, inner]`; the elements of a group are those of all `outer` and
//! `inner` indices. Layer normalisation has one `outer` index and a group per row, batch normalisation a
//! group per channel. Sums are added up in `f64`, in an order that depends on the sizes alone.

use super::parallel;
use super::simd::{Kernel, dispatch};
use crate::Float;

/// Elements from which a second thread pays, and elements that one takes at a time.
const PARALLEL: usize = 1 << 15;
const GRAIN: usize = 1 << 12;
/// Lanes of a sum: so many that the compiler makes a loop of them, which it then vectorises.
const LANES: usize = 64;
/// Most partial sums of the gradients of factors per position.
const PARTIALS: usize = 8;

/// Sizes of the array seen as groups; none of them is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Groups {
    pub outer: usize,
    pub groups: usize,
    pub inner: usize,
}

/// Whether factors and terms belong to groups or to inner positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affine {
    PerGroup,
    PerInner,
}

/// The values of every group that standardise it.
#[derive(Clone, Copy)]
pub(crate) struct Moments<'a, T> {
    pub mean: &'a [T],
    /// `1 / sqrt(variance + eps)`.
    pub rstd: &'a [T],
}

/// Sums over a row, or over rows of the same length, in lanes so that they vectorise.
struct Sums<'a, T, F> {
    rows: [&'a [T]; 3],
    f: F,
}

/// What the elements of three rows at one position add to the sums.
trait RowTerm<T> {
    type Lanes: AsRows;

    fn add(&self, row: [T; 3], sums: &mut Self::Lanes, lane: usize);
}

/// One or two rows of partial sums.
trait AsRows: Copy {
    const ZERO: Self;

    /// The two sums; of one row, the second one is zero.
    fn totals(self) -> [f64; 2];
}

/// The sum of all lanes, as a tree.
#[inline(always)]
fn total(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

impl AsRows for [[f64; LANES]; 1] {
    const ZERO: Self = [[0.0; LANES]; 1];
    #[inline(always)]
    fn totals(self) -> [f64; 2] {
        [total(self[0]), 0.0]
    }
}

impl AsRows for [[f64; LANES]; 2] {
    const ZERO: Self = [[0.0; LANES]; 2];
    #[inline(always)]
    fn totals(self) -> [f64; 2] {
        self.map(total)
    }
}

impl<T: Float, F: RowTerm<T>> Kernel for Sums<'_, T, F> {
    type Output = [f64; 2];

    #[inline(always)]
    fn run(self) -> [f64; 2] {
        let Sums { rows: [a, b, c], f } = self;
        let mut lanes = F::Lanes::ZERO;
        let ((a, rest_a), (b, rest_b), (c, rest_c)) =
            (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), c.as_chunks::<LANES>());
        for ((a, b), c) in a.iter().zip(b).zip(c) {
            for lane in 0..LANES {
                f.add([a[lane], b[lane], c[lane]], &mut lanes, lane);
            }
        }
        for (lane, ((&a, &b), &c)) in rest_a.iter().zip(rest_b).zip(rest_c).enumerate() {
            f.add([a, b, c], &mut lanes, lane);
        }
        lanes.totals()
    }
}

/// The elements.
struct Elements;

impl<T: Float> RowTerm<T> for Elements {
    type Lanes = [[f64; LANES]; 1];
    #[inline(always)]
    fn add(&self, [x, ..]: [T; 3], sums: &mut Self::Lanes, lane: usize) {
        sums[0][lane] += x.to_f64();
    }
}

/// Deviations from the mean as it was rounded, and their squares.
struct Deviations(f64);

impl<T: Float> RowTerm<T> for Deviations {
    type Lanes = [[f64; LANES]; 2];
    #[inline(always)]
    fn add(&self, [x, ..]: [T; 3], sums: &mut Self::Lanes, lane: usize) {
        let deviation = x.to_f64() - self.0;
        sums[0][lane] += deviation;
        sums[1][lane] = deviation.mul_add(deviation, sums[1][lane]);
    }
}

/// The gradient (first row), and its product with the standardised element (second row).
struct GradientTerms<T> {
    mean: T,
    rstd: T,
}

impl<T: Float> RowTerm<T> for GradientTerms<T> {
    type Lanes = [[f64; LANES]; 2];
    #[inline(always)]
    fn add(&self, [grad, x, _]: [T; 3], sums: &mut Self::Lanes, lane: usize) {
        sums[0][lane] += grad.to_f64();
        sums[1][lane] += (grad * ((x - self.mean) * self.rstd)).to_f64();
    }
}

/// As [`GradientTerms`], the gradient times a factor (third row).
struct WeightedTerms<T>(GradientTerms<T>);

impl<T: Float> RowTerm<T> for WeightedTerms<T> {
    type Lanes = [[f64; LANES]; 2];
    #[inline(always)]
    fn add(&self, [grad, x, weight]: [T; 3], sums: &mut Self::Lanes, lane: usize) {
        self.0.add([grad * weight, x, weight], sums, lane);
    }
}

/// Runs `work` on pieces of `out`, of `width` elements each or a multiple, with the number of the first one.
fn split<T: Send>(out: &mut [T], width: usize, cost: usize, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let units = out.len() / width;
    if cost < PARALLEL {
        work(0, out);
    } else {
        let per_piece = GRAIN.div_ceil(cost / units);
        parallel::for_chunks(out, per_piece * width, &|start, out| work(start / width, out));
    }
}

impl Groups {
    /// Elements of one group.
    pub fn size(&self) -> usize {
        self.outer * self.inner
    }

    fn numel(&self) -> usize {
        self.size() * self.groups
    }

    /// The rows of one group.
    fn rows<'a, T>(&self, x: &'a [T], group: usize) -> impl Iterator<Item = &'a [T]> {
        let Groups { outer, groups, inner } = *self;
        (0..outer).map(move |o| &x[(o * groups + group) * inner..][..inner])
    }

    /// Mean and biased variance of every group, in that order.
    pub fn moments<T: Float>(&self, x: &[T]) -> Vec<f64> {
        let count = self.size() as f64;
        let mut moments = vec![0.0; 2 * self.groups];
        split(&mut moments, 2, self.numel(), &|first, out| {
            for (number, out) in out.chunks_exact_mut(2).enumerate() {
                let add = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a + c, b + d];
                let rows = || self.rows(x, first + number);
                let [total, _] = rows().map(|x| dispatch(Sums { rows: [x; 3], f: Elements })).fold([0.0; 2], add);
                let mean = total / count;
                // The deviations' own mean is what rounding left of zero.
                let f = || Deviations(mean);
                let [rest, squares] = rows().map(|x| dispatch(Sums { rows: [x; 3], f: f() })).fold([0.0; 2], add);
                out[0] = mean;
                out[1] = (squares - rest * rest / count) / count;
            }
        });
        moments
    }

    /// `out = (x - mean) * rstd`, times a factor and plus a term.
    pub fn standardise<T: Float>(
        &self,
        x: &[T],
        moments: Moments<'_, T>,
        affine: Affine,
        (weight, bias): (Option<&[T]>, Option<&[T]>),
        out: &mut [T],
    ) {
        let inner = self.inner;
        split(out, inner, self.numel(), &|first, out| {
            for (number, out) in out.chunks_exact_mut(inner).enumerate() {
                let group = (first + number) % self.groups;
                let x = &x[(first + number) * inner..][..inner];
                let (mean, rstd) = (moments.mean[group], moments.rstd[group]);
                match affine {
                    Affine::PerGroup => {
                        let scale = weight.map_or(rstd, |weight| rstd * weight[group]);
                        let shift = bias.map_or(T::ZERO, |bias| bias[group]);
                        dispatch(Scale { x, mean, scale, factors: None, shift, shifts: None, out });
                    }
                    Affine::PerInner => {
                        let (factors, shifts) = (weight.map(|w| &w[..inner]), bias.map(|b| &b[..inner]));
                        dispatch(Scale { x, mean, scale: rstd, factors, shift: T::ZERO, shifts, out });
                    }
                }
            }
        });
    }
}

/// `out = (x - mean) * scale * factors + shift + shifts`.
struct Scale<'a, T> {
    x: &'a [T],
    mean: T,
    scale: T,
    factors: Option<&'a [T]>,
    shift: T,
    shifts: Option<&'a [T]>,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Scale { x, mean, scale, factors, shift, shifts, out } = self;
        match (factors, shifts) {
            (Some(factors), Some(shifts)) => {
                for (((out, &x), &factor), &shift) in out.iter_mut().zip(x).zip(factors).zip(shifts) {
                    *out = ((x - mean) * scale).mul_add(factor, shift);
                }
            }
            _ => {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = (x - mean).mul_add(scale, shift);
                }
                for (out, &factor) in out.iter_mut().zip(factors.into_iter().flatten()) {
                    *out = *out * factor;
                }
                for (out, &shift) in out.iter_mut().zip(shifts.into_iter().flatten()) {
                    *out += shift;
                }
            }
        }
    }
}

/// The derivative of [`Groups::standardise`] at `x` for the gradient `grad` of its output.
pub(crate) struct Derivative<'a, T> {
    pub sizes: Groups,
    pub x: &'a [T],
    pub grad: &'a [T],
    pub moments: Moments<'a, T>,
    pub affine: Affine,
    pub weight: Option<&'a [T]>,
}

impl<T: Float> Derivative<'_, T> {
    /// The sums over one group of the gradient of the standardised elements (without a factor per group) and
    /// of its product with them.
    fn sums(&self, group: usize) -> [f64; 2] {
        let (mean, rstd) = (self.moments.mean[group], self.moments.rstd[group]);
        let terms = || GradientTerms { mean, rstd };
        let rows = self.sizes.rows(self.grad, group).zip(self.sizes.rows(self.x, group));
        let sums = rows.map(|(grad, x)| match (self.affine, self.weight) {
            (Affine::PerInner, Some(weight)) => {
                dispatch(Sums { rows: [grad, x, &weight[..x.len()]], f: WeightedTerms(terms()) })
            }
            _ => dispatch(Sums { rows: [grad, x, x], f: terms() }),
        });
        sums.fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d])
    }

    /// The gradient of one row of the input.
    fn row(&self, row: usize, [sum, product]: [f64; 2], out: &mut [T]) {
        let Groups { groups, inner, .. } = self.sizes;
        let (group, count) = (row % groups, self.sizes.size() as f64);
        let (mean, rstd) = (self.moments.mean[group], self.moments.rstd[group]);
        let (factors, scale) = match (self.affine, self.weight) {
            (Affine::PerGroup, Some(weight)) => (None, rstd * weight[group]),
            (Affine::PerInner, Some(weight)) => (Some(&weight[..inner]), rstd),
            (_, None) => (None, rstd),
        };
        let (x, grad) = (&self.x[row * inner..][..inner], &self.grad[row * inner..][..inner]);
        let (level, slope) = (T::from_f64(sum / count), T::from_f64(product / count));
        dispatch(Row { x, grad, mean, rstd, level, slope, scale, factors, out });
    }

    /// The sums of all groups, which are the gradients of terms and factors per group.
    pub fn group_sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; 2 * self.sizes.groups];
        split(&mut sums, 2, self.sizes.numel(), &|first, out| {
            for (number, out) in out.chunks_exact_mut(2).enumerate() {
                out.copy_from_slice(&self.sums(first + number));
            }
        });
        sums
    }

    /// The gradient of `x`; `sums` are those of [`group_sums`](Self::group_sums), if they are known.
    pub fn input(&self, sums: Option<&[f64]>, out: &mut [T]) {
        let inner = self.sizes.inner;
        let computed;
        let sums = match sums {
            // Each sum is used once, right after it is computed.
            None if self.sizes.outer == 1 => None,
            None => {
                computed = self.group_sums();
                Some(&computed[..])
            }
            known => known,
        };
        split(out, inner, self.sizes.numel(), &|first, out| {
            for (number, out) in out.chunks_exact_mut(inner).enumerate() {
                let (row, group) = (first + number, (first + number) % self.sizes.groups);
                let sums = sums.map_or_else(|| self.sums(group), |sums| [sums[2 * group], sums[2 * group + 1]]);
                self.row(row, sums, out);
            }
        });
    }

    /// The gradients of terms and factors per inner position: sums over all rows.
    pub fn position_sums(&self) -> [Vec<T>; 2] {
        let Groups { outer, groups, inner } = self.sizes;
        let rows = outer * groups;
        let partials = PARTIALS.min(rows);
        let mut sums = vec![T::ZERO; partials * 2 * inner];
        split(&mut sums, 2 * inner, self.sizes.numel(), &|first, out| {
            for (number, out) in out.chunks_exact_mut(2 * inner).enumerate() {
                let number = first + number;
                let (terms, factors) = out.split_at_mut(inner);
                for row in rows * number / partials..rows * (number + 1) / partials {
                    let (mean, rstd) = (self.moments.mean[row % groups], self.moments.rstd[row % groups]);
                    let (x, grad) = (&self.x[row * inner..][..inner], &self.grad[row * inner..][..inner]);
                    dispatch(Positions { x, grad, mean, rstd, terms, factors });
                }
            }
        });
        let (total, others) = sums.split_at_mut(2 * inner);
        others.chunks_exact(2 * inner).for_each(|sums| crate::vector::axpy(T::ONE, sums, total));
        [total[..inner].to_vec(), total[inner..].to_vec()]
    }
}

/// `out = scale * (grad * factors - level - slope * xhat)`.
struct Row<'a, T> {
    x: &'a [T],
    grad: &'a [T],
    mean: T,
    rstd: T,
    level: T,
    slope: T,
    scale: T,
    factors: Option<&'a [T]>,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Row { x, grad, mean, rstd, level, slope, scale, factors, out } = self;
        let value = |grad: T, x: T| scale * (grad - level - slope * ((x - mean) * rstd));
        match factors {
            Some(factors) => {
                for (((out, &x), &grad), &factor) in out.iter_mut().zip(x).zip(grad).zip(factors) {
                    *out = value(grad * factor, x);
                }
            }
            None => {
                for ((out, &x), &grad) in out.iter_mut().zip(x).zip(grad) {
                    *out = value(grad, x);
                }
            }
        }
    }
}

/// Adds a row's gradient, and its product with the standardised row, to two rows of sums.
struct Positions<'a, T> {
    x: &'a [T],
    grad: &'a [T],
    mean: T,
    rstd: T,
    terms: &'a mut [T],
    factors: &'a mut [T],
}

impl<T: Float> Kernel for Positions<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Positions { x, grad, mean, rstd, terms, factors } = self;
        for (((term, factor), &x), &grad) in terms.iter_mut().zip(factors).zip(x).zip(grad) {
            *term += grad;
            *factor = grad.mul_add((x - mean) * rstd, *factor);
        }
    }
}
