//! Loading state dicts: ids, conversions, what is kept and what is lost.

mod common;

use checkpoint::{Dict, Key, Value};
use common::Outcome;
use common::zoo::{self, Affine};
use optim::{Closure, Lbfgs, LineSearch, Loaded, Optimizer, OptimizerBase, ParamGroup, Result, Sgd};
use std::sync::{Mutex, PoisonError};
use tape::Tensor;

/// An optimizer that keeps whatever state it is given.
struct Keeper {
    base: OptimizerBase,
    state: Mutex<Vec<(Tensor, Dict)>>,
}

impl Keeper {
    fn over(params: &[&Tensor]) -> Result<Self> {
        Ok(Self { base: OptimizerBase::new("Keeper", params, Dict::from_iter([("lr", 1)]))?, state: Mutex::default() })
    }

    /// What is left of the state of parameter 0 after it was loaded.
    fn load(&self, state: impl Into<Value>, options: &[(&str, bool)]) -> Result<Value> {
        let mut saved = self.state_dict();
        saved["state"][0] = state.into();
        for &(name, value) in options {
            saved["param_groups"][0][name] = value.into();
        }
        self.load_state_dict(saved)?;
        Ok(self.state_dict()["state"][0].clone())
    }
}

impl Optimizer for Keeper {
    fn base(&self) -> &OptimizerBase {
        &self.base
    }

    fn step_body(&self, _: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let copied = |dict: &Dict| dict.iter().map(|(key, value)| (key.clone(), value.deep_copy())).collect();
        state.iter().map(|(param, dict)| (param.clone(), copied(dict))).collect()
    }

    fn load_state(&self, loaded: &mut Loaded) -> Result<()> {
        let entries = loaded.state.iter().filter_map(|(p, value)| Some((p.clone(), value.as_dict()?.clone())));
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = entries.collect();
        Ok(())
    }
}

fn f32_scalar(x: f32) -> Tensor {
    Tensor::from(x)
}

fn i64_scalar(x: i64) -> Tensor {
    Tensor::from(x)
}

/// A state with tensors of every kind at every depth.
fn state() -> Dict {
    Dict::from_iter([
        ("step", Value::from(i64_scalar(3))),
        ("step2", i64_scalar(1).into()),
        ("nested", Dict::from_iter([("step", i64_scalar(4)), ("x", Tensor::from([1_i64, 2]))]).into()),
        ("list", Value::from(vec![Value::from(Tensor::from([1.5])), Value::None, 7.into()])),
        ("tuple", Value::Tuple(vec![i64_scalar(1).into()])),
        ("flag", true.into()),
        ("name", "kept".into()),
    ])
}

#[test]
fn tensors_get_the_dtype_of_their_parameter_except_step() -> Outcome {
    let keeper = Keeper::over(&[&Tensor::from([1.0_f32])])?;
    let kept = keeper.load(state(), &[])?;
    assert_eq!(kept["step"], Value::from(i64_scalar(3)));
    assert_eq!(kept["step2"], Value::from(f32_scalar(1.0)), "even a count becomes a float");
    assert_eq!(kept["nested"]["step"], Value::from(i64_scalar(4)), "a nested step is one too");
    assert_eq!(kept["nested"]["x"], Value::from(Tensor::from([1.0_f32, 2.0])));
    assert_eq!(kept["list"], Value::from(vec![Value::from(Tensor::from([1.5_f32])), Value::None, 7.into()]));
    assert_eq!(kept["tuple"], Value::Tuple(vec![f32_scalar(1.0).into()]));
    assert_eq!(kept["flag"], Value::Bool(true));
    assert_eq!(kept["name"].as_str(), Some("kept"), "torch makes a string unusable");
    // Inside a list or a dict of that name nothing is protected.
    let wrapped = Dict::from_iter([("step", Value::from(vec![i64_scalar(3)]))]);
    assert_eq!(keeper.load(wrapped, &[])?["step"], Value::from(vec![f32_scalar(3.0)]));
    let wrapped = Dict::from_iter([("step", Value::from(Dict::from_iter([("a", i64_scalar(3))])))]);
    assert_eq!(keeper.load(wrapped, &[])?["step"]["a"], Value::from(f32_scalar(3.0)));
    Ok(())
}

#[test]
fn groups_that_count_on_a_device_count_in_f32() -> Outcome {
    for flag in ["capturable", "fused"] {
        let keeper = Keeper::over(&[&Tensor::from([1.0])])?;
        let kept = keeper.load(state(), &[(flag, true)])?;
        assert_eq!(kept["step"], Value::from(f32_scalar(3.0)), "{flag}");
        assert_eq!(kept["nested"]["step"], Value::from(f32_scalar(4.0)), "{flag}");
        assert_eq!(kept["step2"], Value::from(Tensor::from(1.0)), "{flag}");
        assert_eq!(keeper.load(state(), &[(flag, false)])?["step"], Value::from(i64_scalar(3)), "{flag}");
    }
    Ok(())
}

#[test]
fn beside_an_integer_parameter_tensors_keep_their_dtype() -> Outcome {
    let keeper = Keeper::over(&[&Tensor::from([1_i64])])?;
    let saved = Value::from(state());
    assert_eq!(keeper.load(saved.clone(), &[])?, saved);
    Ok(())
}

/// In torch a dict, the optimizer it came from and the one it was loaded into share their tensors.
#[test]
fn loading_copies_all_numbers() -> Outcome {
    let p = Tensor::from([1.0_f32]);
    let keeper = Keeper::over(&[&p])?;
    let (shared, extra, lr) = (Tensor::from([1.0_f32]), Tensor::from([2.0]), Tensor::from(0.5));
    let mut saved = keeper.state_dict();
    saved["state"][0] = Dict::from_iter([("buffer", shared.clone()), ("step", shared.clone())]).into();
    saved["state"]["mine"] = extra.clone().into();
    saved["param_groups"][0]["lr"] = lr.clone().into();
    keeper.load_state_dict(saved.clone())?;
    let before = keeper.state_dict();
    for tensor in [&shared, &extra, &lr] {
        no_longer(tensor);
    }
    assert_eq!(keeper.state_dict(), before);
    assert_ne!(saved, before);
    Ok(())
}

fn no_longer(tensor: &Tensor) {
    tape::no_grad(|| tensor.zero_());
}

#[test]
fn two_optimizers_from_one_dict_go_their_own_ways() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(51);
        let optimizer = configuration.over(problem.params())?;
        for _ in 0..3 {
            problem.step(&*optimizer)?;
        }
        let copy = problem.copy();
        let other = configuration.over(copy.params())?;
        other.load_state_dict(optimizer.state_dict())?;
        let before = optimizer.state_dict();
        copy.step(&*other)?;
        assert_eq!(optimizer.state_dict(), before, "{configuration}");
        Ok(())
    })
}

/// Entries of the state that an optimizer does not know are saved as copies like those it knows.
#[test]
fn foreign_entries_are_copied_on_saving_too() -> Outcome {
    for class in zoo::classes() {
        let problem = Affine::new(52);
        let optimizer = class.over(&problem.params())?;
        problem.step(&*optimizer)?;
        let mut saved = optimizer.state_dict();
        for id in [0, 1] {
            saved["state"][id]["mine"] = Tensor::from([1.0_f32]).into();
        }
        optimizer.load_state_dict(saved)?;
        let before = optimizer.state_dict().deep_copy();
        for state in optimizer.state_dict()["state"].iter() {
            state["mine"].as_tensor().into_iter().for_each(no_longer);
        }
        assert_eq!(optimizer.state_dict(), before, "{}", class.name);
        let kept = (0..2).all(|id| before["state"][id]["mine"].as_tensor().is_some());
        assert!(kept, "{}", class.name);
    }
    Ok(())
}

/// torch replaces its dicts, so that whoever holds one holds an old one.
#[test]
fn handles_of_groups_stay_valid() -> Outcome {
    let p = Tensor::from([1.0]);
    let sgd = Sgd::builder([&p]).lr(0.5).build()?;
    let (group, mut saved) = (sgd.param_groups().remove(0), sgd.state_dict());
    saved["param_groups"][0]["lr"] = 0.25.into();
    sgd.load_state_dict(saved)?;
    assert_eq!(group.lr(), 0.25);
    group.set_lr(0.125);
    assert_eq!(sgd.get_lr(), 0.125);
    Ok(())
}

#[test]
fn options_are_those_of_the_dict_and_no_others() -> Outcome {
    let p = Tensor::from([1.0]);
    let keeper = Keeper::over(&[&p])?;
    keeper.param_groups()[0].set("mine", 1);
    let mut saved = keeper.state_dict();
    let group = saved["param_groups"][0].as_dict_mut().expect("a group is a dict");
    group.remove("lr");
    group.remove("mine");
    group.insert("initial_lr", 0.5);
    group.insert("momentum", Value::None);
    keeper.load_state_dict(saved)?;
    let group = keeper.param_groups().remove(0);
    assert_eq!(group.keys(), ["initial_lr", "momentum"]);
    assert!(group.params()[0].same(&p));
    // A parameter added later still gets the defaults.
    keeper.add_param_group(ParamGroup::new([&Tensor::from([2.0])]))?;
    assert_eq!(keeper.param_groups()[1].keys(), ["lr"]);
    Ok(())
}

/// torch packs `[p, q, p]` as `[2, 1, 2]`, and reads it back by position.
#[test]
fn a_repeated_parameter_finds_its_state_again() -> Outcome {
    let [p, q] = [1.0, 2.0].map(|x| Tensor::from([x]));
    let keeper = Keeper::over(&[&p, &q, &p])?;
    let mut saved = keeper.state_dict();
    assert_eq!(saved["param_groups"][0]["params"], Value::from([2, 1, 2]));
    saved["state"][1]["of"] = "q".into();
    saved["state"][2]["of"] = "p".into();
    saved["state"][0]["of"] = "nobody".into();
    keeper.load_state_dict(saved.clone())?;
    let of = |param: &Tensor| keeper.param_state(param).and_then(|state| state.get("of").map(ToString::to_string));
    assert_eq!((of(&p), of(&q)), (Some("p".into()), Some("q".into())));
    assert_eq!(keeper.state_dict(), saved, "what belongs to nobody is kept under its key");
    Ok(())
}

/// Any ids will do as long as state and groups agree: others than 0, 1, .. and names.
#[test]
fn ids_are_names_for_parameters_and_nothing_more() -> Outcome {
    let [p, q] = [1.0, 2.0].map(|x| Tensor::from([x]));
    let keeper = Keeper::over(&[&p, &q])?;
    let mut saved = keeper.state_dict();
    saved["param_groups"][0]["params"] = Value::from(vec![Value::from("weight"), 17.into()]);
    saved["state"]["weight"]["of"] = "p".into();
    saved["state"][17]["of"] = "q".into();
    keeper.load_state_dict(saved)?;
    let again = keeper.state_dict();
    let keys: Vec<&Key> = again["state"].keys().collect();
    assert_eq!(keys, [&Key::from(0), &Key::from(1)], "saved again under numbers");
    assert_eq!((again["state"][0]["of"].as_str(), again["state"][1]["of"].as_str()), (Some("p"), Some("q")));
    let mut wrong = keeper.state_dict();
    wrong["param_groups"][0]["params"] = Value::from(vec![Value::None, 1.into()]);
    let error = keeper.load_state_dict(wrong).unwrap_err().to_string();
    assert!(error.contains("expected an int or a str, found None"), "{error}");
    Ok(())
}

/// Nothing but the number of parameters is compared: torch's documentation says so.
#[test]
fn parameters_are_matched_by_position_without_verification() -> Outcome {
    let [p, q] = [[1.0, 2.0], [3.0, 4.0]].map(Tensor::from);
    let saved = {
        let keeper = Keeper::over(&[&p, &q])?;
        keeper.load(Dict::from_iter([("buffer", Tensor::from([5.0, 6.0]))]), &[])?;
        keeper.state_dict()
    };
    let turned = Keeper::over(&[&q, &p])?;
    turned.load_state_dict(saved)?;
    assert!(turned.param_state(&q).is_some() && turned.param_state(&p).is_none());
    Ok(())
}

/// The vectors of L-BFGS are wider than its first parameter where any other is; torch would round them.
#[test]
fn the_wider_state_of_mixed_parameters_is_not_rounded() -> Outcome {
    let start = || (Tensor::from([1.5_f32]).requires_grad_(true), Tensor::from([-0.3, 0.7]).requires_grad_(true));
    let built =
        |p: &Tensor, q: &Tensor| Lbfgs::builder([p, q]).max_iter(2).line_search_fn(LineSearch::StrongWolfe).build();
    let step = |optimizer: &Lbfgs, (p, q): &(Tensor, Tensor)| {
        zoo::step(optimizer, || (p.double() - q).pow(4.0).sum() + (q * p.double() - 1.0).square().sum())
    };
    let params = start();
    let optimizer = built(&params.0, &params.1)?;
    for _ in 0..2 {
        step(&optimizer, &params)?;
    }
    let copies = (params.0.detach().copy().requires_grad_(true), params.1.detach().copy().requires_grad_(true));
    let resumed = built(&copies.0, &copies.1)?;
    resumed.load_state_dict(optimizer.state_dict())?;
    assert_eq!(resumed.state_dict(), optimizer.state_dict());
    for _ in 0..3 {
        step(&optimizer, &params)?;
        step(&resumed, &copies)?;
        assert_eq!(params.1.to_vec::<f64>(), copies.1.to_vec::<f64>());
    }
    Ok(())
}
