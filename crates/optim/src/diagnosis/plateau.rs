//! Points where the loss says nothing: not finite, flat, or stationary.

use super::finding::{Cause, Certainty, Finding, Findings};
use super::line::{Line, random_signs};
use super::number::{Short, list};
use super::point::{Base, scaled};
use super::probe::{Failed, Probe, Sample};
use tape::DType;

/// The loss at the present point is not finite: says so, and whether it would be nearer to zero.
pub(super) fn non_finite(probe: &mut Probe<'_, '_>, sample: &Sample, findings: &mut Findings) -> Result<(), Failed> {
    let largest = probe.x.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    let narrow = probe.tensors().any(|tensor| tensor.dtype() == DType::F32) || sample.dtype == DType::F32;
    // Logarithms of the largest numbers.
    let (name, limit) = if narrow { ("f32", 88.72) } else { ("f64", 709.78) };
    let mut evidence = format!("The loss at the present point is {}.", sample.loss);
    if largest > limit {
        evidence.push_str(&format!(
            " The largest element of the parameters is {}, and exp() overflows in {name} above {limit}.",
            Short(largest)
        ));
    }
    let mut remedy = "Start where the loss is finite, or write it so that nothing overflows (log_softmax, logsumexp, \
                      sigmoid and softplus instead of exp; a small number added inside of log and sqrt, or below a \
                      fraction)."
        .to_owned();
    let mut finding_at = None;
    if largest > 0.0 {
        for factor in [0.5, 0.1, 0.01] {
            let nearer = probe.at(&scaled(factor - 1.0, &probe.x.clone()))?;
            if nearer.loss.is_finite() {
                evidence
                    .push_str(&format!(" With all parameters multiplied by {factor} it is {}.", Short(nearer.loss)));
                remedy = format!("The starting point is too far out: begin with smaller parameters. Or: {remedy}");
                finding_at = Some(factor);
                break;
            }
        }
    }
    let finding =
        Finding::new(Cause::NonFiniteLoss, Certainty::Certain, evidence, remedy).with("largest element", largest);
    findings.push(match finding_at {
        Some(factor) => finding.with("finite at factor", factor),
        None => finding,
    });
    Ok(())
}

/// Whether the gradient vanishes, so that there is nothing more to measure: a plateau, a saddle, a minimum.
pub(super) fn check(
    probe: &mut Probe<'_, '_>,
    base: &Base,
    line: &Line,
    findings: &mut Findings,
) -> Result<bool, Failed> {
    let steepest = base.gradient_max();
    if line.is_unchanged(base) && base.scaled_gradient() <= base.eps * base.loss.abs() {
        findings.checked("plateaus");
        findings.push(flat(probe, base, line)?);
        return Ok(true);
    }
    if steepest > 0.0 {
        return Ok(false);
    }
    let (plus, minus) = (line.pair.plus.change, line.pair.minus.change);
    let finding = if plus.min(minus) < -line.pair.noise {
        let evidence = format!(
            "The gradient is exactly zero, but the loss falls by {} within {}: a saddle or a maximum, which L-BFGS \
             takes for a minimum.",
            Short(-plus.min(minus)),
            Short(line.pair.plus.length)
        );
        let remedy = "Start elsewhere: initial values that are all equal or all zero often are such points; draw them \
                      at random.";
        Finding::new(Cause::StationaryPoint, Certainty::Likely, evidence, remedy)
    } else {
        let evidence =
            format!("The gradient is exactly zero and the loss {} does not fall nearby: a minimum.", Short(base.loss));
        Finding::new(Cause::AtMinimum, Certainty::Possible, evidence, "Nothing is left to do.")
    };
    findings.push(finding);
    Ok(true)
}

/// The loss is constant nearby and the gradient vanishes: looks farther away.
fn flat(probe: &mut Probe<'_, '_>, base: &Base, line: &Line) -> Result<Finding, Failed> {
    let mut steps = Vec::new();
    if probe.x.iter().any(|x| *x != 0.0) {
        // Functions saturate far out, so the way to look first is back.
        steps.extend([scaled(-0.5, &probe.x), scaled(-0.9, &probe.x)]);
    }
    let signs = random_signs(base);
    let across: Vec<f64> = signs.iter().zip(&base.scale).map(|(sign, scale)| sign * scale.max(1.0)).collect();
    steps.extend([scaled(-1.0, &across), across]);
    let mut losses = Vec::new();
    for step in steps {
        let sample = probe.at(&step)?;
        if sample.loss.is_finite() {
            losses.push(sample.loss);
        }
    }
    let steepest = base.gradient_max();
    let lowest = losses.iter().fold(f64::INFINITY, |min, loss| min.min(*loss));
    let highest = losses.iter().fold(f64::NEG_INFINITY, |max, loss| max.max(*loss));
    let here = format!(
        "The loss is {} here and everywhere within {}, with max|g| = {}",
        Short(base.loss),
        Short(line.pair.plus.length),
        Short(steepest)
    );
    let remedy = "Start elsewhere, where the loss has a slope: smaller initial values, inputs scaled to about 1; or \
                  write the loss with functions that do not saturate (logits and log_softmax).";
    let large = list(&probe.labels(|i| {
        let part = &probe.x[probe.params[i].range.clone()];
        part.iter().any(|x| x.abs() > 8.0)
    }));
    let large = if large.is_empty() { String::new() } else { format!(" Elements beyond 8 are in {large}.") };
    if lowest < base.loss - base.noise(base.loss) {
        let certainty = if steepest == 0.0 { Certainty::Certain } else { Certainty::Likely };
        let evidence = format!(
            "{here}, but farther away it is lower by {}: the starting point lies on a plateau, where a function is \
             saturated.{large}",
            Short(base.loss - lowest)
        );
        return Ok(Finding::new(Cause::FlatLoss, certainty, evidence, remedy)
            .with("loss", base.loss)
            .with("lower loss", lowest));
    }
    if highest > base.loss + base.noise(highest) {
        let evidence = format!("{here}, and higher farther away: a flat minimum.");
        return Ok(Finding::new(Cause::AtMinimum, Certainty::Possible, evidence, "Nothing is left to do."));
    }
    let evidence = format!("{here}, and the same farther away: it does not depend on the parameters.{large}");
    let remedy = format!("Look for a factor of zero, sign(), round() or a comparison in the loss. Or: {remedy}");
    Ok(Finding::new(Cause::FlatLoss, Certainty::Likely, evidence, remedy).with("loss", base.loss))
}

/// Whether the loss is much lower some way along `-g`, although the gradient is small: a plateau with a slope.
pub(super) fn lower_downhill(probe: &mut Probe<'_, '_>, base: &Base) -> Result<Option<(f64, f64)>, Failed> {
    let steepest = base.gradient_max();
    let size = probe.x.iter().fold(1.0_f64, |max, x| max.max(x.abs()));
    for factor in [0.5, 1.0] {
        let step: Vec<f64> = base.gradient.iter().map(|g| -factor * size * g / steepest).collect();
        let sample = probe.at(&step)?;
        if sample.loss < base.loss - 1e-2 * base.loss.abs() {
            return Ok(Some((factor * size, sample.loss)));
        }
    }
    Ok(None)
}
