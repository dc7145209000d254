//! Just enough of the tar format for one small file.

const BLOCK: usize = 512;
/// Where the fields of a header are.
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// An archive of one file, owned by user 1000.
pub(super) fn of_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0001750\0");
    put(116, "0001750\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

/// The content of a file in an archive, by its name or its name behind `./`.
pub(super) fn find<'a>(archive: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = archive;
    while rest.len() >= BLOCK && rest[0] != 0 {
        let text = |field: &'a [u8]| {
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            std::str::from_utf8(&field[..end]).ok()
        };
        let header = &rest[..BLOCK];
        let size = usize::from_str_radix(text(&header[SIZE])?.trim(), 8).ok()?;
        let seen = text(&header[..100])?;
        if seen.strip_prefix("./").unwrap_or(seen) == name {
            return rest.get(BLOCK..BLOCK + size);
        }
        rest = rest.get(BLOCK + size.next_multiple_of(BLOCK)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found() {
        let archive = of_file("marker", b"content");
        assert_eq!(archive.len(), 4 * BLOCK);
        assert_eq!(find(&archive, "marker"), Some(&b"content"[..]));
        assert_eq!(find(&archive, "other"), None);
        assert_eq!(find(&archive[..700], "other"), None);
    }
}
