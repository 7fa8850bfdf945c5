//! Learning rates that are a fraction of the full one for some epochs: `ConstantLR` and `LinearLR`.

use super::arithmetic::divide;
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::options::{float, integer};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};

/// Multiplies the learning rate by `factor` until epoch `total_iters`, and then takes that back; closed form
/// `initial_lr * factor` before, `initial_lr` from then on.
///
/// ```
/// use optim::lr_scheduler::{ConstantLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = ConstantLr::builder(&sgd).factor(0.5).total_iters(2).build()?;
/// assert_eq!(scheduler.get_last_lr(), [0.5]);
/// for lr in [0.5, 1.0, 1.0] {
///     sgd.step()?;
///     scheduler.step();
///     assert_eq!(scheduler.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct ConstantLr(Leaf<Constant>);

/// Multiplies the learning rate by a factor that goes straight from `start_factor` to `end_factor` in
/// `total_iters` epochs; closed form `initial_lr * (start + (end - start) * min(total, epoch) / total)`.
///
/// ```
/// use optim::lr_scheduler::{LinearLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = LinearLr::builder(&sgd).start_factor(0.5).total_iters(2).build()?;
/// assert_eq!(scheduler.get_last_lr(), [0.5]);
/// for lr in [0.75, 1.0, 1.0] {
///     sgd.step()?;
///     scheduler.step();
///     assert_eq!(scheduler.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct LinearLr(Leaf<Linear>);

scheduler!(ConstantLr);
scheduler!(LinearLr);

/// Options of a [`ConstantLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct ConstantLrBuilder {
    target: Target,
    factor: f64,
    total_iters: i64,
    last_epoch: i64,
}

impl ConstantLr {
    /// Starts a scheduler over this optimizer.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O) -> ConstantLrBuilder {
        ConstantLrBuilder { target: Target::of(optimizer), factor: 1.0 / 3.0, total_iters: 5, last_epoch: -1 }
    }
}

impl ConstantLrBuilder {
    setters! {
        /// The factor, from 0 to 1 (default 1/3). It is taken back by a division, so 0 ends in an error.
        factor: f64;
        /// The epoch at which the factor ends (default 5).
        total_iters: i64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If the factor is not within its bounds, or a group has no `initial_lr` to go on from. The groups are
    /// then as they were.
    pub fn build(self) -> Result<ConstantLr> {
        if self.factor > 1.0 || self.factor < 0.0 {
            return Err(invalid("Constant multiplicative factor expected to be between 0 and 1.", self.factor));
        }
        let rollback = Rollback::of(&self.target);
        let formula = Constant { factor: self.factor, total_iters: self.total_iters };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(ConstantLr(leaf))
    }
}

fn invalid(text: &str, factor: f64) -> Error {
    Error::InvalidScheduler(format!("{text} It is {}", Value::from(factor)))
}

#[derive(Clone)]
struct Constant {
    factor: f64,
    total_iters: i64,
}

impl Formula for Constant {
    const CLASS: &'static str = "ConstantLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        if now.last_epoch == 0 {
            return now.each_lr(|lr| lr * self.factor);
        }
        if now.last_epoch != self.total_iters {
            return now.each_lr(|lr| lr);
        }
        let back = divide(1.0, self.factor)?;
        now.each_lr(|lr| lr * back)
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let over = f64::from(now.last_epoch >= self.total_iters);
        Ok(now.each_base(|base| base * (self.factor + over * (1.0 - self.factor))))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("factor", self.factor);
        dict.insert("total_iters", self.total_iters);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self { factor: float(saved, "factor")?, total_iters: integer(saved, "total_iters")? })
    }
}

/// Options of a [`LinearLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct LinearLrBuilder {
    target: Target,
    start_factor: f64,
    end_factor: f64,
    total_iters: i64,
    last_epoch: i64,
}

impl LinearLr {
    /// Starts a scheduler over this optimizer.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O) -> LinearLrBuilder {
        LinearLrBuilder {
            target: Target::of(optimizer),
            start_factor: 1.0 / 3.0,
            end_factor: 1.0,
            total_iters: 5,
            last_epoch: -1,
        }
    }
}

impl LinearLrBuilder {
    setters! {
        /// The factor of epoch 0, above 0 and up to 1 (default 1/3).
        start_factor: f64;
        /// The factor from epoch `total_iters` on, from 0 to 1 (default 1).
        end_factor: f64;
        /// The epoch at which the end is reached (default 5).
        total_iters: i64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a factor is not within its bounds, or a group has no `initial_lr` to go on from. The groups are then
    /// as they were.
    pub fn build(self) -> Result<LinearLr> {
        if self.start_factor > 1.0 || self.start_factor <= 0.0 {
            let text = "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.";
            return Err(invalid(text, self.start_factor));
        }
        if self.end_factor > 1.0 || self.end_factor < 0.0 {
            return Err(invalid("Ending multiplicative factor expected to be between 0 and 1.", self.end_factor));
        }
        let rollback = Rollback::of(&self.target);
        let formula =
            Linear { start_factor: self.start_factor, end_factor: self.end_factor, total_iters: self.total_iters };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(LinearLr(leaf))
    }
}

#[derive(Clone)]
struct Linear {
    start_factor: f64,
    end_factor: f64,
    total_iters: i64,
}

impl Formula for Linear {
    const CLASS: &'static str = "LinearLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        if now.last_epoch == 0 {
            return now.each_lr(|lr| lr * self.start_factor);
        }
        if now.initial || now.last_epoch > self.total_iters {
            return now.each_lr(|lr| lr);
        }
        let rise = self.end_factor - self.start_factor;
        let before = self.total_iters as f64 * self.start_factor + (now.last_epoch as f64 - 1.0) * rise;
        let factor = 1.0 + divide(rise, before)?;
        now.each_lr(|lr| lr * factor)
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let passed = self.total_iters.min(now.last_epoch) as f64;
        let rise = divide((self.end_factor - self.start_factor) * passed, self.total_iters as f64)?;
        Ok(now.each_base(|base| base * (self.start_factor + rise)))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("start_factor", self.start_factor);
        dict.insert("end_factor", self.end_factor);
        dict.insert("total_iters", self.total_iters);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self {
            start_factor: float(saved, "start_factor")?,
            end_factor: float(saved, "end_factor")?,
            total_iters: integer(saved, "total_iters")?,
        })
    }
}
