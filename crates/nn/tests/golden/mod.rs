//! Reads the golden files: compressed JSON whose floats are C99 hex strings, so that every bit survives.

use flate2::read::GzDecoder;
use serde_json::Value as Json;
use std::fs::File;
use tape::{DType, Tensor};

/// The cases of the file `name` beside this one.
pub fn cases(name: &str) -> Vec<Json> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let packed = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut file: Json = serde_json::from_reader(GzDecoder::new(packed)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let Json::Array(cases) = file["cases"].take() else { panic!("{path}: no list of cases") };
    assert!(!cases.is_empty(), "{path}: an empty list of cases");
    cases
}

/// Text that must be there.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text is expected, not {value}"))
}

/// A list that must be there.
pub fn list(value: &Json) -> &[Json] {
    value.as_array().unwrap_or_else(|| panic!("a list is expected, not {value}"))
}

/// A shape.
pub fn sizes(value: &Json) -> Vec<usize> {
    list(value).iter().map(|size| size.as_u64().expect("a size") as usize).collect()
}

/// One float.
pub fn float(value: &Json) -> f64 {
    let digits = text(value);
    parse_hex(digits).unwrap_or_else(|| panic!("a hex float is expected, not {digits}"))
}

/// A dtype by its short name.
pub fn dtype(value: &Json) -> DType {
    match text(value) {
        "f32" => DType::F32,
        "f64" => DType::F64,
        "i64" => DType::I64,
        other => panic!("no such dtype in the golden files: {other}"),
    }
}

/// The tensor of `dtype`, `shape` and `values`.
pub fn tensor(value: &Json) -> Tensor {
    let (shape, values) = (sizes(&value["shape"]), list(&value["values"]));
    match dtype(&value["dtype"]) {
        DType::I64 => Tensor::from_vec(values.iter().map(|v| v.as_i64().expect("an integer")).collect(), shape),
        dtype => Tensor::from_vec(values.iter().map(float).collect(), shape).to_dtype(dtype),
    }
}

/// Parses what Python's `float.hex()` writes: `-0x1.8p+3`, `0x0p+0`, `inf`, `nan`.
fn parse_hex(digits: &str) -> Option<f64> {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, digits),
    };
    let Some(body) = magnitude.strip_prefix("0x") else {
        let special = matches!(magnitude, "inf" | "nan");
        return special.then(|| sign * magnitude.parse::<f64>().expect("infinity and NaN are numbers"));
    };
    let (mantissa, exponent) = body.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significand = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let shift = exponent.parse::<i32>().ok()? - 4 * fraction.len() as i32;
    // Two exact factors, because 2^-1074 itself is out of reach of `powi`.
    let half = shift / 2;
    Some(sign * significand as f64 * 2f64.powi(half) * 2f64.powi(shift - half))
}
