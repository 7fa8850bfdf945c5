//! Weight decay and gradient clipping against closures that do the same by hand.

mod common;

use common::{Outcome, bowl, quartic, step};
use optim::{BoxError, GradClip, Lbfgs, LbfgsBuilder, LineSearch, Optimizer, ParamGroup, WeightDecay};
use tape::{Tensor, vector};

const WOLFE: LineSearch = LineSearch::StrongWolfe;

fn start(n: usize) -> Tensor {
    Tensor::from_vec((0..n).map(|i| 0.3 + (i as f64 * 1.7).sin()).collect::<Vec<f64>>(), [n])
}

fn gradient_of(p: &Tensor) -> Vec<f64> {
    p.grad().map(|g| g.to_vec()).unwrap_or_default()
}

/// Runs `configure` on the quartic and a plain optimizer on `by_hand`; both must agree to the bit.
fn agree(
    n: usize,
    configure: impl Fn(LbfgsBuilder) -> LbfgsBuilder,
    by_hand: impl Fn(&Tensor) -> Result<Tensor, BoxError>,
) -> Outcome {
    for search in [None, Some(WOLFE)] {
        let (p, q) = (start(n), start(n));
        let builder = |p: &Tensor| Lbfgs::builder([p]).lr(0.4).max_iter(3).line_search_fn(search);
        let (found, expected) = (configure(builder(&p)).build()?, builder(&q).build()?);
        for _ in 0..4 {
            let calls = step(&found, &p, quartic::<f64>)?;
            assert_eq!(step(&expected, &q, &by_hand)?, calls);
            assert_eq!(p.to_vec::<f64>(), q.to_vec::<f64>());
            assert_eq!(found.state_dict()["state"], expected.state_dict()["state"]);
            assert_eq!(found.report().final_loss, expected.report().final_loss, "with the penalty");
        }
    }
    Ok(())
}

#[test]
fn l2_is_half_the_square_in_the_loss_and_a_multiple_of_x_in_the_gradient() -> Outcome {
    for n in [1, 3, 20] {
        agree(
            n,
            |b| b.weight_decay(0.3),
            |p| {
                let loss = quartic::<f64>(p)?.item();
                let (x, mut gradient) = (p.to_vec::<f64>(), gradient_of(p));
                vector::axpy(0.3, &x, &mut gradient);
                p.set_grad(Some(Tensor::from_vec(gradient, [x.len()])));
                Ok(Tensor::from(loss + 0.3 / 2.0 * vector::dot(&x, &x)))
            },
        )?;
    }
    Ok(())
}

#[test]
fn l1_is_the_sum_of_sizes_with_the_sign_as_subgradient() -> Outcome {
    agree(
        20,
        |b| b.weight_decay(WeightDecay::L1(0.05)),
        |p| {
            let loss = quartic::<f64>(p)?.item();
            let x = p.to_vec::<f64>();
            let slope = |x: f64| if x == 0.0 { 0.0 } else { 0.05 * x.signum() };
            let gradient = gradient_of(p).into_iter().zip(&x).map(|(g, &x)| g + slope(x));
            p.set_grad(Some(Tensor::from_vec(gradient.collect::<Vec<f64>>(), [x.len()])));
            Ok(Tensor::from(loss + 0.05 * vector::sum_abs(&x)))
        },
    )?;
    // At zero the subgradient is zero: a point that minimises the loss there stays.
    let p = Tensor::from([0.0, 0.0]);
    let optimizer = Lbfgs::builder([&p]).weight_decay(WeightDecay::L1(3.0)).build()?;
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    assert_eq!((optimizer.report().gradient_max, p.to_vec::<f64>()), (0.0, vec![0.0, 0.0]));
    Ok(())
}

#[test]
fn with_maximize_the_penalty_is_subtracted() -> Outcome {
    let p = Tensor::from([3.0, 4.0]);
    let optimizer = Lbfgs::builder([&p]).maximize(true).weight_decay(0.5).max_iter(1).build()?;
    let first = optimizer.step(|| {
        p.set_grad(Some(Tensor::from([1.0, 1.0])));
        Ok(Tensor::from(7.0))
    })?;
    assert_eq!(first.item(), 7.0);
    assert_eq!(optimizer.report().initial_loss, 7.0 - 0.25 * 25.0);
    assert_eq!(optimizer.report().gradient_max, 1.0, "-1 + 0.5 * [3, 4]");
    Ok(())
}

#[test]
fn f32_parameters_decay_too() -> Outcome {
    let p = Tensor::from([3.0_f32, -4.0]);
    let optimizer = Lbfgs::builder([&p]).weight_decay(1.0).line_search_fn(WOLFE).build()?;
    // (x - 1)^2 + x^2 / 2 is smallest at 2/3.
    step(&optimizer, &p, |p| {
        let x = p.to_vec::<f32>();
        p.set_grad(Some(Tensor::from_vec(x.iter().map(|x| 2.0 * (x - 1.0)).collect::<Vec<f32>>(), [2])));
        Ok(Tensor::from(x.iter().map(|x| (x - 1.0) * (x - 1.0)).sum::<f32>()))
    })?;
    assert!(p.to_vec::<f32>().iter().all(|x| (x - 2.0 / 3.0).abs() < 1e-5), "{:?}", p.to_vec::<f32>());
    Ok(())
}

/// The gradient that the first direction is made of, read off `d`.
fn used(params: &[(&Tensor, &[f64])], clip: GradClip) -> Result<Vec<f64>, BoxError> {
    let optimizer = Lbfgs::builder(params.iter().map(|(p, _)| *p)).max_iter(1).grad_clip(clip).build()?;
    optimizer.step(|| {
        for (p, g) in params {
            p.set_grad(Some(Tensor::from_vec(g.to_vec(), [g.len()])));
        }
        Ok(Tensor::from(1.0))
    })?;
    for (p, g) in params {
        assert_eq!(&gradient_of(p), g, "`.grad` is not changed");
    }
    let state = &optimizer.state_dict()["state"][0];
    let raw: Vec<f64> = params.iter().flat_map(|(_, g)| g.iter().copied()).collect();
    let previous = state["prev_flat_grad"].as_tensor().map(|g| g.to_vec::<f64>());
    assert_eq!(previous, Some(raw), "pairs are made of gradients as they are");
    let d = state["d"].as_tensor().map(|d| d.to_vec::<f64>()).unwrap_or_default();
    Ok(d.iter().map(|d| -d).collect())
}

#[test]
fn clipping_follows_paddles_formulas() -> Outcome {
    let (p, q) = (Tensor::from([0.0, 0.0]), Tensor::from([0.0]));
    let (g, h) = ([3.0, -4.0], [12.0]);
    let params: [(&Tensor, &[f64]); 2] = [(&p, &g), (&q, &h)];
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let shrunk = |max: f64, norm: f64, x: f64| if norm > max { x * (max / norm) } else { x };
    for max in [0.5, 4.0, 6.0, 12.5, 100.0] {
        let all = [g[0], g[1], h[0]];
        assert_eq!(used(&params, GradClip::Value(max))?, all.map(|x| x.clamp(-max, max)));
        assert_eq!(used(&params, GradClip::ValueRange(-1.0, max))?, all.map(|x| x.max(-1.0).min(max)));
        let each = [shrunk(max, norm(&g), g[0]), shrunk(max, norm(&g), g[1]), shrunk(max, norm(&h), h[0])];
        assert_eq!(used(&params, GradClip::Norm(max))?, each, "each parameter for itself");
        assert_eq!(used(&params, GradClip::GlobalNorm(max))?, all.map(|x| shrunk(max, norm(&all), x)));
    }
    Ok(())
}

#[test]
fn clipping_comes_before_decay_and_sees_the_gradient_of_the_closure() -> Outcome {
    let p = Tensor::from([3.0]);
    let build = |b: LbfgsBuilder| b.max_iter(1).grad_clip(GradClip::ValueRange(-5.0, 1.0)).weight_decay(2.0).build();
    for (maximize, clipped, whole) in [(false, 1.0 + 6.0, 10.0 + 6.0), (true, -1.0 + 6.0, -10.0 + 6.0)] {
        let optimizer = build(Lbfgs::builder([&p]).maximize(maximize))?;
        optimizer.step(|| {
            p.write_from(&[3.0]);
            p.set_grad(Some(Tensor::from([10.0])));
            Ok(Tensor::from(1.0))
        })?;
        let state = &optimizer.state_dict()["state"][0];
        let first = |key: &str| state[key].as_tensor().map(|x| x.to_vec::<f64>()[0]);
        assert_eq!((first("d"), first("prev_clipped_grad")), (Some(-clipped), Some(clipped)));
        assert_eq!((first("prev_flat_grad"), optimizer.report().gradient_max), (Some(whole), f64::abs(whole)));
    }
    Ok(())
}

#[test]
fn a_parameter_without_gradient_is_a_constant_and_does_not_decay() -> Outcome {
    let (p, q) = (Tensor::from([1.0]), Tensor::from([4.0]));
    let optimizer = Lbfgs::builder([&p, &q]).max_iter(1).weight_decay(0.5).grad_clip(GradClip::Norm(1.0)).build()?;
    step(&optimizer, &p, |p| bowl::<f64>(p, 1.0))?;
    let d = optimizer.state_dict()["state"][0]["d"].as_tensor().map(|d| d.to_vec::<f64>());
    assert_eq!(d, Some(vec![-(1.0 + 0.5), -0.0]));
    assert_eq!((q.item(), optimizer.report().initial_loss), (4.0, 1.0 + 0.25));
    assert_eq!(optimizer.report().params_without_gradient, ["#1"]);
    Ok(())
}

#[test]
fn a_group_may_say_it_in_its_own_options() -> Outcome {
    let (p, q) = (start(5), start(5));
    let group = ParamGroup::new([&p]).with("weight_decay", WeightDecay::L1(0.1)).with("grad_clip", GradClip::Norm(2.0));
    let by_group = Lbfgs::builder([group]).build()?;
    let by_builder = Lbfgs::builder([&q]).weight_decay(WeightDecay::L1(0.1)).grad_clip(GradClip::Norm(2.0)).build()?;
    step(&by_group, &p, quartic::<f64>)?;
    step(&by_builder, &q, quartic::<f64>)?;
    assert_eq!(p.to_vec::<f64>(), q.to_vec::<f64>());
    Ok(())
}

#[test]
fn paddles_loop_on_func_evals() -> Outcome {
    let w = Tensor::from([0.5f32]).requires_grad_(true);
    let opt = Lbfgs::builder([&w])
        .max_iter(1)
        .line_search_fn(LineSearch::StrongWolfe)
        .weight_decay(WeightDecay::L2(1e-4))
        .grad_clip(GradClip::GlobalNorm(1.0))
        .build()?;
    opt.set_lr(0.5)?;
    assert_eq!(opt.get_lr(), 0.5);
    while opt.state_dict()["state"][0].get("func_evals").and_then(|v| v.as_int()).unwrap_or(0) < 20 {
        opt.step(|| {
            opt.clear_grad(true);
            let loss = (&w - 2.0).pow(2.0).sum();
            loss.backward()?;
            Ok(loss)
        })?;
    }
    assert!((w.i(0).item() - 2.0).abs() < 1e-2);
    Ok(())
}
