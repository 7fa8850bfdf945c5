//! What a report says is wrong, the cause that explains most first.

mod closure;
mod ends;
mod moves;

use super::{StepReport, StopReason};

/// How sure a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing else explains what was seen.
    Cause,
    /// The usual explanation of it.
    Likely,
    /// Nothing is wrong, yet there is something to do.
    Advice,
    /// Worth knowing.
    Note,
}

/// A sentence about a step.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) rank: Rank,
    pub(super) text: String,
}

fn cause(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Cause, text: text.into() })
}

fn likely(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Likely, text: text.into() })
}

fn advice(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Advice, text: text.into() })
}

fn note(text: impl Into<String>) -> Option<Remark> {
    Some(Remark { rank: Rank::Note, text: text.into() })
}

/// Of what is wrong only the first is kept, which explains most, and what is surer than it: the rest follows from it.
fn drop_consequences(remarks: &mut Vec<Remark>) {
    let mut first = None;
    remarks.retain(|remark| {
        remark.rank == Rank::Note
            || first.is_none_or(|first| remark.rank < first) && {
                first.get_or_insert(remark.rank);
                true
            }
    });
}

impl StepReport {
    /// All that is to be said, in the order of what explains most. A cause makes those below it consequences.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let checks: [fn(&Self) -> Option<Remark>; 29] = [
            Self::on_foreign_leaves,
            Self::on_error,
            Self::on_no_gradient,
            Self::on_constant_closure,
            Self::on_accumulation,
            Self::on_meddling,
            Self::on_frozen_loss,
            Self::on_contradiction,
            Self::on_factor,
            Self::on_broken_direction,
            Self::on_non_finite,
            Self::on_no_movement,
            Self::on_first_step,
            Self::on_runaway,
            Self::on_increases,
            Self::on_uphill,
            Self::on_kink,
            Self::on_noise,
            Self::on_refused_pairs,
            Self::on_failed_search,
            Self::on_short_memory,
            Self::on_tolerances,
            Self::on_limits,
            Self::on_missing_gradients,
            Self::on_zero_gradients,
            Self::on_searches,
            Self::on_broken_parameters,
            Self::on_another_loss,
            Self::on_changes_between_steps,
        ];
        let mut remarks: Vec<Remark> = checks.into_iter().filter_map(|check| check(self)).collect();
        drop_consequences(&mut remarks);
        if self.resets > 0 {
            let resets = plural(self.resets, "time");
            remarks.extend(note(format!("the memory was cleared {resets} because its direction led nowhere")));
        }
        if self.returned_to_best {
            remarks.extend(note("the parameters went back to the best point of the step"));
        }
        let others = self.notes.len() - usize::from(self.stop == StopReason::Failed).min(self.notes.len());
        remarks.extend(self.notes[..others].iter().filter_map(|text| note(text.as_str())));
        remarks
    }
}

pub(super) fn plural(count: usize, noun: &str) -> String {
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
    some.join(", ") + if names.len() > some.len() { ", .." } else { "" }
}
