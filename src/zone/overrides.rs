//! What the operator says of an endpoint.

/// The state that the operator wants an endpoint to have, beside the one that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Override {
    /// What its checks say.
    Auto,
    /// Up, whatever its checks say.
    Up,
    /// Down, whatever its checks say.
    Down,
    /// Not named in new answers as long as anything else is up.
    Drain,
}
