//! Reading a dense array at every combination of one list of indices per dimension (flips, rolls, padding,
//! repetition), and the adjoint: adding into such places.

use super::reduce::Number;
use crate::shape::row_major;

/// Stands in a list of indices for a place outside of the array.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// The lists of all dimensions, prepared: offsets instead of indices, and runs of neighbours within a row.
pub(crate) struct Plan {
    outer: Vec<List>,
    runs: Vec<Run>,
}

/// Offsets along one dimension; without a list, all of its indices in order.
struct List {
    offsets: Option<Vec<usize>>,
    len: usize,
    stride: usize,
}

/// Elements of a row that are neighbours in the array, or all [`OUTSIDE`].
struct Run {
    start: usize,
    len: usize,
}

impl List {
    fn offset(&self, position: usize) -> usize {
        self.offsets.as_ref().map_or(position * self.stride, |offsets| offsets[position])
    }
}

impl Plan {
    /// For an array of `shape`, with one list of indices per dimension; `None` is the whole dimension.
    pub fn new(shape: &[usize], lists: &[Option<Vec<usize>>]) -> Plan {
        let strides = row_major(shape);
        let listed = lists.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let block: usize = shape[listed..].iter().product();
        let mut outer: Vec<List> = (0..listed)
            .map(|dim| {
                let stride = strides[dim];
                let scaled = |&index: &usize| if index == OUTSIDE { OUTSIDE } else { index * stride };
                let offsets: Option<Vec<usize>> = lists[dim].as_ref().map(|list| list.iter().map(scaled).collect());
                List { len: offsets.as_ref().map_or(shape[dim], Vec::len), offsets, stride }
            })
            .collect();
        let row = outer.pop().and_then(|list| list.offsets).unwrap_or_else(|| vec![0]);
        Plan { outer, runs: runs(&row, block) }
    }
}

/// Blocks at the given offsets, with those that touch merged.
fn runs(offsets: &[usize], block: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &start in offsets {
        match runs.last_mut() {
            Some(run) if run.start == OUTSIDE && start == OUTSIDE => run.len += block,
            Some(run) if run.start != OUTSIDE && run.start + run.len == start => run.len += block,
            _ => runs.push(Run { start, len: block }),
        }
    }
    runs
}

/// Calls `visit` with the offset of every row in order, or [`OUTSIDE`]. Nests as deep as there are dimensions.
fn rows(lists: &[List], base: usize, visit: &mut dyn FnMut(usize)) {
    let Some((list, rest)) = lists.split_first() else { return visit(base) };
    for position in 0..list.len {
        let offset = list.offset(position);
        rows(rest, if base == OUTSIDE || offset == OUTSIDE { OUTSIDE } else { base + offset }, visit);
    }
}

/// Calls `visit` with every run: where it starts in the array (or [`OUTSIDE`]), where in the row-major
/// result, and its length.
fn all_runs(plan: &Plan, visit: &mut dyn FnMut(usize, usize, usize)) {
    let mut position = 0;
    rows(&plan.outer, 0, &mut |base| {
        for run in &plan.runs {
            let start = if base == OUTSIDE || run.start == OUTSIDE { OUTSIDE } else { base + run.start };
            visit(start, position, run.len);
            position += run.len;
        }
    });
}

/// `out[i, j, ..] = x[list0[i], list1[j], ..]`, or `fill` outside of `x`.
pub(crate) fn read<T: Copy>(plan: &Plan, x: &[T], fill: T, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    all_runs(plan, &mut |start, position, len| match (start, len) {
        (OUTSIDE, _) => out[position..position + len].fill(fill),
        (_, 1) => out[position] = x[start],
        _ => out[position..position + len].copy_from_slice(&x[start..start + len]),
    });
}

/// `out[list0[i], list1[j], ..] += values[i, j, ..]`, without what lies outside: the adjoint of [`read`].
pub(crate) fn add<T: Number>(plan: &Plan, values: &[T], out: &mut [T]) {
    if values.is_empty() {
        return;
    }
    all_runs(plan, &mut |start, position, len| {
        if start != OUTSIDE {
            for (out, &value) in out[start..start + len].iter_mut().zip(&values[position..]) {
                *out = out.plus(value);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_indices_is_read_and_added_to() {
        let (shape, x) = ([2usize, 3, 2], (0..12).map(f64::from).collect::<Vec<_>>());
        let whole = |size: usize| (0..size).collect::<Vec<_>>();
        for lists in [
            [None, None, None],
            [Some(vec![1, 0, 1]), None, None],
            [None, Some(vec![2, 1, OUTSIDE, 0]), None],
            [Some(vec![OUTSIDE, 1]), None, Some(vec![1, 0, 0])],
            [None, Some(vec![]), Some(vec![1])],
        ] {
            let full: Vec<Vec<usize>> =
                lists.iter().zip(shape).map(|(list, size)| list.clone().unwrap_or(whole(size))).collect();
            let (mut expected, mut sums, mut weight) = (Vec::new(), vec![0.0; 12], 0.0);
            for &i in &full[0] {
                for &j in &full[1] {
                    for &k in &full[2] {
                        weight += 1.0;
                        let outside = i == OUTSIDE || j == OUTSIDE || k == OUTSIDE;
                        expected.push(if outside { -1.0 } else { x[(i * 3 + j) * 2 + k] });
                        if !outside {
                            sums[(i * 3 + j) * 2 + k] += weight;
                        }
                    }
                }
            }
            let plan = Plan::new(&shape, &lists);
            let mut out = vec![f64::NAN; expected.len()];
            read(&plan, &x, -1.0, &mut out);
            assert_eq!(out, expected);
            let weights: Vec<f64> = (1..=expected.len()).map(|weight| weight as f64).collect();
            let mut out = vec![0.0; 12];
            add(&plan, &weights, &mut out);
            assert_eq!(out, sums);
        }
    }
}
