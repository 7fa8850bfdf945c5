//! Diagonals, triangles, rolls, pads, joins by name, products.

use wolfe::prelude::*;
use wolfe::tape::{Indexing, PadMode};

operations! {
    unary: trace fliplr flipud ravel mt atleast_1d atleast_2d atleast_3d;
    binary: inner kron;
    "diag" => |c| c.x(0).diag(c.dim(0));
    "diagonal" => |c| c.x(0).diagonal(c.dim(0), c.dim(1), c.dim(2));
    "diag_embed" => |c| c.x(0).diag_embed(c.dim(0), c.dim(1), c.dim(2));
    "diagflat" => |c| c.x(0).diagflat(c.dim(0));
    "triu" => |c| c.x(0).triu(c.dim(0));
    "tril" => |c| c.x(0).tril(c.dim(0));
    "triu_" => |c| c.in_place(|x| x.triu_(c.dim(0)));
    "tril_" => |c| c.in_place(|x| x.tril_(c.dim(0)));
    "triu_indices" => |c| Tensor::triu_indices(c.size(0), c.size(1), c.dim(2));
    "tril_indices" => |c| Tensor::tril_indices(c.size(0), c.size(1), c.dim(2));
    "fill_diagonal_" => |c| c.in_place(|x| x.fill_diagonal_(c.f(0)));
    "roll" => |c| c.x(0).roll(c.ints(0), c.ints(1));
    "flip" => |c| c.x(0).flip(c.ints(0));
    "rot90" => |c| c.x(0).rot90(c.dim(0), [c.ints(1)[0] as isize, c.ints(1)[1] as isize]);
    "repeat_interleave" => |c| c.x(0).repeat_interleave(c.size(0), c.some_dim(1));
    "repeat_interleave_each" => |c| c.x(0).repeat_interleave_each(c.x(1), c.some_dim(0));
    "unfold" => |c| c.x(0).unfold(c.dim(0), c.size(1), c.size(2));
    "pad" => |c| c.x(0).pad(c.ints(0), match c.text(1) {
        "constant" => PadMode::Constant(c.f(2)),
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        _ => PadMode::Circular,
    });
    "meshgrid" => |c| {
        Tensor::meshgrid(c.tensors(), if c.text(0) == "xy" { Indexing::Xy } else { Indexing::Ij })
    };
    "cartesian_prod" => |c| Tensor::cartesian_prod(c.tensors());
    "block_diag" => |c| Tensor::block_diag(c.tensors());
    "broadcast_tensors" => |c| Tensor::broadcast_tensors(c.tensors());
    "hstack" => |c| Tensor::hstack(c.tensors());
    "vstack" => |c| Tensor::vstack(c.tensors());
    "dstack" => |c| Tensor::dstack(c.tensors());
    "column_stack" => |c| Tensor::column_stack(c.tensors());
    "movedim" => |c| c.x(0).movedim(c.ints(0), c.ints(1));
    "unflatten" => |c| c.x(0).unflatten(c.dim(0), c.ints(1));
    "broadcast_to" => |c| c.x(0).broadcast_to(c.ints(0));
    "tensor_split" => |c| c.x(0).tensor_split(c.size(0), c.dim(1));
    "tensor_split_at" => |c| c.x(0).tensor_split_at(c.ints(0), c.dim(1));
    "logspace" => |c| Tensor::logspace(c.f(0), c.f(1), c.size(2), c.f(3), c.dtype(4));
    "vander" => |c| c.x(0).vander(c.size(0), c.flag(1));
    "einsum" => |c| Tensor::einsum(c.text(0), c.tensors());
    "tensordot" => |c| c.x(0).tensordot(c.x(1), c.ints(0), c.ints(1));
    "tensordot_last" => |c| c.x(0).tensordot_last(c.x(1), c.size(0));
    "addmm" => |c| c.x(0).addmm(c.x(1), c.x(2), c.f(0), c.f(1));
    "addmv" => |c| c.x(0).addmv(c.x(1), c.x(2), c.f(0), c.f(1));
    "addbmm" => |c| c.x(0).addbmm(c.x(1), c.x(2), c.f(0), c.f(1));
    "baddbmm" => |c| c.x(0).baddbmm(c.x(1), c.x(2), c.f(0), c.f(1));
    "addr" => |c| c.x(0).addr(c.x(1), c.x(2), c.f(0), c.f(1));
    "cross" => |c| c.x(0).cross(c.x(1), c.dim(0));
    "vecdot" => |c| c.x(0).vecdot(c.x(1), c.dim(0));
    "matrix_power" => |c| c.x(0).matrix_power(c.size(0));
    "multi_dot" => |c| Tensor::multi_dot(c.tensors());
    "bilinear" => |c| Tensor::bilinear(c.x(0), c.x(1), c.x(2), c.optional(3));
}
