//! What one or two evaluations at the present point tell.

use super::finding::{Cause, Certainty, Finding, Findings};
use super::number::{Short, counted, list};
use super::probe::{Given, Probe, Sample, kind};
use super::restore::Kept;
use tape::{DType, Tensor};

/// Non-finite parameters, which no evaluation can make better, and mixed dtypes, which one can.
pub(super) fn parameters_are_broken(probe: &Probe<'_, '_>, findings: &mut Findings) -> bool {
    let narrow = probe.labels(|i| probe.params[i].tensor.dtype() == DType::F32);
    if !narrow.is_empty() && narrow.len() < probe.params.len() {
        let evidence = format!(
            "{} of {} parameters are f32 and the others f64: {}.",
            narrow.len(),
            probe.params.len(),
            list(&narrow)
        );
        let remedy = "One f32 parameter rounds the whole loss to f32: convert it.";
        findings.push(Finding::new(Cause::MixedPrecision, Certainty::Likely, evidence, remedy).about(narrow));
    }
    let broken = probe.labels(|i| probe.x[probe.params[i].range.clone()].iter().any(|x| !x.is_finite()));
    if broken.is_empty() {
        return false;
    }
    let evidence = format!("Parameters hold NaN or infinities: {}.", list(&broken));
    let remedy = "Start again from finite values; if a step made them, see its report, and use a line search or a \
                  lower lr.";
    findings.push(Finding::new(Cause::NonFiniteParameters, Certainty::Certain, evidence, remedy).about(broken));
    true
}

/// Compares the leaves that were reached with the parameters. Whether no parameter has a gradient to work with.
pub(super) fn no_gradients(probe: &Probe<'_, '_>, sample: &Sample, findings: &mut Findings) -> bool {
    findings.loss = sample.loss;
    let (own, foreign): (Vec<&Tensor>, Vec<&Tensor>) = sample.reached.iter().partition(|leaf| probe.owns(leaf));
    let is_own = |i: usize| own.iter().any(|leaf| leaf.same(&probe.params[i].tensor));
    let has_elements = |i: usize| !probe.params[i].range.is_empty();
    let without = |i: usize| has_elements(i) && sample.given[i] != Given::Fresh;
    let missing: Vec<usize> = (0..probe.params.len()).filter(|&i| without(i)).collect();
    let some_fresh = (0..probe.params.len()).any(|i| has_elements(i) && sample.given[i] == Given::Fresh);

    if own.is_empty() && !foreign.is_empty() && !written_by_hand(sample, &foreign, some_fresh) {
        findings.push(all_foreign(probe, &foreign));
        return true;
    }
    if sample.reached.is_empty() && !some_fresh {
        findings.push(nothing_reached(sample));
        return true;
    }
    let (cleared, missing): (Vec<usize>, Vec<usize>) = missing.into_iter().partition(|&i| is_own(i));
    if !cleared.is_empty() {
        let labels = probe.labels(|i| cleared.contains(&i));
        let evidence = format!(
            "backward() reached {} ({}), but no gradient is there when the closure returns.",
            counted(labels.len(), "parameter", "parameters"),
            list(&labels)
        );
        let remedy = "Call zero_grad before backward(), not after it.";
        findings.push(Finding::new(Cause::GradientsCleared, Certainty::Certain, evidence, remedy).about(labels));
    }
    partly_missing(probe, &missing, &foreign, findings);
    if missing.is_empty() && cleared.is_empty() && !own.is_empty() && !foreign.is_empty() {
        findings.push(also_foreign(&foreign));
    }
    !some_fresh
}

/// A closure may differentiate with respect to copies and hand the gradients over itself.
fn written_by_hand(sample: &Sample, foreign: &[&Tensor], some_fresh: bool) -> bool {
    let vanishes = |tensor: &Tensor| {
        let mut elements = vec![0.0; tensor.numel()];
        tensor.read_into(&mut elements);
        elements.iter().all(|g| *g == 0.0)
    };
    some_fresh
        && (sample.gradient.iter().any(|g| *g != 0.0)
            || foreign.iter().filter_map(|leaf| leaf.grad()).all(|gradient| vanishes(&gradient)))
}

fn all_foreign(probe: &Probe<'_, '_>, foreign: &[&Tensor]) -> Finding {
    let kinds: Vec<String> = foreign.iter().map(|leaf| kind(leaf)).collect();
    let evidence = format!(
        "backward() produced gradients for {} ({}), none of which belongs to this optimizer: it does not own them. \
         Its own {} got none.",
        counted(foreign.len(), "leaf tensor", "leaf tensors"),
        list(&kinds),
        counted(probe.params.len(), "parameter", "parameters"),
    );
    let remedy = "Were the parameters re-created after the optimizer was built? Build the optimizer after them, or \
                  write new values into the old tensors.";
    Finding::new(Cause::GradientsToForeignLeaves, Certainty::Certain, evidence, remedy)
        .with("foreign leaves", foreign.len() as f64)
        .about(probe.labels(|_| true))
}

fn also_foreign(foreign: &[&Tensor]) -> Finding {
    let kinds: Vec<String> = foreign.iter().map(|leaf| kind(leaf)).collect();
    let evidence = format!(
        "backward() also gave gradients to {} that this optimizer does not own ({}).",
        counted(foreign.len(), "leaf tensor", "leaf tensors"),
        list(&kinds)
    );
    let remedy = "They stay as they are; add them to the optimizer if they are to be trained, else detach them.";
    Finding::new(Cause::GradientsToForeignLeaves, Certainty::Possible, evidence, remedy)
        .with("foreign leaves", foreign.len() as f64)
}

fn nothing_reached(sample: &Sample) -> Finding {
    if sample.has_history {
        let evidence = "The loss has a history, but backward() reached no leaf and no parameter has a new gradient.";
        let remedy = "Call loss.backward() in the closure, each time.";
        return Finding::new(Cause::BackwardNotCalled, Certainty::Certain, evidence.into(), remedy);
    }
    let evidence = "The loss returned by the closure is not connected to any parameter: it has no history, and no \
                    parameter got a gradient.";
    let remedy = "Compute it inside of the closure from the parameters themselves, with requires_grad_(true), without \
                  detach(), item() or no_grad, and call backward() on it.";
    Finding::new(Cause::LossWithoutHistory, Certainty::Certain, evidence.into(), remedy)
}

/// Some parameters got gradients and these did not.
fn partly_missing(probe: &Probe<'_, '_>, missing: &[usize], foreign: &[&Tensor], findings: &mut Findings) {
    let mut spare: Vec<&Tensor> = foreign.to_vec();
    let mut twin = |i: usize| {
        let tensor = &probe.params[i].tensor;
        let same_kind = |leaf: &&Tensor| leaf.sizes() == tensor.sizes() && leaf.dtype() == tensor.dtype();
        spare.iter().position(same_kind).map(|found| spare.remove(found)).is_some()
    };
    let (replaced, missing): (Vec<usize>, Vec<usize>) = missing.iter().partition(|&&i| twin(i));
    if !replaced.is_empty() {
        let labels = probe.labels(|i| replaced.contains(&i));
        let evidence = format!(
            "No gradient reached {}, while backward() gave gradients to {} of the same dtype and shape that this \
             optimizer does not own.",
            list(&labels),
            counted(labels.len(), "leaf tensor", "leaf tensors")
        );
        let remedy = "Were these parameters re-created after the optimizer was built? Build the optimizer after them.";
        let count = labels.len() as f64;
        findings.push(
            Finding::new(Cause::GradientsToForeignLeaves, Certainty::Certain, evidence, remedy)
                .with("foreign leaves", count)
                .about(labels),
        );
    }
    let (unused, frozen): (Vec<usize>, Vec<usize>) =
        missing.into_iter().partition(|&i| probe.params[i].tensor.requires_grad());
    for (indices, certainty, why) in [
        (unused, Certainty::Certain, "The loss does not depend on them, or only through detach()"),
        (frozen, Certainty::Likely, "requires_grad is false for them"),
    ] {
        if indices.is_empty() {
            continue;
        }
        let labels = probe.labels(|i| indices.contains(&i));
        let evidence = format!(
            "{} of {} parameters have no gradient: {}. {why}.",
            labels.len(),
            probe.params.len(),
            list(&labels)
        );
        let remedy = "They are treated as constants; use them in the loss, or leave them out of the optimizer.";
        let count = labels.len() as f64;
        findings.push(
            Finding::new(Cause::MissingGradients, certainty, evidence, remedy)
                .with("without gradient", count)
                .about(labels),
        );
    }
}

/// A non-finite gradient of a finite loss ends the checks; gradients of exactly zero are noted.
pub(super) fn gradient_is_broken(probe: &Probe<'_, '_>, sample: &Sample, findings: &mut Findings) -> bool {
    let part = |i: usize| &sample.gradient[probe.params[i].range.clone()];
    findings.gradient_max = sample.gradient.iter().fold(0.0, |max, g| if g.abs() <= max { max } else { g.abs() });
    let broken = probe.labels(|i| part(i).iter().any(|g| !g.is_finite()));
    if !broken.is_empty() {
        let count = sample.gradient.iter().filter(|g| !g.is_finite()).count();
        let evidence = format!(
            "The loss is {}, but {} of the gradient are NaN or infinite: {}.",
            Short(sample.loss),
            counted(count, "element", "elements"),
            list(&broken)
        );
        let remedy = "Look for a derivative that is infinite where the value is not: sqrt, norm or pow at 0, log of a \
                      probability that is 0, a division in the branch that where() does not take.";
        findings.push(
            Finding::new(Cause::NonFiniteGradient, Certainty::Certain, evidence, remedy)
                .with("elements", count as f64)
                .about(broken),
        );
        return true;
    }
    let vanishes =
        |i: usize| sample.given[i] == Given::Fresh && !part(i).is_empty() && part(i).iter().all(|g| *g == 0.0);
    let zero = probe.labels(vanishes);
    if !zero.is_empty() && sample.gradient.iter().any(|g| *g != 0.0) {
        let evidence = format!("The gradient is exactly zero for {}, but not for the other parameters.", list(&zero));
        let remedy = "Look for dead units, a factor of zero in front, or a part of the loss that is switched off.";
        findings.push(Finding::new(Cause::ZeroGradients, Certainty::Possible, evidence, remedy).about(zero));
    }
    let wide = probe.params.iter().all(|param| param.tensor.dtype() == DType::F64);
    if wide && sample.dtype == DType::F32 {
        let evidence = "The parameters are f64, but the loss is f32.".to_owned();
        let remedy = "Look for a conversion to f32 in the closure, and make its data f64.";
        findings.push(Finding::new(Cause::MixedPrecision, Certainty::Likely, evidence, remedy));
    }
    false
}

/// The closure itself has changed parameters.
pub(super) fn meddling(labels: &[String]) -> Finding {
    let evidence = format!("The closure changes the parameters it is to be evaluated at: {}.", list(labels));
    let remedy = "Leave moving them to the optimizer: clamp, normalise or project copies inside of the loss, or do it \
                  between two steps.";
    Finding::new(Cause::ClosureMovesParameters, Certainty::Certain, evidence, remedy).about(labels.to_vec())
}

/// Two evaluations at one point should agree. Whether they differ so much that nothing else can be measured.
pub(super) fn differs(
    probe: &Probe<'_, '_>,
    kept: &Kept,
    first: &Sample,
    second: &Sample,
    findings: &mut Findings,
) -> bool {
    let same_loss = first.loss.to_bits() == second.loss.to_bits();
    if same_loss {
        let growing: Vec<usize> =
            (0..probe.params.len()).filter(|&i| accumulates(probe, kept, first, second, i)).collect();
        if !growing.is_empty() {
            findings.push(accumulation(probe, first, second, &growing));
            return true;
        }
    }
    let loss_gap = (first.loss - second.loss).abs();
    let gaps = first.gradient.iter().zip(&second.gradient).map(|(a, b)| (a - b).abs());
    let gradient_gap = gaps.fold(0.0, f64::max);
    let gradient_max = first.gradient.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
    if same_loss && gradient_gap == 0.0 {
        return false;
    }
    let eps = first.dtype.eps().unwrap_or(f64::EPSILON);
    // Threads that add up in another order each time differ by a few units in the last place.
    let rounding = 256.0 * eps;
    let small = loss_gap <= rounding * first.loss.abs() && gradient_gap <= rounding * gradient_max;
    let evidence = format!(
        "Two evaluations at the same point differ: the loss by {} (of {}), the gradient by up to {} (of {}).",
        Short(loss_gap),
        Short(first.loss),
        Short(gradient_gap),
        Short(gradient_max)
    );
    let (certainty, remedy) = if !small {
        (
            Certainty::Certain,
            "The closure is not deterministic; L-BFGS needs one function: the same batch and no dropout, noise or \
             other randomness within a step.",
        )
    } else {
        (Certainty::Possible, "This is at the level of rounding: an order of summation that changes, perhaps.")
    };
    findings.push(
        Finding::new(Cause::StochasticClosure, certainty, evidence, remedy)
            .with("loss difference", loss_gap)
            .with("gradient difference", gradient_gap),
    );
    !small
}

/// Whether the closure added the same gradient twice to what was there: `g2 - g1 = g1 - g0`.
fn accumulates(probe: &Probe<'_, '_>, kept: &Kept, first: &Sample, second: &Sample, i: usize) -> bool {
    let range = probe.params[i].range.clone();
    let mut before = kept.gradient(i).unwrap_or_else(|| vec![0.0; range.len()]);
    before.iter_mut().for_each(|g| *g *= probe.sign);
    let (mut added, mut unequal) = (0.0_f64, 0.0_f64);
    for ((g0, g1), g2) in before.iter().zip(&first.gradient[range.clone()]).zip(&second.gradient[range]) {
        added = added.max((g2 - g1).abs());
        unequal = unequal.max((g2 - 2.0 * g1 + g0).abs());
    }
    added > 0.0 && unequal <= 1e-3 * added
}

fn accumulation(probe: &Probe<'_, '_>, first: &Sample, second: &Sample, growing: &[usize]) -> Finding {
    let labels = probe.labels(|i| growing.contains(&i));
    let largest = |sample: &Sample| {
        let parts = growing.iter().flat_map(|&i| &sample.gradient[probe.params[i].range.clone()]);
        parts.fold(0.0_f64, |max, g| max.max(g.abs()))
    };
    let (one, two) = (largest(first), largest(second));
    let evidence = format!(
        "At the same point and with the same loss, max|g| went from {} to {} between two evaluations: gradients are \
         accumulating ({}).",
        Short(one),
        Short(two),
        list(&labels)
    );
    let remedy = "Call zero_grad inside the closure, before backward().";
    Finding::new(Cause::AccumulatingGradients, Certainty::Certain, evidence, remedy)
        .with("first gradient", one)
        .with("second gradient", two)
        .about(labels)
}
