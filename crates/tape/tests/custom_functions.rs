//! Functions with derivatives written by their users.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tape::{Context, Error, Function, MultiFunction, Tensor, grad, gradcheck, gradgradcheck, no_grad};

/// `sigmoid`, from its saved output.
struct Logistic;

impl Function for Logistic {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
        let y = 1.0 / (1.0 + (-&inputs[0]).exp());
        context.save_for_backward(&[&y]);
        y
    }
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        let y = &context.saved_tensors()[0];
        vec![Some(grad_output * y * (1.0 - y))]
    }
}

/// `x * y` summed over all elements of `y`'s broadcasting, with what each input needs only.
struct Product;

impl Function for Product {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
        context.save_for_backward(&[&inputs[0], &inputs[1]]);
        &inputs[0] * &inputs[1]
    }
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        let [x, y] = context.saved_tensors() else { panic!("two tensors were saved") };
        vec![context.needs_input_grad(0).then(|| grad_output * y), context.needs_input_grad(1).then(|| grad_output * x)]
    }
}

/// Returns its input as it is, with `x` as the factor of its gradient.
struct Through;

impl Function for Through {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
        context.save_for_backward(&[&inputs[0]]);
        inputs[0].clone()
    }
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(grad_output * &context.saved_tensors()[0])]
    }
}

#[test]
fn a_saved_input_that_is_returned_stays_an_input() {
    let x = Tensor::from(3.0).requires_grad_(true);
    let first = grad(Through.apply(&[&x]), &x).create_graph(true).compute().unwrap().remove(0);
    // As in torch; through the output it would be 3 again.
    assert_eq!((first.item(), grad(&first, &x).compute().unwrap()[0].item()), (3.0, 1.0));
}

#[test]
fn changes_of_a_returned_input_do_not_reach_the_input() {
    let x = Tensor::from(3.0).requires_grad_(true);
    let y = &x * 2.0;
    Through.apply(&[&y]).mul_(5.0);
    y.backward().unwrap();
    assert_eq!((y.item(), x.grad().unwrap().item()), (6.0, 2.0));
    Through.apply(&[&x]).mul_(5.0);
    assert_eq!(x.item(), 3.0);
}

#[test]
fn saved_inputs_and_outputs_carry_second_derivatives() {
    let (x, y) = (Tensor::from([0.5, -1.0, 2.0]), Tensor::from([[0.3], [0.7]]));
    gradcheck(|v| Logistic.apply(&[&v[0]]), &[&x]).unwrap();
    gradgradcheck(|v| Logistic.apply(&[&v[0]]), &[&x]).unwrap();
    gradcheck(|v| Product.apply(&[&v[0], &v[1]]), &[&x, &y]).unwrap();
    gradgradcheck(|v| Product.apply(&[&v[0], &v[1]]), &[&x, &y]).unwrap();
    gradgradcheck(|v| Product.apply(&[&v[0], &v[0]]), &[&x]).unwrap();
}

#[test]
fn a_graph_frees_itself_although_an_output_is_saved() {
    let x = Tensor::from([1.0]).requires_grad_(true);
    let counted = Arc::new(AtomicUsize::new(0));
    /// Says when it is dropped, with the node that owns it.
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl Function for Counted {
        fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
            let y = &inputs[0] * 2.0;
            context.save_for_backward(&[&y]);
            y
        }
        fn backward(&self, _: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
            vec![Some(grad_output * 2.0)]
        }
    }
    let y = Counted(Arc::clone(&counted)).apply(&[&x]);
    assert_eq!(counted.load(Ordering::Relaxed), 0);
    drop(y);
    assert_eq!(counted.load(Ordering::Relaxed), 1);
}

#[test]
fn only_wanted_gradients_are_asked_for() {
    struct Watch(Arc<AtomicUsize>);
    impl Function for Watch {
        fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
            assert_eq!([0, 1, 2].map(|i| context.needs_input_grad(i)), [true, false, false]);
            &inputs[0] + &inputs[1]
        }
        fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
            assert!(context.needs_input_grad(0) && !context.needs_input_grad(1));
            self.0.fetch_add(1, Ordering::Relaxed);
            vec![Some(grad_output.clone()), None]
        }
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let x = Tensor::from([1.0]).requires_grad_(true);
    Watch(Arc::clone(&calls)).apply(&[&x, &Tensor::from([2.0])]).sum().backward().unwrap();
    assert_eq!((calls.load(Ordering::Relaxed), x.grad().unwrap().item()), (1, 1.0));
}

#[test]
fn nothing_is_recorded_without_need() {
    let x = Tensor::from([1.0]);
    assert!(!Logistic.apply(&[&x]).requires_grad());
    x.requires_grad_(true);
    assert!(!no_grad(|| Logistic.apply(&[&x])).requires_grad());
    let y = Logistic.apply(&[&x]);
    assert_eq!(y.grad_fn_name(), Some("Logistic"));
}

#[test]
fn a_saved_tensor_that_changed_in_place_is_found() {
    let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    let factor = Tensor::from([3.0, 4.0]);
    let y = Product.apply(&[&x, &factor]);
    factor.add_(1.0);
    let error = y.sum().backward().unwrap_err();
    assert!(matches!(error, Error::ModifiedInPlace { node: "Product", index: 1, .. }), "{error}");
}

#[test]
fn a_second_backward_needs_a_retained_graph() {
    let x = Tensor::from([1.0]).requires_grad_(true);
    let y = Logistic.apply(&[&x]).sum();
    y.backward().unwrap();
    assert!(matches!(y.backward().unwrap_err(), Error::GraphFreed { node: "Logistic" }));
}

/// Returns what it is told to.
struct Returns(fn(&Tensor) -> Vec<Option<Tensor>>);

impl Function for Returns {
    fn forward(&self, _: &mut Context, inputs: &[Tensor]) -> Tensor {
        inputs[0].copy()
    }
    fn backward(&self, _: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        (self.0)(grad_output)
    }
}

#[test]
fn gradients_are_counted_and_measured() {
    let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    let run = |backward: fn(&Tensor) -> Vec<Option<Tensor>>| Returns(backward).apply(&[&x]).sum().backward();
    let error = run(|g| vec![Some(g.clone()), Some(g.clone())]).unwrap_err().to_string();
    assert!(
        error.starts_with("function Returns returned an incorrect number of gradients (expected 1, got 2)"),
        "{error}"
    );
    assert!(matches!(run(|_| vec![]).unwrap_err(), Error::FunctionGradients { expected: 1, returned: 0, .. }));
    let error = run(|g| vec![Some(Tensor::cat(&[g, g], 0))]).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "Returns returned an invalid gradient at index 0 - got [4] but expected shape compatible with [2]"
        ),
        "{error}"
    );
    assert!(x.grad().is_none());
    // As in torch, absent gradients too many are no error, and an absent gradient is one of zeros.
    run(|g| vec![Some(g * 2.0), None, None]).unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0, 2.0]);
    x.set_grad(None);
    run(|_| vec![None]).unwrap();
    assert!(x.grad().is_none());
}

#[test]
fn a_gradient_may_be_broader_than_its_input() {
    let x = Tensor::from(1.0).requires_grad_(true);
    Returns(|g| vec![Some(Tensor::stack(&[g, g], 0))]).apply(&[&x]).backward().unwrap();
    assert_eq!(x.grad().unwrap().item(), 2.0);
}

/// `x^2` whose derivative leaves tensors.
struct Opaque;

impl Function for Opaque {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
        context.set(inputs[0].to_vec::<f64>());
        inputs[0].square()
    }
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
        let x = context.get::<Vec<f64>>().expect("kept by forward");
        vec![Some(grad_output * Tensor::from(&x[..]) * 2.0)]
    }
    fn once_differentiable(&self) -> bool {
        true
    }
}

#[test]
fn a_missing_second_derivative_is_an_error_and_not_a_zero() {
    let x = Tensor::from([3.0]).requires_grad_(true);
    let y = Opaque.apply(&[&x]).sum();
    let first = grad(&y, &x).create_graph(true).compute().unwrap().remove(0);
    assert_eq!(first.item(), 6.0);
    let error = grad(first.sum(), &x).compute().unwrap_err();
    assert!(matches!(error, Error::OnceDifferentiable { function: "Opaque" }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("trying to differentiate twice a function that was marked with @once_differentiable")
    );
    gradcheck(|v| Opaque.apply(&[&v[0]]), &[&Tensor::from([0.3])]).unwrap();
    assert!(gradgradcheck(|v| Opaque.apply(&[&v[0]]), &[&Tensor::from([0.3])]).is_err());
}

#[test]
fn an_input_may_be_returned_as_it_is() {
    /// The identity with a reversed gradient.
    struct Reverse;
    impl Function for Reverse {
        fn forward(&self, _: &mut Context, inputs: &[Tensor]) -> Tensor {
            inputs[0].clone()
        }
        fn backward(&self, _: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
            vec![Some(-grad_output)]
        }
    }
    let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
    let y = Reverse.apply(&[&x]);
    assert!(!y.same(&x) && !y.is_leaf() && x.is_leaf());
    (y * 3.0).sum().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [-3.0, -3.0]);
}

/// Values and positions of the larger of two, and their sum.
struct Larger;

impl MultiFunction for Larger {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Vec<Tensor> {
        let mask = inputs[0].ge(&inputs[1]);
        let chosen = Tensor::where_(&mask, &inputs[0], &inputs[1]);
        let weight = mask.double();
        context.mark_non_differentiable(&weight);
        context.save_for_backward(&[&mask]);
        vec![chosen, mask.long(), weight, &inputs[0] + &inputs[1]]
    }
    fn backward(&self, context: &Context, grads: &[Tensor]) -> Vec<Option<Tensor>> {
        let mask = &context.saved_tensors()[0];
        assert_eq!(grads.len(), 4);
        let zero = grads[0].zeros_like();
        vec![
            Some(Tensor::where_(mask, &grads[0], &zero) + &grads[3]),
            Some(Tensor::where_(mask, &zero, &grads[0]) + &grads[3]),
        ]
    }
}

#[test]
fn several_outputs_and_constants_among_them() {
    let (x, y) = (Tensor::from([1.0, 5.0]), Tensor::from([2.0, 3.0]));
    let (a, b) = (x.copy().requires_grad_(true), y.copy().requires_grad_(true));
    let outputs = Larger.apply(&[&a, &b]);
    assert_eq!(outputs.iter().map(Tensor::requires_grad).collect::<Vec<_>>(), [true, false, false, true]);
    // The other outputs took no part: their gradients are zeros.
    outputs[0].sum().backward().unwrap();
    assert_eq!(a.grad().unwrap().to_vec::<f64>(), [0.0, 1.0]);
    assert_eq!(b.grad().unwrap().to_vec::<f64>(), [1.0, 0.0]);
    gradgradcheck(
        |v| {
            let outputs = Larger.apply(&[&v[0], &v[1]]);
            &outputs[0] * &outputs[3]
        },
        &[&x, &y],
    )
    .unwrap();
}
