//! The number of threads changes no bit of a result.

use rayon::prelude::*;
use tape::{DType, Tensor, grad};

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

/// Set in the processes that this test starts: print the results instead of comparing them.
const PRINT: &str = "PRINT_RESULTS_OF_THREADS_TEST";

/// Inside of a pool, kernels on locked memory keep to their thread, and the global pool's size is fixed once
/// per process: so each number of threads gets a process of its own.
#[test]
fn sums_products_and_gradients_have_the_same_bits_on_any_number_of_threads() {
    if std::env::var_os(PRINT).is_some() {
        println!("threads {}", rayon::current_num_threads());
        results().iter().for_each(|bits| println!("result {bits:x?}"));
        return;
    }
    let with_threads = |threads: usize| {
        let this = std::env::current_exe().expect("a test knows its program");
        let mut run = std::process::Command::new(this);
        run.arg("--nocapture").env(PRINT, "1").env("RAYON_NUM_THREADS", threads.to_string());
        let output = String::from_utf8(run.output().expect("the program starts again").stdout).expect("text");
        assert!(output.contains(&format!("threads {threads}\n")), "{output}");
        output.lines().filter(|line| line.starts_with("result ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let alone = with_threads(1);
    assert!(alone.len() > 10 && alone.iter().all(|line| line.contains(|c: char| ('1'..='9').contains(&c))));
    for threads in [2, 3] {
        for (number, (found, expected)) in with_threads(threads).iter().zip(&alone).enumerate() {
            assert!(found == expected, "result {number} differs on {threads} threads");
        }
    }
}

/// A parallel loop of the user runs on the same machine as the kernels.
#[test]
fn jobs_of_a_parallel_loop_do_not_wait_for_a_kernel_that_waits_for_them() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let w = Tensor::ones([1_000_000], DType::F32);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Locks the memory and hands pieces to other threads.
            scope.spawn(|| {
                let direction = vec![0.0f32; w.numel()];
                while !stop.load(Ordering::Relaxed) {
                    w.add_scaled(1.0, &direction);
                }
            });
            for _ in 0..20 {
                let sums = (0..32).into_par_iter().map(|i| w.i(i..i + 4).sum().item());
                assert_eq!(sums.sum::<f64>(), 128.0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        done.send(()).expect("somebody waits");
    });
    finished.recv_timeout(std::time::Duration::from_secs(120)).expect("the loop and the kernels wait for each other");
}
