use super::{Figures, quantile_s};
use crate::top::sample::Sample;
use crate::top::screen;
use std::time::Duration;

const BEFORE: &str = "\
# HELP orderd_orders_created_total Orders placed.
# TYPE orderd_orders_created_total counter
orderd_orders_created_total 100
orderd_orders_finished_total{status=\"completed\"} 90
orderd_orders_finished_total{status=\"failed\"} 3
orderd_idempotency_requests_total{result=\"new\"} 100
orderd_idempotency_requests_total{result=\"replayed\"} 5
orderd_cache_requests_total{result=\"hit\"} 7
http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 100
process_cpu_seconds_total 1.5
";
const NOW: &str = "\
orderd_orders_created_total 300
orderd_orders_finished_total{status=\"completed\"} 180
orderd_orders_finished_total{status=\"failed\"} 3
orderd_saga_step_attempts_total{step=\"authorise\",outcome=\"done\"} 90
orderd_saga_step_attempts_total{step=\"capture\",outcome=\"done\"} 90
orderd_saga_step_attempts_total{step=\"capture\",outcome=\"failed\"} 20
orderd_idempotency_requests_total{result=\"new\"} 250
orderd_idempotency_requests_total{result=\"replayed\"} 55
orderd_cache_requests_total{result=\"hit\"} 7
orderd_queue_depth{queue=\"fulfil\"} 120
orderd_queue_oldest_age_seconds{queue=\"fulfil\"} 1.5
orderd_dead_letters 4
http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 300
http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"other\",http_response_status_code=\"503\"} 2
http_server_request_duration_seconds_bucket{le=\"0.001\",http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 100
http_server_request_duration_seconds_bucket{le=\"0.01\",http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 200
http_server_request_duration_seconds_bucket{le=\"+Inf\",http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 200
http_server_request_duration_seconds_bucket{le=\"+Inf\",http_request_method=\"GET\",http_route=\"other\",http_response_status_code=\"503\"} 9
process_cpu_seconds_total 2.5
process_resident_memory_bytes 20971520
process_open_fds 30
";

fn figures() -> Figures {
    let (before, now) = (Sample::parse(BEFORE), Sample::parse(NOW));
    Figures::between(&before, &now, Duration::from_secs(2))
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[test]
fn rates_are_what_was_counted_between_two_looks_a_second() {
    let figures = figures();
    assert!(near(figures.placed, 100.0) && near(figures.requests, 101.0));
    assert!(near(figures.errors, 1.0) && near(figures.cpu, 0.5));
    assert!(near(figures.finished["completed"], 45.0) && near(figures.finished["failed"], 0.0));
    assert!(near(figures.calls["done"], 90.0) && near(figures.calls["failed"], 10.0));
    assert_eq!(figures.replayed, Some(0.25));
    assert_eq!(figures.hits, None, "nothing was read");
    assert_eq!(figures.queues["fulfil"], (120.0, 1.5));
    assert!(near(figures.dead_letters, 4.0));
}

#[test]
fn a_server_that_began_anew_is_counted_from_nothing() {
    let (before, now) = (Sample::parse(NOW), Sample::parse(BEFORE));
    let figures = Figures::between(&before, &now, Duration::from_secs(1));
    assert!(near(figures.placed, 100.0), "{}", figures.placed);
}

#[test]
fn quantiles_lie_within_the_bucket_that_holds_them() {
    let figures = figures();
    assert!(near(figures.p50_ms.unwrap(), 1.0), "{:?}", figures.p50_ms);
    assert!(near(figures.p99_ms.unwrap(), 9.82), "{:?}", figures.p99_ms);
    assert_eq!(quantile_s(&[], 0.5), None);
    assert_eq!(quantile_s(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
    let slow = [(0.1, 0.0), (10.0, 1.0), (f64::INFINITY, 9.0)];
    assert_eq!(quantile_s(&slow, 0.99), Some(10.0), "beyond the last bound");
}

#[test]
fn labels_are_read_with_whatever_is_in_them() {
    let sample = Sample::parse("a{x=\"1,2}\",y=\"say \\\"no\\\"\"} 3\nb 4.5\nbroken{ 1\nnone x\n");
    let a: Vec<_> = sample
        .of("a")
        .map(|it| (it.label("x"), it.label("y")))
        .collect();
    assert_eq!(a, [("1,2}", "say \"no\"")]);
    assert!(near(sample.sum("b", |_| true), 4.5));
    assert_eq!(sample.of("broken").count() + sample.of("none").count(), 0);
}

#[test]
fn a_line_and_a_page_say_what_the_figures_are() {
    let figures = figures();
    assert_eq!(
        screen::line(&figures),
        "placed 100/s p50 1.0 ms p99 9.8 ms | completed 45.0/s failed 0/s | waiting 120 oldest \
         1.5 s | dead letters 4 | replayed 25 % cache hits – | 5xx 1.0/s"
    );
    let page = screen::page("http://127.0.0.1:8080", &figures);
    for line in [
        "orderd at http://127.0.0.1:8080",
        "placed          100 orders/s   p50 1.0 ms   p99 9.8 ms",
        "finished        completed 45.0/s",
        "calls           done 90.0/s   failed 10.0/s",
        "queue fulfil    120 waiting   oldest due for 1.5 s",
        "dead letters    4",
        "requests        101/s   5xx 1.0/s   replayed 25 %   cache hits –",
        "process         0.50 processors   20.0 MiB   30 open files",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}\n{page}");
    }
    assert!(!page.contains("violations"));
}

#[test]
fn programs_get_every_figure() {
    let json = figures().to_json();
    assert_eq!(json["queues"]["fulfil"]["depth"].as_f64(), Some(120.0));
    assert_eq!(json["replayed_share"].as_f64(), Some(0.25));
    assert!(json["cache_hit_share"].is_null());
    assert_eq!(json["finished_per_s"]["completed"].as_f64(), Some(45.0));
}
