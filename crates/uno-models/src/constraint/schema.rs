//! A schema made as narrow as a small model needs it.

use serde_json::{Value, json};

/// Narrows `schema`; every document of the result is one of `schema`.
///
/// JSON Schema lets an object have any further property and any white space between tokens. A small model takes both
/// as an invitation to ramble until the token limit. So objects that list their properties get no others, separators
/// are fixed to `", "` and `": "` (what `json.dumps` writes, and models have seen most), and `\u` escapes are not
/// offered: half a surrogate pair is no valid JSON. A schema's own `x-guidance` wins.
pub(super) fn tighten(mut schema: Value) -> Value {
    close_objects(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.entry("x-guidance").or_insert_with(|| {
            json!({
                "whitespace_flexible": false,
                "item_separator": ", ",
                "key_separator": ": ",
                "json_allowed_escapes": "nrbtf\"\\",
            })
        });
    }
    schema
}

/// Adds `"additionalProperties": false` where properties are listed. Left alone where another keyword beside it
/// contributes properties: closing one side would reject those of the other.
fn close_objects(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    let composed =
        ["allOf", "anyOf", "oneOf", "$ref", "if", "patternProperties"].iter().any(|k| map.contains_key(*k));
    if map.contains_key("properties") && !composed {
        map.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for key in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(children)) = map.get_mut(key) {
            children.values_mut().for_each(close_objects);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = map.get_mut(key) {
            close_objects(child);
        }
    }
    // Alternatives are whole schemas unless the parent has properties of its own.
    let own = map.contains_key("properties") || map.contains_key("allOf");
    for key in ["prefixItems", "anyOf", "oneOf"] {
        if let Some(Value::Array(children)) = map.get_mut(key)
            && (key == "prefixItems" || !own)
        {
            children.iter_mut().for_each(close_objects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_unless_composed() {
        let tight = tighten(json!({
            "type": "object",
            "properties": {
                "rules": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "open": {"properties": {}, "additionalProperties": true},
                "both": {"properties": {"x": {}}, "allOf": [{"properties": {"y": {}}}]},
            },
        }));
        assert_eq!(tight["additionalProperties"], json!(false));
        assert_eq!(tight["properties"]["rules"]["items"]["additionalProperties"], json!(false));
        assert_eq!(tight["properties"]["open"]["additionalProperties"], json!(true));
        assert!(tight["properties"]["both"].get("additionalProperties").is_none());
        assert!(tight["properties"]["both"]["allOf"][0].get("additionalProperties").is_none());
        assert_eq!(tight["x-guidance"]["whitespace_flexible"], json!(false));
    }
}
