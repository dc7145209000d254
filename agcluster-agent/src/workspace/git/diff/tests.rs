use agcluster_protocol::workspace::git::{FileStatus, LineKind};
use bytes::Bytes;
use proptest::prelude::*;

use super::budget::Budget;
use super::sections::Sections;
use crate::program::Line;

fn translated(patch: &[u8]) -> Sections {
    let mut sections = Sections::new(Budget::whole());
    for line in patch.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        sections.take(Line::Whole(Bytes::copy_from_slice(line)));
    }
    sections.end();
    sections
}

const PATCH: &str = include_str!("tests/patch.txt");

/// What a patch with everything in it becomes: what clients rely on.
#[test]
fn a_patch_is_translated_as_the_golden_file_says() {
    insta::assert_json_snapshot!(translated(PATCH.as_bytes()).files);
}

#[test]
fn a_part_that_is_cut_off_is_listed_without_its_hunks() {
    let cut = PATCH.rfind("+new last").unwrap();
    let mut sections = translated(&PATCH.as_bytes()[..cut]);
    sections.cut();
    assert!(sections.truncated);
    let whole = |name: &str| {
        sections.files.iter().any(|file| file.new_path.as_deref() == Some(name) && !file.truncated)
    };
    assert!(whole("a b") && !whole("end") && !whole("new"));
    assert!(sections.files.iter().any(|file| file.truncated && file.hunks.is_empty()));
    assert_eq!(sections.files.len(), translated(PATCH.as_bytes()).files.len());
}

proptest! {
    #[test]
    fn no_bytes_break_the_translation(lines in proptest::collection::vec(line(), 0..60)) {
        let sections = translated(&lines.join(&b'\n'));
        for file in &sections.files {
            for hunk in &file.hunks {
                let on = |side: LineKind| hunk.lines.iter().filter(|line| line.kind != side).count();
                prop_assert_eq!((on(LineKind::Add), on(LineKind::Del)), (hunk.old_lines, hunk.new_lines));
            }
        }
    }

    #[test]
    fn what_is_shown_adds_up(old in text(), new in text()) {
        let patch = diffy::create_patch(&old, &new).to_string().into_bytes();
        let head = b":100644 100644 a b M\tf\n\ndiff --git a/f b/f\nindex a..b 100644\n".to_vec();
        let sections = translated(&[head, patch].concat());
        prop_assert_eq!(sections.files.len(), 1);
        let file = &sections.files[0];
        prop_assert!(!file.truncated && file.status == FileStatus::Modified);
        let shown = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        let (added, removed) = shown.fold((0, 0), |(added, removed), line| match line.kind {
            LineKind::Add => (added + 1, removed),
            LineKind::Del => (added, removed + 1),
            LineKind::Context => (added, removed),
        });
        prop_assert_eq!((added, removed), (file.additions, file.deletions));
    }
}

/// Lines as they stand in patches, rightly or wrongly, and others.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        ":100644 100644 a b M\tf",
        ":100644 000000 a 0 D\tg",
        ":100644 100644 a b R090\tf\tg",
        ":120000 100644 a b T\tt",
        ":000000 000000 0 0 U\tf",
        ":1",
        "diff --git a/f b/f",
        "diff --git a/f b/g",
        "diff --git a/t b/t",
        "--- a/f",
        "+++ b/f",
        "@@ -1 +1 @@",
        "@@ -1,2 +1,3 @@ fn x()",
        "@@ -99999999999999999999 +1 @@",
        "@@ -18446744073709551615,1 +1 @@",
        "-a",
        "+b",
        " c",
        "\\ No newline at end of file",
        "Binary files a/f and b/f differ",
        "* Unmerged path f",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

/// A text of few different lines, so that two of them have much in common.
fn text() -> impl Strategy<Value = String> {
    let lines =
        proptest::collection::vec(proptest::sample::select(vec!["a", "b", "++c", "-d", "@@ x"]), 0..30);
    lines.prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}
