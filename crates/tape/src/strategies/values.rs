//! The numbers in random tensors.

use proptest::prelude::*;
use std::ops::{Range, RangeInclusive};

/// Which numbers, and which not.
#[derive(Clone, Debug)]
pub(super) struct Values {
    kind: Kind,
    /// Places to keep away from, and how far.
    kinks: Vec<(f64, f64)>,
}

#[derive(Clone, Debug)]
enum Kind {
    Uniform(Range<f64>),
    IllScaled(RangeInclusive<i32>),
}

impl Default for Values {
    fn default() -> Self {
        Values { kind: Kind::Uniform(-2.0..2.0), kinks: Vec::new() }
    }
}

impl Values {
    pub fn uniform(&mut self, range: Range<f64>) {
        self.kind = Kind::Uniform(range);
    }

    pub fn ill_scaled(&mut self, exponents: RangeInclusive<i32>) {
        self.kind = Kind::IllScaled(exponents);
    }

    pub fn away_from(&mut self, kink: f64, margin: f64) {
        self.kinks.push((kink, margin));
    }

    /// `len` numbers.
    pub fn vector(&self, len: usize) -> BoxedStrategy<Vec<f64>> {
        proptest::collection::vec(self.number(), len).boxed()
    }

    fn number(&self) -> BoxedStrategy<f64> {
        let numbers = match &self.kind {
            Kind::Uniform(range) => range.clone().boxed(),
            Kind::IllScaled(exponents) => (exponents.clone(), 1.0..10.0, any::<bool>())
                .prop_map(|(exponent, mantissa, negative): (i32, f64, bool)| {
                    let magnitude = mantissa * 10f64.powi(exponent);
                    if negative { -magnitude } else { magnitude }
                })
                .boxed(),
        };
        if self.kinks.is_empty() {
            return numbers;
        }
        let kinks = self.kinks.clone();
        let clear = move |value: &f64| kinks.iter().all(|(kink, margin)| (value - kink).abs() >= *margin);
        numbers.prop_filter("too close to a kink", clear).boxed()
    }
}
