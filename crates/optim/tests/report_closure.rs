//! Closures with a fault, named by the step report alone. Numbers are rows of the table in the documentation of
//! `optim::diagnosis`.

#[path = "common/reports.rs"]
mod reports;

use optim::{BoxError, Lbfgs, LineSearch, Optimizer, StopReason};
use reports::{Outcome, blames, blames_nothing, both, leaf, says, step};
use tape::{BackwardOptions, Tensor, no_grad};

#[test]
fn row_01_loss_computed_outside() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, 2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        let loss = (&x * &x).sum();
        let failed = optimizer.step(|| {
            optimizer.zero_grad();
            loss.backward()?;
            Ok(loss.clone())
        });
        assert!(failed.is_err());
        blames(&optimizer.report(), &["outside of the closure", "Compute all of it inside"]);
    }
    Ok(())
}

#[test]
fn row_01_loss_computed_outside_with_its_graph_retained() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, 2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        let loss = x.exp().sum();
        optimizer.step(|| {
            optimizer.zero_grad();
            loss.backward_with(BackwardOptions::new().retain_graph(true))?;
            Ok(loss.clone())
        })?;
        let report = optimizer.report();
        let points = format!("{} different points", report.unchanged_evaluations + 1);
        assert!(search == 0 || report.unchanged_evaluations > 5);
        blames(&report, &["same loss and gradient", &points, "inside of the closure"]);
    }
    Ok(())
}

#[test]
fn row_02_parameters_recreated_after_the_optimizer() -> Outcome {
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let report = step(&optimizer, || w.pow(2.0).sum() + b.sum())?;
    blames(&report, &["2 leaf tensors (shape ", "does not own", "re-created", "Build the optimizer over"]);
    Ok(())
}

#[test]
fn row_02_one_of_the_parameters_recreated() -> Outcome {
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let b = b.detach().requires_grad_(true);
    let report = step(&optimizer, || (&w - &b).pow(2.0).sum())?;
    blames(&report, &["1 of 2 parameters", "(b)", "1 leaf tensor (shape [1])", "does not own", "re-created"]);
    Ok(())
}

#[test]
fn row_03_some_parameters_have_no_gradient() -> Outcome {
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
    let report = step(&optimizer, || (w.pow(2.0) + b.detach()).sum())?;
    says(&report, &["1 of 2 parameters have no gradient", "constants (b)", "detached"]);
    Ok(())
}

#[test]
fn row_03_backward_is_not_called() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    optimizer.step(|| Ok(x.pow(2.0).sum()))?;
    let report = optimizer.report();
    blames(&report, &["no parameter received a gradient", "backward() was not called"]);
    says(&report, &["there is no gradient, nothing was moved"]);
    Ok(())
}

#[test]
fn row_03_gradients_cleared_after_backward() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    optimizer.step(|| {
        let loss = x.pow(2.0).sum();
        loss.backward()?;
        optimizer.zero_grad();
        Ok(loss)
    })?;
    blames(&optimizer.report(), &["gradients were gone", "zero_grad() before backward()"]);
    Ok(())
}

#[test]
fn row_03_a_parameter_without_requires_grad_beside_another() -> Outcome {
    let (x, y) = (leaf([1.0]), Tensor::from([3.0]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    says(&step(&optimizer, || (&x - &y).pow(2.0).sum())?, &["no gradient", "(y)", "requires_grad"]);
    Ok(())
}

#[test]
fn row_04_zero_grad_is_missing() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, -3.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        optimizer.step(|| {
            let loss = x.pow(2.0).sum();
            loss.backward()?;
            Ok(loss)
        })?;
        blames(&optimizer.report(), &["accumulating", "zero_grad()", "before backward()"]);
    }
    Ok(())
}

#[test]
fn row_04_zero_grad_outside_of_a_closure_that_runs_once_per_step() -> Outcome {
    let x = leaf([1.0, -3.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(1).build()?;
    let closure = || {
        let loss = x.pow(2.0).sum();
        loss.backward()?;
        Ok(loss)
    };
    for stepped in [false, true] {
        optimizer.step(closure)?;
        assert_eq!(optimizer.report().gradients_accumulate, stepped);
    }
    blames(&optimizer.report(), &["accumulating"]);
    // Cleared before the step, it is as it should be, whichever way it is cleared.
    for to_none in [true, false] {
        optimizer.zero_grad();
        if !to_none {
            x.set_grad(Some(x.detach() * 0.0));
        }
        optimizer.step(closure)?;
        blames_nothing(&optimizer.report());
    }
    Ok(())
}

#[test]
fn row_05_loss_not_connected_to_any_parameter() -> Outcome {
    for fault in 0..2 {
        let x = leaf([1.0]);
        let optimizer = Lbfgs::builder([&x]).build()?;
        let failed = optimizer.step(|| {
            optimizer.zero_grad();
            let loss = if fault == 0 { x.detach().pow(2.0).sum() } else { no_grad(|| x.pow(2.0).sum()) };
            loss.backward()?;
            Ok(loss)
        });
        assert!(failed.is_err());
        blames(&optimizer.report(), &["not connected to any parameter", "no_grad"]);
    }
    Ok(())
}

#[test]
fn row_16_loss_other_than_the_one_of_backward() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, 2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.1).max_iter(50))?[search];
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = (&x - 1.0).pow(4.0).sum();
            loss.backward()?;
            Ok(loss * 100.0)
        })?;
        blames(
            &optimizer.report(),
            &["gradient does not belong to the loss", "Return the loss that backward() ran on"],
        );
    }
    Ok(())
}

#[test]
fn row_16_gradient_of_the_wrong_sign() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, 2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.1))?[search];
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = x.exp().sum();
            (-&loss).backward()?;
            Ok(loss)
        })?;
        blames(&optimizer.report(), &["gradient does not belong to the loss", "g.d is -"]);
    }
    Ok(())
}

#[test]
fn row_16_part_of_the_graph_is_detached() -> Outcome {
    for search in 0..2 {
        let x = leaf([1.0, 2.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.3))?[search];
        // The gradient is that of the small second term alone.
        let report = step(optimizer, || 5.0 * (x.detach() - 4.0).pow(2.0).sum() + (&x + 1.0).pow(2.0).sum())?;
        blames(&report, &["gradient does not belong to the loss", "detached parts"]);
    }
    Ok(())
}

#[test]
fn row_19_noise_in_the_closure() -> Outcome {
    tape::manual_seed(3);
    for search in 0..2 {
        let x = leaf([1.0, 2.0, -3.0, 4.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.5))?[search];
        let report = step(optimizer, || {
            let mask = Tensor::rand_like(&x);
            (&x * mask).pow(2.0).sum()
        })?;
        blames(
            &report,
            &["does not belong to the loss", "differs from call to call (random numbers, dropout, another batch)"],
        );
    }
    Ok(())
}

#[test]
fn row_22_the_first_loss_and_the_last_are_both_shown() -> Outcome {
    let x = leaf([3.0, -2.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let report = step(&optimizer, || x.pow(2.0).sum())?;
    assert_eq!(report.initial_loss, 13.0);
    says(&report, &["loss 13 at first -> "]);
    Ok(())
}

#[test]
fn row_30_an_error_of_the_closure_is_told() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let failed = optimizer.step(|| Err(BoxError::msg("Cholesky: the matrix is not positive definite")));
    assert!(failed.is_err());
    let report = optimizer.report();
    assert_eq!(report.stop, StopReason::Failed);
    blames(&report, &["the closure failed: Cholesky: the matrix is not positive definite"]);
    Ok(())
}

#[test]
fn a_panic_of_the_closure_is_told() -> Outcome {
    let x = leaf([3.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let run = || optimizer.step(|| panic!("an index is out of range"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    blames(&optimizer.report(), &["panicked"]);
    Ok(())
}

#[test]
fn a_closure_that_clamps_its_parameters() -> Outcome {
    for search in 0..2 {
        let x = leaf([2.0, -3.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        let report = step(optimizer, || {
            no_grad(|| x.clamp_(-1.0, 1.0));
            (&x - 4.0).pow(2.0).sum()
        })?;
        blames(&report, &["closure changes parameters in place", "after the step"]);
    }
    Ok(())
}

#[test]
fn row_16_weight_decay_in_the_gradient_alone() -> Outcome {
    let x = leaf([2.0, -3.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).max_iter(50).build()?;
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = (&x - 1.0).pow(2.0).sum() + 0.1 * (x.i(0) * x.i(1)).exp();
        loss.backward()?;
        x.set_grad(x.grad().map(|g| g + 0.8 * x.detach()));
        Ok(loss)
    })?;
    blames(&optimizer.report(), &["does not belong to the loss"]);
    Ok(())
}

#[test]
fn row_29_a_scaled_gradient_beside_an_unscaled_loss() -> Outcome {
    for search in 0..2 {
        let x = leaf([2.0, -3.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.2))?[search];
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = (&x - 1.0).pow(4.0).sum();
            (1024.0 * &loss).backward()?;
            Ok(loss)
        })?;
        blames(&optimizer.report(), &["does not belong to the loss"]);
    }
    Ok(())
}

#[test]
fn row_19_another_batch_in_the_next_step() -> Outcome {
    let x = leaf([2.0, -3.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let fit = |target: f64| step(&optimizer, || (&x - target).pow(4.0).mean() + x.pow(2.0).mean());
    assert_eq!(fit(1.0)?.another_loss, None);
    let report = fit(1.0)?;
    assert_eq!(report.another_loss, None, "the same loss: {report}");
    says(&fit(1.2)?, &["at the same point it is", "another batch", "memory belongs to the old one"]);
    no_grad(|| x.add_(&x));
    assert_eq!(fit(1.4)?.another_loss, None, "the parameters were moved between");
    Ok(())
}
