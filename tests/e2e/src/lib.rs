//! The gateway as its users meet it: real kubectl, real API servers, a real directory.
