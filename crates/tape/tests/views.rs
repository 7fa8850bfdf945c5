//! Chains of views against naive positions: which element each one reads, and that writes and gradients go
//! to the same place.

mod common;

use common::{Choices, Naive, assert_close, assert_same, config, indices, naive, panic_text, shapes};
use proptest::prelude::*;
use tape::{DType, Tensor, grad};

/// A dimension, and its name, sometimes counted from the end.
fn random_dim(choices: &mut Choices, dims: usize) -> (usize, isize) {
    let dim = choices.below(dims);
    (dim, if choices.below(2) == 0 { dim as isize } else { dim as isize - dims.max(1) as isize })
}

/// A tensor, the positions in the base that it reads, and whether it still shares the base's memory.
struct Chain {
    tensor: Tensor,
    at: Naive,
    shares: bool,
}

/// Whether the positions are an affine function of the index: exactly then strides can express them.
fn is_affine(at: &Naive) -> bool {
    if at.data.is_empty() {
        return true;
    }
    let unit = |dim: usize| (0..at.dim()).map(|d| usize::from(d == dim)).collect::<Vec<_>>();
    let step = |dim: usize| if at.shape[dim] > 1 { at.at(&unit(dim)) - at.data[0] } else { 0.0 };
    let steps: Vec<f64> = (0..at.dim()).map(step).collect();
    indices(&at.shape).iter().all(|index| {
        let linear: f64 = index.iter().zip(&steps).map(|(&i, step)| i as f64 * step).sum();
        at.at(index) == at.data[0] + linear
    })
}

/// A random shape of `numel` elements.
fn factors(numel: usize, choices: &mut Choices) -> Vec<usize> {
    let mut rest = numel;
    let mut shape = Vec::new();
    while shape.len() < 4 && (rest != 1 || choices.below(3) == 0) {
        let divisors: Vec<usize> = (1..=rest.max(3)).filter(|d| rest == 0 || rest.is_multiple_of(*d)).collect();
        let size = if shape.len() == 3 { rest } else { divisors[choices.below(divisors.len())] };
        rest = rest.checked_div(size).unwrap_or(rest);
        shape.push(size);
    }
    if numel == 0 && !shape.contains(&0) {
        shape.push(0);
    }
    shape
}

impl Chain {
    fn new(base: &Tensor) -> Chain {
        Chain { tensor: base.clone(), at: Naive::positions(base.sizes()), shares: true }
    }

    fn reshaped(&mut self, tensor: Tensor, shape: &[usize]) {
        self.at = self.at.reshape(shape);
        self.tensor = tensor;
    }

    /// Through `reshape`, which shares memory exactly where `view` is possible.
    fn reshape(&mut self, choices: &mut Choices) {
        let shape = factors(self.at.data.len(), choices);
        let mut sizes: Vec<isize> = shape.iter().map(|&size| size as isize).collect();
        let free = choices.below(shape.len());
        if !shape.is_empty() && !shape.contains(&0) && choices.below(2) == 0 {
            sizes[free] = -1;
        }
        // Memory positions of a copy are its own: only before the first copy are they the base's.
        if self.shares {
            if is_affine(&self.at.reshape(&shape)) {
                let view = self.tensor.view(sizes.clone());
                assert_eq!(view.sizes(), shape);
            } else {
                let text = panic_text(|| self.tensor.view(sizes.clone()));
                assert!(text.contains("view size is not compatible with input tensor's size and stride"), "{text}");
                self.shares = false;
            }
        }
        self.reshaped(self.tensor.reshape(sizes), &shape);
    }

    fn step(&mut self, kind: u8, choices: &mut Choices) {
        let dims = self.at.dim();
        let shape = self.at.shape.clone();
        let (dim, named) = random_dim(choices, dims);
        match kind % 10 {
            0 => self.reshape(choices),
            1 if dims > 0 => {
                let (other, other_named) = random_dim(choices, dims);
                let mut order: Vec<usize> = (0..dims).collect();
                order.swap(dim, other);
                (self.tensor, self.at) = (self.tensor.transpose(named, other_named), self.at.permute(&order));
            }
            2 => {
                let mut order: Vec<usize> = (0..dims).collect();
                (1..dims).for_each(|i| order.swap(i, choices.below(i + 1)));
                self.at = self.at.permute(&order);
                let from_end = order.iter().map(|&d| if d % 2 == 0 { d as isize } else { d as isize - dims as isize });
                self.tensor = self.tensor.permute(from_end.collect::<Vec<_>>());
            }
            3 => {
                let squeezed: Vec<usize> = shape.iter().copied().filter(|&size| size != 1).collect();
                self.reshaped(self.tensor.squeeze(), &squeezed);
            }
            4 if dims > 0 => {
                let mut squeezed = shape.clone();
                if squeezed[dim] == 1 {
                    squeezed.remove(dim);
                }
                self.reshaped(self.tensor.squeeze_dim(named), &squeezed);
            }
            5 if dims < 5 => {
                let (dim, named) = random_dim(choices, dims + 1);
                let mut longer = shape;
                longer.insert(dim, 1);
                self.reshaped(self.tensor.unsqueeze(named), &longer);
            }
            6 if dims < 5 => {
                let lead = vec![choices.below(2) + 1; choices.below(3).min(5 - dims)];
                let grown = shape.iter().map(|&size| if size == 1 { 1 + choices.below(3) } else { size });
                let target: Vec<usize> = lead.into_iter().chain(grown).collect();
                if target.iter().product::<usize>() <= 600 {
                    (self.tensor, self.at) = (self.tensor.expand(target.clone()), self.at.expand(&target));
                }
            }
            7 if dims > 0 => {
                let start = choices.below(shape[dim] + 1);
                let len = choices.below(shape[dim] - start + 1);
                self.at = self.at.slice(dim, start, len, 1);
                self.tensor = self.tensor.narrow(named, start as isize, len);
            }
            8 if dims > 0 => {
                let (start, step) = (choices.below(shape[dim] + 1), 1 + choices.below(3));
                let end = start + choices.below(shape[dim] - start + 1);
                self.at = self.at.slice(dim, start, (end - start).div_ceil(step), step);
                self.tensor = self.tensor.slice(named, start as isize..end as isize, step);
            }
            9 if dims > 0 && shape[dim] > 0 => {
                let at = choices.below(shape[dim]);
                let index = if choices.below(2) == 0 { at as isize } else { at as isize - shape[dim] as isize };
                (self.tensor, self.at) = (self.tensor.select(named, index), self.at.select(dim, at));
            }
            _ => {
                // `flatten`, which shares like the reshape that it is.
                let (first, last) = (dim, if dims == 0 { 0 } else { dim + choices.below(dims - dim) });
                let merged = match dims {
                    0 => vec![1],
                    _ => [&shape[..first], &[shape[first..=last].iter().product()], &shape[last + 1..]].concat(),
                };
                self.shares &= is_affine(&self.at.reshape(&merged)) || self.at.data.is_empty();
                self.reshaped(self.tensor.flatten(first as isize, last as isize), &merged);
            }
        }
    }

    fn run(base: &Tensor, kinds: &[u8], seed: u64) -> Chain {
        let mut chain = Chain::new(base);
        let mut choices = Choices(seed);
        kinds.iter().for_each(|&kind| chain.step(kind, &mut choices));
        chain
    }

    fn positions(&self) -> impl Iterator<Item = usize> {
        self.at.data.iter().map(|&at| at as usize)
    }

    fn repeats(&self) -> bool {
        let mut all: Vec<usize> = self.positions().collect();
        all.sort_unstable();
        all.windows(2).any(|pair| pair[0] == pair[1])
    }
}

fn chains() -> impl Strategy<Value = (Naive, Vec<u8>, u64)> {
    (shapes().prop_flat_map(naive), proptest::collection::vec(any::<u8>(), 0..9), any::<u64>())
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_chain_of_views_reads_what_naive_positions_say((base, kinds, seed) in chains()) {
        let tensor = base.tensor();
        let chain = Chain::run(&tensor, &kinds, seed);
        assert_same(&chain.tensor, &chain.at.map(|at| base.data[at as usize]));
        // Once more after the base was overwritten: views see it, copies do not.
        let (old, new) = (base.clone(), base.map(|v| v * 3.0 + 100.0));
        tensor.write_from(&new.data);
        let seen = if chain.shares { &new } else { &old };
        assert_same(&chain.tensor, &chain.at.map(|at| seen.data[at as usize]));
    }

    #[test]
    fn writes_through_a_view_reach_the_base((base, kinds, seed) in chains()) {
        let tensor = base.tensor();
        let chain = Chain::run(&tensor, &kinds, seed);
        prop_assume!(!chain.repeats());
        let written = Naive::positions(&chain.at.shape).map(|p| 1000.0 + p);
        chain.tensor.copy_(&written.tensor());
        let mut expected = base.clone();
        if chain.shares {
            chain.positions().zip(&written.data).for_each(|(at, &value)| expected.data[at] = value);
        }
        assert_same(&tensor, &expected);
        assert_same(&chain.tensor, &written);
    }

    #[test]
    fn the_gradient_of_a_chain_is_the_gradient_of_its_gather((base, kinds, seed) in chains()) {
        let leaf = base.tensor().requires_grad_(true);
        let chain = Chain::run(&leaf, &kinds, seed);
        let weights = Naive::positions(&chain.at.shape).map(|p| (p * 0.7).sin());
        let gradients = grad(&chain.tensor, &leaf).grad_outputs(weights.tensor()).compute().unwrap();
        let mut expected = base.map(|_| 0.0);
        chain.positions().zip(&weights.data).for_each(|(at, w)| expected.data[at] += w);
        assert_close(&gradients[0], &expected, 1e-13);
    }

    #[test]
    fn a_recorded_change_through_a_view_is_the_history_of_the_base((base, kinds, seed) in chains()) {
        let leaf = base.tensor().requires_grad_(true);
        let scale = Tensor::from(2.5).requires_grad_(true);
        let y = &leaf * 1.0;
        let chain = Chain::run(&y, &kinds, seed);
        prop_assume!(chain.shares && !chain.repeats());
        let whole = y.reshape(-1);
        chain.tensor.mul_(&scale);
        let weights = Naive::positions(&base.shape).map(|p| (p * 0.7).sin());
        let flat_weights = weights.reshape(&[weights.data.len()]);
        (&whole * &flat_weights.tensor()).sum().backward().unwrap();
        let mut expected = weights.clone();
        let mut for_scale = 0.0;
        for at in chain.positions() {
            expected.data[at] *= 2.5;
            for_scale += weights.data[at] * base.data[at];
        }
        assert_close(&leaf.grad().unwrap(), &expected, 1e-12);
        let scale_grad = scale.grad().map_or(0.0, |g| g.item());
        prop_assert!((scale_grad - for_scale).abs() < 1e-11, "{} {}", scale_grad, for_scale);
    }
}

#[test]
fn nothing_is_repeated_where_there_are_no_elements() {
    let x = Tensor::zeros([1, 0], DType::F64).expand([3, 0]);
    assert_eq!(x.add_(1.0).copy_(&Tensor::from(2.0)).sizes(), [3, 0]);
}

#[test]
fn no_elements_are_reshaped_in_every_layout() {
    let x = Tensor::zeros([0, 3, 2], DType::F64).permute([0, 2, 1]);
    assert_eq!(x.reshape(0).sizes(), [0]);
    assert_eq!(Tensor::zeros([0, 1], DType::F64).expand([0, 3]).reshape([3, 0]).sizes(), [3, 0]);
}
