//! Every item under criterion: `cargo bench --bench speed`, or `cargo bench --bench speed -- matmul` for the
//! names that contain a word. Times are per run; a chain of a thousand operations is one run.

mod work;

use criterion::{Criterion, Throughput};
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for item in work::items() {
        let mut group = criterion.benchmark_group(item.group);
        if item.parts > 1 {
            group.throughput(Throughput::Elements(u64::from(item.parts)));
        }
        group.bench_function(&item.name, |bencher| {
            let mut run = (item.prepare)();
            bencher.iter(&mut run);
        });
        group.finish();
    }
    criterion.final_summary();
}
