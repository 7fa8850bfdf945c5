//! `i(..)` and `index_put_` against the rules of NumPy, index by index.

mod common;

use common::{Choices, Naive, assert_close, assert_same, config, indices, naive, shapes};
use proptest::prelude::*;
use smallvec::SmallVec;
use tape::{DType, Index, Indices, Tensor, grad};

/// One entry of `i(..)`, as the oracle sees it.
#[derive(Clone, Debug)]
enum Entry {
    At(isize),
    Range(Option<isize>, Option<isize>),
    NewAxis,
    Ellipsis,
    Numbers(Naive),
    Mask(Naive),
}

struct Entries(Vec<Entry>);

impl Indices for Entries {
    fn entries(self) -> SmallVec<[Index; 4]> {
        let convert = |entry| match entry {
            Entry::At(at) => Index::At(at),
            Entry::Range(start, end) => Index::Range(start, end),
            Entry::NewAxis => Index::NewAxis,
            Entry::Ellipsis => Index::Ellipsis,
            Entry::Numbers(numbers) => Index::Tensor(numbers.tensor().long()),
            Entry::Mask(mask) => Index::Tensor(mask.tensor().bool()),
        };
        self.0.into_iter().map(convert).collect()
    }
}

/// What stands for one dimension of the indexed tensor, or for a new one (`source` is then `None`).
enum Axis {
    Basic { source: Option<usize>, start: usize, len: usize },
    Numbers { source: usize, index: Naive },
}

/// The elements that an index names, by NumPy's rules with torch's one difference: an integer entry is not
/// an index tensor, it selects beforehand.
fn naive_index(x: &Naive, entries: &[Entry]) -> Naive {
    let (fixed, axes) = axes(x, entries);
    let is_numbers = |axis: &Axis| matches!(axis, Axis::Numbers { .. });
    let mut common = vec![];
    for axis in &axes {
        if let Axis::Numbers { index, .. } = axis {
            common = common::broadcast_shape(&common, &index.shape).expect("index tensors broadcast");
        }
    }
    let (first, last) = (axes.iter().position(is_numbers), axes.iter().rposition(is_numbers));
    let adjacent = matches!((first, last), (Some(a), Some(b)) if axes[a..=b].iter().all(is_numbers));
    let place = if adjacent { first.unwrap_or(0) } else { 0 };
    let basic: Vec<&Axis> = axes.iter().filter(|axis| !is_numbers(axis)).collect();
    let mut shape: Vec<usize> =
        basic.iter().map(|axis| if let Axis::Basic { len, .. } = axis { *len } else { 0 }).collect();
    shape.splice(place..place, common.iter().copied());
    Naive::from_fn(&shape, |index| {
        let chosen = &index[place..place + common.len()];
        let mut rest = [&index[..place], &index[place + common.len()..]].concat().into_iter();
        let mut source_index = fixed.clone();
        for axis in &axes {
            match axis {
                Axis::Numbers { source, index } => {
                    let at = index.broadcast_at(chosen);
                    source_index[*source] = (if at < 0.0 { at + x.shape[*source] as f64 } else { at }) as usize;
                }
                Axis::Basic { source, start, .. } => {
                    let i = rest.next().expect("one index per basic axis");
                    if let Some(source) = source {
                        source_index[*source] = start + i;
                    }
                }
            }
        }
        x.at(&source_index)
    })
}

/// The axes that remain, and the index of the dimensions that do not.
fn axes(x: &Naive, entries: &[Entry]) -> (Vec<usize>, Vec<Axis>) {
    let uses = |entry: &Entry| match entry {
        Entry::NewAxis | Entry::Ellipsis => 0,
        Entry::Mask(mask) => mask.dim(),
        _ => 1,
    };
    let mut open = x.dim() - entries.iter().map(uses).sum::<usize>();
    let (mut fixed, mut axes, mut dim) = (vec![0; x.dim()], Vec::new(), 0);
    let whole = |dim: usize| Axis::Basic { source: Some(dim), start: 0, len: x.shape[dim] };
    for entry in entries {
        match entry {
            Entry::At(at) => fixed[dim] = at.rem_euclid(x.shape[dim] as isize) as usize,
            Entry::NewAxis => axes.push(Axis::Basic { source: None, start: 0, len: 1 }),
            Entry::Ellipsis => {
                axes.extend((dim..dim + open).map(whole));
                dim += std::mem::take(&mut open);
            }
            Entry::Range(start, end) => {
                let size = x.shape[dim] as isize;
                let clip = |i: isize| (if i < 0 { i + size } else { i }).clamp(0, size) as usize;
                let (start, end) = (start.map_or(0, clip), end.map_or(size as usize, clip));
                axes.push(Axis::Basic { source: Some(dim), start, len: end.max(start) - start });
            }
            Entry::Numbers(index) => axes.push(Axis::Numbers { source: dim, index: index.clone() }),
            Entry::Mask(mask) => {
                let marked: Vec<Vec<usize>> = indices(&mask.shape).into_iter().filter(|i| mask.at(i) != 0.0).collect();
                for part in 0..mask.dim() {
                    let numbers = marked.iter().map(|i| i[part] as f64).collect::<Vec<_>>();
                    let index = Naive::new(&[numbers.len()], numbers);
                    axes.push(Axis::Numbers { source: dim + part, index });
                }
            }
        }
        dim += uses(entry);
    }
    axes.extend((dim..x.dim()).map(whole));
    (fixed, axes)
}

/// A valid index for a shape, from random numbers.
fn random_entries(shape: &[usize], choices: &mut Choices) -> Vec<Entry> {
    let (mut entries, mut dim) = (Vec::new(), 0);
    let (mut ellipsis, mut masked) = (false, false);
    // All index tensors broadcast to this length.
    let length = choices.below(4);
    while dim < shape.len() && choices.below(8) > 0 {
        let size = shape[dim];
        match choices.below(9) {
            0 if !ellipsis => {
                ellipsis = true;
                entries.push(Entry::Ellipsis);
                dim += choices.below(shape.len() - dim + 1);
                continue;
            }
            1 => {
                entries.push(Entry::NewAxis);
                continue;
            }
            2 | 3 if size > 0 => entries.push(Entry::At(choices.below(2 * size) as isize - size as isize)),
            // After an ellipsis a mask would meet other sizes than those it was made for.
            4 if !masked && !ellipsis => {
                masked = true;
                let mask_dims = 1 + choices.below((shape.len() - dim).min(2));
                let part = &shape[dim..dim + mask_dims];
                entries.push(Entry::Mask(Naive::from_fn(part, |_| choices.below(2) as f64)));
                dim += mask_dims;
                continue;
            }
            5 | 6 if size > 0 && !masked => {
                let wide = [vec![length], vec![2, length], vec![1], vec![2, 1], vec![]][choices.below(5)].clone();
                let number = |_: &[usize]| choices.below(2 * size) as f64 - size as f64;
                entries.push(Entry::Numbers(Naive::from_fn(&wide, number)));
            }
            _ => {
                let mut bound =
                    || (choices.below(3) > 0).then(|| choices.below(2 * size + 3) as isize - size as isize - 1);
                entries.push(Entry::Range(bound(), bound()));
            }
        }
        dim += 1;
    }
    entries
}

/// Whether, after an ellipsis has moved them, all entries are in range, and all index tensors broadcast.
fn is_valid(x: &Naive, entries: &[Entry]) -> bool {
    let named: usize = entries
        .iter()
        .map(|entry| match entry {
            Entry::NewAxis | Entry::Ellipsis => 0,
            Entry::Mask(mask) => mask.dim(),
            _ => 1,
        })
        .sum();
    if named > x.dim() {
        return false;
    }
    let (mut dim, mut common) = (0, Some(vec![]));
    for entry in entries {
        let in_range = |at: f64| dim < x.dim() && at >= -(x.shape[dim] as f64) && at < x.shape[dim] as f64;
        match entry {
            Entry::At(at) if !in_range(*at as f64) => return false,
            Entry::Numbers(index) if !index.data.iter().all(|&at| in_range(at)) => return false,
            Entry::Numbers(index) => {
                common = common.and_then(|c: Vec<usize>| common::broadcast_shape(&c, &index.shape))
            }
            Entry::Mask(mask) => {
                let count = mask.data.iter().filter(|&&m| m != 0.0).count();
                common = common.and_then(|c| common::broadcast_shape(&c, &[count]));
            }
            _ => {}
        }
        dim += match entry {
            Entry::NewAxis => 0,
            Entry::Ellipsis => x.dim() - named,
            Entry::Mask(mask) => mask.dim(),
            _ => 1,
        };
    }
    common.is_some()
}

/// `x` with `values`, broadcast, written or added at positions `at`, one after the other.
fn naive_put(x: &Naive, at: &Naive, values: &Naive, accumulate: bool) -> Naive {
    let mut out = x.clone();
    for (index, &position) in indices(&at.shape).iter().zip(&at.data) {
        let slot = &mut out.data[position as usize];
        *slot = if accumulate { *slot } else { 0.0 } + values.broadcast_at(index);
    }
    out
}

fn indexed() -> impl Strategy<Value = (Naive, Vec<Entry>)> {
    (shapes().prop_flat_map(naive), any::<u64>())
        .prop_map(|(x, seed)| {
            let entries = random_entries(&x.shape, &mut Choices(seed));
            (x, entries)
        })
        .prop_filter("index must fit", |(x, entries)| !entries.is_empty() && is_valid(x, entries))
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn indexing_follows_the_naive_rules((x, entries) in indexed()) {
        let expected = naive_index(&x, &entries);
        assert_same(&x.tensor().i(Entries(entries.clone())), &expected);
        // The same through a transposed tensor, and of integers.
        let reversed: Vec<usize> = (0..x.dim()).rev().collect();
        let strided = x.permute(&reversed).tensor().permute(reversed);
        assert_same(&strided.i(Entries(entries.clone())), &expected);
        let whole = x.map(|v| v * 4.0);
        assert_same(&whole.tensor().long().i(Entries(entries)), &expected.map(|v| v * 4.0));
    }

    #[test]
    fn the_gradient_of_indexing_goes_to_the_named_elements((x, entries) in indexed()) {
        let at = naive_index(&Naive::positions(&x.shape), &entries);
        let weights = Naive::positions(&at.shape).map(|p| (p * 0.7).sin());
        let leaf = x.tensor().requires_grad_(true);
        let out = leaf.i(Entries(entries));
        let gradients = grad(&out, &leaf).grad_outputs(weights.tensor()).compute().unwrap();
        let mut expected = x.map(|_| 0.0);
        at.data.iter().zip(&weights.data).for_each(|(&at, w)| expected.data[at as usize] += w);
        assert_close(&gradients[0], &expected, 1e-13);
    }

    #[test]
    fn index_put_writes_and_adds((x, entries) in indexed(), kind in any::<(bool, bool)>()) {
        let (accumulate, many) = kind;
        let at = naive_index(&Naive::positions(&x.shape), &entries);
        let number = Naive::new(&[], vec![7.5]);
        let values = if many { Naive::positions(&at.shape).map(|p| 100.0 + p) } else { number };
        let tensor = x.tensor();
        let returned = tensor.index_put_(Entries(entries.clone()), values.tensor(), accumulate);
        prop_assert!(returned.same(&tensor));
        assert_same(&tensor, &naive_put(&x, &at, &values, accumulate));
        let whole = |n: &Naive| n.map(|v| (v * 4.0).trunc());
        let integers = whole(&x).tensor().long();
        integers.index_put_(Entries(entries), whole(&values).tensor().long(), accumulate);
        prop_assert_eq!(integers.dtype(), DType::I64);
        assert_same(&integers, &naive_put(&whole(&x), &at, &whole(&values), accumulate));
    }

    #[test]
    fn the_gradient_of_index_put_is_split((x, entries) in indexed(), accumulate in any::<bool>()) {
        let at = naive_index(&Naive::positions(&x.shape), &entries);
        let leaf = x.tensor().requires_grad_(true);
        let values = at.map(|p| p * 0.25).tensor().requires_grad_(true);
        let y = &leaf * 1.0;
        y.index_put_(Entries(entries), &values, accumulate);
        let weights = x.map(|_| 0.0).zip(&Naive::positions(&x.shape), |_, p| (p * 0.7).sin() + 2.0);
        (&y * &weights.tensor()).sum().backward().unwrap();
        let mut for_leaf = weights.clone();
        let mut for_values = at.map(|p| weights.data[p as usize]);
        if !accumulate {
            for (flat, &position) in at.data.iter().enumerate() {
                for_leaf.data[position as usize] = 0.0;
                if at.data[flat + 1..].contains(&position) {
                    for_values.data[flat] = 0.0;
                }
            }
        }
        // What was wholly overwritten may have no gradient instead of zeros.
        let found = |x: &Tensor| x.grad().unwrap_or_else(|| x.zeros_like());
        assert_close(&found(&leaf), &for_leaf, 1e-12);
        assert_close(&found(&values), &for_values, 1e-12);
    }
}

#[test]
fn index_put_replaces_what_is_not_a_number() {
    let x = Tensor::from([1.0, f64::NAN, f64::INFINITY]);
    x.index_put_([1, 2], 5.0, false);
    assert_eq!(x.to_vec::<f64>(), [1.0, 5.0, 5.0]);
}

#[test]
fn index_put_leaves_the_other_elements_alone() {
    let x = Tensor::from([1.0, -2.0, -3.0]);
    x.index_put_(x.lt(0.0), 7.0, false);
    assert_eq!(x.to_vec::<f64>(), [1.0, 7.0, 7.0]);
}
