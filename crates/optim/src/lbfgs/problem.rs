//! The flat vector of all parameters with the state that belongs to it.

use super::state::State;
use super::step::Buffers;
use crate::base::lock;
use crate::flat::Flat;
use crate::{ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::sync::Mutex;
use tape::{DType, Float};

/// What an optimizer works on; replaced as a whole when a group is added.
pub(super) struct Problem {
    pub(super) flat: Flat,
    pub(super) engine: Engine,
}

/// State and buffers in the dtype of the flat vectors.
pub(super) enum Engine {
    F32(Precision<f32>),
    F64(Precision<f64>),
}

/// What a step works on. The state is locked for short stretches only, never while the closure runs.
pub(super) struct Precision<T> {
    pub(super) state: Mutex<State<T>>,
    pub(super) buffers: Mutex<Buffers<T>>,
}

impl<T: Float> Precision<T> {
    fn new(state: State<T>) -> Self {
        Self { state: Mutex::new(state), buffers: Mutex::default() }
    }

    fn copy(&self) -> Self {
        let mut state = lock(&self.state).clone();
        if !state.begun {
            // Copied while the first iteration was running: the copy begins anew.
            state.n_iter = 0;
        }
        Self::new(state)
    }

    fn load(&self, saved: Option<&Value>, n: usize, narrow: bool) -> Result<()> {
        let state = saved.map_or_else(|| Ok(State::new(n)), |saved| State::load(saved, n, narrow))?;
        *lock(&self.state) = state;
        let mut buffers = lock(&self.buffers);
        (buffers.left, buffers.version) = (None, None);
        Ok(())
    }

    fn excuse(&self, before: u64, after: u64) {
        let mut buffers = lock(&self.buffers);
        let now = |version: u64| if version == before { after } else { version };
        buffers.version = buffers.version.map(now);
        buffers.left = buffers.left.map(|(version, loss)| (now(version), loss));
    }
}

impl Problem {
    pub(super) fn new(groups: &[ParamGroup]) -> Self {
        let flat = Flat::new(groups);
        let n = flat.numel();
        let engine = match flat.dtype() {
            DType::F64 => Engine::F64(Precision::new(State::new(n))),
            _ => Engine::F32(Precision::new(State::new(n))),
        };
        Self { flat, engine }
    }

    /// The problem over other groups, with nothing remembered but the count of evaluations.
    pub(super) fn over(&self, groups: &[ParamGroup]) -> Self {
        let flat = Flat::new(groups);
        let n = flat.numel();
        let engine = match (&self.engine, flat.dtype()) {
            (Engine::F32(old), DType::F64) => Engine::F64(Precision::new(lock(&old.state).fresh(n))),
            (Engine::F64(old), DType::F64) => Engine::F64(Precision::new(lock(&old.state).fresh(n))),
            (Engine::F32(old), _) => Engine::F32(Precision::new(lock(&old.state).fresh(n))),
            (Engine::F64(old), _) => Engine::F32(Precision::new(lock(&old.state).fresh(n))),
        };
        Self { flat, engine }
    }

    pub(super) fn copy(&self) -> Self {
        let engine = match &self.engine {
            Engine::F32(engine) => Engine::F32(engine.copy()),
            Engine::F64(engine) => Engine::F64(engine.copy()),
        };
        Self { flat: self.flat.clone(), engine }
    }

    /// Runs something that leaves the parameters as they were: the next step is not to take it for a change.
    pub(super) fn undisturbed<R>(&self, body: impl FnOnce() -> R) -> R {
        let before = self.flat.version();
        let outcome = body();
        let after = self.flat.version();
        match &self.engine {
            Engine::F32(engine) => engine.excuse(before, after),
            Engine::F64(engine) => engine.excuse(before, after),
        }
        outcome
    }

    pub(super) fn save(&self) -> Dict {
        match &self.engine {
            Engine::F32(engine) => lock(&engine.state).save(),
            Engine::F64(engine) => lock(&engine.state).save(),
        }
    }

    pub(super) fn load(&self, saved: Option<&Value>, narrow: bool) -> Result<()> {
        let n = self.flat.numel();
        match &self.engine {
            Engine::F32(engine) => engine.load(saved, n, narrow),
            Engine::F64(engine) => engine.load(saved, n, narrow),
        }
    }
}
