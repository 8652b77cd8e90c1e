//! Whole zone files: what loads, and what is said of those that do not.
