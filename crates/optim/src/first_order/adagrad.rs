//! Adagrad as `torch.optim.Adagrad` computes it.

use super::Rule;
use super::element::{Pull, addcdiv};
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Steps that shrink with the sum of all squared gradients so far (Duchi, Hazan and Singer, "Adaptive
    /// Subgradient Methods for Online Learning and Stochastic Optimization", 2011).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `s += g^2`,
    /// `p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)`.
    ///
    /// ```
    /// use optim::{Adagrad, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let adagrad = Adagrad::builder([&p]).lr(1.0).build()?;
    /// for _ in 0..100 {
    ///     adagrad.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     adagrad.step()?;
    /// }
    /// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// As in torch the sums are made when the optimizer is built, all from the builder's
    /// `initial_accumulator_value`, whatever a group says; parameters of a group added later have none, and a step
    /// with a gradient of theirs is an error ([`Error::MissingState`](crate::Error::MissingState)).
    Adagrad, AdagradBuilder, AdagradRule;
    /// Learning rate: a number or a tensor of one element (default 0.01).
    lr(lr: impl Into<Value>);
    /// How fast the learning rate falls (default 0).
    lr_decay(lr_decay: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// What the sums of squares start from (default 0).
    initial_accumulator_value(initial_accumulator_value: f64);
    /// Term that keeps the denominator from 0 (default 1e-10).
    eps(eps: f64);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct AdagradRule;

struct Options {
    lr: Rate,
    lr_decay: f64,
    eps: f64,
    weight_decay: f64,
    /// Nothing but the first state needs it, so a group may lack it.
    initial: Option<f64>,
    maximize: bool,
}

impl Rule for AdagradRule {
    const NAME: &'static str = "Adagrad";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["sum"] };
    const EAGER: bool = true;
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-2)),
            ("lr_decay", 0.into()),
            ("eps", 1e-10.into()),
            ("weight_decay", 0.into()),
            ("initial_accumulator_value", 0.into()),
            ("foreach", Value::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
            ("fused", Value::None),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.lr()?;
        options.not_negative("lr_decay", "lr_decay")?;
        options.not_negative("weight_decay", "weight_decay")?;
        options.not_negative("initial_accumulator_value", "initial_accumulator_value")?;
        options.not_negative("eps", "epsilon")
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            lr_decay: group.number("lr_decay")?,
            eps: group.number("eps")?,
            weight_decay: group.number("weight_decay")?,
            initial: group.number("initial_accumulator_value").ok(),
            maximize: group.flag("maximize")?,
        })
    }

    fn first_element(options: &Options, _: usize) -> Result<f64> {
        Ok(options.initial.unwrap_or(0.0))
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("foreach", Value::None);
        loaded.set_default("maximize", false);
        loaded.set_default("differentiable", false);
        loaded.set_default("fused", Value::None);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let t = state.count();
        let rate = options.lr.over(1.0 + (t - 1.0) * options.lr_decay);
        let element = Element {
            pull: Pull::new(options.maximize, options.weight_decay),
            eps: T::from_f64(options.eps),
            rate: T::from_f64((-rate).get()),
        };
        param.update_with(gradient, state.buffers([0]), element);
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    eps: T,
    /// `-lr / (1 + (t - 1) lr_decay)`
    rate: T,
}

impl<T: Float> ElementUpdate<T, 1> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [s]: [T; 1]) -> (T, [T; 1]) {
        let g = self.pull.of(p, g);
        let s = g.mul_add(g, s);
        (addcdiv(p, self.rate, g, s.sqrt() + self.eps), [s])
    }
}
