use std::time::Duration;

use agcluster_protocol::workspace::{
    Exit, OpenTerminal, Terminal, TerminalFrame, TerminalList, TerminalSize,
};
use axum::http::StatusCode;

use crate::workspace::tests::{Frames, LIMIT, Workspace, soon};

const SMALL: TerminalSize = TerminalSize { cols: 100, rows: 30 };

/// What a viewer has seen.
struct Screen {
    frames: Frames,
    text: String,
    lost: u64,
    sizes: Vec<TerminalSize>,
    exit: Option<Exit>,
}

impl Screen {
    async fn step(&mut self) -> bool {
        match self.frames.next().await {
            Some(TerminalFrame::Output { data, .. }) => self.text.push_str(&String::from_utf8_lossy(&data.0)),
            Some(TerminalFrame::Lost { from, to }) => self.lost += to - from,
            Some(TerminalFrame::Resized(size)) => self.sizes.push(size),
            Some(TerminalFrame::Exited(exit)) => self.exit = Some(exit),
            Some(TerminalFrame::Alive | TerminalFrame::Other) => {}
            None => return false,
        }
        true
    }

    /// Reads on until this is to be seen.
    async fn until(&mut self, wanted: &str) -> &str {
        let seen = tokio::time::timeout(LIMIT, async {
            while !self.text.contains(wanted) {
                assert!(self.step().await, "the stream ended without {wanted:?}: {:?}", self.text);
            }
        });
        assert!(seen.await.is_ok(), "there is no {wanted:?} to be seen: {:?}", self.text);
        &self.text
    }

    /// Reads on until a number stands behind this, and a hyphen behind that. What was typed is to be seen, too, but has none.
    async fn number(&mut self, mark: &str) -> u32 {
        loop {
            let mut behind = self.text.split(mark).skip(1);
            let number = behind.find_map(|rest| rest.split_once('-')?.0.parse().ok());
            match number {
                Some(number) => return number,
                None => assert!(self.step().await, "the stream ended without {mark:?}: {:?}", self.text),
            }
        }
    }

    /// Reads to the end.
    async fn exit(mut self) -> (Exit, String) {
        soon(async { while self.step().await {} }).await;
        (self.exit.unwrap(), self.text)
    }
}

impl Workspace {
    async fn open(&self, name: &str) -> Terminal {
        self.open_with(name, OpenTerminal::default()).await
    }

    async fn open_with(&self, name: &str, open: OpenTerminal) -> Terminal {
        self.post(&format!("/terminals/{name}"), &open).await.json(StatusCode::OK).await
    }

    async fn view(&self, name: &str, after: u64) -> Screen {
        let frames = self.send("GET", &format!("/terminals/{name}/output?after={after}"), "").await.frames();
        Screen { frames, text: String::new(), lost: 0, sizes: Vec::new(), exit: None }
    }

    async fn write(&self, name: &str, text: &str) {
        self.send("POST", &format!("/terminals/{name}/input"), text.to_owned()).await.done();
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

#[tokio::test]
async fn a_shell_runs_on_a_terminal_of_its_own() {
    let workspace = Workspace::new();
    let terminal = workspace.open_with("main", OpenTerminal { size: Some(SMALL) }).await;
    assert!(terminal.created && terminal.exit.is_none() && terminal.size == SMALL, "{terminal:?}");
    let mut screen = workspace.view("main", 0).await;
    // What is typed is echoed; what is looked for is made by the shell alone.
    workspace.write("main", "stty size; tty | sed s,/dev/,at:,; echo T$TERM H$HOME\n").await;
    screen.until("30 100").await;
    screen.until("at:pts/").await;
    let home = format!("Txterm-256color H{}", workspace.folder.path().display());
    screen.until(&home).await;
    let size = TerminalSize { cols: 71, rows: 19 };
    workspace.post("/terminals/main/resize", &size).await.done();
    workspace.write("main", "stty size\n").await;
    screen.until("19 71").await;
    assert_eq!(screen.sizes, [size]);
    workspace.close().await;
}

#[tokio::test]
async fn what_was_typed_interrupts_and_the_end_of_the_shell_is_told() {
    let workspace = Workspace::new();
    workspace.open("main").await;
    let mut screen = workspace.view("main", 0).await;
    // Otherwise an interrupt may take away what the shell says after it.
    workspace.write("main", "stty noflsh; PS1=pro''mpt:\n").await;
    screen.until("prompt:").await;
    // It says so itself: before it is in the foreground, nothing interrupts it.
    workspace.write("main", "sh -c 'echo $((40+2))ready; exec sleep 1000'; echo went$((1+1))on\n").await;
    screen.until("42ready").await;
    screen.text.clear();
    workspace.write("main", "\u{3}").await;
    // What is typed before the shell is back may be lost with the line that was interrupted.
    screen.until("prompt:").await;
    workspace.write("main", "exit 7\n").await;
    let (exit, text) = screen.exit().await;
    assert_eq!(exit, Exit { code: Some(7), signal: None });
    assert!(!text.contains("went2on"), "{text}");
    workspace.send("POST", "/terminals/main/input", "x").await.refused(409, "terminal_ended").await;
    // Opened again, it goes on under the same offsets.
    let again = workspace.open("main").await;
    assert!(again.created && again.oldest > 0, "{again:?}");
    workspace.close().await;
}

#[tokio::test]
async fn a_terminal_is_found_again_with_what_was_on_it() {
    let workspace = Workspace::new();
    workspace.open("main").await;
    let mut screen = workspace.view("main", 0).await;
    workspace.write("main", "x=6; echo first$((1+1))\n").await;
    screen.until("first2").await;
    drop(screen);
    let found = workspace.open("main").await;
    assert!(!found.created && found.newest > 0, "{found:?}");
    let mut again = workspace.view("main", 0).await;
    again.until("first2").await;
    workspace.write("main", "echo x$x\n").await;
    again.until("x6").await;
    let beyond = workspace.send("GET", "/terminals/main/output?after=1000000", "").await;
    beyond.refused(400, "cursor_in_future").await;
    workspace.close().await;
}

#[tokio::test]
async fn viewers_see_the_same_and_each_at_its_own_pace() {
    let workspace = Workspace::with(|config| config.terminals.scrollback_bytes = 4096);
    workspace.open("main").await;
    let (mut quick, mut slow) = (workspace.view("main", 0).await, workspace.view("main", 0).await);
    let list: TerminalList = workspace.send("GET", "/terminals", "").await.json(StatusCode::OK).await;
    assert_eq!(list.terminals[0].viewers, 2);
    workspace.write("main", "seq 1 20000; echo all$((1+1))done\n").await;
    // One that does not read holds up neither the shell nor the other one.
    quick.until("all2done").await;
    slow.until("all2done").await;
    assert!(slow.lost > 10_000, "{} bytes were lost", slow.lost);
    workspace.write("main", "exit\n").await;
    let (quick, slow) = (quick.exit().await, slow.exit().await);
    assert_eq!(quick.0, slow.0);
    workspace.close().await;
}

#[tokio::test]
async fn jobs_in_the_background_end_with_their_terminal() {
    let workspace = Workspace::new();
    workspace.open("main").await;
    let mut screen = workspace.view("main", 0).await;
    // Deaf to the hang-up; and one more whose parent is gone.
    let jobs = "trap '' HUP; sleep 1000 & echo a-$!-; (sleep 1000 & echo b-$!-)\n";
    workspace.write("main", jobs).await;
    let jobs = [soon(screen.number("a-")).await, soon(screen.number("b-")).await];
    assert!(jobs.iter().all(|job| is_alive(*job)));
    workspace.send("DELETE", "/terminals/main", "").await.done();
    assert!(jobs.iter().all(|job| !is_alive(*job)), "a job lives on");
    let (exit, _) = screen.exit().await;
    assert!(exit.code.is_some() || exit.signal.is_some());
    workspace.send("DELETE", "/terminals/main", "").await.refused(404, "terminal_not_found").await;
}

#[tokio::test]
async fn a_terminal_that_nobody_needs_is_ended() {
    let workspace = Workspace::with(|config| config.terminals.idle = Duration::from_millis(100));
    workspace.open("main").await;
    soon(async {
        loop {
            let list: TerminalList = workspace.send("GET", "/terminals", "").await.json(StatusCode::OK).await;
            if list.terminals[0].exit.is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    workspace.close().await;
}

#[tokio::test]
async fn only_so_many_terminals_are_open_and_an_ended_one_makes_room() {
    let workspace = Workspace::with(|config| config.terminals.most = 2);
    workspace.open("one").await;
    workspace.open("two").await;
    workspace
        .post("/terminals/three", &OpenTerminal::default())
        .await
        .refused(429, "too_many_terminals")
        .await;
    assert!(!workspace.open("two").await.created);
    let screen = workspace.view("one", 0).await;
    workspace.write("one", "exit\n").await;
    screen.exit().await;
    assert!(workspace.open("three").await.created);
    workspace.close().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let workspace = Workspace::new();
    workspace.post("/terminals/a%20b", &OpenTerminal::default()).await.refused(400, "invalid_request").await;
    let nothing = OpenTerminal { size: Some(TerminalSize { cols: 0, rows: 1 }) };
    workspace.post("/terminals/main", &nothing).await.refused(400, "invalid_request").await;
    for (method, path) in [("GET", "output"), ("POST", "input")] {
        let answer = workspace.send(method, &format!("/terminals/none/{path}"), "").await;
        answer.refused(404, "terminal_not_found").await;
    }
    workspace.open("main").await;
    let large = TerminalSize { cols: 80, rows: 5000 };
    workspace.post("/terminals/main/resize", &large).await.refused(400, "invalid_request").await;
    let long = vec![b'\n'; (1 << 20) + 1];
    workspace.send("POST", "/terminals/main/input", long).await.refused(413, "too_large").await;
    workspace.close().await;
}
