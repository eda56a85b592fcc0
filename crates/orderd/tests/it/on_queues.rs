//! Events published to SNS, and orders worked on from SQS: the API in one process, the worker in
//! another, the emulator between them.

use crate::aws::{self, Kind, Pipeline};
use crate::backend;
use crate::harness::{Server, Site, free_address};
use crate::load::{Client, Placing};
use crate::proxy::Faults;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// An order ends within this time.
const END_MAX: Duration = Duration::from_mins(1);

/// What a worker says once it works.
const WORKING: &str = "Working on the orders of";

/// An API that hands orders over, workers that get them from a queue, and what is between them.
pub(crate) struct Works {
    pub(crate) pipeline: Pipeline,
    pub(crate) site: Site,
    pub(crate) api: Server,
}

impl Works {
    pub(crate) fn new(kind: Kind, settings: &[(&'static str, &str)]) -> Self {
        Self::begin(kind, settings, None)
    }

    pub(crate) fn begin(
        kind: Kind,
        settings: &[(&'static str, &str)],
        mutant: Option<&'static str>,
    ) -> Self {
        let pipeline = Pipeline::new(kind);
        let mut site = Site::new(mutant);
        let known = pipeline
            .of_server()
            .map(|(name, value)| (name, value.into()));
        site.environment.extend(known);
        let settings = settings
            .iter()
            .map(|(name, value)| (*name, PathBuf::from(value)));
        site.environment.extend(settings);
        let api = site.start_at(free_address(), &["--roles", "api"]).unwrap();
        Self {
            pipeline,
            site,
            api,
        }
    }

    pub(crate) fn worker(&self) -> Server {
        self.worker_with(&[])
    }

    pub(crate) fn worker_with(&self, more: &[(&str, &str)]) -> Server {
        let queue = ("ORDERD_WORKER_QUEUE_URL", self.pipeline.queue.as_str());
        let environment = [&[queue], more].concat();
        // It may end at its start, where a fault meets it: a supervisor starts another then.
        loop {
            let said = self.site.said(WORKING);
            let mut worker = self.site.start_worker_with(&environment);
            while !worker.has_ended() {
                if self.site.said(WORKING) > said {
                    return worker;
                }
                thread::sleep(Duration::from_millis(5)); // a poll, not a guess
            }
        }
    }

    /// Kills the API, and starts another.
    fn restart_api(&mut self) {
        let other = self.site.start_at(free_address(), &["--roles", "api"]);
        std::mem::replace(&mut self.api, other.unwrap()).kill();
    }

    fn cancel(&self, id: &str) {
        let path = format!("/v1/orders/{id}/cancel");
        let answer = self.client().request("POST", &path, "{}").unwrap();
        assert!(answer.status / 100 == 2, "{}", answer.status);
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.api.address).unwrap()
    }

    /// Places so many orders; their ids.
    pub(crate) fn place(&self, prefix: &str, count: u64) -> Vec<String> {
        let mut client = self.client();
        let place = |number| {
            let placing = Placing::v1(format!("{prefix}-{number}"), number, number % 10, 1);
            let answer = client.place(&placing).unwrap();
            assert_eq!(answer.status, 201);
            let order: Value = serde_json::from_slice(&answer.body).unwrap();
            order["order_id"].as_str().unwrap().to_owned()
        };
        (0..count).map(place).collect()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        let answer = self.client().get(&format!("/v1/orders/{id}")).unwrap();
        let order: Value = serde_json::from_slice(&answer.body).unwrap();
        order["status"].as_str().unwrap().to_owned()
    }

    /// How much of the outbox nobody has dealt with.
    pub(crate) fn waiting(&self) -> u64 {
        let answer = self.client().get("/metrics").unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("orderd_outbox_pending "));
        line.unwrap().parse().unwrap()
    }

    pub(crate) fn wait_for(&self, id: &str, status: &str) {
        let begun = Instant::now();
        while self.status(id) != status {
            let is = self.status(id);
            let words = self.site.last_words();
            assert!(begun.elapsed() < END_MAX, "{id} is {is}\n{words}");
            thread::sleep(Duration::from_millis(20)); // a poll, not a guess
        }
    }
}

/// The events of an order in messages, as they came.
fn events_of(messages: &[Value], order_id: &str) -> Vec<Value> {
    let event = |message: &Value| -> Value {
        let body = message["Body"].as_str().unwrap();
        let envelope: Value = serde_json::from_str(body).unwrap();
        serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap()
    };
    let events = messages.iter().map(event);
    events
        .filter(|event| event["subject"] == order_id && event["type"] != "order.due.v1")
        .collect()
}

/// Their types, in the sequence of the events.
fn types_of(messages: &[Value], order_id: &str) -> Vec<String> {
    let mut events = events_of(messages, order_id);
    events.sort_by_key(|event| event["sequence"].as_str().unwrap().to_owned());
    let mut types: Vec<String> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    types.dedup();
    types
}

#[test]
fn an_order_goes_through_topic_and_queue_to_its_end() {
    if !backend::is_dynamodb() {
        return;
    }
    for fifo in [false, true] {
        let kind = Kind {
            fifo,
            ..Kind::STANDARD
        };
        let works = Works::new(kind, &[("ORDERD_SIMULATED_FAILURE_RATE", "0")]);
        let _worker = works.worker();
        let ids = works.place("k", 3);
        for id in &ids {
            works.wait_for(id, "completed");
        }
        let completed = aws::wait_for(&works.pipeline.completed, 3);
        assert_eq!(completed.len(), 3);
        let event: Value = serde_json::from_str(completed[0]["Body"].as_str().unwrap()).unwrap();
        assert_eq!(event["type"], "order.completed.v1");
        let events = aws::wait_for(&works.pipeline.audit, 3 * 5);
        for id in &ids {
            let expected = [
                "order.created.v1",
                "order.processing.v1",
                "payment.authorised.v1",
                "payment.captured.v1",
                "order.completed.v1",
            ];
            assert_eq!(types_of(&events, id), expected);
            let came = events_of(&events, id).into_iter();
            let came: Vec<String> = came
                .map(|event| event["type"].as_str().unwrap().to_owned())
                .collect();
            assert!(!fifo || came == expected, "{came:?}");
        }
        works.site.verify().unwrap();
        aws::wait_until_empty(&works.pipeline.queue);
        assert_eq!(aws::count(&works.pipeline.dead_letters), 0);
    }
}

#[test]
fn the_older_system_reads_the_messages_it_knows() {
    if !backend::is_dynamodb() {
        return;
    }
    let settings = [
        ("ORDERD_SIMULATED_FAILURE_RATE", "0"),
        ("ORDERD_EVENTS_FORMAT", "plain"),
    ];
    let works = Works::new(Kind::STANDARD, &settings);
    let ids = works.place("k", 1);
    let told = aws::wait_for(&works.pipeline.queue, 1);
    assert_eq!(told[0]["Body"], json!(ids[0]));
    let _worker = works.worker();
    aws::send(&works.pipeline.queue, &ids[0]);
    works.wait_for(&ids[0], "completed");
    let completed = aws::wait_for(&works.pipeline.completed, 1);
    let body: Value = serde_json::from_str(completed[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "order_id": ids[0], "status": "Completed" }));
}

#[test]
fn while_topics_are_away_orders_are_taken_and_told_of_afterwards_in_their_sequence() {
    if !backend::is_dynamodb() {
        return;
    }
    let faults = Faults::default();
    let endpoint = format!("http://{}", faults.clone().listen());
    let kind = Kind {
        fifo: true,
        ..Kind::STANDARD
    };
    let mut works = Works::new(kind, &[("AWS_ENDPOINT_URL", &endpoint)]);
    faults.topics_away(true);
    let mut ids = works.place("away", 10);
    works.cancel(&ids[0]);
    assert_eq!(aws::count(&works.pipeline.audit), 0);
    works.restart_api();
    ids.extend(works.place("again", 10));
    works.cancel(&ids[10]);
    assert!(works.waiting() >= 20, "what is to be told is in the outbox");

    faults.topics_away(false);
    let expected = |id| {
        let is_cancelled = [&ids[0], &ids[10]].contains(&id);
        ["order.created.v1", "order.cancelled.v1"][..=usize::from(is_cancelled)].to_vec()
    };
    let begun = Instant::now();
    // Some are told more than once.
    let mut told = aws::wait_for(&works.pipeline.audit, 22);
    while !ids.iter().all(|id| types_of(&told, id) == expected(id)) {
        assert!(begun.elapsed() < END_MAX, "{}", works.site.last_words());
        told.extend(aws::drain(&works.pipeline.audit));
        thread::sleep(Duration::from_millis(100)); // a poll, not a guess
    }
    for id in &ids {
        let sequences: Vec<String> = events_of(&told, id)
            .iter()
            .map(|event| event["sequence"].as_str().unwrap().to_owned())
            .collect();
        assert!(sequences.is_sorted(), "{id}: {sequences:?}");
    }
}

#[test]
fn what_nobody_can_work_on_is_a_dead_letter_at_once_with_its_cause() {
    if !backend::is_dynamodb() {
        return;
    }
    let works = Works::new(Kind::STANDARD, &[("ORDERD_SIMULATED_FAILURE_RATE", "0")]);
    let _worker = works.worker();
    let Pipeline {
        queue,
        dead_letters,
        ..
    } = &works.pipeline;
    let unknown = "0190a5d0-ac96-774b-bcce-b302099a8057";
    for body in ["nonsense", unknown] {
        aws::send(queue, body);
    }
    let ids = works.place("k", 3);
    for id in &ids {
        works.wait_for(id, "completed");
    }
    aws::wait_until_empty(queue);
    assert_eq!(aws::count(dead_letters), 2);

    let dlq = |more: &[&str]| {
        let all = [&["dlq", "--json", "--queue", dead_letters], more].concat();
        let output = works.site.output(&all);
        assert!(output.status.success(), "{more:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = dlq(&["list"]);
    let letters: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let error_of = |body: &str| {
        let letter = letters.iter().find(|letter| letter["body"] == body);
        let letter = letter.unwrap();
        assert_eq!(letter["attributes"]["reason"], "poison");
        letter["attributes"]["error"].as_str().unwrap().to_owned()
    };
    assert!(error_of("nonsense").starts_with("it is neither an order's id nor an event"));
    assert_eq!(error_of(unknown), "there is no such order");

    let matching = dlq(&["redrive", "--all", "--dry-run", "--to", queue]);
    assert_eq!(matching.trim(), r#"{"matching":2,"redriven":0}"#);
    assert_eq!(aws::count(dead_letters), 2);
    // The emulator does not know whose dead letters they are.
    let redriven = dlq(&["redrive", "--all", "--to", queue]);
    assert_eq!(redriven.trim(), r#"{"matching":2,"redriven":2}"#);
    let again = aws::wait_for(dead_letters, 2);
    assert_eq!(again.len(), 2, "they are still what they were");
    aws::send(dead_letters, "by hand");
    let letter: Value = serde_json::from_str(&dlq(&["list"])).unwrap();
    let id = letter["message_id"].as_str().unwrap();
    dlq(&["show", id]);
    dlq(&["discard", id, "--reason", "a test"]);
    assert_eq!(dlq(&["list"]), "");
}

#[test]
fn an_order_whose_message_became_a_dead_letter_is_handed_over_again() {
    if !backend::is_dynamodb() {
        return;
    }
    let kind = Kind {
        received_max: 2,
        visibility_s: 1,
        ..Kind::STANDARD
    };
    let settings = [
        ("ORDERD_SIMULATED_FAILURE_RATE", "0"),
        ("ORDERD_FULFILMENT_DEADLINE", "60s"),
    ];
    let works = Works::new(kind, &settings);
    let faults = Faults::default();
    let endpoint = format!("http://{}", faults.clone().listen());
    let worker = works.worker_with(&[("AWS_ENDPOINT_URL", &endpoint)]);
    faults.by_chance(1_000);
    let id = works.place("k", 1).remove(0);
    let letters = aws::wait_for(&works.pipeline.dead_letters, 1);
    let event: Value = serde_json::from_str(letters[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(event["subject"], id.as_str());
    faults.by_chance(0);
    works.wait_for(&id, "completed");
    drop(worker);
    works.site.verify().unwrap();
}

#[test]
fn a_worker_without_the_queue_that_orders_are_handed_to_refuses_to_start() {
    if !backend::is_dynamodb() {
        return;
    }
    let works = Works::new(Kind::STANDARD, &[]);
    let output = works.site.output(&["worker"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&works.pipeline.topic), "{said}");
    assert!(said.contains("ORDERD_WORKER_QUEUE_URL"), "{said}");

    let mut site = Site::new(None);
    let queue = works.pipeline.queue.as_str().into();
    site.environment.push(("ORDERD_WORKER_QUEUE_URL", queue));
    let output = site.output(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("SNS_TOPIC_ARN"), "{said}");
}
