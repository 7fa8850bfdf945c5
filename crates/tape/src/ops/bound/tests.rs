use crate::{DType, Tensor};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[track_caller]
fn assert_same(found: &Tensor, expected: &[f64]) {
    let found = found.to_vec::<f64>();
    let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(same), "{found:?}, not {expected:?}");
}

/// The gradients of the sum of `f` with respect to all inputs, recorded or not.
fn gradients(inputs: &[&[f64]], create_graph: bool, f: impl Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
    let inputs: Vec<Tensor> = inputs.iter().map(|&x| Tensor::from(x).requires_grad_(true)).collect();
    let refs: Vec<&Tensor> = inputs.iter().collect();
    crate::grad(f(&inputs).sum(), &refs[..]).create_graph(create_graph).compute().unwrap()
}

// Expected values are torch's.

#[test]
fn the_gradient_of_clamp_is_one_at_both_limits() {
    let x: &[f64] = &[0.0, 1.0, -1.0, 2.0, NAN, 0.5, -0.0];
    for create_graph in [false, true] {
        let of = |f: &dyn Fn(&Tensor) -> Tensor| gradients(&[x], create_graph, |x| f(&x[0])).remove(0);
        assert_same(&of(&|x| x.clamp(0, 1)), &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_same(&of(&|x| x.clamp(1.0, 0.0)), &[0.0; 7]);
        assert_same(&of(&|x| x.clamp(0.0, None)), &[1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
        assert_same(&of(&|x| x.clamp_max(0.5)), &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_same(&of(&|x| x.clamp(NAN, None)), &[0.0; 7]);
    }
}

#[test]
fn the_upper_limit_of_clamp_wins_and_nan_stays() {
    let x = Tensor::from([-1.0, 0.5, 2.0, NAN, INF]);
    assert_same(&x.clamp(0.0, 1.0), &[0.0, 0.5, 1.0, NAN, 1.0]);
    assert_same(&x.clamp(1.0, 0.0), &[0.0, 0.0, 0.0, NAN, 0.0]);
    assert_same(&x.clamp(NAN, 1.0), &[NAN; 5]);
    assert_same(&x.clamp(Some(0.75), None), &[0.75, 0.75, 2.0, NAN, INF]);
    assert!(Tensor::from([-0.0]).clamp(0.0, 1.0).item().is_sign_negative());
}

#[test]
fn tensors_as_limits_get_what_was_moved_to_them() {
    let x: &[f64] = &[-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 2.0, NAN, 1.0, 1.0, 1.0];
    let low: &[f64] = &[1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, NAN, 0.0, 3.0];
    let high: &[f64] = &[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 2.0, 2.0, NAN, 3.0];
    let y = Tensor::from(x).clamp(Tensor::from(low), Tensor::from(high));
    assert_same(&y, &[1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 1.0, 1.0, NAN, NAN, NAN, 3.0]);
    let found = gradients(&[x, low, high], false, |x| x[0].clamp(&x[1], &x[2]));
    assert_same(&found[0], &[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_same(&found[1], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_same(&found[2], &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn one_tensor_as_limit() {
    let (x, limit): (&[f64], &[f64]) = (&[1.0, 2.0, 0.0, NAN, 1.0], &[1.0, 1.0, 1.0, 1.0, NAN]);
    let found = gradients(&[x, limit], false, |x| x[0].clamp_min(&x[1]));
    assert_same(&found[0], &[1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_same(&found[1], &[0.0, 0.0, 1.0, 0.0, 0.0]);
    let found = gradients(&[x, limit], false, |x| x[0].clamp(None, &x[1]));
    assert_same(&found[0], &[1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_same(&found[1], &[0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_same(&Tensor::from(x).clamp_max(Tensor::from(limit)), &[1.0, 1.0, 0.0, NAN, NAN]);
}

#[test]
fn clamp_promotes_like_arithmetic() {
    let x = Tensor::from([1i64, -2, 3]);
    assert_eq!(x.clamp(0, 2).to_vec::<i64>(), [1, 0, 2]);
    assert_eq!(x.clamp(0.5, 2).to_vec::<f32>(), [1.0, 0.5, 2.0]);
    assert_eq!(x.clamp(Tensor::from([0.5f32]), 2).to_vec::<f32>(), [1.0, 0.5, 2.0]);
    assert_eq!(Tensor::from([2.0f32]).clamp(0.0, 1.5).dtype(), DType::F32);
    assert_eq!(Tensor::from([true]).clamp(2, 3).to_vec::<i64>(), [2]);
}

#[test]
#[should_panic(expected = "clamp: At least one of 'min' or 'max' must not be None")]
fn clamp_needs_a_limit() {
    Tensor::from([1.0]).clamp(None, None);
}

#[test]
fn equal_operands_share_the_gradient_and_nan_gets_it_twice() {
    let (a, b): (&[f64], &[f64]) = (&[1.0, 2.0, NAN, 1.0, 3.0], &[1.0, 1.0, 1.0, NAN, 4.0]);
    for create_graph in [false, true] {
        let found = gradients(&[a, b], create_graph, |x| x[0].maximum(&x[1]));
        assert_same(&found[0], &[0.5, 1.0, 1.0, 1.0, 0.0]);
        assert_same(&found[1], &[0.5, 0.0, 1.0, 1.0, 1.0]);
        let found = gradients(&[a, b], create_graph, |x| x[0].minimum(&x[1]));
        assert_same(&found[0], &[0.5, 0.0, 1.0, 1.0, 1.0]);
        assert_same(&found[1], &[0.5, 1.0, 1.0, 1.0, 0.0]);
    }
    assert_same(&Tensor::from(a).maximum(&Tensor::from(b)), &[1.0, 2.0, NAN, NAN, 4.0]);
    assert_same(&Tensor::from(a).minimum(&Tensor::from(b)), &[1.0, 1.0, NAN, NAN, 3.0]);
}

#[test]
fn fmax_and_fmin_prefer_numbers_and_the_first_of_equals() {
    let (a, b): (&[f64], &[f64]) = (&[1.0, 2.0, NAN, 1.0, NAN, 0.0], &[1.0, 1.0, 1.0, NAN, NAN, 1.0]);
    let found = gradients(&[a, b], false, |x| x[0].fmax(&x[1]));
    assert_same(&found[0], &[1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    assert_same(&found[1], &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let found = gradients(&[a, b], false, |x| x[0].fmin(&x[1]));
    assert_same(&found[0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_same(&found[1], &[0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_same(&Tensor::from(a).fmax(&Tensor::from(b)), &[1.0, 2.0, 1.0, 1.0, NAN, 1.0]);
    assert_same(&Tensor::from(a).fmin(&Tensor::from(b)), &[1.0, 1.0, 1.0, 1.0, NAN, 0.0]);
}

#[test]
fn pairs_of_other_dtypes() {
    let (a, b) = (Tensor::from([1i64, 5]), Tensor::from([2i64, 3]));
    assert_eq!(a.maximum(&b).to_vec::<i64>(), [2, 5]);
    assert_eq!(a.fmin(&b).to_vec::<i64>(), [1, 3]);
    assert_eq!(a.minimum(&Tensor::from([1.5, 4.0])).to_vec::<f64>(), [1.0, 4.0]);
    let truth = Tensor::from([true, false]);
    assert_eq!(truth.maximum(&Tensor::from(false)).to_vec::<bool>(), [true, false]);
    assert_eq!(truth.minimum(&Tensor::from(false)).to_vec::<bool>(), [false, false]);
}

#[test]
#[should_panic(expected = "maximum: The size of tensor a (2) must match the size of tensor b (3)")]
fn shapes_must_broadcast() {
    Tensor::from([1.0, 2.0]).maximum(&Tensor::from([1.0, 2.0, 3.0]));
}

#[test]
fn numbers_are_chosen_like_tensors_without_dimensions() {
    // torch: x.maximum(torch.tensor(1.0)) and so on.
    let x: &[f64] = &[0.0, 1.0, 2.0, NAN];
    let call = |f: &dyn Fn(&Tensor) -> Tensor| {
        let x = Tensor::from(x).requires_grad_(true);
        let y = f(&x);
        let gradient = crate::grad(y.sum(), &x).compute().unwrap().remove(0);
        (y, gradient)
    };
    type Case<'a> = (&'a dyn Fn(&Tensor) -> Tensor, [f64; 4], [f64; 4]);
    let cases: [Case<'_>; 4] = [
        (&|x| x.maximum(1.0), [1.0, 1.0, 2.0, NAN], [0.0, 0.5, 1.0, 1.0]),
        (&|x| x.minimum(1), [0.0, 1.0, 1.0, NAN], [1.0, 0.5, 0.0, 1.0]),
        (&|x| x.fmax(1.0), [1.0, 1.0, 2.0, 1.0], [0.0, 1.0, 1.0, 0.0]),
        (&|x| x.fmin(1.0f32), [0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]),
    ];
    for (f, expected, of_x) in cases {
        let (y, gradient) = call(f);
        assert_same(&y, &expected);
        assert_same(&gradient, &of_x);
    }
    // A number widens the category of the dtype, never its precision.
    assert_eq!(Tensor::from([1.0f32]).maximum(2.0).dtype(), DType::F32);
    assert_eq!(Tensor::from([1i64, 3]).maximum(2).to_vec::<i64>(), [2, 3]);
    assert_eq!(Tensor::from([1i64, 3]).minimum(1.5).to_vec::<f32>(), [1.0, 1.5]);
    assert_eq!(Tensor::from([1.0]).maximum(Tensor::from([2.0])).item(), 2.0);
}
