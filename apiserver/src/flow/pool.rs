//! The seats of all priority levels, and the requests that wait for one.
//!
//! A request that finds its seats free takes them by one atomic step; most want one. Everything else (waiting, fairness
//! between flows, levels that lend each other seats) is behind one lock, which nobody touches while nobody waits.
//!
//! Unlike upstream, which moves seats between levels every ten seconds by what was wanted before, a seat moves when it is
//! wanted: a full level takes one that another has free and may lend, and the owner gets it back from the next request that
//! leaves it.

use super::deal::deal;
use super::share::{Queuing, Share};
use super::work;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a request is thought to take until it is known. k8s: requestServiceTime's first guess
const GUESS: Duration = Duration::from_millis(3);

/// A priority level as requests see it.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub name: String,
    /// `None`: exempt.
    pool: Option<Weak<Pool>>,
    /// Seats that are taken.
    executing: AtomicU32,
    /// Its seats at this moment.
    limit: AtomicU32,
    /// Requests, whatever they want.
    waiting: AtomicU32,
    /// The most that one request may take.
    widest: AtomicU32,
}

/// What of a level is taken and wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub executing: u32,
    pub limit: u32,
    pub waiting: u32,
}

/// Why a request got no seat; upstream's words, which are labels of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refusal {
    ConcurrencyLimit,
    QueueFull,
    TimeOut,
}

impl Refusal {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrencyLimit => "concurrency-limit",
            Self::QueueFull => "queue-full",
            Self::TimeOut => "time-out",
        }
    }
}

impl Level {
    pub(super) fn exempt(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), ..Self::default() })
    }

    pub(super) fn figures(&self) -> Figures {
        let read = |of: &AtomicU32| of.load(Ordering::Relaxed);
        Figures { executing: read(&self.executing), limit: read(&self.limit), waiting: read(&self.waiting) }
    }

    fn has_free_seat(&self) -> bool {
        self.executing.load(Ordering::SeqCst) < self.limit.load(Ordering::SeqCst)
    }

    fn has_room(&self, width: u32) -> bool {
        has_room(self.executing.load(Ordering::SeqCst), self.limit.load(Ordering::SeqCst), width)
    }

    /// Free seats, while nobody waits for any.
    fn try_take(self: &Arc<Self>, width: u32) -> Option<Seat> {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let limit = self.limit.load(Ordering::SeqCst);
        let more = |executing| has_room(executing, limit, width).then_some(executing + width);
        self.executing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Seat { level: Arc::clone(self), width, queued: None })
    }

    /// `width` seats, at once or in turn. `flow` is the hash of what tells this request's flow from others.
    pub(super) async fn take(
        self: &Arc<Self>,
        flow: impl FnOnce() -> u64,
        width: u32,
        patience: Duration,
    ) -> Result<Seat, Refusal> {
        let Some(pool) = &self.pool else {
            return Ok(seated(self, width, None));
        };
        let width = width.min(self.widest.load(Ordering::Relaxed));
        if let Some(seat) = self.try_take(width) {
            return Ok(seat);
        }
        let pool = pool.upgrade().ok_or(Refusal::TimeOut)?;
        match pool.enter(self, flow(), width, Instant::now())? {
            Entered::Seated(seat) => Ok(seat),
            // Boxed: rare, and its state would make every request's larger.
            Entered::InLine(ticket) => Box::pin(ticket.wait(patience)).await,
        }
    }
}

/// Whether `width` more seats are free. What is wider than the level has it for itself.
/// k8s: canAccommodateSeatsLocked
fn has_room(executing: u32, limit: u32, width: u32) -> bool {
    executing + width <= limit || (executing == 0 && limit > 0)
}

/// Held while a request is served: a seat, or several.
#[derive(Debug)]
pub(crate) struct Seat {
    level: Arc<Level>,
    width: u32,
    /// From which queue it came, and when.
    queued: Option<(usize, Instant)>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.level.executing.fetch_sub(self.width, Ordering::SeqCst);
        let Some(pool) = self.level.pool.as_ref().and_then(Weak::upgrade) else { return };
        if self.queued.is_some() || pool.waiting.load(Ordering::SeqCst) > 0 {
            pool.left(self, Instant::now());
        }
    }
}

enum Entered {
    Seated(Seat),
    InLine(Ticket),
}

/// A place in a queue; whoever drops it gives it up.
struct Ticket {
    pool: Arc<Pool>,
    level: Arc<Level>,
    id: u64,
    turn: oneshot::Receiver<Seat>,
}

impl Ticket {
    async fn wait(mut self, patience: Duration) -> Result<Seat, Refusal> {
        match tokio::time::timeout(patience, &mut self.turn).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(_)) | Err(_) => Err(Refusal::TimeOut),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pool.give_up(&self.level, self.id);
    }
}

struct Waiter {
    id: u64,
    width: u32,
    turn: oneshot::Sender<Seat>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiter>,
    executing: u32,
    /// Seats times the time that requests of this queue had them, counted from where the others were when it began.
    served: Duration,
}

/// A level behind the lock.
struct Line {
    level: Arc<Level>,
    share: Share,
    queuing: Option<Queuing>,
    /// Those that somebody waits in or came from: a level may have millions.
    queues: BTreeMap<usize, Queue>,
    /// What the queue whose turn it was last had been served.
    now: Duration,
    /// Its object is gone; it lasts while somebody waits.
    removed: bool,
}

#[derive(Default)]
pub(super) struct Pool {
    lines: Mutex<Lines>,
    waiting: AtomicU32,
}

#[derive(Default)]
struct Lines {
    all: Vec<Line>,
    next_id: u64,
}

/// A limited level as it should be.
pub(super) struct Wanted {
    pub name: String,
    pub share: Share,
    pub queuing: Option<Queuing>,
}

impl Pool {
    /// Takes new limits over; levels that stay keep their requests. In the order of `wanted`.
    pub(super) fn set(self: &Arc<Self>, wanted: Vec<Wanted>) -> Vec<Arc<Level>> {
        let mut lines = self.lines.lock();
        lines.all.iter_mut().for_each(|line| line.removed = true);
        let levels = wanted.into_iter().map(|Wanted { name, share, queuing }| {
            let at = lines.all.iter().position(|line| line.level.name == name).unwrap_or_else(|| {
                let level = Arc::new(Level { name, pool: Some(Arc::downgrade(self)), ..Level::default() });
                let (queues, now) = (BTreeMap::new(), Duration::ZERO);
                lines.all.push(Line { level, share, queuing, queues, now, removed: false });
                lines.all.len() - 1
            });
            let line = &mut lines.all[at];
            (line.share, line.queuing, line.removed) = (share, queuing, false);
            line.level.limit.store(share.nominal, Ordering::SeqCst);
            line.level.widest.store(work::widest(share, queuing), Ordering::Relaxed);
            Arc::clone(&line.level)
        });
        let levels = levels.collect();
        lines.all.retain(|line| !line.removed || line.level.waiting.load(Ordering::SeqCst) > 0);
        let unclaimed = lines.settle(self, Instant::now());
        drop(lines);
        drop(unclaimed);
        levels
    }

    /// Seats that are the level's own; 0 for an exempt one.
    pub(super) fn nominal(&self, level: &Arc<Level>) -> u32 {
        let lines = self.lines.lock();
        lines.at(level).map_or(0, |at| lines.all[at].share.nominal)
    }

    fn enter(self: &Arc<Self>, level: &Arc<Level>, flow: u64, width: u32, now: Instant) -> Result<Entered, Refusal> {
        let mut lines = self.lines.lock();
        // A level that is gone gives its last requests what they want.
        let Some(at) = lines.at(level) else {
            return Ok(Entered::Seated(seated(level, width, None)));
        };
        if level.waiting.load(Ordering::SeqCst) == 0 && lines.make_room(at, width) {
            return Ok(Entered::Seated(seated(level, width, None)));
        }
        let id = lines.next_id;
        lines.next_id += 1;
        let (turn, mine) = oneshot::channel();
        lines.all[at].enqueue(flow, Waiter { id, width, turn })?;
        level.waiting.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Who left in between did not see that somebody waits.
        let unclaimed = lines.settle(self, now);
        drop(lines);
        drop(unclaimed);
        Ok(Entered::InLine(Ticket { pool: Arc::clone(self), level: Arc::clone(level), id, turn: mine }))
    }

    fn left(&self, seat: &Seat, now: Instant) {
        let mut lines = self.lines.lock();
        if let Some(at) = lines.at(&seat.level)
            && let Some((queue, since)) = seat.queued
        {
            lines.all[at].account(queue, seat.width, now.saturating_duration_since(since));
        }
        let unclaimed = lines.settle(self, now);
        drop(lines);
        drop(unclaimed);
    }

    fn give_up(&self, level: &Arc<Level>, id: u64) {
        let mut lines = self.lines.lock();
        let Some(at) = lines.at(level) else { return };
        if lines.all[at].remove(id) {
            level.waiting.fetch_sub(1, Ordering::SeqCst);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Seats that are known to be free, or to be given away regardless.
fn seated(level: &Arc<Level>, width: u32, queued: Option<(usize, Instant)>) -> Seat {
    level.executing.fetch_add(width, Ordering::SeqCst);
    Seat { level: Arc::clone(level), width, queued }
}

impl Lines {
    fn at(&self, level: &Arc<Level>) -> Option<usize> {
        self.all.iter().position(|line| Arc::ptr_eq(&line.level, level))
    }

    /// Whether the level has as many free seats now, be they some that other levels can do without.
    fn make_room(&self, at: usize, width: u32) -> bool {
        let level = &self.all[at].level;
        while !level.has_room(width) {
            if !self.borrow(at) {
                return false;
            }
        }
        true
    }

    /// One seat of another level, if one can do without.
    fn borrow(&self, at: usize) -> bool {
        let line = &self.all[at];
        let limit = line.limit();
        let others = || self.all.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, other)| other);
        let free = || others().filter(|other| other.level.has_free_seat());
        // Seats that somebody borrowed come back first.
        let borrower = free().find(|other| other.limit() > other.share.nominal);
        let lender = || free().find(|other| other.limit() > other.share.least && other.is_quiet());
        let giver = if limit < line.share.nominal {
            borrower.or_else(lender)
        } else if limit < line.share.most {
            borrower.filter(|other| other.is_quiet()).or_else(lender)
        } else {
            None
        };
        let Some(giver) = giver else { return false };
        giver.level.limit.fetch_sub(1, Ordering::SeqCst);
        line.level.limit.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Gives every free seat to somebody who waits for it; levels that lent seats come first. Seats that nobody took are to
    /// be dropped when the lock is gone.
    #[must_use]
    fn settle(&mut self, pool: &Pool, now: Instant) -> Vec<Seat> {
        let mut left = Vec::new();
        let mut order: Vec<usize> = (0..self.all.len()).filter(|at| !self.all[*at].is_quiet()).collect();
        order.sort_by_key(|at| self.all[*at].limit() >= self.all[*at].share.nominal);
        for at in order {
            while self.all[at].next().is_some_and(|(_, width)| self.make_room(at, width)) {
                let Some((queue, waiter)) = self.all[at].take_turn() else { break };
                let level = &self.all[at].level;
                level.waiting.fetch_sub(1, Ordering::SeqCst);
                pool.waiting.fetch_sub(1, Ordering::SeqCst);
                // Whoever gives up its turn leaves the queue before; if not, the seat is not lost.
                left.extend(waiter.turn.send(seated(level, waiter.width, Some((queue, now)))).err());
            }
        }
        left
    }
}

impl Line {
    fn limit(&self) -> u32 {
        self.level.limit.load(Ordering::SeqCst)
    }

    fn is_quiet(&self) -> bool {
        self.level.waiting.load(Ordering::SeqCst) == 0
    }

    /// Behind the shortest queue of the flow's hand.
    fn enqueue(&mut self, flow: u64, waiter: Waiter) -> Result<(), Refusal> {
        let queuing = self.queuing.ok_or(Refusal::ConcurrencyLimit)?;
        let load =
            |queue: &usize| self.queues.get(queue).map_or((0, 0), |queue| (queue.waiting.len(), queue.executing));
        let chosen = deal(flow, queuing.queues, queuing.hand).min_by_key(load).unwrap_or_default();
        if load(&chosen).0 >= queuing.length {
            return Err(Refusal::QueueFull);
        }
        // Time in which it wanted nothing is no credit.
        let served = self.now;
        let queue = self.queues.entry(chosen).or_insert_with(|| Queue { served, ..Queue::default() });
        queue.waiting.push_back(waiter);
        Ok(())
    }

    /// The queue that was served least, and what its first wants.
    fn next(&self) -> Option<(usize, u32)> {
        let first = self.queues.iter().filter_map(|(at, queue)| Some((at, queue.served, queue.waiting.front()?)));
        first.min_by_key(|(_, served, _)| *served).map(|(at, _, waiter)| (*at, waiter.width))
    }

    /// The first of that queue.
    fn take_turn(&mut self) -> Option<(usize, Waiter)> {
        let (at, _) = self.next()?;
        let queue = self.queues.get_mut(&at)?;
        let waiter = queue.waiting.pop_front()?;
        self.now = self.now.max(queue.served);
        queue.executing += waiter.width;
        queue.served += GUESS * waiter.width;
        Some((at, waiter))
    }

    /// A request of a queue had its seats so long.
    fn account(&mut self, at: usize, width: u32, took: Duration) {
        let Some(queue) = self.queues.get_mut(&at) else { return };
        queue.executing = queue.executing.saturating_sub(width);
        queue.served = (queue.served + took * width).saturating_sub(GUESS * width);
        self.forget(at);
    }

    fn remove(&mut self, id: u64) -> bool {
        let place = self
            .queues
            .iter()
            .find_map(|(at, queue)| queue.waiting.iter().position(|waiter| waiter.id == id).map(|place| (*at, place)));
        let Some((at, place)) = place else { return false };
        if let Some(queue) = self.queues.get_mut(&at) {
            queue.waiting.remove(place);
        }
        self.forget(at);
        true
    }

    fn forget(&mut self, at: usize) {
        if self.queues.get(&at).is_some_and(|queue| queue.waiting.is_empty() && queue.executing == 0) {
            self.queues.remove(&at);
        }
    }
}

#[cfg(test)]
mod tests;
