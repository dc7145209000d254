//! A client of the HTTP API.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{Chat, description};

const ADOPTION: Duration = Duration::from_secs(120);

/// A client with a key.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    key: String,
    provider: Option<&'static str>,
    described: bool,
}

/// A JSON answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The `code` of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Api {
    /// A client of the server at this base URL, with a key.
    pub fn new(base: String, key: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: Client::new(), base, key: key.to_owned(), provider: None, described: false }
    }

    /// The same, naming this provider in every launch that names none.
    #[must_use]
    pub fn on(self, provider: &'static str) -> Self {
        Self { provider: Some(provider), ..self }
    }

    /// The same, holding every JSON answer against the API's description: one that is not described is an error.
    #[must_use]
    pub fn described(self) -> Self {
        Self { described: true, ..self }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request with the key as bearer token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(&self.key)
    }

    /// Sends a request and reads a JSON answer.
    ///
    /// # Errors
    /// When there is no answer, or it is no JSON.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let (client, request) = request.build_split();
        let request = request?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text)
            .with_context(|| format!("{status} with a body that is no JSON: {text}"))?;
        if self.described {
            description::hold(&method, &path, status, &body)?;
        }
        Ok(Answer { status, headers, body })
    }

    /// `GET` of a path.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of a JSON body.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// `DELETE` of a path.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Waits until the server has found the sessions of an earlier run again.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub async fn adopted(&self) -> anyhow::Result<()> {
        let looking = async {
            let mut looks = tokio::time::interval(Duration::from_millis(10));
            loop {
                looks.tick().await;
                let answer = self.get("/ready").await?;
                if answer.status.is_success() && is_adopted(&answer.body) {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(ADOPTION, looking).await.context("not every session was adopted in time")?
    }

    /// Launches a session with this configuration document.
    ///
    /// # Errors
    /// When the launch is refused.
    pub async fn launch(&self, config: Value) -> anyhow::Result<Session> {
        self.launch_with(json!({ "config": config })).await
    }

    /// Launches a session with these fields beside the key.
    ///
    /// # Errors
    /// When the launch is refused.
    pub async fn launch_with(&self, mut request: Value) -> anyhow::Result<Session> {
        request["api_key"] = self.key.as_str().into();
        if let (Some(provider), None) = (self.provider, request.get("provider")) {
            request["provider"] = provider.into();
        }
        let answer = self.post("/api/agents/launch", request).await?;
        ensure!(
            answer.status == StatusCode::OK,
            "the launch was answered {}: {}",
            answer.status,
            answer.body
        );
        let id = answer.body["session_id"].as_str().context("a launch gives a session_id")?.to_owned();
        Ok(Session { api: self.clone(), id, launched: answer.body })
    }

    /// A session that is there already.
    pub fn session(&self, id: &str) -> Session {
        Session { api: self.clone(), id: id.to_owned(), launched: Value::Null }
    }
}

/// A session, through the API.
#[derive(Debug, Clone)]
pub struct Session {
    api: Api,
    /// Its id.
    pub id: String,
    /// What the launch answered.
    pub launched: Value,
}

impl Session {
    /// Sends a message and gives the stream.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn chat(&self, message: &str) -> anyhow::Result<Chat> {
        let request = self.api.request(Method::POST, &format!("/api/agents/{}/chat", self.id));
        let response = request.json(&json!({ "message": message })).send().await?;
        if response.status() != StatusCode::OK {
            bail!("the chat was answered {}: {}", response.status(), response.text().await?);
        }
        Ok(Chat::new(response))
    }

    /// Sends a message and waits for the JSON answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&self, message: &str) -> anyhow::Result<Answer> {
        let request = self.api.request(Method::POST, &format!("/api/agents/{}/chat", self.id));
        let request = request.header("accept", "application/json").json(&json!({ "message": message }));
        self.api.send(request).await
    }

    /// The session's events after a cursor.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn events(&self, after: u64) -> anyhow::Result<Chat> {
        let path = format!("/api/agents/{}/events?after={after}", self.id);
        let response = self.api.request(Method::GET, &path).send().await?;
        if response.status() != StatusCode::OK {
            bail!("the events were answered {}: {}", response.status(), response.text().await?);
        }
        Ok(Chat::new(response))
    }

    /// `POST` to one of the session's own routes.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn post(&self, route: &str, body: Value) -> anyhow::Result<Answer> {
        self.api.post(&format!("/api/agents/sessions/{}/{route}", self.id), body).await
    }

    /// Looks at it.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn get(&self) -> anyhow::Result<Answer> {
        self.api.get(&format!("/api/agents/sessions/{}", self.id)).await
    }

    /// Removes it.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn delete(&self) -> anyhow::Result<Answer> {
        self.api.delete(&format!("/api/agents/sessions/{}", self.id)).await
    }
}

/// Whether `/ready` says that every session of an earlier run is settled.
fn is_adopted(ready: &Value) -> bool {
    let sessions = &ready["adoption"];
    match (sessions["found"].as_u64(), sessions["settled"].as_u64()) {
        (Some(found), Some(settled)) => settled >= found,
        _ => false,
    }
}
