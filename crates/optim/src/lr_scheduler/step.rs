//! Learning rates that fall at certain epochs: `StepLR` and `MultiStepLR`.

use super::arithmetic::{divides, floor_divide, power};
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::options::{float, integer};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Key, Value};

/// Multiplies the learning rate by `gamma` every `step_size` epochs; closed form
/// `initial_lr * gamma^floor(epoch / step_size)`.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, StepLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = StepLr::builder(&sgd, 2).gamma(0.5).build()?;
/// for lr in [1.0, 0.5, 0.5, 0.25] {
///     sgd.step()?;
///     scheduler.step();
///     assert_eq!(scheduler.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct StepLr(Leaf<Step>);

/// Multiplies the learning rate by `gamma` at each milestone, as often as the milestone is given; closed form
/// `initial_lr * gamma^(number of milestones up to the epoch)`.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, MultiStepLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = MultiStepLr::builder(&sgd, [2, 2, 4]).gamma(0.5).build()?;
/// for lr in [1.0, 0.25, 0.25, 0.125] {
///     sgd.step()?;
///     scheduler.step();
///     assert_eq!(scheduler.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct MultiStepLr(Leaf<MultiStep>);

scheduler!(StepLr);
scheduler!(MultiStepLr);

/// Options of a [`StepLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct StepLrBuilder {
    target: Target,
    step_size: i64,
    gamma: f64,
    last_epoch: i64,
}

impl StepLr {
    /// Starts a scheduler over this optimizer that acts every `step_size` epochs.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, step_size: i64) -> StepLrBuilder {
        StepLrBuilder { target: Target::of(optimizer), step_size, gamma: 0.1, last_epoch: -1 }
    }
}

impl StepLrBuilder {
    setters! {
        /// The factor (default 0.1).
        gamma: f64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a group has no `initial_lr` to go on from, or `step_size` is 0 and the epoch is not. The groups are
    /// then as they were.
    pub fn build(self) -> Result<StepLr> {
        let rollback = Rollback::of(&self.target);
        let formula = Step { step_size: self.step_size, gamma: self.gamma };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(StepLr(leaf))
    }
}

#[derive(Clone)]
struct Step {
    step_size: i64,
    gamma: f64,
}

impl Formula for Step {
    const CLASS: &'static str = "StepLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        if now.last_epoch == 0 || !divides(self.step_size.into(), now.last_epoch.into())? {
            return now.each_lr(|lr| lr);
        }
        now.each_lr(|lr| lr * self.gamma)
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let factor = power(self.gamma, floor_divide(now.last_epoch, self.step_size)?)?;
        Ok(now.each_base(|base| base * factor))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("step_size", self.step_size);
        dict.insert("gamma", self.gamma);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        Ok(Self { step_size: integer(saved, "step_size")?, gamma: float(saved, "gamma")? })
    }
}

/// Options of a [`MultiStepLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct MultiStepLrBuilder {
    target: Target,
    milestones: Vec<i64>,
    gamma: f64,
    last_epoch: i64,
}

impl MultiStepLr {
    /// Starts a scheduler over this optimizer that acts at these epochs, in any order.
    pub fn builder<O: Optimizer + ?Sized>(
        optimizer: &O,
        milestones: impl IntoIterator<Item = i64>,
    ) -> MultiStepLrBuilder {
        let milestones = milestones.into_iter().collect();
        MultiStepLrBuilder { target: Target::of(optimizer), milestones, gamma: 0.1, last_epoch: -1 }
    }
}

impl MultiStepLrBuilder {
    setters! {
        /// The factor (default 0.1).
        gamma: f64;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<MultiStepLr> {
        let rollback = Rollback::of(&self.target);
        let formula = MultiStep { milestones: count(&self.milestones), gamma: self.gamma };
        let leaf = Leaf::start(&self.target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(MultiStepLr(leaf))
    }
}

/// Python's `Counter`: how often each number occurs, in the order in which they first do.
fn count(milestones: &[i64]) -> Vec<(i64, i64)> {
    let mut counts: Vec<(i64, i64)> = Vec::new();
    for &milestone in milestones {
        match counts.iter_mut().find(|(at, _)| *at == milestone) {
            Some((_, times)) => *times += 1,
            None => counts.push((milestone, 1)),
        }
    }
    counts
}

#[derive(Clone)]
struct MultiStep {
    /// Milestones and how often each occurs.
    milestones: Vec<(i64, i64)>,
    gamma: f64,
}

impl Formula for MultiStep {
    const CLASS: &'static str = "MultiStepLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        match self.milestones.iter().find(|(at, _)| *at == now.last_epoch) {
            None => now.each_lr(|lr| lr),
            Some(&(_, times)) => {
                let factor = power(self.gamma, times as f64)?;
                now.each_lr(|lr| lr * factor)
            }
        }
    }

    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        let passed: i64 = self.milestones.iter().filter(|(at, _)| *at <= now.last_epoch).map(|(_, times)| times).sum();
        let factor = power(self.gamma, passed as f64)?;
        Ok(now.each_base(|base| base * factor))
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("milestones", Dict::from_iter(self.milestones.iter().copied()));
        dict.insert("gamma", self.gamma);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        let wrong = || Error::StateMismatch(String::from("'milestones' is no dict from epochs to counts"));
        let counts = saved.require("milestones")?.as_dict().ok_or_else(wrong)?;
        let pair = |(at, times): (&Key, &Value)| Some((at.as_int()?, times.as_int().filter(|&n| n >= 0)?));
        let milestones = counts.iter().map(|entry| pair(entry).ok_or_else(wrong)).collect::<Result<_>>()?;
        Ok(Self { milestones, gamma: float(saved, "gamma")? })
    }
}
