//! Learning rates given by functions: `LambdaLR` and `MultiplicativeLR`.

use super::leaf::{Formula, Leaf, Now, Rates};
use super::node::{Rollback, Target};
use super::{scheduler, setters};
use crate::{Error, Optimizer, Result};
use checkpoint::{Dict, Value};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// A function of the epoch, possibly with a state that is saved with the scheduler.
///
/// Every closure `Fn(i64) -> f64` is one, without state. A type of your own is torch's callable object, whose
/// attributes torch saves:
/// ```
/// use checkpoint::{Dict, Value};
/// use optim::lr_scheduler::{LambdaLr, LrLambda, LrScheduler};
/// use optim::Sgd;
/// use std::sync::Mutex;
/// use tape::Tensor;
///
/// struct Decay(Mutex<f64>);
///
/// impl LrLambda for Decay {
///     fn factor(&self, epoch: i64) -> f64 {
///         self.0.lock().unwrap().powf(epoch as f64)
///     }
///     fn state_dict(&self) -> Value {
///         Dict::from_iter([("base", *self.0.lock().unwrap())]).into()
///     }
///     fn load_state_dict(&self, saved: &Value) -> optim::Result<()> {
///         *self.0.lock().unwrap() = f64::try_from(saved.require("base")?)?;
///         Ok(())
///     }
/// }
///
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(1.0).build()?;
/// let scheduler = LambdaLr::builder(&sgd, Decay(Mutex::new(0.5))).build()?;
/// assert_eq!(scheduler.state_dict()["lr_lambdas"][0]["base"].as_float(), Some(0.5));
/// # Ok::<(), optim::Error>(())
/// ```
pub trait LrLambda: Send + Sync {
    /// The factor for an epoch.
    fn factor(&self, epoch: i64) -> f64;

    /// What is to be saved: `None` for a plain function.
    fn state_dict(&self) -> Value {
        Value::None
    }

    /// Takes over what [`state_dict`](Self::state_dict) saved; not called where that was `None`.
    ///
    /// # Errors
    /// If the state does not fit. The scheduler then loads nothing, and gives functions that were loaded
    /// before this one their former state back.
    fn load_state_dict(&self, _saved: &Value) -> Result<()> {
        Ok(())
    }
}

impl<F: Fn(i64) -> f64 + Send + Sync> LrLambda for F {
    fn factor(&self, epoch: i64) -> f64 {
        self(epoch)
    }
}

/// One function for all groups, or one for each.
pub struct LrLambdas(Lambdas);

enum Lambdas {
    One(Arc<dyn LrLambda>),
    Each(Vec<Arc<dyn LrLambda>>),
}

impl Debug for LrLambdas {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Lambdas::One(_) => f.write_str("LrLambdas(one for all groups)"),
            Lambdas::Each(each) => write!(f, "LrLambdas({}, one for each group)", each.len()),
        }
    }
}

impl LrLambdas {
    fn spread(&self, groups: usize) -> Result<Vec<Arc<dyn LrLambda>>> {
        match &self.0 {
            Lambdas::One(one) => Ok(vec![Arc::clone(one); groups]),
            Lambdas::Each(each) if each.len() == groups => Ok(each.clone()),
            Lambdas::Each(each) => Err(Error::LambdaCount { expected: groups, found: each.len() }),
        }
    }
}

/// What can be given as the functions of a scheduler: one function, or a `Vec` of boxed functions.
///
/// ```
/// use optim::lr_scheduler::{LambdaLr, LrLambda, LrScheduler};
/// use optim::{ParamGroup, Sgd};
/// use tape::{DType, Tensor};
/// let (w, b) = (Tensor::zeros([2, 2], DType::F32), Tensor::zeros([2], DType::F32));
/// let sgd = Sgd::builder([ParamGroup::new([&w]), ParamGroup::new([&b])]).lr(1.0).build()?;
/// let each: Vec<Box<dyn LrLambda>> = vec![Box::new(|epoch| 0.95_f64.powf(epoch as f64)), Box::new(|_| 0.5)];
/// let scheduler = LambdaLr::builder(&sgd, each).build()?;
/// assert_eq!(scheduler.get_last_lr(), [1.0, 0.5]);
/// # Ok::<(), optim::Error>(())
/// ```
pub trait IntoLrLambdas {
    /// The functions.
    fn into_lr_lambdas(self) -> LrLambdas;
}

impl<L: LrLambda + 'static> IntoLrLambdas for L {
    fn into_lr_lambdas(self) -> LrLambdas {
        LrLambdas(Lambdas::One(Arc::new(self)))
    }
}

impl IntoLrLambdas for Vec<Box<dyn LrLambda>> {
    fn into_lr_lambdas(self) -> LrLambdas {
        LrLambdas(Lambdas::Each(self.into_iter().map(Arc::from).collect()))
    }
}

/// Functions that have been loaded, and what they were before: dropped without [`keep`](Self::keep) it gives
/// them back what they were.
#[derive(Default)]
pub(super) struct Reloaded(Vec<(Arc<dyn LrLambda>, Value)>);

impl Reloaded {
    /// Loads a function, if something was saved for it.
    pub(super) fn load(&mut self, function: &Arc<dyn LrLambda>, saved: &Value) -> Result<()> {
        if !saved.is_none() {
            self.0.push((Arc::clone(function), function.state_dict()));
            function.load_state_dict(saved)?;
        }
        Ok(())
    }

    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Reloaded {
    fn drop(&mut self) {
        for (function, state) in self.0.drain(..).rev() {
            // It is the function's own state, and there is nobody left to tell.
            let _ = function.load_state_dict(&state);
        }
    }
}

fn save(lambdas: &[Arc<dyn LrLambda>], dict: &mut Dict) {
    dict.insert("lr_lambdas", lambdas.iter().map(|lambda| lambda.state_dict()).collect::<Value>());
}

fn load(lambdas: &[Arc<dyn LrLambda>], saved: &Value, functions: &mut Reloaded) -> Result<()> {
    let states = saved.require("lr_lambdas")?;
    let (found, own) = (states.as_list().map_or(0, <[Value]>::len), lambdas.len());
    if found != own {
        return Err(Error::StateMismatch(format!("'lr_lambdas' has {found} entries for {own} functions")));
    }
    lambdas.iter().zip(states.iter()).try_for_each(|(lambda, state)| functions.load(lambda, state))
}

/// Multiplies the initial learning rate by a function of the epoch: `lr = initial_lr * f(epoch)`.
///
/// ```
/// use optim::lr_scheduler::{LambdaLr, LrScheduler};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(0.5).build()?;
/// let scheduler = LambdaLr::builder(&sgd, |epoch| 1.0 / (1.0 + epoch as f64)).build()?;
/// sgd.step()?;
/// scheduler.step();
/// assert_eq!(scheduler.get_last_lr(), [0.25]);
/// # Ok::<(), optim::Error>(())
/// ```
pub struct LambdaLr(Leaf<Lambda>);

/// Multiplies the learning rate as it finds it by a function of the epoch, from the first step on:
/// `lr = lr * f(epoch)`.
///
/// ```
/// use optim::lr_scheduler::{LrScheduler, MultiplicativeLr};
/// use optim::Sgd;
/// use tape::Tensor;
/// let p = Tensor::from([1.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(0.5).build()?;
/// let scheduler = MultiplicativeLr::builder(&sgd, |_| 0.5).build()?;
/// sgd.step()?;
/// scheduler.step();
/// assert_eq!(scheduler.get_last_lr(), [0.25]);
/// # Ok::<(), optim::Error>(())
/// ```
pub struct MultiplicativeLr(Leaf<Multiplicative>);

scheduler!(LambdaLr);
scheduler!(MultiplicativeLr);

/// Options of a [`LambdaLr`].
#[derive(Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct LambdaLrBuilder {
    target: Target,
    lr_lambda: LrLambdas,
    last_epoch: i64,
}

/// Options of a [`MultiplicativeLr`].
#[derive(Debug)]
#[must_use = "a scheduler is made by build()"]
pub struct MultiplicativeLrBuilder {
    target: Target,
    lr_lambda: LrLambdas,
    last_epoch: i64,
}

macro_rules! builder_of {
    ($class:ident, $builder:ident, $formula:ident) => {
        impl $class {
            /// Starts a scheduler over this optimizer, with one function for all groups or one for each.
            pub fn builder<O: Optimizer + ?Sized>(optimizer: &O, lr_lambda: impl IntoLrLambdas) -> $builder {
                let lr_lambda = lr_lambda.into_lr_lambdas();
                $builder { target: Target::of(optimizer), lr_lambda, last_epoch: -1 }
            }
        }

        impl $builder {
            setters! {
                /// The epoch to go on from (default -1: from the start).
                last_epoch: i64;
            }

            /// The scheduler, after its initial step.
            ///
            /// # Errors
            /// If there is another number of functions than of groups, or a group has no `initial_lr` to go on
            /// from. The groups are then as they were.
            pub fn build(self) -> Result<$class> {
                let rollback = Rollback::of(&self.target);
                let lambdas = self.lr_lambda.spread(self.target.all().len())?;
                let leaf = Leaf::start(&self.target, $formula { lambdas }, self.last_epoch)?;
                rollback.keep();
                Ok($class(leaf))
            }
        }
    };
}

builder_of!(LambdaLr, LambdaLrBuilder, Lambda);
builder_of!(MultiplicativeLr, MultiplicativeLrBuilder, Multiplicative);

#[derive(Clone)]
struct Lambda {
    lambdas: Vec<Arc<dyn LrLambda>>,
}

impl Formula for Lambda {
    const CLASS: &'static str = "LambdaLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let lrs = self.lambdas.iter().zip(now.base_lrs).map(|(lambda, base)| base * lambda.factor(now.last_epoch));
        Ok(lrs.collect::<Vec<_>>().into())
    }

    fn save(&self, _: &mut Dict) {}

    fn save_last(&self, dict: &mut Dict) {
        save(&self.lambdas, dict);
    }

    fn load(&self, saved: &Value, functions: &mut Reloaded) -> Result<Self> {
        load(&self.lambdas, saved, functions)?;
        Ok(self.clone())
    }
}

#[derive(Clone)]
struct Multiplicative {
    lambdas: Vec<Arc<dyn LrLambda>>,
}

impl Formula for Multiplicative {
    const CLASS: &'static str = "MultiplicativeLR";

    fn chainable(&self, now: &Now<'_>) -> Result<Rates> {
        let lrs = now.lrs()?;
        if now.initial {
            return Ok(lrs.into());
        }
        let lrs = self.lambdas.iter().zip(lrs).map(|(lambda, lr)| lr * lambda.factor(now.last_epoch));
        Ok(lrs.collect::<Vec<_>>().into())
    }

    fn save(&self, _: &mut Dict) {}

    fn save_last(&self, dict: &mut Dict) {
        save(&self.lambdas, dict);
    }

    fn load(&self, saved: &Value, functions: &mut Reloaded) -> Result<Self> {
        load(&self.lambdas, saved, functions)?;
        Ok(self.clone())
    }
}
