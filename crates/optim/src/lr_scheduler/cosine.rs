//! Learning rates along a cosine: `CosineAnnealingLR`.

use super::arithmetic::{divide, divides};
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::options::{float, integer};
use super::{scheduler, setters};
use crate::{Optimizer, Result};
use checkpoint::{Dict, Value};
use std::f64::consts::PI;

/// Lets the learning rate go to `eta_min` in `t_max` epochs along half a period of the cosine, and back in the
/// next `t_max`; closed form `eta_min + (initial_lr - eta_min) * (1 + cos(pi * epoch / t_max)) / 2`.
///
/// Cosine annealing of "SGDR: Stochastic Gradient Descent with Warm Restarts" (Loshchilov and Hutter, 2017),
/// without the restarts; those are [`CosineAnnealingWarmRestarts`](super::CosineAnnealingWarmRestarts).
///
/// ```
/// use optim::lr_scheduler::{CosineAnnealingLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = CosineAnnealingLr::builder(&sgd, 3).build()?;
/// for lr in [0.75, 0.25, 0.0, 0.25, 0.75, 1.0, 0.75] {
///     sgd.step()?;
///     scheduler.step();
///     assert!((scheduler.get_last_lr()[0] - lr).abs() < 1e-15);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct CosineAnnealingLr(Leaf<Cosine>);

scheduler!(CosineAnnealingLr);

/// Options of a [`CosineAnnealingLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct CosineAnnealingLrBuilder {
    target: Target,
    t_max: i64,
    eta_min: f64,
    last_epoch: i64,
}

impl CosineAnnealingLr {
    /// Starts a scheduler over this optimizer that reaches its minimum at epoch `t_max`.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, t_max: i64) -> CosineAnnealingLrBuilder {
        CosineAnnealingLrBuilder { target: Target::of(optimizer), t_max, eta_min: 0.0, last_epoch: -1 }
    }
}

impl CosineAnnealingLrBuilder {
    setters! {
        /// The learning rate at the minimum (default 0).
        eta_min: f64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<CosineAnnealingLr> {
        let rollback = Rollback::of(&self.target);
        let formula = Cosine { t_max: self.t_max, eta_min: self.eta_min };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(CosineAnnealingLr(leaf))
    }
}

#[derive(Clone)]
struct Cosine {
    t_max: i64,
    eta_min: f64,
}

impl Cosine {
    /// `1 + cos(pi * epoch / t_max)`.
    fn height(&self, epoch: f64) -> Result<f64> {
        Ok(1.0 + divide(PI * epoch, self.t_max as f64)?.cos())
    }
}

impl Formula for Cosine {
    const CLASS: &'static str = "CosineAnnealingLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        if now.initial {
            return now.each_lr(|lr| lr);
        }
        if now.step_count == 1 && now.last_epoch > 0 {
            return self.closed_form(now);
        }
        let (epoch, t_max) = (i128::from(now.last_epoch), i128::from(self.t_max));
        if divides(2 * t_max, epoch - 1 - t_max)? {
            // The epoch before was a minimum, where the quotient below has no value.
            let rise = 1.0 - divide(PI, self.t_max as f64)?.cos();
            let lrs = now.lrs()?.into_iter().zip(now.base_lrs);
            let lrs = lrs.map(|(lr, base)| lr + (base - self.eta_min) * rise / 2.0);
            return Ok(lrs.collect::<Vec<_>>().into());
        }
        let epoch = now.last_epoch as f64;
        let quotient = divide(self.height(epoch)?, self.height(epoch - 1.0)?)?;
        now.each_lr(|lr| quotient * (lr - self.eta_min) + self.eta_min)
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let height = self.height(now.last_epoch as f64)?;
        Ok(now.each_base(|base| self.eta_min + (base - self.eta_min) * height / 2.0))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("T_max", self.t_max);
        dict.insert("eta_min", self.eta_min);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self { t_max: integer(saved, "T_max")?, eta_min: float(saved, "eta_min")? })
    }
}
