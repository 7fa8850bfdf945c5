//! Products, scans, norms, statistics, order, search.

use wolfe::prelude::*;

operations! {
    unary: prod nansum nanmean count_nonzero median nanmedian aminmax unique unique_inverse corrcoef msort;
    "prod_dim" => |c| c.x(0).prod_dim(c.dim(0), c.flag(1));
    "cumsum" => |c| c.x(0).cumsum(c.dim(0));
    "cumprod" => |c| c.x(0).cumprod(c.dim(0));
    "cummax" => |c| c.x(0).cummax(c.dim(0));
    "cummin" => |c| c.x(0).cummin(c.dim(0));
    "logcumsumexp" => |c| c.x(0).logcumsumexp(c.dim(0));
    "diff" => |c| c.x(0).diff(c.size(0), c.dim(1));
    "trapezoid" => |c| c.x(0).trapezoid(c.f(0), c.dim(1));
    "cumulative_trapezoid" => |c| c.x(0).cumulative_trapezoid(c.f(0), c.dim(1));
    "nansum_dim" => |c| c.x(0).nansum_dim(c.ints(0), c.flag(1));
    "nanmean_dim" => |c| c.x(0).nanmean_dim(c.ints(0), c.flag(1));
    "count_nonzero_dim" => |c| c.x(0).count_nonzero_dim(c.ints(0));
    "norm" => |c| c.x(0).norm(c.f(0));
    "norm_dim" => |c| c.x(0).norm_dim(c.f(0), c.ints(1), c.flag(2));
    "normalize" => |c| c.x(0).normalize(c.f(0), c.dim(1), c.f(2));
    "dist" => |c| c.x(0).dist(c.x(1), c.f(0));
    "cosine_similarity" => |c| c.x(0).cosine_similarity(c.x(1), c.dim(0), c.f(1));
    "pairwise_distance" => |c| c.x(0).pairwise_distance(c.x(1), c.f(0), c.f(1), c.flag(2));
    "cdist" => |c| c.x(0).cdist(c.x(1), c.f(0));
    "pdist" => |c| c.x(0).pdist(c.f(0));
    "var" => |c| c.x(0).var(c.f(0));
    "std" => |c| c.x(0).std(c.f(0));
    "var_dim" => |c| c.x(0).var_dim(c.ints(0), c.f(1), c.flag(2));
    "std_dim" => |c| c.x(0).std_dim(c.ints(0), c.f(1), c.flag(2));
    "var_mean_dim" => |c| c.x(0).var_mean_dim(c.ints(0), c.f(1), c.flag(2));
    "std_mean_dim" => |c| c.x(0).std_mean_dim(c.ints(0), c.f(1), c.flag(2));
    "median_dim" => |c| c.x(0).median_dim(c.dim(0), c.flag(1));
    "nanmedian_dim" => |c| c.x(0).nanmedian_dim(c.dim(0), c.flag(1));
    "quantile" => |c| c.x(0).quantile(c.operand());
    "nanquantile" => |c| c.x(0).nanquantile(c.operand());
    // The quantile stands among the inputs or is the first argument; dimension and keepdim are the last ones.
    "quantile_dim" => |c| match c.optional(1) {
        Some(q) => c.x(0).quantile_dim(q, c.dim(0), c.flag(1)),
        None => c.x(0).quantile_dim(c.f(0), c.dim(1), c.flag(2)),
    };
    "nanquantile_dim" => |c| match c.optional(1) {
        Some(q) => c.x(0).nanquantile_dim(q, c.dim(0), c.flag(1)),
        None => c.x(0).nanquantile_dim(c.f(0), c.dim(1), c.flag(2)),
    };
    // Which of several places of the mode is named is open.
    "mode_dim" => |c| c.x(0).mode_dim(c.dim(0), c.flag(1)).0;
    "cov" => |c| c.x(0).cov(c.f(0));
    "sort" => |c| c.x(0).sort(c.dim(0), c.flag(1));
    "argsort" => |c| c.x(0).argsort(c.dim(0), c.flag(1));
    "topk" => |c| c.x(0).topk(c.size(0), c.dim(1), c.flag(2), c.flag(3));
    "kthvalue" => |c| c.x(0).kthvalue(c.size(0), c.dim(1), c.flag(2));
    "aminmax_dim" => |c| c.x(0).aminmax_dim(c.dim(0), c.flag(1));
    "searchsorted" => |c| Tensor::searchsorted(c.x(0), c.x(1), c.flag(0));
    "bucketize" => |c| c.x(0).bucketize(c.x(1), c.flag(0));
    "bincount" => |c| c.x(0).bincount(c.optional(1), c.size(0));
    "histc" => |c| c.x(0).histc(c.size(0), c.f(1), c.f(2));
}
