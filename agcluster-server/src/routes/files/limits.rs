//! How much may be sent and fetched at once.

/// How much may be sent and fetched at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Files in an upload.
    pub upload_files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of an upload.
    pub upload_bytes: u64,
    /// Bytes of all files in an archive.
    pub archive_bytes: u64,
    /// Entries in an archive.
    pub archive_entries: u64,
}
