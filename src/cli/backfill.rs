//! `em-metrics backfill`: what a forge knows and no webhook told, read there and handed to a service as deliveries. What
//! is known changes nothing, so that it can be repeated whenever somebody likes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, ValueEnum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::{self, Failure, Request, Service};
use super::output::{complain, say};
use super::report::length;
use super::{ConfigFile, import};
use crate::backfill::{self, Api, Event, Job, Outlet, Patience, State, Taken, Tally, Trouble};
use crate::domain::{Clock, Timestamp};
use crate::forges::{Base, Delivery, FORGES, Forge, List, forge};

/// Deliveries that are under way to the service at once.
const AT_ONCE: usize = 8;
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// A limit ends after an hour; and some time to spare.
const PATIENCE: Patience =
    Patience { longest_wait: Duration::from_mins(65), tries: 6, first_pause: Duration::from_millis(250) };

/// Shown at the end of `--help`.
pub(super) const MORE: &str = "\
The token of the API comes from EM_METRICS_GITHUB_TOKEN or EM_METRICS_GITLAB_TOKEN, from the file \
that the same name with _FILE at its end names, or from webhooks.apis of the configuration. It needs \
to read, and nothing else: `em-metrics webhook guide github` says which rights that are.

What is read becomes deliveries to /webhooks/<FORGE> of the service, so that a fact has the same id \
as the one that a webhook told, and counts once. GET /inbox of the service says what became of each.

Examples:
  em-metrics backfill github --project acme/shop --since 90d
      three months of a repository
  em-metrics backfill gitlab --project acme/web/shop --since 2026-01-01 --state shop.state
      the same again later reads only what has changed
";

#[derive(Debug, Args)]
pub(super) struct Backfill {
    /// Whose API is asked: github or gitlab
    #[arg(value_parser = known)]
    forge: &'static Forge,
    /// The repository or project there, such as acme/shop; may repeat
    #[arg(long = "project", value_name = "PATH", required = true)]
    projects: Vec<String>,
    /// What has changed since then: a time or a date, or how far back, such as 90d, 12h, 4w
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Since,
    /// Only these; may repeat [default: all of them]
    #[arg(long, value_enum)]
    only: Vec<What>,
    /// Where the API is, if not where its makers run it, such as `https://github.acme.example/api/v3`
    #[arg(long, value_name = "URL", value_parser = Base::parse)]
    api_url: Option<Base>,
    /// The source of the service that takes it, where there are several (webhooks.sources)
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Keep there how far it is. With the same file again it goes on where it stopped, or reads what has changed since
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Deployments,
    /// Pull or merge requests and their reviews
    Changes,
    Releases,
}

impl From<What> for List {
    fn from(what: What) -> Self {
        match what {
            What::Deployments => Self::Deployments,
            What::Changes => Self::Changes,
            What::Releases => Self::Releases,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Ago(Duration),
    At(Timestamp),
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(micros) = length(text) {
        return Ok(Since::Ago(Duration::from_micros(u64::try_from(micros).unwrap_or_default())));
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse(&whole).map(Since::At)
}

fn known(name: &str) -> Result<&'static Forge, String> {
    let readable = |forge: &&'static Forge| !forge.lists.is_empty();
    let names: Vec<_> = FORGES.iter().copied().filter(readable).map(|forge| forge.name).collect();
    forge(name).filter(readable).ok_or_else(|| format!("there are {}", names.join(", ")))
}

pub(super) async fn run(backfill: Backfill) -> anyhow::Result<()> {
    let result = backfill.run().await;
    backfill.service.forgive(result)
}

impl Backfill {
    async fn run(&self) -> anyhow::Result<()> {
        let clock = Clock::system();
        let api = self.api(&clock)?;
        let since = match self.since {
            Since::At(at) => at,
            Since::Ago(ago) => clock.now().earlier(ago),
        };
        let lists =
            if self.only.is_empty() { List::ALL.to_vec() } else { self.only.iter().map(|w| (*w).into()).collect() };
        let interrupted = import::interrupted()?;
        tokio::select! {
            result = self.all(&api, since, lists, &clock) => result,
            () = interrupted => {
                match &self.state {
                    Some(file) => complain(&format!("to go on where it stopped: the same command, with {}", file.display())),
                    None => complain("it can be done again from the start; with --state FILE it goes on where it stopped"),
                }
                Err(Failure::Interrupted.into())
            }
        }
    }

    async fn all(&self, api: &Api, since: Timestamp, lists: Vec<List>, clock: &Clock) -> anyhow::Result<()> {
        let mut states = match &self.state {
            Some(file) => load(file)?,
            None => BTreeMap::new(),
        };
        let (mut whole, began) = (Tally::default(), Instant::now());
        for project in &self.projects {
            let key = self.key(api, project);
            let state = states.remove(&key).unwrap_or_default();
            let http = self.service.access.http()?;
            let handing_over =
                HandingOver { backfill: self, http, key, states: &states, screen: Mutex::new(Screen::new(project)) };
            let job = Job { project: project.clone(), since, lists: lists.clone() };
            let run = backfill::run(&job, api, state, &handing_over, clock).await;
            handing_over.screen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).bar.finish_and_clear();
            let key = handing_over.key;
            let (tally, state) = run.map_err(failure)?;
            states.insert(key, state);
            whole = whole + tally;
        }
        if self.service.json {
            say(&serde_json::to_string(&whole)?);
        } else {
            say(&format!("{} ({:.1} s)", words(&whole), began.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    fn api(&self, clock: &Clock) -> anyhow::Result<Api> {
        let config = self.config.load()?;
        let configured = config.webhooks.apis.into_iter().find(|api| api.vendor == self.forge.name);
        let base = match (&self.api_url, configured.as_ref().and_then(|api| api.url.as_deref())) {
            (Some(base), _) => base.clone(),
            (None, url) => Base::parse(url.unwrap_or(self.forge.api)).map_err(|why| anyhow!(why))?,
        };
        let token = configured.and_then(|api| api.token);
        if token.is_none() {
            let title = self.forge.title;
            complain(&format!(
                "warning: no token of {title} is there; it shows what is public, and not much at a time"
            ));
        }
        let http = client::http(base.url().as_str());
        Api::new(self.forge, base, http, token, clock.clone(), PATIENCE).context("cannot make an HTTP client")
    }

    /// Whose state it is.
    fn key(&self, api: &Api, project: &str) -> String {
        let service = self.service.access.shown();
        let source = self.source.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}{source} {} {} -> {service}", self.forge.name, api.base.url(), project.trim_matches('/'))
    }
}

fn load(file: &Path) -> anyhow::Result<BTreeMap<String, State>> {
    let shown = file.display();
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!("{shown} is no state of a backfill: name another file, or remove it to start afresh")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {shown}")),
    }
}

/// The exit code tells what asking again may mend.
fn failure(error: backfill::Error) -> anyhow::Error {
    match error {
        backfill::Error::Outlet(error) => error,
        backfill::Error::Api(Trouble::Limited(_) | Trouble::Broken { .. }) => {
            Failure::Unreachable(error.to_string()).into()
        }
        error => Failure::Refused(error.to_string()).into(),
    }
}

struct HandingOver<'a> {
    backfill: &'a Backfill,
    http: reqwest::Client,
    key: String,
    /// Of the other projects.
    states: &'a BTreeMap<String, State>,
    screen: Mutex<Screen>,
}

impl HandingOver<'_> {
    async fn deliver(&self, delivery: Delivery) -> anyhow::Result<bool> {
        let Backfill { forge, source, service, .. } = self.backfill;
        let source = source.as_ref().map(|name| format!("/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
        let path = format!("/webhooks/{}{}", forge.name, source.unwrap_or_default());
        let request = Request::deliver(&path, delivery.headers, delivery.body);
        let answer = service.access.send_by(&self.http, &request).await?;
        let state = answer.json().and_then(|answer| answer["state"].as_str().map(str::to_owned));
        ensure!(state.is_some(), service.access.stranger());
        Ok(state.as_deref() == Some("received"))
    }
}

impl Outlet for HandingOver<'_> {
    async fn take(&self, deliveries: Vec<Delivery>) -> anyhow::Result<Taken> {
        let all = stream::iter(deliveries.into_iter().map(|delivery| self.deliver(delivery)));
        let count = |taken: Taken, is_new| async move {
            let (new, known) = if is_new { (1, 0) } else { (0, 1) };
            Ok(Taken { new: taken.new + new, known: taken.known + known })
        };
        all.buffer_unordered(AT_ONCE).try_fold(Taken::default(), count).await
    }

    async fn keep(&self, state: &State) -> anyhow::Result<()> {
        let Some(file) = &self.backfill.state else { return Ok(()) };
        let mut states: BTreeMap<&String, &State> = self.states.iter().collect();
        states.insert(&self.key, state);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // whole or not at all
        let save = || -> anyhow::Result<()> {
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut new, &serde_json::to_vec(&states)?)?;
            new.persist(file)?;
            Ok(())
        };
        save().with_context(|| format!("cannot write {}", file.display()))
    }

    fn tell(&self, event: Event<'_>) {
        let mut screen = self.screen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Notice(text) => screen.bar.suspend(|| complain(text)),
            Event::Progress(tally) => screen.progress(tally),
        }
    }
}

/// A moving line on a terminal, elsewhere one now and then.
struct Screen {
    project: String,
    bar: ProgressBar,
    last_line: Instant,
}

impl Screen {
    fn new(project: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Self { project: project.to_owned(), bar, last_line: Instant::now() }
    }

    fn progress(&mut self, tally: &Tally) {
        let words = format!("{}: {}", self.project, words(tally));
        if self.bar.is_hidden() && self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            complain(&words);
        }
        self.bar.set_message(words);
        self.bar.tick();
    }
}

fn words(tally: &Tally) -> String {
    let Tally { deployments, changes, releases, new, known, .. } = tally;
    format!(
        "{deployments} deployments, {changes} changes, {releases} releases: {new} deliveries are new, {known} were known"
    )
}
