//! Replays cases and compares.

use crate::case::{Case, cases};
use crate::registry::Call;
use crate::{SECTIONS, different};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wolfe::prelude::*;

/// Replays the cases of a section; fails with all differences at once.
pub fn replay(section: &str) {
    let (_, modules) = SECTIONS.iter().find(|(name, _)| *name == section).expect("a section of the list");
    let find = |name: &str| modules.iter().copied().flatten().find(|(entry, _)| *entry == name);
    let (mut failures, mut count, mut failed) = (vec![], 0, 0);
    for case in cases().filter(|case| case.section() == section) {
        let problems = match find(case.operation()) {
            Some((_, call)) => unlisted(case, problems(case, *call)),
            None => vec!["no such operation in this module".into()],
        };
        count += 1;
        failed += usize::from(!problems.is_empty());
        failures.extend(problems.iter().map(|problem| format!("{}: {problem}", case.name())));
    }
    assert!(count > 0, "the file has no section {section}");
    let failures = failures.join("\n");
    assert!(failures.is_empty(), "{failed} of {count} cases of {section} differ from torch:\n{failures}");
}

/// The problems that are not listed as deliberate, and what is listed without being one.
fn unlisted(case: Case, problems: Vec<String>) -> Vec<String> {
    let stale = different::of_case(case.name()).filter(|what| !problems.iter().any(|p| p.starts_with(what)));
    let stale = stale.map(|what| format!("the {what} is listed as different from torch's, but is not"));
    let stale: Vec<_> = stale.collect();
    problems.into_iter().filter(|problem| !different::is_listed(case.name(), problem)).chain(stale).collect()
}

/// What is wrong with a case, a panic included.
fn problems(case: Case, operation: fn(&Call) -> Vec<Tensor>) -> Vec<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| check(case, operation)));
    outcome.unwrap_or_else(|payload| vec![format!("panicked: {}", message(&*payload))])
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or(payload.downcast_ref::<&str>().copied()).unwrap_or("(no text)")
}

/// The differences of one case.
fn check(case: Case, operation: fn(&Call) -> Vec<Tensor>) -> Vec<String> {
    let call = case.call();
    let tolerance = Tolerance::of(case, &call);
    let outputs = operation(&call);
    let expected = case.outputs();
    if outputs.len() != expected.len() {
        return vec![format!("{} outputs are expected, found {}", expected.len(), outputs.len())];
    }
    let mut problems = vec![];
    for (k, (found, expected)) in outputs.iter().zip(&expected).enumerate() {
        let close = Close { tolerance: tolerance.values, floor: tolerance.floor, signed_zero: case.signed_zero() };
        problems.extend(close.compare(found, expected).map(|problem| format!("output {k}: {problem}")));
    }
    let Some(first) = case.gradients("gradients") else {
        return problems;
    };
    let weighted = |(k, out): (usize, &Tensor)| (weights(out, k) * out).sum();
    let total = outputs.iter().enumerate().filter(|(_, out)| out.requires_grad()).map(weighted).reduce(|a, b| a + b);
    let found = match gradients(total.as_ref(), &call.inputs) {
        Ok(found) => found,
        Err(problem) => return [problems, vec![format!("gradient: {problem}")]].concat(),
    };
    problems.extend(compare_gradients("gradient", &found, &first, tolerance.gradients));
    let Some(second) = case.gradients("second") else {
        return problems;
    };
    if second.iter().any(Option::is_some) && !found.iter().flatten().any(Tensor::requires_grad) {
        problems.push("second gradient: the first one is a constant".into());
        return problems;
    }
    let squares = found.iter().flatten().filter(|g| g.requires_grad()).map(|g| (g * g).sum());
    match gradients(squares.reduce(|a, b| a + b).as_ref(), &call.inputs) {
        Ok(found) => problems.extend(compare_gradients("second gradient", &found, &second, tolerance.second)),
        Err(problem) => problems.push(format!("second gradient: {problem}")),
    }
    problems
}

/// `w_k` of the script: cos(0.7 j + 1.3 k + 0.3).
fn weights(out: &Tensor, k: usize) -> Tensor {
    let weight = |j: usize| (0.7 * j as f64 + 1.3 * k as f64 + 0.3).cos();
    Tensor::from_vec((0..out.numel()).map(weight).collect(), out.shape()).to_dtype(out.dtype())
}

/// The gradients of a sum, one slot for each input; none at all where there is no history.
fn gradients(total: Option<&Tensor>, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, String> {
    let wanted: Vec<&Tensor> = inputs.iter().filter(|x| x.requires_grad()).collect();
    let Some(total) = total.filter(|total| total.requires_grad()) else {
        return Ok(vec![None; inputs.len()]);
    };
    let found = grad(total, &wanted[..]).create_graph(true).allow_unused(true).compute().map_err(|e| e.to_string())?;
    let mut found = found.into_iter();
    Ok(inputs.iter().map(|x| if x.requires_grad() { found.next().flatten() } else { None }).collect())
}

fn compare_gradients(what: &str, found: &[Option<Tensor>], expected: &[Option<Tensor>], tolerance: f64) -> Vec<String> {
    // Sums of cancelling terms have an absolute error.
    let close = Close { tolerance, floor: 1.0, signed_zero: false };
    let compare = |found: &Option<Tensor>, expected: &Option<Tensor>| match (found, expected) {
        (None, None) => None,
        (Some(found), Some(expected)) => close.compare(found, expected),
        // Which zero gradients are made and which are left out is nobody's promise.
        (Some(found), None) => close.compare(found, &found.zeros_like()),
        (None, Some(expected)) => close.compare(&expected.zeros_like(), expected),
    };
    let pairs = found.iter().zip(expected).enumerate();
    pairs.filter_map(|(k, (f, e))| compare(f, e).map(|problem| format!("{what} of input {k}: {problem}"))).collect()
}

/// How far values, gradients and second gradients may be from torch's, relatively.
struct Tolerance {
    values: f64,
    /// What values are relative to if they are smaller.
    floor: f64,
    gradients: f64,
    second: f64,
}

impl Tolerance {
    /// Single precision if any input or output is: torch's own error is several units of the last place.
    fn of(case: Case, call: &Call) -> Tolerance {
        let outputs = case.outputs();
        let (floor, values, gradients): (f64, f64, f64) = match case.operation() {
            // Decompositions multiply the error of the largest element by the condition of their matrix.
            _ if case.section() == "linalg" => (1.0, 1e2, 1e2),
            // torch's polygamma functions are exact to nine digits only, and derivatives of these.
            "lgamma" | "digamma" | "mvlgamma" => (0.0, 1.0, 1e3),
            "polygamma" => (0.0, 1e3, 1e3),
            // torch's slope of 1/6 is a single-precision one.
            "hardsigmoid" => (0.0, 1.0, 1e4),
            _ => (0.0, 1.0, 1.0),
        };
        if call.inputs.iter().chain(&outputs).any(|x| x.dtype() == DType::F32) {
            return Tolerance { values: 3e-6, floor: floor.max(0.25), gradients: 1e-5, second: 5e-5 };
        }
        Tolerance { values: 1e-12 * values, floor, gradients: 1e-11 * gradients, second: 1e-10 * gradients }
    }
}

/// A comparison: relative to the expected number, or to `floor` if that is larger.
struct Close {
    tolerance: f64,
    floor: f64,
    signed_zero: bool,
}

impl Close {
    fn compare(&self, found: &Tensor, expected: &Tensor) -> Option<String> {
        if found.dtype() != expected.dtype() || found.shape() != expected.shape() {
            let kind = |x: &Tensor| format!("{} {:?}", x.dtype(), x.shape());
            return Some(format!("{} is expected, found {}", kind(expected), kind(found)));
        }
        if !expected.dtype().is_floating_point() {
            let (found, expected) = (found.long().to_vec::<i64>(), expected.long().to_vec::<i64>());
            return (found != expected).then(|| format!("expected {expected:?}, found {found:?}"));
        }
        let (found, expected) = (found.double().to_vec::<f64>(), expected.double().to_vec::<f64>());
        let largest = expected.iter().filter(|x| x.is_finite()).fold(0.0_f64, |m, x| m.max(x.abs())).min(1.0);
        let equal = |(&found, &expected): (&f64, &f64)| {
            if expected.is_nan() {
                return found.is_nan();
            }
            if self.signed_zero && expected == 0.0 {
                return found == 0.0 && found.is_sign_negative() == expected.is_sign_negative();
            }
            let scale = expected.abs().max(self.floor).max(largest * 0.1);
            found == expected || (found - expected).abs() <= self.tolerance * scale && expected.is_finite()
        };
        let wrong: Vec<usize> =
            found.iter().zip(&expected).enumerate().filter(|(_, p)| !equal(*p)).map(|(k, _)| k).collect();
        (!wrong.is_empty()).then(|| format!("expected {expected:?}, found {found:?}, differing at {wrong:?}"))
    }
}

#[test]
fn comparisons_see_every_difference() {
    let close = Close { tolerance: 1e-12, floor: 0.0, signed_zero: false };
    let differ = |found: Tensor, expected: Tensor| close.compare(&found, &expected).is_some();
    assert!(!differ(
        Tensor::from([1.0, f64::NAN, f64::INFINITY]),
        Tensor::from([1.0 + 1e-15, f64::NAN, f64::INFINITY])
    ));
    assert!(differ(Tensor::from([1.0 + 1e-11]), Tensor::from([1.0])));
    assert!(differ(Tensor::from([1.001e-20]), Tensor::from([1e-20])));
    assert!(differ(Tensor::from([0.0]), Tensor::from([f64::NAN])));
    assert!(differ(Tensor::from([f64::NAN]), Tensor::from([0.0])));
    assert!(differ(Tensor::from([f64::INFINITY]), Tensor::from([f64::NEG_INFINITY])));
    assert!(differ(Tensor::from([f64::MAX]), Tensor::from([f64::INFINITY])));
    assert!(differ(Tensor::from([1.0f32]), Tensor::from([1.0])));
    assert!(differ(Tensor::from([[1.0]]), Tensor::from([1.0])));
    assert!(differ(Tensor::from([1i64]), Tensor::from([2i64])));
    assert!(!differ(Tensor::from([-0.0]), Tensor::from([0.0])));
    assert!(Close { signed_zero: true, ..close }.compare(&Tensor::from([-0.0]), &Tensor::from([0.0])).is_some());
}

#[test]
fn gradients_left_out_are_zeros_and_nothing_else() {
    let zero = || vec![Some(Tensor::from([0.0]))];
    let other = |x: f64| vec![Some(Tensor::from([x]))];
    let differ = |found: &[_], expected: &[_]| !compare_gradients("", found, expected, 1e-9).is_empty();
    assert!(!differ(&zero(), &[None]) && !differ(&[None], &zero()) && !differ(&[None], &[None]));
    for x in [1.0, f64::NAN] {
        assert!(differ(&other(x), &[None]) && differ(&[None], &other(x)) && differ(&zero(), &other(x)));
    }
}
