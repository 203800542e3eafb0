//! The data plane: from a client's bytes to an upstream, with proof of who asked.
