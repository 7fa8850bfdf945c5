use crate::op::spread;
use crate::{DType, Tensor, gradcheck, gradgradcheck};

fn close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.sizes(), expected.sizes());
    assert!(found.allclose(expected, 1e-12, 1e-14), "{found} against {expected}");
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32)
}

#[test]
fn contractions_are_sums_of_broadcast_products() {
    let (a, b) = (spread(&[2, 3, 4], -1.0, 1.0), spread(&[4, 3, 5], -0.9, 0.9));
    let broadcast = a.reshape([2, 3, 4, 1]).mul(b.transpose(0, 1).reshape([1, 3, 4, 5]));
    close(&a.tensordot(&b, [1, 2], [1, 0]), &broadcast.sum_dim([1, 2], false));
    close(&a.tensordot(&b, [-1], [0]), &a.tensordot_last(&b, 1));
    close(&a.tensordot_last(&b, 0), &a.reshape([2, 3, 4, 1, 1, 1]).mul(&b));
    let (single, three) = (spread(&[2, 1], -1.0, 1.0), spread(&[3, 2], -1.0, 1.0));
    close(&single.tensordot(&three, [1], [0]), &single.matmul(&three.sum_dim(0, true)));
    close(&a.inner(&b.transpose(0, 2)), &a.tensordot(&b, 2, 0).transpose(2, 3));
    close(&a.inner(&Tensor::from(2.0)), &(&a * 2.0));
    panics_with("first has size 4 in dim 1 and second has size 3 in dim 0", || {
        zeros(&[2, 4]).tensordot(&zeros(&[3, 2]), 1, 0)
    });
    panics_with("both dimension lists should have same length", || {
        zeros(&[2, 4]).tensordot(&zeros(&[4, 2]), 0, [0, 1])
    });
    panics_with("dim 0 appears multiple times", || zeros(&[2, 2]).tensordot(&zeros(&[2, 2]), [0, 0], [0, 1]));
    panics_with("but got dims=5", || zeros(&[2, 4]).tensordot_last(&zeros(&[4, 2]), 5));
    panics_with("same dtype", || zeros(&[2, 4]).tensordot_last(&zeros(&[4]).double(), 1));
    panics_with("got shapes [2, 3] and [4, 2]", || zeros(&[2, 3]).inner(&zeros(&[4, 2])));
}

#[test]
fn cross_products_are_perpendicular_and_broadcast() {
    let (a, b) = (spread(&[2, 3, 4], -1.0, 1.0), spread(&[1, 3, 4], -0.9, 0.9));
    let c = a.cross(&b, 1);
    assert_eq!(c.sizes(), [2, 3, 4]);
    close(&c.vecdot(&a, 1), &Tensor::zeros([2, 4], DType::F64));
    close(&c.vecdot(&b, 1), &Tensor::zeros([2, 4], DType::F64));
    // torch.linalg.cross(tensor([1., 2., 3.]), tensor([4., 5., 7.]))
    let product = Tensor::from([1.0, 2.0, 3.0]).cross(&Tensor::from([4.0, 5.0, 7.0]), 0);
    assert_eq!(product.to_vec::<f64>(), [-1.0, 5.0, -3.0]);
    assert_eq!(Tensor::from([1i64, 2, 3]).cross(&Tensor::from([4i64, 5, 7]), 0).to_vec::<i64>(), [-1, 5, -3]);
    panics_with("inputs dimension -1 must have length 3. Got 2 and 2", || zeros(&[2, 2]).cross(&zeros(&[2, 2]), -1));
    panics_with("same number of dimensions", || zeros(&[3]).cross(&zeros(&[2, 3]), -1));
    panics_with("same floating point dtype", || zeros(&[3]).vecdot(&zeros(&[3]).double(), -1));
}

#[test]
fn kronecker_products_are_blocks() {
    let (a, b) = (spread(&[2, 3], -1.0, 1.0), spread(&[2, 2], -0.9, 0.9));
    let row = |i: usize| Tensor::hstack((0..3).map(|j| &b * a.i((i, j)).item()).collect::<Vec<_>>());
    close(&a.kron(&b), &Tensor::vstack([row(0), row(1)]));
    assert_eq!(zeros(&[2]).kron(&zeros(&[2, 3])).sizes(), [2, 6]);
    assert_eq!(Tensor::from(2.0).kron(&b).sizes(), [2, 2]);
    assert_eq!(Tensor::from([2i64]).kron(&zeros(&[2])).dtype(), DType::F32);
}

#[test]
fn powers_are_repeated_products() {
    let x = spread(&[2, 3, 3], -1.0, 1.0);
    let mut expected = Tensor::eye(3, DType::F64).expand([2, 3, 3]).copy();
    for n in 0..8 {
        close(&x.matrix_power(n), &expected);
        expected = expected.matmul(&x);
    }
    let ones = Tensor::ones([2, 2], DType::I64);
    assert_eq!(ones.matrix_power(3).to_vec::<i64>(), [4; 4]);
    let copy = ones.matrix_power(1);
    copy.fill_(0);
    assert_eq!(ones.to_vec::<i64>(), [1; 4]);
    panics_with("they are 2 by 3 matrices", || zeros(&[2, 3]).matrix_power(2));
    panics_with("must have at least 2 dimensions", || zeros(&[2]).matrix_power(2));
}

#[test]
fn chains_do_not_depend_on_their_order() {
    let sides = [4, 7, 2, 9, 3, 5];
    let chain: Vec<Tensor> = sides.windows(2).map(|pair| spread(&[pair[0], pair[1]], -1.0, 1.0)).collect();
    let direct = chain[1..].iter().fold(chain[0].clone(), |product, x| product.matmul(x));
    close(&Tensor::multi_dot(chain.clone()), &direct);
    let (row, column) = (chain[0].i(0), chain[4].i((.., 0)));
    let ends = [&row, &chain[1], &chain[2], &chain[3], &column];
    close(&Tensor::multi_dot(ends), &direct.i((0, 0)));
    close(&Tensor::multi_dot([&row, &chain[1]]), &row.matmul(&chain[1]));
    close(&Tensor::multi_dot([&row, &row]), &row.dot(&row));
    // (30 x 1)(1 x 30)(30 x 1): splitting first costs 900 + 900, last 30 + 30.
    let thin = [zeros(&[30, 1]), zeros(&[1, 30]), zeros(&[30, 1])];
    assert_eq!(super::cheapest_splits(&thin)[0][2], 0);
    panics_with("expected at least 2 tensors but got 1", || Tensor::multi_dot([&zeros(&[2, 2])]));
    panics_with("tensor 1 must be 2D but got 1D", || {
        Tensor::multi_dot([&zeros(&[2, 2]), &zeros(&[2]), &zeros(&[2, 2])])
    });
    panics_with("tensors 0 and 1 with shapes [2, 2] and [3, 2] cannot", || {
        Tensor::multi_dot([&zeros(&[2, 2]), &zeros(&[3, 2])])
    });
}

#[test]
fn bilinear_is_an_einsum() {
    let (x1, x2) = (spread(&[2, 3, 4], -1.0, 1.0), spread(&[2, 3, 2], -0.9, 0.9));
    let (weight, bias) = (spread(&[5, 4, 2], -0.8, 0.8), spread(&[5], -1.0, 1.0));
    let expected = Tensor::einsum("...i,oij,...j->...o", [&x1, &weight, &x2]) + &bias;
    close(&Tensor::bilinear(&x1, &x2, &weight, Some(&bias)), &expected);
    let one = Tensor::bilinear(&x1.i((0, 0)), &x2.i((0, 0)), &weight, None);
    close(&(one + &bias), &expected.i((0, 0)));
    let layer = |a: &[usize], b: &[usize]| Tensor::bilinear(&zeros(a), &zeros(b), &zeros(&[6, 2, 3]), None);
    panics_with("batch dimensions do not match", || layer(&[4, 2], &[5, 3]));
    panics_with("got 4 and 3 but expected 2 and 3", || layer(&[4, 4], &[4, 3]));
    panics_with("bias size does not match", || {
        Tensor::bilinear(&zeros(&[4, 2]), &zeros(&[4, 3]), &zeros(&[6, 2, 3]), Some(&zeros(&[5])))
    });
}

#[test]
fn vandermonde_matrices_are_torchs() {
    let x = Tensor::arange(0, 3, 1);
    assert_eq!(x.vander(4, false).to_vec::<i64>(), [0, 0, 0, 1, 1, 1, 1, 1, 8, 4, 2, 1]);
    assert_eq!(Tensor::from([true, false]).vander(3, false).to_vec::<i64>(), [1, 1, 1, 0, 0, 1]);
    assert_eq!(x.vander(0, true).sizes(), [3, 0]);
    panics_with("must be a one-dimensional tensor", || zeros(&[2, 2]).vander(2, true));
}

#[test]
fn products_have_the_derivatives_they_claim() {
    let (a, b) = (spread(&[2, 3, 2], -1.0, 1.0), spread(&[2, 3], -0.9, 0.9));
    let check = |call: fn(&[Tensor]) -> Tensor| {
        gradcheck(call, &[&a, &b]).unwrap();
        gradgradcheck(call, &[&a, &b]).unwrap();
    };
    check(|x| x[0].tensordot(&x[1], [0, 1], [0, 1]));
    check(|x| x[0].inner(&x[1].t()));
    check(|x| x[0].cross(&x[1].unsqueeze(-1), 1));
    check(|x| x[0].vecdot(&x[1].unsqueeze(-1), 1));
    check(|x| x[1].kron(&x[0]).sum_dim([0, 1], false));
    check(|x| x[0].matmul(&x[1]).matrix_power(5));
    check(|x| Tensor::multi_dot([&x[1].t(), &x[0].select(2, 0), &x[1].t().select(1, 0)]));
    check(|x| Tensor::bilinear(&x[1], &x[1].square(), &x[0].matmul(&x[1]), Some(&x[0].sum())));
    check(|x| x[1].ravel().vander(4, false) * x[0].sum());
}
