//! What lanes promise, whether they are one process's own or shared.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::header::{HeaderName, HeaderValue};

use super::sharing::{Away, Seen};
use super::*;

/// Memory that several throttles share, with Redis' faults.
#[derive(Default)]
struct Board {
    states: Mutex<HashMap<String, Vec<u8>>>,
    is_away: AtomicBool,
    is_mute: AtomicBool,
    asked: AtomicUsize,
    /// Milliseconds that have passed there; more pass only when a test says so.
    passed: AtomicU64,
}

impl Board {
    fn now(&self) -> Duration {
        Duration::from_hours(400_000) + Duration::from_millis(self.passed.load(Relaxed))
    }

    async fn answer(&self) -> Result<(), Away> {
        self.asked.fetch_add(1, Relaxed);
        tokio::task::yield_now().await;
        if self.is_mute.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.is_away.load(Relaxed) { Err("away".into()) } else { Ok(()) }
    }
}

impl SharedBudgets for Board {
    fn look<'a>(&'a self, lane: &'a str) -> BoxFuture<'a, Result<Seen, Away>> {
        async move {
            self.answer().await?;
            Ok(Seen { state: lock(&self.states).get(lane).cloned(), now: self.now() })
        }
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        lane: &'a str,
        seen: Option<&'a [u8]>,
        state: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Seen>, Away>> {
        async move {
            self.answer().await?;
            let mut states = lock(&self.states);
            let held = states.get(lane).cloned();
            if held.as_deref() == seen {
                states.insert(lane.to_owned(), state.to_vec());
                return Ok(None);
            }
            Ok(Some(Seen { state: held, now: self.now() }))
        }
        .boxed()
    }
}

async fn let_others_run() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

/// Two workers that share `board`.
fn two_over(board: &Arc<Board>) -> [Throttle; 2] {
    std::array::from_fn(|_| Throttle::new(Some(Arc::clone(board) as Arc<dyn SharedBudgets>)))
}

/// Two ways to the same budgets: a process's own, and those of two processes. Time stands still for both.
fn both() -> [[Throttle; 2]; 2] {
    let alone = Throttle::timed(None, Box::new(Duration::default));
    [[alone.clone(), alone], two_over(&Arc::default())]
}

fn lane(budget: Budget) -> Lane {
    Lane { tenant: Uuid::nil(), subscription: None, budget, principal: Principal::App }
}

fn left(count: &'static str) -> HeaderMap {
    let name = HeaderName::from_static("x-ms-ratelimit-remaining-tenant-reads");
    [(name, HeaderValue::from_static(count))].into_iter().collect()
}

async fn now(throttle: &Throttle, lane: Lane) -> Result<Permit, Duration> {
    throttle.acquire(lane, Duration::ZERO).await
}

async fn is_closed(throttle: &Throttle, lane: Lane) -> bool {
    now(throttle, lane).await.is_err_and(|wait| wait > Duration::from_mins(1))
}

#[tokio::test]
async fn a_refusal_closes_the_lane_for_everybody_and_no_other() {
    for [one, other] in both() {
        let lane = lane(Budget::ArmWrites);
        let permit = now(&one, lane).await.expect("a full bucket");
        permit.refused(Duration::from_secs(30)).await;

        let wait = other.acquire(lane, Duration::from_secs(1)).await.err().expect("a closed lane");

        assert!(wait > Duration::from_secs(29), "{wait:?}");
        let principal = Principal::bearing(&"a token".into());
        for open in [
            Lane { principal, ..lane },
            Lane { subscription: Some(Uuid::max()), ..lane },
            Lane { budget: Budget::ArmDeletes, ..lane },
        ] {
            assert!(now(&other, open).await.is_ok(), "{open:?}");
        }
    }
}

#[tokio::test]
async fn what_one_is_told_the_other_knows() {
    for [one, other] in both() {
        let lane = lane(Budget::ArmReads);
        let permit = now(&one, lane).await.expect("a full bucket");
        permit.learn(&left("0")).await;

        assert!(now(&other, lane).await.is_err());
        assert!(other.acquire(lane, Duration::from_secs(1)).await.is_ok(), "who waits a moment gets one");
    }
}

#[tokio::test]
async fn together_they_take_what_there_is_and_no_more() {
    for [one, other] in both() {
        let lane = lane(Budget::ArmReads);
        let permit = now(&one, lane).await.expect("a full bucket");
        permit.learn(&left("100")).await;

        let asking = (0..200).map(|number| {
            let throttle = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { now(&throttle, lane).await })
        });
        let permits: Vec<_> = futures::future::join_all(asking).await;

        assert_eq!(permits.iter().flatten().filter(|permit| permit.is_ok()).count(), 100);
    }
}

#[tokio::test]
async fn together_they_ask_for_a_report_as_often_as_one_may() {
    for [one, other] in both() {
        let lane = lane(Budget::Report(ReportKind::Mailbox));
        for number in 0..14 {
            let throttle = if number % 2 == 0 { &one } else { &other };
            drop(now(throttle, lane).await.expect("a request"));
        }

        assert!(is_closed(&one, lane).await && is_closed(&other, lane).await);
        assert!(now(&one, Lane { budget: Budget::Report(ReportKind::Site), ..lane }).await.is_ok());
    }
}

#[tokio::test]
async fn who_gave_up_is_not_under_way() {
    for [one, other] in both() {
        let lane = lane(Budget::ArmReads);
        for _ in 0..50 {
            drop(now(&one, lane).await.expect("a full bucket"));
        }
        // Tasks of their own tell that.
        let_others_run().await;
        let permit = now(&other, lane).await.expect("a full bucket");
        permit.learn(&left("1")).await;
        assert!(now(&one, lane).await.is_ok());
    }
}

#[tokio::test]
async fn a_lane_that_closes_while_somebody_waits_does_not_let_them_through() {
    for [one, other] in both() {
        let lane = lane(Budget::ArmReads);
        let mut permits = Vec::new();
        for _ in 0..25 {
            permits.push(now(&one, lane).await.expect("a full bucket"));
        }
        // As far as is known none of the others has arrived, so the next has a second to wait.
        permits[0].learn(&left("0")).await;
        let waiting =
            tokio::spawn(async move { other.acquire(lane, Duration::from_secs(2)).await.map(drop) });
        let_others_run().await;

        permits[0].refused(Duration::from_mins(1)).await;

        assert!(waiting.await.expect("no panic").is_err());
    }
}

#[tokio::test]
async fn without_the_place_each_goes_by_its_own_count_and_is_not_held_up() {
    for is_mute in [false, true] {
        let board = Arc::<Board>::default();
        let [one, other] = two_over(&board);
        let lane = lane(Budget::ArmReads);
        let permit = now(&one, lane).await.expect("a full bucket");
        permit.learn(&left("7")).await;
        if is_mute { &board.is_mute } else { &board.is_away }.store(true, Relaxed);
        let asked = board.asked.load(Relaxed);

        let mut permits = Vec::new();
        while let Ok(permit) = now(&one, lane).await {
            permits.push(permit);
        }

        assert!((7..200).contains(&permits.len()), "it knows what it was told: {}", permits.len());
        assert!(board.asked.load(Relaxed) - asked < 7, "not every call asks");
        assert!(now(&other, lane).await.is_ok(), "it was told nothing");
    }
}

#[tokio::test]
async fn what_was_learnt_meanwhile_is_shared_when_the_place_is_back() {
    let board = Arc::<Board>::default();
    let [one, other] = two_over(&board);
    let lane = lane(Budget::ArmReads);
    let permit = now(&one, lane).await.expect("a full bucket");
    board.is_away.store(true, Relaxed);
    permit.refused(Duration::from_mins(5)).await;
    assert!(now(&other, lane).await.is_ok(), "it cannot know");

    board.passed.store(2_000, Relaxed);
    board.is_away.store(false, Relaxed);
    let are_told = async {
        while !(is_closed(&one, lane).await && is_closed(&other, lane).await) {
            tokio::task::yield_now().await;
        }
    };

    tokio::time::timeout(Duration::from_secs(30), are_told).await.expect("both know of the refusal");
}

#[tokio::test]
async fn a_clock_that_is_set_back_closes_nothing() {
    let board = Arc::<Board>::default();
    let [one, other] = two_over(&board);
    let lane = lane(Budget::ArmReads);
    board.passed.store(3_600_000, Relaxed);
    now(&one, lane).await.expect("a full bucket").refused(Duration::from_mins(5)).await;

    board.passed.store(0, Relaxed);

    assert!(now(&one, lane).await.is_ok() && now(&other, lane).await.is_ok());
}

#[tokio::test]
async fn what_the_place_has_lost_is_brought_back() {
    let board = Arc::<Board>::default();
    let [one, other] = two_over(&board);
    let lane = lane(Budget::ArmReads);
    let permit = now(&one, lane).await.expect("a full bucket");
    permit.learn(&left("2")).await;
    lock(&board.states).clear();

    assert!(now(&one, lane).await.is_ok());
    assert!(now(&other, lane).await.is_ok());
    assert!(now(&other, lane).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_read_there_is_as_good_as_lost() {
    let board = Arc::<Board>::default();
    let [one, _] = two_over(&board);
    let lane = lane(Budget::Login);
    lock(&board.states).insert(lane.name(), b"{\"by\":\"another version\"}".to_vec());

    assert!(now(&one, lane).await.is_ok());
}

#[test]
fn every_process_calls_a_lane_the_same_and_shows_no_token() {
    let token = SecretString::from("eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl");
    let lane = Lane {
        tenant: Uuid::from_u128(1),
        subscription: Some(Uuid::from_u128(2)),
        budget: Budget::of_resource_manager(&Method::DELETE),
        principal: Principal::bearing(&token),
    };
    assert_eq!(
        lane.name(),
        "arm-deletes:00000000-0000-0000-0000-000000000001:00000000-0000-0000-0000-000000000002:\
         68d710c97c548b3fb05fa8a2dba3f538"
    );
    let shared = Lane { subscription: None, principal: Principal::App, budget: Budget::Graph, ..lane };
    assert_eq!(shared.name(), "graph:00000000-0000-0000-0000-000000000001:-:app");
}

#[test]
fn resource_manager_counts_reads_deletes_and_other_writes_apart() {
    let of = |method: &Method| Budget::of_resource_manager(method);
    assert_eq!([of(&Method::GET), of(&Method::HEAD)], [Budget::ArmReads; 2]);
    assert_eq!([of(&Method::PUT), of(&Method::PATCH), of(&Method::POST)], [Budget::ArmWrites; 3]);
    assert_eq!(of(&Method::DELETE), Budget::ArmDeletes);
}

#[test]
fn who_uses_thousands_of_lanes_does_not_look_through_them_at_every_call() {
    let (mut lanes, begun) = (Lanes::default(), Moment::after(Duration::from_hours(1)));
    let of = |number: usize| Lane {
        subscription: Some(Uuid::from_u128(number as u128)),
        ..lane(Budget::ArmReads)
    };
    let mut looks = 0;
    for number in 0..4 * MANY_LANES {
        let slot = lanes.slot(of(number), || {
            looks += 1;
            begun
        });
        *slot.try_lock().expect("nobody else has it") = Some(State::new(Budget::ArmReads, begun));
    }
    assert_eq!((looks, lanes.slots.len()), (2, 4 * MANY_LANES), "all are in use");

    let later = begun + state::FORGET_AFTER;
    lanes.slot(of(4 * MANY_LANES), || later);

    assert_eq!((lanes.slots.len(), lanes.many), (1, MANY_LANES), "none is in use any more");
}
