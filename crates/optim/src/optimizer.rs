//! The trait that all optimizers share.

use crate::base::{self, Loaded, OptimizerBase, StepArgs};
use crate::lr_scheduler::{self, LrScheduler};
use crate::{BoxError, Error, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::sync::Arc;
use tape::{DType, EnableGradGuard, RemovableHandle, Tensor};

/// A closure that computes the loss anew: clears the gradients, evaluates, calls `backward`, returns the
/// loss.
pub type Closure<'a> = dyn FnMut() -> std::result::Result<Tensor, BoxError> + 'a;

/// What every optimizer can do, whether it evaluates the loss itself ([`Lbfgs`](crate::Lbfgs)) or only reads
/// gradients ([`Sgd`](crate::Sgd)): torch's class `Optimizer`.
///
/// All methods take `&self`, so that the closure of a running step may use the optimizer.
///
/// ```
/// use optim::{Lbfgs, Optimizer, Sgd};
/// use tape::Tensor;
/// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizers: [Box<dyn Optimizer>; 2] =
///     [Box::new(Sgd::builder([&p]).lr(0.25).build()?), Box::new(Lbfgs::builder([&p]).build()?)];
/// for optimizer in &optimizers {
///     optimizer.step_closure(&mut || {
///         optimizer.zero_grad();
///         let loss = (&p * &p).sum();
///         loss.backward()?;
///         Ok(loss)
///     })?;
/// }
/// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-6));
/// # Ok::<(), optim::Error>(())
/// ```
///
/// # Hooks
/// Functions may be called before and after a step ([`register_step_pre_hook`](Self::register_step_pre_hook),
/// [`register_step_post_hook`](Self::register_step_post_hook), and for all optimizers
/// [`register_optimizer_step_pre_hook`](crate::register_optimizer_step_pre_hook) and its counterparts), before
/// and after a state dict is made, and before and after one is loaded. They get the optimizer and may call
/// anything on it. A step runs the global hooks before it, then its own, then itself, its own hooks after it,
/// the global ones after it; where a hook or the step fails, those behind it do not run. Hooks run in the
/// caller's grad mode. A hook added or removed by one of its kind counts from the next call on. What a hook
/// calls on its own optimizer runs without the hooks of that same call, so a hook that steps does not call
/// itself. Through a `dyn Optimizer` hooks are added by `optimizer.base().hooks().step_pre.push(..)`.
///
/// # An optimizer of your own
/// Hold an [`OptimizerBase`], read the options from its groups, and write `step_body`:
/// ```
/// use checkpoint::Dict;
/// use optim::{Closure, Loaded, Optimizer, OptimizerBase, Result};
/// use tape::Tensor;
///
/// /// Moves every element by `lr` against the sign of its gradient.
/// struct SignDescent(OptimizerBase);
///
/// impl Optimizer for SignDescent {
///     fn base(&self) -> &OptimizerBase {
///         &self.0
///     }
///
///     fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
///         let loss = closure.map(optim::evaluate).transpose()?;
///         for group in self.0.groups().all().iter() {
///             for p in group.params() {
///                 if let Some(gradient) = p.grad() {
///                     p.add_scaled(-group.lr(), &gradient.sign().to_vec::<f64>());
///                 }
///             }
///         }
///         Ok(loss.map(|(loss, _)| loss))
///     }
///
///     fn save_state(&self) -> Vec<(Tensor, Dict)> {
///         Vec::new()
///     }
///
///     fn load_state(&self, _: &mut Loaded) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizer = SignDescent(OptimizerBase::new("SignDescent", [&p], Dict::from_iter([("lr", 0.5)]))?);
/// (&p * &p).sum().backward()?;
/// optimizer.step_without_closure()?;
/// assert_eq!(p.to_vec::<f64>(), [2.5, -3.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Optimizer: AsOptimizer + Send + Sync {
    /// Groups, defaults and hooks.
    fn base(&self) -> &OptimizerBase;

    /// The step itself, without hooks; no other step of this optimizer runs meanwhile. The closure is to be
    /// called through [`evaluate`]; what it returned first is returned.
    ///
    /// # Errors
    /// What the closure returned, [`Error::ClosureRequired`], or what the optimizer cannot do; the parameters
    /// are then at the last accepted point.
    fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>>;

    /// The state of each parameter that has one, in the order in which they got it, as a snapshot.
    fn save_state(&self) -> Vec<(Tensor, Dict)>;

    /// Replaces the state by a saved one whose groups are known to fit.
    ///
    /// # Errors
    /// If a state does not fit its parameter; nothing has been changed then.
    fn load_state(&self, loaded: &mut Loaded) -> Result<()>;

    /// The dtype in which the state of a parameter is kept, so that loading converts tensors to it: the
    /// parameter's own.
    fn state_dtype(&self, param: &Tensor) -> DType {
        param.dtype()
    }

    /// One step with hooks. The closure runs with gradients enabled; what it returned at its first call is
    /// returned.
    ///
    /// # Errors
    /// What the closure or a hook returned, or what the optimizer cannot do; the parameters are then at the
    /// last accepted point.
    fn step_closure(&self, closure: &mut Closure<'_>) -> Result<Tensor> {
        let loss = base::step(self.as_optimizer(), Some(closure))?;
        loss.ok_or(Error::ClosureRequired { optimizer: self.base().name() })
    }

    /// One step with hooks, on the gradients that are there.
    ///
    /// # Errors
    /// [`Error::ClosureRequired`] if the optimizer has to evaluate the loss itself, or as
    /// [`step_closure`](Self::step_closure).
    fn step_without_closure(&self) -> Result<()> {
        base::step(self.as_optimizer(), None).map(drop)
    }

    /// Drops the gradients of all parameters: `zero_grad_set_to_none(true)`.
    fn zero_grad(&self) {
        self.zero_grad_set_to_none(true);
    }

    /// Drops the gradients of all parameters, or (`false`) sets those that are there to zero. These then have
    /// no history and require no gradient. They stay the tensors they were, except one that `backward` recorded
    /// (`create_graph`): its parameter gets another over the same memory, because a tensor keeps its history
    /// as long as it lives, while torch takes it away.
    ///
    /// The difference is visible: a gradient of zeros is a step, with momentum and weight decay, for most
    /// optimizers, a missing one is none; and after dropping, a gradient is there only where the next `backward`
    /// came along.
    fn zero_grad_set_to_none(&self, set_to_none: bool) {
        self.base().zero_grad(set_to_none);
    }

    /// Paddle's spelling of [`zero_grad_set_to_none`](Self::zero_grad_set_to_none), with the opposite sense:
    /// `true` sets gradients to zero, `false` drops them.
    fn clear_grad(&self, set_to_zero: bool) {
        self.zero_grad_set_to_none(!set_to_zero);
    }

    /// The learning rate of the first group: Paddle's `get_lr`.
    ///
    /// # Panics
    /// As [`ParamGroup::lr`], if a state dict without `lr` was loaded.
    #[track_caller]
    fn get_lr(&self) -> f64 {
        self.base().groups().all().first().map_or(f64::NAN, ParamGroup::lr)
    }

    /// Sets the learning rate of every group: Paddle's `set_lr`. The next step uses it.
    ///
    /// # Errors
    /// [`Error::InvalidLearningRate`] if it is negative or NaN; [`Error::LrSchedulerInUse`] after
    /// [`set_lr_scheduler`](Self::set_lr_scheduler). Nothing has been changed then.
    fn set_lr(&self, lr: f64) -> Result<()> {
        if self.base().scheduler().is_some() {
            return Err(Error::LrSchedulerInUse);
        }
        if lr.is_nan() || lr < 0.0 {
            return Err(Error::InvalidLearningRate(Value::from(lr).to_string()));
        }
        self.base().groups().all().iter().for_each(|group| group.set_lr(lr));
        Ok(())
    }

    /// Gives the learning rate into the hands of a scheduler built over this optimizer, in place of another if
    /// there is one: Paddle's `set_lr_scheduler`. [`set_lr`](Self::set_lr) is refused from then on.
    ///
    /// torch's schedulers work without this. It is for programs that reach the scheduler through the optimizer.
    ///
    /// ```
    /// use optim::lr_scheduler::{LrScheduler, StepLr};
    /// use optim::{Lbfgs, Optimizer};
    /// let p = tape::Tensor::from([1.0]).requires_grad_(true);
    /// let lbfgs = Lbfgs::builder([&p]).lr(0.5).build()?;
    /// lbfgs.set_lr_scheduler(StepLr::builder(&lbfgs, 2).gamma(0.1).build()?)?;
    /// let scheduler = lbfgs.lr_scheduler().expect("just set");
    /// let rates: Vec<f64> = (0..4)
    ///     .map(|_| {
    ///         let lr = lbfgs.get_lr();
    ///         scheduler.step();
    ///         lr
    ///     })
    ///     .collect();
    /// assert_eq!(rates, [0.5, 0.5, 0.05, 0.05]);
    /// # Ok::<(), optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::LrSchedulerOfAnother`] if the scheduler was built over another optimizer.
    fn set_lr_scheduler(&self, scheduler: impl LrScheduler + 'static) -> Result<()>
    where
        Self: Sized,
    {
        if !lr_scheduler::is_over(&scheduler, self.base().groups()) {
            return Err(Error::LrSchedulerOfAnother);
        }
        let former = self.base().scheduler().replace(Arc::new(scheduler));
        // Outside of the lock: what it owns, such as a function of the user's, may ask this optimizer.
        drop(former);
        Ok(())
    }

    /// The scheduler that [`set_lr_scheduler`](Self::set_lr_scheduler) was given.
    fn lr_scheduler(&self) -> Option<Arc<dyn LrScheduler>> {
        self.base().scheduler().clone()
    }

    /// Takes the learning rate out of the hands of the scheduler, and returns the scheduler. The groups forget
    /// their `initial_lr`: a scheduler built next begins with the learning rate there is.
    fn remove_lr_scheduler(&self) -> Option<Arc<dyn LrScheduler>> {
        let removed = self.base().scheduler().take();
        if removed.is_some() {
            self.base().groups().all().iter().for_each(|group| drop(group.remove("initial_lr")));
        }
        removed
    }

    /// A snapshot of state and options under torch's keys. It shares no numbers with the optimizer, while
    /// torch's would go on changing with it.
    fn state_dict(&self) -> Value {
        let optimizer = self.as_optimizer();
        base::state_dict(optimizer, || base::pack(optimizer))
    }

    /// Takes over what [`state_dict`](Self::state_dict) saved, possibly by torch. Tensors are converted to the
    /// dtype of their parameter, except those named `step`, and copied.
    ///
    /// Parameters are matched by their position in the groups and nothing else. Options that the saved groups
    /// lack are gone afterwards, those they have beside the optimizer's own are taken in; names of parameters
    /// stay unless there are others in the dict. Handles from [`param_groups`](Self::param_groups) stay valid,
    /// where torch would make new dicts.
    ///
    /// Call it after the learning-rate schedulers have been built: building one sets learning rates.
    ///
    /// # Errors
    /// If the dict does not fit; nothing has been changed then.
    fn load_state_dict(&self, state_dict: Value) -> Result<()> {
        let optimizer = self.as_optimizer();
        base::load_state_dict(optimizer, state_dict, |state_dict| base::unpack(optimizer, state_dict))
    }

    /// Paddle's name for [`load_state_dict`](Self::load_state_dict).
    ///
    /// # Errors
    /// If the dict does not fit; nothing has been changed then.
    fn set_state_dict(&self, state_dict: Value) -> Result<()> {
        self.load_state_dict(state_dict)
    }

    /// Translates a dict of another form than torch's before it is checked and loaded; called by
    /// [`load_state_dict`](Self::load_state_dict), after the hooks.
    fn adapt_state_dict(&self, state_dict: Value) -> Value {
        state_dict
    }

    /// The state of one parameter: torch's `optimizer.state[p]`, as a snapshot. As provided it goes through
    /// [`save_state`](Self::save_state); an optimizer that can look up one state does better.
    fn param_state(&self, param: &Tensor) -> Option<Dict> {
        self.save_state().into_iter().find(|(other, _)| other.same(param)).map(|(_, state)| state)
    }

    /// The groups, as handles: an option set through one counts from the next step on.
    fn param_groups(&self) -> Vec<ParamGroup> {
        self.base().groups().all().to_vec()
    }

    /// Adds a group, as when layers that were frozen are to be trained from now on; options it lacks get the
    /// optimizer's defaults.
    ///
    /// # Errors
    /// If a parameter is in another group already, is no leaf, or names are given in one group but not in
    /// another; [`Error::StepIsRunning`] from inside a step's closure, where torch would add it.
    fn add_param_group(&self, group: ParamGroup) -> Result<()> {
        self.base().refuse_while_running("add_param_group")?;
        self.base().add_group(group)
    }

    /// What torch would have warned of, such as a parameter that occurs twice in its group.
    fn warnings(&self) -> Vec<String> {
        self.base().warnings()
    }

    /// Calls `hook` before every step. It may change the [`StepArgs`]; an error ends the step before it
    /// began.
    fn register_step_pre_hook(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) -> std::result::Result<(), BoxError> + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().step_pre.push(Arc::new(hook))
    }

    /// Calls `hook` after every step that succeeded.
    fn register_step_post_hook(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().step_post.push(Arc::new(hook))
    }

    /// Calls `hook` before every [`state_dict`](Self::state_dict).
    fn register_state_dict_pre_hook(&self, hook: impl Fn(&dyn Optimizer) + Send + Sync + 'static) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().state_dict_pre.push(Arc::new(hook))
    }

    /// As [`register_state_dict_pre_hook`](Self::register_state_dict_pre_hook), before all hooks there are.
    fn register_state_dict_pre_hook_prepended(
        &self,
        hook: impl Fn(&dyn Optimizer) + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().state_dict_pre.prepend(Arc::new(hook))
    }

    /// Shows every state dict that is made to `hook`, which may change it, or return another to replace it.
    fn register_state_dict_post_hook(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut Value) -> Option<Value> + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().state_dict_post.push(Arc::new(hook))
    }

    /// As [`register_state_dict_post_hook`](Self::register_state_dict_post_hook), before all hooks there are.
    fn register_state_dict_post_hook_prepended(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut Value) -> Option<Value> + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().state_dict_post.prepend(Arc::new(hook))
    }

    /// Shows every state dict that is to be loaded to `hook`, which may change it, or return another to
    /// replace it. The dict is this call's own: the caller's copy, where there is one, does not change.
    ///
    /// ```
    /// use optim::{Optimizer, Sgd};
    /// let p = tape::Tensor::from([1.0f32]).requires_grad_(true);
    /// let sgd = Sgd::builder([&p]).lr(0.1).build()?;
    /// let handle = sgd.register_load_state_dict_pre_hook(|_, state_dict| {
    ///     state_dict["param_groups"][0]["lr"] = 0.002.into();
    ///     None
    /// });
    /// sgd.load_state_dict(sgd.state_dict())?;
    /// assert_eq!(sgd.param_groups()[0].lr(), 0.002);
    /// handle.remove();
    /// # Ok::<(), optim::Error>(())
    /// ```
    fn register_load_state_dict_pre_hook(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut Value) -> Option<Value> + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().load_state_dict_pre.push(Arc::new(hook))
    }

    /// As [`register_load_state_dict_pre_hook`](Self::register_load_state_dict_pre_hook), before all hooks
    /// there are.
    fn register_load_state_dict_pre_hook_prepended(
        &self,
        hook: impl Fn(&dyn Optimizer, &mut Value) -> Option<Value> + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().load_state_dict_pre.prepend(Arc::new(hook))
    }

    /// Calls `hook` after every [`load_state_dict`](Self::load_state_dict) that succeeded.
    fn register_load_state_dict_post_hook(
        &self,
        hook: impl Fn(&dyn Optimizer) + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().load_state_dict_post.push(Arc::new(hook))
    }

    /// As [`register_load_state_dict_post_hook`](Self::register_load_state_dict_post_hook), before all hooks
    /// there are.
    fn register_load_state_dict_post_hook_prepended(
        &self,
        hook: impl Fn(&dyn Optimizer) + Send + Sync + 'static,
    ) -> RemovableHandle
    where
        Self: Sized,
    {
        self.base().hooks().load_state_dict_post.prepend(Arc::new(hook))
    }
}

/// Every optimizer as a trait object: how hooks get it. Implemented for all of them.
pub trait AsOptimizer {
    /// This optimizer.
    fn as_optimizer(&self) -> &dyn Optimizer;
}

impl<O: Optimizer> AsOptimizer for O {
    fn as_optimizer(&self) -> &dyn Optimizer {
        self
    }
}

/// Runs the closure with gradients enabled and reads the loss as a plain number.
///
/// # Errors
/// [`Error::Closure`] with what the closure returned, [`Error::LossNotScalar`] if the loss has more or fewer
/// than one element.
pub fn evaluate(closure: &mut Closure<'_>) -> Result<(Tensor, f64)> {
    let outcome = {
        let _recording = EnableGradGuard::new();
        closure()
    };
    let loss = outcome.map_err(|error| Error::Closure(error.into_inner()))?;
    if loss.numel() != 1 {
        return Err(Error::LossNotScalar { shape: loss.sizes().to_vec() });
    }
    let value = loss.item();
    Ok((loss, value))
}
