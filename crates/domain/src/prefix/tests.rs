use super::Prefix;

#[test]
fn a_prefix_is_a_path_that_leads_nowhere_else() {
    for (text, prefix) in [
        ("", ""),
        ("/", ""),
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("/a/b-c/d.e_f~1", "/a/b-c/d.e_f~1"),
    ] {
        let found = Prefix::parse(text).map(|it| it.to_string());
        assert_eq!(found.as_deref(), Some(prefix), "{text}");
    }
    let long = format!("/{}", "a".repeat(Prefix::MAX));
    for text in [
        "shop",
        "//evil.example",
        "/shop//",
        "/a//b",
        "/a/../b",
        "/.",
        "/a b",
        "/a?b",
        "/a>b",
        "/a%2f",
        "/ä",
        "https://evil.example",
        &*long,
    ] {
        assert_eq!(Prefix::parse(text), None, "{text}");
    }
}
