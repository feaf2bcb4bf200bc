//! `-o custom-columns=NAME:.metadata.name,..`

use crate::jsonpath::{Missing, Template, plain};
use anyhow::{Result, bail};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub header: String,
    path: Template,
}

pub(crate) fn parse(spec: &str) -> Result<Vec<Column>> {
    let mut columns = vec![];
    for part in spec.split(',') {
        match part.split_once(':') {
            Some((header, path)) if !header.is_empty() && !path.is_empty() => {
                columns.push(Column { header: header.to_owned(), path: Template::relaxed(path)? });
            }
            _ => bail!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"),
        }
    }
    Ok(columns)
}

pub(crate) fn headers(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.header.clone()).collect()
}

pub(crate) fn row(columns: &[Column], object: &Value) -> Result<Vec<String>> {
    let cell = |column: &Column| -> Result<String> {
        let found = column.path.values(object, Missing::Empty)?;
        let cells: Vec<String> = found.into_iter().map(plain).collect();
        Ok(if cells.is_empty() { "<none>".to_owned() } else { cells.join(",") })
    };
    columns.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_come_from_paths() {
        let columns = parse("NAME:.metadata.name,IMAGES:spec.containers[*].image,X:{.x}").unwrap();
        let object = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"image": "i"}, {"image": "j"}]}});
        assert_eq!(row(&columns, &object).unwrap(), ["a", "i,j", "<none>"]);
    }
}
