//! Layers in models: names, modes, copies, options that are no numbers, and what they refuse.

use nn::functional as f;
use nn::*;
use tape::{DType, Tensor};

fn keys(module: &dyn Module) -> Vec<String> {
    module.state_dict().keys().map(|key| key.as_str().expect("a string key").to_owned()).collect()
}

fn network() -> Sequential {
    Sequential::new([
        Conv2d::new(1, 2, 3).boxed(),
        BatchNorm2d::new(2).boxed(),
        PReLU::new().boxed(),
        MaxPool2d::new(2).boxed(),
        Flatten::new().boxed(),
        Dropout::new(0.5).boxed(),
        Linear::new(18, 3).boxed(),
        LayerNorm::new(3).boxed(),
    ])
}

/// The keys of torch's state dict of the same network.
#[test]
fn names_are_torchs() {
    let expected = "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked 2.weight \
                    6.weight 6.bias 7.weight 7.bias";
    let model = network();
    assert_eq!(keys(&model).join(" "), expected);
    let parameters: Vec<String> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(parameters.join(" "), "0.weight 0.bias 1.weight 1.bias 2.weight 6.weight 6.bias 7.weight 7.bias");
    let buffers: Vec<String> = model.named_buffers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(buffers.join(" "), "1.running_mean 1.running_var 1.num_batches_tracked");
    assert_eq!(keys(&Embedding::new(3, 2)), ["weight"]);
    assert_eq!(keys(&Bilinear::builder(3, 2, 1).bias(false).build()), ["weight"]);
    assert_eq!(keys(&GroupNorm::builder(1, 2).affine(false).build()), [""; 0]);
    assert_eq!(keys(&BatchNorm1d::builder(2).track_running_stats(false).build()), ["weight", "bias"]);
    assert_eq!(
        keys(&BatchNorm1d::builder(2).affine(false).build()),
        ["running_mean", "running_var", "num_batches_tracked"]
    );
}

#[test]
fn training_moves_statistics_and_drops_and_evaluation_does_not() {
    let (model, x) = (network(), Tensor::randn([4, 1, 8, 8], DType::F32));
    model.eval();
    let fresh = model.state_dict().deep_copy();
    assert_eq!(model.forward(&x).to_vec::<f32>(), model.forward(&x).to_vec::<f32>());
    assert_eq!(model.state_dict(), fresh);
    model.train(true);
    assert_ne!(model.forward(&x).to_vec::<f32>(), model.forward(&x).to_vec::<f32>());
    let batches = model.state_dict()["1.num_batches_tracked"].as_tensor().unwrap().clone();
    assert_eq!((batches.item_as::<i64>(), batches.dtype(), batches.dim()), (2, DType::I64, 0));
    assert_ne!(model.state_dict(), fresh);
    model.apply(|module| {
        if let Some(norm) = module.downcast_ref::<BatchNorm2d>() {
            norm.reset_running_stats();
        }
    });
    assert_eq!(model.state_dict(), fresh);
}

#[test]
fn a_copy_of_another_dtype_keeps_the_counter() {
    let (model, x) = (network(), Tensor::randn([4, 1, 8, 8], DType::F32));
    model.forward(&x);
    let double = model.to_dtype(DType::F64);
    let state = double.state_dict();
    let dtype = |key: &str| state[key].as_tensor().unwrap().dtype();
    assert_eq!(dtype("1.running_mean"), DType::F64);
    assert_eq!(dtype("1.num_batches_tracked"), DType::I64);
    assert_eq!(state["1.num_batches_tracked"].as_tensor().unwrap().item(), 1.0);
    model.eval();
    double.eval();
    assert!(double.forward(&x.double()).allclose(&model.forward(&x).double(), 1e-4, 1e-5));
    double.train(true);
    double.forward(&x.double());
    assert_eq!(model.state_dict()["1.num_batches_tracked"].as_tensor().unwrap().item(), 1.0);
}

/// A row of padding may hold any values; only its gradient is nothing.
#[test]
fn padding_is_read_and_not_learned() {
    let table = Embedding::builder(3, 2).padding_idx(-1).dtype(DType::F64).build();
    assert_eq!(table.weight.to_vec::<f64>()[4..], [0.0, 0.0]);
    init::ones_(&table.weight);
    let rows = table.forward(&Tensor::from([2i64, 1, 1]));
    assert_eq!(rows.to_vec::<f64>(), [1.0; 6]);
    rows.sum().backward().unwrap();
    assert_eq!(table.weight.grad().unwrap().to_vec::<f64>(), [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]);
}

#[test]
fn given_tensors_are_the_parameters() {
    let weight = parameter(Tensor::ones([1, 1, 2], DType::F64));
    let layer = Conv1d::from_tensors(weight.clone(), None, ConvOptions::new().stride(2));
    assert!(layer.weight.same(&weight) && layer.bias.is_none());
    assert_eq!(layer.forward(&Tensor::from([[[1.0, 2.0, 3.0, 4.0]]])).to_vec::<f64>(), [3.0, 7.0]);
    let table = Embedding::from_pretrained(Tensor::from([[1.0], [2.0]]), false);
    assert!(table.weight.requires_grad());
}

/// Each function against the plain definition at one point where the functions of its family differ.
#[test]
fn functions_are_the_operations_of_their_names() {
    let values = |t: Tensor| t.to_vec::<f64>();
    let cube = Tensor::ones([1, 1, 2, 2, 2], DType::F64);
    assert_eq!(values(f::conv3d(&cube, &cube, None, ConvOptions::new())), [8.0]);
    assert_eq!(f::conv_transpose3d(&cube, &cube, None, ConvOptions::new()).shape(), [1, 1, 3, 3, 3]);
    let image = Tensor::from([[[[1.0, 2.0], [3.0, 6.0]]]]);
    let ones = Tensor::ones([1, 1, 2, 2], DType::F64);
    assert_eq!(values(f::conv2d(&image, &ones, None, ConvOptions::new())), [12.0]);
    let spread = [1.0, 3.0, 2.0, 4.0, 12.0, 8.0, 3.0, 9.0, 6.0];
    assert_eq!(values(f::conv_transpose2d(&image, &ones, None, ConvOptions::new())), spread);
    assert_eq!(values(f::max_pool2d(&image, PoolOptions::new(2))), [6.0]);
    assert_eq!(f::max_pool2d_with_indices(&image, PoolOptions::new(2)).1.to_vec::<i64>(), [3]);
    assert_eq!(values(f::avg_pool2d(&image, PoolOptions::new(2))), [3.0]);
    assert_eq!(values(f::adaptive_avg_pool2d(&image, [1, 2])), [2.0, 4.0]);
    assert_eq!(values(f::adaptive_max_pool2d(&image, [2, 1])), [2.0, 6.0]);
    assert_eq!(values(f::adaptive_max_pool1d(&Tensor::from([[1.0, 5.0, 3.0]]), 1)), [5.0]);

    let x = Tensor::from([-1.0, 2.0]);
    let e = (-1.0_f64).exp_m1();
    let near = |found: Tensor, expected: [f64; 2]| {
        assert!(found.allclose(&Tensor::from(expected), 1e-14, 0.0), "{found} against {expected:?}");
    };
    near(f::elu(&x, 0.5), [0.5 * e, 2.0]);
    near(f::celu(&x, 0.5), [0.5 * (-2.0_f64).exp_m1(), 2.0]);
    near(f::selu(&x), [1.0507009873554805 * 1.6732632423543772 * e, 2.0 * 1.0507009873554805]);
    near(f::prelu(&x, &Tensor::from([0.25])), [-0.25, 2.0]);
    near(f::silu(&x), [-1.0 / (1.0 + 1.0_f64.exp()), 2.0 / (1.0 + (-2.0_f64).exp())]);
    let mish = |x: f64| x * x.exp().ln_1p().tanh();
    near(f::mish(&x), [mish(-1.0), mish(2.0)]);
    near(f::tanhshrink(&x), [-1.0 - (-1.0_f64).tanh(), 2.0 - 2.0_f64.tanh()]);
    let softmin = 1.0 / (1.0 + 3.0_f64.exp());
    near(f::softmin(&x, 0), [1.0 - softmin, softmin]);
    near(f::gelu(&x), [-0.15865525393145707, 1.9544997361036416]);
    assert!((f::gelu_tanh(&x) - Tensor::from([-0.15880800939172324, 1.954597694087775])).abs().max().item() < 1e-14);
}

fn panics_with<T>(text: &str, call: impl FnOnce() -> T) {
    let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) else { panic!("no panic: {text}") };
    let plain = || panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = panic.downcast_ref::<String>().cloned().or_else(plain).expect("a panic with a text");
    assert!(message.contains(text), "{message}");
}

/// The texts begin with torch's where torch has one.
#[test]
fn what_a_layer_refuses_is_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
    panics_with("in_channels must be divisible by groups", || Conv2d::builder(3, 4, 3).groups(2).build());
    panics_with("out_channels must be divisible by groups", || Conv1d::builder(4, 3, 3).groups(2).build());
    panics_with("groups must be a positive integer", || Conv1d::builder(4, 3, 3).groups(0).build());
    panics_with("kernel_size must be one number or 2 of them, each at least 1, but got [3, 3, 3]", || {
        Conv2d::new(1, 1, [3, 3, 3])
    });
    panics_with("padding='same' is not supported for strided convolutions", || {
        Conv2d::builder(1, 1, 3).stride(2).padding_same().build()
    });
    panics_with("Conv1d: parameters must be floating point", || Conv1d::builder(1, 1, 1).dtype(DType::I64).build());
    panics_with("takes a weight of 4 dimensions", || Conv2d::from_tensors(zeros(&[1, 1, 2]), None, ConvOptions::new()));
    panics_with("conv2d", || Conv2d::new(3, 1, 1).forward(&zeros(&[1, 2, 4, 4])));
    panics_with("expected 2D or 3D input (got 4D input)", || BatchNorm1d::new(2).forward(&zeros(&[1, 2, 1, 1])));
    panics_with("expected 4D input (got 2D input)", || BatchNorm2d::new(2).forward(&zeros(&[1, 2])));
    panics_with("Expected more than 1 value per channel when training", || {
        BatchNorm1d::new(2).forward(&zeros(&[1, 2]))
    });
    panics_with("num_channels (4) must be divisible by num_groups (3)", || GroupNorm::new(3, 4));
    panics_with("normalized_shape must name", || LayerNorm::new([3, -1]));
    panics_with("Given normalized_shape=[3]", || LayerNorm::new(3).forward(&zeros(&[3, 2])));
    panics_with("Padding_idx must be within num_embeddings", || Embedding::builder(3, 1).padding_idx(3).build());
    panics_with("Padding_idx must be within num_embeddings", || Embedding::builder(3, 1).padding_idx(-4).build());
    panics_with("Embeddings parameter is expected to be 2-dimensional", || {
        Embedding::from_pretrained(zeros(&[3]), true)
    });
    panics_with("dropout probability has to be between 0 and 1, but got 1.5", || Dropout::new(1.5));
    panics_with("forward takes two inputs", || Module::forward(&Bilinear::new(1, 1, 1), &zeros(&[1, 1])));
    panics_with("in1_features must be > 0", || Bilinear::new(0, 1, 1));
}
