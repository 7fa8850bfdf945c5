//! Activations, special functions, remainders, logic on bits, in-place methods.

operations! {
    unary: asinh acosh atanh erfinv lgamma digamma sinc frac i0 ndtr log_ndtr entr deg2rad rad2deg sgn positive signbit
        isposinf isneginf relu6 hardsigmoid hardswish selu silu mish gelu gelu_tanh softsign tanhshrink bitwise_not;
    binary: prelu hypot logaddexp logaddexp2 heaviside bitwise_and bitwise_or bitwise_xor;
    operand: xlogy xlog1py fmod remainder floor_divide copysign float_power;
    unary_in_place: floor_ ceil_ round_ trunc_ frac_ square_ sin_ cos_ tan_ erf_ expm1_ rsqrt_ log1p_;
    operand_in_place: clamp_min_ clamp_max_ fmod_ remainder_ copysign_;
    "polygamma" => |c| c.x(0).polygamma(c.size(0));
    "logit" => |c| c.x(0).logit(c.some(0));
    "mvlgamma" => |c| c.x(0).mvlgamma(c.size(0));
    "nan_to_num" => |c| c.x(0).nan_to_num(c.f(0), c.some(1), c.some(2));
    "round_decimals" => |c| c.x(0).round_decimals(c.int(0) as i32);
    "hardtanh" => |c| c.x(0).hardtanh(c.f(0), c.f(1));
    "leaky_relu" => |c| c.x(0).leaky_relu(c.f(0));
    "elu" => |c| c.x(0).elu(c.f(0));
    "celu" => |c| c.x(0).celu(c.f(0));
    "softshrink" => |c| c.x(0).softshrink(c.f(0));
    "hardshrink" => |c| c.x(0).hardshrink(c.f(0));
    "threshold" => |c| c.x(0).threshold(c.f(0), c.f(1));
    "glu" => |c| c.x(0).glu(c.dim(0));
    "softmin" => |c| c.x(0).softmin(c.dim(0));
    "lerp" => |c| c.x(0).lerp(c.x(1), c.operand_at(2, 0));
    "addcmul" => |c| c.x(0).addcmul(c.x(1), c.x(2), c.f(0));
    "addcdiv" => |c| c.x(0).addcdiv(c.x(1), c.x(2), c.f(0));
    "leaky_relu_" => |c| c.in_place(|x| x.leaky_relu_(c.f(0)));
    "elu_" => |c| c.in_place(|x| x.elu_(c.f(0)));
    "nan_to_num_" => |c| c.in_place(|x| x.nan_to_num_(c.f(0), c.some(1), c.some(2)));
    "lerp_" => |c| c.in_place(|x| x.lerp_(c.x(1), c.operand_at(2, 0)));
    "addcmul_" => |c| c.in_place(|x| x.addcmul_(c.x(1), c.x(2), c.f(0)));
    "addcdiv_" => |c| c.in_place(|x| x.addcdiv_(c.x(1), c.x(2), c.f(0)));
}
