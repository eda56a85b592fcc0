//! A problem as a page, for those who asked with a browser; without a token, the way to one.

use super::parts::notice;
use super::session;
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::pages::Form;
use crate::problem::Problem;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::Response;
use maud::html;

/// Makes `answer`, which is that of a problem, a page, if whoever asked wants one.
pub(crate) fn page(app: &App, parts: &Parts, problem: &Problem, answer: &mut Response) {
    // A token that is worth nothing is not to be sent again: each time counts as a wrong one.
    if matches!(problem.status(), 401 | 429)
        && let Some(forgotten) = session::forget_what_is_held(app, &parts.headers)
    {
        answer.headers_mut().append(SET_COOKIE, forgotten);
    }
    if Form::of(&parts.headers) != Form::Html {
        return;
    }
    let viewer = Viewer::of(app, parts);
    let mut page = if problem.status() == 401 {
        sign_in(&viewer, Some(problem.detail()))
    } else {
        explained(&viewer, problem)
    };
    let kept: Vec<_> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer.headers_mut().extend(page.headers_mut().drain());
    for cookie in kept {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    *answer.body_mut() = std::mem::take(page.body_mut());
}

fn explained(viewer: &Viewer, problem: &Problem) -> Response {
    let path = problem.code().path();
    let page = Page {
        section: Section::Nowhere,
        title: problem.title(),
        moved_by: "",
        content: html! {
            h1 { (problem.title()) }
            p { (problem.detail()) }
            p {
                a href={ (viewer.root) "../problems/" (path) } { "What this means, and what to do" }
                " · " a href=(viewer.root) { "Overview" }
            }
        },
    };
    page.for_viewer(viewer)
}

/// The page that asks for a token, and why.
pub(super) fn sign_in(viewer: &Viewer, why: Option<&str>) -> Response {
    let fields = html! {
        label for="token" { "Token" }
        input #token name="token" type="password" autocomplete="current-password" required;
        button { "Sign in" }
    };
    let page = Page {
        section: Section::Nowhere,
        title: "Sign in",
        moved_by: "",
        content: html! {
            h1 { "Sign in" }
            @if let Some(why) = why { (notice("bad", why)) }
            p { "Others can reach this server, so it wants to know who looks." }
            (viewer.form("login", &fields))
            p {
                "No token at hand? On the machine that runs orderd: "
                code { "orderd token create --scope read" }
                " lets you look, " code { "--scope write" } " lets you act."
            }
        },
    };
    let mut response = page.for_viewer(viewer);
    if why.is_some() {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    response
}
