//! The search against recorded results and against the conditions themselves.

use super::*;

/// Searches `phi`, which returns value and slope, along a direction of one component 1.
fn search(
    mut phi: impl FnMut(f64) -> (f64, f64),
    first: f64,
    conditions: Conditions,
) -> (Result<Found<f64>, Breakdown>, Vec<f64>) {
    let mut trials = Vec::new();
    let (loss, slope) = phi(0.0);
    let start = Point { t: Number::Int(0), loss, slope, slot: 0 };
    let found = strong_wolfe(start, Number::Float(first), 1.0, conditions, &mut |t, _| {
        trials.push(t.to_f64());
        Ok(phi(t.to_f64()))
    });
    (found, trials)
}

/// The six functions of Moré and Thuente's paper on line searches.
fn more_thuente(which: usize, a: f64) -> (f64, f64) {
    let yanai = |b1: f64, b2: f64| {
        let gamma = |b: f64| (1.0 + b * b).sqrt() - b;
        let (u, v) = (((1.0 - a).powi(2) + b2 * b2).sqrt(), (a * a + b1 * b1).sqrt());
        (gamma(b1) * u + gamma(b2) * v, -gamma(b1) * (1.0 - a) / u + gamma(b2) * a / v)
    };
    match which {
        1 => (-a / (a * a + 2.0), (a * a - 2.0) / (a * a + 2.0).powi(2)),
        2 => {
            let z = a + 0.004;
            (z.powi(5) - 2.0 * z.powi(4), 5.0 * z.powi(4) - 8.0 * z.powi(3))
        }
        3 => {
            let (beta, l) = (0.01, 39.0);
            let (base, slope) = if a <= 1.0 - beta {
                (1.0 - a, -1.0)
            } else if a >= 1.0 + beta {
                (a - 1.0, 1.0)
            } else {
                ((a - 1.0).powi(2) / (2.0 * beta) + beta / 2.0, (a - 1.0) / beta)
            };
            let wave = l * std::f64::consts::FRAC_PI_2;
            let height = 2.0 * (1.0 - beta) / (l * std::f64::consts::PI);
            (base + height * (wave * a).sin(), slope + height * wave * (wave * a).cos())
        }
        4 => yanai(0.001, 0.001),
        5 => yanai(0.01, 0.001),
        _ => yanai(0.001, 0.01),
    }
}

/// Accepted steps and evaluations of minFunc's search, of which torch's is a port, on the same rows:
/// function, first step, accepted step, evaluations.
const MINFUNC: [(usize, f64, f64, usize); 24] = [
    (1, 1e-3, 1.4218, 6),
    (1, 0.1, 1.4218, 4),
    (1, 10.0, 10.0, 1),
    (1, 1000.0, 333.34, 37),
    (2, 1e-3, 1.5960, 13),
    (2, 0.1, 1.5960, 10),
    (2, 10.0, 1.5960, 9),
    (2, 1000.0, 1.5960, 14),
    (3, 1e-3, 1.0, 14),
    (3, 0.1, 1.0, 11),
    (3, 10.0, 1.0, 9),
    (3, 1000.0, 1.0, 12),
    (4, 1e-3, 0.030526, 4),
    (4, 0.1, 0.1, 1),
    (4, 10.0, 0.34963, 3),
    (4, 1000.0, 0.90475, 4),
    (5, 1e-3, 0.074271, 7),
    (5, 0.1, 0.071748, 3),
    (5, 10.0, 0.075308, 6),
    (5, 1000.0, 0.073117, 8),
    (6, 1e-3, 0.92579, 8),
    (6, 0.1, 0.92706, 11),
    (6, 10.0, 0.92593, 7),
    (6, 1000.0, 0.92918, 10),
];

#[test]
fn minfuncs_table_is_reproduced() {
    let mut wrong = Vec::new();
    for (which, first, step, evaluations) in MINFUNC {
        let (c1, c2) = [(1e-3, 0.1), (0.1, 0.1), (0.1, 0.1), (1e-3, 1e-3), (1e-3, 1e-3), (1e-3, 1e-3)][which - 1];
        let conditions = Conditions { c1, c2, max_steps: 10_000, ..Conditions::TORCH };
        let (found, trials) = search(|t| more_thuente(which, t), first, conditions);
        let t = found.unwrap().point.t.to_f64();
        if (t - step).abs() > 1e-4 * step || trials.len() != evaluations {
            wrong.push((which, first, t, step, trials.len(), evaluations));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn accepted_points_satisfy_the_strong_wolfe_conditions() {
    let torch = Conditions::TORCH;
    for which in 1..=6 {
        let (phi0, slope0) = more_thuente(which, 0.0);
        for k in 0..60 {
            let (found, _) = search(|t| more_thuente(which, t), 1e-3 * 1.25_f64.powi(k), torch);
            let found = found.unwrap();
            let t = found.point.t.to_f64();
            let (phi, slope) = more_thuente(which, t);
            assert_eq!((found.point.loss, found.point.slope), (phi, slope), "the point is the one evaluated at t");
            assert!(phi <= phi0, "function {which}, start {k}");
            if found.ending == Ending::Accepted {
                assert!(phi <= phi0 + torch.c1 * t * slope0, "function {which}, start {k}");
                assert!(slope.abs() <= -torch.c2 * slope0, "function {which}, start {k}");
            }
        }
    }
}

#[test]
fn a_line_of_nan_is_walked_as_torch_walks_it() {
    let (found, trials) = search(|_| (f64::NAN, f64::NAN), 1.0, Conditions::TORCH);
    let found = found.unwrap();
    assert_eq!((trials.len(), found.ending), (26, Ending::OutOfSteps));
    assert!(matches!(found.point.t, Number::Float(t) if (t / 3.29e18 - 1.0).abs() < 1e-2), "{:?}", found.point.t);
}

#[test]
fn where_torch_raises_a_breakdown_is_returned() {
    let (found, trials) = search(|t| (-t, -1.0), 0.0, Conditions::TORCH);
    assert_eq!((found.unwrap_err(), trials.len()), (Breakdown::ZeroDivision, 1));
    let flat_nan = |t: f64| if t == 0.0 { (1.0, -1.0) } else { (f64::NAN, 0.0) };
    let (found, trials) = search(flat_nan, 1.0, Conditions::TORCH);
    assert_eq!((found.unwrap_err(), trials.len()), (Breakdown::NanLoss, 1));
}

#[test]
fn a_line_without_minimum_ends_at_the_better_end_of_the_last_bracket() {
    let (found, trials) = search(|t| (-t, -1.0), 1.0, Conditions::TORCH);
    let found = found.unwrap();
    assert_eq!((trials.len(), found.ending), (26, Ending::OutOfSteps));
    assert_eq!(found.point.t.to_f64(), *trials.last().unwrap());
    // A plain step grows by exactly ten where the cubic points further.
    assert_eq!(trials[1], 10.0);
}

#[test]
fn an_integer_first_step_stays_one_when_it_is_only_multiplied() {
    let start = Point { t: Number::Int(0), loss: 0.0, slope: -1.0_f32, slot: 0 };
    let mut kinds = Vec::new();
    let evaluate = &mut |t: Number<f32>, _| {
        kinds.push(t);
        Ok::<_, Breakdown>(if kinds.len() == 2 { (-20.0, 0.5) } else { (-t.to_f64(), -1.0) })
    };
    let found = strong_wolfe(start, Number::Int(1), 1.0, Conditions::TORCH, evaluate).unwrap();
    assert!(matches!(found.point.t, Number::Int(10)), "{:?}", found.point.t);
}

#[test]
fn gradients_of_live_points_are_never_overwritten() {
    for which in 1..=6 {
        for first in [1e-3, 0.1, 10.0, 1000.0] {
            let (loss, slope) = more_thuente(which, 0.0);
            let mut buffers = [0.0, f64::NAN, f64::NAN];
            let start = Point { t: Number::Int(0), loss, slope, slot: 0 };
            let found = strong_wolfe(start, Number::Float(first), 1.0, Conditions::TORCH, &mut |t, slot| {
                buffers[slot] = t.to_f64();
                Ok::<_, Breakdown>(more_thuente(which, t.to_f64()))
            });
            let point = found.unwrap().point;
            assert_eq!(buffers[point.slot], point.t.to_f64());
        }
    }
}
