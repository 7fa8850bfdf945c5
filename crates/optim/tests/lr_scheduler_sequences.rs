//! Learning rates of every class from 1 on, as torch 2.8.0 prints them to six digits: after building, then after
//! each step of optimizer and scheduler.

mod schedule;

use optim::lr_scheduler::*;
use optim::{Result, Sgd};
use schedule::parameter;

fn sequence<S: LrScheduler>(build: impl FnOnce(&Sgd) -> Result<S>, expected: &[f64]) -> Result<S> {
    let sgd = Sgd::builder([parameter()]).lr(1.0).build()?;
    let scheduler = build(&sgd)?;
    for (step, expected) in expected.iter().enumerate() {
        if step > 0 {
            sgd.step()?;
            scheduler.try_step()?;
        }
        let lr = scheduler.get_last_lr()[0];
        assert!((lr - expected).abs() <= 6e-7, "step {step}: expected {expected}, got {lr}");
    }
    Ok(scheduler)
}

#[test]
fn step_lr() -> Result<()> {
    let expected = [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125];
    sequence(|sgd| StepLr::builder(sgd, 2).gamma(0.5).build(), &expected).map(drop)
}

#[test]
fn multi_step_lr() -> Result<()> {
    let expected = [1.0, 1.0, 0.25, 0.25, 0.125];
    sequence(|sgd| MultiStepLr::builder(sgd, [2, 2, 4]).gamma(0.5).build(), &expected).map(drop)
}

#[test]
fn constant_lr() -> Result<()> {
    let expected = [0.5, 0.5, 0.5, 1.0, 1.0];
    sequence(|sgd| ConstantLr::builder(sgd).factor(0.5).total_iters(3).build(), &expected).map(drop)
}

#[test]
fn linear_lr() -> Result<()> {
    let expected = [0.25, 0.416667, 0.583333, 0.75, 0.75];
    let build = |sgd: &Sgd| LinearLr::builder(sgd).start_factor(0.25).end_factor(0.75).total_iters(3).build();
    let scheduler = sequence(build, &expected)?;
    assert_eq!(scheduler.get_last_lr(), [0.7499999999999998]);
    Ok(())
}

#[test]
fn polynomial_lr() -> Result<()> {
    let expected = [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0];
    sequence(|sgd| PolynomialLr::builder(sgd).total_iters(4).power(2.0).build(), &expected).map(drop)
}

#[test]
fn cosine_annealing_lr() -> Result<()> {
    let expected = [1.0, 0.75, 0.25, 0.0, 0.25, 0.75, 1.0, 0.75];
    sequence(|sgd| CosineAnnealingLr::builder(sgd, 3).build(), &expected).map(drop)
}

#[test]
fn cosine_annealing_warm_restarts() -> Result<()> {
    let expected = [1.0, 0.5, 1.0, 0.853553, 0.5, 0.146447, 1.0, 0.96194];
    sequence(|sgd| CosineAnnealingWarmRestarts::builder(sgd, 2).t_mult(2).build(), &expected).map(drop)
}

#[test]
fn cyclic_lr() -> Result<()> {
    let expected = [0.1, 0.3, 0.5, 0.366667, 0.233333, 0.1, 0.2, 0.3, 0.233333, 0.166667, 0.1];
    let build = |sgd: &Sgd| {
        let builder = CyclicLr::builder(sgd, 0.1, 0.5).step_size_up(2).step_size_down(3);
        builder.mode(CyclicMode::Triangular2).build()
    };
    sequence(build, &expected).map(drop)
}

#[test]
fn one_cycle_lr() -> Result<()> {
    let expected = [0.04, 0.52, 1.0, 0.950485, 0.811746, 0.611262, 0.388742, 0.188258, 0.049519, 4e-6];
    sequence(|sgd| OneCycleLr::builder(sgd, 1.0).total_steps(10).build(), &expected).map(drop)
}

/// A tenth for two epochs, and halves.
fn warm_up_and_halves(sgd: &Sgd) -> Result<Vec<Box<dyn LrScheduler>>> {
    let warm_up = ConstantLr::builder(sgd).factor(0.1).total_iters(2).build()?;
    Ok(vec![warm_up.boxed(), ExponentialLr::builder(sgd, 0.5).build()?.boxed()])
}

#[test]
fn sequential_lr() -> Result<()> {
    let expected = [0.1, 0.1, 1.0, 1.0, 0.5, 0.25, 0.125];
    sequence(|sgd| SequentialLr::new(sgd, warm_up_and_halves(sgd)?, vec![3]), &expected).map(drop)
}

#[test]
fn chained_scheduler() -> Result<()> {
    let expected = [0.1, 0.05, 0.25, 0.125];
    sequence(|sgd| ChainedScheduler::new(warm_up_and_halves(sgd)?), &expected).map(drop)
}

#[test]
fn reduce_lr_on_plateau() -> Result<()> {
    let sgd = Sgd::builder([parameter()]).lr(1.0).build()?;
    let plateau = ReduceLrOnPlateau::builder(&sgd).patience(1).cooldown(1).factor(0.5).build()?;
    let metrics = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, f64::NAN, 0.5, 0.5, 0.5, 0.5];
    let expected = [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125];
    for (metric, expected) in metrics.into_iter().zip(expected) {
        plateau.step(metric);
        assert_eq!(plateau.get_last_lr(), [expected]);
    }
    Ok(())
}
