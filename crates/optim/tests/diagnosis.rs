//! What `diagnose` promises whatever it finds: everything is put back, errors come through, texts can be read.

#[path = "common/faults.rs"]
mod faults;

use faults::{Outcome, diagnose, leaf, leaf32, says, top};
use optim::diagnosis::{Cause, Certainty};
use optim::{BoxError, Error, Lbfgs, LineSearch, Optimizer, ParamGroup};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tape::{DType, Tensor, random};

#[test]
fn a_parameter_recreated_after_the_optimizer_is_named() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([("x", &x)]).lr(0.1).max_iter(50).line_search_fn(LineSearch::StrongWolfe).build()?;
    let x = leaf([1.0]); // the mistake
    let closure = || {
        optimizer.zero_grad();
        let loss = x.pow(2.0).sum();
        loss.backward()?;
        Ok(loss)
    };
    optimizer.step(closure)?;
    let diagnosis = optimizer.diagnose(closure)?;
    assert_eq!(diagnosis.findings()[0].cause, Cause::GradientsToForeignLeaves);
    assert!(diagnosis.to_string().contains("re-created"), "{diagnosis}");
    Ok(())
}

#[test]
fn a_saturated_sigmoid_is_named() -> Outcome {
    let x = leaf32([100.0]);
    let optimizer = Lbfgs::builder([&x]).lr(0.1).build()?;
    let diagnosis = diagnose(&optimizer, || (x.exp() / (1.0 + x.exp())).sum())?; // inf / inf in f32
    let finding = top(&diagnosis, Cause::NonFiniteLoss, Certainty::Certain);
    assert_eq!(finding.number("finite at factor"), Some(0.5));
    says(&diagnosis, &["NaN", "element of the parameters is 100", "exp() overflows in f32 above 88.72"]);
    Ok(())
}

#[test]
fn diagnose_leaves_everything_as_it_was() -> Outcome {
    let x = leaf([-100.0]);
    let optimizer = Lbfgs::builder([&x]).lr(0.1).max_iter(100).build()?;
    let before = x.to_vec::<f64>();
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
    assert_eq!(x.to_vec::<f64>(), before);
    assert!(optimizer.state_dict()["state"].is_empty() && x.grad().is_none());
    assert!(diagnosis.findings().iter().all(|f| f.cause != Cause::WrongGradient));
    Ok(())
}

/// The article's five causes of a stalled L-BFGS, each with a program whose first finding names it.
mod the_articles_causes {
    use super::*;

    #[test]
    fn an_ill_conditioned_loss() -> Outcome {
        let p = leaf([1.0, 1.0]);
        let optimizer = Lbfgs::builder([("p", &p)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = diagnose(&optimizer, || (p.pow(2.0) * Tensor::from([1.0, 1e8])).sum())?;
        let finding = top(&diagnosis, Cause::IllConditioned, Certainty::Likely);
        assert!(
            finding.number("condition").is_some_and(|condition| (condition / 1e8 - 1.0).abs() < 0.1),
            "{diagnosis}"
        );
        says(&diagnosis, &["ill-conditioned", "p[1]", "p[0]"]);
        Ok(())
    }

    #[test]
    fn ill_conditioning_that_no_coordinate_shows() -> Outcome {
        // The Hilbert matrix of 6 rows, condition number 1.5e7.
        let hilbert: Vec<f64> = (0..36).map(|k| 1.0 / (k / 6 + k % 6 + 1) as f64).collect();
        let hilbert = Tensor::from_vec(hilbert, [6, 6]);
        let p = leaf([1.0, -1.0, 2.0, 0.5, 1.0, 3.0]);
        let optimizer = Lbfgs::builder([("p", &p)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = diagnose(&optimizer, || (&p * hilbert.matmul(&p)).sum())?;
        // Three directions show a part of it; the claim is a lower bound.
        assert!(diagnosis.findings().iter().all(|f| f.cause == Cause::IllConditioned), "{diagnosis}");
        Ok(())
    }

    #[test]
    fn inaccurate_gradients() -> Outcome {
        let p = leaf([2.0, -1.0]);
        let optimizer = Lbfgs::builder([("p", &p)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = optimizer.diagnose(|| {
            let x = p.to_vec::<f64>();
            // The factor 2 of the inner derivative was forgotten in the second element.
            p.set_grad(Some(Tensor::from([2.0 * x[0], 2.0 * x[1].sin() * x[1].cos() / 2.0])));
            Ok(Tensor::from(x[0] * x[0] + x[1].sin().powi(2)))
        })?;
        top(&diagnosis, Cause::WrongGradient, Certainty::Certain);
        says(&diagnosis, &["does not match the loss", "gradcheck"]);
        Ok(())
    }

    #[test]
    fn tight_tolerances() -> Outcome {
        for dtype in [DType::F32, DType::F64] {
            let p = Tensor::from([-1.2, 1.0]).to_dtype(dtype).detach().requires_grad_(true);
            let optimizer = Lbfgs::builder([("p", &p)])
                .tolerance_grad(1e-20)
                .tolerance_change(1e-20)
                .line_search_fn(LineSearch::StrongWolfe)
                .build()?;
            let diagnosis = diagnose(&optimizer, || {
                let (a, b) = (p.i(0), p.i(1));
                (1.0 - &a).pow(2.0) + 100.0 * (&b - a.pow(2.0)).pow(2.0)
            })?;
            top(&diagnosis, Cause::TolerancesTooTight, Certainty::Likely);
            says(&diagnosis, &["tolerance_grad = 1e-20", "too tight"]);
        }
        Ok(())
    }

    #[test]
    fn a_bad_starting_point() -> Outcome {
        let p = leaf([-100.0, 80.0]);
        let optimizer = Lbfgs::builder([("p", &p)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = diagnose(&optimizer, || (p.sigmoid() - 0.25).pow(2.0).sum())?;
        let finding = top(&diagnosis, Cause::FlatLoss, diagnosis.findings()[0].certainty);
        assert!(finding.certainty <= Certainty::Likely);
        says(&diagnosis, &["starting point", "plateau", "smaller initial values"]);
        Ok(())
    }

    #[test]
    fn non_finite_evaluations() -> Outcome {
        let p = leaf([0.0, 2.0]);
        let optimizer = Lbfgs::builder([("p", &p)]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let diagnosis = diagnose(&optimizer, || (&p / (&p * 3.0)).sum() + p.pow(2.0).sum())?;
        top(&diagnosis, Cause::NonFiniteLoss, Certainty::Certain);
        says(&diagnosis, &["NaN", "below a fraction"]);
        Ok(())
    }
}

/// Bits of tensors; the identities and bits of gradients; state and report as text.
type Everything = (Vec<Vec<u64>>, Vec<Option<(usize, Vec<u64>)>>, String, String);

/// Everything of an optimizer and its parameters that a diagnosis may not change.
fn everything(optimizer: &Lbfgs, params: &[&Tensor]) -> Everything {
    let bits = |tensor: &Tensor| -> Vec<u64> {
        let mut elements = vec![0.0_f64; tensor.numel()];
        tensor.read_into(&mut elements);
        elements.iter().map(|x| x.to_bits()).collect()
    };
    (
        params.iter().map(|p| bits(p)).collect(),
        params.iter().map(|p| p.grad().map(|g| (g.id(), bits(&g)))).collect(),
        optimizer.state_dict().to_string(),
        format!("{:?}", optimizer.report()),
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    None,
    Error,
    Panic,
    WrongShape,
}

/// One diagnosis whose k-th evaluation fails, on a loss that asks for many evaluations, with a closure that changes
/// gradients in place and draws random numbers.
fn failing(failure: Failure, k: usize) -> Result<bool, BoxError> {
    let (w, b) = (leaf([0.5, -0.25, 1e-3]), leaf32([0.1]));
    let optimizer =
        Lbfgs::builder([("w", &w), ("b", &b)]).max_iter(3).line_search_fn(LineSearch::StrongWolfe).build()?;
    let calls = Cell::new(0);
    let limit = Cell::new(usize::MAX);
    let closure = || {
        calls.set(calls.get() + 1);
        if calls.get() == limit.get() {
            match failure {
                Failure::None => {}
                Failure::Error => return Err(BoxError::msg("the data went away")),
                Failure::Panic => panic!("the closure panics"),
                Failure::WrongShape => return Ok(Tensor::from([1.0, 2.0])),
            }
        }
        optimizer.zero_grad_set_to_none(false);
        let _ = Tensor::rand([3], DType::F32);
        let loss = ((&w - 1.0).pow(2.0) * (&b + 2.0)).sum() + w.abs().sum() + b.pow(4.0).sum();
        loss.backward()?;
        Ok(loss)
    };
    optimizer.step(closure)?;
    let before = everything(&optimizer, &[&w, &b]);
    let random_before = random::get_rng_state();
    limit.set(calls.get() + k);
    let outcome = catch_unwind(AssertUnwindSafe(|| optimizer.diagnose(closure)));
    assert_eq!(everything(&optimizer, &[&w, &b]), before, "{failure:?} at {k}");
    assert!(random::get_rng_state() == random_before, "{failure:?} at {k}");
    let reached = calls.get() >= limit.get();
    match (failure, outcome) {
        (Failure::None, Ok(Ok(diagnosis))) => assert_eq!(diagnosis.evaluations, calls.get() + k - limit.get()),
        (_, Ok(Ok(_))) => assert!(!reached),
        (Failure::Error, Ok(Err(error))) => {
            assert!(matches!(error, Error::Closure(_)));
            assert_eq!(error.to_string(), "the closure failed: the data went away");
        }
        (Failure::WrongShape, Ok(Err(error))) => assert!(matches!(error, Error::LossNotScalar { .. })),
        (failure, outcome) => assert!(failure == Failure::Panic && outcome.is_err(), "{failure:?} at {k}"),
    }
    limit.set(usize::MAX);
    optimizer.diagnose(closure)?;
    optimizer.step(closure)?;
    Ok(reached)
}

#[test]
fn everything_is_put_back_however_it_ends() -> Outcome {
    // The random state is the process's own: no other test of this file draws from it.
    failing(Failure::None, 1)?;
    for failure in [Failure::Error, Failure::Panic, Failure::WrongShape] {
        let reached = (1..20).filter(|&k| failing(failure, k).expect("the parts that cannot fail")).count();
        assert!(reached >= 6, "{failure:?} was met {reached} times");
    }
    Ok(())
}

#[test]
fn a_run_with_diagnoses_is_the_run_without() -> Outcome {
    let run = |diagnoses: bool| -> Result<(Vec<u64>, String), BoxError> {
        let x = leaf([-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&x]).max_iter(4).line_search_fn(LineSearch::StrongWolfe).build()?;
        let closure = || {
            optimizer.zero_grad();
            let (a, b) = (x.i(0), x.i(1));
            let loss = (1.0 - &a).pow(2.0) + 100.0 * (&b - a.pow(2.0)).pow(2.0);
            loss.backward()?;
            Ok(loss)
        };
        for _ in 0..6 {
            if diagnoses {
                optimizer.diagnose(closure)?;
            }
            optimizer.step(closure)?;
        }
        let bits = x.to_vec::<f64>().iter().map(|x| x.to_bits()).collect();
        Ok((bits, optimizer.state_dict().to_string()))
    };
    assert_eq!(run(true)?, run(false)?);
    Ok(())
}

#[test]
fn the_same_diagnosis_twice() -> Outcome {
    let x = leaf([0.1, -0.2, 5.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let loss = || (x.pow(4.0) * 100.0).sum();
    assert_eq!(diagnose(&optimizer, loss)?, diagnose(&optimizer, loss)?);
    Ok(())
}

#[test]
fn inside_of_the_closure_of_a_step_it_is_refused() -> Outcome {
    let x = leaf([1.0]);
    let optimizer = Lbfgs::builder([&x]).build()?;
    let outcome = optimizer.step(|| {
        optimizer.diagnose(|| Ok(Tensor::from(1.0)))?;
        Ok(Tensor::from(1.0))
    });
    assert!(outcome.is_err_and(|error| error.to_string().contains("diagnose was called while a step")));
    // And a step inside of a diagnosis.
    let outcome = optimizer.diagnose(|| Ok(optimizer.step(|| Ok(Tensor::from(1.0)))?));
    assert!(matches!(outcome, Err(Error::Closure(_))));
    Ok(())
}

#[test]
fn a_clean_diagnosis_says_what_was_checked() -> Outcome {
    let x = leaf([1.0, 2.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || x.pow(2.0).sum())?;
    assert!(diagnosis.findings().is_empty() && diagnosis.evaluations <= 8, "{diagnosis}");
    let text = diagnosis.to_string();
    assert!(text.starts_with("nothing wrong was found in 5 evaluations (loss 5, max|g| = 4, rounding"), "{text}");
    assert!(diagnosis.noise > 0.0 && diagnosis.noise < 1e-12, "{}", diagnosis.noise);
    says(&diagnosis, &["checked: options, ", "gradient against finite differences", "the next step"]);
    Ok(())
}

#[test]
fn findings_are_numbered_lines_and_the_most_certain_comes_first() -> Outcome {
    let (w, unused) = (leaf([1.0, 1.0]), leaf([1.0]));
    let optimizer = Lbfgs::builder([&w, &unused]).max_iter(0).build()?;
    let diagnosis = diagnose(&optimizer, || (w.pow(2.0) * Tensor::from([1.0, 1e8])).sum())?;
    let certainties: Vec<Certainty> = diagnosis.findings().iter().map(|finding| finding.certainty).collect();
    assert!(certainties.is_sorted() && certainties.len() >= 3, "{diagnosis}");
    let text = diagnosis.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), certainties.len() + 2, "{text}");
    assert!(lines[1].starts_with("1. certain: 1 of 2 parameters have no gradient: #1 (f64 [1])"), "{text}");
    assert!(lines[2].starts_with("2. certain: max_iter is 0"), "{text}");
    Ok(())
}

#[test]
fn parameters_without_elements_are_refused() -> Outcome {
    let x = Tensor::zeros([0], DType::F64).requires_grad_(true);
    let optimizer = Lbfgs::builder([&x]).build()?;
    assert!(matches!(optimizer.diagnose(|| Ok(Tensor::from(0.0))), Err(Error::NoElements)));
    Ok(())
}

#[test]
fn views_and_repeated_parameters_are_moved_and_put_back() -> Outcome {
    let matrix = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    let column = matrix.i((.., 1)).detach().requires_grad_(true);
    let optimizer = Lbfgs::builder([&column, &column]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let diagnosis = diagnose(&optimizer, || (&column - 1.0).pow(2.0).sum())?;
    assert!(diagnosis.findings().iter().all(|f| f.certainty == Certainty::Possible), "{diagnosis}");
    assert_eq!(matrix.to_vec::<f64>(), [1.0, 2.0, 3.0, 4.0]);
    Ok(())
}

/// The memory holds pairs of the negated loss, and a maximum is what is looked for.
#[test]
fn a_loss_that_is_maximised_is_judged_by_its_negative() -> Outcome {
    let x = leaf([3.0, -1.0]);
    let builder = || Lbfgs::builder([&x]).maximize(true).max_iter(3).line_search_fn(LineSearch::StrongWolfe);
    let concave = || -(&x * &x * Tensor::from([1.0, 3.0])).sum();
    let optimizer = builder().build()?;
    let closure = || {
        optimizer.zero_grad();
        let loss = concave();
        loss.backward()?;
        Ok(loss)
    };
    assert!(optimizer.diagnose(closure)?.findings().is_empty(), "{}", optimizer.diagnose(closure)?);
    optimizer.step(closure)?;
    let diagnosis = optimizer.diagnose(closure)?;
    assert!(diagnosis.findings().is_empty(), "{diagnosis}");
    let accumulating = optimizer.diagnose(|| {
        let loss = concave();
        loss.backward()?;
        Ok(loss)
    })?;
    assert_eq!(accumulating.findings()[0].cause, Cause::AccumulatingGradients, "{accumulating}");
    Ok(())
}

#[test]
fn a_penalty_belongs_to_what_is_judged() -> Outcome {
    // exp(-x) alone has no minimum; with the penalty it has one, and the step finds it.
    let x = Tensor::from([0.0]).requires_grad_(true);
    let optimizer =
        Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).weight_decay(0.1).max_iter(50).build()?;
    let closure = || {
        optimizer.zero_grad();
        let loss = (-&x).exp().sum();
        loss.backward()?;
        Ok(loss)
    };
    optimizer.step(closure)?;
    let diagnosis = optimizer.diagnose(closure)?;
    assert!(diagnosis.findings().iter().all(|finding| finding.cause == Cause::AtMinimum), "{diagnosis}");
    assert!(diagnosis.to_string().contains("loss 0.3269"), "exp(-x) + 0.05 x^2 at its minimum: {diagnosis}");
    Ok(())
}

#[test]
fn groups_are_diagnosed_together_if_they_share_a_rate() -> Outcome {
    let [a, b] = [3.0, -2.0].map(|x| Tensor::from([x]).requires_grad_(true));
    let groups = [ParamGroup::new([("a", &a)]), ParamGroup::new([("b", &b)])];
    let optimizer = Lbfgs::builder(groups).parameter_groups(true).build()?;
    let closure = || {
        optimizer.zero_grad();
        let loss = (&a * &a).sum();
        loss.backward()?;
        Ok(loss)
    };
    let diagnosis = optimizer.diagnose(closure)?;
    assert!(diagnosis.to_string().contains('b'), "b has no gradient: {diagnosis}");
    optimizer.param_groups()[1].set_lr(0.5);
    let refused = optimizer.diagnose(closure).unwrap_err().to_string();
    assert!(refused.starts_with("diagnose: the groups have different learning rates"), "{refused}");
    Ok(())
}
