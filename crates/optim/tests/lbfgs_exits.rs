//! The exits of the step loop, and its behaviour with NaN, infinity and a learning rate of 0: torch's, or an
//! error where torch raises.

mod common;

use checkpoint::Value;
use common::{Outcome, bowl, counters, quartic, rosenbrock, step};
use optim::{BoxError, Error, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, ParamGroup, StopReason};
use tape::Tensor;

const WOLFE: LineSearch = LineSearch::StrongWolfe;

fn after_one_step(
    start: [f64; 2],
    f: impl Fn(&Tensor) -> Result<Tensor, BoxError>,
    configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder,
) -> Result<(Lbfgs, Tensor), BoxError> {
    let p = Tensor::from(start);
    let optimizer = configure(Lbfgs::builder([&p])).build()?;
    step(&optimizer, &p, f)?;
    Ok((optimizer, p))
}

#[test]
fn every_exit_is_named_with_its_two_numbers() -> Outcome {
    type Configure = fn(LbfgsBuilder) -> LbfgsBuilder;
    let cases: [(StopReason, &str, Configure); 5] = [
        (StopReason::GradientToleranceAtStart, "tolerance_grad", |b| b.tolerance_grad(1e9)),
        (StopReason::DirectionalDerivative, "-tolerance_change", |b| b.tolerance_change(1e9)),
        (StopReason::MaxIter, "max_iter", |b| b.max_iter(4)),
        (StopReason::MaxEval, "max_eval", |b| b.max_eval(3)),
        (StopReason::GradientTolerance, "tolerance_grad", |b| {
            b.max_iter(100).tolerance_grad(1e-2).line_search_fn(WOLFE)
        }),
    ];
    for (stop, option, configure) in cases {
        let (optimizer, p) = after_one_step([-1.2, 1.0], rosenbrock::<f64>, configure)?;
        let report = optimizer.report();
        let compared = report.compared.expect("every exit compares two numbers");
        assert_eq!((report.stop, compared.option), (stop, option), "{report}");
        let holds = match compared.relation {
            "<=" => compared.value <= compared.limit,
            "<" => compared.value < compared.limit,
            ">" => compared.value > compared.limit,
            _ => compared.value >= compared.limit,
        };
        assert!(holds, "{report}");
        assert!(report.to_string().contains(option.trim_start_matches('-')), "{report}");
        if !report.moved_since_final_loss {
            assert_eq!(report.final_loss, rosenbrock::<f64>(&p)?.item(), "the loss is that of the parameters");
        }
    }
    // From a small gradient the step is longer than the change of the loss, or lr makes it shorter than any
    // tolerance.
    for (stop, lr, tolerance) in [(StopReason::LossTolerance, 0.1, 0.01), (StopReason::StepTolerance, 1e-3, 0.01)] {
        let gentle = |p: &Tensor| bowl::<f64>(p, 1.0);
        let (optimizer, _) = after_one_step([0.1, 0.0], gentle, |b| b.lr(lr).tolerance_change(tolerance))?;
        assert_eq!((optimizer.report().stop, optimizer.report().iterations), (stop, 1), "{}", optimizer.report());
    }
    Ok(())
}

#[test]
fn max_eval_is_checked_after_a_search_only() -> Outcome {
    let (optimizer, _) = after_one_step([-1.2, 1.0], rosenbrock::<f64>, |b| b.max_eval(1).line_search_fn(WOLFE))?;
    let report = optimizer.report();
    assert_eq!((report.stop, report.iterations), (StopReason::MaxEval, 1));
    assert!(report.evaluations > 1);
    Ok(())
}

#[test]
fn a_fixed_step_evaluates_once_per_iteration() -> Outcome {
    for n in 1..8 {
        let (optimizer, _) = after_one_step([-1.2, 1.0], rosenbrock::<f64>, |b| b.lr(1e-3).max_iter(n))?;
        // For 2 and 3 the default max_eval, rounded down, ends the step one iteration early.
        let iterations = if n == 2 || n == 3 { n - 1 } else { n };
        assert_eq!((optimizer.report().iterations, optimizer.report().evaluations), (iterations, n));
        let expected = n * 5 / 4;
        assert_eq!(optimizer.state_dict()["param_groups"][0]["max_eval"], Value::from(expected));
    }
    Ok(())
}

fn nan(p: &Tensor) -> Result<Tensor, BoxError> {
    p.set_grad(Some(Tensor::from([f64::NAN; 2])));
    Ok(Tensor::from(f64::NAN))
}

#[test]
fn a_fixed_step_runs_on_through_nan() -> Outcome {
    let (optimizer, p) = after_one_step([1.0, 2.0], nan, |b| b)?;
    assert_eq!(counters(&optimizer), (20, 20));
    assert!(p.to_vec::<f64>().iter().all(|x| x.is_nan()));
    let sd = optimizer.state_dict();
    let state = &sd["state"][0];
    assert!(state["old_dirs"].is_empty() && state["al"].iter().all(Value::is_none) && state["al"].len() == 100);
    assert_eq!(state["H_diag"], Value::Int(1));
    let report = optimizer.report();
    assert_eq!((report.non_finite_evaluations, report.pairs_skipped), (20, 19));
    assert!(report.to_string().contains("20 of 20 evaluations gave a NaN"), "{report}");
    Ok(())
}

#[test]
fn a_strong_wolfe_search_runs_on_through_nan() -> Outcome {
    let (optimizer, p) = after_one_step([1.0, 2.0], nan, |b| b.line_search_fn(WOLFE))?;
    let report = optimizer.report();
    assert_eq!((report.iterations, report.evaluations, report.stop), (1, 27, StopReason::MaxEval));
    let t = optimizer.state_dict()["state"][0]["t"].clone();
    assert!(matches!(t, Value::Float(t) if (t / 3.29e18 - 1.0).abs() < 1e-2), "{t}");
    assert!(p.to_vec::<f64>().iter().all(|x| x.is_nan()));
    Ok(())
}

#[test]
fn a_nan_loss_with_an_acceptable_slope_is_an_error() -> Outcome {
    let p = Tensor::from([1.0, 2.0]);
    let optimizer = Lbfgs::builder([&p]).line_search_fn(WOLFE).build()?;
    let mut calls = 0;
    let error = optimizer.step(|| {
        calls += 1;
        bowl::<f64>(&p, 0.1)?;
        Ok(Tensor::from(if calls > 1 { f64::NAN } else { 0.5 }))
    });
    assert!(matches!(error, Err(Error::NanLossAccepted)), "{error:?}");
    assert!(optimizer.report().to_string().contains("list index out of range"));
    assert_eq!(p.to_vec::<f64>(), [1.0, 2.0]);
    step(&optimizer, &p, |p| bowl::<f64>(p, 0.1))?;
    assert!(p.to_vec::<f64>()[1].abs() < 1e-6);
    Ok(())
}

#[test]
fn a_learning_rate_of_zero() -> Outcome {
    // Plain numbers divide: t is plain in a later iteration, and in the first where sum|g| <= 1.
    let error = after_one_step([0.1, 0.2], |p| bowl::<f64>(p, 1.0), |b| b.lr(0).line_search_fn(WOLFE)).unwrap_err();
    assert!(error.to_string().starts_with("float division by zero"), "{error}");
    // A tensor t divides to NaN, without an error.
    let (optimizer, _) = after_one_step([1.0, 2.0], |p| bowl::<f64>(p, 1.0), |b| b.lr(0).line_search_fn(WOLFE))?;
    assert!(optimizer.report().evaluations > 1);
    let (optimizer, p) = after_one_step([0.1, 0.2], |p| bowl::<f64>(p, 1.0), |b| b.lr(0))?;
    assert_eq!(optimizer.report().stop, StopReason::StepTolerance);
    assert_eq!(p.to_vec::<f64>(), [0.1, 0.2]);
    Ok(())
}

#[test]
fn zero_times_an_infinite_direction_is_nan() -> Outcome {
    let infinite = |p: &Tensor| {
        p.set_grad(Some(Tensor::from([f64::INFINITY, 1.0])));
        Ok(Tensor::from(1.0))
    };
    let (_, p) = after_one_step([1.0, 2.0], infinite, |b| b.max_iter(1).lr(0))?;
    assert!(p.to_vec::<f64>()[0].is_nan());
    Ok(())
}

#[test]
fn the_history_size_of_a_running_optimizer() -> Outcome {
    let p = Tensor::from_vec(vec![0.5; 6], [6]);
    let optimizer =
        Lbfgs::builder([&p]).history_size(2).max_iter(5).tolerance_change(0.0).line_search_fn(WOLFE).build()?;
    step(&optimizer, &p, quartic::<f64>)?;
    assert_eq!(optimizer.report().pairs_in_memory, 2);
    let at = p.to_vec::<f64>();
    optimizer.param_groups()[0].set("history_size", 5);
    let error = step(&optimizer, &p, quartic::<f64>).unwrap_err();
    assert!(matches!(error, Error::HistoryOutgrown { pairs: 3, places: 2 }), "{error}");
    assert_eq!(p.to_vec::<f64>(), at);

    let optimizer = Lbfgs::builder([&p]).max_iter(1).tolerance_change(0.0).build()?;
    step(&optimizer, &p, quartic::<f64>)?;
    optimizer.param_groups()[0].set("history_size", 0);
    assert!(matches!(step(&optimizer, &p, quartic::<f64>), Err(Error::NoHistory)));
    optimizer.param_groups()[0].set("history_size", 3);
    step(&optimizer, &p, quartic::<f64>)?;
    Ok(())
}

#[test]
fn a_line_search_with_another_name_is_refused_when_it_is_due() -> Outcome {
    let p = Tensor::from([0.0, 0.0]);
    let optimizer = Lbfgs::builder([ParamGroup::new([&p]).with("line_search_fn", "armijo")]).build()?;
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?; // converged at the start
    p.write_from(&[1.0, 1.0]);
    let error = step(&optimizer, &p, |p| bowl::<f64>(p, 1.0)).unwrap_err();
    assert!(error.to_string().starts_with("only 'strong_wolfe' is supported"), "{error}");
    Ok(())
}

#[test]
fn parameters_without_gradient_are_constants_and_named() -> Outcome {
    let (p, q) = (Tensor::from([3.0, 4.0]), Tensor::from([[7.0f64; 1]; 1].map(|[x]| x)));
    let optimizer = Lbfgs::builder([("p", &p), ("q", &q)]).build()?;
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    assert_eq!(q.to_vec::<f64>(), [7.0]);
    let report = optimizer.report();
    assert_eq!(report.params_without_gradient, ["q"]);
    assert!(report.to_string().contains("1 of 2 parameters have no gradient"), "{report}");
    Ok(())
}

#[test]
fn nothing_to_optimize_is_an_error_of_the_step() -> Outcome {
    let p = Tensor::from_vec(Vec::<f32>::new(), [0]);
    let optimizer = Lbfgs::builder([&p]).build()?;
    assert!(matches!(optimizer.step(|| Ok(Tensor::from(1.0))), Err(Error::NoElements)));
    let nobody = Lbfgs::builder([ParamGroup::new(Vec::<Tensor>::new())]).build()?;
    assert!(matches!(nobody.step(|| Ok(Tensor::from(1.0))), Err(Error::NoElements)));
    Ok(())
}

#[test]
fn mixed_dtypes_are_flattened_in_the_wider_one() -> Outcome {
    let (p, q) = (Tensor::from([3.0_f32]), Tensor::from([-4.0_f64]));
    let optimizer = Lbfgs::builder([&p, &q]).max_iter(1).build()?;
    optimizer.step(|| {
        bowl::<f32>(&p, 0.05)?;
        bowl::<f64>(&q, 0.05)
    })?;
    let d = optimizer.state_dict()["state"][0]["d"].as_tensor().unwrap().to_vec::<f64>();
    assert_eq!(d, [-f64::from(0.05_f32 * 6.0), 0.4]);
    let t = 1.0_f64; // sum|g| = 0.7
    assert_eq!(p.to_vec::<f32>(), [t.mul_add(d[0], 3.0) as f32]);
    assert_eq!(q.to_vec::<f64>(), [t.mul_add(d[1], -4.0)]);
    Ok(())
}
