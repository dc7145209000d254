//! What the file system says, in the words of the workspace.

use std::io;
use std::path::Path;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{
    ALREADY_EXISTS, FORBIDDEN, INVALID_PATH, INVALID_REQUEST, NO_SPACE, NOT_EMPTY, NOT_FOUND, WRONG_TYPE,
};
use rustix::io::Errno;

use crate::http::Refusal;

/// A path in a sentence: in quotation marks, everything that is not printed escaped.
pub(super) fn said(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Why something could not be done to a path.
pub(super) fn refusal(error: &io::Error, path: &Path) -> Refusal {
    let path = said(path);
    let Some(errno) = Errno::from_io_error(error) else {
        // No error of the kernel's but of the check that is made with its help.
        return match error.kind() {
            io::ErrorKind::PermissionDenied => outside(&path),
            io::ErrorKind::InvalidInput => Refusal::new(INVALID_PATH, format!("{path} is no path")),
            _ => internal(error),
        };
    };
    let (code, detail) = match errno {
        Errno::NOENT => (NOT_FOUND, format!("there is no {path}")),
        Errno::EXIST => (ALREADY_EXISTS, format!("{path} is there already")),
        Errno::NOTDIR => (WRONG_TYPE, format!("{path}, or something on the way to it, is no folder")),
        Errno::ISDIR => (WRONG_TYPE, format!("{path} is a folder")),
        Errno::NXIO | Errno::NODEV => (WRONG_TYPE, format!("{path} is no regular file")),
        Errno::NOTEMPTY => (NOT_EMPTY, format!("{path} is not empty")),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => {
            (FORBIDDEN, format!("the agent's user may not do that to {path}"))
        }
        Errno::LOOP => (INVALID_PATH, format!("{path} leads through too many links")),
        Errno::NAMETOOLONG => {
            (INVALID_PATH, "a part of a path has at most 255 bytes, a path 4095".to_owned())
        }
        Errno::NOSPC | Errno::DQUOT => (NO_SPACE, "the workspace is full: delete something".to_owned()),
        Errno::XDEV => return outside(&path),
        Errno::INVAL => (INVALID_REQUEST, format!("that cannot be done to {path}")),
        _ => return internal(error),
    };
    Refusal::new(code, detail)
}

/// What is there already, and is to stay.
pub(super) fn exists(path: &Path) -> Refusal {
    let detail = format!("{} is there already: ask for `overwrite` to replace it", said(path));
    Refusal::new(ALREADY_EXISTS, detail)
}

fn outside(path: &str) -> Refusal {
    Refusal::new(INVALID_PATH, format!("{path} leads out of the workspace"))
}

fn internal(error: &io::Error) -> Refusal {
    Refusal::new(codes::INTERNAL, format!("the file system failed: {error}"))
}
