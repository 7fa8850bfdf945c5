//! Convolution, pooling, and the windows themselves.

use super::methods;
use tape::{ConvOptions, Ints, PoolOptions, Tensor};

methods! {
    /// The convolution of lines `[n, c, l]` with a weight `[f, c / groups, k]`: [`Tensor::conv1d`].
    ///
    /// ```
    /// use nn::ConvOptions;
    /// use nn::functional::{conv1d, conv_transpose1d};
    /// use tape::Tensor;
    ///
    /// let (x, weight) = (Tensor::from([[[1.0, 2.0, 4.0, 8.0]]]), Tensor::from([[[1.0, -1.0]]]));
    /// assert_eq!(conv1d(&x, &weight, None, ConvOptions::new()).to_vec::<f64>(), [-1.0, -2.0, -4.0]);
    /// let larger = conv_transpose1d(&x, &weight, None, ConvOptions::new().stride(2));
    /// assert_eq!(larger.to_vec::<f64>(), [1.0, -1.0, 2.0, -2.0, 4.0, -4.0, 8.0, -8.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes, dtypes or options do not fit each other.
    fn conv1d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv1d;

    /// The convolution of images `[n, c, h, w]` with a weight `[f, c / groups, kh, kw]`: [`Tensor::conv2d`].
    ///
    /// # Panics
    /// As [`conv1d`].
    fn conv2d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv2d;

    /// The convolution of volumes `[n, c, d, h, w]` with a weight `[f, c / groups, kd, kh, kw]`:
    /// [`Tensor::conv3d`].
    ///
    /// # Panics
    /// As [`conv1d`].
    fn conv3d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv3d;

    /// The transposed convolution of lines `[n, c, l]` with a weight `[c, f / groups, k]`:
    /// [`Tensor::conv_transpose1d`].
    ///
    /// # Panics
    /// As [`conv1d`].
    fn conv_transpose1d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv_transpose1d;

    /// The transposed convolution of images `[n, c, h, w]` with a weight `[c, f / groups, kh, kw]`:
    /// [`Tensor::conv_transpose2d`].
    ///
    /// # Panics
    /// As [`conv1d`].
    fn conv_transpose2d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv_transpose2d;

    /// The transposed convolution of volumes `[n, c, d, h, w]` with a weight `[c, f / groups, kd, kh, kw]`:
    /// [`Tensor::conv_transpose3d`].
    ///
    /// # Panics
    /// As [`conv1d`].
    fn conv_transpose3d(input, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) = conv_transpose3d;

    /// The largest element of every window of a line: [`Tensor::max_pool1d`].
    ///
    /// ```
    /// use nn::PoolOptions;
    /// use nn::functional::{adaptive_avg_pool1d, avg_pool1d, max_pool1d, max_pool1d_with_indices};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 6.0]]);
    /// assert_eq!(max_pool1d(&x, PoolOptions::new(2)).to_vec::<f64>(), [3.0, 6.0]);
    /// assert_eq!(max_pool1d_with_indices(&x, PoolOptions::new(2)).1.to_vec::<i64>(), [1, 3]);
    /// assert_eq!(avg_pool1d(&x, PoolOptions::new(2)).to_vec::<f64>(), [2.0, 4.0]);
    /// assert_eq!(adaptive_avg_pool1d(&x, 1).to_vec::<f64>(), [3.0]);
    /// ```
    ///
    /// # Panics
    /// If the options do not fit the shape.
    fn max_pool1d(input, options: PoolOptions) = max_pool1d;

    /// The largest element of every window of an image: [`Tensor::max_pool2d`].
    ///
    /// # Panics
    /// As [`max_pool1d`].
    fn max_pool2d(input, options: PoolOptions) = max_pool2d;

    /// The average of every window of a line: [`Tensor::avg_pool1d`].
    ///
    /// # Panics
    /// As [`max_pool1d`].
    fn avg_pool1d(input, options: PoolOptions) = avg_pool1d;

    /// The average of every window of an image: [`Tensor::avg_pool2d`].
    ///
    /// # Panics
    /// As [`max_pool1d`].
    fn avg_pool2d(input, options: PoolOptions) = avg_pool2d;

    /// Averages over as many windows of a line as are wanted: [`Tensor::adaptive_avg_pool1d`].
    ///
    /// # Panics
    /// If the number of dimensions is another, or one of them is empty.
    fn adaptive_avg_pool1d(input, output_size: impl Into<Ints>) = adaptive_avg_pool1d;

    /// Averages over as many windows of an image as are wanted: [`Tensor::adaptive_avg_pool2d`].
    ///
    /// # Panics
    /// As [`adaptive_avg_pool1d`].
    fn adaptive_avg_pool2d(input, output_size: impl Into<Ints>) = adaptive_avg_pool2d;

    /// The largest elements of as many windows of a line as are wanted: [`Tensor::adaptive_max_pool1d`].
    ///
    /// # Panics
    /// As [`adaptive_avg_pool1d`].
    fn adaptive_max_pool1d(input, output_size: impl Into<Ints>) = adaptive_max_pool1d;

    /// The largest elements of as many windows of an image as are wanted: [`Tensor::adaptive_max_pool2d`].
    ///
    /// # Panics
    /// As [`adaptive_avg_pool1d`].
    fn adaptive_max_pool2d(input, output_size: impl Into<Ints>) = adaptive_max_pool2d;

    /// The windows of images as columns: [`Tensor::im2col`], with a stride of 1 unless one is named.
    ///
    /// ```
    /// use nn::PoolOptions;
    /// use nn::functional::{fold, unfold};
    /// use tape::{DType, Tensor};
    ///
    /// let columns = unfold(&Tensor::ones([1, 1, 3, 3], DType::F64), PoolOptions::new(2));
    /// assert_eq!(columns.shape(), [1, 4, 4]);
    /// let seen = fold(&columns, 3, PoolOptions::new(2));
    /// assert_eq!(seen.to_vec::<f64>(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the windows are larger than the padded image.
    fn unfold(input, options: PoolOptions) = im2col;

    /// Images from columns, the sum of what their windows hold: [`Tensor::col2im`].
    ///
    /// # Panics
    /// If the columns are not those of such windows.
    fn fold(input, output_size: impl Into<Ints>, options: PoolOptions) = col2im;
}

/// The largest elements, and their positions in the line: [`Tensor::max_pool1d_with_indices`].
///
/// # Panics
/// As [`max_pool1d`].
#[track_caller]
pub fn max_pool1d_with_indices(input: &Tensor, options: PoolOptions) -> (Tensor, Tensor) {
    input.max_pool1d_with_indices(options)
}

/// The largest elements, and their positions in the image, row by row: [`Tensor::max_pool2d_with_indices`].
///
/// # Panics
/// As [`max_pool1d`].
#[track_caller]
pub fn max_pool2d_with_indices(input: &Tensor, options: PoolOptions) -> (Tensor, Tensor) {
    input.max_pool2d_with_indices(options)
}
