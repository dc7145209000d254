//! A client that keeps what it is answered.

use std::time::Duration;

use agcluster_tests::form::Form;
use agcluster_tests::system::{Api, Session};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Everything here takes a moment; on a busy machine it may take a while.
const LIMIT: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream";

/// How much of an answer is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    End,
    /// So many data.
    Data(usize),
}

/// The client, with what it was answered.
pub(super) struct Held<'a> {
    api: &'a Api,
    answers: Vec<Value>,
}

impl<'a> Held<'a> {
    pub(super) fn of(api: &'a Api) -> Self {
        Self { api, answers: Vec::new() }
    }

    /// Everything that was answered, each with the operation that it is of.
    pub(super) fn answers(self) -> Vec<Value> {
        self.answers
    }

    pub(super) fn session(&self, id: &str) -> Session {
        self.api.session(id)
    }

    pub(super) fn api(&self) -> &'a Api {
        self.api
    }

    /// Asks for JSON. A request is a method and the described path, whose variables are these.
    pub(super) async fn json(&mut self, request: &str, variables: &[&str], body: Option<Value>) -> Value {
        let text = self.ask(request, variables, JSON, Until::End, |asked| match &body {
            Some(body) => asked.json(body),
            None => asked,
        });
        serde_json::from_str(&text.await).unwrap()
    }

    /// Asks for a stream that ends.
    pub(super) async fn stream(
        &mut self,
        request: &str,
        variables: &[&str],
        body: Option<Value>,
    ) -> Vec<Value> {
        let text = self.ask(request, variables, STREAM, Until::End, |asked| match &body {
            Some(body) => asked.json(body),
            None => asked,
        });
        data(&text.await)
    }

    /// Asks for a stream, of which so many data are read.
    pub(super) async fn some(&mut self, request: &str, variables: &[&str], count: usize) -> Vec<Value> {
        data(&self.ask(request, variables, STREAM, Until::Data(count), |asked| asked).await)
    }

    /// Stores a file.
    pub(super) async fn upload(&mut self, request: &str, variables: &[&str], accept: &str, name: &str) {
        let form = |asked| Form::of(&[(name, "content")]).on(asked);
        self.ask(request, variables, accept, Until::End, form).await;
    }

    /// Asks for lines of JSON.
    pub(super) async fn lines(&mut self, request: &str, variables: &[&str]) {
        self.ask(request, variables, "application/x-ndjson", Until::End, |asked| asked).await;
    }

    async fn ask(
        &mut self,
        request: &str,
        variables: &[&str],
        accept: &str,
        until: Until,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> String {
        let (method, path) = request.split_once(' ').unwrap();
        let mut url = path.to_owned();
        for variable in variables {
            let (before, rest) = url.split_once('{').unwrap();
            url = format!("{before}{variable}{}", rest.split_once('}').unwrap().1);
        }
        let asked = self.api.request(method.parse::<Method>().unwrap(), &url).header("accept", accept);
        let mut response = tokio::time::timeout(LIMIT, with(asked).send()).await.unwrap().unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        let reading = async {
            while let Some(piece) = response.chunk().await.unwrap() {
                bytes.extend_from_slice(&piece);
                let text = String::from_utf8_lossy(&bytes);
                if matches!(until, Until::Data(count) if data(&text).len() >= count) {
                    break;
                }
            }
        };
        let read = tokio::time::timeout(LIMIT, reading).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(read.is_ok(), "{method} {url} says no more than {text}");
        assert!(status.is_success(), "{method} {url}: {status} {text}");
        let kind = headers["content-type"].to_str().unwrap().split(';').next().unwrap();
        self.answers.push(json!({
            "method": method.to_lowercase(), "path": path.split('?').next(), "status": status.as_str(),
            "kind": kind, "text": text,
        }));
        text
    }
}

/// The data of the whole frames of a stream.
fn data(text: &str) -> Vec<Value> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
}
