//! Devices, which are on every machine, whoever may make some.

use agcluster_protocol::workspace::WRONG_TYPE;
use agcluster_protocol::workspace::files::{Entry, EntryKind};
use axum::body::Body;
use axum::http::StatusCode;

use crate::workspace::tests::Workspace;

#[tokio::test]
async fn devices_are_told_from_files_and_never_opened() {
    let devices = Workspace::with(|config| config.root = "/dev".into());
    for name in ["zero", "null", "tty"] {
        let entry: Entry = devices
            .send("GET", &format!("/files/stat?path={name}"), Body::empty())
            .await
            .json(StatusCode::OK)
            .await;
        assert_eq!((entry.kind, entry.size), (EntryKind::Other, 0), "{name}");
        let content = format!("/files/content?path={name}");
        devices.send("GET", &content, Body::empty()).await.refused(409, WRONG_TYPE).await;
        devices.send("PUT", &format!("{content}&overwrite=true"), "x").await.refused(409, WRONG_TYPE).await;
    }
    devices.close().await;
}
