//! Normalisations: elements of a group shifted and scaled to zero mean and unit variance.

use crate::autograd::{Gradients, Op, Rule, Saved, Saves, gradients, is_grad_enabled, no_grad};
use crate::dtype::dispatch_float;
use crate::kernel::normalization::{Affine, Derivative, Groups, Moments};
use crate::shape::{Dims, Ints};
use crate::storage::build;
use crate::{Float, Tensor};

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over groups of elements. The inputs are `x`, the
/// weight if there is one, and the bias if there is one.
pub(crate) struct Normalize {
    sizes: Groups,
    affine: Affine,
    eps: f64,
    mean: Vec<f64>,
    /// `1 / sqrt(variance + eps)`.
    rstd: Vec<f64>,
    weighted: bool,
    name: &'static str,
}

impl Op for Normalize {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        if is_grad_enabled() || grad.dtype() != rule.saved(0).dtype() {
            return self.formula(rule, grad);
        }
        dispatch_float!("normalization", grad.dtype(), T => self.fused::<T>(rule, grad))
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        tests::samples()
    }
}

/// Numbers in the element type.
fn cast<T: Float>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

impl Normalize {
    /// The gradients in tensor operations: the moments are functions of `x` here.
    fn formula(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let Groups { outer, groups, inner } = self.sizes;
        let shape = [outer, groups, inner];
        let (x, grad) = (rule.saved(0).reshape_to(&shape), grad.reshape_to(&shape));
        let group = |x: &Tensor| x.mean_dim([0, 2], true);
        let centred = &x - group(&x);
        let rstd = (group(&centred.square()) + self.eps).rsqrt();
        let normal = &centred * &rstd;
        let (weight_shape, summed) = match self.affine {
            Affine::PerGroup => ([groups, 1], [0, 2]),
            Affine::PerInner => ([1, inner], [0, 1]),
        };
        let mut gradients = gradients![rule; {
            let scaled = match self.weighted {
                true => &grad * rule.saved(1).reshape_to(&weight_shape),
                false => grad.clone(),
            };
            let gradient = (&scaled - group(&scaled) - &normal * group(&(&scaled * &normal))) * &rstd;
            gradient.reshape_to(rule.saved(0).sizes())
        }];
        let flat = |sum: Tensor, input: usize| {
            let shape = rule.shape_of(input);
            sum.sum_dim(summed, false).reshape_to(shape)
        };
        for input in 1..rule.node.edges.len() {
            let of_weight = self.weighted && input == 1;
            let wanted = rule.needs(input);
            let sum = || if of_weight { &grad * &normal } else { grad.clone() };
            gradients.push(wanted.then(|| flat(sum(), input)));
        }
        gradients
    }

    /// The gradients in few passes over memory, without history.
    fn fused<T: Float>(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, grad) = (rule.saved(0).dense(), grad.dense());
        let (mean, rstd) = (cast::<T>(&self.mean), cast::<T>(&self.rstd));
        let weight = self.weighted.then(|| rule.saved(1).to_vec::<T>());
        let mut gradients = Gradients::new();
        let inputs = rule.node.edges.len();
        let affine_wanted = (1..inputs).any(|input| rule.needs(input));
        x.with2::<T, T, _>(&grad, |values, grads| {
            let derivative = Derivative {
                sizes: self.sizes,
                x: values.data,
                grad: grads.data,
                moments: Moments { mean: &mean, rstd: &rstd },
                affine: self.affine,
                weight: weight.as_deref(),
            };
            let per_group = self.affine == Affine::PerGroup;
            let sums = (per_group && (affine_wanted || self.sizes.outer > 1)).then(|| derivative.group_sums());
            gradients.push(rule.needs(0).then(|| {
                let buffer = build::<T>(x.numel(), |out| derivative.input(sums.as_deref(), out));
                Tensor::from_buffer(buffer, x.layout().shape.clone())
            }));
            let [terms, factors] = match &sums {
                _ if !affine_wanted => [Vec::new(), Vec::new()],
                Some(sums) => {
                    [0, 1].map(|which| cast::<T>(&sums.iter().skip(which).step_by(2).copied().collect::<Vec<_>>()))
                }
                None => derivative.position_sums(),
            };
            for input in 1..inputs {
                let sums = if self.weighted && input == 1 { &factors } else { &terms };
                let wanted = rule.needs(input);
                gradients.push(wanted.then(|| Tensor::from_vec(sums.clone(), rule.shape_of(input))));
            }
        });
        gradients
    }
}

/// Means and biased variances of the groups.
struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
}

/// What all normalisations of one tensor share.
struct Call<'a> {
    x: &'a Tensor,
    sizes: Groups,
    affine: Affine,
    weight: Option<&'a Tensor>,
    bias: Option<&'a Tensor>,
    eps: f64,
    name: &'static str,
}

impl Call<'_> {
    fn run(self) -> (Tensor, Statistics) {
        let Call { x, sizes, affine, weight, bias, eps, name } = self;
        let dense = x.dense();
        let (out, statistics, rstd) = dispatch_float!("normalization", x.dtype(), T => {
            let moments = dense.with::<T, _>(|x| sizes.moments(x.data));
            let every = |which: usize| moments.iter().skip(which).step_by(2).copied().collect::<Vec<_>>();
            let statistics = Statistics { mean: every(0), variance: every(1) };
            let rstd: Vec<f64> = statistics.variance.iter().map(|variance| 1.0 / (variance + eps).sqrt()).collect();
            let numbers = |x: Option<&Tensor>| x.map(|x| x.to_vec::<T>());
            let (weight, bias) = (numbers(weight), numbers(bias));
            let (mean, scale) = (cast::<T>(&statistics.mean), cast::<T>(&rstd));
            let buffer = build::<T>(x.numel(), |out| dense.with::<T, _>(|x| {
                let moments = Moments { mean: &mean, rstd: &scale };
                sizes.standardise(x.data, moments, affine, (weight.as_deref(), bias.as_deref()), out);
            }));
            (Tensor::from_buffer(buffer, x.layout().shape.clone()), statistics, rstd)
        });
        let inputs: Vec<&Tensor> = [Some(x), weight, bias].into_iter().flatten().collect();
        let op =
            || Normalize { sizes, affine, eps, mean: statistics.mean.clone(), rstd, weighted: weight.is_some(), name };
        let out = out.record(&inputs, op, |_| {
            let mut saves = Saves::new();
            saves.push(Saved::input(x));
            saves.extend(weight.map(Saved::input));
            saves
        });
        (out, statistics)
    }
}

#[track_caller]
fn check_float(op: &str, x: &Tensor, others: [Option<&Tensor>; 2], shape: &[usize]) {
    if !x.dtype().is_floating_point() {
        panic!("{op}: not implemented for dtype {}; convert with float() or double() first", x.dtype());
    }
    for (name, other) in ["weight", "bias"].into_iter().zip(others) {
        let Some(other) = other else { continue };
        if other.sizes() != shape {
            panic!("{op}: Expected {name} to be of shape {shape:?}, but got {name} of shape {:?}", other.sizes());
        }
        if other.dtype() != x.dtype() {
            panic!(
                "{op}: expected {name} of the input's dtype {}, but got {}; convert one with to_dtype",
                x.dtype(),
                other.dtype()
            );
        }
    }
}

/// `x * weight + bias`, both in a shape that broadcasts.
fn affine(x: Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>, shape: &[usize]) -> Tensor {
    let x = weight.map_or(x.clone(), |weight| x * weight.reshape_to(shape));
    bias.map_or(x.clone(), |bias| x + bias.reshape_to(shape))
}

/// The shape in which one number per channel broadcasts over `[n, c, ..]`.
fn per_channel(x: &Tensor) -> Dims {
    let mut shape = Dims::from_elem(1, x.dim() - 1);
    shape[0] = x.sizes()[1];
    shape
}

/// The sizes of the last dimensions, if the tensor has them.
#[track_caller]
fn normalized(op: &str, x: &Tensor, shape: &Ints) -> Dims {
    let sizes: Dims = shape.iter().map(|&size| size.max(0) as usize).collect();
    if sizes.is_empty() || !x.sizes().ends_with(&sizes) {
        panic!(
            "{op}: Given normalized_shape={:?}, expected input with shape [*, {:?}], but got input of size{:?}; name the \
             last sizes of the input",
            &shape[..],
            &shape[..],
            x.sizes()
        );
    }
    sizes
}

/// Running statistics moved towards those of a batch: `(1 - momentum) * running + momentum * batch`.
fn update(running: Option<&Tensor>, momentum: f64, batch: &[f64]) {
    let Some(running) = running else { return };
    let old = running.double().to_vec::<f64>();
    let new: Vec<f64> = old.iter().zip(batch).map(|(old, batch)| momentum * batch + (1.0 - momentum) * old).collect();
    no_grad(|| running.copy_(&Tensor::from(new).to_dtype(running.dtype())));
}

impl Tensor {
    /// Normalises over the last dimensions, whose sizes are `normalized_shape`:
    /// `(x - mean) / sqrt(variance + eps) * weight + bias` with the mean and the biased variance of each
    /// group, and weight and bias of that shape.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [-4.0, 4.0]]);
    /// let y = x.layer_norm(2, None, Some(&Tensor::from([0.0, 1.0])), 0.0);
    /// assert_eq!(y.to_vec::<f64>(), [-1.0, 2.0, -1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the input does not end with `normalized_shape`, weight or bias do not have it, dtypes differ, or
    /// the dtype is not floating point.
    #[track_caller]
    pub fn layer_norm(
        &self,
        normalized_shape: impl Into<Ints>,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: impl Into<f64>,
    ) -> Tensor {
        let sizes = normalized("layer_norm", self, &normalized_shape.into());
        check_float("layer_norm", self, [weight, bias], &sizes);
        if self.numel() == 0 {
            return affine(self.mul(1.0), weight, bias, &sizes);
        }
        let inner = sizes.iter().product();
        let sizes = Groups { outer: 1, groups: self.numel() / inner, inner };
        let name = "NativeLayerNormBackward0";
        Call { x: self, sizes, affine: Affine::PerInner, weight, bias, eps: eps.into(), name }.run().0
    }

    /// Divides by the root of the mean square over the last dimensions, whose sizes are `normalized_shape`:
    /// `x / sqrt(mean(x^2) + eps) * weight`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[0.0, 0.0, 0.0, 4.0]]);
    /// assert_eq!(x.rms_norm(4, None, 0.0).to_vec::<f64>(), [0.0, 0.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`layer_norm`](Tensor::layer_norm).
    #[track_caller]
    pub fn rms_norm(&self, normalized_shape: impl Into<Ints>, weight: Option<&Tensor>, eps: impl Into<f64>) -> Tensor {
        let sizes = normalized("rms_norm", self, &normalized_shape.into());
        check_float("rms_norm", self, [weight, None], &sizes);
        let dims: Vec<isize> = (1..=sizes.len() as isize).map(|dim| -dim).collect();
        let scale = (self.square().mean_dim(dims, true) + eps.into()).rsqrt();
        affine(self * scale, weight, None, &sizes)
    }

    /// Normalises `[n, c, ..]` over `groups` groups of channels of each sample, with a weight and a bias per
    /// channel.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[[1.0], [3.0], [5.0], [13.0]]]);
    /// assert_eq!(x.group_norm(2, None, None, 0.0).to_vec::<f64>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the channels cannot be divided into the groups, weight or bias do not have one number per channel,
    /// dtypes differ, or the dtype is not floating point.
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: impl Into<f64>,
    ) -> Tensor {
        if self.dim() < 2 || groups == 0 || !self.sizes()[1].is_multiple_of(groups) {
            panic!(
                "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape \
                 {:?} and num_groups={groups}; dimension 1 counts the channels",
                self.sizes()
            );
        }
        check_float("group_norm", self, [weight, bias], &self.sizes()[1..2]);
        self.standardise_parts(self.sizes()[0] * groups, weight, bias, eps.into(), "NativeGroupNormBackward0")
    }

    /// Normalises every channel of every sample of `[n, c, space..]` over space, with a weight and a bias per
    /// channel.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[[1.0, 3.0], [5.0, 13.0]]]);
    /// assert_eq!(x.instance_norm(None, None, 0.0).to_vec::<f64>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no more than one element in space, weight or bias do not have one number per channel,
    /// dtypes differ, or the dtype is not floating point.
    #[track_caller]
    pub fn instance_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: impl Into<f64>) -> Tensor {
        if self.dim() < 3 || self.sizes()[2..].iter().product::<usize>() == 1 {
            panic!(
                "instance_norm: Expected more than 1 spatial element when training, got input size {:?}",
                self.sizes()
            );
        }
        check_float("instance_norm", self, [weight, bias], &self.sizes()[1..2]);
        let parts = self.sizes()[0] * self.sizes()[1];
        self.standardise_parts(parts, weight, bias, eps.into(), "NativeBatchNormBackward0")
    }

    /// The whole tensor cut into equal parts, each of them standardised; weight and bias per channel.
    fn standardise_parts(
        &self,
        groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
        name: &'static str,
    ) -> Tensor {
        let shape = per_channel(self);
        if self.numel() == 0 {
            return affine(self.mul(1.0), weight, bias, &shape);
        }
        let sizes = Groups { outer: 1, groups, inner: self.numel() / groups };
        let call = Call { x: self, sizes, affine: Affine::PerGroup, weight: None, bias: None, eps, name };
        affine(call.run().0, weight, bias, &shape)
    }

    /// Normalises every channel of `[n, c, ..]` over all samples and space, with a weight and a bias per
    /// channel.
    ///
    /// In training, mean and biased variance are those of the batch, and the running ones move towards them
    /// in place: `(1 - momentum) * running + momentum * batch`, with the unbiased variance. Otherwise the
    /// running ones are used.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::from([[1.0], [3.0]]);
    /// let (mean, var) = (Tensor::zeros(1, DType::F64), Tensor::ones(1, DType::F64));
    /// let y = x.batch_norm(Some(&mean), Some(&var), None, None, true, 0.5, 0.0);
    /// assert_eq!(y.to_vec::<f64>(), [-1.0, 1.0]);
    /// assert_eq!((mean.item(), var.item()), (1.0, 1.5));
    /// ```
    ///
    /// # Panics
    /// If there is no more than one value per channel in training, no running statistics otherwise, shapes do
    /// not fit, dtypes differ, or the dtype is not floating point.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "torch's list")]
    pub fn batch_norm(
        &self,
        running_mean: Option<&Tensor>,
        running_var: Option<&Tensor>,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        training: bool,
        momentum: impl Into<f64>,
        eps: impl Into<f64>,
    ) -> Tensor {
        if self.dim() < 2 {
            panic!("batch_norm: expected at least 2D input [n, c, ..], but got input of shape {:?}", self.sizes());
        }
        let channels = self.sizes()[1];
        check_float("batch_norm", self, [weight, bias], &self.sizes()[1..2]);
        for (name, running) in [("running_mean", running_mean), ("running_var", running_var)] {
            if let Some(running) = running
                && running.sizes() != [channels]
            {
                panic!("batch_norm: {name} should contain {channels} elements not {}", running.numel());
            }
        }
        let shape = per_channel(self);
        if !training {
            let (Some(mean), Some(variance)) = (running_mean, running_var) else {
                panic!(
                    "batch_norm: Expected running_mean and running_var to be defined when training=False; the input's shape \
                     is {:?}: pass both, with one number per channel",
                    self.sizes()
                );
            };
            let (mean, variance) = (mean.detach().to_dtype(self.dtype()), variance.detach().to_dtype(self.dtype()));
            let rstd = (variance + eps.into()).rsqrt();
            let scale = weight.map_or(rstd.clone(), |weight| weight * &rstd);
            let shift = bias.map_or(-(&mean * &scale), |bias| bias - &mean * &scale);
            return self * scale.reshape_to(&shape) + shift.reshape_to(&shape);
        }
        let count = self.numel().checked_div(channels).unwrap_or(0);
        if count == 1 {
            panic!(
                "batch_norm: Expected more than 1 value per channel when training, got input size {:?}",
                self.sizes()
            );
        }
        if self.numel() == 0 {
            return affine(self.mul(1.0), weight, bias, &shape);
        }
        let (outer, inner) = (self.sizes()[0], count / self.sizes()[0]);
        // Of single numbers per channel the samples become the rows.
        let flat = inner == 1;
        let x = if flat { self.reshape_to(&[outer, channels]).t() } else { self.clone() };
        let sizes = match flat {
            true => Groups { outer: 1, groups: channels, inner: outer },
            false => Groups { outer, groups: channels, inner },
        };
        let name = "NativeBatchNormBackward0";
        let call = Call { x: &x, sizes, affine: Affine::PerGroup, weight, bias, eps: eps.into(), name };
        let (out, statistics) = call.run();
        let momentum = momentum.into();
        update(running_mean, momentum, &statistics.mean);
        let unbiased = count as f64 / (count as f64 - 1.0);
        update(running_var, momentum, &statistics.variance.iter().map(|var| var * unbiased).collect::<Vec<_>>());
        if flat { out.t().reshape_to(self.sizes()) } else { out }
    }
}

#[cfg(test)]
mod tests;
