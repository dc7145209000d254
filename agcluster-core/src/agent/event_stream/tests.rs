use futures::stream;
use proptest::prelude::*;

use super::*;

const EVENT: &str =
    r#"{"seq":1,"generation":1,"at":"2026-01-02T03:04:05Z","type":"text_delta","block":0,"text":"é"}"#;

fn stream_of(pieces: Vec<Vec<u8>>) -> EventStream {
    EventStream::new(stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece)))).boxed())
}

#[tokio::test]
async fn comments_are_passed_over() {
    let events: Vec<_> =
        stream_of(vec![format!(": hi\n\nid: 1\ndata: {EVENT}\n\n: hi\n\n").into_bytes()]).collect().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_ref().unwrap().seq, 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_fails_after_a_while() {
    let mut events = EventStream::new(stream::pending().boxed());
    let error = events.next().await.unwrap().unwrap_err();
    assert!(matches!(error, AgentError::Timeout { operation: "events", .. }));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_endless_event_is_refused() {
    let endless = stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 1 << 20])));
    let error = EventStream::new(endless.boxed()).next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test]
async fn garbage_is_an_error_not_a_crash() {
    let error = stream_of(vec![b"data: {\"seq\":\"one\"}\n\n".to_vec()]).next().await.unwrap().unwrap_err();
    assert!(matches!(error, AgentError::Protocol(_)), "{error}");
}

proptest! {
    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut(cuts in prop::collection::vec(0usize..400, 0..12)) {
        let whole = format!("id: 1\ndata: {EVENT}\n\n: beat\n\nid: 1\r\ndata: {EVENT}\r\n\r\n").into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.push(0);
        cuts.push(whole.len());
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| whole[pair[0]..pair[1]].to_vec()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let events: Vec<_> = runtime.block_on(async { stream_of(pieces).collect().await });
        prop_assert_eq!(events.len(), 2);
        prop_assert!(events.iter().all(|event| event.is_ok()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _events: Vec<_> = runtime.block_on(async { stream_of(pieces).collect().await });
    }
}
