//! The contract between Gatewarden and the systems that know people.
