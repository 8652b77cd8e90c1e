//! The states that an operator writes for endpoints.

/// The state that the operator wants an endpoint to have, whatever its own state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Override {
    /// The state that its checks find.
    Auto,
    /// Up, whatever its checks say.
    Up,
    /// Down, whatever its checks say.
    Down,
    /// Not named in new answers as long as anything else is up.
    Drain,
}
