//! Adamax as `torch.optim.Adamax` computes it.

use super::Rule;
use super::element::{Lerp, Pull, addcdiv, maximum};
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Adam with the largest gradient of late in place of the mean of squares (Kingma and Ba, "Adam: A Method for
    /// Stochastic Optimization", 2015, section 7).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `m = b1 m + (1 - b1) g`,
    /// `u = max(b2 u, |g| + eps)`, `p -= lr / (1 - b1^t) * m / u`.
    ///
    /// ```
    /// use optim::{Adamax, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let adamax = Adamax::builder([&p]).lr(0.25).build()?;
    /// (&p * &p).sum().backward()?;
    /// adamax.step()?;
    /// assert!((p.i(0).item() - 2.75).abs() < 1e-8 && (p.i(1).item() + 3.75).abs() < 1e-8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Adamax, AdamaxBuilder, AdamaxRule;
    /// Learning rate: a number or a tensor of one element (default 0.002).
    lr(lr: impl Into<Value>);
    /// Decay rates of the running mean and of the running maximum (default 0.9 and 0.999).
    betas(beta1: f64, beta2: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct AdamaxRule;

struct Options {
    lr: Rate,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    maximize: bool,
}

impl Rule for AdamaxRule {
    const NAME: &'static str = "Adamax";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["exp_avg", "exp_inf"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(2e-3)),
            ("betas", (0.9, 0.999).into()),
            ("eps", 1e-8.into()),
            ("weight_decay", 0.into()),
            ("foreach", Value::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
            ("capturable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.adaptive()
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            betas: group.pair("betas")?,
            eps: group.number("eps")?,
            weight_decay: group.number("weight_decay")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn upgrade(loaded: &mut Loaded) {
        super::upgrade_plain(loaded);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let t = state.count();
        let [beta1, beta2] = options.betas;
        let element = Element {
            pull: Pull::new(options.maximize, options.weight_decay),
            mean: Lerp::new(1.0 - beta1),
            beta2: T::from_f64(beta2),
            eps: T::from_f64(options.eps),
            rate: T::from_f64((-options.lr.over(1.0 - beta1.powf(t))).get()),
        };
        param.update_with(gradient, state.buffers([0, 1]), element);
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    mean: Lerp<T>,
    beta2: T,
    eps: T,
    /// `-lr / (1 - b1^t)`
    rate: T,
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [m, u]: [T; 2]) -> (T, [T; 2]) {
        let g = self.pull.of(p, g);
        let m = self.mean.of(m, g);
        let u = maximum(u * self.beta2, g.abs() + self.eps);
        (addcdiv(p, self.rate, m, u), [m, u])
    }
}
