//! One cycle of the learning rate for a whole run: `OneCycleLR`.

use super::arithmetic::divide;
use super::lambda::Reloaded;
use super::leaf::{Formula, Leaf, Now, Rates, momentum_option};
use super::node::{Rollback, Target};
use super::options::{Anneal, PerGroup, flag, float, integer, option, text};
use super::{scheduler, setters};
use crate::{Error, Optimizer, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::f64::consts::PI;

/// Lets the learning rate go up from `max_lr / div_factor` to `max_lr` and down to a tiny fraction of where it
/// began, and the momentum the other way: "Super-Convergence" (Smith and Topin, 2018).
///
/// In a phase from value `a` to value `b`, at the share `t` of it, the value is `b + (a - b) / 2 * (cos(pi * t)
/// + 1)` or `(b - a) * t + a` by [`Anneal`]. The first phase ends at `pct_start * total_steps - 1`; with
/// `three_phase` the second is its mirror image and the third goes on down. A step is meant to be one batch.
/// The groups get options `max_lr` and `min_lr`, and with momentum `max_momentum` and `base_momentum`; their
/// `initial_lr` is the one the cycle begins with.
///
/// The scheduler can be stepped `total_steps` times (the last of these goes past the end, as in torch); then
/// there is nothing left, and [`try_step`](super::LrScheduler::try_step) says so.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, OneCycleLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).momentum(0.9).build()?;
/// let scheduler = OneCycleLr::builder(&sgd, 1.0).total_steps(10).build()?;
/// for lr in [0.04, 0.52, 1.0, 0.950485, 0.811746] {
///     assert!((scheduler.get_last_lr()[0] - lr).abs() < 1e-6);
///     sgd.step()?;
///     scheduler.step();
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct OneCycleLr(Leaf<OneCycle>);

scheduler!(OneCycleLr);

/// Options of a [`OneCycleLr`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct OneCycleLrBuilder {
    target: Target,
    max_lr: PerGroup,
    total_steps: Option<i64>,
    epochs: Option<i64>,
    steps_per_epoch: Option<i64>,
    pct_start: f64,
    anneal_strategy: Anneal,
    cycle_momentum: bool,
    base_momentum: PerGroup,
    max_momentum: PerGroup,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
    last_epoch: i64,
}

impl OneCycleLr {
    /// Starts a scheduler over this optimizer with this highest learning rate, one number or one for each
    /// group.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, max_lr: impl Into<PerGroup>) -> OneCycleLrBuilder {
        OneCycleLrBuilder {
            target: Target::of(optimizer),
            max_lr: max_lr.into(),
            total_steps: None,
            epochs: None,
            steps_per_epoch: None,
            pct_start: 0.3,
            anneal_strategy: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: PerGroup::One(0.85),
            max_momentum: PerGroup::One(0.95),
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
            last_epoch: -1,
        }
    }
}

impl OneCycleLrBuilder {
    setters! {
        /// The share of the steps that go up (default 0.3).
        pct_start: f64;
        /// The way between two values (default [`Anneal::Cos`]).
        anneal_strategy: Anneal;
        /// Whether the momentum changes too (default true).
        cycle_momentum: bool;
        /// `max_lr` divided by the first learning rate (default 25).
        div_factor: f64;
        /// The first learning rate divided by the last (default 10000).
        final_div_factor: f64;
        /// Whether it goes down to the first learning rate in a phase of its own (default false).
        three_phase: bool;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// The number of steps; without it `epochs` and `steps_per_epoch` are needed.
    pub fn total_steps(mut self, total_steps: i64) -> Self {
        self.total_steps = Some(total_steps);
        self
    }

    /// The number of epochs, to be multiplied by `steps_per_epoch`.
    pub fn epochs(mut self, epochs: i64) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// The number of steps in an epoch.
    pub fn steps_per_epoch(mut self, steps_per_epoch: i64) -> Self {
        self.steps_per_epoch = Some(steps_per_epoch);
        self
    }

    /// The momentum at `max_lr` (default 0.85), one number or one for each group.
    pub fn base_momentum(mut self, base_momentum: impl Into<PerGroup>) -> Self {
        self.base_momentum = base_momentum.into();
        self
    }

    /// The momentum at both ends (default 0.95), one number or one for each group.
    pub fn max_momentum(mut self, max_momentum: impl Into<PerGroup>) -> Self {
        self.max_momentum = max_momentum.into();
        self
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If the number of steps is not given or not positive, `pct_start` is not from 0 to 1 or makes a phase of
    /// no length, there is another number of values than of groups, momentum is to change and the optimizer
    /// has none, or a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<OneCycleLr> {
        let total_steps = self.count_steps()?;
        let phases = phases(total_steps, self.pct_start, self.three_phase);
        if !(0.0..=1.0).contains(&self.pct_start) {
            let pct_start = Value::from(self.pct_start);
            let text = format!("Expected float between 0 and 1 pct_start, but got {pct_start}");
            return Err(Error::InvalidScheduler(text));
        }
        let target = &self.target;
        let groups = target.all();
        let max_lrs = self.max_lr.spread("max_lr", groups.len())?;
        if self.cycle_momentum && !target.has_momentum && !target.has_betas {
            return Err(Error::NoMomentum);
        }
        let max_momenta = self.max_momentum.spread("max_momentum", groups.len());
        let base_momenta = self.base_momentum.spread("base_momentum", groups.len());
        let momenta = if self.cycle_momentum { Some((max_momenta?, base_momenta?)) } else { None };

        let rollback = Rollback::of(target);
        if self.last_epoch == -1 {
            for (i, group) in groups.iter().enumerate() {
                let initial = divide(max_lrs[i], self.div_factor)?;
                group.set("initial_lr", initial);
                group.set("max_lr", max_lrs[i]);
                group.set("min_lr", divide(initial, self.final_div_factor)?);
            }
            for (i, group) in groups.iter().enumerate() {
                let Some((max, base)) = &momenta else { break };
                let (name, value) = momentum_option(group, max[i], target.has_betas)?;
                group.set(name, value);
                group.set("max_momentum", max[i]);
                group.set("base_momentum", base[i]);
            }
        }
        let use_beta1 = momenta.is_some().then_some(target.has_betas);
        let formula = OneCycle { total_steps, phases, anneal: self.anneal_strategy, use_beta1 };
        let leaf = Leaf::start(target, formula, self.last_epoch)?;
        rollback.keep();
        Ok(OneCycleLr(leaf))
    }

    fn count_steps(&self) -> Result<i64> {
        let positive = |name: &str, number: i64| {
            let text = || format!("Expected positive integer {name}, but got {number}");
            if number > 0 { Ok(number) } else { Err(Error::InvalidScheduler(text())) }
        };
        match (self.total_steps, self.epochs, self.steps_per_epoch) {
            (Some(total_steps), ..) => positive("total_steps", total_steps),
            (None, Some(epochs), Some(steps)) => {
                Ok(positive("epochs", epochs)?.saturating_mul(positive("steps_per_epoch", steps)?))
            }
            _ => {
                let text = "You must define either total_steps OR (epochs AND steps_per_epoch)";
                Err(Error::InvalidScheduler(String::from(text)))
            }
        }
    }
}

/// A part of the cycle: where it ends, and between which options of the group it goes.
#[derive(Clone)]
struct Phase {
    end_step: Value,
    start_lr: &'static str,
    end_lr: &'static str,
    start_momentum: &'static str,
    end_momentum: &'static str,
}

fn phases(total_steps: i64, pct_start: f64, three_phase: bool) -> Vec<Phase> {
    let phase = |end_step, [start_lr, end_lr]: [_; 2], [start_momentum, end_momentum]: [_; 2]| Phase {
        end_step,
        start_lr,
        end_lr,
        start_momentum,
        end_momentum,
    };
    let (first, last) = (pct_start * total_steps as f64 - 1.0, total_steps - 1);
    let up = phase(first.into(), ["initial_lr", "max_lr"], ["max_momentum", "base_momentum"]);
    if !three_phase {
        return vec![up, phase(last.into(), ["max_lr", "min_lr"], ["base_momentum", "max_momentum"])];
    }
    let second = 2.0 * pct_start * total_steps as f64 - 2.0;
    vec![
        up,
        phase(second.into(), ["max_lr", "initial_lr"], ["base_momentum", "max_momentum"]),
        phase(last.into(), ["initial_lr", "min_lr"], ["max_momentum", "max_momentum"]),
    ]
}

impl Phase {
    fn end(&self) -> f64 {
        self.end_step.as_float().unwrap_or(f64::NAN)
    }

    fn save(&self) -> Dict {
        Dict::from_iter([
            ("end_step", self.end_step.clone()),
            ("start_lr", self.start_lr.into()),
            ("end_lr", self.end_lr.into()),
            ("start_momentum", self.start_momentum.into()),
            ("end_momentum", self.end_momentum.into()),
        ])
    }

    fn load(saved: &Value) -> Result<Self> {
        float(saved, "end_step")?;
        let name = |key: &str| {
            let name = text(saved, key)?;
            let known = ["initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"];
            known.into_iter().find(|&known| known == name).ok_or_else(|| {
                Error::StateMismatch(format!("'{key}' of a phase is '{name}'; expected one of {known:?}"))
            })
        };
        Ok(Self {
            end_step: saved["end_step"].clone(),
            start_lr: name("start_lr")?,
            end_lr: name("end_lr")?,
            start_momentum: name("start_momentum")?,
            end_momentum: name("end_momentum")?,
        })
    }
}

#[derive(Clone)]
struct OneCycle {
    total_steps: i64,
    phases: Vec<Phase>,
    anneal: Anneal,
    /// Whether the momentum is the first of `betas`; nothing if the momentum does not change.
    use_beta1: Option<bool>,
}

impl OneCycle {
    /// The phase of a step and how much of it has passed.
    fn position(&self, step: i64) -> Result<(&Phase, f64)> {
        let mut start = 0.0;
        let (last, before) = self.phases.split_last().ok_or(Error::Arithmetic("there are no phases"))?;
        for phase in before {
            if step as f64 <= phase.end() {
                return Ok((phase, divide(step as f64 - start, phase.end() - start)?));
            }
            start = phase.end();
        }
        Ok((last, divide(step as f64 - start, last.end() - start)?))
    }

    fn between(&self, group: &ParamGroup, start: &'static str, end: &'static str, t: f64) -> Result<f64> {
        let (start, end) = (option(group, start)?, option(group, end)?);
        Ok(match self.anneal {
            Anneal::Cos => end + (start - end) / 2.0 * ((PI * t).cos() + 1.0),
            Anneal::Linear => (end - start) * t + start,
        })
    }
}

impl Formula for OneCycle {
    const CLASS: &'static str = "OneCycleLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let step = now.last_epoch;
        if step > self.total_steps {
            return Err(Error::CycleIsOver { step, total_steps: self.total_steps });
        }
        let (phase, t) = self.position(step)?;
        let groups = now.groups.iter();
        let lrs = groups.clone().map(|group| self.between(group, phase.start_lr, phase.end_lr, t));
        let mut rates = Rates::from(lrs.collect::<Result<Vec<_>>>()?);
        if let Some(use_beta1) = self.use_beta1 {
            let momenta = groups.map(|group| self.between(group, phase.start_momentum, phase.end_momentum, t));
            rates.momenta = momenta.collect::<Result<_>>()?;
            rates.use_beta1 = use_beta1;
        }
        Ok(rates)
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("total_steps", self.total_steps);
        dict.insert("_schedule_phases", self.phases.iter().map(Phase::save).collect::<Value>());
        dict.insert("_anneal_func_type", self.anneal.name());
        dict.insert("cycle_momentum", self.use_beta1.is_some());
        if let Some(use_beta1) = self.use_beta1 {
            dict.insert("use_beta1", use_beta1);
        }
    }

    fn load(&self, saved: &Value, _: &mut Reloaded) -> Result<Self> {
        let phases = saved.require("_schedule_phases")?.iter().map(Phase::load).collect::<Result<Vec<_>>>()?;
        if phases.is_empty() {
            return Err(Error::StateMismatch(String::from("'_schedule_phases' is empty")));
        }
        let use_beta1 = if flag(saved, "cycle_momentum")? { Some(flag(saved, "use_beta1")?) } else { None };
        // torch has had this key only since 2.1.
        let anneal = match saved.get("_anneal_func_type") {
            Some(_) => text(saved, "_anneal_func_type")?.parse()?,
            None => self.anneal,
        };
        Ok(Self { total_steps: integer(saved, "total_steps")?, phases, anneal, use_beta1 })
    }
}
