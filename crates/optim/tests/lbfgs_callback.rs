//! The callback: what it sees, and what it may do.

mod common;

use common::{Outcome, counters, quartic, rosenbrock, step};
use optim::{BoxError, Iteration, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, StopReason};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use tape::Tensor;

const WOLFE: LineSearch = LineSearch::StrongWolfe;

/// What a callback saw: the iteration and where the parameters were.
type Log = Arc<Mutex<Vec<(Iteration, Vec<f64>)>>>;

/// A builder whose callback logs, and breaks at the iterations of which `breaks` says so.
fn logging(p: &Tensor, breaks: impl Fn(&Iteration) -> bool + Send + Sync + 'static) -> (LbfgsBuilder, Log) {
    let log = Log::default();
    let (p, to) = (p.clone(), Arc::clone(&log));
    let builder = Lbfgs::builder([&p]).callback(move |it| {
        to.lock().expect("no panic while it is held").push((it.clone(), p.to_vec()));
        if breaks(it) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (builder, log)
}

fn start() -> Tensor {
    Tensor::from([-1.2, 1.0])
}

#[test]
fn it_sees_accepted_iterates_only_with_the_parameters_at_them() -> Outcome {
    let p = start();
    let (builder, log) = logging(&p, |_| false);
    let optimizer = builder.line_search_fn(WOLFE).build()?;
    let mut evaluated = Vec::new();
    for _ in 0..3 {
        let before = counters(&optimizer).0.max(0);
        log.lock().unwrap().clear();
        evaluated.clear();
        optimizer.step(|| {
            let loss = rosenbrock::<f64>(&p)?;
            evaluated.push((p.to_vec::<f64>(), loss.item(), p.grad().map(|g| g.to_vec::<f64>())));
            Ok(loss)
        })?;
        let (report, seen) = (optimizer.report(), log.lock().unwrap().clone());
        // An iteration that ends before it moves is not shown.
        let moved = report.iterations - usize::from(report.stop == StopReason::DirectionalDerivative);
        assert_eq!(seen.len(), moved);
        for (k, (it, at)) in seen.iter().enumerate() {
            assert_eq!((it.iteration, it.n_iter), (k + 1, before + k as i64 + 1));
            let (point, loss, gradient) = &evaluated[..it.evaluations]
                .iter()
                .find(|(point, ..)| point == at)
                .cloned()
                .ok_or_else(|| BoxError::msg("the iterate was evaluated before the callback ran"))?;
            assert_eq!((Some(*loss), point), (it.loss, at));
            let max = gradient.iter().flatten().fold(0.0_f64, |max, g| max.max(g.abs()));
            assert_eq!(it.gradient_max, Some(max));
            assert!(it.step_length > 0.0 && it.directional_derivative < 0.0);
        }
        let losses: Vec<_> = seen.iter().filter_map(|(it, _)| it.loss).collect();
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "trials go up, accepted losses do not: {losses:?}");
        if let Some((last, at)) = seen.last() {
            assert_eq!((last.loss, at), (Some(report.final_loss), &p.to_vec()));
            assert_eq!(Some(last.step_length), report.step_length);
            assert_eq!(last.evaluations, report.evaluations);
        }
    }
    assert!(evaluated.len() < 3, "converged");
    Ok(())
}

#[test]
fn without_a_line_search_the_last_loss_is_unknown() -> Outcome {
    let p = start();
    let (builder, log) = logging(&p, |_| false);
    let optimizer = builder.lr(1e-3).max_iter(4).max_eval(100).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let known: Vec<_> =
        log.lock().unwrap().iter().map(|(it, _)| (it.loss.is_some(), it.gradient_max.is_some())).collect();
    assert_eq!(known, [(true, true), (true, true), (true, true), (false, false)]);
    for (it, at) in log.lock().unwrap().iter() {
        let q = Tensor::from_vec(at.clone(), [2]);
        assert!(it.loss.is_none_or(|loss| Ok(loss) == rosenbrock::<f64>(&q).map(|f| f.item()).map_err(|_| ())));
    }
    Ok(())
}

#[test]
fn losses_have_the_users_sign() -> Outcome {
    let p = start();
    let (builder, log) = logging(&p, |_| false);
    let optimizer = builder.maximize(true).line_search_fn(WOLFE).max_iter(3).build()?;
    step(&optimizer, &p, |p| {
        let loss = rosenbrock::<f64>(p)?.item();
        let gradient: Vec<f64> = p.grad().map(|g| g.to_vec()).unwrap_or_default();
        p.set_grad(Some(Tensor::from_vec(gradient.iter().map(|g| -g).collect(), [2])));
        Ok(Tensor::from(-loss))
    })?;
    assert!(log.lock().unwrap().iter().all(|(it, _)| it.loss < Some(0.0)));
    Ok(())
}

#[test]
fn a_break_ends_the_step_and_the_next_goes_on_as_if_nothing_had_happened() -> Outcome {
    for search in [Some(WOLFE), None] {
        let configure = |b: LbfgsBuilder| b.lr(0.3).max_iter(12).max_eval(500).line_search_fn(search).build();
        let begin = || Tensor::from_vec((0..5).map(|i| (f64::from(i) * 1.7).sin()).collect::<Vec<f64>>(), [5]);
        let (p, q) = (begin(), begin());
        let (builder, whole) = logging(&q, |_| false);
        step(&configure(builder)?, &q, quartic::<f64>)?;
        for k in [1, 2, 5] {
            p.write_from(&begin().to_vec::<f64>());
            let (builder, log) = logging(&p, move |it| it.iteration == k);
            let optimizer = configure(builder)?;
            for steps in 1..3 {
                step(&optimizer, &p, quartic::<f64>)?;
                let report = optimizer.report();
                assert_eq!((report.stop, report.iterations), (StopReason::Callback, k), "{report}");
                assert!(report.compared.is_none() && report.to_string().contains("the callback asked for it"));
                assert_eq!(report.final_loss, quartic::<f64>(&p)?.item());
                let points: Vec<_> = log.lock().unwrap().iter().map(|(_, at)| at.clone()).collect();
                let expected: Vec<_> = whole.lock().unwrap().iter().map(|(_, at)| at.clone()).take(steps * k).collect();
                assert_eq!(points, expected, "{k}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_break_is_reported_before_torchs_own_exits() -> Outcome {
    let p = start();
    let (builder, log) = logging(&p, |_| true);
    let optimizer = builder.max_iter(1).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    assert_eq!((optimizer.report().stop, log.lock().unwrap().len()), (StopReason::Callback, 1));
    Ok(())
}

#[test]
fn a_panic_leaves_the_parameters_where_it_saw_them() -> Outcome {
    for search in [Some(WOLFE), None] {
        let p = start();
        let armed = Arc::new(Mutex::new(true));
        let (flag, at) = (Arc::clone(&armed), p.clone());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&seen);
        let optimizer = Lbfgs::builder([&p])
            .lr(1e-3)
            .line_search_fn(search)
            .callback(move |it| {
                *to.lock().unwrap() = at.to_vec::<f64>();
                let panics = it.iteration == 3 && *flag.lock().unwrap();
                assert!(!panics, "the callback panics");
                ControlFlow::Continue(())
            })
            .build()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| step(&optimizer, &p, rosenbrock::<f64>)));
        assert!(outcome.is_err());
        assert_eq!(p.to_vec::<f64>(), *seen.lock().unwrap());
        let report = optimizer.report();
        assert_eq!((report.stop, report.iterations), (StopReason::Failed, 3));
        assert_eq!(report.final_loss, rosenbrock::<f64>(&p)?.item());
        *armed.lock().unwrap() = false;
        step(&optimizer, &p, rosenbrock::<f64>)?;
        assert!(optimizer.report().final_loss < report.final_loss);
    }
    Ok(())
}

#[test]
fn it_may_save_the_optimizer_and_is_shared_by_clones() -> Outcome {
    let p = start();
    let shared: Arc<OnceLock<Lbfgs>> = Arc::default();
    let saved = Arc::new(Mutex::new(Vec::new()));
    let (inside, to, at) = (Arc::downgrade(&shared), Arc::clone(&saved), p.clone());
    let builder = Lbfgs::builder([&p]).max_iter(8).max_eval(500).line_search_fn(WOLFE).callback(move |_| {
        let shared = inside.upgrade();
        if let Some(optimizer) = shared.as_deref().and_then(OnceLock::get) {
            to.lock().unwrap().push((optimizer.state_dict(), at.to_vec::<f64>()));
        }
        ControlFlow::Continue(())
    });
    assert!(format!("{builder:?}").contains("Callback"));
    let optimizer = shared.get_or_init(|| builder.build().expect("the options are right"));
    step(optimizer, &p, rosenbrock::<f64>)?;
    let points = saved.lock().unwrap().clone();
    assert_eq!(points.len(), 8);
    for (k, (dict, at)) in points.iter().enumerate() {
        // What was saved after iteration k goes on to the points after it.
        let q = Tensor::from_vec(at.clone(), [2]);
        let resumed = Lbfgs::builder([&q]).build()?;
        resumed.load_state_dict(dict.clone())?;
        resumed.param_groups()[0].set("max_iter", 7_usize.saturating_sub(k));
        step(&resumed, &q, rosenbrock::<f64>)?;
        assert_eq!(q.to_vec::<f64>(), p.to_vec::<f64>(), "saved after iteration {k}");
    }
    step(&optimizer.clone(), &p, rosenbrock::<f64>)?;
    assert!(saved.lock().unwrap().len() > 8);
    Ok(())
}
