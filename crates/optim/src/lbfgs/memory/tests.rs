//! The recursion against the dense matrix it stands for, at every state of the ring.

use super::*;

/// Deterministic numbers in [-1, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn vector(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.next()).collect()
    }
}

/// `H = gamma I`, then for each pair `H <- (I - rho s y') H (I - rho y s') + rho s s'` (Nocedal & Wright, eq.
/// 7.16).
fn dense(pairs: &[(Vec<f64>, Vec<f64>)], n: usize) -> Vec<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let gamma = pairs.last().map_or(1.0, |(s, y)| dot(s, y) / dot(y, y));
    let mut h: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| if i == j { gamma } else { 0.0 }).collect()).collect();
    for (s, y) in pairs {
        let rho = 1.0 / dot(y, s);
        let hy: Vec<f64> = h.iter().map(|row| dot(row, y)).collect();
        let yhy = dot(y, &hy);
        for i in 0..n {
            for j in 0..n {
                h[i][j] += (1.0 + rho * yhy) * rho * s[i] * s[j] - rho * (hy[i] * s[j] + s[i] * hy[j]);
            }
        }
    }
    h
}

#[test]
fn the_recursion_equals_the_dense_matrix_at_every_ring_position() {
    for n in [1, 2, 3, 4, 7, 40] {
        for capacity in [1, 2, 3, 5] {
            let mut numbers = Numbers(n as u64 * 31 + capacity as u64);
            let mut memory = Memory::new(n);
            let mut kept: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
            for _ in 0..3 * capacity + 2 {
                let s = numbers.vector(n);
                let y: Vec<f64> = s.iter().map(|s| s * (1.5 + numbers.next()) + 0.05 * numbers.next()).collect();
                let candidate = memory.candidate((&mut [], &mut []), |to_s, to_y| {
                    to_s.copy_from_slice(&s);
                    to_y.copy_from_slice(&y);
                });
                if candidate.ys <= 1e-10 {
                    memory.discard(candidate);
                    continue;
                }
                let gamma = Number::Tensor(memory.store(candidate, capacity));
                kept.push((s, y));
                kept.drain(..kept.len().saturating_sub(capacity));
                assert_eq!(memory.len(), kept.len());
                for (i, (kept_s, kept_y)) in kept.iter().enumerate() {
                    let [s, y] = memory.tensors(i).map(|x| x.to_vec::<f64>());
                    assert_eq!((&s, &y), (kept_s, kept_y), "oldest first");
                }
                let g = numbers.vector(n);
                let (mut d, mut alphas) = (vec![0.0; n], vec![None; capacity]);
                memory.direction(&g, gamma, &mut alphas, &mut d);
                for (row, d) in dense(&kept, n).iter().zip(&d) {
                    let exact: f64 = -row.iter().zip(&g).map(|(h, g)| h * g).sum::<f64>();
                    assert!((exact - d).abs() <= 1e-9 * (1.0 + exact.abs()), "n {n}, capacity {capacity}");
                }
            }
            // One buffer more than pairs, for the candidate.
            assert!(memory.free.len() + memory.len() <= capacity + 1, "dropped buffers are used again");
        }
    }
}

#[test]
fn an_empty_memory_gives_steepest_descent() {
    let memory = Memory::<f32>::new(3);
    let mut d = [0.0; 3];
    memory.direction(&[1.0, -2.0, 0.5], Number::Int(1), &mut [], &mut d);
    assert_eq!(d, [-1.0, 2.0, -0.5]);
}
