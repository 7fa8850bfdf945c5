//! Images sampled at given positions, and grids of positions from affine maps.

use crate::shape::{Dims, Ints};
use crate::{DType, Tensor};

/// How [`Tensor::grid_sample`] finds a value between the elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridMode {
    /// From the neighbours in each direction, linearly.
    #[default]
    Bilinear,
    /// From the nearest element; halves go to the even position. The gradient of the grid is zero.
    Nearest,
}

/// What [`Tensor::grid_sample`] sees beyond the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridPadding {
    /// Zeros.
    #[default]
    Zeros,
    /// The elements at the edge.
    Border,
    /// The image's mirror images.
    Reflection,
}

/// Options of [`Tensor::grid_sample`]; the default is torch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridSample {
    /// How a value between the elements is found.
    pub mode: GridMode,
    /// What is beyond the edges.
    pub padding_mode: GridPadding,
    /// Whether -1 and 1 are the centres of the outermost elements instead of their outer edges.
    pub align_corners: bool,
}

/// The coordinate along one dimension, folded into the image where the padding asks for it. Where that makes
/// it constant, its gradient is zero, the edges included.
fn coordinate(grid: &Tensor, size: usize, options: GridSample) -> Tensor {
    let extent = size as f64;
    let x = match options.align_corners {
        true => (grid + 1.0) * ((extent - 1.0) / 2.0),
        false => (grid + 1.0) * (extent / 2.0) - 0.5,
    };
    match options.padding_mode {
        GridPadding::Zeros => x,
        GridPadding::Border => clip(&x, extent - 1.0),
        GridPadding::Reflection => {
            let (low, span) = if options.align_corners { (0.0, extent - 1.0) } else { (-0.5, extent) };
            if span == 0.0 { x.mul(0.0) } else { clip(&reflect(&x, low, span), extent - 1.0) }
        }
    }
}

fn clip(x: &Tensor, last: f64) -> Tensor {
    let value = x.detach();
    let inside = both(&value.gt(0.0), &value.lt(last));
    Tensor::where_(&inside, x, value.clamp(0.0, last))
}

/// Reflects at `low` and `low + span` until the value lies between.
fn reflect(x: &Tensor, low: f64, span: f64) -> Tensor {
    let distance = x - low;
    let distance = Tensor::where_(&distance.detach().lt(0.0), -&distance, &distance);
    let flips = (distance.detach() / span).floor();
    let odd = (&flips - (&flips / 2.0).floor() * 2.0).ne(0.0);
    let rest = distance - flips * span;
    Tensor::where_(&odd, span - &rest, &rest) + low
}

fn both(a: &Tensor, b: &Tensor) -> Tensor {
    Tensor::where_(a, b, Tensor::full((), false, DType::Bool))
}

/// The elements of the image at integer positions, zero beyond the edges: `[n, c, l]` for positions
/// `[n, l]` in each direction, the slowest first.
fn elements(flat: &Tensor, sizes: &[usize], positions: &[Tensor]) -> Tensor {
    let [n, c, _] = *flat.sizes() else { unreachable!("an image is flattened to three dimensions") };
    let mut index = Tensor::zeros((), DType::I64);
    let mut inside = Tensor::full((), true, DType::Bool);
    for (position, &size) in positions.iter().zip(sizes) {
        inside = both(&inside, &both(&position.ge(0.0), &position.lt(size as f64)));
        let within = position.clamp(0.0, (size - 1) as f64);
        // What is not a number gets position 0, and is not inside.
        index = index * size + Tensor::where_(&position.eq(position), within, 0.0).long();
    }
    let outside = inside.logical_not().unsqueeze(1);
    let length = index.size(-1);
    flat.gather(2, &index.unsqueeze(1).expand([n, c, length])).masked_fill(&outside, 0)
}

impl Tensor {
    /// This batch of images `[n, c, h, w]` sampled at the positions `grid`, `[n, oh, ow, 2]`, whose pairs are
    /// `(x, y)` from -1 (left, top) to 1 (right, bottom): `[n, c, oh, ow]`. Volumes `[n, c, d, h, w]` take
    /// triples `(x, y, z)`. Gradients flow to the images and to the grid.
    ///
    /// ```
    /// # use tape::{GridSample, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let middle = Tensor::from([[[[0.0, 0.0]]]]);
    /// assert_eq!(x.grid_sample(&middle, GridSample::default()).to_vec::<f64>(), [2.5]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, an image is empty, or the dtype is not floating point.
    #[track_caller]
    pub fn grid_sample(&self, grid: &Tensor, options: GridSample) -> Tensor {
        let dims = self.dim().saturating_sub(2);
        if !(2..=3).contains(&dims)
            || grid.dim() != self.dim()
            || grid.size(-1) != dims
            || grid.sizes()[0] != self.sizes()[0]
            || self.sizes()[2..].contains(&0)
        {
            panic!(
                "grid_sampler: expected grid to have size {dims} in last dimension and input and grid to have the same batch \
                 size and number of dimensions (4 or 5), but got input with sizes {:?} and grid with sizes {:?}",
                self.sizes(),
                grid.sizes()
            );
        }
        if self.dtype() != grid.dtype() || !self.dtype().is_floating_point() {
            panic!(
                "grid_sampler: expected input and grid to have the same floating-point dtype, but input has {} and grid has \
                 {}; convert one with to_dtype",
                self.dtype(),
                grid.dtype()
            );
        }
        let (n, c, sizes) = (self.sizes()[0], self.sizes()[1], &self.sizes()[2..]);
        let length: usize = grid.sizes()[1..=dims].iter().product();
        let shape: Dims = [n, c].into_iter().chain(grid.sizes()[1..=dims].iter().copied()).collect();
        let flat = self.reshape_to(&[n, c, sizes.iter().product()]);
        let points = grid.reshape_to(&[n, length, dims]);
        // The grid names the fastest dimension first.
        let along = |dim: usize| coordinate(&points.select(-1, (dims - 1 - dim) as isize), sizes[dim], options);
        let coordinates: Vec<Tensor> = (0..dims).map(along).collect();
        let out = match options.mode {
            GridMode::Nearest => {
                let positions: Vec<Tensor> = coordinates.iter().map(|x| x.detach().round()).collect();
                let out = elements(&flat, sizes, &positions);
                // A grid that wants a gradient gets zeros.
                let all = Tensor::full((), true, DType::Bool);
                if grid.requires_grad() { out + coordinates[0].masked_fill(&all, 0).unsqueeze(1) } else { out }
            }
            GridMode::Bilinear => {
                let floors: Vec<Tensor> = coordinates.iter().map(|x| x.detach().floor()).collect();
                let corner = |corner: usize| {
                    let mut weight = Tensor::full((), 1.0, self.dtype());
                    let mut positions = Vec::new();
                    for (dim, (x, floor)) in coordinates.iter().zip(&floors).enumerate() {
                        let next = floor + 1.0;
                        let upper = corner >> (dims - 1 - dim) & 1 == 1;
                        weight = weight * if upper { x - floor } else { &next - x };
                        positions.push(if upper { next } else { floor.clone() });
                    }
                    elements(&flat, sizes, &positions) * weight.unsqueeze(1)
                };
                (1..1 << dims).fold(corner(0), |sum, number| sum + corner(number))
            }
        };
        out.reshape_to(&shape)
    }

    /// The positions at which [`grid_sample`](Tensor::grid_sample) sees images of `size` `[n, c, h, w]` moved
    /// by affine maps `theta`, `[n, 2, 3]`: `[n, h, w, 2]`. For volumes, `theta` is `[n, 3, 4]` and `size` has
    /// five entries.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let identity = Tensor::from([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
    /// let grid = Tensor::affine_grid(&identity, [1, 1, 1, 2], true);
    /// assert_eq!(grid.to_vec::<f64>(), [-1.0, 0.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `theta` does not fit `size`, or its dtype is not floating point.
    #[track_caller]
    pub fn affine_grid(theta: &Tensor, size: impl Into<Ints>, align_corners: bool) -> Tensor {
        let size = size.into();
        let dims = size.len().saturating_sub(2);
        let fits = (2..=3).contains(&dims)
            && theta.sizes() == [size[0].max(0) as usize, dims, dims + 1]
            && size.iter().all(|&size| size > 0);
        if !fits || !theta.dtype().is_floating_point() {
            panic!(
                "affine_grid: Expected a batch of {dims}D affine matrices of shape Nx{dims}x{} of a floating-point dtype for \
                 size {:?}, but got {:?} of {}",
                dims + 1,
                &size[..],
                theta.sizes(),
                theta.dtype()
            );
        }
        let spatial: Vec<usize> = size[2..].iter().map(|&size| size as usize).collect();
        let line = |steps: usize| {
            let line = match steps {
                1 => Tensor::zeros(1, theta.dtype()),
                _ => Tensor::linspace(-1.0, 1.0, steps, theta.dtype()),
            };
            if align_corners { line } else { line * (steps as f64 - 1.0) / steps as f64 }
        };
        let along = |dim: usize| {
            let mut shape = vec![1; dims];
            shape[dim] = spatial[dim];
            line(spatial[dim]).reshape_to(&shape).expand(&spatial[..])
        };
        let mut columns: Vec<Tensor> = (0..dims).rev().map(along).collect();
        columns.push(Tensor::ones(&spatial[..], theta.dtype()));
        let points = Tensor::stack(&columns, -1).reshape([-1, dims as isize + 1]);
        let shape: Dims = [theta.sizes()[0]].into_iter().chain(spatial.iter().copied()).chain([dims]).collect();
        points.matmul(&theta.transpose(1, 2)).reshape_to(&shape)
    }
}

#[cfg(test)]
mod tests;
