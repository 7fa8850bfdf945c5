//! A quadratic model of the loss from differences of gradients.

use super::finding::{Cause, Certainty, Finding, Findings};
use super::line::Line;
use super::number::Short;
use super::point::{Base, dot, norm, plus, scaled};
use super::probe::{Failed, Probe};

/// Directions along which the gradient is differenced: the first is that of the line.
const DIRECTIONS: usize = 3;

/// The Hessian on a small subspace (Lanczos' method with full orthogonalisation), and the sizes of its rows.
pub(super) struct Model {
    /// Eigenvalues on the subspace, and the gradient's component along each eigenvector.
    ritz: Vec<(f64, f64)>,
    /// Curvatures below this are not told from zero.
    floor: f64,
    /// Largest and smallest row of the Hessian, by element, where they can be measured.
    rows: Option<(Row, Row)>,
    /// How much of the gradient the subspace has.
    share: f64,
}

/// An element and the size of its row of the Hessian.
type Row = (usize, f64);

/// What one Newton step would gain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newton {
    pub(super) decrease: f64,
    pub(super) length: f64,
}

/// Builds the model with up to two further evaluations.
pub(super) fn model(probe: &mut Probe<'_, '_>, base: &Base, line: &Line) -> Result<Model, Failed> {
    let pair = &line.pair;
    let width = plus(&pair.plus.moved, -1.0, &pair.minus.moved);
    let length = norm(&width);
    let mut vectors = vec![scaled(1.0 / length, &width)];
    let mut products = vec![scaled(1.0 / length, &plus(&pair.plus.gradient, -1.0, &pair.minus.gradient))];
    let mut shortest = length;
    let dimensions = base.active.iter().filter(|active| **active).count().min(DIRECTIONS);
    let negligible = base.eps.sqrt();
    while vectors.len() < dimensions {
        let image = &products[products.len() - 1];
        let mut next: Vec<f64> = image.iter().zip(&base.active).map(|(w, on)| if *on { *w } else { 0.0 }).collect();
        for _ in 0..2 {
            for v in &vectors {
                next = plus(&next, -dot(&next, v), v);
            }
        }
        let size = norm(&next);
        if size <= negligible * norm(image) || size == 0.0 {
            break;
        }
        let unit = scaled(1.0 / size, &next);
        let relative = norm(&unit.iter().zip(&base.scale).map(|(v, s)| v / s).collect::<Vec<_>>());
        let sample = probe.at(&scaled(line.h / relative, &unit))?;
        let moved = norm(&sample.moved);
        if !sample.is_finite() || moved == 0.0 {
            break;
        }
        shortest = shortest.min(moved);
        products.push(scaled(1.0 / moved, &plus(&sample.gradient, -1.0, &base.gradient)));
        vectors.push(scaled(1.0 / moved, &sample.moved));
    }
    Ok(Model::new(probe, base, &vectors, &products, shortest))
}

impl Model {
    fn new(probe: &Probe<'_, '_>, base: &Base, vectors: &[Vec<f64>], products: &[Vec<f64>], shortest: f64) -> Self {
        let k = vectors.len();
        let mut matrix = [[0.0; DIRECTIONS]; DIRECTIONS];
        for i in 0..k {
            for j in 0..k {
                matrix[i][j] = (dot(&vectors[i], &products[j]) + dot(&vectors[j], &products[i])) / 2.0;
            }
        }
        let (values, basis) = eigen(matrix, k);
        let along: Vec<f64> = vectors.iter().map(|v| dot(v, &base.gradient)).collect();
        let ritz: Vec<(f64, f64)> = (0..k).map(|e| (values[e], (0..k).map(|i| basis[i][e] * along[i]).sum())).collect();
        let largest = ritz.iter().fold(0.0_f64, |max, (value, _)| max.max(value.abs()));
        let steepest = norm(&base.gradient);
        let floor = (base.eps.sqrt() * largest).max(8.0 * base.eps * steepest / shortest);
        let share = if steepest > 0.0 { norm(&along) / steepest } else { 0.0 };
        Self { ritz, floor, rows: rows(probe, base, vectors, products, shortest), share }
    }

    /// The gain of a Newton step on the subspace, if the loss is convex there.
    pub(super) fn newton(&self) -> Option<Newton> {
        if self.share < 0.3 || self.ritz.iter().any(|(value, _)| *value <= self.floor) {
            return None;
        }
        let decrease = self.ritz.iter().map(|(value, g)| g * g / (2.0 * value)).sum();
        let length = norm(&self.ritz.iter().map(|(value, g)| g / value).collect::<Vec<_>>());
        Some(Newton { decrease, length })
    }

    /// The largest curvature.
    pub(super) fn largest(&self) -> f64 {
        self.ritz.iter().fold(0.0_f64, |max, (value, _)| max.max(value.abs()))
    }

    /// A lower bound of the condition number.
    fn condition(&self) -> f64 {
        let clear = self.ritz.iter().map(|(value, _)| value.abs()).filter(|value| *value > self.floor);
        let smallest = clear.fold(f64::INFINITY, f64::min);
        let spectrum = self.largest() / smallest;
        let rows = self.rows.map_or(1.0, |((_, high), (_, low))| high / low);
        if spectrum.is_finite() { spectrum.max(rows) } else { rows }
    }

    pub(super) fn judge(&self, probe: &Probe<'_, '_>, base: &Base, line: &Line, findings: &mut Findings) {
        let condition = self.condition();
        if condition >= 1e5 {
            findings.push(self.ill_conditioned(probe, condition));
        }
        findings.extend(self.not_convex(base));
        let measurable = 2.0 * base.eps * base.loss.abs() + base.jitter;
        let (decrease, length) = match self.newton() {
            Some(Newton { decrease, length }) => (decrease, length),
            // Without curvature to go by: what a move by a third would change.
            None => (0.3 * base.scaled_gradient() + line.pair.plus.change.abs(), f64::INFINITY),
        };
        if decrease >= measurable || decrease == 0.0 {
            return;
        }
        let size = norm(&probe.x);
        let dtype = if base.eps > 1e-10 { "f32" } else { "f64" };
        let evidence = format!(
            "The expected decrease {} is below the {dtype} rounding noise of the loss ({}, the loss being {}): no \
             further progress can be measured.",
            Short(decrease),
            Short(measurable),
            Short(base.loss)
        );
        let finding = if length > 1e-2 * size.max(1e-3) {
            let remedy = "Use f64, take constants and large terms that cancel out of the loss, or stop here.";
            Finding::new(Cause::BelowNoise, Certainty::Likely, evidence, remedy)
        } else {
            let evidence = format!("{evidence} The minimum is about {} away.", Short(length));
            Finding::new(Cause::AtMinimum, Certainty::Possible, evidence, "Stop here, or use a wider dtype.")
        };
        findings.push(finding.with("expected decrease", decrease).with("noise", measurable));
    }

    /// No direction that was looked at curves upwards.
    fn not_convex(&self, base: &Base) -> Option<Finding> {
        let highest = self.ritz.iter().fold(f64::NEG_INFINITY, |max, (value, _)| max.max(*value));
        if highest > self.floor || base.gradient_max() == 0.0 {
            return None;
        }
        let shape = if highest < -self.floor { "curves downwards" } else { "does not curve upwards" };
        let evidence = format!(
            "The loss {shape} in each of {} directions (curvature at most {}): no minimum is in sight, and curvature \
             pairs will be refused.",
            self.ritz.len(),
            Short(highest)
        );
        let remedy = "If it is to be maximised, negate it; if it has no lower bound, add a regulariser; if this is the \
                      edge of a plateau, start elsewhere.";
        Some(Finding::new(Cause::NotConvex, Certainty::Possible, evidence, remedy).with("curvature", highest))
    }

    fn ill_conditioned(&self, probe: &Probe<'_, '_>, condition: f64) -> Finding {
        let certainty = if condition >= 1e6 { Certainty::Likely } else { Certainty::Possible };
        let mut evidence =
            format!("The loss is ill-conditioned: curvatures differ by a factor of {} at least.", Short(condition));
        let mut params = Vec::new();
        if let Some(((high, most), (low, least))) = self.rows
            && most / least >= 1e3
        {
            let name = |element: usize| {
                let (param, place) = probe
                    .params
                    .iter()
                    .find(|param| param.range.contains(&element))
                    .map_or((String::new(), 0), |param| (param.label.clone(), element - param.range.start));
                (format!("{param}[{place}]"), param)
            };
            let ((high, first), (low, second)) = (name(high), name(low));
            evidence.push_str(&format!(
                " The largest belongs to {high} ({}), the smallest to {low} ({}).",
                Short(most),
                Short(least)
            ));
            params = vec![first, second];
            params.dedup();
        }
        let remedy = "Scale the parameters (or the data) so that a unit of each matters alike, use f64 and a line \
                      search, and allow many iterations.";
        Finding::new(Cause::IllConditioned, certainty, evidence, remedy).with("condition", condition).about(params)
    }
}

/// Sizes of the rows of the Hessian: `|(H v)_i| / |v_i|`, taken over all directions `v`. For a diagonal matrix
/// these are its elements. Of each parameter the smallest twentieth is left out: few elements of no curvature do no
/// harm.
fn rows(
    probe: &Probe<'_, '_>,
    base: &Base,
    vectors: &[Vec<f64>],
    products: &[Vec<f64>],
    shortest: f64,
) -> Option<(Row, Row)> {
    let size = |list: &[Vec<f64>], i: usize| list.iter().map(|v| v[i] * v[i]).sum::<f64>().sqrt();
    let steepest = base.gradient_max();
    let widest = (0..base.gradient.len()).map(|i| size(vectors, i)).fold(0.0, f64::max);
    let (mut high, mut low): (Option<Row>, Option<Row>) = (None, None);
    for param in &probe.params {
        let measure = |i: usize| {
            let (width, image) = (size(vectors, i), size(products, i));
            // Differences at the level of the gradient's rounding, and elements that hardly moved, tell nothing.
            let rounding = 64.0 * base.eps * (base.gradient[i].abs() + base.eps * steepest) / shortest;
            (base.active[i] && width > 1e-3 * widest && image > rounding).then(|| (i, image / width))
        };
        let mut found: Vec<Row> = param.range.clone().filter_map(measure).collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (Some(&most), Some(&least)) = (found.last(), found.get(found.len() / 20)) else { continue };
        high = high.filter(|high| high.1 >= most.1).or(Some(most));
        low = low.filter(|low| low.1 <= least.1).or(Some(least));
    }
    Some((high?, low?))
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix by Jacobi's rotations.
fn eigen(mut a: [[f64; DIRECTIONS]; DIRECTIONS], k: usize) -> ([f64; DIRECTIONS], [[f64; DIRECTIONS]; DIRECTIONS]) {
    let mut basis = [[0.0; DIRECTIONS]; DIRECTIONS];
    for (i, row) in basis.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    // Convergence is quadratic: a matrix of three rows takes four sweeps or five.
    for _ in 0..12 {
        for p in 0..k {
            for q in p + 1..k {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cos = 1.0 / t.hypot(1.0);
                let sin = t * cos;
                for row in a.iter_mut() {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(below[0].iter_mut()) {
                    (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
                }
                for row in basis.iter_mut() {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
            }
        }
    }
    (std::array::from_fn(|i| a[i][i]), basis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // Eigenvalues 2 - sqrt 2, 2, 2 + sqrt 2.
        let matrix = [[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]];
        let (values, basis) = eigen(matrix, 3);
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        for (found, expected) in sorted.iter().zip([2.0 - 2f64.sqrt(), 2.0, 2.0 + 2f64.sqrt()]) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
        for e in 0..3 {
            for (i, row) in matrix.iter().enumerate() {
                let image: f64 = (0..3).map(|j| row[j] * basis[j][e]).sum();
                assert!((image - values[e] * basis[i][e]).abs() < 1e-14);
            }
        }
    }
}
