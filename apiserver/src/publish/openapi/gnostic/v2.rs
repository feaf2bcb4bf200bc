//! The tables of `openapi.v2.Document`.

use super::{Form, Slot, Table, message};
use crate::protobuf::Back;
use serde_json::Value;

/// `openapi.v2`
pub(in super::super) static V2: Form = Form {
    head: Table {
        slots: &[
            (1, "swagger", Slot::Text),
            (2, "info", Slot::One(&INFO)),
            (8, "paths", Slot::Paths),
            (9, "definitions", Slot::Definitions),
            (13, "securityDefinitions", Slot::Named(1, &Slot::Within(2, &Slot::One(&API_KEY)))),
        ],
        extensions: 16,
    },
    path: (2, &Slot::One(&PATH_ITEM)),
    definition: &Slot::One(&SCHEMA),
};

static INFO: Table = Table {
    slots: &[(1, "title", Slot::Text), (2, "version", Slot::Text), (3, "description", Slot::Text)],
    extensions: 7,
};

static API_KEY: Table = Table {
    slots: &[(1, "type", Slot::Text), (2, "name", Slot::Text), (3, "in", Slot::Text), (4, "description", Slot::Text)],
    extensions: 5,
};

static PATH_ITEM: Table = Table {
    slots: &[
        (2, "get", Slot::One(&OPERATION)),
        (3, "put", Slot::One(&OPERATION)),
        (4, "post", Slot::One(&OPERATION)),
        (5, "delete", Slot::One(&OPERATION)),
        (6, "options", Slot::One(&OPERATION)),
        (7, "head", Slot::One(&OPERATION)),
        (8, "patch", Slot::One(&OPERATION)),
        (9, "parameters", Slot::Each(&Slot::Parameter)),
    ],
    extensions: 10,
};

static OPERATION: Table = Table {
    slots: &[
        (1, "tags", Slot::Texts),
        (2, "summary", Slot::Text),
        (3, "description", Slot::Text),
        (5, "operationId", Slot::Text),
        (6, "produces", Slot::Texts),
        (7, "consumes", Slot::Texts),
        (8, "parameters", Slot::Each(&Slot::Parameter)),
        (9, "responses", Slot::Named(1, &Slot::Within(1, &Slot::One(&RESPONSE)))),
        (10, "schemes", Slot::Texts),
        (11, "deprecated", Slot::Flag),
    ],
    extensions: 13,
};

static RESPONSE: Table = Table {
    slots: &[(1, "description", Slot::Text), (2, "schema", Slot::Within(1, &Slot::One(&SCHEMA)))],
    extensions: 5,
};

static BODY_PARAMETER: Table = Table {
    slots: &[
        (1, "description", Slot::Text),
        (2, "name", Slot::Text),
        (3, "in", Slot::Text),
        (4, "required", Slot::Flag),
        (5, "schema", Slot::One(&SCHEMA)),
    ],
    extensions: 6,
};

static PATH_PARAMETER: Table = Table {
    slots: &[
        (1, "required", Slot::Flag),
        (2, "in", Slot::Text),
        (3, "description", Slot::Text),
        (4, "name", Slot::Text),
        (5, "type", Slot::Text),
        (6, "format", Slot::Text),
        (19, "uniqueItems", Slot::Flag),
    ],
    extensions: 22,
};

static QUERY_PARAMETER: Table = Table {
    slots: &[
        (1, "required", Slot::Flag),
        (2, "in", Slot::Text),
        (3, "description", Slot::Text),
        (4, "name", Slot::Text),
        (6, "type", Slot::Text),
        (7, "format", Slot::Text),
        (20, "uniqueItems", Slot::Flag),
    ],
    extensions: 23,
};

static SCHEMA: Table = Table {
    slots: &[
        (1, "$ref", Slot::Text),
        (2, "format", Slot::Text),
        (3, "title", Slot::Text),
        (4, "description", Slot::Text),
        (5, "default", Slot::Any),
        (6, "multipleOf", Slot::Double),
        (7, "maximum", Slot::Double),
        (8, "exclusiveMaximum", Slot::Flag),
        (9, "minimum", Slot::Double),
        (10, "exclusiveMinimum", Slot::Flag),
        (11, "maxLength", Slot::Int),
        (12, "minLength", Slot::Int),
        (13, "pattern", Slot::Text),
        (14, "maxItems", Slot::Int),
        (15, "minItems", Slot::Int),
        (16, "uniqueItems", Slot::Flag),
        (17, "maxProperties", Slot::Int),
        (18, "minProperties", Slot::Int),
        (19, "required", Slot::Texts),
        (20, "enum", Slot::Anys),
        (21, "additionalProperties", Slot::Additional(&Slot::One(&SCHEMA))),
        (22, "type", Slot::TextInList),
        (23, "items", Slot::Within(1, &Slot::One(&SCHEMA))),
        (24, "allOf", Slot::Each(&Slot::One(&SCHEMA))),
        (25, "properties", Slot::Named(1, &Slot::One(&SCHEMA))),
        (30, "example", Slot::Any),
    ],
    extensions: 31,
};

/// `ParametersItem { parameter { body_parameter | non_body_parameter { .. } } }`
pub(super) fn parameter(out: &mut Back, number: u16, value: &Value) {
    let (item, parameter) = (out.mark(), out.mark());
    match value.get("in").and_then(Value::as_str) {
        Some("body") => message(out, 1, &BODY_PARAMETER, value),
        Some("path") => {
            let mark = out.mark();
            message(out, 4, &PATH_PARAMETER, value);
            out.close(2, mark);
        }
        _ => {
            let mark = out.mark();
            message(out, 3, &QUERY_PARAMETER, value);
            out.close(2, mark);
        }
    }
    out.close(1, parameter);
    out.close(number, item);
}
