//! What holds for modules of every kind: names, order, sharing, object safety.

use nn::{Linear, Module, ReLU, Sequential, Sigmoid, Tanh};
use tape::{DType, Tensor};

fn names(module: &dyn Module) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn names_are_torchs_dotted_paths() {
    let inner =
        Sequential::new([Linear::new(3, 3).boxed(), ReLU.boxed(), Linear::builder(3, 2).bias(false).build().boxed()]);
    let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed(), inner.boxed()]);
    assert_eq!(names(&model), ["0.weight", "0.bias", "2.0.weight", "2.0.bias", "2.2.weight"]);
    let shapes: Vec<Vec<usize>> = model.parameters().iter().map(|p| p.shape().to_vec()).collect();
    assert_eq!(shapes, [vec![3, 2], vec![3], vec![3, 3], vec![3], vec![2, 3]]);
}

#[test]
fn parameters_are_the_very_tensors_of_the_layers() {
    let layer = Linear::new(2, 2);
    let model = Sequential::new([layer.clone().boxed()]);
    assert!(model.parameters()[0].same(&layer.weight));
    model.requires_grad_(false);
    assert!(!layer.weight.requires_grad());
}

/// As `torch.nn.Module.named_parameters`: the first name wins.
#[test]
fn a_shared_layer_is_listed_once() {
    let shared = Linear::new(4, 4);
    let model = Sequential::new([shared.clone().boxed(), Tanh.boxed(), shared.boxed()]);
    assert_eq!(names(&model), ["0.weight", "0.bias"]);
}

#[test]
fn a_chain_applies_its_modules_in_order() {
    let x = Tensor::from([[-1.5, 0.5]]);
    let model = Sequential::new([Tanh.boxed(), ReLU.boxed(), Sigmoid.boxed()]);
    let value = |x: f64| 1.0 / (1.0 + (-x.tanh().max(0.0)).exp());
    let y = model.forward(&x).to_vec::<f64>();
    assert!(y.iter().zip([value(-1.5), value(0.5)]).all(|(y, v)| (y - v).abs() < 1e-15));
    assert!(names(&model).is_empty());
}

#[test]
fn an_empty_chain_is_the_identity() {
    let x = Tensor::zeros([2], DType::F32);
    let model = Sequential::default();
    assert!(model.is_empty() && model.iter().len() == 0);
    assert!(model.forward(&x).same(&x));
}

#[test]
fn models_cross_threads() {
    let model = Sequential::new([Linear::new(2, 1).boxed(), Tanh.boxed()]);
    let x = Tensor::ones([3, 2], DType::F32);
    let here = model.forward(&x).to_vec::<f32>();
    let there = std::thread::scope(|s| s.spawn(|| model.forward(&x).to_vec::<f32>()).join().unwrap());
    assert_eq!(here, there);
}
