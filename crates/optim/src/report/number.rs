//! Numbers for reading.

use std::fmt::{self, Display, Formatter};

/// A number for reading: seven significant digits, small and large ones with an exponent.
pub(crate) struct Short(pub(crate) f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let x = self.0;
        let size = x.abs();
        if x == 0.0 || !x.is_finite() || (size < 1e7 && x.fract() == 0.0) {
            write!(f, "{x}")
        } else if (1e-3..1e7).contains(&size) {
            let digits = (6 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{x:.digits$}");
            let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            f.write_str(text)
        } else {
            let text = format!("{x:.6e}");
            match text.split_once('e') {
                Some((mantissa, exponent)) if mantissa.contains('.') => {
                    write!(f, "{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
                }
                _ => f.write_str(&text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (24.2, "24.2"),
            (0.1 + 0.2, "0.3"),
            (1e-9, "1e-9"),
            (0.38414253467, "0.3841425"),
            (-1234567.25, "-1234567"),
            (25.0, "25"),
            (f64::NAN, "NaN"),
            (1.23456789e12, "1.234568e12"),
        ];
        for (x, text) in cases {
            assert_eq!(Short(x).to_string(), text);
        }
    }
}
