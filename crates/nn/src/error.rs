//! What can go wrong with a module at run time.

use std::fmt::Write;

/// Result of what may fail with a module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a module could not be loaded, or its gradients not be clipped. Texts begin with torch's.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value is no dict.
    #[error("Expected state_dict to be dict-like, got {0}.")]
    NotADict(&'static str),
    /// The dict does not fit the module.
    #[error("{}", .0.text())]
    StateDict(StateDictError),
    /// The norm of the gradients is infinite or NaN.
    #[error(
        "The total norm of order {norm_type:?} for gradients from `parameters` is non-finite, so it cannot be clipped. \
         To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False` \
         (here: NormOptions::new().error_if_nonfinite(false); no gradient was changed)"
    )]
    NonFiniteNorm {
        /// The order of the norm.
        norm_type: f64,
    },
    /// A vector has fewer elements than the parameters.
    #[error(
        "shape '{shape:?}' is invalid for input of size {left}: the vector has {vector} elements, the parameters have \
         {parameters}; nothing was written"
    )]
    VectorTooShort {
        /// The first parameter that does not fit.
        shape: Vec<usize>,
        /// How many elements were left for it.
        left: usize,
        /// The elements of the vector.
        vector: usize,
        /// The elements of all parameters.
        parameters: usize,
    },
    /// A vector has more elements than the parameters.
    #[error("the vector has {vector} elements, but the parameters have {parameters}; nothing was written")]
    VectorTooLong {
        /// The elements of the vector.
        vector: usize,
        /// The elements of all parameters.
        parameters: usize,
    },
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

/// The text, since this is what a `main` that returns an error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
