//! Functions of elements that are called through a pointer and computed in double precision.
//!
//! One loop per element type serves them all, so that a further function costs next to no compile time. It
//! is the way of functions that training does not spend its time in; `activation` holds those it does.

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary};
use crate::op::{Operand, map, promoted, zip};
use crate::{DType, Float, Tensor};

/// The numbers that a function takes beside its element.
pub(crate) type Parameters = [f64; 3];

/// A function of one element and its derivative.
pub(crate) struct Function {
    pub value: fn(f64, &Parameters) -> f64,
    pub derivative: Derivative,
}

/// The derivative of a function of one element.
pub(crate) struct Derivative {
    /// torch's name of the backward node.
    pub node: &'static str,
    /// The gradient of the input, in tensor operations, from the output's and the input.
    pub gradient: fn(&Tensor, &Tensor, &Parameters) -> Tensor,
}

/// A function of two elements and its derivatives.
pub(crate) struct PairFunction {
    pub value: fn(f64, f64) -> f64,
    /// The function of integers, if there is one.
    pub integers: Option<fn(i64, i64) -> i64>,
    pub derivatives: [Slope; 2],
}

/// A derivative of a [`PairFunction`].
pub(crate) enum Slope {
    /// The gradient passes as it is.
    One,
    /// No gradient passes.
    Zero,
    /// The gradient, in tensor operations, from the output's and the two inputs.
    Of(fn(&Tensor, &Tensor, &Tensor) -> Tensor),
}

/// A function of every element, with its [`Derivative`].
pub(crate) struct OfElement {
    derivative: &'static Derivative,
    parameters: Parameters,
}

/// A [`PairFunction`] of every pair of elements; holds torch's name of the node.
pub(crate) struct OfPair {
    function: &'static PairFunction,
    node: &'static str,
}

#[derive(Clone, Copy)]
struct Call {
    value: fn(f64, &Parameters) -> f64,
    parameters: Parameters,
}

impl<T: Float> Unary<T> for Call {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: T) -> T {
        T::from_f64((self.value)(x.to_f64(), &self.parameters))
    }
}

#[derive(Clone, Copy)]
struct CallPair(fn(f64, f64) -> f64);

impl<T: Float> Binary<T> for CallPair {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, a: T, b: T) -> T {
        T::from_f64((self.0)(a.to_f64(), b.to_f64()))
    }
}

#[derive(Clone, Copy)]
struct CallIntegers(fn(i64, i64) -> i64);

impl Binary<i64> for CallIntegers {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, a: i64, b: i64) -> i64 {
        (self.0)(a, b)
    }
}

impl Function {
    /// The function of every element of a floating-point tensor, recorded.
    #[track_caller]
    pub fn of(&'static self, op: &str, x: &Tensor, parameters: Parameters) -> Tensor {
        let call = Call { value: self.value, parameters };
        let out = dispatch_float!(op, x.dtype(), T => map::<T, T, _>(x, call));
        self.derivative.record(out, x, parameters)
    }
}

impl Derivative {
    /// Records that `value` is the function of `x`.
    pub fn record(&'static self, value: Tensor, x: &Tensor, parameters: Parameters) -> Tensor {
        value.record(&[x], || OfElement { derivative: self, parameters }, |_| saves![x])
    }
}

impl PairFunction {
    /// The function of every pair of elements of two tensors of one dtype under broadcasting, recorded as
    /// `node`.
    #[track_caller]
    pub fn of(&'static self, op: &str, node: &'static str, a: &Tensor, b: &Tensor) -> Tensor {
        let out = match self.integers {
            Some(function) if a.dtype() == DType::I64 => integers_of(op, a, b, function),
            _ => dispatch_float!(op, a.dtype(), T => zip::<T, T, T, _>(op, a, b, CallPair(self.value))),
        };
        // An input that no derivative looks at may be changed in place.
        let looks = |slope: &Slope, input: &Tensor| matches!(slope, Slope::Of(_)) && input.requires_grad();
        let saved = looks(&self.derivatives[0], a) || looks(&self.derivatives[1], b);
        out.record(&[a, b], || OfPair { function: self, node }, |_| if saved { saves![a, b] } else { saves![] })
    }
}

/// `function` of every pair of integers under broadcasting.
#[track_caller]
pub(crate) fn integers_of(op: &str, a: &Tensor, b: &Tensor, function: fn(i64, i64) -> i64) -> Tensor {
    zip::<i64, i64, i64, _>(op, a, b, CallIntegers(function))
}

/// Both operands in their common dtype; a number as a tensor without dimensions.
pub(crate) fn operands(x: &Tensor, other: Operand<'_>) -> (Tensor, Tensor) {
    match other {
        Operand::Tensor(other) => promoted(x, &other),
        Operand::Scalar(number) => {
            let x = x.to_dtype(number.promote(x.dtype()));
            let number = Tensor::full((), number, x.dtype());
            (x, number)
        }
    }
}

impl Op for OfElement {
    fn name(&self) -> &'static str {
        self.derivative.node
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; (self.derivative.gradient)(grad, rule.saved(0), &self.parameters)]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = super::hyperbolic::samples();
        samples.extend(super::special::samples());
        samples.extend(super::activation::piecewise::samples());
        samples.extend(super::pointwise::samples_of_one());
        samples
    }
}

impl Op for OfPair {
    fn name(&self) -> &'static str {
        self.node
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let slope = |slope: &Slope| match slope {
            Slope::One => grad.clone(),
            Slope::Zero => grad.zeros_like(),
            Slope::Of(derivative) => derivative(grad, rule.saved(0), rule.saved(1)),
        };
        let [left, right] = &self.function.derivatives;
        gradients![rule; slope(left), slope(right)]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = super::logarithm::samples();
        samples.extend(super::pointwise::samples_of_two());
        samples.extend(super::remainder::samples());
        samples
    }
}

/// Declares functions of one floating-point tensor without parameters; integers are converted to `float32`.
/// A declaration reads
///
/// ```text
/// /// Documentation of the method.
/// fn asinh, "AsinhBackward0":
///     |x| x.asinh(),
///     |grad, x| grad * (x * x + 1.0).rsqrt();
///     samples -2.0, 2.0;
/// ```
///
/// with the function of a number, its derivative in tensor operations, and a range for the gradient checks.
macro_rules! functions {
    ($(
        $(#[$doc:meta])*
        fn $method:ident, $node:literal:
            $value:expr,
            |$grad:ident, $input:ident| $derivative:expr;
            samples $low:literal, $high:literal;
    )+) => {
        impl Tensor {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> Tensor {
                static FUNCTION: $crate::ops::function::Function = $crate::ops::function::Function {
                    value: |x, _| {
                        let value: fn(f64) -> f64 = $value;
                        value(x)
                    },
                    derivative: $crate::ops::function::Derivative {
                        node: $node,
                        gradient: |$grad, $input, _| $derivative,
                    },
                };
                FUNCTION.of(stringify!($method), &self.to_floating(), [0.0; 3])
            }
        )+}

        #[cfg(test)]
        fn declared_samples() -> Vec<$crate::op::Sample> {
            let mut samples = Vec::new();
            $(samples.extend($crate::op::unary_samples($low, $high, Tensor::$method));)+
            samples
        }
    };
}
pub(crate) use functions;

/// Comparison with torch's numbers.
#[cfg(test)]
pub(crate) mod check {
    use crate::{Tensor, grad};

    /// Value, first and second derivative of a function at some points, by torch 2.8 in double precision (no
    /// second derivative where torch has none).
    pub struct Table<'a> {
        pub name: &'a str,
        pub call: &'a dyn Fn(&Tensor) -> Tensor,
        pub x: &'a [f64],
        pub y: &'a [f64],
        pub dy: &'a [f64],
        pub ddy: &'a [f64],
    }

    /// Whether two numbers agree up to a tolerance, relative to at least 1.
    fn same(found: f64, expected: f64, tolerance: f64) -> bool {
        match expected {
            _ if expected.is_nan() => found.is_nan(),
            _ => found == expected || (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
        }
    }

    /// Where values and derivatives differ from the table; values that are zero in their sign, too.
    fn differences(table: &Table<'_>, tolerance: f64, failures: &mut Vec<String>) {
        let mut compare = |what: &str, found: &Tensor, expected: &[f64]| {
            for ((x, found), &expected) in table.x.iter().zip(found.to_vec::<f64>()).zip(expected) {
                let negative = found.is_sign_negative() != expected.is_sign_negative();
                let sign = what == "value" && expected == 0.0 && found == 0.0 && negative;
                if sign || !same(found, expected, tolerance) {
                    failures.push(format!("{} at {x:?}: {what} {found:?}, not {expected:?}", table.name));
                }
            }
        };
        let x = Tensor::from(table.x).requires_grad_(true);
        compare("value", &(table.call)(&x.detach()), table.y);
        let slope = grad((table.call)(&x).sum(), &x).compute().unwrap();
        compare("gradient in one pass", &slope[0], table.dy);
        let slope = grad((table.call)(&x).sum(), &x).create_graph(true).compute().unwrap();
        compare("gradient", &slope[0], table.dy);
        if slope[0].requires_grad() {
            let curvature = grad(slope[0].sum(), &x).allow_unused(true).compute().unwrap();
            let curvature = curvature[0].clone().unwrap_or_else(|| x.detach().zeros_like());
            compare("second derivative", &curvature, table.ddy);
        } else {
            compare("second derivative", &x.detach().zeros_like(), table.ddy);
        }
    }

    /// A few roundings.
    const ROUNDINGS: f64 = 4e-15;

    #[track_caller]
    pub fn assert_like_torch(tables: &[Table<'_>]) {
        assert_close(tables, ROUNDINGS);
    }

    #[track_caller]
    pub fn assert_close(tables: &[Table<'_>], tolerance: f64) {
        let mut failures = Vec::new();
        for table in tables {
            differences(table, tolerance, &mut failures);
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    /// The pairs that functions of two elements are compared at.
    const A: [f64; 32] = [
        -INF, -INF, -INF, INF, INF, INF, -1.5, 2.5, -0.0, -0.0, 0.0, 0.0, 0.0, 0.0, -0.0, 1.5, -1.5, -1.5, 0.0, INF,
        NAN, NAN, 1.0, 0.0, NAN, 2.5, -2.5, 2.5, 1.5, -1.0, 0.0, 0.0,
    ];
    const B: [f64; 32] = [
        -INF, INF, 1.5, -INF, INF, -1.5, INF, -INF, -0.0, 0.0, -0.0, 0.0, -1.5, 1.5, 1.5, 0.0, 0.0, -0.0, INF, 0.0,
        1.0, 0.0, NAN, NAN, NAN, 1.5, 1.5, -1.5, 1.5, -1.0, -1.0, 1.0,
    ];

    /// Value and first derivatives of a function at the pairs, and the derivatives of `da + 2 db`, by torch 2.8
    /// in double precision.
    pub struct PairTable<'a> {
        pub name: &'a str,
        pub call: &'a dyn Fn(&Tensor, &Tensor) -> Tensor,
        pub y: &'a [f64],
        pub da: &'a [f64],
        pub db: &'a [f64],
        pub dda: &'a [f64],
        pub ddb: &'a [f64],
    }

    #[track_caller]
    pub fn assert_pairs_like_torch(tables: &[PairTable<'_>]) {
        let mut failures = Vec::new();
        for table in tables {
            let (a, b) = (Tensor::from(A).requires_grad_(true), Tensor::from(B).requires_grad_(true));
            let mut compare = |what: &str, found: &Tensor, expected: &[f64]| {
                for (i, (found, &expected)) in found.to_vec::<f64>().into_iter().zip(expected).enumerate() {
                    if !same(found, expected, ROUNDINGS) {
                        let pair = (A[i], B[i]);
                        failures.push(format!("{} at {pair:?}: {what} {found:?}, not {expected:?}", table.name));
                    }
                }
            };
            let first = grad((table.call)(&a, &b).sum(), [&a, &b]).compute().unwrap();
            compare("value", &(table.call)(&a, &b), table.y);
            compare("gradient of a in one pass", &first[0], table.da);
            compare("gradient of b in one pass", &first[1], table.db);
            let first = grad((table.call)(&a, &b).sum(), [&a, &b]).create_graph(true).compute().unwrap();
            compare("gradient of a", &first[0], table.da);
            compare("gradient of b", &first[1], table.db);
            let sum = (&first[0] + &first[1] * 2.0).sum();
            if sum.requires_grad() {
                let second = grad(&sum, [&a, &b]).allow_unused(true).compute().unwrap();
                let second = second.iter().map(|slope| slope.clone().unwrap_or_else(|| a.detach().zeros_like()));
                for (what, (found, expected)) in ["a", "b"].iter().zip(second.zip([table.dda, table.ddb])) {
                    // Where torch has none (NaN), finite ones are welcome.
                    let nan = Tensor::from(expected).isnan();
                    let found = found.masked_fill(&nan, NAN);
                    compare(&format!("second derivative by {what}"), &found, expected);
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
