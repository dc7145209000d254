use agcluster_protocol::Secret;
use agcluster_protocol::workspace::{Data, Exec, ExecFrame, Exit};

use crate::workspace::tests::{Frames, Workspace, soon};

/// What a command left.
#[derive(Debug, Default, PartialEq)]
struct Left {
    stdout: String,
    stderr: String,
    exit: Exit,
    timed_out: bool,
}

fn command(words: &[&str]) -> Exec {
    Exec { command: words.iter().map(|word| (*word).to_owned()).collect(), ..Exec::default() }
}

fn script(text: &str) -> Exec {
    command(&["sh", "-c", text])
}

async fn rest(mut frames: Frames) -> Left {
    let mut left = Left::default();
    loop {
        match frames.next().await.unwrap() {
            ExecFrame::Stdout { data } => left.stdout.push_str(std::str::from_utf8(&data.0).unwrap()),
            ExecFrame::Stderr { data } => left.stderr.push_str(std::str::from_utf8(&data.0).unwrap()),
            ExecFrame::Exited { exit, timed_out, .. } => {
                assert_eq!(frames.next::<ExecFrame>().await, None);
                return Left { exit, timed_out, ..left };
            }
            ExecFrame::Alive | ExecFrame::Other => {}
        }
    }
}

async fn run(workspace: &Workspace, exec: Exec) -> Left {
    rest(workspace.post("/exec", &exec).await.frames()).await
}

/// The first line of output, as a process id.
async fn first_pid(frames: &mut Frames) -> u32 {
    let Some(ExecFrame::Stdout { data }) = frames.next().await else { panic!("no output") };
    std::str::from_utf8(&data.0).unwrap().trim().parse().unwrap()
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

async fn gone(pid: u32) {
    soon(async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_command_says_what_it_writes_and_how_it_ended() {
    let workspace = Workspace::new();
    let left = run(&workspace, script("echo out; echo err >&2; exit 7")).await;
    assert_eq!((left.stdout.as_str(), left.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(left.exit, Exit { code: Some(7), signal: None });
    let left = run(&workspace, script("kill -TERM $$")).await;
    assert_eq!(left.exit, Exit { code: None, signal: Some(15) });
    // No shell: what looks like one is an argument.
    assert_eq!(run(&workspace, command(&["echo", "$HOME;", "`id`"])).await.stdout, "$HOME; `id`\n");
}

#[tokio::test]
async fn a_command_runs_in_the_workspace_with_its_input_and_its_variables() {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.folder.path().join("below")).unwrap();
    let root = workspace.folder.path().canonicalize().unwrap();
    assert_eq!(run(&workspace, command(&["pwd", "-P"])).await.stdout, format!("{}\n", root.display()));
    let exec = Exec { cwd: Some("below".to_owned()), ..command(&["pwd", "-P"]) };
    assert_eq!(run(&workspace, exec).await.stdout, format!("{}/below\n", root.display()));
    let long = vec![b'x'; 1 << 20];
    let exec = Exec { stdin: Some(Data(long)), ..command(&["wc", "-c"]) };
    assert_eq!(run(&workspace, exec).await.stdout.trim(), (1 << 20).to_string());
    let exec = Exec { stdin: Some(Data(vec![b'x'; 1 << 20])), ..command(&["true"]) };
    assert_eq!(run(&workspace, exec).await.exit.code, Some(0));
    let exec = Exec { env: [("GREETING".to_owned(), Secret::new("hello"))].into(), ..command(&["env"]) };
    let environment = run(&workspace, exec).await.stdout;
    let names: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).collect();
    assert!(names.contains(&("GREETING", "hello")) && names.contains(&("TERM", "dumb")), "{environment}");
    assert!(names.iter().all(|(name, _)| ["GREETING", "HOME", "LANG", "PATH", "TERM"].contains(name)));
}

#[tokio::test]
async fn a_command_is_killed_with_its_group_when_its_time_is_up() {
    let workspace = Workspace::new();
    // Long enough for a busy machine to start it.
    let exec = Exec { timeout_ms: Some(3000), ..script("trap '' TERM; sleep 1000 & echo $!; wait") };
    let mut frames = workspace.post("/exec", &exec).await.frames();
    let child = first_pid(&mut frames).await;
    let left = rest(frames).await;
    assert!(left.timed_out && left.exit.signal == Some(9), "{left:?}");
    gone(child).await;
}

#[tokio::test]
async fn a_command_is_killed_with_its_group_when_nobody_reads_on() {
    let workspace = Workspace::new();
    let mut frames = workspace.post("/exec", &script("sleep 1000 & echo $!; wait")).await.frames();
    let child = first_pid(&mut frames).await;
    assert!(is_alive(child));
    drop(frames);
    gone(child).await;
}

#[tokio::test]
async fn a_command_ends_with_the_workspace() {
    let workspace = Workspace::new();
    let mut frames = workspace.post("/exec", &script("sleep 1000 & echo $!; wait")).await.frames();
    let child = first_pid(&mut frames).await;
    workspace.close().await;
    gone(child).await;
}

#[tokio::test]
async fn what_a_command_leaves_running_does_not_keep_its_answer_open() {
    let workspace = Workspace::new();
    let left = run(&workspace, script("sleep 1000 & echo $!")).await;
    assert_eq!(left.exit.code, Some(0));
    let child: i32 = left.stdout.trim().parse().unwrap();
    assert!(is_alive(child.unsigned_abs()));
    let child = rustix::process::Pid::from_raw(child).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_its_time_gets_everything() {
    let workspace = Workspace::new();
    let left = run(&workspace, script("head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 1 1000 >&2")).await;
    assert_eq!((left.stdout.len(), left.stderr.lines().count()), (3_000_001, 1000));
}

#[tokio::test]
async fn what_cannot_be_run_is_refused() {
    let workspace = Workspace::new();
    std::fs::write(workspace.folder.path().join("file"), "no program").unwrap();
    let cwd = |cwd: &str| Exec { cwd: Some(cwd.to_owned()), ..command(&["true"]) };
    let timeout = |timeout_ms| Exec { timeout_ms: Some(timeout_ms), ..command(&["true"]) };
    let env = |name: &str| Exec { env: [(name.to_owned(), Secret::new("x"))].into(), ..command(&["true"]) };
    for (exec, status, code) in [
        (command(&[]), 400, "invalid_request"),
        (command(&[""]), 400, "invalid_request"),
        (command(&["a\0b"]), 400, "invalid_request"),
        (timeout(0), 400, "invalid_request"),
        (timeout(u64::MAX), 400, "invalid_request"),
        (env(""), 400, "invalid_request"),
        (env("A=B"), 400, "invalid_request"),
        (cwd("missing"), 404, "file_not_found"),
        (cwd("file"), 409, "wrong_file_type"),
        (command(&["no-such-program-anywhere"]), 422, "command_not_found"),
        (command(&["./file"]), 403, "forbidden"),
        (command(&["true", &"x".repeat(3 << 20)]), 413, "too_large"),
    ] {
        workspace.post("/exec", &exec).await.refused(status, code).await;
    }
}

#[tokio::test]
async fn only_so_many_commands_run_at_a_time() {
    let workspace = Workspace::new();
    let mut running = Vec::new();
    for _ in 0..super::MOST_COMMANDS {
        running.push(workspace.post("/exec", &command(&["sleep", "1000"])).await.frames());
    }
    workspace.post("/exec", &command(&["true"])).await.refused(429, "too_many_commands").await;
    running.pop();
    // The place is free once the command is gone.
    soon(async {
        loop {
            let answer = workspace.post("/exec", &command(&["true"])).await;
            if answer.is_success() {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    workspace.close().await;
}
