//! State dicts of modules: torch's keys and order, torch's complaints, all or nothing.

use checkpoint::Value;
use nn::{Error, IncompatibleKeys, Linear, Members, Module, ReLU, Sequential, Tanh};
use tape::{DType, Tensor};

fn keys(state: &Value) -> Vec<&str> {
    state.keys().map(|key| key.as_str().expect("a string key")).collect()
}

fn model() -> Sequential {
    Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed(), Linear::builder(3, 1).bias(false).build().boxed()])
}

struct Normalized {
    weight: Tensor,
    mean: Tensor,
    inner: Linear,
}

impl Module for Normalized {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.inner.forward(&((x - &self.mean) * &self.weight))
    }

    fn members(&self) -> Members<'_> {
        Members::new().module("inner", &self.inner).buffer("mean", &self.mean).parameter("weight", &self.weight)
    }
}

/// torch: own parameters, own buffers, children.
#[test]
fn keys_stand_in_torchs_order() {
    assert_eq!(keys(&model().state_dict()), ["0.weight", "0.bias", "2.weight"]);
    let zeros = || Tensor::zeros(2, DType::F32);
    let module = Normalized { weight: nn::parameter(zeros()), mean: zeros(), inner: Linear::new(2, 1) };
    assert_eq!(keys(&module.state_dict()), ["weight", "mean", "inner.weight", "inner.bias"]);
}

/// torch does not leave shared tensors out of a state dict, as it does of the parameters.
#[test]
fn a_shared_layer_is_saved_under_each_name() {
    let shared = Linear::new(2, 2);
    let model = Sequential::new([shared.clone().boxed(), ReLU.boxed(), shared.boxed()]);
    assert_eq!(keys(&model.state_dict()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    model.load_state_dict(&model.state_dict().deep_copy()).unwrap();
}

#[test]
fn a_state_dict_shares_memory_until_it_is_copied() {
    let layer = Linear::new(2, 1);
    let (live, snapshot) = (layer.state_dict(), layer.state_dict().deep_copy());
    assert!(!live["weight"].as_tensor().unwrap().requires_grad());
    nn::init::constant_(&layer.weight, 7.0);
    assert_eq!(live["weight"].as_tensor().unwrap().to_vec::<f32>(), [7.0, 7.0]);
    assert_ne!(snapshot, live);
    layer.load_state_dict(&snapshot).unwrap();
    assert_eq!(layer.state_dict(), snapshot);
    layer.load_state_dict(&layer.state_dict()).unwrap();
    assert_eq!(layer.state_dict(), snapshot);
}

#[test]
fn loading_writes_into_the_parameters_themselves() {
    let (from, to) = (model(), model());
    let parameters = to.parameters();
    to.load_state_dict(&from.state_dict()).unwrap();
    assert_eq!(to.state_dict(), from.state_dict());
    for (before, now) in parameters.iter().zip(to.parameters()) {
        assert!(before.same(&now) && now.requires_grad() && now.is_leaf());
    }
    nn::init::zeros_(&from.parameters()[0]);
    assert_ne!(to.state_dict(), from.state_dict());
}

#[test]
fn dtypes_are_converted() {
    let layer = Linear::new(1, 1);
    let mut state = layer.state_dict();
    state["weight"] = Tensor::from([[0.1]]).into();
    layer.load_state_dict(&state).unwrap();
    assert_eq!(layer.weight.to_vec::<f32>(), [0.1]);
}

/// The text of torch 2.8.0, and that nothing was loaded.
#[test]
fn what_does_not_fit_is_named_and_nothing_is_loaded() {
    let model = model();
    let before = model.state_dict().deep_copy();
    let mut state = before.deep_copy();
    let dict = state.as_dict_mut().unwrap();
    dict.remove("0.bias");
    dict.insert("0.weight", Tensor::ones([3, 2], DType::F32));
    dict.insert("2.weight", Tensor::ones([2, 3], DType::F32));
    dict.insert("3.weight", 1);
    dict.insert("epoch", 7);
    let error = model.load_state_dict(&state).unwrap_err();
    let expected = "Error(s) in loading state_dict for Sequential:\n\
         \tMissing key(s) in state_dict: \"0.bias\". \n\
         \tUnexpected key(s) in state_dict: \"3.weight\", \"epoch\". \n\
         \tsize mismatch for 2.weight: copying a param with shape torch.Size([2, 3]) from checkpoint, the shape in \
         current model is torch.Size([1, 3]).";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(model.state_dict(), before);
    let Error::StateDict(details) = error else { panic!("another error: {error}") };
    assert_eq!((details.missing_keys, details.unexpected_keys.len()), (vec!["0.bias".to_owned()], 2));

    // Not strict: a wrong shape is an error still, and still nothing is loaded.
    assert!(model.load_state_dict_with(&state, false).unwrap_err().to_string().contains("size mismatch for 2.weight"));
    assert_eq!(model.state_dict(), before);
    state.as_dict_mut().unwrap().remove("2.weight");
    let IncompatibleKeys { missing_keys, unexpected_keys } = model.load_state_dict_with(&state, false).unwrap();
    assert_eq!(
        (missing_keys.join(" "), unexpected_keys.join(" ")),
        ("0.bias 2.weight".into(), "3.weight epoch".into())
    );
    assert_eq!(model.parameters()[0].to_vec::<f32>(), [1.0; 6]);
}

#[test]
fn values_that_are_no_tensors_are_refused() {
    let layer = Linear::builder(1, 1).bias(false).build();
    let mut state = layer.state_dict();
    state["weight"] = 1.5.into();
    let error = layer.load_state_dict(&state).unwrap_err().to_string();
    assert!(error.contains("While copying the parameter named \"weight\", expected torch.Tensor"), "{error}");
    assert_eq!(
        layer.load_state_dict(&Value::list()).unwrap_err().to_string(),
        "Expected state_dict to be dict-like, got a list."
    );
}
