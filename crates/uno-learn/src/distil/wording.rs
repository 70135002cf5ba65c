//! The one way in which each checkable rule is worded, so that twenty ways of asking give one text.

use uno_types::{Check, Lang};

use crate::check::language;

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
        Check::MinSentences { min } => format!("Answer in at least {min} sentence{}.", s(min)),
        Check::MaxParagraphs { max } => format!("Answer in at most {max} paragraph{}.", s(max)),
        Check::MinParagraphs { min } => format!("Answer in at least {min} paragraph{}.", s(min)),
        Check::MaxChars { max } => format!("Answer in at most {max} characters."),
        Check::MinChars { min } => format!("Answer in at least {min} characters."),
        Check::MaxListItems { max } => format!("Use a list of at most {max} items."),
        Check::MinListItems { min } => format!("Use a list of at least {min} items."),
        Check::NoNumberedList => "Do not use a numbered list.".into(),
        Check::NoTable => "Do not use a table.".into(),
        Check::Headings { min: 1 } => "Use a heading.".into(),
        Check::Headings { min } => format!("Use at least {min} headings."),
        Check::NoHeadings => "Do not use headings.".into(),
        Check::NoMarkdown => "Do not use Markdown.".into(),
        Check::Title => "Put a title in double angle brackets on the first line.".into(),
        Check::Highlights { min } => format!("Put at least {min} passage{} in bold or italics.", s(min)),
        Check::Placeholders { min } => {
            format!("Use at least {min} placeholder{} in square brackets.", s(min))
        }
        Check::Postscript { text } => format!("Add a postscript that starts with \"{text}\"."),
        Check::Quoted => "Put the whole answer in double quotation marks.".into(),
        Check::TwoAnswers => "Give two different answers separated by ******.".into(),
        Check::OneOf { options } => {
            let quoted: Vec<String> = options.iter().map(|o| format!("\"{o}\"")).collect();
            format!("Answer with {} and nothing else.", quoted.join(" or "))
        }
        Check::MinTimes { text, min } => format!("Use the word \"{text}\" at least {min} times."),
        Check::MaxTimes { text, max } => format!("Use the word \"{text}\" at most {max} times."),
        Check::MinLetter { text, min } => format!("Use the letter \"{text}\" at least {min} times."),
        Check::MinCapitalWords { min } => format!("Use at least {min} words in all capital letters."),
        Check::MaxCapitalWords { max } => format!("Use at most {max} words in all capital letters."),
        Check::ParagraphStartsWith { count, text } => format!("Start paragraph {count} with \"{text}\"."),
        Check::NotStartsWith { text } => format!("Do not start with \"{text}\"."),
        Check::NotEndsWith { text } => format!("Do not end with \"{text}\"."),
        Check::NoCommas => "Do not use commas.".into(),
        Check::NoExclamation => "Do not use exclamation marks.".into(),
        Check::NoQuestions => "Do not ask questions.".into(),
        Check::Language { text } => format!("Answer in {}.", language::english(text)),
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
        Check::MinSentences { min } => format!("回答至少{min}句话。"),
        Check::MaxParagraphs { max } => format!("回答最多{max}段。"),
        Check::MinParagraphs { min } => format!("回答至少{min}段。"),
        Check::MaxChars { max } => format!("回答最多{max}个字符。"),
        Check::MinChars { min } => format!("回答至少{min}个字符。"),
        Check::MaxListItems { max } => format!("列表最多{max}项。"),
        Check::MinListItems { min } => format!("列表至少{min}项。"),
        Check::NoNumberedList => "不要使用编号列表。".into(),
        Check::NoTable => "不要使用表格。".into(),
        Check::Headings { min: 1 } => "使用标题。".into(),
        Check::Headings { min } => format!("使用至少{min}个标题。"),
        Check::NoHeadings => "不要使用标题。".into(),
        Check::NoMarkdown => "不要使用Markdown。".into(),
        Check::Title => "第一行写上用双尖括号括起来的标题。".into(),
        Check::Highlights { min } => format!("至少用粗体或斜体突出{min}处。"),
        Check::Placeholders { min } => format!("使用至少{min}个方括号占位符。"),
        Check::Postscript { text } => format!("最后加上以“{text}”开头的附言。"),
        Check::Quoted => "整个回答放在双引号里。".into(),
        Check::TwoAnswers => "给出两个用******隔开的不同回答。".into(),
        Check::OneOf { options } => {
            let quoted: Vec<String> = options.iter().map(|o| format!("“{o}”")).collect();
            format!("只回答{}。", quoted.join("或"))
        }
        Check::MinTimes { text, min } => format!("“{text}”至少出现{min}次。"),
        Check::MaxTimes { text, max } => format!("“{text}”最多出现{max}次。"),
        Check::MinLetter { text, min } => format!("字母“{text}”至少出现{min}次。"),
        Check::MinCapitalWords { min } => format!("全大写的单词至少出现{min}次。"),
        Check::MaxCapitalWords { max } => format!("全大写的单词最多出现{max}次。"),
        Check::ParagraphStartsWith { count, text } => format!("第{count}段以“{text}”开头。"),
        Check::NotStartsWith { text } => format!("不要以“{text}”开头。"),
        Check::NotEndsWith { text } => format!("不要以“{text}”结尾。"),
        Check::NoCommas => "不要使用逗号。".into(),
        Check::NoExclamation => "不要使用感叹号。".into(),
        Check::NoQuestions => "不要提问。".into(),
        Check::Language { text } => format!("用{}回答。", language::chinese(text)),
        Check::All { checks } => checks.iter().map(chinese).collect(),
    }
}
