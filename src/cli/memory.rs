//! What happens when no memory is left: one line on stderr and exit code 4, not an abort.
//!
//! In: a wish that the system does not grant. Out: the end of the program, for what was asked for is needed. Tensors whose sizes
//! users choose are measured before (`files::memory`), so that most of them are a message with a name instead. Promised: nothing is
//! allocated on the way out, and files that are half written go.
#![allow(unsafe_code)]

use super::talk::Exit;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;

/// The memory of an allocator that is made for many small pieces, as plans are: plans take half as long as with the C library's on Linux.
pub struct Memory;

// SAFETY: every call is handed to the allocator as it is; what it gives is given back, unless it is null.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, which is the allocator's.
        there(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.realloc(old, layout, size) }, size)
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(old, layout) }
    }
}

fn there(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        gone(size);
    }
    memory
}

/// Says it and ends.
#[cold]
fn gone(size: usize) -> ! {
    // A text on the stack: there is no memory.
    let mut text = [0u8; 128];
    let mut rest = &mut text[..];
    let _ = writeln!(rest, "hnet: there is no memory: {size} more bytes were wanted");
    let left = rest.len();
    let _ = std::io::stderr().write_all(&text[..text.len() - left]);
    crate::files::atomic::abandon();
    end(Exit::Memory as i32)
}

/// Ends at once: what runs at an ordinary exit may want memory.
#[cfg(unix)]
fn end(code: i32) -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(not(unix))]
fn end(code: i32) -> ! {
    std::process::exit(code)
}
