//! When a tenant is scanned by itself.

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

/// The shortest time between two scans of a schedule.
pub const SHORTEST: TimeDelta = TimeDelta::minutes(15);
/// The longest that an interval may be.
pub const LONGEST: TimeDelta = TimeDelta::days(31);
/// The most by which a scan is later than its cron expression says: tenants do not all begin at once.
const SPREAD: TimeDelta = TimeDelta::minutes(10);
/// The longest expression that is read.
const LONGEST_CRON: usize = 100;

/// The schedule of one tenant. It has either an expression or an interval.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scan_schedule")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The member who scheduled it, in whose name the scans are.
    pub member_id: Uuid,
    /// A cron expression of five fields, in UTC.
    pub cron: Option<String>,
    /// Minutes from one scan to the next.
    pub every_minutes: Option<i32>,
    /// When the next scan begins.
    pub next_at: DateTimeUtc,
    /// The last scan that it began.
    pub last_operation_id: Option<Uuid>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

/// When a tenant is scanned.
#[derive(Clone, Debug)]
pub enum Rhythm {
    /// As a cron expression says.
    Cron(Box<Cron>),
    /// At this interval.
    Every(TimeDelta),
}

/// Why a rhythm is none, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoRhythm(String);

impl Rhythm {
    /// The rhythm of a cron expression, which may not ask for scans in quicker succession than [`SHORTEST`].
    pub fn cron(expression: &str, now: DateTime<Utc>) -> Result<Self, NoRhythm> {
        let fields = expression.split_whitespace().count();
        if fields != 5 || expression.len() > LONGEST_CRON {
            return Err(NoRhythm(format!(
                "A cron expression has five fields: minute, hour, day of month, month, day of week. This one has {fields}."
            )));
        }
        let wrong = |error: croner::errors::CronError| {
            NoRhythm(format!(
                "The cron expression cannot be read: {error}. Write it as in \"30 2 * * *\", for 02:30 UTC."
            ))
        };
        let cron: Cron = expression.parse().map_err(wrong)?;
        let first = cron.find_next_occurrence(&now, false).map_err(wrong)?;
        let second = cron.find_next_occurrence(&first, false).map_err(wrong)?;
        if second - first < SHORTEST {
            let shortest = SHORTEST.num_minutes();
            return Err(NoRhythm(format!("It may be scanned every {shortest} minutes at most.")));
        }
        Ok(Self::Cron(Box::new(cron)))
    }

    /// The rhythm of an interval.
    pub fn every(minutes: i32) -> Result<Self, NoRhythm> {
        let every = TimeDelta::minutes(minutes.into());
        if (SHORTEST..=LONGEST).contains(&every) {
            return Ok(Self::Every(every));
        }
        Err(NoRhythm(format!(
            "Give an interval of {} to {} minutes.",
            SHORTEST.num_minutes(),
            LONGEST.num_minutes()
        )))
    }

    /// When a tenant is scanned next. Each is a little later than the next, by what its id says: always the same.
    pub fn next(&self, tenant_id: Uuid, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Cron(cron) => {
                let later = share(tenant_id, SPREAD);
                // An expression that was read has a next time, or none within years.
                let next = cron.find_next_occurrence(&(now - later), false);
                next.map_or(now + LONGEST, |next| next + later)
            }
            Self::Every(every) => now + *every + share(tenant_id, *every / 10) - *every / 20,
        }
    }
}

/// A part of `most` that an id says.
fn share(id: Uuid, most: TimeDelta) -> TimeDelta {
    let [.., high, low] = *id.as_bytes();
    most * i32::from(u16::from_be_bytes([high, low])) / i32::from(u16::MAX)
}

impl Model {
    /// Its rhythm; none: what is stored is none any more.
    pub fn rhythm(&self, now: DateTime<Utc>) -> Option<Rhythm> {
        match (&self.cron, self.every_minutes) {
            (Some(cron), _) => Rhythm::cron(cron, now).ok(),
            (None, Some(minutes)) => Rhythm::every(minutes).ok(),
            (None, None) => None,
        }
    }
}

impl Entity {
    /// Schedules, of every organization, by which a scan is to begin by now.
    pub fn due(now: DateTime<Utc>) -> Select<Self> {
        Self::find().filter(Column::NextAt.lte(now)).order_by_asc(Column::NextAt).limit(1_000)
    }
}

/// A schedule's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::tenants(Column::TenantId, holder))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a moment")
    }

    #[test]
    fn what_is_no_rhythm_says_why() {
        for (expression, part) in [
            ("", "five fields"),
            ("* * * *", "five fields"),
            ("0 0 2 * * *", "five fields"),
            ("61 2 * * *", "cannot be read"),
            ("a b c d e", "cannot be read"),
            ("0 2 31 2 *", "cannot be read"),
            ("* * * * *", "15 minutes"),
            ("*/5 2 * * *", "15 minutes"),
        ] {
            let error = Rhythm::cron(expression, noon()).expect_err(expression);
            assert!(error.to_string().contains(part), "{expression}: {error}");
        }
        assert!(Rhythm::every(14).is_err() && Rhythm::every(-1).is_err() && Rhythm::every(i32::MAX).is_err());
        assert!(Rhythm::every(15).is_ok() && Rhythm::cron("30 2 * * MON-FRI", noon()).is_ok());
    }

    #[test]
    fn tenants_do_not_begin_at_once() {
        let daily = Rhythm::cron("0 2 * * *", noon()).expect("a rhythm");
        let begins: BTreeSet<_> =
            (0..200_u128).map(|id| daily.next(Uuid::from_u128(id << 3), noon())).collect();
        assert!(begins.len() > 100, "{}", begins.len());
        let (first, last) = (begins.first().expect("one"), begins.last().expect("one"));
        assert!(*last - *first <= SPREAD);
    }

    proptest! {
        #[test]
        fn the_next_scan_is_later_and_each_time_of_an_expression_comes_once(id in any::<u128>(), after in 0..10_000_i64) {
            let (id, now) = (Uuid::from_u128(id), noon() + TimeDelta::minutes(after));
            let hourly = Rhythm::cron("0 * * * *", noon()).expect("a rhythm");
            let first = hourly.next(id, now);
            prop_assert!(first > now && first - now <= TimeDelta::hours(1));
            prop_assert_eq!(hourly.next(id, first) - first, TimeDelta::hours(1));
            let every = Rhythm::every(60).expect("a rhythm").next(id, now);
            prop_assert!(every - now >= TimeDelta::minutes(57) && every - now <= TimeDelta::minutes(63));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9*/,a-zA-Z -]{0,40}") {
            if let Ok(rhythm) = Rhythm::cron(&text, noon()) {
                prop_assert!(rhythm.next(Uuid::nil(), noon()) > noon());
            }
        }
    }
}
