//! Products.

use super::reduced::{at_least_one_dimension, without};
use super::scan::shifted;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::dtype::dispatch_number;
use crate::kernel::reduce;
use crate::shape::{Dims, normalize_dim};
use crate::storage::build;
use crate::{DType, Tensor};

/// The product over all elements, or along a dimension.
pub(crate) struct Prod(Option<usize>);

/// The product of all other elements of each line, without a division.
fn product_of_others(x: &Tensor, dim: usize) -> Tensor {
    let before = shifted(x, dim, false, 1.0).cumprod_along(dim, false);
    let after = shifted(x, dim, true, 1.0).cumprod_along(dim, true);
    before * after
}

impl Op for Prod {
    fn name(&self) -> &'static str {
        if self.0.is_none() { "ProdBackward0" } else { "ProdBackward1" }
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, product) = (rule.saved(0), rule.saved(1));
        let kept = self.0.map_or_else(Dims::new, |dim| without(x.sizes(), dim, true));
        let (grad, product) = (grad.reshape_to(&kept), product.reshape_to(&kept));
        let zeros: bool = x.eq(0).any().item_as();
        gradients![rule; match self.0 {
            _ if !zeros => grad * (product / x),
            Some(dim) => grad * product_of_others(x, dim),
            None => grad * product_of_others(&x.reshape_to(&[x.numel()]), 0).reshape_to(x.sizes()),
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let zeros = |count: usize| {
            let mut values = [1.5, -0.5, 2.0, 0.7, -1.2, 0.9];
            values[1..1 + count].fill(0.0);
            [Tensor::from_vec(values.to_vec(), [3, 2])]
        };
        vec![
            Sample::new([spread(&[2, 3], 0.5, 2.0)], |x| x[0].prod()),
            Sample::new([spread(&[2, 3], 0.5, 2.0)], |x| x[0].t().prod_dim(-1, true)),
            Sample::new([spread(&[2, 3, 2], -2.0, -0.5)], |x| x[0].prod_dim(1, false)),
            Sample::new([spread(&[], 0.5, 2.0)], |x| x[0].prod() * x[0].prod_dim(0, false)),
            Sample::new([spread(&[0, 2], 0.5, 2.0)], |x| x[0].prod_dim(0, false)),
            Sample::new(zeros(1), |x| x[0].prod()),
            Sample::new(zeros(2), |x| x[0].prod()),
            Sample::new(zeros(3), |x| x[0].prod_dim(0, false)),
            Sample::new(zeros(2), |x| x[0].prod_dim(1, true)),
        ]
    }
}

impl Tensor {
    /// The product of all elements, a tensor without dimensions; 1 of none. Integers and booleans give `I64`.
    /// The gradient is exact with zeros among the elements, in every order.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([2.0, 3.0, 0.0]).requires_grad_(true);
    /// x.prod().backward()?;
    /// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0, 0.0, 6.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    pub fn prod(&self) -> Tensor {
        let shape = Dims::new();
        self.product(None, &vec![true; self.dim()], shape)
    }

    /// The product along dimension `dim`; with `keepdim` it remains with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.prod_dim(0, false).to_vec::<f64>(), [3.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn prod_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        let at = normalize_dim("prod", dim, self.dim());
        let lone = self.dim() == 0;
        let x = at_least_one_dimension(self);
        let marked: Vec<bool> = (0..x.dim()).map(|other| other == at).collect();
        x.product(Some(at), &marked, without(x.sizes(), at, keepdim && !lone))
    }

    fn product(&self, dim: Option<usize>, marked: &[bool], shape: Dims) -> Tensor {
        if self.dtype() == DType::Bool {
            return self.long().product(dim, marked, shape);
        }
        let out = dispatch_number!("prod", self.dtype(), T => {
            let buffer = build::<T>(shape.iter().product(), |out| {
                self.with::<T, _>(|x| reduce::reduce::<reduce::Prod<T>>(x, marked, out));
            });
            Tensor::from_buffer(buffer, shape)
        });
        out.record(
            &[self],
            || Prod(dim),
            |product| {
                let mut saved = saves![self];
                saved.push(Saved::output(product, 0));
                saved
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor, grad};

    /// The gradient, and the gradient of `sum (i + 1) g_i`, as computed with torch.
    fn derivatives(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> [Vec<f64>; 2] {
        let x = Tensor::from(x).requires_grad_(true);
        let first = grad(f(&x), &x).create_graph(true).compute().unwrap().remove(0);
        let weights = Tensor::arange(1.0, 1.0 + x.numel() as f64, 1.0);
        let second = grad((&first * weights).sum(), &x).compute().unwrap().remove(0);
        [first.to_vec(), second.to_vec()]
    }

    #[test]
    fn gradients_with_zeros_are_torchs() {
        let cases = [
            ([2.0, 3.0, 0.0], [[0.0, 0.0, 6.0], [9.0, 6.0, 7.0]]),
            ([2.0, 0.0, 0.0], [[0.0, 0.0, 0.0], [0.0, 6.0, 4.0]]),
            ([0.0, 0.0, 0.0], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
            ([2.0, 3.0, 4.0], [[12.0, 8.0, 6.0], [17.0, 10.0, 7.0]]),
        ];
        for (x, expected) in cases {
            assert_eq!(derivatives(&x, Tensor::prod), expected.map(Vec::from), "{x:?}");
            assert_eq!(derivatives(&x, |x| x.prod_dim(0, false)), expected.map(Vec::from), "{x:?}");
        }
    }

    #[test]
    fn infinities_and_scalars_are_torchs() {
        let gradient = |x: &[f64]| {
            let x = Tensor::from(x).requires_grad_(true);
            x.prod().backward().unwrap();
            x.grad().unwrap().to_vec::<f64>()
        };
        let [a, b] = gradient(&[2.0, f64::INFINITY])[..] else { panic!() };
        assert!(a == f64::INFINITY && b.is_nan());
        assert_eq!(gradient(&[0.0, f64::INFINITY]), [f64::INFINITY, 0.0]);
        let zero = Tensor::from(0.0).requires_grad_(true);
        zero.prod_dim(0, true).backward().unwrap();
        assert_eq!(zero.grad().unwrap().item(), 1.0);
    }

    #[test]
    fn dtypes_and_shapes() {
        assert_eq!(Tensor::from([true, true]).prod().item_as::<i64>(), 1);
        assert_eq!(Tensor::from([3i64, -4]).prod().item_as::<i64>(), -12);
        assert_eq!(Tensor::ones([0], DType::F32).prod().item_as::<f32>(), 1.0);
        assert_eq!(Tensor::ones([0, 2], DType::I64).prod_dim(0, true).to_vec::<i64>(), [1, 1]);
        let x = Tensor::ones([2, 3, 4], DType::F32);
        assert_eq!((x.prod_dim(-2, true).sizes(), x.prod_dim(0, false).sizes()), (&[2, 1, 4][..], &[3, 4][..]));
    }
}
