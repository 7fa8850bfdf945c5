//! Options on their way from a builder through a group to a step.

use crate::lbfgs::check_lr;
use crate::{Error, IntoParams, Param, Result};
use checkpoint::{Dict, Value};
use tape::{DType, Tensor};

/// What every builder holds: parameters, and the options in torch's order.
#[derive(Clone, Debug)]
pub(super) struct Builder {
    pub params: Vec<Param>,
    pub options: Dict,
}

impl Builder {
    pub fn new(params: impl IntoParams, defaults: Dict) -> Self {
        Self { params: params.into_params(), options: defaults }
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.options.insert(name, value);
    }
}

/// The options an optimizer is built with, and torch's checks of them.
pub(super) struct Checks<'a>(pub &'a Dict);

impl Checks<'_> {
    /// An option that builders set as a number.
    pub fn number(&self, name: &str) -> f64 {
        self.0.get(name).and_then(Value::as_float).unwrap_or(f64::NAN)
    }

    /// The two numbers of an option that is a pair.
    pub fn pair(&self, name: &str) -> [f64; 2] {
        let item = |i: usize| self.0.get(name).and_then(|pair| pair.get(i)?.as_float()).unwrap_or(f64::NAN);
        [item(0), item(1)]
    }

    /// The learning rate.
    pub fn lr(&self) -> Result<()> {
        check_lr(self.0.get("lr").unwrap_or(&Value::None))
    }

    /// `Invalid {label} value` unless `valid`.
    pub fn value(&self, name: &str, label: &'static str, valid: impl Fn(f64) -> bool) -> Result<()> {
        let number = self.number(name);
        if valid(number) {
            return Ok(());
        }
        let value = Value::from(number).to_string();
        Err(match label {
            "momentum" => Error::InvalidMomentum(value),
            "weight_decay" => Error::InvalidWeightDecay(value),
            name => Error::InvalidOption { name, value },
        })
    }

    /// An option that is neither negative nor NaN.
    pub fn not_negative(&self, name: &str, label: &'static str) -> Result<()> {
        self.value(name, label, |x| x >= 0.0)
    }

    /// Both decay rates lie in [0, 1).
    pub fn betas(&self) -> Result<()> {
        for (index, beta) in self.pair("betas").into_iter().enumerate() {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::InvalidBeta { index, value: Value::from(beta).to_string() });
            }
        }
        Ok(())
    }

    /// The checks that torch's Adam and its relatives begin with.
    pub fn adaptive(&self) -> Result<()> {
        self.lr()?;
        self.not_negative("eps", "epsilon")?;
        self.betas()?;
        self.not_negative("weight_decay", "weight_decay")
    }
}

/// The options of a group at the time of a step.
pub(super) struct Reader(pub Dict);

impl Reader {
    fn get(&self, name: &'static str) -> Result<&Value> {
        self.0.get(name).ok_or(Error::MissingOption(name))
    }

    fn wrong(name: &'static str, wanted: &'static str, found: &Value) -> Error {
        Error::WrongOption { name, wanted, found: found.to_string() }
    }

    pub fn number(&self, name: &'static str) -> Result<f64> {
        let value = self.get(name)?;
        number(value).ok_or_else(|| Self::wrong(name, "a number", value))
    }

    /// A flag; a number counts as Python counts it.
    pub fn flag(&self, name: &'static str) -> Result<bool> {
        let value = self.get(name)?;
        let flag = value.as_bool().or_else(|| number(value).map(|x| x != 0.0));
        flag.ok_or_else(|| Self::wrong(name, "a bool", value))
    }

    pub fn pair(&self, name: &'static str) -> Result<[f64; 2]> {
        let value = self.get(name)?;
        let numbers: Option<Vec<f64>> = value.as_list().and_then(|items| items.iter().map(number).collect());
        numbers.and_then(|pair| pair.try_into().ok()).ok_or_else(|| Self::wrong(name, "two numbers", value))
    }

    pub fn lr(&self) -> Result<Rate> {
        let value = self.number("lr")?;
        Ok(Rate { value, dtype: self.get("lr")?.as_tensor().map(Tensor::dtype) })
    }
}

/// A number, also one in a tensor of one element.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Tensor(tensor) if tensor.numel() == 1 => Some(tensor.item()),
        plain => plain.as_float(),
    }
}

/// A learning rate, or what was computed from one.
///
/// torch computes in double precision with a learning rate that is a number, and in single precision, operation
/// by operation, with one that is a `float32` tensor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    value: f64,
    /// Of the tensor, where it is one.
    dtype: Option<DType>,
}

impl Rate {
    pub fn get(self) -> f64 {
        self.value
    }

    pub fn is_tensor(self) -> bool {
        self.dtype.is_some()
    }

    fn is_single(self) -> bool {
        self.dtype == Some(DType::F32)
    }

    fn rounded(self, value: f64) -> f64 {
        if self.is_single() { f64::from(value as f32) } else { value }
    }

    // One operation on two `f32` in `f64`, then rounded, gives what the operation in `f32` gives.
    fn apply(self, constant: f64, f: impl Fn(f64, f64) -> f64) -> Self {
        Self { value: self.rounded(f(self.value, self.rounded(constant))), ..self }
    }

    pub fn times(self, factor: f64) -> Self {
        self.apply(factor, |x, y| x * y)
    }

    pub fn over(self, divisor: f64) -> Self {
        self.apply(divisor, |x, y| x / y)
    }

    pub fn plus(self, term: f64) -> Self {
        self.apply(term, |x, y| x + y)
    }

    /// `1 - self`
    pub fn complement(self) -> Self {
        self.apply(1.0, |x, y| y - x)
    }

    pub fn pow(self, exponent: f64) -> Self {
        let value = if self.is_single() {
            f64::from((self.value as f32).powf(exponent as f32))
        } else {
            self.value.powf(exponent)
        };
        Self { value, ..self }
    }
}

impl std::ops::Neg for Rate {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, ..self }
    }
}

/// Python's `x ** 0.5`: the C library's `pow`, which is not always the nearest number to the root. The exponent
/// is hidden from the compiler, which would take the root instead.
pub(super) fn python_root(x: f64) -> f64 {
    x.powf(std::hint::black_box(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four of the first 6000 bias corrections of Adam have a `pow(x, 0.5)` that is no correctly rounded root.
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))] // another C library rounds others
    fn pythons_root_is_pow_and_not_sqrt() {
        let differ: Vec<u32> = (1..6000)
            .filter(|&t| {
                let correction = 1.0 - 0.999_f64.powf(t.into());
                python_root(correction) != correction.sqrt()
            })
            .collect();
        assert_eq!(differ, [1270, 2582, 3069, 5458]);
    }

    #[test]
    fn rates_round_after_every_operation_where_they_are_single() {
        let single = Rate { value: 0.1_f32.into(), dtype: Some(DType::F32) };
        let expected = (1.0_f32 - 0.1 * 0.3 / 0.7 + 0.2).powf(0.75);
        let found = single.times(0.3).over(0.7).complement().plus(0.2).pow(0.75);
        assert_eq!(found.get(), f64::from(expected));
        let double = Rate { value: 0.1, dtype: None };
        let found = double.times(0.3).over(0.7).complement().plus(0.2).pow(0.75);
        assert_eq!(found.get(), (1.0 - 0.1 * 0.3 / 0.7 + 0.2_f64).powf(0.75));
        assert_eq!((-single).get(), -f64::from(0.1_f32));
    }
}
