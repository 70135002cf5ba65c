use proptest::prelude::*;
use serde_json::{Value, json};
use uno_types::Sampling;

use super::*;
use crate::sampling;

/// 256 bytes, some longer tokens, an end token and another special one.
fn vocabulary() -> Vocabulary {
    let mut bytes: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    for word in ["\", \"", "\": ", "{\"", "\"}", "ab", "abc", "é", "rules", " a", "\"]}", "true", "12"] {
        bytes.push(Some(word.as_bytes().to_vec()));
    }
    bytes.push(None);
    bytes.push(None);
    let end = bytes.len() as u32 - 1;
    let greedy: Vec<Vec<u8>> = bytes.iter().flatten().cloned().collect();
    Vocabulary {
        bytes,
        ends: vec![end],
        encode: Box::new(move |text| {
            let mut rest = text.as_bytes();
            let mut ids = Vec::new();
            while !rest.is_empty() {
                let (id, word) = greedy
                    .iter()
                    .enumerate()
                    .filter(|(_, word)| rest.starts_with(word))
                    .max_by_key(|(_, word)| word.len())
                    .unwrap();
                ids.push(id as u32);
                rest = &rest[word.len()..];
            }
            ids
        }),
    }
}

fn bytes_of(id: u32) -> Vec<u8> {
    vocabulary().bytes[id as usize].clone().unwrap()
}

/// Generates from pseudo-random logits; returns the text, whether it finished, and how many tokens were forced.
fn generate(constraints: &Constraints, schema: &Value, seed: u64, limit: usize) -> (Vec<u8>, bool, usize) {
    let mut grammar = constraints.start(&Constraint::JsonSchema(schema.clone())).unwrap();
    let vocabulary = vocabulary();
    let end = vocabulary.ends[0];
    let mut text = Vec::new();
    let mut forced_count = 0;
    let mut tokens = 0;
    while tokens < limit {
        let forced = grammar.forced().unwrap();
        forced_count += forced.len();
        tokens += forced.len();
        forced.iter().for_each(|&id| text.extend(bytes_of(id)));
        if grammar.is_finished() {
            return (text, true, forced_count);
        }
        let logits: Vec<f32> = (0..vocabulary.bytes.len() as u64)
            .map(|i| (seed ^ i.wrapping_mul(0x9e37_79b9)) as u8 as f32 * 0.01)
            .collect();
        let mask = grammar.mask().unwrap();
        let settings = Sampling { temperature: 1.0, top_p: 0.95, seed };
        let token = sampling::draw(&logits, Some(&mask), &settings, tokens as u64, false).unwrap().token;
        tokens += 1;
        if token == end {
            return (text, true, forced_count);
        }
        grammar.accept(token).unwrap();
        text.extend(bytes_of(token));
        if grammar.is_finished() {
            return (text, true, forced_count);
        }
    }
    (text, false, forced_count)
}

#[test]
fn fixed_parts_are_forced_and_bounds_are_kept() {
    let constraints = Constraints::new(vocabulary()).unwrap();
    let schema = json!({
        "type": "object",
        "properties": {
            "rules": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 12}, "maxItems": 3},
        },
        "required": ["rules"],
    });
    for seed in 0..40 {
        let (text, finished, forced) = generate(&constraints, &schema, seed, 500);
        assert!(finished, "{}", String::from_utf8_lossy(&text));
        assert!(forced >= 2, "{forced}");
        let value: Value = serde_json::from_slice(&text).unwrap();
        let rules = value["rules"].as_array().unwrap();
        assert!(rules.len() <= 3);
        assert!(rules.iter().all(|r| (1..=12).contains(&r.as_str().unwrap().chars().count())), "{value}");
        assert_eq!(value.as_object().unwrap().len(), 1);
    }
}

#[test]
fn a_schema_that_cannot_be_held_to_is_an_error() {
    let constraints = Constraints::new(vocabulary()).unwrap();
    let error = constraints.start(&Constraint::JsonSchema(json!({"type": "sculpture"}))).err().unwrap();
    assert!(matches!(error, ModelsError::Schema(_)), "{error}");
}

#[test]
fn a_vocabulary_without_end_is_refused() {
    let without = Vocabulary { ends: vec![], ..vocabulary() };
    assert!(matches!(Constraints::new(without), Err(ModelsError::Schema(_))));
    let outside = Vocabulary { ends: vec![9999], ..vocabulary() };
    assert!(matches!(Constraints::new(outside), Err(ModelsError::Schema(_))));
}

/// Schemas as the method's stages use them, nested at random.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0usize..3, 3usize..9).prop_map(|(a, b)| json!({"type": "string", "minLength": a, "maxLength": b})),
        Just(json!({"type": "boolean"})),
        (1..10i64).prop_map(|max| json!({"type": "integer", "minimum": 0, "maximum": max})),
        Just(json!({"enum": ["yes", "no", "né\"e"]})),
        Just(json!({"type": "null"})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..2, 2usize..4).prop_map(
                |(items, a, b)| json!({"type": "array", "items": items, "minItems": a, "maxItems": b})
            ),
            prop::collection::btree_map("[a-z]{1,6}", inner.clone(), 1..4).prop_map(|properties| {
                let required: Vec<&String> = properties.keys().collect();
                json!({"type": "object", "properties": properties, "required": required})
            }),
            prop::collection::vec(inner, 2..3).prop_map(|any| json!({"anyOf": any})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_schemas_give_documents_that_fulfil_them(schema in schema(), seed in any::<u64>()) {
        let constraints = Constraints::new(vocabulary()).unwrap();
        let (text, finished, _) = generate(&constraints, &schema, seed, 3000);
        prop_assert!(finished, "{}", String::from_utf8_lossy(&text));
        let value: Value = serde_json::from_slice(&text).map_err(|e| TestCaseError::fail(format!("{e}: {text:?}")))?;
        prop_assert!(jsonschema::is_valid(&schema, &value), "{value} is not {schema}");
    }
}
