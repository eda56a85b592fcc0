//! Who looks at the dashboard: a token in a cookie, where one is needed; the secret that forms
//! carry; the theme.
//!
//! The token itself is what the cookie holds, so that one that is revoked is worth nothing here
//! either. Cookies do not know ports, so the name of the cookie says whose store it is for.

use super::refused;
use super::shell::{Page, Viewer};
use crate::App;
use crate::access::{self, Who};
use crate::extract;
use crate::problem::{Code, Problem};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// How long a browser keeps what it was told, in seconds: a working day for the token, a year for
/// the theme.
const SIGNED_IN_S: u32 = 12 * 3_600;
const THEME_S: u32 = 365 * 24 * 3_600;
/// The most bytes of a form: a reason, a key and what stands around them.
const FORM_MAX: usize = 16 * 1024;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CSRF: &str = "orderd_csrf";
const THEME: &str = "orderd_theme";

/// How a page looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the reader's system is set.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }

    pub(super) fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME)
            .and_then(Self::parse)
            .unwrap_or_default()
    }
}

/// Has the token of a browser's cookie speak for it, as the header of any other client does. For
/// reads everywhere, so that links lead on; for more on paths of the dashboard only, whose forms
/// carry a secret: a cookie is sent by the browser, whoever makes it ask.
pub(crate) fn lend_token(app: &App, request: &mut Request) {
    let headers = request.headers();
    if !headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION) {
        return;
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !request.uri().path().starts_with("/ui/") {
        return;
    }
    let lent = cookie(headers, &name(app))
        .and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    if let Some(value) = lent {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

/// The cookie that takes the place of a token's, where the browser has one.
pub(super) fn forget_what_is_held(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let held = cookie(headers, &name(app)).is_some();
    held.then(|| forget(app, headers))
}

/// The name of the cookie that holds the token for this store.
fn name(app: &App) -> String {
    let digest = Hmac::<Sha256>::new_from_slice(&app.cursor_key)
        .expect("HMAC takes keys of any length")
        .chain_update("the name of a session")
        .finalize()
        .into_bytes();
    let mut name = "orderd_session_".to_owned();
    for byte in &digest[..4] {
        write!(name, "{byte:02x}").expect("a String takes all that is written to it");
    }
    name
}

/// What a cookie holds.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then_some(value)
        })
}

/// To whom a cookie is sent.
#[derive(Clone, Copy)]
enum SentTo {
    /// This site's own pages only: not who comes by a link from elsewhere.
    Ours,
    /// Whoever comes by a link, too.
    Links,
}

/// A cookie that no script reads.
fn set(
    name: &str,
    value: &str,
    seconds: u32,
    (sent_to, headers): (SentTo, &HeaderMap),
) -> HeaderValue {
    let site = match sent_to {
        SentTo::Ours => "Strict",
        SentTo::Links => "Lax",
    };
    let secure = if is_https(headers) { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={site}{secure}");
    HeaderValue::from_str(&text).expect("names, tokens and numbers are ASCII")
}

/// Whether the browser came by HTTPS, as the proxy in front says.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto");
    proto.is_some_and(|proto| proto.as_bytes() == b"https")
}

/// The secret that the forms of a browser carry, and the cookie to give it where it had none.
pub(super) fn csrf(headers: &HeaderMap) -> (Box<str>, Option<HeaderValue>) {
    if let Some(secret) = cookie(headers, CSRF).filter(|secret| is_secret(secret)) {
        return (secret.into(), None);
    }
    let secret = format!("{:032x}", rand::random::<u128>());
    let cookie = set(CSRF, &secret, SIGNED_IN_S, (SentTo::Links, headers));
    (secret.into(), Some(cookie))
}

fn is_secret(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a form says.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form, if it is one of ours: the browser says that it comes from this site, and it
    /// carries the secret of that browser's cookie (double submit).
    pub(super) async fn read(app: &App, request: Request) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = extract::body(app, request, FORM_MAX).await?;
        let form: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
        let form = Self(form);
        let secret = cookie(&headers, CSRF).unwrap_or_default();
        let same = secret.as_bytes().ct_eq(form.get("csrf").as_bytes());
        if !comes_from_here(&headers) || !is_secret(secret) || !bool::from(same) {
            return Err(Problem::new(
                Code::Forbidden,
                "This form does not come from a page of this dashboard, or that page is too old: \
                 go back, load it again, and send it once more.",
            ));
        }
        Ok(form)
    }

    /// What a field says; nothing where it is absent.
    pub(super) fn get(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(found, _)| found == name);
        field.map_or("", |(_, value)| value.trim())
    }
}

/// Whether a browser says that its page is one of ours. One that says nothing is old, or none.
fn comes_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|it| it.split_once("://"));
    origin.map(|(_, authority)| authority) == host
}

/// The page that asks for a token.
pub(super) async fn show(viewer: Viewer) -> Response {
    refused::sign_in(&viewer, None)
}

/// Signs a browser in.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    request: Request,
) -> Result<Response, Problem> {
    let source = Who::source(&app, &request);
    let headers = request.headers().clone();
    let form = Form::read(&app, request).await?;
    let token = HeaderValue::from_str(&format!("Bearer {}", form.get("token")));
    let known = match token {
        Ok(token) => access::authenticate(&app, &token, &source).await,
        Err(_) => Err(Problem::new(Code::Unauthorized, "")),
    };
    match known {
        Ok(_identity) => {
            let name = name(&app);
            let cookie = set(
                &name,
                form.get("token"),
                SIGNED_IN_S,
                (SentTo::Ours, &headers),
            );
            Ok(back(viewer.root, Some(cookie)))
        }
        Err(problem) if problem.status() == 401 => Ok(refused::sign_in(
            &viewer,
            Some("This token is not known here."),
        )),
        Err(problem) => Err(problem),
    }
}

/// Forgets the token of a browser.
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    Form::read(&app, request).await?;
    Ok(back(viewer.root, Some(forget(&app, &headers))))
}

/// The cookie that takes the token's place.
fn forget(app: &App, headers: &HeaderMap) -> HeaderValue {
    set(&name(app), "", 0, (SentTo::Ours, headers))
}

/// Remembers how pages are to look.
pub(super) async fn choose_theme(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let form = Form::read(&app, request).await?;
    let theme = Theme::parse(form.get("theme")).unwrap_or_default();
    let cookie = set(THEME, theme.as_str(), THEME_S, (SentTo::Links, &headers));
    let page = Page::after(viewer.root, form.get("page"));
    Ok(back(&page, Some(cookie)))
}

/// Has the browser go on at another page.
pub(super) fn back(to: &str, cookie: Option<HeaderValue>) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("./"));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests;
