//! Learning rates that settle at a fixed value, for averaging weights: `SWALR`.

use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::options::{Anneal, PerGroup, integer, option, text};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::f64::consts::PI;

/// Brings the learning rate to `swa_lr` in `anneal_epochs` epochs and keeps it there: the schedule of
/// "Averaging Weights Leads to Wider Optima and Better Generalization" (Izmailov et al., 2018).
///
/// At step `n`, with `t = min(1, n / anneal_epochs)` and `a = t` or `a = (1 - cos(pi * t)) / 2`,
/// `lr = swa_lr * a + l * (1 - a)`, where `l` is the learning rate there would be without annealing, computed
/// back from the one found in the group.
///
/// ```
/// use optim::lr_scheduler::{Anneal, LrScheduler, SwaLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let swa = SwaLr::builder(&sgd, 0.5).anneal_epochs(2).anneal_strategy(Anneal::Linear).build()?;
/// for lr in [0.75, 0.5, 0.5] {
///     sgd.step()?;
///     swa.step();
///     assert_eq!(swa.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct SwaLr(Leaf<Swa>);

scheduler!(SwaLr);

/// Options of a [`SwaLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct SwaLrBuilder {
    target: Target,
    swa_lr: PerGroup,
    anneal_epochs: i64,
    anneal_strategy: Anneal,
    last_epoch: i64,
}

impl SwaLr {
    /// Starts a scheduler over this optimizer that settles at this learning rate, or at one for each group.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, swa_lr: impl Into<PerGroup>) -> SwaLrBuilder {
        SwaLrBuilder {
            target: Target::of(optimizer),
            swa_lr: swa_lr.into(),
            anneal_epochs: 10,
            anneal_strategy: Anneal::Cos,
            last_epoch: -1,
        }
    }
}

impl SwaLrBuilder {
    setters! {
        /// How many epochs it takes to get there (default 10).
        anneal_epochs: i64;
        /// The way there (default [`Anneal::Cos`]).
        anneal_strategy: Anneal;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The scheduler, after its initial step. The groups have an option `swa_lr` from then on.
    ///
    /// # Errors
    /// If there is another number of learning rates than of groups, `anneal_epochs` is negative, or a group
    /// has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<SwaLr> {
        let Self { target, swa_lr, anneal_epochs, anneal_strategy, last_epoch } = self;
        let groups = target.all();
        let swa_lrs = swa_lr.spread("swa_lr", groups.len())?;
        if anneal_epochs < 0 {
            let text = format!("anneal_epochs must be equal or greater than 0, got {anneal_epochs}");
            return Err(Error::InvalidScheduler(text));
        }
        let rollback = Rollback::of(&target);
        for (group, swa_lr) in groups.iter().zip(swa_lrs) {
            group.set("swa_lr", swa_lr);
        }
        let leaf = Leaf::start(&target, Swa { anneal: anneal_strategy, anneal_epochs }, last_epoch)?;
        rollback.keep();
        Ok(SwaLr(leaf))
    }
}

#[derive(Clone)]
struct Swa {
    anneal: Anneal,
    anneal_epochs: i64,
}

impl Swa {
    /// The share of `swa_lr` after so many steps.
    fn share(&self, steps: i64) -> f64 {
        let t = (steps as f64 / self.anneal_epochs.max(1) as f64).clamp(0.0, 1.0);
        match self.anneal {
            Anneal::Cos => (1.0 - (PI * t).cos()) / 2.0,
            Anneal::Linear => t,
        }
    }
}

impl Formula for Swa {
    const CLASS: &'static str = "SWALR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let mut step = now.step_count.saturating_sub(1);
        if self.anneal_epochs == 0 {
            step = step.max(1);
        }
        let (before, share) = (self.share(step.saturating_sub(1)), self.share(step));
        let lrs = now.groups.iter().map(|group| {
            let (lr, swa_lr) = (option(group, "lr")?, option(group, "swa_lr")?);
            let underlying = if before == 1.0 { swa_lr } else { (lr - before * swa_lr) / (1.0 - before) };
            Ok(swa_lr * share + underlying * (1.0 - share))
        });
        Ok(lrs.collect::<Result<Vec<_>>>()?.into())
    }

    fn save(&self, dict: &mut Dict) {
        // torch's entry is the function of this name.
        dict.insert(
            "anneal_func",
            match self.anneal {
                Anneal::Cos => "_cosine_anneal",
                Anneal::Linear => "_linear_anneal",
            },
        );
        dict.insert("anneal_epochs", self.anneal_epochs);
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        let anneal = match text(saved, "anneal_func")? {
            "_cosine_anneal" => Anneal::Cos,
            "_linear_anneal" => Anneal::Linear,
            other => return Err(Error::StateMismatch(format!("there is no 'anneal_func' {other:?}"))),
        };
        Ok(Self { anneal, anneal_epochs: integer(saved, "anneal_epochs")? })
    }
}
