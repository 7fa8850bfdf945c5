//! Test functions with known minima beside those of Moré, Garbow and Hillstrom.

mod common;

use common::Outcome;
use optim::{Lbfgs, LineSearch, StepReport, StopReason};
use tape::{Tensor, gradcheck};

/// One step until `max|g| <= 1e-8`, with the gradient by autograd.
fn minimise(
    f: impl Fn(&Tensor) -> Tensor,
    start: &[f64],
    history: usize,
) -> Result<(Vec<f64>, StepReport), optim::Error> {
    let x = Tensor::from(start).requires_grad_(true);
    let optimizer = Lbfgs::builder([&x])
        .history_size(history)
        .max_iter(1000)
        .tolerance_grad(1e-8)
        .tolerance_change(0.0)
        .line_search_fn(LineSearch::StrongWolfe)
        .build()?;
    common::step(&optimizer, &x, |x| {
        let loss = f(x);
        loss.backward()?;
        Ok(loss)
    })?;
    Ok((x.to_vec(), optimizer.report()))
}

fn assert_at(found: &[f64], expected: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?}, not {expected:?}");
}

fn himmelblau(p: &Tensor) -> Tensor {
    let (x, y) = (p.select(0, 0), p.select(0, 1));
    (x.square() + &y - 11.0).square() + (x + y.square() - 7.0).square()
}

/// The four starts of TensorFlow Probability's tests, and the evaluations its own L-BFGS (Hager-Zhang search, the
/// same tolerance) needs from the first two.
#[test]
fn himmelblau_from_four_starts() -> Outcome {
    let cases = [
        ([1.0, 1.0], [3.0, 2.0], Some(31)),
        ([-2.0, 2.0], [-2.805_118_086_952_745, 3.131_312_518_250_573], Some(17)),
        ([-1.0, -1.0], [-3.779_310_253_377_747, -3.283_185_991_286_17], None),
        ([1.0, -2.0], [3.584_428_340_330_492, -1.848_126_526_964_404], None),
    ];
    for (start, minimizer, evaluations) in cases {
        gradcheck(|inputs| himmelblau(&inputs[0]), &[&Tensor::from(start)])?;
        assert!(himmelblau(&Tensor::from(minimizer)).item() < 1e-25);
        let (x, report) = minimise(himmelblau, &start, 10)?;
        assert_eq!(report.stop, StopReason::GradientTolerance);
        assert_at(&x, &minimizer);
        assert!(evaluations.is_none_or(|theirs| report.evaluations <= theirs), "{report}");
    }
    Ok(())
}

fn beale(p: &Tensor) -> Tensor {
    let (x, y) = (p.select(0, 0), p.select(0, 1));
    let term = |known: f64, exponent: f64| (known - &x * (1.0 - y.pow(exponent))).square();
    term(1.5, 1.0) + term(2.25, 2.0) + term(2.625, 3.0)
}

#[test]
fn beale_from_its_usual_start() -> Outcome {
    gradcheck(|inputs| beale(&inputs[0]), &[&Tensor::from([1.0, 0.8])])?;
    assert_eq!(beale(&Tensor::from([1.0, 1.0])).item(), 14.203_125);
    assert_eq!(beale(&Tensor::from([3.0, 0.5])).item(), 0.0);
    let (x, report) = minimise(beale, &[1.0, 1.0], 10)?;
    assert_eq!(report.stop, StopReason::GradientTolerance);
    assert_at(&x, &[3.0, 0.5]);
    Ok(())
}

fn hosaki(p: &Tensor) -> Tensor {
    let (x, y) = (p.select(0, 0), p.select(0, 1));
    // 1 - 8x + 7x^2 - 7/3 x^3 + x^4/4
    let polynomial = (((&x / 4.0 - 7.0 / 3.0) * &x + 7.0) * &x - 8.0) * &x + 1.0;
    polynomial * y.square() * (-y).exp()
}

/// Of the two minima, at `(4, 2)` and `(1, 2)`, only the first is global: `-52/3 e^-2`.
#[test]
fn hosaki_finds_the_minimum_whose_valley_it_starts_in() -> Outcome {
    let depth = (-2.0_f64).exp();
    for (start, minimizer, minimum) in
        [([3.6, 1.9], [4.0, 2.0], -52.0 / 3.0 * depth), ([0.6, 1.5], [1.0, 2.0], -25.0 / 3.0 * depth)]
    {
        gradcheck(|inputs| hosaki(&inputs[0]), &[&Tensor::from(start)])?;
        let (x, report) = minimise(hosaki, &start, 10)?;
        assert_eq!(report.stop, StopReason::GradientTolerance);
        assert_at(&x, &minimizer);
        assert!((report.final_loss - minimum).abs() < 1e-14, "{}, not {minimum}", report.final_loss);
    }
    Ok(())
}

/// Rosenbrock's function of pairs, which do not know of each other.
fn paired_rosenbrock(p: &Tensor) -> Tensor {
    let pairs = p.reshape([-1, 2]);
    let (x, y) = (pairs.select(1, 0), pairs.select(1, 1));
    ((1.0 - &x).square() + ((y - x.square()) * 10.0).square()).sum()
}

/// Every variable with the next one.
fn chained_rosenbrock(p: &Tensor) -> Tensor {
    let n = p.numel();
    let (x, y) = (p.narrow(0, 0, n - 1), p.narrow(0, 1, n - 1));
    ((1.0 - &x).square() + ((y - x.square()) * 10.0).square()).sum()
}

/// The sample program of liblbfgs, which needs 37 iterations with six pairs until `|g| <= 1e-5 |x|`, where its loss is
/// 1.3e-15.
#[test]
fn paired_rosenbrock_takes_no_more_iterations_than_liblbfgs() -> Outcome {
    let start = [-1.2, 1.0].repeat(50);
    gradcheck(|inputs| paired_rosenbrock(&inputs[0]), &[&Tensor::from(&start[..6])])?;
    assert!((paired_rosenbrock(&Tensor::from(&start[..])).item() - 50.0 * 24.2).abs() < 1e-10);
    let (x, report) = minimise(paired_rosenbrock, &start, 6)?;
    assert_eq!(report.stop, StopReason::GradientTolerance);
    assert!(report.final_loss < 1.3e-15, "{report}");
    assert!(report.iterations <= 37, "{report}");
    assert_at(&x, &[1.0; 100]);
    Ok(())
}

#[test]
fn chained_rosenbrock_of_a_hundred_variables() -> Outcome {
    let start = [-1.2, 1.0].repeat(50);
    gradcheck(|inputs| chained_rosenbrock(&inputs[0]), &[&Tensor::from(&start[..6])])?;
    assert_eq!(chained_rosenbrock(&Tensor::from([1.0; 100])).item(), 0.0);
    let (x, report) = minimise(chained_rosenbrock, &start, 10)?;
    assert_eq!(report.stop, StopReason::GradientTolerance);
    assert_at(&x, &[1.0; 100]);
    Ok(())
}
