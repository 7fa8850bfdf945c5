use crate::op::spread;
use crate::{DType, Interpolate, InterpolateMode, Tensor, gradcheck, gradgradcheck};

fn close(actual: &Tensor, expected: &[f64]) {
    let actual = actual.double().to_vec::<f64>();
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-11, "{actual:?} {expected:?}");
    }
}

fn line() -> Tensor {
    Tensor::from([[[1.0, 4.0, 2.0, 8.0, 5.0]]])
}

fn image() -> Tensor {
    Tensor::from([[[[1.0, 4.0, 2.0], [8.0, 5.0, 7.0]]]])
}

/// torch 2.8.0.
#[test]
fn the_nearest_element_lies_at_the_position_rounded_down() {
    close(&line().interpolate(Interpolate::size(8)), &[1.0, 1.0, 4.0, 4.0, 2.0, 8.0, 8.0, 5.0]);
    close(&line().interpolate(Interpolate::size(3)), &[1.0, 4.0, 8.0]);
    close(&line().interpolate(Interpolate::scale(1.7)), &[1.0, 1.0, 4.0, 4.0, 2.0, 2.0, 8.0, 5.0]);
    let recomputed = Interpolate::scale(1.7).recompute_scale_factor(true);
    close(&line().interpolate(recomputed), &[1.0, 1.0, 4.0, 4.0, 2.0, 8.0, 8.0, 5.0]);
    let volume = spread(&[1, 2, 2, 2, 3], -1.0, 1.0);
    let doubled = volume.interpolate(Interpolate::scale([2, 1, 2]));
    assert_eq!(doubled.sizes(), [1, 2, 4, 2, 6]);
    assert!(doubled.slice(2, 1.., 2).slice(4, .., 2).equal(&volume));
}

/// torch 2.8.0: dimension by dimension, and in images alone.
#[test]
fn factors_of_images_that_double_or_keep_a_dimension_are_exact() {
    // The old row and column of each new one, and the gradient of the elements weighed by 1, 2, 3, ...
    let [doubled, kept] = [[0, 0, 1, 1, 2, 2, 3, 3].as_slice(), &[0, 1, 2, 3]];
    type Case<'a> = ([f64; 2], &'a [i64], &'a [i64], [f64; 12]);
    let cases: [Case<'_>; 4] = [
        ([2.1, 2.3], doubled, &[0, 0, 1, 1, 2, 2], [18., 26., 34., 66., 74., 82., 114., 122., 130., 162., 170., 178.]),
        ([2.1, 1.7], doubled, &[0, 0, 1, 1, 2], [16., 24., 15., 56., 64., 35., 96., 104., 55., 136., 144., 75.]),
        ([1.2, 1.2], kept, &[0, 1, 2], [1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.]),
        (
            [1.6, 2.2],
            &[0, 0, 1, 1, 2, 3],
            &[0, 0, 1, 1, 2, 2],
            [18., 26., 34., 66., 74., 82., 51., 55., 59., 63., 67., 71.],
        ),
    ];
    for (factors, rows, columns, gradient) in cases {
        let x = Tensor::arange(0.0, 12.0, 1.0).double().reshape([1, 1, 4, 3]).requires_grad_(true);
        let y = x.interpolate(Interpolate::scale(factors));
        let expected: Vec<i64> =
            rows.iter().flat_map(|row| columns.iter().map(move |column| row * 3 + column)).collect();
        assert_eq!(y.long().to_vec::<i64>(), expected);
        let weights = Tensor::arange(1, expected.len() + 1, 1).double().reshape_to(y.sizes());
        let found = crate::grad((y * weights).sum(), &x).compute().unwrap().remove(0);
        assert_eq!(found.to_vec::<f64>(), gradient);
    }
    let columns = |x: Tensor, factor: f64| x.interpolate(Interpolate::scale(factor)).long().to_vec::<i64>();
    let line = Tensor::from([[[0.0, 1.0, 2.0]]]);
    assert_eq!(columns(line.copy(), 2.3), [0, 0, 0, 1, 1, 2]);
    assert_eq!(columns(line, 1.2), [0, 0, 1]);
    let volume = Tensor::arange(0.0, 60.0, 1.0).reshape([1, 1, 3, 4, 5]);
    let volume = volume.interpolate(Interpolate::scale([1.2, 2.1, 2.1]));
    assert_eq!(volume.i((0, 0, .., 0, 0)).long().to_vec::<i64>(), [0, 0, 20]);
    assert_eq!(volume.i((0, 0, 0, .., 0)).long().to_vec::<i64>(), [0, 0, 0, 5, 5, 10, 10, 15]);
}

/// torch 2.8.0.
#[test]
fn linear_positions_are_torchs() {
    let linear = |options: Interpolate| line().interpolate(options.mode(InterpolateMode::Linear));
    close(&linear(Interpolate::size(8)), &[1.0, 2.3125, 3.875, 2.625, 3.875, 7.625, 6.3125, 5.0]);
    close(&linear(Interpolate::size(3)), &[2.0, 2.0, 6.0]);
    close(&linear(Interpolate::size(1).align_corners(true)), &[1.0]);
    let aligned =
        [1.0, 2.714285714286, 3.714285714286, 2.571428571429, 3.714285714286, 7.142857142857, 6.714285714286, 5.0];
    close(&linear(Interpolate::size(8).align_corners(true)), &aligned);
    let scaled = [
        1.0,
        2.147058823529,
        3.911764705882,
        2.882352941176,
        2.882352941176,
        6.411764705882,
        7.029411764706,
        5.264705882353,
    ];
    close(&linear(Interpolate::scale(1.7)), &scaled);
    let recomputed = linear(Interpolate::scale(1.7).recompute_scale_factor(true));
    close(&recomputed, &[1.0, 2.3125, 3.875, 2.625, 3.875, 7.625, 6.3125, 5.0]);
}

/// torch 2.8.0.
#[test]
fn cubic_weights_are_torchs() {
    let cubic =
        |align| image().interpolate(Interpolate::size([3, 4]).mode(InterpolateMode::Bicubic).align_corners(align));
    let expected = [
        0.139645046658,
        2.902330186632,
        3.454179551866,
        1.39749484592,
        4.5,
        4.5,
        4.5,
        4.5,
        8.860354953342,
        6.097669813368,
        5.545820448134,
        7.60250515408,
    ];
    close(&cubic(false), &expected);
    let aligned =
        [1.0, 3.277777777778, 3.703703703704, 2.0, 4.5, 4.5, 4.5, 4.5, 8.0, 5.722222222222, 5.296296296296, 7.0];
    close(&cubic(true), &aligned);
    close(&image().interpolate(Interpolate::size([1, 2]).mode(InterpolateMode::Area)), &[4.5, 4.5]);
}

/// torch 2.8.0: nothing is added to an image that keeps its size, not even zero times a NaN.
#[test]
fn an_image_of_the_same_size_is_a_copy() {
    let x = Tensor::from([[[1.0, f64::NAN, 2.0]]]);
    let same = x.interpolate(Interpolate::size(3).mode(InterpolateMode::Linear)).to_vec::<f64>();
    assert!(same[0] == 1.0 && same[1].is_nan() && same[2] == 2.0);
    let aligned = Interpolate::size(5).mode(InterpolateMode::Linear).align_corners(true);
    let larger: Vec<bool> = x.interpolate(aligned).to_vec::<f64>().iter().map(|x| x.is_nan()).collect();
    assert_eq!(larger, [true, true, true, true, false]);
}

#[test]
fn every_mode_has_derivatives_of_both_orders() {
    let modes = [
        (InterpolateMode::Nearest, 4, false),
        (InterpolateMode::Area, 4, false),
        (InterpolateMode::Bilinear, 4, false),
        (InterpolateMode::Bilinear, 4, true),
        (InterpolateMode::Bicubic, 4, false),
        (InterpolateMode::Linear, 3, true),
        (InterpolateMode::Trilinear, 5, false),
    ];
    for (mode, dims, align) in modes {
        let x = spread(&[2, 1, 3, 2, 2][..dims], -1.0, 1.0);
        let call = |x: &[Tensor]| {
            let size: Vec<usize> = [4, 3, 3][..dims - 2].to_vec();
            x[0].interpolate(Interpolate::size(size).mode(mode).align_corners(align)).pow(2.0)
        };
        gradcheck(call, &[&x]).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        gradgradcheck(call, &[&x]).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
    }
}

#[test]
#[should_panic(expected = "Got 3D input, but Bilinear mode needs 4..=4D input")]
fn a_mode_of_other_dimensions_is_refused() {
    line().interpolate(Interpolate::size(3).mode(InterpolateMode::Bilinear));
}

#[test]
#[should_panic(expected = "align_corners option can only be set with the interpolating modes")]
fn corners_of_nearest_elements_are_refused() {
    Tensor::zeros([1, 1, 3], DType::F32).interpolate(Interpolate::size(3).align_corners(true));
}

#[test]
#[should_panic(expected = "Input and output sizes should be greater than 0 and at most")]
fn factors_are_finite() {
    Tensor::ones([1, 1, 3], DType::F64).interpolate(Interpolate::scale(f64::INFINITY));
}
