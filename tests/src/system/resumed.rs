//! Streams that are cut, as a client sees them that comes again.

/// Whole frames of a text that may be cut off anywhere, as a client takes them: id and data.
pub fn whole_frames(text: &str) -> Vec<(Option<String>, String)> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let field =
        |frame: &str, name: &str| frame.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    let frames =
        whole.split("\n\n").filter_map(|frame| Some((field(frame, "id: "), field(frame, "data: ")?)));
    frames.collect()
}

/// The id that a client which has these frames reconnects with.
pub fn last_id(frames: &[(Option<String>, String)]) -> Option<&str> {
    frames.iter().rev().find_map(|(id, _)| id.as_deref())
}

/// Cuts a stream at many bytes and reads the rest of each from where the client then is.
///
/// # Panics
/// When a client does not end with what it would have had without the cut.
pub async fn cut_everywhere(whole: &str, rest: impl AsyncFn(Option<&str>) -> String) {
    let all = whole_frames(whole);
    assert!(all.len() > 20, "{}", all.len());
    assert!(all.iter().all(|(id, _)| id.is_some()), "a frame without an id cannot be gone on from: {all:#?}");
    // Every frame's last bytes, and some in the middle of it.
    let cuts: Vec<usize> = whole.match_indices("\n\n").flat_map(|(at, _)| [at - 3, at + 1, at + 2]).collect();
    for cut in cuts {
        let mut seen = whole_frames(&whole[..whole.floor_char_boundary(cut)]);
        let id = last_id(&seen).map(str::to_owned);
        seen.extend(whole_frames(&rest(id.as_deref()).await));
        assert_eq!(seen, all, "cut at byte {cut}, behind {id:?}");
    }
}
