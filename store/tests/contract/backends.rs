//! A fresh store of each kind, with what it needs to live and goes away with.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::embedded::{EmbeddedStore, Options};
use store::etcd::{EtcdConfig, EtcdStore};
use store::mem::MemStore;
use tempfile::TempDir;

pub(crate) struct Backend {
    store: Arc<dyn Store>,
    /// Dropped after the store.
    _home: Option<Box<dyn Send + Sync>>,
}

impl Backend {
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

pub(crate) async fn mem() -> Backend {
    Backend { store: Arc::new(MemStore::new()), _home: None }
}

pub(crate) async fn embedded() -> Backend {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), Options::standard()).expect("a store in an empty folder");
    Backend { store, _home: Some(Box::new(folder)) }
}

pub(crate) async fn etcd() -> Backend {
    let server = EtcdServer::start();
    let store = server.connect().await;
    Backend { store, _home: Some(Box::new(server)) }
}

/// Half a minute, on a busy machine.
const CONNECT_TRIES: usize = 600;

/// An etcd of its own on loopback, gone with its data when dropped.
pub(crate) struct EtcdServer {
    process: Child,
    address: String,
    peers: String,
    folder: TempDir,
}

impl EtcdServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (address, peers) = (free_address(), free_address());
        let process = spawn_etcd(&folder, &address, &peers);
        Self { process, address, peers, folder }
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("etcd is ours to kill");
        self.process.wait().expect("etcd ends");
    }

    /// After a kill: the same server on the same data.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn_etcd(&self.folder, &self.address, &self.peers);
    }

    /// A store on this server, which may need a moment until it listens.
    pub(crate) async fn connect(&self) -> Arc<EtcdStore> {
        self.connect_as(&self.address).await
    }

    /// The same as a cluster with two more members, which are down.
    pub(crate) async fn connect_beside_the_dead(&self) -> Arc<EtcdStore> {
        self.connect_as(&format!("{},{},{}", free_address(), self.address, free_address())).await
    }

    async fn connect_as(&self, hosts: &str) -> Arc<EtcdStore> {
        let config = EtcdConfig { prefix: "/drover".to_owned(), ..EtcdConfig::plain(hosts) };
        for _ in 0..CONNECT_TRIES {
            if let Ok(store) = EtcdStore::connect(config.clone()).await {
                return store;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("etcd does not answer on {}; it says: {}", self.address, self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn_etcd(folder: &TempDir, address: &str, peers: &str) -> Child {
    let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
    Command::new("etcd")
        .args(["--name", "test", "--data-dir"])
        .arg(folder.path().join("data"))
        .args(["--listen-client-urls", &format!("http://{address}")])
        .args(["--advertise-client-urls", &format!("http://{address}")])
        .args(["--listen-peer-urls", &format!("http://{peers}")])
        .args(["--initial-advertise-peer-urls", &format!("http://{peers}")])
        .args(["--initial-cluster", &format!("test=http://{peers}")])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("etcd starts (install it: apt-get install etcd-server)")
}

/// A port that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").to_string()
}
