//! Sums of products by Einstein's notation.
//!
//! Operands are taken from left to right, two at a time. Labels of a pair are of four kinds: in both and
//! needed later (batch), in both and not (contracted), in the left or in the right one alone. A pair with
//! contracted labels is one batched matrix product of views, else an elementwise product; the product of
//! all elements before summation never exists.

use crate::shape::Dims;
use crate::{Tensor, Tensors};

/// What stands for a dimension: its place in the ellipsis, counted over the longest, or a letter. In this
/// order the labels of an implicit result are sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(u8),
}

/// One subscript as it is written.
#[derive(Clone, Copy, PartialEq)]
enum Subscript {
    Dots,
    Letter(u8),
}

/// The equation and the shapes it is applied to, for messages.
struct Equation<'a> {
    text: &'a str,
    operands: &'a [Tensor],
}

/// A tensor whose dimensions have different labels.
struct Term {
    tensor: Tensor,
    labels: Vec<Label>,
}

impl Equation<'_> {
    #[track_caller]
    fn refuse(&self, problem: &str) -> ! {
        let shapes: Vec<&[usize]> = self.operands.iter().map(Tensor::sizes).collect();
        panic!("einsum: einsum(): {problem} (equation \"{}\", operand shapes {shapes:?})", self.text)
    }

    /// The subscripts of the part of the text in `range`; `place` says whose they are.
    #[track_caller]
    fn subscripts(&self, range: std::ops::Range<usize>, place: &str) -> Vec<Subscript> {
        let bytes = &self.text.as_bytes()[..range.end];
        let mut subscripts = Vec::new();
        let mut at = range.start;
        while at < range.end {
            match bytes[at] {
                b' ' => {}
                letter if letter.is_ascii_alphabetic() => subscripts.push(Subscript::Letter(letter)),
                b'.' if subscripts.contains(&Subscript::Dots) => {
                    self.refuse(&format!("found '.' for {place} for which an ellipsis was already found"))
                }
                b'.' if bytes[at..].starts_with(b"...") => {
                    subscripts.push(Subscript::Dots);
                    at += 2;
                }
                b'.' => self.refuse(&format!("found '.' for {place} that is not part of any ellipsis")),
                _ => self.refuse(&format!(
                    "invalid subscript given at index {at} in the equation string, subscripts must be in [a-zA-Z]"
                )),
            }
            at += 1;
        }
        subscripts
    }

    /// The subscripts of all operands, and those of the result if they are given.
    #[track_caller]
    fn parse(&self) -> (Vec<Vec<Subscript>>, Option<Vec<Subscript>>) {
        let arrow = self.text.find("->");
        let end = arrow.unwrap_or(self.text.len());
        let mut inputs = Vec::new();
        let mut start = 0;
        for part in self.text[..end].split(',') {
            inputs.push(self.subscripts(start..start + part.len(), &format!("operand {}", inputs.len())));
            start += part.len() + 1;
        }
        let output = arrow.map(|arrow| self.subscripts(arrow + 2..self.text.len(), "output"));
        if inputs.len() != self.operands.len() {
            let few = if self.operands.len() < inputs.len() { "fewer" } else { "more" };
            self.refuse(&format!("{few} operands were provided than specified in the equation"));
        }
        (inputs, output)
    }

    /// How many dimensions the ellipsis of an operand stands for.
    #[track_caller]
    fn covered(&self, number: usize, subscripts: &[Subscript]) -> usize {
        let letters = subscripts.iter().filter(|&&subscript| subscript != Subscript::Dots).count();
        let dims = self.operands[number].dim();
        let dots = letters < subscripts.len();
        if letters > dims || (!dots && letters < dims) {
            let text = if dots { "is more than" } else { "does not match" };
            let without = if dots { "" } else { " and no ellipsis was given" };
            self.refuse(&format!(
                "the number of subscripts in the equation ({letters}) {text} the number of dimensions ({dims}) for \
                 operand {number}{without}"
            ));
        }
        dims - letters
    }

    /// An operand with its labels; a label that it has twice means the diagonal.
    #[track_caller]
    fn term(&self, number: usize, subscripts: &[Subscript], longest: usize) -> Term {
        let mut tensor = self.operands[number].clone();
        let covered = self.covered(number, subscripts);
        let mut labels = Vec::new();
        for &subscript in subscripts {
            match subscript {
                Subscript::Letter(letter) => labels.push(Label::Letter(letter)),
                Subscript::Dots => labels.extend((longest - covered..longest).map(Label::Ellipsis)),
            }
        }
        while let Some((first, second)) = repetition(&labels) {
            let (a, b) = (tensor.sizes()[first], tensor.sizes()[second]);
            if a != b {
                self.refuse(&format!(
                    "{} is repeated for operand {number} but the sizes don't match, {b} != {a}",
                    labels[first].text()
                ));
            }
            tensor = tensor.diagonal(0, first as isize, second as isize);
            labels.remove(second);
            let label = labels.remove(first);
            labels.push(label);
        }
        Term { tensor, labels }
    }

    /// Checks that the sizes of each label agree or are one.
    #[track_caller]
    fn check_sizes(&self, terms: &[Term]) {
        let mut seen: Vec<(Label, usize)> = Vec::new();
        for (number, term) in terms.iter().enumerate() {
            for (&label, &size) in term.labels.iter().zip(term.tensor.sizes()) {
                match seen.iter_mut().find(|(known, _)| *known == label) {
                    None => seen.push((label, size)),
                    Some((_, known)) if *known == 1 => *known = size,
                    Some((_, known)) if size == 1 || size == *known => {}
                    Some((_, known)) => self.refuse(&format!(
                        "{} has size {size} for operand {number} which does not broadcast with previously seen size \
                         {known}",
                        label.text()
                    )),
                }
            }
        }
    }

    /// The labels of the result.
    #[track_caller]
    fn output(&self, given: Option<Vec<Subscript>>, inputs: &[Vec<Subscript>], longest: usize) -> Vec<Label> {
        let ellipsis = (0..longest).map(Label::Ellipsis);
        let Some(given) = given else {
            let letters: Vec<Subscript> = inputs.concat();
            let once = |&&letter: &&Subscript| letters.iter().filter(|&&other| other == letter).count() == 1;
            let label = |subscript: &Subscript| match *subscript {
                Subscript::Letter(letter) => Some(Label::Letter(letter)),
                Subscript::Dots => None,
            };
            let mut labels: Vec<Label> = ellipsis.chain(letters.iter().filter(once).filter_map(label)).collect();
            labels.sort_unstable();
            return labels;
        };
        let mut labels = Vec::new();
        for subscript in given {
            let Subscript::Letter(letter) = subscript else {
                labels.extend(ellipsis.clone());
                continue;
            };
            let name = char::from(letter);
            if labels.contains(&Label::Letter(letter)) {
                self.refuse(&format!("output subscript {name} appears more than once in the output"));
            }
            if !inputs.iter().any(|input| input.contains(&subscript)) {
                self.refuse(&format!("output subscript {name} does not appear in the equation for any input operand"));
            }
            labels.push(Label::Letter(letter));
        }
        labels
    }
}

impl Label {
    fn text(self) -> String {
        match self {
            Label::Letter(letter) => format!("subscript {}", char::from(letter)),
            Label::Ellipsis(place) => format!("dimension {place} covered by the ellipsis"),
        }
    }
}

/// The first two places of a label that is there twice.
fn repetition(labels: &[Label]) -> Option<(usize, usize)> {
    labels.iter().enumerate().find_map(|(first, label)| {
        let second = labels[first + 1..].iter().position(|other| other == label)?;
        Some((first, first + 1 + second))
    })
}

impl Term {
    fn size(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|&own| own == label).map(|dim| self.tensor.sizes()[dim])
    }

    /// Summed over the labels that are not kept.
    fn summed(self, keep: impl Fn(Label) -> bool) -> Term {
        let dropped: Vec<usize> = (0..self.labels.len()).filter(|&dim| !keep(self.labels[dim])).collect();
        if dropped.is_empty() {
            return self;
        }
        let labels = self.labels.into_iter().filter(|&label| keep(label)).collect();
        Term { tensor: self.tensor.sum_dim(dropped, false), labels }
    }

    /// Without the dimensions of size one that are larger in `other`.
    fn without_repeated(self, other: &Term) -> Term {
        let repeated = |label: Label| self.size(label) == Some(1) && other.size(label).is_some_and(|size| size != 1);
        let dims: Vec<usize> = (0..self.labels.len()).filter(|&dim| repeated(self.labels[dim])).collect();
        if dims.is_empty() {
            return self;
        }
        let labels = self.labels.iter().copied().filter(|&label| !repeated(label)).collect();
        Term { tensor: self.tensor.squeeze_dim(dims), labels }
    }

    /// The dimensions in the order of the given groups of labels, each group from `merged` on as one.
    fn arranged(&self, kept: &[Label], merged: [&[Label]; 2]) -> Tensor {
        let groups = kept.iter().chain(merged[0]).chain(merged[1]);
        let place = |label: &Label| self.labels.iter().position(|own| own == label).expect("a label of the term");
        let order: Vec<usize> = groups.map(place).collect();
        let tensor = if order.is_sorted() { self.tensor.clone() } else { self.tensor.permute(order) };
        let (first, second) = (kept.len(), kept.len() + merged[0].len());
        let mut shape = Dims::from_slice(&tensor.sizes()[..first]);
        shape.push(tensor.sizes()[first..second].iter().product());
        shape.push(tensor.sizes()[second..].iter().product());
        tensor.reshape_to(&shape)
    }
}

/// The product of two terms, summed over all labels that are not kept.
fn contract(a: Term, b: Term, keep: impl Fn(Label) -> bool) -> Term {
    let (a, b) = {
        let narrow = a.without_repeated(&b);
        let b = b.without_repeated(&narrow);
        (narrow, b)
    };
    let (in_a, in_b) = (a.labels.clone(), b.labels.clone());
    let a = a.summed(|label| keep(label) || in_b.contains(&label));
    let b = b.summed(|label| keep(label) || in_a.contains(&label));
    let (shared, left): (Vec<Label>, Vec<Label>) = a.labels.iter().partition(|label| b.labels.contains(label));
    let right: Vec<Label> = b.labels.iter().copied().filter(|label| !a.labels.contains(label)).collect();
    let (batch, contracted): (Vec<Label>, Vec<Label>) = shared.iter().partition(|&&label| keep(label));
    let shape: Dims = batch
        .iter()
        .chain(&left)
        .chain(&right)
        .map(|&label| a.size(label).or(b.size(label)).expect("a label of either term"))
        .collect();
    let product = if contracted.is_empty() {
        // [batch.., left, 1] * [batch.., 1, right]
        a.arranged(&batch, [&left, &[]]).mul(b.arranged(&batch, [&[], &right]))
    } else {
        a.arranged(&batch, [&left, &contracted]).matmul(&b.arranged(&batch, [&contracted, &right]))
    };
    Term { tensor: product.reshape_to(&shape), labels: [batch, left, right].concat() }
}

impl Tensor {
    /// Sums of products by Einstein's notation: each operand's dimensions are named by letters, in the
    /// equation separated by commas; dimensions of one name run together; names that the result (after `->`)
    /// does not have are summed over.
    ///
    /// A name that an operand has twice means its diagonal. `...` stands for any further dimensions, which
    /// broadcast; so do dimensions of size one. Without `->`, the result has the dimensions of the ellipsis
    /// and then all names that occur once, in alphabetical order, capitals first. Spaces do not matter.
    ///
    /// Operands are multiplied from left to right, each time by a batched matrix product or, where nothing
    /// is summed, element by element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (a, v) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([1.0, -1.0]));
    /// assert_eq!(Tensor::einsum("ij,jk", [&a, &a]).to_vec::<f64>(), a.matmul(&a).to_vec::<f64>());
    /// assert_eq!(Tensor::einsum("i,ij,j->", [&v, &a, &v]).item(), 0.0);
    /// assert_eq!(Tensor::einsum("ii->i", &a).to_vec::<f64>(), [1.0, 4.0]);
    /// assert_eq!(Tensor::einsum("...ij->...ji", &a).to_vec::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the equation is malformed, or does not fit the operands' number, dimensions, sizes or dtypes.
    #[track_caller]
    pub fn einsum(equation: &str, tensors: impl Into<Tensors>) -> Tensor {
        let operands = tensors.into().0;
        let equation = Equation { text: equation, operands: &operands };
        if operands.is_empty() {
            equation.refuse("must specify the equation string and at least one operand");
        }
        let (inputs, output) = equation.parse();
        let has_dots = |input: &Vec<Subscript>| input.contains(&Subscript::Dots);
        let covered = |(number, input): (usize, &Vec<Subscript>)| {
            let covered = equation.covered(number, input);
            if has_dots(input) { covered } else { 0 }
        };
        let longest = inputs.iter().enumerate().map(covered).max().unwrap_or(0);
        let output = equation.output(output, &inputs, longest);
        let terms: Vec<Term> =
            inputs.iter().enumerate().map(|(number, input)| equation.term(number, input, longest)).collect();
        equation.check_sizes(&terms);
        let later: Vec<Vec<Label>> =
            (1..=terms.len()).map(|next| terms[next..].iter().flat_map(|term| term.labels.clone()).collect()).collect();
        let mut terms = terms.into_iter();
        let mut result = terms.next().expect("at least one operand");
        for (term, later) in terms.zip(&later[1..]) {
            result = contract(result, term, |label| output.contains(&label) || later.contains(&label));
        }
        let result = result.summed(|label| output.contains(&label));
        let place = |label: &Label| result.labels.iter().position(|own| own == label).expect("no label was lost");
        result.tensor.permute(output.iter().map(place).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
