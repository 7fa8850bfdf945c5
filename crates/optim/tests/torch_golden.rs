//! Trajectories of torch 2.8.0 (CPU, AVX-512) to the last bit. With two parameters every sum has one order
//! only.

mod common;

use checkpoint::Value;
use common::{Outcome, bowl, counters, rosenbrock, step};
use optim::{Lbfgs, LbfgsBuilder, LineSearch, Optimizer, StopReason};
use tape::{Float, Tensor};

/// `(n_iter, func_evals, x, y)` after a step.
type Line<T> = (i64, i64, T, T);

fn check<T: Float>(configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder, lines: &[Line<T>]) -> Outcome {
    let p = Tensor::from_vec(vec![T::from_f64(-1.2), T::ONE], [2]);
    let optimizer = configure(Lbfgs::builder([&p])).build()?;
    let mut calls = 0;
    for (k, &(n_iter, func_evals, x, y)) in lines.iter().enumerate() {
        calls += step(&optimizer, &p, rosenbrock::<T>)?;
        assert_eq!(counters(&optimizer), (n_iter, func_evals), "step {k}");
        assert_eq!(calls as i64, func_evals, "every call is counted");
        assert_eq!(p.to_vec::<T>(), [x, y], "step {k}");
    }
    Ok(())
}

/// The value of a C hex float such as `-0x1.9fp-3`.
fn hex(text: &str) -> f64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let (mantissa, exponent) = digits.strip_prefix("0x1.").and_then(|d| d.split_once('p')).expect("a hex float");
    let fraction = u64::from_str_radix(mantissa, 16).expect("hex digits") as f64 / 16_f64.powi(mantissa.len() as i32);
    sign * (1.0 + fraction) * 2_f64.powi(exponent.parse().expect("an exponent"))
}

fn lines<T: Float>(table: &[(i64, i64, &str, &str)]) -> Vec<Line<T>> {
    table.iter().map(|&(n, e, x, y)| (n, e, T::from_f64(hex(x)), T::from_f64(hex(y)))).collect()
}

#[test]
fn strong_wolfe_defaults_f64() -> Outcome {
    let converged = ("0x1.fffd909848f55p-1", "0x1.fffb03c364b74p-1");
    let table = [
        (19, 25, "0x1.85c1f1352933ep-2", "0x1.ffa1c435553bbp-4"),
        (35, 44, converged.0, converged.1),
        (36, 45, converged.0, converged.1),
        (37, 46, converged.0, converged.1),
    ];
    check::<f64>(|b| b.line_search_fn(LineSearch::StrongWolfe), &lines(&table))
}

#[test]
fn fixed_step_f64() -> Outcome {
    let table = [
        (5, 5, "-0x1.1951b5fb87436p+0", "0x1.0b04c2723f839p+0"),
        (10, 10, "-0x1.12bc7843d3fb5p+0", "0x1.0e1fd01e8fc53p+0"),
        (15, 15, "-0x1.0e6d17b6d5a8ap+0", "0x1.0fa7b7443c9adp+0"),
        (20, 20, "-0x1.0b72be2f1d18dp+0", "0x1.0ff7f6f528f45p+0"),
    ];
    check::<f64>(|b| b.lr(0.1).max_iter(5), &lines(&table))
}

#[test]
fn strong_wolfe_with_a_short_history_f64() -> Outcome {
    let table = [
        (6, 8, "-0x1.f9fcca7d6d0cfp-1", "0x1.e9c4921d3813ep-1"),
        (12, 17, "-0x1.59aa93751233fp-2", "0x1.10e9b4157ef9cp-4"),
        (17, 25, "0x1.254d7ea8db53ep-3", "-0x1.354295c55d7cep-7"),
        (23, 33, "0x1.51b452f9dc020p-1", "0x1.b0d35af490b46p-2"),
    ];
    check::<f64>(|b| b.history_size(2).max_iter(7).line_search_fn(LineSearch::StrongWolfe), &lines(&table))
}

#[test]
fn strong_wolfe_defaults_f32() -> Outcome {
    let converged = ("0x1.fffdc0p-1", "0x1.fffb6ap-1");
    let table = [
        (19, 25, "0x1.85c7d4p-2", "0x1.ffb1f6p-4"),
        (35, 44, converged.0, converged.1),
        (36, 45, converged.0, converged.1),
        (37, 46, converged.0, converged.1),
    ];
    check::<f32>(|b| b.line_search_fn(LineSearch::StrongWolfe), &lines(&table))
}

#[test]
fn fixed_step_f32() -> Outcome {
    let table = [
        (5, 5, "-0x1.1951b6p+0", "0x1.0b04c2p+0"),
        (10, 10, "-0x1.12bc78p+0", "0x1.0e1fd0p+0"),
        (15, 15, "-0x1.0e6d18p+0", "0x1.0fa7b6p+0"),
        (20, 20, "-0x1.0b72bep+0", "0x1.0ff7f6p+0"),
    ];
    check::<f32>(|b| b.lr(0.1).max_iter(5), &lines(&table))
}

#[test]
fn strong_wolfe_with_a_short_history_f32() -> Outcome {
    let table = [
        (6, 8, "-0x1.f9fcaep-1", "0x1.e9c44cp-1"),
        (12, 17, "-0x1.59a8dcp-2", "0x1.10e3c6p-4"),
        (17, 25, "0x1.255aeap-3", "-0x1.34df86p-7"),
        (23, 33, "0x1.524704p-1", "0x1.b25270p-2"),
    ];
    check::<f32>(|b| b.history_size(2).max_iter(7).line_search_fn(LineSearch::StrongWolfe), &lines(&table))
}

/// What kind of number `t` is.
fn kind(t: &Value) -> &'static str {
    match t {
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Tensor(_) => "tensor",
        _ => "other",
    }
}

#[test]
fn one_move_keeps_the_kind_of_t() -> Outcome {
    let wolfe = Some(LineSearch::StrongWolfe);
    let half = || Value::from(Tensor::from([0.5_f32]));
    type Case = (f64, Value, Option<LineSearch>, &'static str, [f64; 2], usize);
    let cases: [Case; 5] = [
        (1.0, 1.into(), None, "tensor", [0.6666666269302368, 1.3333332538604736], 1),
        (0.01, 1.into(), None, "float", [0.9800000190734863, 1.9600000381469727], 1),
        (1.0, 1.into(), wolfe, "tensor", [0.6666666269302368, 1.3333332538604736], 2),
        (0.01, 1.into(), wolfe, "float", [0.800000011920929, 1.600000023841858], 3),
        (1.0, half(), None, "tensor", [0.8333333134651184, 1.6666666269302368], 1),
    ];
    for (scale, lr, search, t_kind, exact, evaluations) in cases {
        let p = Tensor::from([1.0_f32, 2.0]);
        let optimizer = Lbfgs::builder([&p]).lr(lr).max_iter(1).line_search_fn(search).build()?;
        assert_eq!(step(&optimizer, &p, |p| bowl::<f32>(p, scale))?, evaluations);
        let found = p.to_vec::<f32>();
        assert_eq!(found.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), exact);
        let sd = optimizer.state_dict();
        assert_eq!(kind(&sd["state"][0]["t"]), t_kind);
        assert_eq!(optimizer.report().stop, StopReason::MaxIter);
        assert_eq!(optimizer.report().moved_since_final_loss, search.is_none());
    }
    Ok(())
}

#[test]
fn an_integer_lr_is_the_t_of_later_iterations() -> Outcome {
    let p = Tensor::from([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&p]).max_iter(3).build()?;
    step(&optimizer, &p, rosenbrock::<f64>)?;
    assert_eq!(optimizer.state_dict()["state"][0]["t"], Value::Int(1));
    Ok(())
}
