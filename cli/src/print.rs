//! The forms of output: `-o` parsed once, and objects or the server's tables written in that form.

pub(crate) mod custom;
pub(crate) mod grid;
pub(crate) mod table;
pub(crate) mod tree;

use crate::jsonpath::Template;
use anyhow::{Context, Result, bail};

/// How results are shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    /// The server's table.
    Table {
        wide: bool,
    },
    Yaml,
    Json,
    Name,
    JsonPath(Template),
    CustomColumns(Vec<custom::Column>),
}

impl Format {
    /// `-o` as typed.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Format::Table { wide: false }) };
        let (name, argument) = text.split_once('=').map_or((text, None), |(name, argument)| (name, Some(argument)));
        Ok(match (name, argument) {
            ("wide", None) => Format::Table { wide: true },
            ("yaml", None) => Format::Yaml,
            ("json", None) => Format::Json,
            ("name", None) => Format::Name,
            ("jsonpath", Some(template)) => Format::JsonPath(Template::parse(template)?),
            ("jsonpath-file", Some(file)) => {
                let template = std::fs::read_to_string(file).with_context(|| format!("cannot read \"{file}\""))?;
                Format::JsonPath(Template::parse(&template)?)
            }
            ("custom-columns", Some(spec)) => Format::CustomColumns(custom::parse(spec)?),
            ("jsonpath" | "jsonpath-file" | "custom-columns", None) => bail!("-o {name} needs a value: -o {name}=.."),
            _ => bail!(
                "unable to match a printer suitable for the output format \"{text}\", allowed formats are: custom-columns=, json, jsonpath=, jsonpath-file=, name, wide, yaml"
            ),
        })
    }

    /// Whether objects themselves are needed, not a table of them.
    pub(crate) fn needs_objects(&self) -> bool {
        !matches!(self, Format::Table { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_formats_are_parsed_once() {
        assert_eq!(Format::parse(None).unwrap(), Format::Table { wide: false });
        assert_eq!(Format::parse(Some("wide")).unwrap(), Format::Table { wide: true });
        assert!(matches!(Format::parse(Some("jsonpath={.a}")).unwrap(), Format::JsonPath(_)));
        assert!(matches!(Format::parse(Some("custom-columns=A:.a")).unwrap(), Format::CustomColumns(_)));
        for bad in ["jsonpath", "xml", "yaml=x", "jsonpath={.a", "custom-columns=A"] {
            assert!(Format::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
