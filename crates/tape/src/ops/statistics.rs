//! Variances and standard deviations, covariances, sums and means without NaN, counts.

use super::reduced::Reduced;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, no_grad, saves};
use crate::dtype::dispatch_float;
use crate::kernel::moments;
use crate::kernel::reduce::CountNonzero;
use crate::shape::{Dims, Ints};
use crate::storage::build;
use crate::{DType, Tensor};

/// The variance over some dimensions.
pub(crate) struct Var(Spread);
/// The standard deviation over some dimensions.
pub(crate) struct Std(Spread);

/// The sum of what is not NaN over some dimensions; holds the input's shape with those as one.
pub(crate) struct Nansum(Dims);

/// What a variance is taken over and divided by.
struct Spread {
    over: Reduced,
    correction: f64,
    /// Over all dimensions without naming them.
    whole: bool,
}

impl Op for Var {
    fn name(&self) -> &'static str {
        "VarBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; self.0.gradient(grad, rule.saved(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -1.0, 1.0)];
        vec![
            Sample::new(x(), |x| x[0].var(1.0)),
            Sample::new(x(), |x| x[0].var_dim([0, -1], 0.0, true) * &x[0]),
            Sample::new(x(), |x| x[0].transpose(0, 1).var_dim(0, 1.0, false)),
            Sample::new(x(), |x| x[0].var_mean_dim(1, 0.5, false).0 * x[0].var_mean_dim(1, 0.5, false).1),
            Sample::new([spread(&[3, 4], -1.0, 1.0)], |x| x[0].cov(1.0)),
            Sample::new([spread(&[3, 4], -1.0, 1.0)], |x| x[0].corrcoef()),
            Sample::new([spread(&[3, 4], -1.0, 1.0)], |x| x[0].aminmax().0 * x[0].aminmax_dim(1, true).1),
        ]
    }
}

impl Op for Std {
    fn name(&self) -> &'static str {
        "StdBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, std) = (rule.saved(0), rule.saved(1));
        // The root has no derivative at equal values; zero is the subgradient.
        let grad = (grad / (std * 2.0)).masked_fill(&std.eq(0), 0);
        gradients![rule; self.0.gradient(&grad, x)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -1.0, 1.0)];
        vec![
            Sample::new(x(), |x| x[0].std(1.0) * &x[0]),
            Sample::new(x(), |x| x[0].std_dim([0, -1], 0.0, true)),
            Sample::new(x(), |x| x[0].transpose(0, 1).std_mean_dim(0, 1.0, false).0),
            Sample::new([spread(&[0, 2], -1.0, 1.0)], |x| x[0].std_dim(1, 1.0, false)),
        ]
    }
}

impl Op for Nansum {
    fn name(&self) -> &'static str {
        "NansumBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        // A product, as in torch: the infinite gradient of a mean of nothing gives NaN.
        gradients![rule; grad.reshape_to(&self.0) * rule.saved(0).isnan().logical_not()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let holes = |x: &Tensor| x.masked_fill(&x.lt(-0.5), f64::NAN);
        let x = || [spread(&[2, 3, 2], -1.0, 1.0)];
        vec![
            Sample::new(x(), move |x| holes(&x[0]).nansum_dim(1, false).pow(2.0)),
            Sample::new(x(), move |x| holes(&x[0]).nanmean() * x[0].transpose(0, 1).nansum()),
            Sample::new(x(), move |x| holes(&x[0]).nanmean_dim([0, 2], true)),
        ]
    }
}

impl Spread {
    #[track_caller]
    fn new(x: &Tensor, dims: &[isize], correction: f64) -> Spread {
        if !x.dtype().is_floating_point() {
            panic!(
                "var: std and var only support floating point and complex dtypes, but got {}; convert with float() or \
                 double() first",
                x.dtype()
            );
        }
        Spread { over: Reduced::new("var", x.sizes(), dims), correction, whole: dims.is_empty() }
    }

    fn freedom(&self) -> f64 {
        self.over.count as f64 - self.correction
    }

    /// The variance, or its root, not recorded.
    fn value(&self, x: &Tensor, keepdim: bool, root: bool) -> Tensor {
        let (over, shape) = (&self.over, self.over.shape(keepdim));
        let gone = |dim: &isize| over.marked[*dim as usize];
        // The reduced dimensions come last; a copy is made only if they lie elsewhere in memory.
        let (last, first): (Vec<isize>, Vec<isize>) = (0..x.dim() as isize).partition(gone);
        let lines = no_grad(|| x.permute([first, last].concat())).dense();
        let mut sums = vec![0.0; shape.iter().product()];
        let divisor = self.freedom().max(0.0);
        dispatch_float!("var", x.dtype(), T => {
            lines.with::<T, _>(|x| {
                moments::squared_deviations(&x.data[..lines.numel()], over.count, &mut sums);
            });
            let buffer = build::<T>(sums.len(), |out| {
                for (out, sum) in out.iter_mut().zip(&sums) {
                    let variance = sum / divisor;
                    *out = (if root { variance.sqrt() } else { variance }) as T;
                }
            });
            Tensor::from_buffer(buffer, shape)
        })
    }

    /// `2 grad (x - mean) / (n - correction)`. The gradient of the variance of all elements without degrees of
    /// freedom is infinite, as in torch.
    fn gradient(&self, grad: &Tensor, x: &Tensor) -> Tensor {
        let grad = grad.reshape_to(&self.over.kept);
        let centred = x - x.mean_dim(self.over.dims.clone(), true);
        let freedom = self.freedom();
        if self.whole && freedom <= 0.0 {
            let steep = Tensor::full(x.sizes(), f64::INFINITY, x.dtype());
            return grad * steep.masked_fill(&centred.eq(0), f64::NAN);
        }
        grad * (2.0 / freedom) * centred
    }
}

impl Tensor {
    /// The variance of all elements, `sum (x - mean)^2 / max(0, n - correction)`; torch's default for the
    /// correction is 1 (Bessel's). NaN for one element with correction 1.
    ///
    /// It is computed in two passes in double precision, so a large mean costs no digits.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0, 6.0]);
    /// assert_eq!((x.var(0).item(), x.var(2).item()), (3.5, 7.0));
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn var(&self, correction: impl Into<f64>) -> Tensor {
        self.var_dim((), correction, false)
    }

    /// The [variance](Tensor::var) over dimensions `dims` (all of them if none is named); with `keepdim` they
    /// remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 8.0]]);
    /// assert_eq!(x.var_dim(1, 1, false).to_vec::<f64>(), [2.0, 18.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn var_dim(&self, dims: impl Into<Ints>, correction: impl Into<f64>, keepdim: bool) -> Tensor {
        let spread = Spread::new(self, &dims.into(), correction.into());
        spread.value(self, keepdim, false).record(&[self], || Var(spread), |_| saves![self])
    }

    /// The standard deviation of all elements, the root of [`var`](Tensor::var). The gradient at equal elements is
    /// zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 3.0, 1.0, 3.0]).std(0).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn std(&self, correction: impl Into<f64>) -> Tensor {
        self.std_dim((), correction, false)
    }

    /// The [standard deviation](Tensor::std) over dimensions `dims` (all of them if none is named); with `keepdim`
    /// they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 8.0]]);
    /// assert_eq!(x.std_dim(1, 0, true).to_vec::<f64>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Ints>, correction: impl Into<f64>, keepdim: bool) -> Tensor {
        let spread = Spread::new(self, &dims.into(), correction.into());
        spread.value(self, keepdim, true).record(
            &[self],
            || Std(spread),
            |std| {
                let mut saved = saves![self];
                saved.push(Saved::output(std, 0));
                saved
            },
        )
    }

    /// The [variance](Tensor::var_dim) and the mean over dimensions `dims` (all of them if none is named).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (var, mean) = Tensor::from([1.0, 3.0]).var_mean_dim(0, 1, false);
    /// assert_eq!((var.item(), mean.item()), (2.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn var_mean_dim(&self, dims: impl Into<Ints>, correction: impl Into<f64>, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into();
        (self.var_dim(dims.clone(), correction, keepdim), self.mean_dim(dims, keepdim))
    }

    /// The [standard deviation](Tensor::std_dim) and the mean over dimensions `dims` (all of them if none is named).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (std, mean) = Tensor::from([1.0, 3.0]).std_mean_dim(0, 0, false);
    /// assert_eq!((std.item(), mean.item()), (1.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn std_mean_dim(&self, dims: impl Into<Ints>, correction: impl Into<f64>, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into();
        (self.std_dim(dims.clone(), correction, keepdim), self.mean_dim(dims, keepdim))
    }

    /// The sum of all elements that are not NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NAN, 2.0]).nansum().item(), 3.0);
    /// ```
    pub fn nansum(&self) -> Tensor {
        self.nansum_dim((), false)
    }

    /// The sum of the elements that are not NaN over dimensions `dims` (all of them if none is named); with
    /// `keepdim` they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, f64::NAN], [2.0, 3.0]]);
    /// assert_eq!(x.nansum_dim(1, false).to_vec::<f64>(), [1.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn nansum_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        if !self.dtype().is_floating_point() {
            return self.sum_dim(dims, keepdim);
        }
        let over = Reduced::new("nansum", self.sizes(), &dims.into());
        let sum = no_grad(|| self.masked_fill(&self.isnan(), 0).sum_dim(over.dims.clone(), keepdim));
        sum.record(&[self], || Nansum(over.kept), |_| saves![self])
    }

    /// The mean of all elements that are not NaN; NaN if there is none.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NAN, 2.0]).nanmean().item(), 1.5);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn nanmean(&self) -> Tensor {
        self.nanmean_dim((), false)
    }

    /// The mean of the elements that are not NaN over dimensions `dims` (all of them if none is named); with
    /// `keepdim` they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, f64::NAN], [2.0, 3.0]]);
    /// assert_eq!(x.nanmean_dim(1, false).to_vec::<f64>(), [1.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn nanmean_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        if !self.dtype().is_floating_point() {
            panic!(
                "nanmean: expected input to have floating point or complex dtype but got {}; convert with float() or \
                 double() first",
                self.dtype()
            );
        }
        let dims = dims.into();
        let count = self.isnan().logical_not().sum_dim(dims.clone(), keepdim);
        self.nansum_dim(dims, keepdim) / count
    }

    /// The number of elements that are not zero, as `I64`; NaN is not zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 0.0, 2.0]).count_nonzero().item_as::<i64>(), 2);
    /// ```
    pub fn count_nonzero(&self) -> Tensor {
        self.count_nonzero_dim(())
    }

    /// The number of elements that are not zero over dimensions `dims` (all of them if none is named).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 0.0], [2.0, 3.0]]);
    /// assert_eq!(x.count_nonzero_dim(1).to_vec::<i64>(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn count_nonzero_dim(&self, dims: impl Into<Ints>) -> Tensor {
        let over = Reduced::new("count_nonzero", self.sizes(), &dims.into());
        let marks = if self.dtype() == DType::Bool { self.clone() } else { self.ne(0) };
        over.reduce::<CountNonzero<bool>>(&marks, false)
    }

    /// The covariances of the rows, each a variable, over the columns, each an observation:
    /// `c c^T / max(0, n - correction)` with `c` the rows without their means. A vector is one variable; the result
    /// is a tensor without dimensions then. torch's default for the correction is 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [4.0, 2.0]]);
    /// assert_eq!(x.cov(1).to_vec::<f64>(), [2.0, -2.0, -2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has more than two dimensions or is boolean.
    #[track_caller]
    pub fn cov(&self, correction: impl Into<f64>) -> Tensor {
        if self.dim() > 2 || self.dtype() == DType::Bool {
            panic!(
                "cov: expected input to have two or fewer dimensions and not to be boolean, but its shape is {:?} and its \
                 dtype {}",
                self.sizes(),
                self.dtype()
            );
        }
        let x = self.to_floating();
        let x = if x.dim() == 2 { x } else { x.reshape_to(&[1, x.numel()]) };
        let centred = &x - x.mean_dim(1, true);
        let freedom = (x.sizes()[1] as f64 - correction.into()).max(0.0);
        let covariance = centred.matmul(&centred.t()) / freedom;
        // One variable has a variance.
        if covariance.numel() == 1 { covariance.reshape_to(&[]) } else { covariance }
    }

    /// Pearson's correlation coefficients of the rows, each a variable, over the columns:
    /// `c_ij / sqrt(c_ii c_jj)` with the [covariances](Tensor::cov) `c`, between -1 and 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [5.0, 4.0, 3.0]]);
    /// assert_eq!(x.corrcoef().to_vec::<f64>(), [1.0, -1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has more than two dimensions or is boolean.
    #[track_caller]
    pub fn corrcoef(&self) -> Tensor {
        let covariance = self.cov(1.0);
        if covariance.dim() == 0 {
            return covariance.div(&covariance);
        }
        let variables = covariance.sizes()[0] as i64;
        let diagonal = Tensor::arange(0, variables * variables, variables + 1);
        let deviations = covariance.reshape_to(&[covariance.numel()]).index_select(0, &diagonal).sqrt();
        (covariance / deviations.unsqueeze(1) / deviations).clamp(-1.0, 1.0)
    }

    /// The smallest and the largest element. Equal ones share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (low, high) = Tensor::from([2.0, 1.0, 3.0]).aminmax();
    /// assert_eq!((low.item(), high.item()), (1.0, 3.0));
    /// ```
    ///
    /// # Panics
    /// If there is no element.
    #[track_caller]
    pub fn aminmax(&self) -> (Tensor, Tensor) {
        (self.amin((), false), self.amax((), false))
    }

    /// The smallest and the largest elements along dimension `dim`; with `keepdim` it remains with size one. Equal
    /// ones share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (low, high) = Tensor::from([[2.0, 1.0], [5.0, 3.0]]).aminmax_dim(1, false);
    /// assert_eq!((low.to_vec::<f64>(), high.to_vec::<f64>()), (vec![1.0, 3.0], vec![2.0, 5.0]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element.
    #[track_caller]
    pub fn aminmax_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        (self.amin(dim, keepdim), self.amax(dim, keepdim))
    }
}

#[cfg(test)]
mod tests;
