//! `Sgd` against loops written by hand in the order of torch's `_single_tensor_sgd`.

mod common;

use checkpoint::Value;
use common::Outcome;
use optim::{Error, Optimizer, ParamGroup, Sgd};
use tape::Tensor;

#[derive(Clone, Copy, Debug)]
struct Options {
    lr: f32,
    momentum: f32,
    dampening: f32,
    weight_decay: f32,
    nesterov: bool,
    maximize: bool,
}

/// A gradient that depends on the parameter.
fn gradient(p: &[f32]) -> Vec<f32> {
    p.iter().enumerate().map(|(i, p)| (p * 1.3 - i as f32 * 0.21).sin()).collect()
}

fn by_hand(p: &mut [f32], buffer: &mut Option<Vec<f32>>, o: Options) {
    let g = gradient(p);
    let mut b = buffer.clone().unwrap_or_default();
    for i in 0..p.len() {
        let mut d = if o.maximize { -g[i] } else { g[i] };
        if o.weight_decay != 0.0 {
            d = o.weight_decay.mul_add(p[i], d);
        }
        if o.momentum != 0.0 {
            if buffer.is_none() {
                b.push(d);
            } else {
                b[i] = (1.0 - o.dampening).mul_add(d, b[i] * o.momentum);
            }
            d = if o.nesterov { o.momentum.mul_add(b[i], d) } else { b[i] };
        }
        p[i] = (-o.lr).mul_add(d, p[i]);
    }
    if o.momentum != 0.0 {
        *buffer = Some(b);
    }
}

#[test]
fn formulas_are_torchs() -> Outcome {
    let base =
        Options { lr: 0.0625, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, maximize: false };
    let cases = [
        base,
        Options { maximize: true, ..base },
        Options { weight_decay: 0.125, ..base },
        Options { momentum: 0.875, ..base },
        Options { momentum: 0.875, dampening: 0.25, ..base },
        Options { momentum: 0.875, nesterov: true, ..base },
        Options { momentum: 0.875, dampening: 0.5, weight_decay: 0.125, maximize: true, ..base },
    ];
    for o in cases {
        let mut expected: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).cos()).collect();
        let p = Tensor::from_vec(expected.clone(), [37]);
        let sgd = Sgd::builder([&p])
            .lr(o.lr)
            .momentum(o.momentum.into())
            .dampening(o.dampening.into())
            .weight_decay(o.weight_decay.into())
            .nesterov(o.nesterov)
            .maximize(o.maximize)
            .build()?;
        let mut buffer = None;
        for _ in 0..5 {
            p.set_grad(Some(Tensor::from_vec(gradient(&p.to_vec::<f32>()), [37])));
            sgd.step()?;
            by_hand(&mut expected, &mut buffer, o);
            assert_eq!(p.to_vec::<f32>(), expected, "{o:?}");
        }
        let saved = sgd.state_dict()["state"][0].get("momentum_buffer").cloned();
        assert_eq!(saved, buffer.map(|b| Value::from(Tensor::from_vec(b, [37]))));
    }
    Ok(())
}

#[test]
fn groups_have_their_own_options_and_missing_gradients_are_skipped() -> Outcome {
    let [a, b, c] = [1.0, 1.0, 1.0].map(|x| Tensor::from([x]));
    let sgd = Sgd::builder([ParamGroup::new([&a, &c]), ParamGroup::new([&b]).with("lr", 0.25)])
        .lr(0.5)
        .momentum(0.9)
        .build()?;
    for p in [&a, &b] {
        p.set_grad(Some(Tensor::from([1.0])));
    }
    sgd.step()?;
    assert_eq!([&a, &b, &c].map(|p| p.item()), [0.5, 0.75, 1.0]);
    let sd = sgd.state_dict();
    let ids: Vec<String> = sd["state"].keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["0", "2"], "a parameter that never moved has no state");
    Ok(())
}

#[test]
fn resuming_equals_never_having_stopped() -> Outcome {
    let p = Tensor::from_vec((0..9).map(|i| i as f32 * 0.1).collect(), [9]);
    let sgd = Sgd::builder([&p]).lr(0.1).momentum(0.9).nesterov(true).build()?;
    let step = |sgd: &Sgd, p: &Tensor| {
        p.set_grad(Some(Tensor::from_vec(gradient(&p.to_vec::<f32>()), [9])));
        sgd.step()
    };
    step(&sgd, &p)?;
    step(&sgd, &p)?;
    let q = p.copy();
    let resumed = Sgd::builder([&q]).build()?;
    resumed.load_state_dict(sgd.state_dict())?;
    for _ in 0..4 {
        step(&sgd, &p)?;
        step(&resumed, &q)?;
        assert_eq!(p.to_vec::<f32>(), q.to_vec::<f32>());
        assert_eq!(sgd.state_dict(), resumed.state_dict());
    }
    // Older dicts lack newer flags; torch fills them in.
    let mut older = sgd.state_dict();
    for flag in ["nesterov", "maximize", "foreach", "differentiable", "fused"] {
        older["param_groups"][0].as_dict_mut().unwrap().remove(flag);
    }
    resumed.load_state_dict(older)?;
    step(&resumed, &q)?;
    let mut wrong = sgd.state_dict();
    wrong["state"][0]["momentum_buffer"] = Tensor::from([1.0_f32]).into();
    let before = sgd.state_dict();
    assert!(matches!(sgd.load_state_dict(wrong), Err(Error::StateMismatch(_))));
    assert_eq!(sgd.state_dict(), before);
    Ok(())
}

#[test]
fn a_closure_is_evaluated_once_and_its_failure_moves_nothing() -> Outcome {
    let p = Tensor::from([2.0]);
    let sgd = Sgd::builder([&p]).lr(0.25).build()?;
    let mut calls = 0;
    let loss = sgd.step_with(|| {
        calls += 1;
        let nested = sgd.step().unwrap_err();
        assert!(matches!(nested, Error::StepIsRunning { .. }));
        p.set_grad(Some(&p.detach().copy()).cloned());
        Ok(Tensor::from(7.0))
    })?;
    assert_eq!((loss.item(), calls, p.item()), (7.0, 1, 1.5));
    let failed = sgd.step_with(|| Err(optim::BoxError::msg("no data")));
    assert!(failed.unwrap_err().to_string().contains("no data"));
    assert_eq!(p.item(), 1.5);
    Ok(())
}

#[test]
fn options_that_cannot_work_are_refused() {
    let p = Tensor::from([1.0]);
    let refused = [
        (Sgd::builder([&p]).momentum(-0.5), "Invalid momentum value: -0.5"),
        (Sgd::builder([&p]).weight_decay(-1e-9), "Invalid weight_decay value: -1e-09"),
        (Sgd::builder([&p]).nesterov(true), "Nesterov momentum requires a momentum and zero dampening"),
        (
            Sgd::builder([&p]).momentum(0.9).dampening(0.1).nesterov(true),
            "Nesterov momentum requires a momentum and zero dampening",
        ),
    ];
    for (builder, text) in refused {
        assert_eq!(builder.build().unwrap_err().to_string(), text);
    }
    assert!(Sgd::builder([&p]).lr(f64::NAN).momentum(f64::NAN).weight_decay(f64::NAN).build().is_ok(), "as in torch");
}
