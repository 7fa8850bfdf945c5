//! What a diagnosis says.

use super::number::{Short, counted};
use std::fmt::{self, Display, Formatter};

/// What is wrong. In the order of declaration, equally certain findings are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The loss, or something it is computed from, is not computed anew in each call of the closure.
    LossComputedOutside,
    /// `backward` gave gradients to tensors that the optimizer does not own.
    GradientsToForeignLeaves,
    /// The loss is a constant: no operation that made it was recorded.
    LossWithoutHistory,
    /// The loss has a history, but no gradient was computed from it.
    BackwardNotCalled,
    /// `backward` gave gradients to parameters, and the closure took them away again.
    GradientsCleared,
    /// Parameters got no gradient.
    MissingGradients,
    /// Gradients of several evaluations add up.
    AccumulatingGradients,
    /// Evaluations at the same point differ: randomness, or a state that the closure carries on.
    StochasticClosure,
    /// The closure changes parameters.
    ClosureMovesParameters,
    /// A parameter holds NaN or an infinity.
    NonFiniteParameters,
    /// The loss at the present point is NaN or infinite.
    NonFiniteLoss,
    /// The gradient at the present point has a NaN or an infinity.
    NonFiniteGradient,
    /// The learning rate is zero or no number.
    LearningRate,
    /// `max_iter` or `max_eval` leave no room for work.
    LimitsTooLow,
    /// The gradient is not the derivative of the loss.
    WrongGradient,
    /// The loss has a kink or jumps.
    NonSmoothLoss,
    /// The loss does not change around the present point: a plateau, a saturated function.
    FlatLoss,
    /// The gradient vanishes at a point that is no minimum.
    StationaryPoint,
    /// The curvature memory does not fit the present point, or is not finite.
    StaleMemory,
    /// The next trial point has a NaN or infinite loss or gradient.
    NonFiniteTrial,
    /// The next step goes too far.
    Overshoot,
    /// The next step changes no parameter.
    StepTooShort,
    /// A tolerance ends the step at once, far from a minimum.
    TolerancesTooLoose,
    /// The loss is rounded more coarsely than its dtype.
    RoughLoss,
    /// Part of the computation is in a narrower dtype.
    MixedPrecision,
    /// The decrease that is left cannot be measured in this precision.
    BelowNoise,
    /// Curvatures differ by many orders of magnitude.
    IllConditioned,
    /// The loss does not curve upwards: there is no minimum in sight, and curvature pairs will be refused.
    NotConvex,
    /// Tolerances that rounding will not let the run reach.
    TolerancesTooTight,
    /// The history takes much memory.
    LargeHistory,
    /// Some parameters have gradients of exactly zero.
    ZeroGradients,
    /// A small learning rate without a line search.
    SmallLearningRate,
    /// Nothing is left to gain: the present point is a minimum as far as can be measured.
    AtMinimum,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// Measured; nothing else explains it.
    Certain,
    /// The usual explanation of what was measured.
    Likely,
    /// Worth knowing; may be harmless.
    Possible,
}

impl Display for Certainty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        })
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub cause: Cause,
    /// How sure that is.
    pub certainty: Certainty,
    /// A sentence that says what was measured.
    pub evidence: String,
    /// The numbers of that sentence, by name.
    pub numbers: Vec<(&'static str, f64)>,
    /// The parameters concerned, by name, or by position, dtype and shape.
    pub params: Vec<String>,
    /// A sentence that says what to do.
    pub remedy: String,
}

impl Finding {
    pub(super) fn new(cause: Cause, certainty: Certainty, evidence: String, remedy: impl Into<String>) -> Self {
        Self { cause, certainty, evidence, numbers: Vec::new(), params: Vec::new(), remedy: remedy.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: f64) -> Self {
        self.numbers.push((name, value));
        self
    }

    pub(super) fn about(mut self, params: Vec<String>) -> Self {
        self.params = params;
        self
    }

    /// One of the numbers of the evidence.
    ///
    /// ```
    /// # use optim::{Lbfgs, Optimizer};
    /// # use tape::Tensor;
    /// let x = Tensor::from([3.0]).requires_grad_(true);
    /// let optimizer = Lbfgs::builder([&x]).build()?;
    /// let diagnosis = optimizer.diagnose(|| {
    ///     let loss = (&x * &x).sum();
    ///     loss.backward()?; // zero_grad is missing
    ///     Ok(loss)
    /// })?;
    /// assert_eq!(diagnosis.findings()[0].number("second gradient"), Some(12.0));
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.certainty, self.evidence, self.remedy)
    }
}

/// What [`Lbfgs::diagnose`](crate::Lbfgs::diagnose) found. Printing it gives one numbered line per finding.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    findings: Vec<Finding>,
    /// How often the closure was called.
    pub evaluations: usize,
    /// Loss at the present point; NaN if it could not be evaluated.
    pub loss: f64,
    /// `max|g|` at the present point; NaN if there is no gradient.
    pub gradient_max: f64,
    /// Differences of the loss below this are rounding; NaN if it was not evaluated twice.
    pub noise: f64,
    /// What was looked at, in order.
    pub checked: Vec<&'static str>,
}

impl Diagnosis {
    pub(super) fn new(collected: Findings, evaluations: usize) -> Self {
        let Findings { mut findings, checked, loss, gradient_max, noise } = collected;
        findings.sort_by_key(|finding| (finding.certainty, finding.cause));
        Self { findings, evaluations, loss, gradient_max, noise, checked }
    }

    /// What was found, the most certain first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let spent = counted(self.evaluations, "evaluation", "evaluations");
        let mut here = format!("loss {}, max|g| = {}", Short(self.loss), Short(self.gradient_max));
        if self.noise.is_finite() {
            here.push_str(&format!(", rounding of the loss about {}", Short(self.noise)));
        }
        if self.findings.is_empty() {
            write!(f, "nothing wrong was found in {spent} ({here})")?;
        } else {
            let found = counted(self.findings.len(), "finding", "findings");
            write!(f, "{found} in {spent} ({here}):")?;
            for (i, finding) in self.findings.iter().enumerate() {
                write!(f, "\n{}. {finding}", i + 1)?;
            }
        }
        write!(f, "\nchecked: {}", self.checked.join(", "))
    }
}

/// A diagnosis in the making.
#[derive(Debug)]
pub(super) struct Findings {
    findings: Vec<Finding>,
    checked: Vec<&'static str>,
    pub(super) loss: f64,
    pub(super) gradient_max: f64,
    pub(super) noise: f64,
}

impl Default for Findings {
    fn default() -> Self {
        Self { findings: Vec::new(), checked: Vec::new(), loss: f64::NAN, gradient_max: f64::NAN, noise: f64::NAN }
    }
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, finding: Option<Finding>) {
        self.findings.extend(finding);
    }

    pub(super) fn checked(&mut self, what: &'static str) {
        self.checked.push(what);
    }
}
