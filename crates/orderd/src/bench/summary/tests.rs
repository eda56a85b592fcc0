use super::*;

fn summary() -> Summary {
    Summary {
        scenario: "batch".to_owned(),
        connections: 64,
        seconds: 10.0,
        requests: 534_120,
        requests_per_s: 53_412.0,
        orders_per_s: Some(5_341_200.0),
        latency_us: Latency {
            p50: 740,
            p90: 1_100,
            p99: 2_900,
            p99_9: 12_345,
            max: 2_340_000,
        },
        statuses: [(200, 534_119), (503, 1)].into(),
        failures: 0,
        requests_sent: 600_000,
        exactly_once: Some(ExactlyOnce {
            checked: 200,
            different: 0,
            shared: 0,
        }),
    }
}

#[test]
fn a_summary_fits_on_a_small_screen() {
    let expected = "\
batch, 64 connections, 10.0 s
  requests  534,120, 53,412/s
  orders    5,341,200/s
  latency   p50 740 µs · p90 1.10 ms · p99 2.90 ms · p99.9 12.35 ms · max 2.34 s
  answers   200: 534,119 · 503: 1
  no answer 0
  once      ✓ 200 sent again, each answered as before, byte for byte";
    assert_eq!(summary().to_string(), expected);
}

#[test]
fn a_broken_promise_is_said() {
    let check = ExactlyOnce {
        checked: 200,
        different: 2,
        shared: 1,
    };
    assert!(!check.holds());
    assert!(
        check
            .to_string()
            .starts_with("✗ of 200 sent again, 2 were answered otherwise")
    );
}

#[test]
fn json_keeps_statuses_by_name() {
    let json = serde_json::to_value(summary()).unwrap();
    assert_eq!(json["statuses"]["503"], 1);
    assert_eq!(json["latency_us"]["p99.9"], 12_345);
}
