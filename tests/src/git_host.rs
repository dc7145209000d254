//! A host of git repositories: git's own server program behind HTTP, which asks for a password as such hosts do.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The largest request.
const MOST: usize = 64 << 20;

/// A running host. Repositories whose names begin with `private` ask for the token; pushing does everywhere.
#[derive(Debug)]
pub struct GitHost {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: TempDir,
    token: String,
    /// What was wrong with a request, one sentence each.
    violations: Mutex<Vec<String>>,
    /// Who is told of the next request, and what it waits for.
    hold: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

/// A request that is not answered until this is dropped.
#[derive(Debug)]
pub struct Held {
    reached: oneshot::Receiver<()>,
    _go: oneshot::Sender<()>,
}

impl Held {
    /// Waits until it has come.
    ///
    /// # Errors
    /// When the host is gone.
    pub async fn reached(&mut self) -> anyhow::Result<()> {
        Ok((&mut self.reached).await?)
    }
}

impl GitHost {
    /// Starts a host whose token is this.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(token: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            folder: tempfile::tempdir()?,
            token: token.to_owned(),
            violations: Mutex::default(),
            hold: Mutex::default(),
        });
        let router =
            Router::new().fallback(serve).layer(DefaultBodyLimit::max(MOST)).with_state(shared.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let serving = tokio::spawn(async move { serve.await });
        Ok(Self { shared, address, stop, serving })
    }

    /// Makes a repository with a branch `main` of two commits and a branch `side` of one more, and gives its folder.
    ///
    /// # Errors
    /// When git does not do it.
    pub async fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let bare = self.shared.folder.path().join(name);
        let work = tempfile::tempdir()?;
        git(work.path(), &["init", "--quiet", "--initial-branch=main"]).await?;
        for (file, text, branch) in [
            ("README.md", "# Hello\n", "main"),
            ("src/lib.rs", "// code\n", "main"),
            ("side.txt", "side\n", "side"),
        ] {
            if branch == "side" {
                git(work.path(), &["switch", "--quiet", "--create", branch]).await?;
            }
            let path = work.path().join(file);
            std::fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            std::fs::write(path, text)?;
            git(work.path(), &["add", "--all"]).await?;
            git(work.path(), &["commit", "--quiet", &format!("--message=add {file}")]).await?;
        }
        git(work.path(), &["switch", "--quiet", "main"]).await?;
        let to = bare.display().to_string();
        git(work.path(), &["clone", "--quiet", "--bare", ".", &to]).await?;
        Ok(bare)
    }

    /// Does not answer the next request until what this gives is dropped.
    pub fn hold_next(&self) -> Held {
        let ((tell, reached), (go, wait)) = (oneshot::channel(), oneshot::channel());
        *self.shared.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some((tell, wait));
        Held { reached, _go: go }
    }

    /// The URL of a repository, for whoever reaches this machine by that name.
    pub fn url(&self, host: &str, name: &str) -> String {
        format!("http://{host}:{}/{name}", self.address.port())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it was sent what a host would refuse.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.serving.await??;
        let violations = self.shared.violations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(violations.is_empty(), "wrong requests to the git host: {violations:#?}");
        Ok(())
    }
}

/// Runs git in a folder and gives what it says.
///
/// # Errors
/// When git does not do it.
pub async fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .await?;
    ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let hold = shared.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((tell, wait)) = hold {
        let _ = tell.send(());
        let _ = wait.await;
    }
    match answer(&shared, request).await {
        Ok(response) => response,
        Err(error) => {
            shared.violations.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:#}"));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn answer(shared: &Shared, request: Request) -> anyhow::Result<Response> {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let name = path.split('/').nth(1).unwrap_or_default().to_owned();
    let writes = query == "service=git-receive-pack" || path.ends_with("/git-receive-pack");
    if let Some(refused) = refused(shared, &parts.headers, name.starts_with("private") || writes)? {
        return Ok(refused);
    }
    if !shared.folder.path().join(&name).is_dir() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let body = axum::body::to_bytes(body, MOST).await?;
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut program = Command::new("git")
        .arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", shared.folder.path())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "somebody")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", &path)
        .env("QUERY_STRING", &query)
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = program.stdin.take().context("a piped program has an input")?;
    let (written, output) =
        tokio::join!(async move { stdin.write_all(&body).await }, program.wait_with_output());
    // A program that has heard enough does not read on.
    let _ = written;
    respond(&output?.stdout)
}

/// What is said to whoever may not; an error for credentials that no client of ours has.
fn refused(shared: &Shared, headers: &HeaderMap, is_closed: bool) -> anyhow::Result<Option<Response>> {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default().to_owned());
    let Some(given) = given else {
        let asks = [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")];
        return Ok(is_closed.then(|| (StatusCode::UNAUTHORIZED, asks).into_response()));
    };
    let pair = given.strip_prefix("Basic ").context("credentials come as Basic")?;
    let pair = String::from_utf8(STANDARD.decode(pair)?)?;
    let (user, token) = pair.split_once(':').context("credentials are a pair")?;
    ensure!(!user.is_empty(), "credentials have a user");
    Ok((token != shared.token).then(|| StatusCode::UNAUTHORIZED.into_response()))
}

/// What a CGI program says, as an answer.
fn respond(output: &[u8]) -> anyhow::Result<Response> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").context("an answer has headers")?;
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end])?.lines() {
        let (name, value) = line.split_once(": ").context("a header has a value")?;
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap_or_default().parse::<u16>()?),
            name => response.header(name, value),
        };
    }
    Ok(response.body(Body::from(output[end + 4..].to_vec()))?)
}
