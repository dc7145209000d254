//! The app of one container, on a private network of its own.

use agcluster_core::provider::{ErrorKind, Result};

use super::super::api::Failure;
use super::super::apps::Apps;
use super::super::error::{About, explain};
use super::Creation;

impl Creation<'_> {
    /// Makes the app if containers have apps of their own, or takes over the one that is there. Whether it was made now is the answer.
    pub(super) async fn ensure_app(&self) -> Result<bool> {
        let Apps::PerSession { organization, .. } = &self.inner.apps else { return Ok(false) };
        let about = About::Organization(organization);
        match self.inner.api.create_app(&self.app, organization).await {
            Ok(()) => match self.inner.api.assign_address(&self.app).await {
                Ok(()) => Ok(true),
                Err(failure) => {
                    self.remove_app().await;
                    Err(explain(failure, "create", About::App(&self.app)))
                }
            },
            Err(failure) if is_taken(&failure) || failure.is_doubtful() => {
                self.take_over(organization, failure).await.map(|()| false)
            }
            Err(failure) => Err(explain(failure, "create", about)),
        }
    }

    async fn take_over(&self, organization: &str, refused: Failure) -> Result<()> {
        let api = &self.inner.api;
        match api.app(&self.app).await {
            Ok(app) if app.organization().is_none_or(|slug| slug == organization) => {}
            Ok(_) => return Err(self.app_of_somebody_else()),
            Err(failure) if failure.status() == 403 => return Err(self.app_of_somebody_else()),
            Err(failure) if failure.is_not_found() => {
                return Err(explain(refused, "create", About::Organization(organization)));
            }
            Err(failure) => return Err(self.explain(failure)),
        }
        // Whoever made it may have been cut off before this.
        if !api.has_address(&self.app).await.map_err(|failure| self.explain(failure))? {
            api.assign_address(&self.app).await.map_err(|failure| self.explain(failure))?;
        }
        Ok(())
    }

    /// Removes the app of a container that did not come up. A failure here is not the one to tell of; what stays is found by `list`.
    pub(super) async fn remove_app(&self) {
        if let Err(failure) = self.inner.api.delete_app(&self.app).await {
            tracing::warn!(app = self.app, %failure, "the app of a machine that did not come up was not removed");
        }
    }

    fn app_of_somebody_else(&self) -> agcluster_core::provider::Error {
        let message = format!("the app {} belongs to somebody else: set another app_prefix", self.app);
        self.error_of(ErrorKind::AlreadyExists, message)
    }
}

fn is_taken(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| {
        matches!(refusal.status, 400 | 409 | 422)
            && (refusal.is("name_taken")
                || refusal.says("already been taken")
                || refusal.says("already exists"))
    })
}
