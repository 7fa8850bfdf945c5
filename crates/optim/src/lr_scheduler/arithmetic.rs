//! Python's arithmetic where it differs from Rust's: what has no value is an error there, not NaN or infinity.

use crate::{Error, Result};

/// `a / b`.
pub(super) fn divide(a: f64, b: f64) -> Result<f64> {
    if b == 0.0 { Err(Error::Arithmetic("float division by zero")) } else { Ok(a / b) }
}

/// `a / b` of integers.
pub(super) fn ratio(a: i64, b: i64) -> Result<f64> {
    if b == 0 { Err(Error::Arithmetic("division by zero")) } else { Ok(a as f64 / b as f64) }
}

/// `a // b` of integers: rounded down.
pub(super) fn floor_divide(a: i64, b: i64) -> Result<f64> {
    let (a, b) = (i128::from(a), i128::from(b));
    if b == 0 {
        return Err(Error::Arithmetic("integer division or modulo by zero"));
    }
    let down = i128::from(a % b != 0 && (a < 0) != (b < 0));
    Ok((a / b - down) as f64)
}

/// Whether `a % b == 0`.
pub(super) fn divides(b: i128, a: i128) -> Result<bool> {
    if b == 0 { Err(Error::Arithmetic("integer modulo by zero")) } else { Ok(a % b == 0) }
}

/// `base ** exponent` with C's `pow`.
pub(super) fn power(base: f64, exponent: f64) -> Result<f64> {
    let power = base.powf(exponent);
    if base == 0.0 && exponent < 0.0 {
        return Err(Error::Arithmetic("0.0 cannot be raised to a negative power"));
    }
    if base.is_finite() && exponent.is_finite() {
        if power.is_infinite() {
            return Err(Error::Arithmetic("(34, 'Numerical result out of range')"));
        }
        if power.is_nan() {
            return Err(Error::Arithmetic("a negative number to a power that is no integer is complex"));
        }
    }
    Ok(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_division_rounds_down() {
        for (a, b, quotient) in [(7, 2, 3.0), (-7, 2, -4.0), (7, -2, -4.0), (-7, -2, 3.0), (-6, 2, -3.0), (0, -5, 0.0)]
        {
            assert_eq!(floor_divide(a, b).unwrap(), quotient, "{a} // {b}");
        }
        assert_eq!(floor_divide(i64::MIN, -1).unwrap(), 2_f64.powi(63));
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let text = |r: Result<f64>| r.unwrap_err().to_string();
        assert!(text(divide(1.0, 0.0)).starts_with("float division by zero"));
        assert!(text(ratio(1, 0)).starts_with("division by zero"));
        assert!(text(floor_divide(1, 0)).starts_with("integer division or modulo by zero"));
        assert!(divides(0, 1).is_err());
        assert!(text(power(0.0, -1.0)).starts_with("0.0 cannot be raised"));
        assert!(text(power(10.0, 400.0)).starts_with("(34,"));
        assert!(text(power(-1.0, 0.5)).contains("complex"));
        assert_eq!(power(f64::INFINITY, 2.0).unwrap(), f64::INFINITY);
        assert_eq!(power(0.0, 0.0).unwrap(), 1.0);
    }
}
