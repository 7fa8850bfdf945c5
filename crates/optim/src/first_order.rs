//! Optimizers that read the gradient once per step: what they share. Each has a file of its own with its options,
//! its numbers per step and its rule for one element.
//!
//! torch rounds every scalar expression in double precision and only its result to the dtype of the parameter;
//! fused multiply-adds stand where torch's kernels fuse, and nowhere else. That is what makes the bits equal.

#[macro_use]
mod surface;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
mod element;
mod nadam;
mod options;
mod radam;
mod rms_prop;
mod rprop;
mod sgd;
mod state;

pub use adadelta::{Adadelta, AdadeltaBuilder};
pub use adagrad::{Adagrad, AdagradBuilder};
pub use adam::{Adam, AdamBuilder, AdamW, AdamWBuilder};
pub use adamax::{Adamax, AdamaxBuilder};
pub use asgd::{Asgd, AsgdBuilder};
pub use nadam::{NAdam, NAdamBuilder};
pub use radam::{RAdam, RAdamBuilder};
pub use rms_prop::{RmsProp, RmsPropBuilder};
pub use rprop::{Rprop, RpropBuilder};
pub use sgd::{Sgd, SgdBuilder};

use crate::base::{Loaded, OptimizerBase, lock, repeats_elements};
use crate::{Closure, Error, Result, evaluate};
use checkpoint::{Dict, Value};
use options::{Builder, Checks, Reader};
use state::{Buffers, Layout, ParamState, Slots, States};
use std::sync::Mutex;
use tape::{Float, Tensor};

/// What one optimizer is, beyond what all of them are.
trait Rule: Send + Sync + 'static {
    /// torch's name of the class.
    const NAME: &'static str;
    /// Keys of a parameter's state.
    const LAYOUT: Layout;
    /// Whether the state is made with the optimizer instead of at a parameter's first step.
    const EAGER: bool = false;
    /// The options of a group, as numbers.
    type Options;

    /// All options with torch's default values, in torch's order.
    fn defaults() -> Dict;

    /// torch's checks of the options that an optimizer is built with, in torch's order.
    fn check(options: &Checks<'_>) -> Result<()>;

    /// Reads the options of a group, at every step.
    fn read(group: &Reader) -> Result<Self::Options>;

    /// What a number of the state starts from.
    fn first_scalar(_: &Self::Options, _scalar: usize) -> f64 {
        0.0
    }

    /// What the elements of a buffer start from.
    fn first_element(_: &Self::Options, _buffer: usize) -> Result<f64> {
        Ok(0.0)
    }

    /// Whether a buffer is needed with these options. One that the state lacks although it has others is an
    /// error, as in torch.
    fn needs(_: &Self::Options, _buffer: usize) -> bool {
        true
    }

    /// Whether a parameter gets a state at all.
    fn has_state(_: &Self::Options) -> bool {
        true
    }

    /// Gives groups of a loaded dict the options that older versions of torch did not have.
    fn upgrade(loaded: &mut Loaded);

    /// Moves one parameter.
    fn step<T: Float>(options: &Self::Options, state: Slots<'_, T>, param: &Tensor, gradient: &Tensor);
}

/// The options that older versions of torch did not have, for the optimizers that have these four.
fn upgrade_plain(loaded: &mut Loaded) {
    loaded.set_default("foreach", Value::None);
    loaded.set_default("maximize", false);
    loaded.set_default("differentiable", false);
    loaded.set_default("capturable", false);
}

/// An optimizer that follows a [`Rule`].
#[derive(Debug)]
struct FirstOrder<R: Rule> {
    base: OptimizerBase,
    states: Mutex<States>,
    rule: std::marker::PhantomData<R>,
}

/// Own copies of state and options, no hooks; torch's `deepcopy` with the same parameters.
impl<R: Rule> Clone for FirstOrder<R> {
    fn clone(&self) -> Self {
        Self::over(self.base.clone(), lock(&self.states).clone())
    }
}

impl<R: Rule> FirstOrder<R> {
    fn over(base: OptimizerBase, states: States) -> Self {
        Self { base, states: Mutex::new(states), rule: std::marker::PhantomData }
    }

    fn build(builder: Builder) -> Result<Self> {
        let Builder { params, options } = builder;
        R::check(&Checks(&options))?;
        let base = OptimizerBase::new(R::NAME, params, options)?;
        let mut states = States::default();
        if R::EAGER {
            let options = R::read(&Reader(base.defaults().clone()))?;
            for param in base.params().iter().filter(|param| param.dtype().is_floating_point()) {
                *states.entry(param) = Self::first_state(&options, param)?;
            }
        }
        Ok(Self::over(base, states))
    }

    fn first_state(options: &R::Options, param: &Tensor) -> Result<ParamState> {
        let scalars = (0..R::LAYOUT.scalars.len()).map(|scalar| R::first_scalar(options, scalar));
        let elements = (0..R::LAYOUT.buffers.len())
            .map(|buffer| R::needs(options, buffer).then(|| R::first_element(options, buffer)).transpose())
            .collect::<Result<Vec<_>>>()?;
        Ok(ParamState::new(param, scalars, &elements))
    }

    fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
        let loss = closure.map(evaluate).transpose()?;
        self.update()?;
        Ok(loss.map(|(loss, _)| loss))
    }

    /// Moves the parameters that have gradients. What can fail does before the first of them moves.
    fn update(&self) -> Result<()> {
        let groups = self.base.groups().all();
        let mut states = lock(&self.states);
        let mut work = Vec::new();
        for group in groups.iter() {
            let options = R::read(&Reader(group.options()))?;
            let mut moved = Vec::new();
            for (index, param) in group.params().iter().enumerate() {
                let Some(gradient) = param.grad() else { continue };
                if !param.dtype().is_floating_point() {
                    return Err(Error::NotFloatingPoint { index, dtype: param.dtype() });
                }
                if repeats_elements(param) {
                    return Err(Error::RepeatedElements { index, shape: param.sizes().to_vec() });
                }
                Self::check_state(&options, states.get(param))?;
                moved.push((param, gradient));
            }
            work.push((options, moved));
        }
        for (options, moved) in &work {
            for (param, gradient) in moved {
                Self::update_param(options, &mut states, param, gradient)?;
            }
        }
        Ok(())
    }

    /// Whether a step can use the state, or make one.
    fn check_state(options: &R::Options, state: Option<&ParamState>) -> Result<()> {
        for (buffer, key) in R::LAYOUT.buffers.iter().enumerate().filter(|&(buffer, _)| R::needs(options, buffer)) {
            match state.filter(|state| !state.is_empty()) {
                Some(state) if !state.has(buffer) => return Err(Error::MissingState { optimizer: R::NAME, key }),
                None if R::EAGER => return Err(Error::MissingState { optimizer: R::NAME, key }),
                Some(_) => {}
                None => drop(R::first_element(options, buffer)?),
            }
        }
        Ok(())
    }

    fn update_param(options: &R::Options, states: &mut States, param: &Tensor, gradient: &Tensor) -> Result<()> {
        let mut none = ParamState::without(param);
        let state = if R::has_state(options) { states.entry(param) } else { &mut none };
        if state.is_empty() {
            *state = Self::first_state(options, param)?;
        }
        let scalars = &mut state.scalars;
        match &mut state.buffers {
            Buffers::F32(buffers) => R::step::<f32>(options, Slots { scalars, buffers }, param, gradient),
            Buffers::F64(buffers) => R::step::<f64>(options, Slots { scalars, buffers }, param, gradient),
        }
        Ok(())
    }

    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        lock(&self.states).iter().map(|(param, state)| (param.clone(), state.save(&R::LAYOUT, param))).collect()
    }

    fn param_state(&self, param: &Tensor) -> Option<Dict> {
        lock(&self.states).get(param).map(|state| state.save(&R::LAYOUT, param))
    }

    fn load_state(&self, loaded: &mut Loaded) -> Result<()> {
        R::upgrade(loaded);
        let mut states = States::default();
        for (param, saved) in &loaded.state {
            *states.entry(param) = ParamState::load(&R::LAYOUT, saved, param)?;
        }
        *lock(&self.states) = states;
        Ok(())
    }
}
