//! Requests byte by byte, for what no well-behaved client would send.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::App;

/// Far more than any answer takes, so that a hanging service fails the test and not the run.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Wire(TcpStream);

/// What came back until the service closed the connection.
#[derive(Debug)]
pub struct Reply {
    /// Lower case; begins with the status line.
    pub head: String,
    pub body: String,
}

impl App {
    pub async fn wire(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }

    /// A whole conversation: all is sent, and the answer read to its end.
    pub async fn talk(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut wire = self.wire().await;
        wire.send(bytes).await;
        wire.reply().await
    }
}

impl Wire {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Nothing more will be sent.
    pub async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads until the text has come.
    pub async fn hear(&mut self, text: &str) {
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(text) {
            let byte = tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("nothing comes").unwrap();
            heard.push(byte);
        }
    }

    /// Reads until the service closes the connection; the request should ask for that.
    pub async fn reply(&mut self) -> Reply {
        let mut bytes = Vec::new();
        let read =
            tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the answer does not end");
        // a service that refuses to read all of a request resets the connection after its answer
        if let Err(error) = read {
            assert!(!bytes.is_empty(), "no answer: {error}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Reply { head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

impl Reply {
    pub fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {self:?}"));
        status.parse().unwrap()
    }

    #[track_caller]
    pub fn expect_problem(&self, status: u16, name: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["type"], format!("/problems/{name}"));
        assert_eq!(problem["status"], status);
    }
}
