//! Arguments, runtime, run the command; the rest is the library.

use std::process::ExitCode;
use std::time::Duration;

use em_metrics::cli;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    // Before any connection; fails only where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(arguments));
    // What has to be finished was awaited; a stuck blocking call must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    cli::exit(&result)
}
