//! How the domain's values travel to and from columns.

use sqlx::error::BoxDynError;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Database, Decode, Encode, FromRow, Row, Type};

use crate::domain::deployment::{FirstCommitFrom, Status};
use crate::domain::incident::Method;
use crate::domain::names::Text;
use crate::domain::{Deployment, Incident, Marks, Timestamp, deployment, incident};

macro_rules! column_type {
    ([$($generics:tt)*] $type:ty as $raw:ty, decode |$in:ident| $decode:expr, encode |$out:ident| $encode:expr) => {
        impl<DB: Database, $($generics)*> Type<DB> for $type where $raw: Type<DB> {
            fn type_info() -> DB::TypeInfo {
                <$raw as Type<DB>>::type_info()
            }
            fn compatible(other: &DB::TypeInfo) -> bool {
                <$raw as Type<DB>>::compatible(other)
            }
        }
        impl<'r, DB: Database, $($generics)*> Decode<'r, DB> for $type where $raw: Decode<'r, DB> {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                let $in = <$raw as Decode<'r, DB>>::decode(value)?;
                $decode
            }
        }
        impl<'q, DB: Database, $($generics)*> Encode<'q, DB> for $type where $raw: Encode<'q, DB> {
            fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<sqlx::encode::IsNull, BoxDynError> {
                let $out = self;
                <$raw as Encode<'q, DB>>::encode($encode, buffer)
            }
        }
    };
}

column_type!([const MAX: usize] Text<MAX> as String,
    decode |text| Ok(Self::parse(&text)?),
    encode |text| text.as_str().to_owned());
column_type!([] Timestamp as i64,
    decode |micros| Self::from_micros(micros).ok_or_else(|| format!("time out of range: {micros}").into()),
    encode |time| time.micros());
column_type!([] Marks as i64,
    decode |bits| Ok(Self(bits)),
    encode |marks| marks.0);
column_type!([] Status as String,
    decode |text| Ok(serde_json::from_value(text.into())?),
    encode |status| serde_json::to_value(status)?.as_str().unwrap_or_default().to_owned());
column_type!([] FirstCommitFrom as String,
    decode |text| Ok(serde_json::from_value(text.into())?),
    encode |from| serde_json::to_value(from)?.as_str().unwrap_or_default().to_owned());
column_type!([] Method as String,
    decode |text| Ok(serde_json::from_value(text.into())?),
    encode |method| method.word().to_owned());
column_type!([] deployment::Seen as String,
    decode |json| Ok(serde_json::from_str(&json)?),
    encode |seen| serde_json::to_string(seen)?);
column_type!([] incident::Seen as String,
    decode |json| Ok(serde_json::from_str(&json)?),
    encode |seen| serde_json::to_string(seen)?);

macro_rules! from_row {
    ($type:ident { $($field:ident),* $(,)? }) => {
        from_row!(@ SqliteRow, $type { $($field),* });
        from_row!(@ PgRow, $type { $($field),* });
    };
    (@ $row:ident, $type:ident { $($field:ident),* }) => {
        impl FromRow<'_, $row> for $type {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),* })
            }
        }
    };
}

from_row!(Deployment {
    project_id,
    id,
    team_id,
    environment,
    status,
    first_commit_at,
    first_commit_from,
    deploy_start_at,
    deployed_at,
    failed_at,
    rolled_back_at,
    reason,
    username,
    commit_sha,
    version,
    url,
    unplanned,
    incident_count,
    counted,
    created_at,
    updated_at,
    deleted_at,
    seen,
});
from_row!(Incident {
    project_id,
    id,
    team_id,
    environment,
    deployment_id,
    deployment_deployed_at,
    link_method,
    suggested_deployment_id,
    severity,
    title,
    url,
    started_at,
    restored_at,
    finished_at,
    counted,
    created_at,
    updated_at,
    deleted_at,
    seen,
});
