//! Save and load, clones and hooks with every option on; state dicts of Paddle's.

mod common;

use checkpoint::{Dict, Key, Value};
use common::{Outcome, bowl, counters, quartic, rosenbrock, step};
use optim::{BoxError, Error, GradClip, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, Param, ParamGroup, WeightDecay};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tape::{DType, Tensor};

const WOLFE: LineSearch = LineSearch::StrongWolfe;

type Configure = fn(LbfgsBuilder) -> LbfgsBuilder;

const OPTIONS: [(&str, Configure); 13] = [
    ("max_ls", |b| b.max_ls(2)),
    ("c1 and c2", |b| b.c1(0.1).c2(0.2)),
    ("maximize", |b| b.maximize(true)),
    ("L2", |b| b.weight_decay(0.1)),
    ("L1", |b| b.weight_decay(WeightDecay::L1(0.01))),
    ("value", |b| b.grad_clip(GradClip::Value(0.4))),
    ("norm", |b| b.grad_clip(GradClip::Norm(0.7))),
    ("global norm", |b| b.grad_clip(GradClip::GlobalNorm(0.7))),
    ("damping", |b| b.powell_damping(true)),
    ("damping and clip", |b| b.powell_damping(true).grad_clip(GradClip::Norm(0.7))),
    ("relative tolerance", |b| b.tolerance_change_rel(1e-2)),
    ("history", |b| b.history_dtype(DType::F32)),
    ("all", |b| {
        let b = b.max_ls(9).c1(1e-3).c2(0.8).weight_decay(0.01).grad_clip(GradClip::GlobalNorm(2.0));
        b.powell_damping(true).tolerance_change_rel(1e-12).history_dtype(DType::F32)
    }),
];

/// Two parameters in one group, or in two with different learning rates.
fn params(values: &[Tensor; 2], several: bool) -> Vec<Param> {
    let [p, q] = values;
    if several {
        vec![ParamGroup::new([p]).into(), ParamGroup::new([q]).with("lr", 0.1).with("weight_decay", 0.3).into()]
    } else {
        vec![p.into(), q.into()]
    }
}

/// A wavy function with negative curvature at places, of both parameters.
fn waves([p, q]: &[Tensor; 2], sign: f64) -> Result<Tensor, BoxError> {
    let mut sum = 0.0;
    for x in [p, q] {
        let at = x.to_vec::<f64>();
        sum += at.iter().map(|x| 0.1 * x * x - (1.3 * x).cos()).sum::<f64>();
        let gradient = at.iter().map(|x| sign * (0.2 * x + 1.3 * (1.3 * x).sin())).collect::<Vec<f64>>();
        x.set_grad(Some(Tensor::from_vec(gradient, [at.len()])));
    }
    Ok(Tensor::from(sign * sum))
}

fn values(tensors: &[Tensor; 2]) -> [Vec<f64>; 2] {
    [0, 1].map(|i| tensors[i].to_vec())
}

#[test]
fn resuming_and_cloning_equal_never_having_stopped() -> Outcome {
    for (name, configure) in OPTIONS {
        for several in [false, true] {
            for search in [None, Some(WOLFE)] {
                let sign = if name == "maximize" { -1.0 } else { 1.0 };
                let x = [Tensor::from([1.9, -2.2, 0.4]), Tensor::from([2.5, 1.4])];
                let builder = Lbfgs::builder(params(&x, several)).lr(0.3).max_iter(2).history_size(3);
                let optimizer = configure(builder.line_search_fn(search).parameter_groups(several)).build()?;
                for _ in 0..4 {
                    optimizer.step(|| waves(&x, sign))?;
                }
                let y = [x[0].copy(), x[1].copy()];
                let resumed = Lbfgs::builder(params(&y, several)).parameter_groups(several).build()?;
                resumed.load_state_dict(optimizer.state_dict().deep_copy())?;
                assert_eq!(resumed.state_dict(), optimizer.state_dict(), "{name}");
                let (clone, at) = (optimizer.clone(), values(&x));
                let mut path = Vec::new();
                for _ in 0..4 {
                    optimizer.step(|| waves(&x, sign))?;
                    resumed.step(|| waves(&y, sign))?;
                    assert_eq!(values(&x), values(&y), "{name}, several groups: {several}");
                    assert_eq!(resumed.state_dict(), optimizer.state_dict(), "{name}");
                    path.push((values(&x), optimizer.state_dict()));
                }
                for (x, at) in x.iter().zip(&at) {
                    x.write_from(at);
                }
                for (point, dict) in path {
                    clone.step(|| waves(&x, sign))?;
                    assert_eq!((values(&x), clone.state_dict()), (point, dict), "a clone, {name}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_failing_closure_leaves_the_accepted_point_with_every_option() -> Outcome {
    for (name, configure) in OPTIONS {
        for search in [None, Some(WOLFE)] {
            for k in 1..9 {
                let sign = if name == "maximize" { -1.0 } else { 1.0 };
                let x = [Tensor::from([1.9, -2.2, 0.4]), Tensor::from([2.5, 1.4])];
                let builder = Lbfgs::builder(params(&x, true)).lr(0.3).parameter_groups(true);
                let optimizer = configure(builder.line_search_fn(search)).build()?;
                let (calls, mut seen) = (Cell::new(0), vec![values(&x)]);
                let outcome = optimizer.step(|| {
                    calls.set(calls.get() + 1);
                    if calls.get() == k {
                        return Err(BoxError::msg("the data went away"));
                    }
                    seen.push(values(&x));
                    waves(&x, sign)
                });
                assert!(calls.get() < k || matches!(outcome, Err(Error::Closure(_))), "{name}");
                assert!(calls.get() < k || seen.contains(&values(&x)), "{name}");
                optimizer.load_state_dict(optimizer.state_dict())?;
                optimizer.step(|| waves(&x, sign))?;
            }
        }
    }
    Ok(())
}

#[test]
fn hooks_see_the_same_steps_with_every_option() -> Outcome {
    for (name, configure) in OPTIONS {
        let p = Tensor::from([0.3, -0.8, 1.1]);
        let optimizer = configure(Lbfgs::builder([&p]).max_iter(3).line_search_fn(WOLFE)).build()?;
        let calls = Arc::new(AtomicUsize::new(0));
        let (before, after) = (Arc::clone(&calls), Arc::new(AtomicUsize::new(0)));
        let done = Arc::clone(&after);
        optimizer.register_step_pre_hook(move |optimizer, args| {
            optimizer.zero_grad();
            let counter = Arc::clone(&before);
            args.wrap_closure(move |inner| {
                counter.fetch_add(1, Ordering::Relaxed);
                inner()
            });
            Ok(())
        });
        optimizer.register_step_post_hook(move |_, _| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        step(&optimizer, &p, quartic::<f64>)?;
        assert_eq!(calls.load(Ordering::Relaxed), optimizer.report().evaluations, "{name}");
        assert_eq!(after.load(Ordering::Relaxed), 1);
    }
    Ok(())
}

/// A dict as Paddle's L-BFGS writes it: one flat map under names of its own.
fn paddles(torchs: &Value) -> Value {
    let rename = |key: &Key| match key.as_str() {
        Some("t") => "alpha".into(),
        Some("old_dirs") => "old_yk".into(),
        Some("old_stps") => "old_sk".into(),
        _ => key.clone(),
    };
    let state = torchs["state"][0].as_dict().cloned().unwrap_or_default();
    let renamed: Dict = state.iter().map(|(key, value)| (rename(key), value.clone())).collect();
    Dict::from_iter([("state", Value::from(renamed))]).into()
}

#[test]
fn paddles_state_dict_resumes_and_the_options_stay() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let build = |p: &Tensor| Lbfgs::builder([p]).lr(0.7).max_iter(3).history_size(4).line_search_fn(WOLFE).build();
    let optimizer = build(&p)?;
    for _ in 0..3 {
        step(&optimizer, &p, rosenbrock::<f64>)?;
    }
    let q = p.copy();
    let resumed = build(&q)?;
    let options = resumed.state_dict()["param_groups"].clone();
    let dict = paddles(&optimizer.state_dict());
    assert!(dict["state"].get("alpha").is_some() && dict["state"].get("t").is_none());
    resumed.set_state_dict(dict)?;
    assert_eq!(resumed.state_dict(), optimizer.state_dict());
    assert_eq!(resumed.state_dict()["param_groups"], options);
    for _ in 0..3 {
        step(&optimizer, &p, rosenbrock::<f64>)?;
        step(&resumed, &q, rosenbrock::<f64>)?;
        assert_eq!((p.to_vec::<f64>(), counters(&optimizer)), (q.to_vec::<f64>(), counters(&resumed)));
    }
    // Before its first step Paddle's map is empty; loading it is starting anew.
    resumed.set_state_dict(Dict::from_iter([("state", Value::dict())]).into())?;
    assert!(resumed.state_dict()["state"].is_empty());
    Ok(())
}

#[test]
fn paddles_initial_scale_is_a_tensor_and_a_wrong_dict_changes_nothing() -> Outcome {
    let p = Tensor::from([3.0_f32, 4.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(1).build()?;
    step(&optimizer, &p, |p| bowl::<f32>(p, 0.1))?;
    let mut dict = paddles(&optimizer.state_dict());
    dict["state"]["H_diag"] = Tensor::from(1.0_f32).into();
    dict["state"]["prev_loss"] = Tensor::from(2.5_f32).into();
    optimizer.set_state_dict(dict.clone())?;
    step(&optimizer, &p, |p| bowl::<f32>(p, 0.1))?;
    let good = optimizer.state_dict();
    dict["state"]["old_yk"] = Value::from(vec![Tensor::from([1.0_f32])]);
    assert!(matches!(optimizer.set_state_dict(dict), Err(Error::StateMismatch(_))));
    // Not Paddle's: groups are missing and the state is by parameter.
    let mut torchs = good.clone();
    torchs.as_dict_mut().and_then(|dict| dict.remove("param_groups"));
    let error = optimizer.load_state_dict(torchs).unwrap_err().to_string();
    assert!(error.contains("'param_groups' is missing"), "{error}");
    assert_eq!(optimizer.state_dict(), good);
    Ok(())
}
