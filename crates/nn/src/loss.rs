//! Losses with their options: torch's loss modules.
//!
//! The functions of [`crate::functional`] have torch's default options. A loss that is told otherwise is
//! built here, each option under torch's name, and applied by `forward`:
//!
//! ```
//! use nn::{CrossEntropyLoss, HuberLoss, Reduction, functional};
//! use tape::Tensor;
//!
//! let (x, target) = (Tensor::from([0.5, 3.0]), Tensor::from([0.0, 0.0]));
//! let huber = HuberLoss::new().delta(2.0).reduction(Reduction::Sum);
//! assert_eq!(huber.forward(&x, &target).item(), 0.125 + 4.0);
//! assert_eq!(functional::huber_loss(&x, &target).item(), (0.125 + 2.5) / 2.0);
//!
//! let logits = Tensor::from([[1.0, 1.0], [9.0, 0.0]]);
//! let smoothed = CrossEntropyLoss::new().label_smoothing(0.1).forward(&logits, &Tensor::from([0i64, 0]));
//! assert!(smoothed.item() > functional::cross_entropy(&logits, &Tensor::from([0i64, 0])).item());
//! ```

mod binary;
mod classes;
mod likelihood;
mod margin;
mod regression;

pub use binary::{BCELoss, BCEWithLogitsLoss};
pub use classes::{CrossEntropyLoss, NLLLoss};
pub use likelihood::{GaussianNLLLoss, KLDivLoss, PoissonNLLLoss};
pub use margin::{CosineEmbeddingLoss, HingeEmbeddingLoss, MarginRankingLoss, SoftMarginLoss, TripletMarginLoss};
pub use regression::{HuberLoss, L1Loss, MSELoss, SmoothL1Loss};

use tape::Tensor;

/// What becomes of the losses of the single elements or rows: torch's `reduction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their mean, without dimensions; of nothing it is NaN. Weighted losses say what they divide by.
    #[default]
    Mean,
    /// Their sum, without dimensions.
    Sum,
    /// They are returned as they are.
    None,
}

impl Reduction {
    pub(crate) fn of(self, losses: Tensor) -> Tensor {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}

/// Declares what all losses have: `new` with torch's defaults, `Default`, and the option `reduction`.
macro_rules! options {
    ($($loss:ident { $($field:ident: $value:expr),* })*) => {
        $(
            impl $loss {
                /// The loss with torch's defaults.
                pub fn new() -> $loss {
                    $loss { $($field: $value,)* reduction: $crate::Reduction::Mean }
                }

                /// Whether the losses are averaged (the default), summed, or returned one by one.
                #[must_use]
                pub fn reduction(mut self, reduction: $crate::Reduction) -> $loss {
                    self.reduction = reduction;
                    self
                }
            }

            impl Default for $loss {
                fn default() -> $loss {
                    $loss::new()
                }
            }
        )*
    };
}
use options;

/// Declares options that are one number or one switch.
macro_rules! setters {
    ($($loss:ident { $($(#[$doc:meta])* $option:ident: $type:ty),* $(,)? })*) => {
        $(impl $loss {
            $($(#[$doc])*
            #[must_use]
            pub fn $option(mut self, $option: impl Into<$type>) -> $loss {
                self.$option = $option.into();
                self
            })*
        })*
    };
}
use setters;

/// The target in the shape of the input, to which it may broadcast.
#[track_caller]
fn target_like(op: &str, input: &Tensor, target: &Tensor) -> Tensor {
    let (shape, wide) = (target.sizes(), input.sizes());
    if shape == wide {
        return target.clone();
    }
    let fits = |(&size, &wide): (&usize, &usize)| size == 1 || size == wide;
    assert!(
        shape.len() <= wide.len() && shape.iter().rev().zip(wide.iter().rev()).all(fits),
        "{op}: using a target size ({shape:?}) that is different to the input size ({wide:?}) will likely lead to \
         incorrect results due to broadcasting; reshape one of them so that each prediction meets its own target"
    );
    target.expand(wide)
}
