//! Every learning-rate scheduler beside torch 2.8.0: learning rates and momenta to the bit, state dicts with the
//! order of their keys, warnings, and the texts of errors.
//!
//! `tests/golden/optim/schedulers.py` and `errors.py` wrote the cases; the `README.md` there says what they hold.

mod build;
mod errors;
#[path = "../golden/mod.rs"]
#[allow(dead_code)]
mod golden;
mod replay;
mod values;

use golden::text;
use serde_json::Value as Json;
use std::io::Read;

fn schedulers() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/optim/schedulers.json.gz");
    let packed = std::fs::File::open(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut json = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut json).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Replays the section, which has so many cases; the second and third number are those that are also loaded into
/// another scheduler and built again in the middle.
fn section(name: &str, cases: usize, loaded: usize, rebuilt: usize) {
    let file = schedulers();
    let rows = golden::list(&file, name);
    assert_eq!(rows.len(), cases, "{name}");
    let mut counts = (0, 0);
    for case in rows {
        let replay = replay::Replay::new(case, &file["texts"]);
        replay.first_run();
        if !case["loaded"].is_null() {
            replay.loaded();
            counts.0 += 1;
        }
        if !case["rebuilt"].is_null() {
            replay.rebuilt();
            counts.1 += 1;
        }
    }
    assert_eq!(counts, (loaded, rebuilt), "{name}: a case was left out");
}

#[test]
fn classes() {
    section("classes", 67, 67, 58);
}

#[test]
fn closed_forms() {
    section("closed_forms", 22, 0, 0);
}

#[test]
fn compositions() {
    section("compositions", 28, 15, 0);
}

#[test]
fn upstream_tests() {
    section("upstream", 83, 5, 4);
}

#[test]
fn sequences_of_the_specification() {
    section("spec", 12, 0, 0);
}

/// Rows of `errors.json` and why some of them cannot exist here.
#[test]
fn errors_and_warnings() {
    let file = golden::load("optim/errors.json");
    let mut tally = errors::Tally::default();
    for name in ["scheduler_constructors", "compositions", "scheduler_steps"] {
        let rows = golden::list(&file, name);
        tally.rows += rows.len();
        for row in rows {
            let judged = errors::judge(row, &file["texts"]);
            tally.note(judged, || format!("{name} {} {}", text(&row["scheduler"]), text(&row["case"])));
        }
    }
    tally.finish();
}
