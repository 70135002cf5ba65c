//! MemoryBench's records: one test or training item of a data set, as its Hugging Face data set holds it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uno_types::{Lang, Message, Record, Role, Source};

use super::{MemoryBenchError, literal};

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Its dialogues are the logs.
    Train,
    /// Its queries are the questions.
    Test,
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Id within its data set, over both parts.
    pub test_idx: i64,
    /// The data set.
    pub data_set: String,
    /// The query: system turn, if any, and the user's.
    pub prompt: Vec<Message>,
    /// Language of prompts around it.
    pub lang: Lang,
    /// What its metrics compare with.
    pub info: Map<String, Value>,
    /// The simulated dialogue, in training items.
    pub dialog: Vec<Message>,
    /// Actions of the simulated user by turn: like, dislike, copy.
    pub actions: Vec<String>,
}

impl Item {
    /// The user's question.
    pub fn question(&self) -> &str {
        self.prompt.last().map_or("", |m| m.content.as_str())
    }

    /// A text among the gold data.
    pub fn gold(&self, key: &str) -> Option<&str> {
        self.info.get(key).and_then(Value::as_str)
    }

    /// The dialogue as a log record; `None` where there is none.
    pub fn record(&self) -> Option<Record> {
        (!self.dialog.is_empty()).then(|| Record {
            id: format!("{}-{}", self.data_set, self.test_idx),
            lang: self.lang,
            user: None,
            messages: self.dialog.clone(),
            accepted: Vec::new(),
            source: Source { file: self.data_set.clone(), line: 0, format: "memorybench".into() },
        })
    }
}

/// Reads items from JSON lines (or one JSON list), as the Hugging Face data set exports them. `system` names the memory
/// system whose dialogues are wanted where a data set holds one dialogue per system (`wo_memory`, `bm25`, …).
///
/// # Errors
/// The first row that cannot be read, with its number and what is wrong.
pub fn read_items(file: &str, text: &str, system: &str) -> Result<Vec<Item>, MemoryBenchError> {
    let rows: Vec<(usize, Value)> = if text.trim_start().starts_with('[') {
        let list: Vec<Value> = serde_json::from_str(text)
            .map_err(|e| MemoryBenchError::file(file, format!("not a JSON list of rows: {e}")))?;
        list.into_iter().enumerate().map(|(i, row)| (i + 1, row)).collect()
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parse = |(i, line): (usize, &str)| match serde_json::from_str(line) {
            Ok(row) => Ok((i + 1, row)),
            Err(e) => Err(MemoryBenchError::file(file, format!("line {}: {e}", i + 1))),
        };
        lines.map(parse).collect::<Result<_, _>>()?
    };
    let item = |(number, row): (usize, Value)| {
        item(row, system).map_err(|reason| MemoryBenchError::file(file, format!("row {number}: {reason}")))
    };
    rows.into_iter().map(item).collect()
}

fn item(row: Value, system: &str) -> Result<Item, String> {
    let Value::Object(mut row) = row else { return Err("no object".into()) };
    let test_idx =
        row.get("test_idx").and_then(Value::as_i64).ok_or("`test_idx` is missing or no integer")?;
    let data_set = row.get("dataset_name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if data_set.is_empty() {
        return Err("`dataset_name` is missing".into());
    }
    let prompt =
        match (taken(&mut row, "input_chat_messages"), row.get("input_prompt").and_then(Value::as_str)) {
            (Some(messages), _) => turns(messages).map_err(|e| format!("`input_chat_messages`: {e}"))?,
            (None, Some(text)) => vec![Message::user(text)],
            (None, None) => return Err("neither `input_prompt` nor `input_chat_messages`".into()),
        };
    if prompt.last().is_none_or(|m| m.role != Role::User) {
        return Err("the query does not end with a user's turn".into());
    }
    let lang = match row.get("lang").and_then(Value::as_str) {
        Some("zh") => Lang::Zh,
        _ => Lang::En,
    };
    let info = match taken(&mut row, "info") {
        Some(Value::Object(info)) => info,
        None => Map::new(),
        Some(_) => return Err("`info` is no dictionary".into()),
    };
    let own = |name: &str| format!("{name}_{system}");
    let dialog = taken(&mut row, "dialog").or_else(|| taken(&mut row, &own("dialog")));
    let dialog = dialog.map(turns).transpose().map_err(|e| format!("`dialog`: {e}"))?.unwrap_or_default();
    let feedback =
        taken(&mut row, "implicit_feedback").or_else(|| taken(&mut row, &own("implicit_feedback")));
    Ok(Item { test_idx, data_set, prompt, lang, info, dialog, actions: actions(feedback.as_ref()) })
}

/// A column's value; texts are read as Python literals, then as JSON, and otherwise stay texts. Null counts as missing.
fn taken(row: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let value = match row.remove(name)? {
        Value::String(text) => {
            literal::parse(&text).or_else(|_| serde_json::from_str(&text)).unwrap_or(Value::String(text))
        }
        other => other,
    };
    (!value.is_null()).then_some(value)
}

fn turns(value: Value) -> Result<Vec<Message>, String> {
    serde_json::from_value(value).map_err(|e| format!("no list of {{role, content}}: {e}"))
}

/// The simulated user's actions: writers call the field `implicit_action` (one text), readers `implicit_actions` (a list).
fn actions(feedback: Option<&Value>) -> Vec<String> {
    let rounds = feedback.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts =
        rounds.iter().flat_map(|round| match (&round["implicit_actions"], &round["implicit_action"]) {
            (Value::Array(list), _) => list.clone(),
            (_, one) => vec![one.clone()],
        });
    let texts = texts.filter_map(|v| v.as_str().map(str::to_owned));
    texts.filter(|action| action != "none").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_as_the_data_set_holds_them() {
        let row = json!({
            "test_idx": 7, "dataset_name": "JuDGE", "lang": "zh", "input_prompt": null,
            "input_chat_messages": "[{'role': 'system', 'content': '你是'}, {'role': 'user', 'content': '案件'}]",
            "info": "{'golden_answer': \"it's\", 'n': None}",
            "dialog": "[{'role': 'user', 'content': 'q'}, {'role': 'assistant', 'content': 'a'}, {'role': 'user', 'content': 'f'}]",
            "implicit_feedback": "[{'round': 1, 'terminated': False, 'implicit_action': 'dislike'}, {'implicit_actions': ['like', 'none']}]",
        });
        let items = read_items("f", &row.to_string(), "wo_memory").unwrap();
        let item = &items[0];
        assert_eq!(
            (item.question(), item.gold("golden_answer"), item.lang),
            ("案件", Some("it's"), Lang::Zh)
        );
        assert_eq!(item.actions, ["dislike", "like"]);
        assert_eq!(item.record().unwrap().feedback(), "1. f");
    }

    #[test]
    fn a_corpus_row_has_a_dialogue_per_system() {
        let row = json!({"test_idx": 1, "dataset_name": "Locomo-0", "input_prompt": "q", "dialog_bm25":
            [{"role": "user", "content": "by bm25"}], "dialog_mem0": [{"role": "user", "content": "by mem0"}]});
        let text = format!("[{row}]");
        assert_eq!(read_items("f", &text, "mem0").unwrap()[0].dialog[0].content, "by mem0");
        assert!(read_items("f", &text, "a_mem").unwrap()[0].dialog.is_empty());
    }

    #[test]
    fn bad_rows_are_named() {
        for (row, part) in [
            ("{\"dataset_name\": \"X\", \"input_prompt\": \"q\"}", "test_idx"),
            ("{\"test_idx\": 1, \"input_prompt\": \"q\"}", "dataset_name"),
            ("{\"test_idx\": 1, \"dataset_name\": \"X\"}", "input_prompt"),
            ("{\"test_idx\": 1, \"dataset_name\": \"X\", \"input_chat_messages\": \"[]\"}", "user's turn"),
            (
                "{\"test_idx\": 1, \"dataset_name\": \"X\", \"input_prompt\": \"q\", \"dialog\": \"[1]\"}",
                "dialog",
            ),
            ("nonsense", "line 2"),
        ] {
            let error = read_items("f", &format!("\n{row}"), "").unwrap_err().to_string();
            assert!(error.contains(part) && error.contains('2'), "{error}");
        }
    }
}
