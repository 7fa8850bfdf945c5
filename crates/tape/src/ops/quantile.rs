//! Medians, quantiles and modes.

use super::reduced::{Reduced, at_least_one_dimension, without};
use super::sort::one_along;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, no_grad, saves};
use crate::kernel::sort::{Entry, NAN, nth};
use crate::op::Operand;
use crate::shape::normalize_dim;
use crate::{DType, Tensor};

/// The median of all elements; elements equal to it share the gradient. Holds torch's name of the node.
pub(crate) struct Median(&'static str);

impl Op for Median {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, median) = (rule.saved(0), rule.saved(1));
        let chosen = if median.item().is_nan() { x.isnan() } else { x.eq(median) };
        gradients![rule; Tensor::where_(&chosen, grad / chosen.sum(), 0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[3, 4], -1.0, 1.0)];
        let quantiles = |x: &Tensor| {
            let nan = x.masked_fill(&x.lt(-0.6), f64::NAN);
            (x.quantile_dim(0.4, 1, false), nan.nanquantile_dim(&Tensor::from([0.3, 0.8]), 0, true))
        };
        vec![
            Sample::new(x(), |x| x[0].median() * &x[0]),
            Sample::new(x(), |x| x[0].t().nanmedian().pow(2.0)),
            Sample::new(x(), |x| x[0].median_dim(0, true).0 * &x[0]),
            Sample::new(x(), |x| x[0].t().nanmedian_dim(1, false).0.pow(2.0)),
            Sample::new(x(), |x| x[0].mode_dim(1, true).0 * &x[0]),
            Sample::new(x(), |x| x[0].quantile(0.3) * x[0].nanquantile(0.9)),
            Sample::new(x(), move |x| quantiles(&x[0]).0.pow(2.0)),
            Sample::new(x(), move |x| quantiles(&x[0]).1.pow(2.0)),
            Sample::new([Tensor::from(0.7), Tensor::from([0.3, 0.62])], |x| {
                // Differentiable by the level, too.
                (spread(&[4], -1.0, 1.0) * &x[0]).quantile(&x[1])
            }),
        ]
    }
}

/// Whether NaN is left out or wins.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    Propagates,
    LeftOut,
}

/// The place of the lower median of a line; that of the first NaN if there is one that is not left out.
fn median_of(line: &mut [Entry], float: bool, missing: Missing) -> i64 {
    let numbers = if float { line.iter().filter(|(key, _)| *key != NAN).count() } else { line.len() };
    if numbers < line.len() && (missing == Missing::Propagates || numbers == 0) {
        // Entries are in the order of the line as yet.
        return line.iter().find(|(key, _)| *key == NAN).map_or(0, |&(_, place)| place as i64);
    }
    nth(line, (numbers - 1) / 2)
}

/// The place of the last of the most frequent elements of a line, the smallest if several are. NaN is not equal to
/// itself.
fn mode_of(line: &mut [Entry], float: bool) -> i64 {
    line.sort_unstable();
    let (mut best, mut longest) = (0, 0);
    for run in line.chunk_by(|a, b| a.0 == b.0 && !(float && a.0 == NAN)) {
        if run.len() > longest {
            (best, longest) = (run[run.len() - 1].1, run.len());
        }
    }
    best as i64
}

impl Tensor {
    /// The lower of the two middle elements, or the middle one, of all; NaN if there is one, or no element. Elements
    /// equal to it share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 1.0, 4.0, 2.0]).median().item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is boolean, or an integer's and there is no element.
    #[track_caller]
    pub fn median(&self) -> Tensor {
        self.median_of_all("median", Missing::Propagates, "MedianBackward0")
    }

    /// The [`median`](Tensor::median) of all elements that are not NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, f64::NAN, 1.0]).nanmedian().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// As [`median`](Tensor::median).
    #[track_caller]
    pub fn nanmedian(&self) -> Tensor {
        self.median_of_all("nanmedian", Missing::LeftOut, "NanmedianBackward0")
    }

    /// The lower of the two middle elements, or the middle one, along dimension `dim`, and its index: the first NaN if
    /// there is one. With `keepdim` the dimension remains with size one. The element of the index gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (median, index) = Tensor::from([[3.0, 1.0, 2.0]]).median_dim(1, false);
    /// assert_eq!((median.to_vec::<f64>(), index.to_vec::<i64>()), (vec![2.0], vec![2]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element, or the dtype is boolean.
    #[track_caller]
    pub fn median_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.median_along("median", Missing::Propagates, dim, keepdim)
    }

    /// The [`median_dim`](Tensor::median_dim) of the elements that are not NaN; of a line of NaN, the first.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (median, index) = Tensor::from([f64::NAN, 5.0, 4.0]).nanmedian_dim(0, false);
    /// assert_eq!((median.item(), index.item()), (4.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// As [`median_dim`](Tensor::median_dim).
    #[track_caller]
    pub fn nanmedian_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.median_along("nanmedian", Missing::LeftOut, dim, keepdim)
    }

    /// The most frequent element along dimension `dim`, the smallest if several are, and the index of its last
    /// occurrence; with `keepdim` the dimension remains with size one. The element of the index gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (mode, index) = Tensor::from([3i64, 1, 3, 1, 2]).mode_dim(0, false);
    /// assert_eq!((mode.item_as::<i64>(), index.item_as::<i64>()), (1, 3));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element.
    #[track_caller]
    pub fn mode_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let float = self.dtype().is_floating_point();
        one_along("mode", self, dim, keepdim, &move |line| mode_of(line, float))
    }

    /// The `q`-th quantiles of all elements, `q` between 0 and 1, interpolated linearly between neighbours in the
    /// order; NaN if an element is. For a vector `q`, one result each.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([4.0, 1.0, 2.0]);
    /// assert_eq!(x.quantile(0.75).item(), 3.0);
    /// assert_eq!(x.quantile(&Tensor::from([0.0, 0.5, 1.0])).to_vec::<f64>(), [1.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, there is no element, or `q` is out of range, of another dtype, or of more
    /// than one dimension.
    #[track_caller]
    pub fn quantile<'a>(&self, q: impl Into<Operand<'a>>) -> Tensor {
        self.quantiles("quantile", q.into(), None, false, Missing::Propagates)
    }

    /// The `q`-th [quantiles](Tensor::quantile) along dimension `dim`; with `keepdim` it remains with size one. For a
    /// vector `q`, its dimension is the first of the result.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 7.0]]);
    /// assert_eq!(x.quantile_dim(0.5, 1, false).to_vec::<f64>(), [1.5, 5.0]);
    /// ```
    ///
    /// # Panics
    /// As [`quantile`](Tensor::quantile), and if the dimension is out of range.
    #[track_caller]
    pub fn quantile_dim<'a>(&self, q: impl Into<Operand<'a>>, dim: isize, keepdim: bool) -> Tensor {
        self.quantiles("quantile", q.into(), Some(dim), keepdim, Missing::Propagates)
    }

    /// The `q`-th [quantiles](Tensor::quantile) of all elements that are not NaN; NaN if there is none.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, f64::NAN, 1.0]).nanquantile(0.5).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// As [`quantile`](Tensor::quantile).
    #[track_caller]
    pub fn nanquantile<'a>(&self, q: impl Into<Operand<'a>>) -> Tensor {
        self.quantiles("nanquantile", q.into(), None, false, Missing::LeftOut)
    }

    /// The `q`-th [quantiles](Tensor::quantile_dim) along dimension `dim` of the elements that are not NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, f64::NAN], [3.0, 7.0]]);
    /// assert_eq!(x.nanquantile_dim(0.5, 1, false).to_vec::<f64>(), [1.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// As [`quantile_dim`](Tensor::quantile_dim).
    #[track_caller]
    pub fn nanquantile_dim<'a>(&self, q: impl Into<Operand<'a>>, dim: isize, keepdim: bool) -> Tensor {
        self.quantiles("nanquantile", q.into(), Some(dim), keepdim, Missing::LeftOut)
    }

    #[track_caller]
    fn refuse_booleans(&self, op: &str) {
        if self.dtype() == DType::Bool {
            panic!("{op}: not implemented for dtype bool; convert with to_dtype(DType::I64) first");
        }
    }

    #[track_caller]
    fn median_of_all(&self, op: &str, missing: Missing, node: &'static str) -> Tensor {
        let median = if self.numel() == 0 && self.dtype().is_floating_point() {
            Tensor::full((), f64::NAN, self.dtype())
        } else {
            let flat = no_grad(|| self.reshape_to(&[self.numel()])).detach();
            flat.median_along(op, missing, 0, false).0.detach()
        };
        median.record(
            &[self],
            || Median(node),
            |median| {
                let mut saved = saves![self];
                saved.push(Saved::output(median, 0));
                saved
            },
        )
    }

    #[track_caller]
    fn median_along(&self, op: &str, missing: Missing, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.refuse_booleans(op);
        let float = self.dtype().is_floating_point();
        one_along(op, self, dim, keepdim, &move |line| median_of(line, float, missing))
    }

    /// Quantiles along the dimension, or of all elements.
    #[track_caller]
    fn quantiles(&self, op: &str, q: Operand<'_>, dim: Option<isize>, keepdim: bool, missing: Missing) -> Tensor {
        let q = self.levels(op, q);
        let (lines, kept) = match dim {
            None => (self.reshape_to(&[self.numel()]), Reduced::new(op, self.sizes(), &[]).shape(keepdim)),
            Some(dim) => {
                let at = normalize_dim(op, dim, self.dim());
                let x = at_least_one_dimension(self);
                let kept = if self.dim() == 0 { self.layout().shape.clone() } else { without(x.sizes(), at, keepdim) };
                let (last, first): (Vec<usize>, Vec<usize>) = (0..x.dim()).partition(|&other| other == at);
                (x.permute([first, last].concat()), kept)
            }
        };
        let sorted = lines.sort(-1, false).0;
        let ranks = ranks(&sorted, &q, missing);
        let between = interpolated(&sorted, &ranks);
        if q.dim() == 0 {
            return between.reshape_to(&kept);
        }
        // The levels come first.
        let last = between.dim() - 1;
        let order: Vec<usize> = std::iter::once(last).chain(0..last).collect();
        let shape: Vec<usize> = std::iter::once(q.numel()).chain(kept.iter().copied()).collect();
        between.permute(order).reshape_to(&shape)
    }

    /// The levels `q` as a tensor of this dtype, checked.
    #[track_caller]
    fn levels(&self, op: &str, q: Operand<'_>) -> Tensor {
        if !self.dtype().is_floating_point() {
            panic!(
                "{op}: {op}() input tensor must be either float or double dtype, but is {}; convert it with float()",
                self.dtype()
            );
        }
        if self.numel() == 0 {
            panic!("{op}: {op}() input tensor must be non-empty (shape {:?})", self.sizes());
        }
        let q = match q {
            Operand::Scalar(q) => Tensor::full((), q.to_f64(), self.dtype()),
            Operand::Tensor(q) => q.into_owned(),
        };
        if q.dim() > 1 || q.dtype() != self.dtype() {
            panic!(
                "{op}: {op}() q must be a scalar or 1D tensor, of same dtype as the input tensor, but its shape is {:?} and \
                 its dtype {} beside {}",
                q.sizes(),
                q.dtype(),
                self.dtype()
            );
        }
        let outside = |q: &&f64| !(0.0..=1.0).contains(*q);
        if let Some(q) = q.double().to_vec::<f64>().iter().find(outside) {
            panic!("{op}: {op}() q must be in the range [0, 1] but got {q}");
        }
        q
    }
}

/// Where the quantiles stand among the elements, sorted along the last dimension.
fn ranks(sorted: &Tensor, q: &Tensor, missing: Missing) -> Tensor {
    let q = q.reshape_to(&[q.numel()]);
    let last = sorted.size(-1) - 1;
    if missing == Missing::LeftOut {
        let numbers = sorted.isnan().logical_not().sum_dim(-1, true).to_dtype(sorted.dtype());
        let ranks = q * (numbers - 1.0);
        return ranks.masked_fill(&ranks.lt(0), 0);
    }
    // NaN is sorted to the end.
    let last = last as f64;
    let ranks = q * Tensor::full(without(sorted.sizes(), sorted.dim() - 1, true), last, sorted.dtype());
    ranks.masked_fill(&sorted.isnan().any_dim(-1, true), last)
}

/// The values at ranks that may lie between elements.
fn interpolated(sorted: &Tensor, ranks: &Tensor) -> Tensor {
    let below = ranks.detach().floor();
    let weight = ranks - &below;
    let low = sorted.gather(-1, &below.long());
    let high = sorted.gather(-1, &ranks.detach().ceil().long());
    // Exact at both ends.
    let step = &high - &low;
    Tensor::where_(&weight.lt(0.5), low + &weight * &step, high - (1.0 - &weight) * &step)
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    /// Value and gradient of the sum.
    fn both(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> (Vec<f64>, Vec<f64>) {
        let x = Tensor::from(x).requires_grad_(true);
        let y = f(&x);
        y.sum().backward().unwrap();
        (y.to_vec(), x.grad().unwrap().to_vec())
    }

    fn check(x: &[f64], f: impl Fn(&Tensor) -> Tensor, value: &[f64], gradient: &[f64]) {
        let (found_value, found_gradient) = both(x, f);
        let close = |a: &[f64], b: &[f64]| {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14 || (a.is_nan() && b.is_nan());
            a.len() == b.len() && a.iter().zip(b).all(near)
        };
        assert!(close(&found_value, value), "{x:?}: {found_value:?} against {value:?}");
        assert!(close(&found_gradient, gradient), "{x:?}: {found_gradient:?} against {gradient:?}");
    }

    #[test]
    fn medians_are_torchs() {
        let third = 1.0 / 3.0;
        check(&[2.0, 1.0, 2.0, 2.0, 3.0], Tensor::median, &[2.0], &[third, 0.0, third, third, 0.0]);
        check(&[2.0, NAN, NAN], Tensor::median, &[NAN], &[0.0, 0.5, 0.5]);
        check(&[NAN, NAN], Tensor::nanmedian, &[NAN], &[0.5, 0.5]);
        check(&[NAN, 4.0, 1.0, NAN], Tensor::nanmedian, &[1.0], &[0.0, 0.0, 1.0, 0.0]);
        check(&[1.0, 2.0, 3.0, 4.0], |x| x.median_dim(0, true).0, &[2.0], &[0.0, 1.0, 0.0, 0.0]);
        check(&[2.0, NAN, NAN], |x| x.median_dim(0, false).0, &[NAN], &[0.0, 1.0, 0.0]);
        check(&[NAN, 1.0, NAN, 2.0], |x| x.nanmedian_dim(0, false).0, &[1.0], &[0.0, 1.0, 0.0, 0.0]);
        check(&[NAN, NAN], |x| x.nanmedian_dim(0, false).0, &[NAN], &[1.0, 0.0]);
        assert!(Tensor::zeros(0, DType::F32).median().item().is_nan());
        let lone = Tensor::from(3.0);
        assert_eq!((lone.median().item(), lone.median_dim(0, true).1.item()), (3.0, 0.0));
        assert_eq!(Tensor::from([i64::MAX, i64::MAX, 1]).median().item_as::<i64>(), i64::MAX);
        assert_eq!(Tensor::from([[1i64, 5], [4, 2], [3, 3]]).median_dim(0, false).1.to_vec::<i64>(), [2, 2]);
    }

    #[test]
    fn results_can_be_changed_in_place() {
        for f in [Tensor::nansum, |x: &Tensor| x.quantile(0.5), |x: &Tensor| x.var(1), |x: &Tensor| x.msort().i(1)] {
            let x = Tensor::from([3.0, 1.0, 2.0]).requires_grad_(true);
            let expected = crate::grad(f(&x) * 2.0, &x).compute().unwrap().remove(0);
            let y = f(&x);
            y.mul_(2.0);
            assert_eq!(crate::grad(&y, &x).compute().unwrap()[0].to_vec::<f64>(), expected.to_vec::<f64>());
        }
    }

    #[test]
    fn modes_are_torchs() {
        check(&[3.0, 1.0, 3.0, 1.0, 2.0], |x| x.mode_dim(0, false).0, &[1.0], &[0.0, 0.0, 0.0, 1.0, 0.0]);
        check(&[NAN, NAN, 1.0, 1.0], |x| x.mode_dim(0, false).0, &[1.0], &[0.0, 0.0, 0.0, 1.0]);
        assert_eq!(Tensor::from([true, false, true]).mode_dim(0, true).1.to_vec::<i64>(), [2]);
    }

    #[test]
    fn quantiles_are_torchs() {
        let x = &[3.0, 1.0, 2.0, 7.0];
        check(x, |x| x.quantile(0.3), &[1.9], &[0.0, 0.1, 0.9, 0.0]);
        let levels = Tensor::from([0.0, 0.5, 1.0]);
        check(x, |x| x.quantile(&levels), &[1.0, 2.5, 7.0], &[0.5, 1.0, 0.5, 1.0]);
        check(&[3.0, NAN, 2.0], |x| x.quantile(0.3), &[NAN], &[0.0, 1.0, 0.0]);
        check(&[3.0, NAN, 2.0], |x| x.nanquantile(0.3), &[2.3], &[0.3, 0.0, 0.7]);
        check(&[NAN, NAN], |x| x.nanquantile(0.3), &[NAN], &[1.0, 0.0]);
        check(&[INF, INF, 1.0, INF], |x| x.quantile(0.5), &[NAN], &[0.5, 0.5, 0.0, 0.0]);
        check(&[2.0; 4], |x| x.quantile(0.5), &[2.0], &[0.0, 0.5, 0.5, 0.0]);
    }

    #[test]
    fn levels_come_first() {
        let x = crate::op::spread(&[2, 3, 4], -1.0, 1.0);
        let levels = Tensor::from([0.25, 0.5]);
        assert_eq!(x.quantile_dim(&levels, 1, true).sizes(), [2, 2, 1, 4]);
        assert_eq!(x.quantile_dim(0.5, 1, true).sizes(), [2, 1, 4]);
        assert_eq!(x.quantile(&levels).sizes(), [2]);
        let found = x.quantile_dim(&levels, 1, false);
        assert_eq!(found.sizes(), [2, 2, 4]);
        for (i, q) in [0.25, 0.5].into_iter().enumerate() {
            for (j, k) in [(0, 0), (1, 3)] {
                let line = x.select(0, j).select(1, k);
                assert_eq!(found.select(0, i as isize).select(0, j).select(0, k).item(), line.quantile(q).item());
            }
        }
        assert_eq!(Tensor::from(3.0).quantile_dim(0.5, 0, true).item(), 3.0);
    }

    #[test]
    #[should_panic(expected = "quantile() q must be in the range [0, 1] but got 1.5")]
    fn levels_lie_between_zero_and_one() {
        Tensor::from([1.0]).quantile(1.5);
    }

    #[test]
    #[should_panic(expected = "input tensor must be non-empty")]
    fn nothing_has_no_quantile() {
        Tensor::zeros(0, DType::F32).quantile(0.5);
    }

    #[test]
    #[should_panic(expected = "median: not implemented for dtype bool")]
    fn booleans_have_no_median() {
        Tensor::from([true]).median();
    }
}
