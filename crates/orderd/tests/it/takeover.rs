//! A worker that stands still is taken for dead, and goes on at any point, however far another has come
//! with its order meanwhile.

use crate::backend;
use crate::fulfilment::{LEASE_MS, Scripted, drain, drain_over, order, place, settle};
use crate::service::{ORDER, Service};
use crate::stock::set_stock;
use std::sync::Arc;
use store::faulty::{Fault, Faulty};
use store::{Error, Store};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Which call of the store, each from 0.
struct Calls {
    /// Before which the first worker stands still.
    first_pauses: u64,
    /// Before which the second one does, until the first has ended.
    second_pauses: u64,
    /// Which one of the first fails.
    first_fails: u64,
}

/// How far they came.
struct Came {
    first_paused: bool,
    second_paused: bool,
    first_failed: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_one_order_bring_it_to_its_end_wherever_they_stand_still() {
    let service = Service::new().await;
    set_stock(&service, "pen", 10_000).await;
    set_stock(&service, "ink", 0).await;
    // An emulator does one thing at a time.
    let step = if backend::is_dynamodb() { 3 } else { 1 };
    for (item_id, end) in [("pen", "completed"), ("ink", "failed")] {
        let mut tries = 0;
        'pauses: for first_pauses in 0.. {
            for second_pauses in (0..).step_by(step) {
                let mut second_paused = true;
                for first_fails in first_pauses + 1.. {
                    let calls = Calls {
                        first_pauses,
                        second_pauses,
                        first_fails,
                    };
                    let came = both(&service, item_id, end, &calls).await;
                    tries += 1;
                    if !came.first_paused {
                        break 'pauses;
                    }
                    second_paused = came.second_paused;
                    if !came.first_failed {
                        break;
                    }
                }
                if !second_paused {
                    break;
                }
            }
        }
        assert!(tries > 100 / step, "{item_id}: {tries}");
    }
    assert_eq!(service.findings().await, []);
}

async fn both(service: &Service, item_id: &str, end: &str, calls: &Calls) -> Came {
    let &Calls {
        first_pauses,
        second_pauses,
        first_fails,
    } = calls;
    let key = format!("{item_id} {first_pauses} {second_pauses} {first_fails}");
    let id = place(service, &key, &ORDER.replace("pen", item_id)).await;
    let provider = Scripted::willing();
    let over = |store: &Arc<dyn Store>, fault, at| Arc::new(Faulty::new(store.clone(), fault, at));
    let failing = over(&service.app.store, Fault::Unavailable, first_fails);
    let first = over(&(failing.clone() as _), Fault::Paused, first_pauses);
    let second = over(&service.app.store, Fault::Paused, second_pauses);
    let work = |store: &Arc<Faulty>| {
        let worker = drain_over(service, store.clone(), provider.clone());
        TaskTracker::new().spawn(async move { worker.pass().await })
    };

    let mut of_first = work(&first);
    let first_paused = is_paused(&first, &mut of_first).await;
    let mut second_paused = false;
    if first_paused {
        service.clock.move_by(LEASE_MS);
        let mut of_second = work(&second);
        second_paused = is_paused(&second, &mut of_second).await;
        first.resume();
        let _failed = of_first.await.unwrap();
        if second_paused {
            second.resume();
            of_second.await.unwrap().unwrap();
        }
    }
    settle(service, &drain(service, provider)).await;
    let order = order(service, &id).await;
    assert_eq!(order["status"], end, "{key}: {order}");
    Came {
        first_paused,
        second_paused,
        first_failed: failing.calls() > first_fails,
    }
}

/// Whether a worker comes to the call before which it stands still, or else to its end.
async fn is_paused(store: &Faulty, work: &mut JoinHandle<Result<usize, Error>>) -> bool {
    tokio::select! {
        () = store.paused() => true,
        worked = work => {
            worked.unwrap().unwrap();
            false
        }
    }
}
