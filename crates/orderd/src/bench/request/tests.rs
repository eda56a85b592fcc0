use super::*;

fn route(contract: Contract) -> Route {
    let host = "127.0.0.1:8080".to_owned();
    Route {
        host,
        path: contract.path().to_owned(),
        contract,
        run: 0xabc,
        token: None,
    }
}

fn filled(kind: Kind, contract: Contract, number: u64) -> String {
    let ids = ["a".repeat(36), "b".repeat(36)];
    let mut template = Template::new(kind, &route(contract));
    String::from_utf8(template.fill(number, &ids).to_vec()).unwrap()
}

#[test]
fn an_order_has_its_numbers_in_place() {
    assert_eq!(
        filled(Kind::Create, Contract::V1, 0x1_2345),
        "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n\
         Content-Length: 65\r\nIdempotency-Key: 00000abc00012345\r\n\r\n\
         {\"customer_id\":\"c4565\",\"lines\":[{\"item_id\":\"i565\",\"quantity\":1}]}"
    );
    assert!(
        filled(Kind::Create, Contract::Receipt, 7)
            .ends_with("\r\n\r\n{\"customer_id\":\"c0007\",\"item_id\":\"i007\",\"quantity\":1}")
    );
}

#[test]
fn a_replay_is_the_request_of_a_prepared_order() {
    let first = filled(Kind::Create, Contract::V1, 42);
    assert_eq!(filled(Kind::Replay, Contract::V1, PREPARED * 7 + 42), first);
}

#[test]
fn a_read_names_one_of_the_ids() {
    let request = filled(Kind::Get, Contract::V1, 3);
    assert!(request.starts_with(&format!("GET /v1/orders/{} HTTP/1.1\r\n", "b".repeat(36))));
    assert!(
        filled(Kind::List, Contract::V1, 3).starts_with("GET /v1/orders?limit=50 HTTP/1.1\r\n")
    );
}

#[test]
fn a_batch_holds_a_hundred_orders_with_keys_that_no_other_batch_has() {
    let keys = |number| {
        let request = filled(Kind::Batch, Contract::V1, number);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let items = body["items"].as_array().unwrap();
        let key = |item: &serde_json::Value| item["idempotency_key"].as_str().unwrap().to_owned();
        items.iter().map(key).collect::<Vec<_>>()
    };
    let mut all = [keys(1_000), keys(1_001)].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 200);
}
