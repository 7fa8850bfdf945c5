//! The oracle of the property tests: tensors as a shape and a list of numbers, every operation an index
//! loop; and strategies for shapes, values, and memory layouts of the same values.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod functions;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tape::{DType, Tensor};

/// A tensor as nothing but its shape and its elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Naive {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all.into_iter().flat_map(|head| (0..size).map(move |i| [&head[..], &[i]].concat())).collect();
    }
    all
}

/// The common shape under broadcasting: aligned at the last dimension, a size of one fits every other.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let dims = a.len().max(b.len());
    let padded = |s: &[usize]| [vec![1; dims - s.len()], s.to_vec()].concat();
    let sizes = padded(a).into_iter().zip(padded(b));
    sizes.map(|(x, y)| if x == 1 { Some(y) } else { (y == 1 || x == y).then_some(x) }).collect()
}

impl Naive {
    pub fn new(shape: &[usize], data: Vec<f64>) -> Naive {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Naive { shape: shape.to_vec(), data }
    }

    pub fn from_fn(shape: &[usize], f: impl FnMut(&[usize]) -> f64) -> Naive {
        let mut f = f;
        Naive { shape: shape.to_vec(), data: indices(shape).iter().map(|index| f(index)).collect() }
    }

    /// The elements' own positions, 0, 1, 2 ..: what a view of it holds is where it reads.
    pub fn positions(shape: &[usize]) -> Naive {
        let mut next = -1.0;
        Naive::from_fn(shape, |_| {
            next += 1.0;
            next
        })
    }

    pub fn of(x: &Tensor) -> Naive {
        Naive::new(x.sizes(), x.to_dtype(DType::F64).to_vec())
    }

    pub fn tensor(&self) -> Tensor {
        Tensor::from_vec(self.data.clone(), &self.shape)
    }

    pub fn dim(&self) -> usize {
        self.shape.len()
    }

    pub fn offset(&self, index: &[usize]) -> usize {
        index.iter().zip(&self.shape).fold(0, |flat, (&i, &size)| flat * size + i)
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[self.offset(index)]
    }

    /// The element at an index of a shape that this one is broadcast to.
    pub fn broadcast_at(&self, index: &[usize]) -> f64 {
        let tail = &index[index.len() - self.dim()..];
        self.at(&tail.iter().zip(&self.shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect::<Vec<_>>())
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Naive {
        Naive::new(&self.shape, self.data.iter().map(|&x| f(x)).collect())
    }

    pub fn zip(&self, other: &Naive, f: impl Fn(f64, f64) -> f64) -> Naive {
        let shape = broadcast_shape(&self.shape, &other.shape).expect("the shapes broadcast");
        Naive::from_fn(&shape, |i| f(self.broadcast_at(i), other.broadcast_at(i)))
    }

    pub fn expand(&self, shape: &[usize]) -> Naive {
        Naive::from_fn(shape, |i| self.broadcast_at(i))
    }

    pub fn reshape(&self, shape: &[usize]) -> Naive {
        Naive::new(shape, self.data.clone())
    }

    pub fn permute(&self, order: &[usize]) -> Naive {
        let shape: Vec<usize> = order.iter().map(|&dim| self.shape[dim]).collect();
        Naive::from_fn(&shape, |index| {
            let mut source = vec![0; index.len()];
            for (&dim, &i) in order.iter().zip(index) {
                source[dim] = i;
            }
            self.at(&source)
        })
    }

    pub fn slice(&self, dim: usize, start: usize, len: usize, step: usize) -> Naive {
        let mut shape = self.shape.clone();
        shape[dim] = len;
        Naive::from_fn(&shape, |index| {
            let mut source = index.to_vec();
            source[dim] = start + step * index[dim];
            self.at(&source)
        })
    }

    pub fn select(&self, dim: usize, at: usize) -> Naive {
        let mut shape = self.shape.clone();
        shape.remove(dim);
        self.slice(dim, at, 1, 1).reshape(&shape)
    }

    /// `f` of the elements that differ only in the marked dimensions, which are kept with size one.
    pub fn reduce(&self, marked: &[bool], f: impl Fn(&[f64]) -> f64) -> Naive {
        let part = |keep: bool| -> Vec<usize> {
            self.shape.iter().zip(marked).map(|(&size, &m)| if m == keep { 1 } else { size }).collect()
        };
        let inner = indices(&part(false));
        Naive::from_fn(&part(true), |outer| {
            let place = |i: &Vec<usize>| i.iter().zip(outer).map(|(a, b)| a + b).collect::<Vec<_>>();
            f(&inner.iter().map(|i| self.at(&place(i))).collect::<Vec<_>>())
        })
    }
}

/// Where the elements of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    /// Row-major.
    Dense,
    /// Column-major: a row-major tensor with its dimensions reversed.
    Reversed,
    /// Every second element of a larger tensor, from the second on; NaN between.
    Gaps,
    /// Repeated along dimension `.0` (modulo their number) with stride zero: the values are constant there.
    Repeated(usize),
}

/// Values together with a layout for them.
#[derive(Clone, Debug)]
pub struct Laid {
    pub naive: Naive,
    pub layout: Layout,
}

impl Laid {
    fn new(naive: Naive, layout: Layout) -> Laid {
        let naive = match layout {
            Layout::Repeated(dim) if naive.dim() > 0 && naive.shape[dim % naive.dim()] > 0 => {
                let shape = naive.shape.clone();
                naive.slice(dim % naive.dim(), 0, 1, 1).expand(&shape)
            }
            _ => naive,
        };
        Laid { naive, layout }
    }

    /// The values as a tensor in that layout.
    pub fn tensor(&self) -> Tensor {
        let (naive, dims) = (&self.naive, self.naive.dim());
        let reversed: Vec<usize> = (0..dims).rev().collect();
        match self.layout {
            Layout::Reversed => naive.permute(&reversed).tensor().permute(reversed),
            Layout::Gaps => {
                let shape: Vec<usize> = naive.shape.iter().map(|size| 2 * size + 1).collect();
                let wide = Naive::from_fn(&shape, |i| match i.iter().all(|i| i % 2 == 1) {
                    true => naive.at(&i.iter().map(|i| i / 2).collect::<Vec<_>>()),
                    false => f64::NAN,
                });
                (0..dims).fold(wide.tensor(), |x, dim| x.slice(dim as isize, 1.., 2))
            }
            Layout::Repeated(dim) if dims > 0 && naive.shape[dim % dims] > 0 => {
                naive.slice(dim % dims, 0, 1, 1).tensor().expand(naive.shape.clone())
            }
            Layout::Dense | Layout::Repeated(_) => naive.tensor(),
        }
    }

    /// The tensor as a leaf that requires grad, in that layout.
    pub fn leaf(&self) -> Tensor {
        self.tensor().detach().requires_grad_(true)
    }
}

/// Shapes of 0 to 4 dimensions of sizes 0 to 4.
pub fn shapes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1 => Just(0usize), 9 => 1usize..5], 0..5)
}

/// Quarters in -4 ..= 4: their sums and products are exact in every floating-point dtype.
pub fn values(len: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec((-16i32..17).prop_map(|n| f64::from(n) / 4.0), len)
}

pub fn naive(shape: Vec<usize>) -> impl Strategy<Value = Naive> {
    values(shape.iter().product()).prop_map(move |data| Naive::new(&shape, data))
}

pub fn laid(shape: Vec<usize>) -> impl Strategy<Value = Laid> {
    let layout = prop_oneof![
        Just(Layout::Dense),
        Just(Layout::Reversed),
        Just(Layout::Gaps),
        (0usize..4).prop_map(Layout::Repeated)
    ];
    (naive(shape), layout).prop_map(|(naive, layout)| Laid::new(naive, layout))
}

/// A tensor of any shape.
pub fn any_laid() -> impl Strategy<Value = Laid> {
    shapes().prop_flat_map(laid)
}

/// A tensor of at least one dimension.
pub fn laid_with_dims() -> impl Strategy<Value = Laid> {
    shapes().prop_map(|shape| if shape.is_empty() { vec![3] } else { shape }).prop_flat_map(laid)
}

/// A shape that broadcasts to `shape`: leading dimensions dropped, some sizes one.
pub fn narrower(shape: Vec<usize>) -> impl Strategy<Value = Vec<usize>> {
    let dims = shape.len();
    (0..=dims, proptest::collection::vec(proptest::bool::weighted(0.3), dims)).prop_map(move |(lead, ones)| {
        let lead = if lead > dims / 2 { 0 } else { lead };
        (lead..dims).map(|dim| if ones[dim] { 1 } else { shape[dim] }).collect()
    })
}

/// Two or more tensors whose shapes broadcast together.
pub fn broadcastable<const N: usize>() -> impl Strategy<Value = Vec<Laid>> {
    shapes().prop_flat_map(|shape| proptest::collection::vec(narrower(shape).prop_flat_map(laid), N))
}

/// The element-by-element comparison: equal (or both NaN) where `tolerance` is 0, else close.
#[track_caller]
pub fn assert_close(found: &Tensor, expected: &Naive, tolerance: f64) {
    assert_eq!(found.sizes(), &expected.shape[..], "shapes differ");
    let found = Naive::of(found);
    for (flat, (&a, &b)) in found.data.iter().zip(&expected.data).enumerate() {
        let close = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + b.abs());
        assert!(close, "element {flat}: {a} but expected {b}\nfound {found:?}\nexpected {expected:?}");
    }
}

#[track_caller]
pub fn assert_same(found: &Tensor, expected: &Naive) {
    assert_close(found, expected, 0.0);
}

/// The text of the panic of `call`.
#[track_caller]
pub fn panic_text<R>(call: impl FnOnce() -> R) -> String {
    let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) else {
        panic!("no panic");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map(|text| text.to_string()).unwrap_or_default(),
    }
}

/// Small numbers, drawn from one random one.
pub struct Choices(pub u64);

impl Choices {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// `cases` cases from a fixed seed, so that a run can be repeated; `PROPTEST_CASES` and
/// `PROPTEST_RNG_SEED` choose others.
pub fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x7A9E);
    }
    config
}
