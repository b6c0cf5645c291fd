//! A server that answers each request as it is told, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use chrono::DateTime;
use microsoft::{Microsoft, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What is sent back.
pub enum Answer {
    /// These bytes.
    Bytes(String),
    /// Nothing: the connection is cut.
    Cut,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method, path and query.
    pub line: String,
    /// Headers in lower case.
    pub headers: String,
    /// The body.
    pub body: String,
}

/// A running server.
pub struct Server {
    base: Url,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// Answers the n-th request (from 0) with what `answer` says.
    pub async fn start(answer: impl Fn(usize, &Received, &Url) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base: Url =
            format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a URL");
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept, own) = (Arc::new(answer), Arc::clone(&received), base.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, kept, own) = (Arc::clone(&answer), Arc::clone(&kept), own.clone());
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else { return };
                    let number = {
                        let mut kept = kept.lock().expect("a lock");
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    if let Answer::Bytes(bytes) = answer(number, &request, &own) {
                        // The client may hang up in the middle; that is what some tests are about.
                        let _ = stream.write_all(bytes.as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Self { base, received }
    }

    /// A client of this server.
    pub fn client(&self) -> Microsoft {
        let settings = Settings {
            login_url: self.base.clone(),
            arm_url: self.base.clone(),
            graph_url: self.base.clone(),
            consumption_url: self.base.clone(),
            report_hosts: microsoft::ReportHosts::default(),
            client_id: "11111111-2222-3333-4444-555555555555".into(),
            client_secret: "s3cret&more".into(),
            redirect_uri: "http://localhost:1/consent/callback".parse().expect("a URL"),
        };
        Microsoft::new(settings, Arc::new(|| DateTime::UNIX_EPOCH)).expect("a client")
    }

    /// Everything that was asked, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("a lock").clone()
    }

    /// The request lines that were asked, in order.
    pub fn lines(&self) -> Vec<String> {
        self.received().into_iter().map(|request| request.line).collect()
    }
}

/// An answer with a JSON body and more header lines.
pub fn json(status: u16, headers: &str, body: &str) -> Answer {
    Answer::Bytes(format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    ))
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
            let headers = headers.to_ascii_lowercase();
            let length = headers
                .lines()
                .find_map(|header| header.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                let line = line.trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Received { line, headers, body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
