//! What torch 2.8.0's optimizers refuse, in which words, and what they leave behind: `tests/golden/optim/errors.json`,
//! written by `errors.py` beside it, whose README describes every case.
//!
//! A case is left out only where the type system has decided it already; the reason stands beside it, and a case
//! that is neither replayed nor left out fails the test.

mod golden;

use golden::{float, integer, list, load, text};
use serde_json::Value as Json;
use wolfe::checkpoint::Dict;
use wolfe::optim::{Error, OptimizerBase, Param};
use wolfe::prelude::*;

type Built = Result<Box<dyn Optimizer>, Error>;

/// An optimizer by torch's name, with all defaults or with this learning rate; `None` for one there is not.
fn build(name: &str, params: Vec<Param>, lr: Option<Value>) -> Option<Built> {
    macro_rules! named {
        ($($class:literal $type:ident),*) => {
            match name {
                $($class => {
                    let builder = $type::builder(params);
                    let builder = match lr {
                        Some(lr) => builder.lr(lr),
                        None => builder,
                    };
                    Some(builder.build().map(|built| Box::new(built) as Box<dyn Optimizer>))
                })*
                _ => None,
            }
        };
    }
    named!(
        "SGD" Sgd, "Adam" Adam, "AdamW" AdamW, "NAdam" NAdam, "RAdam" RAdam, "Adamax" Adamax, "Adagrad" Adagrad,
        "Adadelta" Adadelta, "RMSprop" RmsProp, "Rprop" Rprop, "ASGD" Asgd, "LBFGS" Lbfgs
    )
}

/// How many classes the file has.
const CLASSES: usize = 12;

/// A case as it is written in Rust, or why it cannot be.
type Case<T> = Result<T, &'static str>;

const NOT_ITERABLE: &str = "a tensor, a number or None is not an iterator: does not compile";
const NOT_A_TENSOR: &str = "a list holds tensors only: does not compile";
const NOT_A_GROUP: &str = "a ParamGroup is made of parameters: does not compile";
const NO_SETS: &str = "tensors are no keys of a set: does not compile";
const NO_METHOD: &str = "a builder has no such method: does not compile";

/// Where this library refuses what torch accepts.
const STRICTER: [(&str, &str, &str); 2] = [
    ("LBFGS", "integer_tensor", "only floating-point Tensors can be optimized here"),
    ("LBFGS", "bad_lr_in_group", "Invalid learning rate: -1.0"),
];

fn leaf(len: usize) -> Tensor {
    Tensor::zeros([len], DType::F32).requires_grad_(true)
}

/// The text of a row's error, if torch raised one.
fn raised(file: &Json, row: &Json) -> Option<String> {
    let text = &row["raises"]["text"];
    let shared = text["shared"].as_u64().map(|index| &file["texts"][index as usize]);
    shared.unwrap_or(text).as_str().map(str::to_owned)
}

/// Compares an outcome with a row. Our texts begin with torch's; of a KeyError torch tells the key alone.
fn compare(file: &Json, row: &Json, found: Result<(), Error>, at: &str) {
    match (found, raised(file, row)) {
        (Ok(()), None) => {}
        (Err(error), Some(expected)) => {
            let found = error.to_string();
            let same = match text(&row["raises"]["type"]) {
                "KeyError" => found.contains(&format!("'{expected}'")),
                _ => found.starts_with(&expected),
            };
            assert!(same, "{at}: {found}\ntorch: {expected}");
        }
        (Ok(()), Some(expected)) => panic!("{at} is accepted\ntorch: {expected}"),
        (Err(error), None) => panic!("{at}: {error}\ntorch accepts it"),
    }
}

fn compare_warnings(file: &Json, row: &Json, optimizer: &dyn Optimizer, at: &str) {
    let expected: Vec<&str> = list(row, "warns")
        .iter()
        .map(|warning| text(&file["texts"][warning["text"]["shared"].as_u64().expect("a shared text") as usize]))
        .collect();
    assert_eq!(optimizer.warnings(), expected, "{at}");
}

fn params_of(case: &str) -> Case<Vec<Param>> {
    let [p, q, r] = [2, 3, 4].map(leaf);
    let group = |params: &[&Tensor]| Param::from(ParamGroup::new(params));
    let named_group = |name: &str, p: &Tensor| Param::from(ParamGroup::new([(name, p)]));
    Ok(match case {
        "empty_list" => Vec::new(),
        "empty_generator" => std::iter::empty::<Param>().collect(),
        "group_with_empty_list" => vec![group(&[])],
        "one_tensor_as_group" => vec![group(&[&p])],
        "generator" => [&p, &q].into_iter().map(Param::from).collect(),
        "generator_in_group" => vec![ParamGroup::new([&p, &q].into_iter()).into()],
        "tensor_then_group" => vec![Param::from(&p), group(&[&q])],
        "group_then_tensor" => vec![group(&[&p]), Param::from(&q)],
        "non_leaf" => vec![Param::from(&p * 2.0)],
        "non_leaf_that_retains_grad" => vec![Param::from((&q * 2.0).retain_grad())],
        "no_grad_required" => vec![Param::from(Tensor::zeros([2], DType::F32))],
        "integer_tensor" => vec![Param::from(Tensor::zeros([2], DType::I64))],
        "duplicate_in_group" => vec![Param::from(&p), Param::from(&q), Param::from(&p)],
        "duplicate_in_map_group" => vec![group(&[&p, &p])],
        "duplicate_across_groups" => vec![group(&[&p]), group(&[&q, &p])],
        "duplicate_within_and_across_groups" => vec![group(&[&p, &p]), group(&[&p])],
        "named" => vec![Param::from(("p", &p)), Param::from(("q", &q))],
        "named_first_only" => vec![Param::from(("p", &p)), Param::from(&q)],
        "named_second_only" => vec![Param::from(&p), Param::from(("q", &q))],
        "named_in_group_partly" => vec![ParamGroup::new([Param::from(("p", &p)), Param::from(&q)]).into()],
        "named_group_after_unnamed" => vec![ParamGroup::new([&p]).with("lr", 0.01).into(), named_group("q", &q)],
        "unnamed_group_after_named" => vec![named_group("p", &p), group(&[&q])],
        "named_group_after_unnamed_with_duplicate" => vec![group(&[&p]), named_group("p", &p)],
        "named_same_name_twice" => vec![Param::from(("p", &p)), Param::from(("p", &q))],
        "two_groups" => vec![group(&[&p]), ParamGroup::new([&q, &r]).with("lr", 0.5).into()],
        "unknown_option_in_group" => vec![ParamGroup::new([&p]).with("nonsense", 1).into()],
        "bad_lr_in_group" => vec![ParamGroup::new([&p]).with("lr", -1.0).into()],
        "empty_list_and_bad_lr" => Vec::new(),
        "tensor" | "parameter" | "parameter_f64" | "number" | "none" => return Err(NOT_ITERABLE),
        "set_at_top" | "set_in_group" => return Err(NO_SETS),
        "map_at_top" | "group_without_params" => return Err(NOT_A_GROUP),
        "float_among_tensors" | "string_among_tensors" | "none_among_tensors" | "float_in_group" => {
            return Err(NOT_A_TENSOR);
        }
        "unknown_option" => return Err(NO_METHOD),
        other => panic!("no such case: {other}"),
    })
}

#[test]
fn constructor_params() {
    let file = load("optim/errors.json");
    let mut replayed = 0;
    for row in list(&file, "constructor_params") {
        let (name, case) = (text(&row["optimizer"]), text(&row["case"]));
        let lr = (case == "empty_list_and_bad_lr").then(|| Value::from(-1.0));
        let Ok(params) = params_of(case) else { continue };
        let Some(built) = build(name, params, lr) else { continue };
        let at = format!("{name} {case}");
        replayed += 1;
        if let Some((.., text)) = STRICTER.iter().find(|(n, c, _)| (*n, *c) == (name, case)) {
            assert!(raised(&file, row).is_none(), "{at}: torch refuses it too");
            let error = built.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(text), "{at}: {error}");
            continue;
        }
        if let Ok(optimizer) = &built {
            compare_warnings(&file, row, &**optimizer, &at);
        }
        compare(&file, row, built.map(drop), &at);
    }
    assert_eq!(replayed, CLASSES * 28);
}

#[test]
fn constructor_options_of_lbfgs() {
    let file = load("optim/errors.json");
    let (mut replayed, mut foreign) = (0, Vec::new());
    for row in list(&file, "constructor_options").iter().filter(|row| row["optimizer"] == "LBFGS") {
        let [pair] = list(row, "options") else { panic!("one option a row") };
        let builder = Lbfgs::builder([&leaf(2)]);
        let builder = match text(&pair[0]) {
            "lr" => builder.lr(number(&pair[1])),
            "tolerance_grad" => builder.tolerance_grad(float(&pair[1])),
            // Counts are unsigned, a line search is of an enum.
            other => {
                foreign.push(other);
                continue;
            }
        };
        compare(&file, row, builder.build().map(drop), &pair.to_string());
        replayed += 1;
    }
    assert_eq!((replayed, foreign), (11, vec!["max_iter", "history_size", "line_search_fn"]));
}

/// A learning rate: an int, a float, or a tensor.
fn number(json: &Json) -> Value {
    match json {
        Json::Number(_) => integer(json).into(),
        Json::String(_) => float(json).into(),
        tensor => {
            let values = golden::floats(list(tensor, "values"));
            Tensor::from_vec(values, golden::sizes(&tensor["shape"])).to_dtype(golden::dtype(&tensor["dtype"])).into()
        }
    }
}

/// The parameters of the optimizer, and the group that joins.
fn addition_of(case: &str) -> Case<(Param, ParamGroup)> {
    let (p, q) = (leaf(2), leaf(3));
    let (unnamed, named) = (Param::from(&p), Param::from(("p", &p)));
    Ok(match case {
        "params_tensor" => (unnamed, ParamGroup::new([&q])),
        "params_empty" => (unnamed, ParamGroup::new(Vec::<Tensor>::new())),
        "non_leaf" => (unnamed, ParamGroup::new([&q * 2.0])),
        "duplicate_in_group" => (unnamed, ParamGroup::new([&q, &q])),
        "already_there" => (unnamed, ParamGroup::new([&p])),
        "already_there_and_new" => (unnamed, ParamGroup::new([&q, &p])),
        "named_to_unnamed" => (unnamed, ParamGroup::new([("q", &q)])),
        "unnamed_to_named" => (named, ParamGroup::new([&q])),
        "named_to_named" => (named, ParamGroup::new([("q", &q)])),
        "partly_named" => (named, ParamGroup::new([Param::from(("q", &q)), Param::from(leaf(4))])),
        "already_there_named_to_unnamed" => (unnamed, ParamGroup::new([("p", &p)])),
        "good" => (unnamed, ParamGroup::new([&q]).with("lr", 0.5)),
        "list" | "tensor" | "no_params" => return Err(NOT_A_GROUP),
        "params_none" => return Err(NOT_ITERABLE),
        "params_set" => return Err(NO_SETS),
        "params_float" => return Err(NOT_A_TENSOR),
        other => panic!("no such case: {other}"),
    })
}

/// One step in which every parameter has a gradient of ones.
fn all_step(optimizer: &dyn Optimizer) -> Result<(), Error> {
    for p in optimizer.param_groups().iter().flat_map(|group| group.params().to_vec()) {
        p.set_grad(Some(p.ones_like()));
    }
    optimizer.step_closure(&mut || Ok(Tensor::from(1.0f32))).map(drop)
}

#[test]
fn add_param_group() {
    let file = load("optim/errors.json");
    let mut replayed = 0;
    for row in list(&file, "add_param_group") {
        let (name, case) = (text(&row["optimizer"]), text(&row["case"]));
        let Ok((param, group)) = addition_of(case) else { continue };
        let Some(built) = build(name, vec![param], None) else { continue };
        let (optimizer, at) = (built.expect("one good parameter"), format!("{name} {case}"));
        let outcome = optimizer.add_param_group(group.clone());
        assert_eq!(optimizer.param_groups().len(), integer(&row["groups_after"]) as usize, "{at}");
        compare_warnings(&file, row, &*optimizer, &at);
        if outcome.is_ok() {
            group.set("mine", 1);
            assert!(optimizer.param_groups()[1].get("mine").is_some(), "{at}: the group joins as it is");
        }
        compare(&file, row, outcome, &at);
        if case == "good" {
            compare(&file, &row["next_step"], all_step(&*optimizer), &format!("{at}: next step"));
        }
        replayed += 1;
    }
    assert_eq!(replayed, CLASSES * 12);
}

/// Edits a state dict as `errors.py` does under the same name.
fn edit(case: &str, state_dict: &mut Value) {
    let mut remove = |path: &[&str]| {
        let (last, rest) = path.split_last().expect("a key");
        let inside = rest.iter().fold(&mut *state_dict, |value, key| match key.parse::<usize>() {
            Ok(index) => &mut value[index],
            Err(_) => &mut value[*key],
        });
        inside.as_dict_mut().expect("a dict").remove(*last).expect("it was there");
    };
    match case {
        "unedited" => {}
        "no_param_groups" => remove(&["param_groups"]),
        "no_state" => remove(&["state"]),
        "no_params_in_group" => remove(&["param_groups", "0", "params"]),
        "group_without_lr" => remove(&["param_groups", "0", "lr"]),
        "another_group" => {
            let groups = state_dict["param_groups"].as_list_mut().expect("a list");
            let mut another = groups[0].clone();
            another["params"] = [2].into();
            groups.push(another);
        }
        "no_groups" => state_dict["param_groups"] = Value::list(),
        "one_parameter_too_few" => state_dict["param_groups"][0]["params"] = [0].into(),
        "one_parameter_too_many" => state_dict["param_groups"][0]["params"] = [0, 1, 2].into(),
        "group_with_unknown_key" => state_dict["param_groups"][0]["nonsense"] = 1.into(),
        "state_of_unknown_id" => state_dict["state"][99] = Dict::from_iter([("step", 1)]).into(),
        "empty_state" => state_dict["state"] = Value::dict(),
        other => panic!("no such case: {other}"),
    }
}

#[test]
fn load_state_dict() {
    let file = load("optim/errors.json");
    let mut replayed = 0;
    for row in list(&file, "load_state_dict") {
        let (name, case) = (text(&row["optimizer"]), text(&row["case"]));
        let fresh = || build(name, vec![Param::from(leaf(2)), Param::from(leaf(3))], None);
        let (Some(stepped), Some(optimizer)) = (fresh(), fresh()) else { continue };
        let (stepped, optimizer) = (stepped.expect("good parameters"), optimizer.expect("good parameters"));
        let at = format!("{name} {case}");
        all_step(&*stepped).expect("a first step succeeds");
        let mut edited = stepped.state_dict();
        edit(case, &mut edited);
        let before = optimizer.state_dict();
        let outcome = optimizer.load_state_dict(edited);
        if outcome.is_err() {
            assert_eq!(row["optimizer_unchanged"], Json::Bool(true));
            assert_eq!(optimizer.state_dict(), before, "{at}");
        } else {
            compare(&file, &row["next_step"], all_step(&*optimizer), &format!("{at}: next step"));
        }
        compare(&file, row, outcome, &at);
        replayed += 1;
    }
    assert_eq!(replayed, CLASSES * 12);
}

#[test]
fn stepping() {
    let file = load("optim/errors.json");
    let mut replayed = Vec::new();
    for row in list(&file, "stepping") {
        let lbfgs = || Lbfgs::builder([&leaf(2)]).build().expect("one good parameter");
        let outcome = match text(&row["case"]) {
            "step_pre_hook_returns_none" => {
                let sgd = Sgd::builder([&leaf(2)]).build().expect("one good parameter");
                sgd.register_step_pre_hook(|_, _| Ok(()));
                sgd.step()
            }
            "required_option_missing" => {
                OptimizerBase::with_required("Optimizer", [&leaf(2)], &["lr"], Dict::new()).map(drop)
            }
            "step_without_closure" => lbfgs().step_without_closure(),
            "step_after_add_param_group" => {
                let optimizer = lbfgs();
                optimizer.add_param_group(ParamGroup::new([&leaf(2)])).expect("adding succeeds");
                optimizer.step(|| Ok(Tensor::from(1.0f32))).map(drop)
            }
            // Gradients are dense; hooks change the arguments in place and return nothing else; an optimizer has a
            // step; a closure is never None.
            "sparse_gradient"
            | "step_pre_hook_returns_number"
            | "step_pre_hook_returns_one_tuple"
            | "step_pre_hook_returns_list"
            | "base_step"
            | "step_with_none" => continue,
            other => panic!("no such case: {other}"),
        };
        compare(&file, row, outcome, text(&row["case"]));
        replayed.push(text(&row["case"]));
    }
    assert_eq!(replayed.len(), 4, "{replayed:?}");
}

#[test]
fn repr_of_lbfgs() {
    let file = load("optim/errors.json");
    let row = list(&file, "reprs").iter().find(|row| row["optimizer"] == "LBFGS").expect("it is there");
    let optimizer = Lbfgs::builder([ParamGroup::new([&leaf(2)])]).build().expect("one good parameter");
    assert_eq!(optimizer.to_string(), text(&row["repr"]));
    let keys: Vec<&str> = list(row, "keys")[0].as_array().expect("a list").iter().map(text).collect();
    assert_eq!(optimizer.param_groups()[0].keys(), keys[1..]);
    let defaults = optimizer.base().defaults();
    assert_eq!(defaults.len(), list(row, "defaults").len());
    for (pair, (key, value)) in list(row, "defaults").iter().zip(defaults.iter()) {
        let expected = match &pair[1] {
            Json::Null => Value::None,
            plain => number(plain),
        };
        assert_eq!((key.as_str(), value), (Some(text(&pair[0])), &expected));
    }
}
