//! Forms with files (`multipart/form-data`), read file by file as they come. Nothing of them is kept here.

#[cfg(feature = "fuzzing")]
mod fuzz;
mod name;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use multer::{Field, Multipart};

#[cfg(feature = "fuzzing")]
pub(crate) use fuzz::fuzz;
use name::{forbidden_type, safe_name};

/// The most bytes between two files: the head of a part, or fields that are none. The parser holds that much.
const MOST_BETWEEN: u64 = 1 << 20;

/// Why a form, or a file in it, is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The request's `Content-Type` is not a form's, or names no boundary.
    #[error("send the files as multipart/form-data with a boundary")]
    NoForm,
    /// What comes cannot be read as a form, or broke off.
    #[error("the body is no multipart/form-data, or broke off: send it again")]
    Malformed,
    /// A file is called nothing.
    #[error("a file in the form has no name")]
    Nameless,
    /// A file is said to be a program of machines.
    #[error("{name}: the file type {kind} is not allowed, since it is a program")]
    Program {
        /// The file's name, made harmless.
        name: String,
        /// What it is said to be.
        kind: String,
    },
    /// There are more files than are taken at once.
    #[error("too many files: at most {most} are taken at once")]
    TooMany {
        /// How many are.
        most: usize,
    },
}

/// A form that is being read.
#[derive(Debug)]
pub struct UploadForm {
    multipart: Multipart<'static>,
    /// How many bytes may still come before the next file begins.
    between: Arc<AtomicU64>,
    most_files: usize,
    files: usize,
}

/// A file of a form: a stream of its bytes. How many may come is for whoever reads them to say.
#[derive(Debug)]
pub struct UploadFile<'form> {
    name: String,
    field: Field<'static>,
    /// The form goes on when this is dropped.
    _form: PhantomData<&'form mut UploadForm>,
}

impl UploadForm {
    /// The form in a body of this `Content-Type`, of which so many files are taken.
    ///
    /// # Errors
    /// [`UploadError::NoForm`].
    pub fn new<E: Into<Box<dyn Error + Send + Sync>> + 'static>(
        content_type: &str,
        body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
        most_files: usize,
    ) -> Result<Self, UploadError> {
        let boundary = multer::parse_boundary(content_type).map_err(|_| UploadError::NoForm)?;
        let between = Arc::new(AtomicU64::new(MOST_BETWEEN));
        let left = Arc::clone(&between);
        let metered = one_at_a_time(body).map(move |piece| {
            let piece = piece.map_err(Into::into)?;
            let bytes = piece.len() as u64;
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)) {
                Ok(_) => Ok(piece),
                Err(_) => Err(Box::<dyn Error + Send + Sync>::from("too much between two files")),
            }
        });
        Ok(Self { multipart: Multipart::new(metered, boundary), between, most_files, files: 0 })
    }

    /// The next file; nothing when there is none. Of the one before, what was not read is skipped.
    ///
    /// # Errors
    /// What the form, or the file, is not taken for.
    pub async fn next(&mut self) -> Result<Option<UploadFile<'_>>, UploadError> {
        loop {
            self.between.store(MOST_BETWEEN, Ordering::Relaxed);
            let field = self.multipart.next_field().await.map_err(|error| {
                tracing::debug!(%error, "a form cannot be read");
                UploadError::Malformed
            })?;
            let Some(field) = field else { return Ok(None) };
            let Some(given) = field.file_name() else { continue };
            let name = safe_name(given)?;
            if let Some(kind) = field.content_type().filter(|kind| forbidden_type(kind.as_ref())) {
                return Err(UploadError::Program { name, kind: kind.to_string() });
            }
            self.files += 1;
            if self.files > self.most_files {
                return Err(UploadError::TooMany { most: self.most_files });
            }
            // Within a file, its own limits count.
            self.between.store(u64::MAX, Ordering::Relaxed);
            return Ok(Some(UploadFile { name, field, _form: PhantomData }));
        }
    }
}

/// Has whoever asks for a piece wait for a moment before the next. The parser else takes everything that has come at once, and a form of which all
/// comes while it looks for the beginning it takes for one that broke off.
fn one_at_a_time<T>(body: impl Stream<Item = T> + Send + 'static) -> impl Stream<Item = T> + Send {
    let (mut body, mut given) = (body.boxed(), false);
    stream::poll_fn(move |context| {
        if std::mem::take(&mut given) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = body.poll_next_unpin(context);
        given = matches!(polled, Poll::Ready(Some(_)));
        polled
    })
}

impl UploadFile<'_> {
    /// Its path beneath the folder that was asked for. No part of it leads up or is trouble in a shell.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Stream for UploadFile<'_> {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.field.poll_next_unpin(context).map_err(|error| {
            tracing::debug!(%error, "a file in a form broke off");
            UploadError::Malformed
        })
    }
}
