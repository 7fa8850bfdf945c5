//! Every layer with every option against torch: initial values bit for bit, and what the generator draws next; state
//! dicts; outputs, gradients and running statistics; and derivatives of both orders against finite differences.

mod golden;

use golden::{cases, dtype, list, tensor, text};
use nn::*;
use serde_json::Value as Json;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tape::{DType, Tensor, grad, gradcheck, gradgradcheck};

/// The process-wide generator is one: tests that seed it take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dense(name: &str, dtype: DType) -> Box<dyn Module> {
    match name {
        "Embedding" => Embedding::builder(4, 3).dtype(dtype).build().boxed(),
        "Embedding/padding 3" => Embedding::builder(4, 3).padding_idx(3).dtype(dtype).build().boxed(),
        "Embedding/padding -4" => Embedding::builder(4, 3).padding_idx(-4).dtype(dtype).build().boxed(),
        "Bilinear" => Bilinear::builder(3, 4, 2).dtype(dtype).build().boxed(),
        "Bilinear/no bias" => Bilinear::builder(2, 2, 3).bias(false).dtype(dtype).build().boxed(),
        "Dropout" => Dropout::default().boxed(),
        "Dropout/0.2" => Dropout::new(0.2).boxed(),
        "Conv1d" | "Conv1d/one line" => Conv1d::builder(4, 6, 3).dtype(dtype).build().boxed(),
        "Conv1d/options" => {
            let halved = Conv1d::builder(4, 6, 3).stride(2).padding(1).dilation(2).groups(2);
            halved.bias(false).dtype(dtype).build().boxed()
        }
        "Conv1d/circular same" => {
            let same = Conv1d::builder(4, 2, 4).padding_same().padding_mode(PadMode::Circular);
            same.dtype(dtype).build().boxed()
        }
        "Conv2d" => Conv2d::builder(4, 3, 3).dtype(dtype).build().boxed(),
        "Conv2d/batch" => Conv2d::builder(2, 1, 2).dtype(dtype).build().boxed(),
        "Conv2d/options" => {
            let options = Conv2d::builder(4, 6, [3, 2]).stride([2, 1]).padding([1, 0]).dilation([1, 2]).groups(2);
            options.dtype(dtype).build().boxed()
        }
        "Conv2d/same" => Conv2d::builder(4, 2, [3, 2]).padding_same().bias(false).dtype(dtype).build().boxed(),
        "Conv2d/reflect" => {
            let mirrored = Conv2d::builder(4, 2, 3).padding([1, 2]).padding_mode(PadMode::Reflect);
            mirrored.dtype(dtype).build().boxed()
        }
        "Conv2d/replicate same" => {
            let same = Conv2d::builder(4, 2, [2, 3]).dilation([1, 2]).padding_same();
            same.padding_mode(PadMode::Replicate).dtype(dtype).build().boxed()
        }
        "ConvTranspose2d" => ConvTranspose2d::builder(4, 2, 3).dtype(dtype).build().boxed(),
        "ConvTranspose2d/options" => {
            let wide = ConvTranspose2d::builder(4, 6, [3, 2]).stride([2, 3]).padding(1).output_padding([1, 2]);
            wide.groups(2).dilation([1, 2]).bias(false).dtype(dtype).build().boxed()
        }
        _ => norm(name, dtype),
    }
}

fn norm(name: &str, dtype: DType) -> Box<dyn Module> {
    let batch = || BatchNorm1d::builder(3).dtype(dtype);
    match name {
        "BatchNorm1d" => batch().build().boxed(),
        "BatchNorm1d/average" => batch().momentum(None).build().boxed(),
        "BatchNorm1d/options" => batch().eps(0.5).momentum(0.75).build().boxed(),
        "BatchNorm1d/plain" => batch().affine(false).build().boxed(),
        "BatchNorm1d/untracked" => batch().track_running_stats(false).build().boxed(),
        "BatchNorm2d" => BatchNorm2d::builder(3).dtype(dtype).build().boxed(),
        "LayerNorm" => LayerNorm::builder(4).dtype(dtype).build().boxed(),
        "LayerNorm/options" => LayerNorm::builder([3, 4]).eps(0.5).bias(false).dtype(dtype).build().boxed(),
        "LayerNorm/plain" => LayerNorm::builder(4).elementwise_affine(false).dtype(dtype).build().boxed(),
        "GroupNorm" => GroupNorm::builder(2, 6).dtype(dtype).build().boxed(),
        "GroupNorm/options" => GroupNorm::builder(3, 6).eps(0.5).affine(false).dtype(dtype).build().boxed(),
        _ => plain(name, dtype),
    }
}

fn plain(name: &str, dtype: DType) -> Box<dyn Module> {
    match name {
        "MaxPool2d" => MaxPool2d::new(2).boxed(),
        "MaxPool2d/options" => MaxPool2d::new([3, 2]).stride(2).padding(1).dilation([1, 2]).ceil_mode(true).boxed(),
        "AvgPool2d" => AvgPool2d::new([3, 2]).boxed(),
        "AvgPool2d/options" => AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false).boxed(),
        "AdaptiveAvgPool2d" => AdaptiveAvgPool2d::new([2, 4]).boxed(),
        "AdaptiveAvgPool2d/own" => AdaptiveAvgPool2d::new([-1, 1]).boxed(),
        "Upsample" => Upsample::new(Interpolate::scale(2)).boxed(),
        "Upsample/bilinear" => {
            Upsample::new(Interpolate::size([7, 9]).mode(InterpolateMode::Bilinear).align_corners(true)).boxed()
        }
        "GELU" => GELU::new().boxed(),
        "GELU/tanh" => GELU::new().tanh(true).boxed(),
        "SiLU" => SiLU.boxed(),
        "ELU" => ELU::new().boxed(),
        "ELU/alpha" => ELU::new().alpha(0.5).boxed(),
        "LeakyReLU" => LeakyReLU::new().boxed(),
        "LeakyReLU/slope" => LeakyReLU::new().negative_slope(0.25).boxed(),
        "PReLU" => PReLU::builder().dtype(dtype).build().boxed(),
        "PReLU/channels" => PReLU::builder().num_parameters(3).init(0.1).dtype(dtype).build().boxed(),
        "Hardtanh" => Hardtanh::new().boxed(),
        "Hardtanh/bounds" => Hardtanh::new().min_val(-2.25).max_val(3.3).boxed(),
        "ReLU6" => ReLU6.boxed(),
        "Mish" => Mish.boxed(),
        "Softsign" => Softsign.boxed(),
        "SELU" => SELU.boxed(),
        "Hardswish" => Hardswish.boxed(),
        "Hardsigmoid" => Hardsigmoid.boxed(),
        other => panic!("the golden data name a layer that is not tested: {other}"),
    }
}

/// The layer of a case, after torch's seed.
fn made(case: &Json) -> Box<dyn Module> {
    tape::manual_seed(7);
    dense(text(&case["name"]), dtype(&case["dtype"]))
}

fn forward(layer: &dyn Module, inputs: &[Tensor]) -> Tensor {
    match layer.downcast_ref::<Bilinear>() {
        Some(bilinear) => bilinear.forward(&inputs[0], &inputs[1]),
        None => layer.forward(&inputs[0]),
    }
}

/// The names and tensors of a state in the golden data.
fn state(state: &Json) -> Vec<(String, Tensor)> {
    list(state).iter().map(|entry| (text(&entry["name"]).to_owned(), tensor(entry))).collect()
}

fn load(layer: &dyn Module, saved: &Json) {
    let saved: checkpoint::Dict = state(saved).into_iter().collect();
    layer.load_state_dict(&checkpoint::Value::Dict(saved)).expect("torch's keys are the layer's");
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.dtype() {
        DType::F32 => tensor.to_vec::<f32>().iter().map(|x| x.to_bits().into()).collect(),
        DType::F64 => tensor.to_vec::<f64>().iter().map(|x| x.to_bits()).collect(),
        _ => tensor.to_vec::<i64>().iter().map(|&x| x as u64).collect(),
    }
}

fn differs(found: &Tensor, expected: &Tensor, what: &str) -> Option<String> {
    if (found.shape(), found.dtype()) != (expected.shape(), expected.dtype()) {
        let described = |t: &Tensor| format!("{:?} {}", t.shape(), t.dtype());
        return Some(format!("{what}: {} against {}", described(found), described(expected)));
    }
    // torch's gradient of Hardsigmoid has the single-precision 1/6 in double precision too.
    let single = expected.dtype() == DType::F32 || what == "gradient 0 of Hardsigmoid";
    let tolerance = if single { 4e-6 } else { 1e-14 };
    let values = |t: &Tensor| t.detach().double().to_vec::<f64>();
    let (found, expected) = (values(found), values(expected));
    let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * size;
    (!found.iter().zip(&expected).all(close)).then(|| format!("{what}: {found:?} against torch's {expected:?}"))
}

#[test]
fn layers_start_as_torchs_bit_for_bit() {
    let _turn = turn();
    for case in cases("layers.json.gz") {
        let (name, layer) = (text(&case["name"]), made(&case));
        let next = Tensor::rand([1], dtype(&case["dtype"])).item();
        let expected = state(&case["initial"]);
        let found = layer.state_dict();
        let keys: Vec<&str> = found.keys().map(|key| key.as_str().unwrap()).collect();
        assert_eq!(keys, expected.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), "{name}");
        for (key, expected) in &expected {
            let found = found[key.as_str()].as_tensor().unwrap();
            assert_eq!((found.shape(), found.dtype()), (expected.shape(), expected.dtype()), "{key} of {name}");
            assert_eq!(bits(found), bits(expected), "{key} of {name}");
        }
        assert_eq!(next, golden::float(&case["next"]), "what {name} leaves of the generator");
        assert!(layer.parameters().iter().all(|p| p.requires_grad() && p.is_leaf()), "{name}");
        assert!(layer.buffers().iter().all(|b| !b.requires_grad()), "{name}");
    }
}

/// Runs the steps of a case and hands each of them to `look`.
fn run(case: &Json, mut look: impl FnMut(&Json, &dyn Module, Vec<Tensor>)) -> Box<dyn Module> {
    let layer = made(case);
    load(&*layer, &case["loaded"]);
    for step in list(&case["steps"]) {
        layer.train(step["training"].as_bool().expect("a bool"));
        tape::manual_seed(11);
        let inputs = list(&step["inputs"]).iter().map(|input| {
            let input = tensor(input);
            let float = input.dtype().is_floating_point();
            input.requires_grad_(float)
        });
        look(step, &*layer, inputs.collect());
    }
    layer
}

#[test]
fn outputs_gradients_and_running_statistics_are_torchs() {
    let _turn = turn();
    let mut wrong = Vec::new();
    for case in cases("layers.json.gz") {
        let name = text(&case["name"]);
        let layer = run(&case, |step, layer, inputs| {
            let output = forward(layer, &inputs);
            wrong.extend(differs(&output, &tensor(&step["output"]), name));
            let mut learned: Vec<Tensor> = inputs.into_iter().filter(Tensor::requires_grad).collect();
            learned.extend(layer.parameters());
            let cotangent = Tensor::arange(0, output.numel(), 1).reshape(output.shape());
            let cotangent = cotangent.to_dtype(output.dtype()) / 4.0 + 1.0;
            let gradients = grad((output * cotangent).sum(), &learned[..]).compute().unwrap();
            assert_eq!(gradients.len(), list(&step["gradients"]).len(), "{name}");
            for (i, (gradient, expected)) in gradients.iter().zip(list(&step["gradients"])).enumerate() {
                wrong.extend(differs(gradient, &tensor(expected), &format!("gradient {i} of {name}")));
            }
        });
        let found = layer.state_dict();
        for (key, expected) in state(&case["final"]) {
            wrong.extend(differs(found[key.as_str()].as_tensor().unwrap(), &expected, &format!("{key} of {name}")));
        }
    }
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

/// A layer that computes with these parameters, and shares all else.
fn with_parameters(layer: &dyn Module, parameters: &[Tensor]) -> Box<dyn Module> {
    let bias = parameters.get(1).cloned();
    macro_rules! replaced {
        ($($weight:ident: $($layer:ident)*;)*) => {$($(
            if let Some(layer) = layer.downcast_ref::<$layer>() {
                let mut layer = layer.clone();
                replaced!(@$weight layer);
                return layer.boxed();
            }
        )*)*};
        (@both $layer:ident) => { ($layer.weight, $layer.bias) = (parameters[0].clone(), bias) };
        (@optional $layer:ident) => { ($layer.weight, $layer.bias) = (parameters.first().cloned(), bias) };
        (@one $layer:ident) => { $layer.weight = parameters[0].clone() };
    }
    if parameters.is_empty() {
        return layer.boxed_copy(&mut Copies::new());
    }
    replaced! {
        both: Conv1d Conv2d ConvTranspose2d Bilinear;
        optional: BatchNorm1d BatchNorm2d LayerNorm GroupNorm;
        one: Embedding PReLU;
    }
    panic!("{} has parameters that are not tested", layer.type_name())
}

#[test]
fn derivatives_of_both_orders_pass_finite_differences() {
    let _turn = turn();
    let smooth = |case: &Json| case["smooth"].as_bool().unwrap() && text(&case["dtype"]) == "f64";
    for case in cases("layers.json.gz").iter().filter(|case| smooth(case)) {
        let name = text(&case["name"]);
        run(case, |_, layer, inputs| {
            let parameters = layer.parameters();
            let count = inputs.len();
            let function = |x: &[Tensor]| forward(&*with_parameters(layer, &x[count..]), &x[..count]);
            let all: Vec<&Tensor> = inputs.iter().chain(&parameters).collect();
            gradcheck(function, &all).unwrap_or_else(|e| panic!("{name}: {e}"));
            gradgradcheck(function, &all).unwrap_or_else(|e| panic!("{name}: {e}"));
        });
    }
}

/// Copies and reloaded layers compute the same, in their own memory.
#[test]
fn copies_and_state_dicts_carry_everything() {
    let _turn = turn();
    for case in cases("layers.json.gz") {
        let name = text(&case["name"]);
        let layer = run(&case, |_, layer, inputs| {
            forward(layer, &inputs);
        });
        let copy = layer.deep_copy();
        assert_eq!((copy.state_dict(), copy.is_training()), (layer.state_dict(), layer.is_training()), "{name}");
        let fresh = made(&case);
        fresh.load_state_dict(&layer.state_dict()).unwrap();
        fresh.eval();
        assert_eq!(fresh.state_dict(), layer.state_dict(), "{name}");
        copy.eval();
        layer.eval();
        let step = &list(&case["steps"])[0];
        let inputs: Vec<Tensor> = list(&step["inputs"]).iter().map(tensor).collect();
        let expected = bits(&forward(&*layer, &inputs));
        for other in [&fresh, &copy] {
            assert_eq!(bits(&forward(&**other, &inputs)), expected, "{name}");
        }
        for parameter in copy.parameters() {
            init::zeros_(&parameter);
        }
        assert!(copy.parameters().is_empty() || copy.state_dict() != layer.state_dict(), "{name}");
    }
}
