//! A wire to a server that can be cut without either end being told: connections stay open, and nothing comes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    address: SocketAddr,
    /// The last is of the connections to come.
    frozen: Arc<Mutex<Vec<watch::Sender<bool>>>>,
}

impl Proxy {
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let frozen = Arc::new(Mutex::new(vec![watch::channel(false).0]));
        let wires = frozen.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = wires.lock().unwrap().last().unwrap().subscribe();
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, state.clone()));
                tokio::spawn(carry(from_server, to_client, state));
            }
        });
        Self { address, frozen }
    }

    /// To the database of this address.
    pub async fn to(url: &str) -> (Self, String) {
        let mut url = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let proxy = Self::start(server).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.address.port())).unwrap();
        (proxy, url.into())
    }

    pub fn freeze(&self) {
        self.set_frozen(true);
    }

    pub fn thaw(&self) {
        self.set_frozen(false);
    }

    /// Forgets the connections that there are, and takes others.
    pub fn forget(&self) {
        self.freeze();
        self.frozen.lock().unwrap().push(watch::channel(false).0);
    }

    fn set_frozen(&self, is_frozen: bool) {
        self.frozen.lock().unwrap().iter().for_each(|wires| _ = wires.send_replace(is_frozen));
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut frozen: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if frozen.wait_for(|frozen| !frozen).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
