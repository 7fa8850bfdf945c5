//! The rows of `errors.json` that speak of schedulers: what is refused and what is warned of, with torch's texts.

use crate::build::{Built, optimizer, scheduler};
use crate::golden::{list, text};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use wolfe::optim::lr_scheduler::*;
use wolfe::optim::{self, Optimizer, ParamGroup};
use wolfe::prelude::*;

/// What came of a row.
pub enum Judged {
    /// It was replayed and all agrees.
    Agrees,
    /// It cannot be written in Rust.
    Impossible(&'static str),
}
use Judged::{Agrees, Impossible};

const TYPES: &str = "the types of Rust rule it out";
const OVERRIDDEN: &str = "the step of an optimizer cannot be replaced";
const GET_LR: &str = "there is no get_lr that would take a step";

#[derive(Default)]
pub struct Tally {
    pub rows: usize,
    agree: usize,
    impossible: BTreeMap<&'static str, Vec<String>>,
}

impl Tally {
    pub fn note(&mut self, judged: Judged, row: impl FnOnce() -> String) {
        match judged {
            Agrees => self.agree += 1,
            Impossible(why) => self.impossible.entry(why).or_default().push(row()),
        }
    }

    /// Every row is accounted for, and no more are left out than these.
    pub fn finish(self) {
        let counts: BTreeMap<&str, usize> = self.impossible.iter().map(|(why, rows)| (*why, rows.len())).collect();
        assert_eq!(self.agree + counts.values().sum::<usize>(), self.rows);
        let expected = BTreeMap::from([(TYPES, 45), (OVERRIDDEN, 13), (GET_LR, 13)]);
        assert_eq!(counts, expected, "{:#?}", self.impossible);
        assert_eq!(self.rows, 325);
    }
}

/// What a row does, and the warnings it left.
type Outcome = optim::Result<Vec<String>>;

fn two_groups(class: &str) -> Box<dyn Optimizer> {
    optimizer(class, &[0.05, 0.5], &[])
}

/// Options with which a class can be built.
fn good(class: &str) -> Json {
    let one = json!({"fn": "constant", "c": ["0x1p+0"]});
    match class {
        "LambdaLR" | "MultiplicativeLR" => json!([["lr_lambda", one]]),
        "StepLR" => json!([["step_size", 3]]),
        "MultiStepLR" => json!([["milestones", [3]]]),
        "ExponentialLR" => json!([["gamma", "0x1.ccccccccccccdp-1"]]),
        "CosineAnnealingLR" => json!([["T_max", 5]]),
        "CosineAnnealingWarmRestarts" => json!([["T_0", 5]]),
        "CyclicLR" => json!([["base_lr", "0x1.999999999999ap-4"], ["max_lr", "0x1.999999999999ap-3"]]),
        "OneCycleLR" => json!([["max_lr", "0x1.999999999999ap-4"], ["total_steps", 10]]),
        "SWALR" => json!([["swa_lr", "0x1.999999999999ap-4"]]),
        _ => json!([]),
    }
}

fn build(class: &str, options: &Json, optimizer: &dyn Optimizer, last_epoch: Option<i64>) -> optim::Result<Built> {
    scheduler(&json!({"class": class, "options": options}), optimizer, last_epoch)
}

/// Compares what was done with what torch did.
fn compare(row: &Json, texts: &Json, outcome: Outcome) -> Judged {
    let full = |event: &Json| match event["text"]["shared"].as_u64() {
        Some(index) => text(&texts[index as usize]).to_owned(),
        None => text(&event["text"]).to_owned(),
    };
    match outcome {
        Err(error) => {
            assert!(row["raises"].is_object(), "torch accepts this: {row}; here {error}");
            let (found, expected) = (error.to_string(), without_repr(&full(&row["raises"])));
            // torch writes "must by" here and "must be" for the same mistake in OneCycleLR.
            let expected = expected.replace("must by one of", "must be one of");
            assert!(found.starts_with(&expected), "{row}: {found}");
        }
        Ok(warnings) => {
            assert!(row["accepted"].as_bool() == Some(true), "torch refuses this: {row}");
            let expected: Vec<String> = list(row, "warns").iter().map(full).collect();
            assert_eq!(warnings, expected, "{row}");
        }
    }
    Agrees
}

/// Where torch prints the whole other optimizer, its class is named here.
fn without_repr(expected: &str) -> String {
    let Some((before, rest)) = expected.split_once(" (\nParameter Group 0") else { return expected.to_owned() };
    let (start, class) = before.rsplit_once(' ').expect("a class before its groups");
    let (_, after) = rest.split_once("\n), ").expect("the end of the groups");
    format!("{start} another {class}, {after}")
}

pub fn judge(row: &Json, texts: &Json) -> Judged {
    let (class, case) = (text(&row["scheduler"]), text(&row["case"]));
    let outcome = match case {
        "optimizer_is_a_number"
        | "optimizer_is_none"
        | "number_for_a_function"
        | "number_in_a_list"
        | "not_a_scheduler"
        | "step_with_none" => return Impossible(TYPES),
        "optimizer_step_overridden" => return Impossible(OVERRIDDEN),
        "get_lr_by_the_user" => return Impossible(GET_LR),
        "options" => {
            if has_impossible_type(&row["options"]) {
                return Impossible(TYPES);
            }
            let optimizer = two_groups("SGD");
            let before = optimizer.state_dict().deep_copy();
            let outcome = build(class, &row["options"], optimizer.as_ref(), None);
            if outcome.is_err() {
                assert_eq!(optimizer.state_dict(), before, "{row}: refused, but the groups have changed");
            }
            outcome.map(|built| built.get().warnings())
        }
        "cycle_momentum" => {
            let optimizer = optimizer(text(&row["optimizer"]), &[0.05], &[]);
            let mut options = good(class);
            options.as_array_mut().expect("a list").push(row["options"][0].clone());
            build(class, &options, optimizer.as_ref(), None).map(|built| built.get().warnings())
        }
        "last_epoch_without_initial_lr" => {
            build(class, &good(class), two_groups("SGD").as_ref(), Some(4)).map(|_| vec![])
        }
        "last_epoch_without_initial_lr_of_the_second_group" => {
            let optimizer = two_groups("SGD");
            optimizer.param_groups()[0].set("initial_lr", 0.1);
            build(class, &good(class), optimizer.as_ref(), Some(4)).map(|_| vec![])
        }
        "one_function_for_two_groups" => functions(class, 1),
        "three_functions_for_two_groups" => functions(class, 3),
        _ if class == "SequentialLR" => sequential(case),
        _ if class == "ChainedScheduler" => chained(case),
        _ => steps(row, class, case),
    };
    compare(row, texts, outcome)
}

/// Whether a float stands where an integer is meant, an integer where torch insists on a float, or text for a number.
fn has_impossible_type(options: &Json) -> bool {
    let integers = ["T_0", "T_mult", "total_steps", "epochs", "steps_per_epoch", "anneal_epochs"];
    options.as_array().expect("a list of pairs").iter().any(|pair| match text(&pair[0]) {
        name if integers.contains(&name) => pair[1].is_string(),
        "pct_start" => pair[1].is_i64(),
        "eta_min" => pair[1].is_object(),
        _ => false,
    })
}

fn functions(class: &str, count: usize) -> Outcome {
    let each: Vec<Box<dyn LrLambda>> = (0..count).map(|_| Box::new(|_: i64| 1.0) as Box<dyn LrLambda>).collect();
    let optimizer = two_groups("SGD");
    match class {
        "LambdaLR" => LambdaLr::builder(optimizer.as_ref(), each).build().map(|s| s.warnings()),
        _ => MultiplicativeLr::builder(optimizer.as_ref(), each).build().map(|s| s.warnings()),
    }
}

fn exponential(optimizer: &dyn Optimizer) -> optim::Result<Box<dyn LrScheduler>> {
    Ok(ExponentialLr::builder(optimizer, 0.9).build()?.boxed())
}

fn plateau(optimizer: &dyn Optimizer) -> optim::Result<Box<dyn LrScheduler>> {
    Ok(ReduceLrOnPlateau::builder(optimizer).build()?.boxed())
}

fn members(optimizer: &dyn Optimizer, case: &str) -> optim::Result<Vec<Box<dyn LrScheduler>>> {
    let other = two_groups("Adam");
    Ok(match case {
        "none" => vec![],
        "plateau_first" => vec![plateau(optimizer)?, exponential(optimizer)?],
        "plateau_second" | "plateau_and_bad_milestones" => vec![exponential(optimizer)?, plateau(optimizer)?],
        "another_optimizer" => vec![exponential(optimizer)?, exponential(other.as_ref())?],
        "falling_milestones" => vec![exponential(optimizer)?, exponential(optimizer)?, exponential(optimizer)?],
        "too_few_milestones" | "too_many_milestones" => vec![exponential(optimizer)?, exponential(optimizer)?],
        "optimizer_argument_differs" => vec![exponential(optimizer)?],
        other => panic!("no case {other}"),
    })
}

fn sequential(case: &str) -> Outcome {
    let optimizer = two_groups("SGD");
    let milestones = match case {
        "none" | "too_few_milestones" | "plateau_and_bad_milestones" => vec![],
        "too_many_milestones" => vec![1, 2],
        "falling_milestones" => vec![4, 2],
        _ => vec![2],
    };
    let members = members(optimizer.as_ref(), case)?;
    Ok(SequentialLr::new(optimizer.as_ref(), members, milestones)?.warnings())
}

fn chained(case: &str) -> Outcome {
    let optimizer = two_groups("SGD");
    let members = members(optimizer.as_ref(), case)?;
    if case == "optimizer_argument_differs" {
        let other = two_groups("Adam");
        return Ok(ChainedScheduler::with_optimizer(other.as_ref(), members)?.warnings());
    }
    Ok(ChainedScheduler::new(members)?.warnings())
}

fn step(built: &Built) -> optim::Result<()> {
    match built {
        Built::Plateau(plateau) => plateau.try_step(1.0),
        other => other.get().try_step(),
    }
}

fn steps(row: &Json, class: &str, case: &str) -> Outcome {
    let optimizer = optimizer("SGD", &[0.05, 0.5], &[json!(["momentum", "0x1.ccccccccccccdp-1"])]);
    if class == "ReduceLROnPlateau" && case != "order_of_steps" {
        return plateau_steps(optimizer.as_ref(), case);
    }
    let last_epoch = (case == "resumed_with_last_epoch_4").then(|| {
        for group in optimizer.param_groups() {
            let options =
                [("initial_lr", 0.1), ("max_lr", 0.2), ("min_lr", 0.01), ("max_momentum", 0.9), ("base_momentum", 0.8)];
            options.into_iter().for_each(|(name, number)| group.set(name, number));
        }
        4
    });
    let built = build(class, &good(class), optimizer.as_ref(), last_epoch)?;
    match case {
        "order_of_steps" | "resumed_with_last_epoch_4" => {
            for call in text(&row["calls"]).chars() {
                if call == 'o' { optimizer.step_without_closure()? } else { step(&built)? }
            }
        }
        "step_epoch_2" | "step_epoch_minus_1" => {
            optimizer.step_without_closure()?;
            built.get().try_step_epoch(if case == "step_epoch_2" { 2 } else { -1 })?;
        }
        "eleven_steps_of_ten" => {
            for _ in 0..11 {
                optimizer.step_without_closure()?;
                step(&built)?;
            }
        }
        other => panic!("no case {other}"),
    }
    Ok(built.get().warnings())
}

fn plateau_steps(optimizer: &dyn Optimizer, case: &str) -> Outcome {
    let builder = ReduceLrOnPlateau::builder(optimizer);
    let plateau = match case {
        "group_added_with_min_lr_list" => builder.patience(0).min_lr([1e-5, 1e-4]).build()?,
        "group_added_with_min_lr_number" => builder.patience(0).build()?,
        _ => builder.build()?,
    };
    match case {
        "step_without_metrics" => LrScheduler::try_step(&plateau)?,
        "step_with_a_tensor" => plateau.try_step(Tensor::from([1.0]).item())?,
        "step_with_epoch" => plateau.step_epoch(1.0, 3),
        _ => {
            let fresh = Tensor::zeros([2], DType::F32).requires_grad_(true);
            optimizer.add_param_group(ParamGroup::new([fresh]).with("lr", 0.05))?;
            plateau.try_step(1.0)?;
            plateau.try_step(1.3)?;
            assert!(optimizer.param_groups().iter().all(|group| group.lr() < 0.051), "all groups are reduced");
        }
    }
    Ok(plateau.warnings())
}
