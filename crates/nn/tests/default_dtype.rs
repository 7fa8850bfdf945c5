//! The default dtype is one for the process: a test binary of its own.

use nn::{Linear, Module};
use tape::{DType, Tensor, get_default_dtype, set_default_dtype};

/// torch 2.8.0: `set_default_dtype(float64); manual_seed(0); Linear(2, 2).weight`.
#[test]
fn layers_are_made_in_the_default_dtype() {
    assert_eq!((get_default_dtype(), Linear::new(1, 1).weight.dtype()), (DType::F32, DType::F32));
    set_default_dtype(DType::F64);
    tape::manual_seed(0);
    let layer = Linear::new(2, 2);
    let weight = [0x3fe5_45ac_f860_1c94, 0x3fd2_cf48_f40b_2671, 0xbfad_68ee_981e_31ec, 0x3fe3_0a76_3bc2_b2b8];
    assert_eq!(layer.weight.to_vec::<f64>().map_bits(), weight);
    assert_eq!(layer.forward(&Tensor::ones([1, 2], DType::F64)).dtype(), DType::F64);
    assert_eq!(Linear::builder(1, 1).dtype(DType::F32).build().weight.dtype(), DType::F32);
    set_default_dtype(DType::F32);
    assert_eq!(Linear::new(1, 1).weight.dtype(), DType::F32);
    assert!(std::panic::catch_unwind(|| set_default_dtype(DType::I64)).is_err());
    assert_eq!(get_default_dtype(), DType::F32);
}

trait Bits {
    fn map_bits(self) -> Vec<u64>;
}

impl Bits for Vec<f64> {
    fn map_bits(self) -> Vec<u64> {
        self.into_iter().map(f64::to_bits).collect()
    }
}
