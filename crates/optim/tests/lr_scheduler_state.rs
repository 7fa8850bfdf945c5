//! State dicts, checkpoints, references and tensors, under the names of torch's `test_lrscheduler.py` without
//! `test_` where it has such a test.

mod schedule;

use checkpoint::{Dict, Value};
use optim::lr_scheduler::*;
use optim::{Adam, AdamW, Error, Lbfgs, Optimizer, ParamGroup, Result, Sgd};
use schedule::*;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use tape::Tensor;

#[test]
fn no_cyclic_references() -> Result<()> {
    let sgd = Arc::new(sgd()?);
    let scheduler = LambdaLr::builder(&*sgd, |_: i64| 1.0).build()?;
    let weak: Weak<Sgd> = Arc::downgrade(&sgd);
    drop(sgd);
    assert!(weak.upgrade().is_none(), "a scheduler does not keep its optimizer");
    scheduler.try_step()?;
    assert_eq!(scheduler.get_last_lr(), [0.05, 0.5], "and does not need it");
    Ok(())
}

/// A scheduler whose function holds a value, and a weak reference to the value.
fn watched() -> Result<(Sgd, LambdaLr, Weak<()>)> {
    let (sgd, value) = (sgd()?, Arc::new(()));
    let weak = Arc::downgrade(&value);
    let lambda = move |_: i64| {
        let _ = &value;
        1.0
    };
    let scheduler = LambdaLr::builder(&sgd, lambda).build()?;
    Ok((sgd, scheduler, weak))
}

#[test]
fn no_cyclic_references_in_step() -> Result<()> {
    let (sgd, scheduler, weak) = watched()?;
    sgd.step()?;
    scheduler.step();
    assert!(weak.upgrade().is_some());
    drop(scheduler);
    assert!(weak.upgrade().is_none(), "the scheduler is gone while its optimizer lives");
    Ok(())
}

#[test]
fn cycle_lr_removed_after_out_of_scope() -> Result<()> {
    let (adam, value) = (Adam::builder([parameter()]).build()?, Arc::new(()));
    let weak = Arc::downgrade(&value);
    let scale = move |_: i64| {
        let _ = &value;
        1.0
    };
    drop(CyclicLr::builder(&adam, 1.0, 5.0).cycle_momentum(false).scale_fn(scale).build()?);
    assert!(weak.upgrade().is_none());
    Ok(())
}

/// torch's `_check_scheduler_state_dict`: a state goes into a scheduler built with other options, which is then
/// equal.
fn check_state_dict<S: LrScheduler>(
    build: impl Fn(&Sgd) -> Result<S>,
    build_other: impl Fn(&Sgd) -> Result<S>,
) -> Result<()> {
    let sgd = sgd()?;
    let scheduler = build(&sgd)?;
    for _ in 0..10 {
        sgd.step()?;
        scheduler.try_step()?;
    }
    let copy = build_other(&sgd)?;
    let lrs: Vec<f64> = sgd.param_groups().iter().map(ParamGroup::lr).collect();
    assert_ne!(copy.state_dict(), scheduler.state_dict());
    copy.load_state_dict(scheduler.state_dict())?;
    assert_eq!(copy.state_dict(), scheduler.state_dict());
    assert_eq!(copy.get_last_lr(), scheduler.get_last_lr());
    assert_eq!(sgd.param_groups().iter().map(ParamGroup::lr).collect::<Vec<_>>(), lrs);
    Ok(())
}

#[test]
fn step_lr_state_dict() -> Result<()> {
    check_state_dict(
        |sgd| StepLr::builder(sgd, 3).gamma(0.1).build(),
        |sgd| StepLr::builder(sgd, 1).gamma(0.005).build(),
    )
}

#[test]
fn multi_step_lr_state_dict() -> Result<()> {
    check_state_dict(
        |sgd| MultiStepLr::builder(sgd, [2, 5, 9]).gamma(0.1).build(),
        |sgd| MultiStepLr::builder(sgd, [1, 4, 6]).gamma(0.01).build(),
    )
}

#[test]
fn exp_step_lr_state_dict() -> Result<()> {
    check_state_dict(|sgd| ExponentialLr::builder(sgd, 0.1).build(), |sgd| ExponentialLr::builder(sgd, 0.01).build())
}

#[test]
fn cosine_lr_state_dict() -> Result<()> {
    check_state_dict(
        |sgd| CosineAnnealingLr::builder(sgd, 10).eta_min(1e-10).build(),
        |sgd| CosineAnnealingLr::builder(sgd, 5).eta_min(5e-11).build(),
    )
}

#[test]
#[allow(non_snake_case, reason = "the name that torch gives the test")]
fn CosineAnnealingWarmRestarts_lr_state_dict() -> Result<()> {
    check_state_dict(
        |sgd| CosineAnnealingWarmRestarts::builder(sgd, 10).t_mult(2).build(),
        |sgd| CosineAnnealingWarmRestarts::builder(sgd, 100).build(),
    )
}

#[test]
fn swa_lr_state_dict() -> Result<()> {
    check_state_dict(
        |sgd| SwaLr::builder(sgd, 0.5).anneal_epochs(3).build(),
        |sgd| SwaLr::builder(sgd, 5.0).anneal_epochs(10).anneal_strategy(Anneal::Linear).build(),
    )
}

#[test]
fn lambda_lr_state_dict_fn() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = LambdaLr::builder(&sgd, |x: i64| x as f64).build()?;
    let state = scheduler.state_dict();
    assert!(state["lr_lambdas"][0].is_none());
    let copy = LambdaLr::builder(&sgd, |x: i64| x as f64).build()?;
    copy.load_state_dict(state.clone())?;
    assert_eq!(copy.state_dict(), state);
    Ok(())
}

/// torch's `LambdaLRTestObject`.
struct Times(AtomicI64);

impl LrLambda for Times {
    fn factor(&self, epoch: i64) -> f64 {
        (self.0.load(Ordering::Relaxed) * epoch) as f64
    }

    fn state_dict(&self) -> Value {
        Dict::from_iter([("value", self.0.load(Ordering::Relaxed))]).into()
    }

    fn load_state_dict(&self, saved: &Value) -> Result<()> {
        self.0.store(i64::try_from(saved.require("value")?)?, Ordering::Relaxed);
        Ok(())
    }
}

fn object(sgd: &Sgd, value: i64) -> Result<LambdaLr> {
    LambdaLr::builder(sgd, Times(AtomicI64::new(value))).build()
}

#[test]
fn lambda_lr_state_dict_obj() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = object(&sgd, 10)?;
    let state = scheduler.state_dict();
    assert_eq!(state["lr_lambdas"][0]["value"].as_int(), Some(10));
    let copy = object(&sgd, -1)?;
    copy.load_state_dict(state.clone())?;
    assert_eq!(copy.state_dict(), state);
    copy.try_step()?;
    assert_eq!(sgd.param_groups()[0].lr(), 0.05 * 10.0, "the function that was loaded is the one that is called");
    Ok(())
}

#[test]
fn a_dict_that_does_not_fit_loads_nothing_at_all() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = object(&sgd, 10)?;
    let before = scheduler.state_dict();
    let spoiled = |change: &dyn Fn(&mut Value)| {
        let mut state = object(&sgd, 99).expect("the options are good").state_dict();
        change(&mut state);
        state
    };
    let dicts = [
        spoiled(&|state| drop(state.as_dict_mut().and_then(|dict| dict.remove("last_epoch")))),
        spoiled(&|state| state["_last_lr"] = "0.1".into()),
        spoiled(&|state| state["lr_lambdas"] = Value::list()),
        // The first function is loaded by then, and gets its state back.
        spoiled(&|state| state["lr_lambdas"][1]["value"] = "text".into()),
        spoiled(&|state| state["base_lrs"] = vec![0.1; 3].into()),
        Value::None,
    ];
    for dict in dicts {
        assert!(scheduler.load_state_dict(dict.clone()).is_err(), "{dict}");
        assert_eq!(scheduler.state_dict(), before, "{dict}");
    }
    let step = StepLr::builder(&sgd, 3).build()?;
    let error = step.load_state_dict(before).unwrap_err();
    assert!(error.to_string().contains("'step_size' is missing"), "another class's dict: {error}");
    Ok(())
}

#[test]
fn a_composition_loads_all_its_members_or_none() -> Result<()> {
    let sgd = sgd()?;
    let build = |value| -> Result<SequentialLr> {
        let members = vec![object(&sgd, value)?.boxed(), ExponentialLr::builder(&sgd, 0.5).build()?.boxed()];
        SequentialLr::new(&sgd, members, vec![value])
    };
    let (scheduler, other) = (build(2)?, build(3)?);
    let before = scheduler.state_dict();
    let mut state = other.state_dict();
    state["_schedulers"][1]["gamma"] = "half".into();
    assert!(scheduler.load_state_dict(state).is_err());
    assert_eq!(scheduler.state_dict(), before);
    scheduler.load_state_dict(other.state_dict())?;
    assert_eq!(scheduler.state_dict(), other.state_dict());
    Ok(())
}

#[test]
fn cycle_lr_state_dict_picklable() -> Result<()> {
    let adam = Adam::builder([parameter()]).build()?;
    let builder = || CyclicLr::builder(&adam, 1.0, 5.0).cycle_momentum(false);
    for scheduler in [builder().build()?, builder().scale_fn(|_: i64| 0.5).build()?] {
        let state = scheduler.state_dict();
        assert!(state.get("_scale_fn_ref").is_none());
        assert_eq!(state.get("_scale_fn_custom"), Some(&Value::None));
    }
    let state = builder().scale_fn(Times(AtomicI64::new(7))).build()?.state_dict();
    assert_eq!(state["_scale_fn_custom"]["value"].as_int(), Some(7));
    Ok(())
}

#[test]
fn cycle_lr_scale_fn_restored_from_state_dict() -> Result<()> {
    let adam = Adam::builder([parameter()]).build()?;
    let builder = || CyclicLr::builder(&adam, 1.0, 5.0).step_size_up(1).cycle_momentum(false);
    let (scheduler, restored) = (builder().mode(CyclicMode::Triangular2).build()?, builder().build()?);
    restored.load_state_dict(scheduler.state_dict())?;
    assert_eq!(restored.state_dict()["mode"].as_str(), Some("triangular2"));
    (0..3).for_each(|_| restored.step());
    assert_eq!(restored.get_last_lr(), [3.0], "the second triangle is half as high");
    let (scheduler, restored) = (builder().scale_fn(|_: i64| 0.5).build()?, builder().scale_fn(|_: i64| 0.5).build()?);
    restored.load_state_dict(scheduler.state_dict())?;
    restored.step();
    assert_eq!(restored.get_last_lr(), [3.0], "the function is kept");
    Ok(())
}

#[test]
fn cycle_lr_cycle_momentum_with_beta1_optimizer() -> Result<()> {
    let adam = Adam::builder([parameter()]).build()?;
    let scheduler = CyclicLr::builder(&adam, 1.0, 5.0).step_size_up(4).build()?;
    let betas = || adam.param_groups()[0].get("betas").unwrap();
    assert_eq!(betas(), Value::from((0.9, 0.999)));
    scheduler.step();
    assert_eq!(betas(), Value::from((0.9 - (0.9 - 0.8) * 0.25, 0.999)));
    Ok(())
}

#[test]
fn cycle_lr_with_adam() -> Result<()> {
    let groups = [ParamGroup::new([parameter()]), ParamGroup::new([parameter()]).with("lr", 0.5)];
    let adam = Adam::builder(groups).lr(0.05).build()?;
    let builder = OneCycleLr::builder(&adam, 25.0).total_steps(10).final_div_factor(2.0);
    let scheduler = builder.base_momentum(1.0).max_momentum(22.0).anneal_strategy(Anneal::Linear).build()?;
    let lrs = [1.0, 13.0, 25.0, 21.5, 18.0, 14.5, 11.0, 7.5, 4.0, 0.5];
    let momenta = [22.0, 11.5, 1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0];
    for (batch, (lr, momentum)) in lrs.into_iter().zip(momenta).enumerate() {
        for group in adam.param_groups() {
            assert_close(group.lr(), lr, batch);
            assert_close(group.get("betas").unwrap()[0].as_float().unwrap(), momentum, batch);
        }
        adam.step()?;
        scheduler.step();
    }
    Ok(())
}

/// Every class over an optimizer, with options of torch's test of checkpoints.
fn every_class(optimizer: &dyn Optimizer, last_epoch: i64) -> Result<Vec<Box<dyn LrScheduler>>> {
    Ok(vec![
        ExponentialLr::builder(optimizer, 0.999).last_epoch(last_epoch).build()?.boxed(),
        LambdaLr::builder(optimizer, |epoch: i64| (epoch / 30) as f64).last_epoch(last_epoch).build()?.boxed(),
        MultiplicativeLr::builder(optimizer, |_: i64| 0.95).last_epoch(last_epoch).build()?.boxed(),
        StepLr::builder(optimizer, 30).last_epoch(last_epoch).build()?.boxed(),
        MultiStepLr::builder(optimizer, [30, 80]).last_epoch(last_epoch).build()?.boxed(),
        ConstantLr::builder(optimizer).last_epoch(last_epoch).build()?.boxed(),
        LinearLr::builder(optimizer).last_epoch(last_epoch).build()?.boxed(),
        PolynomialLr::builder(optimizer).last_epoch(last_epoch).build()?.boxed(),
        CosineAnnealingLr::builder(optimizer, 10).last_epoch(last_epoch).build()?.boxed(),
        CosineAnnealingWarmRestarts::builder(optimizer, 20).last_epoch(last_epoch).build()?.boxed(),
        CyclicLr::builder(optimizer, 0.01, 0.1).last_epoch(last_epoch).build()?.boxed(),
        OneCycleLr::builder(optimizer, 0.01).total_steps(10).last_epoch(last_epoch).build()?.boxed(),
        SwaLr::builder(optimizer, 0.01).last_epoch(last_epoch).build()?.boxed(),
    ])
}

/// torch's test of this name also wants equal learning rates of a scheduler built again at `last_epoch=0`, which
/// torch 2.8 does not have for each class; what a state dict brings back is equal for all.
#[test]
fn lr_scheduler_checkpoint() -> Result<()> {
    let count = every_class(&AdamW::builder([parameter()]).build()?, -1)?.len();
    for index in 0..count {
        let first = AdamW::builder([parameter()]).build()?;
        let schedulers = every_class(&first, -1)?;
        first.step()?;
        schedulers[index].try_step()?;
        let second = AdamW::builder([parameter()]).build()?;
        let again = every_class(&second, -1)?;
        again[index].load_state_dict(schedulers[index].state_dict())?;
        second.load_state_dict(first.state_dict())?;
        for _ in 0..5 {
            first.step()?;
            second.step()?;
            schedulers[index].try_step()?;
            again[index].try_step()?;
            assert_eq!(again[index].get_last_lr(), schedulers[index].get_last_lr(), "{:?}", schedulers[index]);
            assert_eq!(second.state_dict()["param_groups"], first.state_dict()["param_groups"]);
        }
        assert_eq!(every_class(&second, 0)?.len(), count, "initial_lr and the rest are in the loaded groups");
    }
    Ok(())
}

#[test]
fn constant_initial_lr() -> Result<()> {
    let lr = Tensor::from_vec(vec![0.1_f32], ());
    let sgd = Sgd::builder([parameter()]).lr(&lr).build()?;
    let scheduler = ExponentialLr::builder(&sgd, 0.9).build()?;
    let initial = f64::from(0.1_f32);
    for epoch in 0..2 {
        sgd.step()?;
        scheduler.step_epoch(epoch);
        assert!((lr.item() - initial * 0.9_f64.powf(epoch as f64)).abs() < 1e-8, "the tensor itself is filled");
        lr.mul_(0.1);
        let group = &sgd.param_groups()[0];
        assert_eq!(group.get("initial_lr").unwrap().as_tensor().map(Tensor::item), Some(initial));
        assert_eq!(scheduler.state_dict()["base_lrs"], Value::from(vec![initial]));
        assert_eq!(group.get("lr").unwrap().as_tensor().map(Tensor::id), Some(lr.id()));
    }
    Ok(())
}

#[test]
fn schedulers_work_on_lbfgs() -> Result<()> {
    let p = parameter();
    let lbfgs = Lbfgs::builder([&p]).build()?;
    let scheduler = LinearLr::builder(&lbfgs).start_factor(0.5).total_iters(2).build()?;
    for lr in [0.5, 0.75, 1.0, 1.0] {
        assert_eq!(lbfgs.param_groups()[0].lr(), lr);
        lbfgs.step(|| {
            lbfgs.zero_grad();
            let loss = (&p - 1.0).pow(2.0).sum();
            loss.backward()?;
            Ok(loss)
        })?;
        scheduler.step();
    }
    assert!(scheduler.warnings().is_empty(), "a step with a closure is a step");
    assert_eq!(lbfgs.param_groups()[0].get("initial_lr"), Some(1.into()), "torch's default is this integer");
    Ok(())
}

#[test]
fn a_group_added_later_takes_part_where_it_does_in_torch() -> Result<()> {
    let sgd = Sgd::builder([parameter()]).lr(1.0).build()?;
    let (chained, closed) =
        (StepLr::builder(&sgd, 1).gamma(0.5).build()?, LambdaLr::builder(&sgd, |_: i64| 1.0).build()?);
    sgd.add_param_group(ParamGroup::new([parameter()]).with("lr", 8.0))?;
    chained.step();
    assert_eq!(chained.get_last_lr(), [0.5, 4.0], "what is found in the groups is multiplied");
    closed.step();
    assert_eq!(closed.get_last_lr(), [1.0, 4.0], "without initial learning rate it is left alone");
    Ok(())
}

#[test]
fn a_refused_build_leaves_the_groups_alone() -> Result<()> {
    let sgd = Sgd::builder([parameter()]).lr(1.0).build()?;
    let before = sgd.state_dict().deep_copy();
    let error = OneCycleLr::builder(&sgd, 0.1).total_steps(10).pct_start(0.1).build().unwrap_err();
    assert!(matches!(error, Error::Arithmetic("float division by zero")), "a phase without length: {error}");
    assert_eq!(sgd.state_dict(), before);
    Ok(())
}

#[test]
fn a_function_may_ask_its_own_scheduler() -> Result<()> {
    use std::sync::OnceLock;
    let own: Arc<OnceLock<LambdaLr>> = Arc::default();
    let asked = Arc::clone(&own);
    let sgd = Sgd::builder([parameter()]).lr(1.0).build()?;
    let lambda = move |_: i64| asked.get().map_or(1.0, |own| own.get_last_lr()[0] / 2.0);
    own.set(LambdaLr::builder(&sgd, lambda).build()?).expect("it is set once");
    own.get().expect("it was set").step();
    assert_eq!(own.get().expect("it was set").get_last_lr(), [0.5]);
    Ok(())
}

/// Asks its optimizer when it goes.
struct Inquisitive(Weak<Sgd>);

impl LrLambda for Inquisitive {
    fn factor(&self, _: i64) -> f64 {
        1.0
    }
}

impl Drop for Inquisitive {
    fn drop(&mut self) {
        assert!(self.0.upgrade().is_none_or(|sgd| sgd.lr_scheduler().is_some()));
    }
}

#[test]
fn a_replaced_scheduler_may_ask_the_optimizer_when_it_goes() -> Result<()> {
    let (done, outcome) = std::sync::mpsc::channel();
    let sgd = Arc::new(sgd()?);
    let owner = Arc::clone(&sgd);
    std::thread::spawn(move || {
        let lambda = Inquisitive(Arc::downgrade(&owner));
        owner.set_lr_scheduler(LambdaLr::builder(&*owner, lambda).build()?)?;
        owner.set_lr_scheduler(StepLr::builder(&*owner, 3).build()?)?;
        let _ = done.send(());
        Result::Ok(())
    });
    let waited = outcome.recv_timeout(std::time::Duration::from_secs(60));
    assert!(waited.is_ok(), "a dead-lock");
    assert!(sgd.lr_scheduler().is_some_and(|scheduler| format!("{scheduler:?}").starts_with("StepLR")));
    Ok(())
}
