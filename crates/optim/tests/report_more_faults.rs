//! Faults beside those of the table in `optim::diagnosis`, named by the step report alone.

#[path = "common/reports.rs"]
mod reports;

use optim::{Adam, BoxError, Lbfgs, LineSearch, NonFinite, Optimizer, StopReason};
use reports::{Outcome, blames, blames_nothing, both, leaf, leaf32, says, step};
use std::cell::Cell;
use tape::{BackwardOptions, DType, Tensor, no_grad};

const WOLFE: LineSearch = LineSearch::StrongWolfe;

fn rosenbrock(x: &Tensor) -> Tensor {
    100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0)
}

/// Inputs and targets of a regression.
fn data() -> (Tensor, Tensor) {
    tape::manual_seed(3);
    (Tensor::randn([40, 3], DType::F64), Tensor::randn([40, 1], DType::F64))
}

fn weights() -> Tensor {
    Tensor::full([3, 1], 0.3, DType::F64).requires_grad_(true)
}

fn scale_gradient(x: &Tensor, factor: f64) {
    x.set_grad(x.grad().map(|grad| grad * factor));
}

#[test]
fn the_loss_of_the_call_before() -> Outcome {
    let (inputs, targets) = data();
    for search in 0..2 {
        let (w, before) = (weights(), Cell::new(10.0));
        let optimizer = &both(|| Lbfgs::builder([&w]))?[search];
        let closure = || {
            optimizer.zero_grad();
            let loss = (inputs.matmul(&w) - &targets).pow(2.0).mean();
            loss.backward()?;
            Ok(Tensor::from(before.replace(loss.item())))
        };
        closure()?;
        optimizer.step(closure)?;
        says(&optimizer.report(), &["eturn the loss"]);
        if search == 0 {
            blames(&optimizer.report(), &["did not change in one bit", "the loss of an earlier call"]);
        }
    }
    Ok(())
}

#[test]
fn a_gradient_that_is_a_multiple_is_called_one() -> Outcome {
    for (factor, told) in [(2.0, "about 2"), (0.25, "about 0.25")] {
        for search in 0..2 {
            let x = leaf([-1.2, 1.0]);
            let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
            optimizer.step(|| {
                optimizer.zero_grad();
                let loss = rosenbrock(&x);
                loss.backward()?;
                scale_gradient(&x, factor);
                Ok(loss)
            })?;
            blames(&optimizer.report(), &["does not belong", told, "times the derivative"]);
        }
    }
    Ok(())
}

#[test]
fn a_mean_returned_for_the_sum_of_backward() -> Outcome {
    let (inputs, targets) = data();
    for search in 0..2 {
        let w = weights();
        let optimizer = &both(|| Lbfgs::builder([&w]))?[search];
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = (inputs.matmul(&w) - &targets).pow(2.0).sum();
            loss.backward()?;
            Ok(loss / 40.0)
        })?;
        blames(&optimizer.report(), &["40 times the derivative", "a mean against a sum"]);
    }
    Ok(())
}

#[test]
fn a_gradient_of_the_wrong_sign_is_said_to_have_it() -> Outcome {
    let (inputs, targets) = data();
    for search in 0..2 {
        let w = weights();
        let optimizer = &both(|| Lbfgs::builder([&w]))?[search];
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = (inputs.matmul(&w) - &targets).pow(2.0).mean();
            (-&loss).backward()?;
            Ok(loss)
        })?;
        blames(&optimizer.report(), &["does not belong", "wrong sign"]);
    }
    Ok(())
}

#[test]
fn backward_called_twice() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    let twice = |first: BackwardOptions| {
        optimizer.step(|| {
            optimizer.zero_grad();
            let loss = rosenbrock(&x);
            loss.backward_with(first.clone())?;
            loss.backward()?;
            Ok(loss)
        })
    };
    assert!(twice(BackwardOptions::new()).is_err());
    blames(&optimizer.report(), &["calls backward() twice"]);
    twice(BackwardOptions::new().retain_graph(true))?;
    blames(&optimizer.report(), &["several backward() calls"]);
    Ok(())
}

#[test]
fn tolerances_that_are_no_tolerances() -> Outcome {
    let (inputs, targets) = data();
    for search in 0..2 {
        let w = weights();
        let loss = || (inputs.matmul(&w) - &targets).pow(2.0).mean();
        let optimizer = &both(|| Lbfgs::builder([&w]).tolerance_change(1.0))?[search];
        blames(&step(optimizer, loss)?, &["tolerance_change = 1 is large", "Lower tolerance_change"]);
        let optimizer = &both(|| Lbfgs::builder([&w]).tolerance_change(f64::NAN).tolerance_grad(f64::NAN))?[search];
        let diagnosis = optimizer.diagnose(|| {
            optimizer.zero_grad();
            let loss = loss();
            loss.backward()?;
            Ok(loss)
        })?;
        assert!(diagnosis.to_string().contains("tolerance_change is NaN"), "{diagnosis}");
        says(&step(optimizer, loss)?, &["tolerance_grad is NaN", "tolerance_change is NaN"]);
    }
    Ok(())
}

#[test]
fn an_option_that_cannot_be_read() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    step(&optimizer, || rosenbrock(&x))?;
    optimizer.param_groups()[0].set("max_iter", "twenty");
    assert!(step(&optimizer, || rosenbrock(&x)).is_err());
    blames(&optimizer.report(), &["max_iter"]);
    Ok(())
}

#[test]
fn nan_before_an_error_of_the_line_search() -> Outcome {
    let x = leaf([-1.0, 2.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    assert!(step(&optimizer, || (&x - x.log()).sum()).is_err());
    blames(&optimizer.report(), &["loss was NaN already where the step began", "the log of a negative number"]);
    let x = leaf([1.3, 2.4]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(WOLFE).build()?;
    assert!(step(&optimizer, || x.log().sum()).is_err());
    blames(&optimizer.report(), &["trial whose loss is NaN", "NonFinite::Recover"]);
    Ok(())
}

#[test]
fn a_guarded_search_that_would_take_nan_stays_where_it_was() -> Outcome {
    let x = leaf([1.0]);
    let builder = Lbfgs::builder([&x]).lr(30.0).guarded(true).non_finite(NonFinite::Torch);
    let optimizer = builder.line_search_fn(WOLFE).build()?;
    let report = step(&optimizer, || x.log().sum())?;
    assert_eq!((report.stop, x.to_vec::<f64>()), (StopReason::NonFinite, vec![1.0]), "{report}");
    blames(&report, &["the loss was NaN", "a trial point", "NonFinite::Recover"]);
    Ok(())
}

#[test]
fn an_overflow_is_not_called_a_negative_logarithm() -> Outcome {
    let x = leaf32([3e4, -6e4]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    blames(&step(&optimizer, || x.pow(10.0).sum())?, &["loss was inf", "an overflow"]);
    Ok(())
}

#[test]
fn infinite_parameters_at_a_finite_loss() -> Outcome {
    for search in 0..2 {
        let x = leaf([f64::INFINITY, 1.0]);
        let optimizer = &both(|| Lbfgs::builder([("x", &x)]))?[search];
        let report = step(optimizer, || x.tanh().sum() + (&x - 0.5).pow(2.0).tanh().sum())?;
        blames(&report, &["parameters were NaN or infinite before the step began: x"]);
        let x = leaf([f64::INFINITY, 1.0]);
        let optimizer = &both(|| Lbfgs::builder([("x", &x)]))?[search];
        says(&step(optimizer, || (1.0 / (1.0 + &x)).sum())?, &["parameters were NaN or infinite", ": x"]);
    }
    Ok(())
}

#[test]
fn nan_in_a_memory_that_was_loaded() -> Outcome {
    for search in 0..2 {
        let x = leaf([-1.2, 1.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).max_iter(5).lr(0.01))?[search];
        step(optimizer, || rosenbrock(&x))?;
        let state = optimizer.state_dict().deep_copy();
        let pair = state["state"][0]["old_dirs"].as_list().and_then(|pairs| pairs[0].as_tensor().cloned());
        let pair = pair.ok_or(BoxError::msg("no pair"))?;
        no_grad(|| pair.fill_(f64::NAN));
        optimizer.load_state_dict(state)?;
        blames(&step(optimizer, || rosenbrock(&x))?, &["curvature memory", "NaN", "state that was loaded"]);
    }
    Ok(())
}

#[test]
fn a_memory_of_another_scale() -> Outcome {
    let (x, y) = (leaf([-1.2, 1.0]), leaf([3.0, -4.0]));
    let stiff = Lbfgs::builder([&y]).max_iter(5).line_search_fn(WOLFE).build()?;
    let scales = Tensor::from([1e-4, 1e4]);
    step(&stiff, || (&scales * (&y - 2.0).pow(2.0)).sum())?;
    let optimizer = Lbfgs::builder([&x]).max_iter(5).line_search_fn(WOLFE).build()?;
    optimizer.load_state_dict(stiff.state_dict())?;
    blames(&step(&optimizer, || rosenbrock(&x))?, &["times as far as the memory proposed", "another function"]);
    Ok(())
}

#[test]
fn noise_that_differs_from_call_to_call() -> Outcome {
    let (inputs, targets) = data();
    for search in 0..2 {
        for in_gradient in [false, true] {
            let w = weights();
            let optimizer = &both(|| Lbfgs::builder([&w]).max_iter(50))?[search];
            optimizer.step(|| {
                optimizer.zero_grad();
                let inputs = if in_gradient { inputs.clone() } else { inputs.dropout(0.5, true) };
                let loss = (inputs.matmul(&w) - &targets).pow(2.0).mean();
                loss.backward()?;
                if in_gradient {
                    w.set_grad(w.grad().map(|grad| grad + 0.1 * Tensor::randn([3, 1], DType::F64)));
                }
                Ok(loss)
            })?;
            blames(&optimizer.report(), &["from call to call", "dropout"]);
        }
    }
    Ok(())
}

#[test]
fn a_closure_that_clamps_later_on() -> Outcome {
    for search in 0..2 {
        let x = leaf([-1.2, 1.0]);
        let calls = Cell::new(0);
        let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.01))?[search];
        optimizer.step(|| {
            calls.set(calls.get() + 1);
            if calls.get() > 2 {
                let clamped = x.detach().clamp(-1.0, 0.9);
                no_grad(|| x.copy_(&clamped));
            }
            optimizer.zero_grad();
            let loss = rosenbrock(&x);
            loss.backward()?;
            Ok(loss)
        })?;
        blames(&optimizer.report(), &["the closure changes parameters in place", "clamping"]);
    }
    Ok(())
}

#[test]
fn a_second_optimizer_moves_the_parameters_between_steps() -> Outcome {
    for search in 0..2 {
        let x = leaf([-1.2, 1.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).max_iter(4).lr(0.1))?[search];
        let adam = Adam::builder([&x]).lr(0.05).build()?;
        for round in 0..3 {
            let report = step(optimizer, || rosenbrock(&x))?;
            assert_eq!(report.changed_between_steps, round == 2, "{report}");
            if round == 1 {
                adam.step()?;
            }
        }
        says(&optimizer.report(), &["changed between the last step and this one", "another optimizer"]);
    }
    Ok(())
}

#[test]
fn diagnosing_between_steps_changes_nothing() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(4).line_search_fn(WOLFE).build()?;
    for factor in [1.0, 1.0, 3.0] {
        let closure = || {
            optimizer.zero_grad();
            let loss = factor * rosenbrock(&x);
            loss.backward()?;
            Ok(loss)
        };
        optimizer.diagnose(closure)?;
        optimizer.step(closure)?;
        let report = optimizer.report();
        assert!(!report.changed_between_steps, "{report}");
        assert_eq!(report.another_loss.is_some(), factor > 1.0, "{report}");
    }
    Ok(())
}

#[test]
fn a_net_of_zeros() -> Outcome {
    let (inputs, targets) = data();
    let a = Tensor::zeros([3, 2], DType::F64).requires_grad_(true);
    let b = Tensor::zeros([2, 1], DType::F64).requires_grad_(true);
    let optimizer = Lbfgs::builder([&a, &b]).build()?;
    let report = step(&optimizer, || (inputs.matmul(&a).tanh().matmul(&b) - &targets).pow(2.0).mean())?;
    says(&report, &["saddle", "weights are all zero", "begin elsewhere"]);
    Ok(())
}

#[test]
fn a_loss_that_falls_to_minus_infinity() -> Outcome {
    for maximized in [false, true] {
        let x = leaf([-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&x]).maximize(maximized).build()?;
        let sign = if maximized { 1.0 } else { -1.0 };
        blames(&step(&optimizer, || sign * rosenbrock(&x))?, &["runs off to", "no bound", "sign"]);
    }
    Ok(())
}

#[test]
fn powers_are_no_multiples_of_their_gradient() -> Outcome {
    for (power, scale) in [(4.0, 1.0), (10.0, 0.4), (1.5, 1.0)] {
        for seed in 0..5 {
            for search in 0..2 {
                tape::manual_seed(seed);
                let x = (2.0 * Tensor::randn([6], DType::F64)).detach().requires_grad_(true);
                let optimizer = &both(|| Lbfgs::builder([&x]).lr(0.5))?[search];
                for _ in 0..4 {
                    let report = step(optimizer, || (scale * &x).abs().pow(power).sum())?;
                    assert_eq!(report.gradient_factor, None, "{report}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn guarded_steps_at_the_end_have_nothing_to_blame() -> Outcome {
    let x = leaf([0.7, -1.1, 2.0]);
    let optimizer = Lbfgs::builder([&x]).guarded(true).non_finite(NonFinite::Recover).line_search_fn(WOLFE).build()?;
    for _ in 0..6 {
        blames_nothing(&step(&optimizer, || (&x - 1.0).cosh().log().sum())?);
    }
    Ok(())
}

#[test]
fn a_minimum_under_rounding_is_no_plateau() -> Outcome {
    for search in 0..2 {
        let (x, y) = (leaf32([3.0, -2.0]), leaf([3.0, -2.0]));
        for (x, offset) in [(&x, 1e8), (&y, 1e16)] {
            let optimizer = &both(|| Lbfgs::builder([x]))?[search];
            let diagnosis = optimizer.diagnose(|| {
                optimizer.zero_grad();
                let loss = (x - 1.0).pow(2.0).sum() + offset;
                loss.backward()?;
                Ok(loss)
            })?;
            assert!(!diagnosis.to_string().contains("plateau"), "{diagnosis}");
        }
    }
    Ok(())
}
