//! L-BFGS as `torch.optim.LBFGS` runs it.

mod builder;
mod line_search;
mod memory;
mod scalar;
mod state;
mod step;

pub(crate) use builder::check_lr;
pub use builder::{LbfgsBuilder, LineSearch};

use crate::base::{Loaded, OptimizerBase, lock};
use crate::flat::Flat;
use crate::optimizer::{Closure, Optimizer};
use crate::{BoxError, Error, IntoParams, Result, StepReport};
use checkpoint::{Dict, Value};
use state::State;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Mutex;
use step::Buffers;
use tape::{DType, Float, Tensor};

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
/// use tape::Tensor;
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
pub struct Lbfgs {
    base: OptimizerBase,
    flat: Flat,
    engine: Engine,
    report: Mutex<StepReport>,
    /// What a loaded state dict held for other parameters than the first.
    others: Mutex<Vec<(Tensor, Dict)>>,
}

/// State and buffers in the dtype of the flat vectors.
enum Engine {
    F32(Precision<f32>),
    F64(Precision<f64>),
}

/// What a step works on. The state is locked for short stretches only, never while the closure runs.
struct Precision<T> {
    state: Mutex<State<T>>,
    buffers: Mutex<Buffers<T>>,
}

impl<T: Float> Precision<T> {
    fn new(n: usize) -> Self {
        Self { state: Mutex::new(State::new(n)), buffers: Mutex::default() }
    }

    fn copy(&self) -> Self {
        Self { state: Mutex::new(lock(&self.state).clone()), buffers: Mutex::default() }
    }
}

impl Lbfgs {
    /// Starts an optimizer over these parameters: tensors, `(name, tensor)` pairs, or one group.
    pub fn builder(params: impl IntoParams) -> LbfgsBuilder {
        LbfgsBuilder::new(params.into_params())
    }

    fn over(base: OptimizerBase) -> Result<Self> {
        let groups = base.groups().all();
        let [group] = groups.as_slice() else { return Err(Error::ParameterGroups) };
        for (index, param) in group.params().iter().enumerate() {
            if !param.dtype().is_floating_point() {
                return Err(Error::NotFloatingPoint { index, dtype: param.dtype() });
            }
        }
        let flat = Flat::new(group.params());
        let engine = match flat.dtype() {
            DType::F64 => Engine::F64(Precision::new(flat.numel())),
            _ => Engine::F32(Precision::new(flat.numel())),
        };
        Ok(Self { base, flat, engine, report: Mutex::default(), others: Mutex::default() })
    }

    /// Makes up to `max_iter` iterations and returns the loss of the first evaluation, as torch does; the
    /// last loss is in the [`report`](Self::report). The closure must clear the gradients, compute the loss,
    /// call `backward` and return the loss; it runs with gradients enabled.
    ///
    /// # Errors
    /// [`Error::Closure`] with whatever the closure returned; [`Error::StepIsRunning`] when called from
    /// inside the closure; and where torch raises. The parameters are then exactly at the last accepted
    /// point, and the optimizer can be stepped again. The same holds after a panic of the closure.
    pub fn step(&self, mut closure: impl FnMut() -> std::result::Result<Tensor, BoxError>) -> Result<Tensor> {
        self.step_closure(&mut closure)
    }

    /// What the last finished step did, and why it stopped.
    pub fn report(&self) -> StepReport {
        lock(&self.report).clone()
    }
}

impl Optimizer for Lbfgs {
    fn base(&self) -> &OptimizerBase {
        &self.base
    }

    fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
        let closure = closure.ok_or(Error::ClosureRequired { optimizer: self.base.name() })?;
        match &self.engine {
            Engine::F32(engine) => step::run(self, engine, closure),
            Engine::F64(engine) => step::run(self, engine, closure),
        }
        .map(Some)
    }

    /// The first parameter has the state of the whole optimizer, as in torch.
    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        let saved = match &self.engine {
            Engine::F32(engine) => lock(&engine.state).save(),
            Engine::F64(engine) => lock(&engine.state).save(),
        };
        let first = self.base.params().into_iter().next().filter(|_| !saved.is_empty());
        first.map(|first| (first, saved)).into_iter().chain(lock(&self.others).clone()).collect()
    }

    /// The vectors of the state are over all parameters. torch would convert them to the dtype of the first.
    fn state_dtype(&self, _: &Tensor) -> DType {
        self.flat.dtype()
    }

    fn load_state(&self, loaded: &mut Loaded) -> Result<()> {
        let first = self.base.params().into_iter().next();
        let own = first.as_ref().and_then(|first| loaded.state_of(first));
        let n = self.flat.numel();
        match &self.engine {
            Engine::F32(engine) => *lock(&engine.state) = load(own, n)?,
            Engine::F64(engine) => *lock(&engine.state) = load(own, n)?,
        }
        let others = loaded.state.iter().filter(|(param, _)| !first.as_ref().is_some_and(|first| first.same(param)));
        *lock(&self.others) =
            others.filter_map(|(param, value)| Some((param.clone(), value.as_dict()?.clone()))).collect();
        Ok(())
    }
}

fn load<T: Float>(saved: Option<&Value>, n: usize) -> Result<State<T>> {
    saved.map_or_else(|| Ok(State::new(n)), |saved| State::load(saved, n))
}

/// Another optimizer over the same parameters, with a copy of options and state; hooks are not copied.
impl Clone for Lbfgs {
    fn clone(&self) -> Self {
        let engine = match &self.engine {
            Engine::F32(engine) => Engine::F32(engine.copy()),
            Engine::F64(engine) => Engine::F64(engine.copy()),
        };
        Self {
            base: self.base.clone(),
            flat: self.flat.clone(),
            engine,
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
