//! Memory for arrays that may become large.

/// The size from which an array counts as large, in octets.
const LARGE: usize = 1 << 20;

/// An allocation that glibc always maps and unmaps by itself, in octets. It learns from
/// what is freed to keep allocations of up to 32 MiB in its heaps. From there they return to the
/// system only if nothing above them is still alive: after a reload, more than half of what a large
/// zone takes would stay.
const ALWAYS_MAPPED: usize = 33 << 20;

/// Returns an empty vector with room for `expected` items. A large one gets room for many more.
/// That costs nothing before it is used, and its memory returns to the system when it is freed or
/// shrunk.
pub(crate) fn with_room<T>(expected: usize) -> Vec<T> {
    let item = size_of::<T>().max(1);
    let is_large = expected.saturating_mul(item) >= LARGE;
    Vec::with_capacity(if is_large { expected.max(ALWAYS_MAPPED / item) } else { expected })
}
