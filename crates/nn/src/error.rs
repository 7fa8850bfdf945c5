//! What can go wrong when a module is loaded.

use std::fmt::Write;

/// Result of loading a module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a state dict could not be loaded into a module. Texts begin with torch's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value is no dict.
    #[error("Expected state_dict to be dict-like, got {0}.")]
    NotADict(&'static str),
    /// The dict does not fit the module.
    #[error("{}", .0.text())]
    StateDict(StateDictError),
}

/// How a state dict and a module differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateDictError {
    /// The type of the module.
    pub module: String,
    /// What the module has and the dict lacks.
    pub missing_keys: Vec<String>,
    /// What the dict has and the module lacks.
    pub unexpected_keys: Vec<String>,
    /// A sentence for each value that is no tensor, or one of another shape.
    pub mismatches: Vec<String>,
}

impl StateDictError {
    fn text(&self) -> String {
        let quoted = |keys: &[String]| keys.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
        let mut text = format!("Error(s) in loading state_dict for {}:", self.module);
        let mut line = |line: String| write!(text, "\n\t{line}").expect("a string takes all text");
        if !self.missing_keys.is_empty() {
            line(format!("Missing key(s) in state_dict: {}. ", quoted(&self.missing_keys)));
        }
        if !self.unexpected_keys.is_empty() {
            line(format!("Unexpected key(s) in state_dict: {}. ", quoted(&self.unexpected_keys)));
        }
        self.mismatches.iter().cloned().for_each(&mut line);
        line("nothing was loaded".to_owned());
        text
    }
}
