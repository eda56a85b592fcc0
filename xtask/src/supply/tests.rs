//! For every promise of deny.toml a crate that breaks it.

use super::{Package, Policy, REGISTRY, permitted, problems};

fn policy() -> Policy {
    let text = r#"
        licenses.allow = ["MIT", "Apache-2.0"]
        bans.deny = [{ crate = "banned" }]
        bans.skip = [{ crate = "twice@1" }]
    "#;
    Policy::read(&text.parse().unwrap()).unwrap()
}

fn package(name: &str, version: &str) -> Package {
    let licence = Some("MIT".into());
    Package {
        name: name.into(),
        version: version.into(),
        licence,
        source: Some(REGISTRY.into()),
    }
}

fn check(packages: &[Package], expected: &[&str]) {
    let said = problems(packages, &policy());
    let first_lines: Vec<_> = said
        .iter()
        .filter_map(|problem| problem.lines().next())
        .collect();
    assert_eq!(first_lines, expected);
}

#[test]
fn a_licence_must_be_on_the_list() {
    let check = |expression: &str, ok: bool| {
        let allowed = ["MIT".to_owned(), "Apache-2.0".to_owned()];
        assert_eq!(permitted(expression, &allowed), ok, "{expression}");
    };
    check("MIT", true);
    check("MIT/GPL-3.0", true);
    check("GPL-3.0 OR (MIT AND Apache-2.0)", true);
    check("Apache-2.0 WITH LLVM-exception OR MIT", true);
    check("MIT AND GPL-3.0", false);
    check("GPL-3.0 AND (MIT OR Apache-2.0)", false);
    check("(MIT", false);
    check("MIT MIT", false);
    check("none", false);
    check("", false);
}

#[test]
fn a_crate_without_an_allowed_licence_is_named() {
    let copyleft = Package {
        licence: Some("GPL-3.0".into()),
        ..package("one", "1.0.0")
    };
    let says = r#"Cargo.lock: one 1.0.0 has the licence "GPL-3.0", which deny.toml does not allow"#;
    check(&[copyleft], &[says]);
}

#[test]
fn crates_come_from_the_registry() {
    let git = Package {
        source: Some("git+https://example.com".into()),
        ..package("one", "1.0.0")
    };
    check(&[git], &["Cargo.lock: one 1.0.0 is not from the registry"]);
    check(
        &[Package {
            source: None,
            ..package("ours", "0.1.0")
        }],
        &[],
    );
}

#[test]
fn banned_crates_are_named() {
    check(
        &[package("banned", "1.0.0")],
        &["Cargo.lock: banned is banned, deny.toml says why"],
    );
}

#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let says = "Cargo.lock: one is there more than once: 1.0.0, 2.0.0";
    check(&[package("one", "1.0.0"), package("one", "2.0.0")], &[says]);
    check(&[package("twice", "1.0.0"), package("twice", "2.0.0")], &[]);
    let says = "Cargo.lock: twice is there more than once: 2.0.0, 10.0.0";
    check(
        &[package("twice", "2.0.0"), package("twice", "10.0.0")],
        &[says],
    );
}
