//! Wrong input gets an error that says what to do, and leaves nothing half-done.

use anyhow::Result;
use e2e::host::Host;
use e2e::wait::eventually;
use e2e::{Cluster, Options, cluster};
use serde_json::Value;
use std::process::Output;
use std::time::Duration;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Status code and Status object of a raw POST with the admin's certificate.
fn post(cluster: &Cluster, path: &str, body: &[u8]) -> Result<(u16, Value)> {
    let file = cluster.scratch().join("body.json");
    std::fs::write(&file, body)?;
    let pki = cluster.data_dir().join("pki");
    let at = |name: &str| pki.join(name).to_string_lossy().into_owned();
    let output = cluster.host.read(
        "curl",
        &[
            "--silent",
            "--max-time",
            "20",
            "--cacert",
            &at("ca.crt"),
            "--cert",
            &at("admin.crt"),
            "--key",
            &at("admin.key"),
            "--header",
            "Content-Type: application/json",
            "--header",
            "Expect:",
            "--data-binary",
            &format!("@{}", file.display()),
            "--write-out",
            "\n%{http_code}",
            &format!("https://127.0.0.1:6443{path}"),
        ],
    )?;
    let (body, code) = output.rsplit_once('\n').unwrap_or_default();
    Ok((code.parse()?, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))))
}

#[test]
fn the_api_answers_bad_bodies_with_a_status_that_names_the_place() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let config_maps = "/api/v1/namespaces/default/configmaps";
    let rows: Vec<(&str, Vec<u8>, u16, &str, &str)> = vec![
        (config_maps, b"{\"metadata\":".to_vec(), 400, "BadRequest", ""),
        (config_maps, vec![b'['; 100_000], 400, "BadRequest", ""),
        (config_maps, vec![b' '; 4 * 1024 * 1024], 413, "RequestEntityTooLarge", ""),
        (config_maps, br#"{"metadata":{"name":"A_b"}}"#.to_vec(), 422, "Invalid", "metadata.name"),
        (config_maps, br#"{"metadata":{"name":"x"},"data":{"a":5}}"#.to_vec(), 400, "BadRequest", ""),
        ("/apis/apps/v1/namespaces/default/deployments", br#"{"metadata":{"name":"x"},"spec":{"replicas":-1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#.to_vec(), 422, "Invalid", "spec.replicas"),
        ("/api/v1/namespaces/none/configmaps", br#"{"metadata":{"name":"x"}}"#.to_vec(), 404, "NotFound", ""),
    ];
    for (path, body, code, reason, field) in rows {
        let (got, status) = post(&cluster, path, &body)?;
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!((got, status["reason"].as_str()), (code, Some(reason)), "{path} {start}: {status}");
        assert_eq!(
            (status["kind"].as_str(), status["code"].as_u64()),
            (Some("Status"), Some(u64::from(code))),
            "{status}"
        );
        if !field.is_empty() {
            assert_eq!(status["details"]["causes"][0]["field"], field, "{status}");
        }
    }
    // Unknown and duplicate fields, as kubectl and kctl ask for them.
    let strict = format!("{config_maps}?fieldValidation=Strict");
    let (code, status) = post(&cluster, &strict, br#"{"metadata":{"name":"x","name":"y"},"daat":{}}"#)?;
    let message = status["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(code, 400, "{status}");
    assert!(
        message.contains("unknown field \"daat\"") && message.contains("duplicate field \"metadata.name\""),
        "{message}"
    );
    let left = cluster.json(&["get", "configmaps", "-n", "default"])?;
    let names: Vec<&str> =
        left["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["kube-root-ca.crt"], "nothing of it was stored");
    Ok(())
}

#[test]
fn a_second_drover_on_the_same_folder_is_refused() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let output = cluster.up_command().output()?;
    let text = said(&output);
    assert!(!output.status.success() && text.contains("in use by process"), "{text}");
    // And the first one does not mind.
    assert_eq!(cluster.kctl(&["get", "--raw", "/readyz"])?.trim(), "ok");
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let other = cluster.scratch().join("other").to_string_lossy().into_owned();
    let output = cluster.host.run(&cluster::binary("drover").to_string_lossy(), &["up", "--data-dir", &other])?;
    let text = said(&output);
    assert!(!output.status.success() && text.contains("0.0.0.0:6443") && text.contains("--bind"), "{text}");
    Ok(())
}

#[test]
fn an_etcd_that_is_not_there_is_named() -> Result<()> {
    let (host, folder) = (Host::new()?, tempfile::tempdir()?);
    let data_dir = format!("--data-dir={}", folder.path().display());
    let drover = cluster::binary("drover").to_string_lossy().into_owned();
    let output = host.run(&drover, &["server", &data_dir, "--store=etcd://192.168.77.2:2379"])?;
    let text = said(&output);
    assert!(
        !output.status.success() && text.contains("cannot reach etcd at") && text.contains("192.168.77.2:2379"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() -> Result<()> {
    let (host, folder) = (Host::new()?, tempfile::tempdir()?);
    let full = || std::fs::File::options().write(true).open("/dev/full");
    let data_dir = format!("--data-dir={}", folder.path().display());
    let mut server = host
        .command(&cluster::binary("drover").to_string_lossy(), &["server", &data_dir])
        .env("DROVER_LOG", "debug")
        .stdout(full()?)
        .stderr(full()?)
        .spawn()?;
    let config = format!("--kubeconfig={}", folder.path().join("admin.kubeconfig").display());
    let kctl = cluster::binary("kctl").to_string_lossy().into_owned();
    eventually("an answer", Duration::from_mins(1), || {
        host.read(&kctl, &["get", "--raw", "/readyz", &config]).map_err(|error| format!("{error:#}"))
    });
    assert!(server.try_wait()?.is_none(), "it runs");
    server.kill()?;
    server.wait()?;
    Ok(())
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let drover = cluster::binary("drover").to_string_lossy().into_owned();
    let place = format!("--data-dir={}", cluster.data_dir().display());
    let before = cluster.host.read(&drover, &["image", "ls", &place])?;
    let victim = cluster.scratch().join("victim");
    for name in ["../../victim", "/victim", "link/victim"] {
        let file = cluster.scratch().join("evil.tar");
        std::fs::write(&file, evil_archive(name, cluster.scratch()))?;
        // An entry may be refused, or be kept inside the root; it never lands outside of it.
        let output = cluster.host.run(&drover, &["image", "import", &file.to_string_lossy(), &place])?;
        assert!(!victim.exists() && !std::path::Path::new("/victim").exists(), "{name}: {}", said(&output));
    }
    let not_tar = cluster.scratch().join("not.tar");
    std::fs::write(&not_tar, b"this is no archive")?;
    let output = cluster.host.run(&drover, &["image", "import", &not_tar.to_string_lossy(), &place])?;
    assert!(!output.status.success() && said(&output).contains("not.tar"), "{}", said(&output));
    assert!(before.contains("drover.local/web:1"), "{before}");
    Ok(())
}

/// A docker-archive with one layer that writes `name`, after a symlink `link` to the folder `outside`.
fn evil_archive(name: &str, outside: &std::path::Path) -> Vec<u8> {
    let mut layer = tar_header("link", b'2', 0, &outside.to_string_lossy());
    layer.extend(tar_header(name, b'0', 4, ""));
    layer.extend(b"evil".iter().chain([0; 508].iter()));
    layer.extend([0; 1024]);
    let manifest = br#"[{"Config":"config.json","RepoTags":["evil:1"],"Layers":["layer.tar"]}]"#.to_vec();
    let config = br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#.to_vec();
    let mut archive = Vec::new();
    for (name, body) in [("layer.tar", layer), ("config.json", config), ("manifest.json", manifest)] {
        archive.extend(tar_header(name, b'0', body.len(), ""));
        let padding = body.len().next_multiple_of(512) - body.len();
        archive.extend(body);
        archive.extend(vec![0; padding]);
    }
    archive.extend([0; 1024]);
    archive
}

/// A ustar header written by hand: libraries refuse such names.
fn tar_header(name: &str, kind: u8, size: usize, link: &str) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[test]
fn a_missing_image_and_a_bad_manifest_say_so() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: none}\nspec:\n  containers: [{name: c, image: 'drover.local/none:1', imagePullPolicy: Never}]\n")?;
    eventually("ErrImageNeverPull in the pod's status", Duration::from_secs(30), || {
        let text = cluster.kctl(&["get", "pod", "none"]).map_err(|error| format!("{error:#}"))?;
        if text.contains("ErrImageNeverPull") { Ok(()) } else { Err(text) }
    });
    let bad =
        cluster.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: [oops\n").unwrap_err().to_string();
    assert!(bad.contains("manifest.yaml"), "{bad}");
    let unknown = cluster.apply("apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: x}\n").unwrap_err().to_string();
    assert!(unknown.contains("ConfigMapp"), "{unknown}");
    Ok(())
}
