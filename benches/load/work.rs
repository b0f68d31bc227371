//! The requests: what a pipeline sends when it starts and when it has deployed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::client::Work;

/// The credentials of the servers under load: checking them is part of the cost.
pub const TOKEN: &str = "of-the-load-generator-and-nobody-else";

/// The deployments of one database; ids grow, as run numbers do.
#[derive(Debug)]
pub struct Deployments {
    projects: u64,
    next: u64,
    /// Started and not deployed.
    running: VecDeque<u64>,
    pub started: u64,
    pub deployed: u64,
}

impl Deployments {
    pub fn new(projects: u64, first: u64) -> Self {
        Self { projects, next: first, running: VecDeque::new(), started: 0, deployed: 0 }
    }

    fn project(&self, number: u64) -> u64 {
        project(number, self.projects)
    }
}

/// Neighbours are of different projects, and of no regular order.
pub fn project(number: u64, projects: u64) -> u64 {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % projects
}

/// A different one for each number.
pub fn commit(number: u64) -> String {
    format!("{:040x}", u128::from(number).wrapping_mul(0xD6E8_FEB8_6659_FD93_CA5A_8268_9512_1157))
}

/// `POST /deployments`
#[derive(Debug)]
pub struct Start(pub Deployments);

impl Work for Start {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        let number = self.0.next;
        self.0.next += 1;
        write_start(request, number, self.0.project(number));
        Some(number)
    }

    fn done(&mut self, number: u64) {
        self.0.started += 1;
        self.0.running.push_back(number);
    }

    fn expected(&self) -> u16 {
        201
    }
}

/// The first `POST /deployments` of each project, one after the other; they stay as they are.
#[derive(Debug)]
pub struct First {
    pub deployments: Deployments,
    /// Projects that have been asked about.
    pub projects: u64,
}

impl Work for First {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        if self.projects == self.deployments.projects {
            return None;
        }
        let number = self.deployments.next;
        write_start(request, number, self.projects);
        self.deployments.next += 1;
        self.projects += 1;
        Some(number)
    }

    fn done(&mut self, _: u64) {
        self.deployments.started += 1;
    }

    fn expected(&self) -> u16 {
        201
    }
}

/// `POST /deployments/{id}/deployed`
#[derive(Debug)]
pub struct Deployed(pub Deployments);

impl Work for Deployed {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        let number = self.0.running.pop_front()?;
        let body = format!(r#"{{"project_id":"project-{}"}}"#, self.0.project(number));
        write_post(request, format_args!("/deployments/{}/deployed", id(number)), &body);
        Some(number)
    }

    fn done(&mut self, _: u64) {
        self.0.deployed += 1;
    }

    fn expected(&self) -> u16 {
        200
    }
}

fn id(number: u64) -> u64 {
    10_000_000_000 + number
}

/// Some time in January.
fn first_commit_at(number: u64) -> String {
    let (day, minute) = (number % 28 + 1, number % 60);
    format!("2026-01-{day:02}T12:{minute:02}:00Z")
}

fn write_start(request: &mut Vec<u8>, number: u64, project: u64) {
    let mut body = String::with_capacity(300);
    let _ = write!(
        body,
        r#"{{"id":"{id}","project_id":"project-{project}","first_commit_at":"{first_commit_at}","#,
        id = id(number),
        first_commit_at = first_commit_at(number),
    );
    let _ = write!(
        body,
        r#""username":"dev-{}","commit_sha":"{}","version":"1.{}.0"}}"#,
        number % 200,
        commit(number),
        number % 1000,
    );
    write_post(request, format_args!("/deployments"), &body);
}

fn write_post(request: &mut Vec<u8>, path: std::fmt::Arguments<'_>, body: &str) {
    let _ = write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: load\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
}
