//! Terminals.

use agcluster_core::conformance::Outcome;
use agcluster_tests::system::Screen;
use agcluster_tests::system::screen::{refused, request, token, with_bearer};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::place::{Place, get};

pub(crate) async fn a_terminal_is_typed_into_resized_and_found_again(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let mut screen = Screen::open_with(api, &session.id, "main", "?cols=100&rows=30").await?;
    screen.write("stty size; echo first-$((6*7))\r").await?;
    screen.until("30 100").await?;
    screen.until("first-42").await?;
    screen.send(json!({ "type": "resize", "cols": 71, "rows": 19 })).await?;
    screen.write("stty size\r").await?;
    screen.until("19 71").await?;
    let offset = screen.offset().context("output has an offset")?;
    screen.leave().await?;

    let mut again = Screen::open(api, &session, "main").await?;
    again.until("first-42").await?;
    let mut on = Screen::open_with(api, &session.id, "main", &format!("?after={offset}")).await?;
    on.write("echo second-$((6*8))\r").await?;
    for screen in [&mut on, &mut again] {
        screen.until("second-48").await?;
    }
    ensure!(!on.text.contains("first-42"), "{}", on.text);
    let listed = get(api, &format!("/api/agents/{}/terminals", session.id)).await?;
    ensure!(listed["terminals"].as_array().is_some_and(|all| all.len() == 1), "{listed}");
    on.write("exit 3\r").await?;
    ensure!(on.frame("close").await?["code"] == 3);
    ensure!(on.end().await?.0 == 1000);
    Ok(Outcome::Passed)
}

pub(crate) async fn a_token_opens_one_terminal_once(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let token = token(api, &session.id, "main").await?;
    let ask = || with_bearer(request(api, "/ws/terminal")?, &token);
    Screen::connect(ask()?).await?.leave().await?;
    ensure!(refused(ask()?).await? == (401, "terminal_token_used".to_owned()));
    Ok(Outcome::Passed)
}
