//! What all first-order optimizers promise: resuming, layouts, threads, groups, gradients that are missing or zero.

mod common;

use checkpoint::{Dict, Value};
use common::Outcome;
use optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Asgd, BoxError, Error, NAdam, Optimizer, ParamGroup, RAdam, RmsProp, Rprop,
    Sgd,
};
use tape::{DType, Tensor};

/// One optimizer of each kind, with options that make it keep all the state it can.
fn all(params: &[Tensor], maximize: bool) -> Result<Vec<Box<dyn Optimizer>>, Error> {
    Ok(vec![
        Box::new(Sgd::builder(params).lr(0.05).momentum(0.5).maximize(maximize).build()?),
        Box::new(Adam::builder(params).lr(0.05).amsgrad(true).maximize(maximize).build()?),
        Box::new(AdamW::builder(params).lr(0.05).maximize(maximize).build()?),
        Box::new(NAdam::builder(params).lr(0.05).maximize(maximize).build()?),
        Box::new(RAdam::builder(params).lr(0.05).betas(0.9, 0.99).maximize(maximize).build()?),
        Box::new(Adamax::builder(params).lr(0.05).maximize(maximize).build()?),
        Box::new(Adagrad::builder(params).lr(0.25).maximize(maximize).build()?),
        Box::new(Adadelta::builder(params).lr(1.0).eps(1e-4).maximize(maximize).build()?),
        Box::new(RmsProp::builder(params).lr(0.01).momentum(0.5).centered(true).eps(1e-3).maximize(maximize).build()?),
        Box::new(Rprop::builder(params).lr(0.05).maximize(maximize).build()?),
        Box::new(Asgd::builder(params).lr(0.1).t0(3.0).maximize(maximize).build()?),
    ])
}

const KINDS: usize = 11;

/// Values without symmetry.
fn uneven(len: usize, dtype: DType) -> Tensor {
    Tensor::from((0..len).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract() - 0.4).collect::<Vec<_>>())
        .to_dtype(dtype)
}

/// A gradient that depends on the parameter and is not the same at every element.
fn gradient(p: &Tensor) -> Tensor {
    let slope = |(i, x): (usize, f64)| (x * 1.3 - (i % 17) as f64 * 0.21).sin();
    let values: Vec<f64> = doubles(p).into_iter().enumerate().map(slope).collect();
    Tensor::from_vec(values, p.sizes()).to_dtype(p.dtype())
}

fn doubles(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).to_vec()
}

fn bits(x: &Tensor) -> Vec<u64> {
    doubles(x).into_iter().map(f64::to_bits).collect()
}

/// An entry of the state of a parameter; `None` where there is none.
fn entry(optimizer: &dyn Optimizer, param: &Tensor, key: &str) -> Value {
    optimizer.param_state(param).and_then(|state| state.get(key).cloned()).unwrap_or_default()
}

fn step(optimizer: &dyn Optimizer, params: &[Tensor]) -> Result<(), Error> {
    params.iter().for_each(|p| p.set_grad(Some(gradient(p))));
    optimizer.step_without_closure()
}

#[test]
fn resuming_equals_never_having_stopped() -> Outcome {
    for dtype in [DType::F32, DType::F64] {
        for kind in 0..KINDS {
            let params = [uneven(9, dtype), uneven(4, dtype).reshape([2, 2])].map(|p| p.copy());
            let optimizer = all(&params, false)?.swap_remove(kind);
            for _ in 0..4 {
                step(&*optimizer, &params)?;
            }
            let saved = optimizer.state_dict();
            let copies = params.each_ref().map(Tensor::copy);
            let resumed = all(&copies, false)?.swap_remove(kind);
            resumed.load_state_dict(saved.clone())?;
            let name = optimizer.base().name();
            // torch makes these numbers float64 on loading, so that NAdam goes on with another product.
            let scalars: &[&str] = match (name, dtype) {
                ("NAdam", DType::F64) => &["mu_product"],
                ("ASGD", DType::F64) => &["eta", "mu"],
                _ => &[],
            };
            for key in scalars {
                let of = |sd: &Value| sd["state"][0][*key].as_tensor().map(Tensor::dtype);
                assert_eq!([of(&saved), of(&resumed.state_dict())], [Some(DType::F32), Some(DType::F64)]);
            }
            if scalars.is_empty() {
                assert_eq!(resumed.state_dict(), saved, "{name}");
            }
            for _ in 0..3 {
                step(&*optimizer, &params)?;
                step(&*resumed, &copies)?;
                let same = params.iter().zip(&copies).all(|(a, b)| bits(a) == bits(b));
                assert_eq!(same, scalars != ["mu_product"], "{name} {dtype}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_parameter_of_another_layout_is_moved_alike() -> Outcome {
    for kind in 0..KINDS {
        let dense = uneven(12, DType::F32).reshape([3, 4]).copy();
        let turned = dense.t().copy().t();
        assert!(!turned.is_contiguous());
        let [dense, turned] = [[dense], [turned]];
        let (a, b) = (all(&dense, false)?.swap_remove(kind), all(&turned, false)?.swap_remove(kind));
        for _ in 0..5 {
            step(&*a, &dense)?;
            turned[0].set_grad(Some(gradient(&turned[0]).t().copy().t()));
            b.step_without_closure()?;
            assert_eq!(bits(&dense[0]), bits(&turned[0]), "{}", a.base().name());
        }
        assert_eq!(a.state_dict(), b.state_dict());
    }
    Ok(())
}

#[test]
fn views_are_moved_in_the_memory_they_share() -> Outcome {
    for kind in 0..KINDS {
        let memory = uneven(12, DType::F64);
        let alone = [memory.i(2..7).copy()];
        let view = [memory.i(2..7)];
        let (a, b) = (all(&alone, false)?.swap_remove(kind), all(&view, false)?.swap_remove(kind));
        step(&*a, &alone)?;
        step(&*b, &view)?;
        assert_eq!(bits(&memory.i(2..7)), bits(&alone[0]));
        assert_eq!(bits(&memory.i(7..)), bits(&uneven(12, DType::F64).i(7..)));
    }
    Ok(())
}

/// More elements than one thread takes.
const LONG: usize = 200_000;

/// Parameters after two steps over one long vector.
fn long_runs(dtype: DType) -> Result<Vec<Vec<u64>>, Error> {
    (0..KINDS)
        .map(|kind| {
            let params = [uneven(LONG, dtype)];
            let optimizer = all(&params, false)?.swap_remove(kind);
            step(&*optimizer, &params)?;
            step(&*optimizer, &params)?;
            Ok(bits(&params[0]))
        })
        .collect()
}

#[test]
fn long_parameters_get_the_bits_of_many_short_ones() -> Outcome {
    // A multiple of the period of `gradient`.
    const SHORT: usize = 17 * 59;
    for dtype in [DType::F32, DType::F64] {
        for (kind, long) in long_runs(dtype)?.into_iter().enumerate() {
            let whole = uneven(LONG, dtype);
            let params: Vec<Tensor> =
                (0..LONG).step_by(SHORT).map(|i| whole.i(i..(i + SHORT).min(LONG)).copy()).collect();
            let optimizer = all(&params, false)?.swap_remove(kind);
            step(&*optimizer, &params)?;
            step(&*optimizer, &params)?;
            let short: Vec<u64> = params.iter().flat_map(bits).collect();
            assert!(short == long, "{} {dtype}", optimizer.base().name());
        }
    }
    Ok(())
}

/// Set in the processes that the next test starts: print instead of comparing.
const PRINT: &str = "PRINT_PARAMETERS_OF_FIRST_ORDER_TEST";

/// The number of threads is fixed once per process, so each number gets a process of its own.
#[test]
fn the_number_of_threads_changes_no_bit() -> Outcome {
    if std::env::var_os(PRINT).is_some() {
        for dtype in [DType::F32, DType::F64] {
            for run in long_runs(dtype)? {
                let digest = run.iter().fold(0u64, |hash, bits| (hash.rotate_left(5) ^ bits).wrapping_mul(0x9e37_79b9));
                println!("digest {digest:x}");
            }
        }
        return Ok(());
    }
    let with_threads = |threads: usize| -> Result<Vec<String>, BoxError> {
        let mut run = std::process::Command::new(std::env::current_exe()?);
        run.args(["--nocapture", "the_number_of_threads_changes_no_bit"]).env(PRINT, "1");
        let output = String::from_utf8(run.env("RAYON_NUM_THREADS", threads.to_string()).output()?.stdout)?;
        Ok(output.lines().filter_map(|line| Some(line.split_once("digest ")?.1.to_owned())).collect())
    };
    let alone = with_threads(1)?;
    assert_eq!(alone.len(), 2 * KINDS);
    assert_eq!(with_threads(2)?, alone);
    assert_eq!(with_threads(3)?, alone);
    Ok(())
}

#[test]
fn every_optimizer_finds_the_bottom_of_a_bowl() -> Outcome {
    for kind in 0..KINDS {
        let p = [Tensor::from([1.0, -0.75]).requires_grad_(true)];
        let optimizer = all(&p, false)?.swap_remove(kind);
        let loss = || ((&p[0] - &Tensor::from([0.25, -0.5])).pow(2.0) * Tensor::from([1.0, 3.0])).sum();
        let start = loss().item();
        let mut calls = 0;
        for _ in 0..400 {
            let before = loss().item();
            let returned = optimizer.step_closure(&mut || {
                calls += 1;
                optimizer.zero_grad();
                let loss = loss();
                loss.backward()?;
                Ok(loss)
            })?;
            assert_eq!(returned.item(), before, "the loss before the move is returned");
        }
        assert_eq!(calls, 400);
        let end = loss().item();
        assert!(end < 1e-3 * start, "{}: from {start} to {end}", optimizer.base().name());
    }
    Ok(())
}

#[test]
fn maximize_is_minimizing_the_negative() -> Outcome {
    for kind in 0..KINDS {
        let (up, down) = ([uneven(8, DType::F32)], [uneven(8, DType::F32)]);
        let (a, b) = (all(&up, true)?.swap_remove(kind), all(&down, false)?.swap_remove(kind));
        for _ in 0..6 {
            let g = gradient(&up[0]);
            up[0].set_grad(Some(g.clone()));
            down[0].set_grad(Some(-&g));
            a.step_without_closure()?;
            b.step_without_closure()?;
            assert_eq!(bits(&up[0]), bits(&down[0]), "{}", a.base().name());
            assert_eq!(bits(&up[0].grad().expect("it was set")), bits(&g), "the gradient itself is left alone");
        }
        assert_ne!(bits(&up[0]), bits(&uneven(8, DType::F32)));
    }
    Ok(())
}

#[test]
fn a_zero_gradient_is_a_step_and_a_missing_one_is_none() -> Outcome {
    for kind in 0..KINDS {
        let params = [uneven(3, DType::F64), uneven(3, DType::F64)];
        let start = bits(&params[0]);
        let optimizer = all(&params, false)?.swap_remove(kind);
        params[0].set_grad(Some(Tensor::zeros([3], DType::F64)));
        optimizer.step_without_closure()?;
        let name = optimizer.base().name();
        // Decoupled decay of AdamW, and `lambd` of ASGD.
        assert_eq!(bits(&params[0]) != start, ["AdamW", "ASGD"].contains(&name), "{name}");
        assert_eq!(bits(&params[1]), start, "{name}");
        let steps = entry(&*optimizer, &params[0], "step").as_tensor().map(Tensor::item);
        assert_eq!(steps, (name != "SGD").then_some(1.0));
        let other = optimizer.param_state(&params[1]);
        assert_eq!(other.is_some(), name == "Adagrad", "only Adagrad makes state without a gradient");
    }
    Ok(())
}

#[test]
fn options_are_read_from_the_group_at_every_step() -> Outcome {
    for kind in 0..KINDS {
        let (a, b) = ([uneven(4, DType::F32)], [uneven(4, DType::F32)]);
        let optimizer = all(&a, false)?.swap_remove(kind);
        let group = &optimizer.param_groups()[0];
        let name = optimizer.base().name();
        group.set("maximize", true);
        step(&*optimizer, &a)?;
        let up = all(&b, true)?.swap_remove(kind);
        step(&*up, &b)?;
        assert_eq!(bits(&a[0]), bits(&b[0]), "{name}");
        let before = bits(&a[0]);
        group.set("maximize", Value::from("yes"));
        let text = step(&*optimizer, &a).unwrap_err().to_string();
        assert_eq!(text, "option 'maximize' of the parameter group: expected a bool, found yes");
        let mut dict = optimizer.state_dict();
        dict["param_groups"][0].as_dict_mut().expect("a group is a dict").remove("lr");
        optimizer.load_state_dict(dict)?;
        group.set("maximize", false);
        let outcome = step(&*optimizer, &a);
        // Rprop reads the learning rate at the first step alone.
        match name {
            "Rprop" => assert!(outcome.is_ok()),
            _ => {
                assert!(matches!(outcome, Err(Error::MissingOption("lr"))), "{name}: {outcome:?}");
                assert_eq!(bits(&a[0]), before, "{name} moved");
            }
        }
    }
    Ok(())
}

#[test]
fn a_failing_step_moves_no_parameter_of_any_group() -> Outcome {
    let params = [uneven(3, DType::F64), uneven(3, DType::F64)];
    let groups = [ParamGroup::new([&params[0]]), ParamGroup::new([&params[1]])];
    let adam = Adam::builder(&groups).build()?;
    step(&adam, &params)?;
    let (moved, state) = (params.each_ref().map(bits), adam.state_dict()["state"].clone());
    groups[1].set("amsgrad", true);
    let error = step(&adam, &params).unwrap_err();
    assert!(matches!(error, Error::MissingState { optimizer: "Adam", key: "max_exp_avg_sq" }), "{error}");
    assert!(error.to_string().starts_with("'max_exp_avg_sq'"));
    assert_eq!(params.each_ref().map(bits), moved);
    assert_eq!(adam.state_dict()["state"], state);
    groups[1].set("amsgrad", false);
    step(&adam, &params)?;
    assert!(adam.step_with(|| Err(BoxError::msg("no data"))).unwrap_err().to_string().contains("no data"));
    Ok(())
}

#[test]
fn state_that_an_option_needs_is_missing_where_torch_misses_it() -> Outcome {
    let [p, q] = [[uneven(3, DType::F32)], [uneven(3, DType::F32)]];
    let rmsprop = RmsProp::builder(&p).build()?;
    step(&rmsprop, &p)?;
    for (option, value, key) in
        [("momentum", Value::from(0.5), "momentum_buffer"), ("centered", Value::from(true), "grad_avg")]
    {
        let group = &rmsprop.param_groups()[0];
        let before = group.get(option).expect("an option");
        group.set(option, value);
        assert!(matches!(step(&rmsprop, &p), Err(Error::MissingState { key: k, .. }) if k == key));
        group.set(option, before);
    }
    let adagrad = Adagrad::builder(&p).initial_accumulator_value(0.5).build()?;
    assert_eq!(adagrad.state_dict()["state"][0]["sum"], Tensor::full([3], 0.5, DType::F32).into());
    adagrad.add_param_group(ParamGroup::new(&q))?;
    step(&adagrad, &p)?;
    assert!(matches!(step(&adagrad, &q), Err(Error::MissingState { key: "sum", .. })));
    // SGD makes its buffer whenever momentum comes.
    let sgd = Sgd::builder(&q).build()?;
    q[0].set_grad(None);
    step(&sgd, &q)?;
    assert!(sgd.param_state(&q[0]).is_none());
    sgd.param_groups()[0].set("momentum", 0.5);
    step(&sgd, &q)?;
    assert_eq!(entry(&sgd, &q[0], "momentum_buffer"), q[0].grad().into());
    Ok(())
}

#[test]
fn older_and_foreign_state_dicts_are_completed_as_in_torch() -> Outcome {
    let p = [uneven(3, DType::F64)];
    let adam = Adam::builder(&p).build()?;
    step(&adam, &p)?;
    let mut old = adam.state_dict();
    old["state"][0]["step"] = 1.into(); // before steps were tensors
    old["state"][0]["note"] = Value::from(vec![Tensor::from([1.0f32])]);
    let group = old["param_groups"][0].as_dict_mut().expect("a group is a dict");
    for name in ["amsgrad", "maximize", "foreach", "capturable", "differentiable", "decoupled_weight_decay", "fused"] {
        group.remove(name);
    }
    adam.load_state_dict(old.clone())?;
    let found = adam.state_dict();
    assert_eq!(found["state"][0]["step"], Tensor::full((), 1.0, DType::F32).into());
    assert_eq!(found["state"][0]["note"][0], Tensor::from([1.0f64]).into(), "unknown tensors take the dtype too");
    let keys: Vec<String> = found["param_groups"][0].keys().map(ToString::to_string).collect();
    let added = "'lr' 'betas' 'eps' 'weight_decay' 'amsgrad' 'maximize' 'foreach' 'capturable' 'differentiable' \
                 'decoupled_weight_decay' 'fused' 'params'";
    assert_eq!(keys.join(" "), added);

    let decoupled = |sd: &Value| sd["param_groups"][0]["decoupled_weight_decay"].as_bool();
    let adamw = AdamW::builder(&p).build()?;
    let from_w = adamw.state_dict();
    adamw.load_state_dict(adam.state_dict())?;
    assert_eq!(decoupled(&adamw.state_dict()), Some(true));
    adam.load_state_dict(from_w)?;
    assert_eq!(decoupled(&adam.state_dict()), Some(true), "it comes with the dict");

    let sgd = Sgd::builder(&p).build()?;
    let mut old = sgd.state_dict();
    old["param_groups"][0].as_dict_mut().expect("a group is a dict").remove("fused");
    old["state"][0] = Dict::from_iter([("momentum_buffer", Value::None)]).into();
    sgd.load_state_dict(old)?;
    assert_eq!(sgd.state_dict()["param_groups"][0]["fused"].as_bool(), Some(false));
    sgd.param_groups()[0].set("momentum", 0.5);
    step(&sgd, &p)?;
    assert_eq!(entry(&sgd, &p[0], "momentum_buffer"), p[0].grad().into());
    Ok(())
}

#[test]
fn steps_keep_their_dtype_on_loading_unless_a_flag_asks_for_single_precision() -> Outcome {
    let p = [uneven(3, DType::F64)];
    let adam = Adam::builder(&p).build()?;
    step(&adam, &p)?;
    let mut saved = adam.state_dict();
    saved["state"][0]["step"] = Tensor::full((), 7, DType::I64).into();
    saved["state"][0]["exp_avg"] = saved["state"][0]["exp_avg"].as_tensor().expect("a tensor").float().into();
    adam.load_state_dict(saved.clone())?;
    assert_eq!(entry(&adam, &p[0], "step"), Tensor::full((), 7, DType::I64).into());
    assert_eq!(entry(&adam, &p[0], "exp_avg").as_tensor().map(Tensor::dtype), Some(DType::F64));
    step(&adam, &p)?;
    assert_eq!(entry(&adam, &p[0], "step"), Tensor::full((), 8, DType::I64).into());
    saved["param_groups"][0]["capturable"] = true.into();
    adam.load_state_dict(saved)?;
    assert_eq!(entry(&adam, &p[0], "step"), Tensor::full((), 7.0, DType::F32).into());
    assert_eq!(adam.state_dict()["param_groups"][0]["capturable"].as_bool(), Some(true), "kept, and without effect");
    step(&adam, &p)?;
    Ok(())
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() -> Outcome {
    let p = [uneven(3, DType::F32)];
    let asgd = Asgd::builder(&p).build()?;
    step(&asgd, &p)?;
    let before = asgd.state_dict();
    let edits: [(&str, Value, &str); 4] = [
        ("ax", uneven(4, DType::F32).into(), "ax has shape [4], its parameter [3]"),
        ("eta", uneven(2, DType::F32).into(), "eta has shape [2]"),
        ("ax", 3.into(), "a tensor"),
        ("mu", "one".into(), "a number"),
    ];
    for (key, value, text) in edits {
        let mut dict = before.clone();
        dict["param_groups"][0]["lr"] = 0.75.into();
        dict["state"][0][key] = value;
        let error = asgd.load_state_dict(dict).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert_eq!(asgd.state_dict(), before);
    }
    let mut dict = before.clone();
    dict["state"][0].as_dict_mut().expect("a state is a dict").remove("step");
    assert!(asgd.load_state_dict(dict).unwrap_err().to_string().contains("'step'"));
    Ok(())
}

#[test]
fn a_clone_has_a_state_and_groups_of_its_own() -> Outcome {
    let p = [uneven(3, DType::F32)];
    let adam = Adam::builder(&p).lr(0.5).build()?;
    step(&adam, &p)?;
    let clone = adam.clone();
    assert_eq!(clone.state_dict(), adam.state_dict());
    assert!(clone.param_groups()[0].params()[0].same(&p[0]));
    clone.param_groups()[0].set_lr(0.125);
    step(&clone, &p)?;
    assert_eq!(adam.param_groups()[0].lr(), 0.5);
    let steps = [&adam, &clone].map(|o| entry(o, &p[0], "step").as_tensor().map(Tensor::item));
    assert_eq!(steps, [Some(1.0), Some(2.0)]);
    Ok(())
}

/// With a learning rate of `float32` torch computes step sizes in `float32`, operation by operation.
#[test]
fn a_tensor_as_learning_rate_is_computed_with_in_its_own_precision() -> Outcome {
    let lr = Tensor::from_vec(vec![0.1f32], ());
    let one = || [Tensor::from([1.0])];
    let first_step = |optimizer: &dyn Optimizer, p: &[Tensor; 1]| {
        p[0].set_grad(Some(Tensor::from([0.5])));
        optimizer.step_without_closure().map(|()| p[0].item())
    };
    let (m, root) = ((1.0f64 - 0.9) * 0.5, ((1.0f64 - 0.999) * 0.25).sqrt() / (1.0f64 - 0.999).powf(0.5) + 1e-8);
    let size = 0.1f32 / (1.0f64 - 0.9) as f32;

    let p = one();
    let adam = Adam::builder(&p).lr(&lr).build()?;
    let decimal = Adam::builder(&p).lr(0.1).build()?;
    assert_eq!(first_step(&adam, &p)?, 1.0 + (f64::from(-size) * m) / root);
    p[0].write_from(&[1.0]);
    assert_eq!(first_step(&decimal, &p)?, 1.0 + (-(0.1 / (1.0f64 - 0.9)) * m) / root);

    let p = one();
    let adamw = AdamW::builder(&p).lr(&lr).weight_decay(0.3).build()?;
    let shrunk = f64::from(1.0 - 0.1f32 * 0.3f32);
    assert_eq!(first_step(&adamw, &p)?, shrunk + (f64::from(-size) * m) / root);

    let p = one();
    let asgd = Asgd::builder(&p).lr(&lr).lambd(0.25).build()?;
    first_step(&asgd, &p)?;
    let eta = 0.1f32 / (0.25f32 * 0.1 * 1.0 + 1.0).powf(0.75);
    assert_eq!(entry(&asgd, &p[0], "eta"), Tensor::full((), eta, DType::F32).into());

    // The group's tensor is the caller's: filling it changes the learning rate.
    let p = one();
    let sgd = Sgd::builder(&p).lr(&lr).build()?;
    lr.write_from(&[2.0f32]);
    assert_eq!(first_step(&sgd, &p)?, 0.0);
    Ok(())
}

/// torch's in-place operations refuse such a tensor, after the parameters before it have moved.
#[test]
fn an_expanded_parameter_is_refused_before_anything_moves() -> Outcome {
    for k in 0..KINDS {
        let params = [Tensor::from([1.0, 2.0]), Tensor::from([1.0]).expand([3])];
        let optimizer = &all(&params, false)?[k];
        let before = optimizer.state_dict();
        params.iter().for_each(|p| p.set_grad(Some(p.ones_like())));
        let error = optimizer.step_without_closure().unwrap_err();
        assert!(error.to_string().starts_with("unsupported operation: more than one element"), "{error}");
        assert!(matches!(error, Error::RepeatedElements { index: 1, .. }), "{error:?}");
        assert_eq!(params[0].to_vec::<f64>(), [1.0, 2.0]);
        assert_eq!(optimizer.state_dict(), before);
    }
    Ok(())
}

#[test]
fn the_state_of_one_parameter_is_that_of_the_state_dict() -> Outcome {
    for k in 0..KINDS {
        let params = [Tensor::from([1.0, 2.0]), Tensor::from([3.0])];
        let optimizer = &all(&params, false)?[k];
        params[1].set_grad(Some(params[1].ones_like()));
        optimizer.step_without_closure()?;
        let saved = optimizer.state_dict();
        for (id, p) in params.iter().enumerate() {
            let state = optimizer.param_state(p).map(Value::from);
            assert_eq!(state.as_ref(), saved["state"].get(id), "{k} {id}");
        }
        assert!(optimizer.param_state(&params[1].detach()).is_none());
    }
    Ok(())
}
