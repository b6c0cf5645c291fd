//! What the demonstration shows: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::front_end::{FrontEnd, Operation};

/// Between two looks at the operation.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Shows the operation until it has ended.
pub async fn follow(front_end: &FrontEnd, id: &str) -> anyhow::Result<Operation> {
    let mut shown = Shown::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let operation = front_end.operation(id).await?;
        shown.update(&operation);
        if operation.has_ended() {
            shown.finish();
            return Ok(operation);
        }
    }
}

/// How far an operation is, as counts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    subscriptions: u64,
    granted: u64,
    done: u64,
    resources: u64,
}

impl Count {
    fn of(operation: &Operation) -> Self {
        let steps = &operation.steps.nodes;
        let count =
            |matches: fn(&str) -> bool| steps.iter().filter(|step| matches(&step.state)).count() as u64;
        Self {
            subscriptions: steps.len() as u64,
            granted: count(|state| matches!(state, "SCANNING" | "DONE")),
            done: count(|state| state == "DONE"),
            resources: steps.iter().map(|step| step.resources_seen).sum(),
        }
    }
}

enum Shown {
    Bars { roles: ProgressBar, scans: ProgressBar, resources: ProgressBar },
    Lines { last: Count },
}

impl Shown {
    fn new() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::Lines { last: Count::default() };
        }
        let bars = MultiProgress::new();
        let bar = |name: &'static str| {
            let style = ProgressStyle::with_template("{prefix:>16} {bar:32.green} {pos}/{len}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bars.add(ProgressBar::new(0).with_style(style).with_prefix(name))
        };
        let (roles, scans) = (bar("roles"), bar("subscriptions"));
        let style = ProgressStyle::with_template("{prefix:>16} {spinner} {pos}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let resources = bars.add(ProgressBar::no_length().with_style(style).with_prefix("resources"));
        Self::Bars { roles, scans, resources }
    }

    fn update(&mut self, operation: &Operation) {
        let count = Count::of(operation);
        match self {
            Self::Bars { roles, scans, resources } => {
                for bar in [&*roles, &*scans] {
                    bar.set_length(count.subscriptions);
                }
                roles.set_position(count.granted);
                scans.set_position(count.done);
                resources.set_position(count.resources);
            }
            Self::Lines { last } if *last != count => {
                *last = count;
                println!(
                    "roles {}/{}  subscriptions {}/{}  resources {}",
                    count.granted, count.subscriptions, count.done, count.subscriptions, count.resources
                );
            }
            Self::Lines { .. } => {}
        }
    }

    fn finish(self) {
        if let Self::Bars { roles, scans, resources } = self {
            for bar in [roles, scans, resources] {
                bar.finish();
            }
        }
        println!();
    }
}

/// The outcome of each subscription, as a table.
pub fn outcome(operation: &Operation) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["subscription", "outcome", "resources", "why"]);
    for step in &operation.steps.nodes {
        table.add_row([
            step.subscription.display_name.clone(),
            step.outcome.clone().unwrap_or_default(),
            step.resources_seen.to_string(),
            step.failure.as_ref().map(|failure| failure.code.clone()).unwrap_or_default(),
        ]);
    }
    let resources: u64 = operation.steps.nodes.iter().map(|step| step.resources_seen).sum();
    let why = operation.failure.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
    format!(
        "{table}\nThe operation ended {}{why}. {resources} resources are in the inventory.",
        operation.state
    )
}

/// Where to go on from here.
pub fn invitation(public_url: &Url, token: &SecretString) -> String {
    format!(
        "\nGraphiQL: {public_url}graphiql\n\
         Send this header with every request:\n\n  \
         Authorization: Bearer {token}\n\n\
         Three queries to paste:\n\n{QUERIES}\n\
         Ctrl-C stops it; the next start keeps the data.",
        token = token.expose_secret(),
    )
}

const QUERIES: &str = "\
  { tenants { nodes { displayName state subscriptions { nodes { displayName accessLevel resourceCount } } } } }

  { resources(first: 5, filter: { tags: [{ name: \"environment\", match: PRESENT }] }) {
      totalCount nodes { name type location tags { name value } subscription { displayName } } } }

  { operations(first: 1) { nodes { kind state steps { nodes {
      outcome failure { code message } subscription { displayName } } } } } }
";
