//! The last of what a program writes to its standard error.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// How much is kept.
const MOST_BYTES: usize = 8 * 1024;
/// The longest that is waited for the end of the stream, when something the program started holds it open.
const LAST_WORDS: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Tail {
    kept: watch::Receiver<VecDeque<u8>>,
}

impl Tail {
    /// Reads a stream to its end, whether or not anyone asks for it: a program must not wait for its complaints to be read.
    pub(crate) fn follow(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (keep, kept) = watch::channel(VecDeque::new());
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                keep.send_modify(|kept: &mut VecDeque<u8>| {
                    kept.extend(&buffer[..count]);
                    let surplus = kept.len().saturating_sub(MOST_BYTES);
                    kept.drain(..surplus);
                });
            }
        });
        Self { kept }
    }

    /// The tail, when the stream is at its end.
    pub(crate) async fn take(mut self) -> String {
        let at_end = async { while self.kept.changed().await.is_ok() {} };
        // Without the end, what is there must do.
        let _ = tokio::time::timeout(LAST_WORDS, at_end).await;
        let bytes: Vec<u8> = self.kept.borrow().iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_last_is_kept() {
        let mut text = "x".repeat(100_000);
        text.push_str("the end\n");
        let tail = Tail::follow(std::io::Cursor::new(text.into_bytes())).take().await;
        assert_eq!(tail.len(), MOST_BYTES - 1);
        assert!(tail.ends_with("xthe end"));
    }
}
