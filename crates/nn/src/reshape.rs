//! Modules that change at most the shape of their input.

use crate::Module;
use crate::module::{boxed_copy, deep_copy};
use tape::{Ints, Tensor};

/// Returns its input, as `torch.nn.Identity`: a place that may be filled otherwise.
///
/// ```
/// use nn::{Identity, Module};
/// use tape::Tensor;
///
/// let x = Tensor::from([1.0]);
/// assert!(Identity.forward(&x).same(&x));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

/// Makes one dimension of several, as `torch.nn.Flatten`: all but the first, unless told otherwise.
///
/// ```
/// use nn::{Flatten, Module};
/// use tape::{DType, Tensor};
///
/// let images = Tensor::zeros([8, 3, 4, 5], DType::F32);
/// assert_eq!(Flatten::new().forward(&images).shape(), [8, 60]);
/// assert_eq!(Flatten::new().start_dim(2).forward(&images).shape(), [8, 3, 20]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Flatten {
    start_dim: isize,
    end_dim: isize,
}

/// Makes several dimensions of one, as `torch.nn.Unflatten`.
///
/// ```
/// use nn::{Module, Unflatten};
/// use tape::{DType, Tensor};
///
/// let rows = Tensor::zeros([8, 60], DType::F32);
/// assert_eq!(Unflatten::new(1, [3, -1, 5]).forward(&rows).shape(), [8, 3, 4, 5]);
/// ```
#[derive(Clone, Debug)]
pub struct Unflatten {
    dim: isize,
    sizes: Vec<isize>,
}

deep_copy! {
    Identity {}
    Flatten { start_dim, end_dim }
    Unflatten { dim, sizes }
}

impl Flatten {
    /// Flattens the dimensions 1 to -1.
    pub fn new() -> Flatten {
        Flatten { start_dim: 1, end_dim: -1 }
    }

    /// The first of the dimensions.
    pub fn start_dim(mut self, dim: isize) -> Flatten {
        self.start_dim = dim;
        self
    }

    /// The last of the dimensions.
    pub fn end_dim(mut self, dim: isize) -> Flatten {
        self.end_dim = dim;
        self
    }
}

impl Default for Flatten {
    fn default() -> Flatten {
        Flatten::new()
    }
}

impl Unflatten {
    /// Splits the dimension `dim` into `sizes`, one of which may be -1.
    pub fn new(dim: isize, sizes: impl Into<Ints>) -> Unflatten {
        Unflatten { dim, sizes: sizes.into().to_vec() }
    }
}

impl Module for Identity {
    fn forward(&self, input: &Tensor) -> Tensor {
        input.clone()
    }

    boxed_copy!();
}

impl Module for Flatten {
    /// # Panics
    /// If the input lacks one of the dimensions.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.flatten(self.start_dim, self.end_dim)
    }

    boxed_copy!();
}

impl Module for Unflatten {
    /// # Panics
    /// If the input lacks the dimension, or its size is not the product of the sizes.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        let size = input.size(self.dim);
        let dim = if self.dim < 0 { self.dim + input.dim() as isize } else { self.dim } as usize;
        let given: isize = self.sizes.iter().filter(|&&part| part != -1).product();
        let inferred = self.sizes.contains(&-1) && given > 0 && size as isize % given == 0;
        assert!(
            inferred || given == size as isize,
            "unflatten: Provided sizes {:?} don't multiply up to the size of dim {} ({size}) in the input tensor of \
             shape {:?}",
            self.sizes,
            self.dim,
            input.sizes()
        );
        let around = |shape: &[usize]| shape.iter().map(|&size| size as isize).collect::<Vec<_>>();
        let inner = self.sizes.iter().map(|&part| if part == -1 { size as isize / given } else { part }).collect();
        input.reshape([around(&input.sizes()[..dim]), inner, around(&input.sizes()[dim + 1..])].concat())
    }

    boxed_copy!();
}
