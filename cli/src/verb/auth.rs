//! `auth can-i` and `auth whoami`: reviews that the server answers.

use crate::failure::Exit;
use crate::low;
use crate::print::{Format, grid};
use crate::resource;
use crate::session::Session;
use anyhow::{Context, Result};
use serde_json::{Value, json};

const AUTHORIZATION: &str = "authorization.k8s.io";

pub(super) async fn can_i(session: &Session, typed: &low::CanI) -> Result<()> {
    if typed.list {
        return list(session).await;
    }
    let verb = typed.verb.as_deref().context("you must name a verb")?;
    let word = typed.resource.as_deref().context("you must name a resource")?;
    let mut review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"});
    if word.starts_with('/') {
        review["spec"]["nonResourceAttributes"] = json!({"verb": verb, "path": word});
    } else {
        let (word, of_word) = word.split_once('/').map_or((word, None), |(word, name)| (word, Some(name)));
        let mut attributes = json!({"verb": verb});
        let mut namespaced = true;
        if let Ok(resource) = resource::find(&session.server, word).await {
            attributes["group"] = resource.group.clone().into();
            attributes["resource"] = resource.plural.clone().into();
            namespaced = resource.namespaced;
        } else {
            session.screen.note(&format!("Warning: the server doesn't have a resource type '{word}'"))?;
            attributes["resource"] = word.into();
        }
        if namespaced && !typed.all_namespaces {
            attributes["namespace"] = session.namespace.clone().into();
        }
        if let Some(name) = of_word.or(typed.name.as_deref()) {
            attributes["name"] = name.into();
        }
        if let Some(subresource) = &typed.subresource {
            attributes["subresource"] = subresource.as_str().into();
        }
        review["spec"]["resourceAttributes"] = attributes;
    }
    let path = resource::known(AUTHORIZATION, "selfsubjectaccessreviews").path(None);
    let answer = session.server.post(&path, &review).await?;
    let status = &answer["status"];
    let allowed = status["allowed"] == true;
    if !typed.quiet {
        let mut text = if allowed { "yes" } else { "no" }.to_owned();
        if let Some(reason) = status["reason"].as_str().filter(|reason| !reason.is_empty() && !allowed) {
            text.extend([" - ", reason]);
        }
        session.screen.line(&text)?;
    }
    if allowed { Ok(()) } else { Err(Exit(1).into()) }
}

async fn list(session: &Session) -> Result<()> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": session.namespace},
    });
    let path = resource::known(AUTHORIZATION, "selfsubjectrulesreviews").path(None);
    let answer = session.server.post(&path, &review).await?;
    let joined = |value: &Value| {
        let texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        format!("[{}]", texts.join(" "))
    };
    let mut rows = vec![["Resources", "Non-Resource URLs", "Resource Names", "Verbs"].map(str::to_owned).to_vec()];
    for rule in answer["status"]["resourceRules"].as_array().into_iter().flatten() {
        let groups: Vec<&str> = rule["apiGroups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for resource in rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            for group in &groups {
                let name = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
                rows.push(vec![name, "[]".to_owned(), joined(&rule["resourceNames"]), joined(&rule["verbs"])]);
            }
        }
    }
    for rule in answer["status"]["nonResourceRules"].as_array().into_iter().flatten() {
        rows.push(vec![String::new(), joined(&rule["nonResourceURLs"]), "[]".to_owned(), joined(&rule["verbs"])]);
    }
    Ok(session.screen.text(&(grid::lines(&rows).join("\n") + "\n"))?)
}

pub(super) async fn who_am_i(session: &Session, format: &low::Format) -> Result<()> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = resource::known("authentication.k8s.io", "selfsubjectreviews").path(None);
    let answer = session.server.post(&path, &review).await?;
    if let Some(text) = format.output.as_deref() {
        return super::show_tree(session, Some(&Format::parse(Some(text))?), &answer);
    }
    let user = &answer["status"]["userInfo"];
    let mut rows = vec![vec!["ATTRIBUTE".to_owned(), "VALUE".to_owned()]];
    let mut row = |title: &str, value: String| rows.push(vec![title.to_owned(), value]);
    row("Username", user["username"].as_str().unwrap_or_default().to_owned());
    if let Some(uid) = user["uid"].as_str().filter(|uid| !uid.is_empty()) {
        row("UID", uid.to_owned());
    }
    let texts = |value: &Value| {
        let texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        format!("[{}]", texts.join(" "))
    };
    if user["groups"].is_array() {
        row("Groups", texts(&user["groups"]));
    }
    for (key, value) in user["extra"].as_object().into_iter().flatten() {
        row(&format!("Extra: {key}"), texts(value));
    }
    Ok(session.screen.text(&(grid::lines(&rows).join("\n") + "\n"))?)
}
