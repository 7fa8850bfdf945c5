//! Reads the golden files: JSON whose floats are C99 hex strings, so that every bit survives.

use serde_json::Value as Json;
use wolfe::prelude::*;

/// The JSON file `name` of `tests/golden`, unpacked if it ends in `.gz`.
pub fn load(name: &str) -> Json {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    if name.ends_with(".gz") {
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut unpacked)
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        bytes = unpacked;
    }
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The list `value[key]`; empty where the key is absent.
pub fn list<'a>(value: &'a Json, key: &str) -> &'a [Json] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// An integer that must be there.
pub fn integer(value: &Json) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("an integer is expected, not {value}"))
}

/// Text that must be there.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text is expected, not {value}"))
}

/// One float.
pub fn float(value: &Json) -> f64 {
    let digits = text(value);
    parse_hex(digits).unwrap_or_else(|| panic!("a hex float is expected, not {digits}"))
}

/// A list of floats.
pub fn floats(values: &[Json]) -> Vec<f64> {
    values.iter().map(float).collect()
}

/// `"f32"` or `"f64"`.
pub fn dtype(value: &Json) -> DType {
    match text(value) {
        "f32" => DType::F32,
        "f64" => DType::F64,
        other => panic!("no such dtype in the golden files: {other}"),
    }
}

/// A shape, or any other list of sizes.
pub fn sizes(value: &Json) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|v| integer(v) as usize).collect()
}

/// Parses what Python's `float.hex()` writes: `-0x1.8p+3`, `0x0p+0`, `inf`, `nan`.
fn parse_hex(digits: &str) -> Option<f64> {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, digits),
    };
    let Some(body) = magnitude.strip_prefix("0x") else {
        return matches!(magnitude, "inf" | "nan")
            .then(|| sign * magnitude.parse::<f64>().expect("infinity and NaN are numbers"));
    };
    let (mantissa, exponent) = body.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significand = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let shift = exponent.parse::<i32>().ok()? - 4 * fraction.len() as i32;
    // Two exact factors, because 2^-1074 itself is out of reach of `powi`.
    let half = shift / 2;
    Some(sign * significand as f64 * 2f64.powi(half) * 2f64.powi(shift - half))
}

#[test]
fn hex_floats_are_read_exactly() {
    for (digits, value) in [
        ("0x1.999999999999ap-4", 0.1),
        ("-0x1.3333333333333p+0", -1.2),
        ("0x0p+0", 0.0),
        ("0x1p-1074", f64::from_bits(1)),
        ("0x1.fffffffffffffp+1023", f64::MAX),
        ("-inf", f64::NEG_INFINITY),
    ] {
        assert_eq!(parse_hex(digits).map(f64::to_bits), Some(value.to_bits()), "{digits}");
    }
    assert!(parse_hex("-0x0p+0").is_some_and(|v| v.to_bits() == (-0.0f64).to_bits()));
    assert!(parse_hex("nan").is_some_and(f64::is_nan) && parse_hex("0.1").is_none());
}
