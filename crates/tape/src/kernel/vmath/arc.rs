//! `asin`, `acos`, `atan`, `atan2`: odd minimax polynomials on `|x| <= 1/2` (`asin`) and
//! `|x| <= tan(pi/8)` (`atan`), reached by the half-angle formula and by `atan(a / b) = pi/4 +
//! atan((a - b) / (a + b))`.

macro_rules! arcs {
    (
        $t:ident, $asin_poly:ident, $atan_poly:ident, $asin:ident, $acos:ident, $atan:ident, $atan2:ident,
        $first_octants:ident;
        pi_2: $pi_2_low:expr, huge: $huge:expr, asin: [$($asin_c:expr),+], atan: [$($atan_c:expr),+]
    ) => {
        /// `asin(r) - r` for `z = r^2 <= 1/4`.
        #[inline(always)]
        fn $asin_poly(r: $t, z: $t) -> $t {
            r * (z * halves!($t, z; $($asin_c),+))
        }

        /// `atan(r) - r` for `|r| <= tan(pi/8)`.
        #[inline(always)]
        fn $atan_poly(r: $t) -> $t {
            let z = r * r;
            r * (z * halves!($t, z; $($atan_c),+))
        }

        /// Beyond `1/2`: `pi/2 - 2 asin(sqrt((1 - |x|) / 2))`.
        #[inline(always)]
        pub(super) fn $asin(x: $t) -> $t {
            let a = x.abs();
            let far = a > 0.5;
            let z = if far { 0.5 * (1.0 - a) } else { a * a };
            let r = if far { z.sqrt() } else { a };
            let p = $asin_poly(r, z);
            let beyond = std::$t::consts::FRAC_PI_2 - (2.0 * (r + p) - $pi_2_low);
            (if far { beyond } else { r + p }).copysign(x)
        }

        /// `pi/2 - asin(x)`, beyond `1/2` by the half-angle formula, which is exact next to 1.
        #[inline(always)]
        pub(super) fn $acos(x: $t) -> $t {
            const PI: $t = std::$t::consts::PI;
            const PI_2: $t = std::$t::consts::FRAC_PI_2;
            let a = x.abs();
            let far = a > 0.5;
            let z = if far { 0.5 * (1.0 - a) } else { a * a };
            let r = if far { z.sqrt() } else { x };
            let p = $asin_poly(r, z);
            let double = 2.0 * (r + p);
            let beyond = if x < 0.0 { PI - (double - 2.0 * $pi_2_low) } else { double };
            if far { beyond } else { PI_2 - (r - ($pi_2_low - p)) }
        }

        /// `atan(a / b)` for `0 <= a <= b`, `b > 0`, as `(high, low)` with `high + low` the angle.
        #[inline(always)]
        fn $first_octants(a: $t, b: $t) -> ($t, $t) {
            const TAN_PI_8: $t = 0.414_213_56;
            let steep = a > TAN_PI_8 * b;
            let r = (if steep { a - b } else { a }) / (if steep { a + b } else { b });
            let p = $atan_poly(r);
            // pi/4 + (r + p): the constant leads, so its rounding error is added with the small terms.
            let high = if steep { std::$t::consts::FRAC_PI_4 } else { r };
            let low = if steep { r + (p + 0.5 * $pi_2_low) } else { p };
            (high, low)
        }

        #[inline(always)]
        pub(super) fn $atan(x: $t) -> $t {
            let a = x.abs();
            let flip = a > 1.0;
            // 1 / a by the same division: an infinite `a` gives the angle 0 before the flip.
            let numerator = if flip { 1.0 } else { a };
            let denominator = if flip { clamp!(a, 0.0, $huge) } else { 1.0 };
            let (high, low) = $first_octants(numerator, denominator);
            let beyond = (std::$t::consts::FRAC_PI_2 - high) - (low - $pi_2_low);
            (if flip { beyond } else { high + low }).copysign(x)
        }

        /// C's `atan2(y, x)`, every special case included.
        #[inline(always)]
        pub(super) fn $atan2(y: $t, x: $t) -> $t {
            let (ay, ax) = (y.abs(), x.abs());
            let flip = ay > ax;
            let (small, large) = (if flip { ax } else { ay }, if flip { ay } else { ax });
            // Equal infinities are at pi/4, zeros at 0; huge pairs shrink so that their sum stays finite.
            let both_infinite = small == $t::INFINITY;
            let shrink = if large > $huge { 0.25 } else { 1.0 };
            let small = if both_infinite { 1.0 } else { small * shrink };
            let large = if both_infinite { 1.0 } else { large * shrink };
            let large = if large == 0.0 { 1.0 } else { large };
            let (high, low) = $first_octants(small, large);
            let (high, low) = if flip {
                (std::$t::consts::FRAC_PI_2 - high, $pi_2_low - low)
            } else {
                (high, low)
            };
            let left = x.is_sign_negative();
            let angle =
                if left { (std::$t::consts::PI - high) - (low - 2.0 * $pi_2_low) } else { high + low };
            let unordered = x + y;
            if x.is_nan() || y.is_nan() { unordered } else { angle.copysign(y) }
        }
    };
}

arcs! {
    f32, asin_poly_f32, atan_poly_f32, asin_f32, acos_f32, atan_f32, atan2_f32, octants_f32;
    pi_2: -4.371_139e-8, huge: 1e38,
    asin: [1.666_666e-1, 7.500_521e-2, 4.451_363_5e-2, 3.183_606_6e-2, 1.432_913_7e-2, 3.767_321_6e-2],
    atan: [-3.333_331_6e-1, 1.999_853_3e-1, -1.424_449_8e-1, 1.060_008_8e-1, -6.092_535_3e-2]
}

arcs! {
    f64, asin_poly_f64, atan_poly_f64, asin_f64, acos_f64, atan_f64, atan2_f64, octants_f64;
    pi_2: 6.123233995736766e-17, huge: 1e307,
    asin: [
        0.16666666666666763, 0.07499999999970118, 0.04464285717527109, 0.03038194267589114,
        0.022372215890685096, 0.017351595747529824, 0.01398101580463535, 0.011397313872727228,
        0.010789211406921411, 0.0036725774750926182, 0.021789738505346275, -0.021115489910958875,
        0.03270142406825598
    ],
    atan: [
        -0.333333333333332, 0.19999999999953816, -0.1428571428022027, 0.11111110784659826,
        -0.09090897792266084, 0.07692060824272175, -0.06663110865154626, 0.058479377835194545,
        -0.05039517157746959, 0.03806979201179556, -0.017912746952387325
    ]
}
