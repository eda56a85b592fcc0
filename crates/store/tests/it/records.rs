//! The promises about records: small things that are read and written whole.

use crate::fixtures::{NOW, ids};
use crate::outbox::commit;
use domain::letter::LetterState;
use domain::{Change, Letter, OrderId, Record, RecordId, RecordKind, WriteSet};
use std::sync::Arc;
use store::{Committed, LetterQuery, Page, RecordQuery, Store};

pub(crate) async fn a_record_changes_only_from_the_version_that_is_there(store: &dyn Store) {
    let id = RecordId {
        kind: RecordKind::Secret,
        id: "cursor".into(),
    };
    let other = RecordId {
        kind: RecordKind::Secret,
        id: "other".into(),
    };
    let change = |was, body: Option<&[u8]>| WriteSet {
        claim: None,
        changes: vec![Change::Record {
            id: id.clone(),
            was,
            body: body.map(Into::into),
        }],
    };
    for (was, body, outcome) in [
        (1, Some(b"x".as_slice()), Committed::Refused(0)),
        (0, Some(b"one"), Committed::Done),
        (0, Some(b"two"), Committed::Refused(0)),
        (1, Some(b"two"), Committed::Done),
        (1, None, Committed::Refused(0)),
    ] {
        assert_eq!(
            store.commit(Arc::new(change(was, body))).await.unwrap(),
            outcome
        );
    }
    let record = Record {
        version: 2,
        body: b"two".as_slice().into(),
    };
    let found = store.records(&[other.clone(), id.clone()]).await.unwrap();
    assert_eq!(found, [None, Some(record)]);
    assert_eq!(
        store.commit(Arc::new(change(2, None))).await.unwrap(),
        Committed::Done
    );
    assert_eq!(
        store.records(std::slice::from_ref(&id)).await.unwrap(),
        [None]
    );
}

pub(crate) async fn records_are_listed_by_id_in_pages(store: &dyn Store) {
    let names = ["B", "a", "a-1", "a1", "ä", "z"];
    for name in names.iter().rev() {
        let record = record_change(RecordKind::Product, name, 0, Some(name.as_bytes()));
        store.commit(Arc::new(record)).await.unwrap();
    }
    let other = record_change(RecordKind::Token, "b", 0, Some(b"x"));
    store.commit(Arc::new(other)).await.unwrap();

    let mut found: Vec<String> = Vec::new();
    let mut query = RecordQuery {
        kind: RecordKind::Product,
        after: None,
        limit: 4,
    };
    loop {
        let Page { items, next } = store.list(query.clone()).await.unwrap();
        assert!(items.len() <= query.limit);
        for (id, record) in items {
            assert_eq!((record.version, &*record.body), (1, id.as_bytes()));
            found.push(id.into());
        }
        match next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let mut expected = names.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

pub(crate) async fn a_record_that_was_read_is_read_as_it_is_now(store: &dyn Store) {
    let id = RecordId {
        kind: RecordKind::Product,
        id: "pen".into(),
    };
    let ids = [id.clone()];
    assert_eq!(store.records(&ids).await.unwrap(), [None]);
    for was in 0..20 {
        let body = was.to_string();
        let change = record_change(RecordKind::Product, "pen", was, Some(body.as_bytes()));
        store.commit(Arc::new(change)).await.unwrap();
        for _ in 0..2 {
            let found = store.records(&ids).await.unwrap();
            let record = found[0].as_ref().unwrap();
            assert_eq!((record.version, &*record.body), (was + 1, body.as_bytes()));
        }
    }
    let gone = record_change(RecordKind::Product, "pen", 20, None);
    store.commit(Arc::new(gone)).await.unwrap();
    assert_eq!(store.records(&ids).await.unwrap(), [None]);
}

pub(crate) async fn letters_that_wait_are_listed_by_id_whatever_was_settled_before_them(
    store: &dyn Store,
) {
    let ids = ids();
    let letter = |_| {
        let why = r#"it says \"state\":\"waiting\" and "state":"waiting""#;
        Letter::poison(OrderId::new(ids.mint(NOW)), why, NOW)
    };
    let mut letters: Vec<Letter> = (0..9).map(letter).collect();
    commit(store, letters.iter().map(|it| it.change(0)).collect()).await;
    let other = record_change(RecordKind::Product, "z", 0, Some(br#""state":"waiting""#));
    store.commit(Arc::new(other)).await.unwrap();
    for (settled, state) in [
        (0, LetterState::Redriven),
        (1, LetterState::Discarded),
        (4, LetterState::Redriven),
    ] {
        letters[settled].state = state;
        commit(store, vec![letters[settled].change(1)]).await;
    }

    let mut found: Vec<(Box<str>, u32)> = Vec::new();
    let mut query = LetterQuery {
        after: None,
        limit: 4,
    };
    loop {
        let Page { items, next } = store.waiting_letters(query.clone()).await.unwrap();
        assert!(items.len() <= query.limit);
        found.extend(items.into_iter().map(|(id, record)| (id, record.version)));
        match next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let waiting = letters
        .iter()
        .filter(|it| it.state == LetterState::Waiting)
        .map(|it| (it.id().id, 1));
    assert_eq!(found, waiting.collect::<Vec<_>>());
}

fn record_change(kind: RecordKind, id: &str, was: u32, body: Option<&[u8]>) -> WriteSet {
    let id = RecordId {
        kind,
        id: id.into(),
    };
    let body = body.map(Into::into);
    WriteSet {
        claim: None,
        changes: vec![Change::Record { id, was, body }],
    }
}
