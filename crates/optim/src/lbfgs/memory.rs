//! The limited memory: pairs of steps and gradient changes, and the direction they give.

use super::scalar::Number;
use std::collections::VecDeque;
use tape::{Float, vector};

/// Elements that one allocation holds at least: short vectors share one, so that a solve of a small problem
/// allocates once and its history is contiguous.
const SLAB: usize = 512;

/// A stored pair: where its vectors are, and `rho = 1 / (y . s)`.
#[derive(Clone, Copy, Debug)]
struct Pair<T> {
    slot: usize,
    rho: T,
}

/// The pairs `s_k = x_{k+1} - x_k`, `y_k = g_{k+1} - g_k`, oldest first. Buffers of dropped pairs are used
/// again, so that nothing is allocated once the history is full.
#[derive(Clone, Debug)]
pub(crate) struct Memory<T> {
    n: usize,
    /// Each slab holds `per_slab` slots of `2 n` elements: `s`, then `y`.
    slabs: Vec<Vec<T>>,
    per_slab: usize,
    slots: usize,
    free: Vec<usize>,
    pairs: VecDeque<Pair<T>>,
}

impl<T: Float> Memory<T> {
    /// An empty memory for vectors of `n` elements.
    pub(crate) fn new(n: usize) -> Self {
        let per_slab = (SLAB / (2 * n).max(1)).max(1);
        Self { n, slabs: Vec::new(), per_slab, slots: 0, free: Vec::new(), pairs: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn clear(&mut self) {
        self.free.extend(self.pairs.drain(..).map(|pair| pair.slot));
    }

    /// Steps, gradient changes and `rho`, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[T], &[T], T)> {
        self.pairs.iter().map(|pair| {
            let (s, y) = self.vectors(pair.slot);
            (s, y, pair.rho)
        })
    }

    fn vectors(&self, slot: usize) -> (&[T], &[T]) {
        let start = slot % self.per_slab * 2 * self.n;
        self.slabs[slot / self.per_slab][start..start + 2 * self.n].split_at(self.n)
    }

    fn vectors_mut(&mut self, slot: usize) -> (&mut [T], &mut [T]) {
        let start = slot % self.per_slab * 2 * self.n;
        self.slabs[slot / self.per_slab][start..start + 2 * self.n].split_at_mut(self.n)
    }

    /// A slot that no pair uses.
    fn spare_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            if self.slots == self.slabs.len() * self.per_slab {
                self.slabs.push(vec![T::ZERO; self.per_slab * 2 * self.n]);
            }
            self.slots += 1;
            self.slots - 1
        })
    }

    /// Fills the vectors of a new pair, without storing it yet.
    pub(crate) fn candidate(&mut self, fill: impl FnOnce(&mut [T], &mut [T])) -> Candidate<T> {
        let slot = self.spare_slot();
        let (s, y) = self.vectors_mut(slot);
        fill(s, y);
        Candidate { slot, ys: vector::dot(y, s) }
    }

    pub(crate) fn discard(&mut self, candidate: Candidate<T>) {
        self.free.push(candidate.slot);
    }

    /// Stores a pair and returns `gamma = (y . s) / (y . y)`, the scale of the initial matrix (Nocedal &
    /// Wright, eq. 7.20). The oldest pair goes if there are exactly `capacity`.
    pub(crate) fn store(&mut self, candidate: Candidate<T>, capacity: usize) -> T {
        if self.pairs.len() == capacity
            && let Some(oldest) = self.pairs.pop_front()
        {
            self.free.push(oldest.slot);
        }
        let Candidate { slot, ys } = candidate;
        self.pairs.push_back(Pair { slot, rho: T::ONE / ys });
        let (_, y) = self.vectors(slot);
        ys / vector::dot(y, y)
    }

    /// Stores a pair as it was saved.
    pub(crate) fn restore(&mut self, s: &[T], y: &[T], rho: T) {
        let slot = self.spare_slot();
        let (to_s, to_y) = self.vectors_mut(slot);
        to_s.copy_from_slice(s);
        to_y.copy_from_slice(y);
        self.pairs.push_back(Pair { slot, rho });
    }

    /// Writes the quasi-Newton direction `-H g` into `d`: the two-loop recursion (Nocedal & Wright, Algorithm
    /// 7.4) with initial matrix `gamma I`. The factors `alpha_i` go to `alphas`, which has at least one place
    /// per pair.
    ///
    /// Each history vector is read once: an update and the dot product after it share a pass.
    pub(crate) fn direction(&self, g: &[T], gamma: Number<T>, alphas: &mut [Option<T>], d: &mut [T]) {
        vector::neg(g, d);
        let Some(newest) = self.pairs.back() else { return scale(gamma, d) };
        let mut s_dot_q = vector::dot(self.vectors(newest.slot).0, d);
        for (i, pair) in self.pairs.iter().enumerate().rev() {
            let (_, y) = self.vectors(pair.slot);
            let alpha = s_dot_q * pair.rho;
            alphas[i] = Some(alpha);
            match i.checked_sub(1) {
                Some(older) => s_dot_q = vector::axpy_dot(-alpha, y, d, self.vectors(self.pairs[older].slot).0),
                None => vector::axpy(-alpha, y, d),
            }
        }
        scale(gamma, d);
        let mut y_dot_r = vector::dot(self.vectors(self.pairs[0].slot).1, d);
        for (i, pair) in self.pairs.iter().enumerate() {
            let (s, _) = self.vectors(pair.slot);
            let beta = y_dot_r * pair.rho;
            let step = alphas[i].unwrap_or(T::ZERO) - beta;
            match self.pairs.get(i + 1) {
                Some(newer) => y_dot_r = vector::axpy_dot(step, s, d, self.vectors(newer.slot).1),
                None => vector::axpy(step, s, d),
            }
        }
    }
}

fn scale<T: Float>(gamma: Number<T>, d: &mut [T]) {
    if !matches!(gamma, Number::Int(1)) {
        vector::scale(gamma.round(), d);
    }
}

/// A pair that waits for the curvature test.
#[derive(Debug)]
pub(crate) struct Candidate<T> {
    slot: usize,
    /// The curvature `y . s`.
    pub(crate) ys: T,
}

#[cfg(test)]
mod tests;
