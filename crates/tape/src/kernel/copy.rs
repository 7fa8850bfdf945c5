//! Copies between layouts and dtypes.

use super::rows::Rows;
use super::{Strided, StridedMut};
use crate::Element;

/// The slice itself if both types are one; how generic code finds its fast path.
#[inline]
pub(crate) fn same_type<T: Element, S: Element>(values: &[T]) -> Option<&[S]> {
    (T::DTYPE == S::DTYPE).then(|| {
        // SAFETY: the sealed trait `Element` gives each of its four types a dtype of its own, so equal
        // dtypes mean that T and S are the same type.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<S>(), values.len()) }
    })
}

/// Writes the elements of `x` to `out` in row-major order.
#[inline]
pub(crate) fn to_dense<T: Element>(x: Strided<'_, T>, out: &mut [T]) {
    match x.as_slice() {
        Some(slice) => out.copy_from_slice(slice),
        None => gather(x, out, |value| value),
    }
}

/// As [`to_dense`], converting each element.
pub(crate) fn cast_to_dense<S: Element, T: Element>(x: Strided<'_, S>, out: &mut [T]) {
    match x.as_slice() {
        Some(slice) => convert(slice, out),
        None => gather(x, out, |value| value.cast()),
    }
}

fn convert<S: Element, T: Element>(from: &[S], to: &mut [T]) {
    // Truth needs a comparison and integers a saturating conversion; the rest is one instruction each.
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.cast();
    }
}

fn gather<S: Element, T: Element>(x: Strided<'_, S>, out: &mut [T], convert: impl Fn(S) -> T + Copy) {
    let rows = Rows::new(x.shape, [x.strides]);
    if let Some((height, width)) = as_transposed(&rows, x.shape) {
        return transpose(x.data, out, height, width, convert);
    }
    let [stride] = rows.strides;
    let mut out = out.chunks_exact_mut(rows.len.max(1));
    rows.for_each(|[start]| {
        let out = out.next().expect("one chunk per row");
        if stride == 1 {
            for (out, &value) in out.iter_mut().zip(&x.data[start..start + rows.len]) {
                *out = convert(value);
            }
        } else if stride == 0 {
            out.fill(convert(x.data[start]));
        } else {
            for (out, &value) in out.iter_mut().zip(x.data[start..].iter().step_by(stride)) {
                *out = convert(value);
            }
        }
    });
}

/// Height and width, if the rows are the columns of one dense matrix.
fn as_transposed(rows: &Rows<1>, shape: &[usize]) -> Option<(usize, usize)> {
    let total: usize = shape.iter().product();
    let height = rows.count();
    (height > 1 && rows.strides == [height] && total == height * rows.len && rows.is_counting())
        .then_some((height, rows.len))
}

/// `out[i][j] = data[j][i]` for a dense `data` of `width` rows, in tiles that stay in the cache.
fn transpose<S: Element, T: Element>(data: &[S], out: &mut [T], height: usize, width: usize, convert: impl Fn(S) -> T) {
    const TILE: usize = 16;
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for i in top..(top + TILE).min(height) {
                for j in left..(left + TILE).min(width) {
                    out[i * width + j] = convert(data[j * height + i]);
                }
            }
        }
    }
}

/// Sets the elements of `target` to `values`, given in row-major order, converted to its type.
#[inline]
pub(crate) fn cast_from_dense<S: Element, T: Element>(values: &[S], target: StridedMut<'_, T>) {
    if let Some(values) = same_type::<S, T>(values)
        && super::is_row_major(target.shape, target.strides)
    {
        target.data[..values.len()].copy_from_slice(values);
        return;
    }
    update(values, target, |new, _| new.cast());
}

/// Sets each element of `target` to `f(value, element)`, with `values` in row-major order.
#[inline]
pub(crate) fn update<S: Element, T: Element>(values: &[S], target: StridedMut<'_, T>, f: impl Fn(S, T) -> T) {
    let rows = Rows::new(target.shape, [target.strides]);
    let [stride] = rows.strides;
    let mut values = values.chunks_exact(rows.len.max(1));
    rows.for_each(|[start]| {
        let values = values.next().expect("one chunk per row");
        if stride == 1 {
            for (element, &value) in target.data[start..start + rows.len].iter_mut().zip(values) {
                *element = f(value, *element);
            }
        } else {
            for (i, &value) in values.iter().enumerate() {
                let element = &mut target.data[start + i * stride];
                *element = f(value, *element);
            }
        }
    });
}

/// Adds `values`, given in row-major order, to the elements of a layout that may reach one element
/// through several indices: the derivative of reading through that layout.
pub(crate) fn accumulate<T: Element + std::ops::AddAssign>(values: &[T], target: StridedMut<'_, T>) {
    let rows = Rows::new(target.shape, [target.strides]);
    let [stride] = rows.strides;
    let mut values = values.chunks_exact(rows.len.max(1));
    rows.for_each(|[start]| {
        for (i, &value) in values.next().expect("one chunk per row").iter().enumerate() {
            target.data[start + i * stride] += value;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(data: &[f64], shape: [usize; 3], strides: [usize; 3]) -> Vec<f64> {
        let mut out = Vec::new();
        for i in 0..shape[0] {
            for j in 0..shape[1] {
                for k in 0..shape[2] {
                    out.push(data[i * strides[0] + j * strides[1] + k * strides[2]]);
                }
            }
        }
        out
    }

    #[test]
    fn any_layout_is_read_in_row_major_order() {
        let data: Vec<f64> = (0..4000).map(f64::from).collect();
        for (shape, strides) in [
            ([2, 3, 4], [12, 4, 1]),
            ([2, 3, 4], [1, 2, 6]),
            ([1, 40, 33], [0, 1, 40]),
            ([5, 1, 33], [33, 9, 1]),
            ([2, 3, 4], [0, 1, 0]),
            ([3, 2, 5], [100, 7, 2]),
            ([0, 2, 5], [100, 7, 2]),
        ] {
            let expected = naive(&data, shape, strides);
            let mut out = vec![0.0; expected.len()];
            to_dense(Strided { data: &data, shape: &shape, strides: &strides }, &mut out);
            assert_eq!(out, expected, "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn writing_inverts_reading() {
        let (shape, strides) = ([3usize, 4], [2usize, 7]);
        let values: Vec<i64> = (1..13).collect();
        let mut data = vec![0.0f32; 40];
        cast_from_dense(&values, StridedMut { data: &mut data, shape: &shape, strides: &strides });
        let mut back = vec![0i64; 12];
        cast_to_dense(Strided { data: &data, shape: &shape, strides: &strides }, &mut back);
        assert_eq!(back, values);
        assert_eq!(data.iter().filter(|&&x| x != 0.0).count(), 12);
    }
}
