//! Learning rates along a cosine that begins anew: `CosineAnnealingWarmRestarts`.

use super::arithmetic::divide;
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates, State, Turn};
use super::node::{Rollback, Target};
use super::options::{float, integer};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::f64::consts::PI;

/// Lets the learning rate go to `eta_min` along half a period of the cosine, again and again from the initial
/// one; the first run takes `t_0` epochs, each following `t_mult` times as many.
///
/// With `t` epochs since the last restart and `t_i` epochs from it to the next,
/// `lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * t / t_i)) / 2`: equation 5 of "SGDR: Stochastic
/// Gradient Descent with Warm Restarts" (Loshchilov and Hutter, 2017). As in torch no step warns, neither of
/// the order of steps nor of [`step_epoch`](super::LrScheduler::step_epoch), and going on from an epoch
/// (`last_epoch`) starts a new run. A learning rate that is a tensor stays that tensor, where torch replaces
/// it.
///
/// ```
/// use optim::lr_scheduler::{CosineAnnealingWarmRestarts, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = CosineAnnealingWarmRestarts::builder(&sgd, 2).t_mult(2).build()?;
/// for lr in [0.5, 1.0, 0.853553, 0.5, 0.146447, 1.0] {
///     sgd.step()?;
///     scheduler.step();
///     assert!((scheduler.get_last_lr()[0] - lr).abs() < 1e-6);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct CosineAnnealingWarmRestarts(Leaf<WarmRestarts>);

scheduler!(CosineAnnealingWarmRestarts);

/// Options of a [`CosineAnnealingWarmRestarts`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct CosineAnnealingWarmRestartsBuilder {
    target: Target,
    t_0: i64,
    t_mult: i64,
    eta_min: f64,
    last_epoch: i64,
}

impl CosineAnnealingWarmRestarts {
    /// Starts a scheduler over this optimizer whose first restart is at epoch `t_0`.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, t_0: i64) -> CosineAnnealingWarmRestartsBuilder {
        let target = Target::of(optimizer);
        CosineAnnealingWarmRestartsBuilder { target, t_0, t_mult: 1, eta_min: 0.0, last_epoch: -1 }
    }

    /// Goes to an epoch that need not be whole, such as `epoch + batch / batches`.
    ///
    /// ```
    /// use optim::lr_scheduler::{CosineAnnealingWarmRestarts, LrScheduler};
    /// use optim::Sgd;
    /// use tape::Tensor;
    /// let p = Tensor::from([1.0]).requires_grad_(true);
    /// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
    /// let scheduler = CosineAnnealingWarmRestarts::builder(&sgd, 1).build()?;
    /// scheduler.step_at(3.5)?;
    /// assert!((scheduler.get_last_lr()[0] - 0.5).abs() < 1e-15);
    /// # Ok::<(), optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the epoch is negative or no number. Nothing has changed then.
    pub fn step_at(&self, epoch: f64) -> Result<()> {
        self.0.transact(None, false, |state, turn| {
            go_to(state, epoch)?;
            state.formula.chainable(&state.now(turn))
        })
    }
}

impl CosineAnnealingWarmRestartsBuilder {
    setters! {
        /// By how much each run is longer than the one before (default 1).
        t_mult: i64;
        /// The learning rate at the minimum (default 0).
        eta_min: f64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If `t_0` or `t_mult` is below 1, or a group has no `initial_lr` to go on from. The groups are then as
    /// they were.
    pub fn build(self) -> Result<CosineAnnealingWarmRestarts> {
        let Self { target, t_0, t_mult, eta_min, last_epoch } = self;
        if t_0 <= 0 {
            return Err(Error::InvalidScheduler(format!("Expected positive integer T_0, but got {t_0}")));
        }
        if t_mult < 1 {
            return Err(Error::InvalidScheduler(format!("Expected integer T_mult >= 1, but got {t_mult}")));
        }
        let rollback = Rollback::of(&target);
        let formula = WarmRestarts { t_0, t_i: t_0 as f64, t_mult, eta_min, t_cur: last_epoch as f64 };
        let leaf = Leaf::start(&target, formula, last_epoch)?;
        rollback.keep();
        Ok(CosineAnnealingWarmRestarts(leaf))
    }
}

#[derive(Clone)]
struct WarmRestarts {
    t_0: i64,
    /// Epochs of the present run.
    t_i: f64,
    t_mult: i64,
    eta_min: f64,
    /// Epochs since its start.
    t_cur: f64,
}

/// Sets run and position for an epoch; torch's `step(epoch)`.
fn go_to(state: &mut State<WarmRestarts>, epoch: f64) -> Result<()> {
    if !(epoch >= 0.0 && epoch.is_finite()) {
        let epoch = if epoch.fract() == 0.0 { Value::from(epoch as i64) } else { epoch.into() };
        return Err(Error::InvalidScheduler(format!("Expected non-negative epoch, but got {epoch}")));
    }
    let run = &mut state.formula;
    let (t_0, t_mult) = (run.t_0 as f64, run.t_mult as f64);
    if epoch < t_0 {
        run.t_i = t_0;
        run.t_cur = epoch;
    } else if run.t_mult == 1 {
        run.t_cur = epoch % t_0;
    } else {
        // Restarts so far: the runs before took t_0 * (t_mult^n - 1) / (t_mult - 1) epochs.
        let restarts = ((epoch / t_0 * (t_mult - 1.0) + 1.0).ln() / t_mult.ln()).trunc();
        let longer = t_mult.powf(restarts);
        run.t_cur = epoch - t_0 * (longer - 1.0) / (t_mult - 1.0);
        run.t_i = t_0 * longer;
    }
    state.last_epoch = epoch.floor() as i64;
    Ok(())
}

/// An integer where the number is whole, as torch has it after whole epochs.
fn whole(number: f64) -> Value {
    let integer = number as i64;
    if integer as f64 == number { integer.into() } else { number.into() }
}

impl Formula for WarmRestarts {
    const CLASS: &'static str = "CosineAnnealingWarmRestarts";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let height = 1.0 + divide(PI * self.t_cur, self.t_i)?.cos();
        Ok(now.each_base(|base| self.eta_min + (base - self.eta_min) * height / 2.0))
    }

    fn turn(state: &mut State<Self>, turn: &Turn<'_>) -> Result<Rates> {
        match turn.epoch {
            Some(epoch) => go_to(state, epoch as f64)?,
            None if state.last_epoch < 0 => go_to(state, 0.0)?,
            None => {
                state.last_epoch = state.last_epoch.saturating_add(1);
                let run = &mut state.formula;
                run.t_cur += 1.0;
                if run.t_cur >= run.t_i {
                    run.t_cur %= run.t_i;
                    run.t_i *= run.t_mult as f64;
                }
            }
        }
        state.formula.chainable(&state.now(turn))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("T_0", self.t_0);
        dict.insert("T_i", whole(self.t_i));
        dict.insert("T_mult", self.t_mult);
        dict.insert("eta_min", self.eta_min);
        dict.insert("T_cur", whole(self.t_cur));
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self {
            t_0: integer(saved, "T_0")?,
            t_i: float(saved, "T_i")?,
            t_mult: integer(saved, "T_mult")?,
            eta_min: float(saved, "eta_min")?,
            t_cur: float(saved, "T_cur")?,
        })
    }
}
