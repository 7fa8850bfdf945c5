//! Convolutions over one, two and three dimensions, and their transposes.
//!
//! Three operations, each bilinear: the convolution itself, the gradient of its input (a transposed
//! convolution) and the gradient of its weight. The derivative of each one is made of the other two, so that
//! every order of derivative costs what a first one costs.

use crate::autograd::{Gradients, Op, Rule, gradients, save_factors};
use crate::dtype::dispatch_float;
use crate::kernel::convolution::Convolution;
use crate::kernel::window::{DIMS, Window};
use crate::shape::{Dims, Ints};
use crate::storage::build;
use crate::{DType, Tensor};
use std::ops::RangeInclusive;

/// How a convolution's window moves, with torch's names and defaults. One number serves all dimensions.
///
/// ```
/// # use tape::{ConvOptions, DType, Tensor};
/// let (x, weight) = (Tensor::ones([1, 3, 8, 8], DType::F32), Tensor::ones([5, 3, 3, 3], DType::F32));
/// let options = ConvOptions::new().stride(2).padding([1, 0]);
/// assert_eq!(x.conv2d(&weight, None, options).shape(), [1, 5, 4, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct ConvOptions {
    stride: Ints,
    padding: Option<Ints>,
    dilation: Ints,
    groups: usize,
    output_padding: Ints,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions {
            stride: 1.into(),
            padding: Some(0.into()),
            dilation: 1.into(),
            groups: 1,
            output_padding: 0.into(),
        }
    }
}

impl ConvOptions {
    /// Stride 1, no padding, dilation 1, one group.
    pub fn new() -> ConvOptions {
        ConvOptions::default()
    }

    /// By how much the window moves from one output element to the next.
    pub fn stride(mut self, stride: impl Into<Ints>) -> Self {
        self.stride = stride.into();
        self
    }

    /// How many zeros stand before and behind the input.
    pub fn padding(mut self, padding: impl Into<Ints>) -> Self {
        self.padding = Some(padding.into());
        self
    }

    /// As many zeros as give an output of the input's size, torch's `padding='same'`; of an odd number, the
    /// last one stands behind the input. For convolutions of stride 1.
    pub fn padding_same(mut self) -> Self {
        self.padding = None;
        self
    }

    /// The distance of the input elements that one window sees.
    pub fn dilation(mut self, dilation: impl Into<Ints>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// Into how many parts the channels are divided that are convolved apart from each other.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// By how much the output of a transposed convolution is larger than the smallest one that fits: of
    /// several sizes that a strided convolution maps to one, this names the right one.
    pub fn output_padding(mut self, output_padding: impl Into<Ints>) -> Self {
        self.output_padding = output_padding.into();
        self
    }
}

/// One number per spatial dimension, at least `least`.
#[track_caller]
pub(super) fn per_dim(op: &str, name: &str, values: &[isize], dims: usize, least: isize) -> Dims {
    if values.len() != 1 && values.len() != dims {
        panic!("{op}: expected {name} to be a single integer value or a list of {dims} values, but got {values:?}");
    }
    if let Some(value) = values.iter().find(|&&value| value < least) {
        let kind = if least > 0 { "non-positive" } else { "negative" };
        panic!("{op}: {kind} {name} is not supported, but got {value}; give at least {least}");
    }
    (0..dims).map(|dim| values[if values.len() == 1 { 0 } else { dim }] as usize).collect()
}

/// Sizes of the spatial dimensions as those of three dimensions.
pub(super) fn three(sizes: &[usize], fill: usize) -> [usize; DIMS] {
    let mut all = [fill; DIMS];
    all[DIMS - sizes.len()..].copy_from_slice(sizes);
    all
}

/// A convolution's sizes and the number of its spatial dimensions.
#[derive(Clone, Copy)]
struct Sizes {
    all: Convolution,
    dims: usize,
}

impl Sizes {
    fn shape(&self, lead: [usize; 2], spatial: [usize; DIMS]) -> Dims {
        lead.into_iter().chain(spatial.into_iter().skip(DIMS - self.dims)).collect()
    }

    fn input(&self) -> Dims {
        self.shape([self.all.samples, self.all.groups * self.all.channels], self.all.window.input)
    }

    fn output(&self) -> Dims {
        self.shape([self.all.samples, self.all.groups * self.all.features], self.all.window.output)
    }

    fn weight(&self) -> Dims {
        self.shape([self.all.groups * self.all.features, self.all.channels], self.all.window.kernel)
    }
}

/// `out[n, f] = bias[f] + sum over c of weight[f, c] * windows of x[n, c]`.
pub(crate) struct Convolve(Sizes);
/// The gradient of a convolution's input: linear in the output's gradient and in the weight.
pub(crate) struct ConvolveInput(Sizes);
/// The gradient of a convolution's weight: linear in the input and in the output's gradient.
pub(crate) struct ConvolveWeight(Sizes);

impl Op for Convolve {
    fn name(&self) -> &'static str {
        "ConvolutionBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let mut gradients = gradients![rule;
            convolve_input(grad, rule.right_factor(), self.0),
            convolve_weight(rule.left_factor(), grad, self.0),
        ];
        if rule.node.edges.len() == 3 {
            let others: Vec<isize> = (0..grad.dim() as isize).filter(|&dim| dim != 1).collect();
            gradients.push(rule.needs(2).then(|| grad.sum_dim(others, false)));
        }
        gradients
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        tests::samples()
    }
}

impl Op for ConvolveInput {
    fn name(&self) -> &'static str {
        "ConvolutionBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule;
            convolve(grad, rule.right_factor(), None, self.0),
            convolve_weight(grad, rule.left_factor(), self.0),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        tests::transposed_samples()
    }
}

impl Op for ConvolveWeight {
    fn name(&self) -> &'static str {
        "ConvolutionBackwardBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule;
            convolve_input(rule.right_factor(), grad, self.0),
            convolve(rule.left_factor(), grad, None, self.0),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        tests::weight_samples()
    }
}

fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, sizes: Sizes) -> Tensor {
    let (dense, weights, biases) = (x.dense(), weight.dense(), bias.map(Tensor::dense));
    let shape = sizes.output();
    let out = dispatch_float!("conv", x.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            if out.is_empty() {
                return;
            }
            match &biases {
                None => dense.with2::<T, T, _>(&weights, |x, w| sizes.all.forward(x.data, w.data, None, out)),
                Some(bias) => dense.with3::<T, T, T, _>(&weights, bias, |x, w, bias| {
                    sizes.all.forward(x.data, w.data, Some(&bias.data[..bias.numel()]), out);
                }),
            }
        });
        Tensor::from_buffer(buffer, shape)
    });
    match bias {
        Some(bias) => out.record(&[x, weight, bias], || Convolve(sizes), |_| save_factors(x, weight)),
        None => out.record(&[x, weight], || Convolve(sizes), |_| save_factors(x, weight)),
    }
}

fn convolve_input(grad: &Tensor, weight: &Tensor, sizes: Sizes) -> Tensor {
    let (grads, weights) = (grad.dense(), weight.dense());
    let shape = sizes.input();
    let out = dispatch_float!("conv_transpose", grad.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            if out.is_empty() || grads.numel() == 0 {
                return out.fill(0.0);
            }
            grads.with2::<T, T, _>(&weights, |grad, w| sizes.all.input_gradient(grad.data, w.data, out));
        });
        Tensor::from_buffer(buffer, shape)
    });
    out.record(&[grad, weight], || ConvolveInput(sizes), |_| save_factors(grad, weight))
}

fn convolve_weight(x: &Tensor, grad: &Tensor, sizes: Sizes) -> Tensor {
    let (dense, grads) = (x.dense(), grad.dense());
    let shape = sizes.weight();
    let out = dispatch_float!("conv", x.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            if out.is_empty() || grads.numel() == 0 {
                return out.fill(0.0);
            }
            dense.with2::<T, T, _>(&grads, |x, grad| sizes.all.weight_gradient(x.data, grad.data, out));
        });
        Tensor::from_buffer(buffer, shape)
    });
    out.record(&[x, grad], || ConvolveWeight(sizes), |_| save_factors(x, grad))
}

/// What a convolution was called with, after the checks that both directions share.
struct Call<'a> {
    op: &'a str,
    dims: usize,
    x: Tensor,
    batched: bool,
    weight: &'a Tensor,
    stride: Dims,
    dilation: Dims,
    groups: usize,
}

impl<'a> Call<'a> {
    #[track_caller]
    fn new(op: &'a str, dims: usize, x: &Tensor, weight: &'a Tensor, options: &ConvOptions) -> Call<'a> {
        check_ranks(op, dims + 1..=dims + 2, x);
        if weight.dim() != dims + 2 {
            panic!("{op}: expects a weight of {} dimensions, but its shape is {:?}", dims + 2, weight.sizes());
        }
        if x.dtype() != weight.dtype() {
            panic!(
                "{op}: Input type ({}) and weight type ({}) should be the same; convert one with to_dtype",
                x.dtype().short_name(),
                weight.dtype().short_name()
            );
        }
        let groups = options.groups;
        if groups == 0 || !weight.sizes()[0].is_multiple_of(groups) || weight.sizes()[0] == 0 {
            panic!(
                "{op}: Given groups={groups}, expected weight to be at least {groups} at dimension 0 and divisible by \
                 it, but got weight of size {:?} instead",
                weight.sizes()
            );
        }
        if weight.sizes()[1..].contains(&0) {
            panic!("{op}: the weight's sizes must be positive, but its shape is {:?}", weight.sizes());
        }
        let batched = x.dim() == dims + 2;
        Call {
            op,
            dims,
            x: if batched { x.clone() } else { x.unsqueeze(0) },
            batched,
            weight,
            stride: per_dim(op, "stride", &options.stride, dims, 1),
            dilation: per_dim(op, "dilation", &options.dilation, dims, 1),
            groups,
        }
    }

    /// Kernel sizes, with what lies between their places.
    fn extent(&self, dim: usize) -> usize {
        self.dilation[dim] * (self.weight.sizes()[dim + 2] - 1) + 1
    }

    fn sizes(&self, channels: usize, features: usize, [input, output, padding]: [&[usize]; 3]) -> Sizes {
        let window = Window {
            input: three(input, 1),
            output: three(output, 1),
            kernel: three(&self.weight.sizes()[2..], 1),
            stride: three(&self.stride, 1),
            padding: three(padding, 0),
            dilation: three(&self.dilation, 1),
        };
        let all = Convolution { samples: self.x.sizes()[0], groups: self.groups, channels, features, window };
        Sizes { all, dims: self.dims }
    }

    #[track_caller]
    fn check_channels(&self, expected: usize) {
        let (x, weight, groups) = (self.x.sizes(), self.weight.sizes(), self.groups);
        if x[1] != expected {
            panic!(
                "{}: Given groups={groups}, weight of size {weight:?}, expected input{x:?} to have {expected} channels, \
                 but got {} channels instead; dimension {} counts the channels",
                self.op, x[1], self.batched as usize
            );
        }
    }

    #[track_caller]
    fn check_bias(&self, bias: Option<&Tensor>, features: usize) {
        let Some(bias) = bias else { return };
        if bias.dtype() != self.x.dtype() {
            panic!(
                "{}: Input type ({}) and bias type ({}) should be the same; convert one with to_dtype",
                self.op,
                self.x.dtype().short_name(),
                bias.dtype().short_name()
            );
        }
        if bias.sizes() != [features] {
            panic!(
                "{}: Given weight of size {:?}, expected bias to be 1-dimensional with {features} elements, but got bias \
                 of size {:?} instead",
                self.op,
                self.weight.sizes(),
                bias.sizes()
            );
        }
    }

    fn finish(&self, out: Tensor) -> Tensor {
        if self.batched { out } else { out.squeeze_dim(0) }
    }
}

/// Panics unless the tensor has a batch of channels of spatial dimensions, or channels alone.
#[track_caller]
pub(super) fn check_ranks(op: &str, ranks: RangeInclusive<usize>, x: &Tensor) {
    if !ranks.contains(&x.dim()) {
        panic!(
            "{op}: Expected {}D (unbatched) or {}D (batched) input to {op}, but got input of size: {:?}; dimensions are \
             [batch, channel, space..]",
            ranks.start(),
            ranks.end(),
            x.sizes()
        );
    }
    if x.dtype() == DType::I64 || x.dtype() == DType::Bool {
        panic!("{op}: not implemented for dtype {}; convert with float() or double() first", x.dtype());
    }
}

#[track_caller]
fn conv(op: &str, dims: usize, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions) -> Tensor {
    let call = Call::new(op, dims, x, weight, options);
    let (features, channels) = (weight.sizes()[0] / call.groups, weight.sizes()[1]);
    call.check_channels(channels * call.groups);
    call.check_bias(bias, weight.sizes()[0]);
    let input = &call.x.sizes()[2..];
    let (mut output, mut padding) = (Dims::new(), Dims::new());
    match &options.padding {
        Some(wanted) => padding = per_dim(op, "padding", wanted, dims, 0),
        None if call.stride.iter().any(|&stride| stride != 1) => {
            panic!("{op}: padding='same' is not supported for strided convolutions; name the padding")
        }
        None => padding.extend((0..dims).map(|dim| (call.extent(dim) - 1) / 2)),
    }
    for dim in 0..dims {
        let behind = if options.padding.is_none() { call.extent(dim) - 1 - padding[dim] } else { padding[dim] };
        let (padded, extent) = (input[dim] + padding[dim] + behind, call.extent(dim));
        if padded < extent {
            panic!(
                "{op}: Calculated padded input size per channel: {padded} in dimension {dim}. Kernel size: {extent}. \
                 Kernel size can't be greater than actual input size (input {:?}, weight {:?}); add padding",
                x.sizes(),
                weight.sizes()
            );
        }
        output.push((padded - extent) / call.stride[dim] + 1);
    }
    call.finish(convolve(&call.x, weight, bias, call.sizes(channels, features, [input, &output, &padding])))
}

#[track_caller]
fn conv_transpose(
    op: &str,
    dims: usize,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions,
) -> Tensor {
    let call = Call::new(op, dims, x, weight, options);
    let (features, channels) = (weight.sizes()[0] / call.groups, weight.sizes()[1]);
    call.check_channels(weight.sizes()[0]);
    call.check_bias(bias, channels * call.groups);
    let Some(padding) = &options.padding else {
        panic!("{op}: padding='same' is not supported for transposed convolutions; name the padding")
    };
    let padding = per_dim(op, "padding", padding, dims, 0);
    let extra = per_dim(op, "output_padding", &options.output_padding, dims, 0);
    let from = &call.x.sizes()[2..];
    let mut to = Dims::new();
    for dim in 0..dims {
        let (stride, dilation) = (call.stride[dim], call.dilation[dim]);
        if extra[dim] >= stride.max(dilation) {
            panic!(
                "{op}: output padding must be smaller than either stride or dilation, but got output_padding {}, stride \
                 {stride} and dilation {dilation} in dimension {dim}",
                extra[dim]
            );
        }
        let full = from[dim].saturating_sub(1) * stride + call.extent(dim) + extra[dim];
        if full <= 2 * padding[dim] {
            panic!(
                "{op}: Given input size per channel: {from:?}. Calculated output size per channel: {} in dimension \
                 {dim}. Output size is too small; use less padding",
                full as isize - 2 * padding[dim] as isize
            );
        }
        to.push(full - 2 * padding[dim]);
    }
    let out = convolve_input(&call.x, weight, call.sizes(channels, features, [&to, from, &padding]));
    let out = match bias {
        Some(bias) => {
            let mut shape = Dims::from_elem(1, dims + 1);
            shape[0] = bias.numel();
            out.add(bias.reshape_to(&shape))
        }
        None => out,
    };
    call.finish(out)
}

macro_rules! convolutions {
    ($($(#[$doc:meta])* fn $method:ident: $function:ident, $dims:literal;)+) => {
        impl Tensor {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) -> Tensor {
                $function(stringify!($method), $dims, self, weight, bias, &options)
            }
        )+}
    };
}

convolutions! {
    /// The convolution of `[n, c, l]` (or `[c, l]`) with a weight `[f, c / groups, k]`, plus a bias `[f]`;
    /// see [`conv2d`](Tensor::conv2d).
    ///
    /// ```
    /// # use tape::{ConvOptions, Tensor};
    /// let (x, weight) = (Tensor::from([[1.0, 2.0, 4.0, 8.0]]), Tensor::from([[[1.0, -1.0]]]));
    /// assert_eq!(x.conv1d(&weight, None, ConvOptions::new()).to_vec::<f64>(), [-1.0, -2.0, -4.0]);
    /// ```
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d).
    fn conv1d: conv, 1;

    /// The convolution (without a flip, as everywhere in machine learning) of images `[n, c, h, w]`, or one
    /// image `[c, h, w]`, with a weight `[f, c / groups, kh, kw]`:
    /// `out[n, f, y, x] = bias[f] + sum over c, i, j of weight[f, c, i, j] * self[n, c, y * stride - padding +
    /// i * dilation, x * ..]`, zero beyond the edges. With `groups`, each part of the features sees its part of
    /// the channels. The output's height is `(h + 2 * padding - dilation * (kh - 1) - 1) / stride + 1`,
    /// rounded down.
    ///
    /// ```
    /// # use tape::{ConvOptions, DType, Tensor};
    /// let image = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 4, 4]);
    /// let edges = Tensor::from([[[[-1.0, 1.0]]]]);
    /// assert_eq!(image.conv2d(&edges, None, ConvOptions::new()).to_vec::<f64>(), [1.0; 12]);
    /// let same = image.conv2d(&Tensor::ones([2, 1, 3, 3], DType::F64), None, ConvOptions::new().padding_same());
    /// assert_eq!(same.shape(), [1, 2, 4, 4]);
    /// ```
    ///
    /// # Panics
    /// If shapes, dtypes or options do not fit each other, or the dtype is not floating point.
    fn conv2d: conv, 2;

    /// The convolution of `[n, c, d, h, w]` (or `[c, d, h, w]`) with a weight `[f, c / groups, kd, kh, kw]`,
    /// plus a bias `[f]`; see [`conv2d`](Tensor::conv2d).
    ///
    /// ```
    /// # use tape::{ConvOptions, DType, Tensor};
    /// let (x, weight) = (Tensor::ones([1, 2, 4, 5, 6], DType::F32), Tensor::ones([3, 2, 2, 2, 2], DType::F32));
    /// assert_eq!(x.conv3d(&weight, None, ConvOptions::new()).shape(), [1, 3, 3, 4, 5]);
    /// ```
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d).
    fn conv3d: conv, 3;

    /// The transposed convolution of `[n, c, l]` (or `[c, l]`) with a weight `[c, f / groups, k]`, plus a bias
    /// `[f]`; see [`conv_transpose2d`](Tensor::conv_transpose2d).
    ///
    /// ```
    /// # use tape::{ConvOptions, Tensor};
    /// let (x, weight) = (Tensor::from([[1.0, 10.0]]), Tensor::from([[[1.0, 2.0, 3.0]]]));
    /// let y = x.conv_transpose1d(&weight, None, ConvOptions::new().stride(2));
    /// assert_eq!(y.to_vec::<f64>(), [1.0, 2.0, 13.0, 20.0, 30.0]);
    /// ```
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Tensor::conv_transpose2d).
    fn conv_transpose1d: conv_transpose, 1;

    /// The transposed convolution of images `[n, c, h, w]` (or `[c, h, w]`) with a weight
    /// `[c, f / groups, kh, kw]`, plus a bias `[f]`: the gradient of the input of a
    /// [`conv2d`](Tensor::conv2d) with the same weight and options. Every input element adds its multiple of
    /// the weight to the output around `position * stride - padding`. The output's height is
    /// `(h - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1`.
    ///
    /// ```
    /// # use tape::{ConvOptions, DType, Tensor};
    /// let (x, weight) = (Tensor::ones([1, 3, 4, 4], DType::F32), Tensor::ones([3, 2, 2, 2], DType::F32));
    /// assert_eq!(x.conv_transpose2d(&weight, None, ConvOptions::new().stride(2)).shape(), [1, 2, 8, 8]);
    /// ```
    ///
    /// # Panics
    /// If shapes, dtypes or options do not fit each other, or the dtype is not floating point.
    fn conv_transpose2d: conv_transpose, 2;

    /// The transposed convolution of `[n, c, d, h, w]` (or `[c, d, h, w]`) with a weight
    /// `[c, f / groups, kd, kh, kw]`, plus a bias `[f]`; see [`conv_transpose2d`](Tensor::conv_transpose2d).
    ///
    /// ```
    /// # use tape::{ConvOptions, DType, Tensor};
    /// let (x, weight) = (Tensor::ones([3, 2, 2, 2], DType::F32), Tensor::ones([3, 1, 2, 2, 2], DType::F32));
    /// assert_eq!(x.conv_transpose3d(&weight, None, ConvOptions::new()).shape(), [1, 3, 3, 3]);
    /// ```
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Tensor::conv_transpose2d).
    fn conv_transpose3d: conv_transpose, 3;
}

#[cfg(test)]
mod tests;
