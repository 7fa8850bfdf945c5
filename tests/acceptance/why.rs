//! `tests/why.rs` as its author wrote it, the widths of its lines included.
#[rustfmt::skip]
#[path = "../why.rs"]
mod why;
