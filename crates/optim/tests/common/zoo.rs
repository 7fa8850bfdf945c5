//! Every optimizer there is, with the option sets of torch's own optimizer tests.

use super::Outcome;
use checkpoint::Value;
use optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Asgd, BoxError, Error, Lbfgs, NAdam, Optimizer, Param, ParamGroup, RAdam,
    RmsProp, Rprop, Sgd,
};
use tape::random::Generator;
use tape::{DType, Tensor};

type Build = fn(Vec<Param>, Option<Value>) -> Result<Box<dyn Optimizer>, Error>;

/// One class of optimizers.
pub struct Class {
    /// torch's name.
    pub name: &'static str,
    /// Over these parameters, with this learning rate.
    pub build: Build,
    options: fn() -> Vec<Vec<(&'static str, Value)>>,
}

impl Class {
    /// The option sets under which torch tests the class; the first is the default.
    pub fn configurations(&self) -> Vec<Configuration> {
        let sets = std::iter::once(Vec::new()).chain((self.options)());
        sets.map(|options| Configuration { class: self.name, build: self.build, options }).collect()
    }

    /// Over these tensors, with all defaults.
    pub fn over(&self, params: &[&Tensor]) -> Result<Box<dyn Optimizer>, Error> {
        (self.build)(params.iter().map(Param::from).collect(), None)
    }

    /// L-BFGS: it evaluates the loss itself and takes one group.
    pub fn second_order(&self) -> bool {
        self.name == "LBFGS"
    }
}

/// A class with options, which are put into the groups: there they count as if given to the constructor.
pub struct Configuration {
    pub class: &'static str,
    build: Build,
    options: Vec<(&'static str, Value)>,
}

impl Configuration {
    /// The group of these parameters with the options.
    pub fn group(&self, params: impl optim::IntoParams) -> ParamGroup {
        self.options.iter().fold(ParamGroup::new(params), |group, (name, value)| group.with(name, value.deep_copy()))
    }

    pub fn over_groups(&self, groups: Vec<ParamGroup>) -> Result<Box<dyn Optimizer>, Error> {
        (self.build)(groups.into_iter().map(Param::from).collect(), None)
    }

    pub fn over(&self, params: impl optim::IntoParams) -> Result<Box<dyn Optimizer>, Error> {
        self.over_groups(vec![self.group(params)])
    }

    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    pub fn maximizes(&self) -> bool {
        self.option("maximize") == Some(&Value::Bool(true))
    }
}

impl std::fmt::Display for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.class)?;
        self.options.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

macro_rules! classes {
    ($($name:literal $type:ident: [$({$($option:ident: $value:expr),+}),* $(,)?];)*) => {
        vec![$(Class {
            name: $name,
            build: |params, lr| {
                let builder = $type::builder(params);
                let builder = match lr {
                    Some(lr) => builder.lr(lr),
                    None => builder,
                };
                Ok(Box::new(builder.build()?))
            },
            options: || vec![$(vec![$((stringify!($option), Value::from($value))),+]),*],
        }),*]
    };
}

pub fn classes() -> Vec<Class> {
    classes! {
        "SGD" Sgd: [
            {lr: 0.01}, {lr: Tensor::from(0.001)}, {weight_decay: 0.5}, {momentum: 0.9},
            {weight_decay: 0.1, maximize: true}, {momentum: 0.9, dampening: 0.5},
            {momentum: 0.9, weight_decay: 0.1}, {momentum: 0.9, nesterov: true, weight_decay: 0.1},
        ];
        "Adam" Adam: [
            {lr: 0.01}, {weight_decay: 0.1}, {weight_decay: 0.1, maximize: true}, {weight_decay: 0.1, amsgrad: true},
            {lr: Tensor::from(0.001), amsgrad: true},
        ];
        "AdamW" AdamW: [
            {lr: 0.01}, {weight_decay: 0.1}, {weight_decay: 0.1, maximize: true}, {weight_decay: 0.1, amsgrad: true},
            {lr: Tensor::from(0.001), amsgrad: true},
        ];
        "NAdam" NAdam: [
            {lr: 0.001}, {momentum_decay: 0.006}, {weight_decay: 0.1}, {weight_decay: 0.1, momentum_decay: 0.006},
            {weight_decay: 0.1, momentum_decay: 0.006, decoupled_weight_decay: true},
            {weight_decay: 0.1, maximize: true},
        ];
        "RAdam" RAdam: [
            {lr: 0.002}, {eps: 1e-6}, {weight_decay: 0.1}, {weight_decay: 0.1, decoupled_weight_decay: true},
            {weight_decay: 0.1, maximize: true},
        ];
        "Adamax" Adamax: [
            {lr: 0.1}, {weight_decay: 0.1}, {maximize: true}, {weight_decay: 0.1, maximize: true},
        ];
        "Adagrad" Adagrad: [
            {weight_decay: 0.1}, {weight_decay: 0.1, maximize: true}, {lr: 0.1},
            {initial_accumulator_value: 0.1, weight_decay: 0.1}, {lr: 0.1, lr_decay: 0.5, weight_decay: 0.1},
            {lr: Tensor::from(0.001)},
        ];
        "Adadelta" Adadelta: [
            {lr: 0.01}, {weight_decay: 0.1}, {maximize: true}, {weight_decay: 0.1, maximize: true},
            {rho: 0.95, weight_decay: 0.9},
        ];
        "RMSprop" RmsProp: [
            {lr: 0.001}, {weight_decay: 0.1}, {maximize: true}, {weight_decay: 0.1, centered: true},
            {maximize: true, weight_decay: 0.1}, {weight_decay: 0.1, centered: true, momentum: 0.1},
            {weight_decay: 0.1, centered: true, momentum: 0.1, maximize: true},
        ];
        "Rprop" Rprop: [
            {lr: 0.0002}, {etas: (0.5, 1.5)}, {step_sizes: (2e-6, 100.0)}, {maximize: true},
        ];
        "ASGD" Asgd: [
            {lambd: 0.1}, {lr: 0.02}, {t0: 100.0}, {maximize: true}, {weight_decay: 0.1},
            {weight_decay: 0.1, maximize: true},
        ];
        "LBFGS" Lbfgs: [
            {lr: 0.01}, {lr: Tensor::from(0.001)}, {tolerance_grad: 1e-6}, {line_search_fn: "strong_wolfe"},
        ];
    }
}

/// The first-order classes, which take several groups.
pub fn first_order() -> Vec<Class> {
    classes().into_iter().filter(|class| !class.second_order()).collect()
}

pub fn lbfgs() -> Class {
    classes().into_iter().find(Class::second_order).expect("L-BFGS is one of them")
}

/// Runs `body` for every option set of every class.
pub fn for_each(body: impl Fn(&Configuration) -> Outcome) -> Outcome {
    for_each_of(&classes(), body)
}

/// Runs `body` for every option set of these classes; a failure names the set.
pub fn for_each_of(classes: &[Class], body: impl Fn(&Configuration) -> Outcome) -> Outcome {
    for configuration in classes.iter().flat_map(Class::configurations) {
        body(&configuration).map_err(|error| BoxError::msg(format!("{configuration}: {error}")))?;
    }
    Ok(())
}

/// `|W x + b|^2` over a weight `[10, 5]` and a bias `[10]`: the problem of most of torch's optimizer tests.
pub struct Affine {
    pub weight: Tensor,
    pub bias: Tensor,
    input: Tensor,
}

impl Affine {
    pub fn new(seed: u64) -> Self {
        let mut generator = Generator::new(seed);
        let [weight, bias] = [vec![10, 5], vec![10]].map(|shape| Tensor::randn_with(&mut generator, shape, DType::F32));
        Self::over(weight, bias, &mut generator)
    }

    /// With parameters that are views of every second element.
    pub fn noncontiguous(seed: u64) -> Self {
        let mut generator = Generator::new(seed);
        let [weight, bias] = [vec![10, 5, 2], vec![10, 2]]
            .map(|shape| Tensor::randn_with(&mut generator, shape, DType::F32).select(-1, 0));
        Self::over(weight, bias, &mut generator)
    }

    fn over(weight: Tensor, bias: Tensor, generator: &mut Generator) -> Self {
        let [weight, bias] = [weight, bias].map(|p| p.requires_grad_(true));
        Self { weight, bias, input: Tensor::randn_with(generator, [5], DType::F32) }
    }

    /// The same problem with parameters of its own.
    pub fn copy(&self) -> Self {
        let [weight, bias] = self.params().map(|p| p.detach().copy().requires_grad_(true));
        Self { weight, bias, input: self.input.clone() }
    }

    pub fn params(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    pub fn named_params(&self) -> [(&'static str, &Tensor); 2] {
        [("weight", &self.weight), ("bias", &self.bias)]
    }

    pub fn values(&self) -> Vec<f32> {
        self.params().iter().flat_map(|p| p.to_vec::<f32>()).collect()
    }

    pub fn loss(&self) -> Tensor {
        (self.weight.mv(&self.input) + &self.bias).square().sum()
    }

    pub fn step(&self, optimizer: &dyn Optimizer) -> Result<Tensor, Error> {
        step(optimizer, || self.loss())
    }
}

/// One step on this loss.
pub fn step(optimizer: &dyn Optimizer, loss: impl Fn() -> Tensor) -> Result<Tensor, Error> {
    optimizer.step_closure(&mut || {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward()?;
        Ok(loss)
    })
}
