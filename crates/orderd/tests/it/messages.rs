//! Orders driven to their end by messages that come twice, late and out of their order, while
//! payments fail, `DynamoDB` fails and workers are killed: each is completed and charged once, or
//! undone, and nothing but poison becomes a dead letter.

use crate::aws::{self, Kind};
use crate::backend;
use crate::harness::{Server, alone, free_address, say, seed, setting, text_setting};
use crate::load::Random;
use crate::on_queues::Works;
use crate::proxy::Faults;
use crate::saga;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Orders in CI; `ORDERD_HARNESS_ORDERS` raises it.
const ORDERS: u64 = 100;
/// Of a thousand transactions, so many meet a fault.
const FAULTS: u64 = 20;
/// Of a hundred messages, so many come twice.
const TWICE: u64 = 30;
/// The longest time for which a message is held back, in seconds.
const DELAY_MAX_S: u64 = 3;
/// What nobody can ever work on.
const POISON: [&str; 5] = [
    "nonsense",
    "{\"type\":\"order.created.v1\"}",
    "{\"type\":\"order.created.v1\",\"subject\":\"17\"}",
    "0190a5d0-ac96-774b-bcce-b302099a8057",
    "{}",
];

/// Who works on the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// `orderd worker`, which is killed so often.
    Worker { kills: u64 },
    /// The function of AWS Lambda.
    Lambda,
}

#[test]
fn orders_end_once_though_messages_come_twice_late_and_in_any_order() {
    if backend::is_dynamodb() {
        let found = violations(Who::Worker { kills: 5 }, None);
        assert_eq!(found, Vec::<String>::new());
    }
}

#[test]
fn the_function_drives_orders_to_their_end_though_messages_come_twice_late_and_in_any_order() {
    if !backend::is_dynamodb() {
        return;
    }
    if text_setting("ORDERD_TEST_LAMBDA").is_none() {
        assert!(text_setting("ORDERD_TEST_ALL").is_none());
        say("SKIPPED: no ORDERD_TEST_LAMBDA names a zip with the function");
        return;
    }
    assert_eq!(violations(Who::Lambda, None), Vec::<String>::new());
}

#[cfg(feature = "mutants")]
#[test]
fn an_effect_id_for_each_try_is_caught_by_messages() {
    if backend::is_dynamodb() {
        let mutant = Some("effect-id-a-try");
        assert_ne!(
            violations(Who::Worker { kills: 0 }, mutant),
            Vec::<String>::new()
        );
    }
}

fn violations(who: Who, mutant: Option<&'static str>) -> Vec<String> {
    let _turn = alone();
    let orders = setting("ORDERD_HARNESS_ORDERS").unwrap_or(ORDERS);
    let seed = seed();
    let faults = Faults::default();
    let endpoint = format!("http://{}", faults.clone().listen());
    let kind = Kind {
        staged: true,
        visibility_s: 4,
        received_max: 20,
        ..Kind::STANDARD
    };
    let (mut works, _services) = works(kind, &endpoint, seed, mutant);
    let mut workers = Workers::start(&works, who, &endpoint);
    saga::stock(&works.api);
    faults.by_chance(FAULTS);

    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let poison_count = thread::scope(|scope| {
        let shuttle = scope.spawn(|| shuttle(&works, seed, &over));
        place(&works, orders);
        for number in 0..workers.kills() {
            thread::sleep(Duration::from_millis(300 + 100 * number)); // some time to get somewhere
            workers.kill(&works);
        }
        wait(&works, begun);
        over.store(true, Ordering::SeqCst);
        shuttle.join().unwrap()
    });
    faults.by_chance(0);
    aws::wait_until_empty(&works.pipeline.queue);

    let took_s = begun.elapsed().as_secs();
    let statuses = statuses(&mut works);
    let letters = aws::drain(&works.pipeline.dead_letters);
    let mut found: Vec<String> = works.site.verify().err().into_iter().collect();
    found.extend(unfinished(&statuses, orders));
    found.extend(astray(&letters, poison_count));
    let line = json!({
        "harness": format!("messages, {who:?}"), "mutant": mutant, "orders": orders,
        "statuses": statuses, "dead_letters": letters.len(), "seconds": took_s,
        "violations": found,
    });
    say(&line.to_string());
    found
}

/// An API that hands orders over, and a payment service that fails.
fn works(kind: Kind, endpoint: &str, seed: u64, mutant: Option<&'static str>) -> (Works, Server) {
    let address = free_address();
    let url = format!("http://{address}/payments");
    let seed = (seed % 1_000_000).to_string();
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("PAYMENT_API_URL", &url),
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.2"),
        ("ORDERD_SIMULATED_LOST_ANSWER_RATE", "0.05"),
        ("ORDERD_SIMULATED_LATENCY_MS", "1"),
        ("ORDERD_SIMULATED_SEED", &seed),
        ("ORDERD_LOG_LEVEL", "warn,orderd::serve=info"),
        // A message that is lost with a killed worker is looked for after a third of it.
        ("ORDERD_FULFILMENT_DEADLINE", "90s"),
    ];
    let mut works = Works::begin(kind, &settings, mutant);
    let books = works.site.beside("bank").join("books");
    let known = ("ORDERD_SIMULATED_BOOKS", books.clone());
    works.site.environment.push(known);
    let services = works.site.providers(address, &books);
    (works, services)
}

/// Those who work on orders.
struct Workers {
    who: Who,
    running: Vec<Server>,
}

impl Workers {
    fn start(works: &Works, who: Who, endpoint: &str) -> Self {
        let running = match who {
            Who::Worker { .. } => vec![works.worker(), works.worker()],
            Who::Lambda => {
                start_function(works, endpoint);
                Vec::new()
            }
        };
        Self { who, running }
    }

    const fn kills(&self) -> u64 {
        match self.who {
            Who::Worker { kills } => kills,
            Who::Lambda => 0,
        }
    }

    /// Kills the one that lived longest, and starts another.
    fn kill(&mut self, works: &Works) {
        self.running.remove(0).kill();
        self.running.push(works.worker());
    }
}

fn start_function(works: &Works, endpoint: &str) {
    let zip = text_setting("ORDERD_TEST_LAMBDA").unwrap();
    let zip = BASE64_STANDARD.encode(fs::read(zip).unwrap());
    let mut variables: BTreeMap<String, String> = backend::environment()
        .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
        .collect();
    let site = works.site.environment.iter();
    variables.extend(site.map(|(name, value)| ((*name).to_owned(), value.display().to_string())));
    variables.insert("DATABASE_URL".to_owned(), works.site.url.clone());
    variables.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned());
    aws::function(&zip, &json!(variables), &works.pipeline.queue);
}

/// Places orders, however often it takes.
fn place(works: &Works, orders: u64) {
    let mut client = works.client();
    for number in 0..orders {
        let placing = saga::placing(&format!("k-{number}"), number);
        let placed = (0..20).any(|_| client.place(&placing).unwrap().status == 201);
        assert!(placed, "{}", works.site.last_words());
    }
}

/// Carries messages to the queue of orders, some twice, some later, in another order, with poison
/// among them, until `over`; how much poison that was.
fn shuttle(works: &Works, seed: u64, over: &AtomicBool) -> usize {
    let mut random = Random::new(seed);
    let mut poison = POISON.iter();
    while !over.load(Ordering::SeqCst) {
        let mut bodies: Vec<String> = aws::drain(&works.pipeline.staging)
            .iter()
            .map(|message| message["Body"].as_str().unwrap().to_owned())
            .collect();
        bodies.extend(poison.next().map(|it| (*it).to_owned()));
        while !bodies.is_empty() {
            let which = usize::try_from(random.below(bodies.len() as u64)).unwrap();
            let body = bodies.swap_remove(which);
            let is_poison = POISON.contains(&body.as_str());
            let twice = !is_poison && random.below(100) < TWICE;
            for _ in 0..=u64::from(twice) {
                let delay_s = random.below(DELAY_MAX_S + 1);
                aws::send_later(&works.pipeline.queue, &body, delay_s);
            }
        }
        thread::sleep(Duration::from_millis(100)); // a poll, not a guess
    }
    POISON.len() - poison.len()
}

/// Waits until nobody has anything left to do, or it takes too long.
fn wait(works: &Works, begun: Instant) {
    let longest = Duration::from_mins(2) + begun.elapsed() * 3;
    while works.waiting() > 0 && begun.elapsed() < longest {
        thread::sleep(Duration::from_millis(500)); // a poll, not a guess
    }
}

fn statuses(works: &mut Works) -> BTreeMap<String, u64> {
    let mut statuses = BTreeMap::new();
    for order in works.site.orders() {
        let status = order["order"]["status"].as_str().unwrap().to_owned();
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

fn unfinished(statuses: &BTreeMap<String, u64>, orders: u64) -> Option<String> {
    let of = |status| statuses.get(status).copied().unwrap_or(0);
    let ended = of("completed") + of("failed");
    let lost = ended != orders;
    lost.then(|| format!("{ended} of {orders} have ended: {statuses:?}"))
}

/// What is among the dead letters and should not be, or the other way round.
fn astray(letters: &[Value], poison_count: usize) -> Vec<String> {
    let mut found = Vec::new();
    for letter in letters {
        let body = letter["Body"].as_str().unwrap();
        if !POISON.contains(&body) {
            found.push(format!("a dead letter that is none: {body}"));
        }
        if letter["MessageAttributes"]["reason"]["StringValue"] != "poison" {
            found.push(format!("a dead letter without its cause: {letter}"));
        }
    }
    if letters.len() != poison_count {
        let count = letters.len();
        found.push(format!(
            "{count} dead letters of {poison_count} poisonous messages"
        ));
    }
    found
}
