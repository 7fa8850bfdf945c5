//! The present point: loss, gradient, scales, rounding.

use super::probe::{Given, Probe, Sample};
use tape::DType;

/// What is known of the present point once it has been evaluated twice.
pub(super) struct Base {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
    /// The size of a usual change, by element: the root mean square of the parameter, or 1 where that is 0.
    pub(super) scale: Vec<f64>,
    /// Elements that are to be moved: those of parameters with a gradient.
    pub(super) active: Vec<bool>,
    /// Machine epsilon of the narrowest dtype that is known to be involved.
    pub(super) eps: f64,
    /// `|g| . |x|`: what rounding the parameters does to the loss, in units of `eps`.
    pub(super) sensitivity: f64,
    /// How much two evaluations at this point differed.
    pub(super) jitter: f64,
}

/// Roundings of a loss, in units of `eps`, that are no surprise.
const ROUNDINGS: f64 = 16.0;

impl Base {
    pub(super) fn new(probe: &Probe<'_, '_>, sample: Sample, second: &Sample) -> Self {
        let (mut scale, mut active) = (vec![1.0; probe.numel()], vec![false; probe.numel()]);
        for (param, given) in probe.params.iter().zip(&sample.given) {
            let range = param.range.clone();
            let size = norm(&probe.x[range.clone()]) / (range.len().max(1) as f64).sqrt();
            scale[range.clone()].fill(if size > 0.0 { size } else { 1.0 });
            active[range].fill(*given == Given::Fresh);
        }
        let narrow = sample.dtype == DType::F32 || probe.tensors().any(|tensor| tensor.dtype() == DType::F32);
        let eps = if narrow { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let sensitivity = sample.gradient.iter().zip(&probe.x).map(|(g, x)| (g * x).abs()).sum();
        let jitter = (sample.loss - second.loss).abs();
        Self { loss: sample.loss, gradient: sample.gradient, scale, active, eps, sensitivity, jitter }
    }

    /// Differences of losses of this size that mean nothing.
    pub(super) fn noise(&self, loss: f64) -> f64 {
        ROUNDINGS * self.eps * (self.loss.abs().max(loss.abs()) + self.sensitivity) + 2.0 * self.jitter
    }

    pub(super) fn gradient_max(&self) -> f64 {
        self.gradient.iter().fold(0.0, |max, g| max.max(g.abs()))
    }

    /// `|D g|` with the scales on the diagonal of `D`: how much the loss changes per unit of relative move.
    pub(super) fn scaled_gradient(&self) -> f64 {
        norm(&self.gradient.iter().zip(&self.scale).map(|(g, s)| g * s).collect::<Vec<_>>())
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The Euclidean norm, without overflow on the way.
pub(super) fn norm(a: &[f64]) -> f64 {
    let largest = a.iter().fold(0.0_f64, |max, a| max.max(a.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * a.iter().map(|a| (a / largest).powi(2)).sum::<f64>().sqrt()
}

pub(super) fn scaled(t: f64, a: &[f64]) -> Vec<f64> {
    a.iter().map(|a| t * a).collect()
}

/// `a + t b`.
pub(super) fn plus(a: &[f64], t: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + t * b).collect()
}
