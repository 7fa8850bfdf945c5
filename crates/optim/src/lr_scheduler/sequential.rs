//! Schedulers that step one after the other: `SequentialLR`.

use super::chained::{Members, save_initial};
use super::node::{Command, Deferred, Log, Node, Rollback, Target};
use super::options::{floats, integer, option};
use super::{LrScheduler, scheduler};
use crate::base::lock;
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::sync::Mutex;

/// Steps one scheduler up to each milestone, and from there the next.
///
/// Building it takes back what the members did to the learning rates when they were built, and makes the
/// initial step of the first. At a milestone the next member is sent to its epoch 0, by its closed form where
/// it has one, so torch's warning of that call is among the [`warnings`](LrScheduler::warnings).
///
/// A warm-up followed by a cosine, saved and loaded; the optimizer is loaded after the scheduler, because
/// building a scheduler sets learning rates:
/// ```
/// use optim::lr_scheduler::{CosineAnnealingLr, LinearLr, LrScheduler, SequentialLr};
/// use optim::{Optimizer, Sgd};
/// use tape::Tensor;
/// let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// let build = || -> optim::Result<(Sgd, SequentialLr)> {
///     let optim = Sgd::builder([&p]).lr(3e-4).build()?;
///     let warm_up = LinearLr::builder(&optim).start_factor(0.1).end_factor(1.0).total_iters(20).build()?;
///     let cosine = CosineAnnealingLr::builder(&optim, 80).eta_min(3e-5).build()?;
///     let lr = SequentialLr::new(&optim, vec![warm_up.boxed(), cosine.boxed()], vec![20])?;
///     Ok((optim, lr))
/// };
/// let (optim, lr) = build()?;
/// for _ in 0..15 {
///     optim.step()?;
///     lr.step();
/// }
///
/// let (resumed_optim, resumed_lr) = build()?;
/// resumed_lr.load_state_dict(lr.state_dict())?;
/// resumed_optim.load_state_dict(optim.state_dict())?;
/// for _ in 15..100 {
///     resumed_optim.step()?;
///     resumed_lr.step();
/// }
/// assert!((resumed_lr.get_last_lr()[0] - 3e-5).abs() < 1e-12);
/// # Ok::<(), optim::Error>(())
/// ```
pub struct SequentialLr(Sequential);

scheduler!(SequentialLr);

impl SequentialLr {
    /// Joins schedulers of this optimizer; each milestone is the epoch at which the next one begins.
    ///
    /// # Errors
    /// If there is none, one is a [`ReduceLrOnPlateau`](super::ReduceLrOnPlateau), one has another optimizer,
    /// there is not one milestone less than schedulers, or the first one's initial step fails. The learning
    /// rates are then as they were.
    pub fn new<O: Optimizer + ?Sized>(
        optimizer: &O,
        schedulers: Vec<Box<dyn LrScheduler>>,
        milestones: Vec<i64>,
    ) -> Result<Self> {
        Self::with_last_epoch(optimizer, schedulers, milestones, -1)
    }

    /// The same with torch's `last_epoch`: where its own count of epochs goes on. The members begin anew all
    /// the same, so loading a state dict is what resumes a run.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_last_epoch<O: Optimizer + ?Sized>(
        optimizer: &O,
        schedulers: Vec<Box<dyn LrScheduler>>,
        milestones: Vec<i64>,
        last_epoch: i64,
    ) -> Result<Self> {
        let target = Target::of(optimizer);
        if schedulers.is_empty() {
            return Err(Error::NoSchedulers);
        }
        let members = Members::new("SequentialLR", &target, schedulers)?;
        if milestones.len() != members.len() - 1 {
            return Err(Error::MilestoneCount { schedulers: members.len(), milestones: milestones.len() });
        }
        let log = members.log();
        let rollback = Rollback::of(&target);
        let groups = target.all();
        let initial = groups.iter().map(|group| option(group, "initial_lr")).collect::<Result<Vec<_>>>()?;
        groups.iter().zip(initial).for_each(|(group, lr)| group.set_lr(lr));
        members.nodes().for_each(Node::undo);
        let first = members.get(0);
        first.advance(Command::Initial)?;
        log.adopt(first.log());
        let last_lr = first.last_lr();
        rollback.keep();
        let state = State { milestones, last_epoch: last_epoch.saturating_add(1), last_lr, initial: false };
        Ok(Self(Sequential { target, members, state: Mutex::new(state), log }))
    }
}

#[derive(Clone)]
struct State {
    milestones: Vec<i64>,
    last_epoch: i64,
    last_lr: Vec<f64>,
    /// torch's `_initial_step` leaves two attributes behind where it was called.
    initial: bool,
}

/// torch's class.
struct Sequential {
    target: Target,
    members: Members,
    state: Mutex<State>,
    log: Log,
}

/// Python's `bisect_right`, which also has an answer for milestones out of order.
fn bisect_right(milestones: &[i64], epoch: i64) -> usize {
    let (mut low, mut high) = (0, milestones.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if epoch < milestones[middle] {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

impl Node for Sequential {
    fn class(&self) -> &'static str {
        "SequentialLR"
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn advance(&self, command: Command) -> Result<()> {
        if matches!(command, Command::Epoch(_)) {
            return Err(Error::NoEpochArgument { class: self.class() });
        }
        let mut next = lock(&self.state).clone();
        next.last_epoch = next.last_epoch.saturating_add(1);
        let index = bisect_right(&next.milestones, next.last_epoch);
        let begins = index > 0 && next.milestones[index - 1] == next.last_epoch;
        let member = self.members.get(index);
        let outcome = member.advance(if begins { Command::Epoch(0) } else { Command::Next });
        self.log.adopt(member.log());
        outcome?;
        next.last_lr = member.last_lr();
        next.initial |= matches!(command, Command::Initial);
        *lock(&self.state) = next;
        Ok(())
    }

    /// torch takes back the members' epochs only.
    fn undo(&self) {
        self.members.nodes().for_each(Node::undo);
    }

    fn last_lr(&self) -> Vec<f64> {
        lock(&self.state).last_lr.clone()
    }

    fn last_epoch(&self) -> i64 {
        lock(&self.state).last_epoch
    }

    fn save(&self) -> Dict {
        let state = lock(&self.state).clone();
        let mut dict = Dict::new();
        dict.insert("_milestones", state.milestones);
        dict.insert("last_epoch", state.last_epoch);
        dict.insert("_last_lr", state.last_lr);
        if state.initial {
            save_initial(&mut dict);
        }
        dict.insert("_schedulers", self.members.save());
        dict
    }

    fn load(&self, saved: &Value) -> Result<Deferred<'_>> {
        let wrong = || Error::StateMismatch(format!("'_milestones' is no list of {} epochs", self.members.len() - 1));
        let milestones = saved.require("_milestones")?.iter().map(|at| at.as_int().ok_or_else(wrong));
        let milestones = milestones.collect::<Result<Vec<_>>>()?;
        if milestones.len() + 1 != self.members.len() {
            return Err(wrong());
        }
        let members = self.members.load(saved)?;
        let state = State {
            milestones,
            last_epoch: integer(saved, "last_epoch")?,
            last_lr: floats(saved, "_last_lr")?,
            initial: lock(&self.state).initial || saved.get("_step_count").is_some(),
        };
        Ok(Box::new(move || {
            members.into_iter().for_each(|commit| commit());
            *lock(&self.state) = state;
        }))
    }

    fn remember(&self) -> Deferred<'_> {
        let (members, state) = (self.members.remember(), lock(&self.state).clone());
        Box::new(move || {
            members.into_iter().for_each(|put_back| put_back());
            *lock(&self.state) = state;
        })
    }
}
