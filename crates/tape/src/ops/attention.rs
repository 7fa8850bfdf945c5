//! Scaled dot-product attention.

use crate::{DType, Tensor};

#[track_caller]
fn check(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, is_causal: bool) {
    if q.dim() < 2 || k.dim() < 2 || v.dim() < 2 {
        panic!(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got shapes \
             {:?}, {:?} and {:?}; dimensions are [.., position, feature]",
            q.sizes(),
            k.sizes(),
            v.sizes()
        );
    }
    if q.dtype() != k.dtype() || q.dtype() != v.dtype() {
        panic!(
            "scaled_dot_product_attention: Expected query, key, and value to have the same dtype, but got {}, {} and {}",
            q.dtype(),
            k.dtype(),
            v.dtype()
        );
    }
    if is_causal && mask.is_some() {
        panic!(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True; put the causal mask \
             into attn_mask"
        );
    }
    if let Some(mask) = mask
        && mask.dtype() != DType::Bool
        && mask.dtype() != q.dtype()
    {
        panic!(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or to match query dtype, but got {} and \
             query {}",
            mask.dtype(),
            q.dtype()
        );
    }
}

impl Tensor {
    /// `softmax(q k^T / sqrt(d) + mask) v` for queries `[.., l, d]`, keys `[.., s, d]` and values `[.., s, e]`,
    /// giving `[.., l, e]`; the dimensions before broadcast. A boolean mask names the positions that take
    /// part, a floating-point one is added; both broadcast to `[.., l, s]`. With `is_causal`, position `i`
    /// sees the positions up to `i`. A query that sees nothing gives zeros.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let q = Tensor::zeros([2, 3], DType::F64);
    /// let v = Tensor::from([[1.0], [3.0]]);
    /// let y = Tensor::scaled_dot_product_attention(&q, &q, &v, None, true);
    /// assert_eq!(y.to_vec::<f64>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or there is a mask and `is_causal` is set.
    #[track_caller]
    pub fn scaled_dot_product_attention(
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: Option<&Tensor>,
        is_causal: bool,
    ) -> Tensor {
        check(q, k, v, mask, is_causal);
        let (rows, columns) = (q.size(-2), k.size(-2));
        let scale = 1.0 / (q.size(-1) as f64).sqrt();
        // Of query and key the smaller one is scaled.
        let scores = match rows <= columns {
            true => (q * scale).matmul(&k.transpose(-1, -2)),
            false => q.matmul(&(k * scale).transpose(-1, -2)),
        };
        let mask = match mask {
            Some(mask) => Some(mask.clone()),
            None if is_causal => {
                let (i, j) = (Tensor::arange(0, rows as i64, 1), Tensor::arange(0, columns as i64, 1));
                Some(j.le(i.unsqueeze(1)))
            }
            None => None,
        };
        let scores = match mask {
            None => scores,
            Some(mask) if mask.dtype() == DType::Bool => {
                Tensor::where_(&mask, scores, Tensor::full((), f64::NEG_INFINITY, q.dtype()))
            }
            Some(mask) => scores + mask,
        };
        let hidden = scores.detach().eq(f64::NEG_INFINITY);
        let weights = match hidden.any().item_as::<bool>() && columns > 0 {
            // Zeros for queries that see nothing, in the place of 0 / 0.
            true => {
                let blind = hidden.all_dim(-1, true);
                scores.masked_fill(&blind, 0).softmax(-1).masked_fill(&blind, 0)
            }
            false => scores.softmax(-1),
        };
        weights.matmul(v)
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{Tensor, gradcheck, gradgradcheck};

    fn inputs() -> [Tensor; 3] {
        [spread(&[2, 2, 3, 4], -2.0, 2.0), spread(&[2, 1, 5, 4], -1.9, 2.0), spread(&[2, 1, 5, 2], -1.0, 1.0)]
    }

    /// The sum over the definition, element by element.
    fn naive(q: &Tensor, k: &Tensor, v: &Tensor, sees: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let (q, k, v) = (q.to_vec::<f64>(), k.to_vec::<f64>(), v.to_vec::<f64>());
        let mut out = Vec::new();
        for row in 0..12 {
            let (batch, position) = (row / 6, row % 3);
            let score = |j: usize| (0..4).map(|c| q[row * 4 + c] * k[(batch * 5 + j) * 4 + c]).sum::<f64>() / 2.0;
            let weights: Vec<f64> = (0..5).map(|j| (score(j) + sees(position, j)).exp()).collect();
            let total: f64 = weights.iter().sum();
            for e in 0..2 {
                let sum: f64 = (0..5).map(|j| weights[j] * v[(batch * 5 + j) * 2 + e]).sum();
                out.push(if total == 0.0 { 0.0 } else { sum / total });
            }
        }
        out
    }

    #[test]
    fn attention_is_the_average_that_the_scores_weigh() {
        let [q, k, v] = inputs();
        let flags: Vec<bool> = (0..15).map(|i| i % 4 != 1 && i / 5 != 2).collect();
        let mask = Tensor::from_vec(flags.clone(), [3, 5]);
        let bias = spread(&[3, 5], -1.0, 1.0);
        let biases = bias.to_vec::<f64>();
        let attention = |mask: Option<&Tensor>, causal| Tensor::scaled_dot_product_attention(&q, &k, &v, mask, causal);
        let hide = |seen: bool| if seen { 0.0 } else { f64::NEG_INFINITY };
        for (actual, expected) in [
            (attention(None, false), naive(&q, &k, &v, |_, _| 0.0)),
            (attention(None, true), naive(&q, &k, &v, |i, j| hide(j <= i))),
            (attention(Some(&mask), false), naive(&q, &k, &v, |i, j| hide(flags[i * 5 + j]))),
            (attention(Some(&bias), false), naive(&q, &k, &v, |i, j| biases[i * 5 + j])),
        ] {
            assert_eq!(actual.sizes(), [2, 2, 3, 2]);
            for (a, b) in actual.to_vec::<f64>().iter().zip(&expected) {
                assert!((a - b).abs() < 1e-13, "{a} {b}");
            }
        }
    }

    #[test]
    fn derivatives_of_both_orders_are_right_with_every_mask() {
        let x = [spread(&[1, 2, 3], -1.0, 1.0), spread(&[1, 3, 3], -0.9, 1.0), spread(&[1, 3, 2], -1.0, 0.8)];
        let x: Vec<&Tensor> = x.iter().collect();
        let mask = Tensor::from([[true, false, true], [false, false, false]]);
        let masks = [(None, false), (None, true), (Some(mask), false), (Some(spread(&[2, 3], -1.0, 1.0)), false)];
        for (mask, causal) in &masks {
            let call = |x: &[Tensor]| Tensor::scaled_dot_product_attention(&x[0], &x[1], &x[2], mask.as_ref(), *causal);
            gradcheck(call, &x).unwrap();
            gradgradcheck(call, &x).unwrap();
        }
    }

    #[test]
    #[should_panic(expected = "Explicit attn_mask should not be set when is_causal=True")]
    fn a_mask_beside_the_causal_one_is_refused() {
        let [q, k, v] = inputs();
        Tensor::scaled_dot_product_attention(&q, &k, &v, Some(&spread(&[3, 5], 0.0, 1.0)), true);
    }
}
