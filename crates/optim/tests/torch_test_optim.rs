//! torch's `test/optim/test_optim.py` (`TestOptimRenewed`), for every optimizer and every option set it is run
//! with there. The tests around state dicts and hooks are in `torch_test_optim_state.rs` and
//! `torch_test_optim_hooks.rs`.
//!
//! Not ported, because what they test is not there:
//! * `test_complex`, `test_complex_2d`: tensors have no complex dtype.
//! * `test_rosenbrock_sparse`: there are no sparse gradients.
//! * `test_foreach_matches_forloop`, `test_foreach_large_tensor`, `test_peak_memory_foreach`,
//!   `test_set_default_dtype_works_with_foreach`, `test_defaults_changed_to_foreach`, `test_fused_matches_forloop`,
//!   `test_fused_large_tensor`, `test_fused_does_not_step_if_foundinf`, `test_fused_cpu_matches_cuda`,
//!   `test_mixed_device_dtype`, `test_capturable`: one implementation, on one device.
//! * `test_forloop_goes_right_direction_multigpu`, `test_state_dict_with_cuda_params`,
//!   `test_cpu_load_state_dict`: one device.
//! * `TestDifferentiableOptimizer`: a step is not recorded.
//! * `test_optim_infos_do_not_specify_global_cliquey_kwargs`: a test of torch's test tables.

mod common;

use checkpoint::Value;
use common::Outcome;
use common::zoo::{self, Affine, Class, Configuration};
use optim::lr_scheduler::{ConstantLr, ExponentialLr, LinearLr, LrScheduler, PolynomialLr, ReduceLrOnPlateau, StepLr};
use optim::{Error, Lbfgs, LineSearch, Optimizer, Param, ParamGroup};
use std::fmt::Display;
use tape::random::Generator;
use tape::{DType, Tensor};

fn error_of(class: &Class, params: Vec<Param>, lr: Option<Value>) -> String {
    (class.build)(params, lr).err().map_or_else(|| String::from("accepted"), |error| error.to_string())
}

/// The first of torch's six, a raw tensor for `params`, does not compile.
#[test]
fn test_errors() -> Outcome {
    let [a, b] = [1.0, 2.0].map(|x| Tensor::from([x]));
    for class in zoo::classes() {
        let twice = class.over(&[&a, &a])?;
        assert!(twice.warnings()[0].contains("a parameter group with duplicate parameters"), "{}", class.name);
        let groups = |second: ParamGroup| vec![Param::from(ParamGroup::new([&a]).with("lr", 0.01)), second.into()];
        let refused = [
            (groups(ParamGroup::new([&a])), None, "some parameters appear in more than one parameter group"),
            (vec![Param::from(&a)], Some(Tensor::from([0.001, 0.001]).into()), "Tensor lr must be 1-element"),
            (
                vec![Param::from(("weight", &a)), Param::from(&b)],
                None,
                "all optimizer params should be with/without names. Some param names are missing",
            ),
            (
                groups(ParamGroup::new([("weight", &b)])),
                None,
                "all optimizer param groups should be with/without names. cannot add param group with names to the \
                 optimizer",
            ),
        ];
        for (params, lr, text) in refused {
            assert_eq!(error_of(&class, params, lr), text, "{}", class.name);
        }
    }
    Ok(())
}

/// The loss has fallen, or has risen if that was asked for.
fn goes_right(configuration: &Configuration, initial: f64, last: f64, with: &str) {
    let right = if configuration.maximizes() { last > initial } else { last < initial };
    assert!(right, "{configuration} with {with}: {initial} to {last}");
}

/// torch's `assertEqual` of `float32` tensors, whose absolute tolerance is 1e-5.
fn close(a: &[f32], b: &[f32], absolute: f32, what: impl Display) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= absolute + 1.3e-6 * b.abs(), "{what}: {a} and {b}");
    }
}

fn goes_right_direction(problem: impl Fn() -> Affine) -> Outcome {
    zoo::for_each(|configuration| {
        let problem = problem();
        let optimizer = configuration.over(problem.params())?;
        let initial = problem.loss().item();
        for _ in 0..20 {
            problem.step(&*optimizer)?;
        }
        goes_right(configuration, initial, problem.loss().item(), "no scheduler");
        Ok(())
    })
}

#[test]
fn test_forloop_goes_right_direction() -> Outcome {
    goes_right_direction(|| Affine::new(1))
}

#[test]
fn test_forloop_goes_right_direction_noncontiguous() -> Outcome {
    let problem = Affine::noncontiguous(2);
    assert!(problem.params().iter().all(|p| !p.is_contiguous() && p.is_leaf()));
    goes_right_direction(|| Affine::noncontiguous(2))
}

/// A learning rate that is a tensor of either dtype moves parameters as far as the number does.
#[test]
fn test_tensor_lr() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(3);
        let rates = [Tensor::from(0.001), Tensor::from(0.001_f32), Tensor::from([0.001]), Tensor::from([0.001_f32])];
        let with = |problem: &Affine, lr: Value| {
            configuration.over_groups(vec![configuration.group(problem.params()).with("lr", lr)])
        };
        for ((name, schedulers), lr) in schedulers(configuration).into_iter().zip(rates.iter().cycle()) {
            let (of_number, of_tensor) = (problem.copy(), problem.copy());
            let number = with(&of_number, 0.001.into())?;
            let tensor = with(&of_tensor, lr.copy().into())?;
            let (by_number, by_tensor) = (schedulers(&*number)?, schedulers(&*tensor)?);
            for _ in 0..5 {
                by_number.step(of_number.step(&*number)?.item());
                by_tensor.step(of_tensor.step(&*tensor)?.item());
            }
            assert_ne!(of_number.values(), problem.values(), "{configuration} {name}");
            // Where the minimum is a plane, a line search multiplies what was rounded differently.
            let room = if configuration.option("line_search_fn").is_some() { 1e-4 } else { 1e-5 };
            close(&of_number.values(), &of_tensor.values(), room, format_args!("{configuration} {name}"));
            assert!(tensor.param_groups()[0].get("lr").unwrap().as_tensor().is_some());
        }
        Ok(())
    })
}

/// The schedulers that torch's tests put on its optimizers.
type Schedulers = Vec<(&'static str, fn(&dyn Optimizer) -> Result<Stepping, Error>)>;

/// Schedulers that are stepped with the loss.
struct Stepping {
    plain: Vec<Box<dyn LrScheduler>>,
    plateau: Option<ReduceLrOnPlateau>,
}

impl Stepping {
    fn over(plain: Vec<Box<dyn LrScheduler>>) -> Self {
        Self { plain, plateau: None }
    }

    fn and_plateau(self, optimizer: &dyn Optimizer) -> Result<Self, Error> {
        Ok(Self { plateau: Some(ReduceLrOnPlateau::builder(optimizer).build()?), ..self })
    }

    fn step(&self, loss: f64) {
        self.plain.iter().for_each(|scheduler| scheduler.step());
        self.plateau.iter().for_each(|plateau| plateau.step(loss));
    }
}

fn schedulers(configuration: &Configuration) -> Schedulers {
    let mut all: Schedulers = vec![
        ("none", |_| Ok(Stepping::over(Vec::new()))),
        ("StepLR", |o| Ok(Stepping::over(vec![StepLr::builder(o, 10).gamma(0.9).build()?.boxed()]))),
        ("ExponentialLR", |o| Ok(Stepping::over(vec![ExponentialLr::builder(o, 0.9).build()?.boxed()]))),
        ("PolynomialLR", |o| {
            Ok(Stepping::over(vec![PolynomialLr::builder(o).power(0.9).total_iters(4).build()?.boxed()]))
        }),
        ("StepLR, LinearLR", |o| {
            let linear = LinearLr::builder(o).start_factor(0.4).end_factor(0.6).total_iters(4).build()?;
            Ok(Stepping::over(vec![StepLr::builder(o, 10).gamma(0.9).build()?.boxed(), linear.boxed()]))
        }),
        ("ConstantLR, ExponentialLR", |o| {
            let constant = ConstantLr::builder(o).factor(0.4).total_iters(4).build()?;
            Ok(Stepping::over(vec![constant.boxed(), ExponentialLr::builder(o, 0.9).build()?.boxed()]))
        }),
        ("StepLR, ExponentialLR, ReduceLROnPlateau", |o| {
            let step = StepLr::builder(o, 10).gamma(0.99).build()?;
            let exponential = ExponentialLr::builder(o, 0.99).build()?;
            Stepping::over(vec![step.boxed(), exponential.boxed()]).and_plateau(o)
        }),
    ];
    // It ends at a learning rate of 0, where a line search divides by zero, in torch as here.
    all.retain(|(name, _)| *name != "PolynomialLR" || configuration.class != "LBFGS");
    all
}

#[test]
fn test_forloop_goes_right_direction_with_lrsched() -> Outcome {
    zoo::for_each(|configuration| {
        for (name, schedulers) in schedulers(configuration) {
            let problem = Affine::new(13);
            let optimizer = configuration.over(problem.params())?;
            let schedulers = schedulers(&*optimizer)?;
            let initial = problem.loss().item();
            for _ in 0..20 {
                let loss = problem.step(&*optimizer)?;
                schedulers.step(loss.item());
            }
            goes_right(configuration, initial, problem.loss().item(), name);
        }
        Ok(())
    })
}

#[test]
fn test_param_group_with_lrscheduler_goes_right_direction() -> Outcome {
    zoo::for_each_of(&zoo::first_order(), |configuration| {
        for (name, schedulers) in schedulers(configuration) {
            let problem = Affine::new(14);
            let bias = configuration.group([&problem.bias]).with("lr", 0.01);
            let optimizer = configuration.over_groups(vec![configuration.group([&problem.weight]), bias])?;
            let schedulers = schedulers(&*optimizer)?;
            let initial = problem.loss().item();
            for _ in 0..20 {
                let loss = problem.step(&*optimizer)?;
                schedulers.step(loss.item());
            }
            goes_right(configuration, initial, problem.loss().item(), name);
        }
        Ok(())
    })
}

#[test]
fn test_param_groups_weight_decay() -> Outcome {
    zoo::for_each_of(&zoo::first_order(), |configuration| {
        let problem = Affine::new(4);
        let bias = configuration.group([&problem.bias]).with("weight_decay", 0.0);
        let optimizer = configuration.over_groups(vec![configuration.group([&problem.weight]), bias])?;
        let initial = problem.loss().item();
        for _ in 0..20 {
            problem.step(&*optimizer)?;
        }
        goes_right(configuration, initial, problem.loss().item(), "no scheduler");
        Ok(())
    })
}

#[test]
fn test_param_groups_lr() -> Outcome {
    let mut generator = Generator::new(5);
    let start = Tensor::randn_with(&mut generator, [2, 2], DType::F32);
    zoo::for_each_of(&zoo::first_order(), |configuration| {
        let problem = Affine::new(6);
        let irrelevant = start.copy().requires_grad_(true);
        let gradient = irrelevant.detach().square() + 0.25;
        let still = ParamGroup::new([&irrelevant]).with("lr", 1e-28).with("step_sizes", (0.0, 50.0));
        let optimizer = configuration.over_groups(vec![configuration.group(problem.params()), still])?;
        let initial = problem.loss().item();
        for _ in 0..20 {
            optimizer.step_closure(&mut || {
                optimizer.zero_grad();
                irrelevant.set_grad(Some(gradient.copy()));
                let loss = problem.loss();
                loss.backward()?;
                Ok(loss)
            })?;
        }
        goes_right(configuration, initial, problem.loss().item(), "no scheduler");
        assert_eq!(irrelevant.to_vec::<f32>(), start.to_vec::<f32>(), "{configuration}");
        Ok(())
    })
}

#[test]
fn test_step_is_noop_when_params_have_no_grad() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(7);
        let before = problem.values();
        problem.params().iter().for_each(|p| drop(p.requires_grad_(false)));
        let optimizer = configuration.over(problem.params())?;
        let loss = optimizer.step_closure(&mut || Ok(Tensor::from([1.0])))?;
        assert_eq!(loss.to_vec::<f64>(), [1.0]);
        assert_eq!(problem.values(), before, "{configuration}");
        Ok(())
    })
}

#[test]
fn test_step_is_noop_for_zero_grads() -> Outcome {
    zoo::for_each(|configuration| {
        // Decay moves parameters without any gradient.
        if ["weight_decay", "lambd"].iter().any(|name| configuration.option(name).is_some()) {
            return Ok(());
        }
        let p = Tensor::randn_with(&mut Generator::new(8), [1, 5], DType::F32).requires_grad_(true);
        let before = p.to_vec::<f32>();
        let group = configuration.group([&p]).with("weight_decay", 0.0);
        let optimizer = configuration.over_groups(vec![group])?;
        p.set_grad(Some(p.zeros_like()));
        optimizer.step_closure(&mut || Ok(Tensor::from([1.0])))?;
        // ASGD always decays, by a share of 1e-6.
        close(&p.to_vec::<f32>(), &before, 1e-5, &configuration);
        Ok(())
    })
}

#[test]
fn test_optimizer_can_be_printed() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(9);
        let optimizer = configuration.over(problem.params())?;
        let printed = optimizer.base().to_string();
        assert!(printed.starts_with(&format!("{} (\nParameter Group 0\n", configuration.class)), "{printed}");
        for (name, value) in ["lr", "weight_decay", "line_search_fn"].map(|name| (name, configuration.option(name))) {
            let Some(value) = value else { continue };
            let value = value.as_tensor().map_or_else(|| value.to_string(), |lr| lr.item().to_string());
            assert!(printed.contains(&format!("\n    {name}: {value}\n")), "{printed}");
        }
        Ok(())
    })
}

/// What a closure returns comes back, whether the step ends at once or moves.
#[test]
fn test_second_order_optims_return_consistent_types() -> Outcome {
    let p = Tensor::from([10.0]).requires_grad_(true);
    for tolerance in [f64::INFINITY, f64::NEG_INFINITY] {
        let optimizer = Lbfgs::builder([&p]).tolerance_grad(tolerance).build()?;
        let closure_loss = Tensor::from([10.0]);
        let loss = optimizer.step(|| Ok(closure_loss.clone()))?;
        assert!(loss.same(&closure_loss));
    }
    Ok(())
}

/// After a step no entry of the state is empty.
#[test]
fn test_non_empty_state() -> Outcome {
    let filled = |value: &Value| match value {
        Value::Tensor(tensor) => tensor.numel() > 0,
        Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Str(_) => !value.is_empty(),
        _ => true,
    };
    zoo::for_each(|configuration| {
        let problem = Affine::new(10);
        let optimizer = configuration.over(problem.params())?;
        problem.loss().backward()?;
        optimizer.step_closure(&mut || Ok(Tensor::from(1.0)))?;
        let sd = optimizer.state_dict();
        let states = sd["state"].iter().count();
        let stateless = configuration.class == "SGD" && configuration.option("momentum").is_none();
        let expected = if configuration.class == "LBFGS" { 1 } else { 2 };
        assert_eq!(states, if stateless { 0 } else { expected }, "{configuration}");
        for state in sd["state"].iter() {
            assert!(!state.is_empty() && state.iter().any(filled), "{configuration}: {state}");
        }
        Ok(())
    })
}

/// A copy has all that is public: groups, options, state, defaults, warnings; torch drops the hooks too.
#[test]
fn test_deepcopy_copies_all_public_attrs() -> Outcome {
    macro_rules! copied {
        ($($type:ident),*) => {$({
            let problem = Affine::new(11);
            let optimizer = optim::$type::builder(problem.named_params()).lr(0.001).build()?;
            problem.step(&optimizer)?;
            let copy = optimizer.clone();
            assert_eq!(copy.to_string(), optimizer.to_string());
            assert_eq!(optim::Optimizer::state_dict(&copy), optim::Optimizer::state_dict(&optimizer));
            let (a, b) = (optim::Optimizer::base(&copy), optim::Optimizer::base(&optimizer));
            assert_eq!((a.name(), a.defaults(), a.warnings()), (b.name(), b.defaults(), b.warnings()));
            problem.step(&copy)?;
            optim::Optimizer::set_lr(&copy, 0.5)?;
            assert_eq!(optim::Optimizer::get_lr(&optimizer), 0.001);
        })*};
    }
    copied!(Sgd, Adam, AdamW, NAdam, RAdam, Adamax, Adagrad, Adadelta, RmsProp, Rprop, Asgd, Lbfgs);
    Ok(())
}

/// The basic cases of torch's older `test_lbfgs`: 200 steps.
#[test]
fn test_lbfgs() -> Outcome {
    zoo::for_each_of(&[zoo::lbfgs()], |configuration| {
        for problem in [Affine::new(12), Affine::noncontiguous(12)] {
            let optimizer = configuration.over(problem.params())?;
            let initial = problem.loss().item();
            for _ in 0..200 {
                problem.step(&*optimizer)?;
            }
            let last = problem.loss().item();
            assert!(last < initial, "{configuration}: {initial} to {last}");
        }
        Ok(())
    })
}

/// The XOR net of torch's C++ tests (`test/cpp/api/optim.cpp`, `OptimizerTest.XORConvergence_LBFGS`).
#[test]
fn xor_convergence_lbfgs() -> Outcome {
    let mut generator = Generator::new(0);
    let mut layer = |rows: usize, columns: usize| {
        let bound = 1.0 / (columns as f64).sqrt();
        let mut uniform = |shape: &[usize]| {
            let u = Tensor::rand_with(&mut generator, shape, DType::F32);
            ((u * 2.0 - 1.0) * bound).detach().requires_grad_(true)
        };
        [uniform(&[rows, columns]), uniform(&[rows])]
    };
    let ([w1, b1], [w2, b2]) = (layer(8, 2), layer(1, 8));
    let inputs = Tensor::from([[0.0_f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let labels = Tensor::from([[0.0_f32], [1.0], [1.0], [0.0]]);
    let loss = || {
        let hidden = (inputs.matmul(&w1.t()) + &b1).sigmoid();
        let prediction = (hidden.matmul(&w2.t()) + &b2).sigmoid();
        -(&labels * prediction.log() + (1.0 - &labels) * (1.0 - prediction).log()).mean()
    };
    let optimizer = Lbfgs::builder([&w1, &b1, &w2, &b2]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let (mut running, mut epochs) = (1.0, 0);
    while running > 0.1 {
        assert!(epochs < 3000, "the loss is still {running}");
        running = 0.99 * running + 0.01 * zoo::step(&optimizer, loss)?.item();
        epochs += 1;
    }
    Ok(())
}
