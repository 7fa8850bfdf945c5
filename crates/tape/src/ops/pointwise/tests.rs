#![expect(clippy::approx_constant, reason = "torch's numbers as they are")]

use crate::{DType, Tensor, grad};
use crate::ops::function::check::{PairTable, Table, assert_like_torch, assert_pairs_like_torch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn functions_of_one_element_at_special_points() {
    assert_like_torch(&[
        Table {
            name: "frac",
            call: &Tensor::frac,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[NAN, 0.0, -0.5, 0.0, 0.0, 0.5, 0.0, NAN, NAN],
            dy: &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "nan_to_num",
            call: &|x: &Tensor| x.nan_to_num(7.0, 8.0, None),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-1.7976931348623157e+308, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, 8.0, 7.0],
            dy: &[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "round_decimals",
            call: &|x: &Tensor| x.round_decimals(1),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, 0.25, 0.35, -1.45],
            y: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, 0.2, 0.4, -1.4],
            dy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "round_decimals(-1)",
            call: &|x: &Tensor| x.round_decimals(-1),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, 25.0, 35.0],
            y: &[-INF, -20.0, -0.0, -0.0, 0.0, 0.0, 0.0, INF, NAN, 20.0, 40.0],
            dy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "deg2rad",
            call: &Tensor::deg2rad,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[
                -INF, -0.3490658503988659, -0.026179938779914945, -0.0, 0.0, 0.008726646259971648,
                0.03490658503988659, INF, NAN,
            ],
            dy: &[
                0.017453292519943295, 0.017453292519943295, 0.017453292519943295, 0.017453292519943295,
                0.017453292519943295, 0.017453292519943295, 0.017453292519943295, 0.017453292519943295,
                0.017453292519943295,
            ],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "rad2deg",
            call: &Tensor::rad2deg,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[
                -INF, -1145.9155902616465, -85.94366926962348, -0.0, 0.0, 28.64788975654116, 114.59155902616465, INF,
                NAN,
            ],
            dy: &[
                57.29577951308232, 57.29577951308232, 57.29577951308232, 57.29577951308232, 57.29577951308232,
                57.29577951308232, 57.29577951308232, 57.29577951308232, 57.29577951308232,
            ],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "float_power",
            call: &|x: &Tensor| x.float_power(3),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-INF, -8000.0, -3.375, -0.0, 0.0, 0.125, 8.0, INF, NAN],
            dy: &[INF, 1200.0, 6.75, 0.0, 0.0, 0.75, 12.0, INF, NAN],
            ddy: &[-INF, -120.0, -9.0, -0.0, 0.0, 3.0, 12.0, INF, NAN],
        },
        Table {
            name: "copysign -1",
            call: &|x: &Tensor| x.copysign(-1.0),
            x: &[-1.5, 0.5, 2.0],
            y: &[-1.5, -0.5, -2.0],
            dy: &[1.0, -1.0, -1.0],
            ddy: &[0.0, 0.0, 0.0],
        },
    ]);
}

#[test]
fn functions_of_two_elements_at_special_points() {
    assert_pairs_like_torch(&[
        PairTable {
            name: "hypot",
            call: &Tensor::hypot,
            y: &[
                INF, INF, INF, INF, INF, INF, INF, INF, 0.0, 0.0, 0.0, 0.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, INF, INF,
                NAN, NAN, NAN, NAN, NAN, 2.9154759474226504, 2.9154759474226504, 2.9154759474226504,
                2.1213203435596424, 1.4142135623730951, 1.0, 1.0,
            ],
            da: &[
                NAN, NAN, NAN, NAN, NAN, NAN, -0.0, 0.0, NAN, NAN, NAN, NAN, 0.0, 0.0, -0.0, 1.0, -1.0, -1.0, 0.0,
                NAN, NAN, NAN, NAN, NAN, NAN, 0.8574929257125441, -0.8574929257125441, 0.8574929257125441,
                0.7071067811865476, -0.7071067811865475, 0.0, 0.0,
            ],
            db: &[
                NAN, NAN, 0.0, NAN, NAN, -0.0, NAN, NAN, NAN, NAN, NAN, NAN, -1.0, 1.0, 1.0, 0.0, 0.0, -0.0, NAN,
                0.0, NAN, NAN, NAN, NAN, NAN, 0.5144957554275265, 0.5144957554275265, -0.5144957554275265,
                0.7071067811865476, -0.7071067811865475, -1.0, 1.0,
            ],
            dda: &[
                NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.6666666666666666, 0.6666666666666666,
                0.6666666666666666, 0.0, 0.0, 0.0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, -0.2118511934113344,
                0.39343793062104965, 0.39343793062104965, -0.23570226039551584, -0.3535533905932735, 1.0, 1.0,
            ],
            ddb: &[
                NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.0, 0.0, 0.0, 1.3333333333333333,
                1.3333333333333333, 1.3333333333333333, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.35308532235222406,
                0.6557298843684161, 0.6557298843684161, 0.2357022603955159, 0.35355339059327395, 0.0, 0.0,
            ],
        },
        PairTable {
            name: "copysign",
            call: &|a: &Tensor, b: &Tensor| a.copysign(b),
            y: &[
                -INF, INF, INF, -INF, INF, -INF, 1.5, -2.5, -0.0, 0.0, -0.0, 0.0, -0.0, 0.0, 0.0, 1.5, 1.5, -1.5,
                0.0, INF, NAN, NAN, 1.0, 0.0, NAN, 2.5, 2.5, -2.5, 1.5, -1.0, -0.0, 0.0,
            ],
            da: &[
                NAN, NAN, NAN, NAN, NAN, NAN, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 1.0, 0.0,
                NAN, NAN, NAN, 1.0, 0.0, NAN, 1.0, -1.0, -1.0, 1.0, 1.0, 0.0, 0.0,
            ],
            db: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
            dda: &[
                NAN, NAN, NAN, NAN, NAN, NAN, 0.0, 0.0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.0, 0.0, 0.0, NAN, NAN,
                NAN, NAN, 0.0, NAN, NAN, 0.0, 0.0, 0.0, 0.0, 0.0, NAN, NAN,
            ],
            ddb: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
        },
        PairTable {
            name: "lerp",
            call: &|a: &Tensor, b: &Tensor| a.lerp(b, 0.25),
            y: &[
                NAN, NAN, NAN, NAN, NAN, NAN, INF, -INF, 0.0, 0.0, 0.0, 0.0, -0.375, 0.375, 0.375, 1.125, -1.125,
                -1.125, INF, NAN, NAN, NAN, NAN, NAN, NAN, 2.25, -1.5, 1.5, 1.5, -1.0, -0.25, 0.25,
            ],
            da: &[
                0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75,
                0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75,
            ],
            db: &[
                0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25,
                0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25,
            ],
            dda: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
            ddb: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
        },
        PairTable {
            name: "lerp of 2",
            call: &|a: &Tensor, b: &Tensor| a.lerp(b, 2.0),
            y: &[
                NAN, INF, INF, -INF, NAN, -INF, INF, -INF, 0.0, 0.0, -0.0, 0.0, -3.0, 3.0, 3.0, -1.5, 1.5, 1.5, INF,
                -INF, NAN, NAN, NAN, NAN, NAN, 0.5, 5.5, -5.5, 1.5, -1.0, -2.0, 2.0,
            ],
            da: &[
                -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0,
                -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0,
            ],
            db: &[
                2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0,
                2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0,
            ],
            dda: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
            ddb: &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            ],
        },
        PairTable {
            name: "lerp by a tensor",
            call: &|a: &Tensor, b: &Tensor| a.lerp(&Tensor::from(3.0), b),
            y: &[
                -INF, INF, INF, INF, -INF, INF, INF, -INF, -0.0, 0.0, 0.0, 0.0, -4.5, 4.5, 4.5, 1.5, -1.5, -1.5, INF,
                NAN, NAN, NAN, NAN, NAN, NAN, 3.25, 5.75, 1.75, 3.75, -5.0, -3.0, 3.0,
            ],
            da: &[
                INF, -INF, -0.5, INF, -INF, 2.5, -INF, INF, 1.0, 1.0, 1.0, 1.0, 2.5, -0.5, -0.5, 1.0, 1.0, 1.0, -INF,
                1.0, 0.0, 1.0, NAN, NAN, NAN, -0.5, -0.5, 2.5, -0.5, 2.0, 2.0, 0.0,
            ],
            db: &[
                INF, INF, INF, -INF, -INF, -INF, 4.5, 0.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.5, 4.5, 4.5, 3.0,
                -INF, NAN, NAN, 2.0, 3.0, NAN, 0.5, 5.5, 0.5, 1.5, 4.0, 3.0, 3.0,
            ],
            dda: &[
                -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0,
                -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0,
            ],
            ddb: &[
                -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0,
                -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0,
            ],
        },
        PairTable {
            name: "addcmul",
            call: &|a: &Tensor, b: &Tensor| Tensor::from(1.0).addcmul(a, b, 2.0),
            y: &[
                INF, -INF, -INF, -INF, INF, -INF, -INF, -INF, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, NAN,
                NAN, NAN, NAN, NAN, NAN, NAN, 8.5, -6.5, -6.5, 5.5, 3.0, 1.0, 1.0,
            ],
            da: &[
                -INF, INF, 3.0, -INF, INF, -3.0, INF, -INF, -0.0, 0.0, -0.0, 0.0, -3.0, 3.0, 3.0, 0.0, 0.0, -0.0,
                INF, 0.0, 2.0, 0.0, NAN, NAN, NAN, 3.0, 3.0, -3.0, 3.0, -2.0, -2.0, 2.0,
            ],
            db: &[
                -INF, -INF, -INF, INF, INF, INF, -3.0, 5.0, -0.0, -0.0, 0.0, 0.0, 0.0, 0.0, -0.0, 3.0, -3.0, -3.0,
                0.0, INF, NAN, NAN, 2.0, 0.0, NAN, 5.0, -5.0, 5.0, 3.0, -2.0, 0.0, 0.0,
            ],
            dda: &[
                4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0,
                4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0,
            ],
            ddb: &[
                2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0,
                2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0,
            ],
        },
        PairTable {
            name: "addcdiv",
            call: &|a: &Tensor, b: &Tensor| Tensor::from(1.0).addcdiv(a, b, 2.0),
            y: &[
                NAN, NAN, -INF, NAN, NAN, -INF, 1.0, 1.0, NAN, NAN, NAN, NAN, 1.0, 1.0, 1.0, INF, -INF, INF, 1.0,
                INF, NAN, NAN, NAN, NAN, NAN, 4.333333333333334, -2.3333333333333335, -2.3333333333333335, 3.0, 3.0,
                1.0, 1.0,
            ],
            da: &[
                -0.0, 0.0, 1.3333333333333333, -0.0, 0.0, -1.3333333333333333, 0.0, -0.0, -INF, INF, -INF, INF,
                -1.3333333333333333, 1.3333333333333333, 1.3333333333333333, INF, INF, -INF, 0.0, INF, 2.0, INF, NAN,
                NAN, NAN, 1.3333333333333333, 1.3333333333333333, -1.3333333333333333, 1.3333333333333333, -2.0,
                -2.0, 2.0,
            ],
            db: &[
                NAN, NAN, INF, NAN, NAN, -INF, 0.0, -0.0, NAN, NAN, NAN, NAN, -0.0, -0.0, 0.0, -INF, INF, INF, -0.0,
                -INF, NAN, NAN, NAN, NAN, NAN, -2.2222222222222223, 2.2222222222222223, -2.2222222222222223,
                -1.3333333333333333, 2.0, -0.0, -0.0,
            ],
            dda: &[
                -0.0, -0.0, -1.7777777777777777, -0.0, -0.0, -1.7777777777777777, -0.0, -0.0, -INF, -INF, -INF, -INF,
                -1.7777777777777777, -1.7777777777777777, -1.7777777777777777, -INF, -INF, -INF, -0.0, -INF, -4.0,
                -INF, NAN, NAN, NAN, -1.7777777777777777, -1.7777777777777777, -1.7777777777777777,
                -1.7777777777777777, -4.0, -4.0, -4.0,
            ],
            ddb: &[
                NAN, NAN, -INF, NAN, NAN, -INF, NAN, NAN, NAN, NAN, NAN, NAN, -0.8888888888888888,
                -0.8888888888888888, -0.8888888888888888, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
                5.037037037037038, -6.814814814814815, -6.814814814814815, 2.6666666666666665, 6.0, -2.0, -2.0,
            ],
        },
        PairTable {
            name: "float_power",
            call: &|a: &Tensor, b: &Tensor| a.float_power(b),
            y: &[
                0.0, INF, INF, 0.0, INF, 0.0, INF, 0.0, 1.0, 1.0, 1.0, 1.0, INF, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0,
                NAN, 1.0, 1.0, NAN, NAN, 3.952847075210474, NAN, 0.25298221281347033, 1.8371173070873836, -1.0, INF,
                0.0,
            ],
            da: &[
                NAN, INF, INF, NAN, INF, -0.0, INF, NAN, 0.0, 0.0, 0.0, 0.0, -INF, 0.0, 0.0, 0.0, 0.0, 0.0, NAN, 0.0,
                1.0, 0.0, NAN, NAN, NAN, 2.3717082451262845, NAN, -0.1517893276880822, 1.8371173070873834, -1.0,
                -INF, 1.0,
            ],
            db: &[
                NAN, NAN, NAN, NAN, INF, NAN, NAN, 0.0, 0.0, 0.0, 0.0, 0.0, -INF, 0.0, 0.0, 0.4054651081081644, NAN,
                NAN, 0.0, INF, NAN, NAN, 0.0, NAN, NAN, 3.6219571395312187, NAN, 0.23180525692999798,
                0.7448869675255658, NAN, -INF, 0.0,
            ],
            dda: &[
                NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, INF, NAN, NAN, 1.3333333333333333,
                -1.3333333333333333, -1.3333333333333333, NAN, 0.0, NAN, NAN, NAN, NAN, NAN, 7.982967876631099, NAN,
                0.0760087896228609, 4.551636113530104, NAN, INF, NAN,
            ],
            ddb: &[
                NAN, NAN, NAN, NAN, INF, NAN, NAN, NAN, NAN, NAN, NAN, NAN, INF, NAN, NAN, 0.32880390778633084, NAN,
                NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 10.391844630198685, NAN, 0.3869117480167182,
                2.5736831885493876, NAN, INF, NAN,
            ],
        },
    ]);
}

#[test]
fn steps() {
    let x = Tensor::from([-2.0, -0.0, 0.0, 1.0, INF, NAN]).requires_grad_(true);
    let values = Tensor::from(0.5).requires_grad_(true);
    let step = x.heaviside(&values);
    assert_eq!(step.to_vec::<f64>(), [0.0, 0.5, 0.5, 1.0, 1.0, 0.0]);
    let gradients = grad(step.sum(), [&x, &values]).compute().unwrap();
    assert_eq!((gradients[0].to_vec::<f64>(), gradients[1].item()), (vec![0.0; 6], 2.0));
    assert_eq!(Tensor::from([-1i64, 0, 4]).heaviside(&Tensor::from(7i64)).to_vec::<i64>(), [0, 7, 1]);
    assert_eq!(Tensor::from([true, false]).heaviside(&Tensor::from(false)).to_vec::<bool>(), [true, false]);
}

#[test]
fn signs_of_everything() {
    let x = Tensor::from([-INF, -1.0, -0.0, 0.0, INF, NAN, -NAN]);
    assert_eq!(x.signbit().to_vec::<bool>(), [true, true, true, false, false, false, true]);
    assert_eq!(Tensor::from([-1i64, 0, 4]).signbit().to_vec::<bool>(), [true, false, false]);
    assert_eq!(Tensor::from([true]).signbit().to_vec::<bool>(), [false]);
    assert_eq!(x.isposinf().to_vec::<bool>(), [false, false, false, false, true, false, false]);
    assert_eq!(x.isneginf().to_vec::<bool>(), [true, false, false, false, false, false, false]);
    assert_eq!(Tensor::from([true, false]).isposinf().to_vec::<bool>(), [false; 2]);
    assert_eq!(Tensor::from([i64::MAX]).isposinf().to_vec::<bool>(), [false]);
    assert_eq!(Tensor::from([true, false]).sgn().to_vec::<bool>(), [true, false]);
    assert_eq!(Tensor::from([2i64]).copysign(-1).to_vec::<f32>(), [-2.0]);
    assert!(!Tensor::from([1.0]).requires_grad_(true).signbit().requires_grad());
}

#[test]
fn replacements_fit_the_dtype() {
    let x = Tensor::from([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(x.nan_to_num(0.0, None, None).to_vec::<f32>(), [0.0, f32::MAX, f32::MIN]);
    assert_eq!(Tensor::from([3i64]).nan_to_num(0.0, None, None).to_vec::<i64>(), [3]);
}

#[test]
fn decimals_are_rounded_in_the_dtype() {
    // torch's values: 0.35 is just below in single precision, but ten times it rounds to 3.5.
    assert_eq!(Tensor::from([0.25f32, 0.35, -1.45]).round_decimals(1).to_vec::<f32>(), [0.2, 0.4, -1.4]);
    assert_eq!(Tensor::from([0.5]).round_decimals(0).item(), 0.0);
}

#[test]
fn both_ends_of_a_lerp_are_exact() {
    let (start, end) = (Tensor::from([1e16, 0.1]), Tensor::from([1.0, 0.7]));
    for weight in [0.0, 1.0] {
        let expected = if weight == 0.0 { &start } else { &end };
        assert!(start.lerp(&end, weight).equal(expected));
        assert!(start.lerp(&end, &Tensor::from(weight)).equal(expected));
    }
    assert_eq!(Tensor::from([1.0f32]).lerp(&Tensor::from([2.0f32]), 0.75).to_vec::<f32>(), [1.75]);
}

#[test]
fn products_of_integers_stay_integers() {
    let x = Tensor::from([1i64, 2, 3]);
    assert_eq!(x.addcmul(&x, &x, 2.0).to_vec::<i64>(), [3, 10, 21]);
    assert_eq!(x.addcmul(&x, &x.double(), 0.5).to_vec::<f64>(), [1.5, 4.0, 7.5]);
    assert_eq!(x.addcdiv(&x.double(), &x, 1.0).to_vec::<f64>(), [2.0, 3.0, 4.0]);
    assert_eq!(x.float_power(-2).dtype(), DType::F64);
    assert_eq!(x.deg2rad().dtype(), DType::F32);
}

macro_rules! refusals {
    ($($name:ident: $message:literal, $call:expr;)+) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $name() {
            let _ = $call;
        }
    )+};
}

refusals! {
    frac_of_integers: "frac: not implemented for dtype int64", Tensor::from([1i64]).frac();
    round_decimals_of_integers: "round_decimals: not implemented for dtype int64",
        Tensor::from([1i64]).round_decimals(1);
    positive_of_truth_values: "positive: The `+` operator, on a bool tensor is not supported",
        Tensor::from([true]).positive();
    hypot_of_integers: "hypot: not implemented for dtype int64", Tensor::from([1i64]).hypot(&Tensor::from([1i64]));
    heaviside_of_two_dtypes:
        "heaviside: is not implemented for tensors with different dtypes, but got float64 and int64",
        Tensor::from([1.0]).heaviside(&Tensor::from([1i64]));
    lerp_of_two_dtypes: "lerp: expected one floating-point dtype, but got float32 for `self`, float64 for `end`",
        Tensor::from([1f32]).lerp(&Tensor::from([1.0]), 0.5);
    addcmul_of_integers_by_a_fraction: "addcmul: value must not be a floating point number for integers, but got 0.5",
        Tensor::from([1i64]).addcmul(&Tensor::from([1i64]), &Tensor::from([1i64]), 0.5);
    addcdiv_of_integers: "addcdiv: Integer division with addcdiv is not supported",
        Tensor::from([1i64]).addcdiv(&Tensor::from([1i64]), &Tensor::from([1i64]), 1.0);
}
