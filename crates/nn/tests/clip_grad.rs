//! `nn::utils` against torch.nn.utils, bit for bit, and what holds whatever the numbers.

mod golden;

use golden::{cases, dtype, float, list, sizes, tensor, text};
use nn::utils::{
    NormOptions, clip_grad_norm_, clip_grad_norm_with_, clip_grad_value_, clip_grads_with_norm_, get_total_norm,
    get_total_norm_with, parameters_to_vector, vector_to_parameters,
};
use nn::{Error, Linear, Module};
use serde_json::Value as Json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tape::{DType, Tensor, no_grad};

/// The numbers of `noise` in golden/clip_grad.py.
fn noise(seed: u64, shape: &[usize], dtype: DType) -> Tensor {
    let (mut state, bits) = (seed, if dtype == DType::F32 { 24 } else { 53 });
    let values = (0..shape.iter().product()).map(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let significand = (state >> (64 - bits)) as i64 - (1 << (bits - 1));
        significand as f64 * 2f64.powi(((state >> 4) & 15) as i32 - bits - 6)
    });
    Tensor::from_vec(values.collect::<Vec<f64>>(), shape).to_dtype(dtype)
}

/// The gradient that a golden case describes.
fn gradient(spec: &Json) -> Option<Tensor> {
    if spec.is_null() {
        return None;
    }
    let Some(seed) = spec["seed"].as_u64() else { return Some(tensor(spec)) };
    let dense = noise(seed, &sizes(&spec["shape"]), dtype(&spec["dtype"]));
    Some(match spec["view"].as_str() {
        None => dense,
        Some("t") => dense.t(),
        Some("columns") => dense.slice(1, ..-1, 1),
        Some("step") => dense.slice(0, .., 2),
        Some("permuted") => dense.permute([1, 2, 0]),
        Some("cut") => dense.permute([1, 2, 0]).slice(0, 1.., 1).slice(1, ..-1, 1),
        Some(other) => panic!("the golden data name a view that is not tested: {other}"),
    })
}

fn with_gradient(grad: Option<Tensor>) -> Tensor {
    let parameter = match &grad {
        Some(grad) => Tensor::zeros(grad.sizes(), grad.dtype()),
        None => Tensor::zeros(3, DType::F32),
    };
    parameter.requires_grad_(true).set_grad(grad);
    parameter
}

fn parameters(case: &Json) -> Vec<Tensor> {
    list(&case["gradients"]).iter().map(|spec| with_gradient(gradient(spec))).collect()
}

fn fold(tensor: &Tensor) -> String {
    let bits = |x: f64| match tensor.dtype() {
        DType::F32 if x.is_nan() => 0x7fc0_0000,
        DType::F32 => u64::from((x as f32).to_bits()),
        _ if x.is_nan() => 0x7ff8_0000_0000_0000,
        _ => x.to_bits(),
    };
    let values = tensor.double().to_vec::<f64>();
    format!("{:016x}", values.into_iter().fold(0_u64, |h, x| h.wrapping_mul(31).wrapping_add(bits(x))))
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn options(case: &Json) -> NormOptions {
    let strict = case["error_if_nonfinite"].as_bool().expect("a truth value");
    NormOptions::new().norm_type(float(&case["norm_type"])).error_if_nonfinite(strict)
}

/// Whether all bits of a norm of this order are torch's here: powers come from the mathematical library.
fn is_exact(order: f64) -> bool {
    let library = cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"));
    library || [0.0, 1.0, 2.0, f64::INFINITY, f64::NEG_INFINITY].contains(&order)
}

fn check_gradients(case: &Json, parameters: &[Tensor]) {
    for (parameter, expected) in parameters.iter().zip(list(&case["folds"])) {
        assert_eq!(parameter.grad().as_ref().map(fold).as_deref(), expected.as_str(), "{case}");
    }
}

#[test]
fn clip_grad_norm_has_torchs_bits() {
    let (mut seen, mut refused) = (0, 0);
    for case in cases("clip_grad.json.gz").iter().filter(|case| text(&case["function"]) == "clip_grad_norm_") {
        let parameters = parameters(case);
        let result = clip_grad_norm_with_(&parameters, float(&case["max_norm"]), options(case));
        if let Some(message) = case["error"].as_str() {
            let error = result.expect_err(message);
            assert!(error.to_string().starts_with(message), "{error} instead of {message}");
            refused += 1;
        } else {
            let total = result.expect("torch has no error");
            let expected = float(&case["total"]);
            let near = (total.item() / expected - 1.0).abs() < 1e-6 && !is_exact(float(&case["norm_type"]));
            assert!(near || same(total.item(), expected), "{total} in {case}");
            assert_eq!((total.dtype(), total.dim()), (dtype(&case["total_dtype"]), 0), "{case}");
            assert!(!total.requires_grad());
        }
        if is_exact(float(&case["norm_type"])) {
            check_gradients(case, &parameters);
        }
        seen += 1;
    }
    assert!(seen > 800 && refused > 40, "only {seen} cases, {refused} of them errors");
}

#[test]
fn clip_grad_value_has_torchs_bits() {
    let mut seen = 0;
    for case in cases("clip_grad.json.gz").iter().filter(|case| text(&case["function"]) == "clip_grad_value_") {
        let parameters = parameters(case);
        clip_grad_value_(&parameters, float(&case["clip_value"]));
        check_gradients(case, &parameters);
        seen += 1;
    }
    assert!(seen > 30, "only {seen} cases");
}

#[test]
fn the_two_halves_of_clip_grad_norm_do_the_same() {
    let make = || [5, 6, 7].map(|seed| with_gradient(Some(noise(seed, &[4, seed as usize], DType::F32))));
    let (whole, halves) = (make(), make());
    let total = clip_grad_norm_(&whole, 0.1).unwrap();
    let found = get_total_norm(halves.iter().map(|p| p.grad().unwrap())).unwrap();
    clip_grads_with_norm_(&halves, 0.1, &found);
    assert_eq!(found.item(), total.item());
    for (a, b) in whole.iter().zip(&halves) {
        assert!(a.grad().unwrap().equal(&b.grad().unwrap()));
    }
}

/// `test_clip_grad_norm` of torch: the norm is what was asked for, the direction what it was.
#[test]
fn clipping_scales_to_the_norm_asked_for_and_keeps_the_direction() {
    for order in [0.5, 1.5, 2.0, 4.0, f64::INFINITY] {
        for (seed, max_norm) in [(1, 2.0), (2, 1e-3), (3, 1e6)] {
            let before = [noise(seed, &[10, 10], DType::F64), noise(seed + 9, &[10], DType::F64)];
            let parameters = before.each_ref().map(|grad| with_gradient(Some(grad.copy())));
            let options = NormOptions::new().norm_type(order);
            let norm = clip_grad_norm_with_(&parameters, max_norm, options).unwrap().item();
            let flat: Vec<f64> = before.iter().flat_map(|grad| grad.abs().to_vec::<f64>()).collect();
            let expected = match order {
                f64::INFINITY => flat.iter().copied().fold(0.0, f64::max),
                _ => flat.iter().map(|x| x.powf(order)).sum::<f64>().powf(1.0 / order),
            };
            assert!((norm / expected - 1.0).abs() < 1e-12, "{norm} instead of {expected}");
            let clipped = parameters.each_ref().map(|p| p.grad().unwrap());
            let after = get_total_norm_with(&clipped, options).unwrap().item();
            assert!(after <= max_norm * (1.0 + 1e-12), "norm {after}, at most {max_norm} was asked for");
            let factor = (max_norm / (norm + 1e-6)).min(1.0);
            assert!((after / (factor * norm) - 1.0).abs() < 1e-12, "norm {after} of {norm}");
            for (clipped, before) in clipped.iter().zip(&before) {
                assert!(clipped.allclose(&(before * factor), 1e-14, 0.0));
            }
        }
    }
}

#[test]
fn without_gradients_nothing_is_done() {
    let (bare, none) = (with_gradient(None), Vec::<Tensor>::new());
    for parameters in [vec![bare.clone()], none.clone()] {
        let norm = clip_grad_norm_(&parameters, 1.0).unwrap();
        assert_eq!((norm.item(), norm.dtype(), norm.dim()), (0.0, DType::F32, 0));
        clip_grads_with_norm_(&parameters, 1.0, &Tensor::from(3.0));
        clip_grad_value_(&parameters, 1.0);
    }
    assert!(bare.grad().is_none());
    assert_eq!(get_total_norm(&none).unwrap().item(), 0.0);
}

#[test]
fn empty_gradients_add_nothing_to_norms_of_any_order() {
    for order in [2.0, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.5] {
        let options = NormOptions::new().norm_type(order);
        let empty = Tensor::zeros([0, 3], DType::F64);
        let norm = get_total_norm_with([&empty, &Tensor::from(-4.0f32), &empty], options).unwrap();
        assert_eq!((norm.item(), norm.dtype()), (4.0, DType::F64), "{order}");
        assert_eq!(get_total_norm_with([&empty], options).unwrap().item(), 0.0, "{order}");
    }
}

#[test]
fn parameters_come_in_every_collection() {
    let w = with_gradient(Some(Tensor::from([3.0, 4.0])));
    let list = vec![w.clone()];
    assert_eq!(clip_grad_norm_(&list, 9.0).unwrap().item(), 5.0);
    assert_eq!(clip_grad_norm_(list, 9).unwrap().item(), 5.0);
    assert_eq!(clip_grad_norm_([&w], 9.0f32).unwrap().item(), 5.0);
    assert_eq!(clip_grad_norm_([w.clone()].iter(), 9.0).unwrap().item(), 5.0);
    assert_eq!(clip_grad_norm_(std::iter::once(&w).chain([&w]), 9.0).unwrap().item(), 50f64.sqrt());
}

/// Like `mul_` in torch, which sees the gradient once for each parameter that it belongs to.
#[test]
fn gradients_that_share_memory_are_scaled_through_each_of_them() {
    let shared = Tensor::from([3.0, 4.0]);
    let parameters = [with_gradient(Some(shared.clone())), with_gradient(Some(shared.i(1..2)))];
    let norm = clip_grad_norm_(&parameters, 1.0).unwrap().item();
    assert_eq!(norm, 41f64.sqrt());
    let factor = 1.0 / (norm + 1e-6);
    assert_eq!(shared.to_vec::<f64>(), [3.0 * factor, 4.0 * factor * factor]);
}

#[test]
fn what_is_written_is_not_recorded_but_counted() {
    let w = Tensor::from([3.0, 4.0]).requires_grad_(true);
    w.square().sum().backward_with(tape::BackwardOptions::new().create_graph(true)).unwrap();
    let grad = w.grad().unwrap();
    assert!(grad.requires_grad());
    let (before, name) = (grad.version(), grad.grad_fn_name());
    let norm = clip_grad_norm_([&w], 1.0).unwrap();
    assert!(!norm.requires_grad() && grad.same(&w.grad().unwrap()));
    assert_eq!((grad.version(), grad.grad_fn_name()), (before + 1, name));
    clip_grad_value_([&w], 0.1);
    assert_eq!((grad.version(), grad.grad_fn_name()), (before + 2, name));
}

#[test]
fn a_gradient_that_cannot_be_written_stops_everything_before_it_begins() {
    let good = with_gradient(Some(Tensor::from([3.0, 4.0])));
    let repeated = with_gradient(Some(Tensor::from([1.0]).expand([2])));
    let integer = Tensor::from([1i64]);
    integer.set_grad(Some(Tensor::from([5i64])));
    for (bad, expected) in [
        (repeated, "more than one element of the written-to tensor refers to a single memory location"),
        (integer, "result type Float can't be cast to int64"),
    ] {
        let calls: [(&str, &dyn Fn()); 3] = [
            ("clip_grad_norm_", &|| drop(clip_grad_norm_([&good, &bad], 1.0))),
            ("clip_grads_with_norm_", &|| clip_grads_with_norm_([&good, &bad], 1.0, &Tensor::from(5.0))),
            ("clip_grad_value_", &|| clip_grad_value_([&good, &bad], 1.0)),
        ];
        for (name, call) in calls {
            let refused = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
            let message = refused.downcast_ref::<String>().expect("a formatted message");
            assert!(message.starts_with(name) && message.contains(expected), "{message}");
            assert_eq!(good.grad().unwrap().to_vec::<f64>(), [3.0, 4.0]);
        }
    }
}

/// `test_parameters_to_vector` and `test_vector_to_parameters` of torch, and back again.
#[test]
fn parameters_survive_the_way_through_a_vector() {
    let model = nn::Sequential::new([Linear::new(3, 5).boxed(), Linear::new(5, 2).boxed()]);
    let parameters = model.parameters();
    let vector = no_grad(|| parameters_to_vector(&parameters));
    assert_eq!(vector.shape(), [3 * 5 + 5 + 5 * 2 + 2]);
    let before: Vec<Tensor> = parameters.iter().map(|p| no_grad(|| p.copy())).collect();
    vector_to_parameters(&vector.zeros_like(), &parameters).unwrap();
    assert!(parameters.iter().all(|p| p.eq(0).all().item() == 1.0 && p.is_leaf() && p.requires_grad()));
    vector_to_parameters(&vector, &parameters).unwrap();
    assert!(parameters.iter().zip(&before).all(|(p, before)| p.equal(before)));

    let first = vector.i(0).item();
    vector.fill_(7.0); // not shared, as torch's would be
    assert_eq!(model.parameters()[0].i((0, 0)).item(), first);
}

#[test]
fn vectors_keep_the_order_of_indices_and_the_dtype_of_parameters() {
    let (dense, transposed) = (Tensor::zeros((), DType::F32), Tensor::zeros([3, 2], DType::F64).t());
    let parameters = [&dense, &Tensor::zeros([0, 4], DType::F64), &transposed];
    let vector = Tensor::arange(0.5, 7.5, 1.0);
    vector_to_parameters(&vector, parameters).unwrap();
    assert_eq!(transposed.to_vec::<f64>(), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]);
    assert_eq!((dense.item(), dense.dtype(), dense.version(), transposed.version()), (0.5, DType::F32, 1, 1));
    let back = parameters_to_vector(parameters);
    assert!(back.equal(&vector) && back.dtype() == DType::F64);
    vector_to_parameters(&Tensor::arange(0.0f32, 7.0f32, 1.0f32), parameters).unwrap();
    assert_eq!((transposed.dtype(), transposed.i((1, 2)).item()), (DType::F64, 6.0));
}

#[test]
fn a_vector_that_looks_into_the_parameters_is_read_before_they_are_written() {
    let memory = Tensor::arange(0.0, 6.0, 1.0);
    let parameters = [memory.i(2..5), memory.i(0..2)];
    vector_to_parameters(&memory.i(0..5), &parameters).unwrap();
    assert_eq!(memory.to_vec::<f64>(), [3.0, 4.0, 0.0, 1.0, 2.0, 5.0]);
}

#[test]
fn a_vector_of_another_length_is_an_error_and_writes_nothing() {
    let parameters = [Tensor::zeros([2, 3], DType::F32), Tensor::zeros(3, DType::F32)];
    let give = |n: usize| vector_to_parameters(&Tensor::ones(n, DType::F32), &parameters).unwrap_err();
    let short = give(8);
    assert_eq!(short, Error::VectorTooShort { shape: vec![3], left: 2, vector: 8, parameters: 9 });
    assert!(short.to_string().starts_with("shape '[3]' is invalid for input of size 2"), "{short}");
    assert!(give(1).to_string().starts_with("shape '[2, 3]' is invalid for input of size 1"));
    assert_eq!(give(12), Error::VectorTooLong { vector: 12, parameters: 9 });
    assert_eq!(give(12).to_string(), "the vector has 12 elements, but the parameters have 9; nothing was written");
    assert!(parameters.iter().all(|p| p.version() == 0 && p.eq(0).all().item() == 1.0));
}

#[test]
#[should_panic(expected = "a floating-point vector is expected, but got float32 of shape [1, 2]")]
fn a_matrix_is_no_vector() {
    drop(vector_to_parameters(&Tensor::ones([1, 2], DType::F32), [Tensor::zeros(2, DType::F32)]));
}

#[test]
#[should_panic(expected = "expected a non-empty list of Tensors")]
fn no_parameters_make_no_vector() {
    parameters_to_vector(Vec::<Tensor>::new());
}
