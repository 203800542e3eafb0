//! Whom an administrator means.

use auth_core::PrincipalId;

use super::{Admin, AdminError};
use crate::store::StoreFault;
use crate::users::{self, UserId};

impl Admin {
    /// The user who goes by this id (`u-…`), principal id or login name.
    ///
    /// # Errors
    /// When there is none, when a login name fits several, or when the store fails.
    pub async fn find(&self, name: &str) -> Result<UserId, AdminError> {
        let not_found = || AdminError::NotFound { what: "user", name: name.to_owned() };
        let ids: Vec<String> = if name.parse::<UserId>().is_ok() {
            self.ids("SELECT id FROM users WHERE id = ?", name).await?
        } else if name.parse::<PrincipalId>().is_ok() {
            self.ids("SELECT user_id FROM principals WHERE id = ?", name).await?
        } else {
            self.ids(
                "SELECT user_id FROM principals WHERE login = ?1 UNION SELECT id FROM users WHERE login = ?1 ORDER BY 1",
                name,
            )
            .await?
        };
        match ids.as_slice() {
            [] => Err(not_found()),
            [id] => Ok(users::parse_id(id)?),
            _ => Err(AdminError::Ambiguous { name: name.to_owned(), ids }),
        }
    }

    pub(super) async fn find_optional(&self, name: Option<&str>) -> Result<Option<UserId>, AdminError> {
        match name {
            Some(name) => self.find(name).await.map(Some),
            None => Ok(None),
        }
    }

    async fn ids(&self, sql: &'static str, name: &str) -> Result<Vec<String>, StoreFault> {
        Ok(sqlx::query_scalar(sql).bind(name).fetch_all(&mut *self.store.read().await?).await?)
    }
}
