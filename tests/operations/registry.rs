//! How a module names its operations, and what a call finds in its case.

use serde_json::Value as Json;
use wolfe::prelude::*;
use wolfe::tape::{Error, Index, Operand};

/// An operation: its name in the file, and the call.
pub type Entry = (&'static str, fn(&Call) -> Vec<Tensor>);

/// Declares `OPERATIONS`: methods of one tensor, of two tensors, of a tensor and an operand, in-place methods
/// likewise, and other calls.
macro_rules! operations {
    (
        $(unary: $($unary:ident)+;)?
        $(binary: $($binary:ident)+;)?
        $(operand: $($operand:ident)+;)?
        $(unary_in_place: $($unary_in_place:ident)+;)?
        $(operand_in_place: $($operand_in_place:ident)+;)?
        $($name:literal => |$call:ident| $value:expr;)*
    ) => {
        pub const OPERATIONS: &[crate::registry::Entry] = &[
            $($((stringify!($unary), |c| crate::registry::Outputs::list(c.x(0).$unary())),)+)?
            $($((stringify!($binary), |c| crate::registry::Outputs::list(c.x(0).$binary(c.x(1)))),)+)?
            $($((stringify!($operand), |c| crate::registry::Outputs::list(c.x(0).$operand(c.operand()))),)+)?
            $($((stringify!($unary_in_place), |c| c.in_place(|x| x.$unary_in_place())),)+)?
            $($((stringify!($operand_in_place), |c| c.in_place(|x| x.$operand_in_place(c.operand()))),)+)?
            $(($name, |$call| crate::registry::Outputs::list($value)),)*
        ];
    };
}

/// The inputs and arguments of a case.
pub struct Call {
    pub inputs: Vec<Tensor>,
    pub arguments: Vec<Json>,
}

impl Call {
    /// Input number `k`.
    pub fn x(&self, k: usize) -> &Tensor {
        &self.inputs[k]
    }

    /// Input number `k`, if there are so many.
    pub fn optional(&self, k: usize) -> Option<&Tensor> {
        self.inputs.get(k)
    }

    /// The inputs, as functions of several tensors take them.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.inputs.clone()
    }

    /// The second operand: a tensor, or the first argument as a number.
    pub fn operand(&self) -> Operand<'_> {
        self.operand_at(1, 0)
    }

    /// Input number `input`, or else argument number `argument` as a number.
    pub fn operand_at(&self, input: usize, argument: usize) -> Operand<'_> {
        match self.inputs.get(input) {
            Some(tensor) => tensor.into(),
            None => self.number(argument),
        }
    }

    /// Argument number `k` as an integer or a float, whichever it is.
    pub fn number(&self, k: usize) -> Operand<'static> {
        match self.argument(k).as_i64() {
            Some(integer) => integer.into(),
            None => self.f(k).into(),
        }
    }

    /// Argument number `k`.
    pub fn argument(&self, k: usize) -> &Json {
        self.arguments.get(k).unwrap_or_else(|| panic!("the case has no argument {k}"))
    }

    /// Argument number `k` as a float.
    pub fn f(&self, k: usize) -> f64 {
        float(self.argument(k))
    }

    /// Argument number `k` as a float, or none.
    pub fn some(&self, k: usize) -> Option<f64> {
        let value = self.argument(k);
        (!value.is_null()).then(|| float(value))
    }

    /// Argument number `k` as an integer.
    pub fn int(&self, k: usize) -> i64 {
        integer(self.argument(k))
    }

    /// Argument number `k` as a dimension or an offset.
    pub fn dim(&self, k: usize) -> isize {
        self.int(k) as isize
    }

    /// Argument number `k` as a dimension, or none.
    pub fn some_dim(&self, k: usize) -> Option<isize> {
        self.argument(k).as_i64().map(|dim| dim as isize)
    }

    /// Argument number `k` as a count.
    pub fn size(&self, k: usize) -> usize {
        usize::try_from(self.int(k)).expect("a count")
    }

    /// Argument number `k` as a list of integers.
    pub fn ints(&self, k: usize) -> Vec<i64> {
        integers(self.argument(k))
    }

    /// Argument number `k` as a list of sizes.
    pub fn sizes(&self, k: usize) -> Vec<usize> {
        self.ints(k).iter().map(|&size| usize::try_from(size).expect("a size")).collect()
    }

    /// Argument number `k` as a truth value.
    pub fn flag(&self, k: usize) -> bool {
        self.argument(k).as_bool().unwrap_or_else(|| panic!("argument {k} is no truth value"))
    }

    /// Argument number `k` as text.
    pub fn text(&self, k: usize) -> &str {
        self.argument(k).as_str().unwrap_or_else(|| panic!("argument {k} is no text"))
    }

    /// Argument number `k` as a dtype.
    pub fn dtype(&self, k: usize) -> DType {
        dtype(self.text(k))
    }

    /// The result of changing a copy of the first input.
    pub fn in_place(&self, change: impl Fn(&Tensor) -> Tensor) -> Vec<Tensor> {
        let target = self.x(0).copy();
        let result = change(&target);
        assert!(result.same(&target), "an in-place method returns the tensor it has changed");
        vec![target]
    }

    /// Argument number `k` as an index, with the tensors that it names from input `first` on.
    pub fn index(&self, k: usize, first: usize) -> Vec<Index> {
        let entry = |entry: &Json| match entry {
            Json::String(word) if word == "..." => Index::Ellipsis,
            Json::String(_) => Index::NewAxis,
            Json::Array(bounds) => {
                let bound = |k: usize| bounds[k].as_i64().map(|bound| bound as isize);
                Index::Range(bound(0), bound(1))
            }
            Json::Object(tensor) => Index::Tensor(self.x(first + integer(&tensor["tensor"]) as usize).clone()),
            number => Index::At(integer(number) as isize),
        };
        self.argument(k).as_array().expect("an index is a list").iter().map(entry).collect()
    }
}

/// Calls with a list of index entries as the tuple that indexing takes.
macro_rules! with_index {
    ($entries:expr, |$index:ident| $call:expr) => {
        match crate::registry::four($entries) {
            Ok([a, b, c, d]) => {
                let $index = (a, b, c, d);
                $call
            }
            Err(entries) => match &entries[..] {
                [a] => {
                    let $index = (a.clone(),);
                    $call
                }
                [a, b] => {
                    let $index = (a.clone(), b.clone());
                    $call
                }
                [a, b, c] => {
                    let $index = (a.clone(), b.clone(), c.clone());
                    $call
                }
                _ => panic!("the cases index with one to four entries"),
            },
        }
    };
}

/// An index of four entries, or one of another length as it is.
pub fn four(entries: Vec<Index>) -> Result<[Index; 4], Vec<Index>> {
    entries.try_into()
}

/// What a call returns, as a list of tensors.
pub trait Outputs {
    fn list(self) -> Vec<Tensor>;
}

impl Outputs for Tensor {
    fn list(self) -> Vec<Tensor> {
        vec![self]
    }
}
impl Outputs for Vec<Tensor> {
    fn list(self) -> Vec<Tensor> {
        self
    }
}
impl Outputs for (Tensor, Tensor) {
    fn list(self) -> Vec<Tensor> {
        vec![self.0, self.1]
    }
}
impl Outputs for (Tensor, Tensor, Tensor) {
    fn list(self) -> Vec<Tensor> {
        vec![self.0, self.1, self.2]
    }
}
impl Outputs for bool {
    fn list(self) -> Vec<Tensor> {
        vec![Tensor::from(self)]
    }
}

impl<T: Outputs> Outputs for Result<T, Error> {
    fn list(self) -> Vec<Tensor> {
        self.unwrap_or_else(|e| panic!("{e}")).list()
    }
}

/// A float of the file: a number, or the name of one that JSON cannot write.
pub fn float(value: &Json) -> f64 {
    match value {
        Json::String(name) => name.parse().unwrap_or_else(|e| panic!("{name}: {e}")),
        number => number.as_f64().unwrap_or_else(|| panic!("a number is expected, not {number}")),
    }
}

/// An integer that must be there.
pub fn integer(value: &Json) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("an integer is expected, not {value}"))
}

/// A list of integers, or one of them.
pub fn integers(value: &Json) -> Vec<i64> {
    value.as_array().unwrap_or_else(|| panic!("a list is expected, not {value}")).iter().map(integer).collect()
}

/// A dtype by its name in the file.
pub fn dtype(name: &str) -> DType {
    match name {
        "f64" => DType::F64,
        "f32" => DType::F32,
        "i64" => DType::I64,
        "bool" => DType::Bool,
        other => panic!("no such dtype in the golden file: {other}"),
    }
}
