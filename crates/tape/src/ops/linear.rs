//! The affine layer as one operation.

use super::matmul::{Sizes, check_dtypes, product, rows};
use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, save_factors};
use crate::dtype::dispatch_number;
use crate::shape::Dims;

/// `x @ weight^T`, with or without a bias added to every row.
pub(crate) struct Linear;

impl Op for Linear {
    fn name(&self) -> &'static str {
        "AddmmBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let mut gradients = gradients![rule;
            grad.matmul(rule.right_factor()),
            rows(grad).t().matmul(&rows(rule.left_factor())),
        ];
        if rule.node.edges.len() == 3 {
            // The engine sums it over the rows.
            gradients.push(rule.needs(2).then(|| grad.clone()));
        }
        gradients
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let sample = |x: &[usize]| {
            let inputs = [spread(x, -1.0, 1.0), spread(&[2, 3], -0.9, 0.9), spread(&[2], -0.8, 0.8)];
            Sample::new(inputs, |x| Tensor::linear(&x[0], &x[1], Some(&x[2])))
        };
        let pair = || [spread(&[4, 3], -1.0, 1.0), spread(&[3, 2], -0.9, 0.9)];
        vec![
            sample(&[4, 3]),
            sample(&[3]),
            sample(&[2, 2, 3]),
            sample(&[0, 3]),
            Sample::new(pair(), |x| Tensor::linear(&x[0], &x[1].t(), None)),
        ]
    }
}

#[track_caller]
fn check_linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) {
    check_dtypes("linear", x, weight);
    if weight.dim() != 2 || x.dim() == 0 {
        panic!(
            "linear: expects an input of at least one dimension and a weight of two, [out, in], but their \
             shapes are {:?} and {:?}; unsqueeze(0) what lacks one",
            x.sizes(),
            weight.sizes()
        );
    }
    let (outputs, inputs) = (weight.sizes()[0], weight.sizes()[1]);
    let last = x.sizes()[x.dim() - 1];
    if last != inputs {
        panic!(
            "linear: mat1 and mat2 shapes cannot be multiplied ({}x{last} and {inputs}x{outputs}); the \
             input's shape is {:?} and the weight's {:?}: the last sizes must agree",
            x.numel() / last.max(1),
            x.sizes(),
            weight.sizes()
        );
    }
    let Some(bias) = bias else { return };
    if bias.dtype() != x.dtype() {
        panic!(
            "linear: self and mat2 must have the same dtype, but got {} and {}; convert the bias with \
             to_dtype(DType::{:?})",
            bias.dtype(),
            x.dtype(),
            x.dtype()
        );
    }
    if bias.sizes() != [outputs] {
        panic!(
            "linear: The expanded size of the tensor ({outputs}) must match the existing size ({:?}) of the \
             bias; give one number per row of the weight, whose shape is {:?}",
            bias.sizes(),
            weight.sizes()
        );
    }
}

impl Tensor {
    /// `x @ weight^T + bias`: the layer with `weight` of shape `[out, in]` and `bias` of shape `[out]`
    /// applied to every row of `x`, `[.., in]`, giving `[.., out]`. One operation, which adds the bias
    /// within the product.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// let weight = Tensor::from([[1.0, 1.0], [1.0, -1.0], [0.0, 2.0]]);
    /// let y = Tensor::linear(&x, &weight, Some(&Tensor::from([10.0, 20.0, 30.0])));
    /// assert_eq!(y.to_vec::<f64>(), [13.0, 19.0, 34.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        check_linear(x, weight, bias);
        let transposed = crate::no_grad(|| weight.t());
        let (outputs, inputs) = (weight.sizes()[0], weight.sizes()[1]);
        let mut shape = x.layout().shape.clone();
        shape.pop();
        let sizes = match x.dim() {
            1 => Sizes { batch: Dims::new(), m: 1, k: inputs, n: outputs },
            _ => {
                let m = shape[shape.len() - 1];
                Sizes { batch: Dims::from_slice(&shape[..shape.len() - 1]), m, k: inputs, n: outputs }
            }
        };
        shape.push(outputs);
        let dense = bias.map(Tensor::dense);
        let out = dispatch_number!("linear", x.dtype(), T => {
            product::<T>(x, &transposed, dense.as_ref(), &sizes, shape)
        });
        match bias {
            Some(bias) => out.record(&[x, weight, bias], || Linear, |_| save_factors(x, weight)),
            None => out.record(&[x, weight], || Linear, |_| save_factors(x, weight)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    fn close(actual: &Tensor, expected: &[f64]) {
        let actual = actual.to_vec::<f64>();
        assert_eq!(actual.len(), expected.len());
        for (a, b) in actual.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{actual:?} {expected:?}");
        }
    }

    #[test]
    fn linear_is_product_and_bias() {
        for rows in [&[][..], &[5], &[2, 3], &[0]] {
            let x = spread(&[rows, &[4]].concat(), -1.0, 1.0);
            let (weight, bias) = (spread(&[3, 4], -0.9, 0.9), spread(&[6], -1.0, 1.0).slice(0, .., 2));
            let y = Tensor::linear(&x, &weight, Some(&bias));
            assert_eq!(y.sizes(), [rows, &[3]].concat());
            close(&y, &(x.matmul(&weight.t()) + &bias).to_vec::<f64>());
            close(&Tensor::linear(&x, &weight, None), &x.matmul(&weight.t()).to_vec::<f64>());
        }
    }

    #[test]
    fn linear_gives_only_the_gradients_that_are_wanted() {
        let (x, weight) = (spread(&[5, 4], -1.0, 1.0), spread(&[3, 4], -0.9, 0.9).requires_grad_(true));
        let bias = spread(&[3], -1.0, 1.0).requires_grad_(true);
        Tensor::linear(&x, &weight, Some(&bias)).sum().backward().unwrap();
        assert!(x.grad().is_none());
        close(&bias.grad().unwrap(), &[5.0; 3]);
        close(&weight.grad().unwrap(), &x.sum_dim(0, false).expand([3, 4]).to_vec::<f64>());
    }

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn shapes_and_dtypes_that_do_not_fit_are_named() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
        panics_with("mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)", || {
            Tensor::linear(&zeros(&[2, 3]), &zeros(&[4, 5]), None)
        });
        panics_with("The expanded size of the tensor (4) must match", || {
            Tensor::linear(&zeros(&[2, 3]), &zeros(&[4, 3]), Some(&zeros(&[5])))
        });
        panics_with("expected m1 and m2 to have the same dtype, but got: float != double", || {
            Tensor::linear(&zeros(&[2, 3]), &zeros(&[4, 3]).double(), None)
        });
        panics_with("linear: expects an input of at least one dimension and a weight of two", || {
            Tensor::linear(&zeros(&[3]), &zeros(&[3]), None)
        });
    }
}
