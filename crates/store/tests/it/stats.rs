//! The promises about figures: what waits, since when, and what was given up. Part of the contract
//! that every backend is held to.

use crate::fixtures::{NOW, ids};
use crate::outbox::{commit, lease, place_at};
use crate::webhooks::{endpoint, subscribed};
use domain::letter::LetterState;
use domain::webhook::Disabled;
use domain::{Change, Letter, OrderId};
use store::{Stats, Store, Waiting};

async fn stats(store: &dyn Store) -> Stats {
    store.stats().await.unwrap()
}

fn waiting(count: u64, due_in_ms: Option<i64>) -> Waiting {
    let oldest_due_at = due_in_ms.map(|millis| NOW.plus_millis(millis));
    Waiting {
        count,
        oldest_due_at,
    }
}

pub(crate) async fn figures_say_how_much_waits_and_since_when(store: &dyn Store) {
    let ids = ids();
    let at_first = stats(store).await;
    assert_eq!(at_first.fulfil, waiting(0, None));
    assert_eq!(at_first.announce, waiting(0, None));
    assert_eq!(at_first.oldest_due_at(), None);

    let told = subscribed(store, &ids, &endpoint(&[])).await;
    place_at(store, &ids, NOW.plus_millis(2_000)).await;
    place_at(store, &ids, NOW.plus_millis(1_000)).await;
    let placed = stats(store).await;
    assert_eq!(placed.fulfil, waiting(2, Some(1_000)));
    assert_eq!(placed.announce, waiting(2, Some(1_000)));
    assert_eq!(placed.waiting_count(), 4);
    let age_ms = |at| placed.fulfil.age_ms(NOW.plus_millis(at));
    assert_eq!([0, 1_000, 4_500].map(age_ms), [0, 0, 3_500]);

    let leased = lease(store, NOW.plus_millis(3_000), 1).await.entries;
    let one_is_taken = stats(store).await.fulfil;
    assert_eq!(
        one_is_taken,
        waiting(2, Some(2_000)),
        "it counts until it is settled"
    );
    commit(store, vec![Change::Settle(leased[0])]).await;
    assert_eq!(stats(store).await.fulfil, waiting(1, Some(2_000)));

    let mut disabled = endpoint(&[]);
    disabled.disabled = Some((Disabled::ByHand, 0));
    commit(store, vec![disabled.change(told, 1)]).await;
    let nobody_works_on_it = stats(store).await;
    assert_eq!(nobody_works_on_it.announce, waiting(2, None));
    assert_eq!(
        nobody_works_on_it.oldest_due_at(),
        Some(NOW.plus_millis(2_000))
    );
}

pub(crate) async fn figures_count_the_dead_letters_that_wait(store: &dyn Store) {
    let ids = ids();
    let mut letters: Vec<Letter> = (0..3)
        .map(|_| {
            let why = r#"it says \"state\":\"waiting\" and "state":"waiting""#;
            Letter::poison(OrderId::new(ids.mint(NOW)), why, NOW)
        })
        .collect();
    assert_eq!(stats(store).await.dead_letter_count, 0);
    for letter in &letters {
        commit(store, vec![letter.change(0)]).await;
    }
    assert_eq!(stats(store).await.dead_letter_count, 3);
    for (letter, state) in letters
        .iter_mut()
        .zip([LetterState::Discarded, LetterState::Redriven])
    {
        letter.state = state;
        commit(store, vec![letter.change(1)]).await;
    }
    assert_eq!(stats(store).await.dead_letter_count, 1);
}
