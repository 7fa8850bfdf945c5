//! Learning rates that change while an optimizer runs: `torch.optim.lr_scheduler`, and `SWALR` of
//! `torch.optim.swa_utils`.
//!
//! A scheduler is built over an optimizer and is stepped after it. It holds the groups of the optimizer, not
//! the optimizer itself, and works on every [`Optimizer`](crate::Optimizer), [`Lbfgs`](crate::Lbfgs)
//! included.
//!
//! ```
//! use optim::lr_scheduler::{LrScheduler, StepLr};
//! use optim::{Optimizer, Sgd};
//! use tape::Tensor;
//! let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
//! let sgd = Sgd::builder([&p]).lr(0.5).build()?;
//! let scheduler = StepLr::builder(&sgd, 2).gamma(0.5).build()?;
//! for _ in 0..4 {
//!     sgd.zero_grad();
//!     (&p * &p).sum().backward()?;
//!     sgd.step()?;
//!     scheduler.step();
//! }
//! assert_eq!(scheduler.get_last_lr(), [0.125]);
//! assert_eq!(sgd.param_groups()[0].lr(), 0.125);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Two forms
//! [`step`](LrScheduler::step) goes on by one epoch, and most classes then change the learning rate *as they
//! find it* ("chainable form"), so that schedulers can be combined and a learning rate set by hand is kept.
//! [`step_epoch`](LrScheduler::step_epoch) jumps to an epoch and computes the learning rate from the initial
//! one ("closed form") where the class has such a form. Epochs are counted from 0, which is where a new
//! scheduler stands: building it already applies epoch 0.
//!
//! # Going on from a checkpoint
//! Either build the same scheduler, load its [`state_dict`](LrScheduler::state_dict), *then* load the
//! optimizer's (loading a scheduler leaves learning rates alone, while building one does not); or load the
//! optimizer first and build the scheduler with `last_epoch(..)`: the groups then have the `initial_lr` that
//! the first scheduler noted there.
//!
//! A state dict has torch's keys in torch's order. Whole numbers that are options of type `f64` here are saved
//! as floats.
//!
//! # What is exactly torch's
//! The learning rates, to the bit where the C library's `pow`, `cos` and `log` are the same (all arithmetic is
//! in `f64` in torch's order), for a learning rate that is a plain number. One that is a tensor stays the same
//! tensor and is filled; it is computed in `f64` and rounded once. [`ReduceLrOnPlateau`] puts a plain number in
//! its place, as torch 2.8 does.
//!
//! # What is different
//! Warnings are values ([`LrScheduler::warnings`]); nothing is printed. A step that cannot be made (the total
//! of a [`OneCycleLr`] is exceeded, the factor of a [`ConstantLr`] is 0) changes nothing at all, neither
//! learning rates nor counters: [`try_step`](LrScheduler::try_step) is an `Err`, [`step`](LrScheduler::step)
//! panics, as torch raises. A scheduler of your own is a [`LambdaLr`] or a
//! [`MultiplicativeLr`]: the trait [`LrScheduler`] cannot be implemented outside this crate.

mod arithmetic;
mod chained;
mod cosine;
mod cyclic;
mod decay;
mod factor;
mod lambda;
mod leaf;
mod node;
mod one_cycle;
mod options;
mod plateau;
mod sequential;
mod step;
mod swa;
mod warm_restarts;

pub use chained::ChainedScheduler;
pub use cosine::{CosineAnnealingLr, CosineAnnealingLrBuilder};
pub use cyclic::{CyclicLr, CyclicLrBuilder, CyclicMode, ScaleMode};
pub use decay::{ExponentialLr, ExponentialLrBuilder, PolynomialLr, PolynomialLrBuilder};
pub use factor::{ConstantLr, ConstantLrBuilder, LinearLr, LinearLrBuilder};
pub use lambda::{
    IntoLrLambdas, LambdaLr, LambdaLrBuilder, LrLambda, LrLambdas, MultiplicativeLr, MultiplicativeLrBuilder,
};
pub use one_cycle::{OneCycleLr, OneCycleLrBuilder};
pub use options::{Anneal, PerGroup};
pub use plateau::{PlateauMode, ReduceLrOnPlateau, ReduceLrOnPlateauBuilder, ThresholdMode};
pub use sequential::SequentialLr;
pub use step::{MultiStepLr, MultiStepLrBuilder, StepLr, StepLrBuilder};
pub use swa::{SwaLr, SwaLrBuilder};
pub use warm_restarts::{CosineAnnealingWarmRestarts, CosineAnnealingWarmRestartsBuilder};

use crate::{Groups, Result};
use checkpoint::Value;
use node::{Command, Node};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// Keeps the trait closed: compositions rely on how the classes here count and undo their steps.
mod sealed {
    pub trait Scheduler {
        /// The scheduler as compositions see it.
        fn node(&self) -> &dyn super::node::Node;
    }
}

/// What every learning-rate scheduler can do.
///
/// ```
/// use optim::lr_scheduler::{ExponentialLr, LinearLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let schedulers: [Box<dyn LrScheduler>; 2] = [
///     LinearLr::builder(&sgd).start_factor(0.5).total_iters(2).build()?.boxed(),
///     ExponentialLr::builder(&sgd, 0.5).build()?.boxed(),
/// ];
/// for _ in 0..2 {
///     sgd.step()?;
///     for scheduler in &schedulers {
///         scheduler.step();
///     }
/// }
/// assert_eq!(schedulers[1].get_last_lr(), [0.25]);
/// # Ok::<(), optim::Error>(())
/// ```
pub trait LrScheduler: sealed::Scheduler + Debug + Send + Sync {
    /// Goes on by one epoch.
    ///
    /// # Panics
    /// Where [`try_step`](Self::try_step) fails, which is where torch raises. Nothing has changed then.
    #[track_caller]
    fn step(&self) {
        if let Err(error) = self.try_step() {
            panic!("step: {error}");
        }
    }

    /// Goes on by one epoch.
    ///
    /// # Errors
    /// If the learning rate of the next epoch does not exist (a division by zero, the end of a
    /// [`OneCycleLr`]), or a group lacks an option. Nothing has changed then.
    fn try_step(&self) -> Result<()> {
        self.node().advance(Command::Next)
    }

    /// Goes to an epoch: the closed form where the class has one. torch warns that this is deprecated.
    ///
    /// # Panics
    /// Where [`try_step_epoch`](Self::try_step_epoch) fails. Nothing has changed then.
    #[track_caller]
    fn step_epoch(&self, epoch: i64) {
        if let Err(error) = self.try_step_epoch(epoch) {
            panic!("step_epoch: {error}");
        }
    }

    /// Goes to an epoch: the closed form where the class has one. torch warns that this is deprecated.
    ///
    /// # Errors
    /// As [`try_step`](Self::try_step), and always in a [`SequentialLr`] and a [`ChainedScheduler`], which
    /// know no such step. Nothing has changed then.
    fn try_step_epoch(&self, epoch: i64) -> Result<()> {
        self.node().advance(Command::Epoch(epoch))
    }

    /// The learning rates of all groups after the last step of this scheduler.
    fn get_last_lr(&self) -> Vec<f64> {
        self.node().last_lr()
    }

    /// The epoch of the last step: 0 after building. That of a [`ChainedScheduler`] is its last member's.
    fn last_epoch(&self) -> i64 {
        self.node().last_epoch()
    }

    /// A snapshot of everything but the optimizer, under torch's keys.
    fn state_dict(&self) -> Value {
        self.node().save().into()
    }

    /// Takes over what [`state_dict`](Self::state_dict) saved. Learning rates in the groups stay as they are.
    ///
    /// Keys that the class does not know are passed over.
    ///
    /// # Errors
    /// If the dict lacks something this class saves, or something in it is of the wrong kind; nothing has been
    /// loaded then.
    fn load_state_dict(&self, state_dict: Value) -> Result<()> {
        let commit = self.node().load(&state_dict)?;
        commit();
        Ok(())
    }

    /// What torch would have warned of, in order; of more than 1000 the last 1000. A composition also has the warnings of its members.
    fn warnings(&self) -> Vec<String> {
        self.node().log().texts()
    }

    /// The scheduler in a box, as compositions take it.
    fn boxed(self) -> Box<dyn LrScheduler>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

/// A scheduler behind a pointer is one too, so that a program can share it with its optimizer.
macro_rules! pointer {
    ($pointer:ident) => {
        impl<S: LrScheduler + ?Sized> sealed::Scheduler for $pointer<S> {
            fn node(&self) -> &dyn Node {
                (**self).node()
            }
        }

        impl<S: LrScheduler + ?Sized> LrScheduler for $pointer<S> {}
    };
}

pointer!(Box);
pointer!(Arc);

/// Whether the scheduler sets the learning rates of these groups.
pub(crate) fn is_over(scheduler: &dyn LrScheduler, groups: &Arc<Groups>) -> bool {
    Arc::ptr_eq(&scheduler.node().target().groups, groups)
}

fn describe(node: &dyn Node, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{} {}", node.class(), Value::from(node.save()))
}

/// Makes a struct around a [`Node`] a scheduler.
macro_rules! scheduler {
    ($class:ident) => {
        impl crate::lr_scheduler::sealed::Scheduler for $class {
            fn node(&self) -> &dyn crate::lr_scheduler::node::Node {
                &self.0
            }
        }

        impl crate::lr_scheduler::LrScheduler for $class {}

        impl std::fmt::Debug for $class {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::lr_scheduler::describe(&self.0, f)
            }
        }
    };
}
use scheduler;

/// Methods of a builder that replace one option each.
macro_rules! setters {
    ($($(#[$about:meta])* $name:ident: $kind:ty;)*) => {$(
        $(#[$about])*
        pub fn $name(mut self, $name: $kind) -> Self {
            self.$name = $name;
            self
        }
    )*};
}
use setters;
