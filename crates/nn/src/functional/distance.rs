//! Distances and directions of vectors.

use super::methods;
use tape::Tensor;

methods! {
    /// The norm of `input - other + eps` along the last dimension (torch's defaults: 2, 1e-6, false):
    /// [`Tensor::pairwise_distance`].
    ///
    /// ```
    /// use nn::functional::{cosine_similarity, normalize, pairwise_distance, pdist};
    /// use tape::Tensor;
    ///
    /// let (x, y) = (Tensor::from([[3.0, 4.0]]), Tensor::from([[0.0, 0.0]]));
    /// assert_eq!(pairwise_distance(&x, &y, 2.0, 0.0, false).to_vec::<f64>(), [5.0]);
    /// assert_eq!(normalize(&x, 2.0, 1, 1e-12).to_vec::<f64>(), [0.6, 0.8]);
    /// assert!((cosine_similarity(&x, &Tensor::from([[1.0, 0.0]]), 1, 1e-8).item() - 0.6).abs() < 1e-15);
    /// assert_eq!(pdist(&Tensor::cat(&[&x, &y], 0), 2.0).to_vec::<f64>(), [5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the dtype is not floating point.
    fn pairwise_distance(input, other: &Tensor, p: impl Into<f64>, eps: impl Into<f64>, keepdim: bool) =
        pairwise_distance;

    /// The cosine of the angle along `dim`, with norms of at least `eps` (torch's defaults: 1, 1e-8):
    /// [`Tensor::cosine_similarity`].
    ///
    /// # Panics
    /// If the shapes do not broadcast, the dtype is not floating point, or there is no such dimension.
    fn cosine_similarity(input, other: &Tensor, dim: isize, eps: impl Into<f64>) = cosine_similarity;

    /// The distances between all pairs of rows of a matrix: [`Tensor::pdist`].
    ///
    /// # Panics
    /// If the input is not a matrix, or `p` is negative.
    fn pdist(input, p: impl Into<f64>) = pdist;

    /// The vectors along `dim` divided by their norms, or by `eps` where that is more (torch's defaults: 2, 1,
    /// 1e-12): [`Tensor::normalize`].
    ///
    /// # Panics
    /// If there is no such dimension, or the dtype is not floating point.
    fn normalize(input, p: impl Into<f64>, dim: isize, eps: impl Into<f64>) = normalize;
}
