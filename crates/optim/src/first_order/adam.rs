//! Adam and AdamW as `torch.optim` computes them.

use super::Rule;
use super::element::{Lerp, Pull, Squares, addcdiv, maximum};
use super::options::{Checks, Rate, Reader, python_root};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Adam: steps in units of the gradient's own running size (Kingma and Ba, "Adam: A Method for Stochastic
    /// Optimization", 2015).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`) at step `t`: `m = b1 m + (1 - b1) g`,
    /// `v = b2 v + (1 - b2) g^2`, and `p -= lr * m' / (sqrt(v') + eps)`, where `m' = m / (1 - b1^t)` and
    /// `v' = v / (1 - b2^t)`. With `amsgrad` the largest `v` so far takes the place of `v` (Reddi et al., "On the
    /// Convergence of Adam and Beyond", 2018).
    ///
    /// ```
    /// use optim::{Adam, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let adam = Adam::builder([&p]).lr(0.1).betas(0.9, 0.99).build()?;
    /// for _ in 0..200 {
    ///     adam.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     adam.step()?;
    /// }
    /// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Adam, AdamBuilder, AdamRule<false>;
    /// Learning rate: a number or a tensor of one element (default 0.001).
    lr(lr: impl Into<Value>);
    /// Decay rates of the running means of the gradient and of its square (default 0.9 and 0.999).
    betas(beta1: f64, beta2: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Divides by the largest running mean of squares so far (default off).
    amsgrad(amsgrad: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
    /// Shrinks the parameter itself instead of changing its gradient, as [`AdamW`] does (default off).
    decoupled_weight_decay(decoupled_weight_decay: bool);
}

first_order! {
    /// [`Adam`] whose weight decay shrinks the parameter and leaves the running means alone (Loshchilov and
    /// Hutter, "Decoupled Weight Decay Regularization", 2019).
    ///
    /// `p *= 1 - lr * weight_decay`, then Adam's step without penalty.
    ///
    /// ```
    /// use optim::{AdamW, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([8.0]);
    /// let adamw = AdamW::builder([&p]).lr(0.5).weight_decay(0.25).build()?;
    /// p.set_grad(Some(Tensor::from([0.0])));
    /// adamw.step()?;
    /// assert_eq!(p.item(), 7.0);
    /// # Ok::<(), optim::Error>(())
    /// ```
    AdamW, AdamWBuilder, AdamRule<true>;
    /// Learning rate: a number or a tensor of one element (default 0.001).
    lr(lr: impl Into<Value>);
    /// Decay rates of the running means of the gradient and of its square (default 0.9 and 0.999).
    betas(beta1: f64, beta2: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// Share of `lr` by which the parameter shrinks (default 0.01).
    weight_decay(weight_decay: f64);
    /// Divides by the largest running mean of squares so far (default off).
    amsgrad(amsgrad: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

/// `W`: AdamW.
struct AdamRule<const W: bool>;

struct Options {
    lr: Rate,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    amsgrad: bool,
    maximize: bool,
    decoupled: bool,
}

impl<const W: bool> Rule for AdamRule<W> {
    const NAME: &'static str = if W { "AdamW" } else { "Adam" };
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-3)),
            ("betas", (0.9, 0.999).into()),
            ("eps", 1e-8.into()),
            ("weight_decay", if W { 1e-2.into() } else { 0.into() }),
            ("amsgrad", false.into()),
            ("maximize", false.into()),
            ("foreach", Value::None),
            ("capturable", false.into()),
            ("differentiable", false.into()),
            ("fused", Value::None),
            ("decoupled_weight_decay", W.into()),
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
            amsgrad: group.flag("amsgrad")?,
            maximize: group.flag("maximize")?,
            decoupled: group.flag("decoupled_weight_decay")?,
        })
    }

    fn needs(options: &Options, buffer: usize) -> bool {
        buffer < 2 || options.amsgrad
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("amsgrad", false);
        loaded.set_default("maximize", false);
        loaded.set_default("foreach", Value::None);
        loaded.set_default("capturable", false);
        loaded.set_default("differentiable", false);
        loaded.set_default("decoupled_weight_decay", false);
        loaded.set_default("fused", Value::None);
        if W {
            for options in &mut loaded.options {
                options.insert("decoupled_weight_decay", true);
            }
        }
    }

    fn step<T: Float>(options: &Options, state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        step(options, state, param, gradient);
    }
}

/// The same code for Adam and AdamW.
fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
    let t = state.count();
    let [beta1, beta2] = options.betas;
    let (correction1, correction2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
    let penalty = if options.decoupled { 0.0 } else { options.weight_decay };
    let element = Element {
        pull: Pull::new(options.maximize, penalty),
        shrink: T::from_f64(shrinkage(options.lr, options.weight_decay, options.decoupled)),
        mean: Lerp::new(1.0 - beta1),
        squares: Squares::new(beta2),
        root: T::from_f64(python_root(correction2)),
        eps: T::from_f64(options.eps),
        rate: T::from_f64((-options.lr.over(correction1)).get()),
    };
    if options.amsgrad {
        param.update_with(gradient, state.buffers([0, 1, 2]), element);
    } else {
        param.update_with(gradient, state.buffers([0, 1]), element);
    }
}

/// The factor of decoupled weight decay; 1 changes nothing.
pub(super) fn shrinkage(lr: Rate, weight_decay: f64, decoupled: bool) -> f64 {
    if decoupled && weight_decay != 0.0 { lr.times(weight_decay).complement().get() } else { 1.0 }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    shrink: T,
    mean: Lerp<T>,
    squares: Squares<T>,
    root: T,
    eps: T,
    /// `-lr / (1 - b1^t)`
    rate: T,
}

impl<T: Float> Element<T> {
    #[inline(always)]
    fn moments(&self, p: T, g: T, m: T, v: T) -> [T; 2] {
        let g = self.pull.of(p, g);
        [self.mean.of(m, g), self.squares.of(v, g)]
    }

    #[inline(always)]
    fn moved(&self, p: T, m: T, v: T) -> T {
        addcdiv(p * self.shrink, self.rate, m, v.sqrt() / self.root + self.eps)
    }
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let [m, v] = self.moments(p, g, m, v);
        (self.moved(p, m, v), [m, v])
    }
}

impl<T: Float> ElementUpdate<T, 3> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [m, v, largest]: [T; 3]) -> (T, [T; 3]) {
        let [m, v] = self.moments(p, g, m, v);
        let largest = maximum(largest, v);
        (self.moved(p, m, largest), [m, v, largest])
    }
}
