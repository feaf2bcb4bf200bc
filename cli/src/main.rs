//! The binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use kctl::connect::Environment;
use kctl::low::Cli;
use kctl::screen::Screen;
use std::process::ExitCode;

fn main() -> ExitCode {
    let screen = Screen::terminal();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // k8s: kubectl ends with 1 for what it cannot understand; help is no failure
            let code = u8::from(error.use_stderr());
            return ExitCode::from(if error.print().is_ok() { code } else { 1 });
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(kctl::failure::report(&screen, Err(error.into()))),
    };
    let code = runtime.block_on(kctl::run(cli, &Environment::of_process(), screen));
    // A read of standard input cannot be cancelled; waiting for it would hold the prompt back.
    runtime.shutdown_background();
    ExitCode::from(code)
}
