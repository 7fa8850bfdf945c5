//! How torch prints an optimizer.

use super::OptimizerBase;
use checkpoint::{Key, Value};
use std::fmt::{self, Display, Formatter};
use tape::DType;

/// torch's `repr`: the options of each group in sorted order.
impl Display for OptimizerBase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        for (i, group) in self.groups.all().iter().enumerate() {
            write!(f, "\nParameter Group {i}\n")?;
            let options = group.options();
            let mut keys: Vec<&Key> = options.keys().collect();
            keys.sort();
            for key in keys {
                if let (Some(name), Some(value)) = (key.as_str(), options.get(key.clone())) {
                    writeln!(f, "    {name}: {}", formatted(value))?;
                }
            }
        }
        f.write_str(")")
    }
}

/// A value as Python's `format` shows it: a tensor without dimensions as the number it holds, all else as
/// `str` does.
pub(crate) fn formatted(value: &Value) -> String {
    let Some(tensor) = value.as_tensor().filter(|tensor| tensor.dim() == 0) else { return value.to_string() };
    let number = match tensor.dtype() {
        DType::I64 => Value::Int(tensor.item_as()),
        DType::Bool => Value::Bool(tensor.item_as()),
        _ => Value::Float(tensor.item()),
    };
    number.to_string()
}
