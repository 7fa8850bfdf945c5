//! Numbers and counts in a finding.

use crate::words::rounded;
use std::fmt::{self, Display, Formatter};

/// Four significant digits.
pub(super) struct Short(pub(super) f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        rounded(self.0, 4, f)
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
    fn long_lists_are_cut() {
        let items: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        assert_eq!(list(&items), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(list(&items[..1]), "0");
    }
}
