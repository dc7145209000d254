//! The real Claude Code program against the scripted model API, with nothing between them.
//!
//! It shows that the fake is one that the program takes for the vendor, and that the strict checks let through what
//! the program sends. `AGCLUSTER_CLAUDE` names the program; `cargo xtask test` sets it.

use agcluster_tests::model_api::{ModelApi, Options, Outcome, RecordedRequest};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The program starts in less than a second; on a busy machine everything may take a while.
const LIMIT: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(LIMIT, future).await.with_context(|| format!("waiting for {what}"))
}

/// The program in a folder and with a home of its own.
struct Claude {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Where it works.
    folder: TempDir,
    _home: TempDir,
}

impl Claude {
    /// Starts the program with tools that it may use unasked.
    async fn start(api: &ModelApi, tools: &str) -> anyhow::Result<Self> {
        let program = std::env::var_os("AGCLUSTER_CLAUDE").map(PathBuf::from).context(
            "AGCLUSTER_CLAUDE is not set: run `cargo xtask test`, or set it to the path of the Claude Code program",
        )?;
        let (home, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let environment: [(&str, OsString); 7] = [
            ("PATH", std::env::var_os("PATH").context("PATH is not set")?),
            ("HOME", home.path().into()),
            ("TMPDIR", home.path().into()),
            ("ANTHROPIC_BASE_URL", api.url_for("127.0.0.1").into()),
            ("ANTHROPIC_API_KEY", "test-key".into()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".into()),
            ("CLAUDE_CODE_MAX_RETRIES", "1".into()),
        ];
        let mut child = Command::new(&program)
            .args(["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"])
            .args(["--include-partial-messages", "--permission-prompt-tool", "stdio", "--strict-mcp-config"])
            .args([
                "--setting-sources",
                "",
                "--model",
                "claude-sonnet-4-5",
                "--tools",
                tools,
                "--allowedTools",
                tools,
            ])
            .env_clear()
            .envs(environment)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("AGCLUSTER_CLAUDE={} cannot be started", program.display()))?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let mut claude = Self { child, stdin, stdout, folder, _home: home };
        claude.control("initialize").await?;
        Ok(claude)
    }

    async fn send(&mut self, line: &Value) -> anyhow::Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    async fn control(&mut self, subtype: &str) -> anyhow::Result<()> {
        self.send(&json!({"type": "control_request", "request_id": "r", "request": {"subtype": subtype}}))
            .await?;
        let answer = self.until(subtype, |line| line["type"] == "control_response").await?;
        ensure!(answer["response"]["subtype"] == "success", "{subtype}: {answer}");
        Ok(())
    }

    async fn prompt(&mut self, prompt: &str) -> anyhow::Result<()> {
        let message = json!({"role": "user", "content": prompt});
        self.send(&json!({"type": "user", "message": message, "parent_tool_use_id": null})).await
    }

    /// Reads on until a line is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        soon(what, async {
            while let Some(line) = self.stdout.next_line().await? {
                let line: Value = serde_json::from_str(&line)?;
                if wanted(&line) {
                    return Ok(line);
                }
            }
            anyhow::bail!("the program ended before {what}")
        })
        .await?
    }

    async fn result(&mut self) -> anyhow::Result<Value> {
        self.until("the result", |line| line["type"] == "result").await
    }

    /// Closes its input and waits for its end.
    async fn end(mut self) -> anyhow::Result<ExitStatus> {
        drop(self.stdin);
        Ok(soon("the end of the program", self.child.wait()).await??)
    }
}

async fn started(tools: &str) -> anyhow::Result<(ModelApi, Claude)> {
    let api =
        ModelApi::start(Options { api_keys: vec!["test-key".to_owned()], ..Options::default() }).await?;
    let claude = Claude::start(&api, tools).await?;
    Ok((api, claude))
}

fn is_text_delta(line: &Value) -> bool {
    line["event"]["delta"]["type"] == "text_delta"
}

fn has_results(request: &RecordedRequest) -> bool {
    !request.tool_results().is_empty()
}

#[tokio::test]
async fn text_streams_through_a_gate_turn_after_turn() -> anyhow::Result<()> {
    let (api, mut claude) = started("Bash").await?;
    claude.prompt("@@gate half Good morning.").await?;
    soon("the gate", api.reached("half")).await?;
    let delta = claude.until("the first half", is_text_delta).await?;
    assert_eq!(delta["event"]["delta"]["text"], "Good m");
    api.open("half");
    let result = claude.result().await?;
    assert_eq!((&result["result"], &result["is_error"]), (&json!("Good morning."), &json!(false)));

    claude.prompt("@@text A second turn.").await?;
    assert_eq!(claude.result().await?["result"], "A second turn.");
    let session = result["session_id"].as_str().context("a session id")?;
    let requests = api.requests_of(session);
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].tools(), ["Bash"]);
    assert_eq!(requests[0].api_key(), Some("test-key"));
    assert!(claude.end().await?.success());
    api.assert_clean();
    Ok(())
}

#[tokio::test]
async fn tools_run_alone_and_side_by_side() -> anyhow::Result<()> {
    let (api, mut claude) = started("Bash,Write").await?;
    let second = claude.folder.path().join("second.txt");
    let both = json!([
        {"thinking": "Two files are wanted."},
        {"text": "I write both."},
        {"name": "Bash", "input": {"command": "echo one > first.txt", "description": "Write the first"}},
        {"name": "Write", "input": {"file_path": second, "content": "two\n"}},
    ]);
    claude
        .prompt(&format!("@@tools {both}\n@@bash cat first.txt second.txt\n@@text Both are there."))
        .await?;
    assert_eq!(claude.result().await?["result"], "Both are there.");
    assert_eq!(std::fs::read_to_string(claude.folder.path().join("first.txt"))?, "one\n");
    assert_eq!(std::fs::read_to_string(&second)?, "two\n");
    let requests: Vec<_> = api.requests().into_iter().filter(|request| has_results(request)).collect();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].tool_results().len(), 2);
    assert!(requests[1].tool_results()[0]["content"].to_string().contains("one\\ntwo"));
    // The thought came back with its signature, or this would be a violation.
    api.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_tool_that_is_not_offered_cannot_be_called() -> anyhow::Result<()> {
    let (api, mut claude) = started("Read").await?;
    claude.prompt("@@rogue_tool Bash {\"command\":\"touch rogue\"}\n@@text I cannot.").await?;
    assert_eq!(claude.result().await?["result"], "I cannot.");
    let answer = soon("the second request", api.wait_for(has_results)).await?;
    assert_eq!(answer.tool_results()[0]["is_error"], true);
    assert!(!claude.folder.path().join("rogue").exists());
    api.assert_clean();
    Ok(())
}

#[tokio::test]
async fn an_interrupt_closes_the_stream() -> anyhow::Result<()> {
    let (api, mut claude) = started("Bash").await?;
    claude.prompt("@@gate never This will not be read to its end.").await?;
    claude.until("the first half", is_text_delta).await?;
    claude.control("interrupt").await?;
    assert_eq!(claude.result().await?["terminal_reason"], "aborted_streaming");
    let gone = |request: &RecordedRequest| request.outcome() == Some(Outcome::Disconnected);
    soon("the disconnection", api.wait_for(gone)).await?;
    claude.prompt("@@text And on we go.").await?;
    assert_eq!(claude.result().await?["result"], "And on we go.");
    api.assert_clean();
    Ok(())
}

#[tokio::test]
async fn errors_are_retried_or_told() -> anyhow::Result<()> {
    let (api, mut claude) = started("Bash").await?;
    claude.prompt("@@error 529 1\n@@text Recovered.").await?;
    let retry = claude.until("the retry", |line| line["subtype"] == "api_retry").await?;
    assert_eq!(retry["error_status"], 529);
    assert_eq!(claude.result().await?["result"], "Recovered.");
    claude.prompt("@@error 400").await?;
    let result = claude.result().await?;
    assert_eq!((&result["is_error"], &result["api_error_status"]), (&json!(true), &json!(400)));
    claude.prompt("@@max_tokens Cut\n@@text and resumed.").await?;
    assert_eq!(claude.result().await?["result"], "and resumed.");
    api.assert_clean();
    Ok(())
}

#[tokio::test]
async fn the_demo_leaves_a_program() -> anyhow::Result<()> {
    for tools in ["Bash", "Write"] {
        let api = ModelApi::start(Options { demo: true, ..Options::default() }).await?;
        let mut claude = Claude::start(&api, tools).await?;
        claude.prompt("Please write a little Python program.").await?;
        let result = claude.result().await?;
        assert!(result["result"].as_str().is_some_and(|text| text.contains("hello.py")), "{tools}: {result}");
        let program = std::fs::read_to_string(claude.folder.path().join("hello.py")).context(tools)?;
        assert!(program.starts_with("print("), "{program}");
        api.assert_clean();
    }
    Ok(())
}
