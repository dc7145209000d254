//! However a form is cut into pieces, it is read the same, and nothing in it is called what leads up.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{UploadError, UploadForm};
use crate::fuzzing::block_on;

/// The most files.
const MOST: usize = 20;

/// Takes the length of pieces, a line that is the content type, and a body.
pub(crate) fn fuzz(data: &[u8]) {
    let Some((length, data)) = data.split_first() else { return };
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(content_type), body) = (std::str::from_utf8(&data[..end]), &data[end + 1..]) else { return };
    let in_pieces = read(content_type, body, usize::from(*length).max(1));
    let whole = read(content_type, body, body.len().max(1));
    assert_eq!(in_pieces, whole);
    let bytes: usize = whole.0.iter().map(|(_, content)| content.len()).sum();
    assert!(whole.0.len() <= MOST && bytes <= body.len(), "more than there was");
    for (name, _) in &whole.0 {
        let harmless = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
        assert!(name.split('/').all(harmless), "{name:?}");
    }
}

type Files = Vec<(String, Vec<u8>)>;

/// The files that are there whole, and how it ended.
fn read(content_type: &str, body: &[u8], length: usize) -> (Files, Result<(), UploadError>) {
    let pieces: Vec<_> = body.chunks(length).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces).then(|piece| async {
        // The parser takes all that is there at once.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(piece)
    });
    let mut files = Files::new();
    let reading = async {
        let mut form = UploadForm::new(content_type, pieces, MOST)?;
        while let Some(mut file) = form.next().await? {
            let mut content = Vec::new();
            while let Some(piece) = file.next().await {
                content.extend_from_slice(&piece?);
            }
            files.push((file.name().to_owned(), content));
        }
        Ok(())
    };
    let ended = block_on(reading);
    (files, ended)
}
