//! What restricts a statement, wherever facts are read: lists of names and spans of time.

use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::domain::{Name, Timestamp};

/// What binds names and times, on either engine.
macro_rules! push_fn {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($query:ident $(, $argument:ident: $type:ty)*) $body:block) => {
        $(#[$doc])*
        $visibility fn $name<DB>($query: &mut QueryBuilder<DB> $(, $argument: $type)*)
        where
            DB: Database,
            i64: Type<DB> + for<'q> Encode<'q, DB>,
            String: Type<DB> + for<'q> Encode<'q, DB>,
        $body
    };
}

push_fn! {
    /// `to` is exclusive.
    pub fn push_span(query, column: &str, from: Option<Timestamp>, to: Option<Timestamp>) {
        for (compared, at) in [(">=", from), ("<", to)] {
            if let Some(at) = at {
                query.push(format_args!(" AND {column} {compared} ")).push_bind(at);
            }
        }
    }
}

push_fn! {
    /// None of them do not restrict.
    pub fn push_list(query, column: &str, values: &[Name]) {
        if values.is_empty() {
            return;
        }
        query.push(format_args!(" AND {column} IN ("));
        let mut list = query.separated(", ");
        for value in values {
            list.push_bind(value);
        }
        query.push(")");
    }
}

push_fn! {
    /// The three that all facts can be narrowed down by.
    pub fn push_names(query, projects: &[Name], teams: &[Name], environments: &[Name]) {
        push_list(query, "project_id", projects);
        push_list(query, "team_id", teams);
        push_list(query, "environment", environments);
    }
}

pub(super) use push_fn;
