//! What outlasts a turn, a program and a container.

use agcluster_protocol::{PromptId, TranscriptFile};

use super::*;

fn said(bodies: &[EventBody]) -> Vec<String> {
    texts(bodies).into_iter().map(str::to_owned).collect()
}

impl Agent {
    async fn rest(&self, follower: &mut Follower) -> Vec<EventBody> {
        let mut bodies = Vec::new();
        while let Some(events) = next(follower).await {
            bodies.extend(events.into_iter().map(|event| event.body));
        }
        bodies
    }

    async fn steer(&self, turn: TurnId, id: PromptId, text: &str) -> Result<u64, DriverError> {
        let (done, outcome) = oneshot::channel();
        let prompt = vec![PromptBlock::text(text)];
        self.orders.send(Order::Steer { turn, id, prompt, done }).await.unwrap();
        outcome.await.unwrap()
    }

    async fn restart(&self) {
        let (done, outcome) = oneshot::channel();
        self.orders.send(Order::Restart { done }).await.unwrap();
        outcome.await.unwrap().unwrap();
    }

    fn transcript(&self) -> Vec<TranscriptFile> {
        let told = self.log.events().into_iter().filter_map(|event| match event.body {
            EventBody::Transcript { path, entries } => Some(TranscriptFile { path, entries }),
            _ => None,
        });
        told.collect()
    }
}

#[tokio::test]
async fn a_conversation_is_remembered_across_deaths_and_containers() {
    let agent = Agent::start();
    agent.turn("one").await;
    agent.turn("two").await;
    assert!(matches!(
        outcome(&agent.turn("@@die").await),
        Outcome::Failed { reason: FailureReason::AgentExited, .. }
    ));
    assert_eq!(said(&agent.turn("@@recall").await), [r#"["one","two","@@die"]"#]);
    let files = agent.transcript();
    assert!(files.iter().all(|file| file.checked_path().is_ok()));
    let next = Agent::resume(agent.recorder.conversation(), files);
    assert_eq!(said(&next.turn("@@recall").await), [r#"["one","two","@@die","@@recall"]"#]);
    let unknown = Agent::resume(Some("unknown".to_owned()), Vec::new());
    assert_eq!(said(&unknown.turn("@@recall").await), ["[]"]);
}

#[tokio::test]
async fn a_conversation_that_is_cleared_goes_on_under_another_id() {
    let agent = Agent::start();
    agent.turn("one").await;
    let first = agent.recorder.conversation();
    agent.turn("@@clear").await;
    let second = agent.recorder.conversation();
    assert_ne!(first, second);
    agent.turn("two").await;
    let next = Agent::resume(second, agent.transcript());
    assert_eq!(said(&next.turn("@@recall").await), [r#"["two"]"#]);
}

#[tokio::test]
async fn a_prompt_is_added_to_a_turn_that_runs_and_to_no_other() {
    let agent = Agent::start();
    let (turn, mut follower) = agent.prompt("@@say first\n@@listen\n@@say last").await;
    until(&mut follower, |body| matches!(body, EventBody::Text { .. }).then_some(())).await;
    let id = PromptId::generate();
    let after = agent.steer(turn, id, "@@say added\n@@listen").await.unwrap();
    assert_eq!(agent.steer(turn, id, "@@say added\n@@listen").await.unwrap(), after);
    assert!(matches!(agent.steer(turn, PromptId::generate(), "@@dance").await, Err(DriverError::Invalid(_))));
    let other = agent.steer(TurnId::generate(), PromptId::generate(), "x").await;
    assert!(matches!(other, Err(DriverError::NotRunning)));
    agent.steer(turn, PromptId::generate(), "plain").await.unwrap();
    let bodies = agent.rest(&mut follower).await;
    let says = said(&bodies);
    assert_eq!(says[says.len() - 3..], ["added", "plain", "last"]);
    assert_eq!(*outcome(&bodies), Outcome::Completed);
    let late = agent.steer(turn, PromptId::generate(), "x").await;
    assert!(matches!(late, Err(DriverError::NotRunning)));
    // A lost answer may still be asked for.
    assert_eq!(agent.steer(turn, id, "x").await.unwrap(), after);
    let all = said(&agent.turn("@@recall").await).concat();
    assert!(all.contains("added") && all.contains("plain") && !all.contains("dance"), "{all}");
}

#[tokio::test]
async fn a_stall_is_seen_by_its_clock_and_ends_by_a_restart() {
    let agent = Agent::start();
    for what in ["program", "model", "tool"] {
        let (_, mut follower) = agent.prompt(&format!("@@say x\n@@stall {what}")).await;
        until(&mut follower, |body| matches!(body, EventBody::Text { .. }).then_some(())).await;
        let stalls = || {
            let model = agent.vitals.model().is_some_and(|model| model.open_requests == 1);
            let tool = agent.recorder.liveness().tools.len() == 1;
            match what {
                "model" => model && !tool,
                "tool" => tool && !model,
                _ => !model && !tool,
            }
        };
        while !stalls() {
            tokio::task::yield_now().await;
        }
        agent.restart().await;
        let bodies = agent.rest(&mut follower).await;
        let restarted = Outcome::Failed {
            reason: FailureReason::AgentRestarted,
            message: crate::driver::RESTARTED.to_owned(),
        };
        assert_eq!(*outcome(&bodies), restarted, "{what}");
        assert!(agent.vitals.program().running && agent.recorder.liveness().tools.is_empty());
    }
    assert_eq!(said(&agent.turn("@@say on").await), ["on"]);
}

#[tokio::test]
async fn who_dies_too_often_is_given_up_until_the_next_prompt() {
    let agent = Agent::start();
    for deaths in 1..=5 {
        agent.turn("@@die").await;
        while agent.vitals.program().deaths < deaths {
            tokio::task::yield_now().await;
        }
    }
    while agent.vitals.problem().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(!agent.vitals.program().running);
    assert_eq!(said(&agent.turn("@@say on").await), ["on"]);
    assert_eq!((agent.vitals.problem(), agent.vitals.program().deaths), (None, 0));
}

#[tokio::test]
async fn whoever_says_too_much_waits_until_it_is_acknowledged_and_nothing_is_lost() {
    let limits = ReplayLimits {
        memory_bytes: 10_000,
        total_bytes: 20_000,
        unacknowledged_bytes: 50_000,
        ..ReplayLimits::default()
    };
    let agent = Agent::with(limits, None, Vec::new());
    agent.log.keep_until_acknowledged();
    let (_, mut follower) = agent.prompt("@@stream 5000\n@@say end").await;
    let mut count = 0;
    let mut held_back = false;
    let mut bodies = Vec::new();
    while let Some(events) = next(&mut follower).await {
        for event in events {
            count += 1;
            assert_eq!(event.seq, count);
            bodies.push(event.body);
        }
        if agent.log.liveness().held_back {
            held_back = true;
            let newest = agent.log.newest();
            assert!(newest < count + 1_000, "{newest} after {count}");
        }
        // Only some of it.
        agent.log.acknowledge(count / 2).unwrap();
        if agent.log.newest() == count {
            agent.log.acknowledge(count).unwrap();
        }
    }
    assert!(held_back);
    assert_eq!(*outcome(&bodies), Outcome::Completed);
    let deltas = bodies.iter().filter(|body| matches!(body, EventBody::TextDelta { .. })).count();
    assert_eq!(deltas, 5_001);
}
