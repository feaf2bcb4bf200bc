//! Manifests as the user gives them: files, folders, standard input; YAML or JSON, several documents, List objects.
//! It knows their form, not what the kinds in them mean.

use anyhow::{Result, anyhow, bail};
use kinds::schema::decode::untyped;
use kinds::yaml::{FLOW_DEPTH_MAX, flow, with_octals};
use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of one manifest. etcd-sized objects are 1.5 MiB; this leaves room for many in a file, and stops a wrong path
/// (a disk image, `/dev/zero`) from filling the memory.
const BYTES_MAX: u64 = 256 << 20;

/// An object of a manifest and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub source: String,
    pub object: Value,
}

impl Document {
    pub(crate) fn api_version(&self) -> &str {
        self.object["apiVersion"].as_str().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }
}

/// Reads every manifest that `-f` names; a manifest that cannot be read is an error in its place, after which the
/// others still count.
pub(crate) fn read(names: &[String], recursive: bool) -> Vec<Result<Document>> {
    let mut documents = vec![];
    for name in names {
        match files(name, recursive) {
            Err(error) => documents.push(Err(error)),
            Ok(files) => {
                for file in files {
                    match load(&file) {
                        Err(error) => documents.push(Err(error)),
                        Ok(text) => documents.extend(parse(&file, &text)),
                    }
                }
            }
        }
    }
    documents
}

/// The files that one `-f` names.
fn files(name: &str, recursive: bool) -> Result<Vec<String>> {
    if name.starts_with("http://") || name.starts_with("https://") {
        bail!("kctl does not fetch manifests from URLs; try `curl -L {name} | kctl apply -f -`");
    }
    if name == "-" || !Path::new(name).is_dir() {
        return Ok(vec![name.to_owned()]);
    }
    let mut found = vec![];
    folder(Path::new(name), recursive, &mut found)?;
    if found.is_empty() {
        bail!("no .yaml, .yml or .json file in \"{name}\"{}", if recursive { "" } else { " (-R looks into folders)" });
    }
    Ok(found)
}

fn folder(path: &Path, recursive: bool, found: &mut Vec<String>) -> Result<()> {
    let cannot = |error: std::io::Error| anyhow!("cannot read the folder \"{}\": {error}", path.display());
    let entries: Result<Vec<PathBuf>, _> =
        path.read_dir().map_err(cannot)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.map_err(cannot)?;
    entries.sort();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if entry.is_dir() {
            if recursive {
                folder(&entry, recursive, found)?;
            }
        } else if ["yaml", "yml", "json"].contains(&extension) {
            found.push(entry.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn load(name: &str) -> Result<String> {
    let mut text = String::new();
    let read = if name == "-" {
        let cannot = |error| anyhow!("cannot read standard input: {error}");
        std::io::stdin().take(BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?
    } else {
        // As a text: what a manifest's file fails with is that manifest's, and nothing that would end the command.
        let cannot = |error: std::io::Error| anyhow!("cannot read \"{name}\": {error}");
        let file = std::fs::File::open(name).map_err(cannot)?;
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?
    };
    anyhow::ensure!(read as u64 <= BYTES_MAX, "\"{name}\" is larger than {} MiB", BYTES_MAX >> 20);
    Ok(text)
}

/// The objects in a text.
pub(crate) fn parse(source: &str, text: &str) -> Vec<Result<Document>> {
    // Editors of another system begin UTF-8 with a byte order mark; it is no part of the first document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut objects = vec![];
    if text.trim_start().starts_with('{') {
        objects.extend(json(source, text));
    } else {
        for (first_line, part) in split(text) {
            match yaml(part) {
                Ok(Value::Null) => {}
                Ok(object) => objects.push(Ok(object)),
                Err(error) => {
                    objects.push(Err(anyhow!("cannot parse {source}: {}", at_line(&error, first_line))));
                }
            }
        }
    }
    objects.into_iter().flat_map(|object| checked(source, object)).collect()
}

/// JSON objects one after the other; a `{` may also begin a YAML flow mapping.
fn json(source: &str, text: &str) -> Vec<Result<Value>> {
    let mut parts = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut objects, mut begin) = (vec![], 0);
    while let Some(part) = parts.next() {
        if let Err(error) = part {
            return match yaml(text) {
                Ok(object) => vec![Ok(object)],
                Err(_) => vec![Err(anyhow!("cannot parse {source}: {error}"))],
            };
        }
        let end = parts.byte_offset();
        objects.push(json_object(text[begin..end].trim()).map_err(|why| anyhow!("cannot parse {source}: {why}")));
        begin = end;
    }
    objects
}

/// As for YAML, keys that are given twice are an error: one of them was meant to be another.
fn json_object(text: &str) -> Result<Value, String> {
    let (object, twice) = untyped(text.as_bytes()).map_err(|error| error.to_string())?;
    match twice.as_slice() {
        [] => Ok(object),
        twice => Err(format!("duplicate field \"{}\"", twice.join("\", \""))),
    }
}

/// The documents of a YAML text, each with the number of lines before it.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut parts = vec![];
    let (mut begin, mut begin_line, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- ") {
            parts.push((begin_line, &text[begin..at]));
            // What follows the marker on its line belongs to the document.
            begin = at + 3;
            begin_line = number;
        }
        at += line.len();
    }
    parts.push((begin_line, &text[begin..]));
    parts
}

/// YAML names lines from the document's begin; the user counts from the file's.
fn at_line(error: &serde_norway::Error, lines_before: usize) -> String {
    let text = error.to_string();
    let mut parts = text.split(" line ");
    let mut shifted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        match part[..digits].parse::<usize>() {
            Ok(line) => shifted.extend([" line ", &(line + lines_before).to_string(), &part[digits..]]),
            Err(_) => shifted.extend([" line ", part]),
        }
    }
    shifted
}

fn yaml(text: &str) -> Result<Value, serde_norway::Error> {
    use serde::de::Error as _;
    if flow(text.as_bytes()).deepest > FLOW_DEPTH_MAX {
        return Err(serde_norway::Error::custom(format!("more than {FLOW_DEPTH_MAX} brackets are open at once")));
    }
    let mut tree: serde_norway::Value = serde_norway::from_str(&with_octals(text))?;
    tree.apply_merge()?;
    to_json(tree).map_err(serde_norway::Error::custom)
}

/// YAML as JSON: keys become strings, tags are dropped.
fn to_json(tree: serde_norway::Value) -> Result<Value, String> {
    use serde_norway::Value as Yaml;
    Ok(match tree {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(number) => to_number(&number)?.into(),
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Yaml::Tagged(tagged) => to_json(tagged.value)?,
        Yaml::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, value) in mapping {
                let key = match to_json(key)? {
                    Value::String(key) => key,
                    Value::Bool(key) => key.to_string(),
                    Value::Number(key) => key.to_string(),
                    other => return Err(format!("a key must be a scalar, not {other}")),
                };
                object.insert(key, to_json(value)?);
            }
            Value::Object(object)
        }
    })
}

fn to_number(number: &serde_norway::Number) -> Result<Number, String> {
    let whole = number.as_i64().map(Number::from).or_else(|| number.as_u64().map(Number::from));
    whole
        .or_else(|| number.as_f64().and_then(Number::from_f64))
        .ok_or_else(|| format!("{number} is not a number that JSON can hold"))
}

/// Objects of a document: itself, or the items of a List.
fn checked(source: &str, object: Result<Value>) -> Vec<Result<Document>> {
    let object = match object {
        Ok(object) => object,
        Err(error) => return vec![Err(error)],
    };
    let missing: Vec<String> = ["apiVersion", "kind"]
        .iter()
        .filter(|key| object[**key].as_str().is_none_or(str::is_empty))
        .map(|key| format!("{key} not set"))
        .collect();
    if !missing.is_empty() {
        return vec![Err(anyhow!("cannot use {source}: {}", missing.join(", ")))];
    }
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match &object["items"] {
        Value::Array(items) if is_list => {
            items.iter().flat_map(|item| checked(source, Ok(of_list(item, &object)))).collect()
        }
        _ => vec![Ok(Document { source: source.to_owned(), object })],
    }
}

/// Items of a typed list (`PodList`) may leave out what the list says.
fn of_list(item: &Value, list: &Value) -> Value {
    let mut item = item.clone();
    let kind = list["kind"].as_str().unwrap_or_default().trim_end_matches("List");
    if item["kind"].is_null() && item.is_object() && !kind.is_empty() {
        item["kind"] = kind.into();
        item["apiVersion"] = list["apiVersion"].clone();
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let lines: Vec<String> = parse("a.yaml", text)
            .into_iter()
            .map(|document| match document {
                Ok(document) => document.object.to_string(),
                Err(error) => format!("{error:#}"),
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn documents_are_split_and_empty_ones_skipped() {
        check(
            "# nothing\n---\napiVersion: v1\nkind: A\n--- # next\nkind: B\napiVersion: v1\n---\n",
            &expect![[r#"
                {"apiVersion":"v1","kind":"A"}
                {"apiVersion":"v1","kind":"B"}"#]],
        );
        check(
            r#"{"apiVersion":"v1","kind":"A"}
{"apiVersion":"v1","kind":"B"}"#,
            &expect![[r#"
                {"apiVersion":"v1","kind":"A"}
                {"apiVersion":"v1","kind":"B"}"#]],
        );
    }

    #[test]
    fn lists_are_their_items() {
        check(
            "kind: PodList\napiVersion: v1\nitems: [{metadata: {name: a}}, {kind: X, apiVersion: y/v1}]",
            &expect![[r#"
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}
                {"apiVersion":"y/v1","kind":"X"}"#]],
        );
    }

    #[test]
    fn keys_become_strings_and_anchors_merge() {
        check(
            "kind: A\napiVersion: v1\ndata: &d {1: x, true: y}\nmore: {<<: *d, z: 0.5}",
            &expect![[
                r#"{"apiVersion":"v1","data":{"1":"x","true":"y"},"kind":"A","more":{"1":"x","true":"y","z":0.5}}"#
            ]],
        );
    }

    #[test]
    fn modes_of_files_are_octal() {
        check("kind: A\napiVersion: v1\nmode: 0640", &expect![[r#"{"apiVersion":"v1","kind":"A","mode":416}"#]]);
    }

    #[test]
    fn a_bad_document_is_named_with_its_line_and_the_others_stay() {
        check(
            "kind: A\napiVersion: v1\n---\nkind: B\nkind: B\n---\n\nfoo: [\n---\nkind: C\napiVersion: v1\n",
            &expect![[r#"
                {"apiVersion":"v1","kind":"A"}
                cannot parse a.yaml: duplicate entry with key "kind" at line 4 column 1
                cannot parse a.yaml: did not find expected node content at line 9 column 1, while parsing a flow node
                {"apiVersion":"v1","kind":"C"}"#]],
        );
        check("just text", &expect!["cannot use a.yaml: apiVersion not set, kind not set"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_manifest() {
        check("\u{feff}apiVersion: v1\nkind: A\n", &expect![[r#"{"apiVersion":"v1","kind":"A"}"#]]);
        check("\u{feff}{\"apiVersion\": \"v1\", \"kind\": \"A\"}", &expect![[r#"{"apiVersion":"v1","kind":"A"}"#]]);
    }

    #[test]
    fn a_key_given_twice_is_refused_in_json_as_in_yaml() {
        check(
            r#"{"apiVersion": "v1", "kind": "A"} {"apiVersion": "v1", "kind": "A", "data": {"a": 1, "a": 2}}"#,
            &expect![[r#"
                {"apiVersion":"v1","kind":"A"}
                cannot parse a.yaml: duplicate field "data.a""#]],
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_keep_the_others_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), b"\xff\xfe").unwrap();
        std::fs::create_dir(folder.path().join("b.d")).unwrap();
        std::fs::write(folder.path().join("c.yaml"), "apiVersion: v1\nkind: C\n").unwrap();
        let found = read(&[folder.path().to_string_lossy().into_owned(), "/no/such".to_owned()], false);
        assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
        // Of these, `Failures` ends a command at once.
        assert!(found.into_iter().filter_map(Result::err).all(|error| !error.is::<std::io::Error>()));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        for text in ["[".repeat(100_000), format!("{{\"a\":{}", "[".repeat(100_000))] {
            let read = parse("deep", &text);
            assert!(read.len() == 1 && read[0].is_err());
        }
    }
}
