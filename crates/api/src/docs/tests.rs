use super::{all, takes_gzip, unpacked};
use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};

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
