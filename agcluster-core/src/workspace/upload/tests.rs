//! Forms as they come.

use super::*;

const FORM: &str = "multipart/form-data; boundary=b";

fn form(body: impl Stream<Item = &'static [u8]> + Send + 'static) -> UploadForm {
    UploadForm::new(FORM, body.map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece))), 2).unwrap()
}

/// The names and contents of all files, or why it ended before.
async fn files(mut form: UploadForm) -> Result<Vec<(String, String)>, UploadError> {
    let mut files = Vec::new();
    while let Some(mut file) = form.next().await? {
        let mut content = Vec::new();
        while let Some(piece) = file.next().await {
            content.extend_from_slice(&piece?);
        }
        files.push((file.name().to_owned(), String::from_utf8(content).unwrap()));
    }
    Ok(files)
}

#[tokio::test]
async fn files_come_in_their_order_and_fields_that_are_none_are_passed_over() {
    let body: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
        --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a/../b.txt\"\r\n\r\none\r\n\
        --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"c\"\r\n\r\n\r\n--b--\r\n";
    let expected = [("a/_./b.txt".to_owned(), "one".to_owned()), ("c".to_owned(), String::new())];
    assert_eq!(files(form(stream::iter([body]))).await.unwrap(), expected);
    assert_eq!(files(form(stream::iter(body.chunks(1)))).await.unwrap(), expected);
}

#[tokio::test]
async fn a_file_that_is_not_read_is_skipped() {
    let body: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\none\r\n\
        --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"b\"\r\n\r\ntwo\r\n--b--\r\n";
    let mut form = form(stream::iter([body]));
    assert_eq!(form.next().await.unwrap().unwrap().name(), "a");
    assert_eq!(form.next().await.unwrap().unwrap().name(), "b");
    assert!(form.next().await.unwrap().is_none());
}

#[tokio::test]
async fn what_never_becomes_a_file_is_not_held() {
    let head: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"";
    let endless = stream::iter([head]).chain(stream::repeat(&[b'x'; 1024][..]));
    assert_eq!(files(form(endless)).await, Err(UploadError::Malformed));
}

#[tokio::test]
async fn what_is_no_form_is_said_to_be_none() {
    for kind in ["text/plain", "multipart/form-data", "multipart/mixed; boundary=b", "", "?"] {
        let made = UploadForm::new(kind, stream::empty::<std::io::Result<Bytes>>(), 1);
        assert_eq!(made.err(), Some(UploadError::NoForm), "{kind}");
    }
    let file: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\none\r\n";
    let cut = files(form(stream::iter([file])));
    assert_eq!(cut.await, Err(UploadError::Malformed), "its end is missing");
    let three = files(form(stream::repeat(file).take(3)));
    assert_eq!(three.await, Err(UploadError::TooMany { most: 2 }));
}

#[tokio::test]
async fn what_stands_before_the_first_file_changes_nothing() {
    let body: &[u8] =
        b"before\r\n--b \t\r\nContent-Disposition: form-data; name=f; filename=x.txt\r\n\r\n\r\n\
        --b\r\nContent-Disposition: form-data; name=f; filename=y.txt\r\n\r\none\r\r\n--b--behind";
    let expected = [("x.txt".to_owned(), String::new()), ("y.txt".to_owned(), "one\r".to_owned())];
    assert_eq!(files(form(stream::iter([body]))).await.unwrap(), expected);
    assert_eq!(files(form(stream::iter(body.chunks(1)))).await.unwrap(), expected);
}

#[tokio::test]
async fn a_form_may_come_all_at_once_while_it_is_waited_for() {
    let body: &[u8] = b"--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\none\r\n--b--\r\n";
    let later = stream::once(async move {
        tokio::task::yield_now().await;
        body
    });
    assert_eq!(files(form(later)).await.unwrap(), [("a".to_owned(), "one".to_owned())]);
}

#[tokio::test]
async fn no_more_is_taken_than_is_read() {
    let head: &[u8] = b"--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n";
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    let endless = stream::iter([head]).chain(stream::repeat(&[b'x'; 1024][..]));
    let mut form = form(endless.inspect(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let mut file = form.next().await.unwrap().unwrap();
    for _ in 0..10 {
        file.next().await.unwrap().unwrap();
    }
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken <= 12, "{taken} pieces");
}
