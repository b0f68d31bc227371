//! `GET /dora/trend`: a window beside the one before, and whether the difference is more than noise.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::question;
use super::view::Asked;
use crate::domain::Timestamp;
use crate::dora::explain::Metric;
use crate::dora::trend::{self, Limits, Point, Side, StandsOut, Trend, Verdict, Window};
use crate::dora::{Interval, Measure, Span};
use crate::http::AppState;
use crate::http::access::Reader;
use crate::http::error::{Document, Problem};
use crate::http::extract::Query;
use crate::http::resource::required;
use crate::report::Question;

const SOURCE: &str = "XmR chart after D. J. Wheeler, Understanding Variation (SPC Press): limits = centre +/- 2.66 * mean \
                      moving range, at least 0 (and a ratio at most 1); limit of moving ranges = 3.267 * their mean; \
                      signals = outside the limits, or at least 8 in a row on one side of the centre";

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct TrendParams {
    /// The name of a block of `/dora`, such as `change_failure_rate`.
    metric: String,
    /// `day`, `week` (default, from Monday) or `month`: the points of the chart.
    interval: Option<String>,
    /// As for `/dora`. Default: the start of the part that lies 28 days, 12 weeks or 12 months before the one `to` is in.
    from: Option<String>,
    /// As for `/dora`; what is later than now is now.
    to: Option<String>,
    /// As for `/dora`.
    tz: Option<String>,
    /// May repeat.
    project_id: Option<Vec<String>>,
    /// May repeat.
    team_id: Option<Vec<String>>,
    /// May repeat. Default: the configured production environment.
    environment: Option<Vec<String>>,
}

/// A number in a window and in the one before, and a process-behaviour chart of both.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraTrend)]
pub struct TrendView {
    metric: &'static str,
    /// Which number of the block: `per_day`, `median_seconds`, `ratio` or `started_per_day`.
    measured: &'static str,
    more_is_better: bool,
    interval: &'static str,
    #[serde(flatten)]
    asked: Asked,
    /// From `from` to `to`.
    this: WindowView,
    /// As long, just before: of whole months as many months, otherwise as long by the clock on the wall.
    before: WindowView,
    /// `this` - `before`; `null` unless both are `enough`.
    difference: Option<f64>,
    /// `difference` / `before`.
    relative_difference: Option<f64>,
    /// `signal`: something has changed. `noise`: no reason to think so. `not_enough_data`: nobody can say.
    verdict: &'static str,
    /// Which way the signals point; `null`: nowhere, or both ways.
    better: Option<bool>,
    /// What the signals of this window are; `null`: there are none.
    stands_out: Option<StandsOutView>,
    /// The verdict for people.
    reason: String,
    /// `null` without limits; `reason` says why.
    chart: Option<ChartView>,
    /// Limits are drawn from at least so many points.
    min_points: usize,
    /// How limits and signals are found, and where that is from.
    source: &'static str,
    /// Of both windows, oldest first.
    points: Vec<PointView>,
}

/// How many parts of the window are more than noise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraTrendStandsOut)]
struct StandsOutView {
    /// Of so many whole parts with a value.
    of: usize,
    /// On the better side: outside the limits, or in a run.
    better: usize,
    worse: usize,
    /// Only far from the part before.
    jumps: usize,
    /// Those with a side are runs: a change that stayed. `false`: single ones stand out.
    lasting: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraTrendWindow)]
struct WindowView {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    #[serde(flatten)]
    measure: MeasureView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraMeasure)]
pub struct MeasureView {
    /// The facts behind the value.
    n: u64,
    value: Option<f64>,
    /// As in `/dora`; counts are exact, and always enough.
    enough: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraTrendChart)]
struct ChartView {
    /// `before`: the window before says what was to be expected. `this`: it has too little, and this window is held
    /// against itself.
    limits_from: &'static str,
    /// The points they were drawn from.
    n: usize,
    /// Their mean.
    centre: f64,
    /// The natural process limits.
    lower_limit: f64,
    upper_limit: f64,
    mean_moving_range: f64,
    moving_range_limit: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraTrendPoint)]
struct PointView {
    /// `before` or `this`
    window: &'static str,
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    end: Timestamp,
    /// Cut by its window, or still running: shown, and not judged.
    partial: bool,
    #[serde(flatten)]
    measure: MeasureView,
    /// From the last point that is judged.
    moving_range: Option<f64>,
    /// `above_limit`, `below_limit`, `run_above_centre`, `run_below_centre`, `jump` (its moving range is above the limit)
    signals: Vec<&'static str>,
}

/// Signal or noise: a number in a window beside the one before, with a process-behaviour chart (`XmR`).
#[utoipa::path(get, path = "/dora/trend", tag = "answers", params(TrendParams),
    responses(
        (status = 200, body = TrendView), (status = 400, body = Document), (status = 401, body = Document),
        (status = 503, body = Document),
    ))]
pub async fn get_dora_trend(
    _: Reader,
    State(state): State<AppState>,
    mut query: Query,
) -> Result<Json<TrendView>, Problem> {
    let metric = query.one("metric", Metric::parse)?;
    let this = question::read_past(&mut query, &state, default_parts)?;
    query.done()?;
    let metric = metric.ok_or_else(|| required([("/metric", true)]))?;
    let too_early = || Problem::field("/from", "the window before would begin before 1970");
    let before = Question { span: this.span.before().ok_or_else(too_early)?, ..this.clone() };
    let interval = this.interval.unwrap_or(Interval::Week);
    let (of_before, of_this) = (state.answers.answer(&before).await?, state.answers.answer(&this).await?);
    let trend = trend::trend(
        metric,
        interval,
        Side { calendar: &of_before.calendar, answer: &of_before.all },
        Side { calendar: &of_this.calendar, answer: &of_this.all },
    );
    Ok(Json(view(metric, interval, &this, before.span, trend)))
}

fn default_parts(interval: Interval) -> u32 {
    match interval {
        Interval::Day => 28,
        Interval::Week | Interval::Month => 12,
    }
}

fn view(metric: Metric, interval: Interval, question: &Question, before: Span, trend: Trend) -> TrendView {
    let window = |span: Span, measure: Measure| WindowView { from: span.from, to: span.to, measure: measure.into() };
    TrendView {
        metric: metric.name(),
        measured: metric.measured().name(),
        more_is_better: metric.more_is_better(),
        interval: interval.name(),
        asked: question.into(),
        this: window(question.span, trend.this),
        before: window(before, trend.before),
        difference: trend.difference,
        relative_difference: trend.relative_difference,
        verdict: match trend.verdict {
            Verdict::Signal => "signal",
            Verdict::Noise => "noise",
            Verdict::NotEnoughData => "not_enough_data",
        },
        better: trend.better,
        stands_out: trend.stands_out.map(Into::into),
        reason: trend.reason,
        chart: trend.limits.map(|(limits, from)| chart(limits, from)),
        min_points: trend::MIN_POINTS,
        source: SOURCE,
        points: trend.points.into_iter().map(point).collect(),
    }
}

fn chart(limits: Limits, from: Window) -> ChartView {
    let Limits { n, centre, lower, upper, mean_moving_range, moving_range_limit } = limits;
    ChartView {
        limits_from: word(from),
        n,
        centre,
        lower_limit: lower,
        upper_limit: upper,
        mean_moving_range,
        moving_range_limit,
    }
}

fn point(point: Point) -> PointView {
    PointView {
        window: word(point.window),
        start: point.bucket.start,
        end: point.bucket.end,
        partial: !point.whole,
        measure: point.measure.into(),
        moving_range: point.moving_range,
        signals: point.signals.into_iter().map(trend::Rule::name).collect(),
    }
}

fn word(window: Window) -> &'static str {
    match window {
        Window::Before => "before",
        Window::This => "this",
    }
}

impl From<StandsOut> for StandsOutView {
    fn from(found: StandsOut) -> Self {
        let StandsOut { of, better, worse, jumps, lasting } = found;
        Self { of, better, worse, jumps, lasting }
    }
}

impl From<Measure> for MeasureView {
    fn from(measure: Measure) -> Self {
        let Measure { n, value, enough } = measure;
        Self { n, value, enough }
    }
}
