//! A report in plain words.

use super::{FirstStep, Short, StepReport, StopReason};
use std::fmt::{self, Display, Formatter};

/// A first step is called long from so many times the largest parameter on.
const LONG: f64 = 100.0;

/// Losses below this are called small beside tolerances that are absolute.
const SMALL_LOSS: f64 = 1e-5;

/// Histories from this size on are worth a word: 64 MiB.
const LARGE_HISTORY: usize = 64 << 20;

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
        self.losses(f)?;
        self.pairs(f)?;
        write!(f, "\ntime: {:.2?} in the closure, {:.2?} in the optimizer", self.closure_time, self.optimizer_time)?;
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

impl StepReport {
    fn headline(&self) -> &'static str {
        match self.stop {
            StopReason::NotStarted => "no step has been made yet",
            StopReason::GradientToleranceAtStart if self.no_gradient() => "there is no gradient, nothing was moved",
            StopReason::GradientToleranceAtStart => "already converged, nothing was moved",
            StopReason::DirectionalDerivative => "the direction promises no further decrease",
            StopReason::MaxIter => "max_iter was reached",
            StopReason::MaxEval => "max_eval was reached",
            StopReason::GradientTolerance => "converged, the gradient is small",
            StopReason::StepTolerance => "the last step was too short to count",
            StopReason::LossTolerance | StopReason::RelativeLossTolerance => "the loss hardly changed",
            StopReason::Callback => "the callback asked for it",
            StopReason::NonFinite => {
                "loss or gradient are NaN or infinite, the parameters are at the last accepted point"
            }
            StopReason::Failed => "an error ended the step, the parameters are at the last accepted point",
        }
    }

    fn losses(&self, f: &mut Formatter<'_>) -> fmt::Result {
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
        Ok(())
    }

    fn pairs(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { pairs_accepted, pairs_skipped, pairs_in_memory, .. } = self;
        if pairs_accepted + pairs_skipped + pairs_in_memory == 0 {
            return Ok(());
        }
        write!(f, "\ncurvature pairs: {pairs_accepted} accepted")?;
        if self.pairs_damped > 0 {
            write!(f, " ({} damped)", self.pairs_damped)?;
        }
        write!(f, ", {pairs_skipped} skipped, {pairs_in_memory} in memory")?;
        if self.history_bytes >= LARGE_HISTORY {
            write!(f, ", which take {} MiB", self.history_bytes >> 20)?;
        }
        Ok(())
    }

    /// Whether no parameter has any gradient at all.
    fn no_gradient(&self) -> bool {
        self.params > 0 && self.params_without_gradient.len() == self.params
    }

    /// What to do about it, where there is something to do. The one cause that explains most comes first.
    fn advice(&self) -> Option<String> {
        let told = |text: &str| Some(String::from(text));
        let steep = self.gradient_max > self.tolerance_grad;
        if !self.reached_own_parameters && !self.foreign_leaves.is_empty() {
            return told("build the optimizer over the tensors that the closure uses");
        }
        if self.no_gradient() {
            return told("call backward() in the closure, on a loss that was computed from the parameters");
        }
        if self.unchanged_evaluations > 0 && self.unchanged_evaluations + 1 >= self.evaluations {
            return told("compute the loss inside of the closure, from the parameters as they are then");
        }
        if self.gradients_accumulate {
            return told("call zero_grad() in the closure, before backward()");
        }
        if self.non_finite_evaluations > 0 {
            return self.advice_on_non_finite();
        }
        if self.all_pairs_refused() {
            return told("multiply the loss by a constant, 1e6 say: y . s is compared with 1e-10, absolutely");
        }
        match self.stop {
            StopReason::MaxIter | StopReason::MaxEval if steep => {
                told("call step again to go on with the same memory, or raise the limit")
            }
            StopReason::LossTolerance | StopReason::StepTolerance | StopReason::DirectionalDerivative if steep => {
                self.advice_on_early_stop()
            }
            StopReason::RelativeLossTolerance if steep => {
                told("max|g| is above tolerance_grad, so this may be no minimum: lower tolerance_change_rel")
            }
            _ => None,
        }
    }

    fn advice_on_non_finite(&self) -> Option<String> {
        let begins = self.first_non_finite.is_some_and(|(evaluation, _)| evaluation == 1);
        let text = match (begins, self.stop) {
            (true, _) => "the step began from a NaN or infinite value: begin elsewhere, or rewrite the loss",
            (_, StopReason::NonFinite) => "nothing finite was found from here: rewrite the loss, or lower lr",
            _ if self.resets > 0 || self.final_loss.is_finite() => return None,
            _ => "use NonFinite::Recover, which treats such trials as too long, or lower lr",
        };
        Some(text.into())
    }

    fn advice_on_early_stop(&self) -> Option<String> {
        let text = if self.below_noise() && self.loss_epsilon > f64::EPSILON {
            "compute in f64, or stop here: f32 cannot resolve what is left"
        } else if self.below_noise() {
            "stop here: the loss cannot resolve what is left"
        } else if self.final_loss.abs() < SMALL_LOSS {
            "tolerances are absolute and this loss is small: multiply it by a constant, or lower tolerance_change"
        } else {
            "max|g| is above tolerance_grad, so this may be no minimum: lower tolerance_change"
        };
        Some(text.into())
    }

    /// Whether the last step promised less than the rounding error of the loss.
    fn below_noise(&self) -> bool {
        let promised = self.directional_derivative.unwrap_or(f64::NAN) * self.step_length.unwrap_or(1.0);
        promised.abs() < self.noise_floor
    }

    fn all_pairs_refused(&self) -> bool {
        self.pairs_skipped >= 3 && self.pairs_skipped > 3 * self.pairs_accepted
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        self.remark_on_leaves(&mut remarks);
        self.remark_on_gradients(&mut remarks);
        self.remark_on_evaluations(&mut remarks);
        self.remark_on_steps(&mut remarks);
        remarks.extend(self.notes.iter().cloned());
        remarks
    }

    fn remark_on_leaves(&self, remarks: &mut Vec<String>) {
        let foreign = self.foreign_leaves.len();
        if !self.reached_own_parameters && foreign > 0 {
            let shapes: Vec<String> = self.foreign_leaves.iter().take(5).map(|shape| format!("{shape:?}")).collect();
            let (tensors, more) = (plural(foreign, "leaf tensor"), if foreign > shapes.len() { ", ..." } else { "" });
            remarks.push(format!(
                "backward() gave gradients to {tensors} that this optimizer does not own (shape {}{more}) and to none of \
                 its own parameters: were they re-created after it was built?",
                shapes.join(", ")
            ));
        } else if self.no_gradient() {
            remarks.push("no parameter received a gradient: a detached graph, or backward() was not called".into());
        } else if foreign > 0 && !self.params_without_gradient.is_empty() {
            remarks.push(format!(
                "backward() also gave gradients to {} that this optimizer does not own",
                plural(foreign, "leaf tensor")
            ));
        }
    }

    fn remark_on_gradients(&self, remarks: &mut Vec<String>) {
        let of = self.params;
        let absent = &self.params_without_gradient;
        if !absent.is_empty() && !self.no_gradient() {
            let (count, names) = (absent.len(), listed(absent));
            remarks.push(format!("{count} of {of} parameters have no gradient and were treated as constants: {names}"));
        }
        let zero = &self.params_with_zero_gradient;
        if !zero.is_empty() {
            let hint = if zero.len() == of { " (a minimum, a flat region, or a saturated function)" } else { "" };
            let (count, names) = (zero.len(), listed(zero));
            remarks.push(format!("{count} of {of} parameters have a gradient of exactly zero: {names}{hint}"));
        }
        let broken = &self.params_with_non_finite_gradient;
        if !broken.is_empty() {
            remarks.push(format!(
                "{} of {of} parameters have a NaN or infinite gradient: {}",
                broken.len(),
                listed(broken)
            ));
        }
    }

    fn remark_on_evaluations(&self, remarks: &mut Vec<String>) {
        if let Some((evaluation, loss)) = self.first_non_finite {
            remarks.push(format!(
                "{} of {} evaluations gave a NaN or infinite loss or gradient, first evaluation {evaluation} with loss {}",
                self.non_finite_evaluations,
                self.evaluations,
                Short(loss)
            ));
        }
        if self.gradients_accumulate {
            remarks
                .push("the second evaluation added to the gradients of the first: gradients are accumulating".into());
        }
        if self.unchanged_evaluations > 0 && self.unchanged_evaluations + 1 >= self.evaluations {
            remarks.push(format!(
                "the closure returned the same loss and gradient at {} different points",
                self.unchanged_evaluations + 1
            ));
        }
        if self.searches_unsatisfied > 0 {
            let searches = plural(self.searches_unsatisfied, "line search");
            remarks.push(format!("{searches} ended without a strong Wolfe point"));
        }
        let ended_early = matches!(
            self.stop,
            StopReason::LossTolerance | StopReason::StepTolerance | StopReason::DirectionalDerivative
        );
        if self.below_noise() && (ended_early || self.searches_unsatisfied > 0) {
            remarks.push(format!(
                "the last step promised less than the rounding error of the loss, {}",
                Short(self.noise_floor)
            ));
        }
    }

    fn remark_on_steps(&self, remarks: &mut Vec<String>) {
        if let Some(FirstStep { length, parameters }) = self.first_step
            && parameters > 0.0
            && length > LONG * parameters
        {
            let times = Short((length / parameters).round());
            remarks.push(format!("the first step was {times} times as long as the largest parameter: lower lr"));
        }
        if self.loss_increases > 0 {
            remarks.push(format!(
                "the loss got worse in {} of {} iterations without a line search: use strong_wolfe, or lower lr",
                self.loss_increases, self.iterations
            ));
        }
        if self.all_pairs_refused() {
            let (refused, all) = (self.pairs_skipped, self.pairs_skipped + self.pairs_accepted);
            remarks.push(format!(
                "{refused} of {all} curvature pairs were refused (y . s <= 1e-10): a loss of small scale, noise or negative \
                 curvature; without them this is gradient descent"
            ));
        }
        if self.resets > 0 {
            let resets = plural(self.resets, "time");
            remarks.push(format!("the memory was cleared {resets} because its direction led nowhere"));
        }
        if self.returned_to_best {
            remarks.push("the parameters went back to the best point of the step".into());
        }
        if self.step_length == Some(0.0) && self.searches_unsatisfied == 0 {
            remarks.push("the step length is 0: is lr 0?".into());
        }
    }
}

fn plural(count: usize, noun: &str) -> String {
    let ending = match (count, noun) {
        (1, _) => "",
        (_, noun) if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}

/// The first five of these names.
fn listed(names: &[String]) -> String {
    let some: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    some.join(", ") + if names.len() > some.len() { ", ..." } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compared;

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
            reached_own_parameters: true,
            ..StepReport::default()
        };
        let text = report.to_string();
        assert!(text.contains("|loss - previous loss| = 8e-10 < tolerance_change = 1e-9"), "{text}");
        assert!(text.contains("may be no minimum") && text.contains("1 of 7 parameters"), "{text}");
        assert!((2..=6).contains(&text.lines().count()), "{text}");
    }
}
