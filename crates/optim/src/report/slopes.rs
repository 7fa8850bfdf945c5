//! Whether loss and gradient tell the same story along the way.

/// A change of the loss is compared only where it is so many times the rounding error of the loss.
const ABOVE_NOISE: f64 = 1e3;

/// What a mean slope may miss the slopes at both ends by, as a share of the larger.
const MARGIN: f64 = 0.05;

/// So many checks must fail before a gradient is doubted.
const SEVERAL: usize = 3;

/// Slopes on both sides of a kink are at least this share of the slope where the line began.
const STEEP: f64 = 0.1;

/// Both sides of a kink lie this close together, as a share of the step length.
const NARROW: f64 = 1e-4;

/// One move along a direction `d`: slopes are directional derivatives, changes of the loss per unit of `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SlopeCheck {
    /// `max|t d|`.
    pub length: f64,
    /// `g . d` where the move begins and where it ends.
    pub slopes: [f64; 2],
    /// The change of the loss divided by `t`.
    pub measured: f64,
}

impl SlopeCheck {
    /// The mean of a slope that rises or falls steadily lies between its ends (mean value theorem).
    fn fails(&self) -> bool {
        let [a, b] = self.slopes;
        let margin = MARGIN * a.abs().max(b.abs());
        self.measured < a.min(b) - margin || self.measured > a.max(b) + margin
    }
}

/// The moves of a step on which the loss changed by enough to be compared with the gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SlopeChecks {
    /// How many there were.
    pub made: usize,
    /// On how many of them the mean slope was not between the slopes at both ends. That a loss waves up and down
    /// on a long move can be the reason; on short ones it is a gradient that belongs to another function.
    pub failed: usize,
    /// The shortest of them.
    pub shortest: Option<SlopeCheck>,
}

impl SlopeChecks {
    /// Takes in a move whose mean slope is uncertain by `noise`, and returns whether that is little enough.
    pub(crate) fn add(&mut self, check: SlopeCheck, noise: f64) -> bool {
        let [a, b] = check.slopes;
        let finite = [a, b, check.measured, check.length, noise].into_iter().all(f64::is_finite);
        if !finite || check.length <= 0.0 || a.abs().max(b.abs()).max(check.measured.abs()) <= ABOVE_NOISE * noise.abs()
        {
            return false;
        }
        self.made += 1;
        self.failed += usize::from(check.fails());
        if self.shortest.is_none_or(|shortest| check.length <= shortest.length) {
            self.shortest = Some(check);
        }
        true
    }

    /// The shortest move, if it and most of the others contradict the gradients.
    pub(super) fn contradiction(&self) -> Option<SlopeCheck> {
        let doubtful = self.failed >= SEVERAL && 2 * self.failed > self.made;
        self.shortest.filter(|shortest| doubtful && shortest.fails())
    }
}

/// How the loss changed beside what the gradients promised (by the trapezoidal rule), move by move.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    /// Measured change over promised change.
    ratios: Vec<f64>,
    /// Slope at the end over slope at the begin.
    turns: Vec<f64>,
}

/// So many moves must tell the same factor, and no more are kept.
const TELLING: usize = 5;
const KEPT: usize = 64;

impl Factors {
    pub(crate) fn add(&mut self, check: SlopeCheck) {
        let [a, b] = check.slopes;
        let turn = b / a;
        // Across the minimum the two slopes cancel, and the rule says little; nor does it where the slope grows by much.
        if (-0.2..1.5).contains(&turn) && self.ratios.len() < KEPT {
            self.ratios.push(2.0 * check.measured / (a + b));
            self.turns.push(turn);
        }
    }

    /// How many times the derivative the gradient is, if most moves tell the same. The middle half of the ratios
    /// must be close together although the moves differ, or the slope must hardly change on them: the rule has no error
    /// then, while on moves that are alike otherwise it may be the same.
    pub(crate) fn common(mut self) -> Option<f64> {
        if self.ratios.len() < TELLING {
            return None;
        }
        let middle_half = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let n = values.len();
            [values[n / 4], values[n / 2], values[n - 1 - n / 4]]
        };
        let [low, middle, high] = middle_half(&mut self.ratios);
        let [least, _, most] = middle_half(&mut self.turns);
        let alike = high - low < 0.15 * middle.abs();
        let sound = most - least > 0.1 || least > 0.9 && most < 1.1;
        (alike && sound && (middle - 1.0).abs() > 0.25).then(|| 1.0 / middle)
    }
}

/// A place on a line where the slope jumps from downwards to upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Kink {
    /// The slopes `g . d` on both sides.
    pub slopes: [f64; 2],
    /// How far apart these were seen: the largest difference of a parameter.
    pub width: f64,
}

impl Kink {
    /// A kink, if the slopes are steep beside that where the line began, and close together.
    pub(crate) fn between(slopes: [f64; 2], start: f64, share: f64, width: f64) -> Option<Self> {
        let steep = slopes.iter().all(|slope| slope.abs() > STEEP * start.abs());
        (steep && share < NARROW).then_some(Self { slopes, width })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(slopes: [f64; 2], measured: f64) -> SlopeCheck {
        SlopeCheck { length: 1e-3, slopes, measured }
    }

    #[test]
    fn three_short_contradictions_are_one() {
        let mut checks = SlopeChecks::default();
        for _ in 0..2 {
            checks.add(check([-4.0, -3.9], 2.0), 1e-9);
        }
        checks.add(check([-4.0, -3.9], -3.95), 1e-9);
        assert_eq!((checks.made, checks.failed, checks.contradiction()), (3, 2, None));
        checks.add(check([-4.0, -3.9], 2.0), 1e-9);
        assert_eq!(checks.contradiction(), Some(check([-4.0, -3.9], 2.0)));
    }

    #[test]
    fn what_rounding_hides_is_not_compared() {
        let mut checks = SlopeChecks::default();
        checks.add(check([-4.0, -3.9], 2.0), 1e-2);
        checks.add(check([-4.0, f64::NAN], 2.0), 0.0);
        assert_eq!(checks.made, 0);
    }

    #[test]
    fn a_factor_is_the_same_on_moves_that_differ() {
        let told = |turns: [f64; 6], measured: fn(f64) -> f64| {
            let mut factors = Factors::default();
            turns.into_iter().for_each(|turn| factors.add(check([-4.0, -4.0 * turn], measured(turn))));
            factors.common()
        };
        let turns = [0.9, 0.1, -0.05, 0.4, 0.02, -0.1];
        assert_eq!(told(turns, |turn| -1.0 - turn), Some(2.0));
        assert_eq!(told(turns, |turn| 2.0 + 2.0 * turn), Some(-1.0));
        assert_eq!(told(turns, |turn| -2.0 - 2.0 * turn), None, "right");
        assert_eq!(told(turns, |turn| -1.0 - 3.0 * turn), None, "another factor on every move");
        assert_eq!(told([0.1; 6], |turn| -1.0 - turn), None, "moves that are all alike");
        assert_eq!(told([1.0; 6], |_| 4.0), Some(-1.0), "moves that are short");
        assert_eq!(told([8.0; 6], |_| -4.0), None, "moves on which the slope grows");
    }

    #[test]
    fn a_kink_is_steep_on_both_sides() {
        assert!(Kink::between([-1.0, 1.0], -1.0, 1e-5, 1e-5).is_some());
        assert!(Kink::between([-1.0, 1.0], -1.0, 1e-2, 1e-2).is_none(), "too far apart");
        assert!(Kink::between([-1e-5, 1e-5], -1.0, 1e-5, 1e-5).is_none(), "a smooth minimum");
    }
}
