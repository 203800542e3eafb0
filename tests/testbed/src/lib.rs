//! Real servers for tests and the demo, each on loopback, each stopped by its own pid.
