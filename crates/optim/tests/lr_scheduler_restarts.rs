//! `CosineAnnealingWarmRestarts` and `SWALR`, under the names of torch's `test_lrscheduler.py` without `test_`.

mod schedule;

use optim::lr_scheduler::*;
use optim::{Error, Optimizer, Result, Sgd};
use schedule::*;
use std::f64::consts::PI;

const ETA_MIN: f64 = 1e-10;

fn restarts(sgd: &Sgd, t_mult: i64) -> Result<CosineAnnealingWarmRestarts> {
    CosineAnnealingWarmRestarts::builder(sgd, 10).t_mult(t_mult).eta_min(ETA_MIN).build()
}

/// The learning rate at a place in a run.
fn at(base: f64, t_cur: f64, t_i: f64) -> f64 {
    ETA_MIN + (base - ETA_MIN) * (1.0 + (PI * t_cur / t_i).cos()) / 2.0
}

/// The learning rates in steps of `1 / per_epoch` epochs, counted in whole numbers.
fn targets(t_mult: usize, per_epoch: usize, count: usize) -> Vec<Vec<f64>> {
    let (mut t_i, mut t_cur) = (10 * per_epoch, 0);
    let mut targets = vec![Vec::new(), Vec::new()];
    for _ in 0..count {
        targets[0].push(at(0.05, t_cur as f64, t_i as f64));
        targets[1].push(at(0.5, t_cur as f64, t_i as f64));
        t_cur += 1;
        if t_cur >= t_i {
            t_cur -= t_i;
            t_i *= t_mult;
        }
    }
    targets
}

#[test]
#[allow(non_snake_case, reason = "the name that torch gives the test")]
fn CosineAnnealingWarmRestarts_lr1() -> Result<()> {
    for t_mult in [1, 2, 4] {
        let sgd = sgd()?;
        let scheduler = restarts(&sgd, t_mult)?;
        check(&sgd, &[&scheduler], &targets(t_mult as usize, 1, 100), 100);
    }
    Ok(())
}

#[test]
#[allow(non_snake_case, reason = "the name that torch gives the test")]
fn CosineAnnealingWarmRestarts_lr2() -> Result<()> {
    for t_mult in [1, 2, 4] {
        let sgd = sgd()?;
        let scheduler = restarts(&sgd, t_mult)?;
        let targets = targets(t_mult as usize, 10, 300);
        for index in 0..300 {
            scheduler.step_at(f64::from(index) / 10.0)?;
            assert_lrs(&sgd, &targets, index as usize);
        }
    }
    Ok(())
}

/// Jumps between epochs: `(epoch, place in the run, length of the run)`.
fn interleaved(t_mult: i64, jumps: &[(f64, f64, f64)]) -> Result<()> {
    let sgd = sgd()?;
    let scheduler = restarts(&sgd, t_mult)?;
    for (index, &(epoch, t_cur, t_i)) in jumps.iter().enumerate() {
        scheduler.step_at(epoch)?;
        for (group, base) in sgd.param_groups().iter().zip([0.05, 0.5]) {
            assert_close(group.lr(), at(base, t_cur, t_i), index);
        }
        assert_eq!(scheduler.last_epoch(), epoch.floor() as i64);
    }
    assert!(scheduler.warnings().is_empty(), "this class does not warn of epochs");
    Ok(())
}

#[test]
#[allow(non_snake_case, reason = "the name that torch gives the test")]
fn CosineAnnealingWarmRestarts_lr3() -> Result<()> {
    let whole = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let mut first: Vec<_> = whole.iter().map(|&epoch| (epoch, epoch, 10.0)).collect();
    let mut second = first.clone();
    first.extend(
        [(12.0, 2.0), (27.0, 7.0), (3.0, 3.0), (4.0, 4.0), (5.0, 5.0), (6.0, 6.0), (13.0, 3.0)]
            .map(|(epoch, t_cur)| (epoch, t_cur, 10.0)),
    );
    interleaved(1, &first)?;
    second.extend([(25.0, 15.0, 20.0), (32.0, 2.0, 40.0), (33.0, 3.0, 40.0), (34.0, 4.0, 40.0)]);
    second.extend([(80.0, 10.0, 80.0), (81.0, 11.0, 80.0), (3.0, 3.0, 10.0)]);
    interleaved(2, &second)?;
    let mut third: Vec<_> = [0.0, 0.1, 0.2, 0.3, 1.3, 2.3].iter().map(|&epoch| (epoch, epoch, 10.0)).collect();
    third.extend([17.5, 18.5, 19.5, 29.5, 30.5, 31.5].map(|epoch| (epoch, epoch - 10.0, 30.0)));
    third.push((50.0, 10.0, 90.0));
    interleaved(3, &third)
}

#[test]
#[allow(non_snake_case, reason = "the name that torch gives the test")]
fn CosineAnnealingWarmRestarts_T_cur_reset() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = CosineAnnealingWarmRestarts::builder(&sgd, 4).build()?;
    for epoch in [7, 8, 9] {
        let mut state = scheduler.state_dict();
        state["T_cur"] = epoch.into();
        scheduler.load_state_dict(state)?;
        scheduler.step();
        assert_eq!(scheduler.state_dict()["T_cur"].as_int(), Some((epoch + 1) % 4));
    }
    Ok(())
}

#[test]
fn an_epoch_that_is_none_is_refused() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = CosineAnnealingWarmRestarts::builder(&sgd, 4).build()?;
    let before = scheduler.state_dict();
    for (epoch, text) in [(-0.5, "-0.5"), (-1.0, "-1"), (f64::NAN, "nan"), (f64::INFINITY, "inf")] {
        let error = scheduler.step_at(epoch).unwrap_err();
        assert_eq!(error.to_string(), format!("Expected non-negative epoch, but got {text}"));
    }
    assert_eq!(scheduler.try_step_epoch(-1).unwrap_err().to_string(), "Expected non-negative epoch, but got -1");
    assert_eq!(scheduler.state_dict(), before);
    Ok(())
}

/// torch's `_test_swalr`: before `swa_start` the one scheduler steps, from then on the other.
#[track_caller]
fn check_swalr(sgd: &Sgd, swa: &SwaLr, before: Option<&dyn LrScheduler>, targets: &[Vec<f64>], epochs: usize) {
    for epoch in 0..epochs {
        assert_lrs(sgd, targets, epoch);
        sgd.step().expect("there is nothing to optimize");
        match before {
            _ if epoch >= 5 => swa.step(),
            Some(before) => before.step(),
            None => {}
        }
    }
}

#[test]
fn swalr_no_anneal() -> Result<()> {
    let sgd = sgd()?;
    let swa = SwaLr::builder(&sgd, 0.01).anneal_epochs(1).build()?;
    let targets = [repeat(&[(0.05, 6), (0.01, 4)]), repeat(&[(0.5, 6), (0.01, 4)])];
    check_swalr(&sgd, &swa, None, &targets, 10);
    Ok(())
}

/// Six epochs of a factor 0.9, then to `swa_lr` with what is left of the old learning rate after each epoch.
fn annealed(base: f64, swa_lr: f64, left: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut targets = series(6, |i| base * 0.9_f64.powf(i));
    let last = targets[5];
    targets.extend(series(9, |t| last * left(t + 1.0) + swa_lr * (1.0 - left(t + 1.0))));
    targets
}

#[test]
fn swalr_cosine_anneal_after_multiplicative() -> Result<()> {
    let sgd = sgd()?;
    let before = MultiplicativeLr::builder(&sgd, |_: i64| 0.9).build()?;
    let swa = SwaLr::builder(&sgd, 0.01).anneal_epochs(5).build()?;
    let left = |t: f64| if t >= 5.0 { 0.0 } else { (1.0 + (PI * t / 5.0).cos()) / 2.0 };
    check_swalr(&sgd, &swa, Some(&before), &[annealed(0.05, 0.01, left), annealed(0.5, 0.01, left)], 15);
    Ok(())
}

#[test]
fn swalr_linear_anneal_after_multiplicative() -> Result<()> {
    let sgd = sgd()?;
    let before = MultiplicativeLr::builder(&sgd, |_: i64| 0.9).build()?;
    let swa = SwaLr::builder(&sgd, [0.01, 0.02]).anneal_epochs(4).anneal_strategy(Anneal::Linear).build()?;
    let left = |t: f64| if t >= 4.0 { 0.0 } else { 1.0 - t / 4.0 };
    check_swalr(&sgd, &swa, Some(&before), &[annealed(0.05, 0.01, left), annealed(0.5, 0.02, left)], 15);
    Ok(())
}

#[test]
fn swalr_hypers() -> Result<()> {
    let sgd = sgd()?;
    let error = "exponential".parse::<Anneal>().unwrap_err();
    assert!(error.to_string().starts_with("anneal_strategy must"));
    let error = SwaLr::builder(&sgd, 1.0).anneal_epochs(-1).build().unwrap_err();
    assert!(error.to_string().starts_with("anneal_epochs must"));
    let error = SwaLr::builder(&sgd, [1.0, 0.1, 0.01]).build().unwrap_err();
    assert!(matches!(error, Error::ValuesPerGroup { name: "swa_lr", values: 3, groups: 2 }));
    assert!(error.to_string().starts_with("swa_lr must"));
    assert!(sgd.param_groups()[0].get("swa_lr").is_none());
    Ok(())
}
