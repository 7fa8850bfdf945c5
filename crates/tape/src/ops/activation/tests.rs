use crate::Tensor;
use crate::op::{Sample, unary_samples};
use crate::ops::function::check::{Table, assert_like_torch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The samples of an operation, by its type.
pub(super) fn samples_of(op: &str) -> Vec<Sample> {
    match op {
        "Silu" => unary_samples(-3.0, 3.0, Tensor::silu),
        "Mish" => unary_samples(-3.0, 3.0, Tensor::mish),
        "Gelu" => unary_samples(-3.0, 3.0, Tensor::gelu),
        "GeluTanh" => unary_samples(-3.0, 3.0, Tensor::gelu_tanh),
        "LeakyRelu" => unary_samples(-2.0, 2.0, |x| x.leaky_relu(0.1) * x),
        "Elu" => {
            let mut samples = unary_samples(-2.0, 2.0, |x| x.elu(1.5));
            samples.extend(unary_samples(-2.0, 2.0, |x| x.celu(2.0)));
            samples.extend(unary_samples(-2.0, 2.0, |x| x.selu()));
            samples
        }
        "Hardtanh" => {
            let mut samples = unary_samples(-2.0, 2.0, |x| x.hardtanh(-0.7, 1.2) * x);
            samples.extend(unary_samples(-2.0, 7.0, |x| x.relu6() * x));
            samples
        }
        _ => Vec::new(),
    }
}

#[test]
fn smooth_activations_and_their_derivatives_at_special_points() {
    assert_like_torch(&[
        Table {
            name: "silu",
            call: &Tensor::silu,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[
                NAN,
                -4.122307236380407e-08,
                -0.2736382857095345,
                -0.0,
                0.0,
                0.3112296656009273,
                1.7615941559557646,
                INF,
                NAN,
            ],
            dy: &[
                NAN,
                -3.9161918660646786e-08,
                -0.041294154299142946,
                0.5,
                0.5,
                0.7399611873026519,
                1.0907842487848955,
                NAN,
                NAN,
            ],
            ddy: &[
                NAN,
                -3.710076488101913e-08,
                0.15619758496353672,
                0.5,
                0.5,
                0.4412290269770286,
                0.05006216869470701,
                NAN,
                NAN,
            ],
        },
        Table {
            name: "mish",
            call: &Tensor::mish,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[
                NAN,
                -4.122307240628762e-08,
                -0.29809974216680674,
                -0.0,
                0.0,
                0.3752452113048951,
                1.9439589595339946,
                INF,
                NAN,
            ],
            dy: &[
                NAN,
                -3.916191874348969e-08,
                -0.06409781589225869,
                0.6,
                0.6,
                0.8864243753577272,
                1.0693179342794896,
                NAN,
                NAN,
            ],
            ddy: &[
                NAN,
                -3.710076504245659e-08,
                0.15461475356154317,
                0.64,
                0.64,
                0.46805337784488654,
                -0.05772466740829399,
                NAN,
                NAN,
            ],
        },
        Table {
            name: "gelu",
            call: &Tensor::gelu,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[NAN, -0.0, -0.10021080190328704, -0.0, 0.0, 0.34573123063700656, 1.9544997361036416, INF, NAN],
            dy: &[
                NAN,
                -1.1041896724319527e-86,
                -0.1274691922299796,
                0.5,
                0.5,
                0.8674951246561629,
                1.085231801078197,
                NAN,
                NAN,
            ],
            ddy: &[
                NAN,
                -2.197337448139586e-85,
                -0.03237939891647296,
                0.7978845608028654,
                0.7978845608028654,
                0.6161143218375241,
                -0.10798193302637613,
                NAN,
                NAN,
            ],
        },
        Table {
            name: "gelu_tanh",
            call: &Tensor::gelu_tanh,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[NAN, -0.0, -0.10042842301976707, -0.0, 0.0, 0.34571400982514394, 1.954597694087775, INF, NAN],
            dy: &[NAN, 0.0, -0.12771079315143308, 0.5, 0.5, 0.8673699035346424, 1.0860992566236183, NAN, NAN],
            ddy: &[
                NAN,
                -2.5679075796379862e-257,
                -0.03051819648422486,
                0.7978845608028654,
                0.7978845608028654,
                0.615506895115985,
                -0.10787507995107845,
                NAN,
                NAN,
            ],
        },
        Table {
            name: "leaky_relu",
            call: &|x: &Tensor| x.leaky_relu(0.1),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-INF, -2.0, -0.15000000000000002, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            dy: &[0.1, 0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0, 0.1],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "elu",
            call: &|x: &Tensor| x.elu(1.0),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, 800.0],
            y: &[-1.0, -0.9999999979388464, -0.7768698398515702, -0.0, 0.0, 0.5, 2.0, INF, NAN, 800.0],
            dy: &[0.0, 2.061153622438558e-09, 0.22313016014842982, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            ddy: &[0.0, 2.061153622438558e-09, 0.22313016014842982, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "elu of alpha 2",
            call: &|x: &Tensor| x.elu(2.0),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-2.0, -1.9999999958776928, -1.5537396797031404, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            dy: &[0.0, 4.122307244877116e-09, 0.44626032029685964, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            ddy: &[0.0, 4.122307244877116e-09, 0.44626032029685964, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "celu",
            call: &|x: &Tensor| x.celu(2.0),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-2.0, -1.999909200140475, -1.0552668945179706, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            dy: &[0.0, 4.5399929762484854e-05, 0.4723665527410147, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            ddy: &[0.0, 2.2699964881242427e-05, 0.23618327637050734, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "selu",
            call: &Tensor::selu,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[
                -1.7580993408473766,
                -1.758099337223664,
                -1.3658143533672527,
                -0.0,
                0.0,
                0.5253504936777402,
                2.101401974710961,
                INF,
                NAN,
            ],
            dy: &[
                0.0,
                3.6237128249944113e-09,
                0.392284987480124,
                1.7580993408473766,
                1.7580993408473766,
                1.0507009873554805,
                1.0507009873554805,
                1.0507009873554805,
                1.0507009873554805,
            ],
            ddy: &[0.0, 3.6237128249944113e-09, 0.392284987480124, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "relu6",
            call: &Tensor::relu6,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, 6.0, 7.0],
            y: &[0.0, 0.0, 0.0, -0.0, 0.0, 0.5, 2.0, 6.0, NAN, 6.0, 6.0],
            dy: &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "hardtanh",
            call: &|x: &Tensor| x.hardtanh(-1.0, 0.5),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, -1.0],
            y: &[-1.0, -1.0, -1.0, -0.0, 0.0, 0.5, 0.5, 0.5, NAN, -1.0],
            dy: &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
    ]);
}

#[test]
fn activations_of_pieces_and_their_derivatives_at_special_points() {
    assert_like_torch(&[
        Table {
            name: "hardsigmoid",
            call: &Tensor::hardsigmoid,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, -3.0, 3.0],
            y: &[0.0, 0.0, 0.25, 0.5, 0.5, 0.5833333333333334, 0.8333333333333334, 1.0, NAN, 0.0, 1.0],
            dy: &[
                0.0,
                0.0,
                0.16666666666666666,
                0.16666666666666666,
                0.16666666666666666,
                0.16666666666666666,
                0.16666666666666666,
                0.0,
                0.0,
                0.0,
                0.0,
            ],
            ddy: &[],
        },
        Table {
            name: "hardswish",
            call: &Tensor::hardswish,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, -3.0, 3.0],
            y: &[NAN, -0.0, -0.375, -0.0, 0.0, 0.2916666666666667, 1.6666666666666667, INF, NAN, -0.0, 3.0],
            dy: &[0.0, 0.0, 0.0, 0.5, 0.5, 0.6666666666666666, 1.1666666666666665, 1.0, 1.0, 0.0, 1.0],
            ddy: &[
                0.0,
                0.0,
                0.3333333333333333,
                0.3333333333333333,
                0.3333333333333333,
                0.3333333333333333,
                0.3333333333333333,
                0.0,
                0.0,
                0.0,
                0.0,
            ],
        },
        Table {
            name: "softshrink",
            call: &|x: &Tensor| x.softshrink(0.5),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, -0.5],
            y: &[-INF, -19.5, -1.0, 0.0, 0.0, 0.0, 1.5, INF, NAN, 0.0],
            dy: &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "hardshrink",
            call: &|x: &Tensor| x.hardshrink(0.5),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN, -0.5],
            y: &[-INF, -20.0, -1.5, 0.0, 0.0, 0.0, 2.0, INF, NAN, 0.0],
            dy: &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "tanhshrink",
            call: &Tensor::tanhshrink,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-INF, -19.0, -0.5948517463551336, 0.0, 0.0, 0.03788284273999026, 1.035972419924183, INF, NAN],
            dy: &[1.0, 1.0, 0.8192933610763514, 0.0, 0.0, 0.2135522670340726, 0.9293491751468356, 1.0, NAN],
            ddy: &[-0.0, -0.0, -0.32713259728754795, -0.0, 0.0, 0.7268619813835873, 0.13621868742711296, 0.0, NAN],
        },
        Table {
            name: "softsign",
            call: &Tensor::softsign,
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[NAN, -0.9523809523809523, -0.6, -0.0, 0.0, 0.3333333333333333, 0.6666666666666666, NAN, NAN],
            dy: &[
                NAN,
                0.0022675736961451226,
                0.16000000000000003,
                1.0,
                1.0,
                0.4444444444444444,
                0.1111111111111111,
                NAN,
                NAN,
            ],
            ddy: &[NAN, 0.00021595939963286927, 0.128, -0.0, -0.0, -0.5925925925925926, -0.07407407407407407, NAN, NAN],
        },
        Table {
            name: "threshold",
            call: &|x: &Tensor| x.threshold(0.5, 7.0),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 2.0, INF, NAN],
            dy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "glu",
            call: &|x: &Tensor| x.glu(0),
            x: &[-1e+300, -2.0, 0.0, 1e+300, NAN, 1.0, 0.5, 0.5, -800.0, 0.5, 0.5, INF],
            y: &[-6.2245933120185466e+299, -1.2449186624037092, 0.0, 6.2245933120185466e+299, NAN, 1.0],
            dy: &[
                0.6224593312018546,
                0.6224593312018546,
                0.0,
                0.6224593312018546,
                0.6224593312018546,
                1.0,
                -2.350037122015945e+299,
                -0.470007424403189,
                0.0,
                2.350037122015945e+299,
                NAN,
                0.0,
            ],
            ddy: &[
                0.2350037122015945,
                0.2350037122015945,
                0.0,
                0.2350037122015945,
                0.2350037122015945,
                0.0,
                5.755679485232075e+298,
                0.350117301906236,
                0.0,
                -5.755679485232075e+298,
                NAN,
                0.0,
            ],
        },
        Table {
            name: "prelu",
            call: &|x: &Tensor| x.prelu(&Tensor::from([0.2])),
            x: &[-INF, -20.0, -1.5, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            y: &[-INF, -4.0, -0.30000000000000004, -0.0, 0.0, 0.5, 2.0, INF, NAN],
            dy: &[0.2, 0.2, 0.2, 0.2, 0.2, 1.0, 1.0, 1.0, 0.2],
            ddy: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
        Table {
            name: "softmin",
            call: &|x: &Tensor| x.softmin(0),
            x: &[-1.0, 0.0, 2.0, INF],
            y: &[0.7053845126982412, 0.25949646034241913, 0.03511902695933973, 0.0],
            dy: &[-0.0, -0.0, -0.0, -0.0],
            ddy: &[-0.0, -0.0, -0.0, -0.0],
        },
    ]);
}

#[test]
fn single_precision_is_accurate() {
    let x = crate::op::spread(&[999], -12.0, 12.0).float();
    type Activation = fn(&Tensor) -> Tensor;
    let functions: [(&str, Activation); 10] = [
        ("silu", Tensor::silu),
        ("mish", Tensor::mish),
        ("gelu", Tensor::gelu),
        ("gelu_tanh", Tensor::gelu_tanh),
        ("leaky_relu", |x| x.leaky_relu(0.1)),
        ("elu", |x| x.elu(1.5)),
        ("celu", |x| x.celu(2.0)),
        ("selu", Tensor::selu),
        ("relu6", Tensor::relu6),
        ("hardswish", Tensor::hardswish),
    ];
    for (name, function) in functions {
        let pass = |x: &Tensor| {
            let x = x.requires_grad_(true);
            let y = function(&x);
            let slope = crate::grad(y.sum(), &x).compute().unwrap().remove(0);
            [y.double().to_vec::<f64>(), slope.double().to_vec::<f64>()]
        };
        for (found, expected) in pass(&x.copy()).iter().zip(pass(&x.double())) {
            for (found, expected) in found.iter().zip(expected) {
                let error = (found - expected).abs() / (1.0 + expected.abs());
                assert!(error < 4.0 * f64::from(f32::EPSILON), "{name}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn integers_and_truth_values_as_in_torch() {
    assert_eq!(Tensor::from([-3i64, 0, 9]).relu6().to_vec::<i64>(), [0, 0, 6]);
    assert_eq!(Tensor::from([1i64, 2, 3]).threshold(1.0, 5.0).to_vec::<i64>(), [5, 2, 3]);
    assert_eq!(Tensor::from([1i64, -3]).softsign().to_vec::<f32>(), [0.5, -0.75]);
    assert_eq!(Tensor::from([0i64, 2]).tanhshrink().to_vec::<f32>(), [0.0, 1.0359724]);
}

#[test]
fn slopes_of_channels() {
    let x = Tensor::full([2, 3, 2], -1.0, crate::DType::F64);
    let weight = Tensor::from([0.1, 0.2, 0.3]).requires_grad_(true);
    let y = x.prelu(&weight);
    assert_eq!(y.i((1, .., 0)).to_vec::<f64>(), [-0.1, -0.2, -0.3]);
    y.sum().backward().unwrap();
    assert_eq!(weight.grad().unwrap().to_vec::<f64>(), [-4.0; 3]);
    // An infinite element above zero leaves the slope's gradient alone.
    let slope = Tensor::from([0.5]).requires_grad_(true);
    Tensor::from([INF, -2.0]).prelu(&slope).sum().backward().unwrap();
    assert_eq!(slope.grad().unwrap().to_vec::<f64>(), [-2.0]);
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
    silu_of_integers: "silu: not implemented for dtype int64", Tensor::from([1i64]).silu();
    hardtanh_of_truth_values: "hardtanh: not implemented for dtype bool", Tensor::from([true]).hardtanh(0.0, 1.0);
    hardtanh_of_nothing_between: "hardtanh: min_val cannot be greater than max_val, but got 2 and 1",
        Tensor::from([1.0]).hardtanh(2.0, 1.0);
    celu_of_alpha_zero: "celu: ZeroDivisionError: alpha cannot be 0 for CELU", Tensor::from([1.0]).celu(0.0);
    softshrink_of_a_negative_interval: "softshrink: lambda must be greater or equal to 0, but found to be -1",
        Tensor::from([1.0]).softshrink(-1.0);
    glu_of_an_odd_size: "glu: Halving dimension must be even, but dimension 0 is size 3",
        Tensor::from([1.0, 2.0, 3.0]).glu(-1);
    glu_of_a_scalar: "glu: does not support scalars because halving size must be even", Tensor::from(1.0).glu(0);
    prelu_of_other_channels: "Found parameter numbers = 2 and channel size = 3",
        Tensor::from([[1.0, 2.0, 3.0]]).prelu(&Tensor::from([0.1, 0.2]));
    prelu_without_channels: "Found parameter numbers = 2 and channel size = 1",
        Tensor::from([1.0, 2.0]).prelu(&Tensor::from([0.1, 0.2]));
    prelu_of_a_matrix: "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = 2",
        Tensor::from([1.0]).prelu(&Tensor::from([[0.1, 0.2]]));
    prelu_of_two_dtypes: "prelu: Type promoting not supported. Got float64 and float32",
        Tensor::from([1.0]).prelu(&Tensor::from([0.1f32]));
}
