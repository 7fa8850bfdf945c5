//! Negative controls for `diagnose`: healthy problems, at many points, in both precisions. Nothing may be called
//! certain, and no gradient wrong.

use optim::diagnosis::{Cause, Certainty, Diagnosis};
use optim::{BoxError, Lbfgs, LineSearch, Optimizer};
use tape::{DType, Generator, Tensor};

type Outcome = Result<(), BoxError>;
type Function = fn(&[Tensor]) -> Tensor;

/// Runs `diagnose` with both kinds of search and several options.
fn diagnose(x: &[Tensor], f: Function) -> Result<Vec<Diagnosis>, BoxError> {
    let mut diagnoses = Vec::new();
    for search in [None, Some(LineSearch::StrongWolfe)] {
        let optimizer = Lbfgs::builder(x).line_search_fn(search).build()?;
        diagnoses.push(optimizer.diagnose(|| {
            optimizer.zero_grad();
            let loss = f(x);
            loss.backward()?;
            Ok(loss)
        })?);
    }
    Ok(diagnoses)
}

fn check(name: &str, point: &str, x: &[Tensor], f: Function) -> Outcome {
    for diagnosis in diagnose(x, f)? {
        let alarm = |f: &optim::diagnosis::Finding| {
            f.certainty == Certainty::Certain
                || f.cause == Cause::WrongGradient
                || f.cause == Cause::RoughLoss && f.certainty == Certainty::Likely
        };
        assert!(!diagnosis.findings().iter().any(alarm), "{name} at {point}:\n{diagnosis}");
        assert!(diagnosis.evaluations <= 21, "{name} at {point}:\n{diagnosis}");
    }
    Ok(())
}

fn leaf(values: &[f64], dtype: DType) -> Tensor {
    Tensor::from_vec(values.to_vec(), [values.len()]).to_dtype(dtype).detach().requires_grad_(true)
}

/// Checks a function at these points, in both precisions, and on the way to its minimum.
fn healthy(name: &str, f: Function, points: &[&[f64]]) -> Outcome {
    for dtype in [DType::F64, DType::F32] {
        for point in points {
            let x = [leaf(point, dtype)];
            check(name, &format!("{point:?} {dtype}"), &x, f)?;
            let optimizer = Lbfgs::builder(&x).line_search_fn(LineSearch::StrongWolfe).max_iter(3).build()?;
            for step in 0..30 {
                optimizer.step(|| {
                    optimizer.zero_grad();
                    let loss = f(&x);
                    loss.backward()?;
                    Ok(loss)
                })?;
                check(name, &format!("{point:?} {dtype} after {step}"), &x, f)?;
            }
        }
    }
    Ok(())
}

fn bowl(x: &[Tensor]) -> Tensor {
    x[0].pow(2.0).sum()
}

#[test]
fn bowl_everywhere() -> Outcome {
    let points: [&[f64]; 9] =
        [&[-100.0], &[1.0], &[1e-3], &[1e-8], &[1e8], &[0.0], &[3.0, -4.0, 1e-3], &[0.0, 1.0], &[1e-20, 5.0]];
    healthy("bowl", bowl, &points)
}

#[test]
fn rosenbrock_everywhere() -> Outcome {
    fn rosenbrock(x: &[Tensor]) -> Tensor {
        let (a, b) = (x[0].i(0), x[0].i(1));
        (1.0 - &a).pow(2.0) + 100.0 * (&b - a.pow(2.0)).pow(2.0)
    }
    let points: [&[f64]; 8] = [
        &[-1.2, 1.0],
        &[0.0, 0.0],
        &[1.0, 1.0],
        &[1.0 + 1e-9, 1.0],
        &[1.0001, 1.0002],
        &[-1.0, 1.0],
        &[0.5, 0.25],
        &[10.0, -20.0],
    ];
    healthy("rosenbrock", rosenbrock, &points)
}

#[test]
fn functions_of_all_shapes() -> Outcome {
    let functions: [(&str, Function); 12] = [
        ("quartic", |x| x[0].pow(4.0).sum()),
        ("shifted quartic", |x| ((&x[0] - 1.0).pow(4.0) + 0.5 * x[0].pow(2.0)).sum()),
        ("badly scaled", |x| (x[0].pow(2.0) * Tensor::from([1e-3, 1e6]).to_dtype(x[0].dtype())).sum()),
        ("logarithm", |x| ((x[0].pow(2.0) + 0.1).log() + 0.1 * &x[0]).sum()),
        ("exp", |x| ((0.3 * &x[0]).exp() - &x[0]).sum()),
        ("cosine", |x| x[0].cos().sum() + 0.01 * x[0].pow(2.0).sum()),
        ("logsumexp", |x| x[0].logsumexp([0], false) + 0.05 * (&x[0] - 0.2).pow(2.0).sum()),
        ("offset", |x| (&x[0] - 0.5).pow(2.0).sum() + 3.0),
        ("tiny", |x| (&x[0] - 0.5).pow(2.0).sum() * 1e-3),
        ("huge", |x| (&x[0] - 0.5).pow(2.0).sum() * 1e5),
        ("linear and quartic", |x| (x[0].pow(4.0) + 3.0 * &x[0]).sum()),
        ("tanh", |x| (x[0].tanh() - 0.5).pow(2.0).sum()),
    ];
    let points: [&[f64]; 7] =
        [&[1.0, -2.0], &[0.5, 0.5], &[0.0, 0.0], &[3.0, 1e-4], &[0.7, -0.3], &[1e-3, 1e-3], &[4.0, 2.0]];
    for (name, f) in functions {
        healthy(name, f, &points)?;
    }
    Ok(())
}

/// Inputs and targets that do not depend on the process-wide generator.
fn data(rows: usize, columns: usize, dtype: DType) -> (Tensor, Tensor) {
    let mut generator = Generator::new(7);
    let inputs = Tensor::randn_with(&mut generator, [rows, columns], dtype);
    let targets = inputs.sum_dim([1], true).gt(0.0).to_dtype(dtype);
    (inputs, targets)
}

fn logistic(x: &[Tensor]) -> Tensor {
    let (inputs, targets) = data(64, 5, x[0].dtype());
    let logits = inputs.matmul(&x[0]) + &x[1];
    (logits.softplus(1.0, 20.0) - &logits * targets).mean()
}

fn net(x: &[Tensor]) -> Tensor {
    let (inputs, targets) = data(64, 5, x[0].dtype());
    let hidden = (inputs.matmul(&x[0]) + &x[1]).tanh();
    (hidden.matmul(&x[2]) + &x[3] - targets).pow(2.0).mean()
}

fn relu_net(x: &[Tensor]) -> Tensor {
    let (inputs, targets) = data(64, 5, x[0].dtype());
    let hidden = (inputs.matmul(&x[0]) + &x[1]).relu();
    (hidden.matmul(&x[2]) + &x[3] - targets).pow(2.0).mean()
}

fn models(name: &str, f: Function, shapes: &[[usize; 2]], scale: f64) -> Outcome {
    for dtype in [DType::F64, DType::F32] {
        for seed in 0..4 {
            let mut generator = Generator::new(seed);
            let draw = |shape: &[usize; 2]| {
                (Tensor::randn_with(&mut generator, *shape, dtype) * scale).detach().requires_grad_(true)
            };
            let x: Vec<Tensor> = shapes.iter().map(draw).collect();
            let optimizer = Lbfgs::builder(&x).line_search_fn(LineSearch::StrongWolfe).max_iter(5).build()?;
            for step in 0..20 {
                check(name, &format!("seed {seed} {dtype} after {step}"), &x, f)?;
                optimizer.step(|| {
                    optimizer.zero_grad();
                    let loss = f(&x);
                    loss.backward()?;
                    Ok(loss)
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn logistic_regression() -> Outcome {
    models("logistic", logistic, &[[5, 1], [1, 1]], 0.5)?;
    models("logistic from zero", logistic, &[[5, 1], [1, 1]], 0.0)
}

#[test]
fn small_nets() -> Outcome {
    let shapes = [[5, 8], [1, 8], [8, 1], [1, 1]];
    models("tanh net", net, &shapes, 0.4)?;
    models("relu net", relu_net, &shapes, 0.4)
}

/// An optimizer that has run keeps its memory: the next direction is then a quasi-Newton one.
#[test]
fn a_memory_that_fits_is_no_finding() -> Outcome {
    let x = [leaf(&[-1.2, 1.0], DType::F64)];
    let optimizer = Lbfgs::builder(&x).line_search_fn(LineSearch::StrongWolfe).max_iter(6).build()?;
    for _ in 0..6 {
        let closure = || {
            optimizer.zero_grad();
            let (a, b) = (x[0].i(0), x[0].i(1));
            let loss = (1.0 - &a).pow(2.0) + 100.0 * (&b - a.pow(2.0)).pow(2.0);
            loss.backward()?;
            Ok(loss)
        };
        optimizer.step(closure)?;
        let diagnosis = optimizer.diagnose(closure)?;
        assert!(diagnosis.findings().iter().all(|f| f.certainty == Certainty::Possible), "{diagnosis}");
    }
    Ok(())
}

/// A random program of `x` and `y`: smooth operations, kinks, steep and fast ones.
fn program(x: &Tensor, y: &Tensor, words: &mut u64, depth: u32) -> Tensor {
    let mut draw = |below: u64| {
        *words ^= *words << 13;
        *words ^= *words >> 7;
        *words ^= *words << 17;
        (*words >> 11) % below
    };
    if depth == 0 {
        return if draw(2) == 0 { x.copy() } else { y.copy() };
    }
    let operation = draw(16);
    let a = program(x, y, words, depth - 1);
    match operation {
        0 => a.tanh(),
        1 => a.sin() * 2.0,
        2 => (a * 0.5).exp(),
        3 => a.sigmoid(),
        4 => a.relu(),
        5 => a.abs(),
        6 => a.softplus(1.0, 20.0),
        7 => a.pow(2.0),
        8 => a.pow(3.0) * 0.1,
        9 => (a.pow(2.0) + 1.0).log(),
        10 => (a.pow(2.0) + 0.1).sqrt(),
        11 => a * program(x, y, words, depth - 1),
        12 => a + program(x, y, words, depth - 1),
        13 => a / (1.0 + program(x, y, words, depth - 1).pow(2.0)),
        14 => a.maximum(&program(x, y, words, depth - 1)),
        _ => a * 100.0 - 3.0,
    }
}

/// Whatever the loss, its own gradient is right, its closure repeats, and nothing is computed outside.
#[test]
fn random_programs_have_right_gradients() -> Outcome {
    let mut generator = Generator::new(11);
    for i in 0..480_u64 {
        let dtype = if i % 2 == 0 { DType::F32 } else { DType::F64 };
        let (n, scale) = ([1, 2, 7, 50][(i / 2 % 4) as usize], [1e-3, 1.0, 30.0][(i / 8 % 3) as usize]);
        let x = (Tensor::randn_with(&mut generator, [n], dtype) * scale).detach().requires_grad_(true);
        let y = Tensor::randn_with(&mut generator, [n], dtype).detach().requires_grad_(true);
        let target = Tensor::randn_with(&mut generator, [n], dtype);
        let loss = || {
            let mut words = 0x9E37_79B9_7F4A_7C15 ^ (i + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
            let value = program(&x, &y, &mut words, 2 + (i % 4) as u32);
            (value - &target).pow(2.0).mean() + 1e-3 * (x.pow(2.0).sum() + y.pow(2.0).sum())
        };
        let optimizer = Lbfgs::builder([&x, &y]).line_search_fn(LineSearch::StrongWolfe).max_iter(10).build()?;
        let closure = || {
            optimizer.zero_grad();
            let loss = loss();
            loss.backward()?;
            Ok(loss)
        };
        for step in 0..3 {
            let diagnosis = optimizer.diagnose(closure)?;
            let non_finite = |cause| {
                [Cause::NonFiniteLoss, Cause::NonFiniteGradient, Cause::NonFiniteTrial, Cause::NonFiniteParameters]
                    .contains(&cause)
            };
            let alarm = |finding: &optim::diagnosis::Finding| {
                // A program may leave the range of its dtype, or be flat: those are its own faults.
                finding.certainty == Certainty::Certain
                    && finding.cause != Cause::FlatLoss
                    && !non_finite(finding.cause)
            };
            assert!(!diagnosis.findings().iter().any(alarm), "program {i} after {step}:\n{diagnosis}");
            assert!(diagnosis.evaluations <= 21, "program {i} after {step}:\n{diagnosis}");
            // A search on a loss that is NaN may end in an error, as in torch.
            if optimizer.step(closure).is_err() {
                break;
            }
        }
    }
    Ok(())
}
