//! A token, and the team and project it is for.

use agcluster_core::protocol::Secret;
use agcluster_core::provider::{Result, invalid_field as invalid};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::PLATFORM;
use super::config::VercelConfig;

/// What every request carries.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) token: Secret,
    pub(super) team: String,
    pub(super) project: String,
    pub(super) kind: CredentialKind,
}

/// Where a token comes from, so that an error can name the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialKind {
    AccessToken,
    Oidc,
}

/// What an OIDC token says of itself. It is Vercel that checks its signature.
#[derive(Deserialize)]
struct Claims {
    owner_id: String,
    project_id: String,
}

impl Credentials {
    /// Token, team and project as configured; all three or an OIDC token.
    pub(super) fn of(config: &VercelConfig) -> Result<Self> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
        let secret = |value: &Option<Secret>| value.clone().filter(|value| !value.expose().trim().is_empty());
        if let Some(token) = secret(&config.token) {
            let team = given(&config.team_id).ok_or_else(|| missing("team_id", "VERCEL_TEAM_ID"))?;
            let project =
                given(&config.project_id).ok_or_else(|| missing("project_id", "VERCEL_PROJECT_ID"))?;
            return Ok(Self { token, team, project, kind: CredentialKind::AccessToken });
        }
        let Some(token) = secret(&config.oidc_token) else {
            return Err(invalid(
                PLATFORM,
                "token",
                "set it (environment: VERCEL_TOKEN) with team_id and project_id, or set oidc_token (VERCEL_OIDC_TOKEN)",
            ));
        };
        let claims = claims(token.expose()).ok_or_else(|| {
            invalid(
                PLATFORM,
                "oidc_token",
                "it is no OIDC token of a Vercel project: `vercel env pull` gives one (environment: VERCEL_OIDC_TOKEN)",
            )
        })?;
        Ok(Self { token, team: claims.owner_id, project: claims.project_id, kind: CredentialKind::Oidc })
    }
}

fn missing(field: &str, variable: &str) -> agcluster_core::provider::Error {
    invalid(PLATFORM, field, &format!("a token needs it too: set it (environment: {variable})"))
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> VercelConfig {
        VercelConfig {
            token: Some(Secret::new("tok")),
            team_id: Some("team_x".to_owned()),
            project_id: Some("prj_y".to_owned()),
            ..VercelConfig::default()
        }
    }

    fn oidc(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn a_token_comes_with_team_and_project() {
        let credentials = Credentials::of(&config()).unwrap();
        assert_eq!((credentials.team.as_str(), credentials.project.as_str()), ("team_x", "prj_y"));
        for (change, field, variable) in [
            (VercelConfig { team_id: None, ..config() }, "team_id: ", "VERCEL_TEAM_ID"),
            (
                VercelConfig { project_id: Some(" ".to_owned()), ..config() },
                "project_id: ",
                "VERCEL_PROJECT_ID",
            ),
            (VercelConfig { token: None, ..config() }, "token: ", "VERCEL_TOKEN"),
        ] {
            let error = Credentials::of(&change).unwrap_err();
            let message = error.message();
            assert!(message.starts_with(field) && message.contains(variable), "{message}");
        }
    }

    #[test]
    fn an_oidc_token_names_its_team_and_project() {
        let token = oidc(r#"{"owner_id":"team_o","project_id":"prj_o","exp":1}"#);
        let config = VercelConfig { oidc_token: Some(token), ..VercelConfig::default() };
        let credentials = Credentials::of(&config).unwrap();
        assert_eq!((credentials.team.as_str(), credentials.project.as_str()), ("team_o", "prj_o"));
        for bad in [Secret::new("tok"), oidc("{}"), Secret::new("a.b.c.d")] {
            let config = VercelConfig { oidc_token: Some(bad), ..VercelConfig::default() };
            let error = Credentials::of(&config).unwrap_err();
            assert!(
                error.message().starts_with("oidc_token: ") && !error.message().contains("tok."),
                "{error}"
            );
        }
    }
}
