//! The query parameters of badges and panels, once it is clear that what they are about is public.

use std::ops::RangeInclusive;

use utoipa::IntoParams;

use super::panel::{Size, Theme};
use crate::domain::abridged;
use crate::dora::Interval;
use crate::http::error::Problem;
use crate::http::extract::Query;

const DAYS: RangeInclusive<u32> = 1..=366;
const LONGEST_LABEL: usize = 60;
const WIDTHS: RangeInclusive<u32> = 400..=1600;
const HEIGHTS: RangeInclusive<u32> = 200..=1000;

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct BadgeParams {
    /// May repeat. Default: all projects whose metric is public, taken together.
    project_id: Option<Vec<String>>,
    /// The days until now, `1d` to `366d`. Default: `30d`.
    period: Option<String>,
    /// Instead of the metric's name, at most 60 characters.
    label: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct PanelParams {
    /// May repeat. Default: all projects whose metric is public, taken together.
    project_id: Option<Vec<String>>,
    /// The days until now, `1d` to `366d`, and back to where the first interval begins. Default: `90d`.
    period: Option<String>,
    /// `day`, `week` (default, from Monday) or `month`, in UTC.
    interval: Option<String>,
    /// `true`: also the centre and the limits of the process-behaviour chart, and what stands out from them, as in `/dora/trend`.
    limits: Option<bool>,
    /// `light` (default) or `dark`.
    theme: Option<String>,
    /// 400 to 1600 pixels. Default: 720.
    width: Option<u32>,
    /// 200 to 1000 pixels. Default: 320.
    height: Option<u32>,
}

#[derive(Debug)]
pub struct OfBadge {
    pub days: u32,
    pub label: Option<String>,
}

#[derive(Debug)]
pub struct OfPanel {
    pub days: u32,
    pub interval: Interval,
    pub limits: bool,
    pub theme: Theme,
    pub size: Size,
}

/// The names as they are sent: what is not a name at all is not a public one either.
pub fn projects(query: &mut Query) -> Result<Vec<String>, Problem> {
    query.all("project_id", |text| Ok(text.to_owned()))
}

pub fn of_badge(mut query: Query) -> Result<OfBadge, Problem> {
    let days = query.one("period", days)?.unwrap_or(30);
    let label = query.one("label", label)?;
    query.done()?;
    Ok(OfBadge { days, label })
}

pub fn of_panel(mut query: Query) -> Result<OfPanel, Problem> {
    let days = query.one("period", days)?.unwrap_or(90);
    let interval = query.one("interval", interval)?.unwrap_or(Interval::Week);
    let limits = query
        .one("limits", |text| text.parse().map_err(|_| format!("expected true or false, got {:?}", abridged(text))))?;
    let theme = query.one("theme", theme)?.unwrap_or(Theme::Light);
    let width = query.one("width", |text| pixels(text, WIDTHS))?.unwrap_or(720);
    let height = query.one("height", |text| pixels(text, HEIGHTS))?.unwrap_or(320);
    query.done()?;
    Ok(OfPanel { days, interval, limits: limits.unwrap_or(false), theme, size: Size { width, height } })
}

fn days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| DAYS.contains(days));
    days.ok_or_else(|| format!("expected {}d to {}d, such as 30d, got {:?}", DAYS.start(), DAYS.end(), abridged(text)))
}

fn label(text: &str) -> Result<String, String> {
    // the last two are no characters of XML
    let unfit = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.chars().count() > LONGEST_LABEL || text.contains(unfit) {
        return Err(format!("expected at most {LONGEST_LABEL} characters, none of them a control character"));
    }
    Ok(text.to_owned())
}

fn interval(text: &str) -> Result<Interval, String> {
    let known = [Interval::Day, Interval::Week, Interval::Month].into_iter().find(|interval| interval.name() == text);
    known.ok_or_else(|| format!("expected day, week or month, got {:?}", abridged(text)))
}

fn theme(text: &str) -> Result<Theme, String> {
    match text {
        "light" => Ok(Theme::Light),
        "dark" => Ok(Theme::Dark),
        _ => Err(format!("expected light or dark, got {:?}", abridged(text))),
    }
}

fn pixels(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    let pixels = text.parse().ok().filter(|pixels| range.contains(pixels));
    pixels.ok_or_else(|| format!("expected {} to {}, got {:?}", range.start(), range.end(), abridged(text)))
}
