//! Every script of this folder says what it said when it was last found right.
//!
//! `UPDATE_EXPECT=1 cargo test -p sim --test scripts` writes down what they say now: look at the difference before you
//! believe it.

use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = std::fs::read_dir(folder).expect("the folder of this file").map(|entry| entry.expect("a file").path());
    let mut scripts: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "txt")).collect();
    scripts.sort();
    scripts
}

/// What is wrong with a script, if something is.
fn difference(script: &Path) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sim")).arg("script").arg(script).output().expect("the simulator starts");
    let says = String::from_utf8(output.stdout).expect("text");
    let name = script.display();
    if !output.status.success() {
        return Some(format!("{name}: {says}{}", String::from_utf8_lossy(&output.stderr)));
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(script, &says).expect("the script can be written");
        return None;
    }
    let said = std::fs::read_to_string(script).expect("the script can be read");
    let lines = || said.lines().zip(says.lines()).enumerate();
    let first = lines()
        .find(|(_, (said, says))| said != says)
        .map(|(at, (said, says))| format!("{name}:{}: it said\n{said}\nand now says\n{says}", at + 1));
    let longer = || (said.lines().count() != says.lines().count()).then(|| format!("{name}: it says more or less"));
    first.or_else(longer).map(|what| format!("{what}\nall of it:\n{says}"))
}

#[test]
fn scripts_say_what_they_said() {
    let scripts = scripts();
    assert!(scripts.len() >= 15, "the scripts are found");
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(script) = scripts.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
            found.extend(difference(script));
        }
        found
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let found: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|one| one.join().expect("a worker ends")).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
