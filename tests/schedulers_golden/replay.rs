//! One case of `schedulers.json.gz`: the first run, the run of a loaded scheduler, the run of one built again.

use crate::build::{Built, case_optimizer, edit, scheduler};
use crate::golden::{integer, list, text};
use crate::values::{assert_same, dict, number, same_list};
use serde_json::Value as Json;
use wolfe::checkpoint::Dict;
use wolfe::optim::{self, Optimizer};
use wolfe::prelude::Value;

pub struct Replay<'a> {
    case: &'a Json,
    texts: &'a Json,
    name: &'a str,
}

/// What the optimizer held when the file's states were saved, and the round.
struct Saved {
    optimizer: Value,
    round: usize,
}

/// Schedulers over their optimizer, in the middle of a run.
struct Run<'a> {
    replay: &'a Replay<'a>,
    optimizer: Box<dyn Optimizer>,
    schedulers: Vec<Built>,
    /// The row of the file to compare with: the case, or its `loaded` or `rebuilt`.
    row: &'a Json,
    what: &'a str,
    /// Warnings that were compared already, by scheduler.
    seen: Vec<usize>,
    found: Vec<(i64, String)>,
}

impl<'a> Replay<'a> {
    pub fn new(case: &'a Json, texts: &'a Json) -> Self {
        Self { case, texts, name: text(&case["name"]) }
    }

    fn rounds(&self) -> usize {
        integer(&self.case["rounds"]) as usize
    }

    pub fn first_run(&self) {
        self.run_to_the_end();
    }

    fn run_to_the_end(&self) -> Option<Saved> {
        let optimizer = case_optimizer(&self.case["optimizer"]);
        for (group, changes) in optimizer.param_groups().iter().zip(list(self.case, "edited")) {
            edit(group, changes);
        }
        let specs = list(self.case, "schedulers").iter();
        let schedulers = specs.map(|spec| self.build(spec, optimizer.as_ref(), None)).collect();
        let mut run = Run::new(self, optimizer, schedulers, self.case, "first run");
        run.note_warnings(0);
        run.check_groups();
        run.check_states("state_at_start");
        run.check(0);
        let mut saved = None;
        for round in 0..self.rounds() {
            if !run.round(round, round + 1) {
                break;
            }
            if self.case["saved"].as_u64() == Some(round as u64 + 1) {
                run.check_states("states");
                saved = Some(Saved { optimizer: run.optimizer.state_dict().deep_copy(), round: round + 1 });
            }
        }
        run.check_warnings();
        saved
    }

    fn build(&self, spec: &Json, optimizer: &dyn Optimizer, last_epoch: Option<i64>) -> Built {
        scheduler(spec, optimizer, last_epoch).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The state that torch saved, loaded into a scheduler that was built with other options.
    pub fn loaded(&self) {
        let saved = self.run_to_the_end().expect("a case that is loaded has a saved state");
        let row = &self.case["loaded"];
        let optimizer = case_optimizer(&self.case["optimizer"]);
        let other = self.build(&row["other"], optimizer.as_ref(), None);
        optimizer.load_state_dict(saved.optimizer).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let state = Value::from(dict(&self.case["states"][0]));
        let before = optimizer.state_dict().deep_copy();
        other.get().load_state_dict(state.clone()).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        assert_eq!(optimizer.state_dict(), before, "{}: loading touched the optimizer", self.name);
        let expected = if row["state"].is_null() { state } else { dict(&row["state"]).into() };
        assert_same(&other.get().state_dict(), &expected, &format!("{}, loaded", self.name));
        self.go_on(Run::new(self, optimizer, vec![other], row, "loaded"), saved.round);
    }

    /// A scheduler built in the middle with `last_epoch`, over a loaded optimizer.
    pub fn rebuilt(&self) {
        let saved = self.run_to_the_end().expect("a case that is rebuilt has a saved state");
        let row = &self.case["rebuilt"];
        let optimizer = case_optimizer(&self.case["optimizer"]);
        optimizer.load_state_dict(saved.optimizer).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let again = self.build(&self.case["schedulers"][0], optimizer.as_ref(), Some(integer(&row["last_epoch"])));
        self.go_on(Run::new(self, optimizer, vec![again], row, "rebuilt"), saved.round);
    }

    fn go_on(&self, mut run: Run<'_>, from: usize) {
        run.check(0);
        for round in from..self.rounds() {
            if !run.round(round, round + 1 - from) {
                break;
            }
        }
        run.check_warnings();
    }
}

impl<'a> Run<'a> {
    fn new(
        replay: &'a Replay<'a>,
        optimizer: Box<dyn Optimizer>,
        schedulers: Vec<Built>,
        row: &'a Json,
        what: &'a str,
    ) -> Self {
        let seen = vec![0; schedulers.len()];
        let mut run = Self { replay, optimizer, schedulers, row, what, seen, found: Vec::new() };
        if what != "first run" {
            // The file has the warnings of the rounds only.
            run.note_warnings(0);
            run.found.clear();
        }
        run
    }

    /// One round, counted from 0; `index` is its place in the lists of the row. False when torch raised.
    fn round(&mut self, round: usize, index: usize) -> bool {
        let case = self.replay.case;
        let scheduler_first = case["order"].as_str() == Some("scheduler first");
        if !scheduler_first {
            self.optimizer_step();
        }
        let active: Vec<usize> = match case["active"].as_array() {
            Some(active) => {
                active[round].as_array().expect("a list of indices").iter().map(|i| integer(i) as usize).collect()
            }
            None => (0..self.schedulers.len()).collect(),
        };
        let fails = self.row["fails"]["round"].as_u64() == Some(round as u64 + 1);
        for i in active {
            let before = (self.schedulers[i].get().state_dict(), self.optimizer.state_dict().deep_copy());
            let outcome = step(&self.schedulers[i], case, round);
            if let Err(error) = &outcome {
                assert!(fails, "{}, round {}: {error}", self.place(), round + 1);
                self.check_failure(error);
                let after = (self.schedulers[i].get().state_dict(), self.optimizer.state_dict());
                assert_eq!(after, before, "{}: a step that failed changed something", self.place());
            }
            assert_eq!(outcome.is_err(), fails, "{}, round {}", self.place(), round + 1);
        }
        self.note_warnings(round as i64 + 1);
        if scheduler_first {
            self.optimizer_step();
        }
        if !fails {
            self.check(index);
        }
        !fails
    }

    fn optimizer_step(&self) {
        self.optimizer.step_without_closure().unwrap_or_else(|e| panic!("{}: {e}", self.place()));
    }

    fn place(&self) -> String {
        format!("{}, {}", self.replay.name, self.what)
    }

    fn check_failure(&self, error: &optim::Error) {
        let expected = text(&self.row["fails"]["text"]);
        assert!(error.to_string().starts_with(expected), "{}: {error} instead of {expected}", self.place());
        let kind = match error {
            optim::Error::Arithmetic(_) => "ZeroDivisionError",
            optim::Error::CycleIsOver { .. } => "ValueError",
            optim::Error::NoEpochArgument { .. } => "TypeError",
            other => panic!("{}: {other:?}", self.place()),
        };
        assert_eq!(kind, text(&self.row["fails"]["type"]), "{}", self.place());
    }

    fn note_warnings(&mut self, round: i64) {
        for (scheduler, seen) in self.schedulers.iter().zip(&mut self.seen) {
            let warnings = scheduler.get().warnings();
            self.found.extend(warnings[*seen..].iter().map(|text| (round, text.clone())));
            *seen = warnings.len();
        }
    }

    fn check_warnings(&self) {
        let expected: Vec<(i64, String)> = list(self.row, "warnings")
            .iter()
            .map(|row| (integer(&row[0]), text(&self.replay.texts[text(&row[1])]).to_owned()))
            .collect();
        assert_eq!(self.found, expected, "{}", self.place());
    }

    /// Learning rates and momenta of the groups and what the schedulers say of them.
    fn check(&self, index: usize) {
        let place = format!("{}, row {index}", self.place());
        let groups = self.optimizer.param_groups();
        let lrs: Vec<f64> = groups.iter().map(optim::ParamGroup::lr).collect();
        let expected = &self.row["lr"][index];
        assert!(same_list(&lrs, expected), "{place}: {lrs:?} instead of {:?}", numbers(expected));
        for (i, scheduler) in self.schedulers.iter().enumerate() {
            let found = scheduler.get().get_last_lr();
            let expected = if self.row["last_lr"].is_null() { expected } else { &self.row["last_lr"][index][i] };
            assert!(same_list(&found, expected), "{place}, last lr: {found:?} instead of {:?}", numbers(expected));
        }
        if let Some(momenta) = self.row["momentum"].as_array() {
            let momentum = |group: &optim::ParamGroup| match group.get("betas") {
                Some(betas) => betas[0].as_float(),
                None => group.get("momentum").and_then(|m| m.as_float()),
            };
            let found: Vec<f64> = groups.iter().map(|group| momentum(group).expect("a momentum")).collect();
            assert!(same_list(&found, &momenta[index]), "{place}: momenta {found:?} instead of {:?}", momenta[index]);
        }
    }

    fn check_states(&self, key: &str) {
        for (scheduler, expected) in self.schedulers.iter().zip(list(self.row, key)) {
            let place = format!("{}, {key}", self.place());
            assert_same(&scheduler.get().state_dict(), &dict(expected).into(), &place);
        }
    }

    /// All options of all groups in order.
    fn check_groups(&self) {
        for (group, expected) in self.optimizer.param_groups().iter().zip(list(self.row, "groups")) {
            let keys = group.keys();
            let found: Dict = keys.iter().filter_map(|key| Some((key.as_str(), group.get(key)?))).collect();
            assert_same(&found.into(), &dict(expected).into(), &self.place());
        }
    }
}

fn numbers(list: &Json) -> Vec<f64> {
    list.as_array().map(|list| list.iter().map(number).collect()).unwrap_or_default()
}

fn step(scheduler: &Built, case: &Json, round: usize) -> optim::Result<()> {
    let epoch = case["epochs"].get(round).filter(|epoch| !epoch.is_null());
    match (scheduler, epoch) {
        (Built::Plateau(plateau), _) => plateau.try_step(number(&case["metrics"][round])),
        (other, None) => other.get().try_step(),
        (Built::WarmRestarts(scheduler), Some(epoch)) if !epoch.is_i64() => scheduler.step_at(number(epoch)),
        (other, Some(epoch)) => other.get().try_step_epoch(integer(epoch)),
    }
}
