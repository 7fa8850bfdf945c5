//! Where the history's vectors lie, and the products with them.

use std::marker::PhantomData;
use tape::vector::{self, mixed};
use tape::{Element, Float};

/// Elements that one allocation holds at least: short vectors share one, so that a solve of a small problem
/// allocates once and its history is contiguous.
const SLAB: usize = 512;

/// Slots of two vectors of `n` elements each: `s`, then `y`.
#[derive(Clone, Debug)]
pub(super) struct Slabs<S> {
    n: usize,
    /// Each slab holds `per_slab` slots.
    slabs: Vec<Vec<S>>,
    per_slab: usize,
    slots: usize,
}

impl<S: Element> Slabs<S> {
    pub(super) fn new(n: usize) -> Self {
        let per_slab = (SLAB / (2 * n).max(1)).max(1);
        Self { n, slabs: Vec::new(), per_slab, slots: 0 }
    }

    /// A slot there was not before.
    pub(super) fn grow(&mut self) -> usize {
        if self.slots == self.slabs.len() * self.per_slab {
            self.slabs.push(vec![S::default(); self.per_slab * 2 * self.n]);
        }
        self.slots += 1;
        self.slots - 1
    }

    pub(super) fn vectors(&self, slot: usize) -> (&[S], &[S]) {
        let start = slot % self.per_slab * 2 * self.n;
        self.slabs[slot / self.per_slab][start..start + 2 * self.n].split_at(self.n)
    }

    pub(super) fn vectors_mut(&mut self, slot: usize) -> (&mut [S], &mut [S]) {
        let start = slot % self.per_slab * 2 * self.n;
        self.slabs[slot / self.per_slab][start..start + 2 * self.n].split_at_mut(self.n)
    }

    pub(super) fn bytes(&self) -> usize {
        self.slabs.iter().map(|slab| size_of_val(&slab[..])).sum()
    }
}

/// Products of stored vectors of type `S` with vectors of the method's type `T`.
pub(super) trait Products<S, T> {
    fn dot(x: &[S], y: &[T]) -> T;
    fn axpy(alpha: T, x: &[S], y: &mut [T]);
    fn axpy_dot(alpha: T, x: &[S], y: &mut [T], z: &[S]) -> T;
}

/// Vectors stored in the method's own type.
pub(super) struct Whole<T>(PhantomData<T>);

impl<T: Float> Products<T, T> for Whole<T> {
    #[inline]
    fn dot(x: &[T], y: &[T]) -> T {
        vector::dot(x, y)
    }

    #[inline]
    fn axpy(alpha: T, x: &[T], y: &mut [T]) {
        vector::axpy(alpha, x, y);
    }

    #[inline]
    fn axpy_dot(alpha: T, x: &[T], y: &mut [T], z: &[T]) -> T {
        vector::axpy_dot(alpha, x, y, z)
    }
}

/// Vectors stored in `f32` for a method in `f64`.
pub(super) struct Narrow;

impl<T: Float> Products<f32, T> for Narrow {
    fn dot(x: &[f32], y: &[T]) -> T {
        mixed::dot(x, y)
    }

    fn axpy(alpha: T, x: &[f32], y: &mut [T]) {
        mixed::axpy(alpha, x, y);
    }

    fn axpy_dot(alpha: T, x: &[f32], y: &mut [T], z: &[f32]) -> T {
        mixed::axpy_dot(alpha, x, y, z)
    }
}
