//! Several groups: L-BFGS in the variables `z = x / sqrt(s)`.

mod common;

use checkpoint::Value;
use common::{Outcome, bowl, counters, quartic, rosenbrock, step};
use optim::{BoxError, Error, Lbfgs, LineSearch, Optimizer, ParamGroup, WeightDecay};
use tape::Tensor;

const WOLFE: LineSearch = LineSearch::StrongWolfe;
const START: [f64; 5] = [0.4, -1.3, 0.7, 2.1, -0.2];

/// The quartic of all elements of several tensors, with a factor on each element of the argument.
fn joint(params: &[(&Tensor, f64)]) -> Result<Tensor, BoxError> {
    let x: Vec<f64> =
        params.iter().flat_map(|(p, root)| p.to_vec::<f64>().into_iter().map(move |z| root * z)).collect();
    let whole = Tensor::from_vec(x, [params.iter().map(|(p, _)| p.numel()).sum()]);
    let loss = quartic::<f64>(&whole)?;
    let gradient = whole.grad().map(|g| g.to_vec::<f64>()).unwrap_or_default();
    let mut start = 0;
    for (p, root) in params {
        let end = start + p.numel();
        let scaled = gradient[start..end].iter().map(|g| root * g).collect::<Vec<f64>>();
        p.set_grad(Some(Tensor::from_vec(scaled, [p.numel()])));
        start = end;
    }
    Ok(loss)
}

/// Three parameters in three groups, and one learning rate each.
fn three(rates: [f64; 3], search: Option<LineSearch>) -> Result<([Tensor; 3], Lbfgs), Error> {
    let params = [&START[..2], &START[2..4], &START[4..]].map(|x| Tensor::from_vec(x.to_vec(), [x.len()]));
    let groups = params.iter().zip(rates).map(|(p, lr)| ParamGroup::new([p]).with("lr", lr));
    let optimizer = Lbfgs::builder(groups.collect::<Vec<_>>())
        .max_iter(3)
        .history_size(4)
        .line_search_fn(search)
        .parameter_groups(true)
        .build()?;
    Ok((params, optimizer))
}

fn values(params: &[Tensor]) -> Vec<f64> {
    params.iter().flat_map(|p| p.to_vec::<f64>()).collect()
}

fn step_on(optimizer: &Lbfgs, params: &[Tensor; 3], roots: [f64; 3]) -> Result<Tensor, Error> {
    let pairs = [0, 1, 2].map(|i| (&params[i], roots[i]));
    optimizer.step(|| joint(&pairs))
}

#[test]
fn it_is_plain_lbfgs_on_the_problem_scaled_by_hand() -> Outcome {
    // Roots of powers of 4 are powers of 2, which scale without rounding.
    for (rates, exact) in [([0.5, 0.125, 0.03125], true), ([0.125, 0.5, 0.5], true), ([0.1, 0.3, 0.07], false)] {
        for search in [None, Some(WOLFE)] {
            let lr = rates.iter().copied().fold(0.0, f64::max);
            let roots = rates.map(|rate| (rate / lr).sqrt());
            let (x, grouped) = three(rates, search)?;
            let z = [&START[..2], &START[2..4], &START[4..]].map(|x| x.to_vec());
            let z = [0, 1, 2].map(|i| Tensor::from_vec(z[i].iter().map(|x| x / roots[i]).collect(), [z[i].len()]));
            let plain = Lbfgs::builder(&z).lr(lr).max_iter(3).history_size(4).line_search_fn(search).build()?;
            for k in 0..5 {
                step_on(&grouped, &x, [1.0; 3])?;
                step_on(&plain, &z, roots)?;
                let expected: Vec<f64> =
                    (0..3).flat_map(|i| z[i].to_vec::<f64>().into_iter().map(move |z| roots[i] * z)).collect();
                let (a, b) = (grouped.report(), plain.report());
                if exact {
                    assert_eq!(values(&x), expected, "step {k}");
                    assert_eq!((a.stop, a.evaluations, a.gradient_max), (b.stop, b.evaluations, b.gradient_max));
                } else {
                    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-8;
                    assert!(values(&x).iter().zip(&expected).all(near), "{:?} {expected:?}", values(&x));
                    assert_eq!(a.stop, b.stop);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn equal_learning_rates_are_one_group_to_the_bit() -> Outcome {
    for search in [None, Some(WOLFE)] {
        let (x, grouped) = three([0.3; 3], search)?;
        let y = [0, 1, 2].map(|i| x[i].copy());
        let plain = Lbfgs::builder(&y).lr(0.3).max_iter(3).history_size(4).line_search_fn(search).build()?;
        for _ in 0..4 {
            step_on(&grouped, &x, [1.0; 3])?;
            step_on(&plain, &y, [1.0; 3])?;
            assert_eq!(values(&x), values(&y));
            assert_eq!(grouped.state_dict()["state"], plain.state_dict()["state"]);
        }
    }
    Ok(())
}

#[test]
fn a_group_with_learning_rate_zero_is_frozen_whatever_its_gradient() -> Outcome {
    let (p, frozen) = (Tensor::from([-1.2, 1.0]), Tensor::from([5.0]));
    let q = p.copy();
    let groups = [ParamGroup::new([&p]), ParamGroup::new([&frozen]).with("lr", 0.0)];
    let grouped = Lbfgs::builder(groups).parameter_groups(true).line_search_fn(WOLFE).build()?;
    let alone = Lbfgs::builder([&q]).line_search_fn(WOLFE).build()?;
    for _ in 0..2 {
        grouped.step(|| {
            frozen.set_grad(Some(Tensor::from([f64::NAN])));
            rosenbrock::<f64>(&p)
        })?;
        step(&alone, &q, rosenbrock::<f64>)?;
        assert_eq!((p.to_vec::<f64>(), frozen.item()), (q.to_vec::<f64>(), 5.0));
        assert_eq!(grouped.report().stop, alone.report().stop);
    }
    // Where all are zero nothing is scaled, and nothing moves.
    grouped.set_lr(0.0)?;
    grouped.param_groups()[0].set("line_search_fn", Value::None);
    let before = p.to_vec::<f64>();
    grouped.step(|| rosenbrock::<f64>(&p))?;
    assert_eq!(p.to_vec::<f64>(), before);
    Ok(())
}

#[test]
fn a_change_of_the_ratios_clears_the_memory_and_is_reported() -> Outcome {
    let (x, optimizer) = three([0.3, 0.1, 0.2], None)?;
    let cleared = |optimizer: &Lbfgs| optimizer.report().notes.iter().any(|note| note.contains("was cleared"));
    step_on(&optimizer, &x, [1.0; 3])?;
    let scales = optimizer.state_dict()["state"][0]["group_scales"].clone();
    assert_eq!(scales, Value::from([1.0, 0.1 / 0.3, 0.2 / 0.3]));
    // A scheduler multiplies all rates: the ratios change by rounding, the scales do not.
    let groups = optimizer.param_groups();
    for factor in [0.1, 0.7, 0.9] {
        groups.iter().for_each(|group| group.set_lr(group.lr() * factor));
        step_on(&optimizer, &x, [1.0; 3])?;
        assert!(!cleared(&optimizer) && optimizer.report().pairs_in_memory > 0);
        assert_eq!(optimizer.state_dict()["state"][0]["group_scales"], scales);
    }
    let (n_iter, func_evals) = counters(&optimizer);
    groups[1].set_lr(groups[0].lr());
    step_on(&optimizer, &x, [1.0; 3])?;
    assert!(cleared(&optimizer));
    let evaluations = optimizer.report().evaluations as i64;
    assert_eq!(counters(&optimizer), (optimizer.report().iterations as i64, func_evals + evaluations));
    assert!(n_iter > counters(&optimizer).0);
    step_on(&optimizer, &x, [1.0; 3])?;
    assert!(!cleared(&optimizer), "once");
    // Equal rates: the scales are all 1, and the key is gone.
    groups.iter().for_each(|group| group.set_lr(0.25));
    step_on(&optimizer, &x, [1.0; 3])?;
    assert!(cleared(&optimizer) && optimizer.state_dict()["state"][0].get("group_scales").is_none());
    Ok(())
}

#[test]
fn every_group_has_its_own_weight_decay() -> Outcome {
    let (p, q, r) = (Tensor::from([2.0, -1.0]), Tensor::from([3.0]), Tensor::from([0.5]));
    let groups = [
        ParamGroup::new([&p]).with("weight_decay", 0.5),
        ParamGroup::new([&q]),
        ParamGroup::new([&r]).with("weight_decay", WeightDecay::L1(4.0)),
    ];
    let optimizer = Lbfgs::builder(groups).max_iter(1).weight_decay(0.1).parameter_groups(true).build()?;
    optimizer.step(|| {
        for x in [&p, &q, &r] {
            x.set_grad(Some(Tensor::from_vec(vec![0.0; x.numel()], [x.numel()])));
        }
        Ok(Tensor::from(1.0))
    })?;
    let g = optimizer.state_dict()["state"][0]["prev_flat_grad"].as_tensor().map(|g| g.to_vec::<f64>());
    assert_eq!(g, Some(vec![1.0, -0.5, 0.1 * 3.0, 4.0]));
    assert_eq!(optimizer.report().initial_loss, 1.0 + (0.25 * 5.0 + 0.05 * 9.0 + 2.0));
    Ok(())
}

#[test]
fn an_added_group_is_optimized_from_a_fresh_memory() -> Outcome {
    let (p, q) = (Tensor::from([3.0_f32, -4.0]), Tensor::from([2.0]));
    let optimizer = Lbfgs::builder([&p]).parameter_groups(true).max_iter(4).lr(0.2).build()?;
    step(&optimizer, &p, |p| bowl::<f32>(p, 1.0))?;
    let (_, func_evals) = counters(&optimizer);
    let integers = Tensor::from([1_i64]);
    assert!(matches!(
        optimizer.add_param_group(ParamGroup::new([&integers])),
        Err(Error::NotFloatingPoint { index: 0, .. })
    ));
    // The flat vectors become f64 with the new group.
    optimizer.add_param_group(ParamGroup::new([&q]).with("lr", 0.1))?;
    assert_eq!(counters(&optimizer), (0, func_evals));
    let clone = optimizer.clone();
    optimizer.load_state_dict(optimizer.state_dict())?;
    for _ in 0..40 {
        optimizer.step(|| {
            let first = bowl::<f32>(&p, 1.0)?.item();
            Ok(Tensor::from(first + bowl::<f64>(&q, 1.0)?.item()))
        })?;
    }
    assert!(p.to_vec::<f32>().iter().all(|x| x.abs() < 1e-4) && q.item().abs() < 1e-4, "{}", optimizer.report());
    assert_eq!(optimizer.report().params, 2);
    assert!(counters(&optimizer).1 > func_evals + 2);
    assert_eq!(counters(&clone), (0, func_evals));
    Ok(())
}

#[test]
fn several_groups_need_the_option_and_sensible_rates() -> Outcome {
    let (p, q) = (Tensor::from([1.0]), Tensor::from([2.0]));
    let groups = || [ParamGroup::new([&p]), ParamGroup::new([&q]).with("lr", 0.5)];
    let refused = Lbfgs::builder(groups()).build().unwrap_err();
    assert!(refused.to_string().starts_with("LBFGS doesn't support per-parameter options (parameter groups)"));
    let optimizer = Lbfgs::builder(groups()).parameter_groups(true).build()?;
    for wrong in [f64::NAN, -1.0] {
        optimizer.param_groups()[1].set("lr", wrong);
        let error = optimizer.step(|| bowl::<f64>(&p, 1.0)).unwrap_err();
        assert!(error.to_string().starts_with("Invalid learning rate: "), "{error}");
    }
    optimizer.param_groups()[1].set("lr", Value::from(Tensor::from(0.5)));
    optimizer.step(|| bowl::<f64>(&p, 1.0))?;
    assert_eq!(optimizer.report().params_without_gradient, ["#1"]);
    optimizer.param_groups()[0].set("parameter_groups", false);
    assert!(matches!(optimizer.step(|| bowl::<f64>(&p, 1.0)), Err(Error::ParameterGroups)));
    Ok(())
}
