//! The store in an etcd v3 cluster, for several API servers. Revisions are etcd's own.
//!
//! One watch over the whole keyspace feeds all watchers of this process (see `hub`), so etcd should be Drover's own:
//! foreign keys do no harm but cost traffic. Backups, defragmentation and quotas are the cluster's business.

mod convert;
mod hub;
mod members;

use crate::group::assert_well_formed;
use crate::{
    Committed, Entry, Expect, OpenError, Page, RangeRequest, ReadError, Rev, Store, TxnError, WatchStream, Write,
};
use async_trait::async_trait;
use convert::{Keyspace, ReadFault, header_rev, read_fault, txn_error};
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, GetOptions, KvClient, TlsOptions, Txn, TxnOp, TxnOpResponse,
};
use hub::Hub;
use members::Members;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

/// A request that takes longer has an unknown outcome; etcd itself gives up after about seven seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How soon a peer that is gone without a word is noticed.
/// etcd hangs up on clients that ask more than every five seconds (`--grpc-keepalive-min-time`).
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(2));

/// Entries asked for at once; longer ranges are read in several requests at one revision.
const PAGE_ENTRIES_MAX: usize = 500;
/// A page of the largest requests that etcd accepts by default (1.5 MiB).
const RESPONSE_BYTES_MAX: usize = PAGE_ENTRIES_MAX * (3 << 19);

#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// `http://host:port`, or `https://host:port` with `tls`.
    pub endpoints: Vec<String>,
    pub tls: Option<TlsOptions>,
    /// Name and password.
    pub user: Option<(String, String)>,
    /// Stands before every key, so that several clusters can share an etcd; empty for none.
    pub prefix: String,
}

impl EtcdConfig {
    /// Endpoints without encryption, as in `etcd://h1:2379,h2:2379`.
    pub fn plain(hosts: &str) -> Self {
        let endpoints = hosts.split(',').map(|host| format!("http://{}", host.trim())).collect();
        Self { endpoints, tls: None, user: None, prefix: String::new() }
    }
}

pub struct EtcdStore {
    client: Client,
    kv: KvClient,
    keyspace: Keyspace,
    hub: Arc<Hub>,
    /// How many there are to ask.
    members: usize,
    /// The newest compaction that this process knows of; only to say something useful in errors.
    compacted: AtomicU64,
    /// Follows etcd's watch; ends with the store.
    _follower: JoinSet<()>,
}

impl EtcdStore {
    /// Connects, and fails where no endpoint answers.
    pub async fn connect(config: EtcdConfig) -> Result<Arc<Self>, OpenError> {
        let endpoints = config.endpoints.join(",");
        let unreachable =
            |error: etcd_client::Error| OpenError::Etcd { endpoints: endpoints.clone(), detail: error.to_string() };
        let mut options = ConnectOptions::new()
            .with_timeout(REQUEST_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1)
            .with_require_leader(true);
        if let Some(tls) = config.tls {
            options = options.with_tls(tls);
        }
        if let Some((name, password)) = config.user {
            options = options.with_user(name, password).with_auto_token_refresh(true);
        }
        let client = Client::connect_with_balanced_channel(&config.endpoints, Some(options), Members).await;
        let client = client.map_err(unreachable)?;
        let mut kv = client.kv_client().max_decoding_message_size(RESPONSE_BYTES_MAX);
        let keyspace = Keyspace::new(&config.prefix);
        let first = kv.get(keyspace.key(""), Some(GetOptions::new().with_count_only())).await.map_err(unreachable)?;
        let watch = client.watch_client().max_decoding_message_size(RESPONSE_BYTES_MAX);
        let hub = Hub::new(watch, keyspace.clone(), header_rev(first.header()));
        let mut follower = JoinSet::new();
        follower.spawn(hub.clone().follow());
        let (members, compacted) = (config.endpoints.len(), AtomicU64::new(0));
        Ok(Arc::new(Self { client, kv, keyspace, hub, members, compacted, _follower: follower }))
    }

    /// One request, at another member where one turns out not to serve; `at` 0 is now.
    async fn fetch(
        &self,
        key: Vec<u8>,
        options: GetOptions,
        at: Option<Rev>,
    ) -> Result<etcd_client::GetResponse, ReadError> {
        // To etcd revision 0 means now; 1 is that of an empty store.
        let options = options.with_revision(at.map_or(0, |at| at.max(1) as i64));
        let mut others = self.members.saturating_sub(1);
        loop {
            match self.kv.clone().get(key.clone(), Some(options.clone())).await {
                Ok(response) => return Ok(response),
                Err(etcd_client::Error::GRpcStatus(status)) if others > 0 && status.code() == Code::Unavailable => {
                    others -= 1;
                }
                Err(error) => return Err(self.read_error(&error, at.unwrap_or(0)).await),
            }
        }
    }

    /// `error` of a request at revision `asked`.
    async fn read_error(&self, error: &etcd_client::Error, asked: Rev) -> ReadError {
        match read_fault(error) {
            ReadFault::Compacted => {
                ReadError::Compacted { asked, oldest: self.compacted.load(Ordering::Relaxed).max(asked + 1) }
            }
            ReadFault::Future => match self.rev().await {
                Ok(newest) => ReadError::Future { asked, newest },
                Err(error) => error,
            },
            ReadFault::Unavailable => ReadError::Unavailable(error.to_string()),
        }
    }

    /// What was found where a transaction did not hold.
    fn conflict(&self, writes: &[Write], response: &etcd_client::TxnResponse) -> Result<TxnError, ReadError> {
        for (write, found) in writes.iter().zip(response.op_responses()) {
            let TxnOpResponse::Get(mut found) = found else { continue };
            let entry = found.take_kvs().into_iter().next().map(|found| self.keyspace.entry(found)).transpose()?;
            if !write.expect.holds(entry.as_ref().map(|entry| entry.mod_rev)) {
                return Ok(TxnError::Conflict { key: write.key.clone(), found: entry });
            }
        }
        Ok(TxnError::Unavailable("etcd refused a transaction whose expectations hold".to_owned()))
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError> {
        let mut response = self.fetch(self.keyspace.key(key), GetOptions::new(), at).await?;
        let entry = response.take_kvs().into_iter().next().map(|found| self.keyspace.entry(found)).transpose()?;
        Ok((entry, at.unwrap_or(header_rev(response.header()))))
    }

    async fn range(&self, request: RangeRequest) -> Result<Page, ReadError> {
        let (mut start, end) = self.keyspace.range(&request.prefix, request.after.as_deref());
        let limit = if request.limit == 0 { usize::MAX } else { request.limit };
        let mut at = request.at;
        let mut entries = Vec::new();
        loop {
            let wanted = PAGE_ENTRIES_MAX.min(limit - entries.len());
            let options = GetOptions::new().with_range(end.clone()).with_limit(wanted as i64);
            let mut response = self.fetch(start, options, at).await?;
            let rev = at.unwrap_or(header_rev(response.header()));
            let count = response.count() as u64;
            let page = response.take_kvs();
            let remaining = count - page.len() as u64;
            for found in page {
                entries.push(self.keyspace.entry(found)?);
            }
            match entries.last() {
                Some(last) if remaining > 0 && entries.len() < limit => start = self.keyspace.key_after(&last.key),
                _ => return Ok(Page { entries, rev, remaining }),
            }
            at = Some(rev);
        }
    }

    async fn txn(&self, writes: Vec<Write>) -> Result<Committed, TxnError> {
        assert_well_formed(&writes);
        let compares: Vec<Compare> = writes.iter().filter_map(|write| compare(&self.keyspace, write)).collect();
        let operations: Vec<TxnOp> = writes.iter().filter_map(|write| operation(&self.keyspace, write)).collect();
        let reads: Vec<TxnOp> = writes.iter().map(|write| read(&self.keyspace, write)).collect();
        let txn = Txn::new().when(compares).and_then(operations).or_else(reads);
        let response = self.kv.clone().txn(txn).await.map_err(|error| txn_error(&error))?;
        if response.succeeded() {
            return Ok(Committed { rev: header_rev(response.header()) });
        }
        Err(self.conflict(&writes, &response).unwrap_or_else(|error| TxnError::Unavailable(error.to_string())))
    }

    async fn watch(&self, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError> {
        // etcd would wait for a future revision and begin in the middle of a compacted one: a read tells.
        self.fetch(self.keyspace.key(prefix), GetOptions::new().with_count_only(), Some(after_rev)).await?;
        Ok(crate::watch::stream(self.hub.clone(), prefix, after_rev))
    }

    async fn rev(&self) -> Result<Rev, ReadError> {
        let response = self.fetch(self.keyspace.key(""), GetOptions::new().with_count_only(), None).await?;
        Ok(header_rev(response.header()))
    }

    async fn compact(&self, rev: Rev) -> Result<(), ReadError> {
        match self.kv.clone().compact(rev as i64, None).await {
            Ok(_) => {}
            Err(error) if read_fault(&error) == ReadFault::Compacted => {}
            Err(error) => return Err(self.read_error(&error, rev).await),
        }
        self.compacted.fetch_max(rev, Ordering::Relaxed);
        Ok(())
    }

    /// The size of the database of the member that answers.
    async fn size(&self) -> Result<u64, ReadError> {
        let status = self.client.maintenance_client().status().await;
        let status = status.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        Ok(status.db_size() as u64)
    }
}

fn compare(keyspace: &Keyspace, write: &Write) -> Option<Compare> {
    let mod_rev = match write.expect {
        Expect::Any => return None,
        // etcd compares every key of a range, and of an empty one that of a key that is absent.
        Expect::NoneBelow => {
            let (start, end) = keyspace.range(&write.key, None);
            return Some(Compare::mod_revision(start, CompareOp::Equal, 0).with_range(end));
        }
        Expect::Absent => 0,
        // An absent key has revision 0 to etcd; to the contract it has none.
        Expect::Rev(0) => -1,
        Expect::Rev(rev) => rev as i64,
    };
    Some(Compare::mod_revision(keyspace.key(&write.key), CompareOp::Equal, mod_rev))
}

/// `None` for what only demands something.
fn operation(keyspace: &Keyspace, write: &Write) -> Option<TxnOp> {
    let key = || keyspace.key(&write.key);
    match &write.value {
        _ if write.expect == Expect::NoneBelow => None,
        Some(value) => Some(TxnOp::put(key(), value.clone(), None)),
        None => Some(TxnOp::delete(key(), None)),
    }
}

/// What is there where a write expected something else.
fn read(keyspace: &Keyspace, write: &Write) -> TxnOp {
    if write.expect != Expect::NoneBelow {
        return TxnOp::get(keyspace.key(&write.key), None);
    }
    let (start, end) = keyspace.range(&write.key, None);
    TxnOp::get(start, Some(GetOptions::new().with_range(end).with_limit(1)))
}
