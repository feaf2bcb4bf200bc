//! JSON patches (RFC 6902) as upstream's library runs them, whoever sent them: clients, webhooks, policies. A negative index
//! counts from the end, and a test for null holds where there is nothing. k8s: `evanphx/json-patch`

use super::decode;
use json_patch::jsonptr::PointerBuf;
use json_patch::{PatchError, PatchErrorKind, PatchOperation};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Bytes that the copies of one JSON patch may add up to: each copy can double the object, and ten thousand are allowed.
/// k8s: AccumulatedCopySizeLimit (CVE-2019-1002100)
const COPIED_MAX: usize = decode::BODY_MAX;

#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {COPIED_MAX}"
    )]
    Copies { copied: usize },
    /// k8s: also of an operation without `op`
    #[error("Unexpected kind: {0}")]
    Kind(String),
    #[error("{0}")]
    Form(String),
    #[error(transparent)]
    Failed(#[from] PatchError),
}

/// One operation as a client sends it, which is perhaps none.
#[derive(Clone, Debug)]
pub enum Operation {
    Known(PatchOperation),
    Unknown {
        kind: String,
    },
    /// Of a kind that is known, without what it needs.
    Malformed {
        why: String,
    },
}

impl Operation {
    pub fn of(sent: Map<String, Value>) -> Self {
        const KINDS: [&str; 6] = ["add", "remove", "replace", "move", "test", "copy"];
        let kind = sent.get("op").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        if !KINDS.contains(&kind.as_str()) {
            return Self::Unknown { kind };
        }
        match PatchOperation::deserialize(Value::Object(sent)) {
            Ok(operation) => Self::Known(operation),
            Err(error) => Self::Malformed { why: format!("{kind} operation does not apply: {error}") },
        }
    }
}

/// Runs operations until one is none.
pub fn run_all(object: &mut Value, operations: &[Operation]) -> Result<(), OperationError> {
    let mut copied = 0;
    for operation in operations {
        match operation {
            Operation::Known(operation) => run_one(object, operation, &mut copied)?,
            Operation::Unknown { kind } => return Err(OperationError::Kind(kind.clone())),
            Operation::Malformed { why } => return Err(OperationError::Form(why.clone())),
        }
    }
    Ok(())
}

impl OperationError {
    /// Whether the patch says itself that it is not for this object.
    pub fn is_failed_test(&self) -> bool {
        matches!(self, Self::Failed(error) if matches!(error.kind, PatchErrorKind::TestFailed))
    }
}

/// Runs `operations` on `object`, which is of no use after an error.
pub fn run(object: &mut Value, operations: &[PatchOperation]) -> Result<(), OperationError> {
    let mut copied = 0;
    operations.iter().try_for_each(|operation| run_one(object, operation, &mut copied))
}

/// `copied` are the bytes of all copies so far.
fn run_one(object: &mut Value, operation: &PatchOperation, copied: &mut usize) -> Result<(), OperationError> {
    let from_start = counted(object, operation);
    let operation = from_start.as_ref().unwrap_or(operation);
    if let PatchOperation::Copy(copy) = operation {
        *copied += object.pointer(copy.from.as_str()).map_or(0, weight);
        if *copied > COPIED_MAX {
            return Err(OperationError::Copies { copied: *copied });
        }
    }
    if let PatchOperation::Test(test) = operation
        && test.value.is_null()
        && is_absent_member(object, test.path.as_str())
    {
        return Ok(());
    }
    Ok(json_patch::patch_unsafe(object, std::slice::from_ref(operation))?)
}

/// What the last step of a path is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// An item that is there.
    Item,
    /// A place for a new one: `-1` is behind the last.
    Place,
}

/// The operation with indices from the start, where it has any from the end.
fn counted(object: &Value, operation: &PatchOperation) -> Option<PatchOperation> {
    let is_from_end = |path: &PointerBuf| path.as_str().contains("/-");
    let count = |path: &mut PointerBuf, last| {
        if let Some(counted) = is_from_end(path).then(|| from_start(object, path.as_str(), last)).flatten() {
            *path = counted;
        }
    };
    let mut operation = operation.clone();
    match &mut operation {
        PatchOperation::Add(add) if is_from_end(&add.path) => count(&mut add.path, Last::Place),
        PatchOperation::Remove(remove) if is_from_end(&remove.path) => count(&mut remove.path, Last::Item),
        PatchOperation::Replace(replace) if is_from_end(&replace.path) => count(&mut replace.path, Last::Item),
        PatchOperation::Test(test) if is_from_end(&test.path) => count(&mut test.path, Last::Item),
        PatchOperation::Move(moved) if is_from_end(&moved.from) || is_from_end(&moved.path) => {
            count(&mut moved.from, Last::Item);
            count(&mut moved.path, Last::Place);
        }
        PatchOperation::Copy(copy) if is_from_end(&copy.from) || is_from_end(&copy.path) => {
            count(&mut copy.from, Last::Item);
            count(&mut copy.path, Last::Place);
        }
        PatchOperation::Add(_)
        | PatchOperation::Remove(_)
        | PatchOperation::Replace(_)
        | PatchOperation::Test(_)
        | PatchOperation::Move(_)
        | PatchOperation::Copy(_) => return None,
    }
    Some(operation)
}

/// `/a/-1` as `/a/2` where `a` has three items. An index that leads nowhere stays, for the patch to fail on.
fn from_start(object: &Value, path: &str, last: Last) -> Option<PointerBuf> {
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    let mut made = String::with_capacity(path.len());
    let mut here = Some(object);
    for (at, step) in steps.iter().enumerate() {
        let room = here
            .and_then(Value::as_array)
            .map_or(0, |items| items.len() + usize::from(last == Last::Place && at + 1 == steps.len()));
        let back = step.strip_prefix('-').and_then(|digits| digits.parse::<usize>().ok());
        let step = match back.filter(|back| (1..=room).contains(back)) {
            Some(back) => format!("/{}", room - back),
            None => format!("/{step}"),
        };
        here = here.and_then(|value| value.pointer(&step));
        made.push_str(&step);
    }
    PointerBuf::parse(made).ok()
}

/// Whether only the last step of a path leads nowhere. kube-rs adds its finalizers that way.
fn is_absent_member(object: &Value, path: &str) -> bool {
    let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
    parent.is_some_and(Value::is_object) && object.pointer(path).is_none()
}

/// Bytes that a value takes as JSON, nearly.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + items.len() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + 4 + weight(value)).sum::<usize>() + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `[1, 2, 3]` below `a` after one operation; `None` where it fails.
    fn after(operation: &Value) -> Option<Value> {
        let operations: json_patch::Patch = serde_json::from_value(json!([operation])).unwrap();
        let mut object = json!({"a": [1, 2, 3], "b": [{"c": 1}], "-1": 0});
        run(&mut object, &operations.0).ok().map(|()| object)
    }

    #[test]
    fn a_negative_index_counts_from_the_end() {
        for (operation, a) in [
            (json!({"op": "remove", "path": "/a/-1"}), json!([1, 2])),
            (json!({"op": "remove", "path": "/a/-3"}), json!([2, 3])),
            (json!({"op": "replace", "path": "/a/-2", "value": 9}), json!([1, 9, 3])),
            (json!({"op": "test", "path": "/a/-1", "value": 3}), json!([1, 2, 3])),
            (json!({"op": "add", "path": "/a/-1", "value": 9}), json!([1, 2, 3, 9])),
            (json!({"op": "add", "path": "/a/-2", "value": 9}), json!([1, 2, 9, 3])),
            (json!({"op": "add", "path": "/a/-", "value": 9}), json!([1, 2, 3, 9])),
            (json!({"op": "copy", "from": "/b/-1/c", "path": "/a/-4"}), json!([1, 1, 2, 3])),
        ] {
            assert_eq!(after(&operation).unwrap()["a"], a, "{operation}");
        }
        assert_eq!(after(&json!({"op": "replace", "path": "/b/-1/c", "value": 2})).unwrap()["b"][0]["c"], 2);
        assert!(after(&json!({"op": "remove", "path": "/-1"})).unwrap().get("-1").is_none(), "a field's name");
    }

    #[test]
    fn a_negative_index_before_the_first_item_leads_nowhere() {
        for operation in [
            json!({"op": "remove", "path": "/a/-4"}),
            json!({"op": "add", "path": "/a/-5", "value": 9}),
            json!({"op": "remove", "path": "/a/-0"}),
        ] {
            assert_eq!(after(&operation), None, "{operation}");
        }
    }
}
