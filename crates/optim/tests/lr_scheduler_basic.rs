//! Schedulers one by one, under the names of torch's `test_lrscheduler.py` without `test_`. Its tests `.._with_arg` do
//! what those without do, there as here.
//!
//! Left out of that file:
//! - `error_when_getlr_has_epoch`, `multiplicative_lr_with_lr_lambda`: the types of Rust rule these mistakes out;
//! - `old_pattern_warning_with_overridden_optim_step`, `new_pattern_no_warning_with_overridden_optim_step`: an
//!   optimizer's step cannot be replaced;
//! - `constant_initial_params_cyclelr`, `.._onecyclelr`, `.._swalr`: options are numbers, not tensors that could change
//!   afterwards;
//! - `reduce_lr_on_plateau_preserves_lr_type`: not so in torch 2.8, see `a_tensor_learning_rate_becomes_a_number_..`.

mod schedule;

use optim::lr_scheduler::*;
use optim::{Optimizer, Result, Sgd};
use schedule::*;

/// The scheduler before the optimizer, in each of 35 epochs.
fn old_pattern(last_epoch: i64) -> Result<()> {
    let sgd = sgd()?;
    if last_epoch >= 0 {
        sgd.param_groups().iter().for_each(|group| group.set("initial_lr", 0.01));
    }
    let scheduler = StepLr::builder(&sgd, 3).gamma(0.1).last_epoch(last_epoch).build()?;
    assert!(scheduler.warnings().is_empty());
    for _ in 0..35 {
        scheduler.step();
        sgd.step()?;
    }
    let warnings = scheduler.warnings();
    assert_eq!(warnings.len(), 1, "once only: {warnings:?}");
    assert!(warnings[0].starts_with(ORDER) && warnings[0].ends_with("#how-to-adjust-learning-rate"));
    Ok(())
}

#[test]
fn old_pattern_warning() -> Result<()> {
    old_pattern(-1)
}

#[test]
fn old_pattern_warning_with_arg() -> Result<()> {
    old_pattern(-1)
}

#[test]
fn old_pattern_warning_resuming() -> Result<()> {
    old_pattern(10)
}

#[test]
fn old_pattern_warning_resuming_with_arg() -> Result<()> {
    old_pattern(10)
}

fn new_pattern() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = StepLr::builder(&sgd, 3).gamma(0.1).build()?;
    for _ in 0..35 {
        sgd.step()?;
        scheduler.step();
    }
    assert!(scheduler.warnings().is_empty());
    Ok(())
}

#[test]
fn new_pattern_no_warning() -> Result<()> {
    new_pattern()
}

#[test]
fn new_pattern_no_warning_with_arg() -> Result<()> {
    new_pattern()
}

/// torch's `_test_lr_is_constant_for_constant_epoch`.
fn is_constant_for_constant_epoch<S: LrScheduler>(build: impl FnOnce(&Sgd) -> Result<S>) -> Result<()> {
    let sgd = sgd()?;
    let scheduler = build(&sgd)?;
    let mut lrs = Vec::new();
    for round in 0..10 {
        sgd.step()?;
        scheduler.step_epoch(2);
        assert_eq!(scheduler.warnings().len(), round + 1);
        lrs.push(sgd.param_groups()[0].lr());
    }
    assert!(lrs.iter().all(|&lr| lr == lrs[0]), "{lrs:?}");
    assert!(scheduler.warnings().iter().all(|warning| warning.starts_with(EPOCH)));
    Ok(())
}

#[test]
fn step_lr_is_constant_for_constant_epoch() -> Result<()> {
    is_constant_for_constant_epoch(|sgd| StepLr::builder(sgd, 2).build())
}

#[test]
fn exponential_lr_is_constant_for_constant_epoch() -> Result<()> {
    is_constant_for_constant_epoch(|sgd| ExponentialLr::builder(sgd, 0.9).build())
}

#[test]
fn constantlr_is_constant_for_constant_epoch() -> Result<()> {
    is_constant_for_constant_epoch(|sgd| ConstantLr::builder(sgd).build())
}

#[test]
fn linear_linearlr_is_constant_for_constant_epoch() -> Result<()> {
    is_constant_for_constant_epoch(|sgd| LinearLr::builder(sgd).build())
}

#[test]
fn polynomial_lr_is_constant_for_constant_epoch() -> Result<()> {
    is_constant_for_constant_epoch(|sgd| PolynomialLr::builder(sgd).power(0.9).build())
}

#[test]
fn step_lr() -> Result<()> {
    let sgd = sgd()?;
    let targets = both(repeat(&[(0.05, 3), (0.005, 3), (0.0005, 3), (0.00005, 3)]));
    let scheduler = StepLr::builder(&sgd, 3).gamma(0.1).build()?;
    check(&sgd, &[&scheduler], &targets, 10);
    Ok(())
}

#[test]
fn get_last_lr_step_lr() -> Result<()> {
    let sgd = Sgd::builder([parameter()]).lr(0.1).build()?;
    let targets = [repeat(&[(0.1, 3), (0.01, 3), (0.001, 3), (0.0001, 1)])];
    let scheduler = StepLr::builder(&sgd, 3).gamma(0.1).build()?;
    check_last_lr(&sgd, &scheduler, &targets, 10);
    Ok(())
}

#[test]
fn raise_error_when_last_epoch_is_greater_than_0_and_initial_lr_is_not_specified() -> Result<()> {
    let sgd = Sgd::builder([parameter()]).lr(0.1).build()?;
    let error = StepLr::builder(&sgd, 3).gamma(0.1).last_epoch(1).build().unwrap_err();
    assert!(error.to_string().starts_with("param 'initial_lr' is not specified in param_groups[0] when resuming"));
    Ok(())
}

/// 0.05 until epoch 2, a tenth of it until 5, and so on at 9.
fn multi_step_targets() -> Vec<Vec<f64>> {
    both(repeat(&[(0.05, 2), (0.005, 3), (0.0005, 4), (0.00005, 3)]))
}

#[test]
fn get_last_lr_multi_step_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = MultiStepLr::builder(&sgd, [2, 5, 9]).gamma(0.1).build()?;
    check_last_lr(&sgd, &scheduler, &multi_step_targets(), 10);
    Ok(())
}

#[test]
fn multi_step_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = MultiStepLr::builder(&sgd, [2, 5, 9]).gamma(0.1).build()?;
    check(&sgd, &[&scheduler], &multi_step_targets(), 10);
    Ok(())
}

#[test]
fn multi_step_lr_with_epoch() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = MultiStepLr::builder(&sgd, [2, 5, 9]).gamma(0.1).build()?;
    check_with_epoch(&sgd, &scheduler, &multi_step_targets(), 10);
    Ok(())
}

#[test]
fn get_last_lr_constantlr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = ConstantLr::builder(&sgd).factor(0.5).total_iters(5).build()?;
    check_last_lr(&sgd, &scheduler, &both(repeat(&[(0.025, 5), (0.05, 5)])), 10);
    Ok(())
}

#[test]
fn constantlr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = ConstantLr::builder(&sgd).factor(0.5).total_iters(5).build()?;
    check(&sgd, &[&scheduler], &both(repeat(&[(0.025, 5), (0.05, 5)])), 10);
    Ok(())
}

#[test]
fn constantlr_with_epoch() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = ConstantLr::builder(&sgd).factor(0.5).total_iters(5).build()?;
    check_with_epoch(&sgd, &scheduler, &both(repeat(&[(0.025, 5), (0.05, 5)])), 10);
    Ok(())
}

#[test]
fn get_last_lr_linearlr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = LinearLr::builder(&sgd).start_factor(0.25).end_factor(0.6).total_iters(4).build()?;
    let targets = both(vec![0.0125, 0.016875, 0.02125, 0.025625, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03]);
    check_last_lr(&sgd, &scheduler, &targets, 10);
    Ok(())
}

/// From 0.025 to 0.05 in four epochs.
fn linear_targets() -> Vec<Vec<f64>> {
    both(vec![0.025, 0.03125, 0.0375, 0.04375, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
}

#[test]
fn linearlr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = LinearLr::builder(&sgd).start_factor(0.5).total_iters(4).build()?;
    check(&sgd, &[&scheduler], &linear_targets(), 10);
    Ok(())
}

#[test]
fn linearlr_with_epoch() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = LinearLr::builder(&sgd).start_factor(0.5).total_iters(4).build()?;
    check_with_epoch(&sgd, &scheduler, &linear_targets(), 10);
    Ok(())
}

#[test]
fn linearlr_start_factor_limits1() -> Result<()> {
    let sgd = sgd()?;
    let error = LinearLr::builder(&sgd).start_factor(0.0).total_iters(4).build().unwrap_err();
    assert!(error.to_string().starts_with("Starting multiplicative factor expected to be greater than 0"));
    Ok(())
}

#[test]
fn linearlr_start_factor_limits2() -> Result<()> {
    let sgd = sgd()?;
    let error = LinearLr::builder(&sgd).start_factor(1.1).total_iters(4).build().unwrap_err();
    assert!(error.to_string().starts_with("Starting multiplicative factor expected to be greater than 0"));
    Ok(())
}

#[test]
fn exp_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = ExponentialLr::builder(&sgd, 0.9).build()?;
    check(&sgd, &[&scheduler], &both(series(10, |x| 0.05 * 0.9_f64.powf(x))), 10);
    Ok(())
}

#[test]
fn poly_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = PolynomialLr::builder(&sgd).power(0.9).total_iters(5).build()?;
    let targets = both(series(10, |x| (1.0 - x.min(5.0) / 5.0).powf(0.9) * 0.05));
    check(&sgd, &[&scheduler], &targets, 10);
    Ok(())
}

#[test]
fn cos_anneal_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = CosineAnnealingLr::builder(&sgd, 10).eta_min(1e-10).build()?;
    check(&sgd, &[&scheduler], &both(cosine(10)), 10);
    Ok(())
}

#[test]
fn cos_anneal_lr_continue() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = CosineAnnealingLr::builder(&sgd, 5).eta_min(0.1).build()?;
    sgd.step()?;
    scheduler.step();
    let again = CosineAnnealingLr::builder(&sgd, 5).eta_min(0.1).last_epoch(0).build()?;
    for (a, b) in scheduler.get_last_lr().iter().zip(again.get_last_lr()) {
        assert!((a - b).abs() <= 1e-5 + 1e-4 * b.abs(), "{a} and {b}");
    }
    Ok(())
}

#[test]
fn closed_form_step_lr() -> Result<()> {
    check_against_closed_form(|sgd| StepLr::builder(sgd, 3).gamma(0.1).build(), 20)
}

#[test]
fn closed_form_linearlr() -> Result<()> {
    check_against_closed_form(
        |sgd| LinearLr::builder(sgd).start_factor(1.0 / 3.0).end_factor(0.7).total_iters(4).build(),
        20,
    )
}

#[test]
fn closed_form_constantlr() -> Result<()> {
    check_against_closed_form(|sgd| ConstantLr::builder(sgd).factor(1.0 / 3.0).total_iters(4).build(), 20)
}

#[test]
fn closed_form_multi_step_lr() -> Result<()> {
    check_against_closed_form(|sgd| MultiStepLr::builder(sgd, [2, 5, 9]).gamma(0.1).build(), 20)
}

#[test]
fn closed_form_exp_lr() -> Result<()> {
    check_against_closed_form(|sgd| ExponentialLr::builder(sgd, 0.9).build(), 20)
}

#[test]
fn closed_form_poly_lr() -> Result<()> {
    check_against_closed_form(|sgd| PolynomialLr::builder(sgd).power(0.9).build(), 20)
}

#[test]
fn closed_form_cos_anneal_lr() -> Result<()> {
    check_against_closed_form(|sgd| CosineAnnealingLr::builder(sgd, 5).eta_min(1e-10).build(), 20)
}

/// The powers of two numbers, one for each group.
fn powers_of_nine_and_eight_tenths() -> Vec<Vec<f64>> {
    vec![series(10, |x| 0.05 * 0.9_f64.powf(x)), series(10, |x| 0.4 * 0.8_f64.powf(x))]
}

#[test]
fn lambda_lr() -> Result<()> {
    let sgd = sgd()?;
    sgd.param_groups()[1].set_lr(0.4);
    let each: Vec<Box<dyn LrLambda>> =
        vec![Box::new(|x: i64| 0.9_f64.powf(x as f64)), Box::new(|x: i64| 0.8_f64.powf(x as f64))];
    let scheduler = LambdaLr::builder(&sgd, each).build()?;
    check(&sgd, &[&scheduler], &powers_of_nine_and_eight_tenths(), 10);
    Ok(())
}

#[test]
fn multiplicative_lr() -> Result<()> {
    let sgd = sgd()?;
    sgd.param_groups()[1].set_lr(0.4);
    let each: Vec<Box<dyn LrLambda>> = vec![Box::new(|_: i64| 0.9), Box::new(|_: i64| 0.8)];
    let scheduler = MultiplicativeLr::builder(&sgd, each).build()?;
    check(&sgd, &[&scheduler], &powers_of_nine_and_eight_tenths(), 10);
    Ok(())
}
