//! Panics about arguments name the line of the call, not one of the library. The hook that reads it serves the
//! whole process: this file has one test.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;
use tape::{DType, PadMode, PoolOptions, Tensor};

static LOCATION: Mutex<Option<(String, u32)>> = Mutex::new(None);

#[test]
fn panics_are_located_at_the_call() {
    set_hook(Box::new(|info| {
        *LOCATION.lock().unwrap() = info.location().map(|at| (at.file().to_string(), at.line()));
    }));
    let x = Tensor::zeros([2, 3, 4], DType::F32);
    type Call = (u32, fn(&Tensor) -> Tensor);
    let calls: &[Call] = &[
        (line!(), |x| x.reshape([5, -1])),
        (line!(), |x| x.reshape([2, -3])),
        (line!(), |x| x.reshape([isize::MAX, isize::MAX])),
        (line!(), |x| x.reshape(7)),
        (line!(), |x| x.view(7)),
        (line!(), |x| x.expand([3, 3, 4])),
        (line!(), |x| x.expand([4])),
        (line!(), |x| x.expand([-2, 3, 4])),
        (line!(), |x| x.expand_as(&Tensor::from([1.0]))),
        (line!(), |x| x.pad(1, PadMode::Reflect)),
        (line!(), |x| x.pad([-3, -3], PadMode::Constant(0.0))),
        (line!(), |x| x.pad([4, 0], PadMode::Reflect)),
        (line!(), |x| x.pad([-2, -2], PadMode::Replicate)),
        (line!(), |x| x.pad([5, 0], PadMode::Circular)),
        (line!(), |x| x.max_pool1d(PoolOptions::new(2).padding(2))),
        (line!(), |x| x.max_pool1d(PoolOptions::new(5))),
        (line!(), |x| x.max_pool2d(PoolOptions::new(5))),
        (line!(), |x| x.avg_pool1d(PoolOptions::new(5))),
        (line!(), |x| x.avg_pool2d(PoolOptions::new([2, 5]))),
        (line!(), |x| x.avg_pool2d(PoolOptions::new(2).padding(2))),
    ];
    let mut elsewhere = Vec::new();
    for &(line, call) in calls {
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(call(&x)))).is_err();
        let found = LOCATION.lock().unwrap().take();
        if !panicked || found != Some((file!().to_string(), line)) {
            elsewhere.push((line, found));
        }
    }
    drop(std::panic::take_hook());
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}
