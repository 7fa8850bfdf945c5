//! Hooks around the steps of all optimizers, of one thread or of all: one test, because the latter see every step.

mod common;

use common::Outcome;
use optim::{
    BoxError, Lbfgs, Optimizer, Sgd, register_optimizer_step_post_hook,
    register_optimizer_step_post_hook_on_all_threads, register_optimizer_step_pre_hook,
    register_optimizer_step_pre_hook_on_all_threads,
};
use std::sync::{Arc, Mutex};
use tape::Tensor;

#[test]
fn hooks_of_all_optimizers_run_outside_of_an_optimizers_own() -> Outcome {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |text: &'static str| {
        let log = Arc::clone(&log);
        move |optimizer: &dyn Optimizer| log.lock().unwrap().push(format!("{text} {}", optimizer.base().name()))
    };
    let taken = || std::mem::take(&mut *log.lock().unwrap());
    let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
    let sgd = Sgd::builder([&p]).build()?;
    let lbfgs = Lbfgs::builder([&p]).max_iter(1).build()?;
    let square = || -> Result<Tensor, BoxError> {
        p.set_grad(None);
        let loss = (&p * &p).sum();
        loss.backward()?;
        Ok(loss)
    };

    // Registered after the optimizers, and after their own hooks.
    let (own_pre, own_post) = (note("own pre"), note("own post"));
    lbfgs.register_step_post_hook(move |optimizer, _| own_post(optimizer));
    lbfgs.register_step_pre_hook(move |optimizer, _| {
        own_pre(optimizer);
        Ok(())
    });
    let (pre, post, second) = (note("pre"), note("post"), note("second pre"));
    let handles = [
        register_optimizer_step_pre_hook(move |optimizer, _| {
            pre(optimizer);
            Ok(())
        }),
        register_optimizer_step_pre_hook(move |optimizer, _| {
            second(optimizer);
            Ok(())
        }),
        register_optimizer_step_post_hook(move |optimizer, _| post(optimizer)),
    ];
    sgd.step()?;
    assert_eq!(taken(), ["pre SGD", "second pre SGD", "post SGD"]);
    lbfgs.step(square)?;
    let around = ["pre LBFGS", "second pre LBFGS", "own pre LBFGS", "own post LBFGS", "post LBFGS"];
    assert_eq!(taken(), around);
    lbfgs.clone().step(square)?;
    assert_eq!(taken(), ["pre LBFGS", "second pre LBFGS", "post LBFGS"], "a copy has lost its own hooks only");

    // The closure goes through the hooks of all optimizers too, and an error there ends the step.
    let wrapping = register_optimizer_step_pre_hook(|_, args| {
        args.wrap_closure(|inner| Ok(inner()? + 1.0));
        Ok(())
    });
    let loss = lbfgs.step(square)?;
    assert_eq!(loss.item(), square()?.item() + 1.0, "the second step ended where it began");
    wrapping.remove();
    taken();
    let failing = register_optimizer_step_pre_hook(|_, _| Err(BoxError::msg("not today")));
    let error = lbfgs.step(|| unreachable!("the step does not begin")).unwrap_err();
    assert_eq!(error.to_string(), "a step pre-hook failed: not today");
    assert_eq!(taken(), ["pre LBFGS", "second pre LBFGS"]);
    {
        let _until_here = failing.scoped();
        assert!(sgd.step().is_err());
    }
    sgd.step()?;
    taken();

    // A hook that steps another optimizer runs the hooks for that one, and not for itself.
    let other = Arc::new(Sgd::builder([&Tensor::from([1.0])]).build()?);
    let inner = Arc::clone(&other);
    let stepping = register_optimizer_step_post_hook(move |_, _| inner.step().expect("a step without gradients"));
    other.step()?;
    let own = ["pre SGD", "second pre SGD", "post SGD"];
    assert_eq!(taken(), own);
    sgd.step()?;
    assert_eq!(taken(), [own, own].concat());
    stepping.remove();

    // Another thread's steps are seen by the hooks on all threads alone, which are the outermost.
    let (pre, post) = (note("everywhere pre"), note("everywhere post"));
    let everywhere = [
        register_optimizer_step_pre_hook_on_all_threads(move |optimizer, _| {
            pre(optimizer);
            Ok(())
        }),
        register_optimizer_step_post_hook_on_all_threads(move |optimizer, _| post(optimizer)),
    ];
    std::thread::scope(|scope| scope.spawn(|| sgd.step()).join()).expect("no panic")?;
    assert_eq!(taken(), ["everywhere pre SGD", "everywhere post SGD"]);
    sgd.step()?;
    assert_eq!(taken(), ["everywhere pre SGD", "pre SGD", "second pre SGD", "post SGD", "everywhere post SGD"]);

    for handle in handles.iter().chain(&everywhere) {
        handle.remove();
        handle.remove();
    }
    lbfgs.step(square)?;
    assert_eq!(taken(), ["own pre LBFGS", "own post LBFGS"]);
    Ok(())
}
