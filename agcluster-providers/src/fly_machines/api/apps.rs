//! Calls about apps, their addresses, and the token.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::turns::Action;
use super::wire::Machine;
use super::{Api, Failure, body};

/// An app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(in super::super) struct App {
    #[serde(default)]
    pub(in super::super) name: Option<String>,
    #[serde(default)]
    pub(in super::super) machine_count: Option<u64>,
    #[serde(default)]
    organization: Option<Organization>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Organization {
    #[serde(default)]
    slug: Option<String>,
}

impl App {
    /// The slug of its organisation.
    pub(in super::super) fn organization(&self) -> Option<&str> {
        self.organization.as_ref()?.slug.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct Apps {
    #[serde(default)]
    apps: Vec<App>,
}

/// What a token may be used for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(in super::super) struct TokenScope {
    #[serde(default)]
    pub(in super::super) org_slug: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Tokens {
    #[serde(default)]
    tokens: Vec<TokenScope>,
}

/// One page of an organisation's machines.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    machines: Vec<Machine>,
    #[serde(default)]
    next_cursor: Option<String>,
    #[serde(default)]
    error_regions: Option<Vec<serde_json::Value>>,
}

/// An organisation with more pages is not read to its end.
const MOST_PAGES: usize = 200;

impl Api {
    /// Makes an app on a private network of its own.
    pub(in super::super) async fn create_app(&self, app: &str, organization: &str) -> Result<(), Failure> {
        let mut call = self.call(Action::CreateApp, organization, Method::POST, "/apps".to_owned());
        call.body = body(&json!({ "name": app, "org_slug": organization, "network": app }))?;
        self.done(call).await
    }

    /// Looks at an app.
    pub(in super::super) async fn app(&self, app: &str) -> Result<App, Failure> {
        self.json(self.call(Action::GetApp, app, Method::GET, format!("/apps/{app}"))).await
    }

    /// All apps of an organisation.
    pub(in super::super) async fn apps(&self, organization: &str) -> Result<Vec<App>, Failure> {
        let mut call = self.call(Action::ListApps, organization, Method::GET, "/apps".to_owned());
        call.query.push(("org_slug", organization.to_owned()));
        Ok(self.json::<Apps>(call).await?.apps)
    }

    /// Removes an app with all that is in it. Answers before it is gone.
    pub(in super::super) async fn delete_app(&self, app: &str) -> Result<(), Failure> {
        let mut call = self.call(Action::DeleteApp, app, Method::DELETE, format!("/apps/{app}"));
        call.query.push(("force", "true".to_owned()));
        self.done(call).await
    }

    /// Whether an app has a public address.
    pub(in super::super) async fn has_address(&self, app: &str) -> Result<bool, Failure> {
        let path = format!("/apps/{app}/ip_assignments");
        let answer: serde_json::Value = self.json(self.call(Action::ListIps, app, Method::GET, path)).await?;
        let list = answer.get("ips").unwrap_or(&answer).as_array();
        Ok(list.is_some_and(|list| !list.is_empty()))
    }

    /// Gives an app a public address that it shares with others.
    pub(in super::super) async fn assign_address(&self, app: &str) -> Result<(), Failure> {
        let path = format!("/apps/{app}/ip_assignments");
        let mut call = self.call(Action::AssignIp, app, Method::POST, path);
        call.body = body(&json!({ "type": "shared_v4" }))?;
        self.done(call).await
    }

    /// What the token may be used for.
    pub(in super::super) async fn tokens(&self) -> Result<Vec<TokenScope>, Failure> {
        let call = self.call(Action::Tokens, "", Method::GET, "/tokens/current".to_owned());
        Ok(self.json::<Tokens>(call).await?.tokens)
    }

    /// All machines of an organisation.
    pub(in super::super) async fn machines_of(&self, organization: &str) -> Result<Vec<Machine>, Failure> {
        let mut all = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let path = format!("/orgs/{organization}/machines");
            let mut call = self.call(Action::ListOfOrganization, organization, Method::GET, path);
            call.query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page = self.json(call).await?;
            if page.error_regions.is_some_and(|regions| !regions.is_empty()) {
                tracing::warn!(
                    organization,
                    "some regions did not answer: their machines are not in the list"
                );
            }
            all.extend(page.machines);
            cursor = page.next_cursor.filter(|next| !next.is_empty());
            if cursor.is_none() {
                break;
            }
        }
        Ok(all)
    }
}
