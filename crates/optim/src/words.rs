//! Numbers as they are read in a sentence.

use std::fmt::{self, Formatter};

/// Writes so many significant digits; large and small numbers get an exponent, whole ones no point.
pub(crate) fn rounded(x: f64, digits: usize, f: &mut Formatter<'_>) -> fmt::Result {
    let whole = x.fract() == 0.0 && x.abs() < 10_f64.powi(digits as i32 + 1);
    if !x.is_finite() || whole {
        return write!(f, "{x}");
    }
    let text = format!("{x:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>() {
        Ok(power) if (-3..=digits as i32).contains(&power) => {
            let decimals = usize::try_from(digits as i32 - 1 - power).unwrap_or(0);
            f.write_str(without_zeros(&format!("{x:.decimals$}")))
        }
        _ => write!(f, "{}e{exponent}", without_zeros(mantissa)),
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Display;

    struct Number(f64, usize);

    impl Display for Number {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            rounded(self.0, self.1, f)
        }
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (24.2, 7, "24.2"),
            (0.1 + 0.2, 7, "0.3"),
            (1e-9, 7, "1e-9"),
            (0.38414253467, 7, "0.3841425"),
            (-1234567.25, 7, "-1234567"),
            (25.0, 7, "25"),
            (f64::NAN, 7, "NaN"),
            (1.23456789e12, 7, "1.234568e12"),
            (9_999_999.96, 7, "10000000"),
            (0.0, 7, "0"),
            (0.38414253467, 4, "0.3841"),
            (-0.0012345, 4, "-0.001234"),
            (0.00099999, 4, "0.001"),
            (123456.0, 4, "1.235e5"),
            (54321.5, 4, "54322"),
            (f64::NEG_INFINITY, 4, "-inf"),
            (1.23456789e12, 4, "1.235e12"),
        ];
        for (x, digits, text) in cases {
            assert_eq!(Number(x, digits).to_string(), text);
        }
    }
}
