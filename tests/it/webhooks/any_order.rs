//! Everything that was captured in the wild, shuffled, twice, and by two writers at once: the same facts, and the same
//! totals.

use std::collections::BTreeMap;

use em_metrics::metrics::Metric;
use futures_util::StreamExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::whole_folder::{Post, SECOND, every_post, every_source, read_through};
use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    #[ignore = "needs EM_METRICS_PAYLOADS"]
    any_order_twice_and_by_two_writers_gives_the_same_facts_and_totals,
}

/// Each is another order.
const SEEDS: [u64; 3] = [2, 5, 7];
/// How many are under way at once.
const AT_ONCE: usize = 8;

/// Its only incident, jira:TES-4, was finished, reopened and finished again. The fact says when it was restored in the
/// end, whatever the order. But how long a restoration took is observed when one is first heard of, and what is in a
/// total never comes out again: which of the two durations is in this histogram is a matter of which was told first.
/// That it is one is not.
const REOPENED: &str = "TES";

/// How many observations, and of a histogram the sum and the buckets; `None`: they depend on the order.
type Total = (i64, Option<(i128, Vec<i64>)>);

/// What was told so far must not depend on the order in which it was.
#[derive(Debug, PartialEq)]
struct End {
    facts: Vec<String>,
    totals: BTreeMap<String, Total>,
}

/// Everything that is stored of what was told, but for when that was.
const FACTS: [&str; 6] = [
    "SELECT 'deployment ' || project_id || ' ' || id || ' ' || status || ' ' || environment || ' ' || counted \
     || ' start ' || COALESCE(CAST(deploy_start_at AS TEXT), '-') || ' deployed ' || COALESCE(CAST(deployed_at AS TEXT), '-') \
     || ' failed ' || COALESCE(CAST(failed_at AS TEXT), '-') || ' rolled back ' || COALESCE(CAST(rolled_back_at AS TEXT), '-') \
     || ' commit ' || COALESCE(CAST(first_commit_at AS TEXT), '-') || COALESCE(first_commit_from, '-') \
     || ' by ' || COALESCE(username, '-') || ' of ' || COALESCE(commit_sha, '-') || ' as ' || COALESCE(version, '-') \
     || ' at ' || COALESCE(url, '-') || ' for ' || COALESCE(reason, '-') || ' seen ' || COALESCE(seen, '-') FROM deployments",
    "SELECT 'incident ' || project_id || ' ' || id || ' ' || environment || ' ' || counted || ' start ' || started_at \
     || ' restored ' || COALESCE(CAST(restored_at AS TEXT), '-') || ' finished ' || COALESCE(CAST(finished_at AS TEXT), '-') \
     || ' of ' || COALESCE(deployment_id, '-') || ' severity ' || COALESCE(severity, '-') || ' title ' || COALESCE(title, '-') \
     || ' at ' || COALESCE(url, '-') || CASE WHEN deleted_at IS NULL THEN ' live' ELSE ' deleted' END \
     || ' seen ' || COALESCE(seen, '-') FROM incidents",
    "SELECT kind || ' ' || place || ' ' || id || ' ' || known || ' merge ' || COALESCE(merge_sha, '-') \
     || ' head ' || COALESCE(head_sha, '-') FROM changes",
    "SELECT 'push ' || repository || ' ' || before_sha || ' ' || after_sha || ' ' || COALESCE(branch, '-') || ' at ' || pushed_at \
     || ' first ' || COALESCE(CAST(first_commit_at AS TEXT), '-') || ' cut ' || is_cut FROM pushes",
    "SELECT 'commit ' || repository || ' ' || sha || ' at ' || committed_at FROM commits",
    "SELECT 'journal ' || entity || ' ' || project_id || ' ' || entity_id || ' made' FROM journal WHERE before IS NULL",
];

impl End {
    async fn of(app: &App) -> Self {
        let mut facts = Vec::new();
        for select in FACTS {
            facts.extend(app.database.texts(select).await);
        }
        facts.sort();
        let series = app.store.series().await.unwrap().into_iter();
        let totals = series.map(|series| {
            let name = format!("{:?} {:?}", series.metric, series.labels);
            let is_reopened = series.metric == Metric::TimeToRestore && series.labels.project_id.as_str() == REOPENED;
            let values = (!is_reopened).then_some((series.sum_micros, series.buckets));
            (name, (series.count, values))
        });
        Self { facts, totals: totals.collect() }
    }
}

async fn any_order_twice_and_by_two_writers_gives_the_same_facts_and_totals(engine: Engine) {
    let posts = every_post();
    let straight = engine.app_with(every_source).await;
    for post in &posts {
        post.send(&straight, 0).await;
    }
    read_through(&straight).await;
    let straight = End::of(&straight).await;
    assert!(straight.facts.len() > 200, "{} facts", straight.facts.len());
    for seed in SEEDS {
        let mut order: Vec<(&Post, usize)> =
            [0, SECOND].iter().flat_map(|from| posts.iter().map(|post| (post, *from))).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let first = engine.app_with(every_source).await;
        let second = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(App::start(first.database.shared(), every_source).await),
        };
        let writers = [Some(&first), second.as_ref()].into_iter().flatten().cycle();
        let sent = futures_util::stream::iter(order.into_iter().zip(writers));
        sent.for_each_concurrent(AT_ONCE, |((post, from), writer)| async move {
            post.send(writer, from).await;
        })
        .await;
        read_through(&first).await;
        let end = End::of(&first).await;
        let differ = differences(&straight, &end);
        if !differ.is_empty() {
            println!("seed {seed}: {differ:#?}");
        }
    }
}

fn differences(straight: &End, crooked: &End) -> Vec<String> {
    let facts = |one: &End, other: &End, sign: &'static str| {
        let only = one.facts.iter().filter(|fact| !other.facts.contains(fact));
        only.map(|fact| format!("{sign} {fact}")).collect::<Vec<_>>()
    };
    let series = straight.totals.keys().chain(crooked.totals.keys()).collect::<std::collections::BTreeSet<_>>();
    let totals = series.into_iter().filter(|series| straight.totals.get(*series) != crooked.totals.get(*series));
    let totals = totals
        .map(|series| format!("{series}: {:?} and {:?}", straight.totals.get(series), crooked.totals.get(series)));
    let mut all = [facts(straight, crooked, "-"), facts(crooked, straight, "+")].concat();
    all.sort_by(|a, b| a[2..].cmp(&b[2..]));
    all.extend(totals);
    all
}
