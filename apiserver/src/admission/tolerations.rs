//! DefaultTolerationSeconds: a pod stays for five minutes on a node that is not ready or not reachable.

use super::pod;
use serde_json::{Value, json};

const SECONDS: u32 = 300;

pub(super) fn mutate(object: &mut Value) {
    let tolerations = pod::array(&mut object["spec"], "tolerations");
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|toleration| tolerates(toleration, key)) {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS,
            }));
        }
    }
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    (text("key").is_empty() || text("key") == key) && matches!(text("effect"), "" | "NoExecute")
}
