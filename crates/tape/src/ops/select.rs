//! Choosing between elements: `where_`, masks.

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::{dispatch, dispatch_number};
use crate::kernel::Strided;
use crate::kernel::map::{self, Binary, Ternary};
use crate::op::{Operand, promoted, zip};
use crate::shape::{Dims, broadcast, broadcast_strides};
use crate::storage::build;
use crate::{DType, Element, Scalar, Tensor};

/// `a` where the condition holds, else `b`; holds torch's name of the node.
pub(crate) struct Where(&'static str);
/// The input where the condition is `picked`, else a number.
pub(crate) struct WhereNumber {
    picked: bool,
    name: &'static str,
}
/// The elements whose mask holds, in one dimension.
pub(crate) struct MaskedSelect;
/// The adjoint of [`MaskedSelect`]: zeros but where the mask holds.
pub(crate) struct MaskedPut;

/// `condition ? a : b`.
#[derive(Clone, Copy)]
struct Choose;

impl<T: Element> Ternary<bool, T, T, T> for Choose {
    #[inline(always)]
    fn apply(self, condition: bool, a: T, b: T) -> T {
        if condition { a } else { b }
    }
}

/// `condition == picked ? x : number`.
#[derive(Clone, Copy)]
struct Fill<T> {
    picked: bool,
    number: T,
}

impl<T: Element> Binary<bool, T, T> for Fill<T> {
    #[inline(always)]
    fn apply(self, condition: bool, x: T) -> T {
        if condition == self.picked { x } else { self.number }
    }
}

impl Op for Where {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let condition = rule.saved(0);
        gradients![rule; Tensor::where_(condition, grad, 0), Tensor::where_(condition, 0, grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let mut samples = crate::op::binary_samples(|x| Tensor::where_(&x[0].gt(&x[1]), &x[0] * 2.0, &x[1]));
        samples.push(Sample::new([spread(&[2, 1], -1.0, 1.0), spread(&[], -1.0, 1.0)], |x| {
            Tensor::where_(&Tensor::from([[true, false, true]]), &x[0], &x[1])
        }));
        samples.push(Sample::new([spread(&[2, 2], -1.0, 1.0), spread(&[], -1.0, 1.0)], |x| {
            x[0].masked_fill(&Tensor::from([true, false]), &x[1])
        }));
        samples
    }
}

impl Op for WhereNumber {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let zero = Scalar::Int(0);
        gradients![rule; fill("where", rule.saved(0), grad, self.picked, zero, self.name)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread, unary_samples};
        let mut samples = unary_samples(-2.0, 2.0, |x| Tensor::where_(&x.gt(0), x, 3.0));
        samples.extend(unary_samples(-2.0, 2.0, |x| Tensor::where_(&x.gt(0), 3, x) * x));
        samples.extend(unary_samples(-2.0, 2.0, |x| x.masked_fill(&x.lt(0.5), 0.25)));
        samples.push(Sample::new([spread(&[2, 1], -1.0, 1.0)], |x| {
            Tensor::where_(&Tensor::from([[true, false, true]]), &x[0], 1.0)
        }));
        samples
    }
}

impl Op for MaskedSelect {
    fn name(&self) -> &'static str {
        "MaskedSelectBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.masked_put(rule.saved(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread, unary_samples};
        let mut samples = unary_samples(-2.0, 2.0, |x| x.masked_select(&x.gt(0)) * 2.0);
        samples.push(Sample::new([spread(&[2, 1], -1.0, 1.0)], |x| {
            x[0].masked_select(&Tensor::from([true, false, true]))
        }));
        samples
    }
}

impl Op for MaskedPut {
    fn name(&self) -> &'static str {
        "MaskedScatterBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.masked_select(rule.saved(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![Sample::new([spread(&[2], -1.0, 1.0)], |x| x[0].masked_put(&Tensor::from([[true, false], [false, true]])))]
    }
}

/// `x` where the condition is `picked`, else `number`.
#[track_caller]
pub(super) fn fill(
    op: &str,
    condition: &Tensor,
    x: &Tensor,
    picked: bool,
    number: Scalar,
    name: &'static str,
) -> Tensor {
    let out = dispatch!(x.dtype(), T => {
        zip::<bool, T, T, _>(op, condition, x, Fill { picked, number: number.cast::<T>() })
    });
    out.record(&[x], || WhereNumber { picked, name }, |_| saves![condition])
}

/// `condition ? a : b` for tensors of one dtype.
#[track_caller]
fn choose(op: &str, condition: &Tensor, a: &Tensor, b: &Tensor, name: &'static str) -> Tensor {
    let shape = broadcast(op, condition.sizes(), &broadcast(op, a.sizes(), b.sizes()));
    let strides = |x: &Tensor| broadcast_strides(x.sizes(), x.stride(), &shape);
    let (strides_c, strides_a, strides_b) = (strides(condition), strides(a), strides(b));
    let out = dispatch!(a.dtype(), T => build::<T>(shape.iter().product(), |out| {
        condition.with3::<bool, T, T, _>(a, b, |c, a, b| {
            let c = Strided { data: c.data, shape: &shape, strides: &strides_c };
            let a = Strided { data: a.data, shape: &shape, strides: &strides_a };
            let b = Strided { data: b.data, shape: &shape, strides: &strides_b };
            map::ternary(c, a, b, out, Choose);
        });
    }));
    Tensor::from_buffer(out, shape).record(&[a, b], || Where(name), |_| saves![condition])
}

#[track_caller]
fn check_mask(op: &str, what: &str, mask: &Tensor) {
    if mask.dtype() != DType::Bool {
        panic!(
            "{op}: expected {what} to be a boolean tensor, but got dtype {}; make it with a comparison",
            mask.dtype()
        );
    }
}

impl Tensor {
    /// `a` where `condition` holds and `b` elsewhere, under broadcasting. Each may be a tensor or a number;
    /// of two floating-point numbers torch's default dtype `float32` is made.
    ///
    /// The gradient of the element that was not chosen is zero, but a zero times an infinite derivative is
    /// NaN: `where_(x > 0, sqrt(x), 0)` has a NaN gradient at 0, as in torch.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-1.0, 4.0]);
    /// assert_eq!(Tensor::where_(&x.gt(0), &x, 0.0).to_vec::<f64>(), [0.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the condition is not boolean or the shapes do not broadcast.
    #[track_caller]
    pub fn where_<'a, 'b>(condition: &Tensor, a: impl Into<Operand<'a>>, b: impl Into<Operand<'b>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(condition: &Tensor, a: Operand<'_>, b: Operand<'_>) -> Tensor {
            const NAME: &str = "WhereBackward0";
            check_mask("where", "condition", condition);
            match (a, b) {
                (Operand::Tensor(a), Operand::Tensor(b)) => {
                    let (a, b) = promoted(&a, &b);
                    choose("where", condition, &a, &b, NAME)
                }
                (Operand::Tensor(a), Operand::Scalar(b)) => {
                    let a = a.in_dtype(b.promote(a.dtype()));
                    fill("where", condition, &a, true, b, NAME)
                }
                (Operand::Scalar(a), Operand::Tensor(b)) => {
                    let b = b.in_dtype(a.promote(b.dtype()));
                    fill("where", condition, &b, false, a, NAME)
                }
                (Operand::Scalar(a), Operand::Scalar(b)) => {
                    let a = Tensor::full((), a, b.promote(a.promote(DType::Bool)));
                    fill("where", condition, &a, true, b, NAME)
                }
            }
        }
        apply(condition, a.into(), b.into())
    }

    /// `value` where `mask` holds and `self` elsewhere, in this dtype. The value is a number or a tensor
    /// without dimensions.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, f64::NAN]);
    /// assert_eq!(x.masked_fill(&x.isnan(), 0.0).to_vec::<f64>(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not boolean, the shapes do not broadcast, or the value has dimensions.
    #[track_caller]
    pub fn masked_fill<'a>(&self, mask: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, mask: &Tensor, value: Operand<'_>) -> Tensor {
            check_mask("masked_fill", "mask", mask);
            match value {
                Operand::Scalar(value) => fill("masked_fill", mask, this, false, value, "MaskedFillBackward0"),
                Operand::Tensor(value) if value.dim() == 0 => {
                    let value = value.to_dtype(this.dtype());
                    choose("masked_fill", mask, &value, this, "MaskedFillBackward1")
                }
                Operand::Tensor(value) => panic!(
                    "masked_fill: only supports a 0-dimensional value tensor, but got tensor with {} \
                     dimension(s) (shape {:?}); use where_",
                    value.dim(),
                    value.sizes()
                ),
            }
        }
        apply(self, mask, value.into())
    }

    /// The elements where `mask` holds, in row-major order and one dimension; both broadcast first.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, -2.0], [-3.0, 4.0]]);
    /// assert_eq!(x.masked_select(&x.gt(0)).to_vec::<f64>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not boolean or the shapes do not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        check_mask("masked_select", "mask", mask);
        let shape = broadcast("masked_select", self.sizes(), mask.sizes());
        let (x, mask) = (self.expand_to(shape.clone()), mask.expand_to(shape).dense());
        let marks = mask.to_vec::<bool>();
        let count = marks.iter().filter(|&&mark| mark).count();
        let values = x.dense();
        let out = dispatch!(x.dtype(), T => build::<T>(count, |out| {
            values.with::<T, _>(|x| {
                let picked = x.data.iter().zip(&marks).filter(|(_, mark)| **mark);
                out.iter_mut().zip(picked).for_each(|(out, (&x, _))| *out = x);
            });
        }));
        let out = Tensor::from_buffer(out, Dims::from_slice(&[count]));
        out.record(&[&x], || MaskedSelect, |_| saves![&mask])
    }

    /// Zeros of the mask's shape with these elements, in order, where `mask` holds.
    fn masked_put(&self, mask: &Tensor) -> Tensor {
        let marks = mask.to_vec::<bool>();
        let values = self.dense();
        let out = dispatch_number!("masked_select", self.dtype(), T => build::<T>(marks.len(), |out| {
            values.with::<T, _>(|x| {
                let mut next = x.data.iter();
                for (out, &mark) in out.iter_mut().zip(&marks) {
                    *out = if mark { *next.next().expect("one value per mark") } else { T::default() };
                }
            });
        }));
        let out = Tensor::from_buffer(out, mask.layout().shape.clone());
        out.record(&[self], || MaskedPut, |_| saves![mask])
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    #[test]
    fn numbers_do_not_widen_tensors() {
        let condition = Tensor::from([true, false]);
        let where_ = |a: Tensor, b: f64| Tensor::where_(&condition, &a, b);
        assert_eq!(where_(Tensor::from([1.0f32, 2.0]), 0.5).dtype(), DType::F32);
        assert_eq!(where_(Tensor::from([1i64, 2]), 2.5).to_vec::<f32>(), [1.0, 2.5]);
        assert_eq!(Tensor::where_(&condition, 1.0, 2.0).to_vec::<f32>(), [1.0, 2.0]);
        assert_eq!(Tensor::where_(&condition, 1, 2.0).to_vec::<f32>(), [1.0, 2.0]);
        assert_eq!(Tensor::where_(&condition, true, 2).to_vec::<i64>(), [1, 2]);
        let mixed = Tensor::where_(&condition, Tensor::from([1.0f32, 2.0]), Tensor::from([3.0, 4.0]));
        assert_eq!(mixed.to_vec::<f64>(), [1.0, 4.0]);
    }

    #[test]
    fn all_three_operands_broadcast() {
        let condition = Tensor::from([[true], [false]]);
        let chosen = Tensor::where_(&condition, Tensor::from([1.0, 2.0, 3.0]), Tensor::from(0.0));
        assert_eq!(chosen.sizes(), [2, 3]);
        assert_eq!(chosen.to_vec::<f64>(), [1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
        let number = Tensor::where_(&condition, Tensor::from([1.0, 2.0]), 5);
        assert_eq!(number.to_vec::<f64>(), [1.0, 2.0, 5.0, 5.0]);
        assert_eq!(Tensor::where_(&Tensor::zeros([0, 1], DType::Bool), chosen.i(0), 1.0).sizes(), [0, 3]);
    }

    #[test]
    fn nan_leaks_from_the_branch_not_taken() {
        // torch: d/dx where(x > 0, sqrt(x), 0 x) is NaN where sqrt has an infinite or NaN derivative.
        let x = Tensor::from([1.0, 0.0, -1.0]).requires_grad_(true);
        Tensor::where_(&x.gt(0), x.sqrt(), 0.0 * &x).sum().backward().unwrap();
        let gradient = x.grad().unwrap().to_vec::<f64>();
        assert!(gradient[0] == 0.5 && gradient[1].is_nan() && gradient[2].is_nan());
    }

    #[test]
    fn infinite_gradients_do_not_reach_what_was_masked() {
        let x = Tensor::from([1.0, 0.0]).requires_grad_(true);
        x.masked_fill(&x.eq(0), 4.0).log().sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 0.0]);
    }

    #[test]
    fn fills_keep_the_dtype() {
        let x = Tensor::from([1i64, -2]);
        assert_eq!(x.masked_fill(&x.gt(0), 2.5).to_vec::<i64>(), [2, -2]);
        assert_eq!(x.masked_fill(&x.gt(0), Tensor::from(7.5)).to_vec::<i64>(), [7, -2]);
        let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
        let value = Tensor::from(5.0).requires_grad_(true);
        (x.masked_fill(&Tensor::from([[true, false], [true, true]]), &value) * 2.0).sum().backward().unwrap();
        assert_eq!(value.grad().unwrap().item(), 6.0);
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0, 2.0]);
    }

    #[test]
    fn masked_elements_are_selected_in_order() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
        let selected = x.t().masked_select(&Tensor::from([[true, true], [false, true]]));
        assert_eq!(selected.to_vec::<f64>(), [1.0, 3.0, 4.0]);
        (selected * Tensor::from([1.0, 10.0, 100.0])).sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 0.0, 10.0, 100.0]);
        assert_eq!(x.masked_select(&x.gt(9.0)).sizes(), [0]);
        let broadcast = Tensor::from([true, false]).masked_select(&Tensor::from([[true], [true]]));
        assert_eq!(broadcast.to_vec::<bool>(), [true, false, true, false]);
    }

    #[test]
    #[should_panic(expected = "where: expected condition to be a boolean tensor, but got dtype int64")]
    fn conditions_are_boolean() {
        Tensor::where_(&Tensor::from([1i64]), 1.0, 2.0);
    }

    #[test]
    #[should_panic(expected = "masked_fill: only supports a 0-dimensional value tensor, but got tensor with 1 dim")]
    fn fill_values_have_no_dimensions() {
        Tensor::from([1.0]).masked_fill(&Tensor::from([true]), Tensor::from([1.0]));
    }

    #[test]
    #[should_panic(expected = "masked_select: The size of tensor a (2) must match the size of tensor b (3)")]
    fn masks_broadcast() {
        Tensor::from([1.0, 2.0]).masked_select(&Tensor::from([true, true, false]));
    }
}
