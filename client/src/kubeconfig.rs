//! Where a command-line client finds its kubeconfig. Reading and connecting is `transport::https`'s work.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What is known about the caller's surroundings; nothing here reads the environment itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// `--kubeconfig`
    pub flag: Option<&'a Path>,
    /// `$KUBECONFIG`: a list of paths, as in `$PATH`.
    pub env: Option<&'a OsStr>,
    pub home: Option<&'a Path>,
    pub data_dir: &'a Path,
}

/// The files to read, in order of precedence; several only where `$KUBECONFIG` names several.
///
/// `--kubeconfig`, then `$KUBECONFIG`, then `~/.kube/config` if it exists, then the admin kubeconfig in the data folder.
pub fn candidates(around: Surroundings<'_>, exists: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    if let Some(flag) = around.flag {
        return vec![flag.to_owned()];
    }
    if let Some(list) = around.env.filter(|list| !list.is_empty()) {
        // k8s: missing files of the list are skipped, but an only entry must exist (client-go loader)
        let named: Vec<PathBuf> = std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
        return match named.as_slice() {
            [_] => named,
            _ => named.into_iter().filter(|path| exists(path)).collect(),
        };
    }
    let of_home = around.home.map(|home| home.join(".kube/config"));
    match of_home.filter(|path| exists(path)) {
        Some(path) => vec![path],
        None => vec![around.data_dir.join("admin.kubeconfig")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(flag: Option<&str>, env: Option<&str>, existing: &[&str]) -> Vec<String> {
        let around = Surroundings {
            flag: flag.map(Path::new),
            env: env.map(OsStr::new),
            home: Some(Path::new("/home/me")),
            data_dir: Path::new("/var/lib/drover"),
        };
        let exists = |path: &Path| existing.iter().any(|name| Path::new(name) == path);
        candidates(around, exists).into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn flag_wins_over_environment_over_home_over_data_folder() {
        assert_eq!(found(Some("/f"), Some("/e"), &["/home/me/.kube/config"]), ["/f"]);
        assert_eq!(found(None, Some("/e"), &["/home/me/.kube/config"]), ["/e"]);
        assert_eq!(found(None, None, &["/home/me/.kube/config"]), ["/home/me/.kube/config"]);
        assert_eq!(found(None, None, &[]), ["/var/lib/drover/admin.kubeconfig"]);
    }

    #[test]
    fn missing_files_of_an_environment_list_are_skipped() {
        assert_eq!(found(None, Some("/a:/b"), &["/b"]), ["/b"]);
        assert_eq!(found(None, Some(""), &[]), ["/var/lib/drover/admin.kubeconfig"]);
    }
}
