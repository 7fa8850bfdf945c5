//! Optimizers and schedulers as the golden files name them.

use crate::golden::{integer, text};
use crate::values::{number, value};
use serde_json::Value as Json;
use std::sync::Mutex;
use wolfe::checkpoint::Dict;
use wolfe::optim::lr_scheduler::*;
use wolfe::optim::{self, Optimizer, ParamGroup};
use wolfe::prelude::*;

/// An optimizer with one parameter a group. Only SGD is given options in the files, and only a momentum.
pub fn optimizer(class: &str, lrs: &[f64], options: &[Json]) -> Box<dyn Optimizer> {
    let group = |&lr: &f64| ParamGroup::new([Tensor::zeros([2], DType::F32).requires_grad_(true)]).with("lr", lr);
    let groups: Vec<ParamGroup> = lrs.iter().map(group).collect();
    let built: optim::Result<Box<dyn Optimizer>> = match class {
        "SGD" => {
            let momentum = pairs(options).map(|(name, option)| {
                assert_eq!(name, "momentum");
                number(option)
            });
            Sgd::builder(groups).momentum(momentum.sum()).build().map(boxed)
        }
        "Adam" => Adam::builder(groups).build().map(boxed),
        "AdamW" => AdamW::builder(groups).build().map(boxed),
        "NAdam" => NAdam::builder(groups).build().map(boxed),
        "RAdam" => RAdam::builder(groups).build().map(boxed),
        "Adamax" => Adamax::builder(groups).build().map(boxed),
        "Adagrad" => Adagrad::builder(groups).build().map(boxed),
        "Adadelta" => Adadelta::builder(groups).build().map(boxed),
        "RMSprop" => RmsProp::builder(groups).build().map(boxed),
        "Rprop" => Rprop::builder(groups).build().map(boxed),
        "ASGD" => Asgd::builder(groups).build().map(boxed),
        "LBFGS" => Lbfgs::builder(groups).build().map(boxed),
        other => panic!("no optimizer {other}"),
    };
    built.unwrap_or_else(|e| panic!("{class}: {e}"))
}

fn boxed<O: Optimizer + 'static>(optimizer: O) -> Box<dyn Optimizer> {
    Box::new(optimizer)
}

pub fn case_optimizer(spec: &Json) -> Box<dyn Optimizer> {
    let lrs: Vec<f64> = spec["lrs"].as_array().expect("a list").iter().map(number).collect();
    optimizer(text(&spec["class"]), &lrs, spec["options"].as_array().expect("a list"))
}

fn pairs(options: &[Json]) -> impl Iterator<Item = (&str, &Json)> {
    options.iter().map(|pair| (text(&pair[0]), &pair[1]))
}

/// A scheduler, of a type of its own where it steps in a way of its own.
pub enum Built {
    Any(Box<dyn LrScheduler>),
    Plateau(ReduceLrOnPlateau),
    WarmRestarts(CosineAnnealingWarmRestarts),
}

impl Built {
    pub fn get(&self) -> &dyn LrScheduler {
        match self {
            Self::Any(scheduler) => scheduler.as_ref(),
            Self::Plateau(scheduler) => scheduler,
            Self::WarmRestarts(scheduler) => scheduler,
        }
    }

    fn boxed(self) -> Box<dyn LrScheduler> {
        match self {
            Self::Any(scheduler) => scheduler,
            Self::Plateau(scheduler) => scheduler.boxed(),
            Self::WarmRestarts(scheduler) => scheduler.boxed(),
        }
    }
}

/// A function of the file.
fn function(json: &Json) -> Box<dyn LrLambda> {
    let constant = number(&json["c"][0]);
    match &json["object"] {
        Json::Null => {
            let name = text(&json["fn"]).to_owned();
            Box::new(move |epoch: i64| formula(&name, constant, epoch as f64))
        }
        name => {
            let constants = vec![constant];
            Box::new(Object { name: text(name).to_owned(), constants: Mutex::new(constants) })
        }
    }
}

fn formula(name: &str, constant: f64, epoch: f64) -> f64 {
    match name {
        "power" => constant.powf(epoch),
        "constant" => constant,
        "floor_divide" => (epoch / constant).floor(),
        "inverse" => 1.0 / (1.0 + constant * epoch),
        "times" => constant * epoch,
        other => panic!("no function {other}"),
    }
}

/// torch's callable object, whose attributes are saved.
struct Object {
    name: String,
    constants: Mutex<Vec<f64>>,
}

impl LrLambda for Object {
    fn factor(&self, epoch: i64) -> f64 {
        formula(&self.name, self.constants.lock().expect("no test panics meanwhile")[0], epoch as f64)
    }

    fn state_dict(&self) -> Value {
        let constants = self.constants.lock().expect("no test panics meanwhile").clone();
        Dict::from_iter([("name", Value::from(self.name.as_str())), ("constants", constants.into())]).into()
    }

    fn load_state_dict(&self, saved: &Value) -> optim::Result<()> {
        assert_eq!(saved["name"].as_str(), Some(self.name.as_str()));
        *self.constants.lock().expect("no test panics meanwhile") = vec![f64::try_from(&saved["constants"][0])?];
        Ok(())
    }
}

/// One function, behind the box.
struct One(Box<dyn LrLambda>);

impl LrLambda for One {
    fn factor(&self, epoch: i64) -> f64 {
        self.0.factor(epoch)
    }

    fn state_dict(&self) -> Value {
        self.0.state_dict()
    }

    fn load_state_dict(&self, saved: &Value) -> optim::Result<()> {
        self.0.load_state_dict(saved)
    }
}

fn per_group(json: &Json) -> PerGroup {
    match json {
        Json::Array(items) => PerGroup::Each(items.iter().map(number).collect()),
        one => PerGroup::One(number(one)),
    }
}

fn word<T: std::str::FromStr<Err = optim::Error>>(json: &Json) -> optim::Result<T> {
    text(&json["str"]).parse()
}

/// Sets each option that is given by the method of its name.
macro_rules! set_options {
    ($builder:ident, $options:expr; $($name:ident: $read:expr),* $(,)?) => {
        for (name, option) in $options {
            $builder = match name {
                $(stringify!($name) => {
                    let read = $read;
                    $builder.$name(read(option)?)
                })*
                other => panic!("no option {other}"),
            };
        }
    };
}

fn f(json: &Json) -> optim::Result<f64> {
    Ok(number(json))
}

fn i(json: &Json) -> optim::Result<i64> {
    Ok(integer(json))
}

fn flag(json: &Json) -> optim::Result<bool> {
    Ok(json.as_bool().expect("a boolean"))
}

fn each(json: &Json) -> optim::Result<PerGroup> {
    Ok(per_group(json))
}

/// The scheduler of a row; `last_epoch` goes to its constructor.
pub fn scheduler(spec: &Json, optimizer: &dyn Optimizer, last_epoch: Option<i64>) -> optim::Result<Built> {
    let options = spec["options"].as_array().expect("a list of pairs");
    let given = |name: &str| pairs(options).find(|(key, _)| *key == name).map(|(_, option)| option);
    let required = |name: &str| given(name).unwrap_or_else(|| panic!("{name} is required"));
    // What is not the argument of builder(..).
    let rest = |names: &'static [&'static str]| pairs(options).filter(move |(name, _)| !names.contains(name));
    let last_epoch = last_epoch.unwrap_or(-1);
    let inner = || -> optim::Result<Vec<Box<dyn LrScheduler>>> {
        let members = spec["inner"].as_array().map_or(&[][..], Vec::as_slice);
        members.iter().map(|member| Ok(scheduler(member, optimizer, None)?.boxed())).collect()
    };
    Ok(Built::Any(match text(&spec["class"]) {
        "LambdaLR" => match required("lr_lambda") {
            Json::Array(each) => {
                let each: Vec<_> = each.iter().map(function).collect();
                LambdaLr::builder(optimizer, each).last_epoch(last_epoch).build()?.boxed()
            }
            one => LambdaLr::builder(optimizer, One(function(one))).last_epoch(last_epoch).build()?.boxed(),
        },
        "MultiplicativeLR" => match required("lr_lambda") {
            Json::Array(each) => {
                let each: Vec<_> = each.iter().map(function).collect();
                MultiplicativeLr::builder(optimizer, each).last_epoch(last_epoch).build()?.boxed()
            }
            one => MultiplicativeLr::builder(optimizer, One(function(one))).last_epoch(last_epoch).build()?.boxed(),
        },
        "StepLR" => {
            let mut builder = StepLr::builder(optimizer, integer(required("step_size")));
            set_options!(builder, rest(&["step_size"]); gamma: f);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "MultiStepLR" => {
            let milestones = required("milestones").as_array().expect("a list").iter().map(integer);
            let mut builder = MultiStepLr::builder(optimizer, milestones);
            set_options!(builder, rest(&["milestones"]); gamma: f);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "ConstantLR" => {
            let mut builder = ConstantLr::builder(optimizer);
            set_options!(builder, rest(&[]); factor: f, total_iters: i);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "LinearLR" => {
            let mut builder = LinearLr::builder(optimizer);
            set_options!(builder, rest(&[]); start_factor: f, end_factor: f, total_iters: i);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "ExponentialLR" => {
            ExponentialLr::builder(optimizer, number(required("gamma"))).last_epoch(last_epoch).build()?.boxed()
        }
        "PolynomialLR" => {
            let mut builder = PolynomialLr::builder(optimizer);
            set_options!(builder, rest(&[]); total_iters: i, power: f);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "CosineAnnealingLR" => {
            let mut builder = CosineAnnealingLr::builder(optimizer, integer(required("T_max")));
            set_options!(builder, rest(&["T_max"]); eta_min: f);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "CosineAnnealingWarmRestarts" => {
            let mut builder = CosineAnnealingWarmRestarts::builder(optimizer, integer(required("T_0")));
            if let Some(t_mult) = given("T_mult") {
                builder = builder.t_mult(integer(t_mult));
            }
            set_options!(builder, rest(&["T_0", "T_mult"]); eta_min: f);
            return Ok(Built::WarmRestarts(builder.last_epoch(last_epoch).build()?));
        }
        "CyclicLR" => {
            let mut builder =
                CyclicLr::builder(optimizer, per_group(required("base_lr")), per_group(required("max_lr")));
            set_options!(builder, rest(&["base_lr", "max_lr"]);
                step_size_up: i, step_size_down: i, mode: word, gamma: f, scale_mode: word, cycle_momentum: flag,
                base_momentum: each, max_momentum: each, scale_fn: |json| Ok::<_, optim::Error>(One(function(json))));
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "OneCycleLR" => {
            let mut builder = OneCycleLr::builder(optimizer, per_group(required("max_lr")));
            let rest = rest(&["max_lr"]).filter(|(_, option)| !option.is_null());
            set_options!(builder, rest;
                total_steps: i, epochs: i, steps_per_epoch: i, pct_start: f, anneal_strategy: word,
                cycle_momentum: flag, base_momentum: each, max_momentum: each, div_factor: f, final_div_factor: f,
                three_phase: flag);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "ReduceLROnPlateau" => {
            let mut builder = ReduceLrOnPlateau::builder(optimizer);
            set_options!(builder, rest(&[]);
                mode: word, factor: f, patience: i, threshold: f, threshold_mode: word, cooldown: i, min_lr: each,
                eps: f);
            return Ok(Built::Plateau(builder.build()?));
        }
        "SWALR" => {
            let mut builder = SwaLr::builder(optimizer, per_group(required("swa_lr")));
            set_options!(builder, rest(&["swa_lr"]); anneal_epochs: i, anneal_strategy: word);
            builder.last_epoch(last_epoch).build()?.boxed()
        }
        "SequentialLR" => {
            let milestones = required("milestones").as_array().expect("a list").iter().map(integer).collect();
            SequentialLr::new(optimizer, inner()?, milestones)?.boxed()
        }
        "ChainedScheduler" => ChainedScheduler::new(inner()?)?.boxed(),
        other => panic!("no scheduler {other}"),
    }))
}

/// The pairs of a row put into a group.
pub fn edit(group: &ParamGroup, changes: &Json) {
    for (name, option) in pairs(changes.as_array().expect("a list of pairs")) {
        group.set(name, value(option));
    }
}
