//! No operation without a case, no case without an operation.

use crate::SECTIONS;
use crate::case::cases;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the operations are declared, and the name before theirs in the file.
const SOURCES: &[(&str, &str)] =
    &[("tape/src/ops", ""), ("tape/src/tensor", ""), ("tape/src/linalg.rs", "linalg."), ("tape/src/linalg", "linalg.")];

/// Public functions without a case, and why.
const WITHOUT_CASES: &[(&str, &str)] = &[
    ("empty", "its elements are whatever the memory held"),
    ("empty_like", "its elements are whatever the memory held"),
    ("from_vec", "every input of every case is made by it"),
    ("item", "reads, computes nothing; tested beside its definition"),
    ("item_as", "reads, computes nothing; tested beside its definition"),
    ("to_vec", "every result of every case is read by it"),
    ("read_into", "reads, computes nothing; tested beside its definition"),
    ("write_from", "writes from a slice, which torch does not have"),
    ("add_scaled", "adds a slice, which torch does not have"),
    ("update_with", "a rule of the caller's; every first-order optimizer is compared with torch through it"),
    ("norm_in_memory_order", "compared with torch's clip_grad_norm_ in the tests of nn"),
    ("scale_by", "compared with torch's clip_grad_norm_ in the tests of nn"),
    ("limit_to", "compared with torch's clip_grad_value_ in the tests of nn"),
    ("linalg.inverse", "torch's other name of linalg.inv"),
    ("linalg.pinverse", "torch's other name of linalg.pinv"),
];

#[test]
fn every_section_is_replayed() {
    let in_file: BTreeSet<_> = cases().map(|case| case.section()).collect();
    assert_eq!(in_file, SECTIONS.iter().map(|(name, _)| *name).collect());
}

#[test]
fn every_operation_of_the_file_has_an_entry() {
    for (section, modules) in SECTIONS {
        let in_file: BTreeSet<_> =
            cases().filter(|case| case.section() == *section).map(|case| case.operation()).collect();
        let entries: Vec<_> = modules.iter().copied().flatten().map(|(name, _)| *name).collect();
        let distinct: BTreeSet<_> = entries.iter().copied().collect();
        assert_eq!(entries.len(), distinct.len(), "{section} names an operation twice");
        let unknown: Vec<_> = in_file.symmetric_difference(&distinct).collect();
        assert!(unknown.is_empty(), "{section}: either in the file or in the module, but not in both: {unknown:?}");
    }
}

#[test]
fn every_public_operation_has_a_case() {
    let covered: BTreeSet<_> = cases().map(|case| case.operation()).collect();
    let mut missing = vec![];
    let mut found = BTreeSet::new();
    for (folder, prefix) in SOURCES {
        for (file, name) in public_functions(folder) {
            let name = format!("{prefix}{name}");
            let excepted = WITHOUT_CASES.iter().any(|(exception, _)| *exception == name);
            if !excepted && !covered.contains(name.as_str()) {
                missing.push(format!("{name} of {}", file.display()));
            }
            found.insert(name);
        }
    }
    assert!(missing.is_empty(), "operations without a case:\n{}", missing.join("\n"));
    for (name, _) in WITHOUT_CASES {
        assert!(found.contains(*name), "{name} is excepted, but there is no such function");
        assert!(!covered.contains(name), "{name} is excepted, but it has a case");
    }
    assert!(found.len() > 150 && found.contains("tanh") && found.contains("fmax") && found.contains("add_"));
}

/// The public functions in the files of a folder, those that macros declare included.
fn public_functions(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for file in sources(&crates.join(folder)) {
        let text = std::fs::read_to_string(&file).expect("a readable source");
        // Where the line stands: in `impl Tensor`, in a call of a declaring macro such as `elementary! {`, or at
        // the top level.
        let (mut of_tensor, mut in_macro_call) = (false, false);
        for line in text.lines() {
            if line.starts_with("mod tests") {
                break;
            }
            let top_level = !line.starts_with([' ', '/', '#', '}']) && !line.is_empty();
            if top_level {
                of_tensor = line.starts_with("impl Tensor ");
                in_macro_call = line.ends_with("! {") && !line.starts_with("macro_rules!");
            }
            let counted = top_level || of_tensor;
            let declared = line.trim_start().strip_prefix("pub fn ").filter(|_| counted);
            let by_macro = in_macro_call.then(|| declared_by_macro(line)).flatten();
            let name = declared.or(by_macro).map(identifier).filter(|name| !name.is_empty());
            found.extend(name.map(|name| (file.clone(), name.to_string())));
        }
    }
    found
}

/// `fn tanh: Tanh, ...` or `add_<'a>(...) = add;` on the first level of a macro call.
fn declared_by_macro(line: &str) -> Option<&str> {
    let line = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '/', '#']))?;
    if let Some(rest) = line.strip_prefix("fn ") {
        return Some(rest);
    }
    let after = &line[identifier(line).len()..];
    (line.ends_with(';') && line.contains(" = ") && after.starts_with(['(', '<'])).then_some(line)
}

/// The identifier at the start of a text; empty for `$name`.
fn identifier(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")
}

/// The source files at or below a path, test modules excepted.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_source = path.extension().is_some_and(|e| e == "rs") && path.file_stem().is_some_and(|s| s != "tests");
        return is_source.then(|| path.to_path_buf()).into_iter().collect();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.flat_map(|entry| sources(&entry.expect("a readable folder").path())).collect()
}
