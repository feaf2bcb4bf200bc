//! Panics that stay with the work that caused them: a request, a key of a controller. Any other ends the process at once: a
//! writer that is gone, or a cache that stands still, must not look like a cluster that works, and pods outlive us anyway.

use pin_project_lite::pin_project;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

thread_local! {
    /// Whether this thread is at guarded work.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Guarded work ended in a panic, which has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a panic, which the log has")]
pub struct Panicked;

/// From now on a panic outside of guarded work ends the process.
pub fn end_process_on_other_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !GUARDED.get() {
            std::process::abort();
        }
    }));
}

/// Does `work`, which leaves nothing half-done that others see where it panics.
pub fn call<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outside = GUARDED.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outside);
    ended.map_err(|_| Panicked)
}

pin_project! {
    /// See [`future`].
    #[must_use]
    pub struct Guarded<F> {
        #[pin]
        work: F,
    }
}

/// As [`call`], for work that waits. What it spawns is not guarded.
pub fn future<F: Future>(work: F) -> Guarded<F> {
    Guarded { work }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.project().work;
        match call(|| work.poll(context)) {
            Ok(polled) => Poll::Ready(Ok(ready!(polled))),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_work_and_of_nothing_else() {
        let fails = |fail: bool| async move {
            tokio::task::yield_now().await;
            assert!(!fail, "told to");
            GUARDED.get()
        };
        assert_eq!(future(fails(true)).await, Err(Panicked));
        assert!(!GUARDED.get(), "what comes after is not guarded");
        assert_eq!(future(fails(false)).await, Ok(true));
        assert_eq!(call(|| call(|| panic!("inner")).is_err() && GUARDED.get()), Ok(true));
    }
}
