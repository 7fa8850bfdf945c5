//! What the memory stores: damped pairs, and pairs in half precision.

mod common;

use common::{Outcome, counters, quartic, rosenbrock, step};
use optim::{BoxError, GradClip, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, StopReason};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use tape::{DType, Float, Tensor};

const WOLFE: LineSearch = LineSearch::StrongWolfe;

/// `sum_i x^4/4 - x^2/2`: negative curvature where `|x| < 1/sqrt(3)`, minima at 1 and -1.
fn double_well<T: Float>(p: &Tensor) -> Result<Tensor, BoxError> {
    let x: Vec<f64> = p.to_vec::<T>().iter().map(|x| x.to_f64()).collect();
    let gradient = x.iter().map(|x| T::from_f64(x.powi(3) - x)).collect::<Vec<T>>();
    p.set_grad(Some(Tensor::from_vec(gradient, [x.len()])));
    Ok(Tensor::from(x.iter().map(|x| x.powi(4) / 4.0 - x * x / 2.0).sum::<f64>()))
}

/// Runs on the double well and returns the optimizer with the slopes `g . d` of all its iterations.
fn on_the_double_well<T: Float>(
    configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder,
) -> Result<(Lbfgs, Tensor, Vec<f64>), BoxError> {
    let p = Tensor::from_vec([0.05, -0.1, 0.2, 0.02].map(T::from_f64).to_vec(), [4]);
    let slopes = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&slopes);
    let optimizer = configure(Lbfgs::builder([&p]).lr(0.1).max_iter(60).max_eval(1000))
        .callback(move |it| {
            log.lock().expect("no panic while it is held").push(it.directional_derivative);
            ControlFlow::Continue(())
        })
        .build()?;
    step(&optimizer, &p, double_well::<T>)?;
    let slopes = slopes.lock().expect("no panic while it is held").clone();
    Ok((optimizer, p, slopes))
}

#[test]
fn damping_learns_where_torch_skips_and_stays_positive_definite() -> Outcome {
    let (skipping, ..) = on_the_double_well::<f64>(|b| b)?;
    assert!(skipping.report().pairs_skipped >= 5, "{}", skipping.report());
    assert_eq!(skipping.report().pairs_damped, 0);
    let (damping, p, slopes) = on_the_double_well::<f64>(|b| b.powell_damping(true))?;
    let report = damping.report();
    assert!(report.pairs_damped >= 2 && report.pairs_skipped == 0, "{report}");
    assert!(report.to_string().contains(&format!("accepted ({} damped)", report.pairs_damped)), "{report}");
    assert!(slopes.len() > 10 && slopes.iter().all(|&slope| slope < 0.0), "-H g descends: {slopes:?}");
    let sd = damping.state_dict();
    assert!(sd["state"][0]["ro"].iter().all(|rho| rho.as_tensor().is_some_and(|rho| rho.item() > 0.0)));
    assert!(p.to_vec::<f64>().iter().all(|x| (x.abs() - 1.0).abs() < 5e-3), "{:?}", p.to_vec::<f64>());
    let (single, ..) = on_the_double_well::<f32>(|b| b.powell_damping(true))?;
    assert!(single.report().pairs_damped >= 2 && single.report().pairs_skipped == 0);
    Ok(())
}

#[test]
fn every_stored_pair_has_the_curvature_that_damping_promises() -> Outcome {
    pairs_are_damped_by("prev_flat_grad", |b| b)?;
    // The direction, and so the matrix, belongs to the clipped gradient.
    pairs_are_damped_by("prev_clipped_grad", |b| b.grad_clip(GradClip::GlobalNorm(0.1)))
}

/// `B s = -t g` with the gradient found under `key`.
fn pairs_are_damped_by(key: &str, configure: fn(LbfgsBuilder) -> LbfgsBuilder) -> Outcome {
    let p = Tensor::from([0.05, -0.1, 0.2]);
    let optimizer = configure(Lbfgs::builder([&p]).lr(0.3).max_iter(1).powell_damping(true)).build()?;
    let mut damped = 0;
    for k in 0..30 {
        let vector = |key: &str| {
            let state = &optimizer.state_dict()["state"][0];
            state[key].as_tensor().map(|x| x.to_vec::<f64>()).unwrap_or_default()
        };
        let (d, g) = (vector("d"), vector(key));
        let t = optimizer.state_dict()["state"][0]["t"].as_float();
        step(&optimizer, &p, double_well::<f64>)?;
        damped += optimizer.report().pairs_damped;
        let sd = optimizer.state_dict();
        let pairs = sd["state"][0]["old_dirs"].len();
        let Some(t) = t.filter(|_| optimizer.report().pairs_accepted > 0) else { continue };
        let last = |key: &str| {
            let vector = sd["state"][0][key][pairs - 1].as_tensor().map(|x| x.to_vec::<f64>());
            vector.unwrap_or_default()
        };
        let (s, y) = (last("old_stps"), last("old_dirs"));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert_eq!(s, d.iter().map(|d| t * d).collect::<Vec<_>>());
        let (ys, sbs) = (dot(&s, &y), -t * dot(&s, &g));
        assert!(ys >= 0.2 * sbs * (1.0 - 1e-9), "pair {k}");
        if optimizer.report().pairs_damped == 1 {
            assert!((ys - 0.2 * sbs).abs() <= 1e-9 * sbs, "a damped pair is at the bound");
        }
    }
    assert!(damped > 0);
    Ok(())
}

#[test]
fn a_step_that_ends_before_it_moves_gives_no_damped_pair() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(100).powell_damping(true).line_search_fn(WOLFE).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    optimizer.param_groups()[0].set("tolerance_grad", -1.0);
    optimizer.param_groups()[0].set("tolerance_change", 1e-3);
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let pairs = optimizer.report().pairs_in_memory;
    for _ in 0..3 {
        step(&optimizer, &p, rosenbrock::<f64>)?;
        let report = optimizer.report();
        assert_eq!((report.stop, report.pairs_damped), (StopReason::DirectionalDerivative, 0));
        assert_eq!((report.pairs_skipped, report.pairs_in_memory), (1, pairs));
    }
    Ok(())
}

#[test]
fn where_curvature_is_plenty_damping_changes_nothing() -> Outcome {
    let (p, q) = (Tensor::from([0.3, 0.9, -1.4]), Tensor::from([0.3, 0.9, -1.4]));
    let build = |b: LbfgsBuilder| b.lr(0.5).max_iter(8).line_search_fn(WOLFE).build();
    let (damping, plain) = (build(Lbfgs::builder([&p]).powell_damping(true))?, build(Lbfgs::builder([&q]))?);
    step(&damping, &p, quartic::<f64>)?;
    step(&plain, &q, quartic::<f64>)?;
    assert_eq!((p.to_vec::<f64>(), damping.report().pairs_damped), (q.to_vec::<f64>(), 0));
    Ok(())
}

type Problem = fn(&Tensor) -> Result<Tensor, BoxError>;

/// Solves from a fixed start.
fn solve(n: usize, f: Problem, configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder) -> Result<Lbfgs, BoxError> {
    let start: Vec<f64> = if n == 2 { vec![-1.2, 1.0] } else { (0..n).map(|i| (i as f64 * 1.7).sin()).collect() };
    let p = Tensor::from_vec(start, [n]);
    let builder = Lbfgs::builder([&p]).max_iter(2000).max_eval(5000).history_size(10).line_search_fn(WOLFE);
    let optimizer = configure(builder).build()?;
    step(&optimizer, &p, f)?;
    Ok(optimizer)
}

#[test]
fn a_history_in_f32_takes_half_the_memory_and_hardly_more_iterations() -> Outcome {
    let problems: [(usize, Problem); 4] =
        [(2, rosenbrock::<f64>), (7, quartic::<f64>), (300, quartic::<f64>), (1000, quartic::<f64>)];
    for (n, f) in problems {
        let whole = solve(n, f, |b| b)?;
        let half = solve(n, f, |b| b.history_dtype(DType::F32))?;
        let (a, b) = (whole.report(), half.report());
        let limits = [StopReason::MaxIter, StopReason::MaxEval];
        assert!(!limits.contains(&b.stop) && !limits.contains(&a.stop), "{n}: {b}");
        assert!(b.iterations <= a.iterations + 3 + a.iterations / 5, "{n}: {} and {}", b.iterations, a.iterations);
        assert!((b.final_loss - a.final_loss).abs() <= 1e-8 * (1.0 + a.final_loss.abs()), "{n}: {b}");
        assert_eq!(2 * half.history_bytes(), whole.history_bytes(), "{n}");
        assert_eq!((b.history_bytes, a.history_bytes), (half.history_bytes(), whole.history_bytes()));
        if n == 1000 {
            // One buffer of two vectors more than pairs, for the candidate.
            let pairs = a.pairs_in_memory + 1;
            assert!((pairs - 1..=pairs).contains(&(whole.history_bytes() / (2 * n * 8))), "{}", whole.history_bytes());
        }
        let sd = half.state_dict();
        let dtypes = ["old_dirs", "old_stps", "ro"].map(|key| sd["state"][0][key][0].as_tensor().unwrap().dtype());
        assert_eq!(dtypes, [DType::F32, DType::F32, DType::F64]);
    }
    Ok(())
}

#[test]
fn the_numbers_of_a_pair_are_those_of_its_rounded_vectors() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(9).line_search_fn(WOLFE).history_dtype(DType::F32).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let sd = optimizer.state_dict();
    let state = &sd["state"][0];
    for k in 0..state["ro"].len() {
        let wide = |key: &str| {
            let x = state[key][k].as_tensor().map(|x| x.to_vec::<f32>()).unwrap_or_default();
            x.into_iter().map(f64::from).collect::<Vec<f64>>()
        };
        let (s, y) = (wide("old_stps"), wide("old_dirs"));
        let (ys, yy) = (y[0] * s[0] + y[1] * s[1], y[0] * y[0] + y[1] * y[1]);
        assert_eq!(state["ro"][k].as_tensor().map(Tensor::item), Some(1.0 / ys));
        if k + 1 == state["ro"].len() {
            assert_eq!(state["H_diag"].as_tensor().map(Tensor::item), Some(ys / yy));
        }
    }
    Ok(())
}

#[test]
fn a_history_in_f32_is_saved_exactly_and_can_be_switched() -> Outcome {
    let optimizer = solve(7, quartic::<f64>, |b| b.history_dtype(DType::F32).max_iter(6))?;
    let saved = optimizer.state_dict();
    let q = Tensor::from_vec(vec![0.5; 7], [7]);
    let other = Lbfgs::builder([&q]).build()?;
    other.load_state_dict(saved.deep_copy())?;
    assert_eq!(other.state_dict(), saved, "dtypes and bits");
    // Widened at the next step, its numbers stay.
    other.param_groups()[0].set("history_dtype", "float64");
    other.param_groups()[0].set("max_iter", 0);
    step(&other, &q, quartic::<f64>)?;
    let wide = other.state_dict();
    for key in ["old_dirs", "old_stps"] {
        for (wide, narrow) in wide["state"][0][key].iter().zip(saved["state"][0][key].iter()) {
            let (wide, narrow) = (wide.as_tensor().unwrap(), narrow.as_tensor().unwrap());
            let widened: Vec<f64> = narrow.to_vec::<f32>().into_iter().map(f64::from).collect();
            assert_eq!((wide.dtype(), wide.to_vec::<f64>()), (DType::F64, widened));
        }
    }
    other.param_groups()[0].set("history_dtype", "float32");
    step(&other, &q, quartic::<f64>)?;
    assert_eq!(other.state_dict()["state"][0]["old_dirs"], saved["state"][0]["old_dirs"]);
    assert_eq!(other.state_dict()["state"][0]["old_stps"], saved["state"][0]["old_stps"]);
    Ok(())
}

#[test]
fn for_f32_parameters_nothing_changes() -> Outcome {
    let (p, q) = (Tensor::from([-1.2_f32, 1.0]), Tensor::from([-1.2_f32, 1.0]));
    let asked = Lbfgs::builder([&p]).history_dtype(DType::F32).line_search_fn(WOLFE).build()?;
    let plain = Lbfgs::builder([&q]).line_search_fn(WOLFE).build()?;
    step(&asked, &p, rosenbrock::<f32>)?;
    step(&plain, &q, rosenbrock::<f32>)?;
    assert_eq!((p.to_vec::<f32>(), counters(&asked)), (q.to_vec(), counters(&plain)));
    assert_eq!(asked.history_bytes(), plain.history_bytes());
    Ok(())
}
