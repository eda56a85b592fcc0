use super::{Batch, Tally};
use domain::fulfil::CallKind;
use domain::{Status, Timestamp};
use setup::config::Lambda;
use std::time::Duration;
use worker::watch::Outcome;
use worker::{Verdict, Witness};

#[test]
fn a_batch_is_one_line_with_a_value_for_each_metric_that_it_declares() {
    let settings = Lambda {
        metrics_namespace: "shop".to_owned(),
        service: "orders".to_owned(),
    };
    let mut batch = Batch::default();
    for verdict in [
        Verdict::Done,
        Verdict::Done,
        Verdict::Later(Timestamp::from_millis(9)),
        Verdict::Retry("away".to_owned()),
        Verdict::Dead("nonsense".to_owned()),
    ] {
        batch.count(&verdict);
    }
    let tally = Tally::default();
    for status in [
        Status::Completed,
        Status::NeedsReview,
        Status::Failed,
        Status::Cancelled,
    ] {
        tally.finished(status);
    }
    for outcome in [Outcome::Done, Outcome::Failed, Outcome::NotTried] {
        tally.tried(CallKind::Capture, outcome, Duration::ZERO);
    }
    batch.note(&tally);
    let line = batch.line(&settings, Timestamp::from_millis(5), 7);
    let declared = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(declared["Namespace"], "shop");
    assert_eq!(line["service"], "orders");
    for metric in declared["Metrics"].as_array().unwrap() {
        let name = metric["Name"].as_str().unwrap();
        assert!(line[name].is_number(), "{name}");
    }
    let counts = ["Done", "Later", "Failed", "Poison"];
    let counts = counts.map(|name| line[format!("Messages{name}")].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 1]);
    let counts = ["OrdersCompleted", "OrdersGivenUp", "CallsFailed"];
    let counts = counts.map(|name| line[name].as_u64().unwrap());
    assert_eq!(counts, [1, 2, 1]);
    let mut next = Batch::default();
    next.note(&tally);
    assert_eq!(
        next,
        Batch::default(),
        "a batch counts what was not counted before"
    );
    assert!(!line.to_string().contains('\n'));
}
