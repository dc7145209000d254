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
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(TokenDigest::of("t"));
        config.programs.claude = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/claude");
        config.workspace = folder.path().to_owned();
        config.interrupt_timeout = Duration::from_millis(300);
        config.stop_timeout = Duration::from_millis(300);
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
            acknowledges: false,
        };
        let script = format!("{PRELUDE}\n{script}");
        configure.options.env.insert("SCRIPT".to_owned(), Secret::new(script));
        let log = Arc::new(EventLog::new(ReplayLimits::default()));
        let recorder = Recorder::new(log.clone(), 1);
        let started = start(Arc::new(config), ProcessTree::new(false), configure, recorder.clone()).await;
        let session = Session::new(1, recorder, started.unwrap().driver);
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
    assert_eq!(running.session.interrupt().await.unwrap(), turn);
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
    for starts in 1..3 {
        let outcome = running.turn().await;
        assert!(matches!(outcome, Outcome::Failed { reason: FailureReason::AgentExited, .. }), "{outcome:?}");
        assert_eq!(running.starts(), starts);
    }
    running.session.stop().await;
}

#[tokio::test]
async fn a_turn_fails_when_the_program_cannot_be_started_again_and_the_next_tries_again() {
    let running = Running::start("prompt; lifecycle started; done_with well; exit 0").await;
    assert_eq!(running.turn().await, Outcome::Completed);
    running.write("broken");
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
