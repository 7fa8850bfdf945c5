//! Random numbers: torch's CPU generator, bit for bit.
//!
//! After `tape::manual_seed(seed)` every function here draws the numbers that torch 2.8 draws after
//! `torch.manual_seed(seed)` on a machine with AVX2 or AVX-512, on whatever processor this runs:
//!
//! ```
//! use tape::{DType, Tensor};
//!
//! tape::manual_seed(0);
//! let x = Tensor::rand([3], DType::F32); // uniform on [0, 1)
//! let n = Tensor::randn([2], DType::F32); // normal, mean 0, standard deviation 1
//! assert_eq!(x.to_vec::<f32>(), [0.4962566, 0.7682218, 0.08847743]);
//! assert_eq!(n.to_vec::<f32>(), [0.3643382, 0.13439633]);
//! ```
//!
//! # Where the numbers come from
//! Every entry point comes in two forms: [`Tensor::rand`](crate::Tensor::rand) draws from the generator
//! that the whole process shares, [`Tensor::rand_with`](crate::Tensor::rand_with) from the [`Source`] it is
//! handed: a [`Generator`] of your own (reproducible whatever other threads draw), or any other stream of
//! words, such as a closure around a generator of the `rand` crate. The functions on slices
//! ([`fill_uniform_f32`], [`fill_normal_f64`], ...) are the same draws without tensors.
//!
//! f64 normal numbers use the system's `log`, `cos` and `sin` (torch does too), so they repeat torch's bits
//! where that is the GNU C library, and may differ from them in the last place elsewhere.

mod bernoulli;
mod box_muller_f32;
mod distribution;
mod generator;
mod integer;
mod mt19937;
mod normal;
mod source;
mod tensor;
mod uniform;

pub(crate) use bernoulli::bernoulli_like;
pub use generator::{Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state, thread_uses};
pub use integer::{fill_randint, randperm};
pub use normal::{fill_normal_f32, fill_normal_f64, fill_normal_serial_f32, fill_normal_serial_f64};
pub use source::Source;
pub use uniform::{fill_uniform_f32, fill_uniform_f64, fill_uniform_range_f32, fill_uniform_range_f64};
