//! The limited memory: pairs of steps and gradient changes, and the direction they give.

mod slabs;

use super::scalar::Number;
use slabs::{Narrow, Products, Slabs, Whole};
use std::collections::VecDeque;
use tape::{DType, Element, Float, Tensor, vector};

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
    vectors: Vectors<T>,
    free: Vec<usize>,
    pairs: VecDeque<Pair<T>>,
}

/// The vectors, in the method's own type or in half of it.
#[derive(Clone, Debug)]
enum Vectors<T> {
    Whole(Slabs<T>),
    Narrow(Slabs<f32>),
}

impl<T: Float> Memory<T> {
    /// An empty memory for vectors of `n` elements.
    pub(crate) fn new(n: usize) -> Self {
        Self { n, vectors: Vectors::Whole(Slabs::new(n)), free: Vec::new(), pairs: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn clear(&mut self) {
        self.free.extend(self.pairs.drain(..).map(|pair| pair.slot));
    }

    /// Memory that the vectors take, in bytes, those of dropped pairs included.
    pub(crate) fn bytes(&self) -> usize {
        match &self.vectors {
            Vectors::Whole(slabs) => slabs.bytes(),
            Vectors::Narrow(slabs) => slabs.bytes(),
        }
    }

    /// Keeps the vectors in `f32` from now on, or in `T`; those there are converted.
    pub(crate) fn set_narrow(&mut self, narrow: bool) {
        let narrow = narrow && T::DTYPE == DType::F64;
        if narrow == matches!(self.vectors, Vectors::Narrow(_)) {
            return;
        }
        let vectors = if narrow { Vectors::Narrow(Slabs::new(self.n)) } else { Vectors::Whole(Slabs::new(self.n)) };
        let mut converted = Self { n: self.n, vectors, free: Vec::new(), pairs: VecDeque::new() };
        let (mut s, mut y) = (vec![T::ZERO; self.n], vec![T::ZERO; self.n]);
        for (i, pair) in self.pairs.iter().enumerate() {
            let [from_s, from_y] = self.tensors(i);
            from_s.read_into(&mut s);
            from_y.read_into(&mut y);
            converted.restore(&s, &y, pair.rho);
        }
        *self = converted;
    }

    /// `s` and `y` of the `i`-th oldest pair, in the dtype in which they are kept.
    pub(crate) fn tensors(&self, i: usize) -> [Tensor; 2] {
        fn tensors<S: Element>((s, y): (&[S], &[S])) -> [Tensor; 2] {
            [s, y].map(|x| Tensor::from_vec(x.to_vec(), [x.len()]))
        }
        match &self.vectors {
            Vectors::Whole(slabs) => tensors(slabs.vectors(self.pairs[i].slot)),
            Vectors::Narrow(slabs) => tensors(slabs.vectors(self.pairs[i].slot)),
        }
    }

    /// `rho` of every pair, oldest first.
    pub(crate) fn rhos(&self) -> impl Iterator<Item = T> {
        self.pairs.iter().map(|pair| pair.rho)
    }

    /// A slot that no pair uses.
    fn spare_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| match &mut self.vectors {
            Vectors::Whole(slabs) => slabs.grow(),
            Vectors::Narrow(slabs) => slabs.grow(),
        })
    }

    /// Fills the vectors of a new pair, without storing it yet. Where they are kept in `f32` they are computed
    /// in `scratch` and rounded, and `y . s` is that of the rounded ones.
    pub(crate) fn candidate(
        &mut self,
        scratch: (&mut [T], &mut [T]),
        fill: impl FnOnce(&mut [T], &mut [T]),
    ) -> Candidate<T> {
        let slot = self.spare_slot();
        match &mut self.vectors {
            Vectors::Whole(slabs) => {
                let (s, y) = slabs.vectors_mut(slot);
                fill(s, y);
                Candidate { slot, ys: vector::dot(y, s), yy: None }
            }
            Vectors::Narrow(slabs) => {
                let (wide_s, wide_y) = scratch;
                fill(wide_s, wide_y);
                let (s, y) = slabs.vectors_mut(slot);
                round(wide_s, s);
                round(wide_y, y);
                Candidate { slot, ys: vector::dot(wide_y, wide_s), yy: Some(vector::dot(wide_y, wide_y)) }
            }
        }
    }

    pub(crate) fn discard(&mut self, candidate: Candidate<T>) {
        self.free.push(candidate.slot);
    }

    /// Whether neither `y . s` nor `gamma` is infinite or NaN, as the products of finite vectors may be.
    pub(crate) fn has_finite_scale(&self, candidate: &Candidate<T>) -> bool {
        let gamma = candidate.ys / candidate.yy.unwrap_or_else(|| self.square_of_y(candidate.slot));
        candidate.ys.to_f64().is_finite() && gamma.to_f64().is_finite()
    }

    /// Stores a pair and returns `gamma = (y . s) / (y . y)`, the scale of the initial matrix (Nocedal &
    /// Wright, eq. 7.20). The oldest pair goes if there are exactly `capacity`.
    pub(crate) fn store(&mut self, candidate: Candidate<T>, capacity: usize) -> T {
        if self.pairs.len() == capacity
            && let Some(oldest) = self.pairs.pop_front()
        {
            self.free.push(oldest.slot);
        }
        let Candidate { slot, ys, yy } = candidate;
        self.pairs.push_back(Pair { slot, rho: T::ONE / ys });
        ys / yy.unwrap_or_else(|| self.square_of_y(slot))
    }

    /// `y . y` of vectors in the method's own type.
    fn square_of_y(&self, slot: usize) -> T {
        let Vectors::Whole(slabs) = &self.vectors else { return T::ONE };
        let (_, y) = slabs.vectors(slot);
        vector::dot(y, y)
    }

    /// Stores a pair as it was saved.
    pub(crate) fn restore(&mut self, s: &[T], y: &[T], rho: T) {
        let slot = self.spare_slot();
        match &mut self.vectors {
            Vectors::Whole(slabs) => {
                let (to_s, to_y) = slabs.vectors_mut(slot);
                to_s.copy_from_slice(s);
                to_y.copy_from_slice(y);
            }
            Vectors::Narrow(slabs) => {
                let (to_s, to_y) = slabs.vectors_mut(slot);
                for (to, x) in to_s.iter_mut().chain(to_y).zip(s.iter().chain(y)) {
                    *to = x.cast();
                }
            }
        }
        self.pairs.push_back(Pair { slot, rho });
    }

    /// Writes the quasi-Newton direction `-H g` into `d`: the two-loop recursion (Nocedal & Wright, Algorithm
    /// 7.4) with initial matrix `gamma I`. The factors `alpha_i` go to `alphas`, which has at least one place
    /// per pair.
    pub(crate) fn direction(&self, g: &[T], gamma: Number<T>, alphas: &mut [Option<T>], d: &mut [T]) {
        vector::neg(g, d);
        match &self.vectors {
            Vectors::Whole(slabs) => self.recursion::<T, Whole<T>>(slabs, gamma, alphas, d),
            Vectors::Narrow(slabs) => self.recursion::<f32, Narrow>(slabs, gamma, alphas, d),
        }
    }

    /// Each history vector is read once: an update and the dot product after it share a pass.
    fn recursion<S: Element, P: Products<S, T>>(
        &self,
        slabs: &Slabs<S>,
        gamma: Number<T>,
        alphas: &mut [Option<T>],
        d: &mut [T],
    ) {
        let Some(newest) = self.pairs.back() else { return scale(gamma, d) };
        let mut s_dot_q = P::dot(slabs.vectors(newest.slot).0, d);
        for (i, pair) in self.pairs.iter().enumerate().rev() {
            let (_, y) = slabs.vectors(pair.slot);
            let alpha = s_dot_q * pair.rho;
            alphas[i] = Some(alpha);
            match i.checked_sub(1) {
                Some(older) => s_dot_q = P::axpy_dot(-alpha, y, d, slabs.vectors(self.pairs[older].slot).0),
                None => P::axpy(-alpha, y, d),
            }
        }
        scale(gamma, d);
        let mut y_dot_r = P::dot(slabs.vectors(self.pairs[0].slot).1, d);
        for (i, pair) in self.pairs.iter().enumerate() {
            let (s, _) = slabs.vectors(pair.slot);
            let beta = y_dot_r * pair.rho;
            let step = alphas[i].unwrap_or(T::ZERO) - beta;
            match self.pairs.get(i + 1) {
                Some(newer) => y_dot_r = P::axpy_dot(step, s, d, slabs.vectors(newer.slot).1),
                None => P::axpy(step, s, d),
            }
        }
    }
}

fn scale<T: Float>(gamma: Number<T>, d: &mut [T]) {
    if !matches!(gamma, Number::Int(1)) {
        vector::scale(gamma.round(), d);
    }
}

/// Rounds to `f32`, and leaves in `wide` what that gave.
fn round<T: Float>(wide: &mut [T], narrow: &mut [f32]) {
    for (wide, narrow) in wide.iter_mut().zip(narrow) {
        *narrow = wide.cast();
        *wide = narrow.cast();
    }
}

/// A pair that waits for the curvature test.
#[derive(Debug)]
pub(crate) struct Candidate<T> {
    slot: usize,
    /// The curvature `y . s`.
    pub(crate) ys: T,
    /// `y . y`, where it cannot be computed later.
    yy: Option<T>,
}

#[cfg(test)]
mod tests;
