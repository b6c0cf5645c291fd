//! What the demonstration shows: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::front_end::{FrontEnd, Operation, Progress, Step};

/// Between two looks at the operation.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// How wide a table is where there is no terminal to say so.
const LINE: u16 = 100;

/// The most subscriptions that a table still shows one by one.
const TABLE: usize = 60;

/// Shows the operation until it has ended.
pub async fn follow(front_end: &FrontEnd, id: &str) -> anyhow::Result<Operation> {
    let mut shown = Shown::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let operation = front_end.operation(id).await?;
        shown.update(operation.progress);
        if operation.has_ended() {
            shown.finish();
            return Ok(operation);
        }
    }
}

enum Shown {
    Bars { subscriptions: ProgressBar, resources: ProgressBar },
    Lines { last: Progress },
}

impl Shown {
    fn new() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::Lines { last: Progress::default() };
        }
        let bars = MultiProgress::new();
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let subscriptions = bars.add(ProgressBar::no_length().with_prefix("subscriptions"));
        subscriptions.set_style(style("{prefix:>14} {bar:40.green} {pos}/{len}"));
        let resources = bars.add(ProgressBar::no_length().with_prefix("resources"));
        resources.set_style(style("{prefix:>14} {spinner} {pos}"));
        Self::Bars { subscriptions, resources }
    }

    fn update(&mut self, progress: Progress) {
        match self {
            Self::Bars { subscriptions, resources } => {
                if let Some(total) = progress.subscriptions_total {
                    subscriptions.set_length(total);
                }
                subscriptions.set_position(progress.subscriptions_done);
                resources.set_position(progress.resources_seen);
            }
            Self::Lines { last } if *last != progress => {
                *last = progress;
                let total = progress.subscriptions_total.map_or("?".to_owned(), |total| total.to_string());
                println!(
                    "subscriptions {}/{total}  resources {}",
                    progress.subscriptions_done, progress.resources_seen
                );
            }
            Self::Lines { .. } => {}
        }
    }

    fn finish(self) {
        if let Self::Bars { subscriptions, resources } = self {
            subscriptions.finish();
            resources.finish();
        }
        println!();
    }
}

/// The outcome of each subscription as a table; of very many, how often each outcome occurs.
pub fn outcome(operation: &Operation, steps: &[Step]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    if steps.len() <= TABLE {
        table.set_header(["subscription", "outcome", "resources", "why"]);
        for step in steps {
            let why = step.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
            let outcome = step.outcome.clone().unwrap_or_default();
            let name = step.subscription.display_name.clone();
            table.add_row([name, outcome, step.resources_seen.to_string(), why]);
        }
    } else {
        table.set_header(["outcome", "subscriptions"]);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for step in steps {
            *counts.entry(step.outcome.as_deref().unwrap_or_default()).or_default() += 1;
        }
        for (outcome, count) in counts {
            table.add_row([outcome.to_owned(), count.to_string()]);
        }
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(LINE);
    }
    let why = operation.failure.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
    let resources = operation.progress.resources_seen;
    format!("{table}\nThe operation ended {}{why}. {resources} resources were seen.", operation.state)
}

/// Where to go on from here.
pub fn invitation(public_url: &Url, token: &SecretString) -> String {
    let token = token.expose_secret();
    format!(
        "\nGraphiQL, with an access token: {public_url}graphiql#token={token}\n\
         GraphiQL, as an administrator: {public_url}sign-in?return_to=/graphiql (sign in as Mona Member)\n\n\
         Everybody else sends this header with each request to {public_url}graphql:\n\n  \
         Authorization: Bearer {token}\n\n\
         Three queries to paste:\n\n{QUERIES}\n\
         Ctrl-C stops it; the next start keeps the data.",
    )
}

const QUERIES: &str = include_str!("queries.graphql");
