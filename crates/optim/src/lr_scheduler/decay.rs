//! Learning rates that fall all the time: `ExponentialLR` and `PolynomialLR`.

use super::arithmetic::{divide, power, ratio};
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::options::{float, integer};
use super::{scheduler, setters};
use crate::{Optimizer, Result};
use checkpoint::{Dict, Value};

/// Multiplies the learning rate by `gamma` every epoch; closed form `initial_lr * gamma^epoch`.
///
/// ```
/// use optim::lr_scheduler::{ExponentialLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = ExponentialLr::builder(&sgd, 0.5).build()?;
/// for lr in [0.5, 0.25, 0.125] {
///     sgd.step()?;
///     scheduler.step();
///     assert_eq!(scheduler.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct ExponentialLr(Leaf<Exponential>);

/// Lets the learning rate fall to 0 in `total_iters` epochs along a polynomial; closed form
/// `initial_lr * (1 - min(total, epoch) / total)^power`.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, PolynomialLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = PolynomialLr::builder(&sgd).total_iters(4).power(2.0).build()?;
/// for lr in [0.5625, 0.25, 0.0625, 0.0, 0.0] {
///     sgd.step()?;
///     scheduler.step();
///     assert!((scheduler.get_last_lr()[0] - lr).abs() < 1e-15);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct PolynomialLr(Leaf<Polynomial>);

scheduler!(ExponentialLr);
scheduler!(PolynomialLr);

/// Options of an [`ExponentialLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct ExponentialLrBuilder {
    target: Target,
    gamma: f64,
    last_epoch: i64,
}

impl ExponentialLr {
    /// Starts a scheduler over this optimizer with this factor.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, gamma: f64) -> ExponentialLrBuilder {
        ExponentialLrBuilder { target: Target::of(optimizer), gamma, last_epoch: -1 }
    }
}

impl ExponentialLrBuilder {
    setters! {
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<ExponentialLr> {
        let rollback = Rollback::of(&self.target);
        let leaf = Leaf::start(&self.target, Exponential { gamma: self.gamma }, self.last_epoch)?;
        rollback.keep();
        Ok(ExponentialLr(leaf))
    }
}

#[derive(Clone)]
struct Exponential {
    gamma: f64,
}

impl Formula for Exponential {
    const CLASS: &'static str = "ExponentialLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        now.each_lr(|lr| if now.initial { lr } else { lr * self.gamma })
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let factor = power(self.gamma, now.last_epoch as f64)?;
        Ok(now.each_base(|base| base * factor))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("gamma", self.gamma);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self { gamma: float(saved, "gamma")? })
    }
}

/// Options of a [`PolynomialLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct PolynomialLrBuilder {
    target: Target,
    total_iters: i64,
    power: f64,
    last_epoch: i64,
}

impl PolynomialLr {
    /// Starts a scheduler over this optimizer.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O) -> PolynomialLrBuilder {
        PolynomialLrBuilder { target: Target::of(optimizer), total_iters: 5, power: 1.0, last_epoch: -1 }
    }
}

impl PolynomialLrBuilder {
    setters! {
        /// The epoch at which 0 is reached (default 5).
        total_iters: i64;
        /// The exponent (default 1).
        power: f64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<PolynomialLr> {
        let rollback = Rollback::of(&self.target);
        let formula = Polynomial { total_iters: self.total_iters, power: self.power };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(PolynomialLr(leaf))
    }
}

#[derive(Clone)]
struct Polynomial {
    total_iters: i64,
    power: f64,
}

impl Polynomial {
    /// What is left of the way at an epoch.
    fn left(&self, epoch: i64) -> Result<f64> {
        Ok(1.0 - ratio(epoch, self.total_iters)?)
    }
}

impl Formula for Polynomial {
    const CLASS: &'static str = "PolynomialLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        if now.initial || now.last_epoch > self.total_iters {
            return now.each_lr(|lr| lr);
        }
        let quotient = divide(self.left(now.last_epoch)?, self.left(now.last_epoch.saturating_sub(1))?)?;
        let factor = power(quotient, self.power)?;
        now.each_lr(|lr| lr * factor)
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let factor = power(self.left(self.total_iters.min(now.last_epoch))?, self.power)?;
        Ok(now.each_base(|base| base * factor))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("total_iters", self.total_iters);
        dict.insert("power", self.power);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self { total_iters: integer(saved, "total_iters")?, power: float(saved, "power")? })
    }
}
