//! Finding dead letters: by what they say, and how many there are of a kind.

use crate::extract::Query;
use crate::problem::{Code, Problem};
use crate::{App, cursor};
use domain::letter::LetterState;
use domain::order::Reason;
use domain::{Letter, RecordId, RecordKind};
use std::collections::BTreeMap;
use store::{LetterQuery, RecordPage, RecordQuery};

/// The most letters that are read at once.
const READ_MAX: usize = 1_000;
/// How often a list is read from, at most: a page may be short, and have a next one.
const LIST_READS_MAX: usize = 10;
/// How often those to bring back are read from, at most. Each request begins with the first of them,
/// so it is far more than ever waits; in DynamoDB it is of the letters in every state.
const REDRIVE_READS_MAX: usize = 100;
/// What the cursors of the list are bound to.
const CURSORS: &str = "dead-letters";

/// A letter, and the record that it is kept in.
pub(crate) struct Found {
    pub(crate) id: Box<str>,
    pub(crate) letter: Letter,
    pub(crate) version: u32,
}

/// Which letters are wanted.
pub(crate) struct Wanted {
    reason: Option<Reason>,
    states: States,
}

/// Letters in which state are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum States {
    All,
    One(LetterState),
}

/// How many letters wait, as far as they were looked at.
#[derive(Default)]
pub(crate) struct Tally {
    /// By their reason.
    pub(crate) waiting: BTreeMap<String, Group>,
    /// Whether all letters were looked at.
    pub(crate) is_whole: bool,
}

/// Letters that wait for one reason.
#[derive(Default)]
pub(crate) struct Group {
    /// How many, by their step.
    pub(crate) by_step: BTreeMap<String, u64>,
    /// How many of them can be brought back.
    pub(crate) redrivable: u64,
}

/// Letters that are wanted, a page at a time.
pub(super) struct Pages<'w> {
    wanted: &'w Wanted,
    after: Option<Box<str>>,
    /// How many letters are read at once.
    size: usize,
    reads_left: usize,
}

impl Wanted {
    /// Those that wait, with this reason or any.
    pub(super) const fn waiting(reason: Option<Reason>) -> Self {
        let states = States::One(LetterState::Waiting);
        Self { reason, states }
    }

    /// The filters that a query names: letters that wait, where it names no state.
    pub(crate) fn of(query: &mut Query) -> Self {
        let reason = query.get("reason", "must be the reason of a letter", Reason::parse);
        let states = query.get(
            "state",
            "must be waiting, redriven, discarded or all",
            states,
        );
        Self {
            reason,
            states: states.unwrap_or(States::One(LetterState::Waiting)),
        }
    }

    pub(crate) const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The word for the state that is wanted.
    pub(crate) const fn state(&self) -> &'static str {
        match self.states {
            States::All => "all",
            States::One(LetterState::Waiting) => "waiting",
            States::One(LetterState::Redriven) => "redriven",
            States::One(LetterState::Discarded) => "discarded",
        }
    }

    /// The filters as part of a query string.
    pub(crate) fn as_query(&self) -> String {
        let state = self.state();
        let reason = self.reason.map(Reason::as_str);
        let reason = reason.map(|reason| format!("reason={reason}&"));
        format!("{}state={state}&", reason.unwrap_or_default())
    }

    fn takes(&self, letter: &Letter) -> bool {
        self.reason
            .is_none_or(|reason| letter.reason == reason.as_str())
            && (self.states == States::All || self.states == States::One(letter.state))
    }

    /// Those that are to be brought back, from the first on.
    pub(super) const fn to_redrive(&self) -> Pages<'_> {
        Pages {
            wanted: self,
            after: None,
            size: READ_MAX,
            reads_left: REDRIVE_READS_MAX,
        }
    }

    /// Those of a list of so many letters.
    const fn listed(&self, after: Option<Box<str>>, limit: usize) -> Pages<'_> {
        let all_are_wanted = self.reason.is_none()
            && matches!(self.states, States::All | States::One(LetterState::Waiting));
        Pages {
            wanted: self,
            after,
            size: if all_are_wanted { limit } else { READ_MAX },
            reads_left: LIST_READS_MAX,
        }
    }

    /// A page of the letters among which those that are wanted are. Settled ones are never removed,
    /// so those that wait are not looked for among them.
    async fn read(
        &self,
        app: &App,
        after: Option<Box<str>>,
        limit: usize,
    ) -> Result<RecordPage, Problem> {
        let kind = RecordKind::Letter;
        Ok(match self.states {
            States::One(LetterState::Waiting) => {
                app.store
                    .waiting_letters(LetterQuery { after, limit })
                    .await
            }
            _ => app.store.list(RecordQuery { kind, after, limit }).await,
        }?)
    }
}

impl Pages<'_> {
    /// The next page, which may be empty; `None` at the end, or where enough was read.
    pub(super) async fn next(&mut self, app: &App) -> Result<Option<Vec<Found>>, Problem> {
        if self.reads_left == 0 {
            return Ok(None);
        }
        let page = self.wanted.read(app, self.after.take(), self.size).await?;
        self.after = page.next;
        self.reads_left = match self.after {
            Some(_) => self.reads_left - 1,
            None => 0,
        };
        let found = page.items.into_iter().filter_map(|(id, record)| {
            let letter = Letter::read(&record.body)?;
            let version = record.version;
            self.wanted.takes(&letter).then_some(Found {
                id,
                letter,
                version,
            })
        });
        Ok(Some(found.collect()))
    }

    /// Where to go on; `None` at the end.
    pub(super) fn rest(self) -> Option<Box<str>> {
        self.after
    }
}

/// A page of letters, and the cursor of the next one.
pub(crate) async fn page(
    app: &App,
    wanted: &Wanted,
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<Found>, Option<String>), Problem> {
    let bound = format!("{CURSORS}&{}", wanted.as_query());
    let after = cursor
        .map(|text| cursor::open_text(&app.cursor_key, text, &bound))
        .transpose()?;
    let (mut letters, mut pages) = (Vec::new(), wanted.listed(after, limit));
    let mut next = None;
    while let Some(found) = pages.next(app).await? {
        letters.extend(found);
        if letters.len() >= limit {
            letters.truncate(limit);
            next = letters.last().map(|last: &Found| last.id.clone());
            break;
        }
    }
    let next = next.or_else(|| pages.rest());
    let sealed = |after: Box<str>| cursor::seal(&app.cursor_key, after.as_bytes(), &bound);
    Ok((letters, next.map(sealed)))
}

/// How many letters wait, by their reason, then by their step; those of the first page of them.
pub(crate) async fn tally(app: &App) -> Result<Tally, Problem> {
    let wanted = Wanted::waiting(None);
    let (mut tally, mut pages) = (Tally::default(), wanted.listed(None, READ_MAX));
    while let Some(found) = pages.next(app).await? {
        for Found { letter, .. } in &found {
            let group = tally.waiting.entry(letter.reason.clone()).or_default();
            let step = letter.step.clone().unwrap_or_default();
            *group.by_step.entry(step).or_default() += 1;
            group.redrivable += u64::from(letter.may_be_redriven());
        }
        if !found.is_empty() {
            break;
        }
    }
    tally.is_whole = pages.rest().is_none();
    Ok(tally)
}

/// The letter with this id.
pub(super) async fn one(app: &App, id: &str) -> Result<Found, Problem> {
    let none = || Problem::new(Code::NotFound, "There is no dead letter with this id.");
    let record_id = RecordId {
        kind: RecordKind::Letter,
        id: id.into(),
    };
    let records = app.store.records(&[record_id]).await?;
    let record = records.into_iter().flatten().next().ok_or_else(none)?;
    Ok(Found {
        id: id.into(),
        letter: Letter::read(&record.body).ok_or_else(none)?,
        version: record.version,
    })
}

fn states(word: &str) -> Option<States> {
    Some(match word {
        "all" => States::All,
        "waiting" => States::One(LetterState::Waiting),
        "redriven" => States::One(LetterState::Redriven),
        "discarded" => States::One(LetterState::Discarded),
        _ => return None,
    })
}
