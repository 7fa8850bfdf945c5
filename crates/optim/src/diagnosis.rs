//! Why L-BFGS does not move, or moves to the wrong place: checks of the closure, the gradient and the options.
//!
//! [`Lbfgs::diagnose`] evaluates the closure about ten times near the present point, puts everything back, and
//! says what is wrong, how certain that is, and what to do:
//!
//! ```
//! use optim::diagnosis::{Cause, Certainty};
//! use optim::{Lbfgs, Optimizer};
//! use tape::Tensor;
//!
//! let w = Tensor::from([1.0]).requires_grad_(true);
//! let optimizer = Lbfgs::builder([("w", &w)]).build()?;
//! let w = Tensor::from([5.0]).requires_grad_(true); // the optimizer never hears of this one
//! let diagnosis = optimizer.diagnose(|| {
//!     optimizer.zero_grad();
//!     let loss = (&w * &w).sum();
//!     loss.backward()?;
//!     Ok(loss)
//! })?;
//! let finding = &diagnosis.findings()[0];
//! assert_eq!((finding.cause, finding.certainty), (Cause::GradientsToForeignLeaves, Certainty::Certain));
//! println!("{diagnosis}");
//! # Ok::<(), optim::Error>(())
//! ```
//!
//! # What is looked at
//! | evaluations | check |
//! |---|---|
//! | 0 | options that cannot work; room the history takes; dtypes; non-finite parameters |
//! | 2 | the same point twice: gradients that add up, a closure with randomness; which leaves were reached; step report |
//! | 2 | a small move forth and back along a fixed pseudo-random direction that leans to `-g`: does the loss depend on the parameters, do loss and gradient agree, are there kinks |
//! | 0 to 7 | only if something looked wrong: the same point a third time, the small move at a thirtieth and at thirty times the distance |
//! | 0 to 8 | only if the gradient is wrong and there are two to four parameters: each moved alone |
//! | 0 to 2 | gradients along two more directions: curvature, conditioning, expected decrease |
//! | 1 or 2 | where the next iteration goes first; without a line search, where the one after it goes |
//! | 0 to 4 | only on a plateau or at a non-finite loss: is it better elsewhere |
//!
//! A fault that makes later checks meaningless ends them. Loss and gradient are compared through `f(x + h) -
//! f(x - h) = integral of g . dx`, the integral by Simpson's rule, whose error is estimated by its difference from
//! the trapezoidal rule. Only a difference in slope that is the same at several distances, and far above that
//! error and the rounding of the loss, is called a wrong gradient: rounding gives a difference in the loss that
//! does not grow with the distance, a kink one that one side has alone.
//!
//! # What is found where
//! Beside these, [`Cause::ClosureMovesParameters`] names a closure that changes what it is to be evaluated at.
//! Rows are symptoms that users of L-BFGS report, in the order of a survey of such reports.
//!
//! | # | fault | found by |
//! |---|---|---|
//! | 1 | loss computed outside of the closure | [`Cause::LossComputedOutside`]; step report; a missing closure does not compile |
//! | 2 | parameters re-created after the optimizer | [`Cause::GradientsToForeignLeaves`] |
//! | 3 | parameters without gradient | [`Cause::MissingGradients`], [`Cause::BackwardNotCalled`], [`Cause::GradientsCleared`]; step report |
//! | 4 | gradients accumulate | [`Cause::AccumulatingGradients`]; step report |
//! | 5 | loss without history | [`Cause::LossWithoutHistory`]; that a closure runs under `no_grad` cannot happen: the optimizer switches recording on; step report |
//! | 6 | NaN after some iterations | [`Cause::NonFiniteLoss`], [`Cause::NonFiniteGradient`], [`Cause::NonFiniteParameters`] here, [`Cause::NonFiniteTrial`] next; later ones: step report |
//! | 7 | a non-finite trial ruins the run | [`Cause::NonFiniteTrial`]; step report |
//! | 8 | first step far too long, lands on a plateau | [`Cause::Overshoot`], [`Cause::FlatLoss`]; step report |
//! | 9 | fixed step overshoots | [`Cause::Overshoot`] for the next two iterations; later ones: step report |
//! | 10 | decrease below rounding | [`Cause::BelowNoise`], [`Cause::MixedPrecision`], [`Cause::RoughLoss`]; step report |
//! | 11 | a tolerance ends the run early | [`Cause::TolerancesTooLoose`] if at once; later: step report |
//! | 12 | absolute tolerances and a small loss | [`Cause::TolerancesTooLoose`]; step report |
//! | 13 | `max_iter` or `max_eval` | [`Cause::LimitsTooLow`] if nothing can happen; else step report |
//! | 14 | `step(20)` ten times is not `step(200)` | step report: the reason each step ended |
//! | 15 | an exit that cannot be re-entered | ruled out: every exit leaves a state that the next step accepts |
//! | 16 | line search fails, gradient inconsistent | [`Cause::WrongGradient`]; step report, from the losses and slopes that it has |
//! | 17 | not a descent direction | [`Cause::StaleMemory`] for the next direction; step report |
//! | 18 | history poisoned | [`Cause::StaleMemory`] if it is not finite; [`Cause::NotConvex`] where pairs will be refused; refused pairs: step report |
//! | 19 | closure with randomness | [`Cause::StochasticClosure`]; step report, as a gradient that does not belong to the loss, or as another loss where the last step ended |
//! | 20 | kinks | [`Cause::NonSmoothLoss`] at the present point; where a line search closes in on one: step report |
//! | 21 | parameters drift in a failed search | ruled out: parameters are put back by copy |
//! | 22 | the first loss is returned | step report has both losses |
//! | 23 | worse than the best point seen | step report has the best loss |
//! | 24 | other results after an upgrade | out of reach at run time: one run cannot know another version's; pinned trajectories are tests of this crate |
//! | 25 | other results in another library | out of reach at run time, for the same reason; torch's trajectories are tests of this crate |
//! | 26 | "converged" and "failed" mixed up | step report: reasons are a closed list; [`Cause::AtMinimum`] here |
//! | 27 | a long step looks like a hang | a [callback](crate::LbfgsBuilder::callback) and `tracing` events show every iteration; every loop is bounded by `max_iter` and the searches' limit; the time of one evaluation is out of reach |
//! | 28 | memory | [`Cause::LargeHistory`]; step report from 64 MiB on; that stored pairs hold graphs is ruled out by the type system: they are plain numbers |
//! | 29 | loss scaling (AMP) | [`Cause::WrongGradient`] with the ratio, a power of two, if the loss returned is unscaled; if loss and gradient are scaled alike nothing at run time tells the scale from the problem's own |
//! | 30 | a trial leaves the domain | [`Cause::NonFiniteTrial`]; step report; an error of the closure is an error of the step |

mod curvature;
mod finding;
mod line;
mod mismatch;
mod next;
mod number;
mod options;
mod plateau;
mod point;
mod probe;
mod restore;
mod same_point;

pub use finding::{Cause, Certainty, Diagnosis, Finding};

use crate::optimizer::Closure;
use crate::{BoxError, Error, Lbfgs, Optimizer, Result};
use finding::Findings;
use options::Settings;
use point::Base;
use probe::{Failed, Probe};
use restore::Kept;
use tape::Tensor;

impl Lbfgs {
    /// Looks for what keeps this closure from being minimised: see [`diagnosis`](crate::diagnosis).
    ///
    /// Takes about ten evaluations near the present point, and at most twenty-one. Afterwards the parameters, their
    /// gradients (the same tensors with the same numbers), the optimizer's state, options and report, and the
    /// process-wide random state are what they were, to the bit, also if the closure fails or panics. What the
    /// closure changes beside these (a counter, running statistics of a layer, gradients of tensors that the
    /// optimizer does not own) it changes here as in a step. Call it before or after a step, not from inside
    /// the closure.
    ///
    /// With [`maximize`](crate::LbfgsBuilder::maximize) the loss of the findings is the negated one, which is what
    /// is minimised; with weight decay it includes the penalty. Clipping of gradients is left out.
    ///
    /// # Errors
    /// [`Error::Closure`] with whatever the closure returned, unless that is the tape's own error for a loss
    /// without a graph or with a used one, which is a finding; [`Error::LossNotScalar`];
    /// [`Error::StepIsRunning`]; [`Error::ParameterGroups`] if there are several groups without
    /// [`parameter_groups`](crate::LbfgsBuilder::parameter_groups); [`Error::GroupsOfSeveralRates`] if these have
    /// different learning rates; and if there are no elements or an option is missing.
    pub fn diagnose(&self, mut closure: impl FnMut() -> std::result::Result<Tensor, BoxError>) -> Result<Diagnosis> {
        let _running = self.base().start("diagnose")?;
        self.undisturbed(|| run(self, &mut closure))
    }
}

fn run(lbfgs: &Lbfgs, closure: &mut Closure<'_>) -> Result<Diagnosis> {
    let groups = lbfgs.base().groups().all();
    let settings = Settings::read(&groups)?;
    let params = probe::parameters(&groups)?;
    if params.iter().all(|param| param.range.is_empty()) {
        return Err(Error::NoElements);
    }
    let kept = Kept::of(params.iter().map(|param| &param.tensor));
    let mut probe = Probe::new(params, closure, settings.maximize);
    let mut findings = Findings::default();
    match examine(lbfgs, &settings, &mut probe, &kept, &mut findings) {
        Ok(()) => {}
        Err(Failed::Graph(fault)) => findings.push(fault.finding()),
        Err(Failed::Error(error)) => return Err(error),
    }
    if !probe.meddled.is_empty() {
        findings.push(same_point::meddling(&probe.meddled));
    }
    Ok(Diagnosis::new(findings, probe.evaluations))
}

/// All checks in order; a finding that makes the rest meaningless ends them.
fn examine(
    lbfgs: &Lbfgs,
    settings: &Settings,
    probe: &mut Probe<'_, '_>,
    kept: &Kept,
    findings: &mut Findings,
) -> std::result::Result<(), Failed> {
    findings.checked("options");
    options::check(settings, probe, findings);
    if same_point::parameters_are_broken(probe, findings) {
        return Ok(());
    }
    findings.checked("which leaves the gradients reach");
    let first = probe.here()?;
    if same_point::no_gradients(probe, &first, findings) {
        return Ok(());
    }
    findings.checked("finite loss and gradient");
    if !first.loss.is_finite() {
        return plateau::non_finite(probe, &first, findings);
    }
    if same_point::gradient_is_broken(probe, &first, findings) {
        return Ok(());
    }
    findings.checked("repeatability");
    let second = probe.here()?;
    if same_point::differs(probe, kept, &first, &second, findings) {
        return Ok(());
    }
    let mut base = Base::new(probe, first, &second);
    findings.noise = base.noise(base.loss);
    findings.checked("dependence of the loss on the parameters");
    let Some(line) = line::probe(probe, &base, findings)? else { return Ok(()) };
    findings.checked("gradient against finite differences");
    if line::judge(probe, &mut base, &line, findings)? {
        return Ok(());
    }
    if plateau::check(probe, &base, &line, findings)? {
        return Ok(());
    }
    findings.checked("curvature and rounding");
    let model = curvature::model(probe, &base, &line)?;
    model.judge(probe, &base, &line, findings);
    findings.checked("tolerances");
    options::check_tolerances(settings, probe, &base, &model, findings)?;
    findings.checked("the next step");
    next::check(lbfgs, settings, probe, &base, &model, findings)
}
