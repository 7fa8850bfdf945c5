//! `nn::init` against torch, bit for bit. Every test here seeds the process-wide generator and holds one lock.

mod golden;

use golden::{cases, dtype, float, list, sizes, tensor, text};
use nn::init::{self, FanMode, Nonlinearity, calculate_gain};
use serde_json::Value as Json;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tape::{DType, Tensor};

fn seeded(case: &Json) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tape::manual_seed(case["seed"].as_u64().expect("a seed"));
    turn
}

fn apply(name: &str, w: &Tensor) -> Tensor {
    match name {
        "uniform" => init::uniform_(w, -0.3, 0.7),
        "normal" => init::normal_(w, 0.5, 0.25),
        "xavier_uniform" => init::xavier_uniform_(w, 1.0),
        "xavier_uniform tanh" => init::xavier_uniform_(w, calculate_gain(Nonlinearity::Tanh)),
        "xavier_normal" => init::xavier_normal_(w, 1.0),
        "xavier_normal selu" => init::xavier_normal_(w, calculate_gain(Nonlinearity::Selu)),
        "kaiming_uniform 0" => init::kaiming_uniform_(w, 0.0),
        "kaiming_uniform 0.3" => init::kaiming_uniform_(w, 0.3),
        "kaiming_uniform out relu" => init::kaiming_uniform_with_(w, FanMode::FanOut, Nonlinearity::Relu),
        "kaiming_normal 0" => init::kaiming_normal_(w, 0.0),
        "kaiming_normal out tanh" => init::kaiming_normal_with_(w, FanMode::FanOut, Nonlinearity::Tanh),
        "constant" => init::constant_(w, 0.1),
        "ones" => init::ones_(w),
        "zeros" => init::zeros_(w),
        "eye" => init::eye_(w),
        "dirac 1" => init::dirac_(w, 1),
        "dirac 2" => init::dirac_(w, 2),
        other => panic!("the golden data name a function that is not tested: {other}"),
    }
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.dtype() {
        DType::F32 => tensor.to_vec::<f32>().iter().map(|x| x.to_bits().into()).collect(),
        _ => tensor.to_vec::<f64>().iter().map(|x| x.to_bits()).collect(),
    }
}

#[test]
fn weights_are_torchs_bit_for_bit() {
    let hex = |digits: &Json| u64::from_str_radix(text(digits), 16).unwrap();
    for case in cases("init.json.gz").iter().filter(|case| text(&case["name"]) != "trunc_normal") {
        let _turn = seeded(case);
        let weight = Tensor::empty(sizes(&case["shape"]), dtype(&case["dtype"])).requires_grad_(true);
        let result = apply(text(&case["name"]), &weight);
        assert!(result.same(&weight) && weight.is_leaf());
        let found = bits(&weight);
        if case["fold"].is_null() {
            let expected: Vec<u64> = list(&case["bits"]).iter().map(hex).collect();
            assert_eq!(found, expected, "{case}");
        } else {
            let fold = found.iter().fold(0_u64, |h, &b| h.wrapping_mul(31).wrapping_add(b));
            assert_eq!(fold, hex(&case["fold"]), "{case}");
        }
    }
}

/// The draws are torch's; the inverse of the distribution is as accurate as torch's, not the same.
#[test]
fn truncated_normals_are_torchs_but_for_the_last_places() {
    for case in cases("init.json.gz").iter().filter(|case| text(&case["name"]) == "trunc_normal") {
        let _turn = seeded(case);
        let expected = tensor(case);
        let a: Vec<f64> = list(&case["arguments"]).iter().map(float).collect();
        let weight = init::trunc_normal_(&expected.empty_like(), a[0], a[1], a[2], a[3]);
        let (found, expected) = (weight.double().to_vec::<f64>(), expected.double().to_vec::<f64>());
        let tolerance = if weight.dtype() == DType::F32 { 1e-6 } else { 1e-14 };
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= tolerance * b.abs().max(0.01), "{a} against torch's {b} in {case}");
        }
    }
}

#[test]
fn every_bound_is_kept_and_both_ends_are_reached() {
    let _turn = seeded(&serde_json::json!({"seed": 1}));
    let w = init::trunc_normal_(&Tensor::empty([20_000], DType::F64), 1.0, 2.0, 0.5, 2.0);
    let (low, high) = (w.min().item(), w.max().item());
    assert!((0.5..0.501).contains(&low) && (1.999..=2.0).contains(&high));
}

#[test]
fn gains_are_torchs() {
    assert_eq!(calculate_gain(Nonlinearity::Linear), 1.0);
    assert_eq!(calculate_gain(Nonlinearity::Sigmoid), 1.0);
    assert_eq!(calculate_gain(Nonlinearity::Relu), std::f64::consts::SQRT_2);
    assert_eq!(calculate_gain(Nonlinearity::LeakyRelu(0.01)), 1.4141428569978354);
    assert_eq!(calculate_gain(Nonlinearity::Selu), 0.75);
}

#[test]
fn weights_without_elements_draw_nothing() {
    let _turn = seeded(&serde_json::json!({"seed": 0}));
    let empty = Tensor::zeros([0, 3], DType::F32);
    init::xavier_normal_(&empty, 1.0);
    init::kaiming_normal_(&empty, 0.0);
    // torch: manual_seed(0); rand(1)
    assert_eq!(bits(&Tensor::rand([1], DType::F32)), [0x3efe_1558]);
}

#[test]
#[should_panic(expected = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")]
fn a_vector_has_no_fan() {
    init::xavier_uniform_(&Tensor::zeros([3], DType::F32), 1.0);
}

#[test]
#[should_panic(expected = "dim 0 must be divisible by groups")]
fn groups_divide_the_outputs() {
    init::dirac_(&Tensor::zeros([3, 1, 1], DType::F32), 2);
}
