//! The program of an AWS Lambda function; the rest is the library.

use std::process::ExitCode;

use em_metrics::cli;

fn main() -> ExitCode {
    cli::finish(cli::lambda::run())
}
