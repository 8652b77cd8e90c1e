//! Memory that a load needed and nobody needs any more goes back to the system.

#![allow(unsafe_code)]

/// Gives back what has been freed in the midst of glibc's heaps, which keep it otherwise: after a
/// large load several times what the zones take (`docs/decisions/0012-memory-back-after-loads.md`).
///
/// # Cost
/// A walk over the heaps, tenths of a second after a large load; who allocates meanwhile may wait,
/// and who answers queries over UDP, TCP and TLS does not allocate.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number by value, and any thread may call it at any time.
    let _some_was_given_back = unsafe { libc::malloc_trim(0) };
}
