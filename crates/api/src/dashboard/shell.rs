//! What is around every page: who looks at it, the head, the navigation, the headers.

use super::assets::{ICON, SCRIPT, STYLE};
use super::session::{self, Theme};
use crate::App;
use crate::layers::Context;
use crate::pages::HTML;
use crate::problem::Problem;
use crate::settings::Anonymous;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use domain::token::TokenScope;
use domain::{Prefix, Timestamp};
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

/// Everything from here, nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// A part of the dashboard, as the navigation has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Orders,
    Products,
    Ledger,
    DeadLetters,
    Providers,
    Idempotency,
    System,
    /// None of them: a problem, or the page of signing in.
    Nowhere,
}

/// The parts in the order of the navigation, each with its path below `/ui/` and its name.
const SECTIONS: [(Section, &str, &str); 8] = [
    (Section::Overview, "", "Overview"),
    (Section::Orders, "orders", "Orders"),
    (Section::Products, "products", "Products"),
    (Section::Ledger, "ledger", "Ledger"),
    (Section::DeadLetters, "dead-letters", "Dead letters"),
    (Section::Providers, "providers", "Providers"),
    (Section::Idempotency, "idempotency", "Idempotency"),
    (Section::System, "system", "System"),
];

/// Who looks at a page, and from where.
pub(super) struct Viewer {
    /// The way from the page to `/ui/`, with a slash at its end: links are relative, so that the
    /// dashboard works behind any prefix.
    pub(super) root: &'static str,
    /// The page, below `/ui/`, with its query.
    page: Box<str>,
    theme: Theme,
    csrf: Box<str>,
    /// Set where the browser has no secret for its forms yet.
    cookie: Option<HeaderValue>,
    /// What whoever looks may do.
    pub(super) scope: Option<TokenScope>,
    is_signed_in: bool,
    pub(super) now: Timestamp,
    /// The URL of the service, as the browser knows it, without a slash at its end.
    url: String,
    /// Whether nobody may read without a token.
    needs_token: bool,
}

impl Viewer {
    /// Of a request that may have been refused before anybody knew who asks.
    pub(super) fn of(app: &App, parts: &Parts) -> Self {
        let (csrf, cookie) = session::csrf(&parts.headers);
        let context = parts.extensions.get::<Context>();
        Self {
            root: root(&parts.uri),
            page: if parts.method == Method::GET {
                page(&parts.uri)
            } else {
                Box::default()
            },
            theme: Theme::of(&parts.headers),
            csrf,
            cookie,
            scope: context.and_then(|context| context.scope),
            is_signed_in: context.is_some_and(|context| !context.principal.as_str().is_empty()),
            now: app.clock.now(),
            url: url(&parts.headers, context),
            needs_token: app.settings.anonymous == Anonymous::None,
        }
    }

    /// A line for a terminal that asks for a path.
    pub(super) fn curl(&self, path: &str) -> String {
        let token = if self.needs_token {
            " -H \"Authorization: Bearer $ORDERD_TOKEN\""
        } else {
            ""
        };
        format!("curl {}{path}{token}", self.url)
    }

    pub(super) fn may_write(&self) -> bool {
        self.scope >= Some(TokenScope::Write)
    }

    /// A form that does something, with its secret.
    pub(super) fn form(&self, action: &str, content: &Markup) -> Markup {
        html! {
            form method="post" action={ (self.root) (action) } {
                input type="hidden" name="csrf" value=(self.csrf);
                (content)
            }
        }
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self::of(app, parts))
    }
}

fn url(headers: &HeaderMap, context: Option<&Context>) -> String {
    let scheme = if session::is_https(headers) {
        "https"
    } else {
        "http"
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost:8080");
    let prefix = context.map(|context| &context.prefix);
    format!("{scheme}://{host}{}", prefix.unwrap_or(&Prefix::default()))
}

/// The way from a path to `/ui/`.
fn root(uri: &Uri) -> &'static str {
    match uri.path().strip_prefix("/ui") {
        None | Some("") => "ui/",
        Some(rest) => match rest.matches('/').count() {
            0 | 1 => "./",
            2 => "../",
            3 => "../../",
            _ => "../../../",
        },
    }
}

fn page(uri: &Uri) -> Box<str> {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    path.strip_prefix("/ui/").unwrap_or_default().into()
}

/// A page of the dashboard.
pub(super) struct Page<'a> {
    pub(super) section: Section,
    pub(super) title: &'a str,
    /// What moves it: `always`, `orders`, the id of an order, or nothing.
    pub(super) moved_by: &'a str,
    pub(super) content: Markup,
}

impl Page<'_> {
    /// The way to a page that a form named; to the overview where that is none of ours.
    pub(super) fn after(root: &str, page: &str) -> String {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_?=&%.+".contains(&byte);
        let ours = page.bytes().all(known) && !page.contains("//") && !page.contains("..");
        format!(
            "{root}{}",
            if ours {
                page.trim_start_matches('/')
            } else {
                ""
            }
        )
    }

    /// The page as it is sent.
    pub(super) fn for_viewer(&self, viewer: &Viewer) -> Response {
        let text = self.render(viewer).into_string();
        let headers = [
            (CONTENT_TYPE, HTML),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, SAME_ORIGIN),
            (OPENER_POLICY, SAME_ORIGIN),
        ];
        let mut response = (headers, text).into_response();
        if let Some(cookie) = &viewer.cookie {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }

    fn render(&self, viewer: &Viewer) -> Markup {
        let root = viewer.root;
        html! {
            (DOCTYPE)
            html lang="en" data-root=(root) data-theme=(viewer.theme.as_str())
                data-moved-by=(self.moved_by) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · orderd" }
                    link rel="icon" type="image/svg+xml" href={ (root) "assets/" (ICON.name) };
                    link rel="stylesheet" href={ (root) "assets/" (STYLE.name) };
                    script src={ (root) "assets/" (SCRIPT.name) } defer {}
                }
                body {
                    a .skip href="#main" { "Skip to the content" }
                    (self.header(viewer))
                    main #main tabindex="-1" { (self.content) }
                    (footer(viewer))
                }
            }
        }
    }

    fn header(&self, viewer: &Viewer) -> Markup {
        let root = viewer.root;
        html! {
            header {
                a .brand href=(root) {
                    img src={ (root) "assets/" (ICON.name) } alt="" width="24" height="24";
                    "orderd"
                }
                nav aria-label="Dashboard" {
                    @for (section, path, name) in SECTIONS {
                        a href={ (root) (path) } aria-current=[(section == self.section).then_some("page")] {
                            (name)
                        }
                    }
                }
                // Says nothing before there is a script that keeps the page live.
                p #connection role="status" {}
            }
        }
    }
}

fn footer(viewer: &Viewer) -> Markup {
    let root = viewer.root;
    html! {
        footer {
            p {
                a href={ (root) "../docs" } { "API reference" } " "
                a href={ (root) "../problems" } { "Problems" } " "
                a href={ (root) "../metrics" } { "Metrics" }
            }
            (viewer.form("theme", &html! {
                input type="hidden" name="page" value=(viewer.page);
                span #theme-label { "Theme" }
                @for theme in Theme::ALL {
                    button .plain name="theme" value=(theme.as_str())
                        aria-describedby="theme-label"
                        aria-pressed=(viewer.theme == theme) { (theme.as_str()) }
                }
            }))
            @if viewer.is_signed_in {
                (viewer.form("logout", &html! { button .plain { "Sign out" } }))
            } @else if !viewer.may_write() {
                a href={ (root) "login" } { "Sign in" }
            }
        }
    }
}
