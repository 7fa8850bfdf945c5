//! Reductions, products, and rearrangements of whole tensors against index loops.

mod common;

use common::{Laid, Naive, any_laid, assert_close, assert_same, broadcast_shape, config, indices, laid, naive};
use common::{laid_with_dims, narrower, panic_text, values};
use proptest::prelude::*;
use tape::{DType, Tensor};

/// A tensor, the mask of one or more of its dimensions, and those by number, some from the end.
fn reduced() -> impl Strategy<Value = (Laid, Vec<bool>, Vec<isize>)> {
    laid_with_dims()
        .prop_flat_map(|x| {
            let dims = x.naive.dim();
            (Just(x), proptest::collection::vec(any::<(bool, bool)>(), dims), 0..dims)
        })
        .prop_map(|(x, chosen, always)| {
            let dims = chosen.len() as isize;
            let mask: Vec<bool> = chosen.iter().enumerate().map(|(dim, c)| c.0 || dim == always).collect();
            let named = (0..dims).filter(|&d| mask[d as usize]);
            let named = named.map(|d| if chosen[d as usize].1 { d - dims } else { d });
            let dims = named.rev().collect();
            (x, mask, dims)
        })
}

/// A tensor of at least one dimension, and one of its dimensions.
fn with_dim() -> impl Strategy<Value = (Laid, usize)> {
    (laid_with_dims(), 0usize..4).prop_map(|(x, dim)| (x.clone(), dim % x.naive.dim()))
}

/// Position of the first element that no other one beats.
fn first_best(line: &[f64], beats: fn(f64, f64) -> bool) -> usize {
    (1..line.len()).fold(0, |best, i| if beats(line[i], line[best]) { i } else { best })
}

/// Without the marked dimensions, which have size one.
fn drop_dims(x: &Naive, marked: &[bool]) -> Naive {
    let kept = x.shape.iter().zip(marked).filter(|(_, m)| !**m).map(|(&size, _)| size);
    x.reshape(&kept.collect::<Vec<_>>())
}

fn finish(kept: Naive, mask: &[bool], keepdim: bool) -> Naive {
    if keepdim { kept } else { drop_dims(&kept, mask) }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn sums_and_means_over_dimensions((x, mask, dims) in reduced(), keepdim in any::<bool>()) {
        let t = x.tensor();
        let sums = finish(x.naive.reduce(&mask, |line| line.iter().sum()), &mask, keepdim);
        assert_close(&t.sum_dim(&dims[..], keepdim), &sums, 1e-13);
        assert_close(&t.float().sum_dim(&dims[..], keepdim), &sums, 1e-6);
        let means = x.naive.reduce(&mask, |line| line.iter().sum::<f64>() / line.len() as f64);
        assert_close(&t.mean_dim(&dims[..], keepdim), &finish(means, &mask, keepdim), 1e-13);
        let whole = x.naive.map(f64::trunc).reduce(&mask, |line| line.iter().sum());
        let integers = t.long().sum_dim(&dims[..], keepdim);
        prop_assert_eq!(integers.dtype(), DType::I64);
        assert_same(&integers, &finish(whole, &mask, keepdim));
    }

    #[test]
    fn reductions_of_all_elements(x in any_laid()) {
        let t = x.tensor();
        let all = vec![true; x.naive.dim()];
        let scalar = |f: fn(&[f64]) -> f64| drop_dims(&x.naive.reduce(&all, f), &all);
        assert_close(&t.sum(), &scalar(|v| v.iter().sum()), 1e-13);
        assert_close(&t.mean(), &scalar(|v| v.iter().sum::<f64>() / v.len() as f64), 1e-13);
        assert_same(&t.any(), &scalar(|v| f64::from(v.iter().any(|&v| v != 0.0))));
        assert_same(&t.all(), &scalar(|v| f64::from(v.iter().all(|&v| v != 0.0))));
        if !x.naive.data.is_empty() {
            assert_same(&t.max(), &scalar(|v| v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v))));
            assert_same(&t.min(), &scalar(|v| v.iter().fold(f64::INFINITY, |m, &v| m.min(v))));
            assert_same(&t.argmax(), &scalar(|v| first_best(v, |a, b| a > b) as f64));
            assert_same(&t.argmin(), &scalar(|v| first_best(v, |a, b| a < b) as f64));
        }
    }

    #[test]
    fn extremes_and_truth_over_dimensions((x, mask, dims) in reduced(), keepdim in any::<bool>()) {
        let t = x.tensor();
        let oracle = |f: fn(&[f64]) -> f64| finish(x.naive.reduce(&mask, f), &mask, keepdim);
        let any = oracle(|v| f64::from(v.iter().any(|&v| v != 0.0)));
        let all = oracle(|v| f64::from(v.iter().all(|&v| v != 0.0)));
        assert_same(&t.any_dim(&dims[..], keepdim), &any);
        assert_same(&t.all_dim(&dims[..], keepdim), &all);
        assert_same(&t.long().ne(0).any_dim(&dims[..], keepdim), &finish(
            x.naive.reduce(&mask, |v| f64::from(v.iter().any(|v| v.trunc() != 0.0))), &mask, keepdim));
        if mask.iter().zip(&x.naive.shape).all(|(&m, &size)| !m || size > 0) {
            let largest = oracle(|v| v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v)));
            let smallest = oracle(|v| v.iter().fold(f64::INFINITY, |m, &v| m.min(v)));
            assert_same(&t.amax(&dims[..], keepdim), &largest);
            assert_same(&t.amin(&dims[..], keepdim), &smallest);
            assert_same(&t.float().amax(&dims[..], keepdim), &largest);
        } else {
            prop_assert!(panic_text(|| t.amax(&dims[..], keepdim)).starts_with("amax: "));
        }
    }

    #[test]
    fn extremes_along_one_dimension_and_where_they_are((x, dim) in with_dim(), keepdim in any::<bool>()) {
        prop_assume!(x.naive.shape[dim] > 0);
        let t = x.tensor();
        let mask: Vec<bool> = (0..x.naive.dim()).map(|d| d == dim).collect();
        let from_end = dim as isize - x.naive.dim() as isize;
        let oracle = |f: fn(&[f64]) -> f64| finish(x.naive.reduce(&mask, f), &mask, keepdim);
        let (largest, at) = t.max_dim(from_end, keepdim);
        assert_same(&largest, &oracle(|v| v[first_best(v, |a, b| a > b)]));
        assert_same(&at, &oracle(|v| first_best(v, |a, b| a > b) as f64));
        prop_assert_eq!(at.dtype(), DType::I64);
        let (smallest, at) = t.min_dim(dim as isize, keepdim);
        assert_same(&smallest, &oracle(|v| v[first_best(v, |a, b| a < b)]));
        assert_same(&at, &oracle(|v| first_best(v, |a, b| a < b) as f64));
        assert_same(&t.argmax_dim(from_end, keepdim), &oracle(|v| first_best(v, |a, b| a > b) as f64));
        assert_same(&t.argmin_dim(from_end, keepdim), &oracle(|v| first_best(v, |a, b| a < b) as f64));
    }

    #[test]
    fn gradients_of_reductions((x, mask, dims) in reduced()) {
        let leaf = x.leaf();
        let sums = leaf.sum_dim(&dims[..], true);
        let w = Naive::positions(sums.sizes()).map(|p| (p * 0.7).sin());
        (sums * w.tensor()).sum().backward().unwrap();
        assert_close(&leaf.grad().unwrap(), &w.expand(&x.naive.shape), 1e-14);
        if x.naive.data.is_empty() {
            return Ok(());
        }
        // Equal extremes share the gradient.
        leaf.set_grad(None);
        (leaf.amax(&dims[..], true) * w.tensor()).sum().backward().unwrap();
        let largest = x.naive.reduce(&mask, |v| v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v)));
        let is_largest = x.naive.zip(&largest, |v, m| f64::from(v == m));
        let count = is_largest.reduce(&mask, |v| v.iter().sum());
        let expected = is_largest.zip(&w, |hit, w| hit * w).zip(&count, |v, n| v / n);
        assert_close(&leaf.grad().unwrap(), &expected, 1e-14);
    }
}

/// The product of the last two dimensions, index by index.
fn naive_matmul(a: &Naive, b: &Naive) -> Naive {
    let wide_a = if a.dim() == 1 { a.reshape(&[1, a.shape[0]]) } else { a.clone() };
    let wide_b = if b.dim() == 1 { b.reshape(&[b.shape[0], 1]) } else { b.clone() };
    let (ra, rb) = (wide_a.dim() - 2, wide_b.dim() - 2);
    let (n, k, m) = (wide_a.shape[ra], wide_a.shape[ra + 1], wide_b.shape[rb + 1]);
    let batch = broadcast_shape(&wide_a.shape[..ra], &wide_b.shape[..rb]).expect("batches broadcast");
    let product = Naive::from_fn(&[&batch[..], &[n, m]].concat(), |index| {
        let (lead, i, j) = (&index[..batch.len()], index[batch.len()], index[batch.len() + 1]);
        let term = |l: usize| wide_a.broadcast_matrix_at(lead, i, l) * wide_b.broadcast_matrix_at(lead, l, j);
        (0..k).map(term).sum()
    });
    let mut shape = batch;
    if a.dim() > 1 {
        shape.push(n);
    }
    if b.dim() > 1 {
        shape.push(m);
    }
    product.reshape(&shape)
}

trait Matrices {
    fn broadcast_matrix_at(&self, batch: &[usize], i: usize, j: usize) -> f64;
}

impl Matrices for Naive {
    /// As `broadcast_at` in the batch, exact in the matrix.
    fn broadcast_matrix_at(&self, batch: &[usize], i: usize, j: usize) -> f64 {
        let own = self.dim() - 2;
        let tail = batch[batch.len() - own..].iter().zip(&self.shape);
        let lead = tail.map(|(&at, &size)| if size == 1 { 0 } else { at });
        self.at(&lead.chain([i, j]).collect::<Vec<_>>())
    }
}

/// Two tensors that can be multiplied, of every pair of ranks from 1 to 4.
fn factors() -> impl Strategy<Value = (Laid, Laid)> {
    let size = || prop_oneof![1 => Just(0usize), 8 => 1usize..6];
    let batch = proptest::collection::vec(prop_oneof![1 => Just(0usize), 6 => 1usize..4], 0..3);
    let batches = batch.prop_flat_map(|b| (narrower(b.clone()), narrower(b)));
    (batches, size(), size(), size(), any::<(u8, u8)>()).prop_flat_map(|((batch_a, batch_b), n, k, m, (va, vb))| {
        let a = if va % 4 == 0 { vec![k] } else { [&batch_a[..], &[n, k]].concat() };
        let b = if vb % 4 == 0 { vec![k] } else { [&batch_b[..], &[k, m]].concat() };
        (laid(a), laid(b))
    })
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn matmul_of_all_ranks((a, b) in factors()) {
        let expected = naive_matmul(&a.naive, &b.naive);
        assert_close(&a.tensor().matmul(&b.tensor()), &expected, 1e-12);
        assert_close(&a.tensor().float().matmul(&b.tensor().float()), &expected, 1e-5);
        let whole = naive_matmul(&a.naive.map(f64::trunc), &b.naive.map(f64::trunc));
        let integers = a.tensor().long().matmul(&b.tensor().long());
        prop_assert_eq!(integers.dtype(), DType::I64);
        assert_same(&integers, &whole);
    }

    #[test]
    fn gradients_of_matmul((a, b) in factors()) {
        let (x, y) = (a.leaf(), b.leaf());
        let out = x.matmul(&y);
        let w = Naive::positions(out.sizes()).map(|p| (p * 0.7).sin());
        (out * w.tensor()).sum().backward().unwrap();
        // The product is linear in each factor: d/dx_i is the weighted product with x a unit vector.
        let along = |x: &Naive, i: usize, product: &dyn Fn(&Naive) -> Naive| {
            let mut unit = x.map(|_| 0.0);
            unit.data[i] = 1.0;
            product(&unit).zip(&w, |p, w| p * w).data.iter().sum::<f64>()
        };
        let for_a = (0..a.naive.data.len()).map(|i| along(&a.naive, i, &|u| naive_matmul(u, &b.naive)));
        assert_close(&x.grad().unwrap(), &Naive::new(&a.naive.shape, for_a.collect()), 1e-12);
        let for_b = (0..b.naive.data.len()).map(|i| along(&b.naive, i, &|u| naive_matmul(&a.naive, u)));
        assert_close(&y.grad().unwrap(), &Naive::new(&b.naive.shape, for_b.collect()), 1e-12);
    }
}

/// Tensors that differ at most in the size of one dimension.
fn joinable() -> impl Strategy<Value = (Vec<Laid>, usize)> {
    (with_dim(), proptest::collection::vec(0usize..4, 0..3)).prop_flat_map(|((first, dim), sizes)| {
        let shape = first.naive.shape.clone();
        let rest: Vec<_> = sizes
            .iter()
            .map(|&size| {
                let mut shape = shape.clone();
                shape[dim] = size;
                laid(shape)
            })
            .collect();
        (rest, Just(first), Just(dim)).prop_map(|(mut all, first, dim)| {
            all.insert(0, first);
            (all, dim)
        })
    })
}

/// One after the other along `dim`.
fn naive_cat(parts: &[Naive], dim: usize) -> Naive {
    let mut shape = parts[0].shape.clone();
    shape[dim] = parts.iter().map(|part| part.shape[dim]).sum();
    Naive::from_fn(&shape, |index| {
        let mut index = index.to_vec();
        for part in parts {
            if index[dim] < part.shape[dim] {
                return part.at(&index);
            }
            index[dim] -= part.shape[dim];
        }
        unreachable!("the sizes add up")
    })
}

/// Sizes of the pieces that `split(size)` and `chunk` cut: all equal but the last.
fn piece_sizes(total: usize, size: usize) -> Vec<usize> {
    if total == 0 { vec![0] } else { (0..total).step_by(size).map(|at| size.min(total - at)).collect() }
}

fn assert_pieces(pieces: &[Tensor], x: &Naive, dim: usize, sizes: &[usize]) {
    assert_eq!(pieces.len(), sizes.len());
    let mut start = 0;
    for (piece, &size) in pieces.iter().zip(sizes) {
        assert_same(piece, &x.slice(dim, start, size, 1));
        start += size;
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn cat_and_its_gradient((parts, dim) in joinable()) {
        let leaves: Vec<Tensor> = parts.iter().map(Laid::leaf).collect();
        let naive: Vec<Naive> = parts.iter().map(|part| part.naive.clone()).collect();
        let joined = Tensor::cat(&leaves[..], dim as isize - naive[0].dim() as isize);
        assert_same(&joined, &naive_cat(&naive, dim));
        let w = Naive::positions(joined.sizes()).map(|p| p + 1.0);
        (joined * w.tensor()).sum().backward().unwrap();
        let mut start = 0;
        for leaf in &leaves {
            let size = leaf.sizes()[dim];
            assert_same(&leaf.grad().unwrap(), &w.slice(dim, start, size, 1));
            start += size;
        }
    }

    #[test]
    fn stack_is_cat_of_unsqueezed(x in any_laid(), y in any::<u64>(), copies in 1usize..4) {
        let dim = y as usize % (x.naive.dim() + 1);
        let parts: Vec<Naive> = (0..copies).map(|i| x.naive.map(|v| v + i as f64)).collect();
        let mut shape = x.naive.shape.clone();
        shape.insert(dim, 1);
        let long: Vec<Naive> = parts.iter().map(|part| part.reshape(&shape)).collect();
        let tensors: Vec<Tensor> = (0..copies).map(|i| x.tensor() + i as f64).collect();
        assert_same(&Tensor::stack(&tensors[..], dim as isize), &naive_cat(&long, dim));
    }

    #[test]
    fn split_and_chunk_give_the_pieces((x, dim) in with_dim(), size in 1usize..6) {
        let (t, total) = (x.tensor(), x.naive.shape[dim]);
        assert_pieces(&t.split(size, dim as isize), &x.naive, dim, &piece_sizes(total, size));
        let chunks = if total == 0 { vec![0; size] } else { piece_sizes(total, total.div_ceil(size)) };
        assert_pieces(&t.chunk(size, dim as isize), &x.naive, dim, &chunks);
        let cut = size.min(total);
        assert_pieces(&t.split_sizes([cut, total - cut], dim as isize), &x.naive, dim, &[cut, total - cut]);
        for (i, row) in t.unbind(dim as isize).iter().enumerate() {
            assert_same(row, &x.naive.select(dim, i));
        }
    }

    #[test]
    fn repeat_tiles(x in any_laid(), counts in proptest::collection::vec(0usize..3, 4..6)) {
        let lead = counts.len() - x.naive.dim();
        let own = [vec![1; lead], x.naive.shape.clone()].concat();
        let shape: Vec<usize> = own.iter().zip(&counts).map(|(size, count)| size * count).collect();
        let expected = Naive::from_fn(&shape, |index| {
            let source = index[lead..].iter().zip(&own[lead..]).map(|(&i, &size)| i % size);
            x.naive.at(&source.collect::<Vec<_>>())
        });
        let leaf = x.leaf();
        let tiled = leaf.repeat(counts.clone());
        assert_same(&tiled, &expected);
        tiled.sum().backward().unwrap();
        let copies = counts.iter().product::<usize>() as f64;
        assert_same(&leaf.grad().unwrap(), &x.naive.map(|_| copies));
    }

    #[test]
    fn gather_and_scatter_add((x, dim) in with_dim(), seed in any::<u64>(), length in 0usize..5) {
        prop_assume!(x.naive.shape[dim] > 0);
        let size = x.naive.shape[dim];
        let shrink = |d: usize, s: usize| s - (seed >> d) as usize % (s + 1).min(2);
        let mut shape: Vec<usize> = x.naive.shape.iter().enumerate().map(|(d, &s)| shrink(d, s)).collect();
        shape[dim] = length;
        let scale = (seed % 97) as f64 * 0.31;
        let at = Naive::positions(&shape).map(|p| ((p + 1.0) * scale).floor() % size as f64);
        let source = |index: &[usize]| {
            let mut source = index.to_vec();
            source[dim] = at.at(index) as usize;
            source
        };
        let leaf = x.leaf();
        let gathered = leaf.gather(dim as isize, &at.tensor().long());
        assert_same(&gathered, &Naive::from_fn(&shape, |i| x.naive.at(&source(i))));
        let added = Naive::positions(&shape).map(|p| p + 0.5);
        let mut sums = x.naive.clone();
        let mut gradient = x.naive.map(|_| 0.0);
        for index in indices(&shape) {
            let flat = sums.offset(&source(&index));
            sums.data[flat] += added.at(&index);
            gradient.data[flat] += added.at(&index);
        }
        let scattered = leaf.scatter_add(dim as isize, &at.tensor().long(), &added.tensor());
        assert_close(&scattered, &sums, 1e-13);
        (gathered * added.tensor()).sum().backward().unwrap();
        assert_close(&leaf.grad().unwrap(), &gradient, 1e-13);
    }

    #[test]
    fn index_select_takes_slices((x, dim) in with_dim(), seed in any::<u64>(), length in 0usize..6) {
        prop_assume!(x.naive.shape[dim] > 0);
        let size = x.naive.shape[dim] as u64;
        let at: Vec<i64> = (0..length).map(|i| ((seed >> (3 * i)) % size) as i64).collect();
        let mut shape = x.naive.shape.clone();
        shape[dim] = length;
        let expected = Naive::from_fn(&shape, |index| {
            let mut source = index.to_vec();
            source[dim] = at[index[dim]] as usize;
            x.naive.at(&source)
        });
        let leaf = x.leaf();
        let selected = leaf.index_select(dim as isize, &Tensor::from(at.clone()));
        assert_same(&selected, &expected);
        selected.sum().backward().unwrap();
        let count = |i: &[usize]| at.iter().filter(|&&a| a as usize == i[dim]).count() as f64;
        assert_same(&leaf.grad().unwrap(), &Naive::from_fn(&x.naive.shape, count));
    }

    #[test]
    fn masked_select_and_fill(x in any_laid(), m in any::<u64>()) {
        let mask = Naive::positions(&x.naive.shape).map(|p| f64::from((m >> (p as u64 % 64)) & 1 == 1));
        let (t, marks) = (x.leaf(), mask.tensor().bool());
        let chosen: Vec<f64> =
            x.naive.data.iter().zip(&mask.data).filter(|(_, m)| **m == 1.0).map(|(&v, _)| v).collect();
        let selected = t.masked_select(&marks);
        assert_same(&selected, &Naive::new(&[chosen.len()], chosen));
        assert_same(&t.masked_fill(&marks, 9.0), &x.naive.zip(&mask, |v, m| if m == 1.0 { 9.0 } else { v }));
        selected.sum().backward().unwrap();
        assert_same(&t.grad().unwrap(), &mask);
    }
}

#[test]
fn a_sum_keeps_its_accuracy_over_many_elements() {
    let mut runner = proptest::test_runner::TestRunner::new(config(1));
    let numbers = values(100_000).prop_flat_map(|v| naive(vec![0]).prop_map(move |_| v.clone()));
    let numbers = proptest::strategy::ValueTree::current(&numbers.new_tree(&mut runner).unwrap());
    let small = Tensor::from(numbers.iter().map(|v| (v * 0.1) as f32).collect::<Vec<_>>());
    let exact: f64 = small.double().to_vec::<f64>().iter().sum();
    let scale: f64 = numbers.iter().map(|v| v.abs() * 0.1).sum();
    // A pairwise sum of n numbers is off by at most about log2(n) roundings of the sum of magnitudes.
    assert!((small.sum().item() - exact).abs() <= 17.0 * f64::from(f32::EPSILON) * scale);
}
