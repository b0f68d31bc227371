//! How far an import has come: a small file beside the input, gone when it is through.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Kind;
use super::source::Identity;
use super::tally::Tally;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The address of the service, without secrets.
    pub(super) service: String,
    pub(super) input: Identity,
    /// Of the lines of this kind, those up to `line` are answered; of an earlier kind, all.
    pub(super) kind: Kind,
    pub(super) line: u64,
    pub(super) tally: Tally,
}

/// Where the state of an input is kept.
pub(super) fn beside(input: &Path) -> PathBuf {
    let mut name = input.as_os_str().to_owned();
    name.push(".em-metrics-import");
    name.into()
}

impl State {
    /// `None`: there is nothing to go on with.
    pub(super) fn load(path: &Path, service: &str, input: &Identity) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        let afresh =
            "leave --resume away to start afresh, which is right as well: what is known already changes nothing";
        let Ok(state) = serde_json::from_slice::<Self>(&text) else { bail!("{shown} cannot be read: {afresh}") };
        ensure!(state.input == *input, "the file has changed since that import stopped: {afresh}");
        ensure!(state.service == service, "that import went to {}, not to {service}: {afresh}", state.service);
        Ok(Some(state))
    }

    /// Whole or not at all.
    pub(super) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(path)?;
        Ok(())
    }
}
