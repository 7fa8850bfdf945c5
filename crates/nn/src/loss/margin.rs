//! Losses that want distances or differences to exceed a margin.

use super::{Reduction, options, setters};
use tape::Tensor;

/// Distances small for pairs marked 1 and large for those marked -1, as `torch.nn.HingeEmbeddingLoss`:
/// [`functional::hinge_embedding_loss`](crate::functional::hinge_embedding_loss) with options.
#[derive(Clone, Debug)]
pub struct HingeEmbeddingLoss {
    margin: f64,
    reduction: Reduction,
}

/// Directions alike for pairs marked 1 and unlike for those marked -1, as `torch.nn.CosineEmbeddingLoss`:
/// [`functional::cosine_embedding_loss`](crate::functional::cosine_embedding_loss) with options.
#[derive(Clone, Debug)]
pub struct CosineEmbeddingLoss {
    margin: f64,
    reduction: Reduction,
}

/// The first input above the second where marked 1, below where marked -1, as `torch.nn.MarginRankingLoss`:
/// [`functional::margin_ranking_loss`](crate::functional::margin_ranking_loss) with options.
#[derive(Clone, Debug)]
pub struct MarginRankingLoss {
    margin: f64,
    reduction: Reduction,
}

/// Anchors nearer to positives than to negatives, as `torch.nn.TripletMarginLoss`:
/// [`functional::triplet_margin_loss`](crate::functional::triplet_margin_loss) with options.
///
/// ```
/// use nn::TripletMarginLoss;
/// use tape::Tensor;
///
/// let anchor = Tensor::from([[0.0, 0.0]]);
/// let (positive, negative) = (Tensor::from([[1.0, 1.0]]), Tensor::from([[3.0, 0.0]]));
/// let loss = TripletMarginLoss::new().p(1.0).margin(2.0).forward(&anchor, &positive, &negative);
/// assert!((loss.item() - 1.0).abs() < 1e-5); // 2 - 3 + 2
/// ```
#[derive(Clone, Debug)]
pub struct TripletMarginLoss {
    margin: f64,
    p: f64,
    eps: f64,
    swap: bool,
    reduction: Reduction,
}

/// Logistic loss of the classes 1 and -1, as `torch.nn.SoftMarginLoss`:
/// [`functional::soft_margin_loss`](crate::functional::soft_margin_loss) with options.
#[derive(Clone, Debug)]
pub struct SoftMarginLoss {
    reduction: Reduction,
}

options! {
    HingeEmbeddingLoss { margin: 1.0 }
    CosineEmbeddingLoss { margin: 0.0 }
    MarginRankingLoss { margin: 0.0 }
    TripletMarginLoss { margin: 1.0, p: 2.0, eps: 1e-6, swap: false }
    SoftMarginLoss {}
}

setters! {
    HingeEmbeddingLoss {
        /// From which distance on unlike pairs cost nothing (default: 1).
        margin: f64,
    }
    CosineEmbeddingLoss {
        /// Up to which cosine unlike pairs cost nothing, from -1 to 1 (default: 0).
        margin: f64,
    }
    MarginRankingLoss {
        /// The difference that is wanted (default: 0).
        margin: f64,
    }
    TripletMarginLoss {
        /// The difference of distances that is wanted (default: 1).
        margin: f64,
        /// The degree of the norm (default: 2); infinity is the maximum.
        p: f64,
        /// What is added to each difference, so that no distance is zero (default: 1e-6).
        eps: f64,
        /// Whether a negative that is nearer to the positive than to the anchor counts with that distance
        /// (default: no).
        swap: bool,
    }
}

impl HingeEmbeddingLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let hinge = (self.margin - input).clamp_min(0.0);
        let unlike = Tensor::where_(&target.ne(1), hinge, 0.0);
        self.reduction.of(unlike + Tensor::where_(&target.ne(-1), input, 0.0))
    }
}

impl CosineEmbeddingLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If the inputs are not `[N, D]` with a target `[N]`, or `[D]` with a target without dimensions.
    #[track_caller]
    pub fn forward(&self, input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
        let dims = target.dim();
        assert!(dims <= 1, "cosine_embedding_loss: 0D or 1D target tensor expected, multi-target not supported");
        assert!(
            input1.dim() == dims + 1 && input2.dim() == dims + 1,
            "cosine_embedding_loss: {dims}D target tensor expects {}D input tensors, but found inputs with sizes {:?} \
             and {:?}.",
            dims + 1,
            input1.sizes(),
            input2.sizes()
        );
        // torch's guard against the zero vector, a `float` there.
        const EPS: f64 = 1e-12_f32 as f64;
        let square = |x: &Tensor| (x * x).sum_dim(-1, false) + EPS;
        let cosine = (input1 * input2).sum_dim(-1, false) / (square(input1) * square(input2)).sqrt();
        let unlike = (&cosine - self.margin).clamp_min(0.0);
        let like = Tensor::where_(&target.eq(1), 1.0 - cosine, 0.0);
        self.reduction.of(like + Tensor::where_(&target.eq(-1), unlike, 0.0))
    }
}

impl MarginRankingLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If the numbers of dimensions differ or the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            input1.dim() == input2.dim() && input1.dim() == target.dim(),
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {:?}, input2: \
             {:?}, target: {:?}",
            input1.sizes(),
            input2.sizes(),
            target.sizes()
        );
        self.reduction.of((-target * (input1 - input2) + self.margin).clamp_min(0.0))
    }
}

impl TripletMarginLoss {
    /// Applies the loss along the last dimension.
    ///
    /// # Panics
    /// If the numbers of dimensions differ, the shapes do not broadcast, or the margin is not positive.
    #[track_caller]
    pub fn forward(&self, anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
        assert!(self.margin > 0.0, "triplet_margin_loss: margin must be greater than 0, got {}", self.margin);
        assert!(
            anchor.dim() == positive.dim() && anchor.dim() == negative.dim(),
            "triplet_margin_loss: The anchor, positive, and negative tensors are expected to have the same number of \
             dimensions, but got: anchor {}D, positive {}D, and negative {}D inputs",
            anchor.dim(),
            positive.dim(),
            negative.dim()
        );
        let distance = |a: &Tensor, b: &Tensor| a.pairwise_distance(b, self.p, self.eps, false);
        let near = distance(anchor, positive);
        let mut far = distance(anchor, negative);
        if self.swap {
            far = far.minimum(&distance(positive, negative));
        }
        self.reduction.of((near - far + self.margin).clamp_min(0.0))
    }
}

impl SoftMarginLoss {
    /// Applies the loss.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        self.reduction.of(-(target * input).logsigmoid())
    }
}
