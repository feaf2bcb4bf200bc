//! Seats and queues under a few requests that stay as long as they are told.

use super::*;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(10);
const ONE_QUEUE: Option<Queuing> = Some(Queuing { queues: 1, hand: 1, length: 2 });

fn wanted(name: &str, nominal: u32, lendable: u32, queuing: Option<Queuing>) -> Wanted {
    let share = Share { nominal, least: nominal - lendable, most: u32::MAX };
    Wanted { name: name.to_owned(), share, queuing }
}

/// Levels of one pool.
fn pool<const N: usize>(wanted: [Wanted; N]) -> (Arc<Pool>, [Arc<Level>; N]) {
    let pool = Arc::new(Pool::default());
    let levels = pool.set(wanted.into()).try_into().expect("as many as were wanted");
    (pool, levels)
}

async fn seat(level: &Arc<Level>) -> Seat {
    level.take(|| 0, 1, PATIENCE).await.expect("a seat")
}

/// What the level says when somebody does not want to wait.
async fn refusal(level: &Arc<Level>) -> Refusal {
    level.take(|| 0, 1, Duration::from_millis(1)).await.expect_err("no seat")
}

#[tokio::test]
async fn a_level_without_queues_refuses_what_finds_no_seat() {
    let (_pool, [level]) = pool([wanted("a", 2, 0, None)]);
    let (first, _second) = (seat(&level).await, seat(&level).await);
    assert_eq!(refusal(&level).await, Refusal::ConcurrencyLimit);
    drop(first);
    drop(seat(&level).await);
    assert_eq!(level.figures(), Figures { executing: 1, limit: 2, waiting: 0 });
}

#[tokio::test]
async fn a_request_waits_for_its_turn_for_a_while_and_a_full_queue_takes_no_more() {
    let (_pool, [level]) = pool([wanted("a", 1, 0, ONE_QUEUE)]);
    let first = seat(&level).await;
    assert_eq!(refusal(&level).await, Refusal::TimeOut);
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let level = Arc::clone(&level);
        tasks.spawn(async move { drop(seat(&level).await) });
        tokio::task::yield_now().await;
    }
    assert_eq!(level.figures().waiting, 2);
    assert_eq!(refusal(&level).await, Refusal::QueueFull);
    drop(first);
    tasks.join_all().await;
    assert_eq!(level.figures(), Figures { executing: 0, limit: 1, waiting: 0 });
}

/// Also one that is given a seat and does not come to take it.
#[tokio::test]
async fn whoever_goes_away_leaves_no_trace() {
    let (pool, [level]) = pool([wanted("a", 1, 0, ONE_QUEUE)]);
    let first = seat(&level).await;
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let level = Arc::clone(&level);
        tasks.spawn(async move { seat(&level).await });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.shutdown().await;
    assert_eq!(level.figures(), Figures { executing: 0, limit: 1, waiting: 0 });
    assert_eq!(pool.waiting.load(Ordering::SeqCst), 0);
    assert!(pool.lines.lock().all[0].queues.is_empty());
    drop(seat(&level).await);
}

#[tokio::test]
async fn a_full_level_borrows_what_others_may_lend_and_the_owner_gets_it_back_first() {
    let (_pool, [owner, busy]) = pool([wanted("owner", 3, 2, ONE_QUEUE), wanted("busy", 1, 0, ONE_QUEUE)]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(seat(&busy).await);
    }
    assert_eq!((owner.figures().limit, busy.figures().limit), (1, 3));
    assert_eq!(refusal(&busy).await, Refusal::TimeOut);

    // One seat is the owner's own whatever happens; for the next it waits, in front of the borrower.
    let _own = seat(&owner).await;
    let (mut others, mut owners) = (JoinSet::new(), JoinSet::new());
    let level = Arc::clone(&busy);
    others.spawn(async move { seat(&level).await });
    tokio::task::yield_now().await;
    let level = Arc::clone(&owner);
    owners.spawn(async move { seat(&level).await });
    tokio::task::yield_now().await;
    assert_eq!((owner.figures().waiting, busy.figures().waiting), (1, 1));
    held.pop();
    let _again = owners.join_next().await.unwrap().unwrap();
    assert_eq!((owner.figures().limit, busy.figures().waiting), (2, 1));
    held.pop();
    assert!(others.join_next().await.unwrap().is_ok());
}

/// Of one seat, a flow that asks for ten times as much as another gets no more of it.
#[tokio::test]
async fn flows_are_served_alike_however_much_they_ask_for() {
    let queuing = Some(Queuing { queues: 64, hand: 1, length: 50 });
    let (_pool, [level]) = pool([wanted("a", 1, 0, queuing)]);
    let first = seat(&level).await;
    let (order, mut tasks) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    for flow in std::iter::repeat_n(1, 20).chain([2, 2]) {
        let (level, order) = (Arc::clone(&level), Arc::clone(&order));
        tasks.spawn(async move {
            let _seat = level.take(|| flow, 1, PATIENCE).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            order.lock().push(flow);
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.join_all().await;
    let order = order.lock();
    assert!(order[..5].iter().filter(|flow| **flow == 2).count() == 2, "{order:?}");
}

#[tokio::test]
async fn new_limits_count_at_once_and_a_level_that_goes_lets_nobody_wait_for_ever() {
    let (pool, [level]) = pool([wanted("a", 1, 0, ONE_QUEUE)]);
    let first = seat(&level).await;
    let mut tasks = JoinSet::new();
    let waiting = Arc::clone(&level);
    tasks.spawn(async move { seat(&waiting).await });
    tokio::task::yield_now().await;
    let again = pool.set(vec![wanted("a", 2, 0, ONE_QUEUE)]);
    assert!(Arc::ptr_eq(&again[0], &level));
    let second = tasks.join_next().await.unwrap().unwrap();

    let waiting = Arc::clone(&level);
    tasks.spawn(async move { seat(&waiting).await });
    tokio::task::yield_now().await;
    assert!(pool.set(Vec::new()).is_empty());
    drop((first, second));
    assert!(tasks.join_next().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_wide_request_takes_its_seats_together_and_narrow_ones_do_not_slip_past_it() {
    let queuing = Some(Queuing { queues: 1, hand: 1, length: 9 });
    let (_pool, [level]) = pool([wanted("a", 20, 0, queuing)]);
    let wide = || level.take(|| 0, 3, PATIENCE);
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(wide().await.unwrap());
    }
    assert_eq!(level.figures(), Figures { executing: 18, limit: 20, waiting: 0 });
    let mut tasks = JoinSet::new();
    for width in [3, 1] {
        let level = Arc::clone(&level);
        tasks.spawn(async move { level.take(|| 0, width, PATIENCE).await.map(|seat| (width, seat)) });
        tokio::task::yield_now().await;
    }
    assert_eq!(level.figures().waiting, 2, "two are free, and the first in line wants three");
    held.pop();
    let first = tasks.join_next().await.unwrap().unwrap();
    let second = tasks.join_next().await.unwrap().unwrap();
    let mut widths = [first.unwrap(), second.unwrap()].map(|(width, seat)| (width, drop(seat)).0);
    widths.sort_unstable();
    assert_eq!(widths, [1, 3]);
    held.clear();
    assert_eq!(level.figures(), Figures { executing: 0, limit: 20, waiting: 0 });
    // More than the level allows one request is cut down to that.
    let cut = level.take(|| 0, 50, PATIENCE).await.unwrap();
    assert_eq!(level.figures().executing, 3);
    drop(cut);
}
