//! From what a CRI client asks for to what a supervisor is told to make. Pure: images, devices and folders come in as
//! arguments.

use crate::capability::{self, DeviceLimits, UnknownCapability};
use crate::image::Record;
use crate::plan::{
    Barred, CgroupPlan, ContainerPlan, DevicePlan, MountPlan, MountSource, PidScope, ProcessPlan, PropagationPlan,
    Rootfs, SandboxPlan, Scope, Stdin, UserPlan, UserRange,
};
use proto::cri;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SpecError {
    #[error("the request has no {0}")]
    Missing(&'static str),
    #[error("no command: neither the container nor its image names one")]
    NoCommand,
    #[error(transparent)]
    Capability(#[from] UnknownCapability),
    #[error("{0}")]
    Invalid(String),
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn invalid(what: impl Into<String>) -> SpecError {
    SpecError::Invalid(what.into())
}

fn mode(value: i32) -> Result<cri::NamespaceMode, SpecError> {
    cri::NamespaceMode::try_from(value).map_err(|_| invalid(format!("namespace mode {value} is unknown")))
}

/// The namespaces that a sandbox asks for.
fn namespaces(config: &cri::PodSandboxConfig) -> cri::NamespaceOption {
    let context = config.linux.as_ref().and_then(|l| l.security_context.as_ref());
    context.and_then(|c| c.namespace_options.clone()).unwrap_or_default()
}

/// Sysctls that lie in a pod's namespaces; others would change the node.
fn sysctl_scope(name: &str) -> Option<fn(&SandboxPlan) -> Scope> {
    if name.starts_with("net.") {
        return Some(|plan| plan.network);
    }
    let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|p| name.starts_with(p)) || name == "kernel.sem";
    ipc.then_some(|plan: &SandboxPlan| plan.ipc)
}

/// The pod's own ids. One range that begins at 0, the same for users and groups: what kubelets ask for.
fn users(options: &cri::NamespaceOption) -> Result<Option<UserRange>, SpecError> {
    let Some(asked) = &options.userns_options else { return Ok(None) };
    let single = |list: &[cri::IdMapping]| match list {
        [one] if one.container_id == 0 && one.length > 0 && one.host_id > 0 => {
            let range = UserRange { host_id: one.host_id, length: one.length };
            one.host_id.checked_add(one.length).map(|_| range)
        }
        _ => None,
    };
    match mode(asked.mode)? {
        cri::NamespaceMode::Node if asked.uids.is_empty() && asked.gids.is_empty() => Ok(None),
        cri::NamespaceMode::Node => Err(invalid("ids are mapped, but the pod uses the node's user namespace")),
        cri::NamespaceMode::Pod => match (single(&asked.uids), single(&asked.gids)) {
            (Some(users), Some(groups)) if users == groups => {
                if mode(options.network)? == cri::NamespaceMode::Node || mode(options.ipc)? == cri::NamespaceMode::Node
                {
                    return Err(invalid("a user namespace needs network and ipc namespaces of the pod's own"));
                }
                Ok(Some(users))
            }
            _ => Err(invalid("a user namespace needs one range of ids from 0, the same for users and groups")),
        },
        cri::NamespaceMode::Container | cri::NamespaceMode::Target => {
            Err(invalid("user namespaces are shared by the containers of a pod"))
        }
    }
}

pub(crate) fn sandbox(id: &str, dir: &Path, config: &cri::PodSandboxConfig) -> Result<SandboxPlan, SpecError> {
    let options = namespaces(config);
    let scope =
        |value| Ok::<_, SpecError>(if mode(value)? == cri::NamespaceMode::Node { Scope::Node } else { Scope::Pod });
    let plan = SandboxPlan {
        id: id.to_owned(),
        dir: dir.to_owned(),
        network: scope(options.network)?,
        ipc: scope(options.ipc)?,
        shared_pid: mode(options.pid)? == cri::NamespaceMode::Pod,
        hostname: config.hostname.clone(),
        users: users(&options)?,
        sysctls: config.linux.as_ref().map(|l| l.sysctls.clone().into_iter().collect()).unwrap_or_default(),
    };
    for name in plan.sysctls.keys() {
        let normal = name.replace('/', ".");
        let plain = normal.split('.').all(|part| !part.is_empty() && part != "..");
        let Some(scope) = sysctl_scope(&normal).filter(|_| plain) else {
            return Err(invalid(format!("sysctl {name} does not belong to a pod")));
        };
        if scope(&plan) == Scope::Node {
            return Err(invalid(format!("sysctl {name} would change the node: the pod uses the node's namespace")));
        }
    }
    Ok(plan)
}

/// What a container's plan is made from.
pub(crate) struct Inputs<'a> {
    pub(crate) id: &'a str,
    pub(crate) dir: PathBuf,
    pub(crate) config: &'a cri::ContainerConfig,
    pub(crate) sandbox_config: &'a cri::PodSandboxConfig,
    pub(crate) sandbox_dir: &'a Path,
    pub(crate) image: &'a Record,
    pub(crate) layers: PathBuf,
    pub(crate) cgroup: CgroupPlan,
    /// Devices of the host, looked up.
    pub(crate) devices: Vec<DevicePlan>,
    /// Layers of images that are mounted, by the mount's target.
    pub(crate) image_mounts: BTreeMap<String, Vec<String>>,
    pub(crate) limits: DeviceLimits,
}

/// The plan, but for the seccomp filter, whose file is not known here.
pub(crate) fn container(inputs: Inputs<'_>) -> Result<ContainerPlan, SpecError> {
    let config = inputs.config;
    let linux = config.linux.clone().unwrap_or_default();
    let context = linux.security_context.unwrap_or_default();
    let pid = pid_scope(context.namespace_options.as_ref())?;
    let stdin = match (config.stdin, config.stdin_once) {
        (false, _) => Stdin::None,
        (true, true) => Stdin::Once,
        (true, false) => Stdin::Kept,
    };
    let log = (!config.log_path.is_empty() && !inputs.sandbox_config.log_directory.is_empty())
        .then(|| Path::new(&inputs.sandbox_config.log_directory).join(&config.log_path));
    let mut lowers = inputs.image.layers.clone();
    lowers.reverse();
    Ok(ContainerPlan {
        id: inputs.id.to_owned(),
        mounts: mounts(&inputs, context.readonly_rootfs)?,
        rootfs: Rootfs { layers: inputs.layers, lowers, read_only: context.readonly_rootfs },
        devices: inputs.devices,
        masked_paths: context.masked_paths.iter().map(PathBuf::from).collect(),
        readonly_paths: context.readonly_paths.iter().map(PathBuf::from).collect(),
        privileged: context.privileged,
        kill_cgroup: pid != PidScope::Container,
        pid,
        cgroup: inputs.cgroup,
        process: process(config, inputs.sandbox_config, inputs.image, &context, inputs.limits)?,
        users: users(&namespaces(inputs.sandbox_config))?,
        log,
        stdin,
        dir: inputs.dir,
    })
}

fn pid_scope(options: Option<&cri::NamespaceOption>) -> Result<PidScope, SpecError> {
    let Some(options) = options else { return Ok(PidScope::Container) };
    Ok(match mode(options.pid)? {
        cri::NamespaceMode::Pod => PidScope::Pod,
        cri::NamespaceMode::Container => PidScope::Container,
        cri::NamespaceMode::Node => PidScope::Node,
        cri::NamespaceMode::Target => PidScope::Target(options.target_id.clone()),
    })
}

fn process(
    config: &cri::ContainerConfig,
    sandbox: &cri::PodSandboxConfig,
    image: &Record,
    context: &cri::LinuxContainerSecurityContext,
    limits: DeviceLimits,
) -> Result<ProcessPlan, SpecError> {
    let caps = context.capabilities.clone().unwrap_or_default();
    let capabilities = if context.privileged {
        capability::everything()
    } else {
        capability::available(capability::set(&caps.add_capabilities, &caps.drop_capabilities, limits)?)
    };
    let cwd = [&config.working_dir, &image.config.working_dir].into_iter().find(|d| !d.is_empty());
    let oom = config.linux.as_ref().and_then(|l| l.resources.as_ref()).map(|r| r.oom_score_adj);
    Ok(ProcessPlan {
        args: args(config, image)?,
        env: env(config, sandbox, image),
        cwd: cwd.map_or_else(|| PathBuf::from("/"), |dir| plain(Path::new(dir))),
        user: user(context, image)?,
        capabilities,
        ambient: capability::available(capability::named(&caps.add_ambient_capabilities)?),
        no_new_privs: context.no_new_privs,
        seccomp: None,
        apparmor: None,
        terminal: config.tty,
        oom_score_adj: oom.and_then(|score| i32::try_from(score).ok()).filter(|score| *score != 0),
    })
}

/// Without `.` and `..`, read as names: what a working directory leads through need not exist.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
        plain
    })
}

/// k8s: a command replaces entry point and arguments of the image, arguments alone replace its arguments.
fn args(config: &cri::ContainerConfig, image: &Record) -> Result<Vec<String>, SpecError> {
    let mut args = config.command.clone();
    if args.is_empty() {
        args.clone_from(&image.config.entrypoint);
        if config.args.is_empty() {
            args.extend(image.config.cmd.iter().cloned());
        }
    }
    args.extend(config.args.iter().cloned());
    if args.first().is_none_or(String::is_empty) { Err(SpecError::NoCommand) } else { Ok(args) }
}

/// The image's variables, then what every container has, then the container's own; the last of a name counts.
fn env(config: &cri::ContainerConfig, sandbox: &cri::PodSandboxConfig, image: &Record) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: &str| {
        env.retain(|(k, _)| k != key);
        env.push((key.to_owned(), value.to_owned()));
    };
    let image_env = std::iter::once(PATH).chain(image.config.env.iter().map(String::as_str));
    for (key, value) in image_env.filter_map(|pair| pair.split_once('=')) {
        set(key, value);
    }
    if !sandbox.hostname.is_empty() {
        set("HOSTNAME", &sandbox.hostname);
    }
    if config.tty {
        set("TERM", "xterm");
    }
    for pair in &config.envs {
        set(&pair.key, &pair.value);
    }
    // A name that is empty or holds "=" or a NUL would make another variable, or none.
    let sound = |(k, v): &(String, String)| !k.is_empty() && !k.contains(['=', '\0']) && !v.contains('\0');
    env.retain(sound);
    env
}

fn id32(value: i64, what: &str) -> Result<u32, SpecError> {
    u32::try_from(value).map_err(|_| invalid(format!("{what} {value} is out of range")))
}

fn user(context: &cri::LinuxContainerSecurityContext, image: &Record) -> Result<UserPlan, SpecError> {
    let user = match (&context.run_as_user, context.run_as_username.as_str()) {
        (Some(_), name) if !name.is_empty() => {
            return Err(invalid("both a user id and a user name are given"));
        }
        (Some(id), _) => id32(id.value, "user id")?.to_string(),
        (None, "") if context.run_as_group.is_some() => {
            return Err(invalid("a group id is given without a user"));
        }
        (None, "") => image.config.user.clone(),
        (None, name) => name.to_owned(),
    };
    let gid = context.run_as_group.as_ref().map(|g| id32(g.value, "group id")).transpose()?;
    let groups = context.supplemental_groups.iter().map(|g| id32(*g, "group id"));
    Ok(UserPlan {
        user,
        gid,
        supplemental: groups.collect::<Result<_, _>>()?,
        strict_groups: context.supplemental_groups_policy == cri::SupplementalGroupsPolicy::Strict as i32,
    })
}

/// Files of the sandbox that every container sees, unless it mounts others there.
pub(crate) const SANDBOX_FILES: [&str; 3] = ["resolv.conf", "hostname", "hosts"];

fn mounts(inputs: &Inputs<'_>, read_only_root: bool) -> Result<Vec<MountPlan>, SpecError> {
    let mut mounts = Vec::new();
    let own = |target: &Path| inputs.config.mounts.iter().any(|m| self::target(m) == target);
    for name in SANDBOX_FILES {
        let target = Path::new("/etc").join(name);
        if !own(&target) {
            mounts.push(MountPlan {
                target,
                source: MountSource::Host(inputs.sandbox_dir.join(name)),
                read_only: read_only_root,
                recursive_read_only: false,
                propagation: PropagationPlan::Private,
                barred: Barred::default(),
            });
        }
    }
    for mount in &inputs.config.mounts {
        mounts.push(one_mount(inputs, mount)?);
    }
    // Outer ones first, or they would hide the inner ones.
    mounts.sort_by_key(|m| m.target.components().count());
    Ok(mounts)
}

/// Where a mount shows; a path that is not absolute begins at the container's root.
fn target(mount: &cri::Mount) -> PathBuf {
    Path::new("/").join(&mount.container_path)
}

fn one_mount(inputs: &Inputs<'_>, mount: &cri::Mount) -> Result<MountPlan, SpecError> {
    if mount.container_path.is_empty() {
        return Err(invalid("a mount has no path in the container"));
    }
    // Mounts of a pod with mapped ids are mapped as the pod is; another mapping of theirs would be a surprise.
    let pods = users(&namespaces(inputs.sandbox_config))?.map(|r| (r.host_id, r.length));
    let other = |m: &cri::IdMapping| m.container_id != 0 || Some((m.host_id, m.length)) != pods;
    if mount.uid_mappings.iter().chain(&mount.gid_mappings).any(other) {
        return Err(SpecError::Unsupported("a mount whose ids are mapped in another way than its pod's"));
    }
    let source = match (&mount.image, mount.host_path.as_str()) {
        (Some(_), _) => {
            let lowers = inputs.image_mounts.get(&mount.container_path).cloned();
            let lowers = lowers.ok_or_else(|| invalid(format!("no image for {}", mount.container_path)))?;
            MountSource::Image { lowers, sub_path: PathBuf::from(&mount.image_sub_path) }
        }
        (None, "") => return Err(invalid(format!("mount {} has no source", mount.container_path))),
        (None, path) => MountSource::Host(PathBuf::from(path)),
    };
    let propagation = match cri::MountPropagation::try_from(mount.propagation) {
        Ok(cri::MountPropagation::PropagationPrivate) => PropagationPlan::Private,
        Ok(cri::MountPropagation::PropagationHostToContainer) => PropagationPlan::HostToContainer,
        Ok(cri::MountPropagation::PropagationBidirectional) => PropagationPlan::Bidirectional,
        Err(_) => return Err(invalid(format!("mount propagation {} is unknown", mount.propagation))),
    };
    if mount.recursive_read_only && (!mount.readonly || propagation != PropagationPlan::Private) {
        return Err(invalid("a recursively read-only mount must be read-only and private"));
    }
    Ok(MountPlan {
        target: target(mount),
        read_only: mount.readonly || mount.image.is_some(),
        recursive_read_only: mount.recursive_read_only,
        propagation,
        source,
        barred: Barred::default(),
    })
}

/// The kernel's number of a CRI signal.
pub(crate) fn signal_number(signal: cri::Signal) -> Option<i32> {
    if signal == cri::Signal::RuntimeDefault {
        return None;
    }
    signal_by_name(signal.as_str_name())
}

/// The kernel's number of a signal as images name it: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.
pub(crate) fn signal_by_name(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(name);
    let (base, rest) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => (libc::SIGRTMIN(), rest.replace("PLUS", "+")),
        (_, Some(rest)) => (libc::SIGRTMAX(), rest.replace("MINUS", "-")),
        (None, None) => {
            let alias = match name {
                "CLD" => "CHLD",
                "IOT" => "ABRT",
                "POLL" => "IO",
                other => other,
            };
            return format!("SIG{alias}").parse::<nix::sys::signal::Signal>().ok().map(|s| s as i32);
        }
    };
    if rest.is_empty() { Some(base) } else { rest.parse::<i32>().ok().map(|n| base + n).filter(|n| *n <= 64) }
}

/// The text of a pod's resolv.conf; without configuration, or with one that says nothing, that of the node.
pub(crate) fn resolv_conf(dns: Option<&cri::DnsConfig>, node: &str) -> String {
    let Some(dns) = dns.filter(|dns| **dns != cri::DnsConfig::default()) else { return node.to_owned() };
    let mut lines: Vec<String> = dns.servers.iter().map(|server| format!("nameserver {server}")).collect();
    for (key, values) in [("search", &dns.searches), ("options", &dns.options)] {
        if !values.is_empty() {
            lines.push(format!("{key} {}", values.join(" ")));
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Record {
        let config = crate::image::RunConfig {
            user: "web".into(),
            env: vec!["A=image".into(), "B=image".into()],
            entrypoint: vec!["/entry".into()],
            cmd: vec!["default".into()],
            ..Default::default()
        };
        Record {
            id: "sha256:00".into(),
            tags: Vec::new(),
            digests: Vec::new(),
            size: 1,
            layers: vec!["low".into(), "high".into()],
            config,
            raw_config: String::new(),
        }
    }

    #[test]
    fn a_working_directory_is_read_without_dots() {
        for (given, expect) in [("/etc/../nope/deep", "/nope/deep"), ("/../a/./b/", "/a/b"), ("/", "/"), ("a/b", "a/b")]
        {
            assert_eq!(plain(Path::new(given)), Path::new(expect), "{given}");
        }
    }

    #[test]
    fn command_and_arguments_replace_those_of_the_image() {
        let check = |command: &[&str], given: &[&str], expect: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
            let config = cri::ContainerConfig { command: own(command), args: own(given), ..Default::default() };
            assert_eq!(args(&config, &image()).unwrap(), expect);
        };
        check(&[], &[], &["/entry", "default"]);
        check(&[], &["x"], &["/entry", "x"]);
        check(&["/bin/sh"], &[], &["/bin/sh"]);
        check(&["/bin/sh"], &["-c"], &["/bin/sh", "-c"]);
        let nothing = Record { config: crate::image::RunConfig::default(), ..image() };
        assert_eq!(args(&cri::ContainerConfig::default(), &nothing), Err(SpecError::NoCommand));
    }

    #[test]
    fn a_container_overrides_the_variables_of_its_image() {
        let pair = |k: &str, v: &str| cri::KeyValue { key: k.into(), value: v.into() };
        let config = cri::ContainerConfig {
            envs: vec![pair("B", "pod"), pair("C", "1"), pair("C", "2"), pair("X=Y", "no")],
            ..Default::default()
        };
        let sandbox = cri::PodSandboxConfig { hostname: "h".into(), ..Default::default() };
        let found = env(&config, &sandbox, &image());
        let text: Vec<String> = found.iter().skip(1).map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(text, ["A=image", "HOSTNAME=h", "B=pod", "C=2"]);
    }

    #[test]
    fn sysctls_of_the_node_are_refused() {
        let check = |name: &str, network: cri::NamespaceMode| {
            let options = cri::NamespaceOption { network: network as i32, ..Default::default() };
            let context = cri::LinuxSandboxSecurityContext { namespace_options: Some(options), ..Default::default() };
            let linux = cri::LinuxPodSandboxConfig {
                security_context: Some(context),
                sysctls: [(name.to_owned(), "1".to_owned())].into(),
                ..Default::default()
            };
            let config = cri::PodSandboxConfig { linux: Some(linux), ..Default::default() };
            sandbox("id", Path::new("/d"), &config).is_ok()
        };
        use cri::NamespaceMode::{Node, Pod};
        assert!(check("net.ipv4.tcp_syncookies", Pod) && check("kernel.shm_rmid_forced", Pod));
        for bad in ["kernel.panic", "vm.swappiness", "net..ipv4", "net/../kernel/panic"] {
            assert!(!check(bad, Pod), "{bad}");
        }
        assert!(!check("net.ipv4.tcp_syncookies", Node));
    }

    #[test]
    fn a_user_namespace_is_one_range_from_zero() {
        let check = |mode: cri::NamespaceMode, maps: &[(u32, u32, u32)], network: cri::NamespaceMode| {
            let ids: Vec<_> = maps
                .iter()
                .map(|(container_id, host_id, length)| cri::IdMapping {
                    container_id: *container_id,
                    host_id: *host_id,
                    length: *length,
                })
                .collect();
            let asked = cri::UserNamespace { mode: mode as i32, uids: ids.clone(), gids: ids };
            let options =
                cri::NamespaceOption { network: network as i32, userns_options: Some(asked), ..Default::default() };
            users(&options)
        };
        use cri::NamespaceMode::{Container, Node, Pod};
        let range = Some(UserRange { host_id: 65_536, length: 65_536 });
        assert_eq!(check(Pod, &[(0, 65_536, 65_536)], Pod), Ok(range));
        assert_eq!(check(Node, &[], Pod), Ok(None));
        for bad in [
            check(Pod, &[], Pod),
            check(Pod, &[(0, 65_536, 0)], Pod),
            check(Pod, &[(1, 65_536, 10)], Pod),
            check(Pod, &[(0, 65_536, 10), (10, 99_999, 10)], Pod),
            check(Pod, &[(0, u32::MAX, 10)], Pod),
            check(Pod, &[(0, 65_536, 10)], Node),
            check(Node, &[(0, 65_536, 10)], Pod),
            check(Container, &[(0, 65_536, 10)], Pod),
        ] {
            assert!(bad.is_err());
        }
    }

    #[test]
    fn signals_have_many_names() {
        for (name, number) in
            [("SIGTERM", 15), ("TERM", 15), ("9", 9), ("SIGCLD", 17), ("SIGRTMIN+3", libc::SIGRTMIN() + 3)]
        {
            assert_eq!(signal_by_name(name), Some(number), "{name}");
        }
        assert_eq!(signal_number(cri::Signal::Sigrtmaxminus1), Some(libc::SIGRTMAX() - 1));
        assert_eq!(signal_number(cri::Signal::RuntimeDefault), None);
        assert_eq!((signal_by_name("SIGNOT"), signal_by_name("0")), (None, None));
    }
}
