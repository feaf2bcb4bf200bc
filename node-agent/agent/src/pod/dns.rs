//! Names: the resolver configuration of a pod, its host name, and the hosts file that the node writes for it.

use super::member::{host_network, name, namespace, spec};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::DnsConfig;
use std::fmt::Write;

/// k8s: glibc reads no more than three name servers; more are dropped.
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
/// The kernel's limit for a host name.
const HOSTNAME_MAX: usize = 63;

/// What the cluster and the node say about names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub cluster_dns: Vec<String>,
    pub cluster_domain: String,
    /// The node's own resolver configuration.
    pub host: DnsConfig,
}

/// Reads a `resolv.conf`.
pub fn parse_resolv_conf(text: &str) -> DnsConfig {
    let mut config = DnsConfig::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => config.servers.extend(words.next().map(str::to_owned)),
            Some("search" | "domain") => config.searches = words.map(str::to_owned).collect(),
            Some("options") => config.options = words.map(str::to_owned).collect(),
            Some(_) | None => {}
        }
    }
    config
}

pub fn dns_config(pod: &Pod, names: &Names) -> DnsConfig {
    let policy = spec(pod).dns_policy.as_deref().unwrap_or("ClusterFirst");
    let cluster = match policy {
        "ClusterFirst" => !host_network(pod),
        "ClusterFirstWithHostNet" => true,
        _ => false,
    };
    let mut config = if policy == "None" {
        DnsConfig::default()
    } else if cluster && !names.cluster_dns.is_empty() {
        cluster_first(pod, names)
    } else {
        names.host.clone()
    };
    merge_own(pod, &mut config);
    config.servers.truncate(NAMESERVERS_MAX);
    config.searches.truncate(SEARCHES_MAX);
    config
}

fn cluster_first(pod: &Pod, names: &Names) -> DnsConfig {
    let domain = &names.cluster_domain;
    let own = [format!("{}.svc.{domain}", namespace(pod)), format!("svc.{domain}"), domain.clone()];
    let mut searches: Vec<String> = Vec::new();
    for search in own.into_iter().chain(names.host.searches.iter().cloned()) {
        if !search.is_empty() && search != "." && !searches.contains(&search) {
            searches.push(search);
        }
    }
    DnsConfig { servers: names.cluster_dns.clone(), searches, options: vec!["ndots:5".to_owned()] }
}

fn merge_own(pod: &Pod, config: &mut DnsConfig) {
    let Some(own) = &spec(pod).dns_config else { return };
    for (list, more) in [(&mut config.servers, &own.nameservers), (&mut config.searches, &own.searches)] {
        for item in more.iter().flatten() {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
    }
    for option in own.options.iter().flatten() {
        let Some(name) = &option.name else { continue };
        config.options.retain(|o| o.split(':').next() != Some(name));
        config.options.push(match &option.value {
            Some(value) => format!("{name}:{value}"),
            None => name.clone(),
        });
    }
}

/// The name and the domain (empty without a subdomain).
pub fn host_and_domain(pod: &Pod, names: &Names) -> (String, String) {
    let spec = spec(pod);
    if let Some(given) = spec.hostname_override.as_ref().filter(|h| !h.is_empty()) {
        return (given.clone(), String::new());
    }
    let own = spec.hostname.as_deref().filter(|h| !h.is_empty()).unwrap_or_else(|| name(pod));
    let mut cut = own.len().min(HOSTNAME_MAX);
    while !own.is_char_boundary(cut) {
        cut -= 1;
    }
    let host = own[..cut].trim_end_matches(['-', '.']).to_owned();
    let domain = match spec.subdomain.as_deref().filter(|s| !s.is_empty()) {
        Some(sub) => format!("{sub}.{}.svc.{}", namespace(pod), names.cluster_domain),
        None => String::new(),
    };
    (host, domain)
}

/// What `hostname` says inside the pod.
pub fn hostname(pod: &Pod, names: &Names) -> String {
    let (host, domain) = host_and_domain(pod, names);
    match spec(pod).set_hostname_as_fqdn {
        Some(true) if !domain.is_empty() => format!("{host}.{domain}"),
        Some(_) | None => host,
    }
}

/// The pod's `/etc/hosts`; `host_file` is the node's own, which pods in the node's network share.
pub fn hosts_file(pod: &Pod, names: &Names, pod_ips: &[String], host_file: &str) -> String {
    let mut out = String::new();
    if host_network(pod) {
        out.push_str("# Kubernetes-managed hosts file (host network).\n");
        out.push_str(host_file);
    } else {
        out.push_str(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        );
        out.push_str(
            "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n",
        );
        let (host, domain) = host_and_domain(pod, names);
        for ip in pod_ips {
            let line =
                if domain.is_empty() { format!("{ip}\t{host}\n") } else { format!("{ip}\t{host}.{domain}\t{host}\n") };
            out.push_str(&line);
        }
    }
    let aliases = spec(pod).host_aliases.as_deref().unwrap_or_default();
    if !aliases.is_empty() {
        out.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
            writeln!(out, "{}\t{names}", alias.ip).expect("a String takes every write");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    fn names() -> Names {
        Names {
            cluster_dns: vec!["10.43.0.10".to_owned()],
            cluster_domain: "cluster.local".to_owned(),
            host: parse_resolv_conf("# x\nnameserver 192.0.2.53\nsearch example.com\noptions timeout:1\n"),
        }
    }

    fn shown(pod: &str) -> String {
        let config = dns_config(&pod_yaml(pod), &names());
        format!("{} | {} | {}", config.servers.join(" "), config.searches.join(" "), config.options.join(" "))
    }

    #[test]
    fn each_policy_has_its_resolver() {
        let cluster = "default.svc.cluster.local svc.cluster.local cluster.local example.com";
        assert_eq!(shown("spec: {}"), format!("10.43.0.10 | {cluster} | ndots:5"));
        assert_eq!(shown("spec: {hostNetwork: true}"), "192.0.2.53 | example.com | timeout:1");
        assert_eq!(
            shown("spec: {hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet}"),
            format!("10.43.0.10 | {cluster} | ndots:5")
        );
        assert_eq!(shown("spec: {dnsPolicy: Default}"), "192.0.2.53 | example.com | timeout:1");
        let own = "{nameservers: [192.0.2.1], searches: [a.b], options: [{name: ndots, value: '2'}, {name: edns0}]}";
        assert_eq!(shown(&format!("spec: {{dnsPolicy: None, dnsConfig: {own}}}")), "192.0.2.1 | a.b | ndots:2 edns0");
        assert_eq!(
            shown(&format!("spec: {{dnsConfig: {own}}}")),
            format!("10.43.0.10 192.0.2.1 | {cluster} a.b | ndots:2 edns0")
        );
    }

    #[test]
    fn a_subdomain_gives_the_pod_a_full_name() {
        let pod = pod_yaml("spec: {hostname: db-0, subdomain: db, setHostnameAsFQDN: true}");
        assert_eq!(hostname(&pod, &names()), "db-0.db.default.svc.cluster.local");
        let hosts = hosts_file(&pod, &names(), &["10.42.0.7".to_owned()], "");
        assert!(hosts.contains("10.42.0.7\tdb-0.db.default.svc.cluster.local\tdb-0\n"), "{hosts}");
    }

    #[test]
    fn host_aliases_follow_the_managed_part() {
        let pod = pod_yaml("spec: {hostNetwork: true, hostAliases: [{ip: 192.0.2.9, hostnames: [a, b]}]}");
        let hosts = hosts_file(&pod, &names(), &[], "127.0.0.1 localhost\n");
        let want = "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n\n# Entries added by HostAliases.\n192.0.2.9\ta\tb\n";
        assert_eq!(hosts, want);
    }
}
