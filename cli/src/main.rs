//! The binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use clap::Parser;
use kctl::connect::Environment;
use kctl::low::Cli;
use kctl::screen::Screen;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(kctl::failure::report(&Screen::terminal(), Err(error.into()))),
    };
    let code = runtime.block_on(kctl::run(cli, &Environment::of_process(), Screen::terminal()));
    // A read of standard input cannot be cancelled; waiting for it would hold the prompt back.
    runtime.shutdown_background();
    ExitCode::from(code)
}
