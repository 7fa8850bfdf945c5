//! The tests of torch's `test/optim/test_optim.py` about hooks, for every optimizer. What is not ported is listed
//! in `torch_test_optim.rs`.

mod common;

use checkpoint::Value;
use common::Outcome;
use common::zoo::{self, Affine};
use optim::{Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tape::Tensor;

/// Steps as torch's tests of step hooks do, with a closure that returns 1 and does nothing else.
fn step(optimizer: &dyn Optimizer) -> Outcome {
    optimizer.step_closure(&mut || Ok(Tensor::from([1.0])))?;
    Ok(())
}

fn ones() -> Tensor {
    Tensor::from([1.0_f32, 1.0]).requires_grad_(true)
}

#[test]
fn test_step_post_hook() -> Outcome {
    for class in zoo::classes() {
        let data = Arc::new(AtomicUsize::new(2));
        let optimizer = class.over(&[&ones()])?;
        let counter = Arc::clone(&data);
        let handle = optimizer.base().hooks().step_post.push(Arc::new(move |_, _| {
            counter.fetch_add(2, Ordering::Relaxed);
        }));
        for expected in [4, 6] {
            step(&*optimizer)?;
            assert_eq!(data.load(Ordering::Relaxed), expected, "{}", class.name);
        }
        handle.remove();
        step(&*optimizer)?;
        assert_eq!(data.load(Ordering::Relaxed), 6, "{}", class.name);
    }
    Ok(())
}

#[test]
fn test_step_pre_hook() -> Outcome {
    for class in zoo::classes() {
        let data = Arc::new(AtomicUsize::new(5));
        let optimizer = class.over(&[&ones()])?;
        let counter = Arc::clone(&data);
        let handle = optimizer.base().hooks().step_pre.push(Arc::new(move |_, _| {
            counter.fetch_add(2, Ordering::Relaxed);
            Ok(())
        }));
        for expected in [7, 9] {
            step(&*optimizer)?;
            assert_eq!(data.load(Ordering::Relaxed), expected, "{}", class.name);
        }
        handle.remove();
        step(&*optimizer)?;
        assert_eq!(data.load(Ordering::Relaxed), 9, "{}", class.name);
    }
    Ok(())
}

#[test]
fn test_step_all_hooks() -> Outcome {
    for class in zoo::classes() {
        let data = Arc::new(Mutex::new(Vec::new()));
        let (p, q) = (ones(), ones());
        let note = |number: i32| {
            let log = Arc::clone(&data);
            move || log.lock().unwrap().push(number)
        };
        let (global_pre, global_post, pre, post) = (note(0), note(5), note(1), note(2));
        let optimizer = class.over(&[&p])?;
        let other = class.over(&[&q])?;
        let handles = [
            register_optimizer_step_pre_hook(move |_, _| {
                global_pre();
                Ok(())
            }),
            register_optimizer_step_post_hook(move |_, _| global_post()),
            optimizer.base().hooks().step_pre.push(Arc::new(move |_, _| {
                pre();
                Ok(())
            })),
            other.base().hooks().step_post.push(Arc::new(move |_, _| post())),
        ];
        let logged = || std::mem::take(&mut *data.lock().unwrap());
        step(&*optimizer)?;
        step(&*other)?;
        assert_eq!(logged(), [0, 1, 5, 0, 2, 5], "{}", class.name);
        handles.iter().for_each(tape::RemovableHandle::remove);
        step(&*optimizer)?;
        step(&*other)?;
        assert!(logged().is_empty(), "{}", class.name);
    }
    Ok(())
}

fn add_entry(optimizer: &dyn Optimizer) {
    optimizer.base().insert_state("test", 1);
}

fn pop_entry(_: &dyn Optimizer, state_dict: &mut Value) -> Option<Value> {
    let popped = state_dict["state"].as_dict_mut().and_then(|state| state.remove("test"));
    state_dict["ran_state_dict_pre_hook"] = popped.is_some().into();
    None
}

#[test]
fn test_state_dict_pre_hook() -> Outcome {
    for class in zoo::classes() {
        let optimizer = class.over(&[&ones()])?;
        optimizer.base().hooks().state_dict_pre.push(Arc::new(add_entry));
        assert_eq!(optimizer.state_dict()["state"]["test"], Value::Int(1), "{}", class.name);
    }
    Ok(())
}

#[test]
fn test_state_dict_post_hook() -> Outcome {
    for class in zoo::classes() {
        let optimizer = class.over(&[&ones()])?;
        optimizer.base().hooks().state_dict_post.push(Arc::new(pop_entry));
        assert_eq!(optimizer.state_dict()["ran_state_dict_pre_hook"], Value::Bool(false), "{}", class.name);
    }
    Ok(())
}

#[test]
fn test_state_dict_pre_post_hook() -> Outcome {
    for class in zoo::classes() {
        let optimizer = class.over(&[&ones()])?;
        optimizer.base().hooks().state_dict_pre.push(Arc::new(add_entry));
        optimizer.base().hooks().state_dict_post.push(Arc::new(pop_entry));
        let state_dict = optimizer.state_dict();
        assert!(state_dict["state"].get("test").is_none(), "{}", class.name);
        assert_eq!(state_dict["ran_state_dict_pre_hook"], Value::Bool(true), "{}", class.name);
    }
    Ok(())
}

fn set_lr(_: &dyn Optimizer, state_dict: &mut Value) -> Option<Value> {
    state_dict["param_groups"][0]["lr"] = 0.002.into();
    None
}

fn replace_with_other_lr(_: &dyn Optimizer, state_dict: &mut Value) -> Option<Value> {
    let mut other = state_dict.deep_copy();
    other["param_groups"][0]["lr"] = 0.003.into();
    Some(other)
}

#[test]
fn test_load_state_dict_pre_hook_and_prepend() -> Outcome {
    for class in zoo::classes() {
        let optimizer = class.over(&[&ones()])?;
        let hooks = &optimizer.base().hooks().load_state_dict_pre;
        let state_dict = optimizer.state_dict();
        hooks.push(Arc::new(set_lr));
        optimizer.load_state_dict(state_dict.clone())?;
        assert_eq!(optimizer.param_groups()[0].lr(), 0.002, "{}", class.name);
        hooks.prepend(Arc::new(replace_with_other_lr));
        optimizer.load_state_dict(state_dict.clone())?;
        assert_eq!(optimizer.param_groups()[0].lr(), 0.002, "{}", class.name);
        hooks.push(Arc::new(replace_with_other_lr));
        optimizer.load_state_dict(state_dict)?;
        assert_eq!(optimizer.param_groups()[0].lr(), 0.003, "{}", class.name);
    }
    Ok(())
}

#[test]
fn test_load_state_dict_post_hook() -> Outcome {
    for class in zoo::classes() {
        let optimizer = class.over(&[&ones()])?;
        optimizer.base().hooks().load_state_dict_post.push(Arc::new(|optimizer: &dyn Optimizer| {
            optimizer.base().insert_state("ran_load_state_dict_pre_hook2", true);
            optimizer.base().insert_state("ran_load_state_dict_post_hook", true);
        }));
        optimizer.load_state_dict(optimizer.state_dict())?;
        for entry in ["ran_load_state_dict_pre_hook2", "ran_load_state_dict_post_hook"] {
            assert_eq!(optimizer.base().state(entry), Some(Value::Bool(true)), "{}", class.name);
        }
    }
    Ok(())
}

#[test]
fn test_load_state_dict_pre_post_hook() -> Outcome {
    for class in zoo::classes() {
        let problem = Affine::new(31);
        let optimizer = class.over(&problem.params())?;
        let hooks = optimizer.base().hooks();
        hooks.load_state_dict_pre.push(Arc::new(set_lr));
        hooks.load_state_dict_post.push(Arc::new(|optimizer: &dyn Optimizer| {
            optimizer.base().insert_state("lr_when_loaded", optimizer.get_lr());
        }));
        optimizer.load_state_dict(optimizer.state_dict())?;
        assert_eq!(optimizer.base().state("lr_when_loaded"), Some(Value::Float(0.002)), "{}", class.name);
        // Loading anew replaces all entries of the state, also those that hooks have put there.
        hooks.load_state_dict_post.push(Arc::new(|optimizer: &dyn Optimizer| {
            optimizer.base().remove_state("lr_when_loaded");
        }));
        optimizer.load_state_dict(optimizer.state_dict())?;
        assert_eq!(optimizer.base().state("lr_when_loaded"), None, "{}", class.name);
    }
    Ok(())
}
