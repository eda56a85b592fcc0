//! The dashboard as a browser's requests see it. What takes a browser to see is in `ui-tests/`.

use crate::fulfilment::{Scripted, drain, settle};
use crate::service::{Answer, ORDER, RECEIPT, Service};
use api::{Anonymous, Owner};
use axum::body::Body;
use axum::http::Request;
use domain::fulfil::{Answer as Refusal, CallKind, Refused};
use serde_json::json;
use store::Check;

const PAGES: [&str; 8] = [
    "/ui/",
    "/ui/orders",
    "/ui/products",
    "/ui/ledger",
    "/ui/dead-letters",
    "/ui/providers",
    "/ui/idempotency",
    "/ui/system",
];
const CSRF: &str = "0123456789abcdef0123456789abcdef";
/// How late a queue may be before that is an alarm.
const BOUND_MS: i64 = 60_000;

pub(crate) async fn look(service: &Service, path: &str, cookie: &str) -> Answer {
    let headers = [("accept", "text/html"), ("cookie", cookie)];
    service.send("GET", path, &headers, String::new()).await
}

/// Sends a form as the page that it is on would.
pub(crate) async fn press(service: &Service, path: &str, cookie: &str, fields: &str) -> Answer {
    let cookie = format!("orderd_csrf={CSRF}; {cookie}");
    let headers = [
        ("accept", "text/html"),
        ("cookie", &*cookie),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = format!("csrf={CSRF}&{fields}");
    service.send("POST", path, &headers, body).await
}

async fn token(service: &Service, scope: &str) -> String {
    let body = json!({ "scope": scope }).to_string();
    let request = Request::post("/v1/tokens")
        .header("host", "orderd")
        .header("content-type", "application/json")
        .extension(Owner)
        .body(Body::from(body));
    service.send_as_is(request.unwrap()).await.field("token")
}

/// An order that is recorded only.
async fn receipt(service: &Service) -> String {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let placed = service
        .send("POST", "/orders", &headers, RECEIPT.to_owned())
        .await;
    placed.field("order_id")
}

/// The cookie that an answer sets, as it is sent back.
fn cookie(answer: &Answer, name: &str) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut cookies = cookies.map(|it| it.to_str().unwrap());
    let cookie = cookies.find(|it| it.starts_with(name)).unwrap();
    let site = if name == "orderd_session_" {
        "Strict"
    } else {
        "Lax"
    };
    assert!(
        cookie.contains(&format!("; HttpOnly; SameSite={site}")),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_page_is_there_and_takes_nothing_from_elsewhere() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let order = format!("/ui/orders/{id}");
    for path in PAGES.into_iter().chain([&*order, "/ui/login"]) {
        let page = look(&service, path, "").await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        for never in [
            "style=",
            "<style",
            "onclick",
            "href=\"/",
            "src=\"/",
            "action=\"/",
            "http://www",
        ] {
            assert!(!page.body.contains(never), "{path} has {never}");
        }
    }
}

#[tokio::test]
async fn what_clients_sent_is_shown_as_text() {
    let service = Service::new().await;
    let order = json!({
        "customer_id": "<script>alert(1)</script>",
        "lines": [{"name": "\"><img src=x onerror=alert(1)>", "quantity": 1}],
    });
    let id = service
        .place("k", &order.to_string())
        .await
        .field("order_id");
    for path in ["/ui/orders".to_owned(), format!("/ui/orders/{id}")] {
        let page = look(&service, &path, "").await.body;
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}

#[tokio::test]
async fn an_order_is_found_by_its_id_and_listed_by_its_customer() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let found = look(
        &service,
        &format!("/ui/orders?status=&customer_id={id}"),
        "",
    )
    .await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, Some(&*format!("./orders/{id}")))
    );
    let listed = look(&service, "/ui/orders?customer_id=cust1&status=", "").await;
    assert!(listed.body.contains(&id), "{}", listed.body);
    let both = look(&service, "/ui/orders?customer_id=cust1&status=created", "").await;
    assert!(both.body.contains(&id), "{}", both.body);
    let neither = look(&service, "/ui/orders?customer_id=cust1&status=failed", "").await;
    assert_eq!(neither.status, 200, "{}", neither.body);
    assert!(!neither.body.contains(&id), "{}", neither.body);
    let none = look(&service, "/ui/orders?customer_id=other", "").await;
    assert!(
        none.body.contains("No order is like that."),
        "{}",
        none.body
    );
}

#[tokio::test]
async fn pages_of_a_list_go_on_where_the_last_one_ended() {
    let service = Service::new().await;
    for number in 0..30 {
        service.place(&format!("k{number}"), ORDER).await;
    }
    let first = look(&service, "/ui/orders?customer_id=cust1", "")
        .await
        .body;
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let second = look(&service, &format!("/ui/{next}"), "").await.body;
    let rows = |page: &str| page.matches("<tr id=\"o").count();
    assert_eq!((rows(&first), rows(&second)), (25, 5));
    assert!(!second.contains("rel=\"next\""));
}

#[tokio::test]
async fn what_would_alarm_is_said_above_everything_else() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let alarms = async || {
        service.app.sample(true).await;
        let page = look(&service, "/ui/", "").await.body;
        let (_, page) = page.split_once("id=\"alarms\"").unwrap();
        page.split_once("id=\"tiles\"").unwrap().0.to_owned()
    };
    service.clock.move_by(BOUND_MS);
    let none = alarms().await;
    assert!(!none.contains("role=\"alert\""), "{none}");
    service.clock.move_by(1);
    let stalled = alarms().await;
    assert_eq!(stalled.matches("role=\"alert\"").count(), 1, "{stalled}");
    for text in ["Orders are not worked on", "href=\"./providers\""] {
        assert!(stalled.contains(text), "{text}: {stalled}");
    }
    service.app.metrics.violated(Check::AppendOnly, 2);
    let violated = alarms().await;
    for text in [
        "<code>append_only</code> found 2",
        "href=\"./ledger\"",
        "Orders are not worked on",
    ] {
        assert!(violated.contains(text), "{text}: {violated}");
    }
    service.app.metrics.violated(Check::AppendOnly, 0);
    assert_eq!(alarms().await, stalled);
}

#[test]
fn the_alert_for_a_queue_has_the_bound_of_the_dashboard() {
    let rules = include_str!("../../../../deploy/prometheus/rules.yml");
    let (_, rule) = rules.split_once("alert: OrderdQueueOld").unwrap();
    let expr = rule.lines().nth(1).unwrap();
    assert!(
        expr.ends_with(&format!(" > {}", BOUND_MS / 1_000)),
        "{expr}"
    );
}

#[tokio::test]
async fn a_problem_is_a_page_for_a_browser_only() {
    let service = Service::new().await;
    let path = "/ui/orders/019e72e2-8400-7001-8000-000000000001";
    let page = look(&service, path, "").await;
    assert_eq!(page.status, 404);
    assert!(
        page.body.contains("There is no order with this id."),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("href=\"../../problems/not-found\""),
        "{}",
        page.body
    );
    service.get(path).await.assert_problem(404, "not_found");
    assert_eq!(look(&service, "/ui/nowhere", "").await.status, 404);
}

#[tokio::test]
async fn what_a_form_does_is_in_the_timeline() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let noted = press(
        &service,
        &format!("/ui/orders/{id}/note"),
        "",
        "note=rings+twice",
    )
    .await;
    assert_eq!(noted.status, 303, "{}", noted.body);
    assert_eq!(
        noted.header("location"),
        Some(&*format!("../../orders/{id}?done=note"))
    );
    let cancelled = press(
        &service,
        &format!("/ui/orders/{id}/cancel"),
        "",
        "reason=asked",
    )
    .await;
    assert_eq!(cancelled.status, 303, "{}", cancelled.body);
    let page = look(&service, &format!("/ui/orders/{id}"), "").await.body;
    for text in [
        "rings twice",
        "asked",
        "Cancelled",
        "order.noted.v1",
        "by anonymous",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let again = press(&service, &format!("/ui/orders/{id}/cancel"), "", "reason=").await;
    assert_eq!(again.status, 409);
    assert!(
        again.body.contains("cannot become cancelled now"),
        "{}",
        again.body
    );
}

#[tokio::test]
async fn a_note_changes_nothing_else_of_an_order() {
    let service = Service::new().await;
    let placed = service.place("k", ORDER).await;
    let id = placed.field("order_id");
    let headers = [("content-type", "application/json"), ("if-match", "\"1\"")];
    let path = format!("/v1/orders/{id}/notes");
    let body = json!({"note": "rings twice"}).to_string();
    let noted = service.send("POST", &path, &headers, body.clone()).await;
    assert_eq!(
        (noted.status, noted.header("etag")),
        (200, Some("\"2\"")),
        "{}",
        noted.body
    );
    let (mut was, mut is) = (placed.json(), noted.json());
    for field in ["version", "updated_at"] {
        was[field].take();
        is[field].take();
    }
    assert_eq!(was, is);
    service
        .send("POST", &path, &headers, body)
        .await
        .assert_problem(412, "precondition_failed");
    let empty = json!({"note": ""}).to_string();
    service
        .send("POST", &path, &headers[..1], empty)
        .await
        .assert_problem(422, "validation_failed");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn a_recorded_order_takes_a_note_and_nobody_is_woken() {
    let service = Service::new().await;
    let id = receipt(&service).await;
    let headers = [("content-type", "application/json")];
    let body = json!({"note": "rings twice"}).to_string();
    let noted = service
        .send("POST", &format!("/v1/orders/{id}/notes"), &headers, body)
        .await;
    assert_eq!(noted.status, 200, "{}", noted.body);
    assert_eq!(service.findings().await, []);
    assert_eq!(service.app.store.stats().await.unwrap().waiting_count(), 0);
}

#[tokio::test]
async fn a_form_needs_the_secret_of_its_browser() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let path = format!("/ui/orders/{id}/cancel");
    let cookie = format!("orderd_csrf={CSRF}");
    let own = format!("csrf={CSRF}");
    let cases = [
        ("", "same-origin", &*own),
        (
            &*cookie,
            "same-origin",
            "csrf=ffffffffffffffffffffffffffffffff",
        ),
        (&*cookie, "same-origin", ""),
        (&*cookie, "cross-site", &*own),
        ("orderd_csrf=", "same-origin", "csrf="),
    ];
    for (cookie, site, body) in cases {
        let headers = [("cookie", cookie), ("sec-fetch-site", site)];
        let refused = service.send("POST", &path, &headers, body.to_owned()).await;
        refused.assert_problem(403, "forbidden");
    }
    let order = service.get(&format!("/v1/orders/{id}")).await;
    assert_eq!(order.field("status"), "created");
}

#[tokio::test]
async fn where_strangers_may_not_look_a_token_lets_a_browser_in() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    let refused = look(&service, "/ui/orders", "").await;
    assert_eq!(refused.status, 401);
    for text in [
        "orderd token create --scope read",
        "type=\"password\"",
        "action=\"./login\"",
    ] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    assert_eq!(look(&service, "/ui/login", "").await.status, 200);

    let wrong = press(&service, "/ui/login", "", "token=orderd_wrong").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("not known here"), "{}", wrong.body);

    let read = token(&service, "read").await;
    let signed_in = press(&service, "/ui/login", "", &format!("token={read}")).await;
    assert_eq!(
        (signed_in.status, signed_in.header("location")),
        (303, Some("./"))
    );
    let session = cookie(&signed_in, "orderd_session_");
    let page = look(&service, "/ui/orders", &session).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Sign out"), "{}", page.body);
    // Elsewhere it lets read only: a browser sends cookies whoever makes it ask.
    assert_eq!(look(&service, "/v1/orders", &session).await.status, 200);
    let headers = [("cookie", &*session), ("idempotency-key", "k")];
    let placing = service.send("POST", "/v1/orders", &headers, ORDER).await;
    placing.assert_problem(401, "unauthorized");
    assert_eq!(look(&service, "/ui", &session).await.status, 303);

    let signed_out = press(&service, "/ui/logout", &session, "").await;
    assert!(cookie(&signed_out, "orderd_session_").ends_with('='));
}

#[tokio::test]
async fn whoever_may_only_read_is_offered_nothing_else() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::Read).await;
    let write = token(&service, "write").await;
    let bearer = format!("Bearer {write}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let placed = service
        .send("POST", "/v1/orders", &headers, ORDER.to_owned())
        .await;
    let id = placed.field("order_id");
    let path = format!("/ui/orders/{id}");
    let page = look(&service, &path, "").await;
    assert!(!page.body.contains("Cancel the order"), "{}", page.body);
    let refused = press(&service, &format!("{path}/cancel"), "", "reason=").await;
    assert_eq!(refused.status, 401);
    // Settings say where everything is.
    assert_eq!(look(&service, "/ui/system", "").await.status, 401);

    let signed_in = press(&service, "/ui/login", "", &format!("token={write}")).await;
    let session = cookie(&signed_in, "orderd_session_");
    assert_eq!(look(&service, "/ui/system", &session).await.status, 200);
    let cancelled = press(&service, &format!("{path}/cancel"), &session, "reason=").await;
    assert_eq!(cancelled.status, 303, "{}", cancelled.body);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_forgotten_by_the_browser() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    let read = token(&service, "read").await;
    let signed_in = press(&service, "/ui/login", "", &format!("token={read}")).await;
    let session = cookie(&signed_in, "orderd_session_");
    let list = Request::get("/v1/tokens")
        .header("host", "orderd")
        .extension(Owner);
    let list = service
        .send_as_is(list.body(Body::empty()).unwrap())
        .await
        .json();
    let id = list["items"][0]["token_id"].as_str().unwrap().to_owned();
    let revoke = Request::delete(format!("/v1/tokens/{id}")).header("host", "orderd");
    let revoke = revoke.extension(Owner).body(Body::empty()).unwrap();
    assert_eq!(service.send_as_is(revoke).await.status, 204);
    // Each of a page's requests counts as a wrong token until the browser forgets it.
    for path in ["/ui/", "/ui/live"] {
        let headers = [("cookie", &*session)];
        let refused = service.send("GET", path, &headers, "").await;
        assert_eq!(refused.status, 401);
        assert!(cookie(&refused, "orderd_session_").ends_with('='));
    }
    // Whoever comes by a link from elsewhere has sent none, and keeps it.
    let without = look(&service, "/ui/", "").await;
    let forgotten = without.headers.get_all("set-cookie").iter();
    let mut forgotten = forgotten.filter(|it| it.to_str().unwrap().starts_with("orderd_session"));
    assert_eq!((without.status, forgotten.next()), (401, None));
}

#[tokio::test]
async fn strangers_may_choose_a_theme() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    let chosen = press(&service, "/ui/theme", "", "theme=dark&page=login").await;
    assert_eq!(
        (chosen.status, chosen.header("location")),
        (303, Some("./login"))
    );
}

#[tokio::test]
async fn a_customer_may_have_an_id_like_an_orders() {
    let service = Service::new().await;
    let customer = "019e72e2-8400-7001-8000-0000000000aa";
    let order = ORDER.replace("cust1", customer);
    let id = service.place("k", &order).await.field("order_id");
    let listed = look(&service, &format!("/ui/orders?customer_id={customer}"), "").await;
    assert!(
        listed.status == 200 && listed.body.contains(&id),
        "{}",
        listed.body
    );
}

#[tokio::test]
async fn a_key_is_looked_up_with_what_was_sent_under_it() {
    let service = Service::new().await;
    let id = service.place("k-1", ORDER).await.field("order_id");
    service.place("k-1", ORDER).await;
    let page = look(&service, "/ui/idempotency?key=k-1", "").await.body;
    for text in [&*id, "POST /v1/orders", "1 times"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let none = look(&service, "/ui/idempotency?key=other", "").await.body;
    assert!(
        none.contains("Nothing is remembered under this key."),
        "{none}"
    );
}

#[tokio::test]
async fn a_key_of_another_is_looked_up_by_whoever_may_do_everything() {
    let service = Service::new().await;
    let shop = token(&service, "write").await;
    let bearer = format!("Bearer {shop}");
    let headers = [("authorization", &*bearer), ("idempotency-key", "k-1")];
    let placed = service.send("POST", "/v1/orders", &headers, ORDER).await;
    let id = placed.field("order_id");
    let session = async |scope: &str| {
        let secret = token(&service, scope).await;
        let signed_in = press(&service, "/ui/login", "", &format!("token={secret}")).await;
        cookie(&signed_in, "orderd_session_")
    };
    let (write, admin) = (session("write").await, session("admin").await);

    let page = look(&service, "/ui/idempotency", &admin).await.body;
    let option = page.split("<option value=\"").nth(3).unwrap();
    let principal = option.split('"').next().unwrap();
    let path = format!("/ui/idempotency?key=k-1&principal={principal}");
    let found = look(&service, &path, &admin).await.body;
    assert!(found.contains(&id), "{found}");
    let own = look(&service, "/ui/idempotency?key=k-1&principal=", &admin).await;
    assert!(!own.body.contains(&id), "{}", own.body);
    let page = look(&service, "/ui/idempotency", &write).await.body;
    assert!(!page.contains("<select"), "{page}");
    let refused = look(&service, &path, &write).await.body;
    assert!(!refused.contains(&id), "{refused}");
    assert!(refused.contains("a token of scope admin"), "{refused}");
}

#[tokio::test]
async fn all_letters_with_one_reason_are_brought_back_with_a_reason() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let declining = Scripted::before(|call, _| {
        let refused = Refusal::Refused(Refused::Declined, "no money".into());
        (call.kind == CallKind::Authorise && call.round == 1).then_some(refused)
    });
    settle(&service, &drain(&service, declining)).await;
    let page = look(&service, "/ui/dead-letters", "").await.body;
    assert!(page.contains("Redrive all “payment declined”"), "{page}");

    let path = "/ui/dead-letters/redrive-all";
    let fields = "why=payment_declined&reason=a+new+card";
    for (more, said) in [
        ("&dry_run=true", "So many would be brought back: 1."),
        ("", "So many were brought back: 1."),
        ("", "So many were brought back: 0."),
    ] {
        let pressed = press(&service, path, "", &format!("{fields}{more}")).await;
        let to = pressed.header("location").unwrap();
        let page = to.replace("../", "/ui/").replace("./", "/ui/");
        let page = look(&service, &page, "").await.body;
        assert!(page.contains(said), "{to}: {page}");
    }
    let order = look(&service, &format!("/ui/orders/{id}"), "").await.body;
    assert!(order.contains("a new card"), "{order}");
}

#[tokio::test]
async fn a_page_that_a_form_names_is_one_of_ours() {
    let service = Service::new().await;
    for (page, to) in [
        ("orders?status=failed", "./orders?status=failed"),
        ("//elsewhere.example/", "./"),
        ("https://elsewhere.example/", "./"),
        ("../v1/orders", "./"),
    ] {
        let page = format!(
            "theme=dark&page={}",
            page.replace('?', "%3F").replace('=', "%3D")
        );
        let answer = press(&service, "/ui/theme", "", &page).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some(to)),
            "{page}"
        );
        assert_eq!(cookie(&answer, "orderd_theme"), "orderd_theme=dark");
    }
}
