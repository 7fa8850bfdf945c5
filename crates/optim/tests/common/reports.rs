//! What the tests of report texts share.
#![allow(dead_code)] // every test file uses a part

use optim::{BoxError, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, StepReport};
use tape::Tensor;

pub type Outcome = Result<(), BoxError>;

pub fn leaf<const N: usize>(values: [f64; N]) -> Tensor {
    Tensor::from(values).requires_grad_(true)
}

pub fn leaf32<const N: usize>(values: [f32; N]) -> Tensor {
    Tensor::from(values).requires_grad_(true)
}

/// One step with a closure that is as it should be, around this loss.
pub fn step(optimizer: &Lbfgs, f: impl Fn() -> Tensor) -> Result<StepReport, optim::Error> {
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = f();
        loss.backward()?;
        Ok(loss)
    })?;
    Ok(optimizer.report())
}

/// The same fault without and with a line search.
pub fn both(builder: impl Fn() -> LbfgsBuilder) -> Result<[Lbfgs; 2], optim::Error> {
    Ok([builder().build()?, builder().line_search_fn(LineSearch::StrongWolfe).build()?])
}

/// The text, which must be two to six lines that say all of this.
#[track_caller]
pub fn says(report: &StepReport, words: &[&str]) -> String {
    let text = report.to_string();
    println!("{text}\n");
    for word in words {
        assert!(text.contains(word), "'{word}' is missing:\n{text}");
    }
    assert!((2..=6).contains(&text.lines().count()), "{text}");
    text
}

/// The cause on top says all of this.
#[track_caller]
pub fn blames(report: &StepReport, words: &[&str]) {
    let text = says(report, &[]);
    let cause = text.lines().nth(1).unwrap_or_default();
    assert!(cause.starts_with("cause: ") || cause.starts_with("likely cause: "), "no cause:\n{text}");
    for word in words {
        assert!(cause.contains(word), "'{word}' is missing in the cause:\n{text}");
    }
}

/// Nothing is said to be wrong.
#[track_caller]
pub fn blames_nothing(report: &StepReport) -> String {
    let text = says(report, &[]);
    assert!(!text.contains("cause: "), "{text}");
    text
}
