//! L-BFGS as `torch.optim.LBFGS` runs it.

mod alphas;
mod builder;
mod callback;
mod exits;
mod grad_clip;
mod iteration;
mod line_search;
mod memory;
mod metric;
mod moves;
mod non_finite;
mod objective;
mod observer;
mod options;
mod paddle;
mod problem;
mod scalar;
mod state;
mod step;
mod summary;
mod telling;
mod weight_decay;

pub(crate) use builder::check_lr;
pub use builder::{LbfgsBuilder, LineSearch};
pub use callback::Iteration;
pub use grad_clip::GradClip;
pub use non_finite::NonFinite;
pub use weight_decay::WeightDecay;

use crate::base::{Loaded, OptimizerBase, deep_copy, lock, repeats_elements};
use crate::optimizer::{Closure, Optimizer};
use crate::{BoxError, Error, IntoParams, ParamGroup, Result, StepReport};
use callback::Callback;
use checkpoint::{Dict, Value};
use options::Additions;
use problem::{Engine, Problem};
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::{Arc, Mutex};
use tape::{DType, Tensor};

/// Limited-memory BFGS with torch 2.8's own trajectory.
///
/// One [`step`](Self::step) makes up to `max_iter` iterations `p += t d`. The direction `d = -H g` comes from
/// the last `history_size` pairs of moves and gradient changes (Nocedal & Wright, Algorithm 7.4). The step
/// length `t` is `lr` (`lr * min(1, 1 / sum|g|)` in the very first iteration), or is found by a strong Wolfe
/// line search that begins there. The memory lives on from step to step. Parameters are `f32` or `f64`; where
/// both occur the flat vectors are `f64`.
///
/// ```
/// use optim::{Lbfgs, LineSearch, Optimizer, StopReason};
/// use tape::{DType, Tensor};
/// let p = Tensor::from([2.0, 3.0]).requires_grad_(true);
/// let optimizer = Lbfgs::builder([&p]).max_iter(50).line_search_fn(LineSearch::StrongWolfe).build()?;
/// let first_loss = optimizer.step(|| {
///     optimizer.zero_grad();
///     let loss = (&p * &p).sum();
///     loss.backward()?;
///     Ok(loss)
/// })?;
/// assert_eq!(first_loss.item(), 13.0);
/// assert_eq!(optimizer.report().stop, StopReason::GradientTolerance);
/// # Ok::<(), optim::Error>(())
/// ```
///
/// Printing an optimizer shows its options as torch does.
///
/// # State dicts
/// Beside torch's, [`load_state_dict`](Optimizer::load_state_dict) (in Paddle's words
/// [`set_state_dict`](Optimizer::set_state_dict)) takes Paddle's: `{"state": {..}}`, one flat map without
/// groups in which `t`, `old_dirs` and `old_stps` are called `alpha`, `old_yk` and `old_sk`. Options then stay
/// what they are, since such a dict has none.
pub struct Lbfgs {
    base: OptimizerBase,
    problem: Mutex<Arc<Problem>>,
    callback: Option<Callback>,
    report: Mutex<StepReport>,
    /// What a loaded state dict held for other parameters than the first.
    others: Mutex<Vec<(Tensor, Dict)>>,
}

impl Lbfgs {
    /// Starts an optimizer over these parameters: tensors, `(name, tensor)` pairs, or one group.
    pub fn builder(params: impl IntoParams) -> LbfgsBuilder {
        LbfgsBuilder::new(params.into_params())
    }

    fn over(base: OptimizerBase, callback: Option<Callback>) -> Result<Self> {
        let groups = base.groups().all();
        let problem = Problem::new(&groups);
        for group in groups.iter() {
            options::check(group, problem.flat.dtype())?;
        }
        if groups.len() > 1 && !several_allowed(&groups) {
            return Err(Error::ParameterGroups);
        }
        groups.iter().try_for_each(check_params)?;
        let problem = Mutex::new(Arc::new(problem));
        Ok(Self { base, problem, callback, report: Mutex::default(), others: Mutex::default() })
    }

    /// Parameters and state as they are now.
    fn problem(&self) -> Arc<Problem> {
        Arc::clone(&lock(&self.problem))
    }

    /// Makes up to `max_iter` iterations and returns the loss of the first evaluation, as torch does; the
    /// last loss is in the [`report`](Self::report). The closure must clear the gradients, compute the loss,
    /// call `backward` and return the loss; it runs with gradients enabled.
    ///
    /// A step without closure does not compile, where torch raises `TypeError: step() missing 1 required
    /// positional argument: 'closure'`:
    ///
    /// ```compile_fail,E0061
    /// use optim::{Lbfgs, Optimizer};
    /// let x = tape::Tensor::from([1.0]).requires_grad_(true);
    /// let optimizer = Lbfgs::builder([&x]).build()?;
    /// optimizer.zero_grad();
    /// x.pow(2.0).sum().backward()?;
    /// optimizer.step()?;
    /// # Ok::<(), optim::BoxError>(())
    /// ```
    ///
    /// The first three lines of the loop go into the closure:
    ///
    /// ```
    /// # use optim::{Lbfgs, Optimizer};
    /// # let x = tape::Tensor::from([1.0]).requires_grad_(true);
    /// # let optimizer = Lbfgs::builder([&x]).build()?;
    /// optimizer.step(|| {
    ///     optimizer.zero_grad();
    ///     let loss = x.pow(2.0).sum();
    ///     loss.backward()?;
    ///     Ok(loss)
    /// })?;
    /// # Ok::<(), optim::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closure`] with whatever the closure returned; [`Error::StepIsRunning`] when called from
    /// inside the closure; and where torch raises. The parameters are then exactly at the last accepted
    /// point ([`guarded`](LbfgsBuilder::guarded): at the best one), and the optimizer can be stepped again. The same holds after a panic of the closure.
    pub fn step(&self, mut closure: impl FnMut() -> std::result::Result<Tensor, BoxError>) -> Result<Tensor> {
        self.step_closure(&mut closure)
    }

    /// What the last finished step did, and why it stopped.
    pub fn report(&self) -> StepReport {
        lock(&self.report).clone()
    }

    /// Memory that the stored pairs take, in bytes, room that is kept for later pairs included.
    ///
    /// With `n` elements and `m` pairs that is about `2 m n` numbers; see
    /// [`history_dtype`](LbfgsBuilder::history_dtype).
    pub fn history_bytes(&self) -> usize {
        match &self.problem().engine {
            Engine::F32(engine) => lock(&engine.state).memory.bytes(),
            Engine::F64(engine) => lock(&engine.state).memory.bytes(),
        }
    }

    /// Runs something that moves the parameters and puts them back.
    pub(crate) fn undisturbed<R>(&self, body: impl FnOnce() -> R) -> R {
        self.problem().undisturbed(body)
    }
}

/// Whether the groups' options allow that there are several.
fn several_allowed(groups: &[ParamGroup]) -> bool {
    groups.first().and_then(|group| group.get("parameter_groups")) == Some(Value::Bool(true))
}

fn check_params(group: &ParamGroup) -> Result<()> {
    for (index, param) in group.params().iter().enumerate() {
        if !param.dtype().is_floating_point() {
            return Err(Error::NotFloatingPoint { index, dtype: param.dtype() });
        }
        if repeats_elements(param) {
            return Err(Error::RepeatedElements { index, shape: param.sizes().to_vec() });
        }
    }
    Ok(())
}

impl Optimizer for Lbfgs {
    fn base(&self) -> &OptimizerBase {
        &self.base
    }

    fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
        let closure = closure.ok_or(Error::ClosureRequired { optimizer: self.base.name() })?;
        let problem = self.problem();
        match &problem.engine {
            Engine::F32(engine) => step::run(self, &problem.flat, engine, closure),
            Engine::F64(engine) => step::run(self, &problem.flat, engine, closure),
        }
        .map(Some)
    }

    /// The first parameter has the state of the whole optimizer, as in torch.
    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        let saved = self.problem().save();
        let first = self.base.params().into_iter().next().filter(|_| !saved.is_empty());
        let others = lock(&self.others);
        let copies = others.iter().map(|(param, state)| (param.clone(), deep_copy(state)));
        first.map(|first| (first, saved)).into_iter().chain(copies).collect()
    }

    /// The vectors of the state are over all parameters. torch would convert them to the dtype of the first.
    fn state_dtype(&self, _: &Tensor) -> DType {
        self.problem().flat.dtype()
    }

    fn load_state(&self, loaded: &mut Loaded) -> Result<()> {
        let first = self.base.params().into_iter().next();
        let own = first.as_ref().and_then(|first| loaded.state_of(first));
        let problem = self.problem();
        let additions = loaded.options.first().map(|options| Additions::read(options, problem.flat.dtype()));
        problem.load(own, additions.transpose()?.is_some_and(|additions| additions.narrow_history))?;
        let others = loaded.state.iter().filter(|(param, _)| !first.as_ref().is_some_and(|first| first.same(param)));
        *lock(&self.others) =
            others.filter_map(|(param, value)| Some((param.clone(), value.as_dict()?.clone()))).collect();
        Ok(())
    }

    fn adapt_state_dict(&self, state_dict: Value) -> Value {
        paddle::translate(self, state_dict)
    }

    /// With [`parameter_groups`](LbfgsBuilder::parameter_groups) the group is optimized from the next step on,
    /// with a fresh memory; otherwise the next step fails, as in torch.
    fn add_param_group(&self, group: ParamGroup) -> Result<()> {
        let _running = self.base.start("add_param_group")?;
        if !several_allowed(&self.base.groups().all()) {
            return self.base.add_group(group);
        }
        check_params(&group)?;
        let with_defaults = group.deep_copy();
        // What is wrong with the group itself is told by `add_group`, in torch's order.
        if with_defaults.prepare(&[], self.base.defaults()).is_ok() {
            options::check(&with_defaults, self.problem().flat.dtype())?;
        }
        self.base.add_group(group)?;
        let mut problem = lock(&self.problem);
        *problem = Arc::new(problem.over(&self.base.groups().all()));
        Ok(())
    }
}

/// Another optimizer over the same parameters, with a copy of options and state; hooks are not copied.
impl Clone for Lbfgs {
    fn clone(&self) -> Self {
        Self {
            base: self.base.clone(),
            problem: Mutex::new(Arc::new(self.problem().copy())),
            callback: self.callback.clone(),
            report: Mutex::new(self.report()),
            others: Mutex::new(lock(&self.others).clone()),
        }
    }
}

impl Display for Lbfgs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.base, f)
    }
}

impl Debug for Lbfgs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
