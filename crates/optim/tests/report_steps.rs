//! Steps that go wrong, explained by the step report alone. Numbers are rows of the table in the documentation of
//! `optim::diagnosis`.

#[path = "common/reports.rs"]
mod reports;

use optim::{GradClip, Lbfgs, LineSearch, NonFinite, StopReason};
use reports::{Outcome, blames, both, leaf, leaf32, says, step};
use tape::Tensor;

const WOLFE: LineSearch = LineSearch::StrongWolfe;

#[test]
fn row_06_nan_where_the_step_begins() -> Outcome {
    let x = leaf32([100.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).lr(0.1).build()?;
    let report = step(&optimizer, || (x.exp() / (1.0 + x.exp())).sum())?;
    blames(&report, &["loss was NaN already where the step began", "inf / inf", "20 of 20 evaluations gave a NaN"]);
    // torch's rules have made the parameter NaN, and the next step says that.
    let report = step(&optimizer, || x.pow(2.0).sum())?;
    blames(&report, &["parameters were NaN or infinite before the step began: x"]);
    Ok(())
}

#[test]
fn row_06_gradient_nan_at_a_finite_loss() -> Outcome {
    let (x, y) = (leaf([0.0]), leaf([1.0]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    let report = step(&optimizer, || ((&x * &x).sqrt() + y.pow(2.0)).sum())?;
    blames(&report, &["gradient was NaN or infinite at a loss of 1", "in x:", "sqrt at 0"]);
    Ok(())
}

#[test]
fn row_07_a_nan_trial_ruins_the_run() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(50).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || (&x - x.log()).sum())?;
    blames(&report, &["gave a NaN or infinite loss", "a trial point", "NonFinite::Recover"]);
    Ok(())
}

#[test]
fn row_07_recovered_trials_are_told_but_not_blamed() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(50).line_search_fn(WOLFE).non_finite(NonFinite::Recover).build()?;
    let report = step(&optimizer, || (&x - x.log()).sum())?;
    assert!(report.non_finite_evaluations > 0);
    let text = reports::blames_nothing(&report);
    assert!(text.contains("evaluations gave a NaN"), "{text}");
    Ok(())
}

#[test]
fn row_07_stopped_at_the_first_nan() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).non_finite(NonFinite::Stop).build()?;
    assert!(step(&optimizer, || (&x - x.log()).sum()).is_err());
    blames(&optimizer.report(), &["NaN", "evaluation"]);
    Ok(())
}

#[test]
fn row_08_first_step_far_too_long() -> Outcome {
    let x = leaf([1e-4, -2e-4]);
    let optimizer = Lbfgs::builder([&x]).lr(10.0).build()?;
    // A narrow well; from far away it looks flat.
    let report = step(&optimizer, || -(-1e6 * x.pow(2.0)).exp().sum())?;
    blames(&report, &["the first step", "times as long as the largest parameter", "Lower lr"]);
    Ok(())
}

#[test]
fn row_09_fixed_steps_overshoot() -> Outcome {
    let x = leaf([5.7]);
    let optimizer = Lbfgs::builder([&x]).max_iter(4).build()?;
    // Nearly straight where it begins, so that the first pair promises a far minimum.
    let report = step(&optimizer, || (x.pow(2.0) + 1.0).sqrt().sum())?;
    blames(&report, &["got worse in", "of 4 iterations", "without a line search", "StrongWolfe", "lower lr"]);
    Ok(())
}

#[test]
fn row_10_decrease_below_the_rounding_of_f32() -> Outcome {
    for search in 0..2 {
        let x = leaf32([1.0, -2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.5).max_iter(100))?[search];
        let report = step(optimizer, || (&x - 3.0).pow(2.0).sum() * 1e-3 + 1e4)?;
        says(&report, &["rounding of the loss in f32", "Compute in f64", "10000"]);
    }
    Ok(())
}

#[test]
fn row_10_decrease_below_the_rounding_of_f64() -> Outcome {
    let x = leaf([1.0, -2.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).max_iter(100).build()?;
    let report = step(&optimizer, || (&x - 3.0).pow(4.0).sum() * 1e-6 + 1e12)?;
    says(&report, &["rounding of the loss in f64", "Subtract what is constant"]);
    Ok(())
}

#[test]
fn row_10_tolerances_that_rounding_does_not_reach() -> Outcome {
    let x = leaf32([0.3, 0.1, -0.2]);
    let optimizer =
        Lbfgs::builder([&x]).max_iter(100).tolerance_grad(1e-12).tolerance_change(0.0).line_search_fn(WOLFE).build()?;
    let c = Tensor::from([3.0f32, 7.0, 11.0]);
    let report = step(&optimizer, || (x.exp() - &c * &x + 100.0).sum())?;
    blames(&report, &["less than the rounding of the loss in f32", "raise the tolerances"]);
    Ok(())
}

#[test]
fn an_ill_conditioned_loss() -> Outcome {
    let x = leaf([1.0, 1.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || x.i(0).pow(2.0) + 1e10 * x.i(1).pow(2.0))?;
    says(&report, &["ill-conditioned", "curvature of ", "Scale the parameters"]);
    Ok(())
}

#[test]
fn a_memory_that_hides_the_gradient() -> Outcome {
    let x = leaf([1e-3, 1e-3]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let report = step(&optimizer, || (&x * 1e3).exp().sum() - x.sum() * 1e8)?;
    blames(&report, &["the memory expects a curvature of ", "Scale the parameters"]);
    Ok(())
}

#[test]
fn row_11_a_tolerance_ends_the_step_early() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).tolerance_change(0.3).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || 100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0))?;
    blames(&report, &["far above tolerance_grad = 1e-7", "Lower tolerance_change"]);
    says(&report, &["tolerance_change = 0.3"]);
    Ok(())
}

#[test]
fn row_11_a_loose_gradient_tolerance() -> Outcome {
    let x = leaf([0.2]);
    let optimizer = Lbfgs::builder([&x]).tolerance_grad(0.5).build()?;
    let report = step(&optimizer, || x.pow(2.0).sum())?;
    says(
        &report,
        &["already converged", "max|g| = 0.4 <= tolerance_grad = 0.5", "advice: tolerance_grad = 0.5 is large"],
    );
    Ok(())
}

#[test]
fn row_12_absolute_tolerances_and_a_small_loss() -> Outcome {
    for scale in [1e-9, 1e-7] {
        for search in 0..2 {
            let x = leaf([3.0, -1.0]);
            let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
            let report = step(optimizer, || (&x - 1.0).pow(2.0).sum() * scale)?;
            says(&report, &["tolerances are absolute and this loss is small", "by a constant"]);
        }
    }
    Ok(())
}

#[test]
fn row_13_limits() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let rosenbrock = || 100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0);
    let optimizer = Lbfgs::builder([&x]).max_iter(5).max_eval(99).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, rosenbrock)?;
    says(
        &report,
        &["max_iter was reached", "= 5", "is still above tolerance_grad", "Call step again", "raise max_iter"],
    );
    let optimizer = Lbfgs::builder([&x]).max_eval(3).line_search_fn(WOLFE).build()?;
    says(&step(&optimizer, rosenbrock)?, &["max_eval was reached", "max_eval = 3", "raise max_eval"]);
    let optimizer = Lbfgs::builder([&x]).max_iter(0).build()?;
    blames(&step(&optimizer, rosenbrock)?, &["max_iter is 0", "Raise it"]);
    Ok(())
}

#[test]
fn row_14_every_call_says_why_it_ended_and_that_the_next_goes_on() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(4).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || 100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0))?;
    says(&report, &["which goes on with the same memory"]);
    Ok(())
}

#[test]
fn row_16_searches_that_fail_at_the_minimum_blame_rounding_only() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer =
        Lbfgs::builder([&x]).tolerance_grad(0.0).tolerance_change(0.0).max_iter(60).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || ((&x - 0.3).pow(2.0) * 7.0).sum() + 3.0)?;
    let text = says(&report, &[]);
    assert!(!text.contains("does not belong"), "{text}");
    Ok(())
}

#[test]
fn row_17_a_direction_that_leads_uphill() -> Outcome {
    let x = leaf([3.0, 0.1]);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(WOLFE).grad_clip(GradClip::Value(1e-3)).build()?;
    let loss = || 50.0 * x.i(0).pow(2.0) + 0.5 * x.i(1).pow(2.0) + 7.0 * x.i(0) * x.i(1);
    let mut report = step(&optimizer, loss)?;
    for _ in 0..20 {
        if report.directional_derivative.is_some_and(|slope| slope > 0.0) {
            blames(&report, &["uphill", "g.d = ", "guarded(true)"]);
            return Ok(());
        }
        report = step(&optimizer, loss)?;
    }
    println!("{report}");
    Ok(())
}

#[test]
fn row_18_pairs_of_negative_curvature_are_refused() -> Outcome {
    let x = leaf([0.1, -0.2]);
    let optimizer = Lbfgs::builder([&x]).lr(0.1).build()?;
    let report = step(&optimizer, || -x.pow(2.0).sum() * 0.1)?;
    blames(&report, &["curvature pairs were refused", "y.s = -", "curves downwards"]);
    Ok(())
}

#[test]
fn row_18_pairs_of_a_small_loss_are_refused() -> Outcome {
    let x = leaf([3.0, -2.0]);
    let optimizer = Lbfgs::builder([&x]).tolerance_change(0.0).tolerance_grad(0.0).build()?;
    let report = step(&optimizer, || x.pow(2.0).sum() * 1e-7)?;
    blames(&report, &["curvature pairs were refused", "<= 1e-10", "Multiply it by a constant"]);
    Ok(())
}

#[test]
fn row_18_a_linear_loss_runs_off() -> Outcome {
    for search in 0..2 {
        let x = leaf([3.0, -2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        let report = step(optimizer, || x.sum())?;
        println!("{report}\n");
        let words: &[&str] = if search == 0 { &["linear", "minimum"] } else { &["minimum"] };
        blames(&report, words);
    }
    Ok(())
}

#[test]
fn row_20_a_kink() -> Outcome {
    let x = leaf([1.0, -0.7]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || x.abs().sum() + 3.0 * (x.i(0) - 0.3 * x.i(1)).abs())?;
    blames(&report, &["kink", "slope jumps from -", "Smooth the loss"]);
    Ok(())
}

#[test]
fn row_26_convergence_and_failure_are_not_mixed_up() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || x.pow(2.0).sum())?;
    assert_eq!(report.stop, StopReason::GradientTolerance);
    says(&report, &["converged, the gradient is small (max|g| = ", "<= tolerance_grad = 1e-7)"]);
    let report = step(&optimizer, || x.pow(2.0).sum())?;
    says(&report, &["nothing was moved"]);
    Ok(())
}

#[test]
fn row_28_a_large_history_says_its_size() -> Outcome {
    let x = Tensor::from_vec(vec![1.0f64; 1 << 20], 1 << 20).requires_grad_(true);
    let optimizer = Lbfgs::builder([&x]).max_iter(8).history_size(7).build()?;
    let weights = Tensor::linspace(1.0, 9.0, 1 << 20, tape::DType::F64);
    let report = step(&optimizer, || (x.pow(2.0) * &weights).mean() * 1e6)?;
    assert!(report.history_bytes >= 64 << 20, "{report}");
    says(&report, &["which take ", "MiB (history_size limits them)"]);
    Ok(())
}

#[test]
fn a_learning_rate_of_zero() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).lr(0.0).build()?;
    blames(&step(&optimizer, || x.pow(2.0).sum())?, &["never moved, with a step length of 0", "is lr 0"]);
    let optimizer = Lbfgs::builder([&x]).lr(0.0).line_search_fn(WOLFE).build()?;
    blames(&step(&optimizer, || x.pow(2.0).sum())?, &["never moved", "is lr 0"]);
    // Moves of 1 are lost beside 1e9 in f32.
    for search in 0..2 {
        let x = leaf32([1e9]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        blames(&step(optimizer, || (x.double() * 1e-3).sum())?, &["never moved", "too short beside the parameters"]);
    }
    Ok(())
}

#[test]
fn a_learning_rate_that_is_too_small() -> Outcome {
    let x = leaf([100.0]);
    let optimizer = Lbfgs::builder([&x]).lr(1e-4).build()?;
    blames(&step(&optimizer, || x.pow(2.0).sum())?, &["lr = 1e-4", "Raise lr", "StrongWolfe"]);
    let optimizer = Lbfgs::builder([&x]).lr(1e-9).build()?;
    blames(&step(&optimizer, || x.pow(2.0).sum())?, &["lr makes steps", "shorter than tolerance_change", "Raise lr"]);
    Ok(())
}

#[test]
fn a_saturated_function() -> Outcome {
    let x = leaf32([200.0, 300.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let report = step(&optimizer, || x.sigmoid().sum())?;
    says(&report, &["the gradient is zero", "exactly zero here", "saturated", "begin elsewhere"]);
    Ok(())
}

#[test]
fn some_gradients_are_exactly_zero() -> Outcome {
    let (x, y) = (leaf([1.0, 3.0]), leaf([-4.0]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    let report = step(&optimizer, || (x.pow(4.0) + y.relu()).sum())?;
    says(&report, &["1 of 2 parameters have a gradient of exactly zero: y"]);
    Ok(())
}

#[test]
fn a_loss_without_minimum() -> Outcome {
    let x = leaf([1.0, 0.5]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    blames(&step(&optimizer, || -x.pow(4.0).sum())?, &["runs off without bound", "sign"]);
    Ok(())
}

#[test]
fn row_10_a_part_of_the_loss_in_f32() -> Outcome {
    for search in 0..2 {
        let x = leaf([0.3, -2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.5).max_iter(100))?[search];
        let report = step(optimizer, || ((&x - 3.0).pow(2.0).sum() * 1e-2 + 1e3).float().double())?;
        says(&report, &["rounding of the loss in f32, in which part of it is computed", "Compute all of it in f64"]);
    }
    Ok(())
}
