//! What people read of the API: the pages of problems, and the documentation.

use crate::service::{Answer, Service};
use api::problem::Code;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn accepting(service: &Service, path: &str, accept: &str) -> Answer {
    let answer = service.send("GET", path, &[("accept", accept)], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

fn media_type(answer: &Answer) -> &str {
    let sort = answer.header("content-type").unwrap();
    sort.split(';').next().unwrap()
}

#[tokio::test]
async fn every_problem_says_why_it_happens_and_what_to_do_to_people_and_programs() {
    let service = Service::new().await;
    for code in Code::ALL {
        let path = format!("/problems/{}", code.as_str().replace('_', "-"));
        let json = accepting(&service, &path, "application/json").await.json();
        assert_eq!(json["code"], code.as_str());
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let (cause, fix) = (text("cause"), text("fix"));
        assert!(cause.len() > 20 && cause.ends_with('.'), "{path}: {cause}");
        assert!(fix.len() > 20 && fix.ends_with('.'), "{path}: {fix}");
        assert_eq!(json["example"]["code"], code.as_str());
        assert_eq!(json["example"]["status"], json["status"]);

        let markdown = accepting(&service, &path, "*/*").await;
        assert_eq!(media_type(&markdown), "text/markdown");
        let page = accepting(&service, &path, BROWSER).await;
        assert_eq!(media_type(&page), "text/html");
        assert_eq!(page.header("vary"), Some("Accept"));
        let shown = page.body.replace("&quot;", "\"");
        for words in [&cause, &fix, &text("title"), &text("code")] {
            assert!(markdown.body.contains(words), "{path}: no {words}");
            let words = words.replace('<', "&lt;").replace('&', "&amp;");
            assert!(shown.contains(&*words), "{path}: no {words} in\n{shown}");
        }
    }
}

#[tokio::test]
async fn a_page_runs_no_scripts_loads_nothing_and_has_relative_links_only() {
    let service = Service::new().await;
    for path in ["/problems", "/problems/not-found"] {
        let page = accepting(&service, path, BROWSER).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        for word in ["<script", " style=", "href=\"/", "src=", "http"] {
            assert!(!page.body.contains(word), "{path}: {word}");
        }
    }
    let list = accepting(&service, "/problems", "application/json")
        .await
        .json();
    assert_eq!(list["items"].as_array().unwrap().len(), Code::ALL.len());
}

#[cfg(feature = "docs-ui")]
#[tokio::test]
async fn the_documentation_brings_all_that_it_loads() {
    let service = Service::new().await;
    let page = accepting(&service, "/docs", BROWSER).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self';"));
    assert!(!page.body.contains("http"), "{}", page.body);
    // For who runs no scripts.
    assert!(page.body.contains("POST /v1/orders/batch"));

    let assets: Vec<&str> = page
        .body
        .split("<script src=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(assets.len(), 2);
    for asset in assets {
        let path = format!("/{asset}");
        let plain = service.get(&path).await;
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.body.contains("createApiReference"), "{path}");
        assert_eq!(
            plain.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
        let etag = plain.header("etag").unwrap();
        let known = [("if-none-match", etag)];
        assert_eq!(service.send("GET", &path, &known, "").await.status, 304);
    }
    let unknown = service.get("/docs/scalar-0.js").await;
    unknown.assert_problem(404, "not_found");
}

#[cfg(feature = "docs-ui")]
#[tokio::test]
async fn what_is_large_comes_compressed_to_who_takes_it() {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    let service = Service::new().await;
    let page = service.get("/docs").await.body;
    let (_, rest) = page.split_once("docs/scalar-").unwrap();
    let path = format!("/docs/scalar-{}", rest.split('"').next().unwrap());
    let request = Request::get(&path)
        .header("host", "orderd")
        .header("accept-encoding", "gzip, deflate")
        .body(Body::empty());
    let answer = service.router().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes.starts_with(&[0x1f, 0x8b]), "it is gzip");
    let plain = service.get(&path).await.body;
    assert!(bytes.len() * 3 < plain.len());
}
