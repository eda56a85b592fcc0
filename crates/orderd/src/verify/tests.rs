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
    let holds = report("a.db", Some(1_234), &verdicts(&[0; 5]));
    assert!(holds.starts_with("a.db: 1,234 orders\n"), "{holds}");
    assert!(
        holds.ends_with("\nAll 5 checks hold for 1,234 orders.\n"),
        "{holds}"
    );
    let one = report("a.db", None, &verdicts(&[0, 0, 1, 0, 0]));
    assert!(one.ends_with("\n1 check found problems.\n"), "{one}");
    let two = report("a.db", None, &verdicts(&[0, 2, 1, 0, 0]));
    assert!(two.contains("✗ one order for each key"), "{two}");
    assert!(two.ends_with("\n2 checks found problems.\n"), "{two}");
}
