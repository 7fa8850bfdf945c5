//! The losses with their options and reductions.

use crate::registry::{Call, float};
use wolfe::nn::{
    BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss,
    KLDivLoss, L1Loss, MSELoss, MarginRankingLoss, NLLLoss, PoissonNLLLoss, Reduction, SmoothL1Loss, SoftMarginLoss,
    TripletMarginLoss,
};
use wolfe::prelude::*;

operations! {
    "functional.huber_loss" => |c| HuberLoss::new().delta(c.f(0)).reduction(reduction(c)).forward(c.x(0), c.x(1));
    "functional.smooth_l1_loss" => |c| {
        SmoothL1Loss::new().beta(c.f(0)).reduction(reduction(c)).forward(c.x(0), c.x(1))
    };
    "functional.l1_loss" => |c| L1Loss::new().reduction(reduction(c)).forward(c.x(0), c.x(1));
    "functional.mse_loss" => |c| MSELoss::new().reduction(reduction(c)).forward(c.x(0), c.x(1));
    "functional.binary_cross_entropy" => |c| {
        let loss = BCELoss::new().reduction(reduction(c));
        let loss = c.optional(2).iter().fold(loss, |loss, weight| loss.weight(weight));
        loss.forward(c.x(0), c.x(1))
    };
    "functional.binary_cross_entropy_with_logits" => |c| {
        let loss = BCEWithLogitsLoss::new().reduction(reduction(c));
        let loss = c.optional(2).iter().fold(loss, |loss, weight| loss.weight(weight));
        let loss = c.optional(3).iter().fold(loss, |loss, weight| loss.pos_weight(weight));
        loss.forward(c.x(0), c.x(1))
    };
    "functional.kl_div" => |c| {
        KLDivLoss::new().log_target(c.flag(0)).reduction(reduction(c)).forward(c.x(0), c.x(1))
    };
    "functional.nll_loss" => |c| nll_loss(c);
    "functional.cross_entropy" => |c| cross_entropy(c);
    "functional.gaussian_nll_loss" => |c| {
        let loss = GaussianNLLLoss::new().full(c.flag(0)).eps(c.f(1)).reduction(reduction(c));
        loss.forward(c.x(0), c.x(1), c.x(2))
    };
    "functional.poisson_nll_loss" => |c| {
        let loss = PoissonNLLLoss::new().log_input(c.flag(0)).full(c.flag(1)).eps(c.f(2)).reduction(reduction(c));
        loss.forward(c.x(0), c.x(1))
    };
    "functional.cosine_embedding_loss" => |c| {
        CosineEmbeddingLoss::new().margin(c.f(0)).reduction(reduction(c)).forward(c.x(0), c.x(1), c.x(2))
    };
    "functional.margin_ranking_loss" => |c| {
        MarginRankingLoss::new().margin(c.f(0)).reduction(reduction(c)).forward(c.x(0), c.x(1), c.x(2))
    };
    "functional.triplet_margin_loss" => |c| {
        let loss = TripletMarginLoss::new().margin(c.f(0)).p(c.f(1)).eps(c.f(2)).swap(c.flag(3));
        loss.reduction(reduction(c)).forward(c.x(0), c.x(1), c.x(2))
    };
    "functional.hinge_embedding_loss" => |c| {
        HingeEmbeddingLoss::new().margin(c.f(0)).reduction(reduction(c)).forward(c.x(0), c.x(1))
    };
    "functional.soft_margin_loss" => |c| SoftMarginLoss::new().reduction(reduction(c)).forward(c.x(0), c.x(1));
}

/// The reduction of a case, its last argument.
fn reduction(c: &Call) -> Reduction {
    match c.text(c.arguments.len() - 1) {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        _ => Reduction::None,
    }
}

fn nll_loss(c: &Call) -> Tensor {
    let mut loss = NLLLoss::new().reduction(reduction(c));
    if let Some(weight) = c.optional(2) {
        loss = loss.weight(weight);
    }
    if let Some(class) = c.argument(0)["ignore_index"].as_i64() {
        loss = loss.ignore_index(class);
    }
    loss.forward(c.x(0), c.x(1))
}

fn cross_entropy(c: &Call) -> Tensor {
    let mut loss = CrossEntropyLoss::new().reduction(reduction(c));
    if let Some(weight) = c.optional(2) {
        loss = loss.weight(weight);
    }
    let smoothing = &c.argument(0)["label_smoothing"];
    if !smoothing.is_null() {
        loss = loss.label_smoothing(float(smoothing));
    }
    loss.forward(c.x(0), c.x(1))
}
