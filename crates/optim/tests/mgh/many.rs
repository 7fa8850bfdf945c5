//! Problems of variable size: 20 to 35.

use super::{Problem, matrix, product, steps};
use tape::{DType, PadMode, Tensor};

/// Residuals of the linear functions, of which the paper asks for at least as many as there are variables.
const LINEAR_RESIDUALS: usize = 20;

pub fn problems() -> Vec<Problem> {
    let mut problems = nonlinear();
    problems.extend(equations());
    problems.extend(linear());
    // Minima for 7, 8, 9 and 10 variables.
    for (n, minima) in (7..).zip([&[0.0_f64], &[3.51687e-3], &[0.0], &[6.50395e-3]]) {
        let start = (1..=n).map(|j| j as f64 / (n + 1) as f64).collect();
        problems.push(Problem { number: 35, name: "Chebyquad", start, residuals: chebyquad, minima, minimizer: None });
    }
    problems
}

fn nonlinear() -> Vec<Problem> {
    let watson_of = |n, minima| Problem {
        number: 20,
        name: "Watson",
        start: vec![0.0; n],
        residuals: watson,
        minima,
        minimizer: None,
    };
    let penalty_1_of = |n, minima| Problem {
        number: 23,
        name: "penalty I",
        start: (1..=n).map(f64::from).collect(),
        residuals: penalty_1,
        minima,
        minimizer: None,
    };
    let penalty_2_of = |n, minima| Problem {
        number: 24,
        name: "penalty II",
        start: vec![0.5; n],
        residuals: penalty_2,
        minima,
        minimizer: None,
    };
    vec![
        watson_of(6, &[2.28767e-3]),
        watson_of(9, &[1.39976e-6]),
        Problem {
            number: 21,
            name: "extended Rosenbrock",
            start: [-1.2, 1.0].repeat(50),
            residuals: extended_rosenbrock,
            minima: &[0.0],
            minimizer: Some(vec![1.0; 100]),
        },
        Problem {
            number: 22,
            name: "extended Powell singular",
            start: [3.0, -1.0, 0.0, 1.0].repeat(25),
            residuals: extended_powell_singular,
            minima: &[0.0],
            minimizer: Some(vec![0.0; 100]),
        },
        penalty_1_of(4, &[2.24997e-5]),
        penalty_1_of(10, &[7.08765e-5]),
        penalty_2_of(4, &[9.37629e-6]),
        penalty_2_of(10, &[2.93660e-4]),
        Problem {
            number: 25,
            name: "variably dimensioned",
            start: (1..=10).map(|j| 1.0 - f64::from(j) / 10.0).collect(),
            residuals: variably_dimensioned,
            minima: &[0.0],
            minimizer: Some(vec![1.0; 10]),
        },
        Problem {
            number: 26,
            name: "trigonometric",
            start: vec![0.1; 10],
            residuals: trigonometric,
            minima: &[0.0, 2.79506e-5],
            minimizer: Some(vec![0.0; 10]),
        },
    ]
}

fn equations() -> Vec<Problem> {
    let parabola: Vec<f64> = (1..=10).map(|j| f64::from(j) / 11.0).map(|t| t * (t - 1.0)).collect();
    vec![
        Problem {
            number: 27,
            name: "Brown almost-linear",
            start: vec![0.5; 10],
            residuals: brown_almost_linear,
            minima: &[0.0, 1.0],
            minimizer: Some(vec![1.0; 10]),
        },
        Problem {
            number: 28,
            name: "discrete boundary value",
            start: parabola.clone(),
            residuals: discrete_boundary_value,
            minima: &[0.0],
            minimizer: None,
        },
        Problem {
            number: 29,
            name: "discrete integral equation",
            start: parabola,
            residuals: discrete_integral_equation,
            minima: &[0.0],
            minimizer: None,
        },
        Problem {
            number: 30,
            name: "Broyden tridiagonal",
            start: vec![-1.0; 100],
            residuals: broyden_tridiagonal,
            minima: &[0.0],
            minimizer: None,
        },
        Problem {
            number: 31,
            name: "Broyden banded",
            start: vec![-1.0; 10],
            residuals: broyden_banded,
            minima: &[0.0],
            minimizer: None,
        },
    ]
}

fn linear() -> Vec<Problem> {
    let start = vec![1.0; 10];
    vec![
        Problem {
            number: 32,
            name: "linear, full rank",
            start: start.clone(),
            residuals: linear_full_rank,
            minima: &[10.0], // m - n
            minimizer: Some(vec![-1.0; 10]),
        },
        Problem {
            number: 33,
            name: "linear, rank 1",
            start: start.clone(),
            residuals: linear_rank_1,
            minima: &[20.0 * 19.0 / 82.0], // m (m - 1) / (2 (2m + 1))
            minimizer: None,
        },
        Problem {
            number: 34,
            name: "linear, rank 1 with zero columns and rows",
            start,
            residuals: linear_rank_1_with_zeros,
            minima: &[454.0 / 74.0], // (m^2 + 3m - 6) / (2 (2m - 3))
            minimizer: None,
        },
    ]
}

fn ones(n: usize) -> Tensor {
    Tensor::ones([n], DType::F64)
}

/// `t` to the power of `exponent`, by products alone, which round alike everywhere.
fn power(t: f64, exponent: usize) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * t)
}

fn watson(x: &Tensor) -> Tensor {
    let n = x.numel();
    let t = |i: usize| i as f64 / 29.0;
    let values = matrix(29, n, |i, j| power(t(i), j - 1));
    let slopes = matrix(29, n, |i, j| if j == 1 { 0.0 } else { (j - 1) as f64 * power(t(i), j - 2) });
    let fit = product(&slopes, x) - product(&values, x).square() - 1.0;
    let (first, second) = (x.narrow(0, 0, 1), x.narrow(0, 1, 1));
    Tensor::cat(vec![fit, first.clone(), second - first.square() - 1.0], 0)
}

fn extended_rosenbrock(x: &Tensor) -> Tensor {
    let pairs = x.reshape([-1, 2]);
    let (x, y) = (pairs.select(1, 0), pairs.select(1, 1));
    Tensor::cat(vec![(y - x.square()) * 10.0, 1.0 - x], 0)
}

fn extended_powell_singular(x: &Tensor) -> Tensor {
    let fours = x.reshape([-1, 4]);
    let [a, b, c, d] = [0, 1, 2, 3].map(|j| fours.select(1, j));
    let fourth = (&a - &d).square() * 10_f64.sqrt();
    Tensor::cat(vec![a + &b * 10.0, (&c - d) * 5_f64.sqrt(), (b - c * 2.0).square(), fourth], 0)
}

fn penalty_1(x: &Tensor) -> Tensor {
    let sphere = x.square().sum() - 0.25;
    Tensor::cat(vec![(x - 1.0) * 1e-5_f64.sqrt(), sphere.reshape([1])], 0)
}

fn penalty_2(x: &Tensor) -> Tensor {
    let n = x.numel();
    let root = 1e-5_f64.sqrt();
    let exp = (x / 10.0).exp();
    let known = (steps(1, n, 1.0) / 10.0).exp();
    let sums = |e: &Tensor| e.narrow(0, 1, n - 1) + e.narrow(0, 0, n - 1);
    let neighbours = (sums(&exp) - sums(&known)) * root;
    let each = (exp.narrow(0, 1, n - 1) - Tensor::from([-0.1]).exp()) * root;
    let weights = (n + 1) as f64 - steps(1, n, 1.0);
    let sphere = (weights * x.square()).sum() - 1.0;
    Tensor::cat(vec![x.narrow(0, 0, 1) - 0.2, neighbours, each, sphere.reshape([1])], 0)
}

fn variably_dimensioned(x: &Tensor) -> Tensor {
    let distance = x - 1.0;
    let sum = (steps(1, x.numel(), 1.0) * &distance).sum().reshape([1]);
    Tensor::cat(vec![distance, sum.clone(), sum.square()], 0)
}

fn trigonometric(x: &Tensor) -> Tensor {
    let n = x.numel();
    let cos = x.cos();
    n as f64 - cos.sum() + steps(1, n, 1.0) * (1.0 - &cos) - x.sin()
}

fn brown_almost_linear(x: &Tensor) -> Tensor {
    let n = x.numel();
    let linear = x.narrow(0, 0, n - 1) + x.sum() - (n + 1) as f64;
    Tensor::cat(vec![linear, (x.prod() - 1.0).reshape([1])], 0)
}

/// `x` and its neighbours before and after; there are zeros beyond the ends.
fn with_neighbours(x: &Tensor) -> [Tensor; 3] {
    let n = x.numel();
    let padded = x.pad([1, 1], PadMode::Constant(0.0));
    [padded.narrow(0, 0, n), x.clone(), padded.narrow(0, 2, n)]
}

/// `(x_i + t_i + 1)^3` for `t_i = i / (n + 1)`.
fn cubes(x: &Tensor) -> Tensor {
    let t = steps(1, x.numel(), 1.0) / (x.numel() + 1) as f64;
    let base = x + t + 1.0;
    base.square() * base
}

fn discrete_boundary_value(x: &Tensor) -> Tensor {
    let h = 1.0 / (x.numel() + 1) as f64;
    let [before, here, after] = with_neighbours(x);
    here * 2.0 - before - after + cubes(x) * (h * h / 2.0)
}

fn discrete_integral_equation(x: &Tensor) -> Tensor {
    let n = x.numel();
    let h = 1.0 / (n + 1) as f64;
    let t = |i: usize| i as f64 * h;
    let kernel = matrix(n, n, |i, j| if j <= i { (1.0 - t(i)) * t(j) } else { t(i) * (1.0 - t(j)) });
    x + product(&kernel, &cubes(x)) * (h / 2.0)
}

fn broyden_tridiagonal(x: &Tensor) -> Tensor {
    let [before, here, after] = with_neighbours(x);
    (3.0 - &here * 2.0) * here - before - after * 2.0 + 1.0
}

/// Each equation contains up to five variables before its own and one after it.
fn broyden_banded(x: &Tensor) -> Tensor {
    let n = x.numel();
    let band = matrix(n, n, |i, j| if j != i && j + 5 >= i && j <= i + 1 { 1.0 } else { 0.0 });
    x * (x.square() * 5.0 + 2.0) + 1.0 - product(&band, &(x * (x + 1.0)))
}

fn linear_full_rank(x: &Tensor) -> Tensor {
    let extra = LINEAR_RESIDUALS - x.numel();
    x.pad([0, extra as i64], PadMode::Constant(0.0)) - x.sum() * (2.0 / LINEAR_RESIDUALS as f64) - 1.0
}

fn linear_rank_1(x: &Tensor) -> Tensor {
    let sum = (steps(1, x.numel(), 1.0) * x).sum();
    steps(1, LINEAR_RESIDUALS, 1.0) * sum - 1.0
}

/// The first and the last variable, the first and the last residual have no part in it.
fn linear_rank_1_with_zeros(x: &Tensor) -> Tensor {
    let inner = x.numel() - 2;
    let sum = (steps(2, inner, 1.0) * x.narrow(0, 1, inner)).sum();
    let factors = steps(1, LINEAR_RESIDUALS - 2, 1.0).pad([1, 1], PadMode::Constant(0.0));
    factors * sum - 1.0
}

/// The mean of each Chebyshev polynomial, shifted to `[0, 1]`, over the points, less its integral.
fn chebyquad(x: &Tensor) -> Tensor {
    let n = x.numel();
    let argument = x * 2.0 - 1.0;
    let (mut before, mut polynomial) = (ones(n), argument.clone());
    let mut residuals = Vec::with_capacity(n);
    for i in 1..=n {
        let integral = if i % 2 == 0 { -1.0 / (i * i - 1) as f64 } else { 0.0 };
        residuals.push(polynomial.sum() / n as f64 - integral);
        let next = &argument * 2.0 * &polynomial - before;
        before = std::mem::replace(&mut polynomial, next);
    }
    Tensor::stack(residuals, 0)
}
