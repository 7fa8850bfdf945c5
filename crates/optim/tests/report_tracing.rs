//! Events for `tracing`: one per step, one per iteration.
#![cfg(feature = "tracing")]

mod common;

use common::{Outcome, rosenbrock, step};
use optim::{Lbfgs, LineSearch, StepReport};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tape::Tensor;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// An event: its level and its fields as text.
type Told = (Level, BTreeMap<&'static str, String>);

/// Keeps the events up to a level.
struct Listener {
    most: Level,
    events: Arc<Mutex<Vec<Told>>>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        if let Ok(mut events) = self.events.lock() {
            events.push((*event.metadata().level(), fields.0));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// The events of one step, and its report.
fn listened(most: Level) -> Result<(Vec<Told>, StepReport), optim::Error> {
    let events = Arc::default();
    let listener = Listener { most, events: Arc::clone(&events) };
    let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
    let optimizer = Lbfgs::builder([&p]).max_iter(5).max_eval(100).line_search_fn(LineSearch::StrongWolfe).build()?;
    tracing::subscriber::with_default(listener, || step(&optimizer, &p, rosenbrock::<f64>))?;
    let told = events.lock().map(|events| events.clone()).unwrap_or_default();
    Ok((told, optimizer.report()))
}

#[test]
fn every_iteration_and_every_step_is_told() -> Outcome {
    let (events, report) = listened(Level::DEBUG)?;
    let [iterations @ .., last] = &events[..] else { panic!("there are events") };
    assert_eq!(iterations.len(), 5);
    for (i, (level, fields)) in iterations.iter().enumerate() {
        assert_eq!((*level, fields["message"].as_str()), (Level::DEBUG, "L-BFGS iteration"));
        assert_eq!(fields["iteration"], (i + 1).to_string());
    }
    assert_eq!(iterations[4].1["loss"].parse(), Ok(report.final_loss));
    let (level, fields) = last;
    assert_eq!((*level, fields["message"].as_str()), (Level::INFO, "L-BFGS step"));
    assert_eq!(fields["stop"], "MaxIter");
    assert_eq!(fields["evaluations"], report.evaluations.to_string());
    assert_eq!(fields["final_loss"].parse(), Ok(report.final_loss));
    Ok(())
}

#[test]
fn iterations_are_told_only_to_who_wants_them() -> Outcome {
    let (events, _) = listened(Level::INFO)?;
    assert_eq!(events.iter().map(|(level, _)| *level).collect::<Vec<_>>(), [Level::INFO]);
    Ok(())
}

#[test]
fn a_step_that_fails_is_told_too() -> Outcome {
    let events = Arc::default();
    let listener = Listener { most: Level::INFO, events: Arc::clone(&events) };
    let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
    let optimizer = Lbfgs::builder([&p]).build()?;
    let failing = || optimizer.step(|| Err(optim::BoxError::msg("planned")));
    assert!(tracing::subscriber::with_default(listener, failing).is_err());
    assert_eq!(events.lock().unwrap()[0].1["stop"], "Failed");
    Ok(())
}
