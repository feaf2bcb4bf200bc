//! Pulls that run: pods that want the same image at once wait for one download.

use super::ImageError;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

type Cell = Arc<OnceCell<String>>;

#[derive(Debug, Default)]
pub(crate) struct Pulls {
    running: Mutex<HashMap<String, Cell>>,
}

/// A place among those who wait for one download; given up when dropped, as a client may leave at any time.
struct Waiting<'a> {
    pulls: &'a Pulls,
    key: &'a str,
    cell: Cell,
}

impl Pulls {
    /// What `pull` brings, or what another pull under the same key does that runs already. Where that one's client leaves,
    /// this one takes over.
    pub(crate) async fn join(
        &self,
        key: &str,
        pull: impl Future<Output = Result<String, ImageError>>,
    ) -> Result<String, ImageError> {
        let cell = self.running.lock().entry(key.to_owned()).or_default().clone();
        let waiting = Waiting { pulls: self, key, cell };
        waiting.cell.get_or_try_init(|| pull).await.cloned()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut running = self.pulls.running.lock();
        let Some(cell) = running.get(self.key).filter(|cell| Arc::ptr_eq(cell, &self.cell)) else { return };
        // Who comes now asks the registry again. Two have the last one's cell: the map, and the last one.
        if cell.initialized() || Arc::strong_count(cell) == 2 {
            running.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::cell::Cell as Count;
    use std::future::pending;
    use std::pin::pin;

    fn running(pulls: &Pulls) -> usize {
        pulls.running.lock().len()
    }

    #[tokio::test]
    async fn those_who_want_the_same_image_wait_for_one_download() {
        let (pulls, started) = (Pulls::default(), Count::new(0));
        let (tell, told) = tokio::sync::watch::channel(false);
        let pull = || async {
            started.set(started.get() + 1);
            told.clone().wait_for(|go| *go).await.unwrap();
            Ok("id".to_owned())
        };
        let other = pulls.join("other", async { Ok("another".to_owned()) });
        let go = async { tell.send(true).unwrap() };
        let (one, two, other, ()) = tokio::join!(pulls.join("a", pull()), pulls.join("a", pull()), other, go);
        assert_eq!((one.unwrap(), two.unwrap(), other.unwrap()), ("id".into(), "id".into(), "another".into()));
        assert_eq!((started.get(), running(&pulls)), (1, 0));
        let failed = pulls.join("a", async { Err(ImageError::DiskFull) }).await;
        assert!(failed.is_err() && running(&pulls) == 0);
    }

    #[tokio::test]
    async fn a_client_that_leaves_takes_its_place_with_it_and_the_next_one_takes_over() {
        let pulls = Pulls::default();
        {
            let mut alone = pin!(pulls.join("a", pending()));
            assert!(alone.as_mut().now_or_never().is_none());
        }
        assert_eq!(running(&pulls), 0);
        let mut second = pin!(pulls.join("a", async { Ok("id".to_owned()) }));
        {
            let mut first = pin!(pulls.join("a", pending()));
            assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        }
        assert_eq!(running(&pulls), 1);
        assert_eq!(second.await.unwrap(), "id");
        assert_eq!(running(&pulls), 0);
    }
}
