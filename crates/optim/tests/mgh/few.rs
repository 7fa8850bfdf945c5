//! Problems of two to four variables without data: 1 to 7, 13, 14.

use super::{Problem, steps, unknowns, vector};
use std::f64::consts::TAU;
use tape::Tensor;

pub fn problems() -> Vec<Problem> {
    vec![
        Problem {
            number: 1,
            name: "Rosenbrock",
            start: vec![-1.2, 1.0],
            residuals: rosenbrock,
            minima: &[0.0],
            minimizer: Some(vec![1.0, 1.0]),
        },
        Problem {
            number: 2,
            name: "Freudenstein and Roth",
            start: vec![0.5, -2.0],
            residuals: freudenstein_roth,
            minima: &[0.0, 48.9842],
            minimizer: Some(vec![5.0, 4.0]),
        },
        Problem {
            number: 3,
            name: "Powell badly scaled",
            start: vec![0.0, 1.0],
            residuals: powell_badly_scaled,
            minima: &[0.0],
            minimizer: None,
        },
        Problem {
            number: 4,
            name: "Brown badly scaled",
            start: vec![1.0, 1.0],
            residuals: brown_badly_scaled,
            minima: &[0.0],
            minimizer: Some(vec![1e6, 2e-6]),
        },
        Problem {
            number: 5,
            name: "Beale",
            start: vec![1.0, 1.0],
            residuals: beale,
            minima: &[0.0],
            minimizer: Some(vec![3.0, 0.5]),
        },
        Problem {
            number: 6,
            name: "Jennrich and Sampson",
            start: vec![0.3, 0.4],
            residuals: jennrich_sampson,
            minima: &[124.362],
            minimizer: None,
        },
        Problem {
            number: 7,
            name: "helical valley",
            start: vec![-1.0, 0.0, 0.0],
            residuals: helical_valley,
            minima: &[0.0],
            minimizer: Some(vec![1.0, 0.0, 0.0]),
        },
        Problem {
            number: 13,
            name: "Powell singular",
            start: vec![3.0, -1.0, 0.0, 1.0],
            residuals: powell_singular,
            minima: &[0.0],
            minimizer: Some(vec![0.0; 4]),
        },
        Problem {
            number: 14,
            name: "Wood",
            start: vec![-3.0, -1.0, -3.0, -1.0],
            residuals: wood,
            minima: &[0.0],
            minimizer: Some(vec![1.0; 4]),
        },
    ]
}

fn rosenbrock(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    vector([(y - x.square()) * 10.0, 1.0 - x])
}

fn freudenstein_roth(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    let first = &x - 13.0 + ((5.0 - &y) * &y - 2.0) * &y;
    let second = &x - 29.0 + ((&y + 1.0) * &y - 14.0) * &y;
    vector([first, second])
}

fn powell_badly_scaled(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    vector([&x * &y * 1e4 - 1.0, (-x).exp() + (-y).exp() - 1.0001])
}

fn brown_badly_scaled(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    vector([&x - 1e6, &y - 2e-6, x * y - 2.0])
}

fn beale(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    let square = y.square();
    let cube = &square * &y;
    vector([1.5 - &x * (1.0 - y), 2.25 - &x * (1.0 - square), 2.625 - &x * (1.0 - cube)])
}

fn jennrich_sampson(x: &Tensor) -> Tensor {
    let [x, y] = unknowns(x);
    let i = steps(1, 10, 1.0);
    &i * 2.0 + 2.0 - ((&i * x).exp() + (&i * y).exp())
}

/// The angle is the arc tangent on the right of the `y` axis and half a turn more on the left of it.
fn helical_valley(x: &Tensor) -> Tensor {
    let [x, y, z] = unknowns(x);
    let half_turn = if x.item() < 0.0 { 0.5 } else { 0.0 };
    let turns = (&y / &x).atan() / TAU + half_turn;
    let radius = (x.square() + y.square()).sqrt();
    vector([(&z - turns * 10.0) * 10.0, (radius - 1.0) * 10.0, z])
}

fn powell_singular(x: &Tensor) -> Tensor {
    let [a, b, c, d] = unknowns(x);
    let fourth = (&a - &d).square() * 10_f64.sqrt();
    vector([a + &b * 10.0, (&c - d) * 5_f64.sqrt(), (b - c * 2.0).square(), fourth])
}

fn wood(x: &Tensor) -> Tensor {
    let [a, b, c, d] = unknowns(x);
    let root = 10_f64.sqrt();
    vector([
        (&b - a.square()) * 10.0,
        1.0 - a,
        (&d - c.square()) * 90_f64.sqrt(),
        1.0 - c,
        (&b + &d - 2.0) * root,
        (b - d) / root,
    ])
}
