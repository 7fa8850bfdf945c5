//! Optimizers: an L-BFGS with torch's own trajectory that tells why it stopped, and the trait for optimizers
//! at large.
//!
//! ```
//! use optim::{Lbfgs, LineSearch, Optimizer};
//! use tape::Tensor;
//!
//! let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
//! let optimizer = Lbfgs::builder([&p]).line_search_fn(LineSearch::StrongWolfe).build()?;
//! let closure = || {
//!     optimizer.zero_grad();
//!     let loss = (&p - 1.0).pow(2.0).sum();
//!     loss.backward()?;
//!     Ok(loss)
//! };
//! optimizer.step(closure)?;
//! println!("{}", optimizer.report());
//! assert!(p.to_vec::<f64>().iter().all(|x| (x - 1.0).abs() < 1e-6));
//! # Ok::<(), optim::Error>(())
//! ```
//!
//! # The closure
//! L-BFGS evaluates the loss many times per step, at points of its own choosing. The closure must each time
//! 1. clear the gradients (`optimizer.zero_grad()`: backward *adds* to them),
//! 2. compute the loss from the parameters as they are now,
//! 3. call `loss.backward()?`,
//! 4. return the loss: one element, the same function every time (same batch, no dropout).
//!
//! Any error may leave it through `?`. The step then ends with [`Error::Closure`], and the parameters are at
//! the last accepted point, exactly; the same holds when it panics. The optimizer can be stepped again and
//! tries the interrupted iteration once more. While it runs, the closure may call `zero_grad`, `state_dict`,
//! `param_groups` and `report` of the same optimizer; `step`, `load_state_dict` and `add_param_group` are
//! refused with [`Error::StepIsRunning`].
//!
//! # What is exactly torch's
//! Iterations, evaluations, exits, the order of tests, number types and their rounding in `f32`, fused
//! updates, the behaviour with NaN, `step` returning the *first* loss, history that outlives a step, keys and
//! kinds of the state dict: those of torch 2.8.0 on a CPU. Dot products of four and more elements add up in
//! another order than MKL's, so that longer vectors agree to rounding, not to the bit.
//!
//! Where torch raises inside a step, [`Lbfgs::step`] returns an error and the parameters are at the last
//! accepted point. A state dict is a snapshot: torch's would go on changing with the optimizer.
//!
//! # What is more than torch's
//! [`Lbfgs::report`] names the test that ended the step and its two numbers, see [`StopReason`]; what cannot
//! work (`history_size(0)`, a NaN learning rate) is refused when the optimizer is built; a state dict that
//! does not fit is refused when it is loaded.
#![forbid(unsafe_code)]

mod base;
mod box_error;
mod error;
mod first_order;
mod flat;
mod lbfgs;
pub mod lr_scheduler;
mod optimizer;
mod param_group;
mod params;
mod report;

pub use base::{
    Groups, Hooks, Loaded, OptimizerBase, OptimizerHook, StateDictHook, StepArgs, StepPostHook, StepPreHook,
    register_optimizer_step_post_hook, register_optimizer_step_pre_hook,
};
pub use box_error::BoxError;
pub use error::{Error, Result};
pub use first_order::{
    Adadelta, AdadeltaBuilder, Adagrad, AdagradBuilder, Adam, AdamBuilder, AdamW, AdamWBuilder, Adamax, AdamaxBuilder,
    Asgd, AsgdBuilder, NAdam, NAdamBuilder, RAdam, RAdamBuilder, RmsProp, RmsPropBuilder, Rprop, RpropBuilder, Sgd,
    SgdBuilder,
};
pub use lbfgs::{GradClip, Iteration, Lbfgs, LbfgsBuilder, LineSearch, NonFinite, WeightDecay};
pub use optimizer::{AsOptimizer, Closure, Optimizer, evaluate};
pub use param_group::ParamGroup;
pub use params::{IntoParams, Param};
pub use report::{Compared, FirstStep, StepReport, StopReason};
