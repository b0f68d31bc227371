//! Logs to stderr: text for people, JSON for machines.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt};

use super::Error;
use crate::config::{Log, LogFormat};

/// Whether this is a filter `tracing` understands.
pub fn check_filter(filter: &str) -> Result<(), Error> {
    parse(filter).map(|_| ())
}

pub(super) fn layer<S>(log: &Log) -> Result<Box<dyn Layer<S> + Send + Sync>, Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = parse(&log.filter)?;
    let stderr = fmt::layer().with_writer(std::io::stderr);
    Ok(match log.format {
        LogFormat::Text => stderr.with_ansi(colours()).with_filter(filter).boxed(),
        LogFormat::Json => {
            stderr.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(filter).boxed()
        }
    })
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    let refused = |reason| Error::Filter { filter: filter.to_owned(), reason };
    // `verbose` would be the name of a module with nothing in it, and would switch off all the others
    let bare = |part: &&str| !part.is_empty() && !part.contains(['=', '[', '{', '}', ']']);
    let module = filter.split(',').map(str::trim).filter(bare).find(|part| part.parse::<LevelFilter>().is_err());
    if let Some(module) = module {
        return Err(refused(format!(
            "{module:?} is none of off, error, warn, info, debug, trace; for a module of that name write {module}=debug"
        )));
    }
    EnvFilter::builder().parse(filter).map_err(|error| refused(error.to_string()))
}

/// On a terminal whose owner has not said no (no-color.org).
fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named_with_an_example() {
        assert!(check_filter("info,em_metrics::export=debug").is_ok());
        let error = check_filter("em_metrics=loud").unwrap_err().to_string();
        assert!(error.contains("em_metrics=loud") && error.contains("an example"), "{error}");
    }

    #[test]
    fn a_word_that_is_no_level_does_not_silence_everything() {
        for filter in ["verbose", "em_metrics", "info, all", "sqlx=warn,loud"] {
            let error = check_filter(filter).unwrap_err().to_string();
            assert!(error.contains("off, error, warn, info, debug, trace"), "{filter}: {error}");
        }
        for filter in ["off", "WARN", "info,sqlx=warn", "info,[request{method=GET}]=debug", "", "info,"] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
    }
}
