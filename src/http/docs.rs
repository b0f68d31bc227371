//! The contract as a page for people, made from the description for machines. No script, no other host.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::OpenApi;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
    code,pre{font:14px/1.4 ui-monospace,monospace}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}\
    td,th{border-bottom:1px solid #8884;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}\
    summary{cursor:pointer;padding:.4rem 0;font-weight:600}details{border-top:1px solid #8886}.m{display:inline-block;width:4rem}";

/// Nothing runs here, and no style but ours is followed, whatever a description may say.
pub fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'")
}

pub fn page(description: &OpenApi) -> String {
    let api = serde_json::to_value(description).unwrap_or_default();
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>em-metrics API</title><style>{STYLE}</style><h1>em-metrics {}</h1><p>{}</p>\
         <p>For machines: <a href=openapi.json>openapi.json</a>. Every path is also served under <code>/api/v1</code>.</p>",
        escape(text(&api, "/info/version")),
        escape(text(&api, "/info/description")),
    );
    let mut tag = "";
    for (path, item) in object(&api, "/paths") {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let group = text(operation, "/tags/0");
            if group != tag {
                let _ = write!(html, "<h2>{}</h2>", escape(group));
                tag = group;
            }
            self::operation(&mut html, &api, path, method, operation);
        }
    }
    html
}

fn operation(html: &mut String, api: &Value, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        html,
        "<details id=\"{}\"><summary><code><span class=m>{}</span> {}</code> &ensp; {}</summary><p>{}</p>",
        escape(text(operation, "/operationId")),
        method.to_uppercase(),
        escape(path),
        escape(text(operation, "/summary")),
        escape(text(operation, "/description")),
    );
    let parameters: Vec<_> = array(operation, "/parameters").collect();
    if !parameters.is_empty() {
        html.push_str("<h4>Parameters</h4><table>");
        for parameter in parameters {
            let (name, place, about) =
                (text(parameter, "/name"), text(parameter, "/in"), text(parameter, "/description"));
            let _ = write!(html, "<tr><td><code>{}</code><td>{}<td>{}", escape(name), escape(place), escape(about));
        }
        html.push_str("</table>");
    }
    if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
        html.push_str("<h4>Body</h4>");
        schema_table(html, resolve(api, schema));
    }
    html.push_str("<h4>Answers</h4><table>");
    for (status, response) in object(operation, "/responses") {
        let schema = response.pointer("/content").and_then(Value::as_object).and_then(|c| c.values().next());
        let schema = schema.and_then(|content| content.get("schema")).map(type_name).unwrap_or_default();
        let about = escape(text(response, "/description"));
        let _ = write!(html, "<tr><td><code>{}</code><td>{}<td>{about}", escape(status), escape(&schema));
    }
    html.push_str("</table></details>");
}

fn schema_table(html: &mut String, schema: &Value) {
    let required: Vec<_> = array(schema, "/required").filter_map(Value::as_str).collect();
    html.push_str("<table>");
    for (name, property) in object(schema, "/properties") {
        let mark = if required.contains(&name.as_str()) { "required" } else { "" };
        let about = escape(text(property, "/description"));
        let _ = write!(
            html,
            "<tr><td><code>{}</code><td>{}<td>{mark}<td>{about}",
            escape(name),
            escape(&type_name(property))
        );
    }
    html.push_str("</table>");
}

fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    };
    match (name.as_str(), schema.get("items")) {
        ("array", Some(items)) => format!("list of {}", type_name(items)),
        _ => name,
    }
}

fn resolve<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| api.pointer(pointer)).unwrap_or(schema)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn object<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
