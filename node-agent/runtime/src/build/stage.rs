//! A build from start to end: which stages are needed, their steps in order, the image that comes out.

use super::config::Config;
use super::dockerfile::{self, Copy, Dockerfile, Instruction, Stage, Step};
use super::pattern::Ignored;
use super::run::{self, Run};
use super::tree::{self, Manner, Owner};
use super::{BuildError, Change, Known, Layers, change, open_folder, show, with_own_mounts, word};
use crate::image::archive::architecture;
use crate::image::cache::Made;
use crate::image::store::{LayerSource, Names};
use crate::image::{ConfigFile, ImageError, Record, RunConfig, Store, cache, layer, parse_reference, pull};
use crate::init::user;
use crate::plan::UserPlan;
use crate::pods::Pods;
use crate::spec::signal_by_name;
use oci_client::secrets::RegistryAuth;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a client asks for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Folder that COPY and ADD take files from.
    pub(crate) context: PathBuf,
    /// The text of the Dockerfile.
    pub(crate) dockerfile: String,
    pub(crate) names: Vec<String>,
    pub(crate) args: BTreeMap<String, String>,
    /// Name or number of the stage to build; the last if none.
    pub(crate) target: Option<String>,
}

/// Lines about what happens, for a person.
pub(crate) type Progress = mpsc::Sender<String>;

/// A stage as far as it is.
#[derive(Debug, Clone, Default)]
struct Built {
    layers: Layers,
    config: Config,
    history: Vec<Value>,
    /// Build arguments that were declared, with their values.
    args: BTreeMap<String, String>,
    /// Whether CMD stands in this stage: ENTRYPOINT takes away only that of the base image.
    has_cmd: bool,
}

struct Build {
    pods: Arc<Pods>,
    file: Dockerfile,
    request: Request,
    context: Arc<OwnedFd>,
    ignored: Arc<Ignored>,
    say: Progress,
    /// Values of the arguments before the first stage.
    globals: BTreeMap<String, String>,
    done: BTreeMap<usize, Built>,
}

/// More of a .dockerignore is not read.
const IGNORE_BYTES_MAX: u64 = 1 << 20;

/// Arguments that every build has, to be declared where they are used.
fn platform_args() -> [(&'static str, String); 8] {
    let arch = architecture();
    let platform = format!("linux/{arch}");
    [
        ("TARGETPLATFORM", platform.clone()),
        ("TARGETOS", "linux".into()),
        ("TARGETARCH", arch.into()),
        ("TARGETVARIANT", String::new()),
        ("BUILDPLATFORM", platform),
        ("BUILDOS", "linux".into()),
        ("BUILDARCH", arch.into()),
        ("BUILDVARIANT", String::new()),
    ]
}

/// Builds the image.
pub(crate) async fn build(pods: Arc<Pods>, request: Request, say: Progress) -> Result<Arc<Record>, BuildError> {
    let file = dockerfile::parse(&request.dockerfile)?;
    let mut names = Names::default();
    for name in &request.names {
        names.tags.push(parse_reference(name)?.whole());
    }
    let context = open_folder(&request.context)?;
    let ignored = read_ignored(&context)?;
    let target = find_stage(&file.stages, request.target.as_deref())?;
    let mut build = Build {
        pods,
        file,
        request,
        context: Arc::new(context),
        ignored: Arc::new(ignored),
        say,
        globals: BTreeMap::new(),
        done: BTreeMap::new(),
    };
    build.set_globals()?;
    build.warn_of_arguments().await?;
    for number in build.needed(target)? {
        let built = build.stage(number).await?;
        build.done.insert(number, built);
    }
    let built = build.done.remove(&target).ok_or_else(|| BuildError::Bad("the stage was not built".into()))?;
    let store = build.pods.images.clone();
    let finishing = tokio::task::spawn_blocking(move || finish(&store, &built, &names)).await;
    finishing.expect("writing an image's record does not panic")
}

fn read_ignored(context: &OwnedFd) -> Result<Ignored, BuildError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut text = String::new();
    match openat2(context, ".dockerignore", flags, Mode::empty(), how) {
        Ok(fd) => File::from(fd)
            .take(IGNORE_BYTES_MAX)
            .read_to_string(&mut text)
            .map(drop)
            .map_err(BuildError::doing("read .dockerignore"))?,
        Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(BuildError::doing("read .dockerignore")(e.into())),
    }
    Ok(Ignored::parse(&text))
}

fn find_stage(stages: &[Stage], target: Option<&str>) -> Result<usize, BuildError> {
    let Some(target) = target.filter(|t| !t.is_empty()) else { return Ok(stages.len() - 1) };
    let found = stage_before(stages, stages.len(), target);
    found.ok_or_else(|| BuildError::Bad(format!("there is no stage {target:?} in the Dockerfile")))
}

/// The stage that a name or number means, among those before `end`.
fn stage_before(stages: &[Stage], end: usize, name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let named = stages[..end].iter().rposition(|s| s.name.as_deref() == Some(lower.as_str()));
    named.or_else(|| name.parse::<usize>().ok().filter(|n| *n < end))
}

fn at(step: &Step, error: BuildError) -> BuildError {
    match error {
        BuildError::Abandoned => BuildError::Abandoned,
        error => BuildError::Step { line: step.line, text: step.text.clone(), source: Box::new(error) },
    }
}

impl Build {
    async fn tell(&self, line: String) -> Result<(), BuildError> {
        self.say.send(line).await.map_err(|_| BuildError::Abandoned)
    }

    fn set_globals(&mut self) -> Result<(), BuildError> {
        let platform: BTreeMap<_, _> = platform_args().map(|(k, v)| (k.to_owned(), v)).into();
        self.globals.extend(platform);
        for step in self.file.args.clone() {
            let Instruction::Arg(args) = &step.what else { continue };
            for (name, default) in args {
                let own = self.request.args.get(name).cloned();
                let given = match (own, default) {
                    (Some(value), _) => Some(value),
                    (None, Some(text)) => {
                        let known = |n: &str| self.globals.get(n).cloned();
                        let value = word::expand(text, self.file.escape, &known);
                        Some(value.map_err(|e| at(&step, BuildError::Bad(e)))?)
                    }
                    (None, None) => None,
                };
                if let Some(value) = given {
                    self.globals.insert(name.clone(), value);
                }
            }
        }
        Ok(())
    }

    async fn warn_of_arguments(&self) -> Result<(), BuildError> {
        let steps = self.file.args.iter().chain(self.file.stages.iter().flat_map(|s| &s.steps));
        let declared: BTreeSet<&String> = steps
            .filter_map(|s| if let Instruction::Arg(args) = &s.what { Some(args) } else { None })
            .flat_map(|args| args.iter().map(|(name, _)| name))
            .collect();
        for name in self.request.args.keys().filter(|name| !declared.contains(name)) {
            self.tell(format!("warning: the Dockerfile declares no build argument {name}")).await?;
        }
        Ok(())
    }

    fn base_name(&self, stage: &Stage) -> Result<String, BuildError> {
        let known = |n: &str| self.globals.get(n).cloned();
        let expand = |text: &str| word::expand(text, self.file.escape, &known);
        let bad = |what: String| dockerfile::ParseError { line: stage.line, what };
        if let Some(platform) = &stage.platform {
            let platform = expand(platform).map_err(bad)?;
            let own = format!("linux/{}", architecture());
            if platform != own {
                return Err(bad(format!("images are built for {own} only, not for {platform}")).into());
            }
        }
        let name = expand(&stage.base).map_err(bad)?;
        if name.is_empty() { Err(bad(format!("{} is empty", stage.base)).into()) } else { Ok(name) }
    }

    /// The stages that `target` needs, and itself, in order.
    fn needed(&self, target: usize) -> Result<BTreeSet<usize>, BuildError> {
        let stages = &self.file.stages;
        let mut needed = BTreeSet::from([target]);
        for number in (0..=target).rev() {
            if !needed.contains(&number) {
                continue;
            }
            needed.extend(stage_before(stages, number, &self.base_name(&stages[number])?));
            let copies = stages[number].steps.iter().filter_map(|s| match &s.what {
                Instruction::Copy(copy) => copy.from.as_deref(),
                _ => None,
            });
            needed.extend(copies.filter_map(|from| stage_before(stages, number, from)));
        }
        Ok(needed)
    }

    async fn stage(&self, number: usize) -> Result<Built, BuildError> {
        let stage = &self.file.stages[number];
        let base = self.base_name(stage)?;
        let mut built = self.base(number, &base).await?;
        let total = stage.steps.len();
        let name = stage.name.clone().unwrap_or_else(|| number.to_string());
        self.tell(format!("[{name}] FROM {base}")).await?;
        for (i, step) in stage.steps.iter().enumerate() {
            self.tell(format!("[{name} {}/{total}] {}", i + 1, step.text)).await?;
            let changed = self.step(number, step, &mut built).await.map_err(|e| at(step, e))?;
            if changed == Some(Known::Before) {
                self.tell("  cached".to_owned()).await?;
            }
            let mut entry = json!({ "created_by": step.text });
            if changed.is_none() {
                entry["empty_layer"] = json!(true);
            }
            built.history.push(entry);
        }
        Ok(built)
    }

    async fn base(&self, number: usize, name: &str) -> Result<Built, BuildError> {
        if let Some(earlier) = stage_before(&self.file.stages, number, name).and_then(|n| self.done.get(&n)) {
            return Ok(Built { args: BTreeMap::new(), has_cmd: false, ..earlier.clone() });
        }
        if name == "scratch" {
            return Ok(Built::default());
        }
        let record = self.image(name).await?;
        from_record(&record)
    }

    /// An image of this node, or of its registry.
    async fn image(&self, name: &str) -> Result<Arc<Record>, BuildError> {
        if let Some(found) = self.pods.images.find(name) {
            return Ok(found);
        }
        self.tell(format!("pulling {name}")).await?;
        Ok(pull::pull(&self.pods.images, name, &RegistryAuth::Anonymous).await?)
    }

    /// Does one step; tells whether it changed files.
    async fn step(&self, number: usize, step: &Step, built: &mut Built) -> Result<Option<Known>, BuildError> {
        let (config, args) = (built.config.clone(), built.args.clone());
        let escape = self.file.escape;
        // A variable wins over an argument of the same name.
        let known = move |name: &str| config.variable(name).or_else(|| args.get(name).cloned());
        let expand = |text: &str| word::expand(text, escape, &known).map_err(BuildError::Bad);
        match &step.what {
            Instruction::Run(command) => {
                let words = built.config.words(command);
                return self.run(words, built).await;
            }
            Instruction::Copy(copy) => {
                let sources = copy.sources.iter().map(|s| expand(s)).collect::<Result<_, _>>()?;
                let owner = copy.owner.as_deref().map(expand).transpose()?;
                let mode = copy.mode.as_deref().map(expand).transpose()?;
                let copy = Copy { sources, target: expand(&copy.target)?, owner, mode, ..copy.clone() };
                return self.copy(number, copy, built).await;
            }
            Instruction::Workdir(path) => {
                built.config.working_dir = built.config.enter(&expand(path)?);
                return self.make_folder(built).await;
            }
            Instruction::Env(pairs) => {
                for (key, value) in pairs {
                    built.config.set_variable(&expand(key)?, &expand(value)?);
                }
            }
            Instruction::Label(pairs) => {
                for (key, value) in pairs {
                    built.config.labels.insert(expand(key)?, expand(value)?);
                }
            }
            Instruction::Arg(args) => self.declare(args, built, &expand)?,
            Instruction::User(user) => built.config.user = expand(user)?,
            Instruction::Expose(ports) => {
                for port in ports {
                    built.config.expose(&expand(port)?).map_err(BuildError::Bad)?;
                }
            }
            Instruction::Volume(paths) => {
                for path in paths {
                    built.config.volumes.insert(expand(path)?, json!({}));
                }
            }
            Instruction::StopSignal(signal) => {
                let signal = expand(signal)?;
                if signal_by_name(&signal).is_none() {
                    return Err(BuildError::Bad(format!("{signal:?} is not a signal")));
                }
                built.config.stop_signal = signal;
            }
            Instruction::Cmd(command) => {
                built.config.cmd = built.config.words(command);
                built.has_cmd = true;
            }
            Instruction::Entrypoint(command) => {
                built.config.entrypoint = built.config.words(command);
                if !built.has_cmd {
                    built.config.cmd.clear();
                }
            }
            Instruction::Shell(words) => built.config.shell.clone_from(words),
            Instruction::Healthcheck(check) => built.config.check(check.as_ref()),
        }
        Ok(None)
    }

    fn declare(
        &self,
        args: &[(String, Option<String>)],
        built: &mut Built,
        expand: &impl Fn(&str) -> Result<String, BuildError>,
    ) -> Result<(), BuildError> {
        for (name, default) in args {
            let value = match (self.request.args.get(name), default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(text)) => Some(expand(text)?),
                (None, None) => self.globals.get(name).cloned(),
            };
            if let Some(value) = value {
                built.args.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    async fn run(&self, args: Vec<String>, built: &mut Built) -> Result<Option<Known>, BuildError> {
        if built.layers.folders.is_empty() {
            return Err(BuildError::Bad("there is nothing to run yet: FROM scratch has no files".into()));
        }
        let config = RunConfig {
            user: built.config.user.clone(),
            env: built.config.env.clone(),
            working_dir: built.config.working_dir.clone(),
            ..RunConfig::default()
        };
        let own = |name: &str| built.config.variable(name).is_some();
        let variables: Vec<_> =
            built.args.iter().filter(|(k, _)| !own(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let run = Run { args, config, variables };
        let what = json!([run.args, run.config, run.variables]).to_string();
        let key = cache::key([built.layers.chain.as_deref().unwrap_or("scratch"), "run", &what]);
        let (made, known) = match self.pods.images.step(&key)? {
            Some(made) => (made, Known::Before),
            None => (run::run(&self.pods, &key, &built.layers, run, &self.say).await?, Known::Now),
        };
        Ok(keep(built, made, known))
    }

    async fn copy(&self, number: usize, copy: Copy, built: &mut Built) -> Result<Option<Known>, BuildError> {
        let mode = copy.mode.as_deref().map(|text| {
            let mode = u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
            mode.ok_or_else(|| BuildError::Bad(format!("--chmod={text} is not an octal mode, such as 755")))
        });
        let target = if copy.target.starts_with('/') {
            copy.target.clone()
        } else {
            format!("{}/{}", built.config.working_dir, copy.target)
        };
        let from = match copy.from.as_deref() {
            None => None,
            Some(name) => match stage_before(&self.file.stages, number, name).and_then(|n| self.done.get(&n)) {
                Some(stage) => Some(stage.layers.folders.clone()),
                None => Some(self.image(name).await?.layers.clone()),
            },
        };
        let work = CopyWork {
            mode: mode.transpose()?,
            target,
            from,
            copy,
            store: self.pods.images.clone(),
            below: built.layers.clone(),
            context: self.context.clone(),
            ignored: self.ignored.clone(),
        };
        let (made, known) = with_own_mounts(move || work.work()).await?;
        Ok(keep(built, made, known))
    }

    async fn make_folder(&self, built: &mut Built) -> Result<Option<Known>, BuildError> {
        let (store, below) = (self.pods.images.clone(), built.layers.clone());
        let folder = Folder(built.config.working_dir.clone());
        let (made, known) = with_own_mounts(move || change(&store, &below, &folder)).await?;
        Ok(keep(built, made, known))
    }
}

fn keep(built: &mut Built, made: Made, known: Known) -> Option<Known> {
    let layer = made?;
    built.layers.push(layer);
    Some(known)
}

/// A folder that WORKDIR wants to be there.
struct Folder(String);

impl Change for Folder {
    fn key(&self) -> Result<String, BuildError> {
        Ok(cache::key(["folder", &self.0]))
    }

    fn apply(&self, root: &OwnedFd) -> Result<(), BuildError> {
        let path = std::path::Path::new(&self.0);
        crate::init::rootfs::ensure_directory(&crate::sys::linux::Linux, root.as_fd(), path)
            .map(drop)
            .map_err(|e| BuildError::doing(format!("make {}", self.0))(std::io::Error::other(e)))
    }
}

/// A COPY or ADD, to be done in a thread with mounts of its own.
struct CopyWork {
    copy: Copy,
    mode: Option<u32>,
    target: String,
    /// Layers to copy from, instead of the context.
    from: Option<Vec<String>>,
    store: Arc<Store>,
    below: Layers,
    context: Arc<OwnedFd>,
    ignored: Arc<Ignored>,
}

impl CopyWork {
    fn work(self) -> Result<(Made, Known), BuildError> {
        let (store, below) = (self.store.clone(), self.below.clone());
        let _held = store.hold();
        let shown = self.from.as_ref().map(|layers| show(&store, layers)).transpose()?;
        let root = shown.as_ref().map_or_else(|| self.context.as_fd(), |s| s.root.as_fd()).try_clone_to_owned();
        let root = root.map_err(BuildError::doing("open the sources"))?;
        let ignored = if shown.is_some() { Arc::default() } else { self.ignored.clone() };
        let mut sources = Vec::new();
        for pattern in &self.copy.sources {
            sources.extend(tree::sources(root.as_fd(), pattern, &ignored)?);
        }
        if sources.len() > 1 && !self.target.ends_with('/') {
            return Err(BuildError::Bad(format!("several files are copied: {} must end with /", self.copy.target)));
        }
        let owner = if self.from.is_some() { Owner::Kept } else { Owner::Ids(0, 0) };
        let copying = Copying { work: self, sources, owner, ignored };
        change(&store, &below, &copying)
    }
}

struct Copying {
    work: CopyWork,
    sources: Vec<tree::Source>,
    owner: Owner,
    ignored: Arc<Ignored>,
}

impl Copying {
    fn manner(&self, owner: Owner) -> Manner<'_> {
        Manner { owner, mode: self.work.mode, ignored: &self.ignored, unpack: self.work.copy.unpack }
    }
}

impl Change for Copying {
    fn key(&self) -> Result<String, BuildError> {
        let copy = &self.work.copy;
        let content = tree::digest(&self.sources, &self.manner(self.owner))?;
        let how = json!([self.work.target, copy.owner, self.work.mode, copy.unpack, copy.sources]).to_string();
        Ok(cache::key(["copy", &how, &content]))
    }

    fn apply(&self, root: &OwnedFd) -> Result<(), BuildError> {
        let owner = match &self.work.copy.owner {
            Some(name) => named_owner(root, name)?,
            None => self.owner,
        };
        tree::copy(&self.sources, root.as_fd(), &self.work.target, &self.manner(owner))
    }
}

/// Larger files of users and groups are refused.
const ACCOUNT_BYTES_MAX: u64 = 4 << 20;

/// `user[:group]` in the words of the image. A user alone gives the group the same number.
fn named_owner(root: &OwnedFd, name: &str) -> Result<Owner, BuildError> {
    let read = |path: &str| {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut text = String::new();
        let read = openat2(root, path, flags, Mode::empty(), how)
            .map_err(std::io::Error::from)
            .and_then(|fd| File::from(fd).take(ACCOUNT_BYTES_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(e) => Err(BuildError::doing(format!("read /{path}"))(e)),
        }
    };
    let plan = UserPlan { user: name.to_owned(), ..UserPlan::default() };
    let found = user::resolve(&plan, &read("etc/passwd")?, &read("etc/group")?);
    let found = found.map_err(|e| BuildError::Bad(format!("--chown={name}: {e}")))?;
    Ok(Owner::Ids(found.uid, if name.contains(':') { found.gid } else { found.uid }))
}

fn from_record(record: &Record) -> Result<Built, BuildError> {
    let damaged = |e: serde_json::Error| ImageError::BadArchive(format!("configuration of {}: {e}", record.id));
    let whole: Value = serde_json::from_str(&record.raw_config).map_err(damaged)?;
    let file: ConfigFile = serde_json::from_str(&record.raw_config).map_err(damaged)?;
    let config = whole.get("config").filter(|c| !c.is_null()).cloned();
    let config = config.map_or_else(|| Ok(Config::default()), serde_json::from_value).map_err(damaged)?;
    let history = whole.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let diff_ids = file.rootfs.diff_ids;
    let chain = diff_ids.iter().fold(None, |chain: Option<String>, id| Some(layer::chain_id(chain.as_deref(), id)));
    let layers = Layers { folders: record.layers.clone(), diff_ids, chain };
    Ok(Built { layers, config, history, ..Built::default() })
}

/// Writes the image's record. It tells no time, so that the same build makes the same image.
fn finish(store: &Store, built: &Built, names: &Names) -> Result<Arc<Record>, BuildError> {
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": built.config,
        "rootfs": { "type": "layers", "diff_ids": built.layers.diff_ids },
        "history": built.history,
    });
    let gone = || ImageError::BadArchive("a layer of it was removed while it was built (build it again)".into());
    let source = |diff_id| LayerSource { diff_id, open: Box::new(move || Err(gone())) };
    let sources = built.layers.diff_ids.iter().map(|d| source(d.as_str())).collect();
    Ok(store.add(config.to_string().as_bytes(), names, sources)?)
}
