//! Reaching the agent server.

use std::collections::BTreeMap;

use agcluster_protocol::codes;

use super::case::{check, refused, same};
use super::{Context, Failed, Outcome, Verdict};
use crate::agent::{AgentClient, AgentError, wait_until_healthy};
use crate::provider::{ErrorKind, StopOptions};

/// A container that does not run has no endpoint.
pub async fn a_stopped_container_has_no_endpoint(context: &Context) -> Verdict {
    let spec = context.new_session();
    let container = context.running(&spec).await?;
    context.provider().stop(&container.id, StopOptions::default()).await?;
    let endpoint = context.provider().endpoint(&container.id).await;
    refused("the endpoint of a stopped container", endpoint, ErrorKind::Gone)?;
    Ok(Outcome::Passed)
}

/// The agent server takes the token whose digest the container was made with, and no other: not that of another
/// container, either.
pub async fn only_the_right_token_is_taken(context: &Context) -> Verdict {
    let (one, other) = (context.new_session(), context.new_session());
    let container = context.running(&one).await?;
    let endpoint = context.provider().endpoint(&container.id).await?;
    let right = AgentClient::new(&endpoint, &context.token(&one))?;
    let wrong = AgentClient::new(&endpoint, &context.token(&other))?;
    // Without any token everybody may ask for the health; nothing else.
    wait_until_healthy(&wrong, context.patience()).await?;
    let answered =
        BTreeMap::from([("right", right.interrupt(None).await), ("wrong", wrong.interrupt(None).await)]);
    for (token, answer) in answered {
        let refused = match answer {
            Err(AgentError::Refused { problem, .. }) => problem.code == codes::UNAUTHORIZED,
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Failed("an agent server without a turn said it ended one".to_owned())),
        };
        same(&format!("whether the {token} token is refused"), &refused, &(token == "wrong"))?;
    }
    check(container.id == context.listed().await?[0].id, "the container is another one now")?;
    Ok(Outcome::Passed)
}
