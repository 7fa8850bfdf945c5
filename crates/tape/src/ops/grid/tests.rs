use crate::op::spread;
use crate::{GridMode, GridPadding, GridSample, Tensor, grad, gradcheck, gradgradcheck};

const PADDINGS: [GridPadding; 3] = [GridPadding::Zeros, GridPadding::Border, GridPadding::Reflection];

fn image() -> Tensor {
    Tensor::arange(1.0, 13.0, 1.0).reshape([1, 1, 3, 4])
}

/// Values and gradients of the grid at the middle, at corners, outside, at an element and at the edge.
fn sampled(mode: GridMode, padding_mode: GridPadding, align_corners: bool) -> (Vec<f64>, Vec<f64>) {
    let third = 1.0 / 3.0;
    let points = [[0.0, 0.0], [-1.0, -1.0], [1.0, 1.0], [5.0, -7.0], [-third, third], [-0.7, 0.5]];
    let grid = Tensor::from([[points]]).requires_grad_(true);
    let out = image().grid_sample(&grid, GridSample { mode, padding_mode, align_corners });
    let gradient = grad(out.sum(), &grid).compute().unwrap().remove(0);
    (out.to_vec(), gradient.to_vec())
}

fn close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-12, "{actual:?} {expected:?}");
    }
}

/// torch 2.8.0.
#[test]
fn bilinear_samples_and_their_gradients_are_torchs() {
    let aligned = [6.5, 1.0, 12.0, 0.0, 22.0 / 3.0, 7.45];
    let whole = [6.5, 0.25, 3.0, 0.0, 47.0 / 6.0, 8.1];
    let [slopes, wide] = [[1.5, 4.0], [2.0, 6.0]];
    for (padding, align, values, gradient) in [
        (GridPadding::Zeros, true, aligned, [slopes, slopes, [-18.0, -12.0], [0.0; 2], slopes, slopes]),
        (GridPadding::Zeros, false, whole, [wide, [1.0, 0.75], [-12.0, -9.0], [0.0; 2], wide, wide]),
        (
            GridPadding::Border,
            true,
            [6.5, 1.0, 12.0, 4.0, aligned[4], aligned[5]],
            [slopes, [0.0; 2], [0.0; 2], [0.0; 2], slopes, slopes],
        ),
        (
            GridPadding::Border,
            false,
            [6.5, 1.0, 12.0, 4.0, whole[4], 8.1],
            [wide, [0.0; 2], [0.0; 2], [0.0; 2], wide, wide],
        ),
        (
            GridPadding::Reflection,
            true,
            [6.5, 1.0, 12.0, 12.0, aligned[4], aligned[5]],
            [slopes, [0.0; 2], [0.0; 2], [0.0; 2], slopes, slopes],
        ),
        (
            GridPadding::Reflection,
            false,
            [6.5, 1.0, 12.0, 12.0, whole[4], 8.1],
            [wide, [0.0; 2], [0.0; 2], [0.0; 2], wide, wide],
        ),
    ] {
        let (out, slope) = sampled(GridMode::Bilinear, padding, align);
        close(&out, &values);
        close(&slope, &gradient.concat());
    }
}

/// torch 2.8.0.
#[test]
fn nearest_samples_are_torchs_and_their_gradient_is_zero() {
    for (padding, align, values) in [
        (GridPadding::Zeros, true, [7.0, 1.0, 12.0, 0.0, 6.0, 9.0]),
        (GridPadding::Zeros, false, [7.0, 1.0, 0.0, 0.0, 10.0, 9.0]),
        (GridPadding::Border, true, [7.0, 1.0, 12.0, 4.0, 6.0, 9.0]),
        (GridPadding::Reflection, false, [7.0, 1.0, 12.0, 12.0, 10.0, 9.0]),
    ] {
        let (out, gradient) = sampled(GridMode::Nearest, padding, align);
        close(&out, &values);
        close(&gradient, &[0.0; 12]);
    }
}

#[test]
fn derivatives_of_both_orders_are_right() {
    let (x, grid) = (spread(&[1, 2, 3, 2], -1.0, 1.0), spread(&[1, 2, 2, 2], -1.7, 1.6));
    for padding_mode in PADDINGS {
        for (mode, align_corners) in
            [(GridMode::Bilinear, false), (GridMode::Bilinear, true), (GridMode::Nearest, false)]
        {
            let call =
                |x: &[Tensor]| x[0].grid_sample(&x[1], GridSample { mode, padding_mode, align_corners }).pow(2.0);
            gradcheck(call, &[&x, &grid]).unwrap();
            gradgradcheck(call, &[&x, &grid]).unwrap();
        }
    }
    let (volume, points) = (spread(&[1, 1, 2, 2, 3], -1.0, 1.0), spread(&[1, 1, 1, 2, 3], -0.9, 0.8));
    let call = |x: &[Tensor]| x[0].grid_sample(&x[1], GridSample::default());
    gradcheck(call, &[&volume, &points]).unwrap();
    gradgradcheck(call, &[&volume, &points]).unwrap();
}

#[test]
fn the_identity_map_samples_the_image_itself() {
    let theta = Tensor::from([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
    for align_corners in [true, false] {
        let grid = Tensor::affine_grid(&theta, [1, 1, 3, 4], align_corners);
        let options = GridSample { align_corners, ..GridSample::default() };
        close(&image().grid_sample(&grid, options).to_vec::<f64>(), &image().to_vec::<f64>());
    }
    // torch 2.8.0: affine_grid(arange(6.).reshape(1, 2, 3), (1, 1, 1, 2), align_corners=False)
    let theta = Tensor::arange(0.0, 6.0, 1.0).reshape([1, 2, 3]);
    close(&Tensor::affine_grid(&theta, [1, 1, 1, 2], false).to_vec::<f64>(), &[2.0, 3.5, 2.0, 6.5]);
    gradcheck(|x| Tensor::affine_grid(&x[0], [1, 1, 2, 3], true).pow(2.0), &[&theta]).unwrap();
    gradgradcheck(|x| Tensor::affine_grid(&x[0], [1, 1, 2, 3], true).pow(2.0), &[&theta]).unwrap();
}

#[test]
fn positions_that_are_no_numbers_see_zeros_or_nothing() {
    let grid = Tensor::from([[[[f64::NAN, 0.0], [f64::INFINITY, 0.0]]]]);
    let nearest = GridSample { mode: GridMode::Nearest, ..GridSample::default() };
    assert_eq!(image().grid_sample(&grid, nearest).to_vec::<f64>(), [0.0, 0.0]);
    let bilinear = image().grid_sample(&grid, GridSample::default()).to_vec::<f64>();
    assert!(bilinear.iter().all(|x| x.is_nan()));
}

#[test]
#[should_panic(expected = "expected grid to have size 2 in last dimension")]
fn a_grid_of_triples_is_refused() {
    image().grid_sample(&spread(&[1, 2, 2, 3], -1.0, 1.0), GridSample::default());
}
