//! Numbers in a report.

use crate::words::rounded;
use std::fmt::{self, Display, Formatter};

/// Seven significant digits.
pub(crate) struct Short(pub(crate) f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        rounded(self.0, 7, f)
    }
}
