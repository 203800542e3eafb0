//! The `load` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// The generator and the stub share the machine with what they measure.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    load::main()
}
