use super::{Answer, Format, Metrics};
use domain::{Status, Timestamp};
use std::time::Duration;
use store::cache::Source;
use store::{Check, Stats, Waiting};

fn metrics() -> Metrics {
    let metrics = Metrics::new("1.2.3", "abc", Timestamp::from_millis(1_500));
    let answer = Answer {
        http_request_method: "GET",
        http_route: "/v1/orders",
        http_response_status_code: 200,
    };
    metrics.answered(&answer, Duration::from_millis(2));
    metrics.cached(Source::Hit);
    metrics.orders_created.inc();
    metrics.finished(Status::Completed);
    metrics.finished(Status::Processing);
    metrics.tried("capture", "done", Some(Duration::from_millis(30)));
    metrics.tried("capture", "not_tried", None);
    metrics.violated(Check::AppendOnly, 2);
    metrics
}

fn assert_holds(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "{line}\n{text}");
    }
}

#[test]
fn prometheus_gets_heads_that_name_counters_as_their_samples_and_no_end_mark() {
    let text = metrics().to_text(Format::Prometheus);
    assert_holds(
        &text,
        &[
            "# HELP orderd_orders_created_total Orders placed.",
            "# TYPE orderd_orders_created_total counter",
            "orderd_orders_created_total 1",
            "# TYPE orderd_build_info gauge",
            r#"orderd_build_info{version="1.2.3",commit="abc"} 1"#,
            "# TYPE http_server_request_duration_seconds histogram",
            "process_start_time_seconds 1.5",
        ],
    );
    assert!(
        !text.contains("# EOF") && !text.contains(" info\n"),
        "{text}"
    );
    let heads = |of: &str| text.lines().filter(|line| line.starts_with(of)).count();
    assert_eq!(heads("# HELP"), heads("# TYPE"));
}

#[test]
fn openmetrics_is_left_as_it_is() {
    let text = metrics().to_text(Format::OpenMetrics);
    assert_holds(
        &text,
        &[
            "# TYPE orderd_orders_created counter",
            "# TYPE orderd_build info",
            "# EOF",
        ],
    );
}

#[test]
fn orders_are_counted_at_their_ends_only_and_calls_by_what_came_of_them() {
    let text = metrics().to_text(Format::Prometheus);
    assert_holds(
        &text,
        &[
            r#"orderd_orders_finished_total{status="completed"} 1"#,
            r#"orderd_orders_finished_total{status="failed"} 0"#,
            r#"orderd_saga_step_attempts_total{step="capture",outcome="done"} 1"#,
            r#"orderd_saga_step_attempts_total{step="capture",outcome="not_tried"} 1"#,
            r#"orderd_saga_step_duration_seconds_count{step="capture"} 1"#,
            r#"orderd_invariant_violations{check="append_only"} 2"#,
        ],
    );
    assert!(!text.contains("processing"));
}

#[test]
fn what_the_store_says_is_shown_as_depth_and_age() {
    let metrics = metrics();
    let waiting = |count, due_ms: Option<i64>| Waiting {
        count,
        oldest_due_at: due_ms.map(Timestamp::from_millis),
    };
    let stats = Stats {
        location: String::new(),
        schema_version: 1,
        newest_event: None,
        fulfil: waiting(3, Some(1_000)),
        announce: waiting(4, Some(9_000)),
        dead_letter_count: 5,
        size_bytes: 6,
    };
    metrics.note(&stats, Timestamp::from_millis(3_500));
    let text = metrics.to_text(Format::Prometheus);
    assert_holds(
        &text,
        &[
            r#"orderd_queue_depth{queue="fulfil"} 3"#,
            r#"orderd_queue_depth{queue="announce"} 4"#,
            r#"orderd_queue_oldest_age_seconds{queue="fulfil"} 2.5"#,
            r#"orderd_queue_oldest_age_seconds{queue="announce"} 0.0"#,
            "orderd_outbox_pending 7",
            "orderd_dead_letters 5",
            "orderd_store_size_bytes 6",
        ],
    );
}
