//! Learning rates that go up and down: `CyclicLR`.

use super::arithmetic::{divide, power};
use super::lambda::{LrLambda, Reloaded};
use super::leaf::{Formula, Leaf, Now, Rates, momentum_option};
use super::node::{Rollback, Target};
use super::options::{PerGroup, flag, float, floats, text};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::fmt::{self, Debug, Formatter};
use std::str::FromStr;
use std::sync::Arc;

/// Lets the learning rate go from `base_lr` to `max_lr` and back, and the momentum the other way: "Cyclical
/// Learning Rates for Training Neural Networks" (Smith, 2017).
///
/// With `c = floor(1 + epoch / cycle length)` and `x` the position in the cycle from 0 to 1,
/// `lr = base_lr + (max_lr - base_lr) * s * scale`, where `s` rises from 0 to 1 in the first part and falls to
/// 0 in the second, and the scale is 1, `1 / 2^(c - 1)` or `gamma^epoch` by [`CyclicMode`]. The momentum is
/// `max_momentum - (max_momentum - base_momentum) * s * scale`: the option `momentum` of the groups, or the
/// first of `betas`. An epoch is meant to be one batch.
///
/// ```
/// use optim::lr_scheduler::{CyclicLr, CyclicMode, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).momentum(0.9).build()?;
/// let scheduler = CyclicLr::builder(&sgd, 0.1, 0.5).step_size_up(2).mode(CyclicMode::Triangular2).build()?;
/// for lr in [0.3, 0.5, 0.3, 0.1, 0.2, 0.3] {
///     sgd.step()?;
///     scheduler.step();
///     assert!((sgd.param_groups()[0].lr() - lr).abs() < 1e-12);
/// }
/// # use optim::Optimizer;
/// # Ok::<(), optim::Error>(())
/// ```
pub struct CyclicLr(Leaf<Cyclic>);

scheduler!(CyclicLr);

/// How the cycles of a [`CyclicLr`] shrink.
///
/// ```
/// use optim::lr_scheduler::CyclicMode;
/// assert_eq!("exp_range".parse::<CyclicMode>()?, CyclicMode::ExpRange);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CyclicMode {
    /// Not at all.
    #[default]
    Triangular,
    /// To half with each cycle.
    Triangular2,
    /// By `gamma` with each epoch.
    ExpRange,
}

impl CyclicMode {
    fn name(self) -> &'static str {
        match self {
            Self::Triangular => "triangular",
            Self::Triangular2 => "triangular2",
            Self::ExpRange => "exp_range",
        }
    }

    /// What the scale depends on.
    fn scale_mode(self) -> ScaleMode {
        match self {
            Self::Triangular | Self::Triangular2 => ScaleMode::Cycle,
            Self::ExpRange => ScaleMode::Iterations,
        }
    }
}

impl FromStr for CyclicMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Triangular, Self::Triangular2, Self::ExpRange].into_iter().find(|mode| mode.name() == name).ok_or_else(
            || Error::InvalidScheduler(format!("mode is invalid and scale_fn is None: there is no mode '{name}'")),
        )
    }
}

/// What the function given as `scale_fn` to a [`CyclicLr`] is called with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScaleMode {
    /// The number of the cycle, from 1.
    #[default]
    Cycle,
    /// The epoch.
    Iterations,
}

impl ScaleMode {
    fn name(self) -> &'static str {
        match self {
            Self::Cycle => "cycle",
            Self::Iterations => "iterations",
        }
    }
}

impl FromStr for ScaleMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "cycle" => Ok(Self::Cycle),
            "iterations" => Ok(Self::Iterations),
            other => {
                Err(Error::InvalidScheduler(format!("scale_mode must be 'cycle' or 'iterations', but got '{other}'")))
            }
        }
    }
}

/// Options of a [`CyclicLr`].
#[derive(Clone)]
#[must_use = "a scheduler is made by build()"]
pub struct CyclicLrBuilder {
    target: Target,
    base_lr: PerGroup,
    max_lr: PerGroup,
    step_size_up: i64,
    step_size_down: Option<i64>,
    mode: CyclicMode,
    gamma: f64,
    scale_fn: Option<Arc<dyn LrLambda>>,
    scale_mode: ScaleMode,
    cycle_momentum: bool,
    base_momentum: PerGroup,
    max_momentum: PerGroup,
    last_epoch: i64,
}

impl Debug for CyclicLrBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CyclicLrBuilder")
            .field("base_lr", &self.base_lr)
            .field("max_lr", &self.max_lr)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl CyclicLr {
    /// Starts a scheduler over this optimizer between these learning rates, each one number or one for each
    /// group.
    pub fn builder<O: Optimizer + ?Sized>(
        optimizer: &O,
        base_lr: impl Into<PerGroup>,
        max_lr: impl Into<PerGroup>,
    ) -> CyclicLrBuilder {
        CyclicLrBuilder {
            target: Target::of(optimizer),
            base_lr: base_lr.into(),
            max_lr: max_lr.into(),
            step_size_up: 2000,
            step_size_down: None,
            mode: CyclicMode::Triangular,
            gamma: 1.0,
            scale_fn: None,
            scale_mode: ScaleMode::Cycle,
            cycle_momentum: true,
            base_momentum: PerGroup::One(0.8),
            max_momentum: PerGroup::One(0.9),
            last_epoch: -1,
        }
    }
}

impl CyclicLrBuilder {
    setters! {
        /// Epochs from `base_lr` to `max_lr` (default 2000).
        step_size_up: i64;
        /// How the cycles shrink (default not at all); not used with a `scale_fn`.
        mode: CyclicMode;
        /// The base of [`CyclicMode::ExpRange`] (default 1).
        gamma: f64;
        /// What `scale_fn` is called with (default the number of the cycle).
        scale_mode: ScaleMode;
        /// Whether the momentum changes too (default true).
        cycle_momentum: bool;
        /// The epoch to go on from (default -1: from the start).
        last_epoch: i64;
    }

    /// Epochs from `max_lr` to `base_lr` (default as many as up).
    pub fn step_size_down(mut self, step_size_down: i64) -> Self {
        self.step_size_down = Some(step_size_down);
        self
    }

    /// A scale of your own in place of a mode.
    pub fn scale_fn(mut self, scale_fn: impl LrLambda + 'static) -> Self {
        self.scale_fn = Some(Arc::new(scale_fn));
        self
    }

    /// The momentum at `max_lr` (default 0.8), one number or one for each group.
    pub fn base_momentum(mut self, base_momentum: impl Into<PerGroup>) -> Self {
        self.base_momentum = base_momentum.into();
        self
    }

    /// The momentum at `base_lr` (default 0.9), one number or one for each group.
    pub fn max_momentum(mut self, max_momentum: impl Into<PerGroup>) -> Self {
        self.max_momentum = max_momentum.into();
        self
    }

    /// The scheduler, after its initial step.
    ///
    /// # Errors
    /// If there is another number of values than of groups, a cycle has no epochs, momentum is to change and
    /// the optimizer has none, or a group has no `initial_lr` to go on from. The groups are then as they were.
    pub fn build(self) -> Result<CyclicLr> {
        let target = &self.target;
        let groups = target.all();
        let base_lrs = self.base_lr.spread("base_lr", groups.len())?;
        let max_lrs = self.max_lr.spread("max_lr", groups.len())?;
        let up = self.step_size_up as f64;
        let total_size = up + self.step_size_down.map_or(up, |down| down as f64);
        let step_ratio = divide(up, total_size)?;
        let momenta = if self.cycle_momentum { Some(self.momenta(groups.len())?) } else { None };
        let scale_mode = if self.scale_fn.is_some() { self.scale_mode } else { self.mode.scale_mode() };

        let rollback = Rollback::of(target);
        if self.last_epoch == -1 {
            for (group, &lr) in groups.iter().zip(&base_lrs) {
                group.set_lr(lr);
            }
            for (i, group) in groups.iter().enumerate() {
                let Some(Momenta { use_beta1, base, max }) = &momenta else { break };
                let (name, value) = momentum_option(group, max[i], *use_beta1)?;
                group.set(name, value);
                group.set("max_momentum", max[i]);
                group.set("base_momentum", base[i]);
            }
        }
        let formula = Cyclic {
            max_lrs,
            total_size,
            step_ratio,
            mode: self.mode,
            gamma: self.gamma,
            scale_fn: self.scale_fn,
            scale_mode,
            momenta,
        };
        let leaf = Leaf::start(target, formula, self.last_epoch)?;
        // As in torch, the initial step was made from the groups' initial learning rates.
        leaf.lock().base_lrs = base_lrs;
        rollback.keep();
        Ok(CyclicLr(leaf))
    }

    fn momenta(&self, groups: usize) -> Result<Momenta> {
        if !self.target.has_momentum && !self.target.has_betas {
            return Err(Error::NoMomentum);
        }
        Ok(Momenta {
            use_beta1: self.target.has_betas,
            base: self.base_momentum.spread("base_momentum", groups)?,
            max: self.max_momentum.spread("max_momentum", groups)?,
        })
    }
}

#[derive(Clone)]
struct Momenta {
    use_beta1: bool,
    base: Vec<f64>,
    max: Vec<f64>,
}

#[derive(Clone)]
struct Cyclic {
    max_lrs: Vec<f64>,
    total_size: f64,
    step_ratio: f64,
    mode: CyclicMode,
    gamma: f64,
    scale_fn: Option<Arc<dyn LrLambda>>,
    scale_mode: ScaleMode,
    momenta: Option<Momenta>,
}

impl Cyclic {
    fn scale(&self, x: i64) -> Result<f64> {
        match (&self.scale_fn, self.mode) {
            (Some(scale_fn), _) => Ok(scale_fn.factor(x)),
            (None, CyclicMode::Triangular) => Ok(1.0),
            (None, CyclicMode::Triangular2) => divide(1.0, power(2.0, x as f64 - 1.0)?),
            (None, CyclicMode::ExpRange) => power(self.gamma, x as f64),
        }
    }
}

impl Formula for Cyclic {
    const CLASS: &'static str = "CyclicLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let cycles = divide(now.last_epoch as f64, self.total_size)?;
        let cycle = (1.0 + cycles).floor();
        let x = 1.0 + cycles - cycle;
        let slope =
            if x <= self.step_ratio { divide(x, self.step_ratio)? } else { divide(x - 1.0, self.step_ratio - 1.0)? };
        let scale = self.scale(match self.scale_mode {
            ScaleMode::Cycle => cycle as i64,
            ScaleMode::Iterations => now.last_epoch,
        })?;
        let lrs = now.base_lrs.iter().zip(&self.max_lrs).map(|(base, max)| base + (max - base) * slope * scale);
        let mut rates = Rates::from(lrs.collect::<Vec<_>>());
        if let Some(Momenta { use_beta1, base, max }) = &self.momenta {
            rates.momenta = base.iter().zip(max).map(|(base, max)| max - (max - base) * slope * scale).collect();
            rates.use_beta1 = *use_beta1;
        }
        Ok(rates)
    }

    fn save(&self, dict: &mut Dict) {
        dict.insert("max_lrs", self.max_lrs.clone());
        dict.insert("total_size", self.total_size);
        dict.insert("step_ratio", self.step_ratio);
        dict.insert("mode", self.mode.name());
        dict.insert("gamma", self.gamma);
        dict.insert("scale_mode", self.scale_mode.name());
        dict.insert("cycle_momentum", self.momenta.is_some());
        if let Some(Momenta { use_beta1, base, max }) = &self.momenta {
            dict.insert("use_beta1", *use_beta1);
            dict.insert("base_momentums", base.clone());
            dict.insert("max_momentums", max.clone());
        }
    }

    fn save_last(&self, dict: &mut Dict) {
        dict.insert("_scale_fn_custom", self.scale_fn.as_ref().map_or(Value::None, |scale_fn| scale_fn.state_dict()));
    }

    fn load(&self, saved: &Value, functions: &mut Reloaded) -> Result<Self> {
        let momenta = if flag(saved, "cycle_momentum")? {
            let (base, max) = (floats(saved, "base_momentums")?, floats(saved, "max_momentums")?);
            Some(Momenta { use_beta1: flag(saved, "use_beta1")?, base, max })
        } else {
            None
        };
        let mode: CyclicMode = text(saved, "mode")?.parse()?;
        let scale_mode = text(saved, "scale_mode")?.parse()?;
        let formula = Self {
            max_lrs: floats(saved, "max_lrs")?,
            total_size: float(saved, "total_size")?,
            step_ratio: float(saved, "step_ratio")?,
            mode,
            gamma: float(saved, "gamma")?,
            scale_fn: self.scale_fn.clone(),
            scale_mode: if self.scale_fn.is_some() { scale_mode } else { mode.scale_mode() },
            momenta,
        };
        let custom = saved.require("_scale_fn_custom")?;
        match &self.scale_fn {
            Some(scale_fn) => functions.load(scale_fn, custom)?,
            None if custom.is_none() => {}
            None => {
                let text = "'_scale_fn_custom' was saved for a function, but this scheduler has no scale_fn";
                return Err(Error::StateMismatch(String::from(text)));
            }
        }
        Ok(formula)
    }
}
