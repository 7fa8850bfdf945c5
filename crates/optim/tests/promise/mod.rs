//! Problems, faults in their evaluations, and runs that keep a log of every call.
#![allow(dead_code)] // every test file uses a part

use optim::{BoxError, Error, Iteration, Lbfgs, LbfgsBuilder, LineSearch, NonFinite, Optimizer, StepReport};
use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use tape::{Float, Tensor};

/// Loss and gradient, computed in `f64` and then rounded.
pub type Function = fn(&[f64]) -> (f64, Vec<f64>);

pub struct Problem {
    pub name: &'static str,
    pub start: &'static [f64],
    pub f: Function,
    /// The loss at the minimum.
    pub least: f64,
    /// A step length with which plain steps come near the minimum.
    pub lr: f64,
}

pub const PROBLEMS: [Problem; 8] = [
    Problem { name: "Rosenbrock", start: &[-1.2, 1.0], f: rosenbrock, least: 0.0, lr: 0.5 },
    Problem { name: "quartic", start: &[0.5, -1.0, 1.5, -2.0, 2.5, -3.0, 3.5], f: quartic, least: -0.0, lr: 1.0 },
    Problem { name: "x - ln x", start: &[3.0], f: x_minus_ln_x, least: 1.0, lr: 1.0 },
    Problem { name: "badly scaled", start: &[1.0, -2.0, 3.0, -4.0], f: badly_scaled, least: 0.0, lr: 1.0 },
    Problem { name: "power 3/2", start: &[1.0, -0.3], f: power_three_halves, least: 0.0, lr: 0.5 },
    Problem { name: "exp", start: &[60.0], f: exp, least: 1.0, lr: 1.0 },
    Problem { name: "Himmelblau", start: &[-0.5, -1.0], f: himmelblau, least: 0.0, lr: 1.0 },
    Problem { name: "saddle", start: &[1e-2, 1.0], f: saddle, least: -0.25, lr: 1.0 },
];

fn rosenbrock(p: &[f64]) -> (f64, Vec<f64>) {
    let (a, c) = (1.0 - p[0], p[1] - p[0] * p[0]);
    (a * a + 100.0 * c * c, vec![-2.0 * a - 400.0 * c * p[0], 200.0 * c])
}

/// Convex, not quadratic, with its minimum at 0.
fn quartic(p: &[f64]) -> (f64, Vec<f64>) {
    let weight = |i: usize| (i + 1) as f64 / p.len() as f64;
    let loss = p.iter().enumerate().map(|(i, x)| weight(i) * (x * x / 2.0 + x.powi(4) / 4.0)).sum();
    (loss, p.iter().enumerate().map(|(i, x)| weight(i) * (x + x.powi(3))).collect())
}

/// Has no value below 0.
fn x_minus_ln_x(p: &[f64]) -> (f64, Vec<f64>) {
    (p[0] - p[0].ln(), vec![1.0 - 1.0 / p[0]])
}

fn badly_scaled(p: &[f64]) -> (f64, Vec<f64>) {
    let scale = |i: usize| 10.0_f64.powi(i32::try_from(i).unwrap_or(0));
    let loss = p.iter().enumerate().map(|(i, x)| scale(i) * x * x / 2.0).sum();
    (loss, p.iter().enumerate().map(|(i, x)| scale(i) * x).collect())
}

/// Its second derivative is infinite at the minimum.
fn power_three_halves(p: &[f64]) -> (f64, Vec<f64>) {
    (p.iter().map(|x| x.abs().powf(1.5)).sum(), p.iter().map(|x| 1.5 * x.abs().sqrt() * x.signum()).collect())
}

/// In `f32` it overflows from 89 on, and the square of its gradient from 45 on.
fn exp(p: &[f64]) -> (f64, Vec<f64>) {
    (p[0].exp() - p[0], vec![p[0].exp() - 1.0])
}

fn himmelblau(p: &[f64]) -> (f64, Vec<f64>) {
    let (a, b) = (p[0] * p[0] + p[1] - 11.0, p[0] + p[1] * p[1] - 7.0);
    (a * a + b * b, vec![4.0 * a * p[0] + 2.0 * b, 2.0 * a + 4.0 * b * p[1]])
}

fn saddle(p: &[f64]) -> (f64, Vec<f64>) {
    (p[0].powi(4) / 4.0 - p[0] * p[0] / 2.0 + p[1] * p[1] / 2.0, vec![p[0].powi(3) - p[0], p[1]])
}

/// What goes wrong in one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    Error,
    Panic,
    NanLoss,
    InfLoss,
    NegativeInfLoss,
    NanGradient,
    InfGradient,
    FlippedGradient,
    ScaledGradient,
    /// In this evaluation and all later ones.
    NoisyGradient,
    ZeroGradient,
    NoGradient,
}

pub const FAULTS: [Fault; 13] = [
    Fault::None,
    Fault::Error,
    Fault::Panic,
    Fault::NanLoss,
    Fault::InfLoss,
    Fault::NegativeInfLoss,
    Fault::NanGradient,
    Fault::InfGradient,
    Fault::FlippedGradient,
    Fault::ScaledGradient,
    Fault::NoisyGradient,
    Fault::ZeroGradient,
    Fault::NoGradient,
];

/// Which promises are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Torch,
    Policy(NonFinite),
    Guarded(NonFinite),
}

pub const MODES: [Mode; 6] = [
    Mode::Torch,
    Mode::Policy(NonFinite::Stop),
    Mode::Policy(NonFinite::Recover),
    Mode::Guarded(NonFinite::Torch),
    Mode::Guarded(NonFinite::Stop),
    Mode::Guarded(NonFinite::Recover),
];

impl Mode {
    pub fn is_guarded(self) -> bool {
        matches!(self, Self::Guarded(_))
    }

    /// Whether nothing non-finite is accepted.
    pub fn refuses(self) -> bool {
        self != Self::Torch
    }

    pub fn recovers(self) -> bool {
        matches!(self, Self::Policy(NonFinite::Recover) | Self::Guarded(NonFinite::Recover))
    }

    /// Whether the last iteration without line search is evaluated.
    pub fn evaluates_last(self) -> bool {
        self.is_guarded() || self.recovers()
    }

    pub fn configure(self, builder: LbfgsBuilder) -> LbfgsBuilder {
        match self {
            Self::Torch => builder,
            Self::Policy(policy) => builder.non_finite(policy),
            Self::Guarded(policy) => builder.guarded(true).non_finite(policy),
        }
    }
}

/// A call of the closure: where, and the loss it returned.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: Vec<f64>,
    pub loss: Option<f64>,
}

/// What a callback saw.
pub type Seen = (Iteration, Vec<f64>);

/// What is tried: a problem, the way to solve it, and the evaluation that goes wrong.
#[derive(Clone, Copy)]
pub struct Case {
    pub problem: &'static Problem,
    pub search: bool,
    pub mode: Mode,
    pub fault: Fault,
    /// Number of the evaluation with the fault, from 1, over all steps.
    pub at: usize,
}

impl Debug for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { problem, search, mode, fault, at } = self;
        let search = if *search { "strong Wolfe" } else { "no search" };
        write!(f, "{}, {search}, {mode:?}, {fault:?} at {at}", problem.name)
    }
}

/// An optimizer at work on a case, in `T`.
pub struct Run<T> {
    pub case: Case,
    pub p: Tensor,
    pub optimizer: Lbfgs,
    /// Calls of the closure so far.
    pub calls: Cell<usize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    dtype: PhantomData<T>,
}

/// How a step ended.
#[derive(Debug)]
pub enum End {
    Returned(f64),
    Error(Error),
    Panic,
}

/// One step: what went in, what was called and seen, what came out.
#[derive(Debug)]
pub struct Step {
    pub entry: Vec<f64>,
    pub calls: Vec<Call>,
    pub seen: Vec<Seen>,
    pub end: End,
    pub exit: Vec<f64>,
    pub report: StepReport,
}

impl<T: Float> Run<T> {
    pub fn new(case: Case, configure: impl FnOnce(LbfgsBuilder) -> LbfgsBuilder) -> optim::Result<Self> {
        let start: Vec<T> = case.problem.start.iter().map(|&x| T::from_f64(x)).collect();
        Self::at(case, Tensor::from_vec(start, [case.problem.start.len()]), configure)
    }

    pub fn at(case: Case, p: Tensor, configure: impl FnOnce(LbfgsBuilder) -> LbfgsBuilder) -> optim::Result<Self> {
        let p = p.requires_grad_(true);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (from, to) = (p.clone(), Arc::clone(&seen));
        let builder = Lbfgs::builder([&p])
            .lr(if case.search { 1.0 } else { case.problem.lr })
            .max_iter(12)
            .line_search_fn(case.search.then_some(LineSearch::StrongWolfe))
            .callback(move |it| {
                if let Ok(mut seen) = to.lock() {
                    seen.push((it.clone(), values::<T>(&from)));
                }
                ControlFlow::Continue(())
            });
        let optimizer = configure(case.mode.configure(builder)).build()?;
        Ok(Self { case, p, optimizer, calls: Cell::new(0), seen, dtype: PhantomData })
    }

    /// The problem's loss where the parameters are, in the dtype of the run.
    pub fn loss(&self) -> f64 {
        T::from_f64((self.case.problem.f)(&values::<T>(&self.p)).0).to_f64()
    }

    /// Calls the problem, with the fault where it is due.
    fn evaluate(&self, log: &RefCell<Vec<Call>>) -> Result<Tensor, BoxError> {
        self.calls.set(self.calls.get() + 1);
        let at = values::<T>(&self.p);
        let (mut loss, mut gradient) = (self.case.problem.f)(&at);
        log.borrow_mut().push(Call { at, loss: None });
        let noisy = self.case.fault == Fault::NoisyGradient && self.calls.get() > self.case.at;
        let fault = if self.calls.get() == self.case.at || noisy { self.case.fault } else { Fault::None };
        match fault {
            Fault::None | Fault::NoGradient => {}
            Fault::Error => return Err(BoxError::msg("planned")),
            // Without the message that `panic!` prints.
            Fault::Panic => resume_unwind(Box::new("planned")),
            Fault::NanLoss => loss = f64::NAN,
            Fault::InfLoss => loss = f64::INFINITY,
            Fault::NegativeInfLoss => loss = f64::NEG_INFINITY,
            Fault::NanGradient => gradient[0] = f64::NAN,
            Fault::InfGradient => gradient[0] = f64::INFINITY,
            Fault::FlippedGradient => gradient.iter_mut().for_each(|g| *g = -*g),
            Fault::ScaledGradient => gradient.iter_mut().for_each(|g| *g *= 1e3),
            Fault::NoisyGradient => gradient.iter_mut().enumerate().for_each(|(i, g)| *g *= 1.0 + self.noise(i)),
            Fault::ZeroGradient => gradient.fill(0.0),
        }
        let gradient: Vec<T> = gradient.into_iter().map(T::from_f64).collect();
        let n = gradient.len();
        self.p.set_grad((fault != Fault::NoGradient).then(|| Tensor::from_vec(gradient, [n])));
        let loss = T::from_f64(loss);
        if let Some(call) = log.borrow_mut().last_mut() {
            call.loss = Some(loss.to_f64());
        }
        Ok(Tensor::from_vec(vec![loss], ()))
    }

    /// Between -0.3 and 0.3, another number at every call.
    fn noise(&self, i: usize) -> f64 {
        let mixed = (self.calls.get() * 31 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        0.3 * (mixed as f64 / f64::from(1_u32 << 23) - 1.0)
    }

    pub fn step(&self) -> Step {
        if let Ok(mut seen) = self.seen.lock() {
            seen.clear();
        }
        let log = RefCell::new(Vec::new());
        let entry = values::<T>(&self.p);
        let end = match catch_unwind(AssertUnwindSafe(|| self.optimizer.step(|| self.evaluate(&log)))) {
            Ok(Ok(loss)) => End::Returned(loss.item()),
            Ok(Err(error)) => End::Error(error),
            Err(_) => End::Panic,
        };
        let seen = self.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        let (exit, report) = (values::<T>(&self.p), self.optimizer.report());
        Step { entry, calls: log.into_inner(), seen, end, exit, report }
    }

    /// From now on nothing goes wrong, and steps are long.
    pub fn settle(&mut self) {
        self.case.at = 0;
        if self.case.fault == Fault::NoisyGradient {
            self.case.fault = Fault::None;
        }
        let group = &self.optimizer.param_groups()[0];
        group.set("max_iter", 300);
        group.set("max_eval", 600);
    }
}

pub fn values<T: Float>(p: &Tensor) -> Vec<f64> {
    p.to_vec::<T>().into_iter().map(T::to_f64).collect()
}

pub fn all_finite(x: &[f64]) -> bool {
    x.iter().all(|x| x.is_finite())
}
