//! Products made of matrix products and elementwise ones: contractions, outer and cross products, powers, chains.

use crate::shape::{Dims, Ints, broadcasts_to, dim_mask, normalize_dim};
use crate::{DType, Tensor, Tensors};

impl Tensor {
    /// The sum of products over the dimensions `dims` of this tensor and `other_dims` of the other, pair by
    /// pair; the result has the remaining dimensions of both. Dimensions of size one broadcast.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (a, b) = (Tensor::ones([2, 3, 4], DType::F64), Tensor::ones([4, 3, 5], DType::F64));
    /// let c = a.tensordot(&b, [1, 2], [1, 0]);
    /// assert_eq!((c.sizes(), c.max().item()), (&[2, 5][..], 12.0));
    /// ```
    ///
    /// # Panics
    /// If the lists differ in length, a dimension is out of range or named twice, sizes differ, or the dtypes
    /// do.
    #[track_caller]
    pub fn tensordot(&self, other: &Tensor, dims: impl Into<Ints>, other_dims: impl Into<Ints>) -> Tensor {
        const OP: &str = "tensordot";
        let (dims, other_dims) = (dims.into(), other_dims.into());
        if dims.len() != other_dims.len() {
            panic!(
                "{OP}: both dimension lists should have same length, but they are {:?} and {:?}",
                &dims[..],
                &other_dims[..]
            );
        }
        if self.dtype() != other.dtype() {
            panic!(
                "{OP}: both inputs should have same dtype, but got {} and {}; convert one with to_dtype",
                self.dtype(),
                other.dtype()
            );
        }
        let (mask_a, mask_b) = (dim_mask(OP, &dims, self.dim()), dim_mask(OP, &other_dims, other.dim()));
        let (mut a, mut b) = (self.clone(), other.clone());
        let mut pairs = Vec::new();
        for (&dim, &other_dim) in dims.iter().zip(other_dims.iter()) {
            let (i, j) = (normalize_dim(OP, dim, a.dim()), normalize_dim(OP, other_dim, b.dim()));
            if a.dim() == 0 || b.dim() == 0 {
                panic!("{OP}: a tensor without dimensions has none to sum over; multiply with mul");
            }
            match (a.sizes()[i], b.sizes()[j]) {
                (m, n) if m == n => {}
                (1, _) => b = b.sum_dim(other_dim, true),
                (_, 1) => a = a.sum_dim(dim, true),
                (m, n) => panic!(
                    "{OP}: contracted dimensions need to match, but first has size {m} in dim {dim} and second has size \
                     {n} in dim {other_dim} (shapes {:?} and {:?})",
                    self.sizes(),
                    other.sizes()
                ),
            }
            pairs.push((i, j));
        }
        let free = |mask: &[bool]| (0..mask.len()).filter(|&dim| !mask[dim]).collect::<Vec<_>>();
        let (free_a, free_b) = (free(&mask_a), free(&mask_b));
        let order_a = free_a.iter().copied().chain(pairs.iter().map(|pair| pair.0));
        let order_b = pairs.iter().map(|pair| pair.1).chain(free_b.iter().copied());
        let product = |x: &Tensor, dims: &[usize]| dims.iter().map(|&dim| x.sizes()[dim]).product::<usize>();
        let (m, n) = (product(&a, &free_a), product(&b, &free_b));
        let k = pairs.iter().map(|pair| a.sizes()[pair.0]).product();
        let left = a.permute(order_a.collect::<Vec<_>>()).reshape_to(&[m, k]);
        let right = b.permute(order_b.collect::<Vec<_>>()).reshape_to(&[k, n]);
        let shape: Dims =
            free_a.iter().map(|&dim| a.sizes()[dim]).chain(free_b.iter().map(|&dim| b.sizes()[dim])).collect();
        left.matmul(&right).reshape_to(&shape)
    }

    /// [`tensordot`](Tensor::tensordot) over the last `n` dimensions of this tensor and the first `n` of the
    /// other.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (a, b) = (Tensor::ones([2, 3], DType::F64), Tensor::ones([3, 4], DType::F64));
    /// assert_eq!(a.tensordot_last(&b, 1).shape(), [2, 4]);
    /// assert_eq!(a.tensordot_last(&b, 0).shape(), [2, 3, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// As `tensordot`, and if a tensor has fewer than `n` dimensions.
    #[track_caller]
    pub fn tensordot_last(&self, other: &Tensor, n: usize) -> Tensor {
        if n > self.dim() || n > other.dim() {
            panic!(
                "tensordot_last: tensordot expects dims < ndim_a or ndim_b, but got dims={n} (shapes {:?} and {:?})",
                self.sizes(),
                other.sizes()
            );
        }
        let last: Vec<usize> = (self.dim() - n..self.dim()).collect();
        self.tensordot(other, last, (0..n).collect::<Vec<_>>())
    }

    /// The inner products of all last dimensions: `out[i.., j..] = sum over k of self[i.., k] * other[j.., k]`;
    /// of a number, the product.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.inner(&Tensor::from([1.0, 1.0])).to_vec::<f64>(), [3.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If the last sizes or the dtypes differ.
    #[track_caller]
    pub fn inner(&self, other: &Tensor) -> Tensor {
        if self.dim() == 0 || other.dim() == 0 {
            return self.mul(other);
        }
        if self.size(-1) != other.size(-1) {
            panic!(
                "inner: the last dimension must match on both input tensors but got shapes {:?} and {:?}; transpose \
                 one, or use tensordot",
                self.sizes(),
                other.sizes()
            );
        }
        self.tensordot(other, -1, -1)
    }

    /// The cross product along dimension `dim`, of size three; the other dimensions broadcast.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, y) = (Tensor::from([1.0, 0.0, 0.0]), Tensor::from([0.0, 1.0, 0.0]));
    /// assert_eq!(x.cross(&y, -1).to_vec::<f64>(), [0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of dimensions differ, `dim` is not of size three in both, or the shapes do not
    /// broadcast.
    #[track_caller]
    pub fn cross(&self, other: &Tensor, dim: isize) -> Tensor {
        if self.dim() != other.dim() {
            panic!(
                "cross: linalg.cross: inputs must have the same number of dimensions (shapes {:?} and {:?}); unsqueeze \
                 one of them",
                self.sizes(),
                other.sizes()
            );
        }
        let axis = normalize_dim("cross", dim, self.dim());
        let size = |x: &Tensor| x.sizes().get(axis).copied().unwrap_or(1);
        if size(self) != 3 || size(other) != 3 {
            panic!(
                "cross: linalg.cross: inputs dimension {dim} must have length 3. Got {} and {} (shapes {:?} and {:?})",
                size(self),
                size(other),
                self.sizes(),
                other.sizes()
            );
        }
        let part = |x: &Tensor, index: isize| x.select(axis as isize, index);
        let component =
            |i: isize, j: isize| part(self, i).mul(&part(other, j)).sub(&part(self, j).mul(&part(other, i)));
        // Broadcasting may add no dimension: both have as many.
        Tensor::stack([component(1, 2), component(2, 0), component(0, 1)], axis as isize)
    }

    /// The inner products of the vectors along dimension `dim`, under broadcasting.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.vecdot(&x, -1).to_vec::<f64>(), [5.0, 25.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes differ or are not floating point, the shapes do not broadcast, or `dim` is out of range.
    #[track_caller]
    pub fn vecdot(&self, other: &Tensor, dim: isize) -> Tensor {
        if self.dtype() != other.dtype() || !self.dtype().is_floating_point() {
            panic!(
                "vecdot: linalg.vecdot: Expected x and y to have the same floating point dtype, but found {} and {}; \
                 convert one with to_dtype",
                self.dtype(),
                other.dtype()
            );
        }
        self.mul(other).sum_dim(dim, false)
    }

    /// The Kronecker product: every element of this tensor times the whole other one, as blocks. The tensor
    /// of fewer dimensions gets ones in front.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).kron(&Tensor::from([1.0, 10.0]));
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    #[track_caller]
    pub fn kron(&self, other: &Tensor) -> Tensor {
        let dims = self.dim().max(other.dim());
        let size = |x: &Tensor, dim: usize| if dim + x.dim() < dims { 1 } else { x.sizes()[dim + x.dim() - dims] };
        let (mut a, mut b, mut merged) = (Dims::new(), Dims::new(), Dims::new());
        for dim in 0..dims {
            let (m, n) = (size(self, dim), size(other, dim));
            a.extend_from_slice(&[m, 1]);
            b.extend_from_slice(&[1, n]);
            merged.push(m * n);
        }
        self.reshape_to(&a).mul(&other.reshape_to(&b)).reshape_to(&merged)
    }

    /// Each square matrix of a batch multiplied by itself, `n` factors, by repeated squaring; the identity
    /// for `n = 0`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 1.0], [1.0, 0.0]]);
    /// assert_eq!(x.matrix_power(10).to_vec::<f64>(), [89.0, 55.0, 55.0, 34.0]);
    /// ```
    ///
    /// # Panics
    /// If the last two dimensions are not there or not of one size, or the dtype is `Bool`.
    #[track_caller]
    pub fn matrix_power(&self, n: usize) -> Tensor {
        let [.., rows, columns] = *self.sizes() else {
            panic!(
                "matrix_power: The input tensor A must have at least 2 dimensions. (shape {:?}; unsqueeze it)",
                self.sizes()
            );
        };
        if rows != columns {
            panic!("matrix_power: A must be batches of square matrices, but they are {rows} by {columns} matrices");
        }
        match n {
            0 => return Tensor::eye(rows, self.dtype()).expand(self.sizes()).copy(),
            1 => return self.copy(),
            3 => return self.matmul(self).matmul(self),
            _ => {}
        }
        let (mut square, mut result, mut rest) = (self.clone(), None::<Tensor>, n);
        loop {
            if rest & 1 == 1 {
                result = Some(result.map_or_else(|| square.clone(), |result| result.matmul(&square)));
            }
            rest >>= 1;
            if rest == 0 {
                return result.expect("the highest bit of n is one");
            }
            square = square.matmul(&square);
        }
    }

    /// The product of a chain of matrices in the order of fewest multiplications. The first and the last may
    /// be vectors, a row and a column.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (row, tall) = (Tensor::ones(30, DType::F64), Tensor::ones([30, 20], DType::F64));
    /// let product = Tensor::multi_dot([&row, &tall, &tall.t(), &row]);
    /// assert_eq!(product.item(), 30.0 * 20.0 * 30.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two tensors, one is not a matrix (or vector at an end), sizes do not fit, or
    /// the dtypes differ.
    #[track_caller]
    pub fn multi_dot(tensors: impl Into<Tensors>) -> Tensor {
        let tensors = tensors.into().0;
        let count = tensors.len();
        if count < 2 {
            panic!("multi_dot: expected at least 2 tensors but got {count}");
        }
        for (position, tensor) in tensors.iter().enumerate() {
            let end = position == 0 || position == count - 1;
            if !(tensor.dim() == 2 || end && tensor.dim() == 1) {
                panic!(
                    "multi_dot: tensor {position} must be 2D{} but got {}D (shape {:?})",
                    if end { " or 1D" } else { "" },
                    tensor.dim(),
                    tensor.sizes()
                );
            }
        }
        let (first, last) = (tensors[0].dim(), tensors[count - 1].dim());
        let mut chain = tensors.clone();
        if first == 1 {
            chain[0] = chain[0].unsqueeze(0);
        }
        if last == 1 {
            chain[count - 1] = chain[count - 1].unsqueeze(1);
        }
        for (position, pair) in chain.windows(2).enumerate() {
            if pair[0].sizes()[1] != pair[1].sizes()[0] {
                panic!(
                    "multi_dot: tensors {position} and {} with shapes {:?} and {:?} cannot be multiplied",
                    position + 1,
                    tensors[position].sizes(),
                    tensors[position + 1].sizes()
                );
            }
        }
        let product = chain_product(&chain, &cheapest_splits(&chain), 0, count - 1);
        let product = if last == 1 { product.squeeze_dim(1) } else { product };
        if first == 1 { product.squeeze_dim(0) } else { product }
    }

    /// The bilinear layer: `out[.., o] = sum over i, j of x1[.., i] * weight[o, i, j] * x2[.., j] + bias[o]`,
    /// with `weight` of shape `[out, in1, in2]`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (x1, x2) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[1.0, 1.0, 1.0]]));
    /// let weight = Tensor::ones([4, 2, 3], DType::F64);
    /// assert_eq!(Tensor::bilinear(&x1, &x2, &weight, None).to_vec::<f64>(), [9.0; 4]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ.
    #[track_caller]
    pub fn bilinear(x1: &Tensor, x2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let ([lead1 @ .., in1], [lead2 @ .., in2], [out, w1, w2]) = (x1.sizes(), x2.sizes(), weight.sizes()) else {
            panic!(
                "bilinear: expects inputs of at least one dimension and a weight of three, [out, in1, in2], but their \
                 shapes are {:?}, {:?} and {:?}",
                x1.sizes(),
                x2.sizes(),
                weight.sizes()
            );
        };
        if lead1 != lead2 {
            panic!(
                "bilinear: input batch dimensions do not match: shapes are {:?} and {:?}; expand one of them",
                x1.sizes(),
                x2.sizes()
            );
        }
        if in1 != w1 || in2 != w2 {
            panic!(
                "bilinear: input sizes do not match weight size: got {in1} and {in2} but expected {w1} and {w2} \
                 (weight {:?})",
                weight.sizes()
            );
        }
        if let Some(bias) = bias
            && !broadcasts_to(bias.sizes(), &[*out])
        {
            panic!(
                "bilinear: bias size does not match weight size: got {:?} but expected {out} (weight {:?})",
                bias.sizes(),
                weight.sizes()
            );
        }
        let rows: usize = lead1.iter().product();
        let mixed = weight.permute([1, 0, 2]).reshape_to(&[*in1, out * in2]);
        let mixed = x1.reshape_to(&[rows, *in1]).matmul(&mixed).reshape_to(&[rows, *out, *in2]);
        let product = mixed.matmul(&x2.reshape_to(&[rows, *in2, 1]));
        let shape: Dims = lead1.iter().copied().chain([*out]).collect();
        let product = product.reshape_to(&shape);
        match bias {
            Some(bias) => product.add(bias),
            None => product,
        }
    }

    /// The Vandermonde matrix of a vector: `n` columns of its powers, falling to the zeroth, or rising from
    /// it. Each power is the one before times the vector.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([2.0, 3.0]);
    /// assert_eq!(x.vander(3, true).to_vec::<f64>(), [1.0, 2.0, 4.0, 1.0, 3.0, 9.0]);
    /// assert_eq!(x.vander(3, false).to_vec::<f64>(), [4.0, 2.0, 1.0, 9.0, 3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a vector.
    #[track_caller]
    pub fn vander(&self, n: usize, increasing: bool) -> Tensor {
        if self.dim() != 1 {
            panic!("vander: x must be a one-dimensional tensor, but its shape is {:?}; flatten it", self.sizes());
        }
        let x = if self.dtype() == DType::Bool { self.long() } else { self.clone() };
        let mut powers: Vec<Tensor> = Vec::with_capacity(n);
        for exponent in 0..n {
            let power = match exponent {
                0 => x.ones_like(),
                1 => x.clone(),
                _ => powers[exponent - 1].mul(&x),
            };
            powers.push(power);
        }
        if !increasing {
            powers.reverse();
        }
        if n == 0 {
            return Tensor::zeros([x.numel(), 0], x.dtype());
        }
        Tensor::stack(powers, -1)
    }
}

/// For each pair of ends, after which matrix to split the chain so that multiplications are fewest.
fn cheapest_splits(chain: &[Tensor]) -> Vec<Vec<usize>> {
    let count = chain.len();
    let side = |i: usize| if i < count { chain[i].sizes()[0] } else { chain[count - 1].sizes()[1] };
    let (mut cost, mut splits) = (vec![vec![0.0f64; count]; count], vec![vec![0; count]; count]);
    for length in 1..count {
        for i in 0..count - length {
            let j = i + length;
            cost[i][j] = f64::INFINITY;
            for k in i..j {
                let total = cost[i][k] + cost[k + 1][j] + side(i) as f64 * side(k + 1) as f64 * side(j + 1) as f64;
                if total < cost[i][j] {
                    (cost[i][j], splits[i][j]) = (total, k);
                }
            }
        }
    }
    splits
}

/// The product of the matrices from `i` to `j`; nests as deep as the chain is long.
fn chain_product(chain: &[Tensor], splits: &[Vec<usize>], i: usize, j: usize) -> Tensor {
    if i == j {
        return chain[i].clone();
    }
    let k = splits[i][j];
    chain_product(chain, splits, i, k).matmul(&chain_product(chain, splits, k + 1, j))
}

#[cfg(test)]
mod tests;
