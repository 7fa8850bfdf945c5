//! Windows as columns and back, and the exchange of channels for resolution.

use super::convolution::{check_ranks, per_dim, three};
use super::pool::PoolOptions;
use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::window::Window;
use crate::shape::{Dims, Ints};
use crate::storage::build;

/// The contents of every window as a column. Adjoint of [`FoldColumns`].
pub(crate) struct LowerWindows(Window);
/// Columns added up where windows saw the elements. Adjoint of [`LowerWindows`].
pub(crate) struct FoldColumns(Window);

impl Op for LowerWindows {
    fn name(&self) -> &'static str {
        "Im2ColBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; raise(grad, self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 2, 3, 4], -1.0, 1.0)], |x| {
                x[0].im2col(PoolOptions::new([2, 3]).stride(1).padding([0, 1])).pow(2.0)
            }),
            Sample::new([spread(&[4, 2, 3], -1.0, 1.0)], |x| {
                x[0].transpose(0, 2).im2col(PoolOptions::new(2).dilation([1, 2]))
            }),
            Sample::new([spread(&[0, 1, 3, 3], -1.0, 1.0)], |x| x[0].im2col(PoolOptions::new(2))),
        ]
    }
}

impl Op for FoldColumns {
    fn name(&self) -> &'static str {
        "Col2ImBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; lower(grad, self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 8, 6], -1.0, 1.0)], |x| x[0].col2im([3, 4], PoolOptions::new(2)).pow(2.0)),
            Sample::new([spread(&[6, 6], -1.0, 1.0)], |x| {
                x[0].t().col2im([2, 3], PoolOptions::new([2, 3]).stride([1, 2]).padding([1, 1])).sin()
            }),
        ]
    }
}

/// `[n, c, h, w]` to `[n, c * places, windows]`.
fn lower(x: &Tensor, window: Window) -> Tensor {
    let dense = x.dense();
    let (samples, channels) = (x.sizes()[0], x.sizes()[1]);
    let (rows, count) = (channels * window.places(), window.count());
    let out = dispatch_float!("im2col", x.dtype(), T => {
        let buffer = build::<T>(samples * rows * count, |out| dense.with::<T, _>(|x| {
            if out.is_empty() || x.numel() == 0 {
                return out.fill(0.0);
            }
            let planes = x.data.chunks_exact(channels * window.plane());
            for (planes, out) in planes.zip(out.chunks_exact_mut(rows * count)) {
                window.lower(planes, 0..window.rows(), out, count);
            }
        }));
        Tensor::from_buffer(buffer, Dims::from_slice(&[samples, rows, count]))
    });
    out.record(&[x], || LowerWindows(window), |_| saves![])
}

/// `[n, c * places, windows]` to `[n, c, h, w]`.
fn raise(columns: &Tensor, window: Window) -> Tensor {
    let dense = columns.dense();
    let (samples, rows, count) = (columns.sizes()[0], columns.sizes()[1], window.count());
    let channels = rows / window.places();
    let out = dispatch_float!("col2im", columns.dtype(), T => {
        let buffer = build::<T>(samples * channels * window.plane(), |out| dense.with::<T, _>(|columns| {
            out.fill(0.0);
            if out.is_empty() || columns.numel() == 0 {
                return;
            }
            let columns = columns.data.chunks_exact(rows * count);
            for (columns, planes) in columns.zip(out.chunks_exact_mut(channels * window.plane())) {
                window.raise(&mut columns.to_vec(), count, 0..window.rows(), planes);
            }
        }));
        Tensor::from_buffer(buffer, Dims::from_slice(&[samples, channels, window.input[1], window.input[2]]))
    });
    out.record(&[columns], || FoldColumns(window), |_| saves![])
}

/// The windows over images of a size, with the stride 1 where none is given.
#[track_caller]
fn window(op: &str, image: &[usize], options: &PoolOptions) -> Window {
    let kernel = per_dim(op, "kernel_size", &options.kernel, 2, 1);
    let stride = per_dim(op, "stride", &options.stride_or(1), 2, 1);
    let padding = per_dim(op, "padding", &options.padding, 2, 0);
    let dilation = per_dim(op, "dilation", &options.dilation, 2, 1);
    let along = |dim: usize| {
        let (padded, extent) = (image[dim] + 2 * padding[dim], dilation[dim] * (kernel[dim] - 1) + 1);
        if padded < extent {
            panic!(
                "{op}: Given input with spatial size {image:?}, kernel_size={kernel:?}, dilation={dilation:?}, \
                 padding={padding:?}, the array of sliding blocks has no element in dimension {dim}, but its components \
                 must be at least one; add padding"
            );
        }
        (padded - extent) / stride[dim] + 1
    };
    Window {
        input: three(image, 1),
        output: [1, along(0), along(1)],
        kernel: three(&kernel, 1),
        stride: three(&stride, 1),
        padding: three(&padding, 0),
        dilation: three(&dilation, 1),
    }
}

impl Tensor {
    /// The windows of images `[n, c, h, w]` (or `[c, h, w]`) as columns `[n, c * kh * kw, windows]`, zero
    /// where a window hangs over the edge: torch's `unfold` of `nn.functional`. As there, windows that name no
    /// stride move by 1.
    ///
    /// ```
    /// # use tape::{PoolOptions, Tensor};
    /// let x = Tensor::from([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]);
    /// let columns = x.im2col(PoolOptions::new(2));
    /// assert_eq!(columns.to_vec::<f64>(), [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the windows are larger than the padded image, or the dtype is not floating point.
    #[track_caller]
    pub fn im2col(&self, options: PoolOptions) -> Tensor {
        check_ranks("im2col", 3..=4, self);
        let window = window("im2col", &self.sizes()[self.dim() - 2..], &options);
        if self.dim() == 4 { lower(self, window) } else { lower(&self.unsqueeze(0), window).squeeze_dim(0) }
    }

    /// Images `[n, c, h, w]` of `output_size` from columns `[n, c * kh * kw, windows]` (or without `n`):
    /// every element is the sum of what the windows that see it hold; torch's `fold`, the adjoint of
    /// [`im2col`](Tensor::im2col).
    ///
    /// ```
    /// # use tape::{DType, PoolOptions, Tensor};
    /// let image = Tensor::ones([1, 1, 3, 3], DType::F64);
    /// let options = PoolOptions::new(2);
    /// let seen = image.im2col(options.clone()).col2im(3, options);
    /// assert_eq!(seen.to_vec::<f64>(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the columns are not those of such windows, or the dtype is not floating point.
    #[track_caller]
    pub fn col2im(&self, output_size: impl Into<Ints>, options: PoolOptions) -> Tensor {
        check_ranks("col2im", 2..=3, self);
        let image = per_dim("col2im", "output_size", &output_size.into(), 2, 1);
        let window = window("col2im", &image, &options);
        let [.., rows, count] = self.sizes() else { unreachable!("the rank was checked") };
        if !rows.is_multiple_of(window.places()) || *count != window.count() {
            panic!(
                "col2im: Given output_size={image:?} and windows of {} elements, expected a size of input's dimension 1 \
                 divisible by {} and {} columns, but got input of size {:?}",
                window.places(),
                window.places(),
                window.count(),
                self.sizes()
            );
        }
        if self.dim() == 3 { raise(self, window) } else { raise(&self.unsqueeze(0), window).squeeze_dim(0) }
    }

    /// Images `[.., c * r * r, h, w]` with channels traded for resolution: `[.., c, h * r, w * r]`, where
    /// channel `c * r * r + i * r + j` gives the elements `(i, j)` of every `r x r` block.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::arange(0.0, 8.0, 1.0).reshape([4, 1, 2]);
    /// assert_eq!(x.pixel_shuffle(2).to_vec::<f64>(), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three dimensions, or the channels cannot be divided by `r * r`.
    #[track_caller]
    pub fn pixel_shuffle(&self, r: usize) -> Tensor {
        let (lead, [channels, height, width]) = self.last_three("pixel_shuffle", r);
        if !channels.is_multiple_of(r * r) {
            panic!(
                "pixel_shuffle: expects its input's 'channel' dimension to be divisible by the square of upscale_factor, \
                 but input.size(-3)={channels} is not divisible by {}",
                r * r
            );
        }
        let split = self.reshape_to(&[lead, &[channels / (r * r), r, r, height, width]].concat());
        let mixed = split.permute(order(lead.len(), [0, 3, 1, 4, 2]));
        mixed.reshape_to(&[lead, &[channels / (r * r), height * r, width * r]].concat())
    }

    /// The inverse of [`pixel_shuffle`](Tensor::pixel_shuffle): `[.., c, h * r, w * r]` to
    /// `[.., c * r * r, h, w]`.
    ///
    /// # Panics
    /// If there are fewer than three dimensions, or height or width cannot be divided by `r`.
    #[track_caller]
    pub fn pixel_unshuffle(&self, r: usize) -> Tensor {
        let (lead, [channels, height, width]) = self.last_three("pixel_unshuffle", r);
        if !height.is_multiple_of(r) || !width.is_multiple_of(r) {
            panic!(
                "pixel_unshuffle: expects height and width to be divisible by downscale_factor, but {height} x {width} are \
                 not divisible by {r}"
            );
        }
        let split = self.reshape_to(&[lead, &[channels, height / r, r, width / r, r]].concat());
        let mixed = split.permute(order(lead.len(), [0, 2, 4, 1, 3]));
        mixed.reshape_to(&[lead, &[channels * r * r, height / r, width / r]].concat())
    }

    #[track_caller]
    fn last_three(&self, op: &str, r: usize) -> (&[usize], [usize; 3]) {
        match self.sizes() {
            [lead @ .., channels, height, width] if r > 0 => (lead, [*channels, *height, *width]),
            shape => panic!(
                "{op}: expects input to have at least 3 dimensions and a positive factor, but got input with {} dimension(s) \
                 (shape {shape:?}) and the factor {r}",
                shape.len()
            ),
        }
    }
}

/// Leading dimensions in order, and then those of `last` counted behind them.
fn order(lead: usize, last: [usize; 5]) -> Vec<usize> {
    (0..lead).chain(last.map(|dim| lead + dim)).collect()
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{PoolOptions, Tensor, gradcheck, gradgradcheck};

    #[test]
    fn shuffling_is_undone_by_unshuffling() {
        let x = spread(&[2, 8, 2, 3], -1.0, 1.0);
        assert_eq!(x.pixel_shuffle(2).sizes(), [2, 2, 4, 6]);
        assert!(x.pixel_shuffle(2).pixel_unshuffle(2).equal(&x));
        // torch: pixel_unshuffle(arange(16.).reshape(1, 4, 4), 2)
        let y = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 4, 4]).pixel_unshuffle(2);
        let expected: [f64; 16] = [0., 2., 8., 10., 1., 3., 9., 11., 4., 6., 12., 14., 5., 7., 13., 15.];
        assert_eq!(y.to_vec::<f64>(), expected);
        let x = [&spread(&[4, 1, 2], -1.0, 1.0)];
        gradcheck(|x| x[0].pixel_shuffle(2).pow(2.0), &x).unwrap();
        gradgradcheck(|x| x[0].pixel_shuffle(2).pixel_unshuffle(2).pow(2.0), &x).unwrap();
    }

    #[test]
    #[should_panic(expected = "expected a size of input's dimension 1 divisible by 4 and 4 columns")]
    fn columns_of_other_windows_are_refused() {
        spread(&[1, 4, 5], -1.0, 1.0).col2im(3, PoolOptions::new(2));
    }
}
