//! A learning rate that falls when a metric stops improving: `ReduceLROnPlateau`.

use super::leaf::EPOCH_WARNING;
use super::node::{Command, Deferred, Log, Node, Target};
use super::options::{PerGroup, float, floats, integer, option, text};
use super::{scheduler, setters};
use crate::base::lock;
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::str::FromStr;
use std::sync::Mutex;

/// Multiplies the learning rate by `factor` once a metric has not improved in more than `patience` steps.
///
/// A metric improves where it is below `best * (1 - threshold)`, or below `best - threshold` with
/// [`ThresholdMode::Abs`]; with [`PlateauMode::Max`] where it is above `best * (1 + threshold)` or `best +
/// threshold`. NaN never improves. After a reduction `cooldown` steps are not counted. No learning rate falls
/// below `min_lr`, or by less than `eps`. The metric comes with each step, so this scheduler cannot be part of
/// a [`SequentialLr`](super::SequentialLr) or a [`ChainedScheduler`](super::ChainedScheduler), and its
/// [`LrScheduler::try_step`](super::LrScheduler::try_step) fails.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, ReduceLrOnPlateau};
/// use optim::Lbfgs;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let lbfgs = Lbfgs::builder([&p]).build()?;
/// let plateau = ReduceLrOnPlateau::builder(&lbfgs).factor(0.5).patience(1).build()?;
/// for (metric, lr) in [(1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.5, 0.5)] {
///     plateau.step(metric);
///     assert_eq!(plateau.get_last_lr(), [lr]);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct ReduceLrOnPlateau(Plateau);

scheduler!(ReduceLrOnPlateau);

/// Whether a metric is to fall or to rise.
///
/// ```
/// use optim::lr_scheduler::PlateauMode;
/// assert_eq!("max".parse::<PlateauMode>()?, PlateauMode::Max);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlateauMode {
    /// The metric is to fall, as a loss.
    #[default]
    Min,
    /// The metric is to rise, as an accuracy.
    Max,
}

impl PlateauMode {
    fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    /// What every number is better than.
    fn worst(self) -> f64 {
        match self {
            Self::Min => f64::INFINITY,
            Self::Max => f64::NEG_INFINITY,
        }
    }
}

impl FromStr for PlateauMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "min" => Ok(Self::Min),
            "max" => Ok(Self::Max),
            other => Err(Error::InvalidScheduler(format!("mode {other} is unknown! Use min or max"))),
        }
    }
}

/// What the threshold of a [`ReduceLrOnPlateau`] is measured by.
///
/// ```
/// use optim::lr_scheduler::ThresholdMode;
/// assert_eq!("abs".parse::<ThresholdMode>()?, ThresholdMode::Abs);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThresholdMode {
    /// A share of the best metric.
    #[default]
    Rel,
    /// A difference to the best metric.
    Abs,
}

impl ThresholdMode {
    fn name(self) -> &'static str {
        match self {
            Self::Rel => "rel",
            Self::Abs => "abs",
        }
    }
}

impl FromStr for ThresholdMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "rel" => Ok(Self::Rel),
            "abs" => Ok(Self::Abs),
            other => Err(Error::InvalidScheduler(format!("threshold mode {other} is unknown! Use rel or abs"))),
        }
    }
}

/// Options of a [`ReduceLrOnPlateau`].
#[derive(Clone, Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct ReduceLrOnPlateauBuilder {
    target: Target,
    mode: PlateauMode,
    factor: f64,
    patience: i64,
    threshold: f64,
    threshold_mode: ThresholdMode,
    cooldown: i64,
    min_lr: PerGroup,
    eps: f64,
}

impl ReduceLrOnPlateau {
    /// Starts a scheduler over this optimizer.
    pub fn builder<O: Optimizer + ?Sized>(optimizer: &O) -> ReduceLrOnPlateauBuilder {
        ReduceLrOnPlateauBuilder {
            target: Target::of(optimizer),
            mode: PlateauMode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_lr: PerGroup::One(0.0),
            eps: 1e-8,
        }
    }

    /// Goes on by one epoch, at which the metric has this value.
    ///
    /// # Panics
    /// Where [`try_step`](Self::try_step) fails, which is where torch raises. Nothing has changed then.
    #[track_caller]
    pub fn step(&self, metric: f64) {
        if let Err(error) = self.try_step(metric) {
            panic!("step: {error}");
        }
    }

    /// Goes on by one epoch, at which the metric has this value.
    ///
    /// # Errors
    /// If the learning rate has to fall, `min_lr` was given for each group, and a group was added since.
    /// Nothing has changed then.
    pub fn try_step(&self, metric: f64) -> Result<()> {
        self.0.step(metric, None)
    }

    /// Goes to an epoch, at which the metric has this value. torch warns that this is deprecated.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[track_caller]
    pub fn step_epoch(&self, metric: f64, epoch: i64) {
        if let Err(error) = self.0.step(metric, Some(epoch)) {
            panic!("step_epoch: {error}");
        }
    }

    /// Replaces the lowest learning rates, one for each group, as is necessary after a group was added where
    /// they had been given for each: torch's attribute `min_lrs`.
    pub fn set_min_lrs(&self, min_lrs: impl Into<Vec<f64>>) {
        lock(&self.0.state).min_lrs = min_lrs.into();
    }
}

impl ReduceLrOnPlateauBuilder {
    setters! {
        /// Whether the metric is to fall or to rise (default [`PlateauMode::Min`]).
        mode: PlateauMode;
        /// The factor, below 1 (default 0.1).
        factor: f64;
        /// How many steps without improvement are put up with (default 10).
        patience: i64;
        /// What an improvement has to exceed (default 0.0001).
        threshold: f64;
        /// What the threshold is measured by (default [`ThresholdMode::Rel`]).
        threshold_mode: ThresholdMode;
        /// How many steps are not counted after a reduction (default 0).
        cooldown: i64;
        /// Reductions by no more than this are not made (default 1e-8).
        eps: f64;
    }

    /// The lowest learning rate (default 0), one number or one for each group.
    pub fn min_lr(mut self, min_lr: impl Into<PerGroup>) -> Self {
        self.min_lr = min_lr.into();
        self
    }

    /// The scheduler.
    ///
    /// # Errors
    /// If the factor is 1 or more, or there is another number of `min_lr` than of groups.
    pub fn build(self) -> Result<ReduceLrOnPlateau> {
        if self.factor >= 1.0 {
            return Err(Error::InvalidScheduler(String::from("Factor should be < 1.0.")));
        }
        let groups = self.target.all();
        let (default_min_lr, min_lrs) = match self.min_lr {
            PerGroup::One(min_lr) => (Some(min_lr), vec![min_lr; groups.len()]),
            PerGroup::Each(min_lrs) if min_lrs.len() == groups.len() => (None, min_lrs),
            PerGroup::Each(min_lrs) => {
                let text = format!("expected {} min_lrs, got {}", groups.len(), min_lrs.len());
                return Err(Error::InvalidScheduler(text));
            }
        };
        let state = State {
            factor: self.factor,
            default_min_lr,
            min_lrs,
            patience: self.patience,
            cooldown: self.cooldown,
            eps: self.eps,
            last_epoch: 0,
            last_lr: groups.iter().map(|group| option(group, "lr")).collect::<Result<_>>()?,
            mode: self.mode,
            threshold: self.threshold,
            threshold_mode: self.threshold_mode,
            best: self.mode.worst(),
            cooldown_counter: 0,
            num_bad_epochs: 0,
        };
        Ok(ReduceLrOnPlateau(Plateau { target: self.target, state: Mutex::new(state), log: Log::default() }))
    }
}

#[derive(Clone)]
struct State {
    factor: f64,
    /// What was given for all groups alike.
    default_min_lr: Option<f64>,
    min_lrs: Vec<f64>,
    patience: i64,
    cooldown: i64,
    eps: f64,
    last_epoch: i64,
    last_lr: Vec<f64>,
    mode: PlateauMode,
    threshold: f64,
    threshold_mode: ThresholdMode,
    best: f64,
    cooldown_counter: i64,
    num_bad_epochs: i64,
}

impl State {
    fn is_better(&self, metric: f64) -> bool {
        match (self.mode, self.threshold_mode) {
            (PlateauMode::Min, ThresholdMode::Rel) => metric < self.best * (1.0 - self.threshold),
            (PlateauMode::Min, ThresholdMode::Abs) => metric < self.best - self.threshold,
            (PlateauMode::Max, ThresholdMode::Rel) => metric > self.best * (self.threshold + 1.0),
            (PlateauMode::Max, ThresholdMode::Abs) => metric > self.best + self.threshold,
        }
    }

    /// Counts a metric; true when the learning rate has to fall.
    fn count(&mut self, metric: f64) -> bool {
        if self.is_better(metric) {
            self.best = metric;
            self.num_bad_epochs = 0;
        } else {
            self.num_bad_epochs = self.num_bad_epochs.saturating_add(1);
        }
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.num_bad_epochs = 0;
        }
        let reduce = self.num_bad_epochs > self.patience;
        if reduce {
            self.cooldown_counter = self.cooldown;
            self.num_bad_epochs = 0;
        }
        reduce
    }
}

/// torch's class without its builder.
struct Plateau {
    target: Target,
    state: Mutex<State>,
    log: Log,
}

impl Plateau {
    fn step(&self, metric: f64, epoch: Option<i64>) -> Result<()> {
        let groups = self.target.all();
        let mut lrs = groups.iter().map(|group| option(group, "lr")).collect::<Result<Vec<_>>>()?;
        let mut next = lock(&self.state).clone();
        if epoch.is_some() {
            self.log.add(EPOCH_WARNING);
        }
        next.last_epoch = epoch.unwrap_or(next.last_epoch.saturating_add(1));
        if next.count(metric) {
            if groups.len() != next.min_lrs.len() {
                let (then, now) = (next.min_lrs.len(), groups.len());
                let min_lr = next.default_min_lr.ok_or(Error::MinLrCount { then, now })?;
                next.min_lrs = vec![min_lr; now];
            }
            for ((group, lr), &min_lr) in groups.iter().zip(&mut lrs).zip(&next.min_lrs) {
                // Python's max(a, b) is a unless b > a, which matters for NaN.
                let reduced = *lr * next.factor;
                let reduced = if min_lr > reduced { min_lr } else { reduced };
                if *lr - reduced > next.eps {
                    group.set("lr", reduced);
                    *lr = reduced;
                }
            }
        }
        next.last_lr = lrs;
        *lock(&self.state) = next;
        Ok(())
    }
}

impl Node for Plateau {
    fn class(&self) -> &'static str {
        "ReduceLROnPlateau"
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn advance(&self, _: Command) -> Result<()> {
        Err(Error::MetricRequired)
    }

    fn undo(&self) {
        let mut state = lock(&self.state);
        state.last_epoch = state.last_epoch.saturating_sub(1);
    }

    fn last_lr(&self) -> Vec<f64> {
        lock(&self.state).last_lr.clone()
    }

    fn last_epoch(&self) -> i64 {
        lock(&self.state).last_epoch
    }

    fn save(&self) -> Dict {
        let state = lock(&self.state).clone();
        Dict::from_iter([
            ("factor", Value::from(state.factor)),
            ("default_min_lr", state.default_min_lr.into()),
            ("min_lrs", state.min_lrs.into()),
            ("patience", state.patience.into()),
            ("cooldown", state.cooldown.into()),
            ("eps", state.eps.into()),
            ("last_epoch", state.last_epoch.into()),
            ("_last_lr", state.last_lr.into()),
            ("mode_worse", state.mode.worst().into()),
            ("mode", state.mode.name().into()),
            ("threshold", state.threshold.into()),
            ("threshold_mode", state.threshold_mode.name().into()),
            ("best", state.best.into()),
            ("cooldown_counter", state.cooldown_counter.into()),
            ("num_bad_epochs", state.num_bad_epochs.into()),
        ])
    }

    fn load(&self, saved: &Value) -> Result<Deferred<'_>> {
        let default_min_lr =
            if saved.require("default_min_lr")?.is_none() { None } else { Some(float(saved, "default_min_lr")?) };
        let state = State {
            factor: float(saved, "factor")?,
            default_min_lr,
            min_lrs: floats(saved, "min_lrs")?,
            patience: integer(saved, "patience")?,
            cooldown: integer(saved, "cooldown")?,
            eps: float(saved, "eps")?,
            last_epoch: integer(saved, "last_epoch")?,
            last_lr: floats(saved, "_last_lr")?,
            mode: text(saved, "mode")?.parse()?,
            threshold: float(saved, "threshold")?,
            threshold_mode: text(saved, "threshold_mode")?.parse()?,
            best: float(saved, "best")?,
            cooldown_counter: integer(saved, "cooldown_counter")?,
            num_bad_epochs: integer(saved, "num_bad_epochs")?,
        };
        Ok(Box::new(move || *lock(&self.state) = state))
    }

    fn remember(&self) -> Deferred<'_> {
        let state = lock(&self.state).clone();
        Box::new(move || *lock(&self.state) = state)
    }

    fn needs_metrics(&self) -> bool {
        true
    }
}
