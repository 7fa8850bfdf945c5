//! Convolutions, pools, resizing, normalization, embedding, attention.

use crate::registry::{Call, float, integers};
use serde_json::Value as Json;
use wolfe::prelude::*;
use wolfe::tape::{ConvOptions, GridMode, GridPadding, GridSample, Interpolate, InterpolateMode, PoolOptions};

operations! {
    "conv1d" => |c| c.x(0).conv1d(c.x(1), c.optional(2), convolution(c));
    "conv2d" => |c| c.x(0).conv2d(c.x(1), c.optional(2), convolution(c));
    "conv3d" => |c| c.x(0).conv3d(c.x(1), c.optional(2), convolution(c));
    "conv_transpose1d" => |c| c.x(0).conv_transpose1d(c.x(1), c.optional(2), convolution(c));
    "conv_transpose2d" => |c| c.x(0).conv_transpose2d(c.x(1), c.optional(2), convolution(c));
    "conv_transpose3d" => |c| c.x(0).conv_transpose3d(c.x(1), c.optional(2), convolution(c));
    "max_pool1d" => |c| c.x(0).max_pool1d(pool(c, 0));
    "max_pool2d" => |c| c.x(0).max_pool2d(pool(c, 0));
    "max_pool1d_with_indices" => |c| c.x(0).max_pool1d_with_indices(pool(c, 0));
    "max_pool2d_with_indices" => |c| c.x(0).max_pool2d_with_indices(pool(c, 0));
    "avg_pool1d" => |c| c.x(0).avg_pool1d(pool(c, 0));
    "avg_pool2d" => |c| c.x(0).avg_pool2d(pool(c, 0));
    "adaptive_avg_pool1d" => |c| c.x(0).adaptive_avg_pool1d(c.ints(0));
    "adaptive_avg_pool2d" => |c| c.x(0).adaptive_avg_pool2d(c.ints(0));
    "adaptive_max_pool1d" => |c| c.x(0).adaptive_max_pool1d(c.ints(0));
    "adaptive_max_pool2d" => |c| c.x(0).adaptive_max_pool2d(c.ints(0));
    "interpolate" => |c| c.x(0).interpolate(resizing(c.argument(0)));
    "im2col" => |c| c.x(0).im2col(pool(c, 0));
    "col2im" => |c| c.x(0).col2im(c.ints(0), pool(c, 1));
    "pixel_shuffle" => |c| c.x(0).pixel_shuffle(c.size(0));
    "pixel_unshuffle" => |c| c.x(0).pixel_unshuffle(c.size(0));
    "grid_sample" => |c| c.x(0).grid_sample(c.x(1), sampling(c));
    "affine_grid" => |c| Tensor::affine_grid(c.x(0), c.ints(0), c.flag(1));
    "layer_norm" => |c| c.x(0).layer_norm(c.ints(0), c.optional(1), c.optional(2), c.f(1));
    "rms_norm" => |c| c.x(0).rms_norm(c.ints(0), c.optional(1), c.f(1));
    "group_norm" => |c| c.x(0).group_norm(c.size(0), c.optional(1), c.optional(2), c.f(1));
    "instance_norm" => |c| c.x(0).instance_norm(c.optional(1), c.optional(2), c.f(0));
    "batch_norm" => |c| {
        let (mean, variance) = (c.x(1).copy(), c.x(2).copy());
        let (training, momentum, eps) = (c.flag(0), c.f(1), c.f(2));
        let y = c.x(0).batch_norm(Some(&mean), Some(&variance), c.optional(3), c.optional(4), training, momentum, eps);
        (y, mean, variance)
    };
    "batch_norm_plain" => |c| c.x(0).batch_norm(None, None, None, None, true, 0.1, c.f(0));
    "embedding" => |c| Tensor::embedding(c.x(0), c.x(1));
    "dropout" => |c| c.x(0).dropout(c.f(0), c.flag(1));
    "scaled_dot_product_attention" => |c| {
        Tensor::scaled_dot_product_attention(c.x(0), c.x(1), c.x(2), c.optional(3), c.flag(0))
    };
}

/// The options of a case, by name.
fn options(value: &Json) -> impl Iterator<Item = (&str, &Json)> {
    value.as_object().expect("options by name").iter().map(|(name, value)| (name.as_str(), value))
}

fn convolution(c: &Call) -> ConvOptions {
    options(c.argument(0)).fold(ConvOptions::new(), |all, (name, value)| match name {
        "stride" => all.stride(integers(value)),
        "padding" if value == "same" => all.padding_same(),
        "padding" => all.padding(integers(value)),
        "dilation" => all.dilation(integers(value)),
        "output_padding" => all.output_padding(integers(value)),
        "groups" => all.groups(float(value) as usize),
        other => panic!("no such option of a convolution: {other}"),
    })
}

/// The window in argument number `k`, its options in the next one.
fn pool(c: &Call, k: usize) -> PoolOptions {
    options(c.argument(k + 1)).fold(PoolOptions::new(c.ints(k)), |all, (name, value)| match name {
        "stride" => all.stride(integers(value)),
        "padding" => all.padding(integers(value)),
        "dilation" => all.dilation(integers(value)),
        "ceil_mode" => all.ceil_mode(value == true),
        "count_include_pad" => all.count_include_pad(value == true),
        other => panic!("no such option of a pool: {other}"),
    })
}

fn resizing(value: &Json) -> Interpolate {
    let start = match value["scale"].as_array() {
        Some(factors) => Interpolate::scale(factors.iter().map(float).collect::<Vec<_>>()),
        None => Interpolate::size(integers(&value["size"])),
    };
    let mode = match value["mode"].as_str().expect("a mode") {
        "nearest" => InterpolateMode::Nearest,
        "linear" => InterpolateMode::Linear,
        "bilinear" => InterpolateMode::Bilinear,
        "bicubic" => InterpolateMode::Bicubic,
        _ => InterpolateMode::Area,
    };
    start.mode(mode).align_corners(value["align_corners"] == true)
}

fn sampling(c: &Call) -> GridSample {
    GridSample {
        mode: match c.text(0) {
            "nearest" => GridMode::Nearest,
            _ => GridMode::Bilinear,
        },
        padding_mode: match c.text(1) {
            "border" => GridPadding::Border,
            "reflection" => GridPadding::Reflection,
            _ => GridPadding::Zeros,
        },
        align_corners: c.flag(2),
    }
}
