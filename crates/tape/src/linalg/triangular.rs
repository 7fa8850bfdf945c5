//! Triangular systems of equations.

use super::matrix::{
    batch_of, check_matrix, check_same_dtype, check_square, common_batch, mask, matrices_of, with_sizes,
};
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::copy::to_dense;
use crate::kernel::factor::Block;
use crate::kernel::factor::triangular::{Triangle, solve};
use crate::kernel::parallel::for_chunks;
use crate::shape::Dims;
use crate::storage::build;
use crate::{Float, Tensor};

/// Multiplications of a batch from which the threads share it.
const PARALLEL: usize = 1 << 16;

/// The solution of `A X = B` for one triangle of `A`.
pub(crate) struct SolveTriangular {
    upper: bool,
    unit: bool,
}

impl Op for SolveTriangular {
    fn name(&self) -> &'static str {
        "LinalgSolveTriangularBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, x) = (rule.saved(0), rule.saved(1));
        let &SolveTriangular { upper, unit } = self;
        let of_b = solve_left(&a.mt(), grad, !upper, unit);
        gradients![rule;
            {
                let read = mask(a.size(-1), |i, j| if i == j { !unit } else { (i < j) == upper });
                Tensor::where_(&read, -of_b.matmul(&x.mt()), 0)
            },
            of_b.clone(),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        let sample = |a: &[usize], b: &[usize], upper: bool, left: bool, unit: bool| {
            let inputs = [regular(a), spread(b, -1.0, 1.0)];
            Sample::new(inputs, move |x| solve_triangular(&x[0], &x[1], upper, left, unit))
        };
        vec![
            sample(&[3, 3], &[3, 2], false, true, false),
            sample(&[3, 3], &[3, 2], true, true, false),
            sample(&[2, 2], &[3, 2], false, false, false),
            sample(&[2, 2], &[2, 2], true, false, true),
            sample(&[2, 2], &[2, 1], false, true, true),
            sample(&[2, 1, 2, 2], &[2, 2, 1], true, true, false),
            sample(&[2, 2], &[0, 2, 2], false, true, false),
            sample(&[0, 0], &[0, 2], false, true, false),
            Sample::new([regular(&[2, 2])], |x| solve_triangular(&x[0].t(), &x[0], true, true, false)),
        ]
    }
}

/// Runs `work` on the matrices of a batch, on several threads if there is enough to do: index of the matrix, its
/// elements, and whether the work itself may use several threads.
pub(super) fn for_matrices<T: Float>(
    out: &mut [T],
    size: usize,
    work_per_matrix: usize,
    work: &(dyn Fn(usize, &mut [T], bool) + Sync),
) {
    if size == 0 {
        return;
    }
    let count = out.len() / size;
    if count > 1 && count * work_per_matrix >= PARALLEL {
        let matrices = (PARALLEL / 4 / work_per_matrix.max(1)).max(1);
        for_chunks(out, matrices * size, &|start, out| {
            for (i, matrix) in out.chunks_exact_mut(size).enumerate() {
                work(start / size + i, matrix, false);
            }
        });
    } else {
        out.chunks_exact_mut(size).enumerate().for_each(|(index, matrix)| work(index, matrix, true));
    }
}

/// Matrices expanded to a batch, in a new dense tensor that nobody else can see.
pub(super) fn expanded_copy<T: Float>(b: &Tensor, batch: &[usize]) -> Tensor {
    let shape = with_sizes(batch, &b.sizes()[b.dim() - 2..]);
    let expanded = crate::no_grad(|| b.detach().expand_to(shape.clone()));
    let buffer = build::<T>(expanded.numel(), |out| expanded.with(|x| to_dense(x, out)));
    Tensor::from_buffer(buffer, shape)
}

/// The values alone, for dense `b` of the full batch, which is overwritten.
fn substitute<T: Float>(a: &Tensor, b: &Tensor, op: &SolveTriangular, batch: &[usize]) {
    let (n, columns) = (a.size(-1), b.size(-1));
    let a = a.dense_matrices();
    let [row, column] = a.last_strides();
    let offsets = a.batch_offsets(batch);
    b.write_with::<T, T>(&a, |b, a| {
        for_matrices(&mut b.data[..], n * columns, n * n * columns / 2, &|index, b, parallel| {
            let block = Block { data: &a.data[offsets[index]..], strides: [row, column] };
            solve(Triangle { block, upper: op.upper, unit: op.unit }, n, b, columns, columns, parallel);
        });
    });
}

impl Tensor {
    /// This tensor, or a dense copy where both of the last strides are far apart.
    fn dense_matrices(&self) -> Tensor {
        if self.stride()[self.dim() - 2..].contains(&1) { self.detach() } else { self.detach().dense() }
    }

    fn last_strides(&self) -> [usize; 2] {
        [self.stride()[self.dim() - 2], self.stride()[self.dim() - 1]]
    }

    /// Where the matrix of each index of a broader batch starts.
    fn batch_offsets(&self, batch: &[usize]) -> Vec<usize> {
        let own = batch_of(self);
        let dense = crate::shape::row_major(own);
        let place = |mut index: usize| {
            own.iter().zip(&dense).zip(self.stride()).fold(0, |offset, ((_, &dense), &stride)| {
                let position = index / dense;
                index %= dense;
                offset + position * stride
            })
        };
        matrices_of(own, batch).into_iter().map(place).collect()
    }
}

/// The recorded solution of `triangle(a) x = b`.
#[track_caller]
pub(super) fn solve_left(a: &Tensor, b: &Tensor, upper: bool, unit: bool) -> Tensor {
    let batch: Dims = common_batch("linalg.solve_triangular", a, b);
    let op = SolveTriangular { upper, unit };
    let out = dispatch_float!("linalg.solve_triangular", b.dtype(), T => {
        let out = expanded_copy::<T>(b, &batch);
        if out.numel() > 0 {
            substitute::<T>(a, &out, &op, &batch);
        }
        out
    });
    out.record(
        &[a, b],
        || op,
        |x| {
            let mut saved = saves![a];
            saved.push(Saved::output(x, 0));
            saved
        },
    )
}

/// The solution of `A X = B` (`left`), or of `X A = B`, for a triangular `A` of which only the `upper` or lower
/// triangle is read, and with `unitriangular` not its diagonal, which is taken to be one. `A` is `[.., n, n]`, `B`
/// `[.., n, k]` (or `[.., k, n]`); batches broadcast. A zero on the diagonal gives infinities and NaN, as torch has
/// it.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[2.0, 0.0], [1.0, 4.0]]);
/// let x = linalg::solve_triangular(&a, &Tensor::from([[2.0], [9.0]]), false, true, false);
/// assert_eq!(x.to_vec::<f64>(), [1.0, 2.0]);
/// ```
///
/// # Panics
/// If the shapes do not fit or the dtypes differ or are not floating point.
#[track_caller]
pub fn solve_triangular(a: &Tensor, b: &Tensor, upper: bool, left: bool, unitriangular: bool) -> Tensor {
    const OP: &str = "linalg.solve_triangular";
    let n = check_square(OP, a);
    check_matrix(OP, "B", b);
    check_same_dtype(OP, a, b);
    let (rows, columns) = (b.size(-2), b.size(-1));
    if n != if left { rows } else { columns } {
        let equation = if left { "AX" } else { "XA" };
        panic!(
            "{OP}: Incompatible shapes of A and B for the equation {equation} = B ({n}x{n} and {rows}x{columns}); \
             shapes are {:?} and {:?}",
            a.sizes(),
            b.sizes()
        );
    }
    if left {
        return solve_left(a, b, upper, unitriangular);
    }
    solve_left(&a.mt(), &b.mt(), !upper, unitriangular).mt()
}
