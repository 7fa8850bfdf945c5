//! Norms of vectors, over all or some dimensions, and what divides by them.

use super::reduced::Reduced;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, is_grad_enabled, no_grad, saves};
use crate::kernel::reduce::SumSquares;
use crate::shape::{Ints, normalize_dim};
use crate::{DType, Tensor};

/// `(sum |x|^p)^(1/p)` over some dimensions.
pub(crate) struct Norm {
    p: f64,
    over: Reduced,
}

impl Op for Norm {
    fn name(&self) -> &'static str {
        "LinalgVectorNormBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        if self.p == 0.0 {
            // A number of elements: no gradient flows.
            return Gradients::from_iter([None]);
        }
        let (grad, norm) = (grad.reshape_to(&self.over.kept), rule.saved(1).reshape_to(&self.over.kept));
        gradients![rule; self.gradient(&grad, rule.saved(0), &norm)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -2.0, 2.0)];
        let mut samples: Vec<Sample> = [1.0, 2.0, 0.5, 1.5, 3.0, -1.0, f64::INFINITY, f64::NEG_INFINITY]
            .into_iter()
            .map(|p| Sample::new(x(), move |x| x[0].norm_dim(p, [0, -1], false) * x[0].norm(p)))
            .collect();
        samples.push(Sample::new(x(), |x| x[0].transpose(0, 1).norm_dim(2.0, 1, true) * x[0].transpose(0, 1)));
        samples.push(Sample::new(x(), |x| x[0].normalize(2.0, 1, 1e-12)));
        samples.push(Sample::new(x(), |x| x[0].normalize(3.0, 2, 100.0)));
        samples.push(Sample::new([spread(&[3], -2.0, 2.0), spread(&[2, 1], -1.0, 1.0)], |x| x[0].dist(&x[1], 2.0)));
        samples.push(Sample::new([spread(&[], -2.0, 2.0)], |x| x[0].norm(2.0) * x[0].norm_dim(3.0, 0, true)));
        samples.push(Sample::new([spread(&[2, 0], -2.0, 2.0)], |x| x[0].norm_dim(2.0, 1, false)));
        samples
    }
}

impl Norm {
    /// The derivative, with zero for the subgradient at the zero vector; `grad` and `norm` broadcast to `x`.
    fn gradient(&self, grad: &Tensor, x: &Tensor, norm: &Tensor) -> Tensor {
        let p = self.p;
        let origin = || norm.eq(0);
        if p == 1.0 {
            x.sign() * grad
        } else if p == 2.0 {
            if is_grad_enabled() {
                grad * (x / norm).masked_fill(&origin(), 0)
            } else {
                // One pass over the elements.
                x * (grad / norm).masked_fill(&origin(), 0)
            }
        } else if p.is_infinite() {
            let size = x.abs();
            let extreme = size.eq(norm).logical_or(&size.isnan());
            x.sign() * ((grad / extreme.sum_dim(self.over.dims.clone(), true)) * extreme)
        } else if p < 1.0 {
            let scaled = x.sign() * x.abs().pow(p - 1.0).masked_fill(&x.eq(0), 0);
            scaled * grad * norm.pow(1.0 - p)
        } else {
            let scaled = if p < 2.0 { x.sign() * x.abs().pow(p - 1.0) } else { x * x.abs().pow(p - 2.0) };
            scaled * (grad / norm.pow(p - 1.0)).masked_fill(&origin(), 0)
        }
    }

    /// The value, not recorded.
    #[track_caller]
    fn value(&self, x: &Tensor, keepdim: bool) -> Tensor {
        let (p, over) = (self.p, &self.over);
        let dims = || over.dims.clone();
        if p == 2.0 {
            let squares = match x.dtype() {
                DType::F32 => over.reduce::<SumSquares<f32>>(x, keepdim),
                _ => over.reduce::<SumSquares<f64>>(x, keepdim),
            };
            return squares.sqrt();
        }
        if over.count == 0 && (p < 0.0 || p.is_infinite()) {
            panic!(
                "norm: linalg.vector_norm cannot compute the {p} norm on an empty tensor because the operation does \
                 not have an identity (shape {:?}, dims {:?})",
                x.sizes(),
                &over.dims[..]
            );
        }
        if p == 0.0 {
            x.ne(0).sum_dim(dims(), keepdim).to_dtype(x.dtype())
        } else if p == 1.0 {
            x.abs().sum_dim(dims(), keepdim)
        } else if p == f64::INFINITY {
            x.abs().amax(dims(), keepdim)
        } else if p == f64::NEG_INFINITY {
            x.abs().amin(dims(), keepdim)
        } else {
            x.abs().pow(p).sum_dim(dims(), keepdim).pow(1.0 / p)
        }
    }
}

impl Tensor {
    /// The `p`-norm of all elements as one vector, `(sum |x|^p)^(1/p)`: the largest (smallest) absolute value for
    /// `p` infinite (minus infinite), the number of elements that are not zero for `p = 0`.
    ///
    /// The gradient at the zero vector is zero. Equal largest elements of the infinite norm share it, and the norm
    /// for `p = 0` has none.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([3.0, -4.0]);
    /// assert_eq!((x.norm(2).item(), x.norm(1).item(), x.norm(f64::INFINITY).item()), (5.0, 7.0, 4.0));
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or if there is no element and `p` is infinite or negative.
    #[track_caller]
    pub fn norm(&self, p: impl Into<f64>) -> Tensor {
        self.norm_dim(p, (), false)
    }

    /// The [`norm`](Tensor::norm) over dimensions `dims` (all of them if none is named), torch's
    /// `linalg.vector_norm`; with `keepdim` they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[3.0, 4.0], [0.0, 2.0]]);
    /// assert_eq!(x.norm_dim(2, 1, false).to_vec::<f64>(), [5.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`norm`](Tensor::norm), and if a dimension is out of range or named twice.
    #[track_caller]
    pub fn norm_dim(&self, p: impl Into<f64>, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        if !self.dtype().is_floating_point() {
            panic!(
                "norm: linalg.vector_norm: Expected a floating point or complex tensor as input. Got {}; convert with \
                 float() or double() first",
                self.dtype()
            );
        }
        let norm = Norm { p: p.into(), over: Reduced::new("norm", self.sizes(), &dims.into()) };
        let out = no_grad(|| norm.value(self, keepdim));
        out.record(
            &[self],
            || norm,
            |out| {
                let mut saved = saves![self];
                saved.push(Saved::output(out, 0));
                saved
            },
        )
    }

    /// Each line along dimension `dim` divided by its `p`-norm, but at least by `eps`; torch's `F.normalize`,
    /// whose defaults are `p` 2, `dim` 1 and `eps` 1e-12.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[3.0, 4.0], [0.0, 0.0]]);
    /// assert_eq!(x.normalize(2, 1, 1e-12).to_vec::<f64>(), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point or the dimension is out of range.
    #[track_caller]
    pub fn normalize(&self, p: impl Into<f64>, dim: isize, eps: impl Into<f64>) -> Tensor {
        normalize_dim("normalize", dim, self.dim());
        self / self.norm_dim(p, dim, true).clamp_min(eps.into())
    }

    /// The `p`-norm of the difference, under broadcasting.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([4.0, 1.0]).dist(&Tensor::from([1.0, 5.0]), 2).item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// As [`norm`](Tensor::norm), and if the shapes do not broadcast.
    #[track_caller]
    pub fn dist(&self, other: &Tensor, p: impl Into<f64>) -> Tensor {
        (self - other).norm(p)
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor, grad};

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    /// The exponent, the vector, the norm, its gradient, and as below the second derivative.
    type Case<'a> = (f64, &'a [f64], f64, Vec<f64>, Vec<f64>);

    /// Value, gradient, and the gradient of `sum (i + 1) g_i` (empty if the gradient is constant).
    fn derivatives(p: f64, x: &[f64]) -> [Vec<f64>; 3] {
        let x = Tensor::from(x).requires_grad_(true);
        let norm = x.norm(p);
        let first = grad(&norm, &x).create_graph(true).compute().unwrap().remove(0);
        let weighted = (&first * Tensor::arange(1.0, 1.0 + x.numel() as f64, 1.0)).sum();
        let second = grad(&weighted, &x).allow_unused(true).compute();
        let second = second.ok().and_then(|mut g| g.remove(0)).map_or_else(Vec::new, |g| g.to_vec());
        let fused = grad(x.norm(p), &x).compute().unwrap().remove(0).to_vec::<f64>();
        assert!(close(&fused, &first.to_vec::<f64>()), "{p}: {fused:?} against {first}");
        [vec![norm.item()], first.to_vec(), second]
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        let near = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 1e-14 * b.abs() || (a.is_nan() && b.is_nan());
        a.len() == b.len() && a.iter().zip(b).all(near)
    }

    #[test]
    fn values_and_gradients_are_torchs_at_kinks_and_elsewhere() {
        let zero: &[f64] = &[0.0, 0.0];
        let mixed: &[f64] = &[3.0, 0.0, -4.0];
        let equal: &[f64] = &[3.0, 3.0, -3.0];
        let third = 1.0 / 3.0;
        #[rustfmt::skip]
        let cases: Vec<Case<'_>> = vec![
            (1.0, zero, 0.0, vec![0.0, 0.0], vec![]),
            (1.0, mixed, 7.0, vec![1.0, 0.0, -1.0], vec![]),
            (1.0, &[1.0, NAN], NAN, vec![1.0, 0.0], vec![]),
            (2.0, zero, 0.0, vec![0.0, 0.0], vec![NAN, NAN]),
            (2.0, mixed, 5.0, vec![0.6, 0.0, -0.8], vec![0.416, 0.4, 0.312]),
            (2.0, &[1.0, NAN], NAN, vec![NAN, NAN], vec![NAN, NAN]),
            (2.0, &[2.0, INF], INF, vec![0.0, NAN], vec![NAN, NAN]),
            (INF, zero, 0.0, vec![0.0, 0.0], vec![]),
            (INF, mixed, 4.0, vec![0.0, 0.0, -1.0], vec![]),
            (INF, equal, 3.0, vec![third, third, -third], vec![]),
            (INF, &[1.0, NAN], NAN, vec![0.0, 0.0], vec![]),
            (INF, &[2.0, INF], INF, vec![0.0, 1.0], vec![]),
            (-INF, mixed, 0.0, vec![0.0, 0.0, 0.0], vec![]),
            (-INF, equal, 3.0, vec![third, third, -third], vec![]),
            (-INF, &[2.0, INF], 2.0, vec![1.0, 0.0], vec![]),
            (0.5, zero, 0.0, vec![0.0, 0.0], vec![NAN, NAN]),
            (0.5, mixed, 13.928203230275509, vec![2.154700538379252, 0.0, -1.8660254037844386],
                vec![-0.6254627916220946, NAN, -0.469097093716571]),
            (3.0, zero, 0.0, vec![0.0, 0.0], vec![0.0, 0.0]),
            (3.0, mixed, 4.497941445275415, vec![0.4448513517305356, 0.0, -0.7908468475209521],
                vec![0.6778687264465304, 0.0, 0.5084015448348977]),
            (3.0, &[2.0, INF], INF, vec![0.0, NAN], vec![NAN, NAN]),
            (1.5, zero, 0.0, vec![0.0, 0.0], vec![NAN, NAN]),
            (1.5, mixed, 5.584250376480029, vec![0.7329564758289748, 0.0, -0.8463452372482761],
                vec![0.24068718114584897, NAN, 0.1805153858593867]),
            (-1.0, zero, 0.0, vec![0.0, 0.0], vec![NAN, NAN]),
            (-1.0, equal, 1.0, vec![third * third, third * third, -third * third],
                vec![-0.07407407407407407, -0.14814814814814814, -0.2222222222222222]),
        ];
        for (p, x, value, first, second) in cases {
            let [found_value, found_first, found_second] = derivatives(p, x);
            assert!(close(&found_value, &[value]), "{p} {x:?}: {found_value:?}");
            assert!(close(&found_first, &first), "{p} {x:?}: {found_first:?}");
            // A derivative that torch leaves out as zero may be computed as zero here.
            let constant = second.is_empty() && found_second.iter().all(|&g| g == 0.0);
            let near = found_second.len() == second.len()
                && found_second.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-13 || (a.is_nan() && b.is_nan()));
            assert!(constant || near, "{p} {x:?}: {found_second:?}");
        }
    }

    #[test]
    fn the_count_of_nonzero_elements_has_no_gradient() {
        let x = Tensor::from([3.0, 0.0, NAN]).requires_grad_(true);
        assert_eq!(x.norm(0).item(), 2.0);
        assert!(x.norm(0).requires_grad());
        let pass = grad(x.norm(0), &x).allow_unused(true).compute().unwrap();
        assert!(pass[0].as_ref().is_none_or(|g| g.to_vec::<f64>() == [0.0; 3]));
    }

    #[test]
    fn shapes_and_empty_tensors() {
        let x = Tensor::ones([2, 3, 4], DType::F32);
        assert_eq!(x.norm_dim(2, [0, -1], true).sizes(), [1, 3, 1]);
        assert_eq!(x.norm_dim(3, 1, false).sizes(), [2, 4]);
        assert_eq!(x.norm_dim(2, (), true).sizes(), [1, 1, 1]);
        assert_eq!(x.norm(2).item_as::<f32>(), 24f32.sqrt());
        assert_eq!(Tensor::zeros([2, 0], DType::F64).norm_dim(2, 1, false).to_vec::<f64>(), [0.0, 0.0]);
        assert_eq!(Tensor::zeros([0, 2], DType::F64).norm_dim(INF, 1, false).sizes(), [0]);
        assert_eq!(Tensor::zeros(0, DType::F64).norm(0.5).item(), 0.0);
    }

    #[test]
    fn a_long_norm_is_accurate() {
        // Equal numbers, whose errors do not cancel: torch is off by 4e-4 here.
        let x = Tensor::full(3_000_000, 0.1f32, DType::F32);
        let exact = f64::from(0.1f32) * 3e6f64.sqrt();
        assert!((x.norm(2).item() / exact - 1.0).abs() < 5e-6);
        let x = crate::op::spread(&[1_000_000], -1.0, 1.0);
        assert!((x.float().norm(2).item() / x.norm(2).item() - 1.0).abs() < 3e-7);
    }

    #[test]
    fn normalize_is_torchs_at_and_below_eps() {
        let gradient = |x: [f64; 2], eps: f64| {
            let x = Tensor::from(x).requires_grad_(true);
            x.normalize(2, 0, eps).sum().backward().unwrap();
            x.grad().unwrap().to_vec::<f64>()
        };
        assert_eq!(gradient([0.0, 0.0], 1e-12), [1e12, 1e12]);
        assert_eq!(gradient([0.1, 0.2], 1.0), [1.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "cannot compute the inf norm on an empty tensor")]
    fn nothing_has_no_infinite_norm() {
        Tensor::zeros(0, DType::F32).norm(INF);
    }

    #[test]
    #[should_panic(expected = "Expected a floating point or complex tensor as input. Got int64")]
    fn integers_have_no_norm() {
        Tensor::from([1i64]).norm(2);
    }
}
