//! Files that are kept in the repository but say what the code says: none may fall behind.

mod examples;
mod reference;

use crate::harness::{Site, setting};
use crate::load::Client;
use serde_json::Value;
use std::fs;
use std::path::Path;

const OPENAPI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
const ASYNCAPI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/asyncapi.json");

#[test]
fn the_kept_documents_are_the_served_ones() {
    let server = Site::new(None).start().unwrap();
    for (kept, path) in [(OPENAPI, "/openapi.json"), (ASYNCAPI, "/asyncapi.json")] {
        let answer = Client::connect(server.address).unwrap().get(path).unwrap();
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        same(kept, &format!("{document:#}\n"));
    }
}

#[test]
fn what_a_command_prints_is_what_is_kept() {
    let site = Site::new(None);
    for (kept, name) in [(OPENAPI, "openapi"), (ASYNCAPI, "asyncapi")] {
        let printed = site.output(&["schema", name]).stdout;
        same(kept, str::from_utf8(&printed).unwrap());
    }
    let printed = site.output(&["schema", "config"]).stdout;
    let schema: Value = serde_json::from_slice(&printed).unwrap();
    let listen = &schema["properties"]["server"]["properties"]["listen"];
    assert_eq!(listen["default"], "127.0.0.1:8080");
    assert_eq!(site.output(&["schema", "nothing"]).status.code(), Some(2));
}

/// Compares a kept file with what it should be; `ORDERD_REWRITE=1` writes it instead.
fn same(path: &str, should_be: &str) {
    if setting("ORDERD_REWRITE") == Some(1) {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, should_be).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == should_be,
        "{path} is behind.\nFix: ORDERD_REWRITE=1 cargo xtask test generated"
    );
}
