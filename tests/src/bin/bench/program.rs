//! The Claude program alone: with the very command line and environment of a session's, in the same kind of container, and
//! with nothing between it and the model API. It is spoken to through named pipes, since the engine's own way to a
//! container's streams takes time.

use std::path::Path;
use std::time::{Duration, Instant};

use agcluster_core::provider::{ContainerProvider, ExecOptions, ListFilter};
use agcluster_tests::model_api::ModelApi;
use anyhow::{Context, Result, bail, ensure};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use super::bare::{self, Bare};
use super::limits::{STEP, soon};

/// Writes one file of the program's process. Run as the agent's user, who may read them.
const SHOW: &str = r#"for p in /proc/[0-9]*; do
    case "$(readlink "$p/exe")" in */claude) exec cat "$p/$0" ;; esac
done
exit 1"#;
/// Connects a program to the pipes.
const CONNECT: &str = r#"exec "$@" <"$0/in" >"$0/out" 2>/dev/null"#;
/// Where the pipes are in the container.
const PIPES: &str = "/pipes";
const READ_WRITE: u32 = 0o666;

/// How a session runs the program.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    command: Vec<String>,
    environment: Vec<String>,
    host: HostConfig,
}

impl Recipe {
    /// Reads it from a running session.
    ///
    /// # Errors
    /// When the session runs no such program.
    pub(crate) async fn of_session(
        provider: &dyn ContainerProvider,
        engine: &Docker,
        session: &str,
        model: &ModelApi,
    ) -> Result<Self> {
        let filter = ListFilter { cluster: None, session: Some(session.to_owned()) };
        let container = provider.list(filter).await?.pop().context("the session has no container")?;
        let show = async |what: &str| -> Result<Vec<String>> {
            let shown = provider.exec(&container.id, ExecOptions::new(["/bin/sh", "-c", SHOW, what])).await?;
            ensure!(shown.exit_code == 0, "{what} of the agent program cannot be read");
            Ok(strings(&shown.stdout))
        };
        let hosts = provider.exec(&container.id, ExecOptions::new(["cat", "/etc/hosts"])).await?;
        let address = address(&String::from_utf8_lossy(&hosts.stdout), bare::HOST);
        let address = address.context("the container does not know this machine")?;
        let mut command = show("cmdline").await?;
        let id = command.iter().position(|argument| argument == "--session-id").map(|at| at + 1);
        let id = id.and_then(|at| command.get_mut(at)).context("the agent program has no --session-id")?;
        *id = uuid::Uuid::new_v4().to_string();
        let mut environment = show("environ").await?;
        // The way to the model, without the agent server on it, and without a look-up of the name: the agent server has
        // the program make none either.
        environment.retain(|variable| !variable.starts_with("ANTHROPIC_"));
        let url = model.url_for(&address);
        environment.extend([format!("ANTHROPIC_BASE_URL={url}"), "ANTHROPIC_API_KEY=bench".to_owned()]);
        let host = engine.inspect_container(&container.id.0, None).await?.host_config;
        let mut host = host.context("the engine shows no host configuration")?;
        // The workspace is the session's: a folder in memory takes its place.
        host.mounts = None;
        let workspace = ("/workspace".to_owned(), "rw,exec,nosuid,nodev,uid=1000,gid=1000".to_owned());
        host.tmpfs.get_or_insert_default().extend([workspace]);
        Ok(Self { command, environment, host })
    }

    /// The container: the session's, with the program in place of the agent server.
    fn container(&self, image: &str, pipes: &Path) -> ContainerCreateBody {
        let connect = ["/bin/sh", "-c", CONNECT, PIPES].map(str::to_owned);
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(connect.into_iter().chain(self.command.iter().cloned()).collect()),
            env: Some(self.environment.clone()),
            user: Some("1000:1000".to_owned()),
            working_dir: Some("/workspace".to_owned()),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:{PIPES}", pipes.display())]),
                ..self.host.clone()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// The program alone, ready for prompts.
#[derive(Debug)]
pub(crate) struct Program {
    container: Bare,
    input: Sender,
    output: Lines<BufReader<Receiver>>,
    /// From the request to create the container until the program was ready.
    pub(crate) ready: Duration,
}

impl Program {
    /// Starts it with its pipes in `folder`, which must be empty.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(
        engine: &Docker,
        image: &str,
        cluster: &str,
        recipe: &Recipe,
        folder: &Path,
    ) -> Result<Self> {
        let pipe = |name: &str| -> Result<_> {
            let path = folder.join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(READ_WRITE), 0)?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(READ_WRITE))?;
            Ok(path)
        };
        // Open on both sides, so that neither end waits for the other.
        let mut both = OpenOptions::new();
        both.read_write(true);
        let mut input = both.open_sender(pipe("in")?)?;
        let output = BufReader::new(both.open_receiver(pipe("out")?)?).lines();
        let begun = Instant::now();
        let container = Bare::start(engine, cluster, recipe.container(image, folder)).await?;
        let initialize = json!({
            "type": "control_request",
            "request_id": "initialize",
            "request": { "subtype": "initialize", "mcpServers": {} },
        });
        write(&mut input, &initialize).await?;
        let mut program = Self { container, input, output, ready: Duration::ZERO };
        let answer = program.until("control_response").await?;
        ensure!(answer["response"]["subtype"] == "success", "the program refuses to start: {answer}");
        program.ready = begun.elapsed();
        Ok(program)
    }

    /// Runs a turn and gives how long its first text took.
    ///
    /// # Errors
    /// When the turn has no text, or fails.
    pub(crate) async fn turn(&mut self, prompt: &str) -> Result<Duration> {
        let prompt = json!({
            "type": "user",
            "message": { "role": "user", "content": prompt },
            "parent_tool_use_id": null,
            "uuid": uuid::Uuid::new_v4(),
        });
        let begun = Instant::now();
        write(&mut self.input, &prompt).await?;
        loop {
            let line = self.until("stream_event").await?;
            if line["event"]["delta"]["type"] == "text_delta" {
                break;
            }
        }
        let first = begun.elapsed();
        let result = self.until("result").await?;
        ensure!(result["is_error"] == false, "the program's turn failed: {result}");
        // Only then it takes the next one.
        self.until("command_lifecycle").await?;
        Ok(first)
    }

    /// Removes it with its container.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) async fn remove(self, engine: &Docker) -> Result<()> {
        self.container.remove(engine).await.map(drop)
    }

    async fn until(&mut self, kind: &str) -> Result<Value> {
        soon(kind, STEP, async {
            while let Some(line) = self.output.next_line().await? {
                let line: Value = serde_json::from_str(&line)?;
                if line["type"] == kind {
                    return Ok(line);
                }
            }
            bail!("the program's output ended before {kind}")
        })
        .await
    }
}

async fn write(input: &mut Sender, line: &Value) -> Result<()> {
    let line = format!("{line}\n");
    soon("a line to the program", STEP, async { Ok(input.write_all(line.as_bytes()).await?) }).await
}

/// The address of a name in the text of a hosts file.
fn address(hosts: &str, name: &str) -> Option<String> {
    let line = hosts.lines().find(|line| line.split_whitespace().skip(1).any(|known| known == name))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// Strings that each end with a NUL; an empty one counts.
fn strings(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(|string| String::from_utf8_lossy(string).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_by_its_name() {
        let hosts = "127.0.0.1\tlocalhost\n172.17.0.1\thost.docker.internal\n";
        assert_eq!(address(hosts, "host.docker.internal").as_deref(), Some("172.17.0.1"));
        assert_eq!(address(hosts, "docker"), None);
    }

    #[test]
    fn an_empty_argument_is_one() {
        assert_eq!(
            strings(b"claude\0--setting-sources\0\0--tools\0Bash\0"),
            ["claude", "--setting-sources", "", "--tools", "Bash"]
        );
    }
}
