//! The store, for commands that work beside a running server.

use std::path::Path;
use std::sync::Arc;

use auth_core::with_causes;
use gatewarden_control::{Admin, ClusterTokens, KeyFile, Store};
use tokio::runtime::Builder;

use super::CommandError;
use crate::config::{self, CarrierSource, Config};
use crate::wiring::{ProviderPorts, SystemClock, make_state_dir};

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

/// Lets clusters that trust the issuer be shown a token of its own. Its keys are read once, and the store may close.
pub(super) async fn open_mint(config: &Config, ports: &ProviderPorts, store: &Store) -> Result<(), CommandError> {
    let Some(issuer) = &config.issuer else { return Ok(()) };
    if !config.clusters.iter().any(|cluster| matches!(cluster.carrier, CarrierSource::Bearer { .. })) {
        return Ok(());
    }
    let failed = |error: &(dyn std::error::Error + 'static)| CommandError::Input(with_causes(error));
    let keys = KeyFile::open_or_create(&config.key_file).map_err(|error| failed(&error))?;
    let tokens = ClusterTokens::open(issuer.clone(), &keys, store.clone()).await;
    ports.open_mint(Arc::new(tokens.map_err(|error| failed(&*error))?));
    Ok(())
}
