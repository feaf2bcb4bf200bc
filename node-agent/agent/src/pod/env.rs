//! The environment of a container: literals, references, whole ConfigMaps and Secrets, and the addresses of Services.

use super::downward::{self, Surroundings};
use super::env_file;
use super::expand::expand;
use super::member::{namespace, spec};
use crate::material::Materials;
use k8s_openapi::api::core::v1::{Container, EnvVarSource, FileKeySelector, Pod, Service};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where every pod finds the API server, whatever its namespace.
const MASTER_NAMESPACE: &str = "default";
const MASTER_SERVICE: &str = "kubernetes";

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{kind} \"{name}\" not found")]
    Missing { kind: &'static str, name: String },
    #[error("couldn't find key {key} in {kind} {ns}/{name}")]
    Key { kind: &'static str, ns: String, name: String, key: String },
    #[error("value of key {key} in secret {name} is not valid UTF-8")]
    Utf8 { name: String, key: String },
    #[error("file \"{path}\" of volume \"{volume}\" not found")]
    NoFile { volume: String, path: String },
    #[error("environment variable key \"{key}\" not found in file \"{path}\"")]
    FileKey { key: String, path: String },
    #[error("couldn't parse env file \"{path}\": {source}")]
    File { path: String, source: env_file::Error },
    #[error(transparent)]
    Downward(#[from] downward::Error),
}

/// Name and value pairs in the order they were declared, Service addresses last.
pub fn environment(
    pod: &Pod,
    container: &Container,
    services: &[Arc<Service>],
    materials: &Materials,
    around: &Surroundings,
) -> Result<Vec<(String, String)>, Error> {
    let from_services = service_variables(pod, services);
    let mut env = Ordered::default();
    whole_sources(container, materials, &mut env)?;
    for var in container.env.iter().flatten() {
        let value = match (&var.value, &var.value_from) {
            (Some(text), _) if !text.is_empty() => {
                Some(expand(text, |name| env.get(name).or_else(|| from_services.get(name)).cloned()))
            }
            (_, Some(source)) => referred(pod, container, source, materials, around)?,
            (_, None) => Some(String::new()),
        };
        if let Some(value) = value {
            env.set(&var.name, value);
        }
    }
    for (name, value) in from_services {
        if env.get(&name).is_none() {
            env.set(&name, value);
        }
    }
    Ok(env.list)
}

/// Variables by name, in the order in which they first appeared; the last value counts.
#[derive(Default)]
struct Ordered {
    list: Vec<(String, String)>,
    at: BTreeMap<String, usize>,
}

impl Ordered {
    fn get(&self, name: &str) -> Option<&String> {
        self.at.get(name).map(|i| &self.list[*i].1)
    }

    fn set(&mut self, name: &str, value: String) {
        if let Some(at) = self.at.get(name) {
            self.list[*at].1 = value;
        } else {
            self.at.insert(name.to_owned(), self.list.len());
            self.list.push((name.to_owned(), value));
        }
    }
}

fn whole_sources(container: &Container, materials: &Materials, env: &mut Ordered) -> Result<(), Error> {
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &source.config_map_ref {
            match materials.config_maps.get(&reference.name) {
                Some(map) => {
                    for (key, value) in map.data.iter().flatten() {
                        env.set(&format!("{prefix}{key}"), value.clone());
                    }
                }
                None if reference.optional == Some(true) => {}
                None => return Err(Error::Missing { kind: "configmap", name: reference.name.clone() }),
            }
        }
        if let Some(reference) = &source.secret_ref {
            match materials.secrets.get(&reference.name) {
                Some(secret) => {
                    for (key, value) in secret.data.iter().flatten() {
                        env.set(&format!("{prefix}{key}"), text(&reference.name, key, &value.0)?);
                    }
                }
                None if reference.optional == Some(true) => {}
                None => return Err(Error::Missing { kind: "secret", name: reference.name.clone() }),
            }
        }
    }
    Ok(())
}

fn text(name: &str, key: &str, bytes: &[u8]) -> Result<String, Error> {
    let utf8 = std::str::from_utf8(bytes);
    utf8.map(str::to_owned).map_err(|_| Error::Utf8 { name: name.to_owned(), key: key.to_owned() })
}

/// The value behind a reference; `None` where an optional one leads nowhere.
fn referred(
    pod: &Pod,
    container: &Container,
    source: &EnvVarSource,
    materials: &Materials,
    around: &Surroundings,
) -> Result<Option<String>, Error> {
    if let Some(field) = &source.field_ref {
        return Ok(Some(downward::field(pod, &field.field_path, around)?));
    }
    if let Some(resource) = &source.resource_field_ref {
        return Ok(Some(downward::resource(pod, resource, Some(container), around)?));
    }
    let key_missing = |kind, name: &str, key: &str| Error::Key {
        kind,
        ns: namespace(pod).to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
    };
    if let Some(r) = &source.config_map_key_ref {
        let map = materials.config_maps.get(&r.name);
        return match (map, map.and_then(|m| m.data.as_ref()?.get(&r.key))) {
            (_, Some(value)) => Ok(Some(value.clone())),
            _ if r.optional == Some(true) => Ok(None),
            (Some(_), None) => Err(key_missing("ConfigMap", &r.name, &r.key)),
            (None, None) => Err(Error::Missing { kind: "configmap", name: r.name.clone() }),
        };
    }
    if let Some(r) = &source.secret_key_ref {
        let secret = materials.secrets.get(&r.name);
        return match (secret, secret.and_then(|s| s.data.as_ref()?.get(&r.key))) {
            (_, Some(value)) => text(&r.name, &r.key, &value.0).map(Some),
            _ if r.optional == Some(true) => Ok(None),
            (Some(_), None) => Err(key_missing("Secret", &r.name, &r.key)),
            (None, None) => Err(Error::Missing { kind: "secret", name: r.name.clone() }),
        };
    }
    if let Some(file) = &source.file_key_ref {
        return of_file(file, materials);
    }
    Ok(Some(String::new()))
}

fn of_file(file: &FileKeySelector, materials: &Materials) -> Result<Option<String>, Error> {
    let path = || file.path.clone();
    let found = match materials.env_files.get(&(file.volume_name.clone(), path())) {
        Some(text) => env_file::value(text, &file.key).map_err(|source| Error::File { path: path(), source })?,
        None if file.optional == Some(true) => None,
        None => return Err(Error::NoFile { volume: file.volume_name.clone(), path: path() }),
    };
    match found {
        None if file.optional != Some(true) => Err(Error::FileKey { key: file.key.clone(), path: path() }),
        found => Ok(found),
    }
}

/// Addresses of the namespace's Services, and of the API server in any case.
// k8s: enableServiceLinks=false leaves only the KUBERNETES_ variables.
fn service_variables(pod: &Pod, services: &[Arc<Service>]) -> BTreeMap<String, String> {
    let links = spec(pod).enable_service_links != Some(false);
    let mut vars = BTreeMap::new();
    let is_master = |s: &Service| {
        s.metadata.namespace.as_deref() == Some(MASTER_NAMESPACE) && s.metadata.name.as_deref() == Some(MASTER_SERVICE)
    };
    let own = services.iter().filter(|s| links && s.metadata.namespace.as_deref() == Some(namespace(pod)));
    for service in services.iter().filter(|s| is_master(s)).chain(own) {
        one_service(service, &mut vars);
    }
    vars
}

fn one_service(service: &Service, vars: &mut BTreeMap<String, String>) {
    let Some(spec) = &service.spec else { return };
    let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None") else { return };
    let name = shout(service.metadata.name.as_deref().unwrap_or_default());
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    vars.insert(format!("{name}_SERVICE_HOST"), ip.to_owned());
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let url = format!("{}://{host}:{}", protocol.to_lowercase(), port.port);
        if index == 0 {
            vars.insert(format!("{name}_SERVICE_PORT"), port.port.to_string());
            vars.insert(format!("{name}_PORT"), url.clone());
        }
        if let Some(port_name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            vars.insert(format!("{name}_SERVICE_PORT_{}", shout(port_name)), port.port.to_string());
        }
        let link = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
        vars.insert(format!("{link}_PROTO"), protocol.to_lowercase());
        vars.insert(format!("{link}_PORT"), port.port.to_string());
        vars.insert(format!("{link}_ADDR"), ip.to_owned());
        vars.insert(link, url);
    }
}

fn shout(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests;
