//! Answers that are too long to be made before they are sent.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

/// An answer that is written while it is read, by somebody who takes each piece in time. `slot` is free at its end.
pub fn streamed<W, F>(patience: Duration, slot: impl Send + 'static, media_type: &'static str, write: W) -> Response
where
    W: FnOnce(Output) -> F + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    let (sender, mut pages) = mpsc::channel(1);
    let to = Output { sender: sender.clone(), patience };
    tokio::spawn(async move {
        let _slot = slot;
        if let Err(error) = write(to).await {
            if error.is::<HungUp>() {
                tracing::debug!("an answer ended early: its reader hung up");
                return;
            }
            tracing::warn!(%error, "an answer broke off");
            // without its end the answer is not whole, and the reader can tell
            let _ = sender.send(Err(error)).await;
        }
    });
    let pages = futures_util::stream::poll_fn(move |context| pages.poll_recv(context));
    ([(header::CONTENT_TYPE, media_type)], Body::from_stream(pages)).into_response()
}

/// The reader of an answer does not want the rest, which is nobody's fault.
#[derive(Debug, thiserror::Error)]
#[error("its reader hung up")]
struct HungUp;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where an answer goes, piece by piece.
#[derive(Debug)]
pub struct Output {
    sender: mpsc::Sender<Result<Bytes, Failure>>,
    /// How long a reader may leave a piece lying.
    patience: Duration,
}

impl Output {
    pub async fn send(&self, bytes: Bytes) -> Result<(), Failure> {
        self.sender.send_timeout(Ok(bytes), self.patience).await.map_err(|error| match error {
            SendTimeoutError::Closed(_) => HungUp.into(),
            SendTimeoutError::Timeout(_) => "nobody read it in time".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_hangs_up_is_told_from_who_does_not_read() {
        let (sender, pages) = mpsc::channel(1);
        let output = Output { sender, patience: Duration::from_millis(10) };
        output.send(Bytes::from_static(b"1")).await.unwrap();
        let slow = output.send(Bytes::from_static(b"2")).await.unwrap_err();
        assert_eq!((slow.is::<HungUp>(), slow.to_string().as_str()), (false, "nobody read it in time"));
        drop(pages);
        assert!(output.send(Bytes::from_static(b"2")).await.unwrap_err().is::<HungUp>());
    }
}
