//! Pictures and files that come in a request.

use agcluster_core::protocol::PromptBlock;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::invalid;
use crate::Problem;

/// Kinds of pictures that models look at, and how such a file begins.
const PICTURES: [(&str, &[u8], usize); 5] = [
    ("image/png", b"\x89PNG\r\n\x1a\n", 0),
    ("image/jpeg", b"\xff\xd8\xff", 0),
    ("image/gif", b"GIF8", 0),
    ("image/webp", b"WEBP", 8),
    ("image/jpg", b"\xff\xd8\xff", 0),
];

/// How a file of PDF begins.
const PDF: &[u8] = b"%PDF-";

/// A picture by its URL, which must hold it.
pub(crate) fn picture_of_url(param: &str, url: &str) -> Result<PromptBlock, Problem> {
    let (media_type, data) = data_url(url).ok_or_else(|| {
        let detail = "only pictures in the request itself are taken, as data:image/png;base64,…: none is fetched from elsewhere";
        invalid(param, "image_url_unsupported", detail)
    })?;
    picture(param, media_type, data)
}

/// A picture in base64.
pub(crate) fn picture(param: &str, media_type: &str, data: &str) -> Result<PromptBlock, Problem> {
    let known = PICTURES.iter().find(|(kind, ..)| kind.eq_ignore_ascii_case(media_type));
    let Some((kind, begins, at)) = known else {
        let kind: String = media_type.chars().take(50).collect();
        let detail =
            format!("{kind:?} is no kind of picture that can be looked at: send png, jpeg, gif or webp");
        return Err(invalid(param, "image_type_unsupported", detail));
    };
    let file = STANDARD.decode(data).map_err(|_| {
        invalid(
            param,
            "image_invalid",
            "the picture is not valid base64: encode the whole file, with padding",
        )
    })?;
    if file.get(*at..).is_none_or(|file| !file.starts_with(begins)) {
        return Err(invalid(param, "image_invalid", format!("the data is no file of type {kind}")));
    }
    let media_type = if *kind == "image/jpg" { "image/jpeg" } else { kind };
    Ok(PromptBlock::Image { media_type: media_type.to_owned(), data: data.to_owned() })
}

/// A file in base64, as a data URL or bare.
pub(crate) fn file(param: &str, name: Option<&str>, data: &str) -> Result<PromptBlock, Problem> {
    let (media_type, data) = data_url(data).unwrap_or(("", data));
    if media_type.starts_with("image/") {
        return picture(param, media_type, data);
    }
    let file = STANDARD.decode(data).map_err(|_| {
        invalid(param, "file_invalid", "the file is not valid base64: encode the whole file, with padding")
    })?;
    if file.starts_with(PDF) {
        let title = name.map(title).filter(|title| !title.is_empty());
        let media_type = "application/pdf".to_owned();
        return Ok(PromptBlock::Document { media_type, data: data.to_owned(), title });
    }
    match String::from_utf8(file) {
        Ok(text) => Ok(text_file(name, &text)),
        Err(_) => {
            let detail =
                "only text, PDF and pictures are taken here: put other files into the session's workspace";
            Err(invalid(param, "file_type_unsupported", detail))
        }
    }
}

/// A file of text as a block.
pub(crate) fn text_file(name: Option<&str>, text: &str) -> PromptBlock {
    let name = title(name.unwrap_or("file"));
    PromptBlock::text(format!("<file name=\"{name}\">\n{text}\n</file>"))
}

/// A file's name as it may stand between quotes.
fn title(name: &str) -> String {
    name.chars().filter(|c| !c.is_control() && *c != '"').take(255).collect()
}

/// Kind and data of a URL that holds them in base64.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    Some((kind.split(';').next().unwrap_or_default(), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    fn url(kind: &str, file: &[u8]) -> String {
        format!("data:{kind};base64,{}", STANDARD.encode(file))
    }

    fn refusal(read: Result<PromptBlock, Problem>) -> &'static str {
        read.unwrap_err().code
    }

    #[test]
    fn a_picture_is_what_it_says_it_is() {
        let picture = picture_of_url("p", &url("image/png", PNG)).unwrap();
        let expected = PromptBlock::Image { media_type: "image/png".into(), data: STANDARD.encode(PNG) };
        assert_eq!(picture, expected);
        for (kind, file) in [("image/jpg", &b"\xff\xd8\xff\xe0"[..]), ("image/webp", b"RIFF....WEBPVP8 ")] {
            picture_of_url("p", &url(kind, file)).unwrap();
        }
        assert_eq!(refusal(picture_of_url("p", &url("image/gif", PNG))), "image_invalid");
        assert_eq!(refusal(picture_of_url("p", &url("image/webp", b"RIFF"))), "image_invalid");
        assert_eq!(refusal(picture_of_url("p", &url("image/tiff", PNG))), "image_type_unsupported");
        assert_eq!(refusal(picture_of_url("p", "data:image/png;base64,%%%")), "image_invalid");
        for url in ["https://example.com/x.png", "", "data:image/png,x", "file:///etc/passwd"] {
            assert_eq!(refusal(picture_of_url("p", url)), "image_url_unsupported", "{url}");
        }
    }

    #[test]
    fn a_file_of_text_or_pdf_is_read_and_no_other() {
        let pdf = file("p", Some("a.pdf"), &url("application/pdf", b"%PDF-1.7 \xff")).unwrap();
        let data = STANDARD.encode(b"%PDF-1.7 \xff");
        let title = Some("a.pdf".to_owned());
        let expected = PromptBlock::Document { media_type: "application/pdf".into(), data, title };
        assert_eq!(pdf, expected);
        let block = file("p", Some("a\"\n.txt"), &url("text/plain", "grüße".as_bytes())).unwrap();
        assert_eq!(block, PromptBlock::text("<file name=\"a.txt\">\ngrüße\n</file>"));
        assert_eq!(file("p", None, &STANDARD.encode("x")).unwrap(), text_file(None, "x"));
        assert_eq!(
            refusal(file("p", None, &url("application/zip", b"PK\x03\x04\xff"))),
            "file_type_unsupported"
        );
        assert_eq!(refusal(file("p", None, "no base64")), "file_invalid");
        assert!(matches!(file("p", None, &url("image/png", PNG)), Ok(PromptBlock::Image { .. })));
    }
}
