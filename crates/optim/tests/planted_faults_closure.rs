//! Faults of the closure and its gradients, planted and named by `diagnose`. Numbers are rows of the table in the
//! documentation of `optim::diagnosis`.

#[path = "common/faults.rs"]
mod faults;

use faults::{Outcome, diagnose, leaf, leaf32, says, top};
use optim::diagnosis::{Cause, Certainty};
use optim::{Lbfgs, LineSearch, Optimizer};
use std::cell::Cell;
use tape::{BackwardOptions, DType, Tensor, no_grad};

#[test]
fn row_01_loss_computed_outside_and_backward_called_on_it() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let loss = (&x * &x).sum();
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        loss.backward()?;
        Ok(loss.clone())
    })?;
    top(&diagnosis, Cause::LossComputedOutside, Certainty::Certain);
    says(&diagnosis, &["outside of the closure"]);
    Ok(())
}

#[test]
fn row_01_loss_computed_outside_with_its_graph_retained() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    for linear in [true, false] {
        let loss = if linear { (&x * 3.0).sum() } else { x.exp().sum() };
        let diagnosis = optimizer.diagnose(|| {
            optimizer.zero_grad();
            loss.backward_with(BackwardOptions::new().retain_graph(true))?;
            Ok(loss.clone())
        })?;
        let finding = top(&diagnosis, Cause::LossComputedOutside, Certainty::Certain);
        assert!(finding.remedy.contains("inside of the closure"), "{diagnosis}");
    }
    Ok(())
}

#[test]
fn row_01_forward_pass_outside_of_the_closure() -> Outcome {
    let x = leaf([0.3, 2.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let features = &x * 2.0; // linear: nothing is saved, so nothing is refused
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = features.pow(2.0).sum();
        loss.backward_with(BackwardOptions::new().retain_graph(true))?;
        Ok(loss)
    })?;
    top(&diagnosis, Cause::LossComputedOutside, Certainty::Certain);
    Ok(())
}

#[test]
fn row_01_closure_returns_a_number_from_outside() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let value = (&x * &x).sum().item();
    let diagnosis = optimizer.diagnose(|| Ok(Tensor::from(value)))?;
    top(&diagnosis, Cause::LossWithoutHistory, Certainty::Certain);
    says(&diagnosis, &["not connected to any parameter"]);
    Ok(())
}

#[test]
fn row_02_parameters_recreated_after_the_optimizer() -> Outcome {
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let diagnosis = diagnose(&optimizer, || (w.pow(2.0).sum() + &b).sum())?;
    let finding = top(&diagnosis, Cause::GradientsToForeignLeaves, Certainty::Certain);
    assert_eq!(
        (finding.params.as_slice(), finding.number("foreign leaves")),
        (&["w".into(), "b".into()][..], Some(2.0))
    );
    says(&diagnosis, &["2 leaf tensors", "f64 [2]", "none of which belongs", "re-created"]);
    assert_eq!(diagnosis.evaluations, 1);
    Ok(())
}

#[test]
fn row_02_one_of_two_parameters_recreated() -> Outcome {
    let (w, b) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
    let w = leaf([1.0, 2.0]);
    let diagnosis = diagnose(&optimizer, || (w.pow(2.0).sum() + b.pow(2.0)).sum())?;
    let finding = top(&diagnosis, Cause::GradientsToForeignLeaves, Certainty::Certain);
    assert_eq!(finding.params, ["w"]);
    Ok(())
}

#[test]
fn row_02_recreated_while_old_gradients_are_still_there() -> Outcome {
    let x = leaf([3.0]);
    x.pow(2.0).sum().backward()?;
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let fresh = leaf([3.0]);
    let other = Lbfgs::builder([&fresh]).build()?;
    // The other optimizer clears, and zeros kept in place look like gradients.
    for zeros in [false, true] {
        let diagnosis = optimizer.diagnose(|| {
            other.zero_grad();
            if zeros {
                optimizer.zero_grad_set_to_none(false);
            }
            let loss = fresh.pow(2.0).sum();
            loss.backward()?;
            Ok(loss)
        })?;
        top(&diagnosis, Cause::GradientsToForeignLeaves, Certainty::Certain);
    }
    assert_eq!(x.grad().map(|g| g.to_vec::<f64>()), Some(vec![6.0]));
    Ok(())
}

#[test]
fn row_02_gradients_handed_over_from_copies_are_right() -> Outcome {
    let x = leaf([3.0, 1.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = optimizer.diagnose(|| {
        let copy = x.detach().copy().requires_grad_(true);
        let loss = copy.pow(2.0).sum();
        loss.backward()?;
        x.set_grad(copy.grad());
        Ok(loss)
    })?;
    assert!(diagnosis.findings().is_empty(), "{diagnosis}");
    Ok(())
}

#[test]
fn row_02_leaves_beside_the_optimizers_own_are_mentioned() -> Outcome {
    let (x, frozen) = (leaf([3.0, 1.0]), leaf([2.0]));
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (x.pow(2.0) * &frozen).sum())?;
    top(&diagnosis, Cause::GradientsToForeignLeaves, Certainty::Possible);
    Ok(())
}

#[test]
fn row_03_a_parameter_without_gradient() -> Outcome {
    let (w, unused, detached) = (leaf([1.0]), leaf([2.0]), leaf([3.0]));
    let optimizer = Lbfgs::builder([("w", &w), ("unused", &unused), ("detached", &detached)]).build()?;
    let diagnosis = diagnose(&optimizer, || (w.pow(2.0) * detached.detach()).sum())?;
    let finding = top(&diagnosis, Cause::MissingGradients, Certainty::Certain);
    assert_eq!(finding.params, ["unused", "detached"]);
    says(&diagnosis, &["2 of 3 parameters have no gradient: unused, detached", "treated as constants"]);
    Ok(())
}

#[test]
fn row_03_a_frozen_parameter() -> Outcome {
    let (w, frozen) = (leaf([1.0]), Tensor::from([2.0]));
    let optimizer = Lbfgs::builder([&w, &frozen]).build()?;
    let diagnosis = diagnose(&optimizer, || (w.pow(2.0) * &frozen).sum())?;
    let finding = top(&diagnosis, Cause::MissingGradients, Certainty::Likely);
    assert_eq!(finding.params, ["#1 (f64 [1])"]);
    Ok(())
}

#[test]
fn row_03_backward_is_not_called() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = optimizer.diagnose(|| Ok((&x * &x).sum()))?;
    top(&diagnosis, Cause::BackwardNotCalled, Certainty::Certain);
    // Also where gradients are left from before.
    x.pow(2.0).sum().backward()?;
    let diagnosis = optimizer.diagnose(|| Ok((&x * &x).sum()))?;
    top(&diagnosis, Cause::BackwardNotCalled, Certainty::Certain);
    Ok(())
}

#[test]
fn row_03_gradients_cleared_after_backward() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    let closure = |zeros: bool| {
        let (x, optimizer) = (&x, &optimizer);
        move || {
            let loss = x.pow(2.0).sum();
            loss.backward()?;
            optimizer.zero_grad_set_to_none(!zeros);
            Ok(loss)
        }
    };
    let diagnosis = optimizer.diagnose(closure(false))?;
    top(&diagnosis, Cause::GradientsCleared, Certainty::Certain);
    let diagnosis = optimizer.diagnose(closure(true))?;
    top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
    says(&diagnosis, &["exactly zero", "zero_grad after backward()"]);
    Ok(())
}

#[test]
fn row_04_gradients_accumulate() -> Outcome {
    let (w, b) = (leaf([1.0, -2.0]), leaf32([0.5]));
    for before in [false, true] {
        let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
        if before {
            (w.pow(3.0).sum() + b.exp()).sum().backward()?;
        }
        let diagnosis = optimizer.diagnose(|| {
            let loss = (w.pow(2.0).sum() + b.pow(2.0)).sum();
            loss.backward()?;
            Ok(loss)
        })?;
        let finding = top(&diagnosis, Cause::AccumulatingGradients, Certainty::Certain);
        assert_eq!(finding.params, ["w", "b"]);
        says(&diagnosis, &["accumulating", "zero_grad inside the closure"]);
    }
    Ok(())
}

#[test]
fn row_04_only_some_gradients_accumulate() -> Outcome {
    let (w, b) = (leaf([1.0, -2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("w", &w), ("b", &b)]).build()?;
    let diagnosis = optimizer.diagnose(|| {
        w.set_grad(None);
        let loss = (w.pow(2.0).sum() + b.pow(2.0)).sum();
        loss.backward()?;
        Ok(loss)
    })?;
    assert_eq!(top(&diagnosis, Cause::AccumulatingGradients, Certainty::Certain).params, ["b"]);
    Ok(())
}

#[test]
fn row_05_loss_without_history() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let losses: [Box<dyn Fn() -> Tensor>; 3] = [
        Box::new(|| no_grad(|| (&x * &x).sum())),
        Box::new(|| x.detach().pow(2.0).sum()),
        Box::new(|| Tensor::from(x.item() * x.item())),
    ];
    for loss in losses {
        let with_backward = diagnose(&optimizer, &loss)?;
        top(&with_backward, Cause::LossWithoutHistory, Certainty::Certain);
        let without = optimizer.diagnose(|| Ok(loss()))?;
        top(&without, Cause::LossWithoutHistory, Certainty::Certain);
        says(&without, &["not connected to any parameter"]);
    }
    // Run under no_grad, the optimizer switches recording on: no fault at all.
    let diagnosis = no_grad(|| diagnose(&optimizer, || (&x - 3.0).pow(2.0).sum()))?;
    assert!(diagnosis.findings().is_empty(), "{diagnosis}");
    Ok(())
}

/// `f` with a gradient that is another one's.
fn with_gradient_of(x: &Tensor, f: Tensor, g: Tensor) -> Result<Tensor, optim::BoxError> {
    x.set_grad(None);
    g.backward()?;
    Ok(f.detach())
}

#[test]
fn row_16_wrong_gradients() -> Outcome {
    type Pair = fn(&Tensor) -> (Tensor, Tensor);
    let pairs: [(&str, Pair); 6] = [
        ("1 %", |x| ((x - 1.0).pow(2.0).sum(), (x - 1.0).pow(2.0).sum() * 1.03)),
        ("another exponent", |x| (x.pow(4.0).sum(), x.pow(3.0).sum())),
        ("one component", |x| (x.pow(2.0).sum(), x.i(0).pow(2.0))),
        ("a sign in one component", |x| (x.pow(2.0).sum(), x.i(0).pow(2.0) - x.i(1).pow(2.0) + x.i(2).pow(2.0))),
        ("a detached factor", |x| ((x * x.exp()).sum(), (x.detach() * x.exp()).sum())),
        ("a missing regulariser", |x| (x.cos().sum() + 0.3 * x.pow(2.0).sum(), x.cos().sum())),
    ];
    for dtype in [DType::F64, DType::F32] {
        for start in [[0.3, -2.0, 1.5], [5.0, 0.1, 0.7], [-1.0, 1.2, 4.0]] {
            for (name, pair) in pairs {
                let x = Tensor::from(start).to_dtype(dtype).detach().requires_grad_(true);
                let optimizer = Lbfgs::builder([&x]).build()?;
                let diagnosis = optimizer.diagnose(|| {
                    let (f, g) = pair(&x);
                    with_gradient_of(&x, f, g)
                })?;
                let found = diagnosis.findings().first();
                let named = found.is_some_and(|f| f.cause == Cause::WrongGradient && f.certainty == Certainty::Certain);
                assert!(named, "{name} at {start:?} in {dtype}:\n{diagnosis}");
            }
        }
    }
    Ok(())
}

#[test]
fn row_16_the_evidence_names_factor_and_sign() -> Outcome {
    let x = leaf([0.3, -2.0, 1.5]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let f = || x.pow(4.0).mean();
    for (factor, words) in [(3.0, "3 times the derivative"), (-1.0, "wrong sign"), (1.0 / 3.0, "0.3333 times")] {
        let diagnosis = optimizer.diagnose(|| with_gradient_of(&x, f(), f() * factor))?;
        let finding = top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
        assert!(finding.number("ratio").is_some_and(|ratio| (ratio - factor).abs() < 1e-3), "{diagnosis}");
        says(&diagnosis, &[words]);
    }
    Ok(())
}

#[test]
fn row_16_the_parameter_whose_gradient_is_wrong_is_named() -> Outcome {
    for dtype in [DType::F64, DType::F32] {
        let leaf = |values: [f64; 2]| Tensor::from(values).to_dtype(dtype).detach().requires_grad_(true);
        let (w, b, v) = (leaf([1.0, -0.5]), leaf([0.5, 2.0]), leaf([0.3, 0.2]));
        let optimizer = Lbfgs::builder([("w", &w), ("b", &b), ("v", &v)]).build()?;
        let diagnosis = optimizer.diagnose(|| {
            optimizer.zero_grad();
            let loss = ((&w * 2.0 + &b).tanh() * &v - 0.3).pow(2.0).sum();
            loss.backward()?;
            b.set_grad(b.grad().map(|g| (g * 1.5).detach()));
            Ok(loss)
        })?;
        assert_eq!(top(&diagnosis, Cause::WrongGradient, Certainty::Certain).params, ["b"], "{diagnosis}");
        says(&diagnosis, &["Moved alone, b shows it.", "% off"]);
    }
    Ok(())
}

#[test]
fn row_16_clipped_gradients() -> Outcome {
    let x = leaf([3.0, -20.0, 1.5]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = x.pow(2.0).sum();
        loss.backward()?;
        x.set_grad(x.grad().map(|g| g.clamp(-1.0, 1.0)));
        Ok(loss)
    })?;
    top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
    says(&diagnosis, &["clipped"]);
    Ok(())
}

#[test]
fn row_16_part_of_the_loss_from_outside() -> Outcome {
    let x = leaf([0.5, -0.5]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let penalty = (&x * 2.0).sum();
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = (&x - 1.0).pow(2.0).sum() + &penalty;
        loss.backward_with(BackwardOptions::new().retain_graph(true))?;
        Ok(loss)
    })?;
    top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
    says(&diagnosis, &["outside of the closure"]);
    Ok(())
}

#[test]
fn row_19_a_closure_with_randomness() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let batch = Cell::new(0.0);
    let mini_batches = diagnose(&optimizer, || {
        batch.set(batch.get() + 1.0);
        (&x - batch.get() % 3.0).pow(2.0).sum() + batch.get()
    })?;
    let finding = top(&mini_batches, Cause::StochasticClosure, Certainty::Certain);
    assert!(finding.number("loss difference").is_some_and(|difference| difference > 0.1), "{mini_batches}");
    says(&mini_batches, &["same batch and no dropout"]);

    let noisy_gradient = Cell::new(1.0);
    let diagnosis = optimizer.diagnose(|| {
        noisy_gradient.set(noisy_gradient.get() * 0.7);
        with_gradient_of(&x, x.pow(2.0).sum(), (&x + noisy_gradient.get()).pow(2.0).sum())
    })?;
    top(&diagnosis, Cause::StochasticClosure, Certainty::Certain);

    let dropout = diagnose(&optimizer, || (x.pow(2.0) * Tensor::rand([2], DType::F64)).sum())?;
    top(&dropout, Cause::StochasticClosure, Certainty::Certain);
    Ok(())
}

#[test]
fn row_19_a_closure_that_carries_a_state() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let last = Cell::new(5.0);
    let lagging = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = x.pow(2.0).sum();
        loss.backward()?;
        Ok(Tensor::from(last.replace(loss.item())))
    })?;
    top(&lagging, Cause::StochasticClosure, Certainty::Certain);
    says(&lagging, &["carries something on from one call to the next"]);
    Ok(())
}

#[test]
fn beside_the_table_a_closure_that_moves_parameters() -> Outcome {
    let (x, y) = (leaf([1.0, 2.0]), leaf([0.5]));
    let optimizer = Lbfgs::builder([("x", &x), ("y", &y)]).build()?;
    let diagnosis = diagnose(&optimizer, || {
        no_grad(|| x.clamp_(-1.0, 1.0));
        x.pow(2.0).sum() + y.pow(2.0).sum()
    })?;
    assert_eq!(top(&diagnosis, Cause::ClosureMovesParameters, Certainty::Certain).params, ["x"]);
    assert_eq!(x.to_vec::<f64>(), [1.0, 2.0]);
    Ok(())
}

#[test]
fn row_29_loss_scaling() -> Outcome {
    let x = leaf32([0.7, 2.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = (&x - 1.0).pow(2.0).sum();
        (&loss * 65536.0).backward()?;
        Ok(loss)
    })?;
    let finding = top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
    assert!(finding.number("ratio").is_some_and(|ratio| (ratio / 65536.0 - 1.0).abs() < 1e-2), "{diagnosis}");
    says(&diagnosis, &["loss scaling"]);
    Ok(())
}
