//! The saga, its leases and its wake as a model, over its whole state space: two workers, of which
//! any may die or be taken for dead at any moment, a payment and an inventory service whose answers
//! may be lost, a customer who cancels, time that runs out, and money that is asked back. What is
//! decided is decided by the real machine.
//!
//! The checker is Stateright's; the bug that it has to find is a call without an effect id.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod services;

use domain::fulfil::{
    Answer, Call, Case, Decision, Inventory, Moment, Next, Retry, Rules, Then, answered, cancel,
    next, refund,
};
use domain::id::from_halves;
use domain::order::{Aim, Contract};
use domain::place::{Draft, Occasion, place};
use domain::product::Prices;
use domain::refund::RefundState;
use domain::{
    Change, Currency, CustomerId, EventId, ItemId, Line, Money, OrderId, Quantity, Status,
    Timestamp,
};
use serde_json::json;
use services::Services;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const DEADLINE_MS: i64 = 1_000;
const TAKEN_ONCE: &str = "money is taken once";

/// How the world is.
#[derive(Clone)]
struct World {
    rules: Rules,
    /// Whether the services know a call by its effect id. Without, each try is a new one.
    effect_ids: bool,
    /// How often a worker may die.
    deaths: u8,
    /// How often a worker that lives may be taken for dead.
    mistakes: u8,
    /// Whether time may run out.
    late: bool,
}

#[derive(Clone, Debug)]
struct State {
    /// What the store holds.
    case: Case,
    /// Who is to be woken; `None` once that is settled.
    wake: Option<Wake>,
    workers: [Worker; 2],
    services: Services,
    deaths: u8,
    mistakes: u8,
    cancelled: bool,
    refunded: bool,
    late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wake {
    leased: bool,
    /// It was settled before, and its attempts count from 1 again.
    again: bool,
}

#[derive(Clone, Debug)]
enum Worker {
    Idle,
    /// It knows the order so. `true`: its attempt is that of the wake.
    At(bool, Box<Case>),
    /// It was answered.
    Told(bool, Box<Case>, Answer),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Lease(usize),
    /// The attempt is by chance that of somebody who had the wake before it was settled.
    LeaseLikeBefore(usize),
    /// The worker asks, and this becomes of the call.
    Ask(usize, Fate),
    /// The worker writes what it decided, or settles.
    Write(usize),
    Die(usize),
    LeaseEnds,
    Cancel,
    AskBack,
    TimeRunsOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It takes effect, and the answer arrives.
    Done,
    /// It takes effect, and the answer is lost.
    Lost,
    /// It takes no effect.
    Failed,
    /// The service does not want to.
    Refused,
}

/// All of an order that what comes next depends on, but for its version: that is only compared.
fn key_of(case: &Case) -> impl Hash + PartialEq + use<> {
    let (order, progress) = (&case.order, &case.order.progress);
    let refund = case.refunds.first();
    (
        (order.status, order.failure.is_some(), progress.step),
        (
            // Once it was too often, it is all the same.
            progress.tries.min(3),
            progress.deadline_at,
            progress.aim == Aim::Cancel,
        ),
        (case.transfers.len(), refund.map(|refund| refund.tries)),
        refund.map(|refund| refund.state == RefundState::Pending),
    )
}

impl Worker {
    fn has_the_wake(&self) -> bool {
        matches!(self, Self::At(true, _) | Self::Told(true, ..))
    }

    fn set(&mut self, has_the_wake: bool) {
        if let Self::At(has, _) | Self::Told(has, ..) = self {
            *has = has_the_wake;
        }
    }

    fn known(&self) -> Option<&Case> {
        match self {
            Self::Idle => None,
            Self::At(_, known) | Self::Told(_, known, _) => Some(known),
        }
    }

    /// A number that stands for it, given what is stored.
    fn key(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        let current = |known: &Case| known.order.version == state.case.order.version;
        self.has_the_wake().hash(&mut hasher);
        self.known()
            .map(|known| (key_of(known), current(known)))
            .hash(&mut hasher);
        if let Self::Told(_, _, answer) = self {
            discriminant(answer).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl State {
    fn key(&self) -> impl Hash + PartialEq + use<> {
        // Which of two workers is which makes no difference.
        let mut workers = self.workers.each_ref().map(|worker| worker.key(self));
        workers.sort_unstable();
        (
            (key_of(&self.case), self.wake, self.services),
            workers,
            (self.deaths, self.mistakes),
            (self.cancelled, self.refunded, self.late),
        )
    }

    fn moment<T>(&self, act: impl FnOnce(&mut Moment<'_>) -> T) -> T {
        let passed = if self.late { 2 * DEADLINE_MS } else { 0 };
        let mut ids = || EventId::new(from_halves(10, 0));
        act(&mut Moment {
            now: NOW.plus_millis(passed),
            random: 0,
            ids: &mut ids,
        })
    }

    fn status(&self) -> Status {
        self.case.order.status
    }

    fn is_over(&self) -> bool {
        !matches!(
            self.status(),
            Status::Created | Status::Processing | Status::Compensating
        )
    }

    /// Whether somebody works who has the wake.
    fn is_held(&self) -> bool {
        self.workers.iter().any(Worker::has_the_wake)
    }

    /// Somebody wrote beside the workers, and woke them.
    fn wrote(&mut self, decision: Decision) {
        self.case = decision.case;
        let again = self.wake.is_none_or(|wake| wake.again);
        if self.wake.is_none() {
            self.workers.iter_mut().for_each(|worker| worker.set(false));
        }
        let leased = false;
        self.wake = Some(Wake { leased, again });
    }

    /// A worker has the wake from now on, and with it those who `keep` it.
    fn lease(&mut self, worker: usize, keep: bool) {
        let wake = self.wake.as_mut();
        wake.expect("only what is there is leased").leased = true;
        self.workers.iter_mut().for_each(|other| other.set(keep));
        self.workers[worker] = Worker::At(true, Box::new(self.case.clone()));
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl World {
    /// The call that a worker makes next, if that is what it does.
    fn call(&self, state: &State, known: &Case) -> Option<Call> {
        match state.moment(|moment| next(known, &self.rules, moment)) {
            Next::Ask(call) => Some(call),
            Next::Write(_) | Next::Rest => None,
        }
    }

    /// What a worker decided: with its lease, the version that it knew, and the decision, which is
    /// none where nothing is left to do.
    fn decision(&self, state: &State, worker: usize) -> Option<(bool, u32, Option<Decision>)> {
        match state.workers[worker].clone() {
            Worker::Idle => None,
            Worker::Told(has, known, answer) => {
                let version = known.order.version;
                let counted = [ItemId::parse("pen").unwrap()];
                let decide = |moment: &mut Moment<'_>| {
                    answered(*known, answer, &counted, &self.rules, moment)
                };
                Some((has, version, Some(state.moment(decide))))
            }
            Worker::At(has, known) => {
                let next = state.moment(|moment| next(&known, &self.rules, moment));
                let decision = match next {
                    Next::Write(decision) => Some(*decision),
                    Next::Rest | Next::Ask(_) => None,
                };
                Some((has, known.order.version, decision))
            }
        }
    }

    /// A worker writes, guarded by the version that it knew, and at an end by its lease.
    fn write(&self, state: &mut State, worker: usize) {
        let Some((has_the_wake, version, decision)) = self.decision(state, worker) else {
            return;
        };
        state.workers[worker] = Worker::Idle;
        if state.case.order.version != version {
            return;
        }
        match (decision, state.wake.filter(|_| has_the_wake)) {
            // What is gone on with is guarded by the version alone.
            (
                Some(Decision {
                    case,
                    then: Then::GoOn,
                    ..
                }),
                _,
            ) => {
                state.case = case.clone();
                state.workers[worker] = Worker::At(has_the_wake, Box::new(case));
            }
            (_, None) => {}
            (None, Some(_)) => state.wake = None,
            (Some(Decision { case, then, .. }), Some(wake)) => {
                state.case = case;
                let leased = false;
                let waits = matches!(then, Then::Wait(..));
                state.wake = waits.then_some(Wake { leased, ..wake });
            }
        }
    }

    fn ask(&self, state: &mut State, worker: usize, fate: Fate) -> Option<()> {
        let Worker::At(has, known) = state.workers[worker].clone() else {
            return None;
        };
        let kind = self.call(state, &known)?.kind;
        let nothing = Answer::Failed("no answer".into(), None);
        let answer = match fate {
            Fate::Done => state.services.take(kind, self.effect_ids),
            Fate::Lost => {
                state.services.take(kind, self.effect_ids);
                nothing
            }
            Fate::Failed => nothing,
            Fate::Refused => state.services.refuse(kind),
        };
        state.workers[worker] = Worker::Told(has, known, answer);
        Some(())
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            case: placed(),
            wake: Some(Wake {
                leased: false,
                again: false,
            }),
            workers: [Worker::Idle, Worker::Idle],
            services: Services::default(),
            deaths: self.deaths,
            mistakes: self.mistakes,
            cancelled: false,
            refunded: false,
            late: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, worker) in state.workers.iter().enumerate() {
            let call = match worker {
                Worker::Idle => {
                    let Some(wake) = state.wake.filter(|wake| !wake.leased) else {
                        continue;
                    };
                    actions.push(Action::Lease(number));
                    if wake.again {
                        actions.push(Action::LeaseLikeBefore(number));
                    }
                    continue;
                }
                Worker::At(_, known) => self.call(state, known),
                Worker::Told(..) => None,
            };
            match call {
                None => actions.push(Action::Write(number)),
                Some(call) => {
                    let fates = [Fate::Done, Fate::Lost, Fate::Failed];
                    actions.extend(fates.map(|fate| Action::Ask(number, fate)));
                    if state.services.may_refuse(call.kind) {
                        actions.push(Action::Ask(number, Fate::Refused));
                    }
                }
            }
            if state.deaths > 0 {
                actions.push(Action::Die(number));
            }
        }
        let leased = state.wake.is_some_and(|wake| wake.leased);
        if leased && (!state.is_held() || state.mistakes > 0) {
            actions.push(Action::LeaseEnds);
        }
        if !state.cancelled && !state.is_over() {
            actions.push(Action::Cancel);
        }
        if !state.refunded && state.status() == Status::Completed {
            actions.push(Action::AskBack);
        }
        if self.late && !state.late {
            actions.push(Action::TimeRunsOut);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Lease(worker) => state.lease(worker, false),
            Action::LeaseLikeBefore(worker) => state.lease(worker, true),
            Action::Ask(worker, fate) => self.ask(&mut state, worker, fate)?,
            Action::Write(worker) => self.write(&mut state, worker),
            Action::Die(worker) => {
                state.deaths -= 1;
                state.workers[worker] = Worker::Idle;
            }
            Action::LeaseEnds => {
                if state.is_held() {
                    state.mistakes -= 1;
                }
                state.wake.as_mut()?.leased = false;
            }
            Action::Cancel => {
                state.cancelled = true;
                let case = state.case.clone();
                let act = |moment: &mut Moment<'_>| cancel(case, &self.rules, json!({}), moment);
                let decision = state.moment(act).ok()?;
                state.wrote(decision);
            }
            Action::AskBack => {
                state.refunded = true;
                let case = state.case.clone();
                let act = |moment: &mut Moment<'_>| refund(case, None, false, json!({}), moment);
                let decision = state.moment(act).ok()?;
                state.wrote(decision);
            }
            Action::TimeRunsOut => state.late = true,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(TAKEN_ONCE, |_, state: &State| {
                state.services.captured <= 1 && state.services.authorised <= 1
            }),
            Property::always("money is given back once", |_, state: &State| {
                state.services.refunded <= state.services.captured
            }),
            Property::always("what is completed was paid for", |_, state: &State| {
                let is_paid = matches!(state.status(), Status::Completed | Status::Refunded);
                !is_paid || state.services.captured == 1
            }),
            Property::always("what failed was undone", |model: &Self, state: &State| {
                let services = &state.services;
                let is_undone = matches!(state.status(), Status::Failed | Status::Cancelled);
                let money = services.authorised == 0 || services.voided;
                let stock = services.reserved == 0
                    || services.released
                    || model.rules.inventory == Inventory::Own;
                let resolved = domain::transfer::open(&state.case.transfers)
                    .next()
                    .is_none();
                !is_undone || (services.captured == 0 && money && stock && resolved)
            }),
            Property::always("what was refunded was given back", |_, state: &State| {
                let said = state.case.order.refunded_minor > Money::ZERO;
                let done = |it: &domain::Refund| it.state == RefundState::Succeeded;
                let told = state.case.refunds.iter().any(done);
                said == told && (!said || state.services.refunded == 1)
            }),
            Property::always("whoever is under way will be woken", |_, state: &State| {
                state.is_over() || state.wake.is_some()
            }),
            Property::always(
                "nothing rests before it is over",
                |model: &Self, state: &State| {
                    let mut actions = Vec::new();
                    model.actions(state, &mut actions);
                    !actions.is_empty() || state.is_over()
                },
            ),
            Property::sometimes("an order is completed", |_, state: &State| {
                state.status() == Status::Completed
            }),
            Property::sometimes("an order fails", |_, state: &State| {
                state.status() == Status::Failed
            }),
            Property::sometimes("an order is cancelled", |_, state: &State| {
                state.status() == Status::Cancelled
            }),
            Property::sometimes("an order is refunded", |_, state: &State| {
                state.status() == Status::Refunded
            }),
        ]
    }
}

fn placed() -> Case {
    let line = Line {
        item_id: ItemId::parse("pen"),
        name: None,
        quantity: Quantity::parse(1).unwrap(),
        unit_price_minor: Money::from_minor(100),
    };
    let draft = Draft {
        contract: Contract(0),
        customer_id: CustomerId::parse("ada"),
        customer_name: None,
        currency: Some(Currency::USD),
        lines: vec![line],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    };
    let occasion = Occasion {
        order_id: OrderId::new(from_halves(1, 1)),
        event_id: EventId::new(from_halves(2, 0)),
        now: NOW,
        fulfil_at: NOW,
        traceparent: None,
    };
    let placing = place(draft, &Prices::none(Currency::USD), occasion, None).unwrap();
    let order = placing.changes.into_iter().find_map(|change| match change {
        Change::Place(order, _) => Some(*order),
        _ => None,
    });
    Case::new(order.unwrap())
}

fn world(inventory: Inventory) -> World {
    World {
        rules: Rules {
            inventory,
            tries_max: 2,
            tries_max_to_end: 2,
            deadline_ms: DEADLINE_MS,
            retry: Retry {
                base_ms: 200,
                max_ms: 30_000,
            },
        },
        effect_ids: true,
        deaths: 2,
        mistakes: 2,
        late: false,
    }
}

fn prove(world: World) {
    let checker = world.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {} deep",
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

#[test]
fn no_way_through_takes_money_twice_or_leaves_anything_undone() {
    prove(world(Inventory::Own));
}

#[test]
fn nor_does_one_with_stock_that_is_kept_outside() {
    prove(world(Inventory::Outside));
}

#[test]
fn nor_does_time_that_runs_out() {
    prove(World {
        late: true,
        ..world(Inventory::Own)
    });
}

#[test]
fn calls_without_effect_ids_are_found_to_take_money_twice() {
    let world = World {
        effect_ids: false,
        deaths: 0,
        mistakes: 0,
        ..world(Inventory::Own)
    };
    let found = HasDiscoveries::AnyOf([TAKEN_ONCE].into());
    let checker = world.checker().finish_when(found).spawn_bfs().join();
    let path = checker.assert_any_discovery(TAKEN_ONCE);
    println!("{} steps", path.into_vec().len());
}
