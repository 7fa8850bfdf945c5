//! The operations, one file per family, and the list of all of them.
//!
//! A family's file holds everything about its operations: the element function, the derivative, the
//! [`Tensor`](crate::Tensor) methods with their documentation, and the sample inputs of the gradient
//! checks. To add an operation, write it there and name it below: an operation that is not in the list
//! cannot be recorded, one without a rule does not compile, and without samples the tests do not.

#[cfg(test)]
use crate::autograd::Op;

/// Operations that the list below names; only they can be recorded.
pub(crate) trait Registered {}

/// An entry of the list: torch's name of the backward node, and the samples.
#[cfg(test)]
pub(crate) struct Listed {
    pub op: &'static str,
    pub samples: fn() -> Vec<crate::op::Sample>,
}

macro_rules! operations {
    ($($(#[$condition:meta])? $family:ident: $($op:ident)*;)+) => {
        $($(#[$condition])? pub(crate) mod $family;)+
        $($(#[$condition])? const _: () = { $(impl Registered for $family::$op {})* };)+

        /// All operations.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<Listed> {
            let mut all = Vec::new();
            $($(#[$condition])? { $(all.push(Listed {
                op: concat!(stringify!($family), "::", stringify!($op)),
                samples: <$family::$op as Op>::samples,
            });)* })+
            all
        }
    };
}

operations! {
    activation: Silu Mish Gelu GeluTanh LeakyRelu Elu Hardtanh;
    addmm: Addmm;
    arithmetic: Add AddScalar Sub SubScalarFrom Mul MulScalar Div DivScalar Neg Reciprocal;
    arrange: ;
    attention: ;
    bitwise: ;
    bound: Clamp ClampTensors ClampMin ClampMax Maximum Minimum Fmax Fmin;
    cast: Cast Copy;
    compare: ;
    convolution: Convolve ConvolveInput ConvolveWeight;
    diagonal: Diagonal DiagonalEmbed;
    distance: Cdist;
    dropout: ;
    einsum: ;
    elementary: Exp Exp2 Expm1 Log Log2 Log10 Log1p Sqrt Rsqrt Sigmoid LogSigmoid Erf Erfc Softplus;
    embedding: ;
    extremum: Extreme ExtremeOver ExtremeAlong;
    fold: LowerWindows FoldColumns;
    function: OfElement OfPair;
    gather: Gather ScatterAdd IndexSelect IndexAdd;
    grid: ;
    history: AsStrided AsStridedBackward StridedScatter;
    hyperbolic: ;
    in_place: ;
    index: TakeRows PutRows;
    interpolate: ;
    join: Cat Stack;
    #[cfg(feature = "linalg")]
    linalg: Cholesky Cofactor Det Eigh MatrixExp Pinv Qr SlogDet Solve SolveTriangular Svd;
    linear: Linear;
    logarithm: ;
    lookup: ;
    loss: CrossEntropy NllLoss MseLoss;
    matmul: Dot MatMul;
    norm: Norm;
    normalization: Normalize;
    pad: ;
    piecewise: Relu Abs Sign Floor Ceil Round Trunc;
    pointwise: LerpNumber Lerp;
    pool: MaxPool;
    power: PowScalar Pow ScalarPow;
    product: Prod;
    products: ;
    quantile: Median;
    rearrange: Rearrange RearrangeBackward;
    reduced: ;
    remainder: ;
    replace: ;
    resample: Resample;
    scan: Cumsum Cumprod Logcumsumexp Recurrence;
    scatter: Scatter ScatterReduce;
    search: ;
    select: Where WhereNumber MaskedSelect MaskedPut;
    softmax: Softmax LogSoftmax LogSumExp;
    sort: ;
    special: ;
    statistics: Var Std Nansum;
    sum: Sum Expand;
    trigonometric: Tanh Sinh Cosh Asin Acos Atan Sin Cos Tan Atan2;
    view: Reshape Permute Select SelectBackward Slice SliceBackward;
    window: Unfold UnfoldBackward;
}

#[cfg(test)]
mod tests {
    use crate::autograd::no_grad;
    use crate::{Tensor, gradcheck, gradgradcheck};

    /// The same values in memory with gaps.
    fn scattered(x: &Tensor) -> Tensor {
        Tensor::stack(&[x, &(x * 3.0)], -1).select(-1, 0)
    }

    #[test]
    fn every_operation_has_the_derivatives_it_claims() {
        let mut failures = Vec::new();
        for listed in super::all() {
            let samples = (listed.samples)();
            assert!(!samples.is_empty(), "{} has no samples", listed.op);
            for (number, sample) in samples.iter().enumerate() {
                let inputs: Vec<&Tensor> = sample.inputs.iter().collect();
                let views = |x: &[Tensor]| (sample.call)(&x.iter().map(scattered).collect::<Vec<_>>());
                for (order, result) in [
                    ("first", gradcheck(|x| (sample.call)(x), &inputs)),
                    ("second", gradgradcheck(|x| (sample.call)(x), &inputs)),
                    ("first, in memory with gaps", gradcheck(views, &inputs)),
                    ("second, in memory with gaps", gradgradcheck(views, &inputs)),
                ] {
                    if let Err(error) = result {
                        failures.push(format!("{} sample {number}, {order} order: {error}", listed.op));
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn values_and_gradients_do_not_depend_on_the_layout() {
        for listed in super::all() {
            for (number, sample) in (listed.samples)().iter().enumerate() {
                let dense: Vec<Tensor> = sample.inputs.iter().map(|x| x.copy().requires_grad_(true)).collect();
                let strided: Vec<Tensor> = sample.inputs.iter().map(|x| x.copy().requires_grad_(true)).collect();
                let views: Vec<Tensor> = strided.iter().map(scattered).collect();
                let (expected, found) = ((sample.call)(&dense), (sample.call)(&views));
                let name = format!("{} sample {number}", listed.op);
                assert_eq!(found.sizes(), expected.sizes(), "{name}");
                let close = |a: &Tensor, b: &Tensor| {
                    let (a, b) = (a.double().to_vec::<f64>(), b.double().to_vec::<f64>());
                    a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-12 * (1.0 + b.abs()))
                };
                assert!(close(&found, &expected), "{name}: {found} against {expected}");
                if !expected.requires_grad() {
                    continue;
                }
                expected.sum().backward().unwrap();
                found.sum().backward().unwrap();
                for (a, b) in strided.iter().zip(&dense) {
                    match (a.grad(), b.grad()) {
                        (Some(a), Some(b)) => assert!(close(&a, &b), "{name}: {a} against {b}"),
                        (None, None) => {}
                        other => panic!("{name}: {other:?}"),
                    }
                }
                no_grad(|| assert!(!(sample.call)(&dense).requires_grad(), "{name} is recorded under no_grad"));
            }
        }
    }
}
