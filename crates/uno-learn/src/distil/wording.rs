//! The one way in which each checkable rule is worded, so that twenty ways of asking give one text.

use uno_types::{Check, Lang};

/// The rule that `check` checks, as a short instruction.
pub fn wording(check: &Check, lang: Lang) -> String {
    match lang {
        Lang::En => english(check),
        Lang::Zh => chinese(check),
    }
}

fn english(check: &Check) -> String {
    let s = |n: &usize| if *n == 1 { "" } else { "s" };
    match check {
        Check::MaxWords { max } => format!("Answer in at most {max} words."),
        Check::MinWords { min } => format!("Answer in at least {min} words."),
        Check::MaxSentences { max } => format!("Answer in at most {max} sentence{}.", s(max)),
        Check::Sentences { count } => format!("Answer in exactly {count} sentence{}.", s(count)),
        Check::Paragraphs { count } => format!("Answer in exactly {count} paragraph{}.", s(count)),
        Check::NumberedList => "Use a numbered list.".into(),
        Check::BulletList => "Use a bullet list.".into(),
        Check::ListItems { count } => format!("Use a list of exactly {count} items."),
        Check::NoList => "Do not use a list.".into(),
        Check::NoBulletList => "Do not use a bullet list.".into(),
        Check::NoEmoji => "Do not use emoji.".into(),
        Check::Table => "Use a table.".into(),
        Check::Code => "Show the code in a code block.".into(),
        Check::CodeFirst => "Start with the code block.".into(),
        Check::NoCode => "Do not show code.".into(),
        Check::Json => "Answer in JSON only.".into(),
        Check::StartsWith { text } => format!("Start with \"{text}\"."),
        Check::EndsWith { text } => format!("End with \"{text}\"."),
        Check::Contains { text } => format!("Mention \"{text}\"."),
        Check::Excludes { text } => format!("Do not mention \"{text}\"."),
        Check::LowerCase => "Write everything in lower case.".into(),
        Check::UpperCase => "Write everything in upper case.".into(),
        Check::EndsWithQuestion => "End with a question.".into(),
        Check::Chinese => "Answer in Chinese.".into(),
        Check::English => "Answer in English.".into(),
        Check::All { checks } => checks.iter().map(english).collect::<Vec<_>>().join(" "),
    }
}

fn chinese(check: &Check) -> String {
    match check {
        Check::MaxWords { max } => format!("回答最多{max}个字。"),
        Check::MinWords { min } => format!("回答至少{min}个字。"),
        Check::MaxSentences { max } => format!("回答最多{max}句话。"),
        Check::Sentences { count } => format!("回答正好{count}句话。"),
        Check::Paragraphs { count } => format!("回答正好{count}段。"),
        Check::NumberedList => "使用编号列表。".into(),
        Check::BulletList => "使用项目符号列表。".into(),
        Check::ListItems { count } => format!("列表正好{count}项。"),
        Check::NoList => "不要使用列表。".into(),
        Check::NoBulletList => "不要使用项目符号列表。".into(),
        Check::NoEmoji => "不要使用表情符号。".into(),
        Check::Table => "使用表格。".into(),
        Check::Code => "用代码块给出代码。".into(),
        Check::CodeFirst => "先给出代码块。".into(),
        Check::NoCode => "不要给出代码。".into(),
        Check::Json => "只用JSON回答。".into(),
        Check::StartsWith { text } => format!("以“{text}”开头。"),
        Check::EndsWith { text } => format!("以“{text}”结尾。"),
        Check::Contains { text } => format!("提到“{text}”。"),
        Check::Excludes { text } => format!("不要提到“{text}”。"),
        Check::LowerCase => "全部使用小写字母。".into(),
        Check::UpperCase => "全部使用大写字母。".into(),
        Check::EndsWithQuestion => "以问句结尾。".into(),
        Check::Chinese => "用中文回答。".into(),
        Check::English => "用英文回答。".into(),
        Check::All { checks } => checks.iter().map(chinese).collect(),
    }
}
