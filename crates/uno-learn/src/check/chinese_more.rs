//! Chinese wordings of the rest of IFEval's taxonomy, tried before the usual ones of `chinese`.

use regex::Captures;
use uno_types::Check;

use super::chinese::{Build, count, quote};
use super::language;
use super::number::chinese as number;

fn many(c: &Captures<'_>) -> Option<usize> {
    count(c).filter(|n| *n >= 2)
}

fn range(c: &Captures<'_>, build: fn(usize, usize) -> [Check; 2]) -> Option<Check> {
    let (low, high) = (count(c)?, number(c.name("m")?.as_str())?);
    (low < high).then(|| Check::All { checks: build(low, high).into() })
}

/// The wordings.
pub(super) fn before() -> Vec<(&'static str, Build)> {
    let not_starts: Build = |c, q| Some(Check::NotStartsWith { text: quote(c, q)? });
    let not_ends: Build = |c, q| Some(Check::NotEndsWith { text: quote(c, q)? });
    let min_times: Build = |c, q| Some(Check::MinTimes { text: quote(c, q)?, min: count(c)? });
    let max_times: Build = |c, q| Some(Check::MaxTimes { text: quote(c, q)?, max: count(c)? });
    vec![
        (r"{N}(?:个?字)?(?:到|至|-|—|~){M}个?字(?:之间|左右之间)?", |c, _| {
            range(c, |min, max| [Check::MinWords { min }, Check::MaxWords { max }])
        }),
        (r"{N}句?(?:到|至|-|~){M}句话?(?:之间)?", |c, _| {
            range(c, |min, max| [Check::MinSentences { min }, Check::MaxSentences { max }])
        }),
        (r"(?:至少|不少于){N}个?字符", |c, _| {
            Some(Check::MinChars { min: count(c).filter(|n| *n >= 20)? })
        }),
        // Before "少于".
        (r"(?:至少|不少于|不低于|最少|不得少于|不能少于)(?:写|用)?{N}个?字", |c, _| {
            Some(Check::MinWords { min: count(c)? })
        }),
        (r"(?:至少|不少于|最少|不得少于|不能少于)(?:写|用)?{N}句话?", |c, _| {
            Some(Check::MinSentences { min: count(c)? })
        }),
        (
            r"(?:不要|别|不能|不得|不)?(?:超过|多于|最多|至多)(?:写|分)?{N}个?(?:自然)?段(?:话|落)?",
            |c, _| {
                let most = ["最多", "至多", "不"].iter().any(|w| c[0].contains(w)) || c[0].starts_with('别');
                most.then_some(Check::MaxParagraphs { max: count(c)? })
            },
        ),
        (r"(?:至少|不少于|最少)(?:写|分)?{N}个?(?:自然)?段(?:话|落)?", |c, _| {
            Some(Check::MinParagraphs { min: count(c)? })
        }),
        (
            r"(?:不要|别|不能|不得|不)(?:超过|多于){N}个?字符|(?:最多|至多){M}个?字符|{K}个?字符(?:以内|之内)",
            |c, _| {
                let text = ["n", "m", "k"].iter().find_map(|name| c.name(name))?.as_str();
                Some(Check::MaxChars { max: number(text).filter(|n| *n >= 20)? })
            },
        ),
        (r"列表(?:要|应)?(?:最多|不超过|至多){N}[项条]", |c, _| {
            Some(Check::MaxListItems { max: many(c)? })
        }),
        (r"列表(?:要|应)?(?:至少|不少于){N}[项条]", |c, _| {
            Some(Check::MinListItems { min: many(c)? })
        }),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用)(?:任何)?(?:编号|有序|数字)列表",
            |_, _| Some(Check::NoNumberedList),
        ),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用|画|做|做成|列成)(?:任何)?表格",
            |_, _| Some(Check::NoTable),
        ),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用|加|加上|写)(?:任何)?(?:小)?标题",
            |_, _| Some(Check::NoHeadings),
        ),
        (r"(?:使用|用|加上|加)(?:至少){N}个(?:小)?标题", |c, _| {
            Some(Check::Headings { min: count(c)? })
        }),
        (r"(?:使用|加上|用)小?标题", |_, _| Some(Check::Headings { min: 1 })),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用)(?:任何)?\s*markdown\s*(?:格式|语法|标记)?",
            |_, _| Some(Check::NoMarkdown),
        ),
        (r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用|出现)(?:任何)?逗号", |_, _| {
            Some(Check::NoCommas)
        }),
        (r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用|出现)(?:任何)?感叹号", |_, _| {
            Some(Check::NoExclamation)
        }),
        (
            r"(?:不要|别|请勿)(?:再)?(?:反问我?|提问|问我?(?:任何)?问题|向我提问)",
            |_, _| Some(Check::NoQuestions),
        ),
        (
            r"(?:不要|别|请勿)(?:再)?(?:以|用){Q}(?:这句话|这几个字|一词)?(?:来)?(?:开头|开始|开场)",
            not_starts,
        ),
        (r"(?:不要|别|请勿)(?:再)?(?:以|用){Q}(?:这句话|这几个字|一词)?(?:来)?(?:结尾|结束|收尾)", not_ends),
        (r"字母{Q}(?:要|应|必须|应该)?(?:至少|不少于)(?:出现|使用){N}次", |c, q| {
            let text = quote(c, q)?.to_lowercase();
            (text.chars().count() == 1).then_some(Check::MinLetter { text, min: count(c)? })
        }),
        (
            r"(?:词语?|单词|这个词)?{Q}(?:这个词|一词)?(?:要|应|必须|应该)?(?:至少|不少于)(?:出现|使用|提到){N}次",
            min_times,
        ),
        (r"(?:至少|不少于)(?:使用|提到|出现|用){N}次(?:词语?|单词)?{Q}(?:这个词|一词)?", min_times),
        (
            r"(?:词语?|单词|这个词)?{Q}(?:这个词|一词)?(?:要|应|必须|应该)?(?:最多|至多|不超过)(?:出现|使用|提到){N}次",
            max_times,
        ),
        (r"(?:最多|至多)(?:使用|提到|出现|用){N}次(?:词语?|单词)?{Q}(?:这个词|一词)?", max_times),
        (r"全大写的单词(?:要|应|必须)?(?:至少|不少于)出现{N}次", |c, _| {
            Some(Check::MinCapitalWords { min: count(c)? })
        }),
        (r"全大写的单词(?:要|应|必须)?(?:最多|不超过)出现{N}次", |c, _| {
            Some(Check::MaxCapitalWords { max: count(c)? })
        }),
        (r"第{N}段(?:话)?(?:要|应|必须|请)?(?:以|用){Q}(?:来)?(?:开头|开始)", |c, q| {
            Some(Check::ParagraphStartsWith { count: count(c)?, text: quote(c, q)? })
        }),
        (
            r"(?:整个|全部)?(?:回答|回复|答案)(?:都|要|请|必须)*(?:放|写|括)在双?引号(?:里面?|中|内|之间)",
            |_, _| Some(Check::Quoted),
        ),
        (r"(?:只能?|仅)(?:用|以)?(?:回答|回复|说){Q}或者?QUOTE(?P<r>\d)", |c, q| {
            let text = |name: &str| q.get(c.name(name)?.as_str().parse::<usize>().ok()?).cloned();
            Some(Check::OneOf { options: vec![text("q")?, text("r")?] })
        }),
        (
            r"(?:给出|写出|提供)?(?:两个|2个)(?:用|以)\*{6}(?:隔开|分开|分隔)的不同(?:的)?(?:回答|答案|版本)",
            |_, _| Some(Check::TwoAnswers),
        ),
        (
            r"(?:至少|不少于)(?:用|使用)?(?:粗体|斜体|粗体或斜体|加粗)(?:突出|标出|强调){N}处",
            |c, _| Some(Check::Highlights { min: count(c)? }),
        ),
        (r"(?:使用|包含|加上|用|写)?(?:至少|不少于){N}个(?:方括号)?占位符", |c, _| {
            Some(Check::Placeholders { min: count(c)? })
        }),
        (
            r"(?:第一行)?(?:写上|加上|给出|写)(?:一个)?(?:用|以)双尖括号(?:括起来|包住|括住)的标题",
            |_, _| Some(Check::Title),
        ),
        (
            r"(?:在)?(?:最后|结尾|末尾|文末)(?:处)?(?:请|要)?(?:加上|写上|加|添加|附上)(?:一[句段条])?(?:以{Q}开头的)?附言",
            |c, q| match c.name("q") {
                Some(_) => Some(Check::Postscript { text: quote(c, q)? }),
                None => Some(Check::Postscript { text: "P.S.".into() }),
            },
        ),
        (
            r"(?:用|使用|说|以|只用|改用)(?P<lang>法语|法文|德语|德文|西班牙语|西班牙文|意大利语|葡萄牙语|荷兰语|俄语|俄文|日语|日文|韩语|韩文|阿拉伯语|印地语)",
            |c, _| Some(Check::Language { text: language::code(c.name("lang")?.as_str())?.to_owned() }),
        ),
    ]
}
