//! What holds for modules of every kind: names, order, sharing, object safety, modes, walks, copies.

use nn::{
    Copies, DeepCopy, Flatten, Identity, Linear, LogSoftmax, Members, Mode, Module, ModuleDict, ModuleList,
    ParameterList, ReLU, Sequential, Sigmoid, Softmax, Softplus, Tanh, Unflatten, child_parameters, init, parameter,
};
use tape::{DType, Tensor};

fn names(module: &dyn Module) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

/// A module with everything that a module can own.
struct Everything {
    scale: Tensor,
    mean: Tensor,
    mask: Tensor,
    layers: Vec<Linear>,
    blocks: ModuleList,
    mode: Mode,
}

impl Everything {
    fn new() -> Everything {
        Everything {
            scale: parameter(2.0f32),
            mean: Tensor::from([0.5f32, -0.5]),
            mask: Tensor::ones(2, DType::F32),
            layers: vec![Linear::new(2, 2), Linear::builder(2, 2).bias(false).build()],
            blocks: ModuleList::new([Tanh.boxed(), Noise::default().boxed()]),
            mode: Mode::new(),
        }
    }
}

impl Module for Everything {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.layers.iter().fold((x - &self.mean) * &self.mask, |x, layer| layer.forward(&x));
        &self.scale * self.blocks.iter().fold(x, |x, block| block.forward(&x))
    }

    fn members(&self) -> Members<'_> {
        Members::new()
            .modules("layers", &self.layers)
            .module("blocks", &self.blocks)
            .buffer("mean", &self.mean)
            .unsaved_buffer("mask", &self.mask)
            .parameter("scale", &self.scale)
            .mode(&self.mode)
    }

    fn boxed_copy(&self, copies: &mut Copies) -> Box<dyn Module> {
        self.copy_with(copies).boxed()
    }
}

impl DeepCopy for Everything {
    fn copy_with(&self, copies: &mut Copies) -> Everything {
        Everything {
            scale: self.scale.copy_with(copies),
            mean: self.mean.copy_with(copies),
            mask: self.mask.copy_with(copies),
            layers: self.layers.copy_with(copies),
            blocks: self.blocks.copy_with(copies),
            mode: self.mode.copy_with(copies),
        }
    }
}

/// Adds one in training.
#[derive(Default)]
struct Noise {
    mode: Mode,
}

impl Module for Noise {
    fn forward(&self, x: &Tensor) -> Tensor {
        if self.mode.is_training() { x + 1.0 } else { x.clone() }
    }

    fn members(&self) -> Members<'_> {
        Members::new().mode(&self.mode)
    }

    fn boxed_copy(&self, copies: &mut Copies) -> Box<dyn Module> {
        Noise { mode: self.mode.copy_with(copies) }.boxed()
    }
}

/// A module that only lists its parameters.
struct Listed(Linear);

impl Module for Listed {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.0.forward(x)
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        child_parameters([("inner", &self.0 as &dyn Module)])
    }
}

#[test]
fn names_are_torchs_dotted_paths() {
    let inner =
        Sequential::new([Linear::new(3, 3).boxed(), ReLU.boxed(), Linear::builder(3, 2).bias(false).build().boxed()]);
    let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed(), inner.boxed()]);
    assert_eq!(names(&model), ["0.weight", "0.bias", "2.0.weight", "2.0.bias", "2.2.weight"]);
    let shapes: Vec<Vec<usize>> = model.parameters().iter().map(|p| p.shape().to_vec()).collect();
    assert_eq!(shapes, [vec![3, 2], vec![3], vec![3, 3], vec![3], vec![2, 3]]);
    assert_eq!(model.num_parameters(), 6 + 3 + 9 + 3 + 6);
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
    assert!(model.is_empty() && model.iter().len() == 0 && model.get(0).is_none());
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

/// torch: own parameters, then those of the children in the order of registration.
#[test]
fn own_parameters_come_before_those_of_children() {
    let model = Everything::new();
    assert_eq!(names(&model), ["scale", "layers.0.weight", "layers.0.bias", "layers.1.weight"]);
    let buffers: Vec<String> = model.named_buffers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(buffers, ["mean", "mask"]);
    let boxed = Sequential::named([("all", model.boxed())]);
    assert_eq!(boxed.named_buffers()[1].0, "all.mask");
    assert_eq!(boxed.buffers().len(), 2);
}

#[test]
fn a_module_that_lists_its_parameters_has_them_everywhere() {
    let model = Sequential::new([Tanh.boxed(), Listed(Linear::new(2, 1)).boxed()]);
    assert_eq!(names(&model), ["1.inner.weight", "1.inner.bias"]);
    let state = model.state_dict();
    assert_eq!(state.len(), 2);
    model.load_state_dict(&state.deep_copy()).unwrap();
}

#[test]
fn layers_of_a_chain_are_read_and_replaced() {
    let mut model = Sequential::named([("map", Linear::new(2, 2).boxed()), ("end", Tanh.boxed())]);
    assert_eq!(model[0].downcast_ref::<Linear>().unwrap().in_features(), 2);
    assert!(model["end"].is::<Tanh>() && !model["end"].is::<ReLU>());
    model["end"] = ReLU.boxed();
    model[0] = Identity.boxed();
    assert_eq!(model.forward(&Tensor::from([-1.0, 1.0])).to_vec::<f64>(), [0.0, 1.0]);
    model.push(Linear::new(2, 1));
    assert_eq!(names(&model), ["2.weight", "2.bias"]);
}

#[test]
#[should_panic(expected = "no module is named \"head\"; there are [\"0\"]")]
fn an_unknown_name_is_refused() {
    let _ = &Sequential::new([Tanh.boxed()])["head"];
}

#[test]
#[should_panic(expected = "index 1 is out of range; the chain has 1 modules")]
fn a_position_beyond_the_chain_is_refused() {
    let _ = &Sequential::new([Tanh.boxed()])[1];
}

#[test]
#[should_panic(expected = "module name can't contain \".\", got: a.b")]
fn names_have_no_dots() {
    Sequential::named([("a.b", Tanh.boxed())]).parameters();
}

#[test]
fn modes_reach_every_part() {
    let model = Sequential::new([Everything::new().boxed(), Linear::new(2, 1).boxed()]);
    let block = || model[0].downcast_ref::<Everything>().unwrap();
    let noisy = block().blocks[1].forward(&Tensor::from([1.0])).item();
    model.eval();
    assert!(!model.is_training() && !block().is_training() && !block().blocks.is_training());
    assert_eq!((noisy, block().blocks[1].forward(&Tensor::from([1.0])).item()), (2.0, 1.0));
    model.train(true);
    assert!(model.is_training() && block().blocks[1].is_training());
    // Without a mode of its own a module is in that of its parts.
    struct Around(Noise);
    impl Module for Around {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.0.forward(x)
        }
        fn members(&self) -> Members<'_> {
            Members::new().module("inner", &self.0)
        }
    }
    let around = Around(Noise::default());
    around.eval();
    assert!(!around.is_training() && around.forward(&Tensor::from([1.0])).item() == 1.0);
}

/// torch: `for module in self.children(): module.apply(fn)`, then `fn(self)`.
#[test]
fn apply_meets_children_before_parents() {
    let model = Sequential::new([Everything::new().boxed(), Linear::new(2, 1).boxed().boxed()]);
    let modules: Vec<String> = model.named_modules().iter().map(|(n, m)| format!("{n} {}", m.type_name())).collect();
    assert_eq!(modules[..3], [" Sequential", "0 Everything", "0.layers.0 Linear"]);
    assert_eq!((modules.len(), modules.last().unwrap().as_str()), (8, "1 Linear"));
    assert!(model.named_modules()[7].1.is::<Linear>());
    let mut met = Vec::new();
    model.apply(|module| met.push(module.type_name()));
    assert_eq!(met, ["Linear", "Linear", "Tanh", "Noise", "ModuleList", "Everything", "Linear", "Sequential"]);
    let boxed: Box<dyn Module> = model.boxed();
    let mut linear = 0;
    boxed.apply(|module| linear += usize::from(module.is::<Linear>()));
    nn::apply(&*boxed, &mut |module| linear += usize::from(module.downcast_ref::<Linear>().is_some()));
    assert_eq!(linear, 6);
}

#[test]
fn deep_copies_share_nothing_but_what_was_shared() {
    let shared = Linear::new(2, 2);
    let model = Sequential::new([shared.clone().boxed(), Everything::new().boxed(), shared.boxed()]);
    model.eval();
    model.forward(&Tensor::ones([1, 2], DType::F32)).sum().backward().unwrap();
    let copy = model.deep_copy();
    assert_eq!(copy.state_dict(), model.state_dict());
    assert_eq!(names(&copy), names(&model));
    for (a, b) in copy.parameters().iter().zip(model.parameters()) {
        assert!(!a.same(&b) && a.requires_grad() && a.is_leaf() && a.grad().is_none() && b.grad().is_some());
        let old = b.to_vec::<f32>();
        init::zeros_(a);
        assert_eq!(b.to_vec::<f32>(), old);
    }
    assert!(!copy.is_training());
    copy.train(true);
    assert!(!model.is_training());
    model.requires_grad_(false);
    assert!(!model.deep_copy().parameters()[0].requires_grad());
    let dict = ModuleDict::new([("a", copy.boxed())]).deep_copy();
    assert_eq!(dict["a"].named_parameters().len(), names(&model).len());
    let list = ParameterList::new([Tensor::from([1.0])]);
    assert_eq!(list.deep_copy()[0].to_vec::<f64>(), [1.0]);
}

#[test]
fn a_conversion_is_a_copy_in_another_dtype() {
    let shared = Linear::new(2, 2);
    let model = Sequential::new([shared.clone().boxed(), Everything::new().boxed(), shared.boxed()]);
    let double = model.to_dtype(DType::F64);
    assert_eq!(names(&double), names(&model));
    for ((name, a), (_, b)) in double.named_parameters().iter().zip(model.named_parameters()) {
        assert!(a.requires_grad() && a.is_leaf() && a.dtype() == DType::F64, "{name}");
        assert_eq!(a.to_vec::<f64>(), b.double().to_vec::<f64>());
    }
    assert!(double.buffers().iter().all(|buffer| buffer.dtype() == DType::F64 && !buffer.requires_grad()));
    assert_eq!(double.forward(&Tensor::from([[0.5, 1.0]])).dtype(), DType::F64);
    assert_eq!(double.to_dtype(DType::F32).state_dict(), model.state_dict());
}

#[test]
#[should_panic(expected = "nn.Module.to only accepts floating point or complex dtypes")]
fn a_module_is_not_converted_to_integers() {
    let _ = Linear::new(1, 1).to_dtype(DType::I64);
}

#[test]
#[should_panic(expected = "deep_copy: Listed does not say how it is copied")]
fn a_module_that_cannot_be_copied_says_so() {
    let _ = Sequential::new([Listed(Linear::new(1, 1)).boxed()]).deep_copy();
}

#[test]
#[should_panic(expected = "Only Tensors created explicitly by the user (graph leaves)")]
fn a_computed_tensor_is_not_copied() {
    (parameter(1.0f32) * 2.0).copy_with(&mut Copies::new());
}

#[test]
fn containers_name_their_parts() {
    let mut list = ModuleList::default();
    list.push(Linear::new(1, 1));
    list.insert(0, Tanh);
    list[0] = Sigmoid.boxed();
    assert_eq!((list.len(), names(&list)), (2, vec!["1.weight".to_owned(), "1.bias".to_owned()]));
    let mut dict = ModuleDict::new([("a", Linear::new(1, 1).boxed()), ("b", Tanh.boxed())]);
    dict.insert("a", Linear::builder(1, 2).bias(false).build());
    assert_eq!(names(&dict), ["a.weight"]);
    assert!(dict.get("b").is_some() && dict.remove("b").is_some() && dict.get("b").is_none() && dict.len() == 1);
    let weight = parameter([1.0, 2.0]);
    let parameters = ParameterList::new([weight.clone(), Tensor::from([3.0])]);
    assert!(parameters[0].same(&weight) && parameters[1].requires_grad());
    assert_eq!(names(&parameters), ["0", "1"]);
    assert_eq!(parameters.iter().map(Tensor::numel).sum::<usize>(), 3);
}

#[test]
#[should_panic(expected = "Module [ModuleList] is missing the required \"forward\" function")]
fn a_list_is_no_function() {
    ModuleList::default().forward(&Tensor::from([1.0]));
}

#[test]
fn layers_without_parameters() {
    let x = Tensor::from([[1.0, 2.0], [0.5, -3.0]]);
    assert_eq!(Softmax::new(0).forward(&x).to_vec::<f64>(), x.softmax(0).to_vec::<f64>());
    assert_eq!(LogSoftmax::new(-1).forward(&x).to_vec::<f64>(), x.log_softmax(1).to_vec::<f64>());
    let ramp = Softplus::new().beta(2.0).threshold(1.0);
    assert_eq!(ramp.forward(&x).to_vec::<f64>(), x.softplus(2.0, 1.0).to_vec::<f64>());
    let cube = Tensor::zeros([2, 3, 4], DType::F32);
    assert_eq!(Flatten::new().forward(&cube).shape(), [2, 12]);
    assert_eq!(Flatten::new().start_dim(0).end_dim(1).forward(&cube).shape(), [6, 4]);
    assert_eq!(Unflatten::new(-1, [2, 2]).forward(&cube).shape(), [2, 3, 2, 2]);
    assert_eq!(Unflatten::new(0, [-1, 1]).forward(&cube).shape(), [2, 1, 3, 4]);
}

#[test]
#[should_panic(expected = "Provided sizes [3, 2] don't multiply up to the size of dim 1 (5)")]
fn unflatten_keeps_the_number_of_elements() {
    Unflatten::new(1, [3, 2]).forward(&Tensor::zeros([1, 5], DType::F32));
}

#[test]
#[should_panic(expected = "the name \"1\", its position, is taken by another module")]
fn a_name_is_not_given_twice() {
    let mut model = Sequential::named([("1", Linear::new(2, 2).boxed())]);
    model.push(Tanh);
}
