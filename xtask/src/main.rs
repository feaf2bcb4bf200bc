//! The project's own build tool: `cargo run -p xtask -- tidy|codegen|example-image|planted`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]

mod codegen;
mod example_image;
mod imports;
mod planted;
mod tidy;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => {
            let mut findings = tidy::check(&root())?;
            findings.extend(imports::check(&root())?);
            findings.iter().for_each(|finding| println!("{finding}"));
            if findings.is_empty() { Ok(()) } else { bail!("{} places are not tidy", findings.len()) }
        }
        ["codegen"] => codegen::run(),
        ["example-image", out] => example_image::build(&root(), Path::new(out)),
        ["planted", names @ ..] => planted::run(&root(), names),
        _ => bail!("usage: xtask tidy | codegen | example-image OUT.tar | planted [NAME ..]"),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one folder below the root").to_owned()
}
