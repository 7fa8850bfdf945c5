//! torch's random numbers, bit for bit: `tests/golden/random.json` holds what torch 2.8.0 drew.

mod golden;

use golden::{dtype, float, floats, integer, list, load, sizes, text};
use serde_json::Value as Json;
use std::sync::{Mutex, PoisonError};
use wolfe::prelude::*;

/// The generator is one for the whole process, and tests run on several threads.
static GENERATOR: Mutex<()> = Mutex::new(());

#[test]
fn one_sequence_across_all_kinds_and_dtypes() {
    replay(|name| name == "a_sequence_across_kinds" || name == "cached_normal_survives", 2);
}

#[test]
fn only_the_low_half_of_a_seed_counts() {
    replay(|name| name.starts_with("seed_"), 3);
}

#[test]
fn rand_of_every_size() {
    replay(|name| name.starts_with("rand_"), 2);
}

#[test]
fn randn_of_every_size() {
    replay(|name| name.starts_with("randn_"), 2);
}

#[test]
fn randint_below_and_above_the_switch_to_64_bits() {
    replay(|name| name == "randint_ranges", 1);
}

#[test]
fn randperm_of_every_size() {
    replay(|name| name == "randperm_sizes", 1);
}

#[test]
fn uniform_fills_any_layout() {
    replay(|name| name.starts_with("uniform_"), 6);
}

#[test]
fn normal_fills_any_layout() {
    replay(|name| name.starts_with("normal_"), 6);
}

#[test]
fn linear_starts_as_torchs_does() {
    replay(|name| name.starts_with("linear"), 7);
}

/// Runs the scripts whose name is chosen; there must be `expected` of them.
fn replay(chosen: impl Fn(&str) -> bool, expected: usize) {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let file = load("random.json");
    let scripts: Vec<_> = list(&file, "scripts").iter().filter(|s| chosen(text(&s["name"]))).collect();
    assert_eq!(scripts.len(), expected, "scripts of that name in random.json");
    for script in scripts {
        manual_seed(text(&script["seed"]).parse().expect("an unsigned 64-bit seed"));
        for (k, call) in list(script, "calls").iter().enumerate() {
            make(call, &format!("{}, call {k}: {}", text(&script["name"]), describe(call)));
        }
    }
}

fn describe(call: &Json) -> String {
    let arguments = ["dtype", "shape", "layout", "a", "b", "low", "high", "n", "inputs", "outputs"];
    let named = arguments.iter().filter(|key| !call[**key].is_null());
    named.fold(text(&call["op"]).to_owned(), |line, key| format!("{line} {key}={}", call[*key]))
}

/// Makes one call and compares what it drew.
fn make(call: &Json, what: &str) {
    let drawn = match text(&call["op"]) {
        "rand" => Tensor::rand(sizes(&call["shape"]), dtype(&call["dtype"])),
        "randn" => Tensor::randn(sizes(&call["shape"]), dtype(&call["dtype"])),
        "randint" => Tensor::randint(integer(&call["low"]), integer(&call["high"]), sizes(&call["shape"])),
        "randperm" => Tensor::randperm(integer(&call["n"]) as usize),
        "uniform_" => target(call).uniform_(float(&call["a"]), float(&call["b"])),
        "normal_" => target(call).normal_(float(&call["a"]), float(&call["b"])),
        "linear" => return compare_linear(call, what),
        other => panic!("no such call: {other}"),
    };
    compare(&drawn, &call["result"], what);
}

fn compare_linear(call: &Json, what: &str) {
    let layer = nn::Linear::new(integer(&call["inputs"]) as usize, integer(&call["outputs"]) as usize);
    let parameters = layer.parameters();
    assert_eq!(parameters.len(), 2, "{what}: weight and bias");
    compare(&parameters[0], &call["weight"], &format!("{what}: weight"));
    compare(&parameters[1], &call["bias"], &format!("{what}: bias"));
}

/// A tensor of logical shape 5 x 8 in the layout to be filled.
fn target(call: &Json) -> Tensor {
    let dtype = dtype(&call["dtype"]);
    match text(&call["layout"]) {
        "contiguous" => Tensor::empty([5, 8], dtype),
        "transposed" => Tensor::empty([8, 5], dtype).t(),
        "every_second_column" => Tensor::empty([5, 16], dtype).slice(1, .., 2),
        other => panic!("no such layout: {other}"),
    }
}

fn compare(drawn: &Tensor, expected: &Json, what: &str) {
    if let Some(integers) = expected["integers"].as_array() {
        let want: Vec<i64> = integers.iter().map(integer).collect();
        return assert_eq!(drawn.to_vec::<i64>(), want, "{what}");
    }
    let got = Bits::of(drawn);
    if expected["values"].is_array() {
        let want = got.like(&floats(list(expected, "values")));
        return assert_eq!(got.words, want, "{what}: {}", got.first_difference(&want));
    }
    for (end, part) in [("head", &got.words[..8]), ("tail", &got.words[got.words.len() - 8..])] {
        assert_eq!(part, got.like(&floats(list(expected, end))), "{what}: {end}");
    }
    assert_eq!(format!("{:016x}", got.digest()), text(&expected["digest"]), "{what}: digest");
}

/// The bit patterns of a float tensor, in logical order.
struct Bits {
    words: Vec<u64>,
    single: bool,
}

impl Bits {
    fn of(tensor: &Tensor) -> Self {
        match tensor.dtype() {
            DType::F32 => {
                let words = tensor.to_vec::<f32>().iter().map(|v| u64::from(v.to_bits())).collect();
                Bits { words, single: true }
            }
            _ => Bits { words: tensor.to_vec::<f64>().iter().map(|v| v.to_bits()).collect(), single: false },
        }
    }

    /// `values`, which are exact in this dtype, as bit patterns.
    fn like(&self, values: &[f64]) -> Vec<u64> {
        let word = |v: &f64| if self.single { u64::from((*v as f32).to_bits()) } else { v.to_bits() };
        values.iter().map(word).collect()
    }

    /// sum((k + 1) * bits[k]) mod 2^64, as `generate.py` takes it.
    fn digest(&self) -> u64 {
        let terms = self.words.iter().zip(1u64..);
        terms.fold(0, |sum, (word, k)| sum.wrapping_add(word.wrapping_mul(k)))
    }

    fn first_difference(&self, want: &[u64]) -> String {
        match self.words.iter().zip(want).position(|(a, b)| a != b) {
            Some(k) => format!("first difference at {k}: {:x} against {:x}", self.words[k], want[k]),
            None => format!("{} values against {}", self.words.len(), want.len()),
        }
    }
}
