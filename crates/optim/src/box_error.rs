//! The error type of closures.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Deref;

/// Any error a closure or hook may return: `?` converts every error type that can be sent between threads.
///
/// It converts in turn, also by `?`, into `Box<dyn Error>`, which is what most `main` functions return. (A
/// plain `Box<dyn Error + Send + Sync>` would not.)
///
/// ```
/// use optim::BoxError;
/// use tape::Tensor;
///
/// fn square(p: &Tensor) -> Result<Tensor, BoxError> {
///     let loss = (p * p).sum();
///     loss.backward()?; // a tape::Error
///     if !loss.item().is_finite() {
///         return Err(BoxError::msg("the loss overflowed"));
///     }
///     Ok(loss)
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
///     assert_eq!(square(&p)?.item(), 5.0);
///     Ok(())
/// }
/// ```
pub struct BoxError(Box<dyn Error + Send + Sync>);

impl BoxError {
    /// An error that is a text.
    pub fn msg(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// An error that is boxed already.
    pub fn from_boxed(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error)
    }

    /// The error itself.
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

// Not an `Error` itself, or this would overlap with the conversion of a type into itself.
impl<E: Error + Send + Sync + 'static> From<E> for BoxError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<BoxError> for Box<dyn Error + Send + Sync> {
    fn from(error: BoxError) -> Self {
        error.0
    }
}

impl From<BoxError> for Box<dyn Error> {
    fn from(error: BoxError) -> Self {
        error.0
    }
}

impl Deref for BoxError {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Display for BoxError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// The text and that of every cause, since this is what a `main` that returns an error prints.
impl Debug for BoxError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
