//! A report in plain words.

use super::causes::{Rank, Remark, plural};
use super::{Short, StepReport, StopReason};
use std::fmt::{self, Display, Formatter};

/// Histories from this size on are worth a word: 64 MiB.
const LARGE_HISTORY: usize = 64 << 20;

/// So many notes are printed at most.
const NOTES: usize = 4;

impl Display for StepReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.stop == StopReason::NotStarted {
            return f.write_str(self.headline());
        }
        let (iterations, evaluations) = (plural(self.iterations, "iteration"), plural(self.evaluations, "evaluation"));
        write!(f, "stopped after {iterations}, {evaluations}: {}", self.headline())?;
        if let Some(compared) = &self.compared {
            write!(f, " ({compared})")?;
        }
        let mut remarks = self.remarks();
        if let Some(first) = remarks.iter().position(|remark| remark.rank != Rank::Note) {
            let Remark { rank, text } = remarks.remove(first);
            write!(f, "\n{}: {text}", label(rank))?;
        }
        self.losses(f)?;
        self.pairs(f)?;
        let others: Vec<String> = remarks.into_iter().take(NOTES).map(|remark| remark.text).collect();
        if !others.is_empty() {
            write!(f, "\nnote: {}", others.join("; "))?;
        }
        write!(f, "\ntime: {:.2?} in the closure, {:.2?} in the optimizer", self.closure_time, self.optimizer_time)
    }
}

fn label(rank: Rank) -> &'static str {
    match rank {
        Rank::Cause => "cause",
        Rank::Likely => "likely cause",
        Rank::Advice => "advice",
        Rank::Note => "note",
    }
}

impl StepReport {
    fn headline(&self) -> &'static str {
        match self.stop {
            StopReason::NotStarted => "no step has been made yet",
            StopReason::GradientToleranceAtStart if self.no_gradient() => "there is no gradient, nothing was moved",
            StopReason::GradientToleranceAtStart if self.gradient_max == 0.0 => {
                "the gradient is zero, nothing was moved"
            }
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
        write!(f, "\nloss {first}")?;
        if self.evaluations > 1 {
            write!(f, " at first -> {last} at last")?;
            if self.best_loss != self.final_loss {
                write!(f, " (best {best})")?;
            }
        }
        if self.moved_since_final_loss {
            f.write_str(", before the last move, which was not evaluated")?;
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
            write!(f, ", which take {} MiB (history_size limits them)", self.history_bytes >> 20)?;
        }
        Ok(())
    }
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
