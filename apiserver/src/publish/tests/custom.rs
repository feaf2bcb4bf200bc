//! A kind that is not in the table comes and goes.

use super::*;
use kinds::errors::FieldErrors;
use kinds::kind::Kind;
use kinds::row::Row;
use parking_lot::Mutex;
use served::{Builtin, Provider, Served};

struct Custom {
    row: Row,
    schema: Option<Value>,
}

impl Kind for Custom {
    fn row(&self) -> &Row {
        &self.row
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value) {}
    fn prepare_status(&self, _: &mut Value, _: &Value) {}
    fn validate(&self, _: &Value) -> FieldErrors {
        Vec::new()
    }
    fn validate_update(&self, _: &Value, _: &Value) -> FieldErrors {
        Vec::new()
    }
    fn validate_status(&self, _: &Value, _: &Value) -> FieldErrors {
        Vec::new()
    }
    fn warnings(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
    fn cells(&self, _: &Value, _: i64) -> Vec<Value> {
        Vec::new()
    }
    fn field(&self, _: &Value, _: &str) -> Option<String> {
        None
    }
    fn openapi(&self) -> Option<Value> {
        self.schema.clone()
    }
}

fn cron_tab(schema: Option<Value>) -> Arc<dyn Kind> {
    let model = kinds::table::find("apps", "v1", "deployments").unwrap().row();
    let row = Row {
        group: "stable.example.com".into(),
        version: "v1".into(),
        kind: "CronTab".into(),
        list_kind: "CronTabList".into(),
        plural: "crontabs".into(),
        singular: "crontab".into(),
        schema: "com.example.stable.v1.CronTab".into(),
        ..model.clone()
    };
    Arc::new(Custom { row, schema })
}

struct Changing(Mutex<Served>);

impl Changing {
    fn set(&self, generation: u64, more: Vec<Arc<dyn Kind>>) {
        let kinds = Builtin::new().served().kinds.iter().cloned().chain(more).collect();
        *self.0.lock() = Served { generation, kinds };
    }
}

impl Provider for Changing {
    fn served(&self) -> Served {
        self.0.lock().clone()
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "spec": {
                "type": "object", "required": ["image", "replicas"],
                "properties": {
                    "image": {"type": "string", "nullable": true}, "replicas": {"type": "integer", "minimum": 1},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "string"}}},
                    "either": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "template": {"type": "object", "x-kubernetes-embedded-resource": true},
                },
            },
        },
    })
}

#[tokio::test]
async fn a_kind_that_comes_at_run_time_is_published_everywhere_and_goes_again() {
    let changing = Arc::new(Changing(Mutex::new(Builtin::new().served())));
    let publisher = publisher_of(changing.clone());
    let index = tree(&publisher, "/openapi/v3").await;
    let apps = index["paths"]["apis/apps/v1"]["serverRelativeURL"].clone();
    let path = "apis/stable.example.com/v1";
    assert_eq!(index["paths"][path], Value::Null);
    let etag = |headers: &http::HeaderMap| headers[ETAG].to_str().unwrap().to_owned();
    let before = etag(&get(&publisher, "/apis", &[("accept", KUBECTL_ACCEPT)]).await.1);

    changing.set(1, vec![cron_tab(Some(schema()))]);
    let (_, headers, body) = get(&publisher, "/apis", &[("accept", KUBECTL_ACCEPT), ("if-none-match", &before)]).await;
    assert_ne!(etag(&headers), before);
    assert!(body.contains("\"crontabs\""), "{body}");
    let resources = tree(&publisher, "/apis/stable.example.com/v1").await;
    assert_eq!(resources["resources"][0]["kind"], "CronTab");
    let index = tree(&publisher, "/openapi/v3").await;
    assert_eq!(index["paths"]["apis/apps/v1"]["serverRelativeURL"], apps, "the others keep their hashes");
    let first = index["paths"][path]["serverRelativeURL"].as_str().unwrap().to_owned();

    let mut changed = schema();
    changed["properties"]["spec"]["properties"]["more"] = json!({"type": "string"});
    changing.set(2, vec![cron_tab(Some(changed))]);
    let index = tree(&publisher, "/openapi/v3").await;
    assert_ne!(index["paths"][path]["serverRelativeURL"], first.as_str());

    changing.set(3, Vec::new());
    assert_eq!(get(&publisher, "/apis/stable.example.com/v1", &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(etag(&get(&publisher, "/apis", &[("accept", KUBECTL_ACCEPT)]).await.1), before);
}

#[tokio::test]
async fn a_definition_is_the_author_s_schema_with_what_every_object_has() {
    let changing = Arc::new(Changing(Mutex::new(Builtin::new().served())));
    changing.set(1, vec![cron_tab(Some(schema()))]);
    let publisher = publisher_of(changing.clone());
    let v3 = tree(&publisher, "/openapi/v3/apis/stable.example.com/v1").await;
    let shown = &v3["components"]["schemas"]["com.example.stable.v1.CronTab"];
    let reference = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    assert_eq!(shown["properties"]["metadata"]["allOf"][0]["$ref"], reference);
    assert_eq!(shown["properties"]["spec"]["properties"]["replicas"]["minimum"], 1);
    assert_eq!(shown["properties"]["spec"]["properties"]["template"]["required"], json!(["kind", "apiVersion"]));
    assert_eq!(shown["x-kubernetes-group-version-kind"][0]["kind"], "CronTab");
    let patch = &v3["paths"]["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"]["patch"];
    assert!(patch["requestBody"]["content"].get("application/merge-patch+json").is_some());
    assert!(patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_none());

    let v2 = tree(&publisher, "/openapi/v2").await;
    let spec = &v2["definitions"]["com.example.stable.v1.CronTab"]["properties"]["spec"];
    assert_eq!(spec["required"], json!(["replicas"]), "v2 cannot say nullable, so what may be null is not required");
    assert_eq!(spec["properties"]["image"], json!({}));
    assert_eq!(spec["properties"]["free"], json!({"x-kubernetes-preserve-unknown-fields": true}));
    assert_eq!(spec["properties"]["either"], json!({"x-kubernetes-int-or-string": true}));

    changing.set(2, vec![cron_tab(None)]);
    let v2 = tree(&publisher, "/openapi/v2").await;
    let shown = &v2["definitions"]["com.example.stable.v1.CronTab"];
    assert_eq!(shown.as_object().unwrap().len(), 2, "properties would forbid all others: {shown}");
}
