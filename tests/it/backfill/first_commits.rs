//! First commits that no push told of are asked of the forge.

use em_metrics::config::{Api, Config};
use serde_json::{Value, json};

use super::fake::{Canned, Fake, page, refusal};
use crate::engine::Engine;
use crate::webhooks::first_commit::{Story, found};
use crate::webhooks::inbox::settled;

on_each_engine! {
    it_is_the_earliest_commit_since_the_deployment_before,
    a_deployment_that_is_told_late_is_asked_for_and_the_next_one_again,
    a_limit_is_waited_for,
    bitbucket_and_gitlab_are_asked_in_their_own_ways,
    what_was_not_to_be_found_is_asked_again_another_day,
}

const SECOND: &str = "/repositories/1/compare/a1...c1?per_page=100&page=2";

fn compare(base: &str, head: &str) -> String {
    format!("/repos/acme/shop/compare/{base}...{head}?per_page=100")
}

fn commit(at: &str) -> Value {
    json!({"sha": "b1", "commit": {"author": {"date": "2020-01-01T00:00:00Z"}, "committer": {"date": at}}})
}

fn commits(at: &[&str]) -> Canned {
    let commits: Vec<_> = at.iter().map(|at| commit(at)).collect();
    page(json!({"status": "ahead", "total_commits": commits.len(), "commits": commits}))
}

async fn story(engine: Engine, fake: &Fake) -> Story {
    Story::begin_with(engine, asking(fake)).await
}

fn asking(fake: &Fake) -> impl FnOnce(&mut Config) {
    let api = json!({"vendor": "github", "url": fake.url, "token": "a-token-of-github"});
    let api: Api = serde_json::from_value(api).unwrap();
    |config| config.webhooks.apis = vec![api]
}

/// Moves the clock, and has everybody look.
async fn at(story: &mut Story, now: &str) {
    story.app.set_now(now);
    story.tell("ping", json!({})).await;
}

async fn asked(fake: &Fake, path: &str) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while !fake.was_asked(path) {
        assert!(tokio::time::Instant::now() < deadline, "{path} was not asked for");
        tokio::task::yield_now().await;
    }
}

async fn lead_times(story: &Story) -> f64 {
    story.app.metric("lead_time_for_changes_seconds_count{").await.unwrap_or_default()
}

async fn it_is_the_earliest_commit_since_the_deployment_before(engine: Engine) {
    let fake = Fake::start().await;
    let first = commits(&["2026-06-03T00:00:00Z", "2026-06-02T12:00:00Z"]).with("link", fake.next(SECOND));
    fake.at(&compare("a1", "c1"), [refusal(429).with("retry-after", "0"), first]);
    fake.at(SECOND, [commits(&["2026-06-04T00:00:00Z"])]);
    fake.at("/repos/acme/shop/commits/a1", [page(commit("2026-06-01T00:00:00Z"))]);
    let mut story = story(engine, &fake).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.deployed(2, "c1", "2026-06-05T00:00:00Z").await;
    assert_eq!(lead_times(&story).await, 0.0);
    at(&mut story, "2026-06-15T12:03:00Z").await;
    assert_eq!(story.first_commit(2).await, found("2026-06-02T12:00:00Z", "api"));
    assert_eq!(lead_times(&story).await, 1.0);
    // the first one has nothing before it: its own commit, when nothing better has come
    at(&mut story, "2026-06-15T12:11:00Z").await;
    assert_eq!(story.first_commit(1).await, found("2026-06-01T00:00:00Z", "head_commit"));
    assert_eq!(lead_times(&story).await, 2.0);
    let asked = fake.asked();
    assert!(asked.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer a-token-of-github")), "{asked:?}");
    assert_eq!(asked.len(), 4, "{asked:?}");
}

async fn a_deployment_that_is_told_late_is_asked_for_and_the_next_one_again(engine: Engine) {
    let fake = Fake::start().await;
    fake.at(&compare("a1", "e1"), [commits(&["2026-06-02T12:00:00Z", "2026-06-04T12:00:00Z"])]);
    fake.at(&compare("a1", "c1"), [commits(&["2026-06-02T12:00:00Z"])]);
    fake.at(&compare("c1", "e1"), [commits(&["2026-06-04T12:00:00Z"])]);
    let mut story = story(engine, &fake).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.deployed(3, "e1", "2026-06-05T00:00:00Z").await;
    at(&mut story, "2026-06-15T12:03:00Z").await;
    assert_eq!(story.first_commit(3).await, found("2026-06-02T12:00:00Z", "api"));
    story.deployed(2, "c1", "2026-06-03T00:00:00Z").await;
    at(&mut story, "2026-06-15T12:06:00Z").await;
    assert_eq!(story.first_commit(2).await, found("2026-06-02T12:00:00Z", "api"));
    asked(&fake, &compare("c1", "e1")).await;
    while story.first_commit(3).await != found("2026-06-04T12:00:00Z", "api") {
        tokio::task::yield_now().await;
    }
    assert_eq!(lead_times(&story).await, 2.0, "each of the two once");
}

async fn a_limit_is_waited_for(engine: Engine) {
    let fake = Fake::start().await;
    // 2026-06-15T12:13:00Z
    let limited = refusal(403).with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", "1781525580");
    fake.at(&compare("a1", "c1"), [limited, commits(&["2026-06-03T00:00:00Z"])]);
    let mut story = story(engine, &fake).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.deployed(2, "c1", "2026-06-05T00:00:00Z").await;
    at(&mut story, "2026-06-15T12:03:00Z").await;
    asked(&fake, &compare("a1", "c1")).await;
    at(&mut story, "2026-06-15T12:14:00Z").await;
    assert_eq!(story.first_commit(2).await, found("2026-06-03T00:00:00Z", "api"));
    let comparisons = fake.asked().iter().filter(|asked| asked.path == compare("a1", "c1")).count();
    assert_eq!(comparisons, 2);
}

async fn bitbucket_and_gitlab_are_asked_in_their_own_ways(engine: Engine) {
    let fake = Fake::start().await;
    let (before, after) = ("a1".repeat(20), "c1".repeat(20));
    let of_gitlab = json!({"commits": [{"id": "b1", "committed_date": "2026-06-03T00:00:00.000+00:00"},
        {"id": "c1", "committed_date": "2026-06-04T00:00:00Z"}]});
    fake.at(&format!("/projects/acme%2Fshop/repository/compare?from={before}&to={after}"), [page(of_gitlab)]);
    let first = json!({"values": [{"hash": "c1", "date": "2026-06-04T00:00:00+00:00"}],
        "next": format!("{}/more?page=2", fake.url)});
    let compare = format!("/repositories/acme/shop/commits?include={after}&exclude={before}&pagelen=100");
    fake.at(&compare, [page(first)]);
    fake.at("/more?page=2", [page(json!({"values": [{"hash": "b1", "date": "2026-06-03T12:00:00+00:00"}]}))]);
    let api = |vendor| json!({"vendor": vendor, "url": fake.url, "token": "a-token"});
    let apis: Vec<Api> = serde_json::from_value(json!([api("gitlab"), api("bitbucket")])).unwrap();
    let mut story = Story::begin_with(engine, |config| config.webhooks.apis = apis).await;
    let sample = em_metrics::webhooks::vendor("argocd").unwrap().samples.iter().find(|one| one.name == "deployed");
    // whoever deploys says where the commit is
    for (host, project) in [("gitlab.com", "one"), ("bitbucket.org", "two")] {
        for (sha, at) in [(&before, "2026-06-02T00:00:00Z"), (&after, "2026-06-05T00:00:00Z")] {
            let mut body: Value = serde_json::from_str(sample.unwrap().body).unwrap();
            (body["uid"], body["name"]) = (json!(project), json!(project));
            body["source"]["repoURL"] = json!(format!("https://{host}/acme/shop.git"));
            body["summary"]["images"] = json!([]);
            (body["operation"]["startedAt"], body["operation"]["finishedAt"]) = (json!(at), json!(at));
            body["operation"]["syncResult"]["revision"] = json!(sha);
            story.app.post("/webhooks/argocd", body).await.expect(200);
        }
    }
    settled(&story.app).await;
    at(&mut story, "2026-06-15T12:03:00Z").await;
    for (project, first) in [("one", "2026-06-03T00:00:00Z"), ("two", "2026-06-03T12:00:00Z")] {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        loop {
            let facts = story.app.get(&format!("/deployments?project_id={project}")).await.expect(200);
            let fact = facts.as_array().unwrap().iter().find(|fact| fact["commit_sha"] == after).unwrap().clone();
            if fact["first_commit_from"] == "api" {
                assert_eq!(fact["first_commit_at"], first);
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{fact} {:?}", fake.asked());
            tokio::task::yield_now().await;
        }
    }
}

async fn what_was_not_to_be_found_is_asked_again_another_day(engine: Engine) {
    let fake = Fake::start().await;
    // goes back to what was there before
    fake.at(&compare("c1", "a1"), [commits(&[]).with("etag", "W/\"none\"")]);
    let mut story = story(engine, &fake).await;
    story.deployed(1, "c1", "2026-06-02T00:00:00Z").await;
    story.deployed(2, "a1", "2026-06-05T00:00:00Z").await;
    at(&mut story, "2026-06-15T12:11:00Z").await;
    asked(&fake, "/repos/acme/shop/commits/a1").await;
    asked(&fake, "/repos/acme/shop/commits/c1").await;
    fake.asked();
    at(&mut story, "2026-06-17T12:11:00Z").await;
    asked(&fake, "/repos/acme/shop/commits/c1").await;
    let again: Vec<_> = fake.asked().into_iter().filter(|asked| asked.path == compare("c1", "a1")).collect();
    let [again] = &again[..] else { panic!("{again:?}") };
    assert_eq!((again.if_none_match.as_deref(), again.status), (Some("W/\"none\""), 304));
    assert_eq!(lead_times(&story).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_asks() {
    let fake = Fake::start().await;
    let sha = |n: u32| format!("c{n}");
    for n in 2..=20 {
        fake.at(&compare(&sha(n - 1), &sha(n)), [commits(&["2026-06-02T12:00:00Z"])]);
    }
    let mut one = story(Engine::Postgres, &fake).await;
    let mut other = one.elsewhere(asking(&fake)).await;
    for n in 1..=20 {
        one.deployed(n, &sha(n), &format!("2026-06-05T00:00:{n:02}Z")).await;
    }
    let now = "2026-06-15T12:03:00Z";
    tokio::join!(at(&mut one, now), at(&mut other, now));
    for n in 2..=20 {
        assert_eq!(other.first_commit(n).await, found("2026-06-02T12:00:00Z", "api"));
    }
    let asked = fake.asked();
    for n in 2..=20 {
        let path = compare(&sha(n - 1), &sha(n));
        assert_eq!(asked.iter().filter(|asked| asked.path == path).count(), 1, "{asked:?}");
    }
    other.app.stop().await;
}
