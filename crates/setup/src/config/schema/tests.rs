use super::super::keys;
use super::schema;
use serde_json::json;

#[test]
fn every_setting_is_described_with_its_bounds() {
    let schema = schema();
    for key in keys() {
        let (section, name) = key.split_once('.').unwrap();
        let setting = &schema["properties"][section]["properties"][name];
        assert!(setting["type"].is_string(), "{key}");
        let described = setting["description"].as_str().unwrap();
        assert!(
            described.ends_with(['.', ')', '"']) || described.len() > 20,
            "{key}: {described}"
        );
        let default = &setting["default"];
        if let Some(words) = setting["enum"].as_array() {
            assert!(words.contains(default), "{key}: {setting}");
        }
        if setting["type"] == "integer" && setting["enum"].is_null() {
            let (least, most) = (&setting["minimum"], &setting["maximum"]);
            let within = least.as_i64() <= default.as_i64() && default.as_i64() <= most.as_i64();
            assert!(within, "{key}: {setting}");
        }
    }
    let of = |section: &str, name: &str| &schema["properties"][section]["properties"][name];
    assert_eq!(
        of("access", "anonymous")["enum"],
        json!(["auto", "none", "read", "write"])
    );
    assert_eq!(
        of("idempotency", "mismatch_status")["enum"],
        json!([409, 422])
    );
    assert_eq!(of("server", "workers")["maximum"], 1024);
    assert_eq!(of("contracts", "fulfil")["enum"], json!(["paid", "all"]));
    assert!(of("database", "url_file")["type"].is_string());
    assert!(of("server", "listen")["enum"].is_null());
}
