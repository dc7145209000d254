//! Files into a container and out of it: through the server, and by `docker cp`. Both read and write the same files of this machine, and
//! take turns.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agcluster_core::provider::LABEL_SESSION;
use agcluster_tests::form::Form;
use agcluster_tests::system::Api;
use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio_util::io::{ReaderStream, StreamReader};
use zip::ZipArchive;

use super::bare;
use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// One large file, in bytes.
const LARGE: u64 = 256 << 20;
/// Many small ones, and the bytes of each.
const MANY: usize = 2000;
const SMALL: u64 = 4 << 10;
/// How much of the large one is read at a time.
const PIECE: usize = 256 * 1024;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    StoreLarge,
    FetchLarge,
    StoreMany,
    FetchMany,
}

impl Task {
    const ALL: [Self; 4] = [Self::StoreLarge, Self::FetchLarge, Self::StoreMany, Self::FetchMany];

    fn name(self) -> String {
        let large = format!("a file of {} MiB", LARGE >> 20);
        let many = format!("{MANY} files of {} KiB", SMALL >> 10);
        match self {
            Self::StoreLarge => format!("upload: {large}"),
            Self::FetchLarge => format!("download: {large}"),
            Self::StoreMany => format!("upload: {many}"),
            Self::FetchMany => format!("download: {many}, unpacked"),
        }
    }

    /// What is counted, and how much of it there is.
    fn amount(self) -> (Unit, f64) {
        match self {
            Self::StoreLarge | Self::FetchLarge => (Unit::MegabytesPerSecond, LARGE as f64),
            Self::StoreMany | Self::FetchMany => (Unit::PerSecond, MANY as f64),
        }
    }
}

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    let found = bare::labelled(&stage.engine, &format!("{LABEL_SESSION}={}", session.id)).await?;
    let container = found.first().context("the session has no container")?.clone();
    let here = Here::prepare(stage.folder.path())?;
    let (ours, theirs) = (Ours { api, session: session.id.clone() }, Theirs { container });
    let mut rates = Task::ALL.map(|task| (task, Samples::default(), Samples::default()));
    // The first round warms both up.
    for nth in 0..=stage.options.runs {
        progress(&format!("files {nth} of {}", stage.options.runs));
        for (task, through, floor) in &mut rates {
            for step in 0..2 {
                let is_ours = (nth + step).is_multiple_of(2);
                here.clear()?;
                let begun = Instant::now();
                let run = async {
                    if is_ours { ours.run(*task, &here).await } else { theirs.run(*task, &here).await }
                };
                soon("a transfer", STEP, run).await?;
                let took = begun.elapsed();
                here.check(*task)?;
                if nth > 0 {
                    let rates = if is_ours { &mut *through } else { &mut *floor };
                    rates.push(task.amount().1 / took.max(Duration::from_nanos(1)).as_secs_f64());
                }
            }
        }
    }
    soon("a removal", STEP, session.delete()).await?;
    let figure = |(task, through, floor): (Task, Samples, Samples)| {
        Figure::new(task.name(), task.amount().0, through).over("docker cp", &floor).judged_by_ratio()
    };
    Ok(rates.map(figure).into())
}

/// The files on this machine.
struct Here {
    large: PathBuf,
    many: PathBuf,
    /// Where what is fetched goes.
    fetched: PathBuf,
}

impl Here {
    fn prepare(folder: &Path) -> Result<Self> {
        let here =
            Self { large: folder.join("large"), many: folder.join("many"), fetched: folder.join("fetched") };
        let chance = File::open("/dev/urandom")?;
        let fill = |path: &Path, bytes: u64| -> Result<()> {
            std::io::copy(&mut (&chance).take(bytes), &mut File::create(path)?)?;
            Ok(())
        };
        fill(&here.large, LARGE)?;
        std::fs::create_dir(&here.many)?;
        for file in here.small() {
            fill(&file, SMALL)?;
        }
        Ok(here)
    }

    fn small(&self) -> impl Iterator<Item = PathBuf> {
        (0..MANY).map(|index| self.many.join(format!("{index:04}.bin")))
    }

    fn clear(&self) -> Result<()> {
        if self.fetched.exists() {
            std::fs::remove_dir_all(&self.fetched)?;
        }
        Ok(std::fs::create_dir(&self.fetched)?)
    }

    /// Whether what was fetched is there.
    fn check(&self, task: Task) -> Result<()> {
        let there = match task {
            Task::FetchLarge => self.fetched.join("large").metadata()?.len() == LARGE,
            Task::FetchMany => self.fetched.join("many").read_dir()?.count() == MANY,
            Task::StoreLarge | Task::StoreMany => true,
        };
        ensure!(there, "not everything came: {}", task.name());
        Ok(())
    }
}

/// The way through the server.
struct Ours {
    api: Api,
    session: String,
}

impl Ours {
    async fn run(&self, task: Task, here: &Here) -> Result<()> {
        match task {
            Task::StoreLarge => {
                let file = tokio::fs::File::open(&here.large).await?;
                let body = Body::wrap_stream(ReaderStream::with_capacity(file, PIECE));
                let request = self.request(Method::PUT, "/large").header("content-length", LARGE);
                done(request.body(body)).await.map(drop)
            }
            Task::FetchLarge => {
                let answer = done(self.request(Method::GET, "/large/download")).await?;
                let mut bytes = StreamReader::new(answer.bytes_stream().map_err(std::io::Error::other));
                let mut file = tokio::fs::File::create(here.fetched.join("large")).await?;
                tokio::io::copy_buf(&mut bytes, &mut file).await?;
                Ok(file.flush().await?)
            }
            Task::StoreMany => {
                let mut form = Form::of(&[]);
                for path in here.small() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    form = form.file(&name, std::fs::read(&path)?);
                }
                let request = self.request(Method::POST, "/upload?target_path=many&overwrite=true");
                done(form.on(request)).await.map(drop)
            }
            Task::FetchMany => {
                let answer = done(self.request(Method::GET, "/download?format=zip&path=many")).await?;
                let mut archive = ZipArchive::new(Cursor::new(answer.bytes().await?))?;
                Ok(archive.extract(here.fetched.join("many"))?)
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api.request(method, &format!("/api/files/{}{path}", self.session))
    }
}

async fn done(request: RequestBuilder) -> Result<Response> {
    let answer = request.send().await?;
    ensure!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().await?);
    Ok(answer)
}

/// The engine's own way.
struct Theirs {
    container: String,
}

impl Theirs {
    async fn run(&self, task: Task, here: &Here) -> Result<()> {
        let there = |path: &str| format!("{}:/workspace/{path}", self.container);
        let text = |path: &Path| path.display().to_string();
        match task {
            Task::StoreLarge => copy(text(&here.large), there("copied")).await,
            Task::FetchLarge => copy(there("copied"), text(&here.fetched.join("large"))).await,
            // Into a folder that is there goes what is in it.
            Task::StoreMany => copy(format!("{}/.", text(&here.many)), there("copies")).await,
            Task::FetchMany => copy(there("copies"), text(&here.fetched.join("many"))).await,
        }
    }
}

async fn copy(from: String, to: String) -> Result<()> {
    let output = Command::new("docker").args(["cp", &from, &to]).kill_on_drop(true).output().await;
    let output = output.context("`docker` cannot be started: its command line is the floor")?;
    ensure!(output.status.success(), "docker cp: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
