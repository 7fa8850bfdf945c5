//! What the rules for one element are made of, rounded as torch's CPU kernels round.

use tape::Float;

/// The gradient that an update uses: negated by `maximize`, with the L2 penalty.
#[derive(Clone, Copy)]
pub(super) struct Pull<T> {
    sign: T,
    decay: T,
    decays: bool,
}

impl<T: Float> Pull<T> {
    pub fn new(maximize: bool, weight_decay: f64) -> Self {
        let sign = if maximize { -T::ONE } else { T::ONE };
        Self { sign, decay: T::from_f64(weight_decay), decays: weight_decay != 0.0 }
    }

    #[inline(always)]
    pub fn of(&self, p: T, g: T) -> T {
        let g = g * self.sign;
        let penalised = self.decay.mul_add(p, g);
        if self.decays { penalised } else { g }
    }
}

/// `a + weight * (end - a)`, from the nearer end: torch's `lerp`.
#[derive(Clone, Copy)]
pub(super) struct Lerp<T> {
    weight: T,
    from_end: bool,
}

impl<T: Float> Lerp<T> {
    pub fn new(weight: f64) -> Self {
        let weight = T::from_f64(weight);
        let from_end = weight.to_f64().abs() >= 0.5;
        Self { weight: if from_end { weight - T::ONE } else { weight }, from_end }
    }

    #[inline(always)]
    pub fn of(&self, a: T, end: T) -> T {
        self.weight.mul_add(end - a, if self.from_end { end } else { a })
    }
}

/// The running mean of squares, `v * beta + (1 - beta) * g * g`: torch's `mul_` and `addcmul_`.
#[derive(Clone, Copy)]
pub(super) struct Squares<T> {
    beta: T,
    rest: T,
}

impl<T: Float> Squares<T> {
    pub fn new(beta: f64) -> Self {
        Self { beta: T::from_f64(beta), rest: T::from_f64(1.0 - beta) }
    }

    #[inline(always)]
    pub fn of(&self, v: T, g: T) -> T {
        (self.rest * g).mul_add(g, v * self.beta)
    }
}

/// `a + (value * x) / y` in three roundings: torch's `addcdiv`.
#[inline(always)]
pub(super) fn addcdiv<T: Float>(a: T, value: T, x: T, y: T) -> T {
    a + (value * x) / y
}

/// The larger of two numbers; NaN if one is NaN.
#[inline(always)]
pub(super) fn maximum<T: Float>(a: T, b: T) -> T {
    let larger = if a > b { a } else { b };
    if a.is_nan() { a } else { larger }
}
