//! Images of another size, and the rules by which torch finds where an element of the new one lies in the old.

use super::convolution::per_dim;
use super::pool::area;
use crate::kernel::resample::Taps;
use crate::shape::Ints;
use crate::{DType, Tensor};

/// Which elements of the old image an element of the new one is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterpolateMode {
    /// The element at the position rounded down; one, two or three spatial dimensions. As in torch, a dimension
    /// of an image `[n, c, h, w]` that keeps its size or doubles it has the factor 1 or 2, whichever was given.
    Nearest,
    /// Two neighbours of a line `[n, c, l]`.
    Linear,
    /// Two by two neighbours of an image `[n, c, h, w]`.
    Bilinear,
    /// Two by two by two neighbours of a volume `[n, c, d, h, w]`.
    Trilinear,
    /// Four by four neighbours of an image `[n, c, h, w]`: cubic convolution with the coefficient -0.75.
    Bicubic,
    /// The average of the elements that it covers; one, two or three spatial dimensions.
    Area,
}

/// By how much each spatial dimension grows; one number serves all of them.
#[derive(Clone, Debug)]
pub struct ScaleFactors(Vec<f64>);

macro_rules! scale_factors_from {
    ($($type:ty),*) => {$(
        impl From<$type> for ScaleFactors {
            fn from(factor: $type) -> Self {
                ScaleFactors(vec![f64::from(factor)])
            }
        }
        impl<const N: usize> From<[$type; N]> for ScaleFactors {
            fn from(factors: [$type; N]) -> Self {
                ScaleFactors(factors.iter().map(|&factor| f64::from(factor)).collect())
            }
        }
    )*};
}
scale_factors_from!(f64, i32);

impl From<&[f64]> for ScaleFactors {
    fn from(factors: &[f64]) -> Self {
        ScaleFactors(factors.to_vec())
    }
}
impl From<Vec<f64>> for ScaleFactors {
    fn from(factors: Vec<f64>) -> Self {
        ScaleFactors(factors)
    }
}

#[derive(Clone, Debug)]
enum Target {
    Size(Ints),
    Scale(ScaleFactors),
}

/// What [`Tensor::interpolate`] is to do, with torch's names and defaults.
///
/// ```
/// # use tape::{DType, Interpolate, InterpolateMode, Tensor};
/// let x = Tensor::ones([1, 3, 4, 4], DType::F32);
/// let options = Interpolate::scale(2.5).mode(InterpolateMode::Bilinear);
/// assert_eq!(x.interpolate(options).shape(), [1, 3, 10, 10]);
/// ```
#[derive(Clone, Debug)]
pub struct Interpolate {
    target: Target,
    mode: InterpolateMode,
    align_corners: bool,
    recompute_scale_factor: bool,
}

impl Interpolate {
    fn new(target: Target) -> Interpolate {
        Interpolate { target, mode: InterpolateMode::Nearest, align_corners: false, recompute_scale_factor: false }
    }

    /// To images of this size, by [`InterpolateMode::Nearest`] unless another mode is named.
    pub fn size(size: impl Into<Ints>) -> Interpolate {
        Interpolate::new(Target::Size(size.into()))
    }

    /// To images larger by these factors (rounded down to whole elements), by [`InterpolateMode::Nearest`]
    /// unless another mode is named.
    pub fn scale(factors: impl Into<ScaleFactors>) -> Interpolate {
        Interpolate::new(Target::Scale(factors.into()))
    }

    /// Of which elements a new one is made.
    pub fn mode(mut self, mode: InterpolateMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether the centres of the corner elements of both images coincide, instead of the images' corners.
    pub fn align_corners(mut self, align_corners: bool) -> Self {
        self.align_corners = align_corners;
        self
    }

    /// Whether positions follow from the sizes of both images even where scale factors are given. Without
    /// it, they follow from the factors, which the rounding of the size may contradict.
    pub fn recompute_scale_factor(mut self, recompute: bool) -> Self {
        self.recompute_scale_factor = recompute;
        self
    }
}

/// The positions of new elements along one dimension, computed in the precision of the tensor's dtype.
struct Line {
    from: usize,
    to: usize,
    scale: Option<f64>,
    align_corners: bool,
    single: bool,
}

impl Line {
    /// A result as the dtype holds it. Sums, products and quotients of two f32 are right when rounded twice.
    fn round(&self, value: f64) -> f64 {
        if self.single { f64::from(value as f32) } else { value }
    }

    /// Old elements per new one.
    fn step(&self) -> f64 {
        match self.scale {
            _ if self.align_corners && self.to > 1 => self.round((self.from as f64 - 1.0) / (self.to as f64 - 1.0)),
            _ if self.align_corners => 0.0,
            Some(scale) if scale > 0.0 => self.round(1.0 / scale),
            _ => self.round(self.from as f64 / self.to as f64),
        }
    }

    /// Where the centre of new element `o` lies among those of the old ones.
    fn position(&self, o: usize) -> f64 {
        match self.align_corners {
            true => self.round(self.step() * o as f64),
            false => self.round(self.round(self.step() * (o as f64 + 0.5)) - 0.5),
        }
    }

    /// With `exact_doubles` a dimension that keeps its size or doubles it ignores what its factor really is.
    fn nearest(&self, exact_doubles: bool) -> Taps {
        let step = match self.to {
            to if exact_doubles && to == self.from => 1.0,
            to if exact_doubles && to == 2 * self.from => 0.5,
            _ => self.step(),
        };
        let last = self.from - 1;
        let index = |o: usize| (self.round(o as f64 * step).floor() as usize).min(last);
        Taps::new(self.from, (0..self.to).map(|o| [(index(o), 1.0)]))
    }

    fn linear(&self) -> Taps {
        if self.from == self.to {
            // As in torch, whatever the factor.
            return Taps::new(self.from, (0..self.to).map(|o| [(o, 1.0)]));
        }
        let last = self.from - 1;
        Taps::new(
            self.from,
            (0..self.to).map(|o| {
                let position = self.position(o).max(0.0);
                let first = (position as usize).min(last);
                let weight = self.round(position - first as f64).clamp(0.0, 1.0);
                [(first, self.round(1.0 - weight)), ((first + 1).min(last), weight)]
            }),
        )
    }

    /// Cubic convolution (R. Keys, 1981) with the coefficient -0.75.
    fn cubic(&self) -> Taps {
        const A: f64 = -0.75;
        let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
        let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
        let last = self.from as isize - 1;
        Taps::new(
            self.from,
            (0..self.to).map(|o| {
                let position = self.position(o);
                let first = position.floor().min(last as f64);
                let t = self.round(position - first).clamp(0.0, 1.0);
                let index = |offset: isize| (first as isize + offset).clamp(0, last) as usize;
                [(index(-1), far(t + 1.0)), (index(0), near(t)), (index(1), near(1.0 - t)), (index(2), far(2.0 - t))]
            }),
        )
    }
}

/// The sizes to reach, and the factors that positions follow from.
#[track_caller]
fn target(x: &Tensor, options: &Interpolate) -> (Ints, Vec<Option<f64>>) {
    let dims = x.dim() - 2;
    match &options.target {
        Target::Size(sizes) => {
            let sizes = per_dim("interpolate", "size", sizes, dims, 1);
            (Ints::from(&sizes[..]), vec![None; dims])
        }
        Target::Scale(ScaleFactors(factors)) => {
            if factors.len() != 1 && factors.len() != dims {
                panic!(
                    "interpolate: expected scale_factor to be one number or {dims} of them for an input of shape {:?}, but \
                     got {factors:?}",
                    x.sizes()
                );
            }
            let factors: Vec<f64> = (0..dims).map(|dim| factors[if factors.len() == 1 { 0 } else { dim }]).collect();
            let size = |(&size, &factor): (&usize, &f64)| (size as f64 * factor).floor() as isize;
            let sizes: Vec<isize> = x.sizes()[2..].iter().zip(&factors).map(size).collect();
            // So many elements fit no memory; an infinite factor asks for them.
            const MOST: isize = isize::MAX / 64;
            if sizes.iter().any(|&size| !(1..=MOST).contains(&size)) {
                panic!(
                    "interpolate: Input and output sizes should be greater than 0 and at most {MOST}, but got input {:?} and output {sizes:?}; \
                     the factors are {factors:?}",
                    &x.sizes()[2..]
                );
            }
            let used = factors.iter().map(|&factor| (!options.recompute_scale_factor).then_some(factor)).collect();
            (Ints::from(sizes), used)
        }
    }
}

impl Tensor {
    /// Lines, images or volumes `[n, c, space..]` of another size, each new element made of the old ones
    /// that lie where it does.
    ///
    /// ```
    /// # use tape::{Interpolate, InterpolateMode, Tensor};
    /// let x = Tensor::from([[[1.0, 3.0]]]);
    /// assert_eq!(x.interpolate(Interpolate::scale(2)).to_vec::<f64>(), [1.0, 1.0, 3.0, 3.0]);
    /// let linear = Interpolate::size(4).mode(InterpolateMode::Linear);
    /// assert_eq!(x.interpolate(linear).to_vec::<f64>(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the number of dimensions does not suit the mode, sizes are not positive, `align_corners` is set for
    /// `Nearest` or `Area`, or the dtype is not floating point.
    #[track_caller]
    pub fn interpolate(&self, options: Interpolate) -> Tensor {
        let mode = options.mode;
        let ranks = match mode {
            InterpolateMode::Nearest | InterpolateMode::Area => 3..=5,
            InterpolateMode::Linear => 3..=3,
            InterpolateMode::Bilinear | InterpolateMode::Bicubic => 4..=4,
            InterpolateMode::Trilinear => 5..=5,
        };
        if !ranks.contains(&self.dim()) || self.sizes()[1..].contains(&0) {
            panic!(
                "interpolate: Got {}D input, but {mode:?} mode needs {ranks:?}D input of non-empty images; the shape {:?} \
                 must be [batch, channel, space..]",
                self.dim(),
                self.sizes()
            );
        }
        if options.align_corners && matches!(mode, InterpolateMode::Nearest | InterpolateMode::Area) {
            panic!(
                "interpolate: align_corners option can only be set with the interpolating modes: linear | bilinear | \
                 bicubic | trilinear"
            );
        }
        let (sizes, scales) = target(self, &options);
        if mode == InterpolateMode::Area {
            return area(self, &sizes);
        }
        let mut out = self.clone();
        for (dim, (&to, scale)) in sizes.iter().zip(scales).enumerate().rev() {
            let single = self.dtype() == DType::F32;
            let from = self.sizes()[dim + 2];
            let line = Line { from, to: to as usize, scale, align_corners: options.align_corners, single };
            let (taps, name) = match mode {
                // torch rounds the factors of images alone to 1 and 2, dimension by dimension.
                InterpolateMode::Nearest | InterpolateMode::Area => {
                    (line.nearest(self.dim() == 4), "UpsampleNearest2DBackward0")
                }
                InterpolateMode::Bicubic => (line.cubic(), "UpsampleBicubic2DBackward0"),
                _ => (line.linear(), "UpsampleBilinear2DBackward0"),
            };
            out = out.resample(dim + 2, taps, name);
        }
        out
    }
}

#[cfg(test)]
mod tests;
