//! What is put back after a diagnosis, however it ends.

use tape::random::{get_rng_state, set_rng_state, thread_uses};
use tape::{DType, Generator, Tensor};

/// The elements of a tensor, bit for bit.
enum Bits {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Bits {
    fn of(tensor: &Tensor) -> Self {
        match tensor.dtype() {
            DType::F32 => Self::F32(tensor.to_vec()),
            _ => Self::F64(tensor.to_vec()),
        }
    }

    /// Writes the elements back if they have changed; NaNs are compared by their bits.
    fn restore(&self, tensor: &Tensor) {
        match self {
            Self::F32(kept) => {
                if !tensor.to_vec::<f32>().iter().map(|x| x.to_bits()).eq(kept.iter().map(|x| x.to_bits())) {
                    tensor.write_from(kept);
                }
            }
            Self::F64(kept) => {
                if !tensor.to_vec::<f64>().iter().map(|x| x.to_bits()).eq(kept.iter().map(|x| x.to_bits())) {
                    tensor.write_from(kept);
                }
            }
        }
    }
}

struct Parameter {
    tensor: Tensor,
    elements: Bits,
    /// The gradient tensor and its elements: a closure may replace the one and change the other.
    gradient: Option<(Tensor, Bits)>,
}

/// Parameters, their gradients and the random state; dropping it puts them back.
pub(super) struct Kept {
    parameters: Vec<Parameter>,
    random: Generator,
    /// Uses of the random state by this thread so far.
    uses: u64,
}

impl Kept {
    pub(super) fn of<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Self {
        let keep = |tensor: &Tensor| Parameter {
            tensor: tensor.clone(),
            elements: Bits::of(tensor),
            gradient: tensor.grad().map(|gradient| {
                let elements = Bits::of(&gradient);
                (gradient, elements)
            }),
        };
        Self { parameters: tensors.map(keep).collect(), random: get_rng_state(), uses: thread_uses() }
    }

    /// The gradient that parameter `i` had, as plain numbers; `None` if it had none.
    pub(super) fn gradient(&self, i: usize) -> Option<Vec<f64>> {
        Some(match &self.parameters[i].gradient.as_ref()?.1 {
            Bits::F32(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Bits::F64(elements) => elements.clone(),
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for Parameter { tensor, elements, gradient } in &self.parameters {
            elements.restore(tensor);
            if let Some((gradient, elements)) = gradient {
                elements.restore(gradient);
            }
            tensor.set_grad(gradient.as_ref().map(|(gradient, _)| gradient.clone()));
        }
        // All threads share it: a closure that does not use it must not undo what others draw.
        if thread_uses() != self.uses {
            set_rng_state(self.random.clone());
        }
    }
}
