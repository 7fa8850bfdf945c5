//! `Tensor::update_with`: every layout, shared memory, refusals.

use std::panic::catch_unwind;
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

/// `s += g; p -= g * s`
#[derive(Clone, Copy)]
struct Rule;

impl<T: Float> ElementUpdate<T, 1> for Rule {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [s]: [T; 1]) -> (T, [T; 1]) {
        let s = s + g;
        (p - g * s, [s])
    }
}

/// Applies `Rule` to `p` with gradient `g` and a state of ones, and compares with a loop over elements.
fn check(p: &Tensor, g: &Tensor) {
    let (before, gradient) = (p.to_vec::<f64>(), g.to_vec::<f64>());
    let mut state = vec![1.0; p.numel()];
    p.update_with(g, [&mut state], Rule);
    let expected: Vec<(f64, f64)> = before.iter().zip(&gradient).map(|(p, g)| (p - g * (1.0 + g), 1.0 + g)).collect();
    let found: Vec<(f64, f64)> = p.to_vec::<f64>().into_iter().zip(state).collect();
    assert_eq!(found, expected, "{:?}", p.sizes());
}

#[test]
fn every_layout_of_parameter_and_gradient_is_updated_in_row_major_order() {
    let memory = Tensor::from((0..60).map(f64::from).collect::<Vec<_>>());
    let gradient = || Tensor::from((0..60).map(|i| f64::from(i) * 0.25 - 3.0).collect::<Vec<_>>());
    check(&memory, &gradient());
    check(&memory.reshape([6, 10]), &gradient().reshape([10, 6]).t());
    check(&memory.reshape([10, 6]).t(), &gradient().reshape([6, 10]));
    check(&memory.reshape([6, 10]).i((1..4, 2)), &gradient().i(7..10));
    check(&memory.i(3..9), &Tensor::from(2.0).expand([6]));
    check(&Tensor::from(Vec::<f64>::new()), &Tensor::from(Vec::<f64>::new()));
    check(&Tensor::from(3.0), &Tensor::from(0.5));
    assert_eq!(memory.i(59).item(), memory.to_vec::<f64>()[59], "views wrote into the memory they share");
}

#[test]
fn a_gradient_in_the_parameters_own_memory_is_read_before_anything_is_written() {
    let p = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    check(&p, &p.detach());
    let p = Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]);
    check(&p.i(1..), &p.i(..4));
}

#[test]
fn an_update_counts_as_an_in_place_change_and_is_not_recorded() {
    let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
    let loss = (&p * &p).sum();
    p.update_with(&Tensor::from([0.5, 0.5]), [&mut [0.0, 0.0]], Rule);
    assert!(p.is_leaf() && p.requires_grad());
    assert!(loss.backward().unwrap_err().to_string().contains("modified by an inplace operation"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let p = Tensor::from([1.0, 2.0]);
    let text = |f: &(dyn Fn() + std::panic::RefUnwindSafe)| {
        let panic = catch_unwind(f).expect_err("it does not fit");
        *panic.downcast::<String>().expect("a message")
    };
    let one = Tensor::from([1.0f32, 1.0]);
    assert!(text(&|| p.update_with(&one, [&mut [0.0; 2]], Rule)).contains("dtype float32"));
    assert!(text(&|| p.update_with(&p, [&mut [0.0f32; 2]], Rule)).contains("as float32"));
    assert!(text(&|| p.update_with(&p.i(..1), [&mut [0.0; 2]], Rule)).contains("shape [1]"));
    assert!(text(&|| p.update_with(&p, [&mut [0.0; 3]], Rule)).contains("2 elements"));
    let repeated = Tensor::from(2.0).expand([2]);
    assert!(text(&|| repeated.update_with(&p, [&mut [0.0; 2]], Rule)).contains("single memory location"));
    let text = text(&|| repeated.add_scaled(1.0, &[1.0, 1.0]));
    assert!(text.contains("add_scaled: unsupported operation: more than one element"), "{text}");
}
