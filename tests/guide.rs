//! The guide's list of operations is complete.

use std::fs;
use std::path::Path;

/// Names after `pub fn` in the methods of a folder's files, in-place forms of the macros included.
fn public_functions(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(public_functions(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("source is text");
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("    pub fn ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // Methods of tensors, and functions of tensors that are called on the type.
            let arguments = rest.get(name.len()..).unwrap_or_default();
            let of_tensors = arguments.contains("&self") || arguments.ends_with('(') || arguments.contains("Tensor");
            if of_tensors {
                found.push((path.display().to_string(), name));
            }
        }
    }
    found
}

/// Public, but not operations on values: builders, iterators, options.
const NOT_OPERATIONS: &[&str] = &[
    "new",
    "stride",
    "padding",
    "padding_same",
    "dilation",
    "groups",
    "output_padding",
    "ceil_mode",
    "count_include_pad",
    "size",
    "scale",
    "mode",
    "align_corners",
    "padding_mode",
    "unchanged",
    "of",
    "record",
    "shape",
    "reduce",
];

#[test]
fn every_operation_is_in_the_guide() {
    let guide = include_str!("../src/guide/operations.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tape/src/ops");
    let functions = public_functions(&root);
    assert!(functions.len() > 200, "only {} functions were found", functions.len());
    let listed = |name: &str| {
        [format!("`{name}`"), format!("`{name}("), format!("`Tensor::{name}"), format!(" {name}(")]
            .iter()
            .any(|spelling| guide.contains(spelling.as_str()))
    };
    let missing: Vec<_> =
        functions.iter().filter(|(_, name)| !NOT_OPERATIONS.contains(&name.as_str()) && !listed(name)).collect();
    assert!(missing.is_empty(), "not in src/guide/operations.md: {missing:#?}");
}
