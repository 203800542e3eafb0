//! `gatewarden serve`: runs the gateway until it is told to stop.

use std::path::Path;
use std::process::ExitCode;

use super::CommandError;
use super::arguments::Serve;
use crate::wiring::{ServeOptions, serve};

pub(super) fn run(path: &Path, arguments: &Serve) -> Result<ExitCode, CommandError> {
    let options = ServeOptions { log: arguments.log.clone(), workers: arguments.workers.map_or(0, usize::from) };
    match serve(path, &options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(crate::wiring::StartError::Config(error)) => Err(error.into()),
        Err(error) => Err(CommandError::failed(error)),
    }
}
