//! Reports as JSON.
#![cfg(feature = "serde")]

mod common;

use common::{Outcome, rosenbrock, step};
use optim::{Lbfgs, LineSearch, StepReport};
use serde_json::{Value, json};
use tape::Tensor;

#[test]
fn a_report_is_an_object_of_its_fields() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("xy", &p)])
        .max_iter(5)
        .max_eval(100)
        .line_search_fn(LineSearch::StrongWolfe)
        .trace(true)
        .build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let report = optimizer.report();
    let json = serde_json::to_value(&report)?;
    assert!(serde_json::to_string(&report)?.contains("\"stop\":\"MaxIter\""));
    assert_eq!(json["stop"], json!("MaxIter"));
    assert_eq!(json["compared"]["option"], json!("max_iter"));
    assert_eq!((&json["compared"]["value"], &json["compared"]["limit"]), (&json!(5.0), &json!(5.0)));
    assert_eq!(json["evaluations"], json!(report.evaluations));
    assert_eq!(json["line_search_evaluations"], json!(report.line_search_evaluations));
    assert_eq!(json["final_loss"].as_f64().map(f64::to_bits), Some(report.final_loss.to_bits()));
    assert_eq!(json["first_step"]["parameters"], json!(1.2));
    assert_eq!(json["trace"].as_array().map(Vec::len), Some(report.iterations));
    assert_eq!(json["trace"][4]["loss"], json!(report.final_loss));
    assert!(json["closure_time"]["nanos"].is_u64());
    Ok(())
}

#[test]
fn numbers_that_are_unknown_are_null() -> Outcome {
    let json = serde_json::to_value(StepReport::default())?;
    assert_eq!(
        (&json["stop"], &json["final_loss"], &json["compared"]),
        (&json!("NotStarted"), &Value::Null, &Value::Null)
    );
    Ok(())
}
