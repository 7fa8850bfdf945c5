//! Products of vectors, matrices and batches of matrices.
//!
//! Transposes and broadcasts reach the kernel as strides: no derivative copies an operand.

use crate::autograd::{Gradients, Op, Rule, Saved, Saves, gradients, save_factors};
use crate::dtype::{dispatch_float, dispatch_number};
use crate::kernel::Strided;
use crate::kernel::copy::to_dense;
use crate::kernel::matmul::{MatMul as Kernel, Matrices, Start, matmul};
use crate::shape::{Dims, broadcast_strides, try_broadcast};
use crate::storage::build;
use crate::{DType, Float, Tensor, vector};
use std::borrow::Cow;

/// The inner product of two vectors.
pub(crate) struct Dot;
/// A product with torch's rules for the number of dimensions, but not of two vectors.
pub(crate) struct MatMul {
    name: &'static str,
}
impl Op for Dot {
    fn name(&self) -> &'static str {
        "DotBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad * rule.right_factor(), grad * rule.left_factor()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let pair = |len: usize| [spread(&[len], -1.0, 1.0), spread(&[len], -0.9, 0.9)];
        vec![
            Sample::new(pair(3), |x| x[0].dot(&x[1])),
            Sample::new(pair(9), |x| x[0].matmul(&x[1])),
            Sample::new(pair(0), |x| x[0].dot(&x[1])),
            Sample::new([spread(&[4], -1.0, 1.0)], |x| x[0].dot(&x[0])),
        ]
    }
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        gradients![rule; left_gradient(a, b, grad), right_gradient(a, b, grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let sample = |a: &[usize], b: &[usize]| {
            Sample::new([spread(a, -1.0, 1.0), spread(b, -0.9, 0.9)], |x| x[0].matmul(&x[1]))
        };
        let mut samples = vec![
            sample(&[2, 3], &[3, 4]),
            sample(&[2, 3], &[3]),
            sample(&[3], &[3, 2]),
            sample(&[2, 2, 3], &[3]),
            sample(&[3], &[2, 3, 2]),
            sample(&[2, 2, 3], &[3, 2]),
            sample(&[2, 3], &[2, 3, 2]),
            sample(&[2, 2, 3], &[2, 3, 2]),
            sample(&[2, 1, 2, 3], &[3, 3, 2]),
            sample(&[1, 2, 3], &[2, 3, 1]),
            sample(&[2, 0], &[0, 3]),
            sample(&[0, 2], &[2, 3]),
            sample(&[0, 2, 2], &[2, 3]),
        ];
        let square = || [spread(&[2, 3], -1.0, 1.0), spread(&[2, 3], -0.9, 0.9)];
        samples.push(Sample::new(square(), |x| x[0].t().matmul(&x[1])));
        samples.push(Sample::new(square(), |x| x[0].matmul(&x[1].t())));
        samples.push(Sample::new([spread(&[3, 3], -1.0, 1.0)], |x| x[0].mm(&x[0].t()).matmul(&x[0])));
        samples
    }
}

/// All but the last dimension merged into one.
pub(super) fn rows(x: &Tensor) -> Tensor {
    match x.dim() {
        1 => x.unsqueeze(0),
        2 => x.clone(),
        _ => x.flatten(0, -2),
    }
}

/// The gradient of `a @ b` as a batch of matrices, whatever vectors the product was of.
fn matrices(a: &Tensor, b: &Tensor, grad: &Tensor) -> Tensor {
    match (a.dim(), b.dim()) {
        (1, _) => grad.unsqueeze(-2),
        (_, 1) => grad.unsqueeze(-1),
        _ => grad.clone(),
    }
}

/// `grad @ b^T`; the engine sums over the batch where `a` was broadcast.
fn left_gradient(a: &Tensor, b: &Tensor, grad: &Tensor) -> Tensor {
    let grad = matrices(a, b, grad);
    let b = if b.dim() == 1 { b.unsqueeze(0) } else { b.transpose(-1, -2) };
    let product = grad.matmul(&b);
    if a.dim() == 1 { product.squeeze_dim(-2) } else { product }
}

/// `a^T @ grad`; one product over all rows where a single `b` served the whole batch.
fn right_gradient(a: &Tensor, b: &Tensor, grad: &Tensor) -> Tensor {
    let grad = matrices(a, b, grad);
    let product = match (a.dim(), b.dim()) {
        (1, _) => a.unsqueeze(-1).matmul(&grad),
        (_, 1 | 2) => rows(a).t().matmul(&rows(&grad)),
        _ => a.transpose(-1, -2).matmul(&grad),
    };
    if b.dim() == 1 { product.squeeze_dim(-1) } else { product }
}

/// Sizes of a product, with vectors as matrices of one row or column.
pub(super) struct Sizes {
    pub batch: Dims,
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

impl Sizes {
    /// Panics with torch's text unless the shapes fit.
    #[track_caller]
    fn new(a: &Tensor, b: &Tensor) -> Sizes {
        let ([.., ka], [.., last]) = (a.sizes(), b.sizes()) else {
            panic!(
                "matmul: both arguments to matmul need to be at least 1D, but they are {}D and {}D; multiply \
                 by a scalar with mul",
                a.dim(),
                b.dim()
            );
        };
        let (m, kb, n) = match (a.sizes(), b.sizes()) {
            ([.., m, _], [.., kb, n]) => (*m, *kb, *n),
            ([.., m, _], [kb]) => (*m, *kb, 1),
            ([_], [.., kb, n]) => (1, *kb, *n),
            _ => (1, *last, 1),
        };
        let lead = |shape: &[usize]| Dims::from_slice(&shape[..shape.len().saturating_sub(2)]);
        let (lead_a, lead_b) = (lead(a.sizes()), lead(b.sizes()));
        let batch = try_broadcast(&lead_a, &lead_b);
        match batch {
            Ok(batch) if *ka == kb => Sizes { batch, m, k: kb, n },
            batch => refuse(a, b, batch.err()),
        }
    }

    /// The product's shape: without the dimensions that vectors do not have.
    fn shape(&self, a: &Tensor, b: &Tensor) -> Dims {
        let mut shape = self.batch.clone();
        if a.dim() > 1 {
            shape.push(self.m);
        }
        if b.dim() > 1 {
            shape.push(self.n);
        }
        shape
    }
}

/// Panics with torch's text for shapes that cannot be multiplied.
#[track_caller]
fn refuse(a: &Tensor, b: &Tensor, unbroadcast: Option<usize>) -> ! {
    let (sa, sb) = (a.sizes(), b.sizes());
    let text = match (sa, sb, unbroadcast) {
        (.., Some(dim)) => {
            format!("The batch dimensions of tensor a must match those of tensor b at non-singleton dimension {dim}")
        }
        ([ka], [kb], _) => format!(
            "inconsistent tensor size, expected tensor [{ka}] and src [{kb}] to have the same number of \
             elements, but got {ka} and {kb} elements respectively"
        ),
        ([.., k], [kb], _) => {
            let rows = a.numel() / k.max(&1);
            format!("size mismatch, got input ({rows}), mat ({rows}x{k}), vec ({kb})")
        }
        ([.., k], [kb, n], _) => {
            format!("mat1 and mat2 shapes cannot be multiplied ({}x{k} and {kb}x{n})", a.numel() / k.max(&1))
        }
        _ => format!(
            "Expected size for first two dimensions of batch2 tensor to be: [{}, {}] but got: [{}, {}].",
            sb[0],
            sa[sa.len() - 1],
            sb[0],
            sb[sb.len() - 2]
        ),
    };
    panic!(
        "matmul: {text}; shapes are {sa:?} and {sb:?}: the last dimension of the first must be the second to \
         last of the second (transpose(-1, -2) exchanges them) and the dimensions before must broadcast"
    )
}

#[track_caller]
pub(super) fn check_dtypes(op: &str, a: &Tensor, b: &Tensor) {
    if a.dtype() != b.dtype() {
        panic!(
            "{op}: expected m1 and m2 to have the same dtype, but got: {} != {}; convert one of them with \
             to_dtype(DType::{:?})",
            a.dtype().short_name(),
            b.dtype().short_name(),
            if a.dtype().is_floating_point() { a.dtype() } else { b.dtype() }
        );
    }
}

/// The two last strides, with those of vectors as rows (left) or columns (right) of a matrix.
fn last_strides(x: &Tensor, left: bool) -> [usize; 2] {
    match *x.stride() {
        [stride] if left => [0, stride],
        [stride] => [stride, 0],
        [.., rows, columns] => [rows, columns],
        [] => [0, 0],
    }
}

/// Strides over the batch dimensions of a product.
fn batch_strides(x: &Tensor, batch: &[usize]) -> Dims {
    let lead = x.dim().saturating_sub(2);
    broadcast_strides(&x.sizes()[..lead], &x.stride()[..lead], batch)
}

/// `start + a @ b`, not recorded. `bias` is added to every row; it is dense if there is one.
pub(super) fn product<T: Kernel>(a: &Tensor, b: &Tensor, bias: Option<&Tensor>, sizes: &Sizes, shape: Dims) -> Tensor {
    let (batch_a, batch_b) = (batch_strides(a, &sizes.batch), batch_strides(b, &sizes.batch));
    let (strides_a, strides_b) = (last_strides(a, true), last_strides(b, false));
    let mnk = [sizes.m, sizes.k, sizes.n];
    let buffer = build::<T>(shape.iter().product(), |out| {
        let mut run = |a: Strided<'_, T>, b: Strided<'_, T>, start: Start<'_, T>| {
            let a = Matrices { data: a.data, batch_strides: &batch_a, strides: strides_a };
            let b = Matrices { data: b.data, batch_strides: &batch_b, strides: strides_b };
            matmul(&sizes.batch, mnk, a, b, start, out);
        };
        match bias {
            None => a.with2::<T, T, _>(b, |a, b| run(a, b, Start::Zero)),
            Some(bias) => a.with3::<T, T, T, _>(b, bias, |a, b, bias| {
                run(a, b, Start::Bias(&bias.data[..sizes.n]));
            }),
        }
    });
    Tensor::from_buffer(buffer, shape)
}

/// The elements of a vector next to each other.
fn dense<T: crate::Element>(x: Strided<'_, T>) -> Cow<'_, [T]> {
    match x.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => {
            let mut values = vec![T::default(); x.numel()];
            to_dense(x, &mut values);
            Cow::Owned(values)
        }
    }
}

fn inner_product<T: Float>(a: &Tensor, b: &Tensor) -> Tensor {
    let value = a.with2::<T, T, _>(b, |a, b| vector::dot(&dense(a), &dense(b)));
    Tensor::from_buffer(build::<T>(1, |out| out[0] = value), Dims::new())
}

impl Tensor {
    /// The product of two tensors with torch's rules: of two vectors the inner product, of matrices and
    /// vectors the usual ones, of tensors with more dimensions `[.., m, k] @ [.., k, n] = [.., m, n]` for
    /// every index of the dimensions before, which broadcast. A vector is a row on the left and a column
    /// on the right, and the result lacks that dimension.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let v = Tensor::from([1.0, -1.0]);
    /// assert_eq!(a.matmul(&a).to_vec::<f64>(), [7.0, 10.0, 15.0, 22.0]);
    /// assert_eq!(a.matmul(&v).to_vec::<f64>(), [-1.0, -1.0]);
    /// assert_eq!(v.matmul(&v).item(), 2.0);
    /// let (batch, others) = (Tensor::ones([5, 1, 4, 2], DType::F64), Tensor::ones([3, 2, 6], DType::F64));
    /// assert_eq!(batch.matmul(&others).shape(), [5, 3, 4, 6]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, the dtypes differ, or the dtype is `Bool`.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        check_dtypes("matmul", self, other);
        let sizes = Sizes::new(self, other);
        let shape = sizes.shape(self, other);
        if self.dim() == 1 && other.dim() == 1 && self.dtype() != DType::I64 {
            let out = dispatch_float!("matmul", self.dtype(), T => inner_product::<T>(self, other));
            return out.record(&[self, other], || Dot, |_| save_factors(self, other));
        }
        let out = dispatch_number!("matmul", self.dtype(), T => product::<T>(self, other, None, &sizes, shape));
        let name = || match (self.dim(), other.dim()) {
            (2, 2) => "MmBackward0",
            (_, 1) | (1, 2) => "MvBackward0",
            _ => "BmmBackward0",
        };
        out.record(
            &[self, other],
            || MatMul { name: name() },
            |_| {
                let save = |x: &Tensor, other: &Tensor| match other.requires_grad() {
                    true => Saved::input(x),
                    false => Saved::shape_of(x),
                };
                Saves::from_buf([save(self, other), save(other, self)])
            },
        )
    }

    /// The product of two matrices.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul), and if one is not a matrix.
    #[track_caller]
    pub fn mm(&self, other: &Tensor) -> Tensor {
        self.check_ranks("mm", other, [2, 2]);
        self.matmul(other)
    }

    /// The product of a matrix and a vector.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul), and if these are not a matrix and a vector.
    #[track_caller]
    pub fn mv(&self, vector: &Tensor) -> Tensor {
        self.check_ranks("mv", vector, [2, 1]);
        self.matmul(vector)
    }

    /// The products of a batch of matrices with another of the same size,
    /// `[b, m, k] @ [b, k, n] = [b, m, n]`. It does not broadcast; [`matmul`](Tensor::matmul) does.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul), and if one does not have three dimensions or the batches differ.
    #[track_caller]
    pub fn bmm(&self, other: &Tensor) -> Tensor {
        self.check_ranks("bmm", other, [3, 3]);
        if self.sizes()[0] != other.sizes()[0] {
            panic!(
                "bmm: Expected size for first two dimensions of batch2 tensor to be: [{}, {}] but got: [{}, \
                 {}]. (shapes {:?} and {:?}; matmul broadcasts a batch of one)",
                self.sizes()[0],
                self.sizes()[2],
                other.sizes()[0],
                other.sizes()[1],
                self.sizes(),
                other.sizes()
            );
        }
        self.matmul(other)
    }

    /// The inner product of two vectors.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).dot(&Tensor::from([3.0, 4.0])).item(), 11.0);
    /// ```
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul), and if one is not a vector.
    #[track_caller]
    pub fn dot(&self, other: &Tensor) -> Tensor {
        self.check_ranks("dot", other, [1, 1]);
        self.matmul(other)
    }

    /// The outer product `out[i, j] = self[i] * other[j]` of two vectors.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let outer = Tensor::from([1.0, 2.0]).outer(&Tensor::from([3.0, 4.0, 5.0]));
    /// assert_eq!(outer.to_vec::<f64>(), [3.0, 4.0, 5.0, 6.0, 8.0, 10.0]);
    /// ```
    ///
    /// # Panics
    /// If one is not a vector.
    #[track_caller]
    pub fn outer(&self, other: &Tensor) -> Tensor {
        self.check_ranks("outer", other, [1, 1]);
        self.unsqueeze(-1).mul(other)
    }

    #[track_caller]
    fn check_ranks(&self, op: &str, other: &Tensor, ranks: [usize; 2]) {
        if [self.dim(), other.dim()] != ranks {
            panic!(
                "{op}: {}D and {}D tensors expected, but got {}D and {}D tensors (shapes {:?} and {:?}); \
                 matmul takes all combinations",
                ranks[0],
                ranks[1],
                self.dim(),
                other.dim(),
                self.sizes(),
                other.sizes()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    /// `[m, k] @ [k, n]` by three loops.
    fn naive(a: &Tensor, b: &Tensor) -> Vec<f64> {
        let (a, b, [m, k], n) = (a.to_vec::<f64>(), b.to_vec::<f64>(), [a.sizes()[0], a.sizes()[1]], b.sizes()[1]);
        let element = |index: usize| (0..k).map(|l| a[index / n * k + l] * b[l * n + index % n]).sum();
        (0..m * n).map(element).collect()
    }

    fn close(actual: &Tensor, expected: &[f64]) {
        let actual = actual.to_vec::<f64>();
        assert_eq!(actual.len(), expected.len());
        for (a, b) in actual.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{actual:?} {expected:?}");
        }
    }

    #[test]
    fn every_layout_of_two_matrices_gives_the_product() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (17, 9, 5), (40, 33, 21), (5, 0, 3), (0, 3, 2), (1, 70, 1), (9, 70, 1)]
        {
            let (a, b) = (spread(&[m, k], -1.0, 1.0), spread(&[k, n], -0.9, 0.9));
            let expected = naive(&a, &b);
            let columns = |x: &Tensor| x.t().copy().t();
            close(&a.matmul(&b), &expected);
            close(&columns(&a).matmul(&b), &expected);
            close(&a.matmul(&columns(&b)), &expected);
            close(&columns(&a).mm(&columns(&b)), &expected);
            let spaced = spread(&[m, 2 * k], -1.0, 1.0).slice(1, .., 2);
            close(&spaced.matmul(&b), &naive(&spaced, &b));
        }
    }

    #[test]
    fn vectors_are_rows_on_the_left_and_columns_on_the_right() {
        let (a, v, w) = (spread(&[4, 3], -1.0, 1.0), spread(&[3], -0.9, 0.9), spread(&[4], -0.8, 0.8));
        let (mv, vm, vv) = (a.matmul(&v), w.matmul(&a), v.matmul(&v));
        assert_eq!((mv.sizes(), vm.sizes(), vv.sizes()), (&[4][..], &[3][..], &[][..]));
        close(&mv, &naive(&a, &v.unsqueeze(1)));
        close(&vm, &naive(&w.unsqueeze(0), &a));
        close(&vv, &naive(&v.unsqueeze(0), &v.unsqueeze(1)));
        close(&v.outer(&w), &naive(&v.unsqueeze(1), &w.unsqueeze(0)));
        close(&a.select(1, 0).dot(&w), &naive(&a.slice(1, ..1, 1).t(), &w.unsqueeze(1)));
    }

    #[test]
    fn batches_broadcast() {
        for (batch_a, batch_b, shape) in [
            (&[2][..], &[2][..], &[2][..]),
            (&[2, 1], &[3], &[2, 3]),
            (&[1], &[4], &[4]),
            (&[2, 3], &[], &[2, 3]),
            (&[], &[3, 1], &[3, 1]),
            (&[0, 2], &[1], &[0, 2]),
        ] {
            let a = spread(&[batch_a, &[3, 4]].concat(), -1.0, 1.0);
            let b = spread(&[batch_b, &[4, 2]].concat(), -0.9, 0.9);
            let product = a.matmul(&b);
            assert_eq!(product.sizes(), [shape, &[3, 2]].concat());
            let count: usize = shape.iter().product();
            let flat = |x: &Tensor, m, n| x.expand([shape, &[m, n]].concat()).reshape([count, m, n]);
            let pairs = flat(&a, 3, 4).unbind(0).into_iter().zip(flat(&b, 4, 2).unbind(0));
            close(&product, &pairs.flat_map(|(a, b)| naive(&a, &b)).collect::<Vec<_>>());
        }
        let (a, v) = (spread(&[2, 3, 4], -1.0, 1.0), spread(&[4], -1.0, 1.0));
        assert_eq!(a.matmul(&v).sizes(), [2, 3]);
        assert_eq!(v.matmul(&a.transpose(1, 2)).sizes(), [2, 3]);
        close(&a.bmm(&a.transpose(1, 2)).select(0, 1), &naive(&a.select(0, 1), &a.select(0, 1).t()));
    }

    #[test]
    fn integers_multiply_exactly() {
        let a = Tensor::arange(0, 6, 1).reshape([2, 3]);
        assert_eq!(a.matmul(&a.t()).to_vec::<i64>(), [5, 14, 14, 50]);
        assert_eq!(a.select(0, 1).dot(&a.select(0, 0)).item_as::<i64>(), 14);
    }

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn shapes_and_dtypes_that_do_not_fit_are_named() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
        let product = |a: &[usize], b: &[usize]| zeros(a).matmul(&zeros(b));
        panics_with("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", || product(&[2, 3], &[4, 5]));
        panics_with("mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)", || product(&[3], &[4, 5]));
        panics_with("mat1 and mat2 shapes cannot be multiplied (4x3 and 4x5)", || product(&[2, 2, 3], &[4, 5]));
        panics_with("size mismatch, got input (2), mat (2x3), vec (4)", || product(&[2, 3], &[4]));
        panics_with("expected tensor [3] and src [4] to have the same", || product(&[3], &[4]));
        panics_with("batch2 tensor to be: [2, 3] but got: [2, 4].", || product(&[2, 2, 3], &[2, 4, 5]));
        panics_with("at non-singleton dimension 0", || product(&[2, 2, 3], &[3, 3, 5]));
        panics_with("need to be at least 1D, but they are 0D and 1D", || product(&[], &[3]));
        panics_with("2D and 2D tensors expected, but got 3D and 2D", || zeros(&[1, 2, 2]).mm(&zeros(&[2, 2])));
        panics_with("batch2 tensor to be: [2, 3] but got: [1, 3].", || zeros(&[2, 2, 3]).bmm(&zeros(&[1, 3, 2])));
        let double = Tensor::zeros([3, 3], DType::F64);
        panics_with("expected m1 and m2 to have the same dtype, but got: float != double", || {
            zeros(&[3, 3]).matmul(&double)
        });
    }
}
