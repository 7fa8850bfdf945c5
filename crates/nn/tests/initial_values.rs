//! Initial values against torch's. Every test here seeds the process-wide generator, and no other draws
//! from it.

use nn::{Linear, Module, Sequential, Tanh, init};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tape::{DType, Tensor};

/// The process-wide generator is one: tests that seed it take turns.
fn seeded(seed: u64) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tape::manual_seed(seed);
    turn
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.dtype() {
        DType::F32 => tensor.to_vec::<f32>().iter().map(|x| x.to_bits().into()).collect(),
        _ => tensor.to_vec::<f64>().iter().map(|x| x.to_bits()).collect(),
    }
}

/// torch 2.8.0: `torch.manual_seed(0); torch.nn.Linear(2, 2)`.
#[test]
fn initial_values_are_torchs() {
    let _turn = seeded(0);
    let layer = Linear::new(2, 2);
    let values = layer.weight.to_vec::<f32>().into_iter().chain(layer.bias.unwrap().to_vec::<f32>());
    // -0x1.5af244p-8, 0x1.846d38p-2, -0x1.29f962p-1, -0x1.0a703ap-1; -0x1.16e1acp-2, 0x1.845556p-3
    let expected = [0xbbad_7922, 0x3ec2_369c, 0xbf14_fcb1, 0xbf05_381d, 0xbe8b_70d6, 0x3e42_2aab];
    assert!(values.map(f32::to_bits).eq(expected));
    assert!(layer.weight.requires_grad() && layer.weight.is_leaf());
}

/// torch 2.8.0: `torch.manual_seed(0); torch.nn.Linear(2, 2, dtype=torch.float64)`.
#[test]
fn double_precision_draws_its_own_numbers() {
    let _turn = seeded(0);
    let layer = Linear::builder(2, 2).dtype(DType::F64).build();
    let weight = [0x3fe5_45ac_f860_1c94, 0x3fd2_cf48_f40b_2671, 0xbfad_68ee_981e_31ec, 0x3fe3_0a76_3bc2_b2b8];
    assert_eq!(bits(&layer.weight), weight);
    assert_eq!(bits(&layer.bias.unwrap()), [0x3fca_408e_3552_48cc, 0x3fda_5a08_f30f_2cd1]);
}

/// torch 2.8.0: `torch.manual_seed(0); torch.nn.Linear(3, 2, bias=False)`, then `torch.rand(1)`.
#[test]
fn without_bias_nothing_is_drawn_for_it() {
    let _turn = seeded(0);
    let layer = Linear::builder(3, 2).bias(false).build();
    assert!(layer.bias.is_none());
    let weight = [0xbb8d_a3e8, 0x3e9e_9313, 0xbef3_4b7e, 0xbed9_8bc9, 0xbe63_b4b1, 0x3e1e_8953];
    assert_eq!(bits(&layer.weight), weight);
    assert_eq!(bits(&Tensor::rand([1], DType::F32)), [0x3efa_ed86]);
}

/// torch 2.8.0: `torch.manual_seed(0); torch.nn.Linear(0, 2)`, then `torch.rand(1)`: two numbers were spent.
#[test]
fn a_layer_without_inputs_has_a_zero_bias() {
    let _turn = seeded(0);
    let layer = Linear::new(0, 2);
    assert_eq!(bits(layer.bias.as_ref().unwrap()), [0, 0]);
    assert_eq!(bits(&Tensor::rand([1], DType::F32)), [0x3db5_33a8]);
    assert_eq!(layer.forward(&Tensor::zeros([3, 0], DType::F32)).to_vec::<f32>(), [0.0; 6]);
}

/// torch 2.8.0, seed 7: every bit of the digits network, folded into one number for each parameter by
/// `h = h * 31 + bits (mod 2^64)`.
#[test]
fn a_whole_network_starts_as_torchs() {
    let _turn = seeded(7);
    let model = Sequential::new([Linear::new(64, 128).boxed(), Tanh.boxed(), Linear::new(128, 10).boxed()]);
    let fold = |p: &Tensor| bits(p).iter().fold(0_u64, |h, &b| h.wrapping_mul(31).wrapping_add(b));
    let folded: Vec<u64> = model.parameters().iter().map(fold).collect();
    assert_eq!(folded, [0x06f9_9ed9_700b_c4fc, 0xf207_a5d3_8f1a_126c, 0x4831_d806_abb2_4187, 0x8560_8e25_ce28_7c3c]);
}

/// torch 2.8.0: `manual_seed(0)`, `Sequential(Linear(2, 2), Tanh(), Linear(2, 1))`, then `apply` of
/// `xavier_uniform_(m.weight); m.bias.data.fill_(0.01)`.
#[test]
fn an_initialised_network_is_torchs() {
    let _turn = seeded(0);
    let model = Sequential::new([Linear::new(2, 2).boxed(), Tanh.boxed(), Linear::new(2, 1).boxed()]);
    model.apply(|module| {
        if let Some(linear) = module.downcast_ref::<Linear>() {
            init::xavier_uniform_(&linear.weight, 1.0);
            init::constant_(linear.bias.as_ref().unwrap(), 0.01);
        }
    });
    let bits: Vec<u32> = model.parameters().iter().flat_map(|p| p.to_vec::<f32>()).map(f32::to_bits).collect();
    let expected = [
        0x3ea5_ee31,
        0xbebd_8232,
        0xbe76_8531,
        0xbf95_c478,
        0x3c23_d70a,
        0x3c23_d70a,
        0xbf6f_c590,
        0xbf15_3d9f,
        0x3c23_d70a,
    ];
    assert_eq!(bits, expected);
}
