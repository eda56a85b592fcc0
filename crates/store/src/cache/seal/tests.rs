use super::{seal, unseal};
use crate::cache::Entry;

fn entry() -> Entry {
    Entry {
        head: "</v1/orders?cursor=x>; rel=\"next\"".into(),
        body: br#"{"orders":[{"name":"\",\"cache_tag\":\"1.."}],"total_orders":1}"#[..].into(),
    }
}

#[test]
fn what_was_sealed_is_the_object_with_one_field_more() {
    let sealed = seal("orders:list:1", 7, &entry());
    let text = String::from_utf8(sealed.clone()).unwrap();
    assert!(text.starts_with(r#"{"orders":[{"name":"#), "{text}");
    assert!(
        text.contains(r#","total_orders":1,"cache_tag":"1."#),
        "{text}"
    );
    assert_eq!(unseal("orders:list:1", 7, &sealed), Some(entry()));
}

#[test]
fn anything_else_is_none() {
    let sealed = seal("orders:list:1", 7, &entry());
    assert_eq!(unseal("orders:list:2", 7, &sealed), None, "another key");
    assert_eq!(unseal("orders:list:1", 8, &sealed), None, "another era");
    for length in 0..sealed.len() {
        assert_eq!(unseal("orders:list:1", 7, &sealed[..length]), None);
    }
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        assert_eq!(unseal("orders:list:1", 7, &flipped), None, "byte {at}");
    }
    for garbage in [
        "",
        "{}",
        "garbage",
        "\"}",
        r#"{"orders":[],"total_orders":0}"#,
    ] {
        assert_eq!(unseal("orders:list:1", 7, garbage.as_bytes()), None);
    }
}
