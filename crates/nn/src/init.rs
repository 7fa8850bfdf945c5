//! How initial weights are drawn, as in `torch.nn.init`.
//!
//! The functions overwrite their tensor in place, unrecorded, with numbers of the process-wide generator, and
//! return it. After `tape::manual_seed(seed)` they give the bits that torch's give after
//! `torch.manual_seed(seed)`; [`trunc_normal_`] says how near it comes.

mod truncated;
mod variance;

pub use truncated::trunc_normal_;
pub use variance::{
    FanMode, Nonlinearity, calculate_gain, kaiming_normal_, kaiming_normal_with_, kaiming_uniform_,
    kaiming_uniform_with_, xavier_normal_, xavier_uniform_,
};

use tape::{DType, Scalar, Tensor, no_grad};

/// Fills a tensor with numbers uniform on `[a, b)`.
///
/// ```
/// use tape::{DType, Tensor};
///
/// let w = nn::init::uniform_(&Tensor::empty([3, 2], DType::F64), -0.5, 0.5);
/// assert!(w.abs().max().item() <= 0.5);
/// ```
///
/// # Panics
/// If `a > b`, or the dtype is not a floating-point type.
#[track_caller]
pub fn uniform_(tensor: &Tensor, a: f64, b: f64) -> Tensor {
    no_grad(|| tensor.uniform_(a, b))
}

/// Fills a tensor with normal numbers of the given mean and standard deviation.
///
/// # Panics
/// If `std` is negative, or the dtype is not a floating-point type.
#[track_caller]
pub fn normal_(tensor: &Tensor, mean: f64, std: f64) -> Tensor {
    no_grad(|| tensor.normal_(mean, std))
}

/// Fills a tensor with one value.
///
/// ```
/// use nn::{Linear, init};
///
/// let layer = Linear::new(2, 3);
/// init::constant_(layer.bias.as_ref().unwrap(), 0.01); // a leaf that requires grad may be initialised
/// assert_eq!(layer.bias.unwrap().to_vec::<f32>(), [0.01; 3]);
/// ```
pub fn constant_(tensor: &Tensor, value: impl Into<Scalar>) -> Tensor {
    no_grad(|| tensor.fill_(value))
}

/// Fills a tensor with ones.
pub fn ones_(tensor: &Tensor) -> Tensor {
    constant_(tensor, 1)
}

/// Fills a tensor with zeros.
pub fn zeros_(tensor: &Tensor) -> Tensor {
    constant_(tensor, 0)
}

/// Makes a matrix the identity: ones on the diagonal, zeros elsewhere.
///
/// ```
/// use tape::{DType, Tensor};
///
/// let w = nn::init::eye_(&Tensor::empty([2, 3], DType::F32));
/// assert_eq!(w.to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
/// ```
///
/// # Panics
/// If the tensor has not two dimensions.
#[track_caller]
pub fn eye_(tensor: &Tensor) -> Tensor {
    assert!(
        tensor.dim() == 2,
        "eye_: Only tensors with 2 dimensions are supported, but the shape is {:?}",
        tensor.sizes()
    );
    let columns = tensor.sizes()[1];
    fill_from(tensor, |ones| {
        (0..tensor.sizes()[0].min(columns)).for_each(|i| ones[i * columns + i] = 1.0);
    })
}

/// Makes the kernel of a convolution hand its input on: within each group the output channel `d` copies the
/// input channel `d`, as far as there are both. The kernel has shape `[out, in / groups, ..]`.
///
/// ```
/// use tape::{DType, Tensor};
///
/// let kernel = nn::init::dirac_(&Tensor::empty([1, 2, 3], DType::F32), 1);
/// assert_eq!(kernel.to_vec::<f32>(), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
/// ```
///
/// # Panics
/// If the tensor has not three to five dimensions, or `groups` does not divide its first.
#[track_caller]
pub fn dirac_(tensor: &Tensor, groups: usize) -> Tensor {
    let shape = tensor.sizes();
    assert!(
        (3..=5).contains(&shape.len()),
        "dirac_: Only tensors with 3, 4, or 5 dimensions are supported, but the shape is {shape:?}"
    );
    assert!(
        groups > 0 && shape[0].is_multiple_of(groups),
        "dirac_: dim 0 must be divisible by groups, but the shape is {shape:?} and groups is {groups}"
    );
    let per_group = shape[0] / groups;
    let kernel: usize = shape[2..].iter().product();
    let middle = shape[2..].iter().fold(0, |at, &size| at * size + size / 2);
    fill_from(tensor, |ones| {
        for out in (0..shape[0]).filter(|out| out % per_group < shape[1] && kernel > 0) {
            ones[(out * shape[1] + out % per_group) * kernel + middle] = 1.0;
        }
    })
}

/// Overwrites a tensor by what `write` makes of zeros, given in row-major order.
fn fill_from(tensor: &Tensor, write: impl FnOnce(&mut [f64])) -> Tensor {
    let mut values = vec![0.0; tensor.numel()];
    write(&mut values);
    no_grad(|| tensor.copy_(&Tensor::from_vec(values, tensor.sizes())))
}

/// Panics unless parameters of this dtype can have gradients.
#[track_caller]
pub(crate) fn check_dtype(layer: &str, parameters: &str, dtype: DType) {
    assert!(
        dtype.is_floating_point(),
        "{layer}: {parameters} must be floating point to have gradients, but dtype is {dtype}; use DType::F32 or \
         DType::F64"
    );
}
