use crate::op::spread;
use crate::{DType, Tensor, gradcheck, gradgradcheck};

/// The sum of products by loops over all letters; no ellipsis.
fn naive(equation: &str, operands: &[&Tensor]) -> Vec<f64> {
    let (inputs, output) = equation.split_once("->").unwrap();
    let inputs: Vec<Vec<char>> = inputs.split(',').map(|input| input.chars().collect()).collect();
    let mut letters: Vec<char> = output.chars().collect();
    for &letter in inputs.iter().flatten() {
        if !letters.contains(&letter) {
            letters.push(letter);
        }
    }
    let size = |letter: char| {
        let sizes = inputs.iter().zip(operands).flat_map(|(input, x)| input.iter().zip(x.sizes()));
        sizes.filter(|(own, _)| **own == letter).map(|(_, &size)| size).max().unwrap()
    };
    let sizes: Vec<usize> = letters.iter().map(|&letter| size(letter)).collect();
    let inner: usize = sizes[output.len()..].iter().product();
    let total: usize = sizes.iter().product();
    let mut result = vec![0.0; sizes[..output.len()].iter().product()];
    let values: Vec<Vec<f64>> = operands.iter().map(|x| x.to_vec::<f64>()).collect();
    for flat in 0..total {
        let mut rest = flat;
        let mut at = vec![0; letters.len()];
        for (at, size) in at.iter_mut().zip(&sizes).rev() {
            *at = rest % size;
            rest /= size;
        }
        let element = |number: usize| {
            let x = operands[number];
            let index = inputs[number].iter().zip(x.sizes()).fold(0, |index, (letter, &size)| {
                let at = at[letters.iter().position(|other| other == letter).unwrap()];
                index * size + if size == 1 { 0 } else { at }
            });
            values[number][index]
        };
        result[flat / inner] += (0..operands.len()).map(element).product::<f64>();
    }
    result
}

fn operands(shapes: &[&[usize]]) -> Vec<Tensor> {
    let ends = [1.0, 0.9, 0.8, 0.7];
    shapes.iter().zip(ends).map(|(shape, end)| spread(shape, -end, end)).collect()
}

fn close(found: &Tensor, expected: &[f64], name: &str) {
    let found = found.to_vec::<f64>();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{name}: {found:?} {expected:?}");
    }
}

const EQUATIONS: &[(&str, &[&[usize]])] = &[
    ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
    ("ij,kj->ki", &[&[2, 3], &[4, 3]]),
    ("ji,jk->ik", &[&[3, 2], &[3, 4]]),
    ("i,i->", &[&[3], &[3]]),
    ("i,j->ji", &[&[3], &[2]]),
    ("i,i->i", &[&[3], &[3]]),
    ("ij,ij->j", &[&[2, 3], &[2, 3]]),
    ("bij,bjk->bik", &[&[2, 2, 3], &[2, 3, 2]]),
    ("bhid,bhjd->bhij", &[&[2, 2, 3, 2], &[2, 2, 2, 2]]),
    ("bihd,bjhd->bhij", &[&[2, 3, 2, 2], &[2, 2, 2, 2]]),
    ("ijk,kjl->il", &[&[2, 3, 2], &[2, 3, 2]]),
    ("ijk->k", &[&[2, 3, 4]]),
    ("ijk->kij", &[&[2, 3, 4]]),
    ("ijk->", &[&[2, 3, 4]]),
    ("ii->i", &[&[3, 3]]),
    ("ii->", &[&[3, 3]]),
    ("iij->ij", &[&[2, 2, 3]]),
    ("iji->j", &[&[2, 3, 2]]),
    ("iii->i", &[&[2, 2, 2]]),
    ("ii,ij->j", &[&[2, 2], &[2, 3]]),
    ("i,ij,j->", &[&[2], &[2, 3], &[3]]),
    ("ij,jk,kl->il", &[&[2, 3], &[3, 2], &[2, 2]]),
    ("ab,bc,cd,da->", &[&[2, 3], &[3, 2], &[2, 2], &[2, 2]]),
    ("bi,oij,bj->bo", &[&[3, 2], &[2, 2, 3], &[3, 3]]),
    ("ij,jk->ik", &[&[2, 3], &[1, 4]]),
    ("ij,jk->ijk", &[&[2, 1], &[3, 2]]),
    ("ij,ij->ij", &[&[2, 1], &[1, 3]]),
    ("ij,jk,j->ik", &[&[2, 1], &[3, 2], &[3]]),
    ("ij,k->", &[&[2, 3], &[2]]),
    ("ij,->j", &[&[2, 3], &[]]),
    ("ij,jk->ik", &[&[2, 0], &[0, 3]]),
    ("ij,jk->ik", &[&[0, 2], &[2, 3]]),
];

#[test]
fn equations_match_naive_loops() {
    for (equation, shapes) in EQUATIONS {
        let x = operands(shapes);
        let borrowed: Vec<&Tensor> = x.iter().collect();
        close(&Tensor::einsum(equation, x.clone()), &naive(equation, &borrowed), equation);
        // The same operands with their memory in another order.
        let turned: Vec<Tensor> = x.iter().map(column_major).collect();
        close(&Tensor::einsum(equation, turned), &naive(equation, &borrowed), equation);
    }
}

/// Equal elements in column-major memory.
fn column_major(x: &Tensor) -> Tensor {
    let reversed: Vec<usize> = (0..x.dim()).rev().collect();
    x.permute(reversed.clone()).copy().permute(reversed)
}

#[test]
fn equations_have_the_derivatives_they_claim() {
    for (equation, shapes) in EQUATIONS {
        let x = operands(shapes);
        let inputs: Vec<&Tensor> = x.iter().collect();
        let call = |x: &[Tensor]| Tensor::einsum(equation, x);
        gradcheck(call, &inputs).unwrap_or_else(|error| panic!("{equation}: {error}"));
        gradgradcheck(call, &inputs).unwrap_or_else(|error| panic!("{equation}: {error}"));
    }
}

#[test]
fn ellipses_broadcast_and_results_are_implied() {
    let shape = |equation: &str, shapes: &[&[usize]]| Tensor::einsum(equation, operands(shapes)).sizes().to_vec();
    assert_eq!(shape("...ij,...jk", &[&[5, 1, 2, 3], &[4, 3, 2]]), [5, 4, 2, 2]);
    assert_eq!(shape("...ij->ij", &[&[5, 2, 3]]), [2, 3]);
    assert_eq!(shape("ij->...ij", &[&[2, 3]]), [2, 3]);
    assert_eq!(shape("BaA", &[&[2, 3, 4]]), [4, 2, 3]);
    assert_eq!(shape(" i j , j k -> i k ", &[&[2, 3], &[3, 4]]), [2, 4]);
    assert_eq!(shape("...", &[&[2, 3]]), [2, 3]);
    assert_eq!(shape("a...b,b", &[&[2, 3, 4], &[4]]), [3, 2]);
    assert_eq!(shape("", &[&[]]), [0usize; 0]);
    let (a, b) = (spread(&[2, 1, 2, 3], -1.0, 1.0), spread(&[4, 3, 2], -0.9, 0.9));
    close(&Tensor::einsum("...ij,...jk", [&a, &b]), &a.matmul(&b).to_vec::<f64>(), "batched");
    let sums = Tensor::einsum("...ij->ij", &b.unsqueeze(0));
    close(&sums, &b.sum_dim(0, false).to_vec::<f64>(), "summed ellipsis");
    gradgradcheck(|x| Tensor::einsum("...ij,...jk", x), &[&a, &b.narrow(0, 0, 2)]).unwrap();
}

#[test]
fn views_stay_views_and_integers_integers() {
    let x = Tensor::arange(0, 6, 1).reshape([2, 3]);
    let transposed = Tensor::einsum("ij->ji", &x);
    assert_eq!((transposed.stride(), transposed.to_vec::<i64>()), (&[1, 3][..], vec![0, 3, 1, 4, 2, 5]));
    assert_eq!(Tensor::einsum("ij,kj", [&x, &x]).to_vec::<i64>(), [5, 14, 14, 50]);
    assert_eq!(Tensor::einsum("i->", Tensor::from([true, true])).item_as::<i64>(), 2);
}

fn panics_with(text: &str, equation: &str, shapes: &[&[usize]]) {
    let operands: Vec<Tensor> = shapes.iter().map(|&shape| Tensor::zeros(shape, DType::F32)).collect();
    let call = std::panic::AssertUnwindSafe(|| Tensor::einsum(equation, operands));
    let panic = std::panic::catch_unwind(call).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text) && message.contains(&format!("\"{equation}\"")), "{message}");
}

#[test]
fn what_does_not_fit_is_named() {
    panics_with(
        "subscript j has size 4 for operand 1 which does not broadcast with previously seen size 3",
        "ij,jk",
        &[&[2, 3], &[4, 4]],
    );
    panics_with("operand shapes [[2, 3], [4, 4]]", "ij,jk", &[&[2, 3], &[4, 4]]);
    panics_with("subscript i is repeated for operand 0 but the sizes don't match, 3 != 2", "ii", &[&[2, 3]]);
    panics_with(
        "the number of subscripts in the equation (2) does not match the number of dimensions (3) for operand 0 and no \
         ellipsis was given",
        "ij",
        &[&[2, 3, 4]],
    );
    panics_with("(2) is more than the number of dimensions (1) for operand 0", "i...j", &[&[2]]);
    panics_with("fewer operands were provided than specified in the equation", "ij,jk,kl", &[&[2, 3], &[3, 4]]);
    panics_with("more operands were provided than specified in the equation", "ij", &[&[2, 3], &[3, 4]]);
    panics_with("output subscript k does not appear in the equation", "ij->ik", &[&[2, 3]]);
    panics_with("output subscript i appears more than once in the output", "ij->ii", &[&[2, 3]]);
    panics_with("invalid subscript given at index 1 in the equation string", "i1", &[&[2, 3]]);
    panics_with("invalid subscript given at index 2", "ij>k", &[&[2, 3]]);
    panics_with("found '.' for operand 0 that is not part of any ellipsis", "i.j", &[&[2, 3]]);
    panics_with("found '.' for operand 0 for which an ellipsis was already found", "...i...", &[&[2, 3]]);
    panics_with("found '.' for output that is not part of any ellipsis", "ij->i..", &[&[2, 3]]);
    panics_with("does not broadcast with previously seen size 2", "...i,...i->...", &[&[2, 3], &[4, 3]]);
    panics_with("must specify the equation string and at least one operand", "ij", &[]);
}
