//! Planned faults: which call goes wrong, how, and how often.

use std::sync::Mutex;
use std::time::Duration;

use crate::reply::Reply;

/// A fault that is planned for calls of one method to one path.
#[derive(Clone, Debug)]
pub struct Fault {
    method: String,
    path: Vec<String>,
    skip: usize,
    times: usize,
    effect: Effect,
}

/// What happens instead of the answer.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Answer(Reply),
    Reset,
    Delay(Duration),
    /// The body ends in its middle.
    Truncate,
    /// A Resource Graph page says that it is cut, and gives no token for the rest.
    CutPage,
}

impl Fault {
    /// A fault for `method` (or `*`) and `path`, in which `*` stands for one segment and a last `**` for any
    /// rest. Happens once, as a 500, unless said otherwise.
    pub fn on(method: &str, path: &str) -> Self {
        let segments = path.trim_matches('/').split('/').map(str::to_lowercase);
        let answer = Reply::error(500, "InternalServerError", "A planned fault.");
        Self {
            method: method.to_uppercase(),
            path: segments.collect(),
            skip: 0,
            times: 1,
            effect: Effect::Answer(answer),
        }
    }

    /// Lets the first `count` calls through.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Happens `count` times.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// Answers this instead.
    #[must_use]
    pub fn answer(mut self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut reply = Reply::text(status, body);
        for (name, value) in headers {
            reply = reply.header(name, value);
        }
        self.effect = Effect::Answer(reply);
        self
    }

    /// Resets the connection.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.effect = Effect::Reset;
        self
    }

    /// Answers as usual, but later.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.effect = Effect::Delay(delay);
        self
    }

    /// Ends the body in its middle.
    #[must_use]
    pub fn truncate(mut self) -> Self {
        self.effect = Effect::Truncate;
        self
    }

    /// Makes a Resource Graph page say that it is cut, with no token for the rest.
    #[must_use]
    pub fn corrupt_page(mut self) -> Self {
        self.effect = Effect::CutPage;
        self
    }

    fn is_for(&self, method: &str, path: &str) -> bool {
        if self.method != "*" && self.method != method {
            return false;
        }
        let path = path.to_lowercase();
        let mut segments = path.trim_matches('/').split('/');
        for wanted in &self.path {
            match (wanted.as_str(), segments.next()) {
                ("**", _) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(segment)) if wanted == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

/// The faults that are planned.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Plans `fault`; of several for the same call, the one planned first happens first.
    pub fn plan(&self, fault: Fault) {
        crate::state::lock(&self.0).push(fault);
    }

    /// Forgets every planned fault.
    pub fn clear(&self) {
        crate::state::lock(&self.0).clear();
    }

    pub(crate) fn next(&self, method: &str, path: &str) -> Option<Effect> {
        let mut faults = crate::state::lock(&self.0);
        let fitting = faults.iter_mut().enumerate().filter(|(_, fault)| fault.is_for(method, path));
        let mut due = None;
        for (index, fault) in fitting {
            if fault.skip == 0 {
                due = Some((index, fault));
                break;
            }
            fault.skip -= 1;
        }
        let (index, fault) = due?;
        let effect = fault.effect.clone();
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            faults.remove(index);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_as_often_as_planned_after_those_let_through() {
        let faults = Faults::default();
        faults.plan(Fault::on("PUT", "/subscriptions/*/x").after(1).times(2));
        let happens = || faults.next("PUT", "/Subscriptions/1/X").is_some();
        assert_eq!([happens(), happens(), happens(), happens()], [false, true, true, false]);
    }

    #[test]
    fn a_pattern_matches_segments() {
        assert!(Fault::on("*", "/a/**").is_for("GET", "/a/b/c"));
        assert!(!Fault::on("GET", "/a/*").is_for("GET", "/a/b/c"));
        assert!(!Fault::on("GET", "/a/*").is_for("POST", "/a/b"));
    }
}
