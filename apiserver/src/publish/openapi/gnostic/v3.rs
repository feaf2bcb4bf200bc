//! The tables of `openapi.v3.Document`.

use super::{Form, Slot, Table};

/// `openapi.v3`
pub(in super::super) static V3: Form = Form {
    head: Table {
        slots: &[
            (1, "openapi", Slot::Text),
            (2, "info", Slot::One(&INFO)),
            (4, "paths", Slot::Paths),
            (5, "components", Slot::One(&COMPONENTS)),
        ],
        extensions: 9,
    },
    path: (1, &Slot::One(&PATH_ITEM)),
    definition: &A_SCHEMA,
};

static A_SCHEMA: Slot = Slot::OrReference(&SCHEMA);

static INFO: Table = Table {
    slots: &[(1, "title", Slot::Text), (2, "description", Slot::Text), (6, "version", Slot::Text)],
    extensions: 7,
};

static COMPONENTS: Table = Table {
    slots: &[
        (1, "schemas", Slot::Definitions),
        (7, "securitySchemes", Slot::Named(1, &Slot::OrReference(&SECURITY_SCHEME))),
    ],
    extensions: 10,
};

static SECURITY_SCHEME: Table = Table {
    slots: &[(1, "type", Slot::Text), (2, "description", Slot::Text), (3, "name", Slot::Text), (4, "in", Slot::Text)],
    extensions: 9,
};

static PATH_ITEM: Table = Table {
    slots: &[
        (4, "get", Slot::One(&OPERATION)),
        (5, "put", Slot::One(&OPERATION)),
        (6, "post", Slot::One(&OPERATION)),
        (7, "delete", Slot::One(&OPERATION)),
        (8, "options", Slot::One(&OPERATION)),
        (9, "head", Slot::One(&OPERATION)),
        (10, "patch", Slot::One(&OPERATION)),
        (13, "parameters", Slot::Each(&Slot::OrReference(&PARAMETER))),
    ],
    extensions: 14,
};

static OPERATION: Table = Table {
    slots: &[
        (1, "tags", Slot::Texts),
        (2, "summary", Slot::Text),
        (3, "description", Slot::Text),
        (5, "operationId", Slot::Text),
        (6, "parameters", Slot::Each(&Slot::OrReference(&PARAMETER))),
        (7, "requestBody", Slot::OrReference(&REQUEST_BODY)),
        (8, "responses", Slot::Named(2, &Slot::OrReference(&RESPONSE))),
        (10, "deprecated", Slot::Flag),
    ],
    extensions: 13,
};

static PARAMETER: Table = Table {
    slots: &[
        (1, "name", Slot::Text),
        (2, "in", Slot::Text),
        (3, "description", Slot::Text),
        (4, "required", Slot::Flag),
        (10, "schema", Slot::OrReference(&SCHEMA)),
    ],
    extensions: 14,
};

static REQUEST_BODY: Table = Table {
    slots: &[
        (1, "description", Slot::Text),
        (2, "content", Slot::Named(1, &Slot::One(&MEDIA_TYPE))),
        (3, "required", Slot::Flag),
    ],
    extensions: 4,
};

static RESPONSE: Table = Table {
    slots: &[(1, "description", Slot::Text), (3, "content", Slot::Named(1, &Slot::One(&MEDIA_TYPE)))],
    extensions: 5,
};

static MEDIA_TYPE: Table = Table { slots: &[(1, "schema", Slot::OrReference(&SCHEMA))], extensions: 5 };

static SCHEMA: Table = Table {
    slots: &[
        (1, "nullable", Slot::Flag),
        (7, "example", Slot::Any),
        (9, "title", Slot::Text),
        (10, "multipleOf", Slot::Double),
        (11, "maximum", Slot::Double),
        (12, "exclusiveMaximum", Slot::Flag),
        (13, "minimum", Slot::Double),
        (14, "exclusiveMinimum", Slot::Flag),
        (15, "maxLength", Slot::Int),
        (16, "minLength", Slot::Int),
        (17, "pattern", Slot::Text),
        (18, "maxItems", Slot::Int),
        (19, "minItems", Slot::Int),
        (20, "uniqueItems", Slot::Flag),
        (21, "maxProperties", Slot::Int),
        (22, "minProperties", Slot::Int),
        (23, "required", Slot::Texts),
        (24, "enum", Slot::Anys),
        (25, "type", Slot::Text),
        (26, "allOf", Slot::Each(&A_SCHEMA)),
        (27, "oneOf", Slot::Each(&A_SCHEMA)),
        (28, "anyOf", Slot::Each(&A_SCHEMA)),
        (29, "not", Slot::One(&SCHEMA)),
        (30, "items", Slot::Within(1, &A_SCHEMA)),
        (31, "properties", Slot::Named(1, &A_SCHEMA)),
        (32, "additionalProperties", Slot::Additional(&A_SCHEMA)),
        (33, "default", Slot::Scalar),
        (34, "description", Slot::Text),
        (35, "format", Slot::Text),
    ],
    extensions: 36,
};
