//! Yes and no at random.

use super::Source;
use super::distribution::Distribution;
use super::generator::default_generator;
use super::uniform::unit_f64;
use crate::{Element, Tensor};

/// Fills `out` with ones of probability `p`, else zeros: `u < p` for a uniform `u` of 53 bits, whatever the
/// element type.
pub(super) fn fill_bernoulli<S: Source + ?Sized, T: Element>(source: &mut S, p: f64, out: &mut [T]) {
    for x in out {
        *x = T::from_i64(i64::from(unit_f64(source) < p));
    }
}

/// Ones of probability `p`, else zeros, in a new tensor like `model`, from the process-wide generator.
#[track_caller]
pub(crate) fn bernoulli_like(model: &Tensor, p: f64) -> Tensor {
    Distribution::bernoulli("bernoulli_", p).sample_like(&mut *default_generator(), model)
}

impl Tensor {
    /// Ones and zeros, each element of this tensor being the probability of a one: `u < p` for a uniform `u`
    /// of the tensor's dtype. The gradient is zero.
    ///
    /// torch draws the same numbers from the same seed.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let heads = Tensor::full(8, 0.5, DType::F32).bernoulli();
    /// assert_eq!(heads.to_vec::<f32>(), [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If a probability is not within `[0, 1]`, or the dtype is not floating point.
    #[track_caller]
    pub fn bernoulli(&self) -> Tensor {
        self.bernoulli_with(&mut *default_generator())
    }

    /// [`bernoulli`](Tensor::bernoulli) with the words of `source`.
    ///
    /// # Panics
    /// As [`bernoulli`](Tensor::bernoulli).
    #[track_caller]
    pub fn bernoulli_with<S: Source + ?Sized>(&self, source: &mut S) -> Tensor {
        let p = self.detach();
        let inside = p.ge(0.0).to_dtype(crate::DType::I64) * p.le(1.0).to_dtype(crate::DType::I64);
        if !inside.bool().all().item_as::<bool>() {
            panic!(
                "bernoulli: Expected p_in >= 0 && p_in <= 1 to be true, but got {p}; clamp(0.0, 1.0) the probabilities"
            );
        }
        p.rand_like_with(source).lt(&p).to_dtype(p.dtype())
    }

    /// Overwrites every element with one, with probability `p`, or zero, in the order in which the elements
    /// lie in memory. Any dtype.
    ///
    /// torch draws the same numbers from the same seed, but for processors of Intel's, where it uses that
    /// maker's library if it can.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let heads = Tensor::empty(8, DType::Bool).bernoulli_(0.5);
    /// assert_eq!(heads.long().to_vec::<i64>(), [0, 0, 1, 0, 0, 0, 1, 1]);
    /// ```
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`, or this is a leaf that requires grad while recording is on.
    #[track_caller]
    pub fn bernoulli_(&self, p: impl Into<f64>) -> Tensor {
        self.bernoulli_with_(&mut *default_generator(), p)
    }

    /// [`bernoulli_`](Tensor::bernoulli_) with the words of `source`.
    ///
    /// # Panics
    /// As [`bernoulli_`](Tensor::bernoulli_).
    #[track_caller]
    pub fn bernoulli_with_<S: Source + ?Sized>(&self, source: &mut S, p: impl Into<f64>) -> Tensor {
        let distribution = Distribution::bernoulli("bernoulli_", p.into());
        self.replace_("bernoulli_", |_| distribution.sample_over(source, self))
    }
}

#[cfg(test)]
mod tests {
    use crate::random::Generator;
    use crate::{DType, Tensor};

    /// torch 2.8.0: `manual_seed(0); empty(20, dtype).bernoulli_(0.5)`.
    #[test]
    fn every_dtype_draws_the_same() {
        let expected = [0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0];
        for dtype in [DType::F32, DType::F64, DType::I64, DType::Bool] {
            let x = Tensor::empty(20, dtype).bernoulli_with_(&mut Generator::new(0), 0.5);
            assert_eq!(x.long().to_vec::<i64>(), expected);
        }
    }

    /// torch 2.8.0: `manual_seed(0); bernoulli(full((20,), 0.5, dtype))`.
    #[test]
    fn probabilities_draw_in_their_own_precision() {
        let single = [1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1];
        let double = [0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0];
        for (dtype, expected) in [(DType::F32, single), (DType::F64, double)] {
            let x = Tensor::full(20, 0.5, dtype).bernoulli_with(&mut Generator::new(0));
            assert_eq!((x.dtype(), x.long().to_vec::<i64>()), (dtype, expected.to_vec()));
        }
        let sure = Tensor::from([0.0, 1.0]).bernoulli();
        assert_eq!(sure.to_vec::<f64>(), [0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "Expected p_in >= 0 && p_in <= 1 to be true")]
    fn a_probability_above_one_is_refused() {
        Tensor::from([0.5, 1.5]).bernoulli();
    }
}
