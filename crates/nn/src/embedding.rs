//! A table of learned vectors.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module};
use tape::{DType, Tensor, get_default_dtype, no_grad};

/// The learned vectors that numbers name, as `torch.nn.Embedding`: [`Tensor::embedding`].
///
/// Input: `I64`, `[..]`; output: `[.., embedding_dim]`.
///
/// ```
/// use nn::{Embedding, Module};
/// use tape::Tensor;
///
/// let words = Embedding::builder(1000, 16).padding_idx(0).build();
/// let sentence = Tensor::from([[5i64, 17, 0]]);
/// let vectors = words.forward(&sentence);
/// assert_eq!(vectors.shape(), [1, 3, 16]);
/// vectors.sum().backward()?;
/// assert_eq!(words.weight.grad().unwrap().sum_dim(1, false).to_vec::<f32>()[..6], [0.0, 0.0, 0.0, 0.0, 0.0, 16.0]);
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    /// `[num_embeddings, embedding_dim]`.
    pub weight: Tensor,
    padding_idx: Option<usize>,
}

deep_copy! { Embedding { weight, padding_idx } }

impl Embedding {
    /// A table of the [default dtype](get_default_dtype) whose numbers are standard normal, drawn from the
    /// process-wide generator as torch draws them.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Embedding {
        Embedding::builder(num_embeddings, embedding_dim).build()
    }

    /// Options: [`padding_idx`](EmbeddingBuilder::padding_idx), [`dtype`](EmbeddingBuilder::dtype).
    pub fn builder(num_embeddings: usize, embedding_dim: usize) -> EmbeddingBuilder {
        EmbeddingBuilder { num_embeddings, embedding_dim, padding_idx: None, dtype: get_default_dtype() }
    }

    /// A table of this very tensor (not a copy), which is learned unless it is frozen, as torch's
    /// `Embedding.from_pretrained`.
    ///
    /// ```
    /// use nn::{Embedding, Module};
    /// use tape::Tensor;
    ///
    /// let table = Embedding::from_pretrained(Tensor::from([[1.0, 2.0], [3.0, 4.0]]), true);
    /// assert_eq!(table.forward(&Tensor::from(1i64)).to_vec::<f64>(), [3.0, 4.0]);
    /// assert!(!table.weight.requires_grad());
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a matrix, or was computed from tensors that require grad.
    #[track_caller]
    pub fn from_pretrained(embeddings: Tensor, freeze: bool) -> Embedding {
        assert!(
            embeddings.dim() == 2,
            "Embedding: Embeddings parameter is expected to be 2-dimensional, but its shape is {:?}",
            embeddings.sizes()
        );
        Embedding { weight: embeddings.requires_grad_(!freeze), padding_idx: None }
    }
}

impl Module for Embedding {
    /// # Panics
    /// If the input is not `I64`, or a number is negative or not below `num_embeddings`.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        let rows = Tensor::embedding(input, &self.weight);
        let Some(padding) = self.padding_idx else { return rows };
        // Values are read there, but no gradient flows.
        Tensor::where_(&input.ne(padding as i64).unsqueeze(-1), &rows, rows.detach())
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight)
    }

    boxed_copy!();
}

/// Options of an [`Embedding`], made by [`Embedding::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct EmbeddingBuilder {
    num_embeddings: usize,
    embedding_dim: usize,
    padding_idx: Option<isize>,
    dtype: DType,
}

impl EmbeddingBuilder {
    /// The row that stands for nothing: zeros at first, and never given a gradient. Negative numbers count from the
    /// end.
    pub fn padding_idx(mut self, padding_idx: impl Into<Option<isize>>) -> Self {
        self.padding_idx = padding_idx.into();
        self
    }

    /// The dtype of the table (default: [`get_default_dtype`], `F32`). Other dtypes draw other numbers, as in torch.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Draws the table from the process-wide generator.
    ///
    /// # Panics
    /// If there is no row `padding_idx`, or the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> Embedding {
        crate::init::check_dtype("Embedding", "the weight", self.dtype);
        let rows = self.num_embeddings as isize;
        let padding_idx = self.padding_idx.map(|row| {
            assert!(
                (-rows..rows).contains(&row),
                "Embedding: Padding_idx must be within num_embeddings, but {row} is not a row of {rows}"
            );
            row.rem_euclid(rows) as usize
        });
        let weight = Tensor::empty([self.num_embeddings, self.embedding_dim], self.dtype);
        no_grad(|| {
            weight.normal_(0.0, 1.0);
            padding_idx.map(|row| weight.select(0, row as isize).zero_())
        });
        Embedding { weight: weight.requires_grad_(true), padding_idx }
    }
}
