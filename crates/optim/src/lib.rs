//! Optimizers: an L-BFGS with torch's own trajectory that tells why it stopped, torch's first-order optimizers to
//! the last bit, and the trait they share.
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
//! # When it does not move
//! After each step of [`Lbfgs`], [`report`](Lbfgs::report) says why it ended, with the two numbers that were
//! compared, and what is wrong with closure, gradient or options as far as the step met it; printed, it is two to six
//! lines of plain words. [`diagnose`](Lbfgs::diagnose) looks closer, by about ten evaluations that leave no trace, and
//! ranks what it finds: see [`diagnosis`]. What a step does with NaN and infinity is the choice of [`NonFinite`], and
//! [`guarded`](LbfgsBuilder::guarded) promises that no step ends worse than it began.
//!
//! # First-order optimizers
//! They read the gradients that are there: `step()`, or `step_with(closure)`, which evaluates the closure once.
//! With gradient `g` at step `t`, and `r(v) = sqrt(v) + eps`:
//!
//! | optimizer | a step, without weight decay | source |
//! |---|---|---|
//! | [`Sgd`] | `b = momentum b + (1 - dampening) g`, `p -= lr b` | Sutskever et al. 2013 |
//! | [`Adam`] | `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `p -= lr m' / r(v')` with `m' = m / (1 - b1^t)`, `v' = v / (1 - b2^t)` | Kingma and Ba 2015; `amsgrad`: Reddi et al. 2018 |
//! | [`AdamW`] | the same after `p *= 1 - lr weight_decay` | Loshchilov and Hutter 2019 |
//! | [`NAdam`] | Adam's, with the momentum of the step to come | Dozat 2016 |
//! | [`RAdam`] | Adam's, with `m'` alone until `v` is reliable | Liu et al. 2020 |
//! | [`Adamax`] | `u = max(b2 u, abs(g) + eps)`, `p -= lr m' / u` | Kingma and Ba 2015 |
//! | [`Adagrad`] | `s += g^2`, `p -= lr g / r(s)` | Duchi, Hazan and Singer 2011 |
//! | [`Adadelta`] | `d = sqrt(u + eps) / sqrt(v + eps) g`, `u = rho u + (1 - rho) d^2`, `p -= lr d` | Zeiler 2012 |
//! | [`RmsProp`] | `v = alpha v + (1 - alpha) g^2`, `p -= lr g / r(v)` | Hinton 2012; `centered`: Graves 2013 |
//! | [`Rprop`] | `p -= sign(g) s`, with a step `s` per element | Riedmiller and Braun 1993 |
//! | [`Asgd`] | `p -= e g` with falling `e`, and the mean of all `p` | Polyak and Juditsky 1992 |
//!
//! Parameters, states and groups have the bits of torch 2.8.0's default path on a CPU with fused multiply-add, save
//! that square roots are correctly rounded (torch takes those of MKL, which are an ulp off for some arguments, for
//! others on another processor). A step is one pass over each parameter, on several threads where it is long, and its bits do not
//! depend on how many there are. A parameter without gradient is left alone and gets no state; a gradient of zeros
//! is a step like any other. Options are read from the group at each step, so schedulers and edits take effect.
//!
//! `foreach`, `fused`, `capturable` and `differentiable` choose among torch's implementations. They stand in the
//! groups with torch's defaults, are loaded and saved, and change nothing; builders do not have them. A state dict
//! whose tensors do not have the shape of their parameters is refused, where torch fails at the next step.
//!
//! # What is exactly torch's in L-BFGS
//! Iterations, evaluations, exits, the order of tests, number types and their rounding in `f32`, fused
//! updates, the behaviour with NaN, `step` returning the *first* loss, history that outlives a step, keys and
//! kinds of the state dict: those of torch 2.8.0 on a CPU. The square root of the line search's cubic is correctly
//! rounded, where torch takes MKL's, an ulp off for some arguments. Dot products of four and more elements add up in
//! another order than MKL's, so that longer vectors agree to rounding, not to the bit.
//!
//! Where torch raises inside a step, [`Lbfgs::step`] returns an error and the parameters are at the last
//! accepted point. A state dict is a snapshot: torch's would go on changing with the optimizer.
//!
//! # What is more than torch's in L-BFGS
//! [`Lbfgs::report`] and [`Lbfgs::diagnose`] say why a step ended and what is in its way; what cannot
//! work (`history_size(0)`, a NaN learning rate) is refused when the optimizer is built; a state dict that
//! does not fit is refused when it is loaded.
//!
//! [`LbfgsBuilder`] has options that torch lacks. Each is off by default, and then everything is torch's to
//! the bit:
//!
//! | option | what it does |
//! |---|---|
//! | [`max_ls`](LbfgsBuilder::max_ls), [`c1`](LbfgsBuilder::c1), [`c2`](LbfgsBuilder::c2) | limits and conditions of the line search |
//! | [`maximize`](LbfgsBuilder::maximize) | negates loss and gradient |
//! | [`weight_decay`](LbfgsBuilder::weight_decay) | an L2 or L1 penalty, in loss and gradient alike |
//! | [`grad_clip`](LbfgsBuilder::grad_clip) | Paddle's limits on the gradient that directions are made of |
//! | [`parameter_groups`](LbfgsBuilder::parameter_groups) | several groups, as L-BFGS in scaled variables |
//! | [`powell_damping`](LbfgsBuilder::powell_damping) | keeps pairs of negative curvature, damped |
//! | [`tolerance_change_rel`](LbfgsBuilder::tolerance_change_rel) | a tolerance relative to the loss |
//! | [`callback`](LbfgsBuilder::callback) | sees every accepted iterate and may end the step |
//! | [`history_dtype`](LbfgsBuilder::history_dtype) | half the memory for the pairs of an `f64` problem |
//! | [`non_finite`](LbfgsBuilder::non_finite) | what to do about NaN and infinity: go on as torch, stop, recover |
//! | [`guarded`](LbfgsBuilder::guarded) | promises that torch's algorithm does not keep |
//! | [`trace`](LbfgsBuilder::trace) | every iteration in the report |
//!
//! State dicts of Paddle's L-BFGS can be loaded too, see [`Lbfgs`].
#![forbid(unsafe_code)]

mod base;
mod box_error;
pub mod diagnosis;
mod error;
mod first_order;
mod flat;
mod lbfgs;
pub mod lr_scheduler;
mod optimizer;
mod param_group;
mod params;
mod report;
mod words;

pub use base::{
    Groups, Hooks, Loaded, OptimizerBase, OptimizerHook, StateDictHook, StepArgs, StepPostHook, StepPreHook,
    register_optimizer_step_post_hook, register_optimizer_step_post_hook_on_all_threads,
    register_optimizer_step_pre_hook, register_optimizer_step_pre_hook_on_all_threads,
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
pub use report::{Compared, FirstStep, Kink, SlopeCheck, SlopeChecks, StepReport, StopReason};
