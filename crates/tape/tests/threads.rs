//! The number of threads changes no bit of a result.

use tape::{Tensor, grad};

/// Numbers whose sums depend on the order of addition.
fn uneven(len: usize) -> Vec<f64> {
    (0..len).map(|i| ((i as f64 * 0.618_033_988_749_894_9).fract() - 0.5) * 10f64.powi((i % 9) as i32 - 4)).collect()
}

fn bits(x: &Tensor) -> Vec<u64> {
    x.to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}

/// Everything that could be split between threads, in both precisions.
fn results() -> Vec<Vec<u64>> {
    let long = Tensor::from(uneven(300_000));
    let grid = long.reshape([300, 1000]);
    let (a, b) = (grid.i((.., ..257)).copy(), grid.i((..257, ..129)).copy());
    let mut all = vec![
        bits(&long.sum()),
        bits(&long.float().sum().double()),
        bits(&grid.sum_dim(0, false)),
        bits(&grid.sum_dim(1, false)),
        bits(&grid.t().sum_dim(0, false)),
        bits(&grid.mean()),
        bits(&grid.exp().sum()),
        bits(&a.matmul(&b)),
        bits(&a.float().matmul(&b.float()).double()),
        bits(&b.t().matmul(&a.t())),
        bits(&a.matmul(&b.i((.., 0)))),
        bits(&grid.reshape([30, 10, 1000]).matmul(&grid.reshape([30, 1000, 10]))),
    ];
    let (x, y) = (a.requires_grad_(true), b.requires_grad_(true));
    let loss = (x.matmul(&y).tanh() * 0.5).sum();
    let gradients = grad(&loss, [&x, &y]).compute().expect("the graph is fresh");
    all.extend(gradients.iter().map(bits));
    all
}

#[test]
fn sums_products_and_gradients_have_the_same_bits_on_any_number_of_threads() {
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(results)
    };
    let alone = with_threads(1);
    assert!(alone.iter().all(|bits| bits.iter().any(|&b| b != 0)), "all-zero results would compare equal");
    for threads in [2, 3] {
        for (number, (found, expected)) in with_threads(threads).iter().zip(&alone).enumerate() {
            assert!(found == expected, "result {number} differs on {threads} threads");
        }
    }
}
