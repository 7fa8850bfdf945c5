//! NAdam as `torch.optim.NAdam` computes it.

use super::Rule;
use super::adam::shrinkage;
use super::element::{Lerp, Pull, Squares, addcdiv};
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov Momentum into Adam", 2016).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `m = b1 m + (1 - b1) g`,
    /// `v = b2 v + (1 - b2) g^2`, `d = sqrt(v / (1 - b2^t)) + eps`, and `p -= lr (1 - u) / (1 - U) * g / d + lr
    /// u' / (1 - U u') * m / d`, where `u = b1 (1 - 0.96^(t momentum_decay) / 2)`, `u'` is `u` of the next step,
    /// and `U` the product of all `u` so far.
    ///
    /// ```
    /// use optim::{NAdam, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let nadam = NAdam::builder([&p]).lr(0.1).build()?;
    /// for _ in 0..200 {
    ///     nadam.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     nadam.step()?;
    /// }
    /// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 0.05));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// `U` is a `float32`, also for parameters of `float64`; torch makes it a `float64` when it loads the state of
    /// such a parameter, so a run that is resumed differs in the last digits from one that never stopped. So does
    /// it here.
    NAdam, NAdamBuilder, NAdamRule;
    /// Learning rate: a number or a tensor of one element (default 0.002).
    lr(lr: impl Into<Value>);
    /// Decay rates of the running means of the gradient and of its square (default 0.9 and 0.999).
    betas(beta1: f64, beta2: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// How fast the momentum approaches the first decay rate (default 0.004).
    momentum_decay(momentum_decay: f64);
    /// Shrinks the parameter itself instead of changing its gradient (default off).
    decoupled_weight_decay(decoupled_weight_decay: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct NAdamRule;

struct Options {
    lr: Rate,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    momentum_decay: f64,
    decoupled: bool,
    maximize: bool,
}

impl Rule for NAdamRule {
    const NAME: &'static str = "NAdam";
    const LAYOUT: Layout = Layout { scalars: &["step", "mu_product"], buffers: &["exp_avg", "exp_avg_sq"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(2e-3)),
            ("betas", (0.9, 0.999).into()),
            ("eps", 1e-8.into()),
            ("weight_decay", 0.into()),
            ("momentum_decay", 4e-3.into()),
            ("decoupled_weight_decay", false.into()),
            ("maximize", false.into()),
            ("foreach", Value::None),
            ("capturable", false.into()),
            ("differentiable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.adaptive()?;
        options.not_negative("momentum_decay", "momentum_decay")
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            betas: group.pair("betas")?,
            eps: group.number("eps")?,
            weight_decay: group.number("weight_decay")?,
            momentum_decay: group.number("momentum_decay")?,
            decoupled: group.flag("decoupled_weight_decay")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn first_scalar(_: &Options, scalar: usize) -> f64 {
        if scalar == 1 { 1.0 } else { 0.0 }
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("maximize", false);
        loaded.set_default("foreach", Value::None);
        loaded.set_default("capturable", false);
        loaded.set_default("differentiable", false);
        loaded.set_default("decoupled_weight_decay", false);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let t = state.count();
        let [beta1, beta2] = options.betas;
        let momentum_at = |t: f64| beta1 * (1.0 - 0.5 * 0.96_f64.powf(t * options.momentum_decay));
        let (momentum, next) = (momentum_at(t), momentum_at(t + 1.0));
        state.scalars[1].multiply(momentum);
        let product = state.scalars[1].get();
        let penalty = if options.decoupled { 0.0 } else { options.weight_decay };
        let element = Element {
            pull: Pull::new(options.maximize, penalty),
            shrink: T::from_f64(shrinkage(options.lr, options.weight_decay, options.decoupled)),
            mean: Lerp::new(1.0 - beta1),
            squares: Squares::new(beta2),
            correction: T::from_f64(1.0 - beta2.powf(t)),
            eps: T::from_f64(options.eps),
            along_gradient: T::from_f64((-options.lr).times(1.0 - momentum).over(1.0 - product).get()),
            along_mean: T::from_f64((-options.lr).times(next).over(1.0 - product * next).get()),
        };
        param.update_with(gradient, state.buffers([0, 1]), element);
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    shrink: T,
    mean: Lerp<T>,
    squares: Squares<T>,
    /// `1 - b2^t`
    correction: T,
    eps: T,
    /// `-lr (1 - u) / (1 - U)`
    along_gradient: T,
    /// `-lr u' / (1 - U u')`
    along_mean: T,
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let g = self.pull.of(p, g);
        let (m, v) = (self.mean.of(m, g), self.squares.of(v, g));
        // Divided before the root, unlike Adam.
        let size = (v / self.correction).sqrt() + self.eps;
        let p = addcdiv(p * self.shrink, self.along_gradient, g, size);
        (addcdiv(p, self.along_mean, m, size), [m, v])
    }
}
