//! Counts allocations of all threads, while it is told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Off, so that timing and instruction counts pay a load and a branch for it and no more.
static IS_ON: AtomicBool = AtomicBool::new(false);

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Allocations, and growths of one, that happen meanwhile.
pub fn count(work: impl FnOnce()) -> u64 {
    COUNT.store(0, Ordering::SeqCst);
    IS_ON.store(true, Ordering::SeqCst);
    work();
    IS_ON.store(false, Ordering::SeqCst);
    COUNT.load(Ordering::SeqCst)
}

fn note() {
    if IS_ON.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system's; counting touches none of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
