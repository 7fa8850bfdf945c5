//! What is minimised: the closure's loss, turned, clipped, penalised and scaled as the options ask.

use super::grad_clip::GradClip;
use super::metric::Metric;
use super::weight_decay::WeightDecay;
use crate::Result;
use crate::flat::Flat;
use crate::optimizer::{Closure, evaluate};
use tape::{Float, Tensor, vector};

/// The way from the closure's loss and gradient to those of the method. By default there is none, and an
/// evaluation makes no pass over a vector beyond reading the gradients.
#[derive(Clone, Debug, Default)]
pub(super) struct Objective {
    /// The negated loss is minimised.
    pub(super) maximize: bool,
    pub(super) clip: Option<GradClip>,
    /// One entry per group; empty where no group has any.
    pub(super) decay: Vec<Option<WeightDecay>>,
    pub(super) metric: Metric,
}

/// Where an evaluation leaves what it finds.
pub(super) struct Output<'a, T> {
    /// The objective's gradient.
    pub(super) gradient: &'a mut Vec<T>,
    /// The same made of the clipped gradient of the loss; empty without clipping.
    pub(super) clipped: &'a mut Vec<T>,
    /// Positions of the parameters without gradient.
    pub(super) missing: &'a mut Vec<usize>,
    /// Room for the parameters; filled where weight decay needs them.
    pub(super) parameters: &'a mut Vec<T>,
}

impl Objective {
    /// Runs the closure; returns the loss as it is, and the value of the objective.
    pub(super) fn evaluate<T: Float>(
        &self,
        closure: &mut Closure<'_>,
        flat: &Flat,
        to: &mut Output<'_, T>,
    ) -> Result<(Tensor, f64)> {
        let (tensor, mut loss) = evaluate(closure)?;
        flat.gather(to.gradient, to.missing);
        to.clipped.clear();
        if let Some(clip) = self.clip {
            to.clipped.extend_from_slice(to.gradient);
            clip.apply(flat.ranges().map(|(range, _)| range), to.clipped);
            self.finish_gradient(flat, to.clipped, to.parameters);
        }
        if self.maximize {
            loss = -loss;
        }
        loss += self.finish_gradient(flat, to.gradient, to.parameters);
        Ok((tensor, loss))
    }

    /// Turns, penalises and scales a gradient of the loss; returns the penalty.
    fn finish_gradient<T: Float>(&self, flat: &Flat, gradient: &mut [T], parameters: &mut Vec<T>) -> f64 {
        if self.maximize {
            vector::scale(-T::ONE, gradient);
        }
        let mut penalty = 0.0;
        if !self.decay.is_empty() {
            parameters.resize(flat.numel(), T::ZERO);
            flat.snapshot(parameters);
            for (range, group) in flat.ranges() {
                if let Some(decay) = self.decay.get(group).copied().flatten() {
                    penalty += decay.add(&parameters[range.clone()], &mut gradient[range]);
                }
            }
        }
        self.metric.scale_gradient(flat, gradient);
        penalty
    }

    /// The loss as the user counts it, with the penalties.
    pub(super) fn in_users_sign(&self, loss: f64) -> f64 {
        if self.maximize { -loss } else { loss }
    }
}
