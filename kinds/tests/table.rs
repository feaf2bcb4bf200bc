//! Every row of the table keeps what generic code relies on.

use kinds::row::Row;
use kinds::{schema, table};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn rows() -> impl Iterator<Item = &'static Row> {
    table::builtin().iter().map(|kind| kind.row())
}

/// An object of the kind with a name and nothing else.
fn bare(row: &Row) -> Value {
    json!({"apiVersion": row.api_version(), "kind": row.kind, "metadata": {"name": "a", "namespace": "default"}})
}

#[test]
fn every_stable_kind_has_a_row() {
    assert_eq!(table::builtin().len(), 72);
    for (group, version, plural) in [
        ("", "v1", "pods"),
        ("apps", "v1", "statefulsets"),
        ("autoscaling", "v1", "horizontalpodautoscalers"),
        ("autoscaling", "v2", "horizontalpodautoscalers"),
        ("events.k8s.io", "v1", "events"),
        ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas"),
        ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "v1", "apiservices"),
        ("resource.k8s.io", "v1", "resourceslices"),
        ("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies"),
    ] {
        assert!(table::find(group, version, plural).is_some(), "{group}/{version} {plural}");
    }
    assert_eq!(
        table::find_kind("apps", "v1", "Deployment").map(|kind| kind.row().plural.as_ref()),
        Some("deployments")
    );
}

#[test]
fn names_are_unique_and_well_formed() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert((&row.group, &row.version, &row.plural)), "{} twice", row.plural);
        assert_eq!(row.singular, row.kind.to_lowercase(), "{}", row.kind);
        assert!(row.plural.starts_with(&row.singular[..row.singular.len() - 1]), "{}", row.plural);
        assert_eq!(row.list_kind, format!("{}List", row.kind));
    }
}

#[test]
fn kinds_share_storage_only_where_they_are_views_of_one() {
    let mut storages: Vec<&str> = rows().map(|row| row.storage.as_ref()).collect();
    storages.sort_unstable();
    let shared: BTreeSet<&str> = storages.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert_eq!(shared, BTreeSet::from(["autoscaling/horizontalpodautoscalers", "events"]));
}

#[test]
fn every_row_has_a_schema_with_the_fields_it_selects_by() {
    for row in rows() {
        let schema = schema::lookup(&row.schema).unwrap_or_else(|| panic!("{} has no schema", row.schema));
        for (label, path) in row.fields.iter() {
            for path in kinds::row::paths(path) {
                assert!(schema.at(path).is_some(), "{}: {label} is not at {path}", row.kind);
            }
        }
        assert!(row.subresource("status").is_none() || schema.field("status").is_some(), "{}", row.kind);
    }
}

#[test]
fn every_kind_prints_as_many_cells_as_it_has_columns() {
    for kind in table::builtin() {
        let row = kind.row();
        let cells = kind.cells(&bare(row), 0);
        assert_eq!(cells.len(), row.columns.len(), "{}", row.kind);
        assert!(cells.contains(&json!("a")), "{} does not print its name: {cells:?}", row.kind);
    }
}

#[test]
fn hooks_of_every_kind_stand_a_bare_object_and_default_it_once() {
    for kind in table::builtin() {
        let mut object = bare(kind.row());
        kind.default(&mut object);
        let once = object.clone();
        kind.default(&mut object);
        assert_eq!(object, once, "{}: defaulting is not idempotent", kind.row().kind);
        kind.validate(&object);
        kind.warnings(&object);
        kind.update(&mut object, &once);
        kind.prepare_status(&mut object, &once);
    }
}

#[test]
fn status_goes_on_create_and_stays_on_update() {
    let kind = table::find("networking.k8s.io", "v1", "servicecidrs").expect("a row");
    let mut object = bare(kind.row());
    object["status"] = json!({"active": 1});
    let old = object.clone();
    kind.prepare_create(&mut object);
    assert_eq!(object["status"], json!({}), "what was sent is not taken, and a status is there");
    kind.prepare_update(&mut object, &old);
    assert_eq!(object["status"], json!({"active": 1}));
}

#[test]
fn a_status_write_changes_status_labels_and_annotations_only() {
    let kind = table::find("networking.k8s.io", "v1", "servicecidrs").expect("a row");
    let mut old = bare(kind.row());
    old["spec"] = json!({"cidrs": ["10.0.0.0/24"]});
    old["metadata"]["uid"] = json!("u");
    let mut new = old.clone();
    new["spec"]["cidrs"] = json!(["10.1.0.0/24"]);
    new["metadata"] = json!({"name": "b", "labels": {"a": "b"}, "ownerReferences": []});
    new["status"] = json!({"conditions": []});
    kind.prepare_status(&mut new, &old);
    old["status"] = json!({"conditions": []});
    old["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(new, old);
}

#[test]
fn absent_selectable_fields_read_as_their_zero_value() {
    let field = |plural: &str, field: &str| {
        let kind = table::find("", "v1", plural).expect("a row");
        kind.field(&bare(kind.row()), field)
    };
    assert_eq!(field("pods", "spec.nodeName").as_deref(), Some(""));
    assert_eq!(field("pods", "spec.hostNetwork").as_deref(), Some("false"));
    assert_eq!(field("nodes", "spec.unschedulable").as_deref(), Some("false"));
    assert_eq!(field("replicationcontrollers", "status.replicas").as_deref(), Some("0"));
    assert_eq!(field("pods", "metadata.name").as_deref(), Some("a"));
    assert_eq!(field("pods", "spec.nope"), None);
}
