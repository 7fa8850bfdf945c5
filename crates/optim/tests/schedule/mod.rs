//! What torch's `TestLRScheduler` has for all its tests: an optimizer with two groups, and the ways to compare
//! learning rates with a list of targets.
#![allow(dead_code)] // every test file uses a part

use optim::lr_scheduler::LrScheduler;
use optim::{Optimizer, ParamGroup, Result, Sgd};
use tape::{DType, Tensor};

/// torch's tolerance, absolute.
pub const TOLERANCE: f64 = 1e-5;

/// The start of torch's warnings, by what they are about.
pub const EPOCH: &str = "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated";
pub const ORDER: &str = "Detected call of `lr_scheduler.step()` before `optimizer.step()`.";

pub fn parameter() -> Tensor {
    Tensor::zeros([2, 3], DType::F32).requires_grad_(true)
}

/// SGD over two groups with learning rates 0.05 and 0.5; the second is a tensor, as in torch's tests.
pub fn sgd() -> Result<Sgd> {
    let second = ParamGroup::new([parameter()]).with("lr", Tensor::from_vec(vec![0.5_f32], ()));
    Sgd::builder([ParamGroup::new([parameter()]), second]).lr(0.05).build()
}

/// SGD over two groups with the learning rate 0.5, a plain number.
pub fn sgd_with_one_half() -> Result<Sgd> {
    Sgd::builder([ParamGroup::new([parameter()]), ParamGroup::new([parameter()])]).lr(0.5).build()
}

/// Each number as often as is said.
pub fn repeat(runs: &[(f64, usize)]) -> Vec<f64> {
    runs.iter().flat_map(|&(number, times)| vec![number; times]).collect()
}

/// Targets of the first group, and ten times as much for the second.
pub fn both(single: Vec<f64>) -> Vec<Vec<f64>> {
    let tenfold = single.iter().map(|x| x * 10.0).collect();
    vec![single, tenfold]
}

/// `n` numbers.
pub fn series(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(i as f64)).collect()
}

/// Half a period of the cosine from 0.05 to nearly 0 in `epochs`.
pub fn cosine(epochs: usize) -> Vec<f64> {
    let eta_min = 1e-10;
    series(epochs, |x| eta_min + (0.05 - eta_min) * (1.0 + (std::f64::consts::PI * x / epochs as f64).cos()) / 2.0)
}

/// Products of two lists, as far as the first goes.
pub fn times(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert!(b.len() >= a.len());
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

#[track_caller]
pub fn assert_close(found: f64, target: f64, epoch: usize) {
    assert!((found - target).abs() <= TOLERANCE, "epoch {epoch}: expected {target}, got {found}");
}

/// The learning rates of as many groups as there are targets.
#[track_caller]
pub fn assert_lrs(optimizer: &dyn Optimizer, targets: &[Vec<f64>], epoch: usize) {
    let groups = optimizer.param_groups();
    assert!(groups.len() >= targets.len());
    for (group, target) in groups.iter().zip(targets) {
        assert_close(group.lr(), target[epoch], epoch);
    }
}

/// torch's `_test`: compares, then steps.
#[track_caller]
pub fn check(optimizer: &dyn Optimizer, schedulers: &[&dyn LrScheduler], targets: &[Vec<f64>], epochs: usize) {
    for epoch in 0..epochs {
        assert_lrs(optimizer, targets, epoch);
        optimizer.step_without_closure().expect("there is nothing to optimize");
        schedulers.iter().for_each(|scheduler| scheduler.try_step().expect("the step can be made"));
    }
}

/// torch's `_test_with_epoch`: steps to each epoch, with a warning, then compares.
#[track_caller]
pub fn check_with_epoch(optimizer: &dyn Optimizer, scheduler: &dyn LrScheduler, targets: &[Vec<f64>], epochs: usize) {
    for epoch in 0..epochs {
        optimizer.step_without_closure().expect("there is nothing to optimize");
        scheduler.try_step_epoch(epoch as i64).expect("the step can be made");
        let warnings = scheduler.warnings();
        assert_eq!(warnings.len(), epoch + 1);
        assert!(warnings[epoch].starts_with(EPOCH));
        assert_lrs(optimizer, targets, epoch);
    }
}

/// torch's `_test_get_last_lr`.
#[track_caller]
pub fn check_last_lr(optimizer: &dyn Optimizer, scheduler: &dyn LrScheduler, targets: &[Vec<f64>], epochs: usize) {
    for epoch in 0..epochs {
        let found = scheduler.get_last_lr();
        assert_eq!(found.len(), targets.len());
        found.iter().zip(targets).for_each(|(&found, target)| assert_close(found, target[epoch], epoch));
        optimizer.step_without_closure().expect("there is nothing to optimize");
        scheduler.try_step().expect("the step can be made");
    }
}

/// torch's `_test_against_closed_form`: `step_epoch(k)` gives what `k` steps give.
#[track_caller]
pub fn check_against_closed_form<S: LrScheduler>(build: impl Fn(&Sgd) -> Result<S>, epochs: usize) -> Result<()> {
    let (chained, closed) = (sgd()?, sgd()?);
    let (chained_form, closed_form) = (build(&chained)?, build(&closed)?);
    for epoch in 0..epochs {
        closed.step()?;
        closed_form.try_step_epoch(epoch as i64)?;
        for (a, b) in chained.param_groups().iter().zip(closed.param_groups()) {
            assert_close(a.lr(), b.lr(), epoch);
        }
        chained.step()?;
        chained_form.try_step()?;
    }
    assert_eq!(closed_form.warnings().len(), epochs);
    assert!(chained_form.warnings().is_empty());
    Ok(())
}

/// torch's `_test_cycle_lr`: learning rates, and momenta or the first of `betas`.
#[track_caller]
pub fn check_cycle(
    optimizer: &dyn Optimizer,
    scheduler: &dyn LrScheduler,
    lrs: &[Vec<f64>],
    momenta: Option<&[Vec<f64>]>,
    batches: usize,
) {
    for batch in 0..batches {
        assert_lrs(optimizer, lrs, batch);
        for (group, target) in optimizer.param_groups().iter().zip(momenta.unwrap_or_default()) {
            let found = match group.get("betas") {
                Some(betas) => betas[0].as_float(),
                None => group.get("momentum").and_then(|momentum| momentum.as_float()),
            };
            assert_close(found.expect("there is a momentum"), target[batch], batch);
        }
        optimizer.step_without_closure().expect("there is nothing to optimize");
        scheduler.try_step().expect("the step can be made");
    }
}

/// The message with which the call panics.
pub fn panic_of(call: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err("the call is to panic");
    payload.downcast::<String>().map_or_else(|_| String::new(), |text| *text)
}
