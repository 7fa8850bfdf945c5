//! Pooling and resizing as modules.

use crate::Module;
use crate::module::{boxed_copy, deep_copy};
use tape::{Interpolate, Ints, PoolOptions, Tensor};

/// The largest element of every window of images `[n, c, h, w]`, as `torch.nn.MaxPool2d`: [`Tensor::max_pool2d`].
///
/// ```
/// use nn::{MaxPool2d, Module};
/// use tape::{DType, Tensor};
///
/// let images = Tensor::zeros([8, 3, 28, 28], DType::F32);
/// assert_eq!(MaxPool2d::new(2).forward(&images).shape(), [8, 3, 14, 14]);
/// assert_eq!(MaxPool2d::new(3).stride(2).padding(1).forward(&images).shape(), [8, 3, 14, 14]);
/// ```
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    options: PoolOptions,
}

/// The average of every window of images `[n, c, h, w]`, as `torch.nn.AvgPool2d`: [`Tensor::avg_pool2d`].
///
/// ```
/// use nn::{AvgPool2d, Module};
/// use tape::Tensor;
///
/// let image = Tensor::from([[[1.0, 3.0], [5.0, 7.0]]]);
/// assert_eq!(AvgPool2d::new(2).forward(&image).to_vec::<f64>(), [4.0]);
/// let corners = AvgPool2d::new(2).padding(1).count_include_pad(false);
/// assert_eq!(corners.forward(&image).to_vec::<f64>(), [1.0, 3.0, 5.0, 7.0]);
/// ```
#[derive(Clone, Debug)]
pub struct AvgPool2d {
    options: PoolOptions,
}

/// Averages over as many windows of images `[n, c, h, w]` as are wanted, as `torch.nn.AdaptiveAvgPool2d`:
/// [`Tensor::adaptive_avg_pool2d`].
///
/// ```
/// use nn::{AdaptiveAvgPool2d, Module};
/// use tape::{DType, Tensor};
///
/// let images = Tensor::zeros([8, 3, 28, 20], DType::F32);
/// assert_eq!(AdaptiveAvgPool2d::new(1).forward(&images).shape(), [8, 3, 1, 1]);
/// assert_eq!(AdaptiveAvgPool2d::new([7, -1]).forward(&images).shape(), [8, 3, 7, 20]);
/// ```
#[derive(Clone, Debug)]
pub struct AdaptiveAvgPool2d {
    output_size: Ints,
}

/// Lines, images or volumes of another size, as `torch.nn.Upsample`: [`Tensor::interpolate`].
///
/// ```
/// use nn::{Interpolate, InterpolateMode, Module, Upsample};
/// use tape::{DType, Tensor};
///
/// let images = Tensor::zeros([8, 3, 14, 14], DType::F32);
/// assert_eq!(Upsample::new(Interpolate::scale(2)).forward(&images).shape(), [8, 3, 28, 28]);
/// let smooth = Upsample::new(Interpolate::size([20, 30]).mode(InterpolateMode::Bilinear));
/// assert_eq!(smooth.forward(&images).shape(), [8, 3, 20, 30]);
/// ```
#[derive(Clone, Debug)]
pub struct Upsample {
    options: Interpolate,
}

deep_copy! {
    MaxPool2d { options }
    AvgPool2d { options }
    AdaptiveAvgPool2d { output_size }
    Upsample { options }
}

/// Declares options that are those of [`PoolOptions`].
macro_rules! pool_options {
    ($($layer:ident { $($(#[$doc:meta])* $option:ident: $type:ty),* $(,)? })*) => {
        $(impl $layer {
            /// Windows of this size next to each other; one number serves both directions.
            pub fn new(kernel_size: impl Into<Ints>) -> $layer {
                $layer { options: PoolOptions::new(kernel_size) }
            }

            $($(#[$doc])*
            #[must_use]
            pub fn $option(mut self, $option: impl Into<$type>) -> $layer {
                self.options = self.options.$option($option.into());
                self
            })*
        })*
    };
}

pool_options! {
    MaxPool2d {
        /// By how much the window moves (default: its own size).
        stride: Ints,
        /// How far windows may hang over the edges (default: 0).
        padding: Ints,
        /// The distance of the elements that one window sees (default: 1).
        dilation: Ints,
        /// Whether what is left behind the last whole window gets a window too (default: no).
        ceil_mode: bool,
    }
    AvgPool2d {
        /// By how much the window moves (default: its own size).
        stride: Ints,
        /// How far windows may hang over the edges (default: 0).
        padding: Ints,
        /// Whether what is left behind the last whole window gets a window too (default: no).
        ceil_mode: bool,
        /// Whether averages count the padding, as zeros (default: yes).
        count_include_pad: bool,
    }
}

impl AdaptiveAvgPool2d {
    /// Averages that make images of this size; one number serves both directions, and -1 leaves a size as it is.
    pub fn new(output_size: impl Into<Ints>) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d { output_size: output_size.into() }
    }
}

impl Upsample {
    /// Resizes as the options say.
    pub fn new(options: Interpolate) -> Upsample {
        Upsample { options }
    }
}

impl Module for MaxPool2d {
    /// # Panics
    /// If the options do not fit the shape.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.max_pool2d(self.options.clone())
    }

    boxed_copy!();
}

impl Module for AvgPool2d {
    /// # Panics
    /// If the options do not fit the shape, or the input is not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.avg_pool2d(self.options.clone())
    }

    boxed_copy!();
}

impl Module for AdaptiveAvgPool2d {
    /// # Panics
    /// If the input is no image or an empty one, or not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.adaptive_avg_pool2d(self.output_size.clone())
    }

    boxed_copy!();
}

impl Module for Upsample {
    /// # Panics
    /// If the options do not fit the shape, or the input is not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.interpolate(self.options.clone())
    }

    boxed_copy!();
}
