//! Decompositions and what is made of them. What depends on a choice of sign is compared in combinations that
//! do not.

use crate::registry::Call;
use wolfe::prelude::*;
use wolfe::tape::linalg::{self, MatrixNorm};

operations! {
    "linalg.cholesky" => |c| linalg::cholesky(c.x(0));
    "linalg.cholesky_solve" => |c| linalg::cholesky_solve(c.x(0), c.x(1), c.flag(0));
    "linalg.cholesky_inverse" => |c| linalg::cholesky_inverse(c.x(0));
    "linalg.solve" => |c| linalg::solve(c.x(0), c.x(1));
    "linalg.solve_triangular" => |c| {
        linalg::solve_triangular(c.x(0), c.x(1), c.flag(0), c.flag(1), c.flag(2))
    };
    "linalg.inv" => |c| linalg::inv(c.x(0));
    "linalg.det" => |c| linalg::det(c.x(0));
    "linalg.slogdet" => |c| linalg::slogdet(c.x(0));
    "linalg.logdet" => |c| linalg::logdet(c.x(0));
    "linalg.eigh" => |c| eigh(c);
    "linalg.eigvalsh" => |c| linalg::eigvalsh(c.x(0));
    "linalg.svd" => |c| svd(c);
    "linalg.svdvals" => |c| linalg::svdvals(c.x(0));
    "linalg.qr" => |c| {
        let (q, r) = linalg::qr(c.x(0));
        (q.matmul(&r), q.abs(), r.abs())
    };
    "linalg.lstsq" => |c| linalg::lstsq(c.x(0), c.x(1));
    "linalg.matrix_exp" => |c| linalg::matrix_exp(c.x(0));
    "linalg.pinv" => |c| linalg::pinv(c.x(0));
    "linalg.matrix_rank" => |c| linalg::matrix_rank(c.x(0));
    "linalg.matrix_norm" => |c| linalg::matrix_norm(c.x(0), norm(c.text(0)));
    "linalg.cond" => |c| linalg::cond(c.x(0));
    "linalg.matrix_power" => |c| linalg::matrix_power(c.x(0), c.int(0));
}

/// The eigenvalues, the matrix put together again, and the vectors without their signs.
fn eigh(c: &Call) -> (Tensor, Tensor, Tensor) {
    let (values, vectors) = linalg::eigh(c.x(0)).expect("eigenvalues");
    let again = (&vectors * values.unsqueeze(-2)).matmul(&vectors.transpose(-1, -2));
    (values, again, vectors.abs())
}

/// The matrix put together again, the singular values, the vectors without their signs, and their products.
fn svd(c: &Call) -> Vec<Tensor> {
    let (u, s, vh) = linalg::svd(c.x(0), c.flag(0)).expect("singular values");
    let k = s.size(-1);
    let (thin_u, thin_vh) = (u.narrow(-1, 0, k), vh.narrow(-2, 0, k));
    let again = (&thin_u * s.unsqueeze(-2)).matmul(&thin_vh);
    let (left, right) = (u.matmul(&u.transpose(-1, -2)), vh.matmul(&vh.transpose(-1, -2)));
    vec![again, s, thin_u.abs(), thin_vh.abs(), left, right]
}

fn norm(name: &str) -> MatrixNorm {
    match name {
        "fro" => MatrixNorm::Fro,
        "nuc" => MatrixNorm::Nuc,
        "one" => MatrixNorm::One,
        "inf" => MatrixNorm::Inf,
        _ => MatrixNorm::Two,
    }
}
