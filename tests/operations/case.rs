//! The cases of `tests/golden/operations.json.gz`.

use crate::registry::{Call, dtype, float, integer};
use serde_json::Value as Json;
use std::io::Read;
use std::sync::OnceLock;
use wolfe::prelude::*;

/// One line of the file.
#[derive(Clone, Copy)]
pub struct Case(&'static Json);

/// All cases, in the order of the file.
pub fn cases() -> impl Iterator<Item = Case> {
    static FILE: OnceLock<Json> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/operations.json.gz");
        let packed = std::fs::File::open(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
    });
    file["cases"].as_array().expect("the file is a list of cases").iter().map(Case)
}

impl Case {
    fn text(self, key: &str) -> &'static str {
        self.0[key].as_str().unwrap_or_else(|| panic!("a case has the text {key}"))
    }

    pub fn name(self) -> &'static str {
        self.text("name")
    }

    pub fn operation(self) -> &'static str {
        self.text("op")
    }

    pub fn section(self) -> &'static str {
        self.text("section")
    }

    /// The row of the table of special points.
    pub fn special_points(self) -> Option<&'static str> {
        self.0["d3"].as_str()
    }

    /// Whether zeros must have torch's signs.
    pub fn signed_zero(self) -> bool {
        self.0["signed_zero"].as_bool().unwrap_or(false)
    }

    fn list(self, key: &str) -> Option<&'static Vec<Json>> {
        self.0[key].as_array()
    }

    /// Fresh inputs, and the arguments.
    pub fn call(self) -> Call {
        let inputs = self.list("inputs").expect("a case has inputs").iter().map(input).collect();
        Call { inputs, arguments: self.list("args").cloned().unwrap_or_default() }
    }

    pub fn outputs(self) -> Vec<Tensor> {
        self.list("outputs").expect("a case has outputs").iter().map(tensor).collect()
    }

    /// The gradients (`gradients`, `second`) of the inputs, if torch has them.
    pub fn gradients(self, key: &str) -> Option<Vec<Option<Tensor>>> {
        let gradient = |value: &Json| (!value.is_null()).then(|| tensor(value));
        Some(self.list(key)?.iter().map(gradient).collect())
    }
}

/// A dense tensor.
fn tensor(value: &Json) -> Tensor {
    let data = value["data"].as_array().expect("a tensor has data");
    let shape: Vec<usize> = value["shape"].as_array().expect("a shape").iter().map(|n| integer(n) as usize).collect();
    match dtype(value["dtype"].as_str().expect("a dtype")) {
        DType::F64 => Tensor::from_vec(data.iter().map(float).collect(), shape),
        DType::F32 => Tensor::from_vec(data.iter().map(|x| float(x) as f32).collect(), shape),
        DType::I64 => Tensor::from_vec(data.iter().map(integer).collect(), shape),
        DType::Bool => Tensor::from_vec(data.iter().map(|x| x.as_bool().expect("a bool")).collect(), shape),
    }
}

/// A leaf in the layout that the case asks for.
fn input(value: &Json) -> Tensor {
    let dense = tensor(value);
    let laid = match value["layout"].as_str() {
        None => dense,
        Some("transposed") => dense.transpose(-1, -2).contiguous().transpose(-1, -2),
        Some("sliced") => Tensor::stack([&dense, &dense], -1).flatten(-2, -1).slice(-1, .., 2),
        Some(other) => panic!("no such layout in the golden file: {other}"),
    };
    laid.detach().requires_grad_(value["grad"].as_bool().unwrap_or(false))
}
