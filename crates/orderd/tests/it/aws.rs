//! Topics and queues of the emulator, as a test needs them: no client library, two protocols.

use crate::backend;
use crate::load::Client;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

/// What is done to a queue takes effect within this time.
const EFFECT_MAX: Duration = Duration::from_secs(90);

/// Attributes of a subscription: without an envelope, and only what begins an order's work.
const RAW: &str = "&Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true";
const PLACED: &str = "&Attributes.entry.2.key=FilterPolicy\
    &Attributes.entry.2.value=%7B%22event_type%22%3A%5B%22order.created.v1%22%2C%22order.due.v1%22%5D%7D";

/// A topic of all events, a queue that listens to it, with dead letters, and a topic of completed
/// orders with a queue of its own.
pub(crate) struct Pipeline {
    pub(crate) topic: String,
    pub(crate) completed_topic: String,
    pub(crate) queue: String,
    pub(crate) dead_letters: String,
    /// What was published of completed orders.
    pub(crate) completed: String,
    /// A second listener of all events.
    pub(crate) audit: String,
    /// Where orders are handed over, when something goes on between that and their queue.
    pub(crate) staging: String,
}

/// How a queue is made.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) fifo: bool,
    /// How long a message is invisible once it was received, in seconds.
    pub(crate) visibility_s: u32,
    /// After how many times it is a dead letter.
    pub(crate) received_max: u32,
    /// Whether orders are handed to another queue at first.
    pub(crate) staged: bool,
}

impl Kind {
    pub(crate) const STANDARD: Self = Self {
        fifo: false,
        visibility_s: 5,
        received_max: 5,
        staged: false,
    };
}

impl Pipeline {
    pub(crate) fn new(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let end = if kind.fifo { ".fifo" } else { "" };
        let named = |what: &str| format!("{what}-{}-{count}{end}", process::id());
        let queue = |what: &str, mut attributes: Value| {
            if kind.fifo {
                attributes["FifoQueue"] = json!("true");
            }
            let body = json!({ "QueueName": named(what), "Attributes": attributes });
            sqs("CreateQueue", &body)["QueueUrl"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let dead_letters = queue("dead-letters", json!({}));
        let policy = json!({
            "deadLetterTargetArn": arn(&dead_letters),
            "maxReceiveCount": kind.received_max,
        });
        let orders = queue(
            "order-processing",
            json!({
                "VisibilityTimeout": kind.visibility_s.to_string(),
                "RedrivePolicy": policy.to_string(),
            }),
        );
        let pipeline = Self {
            topic: topic(&named("order-events"), kind.fifo),
            completed_topic: topic(&named("order-completed"), kind.fifo),
            queue: orders,
            dead_letters,
            completed: queue("completed", json!({})),
            audit: queue("audit", json!({})),
            staging: queue("staging", json!({})),
        };
        let first = if kind.staged {
            &pipeline.staging
        } else {
            &pipeline.queue
        };
        subscribe(&pipeline.topic, first, &format!("{RAW}{PLACED}"));
        subscribe(&pipeline.topic, &pipeline.audit, "");
        subscribe(&pipeline.completed_topic, &pipeline.completed, RAW);
        pipeline
    }

    /// What a server has to know to publish.
    pub(crate) fn of_server(&self) -> [(&'static str, String); 2] {
        [
            ("SNS_TOPIC_ARN", self.topic.clone()),
            ("COMPLETION_SNS_TOPIC_ARN", self.completed_topic.clone()),
        ]
    }
}

/// Sends a message to a queue.
pub(crate) fn send(queue: &str, body: &str) {
    let mut message = json!({ "QueueUrl": queue, "MessageBody": body });
    if queue.rsplit('.').next() == Some("fifo") {
        message["MessageGroupId"] = json!(body);
        message["MessageDeduplicationId"] = json!(format!("{:?}", Instant::now()));
    }
    sqs("SendMessage", &message);
}

/// Sends a message that nobody sees before `delay_s` is over.
pub(crate) fn send_later(queue: &str, body: &str, delay_s: u64) {
    sqs(
        "SendMessage",
        &json!({ "QueueUrl": queue, "MessageBody": body, "DelaySeconds": delay_s }),
    );
}

/// All that a queue gives at the moment, which is gone from it then.
pub(crate) fn drain(queue: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let receive = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"],
        });
        let received = sqs("ReceiveMessage", &receive);
        let messages = received["Messages"].as_array().cloned();
        let messages = messages.unwrap_or_default();
        if messages.is_empty() {
            return all;
        }
        for message in messages {
            let delete = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
            sqs("DeleteMessage", &delete);
            all.push(message);
        }
    }
}

/// Waits until a queue holds so many messages, and takes them. Not one by one as they come: where one is
/// taken away at the same moment, moto forgets what is sent.
pub(crate) fn wait_for(queue: &str, wanted: u64) -> Vec<Value> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while (all.len() as u64) < wanted {
        let there = all.len() as u64 + count(queue);
        assert!(
            begun.elapsed() < EFFECT_MAX,
            "{there} of {wanted} in {queue}"
        );
        if there >= wanted {
            all.extend(drain(queue));
        }
        thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
    all
}

/// Waits until a queue holds nothing, visible or not.
pub(crate) fn wait_until_empty(queue: &str) {
    let begun = Instant::now();
    while count(queue) > 0 {
        let waited = begun.elapsed();
        assert!(waited < EFFECT_MAX, "{} in {queue}", count(queue));
        thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
}

/// How many messages a queue holds, visible or not.
pub(crate) fn count(queue: &str) -> u64 {
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let ask = json!({ "QueueUrl": queue, "AttributeNames": names });
    let attributes = &sqs("GetQueueAttributes", &ask)["Attributes"];
    let count = |name| attributes[name].as_str()?.parse::<u64>().ok();
    names.into_iter().filter_map(count).sum()
}

pub(crate) fn arn(queue: &str) -> String {
    let ask = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
    let attributes = sqs("GetQueueAttributes", &ask);
    let arn = attributes["Attributes"]["QueueArn"].as_str();
    arn.unwrap().to_owned()
}

fn topic(name: &str, fifo: bool) -> String {
    let fifo = if fifo {
        "&Attributes.entry.1.key=FifoTopic&Attributes.entry.1.value=true"
    } else {
        ""
    };
    let answer = sns(&format!("Action=CreateTopic&Name={name}{fifo}"));
    let (_, arn) = answer.split_once("<TopicArn>").unwrap();
    arn.split_once("</TopicArn>").unwrap().0.to_owned()
}

fn subscribe(topic: &str, queue: &str, attributes: &str) {
    let endpoint = arn(queue);
    sns(&format!(
        "Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={endpoint}{attributes}"
    ));
}

fn sqs(action: &str, body: &Value) -> Value {
    call("sqs", &format!("AmazonSQS.{action}"), body)
}

/// Asks for an action on tables.
pub(crate) fn dynamodb(action: &str, body: &Value) -> Value {
    call("dynamodb", &format!("DynamoDB_20120810.{action}"), body)
}

fn call(service: &str, target: &str, body: &Value) -> Value {
    let target = format!("x-amz-target: {target}\r\n");
    let answer = ask(
        service,
        "/",
        "application/x-amz-json-1.0",
        &target,
        &body.to_string(),
    );
    if answer.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&answer).unwrap()
}

fn sns(form: &str) -> String {
    let form = format!("{form}&Version=2010-03-31");
    let answer = ask("sns", "/", "application/x-www-form-urlencoded", "", &form);
    String::from_utf8(answer).unwrap()
}

fn ask(service: &str, path: &str, content_type: &str, more: &str, body: &str) -> Vec<u8> {
    let address = backend::emulator();
    let mut client = Client::connect(address.parse().unwrap()).unwrap();
    let length = body.len();
    let answer = client.send(&format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {content_type}\r\n{more}\
         authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    let answer = answer.unwrap();
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    let is_done = answer.status / 100 == 2;
    assert!(is_done, "{service}: {}: {said}", answer.status);
    answer.body
}

/// Has a function work on the messages of a queue, five at a time.
pub(crate) fn function(zip_base64: &str, environment: &Value, queue: &str) {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("worker-{}-{count}", process::id());
    let function = json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::000000000000:role/worker",
        "Code": { "ZipFile": zip_base64 },
        "Timeout": 30,
        "MemorySize": 128,
        "Environment": { "Variables": environment },
    });
    lambda("/2015-03-31/functions", &function);
    let mapping = json!({
        "FunctionName": name,
        "EventSourceArn": arn(queue),
        "BatchSize": 5,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    lambda("/2015-03-31/event-source-mappings/", &mapping);
}

fn lambda(path: &str, body: &Value) {
    ask("lambda", path, "application/json", "", &body.to_string());
}
