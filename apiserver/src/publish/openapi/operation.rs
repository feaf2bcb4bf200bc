//! The paths and operations of a kind. kubectl looks for the `fieldValidation` parameter of the PATCH of a kind to know
//! whether the server validates.

use super::{Dialect, custom};
use crate::registry::exceptions;
use kinds::row::{Row, Subresource};
use kinds::schema::{definition, lookup};
use serde_json::{Map, Value, json};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];
/// A strategic merge needs the types that the server was built with.
const CUSTOM_PATCHES: &[&str] =
    &["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const PRODUCED: &[&str] = &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const LISTED: &[&str] = &[
    "application/json",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/yaml",
];
const CUSTOM_PRODUCED: &[&str] = &["application/json", "application/yaml"];

/// Name, type and description of a query parameter.
type Parameter = (&'static str, &'static str, &'static str);

const PRETTY: Parameter = ("pretty", "string", "If 'true', then the output is pretty printed.");
const DRY_RUN: Parameter = (
    "dryRun",
    "string",
    "When present, indicates that modifications should not be persisted; the only valid value is 'All'.",
);
const FIELD_MANAGER: Parameter = (
    "fieldManager",
    "string",
    "The name associated with the actor or entity that is making these changes; less than 128 printable characters.",
);
const FIELD_VALIDATION: Parameter = (
    "fieldValidation",
    "string",
    "How unknown and duplicate fields are handled: Ignore, Warn (the default) or Strict.",
);
const FORCE: Parameter =
    ("force", "boolean", "Take over conflicting fields owned by other managers; only for apply patch requests.");
const LIST: &[Parameter] = &[
    ("allowWatchBookmarks", "boolean", "Requests watch events of type BOOKMARK."),
    ("continue", "string", "The token of the previous page's metadata."),
    ("fieldSelector", "string", "Restricts the list of returned objects by their fields. Defaults to everything."),
    ("labelSelector", "string", "Restricts the list of returned objects by their labels. Defaults to everything."),
    ("limit", "integer", "The maximum number of objects in a page."),
    ("resourceVersion", "string", "Constrains which resource versions a request may be served from."),
    ("resourceVersionMatch", "string", "How resourceVersion is applied to list calls: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the present objects, ended by a bookmark."),
    ("timeoutSeconds", "integer", "Limits the duration of the call."),
    ("watch", "boolean", "Watch for changes to the described resources and return them as a stream of events."),
];
const DELETE: &[Parameter] = &[
    DRY_RUN,
    ("gracePeriodSeconds", "integer", "Seconds before the object should be deleted; zero means immediately."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "How dependents are collected: Orphan, Background or Foreground."),
];

/// What an operation is about.
struct Subject<'a> {
    dialect: Dialect,
    row: &'a Row,
    sub: Option<&'a Subresource>,
}

/// All paths of a kind, below `prefix` (`/apis/apps/v1`).
pub(super) fn paths(dialect: Dialect, prefix: &str, row: &Row) -> Vec<(String, Value)> {
    let subject = Subject { dialect, row, sub: None };
    let plural = &row.plural;
    let base = if row.namespaced() {
        format!("{prefix}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{prefix}/{plural}")
    };
    let mut paths = Vec::new();
    let mut add = |path: String, verbs: &[(&str, &str)], subject: &Subject<'_>, has: &dyn Fn(&str) -> bool, scope| {
        let mut item = Map::new();
        for (verb, method) in verbs.iter().filter(|(verb, _)| has(verb)) {
            item.insert((*method).to_owned(), subject.operation(verb, scope));
        }
        if !item.is_empty() {
            item.insert("parameters".to_owned(), json!(path_parameters(dialect, &path)));
            paths.push((path, Value::Object(item)));
        }
    };
    let whole = |verb: &str| row.has_verb(verb);
    if row.namespaced() {
        add(format!("{prefix}/{plural}"), &[("list", "get")], &subject, &whole, "ForAllNamespaces");
    }
    add(base.clone(), &[("list", "get"), ("create", "post"), ("deletecollection", "delete")], &subject, &whole, "");
    let one = &[("get", "get"), ("update", "put"), ("patch", "patch"), ("delete", "delete")];
    add(format!("{base}/{{name}}"), one, &subject, &whole, "");
    for sub in row.subresources.iter() {
        let subject = Subject { dialect, row, sub: Some(sub) };
        let has = |verb: &str| sub.verbs.iter().any(|known| known == verb);
        let verbs = &[("get", "get"), ("create", "post"), ("update", "put"), ("patch", "patch"), ("delete", "delete")];
        add(format!("{base}/{{name}}/{}", sub.name), verbs, &subject, &has, "");
    }
    paths
}

fn path_parameters(dialect: Dialect, path: &str) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (name, text) in
        [("namespace", "object name and auth scope, such as for teams and projects"), ("name", "name of the object")]
    {
        if path.contains(&format!("{{{name}}}")) {
            let mut parameter =
                json!({"name": name, "in": "path", "required": true, "description": text, "uniqueItems": true});
            typed(&mut parameter, dialect, "string");
            parameters.push(parameter);
        }
    }
    parameters.push(query(dialect, PRETTY));
    parameters
}

fn query(dialect: Dialect, (name, kind, text): Parameter) -> Value {
    let mut parameter = json!({"name": name, "in": "query", "description": text, "uniqueItems": true});
    typed(&mut parameter, dialect, kind);
    parameter
}

fn typed(parameter: &mut Value, dialect: Dialect, kind: &str) {
    match dialect {
        Dialect::V2 => parameter["type"] = json!(kind),
        Dialect::V3 => {
            parameter["schema"] = json!({"type": kind, "uniqueItems": true});
            if let Some(parameter) = parameter.as_object_mut() {
                parameter.remove("uniqueItems");
            }
        }
    }
}

impl Subject<'_> {
    /// Group, version and kind of the body.
    fn kind(&self) -> (&str, &str, &str) {
        match self.sub.and_then(|sub| sub.body.as_ref()) {
            Some((group, version, kind)) => (group, version, kind),
            None => (&self.row.group, &self.row.version, &self.row.kind),
        }
    }

    /// Definition of the body; `None` where it is no object (a log, a stream).
    fn schema(&self) -> Option<String> {
        let Some(sub) = self.sub else { return Some(self.row.schema.to_string()) };
        match (&sub.body, sub.name.as_ref()) {
            (None, "log" | "proxy" | "exec" | "attach" | "portforward") => None,
            (None, _) => Some(self.row.schema.to_string()),
            (Some((group, version, kind)), _) => {
                let name = definition(group, version, kind);
                lookup(&name).map(|_| name)
            }
        }
    }

    fn is_stream(&self) -> bool {
        self.sub.is_some_and(|sub| matches!(sub.name.as_ref(), "exec" | "attach" | "portforward" | "proxy"))
    }

    fn operation(&self, verb: &str, scope: &str) -> Value {
        let (group, version, kind) = self.kind();
        let action = match verb {
            _ if self.is_stream() => "connect",
            "create" => "post",
            "update" => "put",
            other => other,
        };
        let mut operation = json!({
            "tags": [tag(self.row)],
            "operationId": self.id(verb, scope),
            "description": format!("{verb} {} {kind}", self.sub.map_or("", |sub| sub.name.as_ref())).replace("  ", " "),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        });
        let mut parameters: Vec<Value> =
            self.parameters(verb).into_iter().map(|parameter| query(self.dialect, parameter)).collect();
        self.body(verb, &mut operation, &mut parameters);
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        operation["responses"] = self.responses(verb);
        if self.dialect == Dialect::V2 {
            operation["produces"] = json!(self.produced(verb));
            operation["schemes"] = json!(["https"]);
        }
        operation
    }

    fn parameters(&self, verb: &str) -> Vec<Parameter> {
        if self.is_stream() {
            return Vec::new();
        }
        match verb {
            "list" => LIST.to_vec(),
            "create" | "update" => vec![DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION],
            "patch" => vec![DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, FORCE],
            "delete" => DELETE.to_vec(),
            "deletecollection" => LIST.iter().chain(DELETE).filter(|(name, _, _)| *name != "watch").copied().collect(),
            _ => Vec::new(),
        }
    }

    fn body(&self, verb: &str, operation: &mut Value, parameters: &mut Vec<Value>) {
        let reference = |name: String| self.dialect.reference(&name);
        let schema = match verb {
            "create" | "update" => self.schema().map(reference),
            // No one type: its form depends on the media type.
            "patch" => Some(json!({"type": "object", "description": "A patch of the Kubernetes API object."})),
            "delete" | "deletecollection" => Some(reference(format!("{META}.DeleteOptions"))),
            _ => None,
        };
        let Some(schema) = schema.filter(|_| !self.is_stream()) else { return };
        let media: &[&str] = match verb {
            "patch" if custom::is_custom(self.row) => CUSTOM_PATCHES,
            "patch" => PATCHES,
            _ => &["*/*"],
        };
        let required = matches!(verb, "create" | "update" | "patch");
        match self.dialect {
            Dialect::V2 => {
                operation["consumes"] = json!(media);
                parameters.push(json!({"name": "body", "in": "body", "required": required, "schema": schema}));
            }
            Dialect::V3 => {
                let content: Map<String, Value> =
                    media.iter().map(|media| ((*media).to_owned(), json!({"schema": schema}))).collect();
                operation["requestBody"] = json!({"content": content});
                if required {
                    operation["requestBody"]["required"] = json!(true);
                }
            }
        }
    }

    fn produced(&self, verb: &str) -> &'static [&'static str] {
        match verb {
            _ if custom::is_custom(self.row) => CUSTOM_PRODUCED,
            "list" => LISTED,
            _ => PRODUCED,
        }
    }

    fn responses(&self, verb: &str) -> Value {
        let schema = match verb {
            "list" => Some(list_schema(self.row)),
            "delete" if exceptions::delete_returns_object(self.row) => self.schema(),
            "delete" | "deletecollection" => Some(format!("{META}.Status")),
            _ => self.schema().filter(|_| !self.is_stream()),
        };
        let answer = |text: &str| match (&schema, self.dialect) {
            (None, _) => json!({"description": text}),
            (Some(name), Dialect::V2) => json!({"description": text, "schema": self.dialect.reference(name)}),
            (Some(name), Dialect::V3) => {
                let schema = self.dialect.reference(name);
                let content: Map<String, Value> =
                    self.produced(verb).iter().map(|media| ((*media).to_owned(), json!({"schema": schema}))).collect();
                json!({"description": text, "content": content})
            }
        };
        let mut responses = json!({"200": answer("OK"), "401": {"description": "Unauthorized"}});
        match verb {
            "create" => {
                responses["201"] = answer("Created");
                responses["202"] = answer("Accepted");
            }
            "update" | "patch" => responses["201"] = answer("Created"),
            "delete" => responses["202"] = answer("Accepted"),
            _ => {}
        }
        responses
    }

    /// `patchAppsV1NamespacedDeploymentStatus`
    fn id(&self, verb: &str, scope: &str) -> String {
        let verb = match verb {
            _ if self.is_stream() => return format!("connect{}{}", capital(verb), self.id_rest(scope)),
            "get" => "read",
            "update" => "replace",
            "deletecollection" => "deleteCollection",
            other => other,
        };
        format!("{verb}{}", self.id_rest(scope))
    }

    fn id_rest(&self, scope: &str) -> String {
        let row = self.row;
        let group = group_words(&row.group);
        let namespaced = if row.namespaced() && scope.is_empty() { "Namespaced" } else { "" };
        let sub = self.sub.map_or(String::new(), |sub| capital(&sub.name));
        format!("{group}{}{namespaced}{}{sub}{scope}", capital(&row.version), row.kind)
    }
}

pub(super) fn list_schema(row: &Row) -> String {
    format!("{}List", row.schema)
}

fn group_words(group: &str) -> String {
    if group.is_empty() {
        "Core".to_owned()
    } else {
        group.trim_end_matches(".k8s.io").split('.').map(capital).collect()
    }
}

fn tag(row: &Row) -> String {
    let group = group_words(&row.group);
    let mut chars = group.chars();
    let lower: String = chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
    format!("{lower}_{}", row.version)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}
