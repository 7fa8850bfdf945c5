//! Healthy steps, which the report must not call wrong.

#[path = "common/reports.rs"]
mod reports;

use optim::{Lbfgs, LineSearch, NonFinite, Optimizer, StopReason};
use reports::{Outcome, blames_nothing, both, leaf, leaf32, step};
use tape::{DType, Tensor};

#[test]
fn rosenbrock_to_its_end() -> Outcome {
    let x = leaf([-1.2, 1.0]);
    let optimizer = Lbfgs::builder([&x]).max_iter(100).line_search_fn(LineSearch::StrongWolfe).build()?;
    let report = step(&optimizer, || 100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0))?;
    assert!(report.final_loss < 1e-8 && report.slope_checks.made > 10, "{report}");
    let text = blames_nothing(&report);
    assert!(!text.contains("note: "), "{text}");
    Ok(())
}

#[test]
fn rosenbrock_in_small_steps_of_both_kinds() -> Outcome {
    for f32 in [false, true] {
        for search in 0..2 {
            let x = if f32 { leaf32([-1.2, 1.0]) } else { leaf([-1.2, 1.0]) };
            let optimizer = &both(|| Lbfgs::builder([&x]).lr(if search == 0 { 0.3 } else { 1.0 }).max_iter(4))?[search];
            for _ in 0..30 {
                let report = step(optimizer, || 100.0 * (x.i(1) - x.i(0).pow(2.0)).pow(2.0) + (1.0 - x.i(0)).pow(2.0))?;
                let text = report.to_string();
                assert!(!text.contains("does not belong") && !text.contains("kink"), "{text}");
                assert!(!text.contains("cause: ") || search == 0 && text.contains("without a line search"), "{text}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_fit_of_many_parameters_in_f32() -> Outcome {
    tape::manual_seed(0);
    let (inputs, labels) = (Tensor::randn([64, 5], DType::F32), Tensor::randn([64], DType::F32));
    for search in 0..2 {
        let w = (Tensor::randn([5], DType::F32) * 0.1).requires_grad_(true);
        let b = Tensor::zeros([1], DType::F32).requires_grad_(true);
        let optimizer = &both(|| Lbfgs::builder([&w, &b]).max_iter(30))?[search];
        let report = step(optimizer, || ((inputs.matmul(&w) + &b).tanh() - &labels).pow(2.0).mean())?;
        blames_nothing(&report);
        blames_nothing(&step(optimizer, || ((inputs.matmul(&w) + &b).tanh() - &labels).pow(2.0).mean())?);
    }
    Ok(())
}

#[test]
fn parameters_that_begin_near_zero() -> Outcome {
    for search in 0..2 {
        let x = leaf([1e-5, -1e-6]);
        let optimizer = &both(|| Lbfgs::builder([&x]))?[search];
        blames_nothing(&step(optimizer, || (&x - 3.0).pow(2.0).sum() + x.exp().sum())?);
    }
    Ok(())
}

#[test]
fn a_loss_that_waves_on_long_moves() -> Outcome {
    for start in [0.4, 1.3, 2.9, 7.7, -5.1] {
        for search in 0..2 {
            let x = leaf([start, 0.5 - start]);
            let optimizer = &both(|| Lbfgs::builder([&x]).max_iter(40))?[search];
            let report = step(optimizer, || (x.pow(2.0) * 0.05 + (&x * 2.0).sin()).sum())?;
            let text = report.to_string();
            assert!(!text.contains("does not belong") && !text.contains("kink"), "{text}");
        }
    }
    Ok(())
}

#[test]
fn relu_network() -> Outcome {
    tape::manual_seed(1);
    let (inputs, targets) = (Tensor::randn([40, 3], DType::F32), Tensor::randn([40, 1], DType::F32));
    for seed in 0..5 {
        tape::manual_seed(seed);
        let a = Tensor::randn([3, 8], DType::F32).requires_grad_(true);
        let b = Tensor::randn([8, 1], DType::F32).requires_grad_(true);
        let optimizer = Lbfgs::builder([&a, &b]).max_iter(30).line_search_fn(LineSearch::StrongWolfe).build()?;
        let report = step(&optimizer, || (inputs.matmul(&a).relu().matmul(&b) - &targets).pow(2.0).mean())?;
        assert!(!report.to_string().contains("does not belong"), "{report}");
    }
    Ok(())
}

#[test]
fn a_second_step_at_the_minimum() -> Outcome {
    for search in 0..2 {
        let x = leaf([2.0, -1.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).max_iter(60))?[search];
        for _ in 0..3 {
            blames_nothing(&step(optimizer, || (&x - 0.7).pow(4.0).sum() + x.pow(2.0).sum() + 1.0)?);
        }
        assert_ne!(optimizer.report().stop, StopReason::MaxIter);
    }
    Ok(())
}

#[test]
fn a_maximum() -> Outcome {
    for search in 0..2 {
        let x = leaf([2.0, -1.0]);
        let optimizer = &both(|| Lbfgs::builder([&x]).maximize(true).max_iter(60))?[search];
        blames_nothing(&step(optimizer, || -(&x - 0.7).pow(2.0).sum() - 0.1 * x.pow(4.0).sum())?);
    }
    Ok(())
}

#[test]
fn penalties_groups_and_recovery() -> Outcome {
    let x = leaf([3.0, 1.5]);
    let optimizer = Lbfgs::builder([&x])
        .max_iter(60)
        .weight_decay(0.1)
        .non_finite(NonFinite::Recover)
        .guarded(true)
        .line_search_fn(LineSearch::StrongWolfe)
        .build()?;
    blames_nothing(&step(&optimizer, || (&x - x.log()).sum())?);
    Ok(())
}

#[test]
fn tensors_of_another_model_are_no_fault() -> Outcome {
    let (x, other) = (leaf([2.0]), leaf([0.3]));
    let optimizer = Lbfgs::builder([&x]).build()?;
    let text = blames_nothing(&step(&optimizer, || ((&x - 1.0).pow(2.0) + other.pow(2.0)).sum())?);
    assert!(!text.contains("does not own"), "{text}");
    Ok(())
}

#[test]
fn clearing_to_zero_instead_of_to_none_is_clearing() -> Outcome {
    let x = leaf([2.0, -1.0]);
    let optimizer = Lbfgs::builder([&x]).line_search_fn(LineSearch::StrongWolfe).build()?;
    optimizer.step(|| {
        optimizer.zero_grad_set_to_none(false);
        let loss = (&x - 0.5).pow(4.0).sum();
        loss.backward()?;
        Ok(loss)
    })?;
    blames_nothing(&optimizer.report());
    Ok(())
}
