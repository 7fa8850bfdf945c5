//! `tests/gradients.rs` as its author wrote it, the widths of its lines included.
#[rustfmt::skip]
#[path = "../gradients.rs"]
mod gradients;
