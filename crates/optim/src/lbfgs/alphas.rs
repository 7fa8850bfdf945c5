//! torch's list `al`.

use super::state::{load_scalar, scalar};
use crate::Result;
use crate::base::wrong_kind;
use checkpoint::Value;
use tape::Float;

/// A saved list is not padded beyond this length: nobody stores so many pairs.
const PADDED: usize = 1 << 18;

/// The factors `alpha_i` of the last two-loop recursion, in a list that torch makes once, with as many places as
/// `history_size` has then. Only places that were used take memory.
#[derive(Clone, Debug)]
pub(crate) struct Alphas<T> {
    pub(super) places: usize,
    factors: Vec<Option<T>>,
}

impl<T: Float> Alphas<T> {
    pub(super) fn new(places: usize) -> Self {
        Self { places, factors: Vec::new() }
    }

    /// Room for so many pairs, if the list is long enough.
    pub(super) fn room(&mut self, pairs: usize) -> Option<&mut [Option<T>]> {
        if self.factors.len() < pairs {
            self.factors.resize(pairs, None);
        }
        (pairs <= self.places).then_some(&mut self.factors)
    }

    pub(super) fn clear(&mut self) {
        self.factors.clear();
    }

    pub(super) fn save(&self) -> Value {
        let length = self.places.min(PADDED.max(self.factors.len()));
        let factors = self.factors.iter().map(|alpha| Value::from(alpha.map(scalar)));
        factors.chain(std::iter::repeat(Value::None)).take(length).collect()
    }

    pub(super) fn load(saved: &Value) -> Result<Self> {
        let places = saved.as_list().ok_or_else(|| wrong_kind("a list", saved))?;
        let used = places.iter().rposition(|alpha| !alpha.is_none()).map_or(0, |last| last + 1);
        let read = |alpha: &Value| if alpha.is_none() { Ok(None) } else { load_scalar(alpha).map(Some) };
        Ok(Self { places: places.len(), factors: places[..used].iter().map(read).collect::<Result<_>>()? })
    }
}
