//! Dropout: elements set to zero at random.

use crate::Tensor;

impl Tensor {
    /// In training, every element is zero with probability `p` and else divided by `1 - p`, so that the
    /// expectation stays; otherwise the tensor itself. What is kept is drawn from the process-wide generator
    /// as torch draws it (on a processor not of Intel's, whose library torch prefers where it can):
    /// `bernoulli_(1 - p)`, in the order in which the elements lie in memory.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let y = Tensor::ones(6, DType::F64).dropout(0.5, true);
    /// assert_eq!(y.to_vec::<f64>(), [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]); // torch's
    /// ```
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`, or the dtype is not floating point.
    #[track_caller]
    pub fn dropout(&self, p: impl Into<f64>, training: bool) -> Tensor {
        let p = p.into();
        if !(0.0..=1.0).contains(&p) {
            panic!("dropout: dropout probability has to be between 0 and 1, but got {p}");
        }
        if !self.dtype().is_floating_point() {
            panic!("dropout: not implemented for dtype {}; convert with float() or double() first", self.dtype());
        }
        if !training || p == 0.0 || self.numel() == 0 {
            return self.clone();
        }
        if p == 1.0 {
            return self.mul(0.0);
        }
        self.mul(crate::random::bernoulli_like(self, 1.0 - p).div(1.0 - p))
    }
}

#[cfg(test)]
mod tests {
    use crate::random::{Generator, get_rng_state, set_rng_state};
    use crate::{DType, Tensor};
    use std::sync::{Mutex, PoisonError};

    /// The generator is the process's own.
    static TURN: Mutex<()> = Mutex::new(());

    fn seeded(f: impl FnOnce() -> Tensor) -> Vec<f64> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let state = get_rng_state();
        set_rng_state(Generator::new(0));
        let out = f();
        set_rng_state(state);
        out.double().to_vec()
    }

    /// torch 2.8.0: `manual_seed(0); dropout(ones(10), 0.3)`, and of `ones(4, 5).t()`.
    #[test]
    fn the_mask_is_the_one_torch_draws() {
        let kept = f64::from(1.0f32 / 0.7);
        let mask = |y: Vec<f64>| -> Vec<u8> {
            y.into_iter().map(|y| if y == 0.0 { 0 } else { u8::from((y - kept).abs() < 1e-6) + 1 }).collect()
        };
        let ones = Tensor::ones(10, DType::F32);
        assert_eq!(mask(seeded(|| ones.dropout(0.3, true))), [0, 0, 2, 0, 2, 0, 2, 2, 2, 2]);
        let columns = Tensor::ones([4, 5], DType::F64).t();
        let expected = [0, 0, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 0, 2, 2, 2, 2, 2, 2, 0];
        assert_eq!(mask(seeded(|| columns.dropout(0.3, true))), expected);
    }

    #[test]
    fn the_gradient_passes_what_was_kept() {
        let x = Tensor::ones(50, DType::F64).requires_grad_(true);
        let y = x.dropout(0.4, true);
        (&y * 3.0).sum().backward().unwrap();
        let expected: Vec<f64> = y.to_vec::<f64>().iter().map(|y| y * 3.0).collect();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), expected);
        assert!(expected.contains(&0.0) && expected.contains(&(3.0 / 0.6)));
    }

    #[test]
    fn nothing_and_everything_are_dropped() {
        let x = Tensor::from([1.0, -2.0]);
        assert!(x.dropout(0.7, false).same(&x) && x.dropout(0, true).same(&x));
        assert_eq!(x.dropout(1, true).to_vec::<f64>(), [0.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "dropout probability has to be between 0 and 1, but got 1.5")]
    fn a_probability_above_one_is_refused() {
        Tensor::from([1.0]).dropout(1.5, true);
    }
}
