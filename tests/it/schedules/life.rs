//! What is under way at a time, each part of it stoppable at any of its polls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use anyhow::Result;
use futures::future::LocalBoxFuture;

use super::ground::Stage;
use super::schedule::{Act, Event, Kill, Trouble};

/// What one part does; answers how much that was.
pub type Work = LocalBoxFuture<'static, Result<usize>>;

/// When what goes wrong in an act.
#[derive(Default)]
pub struct Life {
    /// How often anything was polled that had begun before.
    pub polls: Cell<u64>,
    /// How many workers have died.
    pub died: Cell<usize>,
    /// How many leaps of time there may have been.
    pub leaps: Cell<usize>,
    kills: RefCell<VecDeque<Kill>>,
    troubles: RefCell<VecDeque<Trouble>>,
    /// Calls that Azure had got before the act.
    calls: Cell<usize>,
    errands: RefCell<Vec<Work>>,
}

impl Life {
    /// Begins an act, after so many calls.
    pub fn begin(&self, act: &Act, calls: usize) {
        let mut kills = act.kills.clone();
        kills.sort_by_key(|kill| kill.poll);
        let mut troubles = act.troubles.clone();
        troubles.sort_by_key(|trouble| trouble.after);
        self.polls.set(0);
        self.leaps.set(self.leaps.get() + act.leaps.len());
        self.calls.set(calls);
        *self.kills.borrow_mut() = kills.into();
        *self.troubles.borrow_mut() = troubles.into();
    }

    /// What is to be done besides the jobs.
    pub fn errands(&self) -> Vec<Work> {
        self.errands.take()
    }

    /// Adds to that.
    pub fn run(&self, errand: Work) {
        self.errands.borrow_mut().push(errand);
    }

    /// The worker is to die a little later.
    pub fn put_off(&self, kill: Kill) {
        let poll = self.polls.get() + 2;
        self.kills.borrow_mut().push_front(Kill { poll, ..kill });
    }

    fn due_trouble(&self, calls: usize) -> Option<Event> {
        let mut troubles = self.troubles.borrow_mut();
        let is_due =
            troubles.front().is_some_and(|next| calls.saturating_sub(self.calls.get()) >= next.after);
        if is_due { troubles.pop_front().map(|trouble| trouble.event) } else { None }
    }

    fn due_kill(&self) -> Option<Kill> {
        let mut kills = self.kills.borrow_mut();
        let is_due = kills.front().is_some_and(|next| self.polls.get() >= next.poll);
        if is_due { kills.pop_front() } else { None }
    }
}

/// One worker, or one errand.
pub struct Part {
    work: Option<Work>,
    stage: Weak<Stage>,
    is_worker: bool,
    has_begun: bool,
}

/// How it ended.
pub enum Ended {
    Worker(Result<usize>),
    Errand(Result<usize>),
    /// The worker is to die here; nothing of it is gone yet.
    Struck(Part, Kill),
}

impl Part {
    pub fn worker(stage: &Rc<Stage>) -> Self {
        let workers = stage.machine().workers;
        let work: Work = Box::pin(async move { Ok(workers.run_due().await?) });
        Self { work: Some(work), stage: Rc::downgrade(stage), is_worker: true, has_begun: false }
    }

    /// Itself, to be polled on.
    fn take(&mut self) -> Self {
        let Self { work, stage, is_worker, has_begun } = self;
        Self { work: work.take(), stage: Weak::clone(stage), is_worker: *is_worker, has_begun: *has_begun }
    }

    pub fn errand(stage: &Rc<Stage>, work: Work) -> Self {
        Self { work: Some(work), stage: Rc::downgrade(stage), is_worker: false, has_begun: false }
    }
}

impl Future for Part {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let stage = self.stage.upgrade().expect("the stage outlives what is played on it");
        while let Some(event) = stage.life.due_trouble(stage.simulator.count_calls(|_| true)) {
            stage.happen(event);
        }
        if self.has_begun {
            stage.life.polls.set(stage.life.polls.get() + 1);
            if self.is_worker
                && let Some(kill) = stage.life.due_kill()
            {
                return Poll::Ready(Ended::Struck(self.take(), kill));
            }
        }
        self.has_begun = true;
        let Some(work) = &mut self.work else { return Poll::Pending };
        let Poll::Ready(done) = work.as_mut().poll(context) else { return Poll::Pending };
        Poll::Ready(if self.is_worker { Ended::Worker(done) } else { Ended::Errand(done) })
    }
}
