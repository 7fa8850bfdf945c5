//! Adadelta as `torch.optim.Adadelta` computes it.

use super::Rule;
use super::element::{Pull, Squares};
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Steps sized by the running mean of the steps before them (Zeiler, "ADADELTA: An Adaptive Learning Rate
    /// Method", 2012).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`): `v = rho v + (1 - rho) g^2`,
    /// `d = sqrt(u + eps) / sqrt(v + eps) * g`, `u = rho u + (1 - rho) d^2`, `p -= lr * d`.
    ///
    /// ```
    /// use optim::{Adadelta, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([0.25]).requires_grad_(true);
    /// let adadelta = Adadelta::builder([&p]).rho(0.5).eps(1e-2).build()?;
    /// for _ in 0..100 {
    ///     adadelta.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     adadelta.step()?;
    /// }
    /// assert!(p.item().abs() < 0.05);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Adadelta, AdadeltaBuilder, AdadeltaRule;
    /// Factor of the step: a number or a tensor of one element (default 1).
    lr(lr: impl Into<Value>);
    /// Decay rate of the two running means (default 0.9).
    rho(rho: f64);
    /// Term under both roots (default 1e-6).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct AdadeltaRule;

struct Options {
    lr: Rate,
    rho: f64,
    eps: f64,
    weight_decay: f64,
    maximize: bool,
}

impl Rule for AdadeltaRule {
    const NAME: &'static str = "Adadelta";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["square_avg", "acc_delta"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1.0)),
            ("rho", 0.9.into()),
            ("eps", 1e-6.into()),
            ("weight_decay", 0.into()),
            ("maximize", false.into()),
            ("capturable", false.into()),
            ("foreach", Value::None),
            ("differentiable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.lr()?;
        options.value("rho", "rho", |rho| (0.0..=1.0).contains(&rho))?;
        options.not_negative("eps", "epsilon")?;
        options.not_negative("weight_decay", "weight_decay")
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            rho: group.number("rho")?,
            eps: group.number("eps")?,
            weight_decay: group.number("weight_decay")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn upgrade(loaded: &mut Loaded) {
        super::upgrade_plain(loaded);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        state.count();
        let element = Element {
            pull: Pull::new(options.maximize, options.weight_decay),
            squares: Squares::new(options.rho),
            eps: T::from_f64(options.eps),
            rate: T::from_f64((-options.lr).get()),
        };
        param.update_with(gradient, state.buffers([0, 1]), element);
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    squares: Squares<T>,
    eps: T,
    /// `-lr`
    rate: T,
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [v, u]: [T; 2]) -> (T, [T; 2]) {
        let g = self.pull.of(p, g);
        let v = self.squares.of(v, g);
        let d = ((u + self.eps).sqrt() / (v + self.eps).sqrt()) * g;
        (self.rate.mul_add(d, p), [v, self.squares.of(u, d)])
    }
}
