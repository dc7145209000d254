//! Commits to a store as fast as it goes, until it is killed. For the crash tests of stores.
//!
//! Every commit appends as many events to each of a few sessions as its number says (modulo a few), and notes its number
//! as a value. The number is printed once the store has answered.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::sync::Arc;

use agcluster_core::journal::{Entry, Record};
use agcluster_core::protocol::{AgentOptions, DriverKind, EventBody, Secret};
use agcluster_core::provider::Resources;
use agcluster_core::session::{
    AgentId, AgentSpec, ApprovalPolicy, Owner, SessionId, SessionPolicy, SessionRecord, State,
};
use agcluster_core::store::{Change, DatabaseUrl, open};
use anyhow::Context as _;
use jiff::Timestamp;

/// How many sessions each commit writes to.
const SESSIONS: u64 = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url: DatabaseUrl = std::env::args().nth(1).context("give the address of a database")?.parse()?;
    let store = open(&url).await?;
    let ids: Vec<_> = (0..SESSIONS).map(|number| SessionId::from_text(format!("conv-{number}"))).collect();
    let sessions: Vec<_> = ids.iter().map(|id| Change::Session(Box::new(session(id)))).collect();
    store.commit(&sessions).await?;
    let mut number: u64 = store.meta("number").await?.unwrap_or_else(|| "0".to_owned()).parse()?;
    let mut head = store.extent(ids.first().context("no sessions")?).await?.head;
    loop {
        number += 1;
        let last = head + number % 7;
        let mut changes = vec![Change::Meta { key: "number".to_owned(), value: number.to_string() }];
        changes.extend(ids.iter().map(|id| {
            let records = (head + 1..=last).map(record).collect();
            Change::Events { session: id.clone(), records }
        }));
        store.commit(&changes).await?;
        head = last;
        println!("{number} {head}");
    }
}

fn record(seq: u64) -> Arc<Record> {
    let text = format!("event {seq}");
    let mut entry = Entry::own(1, None, EventBody::TextDelta { block: 0, text });
    entry.source_seq = Some(seq);
    Arc::new(Record::new(seq, entry))
}

fn session(id: &SessionId) -> SessionRecord {
    SessionRecord {
        id: id.clone(),
        agent_id: AgentId::generate(),
        config_id: "plain".to_owned(),
        owner: Owner::of(&Secret::new("writer")),
        provider: "memory".to_owned(),
        candidates: Vec::new(),
        agent: AgentSpec {
            driver: DriverKind::Scripted,
            options: AgentOptions::default(),
            resources: Resources::default(),
            image: None,
        },
        policy: SessionPolicy::default(),
        approvals: ApprovalPolicy::default(),
        disposable: false,
        files: std::collections::BTreeMap::new(),
        model_base_url: None,
        repository: None,
        created_at: Timestamp::now(),
        last_active: Timestamp::now(),
        state: State::default(),
        facts: None,
    }
}
