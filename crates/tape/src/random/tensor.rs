//! Random tensors, and tensors filled in place.

use super::distribution::Distribution;
use super::generator::default_generator;
use super::{Source, fill_randint, randperm};
use crate::{DType, Shape, Tensor};

impl Tensor {
    /// Numbers uniform on `[0, 1)`, as `torch.rand`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let x = Tensor::rand([2, 2], DType::F32);
    /// assert_eq!(x.to_vec::<f32>(), [0.4962566, 0.7682218, 0.08847743, 0.13203049]);
    /// ```
    ///
    /// # Panics
    /// If `dtype` is not a floating-point type.
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        Tensor::rand_with(&mut *default_generator(), shape, dtype)
    }

    /// [`rand`](Tensor::rand) with the words of `source`: a [`Generator`](crate::random::Generator) of your
    /// own, or any other [`Source`].
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// use tape::random::Generator;
    /// let x = Tensor::rand_with(&mut Generator::new(0), [2], DType::F32);
    /// assert_eq!(x.to_vec::<f32>(), [0.4962566, 0.7682218]);
    ///
    /// // A closure around any other generator will do; here one that counts.
    /// let mut word = 0;
    /// let mut counter = || { word += 1 << 22; word };
    /// assert_eq!(Tensor::rand_with(&mut counter, [3], DType::F32).to_vec::<f32>(), [0.25, 0.5, 0.75]);
    /// ```
    ///
    /// # Panics
    /// As [`rand`](Tensor::rand).
    #[track_caller]
    pub fn rand_with<S: Source + ?Sized>(source: &mut S, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        Distribution::uniform("rand", 0.0, 1.0, dtype).sample(source, shape.into(), dtype, true)
    }

    /// Normal numbers with mean 0 and standard deviation 1, as `torch.randn`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let x = Tensor::randn([2], DType::F64);
    /// assert_eq!(x.to_vec::<f64>(), [1.5409961082440433, -0.2934289057609464]);
    /// ```
    ///
    /// # Panics
    /// If `dtype` is not a floating-point type.
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        Tensor::randn_with(&mut *default_generator(), shape, dtype)
    }

    /// [`randn`](Tensor::randn) with the words of `source`.
    ///
    /// # Panics
    /// As [`randn`](Tensor::randn).
    #[track_caller]
    pub fn randn_with<S: Source + ?Sized>(source: &mut S, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        Distribution::normal("randn", 0.0, 1.0, dtype).sample(source, shape.into(), dtype, true)
    }

    /// Integers (`I64`) from `[low, high)`, as `torch.randint`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let x = Tensor::randint(0, 10, [4]);
    /// assert_eq!(x.to_vec::<i64>(), [4, 9, 3, 0]);
    /// ```
    ///
    /// # Panics
    /// If `low >= high`.
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
        Tensor::randint_with(&mut *default_generator(), low, high, shape)
    }

    /// [`randint`](Tensor::randint) with the words of `source`.
    ///
    /// # Panics
    /// As [`randint`](Tensor::randint).
    #[track_caller]
    pub fn randint_with<S: Source + ?Sized>(source: &mut S, low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let mut values = vec![0; shape.iter().product()];
        fill_randint(source, low, high, &mut values);
        Tensor::from_vec(values, shape)
    }

    /// The numbers `0..n` (`I64`) in random order, as `torch.randperm`: a shuffle to index with.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// assert_eq!(Tensor::randperm(5).to_vec::<i64>(), [4, 0, 1, 3, 2]);
    /// ```
    pub fn randperm(n: usize) -> Tensor {
        Tensor::randperm_with(&mut *default_generator(), n)
    }

    /// [`randperm`](Tensor::randperm) with the words of `source`.
    pub fn randperm_with<S: Source + ?Sized>(source: &mut S, n: usize) -> Tensor {
        Tensor::from_vec(randperm(source, n), n)
    }

    /// Numbers uniform on `[0, 1)` with the shape and dtype of this tensor, as `torch.rand_like`.
    ///
    /// The result keeps the order in which this tensor's dimensions lie in memory, and is filled in that
    /// order.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::zeros([2, 3], DType::F64);
    /// assert_eq!(x.rand_like().shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If this tensor's dtype is not a floating-point type.
    #[track_caller]
    pub fn rand_like(&self) -> Tensor {
        self.rand_like_with(&mut *default_generator())
    }

    /// [`rand_like`](Tensor::rand_like) with the words of `source`.
    ///
    /// # Panics
    /// As [`rand_like`](Tensor::rand_like).
    #[track_caller]
    pub fn rand_like_with<S: Source + ?Sized>(&self, source: &mut S) -> Tensor {
        Distribution::uniform("rand_like", 0.0, 1.0, self.dtype()).sample_like(source, self)
    }

    /// Normal numbers (mean 0, standard deviation 1) with the shape and dtype of this tensor, as
    /// `torch.randn_like`.
    ///
    /// The result keeps the order in which this tensor's dimensions lie in memory, and is filled in that
    /// order.
    ///
    /// # Panics
    /// If this tensor's dtype is not a floating-point type.
    #[track_caller]
    pub fn randn_like(&self) -> Tensor {
        self.randn_like_with(&mut *default_generator())
    }

    /// [`randn_like`](Tensor::randn_like) with the words of `source`.
    ///
    /// # Panics
    /// As [`randn_like`](Tensor::randn_like).
    #[track_caller]
    pub fn randn_like_with<S: Source + ?Sized>(&self, source: &mut S) -> Tensor {
        Distribution::normal("randn_like", 0.0, 1.0, self.dtype()).sample_like(source, self)
    }

    /// Overwrites every element with a number uniform on `[from, to)`: `fma(u, to - from, from)` in the
    /// tensor's dtype. Elements are drawn in the order in which they lie in memory.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let x = Tensor::empty([2], DType::F32).uniform_(-1, 1);
    /// assert_eq!(x.to_vec::<f32>(), [-0.0074868202, 0.5364436]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a floating-point type, if `from > to` or their difference is not finite in the
    /// dtype, or if this is a leaf that requires grad while recording is on.
    #[track_caller]
    pub fn uniform_(&self, from: impl Into<f64>, to: impl Into<f64>) -> Tensor {
        self.uniform_with_(&mut *default_generator(), from, to)
    }

    /// [`uniform_`](Tensor::uniform_) with the words of `source`.
    ///
    /// # Panics
    /// As [`uniform_`](Tensor::uniform_).
    #[track_caller]
    pub fn uniform_with_<S: Source + ?Sized>(
        &self,
        source: &mut S,
        from: impl Into<f64>,
        to: impl Into<f64>,
    ) -> Tensor {
        let distribution = Distribution::uniform("uniform_", from.into(), to.into(), self.dtype());
        self.replace_("uniform_", |_| distribution.sample_over(source, self))
    }

    /// Overwrites every element with a normal number of the given mean and standard deviation.
    ///
    /// Contiguous tensors of 16 and more elements are drawn in blocks, others element by element in the
    /// order in which they lie in memory, and get other numbers, as in torch.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// tape::manual_seed(0);
    /// let x = Tensor::empty([2], DType::F64).normal_(10, 0.5);
    /// assert_eq!(x.to_vec::<f64>(), [10.770498054122022, 9.853285547119526]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a floating-point type, if `std` is negative or NaN, or if this is a leaf that
    /// requires grad while recording is on.
    #[track_caller]
    pub fn normal_(&self, mean: impl Into<f64>, std: impl Into<f64>) -> Tensor {
        self.normal_with_(&mut *default_generator(), mean, std)
    }

    /// [`normal_`](Tensor::normal_) with the words of `source`.
    ///
    /// # Panics
    /// As [`normal_`](Tensor::normal_).
    #[track_caller]
    pub fn normal_with_<S: Source + ?Sized>(
        &self,
        source: &mut S,
        mean: impl Into<f64>,
        std: impl Into<f64>,
    ) -> Tensor {
        let distribution = Distribution::normal("normal_", mean.into(), std.into(), self.dtype());
        self.replace_("normal_", |_| distribution.sample_over(source, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.to_vec::<f32>().iter().map(|x| x.to_bits()).collect()
    }

    fn zeros<const N: usize>(shape: [usize; N]) -> Tensor {
        Tensor::zeros(shape, DType::F32)
    }

    /// torch 2.8.0: `manual_seed(0); zeros(2, 3).t().uniform_()`.
    #[test]
    fn a_transposed_tensor_is_filled_in_memory_order() {
        let x = zeros([2, 3]).t();
        x.uniform_with_(&mut Generator::new(0), 0, 1);
        let expected = [0x3efe1558, 0x3e073300, 0x3f44aa2f, 0x3e9d6686, 0x3db533a8, 0x3f2252fb];
        assert_eq!(bits(&x), expected);
    }

    /// torch 2.8.0: `manual_seed(0); empty(2, 3, 8).permute(2, 0, 1)[::2].normal_(1.0, 2.0)`, its first
    /// elements.
    #[test]
    fn a_non_contiguous_tensor_draws_its_normals_one_by_one() {
        let x = zeros([2, 3, 8]).permute([2, 0, 1]).slice(0, .., 2);
        x.normal_with_(&mut Generator::new(0), 1, 2);
        assert_eq!(x.sizes(), [4, 2, 3]);
        let expected = [0x40829fae, 0xbf95a342, 0xbee0850f, 0xbf369e0d, 0xbe07d175, 0x3fded21c, 0x3ed3875f];
        assert_eq!(bits(&x)[..7], expected);
    }

    /// torch 2.8.0: `manual_seed(0); rand_like(m)`, then `manual_seed(0); randn_like(m)`; elements 1 to 4
    /// in logical order, for models whose dimensions lie in memory in every kind of order.
    #[test]
    fn likenesses_keep_the_memory_order_of_their_model() {
        let cases = [
            (
                zeros([3, 1, 4]).permute([2, 1, 0]),
                [0x3e9d6686, 0x3ee94812, 0x3f44aa2f, 0x3f2252fb],
                [0xbf8ad1a1, 0xbf382144, 0xbe963c50, 0xbfb3052d],
            ),
            (
                zeros([1, 5]).expand([4, 5]),
                [0x3f44aa2f, 0x3db533a8, 0x3e073300, 0x3e9d6686],
                [0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f194d8b],
            ),
            (
                zeros([4, 1]).expand([4, 5]),
                [0x3f44aa2f, 0x3db533a8, 0x3e073300, 0x3e9d6686],
                [0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f194d8b],
            ),
            (
                zeros([2, 3, 4]).permute([1, 2, 0]).slice(1, .., 2),
                [0x3efaed86, 0x3f44aa2f, 0x3f657d67, 0x3db533a8],
                [0x3ece837a, 0xbe963c50, 0x3f5688e5, 0xc00b7149],
            ),
            (
                zeros([3, 1, 6]).transpose(0, 2).expand([6, 4, 3]),
                [0x3ed6bcb0, 0x3e8e771c, 0x3efaed86, 0x3e9c3612],
                [0x3e44796b, 0x4003af93, 0x3ece837a, 0x3f04c561],
            ),
            (
                zeros([4, 1, 5]).transpose(0, 1),
                [0x3f44aa2f, 0x3db533a8, 0x3e073300, 0x3e9d6686],
                [0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f194d8b],
            ),
        ];
        for (model, uniform, normal) in cases {
            let shape = model.sizes().to_vec();
            let u = model.rand_like_with(&mut Generator::new(0));
            let n = model.randn_like_with(&mut Generator::new(0));
            assert_eq!((u.sizes(), n.sizes()), (&shape[..], &shape[..]));
            assert_eq!(bits(&u)[1..5], uniform, "rand_like {shape:?}");
            assert_eq!(bits(&n)[1..5], normal, "randn_like {shape:?}");
        }
    }

    #[test]
    fn filling_counts_as_a_change_and_returns_the_same_tensor() {
        let x = zeros([4]);
        let before = x.version();
        assert!(x.normal_with_(&mut Generator::new(0), 0, 1).same(&x));
        assert!(x.version() > before);
    }

    #[test]
    #[should_panic(expected = "a leaf Variable that requires grad is being used in an in-place operation")]
    fn a_leaf_that_requires_grad_is_refused() {
        zeros([3]).requires_grad_(true).uniform_with_(&mut Generator::new(0), 0, 1);
    }

    #[test]
    #[should_panic(expected = "found from=2 > to=1")]
    fn reversed_bounds_are_refused() {
        zeros([3]).uniform_(2, 1);
    }

    #[test]
    #[should_panic(expected = "to is out of bounds for float32")]
    fn bounds_beyond_the_dtype_are_refused() {
        zeros([3]).uniform_(0, 1e39);
    }

    #[test]
    #[should_panic(expected = "exceed the limit")]
    fn a_width_beyond_the_dtype_is_refused() {
        zeros([3]).uniform_(-3e38, 3e38);
    }

    #[test]
    #[should_panic(expected = "normal expects std >= 0.0, but found std -1")]
    fn a_negative_deviation_is_refused_even_where_nothing_is_drawn() {
        zeros([0]).normal_(0, -1);
    }

    #[test]
    #[should_panic(expected = "rand: not implemented for int64")]
    fn integers_are_not_uniform_reals() {
        Tensor::rand([2], DType::I64);
    }
}
