//! Commands that go to a repository elsewhere, and take as long as they take.

use std::time::Duration;

use agcluster_protocol::workspace::PREFIX;
use agcluster_protocol::workspace::git::{CloneRequest, Cloned, Progress, routes};
use futures::StreamExt;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::{AgentClient, AgentError, Exchange, Exchanged, Result};

/// The longest that such a command may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// The longest that nothing is heard of it.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest line that tells of it.
const LINE: usize = 128 << 10;

/// Clones a repository in a container, whether or not it has a session yet. Dropping the future ends the command.
///
/// # Errors
/// [`AgentError::Workspace`] where git does not do it.
pub(crate) async fn clone(client: &AgentClient, request: &CloneRequest) -> Result<Cloned> {
    carry_out(client, "git clone", routes::CLONE, request).await
}

/// Has a command carried out and waits for its end.
pub(super) async fn carry_out<T: DeserializeOwned>(
    client: &AgentClient,
    operation: &'static str,
    route: &str,
    request: &impl Serialize,
) -> Result<T> {
    let exchange = Exchange::new(operation, Method::POST, format!("{PREFIX}{route}")).json(request)?;
    let answer = client.exchange(exchange).await?;
    tokio::time::timeout(LIMIT, last(operation, answer))
        .await
        .map_err(|_| AgentError::Timeout { operation, limit: LIMIT })?
}

/// Reads on until the command is over.
async fn last<T: DeserializeOwned>(operation: &'static str, answer: Exchanged) -> Result<T> {
    let mut body = answer.into_body();
    let mut unread = Vec::new();
    loop {
        let piece = tokio::time::timeout(SILENCE, body.next())
            .await
            .map_err(|_| AgentError::Timeout { operation, limit: SILENCE })?;
        let Some(piece) = piece else {
            return Err(AgentError::Unreachable(format!("{operation} broke off").into()));
        };
        unread.extend_from_slice(&piece?);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let told = serde_json::from_slice(&line)
                .map_err(|error| AgentError::Protocol(format!("{operation} cannot be followed: {error}")))?;
            match told {
                Progress::Working => {}
                Progress::Done(done) => return Ok(done),
                Progress::Refused(problem) => {
                    let refused = AgentError::Refused { status: StatusCode::BAD_GATEWAY, problem };
                    return Err(refused.of_workspace());
                }
            }
        }
        if unread.len() > LINE {
            return Err(AgentError::Protocol(format!("{operation} is told of in too long a line")));
        }
    }
}

#[cfg(test)]
mod tests {
    use agcluster_protocol::workspace::git::Pushed;
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    async fn read(pieces: &[&str]) -> Result<Pushed> {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect();
        last("git push", http::Response::new(stream::iter(pieces).boxed())).await
    }

    #[tokio::test]
    async fn a_command_is_followed_to_its_end_however_its_lines_arrive() {
        let done = "{\"done\":{\"branch\":\"main\",\"commit\":\"c\",\"upToDate\":false}}\n";
        let pushed = read(&["\"working\"\n\"wor", "king\"\n", &done[..20], &done[20..]]).await.unwrap();
        assert_eq!((pushed.branch.as_str(), pushed.up_to_date), ("main", false));
        let refused =
            read(&["{\"refused\":{\"code\":\"git_rejected\",\"detail\":\"no\"}}\n"]).await.unwrap_err();
        assert!(matches!(refused, AgentError::Workspace { code: "git_rejected", .. }), "{refused}");
        let made_up = read(&["{\"refused\":{\"code\":\"made_up\",\"detail\":\"no\"}}\n"]).await.unwrap_err();
        assert!(matches!(made_up, AgentError::Refused { status: StatusCode::BAD_GATEWAY, .. }), "{made_up}");
    }

    #[tokio::test]
    async fn a_container_that_talks_nonsense_is_not_listened_to_for_long() {
        assert!(matches!(read(&["\"working\"\n"]).await, Err(AgentError::Unreachable(_))));
        assert!(matches!(read(&["nonsense\n"]).await, Err(AgentError::Protocol(_))));
        let endless = "x".repeat(LINE + 1);
        assert!(matches!(read(&[&endless]).await, Err(AgentError::Protocol(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_waited_out() {
        let answer = http::Response::new(stream::pending().boxed());
        assert!(matches!(last::<Pushed>("git push", answer).await, Err(AgentError::Timeout { .. })));
    }
}
