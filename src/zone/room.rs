//! Memory for what may become large.

/// From this size on an array is large.
const LARGE: usize = 1 << 20;

/// glibc learns from what is freed to keep allocations of up to 32 MiB in its heaps, whence they
/// return to the system only if nothing above them lives on: after a reload, more than half of
/// what a large zone takes. Larger ones it maps and unmaps each for itself.
const ALWAYS_MAPPED: usize = 33 << 20;

/// An empty vector with room for `expected` items. A large one has room for many more, which
/// costs nothing before it is used, and whose memory goes back when it is freed or shrunk.
pub(crate) fn with_room<T>(expected: usize) -> Vec<T> {
    let item = size_of::<T>().max(1);
    let is_large = expected.saturating_mul(item) >= LARGE;
    Vec::with_capacity(if is_large { expected.max(ALWAYS_MAPPED / item) } else { expected })
}
