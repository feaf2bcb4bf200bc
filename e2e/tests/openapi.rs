//! The API against its own OpenAPI document, with requests that schemathesis makes up from it: no server error, no answer of
//! a shape that the document does not name, and every refusal a `Status`.

use anyhow::{Context, Result, ensure};
use e2e::cluster::Images;
use e2e::{Cluster, Options, cluster};
use serde_json::Value;

/// Of each operation; all of them together take about a minute and a half.
const EXAMPLES: &str = "2";
/// Streams and what is behind a proxy are not JSON, and belong to others.
const NOT_ASKED: &str = "/(proxy|exec|attach|portforward|log)(/|$)";
const CHECKS: &str = "not_a_server_error,response_schema_conformance,content_type_conformance,refusals_are_statuses,\
                      deletions_answer_with_a_status_or_the_object";

/// All documents in one.
fn document(cluster: &Cluster) -> Result<Value> {
    let get = |path: &str| -> Result<Value> { Ok(serde_json::from_str(&cluster.kctl(&["get", "--raw", path])?)?) };
    let index = get("/openapi/v3")?;
    let groups = index["paths"].as_object().context("an index of paths")?;
    let mut whole = Value::Null;
    for group in groups.keys().filter(|group| group.contains('/')) {
        let part = get(&format!("/openapi/v3/{group}"))?;
        if whole.is_null() {
            whole = part;
            continue;
        }
        for at in ["/paths", "/components/schemas"] {
            let more = part.pointer(at).and_then(Value::as_object).cloned().unwrap_or_default();
            let all = whole.pointer_mut(at).and_then(Value::as_object_mut).context("a document of the same form")?;
            all.extend(more);
        }
    }
    Ok(whole)
}

#[test]
fn answers_are_what_the_openapi_document_says() -> Result<()> {
    let cluster = Cluster::start(Options { images: Images::None, ..Options::default() })?;
    let whole = document(&cluster)?;
    let paths = whole["paths"].as_object().map_or(0, serde_json::Map::len);
    ensure!(paths > 200, "the documents of all groups: {paths} paths");
    std::fs::write(cluster.scratch().join("openapi.json"), whole.to_string())?;
    let clients = cluster::root().join("e2e/clients");
    let at = |name: &str| clients.join(name).to_string_lossy().into_owned();
    let pki = |name: &str| cluster.data_dir().join("pki").join(name).to_string_lossy().into_owned();
    let program = cluster::root().join("target/clients/bin/schemathesis");
    ensure!(program.exists(), "{} is missing: run `make test-deps`", program.display());
    let mut command = cluster.client_command(
        &program.to_string_lossy(),
        &[
            "--config-file",
            &at("schemathesis.toml"),
            "run",
            "openapi.json",
            "--url=https://127.0.0.1:6443",
            "--tls-verify",
            &pki("ca.crt"),
            "--request-cert",
            &pki("admin.crt"),
            "--request-cert-key",
            &pki("admin.key"),
            "--checks",
            CHECKS,
            "--exclude-path-regex",
            NOT_ASKED,
            "--phases=fuzzing",
            "--max-examples",
            EXAMPLES,
            "--generation-deterministic",
            "--no-shrink",
            "--continue-on-failure",
            "--suppress-health-check=all",
            "--warnings=off",
            "--request-timeout=20",
            "--workers=2",
        ],
    );
    command.env("SCHEMATHESIS_HOOKS", "refusals").env("PYTHONPATH", &clients).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().context("cannot run schemathesis")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}");
    Ok(())
}
