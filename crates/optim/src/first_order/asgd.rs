//! Averaged stochastic gradient descent as `torch.optim.ASGD` computes it.

use super::Rule;
use super::element::Pull;
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Scalar, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Gradient descent that keeps the mean of the parameters it went through (Polyak and Juditsky, "Acceleration
    /// of Stochastic Approximation by Averaging", 1992).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `p = (1 - lambd e) p - e g`
    /// and `a += (p - a) u`, or `a = p` where `u = 1`; then `e = lr / (1 + lambd lr t)^alpha` and
    /// `u = 1 / max(1, t - t0)`. A step moves by the `e` of the step before it, so a changed `lr` counts one step
    /// late; the first `e` is `lr`. The mean `a` is `ax` in the [state](crate::Optimizer::param_state).
    ///
    /// ```
    /// use optim::{Asgd, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([2.0, -2.0]).requires_grad_(true);
    /// let asgd = Asgd::builder([&p]).lr(0.25).lambd(0.0).t0(0.0).build()?;
    /// for _ in 0..2 {
    ///     asgd.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     asgd.step()?;
    /// }
    /// assert_eq!(p.to_vec::<f64>(), [0.5, -0.5]);
    /// let state = asgd.param_state(&p).expect("it moved");
    /// assert_eq!(state.get("ax"), Some(&Tensor::from([0.5, -0.5]).into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Asgd, AsgdBuilder, AsgdRule;
    /// Learning rate: a number or a tensor of one element (default 0.01).
    lr(lr: impl Into<Value>);
    /// Decay of the parameter, and of the learning rate (default 1e-4).
    lambd(lambd: f64);
    /// Exponent of the falling learning rate (default 0.75).
    alpha(alpha: f64);
    /// Step at which averaging begins (default 1e6).
    t0(t0: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct AsgdRule;

struct Options {
    lr: Rate,
    lambd: f64,
    alpha: f64,
    t0: f64,
    weight_decay: f64,
    maximize: bool,
}

const ETA: usize = 1;
const MU: usize = 2;

impl Rule for AsgdRule {
    const NAME: &'static str = "ASGD";
    const LAYOUT: Layout = Layout { scalars: &["step", "eta", "mu"], buffers: &["ax"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-2)),
            ("lambd", 1e-4.into()),
            ("alpha", 0.75.into()),
            ("t0", 1e6.into()),
            ("weight_decay", 0.into()),
            ("foreach", Value::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
            ("capturable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.lr()?;
        options.not_negative("weight_decay", "weight_decay")
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            lambd: group.number("lambd")?,
            alpha: group.number("alpha")?,
            t0: group.number("t0")?,
            weight_decay: group.number("weight_decay")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn first_scalar(options: &Options, scalar: usize) -> f64 {
        match scalar {
            ETA => options.lr.get(),
            MU => 1.0,
            _ => 0.0,
        }
    }

    fn upgrade(loaded: &mut Loaded) {
        super::upgrade_plain(loaded);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let t = state.count();
        let (eta, mu) = (state.scalars[ETA].get(), state.scalars[MU].get());
        let element = Element {
            pull: Pull::new(options.maximize, options.weight_decay),
            shrink: T::from_f64(1.0 - options.lambd * eta),
            rate: T::from_f64(-eta),
            mu: T::from_f64(mu),
            averages: mu != 1.0,
        };
        param.update_with(gradient, state.buffers([0]), element);
        let falling = options.lr.times(options.lambd).times(t).plus(1.0).pow(options.alpha);
        let rate = options.lr.over(falling.get()).get();
        // torch makes tensors of numbers, in the default dtype, and leaves a tensor as it is.
        let rate = if options.lr.is_tensor() { rate } else { Scalar::new(rate).get() };
        state.scalars[ETA].set(rate);
        state.scalars[MU].set(Scalar::new(1.0 / (t - options.t0).max(1.0)).get());
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    /// `1 - lambd e`
    shrink: T,
    /// `-e`
    rate: T,
    mu: T,
    averages: bool,
}

impl<T: Float> ElementUpdate<T, 1> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [ax]: [T; 1]) -> (T, [T; 1]) {
        let g = self.pull.of(p, g);
        let p = self.rate.mul_add(g, p * self.shrink);
        let averaged = ax + (p - ax) * self.mu;
        (p, [if self.averages { averaged } else { p }])
    }
}
