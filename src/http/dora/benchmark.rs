//! `GET /dora/benchmark`: the five keys beside the figures that DORA has published.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::question;
use super::trend::MeasureView;
use super::view::Asked;
use crate::benchmarks::{Group, Peers};
use crate::dora::benchmark::{self, Benchmark, Beside, Key, Standing};
use crate::http::AppState;
use crate::http::access::Reader;
use crate::http::error::{Document, Problem};
use crate::http::extract::Query;
use crate::report::Question;

const METHOD: &str = "each number is taken as the answer to the question of the quick check: six answers score 0, 2, 4, 6, \
                      8, 10, a share scores 10 * (1 - ratio); the score is the mean of those there are, and the published \
                      one the mean of the same metrics. A window's counts cannot show that one could deploy on demand: \
                      one an hour is what counts as that";
const N_OF_GROUP: &str = "how many answered in an industry or of a size is not published";

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct BenchmarkParams {
    /// As for `/dora`; longer windows have more to say.
    from: Option<String>,
    /// As for `/dora`; what is later than now is now.
    to: Option<String>,
    /// As for `/dora`.
    tz: Option<String>,
    /// May repeat. The survey asks about one application: ask about one, too.
    project_id: Option<Vec<String>>,
    /// May repeat.
    team_id: Option<Vec<String>>,
    /// May repeat. Default: the configured production environment.
    environment: Option<Vec<String>>,
}

/// The five keys beside published figures, and the score of the quick check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBenchmark)]
pub struct BenchmarkView {
    #[serde(flatten)]
    asked: Asked,
    /// Of the survey; it, industry and size are chosen in the configuration.
    year: u16,
    industry: GroupView,
    organisation_size: GroupView,
    source: SourceView,
    /// By name, as in `/dora`.
    #[schema(value_type = BTreeMap<String, KeyView>)]
    metrics: BTreeMap<&'static str, KeyView>,
    quick_check: QuickCheckView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBenchmarkGroup)]
struct GroupView {
    key: &'static str,
    name: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBenchmarkSource)]
struct SourceView {
    title: &'static str,
    url: &'static str,
    /// The files.
    data: &'static str,
    retrieved: &'static str,
    attribution: &'static str,
    licence: &'static str,
    licence_url: &'static str,
    /// What was done to the figures.
    changes: &'static str,
    /// How many took part in the survey; `null`: not published with the figures.
    respondents: Option<&'static str>,
    respondents_url: Option<&'static str>,
    /// What is not known about the published n.
    respondents_of_group: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBenchmarkKey)]
struct KeyView {
    /// Which number of the block of `/dora`.
    measured: &'static str,
    #[serde(flatten)]
    measure: MeasureView,
    /// The answer of the survey that the value is; `null` for shares, and with a `reason`.
    band: Option<&'static str>,
    /// 0 to 10, and 10 is best; `null` with a `reason`.
    score: Option<f64>,
    /// Why there is neither band nor score.
    reason: Option<String>,
    year: u16,
    source: &'static str,
    /// `null`: not asked that year.
    by_industry: Option<BesideView>,
    by_organisation_size: Option<BesideView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBenchmarkPublished)]
struct BesideView {
    /// Of the scores of those who answered, 0 to 10, and 10 is best.
    mean: f64,
    /// Their standard deviation.
    std: f64,
    /// `better` or `worse` by more than a standard deviation, else `usual`; `null` without a score.
    standing: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraQuickCheck)]
struct QuickCheckView {
    /// 0 to 10; `null`: none of the metrics has a score.
    score: Option<f64>,
    /// The mean of the same metrics.
    published_by_industry: Option<f64>,
    published_by_organisation_size: Option<f64>,
    /// The metrics it is the mean of.
    metrics: Vec<&'static str>,
    /// Those that lack; each says why.
    missing: Vec<&'static str>,
    /// How the score is computed.
    method: &'static str,
}

/// The five keys beside DORA's published figures, and the quick-check score.
///
/// By the year, industry and organisation size of the configuration. With not enough data there is no band and no
/// score, but the reason.
#[utoipa::path(get, path = "/dora/benchmark", tag = "answers", params(BenchmarkParams),
    responses(
        (status = 200, body = BenchmarkView), (status = 400, body = Document), (status = 401, body = Document),
        (status = 503, body = Document),
    ))]
pub async fn get_dora_benchmark(
    _: Reader,
    State(state): State<AppState>,
    mut query: Query,
) -> Result<Json<BenchmarkView>, Problem> {
    let question = question::read_plain_past(&mut query, &state)?;
    query.done()?;
    let report = state.answers.answer(&question).await?;
    let days = report.calendar.length_in_days(report.calendar.whole());
    Ok(Json(view(&question, &state.benchmark, benchmark::benchmark(&report.all.total, days, &state.benchmark))))
}

fn view(question: &Question, peers: &Peers, found: Benchmark) -> BenchmarkView {
    let source = &peers.edition.source;
    let respondents = peers.edition.respondents.as_ref();
    let names = |scored: bool| {
        let keys = found.keys.iter().filter(|key| key.score.is_some() == scored);
        keys.map(|key| key.metric.name()).collect::<Vec<_>>()
    };
    BenchmarkView {
        asked: question.into(),
        year: peers.edition.year,
        industry: group(peers.industry),
        organisation_size: group(peers.organisation_size),
        source: SourceView {
            title: &source.title,
            url: &source.url,
            data: &source.data,
            retrieved: &source.retrieved,
            attribution: &source.attribution,
            licence: &source.licence,
            licence_url: &source.licence_url,
            changes: &source.changes,
            respondents: respondents.map(|respondents| respondents.text.as_str()),
            respondents_url: respondents.map(|respondents| respondents.url.as_str()),
            respondents_of_group: N_OF_GROUP,
        },
        quick_check: QuickCheckView {
            score: found.score,
            published_by_industry: found.published_by_industry,
            published_by_organisation_size: found.published_by_size,
            metrics: names(true),
            missing: names(false),
            method: METHOD,
        },
        metrics: found.keys.into_iter().map(|found| (found.metric.name(), key(found, peers))).collect(),
    }
}

fn group(group: &'static Group) -> GroupView {
    GroupView { key: &group.key, name: &group.name }
}

fn key(key: Key, peers: &Peers) -> KeyView {
    KeyView {
        measured: key.metric.measured().name(),
        measure: key.measure.into(),
        band: key.band,
        score: key.score,
        reason: key.reason,
        year: peers.edition.year,
        source: &peers.edition.source.attribution,
        by_industry: key.by_industry.map(beside),
        by_organisation_size: key.by_size.map(beside),
    }
}

fn beside(Beside { published, standing }: Beside) -> BesideView {
    let word = |standing| match standing {
        Standing::Better => "better",
        Standing::Usual => "usual",
        Standing::Worse => "worse",
    };
    BesideView { mean: published.mean, std: published.std, standing: standing.map(word) }
}
