//! The value tree behind state dicts.
//!
//! A state dict is a [`Value`]: numbers, strings, lists, dicts and tensors, nested as torch nests them. It is
//! indexed the way a torch script indexes its dict:
//!
//! ```
//! use checkpoint::{Dict, Value};
//! let mut sd = Value::from(Dict::from_iter([("state", Value::dict()), ("param_groups", Value::list())]));
//! sd["state"][0]["n_iter"] = 19.into();
//! assert_eq!(sd["state"][0]["n_iter"].as_int(), Some(19));
//! assert!(sd["state"][1]["n_iter"].is_none()); // what is absent reads as `None`
//! ```
//!
//! # Copies
//! Cloning a [`Value`] copies its lists and dicts, all the way down. A [`Tensor`](tape::Tensor) inside is a
//! handle, so the clone refers to the same tensor; use [`Value::deep_copy`] where its numbers must be copied
//! as well.
#![forbid(unsafe_code)]

mod dict;
mod display;
mod error;
mod index;
mod value;

pub use dict::{Dict, Key};
pub use error::{Error, Result};
pub use index::ValueIndex;
pub use value::Value;
