//! Arithmetic, elementary functions, comparisons, reductions, extrema.

use wolfe::prelude::*;

operations! {
    unary: exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sigmoid logsigmoid erf erfc floor ceil round trunc tanh sinh
        cosh asin acos atan sin cos tan relu abs sign square neg reciprocal logical_not isnan isinf isfinite sum mean
        max min argmax argmin any all double float long bool copy contiguous;
    binary: atan2 maximum minimum fmax fmin logical_and logical_or logical_xor equal masked_select;
    operand: add sub mul div pow eq ne lt le gt ge clamp_min clamp_max;
    unary_in_place: neg_ reciprocal_ exp_ log_ sqrt_ abs_ sign_ tanh_ sigmoid_ relu_ zero_;
    operand_in_place: add_ sub_ mul_ div_ pow_;
    "softplus" => |c| c.x(0).softplus(c.f(0), c.f(1));
    "rsub" => |c| match c.argument(0).as_i64() {
        Some(number) => c.x(0).rsub(number),
        None => c.x(0).rsub(c.f(0)),
    };
    "rpow" => |c| match c.argument(0).as_i64() {
        Some(number) => c.x(0).rpow(number),
        None => c.x(0).rpow(c.f(0)),
    };
    "isclose" => |c| c.x(0).isclose(c.x(1), c.f(0), c.f(1));
    "allclose" => |c| c.x(0).allclose(c.x(1), c.f(0), c.f(1));
    "clamp" => |c| match (c.optional(1), c.optional(2)) {
        (Some(min), Some(max)) => c.x(0).clamp(min, max),
        _ if c.x(0).dtype() == DType::I64 => c.x(0).clamp(c.int(0), c.int(1)),
        _ => c.x(0).clamp(c.some(0), c.some(1)),
    };
    "where_" => |c| Tensor::where_(c.x(0), c.x(1), c.x(2));
    "where_sqrt" => |c| Tensor::where_(&c.x(0).gt(0), c.x(0).sqrt(), c.x(0).mul(0));
    "where_reciprocal" => |c| Tensor::where_(&c.x(0).eq(0), c.x(0).mul(0), 1 / c.x(0));
    "masked_fill" => |c| c.x(0).masked_fill(c.x(1), c.operand_at(2, 0));
    "sum_dim" => |c| c.x(0).sum_dim(c.ints(0), c.flag(1));
    "mean_dim" => |c| c.x(0).mean_dim(c.ints(0), c.flag(1));
    "amax" => |c| c.x(0).amax(c.ints(0), c.flag(1));
    "amin" => |c| c.x(0).amin(c.ints(0), c.flag(1));
    "max_dim" => |c| c.x(0).max_dim(c.dim(0), c.flag(1));
    "min_dim" => |c| c.x(0).min_dim(c.dim(0), c.flag(1));
    "argmax_dim" => |c| c.x(0).argmax_dim(c.dim(0), c.flag(1));
    "argmin_dim" => |c| c.x(0).argmin_dim(c.dim(0), c.flag(1));
    "any_dim" => |c| c.x(0).any_dim(c.ints(0), c.flag(1));
    "all_dim" => |c| c.x(0).all_dim(c.ints(0), c.flag(1));
    "softmax" => |c| c.x(0).softmax(c.dim(0));
    "log_softmax" => |c| c.x(0).log_softmax(c.dim(0));
    "logsumexp" => |c| c.x(0).logsumexp(c.ints(0), c.flag(1));
    "cross_entropy" => |c| Tensor::cross_entropy(c.x(0), c.x(1));
    "nll_loss" => |c| Tensor::nll_loss(c.x(0), c.x(1));
    "mse_loss" => |c| Tensor::mse_loss(c.x(0), c.x(1));
    "l1_loss" => |c| Tensor::l1_loss(c.x(0), c.x(1));
    "to_dtype" => |c| c.x(0).to_dtype(c.dtype(0));
    "clamp_" => |c| c.in_place(|x| x.clamp_(c.some(0), c.some(1)));
    "masked_fill_" => |c| c.in_place(|x| x.masked_fill_(c.x(1), c.f(0)));
    "copy_" => |c| c.in_place(|x| x.copy_(c.x(1)));
    "fill_" => |c| c.in_place(|x| x.fill_(c.f(0)));
}
