//! The catalogue contract at `/products`.

use crate::service::{Answer, Service};
use serde_json::json;

const MACBOOK: &str = r#"{"productId":"1","name":"MacBook","price":1999}"#;
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

async fn make(service: &Service, body: &str) -> Answer {
    service
        .send("POST", "/products", &FORM, body.to_owned())
        .await
}

#[tokio::test]
async fn a_product_is_three_fields_in_and_out() {
    let service = Service::new().await;
    let made = make(&service, MACBOOK).await;
    assert_eq!((made.status, &*made.body), (201, MACBOOK));
    for path in ["/products/1", "/products/1/"] {
        assert_eq!(service.get(path).await.body, MACBOOK);
    }
    for path in ["/products", "/products/"] {
        assert_eq!(service.get(path).await.body, format!("[{MACBOOK}]"));
    }
    let again = make(&service, MACBOOK).await;
    again.assert_problem(409, "product_exists");
    assert!(again.body.contains("Product already exists"));
    let unknown = service.get("/products/999").await;
    unknown.assert_problem(404, "not_found");
    assert!(unknown.body.contains("Product not found"));
    let product = service.get("/v1/products/1").await.json();
    assert_eq!(
        (&product["price_minor"], &product["currency"]),
        (&json!(199_900), &json!("USD"))
    );
}

#[tokio::test]
async fn prices_are_decimals_and_never_floats() {
    let service = Service::new().await;
    for (id, price, shown, minor) in [
        ("a", "0.29", "0.29", 29_i64),
        ("b", "19.990", "19.99", 1_999),
        ("c", "1.5e1", "15", 1_500),
        ("d", "0.1", "0.1", 10),
        (
            "e",
            "90071992547409.93",
            "90071992547409.93",
            9_007_199_254_740_993,
        ),
        (
            "f",
            "92233720368547758.07",
            "92233720368547758.07",
            i64::MAX,
        ),
    ] {
        let made = make(
            &service,
            &format!(r#"{{"productId":"{id}","name":"x","price":{price}}}"#),
        )
        .await;
        let body = format!(r#"{{"productId":"{id}","name":"x","price":{shown}}}"#);
        assert_eq!((made.status, &*made.body), (201, &*body), "{price}");
        let product = service.get(&format!("/v1/products/{id}")).await.json();
        assert_eq!(product["price_minor"], minor);
    }
    let yen = r#"{"product_id":"y","name":"x","price_minor":1999,"currency":"JPY"}"#;
    service.send("POST", "/v1/products", &[], yen).await;
    assert_eq!(service.get("/products/y").await.json()["price"], 1999);
}

#[tokio::test]
async fn names_are_matched_without_their_case_and_what_is_unknown_is_ignored() {
    let service = Service::new().await;
    let body = r#"{"PRODUCTID":"1","Name":"MacBook","pRiCe":1999,"colour":"grey"}"#;
    let made = make(&service, body).await;
    assert_eq!((made.status, &*made.body), (201, MACBOOK));
    service
        .send(
            "POST",
            "/products/",
            &[],
            r#"{"productId":"a/b c","name":"<&>","price":1}"#,
        )
        .await;
    let nested = r#"{"productId":"a/b c","name":"<&>","price":1}"#;
    assert_eq!(service.get("/products/a/b%20c").await.body, nested);
    assert_eq!(service.get("/products/a%2Fb%20c").await.body, nested);
}

#[tokio::test]
async fn anything_wrong_is_a_400() {
    let service = Service::new().await;
    for body in ["", "{bad", "{} x"] {
        let answer = make(&service, body).await;
        answer.assert_problem(400, "invalid_json");
        assert!(answer.field("error").starts_with("Invalid JSON"));
    }
    for body in ["null", "[]", "5"] {
        assert_eq!(make(&service, body).await.status, 400, "{body}");
    }
    for body in [
        "{}",
        r#"{"productId":"","name":"x","price":1}"#,
        r#"{"productId":"2","name":"","price":1}"#,
        r#"{"productId":"2","name":"x"}"#,
        r#"{"productId":"2","name":"x","price":null}"#,
        r#"{"productId":"2","name":"x","price":0}"#,
        r#"{"productId":"2","name":"x","price":-1}"#,
        r#"{"productId":"2","name":"x","price":"1"}"#,
        r#"{"productId":"2","name":"x","price":true}"#,
        r#"{"productId":"2","name":"x","price":0.001}"#,
        r#"{"productId":"2","name":"x","price":1e400}"#,
        r#"{"productId":"2","name":"x","price":92233720368547758.08}"#,
        r#"{"productId":2,"name":"x","price":1}"#,
    ] {
        let answer = make(&service, body).await;
        answer.assert_problem(400, "validation_failed");
        assert!(
            answer
                .field("error")
                .starts_with("Missing or invalid fields")
        );
    }
    let twice = r#"{"productId":"2","PRODUCTID":"3","name":"x","price":1}"#;
    assert_eq!(make(&service, twice).await.status, 400);
    assert_eq!(service.get("/products").await.body, "[]");
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = service.send(method, "/products", &[], "").await;
        answer.assert_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn a_key_is_honoured_though_none_is_needed() {
    let service = Service::new().await;
    let key = [("idempotency-key", "k")];
    let first = service.send("POST", "/products", &key, MACBOOK).await;
    let again = service.send("POST", "/products", &key, MACBOOK).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = MACBOOK.replace("1999", "2000");
    let other = service.send("POST", "/products", &key, other).await;
    other.assert_problem(409, "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_make_one_product_one_does() {
    let service = std::sync::Arc::new(Service::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let service = std::sync::Arc::clone(&service);
        tasks.spawn(async move { make(&service, MACBOOK).await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 49]].concat());
}
