//! Rprop as `torch.optim.Rprop` computes it.

use super::Rule;
use super::element::Pull;
use super::options::{Checks, Rate, Reader};
use super::state::{Layout, Slots};
use crate::{Error, Loaded, Result};
use checkpoint::{Dict, Value};
use tape::vector::ElementUpdate;
use tape::{Float, Tensor};

first_order! {
    /// Steps that depend on the signs of gradients alone: longer while a sign stays, shorter when it turns
    /// (Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP
    /// Algorithm", 1993).
    ///
    /// With gradient `g` (negated by `maximize`) and the one before, `q`: where `g q > 0` the step `s` is
    /// multiplied by the larger of `etas`, where `g q < 0` by the smaller, and `g` counts as 0; `s` is kept within
    /// `step_sizes`, `p -= sign(g) * s`. The first `s` is `lr`, which has no effect later.
    ///
    /// ```
    /// use optim::{Optimizer, Rprop};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    /// let rprop = Rprop::builder([&p]).lr(0.1).build()?;
    /// for _ in 0..100 {
    ///     rprop.zero_grad();
    ///     (&p * &p).sum().backward()?;
    ///     rprop.step()?;
    /// }
    /// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// For whole batches: signs of noisy gradients turn by chance.
    Rprop, RpropBuilder, RpropRule;
    /// First step of every element: a number or a tensor of one element (default 0.01).
    lr(lr: impl Into<Value>);
    /// Factors of a step whose sign turned and of one whose sign stayed (default 0.5 and 1.2).
    etas(minus: f64, plus: f64);
    /// Smallest and largest step (default 1e-6 and 50).
    step_sizes(smallest: f64, largest: f64);
    /// Goes up instead of down (default off).
    maximize(maximize: bool);
}

struct RpropRule;

struct Options {
    /// Only the first step reads it, so a group may lack it.
    lr: Option<Rate>,
    etas: [f64; 2],
    step_sizes: [f64; 2],
    maximize: bool,
}

const PREV: usize = 0;
const STEP_SIZE: usize = 1;

impl Rule for RpropRule {
    const NAME: &'static str = "Rprop";
    const LAYOUT: Layout = Layout { scalars: &["step"], buffers: &["prev", "step_size"] };
    type Options = Options;

    fn defaults() -> Dict {
        Dict::from_iter([
            ("lr", Value::from(1e-2)),
            ("etas", (0.5, 1.2).into()),
            ("step_sizes", (1e-6, 50).into()),
            ("foreach", Value::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
            ("capturable", false.into()),
        ])
    }

    fn check(options: &Checks<'_>) -> Result<()> {
        options.lr()?;
        let [minus, plus] = options.pair("etas");
        if 0.0 < minus && minus < 1.0 && 1.0 < plus {
            return Ok(());
        }
        let [minus, plus] = [minus, plus].map(|eta| Value::from(eta).to_string());
        Err(Error::InvalidEtas { minus, plus })
    }

    fn read(group: &Reader) -> Result<Options> {
        let lr = match group.lr() {
            Err(Error::MissingOption(_)) => None,
            lr => Some(lr?),
        };
        Ok(Options {
            lr,
            etas: group.pair("etas")?,
            step_sizes: group.pair("step_sizes")?,
            maximize: group.flag("maximize")?,
        })
    }

    fn first_element(options: &Options, buffer: usize) -> Result<f64> {
        match buffer {
            STEP_SIZE => options.lr.map(Rate::get).ok_or(Error::MissingOption("lr")),
            _ => Ok(0.0),
        }
    }

    fn upgrade(loaded: &mut Loaded) {
        super::upgrade_plain(loaded);
    }

    fn step<T: Float>(options: &Options, mut state: Slots<'_, T>, param: &Tensor, gradient: &Tensor) {
        state.count();
        let element = Element {
            pull: Pull::new(options.maximize, 0.0),
            etas: options.etas.map(T::from_f64),
            step_sizes: options.step_sizes.map(T::from_f64),
        };
        param.update_with(gradient, state.buffers([PREV, STEP_SIZE]), element);
    }
}

#[derive(Clone, Copy)]
struct Element<T> {
    pull: Pull<T>,
    etas: [T; 2],
    step_sizes: [T; 2],
}

impl<T: Float> ElementUpdate<T, 2> for Element<T> {
    #[inline(always)]
    fn apply(&self, p: T, g: T, [prev, size]: [T; 2]) -> (T, [T; 2]) {
        let g = self.pull.of(p, g);
        let [minus, plus] = self.etas;
        // A product that underflows counts as no agreement, NaN as neither.
        let agreement = g * prev;
        let shorter = if agreement < T::ZERO { minus } else { T::ONE };
        let factor = if agreement > T::ZERO { plus } else { shorter };
        // The largest step wins where the bounds cross.
        let [smallest, largest] = self.step_sizes;
        let size = size * factor;
        let size = if size < smallest { smallest } else { size };
        let size = if size > largest { largest } else { size };
        let g = if factor == minus { T::ZERO } else { g };
        let down = if g < T::ZERO { -T::ONE } else { T::ZERO };
        let sign = if g > T::ZERO { T::ONE } else { down };
        (p - sign * size, [g, size])
    }
}
