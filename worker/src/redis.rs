//! One way to reach Redis, for the queue, for progress and for budgets.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo, ProtocolVersion, PushInfo, RedisError};
use secrecy::{ExposeSecret, SecretString};

/// Redis may be slow without being gone: the client's own limit, half a second, would cut off every command
/// in flight whenever Redis pauses.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one try to connect may take.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no connection.
pub(crate) enum AddressError {
    /// The address is not one. It may hold a password, so what is wrong with it is not repeated.
    Malformed,
    /// Nobody answers there, or not as Redis does.
    Unreachable(RedisError),
}

/// Connects; from then on the connection heals itself and renews its subscriptions. `on_push` gets what
/// Redis sends unasked, and must not block.
pub(crate) async fn connect(
    url: &SecretString,
    on_push: impl Fn(PushInfo) + Send + Sync + 'static,
) -> Result<ConnectionManager, AddressError> {
    let address = url.expose_secret().into_connection_info().map_err(|_| AddressError::Malformed)?;
    // Only this protocol version can carry commands and messages over one connection.
    let settings = address.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(address.set_redis_settings(settings)).map_err(AddressError::Unreachable)?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_max_delay(LONGEST_PAUSE)
        .set_push_sender(move |push| {
            on_push(push);
            Ok::<(), std::convert::Infallible>(())
        })
        .set_automatic_resubscription();
    ConnectionManager::new_with_config(client, config).await.map_err(AddressError::Unreachable)
}
