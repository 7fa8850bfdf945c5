//! Convolutions as layers.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module, init};
use tape::{ConvOptions, DType, Ints, PadMode, Tensor, get_default_dtype, no_grad};

/// What surrounds an input before it is convolved: the amounts of [`Tensor::pad`], and with what.
type Margin = (Vec<isize>, PadMode);

/// A convolution to be built.
#[derive(Clone, Debug)]
struct Plan {
    name: &'static str,
    dims: usize,
    transposed: bool,
    in_channels: usize,
    out_channels: usize,
    kernel_size: Ints,
    stride: Ints,
    /// `None` is torch's `"same"`.
    padding: Option<Ints>,
    padding_mode: PadMode,
    output_padding: Ints,
    dilation: Ints,
    groups: usize,
    bias: bool,
    dtype: DType,
}

impl Plan {
    fn new(name: &'static str, dims: usize, in_channels: usize, out_channels: usize, kernel_size: Ints) -> Plan {
        Plan {
            name,
            dims,
            transposed: name.contains("Transpose"),
            in_channels,
            out_channels,
            kernel_size,
            stride: 1.into(),
            padding: Some(0.into()),
            padding_mode: PadMode::Constant(0.0),
            output_padding: 0.into(),
            dilation: 1.into(),
            groups: 1,
            bias: true,
            dtype: get_default_dtype(),
        }
    }

    /// One number per spatial dimension.
    #[track_caller]
    fn per_dim(&self, what: &str, values: &Ints, least: isize) -> Vec<usize> {
        let (name, dims) = (self.name, self.dims);
        assert!(
            (values.len() == 1 || values.len() == dims) && values.iter().all(|&value| value >= least),
            "{name}: {what} must be one number or {dims} of them, each at least {least}, but got {:?}",
            &values[..]
        );
        (0..dims).map(|dim| values[if values.len() == 1 { 0 } else { dim }] as usize).collect()
    }

    #[track_caller]
    fn check(&self) {
        let Plan { name, groups, in_channels, out_channels, .. } = *self;
        assert!(groups > 0, "{name}: groups must be a positive integer, but is 0");
        for (what, channels) in [("in_channels", in_channels), ("out_channels", out_channels)] {
            assert!(
                channels.is_multiple_of(groups),
                "{name}: {what} must be divisible by groups, but {channels} is not by {groups}"
            );
        }
        init::check_dtype(name, "parameters", self.dtype);
        let strides = self.per_dim("stride", &self.stride, 1);
        assert!(
            self.padding.is_some() || strides.iter().all(|&stride| stride == 1),
            "{name}: padding='same' is not supported for strided convolutions, but the stride is {strides:?}; name the \
             padding in numbers"
        );
        let _ = self.per_dim("output_padding", &self.output_padding, 0);
    }

    /// The initial values, drawn in torch's order.
    #[track_caller]
    fn parameters(&self) -> (Tensor, Option<Tensor>) {
        self.check();
        let (first, second) = match self.transposed {
            true => (self.in_channels, self.out_channels / self.groups),
            false => (self.out_channels, self.in_channels / self.groups),
        };
        let kernel = self.per_dim("kernel_size", &self.kernel_size, 1);
        let weight = Tensor::empty([&[first, second], &kernel[..]].concat(), self.dtype);
        init::kaiming_uniform_(&weight, 5.0_f64.sqrt());
        let fan_in = second * kernel.iter().product::<usize>();
        let bias = self.bias.then(|| {
            let bias = Tensor::zeros([self.out_channels], self.dtype);
            if fan_in > 0 {
                let bound = 1.0 / (fan_in as f64).sqrt();
                no_grad(|| bias.uniform_(-bound, bound));
            }
            bias.requires_grad_(true)
        });
        (weight.requires_grad_(true), bias)
    }

    /// The options of the convolution, and the margin that it cannot make itself.
    #[track_caller]
    fn options(&self) -> (ConvOptions, Option<Margin>) {
        let options = ConvOptions::new()
            .stride(self.stride.clone())
            .dilation(self.dilation.clone())
            .groups(self.groups)
            .output_padding(self.output_padding.clone());
        if self.padding_mode == PadMode::Constant(0.0) {
            let padded = match &self.padding {
                Some(padding) => options.padding(padding.clone()),
                None => options.padding_same(),
            };
            return (padded, None);
        }
        let ends: Vec<[usize; 2]> = match &self.padding {
            Some(padding) => self.per_dim("padding", padding, 0).into_iter().map(|amount| [amount; 2]).collect(),
            None => {
                let kernel = self.per_dim("kernel_size", &self.kernel_size, 1);
                let gaps = kernel.iter().zip(self.per_dim("dilation", &self.dilation, 1)).map(|(k, d)| d * (k - 1));
                gaps.map(|total| [total / 2, total - total / 2]).collect()
            }
        };
        // The last dimension comes first in a list of amounts.
        let amounts = ends.into_iter().rev().flatten().map(|amount| amount as isize).collect();
        (options, Some((amounts, self.padding_mode)))
    }
}

/// Declares a convolution, its builder and its module.
macro_rules! convolutions {
    ($(
        $(#[$doc:meta])*
        $layer:ident, $builder:ident: $method:ident, $dims:literal;
        #[doc = $weight:literal]
        $(#[$option_doc:meta])*
        options {
            $($(#[$setter_doc:meta])* fn $setter:ident($plan:ident $(, $value:ident: $argument:ty)?) $set:block)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            #[doc = $weight]
            pub weight: Tensor,
            /// `[out_channels]`, if the layer has one.
            pub bias: Option<Tensor>,
            options: ConvOptions,
            margin: Option<Margin>,
        }

        deep_copy! { $layer { weight, bias, options, margin } }

        impl $layer {
            /// A layer of the [default dtype](get_default_dtype) with bias, stride 1 and no padding; one number
            /// serves as the kernel's size in all dimensions. Torch's initial values, drawn from the process-wide
            /// generator: weight and then bias uniform on `[-b, b)`, `b = 1 / sqrt(weight[0].numel())`.
            ///
            /// # Panics
            /// If the kernel's size does not have one positive number per dimension.
            #[track_caller]
            pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Ints>) -> $layer {
                $layer::builder(in_channels, out_channels, kernel_size).build()
            }

            /// Options under torch's names.
            pub fn builder(in_channels: usize, out_channels: usize, kernel_size: impl Into<Ints>) -> $builder {
                $builder(Plan::new(stringify!($layer), $dims, in_channels, out_channels, kernel_size.into()))
            }

            /// A layer of these very tensors (not copies); whether they require gradients stays as it is.
            ///
            /// # Panics
            /// If the weight does not have two dimensions more than there are in space, or the bias not one.
            #[track_caller]
            pub fn from_tensors(weight: Tensor, bias: Option<Tensor>, options: ConvOptions) -> $layer {
                let (dims, shape) = ($dims + 2, weight.sizes());
                assert!(
                    shape.len() == dims && bias.as_ref().is_none_or(|bias| bias.dim() == 1),
                    "{}: takes a weight of {dims} dimensions and a bias of one, but got shapes {shape:?} and {:?}",
                    stringify!($layer),
                    bias.as_ref().map(Tensor::shape)
                );
                $layer { weight, bias, options, margin: None }
            }
        }

        impl Module for $layer {
            /// # Panics
            /// If the input has other dimensions, channels or another dtype than the weight, or is too small.
            #[track_caller]
            fn forward(&self, input: &Tensor) -> Tensor {
                let padded = self.margin.as_ref().map(|(amounts, mode)| input.pad(&amounts[..], *mode));
                let input = padded.as_ref().unwrap_or(input);
                input.$method(&self.weight, self.bias.as_ref(), self.options.clone())
            }

            fn members(&self) -> Members<'_> {
                Members::new().parameter("weight", &self.weight).parameter("bias", &self.bias)
            }

            boxed_copy!();
        }

        $(#[$option_doc])*
        #[derive(Clone, Debug)]
        #[must_use = "a builder does nothing until build() is called"]
        pub struct $builder(Plan);

        impl $builder {
            /// By how much the window moves (default: 1).
            pub fn stride(mut self, stride: impl Into<Ints>) -> Self {
                self.0.stride = stride.into();
                self
            }

            /// The distance of the elements that one window sees (default: 1).
            pub fn dilation(mut self, dilation: impl Into<Ints>) -> Self {
                self.0.dilation = dilation.into();
                self
            }

            /// Into how many parts the channels are divided that are convolved apart (default: 1).
            pub fn groups(mut self, groups: usize) -> Self {
                self.0.groups = groups;
                self
            }

            /// Whether the layer adds a bias (default: yes). Without one no numbers are drawn for it.
            pub fn bias(mut self, bias: bool) -> Self {
                self.0.bias = bias;
                self
            }

            /// The dtype of the parameters (default: [`get_default_dtype`], `F32`).
            pub fn dtype(mut self, dtype: DType) -> Self {
                self.0.dtype = dtype;
                self
            }

            $($(#[$setter_doc])*
            pub fn $setter(mut self $(, $value: $argument)?) -> Self {
                let $plan = &mut self.0;
                $set
                self
            })*

            /// Draws the initial values from the process-wide generator.
            ///
            /// # Panics
            /// If the options do not fit each other, or the dtype is not a floating-point type.
            #[track_caller]
            pub fn build(self) -> $layer {
                let (weight, bias) = self.0.parameters();
                let (options, margin) = self.0.options();
                $layer { weight, bias, options, margin }
            }
        }
    )*};
}

convolutions! {
    /// Convolution of lines `[n, in_channels, l]`, as `torch.nn.Conv1d`: [`Tensor::conv1d`].
    ///
    /// ```
    /// use nn::{Conv1d, Module, PadMode};
    /// use tape::{DType, Tensor};
    ///
    /// let layer = Conv1d::builder(4, 6, 3).padding(1).padding_mode(PadMode::Circular).build();
    /// assert_eq!(layer.forward(&Tensor::zeros([8, 4, 10], DType::F32)).shape(), [8, 6, 10]);
    /// ```
    Conv1d, Conv1dBuilder: conv1d, 1;
    /// `[out_channels, in_channels / groups, k]`.
    /// Options of a [`Conv1d`] layer, made by [`Conv1d::builder`].
    options {
        /// How many elements are added at each end (default: 0).
        fn padding(plan, padding: impl Into<Ints>) {
            plan.padding = Some(padding.into());
        }
        /// As many elements at the ends as give an output of the input's length, torch's `padding='same'`.
        fn padding_same(plan) {
            plan.padding = None;
        }
        /// With what the ends are padded (default: zeros).
        fn padding_mode(plan, padding_mode: PadMode) {
            plan.padding_mode = padding_mode;
        }
    }

    /// Convolution of images `[n, in_channels, h, w]`, as `torch.nn.Conv2d`: [`Tensor::conv2d`].
    ///
    /// ```
    /// use nn::{Conv2d, Module};
    /// use tape::{DType, Tensor};
    ///
    /// let images = Tensor::zeros([8, 3, 32, 32], DType::F32);
    /// assert_eq!(Conv2d::new(3, 16, 5).forward(&images).shape(), [8, 16, 28, 28]);
    /// let halving = Conv2d::builder(3, 16, [3, 5]).stride(2).padding([1, 2]).bias(false).build();
    /// assert_eq!(halving.forward(&images).shape(), [8, 16, 16, 16]);
    /// ```
    Conv2d, Conv2dBuilder: conv2d, 2;
    /// `[out_channels, in_channels / groups, kh, kw]`.
    /// Options of a [`Conv2d`] layer, made by [`Conv2d::builder`].
    options {
        /// How many rows and columns are added at each edge (default: 0).
        fn padding(plan, padding: impl Into<Ints>) {
            plan.padding = Some(padding.into());
        }
        /// As many rows and columns at the edges as give an output of the input's size, torch's `padding='same'`.
        fn padding_same(plan) {
            plan.padding = None;
        }
        /// With what the edges are padded (default: zeros).
        fn padding_mode(plan, padding_mode: PadMode) {
            plan.padding_mode = padding_mode;
        }
    }

    /// Transposed convolution of images `[n, in_channels, h, w]`, as `torch.nn.ConvTranspose2d`:
    /// [`Tensor::conv_transpose2d`].
    ///
    /// ```
    /// use nn::{ConvTranspose2d, Module};
    /// use tape::{DType, Tensor};
    ///
    /// let doubling = ConvTranspose2d::builder(16, 3, 3).stride(2).padding(1).output_padding(1).build();
    /// assert_eq!(doubling.forward(&Tensor::zeros([8, 16, 14, 14], DType::F32)).shape(), [8, 3, 28, 28]);
    /// ```
    ConvTranspose2d, ConvTranspose2dBuilder: conv_transpose2d, 2;
    /// `[in_channels, out_channels / groups, kh, kw]`.
    /// Options of a [`ConvTranspose2d`] layer, made by [`ConvTranspose2d::builder`].
    options {
        /// How many rows and columns the output lacks at each edge (default: 0).
        fn padding(plan, padding: impl Into<Ints>) {
            plan.padding = Some(padding.into());
        }
        /// By how much the output is larger than the smallest one that fits (default: 0).
        fn output_padding(plan, output_padding: impl Into<Ints>) {
            plan.output_padding = output_padding.into();
        }
    }
}
