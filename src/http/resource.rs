//! What deployments and incidents have in common on the wire: which one is meant, lists, links.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize};
use utoipa::IntoParams;

use super::error::{self, Problem};
use super::extract::{Query, addressable, time_or_date};
use crate::domain::names::Text;
use crate::domain::{FieldProblem, Name, Refusal, abridged};
use crate::storage::{Cursor, Filter};

/// The unreserved characters of RFC 3986 stay, all else is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Where the same routes are served a second time.
pub const VERSIONED: &str = "/api/v1";

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 1000;

pub fn created(location: HeaderValue, body: impl Serialize) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(body)).into_response()
}

/// Microseconds as the seconds that are shown.
#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
pub fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Which project is meant: the query's, the body's, or whichever has the id.
pub fn target(mut query: Query, in_body: Option<Name>) -> Result<Option<Name>, Problem> {
    let in_query = query.one("project_id", Name::parse)?;
    query.done()?;
    match (in_query, in_body) {
        (Some(query), Some(body)) if query != body => {
            Err(Problem::field("/project_id", "the body and the query name different projects"))
        }
        (query, body) => Ok(query.or(body)),
    }
}

/// A text that need not be there: pipelines send `"$TEAM"` also where there is no such variable.
pub fn or_absent<'de, D: Deserializer<'de>, const MAX: usize>(deserializer: D) -> Result<Option<Text<MAX>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| Text::parse(&text).map_err(D::Error::custom)).transpose()
}

/// The id of what is to be made, which must be found again by it.
pub fn new_id(id: Name) -> Result<Name, Problem> {
    addressable(id).map_err(|detail| Problem::field("/id", detail))
}

/// A problem that names the fields that are missing.
pub fn required<const N: usize>(fields: [(&'static str, bool); N]) -> Problem {
    let missing = fields.into_iter().filter(|(_, missing)| *missing);
    Problem::fields(&error::INVALID, missing.map(|(pointer, _)| FieldProblem::new(pointer, "required")).collect())
}

/// The one fact that has the id.
pub fn the_one<T>(
    kind: &'static str,
    id: Name,
    mut found: Vec<T>,
    project_id: impl Fn(&T) -> &Name,
) -> Result<T, Refusal> {
    if found.len() > 1 {
        let mut projects: Vec<_> = found.iter().map(|fact| project_id(fact).to_string()).collect();
        projects.sort();
        projects.truncate(20);
        return Err(Refusal::Ambiguous { kind, id, projects });
    }
    found.pop().ok_or(Refusal::NotFound { kind, id, hint: None })
}

/// The address as it was asked for: links keep the prefix that the caller uses.
#[derive(Debug)]
pub struct Base(Uri);

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, state).await?;
        Ok(Self(uri))
    }
}

impl Base {
    /// Always with the project: it stays right when another project gets the same id.
    pub fn location(&self, collection: &str, id: &Name, project_id: &Name) -> HeaderValue {
        HeaderValue::from_str(&self.link(collection, id, project_id)).unwrap_or(HeaderValue::from_static("/"))
    }

    /// The same as text.
    pub fn link(&self, collection: &str, id: &Name, project_id: &Name) -> String {
        let prefix = if self.0.path().starts_with(VERSIONED) { VERSIONED } else { "" };
        let id = utf8_percent_encode(id.as_str(), SEGMENT);
        let project_id = utf8_percent_encode(project_id.as_str(), SEGMENT);
        format!("{prefix}/{collection}/{id}?project_id={project_id}")
    }

    /// The same list, further on.
    pub fn next_link(&self, next: Option<&Cursor>) -> HeaderMap {
        let cursor = next.and_then(cursor_text);
        self.next_page(cursor.as_deref())
    }

    /// The same for a list with cursors of its own.
    pub fn next_page(&self, cursor: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some(cursor) = cursor else { return headers };
        let kept = url::form_urlencoded::parse(self.0.query().unwrap_or_default().as_bytes())
            .filter(|(key, _)| key != "cursor");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("cursor", cursor)
            .finish();
        if let Ok(link) = HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", self.0.path())) {
            headers.insert(header::LINK, link);
        }
        headers
    }
}

/// The parameters that every list takes, for the description.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct ListParams {
    /// May repeat.
    project_id: Option<Vec<String>>,
    /// May repeat.
    team_id: Option<Vec<String>>,
    /// May repeat.
    environment: Option<Vec<String>>,
    /// A time or a date; inclusive.
    from: Option<String>,
    /// A time or a date; exclusive.
    to: Option<String>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
    /// From the `Link` header of the page before.
    cursor: Option<String>,
}

/// A list as asked for.
#[derive(Debug)]
pub struct Listing {
    pub filter: Filter,
}

impl Listing {
    /// Takes the common parameters; the caller has taken its own.
    pub fn new(mut query: Query) -> Result<Self, Problem> {
        let filter = Filter {
            project_id: query.all("project_id", Name::parse)?,
            team_id: query.all("team_id", Name::parse)?,
            environment: query.all("environment", Name::parse)?,
            from: query.one("from", time_or_date)?,
            to: query.one("to", time_or_date)?,
            limit: limit(&mut query)?,
            after: cursor(&mut query)?,
            ..Filter::default()
        };
        query.done()?;
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            return Err(Problem::field("/from", format!("{from} is after to {to}")));
        }
        Ok(Self { filter })
    }
}

/// How many items a page has.
pub fn limit(query: &mut Query) -> Result<u16, Problem> {
    let limit = query.one("limit", |text| {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| format!("expected a number from 1 to {MAX_LIMIT}, got {:?}", abridged(text)))
    })?;
    Ok(limit.unwrap_or(DEFAULT_LIMIT))
}

/// As it stands in addresses.
pub fn cursor_text(cursor: &Cursor) -> Option<String> {
    serde_json::to_vec(cursor).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Where a page starts that is not the first.
pub fn cursor(query: &mut Query) -> Result<Option<Cursor>, Problem> {
    query.one("cursor", |text| {
        let json = URL_SAFE_NO_PAD.decode(text).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| "expected a cursor from the Link header of the page before".to_owned())
    })
}
