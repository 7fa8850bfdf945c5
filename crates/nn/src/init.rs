//! How initial weights are drawn, as in `torch.nn.init`.
//!
//! The functions overwrite their tensor in place, unrecorded, with numbers of the process-wide generator.

use tape::{Tensor, no_grad};

/// Fills a weight with numbers uniform on `[-bound, bound)`, `bound = sqrt(3) * sqrt(2 / (1 + a^2)) /
/// sqrt(fan_in)`, as `torch.nn.init.kaiming_uniform_` does for a leaky rectifier of negative slope `a`. For
/// a weight of shape `[out, in, ...]` the fan-in is the number of elements of one `weight[k]`. A weight
/// without elements is left alone, and nothing is drawn.
///
/// He et al., "Delving deep into rectifiers", 2015.
///
/// # Panics
/// If the weight has fewer than two dimensions or is not of a floating-point type.
///
/// ```
/// use tape::{DType, Tensor};
///
/// let weight = nn::init::kaiming_uniform_(&Tensor::zeros([100, 6], DType::F64), 0.0);
/// assert!(weight.abs().max().item() <= 1.0); // sqrt(6 / fan_in)
/// ```
#[track_caller]
pub fn kaiming_uniform_(weight: &Tensor, a: f64) -> Tensor {
    assert!(
        weight.dim() >= 2,
        "kaiming_uniform_: Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, \
         but the shape is {:?}; a weight has shape [out, in, ...]",
        weight.sizes()
    );
    if weight.numel() == 0 {
        return weight.clone();
    }
    let fan_in: usize = weight.sizes()[1..].iter().product();
    // By torch's route: the shorter formula rounds differently for most sizes.
    let gain = (2.0 / (1.0 + a * a)).sqrt();
    let bound = 3.0_f64.sqrt() * (gain / (fan_in as f64).sqrt());
    no_grad(|| weight.uniform_(-bound, bound))
}
