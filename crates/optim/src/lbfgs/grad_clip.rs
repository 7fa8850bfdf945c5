//! Limits on gradients.

use checkpoint::Value;
use std::ops::Range;
use tape::{Float, vector};

/// A limit on the gradient that a direction is made of: Paddle's `ClipGradByValue`, `ClipGradByNorm` and
/// `ClipGradByGlobalNorm`. Elements that are NaN stay NaN.
///
/// ```
/// use optim::{GradClip, Lbfgs, Optimizer};
/// let p = tape::Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizer = Lbfgs::builder([&p]).max_iter(1).grad_clip(GradClip::GlobalNorm(1.0)).build()?;
/// optimizer.step(|| {
///     optimizer.zero_grad();
///     let loss = (&p * &p).sum();
///     loss.backward()?;
///     Ok(loss)
/// })?;
/// assert_eq!(p.grad().map(|g| g.to_vec()), Some(vec![6.0, -8.0])); // `.grad` itself is not changed
/// let d = optimizer.state_dict()["state"][0]["d"].as_tensor().map(|d| d.to_vec::<f64>());
/// assert_eq!(d, Some(vec![-6.0 * 0.1, 8.0 * 0.1])); // the norm was 10
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum GradClip {
    /// Every element is brought into `[-max, max]`.
    Value(f64),
    /// Every element is brought into `[min, max]`.
    ValueRange(f64, f64),
    /// The gradient of each parameter for itself: `g * max / |g|` where its Euclidean norm is above `max`.
    Norm(f64),
    /// All gradients together: `g * max / |g|` where the Euclidean norm of all of them is above `max`.
    GlobalNorm(f64),
}

/// How a group holds it: `('value', min, max)`, `('norm', max)` or `('global_norm', max)`.
impl From<GradClip> for Value {
    fn from(clip: GradClip) -> Self {
        match clip {
            GradClip::Value(max) => Self::Tuple(vec!["value".into(), (-max).into(), max.into()]),
            GradClip::ValueRange(min, max) => Self::Tuple(vec!["value".into(), min.into(), max.into()]),
            GradClip::Norm(max) => ("norm", max).into(),
            GradClip::GlobalNorm(max) => ("global_norm", max).into(),
        }
    }
}

impl GradClip {
    /// Reads what a group holds; `None` if it is no clip, or one that cannot be: `min > max`, or a norm that
    /// is not positive.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value.as_list()? {
            [kind, min, max] if kind.as_str() == Some("value") => {
                let (min, max) = (min.as_float()?, max.as_float()?);
                (min <= max).then_some(Self::ValueRange(min, max))
            }
            [kind, max] => {
                let max = max.as_float().filter(|&max| max > 0.0)?;
                match kind.as_str()? {
                    "value" => Some(Self::Value(max)),
                    "norm" => Some(Self::Norm(max)),
                    "global_norm" => Some(Self::GlobalNorm(max)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Clips a flat gradient in which the parameters lie at `ranges`.
    pub(super) fn apply<T: Float>(self, ranges: impl Iterator<Item = Range<usize>>, gradient: &mut [T]) {
        match self {
            Self::Value(max) => clamp(-max, max, gradient),
            Self::ValueRange(min, max) => clamp(min, max, gradient),
            Self::Norm(max) => ranges.for_each(|range| shrink(max, &mut gradient[range])),
            Self::GlobalNorm(max) => shrink(max, gradient),
        }
    }
}

/// Comparisons that are false for NaN leave it alone.
fn clamp<T: Float>(min: f64, max: f64, gradient: &mut [T]) {
    let (min, max) = (T::from_f64(min), T::from_f64(max));
    for g in gradient {
        if *g < min {
            *g = min;
        } else if *g > max {
            *g = max;
        }
    }
}

fn shrink<T: Float>(max: f64, gradient: &mut [T]) {
    let norm = norm(gradient);
    if norm > max {
        vector::scale(T::from_f64(max / norm), gradient);
    }
}

/// The Euclidean norm. Squares of large `f32` overflow, and clipping is for large gradients: these are added
/// up in `f64`.
fn norm<T: Float>(x: &[T]) -> f64 {
    let squares = vector::dot(x, x).to_f64();
    if squares.is_finite() {
        return squares.sqrt();
    }
    x.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_f32_gradients_are_clipped_and_not_lost() {
        let mut g = [3e30_f32, -4e30];
        GradClip::GlobalNorm(5.0).apply(std::iter::once(0..2), &mut g);
        assert!((g[0] - 3.0).abs() < 1e-6 && (g[1] + 4.0).abs() < 1e-6, "{g:?}");
    }

    #[test]
    fn nan_stays_and_small_gradients_are_untouched() {
        for clip in [GradClip::Value(1.0), GradClip::Norm(9.0), GradClip::GlobalNorm(9.0)] {
            let mut g = [f64::NAN, 0.5];
            clip.apply(std::iter::once(0..2), &mut g);
            assert!(g[0].is_nan() && g[1] == 0.5, "{clip:?}");
        }
    }
}
