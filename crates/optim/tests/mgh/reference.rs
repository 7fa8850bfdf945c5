//! Reads `reference.json`, which `reference.py` beside it writes and describes.

use super::Problem;
use serde_json::Value as Json;

/// What is known of a problem from elsewhere.
pub struct Reference {
    pub start: Point,
    pub moved: Point,
    /// Local minima: loss and point.
    pub minima: Vec<(f64, Vec<f64>)>,
    pub scipy: Run,
    pub torch: Run,
    /// Fewest and most evaluations of torch from starts beside the start.
    pub spread: [usize; 2],
}

/// Loss and largest component of the gradient.
pub struct Point {
    pub loss: f64,
    pub gradient_max: f64,
}

/// How another optimizer fared until `max|g| <= 1e-5`.
#[derive(Clone, Copy)]
pub struct Run {
    pub evaluations: usize,
    pub loss: f64,
}

/// The whole file.
pub fn load() -> Vec<Json> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mgh/reference.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut file: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let Json::Array(problems) = file["problems"].take() else { panic!("{path}: no list of problems") };
    problems
}

/// The entry of a problem.
pub fn of(file: &[Json], problem: &Problem) -> Reference {
    let belongs = |entry: &&Json| entry["number"] == problem.number && entry["n"] == problem.n();
    let entry = file.iter().find(belongs).unwrap_or_else(|| panic!("{} has no reference", problem.title()));
    let point = |value: &Json| Point { loss: number(&value[0]), gradient_max: number(&value[1]) };
    let run = |value: &Json| Run { evaluations: number(&value[1]) as usize, loss: number(&value[2]) };
    Reference {
        start: point(&entry["start"]),
        moved: point(&entry["moved"]),
        minima: list(&entry["minima"]).iter().map(|m| (number(&m[0]), numbers(&m[1]))).collect(),
        scipy: run(&entry["scipy"]),
        torch: run(&entry["torch"]),
        spread: [0, 1].map(|end| number(&entry["spread"][end]) as usize),
    }
}

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number is expected, not {value}"))
}

fn list(value: &Json) -> &[Json] {
    value.as_array().unwrap_or_else(|| panic!("a list is expected, not {value}"))
}

fn numbers(value: &Json) -> Vec<f64> {
    list(value).iter().map(number).collect()
}
