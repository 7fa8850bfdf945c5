//! All parameters as one vector, in the order they were given.

use std::ops::Range;
use tape::{DType, Float, Tensor, vector};

/// The parameters and where each one lies in the flat vector. The vector is `f64` if any parameter is, else
/// `f32`.
#[derive(Clone, Debug)]
pub(crate) struct Flat {
    params: Vec<(Tensor, Range<usize>)>,
    numel: usize,
}

impl Flat {
    pub(crate) fn new(params: &[Tensor]) -> Self {
        let mut numel = 0;
        let params = params
            .iter()
            .map(|p| {
                let start = numel;
                numel += p.numel();
                (p.clone(), start..numel)
            })
            .collect();
        Self { params, numel }
    }

    pub(crate) fn numel(&self) -> usize {
        self.numel
    }

    /// The dtype of the flat vector.
    pub(crate) fn dtype(&self) -> DType {
        if self.params.iter().any(|(p, _)| p.dtype() == DType::F64) { DType::F64 } else { DType::F32 }
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
            let direction = &direction[range.clone()];
            if param.dtype() == T::DTYPE {
                param.add_scaled(t.to_f64(), direction);
            } else {
                let mut sum = vec![T::ZERO; direction.len()];
                param.read_into(&mut sum);
                vector::axpy(t, direction, &mut sum);
                param.write_from(&sum);
            }
        }
    }
}
