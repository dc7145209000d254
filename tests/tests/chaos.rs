//! The behaviour suite on platforms that have a bad day: a fifth of all calls fail, half of those after they were done, `create` among them. Nothing
//! is left and nothing is made twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chaos_ledger;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use agcluster_core::conformance::{Context, Report, run_all};
use agcluster_core::layers::{Call, Chaos, Layer, Next, Operation, Retry, Stack};
use agcluster_core::provider::{
    Capabilities, ContainerProvider, DestroyOptions, ErrorKind, ListFilter, Result,
};
use agcluster_providers::memory::MemoryProvider;
use agcluster_tests::aloud::say;
use agcluster_tests::ground::{Ground, Provider};
use chaos_ledger::Ledger;
use futures::stream::{self, StreamExt};

/// Bad days of the platform that costs nothing.
const SEEDS: u64 = 200;
/// Bad days of each of the others at home, where containers are real, and of each cloud.
const SEEDS_AT_HOME: u64 = 2;
const SEEDS_ON_CLOUDS: u64 = 1;
/// How many bad days are had at a time.
const AT_ONCE: usize = 4;
/// After so many bad days, a cloud is looked through and made anew.
const DAYS_OF_A_CLOUD: u64 = 20;

/// Machines whose agent servers are tasks of this process have no commands, no files and no output of their own: what a platform claims of these is taken
/// away, so that every case can be played. With them, in containers, are the bad days elsewhere.
#[derive(Debug)]
struct NothingInside;

impl Layer for NothingInside {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        match call.operation {
            Operation::Exec | Operation::ReadArchive | Operation::WriteArchive | Operation::Logs => {
                Err(call.error(ErrorKind::Unsupported, "there is nothing inside"))
            }
            _ => next.run().await,
        }
    }

    fn capabilities(&self, capabilities: Capabilities) -> Capabilities {
        Capabilities { exec: None, archive: None, logs: None, ..capabilities }
    }
}

/// Two hundred bad days, shared out among the clouds, whose machines have agent servers that are tasks of this process. The gateway waits here and there, as for
/// a container that takes its time, and has the fewest. With `AGCLUSTER_CHAOS_SEEDS=200` each of them has two hundred, which take some minutes.
fn seeds_on_tasks(provider: Provider) -> Range<u64> {
    match (std::env::var("AGCLUSTER_CHAOS_SEEDS"), provider) {
        (Ok(seeds), _) => 0..seeds.parse().unwrap(),
        (Err(_), Provider::FlyMachines) => 16..108,
        (Err(_), Provider::Vercel) => 108..SEEDS,
        (Err(_), _) => 0..16,
    }
}

/// A platform on a bad day, and the layer that is to get over it. Twelve attempts: of a hundred thousand calls none fails twelve times.
fn bad_day(platform: Arc<dyn ContainerProvider>, seed: u64, ledger: &Ledger) -> Arc<dyn ContainerProvider> {
    // What a layer must not repeat, the suite would see fail: as a caller it cannot know whether it was done.
    let repeatable = Operation::ALL.into_iter().filter(|operation| operation.is_repeatable());
    Stack::of(platform)
        .with(ledger.clone())
        .with(Chaos::seeded(seed).errors(0.1).lost_answers(0.1).only(repeatable))
        .with(
            Retry::default()
                .seeded(seed)
                .attempts(12)
                .waits(Duration::from_millis(1), Duration::from_millis(20)),
        )
        .build()
}

async fn on_a_bad_day(platform: Arc<dyn ContainerProvider>, seed: u64, run: &str) -> (Report, Ledger) {
    // It looks at the platform whatever the day.
    let ledger = Ledger::of(Stack::of(Arc::clone(&platform)).with(Retry::default()).build());
    let successor = bad_day(Arc::clone(&platform), !seed, &ledger);
    let context = Context::new(bad_day(platform, seed, &ledger), run).with_successor(successor);
    (run_all(&context).await, ledger)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_bad_days_leave_nothing_and_make_nothing_twice() {
    let days = (0..SEEDS).map(async |seed| {
        let platform = MemoryProvider::default();
        let (report, ledger) = on_a_bad_day(Arc::new(platform.clone()), seed, &format!("chaos{seed}")).await;
        assert!(report.is_success(), "seed {seed}\n{report}");
        assert_eq!(ledger.made_twice(), Vec::<String>::new(), "seed {seed}");
        let left = platform.list(ListFilter::default()).await.unwrap();
        assert!(left.is_empty(), "seed {seed} leaves {left:?}");
        ledger.repeated()
    });
    let repeated: Vec<usize> = stream::iter(days).buffer_unordered(AT_ONCE).collect().await;
    let repeated: usize = repeated.into_iter().sum();
    assert!(repeated > SEEDS as usize, "answers of create were lost and it was called again: {repeated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_elsewhere_leave_nothing_and_make_nothing_twice() {
    for provider in Provider::ALL.into_iter().filter(|provider| *provider != Provider::Memory) {
        for seed in 0..if provider.is_cloud() { SEEDS_ON_CLOUDS } else { SEEDS_AT_HOME } {
            let ground = Ground::prepare(provider).await.unwrap();
            let run = format!("chaos-{}-{seed}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
            let (report, ledger) = on_a_bad_day(ground.make().await.unwrap(), seed, &run).await;
            assert!(report.is_success(), "seed {seed}\n{report}");
            assert_eq!(ledger.made_twice(), Vec::<String>::new(), "seed {seed}");
            ground.end(&run).await.unwrap();
        }
    }
}

/// Bad days of one cloud after the other: each is empty at the end.
async fn bad_days_on_tasks(provider: Provider) {
    let seeds = seeds_on_tasks(provider);
    let begun = std::time::Instant::now();
    let mut repeated = 0;
    for first in seeds.clone().step_by(DAYS_OF_A_CLOUD as usize) {
        let ground = Ground::prepare_with_tasks(provider).await.unwrap();
        let platform = NothingInside.on(ground.make().await.unwrap());
        let days = (first..seeds.end.min(first + DAYS_OF_A_CLOUD)).map(async |seed| {
            let (report, ledger) = on_a_bad_day(Arc::clone(&platform), seed, &format!("chaos{seed}")).await;
            assert!(report.is_success(), "seed {seed}\n{report}");
            assert_eq!(ledger.made_twice(), Vec::<String>::new(), "seed {seed}");
            ledger.repeated()
        });
        let days: Vec<usize> = stream::iter(days).buffer_unordered(AT_ONCE).collect().await;
        repeated += days.into_iter().sum::<usize>();
        ground.end("chaos").await.unwrap();
    }
    let took = begun.elapsed();
    say(format_args!("{}: bad days {seeds:?}, {repeated} repeated creates, {took:?}", provider.name()));
    assert!(repeated > seeds.count(), "answers of create were lost and it was called again: {repeated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_at_fly_leave_nothing_and_make_nothing_twice() {
    bad_days_on_tasks(Provider::FlyMachines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_at_vercel_leave_nothing_and_make_nothing_twice() {
    bad_days_on_tasks(Provider::Vercel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_at_cloudflare_leave_nothing_and_make_nothing_twice() {
    bad_days_on_tasks(Provider::Cloudflare).await;
}

/// A platform that makes a container anew where it should adopt.
#[derive(Debug)]
struct Forgetful(MemoryProvider);

impl Layer for Forgetful {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if call.operation == Operation::Create {
            for container in self.0.list(ListFilter::default()).await? {
                self.0.destroy(&container.id, DestroyOptions::default()).await?;
            }
        }
        next.run().await
    }
}

#[tokio::test]
async fn who_makes_something_twice_is_found_out() {
    let platform = MemoryProvider::default();
    let forgetful = Stack::of(Arc::new(platform.clone())).with(Forgetful(platform.clone())).build();
    let ledger = Ledger::of(Arc::new(platform.clone()));
    let provider = bad_day(forgetful, 1, &ledger);
    let spec = Context::new(Arc::new(platform), "ledger").new_session();
    provider.create(spec.clone()).await.unwrap();
    assert_eq!(ledger.made_twice(), Vec::<String>::new());
    provider.create(spec).await.unwrap();
    assert_ne!(ledger.made_twice(), Vec::<String>::new());
}
