//! RAdam as `torch.optim.RAdam` computes it.

use super::Rule;
use super::adam::shrinkage;
use super::element::{Lerp, Pull, Squares};
use super::options::{Checks, Rate, Reader, python_root};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Adam that does without the running mean of squares until it is reliable (Liu et al., "On the Variance of
    /// the Adaptive Learning Rate and Beyond", 2020).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `m = b1 m + (1 - b1) g`,
    /// `v = b2 v + (1 - b2) g^2`, `R = 2 / (1 - b2) - 1`, `r = R - 2 t b2^t / (1 - b2^t)`. Where `r > 5`,
    /// `p -= lr * m / (1 - b1^t) * sqrt(1 - b2^t) / (sqrt(v) + eps) * sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2)
    /// r))`, else `p -= lr * m / (1 - b1^t)`. With the default rates the first five steps are of the second kind.
    ///
    /// ```
    /// use optim::{Optimizer, RAdam};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let radam = RAdam::builder([&p]).lr(0.1).build()?;
    /// for _ in 0..300 {
    ///     radam.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     radam.step()?;
    /// }
    /// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 0.05));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RAdam, RAdamBuilder, RAdamRule;
    /// Learning rate: a number or a tensor of one element (default 0.001).
    lr(lr: impl Into<Value>);
    /// Decay rates of the running means of the gradient and of its square (default 0.9 and 0.999).
    betas(beta1: f64, beta2: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Shrinks the parameter itself instead of changing its gradient (default off).
    decoupled_weight_decay(decoupled_weight_decay: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct RAdamRule;

struct Options {
    lr: Rate,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    decoupled: bool,
    maximize: bool,
}

impl Rule for RAdamRule {
    const NAME: &'static str = "RAdam";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["exp_avg", "exp_avg_sq"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-3)),
            ("betas", (0.9, 0.999).into()),
            ("eps", 1e-8.into()),
            ("weight_decay", 0.into()),
            ("maximize", false.into()),
            ("foreach", Value::None),
            ("capturable", false.into()),
            ("decoupled_weight_decay", false.into()),
            ("differentiable", false.into()),
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
            decoupled: group.flag("decoupled_weight_decay")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("foreach", Value::None);
        loaded.set_default("maximize", false);
        loaded.set_default("differentiable", false);
        loaded.set_default("decoupled_weight_decay", false);
        loaded.set_default("capturable", false);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        let t = state.count();
        let [beta1, beta2] = options.betas;
        let (correction1, correction2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - 2.0 * t * beta2.powf(t) / correction2;
        let rectification = (length > 5.0).then(|| {
            let ratio = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length);
            python_root(ratio)
        });
        let penalty = if options.decoupled { 0.0 } else { options.weight_decay };
        let element = Element {
            pull: Pull::new(options.maximize, penalty),
            shrink: T::from_f64(shrinkage(options.lr, options.weight_decay, options.decoupled)),
            mean: Lerp::new(1.0 - beta1),
            squares: Squares::new(beta2),
            correction: T::from_f64(correction1),
            rate: T::from_f64(options.lr.get()),
            eps: T::from_f64(options.eps),
            root: T::from_f64(python_root(correction2)),
            rectification: T::from_f64(rectification.unwrap_or(0.0)),
            rectified: rectification.is_some(),
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
    /// `1 - b1^t`
    correction: T,
    rate: T,
    eps: T,
    /// `sqrt(1 - b2^t)`
    root: T,
    rectification: T,
    rectified: bool,
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let g = self.pull.of(p, g);
        let (m, v) = (self.mean.of(m, g), self.squares.of(v, g));
        let plain = (m / self.correction) * self.rate;
        // torch divides a number by a tensor as reciprocal times number.
        let adaptive = (T::ONE / (v.sqrt() + self.eps)) * self.root;
        let rectified = (plain * adaptive) * self.rectification;
        (p * self.shrink - if self.rectified { rectified } else { plain }, [m, v])
    }
}
