//! Penalties on large parameters.

use crate::{ParamGroup, Result};
use checkpoint::Value;
use tape::{Float, vector};

/// A penalty that is added to the loss, as Paddle's `L2Decay` and `L1Decay`; a plain number is `L2`.
///
/// ```
/// use optim::WeightDecay;
/// assert_eq!(WeightDecay::from(1e-4), WeightDecay::L2(1e-4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightDecay {
    /// `l/2 sum x^2`, with gradient `l x`: torch's `weight_decay`.
    L2(f64),
    /// `l sum |x|`, with subgradient `l sign(x)`, 0 at 0. Steps then hardly ever end at exact zeros, and the
    /// line search may stall at the kinks.
    L1(f64),
}

impl From<f64> for WeightDecay {
    fn from(coefficient: f64) -> Self {
        Self::L2(coefficient)
    }
}

/// How a group holds it: a number for `L2`, as in torch; `('L1', l)` for `L1`.
impl From<WeightDecay> for Value {
    fn from(decay: WeightDecay) -> Self {
        match decay {
            WeightDecay::L2(l) => l.into(),
            WeightDecay::L1(l) => ("L1", l).into(),
        }
    }
}

impl WeightDecay {
    /// Reads what a group holds; `None` if it is no decay.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match (value.as_float(), value.as_list()) {
            (Some(l), _) => Some(Self::L2(l)),
            (_, Some([kind, l])) if kind.as_str() == Some("L1") => Some(Self::L1(l.as_float()?)),
            (_, Some([kind, l])) if kind.as_str() == Some("L2") => Some(Self::L2(l.as_float()?)),
            _ => None,
        }
    }

    pub(super) fn coefficient(self) -> f64 {
        let (Self::L2(l) | Self::L1(l)) = self;
        l
    }

    /// Whether it is finite and not negative.
    pub(super) fn is_valid(self) -> bool {
        self.coefficient() >= 0.0 && self.coefficient().is_finite()
    }

    /// The penalty of a group, if it has one.
    pub(crate) fn of(group: &ParamGroup) -> Result<Option<Self>> {
        group.with_options(super::options::decay)
    }

    /// Adds the penalty's gradient at `x` to `gradient` and returns the penalty.
    pub(crate) fn add<T: Float>(self, x: &[T], gradient: &mut [T]) -> f64 {
        match self {
            Self::L2(l) => {
                vector::axpy(T::from_f64(l), x, gradient);
                l / 2.0 * vector::dot(x, x).to_f64()
            }
            Self::L1(l) => {
                let slope = T::from_f64(l);
                for (g, &x) in gradient.iter_mut().zip(x) {
                    if x > T::ZERO {
                        *g += slope;
                    } else if x < T::ZERO {
                        *g += -slope;
                    }
                }
                l * vector::sum_abs(x).to_f64()
            }
        }
    }
}
