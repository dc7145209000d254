//! The frames of a terminal's WebSocket: JSON texts, as clients of the earlier agent server know them, and a little more.

use agcluster_core::protocol::workspace::{Exit, TerminalSize};
use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    /// Something was typed.
    Data { data: String },
    /// The window has another size.
    Resize(TerminalSize),
}

/// What the client says, or what is wrong with it.
pub(super) fn read(text: &str) -> Result<FromClient, &'static str> {
    match serde_json::from_str(text) {
        Ok(FromClient::Resize(size)) if !size.is_valid() => {
            Err("a resize frame has cols and rows between 1 and 1000")
        }
        Ok(frame) => Ok(frame),
        Err(_) => Err(
            "send {\"type\":\"data\",\"data\":TEXT} or {\"type\":\"resize\",\"cols\":N,\"rows\":N} as text",
        ),
    }
}

/// Output, and the offset behind it.
pub(super) fn data(text: &str, offset: u64) -> Message {
    message(&json!({ "type": "data", "data": text, "offset": offset }))
}

/// Something worth knowing.
pub(super) fn info(text: &str) -> Message {
    message(&json!({ "type": "info", "data": text }))
}

/// So many bytes of output are missing.
pub(super) fn lost(bytes: u64, offset: u64) -> Message {
    let text = format!("{bytes} bytes of earlier output are not kept");
    message(&json!({ "type": "info", "data": text, "lost": bytes, "offset": offset }))
}

/// Somebody gave the window this size.
pub(super) fn resized(size: TerminalSize) -> Message {
    message(&json!({ "type": "resize", "cols": size.cols, "rows": size.rows }))
}

/// The shell has ended.
pub(super) fn close(exit: Exit) -> Message {
    let how = match (exit.code, exit.signal) {
        (Some(code), _) => format!("code={code}"),
        (None, Some(signal)) => format!("signal={signal}"),
        (None, None) => "unknown".to_owned(),
    };
    let text = format!("Terminal exited ({how})");
    message(&json!({ "type": "close", "data": text, "code": exit.code, "signal": exit.signal }))
}

/// Something went wrong.
pub(super) fn error(code: &str, text: &str) -> Message {
    message(&json!({ "type": "error", "data": text, "code": code }))
}

fn message(frame: &Value) -> Message {
    Message::text(frame.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_is_told_apart() {
        assert_eq!(read(r#"{"type":"data","data":"x"}"#), Ok(FromClient::Data { data: "x".to_owned() }));
        let size = TerminalSize { cols: 100, rows: 30 };
        assert_eq!(read(r#"{"type":"resize","cols":100,"rows":30}"#), Ok(FromClient::Resize(size)));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"type":"other"}"#,
            r#"{"type":"data"}"#,
            r#"{"type":"data","data":1}"#,
            r#"{"type":"resize","cols":0,"rows":30}"#,
            r#"{"type":"resize","cols":100}"#,
            r#"{"type":"resize","cols":70000,"rows":1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_end_is_told_as_earlier_clients_know_it() {
        let told = |exit| -> Value { serde_json::from_str(&close(exit).into_text().unwrap()).unwrap() };
        let code = told(Exit { code: Some(3), signal: None });
        assert_eq!(
            code,
            json!({ "type": "close", "data": "Terminal exited (code=3)", "code": 3, "signal": null })
        );
        let signal = told(Exit { code: None, signal: Some(9) });
        assert_eq!(signal["data"], "Terminal exited (signal=9)");
    }
}
