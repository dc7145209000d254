//! Fly Machines without Fly: a strict fake of the Machines API and of the public hosts before machines, whose machines are
//! Docker containers.
//!
//! It holds every request to the published description of the API and to what was added to it since. States pass as the platform's do, and
//! its refusals are those that were seen there. What no request of ours needs, it does not have: asking for it is a violation.
//!
//! | file | what it knows |
//! |---|---|
//! | `routes.rs` | from a request to an answer |
//! | `schema.rs` | what the API takes |
//! | `machines.rs`, `apps.rs`, `wait.rs`, `world.rs` | what there is and how it changes |
//! | `limiter.rs`, `clock.rs` | how many requests the platform takes |
//! | `capacity.rs`, `faults.rs` | bad days |
//! | `public.rs` | the public hosts |
//! | `backing.rs` | the containers |
//! | `launches.rs` | what the bench asks |

mod answer;
mod apps;
mod backing;
mod capacity;
mod clock;
mod faults;
mod launches;
mod limiter;
mod machines;
mod public;
mod record;
mod routes;
mod schema;
mod wait;
mod world;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use agcluster_core::provider::ContainerProvider;
use agcluster_providers::fly_machines::{FlyMachinesConfig, FlyMachinesProvider};
use anyhow::ensure;
use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use capacity::Full;
pub use clock::Clock;
pub use faults::Fault;
pub use launches::{Launches, launches_at_documented_rate, requests_per_launch};
pub use record::Recorded;

use backing::{Backing, Tasks};
use faults::Faults;
use schema::Schema;
use world::{App, World};

/// The app that is there from the start, with a public address.
pub const APP: &str = "agents";
/// The organisation of everything that the token may touch.
pub const ORGANIZATION: &str = "acme";
/// The image that machines are made of.
pub const IMAGE: &str = "registry.fly.io/agents:latest";
/// An app of another organisation.
pub const FOREIGN_APP: &str = "somebody-elses";

/// The token, as it is pasted.
const TOKEN: &str = "FlyV1 fm2_fake,fm2_discharge";
/// The header that it must come to.
const AUTHORIZATION: &str = "FlyV1 fm2_fake,fm2_discharge";

/// How to set the fake up.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether its machines are containers; otherwise each is a task of this process, without files and commands.
    pub docker: bool,
    /// How many times as fast as ours its clock runs, by which it counts requests and ends waits.
    pub clock: u32,
}

impl Default for Options {
    /// Containers, and a clock so fast that no test has to wait for its turn.
    fn default() -> Self {
        Self { docker: true, clock: 100 }
    }
}

/// The fake and what is known of it.
#[derive(Debug)]
struct Shared {
    world: Arc<World>,
    schema: Schema,
    faults: Faults,
    client: reqwest::Client,
    /// Changes when open streams are to break.
    cuts: watch::Sender<u64>,
    /// How many streams were broken off because they were silent for too long.
    silent: watch::Sender<u64>,
    requests: Mutex<Vec<Recorded>>,
    violations: Mutex<Vec<String>>,
}

impl Shared {
    fn violation(&self, fault: String) {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    fn record(&self, request: Recorded) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < record::MOST {
            requests.push(request);
        }
    }
}

/// A running fake of the platform. End it with [`stop`](Self::stop).
#[derive(Debug)]
pub struct FlyMachinesPlatform {
    shared: Arc<Shared>,
    options: Options,
    api: SocketAddr,
    public: SocketAddr,
    serving: [JoinHandle<std::io::Result<()>>; 2],
}

impl FlyMachinesPlatform {
    /// Starts it with containers.
    ///
    /// # Errors
    /// When the engine or the agent image is not there.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts it as the options say.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(options: Options) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let schema = Schema::load()?;
        let backing =
            if options.docker { Backing::docker().await? } else { Backing::Tasks(Tasks::default()) };
        let image = crate::ground::image();
        ensure!(
            backing.has_image(&image).await,
            "the image {image} is not on the engine: `cargo xtask image` builds it"
        );
        let run = format!("flyfake-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let images = BTreeMap::from([(IMAGE.to_owned(), image)]);
        let world = World::new(backing, Clock::running(options.clock), run, images);
        for (app, organization) in [(APP, ORGANIZATION), (FOREIGN_APP, "others")] {
            let app_of = App {
                organization: organization.to_owned(),
                network: String::new(),
                addresses: vec!["66.241.124.1".to_owned()],
            };
            world.lock().apps.insert(app.to_owned(), app_of);
        }
        let shared = Arc::new(Shared {
            world,
            schema,
            faults: Faults::default(),
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?,
            cuts: watch::Sender::new(0),
            silent: watch::Sender::new(0),
            requests: Mutex::default(),
            violations: Mutex::default(),
        });
        let (api, serving_api) =
            serve(Router::new().fallback(routes::answer).with_state(Arc::clone(&shared))).await?;
        let (public, serving_public) =
            serve(Router::new().fallback(public::pass_on).with_state(Arc::clone(&shared))).await?;
        Ok(Self { shared, options, api, public, serving: [serving_api, serving_public] })
    }

    /// What a server's configuration file holds to reach it.
    pub fn config(&self) -> Value {
        json!({
            "token": TOKEN,
            "app": APP,
            "image": IMAGE,
            "regions": ["iad", "ord"],
            "base_url": format!("http://{}", self.api),
            "public_url": format!("http://{}/{{app}}", self.public),
            // The fake's clock runs faster; half of what it takes is left for a machine that is busy with other things.
            "rate": { "per_second": (self.options.clock / 2).max(1) },
        })
    }

    /// The same with changes.
    pub fn config_with(&self, changes: &Value) -> Value {
        let mut config = self.config();
        for (name, value) in changes.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        config
    }

    /// A provider of it; another one each time.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub fn provider(&self) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        self.provider_with(&json!({}))
    }

    /// A provider of it with changes in its configuration.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub fn provider_with(&self, changes: &Value) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        let config: FlyMachinesConfig = serde_json::from_value(self.config_with(changes))?;
        Ok(Arc::new(FlyMachinesProvider::new(config)?))
    }

    /// The base URL of the public host of an app.
    pub fn public_url(&self, app: &str) -> String {
        format!("http://{}/{app}", self.public)
    }

    /// A client of the API as somebody else may have one.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/v1{path}", self.api);
        self.shared.client.request(method, url).header("authorization", AUTHORIZATION)
    }

    /// Lets one request of this action go wrong; several orders are for several requests.
    pub fn order(&self, action: &str, fault: Fault) {
        self.shared.faults.order(action, fault);
    }

    /// Lets so many requests of a hundred go wrong from now on: refused, or lost on the way there or back.
    pub fn misbehave(&self, seed: u64, percent: u64) {
        self.shared.faults.by_chance(seed, percent);
    }

    /// Fills a region up, or makes room in it.
    pub fn fill(&self, region: &str, full: Option<Full>) {
        let mut state = self.shared.world.lock();
        match full {
            Some(full) => drop(state.full.insert(region.to_owned(), full)),
            None => drop(state.full.remove(region)),
        }
    }

    /// Breaks all streams off that the public hosts pass on.
    pub fn cut_streams(&self) {
        self.shared.cuts.send_modify(|cut| *cut += 1);
    }

    /// Answers once a stream was broken off because it was silent for longer than its service says.
    pub async fn cut_a_silent_stream(&self) {
        let mut silent = self.shared.silent.subscribe();
        // The sender lives as long as the platform.
        let _ = silent.wait_for(|cut| *cut > 0).await;
    }

    /// Takes an app's public addresses away.
    pub fn release_addresses(&self, app: &str) {
        if let Some(app) = self.shared.world.lock().apps.get_mut(app) {
            app.addresses.clear();
        }
    }

    /// The machines that are there, as the API shows them.
    pub fn machines(&self) -> Vec<Value> {
        let state = self.shared.world.lock();
        state
            .machines
            .values()
            .filter(|machine| machine.state != "destroyed")
            .map(|machine| machine.shown())
            .collect()
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what it was asked.
    pub fn forget_requests(&self) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What it was asked that the platform would not understand, one sentence each.
    pub fn violations(&self) -> Vec<String> {
        self.shared.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What still exists: machines, apps that were made, containers.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        let world = &self.shared.world;
        let mut left: Vec<String> =
            self.machines().iter().map(|machine| format!("machine {}", machine["name"])).collect();
        let apps: Vec<String> = world
            .lock()
            .apps
            .keys()
            .filter(|app| ![APP, FOREIGN_APP].contains(&app.as_str()))
            .cloned()
            .collect();
        left.extend(apps.into_iter().map(|app| format!("app {app}")));
        left.extend(
            world.backing.containers(&world.run).await?.into_iter().map(|name| format!("container {name}")),
        );
        Ok(left)
    }

    /// Ends it, and removes what is left of its containers.
    ///
    /// # Errors
    /// When it was asked what the platform would not understand, or something was left.
    pub async fn stop(self) -> anyhow::Result<()> {
        let left = self.left_behind().await?;
        let world = &self.shared.world;
        for name in world.backing.containers(&world.run).await? {
            world.backing.remove(&name).await?;
        }
        self.serving.iter().for_each(JoinHandle::abort);
        ensure!(left.is_empty(), "left behind: {left:#?}");
        let violations = self.violations();
        ensure!(violations.is_empty(), "the platform would not have understood: {violations:#?}");
        Ok(())
    }
}

async fn serve(router: Router) -> anyhow::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(axum::serve(listener, router).into_future())))
}
