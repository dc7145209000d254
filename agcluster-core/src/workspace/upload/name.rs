//! What uploaded files are called, and which are not taken.

use super::UploadError;

/// The longest part of a path.
const MOST_BYTES: usize = 255;

/// Letters beside letters and digits that are no trouble in a shell, or no more than a name needs.
const HARMLESS: &str = " -._+@,=()[]{}~#%";

/// Programs of machines. What is text is no program here, whatever might run it.
const PROGRAMS: [&str; 9] = [
    "application/x-executable",
    "application/x-elf",
    "application/x-sharedlib",
    "application/x-pie-executable",
    "application/x-mach-binary",
    "application/x-msdownload",
    "application/x-dosexec",
    "application/x-msdos-program",
    "application/vnd.microsoft.portable-executable",
];

/// Whether files that are said to be of this type are not taken.
pub(super) fn forbidden_type(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    PROGRAMS.iter().any(|program| kind.eq_ignore_ascii_case(program))
}

/// A path beneath the target, made from whatever a client calls its file: no part of it leads up or is trouble in a shell.
pub(super) fn safe_name(given: &str) -> Result<String, UploadError> {
    let parts = given.split('/').filter(|part| !part.is_empty() && *part != ".");
    let safe: Vec<String> = parts.map(safe_part).collect();
    if safe.is_empty() {
        return Err(UploadError::Nameless);
    }
    Ok(safe.join("/"))
}

fn safe_part(part: &str) -> String {
    let mut safe: String = part
        .chars()
        .map(|letter| if letter.is_alphanumeric() || HARMLESS.contains(letter) { letter } else { '_' })
        .collect();
    if safe.starts_with('-') || safe.chars().all(|letter| letter == '.') {
        safe.replace_range(..1, "_");
    }
    shorten(safe)
}

/// Cuts a name that no file system takes, and keeps its ending.
fn shorten(name: String) -> String {
    if name.len() <= MOST_BYTES {
        return name;
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() > 16 { "" } else { ending };
    let mut end = MOST_BYTES - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn safe(given: &str) -> String {
        safe_name(given).unwrap()
    }

    #[test]
    fn dangerous_names_are_made_harmless_and_others_stay() {
        assert_eq!(safe("report.txt"), "report.txt");
        assert_eq!(safe("app/[id]/page (1).tsx"), "app/[id]/page (1).tsx");
        assert_eq!(safe(".gitignore"), ".gitignore");
        assert_eq!(safe("v1..v2.txt"), "v1..v2.txt");
        assert_eq!(safe("größe.txt"), "größe.txt");
        assert_eq!(safe("../../etc/passwd"), "_./_./etc/passwd");
        assert_eq!(safe("/etc/passwd"), "etc/passwd");
        assert_eq!(safe("..\\..\\x"), ".._.._x");
        assert_eq!(safe("a;rm -rf $HOME`x`|y&z"), "a_rm -rf _HOME_x__y_z");
        assert_eq!(safe("two\nlines\0"), "two_lines_");
        assert_eq!(safe("-rf"), "_rf");
        assert!(safe_name("").is_err());
        assert!(safe_name("/./").is_err());
    }

    #[test]
    fn long_names_keep_their_ending() {
        let long = safe(&format!("{}.tar", "ä".repeat(200)));
        assert!(long.len() <= 255 && long.ends_with("ä.tar"), "{long}");
        assert_eq!(safe(&format!("a.{}", "b".repeat(300))).len(), 255);
    }

    #[test]
    fn programs_are_not_taken_and_scripts_are() {
        assert!(forbidden_type("application/x-executable"));
        assert!(forbidden_type("Application/X-MSDownload; x=y"));
        for kind in
            ["text/html", "text/css", "text/x-shellscript", "text/yaml", "application/toml", "image/png"]
        {
            assert!(!forbidden_type(kind), "{kind}");
        }
    }

    proptest! {
        #[test]
        fn no_name_leads_up_or_is_too_long(given: String) {
            if let Ok(name) = safe_name(&given) {
                for part in name.split('/') {
                    prop_assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= 255);
                    prop_assert!(!part.chars().any(char::is_control));
                }
            }
        }
    }
}
