//! What compositions need of the schedulers inside them.

use crate::base::Groups;
use crate::{Optimizer, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tape::{DType, Tensor};

/// What a scheduler keeps of its optimizer.
#[derive(Clone, Debug)]
pub struct Target {
    pub groups: Arc<Groups>,
    /// torch's name of the optimizer's class.
    pub name: &'static str,
    pub has_momentum: bool,
    pub has_betas: bool,
}

impl Target {
    pub fn of<O: Optimizer + ?Sized>(optimizer: &O) -> Self {
        let base = optimizer.base();
        let has = |name: &str| base.defaults().contains_key(name);
        Self {
            groups: Arc::clone(base.groups()),
            name: base.name(),
            has_momentum: has("momentum"),
            has_betas: has("betas"),
        }
    }

    /// The groups as they are now.
    pub fn all(&self) -> Arc<Vec<ParamGroup>> {
        self.groups.all()
    }
}

/// A way to move a scheduler.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// One epoch on.
    Next,
    /// To this epoch.
    Epoch(i64),
    /// torch's `_initial_step`: counts from the beginning, and most classes leave the learning rate alone.
    Initial,
}

/// The part of an operation that cannot fail, to be run or dropped.
pub type Deferred<'a> = Box<dyn FnOnce() + 'a>;

/// A scheduler as compositions see it.
pub trait Node: Send + Sync {
    /// torch's name of the class.
    fn class(&self) -> &'static str;
    /// The optimizer whose learning rates it sets.
    fn target(&self) -> &Target;
    /// Where its warnings go.
    fn log(&self) -> &Log;
    /// Moves it; on an error nothing has changed but the log.
    fn advance(&self, command: Command) -> Result<()>;
    /// Takes back the epoch counted by the initial step.
    fn undo(&self);
    fn last_lr(&self) -> Vec<f64>;
    fn last_epoch(&self) -> i64;
    fn save(&self) -> Dict;
    /// Checks a state dict; what is returned puts it in place.
    fn load(&self, saved: &Value) -> Result<Deferred<'_>>;
    /// Remembers the state; what is returned puts it back.
    fn remember(&self) -> Deferred<'_>;
    /// Whether a step needs a metric, so that no composition can make it.
    fn needs_metrics(&self) -> bool {
        false
    }
}

/// How many warnings are kept.
const KEPT: usize = 1000;

/// Warnings in order.
#[derive(Debug, Default)]
pub struct Log(Mutex<VecDeque<Cow<'static, str>>>);

impl Log {
    pub fn add(&self, text: impl Into<Cow<'static, str>>) {
        self.extend([text.into()]);
    }

    /// Moves the warnings of another log to the end of this one.
    pub fn adopt(&self, other: &Log) {
        let news = std::mem::take(&mut *other.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.extend(news);
    }

    pub fn texts(&self) -> Vec<String> {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.iter().map(|text| text.clone().into_owned()).collect()
    }

    fn extend(&self, news: impl IntoIterator<Item = Cow<'static, str>>) {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.extend(news);
        let surplus = texts.len().saturating_sub(KEPT);
        texts.drain(..surplus);
    }
}

/// Puts things back when it is dropped, on an error as on a panic, unless it was told to [`keep`](Self::keep).
#[must_use]
pub struct Rollback<'a>(Vec<Deferred<'a>>);

impl<'a> Rollback<'a> {
    /// Remembers all options of all groups.
    pub fn of(target: &Target) -> Self {
        Self(target.all().iter().map(|group| remember_group(group.clone())).collect())
    }

    /// Remembers a scheduler too.
    pub fn and(mut self, node: &'a dyn Node) -> Self {
        self.0.push(node.remember());
        self
    }

    /// What was done shall stay.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        for put_back in self.0.drain(..) {
            put_back();
        }
    }
}

fn remember_group<'a>(group: ParamGroup) -> Deferred<'a> {
    let options = group.options();
    // A tensor is filled in place, so its handle alone would not bring the number back.
    let filled: Option<(Tensor, Vec<f64>)> = match options.get("lr") {
        Some(Value::Tensor(lr)) => Some((lr.clone(), lr.detach().to_dtype(DType::F64).to_vec::<f64>())),
        _ => None,
    };
    Box::new(move || {
        group.replace_options(options);
        if let Some((lr, number)) = filled {
            lr.write_from(&number);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_the_last_thousand() {
        let (log, other) = (Log::default(), Log::default());
        for i in 0..KEPT {
            log.add(i.to_string());
        }
        other.add("other");
        log.adopt(&other);
        let texts = log.texts();
        assert_eq!((texts.len(), texts[0].as_str(), texts[KEPT - 1].as_str()), (KEPT, "1", "other"));
        assert!(other.texts().is_empty());
    }
}
