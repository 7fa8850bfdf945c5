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
    /// Positions of the parameters without gradient, in order.
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
        to: Output<'_, T>,
    ) -> Result<(Tensor, f64)> {
        let (tensor, mut loss) = evaluate(closure)?;
        let Output { gradient, clipped, missing, parameters } = to;
        flat.gather(gradient, missing);
        clipped.clear();
        if let Some(clip) = self.clip {
            clipped.extend_from_slice(gradient);
            clip.apply(flat.ranges().map(|(range, _)| range), clipped);
        }
        if self.maximize {
            loss = -loss;
            vector::scale(-T::ONE, gradient);
            vector::scale(-T::ONE, clipped);
        }
        if !self.decay.is_empty() {
            parameters.resize(flat.numel(), T::ZERO);
            flat.snapshot(parameters);
            loss += self.add_penalties(flat, parameters, missing, gradient);
            if !clipped.is_empty() {
                self.add_penalties(flat, parameters, missing, clipped);
            }
        }
        self.metric.scale_gradient(flat, gradient);
        if !clipped.is_empty() {
            self.metric.scale_gradient(flat, clipped);
        }
        Ok((tensor, loss))
    }

    /// Adds the penalties' gradients and returns their sum. A parameter without gradient is a constant, and
    /// has no penalty.
    fn add_penalties<T: Float>(&self, flat: &Flat, parameters: &[T], missing: &[usize], gradient: &mut [T]) -> f64 {
        let mut penalty = 0.0;
        for (i, (range, group)) in flat.ranges().enumerate() {
            if let Some(decay) = self.decay[group]
                && missing.binary_search(&i).is_err()
            {
                penalty += decay.add(&parameters[range.clone()], &mut gradient[range]);
            }
        }
        penalty
    }

    /// The loss as the user counts it, with the penalties.
    pub(super) fn in_users_sign(&self, loss: f64) -> f64 {
        if self.maximize { -loss } else { loss }
    }
}
