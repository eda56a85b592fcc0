use super::*;

#[test]
fn an_order_is_the_same_in_every_run() {
    assert_eq!(order(1, 7), order(1, 7));
    assert_ne!(order(1, 7), order(1, 8));
    assert_ne!(order(1, 7), order(2, 7));
}

#[test]
fn an_order_keeps_to_the_bounds() {
    let orders: Vec<Demo> = (0..1_000).map(|number| order(1, number)).collect();
    for order in &orders {
        assert!((1..=5).contains(&order.lines.len()));
        for line in &order.lines {
            assert!((1..=5).contains(&line.quantity.get()));
        }
    }
    assert!(orders.iter().any(|order| order.lines.len() == 5));
    assert!(orders.iter().any(|order| order.label.is_none()));
}

#[test]
fn a_customer_has_one_name() {
    let mut names = std::collections::HashMap::new();
    for number in 0..2_000 {
        let order = order(1, number);
        let name = order.customer_name.clone();
        let known = names.entry(order.customer_id).or_insert(name);
        assert_eq!(*known, order.customer_name);
    }
    assert!(names.len() > 100);
}
