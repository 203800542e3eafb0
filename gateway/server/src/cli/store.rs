//! The store, for commands that work beside a running server.

use std::path::Path;
use std::sync::Arc;

use gatewarden_control::{Admin, Store};
use tokio::runtime::Builder;

use super::CommandError;
use crate::config::{self, Config};
use crate::wiring::{SystemClock, make_state_dir};

/// Opens the configured store, works on it, and closes it. A running server sees what was written within two seconds.
pub(super) fn with<T>(
    path: &Path,
    work: impl AsyncFnOnce(Admin) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let config = config::load_file(path)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open(&config).await?;
        let done = work(Admin::new(store.clone())).await;
        store.close().await;
        done
    })
}

/// Opens the configured store. Whoever does closes it.
pub(super) async fn open(config: &Config) -> Result<Store, CommandError> {
    make_state_dir(&config.state_dir).map_err(|error| {
        CommandError::Input(format!("cannot create the state folder {}: {error}", config.state_dir.display()))
    })?;
    let opened = Store::open(&config.store, Arc::new(SystemClock)).await;
    opened.map_err(|source| CommandError::Store { path: config.store.clone(), source })
}
