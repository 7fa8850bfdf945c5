use crate::op::{Sample, spread};
use crate::{DType, PoolOptions, Tensor, gradcheck, gradgradcheck};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

pub(super) fn max_samples() -> Vec<Sample> {
    vec![
        Sample::new([spread(&[2, 2, 4, 4], -1.0, 1.0)], |x| x[0].max_pool2d(PoolOptions::new(2)).pow(2.0)),
        Sample::new([spread(&[2, 5, 4], -1.0, 1.0)], |x| {
            let options = PoolOptions::new([3, 2]).stride(1).padding([1, 0]).dilation([2, 1]).ceil_mode(true);
            x[0].transpose(1, 2).max_pool2d(options).pow(2.0)
        }),
        Sample::new([spread(&[2, 1, 5], -1.0, 1.0)], |x| x[0].max_pool1d(PoolOptions::new(3).stride(1)).sin()),
        Sample::new([spread(&[1, 5, 4], -1.0, 1.0)], |x| x[0].adaptive_max_pool2d([3, 2]).pow(2.0)),
        Sample::new([spread(&[2, 5], -1.0, 1.0)], |x| x[0].adaptive_max_pool1d(2)),
    ]
}

fn line(count: usize) -> Tensor {
    Tensor::arange(0.0, count as f64, 1.0).reshape([1, -1])
}

fn image() -> Tensor {
    line(20).reshape([1, 4, 5])
}

#[test]
fn averages_have_derivatives_of_both_orders() {
    let averages: [fn(&Tensor) -> Tensor; 4] = [
        |x| x.avg_pool2d(PoolOptions::new([2, 3]).stride([1, 2]).padding(1).ceil_mode(true)),
        |x| x.avg_pool2d(PoolOptions::new(2).padding(1).count_include_pad(false)),
        |x| x.adaptive_avg_pool2d([3, 2]),
        |x| x.select(1, 0).avg_pool1d(PoolOptions::new(2).stride(1)),
    ];
    for average in averages {
        let x = spread(&[2, 2, 4, 3], -1.0, 1.0);
        gradcheck(|x| average(&x[0]).pow(2.0), &[&x]).unwrap();
        gradgradcheck(|x| average(&x[0]).pow(2.0), &[&x]).unwrap();
    }
}

/// torch 2.8.0.
#[test]
fn the_last_nan_of_a_window_wins_and_else_the_first_maximum() {
    let x = Tensor::from([[[1.0, 3.0, 3.0, 2.0, NAN], [0.0, NAN, 5.0, 5.0, -INF], [1.0, 5.0, 5.0, 0.0, 2.0]]]);
    let (values, indices) = x.max_pool2d_with_indices(PoolOptions::new(2).stride(1));
    assert_eq!(indices.to_vec::<i64>(), [6, 6, 7, 4, 6, 6, 7, 8]);
    let nan: Vec<bool> = values.to_vec::<f64>().iter().map(|x| x.is_nan()).collect();
    assert_eq!(nan, [true, true, false, true, true, true, false, false]);
    let nothing = Tensor::full([1, 3, 3], -INF, DType::F64);
    let (values, indices) = nothing.max_pool2d_with_indices(PoolOptions::new(3).stride(2).padding(1));
    assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![-INF; 4], vec![0, 1, 3, 4]));
}

/// torch 2.8.0.
#[test]
fn options_cut_the_windows() {
    let options = PoolOptions::new(3).stride(2).padding(1).ceil_mode(true);
    let (values, indices) = image().max_pool2d_with_indices(options.clone().dilation([1, 2]));
    assert_eq!(values.sizes(), [1, 3, 2]);
    assert_eq!(indices.to_vec::<i64>(), [8, 8, 18, 18, 18, 18]);
    let thirds = |sums: [f64; 9]| sums.map(|sum| sum / 9.0);
    let padded = image().avg_pool2d(options.clone()).to_vec::<f64>();
    let expected = thirds([12.0, 27.0, 24.0, 63.0, 108.0, 81.0, 46.5, 76.5, 55.5]);
    assert!(padded.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{padded:?}");
    let bare = image().avg_pool2d(options.count_include_pad(false));
    assert_eq!(bare.to_vec::<f64>(), [3.0, 4.5, 6.0, 10.5, 12.0, 13.5, 15.5, 17.0, 18.5]);
    let ceil = PoolOptions::new(2).stride(3).ceil_mode(true);
    assert_eq!(line(5).max_pool1d(ceil.clone()).to_vec::<f64>(), [1.0, 4.0]);
    assert_eq!(line(5).avg_pool1d(ceil).to_vec::<f64>(), [0.5, 3.5]);
}

/// torch 2.8.0.
#[test]
fn adaptive_windows_overlap_as_torchs() {
    assert_eq!(image().adaptive_avg_pool2d([3, 2]).to_vec::<f64>(), [3.5, 5.5, 8.5, 10.5, 13.5, 15.5]);
    assert_eq!(image().adaptive_max_pool2d([3, 2]).to_vec::<f64>(), [7.0, 9.0, 12.0, 14.0, 17.0, 19.0]);
    assert!(image().adaptive_avg_pool2d(-1).equal(&image()));
}

#[test]
fn many_planes_are_pooled_alike() {
    let x = spread(&[40, 3, 32, 30], -1.0, 1.0);
    let (values, indices) = x.max_pool2d_with_indices(PoolOptions::new(2));
    let one = x.select(0, 17).max_pool2d(PoolOptions::new(2));
    assert!(values.select(0, 17).equal(&one));
    let gathered = x.flatten(2, 3).gather(2, &indices.flatten(2, 3));
    assert!(gathered.equal(&values.flatten(2, 3)));
    let average = x.avg_pool2d(PoolOptions::new(2));
    let alone = x.select(0, 17).avg_pool2d(PoolOptions::new(2));
    assert!(average.select(0, 17).equal(&alone));
}

fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn calls_that_do_not_fit_are_named() {
    panics_with("pad should be at most half of effective kernel size, but got pad=2, kernel_size=3", || {
        image().max_pool2d(PoolOptions::new(3).padding(2))
    });
    panics_with("Output size is too small", || image().avg_pool2d(PoolOptions::new(6)));
    panics_with("averages take no dilation", || image().avg_pool2d(PoolOptions::new(2).dilation(2)));
    panics_with("Expected 2D (unbatched) or 3D (batched) input to max_pool1d", || {
        Tensor::from([1.0]).max_pool1d(PoolOptions::new(1))
    });
    panics_with("Expected input to have non-zero size", || Tensor::zeros([1, 0, 3], DType::F64).adaptive_avg_pool2d(1));
}
