//! Scattering, writing by index, classes.

use crate::registry::Call;
use wolfe::tape::Reduce;

operations! {
    unary: nonzero;
    binary: isin;
    "scatter" => |c| c.x(0).scatter(c.dim(0), c.x(1), c.x(2));
    "scatter_number" => |c| c.x(0).scatter(c.dim(0), c.x(1), c.number(1));
    "scatter_" => |c| c.in_place(|x| x.scatter_(c.dim(0), c.x(1), c.x(2)));
    "scatter_add_" => |c| c.in_place(|x| x.scatter_add_(c.dim(0), c.x(1), c.x(2)));
    "scatter_reduce" => |c| c.x(0).scatter_reduce(c.dim(0), c.x(1), c.x(2), reduce(c), c.flag(2));
    "take_along_dim" => |c| c.x(0).take_along_dim(c.x(1), c.some_dim(0));
    "index_put" => |c| with_index!(c.index(0, 2), |index| c.x(0).index_put(index, c.x(1), c.flag(1)));
    "index_fill" => |c| c.x(0).index_fill(c.dim(0), c.x(1), c.number(1));
    "index_fill_tensor" => |c| c.x(0).index_fill(c.dim(0), c.x(1), c.x(2));
    "index_fill_" => |c| c.in_place(|x| x.index_fill_(c.dim(0), c.x(1), c.number(1)));
    "index_copy" => |c| c.x(0).index_copy(c.dim(0), c.x(1), c.x(2));
    "index_copy_" => |c| c.in_place(|x| x.index_copy_(c.dim(0), c.x(1), c.x(2)));
    "index_add_" => |c| c.in_place(|x| x.index_add_(c.dim(0), c.x(1), c.x(2)));
    "masked_scatter" => |c| c.x(0).masked_scatter(c.x(1), c.x(2));
    "masked_scatter_" => |c| c.in_place(|x| x.masked_scatter_(c.x(1), c.x(2)));
    "one_hot" => |c| c.x(0).one_hot(c.argument(0).as_u64().map(|classes| classes as usize));
}

fn reduce(c: &Call) -> Reduce {
    match c.text(1) {
        "sum" => Reduce::Sum,
        "prod" => Reduce::Prod,
        "mean" => Reduce::Mean,
        "amax" => Reduce::Amax,
        _ => Reduce::Amin,
    }
}
