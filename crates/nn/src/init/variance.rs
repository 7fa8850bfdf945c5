//! Draws that keep the variance of what flows through a layer.

use tape::{Tensor, no_grad};

/// Which variance Kaiming initialisation keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanMode {
    /// That of the values, in the forward pass: counts the inputs of an output.
    #[default]
    FanIn,
    /// That of the gradients, in the backward pass: counts the outputs of an input.
    FanOut,
}

/// What follows a layer, for [`calculate_gain`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, or another linear layer or convolution.
    Linear,
    /// A logistic function.
    Sigmoid,
    /// A hyperbolic tangent.
    Tanh,
    /// A rectifier.
    Relu,
    /// A rectifier with this slope for negative numbers (torch's default: 0.01).
    LeakyRelu(f64),
    /// A self-normalising unit.
    Selu,
}

/// By how much weights are enlarged before a nonlinearity, as `torch.nn.init.calculate_gain`: 1 for linear maps
/// and the logistic function, 5/3 for tanh, `sqrt(2)` for the rectifier, `sqrt(2 / (1 + slope^2))` for the leaky
/// one, 3/4 for selu.
///
/// ```
/// use nn::init::{Nonlinearity, calculate_gain};
///
/// assert_eq!(calculate_gain(Nonlinearity::Tanh), 5.0 / 3.0);
/// ```
pub fn calculate_gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2.0_f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 3.0 / 4.0,
    }
}

/// The inputs of an output and the outputs of an input, for a weight `[out, in, kernel..]`.
#[track_caller]
fn fans(op: &str, weight: &Tensor) -> (f64, f64) {
    assert!(
        weight.dim() >= 2,
        "{op}: Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, but the shape is {:?}; \
         a weight has shape [out, in, ...]",
        weight.sizes()
    );
    let kernel: usize = weight.sizes()[2..].iter().product();
    ((weight.sizes()[1] * kernel) as f64, (weight.sizes()[0] * kernel) as f64)
}

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
    kaiming_uniform_with_(weight, FanMode::FanIn, Nonlinearity::LeakyRelu(a))
}

/// [`kaiming_uniform_`] with another mode or nonlinearity: `bound = sqrt(3) * gain / sqrt(fan)`.
///
/// # Panics
/// As [`kaiming_uniform_`].
#[track_caller]
pub fn kaiming_uniform_with_(weight: &Tensor, mode: FanMode, nonlinearity: Nonlinearity) -> Tensor {
    let std = kaiming_std("kaiming_uniform_", weight, mode, nonlinearity);
    // By torch's route: shorter formulas round differently for most sizes.
    std.map_or_else(|| weight.clone(), |std| symmetric(weight, 3.0_f64.sqrt() * std))
}

/// Fills a weight with normal numbers of standard deviation `sqrt(2 / (1 + a^2)) / sqrt(fan_in)`, as
/// `torch.nn.init.kaiming_normal_` does for a leaky rectifier of negative slope `a`.
///
/// # Panics
/// As [`kaiming_uniform_`].
///
/// ```
/// use nn::{Linear, Module, Sequential, init};
///
/// let model = Sequential::new([Linear::new(50, 40).boxed()]);
/// model.apply(|module| {
///     if let Some(linear) = module.downcast_ref::<Linear>() {
///         init::kaiming_normal_(&linear.weight, 0.0);
///     }
/// });
/// ```
#[track_caller]
pub fn kaiming_normal_(weight: &Tensor, a: f64) -> Tensor {
    kaiming_normal_with_(weight, FanMode::FanIn, Nonlinearity::LeakyRelu(a))
}

/// [`kaiming_normal_`] with another mode or nonlinearity: standard deviation `gain / sqrt(fan)`.
///
/// # Panics
/// As [`kaiming_uniform_`].
#[track_caller]
pub fn kaiming_normal_with_(weight: &Tensor, mode: FanMode, nonlinearity: Nonlinearity) -> Tensor {
    let std = kaiming_std("kaiming_normal_", weight, mode, nonlinearity);
    std.map_or_else(|| weight.clone(), |std| no_grad(|| weight.normal_(0.0, std)))
}

/// The standard deviation of the weights; `None` for a weight without elements.
#[track_caller]
fn kaiming_std(op: &str, weight: &Tensor, mode: FanMode, nonlinearity: Nonlinearity) -> Option<f64> {
    let (fan_in, fan_out) = fans(op, weight);
    let fan = if mode == FanMode::FanIn { fan_in } else { fan_out };
    (weight.numel() > 0).then(|| calculate_gain(nonlinearity) / fan.sqrt())
}

/// Fills a weight with numbers uniform on `[-bound, bound)`, `bound = sqrt(3) * gain * sqrt(2 / (fan_in +
/// fan_out))`, as `torch.nn.init.xavier_uniform_` (whose default gain is 1). A weight without elements is left
/// alone.
///
/// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
///
/// # Panics
/// If the weight has fewer than two dimensions, is not of a floating-point type, or the gain is negative.
///
/// ```
/// use nn::init::{Nonlinearity, calculate_gain, xavier_uniform_};
/// use tape::{DType, Tensor};
///
/// let weight = xavier_uniform_(&Tensor::empty([4, 2], DType::F64), calculate_gain(Nonlinearity::Linear));
/// assert!(weight.abs().max().item() <= 1.0); // sqrt(6 / (fan_in + fan_out))
/// ```
#[track_caller]
pub fn xavier_uniform_(weight: &Tensor, gain: f64) -> Tensor {
    let std = xavier_std("xavier_uniform_", weight, gain);
    std.map_or_else(|| weight.clone(), |std| symmetric(weight, 3.0_f64.sqrt() * std))
}

/// Fills a weight with normal numbers of standard deviation `gain * sqrt(2 / (fan_in + fan_out))`, as
/// `torch.nn.init.xavier_normal_` (whose default gain is 1).
///
/// # Panics
/// As [`xavier_uniform_`].
#[track_caller]
pub fn xavier_normal_(weight: &Tensor, gain: f64) -> Tensor {
    let std = xavier_std("xavier_normal_", weight, gain);
    std.map_or_else(|| weight.clone(), |std| no_grad(|| weight.normal_(0.0, std)))
}

#[track_caller]
fn xavier_std(op: &str, weight: &Tensor, gain: f64) -> Option<f64> {
    let (fan_in, fan_out) = fans(op, weight);
    (weight.numel() > 0).then(|| gain * (2.0 / (fan_in + fan_out)).sqrt())
}

#[track_caller]
fn symmetric(weight: &Tensor, bound: f64) -> Tensor {
    no_grad(|| weight.uniform_(-bound, bound))
}
