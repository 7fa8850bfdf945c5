//! Problems with gradients written out by hand, so that these tests see the optimizer alone.
#![allow(dead_code)] // every test file uses a part

pub mod zoo;

use optim::{BoxError, Lbfgs, Optimizer};
use std::cell::Cell;
use tape::{Float, Tensor};

pub type Outcome = Result<(), BoxError>;

/// Rosenbrock's function of two variables, rounded as torch's autograd rounds `(1-x)**2 + 100*(y-x**2)**2`.
pub fn rosenbrock<T: Float>(p: &Tensor) -> Result<Tensor, BoxError> {
    let [x, y] = p.to_vec::<T>()[..] else { return Err(BoxError::msg("two parameters")) };
    let (two, hundred) = (T::from_f64(2.0), T::from_f64(100.0));
    let a = T::ONE - x;
    let c = y - x * x;
    let dc = hundred * (two * c);
    let dx = -(two * a) + -dc * (two * x);
    p.set_grad(Some(Tensor::from_vec(vec![dx, dc], [2])));
    Ok(Tensor::from_vec(vec![a * a + hundred * (c * c)], ()))
}

/// `scale * (x^2 + y^2 + ..)`.
pub fn bowl<T: Float>(p: &Tensor, scale: f64) -> Result<Tensor, BoxError> {
    let x = p.to_vec::<T>();
    let scale = T::from_f64(scale);
    let gradient: Vec<T> = x.iter().map(|&x| scale * (x + x)).collect();
    p.set_grad(Some(Tensor::from_vec(gradient, p.shape())));
    let mut sum = T::ZERO;
    for x in x {
        sum += x * x;
    }
    Ok(Tensor::from_vec(vec![scale * sum], ()))
}

/// A convex function of `n` variables that is not quadratic: `sum_i (i+1)/n * (x_i^2/2 + x_i^4/4 + x_i) + x_i
/// x_{i+1} / 4`.
pub fn quartic<T: Float>(p: &Tensor) -> Result<Tensor, BoxError> {
    let x: Vec<f64> = p.to_vec::<T>().iter().map(|x| x.to_f64()).collect();
    let n = x.len();
    let (mut loss, mut gradient) = (0.0, vec![0.0; n]);
    for i in 0..n {
        let weight = (i + 1) as f64 / n as f64;
        loss += weight * (x[i] * x[i] / 2.0 + x[i].powi(4) / 4.0 + x[i]);
        gradient[i] += weight * (x[i] + x[i].powi(3) + 1.0);
        if i + 1 < n {
            loss += x[i] * x[i + 1] / 4.0;
            gradient[i] += x[i + 1] / 4.0;
            gradient[i + 1] += x[i] / 4.0;
        }
    }
    let gradient: Vec<T> = gradient.into_iter().map(T::from_f64).collect();
    p.set_grad(Some(Tensor::from_vec(gradient, p.shape())));
    Ok(Tensor::from_vec(vec![T::from_f64(loss)], ()))
}

/// Steps on a function of one tensor and returns how often the closure ran.
pub fn step(
    optimizer: &Lbfgs,
    p: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor, BoxError>,
) -> Result<usize, optim::Error> {
    let calls = Cell::new(0);
    optimizer.step(|| {
        calls.set(calls.get() + 1);
        optimizer.zero_grad();
        f(p)
    })?;
    Ok(calls.get())
}

/// `(n_iter, func_evals)` of a state dict.
pub fn counters(optimizer: &dyn Optimizer) -> (i64, i64) {
    let sd = optimizer.state_dict();
    let count = |key: &str| sd["state"][0][key].as_int().unwrap_or(-1);
    (count("n_iter"), count("func_evals"))
}
