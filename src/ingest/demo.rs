//! Facts made up for trying things out and for measuring: what pipelines and people would have told, in the order
//! they would have. Each deployment is a story of its own, drawn from the seed and its number.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "made up, and far from the limits")]
#![expect(clippy::cast_sign_loss, reason = "a random number is not below 0")]

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Action, Command};
use crate::domain::deployment::{self, Change, Details};
use crate::domain::incident::{self, Opening};
use crate::domain::{Name, Prose, Timestamp};

const SECOND: i64 = 1_000_000;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
const NAMES: [&str; 12] = [
    "shop",
    "cart",
    "payments",
    "search",
    "accounts",
    "catalogue",
    "shipping",
    "invoices",
    "mobile",
    "gateway",
    "reports",
    "mail",
];
const TEAMS: [&str; 4] = ["checkout", "discovery", "platform", "logistics"];

#[derive(Debug)]
pub struct Demo {
    seed: u64,
    deployments: u64,
    projects: Vec<Project>,
    /// Microseconds.
    from: i64,
    until: i64,
}

/// How a project goes about it.
#[derive(Debug)]
struct Project {
    name: Name,
    team: Name,
    /// Median, in seconds.
    lead_time: f64,
    failure_rate: f64,
}

/// A deployment and what came of it.
#[derive(Debug, Default)]
pub struct Story {
    pub commands: Vec<Command>,
    pub incidents: u64,
}

impl Demo {
    /// `None`: before 1970.
    pub fn new(seed: u64, deployments: u64, projects: u64, days: u32, until: Timestamp) -> Option<Self> {
        let from = until.micros() - i64::from(days) * 86_400 * SECOND;
        // commits are older than what is deployed
        Timestamp::from_micros(from - 400 * 86_400 * SECOND)?;
        let mut random = StdRng::seed_from_u64(seed);
        let projects = (0..projects).map(|n| Project::new(n, &mut random)).collect::<Option<_>>()?;
        Some(Self { seed, deployments, projects, from, until: until.micros() })
    }

    /// What happened to deployment `number`; later numbers were deployed later.
    pub fn story(&self, number: u64) -> Story {
        let mut random = StdRng::seed_from_u64(self.seed.rotate_left(32) ^ number);
        // a few large projects, and many small ones
        let at = random.random::<f64>().powi(2) * self.projects.len() as f64;
        let Some(project) = self.projects.get(at as usize).or(self.projects.last()) else { return Story::default() };
        let mut story = self.tell(number, project, &mut random).unwrap_or_default();
        story.commands.sort_by_key(|command| command.received_at);
        story
    }

    fn tell(&self, number: u64, project: &Project, random: &mut StdRng) -> Option<Story> {
        let share = (number as f64 + random.random::<f64>()) / self.deployments as f64;
        let ended = self.from + ((self.until - self.from) as f64 * share) as i64;
        let ended = at_work(ended / SECOND).min(self.until / SECOND) * SECOND;
        let took = lognormal(random, 8.0 * MINUTE, 0.6).min(DAY);
        // whole seconds, as most tools tell them
        let before = |seconds: f64| Timestamp::from_micros(ended - seconds as i64 * SECOND);
        let after = |from: Timestamp, seconds: f64| {
            Timestamp::from_micros(from.micros() + seconds as i64 * SECOND).filter(|at| at.micros() <= self.until)
        };
        let (started_at, ended_at) = (before(took)?, before(0.0)?);
        let lead_time = (lognormal(random, project.lead_time, 1.1) + took).min(300.0 * DAY);
        let staging = random.random_bool(0.15);
        let id = name(&format!("demo-{}-{number}", self.seed))?;
        let mut story = Story::default();
        let actor = name("demo")?;
        let tell = |story: &mut Story, at: Timestamp, action: Action| {
            story.commands.push(Command { actor: actor.clone(), received_at: at, action });
        };
        let deployment = |details: Details, change: Change| {
            let (id, project_id) = (id.clone(), Some(project.name.clone()));
            Action::Deployment(deployment::Command { id, project_id, details, change })
        };
        let details = Details {
            first_commit_at: Some(before(lead_time)?),
            deploy_start_at: Some(started_at),
            environment: if staging { Some(name("staging")?) } else { None },
            team_id: Some(project.team.clone()),
            username: Some(name(&format!("dev-{}", random.random_range(0..40_u32)))?),
            commit_sha: Some(name(&format!("{:032x}", random.random::<u128>()))?),
            version: Some(name(&format!("1.{number}.0"))?),
            url: Prose::parse(&format!("https://ci.example.com/{}/runs/{number}", project.name)).ok(),
            unplanned: random.random_bool(0.08).then_some(true),
        };
        if random.random_bool(0.06) {
            tell(&mut story, started_at, deployment(details, Change::Start { deployed_at: None }));
            let failed = Change::Failed { failed_at: Some(ended_at), reason: None };
            tell(&mut story, ended_at, deployment(Details::default(), failed));
            return Some(story);
        }
        tell(&mut story, ended_at, deployment(details, Change::Start { deployed_at: Some(ended_at) }));
        if staging || !random.random_bool(project.failure_rate) {
            return Some(story);
        }
        let trouble_at = after(ended_at, lognormal(random, 25.0 * MINUTE, 1.0));
        let healed_at = trouble_at.and_then(|at| after(at, lognormal(random, 1.5 * HOUR, 1.0).min(20.0 * DAY)));
        if let Some(trouble_at) = trouble_at.filter(|_| random.random_bool(0.7)) {
            let incident = |change| {
                let id = Some(name(&format!("{id}-incident"))?);
                Some(Action::Incident(incident::Command { id, project_id: Some(project.name.clone()), change }))
            };
            let opening = Opening {
                deployment_id: Some(id.clone()),
                started_at: Some(trouble_at),
                url: Prose::parse(&format!("https://incidents.example.com/{id}")).ok(),
                severity: Some(name(["low", "high", "critical"][random.random_range(0..3_usize)])?),
                ..Opening::default()
            };
            tell(&mut story, trouble_at, incident(incident::Change::Open(Box::new(opening)))?);
            if let Some(healed_at) = healed_at {
                tell(&mut story, healed_at, incident(incident::Change::Restored { date: Some(healed_at) })?);
                if let Some(closed_at) = after(healed_at, lognormal(random, DAY, 0.7)) {
                    tell(&mut story, closed_at, incident(incident::Change::Finished { date: Some(closed_at) })?);
                }
            }
            story.incidents = 1;
            if !random.random_bool(0.3) {
                return Some(story);
            }
        }
        if let Some(back_at) = trouble_at.and_then(|at| after(at, lognormal(random, 20.0 * MINUTE, 0.7))) {
            let back = Change::RolledBack { rolled_back_at: Some(back_at), reason: None };
            tell(&mut story, back_at, deployment(Details::default(), back));
        }
        Some(story)
    }
}

impl Project {
    fn new(number: u64, random: &mut StdRng) -> Option<Self> {
        let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
        let name = known.map_or_else(|| name(&format!("service-{number}")), |known| self::name(known))?;
        Some(Self {
            name,
            team: self::name(TEAMS[(number % TEAMS.len() as u64) as usize])?,
            lead_time: lognormal(random, 1.5 * DAY, 0.8),
            failure_rate: random.random_range(0.04..0.22),
        })
    }
}

fn name(text: &str) -> Option<Name> {
    Name::parse(text).ok()
}

/// Most things happen from Monday to Friday, from 8 to 19: what falls on a night or a weekend mostly happened
/// some hours or days before.
fn at_work(seconds: i64) -> i64 {
    const DAY: i64 = 86_400;
    let (day, time) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // every eleventh is of the sort that cannot wait
    if seconds % 11 == 0 {
        return seconds;
    }
    // the first day of 1970 was a Thursday
    let weekend = ((day + 3) % 7 - 4).max(0);
    (day - weekend) * DAY + 8 * 3600 + time * 11 / 24
}

fn lognormal(random: &mut StdRng, median: f64, sigma: f64) -> f64 {
    // Box and Muller
    let (a, b): (f64, f64) = (random.random(), random.random());
    let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    median * (sigma * normal).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(seed: u64) -> Vec<String> {
        let demo = Demo::new(seed, 300, 15, 90, Timestamp::parse("2026-06-15T12:00:00Z").unwrap()).unwrap();
        (0..300).map(|n| format!("{:?}", demo.story(n))).collect()
    }

    #[test]
    fn a_seed_makes_the_same_facts_again() {
        assert_eq!(demo(1), demo(1));
        assert_ne!(demo(1), demo(2));
    }

    #[test]
    fn every_story_is_told_in_order_and_has_happened() {
        let until = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let demo = Demo::new(3, 2000, 12, 180, until).unwrap();
        let stories: Vec<_> = (0..2000).map(|n| demo.story(n)).collect();
        assert!(stories.iter().all(|story| !story.commands.is_empty()));
        for story in &stories {
            assert!(story.commands.is_sorted_by_key(|command| command.received_at));
            assert!(story.commands.iter().all(|command| command.received_at <= until));
        }
        let incidents: u64 = stories.iter().map(|story| story.incidents).sum();
        assert!((40..400).contains(&incidents), "{incidents}");
    }
}
