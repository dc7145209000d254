//! How long a source file may be, and what no file may contain.

use crate::files::{self, File};

const MOST_LINES: usize = 800;

/// Folders of machines that built this, and work left undone. In two halves, since this file is checked too.
const UNWANTED: [(&str, &str); 4] = [("/wor", "k/"), ("/roo", "t/"), ("todo", "!("), ("unimplemented", "!(")];

/// What is wrong, one sentence each.
fn faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for File { path, text } in files {
        let lines = text.lines().count();
        if path.ends_with(".rs") && lines > MOST_LINES {
            faults.push(format!("{path} has {lines} lines; a source file has at most {MOST_LINES}"));
        }
        for (number, line) in text.lines().enumerate() {
            for unwanted in UNWANTED.map(|(start, end)| format!("{start}{end}")) {
                if line.contains(&unwanted) {
                    faults.push(format!("{path}:{} contains {unwanted}", number + 1));
                }
            }
        }
    }
    faults
}

#[test]
fn files_are_short_and_free_of_leftovers() {
    let files = files::of_this_workspace();
    assert!(files.iter().any(|file| file.path == "xtask/tests/shape/text.rs"), "git lists this very file");
    assert_eq!(faults(&files), Vec::<String>::new());
}

fn faults_of(path: &str, text: String) -> Vec<String> {
    faults(&[File { path: path.to_owned(), text }])
}

#[test]
fn a_long_source_file_is_a_fault() {
    assert_eq!(faults_of("a.rs", "line\n".repeat(800)), Vec::<String>::new());
    assert_eq!(faults_of("a.rs", "line\n".repeat(801)).len(), 1);
    assert_eq!(faults_of("Cargo.lock", "line\n".repeat(801)), Vec::<String>::new());
}

#[test]
fn a_leftover_is_a_fault_with_its_place() {
    for (start, end) in UNWANTED {
        let text = format!("first line\nsecond {start}{end}more");
        assert_eq!(faults_of("docs/a.md", text), [format!("docs/a.md:2 contains {start}{end}")]);
    }
    assert_eq!(faults_of("a.rs", "/workspace/file, network/root, toroot/".to_owned()), Vec::<String>::new());
}
