//! Options that torch lacks: their place in the group, what is refused, and those of the line search and the
//! tests of convergence.

mod common;

use checkpoint::Value;
use common::{Outcome, bowl, counters, quartic, rosenbrock, step};
use optim::{
    BoxError, Error, GradClip, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, ParamGroup, StopReason, WeightDecay,
};
use std::cell::RefCell;
use std::ops::ControlFlow;
use tape::{DType, Tensor};

const WOLFE: LineSearch = LineSearch::StrongWolfe;

type Configure = fn(LbfgsBuilder) -> LbfgsBuilder;

#[test]
fn an_option_stands_in_the_group_only_when_it_is_set() -> Outcome {
    let p = Tensor::from([1.0, 2.0]);
    let keys = |optimizer: &Lbfgs| optimizer.param_groups()[0].keys();
    let plain = Lbfgs::builder([&p]).build()?;
    let torchs = keys(&plain);
    assert_eq!(torchs.len(), 7);
    let off = Lbfgs::builder([&p])
        .maximize(true)
        .maximize(false)
        .parameter_groups(false)
        .powell_damping(false)
        .callback(|_| ControlFlow::Continue(()))
        .build()?;
    assert_eq!(keys(&off), torchs);
    let cases: [(&str, Value, Configure); 10] = [
        ("max_ls", 7.into(), |b| b.max_ls(7)),
        ("c1", 0.01.into(), |b| b.c1(0.01)),
        ("c2", 0.5.into(), |b| b.c2(0.5)),
        ("maximize", true.into(), |b| b.maximize(true)),
        ("weight_decay", 0.1.into(), |b| b.weight_decay(0.1)),
        ("grad_clip", ("norm", 2.0).into(), |b| b.grad_clip(GradClip::Norm(2.0))),
        ("parameter_groups", true.into(), |b| b.parameter_groups(true)),
        ("powell_damping", true.into(), |b| b.powell_damping(true)),
        ("tolerance_change_rel", 1e-3.into(), |b| b.tolerance_change_rel(1e-3)),
        ("history_dtype", "float32".into(), |b| b.history_dtype(DType::F32)),
    ];
    for (name, value, configure) in cases {
        let optimizer = configure(Lbfgs::builder([&p])).build()?;
        let dict = optimizer.state_dict();
        assert_eq!(dict["param_groups"][0][name], value);
        assert_eq!(keys(&optimizer), [&torchs[..], &[name.to_string()]].concat());
        plain.load_state_dict(dict)?;
        assert_eq!(plain.param_groups()[0].get(name), Some(value));
    }
    // A dict of torch's turns all of it off again.
    plain.load_state_dict(off.state_dict())?;
    assert_eq!(keys(&plain), torchs);
    Ok(())
}

#[test]
fn wrong_values_are_refused_when_the_optimizer_is_built() -> Outcome {
    let (p, narrow) = (Tensor::from([1.0, 2.0]), Tensor::from([1.0_f32]));
    let cases: [(&str, Configure); 17] = [
        ("'c1'", |b| b.c1(0.0)),
        ("'c1'", |b| b.c1(0.95)),
        ("'c1'", |b| b.c1(0.5).c2(0.5)),
        ("'c2'", |b| b.c2(1.0)),
        ("'c2'", |b| b.c2(1e-5)),
        ("'c2'", |b| b.c2(f64::NAN)),
        ("Invalid weight_decay value: -1", |b| b.weight_decay(-1.0)),
        ("Invalid weight_decay value: nan", |b| b.weight_decay(WeightDecay::L1(f64::NAN))),
        ("Invalid weight_decay value: inf", |b| b.weight_decay(WeightDecay::L2(f64::INFINITY))),
        ("'grad_clip'", |b| b.grad_clip(GradClip::Value(-1.0))),
        ("'grad_clip'", |b| b.grad_clip(GradClip::ValueRange(1.0, -1.0))),
        ("'grad_clip'", |b| b.grad_clip(GradClip::Norm(0.0))),
        ("'grad_clip'", |b| b.grad_clip(GradClip::GlobalNorm(f64::NAN))),
        ("'tolerance_change_rel'", |b| b.tolerance_change_rel(-1e-9)),
        ("'tolerance_change_rel'", |b| b.tolerance_change_rel(f64::NAN)),
        ("'history_dtype'", |b| b.history_dtype(DType::I64)),
        ("'history_dtype'", |b| b.history_dtype(DType::Bool)),
    ];
    for (text, configure) in cases {
        let error = configure(Lbfgs::builder([&p])).build().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(Lbfgs::builder([&p]).history_dtype(DType::F64).build().is_ok());
    let error = Lbfgs::builder([&narrow]).history_dtype(DType::F64).build().unwrap_err();
    assert!(error.to_string().contains("'float32', or the dtype of the parameters"), "{error}");

    // Set by hand they are met at the next step, and before a load changes anything.
    let optimizer = Lbfgs::builder([&p]).build()?;
    let mut dict = optimizer.state_dict();
    dict["param_groups"][0]["c1"] = 2.0.into();
    dict["param_groups"][0]["lr"] = 0.125.into();
    assert!(matches!(optimizer.load_state_dict(dict), Err(Error::WrongOption { name: "c1", .. })));
    assert_eq!(optimizer.get_lr(), 1.0);
    optimizer.param_groups()[0].set("max_ls", "many");
    let error = step(&optimizer, &p, |p| bowl::<f64>(p, 1.0)).unwrap_err();
    assert!(matches!(error, Error::WrongOption { name: "max_ls", .. }), "{error}");
    optimizer.param_groups()[0].set("max_ls", Value::None);
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    Ok(())
}

/// Evaluations of a search that no point satisfies: the loss falls ever more steeply.
fn evaluations_without_end(steps: Option<usize>) -> Result<usize, Error> {
    let p = Tensor::from([1.0]);
    let mut builder = Lbfgs::builder([&p]).max_iter(1).line_search_fn(WOLFE);
    if let Some(steps) = steps {
        builder = builder.max_ls(steps);
    }
    step(&builder.build()?, &p, |p| {
        let x = p.to_vec::<f64>()[0];
        p.set_grad(Some(Tensor::from([-2.0 * x])));
        Ok(Tensor::from(-x * x))
    })
}

#[test]
fn a_line_search_takes_at_most_max_ls_steps() -> Outcome {
    // One evaluation where the step begins, one for the first trial, one for each step.
    assert_eq!(evaluations_without_end(None)?, 2 + 25);
    for steps in [0, 1, 2, 7, 40] {
        assert_eq!(evaluations_without_end(Some(steps))?, 2 + steps);
    }
    Ok(())
}

#[test]
fn every_accepted_point_satisfies_the_conditions_asked_for() -> Outcome {
    let mut evaluations = Vec::new();
    for (c1, c2) in [(1e-4, 0.9), (1e-4, 0.1), (1e-4, 1e-3), (0.3, 0.5)] {
        let p = Tensor::from([-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&p]).max_iter(1).c1(c1).c2(c2).max_ls(60).line_search_fn(WOLFE).build()?;
        let mut all = 0;
        for _ in 0..25 {
            let (before, loss, gradient) = (p.to_vec::<f64>(), rosenbrock::<f64>(&p)?.item(), gradient_of(&p));
            all += step(&optimizer, &p, rosenbrock::<f64>)?;
            if optimizer.report().searches_unsatisfied > 0 {
                continue;
            }
            let (new_loss, new) = (rosenbrock::<f64>(&p)?.item(), gradient_of(&p));
            // s = t d, so that both sides are multiplied by t.
            let s = [p.to_vec::<f64>()[0] - before[0], p.to_vec::<f64>()[1] - before[1]];
            let (slope, new_slope) = (s[0] * gradient[0] + s[1] * gradient[1], s[0] * new[0] + s[1] * new[1]);
            let rounding = 1e-12 * (1.0 + loss);
            assert!(new_loss <= loss + c1 * slope + rounding, "{c1}, {c2}");
            assert!(new_slope.abs() <= c2 * slope.abs() + rounding, "{c1}, {c2}: {new_slope} of {slope}");
        }
        evaluations.push(all);
    }
    assert!(evaluations[2] > evaluations[0], "an exacter search evaluates more: {evaluations:?}");
    Ok(())
}

fn gradient_of(p: &Tensor) -> Vec<f64> {
    p.grad().map(|g| g.to_vec()).unwrap_or_default()
}

#[test]
fn maximizing_is_minimizing_the_negated_loss() -> Outcome {
    let negated = |p: &Tensor| {
        let loss = quartic::<f64>(p)?;
        let gradient = p.grad().map(|g| g.to_vec::<f64>()).unwrap_or_default();
        p.set_grad(Some(Tensor::from_vec(gradient.iter().map(|g| -g).collect(), p.shape())));
        Ok::<_, BoxError>(Tensor::from(-loss.item()))
    };
    for search in [None, Some(WOLFE)] {
        let start: Vec<f64> = (0..6).map(|i| f64::from(i) * 0.3 - 0.5).collect();
        let (p, q) = (Tensor::from_vec(start.clone(), [6]), Tensor::from_vec(start, [6]));
        let seen = RefCell::new(Vec::new());
        let up = Lbfgs::builder([&p]).lr(0.5).max_iter(4).maximize(true).line_search_fn(search).build()?;
        let down = Lbfgs::builder([&q]).lr(0.5).max_iter(4).line_search_fn(search).build()?;
        for _ in 0..3 {
            let first = up.step(|| {
                let loss = negated(&p)?;
                seen.borrow_mut().push(loss.item());
                Ok(loss)
            })?;
            step(&down, &q, quartic::<f64>)?;
            assert_eq!(p.to_vec::<f64>(), q.to_vec::<f64>());
            assert_eq!(up.state_dict()["state"], down.state_dict()["state"]);
            let (risen, fallen) = (up.report(), down.report());
            assert_eq!(first.item(), risen.initial_loss, "the closure's own loss");
            assert_eq!(risen.initial_loss, -fallen.initial_loss);
            assert_eq!((risen.final_loss, risen.best_loss), (-fallen.final_loss, -fallen.best_loss));
            assert_eq!(risen.stop, fallen.stop);
        }
        assert!(seen.borrow().iter().all(|&loss| loss <= up.report().best_loss), "the best is the largest");
    }
    Ok(())
}

#[test]
fn the_relative_tolerance_is_tested_last_and_names_itself() -> Outcome {
    for scale in [1e-12, 1.0, 1e12] {
        // The relative test does not see the scale of the loss; torch's absolute ones are off.
        let p = Tensor::from([-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&p])
            .max_iter(200)
            .tolerance_grad(0.0)
            .tolerance_change(0.0)
            .tolerance_change_rel(0.5)
            .line_search_fn(WOLFE)
            .build()?;
        let losses = RefCell::new(Vec::new());
        step(&optimizer, &p, |p| {
            let loss = rosenbrock::<f64>(p)?;
            let gradient: Vec<f64> = gradient_of(p).iter().map(|g| g * scale).collect();
            p.set_grad(Some(Tensor::from_vec(gradient, [2])));
            losses.borrow_mut().push(loss.item() * scale);
            Ok(Tensor::from(loss.item() * scale))
        })?;
        let report = optimizer.report();
        assert_eq!(report.stop, StopReason::RelativeLossTolerance, "{report}");
        let compared = report.compared.ok_or_else(|| BoxError::msg("two numbers"))?;
        assert!(compared.value <= compared.limit && report.to_string().contains("tolerance_change_rel"), "{report}");
        let previous = losses.borrow().iter().copied().find(|loss| {
            let change = (loss - report.final_loss).abs();
            change == compared.value && compared.limit == 0.5 * loss.abs().max(report.final_loss.abs())
        });
        assert!(previous.is_some(), "the numbers are those of two evaluations");
    }
    // 0 is off, and torch's own tests come first.
    let ends = |configure: Configure| -> Result<StopReason, BoxError> {
        let p = Tensor::from([-1.2, 1.0]);
        let optimizer = configure(Lbfgs::builder([&p]).max_iter(200).line_search_fn(WOLFE)).build()?;
        step(&optimizer, &p, rosenbrock::<f64>)?;
        Ok(optimizer.report().stop)
    };
    let plain = ends(|b| b)?;
    assert_eq!(ends(|b| b.tolerance_change_rel(0.0))?, plain);
    let p = Tensor::from([1.0]);
    let level = Lbfgs::builder([&p]).max_iter(5).max_eval(9).tolerance_change(0.0).build()?;
    step(&level, &p, |p| {
        p.set_grad(Some(Tensor::from([1.0])));
        Ok(Tensor::from(2.0))
    })?;
    assert_eq!(level.report().stop, StopReason::MaxIter, "equal losses do not end it");
    assert_eq!(ends(|b| b.tolerance_change_rel(2.0).max_iter(1))?, StopReason::MaxIter);
    assert_eq!(ends(|b| b.tolerance_change_rel(2.0).tolerance_change(1e3))?, StopReason::StepTolerance);
    Ok(())
}

#[test]
fn a_history_without_limit_takes_no_memory_before_there_are_pairs() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    for pairs in [usize::MAX, 1 << 40, 1 << 20] {
        p.write_from(&[-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&p]).history_size(pairs).line_search_fn(LineSearch::StrongWolfe).build()?;
        step(&optimizer, &p, rosenbrock::<f64>)?;
        let saved = optimizer.state_dict();
        assert_eq!(optimizer.report().pairs_in_memory, 18);
        assert!(saved["state"][0]["al"].len() <= 1 << 18, "what is saved has an end too");
        let again = Lbfgs::builder([&p]).history_size(pairs).line_search_fn(LineSearch::StrongWolfe).build()?;
        again.load_state_dict(saved)?;
        step(&again, &p, rosenbrock::<f64>)?;
        assert_eq!(counters(&again), (35, 44));
    }
    Ok(())
}

#[test]
fn an_expanded_parameter_is_refused() {
    let p = Tensor::from([1.0]).expand([3]);
    let refused = Lbfgs::builder([&p]).build().unwrap_err();
    assert!(matches!(refused, Error::RepeatedElements { index: 0, .. }), "{refused}");
}

#[test]
fn a_copy_made_during_the_first_iteration_begins_with_one() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(2).build()?;
    let copies = RefCell::new(Vec::new());
    optimizer.step(|| {
        copies.borrow_mut().push(optimizer.clone());
        optimizer.zero_grad();
        rosenbrock::<f64>(&p)
    })?;
    // The second evaluation is made in the first iteration, which the copy does not know the end of.
    for copy in copies.into_inner() {
        p.write_from(&[-1.2, 1.0]);
        step(&copy, &p, rosenbrock::<f64>)?;
        let fresh = Tensor::from([-1.2, 1.0]);
        step(&Lbfgs::builder([&fresh]).max_iter(2).build()?, &fresh, rosenbrock::<f64>)?;
        assert_eq!(p.to_vec::<f64>(), fresh.to_vec::<f64>());
    }
    Ok(())
}

#[test]
fn an_added_group_is_checked_like_the_first() -> Outcome {
    let (a, b) = (Tensor::from([1.0]), Tensor::from([2.0]));
    let optimizer = Lbfgs::builder([&a]).parameter_groups(true).build()?;
    let refused = optimizer.add_param_group(ParamGroup::new([&b]).with("lr", -1.0)).unwrap_err();
    assert!(refused.to_string().starts_with("Invalid learning rate"), "{refused}");
    assert_eq!(optimizer.param_groups().len(), 1);
    optimizer.add_param_group(ParamGroup::new([&b]).with("lr", 0.5))?;
    Ok(())
}
