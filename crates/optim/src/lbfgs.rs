//! L-BFGS as `torch.optim.LBFGS` runs it.

mod builder;
mod line_search;
mod memory;
mod scalar;
mod state;
mod step;

pub(crate) use builder::check_lr;
pub use builder::{LbfgsBuilder, LineSearch};

use crate::flat::Flat;
use crate::optimizer::{Closure, Core, Optimizer, lock, wrong_kind};
use crate::{BoxError, Error, IntoParams, ParamGroup, Result, StepReport};
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
    core: Core,
    flat: Flat,
    engine: Engine,
    report: Mutex<StepReport>,
    /// What a loaded state dict held beside our own state.
    extra: Mutex<Dict>,
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
}

impl Lbfgs {
    /// Starts an optimizer over these parameters: tensors, `(name, tensor)` pairs, or one group.
    pub fn builder(params: impl IntoParams) -> LbfgsBuilder {
        LbfgsBuilder::new(params.into_params())
    }

    fn over(core: Core) -> Result<Self> {
        let groups = core.groups();
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
        Ok(Self { core, flat, engine, report: Mutex::default(), extra: Mutex::default() })
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
    fn step_closure(&self, closure: &mut Closure<'_>) -> Result<Tensor> {
        let _running = self.core.start("step")?;
        match &self.engine {
            Engine::F32(engine) => step::run(self, engine, closure),
            Engine::F64(engine) => step::run(self, engine, closure),
        }
    }

    fn zero_grad_set_to_none(&self, set_to_none: bool) {
        self.core.zero_grad(set_to_none);
    }

    /// Under the first parameter's id stands the state of the whole optimizer, as in torch.
    fn state_dict(&self) -> Value {
        let saved = match &self.engine {
            Engine::F32(engine) => lock(&engine.state).save(),
            Engine::F64(engine) => lock(&engine.state).save(),
        };
        let packed = self.core.pack_groups();
        let mut state = Dict::new();
        if let Some(first) = self.core.groups().iter().flat_map(ParamGroup::params).next()
            && !saved.is_empty()
        {
            state.insert(packed.ids[&first.id()], saved);
        }
        state.extend(lock(&self.extra).clone());
        Dict::from_iter([("state", state.into()), ("param_groups", packed.groups)]).into()
    }

    fn load_state_dict(&self, state_dict: Value) -> Result<()> {
        let _running = self.core.start("load_state_dict")?;
        let unpacked = self.core.unpack_groups(&state_dict)?;
        let saved = state_dict.require("state")?;
        let first = self.core.groups().iter().flat_map(ParamGroup::params).next().map(Tensor::id);
        let (mut own, mut extra) = (None, Dict::new());
        for (key, value) in saved.as_dict().ok_or_else(|| wrong_kind("a dict", saved))?.iter() {
            match key.as_int().and_then(|id| unpacked.params.get(&id)) {
                Some(param) if Some(param.id()) == first => own = Some(value),
                _ => {
                    extra.insert(key.clone(), value.clone());
                }
            }
        }
        let n = self.flat.numel();
        match &self.engine {
            Engine::F32(engine) => *lock(&engine.state) = load(own, n)?,
            Engine::F64(engine) => *lock(&engine.state) = load(own, n)?,
        }
        *lock(&self.extra) = extra;
        self.core.commit_groups(unpacked.options);
        Ok(())
    }

    fn param_groups(&self) -> Vec<ParamGroup> {
        self.core.groups().to_vec()
    }

    /// As in torch this succeeds, and the next step fails: there is one group only.
    fn add_param_group(&self, group: ParamGroup) -> Result<()> {
        let _running = self.core.start("add_param_group")?;
        self.core.add(group)
    }

    fn warnings(&self) -> Vec<String> {
        self.core.warnings()
    }
}

fn load<T: Float>(saved: Option<&Value>, n: usize) -> Result<State<T>> {
    saved.map_or_else(|| Ok(State::new(n)), |saved| State::load(saved, n))
}

impl Display for Lbfgs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.core.describe("LBFGS", f)
    }
}

impl Debug for Lbfgs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
