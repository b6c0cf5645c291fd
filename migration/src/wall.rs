//! The second wall around an organization: on `PostgreSQL` the database itself hides the rows of all others,
//! also from a query that forgets to say whose rows it wants.
//!
//! Work for a viewer is run [`within`] its organization. Whenever it takes a connection from the pool, the
//! connection is told which one that is, and the policies of the tables compare each row with it. Work that
//! belongs to no viewer names none and sees everything: jobs, the sweep, the look-up of a token. A task that
//! is spawned belongs to nobody either; what it does for a viewer has to be run within the organization again.

mod policies;

use sea_orm_migration::sea_orm::sqlx::pool::PoolOptions;
use sea_orm_migration::sea_orm::sqlx::postgres::PgConnection;
use sea_orm_migration::sea_orm::sqlx::{Error, Postgres, query};
use uuid::Uuid;

use crate::LOCK;

pub(crate) use policies::extend;
pub use policies::{MARKS, Standing, lower, raise, standing};

tokio::task_local! {
    static ORGANIZATION: Option<Uuid>;
}

/// Does `work` for a viewer of `organization`; none: for nobody, who sees everything.
pub async fn within<F: Future>(organization: Option<Uuid>, work: F) -> F::Output {
    ORGANIZATION.scope(organization, work).await
}

/// Whose work is done here; none: nobody's.
pub fn organization() -> Option<Uuid> {
    ORGANIZATION.try_with(|organization| *organization).ok().flatten()
}

/// Lets every connection know how long it may wait for a lock, and whom it works for, whenever it is handed out.
pub(crate) fn guard(pool: PoolOptions<Postgres>) -> PoolOptions<Postgres> {
    pool.after_connect(|connection, _| Box::pin(begin(connection)))
        .before_acquire(|connection, _| Box::pin(async move { tell(connection).await.map(|()| true) }))
        // One that answers what it is told is alive: to ask it that first would be a second round trip.
        .test_before_acquire(false)
}

async fn begin(connection: &mut PgConnection) -> Result<(), Error> {
    let patience = format!("{}ms", LOCK.as_millis());
    query("select set_config('lock_timeout', $1, false)").bind(patience).execute(&mut *connection).await?;
    tell(connection).await
}

async fn tell(connection: &mut PgConnection) -> Result<(), Error> {
    let organization = organization().map(|id| id.to_string()).unwrap_or_default();
    // A bare `set` takes no parameters: each organization would be a statement of its own in the statistics.
    let told = query("select set_config('tenantry.organization', $1, false)").bind(organization);
    told.execute(connection).await.map(drop)
}
