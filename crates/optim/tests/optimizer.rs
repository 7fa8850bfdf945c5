//! The rules of torch's optimizer base class: what can be optimized, groups, gradients, printing.

mod common;

use checkpoint::Value;
use common::Outcome;
use optim::{Error, Lbfgs, Optimizer, Param, ParamGroup, Sgd};
use tape::{DType, Tensor};

fn tensors() -> [Tensor; 3] {
    [Tensor::from([1.0]), Tensor::from([2.0]), Tensor::from([3.0])]
}

#[test]
fn every_collection_of_tensors_will_do() -> Outcome {
    let [a, b, _] = tensors();
    let all = vec![a.clone(), b.clone()];
    let named = vec![("a".to_string(), a.clone()), ("b".to_string(), b.clone())];
    let built = [
        Sgd::builder([&a, &b]).build()?,
        Sgd::builder([a.clone(), b.clone()]).build()?,
        Sgd::builder(&all).build()?,
        Sgd::builder(&all[..]).build()?,
        Sgd::builder(all.iter().filter(|t| t.numel() == 1)).build()?,
        Sgd::builder(all).build()?,
        Sgd::builder([("a", &a), ("b", &b)]).build()?,
        Sgd::builder(&named).build()?,
        Sgd::builder(named).build()?,
        Sgd::builder([ParamGroup::new([&a, &b])]).build()?,
        Sgd::builder(vec![ParamGroup::new([("a", &a)]), ParamGroup::new([("b", &b)])]).build()?,
    ];
    for sgd in built {
        let params: Vec<Tensor> = sgd.param_groups().iter().flat_map(|g| g.params().to_vec()).collect();
        assert!(params.len() == 2 && params[0].same(&a) && params[1].same(&b));
    }
    Ok(())
}

#[test]
fn what_torch_refuses_is_refused_with_its_words() {
    let [a, b, c] = tensors();
    let group = |t: &Tensor| ParamGroup::new([t]);
    let refused: [(Result<Sgd, Error>, &str); 8] = [
        (Sgd::builder(Vec::<Tensor>::new()).build(), "optimizer got an empty parameter list"),
        (Sgd::builder(Vec::<Tensor>::new()).lr(-1).build(), "Invalid learning rate: -1"),
        (Sgd::builder([&a]).lr(-0.5).build(), "Invalid learning rate: -0.5"),
        (Sgd::builder([&a]).lr(Tensor::from([1.0, 2.0])).build(), "Tensor lr must be 1-element"),
        (
            Sgd::builder([Param::from(("a", &a)), Param::from(&b)]).build(),
            "all optimizer params should be with/without names. Some param names are missing",
        ),
        (Sgd::builder([group(&a), group(&a)]).build(), "some parameters appear in more than one parameter group"),
        (
            Sgd::builder([group(&a), ParamGroup::new([("b", &b)])]).build(),
            "all optimizer param groups should be with/without names. cannot add param group with names",
        ),
        (
            Sgd::builder([Param::from(group(&a)), Param::from(&c)]).build(),
            "param_group must be a dict, but got <class 'torch.Tensor'>",
        ),
    ];
    for (outcome, text) in refused {
        let error = outcome.unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    let lbfgs: [(Result<Lbfgs, Error>, &str); 4] = [
        (Lbfgs::builder([&a]).lr(f64::NAN).build(), "Invalid learning rate: nan"),
        (Lbfgs::builder([&a]).history_size(0).build(), "Invalid history_size: 0"),
        (Lbfgs::builder([ParamGroup::new([&a]).with("history_size", 0)]).build(), "Invalid history_size: 0"),
        (Lbfgs::builder([&Tensor::from([1_i64])]).build(), "only floating-point Tensors"),
    ];
    for (outcome, text) in lbfgs {
        let error = outcome.unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn names_are_checked_before_overlaps_and_failures_add_nothing() -> Outcome {
    let [a, b, _] = tensors();
    let sgd = Sgd::builder([("a", &a)]).build()?;
    let unnamed = sgd.add_param_group(ParamGroup::new([&a])).unwrap_err();
    assert!(unnamed.to_string().contains("without names"), "{unnamed}");
    let twice = sgd.add_param_group(ParamGroup::new([("a2", &a)])).unwrap_err();
    assert!(matches!(twice, Error::ParameterInTwoGroups), "{twice}");
    assert_eq!(sgd.param_groups().len(), 1);
    sgd.add_param_group(ParamGroup::new([("b", &b)]).with("lr", 0.5))?;
    let sd = sgd.state_dict();
    assert_eq!(sd["param_groups"][1]["lr"], Value::Float(0.5));
    assert_eq!(sd["param_groups"][1]["param_names"], Value::from(["b"]));
    let keys: Vec<String> = sgd.param_groups()[1].keys();
    assert_eq!(keys[..3], ["lr", "param_names", "momentum"]);
    Ok(())
}

#[test]
fn duplicates_in_a_group_warn_and_pack_as_in_torch() -> Outcome {
    let [p, q, r] = tensors();
    let sgd = Sgd::builder([&p, &q, &p]).build()?;
    assert!(sgd.warnings()[0].starts_with("optimizer contains a parameter group with duplicate parameters"));
    sgd.add_param_group(ParamGroup::new([&r]))?;
    let sd = sgd.state_dict();
    assert_eq!(sd["param_groups"][0]["params"], Value::from([2, 1, 2]));
    assert_eq!(sd["param_groups"][1]["params"], Value::from([3]));
    assert!(Sgd::builder([&p, &q]).build()?.warnings().is_empty());
    Ok(())
}

#[test]
fn named_and_unnamed_dicts_load_into_each_other() -> Outcome {
    let [a, b, _] = tensors();
    let named = Sgd::builder([("a", &a), ("b", &b)]).lr(0.5).build()?;
    let unnamed = Sgd::builder([&a, &b]).lr(0.25).build()?;
    let renamed = Sgd::builder([("x", &a), ("y", &b)]).build()?;
    let names = |sgd: &Sgd| sgd.param_groups()[0].names();
    let both = |x: &str, y: &str| Some(vec![x.to_string(), y.to_string()]);
    renamed.load_state_dict(unnamed.state_dict())?;
    assert_eq!((names(&renamed), renamed.param_groups()[0].lr()), (both("x", "y"), 0.25));
    renamed.load_state_dict(named.state_dict())?;
    assert_eq!((names(&renamed), renamed.param_groups()[0].lr()), (both("a", "b"), 0.5));
    unnamed.load_state_dict(named.state_dict())?;
    assert_eq!(names(&unnamed), both("a", "b"));
    Ok(())
}

#[test]
fn a_tensor_learning_rate_stays_the_same_tensor() -> Outcome {
    let [a, ..] = tensors();
    let lr = Tensor::from(0.5);
    let sgd = Sgd::builder([&a]).lr(&lr).build()?;
    sgd.param_groups()[0].set_lr(0.25);
    assert_eq!((lr.item(), sgd.param_groups()[0].lr()), (0.25, 0.25));
    a.set_grad(Some(Tensor::from([1.0])));
    sgd.step()?;
    assert_eq!(a.to_vec::<f64>(), [0.75]);
    Ok(())
}

#[test]
fn optimizers_print_as_in_torch() -> Outcome {
    let lbfgs = Lbfgs::builder([&Tensor::zeros([2], DType::F32)]).build()?;
    let expected = "LBFGS (\nParameter Group 0\n    history_size: 100\n    line_search_fn: None\n    lr: 1\n\
                    \x20   max_eval: 25\n    max_iter: 20\n    tolerance_change: 1e-09\n    \
                    tolerance_grad: 1e-07\n)";
    assert_eq!(lbfgs.to_string(), expected);
    Ok(())
}
