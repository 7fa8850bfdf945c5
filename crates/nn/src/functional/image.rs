//! Images of another size or place.

use super::methods;
use tape::{GridSample, Interpolate, Ints, PadMode, Tensor};

methods! {
    /// Lines, images or volumes of another size: [`Tensor::interpolate`].
    ///
    /// ```
    /// use nn::functional::interpolate;
    /// use nn::{Interpolate, InterpolateMode};
    /// use tape::Tensor;
    ///
    /// let line = Tensor::from([[[1.0, 3.0]]]);
    /// let longer = interpolate(&line, Interpolate::size(4).mode(InterpolateMode::Linear));
    /// assert_eq!(longer.to_vec::<f64>(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the mode does not suit the number of dimensions, or a size is not positive.
    fn interpolate(input, options: Interpolate) = interpolate;

    /// Elements added before and after, two numbers per dimension and the last dimension first: [`Tensor::pad`].
    ///
    /// ```
    /// use nn::PadMode;
    /// use nn::functional::pad;
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0, 3.0]]);
    /// assert_eq!(pad(&x, [1, 0], PadMode::Circular).to_vec::<f64>(), [3.0, 1.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the amounts do not suit the shape and the mode.
    fn pad(input, pad: impl Into<Ints>, mode: PadMode) = pad;

    /// Channels traded for resolution: [`Tensor::pixel_shuffle`].
    ///
    /// ```
    /// use nn::functional::{pixel_shuffle, pixel_unshuffle};
    /// use tape::{DType, Tensor};
    ///
    /// let x = Tensor::zeros([1, 8, 2, 3], DType::F32);
    /// let larger = pixel_shuffle(&x, 2);
    /// assert_eq!(larger.shape(), [1, 2, 4, 6]);
    /// assert_eq!(pixel_unshuffle(&larger, 2).shape(), x.shape());
    /// ```
    ///
    /// # Panics
    /// If the square of the factor does not divide the channels.
    fn pixel_shuffle(input, upscale_factor: usize) = pixel_shuffle;

    /// Resolution traded for channels, the inverse of [`pixel_shuffle`]: [`Tensor::pixel_unshuffle`].
    ///
    /// # Panics
    /// If the factor does not divide height and width.
    fn pixel_unshuffle(input, downscale_factor: usize) = pixel_unshuffle;

    /// Images read at the places that a grid names: [`Tensor::grid_sample`].
    ///
    /// ```
    /// use nn::GridSample;
    /// use nn::functional::{affine_grid, grid_sample};
    /// use tape::Tensor;
    ///
    /// let image = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let mirror = Tensor::from([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
    /// let grid = affine_grid(&mirror, image.shape(), false);
    /// assert_eq!(grid_sample(&image, &grid, GridSample::default()).to_vec::<f64>(), [2.0, 1.0, 4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    fn grid_sample(input, grid: &Tensor, options: GridSample) = grid_sample;
}

/// The grid for [`grid_sample`] that shows an image through affine maps: [`Tensor::affine_grid`].
///
/// # Panics
/// If there is not one matrix of two rows and three columns per image, or a size is not positive.
#[track_caller]
pub fn affine_grid(theta: &Tensor, size: impl Into<Ints>, align_corners: bool) -> Tensor {
    Tensor::affine_grid(theta, size, align_corners)
}
