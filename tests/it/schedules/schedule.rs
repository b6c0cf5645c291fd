//! What is drawn: a world, what people ask for in it, and everything that goes wrong meanwhile.

use entity::subscription::AccessLevel;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use simulator::BuiltInRole;

/// The most subscriptions of a world.
pub const SUBSCRIPTIONS: u32 = 3;

/// A world, what people ask for in it, and what goes wrong meanwhile.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub world: World,
    pub acts: Vec<Act>,
    /// The level that is asked for when nothing goes wrong any more.
    pub peace: AccessLevel,
}

/// What the clouds and the workers are like.
#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    pub subscriptions: u32,
    /// How many workers there are at a time.
    pub hands: usize,
    /// The most milliseconds that pass at each look at the clock: every call, statement and pause takes its time.
    pub pace: u64,
    /// Seconds until a change of roles shows: at least, and how many more at most.
    pub propagation: (i64, i64),
    /// Seconds until the directory knows our service principal.
    pub replication: u64,
    /// Seconds that a token lasts; none: 60 to 90 minutes.
    pub token_lifetime: Option<u64>,
    /// Seconds that Microsoft's clock is ahead.
    pub skew: i64,
    /// Whether a revoked token is refused at once.
    pub continuous: bool,
    pub keeps_reader: bool,
    /// Whether Azure names the assignment in the way of another.
    pub names_conflicts: bool,
}

/// One consent with everything that follows it.
#[derive(Clone, Debug)]
pub struct Act {
    /// Seconds after the end of what was before.
    pub after: u64,
    pub wish: Wish,
    pub outages: Vec<Outage>,
    pub troubles: Vec<Trouble>,
    pub kills: Vec<Kill>,
    pub leaps: Vec<Leap>,
}

/// Who consents, and to what.
#[derive(Clone, Debug)]
pub struct Wish {
    pub user: &'static str,
    /// The level that is asked for; none: an onboarding.
    pub level: Option<AccessLevel>,
    /// For which subscriptions, one bit for each.
    pub only: u8,
}

/// Calls that go wrong.
#[derive(Clone, Debug)]
pub struct Outage {
    pub route: Route,
    pub after: usize,
    pub times: usize,
    pub fault: Mishap,
}

/// Calls of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Assign,
    Remove,
    Assignments,
    Permissions,
    Subscriptions,
    Token,
    Graph,
}

/// What goes wrong with them.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    /// Refused for so many seconds.
    Throttled(u32),
    /// Not available, for so many seconds if Azure says so.
    Away(Option<u32>),
    /// Not done, and no answer.
    Reset,
    /// Done, and the answer is lost.
    Lost,
    /// Not allowed.
    Refused,
}

/// What happens once Azure has got so many calls since the consent was asked for.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub after: usize,
    pub event: Event,
}

/// What people do meanwhile. Numbers are those of subscriptions.
#[derive(Clone, Debug)]
pub enum Event {
    /// The consenting user's tokens are revoked.
    Revoke,
    /// A policy asks the consenting user for more.
    Challenge,
    /// A member closes the newest window.
    Close,
    /// A member cancels what is under way.
    Cancel,
    /// Somebody consents once more.
    Consent(Wish),
    /// Somebody disables a subscription.
    Disable(u32),
    /// Somebody locks a subscription.
    Lock(u32),
    /// Somebody moves a subscription to another tenant.
    Move(u32),
    /// Somebody else gives our service principal a role, there or above it.
    Give(u32, BuiltInRole, bool),
    /// Somebody removes the role that our service principal has there.
    Take(u32, BuiltInRole),
}

/// A worker dies at this poll of any of them.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub poll: u64,
    /// Whether the whole process dies with everything that it remembers.
    pub restarts: bool,
}

/// Before this look at the clock so many seconds pass.
#[derive(Clone, Debug)]
pub struct Leap {
    pub look: u64,
    pub seconds: u64,
}

impl Act {
    /// One in which nothing goes wrong.
    pub fn calm(level: Option<AccessLevel>) -> Self {
        Self {
            after: 5,
            wish: Wish { user: "owner", level, only: u8::MAX },
            outages: Vec::new(),
            troubles: Vec::new(),
            kills: Vec::new(),
            leaps: Vec::new(),
        }
    }

    fn onboards(mut self) -> Self {
        self.wish.level = None;
        self
    }

    fn changes_to(mut self, level: AccessLevel) -> Self {
        self.wish.level = Some(level);
        self
    }
}

/// An onboarding.
pub fn onboardings() -> BoxedStrategy<Schedule> {
    of((act(), level()).prop_map(|(act, peace)| (vec![act.onboards()], peace)))
}

/// A change of access, of a tenant that was onboarded in peace, or that was changed before.
pub fn changes() -> BoxedStrategy<Schedule> {
    let drawn = (act(), level(), level(), any::<bool>());
    of(drawn.prop_map(|(act, to, peace, is_changed)| {
        let mut acts = vec![Act::calm(None)];
        if is_changed {
            acts.push(Act::calm(Some(if to == AccessLevel::WriteTags {
                READ
            } else {
                AccessLevel::WriteTags
            })));
        }
        acts.push(act.changes_to(to));
        (acts, peace)
    }))
}

/// What a second consent resumes: an onboarding, or a change.
pub fn resumptions() -> BoxedStrategy<Schedule> {
    let drawn = ([act(), act()], option::of(level()), level());
    of(drawn.prop_map(|([first, second], to, peace)| match to {
        None => (vec![first.onboards(), second.onboards()], peace),
        Some(to) => (vec![Act::calm(None), first.changes_to(to), second.changes_to(to)], peace),
    }))
}

/// Anything after an onboarding.
pub fn anything() -> BoxedStrategy<Schedule> {
    of((act(), vec(act(), 1..4), level())
        .prop_map(|(first, more, peace)| (std::iter::once(first.onboards()).chain(more).collect(), peace)))
}

const READ: AccessLevel = AccessLevel::ReadTags;

fn of(acts: impl Strategy<Value = (Vec<Act>, AccessLevel)> + 'static) -> BoxedStrategy<Schedule> {
    (world(), acts).prop_map(|(world, (acts, peace))| Schedule { world, acts, peace }).boxed()
}

fn world() -> impl Strategy<Value = World> {
    let pace = prop_oneof![3 => Just(0), 3 => Just(20), 3 => Just(400), 2 => Just(3_000), 1 => Just(8_000)];
    let propagation = prop_oneof![
        8 => Just((0, 0)),
        8 => (0..60_i64, 0..180_i64),
        2 => (0..60_i64, 300..600_i64),
        1 => (900..2_400_i64, 0..600_i64),
    ];
    let lifetime = prop_oneof![4 => Just(None), 2 => (30..3_600_u64).prop_map(Some)];
    let skew = prop_oneof![4 => Just(0), 1 => -300..300_i64];
    let hands = prop_oneof![2 => Just(1_usize), 1 => Just(2)];
    let replication = prop_oneof![3 => Just(0), 1 => 1..90_u64];
    (
        (
            any::<u64>(),
            prop_oneof![2 => Just(1), 2 => Just(2), 1 => Just(SUBSCRIPTIONS)],
            hands,
            pace,
            propagation,
            replication,
            lifetime,
            skew,
        ),
        any::<[bool; 3]>(),
    )
        .prop_map(|(drawn, [continuous, keeps_reader, names_conflicts])| {
            let (seed, subscriptions, hands, pace, propagation, replication, token_lifetime, skew) = drawn;
            World {
                seed,
                subscriptions,
                hands,
                pace,
                propagation,
                replication,
                token_lifetime,
                skew,
                continuous,
                keeps_reader,
                names_conflicts,
            }
        })
}

fn act() -> impl Strategy<Value = Act> {
    let after = prop_oneof![3 => Just(5_u64), 1 => 1..600_u64, 1 => 3_600..20_000_u64];
    (after, wish(), vec(outage(), 0..3), vec(trouble(), 1..4), vec(kill(), 0..3), vec(leap(), 0..2)).prop_map(
        |(after, wish, outages, troubles, kills, leaps)| Act { after, wish, outages, troubles, kills, leaps },
    )
}

fn wish() -> impl Strategy<Value = Wish> {
    let user = prop_oneof![
        12 => Just("owner"),
        1 => Just("guest"),
        1 => Just("rbac-administrator"),
        1 => Just("contributor"),
    ];
    let only = prop_oneof![3 => Just(u8::MAX), 1 => 1..8_u8];
    (user, option::of(level()), only).prop_map(|(user, level, only)| Wish { user, level, only })
}

fn level() -> impl Strategy<Value = AccessLevel> {
    prop_oneof![2 => Just(AccessLevel::WriteTags), 1 => Just(AccessLevel::ReadTags)]
}

fn outage() -> impl Strategy<Value = Outage> {
    let route = prop_oneof![
        4 => Just(Route::Assign),
        4 => Just(Route::Remove),
        2 => Just(Route::Assignments),
        2 => Just(Route::Permissions),
        1 => Just(Route::Subscriptions),
        1 => Just(Route::Token),
        1 => Just(Route::Graph),
    ];
    let seconds = prop_oneof![Just(1_u32), Just(2), Just(5), Just(40), Just(600)];
    let fault = prop_oneof![
        3 => seconds.clone().prop_map(Mishap::Throttled),
        2 => option::of(seconds).prop_map(Mishap::Away),
        2 => Just(Mishap::Reset),
        3 => Just(Mishap::Lost),
        1 => Just(Mishap::Refused),
    ];
    let times = prop_oneof![3 => Just(1_usize), 2 => 2..6_usize, 1 => Just(60)];
    (route, 0..4_usize, times, fault).prop_map(|(route, after, times, fault)| {
        // Whoever may not list assignments is told nothing of them, and assigns what is there once more.
        let is_told = matches!(route, Route::Assign | Route::Remove | Route::Permissions);
        let fault = match fault {
            Mishap::Refused if !is_told => Mishap::Reset,
            fault => fault,
        };
        Outage { route, after, times, fault }
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let number = prop_oneof![3 => Just(0), 1 => 0..SUBSCRIPTIONS];
    let role = prop_oneof![Just(BuiltInRole::Reader), Just(BuiltInRole::TagContributor)];
    let event = prop_oneof![
        3 => Just(Event::Revoke),
        2 => Just(Event::Challenge),
        3 => Just(Event::Close),
        4 => Just(Event::Cancel),
        3 => wish().prop_map(Event::Consent),
        1 => number.clone().prop_map(Event::Disable),
        5 => number.clone().prop_map(Event::Lock),
        1 => number.clone().prop_map(Event::Move),
        4 => (number.clone(), role.clone(), any::<bool>()).prop_map(|(at, role, above)| Event::Give(at, role, above)),
        2 => (number, role).prop_map(|(at, role)| Event::Take(at, role)),
    ];
    (3..26_usize, event).prop_map(|(after, event)| Trouble { after, event })
}

fn kill() -> impl Strategy<Value = Kill> {
    let poll = prop_oneof![2 => 1..60_u64, 4 => 60..250_u64, 1 => 250..1_000_u64];
    (poll, prop::bool::weighted(0.3)).prop_map(|(poll, restarts)| Kill { poll, restarts })
}

fn leap() -> impl Strategy<Value = Leap> {
    let seconds = prop_oneof![1 => 1..60_u64, 2 => 60..3_600_u64, 1 => 3_600..8_000_u64];
    (1..120_u64, seconds).prop_map(|(look, seconds)| Leap { look, seconds })
}
