//! What the state promises: going on from a saved one, equal runs, torch's trajectory, and the memory it takes.

mod common;
mod promise;

use checkpoint::Value;
use common::Outcome;
use optim::{Lbfgs, LineSearch, NonFinite, Optimizer, StepReport};
use promise::{Case, Fault, MODES, Mode, PROBLEMS, Problem, Run, Step};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tape::{DType, Float, Tensor};

const SOME_FAULTS: [Fault; 7] = [
    Fault::None,
    Fault::Error,
    Fault::Panic,
    Fault::NanLoss,
    Fault::InfGradient,
    Fault::FlippedGradient,
    Fault::NoGradient,
];

/// Every case with the faults at some evaluations.
fn cases() -> impl Iterator<Item = Case> {
    let problems = PROBLEMS.iter().flat_map(|problem| [(problem, false), (problem, true)]);
    let with_modes = problems.flat_map(|(problem, search)| MODES.map(|mode| (problem, search, mode)));
    with_modes.flat_map(|(problem, search, mode)| {
        SOME_FAULTS
            .into_iter()
            .flat_map(move |fault| [1, 2, 3, 6, 11].map(|at| Case { problem, search, mode, fault, at }))
    })
}

/// A report to the last bit, apart from the times.
fn told(report: &StepReport) -> String {
    let mut report = report.clone();
    (report.closure_time, report.optimizer_time) = (Duration::ZERO, Duration::ZERO);
    format!("{report:?}")
}

/// A state dict to the last bit.
fn bits(value: &Value) -> String {
    let mut text = String::new();
    write_bits(value, &mut text);
    text
}

fn write_bits(value: &Value, to: &mut String) {
    match value {
        Value::Float(x) => write!(to, "{:x} ", x.to_bits()),
        Value::Tensor(x) => {
            let wide = x.to_dtype(DType::F64).to_vec::<f64>();
            wide.iter().try_for_each(|x| write!(to, "{:x} ", x.to_bits())).and_then(|()| write!(to, "{}", x.dtype()))
        }
        Value::Dict(dict) => {
            for (key, value) in dict.iter() {
                let _ = write!(to, "{key:?}: ");
                write_bits(value, to);
            }
            Ok(())
        }
        other => match other.as_list() {
            Some(items) => {
                items.iter().for_each(|item| write_bits(item, to));
                write!(to, ";")
            }
            None => write!(to, "{other:?} "),
        },
    }
    .expect("a string takes everything");
}

fn points(step: &Step) -> Vec<u64> {
    step.exit.iter().map(|x| x.to_bits()).collect()
}

/// A run in a new optimizer over copies of the parameters, from the state of another as it is now.
fn resumed<T: Float>(run: &Run<T>) -> Result<Run<T>, optim::Error> {
    let copy = Tensor::from_vec(run.p.to_vec::<T>(), [run.p.numel()]);
    let twin = Run::<T>::at(run.case, copy, |builder| builder)?;
    twin.optimizer.load_state_dict(run.optimizer.state_dict().deep_copy())?;
    twin.calls.set(run.calls.get());
    Ok(twin)
}

fn going_on_is_resuming<T: Float>(case: Case) -> Outcome {
    let run = Run::<T>::new(case, |builder| builder)?;
    for round in 0..3 {
        let twin = resumed(&run)?;
        let at = format!("{case:?} {}, step {round}", T::DTYPE);
        assert_eq!(bits(&run.optimizer.state_dict()), bits(&twin.optimizer.state_dict()), "{at}: the state");
        let (went_on, resumed) = (run.step(), twin.step());
        assert_eq!(points(&went_on), points(&resumed), "{at}: the parameters");
        let (mut a, mut b) = (went_on.report, resumed.report);
        // Not saved: room of dropped pairs, and the loss at which the step before ended.
        (a.history_bytes, b.history_bytes) = (0, 0);
        (a.another_loss, b.another_loss) = (None, None);
        assert_eq!(told(&a), told(&b), "{at}: the report");
        assert_eq!(bits(&run.optimizer.state_dict()), bits(&twin.optimizer.state_dict()), "{at}: the state after");
    }
    Ok(())
}

#[test]
fn h_resuming_is_going_on_bit_for_bit() -> Outcome {
    for case in cases() {
        going_on_is_resuming::<f64>(case)?;
        going_on_is_resuming::<f32>(case)?;
    }
    Ok(())
}

/// Three steps, with everything that they tell.
fn history<T: Float>(case: Case) -> Result<Vec<(Vec<u64>, String, String)>, optim::Error> {
    let run = Run::<T>::new(case, |builder| builder.trace(true))?;
    let tell = |step: Step| (points(&step), told(&step.report), format!("{:?}", step.seen));
    Ok((0..3).map(|_| tell(run.step())).collect())
}

#[test]
fn i_equal_runs_are_equal_bit_for_bit() -> Outcome {
    for case in cases() {
        assert_eq!(history::<f64>(case)?, history::<f64>(case)?, "{case:?}");
        assert_eq!(history::<f32>(case)?, history::<f32>(case)?, "{case:?}");
    }
    Ok(())
}

/// Where the iterations of one long step led.
fn trajectory<T: Float>(problem: &'static Problem, search: bool, mode: Mode) -> Result<Vec<Vec<f64>>, optim::Error> {
    let case = Case { problem, search, mode, fault: Fault::None, at: 1 };
    let lr = if search { 1.0 } else { 0.01 };
    let run = Run::<T>::new(case, |builder| builder.max_iter(40).max_eval(1000).lr(lr))?;
    Ok(run.step().seen.into_iter().map(|(_, at)| at).collect())
}

/// The trajectory is torch's; a guarded one may go on where torch's ended.
fn is_torchs<T: Float>(problem: &'static Problem, search: bool, mode: Mode) -> Outcome {
    let (torch, ours) = (trajectory::<T>(problem, search, Mode::Torch)?, trajectory::<T>(problem, search, mode)?);
    let told = format!("{}, {mode:?} {}: {torch:?}\n{ours:?}", problem.name, T::DTYPE);
    assert!(torch.len() > 5, "{told}");
    assert!(if mode.is_guarded() { ours.starts_with(&torch) } else { ours == torch }, "{told}");
    Ok(())
}

/// Golden files pin torch's own trajectory (`torch_golden`); the other modes leave it only where something is wrong.
#[test]
fn j_every_mode_has_torchs_trajectory_where_nothing_goes_wrong() -> Outcome {
    let [rosenbrock, quartic, _, badly_scaled, ..] = &PROBLEMS;
    for mode in MODES {
        for problem in [rosenbrock, quartic, badly_scaled] {
            is_torchs::<f64>(problem, true, mode)?;
            is_torchs::<f32>(problem, true, mode)?;
        }
        is_torchs::<f64>(quartic, false, mode)?;
        is_torchs::<f32>(quartic, false, mode)?;
    }
    Ok(())
}

#[test]
fn l_the_memory_has_the_stated_size() -> Outcome {
    for n in [1_usize, 7, 300, 5000] {
        for (guarded, history_size) in [(false, 100), (true, 100), (false, 4), (true, 4)] {
            let p = Tensor::from_vec((0..n).map(|i| (i % 7) as f64 - 3.5).collect(), [n]);
            let optimizer = Lbfgs::builder([&p])
                .history_size(history_size)
                .line_search_fn(LineSearch::StrongWolfe)
                .guarded(guarded)
                .build()?;
            for _ in 0..3 {
                common::step(&optimizer, &p, common::quartic::<f64>)?;
                let report = optimizer.report();
                let state = optimizer.state_dict();
                assert_eq!(state["state"][0]["old_dirs"].as_list().map(<[Value]>::len), Some(report.pairs_in_memory));
                assert_eq!(report.history_bytes, optimizer.history_bytes());
                let pair = 2 * n * size_of::<f64>();
                let least = report.pairs_in_memory * pair;
                // One pair is being made, and short vectors share an allocation.
                let most = (history_size.min(report.pairs_in_memory + report.resets * history_size) + 1) * pair + 8192;
                assert!((least..=most).contains(&report.history_bytes), "n = {n}: {} bytes", report.history_bytes);
            }
        }
    }
    Ok(())
}

#[test]
fn l_the_optimizer_keeps_no_graph_alive() -> Outcome {
    for mode in MODES {
        for search in [None, Some(LineSearch::StrongWolfe)] {
            let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
            let optimizer = mode.configure(Lbfgs::builder([&p]).lr(0.1).line_search_fn(search)).build()?;
            let alive = Arc::new(());
            for _ in 0..2 {
                let first_loss = optimizer.step(|| {
                    optimizer.zero_grad();
                    let inner = &p * &p;
                    let held = Arc::clone(&alive);
                    inner.register_hook(move |_| {
                        let _graph = &held;
                        None
                    });
                    let loss = (&inner * &inner).sum();
                    loss.backward()?;
                    Ok(loss)
                })?;
                assert!(Arc::strong_count(&alive) <= 2, "{mode:?}: only the loss that was returned has a graph");
                drop(first_loss);
                assert_eq!(Arc::strong_count(&alive), 1, "{mode:?}");
            }
            assert!(optimizer.report().evaluations > 1);
        }
    }
    Ok(())
}

#[test]
fn a_panic_while_the_parameters_are_astray_brings_them_back() -> Outcome {
    // Without search, guarded: the closure panics at a worse point than the best one, which is gone back to.
    let case = Case {
        problem: &PROBLEMS[6],
        search: false,
        mode: Mode::Guarded(NonFinite::Recover),
        fault: Fault::Panic,
        at: 6,
    };
    let run = Run::<f64>::new(case, |builder| builder)?;
    let step = run.step();
    let losses: Vec<f64> = step.calls.iter().filter_map(|call| call.loss).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!((step.report.final_loss, run.loss()), (best, best), "{}", step.report);
    assert_eq!(losses.len(), 5);
    Ok(())
}
