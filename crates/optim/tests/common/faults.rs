//! What the planted-fault tests share.
#![allow(dead_code)] // every test file uses a part

use optim::diagnosis::{Cause, Certainty, Diagnosis, Finding};
use optim::{BoxError, Lbfgs, Optimizer};
use tape::Tensor;

pub type Outcome = Result<(), BoxError>;

pub fn leaf<const N: usize>(values: [f64; N]) -> Tensor {
    Tensor::from(values).requires_grad_(true)
}

pub fn leaf32<const N: usize>(values: [f32; N]) -> Tensor {
    Tensor::from(values).requires_grad_(true)
}

/// Diagnoses a closure that is as it should be, around this loss.
pub fn diagnose(optimizer: &Lbfgs, f: impl Fn() -> Tensor) -> Result<Diagnosis, BoxError> {
    Ok(optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = f();
        loss.backward()?;
        Ok(loss)
    })?)
}

/// The finding on top, which must be this one.
#[track_caller]
pub fn top(diagnosis: &Diagnosis, cause: Cause, certainty: Certainty) -> &Finding {
    let finding = diagnosis.findings().first().unwrap_or_else(|| panic!("{cause:?} is expected:\n{diagnosis}"));
    assert_eq!((finding.cause, finding.certainty), (cause, certainty), "\n{diagnosis}");
    assert!(!finding.evidence.is_empty() && finding.evidence.ends_with('.'), "{diagnosis}");
    assert!(!finding.remedy.is_empty() && finding.remedy.ends_with(['.', '?']), "{diagnosis}");
    finding
}

/// The text names all of this.
#[track_caller]
pub fn says(diagnosis: &Diagnosis, words: &[&str]) {
    let text = diagnosis.to_string();
    for word in words {
        assert!(text.contains(word), "'{word}' is missing:\n{text}");
    }
}
