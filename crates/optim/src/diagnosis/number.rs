//! Numbers as they are read in a sentence.

use std::fmt::{self, Display, Formatter};

/// Four significant digits; large and small numbers with an exponent.
pub(super) struct Short(pub(super) f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let x = self.0;
        if !x.is_finite() || (x.fract() == 0.0 && x.abs() < 1e5) {
            return write!(f, "{x}");
        }
        let rounded = format!("{x:.3e}");
        let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
        match exponent.parse::<i32>() {
            Ok(power @ -3..=4) => {
                let digits = usize::try_from(3 - power).unwrap_or(0);
                let text = format!("{x:.digits$}");
                let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
                f.write_str(text)
            }
            _ => write!(f, "{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.')),
        }
    }
}

/// `1 loss`, `2 losses`: a count with its noun.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first few of a list, and how many more there are.
pub(super) fn list(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN {
        text.push_str(&format!(" and {} more", items.len() - SHOWN));
    }
    text
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
            (0.38414253467, "0.3841"),
            (-0.0012345, "-0.001234"),
            (123456.0, "1.235e5"),
            (54321.5, "54322"),
            (25.0, "25"),
            (f64::NAN, "NaN"),
            (1.23456789e12, "1.235e12"),
        ];
        for (x, text) in cases {
            assert_eq!(Short(x).to_string(), text);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let items: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        assert_eq!(list(&items), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(list(&items[..1]), "0");
    }
}
