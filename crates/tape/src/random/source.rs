//! Where random words come from: torch's generator, or one that the user brings.

/// A stream of random 32-bit words, from which every distribution here is built.
///
/// [`Generator`](super::Generator) implements it, and so does every closure that returns a `u32`. The
/// latter is how a generator from another crate plugs in, whatever its version: with the `rand` crate,
/// `Tensor::rand_with(&mut || rng.next_u32(), [3], DType::F32)`.
///
/// A type of your own needs only [`next_u32`](Source::next_u32):
///
/// ```
/// use tape::{DType, Tensor, random::Source};
///
/// struct XorShift(u32);
///
/// impl Source for XorShift {
///     fn next_u32(&mut self) -> u32 {
///         self.0 ^= self.0 << 13;
///         self.0 ^= self.0 >> 17;
///         self.0 ^= self.0 << 5;
///         self.0
///     }
/// }
///
/// let x = Tensor::rand_with(&mut XorShift(1), [2, 3], DType::F64);
/// assert_eq!(x.shape(), [2, 3]);
/// assert!(x.to_vec::<f64>().iter().all(|&v| (0.0..1.0).contains(&v)));
/// ```
pub trait Source {
    /// The next 32 uniformly distributed bits.
    fn next_u32(&mut self) -> u32;

    /// The next 64 bits: the first word drawn is the high half, as in torch.
    #[inline]
    fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        let low = u64::from(self.next_u32());
        (high << 32) | low
    }

    /// Hands out, and forgets, the spare normal value kept by
    /// [`keep_spare_normal`](Source::keep_spare_normal).
    fn take_spare_normal(&mut self) -> Option<f64> {
        None
    }

    /// Keeps the second value of a Box-Muller pair for the next single draw. By default it is dropped,
    /// which costs words but biases nothing.
    fn keep_spare_normal(&mut self, _value: f64) {}
}

impl<F: FnMut() -> u32> Source for F {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self()
    }
}
