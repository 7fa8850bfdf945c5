//! A gradient that is not the derivative of the loss, in words.

use super::finding::{Cause, Certainty, Finding};
use super::number::{Short, list};
use super::point::Base;

/// Slopes along one direction, by differences of losses and by gradients.
pub(super) struct Mismatch {
    pub(super) measured: f64,
    pub(super) claimed: f64,
    /// At how many distances they were compared.
    pub(super) distances: usize,
    /// The distance these slopes are of, in units of the smallest.
    pub(super) relative: f64,
}

impl Mismatch {
    /// The finding; `guilty` are the parameters that were found to be wrong when moved alone.
    pub(super) fn finding(&self, base: &Base, guilty: Vec<String>) -> Finding {
        let Self { measured, claimed, distances, .. } = *self;
        let ratio = claimed / measured;
        let off = 100.0 * (claimed - measured).abs() / measured.abs();
        let mut evidence = format!(
            "Along one direction the loss changes by {} per unit of length, measured at {distances} distances, but the \
             gradient says {} ({} % off): the gradient does not match the loss.",
            Short(measured),
            Short(claimed),
            Short(off)
        );
        if !guilty.is_empty() {
            let verb = if guilty.len() == 1 { "shows" } else { "show" };
            evidence.push_str(&format!(" Moved alone, {} {verb} it.", list(&guilty)));
        }
        let (remark, remedy) = explain(ratio, base.gradient.iter().all(|g| *g == 0.0));
        evidence.push_str(&remark);
        Finding::new(Cause::WrongGradient, Certainty::Certain, evidence, remedy)
            .with("finite difference", measured)
            .with("directional derivative", claimed)
            .with("ratio", ratio)
            .about(guilty)
    }
}

/// What a gradient that is `ratio` times the derivative suggests: a further sentence, and what to do.
fn explain(ratio: f64, vanishes: bool) -> (String, String) {
    let usual = "Check derivatives written by hand with gradcheck; look for detach(), item() or no_grad inside of the \
                 loss, a part of it computed outside of the closure, gradients clipped or changed after backward(), \
                 and a loss returned that is not the one differentiated.";
    let power = ratio.log2().round();
    let near = |value: f64, target: f64| (value - target).abs() < 1e-2_f64.min(1e-3 * target.abs().max(1.0));
    if vanishes || ratio.abs() < 1e-6 {
        let remark = if vanishes { " It is exactly zero here." } else { " It is next to nothing." };
        let remedy = "Look for a zero_grad after backward(), a detach(), or a derivative that is zero by definition, \
                      as that of round(), floor() or sign().";
        (remark.into(), remedy.into())
    } else if power >= 7.0 && (ratio / power.exp2() - 1.0).abs() < 1e-3 {
        let remark = format!(" It is {} = 2^{power} times too large.", Short(ratio));
        (remark, "Is loss scaling active? Return the scaled loss, or unscale the gradients in the closure.".into())
    } else if near(ratio, -1.0) {
        let remedy = "To maximise, negate the loss before backward() and return the negated loss.";
        (" It has the wrong sign.".into(), remedy.into())
    } else if (ratio > 1.5 && near(ratio, ratio.round())) || (ratio < 0.7 && near(1.0 / ratio, (1.0 / ratio).round())) {
        let remark = format!(" It is {} times the derivative.", Short(ratio));
        let remedy = format!(
            "Is the loss returned a multiple of the one differentiated (a mean against a sum, a factor), or are \
             gradients of several backward() calls added up? Otherwise: {}{}",
            usual[..1].to_lowercase(),
            &usual[1..]
        );
        (remark, remedy)
    } else {
        (String::new(), usual.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_explained() {
        let cases = [
            (65536.0, "2^16"),
            (64.0, "64 times the derivative"),
            (1.0 / 64.0, "0.01562 times"),
            (-1.0003, "wrong sign"),
            (1e-9, "next to nothing"),
        ];
        for (ratio, words) in cases {
            let (remark, _) = explain(ratio, false);
            assert!(remark.contains(words), "{ratio}: {remark}");
        }
        for ratio in [1.03, 0.98, 2.3, 701.4, 1.0 / 1268.9, -2.7] {
            assert_eq!(explain(ratio, false).0, "", "{ratio}");
        }
        assert!(explain(0.0, true).1.contains("zero_grad after backward()"));
    }
}
