//! Random programs, with views and in-place changes, run twice: by tape, and by an interpreter that knows
//! memory and positions only. Gradients are compared with finite differences of the interpreter.

mod common;

use common::functions::{self, BINARY, REDUCTIONS, SCANS, UNARY};
use common::{Naive, broadcast_shape, config, values};
use proptest::prelude::*;
use tape::{Tensor, grad, gradgradcheck};

/// One operation; numbers name earlier results.
#[derive(Clone, Debug)]
enum Step {
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    Tanh(usize),
    Sin(usize),
    /// exp(tanh(x)): bounded.
    Exp(usize),
    MatMul(usize, usize),
    SumDim(usize, usize),
    Transpose(usize),
    /// `i(..)` of a range in one dimension.
    Slice(usize, usize, usize, usize),
    Cat(usize, usize, usize),
    /// Functions of the tables, by number.
    Unary(usize, usize),
    Binary(usize, usize, usize),
    Reduce(usize, usize, usize),
    Scan(usize, usize, usize),
    AddInPlace(usize, usize),
    MulInPlace(usize, usize),
    CopyInPlace(usize, usize),
}

/// A matrix of the interpreter: a view of one of its memories.
#[derive(Clone)]
struct Matrix {
    memory: usize,
    at: Naive,
}

/// The interpreter's state. All results are kept, so that late readers see early views.
#[derive(Clone, Default)]
struct Machine {
    memories: Vec<Vec<f64>>,
    results: Vec<Matrix>,
}

impl Machine {
    fn start(leaves: &[Naive]) -> Machine {
        let mut machine = Machine::default();
        leaves.iter().for_each(|leaf| machine.push(leaf.clone()));
        machine
    }

    fn push(&mut self, value: Naive) {
        let at = Naive::positions(&value.shape);
        self.results.push(Matrix { memory: self.memories.len(), at });
        self.memories.push(value.data);
    }

    fn view(&mut self, of: usize, at: Naive) {
        let memory = self.results[of].memory;
        self.results.push(Matrix { memory, at });
    }

    fn read(&self, x: usize) -> Naive {
        let matrix = &self.results[x];
        matrix.at.map(|at| self.memories[matrix.memory][at as usize])
    }

    fn largest(&self, x: usize) -> f64 {
        self.read(x).data.iter().fold(0.0, |largest, v| v.abs().max(largest))
    }

    /// Writes through a view, and gives the same matrix once more as a result.
    fn write(&mut self, x: usize, value: &Naive) {
        let matrix = self.results[x].clone();
        let value = value.expand(&matrix.at.shape);
        for (&at, &value) in matrix.at.data.iter().zip(&value.data) {
            self.memories[matrix.memory][at as usize] = value;
        }
        self.results.push(matrix);
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Add(a, b) => self.push(self.read(a).zip(&self.read(b), |a, b| a + b)),
            Step::Sub(a, b) => self.push(self.read(a).zip(&self.read(b), |a, b| a - b)),
            Step::Mul(a, b) => self.push(self.read(a).zip(&self.read(b), |a, b| a * b)),
            Step::Tanh(a) => self.push(self.read(a).map(f64::tanh)),
            Step::Sin(a) => self.push(self.read(a).map(f64::sin)),
            Step::Exp(a) => self.push(self.read(a).map(|x| x.tanh().exp())),
            Step::MatMul(a, b) => {
                let (a, b) = (self.read(a), self.read(b));
                let dot = |i: &[usize]| (0..a.shape[1]).map(|k| a.at(&[i[0], k]) * b.at(&[k, i[1]])).sum();
                self.push(Naive::from_fn(&[a.shape[0], b.shape[1]], dot));
            }
            Step::SumDim(a, dim) => self.push(self.read(a).reduce(&[dim == 0, dim == 1], |line| line.iter().sum())),
            Step::Transpose(a) => self.view(a, self.results[a].at.permute(&[1, 0])),
            Step::Slice(a, dim, start, len) => self.view(a, self.results[a].at.slice(dim, start, len, 1)),
            Step::Cat(a, b, dim) => {
                let (a, b) = (self.read(a), self.read(b));
                let mut shape = a.shape.clone();
                shape[dim] += b.shape[dim];
                self.push(Naive::from_fn(&shape, |index| {
                    let mut index = index.to_vec();
                    if index[dim] < a.shape[dim] {
                        return a.at(&index);
                    }
                    index[dim] -= a.shape[dim];
                    b.at(&index)
                }));
            }
            Step::Unary(f, a) => self.push(self.read(a).map(UNARY[f].1)),
            Step::Binary(f, a, b) => self.push(self.read(a).zip(&self.read(b), BINARY[f].1)),
            Step::Reduce(f, a, dim) => self.push(self.read(a).reduce(&[dim == 0, dim == 1], REDUCTIONS[f].1)),
            Step::Scan(f, a, dim) => self.push(functions::scan(&self.read(a), dim, SCANS[f].1)),
            Step::AddInPlace(a, b) => self.write(a, &self.read(a).zip(&self.read(b), |a, b| a + b)),
            Step::MulInPlace(a, b) => self.write(a, &self.read(a).zip(&self.read(b), |a, b| a * b)),
            Step::CopyInPlace(a, b) => self.write(a, &self.read(b)),
        }
    }
}

/// What every result contributes to the loss: bounded, and different for each element.
fn weight(result: usize) -> f64 {
    0.5 + (result as f64 * 0.7).sin() / 4.0
}

fn naive_loss(steps: &[Step], leaves: &[Naive]) -> f64 {
    let mut machine = Machine::start(leaves);
    steps.iter().for_each(|step| machine.run(step));
    let term = |x: usize| machine.read(x).data.iter().map(|v| v.sin()).sum::<f64>() * weight(x);
    (0..machine.results.len()).map(term).sum()
}

fn tape_results(steps: &[Step], leaves: &[Tensor]) -> Vec<Tensor> {
    let mut all = leaves.to_vec();
    for step in steps {
        let result = match *step {
            Step::Add(a, b) => &all[a] + &all[b],
            Step::Sub(a, b) => &all[a] - &all[b],
            Step::Mul(a, b) => &all[a] * &all[b],
            Step::Tanh(a) => all[a].tanh(),
            Step::Sin(a) => all[a].sin(),
            Step::Exp(a) => all[a].tanh().exp(),
            Step::MatMul(a, b) => all[a].matmul(&all[b]),
            Step::SumDim(a, dim) => all[a].sum_dim(dim, true),
            Step::Transpose(a) => all[a].t(),
            Step::Slice(a, 0, start, len) => all[a].i(start..start + len),
            Step::Slice(a, _, start, len) => all[a].i((.., start..start + len)),
            Step::Cat(a, b, dim) => Tensor::cat([&all[a], &all[b]], dim as isize),
            Step::Unary(f, a) => UNARY[f].0(&all[a]),
            Step::Binary(f, a, b) => BINARY[f].0(&all[a], &all[b]),
            Step::Reduce(f, a, dim) => REDUCTIONS[f].0(&all[a], dim as isize),
            Step::Scan(f, a, dim) => SCANS[f].0(&all[a], dim as isize),
            Step::AddInPlace(a, b) => all[a].add_(&all[b]),
            Step::MulInPlace(a, b) => all[a].mul_(&all[b]),
            Step::CopyInPlace(a, b) => all[a].copy_(&all[b]),
        };
        all.push(result);
    }
    all
}

fn tape_loss(steps: &[Step], leaves: &[Tensor]) -> Tensor {
    let results = tape_results(steps, leaves);
    let terms = results.iter().enumerate().map(|(x, result)| result.sin().sum() * weight(x));
    terms.reduce(|a, b| a + b).expect("leaves are results")
}

/// Turns random numbers into a program that is valid for the leaves.
struct Author {
    machine: Machine,
    steps: Vec<Step>,
    /// Memories whose elements some derivative needs: the next writer must take a copy.
    frozen: Vec<usize>,
}

impl Author {
    fn write(leaves: &[Naive], random: &[(u8, u16, u16, u8)]) -> Vec<Step> {
        let machine = Machine::start(leaves);
        let mut author = Author { machine, steps: Vec::new(), frozen: (0..leaves.len()).collect() };
        random.iter().for_each(|&numbers| author.choose(numbers));
        author.steps
    }

    fn shape(&self, x: usize) -> &[usize] {
        &self.machine.results[x].at.shape
    }

    fn memory(&self, x: usize) -> usize {
        self.machine.results[x].memory
    }

    /// Adds a step, keeping values small enough for differences to mean something.
    fn add(&mut self, step: Step) -> usize {
        self.machine.run(&step);
        self.steps.push(step);
        let result = self.machine.results.len() - 1;
        if self.machine.largest(result) <= 3.0 {
            return result;
        }
        let bounded = self.add(Step::Tanh(result));
        self.freeze(bounded);
        bounded
    }

    fn freeze(&mut self, x: usize) {
        let memory = self.memory(x);
        self.frozen.push(memory);
    }

    /// The operand itself, or its sum, which broadcasts to everything.
    fn fitting(&mut self, target: &[usize], x: usize, exactly: bool) -> usize {
        let common = broadcast_shape(target, self.shape(x));
        let fits = common.is_some_and(|shape| !exactly || shape == target);
        if fits {
            return x;
        }
        let rows = self.add(Step::SumDim(x, 0));
        self.add(Step::SumDim(rows, 1))
    }

    /// A tensor like `x` that may be changed: not a leaf, not saved for a derivative.
    fn writable(&mut self, x: usize) -> usize {
        if !self.frozen.contains(&self.memory(x)) {
            return x;
        }
        // Not through `add`, which could put a `tanh`, whose output is saved, in its place.
        self.machine.run(&Step::Add(x, x));
        self.steps.push(Step::Add(x, x));
        self.machine.results.len() - 1
    }

    /// Adds a function of earlier results.
    fn apply(&mut self, step: Step, operands: &[usize]) {
        // The result itself, before `add` bounds it.
        let result = self.machine.results.len();
        self.add(step);
        self.freeze(result);
        operands.iter().for_each(|&operand| self.freeze(operand));
    }

    fn choose(&mut self, (kind, a, b, extra): (u8, u16, u16, u8)) {
        let count = self.machine.results.len();
        // Late results are likelier, so that programs get deep.
        let pick = |n: u16| count - 1 - (n as usize % count).min(n as usize / 7 % count);
        let (a, b) = (pick(a), pick(b));
        let dim = usize::from(extra) % 2;
        let shape = self.shape(a).to_vec();
        match kind % 27 {
            kind @ 0..3 => {
                let b = self.fitting(&shape, b, false);
                let step = [Step::Add, Step::Sub, Step::Mul][usize::from(kind)](a, b);
                self.add(step);
                if kind == 2 {
                    self.freeze(a);
                    self.freeze(b);
                }
            }
            kind @ (3 | 5) => {
                let result = self.add(if kind == 3 { Step::Tanh(a) } else { Step::Exp(a) });
                self.freeze(result);
            }
            4 => {
                self.add(Step::Sin(a));
                self.freeze(a);
            }
            6 => {
                let b = if shape[1] == self.shape(b)[0] { b } else { self.add(Step::Transpose(a)) };
                self.add(Step::MatMul(a, b));
                self.freeze(a);
                self.freeze(b);
            }
            7 => drop(self.add(Step::SumDim(a, dim))),
            8 => drop(self.add(Step::Transpose(a))),
            9 | 10 => {
                let start = usize::from(extra / 2) % shape[dim];
                let len = 1 + usize::from(extra / 16) % (shape[dim] - start);
                self.add(Step::Slice(a, dim, start, len));
            }
            11 => {
                let b = if shape[1 - dim] == self.shape(b)[1 - dim] { b } else { a };
                if shape[dim] + self.shape(b)[dim] <= 6 {
                    self.add(Step::Cat(a, b, dim));
                }
            }
            // What a function's derivative keeps is its own business: operands and result are taken for kept.
            15..19 => self.apply(Step::Unary(usize::from(extra) % UNARY.len(), a), &[a]),
            19..22 => {
                let b = self.fitting(&shape, b, false);
                self.apply(Step::Binary(usize::from(extra) % BINARY.len(), a, b), &[a, b]);
            }
            22..24 => self.apply(Step::Reduce(usize::from(extra / 2) % REDUCTIONS.len(), a, dim), &[a]),
            24..27 => self.apply(Step::Scan(usize::from(extra / 2) % SCANS.len(), a, dim), &[a]),
            kind => {
                let b = self.fitting(&shape, b, true);
                let a = self.writable(a);
                let step = [Step::AddInPlace, Step::MulInPlace, Step::CopyInPlace][usize::from(kind - 12)](a, b);
                let mut trial = self.machine.clone();
                trial.run(&step);
                if trial.largest(a) > 6.0 {
                    return;
                }
                self.machine = trial;
                self.steps.push(step);
                if kind == 13 && self.memory(a) != self.memory(b) {
                    self.freeze(b);
                }
            }
        }
    }
}

fn programs(length: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<Naive>, Vec<Step>)> {
    let leaves = (values(9), values(4), values(3)).prop_map(|(a, b, c)| {
        let leaf = |shape: &[usize], v: Vec<f64>| Naive::new(shape, v).map(|v| v * 0.37 + 0.01);
        vec![leaf(&[3, 3], a), leaf(&[2, 2], b), leaf(&[1, 3], c)]
    });
    let random = proptest::collection::vec(any::<(u8, u16, u16, u8)>(), length);
    (leaves, random).prop_map(|(leaves, random)| {
        let steps = Author::write(&leaves, &random);
        (leaves, steps)
    })
}

/// The derivative by five points, and the most by which it may be off: the step of the second estimate is
/// a quarter, its error of fourth order a 256th, so their difference bounds it amply.
fn difference(steps: &[Step], leaves: &[Naive], leaf: usize, element: usize) -> (f64, f64) {
    let at = |offset: f64| {
        let mut moved = leaves.to_vec();
        moved[leaf].data[element] += offset;
        naive_loss(steps, &moved)
    };
    let estimate = |h: f64| (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
    let (coarse, fine) = (estimate(2e-4), estimate(5e-5));
    (fine, 1e-7 * (1.0 + fine.abs()) + (fine - coarse).abs())
}

fn tensors(leaves: &[Naive]) -> Vec<Tensor> {
    leaves.iter().map(|leaf| leaf.tensor().requires_grad_(true)).collect()
}

/// Compares every result, every leaf's gradient by `backward`, and the same by `grad` with a graph.
fn check(leaves: &[Naive], steps: &[Step]) {
    let inputs = tensors(leaves);
    let mut machine = Machine::start(leaves);
    steps.iter().for_each(|step| machine.run(step));
    for (x, result) in tape_results(steps, &inputs).iter().enumerate() {
        common::assert_close(result, &machine.read(x), 1e-12);
    }
    tape_loss(steps, &inputs).backward().unwrap_or_else(|error| panic!("{error}"));
    let recorded = grad(tape_loss(steps, &inputs), &inputs[..]).create_graph(true).compute();
    let recorded = recorded.unwrap_or_else(|error| panic!("{error}"));
    for (leaf, input) in inputs.iter().enumerate() {
        let found = Naive::of(&input.grad().expect("every result is part of the loss"));
        common::assert_close(&recorded[leaf], &found, 1e-13);
        for (element, &gradient) in found.data.iter().enumerate() {
            let (expected, tolerance) = difference(steps, leaves, leaf, element);
            assert!(
                (gradient - expected).abs() <= tolerance,
                "leaf {leaf} element {element}: {gradient}, but differences give {expected} +- {tolerance}"
            );
        }
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn values_and_gradients_are_the_interpreters((leaves, steps) in programs(5..41)) {
        check(&leaves, &steps);
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn gradients_of_gradients((leaves, steps) in programs(3..9)) {
        let inputs = tensors(&leaves);
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        gradgradcheck(|x| tape_loss(&steps, x), &inputs).unwrap();
    }
}

/// Programs that once went wrong or look as if they might.
mod kept {
    use super::*;

    fn leaves() -> Vec<Naive> {
        let leaf = |shape: &[usize]| Naive::positions(shape).map(|p| (p * 1.3 + 0.4).sin());
        vec![leaf(&[3, 3]), leaf(&[2, 2]), leaf(&[1, 3])]
    }

    #[test]
    fn a_copy_of_a_leaf_is_changed_in_place_again() {
        use Step::*;
        check(&leaves(), &[Add(0, 0), CopyInPlace(3, 0), MulInPlace(3, 2), AddInPlace(3, 0)]);
    }

    #[test]
    fn a_copy_has_a_gradient_of_its_own() {
        let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
        let z = &x * 2.0;
        let y = z.zeros_like();
        y.copy_(&z);
        let loss = (&y * 3.0 + &z * 5.0).sum();
        let gradients = grad(&loss, [&y, &z, &x]).compute().unwrap();
        assert_eq!(gradients[0].to_vec::<f64>(), [3.0, 3.0]);
        assert_eq!(gradients[1].to_vec::<f64>(), [8.0, 8.0]);
        assert_eq!(gradients[2].to_vec::<f64>(), [16.0, 16.0]);
        let w = x.zeros_like();
        assert!(!w.copy_(&x).is_leaf());
    }

    #[test]
    fn a_row_is_multiplied_by_another_row_of_the_same_memory() {
        use Step::*;
        check(&leaves(), &[Add(0, 0), Slice(3, 0, 0, 1), Slice(3, 0, 1, 1), MulInPlace(4, 5), MulInPlace(5, 4)]);
    }

    #[test]
    fn a_product_with_itself_in_place() {
        use Step::*;
        check(&leaves(), &[Add(0, 0), MulInPlace(3, 3), Transpose(3), MulInPlace(3, 5)]);
    }

    #[test]
    fn a_view_made_before_a_change_is_changed_after_it() {
        use Step::*;
        check(&leaves(), &[Add(0, 0), Transpose(3), AddInPlace(3, 2), MulInPlace(4, 2), Sin(3)]);
    }
}
