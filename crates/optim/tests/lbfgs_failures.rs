//! What happens when the closure fails, panics, or calls back.

mod common;

use common::{Outcome, bowl, counters, rosenbrock, step};
use optim::{BoxError, Error, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, ParamGroup, StopReason};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tape::Tensor;

/// How the k-th evaluation fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Error,
    Panic,
    WrongShape,
}

/// Fails at evaluation `k` of one step after `warm_up` good steps; then checks where everything stands and
/// that the optimizer arrives where it would have arrived.
fn fail_at(k: usize, warm_up: usize, failure: Failure, configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder) -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = configure(Lbfgs::builder([&p])).build()?;
    for _ in 0..warm_up {
        step(&optimizer, &p, rosenbrock::<f64>)?;
    }
    let entry = (counters(&optimizer), p.to_vec::<f64>());
    let evaluated = RefCell::new(Vec::new());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        optimizer.step(|| {
            evaluated.borrow_mut().push(p.to_vec::<f64>());
            optimizer.zero_grad();
            if evaluated.borrow().len() == k {
                match failure {
                    Failure::Error => return Err(BoxError::msg("the data went away")),
                    Failure::Panic => panic!("the closure panics"),
                    Failure::WrongShape => return Ok(Tensor::from([1.0, 2.0])),
                }
            }
            rosenbrock::<f64>(&p)
        })
    }));
    if evaluated.borrow().len() < k {
        assert!(matches!(outcome, Ok(Ok(_))), "the step ended before its {k}-th evaluation");
        return Ok(());
    }
    match failure {
        Failure::Panic => assert!(outcome.is_err(), "the panic goes on"),
        Failure::Error => assert!(matches!(outcome, Ok(Err(Error::Closure(_))))),
        Failure::WrongShape => assert!(matches!(outcome, Ok(Err(Error::LossNotScalar { .. })))),
    }
    let now = p.to_vec::<f64>();
    let good = &evaluated.borrow()[..k - 1];
    assert!(if k == 1 { now == entry.1 } else { good.contains(&now) }, "{failure:?} at {k}: {now:?} was evaluated");
    let report = optimizer.report();
    assert_eq!((report.stop, report.evaluations), (StopReason::Failed, k - 1));
    if k > 1 {
        let loss = (1.0 - now[0]).powi(2) + 100.0 * (now[1] - now[0] * now[0]).powi(2);
        assert!((report.final_loss - loss).abs() <= 1e-12 * loss, "the reported loss is that of the parameters");
    }
    let before = entry.0.1.max(0);
    assert_eq!(counters(&optimizer).1, before + k as i64 - 1, "completed evaluations are counted");

    // The state can be saved and loaded, and the run goes on to the minimum.
    optimizer.load_state_dict(optimizer.state_dict())?;
    optimizer.param_groups()[0].set("max_iter", 2000);
    optimizer.param_groups()[0].set("max_eval", 4000);
    step(&optimizer, &p, rosenbrock::<f64>)?;
    let distance = p.to_vec::<f64>().iter().map(|x| (x - 1.0).abs()).fold(0.0, f64::max);
    assert!(distance < 1e-3, "{failure:?} at {k}: {:?}\n{}", p.to_vec::<f64>(), optimizer.report());
    Ok(())
}

#[test]
fn a_closure_may_fail_at_every_evaluation() -> Outcome {
    for failure in [Failure::Error, Failure::Panic, Failure::WrongShape] {
        for k in 1..30 {
            for warm_up in [0, 1, 3] {
                fail_at(k, warm_up, failure, |b| b.max_iter(8).line_search_fn(LineSearch::StrongWolfe))?;
                fail_at(k, warm_up, failure, |b| {
                    b.max_iter(40).history_size(3).line_search_fn(LineSearch::StrongWolfe)
                })?;
                fail_at(k, warm_up, failure, |b| b.max_iter(12).lr(0.1))?;
            }
        }
    }
    Ok(())
}

#[test]
fn an_interrupted_search_is_tried_again_along_the_same_direction() -> Outcome {
    // The k-th evaluation fails once; afterwards the path is the undisturbed one, iterations counted alike.
    for k in 2..20 {
        let (p, q) = (Tensor::from([-1.2, 1.0]), Tensor::from([-1.2, 1.0]));
        let build =
            |p: &Tensor| Lbfgs::builder([p]).max_iter(60).max_eval(500).line_search_fn(LineSearch::StrongWolfe).build();
        let (disturbed, calm) = (build(&p)?, build(&q)?);
        let mut calls = 0;
        let failed = disturbed.step(|| {
            calls += 1;
            if calls == k { Err(BoxError::msg("once")) } else { rosenbrock::<f64>(&p) }
        });
        assert!(failed.is_err());
        step(&disturbed, &p, rosenbrock::<f64>)?;
        step(&calm, &q, rosenbrock::<f64>)?;
        assert_eq!(p.to_vec::<f64>(), q.to_vec::<f64>(), "failed at {k}");
        assert_eq!(counters(&disturbed).0, counters(&calm).0);
    }
    Ok(())
}

#[test]
fn the_closures_error_is_kept_whole() -> Outcome {
    let p = Tensor::from([1.0, 2.0]);
    let optimizer = Lbfgs::builder([&p]).build()?;
    let error = optimizer.step(|| Err(std::io::Error::other("the data went away").into())).unwrap_err();
    assert!(error.to_string().contains("the data went away"));
    let Error::Closure(inner) = error else { panic!("a closure error") };
    assert!(inner.downcast_ref::<std::io::Error>().is_some());
    Ok(())
}

#[test]
fn inside_the_closure_reading_works_and_stepping_is_refused() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(4).line_search_fn(LineSearch::StrongWolfe).build()?;
    let seen = RefCell::new(Vec::new());
    let closure = || -> Result<Tensor, BoxError> {
        optimizer.zero_grad();
        optimizer.zero_grad_set_to_none(false);
        seen.borrow_mut().push(counters(&optimizer));
        assert_eq!(optimizer.param_groups()[0].lr(), 1.0);
        assert_eq!(optimizer.report().stop, StopReason::NotStarted, "the report is that of the last finished step");
        let refused = [
            optimizer.step(|| unreachable!("never called")).err(),
            optimizer.load_state_dict(optimizer.state_dict()).err(),
            optimizer.add_param_group(ParamGroup::new([&Tensor::from([1.0])])).err(),
        ];
        assert!(refused.iter().all(|e| matches!(e, Some(Error::StepIsRunning { .. }))), "{refused:?}");
        rosenbrock::<f64>(&p)
    };
    optimizer.step(closure)?;
    // torch counts the iteration at its begin, and evaluations when the search is over.
    assert_eq!(seen.borrow()[..2], [(0, 0), (1, 1)]);
    assert!(seen.borrow().windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
    Ok(())
}

#[test]
fn a_nested_step_of_another_optimizer_is_fine() -> Outcome {
    let (p, q) = (Tensor::from([3.0]), Tensor::from([4.0]));
    let outer = Lbfgs::builder([&p]).build()?;
    let inner = Lbfgs::builder([&q]).build()?;
    outer.step(|| {
        step(&inner, &q, |q| bowl::<f64>(q, 1.0))?;
        bowl::<f64>(&p, 1.0)
    })?;
    assert!(p.item().abs() < 1e-6 && q.item().abs() < 1e-6);
    Ok(())
}

#[test]
fn an_optimizer_moves_to_another_thread() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(80).line_search_fn(LineSearch::StrongWolfe).build()?;
    let worker = std::thread::spawn(move || {
        step(&optimizer, &p, rosenbrock::<f64>)?;
        Ok::<_, Error>(p.to_vec::<f64>())
    });
    let found = worker.join().map_err(|_| BoxError::msg("the worker panicked"))??;
    assert!((found[0] - 1.0).abs() < 1e-3);
    Ok(())
}
