//! Dropout as a module.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Mode, Module};
use tape::Tensor;

/// In training, elements set to zero with probability `p` and the others divided by `1 - p`; in evaluation nothing,
/// as `torch.nn.Dropout`: [`Tensor::dropout`].
///
/// ```
/// use nn::{Dropout, Module};
/// use tape::{DType, Tensor};
///
/// let (layer, x) = (Dropout::new(0.5), Tensor::ones(100, DType::F32));
/// assert!(layer.forward(&x).to_vec::<f32>().iter().all(|&y| y == 0.0 || y == 2.0));
/// layer.eval();
/// assert_eq!(layer.forward(&x).to_vec::<f32>(), [1.0; 100]);
/// ```
#[derive(Clone, Debug)]
pub struct Dropout {
    p: f64,
    mode: Mode,
}

deep_copy! { Dropout { p, mode } }

impl Dropout {
    /// Dropout with this probability (torch's default, and that of [`Default`]: 0.5).
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`.
    #[track_caller]
    pub fn new(p: impl Into<f64>) -> Dropout {
        let p = p.into();
        assert!(
            (0.0..=1.0).contains(&p),
            "Dropout: dropout probability has to be between 0 and 1, but got {p}; give the part that is dropped"
        );
        Dropout { p, mode: Mode::new() }
    }
}

impl Default for Dropout {
    fn default() -> Dropout {
        Dropout::new(0.5)
    }
}

impl Module for Dropout {
    /// # Panics
    /// If the input is not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.dropout(self.p, self.mode.is_training())
    }

    fn members(&self) -> Members<'_> {
        Members::new().mode(&self.mode)
    }

    boxed_copy!();
}
