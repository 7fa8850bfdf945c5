//! `CyclicLR` and `OneCycleLR`, under the names of torch's `test_lrscheduler.py` without `test_`.

mod schedule;

use optim::lr_scheduler::*;
use optim::{Error, Lbfgs, ParamGroup, Result, Sgd};
use schedule::*;

/// Up in four steps, down in four.
const TRIANGLES: [f64; 11] = [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0];

/// Each triangle half as high as the one before.
const SHRINKING: [f64; 22] =
    [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.5, 2.0, 2.5, 3.0, 2.5, 2.0, 1.5, 1.0, 1.25, 1.5, 1.75, 2.0, 1.75];

/// The share of the height in a cycle of four steps up and four down.
const SHARES: [f64; 13] = [0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0, 0.25, 0.5, 0.75, 1.0];

/// Momenta between 1 and 5 go against learning rates between 1 and 5.
fn against(lrs: &[f64]) -> Vec<f64> {
    lrs.iter().map(|lr| 6.0 - lr).collect()
}

fn shifted(numbers: &[f64], by: f64) -> Vec<f64> {
    numbers.iter().map(|x| x + by).collect()
}

/// Cycles between 1 and 5, learning rate and momentum.
fn one_to_five(sgd: &Sgd) -> CyclicLrBuilder {
    CyclicLr::builder(sgd, 1.0, 5.0).step_size_up(4).base_momentum(1.0).max_momentum(5.0)
}

fn check_same_in_both_groups(sgd: &Sgd, scheduler: &CyclicLr, lrs: &[f64]) {
    let (lr_targets, momenta) = (vec![lrs.to_vec(); 2], vec![against(lrs); 2]);
    check_cycle(sgd, scheduler, &lr_targets, Some(&momenta), lrs.len());
}

#[test]
fn cycle_lr_invalid_mode() {
    let error = "CATS".parse::<CyclicMode>().unwrap_err();
    assert!(error.to_string().starts_with("mode is invalid and scale_fn is None"));
}

#[test]
fn cycle_lr_triangular_mode_one_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_to_five(&sgd).build()?;
    check_same_in_both_groups(&sgd, &scheduler, &TRIANGLES);
    Ok(())
}

#[test]
fn cycle_lr_triangular_mode_one_lr_no_momentum() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = CyclicLr::builder(&sgd, 1.0, 5.0).step_size_up(4).cycle_momentum(false).build()?;
    let momenta = vec![vec![0.0; 11]; 2];
    check_cycle(&sgd, &scheduler, &vec![TRIANGLES.to_vec(); 2], Some(&momenta), 11);
    Ok(())
}

#[test]
fn cycle_lr_triangular2_mode_one_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_to_five(&sgd).mode(CyclicMode::Triangular2).build()?;
    check_same_in_both_groups(&sgd, &scheduler, &SHRINKING);
    Ok(())
}

/// Learning rates between two numbers, with a height that falls by a tenth each step.
fn exp_range(shares: &[f64], base: f64, max: f64) -> Vec<f64> {
    shares.iter().enumerate().map(|(i, x)| base + x * (max - base) * 0.9_f64.powf(i as f64)).collect()
}

fn exp_range_momenta(shares: &[f64], base: f64, max: f64) -> Vec<f64> {
    shares.iter().enumerate().map(|(i, x)| max - x * (max - base) * 0.9_f64.powf(i as f64)).collect()
}

#[test]
fn cycle_lr_exp_range_mode_one_lr() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_to_five(&sgd).mode(CyclicMode::ExpRange).gamma(0.9).build()?;
    check_same_in_both_groups(&sgd, &scheduler, &exp_range(&SHARES, 1.0, 5.0));
    Ok(())
}

#[test]
fn cycle_lr_triangular_mode() -> Result<()> {
    let sgd = sgd()?;
    let builder = CyclicLr::builder(&sgd, [1.0, 2.0], [5.0, 6.0]).step_size_up(4);
    let scheduler = builder.base_momentum([1.0, 2.0]).max_momentum([5.0, 6.0]).build()?;
    let lrs = [TRIANGLES.to_vec(), shifted(&TRIANGLES, 1.0)];
    let momenta = [against(&TRIANGLES), shifted(&against(&TRIANGLES), 1.0)];
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 11);
    Ok(())
}

#[test]
fn cycle_lr_triangular2_mode() -> Result<()> {
    let sgd = sgd()?;
    let builder = CyclicLr::builder(&sgd, [1.0, 3.0], [5.0, 7.0]).step_size_up(4).mode(CyclicMode::Triangular2);
    let scheduler = builder.base_momentum([1.0, 3.0]).max_momentum([5.0, 7.0]).build()?;
    let lrs = [SHRINKING.to_vec(), shifted(&SHRINKING, 2.0)];
    let momenta = [against(&SHRINKING), shifted(&against(&SHRINKING), 2.0)];
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 22);
    Ok(())
}

#[test]
fn cycle_lr_exp_range_mode() -> Result<()> {
    let sgd = sgd()?;
    let builder = CyclicLr::builder(&sgd, [1.0, 5.0], [5.0, 12.0]).step_size_up(4);
    let builder = builder.mode(CyclicMode::ExpRange).gamma(0.9);
    let scheduler = builder.base_momentum([1.0, 5.0]).max_momentum([5.0, 12.0]).build()?;
    let lrs = [exp_range(&SHARES, 1.0, 5.0), exp_range(&SHARES, 5.0, 12.0)];
    let momenta = [exp_range_momenta(&SHARES, 1.0, 5.0), exp_range_momenta(&SHARES, 5.0, 12.0)];
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 13);
    Ok(())
}

#[test]
fn cycle_lr_triangular_mode_step_size_up_down() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_to_five(&sgd).step_size_down(6).build()?;
    let thirds = [3.0, 6.0, 9.0, 12.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0];
    let lrs: Vec<f64> = thirds.iter().map(|x| x / 3.0).collect();
    check_same_in_both_groups(&sgd, &scheduler, &lrs);
    Ok(())
}

#[test]
fn cycle_lr_triangular2_mode_step_size_up_down() -> Result<()> {
    let sgd = sgd()?;
    let builder = CyclicLr::builder(&sgd, [1.0, 3.0], [5.0, 7.0]).step_size_up(2).step_size_down(6);
    let builder = builder.mode(CyclicMode::Triangular2);
    let scheduler = builder.base_momentum([1.0, 3.0]).max_momentum([5.0, 7.0]).build()?;
    let sixths = [
        6.0, 18.0, 30.0, 26.0, 22.0, 18.0, 14.0, 10.0, 6.0, 12.0, 18.0, 16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 9.0, 12.0,
        11.0, 10.0, 9.0, 8.0, 7.0,
    ];
    let single: Vec<f64> = sixths.iter().map(|x| x / 6.0).collect();
    let lrs = [single.clone(), shifted(&single, 2.0)];
    let momenta = [against(&single), shifted(&against(&single), 2.0)];
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 24);
    Ok(())
}

#[test]
fn cycle_lr_exp_range_mode_step_size_up_down() -> Result<()> {
    let sgd = sgd()?;
    let builder = one_to_five(&sgd).step_size_up(2).step_size_down(6);
    let scheduler = builder.mode(CyclicMode::ExpRange).gamma(0.9).build()?;
    let sixths = [0.0, 3.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0, 3.0, 6.0, 5.0, 4.0];
    let shares: Vec<f64> = sixths.iter().map(|x| x / 6.0).collect();
    check_same_in_both_groups(&sgd, &scheduler, &exp_range(&shares, 1.0, 5.0));
    Ok(())
}

/// Adam takes the place of the momentumless optimizer in torch, and has `betas`; L-BFGS has neither.
#[test]
fn cycle_lr_with_momentumless_optimizer() -> Result<()> {
    let lbfgs = Lbfgs::builder([parameter()]).build()?;
    let scheduler = CyclicLr::builder(&lbfgs, 1.0, 5.0).step_size_up(4).cycle_momentum(false).build()?;
    for lr in TRIANGLES {
        assert_eq!(scheduler.get_last_lr(), [lr]);
        scheduler.step();
    }
    Ok(())
}

#[test]
fn cycle_lr_cycle_momentum_fail_with_momentumless_optimizer() -> Result<()> {
    let lbfgs = Lbfgs::builder([parameter()]).build()?;
    let error = CyclicLr::builder(&lbfgs, 1.0, 5.0).build().unwrap_err();
    assert!(matches!(error, Error::NoMomentum));
    let text = "optimizer must support momentum or beta1 with `cycle_momentum` option enabled";
    assert!(error.to_string().starts_with(text));
    let error = OneCycleLr::builder(&lbfgs, 1.0).total_steps(10).build().unwrap_err();
    assert!(matches!(error, Error::NoMomentum));
    Ok(())
}

#[test]
fn onecycle_lr_invalid_anneal_strategy() {
    let error = "CATS".parse::<Anneal>().unwrap_err();
    assert_eq!(error.to_string(), "anneal_strategy must be one of 'cos' or 'linear', instead got CATS");
}

#[test]
fn onecycle_lr_invalid_pct_start() -> Result<()> {
    let sgd = sgd()?;
    let error = OneCycleLr::builder(&sgd, 1e-3).total_steps(10).pct_start(1.1).build().unwrap_err();
    assert_eq!(error.to_string(), "Expected float between 0 and 1 pct_start, but got 1.1");
    Ok(())
}

#[test]
fn onecycle_lr_cannot_calculate_total_steps() -> Result<()> {
    let sgd = sgd()?;
    let error = OneCycleLr::builder(&sgd, 1e-3).build().unwrap_err();
    assert_eq!(error.to_string(), "You must define either total_steps OR (epochs AND steps_per_epoch)");
    Ok(())
}

/// The learning rates and momenta of a cycle between 1, 25 and 0.5 and between 22 and 1.
const LINEAR_CYCLE: [f64; 10] = [1.0, 13.0, 25.0, 21.5, 18.0, 14.5, 11.0, 7.5, 4.0, 0.5];
const LINEAR_MOMENTA: [f64; 10] = [22.0, 11.5, 1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0];

fn one_cycle(optimizer: &dyn optim::Optimizer) -> OneCycleLrBuilder {
    let builder = OneCycleLr::builder(optimizer, 25.0).total_steps(10).final_div_factor(2.0);
    builder.base_momentum(1.0).max_momentum(22.0)
}

#[test]
fn onecycle_lr_linear_annealing() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_cycle(&sgd).anneal_strategy(Anneal::Linear).build()?;
    let (lrs, momenta) = (vec![LINEAR_CYCLE.to_vec(); 2], vec![LINEAR_MOMENTA.to_vec(); 2]);
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 10);
    Ok(())
}

#[test]
fn onecycle_lr_linear_annealing_three_phases() -> Result<()> {
    let sgd = sgd()?;
    let builder = one_cycle(&sgd).div_factor(25.0).final_div_factor(4.0).anneal_strategy(Anneal::Linear);
    let scheduler = builder.pct_start(0.4).three_phase(true).build()?;
    let lrs = vec![vec![1.0, 9.0, 17.0, 25.0, 17.0, 9.0, 1.0, 0.75, 0.5, 0.25]; 2];
    let momenta = vec![vec![22.0, 15.0, 8.0, 1.0, 8.0, 15.0, 22.0, 22.0, 22.0, 22.0]; 2];
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 10);
    Ok(())
}

/// Two steps up and seven along half a cosine.
fn cosine_cycle(start: f64, top: f64, end: f64) -> Vec<f64> {
    let mut targets = vec![start, (start + top) / 2.0];
    targets.extend(series(8, |i| end + (top - end) / 2.0 * ((std::f64::consts::PI * i / 7.0).cos() + 1.0)));
    targets
}

#[test]
fn onecycle_lr_cosine_annealing() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_cycle(&sgd).build()?;
    let (lrs, momenta) = (vec![cosine_cycle(1.0, 25.0, 0.5); 2], vec![cosine_cycle(22.0, 1.0, 22.0); 2]);
    check_cycle(&sgd, &scheduler, &lrs, Some(&momenta), 10);
    Ok(())
}

#[test]
fn onecycle_lr_legacy_state_dict() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = one_cycle(&sgd).build()?;
    let mut state = scheduler.state_dict();
    state.as_dict_mut().expect("a state is a dict").remove("_anneal_func_type");
    scheduler.load_state_dict(state)?;
    check_cycle(&sgd, &scheduler, &vec![cosine_cycle(1.0, 25.0, 0.5); 2], None, 10);
    Ok(())
}

#[test]
fn onecycle_lr_says_when_it_is_over_and_stays() -> Result<()> {
    let sgd = sgd()?;
    let scheduler = OneCycleLr::builder(&sgd, 0.1).total_steps(10).build()?;
    for _ in 0..10 {
        sgd.step()?;
        scheduler.try_step()?;
    }
    let before = (scheduler.state_dict(), scheduler.get_last_lr());
    let error = scheduler.try_step().unwrap_err();
    assert_eq!(error.to_string(), "Tried to step 11 times. The specified number of total steps is 10");
    let panic = panic_of(|| scheduler.step());
    assert_eq!(panic, "step: Tried to step 11 times. The specified number of total steps is 10");
    assert_eq!((scheduler.state_dict(), scheduler.get_last_lr()), before);
    Ok(())
}

#[test]
fn a_group_added_later_is_reported() -> Result<()> {
    use optim::Optimizer;
    let sgd = sgd()?;
    let scheduler = OneCycleLr::builder(&sgd, 0.1).total_steps(10).build()?;
    sgd.add_param_group(ParamGroup::new([parameter()]))?;
    let before = sgd.state_dict().deep_copy();
    assert!(matches!(scheduler.try_step(), Err(Error::MissingOption("initial_lr"))));
    assert_eq!(sgd.state_dict(), before);
    Ok(())
}
