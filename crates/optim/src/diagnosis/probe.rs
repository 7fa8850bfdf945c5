//! Evaluations at chosen points, with what can be learned from one.

use super::finding::{Cause, Certainty, Finding};
use crate::optimizer::{Closure, evaluate};
use crate::{Error, ParamGroup, WeightDecay};
use std::collections::HashSet;
use std::ops::Range;
use tape::{DType, Tensor, watch_leaves};

/// One parameter, its place in the flat vector of all, and how it is called.
pub(super) struct Parameter {
    pub(super) tensor: Tensor,
    pub(super) range: Range<usize>,
    pub(super) label: String,
    /// The penalty of its group.
    decay: Option<WeightDecay>,
}

/// The parameters of all groups; one that is listed twice is one place in space.
pub(super) fn parameters(groups: &[ParamGroup]) -> Result<Vec<Parameter>, Error> {
    let (mut seen, mut params, mut start, mut position) = (HashSet::new(), Vec::new(), 0, 0);
    for group in groups {
        let (names, decay) = (group.names().unwrap_or_default(), WeightDecay::of(group)?);
        for (i, tensor) in group.params().iter().enumerate() {
            if seen.insert(tensor.id()) {
                let label = names.get(i).cloned().unwrap_or_else(|| format!("#{position} ({})", kind(tensor)));
                let range = start..start + tensor.numel();
                start = range.end;
                params.push(Parameter { tensor: tensor.clone(), range, label, decay });
            }
            position += 1;
        }
    }
    Ok(params)
}

/// What the closure did to the gradient of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// There is none.
    Absent,
    /// There is one, which the closure has not touched.
    Stale,
    /// The closure wrote it.
    Fresh,
}

/// One evaluation.
pub(super) struct Sample {
    pub(super) loss: f64,
    pub(super) dtype: DType,
    /// Whether the loss was recorded.
    pub(super) has_history: bool,
    /// Gradients, zeros where there are none.
    pub(super) gradient: Vec<f64>,
    pub(super) given: Vec<Given>,
    /// The leaves that backward passes reached.
    pub(super) reached: Vec<Tensor>,
    /// How far the parameters really were from the present point: a move is rounded to their dtype.
    pub(super) moved: Vec<f64>,
}

impl Sample {
    pub(super) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }
}

/// The tape's errors that a closure meets if its loss is not made as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GraphFault {
    NoGraph,
    Freed { first: bool },
    Modified,
}

/// Dtype and shape in words.
pub(super) fn kind(tensor: &Tensor) -> String {
    let dtype = if tensor.dtype() == DType::F32 { "f32" } else { "f64" };
    format!("{dtype} {:?}", tensor.sizes())
}

/// Why an evaluation has no result.
pub(super) enum Failed {
    Graph(GraphFault),
    Error(Error),
}

/// The closure and the parameters it is to be evaluated at.
pub(super) struct Probe<'a, 'c> {
    pub(super) params: Vec<Parameter>,
    /// The present point.
    pub(super) x: Vec<f64>,
    pub(super) evaluations: usize,
    /// Labels of parameters that the closure itself has changed.
    pub(super) meddled: Vec<String>,
    closure: &'a mut Closure<'c>,
    /// -1 where the loss is maximised: everything is then judged by the negated loss, which is minimised.
    pub(super) sign: f64,
}

impl<'a, 'c> Probe<'a, 'c> {
    pub(super) fn new(params: Vec<Parameter>, closure: &'a mut Closure<'c>, maximize: bool) -> Self {
        let mut x = vec![0.0; params.last().map_or(0, |param| param.range.end)];
        for Parameter { tensor, range, .. } in &params {
            tensor.read_into(&mut x[range.clone()]);
        }
        Self { params, x, evaluations: 0, meddled: Vec::new(), closure, sign: if maximize { -1.0 } else { 1.0 } }
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.params.iter().map(|param| &param.tensor)
    }

    pub(super) fn numel(&self) -> usize {
        self.x.len()
    }

    pub(super) fn owns(&self, leaf: &Tensor) -> bool {
        self.tensors().any(|tensor| tensor.same(leaf))
    }

    /// Labels of the parameters for which `chosen` holds.
    pub(super) fn labels(&self, chosen: impl Fn(usize) -> bool) -> Vec<String> {
        let chosen = self.params.iter().enumerate().filter(|(i, _)| chosen(*i));
        chosen.map(|(_, param)| param.label.clone()).collect()
    }

    /// Evaluates at the present point.
    pub(super) fn here(&mut self) -> Result<Sample, Failed> {
        self.at(&vec![0.0; self.numel()])
    }

    /// Evaluates at the present point plus `step`.
    pub(super) fn at(&mut self, step: &[f64]) -> Result<Sample, Failed> {
        let target: Vec<f64> = self.x.iter().zip(step).map(|(x, step)| x + step).collect();
        let mut moved = target.clone();
        for Parameter { tensor, range, .. } in &self.params {
            // Writing marks the memory as changed, which what was recorded before would notice.
            let mut now = vec![0.0; range.len()];
            tensor.read_into(&mut now);
            if now != target[range.clone()] {
                tensor.write_from(&target[range.clone()]);
            }
            tensor.read_into(&mut moved[range.clone()]);
        }
        let point = moved.clone();
        moved.iter_mut().zip(&self.x).for_each(|(moved, x)| *moved -= x);
        let sample = self.evaluate(moved)?;
        if self.meddled.is_empty() {
            self.meddled = self.changed_since(&point);
        }
        Ok(sample)
    }

    fn changed_since(&self, point: &[f64]) -> Vec<String> {
        self.labels(|i| {
            let Parameter { tensor, range, .. } = &self.params[i];
            let mut now = vec![0.0; range.len()];
            tensor.read_into(&mut now);
            now.iter().zip(&point[range.clone()]).any(|(now, put): (&f64, &f64)| now.to_bits() != put.to_bits())
        })
    }

    fn evaluate(&mut self, moved: Vec<f64>) -> Result<Sample, Failed> {
        let gradients = |params: &[Parameter]| -> Vec<Option<(Tensor, u32)>> {
            let stamped = |gradient: Tensor| {
                let version = gradient.version();
                (gradient, version)
            };
            params.iter().map(|param| param.tensor.grad().map(stamped)).collect()
        };
        let before = gradients(&self.params);
        self.evaluations += 1;
        let (outcome, reached) = watch_leaves(|| evaluate(self.closure));
        let (loss, value) = outcome.map_err(|error| self.failed(error, &moved))?;
        let after = gradients(&self.params);
        let mut gradient = vec![0.0; self.numel()];
        let given: Vec<Given> = (self.params.iter().zip(before.iter().zip(&after)))
            .map(|(param, (before, after))| {
                let Some((tensor, version)) = after else { return Given::Absent };
                tensor.read_into(&mut gradient[param.range.clone()]);
                let untouched = before.as_ref().is_some_and(|(old, stamp)| old.same(tensor) && stamp == version);
                if untouched { Given::Stale } else { Given::Fresh }
            })
            .collect();
        gradient.iter_mut().for_each(|g| *g *= self.sign);
        let penalty = self.add_penalties(&given, &moved, &mut gradient);
        Ok(Sample {
            loss: self.sign * value + penalty,
            dtype: loss.dtype(),
            has_history: loss.requires_grad(),
            gradient,
            given,
            reached,
            moved,
        })
    }

    /// Adds the gradients of the groups' penalties and returns their sum. As in a step, a parameter without
    /// gradient has none.
    fn add_penalties(&self, given: &[Given], moved: &[f64], gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (param, _) in self.params.iter().zip(given).filter(|(_, given)| **given != Given::Absent) {
            if let Some(decay) = param.decay {
                let range = param.range.clone();
                let point: Vec<f64> =
                    self.x[range.clone()].iter().zip(&moved[range.clone()]).map(|(x, m)| x + m).collect();
                sum += decay.add(&point, &mut gradient[range]);
            }
        }
        sum
    }

    fn failed(&self, error: Error, moved: &[f64]) -> Failed {
        let Error::Closure(inner) = &error else { return Failed::Error(error) };
        let first = self.evaluations == 1;
        let has_moved = moved.iter().any(|step| *step != 0.0);
        match inner.downcast_ref::<tape::Error>() {
            Some(tape::Error::NoGraph { .. }) => Failed::Graph(GraphFault::NoGraph),
            Some(tape::Error::GraphFreed { .. }) => Failed::Graph(GraphFault::Freed { first }),
            // At the present point it may be the closure itself that changes something in place.
            Some(tape::Error::ModifiedInPlace { .. }) if has_moved => Failed::Graph(GraphFault::Modified),
            _ => Failed::Error(error),
        }
    }
}

impl GraphFault {
    pub(super) fn finding(self) -> Finding {
        let recompute = "Compute the whole forward pass inside of the closure.";
        match self {
            Self::NoGraph => Finding::new(
                Cause::LossWithoutHistory,
                Certainty::Certain,
                "backward() was refused because the loss has no history: it is not connected to any parameter.".into(),
                "Compute it from the parameters themselves, which need requires_grad_(true), without detach() and \
                 outside of no_grad.",
            ),
            Self::Freed { first: true } => Finding::new(
                Cause::LossComputedOutside,
                Certainty::Likely,
                "backward() met a graph that an earlier backward() had used up: the loss, or something it is computed \
                 from, was computed outside of the closure, or backward() is called twice in it."
                    .into(),
                recompute,
            ),
            Self::Freed { first: false } => Finding::new(
                Cause::LossComputedOutside,
                Certainty::Certain,
                "The second call of the closure ran backward() over the graph that the first had used up: the loss, or \
                 something it is computed from, is computed outside of the closure."
                    .into(),
                recompute,
            ),
            Self::Modified => Finding::new(
                Cause::LossComputedOutside,
                Certainty::Certain,
                "After the parameters were moved, backward() ran over a graph recorded before: the loss, or something \
                 it is computed from, is computed outside of the closure."
                    .into(),
                recompute,
            ),
        }
    }
}
