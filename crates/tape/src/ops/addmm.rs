//! Products of matrices added to a tensor in one pass: `beta * input + alpha * (a @ b)`.

use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, no_grad, save_factors};
use crate::dtype::dispatch_number;
use crate::kernel::copy;
use crate::kernel::matmul::{MatMul, Matrices, Start, matmul};
use crate::kernel::reduce::Number;
use crate::shape::{Dims, broadcasts_to};
use crate::storage::build;

/// `beta * input + alpha * (a @ b)` for matrices, or batches of one size.
pub(crate) struct Addmm {
    beta: f64,
    alpha: f64,
    name: &'static str,
}

impl Op for Addmm {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let left = || times(&grad.matmul(&rule.right_factor().mt()), self.alpha);
        let right = || times(&rule.left_factor().mt().matmul(grad), self.alpha);
        gradients![rule; times(grad, self.beta), left(), right()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs =
            |a: &[usize], b: &[usize], c: &[usize]| [spread(a, -1.0, 1.0), spread(b, -0.9, 0.9), spread(c, -0.8, 0.8)];
        vec![
            Sample::new(inputs(&[2, 4], &[2, 3], &[3, 4]), |x| x[0].addmm(&x[1], &x[2], 0.5, -2)),
            Sample::new(inputs(&[4], &[3, 2], &[3, 4]), |x| x[0].addmm(&x[1].t(), &x[2], 1, 1).square()),
            Sample::new(inputs(&[], &[2, 0], &[0, 2]), |x| x[0].addmm(&x[1], &x[2], 2, 1)),
            Sample::new(inputs(&[2, 2], &[2, 3], &[3, 2]), |x| x[0].addmm(&x[1], &x[2], 0, 1)),
            Sample::new(inputs(&[2, 1, 4], &[2, 2, 3], &[2, 3, 4]), |x| x[0].baddbmm(&x[1], &x[2], 2, 0.5)),
            Sample::new(inputs(&[2, 4], &[2, 2, 3], &[2, 3, 4]), |x| x[0].addbmm(&x[1], &x[2], 2, 0.5)),
            Sample::new(inputs(&[1], &[2, 3], &[3]), |x| x[0].addmv(&x[1], &x[2], 2, 0.5)),
            Sample::new(inputs(&[2, 3], &[2], &[3]), |x| x[0].addr(&x[1], &x[2], 2, 0.5)),
        ]
    }
}

/// Integers are multiplied by the factor without its fraction, as in torch.
fn times(x: &Tensor, factor: f64) -> Tensor {
    match factor {
        1.0 => x.clone(),
        _ if x.dtype().is_floating_point() => x * factor,
        _ => x * (factor as i64),
    }
}

/// `beta * input + alpha * (a @ b)`, where the shapes of `a` and `b` fit.
#[track_caller]
fn fused(op: &str, name: &'static str, input: &Tensor, [a, b]: [&Tensor; 2], beta: f64, alpha: f64) -> Tensor {
    let lead = a.dim() - 2;
    let (m, k, n) = (a.sizes()[lead], a.sizes()[lead + 1], b.sizes()[lead + 1]);
    let mut shape = Dims::from_slice(&a.sizes()[..lead]);
    shape.extend_from_slice(&[m, n]);
    if input.dtype() != a.dtype() || a.dtype() != b.dtype() {
        panic!(
            "{op}: self and mat2 must have the same dtype, but got {}, {} and {}; convert them with to_dtype",
            input.dtype(),
            a.dtype(),
            b.dtype()
        );
    }
    if !broadcasts_to(input.sizes(), &shape) {
        panic!(
            "{op}: The expanded size of the tensor must match the existing size at non-singleton dimensions. Target \
             sizes: {:?}. Tensor sizes: {:?}",
            &shape[..],
            input.sizes()
        );
    }
    let (start, scaled) = no_grad(|| (input.detach().expand_to(shape.clone()), times(&a.detach(), alpha)));
    let out = dispatch_number!(op, a.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            // With beta = 0 the input is not looked at: its NaN do not spread.
            match beta {
                0.0 => out.fill(T::default()),
                _ => start.with::<T, _>(|start| copy::to_dense(start, out)),
            }
            if beta != 0.0 && beta != 1.0 {
                scale(out, <T as crate::Element>::from_f64(beta));
            }
            add_product(&scaled, b, [m, k, n], out);
        });
        Tensor::from_buffer(buffer, shape)
    });
    out.record(&[input, a, b], || Addmm { beta, alpha, name }, |_| save_factors(a, b))
}

fn scale<T: Number>(out: &mut [T], factor: T) {
    out.iter_mut().for_each(|x| *x = x.times(factor));
}

fn add_product<T: MatMul>(a: &Tensor, b: &Tensor, mnk: [usize; 3], out: &mut [T]) {
    let lead = a.dim() - 2;
    a.with2::<T, T, _>(b, |x, y| {
        let matrices = |strides: &[usize]| [strides[lead], strides[lead + 1]];
        let a = Matrices { data: x.data, batch_strides: &x.strides[..lead], strides: matrices(x.strides) };
        let b = Matrices { data: y.data, batch_strides: &y.strides[..lead], strides: matrices(y.strides) };
        matmul(&x.shape[..lead], mnk, a, b, Start::Accumulate, out);
    });
}

/// Panics unless the arguments have the ranks that the operation needs.
#[track_caller]
fn check_ranks(op: &str, tensors: [&Tensor; 2], ranks: [usize; 2]) {
    if tensors.map(Tensor::dim) != ranks {
        panic!(
            "{op}: expected tensors of {} and {} dimensions, got {}-D and {}-D tensors (shapes {:?} and {:?})",
            ranks[0],
            ranks[1],
            tensors[0].dim(),
            tensors[1].dim(),
            tensors[0].sizes(),
            tensors[1].sizes()
        );
    }
}

#[track_caller]
fn check_batches(op: &str, a: &Tensor, b: &Tensor) {
    check_ranks(op, [a, b], [3, 3]);
    let (count, k) = (a.sizes()[0], a.sizes()[2]);
    if b.sizes()[..2] != [count, k] {
        panic!(
            "{op}: Expected size for first two dimensions of batch2 tensor to be: [{count}, {k}] but got: [{}, {}]. \
             (shapes {:?} and {:?})",
            b.sizes()[0],
            b.sizes()[1],
            a.sizes(),
            b.sizes()
        );
    }
}

impl Tensor {
    /// `beta * self + alpha * (m1 @ m2)` for two matrices; this tensor broadcasts. With `beta = 0` its
    /// elements do not matter, not even NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (bias, x) = (Tensor::from([10.0, 20.0]), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(bias.addmm(&x, &x, 1, 2).to_vec::<f64>(), [24.0, 40.0, 40.0, 64.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn addmm(&self, m1: &Tensor, m2: &Tensor, beta: impl Into<f64>, alpha: impl Into<f64>) -> Tensor {
        check_ranks("addmm", [m1, m2], [2, 2]);
        if m1.sizes()[1] != m2.sizes()[0] {
            panic!(
                "addmm: mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{}); the columns of the first must be \
                 as many as the rows of the second",
                m1.sizes()[0],
                m1.sizes()[1],
                m2.sizes()[0],
                m2.sizes()[1]
            );
        }
        fused("addmm", "AddmmBackward0", self, [m1, m2], beta.into(), alpha.into())
    }

    /// `beta * self + alpha * (matrix @ vector)`; this tensor broadcasts. With `beta = 0` its elements do not
    /// matter.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, v) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([1.0, 1.0]));
    /// assert_eq!(v.addmv(&x, &v, 10, 1).to_vec::<f64>(), [13.0, 17.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn addmv(&self, matrix: &Tensor, vector: &Tensor, beta: impl Into<f64>, alpha: impl Into<f64>) -> Tensor {
        check_ranks("addmv", [matrix, vector], [2, 1]);
        let (rows, columns) = (matrix.sizes()[0], matrix.sizes()[1]);
        if vector.sizes() != [columns] || !broadcasts_to(self.sizes(), &[rows]) {
            panic!(
                "addmv: size mismatch, got input {:?}, mat ({rows}x{columns}), vec {:?}",
                self.sizes(),
                vector.sizes()
            );
        }
        let start = self.expand_to(Dims::from_slice(&[rows])).unsqueeze(1);
        let pair = [matrix, &vector.unsqueeze(1)];
        fused("addmv", "AddmvBackward0", &start, pair, beta.into(), alpha.into()).squeeze_dim(1)
    }

    /// `beta * self + alpha * sum over i of batch1[i] @ batch2[i]`; this tensor broadcasts. With `beta = 0`
    /// its elements do not matter.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (a, b) = (Tensor::ones([5, 2, 3], DType::F64), Tensor::ones([5, 3, 2], DType::F64));
    /// assert_eq!(Tensor::from(1.0).addbmm(&a, &b, 1, 1).to_vec::<f64>(), [16.0; 4]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn addbmm(&self, batch1: &Tensor, batch2: &Tensor, beta: impl Into<f64>, alpha: impl Into<f64>) -> Tensor {
        check_batches("addbmm", batch1, batch2);
        // The sum over the batch is one product with all columns side by side.
        let (count, k) = (batch1.sizes()[0], batch1.sizes()[2]);
        let wide = batch1.transpose(0, 1).reshape_to(&[batch1.sizes()[1], count * k]);
        let tall = batch2.reshape_to(&[count * k, batch2.sizes()[2]]);
        fused("addbmm", "AddbmmBackward0", self, [&wide, &tall], beta.into(), alpha.into())
    }

    /// `beta * self + alpha * (batch1 @ batch2)` for batches of matrices; this tensor broadcasts. With
    /// `beta = 0` its elements do not matter.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (a, b) = (Tensor::ones([5, 2, 3], DType::F64), Tensor::ones([5, 3, 4], DType::F64));
    /// let scores = Tensor::zeros([5, 1, 4], DType::F64).baddbmm(&a, &b, 1, 0.5);
    /// assert_eq!((scores.sizes(), scores.max().item()), (&[5, 2, 4][..], 1.5));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn baddbmm(&self, batch1: &Tensor, batch2: &Tensor, beta: impl Into<f64>, alpha: impl Into<f64>) -> Tensor {
        check_batches("baddbmm", batch1, batch2);
        fused("baddbmm", "BaddbmmBackward0", self, [batch1, batch2], beta.into(), alpha.into())
    }

    /// `beta * self + alpha * (u outer v)` for two vectors; this tensor broadcasts. With `beta = 0` its
    /// elements do not matter.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (u, v) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(Tensor::ones([2, 2], DType::F64).addr(&u, &v, 1, 1).to_vec::<f64>(), [4.0, 5.0, 7.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn addr(&self, u: &Tensor, v: &Tensor, beta: impl Into<f64>, alpha: impl Into<f64>) -> Tensor {
        check_ranks("addr", [u, v], [1, 1]);
        let pair = [&u.unsqueeze(1), &v.unsqueeze(0)];
        fused("addr", "AddrBackward0", self, pair, beta.into(), alpha.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    fn close(a: &Tensor, b: &Tensor) {
        assert_eq!(a.sizes(), b.sizes());
        assert!(a.allclose(b, 1e-12, 1e-14), "{a} against {b}");
    }

    #[test]
    fn sums_of_products_are_what_they_say() {
        for (batch, m, k, n) in [(1, 1, 1, 1), (3, 2, 4, 5), (2, 40, 33, 21), (4, 3, 0, 2), (2, 0, 3, 2)] {
            let (a, b) = (spread(&[batch, m, k], -1.0, 1.0), spread(&[batch, k, n], -0.9, 0.9));
            let (row, whole) = (spread(&[n], -0.8, 0.8), spread(&[batch, m, n], -0.7, 0.7));
            let (a0, b0) = (a.select(0, 0), b.select(0, 0));
            let columns = b0.t().copy().t();
            close(&row.addmm(&a0, &columns, 3, 0.5), &(&row * 3.0 + a0.matmul(&b0) * 0.5));
            close(&whole.baddbmm(&a, &b, 1, 1), &(&whole + a.matmul(&b)));
            close(&row.addbmm(&a, &b, -2, 2), &(a.matmul(&b).sum_dim(0, false) * 2.0 - &row * 2.0));
            let (column, v) = (spread(&[m], -1.0, 1.0), spread(&[k], -1.0, 1.0));
            close(&column.addmv(&a0, &v, 2, -1), &(&column * 2.0 - a0.matmul(&v)));
            close(
                &whole.select(0, 0).addr(&column, &row, 2, 3),
                &(whole.select(0, 0) * 2.0 + column.outer(&row) * 3.0),
            );
        }
    }

    #[test]
    fn an_input_without_weight_is_not_looked_at() {
        let nan = Tensor::full([2, 2], f64::NAN, DType::F64).requires_grad_(true);
        let (a, b) = (Tensor::ones([2, 3], DType::F64), Tensor::ones([3, 2], DType::F64));
        let out = nan.addmm(&a, &b, 0, 1);
        assert_eq!(out.to_vec::<f64>(), [3.0; 4]);
        out.sum().backward().unwrap();
        assert_eq!(nan.grad().unwrap().to_vec::<f64>(), [0.0; 4]);
        assert_eq!(nan.i(0).addmv(&a, &b.select(1, 0), 0, 1).to_vec::<f64>(), [3.0; 2]);
        let empty =
            Tensor::ones([2, 2], DType::F32).addmm(&a.float().narrow(1, 0, 0), &b.float().narrow(0, 0, 0), 2, 1);
        assert_eq!(empty.to_vec::<f32>(), [2.0; 4]);
    }

    #[test]
    fn integers_are_exact_and_factors_truncated() {
        let ones = Tensor::ones([2, 2], DType::I64);
        // torch.addmm(ones, ones, ones, beta=2.5, alpha=3)
        assert_eq!(ones.addmm(&ones, &ones, 2.5, 3).to_vec::<i64>(), [8; 4]);
    }

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
        panics_with("cannot be multiplied (2x3 and 4x2)", || zeros(&[2]).addmm(&zeros(&[2, 3]), &zeros(&[4, 2]), 1, 1));
        panics_with("Target sizes: [2, 2]. Tensor sizes: [3]", || {
            zeros(&[3]).addmm(&zeros(&[2, 3]), &zeros(&[3, 2]), 1, 1)
        });
        panics_with("self and mat2 must have the same dtype", || {
            zeros(&[2]).addmm(&zeros(&[2, 3]), &zeros(&[3, 2]).double(), 1, 1)
        });
        panics_with("got input [3], mat (2x3), vec [3]", || zeros(&[3]).addmv(&zeros(&[2, 3]), &zeros(&[3]), 1, 1));
        panics_with("to be: [1, 3] but got: [2, 3]", || {
            zeros(&[2]).baddbmm(&zeros(&[1, 2, 3]), &zeros(&[2, 3, 2]), 1, 1)
        });
        panics_with("got 2-D and 1-D tensors", || zeros(&[2]).addr(&zeros(&[2, 2]), &zeros(&[2]), 1, 1));
    }
}
