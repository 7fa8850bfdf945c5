//! Memory that tensors share: a buffer behind a reader-writer lock, and a version counter.

use crate::buffer::Buffer;
use crate::{DType, Element};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The elements behind one tensor and all its views. Every in-place change raises `version`, so that
/// a gradient can tell whether a value it saved is still the one it saw.
pub(crate) struct Storage {
    buffer: RwLock<Buffer>,
    version: AtomicU32,
}

impl Storage {
    #[inline]
    pub fn new(buffer: Buffer) -> Storage {
        Storage { buffer: RwLock::new(buffer), version: AtomicU32::new(0) }
    }

    // A kernel that panics while it holds the lock leaves plain numbers behind, so poison means nothing.

    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, Buffer> {
        self.buffer.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exclusive access; counts as an in-place change.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, Buffer> {
        let guard = self.buffer.write().unwrap_or_else(PoisonError::into_inner);
        self.version.fetch_add(1, Ordering::Relaxed);
        guard
    }

    #[inline]
    pub fn version(&self) -> u32 {
        self.version.load(Ordering::Relaxed)
    }
}

/// A new buffer filled by `fill`, which must write every element it wants defined.
#[inline]
pub(crate) fn build<T: Element>(len: usize, fill: impl FnOnce(&mut [T])) -> Buffer {
    let mut buffer = Buffer::new(T::DTYPE, len);
    fill(buffer.as_mut_slice());
    buffer
}

/// A new buffer of zeros (false).
pub(crate) fn zeros(dtype: DType, len: usize) -> Buffer {
    let mut buffer = Buffer::new(dtype, len);
    crate::dtype::dispatch!(dtype, T => buffer.as_mut_slice::<T>().fill(T::default()));
    buffer
}
