//! Every loss with every option against torch: values, gradients, kinks and non-finite numbers; and its
//! derivatives of first and second order against finite differences.

mod golden;

use golden::{cases, list, tensor, text};
use nn::functional as f;
use nn::loss::*;
use serde_json::Value as Json;
use tape::{DType, Tensor, grad, gradcheck, gradgradcheck};

/// The words of a case's name after the loss: a reduction, switches, `name value`.
struct Options<'a>(Vec<&'a str>);

impl Options<'_> {
    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn reduction(&self) -> Reduction {
        match () {
            () if self.has("sum") => Reduction::Sum,
            () if self.has("none") => Reduction::None,
            () => Reduction::Mean,
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        let at = self.0.iter().position(|word| *word == name)?;
        Some(self.0[at + 1].parse().expect("a number"))
    }

    /// Whether the case is the function with torch's defaults.
    fn are_default(&self) -> bool {
        self.0 == ["mean"]
    }
}

/// Applies the loss that a case names.
fn apply(name: &str, x: &[Tensor]) -> Tensor {
    let (loss, words) = name.split_once('/').expect("loss/options");
    let options = Options(words.split(' ').collect());
    if options.are_default() {
        return default(loss, x);
    }
    let reduction = options.reduction();
    match loss {
        "mse_loss" => MSELoss::new().reduction(reduction).forward(&x[0], &x[1]),
        "l1_loss" => L1Loss::new().reduction(reduction).forward(&x[0], &x[1]),
        "smooth_l1_loss" => {
            let none = if options.has("beta") { Reduction::None } else { reduction };
            SmoothL1Loss::new().beta(options.number("beta").unwrap_or(1.0)).reduction(none).forward(&x[0], &x[1])
        }
        "huber_loss" => {
            let none = if options.has("delta") { Reduction::None } else { reduction };
            HuberLoss::new().delta(options.number("delta").unwrap_or(1.0)).reduction(none).forward(&x[0], &x[1])
        }
        "binary_cross_entropy" => {
            let loss = BCELoss::new().reduction(reduction);
            let loss = if options.has("weight") { loss.weight(&x[2]) } else { loss };
            loss.forward(&x[0], &x[1])
        }
        "binary_cross_entropy_with_logits" => {
            let loss = BCEWithLogitsLoss::new().reduction(reduction);
            let loss = match () {
                () if options.has("weight") => loss.weight(&x[2]),
                () if options.has("pos_weight") => loss.pos_weight(&x[2]),
                () if options.has("both") => loss.weight(&x[2]).pos_weight(&x[3]).reduction(Reduction::Sum),
                () => loss,
            };
            loss.forward(&x[0], &x[1])
        }
        "cross_entropy" => {
            let mut loss = CrossEntropyLoss::new().reduction(reduction);
            loss = if x.len() > 2 { loss.weight(&x[2]) } else { loss };
            loss = if options.has("smoothing") { loss.label_smoothing(0.2) } else { loss };
            loss = if options.has("ignore") { loss.ignore_index(1) } else { loss };
            loss.forward(&x[0], &x[1])
        }
        "nll_loss" => {
            let mut loss = NLLLoss::new().reduction(reduction);
            loss = if x.len() > 2 { loss.weight(&x[2]) } else { loss };
            loss = if options.has("ignore") { loss.ignore_index(1) } else { loss };
            loss.forward(&x[0], &x[1])
        }
        "kl_div" => {
            let loss = KLDivLoss::new().log_target(options.has("log_target")).reduction(reduction);
            let loss = if options.has("batchmean") { loss.batch_mean() } else { loss };
            loss.forward(&x[0], &x[1])
        }
        "gaussian_nll_loss" => {
            let loss = GaussianNLLLoss::new().reduction(reduction);
            let loss = if options.has("full") { loss.full(true).eps(0.5) } else { loss };
            loss.forward(&x[0], &x[1], &x[2])
        }
        "poisson_nll_loss" => {
            let loss = PoissonNLLLoss::new().full(options.has("full")).reduction(reduction);
            let loss = if options.has("rate") { loss.log_input(false).eps(1e-3) } else { loss };
            loss.forward(&x[0], &x[1])
        }
        "hinge_embedding_loss" => {
            let loss = HingeEmbeddingLoss::new().margin(options.number("margin").unwrap_or(1.0));
            loss.reduction(reduction).forward(&x[0], &x[1])
        }
        "soft_margin_loss" => SoftMarginLoss::new().reduction(reduction).forward(&x[0], &x[1]),
        "cosine_embedding_loss" => {
            let loss = CosineEmbeddingLoss::new().margin(options.number("margin").unwrap_or(0.0));
            loss.reduction(reduction).forward(&x[0], &x[1], &x[2])
        }
        "margin_ranking_loss" => {
            let loss = MarginRankingLoss::new().margin(options.number("margin").unwrap_or(0.0));
            loss.reduction(reduction).forward(&x[0], &x[1], &x[2])
        }
        "triplet_margin_loss" => {
            let mut loss = TripletMarginLoss::new().reduction(reduction);
            if let Some(p) = options.number("p") {
                loss = loss.p(p).margin(2.5).eps(1e-3);
            }
            if options.has("swap") {
                loss = loss.swap(true).margin(3.0).reduction(Reduction::None);
            }
            loss.forward(&x[0], &x[1], &x[2])
        }
        other => panic!("the golden data name a loss that is not tested: {other}"),
    }
}

/// The functions without options.
fn default(loss: &str, x: &[Tensor]) -> Tensor {
    match loss {
        "mse_loss" => f::mse_loss(&x[0], &x[1]),
        "l1_loss" => f::l1_loss(&x[0], &x[1]),
        "smooth_l1_loss" => f::smooth_l1_loss(&x[0], &x[1]),
        "huber_loss" => f::huber_loss(&x[0], &x[1]),
        "binary_cross_entropy" => f::binary_cross_entropy(&x[0], &x[1]),
        "binary_cross_entropy_with_logits" => f::binary_cross_entropy_with_logits(&x[0], &x[1]),
        "cross_entropy" => f::cross_entropy(&x[0], &x[1]),
        "nll_loss" => f::nll_loss(&x[0], &x[1]),
        "kl_div" => f::kl_div(&x[0], &x[1]),
        "gaussian_nll_loss" => f::gaussian_nll_loss(&x[0], &x[1], &x[2]),
        "poisson_nll_loss" => f::poisson_nll_loss(&x[0], &x[1]),
        "hinge_embedding_loss" => f::hinge_embedding_loss(&x[0], &x[1]),
        "soft_margin_loss" => f::soft_margin_loss(&x[0], &x[1]),
        "cosine_embedding_loss" => f::cosine_embedding_loss(&x[0], &x[1], &x[2]),
        "margin_ranking_loss" => f::margin_ranking_loss(&x[0], &x[1], &x[2]),
        "triplet_margin_loss" => f::triplet_margin_loss(&x[0], &x[1], &x[2]),
        other => panic!("the golden data name a loss that is not tested: {other}"),
    }
}

fn inputs(case: &Json) -> Vec<Tensor> {
    let learned = |input: &Json| input["learned"].as_bool().expect("a bool");
    list(&case["inputs"]).iter().map(|input| tensor(input).requires_grad_(learned(input))).collect()
}

fn differs(found: &Tensor, expected: &Tensor, name: &str) -> Option<String> {
    if (found.shape(), found.dtype()) != (expected.shape(), expected.dtype()) {
        return Some(format!(
            "{name}: {:?} {} against {:?} {}",
            found.shape(),
            found.dtype(),
            expected.shape(),
            expected.dtype()
        ));
    }
    let tolerance = if expected.dtype() == DType::F32 { 2e-6 } else { 4e-15 };
    let values = |t: &Tensor| t.detach().double().to_vec::<f64>();
    let close =
        |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + b.abs());
    let (found, expected) = (values(found), values(expected));
    (!found.iter().zip(&expected).all(close)).then(|| format!("{name}: {found:?} against torch's {expected:?}"))
}

#[test]
fn losses_and_gradients_are_torchs() {
    let mut wrong = Vec::new();
    for case in cases("losses.json.gz") {
        let name = text(&case["name"]);
        let inputs = inputs(&case);
        let loss = apply(name, &inputs);
        wrong.extend(differs(&loss, &tensor(&case["loss"]), name));
        let learned: Vec<Tensor> = inputs.into_iter().filter(Tensor::requires_grad).collect();
        let cotangent = Tensor::arange(0, loss.numel(), 1).reshape(loss.shape().to_vec().as_slice());
        let cotangent = cotangent.to_dtype(loss.dtype()) / 4.0 + 1.0;
        let gradients = grad((loss * cotangent).sum(), &learned[..]).compute().unwrap();
        for (i, (gradient, expected)) in gradients.iter().zip(list(&case["gradients"])).enumerate() {
            wrong.extend(differs(gradient, &tensor(expected), &format!("gradient {i} of {name}")));
        }
        assert_eq!(gradients.len(), list(&case["gradients"]).len());
    }
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn derivatives_of_both_orders_pass_finite_differences() {
    let smooth = |case: &Json| case["smooth"].as_bool().unwrap() && text(&case["loss"]["dtype"]) == "f64";
    for case in cases("losses.json.gz").iter().filter(|case| smooth(case)) {
        let name = text(&case["name"]);
        let inputs = inputs(case);
        let learned: Vec<&Tensor> = inputs.iter().filter(|x| x.requires_grad()).collect();
        let function = |variables: &[Tensor]| {
            let mut variables = variables.iter();
            let all: Vec<Tensor> = inputs
                .iter()
                .map(|x| if x.requires_grad() { variables.next().unwrap().clone() } else { x.clone() })
                .collect();
            apply(name, &all)
        };
        gradcheck(function, &learned).unwrap_or_else(|e| panic!("{name}: {e}"));
        gradgradcheck(function, &learned).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
