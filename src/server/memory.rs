//! The return of memory to the system that a load needed and nothing needs any more.
//!
//! Only the control thread calls it: after it has freed a replaced snapshot, and after a load for
//! which nothing is published. One of the two files with `unsafe` code (`tests/it/layers.rs`).

#![allow(unsafe_code)]

/// Returns freed memory in the midst of glibc's heaps to the system. Otherwise glibc would keep it:
/// after a large load several times what the zones take
/// (`docs/decisions/0012-memory-back-after-loads.md`).
///
/// # Cost
/// A walk over the heaps: tenths of a second after a large load. A thread that allocates meanwhile
/// may wait. Answers over UDP do not allocate, nor do those over TCP that the socket takes at once.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number by value, and any thread may call it at any time.
    let _some_was_given_back = unsafe { libc::malloc_trim(0) };
}
