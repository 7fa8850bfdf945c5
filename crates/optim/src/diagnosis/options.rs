//! The options: what cannot work at all, and tolerances against what was measured.

use super::curvature::{Model, Newton};
use super::finding::{Cause, Certainty, Finding, Findings};
use super::number::Short;
use super::plateau::lower_downhill;
use super::point::{Base, norm};
use super::probe::{Failed, Probe};
use crate::{Error, ParamGroup, Result};
use checkpoint::Value;

/// The options as plain numbers.
pub(super) struct Settings {
    pub(super) lr: f64,
    pub(super) max_iter: i64,
    pub(super) max_eval: i64,
    pub(super) tolerance_grad: f64,
    pub(super) tolerance_change: f64,
    pub(super) history_size: i64,
    /// Whether there is a line search.
    pub(super) searches: bool,
    /// Whether the negated loss is minimised.
    pub(super) maximize: bool,
}

impl Settings {
    /// Those of the first group; others have to agree on the learning rate.
    pub(super) fn read(groups: &[ParamGroup]) -> Result<Self> {
        let [group, others @ ..] = groups else { return Err(Error::ParameterGroups) };
        if !others.is_empty() && group.get("parameter_groups") != Some(Value::Bool(true)) {
            return Err(Error::ParameterGroups);
        }
        if others.iter().any(|other| other.get("lr") != group.get("lr")) {
            return Err(Error::GroupsOfSeveralRates);
        }
        let option = |name| group.get(name).ok_or(Error::MissingOption(name));
        let wrong = |name, wanted, found: &Value| Error::WrongOption { name, wanted, found: found.to_string() };
        let int = |name| option(name).and_then(|value| value.as_int().ok_or_else(|| wrong(name, "an int", &value)));
        let float = |name| {
            let value = option(name)?;
            match &value {
                Value::Tensor(tensor) if tensor.numel() == 1 => Ok(tensor.item()),
                plain => plain.as_float().ok_or_else(|| wrong(name, "a number", plain)),
            }
        };
        Ok(Self {
            lr: float("lr")?,
            max_iter: int("max_iter")?,
            max_eval: int("max_eval")?,
            tolerance_grad: float("tolerance_grad")?,
            tolerance_change: float("tolerance_change")?,
            history_size: int("history_size")?,
            searches: !option("line_search_fn")?.is_none(),
            maximize: group.get("maximize").and_then(|value| value.as_bool()).unwrap_or(false),
        })
    }
}

/// History of this many bytes is mentioned.
const LARGE: f64 = (1u64 << 30) as f64;

/// What needs no evaluation.
pub(super) fn check(settings: &Settings, probe: &Probe<'_, '_>, findings: &mut Findings) {
    let Settings { lr, max_iter, max_eval, history_size, searches, .. } = *settings;
    if lr.is_nan() || lr <= 0.0 || lr.is_infinite() {
        let evidence = format!("The learning rate is {lr}: no step of that length leads anywhere.");
        let remedy = "Set lr to a positive number: 1 with a line search.";
        findings.push(Finding::new(Cause::LearningRate, Certainty::Certain, evidence, remedy).with("lr", lr));
    }
    if max_iter <= 0 {
        let evidence = format!("max_iter is {max_iter}: a step evaluates the loss once and moves nothing.");
        let remedy = "Set max_iter to the number of iterations that one call of step is to make (20 by default).";
        findings.push(
            Finding::new(Cause::LimitsTooLow, Certainty::Certain, evidence, remedy).with("max_iter", max_iter as f64),
        );
    } else if max_eval <= 1 && max_iter > 1 {
        let evidence =
            format!("max_eval is {max_eval}: every step ends after one iteration, though max_iter is {max_iter}.");
        let remedy = "Leave max_eval at its default, max_iter * 5 / 4, or call step once per iteration.";
        findings.push(
            Finding::new(Cause::LimitsTooLow, Certainty::Likely, evidence, remedy).with("max_eval", max_eval as f64),
        );
    }
    for (name, tolerance) in
        [("tolerance_grad", settings.tolerance_grad), ("tolerance_change", settings.tolerance_change)]
    {
        if tolerance.is_nan() {
            let evidence = format!("{name} is NaN, and no comparison with NaN is true: its tests never end a step.");
            let remedy = "Set it to a number; 0 switches it off.";
            findings.push(Finding::new(Cause::TolerancesTooTight, Certainty::Certain, evidence, remedy));
        }
    }
    let left = (1.0 - lr).abs().powf(max_iter as f64);
    if !searches && lr > 0.0 && lr < 1.0 && left > 1e-2 && max_iter > 1 {
        let evidence = format!(
            "lr is {} without a line search: each iteration covers that part of the way to the minimum, {max_iter} \
             iterations leave {} % of it.",
            Short(lr),
            Short(100.0 * left)
        );
        let remedy = "Use strong_wolfe with lr 1, raise max_iter, or call step several times.";
        findings.push(Finding::new(Cause::SmallLearningRate, Certainty::Possible, evidence, remedy).with("lr", lr));
    }
    let wide = probe.tensors().any(|tensor| tensor.dtype() == tape::DType::F64);
    let vector = probe.numel() as f64 * if wide { 8.0 } else { 4.0 };
    let bytes = 2.0 * vector * history_size as f64;
    if bytes >= LARGE {
        let evidence = format!(
            "The history may grow to {history_size} pairs of 2 x {} MB = {} GB.",
            Short(vector / 1e6),
            Short(bytes / 1e9)
        );
        let remedy = "Lower history_size: 5 to 20 pairs are usual.";
        findings.push(Finding::new(Cause::LargeHistory, Certainty::Possible, evidence, remedy).with("bytes", bytes));
    }
}

/// A test that ends a step: what is measured, its value, how it compares, the option, its value.
pub(super) struct Exit {
    pub(super) quantity: &'static str,
    pub(super) value: f64,
    pub(super) relation: &'static str,
    pub(super) option: &'static str,
    pub(super) limit: f64,
}

/// Tolerances that hold at once, or that nothing can reach.
pub(super) fn check_tolerances(
    settings: &Settings,
    probe: &mut Probe<'_, '_>,
    base: &Base,
    model: &Model,
    findings: &mut Findings,
) -> std::result::Result<(), Failed> {
    let steepest = base.gradient_max();
    if steepest <= settings.tolerance_grad {
        let exit = Exit {
            quantity: "max|g|",
            value: steepest,
            relation: "<=",
            option: "tolerance_grad",
            limit: settings.tolerance_grad,
        };
        return ends_at_once(&exit, probe, base, model, findings);
    }
    let size = probe.x.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    // A change of the last bit of the parameters changes the gradient by this.
    let floor = model.largest() * base.eps * size;
    let resolution = base.eps * base.loss.abs();
    let Settings { tolerance_grad, tolerance_change, .. } = *settings;
    if tolerance_grad < 1e-2 * floor && tolerance_change < 1e-2 * resolution {
        let evidence = format!(
            "tolerance_grad = {} and tolerance_change = {} are out of reach: rounding alone changes the gradient by {} \
             and the loss by {}.",
            Short(tolerance_grad),
            Short(tolerance_change),
            Short(floor),
            Short(resolution)
        );
        let remedy = "These tolerances are too tight: the run goes on until max_iter or until its line searches fail. \
                      Raise them above these figures, or use f64.";
        // torch's defaults suit neither f32 nor large losses, and do little harm there.
        let defaults = tolerance_grad >= 1e-7 && tolerance_change >= 1e-9;
        let certainty = if defaults { Certainty::Possible } else { Certainty::Likely };
        findings.push(
            Finding::new(Cause::TolerancesTooTight, certainty, evidence, remedy)
                .with("gradient rounding", floor)
                .with("loss rounding", resolution),
        );
    }
    Ok(())
}

/// The next step will end by this test before it has done anything: is there anything left to do?
pub(super) fn ends_at_once(
    exit: &Exit,
    probe: &mut Probe<'_, '_>,
    base: &Base,
    model: &Model,
    findings: &mut Findings,
) -> std::result::Result<(), Failed> {
    let Exit { quantity, value, relation, option, limit } = *exit;
    let size = norm(&probe.x);
    let test =
        format!("The next step ends at once: {quantity} = {} {relation} {option} = {}", Short(value), Short(limit));
    let remedy = format!(
        "Tolerances are absolute: lower {} (0 switches it off), or scale the loss up.",
        option.trim_start_matches('-')
    );
    let Some(Newton { decrease, length }) = model.newton() else {
        if let Some((distance, lower)) = lower_downhill(probe, base)? {
            let evidence = format!(
                "{test}, but the loss falls from {} to {} within {}: the starting point lies on a plateau, where a \
                 function is saturated.",
                Short(base.loss),
                Short(lower),
                Short(distance)
            );
            let remedy = "Start elsewhere, where the loss has a slope: smaller initial values, inputs scaled to about \
                          1; or lower the tolerance.";
            findings.push(
                Finding::new(Cause::FlatLoss, Certainty::Likely, evidence, remedy)
                    .with("loss", base.loss)
                    .with("lower loss", lower),
            );
        }
        return Ok(());
    };
    let certainty = if length >= 1e-2 * size.max(1.0) {
        Certainty::Likely
    } else if length >= 1e-2 * size {
        Certainty::Possible
    } else {
        return Ok(());
    };
    let evidence = format!(
        "{test}, though the minimum is about {} away and {} lower, the loss being {}.",
        Short(length),
        Short(decrease),
        Short(base.loss)
    );
    findings.push(
        Finding::new(Cause::TolerancesTooLoose, certainty, evidence, remedy)
            .with("value", value)
            .with("limit", limit)
            .with("distance", length),
    );
    Ok(())
}
