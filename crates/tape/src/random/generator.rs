//! torch's CPU generator, and the one the whole process shares.

use super::Source;
use super::mt19937::Mt19937;
use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// torch's CPU generator: a Mersenne Twister, the seed it was given, and the spare value of the last normal
/// pair.
///
/// A clone continues independently from the same point, so a clone is also how a state is kept.
///
/// ```
/// use tape::{DType, Tensor, random::Generator};
///
/// let mut generator = Generator::new(0);
/// let mut kept = generator.clone();
/// let x = Tensor::rand_with(&mut generator, [3], DType::F32);
/// // torch.rand(3, generator=torch.Generator().manual_seed(0))
/// assert_eq!(x.to_vec::<f32>(), [0.4962566, 0.7682218, 0.08847743]);
/// assert_eq!(Tensor::rand_with(&mut kept, [3], DType::F32).to_vec::<f32>(), x.to_vec::<f32>());
/// ```
#[derive(Clone, PartialEq)]
pub struct Generator {
    engine: Mt19937,
    seed: u64,
    spare_normal: Option<f64>,
}

impl Generator {
    /// A generator seeded with `seed`, as `torch.Generator().manual_seed(seed)`.
    ///
    /// Only the low 32 bits reach the engine; [`initial_seed`](Self::initial_seed) returns all 64. Where
    /// Python passes a negative seed, pass it as `seed as u64`: torch adds 2^64.
    pub fn new(seed: u64) -> Self {
        // torch seeds with the low half alone.
        Self { engine: Mt19937::new(seed as u32), seed, spare_normal: None }
    }

    /// A generator whose seed comes from the operating system, different in every process and on every call.
    ///
    /// The entropy is that of the standard library's `RandomState` hash keys: good for experiments, not
    /// meant for secrets (neither is a Mersenne Twister).
    pub fn from_os() -> Self {
        Self::new(os_seed())
    }

    /// Starts over from `seed`; the spare normal value is dropped.
    pub fn manual_seed(&mut self, seed: u64) {
        *self = Self::new(seed);
    }

    /// The seed last given, all 64 bits of it.
    pub fn initial_seed(&self) -> u64 {
        self.seed
    }

    /// Starts over from a seed drawn from the operating system, and returns that seed.
    pub fn seed(&mut self) -> u64 {
        let seed = os_seed();
        self.manual_seed(seed);
        seed
    }
}

impl Source for Generator {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self.engine.next_u32()
    }

    fn take_spare_normal(&mut self) -> Option<f64> {
        self.spare_normal.take()
    }

    fn keep_spare_normal(&mut self, value: f64) {
        self.spare_normal = Some(value);
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// `RandomState` draws its keys from the operating system once per thread and then counts up: what it hashes
/// nothing to are 64 bits that differ between processes, threads and calls.
fn os_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

static DEFAULT: LazyLock<Mutex<Generator>> = LazyLock::new(|| Mutex::new(Generator::from_os()));

thread_local! {
    static USES: Cell<u64> = const { Cell::new(0) };
}

/// A panic in another thread's fill leaves a generator that is still valid (at worst ahead by some words), so
/// poisoning carries no news here.
fn lock() -> MutexGuard<'static, Generator> {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the process-wide generator for the length of one fill, so that a fill is never interleaved with
/// another. To be called by whoever changes it.
pub(super) fn default_generator() -> MutexGuard<'static, Generator> {
    USES.set(USES.get() + 1);
    lock()
}

/// How often this thread has drawn from the process-wide generator, seeded or set it: whoever wants to put its
/// state back can tell its own thread's draws from those of others.
///
/// ```
/// use tape::{DType, Tensor, random};
///
/// let before = random::thread_uses();
/// let state = random::get_rng_state();
/// assert_eq!(random::thread_uses(), before); // looking is no use
/// let _ = Tensor::rand([2], DType::F32);
/// random::set_rng_state(state);
/// assert_eq!(random::thread_uses(), before + 2);
/// ```
pub fn thread_uses() -> u64 {
    USES.get()
}

/// Seeds the process-wide generator, as `torch.manual_seed`: what follows draws the numbers torch draws.
///
/// Unseeded, that generator starts from the operating system's entropy. Where Python passes a negative
/// seed, pass it as `seed as u64`.
///
/// ```
/// use tape::{DType, Tensor};
///
/// tape::manual_seed(0);
/// assert_eq!(Tensor::rand([2], DType::F32).to_vec::<f32>(), [0.4962566, 0.7682218]);
/// ```
pub fn manual_seed(seed: u64) {
    default_generator().manual_seed(seed);
}

/// The seed that the process-wide generator was last given, or drew for itself.
///
/// ```
/// tape::manual_seed(7);
/// assert_eq!(tape::initial_seed(), 7);
/// ```
pub fn initial_seed() -> u64 {
    lock().initial_seed()
}

/// Reseeds the process-wide generator from the operating system and returns the seed, as `torch.seed`.
pub fn seed() -> u64 {
    default_generator().seed()
}

/// A copy of the process-wide generator as it stands, to be put back with [`set_rng_state`].
///
/// ```
/// use tape::{DType, Tensor, random};
///
/// let state = random::get_rng_state();
/// let first = Tensor::rand([4], DType::F64).to_vec::<f64>();
/// random::set_rng_state(state);
/// assert_eq!(Tensor::rand([4], DType::F64).to_vec::<f64>(), first);
/// ```
pub fn get_rng_state() -> Generator {
    lock().clone()
}

/// Replaces the process-wide generator by `state`, usually one kept from [`get_rng_state`].
pub fn set_rng_state(state: Generator) {
    *default_generator() = state;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_low_half_of_a_seed_reaches_the_engine() {
        let (mut narrow, mut wide) = (Generator::new(5), Generator::new(5 | (9 << 32)));
        assert_eq!(wide.initial_seed(), 5 | (9 << 32));
        assert!((0..2000).all(|_| narrow.next_u32() == wide.next_u32()));
        // torch.manual_seed(-1) remembers 2^64 - 1.
        assert_eq!(Generator::new(-1_i64 as u64).initial_seed(), 18_446_744_073_709_551_615);
    }

    #[test]
    fn the_first_word_is_the_high_half() {
        let (mut words, mut pairs) = (Generator::new(0), Generator::new(0));
        let (high, low) = (words.next_u32(), words.next_u32());
        // The same engine elsewhere: numpy.random.RandomState(0).
        assert_eq!((high, low), (2_357_136_044, 2_546_248_239));
        assert_eq!(pairs.next_u64(), (u64::from(high) << 32) | u64::from(low));
    }

    #[test]
    fn seeding_drops_the_spare_normal() {
        let mut generator = Generator::new(3);
        generator.keep_spare_normal(1.5);
        generator.manual_seed(3);
        assert_eq!(generator.take_spare_normal(), None);
        assert_eq!(generator, Generator::new(3));
    }

    #[test]
    fn unseeded_generators_differ() {
        let (mut a, b) = (Generator::from_os(), Generator::from_os());
        assert_ne!(a.initial_seed(), b.initial_seed());
        let before = a.initial_seed();
        let after = a.seed();
        assert_eq!(after, a.initial_seed());
        assert_ne!(after, before);
    }
}
