//! From API objects to a routing table: which Ingresses are ours, what their rules lead to, and what is wrong with them.
//! Reads caches and decides; writes nothing.

mod backend;
mod class;

use crate::certificate::{SECRET_TYPE, Shelf};
use crate::table::{Backend, ByHost, PathType, Paths, Table};
use backend::Backends;
use class::Classes;
use client::action::Key;
use client::cache::{Builder, Caches, Tracked as _, WatchOptions};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressClass, IngressRule, IngressTLS};
use rustls::sign::CertifiedKey;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use class::CONTROLLER;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Slices by `namespace/service`.
const BY_SERVICE: &str = "service";

/// Certificates by the name that a client asks for.
#[derive(Debug, Default)]
pub struct Certificates {
    pub hosts: ByHost<Arc<CertifiedKey>>,
    /// Of TLS entries without hosts.
    pub any: Option<Arc<CertifiedKey>>,
}

/// What the cluster's Ingresses come to.
#[derive(Debug, Default)]
pub struct Compiled {
    pub table: Table,
    pub certificates: Certificates,
    /// Ours, whose status we write.
    pub ours: Vec<Arc<Ingress>>,
    pub complaints: Vec<Complaint>,
    /// Services whose changes matter, whether or not they exist.
    pub services: BTreeSet<Key>,
}

/// Something that keeps a part of an Ingress from working.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    pub ingress: Key,
    pub uid: String,
    pub reason: Reason,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    ServiceNotFound,
    ServicePortNotFound,
    UnsupportedBackend,
    SecretNotFound,
    InvalidCertificate,
    /// An older Ingress has it already.
    Conflict,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Declares what [`compile`] reads.
pub fn watches(builder: &mut Builder) {
    builder.watch::<Ingress>();
    builder.watch::<IngressClass>();
    builder.watch::<Service>();
    builder
        .watch_with::<Secret>(WatchOptions { fields: Some(format!("type={SECRET_TYPE}")), ..WatchOptions::default() });
    builder.watch::<EndpointSlice>();
    builder.index::<EndpointSlice>(BY_SERVICE, |slice| {
        service_of(slice).map(|key| format!("{}/{}", key.ns, key.name)).into_iter().collect()
    });
}

/// The Service that a slice belongs to.
pub fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some(Key::new(slice.ns(), name.clone()))
}

/// Of two Ingresses that want the same, the older one has it.
pub fn compile(caches: &Caches, certificates: &Shelf) -> Compiled {
    let classes = Classes::of(&caches.of::<IngressClass>().list());
    let mut ours: Vec<Arc<Ingress>> =
        caches.of::<Ingress>().list().into_iter().filter(|ingress| classes.has(ingress)).collect();
    ours.sort_by(|a, b| {
        let age = |ingress: &Ingress| ingress.metadata.creation_timestamp.clone();
        (age(a), a.ns(), a.name()).cmp(&(age(b), b.ns(), b.name()))
    });
    let mut compiler = Compiler { backends: Backends::new(caches), shelf: certificates, into: Compiled::default() };
    for ingress in &ours {
        compiler.ingress(ingress);
    }
    let Compiler { backends, mut into, .. } = compiler;
    into.services = backends.services();
    into.ours = ours;
    into
}

struct Compiler<'a> {
    backends: Backends<'a>,
    shelf: &'a Shelf,
    into: Compiled,
}

impl Compiler<'_> {
    fn ingress(&mut self, ingress: &Ingress) {
        let Some(spec) = &ingress.spec else { return };
        for tls in spec.tls.iter().flatten() {
            self.tls(ingress, tls);
        }
        for rule in spec.rules.iter().flatten() {
            self.rule(ingress, rule);
        }
        if let Some(backend) = &spec.default_backend {
            let backend = self.backend(ingress, backend);
            if self.into.table.default.is_some() {
                self.complain(ingress, Reason::Conflict, "an older Ingress has a default backend".to_owned());
            } else {
                self.into.table.default = Some(backend);
            }
        }
    }

    fn rule(&mut self, ingress: &Ingress, rule: &IngressRule) {
        let host = rule.host.as_deref().filter(|host| !host.is_empty());
        for entry in rule.http.iter().flat_map(|http| &http.paths) {
            let backend = self.backend(ingress, &entry.backend);
            // Left to implementations, a path means what most people expect of one.
            let path_type = if entry.path_type == "Exact" { PathType::Exact } else { PathType::Prefix };
            let path = entry.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
            let paths = match host {
                Some(host) => self.into.table.hosts.entry(host, Paths::default),
                None => &mut self.into.table.any,
            };
            if paths.insert(path, path_type, backend).is_err() {
                let host = host.unwrap_or("*");
                self.complain(ingress, Reason::Conflict, format!("{host}{path} is taken by an older rule"));
            }
        }
    }

    /// One without endpoints where something is wrong: its requests must not go to somebody else.
    fn backend(&mut self, ingress: &Ingress, named: &IngressBackend) -> Arc<Backend> {
        self.backends.resolve(ingress.ns(), named).unwrap_or_else(|problem| {
            let backend = problem.backend();
            self.complain(ingress, problem.reason(), problem.to_string());
            backend
        })
    }

    fn tls(&mut self, ingress: &Ingress, tls: &IngressTLS) {
        let Some(name) = tls.secret_name.as_deref().filter(|name| !name.is_empty()) else { return };
        let certificate = match self.shelf.get(&Key::new(ingress.ns(), name)) {
            Some(Ok(certificate)) => Arc::clone(certificate),
            Some(Err(error)) => {
                return self.complain(ingress, Reason::InvalidCertificate, format!("Secret {name}: {error}"));
            }
            None => {
                let message = format!("there is no Secret {name} of type {SECRET_TYPE}");
                return self.complain(ingress, Reason::SecretNotFound, message);
            }
        };
        let hosts: Vec<&String> = tls.hosts.iter().flatten().collect();
        if hosts.is_empty() {
            self.into.certificates.any.get_or_insert_with(|| Arc::clone(&certificate));
        }
        for host in hosts {
            self.into.certificates.hosts.entry(host, || Arc::clone(&certificate));
        }
    }

    fn complain(&mut self, ingress: &Ingress, reason: Reason, message: String) {
        let complaint = Complaint { ingress: ingress.key(), uid: ingress.uid().to_owned(), reason, message };
        if !self.into.complaints.contains(&complaint) {
            self.into.complaints.push(complaint);
        }
    }
}
