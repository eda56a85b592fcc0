use super::*;

#[test]
fn an_order_is_the_same_in_every_run() {
    assert_eq!(order(1, 7), order(1, 7));
    assert_eq!(order(1, 7)["idempotency_key"], "seed-1-7");
    assert_ne!(order(1, 7), order(1, 8));
    assert_ne!(order(1, 7)["order"], order(2, 7)["order"]);
}

#[test]
fn an_order_keeps_to_the_bounds() {
    for number in 0..1_000 {
        let item = order(1, number);
        let lines = item["order"]["lines"].as_array().unwrap();
        assert!((1..=4).contains(&lines.len()));
        let quantities = lines.iter().map(|line| line["quantity"].as_u64().unwrap());
        assert!(
            quantities
                .into_iter()
                .all(|quantity| (1..=5).contains(&quantity))
        );
    }
}

#[test]
fn a_customer_has_one_name() {
    let mut names = std::collections::HashMap::new();
    for number in 0..2_000 {
        let order = order(1, number)["order"].take();
        let name = order["customer_name"].clone();
        assert_eq!(
            *names
                .entry(order["customer_id"].to_string())
                .or_insert(name.clone()),
            name
        );
    }
    assert!(names.len() > 100);
}
