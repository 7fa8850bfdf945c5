#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use checkpoint;
pub use nn;
pub use optim;
pub use tape;

pub mod guide {
    //! The user guide: six chapters, every program in them compiled and run as a test.
    //!
    //! 1. [`porting`]: a torch script, line by line, and a table of spellings.
    //! 2. [`closures`]: what `step` asks of its closure, and what it promises in return.
    //! 3. [`optimizers`]: groups, hooks, what a step promises, state dicts, schedulers; what Paddle spells in another way.
    //! 4. [`modes`]: leaves, `no_grad`, `detach`, gradients of gradients, in-place changes.
    //! 5. [`errors`]: what panics, what returns `Err`, and what is left behind.
    //! 6. [`gradients`]: checking your own gradients, by property; derivatives written by hand.
    //! 7. [`operations`]: every operation, by torch's name.

    #[doc = include_str!("guide/porting.md")]
    pub mod porting {}

    #[doc = include_str!("guide/closures.md")]
    pub mod closures {}

    #[doc = include_str!("guide/optimizers.md")]
    pub mod optimizers {}

    #[doc = include_str!("guide/modes.md")]
    pub mod modes {}

    #[doc = include_str!("guide/errors.md")]
    pub mod errors {}

    #[allow(clippy::test_attr_in_doctest, reason = "the example calls the tests it declares")]
    #[doc = include_str!("guide/gradients.md")]
    pub mod gradients {}

    #[doc = include_str!("guide/operations.md")]
    pub mod operations {}
}

pub mod prelude {
    //! What a training script needs: `use wolfe::prelude::*;`.
    //!
    //! Tensors and autograd come from [`crate::tape`], optimizers from [`crate::optim`], layers under
    //! their torch path `nn::` from [`crate::nn`], state dictionaries from [`crate::checkpoint`].

    pub use checkpoint::Value;
    pub use nn::{self, Module};
    pub use optim::{
        Adadelta, Adagrad, Adam, AdamW, Adamax, Asgd, BoxError, GradClip, Lbfgs, LineSearch, NAdam, NonFinite,
        Optimizer, ParamGroup, RAdam, RmsProp, Rprop, Sgd, StepReport, StopReason, WeightDecay, lr_scheduler,
        lr_scheduler::LrScheduler, register_optimizer_step_post_hook, register_optimizer_step_pre_hook,
    };
    #[cfg(feature = "linalg")]
    pub use tape::linalg;
    pub use tape::{
        BackwardOptions, Context, DType, EnableGradGuard, Function, NoGradGuard, Tensor, enable_grad, grad, gradcheck,
        gradgradcheck, is_grad_enabled, manual_seed, no_grad, set_grad_enabled,
    };
}
