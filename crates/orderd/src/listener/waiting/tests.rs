use super::{Phase, WRITE_TIMEOUT, Waiting};
use crate::listener::Limits;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, advance, timeout};

const LIMITS: Limits = Limits {
    connections_max: 1,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
};

async fn seconds_until_overdue(waiting: &Waiting) -> u64 {
    let started = Instant::now();
    waiting.overdue(LIMITS).await;
    started.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_cut_after_its_time_however_often_a_byte_comes() {
    let waiting = Waiting::new();
    advance(Duration::from_secs(4)).await;
    waiting.received();
    assert_eq!(seconds_until_overdue(&waiting).await, 6);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_lasts_longer_and_a_head_begins_with_its_first_byte() {
    let waiting = Waiting::new();
    waiting.busy();
    waiting.answered();
    assert_eq!(seconds_until_overdue(&waiting).await, 75);

    let waiting = Waiting::new();
    waiting.busy();
    waiting.answered();
    advance(Duration::from_mins(1)).await;
    waiting.received();
    assert_eq!(seconds_until_overdue(&waiting).await, 10);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_cut_while_waiting_for_us() {
    let waiting = Waiting::new();
    waiting.busy();
    waiting.received();
    let day = Duration::from_hours(24);
    assert!(timeout(day, waiting.overdue(LIMITS)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_is_given_up() {
    let waiting = Waiting::new();
    waiting.busy();
    waiting.answered();
    assert!(waiting.sending::<usize>(Poll::Pending).is_pending());
    advance(Duration::from_secs(10)).await;
    assert!(waiting.sending::<usize>(Poll::Pending).is_pending());
    assert_eq!(
        seconds_until_overdue(&waiting).await,
        WRITE_TIMEOUT.as_secs() - 10
    );
    assert!(waiting.sending(Poll::Ready(Ok(1))).is_ready());
    assert_eq!(waiting.phase(), Phase::Idle);
}
