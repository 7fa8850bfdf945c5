//! Several groups with learning rates of their own, as one problem in scaled variables.

use super::scalar::Number;
use crate::flat::Flat;
use crate::{Error, Result};
use tape::{Float, vector};

/// Shares of learning rates that differ by less, relatively, are the same: a scheduler that multiplies all
/// rates leaves ratios equal to rounding only.
const SAME: f64 = 1e-9;

/// The scale `s_i = lr_i / lr` of each group, where `lr` is the largest of the rates; empty if all are 1.
///
/// The method runs in the variables `z = x / sqrt(s)`: gradients are multiplied by `sqrt(s)` where they are
/// read, moves where they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metric {
    scales: Vec<f64>,
    /// `sqrt(s_i)`.
    roots: Vec<f64>,
}

impl Metric {
    pub(super) fn new(scales: Vec<f64>) -> Self {
        let scales = if scales.iter().all(|&s| s == 1.0) { Vec::new() } else { scales };
        let roots = scales.iter().map(|s| s.sqrt()).collect();
        Self { scales, roots }
    }

    /// The metric of groups with these learning rates, and which of them is the largest.
    pub(super) fn of<T: Float>(rates: &[Number<T>]) -> Result<(Self, usize)> {
        let rates: Vec<f64> = rates.iter().map(|rate| rate.to_f64()).collect();
        if let Some(wrong) = rates.iter().find(|rate| rate.is_nan() || **rate < 0.0) {
            return Err(Error::InvalidLearningRate(wrong.to_string()));
        }
        let largest = (1..rates.len()).fold(0, |best, i| if rates[i] > rates[best] { i } else { best });
        let lr = rates[largest];
        if lr == 0.0 {
            return Ok((Self::default(), largest));
        }
        Ok((Self::new(rates.iter().map(|rate| rate / lr).collect()), largest))
    }

    /// The scales, one per group; none if all are 1.
    pub(super) fn scales(&self) -> &[f64] {
        &self.scales
    }

    pub(super) fn is_identity(&self) -> bool {
        self.scales.is_empty()
    }

    /// Whether both measure alike, up to rounding.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let scale = |metric: &Self, i: usize| if metric.is_identity() { 1.0 } else { metric.scales[i] };
        let groups = self.scales.len().max(other.scales.len());
        let comparable = |metric: &Self| metric.is_identity() || metric.scales.len() == groups;
        comparable(self)
            && comparable(other)
            && (0..groups).all(|i| {
                let (a, b) = (scale(self, i), scale(other, i));
                (a - b).abs() <= SAME * a.max(b)
            })
    }

    /// From the gradient by `x` to that by `z`. A frozen group has none, whatever was computed.
    pub(super) fn scale_gradient<T: Float>(&self, flat: &Flat, gradient: &mut [T]) {
        if self.is_identity() {
            return;
        }
        for (range, group) in flat.ranges() {
            match self.roots[group] {
                1.0 => {}
                0.0 => gradient[range].fill(T::ZERO),
                root => vector::scale(T::from_f64(root), &mut gradient[range]),
            }
        }
    }

    /// The largest component of the move by `d`, in the parameters themselves.
    pub(super) fn largest<T: Float>(&self, flat: &Flat, direction: &[T]) -> f64 {
        let root = |group: usize| self.roots.get(group).copied().unwrap_or(1.0);
        flat.ranges()
            .map(|(range, group)| root(group) * vector::max_abs(&direction[range]).to_f64())
            .fold(0.0, f64::max)
    }

    /// Moves `z` by `t d`.
    pub(super) fn add<T: Float>(&self, flat: &Flat, t: T, direction: &[T]) {
        if self.is_identity() {
            flat.add(t, direction);
        } else {
            flat.add_scaled(|group| t * T::from_f64(self.roots[group]), direction);
        }
    }
}
