//! Pooling: the largest element, or the average, of every window.

use super::convolution::{check_ranks, per_dim};
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::pool::{Span, max_pool};
use crate::kernel::resample::Taps;
use crate::shape::{Dims, Ints};
use crate::storage::build;
use crate::{DType, Tensor};

/// How a pooling window moves, with torch's names and defaults. One number serves all dimensions.
///
/// ```
/// # use tape::{DType, PoolOptions, Tensor};
/// let x = Tensor::ones([1, 3, 8, 8], DType::F32);
/// assert_eq!(x.max_pool2d(PoolOptions::new(2)).shape(), [1, 3, 4, 4]);
/// assert_eq!(x.max_pool2d(PoolOptions::new([3, 2]).stride(1).padding([1, 0])).shape(), [1, 3, 8, 7]);
/// ```
#[derive(Clone, Debug)]
pub struct PoolOptions {
    pub(super) kernel: Ints,
    stride: Option<Ints>,
    pub(super) padding: Ints,
    pub(super) dilation: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
}

impl PoolOptions {
    /// Windows of size `kernel` next to each other.
    pub fn new(kernel: impl Into<Ints>) -> PoolOptions {
        PoolOptions {
            kernel: kernel.into(),
            stride: None,
            padding: 0.into(),
            dilation: 1.into(),
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// By how much the window moves from one output element to the next; by default its own size
    /// ([`im2col`](Tensor::im2col) and [`col2im`](Tensor::col2im): 1).
    pub fn stride(mut self, stride: impl Into<Ints>) -> Self {
        self.stride = Some(stride.into());
        self
    }

    /// How far the first and the last windows may hang over the edge; at most half of a window.
    pub fn padding(mut self, padding: impl Into<Ints>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The distance of the elements that one window sees; averages take 1 only.
    pub fn dilation(mut self, dilation: impl Into<Ints>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// Whether what is left behind the last whole window gets a window too.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Whether averages count the padding, as zeros; torch's default is that they do.
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }

    /// The stride, or what it is if none was named.
    pub(super) fn stride_or(&self, default: impl Into<Ints>) -> Ints {
        self.stride.clone().unwrap_or_else(|| default.into())
    }
}

/// The largest element of every window; its gradient goes to where that stands.
pub(crate) struct MaxPool {
    name: &'static str,
    dims: usize,
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (shape, indices) = (rule.input_shape(), rule.saved(0));
        let planes: usize = shape[..shape.len() - self.dims].iter().product();
        let plane: usize = shape[shape.len() - self.dims..].iter().product();
        let count = grad.numel() / planes.max(1);
        let flat = [planes, count];
        let zeros = || Tensor::zeros([planes, plane], grad.dtype());
        gradients![rule; zeros().scatter_add(1, &indices.reshape_to(&flat), &grad.reshape_to(&flat)).reshape_to(shape)]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        tests::max_samples()
    }
}

/// The windows along one dimension.
struct Windows {
    spans: Vec<Span>,
    /// Elements of each window, with the padding it sees.
    padded: Vec<usize>,
}

/// The windows of pooling with these options along each dimension.
#[track_caller]
fn windows(op: &str, x: &Tensor, dims: usize, options: &PoolOptions) -> Vec<Windows> {
    check_ranks(op, dims + 1..=dims + 2, x);
    let kernel = per_dim(op, "kernel_size", &options.kernel, dims, 1);
    let stride = per_dim(op, "stride", &options.stride_or(&options.kernel[..]), dims, 1);
    let padding = per_dim(op, "padding", &options.padding, dims, 0);
    let dilation = per_dim(op, "dilation", &options.dilation, dims, 1);
    let input = &x.sizes()[x.dim() - dims..];
    let mut all = Vec::new();
    for dim in 0..dims {
        let (stride, padding, dilation, size) = (stride[dim], padding[dim], dilation[dim], input[dim]);
        let extent = dilation * (kernel[dim] - 1) + 1;
        if padding > extent / 2 {
            panic!(
                "{op}: pad should be at most half of effective kernel size, but got pad={padding}, kernel_size={} and \
                 dilation={dilation}; pad the input itself for more",
                kernel[dim]
            );
        }
        let padded = size + 2 * padding;
        if padded < extent || size == 0 {
            panic!(
                "{op}: Given input size {input:?}, the windows are larger than the input: Output size is too small; the \
                 kernel spans {extent} elements of dimension {dim}"
            );
        }
        let mut count = match options.ceil_mode {
            true => (padded - extent).div_ceil(stride) + 1,
            false => (padded - extent) / stride + 1,
        };
        if (count - 1) * stride >= size + padding {
            // The last window has to start within the input or the padding before it.
            count -= 1;
        }
        let span = |o: usize| {
            let start = o * stride;
            let missing = padding.saturating_sub(start).div_ceil(dilation);
            Span {
                start: start + missing * dilation - padding,
                end: (start + extent - padding).min(size),
                step: dilation,
            }
        };
        let seen = |o: usize| (o * stride + extent).min(size + 2 * padding) - o * stride;
        all.push(Windows { spans: (0..count).map(span).collect(), padded: (0..count).map(seen).collect() });
    }
    all
}

/// The windows of adaptive pooling to `output_size` along each dimension.
#[track_caller]
fn adaptive_windows(op: &str, x: &Tensor, dims: usize, output_size: &Ints) -> Vec<Windows> {
    check_ranks(op, dims + 1..=dims + 2, x);
    let sizes = per_dim(op, "output_size", output_size, dims, -1);
    let input = &x.sizes()[x.dim() - dims..];
    if input.contains(&0) {
        panic!(
            "{op}: Expected input to have non-zero size for non-batch dimensions, but input has sizes {:?}",
            x.sizes()
        );
    }
    let along = |(&size, &wanted): (&usize, &usize)| {
        let count = if wanted == usize::MAX { size } else { wanted };
        let span = |o: usize| Span { start: o * size / count, end: ((o + 1) * size).div_ceil(count), step: 1 };
        let spans: Vec<Span> = (0..count).map(span).collect();
        let padded = spans.iter().map(|span| span.end - span.start).collect();
        Windows { spans, padded }
    };
    input.iter().zip(&sizes).map(along).collect()
}

/// The input's shape with other spatial sizes.
fn pooled_shape(x: &Tensor, windows: &[Windows]) -> Dims {
    let lead = x.dim() - windows.len();
    x.sizes()[..lead].iter().copied().chain(windows.iter().map(|windows| windows.spans.len())).collect()
}

fn largest(x: &Tensor, windows: &[Windows], name: &'static str) -> (Tensor, Tensor) {
    let shape = pooled_shape(x, windows);
    let dense = x.dense();
    let one = [Span { start: 0, end: 1, step: 1 }];
    let (rows, columns, plane): (&[Span], _, _) = match (windows, x.sizes()) {
        ([columns], [.., width]) => (&one, columns, [1, *width]),
        ([rows, columns], [.., height, width]) => (&rows.spans, columns, [*height, *width]),
        _ => unreachable!("pooling has one or two dimensions"),
    };
    let numel = shape.iter().product();
    let mut indices = vec![0i64; numel];
    let values = dispatch_float!("max_pool", x.dtype(), T => build::<T>(numel, |values| {
        if !values.is_empty() {
            dense.with::<T, _>(|x| max_pool(x.data, plane, rows, &columns.spans, (values, &mut indices)));
        }
    }));
    let indices = Tensor::from_vec(indices, &shape[..]);
    let values = Tensor::from_buffer(values, shape);
    let op = || MaxPool { name, dims: windows.len() };
    (values.record(&[x], op, |_| saves![&indices]), indices)
}

/// Sums over the windows, divided by the numbers of their elements.
fn average(x: &Tensor, windows: &[Windows], counts: &[Vec<usize>], name: &'static str) -> Tensor {
    let lead = x.dim() - windows.len();
    let mut out = x.clone();
    for (number, windows) in windows.iter().enumerate().rev() {
        let window = |span: &Span| (span.start..span.end).map(|position| (position, 1.0));
        let taps = Taps::new(x.sizes()[lead + number], windows.spans.iter().map(window));
        out = out.resample(lead + number, taps, name);
    }
    let mut divisor = Tensor::from(1.0);
    for counts in counts {
        let counts = Tensor::from(counts.iter().map(|&count| count as f64).collect::<Vec<_>>());
        divisor = divisor.unsqueeze(-1) * counts;
    }
    let first = counts.iter().all(|counts| counts.windows(2).all(|pair| pair[0] == pair[1]));
    if first && !out.sizes().contains(&0) {
        return out.div(counts.iter().map(|counts| counts[0]).product::<usize>());
    }
    out.div(divisor.to_dtype(DType::F64).to_dtype(x.dtype()))
}

#[track_caller]
fn avg_pool(op: &str, x: &Tensor, dims: usize, options: &PoolOptions, name: &'static str) -> Tensor {
    if options.dilation.iter().any(|&dilation| dilation != 1) {
        panic!("{op}: averages take no dilation, but got {:?}; leave it at 1", &options.dilation[..]);
    }
    let windows = windows(op, x, dims, options);
    let counts = |windows: &Windows| match options.count_include_pad {
        true => windows.padded.clone(),
        false => windows.spans.iter().map(|span| span.end - span.start).collect(),
    };
    let counts: Vec<Vec<usize>> = windows.iter().map(counts).collect();
    average(x, &windows, &counts, name)
}

#[track_caller]
fn adaptive_avg_pool(op: &str, x: &Tensor, dims: usize, output_size: &Ints, name: &'static str) -> Tensor {
    let windows = adaptive_windows(op, x, dims, output_size);
    let counts: Vec<Vec<usize>> = windows.iter().map(|windows| windows.padded.clone()).collect();
    average(x, &windows, &counts, name)
}

/// Adaptive averages over any number of spatial dimensions.
#[track_caller]
pub(super) fn area(x: &Tensor, sizes: &Ints) -> Tensor {
    adaptive_avg_pool("interpolate", x, x.dim() - 2, sizes, "AdaptiveAvgPool2DBackward0")
}

impl Tensor {
    /// The largest element of every window of `[.., l]`, where the dimensions before are channels or batch
    /// and channels. See [`max_pool2d`](Tensor::max_pool2d).
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 5.0, 4.0]]);
    /// assert_eq!(x.max_pool1d(PoolOptions::new(2)).to_vec::<f64>(), [3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool1d(&self, options: PoolOptions) -> Tensor {
        self.max_pool1d_with_indices(options).0
    }

    /// [`max_pool1d`](Tensor::max_pool1d), and the position of each maximum in its row (`I64`).
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool1d_with_indices(&self, options: PoolOptions) -> (Tensor, Tensor) {
        largest(self, &windows("max_pool1d", self, 1, &options), "MaxPool2DWithIndicesBackward0")
    }

    /// The largest element of every window of images `[n, c, h, w]` or one image `[c, h, w]`. Windows over
    /// the edge see what exists; NaN is larger than everything. The gradient goes to the first of equal
    /// elements.
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 4, 4]);
    /// assert_eq!(x.max_pool2d(PoolOptions::new(2)).to_vec::<f64>(), [5.0, 7.0, 13.0, 15.0]);
    /// ```
    ///
    /// # Panics
    /// If the options do not fit the shape, the padding is more than half of a window, or the dtype is not
    /// floating point.
    #[track_caller]
    pub fn max_pool2d(&self, options: PoolOptions) -> Tensor {
        self.max_pool2d_with_indices(options).0
    }

    /// [`max_pool2d`](Tensor::max_pool2d), and the position of each maximum in its image, counted row by row
    /// (`I64`).
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::from([[[1.0, 2.0], [4.0, 3.0]]]);
    /// let (values, indices) = x.max_pool2d_with_indices(PoolOptions::new(2));
    /// assert_eq!((values.item(), indices.item_as::<i64>()), (4.0, 2));
    /// ```
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, options: PoolOptions) -> (Tensor, Tensor) {
        largest(self, &windows("max_pool2d", self, 2, &options), "MaxPool2DWithIndicesBackward0")
    }

    /// The average of every window of `[n, c, l]` or `[c, l]`; see [`avg_pool2d`](Tensor::avg_pool2d).
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 6.0]]);
    /// assert_eq!(x.avg_pool1d(PoolOptions::new(2)).to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As [`avg_pool2d`](Tensor::avg_pool2d).
    #[track_caller]
    pub fn avg_pool1d(&self, options: PoolOptions) -> Tensor {
        avg_pool("avg_pool1d", self, 1, &options, "AvgPool2DBackward0")
    }

    /// The average of every window of images `[n, c, h, w]` or one image `[c, h, w]`; padding counts as
    /// zeros unless [`count_include_pad`](PoolOptions::count_include_pad) is false.
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 4, 4]);
    /// assert_eq!(x.avg_pool2d(PoolOptions::new(2)).to_vec::<f64>(), [2.5, 4.5, 10.5, 12.5]);
    /// ```
    ///
    /// # Panics
    /// If the options do not fit the shape, the padding is more than half of a window, there is a dilation,
    /// or the dtype is not floating point.
    #[track_caller]
    pub fn avg_pool2d(&self, options: PoolOptions) -> Tensor {
        avg_pool("avg_pool2d", self, 2, &options, "AvgPool2DBackward0")
    }

    /// Averages of `[n, c, l]` or `[c, l]` over `output_size` windows of as equal size as possible; see
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 6.0]]);
    /// assert_eq!(x.adaptive_avg_pool1d(2).to_vec::<f64>(), [1.5, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, output_size: impl Into<Ints>) -> Tensor {
        adaptive_avg_pool("adaptive_avg_pool1d", self, 1, &output_size.into(), "AdaptiveAvgPool2DBackward0")
    }

    /// Averages of images `[n, c, h, w]` or `[c, h, w]` over `output_size` windows in each direction: window
    /// `o` of `m` over `n` elements reaches from `o * n / m`, rounded down, to `(o + 1) * n / m`, rounded up.
    /// A size of -1 is the input's own.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 4, 4]);
    /// assert_eq!(x.adaptive_avg_pool2d(1).to_vec::<f64>(), [7.5]);
    /// assert_eq!(x.adaptive_avg_pool2d([1, -1]).to_vec::<f64>(), [6.0, 7.0, 8.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has other dimensions or an empty image, or the dtype is not floating point.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, output_size: impl Into<Ints>) -> Tensor {
        adaptive_avg_pool("adaptive_avg_pool2d", self, 2, &output_size.into(), "AdaptiveAvgPool2DBackward0")
    }

    /// The largest elements of the windows of [`adaptive_avg_pool1d`](Tensor::adaptive_avg_pool1d).
    ///
    /// # Panics
    /// As [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, output_size: impl Into<Ints>) -> Tensor {
        let windows = adaptive_windows("adaptive_max_pool1d", self, 1, &output_size.into());
        largest(self, &windows, "AdaptiveMaxPool2DBackward0").0
    }

    /// The largest elements of the windows of [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::arange(0.0, 15.0, 1.0).reshape([1, 3, 5]);
    /// assert_eq!(x.adaptive_max_pool2d([1, 2]).to_vec::<f64>(), [12.0, 14.0]);
    /// ```
    ///
    /// # Panics
    /// As [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, output_size: impl Into<Ints>) -> Tensor {
        let windows = adaptive_windows("adaptive_max_pool2d", self, 2, &output_size.into());
        largest(self, &windows, "AdaptiveMaxPool2DBackward0").0
    }
}

#[cfg(test)]
mod tests;
