//! What a step did and why it stopped.

use std::fmt::{self, Display, Formatter};

/// Why an L-BFGS step ended: one variant per exit of torch's loop, which torch itself does not tell, and those
/// that only options beyond torch's can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// No step has been made yet.
    #[default]
    NotStarted,
    /// `max|g| <= tolerance_grad` at the point where the step began: nothing was moved.
    GradientToleranceAtStart,
    /// `g . d > -tolerance_change`: the direction promises no decrease. The iteration is counted, nothing was
    /// moved.
    DirectionalDerivative,
    /// `max_iter` iterations were made.
    MaxIter,
    /// `max_eval` evaluations were made. The line search is not interrupted, so there may be more.
    MaxEval,
    /// `max|g| <= tolerance_grad`.
    GradientTolerance,
    /// `max|t d| <= tolerance_change`: no parameter moved by more.
    StepTolerance,
    /// `|loss - previous loss| < tolerance_change`.
    LossTolerance,
    /// `|loss - previous loss| <= tolerance_change_rel * max(|loss|, |previous loss|)`: not a test of torch's.
    RelativeLossTolerance,
    /// The callback ended the step.
    Callback,
    /// The step ended in an error or a panic; the parameters are at the last accepted point.
    Failed,
}

/// The two numbers of the test that ended a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// What was measured, as a formula.
    pub quantity: &'static str,
    /// Its value.
    pub value: f64,
    /// How the two compare: `<=`, `<`, `>` or `>=`.
    pub relation: &'static str,
    /// The option it was compared with, by torch's name (`-tolerance_change` for the directional derivative).
    pub option: &'static str,
    /// The value of the option.
    pub limit: f64,
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { quantity, value, relation, option, limit } = self;
        write!(f, "{quantity} = {} {relation} {option} = {}", Short(*value), Short(*limit))
    }
}

/// What the last step did. Printing it gives two to six lines of plain words.
///
/// ```
/// use optim::{Lbfgs, Optimizer, StopReason};
/// use tape::Tensor;
/// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizer = Lbfgs::builder([&p]).max_iter(1).build()?;
/// optimizer.step(|| {
///     optimizer.zero_grad();
///     let loss = (&p * &p).sum();
///     loss.backward()?;
///     Ok(loss)
/// })?;
/// let report = optimizer.report();
/// assert_eq!((report.stop, report.iterations, report.evaluations), (StopReason::MaxIter, 1, 1));
/// assert!(report.moved_since_final_loss); // a fixed step is not evaluated again in the last iteration
/// println!("{report}");
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// Why the step ended.
    pub stop: StopReason,
    /// The numbers of the test that ended it.
    pub compared: Option<Compared>,
    /// Iterations of this step, as torch counts them: one that ends before it moves is counted.
    pub iterations: usize,
    /// Calls of the closure in this step that returned a loss.
    pub evaluations: usize,
    /// Loss of the first evaluation, which `step` returns. This and the other losses have the penalty of
    /// `weight_decay` added, or, with `maximize`, subtracted.
    pub initial_loss: f64,
    /// Loss at the last accepted point that was evaluated.
    pub final_loss: f64,
    /// Whether the parameters were moved after `final_loss` was measured, so that it belongs to the point
    /// before: without a line search the last iteration is not evaluated again, as in torch.
    pub moved_since_final_loss: bool,
    /// Smallest loss among the evaluations, trial points included; NaN only if all were. With `maximize` the
    /// largest.
    pub best_loss: f64,
    /// `max|g|` where `final_loss` was measured, of the gradient that the method works with: with weight decay,
    /// and scaled by the groups' learning rates, where these are on.
    pub gradient_max: f64,
    /// The option that `gradient_max` is measured against.
    pub tolerance_grad: f64,
    /// `g . d` of the last direction.
    pub directional_derivative: Option<f64>,
    /// The last accepted step length.
    pub step_length: Option<f64>,
    /// Curvature pairs stored in this step.
    pub pairs_accepted: usize,
    /// Curvature pairs among the accepted ones that Powell's damping changed.
    pub pairs_damped: usize,
    /// Curvature pairs refused in this step because `y . s <= 1e-10`.
    pub pairs_skipped: usize,
    /// Curvature pairs in memory at the end.
    pub pairs_in_memory: usize,
    /// Memory that the pairs take, in bytes.
    pub history_bytes: usize,
    /// Line searches of this step that ended without a point that satisfies the strong Wolfe conditions.
    pub searches_unsatisfied: usize,
    /// Iterations without line search after which the loss was higher (with `maximize`: lower).
    pub loss_increases: usize,
    /// How many parameters there are.
    pub params: usize,
    /// Parameters that had no gradient at the last evaluation, by name or position. They count as constants.
    pub params_without_gradient: Vec<String>,
    /// Evaluations whose loss or gradient was NaN or infinite.
    pub non_finite_evaluations: usize,
    /// What torch would have warned of, or the error that ended the step.
    pub notes: Vec<String>,
}

impl Default for StepReport {
    fn default() -> Self {
        Self {
            stop: StopReason::NotStarted,
            compared: None,
            iterations: 0,
            evaluations: 0,
            initial_loss: f64::NAN,
            final_loss: f64::NAN,
            moved_since_final_loss: false,
            best_loss: f64::NAN,
            gradient_max: f64::NAN,
            tolerance_grad: f64::NAN,
            directional_derivative: None,
            step_length: None,
            pairs_accepted: 0,
            pairs_damped: 0,
            pairs_skipped: 0,
            pairs_in_memory: 0,
            history_bytes: 0,
            searches_unsatisfied: 0,
            loss_increases: 0,
            params: 0,
            params_without_gradient: Vec::new(),
            non_finite_evaluations: 0,
            notes: Vec::new(),
        }
    }
}

impl StepReport {
    /// Counts one evaluation; `slope` is any number that is not finite where the gradient is not.
    pub(crate) fn count_evaluation(&mut self, loss: f64, slope: f64) {
        self.evaluations += 1;
        // `min` gives the other number where one is NaN, which is what is wanted here.
        self.best_loss = self.best_loss.min(loss);
        if !loss.is_finite() || !slope.is_finite() {
            self.non_finite_evaluations += 1;
        }
    }

    /// From the losses of the minimised objective to those of the maximised one.
    pub(crate) fn turn_losses(&mut self) {
        for loss in [&mut self.initial_loss, &mut self.final_loss, &mut self.best_loss] {
            *loss = -*loss;
        }
    }

    fn headline(&self) -> &'static str {
        match self.stop {
            StopReason::NotStarted => "no step has been made yet",
            StopReason::GradientToleranceAtStart => "already converged, nothing was moved",
            StopReason::DirectionalDerivative => "the direction promises no further decrease",
            StopReason::MaxIter => "max_iter was reached",
            StopReason::MaxEval => "max_eval was reached",
            StopReason::GradientTolerance => "converged, the gradient is small",
            StopReason::StepTolerance => "the last step was too short to count",
            StopReason::LossTolerance | StopReason::RelativeLossTolerance => "the loss hardly changed",
            StopReason::Callback => "the callback asked for it",
            StopReason::Failed => "an error ended the step, the parameters are at the last accepted point",
        }
    }

    /// What to do about it, where there is something to do.
    fn advice(&self) -> Option<&'static str> {
        let steep = self.gradient_max > self.tolerance_grad;
        match self.stop {
            StopReason::MaxIter | StopReason::MaxEval if steep => {
                Some("call step again to go on with the same memory, or raise the limit")
            }
            StopReason::LossTolerance | StopReason::StepTolerance | StopReason::DirectionalDerivative if steep => {
                Some("max|g| is above tolerance_grad, so this may be no minimum: lower tolerance_change")
            }
            StopReason::RelativeLossTolerance if steep => {
                Some("max|g| is above tolerance_grad, so this may be no minimum: lower tolerance_change_rel")
            }
            _ => None,
        }
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.non_finite_evaluations > 0 {
            remarks.push(format!(
                "{} of {} evaluations gave a NaN or infinite loss or gradient",
                self.non_finite_evaluations, self.evaluations
            ));
        }
        let missing = self.params_without_gradient.len();
        if missing > 0 {
            let some: Vec<_> = self.params_without_gradient.iter().take(5).map(String::as_str).collect();
            let more = if missing > some.len() { ", ..." } else { "" };
            remarks.push(format!(
                "{missing} of {} parameters have no gradient and were treated as constants: {}{more}",
                self.params,
                some.join(", ")
            ));
        }
        if self.searches_unsatisfied > 0 {
            remarks.push(format!("{} line searches ended without a strong Wolfe point", self.searches_unsatisfied));
        }
        if self.loss_increases > 0 {
            remarks.push(format!(
                "the loss got worse in {} of {} iterations without a line search: use strong_wolfe, or lower lr",
                self.loss_increases, self.iterations
            ));
        }
        remarks.extend(self.notes.iter().cloned());
        remarks
    }
}

impl Display for StepReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.stop == StopReason::NotStarted {
            return f.write_str(self.headline());
        }
        write!(f, "stopped after {} iterations, {} evaluations: ", self.iterations, self.evaluations)?;
        match &self.compared {
            Some(compared) => write!(f, "{} ({compared})", self.headline())?,
            None => f.write_str(self.headline())?,
        }
        let [first, last, best, steepest] =
            [self.initial_loss, self.final_loss, self.best_loss, self.gradient_max].map(Short);
        write!(f, "\nloss {first} -> {last} (best {best})")?;
        if self.moved_since_final_loss {
            f.write_str(" before the last move, which was not evaluated")?;
        }
        write!(f, "; max|g| = {steepest}")?;
        if let Some(t) = self.step_length {
            write!(f, "; last step length t = {}", Short(t))?;
        }
        if self.pairs_accepted + self.pairs_skipped + self.pairs_in_memory > 0 {
            let Self { pairs_accepted, pairs_skipped, pairs_in_memory, .. } = self;
            write!(f, "\ncurvature pairs: {pairs_accepted} accepted")?;
            if self.pairs_damped > 0 {
                write!(f, " ({} damped)", self.pairs_damped)?;
            }
            write!(f, ", {pairs_skipped} skipped")?;
            write!(f, ", {pairs_in_memory} in memory")?;
        }
        if let Some(advice) = self.advice() {
            write!(f, "\nadvice: {advice}")?;
        }
        let remarks = self.remarks();
        if !remarks.is_empty() {
            write!(f, "\nnote: {}", remarks.join("; "))?;
        }
        Ok(())
    }
}

/// A number for reading: seven significant digits, small and large ones with an exponent.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let x = self.0;
        let size = x.abs();
        if x == 0.0 || !x.is_finite() || (size < 1e7 && x.fract() == 0.0) {
            write!(f, "{x}")
        } else if (1e-3..1e7).contains(&size) {
            let digits = (6 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{x:.digits$}");
            let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            f.write_str(text)
        } else {
            let text = format!("{x:.6e}");
            match text.split_once('e') {
                Some((mantissa, exponent)) if mantissa.contains('.') => {
                    write!(f, "{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
                }
                _ => f.write_str(&text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (24.2, "24.2"),
            (0.1 + 0.2, "0.3"),
            (1e-9, "1e-9"),
            (0.38414253467, "0.3841425"),
            (-1234567.25, "-1234567"),
            (25.0, "25"),
            (f64::NAN, "NaN"),
            (1.23456789e12, "1.234568e12"),
        ];
        for (x, text) in cases {
            assert_eq!(Short(x).to_string(), text);
        }
    }

    #[test]
    fn a_report_names_option_numbers_and_remedy() {
        let report = StepReport {
            stop: StopReason::LossTolerance,
            compared: Some(Compared {
                quantity: "|loss - previous loss|",
                value: 8e-10,
                relation: "<",
                option: "tolerance_change",
                limit: 1e-9,
            }),
            iterations: 3,
            evaluations: 4,
            initial_loss: 2.0,
            final_loss: 1.0,
            best_loss: 1.0,
            gradient_max: 2e-2,
            tolerance_grad: 1e-7,
            params: 7,
            params_without_gradient: vec!["bias".into()],
            ..StepReport::default()
        };
        let text = report.to_string();
        assert!(text.contains("|loss - previous loss| = 8e-10 < tolerance_change = 1e-9"), "{text}");
        assert!(text.contains("may be no minimum") && text.contains("1 of 7 parameters"), "{text}");
        assert!((2..=6).contains(&text.lines().count()), "{text}");
    }
}
