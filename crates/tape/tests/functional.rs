//! Jacobians, Hessians and products, against differences, loops and each other.

use approx::assert_relative_eq;
use proptest::prelude::*;
use tape::functional::{Derivatives, batch_jacobian, hessian, hvp, jacobian, jvp, vhp, vjp};
use tape::strategies::tensor;
use tape::{Error, Tensor};

/// `[2, 2]` from a `[3]` and a number.
fn function(v: &[Tensor]) -> Tensor {
    let (x, s) = (&v[0], &v[1]);
    let row = x.i(0..2) * x.i(2).exp();
    Tensor::stack(&[&(&row * s), &(row.sin() + s.square())], 0)
}

fn inputs() -> [Tensor; 2] {
    [Tensor::from([0.3, -0.7, 0.2]), Tensor::from(1.3)]
}

fn loss(v: &[Tensor]) -> Tensor {
    function(v).square().sum()
}

/// The Jacobian by central differences, flat.
fn differences(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], which: usize) -> Vec<f64> {
    let h = 1e-6;
    let at = |k: usize, offset: f64| {
        let mut values = inputs[which].to_vec::<f64>();
        values[k] += offset;
        let mut moved = inputs.to_vec();
        moved[which] = Tensor::from_vec(values, inputs[which].shape());
        f(&moved).to_vec::<f64>()
    };
    let columns: Vec<Vec<f64>> = (0..inputs[which].numel())
        .map(|k| at(k, h).iter().zip(at(k, -h)).map(|(up, down)| (up - down) / (2.0 * h)).collect())
        .collect();
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

#[test]
fn jacobians_have_torchs_shapes_and_the_values_of_differences() {
    let inputs = inputs();
    let blocks = jacobian(function, &[&inputs[0], &inputs[1]]).unwrap();
    assert_eq!(blocks.iter().map(|b| b.shape().to_vec()).collect::<Vec<_>>(), [vec![2, 2, 3], vec![2, 2]]);
    for (which, block) in blocks.iter().enumerate() {
        let expected = Tensor::from_vec(differences(function, &inputs, which), block.shape());
        assert_relative_eq!(*block, expected, epsilon = 1e-8);
        assert!(!block.requires_grad());
    }
}

#[test]
fn products_are_products_with_the_jacobian() {
    let [x, s] = inputs();
    let j = jacobian(function, &[&x, &s]).unwrap();
    let v = Tensor::from([[1.0, -2.0], [0.5, 3.0]]);
    let (value, rows) = vjp(function, &[&x, &s], &v).unwrap();
    assert_eq!(value, function(&[x.clone(), s.clone()]));
    assert_relative_eq!(rows[0], v.reshape(4).matmul(&j[0].reshape([4, 3])), max_relative = 1e-13);
    assert_relative_eq!(rows[1], v.reshape(4).dot(&j[1].reshape(4)), max_relative = 1e-13);

    let (dx, ds) = (Tensor::from([0.1, 0.2, -0.4]), Tensor::from(2.0));
    let (value, product) = jvp(function, &[&x, &s], &[&dx, &ds]).unwrap();
    assert!(!value.requires_grad() && !product.requires_grad());
    let expected = j[0].matmul(&dx) + &j[1] * &ds;
    assert_relative_eq!(product, expected, max_relative = 1e-13);
}

#[test]
fn hessians_are_symmetric_and_their_products_follow() {
    let inputs = inputs();
    let [x, s] = &inputs;
    let h = hessian(loss, &[x, s]).unwrap();
    assert_eq!([h[0][0].shape(), h[0][1].shape(), h[1][0].shape(), h[1][1].shape()], [&[3, 3][..], &[3], &[3], &[]]);
    assert_relative_eq!(h[0][0], h[0][0].t(), epsilon = 1e-12);
    assert_relative_eq!(h[0][1], h[1][0], epsilon = 1e-12);
    let gradient = |v: &[Tensor]| vjp(loss, &[&v[0], &v[1]], None).unwrap().1.remove(0);
    assert_relative_eq!(h[0][0], Tensor::from_vec(differences(gradient, &inputs, 0), [3, 3]), epsilon = 1e-7);

    let (dx, ds) = (Tensor::from([0.1, 0.2, -0.4]), Tensor::from(2.0));
    for product in [hvp, vhp] {
        let (value, product) = product(loss as fn(&[Tensor]) -> Tensor, &[x, s], &[&dx, &ds]).unwrap();
        assert_eq!(value, loss(&inputs));
        assert_relative_eq!(product[0], h[0][0].matmul(&dx) + &h[0][1] * &ds, max_relative = 1e-12);
        assert_relative_eq!(product[1], h[1][0].dot(&dx) + &h[1][1] * &ds, max_relative = 1e-12);
    }
}

#[test]
fn what_does_not_depend_is_zero_or_in_strict_mode_an_error() {
    let (x, y) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0]));
    let only_first = |v: &[Tensor]| &v[0] * 3.0;
    let j = jacobian(only_first, &[&x, &y]).unwrap();
    assert_eq!(j[1], Tensor::from([[0.0], [0.0]]));
    assert_eq!(jvp(only_first, &[&x, &y], &[&x, &y]).unwrap().1.to_vec::<f64>(), [3.0, 6.0]);
    let constant = |_: &[Tensor]| Tensor::from([1.0, 2.0]);
    assert_eq!(jacobian(constant, &[&x]).unwrap()[0].to_vec::<f64>(), [0.0; 4]);
    assert_eq!(jvp(constant, &[&x], &[&x]).unwrap().1.to_vec::<f64>(), [0.0; 2]);
    // A linear function has a Hessian of zeros.
    let linear = |v: &[Tensor]| v[0].sum();
    assert_eq!(hessian(linear, &[&x]).unwrap()[0][0].to_vec::<f64>(), [0.0; 4]);
    assert_eq!(hvp(linear, &[&x], &[&x]).unwrap().1[0].to_vec::<f64>(), [0.0; 2]);
    let error = Derivatives::new().strict(true).jacobian(only_first, &[&x, &y]).unwrap_err().to_string();
    assert!(error.contains("independent of input 1. This is not allowed in strict mode"), "{error}");
}

#[test]
fn derivatives_of_derivatives() {
    // The survey's pattern: a Jacobian within a Jacobian.
    let x = Tensor::from([0.5, 2.0]);
    let inner = |v: &[Tensor]| {
        Derivatives::new().create_graph(true).jacobian(|u| u[0].pow(4.0).sum(), &[&v[0]]).unwrap().remove(0)
    };
    let second = jacobian(inner, &[&x]).unwrap().remove(0);
    assert_relative_eq!(second, Tensor::from([[3.0, 0.0], [0.0, 48.0]]), max_relative = 1e-14);

    let x = x.requires_grad_(true);
    let options = Derivatives::new().create_graph(true);
    let h = options.hessian(|v| v[0].pow(4.0).sum(), &[&x]).unwrap().remove(0).remove(0);
    h.sum().backward().unwrap();
    assert_relative_eq!(x.grad().unwrap(), Tensor::from([12.0, 48.0]), max_relative = 1e-14);
    x.set_grad(None);
    let (_, product) = options.hvp(|v| v[0].pow(4.0).sum(), &[&x], &[&Tensor::from([1.0, 1.0])]).unwrap();
    product[0].sum().backward().unwrap();
    assert_relative_eq!(x.grad().unwrap(), Tensor::from([12.0, 48.0]), max_relative = 1e-14);
    x.set_grad(None);
    let (value, product) = options.jvp(|v| v[0].pow(3.0), &[&x], &[&Tensor::from([1.0, 1.0])]).unwrap();
    (value.sum() + product.sum()).backward().unwrap();
    assert_relative_eq!(x.grad().unwrap(), Tensor::from([0.75 + 3.0, 12.0 + 12.0]), max_relative = 1e-14);
}

#[test]
fn one_tensor_in_two_places_is_two_inputs() {
    let x = Tensor::from([2.0, 3.0]).requires_grad_(true);
    for create_graph in [false, true] {
        let j = Derivatives::new().create_graph(create_graph).jacobian(|v| (&v[0] * &v[1].square()).sum(), &[&x, &x]);
        let j = j.unwrap();
        assert_eq!(j[0].to_vec::<f64>(), [4.0, 9.0]);
        assert_eq!(j[1].to_vec::<f64>(), [8.0, 18.0]);
    }
    assert!(x.grad().is_none());
}

#[test]
fn rows_of_a_batch() {
    let x = Tensor::from([[0.1, 0.5, 1.0], [0.4, -0.3, 2.0]]);
    let f = |x: &Tensor| Tensor::stack(&[&x.prod_of_columns(), &x.i((.., 0)).sin()], 1);
    let batched = batch_jacobian(f, &x).unwrap();
    assert_eq!(batched.shape(), [2, 2, 3]);
    let full = jacobian(|v| f(&v[0]), &[&x]).unwrap().remove(0);
    for row in 0..2 {
        assert_relative_eq!(batched.i(row), full.i((row, .., row)), max_relative = 1e-14);
    }
    let error = batch_jacobian(|x| x.sum(), &x).unwrap_err().to_string();
    assert!(error.contains("input has shape [2, 3]") && error.contains("output []"), "{error}");
}

trait Columns {
    fn prod_of_columns(&self) -> Tensor;
}

impl Columns for Tensor {
    fn prod_of_columns(&self) -> Tensor {
        self.i((.., 0)) * self.i((.., 1)) * self.i((.., 2))
    }
}

#[test]
fn misuse_is_explained() {
    let x = Tensor::from([1.0, 2.0]);
    let message = |result: Result<(), Error>| result.unwrap_err().to_string();
    let error = message(vjp(|v| v[0].square(), &[&x], &Tensor::from([1.0])).map(drop));
    assert!(error.starts_with("vjp: v has invalid size: should be [2]") && error.contains("got [1]"), "{error}");
    let error = message(vjp(|v| v[0].square(), &[&x], None).map(drop));
    assert!(error.contains("The vector v can only be None if"), "{error}");
    let error = message(jvp(|v| v[0].square(), &[&x], &[]).map(drop));
    assert!(error.contains("v has 0 tensors and there are 1 inputs"), "{error}");
    let error = message(hessian(|v| v[0].square(), &[&x]).map(drop));
    assert!(error.contains("should contain a single element, but its shape is [2]"), "{error}");
    let error = message(jacobian(|v| v[0].double(), &[&Tensor::from([1i64])]).map(drop));
    assert!(error.contains("input 0 is of dtype int64"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn jvp_and_vjp_are_transposes(
        x in tensor().shape([2, 3]).values(-2.0..2.0),
        u in tensor().shape([3]).values(-2.0..2.0),
        w in tensor().shape([2, 3]).values(-2.0..2.0),
    ) {
        let f = |v: &[Tensor]| v[0].sin().matmul(&v[0].t()).sum_dim(0, false).exp().sum() * v[0].i(1).tanh();
        let (_, forward) = jvp(f, &[&x], &[&w]).unwrap();
        let (_, reverse) = vjp(f, &[&x], &u).unwrap();
        let (a, b) = ((forward * &u).sum().item(), (&reverse[0] * &w).sum().item());
        prop_assert!((a - b).abs() <= 1e-11 * (1.0 + a.abs()), "{a} and {b}");
    }
}
