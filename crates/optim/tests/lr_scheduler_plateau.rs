//! `ReduceLROnPlateau`, under the names of torch's `test_lrscheduler.py` without `test_`.

mod schedule;

use optim::lr_scheduler::*;
use optim::{AdamW, Optimizer, ParamGroup, Result, Sgd};
use schedule::*;

/// torch's `_test_reduce_lr_on_plateau`: steps, then compares.
#[track_caller]
fn check_plateau(
    sgd: &Sgd,
    plateau: &ReduceLrOnPlateau,
    other: Option<&dyn LrScheduler>,
    metrics: &[f64],
    targets: &[Vec<f64>],
    epochs: usize,
) {
    for (epoch, &metric) in metrics.iter().enumerate().take(epochs) {
        sgd.step().expect("there is nothing to optimize");
        plateau.try_step(metric).expect("the step can be made");
        if let Some(other) = other {
            other.try_step().expect("the step can be made");
        }
        assert_lrs(sgd, targets, epoch);
        assert_eq!(plateau.last_epoch(), epoch as i64 + 1);
    }
}

fn falling(by: f64) -> Vec<f64> {
    series(22, |i| 10.0 - i * by)
}

fn rising(by: f64) -> Vec<f64> {
    series(20, |i| 1.5 * by.powf(i))
}

#[test]
fn reduce_lr_on_plateau1() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).threshold_mode(ThresholdMode::Abs).threshold(0.01);
    let plateau = builder.patience(5).cooldown(5).build()?;
    check_plateau(&sgd, &plateau, None, &falling(0.0167), &[vec![0.5; 20]], 10);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau2() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).threshold_mode(ThresholdMode::Abs).threshold(0.1);
    let plateau = builder.patience(5).cooldown(0).build()?;
    let targets = [repeat(&[(0.5, 6), (0.05, 7), (0.005, 7), (0.0005, 2)])];
    check_plateau(&sgd, &plateau, None, &falling(0.0165), &targets, 22);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau3() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).mode(PlateauMode::Max).threshold_mode(ThresholdMode::Abs);
    let plateau = builder.patience(5).cooldown(5).build()?;
    let metrics = repeat(&[(-0.8, 2), (-0.234, 20)]);
    check_plateau(&sgd, &plateau, None, &metrics, &[repeat(&[(0.5, 8), (0.05, 11), (0.005, 4)])], 22);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau4() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).mode(PlateauMode::Max).patience(3).threshold(0.1).build()?;
    // 1.025 is more than the fourth root of 1.1.
    check_plateau(&sgd, &plateau, None, &rising(1.025), &[vec![0.5; 20]], 20);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau5() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).mode(PlateauMode::Max).threshold(0.1);
    let plateau = builder.patience(5).cooldown(5).build()?;
    let targets = [repeat(&[(0.5, 6), (0.05, 11), (0.005, 4)])];
    check_plateau(&sgd, &plateau, None, &rising(1.005), &targets, 20);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau6() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).threshold(0.1).build()?;
    check_plateau(&sgd, &plateau, None, &rising(0.85), &[vec![0.5; 20]], 20);
    Ok(())
}

/// Better at the end of the patience of the second reduction.
fn late_improvement() -> Vec<f64> {
    repeat(&[(1.0, 7), (0.6, 1), (0.5, 12)])
}

#[test]
fn reduce_lr_on_plateau7() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).threshold(0.1).patience(5).cooldown(5).build()?;
    let targets = [repeat(&[(0.5, 6), (0.05, 11), (0.005, 4)])];
    check_plateau(&sgd, &plateau, None, &late_improvement(), &targets, 20);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau8() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).mode(PlateauMode::Max).min_lr([0.4, 0.3]).threshold(0.1);
    let plateau = builder.patience(5).cooldown(5).build()?;
    let targets = [repeat(&[(0.5, 6), (0.4, 14)]), repeat(&[(0.5, 6), (0.3, 14)])];
    check_plateau(&sgd, &plateau, None, &rising(1.005), &targets, 20);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau_get_last_lr_before_step() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).build()?;
    assert_eq!(plateau.get_last_lr(), [0.5, 0.5]);
    Ok(())
}

#[test]
fn reduce_lr_on_plateau_state_dict() -> Result<()> {
    let sgd = sgd()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).factor(0.1).patience(2).build()?;
    for score in [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 5.0, 3.0, 2.0, 1.0] {
        plateau.step(score);
    }
    let copy = ReduceLrOnPlateau::builder(&sgd).mode(PlateauMode::Max).factor(0.5).patience(10).build()?;
    assert_ne!(copy.state_dict(), plateau.state_dict());
    copy.load_state_dict(plateau.state_dict())?;
    assert_eq!(copy.state_dict(), plateau.state_dict());
    Ok(())
}

#[test]
fn lr_scheduler_checkpoint_on_plateau() -> Result<()> {
    let first = AdamW::builder([parameter()]).build()?;
    let plateau = ReduceLrOnPlateau::builder(&first).patience(0).build()?;
    for metric in [1.0, 2.0] {
        first.step()?;
        plateau.step(metric);
    }
    let second = AdamW::builder([parameter()]).build()?;
    second.load_state_dict(first.state_dict())?;
    let again = ReduceLrOnPlateau::builder(&second).build()?;
    assert_eq!(again.get_last_lr(), [1e-4]);
    assert_eq!(again.get_last_lr(), plateau.get_last_lr());
    Ok(())
}

fn add_group_after_eight(per_group: bool) -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let builder = ReduceLrOnPlateau::builder(&sgd).threshold(0.1).patience(5).cooldown(5);
    let plateau = if per_group { builder.min_lr([1e-5, 1e-4]).build()? } else { builder.build()? };
    let targets = [repeat(&[(0.5, 6), (0.05, 11), (0.005, 4)])];
    for (epoch, &metric) in late_improvement().iter().enumerate() {
        if epoch == 8 {
            sgd.add_param_group(ParamGroup::new([parameter()]).with("lr", 0.05))?;
            if per_group {
                plateau.set_min_lrs([1e-5, 1e-4, 1e-6]);
            }
        }
        sgd.step()?;
        plateau.try_step(metric)?;
        assert_lrs(&sgd, &targets, epoch);
    }
    assert!((sgd.param_groups()[2].lr() - 0.005).abs() < 1e-12, "the new group is reduced too");
    Ok(())
}

#[test]
fn add_param_group_does_not_break_reduce_lr_on_plateau_scalar() -> Result<()> {
    add_group_after_eight(false)
}

#[test]
fn add_param_group_does_not_break_reduce_lr_on_plateau_list() -> Result<()> {
    add_group_after_eight(true)
}

#[test]
fn add_param_group_errors_reduce_lr_on_plateau() -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).threshold(1e-5).patience(0).min_lr([1e-5, 1e-4]).build()?;
    sgd.add_param_group(ParamGroup::new([parameter()]).with("lr", 0.05))?;
    sgd.step()?;
    plateau.step(1.0);
    let before = plateau.state_dict();
    sgd.step()?;
    let text = "The number of param groups in the `optimizer` (3) differs from when `ReduceLROnPlateau` was \
                initialized (2)";
    assert!(plateau.try_step(1.3).unwrap_err().to_string().starts_with(text));
    assert_eq!(plateau.state_dict(), before, "a step that fails changes nothing");
    assert!(panic_of(|| plateau.step(1.3)).contains(text), "step() panics where torch raises");
    Ok(())
}

#[test]
fn a_tensor_learning_rate_becomes_a_number_when_it_falls() -> Result<()> {
    let sgd = sgd()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).patience(0).factor(0.5).build()?;
    plateau.step(1.0);
    assert!(sgd.param_groups()[1].get("lr").unwrap().as_tensor().is_some());
    plateau.step(2.0);
    assert_eq!(sgd.param_groups()[1].get("lr"), Some(0.25.into()));
    Ok(())
}

/// In torch's tests of these names the list of targets is cut to nothing, so they only see that nothing raises;
/// here the learning rates are compared as well.
fn compound<S: LrScheduler>(
    configure: impl FnOnce(ReduceLrOnPlateauBuilder) -> ReduceLrOnPlateauBuilder,
    metrics: &[f64],
    build: impl FnOnce(&Sgd) -> Result<S>,
    targets: Vec<f64>,
    epochs: usize,
) -> Result<()> {
    let sgd = sgd_with_one_half()?;
    let plateau = configure(ReduceLrOnPlateau::builder(&sgd)).build()?;
    let other = build(&sgd)?;
    check_plateau(&sgd, &plateau, Some(&other), metrics, &[targets], epochs);
    Ok(())
}

#[test]
fn compound_reduce_lr_on_plateau1() -> Result<()> {
    compound(
        |b| b.threshold_mode(ThresholdMode::Abs).threshold(0.01).patience(5).cooldown(5),
        &falling(0.0167),
        |sgd| StepLr::builder(sgd, 3).gamma(0.1).build(),
        series(10, |i| 0.5 * 0.1_f64.powf(((i + 1.0) / 3.0).floor())),
        10,
    )
}

#[test]
fn compound_reduce_lr_on_plateau2() -> Result<()> {
    let plateau = repeat(&[(0.5, 6), (0.05, 7), (0.005, 7), (0.0005, 2)]);
    let steps = repeat(&[(1.0, 2), (0.1, 5), (0.01, 4), (0.001, 11)]);
    compound(
        |b| b.threshold_mode(ThresholdMode::Abs).threshold(0.1).patience(5).cooldown(0),
        &falling(0.0165),
        |sgd| MultiStepLr::builder(sgd, [3, 8, 12]).gamma(0.1).build(),
        times(&plateau, &steps),
        22,
    )
}

#[test]
fn compound_reduce_lr_on_plateau3() -> Result<()> {
    let plateau = repeat(&[(0.5, 8), (0.05, 11), (0.005, 3)]);
    compound(
        |b| b.mode(PlateauMode::Max).threshold_mode(ThresholdMode::Abs).patience(5).cooldown(5),
        &repeat(&[(-0.8, 2), (-0.234, 20)]),
        |sgd| ExponentialLr::builder(sgd, 0.1).build(),
        times(&plateau, &series(22, |i| 0.1_f64.powf(i + 1.0))),
        22,
    )
}

#[test]
fn compound_reduce_lr_on_plateau4() -> Result<()> {
    let cosine = series(10, |i| 0.5 * (1.0 + (std::f64::consts::PI * (i + 1.0) / 10.0).cos()) / 2.0);
    compound(
        |b| b.mode(PlateauMode::Max).patience(3).threshold(0.1),
        &rising(1.025),
        |sgd| CosineAnnealingLr::builder(sgd, 10).eta_min(1e-10).build(),
        cosine,
        10,
    )
}

#[test]
fn compound_reduce_lr_on_plateau5() -> Result<()> {
    let plateau = repeat(&[(0.5, 6), (0.05, 7), (0.005, 7), (0.0005, 2)]);
    let linear = series(22, |i| (0.4 + 0.6 * (i + 1.0) / 4.0).min(1.0));
    compound(
        |b| b.threshold_mode(ThresholdMode::Abs).threshold(0.1).patience(5).cooldown(0),
        &falling(0.0165),
        |sgd| LinearLr::builder(sgd).start_factor(0.4).total_iters(4).build(),
        times(&plateau, &linear),
        22,
    )
}
