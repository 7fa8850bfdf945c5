//! Views, joins, indexing, matrix products, creation.

use wolfe::prelude::*;

operations! {
    unary: squeeze t zeros_like ones_like;
    binary: expand_as matmul mm mv bmm dot outer take;
    "reshape" => |c| c.x(0).reshape(c.ints(0));
    "view" => |c| c.x(0).view(c.ints(0));
    "flatten" => |c| c.x(0).flatten(c.dim(0), c.dim(1));
    "squeeze_dim" => |c| c.x(0).squeeze_dim(c.ints(0));
    "unsqueeze" => |c| c.x(0).unsqueeze(c.dim(0));
    "transpose" => |c| c.x(0).transpose(c.dim(0), c.dim(1));
    "permute" => |c| c.x(0).permute(c.ints(0));
    "select" => |c| c.x(0).select(c.dim(0), c.dim(1));
    "narrow" => |c| c.x(0).narrow(c.dim(0), c.dim(1), c.size(2));
    "expand" => |c| c.x(0).expand(c.ints(0));
    "slice" => |c| c.x(0).slice(c.dim(0), c.dim(1)..c.dim(2), c.size(3));
    "cat" => |c| Tensor::cat(c.tensors(), c.dim(0));
    "stack" => |c| Tensor::stack(c.tensors(), c.dim(0));
    "split" => |c| c.x(0).split(c.size(0), c.dim(1));
    "split_sizes" => |c| c.x(0).split_sizes(c.ints(0), c.dim(1));
    "chunk" => |c| c.x(0).chunk(c.size(0), c.dim(1));
    "unbind" => |c| c.x(0).unbind(c.dim(0));
    "repeat" => |c| c.x(0).repeat(c.ints(0));
    "tile" => |c| c.x(0).tile(c.ints(0));
    "gather" => |c| c.x(0).gather(c.dim(0), c.x(1));
    "scatter_add" => |c| c.x(0).scatter_add(c.dim(0), c.x(1), c.x(2));
    "index_select" => |c| c.x(0).index_select(c.dim(0), c.x(1));
    "index_add" => |c| c.x(0).index_add(c.dim(0), c.x(1), c.x(2));
    "i" => |c| with_index!(c.index(0, 1), |index| c.x(0).i(index));
    "index_put_" => |c| c.in_place(|x| with_index!(c.index(0, 2), |index| x.index_put_(index, c.x(1), c.flag(1))));
    "linear" => |c| Tensor::linear(c.x(0), c.x(1), c.optional(2));
    "zeros" => |c| Tensor::zeros(c.sizes(0), c.dtype(1));
    "ones" => |c| Tensor::ones(c.sizes(0), c.dtype(1));
    "full" => |c| Tensor::full(c.sizes(0), c.f(1), c.dtype(2));
    "full_like" => |c| c.x(0).full_like(c.f(0));
    "eye" => |c| Tensor::eye(c.size(0), c.dtype(1));
    "arange" => |c| match c.argument(0).as_i64() {
        Some(start) => Tensor::arange(start, c.int(1), c.int(2)),
        None => Tensor::arange(c.f(0), c.f(1), c.f(2)),
    };
    "linspace" => |c| Tensor::linspace(c.f(0), c.f(1), c.size(2), c.dtype(3));
}
