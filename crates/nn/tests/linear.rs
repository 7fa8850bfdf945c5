//! The affine map and its gradients against plain loops, and the inputs it refuses.

use nn::{Linear, Module};
use tape::{DType, Tensor};

/// `y[n, o] = b[o] + sum_i x[n, i] w[o, i]`.
fn naive(x: &[f64], w: &[f64], b: &[f64], inputs: usize) -> Vec<f64> {
    let row = |x: &[f64]| -> Vec<f64> {
        w.chunks(inputs).zip(b).map(|(w, b)| b + x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>()).collect()
    };
    x.chunks(inputs).flat_map(row).collect()
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * (1.0 + b.abs()))
}

#[test]
fn forward_is_the_affine_map_for_any_batch_dimensions() {
    let layer = Linear::builder(5, 3).dtype(DType::F64).build();
    let (w, b) = (layer.weight.to_vec::<f64>(), layer.bias.as_ref().unwrap().to_vec::<f64>());
    for batch in [&[][..], &[1], &[7], &[2, 4], &[2, 1, 3], &[0], &[2, 0]] {
        let shape = [batch, &[5]].concat();
        let x = Tensor::randn(shape, DType::F64);
        let y = layer.forward(&x);
        assert_eq!(y.shape(), [batch, &[3]].concat());
        assert!(close(&y.to_vec::<f64>(), &naive(&x.to_vec::<f64>(), &w, &b, 5)), "batch {batch:?}");
    }
    let transposed = Tensor::randn([5, 4], DType::F64).t();
    let expected = naive(&transposed.to_vec::<f64>(), &w, &b, 5);
    assert!(close(&layer.forward(&transposed).to_vec::<f64>(), &expected));
    let plain = Linear::from_tensors(layer.weight.clone(), None);
    assert!(close(&plain.forward(&transposed).to_vec::<f64>(), &naive(&transposed.to_vec::<f64>(), &w, &[0.0; 3], 5)));
}

/// With `L = sum(y)`: `dL/dw[o, i] = sum_n x[n, i]`, `dL/db[o] = N`, `dL/dx[n, i] = sum_o w[o, i]`.
#[test]
fn gradients_of_the_sum_are_column_sums() {
    let layer = Linear::builder(2, 3).dtype(DType::F64).build();
    let x = Tensor::from([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5], [0.0, 4.0]]).requires_grad_(true);
    layer.forward(&x).sum().backward().unwrap();
    let gradient = |p: &Tensor| p.grad().unwrap().to_vec::<f64>();
    assert_eq!(gradient(&layer.weight), [3.0, 11.5, 3.0, 11.5, 3.0, 11.5]);
    assert_eq!(gradient(layer.bias.as_ref().unwrap()), [4.0; 3]);
    let w = layer.weight.to_vec::<f64>();
    let columns = [w[0] + w[2] + w[4], w[1] + w[3] + w[5]];
    assert!(close(&gradient(&x), &columns.repeat(4)));
    layer.zero_grad();
    assert!(layer.parameters().iter().all(|p| p.grad().is_none()));
}

#[test]
#[should_panic(expected = "in_features = 3, but the input has shape [2, 4]")]
fn a_wrong_width_is_refused() {
    Linear::new(3, 1).forward(&Tensor::zeros([2, 4], DType::F32));
}

#[test]
#[should_panic(expected = "the input is float64 but the weight is float32")]
fn a_wrong_dtype_is_refused() {
    Linear::new(3, 1).forward(&Tensor::zeros([2, 3], DType::F64));
}

#[test]
#[should_panic(expected = "takes a bias of shape [2]")]
fn a_bias_of_the_wrong_size_is_refused() {
    Linear::from_tensors(Tensor::zeros([2, 3], DType::F32), Some(Tensor::zeros([3], DType::F32)));
}
