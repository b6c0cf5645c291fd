//! When somebody uses what: a rhythm, so that any day's activity is computed and none is stored.
//!
//! Somebody is active every so many days, on weekdays only, from the first day to the last. The rhythms of one
//! person's services are multiples of each other, so that the days of any of them are those of the busiest.

use super::sku::Service;

/// Days since the beginning of the common era: 1 was a Monday.
pub(crate) type Day = i32;

/// Somebody's rhythm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activity {
    pub(crate) first: Day,
    /// None: it goes on.
    pub(crate) last: Option<Day>,
    /// Days from one activity to the next; 0: there is never any.
    every: Day,
    phase: Day,
    luck: u64,
}

impl Activity {
    pub(crate) fn of(luck: u64, first: Day, last: Option<Day>) -> Self {
        let every = match luck % 100 {
            0..60 => 1,
            60..75 => 2,
            75..88 => 7,
            88..96 => 30,
            _ => 0,
        };
        // On a Monday to Friday, if it is once a week.
        let phase = 1 + Day::try_from((luck >> 8) % 5).unwrap_or(0);
        Self { first, last, every, phase, luck }
    }

    /// Days from one use of the service to the next; none: it is not used.
    fn every(&self, service: Service) -> Option<Day> {
        // Each divides the next.
        let times = match service {
            Service::Exchange | Service::Apps => 1,
            Service::Teams => [1, 1, 2, 0][self.of_four(16)],
            Service::OneDrive => [2, 2, 4, 0][self.of_four(20)],
            Service::SharePoint => [2, 4, 0, 4][self.of_four(24)],
            Service::Yammer => [4, 0, 0, 0][self.of_four(28)],
            Service::Skype => 0,
        };
        Some(self.every * times).filter(|&every| every > 0)
    }

    fn of_four(&self, shift: u32) -> usize {
        usize::try_from((self.luck >> shift) % 4).unwrap_or(0)
    }

    /// The last day of use until a day, that one included.
    pub(crate) fn last_until(&self, service: Service, until: Day) -> Option<Day> {
        let every = self.every(service)?;
        let until = self.last.map_or(until, |last| last.min(until));
        let mut day = until - (until - self.phase).rem_euclid(every);
        while is_weekend(day) {
            day -= every;
        }
        (day >= self.first).then_some(day)
    }

    /// How many days of use there are from one day to another, both included.
    pub(crate) fn days(&self, service: Service, from: Day, until: Day) -> u32 {
        let mut days = 0;
        let mut day = self.last_until(service, until);
        while let Some(found) = day.filter(|&day| day >= from) {
            days += 1;
            day = self.last_until(service, found - 1);
        }
        days
    }

    /// The last day until a day on which any service was used, of those that `has` names.
    pub(crate) fn last_of_any(&self, has: impl Fn(Service) -> bool, until: Day) -> Option<Day> {
        let all = Service::REPORTED.into_iter().filter(|&service| has(service));
        all.filter_map(|service| self.last_until(service, until)).max()
    }

    /// The busiest service of those that `has` names: its days are the days of any of them.
    fn busiest(&self, has: impl Fn(Service) -> bool) -> Option<Service> {
        let all = Service::REPORTED.into_iter().filter(|&service| has(service));
        all.filter_map(|service| Some((self.every(service)?, service)))
            .min_by_key(|(every, _)| *every)
            .map(|(_, service)| service)
    }
}

fn is_weekend(day: Day) -> bool {
    matches!(day.rem_euclid(7), 0 | 6)
}

/// How many use a service on each day, counted without looking at each day of each person.
pub(crate) struct Counts {
    from: Day,
    until: Day,
    /// By rhythm and phase: how many more there are from a day on.
    rhythms: std::collections::HashMap<(Day, Day), Vec<i64>>,
}

impl Counts {
    pub(crate) fn new(from: Day, until: Day) -> Self {
        Self { from, until, rhythms: std::collections::HashMap::new() }
    }

    pub(crate) fn add(&mut self, activity: &Activity, service: Service) {
        let Some(every) = activity.every(service) else { return };
        let first = activity.first.max(self.from);
        let last = activity.last.map_or(self.until, |last| last.min(self.until));
        if first > last {
            return;
        }
        let length = index(self.until - self.from) + 2;
        let rhythm = self.rhythms.entry((every, activity.phase.rem_euclid(every)));
        let changes = rhythm.or_insert_with(|| vec![0; length]);
        changes[index(first - self.from)] += 1;
        changes[index(last - self.from) + 1] -= 1;
    }

    pub(crate) fn add_any(&mut self, activity: &Activity, has: impl Fn(Service) -> bool) {
        if let Some(busiest) = activity.busiest(has) {
            self.add(activity, busiest);
        }
    }

    pub(crate) fn on(&self, day: Day) -> i64 {
        if is_weekend(day) {
            return 0;
        }
        let due = self.rhythms.iter().filter(|((every, phase), _)| (day - phase).rem_euclid(*every) == 0);
        due.map(|(_, changes)| changes[..=index(day - self.from)].iter().sum::<i64>()).sum()
    }
}

fn index(days: Day) -> usize {
    usize::try_from(days).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::mix;

    fn people() -> Vec<Activity> {
        let last = |number| (number % 5 == 0).then(|| 738_000 + Day::try_from(number % 90).unwrap_or(0));
        (0..500).map(|number| Activity::of(mix(3, number), 737_950, last(number))).collect()
    }

    #[test]
    fn counts_are_what_looking_at_everybody_on_every_day_finds() {
        let (from, until) = (737_940, 738_060);
        for service in Service::REPORTED {
            let mut counts = Counts::new(from, until);
            for one in &people() {
                counts.add(one, service);
            }
            for day in from..=until {
                let found = people().iter().filter(|one| one.last_until(service, day) == Some(day)).count();
                assert_eq!(counts.on(day), i64::try_from(found).unwrap(), "{service:?} on {day}");
            }
        }
    }

    #[test]
    fn the_days_of_any_service_are_those_of_the_busiest() {
        let has = |service| service != Service::Exchange;
        let (from, until) = (737_990, 738_020);
        let mut counts = Counts::new(from, until);
        for one in &people() {
            counts.add_any(one, has);
        }
        for day in from..=until {
            let found = people().iter().filter(|one| one.last_of_any(has, day) == Some(day)).count();
            assert_eq!(counts.on(day), i64::try_from(found).unwrap(), "{day}");
        }
    }

    #[test]
    fn nobody_works_on_a_sunday_and_somebody_never_does() {
        let last = |one: &Activity| one.last_until(Service::Exchange, 738_060);
        assert!(people().iter().filter_map(last).all(|day| !is_weekend(day)));
        assert!(people().iter().any(|one| last(one).is_none()));
    }
}
