//! Normalisation of channels by the mean and variance of a batch.

use crate::module::{boxed_copy, deep_copy};
use crate::normalization::identity;
use crate::{Members, Mode, Module};
use tape::{DType, Tensor, get_default_dtype, no_grad};

/// What batch normalisation of any rank owns.
#[derive(Clone, Debug)]
struct Plan {
    num_features: usize,
    eps: f64,
    momentum: Option<f64>,
    affine: bool,
    track_running_stats: bool,
    dtype: DType,
}

/// By how much running statistics move towards those of the next batch, which is counted. Without a momentum they
/// are the averages over all batches.
fn counted(num_batches_tracked: Option<&Tensor>, momentum: Option<f64>) -> f64 {
    if let Some(count) = num_batches_tracked {
        no_grad(|| count.add_(1));
    }
    momentum.unwrap_or_else(|| num_batches_tracked.map_or(0.0, |count| 1.0 / count.item()))
}

/// Declares a batch normalisation, its builder and its module.
macro_rules! batch_norms {
    ($(
        $(#[$doc:meta])*
        $layer:ident, $builder:ident: $ranks:pat, $expected:literal;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            /// `[num_features]`, if the layer is affine; ones at first.
            pub weight: Option<Tensor>,
            /// `[num_features]`, if the layer is affine; zeros at first.
            pub bias: Option<Tensor>,
            /// `[num_features]`, a buffer: zeros at first.
            pub running_mean: Option<Tensor>,
            /// `[num_features]`, a buffer: ones at first. Batches add their unbiased variance.
            pub running_var: Option<Tensor>,
            /// How many batches the running statistics have seen: a buffer, `I64` without dimensions.
            pub num_batches_tracked: Option<Tensor>,
            momentum: Option<f64>,
            eps: f64,
            mode: Mode,
        }

        deep_copy! {
            $layer { weight, bias, running_mean, running_var, num_batches_tracked, momentum, eps, mode }
        }

        impl $layer {
            /// A layer for this many channels with `eps` 1e-5, momentum 0.1, weight, bias and running statistics.
            pub fn new(num_features: usize) -> $layer {
                $layer::builder(num_features).build()
            }

            /// Options under torch's names.
            pub fn builder(num_features: usize) -> $builder {
                $builder(Plan {
                    num_features,
                    eps: 1e-5,
                    momentum: Some(0.1),
                    affine: true,
                    track_running_stats: true,
                    dtype: get_default_dtype(),
                })
            }

            /// Makes the running statistics those of no batch: mean 0, variance 1.
            pub fn reset_running_stats(&self) {
                no_grad(|| {
                    for (tensor, value) in
                        [(&self.running_mean, 0), (&self.running_var, 1), (&self.num_batches_tracked, 0)]
                    {
                        tensor.as_ref().map(|tensor| tensor.fill_(value));
                    }
                });
            }
        }

        impl Module for $layer {
            /// # Panics
            /// If the input has another number of dimensions or channels or another dtype, or training sees one
            /// value per channel.
            #[track_caller]
            fn forward(&self, input: &Tensor) -> Tensor {
                assert!(
                    matches!(input.dim(), $ranks),
                    "{}: expected {} input (got {}D input)",
                    stringify!($layer),
                    $expected,
                    input.dim()
                );
                let training = self.mode.is_training();
                let batches = self.num_batches_tracked.as_ref().filter(|_| training);
                let momentum = counted(batches, self.momentum);
                let (mean, var) = (self.running_mean.as_ref(), self.running_var.as_ref());
                let of_batch = training || mean.is_none();
                let (weight, bias) = (self.weight.as_ref(), self.bias.as_ref());
                input.batch_norm(mean, var, weight, bias, of_batch, momentum, self.eps)
            }

            fn members(&self) -> Members<'_> {
                Members::new()
                    .parameter("weight", &self.weight)
                    .parameter("bias", &self.bias)
                    .buffer("running_mean", &self.running_mean)
                    .buffer("running_var", &self.running_var)
                    .buffer("num_batches_tracked", &self.num_batches_tracked)
                    .mode(&self.mode)
            }

            boxed_copy!();
        }

        /// Options of the layer, under torch's names.
        #[derive(Clone, Debug)]
        #[must_use = "a builder does nothing until build() is called"]
        pub struct $builder(Plan);

        impl $builder {
            /// What is added to the variance (default: 1e-5).
            pub fn eps(mut self, eps: impl Into<f64>) -> Self {
                self.0.eps = eps.into();
                self
            }

            /// How much of the running statistics a batch replaces (default: 0.1); with `None` they are averages
            /// over all batches.
            pub fn momentum(mut self, momentum: impl Into<Option<f64>>) -> Self {
                self.0.momentum = momentum.into();
                self
            }

            /// Whether there are a weight and a bias (default: yes).
            pub fn affine(mut self, affine: bool) -> Self {
                self.0.affine = affine;
                self
            }

            /// Whether there are running statistics (default: yes); without them evaluation normalises by the
            /// batch too.
            pub fn track_running_stats(mut self, track_running_stats: bool) -> Self {
                self.0.track_running_stats = track_running_stats;
                self
            }

            /// The dtype of parameters and running statistics (default: [`get_default_dtype`], `F32`).
            pub fn dtype(mut self, dtype: DType) -> Self {
                self.0.dtype = dtype;
                self
            }

            /// Makes the layer.
            ///
            /// # Panics
            /// If the dtype is not a floating-point type.
            #[track_caller]
            pub fn build(self) -> $layer {
                let Plan { num_features, eps, momentum, affine, track_running_stats, dtype } = self.0;
                let [weight, bias] = identity(stringify!($layer), &[num_features], affine, affine, dtype);
                let tracked = |make: fn(usize, DType) -> Tensor| track_running_stats.then(|| make(num_features, dtype));
                $layer {
                    weight,
                    bias,
                    running_mean: tracked(Tensor::zeros),
                    running_var: tracked(Tensor::ones),
                    num_batches_tracked: track_running_stats.then(|| Tensor::from(0i64)),
                    momentum,
                    eps,
                    mode: Mode::new(),
                }
            }
        }
    )*};
}

batch_norms! {
    /// Batch normalisation of `[n, c]` or `[n, c, l]`, as `torch.nn.BatchNorm1d`: [`Tensor::batch_norm`].
    ///
    /// Training normalises each channel over batch and space, and moves the running statistics; evaluation
    /// normalises by these.
    ///
    /// ```
    /// use nn::{BatchNorm1d, Module};
    /// use tape::{DType, Tensor};
    ///
    /// let layer = BatchNorm1d::builder(1).eps(0.0).momentum(0.5).dtype(DType::F64).build();
    /// assert_eq!(layer.forward(&Tensor::from([[1.0], [3.0]])).to_vec::<f64>(), [-1.0, 1.0]);
    /// let state = [layer.running_mean.as_ref().unwrap().item(), layer.running_var.as_ref().unwrap().item()];
    /// assert_eq!(state, [1.0, 1.5]);
    /// layer.eval();
    /// assert_eq!(layer.forward(&Tensor::from([[1.0]])).to_vec::<f64>(), [0.0]);
    /// ```
    BatchNorm1d, BatchNorm1dBuilder: 2 | 3, "2D or 3D";

    /// Batch normalisation of images `[n, c, h, w]`, as `torch.nn.BatchNorm2d`: [`Tensor::batch_norm`].
    ///
    /// ```
    /// use nn::{BatchNorm2d, Conv2d, Module, ReLU, Sequential};
    /// use tape::{DType, Tensor};
    ///
    /// let convolution = Conv2d::builder(3, 8, 3).bias(false).build();
    /// let block = Sequential::new([convolution.boxed(), BatchNorm2d::new(8).boxed(), ReLU.boxed()]);
    /// assert_eq!(block.forward(&Tensor::randn([4, 3, 6, 6], DType::F32)).shape(), [4, 8, 4, 4]);
    /// assert_eq!(block.state_dict()["1.num_batches_tracked"].as_tensor().unwrap().item(), 1.0);
    /// ```
    BatchNorm2d, BatchNorm2dBuilder: 4, "4D";
}
