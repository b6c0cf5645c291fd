//! Retention: old events go, the chain stays good.

use anyhow::Result;
use chrono::TimeDelta;
use entity::audit_event::{Action, Actor, Author, Column, Entity, Fault, ObjectKind, Record};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use support::app::TestApp;
use worker::jobs::Prune;
use worker::queue::When;

use super::{Book, actions};

#[tokio::test]
async fn old_events_go_in_batches_and_the_rest_is_as_good_as_before() -> Result<()> {
    let book = Book::start().await?;
    book.write(1_203).await?;
    book.clock.advance(TimeDelta::days(10));
    book.write(7).await?;
    let cutoff = book.clock.now() - TimeDelta::days(5);

    let removed = worker::audit::prune(&book.database, &book.keyring, cutoff).await?;

    assert_eq!(removed, 1_203);
    assert_eq!(book.fault().await?, None);
    let left: Vec<_> = book.events().await?.iter().map(|event| event.sequence).collect();
    assert_eq!(left, (1_204..=1_210).collect::<Vec<_>>());
    assert_eq!((book.head().await?.pruned_sequence, book.head().await?.sequence), (1_203, 1_210));
    assert_eq!(worker::audit::prune(&book.database, &book.keyring, cutoff).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_chain_all_of_whose_events_are_old_goes_on_where_it_was() -> Result<()> {
    let book = Book::start().await?;
    book.write(500).await?;
    let cutoff = book.clock.now() + TimeDelta::seconds(1);

    let removed = worker::audit::prune(&book.database, &book.keyring, cutoff).await?;
    book.write(2).await?;

    assert_eq!(removed, 500);
    assert_eq!(book.fault().await?, None);
    let left: Vec<_> = book.events().await?.iter().map(|event| event.sequence).collect();
    assert_eq!(left, [501, 502]);
    Ok(())
}

#[tokio::test]
async fn what_was_tampered_with_is_kept_however_old_it_is() -> Result<()> {
    let book = Book::start().await?;
    book.write(5).await?;
    book.drop_triggers().await?;
    Entity::update_many()
        .col_expr(Column::Address, Expr::val("203.0.113.9"))
        .filter(Column::Sequence.eq(2))
        .exec(&book.database)
        .await?;
    let cutoff = book.clock.now() + TimeDelta::days(1);

    let removed = worker::audit::prune(&book.database, &book.keyring, cutoff).await?;

    assert_eq!(removed, 0);
    assert_eq!(book.fault().await?, Some(Fault::Altered(2)));
    assert_eq!(book.events().await?.len(), 5);
    Ok(())
}

#[tokio::test]
async fn the_job_keeps_two_years() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let author = Author::unasked(app.member.organization_id, Actor::Member(app.member.id));
    let write = async || {
        let transaction = worker::transaction::begin(&app.database).await?;
        let record = Record::of(Action::SignedIn, ObjectKind::Member, app.member.id);
        let (keyring, now) = (&app.services.keyring, app.clock.now());
        worker::audit::append(&transaction, keyring, now, &author, record).await?;
        transaction.commit().await
    };
    let prune = async || {
        app.context.queue.push(&Prune {}, When::default()).await?;
        app.run_jobs().await
    };

    write().await?;
    app.clock.advance(TimeDelta::days(729));
    write().await?;
    prune().await?;
    assert_eq!(actions(&app).await?.len(), 2);
    app.clock.advance(TimeDelta::days(2));
    prune().await?;

    assert_eq!(actions(&app).await?.len(), 1);
    Ok(())
}
