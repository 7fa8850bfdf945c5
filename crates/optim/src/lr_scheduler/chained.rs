//! Schedulers that step together: `ChainedScheduler`; and what all compositions share.

use super::node::{Command, Deferred, Log, Node, Rollback, Target};
use super::options::{floats, option};
use super::{LrScheduler, scheduler};
use crate::base::lock;
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::sync::{Arc, Mutex};

/// Steps several schedulers at each step, in order, so that their factors multiply.
///
/// ```
/// use optim::lr_scheduler::{ChainedScheduler, ConstantLr, ExponentialLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let warm_up = ConstantLr::builder(&sgd).factor(0.1).total_iters(2).build()?;
/// let decay = ExponentialLr::builder(&sgd, 0.5).build()?;
/// let scheduler = ChainedScheduler::new(vec![warm_up.boxed(), decay.boxed()])?;
/// for lr in [0.05, 0.25, 0.125] {
///     sgd.step()?;
///     scheduler.step();
///     assert!((scheduler.get_last_lr()[0] - lr).abs() < 1e-12);
/// }
/// # Ok::<(), optim::Error>(())
/// ```
pub struct ChainedScheduler(Chained);

scheduler!(ChainedScheduler);

impl ChainedScheduler {
    /// Joins schedulers of one optimizer.
    ///
    /// # Errors
    /// If there is none, one is a [`ReduceLrOnPlateau`](super::ReduceLrOnPlateau), or one has another
    /// optimizer than the first.
    pub fn new(schedulers: Vec<Box<dyn LrScheduler>>) -> Result<Self> {
        let target = schedulers.first().map(|first| first.node().target().clone());
        Self::build(target, schedulers)
    }

    /// Joins schedulers of this optimizer.
    ///
    /// # Errors
    /// If there is none, one is a [`ReduceLrOnPlateau`](super::ReduceLrOnPlateau), or one has another
    /// optimizer.
    pub fn with_optimizer<O: Optimizer + ?Sized>(optimizer: &O, schedulers: Vec<Box<dyn LrScheduler>>) -> Result<Self> {
        Self::build(Some(Target::of(optimizer)), schedulers)
    }

    fn build(target: Option<Target>, schedulers: Vec<Box<dyn LrScheduler>>) -> Result<Self> {
        let target = target.filter(|_| !schedulers.is_empty()).ok_or(Error::NoSchedulersToChain)?;
        let members = Members::new("ChainedScheduler", &target, schedulers)?;
        let last_lr = lrs(&target)?;
        let log = members.log();
        Ok(Self(Chained { target, members, state: Mutex::new(State { last_lr, initial: false }), log }))
    }
}

fn lrs(target: &Target) -> Result<Vec<f64>> {
    target.all().iter().map(|group| option(group, "lr")).collect()
}

/// The schedulers of a composition.
pub(super) struct Members(Vec<Box<dyn LrScheduler>>);

impl Members {
    /// torch's checks of what can be a member of `class`.
    pub(super) fn new(class: &'static str, target: &Target, members: Vec<Box<dyn LrScheduler>>) -> Result<Self> {
        for (index, member) in members.iter().enumerate() {
            let node = member.node();
            if node.needs_metrics() {
                return Err(Error::PlateauInComposition { class, index });
            }
            if !Arc::ptr_eq(&node.target().groups, &target.groups) {
                let (scheduler, theirs, own) = (node.class(), node.target().name, target.name);
                return Err(Error::OtherOptimizer { class, scheduler, index, theirs, own });
            }
        }
        Ok(Self(members))
    }

    /// A log that begins with the members' warnings.
    pub(super) fn log(&self) -> Log {
        let log = Log::default();
        self.nodes().for_each(|node| log.adopt(node.log()));
        log
    }

    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = &dyn Node> {
        self.0.iter().map(|member| member.node())
    }

    pub(super) fn get(&self, index: usize) -> &dyn Node {
        self.0[index].node()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn save(&self) -> Value {
        self.nodes().map(Node::save).collect()
    }

    pub(super) fn load(&self, saved: &Value) -> Result<Vec<Deferred<'_>>> {
        let saved = saved.require("_schedulers")?;
        let (found, own) = (saved.as_list().map_or(0, <[Value]>::len), self.len());
        if found != own {
            return Err(Error::StateMismatch(format!("'_schedulers' has {found} entries for {own} schedulers")));
        }
        self.nodes().zip(saved.iter()).map(|(node, saved)| node.load(saved)).collect()
    }

    pub(super) fn remember(&self) -> Vec<Deferred<'_>> {
        self.nodes().map(Node::remember).collect()
    }
}

#[derive(Clone)]
struct State {
    last_lr: Vec<f64>,
    /// torch's `_initial_step` leaves two attributes behind where it was called.
    initial: bool,
}

/// torch's class.
struct Chained {
    target: Target,
    members: Members,
    state: Mutex<State>,
    log: Log,
}

impl Node for Chained {
    fn class(&self) -> &'static str {
        "ChainedScheduler"
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
        let rollback = self.members.nodes().fold(Rollback::of(&self.target), Rollback::and);
        for member in self.members.nodes() {
            let outcome = member.advance(Command::Next);
            self.log.adopt(member.log());
            outcome?;
        }
        let last_lr = lrs(&self.target)?;
        rollback.keep();
        let mut state = lock(&self.state);
        state.last_lr = last_lr;
        state.initial |= matches!(command, Command::Initial);
        Ok(())
    }

    fn undo(&self) {
        self.members.nodes().for_each(Node::undo);
    }

    fn last_lr(&self) -> Vec<f64> {
        lock(&self.state).last_lr.clone()
    }

    fn last_epoch(&self) -> i64 {
        self.members.nodes().next_back().map_or(-1, Node::last_epoch)
    }

    fn save(&self) -> Dict {
        let state = lock(&self.state).clone();
        let mut dict = Dict::from_iter([("_last_lr", state.last_lr)]);
        if state.initial {
            save_initial(&mut dict);
        }
        dict.insert("_schedulers", self.members.save());
        dict
    }

    fn load(&self, saved: &Value) -> Result<Deferred<'_>> {
        let members = self.members.load(saved)?;
        let mut state = lock(&self.state).clone();
        state.last_lr = floats(saved, "_last_lr")?;
        state.initial |= saved.get("_step_count").is_some();
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

/// The attributes that torch's `_initial_step` gives a composition.
pub(super) fn save_initial(dict: &mut Dict) {
    dict.insert("_step_count", 0);
    dict.insert("_is_initial", false);
}
