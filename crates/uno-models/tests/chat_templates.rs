//! Chat templates against Jinja itself: templates in the manner of the common model families, rendered by Python's jinja2 in
//! the environment of transformers (`fixtures/chat_templates.py`). Exact.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a test's report")]

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use uno_models::{ChatTemplate, ModelsError};
use uno_types::Message;

/// A directory's template in `tokenizer_config.json`, in the long form of special tokens.
fn in_config(dir: &Path, template: &Value) -> ChatTemplate {
    let config = json!({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": template});
    std::fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
    ChatTemplate::from_dir(dir).unwrap()
}

#[test]
fn texts_are_those_of_jinja() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/chat_templates.json")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let rows = golden["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 48);
    for row in rows {
        let name = row["template"].as_str().unwrap();
        let template = in_config(dir.path(), &golden["templates"][name]);
        let messages =
            Vec::<Message>::deserialize(&golden["messages"][row["messages"].as_str().unwrap()]).unwrap();
        let found = template.render(&messages, row["add_generation_prompt"].as_bool().unwrap());
        match row["text"].as_str() {
            Some(expected) => assert_eq!(found.unwrap(), expected, "{name} {}", row["messages"]),
            None => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(row["error"].as_str().unwrap()), "{error}");
            }
        }
    }
}

#[test]
fn the_source_is_found_wherever_hugging_face_puts_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(ChatTemplate::from_dir(dir.path()), Err(ModelsError::Template(_))));
    let plain = in_config(dir.path(), &json!("A{{ bos_token }}"));
    let named = in_config(
        dir.path(),
        &json!([{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]),
    );
    assert_eq!(plain.render(&[], false).unwrap(), "A<s>");
    assert_eq!(named.render(&[], false).unwrap(), "D");
    assert_ne!(plain.hash(), named.hash());
    // The file of its own wins.
    std::fs::write(dir.path().join("chat_template.jinja"), "J").unwrap();
    let file = ChatTemplate::from_dir(dir.path()).unwrap();
    assert_eq!(file.render(&[], false).unwrap(), "J");
    assert_eq!(file.hash(), ChatTemplate::from_dir(dir.path()).unwrap().hash());
}

#[test]
fn a_template_that_is_no_jinja_is_an_error_with_its_place() {
    let error = ChatTemplate::from_source("a\nb {% if %}").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    let template = ChatTemplate::from_source("{{ messages.nothing.there }}").unwrap();
    assert!(matches!(template.render(&[], true), Err(ModelsError::Template(_))));
}

#[test]
fn the_date_is_formatted_as_python_does() {
    let template = ChatTemplate::from_source("{{ strftime_now('%d %b %Y') }}").unwrap();
    let date = template.render(&[], false).unwrap();
    let parts: Vec<&str> = date.split(' ').collect();
    assert!(
        matches!(parts[..], [day, month, year] if day.len() == 2 && month.len() == 3 && year.len() == 4),
        "{date}"
    );
}
