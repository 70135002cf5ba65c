//! Reading Chinese demands: length, lists, tables, code, language, opening and closing phrases.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use uno_types::Check;

use super::number::chinese as number;
use super::text::regex;
use super::{chinese_more, clause};

/// Makes a check of what a wording matched; `None` when it is none after all.
pub(super) type Build = fn(&Captures<'_>, &[String]) -> Option<Check>;

pub(super) fn count(c: &Captures<'_>) -> Option<usize> {
    number(c.name("n")?.as_str()).filter(|n| (1..=5000).contains(n))
}

pub(super) fn quote(c: &Captures<'_>, quotes: &[String]) -> Option<String> {
    let phrase = quotes.get(c.name("q")?.as_str().parse::<usize>().ok()?)?;
    (!clause::is_template(phrase)).then(|| phrase.clone())
}

static PATTERNS: LazyLock<Vec<(Regex, Build)>> = LazyLock::new(|| {
    let max: Build = |c, _| Some(Check::MaxWords { max: count(c)? });
    let max_sentences: Build = |c, _| Some(Check::MaxSentences { max: count(c)? });
    let ends: Build = |c, q| Some(Check::EndsWith { text: quote(c, q)? });
    let starts: Build = |c, q| Some(Check::StartsWith { text: quote(c, q)? });
    let mut all = chinese_more::before();
    let usual: Vec<(&str, Build)> = vec![
        (r"(?:不要|不得|不能|别|请勿|不)(?:超过|多于|超出){N}个?字(?:以上)?", max),
        (r"(?:最多|至多|不多于|限制?在?|限){N}个?字(?:以内|之内|内)?", max),
        (r"(?:控制|限制|压缩|缩短|精简|保持)(?:在|到|为|至){N}个?字(?:以内|之内|以下|内)?", max),
        (r"(?:在)?{N}个?字(?:以内|之内|内)", max),
        (r"(?:少于|低于|小于){N}个?字", |c, _| {
            Some(Check::MaxWords { max: count(c)?.checked_sub(1).filter(|n| *n > 0)? })
        }),
        (r"(?:至少|不少于|不低于|最少|不得少于|不能少于)写?{N}个?字", |c, _| {
            Some(Check::MinWords { min: count(c)? })
        }),
        (r"(?:不要|别|不能|不)(?:超过|多于){N}句话?", max_sentences),
        (r"(?:最多|至多){N}句话?", max_sentences),
        (r"{N}句话?(?:以内|之内)", max_sentences),
        (r"(?:只)?用{N}句话", |c, _| Some(Check::Sentences { count: count(c)? })),
        (r"(?:正好|恰好|刚好|只){N}句话?", |c, _| Some(Check::Sentences { count: count(c)? })),
        (r"(?:正好|恰好|刚好|分成|分为|写成){N}(?:个自然)?段(?:话|落)?", |c, _| {
            Some(Check::Paragraphs { count: count(c)? })
        }),
        (r"列表(?:要|应)?(?:正好|恰好|刚好){N}[项条]", |c, _| {
            Some(Check::ListItems { count: count(c).filter(|n| *n >= 2)? })
        }),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用)(?:任何)?(?:项目符号|无序)(?:列表)?",
            |_, _| Some(Check::NoBulletList),
        ),
        (r"(?:不要|别|请勿|不能)(?:使用|用|写成|列)?(?:任何)?(?:列表|清单)", |_, _| {
            Some(Check::NoList)
        }),
        (
            r"(?:用|以|使用|采用|按|列成|写成|做成|改成)(?:带)?(?:编号|有序|数字)(?:的)?(?:列表|清单|步骤|形式|格式)?(?:的?(?:形式|格式|方式))?|编号列表|有序列表|给(?:每个)?步骤编号|步骤(?:要|请|应)?(?:加上|带)?编号",
            |_, _| Some(Check::NumberedList),
        ),
        (
            r"(?:用|以|使用|采用|列成|写成)(?:项目符号|无序)(?:的)?(?:列表|清单)?(?:的?(?:形式|格式|方式))?|项目符号列表|无序列表",
            |_, _| Some(Check::BulletList),
        ),
        (
            r"(?:用|以|使用|做成|整理成|列成|画成?|写成)(?:一个|一张)?表格(?:的?(?:形式|格式|方式))?",
            |_, _| Some(Check::Table),
        ),
        (
            r"(?:把|将)?代码(?:块)?(?:要|应该|请|必须)?(?:放|写|摆)?(?:在)?(?:最前面|最前|开头|前面|最开头|第一位)|先(?:给出?|写出?|放|上|贴出?|展示)(?:我)?代码(?:块)?",
            |_, _| Some(Check::CodeFirst),
        ),
        (
            r"(?:用|使用|以|放在)代码块(?:里|中|内)?(?:来)?(?:给出|展示|写出|显示|贴出)?代码|代码(?:要|请|都)?(?:用|放在|写在)代码块(?:里|中|内)?",
            |_, _| Some(Check::Code),
        ),
        (
            r"(?:不要|别|请勿|不许|避免)(?:再)?(?:提到|提及|使用|用|说|出现)(?:词语?|这个词|单词)?{Q}(?:这个词|一词)?",
            |c, q| Some(Check::Excludes { text: quote(c, q)? }),
        ),
        (r"(?:提到|提及|包含|包括)(?:词语?|这个词|单词)?{Q}(?:这个词|一词)?", |c, q| {
            Some(Check::Contains { text: quote(c, q)? })
        }),
        (r"(?:全部?|都|只)?(?:使用|用)?小写(?:字母)?", |_, _| Some(Check::LowerCase)),
        (r"(?:全部?|都|只)?(?:使用|用)?大写(?:字母)?", |_, _| Some(Check::UpperCase)),
        (
            r"(?:以|用)(?:一个)?(?:问句|问题|疑问句|提问)(?:来)?(?:结尾|结束|收尾)",
            |_, _| Some(Check::EndsWithQuestion),
        ),
        (r"(?:不要|别|请勿)(?:写|给出|给|用|使用|包含|出现|放)?(?:任何)?代码", |_, _| Some(Check::NoCode)),
        (
            r"(?:用|以|使用|返回|输出|采用)(?:纯|合法的?|有效的?)?\s*json\s*(?:的?(?:格式|形式|对象))?",
            |_, _| Some(Check::Json),
        ),
        (
            r"(?:不要|别|请勿|不能)(?:再)?(?:使用|用|加|带|出现|放)?(?:任何)?\s*(?:表情(?:符号|包)?|emoji)",
            |_, _| Some(Check::NoEmoji),
        ),
        (r"(?:用|使用|说|以|只用|改用)(?:简体)?(?:中文|汉语|普通话)", |_, _| {
            Some(Check::Chinese)
        }),
        (r"(?:用|使用|说|以|只用|改用)(?:英文|英语)", |_, _| Some(Check::English)),
        (r"(?:以|用|请以|请用){Q}(?:这句话|这几个字|一句|一词)?(?:来)?(?:结尾|结束|收尾)", ends),
        (
            r"(?:在)?(?:结尾|末尾|最后|文末|最后一[行句])(?:处)?(?:请|都|要|一定要|必须|统一)*(?:加上|写上|附上|注明|写|加|说|添加){Q}",
            ends,
        ),
        (r"(?:以|用|请以|请用){Q}(?:这句话|这几个字|一句|一词)?(?:来)?(?:开头|开始|开场)", starts),
        (
            r"(?:在)?(?:开头|第一[行句])(?:处)?(?:请|都|要|一定要|必须|统一)*(?:加上|写上|写|加|说|添加){Q}",
            starts,
        ),
    ];
    all.extend(usual);
    let fill = |(source, build): (&str, Build)| {
        let number = |name: &str| format!(r"(?P<{name}>\d{{1,4}}|[一二两三四五六七八九十百零]{{1,6}})");
        let source =
            source.replace("{N}", &number("n")).replace("{M}", &number("m")).replace("{K}", &number("k"));
        (regex(&source.replace("{Q}", r"QUOTE(?P<q>\d)")), build)
    };
    all.into_iter().map(fill).collect()
});

/// Filler: what may stand around a property.
static FILLER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) 请你?|麻烦|下次|以后|今后|从现在起|从现在开始|每次|总是|一定|务必|必须|应该|应当|需要|要|都|就|再|也|能不能|能否|可以|可不可以|希望|你|我|您
          |回答时|回复时|回答的时候|回复的时候|所有(?:的)?(?:回答|回复)|每[个条次](?:回答|回复)|全部|整个|答案|回答|回复|内容|问题|作答|答复|解释|说明|列出|列|给出|写出|写|表达|展示|呈现|输出
          |篇幅|长度|字数|步骤|操作|做法|把|将|让|给|来|用|以|在|的|地|得|了|吧|呢|吗|啊|哦|一下|好吗|好|谢谢|简短(?:一?点|些)?|简洁(?:一?点|些)?|精简(?:一?点|些)?|短一?点|只|并|而且|同时|且|和|这样|即可|为|到|成|形式|格式|方式|§|\s|[、“”]",
    )
});

/// What unread Chinese clauses may not hold: a demand, a condition, or a property that was not understood.
static DEMAND: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"如果|要是|除非|假如|当.*时|的时候|时候|或者|或|左右|大约|大概|差不多|每[个条段点句步]|标题|摘要|开头|结尾|首段|不要|别|不用|不必|无需|请|应该|必须|需要|要|列表|清单|编号|表格|代码|json|字|句|段|中文|英文|英语|表情|QUOTE|\d",
    )
});

/// Blame and thanks that only sound like a demand.
static BLAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:太长了?|太啰嗦了?|太多字了?|字太多了?|谢谢你?|好的|不错|可以|嗯|你的?回答太长了?|这个?太长了?|看不懂)$",
    )
});

/// All checks that `text` demands; `None` when it demands anything else as well.
pub(super) fn compile(text: &str) -> Option<Vec<(Check, f32)>> {
    let masked = clause::mask(text);
    let mut found = Vec::new();
    for sentence in clause::sentences(&masked.text) {
        for clause in sentence.split([',', '，']).map(str::trim).filter(|c| !c.is_empty()) {
            if BLAME.is_match(clause) {
                continue;
            }
            let mut rest = clause.to_owned();
            let before = found.len();
            for (pattern, build) in PATTERNS.iter() {
                let Some(captures) = pattern.captures(&rest) else { continue };
                found.push((build(&captures, &masked.quotes)?, 0.95));
                let (start, end) = captures.get(0).map(|m| (m.start(), m.end()))?;
                rest = format!("{}§{}", &rest[..start], &rest[end..]);
            }
            let filler = FILLER.replace_all(&rest, "").is_empty();
            let clear = match (found.len() > before, before > 0) {
                (true, _) => filler,
                // After a property, a clause may be a demand that names nothing known ("and give an example").
                (false, true) => {
                    filler || rest.starts_with(['我', '谢', '太', '这']) && !DEMAND.is_match(clause)
                }
                (false, false) => !DEMAND.is_match(clause),
            };
            if !clear {
                return None;
            }
        }
    }
    Some(found)
}
