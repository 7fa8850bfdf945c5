//! All parameters as one vector, in the order they were given.

use crate::ParamGroup;
use std::collections::HashSet;
use std::ops::Range;
use tape::{DType, Float, Tensor, vector};

/// The parameters and where each one lies in the flat vector. The vector is `f64` if any parameter is, else
/// `f32`.
#[derive(Clone, Debug)]
pub(crate) struct Flat {
    params: Vec<(Tensor, Range<usize>)>,
    /// Which group each parameter is in.
    groups: Vec<usize>,
    /// [`Tensor::id`] of every parameter.
    ids: HashSet<usize>,
    numel: usize,
}

impl Flat {
    /// The parameters of all groups, group by group.
    pub(crate) fn new(all: &[ParamGroup]) -> Self {
        let (mut params, mut groups, mut numel) = (Vec::new(), Vec::new(), 0);
        for (i, group) in all.iter().enumerate() {
            for p in group.params() {
                let start = numel;
                numel += p.numel();
                params.push((p.clone(), start..numel));
                groups.push(i);
            }
        }
        let ids = params.iter().map(|(p, _)| p.id()).collect();
        Self { params, groups, ids, numel }
    }

    /// How many parameters there are.
    pub(crate) fn len(&self) -> usize {
        self.params.len()
    }

    /// Where each parameter lies, and which group it is in.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        self.params.iter().zip(&self.groups).map(|((_, range), &group)| (range.clone(), group))
    }

    pub(crate) fn numel(&self) -> usize {
        self.numel
    }

    /// The dtype of the flat vector.
    pub(crate) fn dtype(&self) -> DType {
        if self.params.iter().any(|(p, _)| p.dtype() == DType::F64) { DType::F64 } else { DType::F32 }
    }

    /// Whether the tensor is one of the parameters.
    pub(crate) fn owns(&self, tensor: &Tensor) -> bool {
        self.ids.contains(&tensor.id())
    }

    /// The first gradient there is, and how often its memory has been changed.
    pub(crate) fn some_gradient(&self) -> Option<(Tensor, u32)> {
        let grad = self.params.iter().find_map(|(p, _)| p.grad())?;
        let version = grad.version();
        Some((grad, version))
    }

    /// Positions of the parameters that have a NaN or an infinity.
    pub(crate) fn non_finite(&self) -> Vec<usize> {
        let mut broken = Vec::new();
        for (i, (param, range)) in self.params.iter().enumerate() {
            let mut values = vec![0.0; range.len()];
            param.read_into(&mut values);
            if !vector::max_abs(&values).is_finite() {
                broken.push(i);
            }
        }
        broken
    }

    /// How often the parameters have been changed in place.
    pub(crate) fn version(&self) -> u64 {
        self.params.iter().map(|(p, _)| u64::from(p.version())).sum()
    }

    /// Whether the parameters differ from the snapshot.
    pub(crate) fn differs_from<T: Float>(&self, snapshot: &[T]) -> bool {
        let mut now = vec![T::ZERO; self.numel];
        self.snapshot(&mut now);
        now != snapshot
    }

    /// Reads the gradients, zeros where there is none, and lists the positions of the parameters without one.
    pub(crate) fn gather<T: Float>(&self, out: &mut [T], missing: &mut Vec<usize>) {
        missing.clear();
        for (i, (param, range)) in self.params.iter().enumerate() {
            match param.grad() {
                Some(grad) => grad.read_into(&mut out[range.clone()]),
                None => {
                    out[range.clone()].fill(T::ZERO);
                    missing.push(i);
                }
            }
        }
    }

    /// Reads the parameters.
    pub(crate) fn snapshot<T: Float>(&self, out: &mut [T]) {
        for (param, range) in &self.params {
            param.read_into(&mut out[range.clone()]);
        }
    }

    /// Writes the parameters: exact, whatever was added since the snapshot.
    pub(crate) fn restore<T: Float>(&self, snapshot: &[T]) {
        for (param, range) in &self.params {
            param.write_from(&snapshot[range.clone()]);
        }
    }

    /// Adds `t * direction` with one fused multiply-add per element, in the dtype of the vector; a narrower
    /// parameter is widened for it and the sum rounded, as torch promotes.
    pub(crate) fn add<T: Float>(&self, t: T, direction: &[T]) {
        for (param, range) in &self.params {
            add(param, t, &direction[range.clone()]);
        }
    }

    /// As [`add`](Self::add), with a `t` of its own for each group. Where it is 0 nothing is touched.
    pub(crate) fn add_scaled<T: Float>(&self, t: impl Fn(usize) -> T, direction: &[T]) {
        for ((param, range), &group) in self.params.iter().zip(&self.groups) {
            let t = t(group);
            if t != T::ZERO {
                add(param, t, &direction[range.clone()]);
            }
        }
    }
}

fn add<T: Float>(param: &Tensor, t: T, direction: &[T]) {
    if param.dtype() == T::DTYPE {
        param.add_scaled(t.to_f64(), direction);
    } else {
        let mut sum = vec![T::ZERO; direction.len()];
        param.read_into(&mut sum);
        vector::axpy(t, direction, &mut sum);
        param.write_from(&sum);
    }
}
