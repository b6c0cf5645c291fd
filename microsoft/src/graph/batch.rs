//! Many questions in one request, each answered, refused and throttled for itself.
//!
//! <https://learn.microsoft.com/en-us/graph/json-batching>

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use crate::caller::{Call, Caller};
use crate::error::codes;
use crate::error::problem::{Answer, Service, classify};
use crate::http::{Reply, patience};
use crate::throttle::Budget;
use crate::{Graph, MicrosoftError};

/// What Microsoft allows.
const MOST: usize = 20;
/// How often one question is asked before its refusal stands.
const ATTEMPTS: u32 = 5;
/// The wait for whoever has no answer and is not told when to ask again.
const PAUSE: Duration = Duration::from_secs(1);

/// A question, and by which number its asker knows the answer.
pub(super) struct Question {
    pub number: usize,
    /// Below the version.
    pub path: String,
    asked: u32,
}

impl Question {
    pub fn new(number: usize, path: String) -> Self {
        Self { number, path, asked: 0 }
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
struct Request<'a> {
    id: String,
    method: &'static str,
    url: &'a str,
}

#[derive(Deserialize)]
struct Responses {
    responses: Vec<Response>,
}

#[derive(Deserialize)]
struct Response {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
}

/// What came of some of the questions.
#[derive(Default)]
struct Round {
    answers: Vec<(Question, Result<Value, MicrosoftError>)>,
    /// How long those must wait that are to be asked again: as long as the one that waits longest.
    wait: Duration,
}

impl Graph {
    /// Asks the first of the questions: their answers, and refusals that stand. Those that can be answered later go
    /// back to the others, and the wait that Microsoft asks for is kept here.
    pub(super) async fn ask(
        &self,
        tenant: Uuid,
        questions: &mut VecDeque<Question>,
    ) -> Result<Vec<(Question, Result<Value, MicrosoftError>)>, MicrosoftError> {
        let mut asked: Vec<_> = questions.drain(..questions.len().min(MOST)).map(Some).collect();
        let call = self.batch(asked.iter().flatten())?;
        let responses: Responses = self.link.read(&Caller::App { tenant }, &call).await?;
        let mut round = Round::default();
        for response in responses.responses {
            let place = response.id.parse::<usize>().ok();
            if let Some(question) = place.and_then(|place| asked.get_mut(place)).and_then(Option::take) {
                round.take(question, self.read_response(response, &call), questions);
            }
        }
        for question in asked.into_iter().flatten() {
            let silent =
                MicrosoftError::of(&codes::MICROSOFT_UNAVAILABLE, "a batch does not answer everything");
            round.take(question, Err(silent), questions);
        }
        if !round.wait.is_zero() {
            sleep(round.wait).await;
        }
        Ok(round.answers)
    }

    fn batch<'a>(&self, asked: impl Iterator<Item = &'a Question>) -> Result<Call, MicrosoftError> {
        let requests = asked.enumerate().map(|(place, question)| Request {
            id: place.to_string(),
            method: "GET",
            url: &question.path,
        });
        let body = serde_json::to_vec(&Batch { requests: requests.collect() })
            .map_err(|error| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, error.to_string()))?;
        let url = self.link.base().at("/v1.0/$batch");
        Ok(Call::new(Method::POST, url, Budget::Graph).body(body).paged().patient())
    }

    fn read_response(&self, response: Response, call: &Call) -> Result<Value, MicrosoftError> {
        if (200..300).contains(&response.status) {
            return Ok(response.body);
        }
        let reply = Reply {
            status: response.status,
            headers: headers(&response.headers),
            body: response.body.to_string().into(),
        };
        Err(classify(&Answer {
            service: Service::Graph,
            status: reply.status,
            headers: &reply.headers,
            body: &reply.body,
            retry_after: self.link.retry_after(&reply),
            correlation_id: call.correlation_id(),
        }))
    }
}

impl Round {
    /// Takes an answer, unless the question is worth being asked again.
    fn take(
        &mut self,
        mut question: Question,
        answer: Result<Value, MicrosoftError>,
        again: &mut VecDeque<Question>,
    ) {
        question.asked += 1;
        let wait = match &answer {
            Err(error @ (MicrosoftError::Throttled { .. } | MicrosoftError::Unavailable { .. })) => {
                Some(error.retry_after().unwrap_or(PAUSE))
            }
            _ => None,
        };
        match wait {
            Some(wait) if question.asked < ATTEMPTS && wait <= patience::STREAM => {
                self.wait = self.wait.max(wait);
                again.push_front(question);
            }
            _ => self.answers.push((question, answer)),
        }
    }
}

/// The headers of one answer; those that are none are left out.
fn headers(headers: &Map<String, Value>) -> HeaderMap {
    let read = |(name, value): (&String, &Value)| {
        // Some are written as numbers.
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value).ok()?))
    };
    headers.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(seconds: u64) -> Result<Value, MicrosoftError> {
        let detail = crate::Detail::new(&codes::MICROSOFT_THROTTLED, "");
        Err(MicrosoftError::new(detail, Some(Duration::from_secs(seconds))))
    }

    fn question() -> Question {
        Question::new(0, "/groups".to_owned())
    }

    #[test]
    fn the_longest_wait_is_kept() {
        let (mut round, mut again) = (Round::default(), VecDeque::new());
        for seconds in [2, 7, 3] {
            round.take(question(), throttled(seconds), &mut again);
        }
        round.take(question(), Ok(Value::Null), &mut again);
        assert_eq!((round.wait, again.len(), round.answers.len()), (Duration::from_secs(7), 3, 1));
    }

    #[test]
    fn a_question_is_not_asked_for_ever() {
        let mut again = VecDeque::from([question()]);
        let mut rounds = 0;
        while let Some(question) = again.pop_front() {
            let mut round = Round::default();
            rounds += 1;
            round.take(question, throttled(1), &mut again);
            assert_eq!(round.answers.is_empty(), rounds < ATTEMPTS);
        }
        assert_eq!(rounds, ATTEMPTS);
    }

    #[test]
    fn a_wait_that_nobody_keeps_here_stands() {
        let (mut round, mut again) = (Round::default(), VecDeque::new());
        round.take(question(), throttled(patience::STREAM.as_secs() + 1), &mut again);
        let gone = MicrosoftError::of(&codes::NOT_FOUND, "");
        round.take(question(), Err(gone), &mut again);
        assert_eq!((round.wait, again.len(), round.answers.len()), (Duration::ZERO, 0, 2));
    }

    #[test]
    fn headers_are_read_however_they_are_written() {
        let read = |json: &str| headers(&serde_json::from_str(json).expect("an object"));
        assert_eq!(read(r#"{"Retry-After":"2.128"}"#)["retry-after"], "2.128");
        assert_eq!(read(r#"{"Retry-After":10,"not a name":"x"}"#)["retry-after"], "10");
        assert!(read("{}").is_empty());
    }
}
