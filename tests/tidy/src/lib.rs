//! What the compiler does not check about this workspace.
