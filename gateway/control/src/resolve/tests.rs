//! Facts, to come.
