//! The command line as it is typed.

use clap::CommandFactory as _;

use super::*;
use crate::config::Server;

#[test]
fn the_definition_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_example_of_the_help_parses() {
    for (example, _) in help::EXAMPLES {
        let words = example.replace("'no checkout'", "no-checkout");
        let parsed = Arguments::try_parse_from(words.split_whitespace());
        assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
    }
}

#[test]
fn the_help_names_every_variable_and_exit_code() {
    let help = help::long();
    for variable in VARIABLES.iter().filter(|variable| !help::is_of_one_signal(variable.name)) {
        assert!(help.contains(&format!("\n  {} ", variable.name)), "{}", variable.name);
    }
    let widest = help.lines().map(str::len).max();
    assert!(widest <= Some(100), "it would wrap on most terminals: {widest:?}");
    assert!(help.contains("EM_METRICS_URL") && help.contains("\n  3  "));
}

#[test]
fn a_wrong_command_line_is_2_unless_nothing_may_fail() {
    let code = |line: &str| parse(line.split_whitespace().map(OsString::from)).err();
    assert_eq!(code("em-metrics deployment started 42"), Some(ExitCode::from(2)));
    assert_eq!(code("em-metrics deployment started 42 --best-effort"), Some(ExitCode::SUCCESS));
    assert_eq!(code("em-metrics --version"), Some(ExitCode::SUCCESS));
    assert!(code("em-metrics").is_none());
}

#[test]
fn the_health_check_asks_where_the_service_listens() {
    for (host, address) in [
        ("0.0.0.0", "127.0.0.1:3000"),
        ("::", "[::1]:3000"),
        ("10.0.0.7", "10.0.0.7:3000"),
        ("fd00::7", "[fd00::7]:3000"),
        ("localhost", "localhost:3000"),
    ] {
        let server = Server { host: host.to_owned(), ..Server::default() };
        assert_eq!(healthcheck::local_address(&server), address);
    }
}
