//! Files in and out of a session.

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::machine::CWD;
use super::reply::{Answer, Refusal, Reply};
use super::server::Request;
use super::world::World;

const BLOCK: usize = 512;

impl World {
    /// Unpacks an upload as Vercel's own user.
    pub(super) async fn write_files(self: &Arc<Self>, session: &str, request: &Request) -> Answer {
        let session = self.session(session)?;
        let machine = session.running()?;
        let cwd = request.header("x-cwd").ok_or_else(|| Refusal::bad("x-cwd is missing"))?;
        let mut tar = Vec::new();
        let unpacked = GzDecoder::new(&request.body[..]).read_to_end(&mut tar);
        if unpacked.is_err() || tar.len() % BLOCK != 0 || tar.get(257..262) != Some(b"ustar") {
            self.violation("an upload is no compressed ustar archive".to_owned());
            return Err(Refusal::bad("Invalid archive"));
        }
        if tar[0] == b'/' {
            self.violation("an upload has an absolute path".to_owned());
        }
        let upload = format!("{}.tar", self.id("upload"));
        machine.upload("/tmp", archive(&upload, &tar).into()).await?;
        let file = format!("/tmp/{upload}");
        let done = machine.run(false, &["tar", "-x", "--no-same-owner", "-C", cwd, "-f", &file]).await?;
        machine.run(true, &["rm", &file]).await?;
        if done.0 != 0 {
            return Err(Refusal::bad("The archive cannot be unpacked there"));
        }
        Ok(Reply::Json(json!({})))
    }

    pub(super) async fn read_file(&self, session: &str, body: &Value) -> Answer {
        let session = self.session(session)?;
        let machine = session.running()?;
        let (exit, content) = machine.run(false, &["cat", &path(body)]).await?;
        if exit == 0 { Ok(Reply::Bytes(content)) } else { Err(Refusal::not_found("File")) }
    }

    pub(super) async fn make_folder(&self, session: &str, body: &Value) -> Answer {
        let session = self.session(session)?;
        let machine = session.running()?;
        match machine.run(false, &["mkdir", &path(body)]).await?.0 {
            0 => Ok(Reply::Json(json!({}))),
            _ => Err(Refusal::bad("The folder cannot be made")),
        }
    }
}

fn path(body: &Value) -> String {
    let path = body["path"].as_str().unwrap_or_default();
    if path.starts_with('/') {
        return path.to_owned();
    }
    format!("{}/{path}", body["cwd"].as_str().unwrap_or(CWD))
}

/// An archive of one file.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}
