//! What can go wrong when a tree is read.

use crate::Key;

/// Result of a fallible read of a [`Value`](crate::Value).
pub type Result<T> = std::result::Result<T, Error>;

/// Why a [`Value`](crate::Value) could not be read as asked.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dict lacks a key that is required.
    #[error("key {key} is missing; present: {present}")]
    MissingKey {
        /// The key asked for, as Python prints it.
        key: Key,
        /// The keys that are there, as Python prints them.
        present: String,
    },
    /// A value is of another kind than the one required.
    #[error("expected {wanted}, found {found}")]
    WrongKind {
        /// The kind asked for.
        wanted: &'static str,
        /// The kind that is there.
        found: &'static str,
    },
}

/// The text, since this is what a `main` that returns an error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
