use crate::op::spread;
use crate::{DType, Indexing, Tensor, gradcheck, gradgradcheck};

fn index(x: &Tensor) -> Vec<i64> {
    x.to_vec::<i64>()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32)
}

fn panics_with(text: &str, call: impl FnOnce()) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let plain = panic.downcast_ref::<&str>().map(|text| text.to_string());
    let message = panic.downcast_ref::<String>().cloned().or(plain).unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn moved_and_split_dimensions_are_torchs() {
    assert_eq!(zeros(&[2, 3, 4, 5]).movedim([0, 1], [-1, 0]).sizes(), [3, 4, 5, 2]);
    let x = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
    assert_eq!(index(&x.movedim(2, 0)), index(&x.permute([2, 0, 1])));
    assert_eq!(x.movedim((), ()).sizes(), [2, 3, 4]);
    assert_eq!(Tensor::from(1.0).movedim(0, 0).sizes(), [0usize; 0]);
    assert_eq!(zeros(&[3, 0]).unflatten(1, [2, 0]).sizes(), [3, 2, 0]);
    assert_eq!(index(&x.mt().unflatten(0, [1, 2]).ravel()), index(&x.mt()));
    assert_eq!(index(&x.mt()), index(&x.transpose(2, 1)));
    panics_with("dim 0 appears multiple times", || drop(x.movedim([0, 0], [0, 1])));
    panics_with("source ([0] dims) should contain the same", || drop(x.movedim(0, [0, 1])));
    panics_with("Provided sizes [3, -1] don't multiply up to the size of dim 2 (4)", || drop(x.unflatten(2, [3, -1])));
    panics_with("only one dimension can be inferred", || drop(x.unflatten(2, [-1, -1])));
    panics_with("sizes must be non-empty", || drop(x.unflatten(2, ())));
    panics_with("Got 1-D tensor", || drop(zeros(&[3]).mt()));
}

#[test]
fn pieces_are_torchs() {
    let x = Tensor::arange(0, 12, 1).reshape([3, 4]);
    let widths = |parts: Vec<Tensor>| parts.iter().map(|part| part.sizes()[1]).collect::<Vec<_>>();
    // torch.arange(12).reshape(3, 4).tensor_split(..., 1)
    assert_eq!(widths(x.tensor_split(3, 1)), [2, 1, 1]);
    assert_eq!(widths(x.tensor_split(6, -1)), [1, 1, 1, 1, 0, 0]);
    assert_eq!(widths(x.tensor_split_at([1, -1, 9, 2], 1)), [1, 2, 1, 0, 2]);
    assert_eq!(widths(x.tensor_split_at((), 1)), [4]);
    assert_eq!(index(&x.tensor_split(3, 1)[1]), [2, 6, 10]);
    panics_with("number of sections must be larger than 0, got 0", || drop(x.tensor_split(0, 0)));
    panics_with("got a tensor with 0 dims", || drop(Tensor::from(1.0).tensor_split(1, 0)));
}

#[test]
fn stacks_are_torchs() {
    let (number, vector) = (Tensor::from(9i64), Tensor::arange(0, 3, 1));
    assert_eq!(index(&Tensor::hstack([&number, &vector])), [9, 0, 1, 2]);
    assert_eq!(index(&Tensor::vstack([&vector, &vector])), [0, 1, 2, 0, 1, 2]);
    assert_eq!(index(&Tensor::dstack([&vector, &vector])), [0, 0, 1, 1, 2, 2]);
    let matrix = Tensor::arange(0, 6, 1).reshape([3, 2]);
    assert_eq!(index(&Tensor::column_stack([&vector, &matrix])), [0, 0, 1, 1, 2, 3, 2, 4, 5]);
    panics_with("same number of dimensions: got 2 and 1", || drop(Tensor::hstack([&matrix, &vector])));
}

#[test]
fn grids_are_views() {
    let (x, y) = (Tensor::arange(0, 3, 1), Tensor::arange(0, 2, 1));
    let strides = |grid: Vec<Tensor>| grid.iter().map(|x| x.stride().to_vec()).collect::<Vec<_>>();
    assert_eq!(strides(Tensor::meshgrid([&x, &y, &x], Indexing::Xy)), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]);
    assert_eq!(strides(Tensor::meshgrid([&x, &y], Indexing::Ij)), [[1, 0], [0, 1]]);
    assert_eq!(Tensor::meshgrid([&x], Indexing::Xy)[0].sizes(), [3]);
    assert_eq!(Tensor::meshgrid([&x, &Tensor::from(1i64)], Indexing::Xy)[1].sizes(), [1, 3]);
    assert_eq!(index(&Tensor::cartesian_prod([&x, &y])), [0, 0, 0, 1, 1, 0, 1, 1, 2, 0, 2, 1]);
    assert_eq!(Tensor::cartesian_prod([&x]).sizes(), [3]);
    panics_with("same dtype", || drop(Tensor::meshgrid([&x, &y.double()], Indexing::Ij)));
    panics_with("non-empty TensorList", || drop(Tensor::meshgrid(Vec::<Tensor>::new(), Indexing::Ij)));
    panics_with("Expect a 1D vector, but got shape []", || drop(Tensor::cartesian_prod([&Tensor::from(1.0)])));
}

#[test]
fn blocks_are_torchs() {
    // torch.block_diag(torch.tensor(3), torch.arange(3.), torch.zeros(2, 0), torch.ones(2, 2))
    let blocks =
        [Tensor::from(3.0), Tensor::from([0.0, 1.0, 2.0]), zeros(&[2, 0]).double(), Tensor::from([[1.0; 2]; 2])];
    let whole = Tensor::block_diag(blocks);
    assert_eq!(whole.sizes(), [6, 6]);
    let mut expected = vec![0.0; 36];
    for (at, value) in [(0, 3.0), (8, 1.0), (9, 2.0), (28, 1.0), (29, 1.0), (34, 1.0), (35, 1.0)] {
        expected[at] = value;
    }
    assert_eq!(whole.to_vec::<f64>(), expected);
    assert_eq!(Tensor::block_diag(Vec::<Tensor>::new()).sizes(), [1, 0]);
    panics_with("Input 0 has 3 dimensions", || drop(Tensor::block_diag([zeros(&[1, 1, 1])])));
}

#[test]
fn arrangements_have_the_derivatives_they_claim() {
    let (x, v) = (spread(&[2, 3, 2], -1.0, 1.0), spread(&[3], -0.9, 0.9));
    let check = |call: fn(&[Tensor]) -> Tensor| {
        gradcheck(call, &[&x, &v]).unwrap();
        gradgradcheck(call, &[&x, &v]).unwrap();
    };
    check(|x| x[0].movedim(0, 2).square() * x[1].unsqueeze(1).unsqueeze(1));
    check(|x| x[0].unflatten(1, [3, 1]).square().mt() * x[0].ravel().sum());
    check(|x| Tensor::block_diag([x[0].select(0, 1), x[1].clone()]).square());
    check(|x| Tensor::cartesian_prod([&x[1], &x[0].ravel()]).square());
    check(|x| Tensor::meshgrid([&x[1], &x[0].ravel()], Indexing::Xy)[0].square());
    check(|x| Tensor::hstack([x[0].square(), x[0].clone()]) * Tensor::dstack([&x[1]]).sum());
    check(|x| Tensor::column_stack([&x[1].square(), &x[1]]) * x[0].tensor_split(2, 1)[0].sum());
    check(|x| Tensor::broadcast_tensors([&x[1].unsqueeze(1), &x[0]])[0].square());
}
