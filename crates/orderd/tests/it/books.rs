//! What the dashboard shows of one order, of its money, and of the stock.

use crate::dashboard::{look, press};
use crate::fulfilment::{Scripted, drain, order, place, settle};
use crate::service::{DAY_MS, ORDER, Service};
use crate::stock::set_stock;
use domain::fulfil::{Answer, CallKind};
use domain::{Change, Money, Order, OrderId, WriteSet};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use store::Committed;

/// How long a provider that is away asks to be left alone.
const AWAY_MS: i64 = 30_000;

fn away() -> Answer {
    Answer::Failed("away".into(), Some(AWAY_MS))
}

async fn page(service: &Service, id: &str) -> String {
    look(service, &format!("/ui/orders/{id}"), "").await.body
}

/// What the timeline says of the events of a kind.
async fn details(service: &Service, id: &str, kind: &str) -> Vec<Value> {
    let timeline = service.get(&format!("/v1/orders/{id}/timeline")).await;
    let mut items = timeline.json()["items"].take();
    let items = items.as_array_mut().unwrap().iter_mut();
    let of_kind = items.filter(|item| item["kind"] == kind);
    of_kind.map(|item| item["detail"].take()).collect()
}

async fn note(service: &Service, id: &str) {
    let path = format!("/v1/orders/{id}/notes");
    let noted = service
        .send("POST", &path, &[], r#"{"note":"rings twice"}"#)
        .await;
    assert_eq!(noted.status, 200, "{}", noted.body);
}

/// A priced order, and what it comes to.
async fn priced(service: &Service) -> (String, i64) {
    let pen = json!({ "name": "Pen", "price_minor": 150 }).to_string();
    let made = service.send("PUT", "/v1/products/pen", &[], pen).await;
    assert!(made.status < 300, "{}", made.body);
    (place(service, "priced", ORDER).await, 300)
}

#[tokio::test]
async fn whoever_has_to_rule_is_told_what_to_ask_the_payment_service_for() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let provider = Scripted::before(move |call, number| {
        if call.kind != CallKind::Capture {
            return None;
        }
        seen.lock().unwrap().push(call.effect_id());
        // It fails once, and is left alone until it is too late.
        Some(if number == 2 {
            away()
        } else {
            Answer::NotTried(60_000)
        })
    });
    let worker = drain(&service, provider);
    worker.pass().await.unwrap();
    let failed = details(&service, &id, "order.try_failed.v1").await;
    settle(&service, &worker).await;
    for _ in 0..2 {
        service.clock.move_by(DAY_MS);
        settle(&service, &worker).await;
    }
    assert_eq!(order(&service, &id).await["status"], "needs_review");

    let review = details(&service, &id, "order.needs_review.v1").await;
    let effect_id = asked.lock().unwrap()[0].clone();
    assert_eq!(effect_id, format!("{id}:capture:1"));
    assert_eq!(failed[0]["effect_id"], effect_id);
    assert_eq!(review[0]["effect_id"], effect_id);
    let shown = format!("effect id <code>{effect_id}</code>");
    assert_eq!(page(&service, &id).await.matches(&shown).count(), 2);
}

#[tokio::test]
async fn an_order_that_waits_says_when_it_goes_on() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    assert!(!page(&service, &id).await.contains("Next try"));
    let provider = Scripted::before(|_, number| (number == 0).then(away));
    let worker = drain(&service, provider);
    worker.pass().await.unwrap();
    let at = domain::Clock::now(&*service.clock).plus_millis(AWAY_MS);
    note(&service, &id).await;
    service.clock.move_by(10_000);
    let waiting = page(&service, &id).await;
    let left = format!("<small data-until=\"{at}\">in 20 s</small>");
    assert!(
        waiting.contains("Next try") && waiting.contains(&left),
        "{waiting}"
    );
    settle(&service, &worker).await;
    let done = page(&service, &id).await;
    assert!(
        done.contains("completed") && !done.contains("Next try"),
        "{done}"
    );
}

#[tokio::test]
async fn a_refund_that_waits_says_so_as_well_and_under_which_effect_id() {
    let service = Service::new().await;
    let (id, _) = priced(&service).await;
    let provider = Scripted::before(|call, _| (call.kind == CallKind::Refund).then(away));
    let worker = drain(&service, provider);
    worker.pass().await.unwrap();
    let path = format!("/v1/orders/{id}/refunds");
    let body = json!({ "reason": "broken" }).to_string();
    let key = [("idempotency-key", "r")];
    let asked = service.send("POST", &path, &key, body).await;
    worker.pass().await.unwrap();
    let failed = details(&service, &id, "order.try_failed.v1").await;
    let effect_id = format!("{id}:refund:{}", asked.field("refund_id"));
    assert_eq!(failed[0]["effect_id"], effect_id);
    assert_eq!(failed[0]["again_in_ms"], AWAY_MS);
    let waiting = page(&service, &id).await;
    assert!(
        waiting.contains(&effect_id) && waiting.contains("in 30 s"),
        "{waiting}"
    );
}

#[tokio::test]
async fn what_comes_after_the_end_of_an_order_took_none_of_its_time() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    service.clock.move_by(2_000);
    let so_far = "<dt>Took</dt><dd>2.0 s so far</dd>";
    assert!(page(&service, &id).await.contains(so_far));
    drain(&service, Scripted::willing()).pass().await.unwrap();
    service.clock.move_by(DAY_MS);
    note(&service, &id).await;
    let took = "<dt>Took</dt><dd>2.0 s</dd>";
    let page = page(&service, &id).await;
    assert!(page.contains(took), "{page}");
}

#[tokio::test]
async fn the_trace_of_an_order_is_a_link_where_traces_are_looked_at() {
    const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let headers = [("idempotency-key", "k"), ("traceparent", &*parent)];
    for (url, shown) in [
        ("", format!("<dd class=\"id\">{TRACE_ID}</dd>")),
        (
            "https://traces.example/{trace_id}?x=1",
            format!(
                "<a href=\"https://traces.example/{TRACE_ID}?x=1\" rel=\"noreferrer\">{TRACE_ID}</a>"
            ),
        ),
    ] {
        let service = Service::with(|settings| settings.trace_url = url.into()).await;
        let placed = service.send("POST", "/v1/orders", &headers, ORDER).await;
        let page = page(&service, &placed.field("order_id")).await;
        assert!(page.contains(&shown), "{page}");
    }
}

#[tokio::test]
async fn the_ledger_marks_an_order_that_says_other_than_its_transfers() {
    let service = Service::new().await;
    let (id, total) = priced(&service).await;
    settle(&service, &drain(&service, Scripted::willing())).await;
    let sound = look(&service, "/ui/ledger", "").await.body;
    let tile =
        |name: &str, amount: &str| format!("<dt>Taken, by the {name}</dt><dd><b>{amount}</b></dd>");
    assert!(sound.contains(&tile("transfers", "3.00 USD")), "{sound}");
    assert!(sound.contains(&tile("orders", "3.00 USD")), "{sound}");
    assert!(
        sound.contains("<dt>Orders that differ</dt><dd><b class=\"\">0</b></dd>"),
        "{sound}"
    );
    assert!(!sound.contains('▲'), "{sound}");

    let store = &service.app.store;
    let order = store.order(OrderId::parse(&id).unwrap()).await.unwrap();
    let order = order.unwrap();
    let damaged = Change::Order {
        was: order.version,
        now: Box::new(Order {
            version: order.version + 1,
            captured_minor: Money::from_minor(total + 50),
            ..order
        }),
    };
    let write_set = WriteSet {
        claim: None,
        changes: vec![damaged],
    };
    assert_eq!(
        store.commit(Arc::new(write_set)).await.unwrap(),
        Committed::Done
    );
    let wrong = look(&service, "/ui/ledger", "").await.body;
    for text in [
        tile("transfers", "3.00 USD"),
        tile("orders", "3.50 USD"),
        "<dt>Orders that differ</dt><dd><b class=\"failed\">1</b>".to_owned(),
        "▲ By its transfers 3.00 USD were taken and 0.00 USD given back; the order says 3.50 USD and 0.00 USD.".to_owned(),
    ] {
        assert!(wrong.contains(&text), "{text}: {wrong}");
    }
}

#[tokio::test]
async fn what_is_counted_is_listed_in_the_catalogue_or_not() {
    let service = Service::new().await;
    for number in 0..20 {
        let product = json!({ "name": "Ink", "price_minor": 100 }).to_string();
        let path = format!("/v1/products/ink-{number:02}");
        service.send("PUT", &path, &[], product).await;
        set_stock(&service, &format!("ink-{number:02}-loose"), 40 + number).await;
    }
    let first = look(&service, "/ui/products", "").await.body;
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap();
    let second = look(&service, &format!("/ui/{next}"), "").await.body;
    assert!(!second.contains("rel=\"next\""), "{second}");
    let ids = |page: &str| -> Vec<String> {
        let cells = page.split("<td class=\"id\">").skip(1);
        cells
            .map(|cell| cell.split('<').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&first).len(), 25);
    let mut expected: Vec<String> = (0..20)
        .flat_map(|number| [format!("ink-{number:02}"), format!("ink-{number:02}-loose")])
        .collect();
    expected.sort();
    assert_eq!([ids(&first), ids(&second)].concat(), expected);
    assert!(
        second.contains("not in the catalogue") && second.contains(">59<"),
        "{second}"
    );
    assert!(second.contains("not counted, always to be had"), "{second}");
}

#[tokio::test]
async fn an_items_last_changes_by_hand_say_who_and_why() {
    let service = Service::new().await;
    set_stock(&service, "pen", 5).await;
    for number in 1..=9 {
        let fields = format!("item_id=pen&change={number}&reason=delivery+{number}%2E");
        let pressed = press(&service, "/ui/stock", "", &fields).await;
        assert_eq!(pressed.status, 303, "{}", pressed.body);
    }
    let page = look(&service, "/ui/products", "").await.body;
    for text in [
        "<b>+5</b> to 5: stocktaking, by anonymous",
        "<b>+9</b> to 50: delivery 9., by anonymous",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }

    // Said with the product; and the oldest goes.
    let pen = json!({ "name": "Pen", "price_minor": 150, "stock": 48 }).to_string();
    service.send("PUT", "/v1/products/pen", &[], pen).await;
    let page = look(&service, "/ui/products", "").await.body;
    assert!(
        page.contains("<b>-2</b> to 48: said with the product, by anonymous"),
        "{page}"
    );
    assert!(
        !page.contains("stocktaking") && page.contains("delivery 1."),
        "{page}"
    );
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn what_the_rules_would_refuse_is_not_offered() {
    let service = Service::new().await;
    let (id, _) = priced(&service).await;
    let offers = async |form: &str| page(&service, &id).await.contains(form);
    let (cancel, refund) = ("Cancel the order", "name=\"amount_minor\"");
    assert!(offers(cancel).await && !offers(refund).await);
    let provider = Scripted::before(|call, number| {
        (call.kind == CallKind::Refund || call.kind == CallKind::Capture && number == 2).then(away)
    });
    let worker = drain(&service, provider);
    worker.pass().await.unwrap();
    assert!(offers("capture payment").await && !offers(cancel).await);
    service.clock.move_by(AWAY_MS);
    worker.pass().await.unwrap();
    assert!(offers(refund).await && offers("placeholder=\"300\"").await);

    let path = format!("/ui/orders/{id}/refund");
    press(&service, &path, "", "key=a&amount_minor=100&reason=broken").await;
    assert!(offers("placeholder=\"200\"").await, "100 are under way");
    press(&service, &path, "", "key=b&amount_minor=&reason=broken").await;
    assert!(!offers(refund).await, "all of it is under way");
}

#[tokio::test]
async fn a_reason_is_kept_where_its_form_says() {
    let service = Service::new().await;
    let stock = look(&service, "/ui/products", "").await.body;
    assert!(
        stock.contains("placeholder=\"kept with the item\""),
        "{stock}"
    );
    assert!(!stock.contains("kept in the timeline"), "{stock}");
}
