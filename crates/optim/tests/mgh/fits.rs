//! Models fitted to data: 8 to 12, 15 to 19.

use super::{Problem, fractions, steps, unknowns};
use tape::Tensor;

pub fn problems() -> Vec<Problem> {
    vec![
        Problem {
            number: 8,
            name: "Bard",
            start: vec![1.0, 1.0, 1.0],
            residuals: bard,
            minima: &[8.21487e-3],
            minimizer: None,
        },
        Problem {
            number: 9,
            name: "Gaussian",
            start: vec![0.4, 1.0, 0.0],
            residuals: gaussian,
            minima: &[1.12793e-8],
            minimizer: None,
        },
        Problem {
            number: 10,
            name: "Meyer",
            start: vec![0.02, 4000.0, 250.0],
            residuals: meyer,
            minima: &[87.9458],
            minimizer: None,
        },
        Problem {
            number: 11,
            name: "Gulf research and development",
            start: vec![5.0, 2.5, 0.15],
            residuals: gulf,
            minima: &[0.0],
            minimizer: Some(vec![50.0, 25.0, 1.5]),
        },
        Problem {
            number: 12,
            name: "Box three-dimensional",
            start: vec![0.0, 10.0, 20.0],
            residuals: box_three_dimensional,
            minima: &[0.0],
            minimizer: Some(vec![1.0, 10.0, 1.0]),
        },
        Problem {
            number: 15,
            name: "Kowalik and Osborne",
            start: vec![0.25, 0.39, 0.415, 0.39],
            residuals: kowalik_osborne,
            minima: &[3.07505e-4],
            minimizer: None,
        },
        Problem {
            number: 16,
            name: "Brown and Dennis",
            start: vec![25.0, 5.0, -5.0, -1.0],
            residuals: brown_dennis,
            minima: &[85822.2],
            minimizer: None,
        },
        Problem {
            number: 17,
            name: "Osborne 1",
            start: vec![0.5, 1.5, -1.0, 0.01, 0.02],
            residuals: osborne_1,
            minima: &[5.46489e-5],
            minimizer: None,
        },
        Problem {
            number: 18,
            name: "Biggs EXP6",
            start: vec![1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            residuals: biggs,
            minima: &[0.0, 5.65565e-3],
            minimizer: Some(vec![1.0, 10.0, 1.0, 5.0, 4.0, 3.0]),
        },
        Problem {
            number: 19,
            name: "Osborne 2",
            start: vec![1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5],
            residuals: osborne_2,
            minima: &[4.01377e-2],
            minimizer: None,
        },
    ]
}

fn bard(x: &Tensor) -> Tensor {
    const Y: [f64; 15] = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39];
    let [a, b, c] = unknowns(x);
    let u = steps(1, 15, 1.0);
    let v = 16.0 - &u;
    let w = u.minimum(&v);
    Tensor::from(Y) - (a + u / (v * b + w * c))
}

fn gaussian(x: &Tensor) -> Tensor {
    const Y: [f64; 15] = [
        0.0009, 0.0044, 0.0175, 0.054, 0.1295, 0.242, 0.3521, 0.3989, 0.3521, 0.242, 0.1295, 0.054, 0.0175, 0.0044,
        0.0009,
    ];
    let [height, sharpness, centre] = unknowns(x);
    let t = (8.0 - steps(1, 15, 1.0)) / 2.0;
    height * (-sharpness * (t - centre).square() / 2.0).exp() - Tensor::from(Y)
}

fn meyer(x: &Tensor) -> Tensor {
    const Y: [f64; 16] = [
        34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0, 6005.0, 5147.0, 4427.0,
        3820.0, 3307.0, 2872.0,
    ];
    let [a, b, c] = unknowns(x);
    a * (b / (steps(10, 16, 5.0) + c)).exp() - Tensor::from(Y)
}

/// The paper prints `|y_i m i x_2|` where `|y_i - x_2|` is meant: with the latter alone the loss is zero at the
/// minimizer it gives.
fn gulf(x: &Tensor) -> Tensor {
    let [a, b, c] = unknowns(x);
    let t = fractions(99, 100.0);
    let y = (t.log() * -50.0).pow(2.0 / 3.0) + 25.0;
    (-(y - b).abs().pow(&c) / a).exp() - t
}

/// With ten residuals.
fn box_three_dimensional(x: &Tensor) -> Tensor {
    let [a, b, c] = unknowns(x);
    let t = fractions(10, 10.0);
    let model = (-&t * a).exp() - (-&t * b).exp();
    model - c * ((-&t).exp() - (t * -10.0).exp())
}

fn kowalik_osborne(x: &Tensor) -> Tensor {
    const Y: [f64; 11] = [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246];
    const U: [f64; 11] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625];
    let [a, b, c, d] = unknowns(x);
    let u = Tensor::from(U);
    let square = u.square();
    Tensor::from(Y) - a * (&square + &u * b) / (square + u * c + d)
}

/// With twenty residuals.
fn brown_dennis(x: &Tensor) -> Tensor {
    let [a, b, c, d] = unknowns(x);
    let t = fractions(20, 5.0);
    (a + &t * b - t.exp()).square() + (c + d * t.sin() - t.cos()).square()
}

fn osborne_1(x: &Tensor) -> Tensor {
    const Y: [f64; 33] = [
        0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
        0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
        0.406,
    ];
    let [a, b, c, d, e] = unknowns(x);
    let t = steps(0, 33, -10.0);
    Tensor::from(Y) - (a + b * (&t * d).exp() + c * (&t * e).exp())
}

/// With thirteen residuals.
fn biggs(x: &Tensor) -> Tensor {
    let [a, b, c, d, e, f] = unknowns(x);
    let t = -fractions(13, 10.0);
    let y = t.exp() - (&t * 10.0).exp() * 5.0 + (&t * 4.0).exp() * 3.0;
    c * (&t * a).exp() - d * (&t * b).exp() + f * (&t * e).exp() - y
}

fn osborne_2(x: &Tensor) -> Tensor {
    const Y: [f64; 65] = [
        1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655, 0.616, 0.606,
        0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495, 0.500, 0.423,
        0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668,
        0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098,
        0.054,
    ];
    let [h0, h1, h2, h3, w0, w1, w2, w3, c1, c2, c3] = unknowns(x);
    let t = steps(0, 65, 1.0) / 10.0;
    let bump = |height: Tensor, width: Tensor, centre: Tensor| height * (-(&t - centre).square() * width).exp();
    let decay = h0 * (-&t * w0).exp();
    Tensor::from(Y) - (decay + bump(h1, w1, c1) + bump(h2, w2, c2) + bump(h3, w3, c3))
}
