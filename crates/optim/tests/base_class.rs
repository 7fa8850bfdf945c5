//! torch's class `Optimizer`, part by part: groups, gradients, printing; and for each thing that Python's shared
//! dicts make visible and Rust's values do not, what is promised instead. Loading is in `loading.rs`.

mod common;

use checkpoint::{Dict, Value};
use common::Outcome;
use common::zoo::{self, Affine};
use optim::{Error, Lbfgs, Loaded, Optimizer, OptimizerBase, ParamGroup, Sgd};
use std::cell::Cell;
use std::sync::Arc;
use tape::{BackwardOptions, DType, Tensor, is_grad_enabled, no_grad};

fn leaf(value: f64) -> Tensor {
    Tensor::from([value]).requires_grad_(true)
}

/// A group is a handle like torch's dict: what the optimizer fills in is seen outside, and the reverse.
#[test]
fn an_added_group_is_the_one_that_was_passed() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let sgd = Sgd::builder([&p]).lr(0.5).build()?;
    let group = ParamGroup::new([&q]).with("momentum", 0.25);
    assert_eq!(group.keys(), ["momentum"]);
    sgd.add_param_group(group.clone())?;
    assert_eq!(group.lr(), 0.5);
    group.set_lr(0.125);
    assert_eq!(sgd.param_groups()[1].lr(), 0.125);
    q.set_grad(Some(Tensor::from([8.0])));
    sgd.step()?;
    assert_eq!((q.item(), p.item()), (1.0, 1.0));
    Ok(())
}

#[test]
fn a_refused_group_has_its_defaults_and_the_optimizer_has_not_the_group() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let sgd = Sgd::builder([&p]).lr(0.5).build()?;
    let group = ParamGroup::new([&q, &q, &p]);
    assert!(matches!(sgd.add_param_group(group.clone()), Err(Error::ParameterInTwoGroups)));
    assert_eq!((group.lr(), sgd.param_groups().len()), (0.5, 1));
    assert_eq!(sgd.warnings().len(), 1, "torch warns of the parameter that is there twice before it raises");
    let computed = ParamGroup::new([&(&q * 2.0)]);
    assert!(matches!(sgd.add_param_group(computed.clone()), Err(Error::NonLeaf { index: 0 })));
    assert!(computed.keys().is_empty());
    Ok(())
}

#[test]
fn names_are_checked_before_what_the_elements_are() {
    let [p, q] = [1.0, 2.0].map(leaf);
    let computed = &q * 2.0;
    let params = || vec![optim::Param::from(("p", &p)), optim::Param::from(ParamGroup::new([&q]))];
    assert!(matches!(Sgd::builder(params()).build(), Err(Error::NamesMissing)));
    let params = vec![optim::Param::from(("p", &p)), optim::Param::from(&computed)];
    assert!(matches!(Sgd::builder(params).build(), Err(Error::NamesMissing)));
    let params = vec![optim::Param::from(&computed), optim::Param::from(ParamGroup::new([&q]))];
    assert!(matches!(Sgd::builder(params).build(), Err(Error::NotATensor)));
}

/// An optimizer that only holds what the base class holds.
struct Bare(OptimizerBase);

impl Optimizer for Bare {
    fn base(&self) -> &OptimizerBase {
        &self.0
    }

    fn step_body(&self, closure: Option<&mut optim::Closure<'_>>) -> optim::Result<Option<Tensor>> {
        Ok(closure.map(optim::evaluate).transpose()?.map(|(loss, _)| loss))
    }

    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        Vec::new()
    }

    fn load_state(&self, _: &mut Loaded) -> optim::Result<()> {
        Ok(())
    }
}

#[test]
fn required_options_have_to_be_in_every_group() -> Outcome {
    let [p, q, r] = [1.0, 2.0, 3.0].map(leaf);
    let defaults = || Dict::from_iter([("momentum", 0.5)]);
    let group = ParamGroup::new([&p]).with("lr", 0.1).with("rho", 0.9);
    let base = OptimizerBase::with_required("Mine", [group], &["lr", "rho"], defaults())?;
    assert_eq!(base.to_string(), "Mine (\nParameter Group 0\n    lr: 0.1\n    momentum: 0.5\n    rho: 0.9\n)");
    for optimizer in [Bare(base.clone()), Bare(base)] {
        let refused = optimizer.add_param_group(ParamGroup::new([&q]).with("lr", 0.1)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter group didn't specify a value of required optimization parameter rho"
        );
        optimizer.add_param_group(ParamGroup::new([&r]).with("lr", 0.1).with("rho", 0.5))?;
    }
    Ok(())
}

/// torch lets an optimizer that is itself differentiated take computed parameters.
#[test]
fn a_differentiable_optimizer_takes_computed_parameters() -> Outcome {
    let computed = leaf(1.0) * 2.0;
    let with = |flag: bool| OptimizerBase::new("Mine", [&computed], Dict::from_iter([("differentiable", flag)]));
    assert!(matches!(with(false), Err(Error::NonLeaf { index: 0 })));
    with(true)?;
    Ok(())
}

#[test]
fn printing_shows_all_options_sorted_and_groups_apart() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let defaults = Dict::from_iter([
        ("lr", Value::from(1e-3)),
        ("betas", (0.9, 0.999).into()),
        ("amsgrad", false.into()),
        ("foreach", Value::None),
    ]);
    let first = ParamGroup::new([("net.weight", &p)]);
    let second = ParamGroup::new([("net.bias", &q)]).with("lr", Tensor::from(0.5_f32)).with("initial_lr", 0.25);
    let mine = Bare(OptimizerBase::new("Mine", [first, second], defaults)?);
    let expected = "\
Mine (
Parameter Group 0
    amsgrad: False
    betas: (0.9, 0.999)
    foreach: None
    lr: 0.001
    param_names: ['net.weight']

Parameter Group 1
    amsgrad: False
    betas: (0.9, 0.999)
    foreach: None
    initial_lr: 0.25
    lr: 0.5
    param_names: ['net.bias']
)";
    assert_eq!(mine.base().to_string(), expected, "a tensor of no dimensions prints as its number");
    mine.param_groups()[0].set("lr", Tensor::from([0.5_f32]));
    mine.param_groups()[1].set("lr", Tensor::from(0.1_f32));
    mine.param_groups()[1].set("initial_lr", Tensor::from(1_i64));
    let printed = mine.base().to_string();
    for line in ["lr: tensor([0.5000])", "lr: 0.10000000149011612", "initial_lr: 1"] {
        assert!(printed.contains(&format!("\n    {line}\n")), "{printed}");
    }
    Ok(())
}

#[test]
fn a_clone_shares_parameters_and_nothing_else() -> Outcome {
    let [p, q, r] = [1.0, 2.0, 3.0].map(leaf);
    let lr = Tensor::from(0.5);
    let sgd = Sgd::builder([&p]).lr(&lr).build()?;
    sgd.base().insert_state("mine", Tensor::from([1.0]));
    let (copy, before) = (sgd.clone(), sgd.state_dict());
    copy.set_lr(0.25)?;
    copy.add_param_group(ParamGroup::new([&q]))?;
    copy.base().insert_state("mine", 2);
    assert_eq!((sgd.state_dict(), lr.item()), (before, 0.5));
    sgd.set_lr(0.125)?;
    copy.add_param_group(ParamGroup::new([&r]))?;
    let lrs: Vec<f64> = copy.param_groups().iter().map(ParamGroup::lr).collect();
    assert_eq!(lrs, [0.25, 0.5, 0.5], "defaults are copied too");
    assert!(copy.param_groups()[0].params()[0].same(&p));
    Ok(())
}

/// The shape of the dict in torch's documentation of `state_dict`.
#[test]
fn a_state_dict_looks_as_documented() -> Outcome {
    let [p, q, r, s] = [1.0, 2.0, 3.0, 4.0].map(leaf);
    let rest = ParamGroup::new([("param1", &q), ("layer.weight", &r), ("layer.bias", &s)]);
    let sgd = Sgd::builder([
        ParamGroup::new([("param0", &p)]).with("lr", 0.01),
        rest.with("lr", 0.001).with("weight_decay", 0.5),
    ])
    .momentum(0.9)
    .build()?;
    (&p + &q + &r + &s).sum().backward()?;
    sgd.step()?;
    let sd = sgd.state_dict();
    assert_eq!(Value::from_iter(sd.keys().map(ToString::to_string)), Value::from(["'state'", "'param_groups'"]));
    assert_eq!(sd["state"].len(), 4);
    assert!((0..4).all(|id| sd["state"][id]["momentum_buffer"].as_tensor().is_some()));
    let groups = &sd["param_groups"];
    let entries = |i: usize| ["lr", "weight_decay", "params", "param_names"].map(|key| groups[i][key].to_string());
    assert_eq!(entries(0)[2..], ["[0]", "['param0']"]);
    assert_eq!(entries(1), ["0.001", "0.5", "[1, 2, 3]", "['param1', 'layer.weight', 'layer.bias']"]);
    assert_eq!(groups[1].keys().last().map(ToString::to_string), Some("'params'".into()), "the ids come last");
    Ok(())
}

/// torch's dict goes on changing with the optimizer; this one is what the optimizer was.
#[test]
fn a_state_dict_is_a_snapshot() -> Outcome {
    zoo::for_each(|configuration| {
        let problem = Affine::new(41);
        let optimizer = configuration.over(problem.params())?;
        problem.step(&*optimizer)?;
        optimizer.base().insert_state("mine", Tensor::from([1.0]));
        let (saved, copy) = (optimizer.state_dict(), optimizer.state_dict().deep_copy());
        problem.step(&*optimizer)?;
        optimizer.set_lr(0.25)?;
        if let Some(Value::Tensor(mine)) = optimizer.base().state("mine") {
            mine.write_from(&[2.0]);
        }
        assert_eq!(saved, copy, "{configuration}");
        assert_ne!(saved, optimizer.state_dict(), "{configuration}");
        Ok(())
    })
}

#[test]
fn a_first_order_closure_runs_once_with_gradients_enabled() -> Outcome {
    for class in zoo::first_order() {
        let problem = Affine::new(42);
        let optimizer = class.over(&problem.params())?;
        let calls = Cell::new(0);
        let given = Tensor::from(3.0);
        let returned = no_grad(|| {
            optimizer.step_closure(&mut || {
                calls.set(calls.get() + 1);
                assert!(is_grad_enabled());
                problem.loss().backward()?;
                Ok(given.clone())
            })
        })?;
        assert!(returned.same(&given), "{}", class.name);
        assert_eq!(calls.get(), 1, "{}", class.name);
        optimizer.step_without_closure()?;
    }
    Ok(())
}

/// No gradient: no move and no state. A gradient of zeros: a step, with what belongs to it.
#[test]
fn a_missing_gradient_is_no_step_and_one_of_zeros_is() -> Outcome {
    for class in zoo::first_order() {
        let (p, q) = (Tensor::from([1.0_f32]), Tensor::from([1.0_f32]));
        let groups = [&p, &q].map(|p| ParamGroup::new([p]).with("weight_decay", 0.5).with("momentum", 0.5));
        let optimizer = (class.build)(groups.iter().map(optim::Param::from).collect(), Some(0.5.into()))?;
        let eager = optimizer.param_state(&p).is_some();
        q.set_grad(Some(q.zeros_like()));
        optimizer.step_without_closure()?;
        assert_eq!(p.item(), 1.0, "{}", class.name);
        assert_eq!(optimizer.param_state(&p).is_some(), eager, "{}", class.name);
        assert!(optimizer.param_state(&q).is_some(), "{}", class.name);
        // Resilient propagation has no weight decay.
        assert_eq!(q.item() < 1.0, class.name != "Rprop", "{}", class.name);
    }
    Ok(())
}

#[test]
fn zero_grad_drops_gradients_and_leaves_the_tensors_alone() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let lbfgs = Lbfgs::builder([&p, &q]).build()?;
    (&p * 3.0).sum().backward()?;
    let held = p.grad().expect("just computed");
    lbfgs.zero_grad();
    assert!(p.grad().is_none() && q.grad().is_none());
    assert_eq!(held.item(), 3.0);
    // What the next backward pass does not reach is known to have no gradient.
    (&q * 2.0).sum().backward()?;
    assert!(p.grad().is_none() && q.grad().is_some_and(|g| g.item() == 2.0));
    Ok(())
}

#[test]
fn zero_grad_to_zero_keeps_the_tensors_and_their_absence() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let sgd = Sgd::builder([&p, &q]).build()?;
    let gradient = Tensor::from([3.0]).requires_grad_(true);
    p.set_grad(Some(gradient.clone()));
    sgd.zero_grad_set_to_none(false);
    let kept = p.grad().expect("it is kept");
    assert!(kept.same(&gradient) && !gradient.requires_grad() && gradient.item() == 0.0);
    assert!(q.grad().is_none());
    // The next backward pass adds to the same tensor.
    (&p * 5.0).sum().backward()?;
    assert_eq!(gradient.item(), 5.0);
    Ok(())
}

/// torch detaches such a gradient in place; here the parameter gets a detached tensor over the same memory.
#[test]
fn zero_grad_to_zero_takes_the_history_of_a_gradient_with_one() -> Outcome {
    let token = Arc::new(());
    {
        let p = leaf(2.0);
        let held = Arc::clone(&token);
        p.register_hook(move |_| {
            assert!(Arc::strong_count(&held) > 0);
            None
        });
        let sgd = Sgd::builder([&p]).build()?;
        p.pow(3.0).sum().backward_with(BackwardOptions::new().create_graph(true))?;
        let gradient = p.grad().expect("just computed");
        assert!(!gradient.is_leaf() && gradient.item() == 12.0);
        sgd.zero_grad_set_to_none(false);
        let zero = p.grad().expect("it is kept");
        assert!(zero.is_leaf() && !zero.requires_grad());
        assert_eq!((zero.item(), gradient.item()), (0.0, 0.0), "the memory is the same");
    }
    assert_eq!(Arc::strong_count(&token), 1, "nothing keeps the parameter and its graph alive");
    Ok(())
}

/// A gradient that repeats one element is cleared like any other.
#[test]
fn zero_grad_to_zero_takes_expanded_gradients() -> Outcome {
    let p = Tensor::zeros([3], DType::F64).requires_grad_(true);
    let sgd = Sgd::builder([&p]).build()?;
    p.set_grad(Some(Tensor::from([7.0]).expand([3])));
    sgd.zero_grad_set_to_none(false);
    assert_eq!(p.grad().map(|g| g.to_vec::<f64>()), Some(vec![0.0; 3]));
    Ok(())
}

#[test]
fn a_repeated_parameter_is_warned_of_once_per_group() -> Outcome {
    let [p, q] = [1.0, 2.0].map(leaf);
    let sgd = Sgd::builder([&p, &p, &p]).build()?;
    sgd.add_param_group(ParamGroup::new([&q, &q]))?;
    assert_eq!(sgd.warnings().len(), 2);
    // Both copies of the parameter are stepped, as torch's loop does.
    p.set_grad(Some(Tensor::from([1.0])));
    sgd.set_lr(0.25)?;
    sgd.step()?;
    assert_eq!(p.item(), 0.25);
    Ok(())
}
