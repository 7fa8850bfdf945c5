//! The loss along one line through the present point: does it change, and does the gradient say how.

use super::finding::{Cause, Certainty, Finding, Findings};
use super::mismatch::Mismatch;
use super::number::Short;
use super::point::{Base, dot, norm, scaled};
use super::probe::{Failed, Probe, Sample};

/// One evaluation off the present point.
pub(super) struct Side {
    pub(super) moved: Vec<f64>,
    pub(super) length: f64,
    /// `f(x + s) - f(x)`.
    pub(super) change: f64,
    /// `g(x) . s` and `g(x + s) . s`: the change by either end's gradient.
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) gradient: Vec<f64>,
    loss: f64,
}

/// Evaluations at `x + h u` and `x - h u`.
pub(super) struct Pair {
    pub(super) plus: Side,
    pub(super) minus: Side,
    pub(super) noise: f64,
}

/// The first pair along a direction.
pub(super) struct Line {
    pub(super) direction: Vec<f64>,
    pub(super) h: f64,
    pub(super) pair: Pair,
}

impl Side {
    fn new(base: &Base, sample: Sample) -> Self {
        let moved = sample.moved;
        Self {
            length: norm(&moved),
            change: sample.loss - base.loss,
            start: dot(&base.gradient, &moved),
            end: dot(&sample.gradient, &moved),
            gradient: sample.gradient,
            loss: sample.loss,
            moved,
        }
    }

    /// What the trapezoidal rule leaves unexplained of the change.
    fn unexplained(&self) -> f64 {
        (self.change - (self.start + self.end) / 2.0).abs()
    }

    fn steepest(&self) -> f64 {
        self.start.abs().max(self.end.abs())
    }
}

impl Pair {
    fn evaluate(probe: &mut Probe<'_, '_>, base: &Base, u: &[f64], h: f64) -> Result<Option<Self>, Failed> {
        let plus = probe.at(&scaled(h, u))?;
        let minus = probe.at(&scaled(-h, u))?;
        if !plus.is_finite() || !minus.is_finite() {
            return Ok(None);
        }
        let noise = base.noise(plus.loss.abs().max(minus.loss.abs()));
        Ok(Some(Self { plus: Side::new(base, plus), minus: Side::new(base, minus), noise }))
    }

    fn length(&self) -> f64 {
        self.plus.length + self.minus.length
    }

    fn is_unchanged(&self, base: &Base) -> bool {
        [&self.plus, &self.minus].iter().all(|side| side.loss.to_bits() == base.loss.to_bits())
    }

    fn change(&self) -> f64 {
        self.plus.change - self.minus.change
    }

    /// `integral of g . dx` from one end to the other by Simpson's rule, and its distance from the trapezoidal
    /// rule.
    fn integral(&self) -> (f64, f64) {
        let (Side { start: a, end: b, .. }, Side { start: c, end: d, .. }) = (&self.plus, &self.minus);
        let simpson = (b - d) / 3.0 + 2.0 * (a - c) / 3.0;
        let trapezoid = (a + b) / 2.0 - (c + d) / 2.0;
        (simpson, (simpson - trapezoid).abs())
    }

    fn residual(&self) -> f64 {
        self.change() - self.integral().0
    }

    /// What the residual must exceed to mean anything. A kink at the present point makes it four times the
    /// distance of the two rules, wherever the gradient there lies between the slopes of both sides.
    fn resolution(&self) -> f64 {
        10.0 * self.integral().1.max(self.noise)
    }

    fn is_resolved(&self) -> bool {
        self.residual().abs() > self.resolution()
    }

    fn steepest(&self) -> f64 {
        self.plus.steepest().max(self.minus.steepest())
    }

    /// The change to one side that slopes and losses speak of.
    fn size(&self) -> f64 {
        self.steepest().max(self.change().abs() / 2.0)
    }

    /// Whether the slopes change evenly from one end to the other.
    fn is_smooth(&self) -> bool {
        self.integral().1 <= 0.02 * self.size()
    }

    /// Slope of the one side minus slope of the other, per unit of length.
    fn jump(&self) -> f64 {
        self.plus.end / self.plus.length + self.minus.end / self.minus.length
    }
}

impl Line {
    /// Whether the loss is the same, bit for bit, at all three points.
    pub(super) fn is_unchanged(&self, base: &Base) -> bool {
        self.pair.is_unchanged(base)
    }
}

/// Words of a generator of this module's own (Steele, Lea & Flood's SplitMix64): the process-wide one stays as
/// it is, and a diagnosis repeats.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Numbers of random sign and of magnitudes around 1, zero for elements that are not to be moved.
pub(super) fn random_signs(base: &Base) -> Vec<f64> {
    let mut state = 0x5EED;
    let mut next = || {
        let size = 0.5 + uniform(&mut state);
        if uniform(&mut state) < 0.5 { -size } else { size }
    };
    base.active.iter().map(|&active| if active { next() } else { 0.0 }).collect()
}

/// Half `-g`, half random, in units of the parameters' scales, so that its scaled length is about 1: the one half
/// feels a gradient of wrong size, the other one of wrong direction.
fn direction(base: &Base) -> Vec<f64> {
    let steep: Vec<f64> = base.gradient.iter().zip(&base.scale).map(|(g, s)| -g * s).collect();
    let random = random_signs(base);
    let (steepness, size) = (norm(&steep), norm(&random).max(f64::MIN_POSITIVE));
    let weight = if steepness > 0.0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
    let sign = if dot(&steep, &random) < 0.0 { -1.0 } else { 1.0 };
    let mix = |((steep, random), scale): ((&f64, &f64), &f64)| {
        let steep = if steepness > 0.0 { steep / steepness } else { 0.0 };
        scale * weight * (steep + sign * random / size)
    };
    steep.iter().zip(&random).zip(&base.scale).map(mix).collect()
}

/// The relative move that is tried first, and the largest that is.
fn moves(base: &Base) -> (f64, f64) {
    if base.eps > 1e-10 { (1e-2, 0.3) } else { (1e-4, 0.1) }
}

/// Moves a little along a direction, both ways. The distance is such that the loss changes by much more than its
/// rounding, where the gradient lets it.
pub(super) fn probe(probe: &mut Probe<'_, '_>, base: &Base, findings: &mut Findings) -> Result<Option<Line>, Failed> {
    let direction = direction(base);
    let (first, last) = moves(base);
    let wanted = 1e3 * base.noise(base.loss) / base.scaled_gradient();
    let mut h = if wanted.is_finite() { first.max(wanted).min(last) } else { first };
    for _ in 0..2 {
        if let Some(pair) = Pair::evaluate(probe, base, &direction, h)? {
            return Ok(Some(Line { direction, h, pair }));
        }
        h *= 1e-3;
    }
    let evidence = format!(
        "The loss is {} here, but it or its gradient is not finite {} away.",
        Short(base.loss),
        Short(1e3 * h * norm(&direction))
    );
    let remedy = "The point lies at the edge of the domain: start inside of it, or change variables so that every \
                  value is allowed (the logarithm of what must be positive).";
    findings.push(Finding::new(Cause::NonFiniteTrial, Certainty::Likely, evidence, remedy));
    Ok(None)
}

/// Judges the first pair, and with two more pairs what looked wrong. Whether the rest would be meaningless.
pub(super) fn judge(
    probe: &mut Probe<'_, '_>,
    base: &mut Base,
    line: &Line,
    findings: &mut Findings,
) -> Result<bool, Failed> {
    if line.is_unchanged(base) {
        if line.pair.steepest() > 100.0 * line.pair.noise {
            findings.push(constant_loss(probe, base, line)?);
            return Ok(true);
        }
        return Ok(false);
    }
    if !is_suspicious(&line.pair, base) {
        return Ok(false);
    }
    let again = probe.here()?;
    if (again.loss - base.loss).abs() > base.noise(again.loss) {
        findings.push(carries_state(base, &again));
        return Ok(true);
    }
    let near = Pair::evaluate(probe, base, &line.direction, line.h / 30.0)?;
    let (_, last) = moves(base);
    let far = Pair::evaluate(probe, base, &line.direction, (30.0 * line.h).min(last.max(3.0 * line.h)))?;
    let Some(near) = near else { return Ok(false) };
    // Where the loss bends too much for the first distance, one between.
    let bent = near.is_resolved() && !line.pair.is_resolved();
    let between = if bent { Pair::evaluate(probe, base, &line.direction, line.h / 6.0)? } else { None };
    let pairs: Vec<&Pair> =
        [Some(&near), between.as_ref(), Some(&line.pair), far.as_ref()].into_iter().flatten().collect();
    if let Some(mismatch) = wrong_gradient(&pairs, base) {
        let h = line.h / 30.0 * mismatch.relative;
        let guilty = wrong_parameters(probe, base, &line.direction, h)?;
        findings.push(mismatch.finding(base, guilty));
        return Ok(true);
    }
    if let Some(finding) = kink(&near, &line.pair) {
        findings.push(finding);
    } else if let Some(finding) = rough(&near, &line.pair, base) {
        base.jitter = base.jitter.max(near.residual().abs()).max(line.pair.residual().abs());
        findings.push(finding);
    }
    Ok(false)
}

/// Parameters whose own gradients do not fit, each moved alone; not looked for if there are many.
fn wrong_parameters(probe: &mut Probe<'_, '_>, base: &Base, u: &[f64], h: f64) -> Result<Vec<String>, Failed> {
    const MOST: usize = 4;
    let mut guilty = Vec::new();
    if !(2..=MOST).contains(&probe.params.len()) {
        return Ok(guilty);
    }
    for i in 0..probe.params.len() {
        let range = probe.params[i].range.clone();
        let mut alone = vec![0.0; u.len()];
        alone[range.clone()].copy_from_slice(&u[range]);
        if alone.iter().all(|step| *step == 0.0) {
            continue;
        }
        let pair = Pair::evaluate(probe, base, &alone, h)?;
        if pair.is_some_and(|pair| pair.is_resolved() && pair.residual().abs() > tolerance(base) * pair.size()) {
            guilty.push(probe.params[i].label.clone());
        }
    }
    Ok(guilty)
}

/// The least relative difference between slope and gradient that is looked at: what is left of the gradient's own
/// rounding where its terms cancel.
fn tolerance(base: &Base) -> f64 {
    if base.eps > 1e-10 { 3e-3 } else { 1e-5 }
}

fn is_suspicious(pair: &Pair, base: &Base) -> bool {
    let symmetric = pair.residual().abs() > pair.noise.max(0.5 * tolerance(base) * pair.steepest());
    let one_sided = |side: &Side| side.unexplained() > (20.0 * pair.noise).max(0.05 * side.steepest());
    symmetric || one_sided(&pair.plus) || one_sided(&pair.minus)
}

/// Back at the present point, the loss is another.
fn carries_state(base: &Base, again: &Sample) -> Finding {
    let evidence = format!(
        "At the same point the loss was {} at first, and {} after evaluations at other points: the closure carries \
         something on from one call to the next.",
        Short(base.loss),
        Short(again.loss)
    );
    let remedy = "Return the loss of this call, not of an earlier one; start inner iterations and running averages \
                  anew in each call.";
    Finding::new(Cause::StochasticClosure, Certainty::Certain, evidence, remedy)
        .with("loss difference", (again.loss - base.loss).abs())
}

/// The loss stays the same although the gradient promises a change.
fn constant_loss(probe: &mut Probe<'_, '_>, base: &Base, line: &Line) -> Result<Finding, Failed> {
    let (_, last) = moves(base);
    let far = Pair::evaluate(probe, base, &line.direction, last)?;
    let promised = line.pair.steepest();
    let Some(far) = far.filter(|far| !far.is_unchanged(base)) else {
        let evidence = format!(
            "The closure returned the same loss, {}, bit for bit at 5 different points, although its gradient promises \
             changes of {} and more: the loss, or something it is computed from, seems to be computed outside of the \
             closure.",
            Short(base.loss),
            Short(promised)
        );
        let remedy = "Recompute the whole forward pass inside of the closure.";
        return Ok(Finding::new(Cause::LossComputedOutside, Certainty::Certain, evidence, remedy)
            .with("loss", base.loss)
            .with("promised change", promised));
    };
    let evidence = format!(
        "The loss stays the same within {} of this point, although its gradient promises changes of {}, and jumps \
         by {} farther away: it is piecewise constant.",
        Short(line.pair.plus.length),
        Short(promised),
        Short(far.plus.change.abs().max(far.minus.change.abs()))
    );
    let remedy = "Look for round(), floor(), sign(), argmax() or a conversion to integers in the loss; L-BFGS needs a \
                  smooth one.";
    Ok(Finding::new(Cause::NonSmoothLoss, Certainty::Likely, evidence, remedy).with("promised change", promised))
}

/// A difference in slope that is the same at two distances, and no other one farther away.
fn wrong_gradient(pairs: &[&Pair], base: &Base) -> Option<Mismatch> {
    let slope = |pair: &Pair| pair.residual() / pair.length();
    let start = pairs.iter().position(|pair| pair.is_resolved())?;
    let [first, second, rest @ ..] = &pairs[start..] else { return None };
    let error = slope(first);
    // Farther away the error may change as the slope does.
    let hidden = |pair: &Pair| pair.resolution() > 0.5 * error.abs() * pair.length();
    let agree = second.is_resolved() && (slope(second) - error).abs() <= 0.2 * error.abs();
    let similar = |pair: &&Pair| hidden(pair) || (0.2..5.0).contains(&(slope(pair) / error));
    let size = 2.0 * first.size() / first.length();
    // An oscillation that is faster than the distance shows as slopes without order, nearer by as well.
    let below_rounding = |pair: &&Pair| 20.0 * pair.noise > error.abs() * pair.length();
    let consistent = agree
        && first.is_smooth()
        && second.is_smooth()
        && pairs[..start].iter().all(below_rounding)
        && rest.iter().all(similar);
    if !consistent || error.abs() < tolerance(base) * size {
        return None;
    }
    // At the smallest distance the slopes hardly change.
    let (measured, claimed) = (first.change() / first.length(), first.integral().0 / first.length());
    Some(Mismatch { measured, claimed, distances: pairs.len() - start, relative: first.length() / pairs[0].length() })
}

/// One-sided slopes that differ by as much nearby as farther away.
fn kink(near: &Pair, middle: &Pair) -> Option<Finding> {
    let (here, there) = (near.jump(), middle.jump());
    let slope = near.steepest() / near.plus.length;
    let persists = (here - there).abs() <= 0.2 * there.abs();
    if !persists || here.abs() <= 0.1 * slope || here.abs() * near.plus.length <= 20.0 * near.noise {
        return None;
    }
    let (left, right) = (-near.minus.end / near.minus.length, near.plus.end / near.plus.length);
    let evidence = format!(
        "The slope along one direction jumps from {} to {} within {}: the loss has a kink here.",
        Short(left),
        Short(right),
        Short(near.length())
    );
    let remedy = "L-BFGS assumes a smooth loss and stalls at kinks: smooth it (softplus for relu, huber for abs).";
    Some(
        Finding::new(Cause::NonSmoothLoss, Certainty::Likely, evidence, remedy)
            .with("left slope", left)
            .with("right slope", right),
    )
}

/// A difference between loss and gradient that does not shrink with the distance: rounding, or jumps.
fn rough(near: &Pair, middle: &Pair, base: &Base) -> Option<Finding> {
    let (small, large) = (near.residual().abs(), middle.residual().abs());
    let smooth = near.is_smooth() && middle.is_smooth();
    if !smooth || small <= near.resolution().max(20.0 * near.noise) || large > 10.0 * small {
        return None;
    }
    if (large - small).abs() <= 1e-2 * small {
        let evidence = format!(
            "The loss jumps by {} within {} of this point, which the gradient does not show.",
            Short(small),
            Short(near.plus.length)
        );
        let remedy = "Look for round(), floor(), a comparison or a table in the loss; L-BFGS needs a smooth one.";
        return Some(Finding::new(Cause::NonSmoothLoss, Certainty::Likely, evidence, remedy).with("jump", small));
    }
    let evidence = format!(
        "The loss is rough: however small the move, it strays by {} from what its gradient says, while its dtype \
         resolves {}.",
        Short(small),
        Short(base.eps * base.loss.abs())
    );
    let remedy = "Some part of it is computed less exactly: look for f32 in data or constants, for large terms that \
                  cancel, for round(), for an inner iteration that stops early.";
    // In f32 terms that cancel are enough.
    let certainty = if base.eps > 1e-10 { Certainty::Possible } else { Certainty::Likely };
    Some(Finding::new(Cause::RoughLoss, certainty, evidence, remedy).with("noise", small))
}
