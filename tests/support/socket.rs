//! A front end's socket for live queries.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::app::TestApp;

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A front end's socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one, with these headers; fails with the HTTP status if it is refused.
    pub async fn open(app: &TestApp, headers: &[(&str, &str)]) -> Result<Self> {
        let mut request = format!("ws://{}/graphql/ws", app.address()).into_client_request()?;
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
        for (name, value) in headers.iter().chain([&protocol]) {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
        }
        Ok(Self(tokio_tungstenite::connect_async(request).await?.0))
    }

    /// Says the first message, and hears that it is taken.
    pub async fn init(&mut self, payload: Value) -> Result<()> {
        self.say(json!({ "type": "connection_init", "payload": payload })).await?;
        let heard = self.hear().await?;
        if heard["type"] != "connection_ack" {
            bail!("not taken: {heard}");
        }
        Ok(())
    }

    /// Begins an operation.
    pub async fn subscribe(&mut self, query: &str) -> Result<()> {
        self.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await
    }

    /// Says a message.
    pub async fn say(&mut self, message: Value) -> Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// The next message.
    pub async fn hear(&mut self) -> Result<Value> {
        loop {
            match self.receive().await? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// By which code and for what reason the socket is closed, whatever is said before.
    pub async fn closed(&mut self) -> Result<(u16, String)> {
        loop {
            if let Message::Close(frame) = self.receive().await? {
                let frame = frame.context("closed without a code")?;
                return Ok((frame.code.into(), frame.reason.to_string()));
            }
        }
    }

    async fn receive(&mut self) -> Result<Message> {
        let received = tokio::time::timeout(PATIENCE, self.0.next()).await.context("nothing came")?;
        Ok(received.context("the socket ended")??)
    }
}
