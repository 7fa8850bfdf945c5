//! torch's class `LRScheduler`: counters, warnings, and the way a learning rate gets into the groups.

use super::lambda::Reloaded;
use super::node::{Command, Deferred, Log, Node, Target};
use super::options::{floats, integer, option};
use crate::{Error, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// torch's `EPOCH_DEPRECATION_WARNING`.
pub(super) const EPOCH_WARNING: &str = "The epoch parameter in `scheduler.step()` was not necessary and is being \
    deprecated where possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch \
    is different from None, the closed form is used instead of the new chainable form, where available. Please open \
    an issue if you are unable to replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose.";

/// torch's warning of a first step before the optimizer's.
const ORDER_WARNING: &str = "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and \
    later, you should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to \
    do this will result in PyTorch skipping the first value of the learning rate schedule. See more details at \
    https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate";

/// What a class computes learning rates from, and how.
pub(super) trait Formula: Clone + Send + Sync + 'static {
    /// torch's name of the class.
    const CLASS: &'static str;

    /// torch's `get_lr`.
    fn chainable(&self, now: &Now<'_>) -> Result<Rates>;

    /// torch's `_get_closed_form_lr`; a class without it uses `get_lr` for every epoch.
    fn closed_form(&self, now: &Now<'_>) -> Result<Rates> {
        self.chainable(now)
    }

    /// The keys that torch's constructor sets before those of the base class.
    fn save(&self, dict: &mut Dict);

    /// The keys that torch appends.
    fn save_last(&self, _dict: &mut Dict) {}

    /// The formula of a state dict. Functions with a state of their own are loaded at once and noted.
    fn load(&self, saved: &Value, functions: &mut Reloaded) -> Result<Self>;

    /// torch's `step`.
    fn turn(state: &mut State<Self>, turn: &Turn<'_>) -> Result<Rates> {
        if state.step_count == 1 && !turn.target.groups.step_called() {
            turn.log.add(ORDER_WARNING);
        }
        state.step_count = state.step_count.saturating_add(1);
        match turn.epoch {
            None => {
                state.last_epoch = state.last_epoch.saturating_add(1);
                state.formula.chainable(&state.now(turn))
            }
            Some(epoch) => {
                turn.log.add(EPOCH_WARNING);
                state.last_epoch = epoch;
                state.formula.closed_form(&state.now(turn))
            }
        }
    }
}

/// The circumstances of one step.
pub(super) struct Turn<'a> {
    pub(super) epoch: Option<i64>,
    pub(super) initial: bool,
    pub(super) groups: &'a [ParamGroup],
    target: &'a Target,
    log: &'a Log,
}

/// What a formula may look at.
pub(super) struct Now<'a> {
    pub(super) groups: &'a [ParamGroup],
    pub(super) base_lrs: &'a [f64],
    pub(super) last_epoch: i64,
    pub(super) step_count: i64,
    pub(super) initial: bool,
}

impl Now<'_> {
    /// The learning rates as they stand in the groups.
    pub(super) fn lrs(&self) -> Result<Vec<f64>> {
        self.groups.iter().map(|group| option(group, "lr")).collect()
    }

    /// The learning rates as they stand in the groups, each changed by `f`.
    pub(super) fn each_lr(&self, f: impl Fn(f64) -> f64) -> Result<Rates> {
        Ok(Rates::from(self.lrs()?.into_iter().map(f).collect::<Vec<_>>()))
    }

    /// The initial learning rates, each changed by `f`.
    pub(super) fn each_base(&self, f: impl Fn(f64) -> f64) -> Rates {
        Rates::from(self.base_lrs.iter().copied().map(f).collect::<Vec<_>>())
    }
}

/// What a formula gives: one learning rate for each group, and for some classes one momentum.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) lrs: Vec<f64>,
    pub(super) momenta: Vec<f64>,
    /// The momentum is the first of `betas`.
    pub(super) use_beta1: bool,
}

impl From<Vec<f64>> for Rates {
    fn from(lrs: Vec<f64>) -> Self {
        Self { lrs, momenta: Vec::new(), use_beta1: false }
    }
}

impl Rates {
    /// Writes into the groups, after everything that can be missing has been found.
    fn write(self, groups: &[ParamGroup]) -> Result<()> {
        groups.iter().try_for_each(|group| option(group, "lr").map(drop))?;
        let momenta = (groups.iter().zip(&self.momenta))
            .map(|(group, &momentum)| momentum_option(group, momentum, self.use_beta1))
            .collect::<Result<Vec<_>>>()?;
        for (group, (name, value)) in groups.iter().zip(momenta) {
            group.set(name, value);
        }
        for (group, lr) in groups.iter().zip(self.lrs) {
            group.set_lr(lr);
        }
        Ok(())
    }
}

/// The option that holds a momentum, with a new one in it.
pub(super) fn momentum_option(group: &ParamGroup, momentum: f64, use_beta1: bool) -> Result<(&'static str, Value)> {
    if !use_beta1 {
        return Ok(("momentum", momentum.into()));
    }
    let betas = group.get("betas").ok_or(Error::MissingOption("betas"))?;
    let Some((_, rest)) = betas.as_list().and_then(<[Value]>::split_first) else {
        return Err(Error::WrongOption { name: "betas", wanted: "a tuple", found: betas.to_string() });
    };
    let betas = [momentum.into()].into_iter().chain(rest.iter().cloned()).collect();
    Ok(("betas", Value::Tuple(betas)))
}

/// What changes from step to step.
#[derive(Clone, Debug)]
pub(super) struct State<F> {
    pub(super) formula: F,
    pub(super) base_lrs: Vec<f64>,
    pub(super) last_epoch: i64,
    pub(super) step_count: i64,
    pub(super) last_lr: Vec<f64>,
}

impl<F> State<F> {
    pub(super) fn now<'a>(&'a self, turn: &Turn<'a>) -> Now<'a> {
        Now {
            groups: turn.groups,
            base_lrs: &self.base_lrs,
            last_epoch: self.last_epoch,
            step_count: self.step_count,
            initial: turn.initial,
        }
    }
}

/// A scheduler that is no composition.
pub(super) struct Leaf<F> {
    target: Target,
    state: Mutex<State<F>>,
    log: Log,
}

impl<F: Formula> Leaf<F> {
    /// torch's `LRScheduler.__init__`: notes the initial learning rates and makes the initial step.
    pub(super) fn start(target: &Target, formula: F, last_epoch: i64) -> Result<Self> {
        let all = target.all();
        for (index, group) in all.iter().enumerate() {
            if group.get("initial_lr").is_some() {
                continue;
            }
            if last_epoch != -1 {
                return Err(Error::NoInitialLr { group: index });
            }
            let lr = group.get("lr").ok_or(Error::MissingOption("lr"))?;
            group.set("initial_lr", lr.deep_copy());
        }
        let base_lrs = all.iter().map(|group| option(group, "initial_lr")).collect::<Result<_>>()?;
        target.groups.track_steps();
        let state = State { formula, base_lrs, last_epoch, step_count: 0, last_lr: Vec::new() };
        let leaf = Self { target: target.clone(), state: Mutex::new(state), log: Log::default() };
        leaf.advance(Command::Initial)?;
        Ok(leaf)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a step on a copy of the state, so that an error or a panic in a user's function changes nothing,
    /// and that function may ask this scheduler.
    pub(super) fn transact(
        &self,
        epoch: Option<i64>,
        initial: bool,
        step: impl FnOnce(&mut State<F>, &Turn<'_>) -> Result<Rates>,
    ) -> Result<()> {
        let groups = self.target.all();
        let turn = Turn { epoch, initial, groups: &groups, target: &self.target, log: &self.log };
        let mut next = self.lock().clone();
        step(&mut next, &turn)?.write(&groups)?;
        next.last_lr = next.now(&turn).lrs()?;
        *self.lock() = next;
        Ok(())
    }
}

impl<F: Formula> Node for Leaf<F> {
    fn class(&self) -> &'static str {
        F::CLASS
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn advance(&self, command: Command) -> Result<()> {
        match command {
            Command::Next => self.transact(None, false, F::turn),
            Command::Epoch(epoch) => self.transact(Some(epoch), false, F::turn),
            Command::Initial => self.transact(None, true, |state, turn| {
                state.step_count = 0;
                F::turn(state, turn)
            }),
        }
    }

    fn undo(&self) {
        let mut state = self.lock();
        state.last_epoch = state.last_epoch.saturating_sub(1);
    }

    fn last_lr(&self) -> Vec<f64> {
        self.lock().last_lr.clone()
    }

    fn last_epoch(&self) -> i64 {
        self.lock().last_epoch
    }

    fn save(&self) -> Dict {
        let state = self.lock().clone();
        let mut dict = Dict::new();
        state.formula.save(&mut dict);
        dict.insert("base_lrs", state.base_lrs);
        dict.insert("last_epoch", state.last_epoch);
        dict.insert("_step_count", state.step_count);
        // Both are only ever true inside torch's step.
        dict.insert("_is_initial", false);
        dict.insert("_get_lr_called_within_step", false);
        dict.insert("_last_lr", state.last_lr);
        state.formula.save_last(&mut dict);
        dict
    }

    fn load(&self, saved: &Value) -> Result<Deferred<'_>> {
        let mut functions = Reloaded::default();
        let own = self.lock().formula.clone();
        let state = State {
            formula: own.load(saved, &mut functions)?,
            base_lrs: floats(saved, "base_lrs")?,
            last_epoch: integer(saved, "last_epoch")?,
            step_count: integer(saved, "_step_count")?,
            last_lr: floats(saved, "_last_lr")?,
        };
        let (loaded, groups) = (state.base_lrs.len(), self.target.all().len());
        if loaded > groups {
            let text = format!("base_lrs has {loaded} values, the optimizer {groups} groups");
            return Err(Error::StateMismatch(text));
        }
        Ok(Box::new(move || {
            functions.keep();
            *self.lock() = state;
        }))
    }

    fn remember(&self) -> Deferred<'_> {
        let state = self.lock().clone();
        Box::new(move || *self.lock() = state)
    }
}
