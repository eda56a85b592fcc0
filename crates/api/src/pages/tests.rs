use super::Form;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};

#[test]
fn a_browser_gets_a_page_a_program_json_and_others_markdown() {
    let check = |accept: &'static str, expected: Form| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        assert_eq!(Form::of(&headers), expected, "{accept}");
    };
    check(
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        Form::Html,
    );
    check("*/*", Form::Markdown);
    check("text/markdown", Form::Markdown);
    check("application/json", Form::Json);
    check("application/json, */*;q=0.1", Form::Json);
    check("text/html;q=0.2, application/json;q=0.35", Form::Json);
    check("text/html;q=0", Form::Markdown);
    check("image/png", Form::Markdown);
    check("text/html;q=many", Form::Markdown);
    assert_eq!(Form::of(&HeaderMap::new()), Form::Markdown);
}
