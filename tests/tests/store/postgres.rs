//! What can go wrong with PostgreSQL.

use agcluster_core::store::{DatabaseUrl, StoreError, open};
use agcluster_tests::postgres::Postgres;
use sqlx::{Connection, PgConnection};

use crate::make::{events, put, session};

fn url(text: &str) -> DatabaseUrl {
    text.parse().unwrap()
}

async fn refused(text: &str) -> String {
    match open(&url(text)).await {
        Err(StoreError::Open(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_server_is_refused_but_in_another_schema_or_database() {
    let server = Postgres::start().await.unwrap();
    let first = open(&url(&server.url())).await.unwrap();
    let error = open(&url(&server.url())).await.unwrap_err();
    assert!(matches!(&error, StoreError::InUse(_)), "{error}");
    let elsewhere = open(&url(&server.new_database().await.unwrap())).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query("CREATE SCHEMA other").execute(&mut raw).await.unwrap();
    let apart = format!("{}?options[search_path]=other", server.url());
    let apart = open(&url(&apart)).await.unwrap();
    first.commit(&[put(&session("first"))]).await.unwrap();
    apart.commit(&[put(&session("apart"))]).await.unwrap();
    assert_eq!(apart.sessions().await.unwrap().len(), 1);
    assert!(elsewhere.sessions().await.unwrap().is_empty());
    first.close().await;
    let second = open(&url(&server.url())).await.unwrap();
    assert_eq!(second.sessions().await.unwrap()[0].id.as_str(), "first");
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_in_one_sentence_without_the_password() {
    let mut server = Postgres::start().await.unwrap();
    let here = server.url();
    let with_password = |url: &str| url.replace("agcluster@", "agcluster:geheim@");
    let missing = with_password(&here.replace("/postgres", "/nothing"));
    let stranger = with_password(&here).replace("agcluster:", "nobody:");
    let no_schema = format!("{}?options[search_path]=nowhere", with_password(&here));
    let mut raw = PgConnection::connect(&here).await.unwrap();
    sqlx::query("CREATE TABLE public.sessions (colour TEXT)").execute(&mut raw).await.unwrap();
    let wrong = format!("{}?sslmode=geheim", with_password(&here));
    for bad in [missing, stranger, no_schema, with_password(&here), wrong] {
        let why = refused(&bad).await;
        assert!(why.contains("DATABASE_URL") && !why.contains("geheim"), "{why}");
        assert!(!why.contains('\n') && !why.contains(". "), "one sentence: {why}");
    }
    server.stop().await.unwrap();
    let why = refused(&with_password(&here)).await;
    assert!(
        why.contains("cannot be reached") && why.contains("DATABASE_URL") && !why.contains("geheim"),
        "{why}"
    );
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let server = Postgres::start().await.unwrap();
    open(&url(&server.url())).await.unwrap().close().await;
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (999, 'later', TRUE, ''::bytea, 0)";
    sqlx::query(newer).execute(&mut raw).await.unwrap();
    assert_eq!(open(&url(&server.url())).await.unwrap_err(), StoreError::Newer { found: 999, known: 1 });
}

#[tokio::test]
async fn a_restart_of_postgres_is_overcome_and_the_lock_taken_again() {
    let mut server = Postgres::start().await.unwrap();
    let store = open(&url(&server.url())).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a), events(&a.id, 1..=10)]).await.unwrap();
    for round in 1..=2u64 {
        server.stop().await.unwrap();
        let head = round * 10;
        let next = [events(&a.id, head + 1..=head + 10)];
        let error = store.commit(&next).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
        let error = store.sessions().await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
        let error = store.extent(&a.id).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
        server.run().await.unwrap();
        store.commit(&next).await.unwrap();
        let there = store.events(&a.id, 0, usize::MAX, usize::MAX).await.unwrap();
        assert!(there.iter().map(|event| event.seq()).eq(1..=head + 10));
        let second = open(&url(&server.url())).await;
        assert!(matches!(second, Err(StoreError::InUse(_))), "the lock was taken again");
    }
}

#[tokio::test]
async fn lost_connections_lose_nothing() {
    let server = Postgres::start().await.unwrap();
    let store = open(&url(&server.url())).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a)]).await.unwrap();
    let mut lost = 0;
    for round in 0..10u64 {
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'agcluster%'";
        sqlx::query(end).execute(&mut raw).await.unwrap();
        let next = [events(&a.id, 3 * round + 1..=3 * round + 3)];
        // The connection may be found dead or be made anew in between.
        if let Err(error) = store.commit(&next).await {
            assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
            lost += 1;
            store.commit(&next).await.unwrap();
        }
        assert_eq!(store.extent(&a.id).await.unwrap().head, 3 * round + 3);
    }
    assert!(lost > 0, "connections were lost");
    let there = store.events(&a.id, 0, usize::MAX, usize::MAX).await.unwrap();
    assert!(there.iter().map(|event| event.seq()).eq(1..=30));
}

#[tokio::test]
async fn somebody_elses_lock_is_waited_for_and_then_told() {
    let server = Postgres::start().await.unwrap();
    let store = open(&url(&server.url())).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a)]).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let mut lock = raw.begin().await.unwrap();
    sqlx::query("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let error = store.commit(&[events(&a.id, 1..=1)]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("locked")), "{error}");
    lock.rollback().await.unwrap();
    store.commit(&[events(&a.id, 1..=1)]).await.unwrap();
    assert_eq!(store.events(&a.id, 0, 9, 999).await.unwrap().len(), 1);
}
