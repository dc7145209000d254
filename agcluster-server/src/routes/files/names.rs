//! What a file's name says about its content.

use agcluster_core::workspace::files::FilePath;

/// What browsers may show as a picture. A drawing that brings a program along is kept from running it by the answer's policy.
const IMAGES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
];

fn ending(path: &FilePath) -> String {
    let name = path.name();
    let name = name.text();
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// The type that the ending stands for.
pub(super) fn content_type(path: &FilePath) -> &'static str {
    mime_guess::from_ext(&ending(path)).first_raw().unwrap_or("application/octet-stream")
}

/// The type of a picture, if it is one that browsers show.
pub(super) fn image_type(path: &FilePath) -> Option<&'static str> {
    let guessed = content_type(path);
    IMAGES.into_iter().find(|image| *image == guessed)
}

/// The language, as editors call it.
pub(super) fn language(path: &FilePath) -> &'static str {
    let name = path.name();
    match &*name.text() {
        "Dockerfile" => return "dockerfile",
        "Makefile" => return "makefile",
        _ => {}
    }
    match ending(path).as_str() {
        "py" => "python",
        "js" | "mjs" | "cjs" => "javascript",
        "ts" | "mts" => "typescript",
        "tsx" => "typescriptreact",
        "jsx" => "javascriptreact",
        "json" => "json",
        "md" | "markdown" => "markdown",
        "yaml" | "yml" => "yaml",
        "sh" | "bash" => "shell",
        "toml" => "toml",
        "ini" => "ini",
        "html" | "htm" => "html",
        "css" => "css",
        "scss" => "scss",
        "sql" => "sql",
        "rs" => "rust",
        "go" => "go",
        "java" => "java",
        "kt" => "kotlin",
        "swift" => "swift",
        "rb" => "ruby",
        "php" => "php",
        "c" => "c",
        "cpp" | "cc" | "cxx" | "h" | "hpp" => "cpp",
        "cs" => "csharp",
        "xml" | "svg" => "xml",
        "ipynb" => "json",
        "diff" | "patch" => "diff",
        _ => "plaintext",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_what_is_in_a_file() {
        let path = |text: &str| FilePath::from(text);
        assert_eq!(language(&path("src/main.rs")), "rust");
        assert_eq!(language(&path("a.PY")), "python");
        assert_eq!(language(&path("LICENSE")), "plaintext");
        assert_eq!(language(&path("docker/Dockerfile")), "dockerfile");
        assert_eq!(image_type(&path("a/b.png")), Some("image/png"));
        assert_eq!(image_type(&path("favicon.ico")), Some("image/x-icon"));
        assert_eq!(image_type(&path("page.html")), None);
        assert_eq!(content_type(&path("Makefile")), "application/octet-stream");
    }
}
