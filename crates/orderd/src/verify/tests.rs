use super::*;

fn verdicts(findings: &[usize]) -> Vec<Verdict> {
    let verdict = |(check, findings_count): (Check, &usize)| Verdict {
        check: check.as_str(),
        words: in_words(check),
        findings_count: *findings_count,
        duration_ms: 0,
        findings: vec!["it is wrong".to_owned(); *findings_count],
    };
    Check::ALL.into_iter().zip(findings).map(verdict).collect()
}

#[test]
fn it_ends_with_what_it_came_to() {
    let of = |orders, findings| closing(orders, &verdicts(findings));
    assert_eq!(
        of(Some(1_234), &[0; 5]),
        "All 5 checks hold for 1,234 orders."
    );
    assert_eq!(
        of(None, &[0, 0, 1, 0, 0]),
        "1 check found problems in orders that cannot be counted."
    );
    assert_eq!(
        of(Some(1), &[0, 2, 1, 0, 0]),
        "2 checks found problems in 1 order."
    );
}

#[test]
fn what_was_found_stands_below_its_check() {
    let found = &verdicts(&[0, 2])[1];
    let lines = lines(found);
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].starts_with("✗ "), "{lines:?}");
    assert!(lines[0].contains(" 2 findings "), "{lines:?}");
    assert_eq!(lines[1..], ["    it is wrong"; 2]);
    let longest = Check::ALL.into_iter().map(in_words).map(str::len).max();
    assert!(longest.unwrap() < 36, "the columns would not be apart");
}
