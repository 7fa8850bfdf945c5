//! Distances and similarities of rows.

use crate::autograd::{Gradients, Op, Rule, Saved, gradients, no_grad, saves};
use crate::dtype::dispatch_float;
use crate::kernel::distance as kernel;
use crate::op::promoted;
use crate::shape::{Dims, broadcast};
use crate::storage::build;
use crate::{DType, Tensor};

/// From how many rows on the gradient is a matrix product, as in torch.
const MANY: usize = 25;

/// The `p`-distances of all pairs of rows.
pub(crate) struct Cdist(f64);

impl Op for Cdist {
    fn name(&self) -> &'static str {
        "CdistBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b, distance) = (rule.saved(0), rule.saved(1), rule.saved(2));
        let p = self.0;
        if p == 0.0 {
            return gradients![rule; a.zeros_like(), b.zeros_like()];
        }
        let rows = grad.size(-2).max(grad.size(-1));
        if p == 2.0 && rows > MANY {
            // The sum over j of `ratio_ij (a_i - b_j)`, without a tensor of all differences.
            let ratio = over_distance(grad, distance, 1.0);
            return gradients![rule;
                a * ratio.sum_dim(-1, true) - ratio.matmul(b),
                b * ratio.sum_dim(-2, false).unsqueeze(-1) - ratio.transpose(-2, -1).matmul(a),
            ];
        }
        let difference = a.unsqueeze(-2) - b.unsqueeze(-3);
        let slope = slope(p, &grad.unsqueeze(-1), &difference, &distance.unsqueeze(-1));
        gradients![rule; slope.sum_dim(-2, false), slope.sum_dim(-3, false).neg()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = |a: &[usize], b: &[usize]| [spread(a, -2.0, 2.0), spread(b, -1.8, 2.1)];
        let mut samples: Vec<Sample> = [1.0, 2.0, 0.5, 1.5, 3.0, f64::INFINITY]
            .into_iter()
            .map(|p| Sample::new(inputs(&[2, 3], &[3, 3]), move |x| x[0].cdist(&x[1], p)))
            .collect();
        samples.push(Sample::new(inputs(&[2, 1, 2, 2], &[3, 1, 2]), |x| x[0].cdist(&x[1], 2.0)));
        samples.push(Sample::new(inputs(&[26, 2], &[1, 2]), |x| x[0].cdist(&x[1], 2.0)));
        samples.push(Sample::new(inputs(&[2, 1, 2], &[2, 27, 2]), |x| x[0].cdist(&x[1], 2.0)));
        samples.push(Sample::new([spread(&[4, 2], -1.0, 1.0)], |x| x[0].pdist(2.0)));
        samples.push(Sample::new([spread(&[4, 2], -1.0, 1.0)], |x| x[0].pdist(1.0) * x[0].pdist(3.0)));
        samples.push(Sample::new(inputs(&[0, 2], &[2, 2]), |x| x[0].cdist(&x[1], 2.0)));
        samples.push(Sample::new(inputs(&[2, 3], &[3]), |x| x[0].cosine_similarity(&x[1], -1, 1e-8)));
        samples.push(Sample::new(inputs(&[3, 2], &[3, 2]), |x| x[0].cosine_similarity(&x[1], 0, 1e-8)));
        samples.push(Sample::new(inputs(&[2, 3], &[1, 3]), |x| x[0].pairwise_distance(&x[1], 2.0, 1e-6, true)));
        samples
    }
}

/// `grad / distance^power`, and zero where the distance is zero, in every order.
fn over_distance(grad: &Tensor, distance: &Tensor, power: f64) -> Tensor {
    let coincident = distance.eq(0);
    (grad / distance.masked_fill(&coincident, 1).pow(power)).masked_fill(&coincident, 0)
}

/// The derivative of the distance by each difference, times the gradient; zero at coincident rows and at equal
/// coordinates. Of equal largest differences each gets the whole gradient, as in torch.
fn slope(p: f64, grad: &Tensor, difference: &Tensor, distance: &Tensor) -> Tensor {
    if p == 1.0 {
        grad * difference.sign()
    } else if p == 2.0 {
        over_distance(grad, distance, 1.0) * difference
    } else if p == f64::INFINITY {
        grad * difference.sign() * difference.abs().eq(distance)
    } else {
        let equal = difference.eq(0);
        let power = difference.abs().masked_fill(&equal, 1).pow(p - 1.0);
        over_distance(grad, distance, p - 1.0) * (difference.sign() * power)
    }
}

impl Tensor {
    /// The `p`-norms of the differences of all pairs of rows: `out[.., i, j] = |self[.., i, :] - other[.., j, :]|`,
    /// for tensors of shapes `[.., P, M]` and `[.., R, M]` whose leading dimensions broadcast. The gradient of
    /// coincident rows is zero.
    ///
    /// Differences are taken before they are squared, so that near rows far from the origin lose no digits.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (a, b) = (Tensor::from([[0.0, 0.0], [3.0, 4.0]]), Tensor::from([[0.0, 0.0]]));
    /// assert_eq!(a.cdist(&b, 2).to_vec::<f64>(), [0.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If a tensor has fewer than two dimensions, the numbers of columns or the dtypes differ, the dtype is not
    /// floating point, `p` is negative, or the leading dimensions do not broadcast.
    #[track_caller]
    pub fn cdist(&self, other: &Tensor, p: impl Into<f64>) -> Tensor {
        let p = p.into();
        self.check_cdist(other, p);
        let ((lead_a, a), (lead_b, b)) = (split_rows(self), split_rows(other));
        let batch = broadcast("cdist", lead_a, lead_b);
        let width = a[1];
        let (x1, x2) = no_grad(|| (expand_batch(self, &batch, a).dense(), expand_batch(other, &batch, b).dense()));
        let mut shape = batch;
        shape.extend([a[0], b[0]]);
        let out = dispatch_float!("cdist", self.dtype(), T => {
            let numel: usize = shape.iter().product();
            let buffer = build::<T>(numel, |out| x1.with2::<T, T, _>(&x2, |x1, x2| {
                let pairs = a[0] * b[0];
                if pairs == 0 {
                    return;
                }
                for (i, out) in out.chunks_exact_mut(pairs).enumerate() {
                    let rows = |count: usize| i * count * width..(i + 1) * count * width;
                    let (x1, x2) = (&x1.data[rows(a[0])], &x2.data[rows(b[0])]);
                    kernel::distances(x1, x2, width, p, out);
                }
            }));
            Tensor::from_buffer(buffer, shape)
        });
        let saved = |out: &Tensor| {
            let mut saved = saves![self, other];
            saved.push(Saved::output(out, 0));
            saved
        };
        out.record(&[self, other], || Cdist(p), saved)
    }

    #[track_caller]
    fn check_cdist(&self, other: &Tensor, p: f64) {
        for (name, x) in [("X1", self), ("X2", other)] {
            if !x.dtype().is_floating_point() {
                panic!(
                    "cdist: cdist only supports floating-point dtypes, {name} got: {}; convert with float()",
                    x.dtype()
                );
            }
            if x.dim() < 2 {
                panic!(
                    "cdist: cdist only supports at least 2D tensors, {name} got: {}D (shape {:?}); unsqueeze it",
                    x.dim(),
                    x.sizes()
                );
            }
        }
        if self.size(-1) != other.size(-1) {
            panic!(
                "cdist: X1 and X2 must have the same number of columns. X1: {} X2: {} (shapes {:?} and {:?})",
                self.size(-1),
                other.size(-1),
                self.sizes(),
                other.sizes()
            );
        }
        if self.dtype() != other.dtype() {
            panic!("cdist: expected one dtype but found {} and {}; convert one tensor", self.dtype(), other.dtype());
        }
        if p.is_nan() || p < 0.0 {
            panic!("cdist: cdist only supports non-negative p values, but got {p}");
        }
    }

    /// The `p`-norms of the differences of all pairs of rows `i < j` of a matrix, in row-major order: the upper
    /// triangle of [`cdist`](Tensor::cdist) with itself.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]);
    /// assert_eq!(x.pdist(1).to_vec::<f64>(), [7.0, 1.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a matrix of a floating-point dtype, or `p` is negative.
    #[track_caller]
    pub fn pdist(&self, p: impl Into<f64>) -> Tensor {
        if self.dim() != 2 {
            panic!("pdist: pdist only supports 2D tensors, got: {}D (shape {:?})", self.dim(), self.sizes());
        }
        let rows = self.sizes()[0];
        let upper = (0..rows).flat_map(|i| (i + 1..rows).map(move |j| (i * rows + j) as i64));
        let upper = Tensor::from_vec(upper.collect::<Vec<_>>(), rows * rows.saturating_sub(1) / 2);
        self.cdist(self, p).reshape_to(&[rows * rows]).index_select(0, &upper)
    }

    /// The `p`-norm of `self - other + eps` over the last dimension, under broadcasting; torch's defaults are `p` 2
    /// and `eps` 1e-6.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (a, b) = (Tensor::from([[0.0, 3.0], [1.0, 1.0]]), Tensor::from([4.0, 0.0]));
    /// assert_eq!(a.pairwise_distance(&b, 1, 0.0, false).to_vec::<f64>(), [7.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype of the difference is not floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn pairwise_distance(&self, other: &Tensor, p: impl Into<f64>, eps: impl Into<f64>, keepdim: bool) -> Tensor {
        (self - other + eps.into()).norm_dim(p, -1, keepdim)
    }

    /// `x . y / (|x| |y|)` along dimension `dim` of the broadcast shape; each norm counts as at least `eps`, whose
    /// default in torch is 1e-8. As in torch, a norm below `eps` is replaced in value but keeps its gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, y) = (Tensor::from([1.0, 0.0]), Tensor::from([3.0, 4.0]));
    /// assert!((x.cosine_similarity(&y, 0, 1e-8).item() - 0.6).abs() < 1e-15);
    /// ```
    ///
    /// # Panics
    /// If the common dtype is not floating point, the shapes do not broadcast, or the dimension is out of range.
    #[track_caller]
    pub fn cosine_similarity(&self, other: &Tensor, dim: isize, eps: impl Into<f64>) -> Tensor {
        let (x, y) = promoted(self, other);
        if !matches!(x.dtype(), DType::F32 | DType::F64) {
            panic!(
                "cosine_similarity: expected common dtype to be floating point, yet common dtype is {}; convert with \
                 float() or double() first",
                x.dtype()
            );
        }
        let shape = broadcast("cosine_similarity", x.sizes(), y.sizes());
        let eps = eps.into();
        let direction = |x: Tensor| {
            let x = x.expand_to(shape.clone());
            let norm = x.norm_dim(2.0, dim, true).copy();
            norm.overwrite(&no_grad(|| norm.clamp_min(eps)));
            x / norm
        };
        (direction(x) * direction(y)).sum_dim(dim, false)
    }
}

/// The leading dimensions, and the number of rows and columns.
fn split_rows(x: &Tensor) -> (&[usize], [usize; 2]) {
    let (lead, rows) = x.sizes().split_at(x.dim() - 2);
    (lead, [rows[0], rows[1]])
}

fn expand_batch(x: &Tensor, batch: &Dims, rows: [usize; 2]) -> Tensor {
    let mut shape = batch.clone();
    shape.extend(rows);
    x.expand_to(shape)
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor, grad, gradgradcheck};
    use std::f64::consts::SQRT_2;

    const INF: f64 = f64::INFINITY;

    /// The exponent, all distances to `y`, their gradient, and that of the distances among `z`.
    type Case = (f64, [f64; 6], [f64; 4], [f64; 8]);

    fn close(found: &Tensor, expected: &[f64]) {
        let found = found.to_vec::<f64>();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{found:?} against {expected:?}");
    }

    #[test]
    #[rustfmt::skip]
    fn gradients_are_torchs_with_coincident_rows_and_ties() {
        let y = Tensor::from([[1.0, 2.0], [0.0, 0.0], [2.0, 3.0]]);
        let z = Tensor::from([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0], [0.0, 1.0]]).requires_grad_(true);
        let expected: [Case; 5] = [
            (0.0, [0.0, 2.0, 2.0, 1.0, 2.0, 2.0], [0.0; 4], [0.0; 8]),
            (1.0, [0.0, 3.0, 2.0, 2.0, 5.0, 2.0], [0.0, 0.0, 3.0, 0.0], [0.0, 1.0, 3.0, 1.0, 0.0, 1.0, -3.0, -3.0]),
            (2.0, [0.0, 2.23606797749979, SQRT_2, 2.0, 3.605551275463989, SQRT_2],
                [-0.25989318568658953, 0.1873204098133684, 2.539157075524391, -0.15240658496131831],
                [-0.29289321881345254, 0.7071067811865475, 2.948683298050514, 0.31622776601683794,
                 -0.29289321881345254, 0.7071067811865475, -2.362896860423609, -1.730441328389933]),
            (INF, [0.0, 2.0, 1.0, 2.0, 3.0, 1.0], [-1.0, 0.0, 3.0, -1.0], [0.0, 1.0, 3.0, 0.0, 0.0, 1.0, -3.0, -2.0]),
            (0.5, [0.0, 5.82842712474619, 4.0, 2.0, 9.898979485566358, 4.0],
                [0.4142135623730949, -0.29289321881345254, 4.816496580927726, 0.22474487139158894],
                [1.0, 2.0, 3.5773502691896257, 2.732050807568877, 1.0, 2.0, -5.577350269189626, -6.732050807568877]),
        ];
        for (p, values, gradient, among) in expected {
            let x = Tensor::from([[1.0, 2.0], [3.0, 2.0]]).requires_grad_(true);
            let distances = x.cdist(&y, p);
            close(&distances, &values);
            close(&grad(distances.sum(), &x).compute().unwrap()[0], &gradient);
            close(&grad(z.pdist(p).sum(), &z).compute().unwrap()[0], &among);
        }
    }

    #[test]
    fn long_rows_and_many_pairs_agree_with_a_loop() {
        let (a, b) = (crate::op::spread(&[90, 37], -1.0, 1.0), crate::op::spread(&[70, 37], -3.0, 2.0));
        let (rows_a, rows_b) = (a.to_vec::<f64>(), b.to_vec::<f64>());
        for p in [0.0, 1.0, 2.0, 2.5, INF] {
            let expected: Vec<f64> = rows_a
                .chunks(37)
                .flat_map(|a| rows_b.chunks(37).map(move |b| (Tensor::from(a) - Tensor::from(b)).norm(p).item()))
                .collect();
            let found = a.cdist(&b, p).to_vec::<f64>();
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13 * b), "{p}");
        }
    }

    #[test]
    fn a_kernel_matrix_has_a_second_derivative_in_spite_of_its_diagonal() {
        let x = crate::op::spread(&[4, 2], -1.0, 1.0);
        // exp(-d^2) is smooth where d is not.
        gradgradcheck(|x| x[0].pdist(2.0).pow(2.0).neg().exp(), &[&x]).unwrap();
        let x = x.requires_grad_(true);
        let first = grad(x.cdist(&x, 2.0).sum(), &x).create_graph(true).compute().unwrap().remove(0);
        let second = grad(first.pow(2.0).sum(), &x).compute().unwrap().remove(0);
        assert!(second.isfinite().all().item_as::<bool>());
    }

    #[test]
    fn shapes_and_empty_tensors() {
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32);
        assert_eq!(ones(&[5, 1, 2, 3]).cdist(&ones(&[4, 6, 3]), 2).sizes(), [5, 4, 2, 6]);
        assert_eq!(ones(&[2, 0]).cdist(&ones(&[3, 0]), 2).to_vec::<f32>(), [0.0; 6]);
        assert_eq!(ones(&[0, 2]).cdist(&ones(&[3, 2]), 2).sizes(), [0, 3]);
        assert_eq!(ones(&[1, 3]).pdist(2).sizes(), [0]);
        assert_eq!(ones(&[3, 2]).cosine_similarity(&ones(&[2]), -1, 1e-8).sizes(), [3]);
        assert_eq!(ones(&[3, 2]).pairwise_distance(&ones(&[2]), 2, 1e-6, true).sizes(), [3, 1]);
    }

    #[test]
    fn small_norms_keep_their_gradient_in_the_cosine() {
        let y = Tensor::from([1.0, 2.0]);
        let check = |x: [f64; 2], eps: f64, value: f64, gradient: [f64; 2]| {
            let x = Tensor::from(x).requires_grad_(true);
            let cosine = x.cosine_similarity(&y, 0, eps);
            close(&cosine, &[value]);
            close(&(&grad(cosine, &x).compute().unwrap()[0] * eps), &gradient.map(|g| g * eps));
        };
        check([0.0, 0.0], 1e-8, 0.0, [44721359.549995795, 89442719.09999159]);
        check([0.1, 0.2], 1.0, 0.22360679774997896, [0.34721359549995795, 0.6944271909999159]);
    }

    #[test]
    #[should_panic(expected = "X1 and X2 must have the same number of columns. X1: 3 X2: 4")]
    fn columns_must_agree() {
        Tensor::ones([2, 3], DType::F32).cdist(&Tensor::ones([2, 4], DType::F32), 2);
    }

    #[test]
    #[should_panic(expected = "expected common dtype to be floating point, yet common dtype is int64")]
    fn integers_have_no_cosine() {
        Tensor::from([1i64]).cosine_similarity(&Tensor::from([2i64]), 0, 1e-8);
    }
}
