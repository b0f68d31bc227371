//! Arguments, then the command; the rest is the library.

use std::process::ExitCode;

use em_metrics::cli;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(arguments) => cli::finish(cli::run(arguments)),
        Err(exit) => exit,
    }
}
