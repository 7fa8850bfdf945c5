//! Stochastic gradient descent as `torch.optim.SGD` computes it.

use super::Rule;
use super::element::Pull;
use super::options::{Checks, Rate, Reader, number};
use super::state::{Layout, Slots};
use crate::{Error, Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Gradient descent with momentum, dampening, Nesterov's variant, weight decay and `maximize`.
    ///
    /// With gradient `g` (negated by `maximize`), `g += weight_decay * p`, then where `momentum` is not 0
    /// `b = momentum * b + (1 - dampening) * g` (`b = g` at first) and `g = b`, or `g += momentum * b` with
    /// `nesterov`; finally `p -= lr * g`. Parameters without gradient are left alone. (Sutskever et al., "On the
    /// importance of initialization and momentum in deep learning", 2013, whose velocity this is up to the place
    /// of `lr`.)
    ///
    /// ```
    /// use optim::{Optimizer, Sgd};
    /// use tape::Tensor;
    /// let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
    /// let sgd = Sgd::builder([&p]).lr(0.1).momentum(0.9).build()?;
    /// (&p * &p).sum().backward()?;
    /// sgd.step()?;
    /// assert_eq!(p.to_vec::<f64>(), [0.8, 1.6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// As in torch, and only here, NaN passes for `lr`, `momentum` and `weight_decay`.
    Sgd, SgdBuilder, SgdRule;
    /// Learning rate: a number or a tensor of one element (default 0.001).
    lr(lr: impl Into<Value>);
    /// Share of the momentum buffer that is kept (default 0: no momentum).
    momentum(momentum: f64);
    /// Share of the gradient that does not enter the momentum buffer (default 0).
    dampening(dampening: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Nesterov momentum (default off).
    nesterov(nesterov: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct SgdRule;

struct Options {
    lr: Rate,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    maximize: bool,
}

impl Rule for SgdRule {
    const NAME: &'static str = "SGD";
    const LAYOUT: Layout = Layout { scalars: &[], buffers: &["momentum_buffer"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-3)),
            ("momentum", 0.into()),
            ("dampening", 0.into()),
            ("weight_decay", 0.into()),
            ("nesterov", false.into()),
            ("maximize", false.into()),
            ("foreach", Value::None),
            ("differentiable", false.into()),
            ("fused", Value::None),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        // torch tests `x < 0` here and `not 0 <= x` elsewhere, so NaN passes.
        let nan_lr = options.0.get("lr").and_then(number).is_some_and(f64::is_nan);
        if !nan_lr {
            options.lr()?;
        }
        options.value("momentum", "momentum", |x| x >= 0.0 || x.is_nan())?;
        options.value("weight_decay", "weight_decay", |x| x >= 0.0 || x.is_nan())?;
        let nesterov = options.0.get("nesterov").and_then(Value::as_bool) == Some(true);
        if nesterov && (options.number("momentum") <= 0.0 || options.number("dampening") != 0.0) {
            return Err(Error::NesterovNeedsMomentum);
        }
        Ok(())
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            momentum: group.number("momentum")?,
            dampening: group.number("dampening")?,
            weight_decay: group.number("weight_decay")?,
            nesterov: group.flag("nesterov")?,
            maximize: group.flag("maximize")?,
        })
    }

    /// The buffer is made by the first step with momentum, whenever that is.
    fn needs(_: &Options, _: usize) -> bool {
        false
    }

    fn has_state(options: &Options) -> bool {
        options.momentum != 0.0
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("nesterov", false);
        loaded.set_default("maximize", false);
        loaded.set_default("foreach", Value::None);
        loaded.set_default("differentiable", false);
        loaded.set_default("fused", false);
    }

    fn step<T: Float>(options: &Options, state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let descent = Descent::<T> {
            pull: Pull::new(options.maximize, options.weight_decay),
            rate: T::from_f64((-options.lr).get()),
        };
        if options.momentum == 0.0 {
            return param.update_with(gradient, [], descent);
        }
        let first = state.buffers[0].is_none();
        // -0 + g is g to the last bit, the sign of a zero included.
        let buffer = state.buffers[0].get_or_insert_with(|| vec![-T::ZERO; param.numel()]);
        let [keep, take] = if first { [1.0, 1.0] } else { [options.momentum, 1.0 - options.dampening] };
        let momentum = Momentum {
            descent,
            keep: T::from_f64(keep),
            take: T::from_f64(take),
            ahead: T::from_f64(options.momentum),
            nesterov: options.nesterov,
        };
        param.update_with(gradient, [buffer], momentum);
    }
}

#[derive(Clone, Copy)]
struct Descent<T> {
    pull: Pull<T>,
    /// `-lr`
    rate: T,
}

impl<T: Float> ElementUpdate<T, 0> for Descent<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, _: [T; 0]) -> (T, [T; 0]) {
        (self.rate.mul_add(self.pull.of(p, g), p), [])
    }
}

#[derive(Clone, Copy)]
struct Momentum<T> {
    descent: Descent<T>,
    keep: T,
    take: T,
    ahead: T,
    nesterov: bool,
}

impl<T: Float> ElementUpdate<T, 1> for Momentum<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [b]: [T; 1]) -> (T, [T; 1]) {
        let g = self.descent.pull.of(p, g);
        let b = self.take.mul_add(g, b * self.keep);
        let ahead = self.ahead.mul_add(b, g);
        (self.descent.rate.mul_add(if self.nesterov { ahead } else { b }, p), [b])
    }
}
