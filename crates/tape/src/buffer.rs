//! Typed memory for tensor elements, recycled through a cache per thread.
//!
//! Large blocks from the system come back as fresh pages each time, and touching them first costs more
//! than most elementwise kernels; keeping freed blocks makes a training loop's memory traffic its own.
//! Memory is zeroed when it comes from the system and may hold older values of the same thread's
//! tensors when it comes from the cache, so every byte of a buffer is always initialised.

use crate::{DType, Element};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Every block starts at a cache line, which is also the widest SIMD register.
const ALIGN: usize = 64;
/// Bytes that one thread keeps for reuse before it returns blocks to the system.
const CACHE_LIMIT: usize = 512 << 20;
/// Four sizes per power of two from 64 bytes to 2^47.
const CLASSES: usize = 4 * 42;

/// A fixed number of elements of one dtype.
pub(crate) struct Buffer {
    block: NonNull<u8>,
    class: u8,
    dtype: DType,
    len: usize,
}

// SAFETY: a Buffer owns its block exclusively, like a Vec of plain numbers.
unsafe impl Send for Buffer {}
// SAFETY: shared access only hands out shared slices of plain numbers.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer whose elements have arbitrary (but initialised) values; `false` for booleans.
    #[inline]
    pub fn new(dtype: DType, len: usize) -> Buffer {
        let bytes = len
            .checked_mul(dtype.size_of())
            .filter(|&bytes| bytes <= isize::MAX as usize / 2 && class_of(bytes) < CLASSES)
            .unwrap_or_else(|| panic!("a tensor of {len} {dtype} elements does not fit this machine's memory"));
        let class = class_of(bytes);
        let block = take(class);
        let mut buffer = Buffer { block, class: class as u8, dtype, len };
        if dtype == DType::Bool {
            // A recycled block may hold bytes other than 0 and 1, which are not booleans.
            // SAFETY: the block has at least `bytes` bytes, and nobody else can see it yet.
            unsafe { std::ptr::write_bytes(buffer.block.as_ptr(), 0, bytes) };
            debug_assert_eq!(buffer.as_mut_slice::<bool>().len(), len);
        }
        buffer
    }

    pub fn from_slice<T: Element>(values: &[T]) -> Buffer {
        let mut buffer = Buffer::new(T::DTYPE, values.len());
        buffer.as_mut_slice().copy_from_slice(values);
        buffer
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn as_slice<T: Element>(&self) -> &[T] {
        assert!(T::DTYPE == self.dtype, "a {} buffer was read as {}", self.dtype, T::DTYPE);
        // SAFETY: the block holds `len` initialised elements of T (`new` sized it for this dtype, zeroed or
        // recycled numbers are valid f32, f64 and i64, and booleans are cleared in `new`), ALIGN suits every
        // T, and the borrow of self keeps writers out.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().cast::<T>(), self.len) }
    }

    #[inline]
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        assert!(T::DTYPE == self.dtype, "a {} buffer was written as {}", self.dtype, T::DTYPE);
        // SAFETY: as in `as_slice`; the exclusive borrow of self makes this the only view.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr().cast::<T>(), self.len) }
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        give_back(self.block, self.class as usize);
    }
}

/// The smallest size class that holds `bytes`.
#[inline]
fn class_of(bytes: usize) -> usize {
    if bytes <= ALIGN {
        return 0;
    }
    // Sizes are (4 + q) * 2^p * 16 bytes for q in 0..4: at most a quarter of a block is unused.
    let units = (bytes - 1) / (ALIGN / 4);
    let power = units.ilog2() as usize - 2;
    4 * power + ((units >> power) - 4) + 1
}

/// Bytes in a block of a class.
#[inline]
fn class_size(class: usize) -> usize {
    ((4 + class % 4) << (class / 4)) * (ALIGN / 4)
}

fn layout(class: usize) -> Layout {
    Layout::from_size_align(class_size(class).next_multiple_of(ALIGN), ALIGN).expect("a size class fits a layout")
}

struct Cache {
    free: [Vec<NonNull<u8>>; CLASSES],
    bytes: usize,
}

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache { free: [const { Vec::new() }; CLASSES], bytes: 0 }) };
}

impl Cache {
    fn clear(&mut self) {
        for (class, blocks) in self.free.iter_mut().enumerate() {
            for block in blocks.drain(..) {
                // SAFETY: the block came from `alloc_zeroed` with this class's layout and has no owner.
                unsafe { dealloc(block.as_ptr(), layout(class)) };
            }
        }
        self.bytes = 0;
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns the memory that this thread keeps for new tensors to the system, torch's `empty_cache`.
///
/// ```
/// let x = tape::Tensor::zeros([1000, 1000], tape::DType::F64);
/// drop(x); // its 8 MB wait for the next tensor of about that size
/// tape::empty_cache();
/// ```
pub fn empty_cache() {
    CACHE.with(|cache| cache.borrow_mut().clear());
}

#[inline]
fn take(class: usize) -> NonNull<u8> {
    // A thread that is shutting down has no cache any more.
    let cached = CACHE.try_with(|cache| {
        let mut cache = cache.borrow_mut();
        let block = cache.free[class].pop();
        if block.is_some() {
            cache.bytes -= class_size(class);
        }
        block
    });
    if let Ok(Some(block)) = cached {
        return block;
    }
    let layout = layout(class);
    // SAFETY: the layout's size is not zero.
    let block = unsafe { alloc_zeroed(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

#[inline]
fn give_back(block: NonNull<u8>, class: usize) {
    let kept = CACHE.try_with(|cache| {
        let mut cache = cache.borrow_mut();
        let fits = cache.bytes + class_size(class) <= CACHE_LIMIT;
        if fits {
            cache.bytes += class_size(class);
            cache.free[class].push(block);
        }
        fits
    });
    if kept != Ok(true) {
        // SAFETY: the block came from `take` with this class's layout, and its Buffer is gone.
        unsafe { dealloc(block.as_ptr(), layout(class)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_it_is_chosen_for_and_wastes_at_most_a_quarter() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 30, 1 << 46]) {
            let class = class_of(bytes);
            assert!(class < CLASSES && class_size(class) >= bytes, "{bytes} in class {class}");
            assert!(class == 0 || class_size(class - 1) < bytes, "{bytes} would fit class {}", class - 1);
            assert!(bytes <= ALIGN || class_size(class) * 4 <= bytes * 5 + 4 * 16);
        }
    }

    #[test]
    fn blocks_are_reused_and_booleans_stay_booleans() {
        empty_cache();
        let first = Buffer::from_slice(&[-1i64; 100]);
        let address = first.block;
        drop(first);
        let flags = Buffer::new(DType::Bool, 800);
        assert_eq!(flags.block, address);
        assert!(flags.as_slice::<bool>().iter().all(|&flag| !flag));
        assert_eq!(flags.block.as_ptr() as usize % ALIGN, 0);
    }

    #[test]
    fn buffers_travel_between_threads() {
        let buffer = Buffer::from_slice(&[1.0f64; 1000]);
        let sum: f64 = std::thread::spawn(move || buffer.as_slice::<f64>().iter().sum()).join().unwrap();
        assert_eq!(sum, 1000.0);
    }
}
