//! Hooks around making and loading state dicts.

mod common;

use checkpoint::{Key, Value};
use common::Outcome;
use optim::{Lbfgs, Optimizer, ParamGroup, Sgd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use tape::Tensor;

fn sgd() -> Result<Sgd, optim::Error> {
    Sgd::builder([("w", &Tensor::from([1.0_f32]))]).lr(0.1).build()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn on_optimizer(&self, text: &'static str) -> impl Fn(&dyn Optimizer) + use<> {
        let log = self.clone();
        move |_| log.push(text)
    }

    fn on_dict(&self, text: &'static str) -> impl Fn(&dyn Optimizer, &mut Value) -> Option<Value> + use<> {
        let log = self.clone();
        move |_, _| {
            log.push(text);
            None
        }
    }

    fn push(&self, text: &'static str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[test]
fn prepended_hooks_run_before_all_others_in_each_family() -> Outcome {
    let (sgd, log) = (sgd()?, Log::default());
    let handles = [
        sgd.register_state_dict_pre_hook(log.on_optimizer("save pre 2")),
        sgd.register_state_dict_pre_hook_prepended(log.on_optimizer("save pre 1")),
        sgd.register_state_dict_pre_hook(log.on_optimizer("save pre 3")),
        sgd.register_state_dict_post_hook(log.on_dict("save post 2")),
        sgd.register_state_dict_post_hook_prepended(log.on_dict("save post 1")),
        sgd.register_load_state_dict_pre_hook(log.on_dict("load pre 2")),
        sgd.register_load_state_dict_pre_hook_prepended(log.on_dict("load pre 1")),
        sgd.register_load_state_dict_post_hook(log.on_optimizer("load post 2")),
        sgd.register_load_state_dict_post_hook_prepended(log.on_optimizer("load post 1")),
    ];
    let saved = sgd.state_dict();
    assert_eq!(log.take(), ["save pre 1", "save pre 2", "save pre 3", "save post 1", "save post 2"]);
    sgd.load_state_dict(saved)?;
    assert_eq!(log.take(), ["load pre 1", "load pre 2", "load post 1", "load post 2"]);
    handles.iter().for_each(tape::RemovableHandle::remove);
    sgd.load_state_dict(sgd.state_dict())?;
    assert!(log.take().is_empty());
    Ok(())
}

#[test]
fn what_a_hook_returns_replaces_the_dict_for_the_next_one() -> Outcome {
    let sgd = sgd()?;
    sgd.register_state_dict_post_hook(|_, state_dict| {
        state_dict["seen"] = "by the first".into();
        None
    });
    sgd.register_state_dict_post_hook(|_, state_dict| {
        assert_eq!(state_dict["seen"].as_str(), Some("by the first"));
        let mut other = Value::dict();
        other["all"] = state_dict.clone();
        Some(other)
    });
    sgd.register_state_dict_post_hook(|_, state_dict| {
        assert_eq!(state_dict.keys().collect::<Vec<_>>(), [&Key::from("all")]);
        state_dict["more"] = 2.into();
        None
    });
    let saved = sgd.state_dict();
    assert_eq!((saved["more"].as_int(), saved["all"]["param_groups"].len()), (Some(2), 1));
    // What was saved in another form is loaded by a hook that knows it.
    assert!(sgd.load_state_dict(saved.clone()).unwrap_err().to_string().contains("key 'param_groups' is missing"));
    sgd.register_load_state_dict_pre_hook(|_, state_dict| state_dict.get("all").cloned());
    sgd.param_groups()[0].set_lr(0.5);
    sgd.load_state_dict(saved)?;
    assert_eq!(sgd.param_groups()[0].lr(), 0.1);
    Ok(())
}

/// In torch a hook that edits what is nested in the dict edits the caller's own.
#[test]
fn hooks_before_loading_edit_a_dict_of_their_own() -> Outcome {
    let sgd = sgd()?;
    sgd.register_load_state_dict_pre_hook(|_, state_dict| {
        state_dict["param_groups"][0]["lr"] = 0.002.into();
        state_dict["top"] = true.into();
        None
    });
    let saved = sgd.state_dict();
    sgd.load_state_dict(saved.clone())?;
    assert_eq!(sgd.param_groups()[0].lr(), 0.002);
    assert_eq!(saved["param_groups"][0]["lr"].as_float(), Some(0.1));
    assert!(saved.get("top").is_none());
    Ok(())
}

#[test]
fn a_failed_load_changes_nothing_and_runs_no_hooks_behind_it() -> Outcome {
    let (sgd, log) = (sgd()?, Log::default());
    sgd.register_load_state_dict_pre_hook(log.on_dict("pre"));
    sgd.register_load_state_dict_post_hook(log.on_optimizer("post"));
    let before = sgd.state_dict();
    assert!(sgd.load_state_dict(Value::dict()).is_err());
    assert_eq!(log.take(), ["pre"]);
    assert_eq!(sgd.state_dict(), before);
    sgd.load_state_dict(before)?;
    assert_eq!(log.take(), ["pre", "post"]);
    Ok(())
}

/// torch's documentation: names do not matter to loading, a hook can make them matter.
#[test]
fn a_hook_before_loading_matches_parameters_by_name() -> Outcome {
    let [a, b, c] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].map(|p| Tensor::from(p).requires_grad_(true));
    let saved = {
        let sgd = Sgd::builder([("a", &a), ("b", &b)]).momentum(0.5).build()?;
        a.set_grad(Some(Tensor::from([10.0, 10.0])));
        b.set_grad(Some(Tensor::from([20.0, 20.0])));
        sgd.step()?;
        sgd.state_dict()
    };
    let sgd = Sgd::builder([("b", &b), ("c", &c), ("a", &a)]).momentum(0.5).build()?;
    assert!(sgd.load_state_dict(saved.clone()).is_err());
    sgd.register_load_state_dict_pre_hook(|optimizer, state_dict| {
        let saved_names: Vec<Value> = state_dict["param_groups"][0]["param_names"].iter().cloned().collect();
        let own_names = optimizer.param_groups()[0].names().expect("the parameters have names");
        let ids = own_names.iter().enumerate().map(|(i, name)| {
            let saved = saved_names.iter().position(|other| other.as_str() == Some(name));
            saved.unwrap_or(saved_names.len() + i)
        });
        state_dict["param_groups"][0]["params"] = ids.collect();
        state_dict["param_groups"][0]["param_names"] = own_names.into();
        None
    });
    sgd.load_state_dict(saved)?;
    let buffer =
        |p: &Tensor| sgd.param_state(p).and_then(|state| Some(state.get("momentum_buffer")?.as_tensor()?.to_vec()));
    assert_eq!(buffer(&a), Some(vec![10.0, 10.0]));
    assert_eq!(buffer(&b), Some(vec![20.0, 20.0]));
    assert_eq!(buffer(&c), None);
    Ok(())
}

/// Everything a hook may call on the optimizer it gets.
fn call_everything(optimizer: &dyn Optimizer) {
    optimizer.zero_grad();
    optimizer.load_state_dict(optimizer.state_dict()).expect("loading may be called");
    optimizer.step_closure(&mut || Ok(Tensor::from(1.0))).expect("stepping may be called");
    optimizer.add_param_group(ParamGroup::new([("more", &Tensor::from([1.0]))])).expect("adding may be called");
    optimizer.base().hooks().state_dict_pre.push(Arc::new(|_: &dyn Optimizer| ()));
}

#[test]
fn hooks_around_dicts_call_every_method_of_their_optimizer() -> Outcome {
    let on_dict = |optimizer: &dyn Optimizer, _: &mut Value| {
        call_everything(optimizer);
        None
    };
    for family in ["state_dict pre", "state_dict post", "load_state_dict pre", "load_state_dict post"] {
        let sgd = sgd()?;
        let saved = sgd.state_dict();
        let _until_here = match family {
            "state_dict pre" => sgd.register_state_dict_pre_hook(call_everything),
            "state_dict post" => sgd.register_state_dict_post_hook(on_dict),
            "load_state_dict pre" => sgd.register_load_state_dict_pre_hook(on_dict),
            _ => sgd.register_load_state_dict_post_hook(call_everything),
        }
        .scoped();
        match family {
            "state_dict pre" => assert_eq!(sgd.state_dict()["param_groups"].len(), 2),
            // Made before the hook added a group.
            "state_dict post" => assert_eq!(sgd.state_dict()["param_groups"].len(), 1),
            // Fitted before the hook added a group.
            "load_state_dict pre" => assert!(sgd.load_state_dict(saved).is_err()),
            _ => sgd.load_state_dict(saved)?,
        }
        assert_eq!(sgd.param_groups().len(), 2, "{family}");
    }
    Ok(())
}

#[test]
fn inside_a_closure_dicts_are_made_with_hooks_and_not_loaded() -> Outcome {
    let (sgd, log) = (sgd()?, Log::default());
    sgd.register_state_dict_post_hook(log.on_dict("saved"));
    sgd.register_load_state_dict_pre_hook(log.on_dict("loading"));
    sgd.step_with(|| {
        let refused = sgd.load_state_dict(sgd.state_dict());
        assert!(matches!(refused, Err(optim::Error::StepIsRunning { call: "load_state_dict" })));
        Ok(Tensor::from(1.0))
    })?;
    assert_eq!(log.take(), ["saved"]);
    Ok(())
}

#[test]
fn a_panicking_hook_leaves_the_optimizer_usable() -> Outcome {
    let p = Tensor::from([1.0_f32]);
    let lbfgs = Lbfgs::builder([&p]).build()?;
    let saved = lbfgs.state_dict();
    let handles = [
        lbfgs.register_state_dict_pre_hook(|_| panic!("before saving")),
        lbfgs.register_state_dict_post_hook(|_, _| panic!("after saving")),
    ];
    for handle in handles {
        assert!(catch_unwind(AssertUnwindSafe(|| lbfgs.state_dict())).is_err());
        handle.remove();
    }
    let handles = [
        lbfgs.register_load_state_dict_pre_hook(|_, _| panic!("before loading")),
        lbfgs.register_load_state_dict_post_hook(|_| panic!("after loading")),
    ];
    for handle in handles {
        assert!(catch_unwind(AssertUnwindSafe(|| lbfgs.load_state_dict(saved.clone()))).is_err());
        handle.remove();
    }
    lbfgs.load_state_dict(lbfgs.state_dict())?;
    let log = Log::default();
    lbfgs.register_state_dict_pre_hook(log.on_optimizer("again"));
    lbfgs.state_dict();
    assert_eq!(log.take(), ["again"]);
    Ok(())
}
