//! Agent servers that are tasks of this process, each behind a port of its own: what runs in the fakes' machines where containers would cost too
//! much. They answer as agent servers do; there are no files and no commands behind them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use agcluster_core::provider::{Address, ContainerId, ContainerProvider, ContainerSpec, Labels, StopOptions};
use agcluster_providers::memory::MemoryProvider;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long an agent server may take to end that is told to.
const GRACE: Duration = Duration::from_secs(5);

/// A machine's port, and the agent server behind it once it was started. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct AgentTask {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    memory: MemoryProvider,
    /// Whether it is frozen; every change breaks the connections.
    frozen: watch::Sender<bool>,
    over: CancellationToken,
}

fn labels() -> Labels {
    Labels {
        cluster: "tasks".to_owned(),
        session: "task".to_owned(),
        agent: "task".to_owned(),
        generation: 1,
        expires_at: None,
    }
}

fn id() -> ContainerId {
    ContainerId(labels().container_name())
}

impl AgentTask {
    /// A port behind which nobody answers yet.
    pub(super) async fn place() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            memory: MemoryProvider::default(),
            frozen: watch::Sender::new(false),
            over: CancellationToken::new(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the agent server that takes the token of this digest.
    pub(super) async fn start(&self, digest: &str) -> anyhow::Result<()> {
        let mut spec = ContainerSpec::new(labels());
        spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), digest.to_owned());
        self.shared.memory.create(spec).await?;
        self.freeze(false);
        Ok(())
    }

    /// Breaks all connections and ends the agent server. The port stays.
    pub(super) async fn stop(&self) {
        self.freeze(true);
        // There may be none, which is as good.
        let _ = self.shared.memory.stop(&id(), StopOptions { grace: GRACE }).await;
    }

    /// Breaks all connections and takes none, or takes them again.
    pub(super) fn freeze(&self, frozen: bool) {
        self.shared.frozen.send_replace(frozen);
    }

    /// Ends everything at once, the port too.
    pub(super) fn end(&self) {
        self.shared.over.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.over.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut frozen = shared.frozen.subscribe();
            if *frozen.borrow_and_update() {
                return;
            }
            tokio::select! {
                () = forward(client, &shared.memory) => {}
                () = shared.over.cancelled() => {}
                _ = frozen.changed() => {}
            }
        });
    }
}

async fn forward(mut client: TcpStream, memory: &MemoryProvider) {
    let Ok(endpoint) = memory.endpoint(&id()).await else { return };
    let Address::Dial(dial) = endpoint.address else { return };
    let Ok(server) = dial.dial().await else { return };
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let there = async {
        // What an agent server does not want to read is read all the same: unread, it would cost the client the answer.
        match tokio::io::copy(&mut from_client, &mut to_server).await {
            Ok(_) => drop(to_server.shutdown().await),
            Err(_) => drop(tokio::io::copy(&mut from_client, &mut tokio::io::sink()).await),
        }
    };
    let back = async {
        // Either side may break off: that is the other's to notice.
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(there, back);
}
