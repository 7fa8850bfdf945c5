//! Printing as torch prints: the text of `repr(tensor)` under torch's default print options.
//!
//! Above [`THRESHOLD`] elements only [`EDGE_ITEMS`] at either end of each dimension are shown, and only
//! those decide notation and width. Everything here works on the shown elements alone.

use std::fmt::{self, Write as _};

use crate::{DType, Element, Tensor};

/// Digits after the point.
const PRECISION: usize = 4;
/// Tensors with more elements than this are summarised.
const THRESHOLD: usize = 1000;
/// Elements shown at either end of a summarised dimension.
const EDGE_ITEMS: usize = 3;
/// Where lines of a vector, and suffixes, are broken.
const LINE_WIDTH: usize = 80;
const PREFIX: &str = "tensor(";

/// The elements to show, row-major.
pub(crate) enum Elements {
    Float(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

/// What a tensor's text says of its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Autograd {
    /// Nothing: it takes no part in differentiation.
    None,
    /// A leaf that requires a gradient.
    Leaf,
    /// The result of the operation of this name, `AddBackward0`.
    Node(&'static str),
}

/// The text of a tensor of `shape`, given those of its elements that [`shown`] selects in each dimension.
pub(crate) fn tensor_text(shape: &[usize], dtype: DType, elements: &Elements, autograd: Autograd) -> String {
    let empty = shape.contains(&0);
    let mut text = String::from(PREFIX);
    if empty {
        text.push_str("[]");
    } else {
        let cells = Cells::new(elements);
        let blocks = Blocks { summarize: is_summarized(shape), width: cells.width };
        blocks.write(&mut text, shape, &cells.texts, PREFIX.len());
    }
    push_suffixes(&mut text, &suffixes(shape, dtype, empty, autograd));
    text
}

/// Whether a tensor of `shape` is too large to be shown whole.
pub(crate) fn is_summarized(shape: &[usize]) -> bool {
    shape.iter().product::<usize>() > THRESHOLD
}

/// The indices shown of a dimension of `size`, in order.
pub(crate) fn shown(size: usize, summarize: bool) -> impl Iterator<Item = usize> + Clone {
    let cut = summarize && size > 2 * EDGE_ITEMS;
    let (head, tail) = if cut { (EDGE_ITEMS, size - EDGE_ITEMS) } else { (size, size) };
    (0..head).chain(tail..size)
}

/// The elements as texts, padded on the left to a common width.
struct Cells {
    texts: Vec<String>,
    width: usize,
}

impl Cells {
    fn new(elements: &Elements) -> Self {
        match elements {
            Elements::Float(values) => Self::of_floats(values),
            Elements::Int(values) => Self::padded(values.iter().map(i64::to_string).collect(), |_| true),
            Elements::Bool(values) => Self::padded(
                values.iter().map(|&value| if value { "True" } else { "False" }.to_owned()).collect(),
                |_| true,
            ),
        }
    }

    fn of_floats(values: &[f64]) -> Self {
        let notation = Notation::of(values);
        let texts = values.iter().map(|&value| notation.text(value)).collect();
        Self::padded(texts, |index| is_measured(values[index]))
    }

    /// The width is that of the widest text for which `measured(index)` holds; wider ones overhang.
    fn padded(mut texts: Vec<String>, measured: impl Fn(usize) -> bool) -> Self {
        let widths = texts.iter().enumerate().filter(|&(index, _)| measured(index)).map(|(_, text)| text.len());
        let width = widths.max().unwrap_or(1);
        for text in &mut texts {
            *text = format!("{text:>width$}");
        }
        Self { texts, width }
    }
}

/// Zeros, infinities and NaN choose neither notation nor width, in torch as here.
fn is_measured(value: f64) -> bool {
    value.is_finite() && value != 0.0
}

/// How all floats of one tensor are written.
#[derive(Clone, Copy)]
enum Notation {
    /// `12.`
    Integral,
    /// `12.3400`
    Fixed,
    /// `1.2340e+01`
    Scientific,
}

impl Notation {
    fn of(values: &[f64]) -> Self {
        let measured = || values.iter().copied().filter(|&value| is_measured(value));
        let smallest = measured().map(f64::abs).fold(f64::INFINITY, f64::min);
        let largest = measured().map(f64::abs).fold(0.0, f64::max);
        let integral = measured().all(|value| value == value.ceil());
        if largest / smallest > 1000.0 || largest > 1e8 || (!integral && smallest < 1e-4) {
            Notation::Scientific
        } else if integral {
            Notation::Integral
        } else {
            Notation::Fixed
        }
    }

    fn text(self, value: f64) -> String {
        if value.is_nan() {
            return "nan".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
        }
        match self {
            Notation::Integral => format!("{value:.0}."),
            Notation::Fixed => format!("{value:.PRECISION$}"),
            Notation::Scientific => scientific(value),
        }
    }
}

/// A finite number with a sign and at least two digits in its exponent, as C and Python write them.
fn scientific(value: f64) -> String {
    let text = format!("{value:.PRECISION$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(digits) => format!("{mantissa}e-{digits:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}

/// Writes nested brackets around cells.
struct Blocks {
    summarize: bool,
    width: usize,
}

impl Blocks {
    /// Writes the sub-tensor of `shape` whose shown elements are `cells`, its bracket at column `indent`.
    fn write(&self, out: &mut String, shape: &[usize], cells: &[String], indent: usize) {
        let (size, inner) = match shape {
            [] => return out.push_str(&cells[0]),
            &[size] => return self.write_vector(out, size, cells, indent),
            &[size, ref inner @ ..] => (size, inner),
        };
        let rows = shown(size, self.summarize);
        let row_len = cells.len() / rows.clone().count();
        out.push('[');
        for (position, (row, cells)) in rows.zip(cells.chunks(row_len)).enumerate() {
            if position > 0 {
                self.next_row(out, inner.len(), indent);
            }
            if row > position && position == EDGE_ITEMS {
                out.push_str("...");
                self.next_row(out, inner.len(), indent);
            }
            self.write(out, inner, cells, indent + 1);
        }
        out.push(']');
    }

    /// Rows of a matrix follow line by line; each further dimension adds a blank line between its blocks.
    fn next_row(&self, out: &mut String, inner_dims: usize, indent: usize) {
        out.push(',');
        out.extend(std::iter::repeat_n('\n', inner_dims));
        out.extend(std::iter::repeat_n(' ', indent + 1));
    }

    fn write_vector(&self, out: &mut String, size: usize, cells: &[String], indent: usize) {
        let mut items: Vec<&str> = cells.iter().map(String::as_str).collect();
        if cells.len() < size {
            items.insert(EDGE_ITEMS, " ...");
        }
        // An item stands with its comma and blank; at least one goes on a line, however deep.
        let per_line = (LINE_WIDTH.saturating_sub(indent) / (self.width + 2)).max(1);
        out.push('[');
        for (position, item) in items.iter().enumerate() {
            if position > 0 && position % per_line == 0 {
                self.next_row(out, 1, indent);
            } else if position > 0 {
                out.push_str(", ");
            }
            out.push_str(item);
        }
        out.push(']');
    }
}

/// What follows the elements: torch names a dtype only where the elements do not tell it, `float32`
/// being its default.
fn suffixes(shape: &[usize], dtype: DType, empty: bool, autograd: Autograd) -> Vec<String> {
    let mut suffixes = Vec::new();
    if empty && shape.len() != 1 {
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        suffixes.push(format!("size=({})", sizes.join(", ")));
    }
    if dtype == DType::F64 || (empty && dtype != DType::F32) {
        suffixes.push(format!("dtype=torch.{dtype}"));
    }
    match autograd {
        Autograd::None => {}
        Autograd::Leaf => suffixes.push("requires_grad=True".to_owned()),
        Autograd::Node(name) => suffixes.push(format!("grad_fn=<{name}>")),
    }
    suffixes
}

/// Appends suffixes and the closing parenthesis; a suffix that would pass the line width starts a line.
fn push_suffixes(text: &mut String, suffixes: &[String]) {
    // torch counts two columns more than the last line has; where lines break depends on it.
    let mut column = text.len() - text.rfind('\n').map_or(0, |newline| newline + 1) + 2;
    for suffix in suffixes {
        if column + suffix.len() + 2 > LINE_WIDTH {
            let _ = write!(text, ",\n{:indent$}{suffix}", "", indent = PREFIX.len());
            column = PREFIX.len() + suffix.len();
        } else {
            let _ = write!(text, ", {suffix}");
            column += suffix.len() + 2;
        }
    }
    text.push(')');
}

/// The shown elements of `values`, laid out by `strides`; nothing else is read.
fn select<T: Copy>(values: &[T], shape: &[usize], strides: &[usize]) -> Vec<T> {
    let summarize = is_summarized(shape);
    let mut positions = vec![0usize];
    for (&size, &stride) in shape.iter().zip(strides) {
        let step = |&start: &usize| shown(size, summarize).map(move |index| start + index * stride);
        positions = positions.iter().flat_map(step).collect();
    }
    positions.into_iter().map(|position| values[position]).collect()
}

impl Tensor {
    fn shown_elements(&self) -> Elements {
        match self.dtype() {
            DType::F32 => Elements::Float(self.select_shown::<f32>().into_iter().map(f64::from).collect()),
            DType::F64 => Elements::Float(self.select_shown()),
            DType::I64 => Elements::Int(self.select_shown()),
            DType::Bool => Elements::Bool(self.select_shown()),
        }
    }

    fn select_shown<T: Element>(&self) -> Vec<T> {
        self.with(|view| select(view.data, view.shape, view.strides))
    }
}

/// The text that torch prints for the tensor.
///
/// ```
/// use tape::Tensor;
/// let x = Tensor::from([[1.0f32, 2.5], [-3.0, 0.0]]);
/// assert_eq!(x.to_string(), "tensor([[ 1.0000,  2.5000],\n        [-3.0000,  0.0000]])");
/// let y = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// assert_eq!(y.to_string(), "tensor([1., 2.], dtype=torch.float64, requires_grad=True)");
/// ```
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let autograd = match self.grad_fn_name() {
            Some(name) => Autograd::Node(name),
            None if self.requires_grad() => Autograd::Leaf,
            None => Autograd::None,
        };
        f.write_str(&tensor_text(self.sizes(), self.dtype(), &self.shown_elements(), autograd))
    }
}

/// The same text as [`Display`](fmt::Display).
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::row_major;

    /// Written by `tests/golden/print.py`, which describes the format.
    const GOLDEN: &str = include_str!("../../tests/golden/print.txt");

    #[test]
    fn text_is_torchs() {
        let mut count = 0;
        for record in GOLDEN.strip_prefix("== ").unwrap().trim_end().split("\n== ") {
            let (head, expected) = record.split_once('\n').unwrap();
            let (values, expected) = expected.split_once('\n').unwrap();
            let (dtype, rest) = head.split_once(" [").unwrap();
            let (sizes, autograd) = rest.split_once("] ").unwrap();
            let shape: Vec<usize> =
                sizes.split(", ").filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
            let (dtype, elements) = parse(dtype, values, &shape);
            let autograd = match autograd {
                "none" => Autograd::None,
                "leaf" => Autograd::Leaf,
                name => Autograd::Node(name),
            };
            assert_eq!(tensor_text(&shape, dtype, &elements, autograd), expected, "{head}: {values}");
            count += 1;
        }
        assert_eq!(count, GOLDEN.matches("tensor(").count());
        assert!(count >= 60);
    }

    fn parse(dtype: &str, values: &str, shape: &[usize]) -> (DType, Elements) {
        let strides = row_major(shape);
        let float = |text: &str| f64::from_bits(u64::from_str_radix(text, 16).unwrap());
        let floats = || match values.strip_prefix("ramp ") {
            Some(ramp) => ramp_of(ramp, shape),
            None => expand(values, float),
        };
        let ints = || match values.strip_prefix("ramp ") {
            Some(ramp) => ramp_of(ramp, shape).into_iter().map(|value| value as i64).collect(),
            None => expand(values, |text| text.parse().unwrap()),
        };
        match dtype {
            "float32" => {
                let rounded: Vec<f64> = floats().into_iter().map(|value| f64::from(value as f32)).collect();
                (DType::F32, Elements::Float(select(&rounded, shape, &strides)))
            }
            "float64" => (DType::F64, Elements::Float(select(&floats(), shape, &strides))),
            "int64" => (DType::I64, Elements::Int(select::<i64>(&ints(), shape, &strides))),
            "bool" => (DType::Bool, Elements::Bool(select(&expand(values, |text| text == "1"), shape, &strides))),
            other => panic!("dtype {other}"),
        }
    }

    fn ramp_of(ramp: &str, shape: &[usize]) -> Vec<f64> {
        let (start, step) = ramp.split_once(' ').unwrap();
        let (start, step): (f64, f64) = (start.parse().unwrap(), step.parse().unwrap());
        (0..shape.iter().product::<usize>()).map(|i| start + step * i as f64).collect()
    }

    fn expand<T: Clone>(values: &str, value: impl Fn(&str) -> T) -> Vec<T> {
        let run = |item: &str| {
            let (text, count) = item.split_once('*').unwrap_or((item, "1"));
            vec![value(text); count.parse().unwrap()]
        };
        values.split_whitespace().flat_map(run).collect()
    }

    #[test]
    fn only_shown_elements_are_read() {
        // A stride of zero stands in for ten million elements; `values` holds but one.
        let shown = select(&[2.5], &[10_000, 1_000], &[0, 0]);
        assert_eq!(shown.len(), 36);
        let text = tensor_text(&[10_000, 1_000], DType::F32, &Elements::Float(shown), Autograd::None);
        assert_eq!(text.matches("2.5000").count(), 36);
    }
}
