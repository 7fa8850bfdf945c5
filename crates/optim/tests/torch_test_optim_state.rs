//! The tests of torch's `test/optim/test_optim.py` about saving and loading, for every optimizer and every
//! option set. What is not ported is listed in `torch_test_optim.rs`.

mod common;

use checkpoint::{Dict, Value};
use common::zoo::{self, Affine, Configuration};
use common::{Outcome, zoo::step};
use optim::{Error, Optimizer};
use tape::random::Generator;
use tape::{DType, Tensor};

/// Two linear layers with a `tanh` between, as `nn.Sequential` would name their parameters.
struct Net {
    params: [(&'static str, Tensor); 4],
    input: Tensor,
}

impl Net {
    fn new() -> Self {
        let mut generator = Generator::new(21);
        let mut uniform = |shape: &[usize]| Tensor::rand_with(&mut generator, shape, DType::F32) - 0.5;
        let params = [("0.weight", [3, 4].as_slice()), ("0.bias", &[3]), ("1.weight", &[2, 3]), ("1.bias", &[2])]
            .map(|(name, shape)| (name, uniform(shape).requires_grad_(true)));
        Self { params, input: uniform(&[5, 4]) }
    }

    fn tensors(&self) -> [&Tensor; 4] {
        self.params.each_ref().map(|(_, p)| p)
    }

    fn values(&self) -> Vec<f32> {
        self.tensors().iter().flat_map(|p| p.to_vec::<f32>()).collect()
    }

    fn loss(&self) -> Tensor {
        let [w0, b0, w1, b1] = self.tensors();
        let hidden = (self.input.matmul(&w0.t()) + b0).tanh();
        (hidden.matmul(&w1.t()) + b1 - 1.0).square().sum()
    }

    fn optimizer(&self, configuration: &Configuration, named: bool) -> Result<Box<dyn Optimizer>, Error> {
        if named { configuration.over(&self.params) } else { configuration.over(self.tensors()) }
    }
}

fn without_names(mut state_dict: Value) -> Value {
    for group in state_dict["param_groups"].as_list_mut().into_iter().flatten() {
        group.as_dict_mut().map(|group| group.remove("param_names"));
    }
    state_dict
}

/// torch also appends the groups to themselves and finds equal ids; here groups cannot have parameters in
/// common.
fn state_dict_deterministic(named: bool, loaded_named: bool) -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(20);
        let over = |problem: &Affine, named: bool| {
            if named { configuration.over(problem.named_params()) } else { configuration.over(problem.params()) }
        };
        let optimizer = over(&problem, named)?;
        for _ in 0..10 {
            problem.step(&*optimizer)?;
        }
        let copy = problem.copy();
        let other = over(&copy, loaded_named)?;
        let saved = optimizer.state_dict().deep_copy();
        other.load_state_dict(saved.clone())?;
        assert_eq!(saved, optimizer.state_dict(), "{configuration}: loading changed the dict");
        for _ in 0..10 {
            problem.step(&*optimizer)?;
            copy.step(&*other)?;
            assert_eq!(problem.values(), copy.values(), "{configuration}");
        }
        assert_eq!(without_names(optimizer.state_dict()), without_names(other.state_dict()), "{configuration}");
        assert_eq!(optimizer.state_dict(), optimizer.state_dict());
        assert_eq!(other.param_groups()[0].names().is_some(), named || loaded_named);
        Ok(())
    })
}

#[test]
fn test_state_dict_deterministic_is_named_optim0_false_is_named_optim1_false() -> Outcome {
    state_dict_deterministic(false, false)
}

#[test]
fn test_state_dict_deterministic_is_named_optim0_true_is_named_optim1_false() -> Outcome {
    state_dict_deterministic(true, false)
}

#[test]
fn test_state_dict_deterministic_is_named_optim0_false_is_named_optim1_true() -> Outcome {
    state_dict_deterministic(false, true)
}

#[test]
fn test_state_dict_deterministic_is_named_optim0_true_is_named_optim1_true() -> Outcome {
    state_dict_deterministic(true, true)
}

/// Dicts of older versions of torch lack newer flags; torch's own test takes a convolution, this one two linear
/// layers.
#[test]
fn test_can_load_older_state_dict() -> Outcome {
    zoo::for_each(|configuration| {
        // A dict without the flag says that it does not maximize.
        if configuration.maximizes() {
            return Ok(());
        }
        let net = Net::new();
        let optimizer = net.optimizer(configuration, false)?;
        step(&*optimizer, || net.loss())?;
        let mut older = optimizer.state_dict();
        for flag in ["maximize", "foreach", "fused", "differentiable", "capturable"] {
            older["param_groups"][0].as_dict_mut().map(|group| group.remove(flag));
        }
        let twin = Net::new();
        twin.tensors().iter().zip(net.tensors()).for_each(|(p, q)| p.write_from(&q.to_vec::<f32>()));
        let loaded = twin.optimizer(configuration, false)?;
        loaded.load_state_dict(older)?;
        step(&*optimizer, || net.loss())?;
        step(&*loaded, || twin.loss())?;
        assert_eq!(net.values(), twin.values(), "{configuration}");
        Ok(())
    })
}

#[test]
fn test_can_load_from_to_named_state_dict() -> Outcome {
    let names = ["0.weight", "0.bias", "1.weight", "1.bias"].map(String::from).to_vec();
    for (named, loaded_named) in [(false, false), (false, true), (true, false), (true, true)] {
        zoo::for_each(|configuration| {
            let net = Net::new();
            let optimizer = net.optimizer(configuration, named)?;
            for _ in 0..2 {
                step(&*optimizer, || net.loss())?;
            }
            let loaded = net.optimizer(configuration, loaded_named)?;
            loaded.load_state_dict(optimizer.state_dict())?;
            for _ in 0..2 {
                step(&*loaded, || net.loss())?;
            }
            let expected = (named || loaded_named).then(|| names.clone());
            assert_eq!(loaded.param_groups()[0].names(), expected, "{configuration}");
            let saved = loaded.state_dict();
            let group = &saved["param_groups"][0];
            assert_eq!(group.get("param_names").cloned(), expected.map(Value::from), "{configuration}");
            Ok(())
        })?;
    }
    Ok(())
}

/// Saved and loaded: what was loaded is what was saved. The file is stood in for by a deep copy of the tree,
/// which is what any format has to give back.
#[test]
fn test_save_load_equality_with_weights_only() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(22);
        let optimizer = configuration.over(problem.params())?;
        for _ in 0..3 {
            problem.step(&*optimizer)?;
        }
        let saved = optimizer.state_dict();
        let read = saved.deep_copy();
        problem.step(&*optimizer)?;
        assert_eq!(saved, read, "{configuration}");
        let loaded = configuration.over(problem.params())?;
        loaded.load_state_dict(read)?;
        assert_eq!(loaded.state_dict(), saved, "{configuration}");
        Ok(())
    })
}

/// Dicts of older versions of torch count steps in numbers, not in tensors.
#[test]
fn test_load_nontensor_step() -> Outcome {
    zoo::for_each(|configuration| {
        let mut generator = Generator::new(23);
        let params: Vec<Tensor> =
            (0..2).map(|_| Tensor::randn_with(&mut generator, [2, 3], DType::F32).requires_grad_(true)).collect();
        let copies: Vec<Tensor> = params.iter().map(|p| p.detach().copy().requires_grad_(true)).collect();
        let gradients: Vec<Tensor> = params.iter().map(|p| p.rand_like_with(&mut generator)).collect();
        let loss = Tensor::rand_with(&mut generator, [1], DType::F32);
        let steps = |optimizer: &dyn Optimizer, params: &[Tensor], count: usize| {
            params.iter().zip(&gradients).for_each(|(p, g)| p.set_grad(Some(g.copy())));
            (0..count).try_for_each(|_| optimizer.step_closure(&mut || Ok(loss.clone())).map(drop))
        };
        let optimizer = configuration.over(&params)?;
        let other = configuration.over(&copies)?;
        steps(&*optimizer, &params, 3)?;
        steps(&*other, &copies, 3)?;
        let mut saved = other.state_dict();
        for (_, state) in saved["state"].as_dict_mut().into_iter().flat_map(Dict::iter_mut) {
            if let Some(Value::Tensor(count)) = state.get("step") {
                state["step"] = count.item().into();
            }
        }
        other.load_state_dict(saved)?;
        steps(&*optimizer, &params, 1)?;
        steps(&*other, &copies, 1)?;
        for (p, q) in params.iter().zip(&copies) {
            assert_eq!(p.to_vec::<f32>(), q.to_vec::<f32>(), "{configuration}");
        }
        Ok(())
    })
}
