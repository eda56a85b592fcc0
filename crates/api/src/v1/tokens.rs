//! `/v1/tokens`: make a token, list them, revoke one. Needs the scope admin.

use super::orders::JSON;
use crate::App;
use crate::extract::{self, TextPath};
use crate::fields::{Faults, Fields, Wrong, text};
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::json::Json;
use domain::token::{self, Token, TokenScope};
use domain::{Change, Name, Record, RecordId, RecordKind, Timestamp, WriteSet};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use store::{Committed, RecordQuery};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most tokens that there can be: the list shows all.
const TOKENS_MAX: usize = 1_000;

/// A token to make.
#[derive(ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `create` reads")]
pub(crate) struct NewTokenBody {
    /// What it may do: `read`, `write` or `admin`.
    #[schema(example = "write")]
    scope: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// A token; the secret is shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenBody<'a> {
    /// Its name for programs.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    token_id: Uuid,
    /// Its name for people.
    name: Option<&'a str>,
    /// What it may do.
    scope: &'static str,
    /// When it was made.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What to send as `Authorization: Bearer`; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl<'a> TokenBody<'a> {
    fn of(token: &'a Token, secret: Option<String>) -> Self {
        Self {
            token_id: token.id,
            name: token.name.as_ref().map(Name::as_str),
            scope: token.scope.as_str(),
            created_at: token.created_at,
            token: secret,
        }
    }
}

/// The tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenList)]
pub(crate) struct TokensBody<'a> {
    /// The oldest first.
    items: Vec<TokenBody<'a>>,
}

/// A token as it is kept, under the digest of its secret.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    token_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scope: Cow<'a, str>,
    created_at_ms: i64,
}

fn encode(token: &Token) -> Box<[u8]> {
    let kept = Kept {
        token_id: token.id.to_string().into(),
        name: token.name.as_ref().map(|name| name.as_str().into()),
        scope: token.scope.as_str().into(),
        created_at_ms: token.created_at.as_millis(),
    };
    to_bytes(&kept).into()
}

/// The token of a record.
pub(crate) fn decode(record: &Record) -> Result<Token, Problem> {
    let token = || {
        let kept: Kept<'_> = serde_json::from_slice(&record.body).ok()?;
        Some(Token {
            id: Uuid::parse_str(&kept.token_id).ok()?,
            name: kept.name.as_deref().and_then(Name::parse),
            scope: TokenScope::parse(&kept.scope)?,
            created_at: Timestamp::from_millis(kept.created_at_ms),
        })
    };
    token().ok_or_else(|| store::Error::Corrupt("a token cannot be read".to_owned()).into())
}

/// Make a token
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "create_token",
    tag = "access",
    request_body = NewTokenBody,
    responses((status = 201, description = "The token, with its secret", body = TokenBody))
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    fields.only(&["scope", "name"], &mut faults);
    let name = fields.optional("name", &mut faults, text);
    let scope = fields.required("scope", &mut faults, scope);
    let scope = faults.check(scope)?;

    let now = app.clock.now();
    let id = app.ids.mint(now);
    let token = Token {
        id,
        name,
        scope,
        created_at: now,
    };
    let random: [u8; 32] = rand::random();
    let secret = format!("{}{}", token::PREFIX, BASE64_URL_SAFE_NO_PAD.encode(random));
    if all(&app).await?.len() >= TOKENS_MAX {
        return Err(Problem::new(
            Code::ValidationFailed,
            format!("There are {TOKENS_MAX} tokens; revoke one first."),
        ));
    }

    let digest = token::digest(secret.as_bytes());
    let change = change(&digest, 0, Some(encode(&token)));
    if app.store.commit(Arc::new(change)).await? != Committed::Done {
        return Err(Problem::new(
            Code::Unavailable,
            "The token was there already, which cannot be; nothing was written.",
        ));
    }

    let body = to_bytes(&TokenBody::of(&token, Some(secret)));
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, JSON)], body).into_response())
}

fn scope(value: &Json) -> Result<TokenScope, Wrong> {
    let scope = match value {
        Json::String(word) => TokenScope::parse(word),
        _ => None,
    };
    scope.ok_or_else(|| Wrong::new("out_of_bounds", "must be read, write or admin"))
}

fn change(digest: &str, was: u32, body: Option<Box<[u8]>>) -> WriteSet {
    let id = RecordId {
        kind: RecordKind::Token,
        id: digest.into(),
    };
    WriteSet {
        claim: None,
        changes: vec![Change::Record { id, was, body }],
    }
}

/// List the tokens
#[utoipa::path(
    get,
    path = "/v1/tokens",
    operation_id = "list_tokens",
    tag = "access",
    responses((status = 200, description = "The tokens, without their secrets", body = TokensBody))
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let tokens = every(&app).await?;

    let items = tokens
        .iter()
        .map(|token| TokenBody::of(token, None))
        .collect();
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&TokensBody { items })).into_response())
}

/// Revoke a token
#[utoipa::path(
    delete,
    path = "/v1/tokens/{token_id}",
    operation_id = "revoke_token",
    tag = "access",
    params(("token_id" = String, Path, description = "The token")),
    responses(
        (status = 204, description = "It is good for nothing any more"),
        (status = 404, description = "There is no such token", body = crate::problem::Document),
    )
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    let tokens = all(&app).await?;
    let revoked = tokens
        .iter()
        .find(|(_, _, token)| token.id.to_string() == id);
    let no_such_token = || Problem::new(Code::NotFound, "There is no token with this id.");
    let (digest, version, _) = revoked.ok_or_else(no_such_token)?;

    let committed = app
        .store
        .commit(Arc::new(change(digest, *version, None)))
        .await?;

    match committed {
        Committed::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(no_such_token()),
    }
}

/// Every token, the oldest first.
pub(crate) async fn every(app: &App) -> Result<Vec<Token>, Problem> {
    let tokens = all(app).await?.into_iter().map(|(_, _, token)| token);
    let mut tokens: Vec<Token> = tokens.collect();
    tokens.sort_unstable_by_key(|token| (token.created_at, token.id));
    Ok(tokens)
}

/// Every token, with the digest and the version that it is kept under.
async fn all(app: &App) -> Result<Vec<(Box<str>, u32, Token)>, Problem> {
    let query = RecordQuery {
        kind: RecordKind::Token,
        after: None,
        limit: TOKENS_MAX,
    };
    let page = app.store.list(query).await?;
    page.items
        .into_iter()
        .map(|(digest, record)| Ok((digest, record.version, decode(&record)?)))
        .collect()
}
