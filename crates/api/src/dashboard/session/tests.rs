//! Which forms are believed.

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("it is ASCII");
    pairs
        .iter()
        .map(|(name, text)| (HeaderName::from_static(name), value(text)))
        .collect()
}

#[test]
fn a_form_comes_from_here_if_the_browser_says_so() {
    let cases: [(&[(&'static str, &str)], bool); 7] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (
            &[("origin", "https://shop.example"), ("host", "shop.example")],
            true,
        ),
        (
            &[
                ("origin", "https://other.example"),
                ("host", "shop.example"),
            ],
            false,
        ),
        (&[("origin", "null"), ("host", "shop.example")], false),
        (&[("host", "shop.example")], true),
    ];
    for (pairs, expected) in cases {
        assert_eq!(comes_from_here(&headers(pairs)), expected, "{pairs:?}");
    }
}

#[test]
fn a_cookie_is_found_among_others() {
    let headers = headers(&[("cookie", "a=1; orderd_theme=dark;b=2")]);
    assert_eq!(cookie(&headers, THEME), Some("dark"));
    assert_eq!(Theme::of(&headers), Theme::Dark);
    assert_eq!(cookie(&headers, "orderd"), None);
}

#[test]
fn a_secret_that_nobody_could_have_made_is_replaced() {
    let (secret, cookie) = csrf(&headers(&[("cookie", "orderd_csrf=short")]));
    assert!(is_secret(&secret) && cookie.is_some());
    let kept = format!("orderd_csrf={secret}");
    assert_eq!(csrf(&headers(&[("cookie", &kept)])), (secret, None));
}
