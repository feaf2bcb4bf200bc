//! Which files and names lead to which changes.

use super::*;

struct Folders(tempfile::TempDir);

impl Folders {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["etc", "run"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Self(dir)
    }

    fn changes(&self, names: &[&str]) -> Result<Changes, String> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let folders = ["etc", "run", "absent"].map(|folder| self.0.path().join(folder));
        let said = |error: CdiError| crate::init::error_chain(&error).replace(&*self.0.path().to_string_lossy(), "");
        changes(&names, &folders).map_err(said)
    }
}

/// `device` is what stands in a device's edits.
fn one(device: &str) -> Result<Changes, String> {
    let text = format!("{{cdiVersion: 0.6.0, kind: v.io/gpu, devices: [{{name: a, containerEdits: {device}}}]}}");
    Folders::with(&[("etc/v.yaml", &text)]).changes(&["v.io/gpu=a"])
}

fn env(changes: &Changes) -> Vec<String> {
    changes.env.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn a_device_brings_what_its_file_lists() {
    let json = r#"{ "cdiVersion": "1.0.0", "kind": "v.io/gpu", "annotations": { "x": "y" },
        "devices": [
            { "name": "a", "containerEdits": {
                "env": ["GPU=a=1"], "additionalGids": [44],
                "deviceNodes": [
                    { "path": "/dev/gpu", "hostPath": "/dev/null", "permissions": "rw" },
                    { "path": "/dev/made", "type": "b", "major": 7, "minor": 3, "fileMode": 384 }],
                "mounts": [{ "hostPath": "/opt/lib", "containerPath": "/usr/lib/gpu", "options": ["ro", "nosuid", "nodev", "rbind"] }] } },
            { "name": "b", "containerEdits": { "env": ["GPU=b"] } }],
        "containerEdits": { "env": ["VENDOR=v"] } }"#;
    let folders = Folders::with(&[("etc/v.json", json), ("etc/README", "no")]);
    let both = folders.changes(&["v.io/gpu=a", "v.io/gpu=b"]).unwrap();
    assert_eq!(env(&both), ["GPU=a=1", "VENDOR=v", "GPU=b"], "what is for all devices is there once");
    let plan = |target: &str, block, major, minor, mode, access: &str| DevicePlan {
        target: target.into(),
        block,
        major,
        minor,
        mode,
        access: access.to_owned(),
    };
    let [gpu, made] = &both.devices[..] else { panic!("{both:?}") };
    assert_eq!(*gpu, plan("/dev/gpu", false, 1, 3, gpu.mode, "rw"));
    assert_eq!(*made, plan("/dev/made", true, 7, 3, 0o600, "rwm"));
    let [mount] = &both.mounts[..] else { panic!("{both:?}") };
    assert_eq!(
        (mount.source.clone(), mount.target.as_path()),
        (MountSource::Host("/opt/lib".into()), "/usr/lib/gpu".as_ref())
    );
    let barred = Barred { set_user_id: true, devices: true, programs: false };
    assert_eq!((mount.read_only, mount.recursive_read_only, mount.barred), (true, false, barred));
    assert_eq!(both.groups, [44]);
    assert_eq!(folders.changes(&[]).unwrap(), Changes::default());
}

#[test]
fn the_later_folder_counts_and_one_folder_must_not_say_two_things() {
    let file = |env: &str| {
        format!(
            "{{cdiVersion: 0.5.0, kind: v.io/gpu, devices: [{{name: a, containerEdits: {{env: ['FROM={env}']}}}}]}}"
        )
    };
    let (etc, run) = (file("etc"), file("run"));
    let files = [("etc/v.yaml", etc.as_str()), ("run/v.json", run.as_str()), ("run/w.yml", etc.as_str())];
    assert_eq!(env(&Folders::with(&files[..1]).changes(&["v.io/gpu=a"]).unwrap()), ["FROM=etc"]);
    assert_eq!(env(&Folders::with(&files[..2]).changes(&["v.io/gpu=a"]).unwrap()), ["FROM=run"]);
    let said = Folders::with(&files).changes(&["v.io/gpu=a"]).unwrap_err();
    assert_eq!(said, "CDI device v.io/gpu=a is in two files of one folder, /run/v.json and /run/w.yml");
}

#[test]
fn what_is_not_there_or_not_understood_is_told() {
    let folders = Folders::with(&[
        ("etc/bad.json", "{"),
        ("etc/new.json", "{cdiVersion: 2.0.0, kind: v.io/gpu, devices: []}"),
        ("run/word.yaml", "{cdiVersion: 1.0.0, kind: v.io/gpu, devices: [], wheels: 4}"),
    ]);
    let said = folders.changes(&["v.io/gpu=a"]).unwrap_err();
    assert!(said.starts_with("CDI device v.io/gpu=a is in none of /etc, /run, /absent (not understood: "), "{said}");
    for part in ["/etc/bad.json: ", "/etc/new.json: version \"2.0.0\" is unknown", "unknown field `wheels`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for name in ["gpu", "v.io/gpu", "v.io/gpu=", "gpu=a", "a/b/c=d"] {
        assert!(folders.changes(&[name]).unwrap_err().contains("is not the name of a CDI device"), "{name}");
    }
}

#[test]
fn nothing_that_a_device_needs_is_left_out() {
    let cases = [
        ("{hooks: [{hookName: createContainer, path: /bin/x}]}", "needs hooks, which this runtime does not do"),
        ("{intelRdt: {closID: x}}", "needs Intel RDT"),
        ("{netDevices: [{hostInterfaceName: e, name: f}]}", "needs network devices"),
        ("{mounts: [{hostPath: /a, containerPath: /b, type: tmpfs}]}", "needs a mount of type \"tmpfs\""),
        ("{mounts: [{hostPath: /a, containerPath: /b, options: [x-sync]}]}", "needs mount option \"x-sync\""),
        ("{mounts: [{hostPath: a, containerPath: /b}]}", "a is not absolute"),
        ("{deviceNodes: [{path: /dev/x, type: p}]}", "needs /dev/x of type \"p\""),
        ("{deviceNodes: [{path: /dev/null, uid: 7}]}", "needs /dev/null with an owner of its own"),
        ("{deviceNodes: [{path: /dev/null, type: b}]}", "/dev/null is not such a device"),
        ("{deviceNodes: [{path: /dev/x, hostPath: /etc/passwd}]}", "/etc/passwd is not such a device"),
        ("{deviceNodes: [{path: /nonexistent/x}]}", "cannot look at /nonexistent/x"),
        ("{deviceNodes: [{path: /dev/null, permissions: rx}]}", "permissions \"rx\" are unknown"),
        ("{env: [GPU]}", "\"GPU\" is no variable"),
    ];
    for (edits, said) in cases {
        let error = one(edits).unwrap_err();
        assert!(error.contains("v.io/gpu=a") && error.contains(said), "{edits}: {error}");
    }
    assert!(one("{hooks: [], netDevices: null, env: null}").is_ok());
}
