//! Losses against plain f64 loops, and the shapes they refuse.

use nn::functional::{self, cross_entropy, mse_loss};
use nn::{CrossEntropyLoss, HuberLoss, NLLLoss, Reduction, SmoothL1Loss, TripletMarginLoss};
use tape::random::Generator;
use tape::{DType, Tensor};

/// Log of the softmax of one row, shifted by its maximum.
fn log_softmax(row: &[f64]) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = row.iter().map(|x| (x - max).exp()).sum::<f64>().ln() + max;
    row.iter().map(|x| x - log_sum).collect()
}

#[test]
fn cross_entropy_of_classes() {
    let (n, c) = (13, 5);
    let generator = &mut Generator::new(1);
    let logits = Tensor::randn_with(generator, [n, c], DType::F64).requires_grad_(true);
    let classes = Tensor::randint_with(generator, 0, c as i64, [n]);
    let loss = cross_entropy(&logits, &classes);
    loss.backward().unwrap();

    let (x, t) = (logits.to_vec::<f64>(), classes.to_vec::<i64>());
    let rows: Vec<Vec<f64>> = x.chunks(c).map(log_softmax).collect();
    let expected = -rows.iter().zip(&t).map(|(row, &t)| row[t as usize]).sum::<f64>() / n as f64;
    assert!((loss.item() - expected).abs() < 1e-14);
    assert_eq!(loss.dim(), 0);

    // d loss / d x[n, c] = (softmax(x[n])[c] - [c == t[n]]) / N
    let gradient = logits.grad().unwrap().to_vec::<f64>();
    for (i, row) in rows.iter().enumerate() {
        for (j, log_p) in row.iter().enumerate() {
            let hit = if t[i] as usize == j { 1.0 } else { 0.0 };
            assert!((gradient[i * c + j] - (log_p.exp() - hit) / n as f64).abs() < 1e-15);
        }
    }
}

#[test]
fn cross_entropy_of_probabilities() {
    let (n, c) = (6, 4);
    let generator = &mut Generator::new(2);
    let logits = Tensor::randn_with(generator, [n, c], DType::F64);
    let target = Tensor::rand_with(generator, [n, c], DType::F64);
    let (x, p) = (logits.to_vec::<f64>(), target.to_vec::<f64>());
    let row = |(x, p): (&[f64], &[f64])| -> f64 { log_softmax(x).iter().zip(p).map(|(l, p)| l * p).sum() };
    let expected = -x.chunks(c).zip(p.chunks(c)).map(row).sum::<f64>() / n as f64;
    assert!((cross_entropy(&logits, &target).item() - expected).abs() < 1e-14);
}

/// exp(1000) overflows; the loss does not.
#[test]
fn cross_entropy_of_large_logits_stays_finite() {
    let logits = Tensor::from([[1000.0, 0.0], [-1000.0, 0.0]]);
    assert_eq!(cross_entropy(&logits, &Tensor::from([1_i64, 1])).item(), 500.0);
    assert_eq!(cross_entropy(&logits, &Tensor::from([0_i64, 0])).item(), 500.0);
}

/// torch 2.8.0: `cross_entropy([[0.5, -1.25, 2.0], [1.0, 0.25, -0.75]], [2, 0])` in float64.
#[test]
fn cross_entropy_is_torchs() {
    let logits = Tensor::from([[0.5, -1.25, 2.0], [1.0, 0.25, -0.75]]);
    let loss = cross_entropy(&logits, &Tensor::from([2_i64, 0])).item();
    assert!((loss - 0.365_527_718_922_591_3).abs() < 1e-15);
}

#[test]
fn mean_squared_error() {
    let generator = &mut Generator::new(3);
    let a = Tensor::randn_with(generator, [4, 3], DType::F64).requires_grad_(true);
    let b = Tensor::randn_with(generator, [4, 3], DType::F64);
    let loss = mse_loss(&a, &b);
    loss.backward().unwrap();
    let difference: Vec<f64> = a.to_vec::<f64>().iter().zip(b.to_vec::<f64>()).map(|(a, b)| a - b).collect();
    let expected = difference.iter().map(|d| d * d).sum::<f64>() / 12.0;
    assert!((loss.item() - expected).abs() < 1e-14);
    let gradient = a.grad().unwrap().to_vec::<f64>();
    assert!(gradient.iter().zip(&difference).all(|(g, d)| (g - 2.0 * d / 12.0).abs() < 1e-15));
}

#[test]
fn a_target_that_broadcasts_to_the_input_is_welcome() {
    let input = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(mse_loss(&input, &Tensor::from(1.0)).item(), 3.5);
    assert_eq!(mse_loss(&input, &Tensor::from([1.0, 2.0])).item(), 2.0);
}

#[test]
#[should_panic(expected = "target size ([3]) that is different to the input size ([3, 1])")]
fn a_target_that_would_enlarge_the_input_is_refused() {
    mse_loss(&Tensor::zeros([3, 1], DType::F64), &Tensor::zeros([3], DType::F64));
}

#[test]
#[should_panic(expected = "out of bounds")]
fn a_class_out_of_range_is_refused() {
    cross_entropy(&Tensor::zeros([2, 3], DType::F32), &Tensor::from([0_i64, 3]));
}

#[test]
#[should_panic(expected = "cross_entropy")]
fn a_target_of_another_length_is_refused() {
    cross_entropy(&Tensor::zeros([2, 3], DType::F32), &Tensor::from([0_i64]));
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err(text);
    let plain = || panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = panic.downcast_ref::<String>().cloned().or_else(plain).expect("a panic with a text");
    assert!(message.contains(text), "{message}");
}

/// The texts are torch's.
#[test]
fn what_a_loss_refuses_is_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F64);
    let (x, classes) = (zeros(&[2, 3]), Tensor::from([0i64, 2]));
    panics_with("Using a target size ([3, 2]) that is different to the input size ([2, 3]) is deprecated", || {
        functional::binary_cross_entropy(&x, &zeros(&[3, 2]))
    });
    for outside in [1.5, -0.1, f64::NAN] {
        panics_with("all elements of input should be between 0 and 1", || {
            functional::binary_cross_entropy(&Tensor::from([outside]), &Tensor::from([1.0]))
        });
    }
    panics_with("Target size ([3]) must be the same as input size ([2, 3])", || {
        functional::binary_cross_entropy_with_logits(&x, &zeros(&[3]))
    });
    for loss in [functional::l1_loss, functional::smooth_l1_loss, functional::huber_loss] {
        panics_with("that is different to the input size ([3, 1])", || loss(&zeros(&[3, 1]), &zeros(&[3])));
    }
    panics_with("does not support negative values for beta", || SmoothL1Loss::new().beta(-1.0).forward(&x, &x));
    panics_with("does not support non-positive values for delta", || HuberLoss::new().delta(0.0).forward(&x, &x));
    panics_with("label_smoothing must be between 0.0 and 1.0. Got: 1.5", || {
        CrossEntropyLoss::new().label_smoothing(1.5).forward(&x, &classes)
    });
    panics_with("ignore_index is not supported for floating point target", || {
        CrossEntropyLoss::new().ignore_index(1).forward(&x, &x)
    });
    panics_with("defined either for all 3 classes or no classes but got weight tensor of shape: [2]", || {
        NLLLoss::new().weight(&zeros(&[2])).forward(&x, &classes)
    });
    let summed = || CrossEntropyLoss::new().reduction(Reduction::Sum);
    panics_with("Target 3 is out of bounds.", || summed().forward(&x, &Tensor::from([0i64, 3])));
    panics_with("Target -1 is out of bounds.", || summed().forward(&x, &Tensor::from([0i64, -1])));
    panics_with("Expected input batch_size (2) to match target batch_size (1).", || {
        summed().forward(&x, &Tensor::from([0i64]))
    });
    panics_with("Expected target size [2, 4], got [2, 5]", || {
        summed().forward(&zeros(&[2, 3, 4]), &Tensor::zeros([2, 5], DType::I64))
    });
    panics_with("expected scalar type Long but found float64", || summed().forward(&x, &zeros(&[2])));
    panics_with("Expected floating point type for target with class probabilities, got int64", || {
        summed().forward(&x, &Tensor::zeros([2, 3], DType::I64))
    });
    panics_with("var has negative entry/entries", || functional::gaussian_nll_loss(&x, &x, -1.0));
    panics_with("var is of incorrect size", || functional::gaussian_nll_loss(&x, &x, &zeros(&[3])));
    panics_with("0D or 1D target tensor expected", || functional::cosine_embedding_loss(&x, &x, &x));
    panics_with("1D target tensor expects 2D input tensors, but found inputs with sizes [3]", || {
        functional::cosine_embedding_loss(&zeros(&[3]), &zeros(&[3]), &zeros(&[3]))
    });
    panics_with("All input tensors should have same dimension", || {
        functional::margin_ranking_loss(&x, &x, &zeros(&[3]))
    });
    panics_with("expected to have the same number of dimensions", || {
        functional::triplet_margin_loss(&x, &x, &zeros(&[3]))
    });
    panics_with("margin must be greater than 0, got 0", || TripletMarginLoss::new().margin(0.0).forward(&x, &x, &x));
}

/// torch's text for a class number that is ignored by default elsewhere.
#[test]
fn only_the_given_class_number_is_ignored() {
    let x = Tensor::zeros([2, 3], DType::F64);
    panics_with("Target -100 is out of bounds.", || {
        NLLLoss::new().ignore_index(0).forward(&x, &Tensor::from([0i64, -100]))
    });
}
