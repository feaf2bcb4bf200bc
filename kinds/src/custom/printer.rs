//! Printer columns of custom resources: a JSONPath each, shown by the column's type.
//! k8s: apiextensions' table convertor

use super::path::JsonPath;
use super::structural::text;
use crate::age;
use crate::row::Column;
use jiff::Timestamp;
use serde_json::{Number, Value, json};
use std::borrow::Cow;

/// How a cell shows what its path leads to.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    path: Option<JsonPath>,
    show: Show,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Integer,
    Number,
    Boolean,
    Date,
    Text,
}

/// k8s: the text of ObjectMeta's field, shortened to what a column needs
const AGE_DESCRIPTION: &str = "Time since the object was created.";

/// The columns after the name, as the table declares them and as they are filled.
pub(super) fn columns(version: &Value) -> (Vec<Column>, Vec<Printer>) {
    let given = version.get("additionalPrinterColumns").and_then(Value::as_array);
    if let Some(columns) = given.filter(|columns| !columns.is_empty()) {
        return columns.iter().map(|column| (declared(column), Printer::of(column))).unzip();
    }
    let age = json!({"name": "Age", "type": "date", "description": AGE_DESCRIPTION,
        "jsonPath": ".metadata.creationTimestamp"});
    (vec![declared(&age)], vec![Printer::of(&age)])
}

fn declared(column: &Value) -> Column {
    let owned = |field: &str| Cow::Owned(text(column, field).to_owned());
    Column {
        name: owned("name"),
        kind: owned("type"),
        format: owned("format"),
        description: match text(column, "description") {
            "" => Cow::Owned(format!(
                "Custom resource definition column (in JSONPath format): {}",
                text(column, "jsonPath")
            )),
            text => Cow::Owned(text.to_owned()),
        },
        priority: column.get("priority").and_then(Value::as_i64).map_or(0, |priority| priority as i32),
        path: Some(owned("jsonPath")),
    }
}

impl Printer {
    fn of(column: &Value) -> Self {
        let show = match text(column, "type") {
            "integer" => Show::Integer,
            "number" => Show::Number,
            "boolean" => Show::Boolean,
            "date" => Show::Date,
            _ => Show::Text,
        };
        Self { path: JsonPath::parse(text(column, "jsonPath")).ok(), show }
    }

    /// The first value that the path leads to; null where there is none, or one of another type.
    pub(super) fn cell(&self, object: &Value, now_unix_secs: i64) -> Value {
        let found = self.path.as_ref().and_then(|path| path.find(object).into_iter().next());
        let Some(found) = found else { return Value::Null };
        match (self.show, found) {
            (Show::Integer, Value::Number(number)) => {
                number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)).map_or(Value::Null, Value::from)
            }
            (Show::Number, Value::Number(number)) => {
                number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
            }
            (Show::Boolean, Value::Bool(flag)) => Value::Bool(*flag),
            (Show::Date, Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(at) => Value::String(age::since(Some(at.as_second()), now_unix_secs)),
                Err(_) => Value::String("<invalid>".to_owned()),
            },
            (Show::Text, Value::String(text)) => Value::String(text.clone()),
            (Show::Text, Value::Null) | (Show::Integer | Show::Number | Show::Boolean | Show::Date, _) => Value::Null,
            (Show::Text, other) => Value::String(other.to_string()),
        }
    }
}
