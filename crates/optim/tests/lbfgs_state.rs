//! The state dict: torch's keys and kinds, and resuming as if nothing had happened.

mod common;

use checkpoint::{Key, Value};
use common::{Outcome, bowl, counters, quartic, rosenbrock, step};
use optim::{Error, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, ParamGroup, StopReason};
use tape::{Float, Tensor};

fn keys(value: &Value) -> Vec<&str> {
    value.keys().filter_map(Key::as_str).collect()
}

const ALL: [&str; 11] =
    ["func_evals", "n_iter", "al", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss"];

#[test]
fn keys_come_in_torchs_order() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).history_size(4).build()?;
    assert!(optimizer.state_dict()["state"].is_empty());
    assert_eq!(optimizer.state_dict().keys().collect::<Vec<_>>(), [&Key::from("state"), &Key::from("param_groups")]);
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let sd = optimizer.state_dict();
    let state = &sd["state"][0];
    assert_eq!(keys(state), ALL);
    assert_eq!(state["al"].len(), 4);
    assert_eq!(state["H_diag"].as_tensor().unwrap().dim(), 0);
    assert_eq!(state["d"].as_tensor().unwrap().shape(), [2]);
    let lists = ["old_dirs", "old_stps", "ro"].map(|key| state[key].len());
    assert_eq!(lists, [optimizer.report().pairs_in_memory; 3]);
    let group = &sd["param_groups"][0];
    let options = [
        "lr",
        "max_iter",
        "max_eval",
        "tolerance_grad",
        "tolerance_change",
        "history_size",
        "line_search_fn",
        "params",
    ];
    assert_eq!(keys(group), options);
    assert_eq!(group["lr"], Value::Int(1));
    assert_eq!(group["max_eval"], Value::Int(25));
    assert_eq!(group["params"], Value::from([0]));
    Ok(())
}

#[test]
fn al_comes_last_when_a_later_step_makes_it() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(1).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let mut expected: Vec<&str> = ALL.iter().copied().filter(|&key| key != "al").collect();
    assert_eq!(keys(&optimizer.state_dict()["state"][0]), expected);
    assert_eq!(optimizer.state_dict()["state"][0]["H_diag"], Value::Int(1));
    step(&optimizer, &p, rosenbrock::<f64>)?;
    expected.push("al");
    let sd = optimizer.state_dict();
    assert_eq!(keys(&sd["state"][0]), expected);
    optimizer.load_state_dict(sd)?;
    assert_eq!(keys(&optimizer.state_dict()["state"][0]), expected);
    Ok(())
}

#[test]
fn exits_before_the_first_move_leave_what_torch_leaves() -> Outcome {
    let p = Tensor::from([0.0, 0.0]);
    let optimizer = Lbfgs::builder([&p]).build()?;
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    assert_eq!(optimizer.report().stop, StopReason::GradientToleranceAtStart);
    let sd = optimizer.state_dict();
    assert_eq!(keys(&sd["state"][0]), ["func_evals", "n_iter"]);
    assert_eq!(counters(&optimizer), (0, 1));

    let p = Tensor::from([1.0, 0.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(0).build()?;
    assert_eq!(step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?, 1);
    let sd = optimizer.state_dict();
    let expected: Vec<&str> = ALL.iter().copied().filter(|&key| key != "al").collect();
    assert_eq!(keys(&sd["state"][0]), expected);
    assert!(sd["state"][0]["prev_loss"].is_none() && sd["state"][0]["d"].is_none());
    optimizer.load_state_dict(sd)?;
    optimizer.param_groups()[0].set("max_iter", 5);
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    assert!(p.to_vec::<f64>()[0].abs() < 1e-6);
    Ok(())
}

#[test]
fn a_converged_optimizer_counts_one_iteration_per_step_and_leaves_t() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).lr(0.5).max_iter(100).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    optimizer.param_groups()[0].set("tolerance_grad", -1.0);
    optimizer.param_groups()[0].set("tolerance_change", 1e-3);
    let (before, at) = (counters(&optimizer), p.to_vec::<f64>());
    for k in 1..4 {
        step(&optimizer, &p, rosenbrock::<f64>)?;
        assert_eq!(optimizer.report().stop, StopReason::DirectionalDerivative);
        assert_eq!(counters(&optimizer), (before.0 + k, before.1 + k));
        assert_eq!(p.to_vec::<f64>(), at);
        assert_eq!(optimizer.state_dict()["state"][0]["t"], Value::Float(0.5));
        assert_eq!(optimizer.report().pairs_skipped, usize::from(k > 1));
    }
    Ok(())
}

/// Runs `before + after` steps, and again with a save and load into a fresh optimizer between; all must agree
/// to the bit.
fn resume<T: Float>(
    n: usize,
    before: usize,
    after: usize,
    configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder,
) -> Outcome {
    let start: Vec<T> = (0..n).map(|i| T::from_f64(0.3 + (i as f64 * 1.7).sin())).collect();
    let p = Tensor::from_vec(start, [n]);
    let optimizer = configure(Lbfgs::builder([&p])).build()?;
    for _ in 0..before {
        step(&optimizer, &p, quartic::<T>)?;
    }
    let q = p.copy();
    let resumed = Lbfgs::builder([&q]).build()?;
    resumed.load_state_dict(optimizer.state_dict().deep_copy())?;
    assert_eq!(resumed.state_dict(), optimizer.state_dict());
    for _ in 0..after {
        let calls = step(&optimizer, &p, quartic::<T>)?;
        assert_eq!(step(&resumed, &q, quartic::<T>)?, calls);
        assert_eq!(p.to_vec::<T>(), q.to_vec::<T>());
        assert_eq!(resumed.state_dict(), optimizer.state_dict());
    }
    Ok(())
}

#[test]
fn resuming_equals_never_having_stopped() -> Outcome {
    let wolfe = LineSearch::StrongWolfe;
    for n in [1, 2, 3, 17, 300] {
        for (before, after) in [(0, 2), (1, 3), (4, 6)] {
            resume::<f64>(n, before, after, |b| b.max_iter(2).lr(0.3))?;
            resume::<f32>(n, before, after, |b| b.max_iter(2).lr(0.3).history_size(3))?;
            resume::<f64>(n, before, after, |b| b.max_iter(2).history_size(2).line_search_fn(wolfe))?;
            resume::<f32>(n, before, after, |b| b.max_iter(1).line_search_fn(wolfe))?;
        }
    }
    Ok(())
}

#[test]
fn a_dict_saved_inside_the_closure_can_be_loaded() -> Outcome {
    for stop_at in 1..20 {
        let p = Tensor::from([-1.2, 1.0]);
        let optimizer = Lbfgs::builder([&p]).line_search_fn(LineSearch::StrongWolfe).build()?;
        let mut calls = 0;
        let mut saved = None;
        optimizer.step(|| {
            calls += 1;
            if calls == stop_at {
                saved = Some((optimizer.state_dict(), p.to_vec::<f64>()));
            }
            optimizer.zero_grad();
            rosenbrock::<f64>(&p)
        })?;
        let (sd, at) = saved.expect("there are more than 20 evaluations");
        let q = Tensor::from_vec(at, [2]);
        let resumed = Lbfgs::builder([&q]).build()?;
        resumed.load_state_dict(sd)?;
        step(&resumed, &q, rosenbrock::<f64>)?;
        step(&resumed, &q, rosenbrock::<f64>)?;
        step(&resumed, &q, rosenbrock::<f64>)?;
        assert!(q.to_vec::<f64>().iter().all(|x| (x - 1.0).abs() < 1e-3), "saved at evaluation {stop_at}");
    }
    Ok(())
}

#[test]
fn the_history_is_cast_to_the_parameters_dtype_and_numbers_keep_their_kind() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(4).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let q = Tensor::from([-1.2_f32, 1.0]);
    let other = Lbfgs::builder([&q]).build()?;
    other.load_state_dict(optimizer.state_dict())?;
    let sd = other.state_dict();
    assert_eq!(sd["state"][0]["old_dirs"][0].as_tensor().unwrap().dtype(), tape::DType::F32);
    assert_eq!(sd["state"][0]["t"], Value::Int(1));
    assert_eq!(sd["state"][0]["prev_loss"], optimizer.state_dict()["state"][0]["prev_loss"]);
    Ok(())
}

#[test]
fn a_dict_that_does_not_fit_changes_nothing() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(4).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let good = optimizer.state_dict();
    let mut bad = Vec::new();
    let mut broken = |text: &'static str, edit: &dyn Fn(&mut Value)| {
        let mut sd = good.clone();
        edit(&mut sd);
        bad.push((text, sd));
    };
    broken("different number of parameter groups", &|sd| sd["param_groups"] = Value::list());
    broken("doesn't match the size of optimizer's group", &|sd| sd["param_groups"][0]["params"] = [0, 1].into());
    broken("key 'param_groups' is missing", &|sd| {
        sd.as_dict_mut().unwrap().remove("param_groups");
    });
    broken("key 'state' is missing", &|sd| {
        sd.as_dict_mut().unwrap().remove("state");
    });
    broken("'d' holds vectors of 3 elements", &|sd| sd["state"][0]["d"] = Tensor::from([1.0, 2.0, 3.0]).into());
    broken("'old_dirs', 'old_stps' and 'ro' have", &|sd| {
        sd["state"][0]["ro"].as_list_mut().unwrap().pop();
    });
    broken("'d' is missing although n_iter is 4", &|sd| {
        sd["state"][0].as_dict_mut().unwrap().remove("d");
    });
    broken("key 'H_diag' is missing", &|sd| {
        sd["state"][0].as_dict_mut().unwrap().remove("H_diag");
    });
    broken("expected an int, found a str", &|sd| sd["state"][0]["n_iter"] = "four".into());
    for (text, mut sd) in bad {
        if sd["param_groups"].len() == 1 {
            sd["param_groups"][0]["lr"] = 7.into();
        }
        let error = optimizer.load_state_dict(sd).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert_eq!(optimizer.state_dict(), good, "{text}");
    }
    Ok(())
}

#[test]
fn options_are_read_at_each_step_and_unknown_ones_are_kept() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).lr(0.1).max_iter(2).build()?;
    assert_eq!(step(&optimizer, &p, rosenbrock::<f64>)?, 2);
    let group = optimizer.param_groups().remove(0);
    group.set("max_iter", 4);
    group.set("max_eval", 5);
    group.set("initial_lr", 0.1);
    group.set_lr(0.05);
    assert_eq!(step(&optimizer, &p, rosenbrock::<f64>)?, 4);
    let mut sd = optimizer.state_dict();
    assert_eq!(sd["state"][0]["t"], Value::Float(0.05));
    assert_eq!(sd["param_groups"][0]["initial_lr"], Value::Float(0.1));
    // A key the saved group lacks is lost, as in torch, and missed at the next step.
    sd["param_groups"][0].as_dict_mut().unwrap().remove("lr");
    sd["param_groups"][0]["mine"] = true.into();
    sd["state"]["test"] = 1.into();
    optimizer.load_state_dict(sd)?;
    assert_eq!(group.get("mine"), Some(Value::Bool(true)), "groups are handles");
    assert_eq!(optimizer.state_dict()["state"]["test"], Value::Int(1));
    let error = step(&optimizer, &p, rosenbrock::<f64>).unwrap_err();
    assert!(matches!(error, Error::MissingOption("lr")), "{error}");
    group.set("lr", "fast");
    let error = step(&optimizer, &p, rosenbrock::<f64>).unwrap_err();
    assert!(matches!(error, Error::WrongOption { name: "lr", .. }), "{error}");
    group.set_lr(0.05);
    step(&optimizer, &p, rosenbrock::<f64>)?;
    Ok(())
}

#[test]
fn a_group_may_override_options_and_has_to_be_alone() -> Outcome {
    let (p, q) = (Tensor::from([-1.2, 1.0]), Tensor::from([1.0]));
    let optimizer = Lbfgs::builder([ParamGroup::new([&p]).with("max_iter", 3)]).max_iter(9).build()?;
    assert_eq!(step(&optimizer, &p, rosenbrock::<f64>)?, 3);
    assert_eq!(keys(&optimizer.state_dict()["param_groups"][0])[..2], ["max_iter", "lr"]);
    let two = Lbfgs::builder([ParamGroup::new([&p]), ParamGroup::new([&q])]).build().unwrap_err();
    assert!(two.to_string().starts_with("LBFGS doesn't support per-parameter options (parameter groups)"));
    optimizer.add_param_group(ParamGroup::new([&q]))?;
    assert!(matches!(step(&optimizer, &p, rosenbrock::<f64>), Err(Error::ParameterGroups)));
    Ok(())
}
