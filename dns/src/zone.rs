//! What the cluster answers, straight from the watch caches: a record is right as soon as its EndpointSlice has arrived.
//! Pure but for reading the caches.

use crate::question::{Question, label_of};
use client::cache::{Builder, Caches};
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use k8s_openapi::api::core::v1::{Namespace, Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use std::net::IpAddr;
use std::sync::Arc;

/// Seconds that clients may keep a record: short, because endpoints come and go.
/// k8s: what CoreDNS uses by default.
pub const TTL: u32 = 5;
/// The version of the specification that is followed.
const SPECIFICATION: &str = "1.1.0";
/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

const BY_SERVICE: &str = "service";
const BY_ADDRESS: &str = "address";

/// What is known of a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Records of the name, and such as help with them. An empty list: the name exists, but not with this type.
    Records { answers: Vec<Record>, additionals: Vec<Record> },
    /// The name is another name for one that must be looked up in its turn.
    Alias { record: Box<Record>, target: Name },
    /// There is no such name.
    Absent,
    /// Not ours to answer.
    Outside,
}

impl Answer {
    fn records(answers: Vec<Record>) -> Self {
        Self::Records { answers, additionals: Vec::new() }
    }

    /// The name exists, without such records.
    fn nothing() -> Self {
        Self::records(Vec::new())
    }
}

/// Declares what [`Zone::answer`] reads.
pub fn watches(builder: &mut Builder) {
    builder.watch::<Namespace>();
    builder.watch::<Service>();
    builder.watch::<EndpointSlice>();
    builder.index::<Service>(BY_ADDRESS, |service| cluster_ips(service).map(|address| address.to_string()).collect());
    builder.index::<EndpointSlice>(BY_SERVICE, |slice| service_of(slice).into_iter().collect());
    builder.index::<EndpointSlice>(BY_ADDRESS, |slice| {
        endpoints(slice).flat_map(|endpoint| endpoint.addresses.iter().cloned()).collect()
    });
}

/// The cluster's domain, and the caches that say what is in it.
pub struct Zone {
    caches: Arc<Caches>,
    domain: Name,
}

impl Zone {
    /// `domain` is absolute: `cluster.local.`
    pub fn new(caches: Arc<Caches>, domain: Name) -> Self {
        Self { caches, domain }
    }

    pub fn answer(&self, name: &Name, ty: RecordType) -> Answer {
        match Question::of(name, &self.domain) {
            Question::Outside => Answer::Outside,
            Question::Nonsense => Answer::Absent,
            Question::Apex => Answer::records(self.apex(name, ty)),
            Question::Version => {
                let text = || record(name, RData::TXT(TXT::new(vec![SPECIFICATION.to_owned()])));
                Answer::records((ty == RecordType::TXT).then(text).into_iter().collect())
            }
            Question::Namespace { ns } => self.in_namespace(&ns, Answer::nothing()),
            Question::Pod { ns, address } => {
                self.in_namespace(&ns, Answer::records(address_record(name, address, ty).into_iter().collect()))
            }
            Question::Reverse(address) => self.reverse(name, address, ty),
            Question::Service { ns, service } => self.service(name, &ns, &service, ty),
            Question::Port { ns, service, port, protocol } => {
                let wanted =
                    |found: &str, over: &str| found.eq_ignore_ascii_case(&port) && over.eq_ignore_ascii_case(&protocol);
                match self.caches.of::<Service>().get(&ns, &service) {
                    Some(service) => match self.ports(name, &service, &wanted) {
                        (answers, _) if answers.is_empty() => Answer::Absent,
                        (answers, additionals) if ty == RecordType::SRV => Answer::Records { answers, additionals },
                        _ => Answer::nothing(),
                    },
                    None => Answer::Absent,
                }
            }
            Question::Endpoint { ns, service, host } => self.endpoint(name, &ns, &service, &host, ty),
        }
    }

    /// What goes with an answer that has no records.
    pub fn authority(&self) -> Record {
        let domain = self.domain.clone();
        let admin = prepend("hostmaster", &domain);
        // The serial says nothing here: nobody transfers this zone.
        record(&domain, RData::SOA(SOA::new(self.server_name(), admin, 1, 7200, 1800, 86_400, TTL)))
    }

    fn server_name(&self) -> Name {
        prepend("ns", &prepend("dns", &self.domain))
    }

    fn apex(&self, name: &Name, ty: RecordType) -> Vec<Record> {
        match ty {
            RecordType::SOA if *name == self.domain => vec![self.authority()],
            RecordType::NS if *name == self.domain => vec![record(name, RData::NS(NS(self.server_name())))],
            _ => Vec::new(),
        }
    }

    fn in_namespace(&self, ns: &str, answer: Answer) -> Answer {
        if self.caches.of::<Namespace>().get("", ns).is_some() { answer } else { Answer::Absent }
    }

    fn service(&self, name: &Name, ns: &str, service: &str, ty: RecordType) -> Answer {
        let Some(service) = self.caches.of::<Service>().get(ns, service) else { return Answer::Absent };
        if let Some(external) = external_name(&service) {
            let Ok(mut target) = Name::from_str_relaxed(external) else { return Answer::Absent };
            target.set_fqdn(true);
            return Answer::Alias { record: Box::new(record(name, RData::CNAME(CNAME(target.clone())))), target };
        }
        if ty == RecordType::SRV {
            let (answers, additionals) = self.ports(name, &service, &|_, _| true);
            return Answer::Records { answers, additionals };
        }
        let addresses: Vec<IpAddr> = if is_headless(&service) {
            let endpoints = self.endpoints(ns, &name_of(&service));
            if endpoints.is_empty() {
                // k8s: a headless service without endpoints has no name yet.
                return Answer::Absent;
            }
            endpoints.iter().map(|endpoint| endpoint.address).collect()
        } else {
            cluster_ips(&service).collect()
        };
        Answer::records(addresses.into_iter().filter_map(|address| address_record(name, address, ty)).collect())
    }

    fn endpoint(&self, name: &Name, ns: &str, service: &str, host: &str, ty: RecordType) -> Answer {
        let mut found = self.endpoints(ns, service);
        found.retain(|endpoint| endpoint.label == host);
        if found.is_empty() {
            return Answer::Absent;
        }
        Answer::records(found.iter().filter_map(|endpoint| address_record(name, endpoint.address, ty)).collect())
    }

    fn reverse(&self, name: &Name, address: IpAddr, ty: RecordType) -> Answer {
        let text = address.to_string();
        let services = self.caches.of::<Service>().by_index(BY_ADDRESS, &text);
        let mut names: Vec<Name> = services.iter().map(|service| self.name_of(service)).collect();
        if names.is_empty() {
            for slice in self.caches.of::<EndpointSlice>().by_index(BY_ADDRESS, &text) {
                let Some(service) = owner(&slice).and_then(|(ns, name)| self.caches.of::<Service>().get(ns, name))
                else {
                    continue;
                };
                let hosts = ready(&slice).filter(|found| found.address == address);
                names.extend(hosts.map(|found| prepend(&found.label, &self.name_of(&service))));
            }
        }
        match (names.is_empty(), ty) {
            (true, _) => Answer::Outside,
            (false, RecordType::PTR) => {
                Answer::records(names.into_iter().map(|target| record(name, RData::PTR(PTR(target)))).collect())
            }
            (false, _) => Answer::nothing(),
        }
    }

    /// SRV records of the ports that are wanted (name, protocol), and the addresses of their targets.
    fn ports(&self, name: &Name, service: &Service, wanted: &dyn Fn(&str, &str) -> bool) -> (Vec<Record>, Vec<Record>) {
        let (mut answers, mut additionals) = (Vec::new(), Vec::new());
        let own = self.name_of(service);
        if !is_headless(service) {
            for port in ports(service)
                .filter(|port| wanted(port.name.as_deref().unwrap_or(""), protocol(port.protocol.as_deref())))
            {
                answers.push(srv(name, port.port, own.clone()));
            }
            if !answers.is_empty() {
                additionals.extend(cluster_ips(service).map(|address| of_address(&own, address)));
            }
            return (answers, additionals);
        }
        for slice in self.slices(service.metadata.namespace.as_deref().unwrap_or_default(), &name_of(service)) {
            let ports: Vec<i32> = slice
                .ports
                .iter()
                .flatten()
                .filter(|port| wanted(port.name.as_deref().unwrap_or(""), protocol(port.protocol.as_deref())))
                .filter_map(|port| port.port)
                .collect();
            for found in ready(&slice).filter(|_| !ports.is_empty()) {
                let target = prepend(&found.label, &own);
                answers.extend(ports.iter().map(|port| srv(name, *port, target.clone())));
                additionals.push(of_address(&target, found.address));
            }
        }
        (answers, additionals)
    }

    fn slices(&self, ns: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        self.caches.of::<EndpointSlice>().by_index(BY_SERVICE, &format!("{ns}/{service}"))
    }

    fn endpoints(&self, ns: &str, service: &str) -> Vec<Found> {
        let mut found: Vec<Found> =
            self.slices(ns, service).iter().flat_map(|slice| ready(slice).collect::<Vec<_>>()).collect();
        // A pod that moves between slices is in two for a moment.
        found.sort_by(|a, b| (a.address, &a.label).cmp(&(b.address, &b.label)));
        found.dedup();
        found
    }

    fn name_of(&self, service: &Service) -> Name {
        let ns = service.metadata.namespace.as_deref().unwrap_or_default();
        prepend(&name_of(service), &prepend(ns, &prepend("svc", &self.domain)))
    }
}

/// An endpoint that takes traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    address: IpAddr,
    /// Its host name, or its address with dashes.
    label: String,
}

pub(crate) fn endpoints(slice: &EndpointSlice) -> impl Iterator<Item = &Endpoint> {
    slice.endpoints.iter().flatten()
}

fn ready(slice: &EndpointSlice) -> impl Iterator<Item = Found> + '_ {
    let is_ready =
        |endpoint: &&Endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
    endpoints(slice).filter(is_ready).flat_map(|endpoint| {
        endpoint.addresses.iter().filter_map(|text| {
            let label = endpoint.hostname.clone().unwrap_or_else(|| label_of(text));
            Some(Found { address: text.parse().ok()?, label })
        })
    })
}

fn owner(slice: &EndpointSlice) -> Option<(&str, &str)> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some((slice.metadata.namespace.as_deref()?, name))
}

fn service_of(slice: &EndpointSlice) -> Option<String> {
    owner(slice).map(|(ns, name)| format!("{ns}/{name}"))
}

fn name_of(service: &Service) -> String {
    service.metadata.name.clone().unwrap_or_default()
}

fn external_name(service: &Service) -> Option<&str> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") { spec.external_name.as_deref() } else { None }
}

fn cluster_ips(service: &Service) -> impl Iterator<Item = IpAddr> + '_ {
    let spec = service.spec.as_ref();
    let all = spec.and_then(|spec| spec.cluster_ips.as_deref()).unwrap_or_default();
    let first = spec.and_then(|spec| spec.cluster_ip.as_ref()).filter(|_| all.is_empty());
    all.iter().chain(first).filter_map(|text| text.parse().ok())
}

fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

fn ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    service.spec.iter().flat_map(|spec| spec.ports.iter().flatten())
}

fn protocol(text: Option<&str>) -> &str {
    text.unwrap_or("TCP")
}

fn srv(name: &Name, port: i32, target: Name) -> Record {
    // k8s: priority 0, and no endpoint weighs more than another.
    record(name, RData::SRV(SRV::new(0, 100, port as u16, target)))
}

fn of_address(name: &Name, address: IpAddr) -> Record {
    match address {
        IpAddr::V4(address) => record(name, RData::A(A(address))),
        IpAddr::V6(address) => record(name, RData::AAAA(AAAA(address))),
    }
}

/// The record of an address where it is of the type that is asked for.
fn address_record(name: &Name, address: IpAddr, ty: RecordType) -> Option<Record> {
    let record = of_address(name, address);
    (ty == RecordType::ANY || record.record_type() == ty).then_some(record)
}

fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), TTL, data)
}

/// `label` below `name`; the name itself where a label cannot be one (no Kubernetes name is such).
fn prepend(label: &str, name: &Name) -> Name {
    name.prepend_label(label).unwrap_or_else(|_| name.clone())
}
