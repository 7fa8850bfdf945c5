//! Faults of the loss, the starting point and the options, planted and named by `diagnose`. Numbers are rows of the
//! table in the documentation of `optim::diagnosis`.

#[path = "common/faults.rs"]
mod faults;

use faults::{Outcome, diagnose, leaf, leaf32, says, top};
use optim::diagnosis::{Cause, Certainty};
use optim::{Lbfgs, LineSearch, Optimizer};
use tape::{DType, Tensor};

#[test]
fn row_06_nan_and_infinite_losses() -> Outcome {
    let x = leaf([-1.0, 2.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let diagnosis = diagnose(&optimizer, || x.log().sum())?;
    top(&diagnosis, Cause::NonFiniteLoss, Certainty::Certain);
    says(&diagnosis, &["NaN"]);
    let x = leaf([1000.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let diagnosis = diagnose(&optimizer, || x.exp().sum())?;
    let finding = top(&diagnosis, Cause::NonFiniteLoss, Certainty::Certain);
    assert_eq!(finding.number("finite at factor"), Some(0.5));
    says(&diagnosis, &["inf", "exp() overflows in f64"]);
    Ok(())
}

#[test]
fn row_06_non_finite_gradient_of_a_finite_loss() -> Outcome {
    let (x, y) = (leaf([0.0, 2.0]), leaf([1.0]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    let diagnosis = diagnose(&optimizer, || x.sqrt().sum() + y.pow(2.0).sum())?;
    let finding = top(&diagnosis, Cause::NonFiniteGradient, Certainty::Certain);
    assert_eq!((finding.params.as_slice(), finding.number("elements")), (&["x".to_owned()][..], Some(1.0)));
    says(&diagnosis, &["sqrt"]);
    Ok(())
}

#[test]
fn row_06_non_finite_parameters() -> Outcome {
    let (x, y) = (leaf([0.0, f64::NAN]), leaf([1.0]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    let diagnosis = diagnose(&optimizer, || (&x * &y).sum())?;
    assert_eq!(top(&diagnosis, Cause::NonFiniteParameters, Certainty::Certain).params, ["x"]);
    assert!(x.to_vec::<f64>()[1].is_nan());
    Ok(())
}

#[test]
fn rows_07_and_30_the_first_trial_leaves_the_domain() -> Outcome {
    for search in [None, Some(LineSearch::StrongWolfe)] {
        let x = leaf([0.5]);
        let optimizer = Lbfgs::builder([&x]).line_search_fn(search).build()?;
        let diagnosis = diagnose(&optimizer, || (5.0 * &x - x.log()).sum())?;
        let finding = top(&diagnosis, Cause::NonFiniteTrial, Certainty::Certain);
        assert_eq!((finding.number("t"), finding.number("length")), (Some(1.0 / 3.0), Some(1.0)));
        says(&diagnosis, &["NaN", "0.3333"]);
    }
    Ok(())
}

#[test]
fn row_07_the_second_step_leaves_the_domain() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(50).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - x.log()).sum())?;
    top(&diagnosis, Cause::NonFiniteTrial, Certainty::Certain);
    says(&diagnosis, &["after the next", "strong_wolfe"]);
    Ok(())
}

#[test]
fn row_08_the_first_step_lands_on_a_plateau() -> Outcome {
    for search in [None, Some(LineSearch::StrongWolfe)] {
        let x = leaf([0.3]);
        let optimizer = Lbfgs::builder([&x]).lr(1000.0).line_search_fn(search).build()?;
        let diagnosis = diagnose(&optimizer, || -(-(&x - 0.5).pow(2.0)).exp().sum())?;
        top(&diagnosis, Cause::Overshoot, Certainty::Likely);
        says(&diagnosis, &["plateau", "lr"]);
    }
    Ok(())
}

#[test]
fn row_08_the_starting_point_is_saturated() -> Outcome {
    for start in [20.0, 60.0, -60.0] {
        let x = leaf([start]);
        let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = diagnose(&optimizer, || (x.tanh() - 0.3).pow(2.0).sum())?;
        let certainty = if start.abs() > 20.0 { Certainty::Certain } else { diagnosis.findings()[0].certainty };
        top(&diagnosis, Cause::FlatLoss, certainty);
        says(&diagnosis, &["plateau", "saturated"]);
    }
    Ok(())
}

#[test]
fn row_08_a_loss_that_does_not_depend_on_the_parameters() -> Outcome {
    let x = leaf([0.2, 3.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = diagnose(&optimizer, || (&x * 0.0).sum() + 2.0)?;
    top(&diagnosis, Cause::FlatLoss, Certainty::Likely);
    Ok(())
}

#[test]
fn row_08_a_saddle_is_no_minimum() -> Outcome {
    let w = [Tensor::zeros([2], DType::F64).requires_grad_(true), Tensor::zeros([2], DType::F64).requires_grad_(true)];
    let optimizer = Lbfgs::builder(&w).build()?;
    let diagnosis = diagnose(&optimizer, || ((&w[0] * &w[1]).sum() - 1.0).pow(2.0))?;
    top(&diagnosis, Cause::StationaryPoint, Certainty::Likely);
    Ok(())
}

#[test]
fn row_09_a_fixed_step_overshoots() -> Outcome {
    let x = leaf([0.1, -0.2]);
    let steep = |x: &Tensor| 1e3 * x.pow(2.0).sum();
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = diagnose(&optimizer, || steep(&x))?;
    let finding = top(&diagnosis, Cause::Overshoot, Certainty::Likely);
    assert!(finding.number("next loss") > finding.number("loss"), "{diagnosis}");
    says(&diagnosis, &["strong_wolfe", "smaller lr"]);
    // With a line search it is no fault.
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || steep(&x))?;
    assert!(diagnosis.findings().is_empty(), "{diagnosis}");
    Ok(())
}

#[test]
fn row_09_a_fixed_step_overshoots_after_the_first_pair() -> Outcome {
    let x = leaf([5.7]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    // Curvature falls along the way, so the first pair promises far too little of it.
    let diagnosis = diagnose(&optimizer, || (x.pow(2.0) + 1.0).sqrt().sum() + 1e-3 * x.pow(2.0).sum())?;
    top(&diagnosis, Cause::Overshoot, Certainty::Likely);
    says(&diagnosis, &["after the next"]);
    Ok(())
}

#[test]
fn row_10_decrease_below_rounding() -> Outcome {
    let x = leaf32([1.1, 0.9]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - 1.0).pow(2.0).sum() + 1e6)?;
    top(&diagnosis, Cause::BelowNoise, Certainty::Likely);
    says(&diagnosis, &["f32 rounding noise", "Use f64"]);
    let x = leaf([1.1, 0.9]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - 1.0).pow(2.0).sum() + 1e6)?;
    assert!(diagnosis.findings().iter().all(|f| f.certainty == Certainty::Possible), "{diagnosis}");
    Ok(())
}

#[test]
fn row_10_one_parameter_is_narrow() -> Outcome {
    let (a, b, c) = (leaf([1.1]), leaf32([0.9]), leaf([2.0]));
    let optimizer =
        Lbfgs::builder([("a", &a), ("b", &b), ("c", &c)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (&a * &b * &c - 1.0).pow(2.0).sum() + a.pow(2.0).sum())?;
    assert_eq!(top(&diagnosis, Cause::MixedPrecision, Certainty::Likely).params, ["b"]);
    Ok(())
}

#[test]
fn row_10_a_narrow_loss() -> Outcome {
    let x = leaf([1.1, 0.4]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (x.to_dtype(DType::F32) - 1.0).pow(2.0).sum())?;
    top(&diagnosis, Cause::MixedPrecision, Certainty::Likely);
    Ok(())
}

#[test]
fn row_10_f32_hidden_in_the_middle() -> Outcome {
    let x = leaf([1.1, 0.4, 7.3]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || {
        let squares = x.pow(2.0).to_dtype(DType::F32).to_dtype(DType::F64);
        (squares - 1.0).pow(2.0).sum()
    })?;
    let finding = top(&diagnosis, Cause::RoughLoss, Certainty::Likely);
    assert!(finding.number("noise").is_some_and(|noise| noise > 1e-9), "{diagnosis}");
    says(&diagnosis, &["f32"]);
    Ok(())
}

#[test]
fn rows_11_and_12_tolerances_end_the_step_at_once() -> Outcome {
    let x = leaf([0.0, 3.0]);
    let small = |x: &Tensor| 1e-9 * (x - 1.0).pow(2.0).sum();
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || small(&x))?;
    let finding = top(&diagnosis, Cause::TolerancesTooLoose, Certainty::Likely);
    assert_eq!(finding.number("limit"), Some(1e-7));
    says(&diagnosis, &["tolerance_grad = 1e-7", "absolute"]);

    let optimizer = Lbfgs::builder([&x]).tolerance_grad(0.0).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || small(&x))?;
    top(&diagnosis, Cause::TolerancesTooLoose, Certainty::Likely);
    says(&diagnosis, &["g.d = ", "-tolerance_change = -1e-9"]);

    // A loose tolerance on a usual loss: the untrained model passes as trained.
    let optimizer = Lbfgs::builder([&x]).tolerance_grad(10.0).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - 1.0).pow(2.0).sum())?;
    top(&diagnosis, Cause::TolerancesTooLoose, Certainty::Likely);

    let optimizer = Lbfgs::builder([&x]).tolerance_change(1.5).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - 1.0).pow(2.0).sum())?;
    top(&diagnosis, Cause::TolerancesTooLoose, Certainty::Likely);
    says(&diagnosis, &["max|t d|"]);
    Ok(())
}

#[test]
fn row_13_limits_that_leave_no_room() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(0).build()?;
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
    top(&diagnosis, Cause::LimitsTooLow, Certainty::Certain);
    for max_eval in [0, 1] {
        let optimizer = Lbfgs::builder([&x]).max_eval(max_eval).build()?;
        let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
        top(&diagnosis, Cause::LimitsTooLow, Certainty::Likely);
    }
    let optimizer = Lbfgs::builder([&x]).lr(0).build()?;
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
    top(&diagnosis, Cause::LearningRate, Certainty::Certain);
    Ok(())
}

#[test]
fn row_10_a_step_that_rounds_to_nothing() -> Outcome {
    let x = leaf32([3e8]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = diagnose(&optimizer, || (&x * 1e-4 - 1.0).pow(2.0).sum())?;
    top(&diagnosis, Cause::StepTooShort, Certainty::Likely);
    Ok(())
}

/// Runs some iterations on a bowl, so that there is a memory.
fn with_memory(x: &Tensor) -> Result<Lbfgs, optim::BoxError> {
    let optimizer = Lbfgs::builder([x]).max_iter(3).line_search_fn(LineSearch::StrongWolfe).build()?;
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = (x.pow(4.0) + 0.5 * x.pow(2.0)).sum();
        loss.backward()?;
        Ok(loss)
    })?;
    Ok(optimizer)
}

#[test]
fn rows_17_and_18_a_memory_that_is_not_finite() -> Outcome {
    let x = leaf([3.0, -1.0]);
    let optimizer = with_memory(&x)?;
    let mut state = optimizer.state_dict();
    state["state"][0]["old_dirs"][0] = Tensor::from([f64::NAN, 1.0]).into();
    optimizer.load_state_dict(state)?;
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
    top(&diagnosis, Cause::StaleMemory, Certainty::Certain);
    says(&diagnosis, &["memory", "new optimizer"]);
    Ok(())
}

#[test]
fn row_17_a_memory_that_points_uphill() -> Outcome {
    let x = leaf([3.0, -1.0]);
    let optimizer = with_memory(&x)?;
    let mut state = optimizer.state_dict();
    state["state"][0]["H_diag"] = (-1.0).into();
    state["state"][0]["old_dirs"] = checkpoint::Value::list();
    state["state"][0]["old_stps"] = checkpoint::Value::list();
    state["state"][0]["ro"] = checkpoint::Value::list();
    state["state"][0]["t"] = 0.into();
    optimizer.load_state_dict(state)?;
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum() + 1.0)?;
    top(&diagnosis, Cause::StaleMemory, Certainty::Likely);
    Ok(())
}

#[test]
fn row_18_pairs_will_be_refused() -> Outcome {
    let x = leaf([3.0, -1.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    for loss in [|x: &Tensor| -x.pow(2.0).sum(), |x: &Tensor| (x * 2.0).sum()] {
        let diagnosis = diagnose(&optimizer, || loss(&x))?;
        top(&diagnosis, Cause::NotConvex, Certainty::Possible);
        says(&diagnosis, &["pairs will be refused", "negate it"]);
    }
    Ok(())
}

#[test]
fn row_20_kinks_and_jumps() -> Outcome {
    let x = leaf([0.0, 1e-12]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (x.i(0).abs() * 3.0 + x.i(0) + x.i(1).pow(2.0)).sum())?;
    let finding = top(&diagnosis, Cause::NonSmoothLoss, Certainty::Likely);
    assert!(finding.number("left slope") < finding.number("right slope"), "{diagnosis}");
    says(&diagnosis, &["kink"]);
    let relu = leaf([0.0]);
    let optimizer = Lbfgs::builder([&relu]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (relu.relu() * 2.0 - &relu).sum())?;
    top(&diagnosis, Cause::NonSmoothLoss, Certainty::Likely);
    Ok(())
}

#[test]
fn row_20_a_run_that_stalled_at_a_kink() -> Outcome {
    let x = leaf([1.3, -2.2]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).max_iter(40).build()?;
    let loss = || ((x.i(0) - 0.3 * x.i(1)).abs() * 2.0 + 0.1 * (&x - 1.0).pow(2.0).sum()).sum();
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward()?;
        Ok(loss)
    })?;
    let diagnosis = diagnose(&optimizer, loss)?;
    top(&diagnosis, Cause::NonSmoothLoss, Certainty::Likely);
    Ok(())
}

#[test]
fn row_20_rounding_to_integers() -> Outcome {
    let x = leaf([1.3, 2.2]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    // torch's gradient of round() is zero, a straight-through one is not.
    let diagnosis = diagnose(&optimizer, || ((&x * 10.0).round() - 3.0).pow(2.0).sum())?;
    top(&diagnosis, Cause::FlatLoss, Certainty::Certain);
    let diagnosis = diagnose(&optimizer, || {
        let straight = &x + (x.round() - &x).detach();
        (straight - 3.0).pow(2.0).sum()
    })?;
    let named = [Cause::NonSmoothLoss, Cause::LossComputedOutside].contains(&diagnosis.findings()[0].cause);
    assert!(named, "{diagnosis}");
    Ok(())
}

#[test]
fn row_28_a_large_history() -> Outcome {
    let x = Tensor::zeros([1_000_000], DType::F64).requires_grad_(true);
    let optimizer = Lbfgs::builder([&x]).history_size(200).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (&x - 1.0).pow(2.0).mean())?;
    let finding = diagnosis.findings().iter().find(|finding| finding.cause == Cause::LargeHistory);
    assert_eq!(finding.and_then(|finding| finding.number("bytes")), Some(3.2e9), "{diagnosis}");
    says(&diagnosis, &["200 pairs of 2 x 8 MB = 3.2 GB"]);
    Ok(())
}
