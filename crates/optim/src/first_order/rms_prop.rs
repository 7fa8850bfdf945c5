//! RMSprop as `torch.optim.RMSprop` computes it.

use super::Rule;
use super::element::{Lerp, Pull, Squares, addcdiv};
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Gradients divided by the root of the running mean of their squares (Hinton, "Neural Networks for Machine
    /// Learning", lecture 6e, 2012).
    ///
    /// With gradient `g` (negated by `maximize`, `g += weight_decay * p`): `v = alpha v + (1 - alpha) g^2`,
    /// `q = sqrt(v) + eps`, `p -= lr * g / q`. With `centered`, `a = alpha a + (1 - alpha) g` and
    /// `q = sqrt(v - a^2) + eps` (Graves, "Generating Sequences With Recurrent Neural Networks", 2013). With
    /// `momentum`, `b = momentum b + g / q` and `p -= lr * b`.
    ///
    /// ```
    /// use optim::{Optimizer, RmsProp};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let rmsprop = RmsProp::builder([&p]).alpha(0.75).lr(0.5).build()?;
    /// (&p * &p).sum().backward()?;
    /// rmsprop.step()?; // the first step is lr / sqrt(1 - alpha) everywhere
    /// assert!((p.i(0).item() - 2.0).abs() < 1e-7 && (p.i(1).item() + 3.0).abs() < 1e-7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Rounding can make `v - a^2` negative; the parameter is then NaN, in torch too. A larger `eps` does not
    /// help, for it stands outside of the root.
    RmsProp, RmsPropBuilder, RmsPropRule;
    /// Learning rate: a number or a tensor of one element (default 0.01).
    lr(lr: impl Into<Value>);
    /// Decay rate of the running means (default 0.99).
    alpha(alpha: f64);
    /// Term that keeps the denominator from 0 (default 1e-8).
    eps(eps: f64);
    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    weight_decay(weight_decay: f64);
    /// Share of the momentum buffer that is kept (default 0: no momentum).
    momentum(momentum: f64);
    /// Divides by the deviation from the mean gradient (default off).
    centered(centered: bool);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct RmsPropRule;

struct Options {
    lr: Rate,
    alpha: f64,
    eps: f64,
    weight_decay: f64,
    momentum: f64,
    centered: bool,
    maximize: bool,
}

const SQUARE_AVG: usize = 0;
const MOMENTUM_BUFFER: usize = 1;
const GRAD_AVG: usize = 2;

impl Rule for RmsPropRule {
    const NAME: &'static str = "RMSprop";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["square_avg", "momentum_buffer", "grad_avg"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-2)),
            ("momentum", 0.into()),
            ("alpha", 0.99.into()),
            ("eps", 1e-8.into()),
            ("centered", false.into()),
            ("weight_decay", 0.into()),
            ("capturable", false.into()),
            ("foreach", Value::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.lr()?;
        options.not_negative("eps", "epsilon")?;
        options.not_negative("momentum", "momentum")?;
        options.not_negative("weight_decay", "weight_decay")?;
        options.not_negative("alpha", "alpha")
    }

    fn read(group: &Reader) -> Result<Options> {
        Ok(Options {
            lr: group.lr()?,
            alpha: group.number("alpha")?,
            eps: group.number("eps")?,
            weight_decay: group.number("weight_decay")?,
            momentum: group.number("momentum")?,
            centered: group.flag("centered")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn needs(options: &Options, buffer: usize) -> bool {
        match buffer {
            MOMENTUM_BUFFER => options.momentum > 0.0,
            GRAD_AVG => options.centered,
            _ => true,
        }
    }

    fn upgrade(loaded: &mut Loaded) {
        loaded.set_default("momentum", 0);
        loaded.set_default("centered", false);
        super::upgrade_plain(loaded);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        state.count();
        let core = Core {
            pull: Pull::new(options.maximize, options.weight_decay),
            squares: Squares::new(options.alpha),
            mean: Lerp::new(1.0 - options.alpha),
            eps: T::from_f64(options.eps),
            momentum: T::from_f64(options.momentum),
            rate: T::from_f64((-options.lr).get()),
        };
        match (options.centered, options.momentum > 0.0) {
            (false, false) => param.update_with(gradient, state.buffers([SQUARE_AVG]), Plain(core)),
            (false, true) => {
                param.update_with(gradient, state.buffers([SQUARE_AVG, MOMENTUM_BUFFER]), Plain(core));
            }
            (true, false) => param.update_with(gradient, state.buffers([SQUARE_AVG, GRAD_AVG]), Centered(core)),
            (true, true) => {
                let buffers = state.buffers([SQUARE_AVG, GRAD_AVG, MOMENTUM_BUFFER]);
                param.update_with(gradient, buffers, Centered(core));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Core<T> {
    pull: Pull<T>,
    squares: Squares<T>,
    mean: Lerp<T>,
    eps: T,
    momentum: T,
    /// `-lr`
    rate: T,
}

impl<T: Float> Core<T> {
    /// `sqrt(v - a^2) + eps`, where the root may be of a negative number.
    #[inline(always)]
    fn deviation(&self, v: T, a: T) -> T {
        (-a).mul_add(a, v).sqrt() + self.eps
    }

    #[inline(always)]
    fn moved(&self, p: T, g: T, q: T) -> T {
        addcdiv(p, self.rate, g, q)
    }

    /// The parameter and its momentum.
    #[inline(always)]
    fn carried(&self, p: T, g: T, q: T, b: T) -> (T, T) {
        let b = b * self.momentum + g / q;
        (self.rate.mul_add(b, p), b)
    }
}

#[derive(Clone, Copy)]
struct Plain<T>(Core<T>);

impl<T: Float> ElementUpdate<T, 1> for Plain<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [v]: [T; 1]) -> (T, [T; 1]) {
        let g = self.0.pull.of(p, g);
        let v = self.0.squares.of(v, g);
        (self.0.moved(p, g, v.sqrt() + self.0.eps), [v])
    }
}

impl<T: Float> ElementUpdate<T, 2> for Plain<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [v, b]: [T; 2]) -> (T, [T; 2]) {
        let g = self.0.pull.of(p, g);
        let v = self.0.squares.of(v, g);
        let (p, b) = self.0.carried(p, g, v.sqrt() + self.0.eps, b);
        (p, [v, b])
    }
}

#[derive(Clone, Copy)]
struct Centered<T>(Core<T>);

impl<T: Float> ElementUpdate<T, 2> for Centered<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [v, a]: [T; 2]) -> (T, [T; 2]) {
        let g = self.0.pull.of(p, g);
        let (v, a) = (self.0.squares.of(v, g), self.0.mean.of(a, g));
        (self.0.moved(p, g, self.0.deviation(v, a)), [v, a])
    }
}

impl<T: Float> ElementUpdate<T, 3> for Centered<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [v, a, b]: [T; 3]) -> (T, [T; 3]) {
        let g = self.0.pull.of(p, g);
        let (v, a) = (self.0.squares.of(v, g), self.0.mean.of(a, g));
        let (p, b) = self.0.carried(p, g, self.0.deviation(v, a), b);
        (p, [v, a, b])
    }
}
