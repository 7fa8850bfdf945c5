//! Distributions against the numbers of torch 2.8.0.

use nn::distributions::{Bernoulli, LogNormal, Normal};
use std::f64::consts::LN_2;
use tape::{DType, Tensor, gradcheck, gradgradcheck, manual_seed};

fn close(found: &Tensor, expected: &[f64]) {
    let found = found.double().to_vec::<f64>();
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-14 * (1.0 + b.abs()), "{found:?} against {expected:?}");
    }
}

fn parameters() -> [Tensor; 2] {
    [Tensor::from([0.3]), Tensor::from([[0.5], [2.0]])]
}

#[test]
fn normal() {
    let [loc, scale] = parameters();
    let normal = Normal::new(&loc, &scale);
    let x = Tensor::from([-1.0, 0.5, 2.0]);
    assert_eq!(normal.log_prob(&x).shape(), [2, 3]);
    close(
        &normal.log_prob(&x),
        &[
            -3.6057913526447276,
            -0.30579135264472734,
            -6.005791352644726,
            -1.823335713764618,
            -1.617085713764618,
            -1.973335713764618,
        ],
    );
    close(
        &normal.cdf(&x),
        &[
            0.004661188023718732,
            0.6554217416103242,
            0.9996630707343231,
            0.2578461108058647,
            0.539827837277029,
            0.8023374568773076,
        ],
    );
    close(
        &normal.icdf(&Tensor::from([0.1, 0.5, 0.9])),
        &[-0.3407757827723004, 0.3, 0.9407757827723005, -2.263103131089202, 0.3, 2.8631031310892014],
    );
    close(&normal.entropy(), &[0.7257913526447274, 2.112085713764618]);
}

#[test]
fn log_normal() {
    let [loc, scale] = parameters();
    let distribution = LogNormal::new(&loc, &scale);
    let x = Tensor::from([0.2, 1.0, 3.0]);
    close(
        &distribution.log_prob(&x),
        &[
            -5.908259723092017,
            -0.40579135264472743,
            -2.59996681653627,
            -0.4583919440106048,
            -1.623335713764618,
            -2.7904207008841926,
        ],
    );
    close(
        &distribution.cdf(&x),
        &[
            6.703061066060112e-05,
            0.2742531177500736,
            0.9448921719496483,
            0.16985992049280568,
            0.4403823076297575,
            0.6551661798444256,
        ],
    );
}

#[test]
fn bernoulli() {
    let coin = Bernoulli::from_logits(&Tensor::from([-1.0, 0.0, 3.0]));
    close(&coin.log_prob(&Tensor::from([0.0, 1.0, 1.0])), &[-0.3132616875182228, -LN_2, -0.04858735157374206]);
    close(&coin.entropy(), &[0.5822031088882179, LN_2, 0.19086497110644196]);
    let certain = Bernoulli::from_probs(&Tensor::from([0.0, 0.3, 1.0]));
    close(&certain.log_prob(&Tensor::from([0.0, 1.0, 0.0])), &[0.0, -1.2039728043259361, -36.04365338911715]);
    // Values and parameters broadcast.
    assert_eq!(coin.log_prob(&Tensor::ones([2, 1], DType::F64)).shape(), [2, 3]);
}

#[test]
fn draws_are_torchs_and_carry_gradients() {
    manual_seed(1);
    let loc = Tensor::from([1.0f32, 2.0]).requires_grad_(true);
    let scale = Tensor::from([0.5f32, 0.25]).requires_grad_(true);
    let draws = Normal::new(&loc, &scale).rsample([2]);
    assert_eq!(draws.to_vec::<f32>(), [1.3306761, 2.066731, 1.0308386, 2.1553292]);
    draws.sum().backward().unwrap();
    assert_eq!(loc.grad().unwrap().to_vec::<f32>(), [2.0, 2.0]);
    assert!(!Normal::new(&loc, &scale).sample([2]).requires_grad());
}

#[test]
fn likelihoods_have_derivatives_of_both_orders() {
    let [loc, scale] = parameters();
    let x = Tensor::from([0.4, 1.7]);
    for f in [
        |v: &[Tensor]| Normal::new(&v[0], &v[1]).log_prob(&v[2]),
        |v: &[Tensor]| Normal::new(&v[0], &v[1]).cdf(&v[2]),
        |v: &[Tensor]| LogNormal::new(&v[0], &v[1]).log_prob(&v[2]),
        |v: &[Tensor]| Bernoulli::from_logits(&v[0]).log_prob(&v[2].sigmoid()) * &v[1],
    ] {
        gradcheck(f, &[&loc, &scale, &x]).unwrap();
        gradgradcheck(f, &[&loc, &scale, &x]).unwrap();
    }
}
