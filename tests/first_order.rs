//! First-order optimizers beside torch 2.8.0: every parameter, every state, every group, to the last bit.
//!
//! `tests/golden/optim/optimizers.py` wrote the trajectories, `errors.py` the refusals; the README beside them
//! describes the formats.

mod golden;

use golden::{dtype, float, floats, integer, list, load, sizes, text};
use serde_json::Value as Json;
use std::fmt::Display;
use wolfe::checkpoint::{Dict, Key};
use wolfe::optim::{Error, Param};
use wolfe::prelude::*;

/// A Python value as the golden files write it.
fn value(json: &Json) -> Value {
    let items = |key| list(json, key).iter().map(value).collect::<Vec<_>>();
    match json {
        Json::Null => Value::None,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(_) => integer(json).into(),
        Json::String(_) => float(json).into(),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(map) if map.contains_key("tuple") => Value::Tuple(items("tuple")),
        Json::Object(map) if map.contains_key("values") => tensor(json).into(),
        Json::Object(_) => text(&json["str"]).into(),
    }
}

/// A tensor as the golden files write it.
fn tensor(json: &Json) -> Tensor {
    numbers(&floats(list(json, "values")), &sizes(&json["shape"]), dtype(&json["dtype"]))
}

fn numbers(values: &[f64], shape: &[usize], dtype: DType) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape).to_dtype(dtype)
}

/// Pairs of a name and a value, in order.
fn pairs(json: &Json) -> Vec<(String, Value)> {
    let pairs = json.as_array().map_or(&[][..], Vec::as_slice);
    pairs.iter().map(|pair| (text(&pair[0]).to_owned(), value(&pair[1]))).collect()
}

/// How an option goes into its builder.
macro_rules! set {
    ($builder:ident.$option:ident(rate), $value:ident) => {
        $builder.$option($value.clone())
    };
    ($builder:ident.$option:ident(number), $value:ident) => {
        $builder.$option($value.as_float().ok_or("a number")?)
    };
    ($builder:ident.$option:ident(flag), $value:ident) => {
        $builder.$option($value.as_bool().ok_or("a flag")?)
    };
    ($builder:ident.$option:ident(pair), $value:ident) => {{
        let [Value::Float(first), Value::Float(second)] = $value.as_list().ok_or("a pair")? else {
            return Err("two floats");
        };
        $builder.$option(*first, *second)
    }};
}

/// Builds the optimizer that torch calls `name`; the inner error is the builder's, the outer tells which option
/// cannot be written in Rust.
fn build(
    name: &str,
    params: Vec<Param>,
    options: &[(String, Value)],
) -> Result<Result<Box<dyn Optimizer>, Error>, &'static str> {
    macro_rules! with {
        ($optimizer:ident: $($option:ident $kind:ident),*) => {{
            let mut builder = $optimizer::builder(params);
            for (name, value) in options {
                builder = match name.as_str() {
                    $(stringify!($option) => set!(builder.$option($kind), value),)*
                    _ => return Err("no such option"),
                };
            }
            Ok(builder.build().map(|optimizer| Box::new(optimizer) as Box<dyn Optimizer>))
        }};
    }
    match name {
        "SGD" => {
            with!(Sgd: lr rate, momentum number, dampening number, weight_decay number, nesterov flag, maximize flag)
        }
        "Adam" => with!(Adam: lr rate, betas pair, eps number, weight_decay number, amsgrad flag, maximize flag,
            decoupled_weight_decay flag),
        "AdamW" => {
            with!(AdamW: lr rate, betas pair, eps number, weight_decay number, amsgrad flag, maximize flag)
        }
        "NAdam" => with!(NAdam: lr rate, betas pair, eps number, weight_decay number, momentum_decay number,
            decoupled_weight_decay flag, maximize flag),
        "RAdam" => with!(RAdam: lr rate, betas pair, eps number, weight_decay number,
            decoupled_weight_decay flag, maximize flag),
        "Adamax" => with!(Adamax: lr rate, betas pair, eps number, weight_decay number, maximize flag),
        "Adagrad" => with!(Adagrad: lr rate, lr_decay number, weight_decay number,
            initial_accumulator_value number, eps number, maximize flag),
        "Adadelta" => with!(Adadelta: lr rate, rho number, eps number, weight_decay number, maximize flag),
        "RMSprop" => with!(RmsProp: lr rate, alpha number, eps number, weight_decay number, momentum number,
            centered flag, maximize flag),
        "Rprop" => with!(Rprop: lr rate, etas pair, step_sizes pair, maximize flag),
        "ASGD" => with!(Asgd: lr rate, lambd number, alpha number, t0 number, weight_decay number, maximize flag),
        _ => Err("no such optimizer"),
    }
}

/// Collects what differs.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, equal: bool, what: impl FnOnce() -> String) {
        if !equal {
            self.0.push(what());
        }
    }

    fn same_bits(&mut self, found: &[f64], expected: &[f64], at: impl Display) {
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let equal = found.len() == expected.len() && found.iter().zip(expected).all(same);
        self.unless(equal, || format!("{at}: {found:?}, torch has {expected:?}"));
    }

    fn same_tensor(&mut self, found: &Value, expected: &Tensor, at: impl Display) {
        let Some(found) = found.as_tensor() else { return self.0.push(format!("{at}: {found} is no tensor")) };
        let kinds = [found, expected].map(|t| (t.dtype(), t.sizes().to_vec()));
        self.unless(kinds[0] == kinds[1], || format!("{at}: {kinds:?}"));
        self.same_bits(&doubles(found), &doubles(expected), at);
    }

    #[track_caller]
    fn finish(self, cases: usize) {
        let count = self.0.len();
        let first: Vec<_> = self.0.into_iter().take(20).collect();
        assert!(count == 0, "{count} differences in {cases} cases:\n{}", first.join("\n"));
    }
}

fn doubles(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).to_vec()
}

/// The parameters of a case, in two groups.
struct Run {
    params: Vec<Tensor>,
    optimizer: Box<dyn Optimizer>,
}

impl Run {
    fn new(file: &Json, case: &Json) -> Self {
        let dtype = dtype(&case["dtype"]);
        let starts = list(file, "starts").iter().map(|start| floats(start.as_array().expect("a list")));
        let shapes = list(file, "shapes").iter().map(sizes);
        let params: Vec<Tensor> = starts.zip(shapes).map(|(start, shape)| numbers(&start, &shape, dtype)).collect();
        let second = ParamGroup::new([&params[1]]);
        for (name, value) in pairs(&case["second_group"]) {
            second.set(&name, value);
        }
        let groups = vec![Param::Group(ParamGroup::new([&params[0]])), Param::Group(second)];
        let optimizer = build(text(&case["optimizer"]), groups, &pairs(&case["options"]));
        let optimizer = optimizer.expect("every option exists").expect("every option is in range");
        Self { params, optimizer }
    }

    /// One step with the given gradients, `null` for none.
    fn step(&self, gradients: &Json) {
        for (param, gradient) in self.params.iter().zip(gradients.as_array().expect("one per parameter")) {
            let gradient = gradient.as_array().map(|g| numbers(&floats(g), param.sizes(), param.dtype()));
            param.set_grad(gradient);
        }
        self.optimizer.step_without_closure().expect("a step with good gradients succeeds");
    }
}

#[test]
fn trajectories_states_and_groups_are_torchs_to_the_last_bit() {
    let file = load("optim/optimizers.json.gz");
    let cases = list(&file, "trajectories");
    let mut faults = Faults::default();
    for case in cases {
        let run = Run::new(&file, case);
        let gradients = list(&file["gradients"], text(&case["gradients"]));
        for (index, gradients) in gradients.iter().enumerate() {
            for change in list(case, "changes").iter().filter(|change| integer(&change[0]) == index as i64 + 1) {
                let group = &run.optimizer.param_groups()[integer(&change[1]) as usize];
                group.set(text(&change[2]), value(&change[3]));
            }
            run.step(gradients);
            for (which, param) in run.params.iter().enumerate() {
                let expected = floats(case["params"][index][which].as_array().expect("values"));
                faults.same_bits(
                    &doubles(param),
                    &expected,
                    format_args!("{} step {} parameter {which}", text(&case["name"]), index + 1),
                );
            }
        }
        let saved = run.optimizer.state_dict();
        check_states(&mut faults, case, &saved["state"]);
        check_groups(&mut faults, case, &saved["param_groups"]);
    }
    assert_eq!(cases.len(), 184);
    faults.finish(cases.len());
}

/// Ids, keys, their order, dtypes, shapes and numbers.
fn check_states(faults: &mut Faults, case: &Json, found: &Value) {
    let name = text(&case["name"]);
    let expected = list(case, "state");
    let ids: Vec<i64> = expected.iter().map(|entry| integer(&entry[0])).collect();
    let own: Vec<i64> = found.keys().filter_map(Key::as_int).collect();
    faults.unless(ids == own, || format!("{name}: states of {own:?}, torch has {ids:?}"));
    for (entry, &id) in expected.iter().zip(&ids) {
        let tensors = entry[1].as_array().expect("pairs");
        let keys: Vec<&str> = tensors.iter().map(|pair| text(&pair[0])).collect();
        let state = &found[id];
        let own: Vec<&str> = state.keys().filter_map(Key::as_str).collect();
        faults.unless(keys == own, || format!("{name}: state {id} has {own:?}, torch has {keys:?}"));
        for (key, pair) in keys.iter().zip(tensors) {
            faults.same_tensor(&state[*key], &tensor(&pair[1]), format_args!("{name}: {key} of {id}"));
        }
    }
}

fn check_groups(faults: &mut Faults, case: &Json, found: &Value) {
    let given = pairs(&case["options"]);
    for (index, group) in list(case, "param_groups").iter().enumerate() {
        let mut expected = Dict::new();
        for (key, value) in pairs(group) {
            // Python keeps an int that was given for a float; a builder's numbers are floats.
            let through_builder = given.iter().any(|(name, option)| *name == key && *option == value);
            let number = value.as_int().filter(|_| through_builder).map(|i| i as f64);
            expected.insert(key, number.map_or(value, Value::from));
        }
        let shown = Value::from(expected);
        let own = &found[index];
        // `==` of dicts does not see the order of keys, their text does.
        let equal = *own == shown && own.to_string() == shown.to_string();
        faults.unless(equal, || format!("{}: group {own}, torch has {shown}", text(&case["name"])));
    }
}

type Loss = Box<dyn Fn(&Tensor) -> Tensor>;

/// The start of a problem, and its loss.
fn problem(file: &Json, case: &Json) -> (Tensor, Loss) {
    let numbers_of = |key| {
        let values = floats(list(&file["problems"][text(&case["problem"])], key));
        numbers(&values, &[values.len()], dtype(&case["dtype"]))
    };
    let start = numbers_of("start").requires_grad_(true);
    if text(&case["problem"]) == "rosenbrock" {
        let loss = |p: &Tensor| {
            let (x, y) = (p.i(0), p.i(1));
            (1.0 - &x).pow(2.0) + 100.0 * (&y - x.pow(2.0)).pow(2.0)
        };
        return (start, Box::new(loss));
    }
    let (curvatures, targets) = (numbers_of("curvatures"), numbers_of("targets"));
    (start, Box::new(move |p: &Tensor| (&curvatures * (p - &targets).pow(2.0)).sum()))
}

#[test]
fn runs_with_autograd_are_torchs_to_the_last_bit() {
    let file = load("optim/optimizers.json.gz");
    let cases = list(&file, "autograd");
    let mut faults = Faults::default();
    for case in cases {
        let (param, loss) = problem(&file, case);
        let optimizer = build(text(&case["optimizer"]), vec![Param::from(&param)], &pairs(&case["options"]));
        let optimizer = optimizer.expect("every option exists").expect("every option is in range");
        let steps = list(case, "params").len();
        assert_eq!(steps, 15);
        for step in 0..steps {
            let at = format!("{} step {}", text(&case["name"]), step + 1);
            let mut closure = || {
                optimizer.zero_grad();
                let loss = loss(&param);
                loss.backward()?;
                Ok(loss)
            };
            let found = optimizer.step_closure(&mut closure).expect("a step succeeds");
            let expected = float(&case["losses"][step]);
            if text(&case["problem"]) == "rosenbrock" {
                faults.same_bits(&doubles(&found), &[expected], format_args!("{at}: loss"));
            } else {
                // A sum of four terms, added up in another order.
                let room = 8.0 * param.dtype().eps().expect("a float") * expected.abs();
                faults.unless((found.item() - expected).abs() <= room, || format!("{at}: loss {}", found.item()));
            }
            let expected = floats(case["params"][step].as_array().expect("values"));
            faults.same_bits(&doubles(&param), &expected, at);
        }
    }
    assert_eq!(cases.len(), 44);
    faults.finish(cases.len());
}

#[test]
fn options_out_of_range_are_refused_in_torchs_order_and_words() {
    let file = load("optim/errors.json");
    let (mut replayed, mut foreign) = (0, Vec::new());
    for row in list(&file, "constructor_options").iter().filter(|row| row["optimizer"] != "LBFGS") {
        let options = pairs(&row["options"]);
        let params = vec![Param::from(Tensor::from([1.0f32, 2.0]).requires_grad_(true))];
        let at = format!("{} {options:?}", text(&row["optimizer"]));
        let found = match build(text(&row["optimizer"]), params, &options) {
            Ok(found) => found.err().map(|error| error.to_string()),
            Err(_) => {
                foreign.extend(options.into_iter().last().map(|(name, _)| name));
                continue;
            }
        };
        let mut expected = row["raises"]["text"].as_str().map(str::to_owned);
        // Where torch shows the int it was given a builder shows its float.
        if let [(name, Value::Int(_))] = &options[..]
            && name != "lr"
        {
            expected = expected.map(|text| text + ".0");
        }
        assert_eq!(found, expected, "{at}");
        replayed += 1;
    }
    // Flags of other devices and modes, ints among betas, tuples of one: they cannot be written with a builder.
    foreign.sort();
    foreign.dedup();
    assert_eq!(foreign, ["betas", "decoupled_weight_decay", "differentiable", "foreach", "weight_decay"]);
    assert_eq!(replayed, 266);
}

#[test]
fn optimizers_print_as_in_torch() {
    let file = load("optim/errors.json");
    let mut names = Vec::new();
    for row in list(&file, "reprs").iter().filter(|row| row["optimizer"] != "LBFGS") {
        let name = text(&row["optimizer"]);
        let [p, q] = [0.0f32; 2].map(|x| Tensor::from([x]).requires_grad_(true));
        let second = ParamGroup::new([&q]).with("lr", 0.5).with("initial_lr", 0.25);
        let groups = vec![Param::Group(ParamGroup::new([&p])), Param::Group(second)];
        let optimizer = build(name, groups, &[]).expect("it exists").expect("the defaults are in range");
        assert_eq!(optimizer.base().to_string(), text(&row["repr"]));
        let expected = Value::from(Dict::from_iter(pairs(&row["defaults"])));
        assert_eq!(optimizer.base().defaults().to_string(), expected.to_string());
        for (group, keys) in optimizer.param_groups().iter().zip(list(row, "keys")) {
            let keys: Vec<&str> =
                keys.as_array().expect("a list").iter().map(text).filter(|k| *k != "params").collect();
            assert_eq!(group.keys(), keys);
        }
        names.push(name);
    }
    assert_eq!(names.len(), 11);
}

/// Edits of a state dict, named as `errors.py` names them.
fn edit(case: &str, dict: &mut Value) -> bool {
    let groups = |dict: &mut Value| dict["param_groups"].as_list_mut().expect("a list").clone();
    match case {
        "unedited" => {}
        "no_param_groups" => drop(dict.as_dict_mut().expect("a dict").remove("param_groups")),
        "no_state" => drop(dict.as_dict_mut().expect("a dict").remove("state")),
        "another_group" => {
            let mut all = groups(dict);
            all.push(all[0].clone());
            dict["param_groups"] = all.into();
        }
        "no_groups" => dict["param_groups"] = Value::list(),
        "one_parameter_too_few" => dict["param_groups"][0]["params"] = [0].into(),
        "one_parameter_too_many" => dict["param_groups"][0]["params"] = [0, 1, 2].into(),
        "no_params_in_group" => drop(dict["param_groups"][0].as_dict_mut().expect("a dict").remove("params")),
        "group_without_lr" => drop(dict["param_groups"][0].as_dict_mut().expect("a dict").remove("lr")),
        "group_with_unknown_key" => dict["param_groups"][0]["unknown"] = 1.into(),
        "state_of_unknown_id" => dict["state"][99] = Dict::from_iter([("step", 1)]).into(),
        "empty_state" => dict["state"] = Value::dict(),
        _ => return false,
    }
    true
}

#[test]
fn edited_state_dicts_are_taken_or_refused_as_in_torch() {
    let file = load("optim/errors.json");
    let mut rows = 0;
    for row in list(&file, "load_state_dict").iter().filter(|row| row["optimizer"] != "LBFGS") {
        let (name, case) = (text(&row["optimizer"]), text(&row["case"]));
        let made = || {
            let params = [vec![1.0f32, 2.0], vec![3.0f32, 4.0, 5.0]].map(|x| Tensor::from(x).requires_grad_(true));
            let optimizer = build(name, params.iter().map(Param::from).collect(), &[]);
            (params, optimizer.expect("it exists").expect("the defaults are in range"))
        };
        let stepped = |params: &[Tensor], optimizer: &dyn Optimizer| {
            params.iter().for_each(|p| p.set_grad(Some(Tensor::ones(p.sizes(), DType::F32))));
            optimizer.step_without_closure()
        };
        let (params, optimizer) = made();
        stepped(&params, &*optimizer).expect("a first step succeeds");
        let mut saved = optimizer.state_dict();
        assert!(edit(case, &mut saved), "no such edit: {case}");
        let (params, fresh) = made();
        let before = fresh.state_dict();
        let refused = fresh.load_state_dict(saved).is_err();
        assert_eq!(refused, row["raises"].is_object(), "{name} {case}");
        if refused {
            assert_eq!(fresh.state_dict(), before, "{name} {case}");
        } else {
            let fails = stepped(&params, &*fresh).is_err();
            assert_eq!(fails, row["next_step"]["raises"].is_object(), "{name} {case}: next step");
        }
        rows += 1;
    }
    assert_eq!(rows, 132);
}
