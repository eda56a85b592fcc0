//! Faults that people make in such programs, planted in copies of the examples. One that is not seen
//! says that the checks are blind.

use super::{EXAMPLES, Site, side_by_side};
use crate::deploy::walkthrough::curl;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// A fault: in which example, what stands there, and what a person might have written.
struct Fault(&'static str, &'static str, &'static str, &'static str);

const FAULTS: [Fault; 22] = [
    Fault(
        "python/place_order.py",
        "another key each time",
        "\"Idempotency-Key\": key}",
        "\"Idempotency-Key\": key + str(time.time())}",
    ),
    Fault(
        "python/place_order.py",
        "no retry without an answer",
        "except LOST as lost:",
        "except ZeroDivisionError as lost:",
    ),
    Fault(
        "python/place_order.py",
        "Retry-After is not read",
        "min(float(wanted), AFTER_MAX) if wanted.isdecimal() else 0.0",
        "0.0",
    ),
    Fault(
        "python/place_order.py",
        "all is retried",
        "if not problem.get(\"retryable\"):",
        "if False:",
    ),
    Fault(
        "python/place_order.py",
        "a torn answer is no lost one",
        "(OSError, ValueError, http.client.HTTPException)",
        "(OSError, ValueError)",
    ),
    Fault(
        "python/place_order.py",
        "any object is a problem document",
        " and isinstance(problem.get(\"code\"), str)",
        "",
    ),
    Fault(
        "javascript/place_order.mjs",
        "any JSON is a problem document",
        "if (typeof problem?.code === \"string\") return",
        "return",
    ),
    Fault(
        "go/place_order.go",
        "any JSON is a problem document",
        " || problem.Code == \"\"",
        "",
    ),
    Fault(
        "javascript/place_order.mjs",
        "another key each time",
        "const answer = await",
        "headers[\"Idempotency-Key\"] = key + tried; const answer = await",
    ),
    Fault(
        "javascript/place_order.mjs",
        "no time-out",
        "headers, body, signal }",
        "headers, body }",
    ),
    Fault(
        "go/place_order.go",
        "what a proxy says is final",
        "answer.StatusCode >= 500 || answer.StatusCode == 429}",
        "false}",
    ),
    Fault(
        "go/place_order.go",
        "Retry-After is not waited for",
        "time.After(after + ",
        "time.After(0*after + ",
    ),
    Fault(
        "curl/place_order.sh",
        "no retry where the line was cut",
        " --retry-all-errors",
        "",
    ),
    Fault(
        "javascript/follow_events.mjs",
        "told twice",
        "if (!seen.has(id)) await",
        "await",
    ),
    Fault(
        "javascript/follow_events.mjs",
        "not resumed",
        "lastEventId = id;",
        "",
    ),
    Fault(
        "webhook-receiver/python/receiver.py",
        "old ones are taken",
        " or abs(time.time() - int(sent_at)) > TOLERANCE",
        "",
    ),
    Fault(
        "webhook-receiver/python/receiver.py",
        "the id is not signed",
        "f\"{message_id}.{sent_at}.\"",
        "f\"{sent_at}.\"",
    ),
    Fault(
        "webhook-receiver/python/receiver.py",
        "it starts without a secret",
        "if not SECRET:",
        "if False:",
    ),
    Fault(
        "webhook-receiver/javascript/receiver.mjs",
        "it starts without a secret",
        "SECRET.length === 0",
        "false",
    ),
    Fault(
        "webhook-receiver/javascript/receiver.mjs",
        "repeated ones are dealt with",
        "if (!seen.has(id))",
        "if (true)",
    ),
    Fault(
        "webhook-receiver/javascript/receiver.mjs",
        "only the first signature is looked at",
        "given.split(\" \").some(",
        "given.split(\" \").slice(0, 1).some(",
    ),
    Fault(
        "webhook-receiver/go/receiver.go",
        "nothing is verified",
        "err != nil || !isGenuine(request.Header, body, secret)",
        "err != nil",
    ),
];

/// Tries each fault of the examples that are wanted.
pub(super) fn run(site: &Site, root: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
    let wanted: Vec<&Fault> = FAULTS.iter().filter(|it| is_wanted(it.0)).collect();
    let seen = side_by_side(&wanted, |fault| see(site, root, fault));
    let mut blind = 0;
    for (Fault(path, what, _, _), seen) in wanted.iter().zip(seen) {
        if let Some(how) = seen? {
            println!("{path}, {what}: seen: {}", first_line(&how));
        } else {
            blind += 1;
            println!("{path}, {what}: NOT SEEN");
        }
    }
    // Without a server every fault would be seen.
    let (status, _) = curl(&site.url(), "GET /livez", &[], "").context("the server is gone")?;
    ensure!(status == 200, "the server is not well: {status}");
    ensure!(blind == 0, "{blind} planted faults were not seen");
    Ok(())
}

/// How a fault shows; `None` where it does not.
fn see(site: &Site, root: &Path, Fault(path, _, from, to): &Fault) -> Result<Option<String>> {
    let example = EXAMPLES.into_iter().find(|it| it.1 == *path);
    let example = example.with_context(|| format!("{path} is no example"))?;
    let text = fs::read_to_string(root.join("examples").join(path))?;
    ensure!(text.contains(from), "{path} has no {from}");
    let directory = tempfile::tempdir()?;
    let copy = directory.path().join(path);
    fs::create_dir_all(copy.parent().context("it is in a directory")?)?;
    fs::write(&copy, text.replace(from, to))?;
    let tried = site.try_at(&example, directory.path());
    Ok(tried.err().map(|error| format!("{error:#}")))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
