use crate::op::{Sample, spread};
use crate::{DType, Tensor, grad, gradcheck, gradgradcheck};

pub(super) fn samples() -> Vec<Sample> {
    let three =
        |x: &[usize], weight: &[usize]| [spread(x, -1.0, 1.0), spread(weight, 0.5, 1.5), spread(weight, -1.0, 1.0)];
    vec![
        Sample::new(three(&[2, 3, 4], &[4]), |x| x[0].layer_norm(4, Some(&x[1]), Some(&x[2]), 1e-2)),
        Sample::new(three(&[2, 2, 3], &[2, 3]), |x| x[0].layer_norm([2, 3], Some(&x[1]), None, 1e-2).pow(2.0)),
        Sample::new(three(&[3, 4], &[3]), |x| x[0].t().layer_norm(3, None, Some(&x[2]), 1e-2).sin()),
        Sample::new([spread(&[5], -1.0, 1.0)], |x| x[0].layer_norm(5, None, None, 1e-2).pow(2.0)),
        Sample::new(three(&[3, 2, 2], &[2]), |x| {
            x[0].batch_norm(None, None, Some(&x[1]), Some(&x[2]), true, 0.1, 1e-2).pow(2.0)
        }),
        Sample::new(three(&[4, 2], &[2]), |x| {
            x[0].batch_norm(None, None, Some(&x[1]), Some(&x[2]), true, 0.1, 1e-2).sin()
        }),
        Sample::new([spread(&[0, 3], -1.0, 1.0)], |x| x[0].layer_norm(3, None, None, 1e-5)),
    ]
}

type Function<'a> = &'a dyn Fn(&[Tensor]) -> Tensor;

#[test]
fn composites_have_derivatives_of_both_orders() {
    let running = (spread(&[4], -0.5, 0.5), spread(&[4], 0.5, 1.5));
    let normalisations: [Function<'_>; 4] = [
        &|x| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), 1e-2).pow(2.0),
        &|x| x[0].instance_norm(Some(&x[1]), None, 1e-2).pow(2.0),
        &|x| x[0].transpose(1, 2).rms_norm(4, Some(&x[1]), 1e-2).pow(2.0),
        &|x| {
            let (mean, variance) = (Some(&running.0), Some(&running.1));
            x[0].batch_norm(mean, variance, Some(&x[1]), Some(&x[2]), false, 0.1, 1e-2).pow(2.0)
        },
    ];
    for normalisation in normalisations {
        let (x, weight, bias) = (spread(&[2, 4, 3], -1.0, 1.0), spread(&[4], 0.5, 1.5), spread(&[4], -1.0, 1.0));
        gradcheck(normalisation, &[&x, &weight, &bias]).unwrap();
        gradgradcheck(normalisation, &[&x, &weight, &bias]).unwrap();
    }
}

fn close(actual: &Tensor, expected: &[f64], tolerance: f64) {
    let actual = actual.double().to_vec::<f64>();
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{actual:?} {expected:?}");
    }
}

/// The definition over `[outer, groups, inner]`, in tensor operations.
fn naive(x: &Tensor, eps: f64) -> Tensor {
    let mean = x.mean_dim([0, 2], true);
    let variance = (x - &mean).square().mean_dim([0, 2], true);
    (x - mean) / (variance + eps).sqrt()
}

#[test]
fn groups_are_standardised_in_every_layout_and_size() {
    for (outer, groups, inner) in
        [(1, 3, 5), (4, 3, 1), (3, 2, 17), (1, 300, 130), (50, 7, 121), (2, 3, 64), (1, 2, 40000)]
    {
        let x = spread(&[outer, groups, inner], 9.0, 12.0);
        let expected = naive(&x, 1e-5).to_vec::<f64>();
        let batch = x.batch_norm(None, None, None, None, true, 0.1, 1e-5);
        close(&batch, &expected, 1e-11);
        close(&x.float().batch_norm(None, None, None, None, true, 0.1, 1e-5), &expected, 1e-4);
        if outer == 1 {
            close(&x.layer_norm(inner, None, None, 1e-5), &expected, 1e-11);
            close(&x.group_norm(groups, None, None, 1e-5), &expected, 1e-11);
            close(&x.instance_norm(None, None, 1e-5), &expected, 1e-11);
        }
    }
}

/// The gradients without a graph are computed in other ways than those with one.
#[test]
fn fused_gradients_are_those_of_the_formula() {
    for (outer, groups, inner) in [(1, 3, 5), (3, 2, 17), (1, 300, 130), (50, 7, 121), (9, 4, 1)] {
        let x = spread(&[outer, groups, inner], 1.0, 3.0).requires_grad_(true);
        let affine = |len: usize| {
            (spread(&[len], 0.5, 1.5).requires_grad_(true), spread(&[len], -1.0, 1.0).requires_grad_(true))
        };
        let ((w, b), (v, c)) = (affine(inner), affine(groups));
        let layer = x.layer_norm(inner, Some(&w), Some(&b), 1e-3);
        let batch = x.batch_norm(None, None, Some(&v), Some(&c), true, 0.1, 1e-3);
        for (out, inputs) in [(layer, [&x, &w, &b]), (batch, [&x, &v, &c])] {
            let direction = spread(out.sizes(), -1.0, 1.0);
            let gradients = |graph: bool, inputs: &[&Tensor]| {
                grad(&out, inputs).grad_outputs(&direction).retain_graph(true).create_graph(graph).compute().unwrap()
            };
            let expected = gradients(true, &inputs);
            for (fused, formula) in gradients(false, &inputs).iter().zip(&expected) {
                close(fused, &formula.to_vec::<f64>(), 1e-10);
            }
            let only = gradients(false, &inputs[..1]);
            close(&only[0], &expected[0].to_vec::<f64>(), 1e-10);
        }
    }
}

/// torch 2.8.0: `batch_norm(x, mean, var, training=True, momentum=0.1)` of `arange(12).reshape(3, 2, 2)`,
/// mean zeros and variance ones, and then in evaluation.
#[test]
fn running_statistics_move_as_torchs() {
    let x = Tensor::arange(0.0, 12.0, 1.0).reshape([3, 2, 2]);
    let (mean, variance) = (Tensor::zeros(2, DType::F32), Tensor::ones(2, DType::F32));
    let y = x.float().batch_norm(Some(&mean), Some(&variance), None, None, true, 0.1, 1e-5);
    close(&mean, &[0.45, 0.65], 1e-6);
    close(&variance, &[2.21, 2.21], 1e-6);
    close(&y.select(1, 0), &naive(&x, 1e-5).select(1, 0).to_vec::<f64>(), 1e-6);
    assert_eq!((mean.version(), variance.version()), (1, 1));
    let y = x.float().batch_norm(Some(&mean), Some(&variance), None, None, false, 0.1, 1e-5);
    let expected = (x.select(1, 1) - 0.65) / (2.21f64 + 1e-5).sqrt();
    close(&y.select(1, 1), &expected.to_vec::<f64>(), 1e-6);
}

#[test]
fn an_offset_costs_no_digits() {
    let x = spread(&[4, 64], -1.0, 1.0);
    let far = (&x + 1000.0).float();
    let expected = naive(&far.double().unsqueeze(0), 1e-5).to_vec::<f64>();
    close(&far.layer_norm(64, None, None, 1e-5), &expected, 1e-4);
    // A constant row is zero, and infinities do not stay alone.
    assert_eq!(Tensor::full([1, 3], 7.0, DType::F32).layer_norm(3, None, None, 1e-5).to_vec::<f32>(), [0.0; 3]);
    let infinite = Tensor::from([1.0, f64::INFINITY]).layer_norm(2, None, None, 1e-5).to_vec::<f64>();
    assert!(infinite.iter().all(|x| x.is_nan()));
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn calls_that_do_not_fit_are_named() {
    let x = spread(&[1, 4, 1], -1.0, 1.0);
    panics_with("Given normalized_shape=[5], expected input with shape", || x.layer_norm(5, None, None, 1e-5));
    panics_with("Expected weight to be of shape [1], but got weight of shape [4]", || {
        x.layer_norm(1, Some(&spread(&[4], 0.0, 1.0)), None, 1e-5)
    });
    panics_with("divisible by num_groups", || x.group_norm(3, None, None, 1e-5));
    panics_with("Expected more than 1 spatial element when training", || x.instance_norm(None, None, 1e-5));
    panics_with("Expected more than 1 value per channel when training, got input size [1, 4, 1]", || {
        x.batch_norm(None, None, None, None, true, 0.1, 1e-5)
    });
    panics_with("Expected running_mean and running_var to be defined when training=False", || {
        x.batch_norm(None, None, None, None, false, 0.1, 1e-5)
    });
    panics_with("running_mean should contain 4 elements not 2", || {
        x.batch_norm(Some(&spread(&[2], 0.0, 1.0)), None, None, None, true, 0.1, 1e-5)
    });
    panics_with("not implemented for dtype int64", || Tensor::from([1i64, 2]).layer_norm(2, None, None, 1e-5));
}
