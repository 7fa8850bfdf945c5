//! What a step promises, whatever goes wrong in it: checked after every step of a grid of problems, faults at every
//! evaluation, line searches, dtypes and modes.

mod promise;

use checkpoint::Value;
use optim::{Optimizer, StepReport, StopReason};
use promise::{Case, End, FAULTS, Fault, MODES, Mode, PROBLEMS, Run, Step, all_finite};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use tape::{DType, Float};

/// Faults are planted at the evaluations up to this one, as far as a run reaches.
const LAST: usize = 40;

/// Per promise: how often it was tested, and what was found against it.
#[derive(Debug, Default)]
struct Findings(BTreeMap<char, (usize, Vec<String>)>);

impl Findings {
    fn test(&mut self, promise: char, kept: bool, what: impl FnOnce() -> String) {
        let (tests, broken) = self.0.entry(promise).or_default();
        *tests += 1;
        if !kept {
            broken.push(what());
        }
    }

    fn merge(&mut self, other: Self) {
        for (promise, (tests, mut broken)) in other.0 {
            let mine = self.0.entry(promise).or_default();
            mine.0 += tests;
            mine.1.append(&mut broken);
        }
    }
}

/// The whole grid, run once; problems take turns on the threads there are.
fn findings() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(|| {
        let (next, found) = (Mutex::new(PROBLEMS.iter()), Mutex::new(Findings::default()));
        let take = || next.lock().expect("no panic").next();
        let work = || {
            while let Some(problem) = take() {
                let mut mine = Findings::default();
                for search in [false, true] {
                    for mode in MODES {
                        for fault in FAULTS {
                            let case = Case { problem, search, mode, fault, at: 1 };
                            faults_at_every_evaluation::<f64>(case, &mut mine);
                            faults_at_every_evaluation::<f32>(case, &mut mine);
                        }
                    }
                }
                found.lock().expect("no panic").merge(mine);
            }
        };
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(PROBLEMS.len());
            (0..threads).for_each(|_| drop(scope.spawn(work)));
        });
        found.into_inner().expect("no panic")
    })
}

/// In `f32` only every third one, to save time.
fn faults_at_every_evaluation<T: Float>(case: Case, findings: &mut Findings) {
    for at in (1..=LAST).step_by(if T::DTYPE == DType::F32 { 3 } else { 1 }) {
        let reached = run::<T>(Case { at, ..case }, findings);
        if !reached || case.fault == Fault::None {
            break;
        }
    }
}

/// Three steps with the fault in one of them, then steps without; whether the fault took place.
fn run<T: Float>(case: Case, findings: &mut Findings) -> bool {
    let mut run = Run::<T>::new(case, |builder| builder).expect("the options are in order");
    for _ in 0..3 {
        check(&mut run, findings);
    }
    let reached = run.calls.get() >= case.at;
    run.settle();
    for _ in 0..if case.search { 4 } else { 0 } {
        let exit = check(&mut run, findings);
        if exit.entry == exit.exit || !all_finite(&exit.exit) {
            break;
        }
    }
    if arrives::<T>(case) {
        let tolerance = if T::DTYPE == DType::F32 { 1e-3 } else { 1e-5 };
        let loss = run.loss();
        findings.test('g', loss <= case.problem.least + tolerance, || {
            format!("{case:?} {}: went on to {loss}\n{}", T::DTYPE, run.optimizer.report())
        });
    }
    reached
}

/// Whether a run must arrive at the minimum, whatever went wrong before. Plain steps of a given length may overshoot
/// for good; where the trials of a search may overflow or leave the domain only recovering helps.
fn arrives<T: Float>(case: Case) -> bool {
    let harmless = matches!(case.fault, Fault::None | Fault::Error | Fault::Panic);
    let lies = matches!(case.fault, Fault::FlippedGradient | Fault::ScaledGradient | Fault::NoisyGradient);
    let leaves_domain = ["x - ln x", "exp"].contains(&case.problem.name) && !case.mode.recovers();
    match case.mode {
        _ if !case.search || leaves_domain => false,
        Mode::Torch => harmless,
        // A pair made of a wrong gradient stays in memory.
        Mode::Policy(_) => !lies,
        Mode::Guarded(_) => true,
    }
}

/// One step, and all that it promises.
fn check<T: Float>(run: &mut Run<T>, findings: &mut Findings) -> Step {
    let before = counters(&run.optimizer);
    let step = run.step();
    let case = run.case;
    let mode = case.mode;
    let report = &step.report;
    let told = |what: &str| format!("{case:?} {}: {what}\n{report}\n{:?}", T::DTYPE, step.end);
    let loss_known = step.calls.iter().any(|call| call.at == step.exit && same(call.loss, report.final_loss));

    // (a)
    if mode.is_guarded() && report.initial_loss.is_finite() {
        findings.test('a', report.final_loss <= report.initial_loss, || told("ended worse than it began"));
    } else if case.search
        && case.fault == Fault::None
        && report.initial_loss.is_finite()
        && report.non_finite_evaluations == 0
    {
        findings.test('a', report.final_loss <= report.initial_loss, || told("ended worse than it began"));
    }
    // (b)
    if report.evaluations > 0 && all_finite(&step.exit) {
        let may_move_on = !case.search && !mode.evaluates_last();
        findings
            .test('b', loss_known || may_move_on && report.moved_since_final_loss, || told("is not the loss there"));
    }
    findings.test('c', counted(&step, before, counters(&run.optimizer), case.search), || told("miscounted"));
    // (d)
    let max_eval = run.optimizer.param_groups()[0].get("max_eval").and_then(|limit| limit.as_int()).unwrap_or(0);
    if mode.is_guarded() {
        findings.test('d', report.evaluations as i64 <= max_eval.max(1), || told("evaluated too often"));
    }
    findings.test('e', accepted_only(&step, mode), || told("the callback saw another point"));
    // (f)
    if mode.refuses() {
        findings.test('f', all_finite(&step.exit), || told("the parameters are not finite"));
        findings.test('f', finite(&run.optimizer.state_dict()["state"]), || told("the state is not finite"));
        if mode.recovers() {
            findings.test('f', !matches!(step.end, End::Error(optim::Error::NonFinite { .. })), || told("an error"));
        }
    }
    findings.test('k', is_explained(report, &run.optimizer), || told("is not why it stopped"));
    step
}

fn same(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

/// `(n_iter, func_evals)`; zeros before the first step.
fn counters(optimizer: &optim::Lbfgs) -> (i64, i64) {
    let state = optimizer.state_dict();
    let count = |key: &str| state["state"].get(0).and_then(|own| own.get(key)).and_then(Value::as_int).unwrap_or(0);
    (count("n_iter"), count("func_evals"))
}

/// Whether all counters agree with the calls that were made.
fn counted(step: &Step, before: (i64, i64), after: (i64, i64), search: bool) -> bool {
    let report = &step.report;
    let answered = step.calls.iter().filter(|call| call.loss.is_some()).count();
    let searched: usize = report.line_search_evaluations.iter().sum();
    // An iteration that an error, or the lack of any finite trial, interrupts did not take place.
    let unfinished = i64::from(matches!(report.stop, StopReason::Failed | StopReason::NonFinite | StopReason::MaxEval));
    let iterations = report.iterations as i64;
    report.evaluations == answered
        && after.1 - before.1 == answered as i64
        && (iterations - unfinished..=iterations).contains(&(after.0 - before.0))
        && if search { searched == answered.saturating_sub(1) } else { searched == 0 }
}

/// Whether the callback saw points of the log with their losses, each no worse than the one before where that is
/// promised, and the last one is where the parameters are.
fn accepted_only(step: &Step, mode: Mode) -> bool {
    let report = &step.report;
    let mut previous = report.initial_loss;
    let seen_well = step.seen.iter().all(|(it, at)| {
        let Some(loss) = it.loss else { return report.moved_since_final_loss };
        let descends = !mode.is_guarded() || report.line_search_evaluations.is_empty() || loss <= previous;
        previous = loss;
        let evaluated = &step.calls[..it.evaluations.min(step.calls.len())];
        descends && (evaluated.iter().any(|call| call.at == *at && same(call.loss, loss)) || !all_finite(at))
    });
    let last = step.seen.last().map_or(&step.entry, |(_, at)| at);
    seen_well && (report.returned_to_best || *last == step.exit || !all_finite(last))
}

/// Whether no number anywhere in the state is NaN or infinite.
fn finite(value: &Value) -> bool {
    match value {
        Value::Float(x) => x.is_finite(),
        Value::Tensor(x) => x.to_dtype(DType::F64).to_vec::<f64>().iter().all(|x| x.is_finite()),
        Value::Dict(dict) => dict.iter().all(|(_, value)| finite(value)),
        other => other.as_list().is_none_or(|items| items.iter().all(finite)),
    }
}

/// Whether the two numbers compare as the report says, with the option as it is set.
fn is_explained(report: &StepReport, optimizer: &optim::Lbfgs) -> bool {
    let Some(compared) = report.compared else {
        return matches!(report.stop, StopReason::NonFinite | StopReason::Failed | StopReason::Callback);
    };
    let holds = match compared.relation {
        "<=" => compared.value <= compared.limit,
        "<" => compared.value < compared.limit,
        ">" => compared.value > compared.limit,
        ">=" => compared.value >= compared.limit,
        _ => false,
    };
    let (sign, name) = compared.option.strip_prefix('-').map_or((1.0, compared.option), |name| (-1.0, name));
    let option = optimizer.param_groups()[0].get(name).and_then(|value| value.as_float());
    holds && option.is_none_or(|option| sign * option == compared.limit)
}

/// Fails with what was found against a promise; it must have been tested often.
fn assert_kept(promise: char, at_least: usize) {
    let Some((tests, broken)) = findings().0.get(&promise) else { panic!("({promise}) was never tested") };
    assert!(*tests >= at_least, "({promise}) was tested {tests} times only");
    let some: Vec<_> = broken.iter().step_by((broken.len() / 6).max(1)).take(6).cloned().collect();
    assert!(broken.is_empty(), "({promise}) was broken in {} of {tests}, such as\n{}", broken.len(), some.join("\n\n"));
}

#[test]
fn a_never_worse_than_it_began() {
    assert_kept('a', 1000);
}

#[test]
fn b_the_reported_loss_is_that_of_the_parameters() {
    assert_kept('b', 1000);
}

#[test]
fn c_counters_are_the_real_calls() {
    assert_kept('c', 1000);
}

#[test]
fn d_max_eval_is_never_exceeded() {
    assert_kept('d', 1000);
}

#[test]
fn e_the_callback_sees_accepted_iterates_only() {
    assert_kept('e', 1000);
}

#[test]
fn f_nothing_non_finite_gets_into_parameters_or_memory() {
    assert_kept('f', 1000);
}

#[test]
fn g_every_exit_can_be_gone_on_from() {
    assert_kept('g', 1000);
}

#[test]
fn k_the_reason_compares_as_it_says() {
    assert_kept('k', 1000);
}
