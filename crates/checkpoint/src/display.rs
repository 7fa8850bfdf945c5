//! Printing as Python prints: `str` of the value, `repr` of what lies inside lists and dicts.

use crate::{Dict, Key, Value};
use std::fmt::{self, Display, Formatter};

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(i) => write!(f, "{i}"),
            Self::Str(s) => quoted(s, f),
        }
    }
}

/// Python's `str`: `1e-09`, `None`, `True`, `['w', 'b']`; a string at the top stands without quotes.
///
/// ```
/// use checkpoint::Value;
/// assert_eq!(Value::from(1e-9).to_string(), "1e-09");
/// assert_eq!(Value::from(["w", "b"]).to_string(), "['w', 'b']");
/// ```
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(s) => f.write_str(s),
            other => repr(other, f),
        }
    }
}

impl Display for Dict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (key, value)) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            write!(f, "{key}: ")?;
            repr(value, f)?;
        }
        f.write_str("}")
    }
}

fn repr(value: &Value, f: &mut Formatter<'_>) -> fmt::Result {
    match value {
        Value::None => f.write_str("None"),
        Value::Bool(true) => f.write_str("True"),
        Value::Bool(false) => f.write_str("False"),
        Value::Int(i) => write!(f, "{i}"),
        Value::Float(x) => float(*x, f),
        Value::Str(s) => quoted(s, f),
        Value::List(items) => sequence("[", items, "]", f),
        Value::Tuple(items) => sequence("(", items, if items.len() == 1 { ",)" } else { ")" }, f),
        Value::Dict(dict) => dict.fmt(f),
        Value::Tensor(tensor) => write!(f, "{tensor}"),
    }
}

fn sequence(open: &str, items: &[Value], close: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        repr(item, f)?;
    }
    f.write_str(close)
}

/// Single quotes, unless the text has single quotes and no double ones.
fn quoted(s: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let quote = if s.contains('\'') && !s.contains('"') { '"' } else { '\'' };
    write!(f, "{quote}")?;
    for c in s.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c if c == quote => write!(f, "\\{c}")?,
            c => write!(f, "{c}")?,
        }
    }
    write!(f, "{quote}")
}

/// The shortest digits that read back exactly; an exponent below 1e-4 and from 1e16 on, at least two digits
/// wide.
fn float(x: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if x.is_nan() {
        return f.write_str("nan");
    }
    if x.is_infinite() {
        return f.write_str(if x > 0.0 { "inf" } else { "-inf" });
    }
    let scientific = format!("{x:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return f.write_str(&scientific) };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{digits}e{sign}{:02}", exponent.abs())
        }
        _ if x.fract() == 0.0 => write!(f, "{x:.1}"),
        _ => write!(f, "{x}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dict, Value};

    #[test]
    fn floats_print_as_python_prints_them() {
        let cases = [
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (-0.0, "-0.0"),
            (1e-9, "1e-09"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.1, "0.1"),
            (123456.0, "123456.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.2345e123, "1.2345e+123"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (x, text) in cases {
            assert_eq!(Value::Float(x).to_string(), text);
        }
    }

    #[test]
    fn strings_are_quoted_inside_containers_only() {
        assert_eq!(Value::from("strong_wolfe").to_string(), "strong_wolfe");
        let dict = Dict::from_iter([("a", Value::from(vec!["x", "it's", "\"'"])), ("b", Value::from(true))]);
        assert_eq!(dict.to_string(), r#"{'a': ['x', "it's", '"\''], 'b': True}"#);
    }

    #[test]
    fn tuples_print_with_parentheses() {
        assert_eq!(Value::from((0.9, 0.999)).to_string(), "(0.9, 0.999)");
        assert_eq!(Value::Tuple(vec![1.into()]).to_string(), "(1,)");
        assert_eq!(Value::Tuple(Vec::new()).to_string(), "()");
    }
}
