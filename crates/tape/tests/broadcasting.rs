//! Elementwise operations under broadcasting, in every memory layout, against index loops.

mod common;

use common::{Laid, Naive, any_laid, assert_close, assert_same, broadcast_shape, broadcastable, config, naive};
use common::{indices, panic_text, shapes};
use proptest::prelude::*;
use tape::{DType, Tensor, grad};

type Binary = (&'static str, fn(&Tensor, &Tensor) -> Tensor, fn(f64, f64) -> f64);

const ARITHMETIC: [Binary; 6] = [
    ("add", |a, b| a + b, |a, b| a + b),
    ("sub", |a, b| a - b, |a, b| a - b),
    ("mul", |a, b| a * b, |a, b| a * b),
    ("div", |a, b| a / b, |a, b| a / b),
    ("maximum", |a, b| a.maximum(b), |a, b| if a > b { a } else { b }),
    ("minimum", |a, b| a.minimum(b), |a, b| if a < b { a } else { b }),
];

const COMPARISONS: [Binary; 6] = [
    ("eq", |a, b| a.eq(b), |a, b| f64::from(a == b)),
    ("ne", |a, b| a.ne(b), |a, b| f64::from(a != b)),
    ("lt", |a, b| a.lt(b), |a, b| f64::from(a < b)),
    ("le", |a, b| a.le(b), |a, b| f64::from(a <= b)),
    ("gt", |a, b| a.gt(b), |a, b| f64::from(a > b)),
    ("ge", |a, b| a.ge(b), |a, b| f64::from(a >= b)),
];

/// The partial derivatives of the arithmetic operations, by name; equal elements share in an extreme.
fn partials(name: &str, a: f64, b: f64) -> (f64, f64) {
    let larger = |a: f64, b: f64| if a == b { 0.5 } else { f64::from(a > b) };
    match name {
        "add" => (1.0, 1.0),
        "sub" => (1.0, -1.0),
        "mul" => (b, a),
        "div" => (1.0 / b, -a / (b * b)),
        "maximum" => (larger(a, b), larger(b, a)),
        "minimum" => (larger(b, a), larger(a, b)),
        _ => unreachable!("{name} is not in the list"),
    }
}

/// Weights without a pattern, so that no two elements of a gradient are confused.
fn weights(shape: &[usize]) -> Naive {
    Naive::positions(shape).map(|p| (p * 0.7).sin() + 1.5)
}

/// The sum over everything that broadcasting from `shape` to the shape of `x` repeated.
fn sum_to(x: &Naive, shape: &[usize]) -> Naive {
    let mut out = Naive::new(shape, vec![0.0; shape.iter().product()]);
    for index in indices(&x.shape) {
        let tail = index[index.len() - shape.len()..].iter().zip(shape);
        let place: Vec<usize> = tail.map(|(&i, &size)| if size == 1 { 0 } else { i }).collect();
        let flat = out.offset(&place);
        out.data[flat] += x.at(&index);
    }
    out
}

/// A divisor must not be zero where derivatives are compared.
fn nonzero(x: &Laid) -> Laid {
    Laid { naive: x.naive.map(|v| if v == 0.0 { 0.75 } else { v }), layout: x.layout }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn arithmetic_and_comparisons_broadcast(pair in broadcastable::<2>()) {
        let (a, b) = (pair[0].tensor(), pair[1].tensor());
        for (name, op, oracle) in ARITHMETIC.into_iter().chain(COMPARISONS) {
            let expected = pair[0].naive.zip(&pair[1].naive, oracle);
            let found = op(&a, &b);
            let compares = COMPARISONS.iter().any(|(other, ..)| *other == name);
            let dtype = if compares { DType::Bool } else { DType::F64 };
            prop_assert_eq!(found.dtype(), dtype, "{}", name);
            assert_same(&found, &expected);
        }
    }

    #[test]
    fn narrower_dtypes_give_the_same_small_numbers(pair in broadcastable::<2>()) {
        let (a, b) = (pair[0].tensor(), pair[1].tensor());
        let (na, nb) = (&pair[0].naive, &pair[1].naive);
        for (_, op, oracle) in [&ARITHMETIC[..3], &ARITHMETIC[4..], &COMPARISONS].concat() {
            assert_same(&op(&a.float(), &b.float()), &na.zip(nb, oracle));
            let expected = na.map(f64::trunc).zip(&nb.map(f64::trunc), oracle);
            assert_same(&op(&a.long(), &b.long()), &expected);
        }
        // A float beside an integer decides the dtype, unless it has no dimensions and the other has.
        let mixed = &a.float() * &b.long();
        prop_assert_eq!(mixed.dtype(), DType::F32);
        assert_same(&mixed, &na.zip(&nb.map(f64::trunc), |x, y| x * y));
    }

    #[test]
    fn where_chooses_under_broadcasting(triple in broadcastable::<3>()) {
        let (c, a, b) = (&triple[0], &triple[1], &triple[2]);
        let found = Tensor::where_(&c.tensor().gt(0.0), a.tensor(), b.tensor());
        let (nc, na, nb) = (&c.naive, &a.naive, &b.naive);
        let shape = nc.zip(na, |_, _| 0.0).zip(nb, |_, _| 0.0).shape;
        let chosen = |i: &[usize]| if nc.broadcast_at(i) > 0.0 { na } else { nb };
        assert_same(&found, &Naive::from_fn(&shape, |i| chosen(i).broadcast_at(i)));
    }

    #[test]
    fn numbers_broadcast_to_every_shape(x in any_laid(), number in -8i32..9) {
        let (t, n, s) = (x.tensor(), &x.naive, f64::from(number) / 4.0);
        assert_same(&(&t + s), &n.map(|v| v + s));
        assert_same(&(s - &t), &n.map(|v| s - v));
        assert_same(&(&t * s), &n.map(|v| v * s));
        assert_same(&t.lt(s), &n.map(|v| f64::from(v < s)));
        assert_same(&Tensor::where_(&t.ge(s), &t, s), &n.map(|v| v.max(s)));
    }

    #[test]
    fn gradients_are_summed_back_to_the_inputs_shapes(pair in broadcastable::<2>()) {
        let pair = [pair[0].clone(), nonzero(&pair[1])];
        let (na, nb) = (&pair[0].naive, &pair[1].naive);
        for (name, op, _) in ARITHMETIC {
            let (a, b) = (pair[0].leaf(), pair[1].leaf());
            let out = op(&a, &b);
            let w = weights(out.sizes());
            let gradients = grad(&out, [&a, &b]).grad_outputs(w.tensor()).compute().unwrap();
            let partial = |pick: fn((f64, f64)) -> f64| {
                let derivative = na.zip(nb, |x, y| pick(partials(name, x, y)));
                derivative.zip(&w, |d, w| d * w)
            };
            assert_close(&gradients[0], &sum_to(&partial(|p| p.0), &na.shape), 1e-12);
            assert_close(&gradients[1], &sum_to(&partial(|p| p.1), &nb.shape), 1e-12);
        }
    }

    #[test]
    fn the_gradient_of_where_goes_to_the_chosen_side(triple in broadcastable::<3>()) {
        let (c, a, b) = (&triple[0], triple[1].leaf(), triple[2].leaf());
        let out = Tensor::where_(&c.tensor().gt(0.0), &a, &b);
        let w = weights(out.sizes());
        (&out * &w.tensor()).sum().backward().unwrap();
        let chosen = |yes: bool| Naive::from_fn(out.sizes(), |i| {
            if (c.naive.broadcast_at(i) > 0.0) == yes { w.at(i) } else { 0.0 }
        });
        assert_close(&a.grad().unwrap(), &sum_to(&chosen(true), a.sizes()), 1e-12);
        assert_close(&b.grad().unwrap(), &sum_to(&chosen(false), b.sizes()), 1e-12);
    }

    #[test]
    fn in_place_operations_broadcast_their_operand_only(pair in broadcastable::<2>()) {
        let (a, b) = (pair[0].naive.tensor(), pair[1].tensor());
        let expected = pair[0].naive.zip(&pair[1].naive, |x, y| x + y);
        if expected.shape == pair[0].naive.shape {
            assert_same(&a.add_(&b), &expected);
            assert_same(&a.sub_(&b).copy_(&b), &pair[1].naive.expand(&expected.shape));
        } else {
            let text = panic_text(|| a.add_(&b));
            prop_assert!(text.contains(&format!("{:?}", a.sizes())), "{}", text);
            prop_assert!(text.contains(&format!("{:?}", expected.shape)), "{}", text);
            assert_same(&a, &pair[0].naive);
        }
    }
}

/// Panics print a backtrace hint each: one property, with few cases, is enough of them.
#[test]
fn shapes_that_do_not_broadcast_panic_with_both() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut runner = proptest::test_runner::TestRunner::new(config(96));
    let pairs = (shapes(), shapes())
        .prop_filter("must not broadcast", |(a, b)| broadcast_shape(a, b).is_none())
        .prop_flat_map(|(a, b)| (naive(a), naive(b)));
    let outcome = runner.run(&pairs, |(na, nb)| {
        let (a, b) = (na.tensor(), nb.tensor());
        for (name, op, _) in ARITHMETIC.into_iter().chain(COMPARISONS) {
            let text = panic_text(|| op(&a, &b));
            prop_assert!(text.starts_with(&format!("{name}: ")), "{}", text);
            for shape in [a.sizes(), b.sizes()] {
                prop_assert!(text.contains(&format!("{shape:?}")), "{}", text);
            }
        }
        let text = panic_text(|| Tensor::where_(&a.gt(0.0), &a, &b));
        prop_assert!(text.starts_with("where"), "{}", text);
        assert_same(&(&a + &a), &na.map(|v| v + v));
        Ok(())
    });
    std::panic::set_hook(hook);
    outcome.unwrap();
}
