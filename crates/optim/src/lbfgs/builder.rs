//! The options of L-BFGS: set once here, read anew from the group at each step.

use super::callback::Callback;
use super::{GradClip, Iteration, Lbfgs, NonFinite, WeightDecay};
use crate::base::{OptimizerBase, formatted};
use crate::{Error, Param, Result};
use checkpoint::{Dict, Value};
use std::ops::ControlFlow;
use tape::DType;

/// How the step length is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LineSearch {
    /// torch's `"strong_wolfe"`: cubic interpolation until both strong Wolfe conditions hold.
    StrongWolfe,
}

impl LineSearch {
    /// torch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StrongWolfe => "strong_wolfe",
        }
    }
}

/// Options of an [`Lbfgs`], under torch's names and with torch's defaults.
///
/// Those from [`max_ls`](Self::max_ls) on are not torch's. Each is off by default and then costs nothing. One
/// that is set stands in the group under its own name, is read anew at each step, and is saved and loaded
/// with the state dict: loading a dict without it, such as one of torch's, turns it off, as loading does with
/// every option. [`callback`](Self::callback) alone belongs to the optimizer and is not saved.
///
/// ```
/// use optim::{Lbfgs, LineSearch};
/// use tape::{DType, Tensor};
/// let p = Tensor::zeros([3], DType::F32);
/// let optimizer =
///     Lbfgs::builder([&p]).lr(0.5).max_iter(40).line_search_fn(LineSearch::StrongWolfe).build()?;
/// assert!(optimizer.to_string().contains("max_eval: 50"));
///
/// let refused = Lbfgs::builder([&p]).lr(-1).build().unwrap_err();
/// assert_eq!(refused.to_string(), "Invalid learning rate: -1");
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an optimizer is made by build()"]
pub struct LbfgsBuilder {
    params: Vec<Param>,
    lr: Value,
    max_iter: usize,
    max_eval: Option<usize>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: usize,
    line_search_fn: Option<LineSearch>,
    /// Options that torch lacks, as far as they are set.
    additions: Dict,
    callback: Option<Callback>,
}

impl LbfgsBuilder {
    pub(super) fn new(params: Vec<Param>) -> Self {
        Self {
            params,
            lr: 1.into(),
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search_fn: None,
            additions: Dict::new(),
            callback: None,
        }
    }

    /// Step length without a line search, first trial with one: a number or a tensor of one element (default
    /// 1).
    pub fn lr(mut self, lr: impl Into<Value>) -> Self {
        self.lr = lr.into();
        self
    }

    /// Most iterations of one step (default 20).
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// Evaluations of one step after which no further iteration begins (default `max_iter * 5 / 4`).
    pub fn max_eval(mut self, max_eval: usize) -> Self {
        self.max_eval = Some(max_eval);
        self
    }

    /// A step ends where no component of the gradient is larger (default 1e-7).
    pub fn tolerance_grad(mut self, tolerance: f64) -> Self {
        self.tolerance_grad = tolerance;
        self
    }

    /// A step ends where neither a parameter nor the loss changes by more, absolutely (default 1e-9).
    pub fn tolerance_change(mut self, tolerance: f64) -> Self {
        self.tolerance_change = tolerance;
        self
    }

    /// Most pairs that are kept (default 100).
    pub fn history_size(mut self, pairs: usize) -> Self {
        self.history_size = pairs;
        self
    }

    /// The line search (default `None`: the step length is `lr`).
    pub fn line_search_fn(mut self, search: impl Into<Option<LineSearch>>) -> Self {
        self.line_search_fn = search.into();
        self
    }

    /// Most steps of one line search, bracketing and zooming together; it makes at most one evaluation more
    /// (default: torch's 25). The best end of the bracket is taken when they run out.
    pub fn max_ls(self, steps: usize) -> Self {
        self.set("max_ls", count(steps))
    }

    /// The share of the promised decrease that a line search must reach: `phi(t) <= phi(0) + c1 t phi'(0)`
    /// (Nocedal & Wright, eq. 3.7a; default 1e-4). `0 < c1 < c2 < 1`.
    pub fn c1(self, share: f64) -> Self {
        self.set("c1", share)
    }

    /// The share of the first slope that a line search may leave: `|phi'(t)| <= c2 |phi'(0)|` (Nocedal &
    /// Wright, eq. 3.7b; default 0.9). Smaller values make searches longer and exacter.
    pub fn c2(self, share: f64) -> Self {
        self.set("c2", share)
    }

    /// Maximises the loss: loss and gradient are negated in every evaluation (default false).
    ///
    /// `step` still returns what the closure returned first, and losses in reports and callbacks have the
    /// user's sign, so that `best_loss` is the largest. Gradients and directional derivatives are those of
    /// what is minimised, and so is `prev_loss` in the state.
    pub fn maximize(self, maximize: bool) -> Self {
        self.switch("maximize", maximize)
    }

    /// Adds a penalty on large parameters (default none): `f + l/2 |x|^2` for [`WeightDecay::L2`] or a plain
    /// number, `f + l |x|_1` for [`WeightDecay::L1`].
    ///
    /// Loss and gradient both have it, so that the line search and the tests of convergence see one function;
    /// reports and callbacks show the loss with the penalty, `step` returns the closure's own. A group may
    /// have a `weight_decay` of its own. Parameters without gradient are constants and have no penalty. With
    /// `maximize` it is subtracted from what is maximised.
    ///
    /// ```
    /// use optim::{GradClip, Lbfgs, LineSearch, WeightDecay};
    /// let w = tape::Tensor::from([0.5f32]).requires_grad_(true);
    /// let optimizer = Lbfgs::builder([&w])
    ///     .line_search_fn(LineSearch::StrongWolfe)
    ///     .weight_decay(WeightDecay::L2(1e-4))
    ///     .grad_clip(GradClip::GlobalNorm(1.0))
    ///     .build()?;
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn weight_decay(self, decay: impl Into<WeightDecay>) -> Self {
        self.set("weight_decay", decay.into())
    }

    /// Limits the gradient of the loss that directions are made of (default none), before weight decay is
    /// added, as Paddle orders the two: `d = -H (clip(g) + decay)`. `.grad` of the parameters is not changed.
    ///
    /// A clipped gradient is not the gradient of the loss, so it is used for nothing else: curvature pairs,
    /// the slopes of the line search and the tests of convergence have the gradient as it is. (With clipped
    /// slopes a search interpolates a function that is not there and finds no point.) `GlobalNorm` shortens
    /// directions; the others bend them, and one that no longer descends ends the step with
    /// [`StopReason::DirectionalDerivative`](crate::StopReason::DirectionalDerivative). Clipping is for steps
    /// that explode. The state then has `prev_clipped_grad` beside torch's keys.
    pub fn grad_clip(self, clip: GradClip) -> Self {
        self.set("grad_clip", clip)
    }

    /// Allows several groups, with a learning rate and a weight decay each (default false: torch's error).
    /// All other options are those of the first group.
    ///
    /// With `lr` the largest of the learning rates and `s_i = lr_i / lr`, the method is exactly L-BFGS in the
    /// variables `z = x / sqrt(s)`: gradients are taken times `sqrt(s_i)` and moves are made times
    /// `sqrt(s_i)`, so the initial matrix is `gamma diag(s)` and the first step is `-t s_i g_i`, gradient
    /// descent with each group's own learning rate. Where `s_i = 0` the group does not move. Tolerances,
    /// `max|g|` and the vectors of the state are those in `z`.
    ///
    /// Where the ratios change between steps the memory belongs to other variables: it is cleared, a note in
    /// the report says so, and the next iteration is a first one. The state has the scales under
    /// `group_scales` unless all are 1. [`add_param_group`](crate::Optimizer::add_param_group) also starts
    /// the memory anew; `func_evals` goes on.
    ///
    /// ```
    /// use optim::{Lbfgs, Optimizer, ParamGroup};
    /// use tape::Tensor;
    /// let (a, b) = (Tensor::from([3.0]).requires_grad_(true), Tensor::from([2.0]).requires_grad_(true));
    /// let groups = [ParamGroup::new([&a]), ParamGroup::new([&b]).with("lr", 0.25)];
    /// let optimizer = Lbfgs::builder(groups).lr(1.0).max_iter(1).parameter_groups(true).build()?;
    /// optimizer.step(|| {
    ///     optimizer.zero_grad();
    ///     let loss = 0.05 * (a.pow(2.0) + b.pow(2.0)).sum();
    ///     loss.backward()?;
    ///     Ok(loss)
    /// })?;
    /// assert!((a.item() - 2.7).abs() < 1e-15 && (b.item() - 1.95).abs() < 1e-15);
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn parameter_groups(self, several: bool) -> Self {
        self.switch("parameter_groups", several)
    }

    /// Stores pairs of little or negative curvature in a damped form instead of skipping them (default
    /// false): Powell's damping, Nocedal & Wright, Procedure 18.2. Where `y . s < 0.2 s . B s`,
    /// `y <- theta y + (1 - theta) B s` with `theta = 0.8 s . B s / (s . B s - y . s)`, and `B s = -t g` at
    /// the point the step began from, exactly.
    ///
    /// The matrix stays positive definite and learns from every step; torch's rule alone goes on with an old
    /// matrix there. An iteration that ends before it moves leaves `t = 0` in the state.
    pub fn powell_damping(self, damped: bool) -> Self {
        self.switch("powell_damping", damped)
    }

    /// A step ends where the loss changes by no more than this share of it, `|loss - previous| <= tolerance *
    /// max(|loss|, |previous|)`; tested after torch's own tests (default 0: off).
    pub fn tolerance_change_rel(self, tolerance: f64) -> Self {
        self.set("tolerance_change_rel", tolerance)
    }

    /// Calls a function after every iteration that moved the parameters, with the parameters where it moved
    /// them; trial points of a line search are never seen (default none).
    ///
    /// `ControlFlow::Break(())` ends the step with [`StopReason::Callback`](crate::StopReason::Callback); the
    /// next step goes on as if the iterations had not been interrupted. After a panic in it the parameters
    /// are where it saw them ([`guarded`](Self::guarded): or at the best point). It may read the optimizer, and `.grad` is what the last evaluation left, not
    /// always at this point. Clones share it; state dicts do not have it.
    ///
    /// ```
    /// use optim::{Lbfgs, LineSearch, Optimizer, StopReason};
    /// use std::ops::ControlFlow;
    /// let p = tape::Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let optimizer = Lbfgs::builder([&p])
    ///     .line_search_fn(LineSearch::StrongWolfe)
    ///     .callback(|it| {
    ///         println!("{}: loss {:?} after {} evaluations", it.iteration, it.loss, it.evaluations);
    ///         if it.loss < Some(10.0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    ///     })
    ///     .build()?;
    /// optimizer.step(|| {
    ///     optimizer.zero_grad();
    ///     let loss = (&p * &p).sum();
    ///     loss.backward()?;
    ///     Ok(loss)
    /// })?;
    /// assert_eq!(optimizer.report().stop, StopReason::Callback);
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn callback(mut self, function: impl Fn(&Iteration) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.callback = Some(Callback::new(function));
        self
    }

    /// Keeps the pairs of an `f64` problem in `F32`: half the memory and half the traffic of a direction, for
    /// pairs with a relative error of 6e-8 (default: the dtype of the parameters). Products and sums stay in
    /// `f64`, as do parameters, gradients and the direction. Nothing changes for `f32` problems.
    pub fn history_dtype(self, dtype: DType) -> Self {
        self.set("history_dtype", dtype.to_string())
    }

    /// What to do where the loss or its gradient is NaN or infinite (default [`NonFinite::Torch`], or
    /// [`NonFinite::Recover`] if [`guarded`](Self::guarded)).
    pub fn non_finite(self, policy: NonFinite) -> Self {
        self.set("non_finite", policy.name())
    }

    /// Makes promises that torch's algorithm does not keep, at the price of leaving its trajectory where it would
    /// break them (default false):
    ///
    /// - a step never ends at a point of larger loss than it began from, nor in NaN or infinity: without line
    ///   search it goes back to the best point it accepted;
    /// - the reported `final_loss` is the loss at the point where the parameters are, to the bit: without line
    ///   search the last iteration is evaluated too;
    /// - `max_eval` is never exceeded (but for the first evaluation, which every step makes): a line search gets
    ///   what is left. Its default is `max(max_iter * 5 / 4, max_iter + 1)`;
    /// - nothing non-finite is accepted, whatever [`non_finite`](Self::non_finite) is: neither loss nor gradient
    ///   nor parameters, nor a curvature pair whose products overflow;
    /// - a direction that promises no decrease, or along which a search finds none, clears the memory and is
    ///   replaced by the gradient's, where torch ends the step. While the memory is empty the first trial is as
    ///   short as in a first iteration.
    ///
    /// Where none of this happens the trajectory is torch's to the bit.
    pub fn guarded(self, guarded: bool) -> Self {
        self.switch("guarded", guarded)
    }

    /// Keeps every iteration in the report's [`trace`](crate::StepReport::trace) (default false).
    pub fn trace(self, trace: bool) -> Self {
        self.switch("trace", trace)
    }

    fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.additions.insert(name, value);
        self
    }

    /// Options that are off leave no key behind.
    fn switch(mut self, name: &'static str, on: bool) -> Self {
        if on {
            return self.set(name, true);
        }
        self.additions.remove(name);
        self
    }

    /// The optimizer.
    ///
    /// # Errors
    /// If the learning rate is negative, NaN or no number; if `history_size` is 0; if an option that torch
    /// lacks has a value it cannot have; if there are no parameters, more than one group without
    /// [`parameter_groups`](Self::parameter_groups), or a parameter that cannot be optimized.
    pub fn build(self) -> Result<Lbfgs> {
        check_lr(&self.lr)?;
        let torchs = self.max_iter.saturating_mul(5) / 4;
        let guarded = self.additions.contains_key("guarded");
        let max_eval = if guarded { torchs.max(self.max_iter.saturating_add(1)) } else { torchs };
        let mut defaults = Dict::from_iter([
            ("lr", self.lr),
            ("max_iter", count(self.max_iter)),
            ("max_eval", count(self.max_eval.unwrap_or(max_eval))),
            ("tolerance_grad", self.tolerance_grad.into()),
            ("tolerance_change", self.tolerance_change.into()),
            ("history_size", count(self.history_size)),
            ("line_search_fn", self.line_search_fn.map(LineSearch::name).into()),
        ]);
        defaults.extend(self.additions);
        Lbfgs::over(OptimizerBase::new("LBFGS", self.params, defaults)?, self.callback)
    }
}

/// A limit as the state dict holds it; one beyond 64 signed bits is none.
fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// torch's checks of a learning rate; NaN is refused too.
pub(crate) fn check_lr(lr: &Value) -> Result<()> {
    let number = match lr {
        Value::Tensor(lr) if lr.numel() != 1 => return Err(Error::LearningRateNotOneElement),
        Value::Tensor(lr) => lr.item(),
        plain => plain.as_float().unwrap_or(f64::NAN),
    };
    if number >= 0.0 { Ok(()) } else { Err(Error::InvalidLearningRate(formatted(lr))) }
}
