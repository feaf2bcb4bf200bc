//! Building images from Dockerfiles.

use crate::client::{Node, script};
use crate::image::BUSYBOX;
use proto::cri::*;
use proto::drover::BuildRequest;
use proto::drover::build_event::Event;
use std::path::{Path, PathBuf};

/// What a build said, and the image's id or why there is none.
async fn build(
    node: &mut Node,
    context: &Path,
    dockerfile: &str,
    args: &[(&str, &str)],
) -> (String, Result<String, tonic::Status>) {
    let request = BuildRequest {
        context: context.display().to_string(),
        dockerfile: dockerfile.to_owned(),
        names: vec!["example.test/built:1".into()],
        args: args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        target: String::new(),
    };
    let mut events = node.build.build(request).await.unwrap().into_inner();
    let mut said = String::new();
    loop {
        match events.message().await {
            Ok(Some(event)) => match event.event.unwrap() {
                Event::Line(line) => said.extend([line.as_str(), "\n"]),
                Event::Id(id) => return (said, Ok(id)),
            },
            Ok(None) => panic!("a build that neither succeeded nor failed: {said}"),
            Err(status) => return (said, Err(status)),
        }
    }
}

fn context(node: &Node, files: &[(&str, &str)]) -> PathBuf {
    let folder = node.folder.path().join("context");
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

/// Runs a script in a container of the image and returns what it says.
async fn inside(node: &mut Node, image: &str, text: &str) -> String {
    let pod = node.pod("built");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    config.image = Some(ImageSpec { image: image.into(), ..Default::default() });
    let id = node.launch(&sandbox, &pod, config).await;
    let said = node.sh(&id, text).await;
    node.remove(&sandbox).await;
    said
}

pub(crate) async fn an_image_is_built_in_two_stages_and_runs(mut node: Node) {
    let files = [
        ("src/main.txt", "source"),
        ("src/skip.tmp", "no"),
        ("src/keep.tmp", "yes"),
        (".dockerignore", "**/*.tmp\n!src/keep.tmp\n"),
    ];
    let folder = context(&node, &files);
    std::os::unix::fs::symlink("main.txt", folder.join("src/link")).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(6);
    archive.append_data(&mut header, "inner/file", &b"packed"[..]).unwrap();
    std::fs::write(folder.join("archive.tar"), archive.into_inner().unwrap()).unwrap();
    let dockerfile = format!(
        "ARG BASE=none\nFROM $BASE AS make\nARG GREETING=hello\nENV WHO=world\nWORKDIR /work\nCOPY src/ ./src/\n\
         RUN echo \"$GREETING $WHO\" > out && chmod 4755 out && rm /etc/group && mkdir -p /data/deep && id -u > /data/deep/user\n\
         FROM scratch AS unused\nRUN this would fail\n\
         FROM {BUSYBOX}\nCOPY --from=make --chown=7:8 /work/out /srv/\nCOPY --from=make /work/src /data /all/\nADD archive.tar /opt/\n\
         RUN echo gone > /srv/gone && touch /srv/a && ln /srv/a /srv/b\nRUN rm /srv/gone && rm -r /opt/inner && mkdir /opt/inner\n\
         USER 1000\nEXPOSE 80\nVOLUME /vol\nLABEL who=$WHO a=\"b c\"\nSTOPSIGNAL INT\nHEALTHCHECK CMD true\n\
         ENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD [\"sleep 1000\"]\n"
    );
    let (said, built) =
        build(&mut node, &folder, &dockerfile, &[("BASE", BUSYBOX), ("GREETING", "good morning")]).await;
    let id = built.unwrap_or_else(|e| panic!("{e}\n{said}"));
    let spec = Some(ImageSpec { image: "example.test/built:1".into(), ..Default::default() });
    let status = ImageStatusRequest { image: spec, verbose: true };
    let status = node.images.image_status(status).await.unwrap().into_inner();
    assert_eq!(status.image.unwrap().id, id);
    let config: serde_json::Value = serde_json::from_str(&status.info["info"]).unwrap();
    let config = &config["imageSpec"]["config"];
    let expect = serde_json::json!({
        "User": "1000", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/vol": {}}, "Labels": {"who": "", "a": "b c"},
        "StopSignal": "INT", "Healthcheck": {"Test": ["CMD-SHELL", "true"]}, "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["sleep 1000"],
    });
    for (key, value) in expect.as_object().unwrap() {
        assert_eq!(&config[key], value, "{key}");
    }
    let seen = inside(
        &mut node,
        &id,
        "cat /srv/out; ls -ln /srv/out | head -n 1; ls /all /all/deep; cat /all/deep/user /all/link; ls /opt/inner /srv; id -u; \
         ls -ln /srv/a | grep -c ' 2 0'",
    )
    .await;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "good morning world");
    assert!(lines[1].starts_with("-rwsr-xr-x") && lines[1].contains(" 7 ") && lines[1].contains(" 8 "), "{}", lines[1]);
    let rest = lines[2..].join(" ");
    assert_eq!(rest, "/all: deep keep.tmp link main.txt  /all/deep: user 0 source/opt/inner:  /srv: a b out 1000 1");
    node.finish().await;
}

pub(crate) async fn steps_are_done_again_only_when_something_changed(mut node: Node) {
    let folder = context(&node, &[("a", "1"), ("b", "1")]);
    let dockerfile = format!("FROM {BUSYBOX}\nARG V\nCOPY a /\nRUN head -c 16 /dev/urandom > /random\nCOPY b /\n");
    let cached = |said: &str| said.matches("  cached").count();
    let (said, first) = build(&mut node, &folder, &dockerfile, &[]).await;
    let first = first.unwrap_or_else(|e| panic!("{e}\n{said}"));
    assert_eq!(cached(&said), 0, "{said}");
    let (said, again) = build(&mut node, &folder, &dockerfile, &[]).await;
    assert_eq!((cached(&said), again.unwrap()), (3, first.clone()), "{said}");
    std::fs::write(folder.join("b"), "2").unwrap();
    let (said, other) = build(&mut node, &folder, &dockerfile, &[]).await;
    assert_eq!(cached(&said), 2, "{said}");
    assert_ne!(other.unwrap(), first);
    let (said, _) = build(&mut node, &folder, &dockerfile, &[("V", "2")]).await;
    assert_eq!(cached(&said), 1, "a command sees build arguments: {said}");
    // Layers of steps outlive their images, and the runtime.
    let image = Some(ImageSpec { image: "example.test/built:1".into(), ..Default::default() });
    node.images.remove_image(RemoveImageRequest { image }).await.unwrap();
    std::fs::write(folder.join("b"), "1").unwrap();
    let mut node = node.restart().await;
    let (said, again) = build(&mut node, &folder, &dockerfile, &[]).await;
    assert_eq!((cached(&said), again.unwrap()), (3, first), "{said}");
    node.finish().await;
}

pub(crate) async fn builds_are_confined_and_leave_nothing_when_they_fail(mut node: Node) {
    let folder = context(&node, &[("file", "x"), ("sub/file", "y")]);
    let secret = node.folder.path().join("secret");
    std::fs::write(&secret, "outside").unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("up")).unwrap();
    std::os::unix::fs::symlink(&secret, folder.join("absolute")).unwrap();
    let from = format!("FROM {BUSYBOX}\n");
    for (text, line, what) in [
        ("RUN echo told; exit 3", "line 2", "code 3"),
        ("COPY none /", "line 2", "not in the build context"),
        ("COPY up /x", "line 2", "not in the build context"),
        ("COPY absolute /x", "line 2", "not in the build context"),
        ("COPY ../secret /x", "line 2", "not in the build context"),
        ("COPY --chown=nobody:none file /x", "line 2", "--chown"),
        ("RUN mount -t tmpfs x /tmp", "line 2", "code"),
        ("RUN echo 1 > /proc/sys/kernel/panic", "line 2", "code"),
        ("FROM scratch\nRUN [\"/x\"]", "line 3", "no files"),
        ("WHAT", "line 2", "not an instruction"),
    ] {
        let (said, built) = build(&mut node, &folder, &format!("{from}{text}\n"), &[]).await;
        let error = built.unwrap_err();
        assert!(error.message().contains(line) && error.message().contains(what), "{text}: {error}");
        if text.contains("told") {
            assert!(said.contains("told\n"), "{said}");
        }
    }
    // Links of the image lead nowhere else: what is copied to them stays in the image.
    let outside = node.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let links = format!(
        "{from}RUN mkdir -p {0} && ln -s {0} /way && ln -s / /root-way\nCOPY sub/ /way/\nCOPY file /root-way/\n",
        outside.display()
    );
    let (said, built) = build(&mut node, &folder, &links, &[]).await;
    let id = built.unwrap_or_else(|e| panic!("{e}\n{said}"));
    assert!(std::fs::read_dir(&outside).unwrap().next().is_none(), "a link led a copy out of the image");
    let seen = inside(&mut node, &id, &format!("cat {}/file /file", outside.display())).await;
    assert_eq!(seen, "yx");
    let store = node.folder.path().join("runtime/images-store/tmp");
    assert!(std::fs::read_dir(store).unwrap().next().is_none());
    assert!(std::fs::read_dir(node.folder.path().join("runtime/sandboxes")).unwrap().next().is_none());
    node.finish().await;
}
