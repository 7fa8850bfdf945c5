use super::{Call, convolve_weight, per_dim};
use crate::op::{Sample, spread};
use crate::{ConvOptions, DType, Tensor, grad, gradgradcheck};

type Method = fn(&Tensor, &Tensor, Option<&Tensor>, ConvOptions) -> Tensor;

fn sample(method: Method, x: &[usize], weight: &[usize], options: ConvOptions) -> Sample {
    let inputs = [spread(x, -1.0, 1.0), spread(weight, -0.9, 0.9)];
    Sample::new(inputs, move |x| method(&x[0], &x[1], None, options.clone()))
}

fn options() -> ConvOptions {
    ConvOptions::new()
}

pub(super) fn samples() -> Vec<Sample> {
    let biased = [spread(&[2, 2, 4], -1.0, 1.0), spread(&[3, 2, 2], -0.9, 0.9), spread(&[3], -0.8, 0.8)];
    vec![
        Sample::new(biased, |x| x[0].conv1d(&x[1], Some(&x[2]), options().padding(1))),
        sample(Tensor::conv1d, &[1, 6], &[1, 1, 3], options().stride(2).dilation(2).padding(2)),
        sample(Tensor::conv1d, &[1, 2, 3], &[2, 2, 2], options().padding_same()),
        sample(Tensor::conv2d, &[2, 1, 3, 3], &[2, 1, 2, 2], options()),
        sample(Tensor::conv2d, &[1, 2, 2, 3], &[2, 2, 1, 1], options()),
        sample(Tensor::conv2d, &[1, 4, 3, 4], &[2, 2, 2, 3], options().groups(2).padding([1, 0]).stride([2, 1])),
        sample(Tensor::conv2d, &[2, 3, 3], &[2, 1, 2, 2], options().groups(2).padding_same()),
        sample(Tensor::conv3d, &[1, 1, 2, 3, 2], &[1, 1, 2, 2, 2], options().padding([0, 0, 1])),
        sample(Tensor::conv2d, &[0, 1, 3, 3], &[1, 1, 2, 2], options()),
    ]
}

pub(super) fn transposed_samples() -> Vec<Sample> {
    let biased = [spread(&[2, 2, 3], -1.0, 1.0), spread(&[2, 2, 2], -0.9, 0.9), spread(&[2], -0.8, 0.8)];
    vec![
        Sample::new(biased, |x| x[0].conv_transpose1d(&x[1], Some(&x[2]), options().padding(1))),
        sample(Tensor::conv_transpose1d, &[2, 3], &[2, 1, 2], options().stride(3).output_padding(2)),
        sample(Tensor::conv_transpose2d, &[1, 2, 2, 3], &[2, 1, 2, 2], options().groups(2).stride([1, 2])),
        sample(Tensor::conv_transpose2d, &[2, 2, 2], &[2, 2, 1, 1], options()),
        sample(Tensor::conv_transpose3d, &[1, 1, 2, 2, 1], &[1, 1, 2, 1, 2], options().dilation([1, 1, 2])),
    ]
}

/// The gradient of the weight as a function of input and gradient.
pub(super) fn weight_samples() -> Vec<Sample> {
    let weight_gradient = |x: &[usize], weight: &[usize], options: ConvOptions| {
        let (x, weight) = (spread(x, -1.0, 1.0), spread(weight, -1.0, 1.0));
        let out = x.conv2d(&weight, None, options.clone());
        let call = Call::new("conv2d", 2, &x, &weight, &options);
        let padding = per_dim("conv2d", "padding", options.padding.as_ref().unwrap(), 2, 0);
        let (features, channels) = (weight.sizes()[0] / options.groups, weight.sizes()[1]);
        let sizes = call.sizes(channels, features, [&x.sizes()[2..], &out.sizes()[2..], &padding]);
        let inputs = [spread(x.sizes(), -1.0, 1.0), spread(out.sizes(), -0.9, 0.9)];
        Sample::new(inputs, move |x| convolve_weight(&x[0], &x[1], sizes))
    };
    vec![
        weight_gradient(&[2, 2, 3, 3], &[2, 2, 2, 2], options()),
        weight_gradient(&[1, 2, 3, 4], &[2, 1, 2, 2], options().groups(2).padding(1).stride([2, 1])),
        weight_gradient(&[2, 2, 2, 2], &[1, 2, 1, 1], options()),
    ]
}

/// A convolution over two dimensions by its definition.
fn naive(
    x: &Tensor,
    weight: &Tensor,
    [stride, padding, dilation]: [usize; 3],
    groups: usize,
) -> (Vec<f64>, Vec<usize>) {
    let [n, c, h, w] = *x.sizes() else { panic!() };
    let [f, channels, kh, kw] = *weight.sizes() else { panic!() };
    let size = |size: usize, kernel: usize| (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
    let (oh, ow) = (size(h, kh), size(w, kw));
    let (x, weight) = (x.to_vec::<f64>(), weight.to_vec::<f64>());
    let mut out = Vec::new();
    for at in 0..n * f * oh * ow {
        let (sample, feature, oy, ox) = (at / (f * oh * ow), at / (oh * ow) % f, at / ow % oh, at % ow);
        let mut sum = 0.0;
        for term in 0..channels * kh * kw {
            let (channel, i, j) = (term / (kh * kw), term / kw % kh, term % kw);
            let (y, z) = (oy * stride + i * dilation, ox * stride + j * dilation);
            if (padding..h + padding).contains(&y) && (padding..w + padding).contains(&z) {
                let channel = feature / (f / groups) * channels + channel;
                sum += x[((sample * c + channel) * h + y - padding) * w + z - padding]
                    * weight[feature * channels * kh * kw + term];
            }
        }
        out.push(sum);
    }
    (out, vec![n, f, oh, ow])
}

fn close(actual: &Tensor, expected: &[f64]) {
    let actual = actual.double().to_vec::<f64>();
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{a} {b}");
    }
}

/// Shapes of input and weight; stride, padding and dilation; groups.
type Case = ([usize; 4], [usize; 4], [usize; 3], usize);

/// Sizes that take every way of cutting the work: one tile, rows of a sample, several samples, one group's
/// channels, elements as windows.
const CASES: [Case; 9] = [
    ([2, 3, 9, 8], [4, 3, 3, 3], [1, 1, 1], 1),
    ([5, 2, 4, 5], [4, 2, 2, 3], [1, 0, 1], 1),
    ([70, 2, 3, 4], [2, 2, 2, 2], [1, 1, 1], 1),
    ([1, 6, 40, 33], [4, 6, 3, 3], [1, 1, 1], 1),
    ([1, 24, 40, 41], [3, 24, 3, 3], [1, 2, 2], 1),
    ([1, 6, 35, 36], [6, 2, 3, 3], [2, 1, 1], 3),
    ([3, 6, 20, 21], [6, 1, 3, 2], [1, 1, 1], 6),
    ([2, 6, 17, 18], [4, 3, 1, 1], [1, 0, 1], 2),
    ([2, 3, 17, 18], [4, 3, 1, 1], [2, 1, 1], 1),
];

fn case(number: usize) -> (Tensor, Tensor, ConvOptions) {
    let (x, weight, [stride, padding, dilation], groups) = CASES[number];
    let options = options().stride(stride).padding(padding).dilation(dilation).groups(groups);
    (spread(&x, -1.0, 1.0), spread(&weight, -0.9, 0.9), options)
}

#[test]
fn a_convolution_is_the_sum_of_its_definition() {
    for (number, &(.., how, groups)) in CASES.iter().enumerate() {
        let (x, weight, options) = case(number);
        let (expected, shape) = naive(&x, &weight, how, groups);
        let out = x.conv2d(&weight, None, options.clone());
        assert_eq!(out.sizes(), shape);
        close(&out, &expected);
        let bias = spread(&[shape[1]], -1.0, 1.0);
        let biased = x.conv2d(&weight, Some(&bias), options.clone());
        close(&biased, &(&out + bias.reshape([-1, 1, 1])).to_vec::<f64>());
        let single = x.float().conv2d(&weight.float(), None, options);
        for (a, b) in single.to_vec::<f32>().iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 2e-5, "{a} {b}");
        }
    }
}

/// `<g, conv(x, w)>` is linear in `x` and in `w`, and what multiplies them are the gradients.
#[test]
fn gradients_are_the_adjoints() {
    for number in 0..CASES.len() {
        let (x, weight, options) = case(number);
        let (x, weight) = (x.requires_grad_(true), weight.requires_grad_(true));
        let out = x.conv2d(&weight, None, options.clone());
        let direction = spread(out.sizes(), -0.7, 0.8);
        let gradients = grad(&out, [&x, &weight]).grad_outputs(&direction).compute().unwrap();
        let (other_x, other_weight) = (spread(x.sizes(), -0.3, 0.9), spread(weight.sizes(), -0.2, 0.6));
        let product = |a: &Tensor, b: &Tensor| (a * b).sum().item();
        let along_x = product(&direction, &other_x.conv2d(&weight, None, options.clone()));
        let along_weight = product(&direction, &x.conv2d(&other_weight, None, options));
        for (a, b) in
            [(product(&gradients[0], &other_x), along_x), (product(&gradients[1], &other_weight), along_weight)]
        {
            assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "case {number}: {a} {b}");
        }
    }
}

#[test]
fn a_transposed_convolution_is_the_gradient_of_a_convolution() {
    let x = spread(&[2, 3, 7, 8], -1.0, 1.0).requires_grad_(true);
    let weight = spread(&[4, 3, 3, 2], -0.9, 0.9);
    let options = options().stride([2, 3]).padding([1, 0]);
    let out = x.conv2d(&weight, None, options.clone());
    let direction = spread(out.sizes(), -0.7, 0.8);
    let gradient = grad(&out, &x).grad_outputs(&direction).compute().unwrap().remove(0);
    let transposed = direction.conv_transpose2d(&weight, None, options.clone());
    // The smallest input that gives this output; the last column is in no window.
    assert_eq!((out.sizes(), transposed.sizes()), (&[2, 4, 4, 3][..], &[2, 3, 7, 8][..]));
    assert!(transposed.equal(&gradient));
    assert_eq!(direction.conv_transpose2d(&weight, None, options.output_padding([1, 0])).sizes(), [2, 3, 8, 8]);
}

/// torch 2.8.0: `conv2d(x, w, padding='same')` of `arange`s, an even kernel; and its transpose.
#[test]
fn torch_numbers() {
    let x = Tensor::arange(1.0, 7.0, 1.0).reshape([1, 2, 3]);
    let weight = Tensor::arange(1.0, 5.0, 1.0).reshape([1, 1, 2, 2]);
    let same = x.conv2d(&weight, None, options().padding_same());
    assert_eq!(same.to_vec::<f64>(), [37.0, 47.0, 21.0, 14.0, 17.0, 6.0]);
    let transposed = x.conv_transpose2d(&weight, None, options().stride(2).padding(1).output_padding(1));
    assert_eq!(transposed.sizes(), [1, 3, 5]);
    let expected = [4.0, 6.0, 8.0, 9.0, 12.0, 8.0, 5.0, 10.0, 6.0, 12.0, 16.0, 15.0, 20.0, 18.0, 24.0];
    assert_eq!(transposed.to_vec::<f64>(), expected);
}

/// Deep leakage from gradients: a loss of gradients, differentiated.
#[test]
fn second_derivatives_go_through_convolution_pooling_and_normalisation() {
    let inputs = [spread(&[2, 1, 4, 4], -1.0, 1.0), spread(&[2, 1, 3, 3], -0.9, 0.9), spread(&[2], 0.5, 1.5)];
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let network = |x: &[Tensor]| {
        let hidden = x[0].conv2d(&x[1], None, options().padding(1));
        let hidden = hidden.batch_norm(None, None, Some(&x[2]), None, true, 0.1, 1e-2).sigmoid();
        hidden.max_pool2d(crate::PoolOptions::new(2)).flatten(1, -1).layer_norm(8, None, None, 1e-2)
    };
    gradgradcheck(network, &inputs).unwrap();
}

#[test]
fn integers_are_refused_and_nothing_gives_nothing() {
    let empty = Tensor::zeros([0, 2, 5, 5], DType::F32);
    let weight = Tensor::ones([3, 2, 2, 2], DType::F32).requires_grad_(true);
    let out = empty.conv2d(&weight, None, options());
    assert_eq!(out.sizes(), [0, 3, 4, 4]);
    out.sum().backward().unwrap();
    assert_eq!(weight.grad().unwrap().to_vec::<f32>(), [0.0; 24]);
    let integers = Tensor::zeros([1, 2, 5, 5], DType::I64);
    panics_with("not implemented for dtype int64", || integers.conv2d(&integers, None, options()));
    // Of an empty line, only the padding is seen.
    let line = Tensor::zeros([1, 1, 0], DType::F64);
    let bias = Tensor::from([2.0]);
    let out = line.conv1d(&Tensor::ones([1, 1, 2], DType::F64), Some(&bias), options().padding(1));
    assert_eq!(out.to_vec::<f64>(), [2.0]);
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn calls_that_do_not_fit_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
    let (x, weight) = (zeros(&[1, 3, 8, 8]), zeros(&[4, 3, 3, 3]));
    panics_with("to have 2 channels, but got 3 channels instead", || x.conv2d(&zeros(&[4, 2, 3, 3]), None, options()));
    panics_with("Expected 3D (unbatched) or 4D (batched) input to conv2d", || {
        zeros(&[3, 8]).conv2d(&weight, None, options())
    });
    panics_with("Kernel size can't be greater than actual input size", || {
        x.conv2d(&zeros(&[1, 3, 9, 1]), None, options())
    });
    panics_with("expected bias to be 1-dimensional with 4 elements", || {
        x.conv2d(&weight, Some(&zeros(&[3])), options())
    });
    panics_with("non-positive stride is not supported", || x.conv2d(&weight, None, options().stride(0)));
    panics_with("negative padding is not supported", || x.conv2d(&weight, None, options().padding(-1)));
    panics_with("expected stride to be a single integer value or a list of 2", || {
        x.conv2d(&weight, None, options().stride([1, 1, 1]))
    });
    panics_with("padding='same' is not supported for strided convolutions", || {
        x.conv2d(&weight, None, options().stride(2).padding_same())
    });
    panics_with("Given groups=3, expected weight to be at least 3 at dimension 0", || {
        x.conv2d(&weight, None, options().groups(3))
    });
    panics_with("Input type (float) and weight type (double) should be the same", || {
        x.conv2d(&weight.double(), None, options())
    });
    panics_with("output padding must be smaller than either stride or dilation", || {
        zeros(&[1, 4, 2, 2]).conv_transpose2d(&weight, None, options().output_padding(1))
    });
}
