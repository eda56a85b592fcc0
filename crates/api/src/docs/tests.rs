use super::{all, operations, plain, takes_gzip, unpacked};
use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};
use futures_util::FutureExt;
use http_body_util::BodyExt;

#[test]
fn what_is_compressed_goes_to_who_takes_it() {
    let check = |accept: &'static str, expected: bool| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
        assert_eq!(takes_gzip(&headers), expected, "{accept}");
    };
    check("gzip, deflate, br", true);
    check("br;q=1.0, GZIP;q=0.8", true);
    check("*", true);
    check("gzip;q=0", false);
    check("gzip; q=0.000", false);
    check("identity", false);
    check("", false);
    assert!(!takes_gzip(&HeaderMap::new()));
}

#[test]
fn without_a_viewer_the_documentation_is_a_plain_list() {
    let page = plain(&operations()).into_body().collect();
    let page = page.now_or_never().unwrap().unwrap().to_bytes();
    let page = str::from_utf8(&page).unwrap();
    assert!(page.contains("POST /v1/orders/batch") && !page.contains("<script"));
}

#[test]
fn every_asset_can_be_unpacked() {
    for asset in all() {
        let plain = if asset.is_gzipped {
            unpacked()
        } else {
            asset.bytes
        };
        let script = std::str::from_utf8(plain).unwrap();
        assert!(script.contains("Scalar"), "{}", asset.name);
    }
}
