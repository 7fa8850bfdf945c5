//! Where the next iterations would go.

use super::curvature::Model;
use super::finding::{Cause, Certainty, Finding, Findings};
use super::number::Short;
use super::options::{Exit, Settings, ends_at_once};
use super::point::{Base, dot, norm, plus, scaled};
use super::probe::{Failed, Probe, Sample};
use crate::{Lbfgs, Optimizer};
use checkpoint::{Dict, Value};

/// Curvature pairs and the scale of the initial matrix: what a direction is made from.
struct Memory {
    /// Moves and gradient changes, oldest first.
    pairs: Vec<(Vec<f64>, Vec<f64>)>,
    gamma: f64,
    /// No iteration was made before: the first step is shortened.
    empty: bool,
}

/// A pair is stored where its curvature is above this, as in the step.
const MIN_CURVATURE: f64 = 1e-10;

impl Memory {
    fn new() -> Self {
        Self { pairs: Vec::new(), gamma: 1.0, empty: true }
    }

    /// The memory as the next iteration finds it, its newest pair included.
    fn load(lbfgs: &Lbfgs, gradient: &[f64], settings: &Settings) -> Self {
        let state = lbfgs.save_state();
        let found = state.first().and_then(|(_, state)| Self::read(state, gradient, settings));
        found.unwrap_or_else(Self::new)
    }

    fn read(state: &Dict, gradient: &[f64], settings: &Settings) -> Option<Self> {
        let n = gradient.len();
        let list = |key: &str| -> Option<Vec<Vec<f64>>> {
            state.get(key)?.as_list()?.iter().map(|value| vector(value, n)).collect()
        };
        let (moves, changes) = (list("old_stps")?, list("old_dirs")?);
        let mut memory = Self {
            pairs: moves.into_iter().zip(changes).collect(),
            gamma: number(state.get("H_diag")?)?,
            empty: false,
        };
        let step = scaled(number(state.get("t")?)?, &vector(state.get("d")?, n)?);
        let change = plus(gradient, -1.0, &vector(state.get("prev_flat_grad")?, n)?);
        memory.add(step, change, settings);
        Some(memory)
    }

    fn add(&mut self, step: Vec<f64>, change: Vec<f64>, settings: &Settings) {
        let curvature = dot(&step, &change);
        self.empty = false;
        // A pair that is not a number is refused as well.
        if curvature > MIN_CURVATURE {
            self.gamma = curvature / dot(&change, &change);
            if i64::try_from(self.pairs.len()).is_ok_and(|pairs| pairs >= settings.history_size)
                && !self.pairs.is_empty()
            {
                self.pairs.remove(0);
            }
            self.pairs.push((step, change));
        }
    }

    /// `-H g` by the two-loop recursion (Nocedal & Wright, Algorithm 7.4).
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut d = scaled(-1.0, gradient);
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (s, y) in self.pairs.iter().rev() {
            let alpha = dot(s, &d) / dot(s, y);
            d = plus(&d, -alpha, y);
            alphas.push(alpha);
        }
        d = scaled(self.gamma, &d);
        for ((s, y), alpha) in self.pairs.iter().zip(alphas.iter().rev()) {
            let beta = dot(y, &d) / dot(s, y);
            d = plus(&d, alpha - beta, s);
        }
        d
    }

    /// The first step length: `lr`, shortened in the very first iteration.
    fn step_length(&self, gradient: &[f64], lr: f64) -> f64 {
        let total: f64 = gradient.iter().map(|g| g.abs()).sum();
        if self.empty { lr * (1.0 / total).min(1.0) } else { lr }
    }
}

fn vector(value: &Value, n: usize) -> Option<Vec<f64>> {
    let tensor = value.as_tensor().filter(|tensor| tensor.numel() == n)?;
    let mut elements = vec![0.0; n];
    tensor.read_into(&mut elements);
    Some(elements)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Tensor(tensor) if tensor.numel() == 1 => Some(tensor.item()),
        plain => plain.as_float(),
    }
}

/// Follows the next iteration, and without a line search the one after it.
pub(super) fn check(
    lbfgs: &Lbfgs,
    settings: &Settings,
    probe: &mut Probe<'_, '_>,
    base: &Base,
    model: &Model,
    findings: &mut Findings,
) -> Result<(), Failed> {
    if settings.lr.is_nan()
        || settings.lr <= 0.0
        || settings.max_iter <= 0
        || base.gradient_max() <= settings.tolerance_grad
    {
        return Ok(());
    }
    let mut memory = Memory::load(lbfgs, &base.gradient, settings);
    let direction = memory.direction(&base.gradient);
    let slope = dot(&base.gradient, &direction);
    if direction.iter().any(|d| !d.is_finite()) || slope > 0.0 {
        findings.push(stale(slope));
        return Ok(());
    }
    if slope > -settings.tolerance_change {
        let (value, limit) = (slope, -settings.tolerance_change);
        let exit = Exit { quantity: "g.d", value, relation: ">", option: "-tolerance_change", limit };
        return ends_at_once(&exit, probe, base, model, findings);
    }
    let t = memory.step_length(&base.gradient, settings.lr);
    let step = scaled(t, &direction);
    let first = probe.at(&step)?;
    if first.moved.iter().all(|moved| *moved == 0.0) {
        findings.extend(too_short(probe, &step, model));
        return Ok(());
    }
    if let Some(finding) = judge_trial(probe, base, settings, &first, t, 1) {
        findings.push(finding);
        return Ok(());
    }
    if settings.searches || settings.max_iter < 2 {
        return Ok(());
    }
    if let Some(exit) = exit_after(settings, &step, &first, base) {
        return ends_at_once(&exit, probe, base, model, findings);
    }
    memory.add(step, plus(&first.gradient, -1.0, &base.gradient), settings);
    let next = plus(&first.moved, settings.lr, &memory.direction(&first.gradient));
    if next.iter().any(|step| !step.is_finite()) {
        return Ok(());
    }
    let second = probe.at(&next)?;
    if let Some(finding) = judge_trial(probe, base, settings, &second, settings.lr, 2) {
        findings.push(finding);
    }
    Ok(())
}

fn stale(slope: f64) -> Finding {
    let evidence = if slope.is_finite() {
        format!(
            "The curvature memory gives a direction along which the loss rises (g.d = {}): it stems from another \
             function, or from another place.",
            Short(slope)
        )
    } else {
        "The curvature memory gives a direction that is NaN or infinite: a non-finite evaluation got into it."
            .to_owned()
    };
    let remedy = "Build a new optimizer over the same parameters, whose memory is empty.";
    let certainty = if slope.is_finite() { Certainty::Likely } else { Certainty::Certain };
    Finding::new(Cause::StaleMemory, certainty, evidence, remedy).with("directional derivative", slope)
}

/// The step rounds to nothing: a fault, unless nothing is left to gain.
fn too_short(probe: &Probe<'_, '_>, step: &[f64], model: &Model) -> Option<Finding> {
    let size = norm(&probe.x);
    if model.newton().is_some_and(|newton| newton.length <= 1e-3 * size) {
        return None;
    }
    let length = norm(step);
    let evidence = format!(
        "The next step has length {}, which changes no bit of parameters of size {}.",
        Short(length),
        Short(size)
    );
    let remedy = "Scale the parameters down, raise lr (the first step is at most lr long), or use f64.";
    Some(
        Finding::new(Cause::StepTooShort, Certainty::Likely, evidence, remedy)
            .with("length", length)
            .with("size", size),
    )
}

/// The tests that may end a step without a line search after its first move.
fn exit_after(settings: &Settings, step: &[f64], first: &Sample, base: &Base) -> Option<Exit> {
    let limit = settings.tolerance_change;
    let exit = |quantity, value, relation| Some(Exit { quantity, value, relation, option: "tolerance_change", limit });
    let longest = step.iter().fold(0.0_f64, |max, step| max.max(step.abs()));
    let change = (first.loss - base.loss).abs();
    if longest <= limit {
        return exit("max|t d|", longest, "<=");
    }
    // A smaller change than rounding is another matter.
    if change < limit && change > base.noise(first.loss) { exit("|loss - previous loss|", change, "<") } else { None }
}

/// Judges the point where iteration `number` of the next step goes.
fn judge_trial(
    probe: &Probe<'_, '_>,
    base: &Base,
    settings: &Settings,
    trial: &Sample,
    t: f64,
    number: usize,
) -> Option<Finding> {
    let (size, length) = (norm(&probe.x), norm(&trial.moved));
    let which = if number == 1 { "The next step" } else { "The step after the next" };
    let far = if size > 0.0 {
        format!("{} times the parameters' own size", Short(length / size))
    } else {
        Short(length).to_string()
    };
    if !trial.is_finite() {
        let evidence = format!(
            "{which} (t = {}) leads to a point {far} away where the loss is {}{}.",
            Short(t),
            trial.loss,
            if trial.loss.is_finite() { " and the gradient not finite" } else { "" }
        );
        let remedy = if settings.searches {
            "Lower lr so that the first trial stays in the domain, scale the loss, or start closer to the minimum."
        } else {
            "Use strong_wolfe, lower lr so that the step stays in the domain, or start closer to the minimum."
        };
        return Some(
            Finding::new(Cause::NonFiniteTrial, Certainty::Certain, evidence, remedy)
                .with("t", t)
                .with("length", length),
        );
    }
    let rise = trial.loss - base.loss;
    let noise = base.noise(trial.loss);
    let steepest = trial.gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
    // Where rounding hides the decrease that the slope promises, a small gradient is that of the minimum.
    let measurable = -dot(&base.gradient, &trial.moved) > 4.0 * noise;
    let plateau = measurable && rise >= -noise && steepest < 1e-6 * base.gradient_max();
    let wild = length > 1e3 * size.max(f64::MIN_POSITIVE) || rise > 1e3 * base.loss.abs();
    if rise <= noise && !plateau || settings.searches && !plateau && !wild {
        return None;
    }
    let mut evidence = format!(
        "{which} (t = {}) goes too far: the loss goes from {} to {}, {far} away",
        Short(t),
        Short(base.loss),
        Short(trial.loss)
    );
    if plateau {
        evidence.push_str(&format!(
            ", on a plateau where max|g| is {} instead of {}",
            Short(steepest),
            Short(base.gradient_max())
        ));
    }
    evidence.push('.');
    let mut remedy = if settings.searches {
        "Reduce lr or scale the loss down: the line search has to come back from there.".to_owned()
    } else {
        "With line_search=None nothing shortens the step: use strong_wolfe, or a smaller lr.".to_owned()
    };
    let (start, end) = (dot(&base.gradient, &trial.moved), dot(&trial.gradient, &trial.moved));
    let shorter = start / (start - end);
    if number == 1 && start < 0.0 && end > 0.0 && shorter < 0.9 {
        remedy.push_str(&format!(" The slopes at both ends suggest {} of its length.", Short(shorter)));
    }
    let absurd = length > 1e4 * size && size > 0.0;
    let certainty = if settings.searches && !plateau && !absurd { Certainty::Possible } else { Certainty::Likely };
    Some(
        Finding::new(Cause::Overshoot, certainty, evidence, remedy)
            .with("t", t)
            .with("length", length)
            .with("loss", base.loss)
            .with("next loss", trial.loss),
    )
}
