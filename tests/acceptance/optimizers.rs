//! `tests/optimizers.rs` as its author wrote it, the widths of its lines included.
#[rustfmt::skip]
#[path = "../optimizers.rs"]
mod optimizers;
