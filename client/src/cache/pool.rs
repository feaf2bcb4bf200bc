//! Objects that several caches of a process hold, held once: what one cache has decoded, the others take.

use super::tracked::Tracked;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// For caches of one API server: a uid at a revision is one object.
#[derive(Default)]
pub struct Pool(Mutex<HashMap<(TypeId, String), Pooled>>);

struct Pooled {
    revision: u64,
    object: Weak<dyn Any + Send + Sync>,
}

impl Pool {
    /// This object, or the same one as another cache has it.
    pub(super) fn adopt<K: Tracked>(&self, object: K) -> Arc<K> {
        let (id, revision) = ((TypeId::of::<K>(), object.uid().to_owned()), object.rev());
        let mut held = self.0.lock();
        match held.get(&id) {
            Some(pooled) if pooled.revision == revision => {
                if let Some(found) = pooled.object.upgrade().and_then(|found| found.downcast::<K>().ok()) {
                    return found;
                }
            }
            // Another cache is ahead; this one will have the newer object soon.
            Some(pooled) if pooled.revision > revision => return Arc::new(object.compact()),
            Some(_) | None => {}
        }
        let object = Arc::new(object.compact());
        let pooled = Arc::<K>::clone(&object) as Arc<dyn Any + Send + Sync>;
        held.insert(id, Pooled { revision, object: Arc::downgrade(&pooled) });
        object
    }

    /// A cache does not have it any more; the others will not take it from here.
    pub(super) fn forget<K: Tracked>(&self, object: &K) {
        self.0.lock().remove(&(TypeId::of::<K>(), object.uid().to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    fn map(revision: u64) -> ConfigMap {
        let metadata = json!({"name": "a", "namespace": "b", "uid": "u", "resourceVersion": revision.to_string()});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn what_one_cache_has_the_next_takes_as_long_as_it_is_held() {
        let pool = Pool::default();
        let first = pool.adopt(map(1));
        assert!(Arc::ptr_eq(&first, &pool.adopt(map(1))));
        let newer = pool.adopt(map(2));
        assert!(!Arc::ptr_eq(&first, &newer));
        assert!(!Arc::ptr_eq(&first, &pool.adopt(map(1))), "who lags behind has it to itself");
        assert!(Arc::ptr_eq(&newer, &pool.adopt(map(2))));
        pool.forget(newer.as_ref());
        assert!(!Arc::ptr_eq(&newer, &pool.adopt(map(2))));
    }
}
