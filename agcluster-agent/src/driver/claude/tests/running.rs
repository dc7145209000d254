//! A program that does not run as it should.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{
    Configure, DriverKind, Event, EventBody, FailureReason, ModelAccess, Outcome, PromptBlock, Query, Secret,
    TurnId,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::driver::claude::start;
use crate::log::{EventLog, Follower};
use crate::program::ProcessTree;
use crate::recorder::Recorder;
use crate::session::Session;
use crate::{ReplayLimits, ServerConfig, TokenDigest};

/// The beginning of every script: it gets ready, unless the file `broken` is there, and knows how to say things.
const PRELUDE: &str = r#"
[ -e broken ] && exit 3
echo started >> starts
read -r line
echo '{"type":"control_response","response":{"subtype":"success","request_id":"initialize","response":{}}}'
# Waits for the next prompt, passing over requests.
prompt() {
  while read -r line; do
    case $line in *'"type":"user"'*) uuid=$(echo "$line" | sed 's/.*"uuid":"\([^"]*\)".*/\1/'); return 0 ;; esac
  done
  exit 0
}
lifecycle() { echo '{"type":"command_lifecycle","command_uuid":"'$uuid'","state":"'$1'"}'; }
done_with() {
  echo '{"type":"result","subtype":"success","is_error":false,"result":"'$1'","user_message_uuids":["'$uuid'"]}'
}
"#;

struct Running {
    session: Session,
    log: Arc<EventLog>,
    folder: TempDir,
}

impl Running {
    async fn start(script: &str) -> Self {
        Self::start_with(script, |_| {}).await
    }

    async fn start_with(script: &str, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(TokenDigest::of("t"));
        config.programs.claude = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/claude");
        config.workspace = folder.path().to_owned();
        config.interrupt_timeout = Duration::from_millis(300);
        config.stop_timeout = Duration::from_millis(300);
        // Once it is started again at once, and after that only when it is needed.
        config.restart_delay = Duration::from_secs(3600);
        change(&mut config);
        let mut configure = Configure {
            session: "s".to_owned(),
            generation: 1,
            driver: DriverKind::Claude,
            options: Default::default(),
            model_access: Some(ModelAccess {
                base_url: "http://127.0.0.1:1".to_owned(),
                api_key: Secret::new("sk-the-key"),
            }),
            resume: None,
            transcript: Vec::new(),
            files: std::collections::BTreeMap::new(),
            acknowledges: false,
        };
        let script = format!("{PRELUDE}\n{script}");
        configure.options.env.insert("SCRIPT".to_owned(), Secret::new(script));
        let log = Arc::new(EventLog::new(ReplayLimits::default()));
        let recorder = Recorder::new(log.clone(), 1);
        let started = start(Arc::new(config), ProcessTree::new(false), configure, recorder.clone()).await;
        let session = Session::new(1, recorder, started.unwrap());
        Self { session, log, folder }
    }

    async fn prompt(&self) -> (TurnId, Follower) {
        let turn = TurnId::generate();
        let query = Query { turn, generation: 1, prompt: vec![PromptBlock::text("x")] };
        let begun = self.session.query(query).await.unwrap();
        let follower =
            Follower::new(self.log.clone(), begun.after, Some(begun.mark), CancellationToken::new());
        (turn, follower.unwrap())
    }

    async fn turn(&self) -> Outcome {
        let (turn, follower) = self.prompt().await;
        self.end(turn, follower).await
    }

    /// How a turn ends.
    async fn end(&self, turn: TurnId, mut follower: Follower) -> Outcome {
        let reading = async { while follower.next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap();
        let outcome = |event: Event| match event.body {
            EventBody::TurnEnded(end) if event.turn == Some(turn) => Some(end.outcome),
            _ => None,
        };
        let mut ends: Vec<Outcome> = self.log.events().into_iter().filter_map(outcome).collect();
        assert_eq!(ends.len(), 1);
        ends.remove(0)
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("starts")).unwrap().lines().count()
    }

    /// Waits until the program has been started so often.
    async fn started(&self, times: usize) {
        let waiting = async {
            while self.starts() < times || !self.session.vitals().program().running {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
    }

    async fn restart(&self) {
        self.session.restart(1, Duration::from_secs(60)).await.unwrap();
    }

    fn write(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "").unwrap();
    }
}

#[tokio::test]
async fn a_program_that_does_not_heed_an_interruption_is_killed_and_started_again() {
    let script = "prompt; lifecycle started; [ -e calm ] && done_with well; while prompt; do :; done";
    let running = Running::start(script).await;
    let (turn, mut follower) = running.prompt().await;
    follower.next().await.unwrap();
    assert_eq!(running.session.interrupt(None).await.unwrap(), turn);
    assert_eq!(running.end(turn, follower).await, Outcome::Interrupted);
    running.write("calm");
    assert_eq!(running.turn().await, Outcome::Completed);
    assert_eq!(running.starts(), 2);
    running.session.stop().await;
}

#[tokio::test]
async fn a_prompt_that_no_program_has_looked_at_is_given_to_another_once() {
    let running =
        Running::start("prompt; [ -e calm ] || { touch calm; exit 1; }; done_with well; prompt").await;
    assert_eq!(running.turn().await, Outcome::Completed);
    assert_eq!(running.starts(), 2);
    running.session.stop().await;
    let hopeless = Running::start("prompt; exit 1").await;
    let Outcome::Failed { reason, message } = hopeless.turn().await else { panic!("it did not fail") };
    assert_eq!(reason, FailureReason::AgentExited);
    assert!(message.contains("ended with code 1"), "{message}");
    assert_eq!(hopeless.starts(), 2);
    hopeless.session.stop().await;
}

#[tokio::test]
async fn a_program_that_dies_at_work_is_not_given_the_same_again() {
    let running = Running::start("prompt; lifecycle started; exit 1").await;
    for _ in 0..3 {
        let outcome = running.turn().await;
        assert!(matches!(outcome, Outcome::Failed { reason: FailureReason::AgentExited, .. }), "{outcome:?}");
    }
    assert_eq!(running.starts(), 3);
    running.session.stop().await;
}

#[tokio::test]
async fn a_turn_fails_when_the_program_cannot_be_started_again_and_the_next_tries_again() {
    let script = "prompt; lifecycle started; [ -e once ] || touch once broken; done_with well; exit 0";
    let running = Running::start(script).await;
    assert_eq!(running.turn().await, Outcome::Completed);
    let Outcome::Failed { reason, message } = running.turn().await else { panic!("it did not fail") };
    assert_eq!(reason, FailureReason::AgentError);
    assert!(message.contains("could not be started again") && message.contains("code 3"), "{message}");
    std::fs::remove_file(running.folder.path().join("broken")).unwrap();
    assert_eq!(running.turn().await, Outcome::Completed);
    running.session.stop().await;
}

#[tokio::test]
async fn a_line_without_end_fails_the_turn() {
    let endless = "head -c 34000000 /dev/zero | tr '\\0' x; echo; prompt";
    let running = Running::start(&format!("prompt; lifecycle started; {endless}")).await;
    let Outcome::Failed { reason, message } = running.turn().await else { panic!("it did not fail") };
    assert_eq!(reason, FailureReason::AgentError);
    assert!(message.contains("too long"), "{message}");
    running.session.stop().await;
}

#[tokio::test]
async fn a_program_that_will_not_end_is_killed_with_what_it_has_started() {
    let stubborn = "trap '' TERM; sleep 1000 & echo $! > child; echo $$ > pid; prompt; lifecycle started; \
                    echo '{\"type\":\"at_work\"}'; while :; do sleep 1; done";
    let running = Running::start(stubborn).await;
    let (_, mut follower) = running.prompt().await;
    let at_work = |event: &Event| matches!(event.body, EventBody::Vendor { .. });
    while !running.log.events().iter().any(at_work) {
        follower.next().await.unwrap();
    }
    let alive = |name: &str| {
        let id = std::fs::read_to_string(running.folder.path().join(name)).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    assert!(alive("pid") && alive("child"));
    running.session.stop().await;
    let since = std::time::Instant::now();
    while alive("pid") || alive("child") {
        assert!(since.elapsed() < Duration::from_secs(60), "it lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_program_that_dies_in_silence_is_started_again_at_once() {
    let script = "[ -e calm ] || { touch calm; exit 1; }; prompt; done_with well; prompt";
    let running = Running::start(script).await;
    running.started(2).await;
    assert_eq!(running.session.vitals().program().deaths, 1);
    assert_eq!(running.turn().await, Outcome::Completed);
    assert_eq!((running.starts(), running.session.vitals().program().deaths), (2, 0));
    running.session.stop().await;
}

#[tokio::test]
async fn a_program_that_dies_again_and_again_is_given_up_until_it_is_needed() {
    let hurry = |config: &mut ServerConfig| config.restart_delay = Duration::from_millis(1);
    let script = "[ -e calm ] || { echo 'no luck' >&2; exit 1; }; prompt; done_with well; prompt";
    let running = Running::start_with(script, hurry).await;
    let given_up = async {
        loop {
            if let Some(problem) = running.session.vitals().problem() {
                return problem;
            }
            tokio::task::yield_now().await;
        }
    };
    let problem = tokio::time::timeout(Duration::from_secs(60), given_up).await.unwrap();
    let why = "ended 5 times in a row and is not started again by itself (the agent program ended with code 1: no luck)";
    assert!(problem.contains(why), "{problem}");
    let program = running.session.vitals().program();
    assert_eq!((program.running, program.deaths, running.starts()), (false, 5, 5));
    let events = running.log.events();
    let deaths = events.iter().filter(|event| matches!(event.body, EventBody::AgentExited { .. }));
    assert_eq!(deaths.count(), 5);
    let told =
        |event: &&Event| matches!(&event.body, EventBody::Notice { message, .. } if *message == problem);
    assert_eq!(events.iter().filter(told).count(), 1);
    running.write("calm");
    assert_eq!(running.turn().await, Outcome::Completed);
    assert_eq!(running.session.vitals().problem(), None);
    running.session.stop().await;
}

#[tokio::test]
async fn a_program_is_started_again_by_order_and_its_turn_fails_once() {
    let script =
        "[ -e calm ] || { prompt; lifecycle started; }; touch calm; while prompt; do done_with well; done";
    let running = Running::start(script).await;
    let (turn, mut follower) = running.prompt().await;
    follower.next().await.unwrap();
    running.started(1).await;
    let calm = running.folder.path().join("calm");
    while !calm.exists() {
        tokio::task::yield_now().await;
    }
    running.restart().await;
    let Outcome::Failed { reason, .. } = running.end(turn, follower).await else { panic!("it did not fail") };
    assert_eq!(reason, FailureReason::AgentRestarted);
    let program = running.session.vitals().program();
    assert_eq!((program.running, program.deaths, running.starts()), (true, 0, 2));
    assert_eq!(running.turn().await, Outcome::Completed);
    // Also when nothing runs.
    running.restart().await;
    assert_eq!(running.starts(), 3);
    assert!(
        running
            .session
            .restart(2, Duration::from_secs(60))
            .await
            .is_err_and(|no| no.code == "stale_generation")
    );
    running.session.stop().await;
}
