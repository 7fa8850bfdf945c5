//! Hooks around steps: order, what they may change, how they are removed, what they may call. Hooks for all
//! optimizers are in `global_hooks.rs`, those around state dicts in `state_dict_hooks.rs`.

mod common;

use common::Outcome;
use optim::{BoxError, Error, Lbfgs, LineSearch, Optimizer, ParamGroup, Sgd, StepArgs};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tape::{DType, RemovableHandle, Tensor, is_grad_enabled, no_grad};

/// What hooks note, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// A hook that notes this before a step.
    fn before(&self, text: &'static str) -> impl Fn(&dyn Optimizer, &mut StepArgs<'_>) -> Result<(), BoxError> + use<> {
        let log = self.clone();
        move |_, _| {
            log.note(text);
            Ok(())
        }
    }

    /// A hook that notes this after a step.
    fn after(&self, text: &'static str) -> impl Fn(&dyn Optimizer, &mut StepArgs<'_>) + use<> {
        let log = self.clone();
        move |_, _| log.note(text)
    }
}

fn two() -> Tensor {
    Tensor::from([3.0, -4.0]).requires_grad_(true)
}

fn square(p: &Tensor) -> Result<Tensor, BoxError> {
    p.set_grad(None);
    let loss = (p * p).sum();
    loss.backward()?;
    Ok(loss)
}

#[test]
fn hooks_run_in_order_of_registration_around_the_step() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).lr(0.25).build()?;
    for name in ["pre 1", "pre 2"] {
        sgd.register_step_pre_hook(log.before(name));
    }
    for name in ["post 1", "post 2"] {
        sgd.register_step_post_hook(log.after(name));
    }
    let loss = sgd.step_with(|| {
        log.note("closure");
        square(&p)
    })?;
    assert_eq!(log.take(), ["pre 1", "pre 2", "closure", "post 1", "post 2"]);
    assert_eq!(loss.item(), 25.0, "hooks leave the returned loss alone");
    sgd.step()?;
    assert_eq!(log.take(), ["pre 1", "pre 2", "post 1", "post 2"]);
    Ok(())
}

#[test]
fn hooks_before_a_step_see_and_replace_the_closure_in_turn() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).lr(0.25).build()?;
    let has_closure = |log: &Log, name: &'static str| {
        let log = log.clone();
        move |_: &dyn Optimizer, args: &mut StepArgs<'_>| log.note(format!("{name} {}", args.closure().is_some()))
    };
    let (before, after) = (has_closure(&log, "before"), has_closure(&log, "after"));
    sgd.register_step_pre_hook(move |optimizer, args| {
        before(optimizer, args);
        Ok(())
    });
    // One hook gives the step a closure that it was not called with, the next puts its own around that.
    let q = p.clone();
    sgd.register_step_pre_hook(move |_, args| {
        let q = q.clone();
        args.set_closure(move || {
            q.set_grad(Some(Tensor::from([8.0, 4.0])));
            Ok(Tensor::from(7.0))
        });
        Ok(())
    });
    let wrapper = log.clone();
    sgd.register_step_pre_hook(move |_, args| {
        let log = wrapper.clone();
        args.wrap_closure(move |inner| {
            let loss = inner()?;
            log.note(format!("inner {}", loss.item()));
            Ok(loss + 1.0)
        });
        Ok(())
    });
    sgd.register_step_post_hook(after);
    sgd.step()?;
    assert_eq!(log.take(), ["before false", "inner 7", "after true"]);
    assert_eq!(p.to_vec::<f64>(), [1.0, -5.0]);
    let loss = sgd.step_with(|| unreachable!("replaced before the step"))?;
    assert_eq!((loss.item(), log.take()), (8.0, vec!["before true".into(), "inner 7".into(), "after true".into()]));
    Ok(())
}

#[test]
fn a_wrapped_closure_is_what_the_line_search_calls() -> Outcome {
    let p = two();
    let lbfgs = Lbfgs::builder([&p]).max_iter(3).line_search_fn(LineSearch::StrongWolfe).build()?;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    lbfgs.register_step_pre_hook(move |_, args| {
        let counter = Arc::clone(&counter);
        args.wrap_closure(move |inner| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(inner()? * 2.0)
        });
        Ok(())
    });
    let own_calls = Cell::new(0);
    let loss = lbfgs.step(|| {
        own_calls.set(own_calls.get() + 1);
        square(&p)
    })?;
    assert_eq!(loss.item(), 50.0);
    assert_eq!(calls.load(Ordering::Relaxed), own_calls.get());
    assert_eq!(lbfgs.report().evaluations, own_calls.get());
    Ok(())
}

#[test]
fn a_hook_can_supply_the_closure_that_lbfgs_needs() -> Outcome {
    let p = two();
    let lbfgs = Lbfgs::builder([&p]).build()?;
    let error = lbfgs.step_without_closure().unwrap_err();
    assert!(matches!(error, Error::ClosureRequired { optimizer: "LBFGS" }), "{error}");
    let q = p.clone();
    lbfgs.register_step_pre_hook(move |_, args| {
        let q = q.clone();
        args.set_closure(move || square(&q));
        Ok(())
    });
    lbfgs.step_without_closure()?;
    assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-6));
    Ok(())
}

#[test]
fn a_step_without_closure_stays_so_when_wrapped() -> Outcome {
    let p = two();
    let sgd = Sgd::builder([&p]).lr(0.5).build()?;
    sgd.register_step_pre_hook(|_, args| {
        args.wrap_closure(|_| unreachable!("there is nothing to wrap"));
        assert_eq!(format!("{args:?}"), "StepArgs { closure: false }");
        Ok(())
    });
    square(&p)?;
    sgd.step()?;
    assert_eq!(p.to_vec::<f64>(), [0.0, 0.0]);
    Ok(())
}

#[test]
fn an_error_before_a_step_ends_it_and_all_later_hooks() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).lr(0.25).build()?;
    sgd.register_step_pre_hook(log.before("first"));
    let failing = sgd.register_step_pre_hook(|_, _| Err(BoxError::msg("not today")));
    sgd.register_step_pre_hook(log.before("third"));
    sgd.register_step_post_hook(log.after("post"));
    let error = sgd.step_with(|| unreachable!("the step does not begin")).unwrap_err();
    assert!(matches!(error, Error::Hook(_)), "{error}");
    assert_eq!(error.to_string(), "a step pre-hook failed: not today");
    assert_eq!((log.take(), p.to_vec::<f64>()), (vec!["first".into()], vec![3.0, -4.0]));
    failing.remove();
    sgd.step_with(|| square(&p))?;
    assert_eq!(log.take(), ["first", "third", "post"]);
    Ok(())
}

#[test]
fn a_failed_step_runs_no_hooks_behind_it_and_restores_the_grad_mode() -> Outcome {
    let (p, log) = (two(), Log::default());
    let lbfgs = Lbfgs::builder([&p]).build()?;
    lbfgs.register_step_post_hook(log.after("post"));
    no_grad(|| {
        let error = lbfgs.step(|| Err(BoxError::msg("no data"))).unwrap_err();
        assert!(matches!(error, Error::Closure(_)), "{error}");
        assert!(!is_grad_enabled());
    });
    assert!(log.take().is_empty() && is_grad_enabled());
    lbfgs.step(|| square(&p))?;
    assert_eq!(log.take(), ["post"]);
    Ok(())
}

#[test]
fn hooks_run_in_the_callers_grad_mode_and_the_closure_records() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).build()?;
    let mode = |log: &Log, name: &'static str| {
        let log = log.clone();
        move || log.note(format!("{name} {}", is_grad_enabled()))
    };
    let (before, inside, after) = (mode(&log, "before"), mode(&log, "wrapper"), mode(&log, "after"));
    let inside = Arc::new(inside);
    sgd.register_step_pre_hook(move |_, args| {
        before();
        let inside = Arc::clone(&inside);
        args.wrap_closure(move |inner| {
            inside();
            inner()
        });
        Ok(())
    });
    sgd.register_step_post_hook(move |_, _| after());
    sgd.step_with(|| square(&p))?;
    assert_eq!(log.take(), ["before true", "wrapper true", "after true"]);
    no_grad(|| sgd.step_with(|| square(&p)))?;
    assert_eq!(log.take(), ["before false", "wrapper true", "after false"]);
    Ok(())
}

#[test]
fn handles_remove_once_and_know_when_it_is_too_late() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).build()?;
    let first = sgd.register_step_pre_hook(log.before("first"));
    let second = sgd.register_step_pre_hook(log.before("second"));
    assert_ne!(first.id(), second.id());
    {
        let guard = first.clone().scoped();
        assert_eq!(guard.id(), first.id());
        sgd.step()?;
        assert_eq!(log.take(), ["first", "second"]);
    }
    sgd.step()?;
    assert_eq!(log.take(), ["second"], "the guard has removed its hook");
    first.remove();
    let third = sgd.register_step_pre_hook(log.before("third"));
    first.remove();
    sgd.step()?;
    assert_eq!(log.take(), ["second", "third"]);
    drop(third);
    sgd.step()?;
    assert_eq!(log.take(), ["second", "third"], "a dropped handle removes nothing");
    drop(sgd);
    second.remove();
    Ok(())
}

#[test]
fn a_handle_does_not_keep_the_optimizer_nor_its_hooks() -> Outcome {
    let sgd = Sgd::builder([&two()]).build()?;
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let handle = sgd.register_step_post_hook(move |_, _| assert!(Arc::strong_count(&held) > 0));
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(sgd);
    assert_eq!(Arc::strong_count(&alive), 1);
    handle.remove();
    Ok(())
}

/// In torch a hook that adds or removes hooks of the family that runs is an error; here it counts from the next
/// step on.
#[test]
fn hooks_added_and_removed_by_hooks_count_from_the_next_step_on() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).build()?;
    let removed: Arc<OnceLock<RemovableHandle>> = Arc::default();
    let (handle, adding) = (Arc::clone(&removed), log.clone());
    let itself: Arc<OnceLock<RemovableHandle>> = Arc::default();
    let own = Arc::clone(&itself);
    let first = sgd.register_step_pre_hook(move |optimizer, _| {
        adding.note("editor");
        handle.get().expect("registered before the step").remove();
        optimizer.base().hooks().step_pre.push(Arc::new(adding.before("added")));
        own.get().expect("registered before the step").remove();
        Ok(())
    });
    let second = sgd.register_step_pre_hook(log.before("removed meanwhile"));
    itself.set(first).expect("set once");
    removed.set(second).expect("set once");
    sgd.step()?;
    assert_eq!(log.take(), ["editor", "removed meanwhile"]);
    sgd.step()?;
    assert_eq!(log.take(), ["added"]);
    Ok(())
}

#[test]
fn a_hook_registered_by_the_closure_behind_the_step_runs_behind_it() -> Outcome {
    let (p, log) = (two(), Log::default());
    let sgd = Sgd::builder([&p]).build()?;
    sgd.step_with(|| {
        sgd.register_step_pre_hook(log.before("pre"));
        sgd.register_step_post_hook(log.after("post"));
        square(&p)
    })?;
    assert_eq!(log.take(), ["post"]);
    Ok(())
}

/// Everything a hook may call on the optimizer it gets.
fn call_everything(optimizer: &dyn Optimizer, more: &Tensor) -> Result<(), BoxError> {
    optimizer.zero_grad();
    optimizer.zero_grad_set_to_none(false);
    let saved = optimizer.state_dict();
    optimizer.load_state_dict(saved)?;
    optimizer.add_param_group(ParamGroup::new([more]).with("lr", 0.5))?;
    optimizer.set_lr(0.25)?;
    assert_eq!(optimizer.get_lr(), 0.25);
    assert_eq!(optimizer.param_groups().len(), 2);
    assert!(optimizer.warnings().is_empty());
    let p = optimizer.param_groups()[0].params()[0].clone();
    square(&p)?;
    optimizer.step_without_closure()?;
    optimizer.step_closure(&mut || square(&p))?;
    assert!(optimizer.param_state(&p).is_some());
    optimizer.base().insert_state("hooked", 1);
    Ok(())
}

#[test]
fn hooks_call_every_method_of_their_optimizer() -> Outcome {
    for before in [true, false] {
        let (p, more, log) = (two(), Tensor::from([1.0]), Log::default());
        let sgd = Sgd::builder([&p]).lr(0.25).momentum(0.5).build()?;
        if before {
            sgd.register_step_pre_hook(move |optimizer, _| call_everything(optimizer, &more));
        } else {
            let hook = move |optimizer: &dyn Optimizer| call_everything(optimizer, &more).expect("all may be called");
            sgd.register_step_post_hook(move |optimizer, _| hook(optimizer));
        }
        sgd.register_step_post_hook(log.after("post"));
        square(&p)?;
        sgd.step()?;
        assert_eq!(log.take(), ["post"], "what a hook steps itself runs no hooks");
        assert_eq!(sgd.state_dict()["state"]["hooked"].as_int(), Some(1));
        assert_eq!(sgd.param_groups().len(), 2);

        // Before the step, the step itself uses the gradient that the hook has left.
        let q = two();
        let by_hand = Sgd::builder([&q]).lr(0.25).momentum(0.5).build()?;
        for gradient_is_new in [true, true, !before] {
            if gradient_is_new {
                square(&q)?;
            }
            by_hand.step()?;
        }
        assert_eq!(p.to_vec::<f64>(), q.to_vec::<f64>(), "steps made by hooks are steps");
    }
    Ok(())
}

#[test]
fn a_panicking_hook_leaves_the_optimizer_usable() -> Outcome {
    let (p, log) = (two(), Log::default());
    let lbfgs = Lbfgs::builder([&p]).build()?;
    let handles =
        [lbfgs.register_step_pre_hook(|_, _| panic!("before")), lbfgs.register_step_post_hook(|_, _| panic!("after"))];
    lbfgs.register_step_pre_hook(log.before("pre"));
    lbfgs.register_step_post_hook(log.after("post"));
    for handle in handles {
        let step = || lbfgs.step(|| square(&p));
        assert!(catch_unwind(AssertUnwindSafe(step)).is_err());
        handle.remove();
    }
    assert_eq!(log.take(), ["pre"]);
    lbfgs.step(|| square(&p))?;
    assert_eq!(log.take(), ["pre", "post"]);
    assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-6));
    Ok(())
}

#[test]
fn hooks_are_not_copied_with_the_optimizer() -> Outcome {
    let (p, log) = (two(), Log::default());
    let lbfgs = Lbfgs::builder([&p]).build()?;
    lbfgs.register_step_pre_hook(log.before("pre"));
    let hooked = log.clone();
    lbfgs.register_state_dict_pre_hook(move |_| hooked.note("state_dict"));
    let copy = lbfgs.clone();
    copy.step(|| square(&p))?;
    copy.state_dict();
    assert!(log.take().is_empty());
    copy.register_step_pre_hook(log.before("copy"));
    lbfgs.step(|| square(&p))?;
    lbfgs.state_dict();
    assert_eq!(log.take(), ["pre", "state_dict"]);
    Ok(())
}

#[test]
fn hooks_inside_the_closure_are_refused_like_the_step_itself() -> Outcome {
    let (p, log) = (two(), Log::default());
    let lbfgs = Lbfgs::builder([&p]).max_iter(1).build()?;
    lbfgs.register_step_pre_hook(log.before("pre"));
    let nested = RefCell::new(None);
    lbfgs.step(|| {
        nested.replace(lbfgs.step(|| unreachable!("never called")).err());
        square(&p)
    })?;
    assert!(matches!(nested.take(), Some(Error::StepIsRunning { call: "step" })));
    assert_eq!(log.take(), ["pre"]);
    Ok(())
}

#[test]
fn the_same_hook_serves_two_optimizers() -> Outcome {
    let log = Log::default();
    let (p, q) = (two(), Tensor::zeros([3], DType::F32));
    let noting = log.clone();
    let hook: Arc<optim::StepPreHook> = Arc::new(move |optimizer, _| {
        noting.note(optimizer.base().name());
        Ok(())
    });
    let (sgd, lbfgs) = (Sgd::builder([&q]).build()?, Lbfgs::builder([&p]).build()?);
    sgd.base().hooks().step_pre.push(Arc::clone(&hook));
    lbfgs.base().hooks().step_pre.push(hook);
    sgd.step()?;
    lbfgs.step(|| square(&p))?;
    assert_eq!(log.take(), ["SGD", "LBFGS"]);
    Ok(())
}
