//! Checks a JSON document against the part of JSON schema that UNO's own constraints use: type, enum, const, properties,
//! required, additionalProperties, items, the bounds of arrays, strings and numbers, anyOf and oneOf. Other keywords are
//! not checked; the embedded engine refuses them when it compiles the schema.

use serde_json::Value;

/// Checks an answer.
///
/// # Errors
/// The reason, in words, with the place in the document.
pub(crate) fn check(text: &str, schema: &Value) -> Result<(), String> {
    let document: Value = serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))?;
    validate(&document, schema, "$")
}

fn validate(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    if schema.as_bool() == Some(false) {
        return Err(format!("{at} is not allowed"));
    }
    if let Some(expected) = schema.get("const")
        && expected != value
    {
        return Err(format!("{at} is not {expected}"));
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        return Err(format!("{at} is none of {}", Value::from(choices.clone())));
    }
    for alternatives in ["anyOf", "oneOf"].iter().filter_map(|k| schema.get(k)?.as_array()) {
        if !alternatives.iter().any(|s| validate(value, s, at).is_ok()) {
            return Err(format!("{at} fits none of the alternatives"));
        }
    }
    if let Some(expected) = schema.get("type")
        && !types(expected).any(|t| is_type(value, t))
    {
        return Err(format!("{at} is not of type {expected}"));
    }
    match value {
        Value::Object(fields) => object(fields, schema, at),
        Value::Array(items) => {
            bounds(items.len() as f64, schema, ["minItems", "maxItems"], at)?;
            let Some(each) = schema.get("items") else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(i, item)| validate(item, each, &format!("{at}[{i}]")))
        }
        Value::String(text) => bounds(text.chars().count() as f64, schema, ["minLength", "maxLength"], at),
        Value::Number(number) => {
            number.as_f64().map_or(Ok(()), |n| bounds(n, schema, ["minimum", "maximum"], at))
        }
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn object(fields: &serde_json::Map<String, Value>, schema: &Value, at: &str) -> Result<(), String> {
    let required = schema.get("required").and_then(Value::as_array);
    if let Some(name) =
        required.into_iter().flatten().filter_map(Value::as_str).find(|n| !fields.contains_key(*n))
    {
        return Err(format!("{at}.{name} is missing"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let other = schema.get("additionalProperties");
    fields.iter().try_for_each(|(name, value)| {
        let at = format!("{at}.{name}");
        properties.and_then(|p| p.get(name)).or(other).map_or(Ok(()), |s| validate(value, s, &at))
    })
}

fn bounds(n: f64, schema: &Value, [least, most]: [&str; 2], at: &str) -> Result<(), String> {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    match (bound(least), bound(most)) {
        (Some(bound), _) if n < bound => Err(format!("{at} breaks {least} {bound}")),
        (_, Some(bound)) if n > bound => Err(format!("{at} breaks {most} {bound}")),
        _ => Ok(()),
    }
}

fn types(expected: &Value) -> impl Iterator<Item = &str> {
    let list = expected.as_array().map(Vec::as_slice).unwrap_or_default();
    expected.as_str().into_iter().chain(list.iter().filter_map(Value::as_str))
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let schema = json!({
            "type": "object", "required": ["rules", "score"], "additionalProperties": false,
            "properties": {
                "rules": {"type": "array", "maxItems": 2, "items": {"type": "string", "minLength": 2}},
                "score": {"type": "integer", "minimum": 1, "maximum": 10},
                "lang": {"enum": ["en", "zh"]},
                "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            },
        });
        let cases = [
            (r#"{"rules": ["be brief"], "score": 7, "lang": "en", "note": null}"#, ""),
            (r#"{"rules": [], "score": 7.0}"#, ""),
            (r#"{"rules": []}"#, "$.score is missing"),
            (r#"{"rules": [], "score": 11}"#, "$.score breaks maximum 10"),
            (r#"{"rules": [], "score": 0}"#, "$.score breaks minimum 1"),
            (r#"{"rules": [], "score": 1.5}"#, "$.score is not of type \"integer\""),
            (r#"{"rules": ["ab", "c"], "score": 1}"#, "$.rules[1] breaks minLength 2"),
            (r#"{"rules": ["ab", "cd", "ef"], "score": 1}"#, "$.rules breaks maxItems 2"),
            (r#"{"rules": [], "score": 1, "lang": "fr"}"#, "$.lang is none of [\"en\",\"zh\"]"),
            (r#"{"rules": [], "score": 1, "note": 4}"#, "$.note fits none of the alternatives"),
            (r#"{"rules": [], "score": 1, "more": 4}"#, "$.more is not allowed"),
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
        ];
        for (text, problem) in cases {
            assert_eq!(check(text, &schema).err().unwrap_or_default(), problem, "{text}");
        }
    }
}
