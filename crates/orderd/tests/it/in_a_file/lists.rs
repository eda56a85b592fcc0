//! Lists whose pages look at so many orders and no more.

use crate::service::Service;
use serde_json::{Value, json};

/// How many orders of a customer a page looks at for those with a status.
const LOOKED_AT: usize = 1_000;

async fn place_some(service: &Service, count: usize) {
    for batch in (0..count).collect::<Vec<_>>().chunks(500) {
        let items = batch.iter().map(|number| {
            json!({
                "idempotency_key": format!("k{number}"),
                "order": {"customer_id": "ann", "lines": [{"item_id": "pen", "quantity": 1}]},
            })
        });
        let body = json!({ "items": items.collect::<Vec<_>>() }).to_string();
        let placed = service.send("POST", "/v1/orders/batch", &[], body).await;
        assert_eq!(placed.status, 200, "{}", placed.body);
    }
}

#[tokio::test]
async fn a_page_with_none_of_those_looked_at_says_that_there_are_more() {
    let service = Service::new().await;
    place_some(&service, LOOKED_AT).await;
    let filters = "customer_id=ann&status=failed";
    let list = async |cursor: &str| -> Value {
        let path = format!("/v1/orders?{filters}{cursor}");
        service.get(&path).await.json()
    };
    let page = async || {
        let path = format!("/ui/orders?{filters}");
        let headers = [("accept", "text/html")];
        service.send("GET", &path, &headers, "").await.body
    };
    assert_eq!(list("").await, json!({"items": [], "next_cursor": null}));
    assert!(page().await.contains("No order is like that."));

    let order = r#"{"customer_id":"ann","lines":[{"item_id":"pen","quantity":1}]}"#;
    service.place("one more", order).await;
    let first = list("").await;
    assert_eq!(first["items"], json!([]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("&cursor={cursor}")).await;
    assert_eq!(second, json!({"items": [], "next_cursor": null}));
    let shown = page().await;
    assert!(
        shown.contains("None of those that were looked at is like that.")
            && shown.contains("rel=\"next\""),
        "{shown}"
    );
}
