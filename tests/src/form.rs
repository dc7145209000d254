//! Forms with files, as browsers send them.

use std::io;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use reqwest::{Body, RequestBuilder};

const BOUNDARY: &str = "the-line-between-two-parts";

/// A form that is being made.
pub struct Form(Vec<BoxStream<'static, io::Result<Bytes>>>);

impl Form {
    /// One with these files, each a name and its content.
    pub fn of(files: &[(&str, &str)]) -> Self {
        files
            .iter()
            .fold(Self(Vec::new()), |form, (name, content)| form.file(name, content.as_bytes().to_vec()))
    }

    /// With a file.
    #[must_use]
    pub fn file(self, name: &str, content: impl Into<Bytes>) -> Self {
        self.typed(name, "application/octet-stream", content)
    }

    /// With a file of a type.
    #[must_use]
    pub fn typed(self, name: &str, kind: &str, content: impl Into<Bytes>) -> Self {
        let content = Ok(content.into());
        self.part(name, kind, stream::iter([content]))
    }

    /// With a file that comes piece by piece.
    #[must_use]
    pub fn streamed(
        self,
        name: &str,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        self.part(name, "application/octet-stream", content)
    }

    fn part(
        mut self,
        name: &str,
        kind: &str,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        let around = |text: String| stream::iter([Ok(Bytes::from(text))]);
        self.0.push(around(head).chain(content).chain(around("\r\n".to_owned())).boxed());
        self
    }

    /// Puts it into a request.
    pub fn on(self, request: RequestBuilder) -> RequestBuilder {
        let end = stream::iter([Ok(Bytes::from(format!("--{BOUNDARY}--\r\n")))]);
        let body = stream::iter(self.0).flatten().chain(end);
        request
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(Body::wrap_stream(body))
    }
}
