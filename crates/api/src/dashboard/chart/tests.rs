//! What charts draw.

use super::*;

#[test]
fn the_top_of_a_chart_reads_well() {
    for (value, top) in [
        (0.0, 1.0),
        (0.3, 0.5),
        (1.0, 1.0),
        (7.0, 10.0),
        (130.0, 200.0),
    ] {
        assert!((nice(value) - top).abs() < 1e-9, "{value}");
    }
}

#[test]
fn a_figure_has_three_digits_or_so() {
    for (value, text) in [
        (0.01, "0"),
        (1.26, "1.3"),
        (42.4, "42"),
        (1_234.0, "1234"),
        (42_000.0, "42k"),
    ] {
        assert_eq!(figure(value), text);
    }
}

#[test]
fn a_line_has_gaps_where_there_is_nothing_and_grows_from_the_right() {
    let line = Line {
        name: "placed",
        values: vec![Some(1.0), None, Some(0.0)],
    };
    let chart = Chart {
        title: "Orders",
        span: "hour",
        unit: "",
        lines: &[line],
        length: 5,
        top_min: 1.0,
    };
    let html = chart.render().into_string();
    assert!(html.contains("M300.0 1.0h.1M600.0 119.0h.1"), "{html}");
    assert!(html.contains("placed now 0"), "{html}");
}
