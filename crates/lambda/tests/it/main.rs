//! The function as a process, where it refuses to start. What it does with messages is tried with
//! those who send them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

/// The exit code and the words of a start in this environment.
fn started(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn orders_in_a_file_are_refused() {
    let (code, said) = started(&[("DATABASE_URL", "sqlite:orders.db")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("Refusing to work on orders in a file."),
        "{said}"
    );
    assert!(said.contains("DATABASE_URL=dynamodb://PREFIX"), "{said}");
}

#[test]
fn payments_that_nobody_asked_to_simulate_are_refused() {
    let (code, said) = started(&[("ORDERS_TABLE", "orders")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("without a payment service"), "{said}");
    assert!(said.contains("PAYMENT_API_URL"), "{said}");
}
