//! English wordings of the rest of IFEval's taxonomy: ranges, lower bounds, counts of words and letters, placeholders,
//! postscripts, highlights, titles, other languages. Tried before or after the usual ones of `patterns`.

use regex::Captures;
use uno_types::Check;

use super::language;
use super::patterns::{Build, Scope, number, quote};

type Wording = (Scope, &'static str, Build);

/// Fewest characters that an answer may be limited to; below that, "characters" are those of a story.
const MIN_CHARS: usize = 20;

fn named(c: &Captures<'_>, name: &str) -> Option<usize> {
    c.name(name)?.as_str().parse().ok().filter(|n| (1..=5000).contains(n))
}

fn chars(c: &Captures<'_>) -> Option<usize> {
    number(c).filter(|n| *n >= MIN_CHARS)
}

/// A lower and an upper bound, in this order.
fn range(c: &Captures<'_>, build: fn(usize, usize) -> [Check; 2]) -> Option<Check> {
    let (low, high) = (number(c)?, named(c, "m")?);
    (low < high).then(|| Check::All { checks: build(low, high).into() })
}

/// Tried first: they hold the words of simpler ones.
pub(super) fn before() -> Vec<Wording> {
    [ranges(), counts(), phrases(), lengths()].concat()
}

fn ranges() -> Vec<Wording> {
    use Scope::Answer;
    let words: Build = |c, _| range(c, |min, max| [Check::MinWords { min }, Check::MaxWords { max }]);
    let sentences: Build =
        |c, _| range(c, |min, max| [Check::MinSentences { min }, Check::MaxSentences { max }]);
    let paragraphs: Build =
        |c, _| range(c, |min, max| [Check::MinParagraphs { min }, Check::MaxParagraphs { max }]);
    vec![
        (Answer, r"(?:between |from )?{N} ?(?:and|to|-|–) ?(?P<m>\d{1,4}) words(?: long| in length)?", words),
        (Answer, r"(?:between |from )?{N} ?(?:and|to|-|–) ?(?P<m>\d{1,4}) sentences(?: long)?", sentences),
        (Answer, r"(?:between |from )?{N} ?(?:and|to|-|–) ?(?P<m>\d{1,4}) paragraphs(?: long)?", paragraphs),
    ]
}

fn lengths() -> Vec<Wording> {
    use Scope::Answer;
    let min_sentences: Build = |c, _| Some(Check::MinSentences { min: number(c)? });
    let max_paragraphs: Build = |c, _| Some(Check::MaxParagraphs { max: number(c)? });
    let min_paragraphs: Build = |c, _| Some(Check::MinParagraphs { min: number(c)? });
    let max_chars: Build = |c, _| Some(Check::MaxChars { max: chars(c)? });
    let chars_below: Build = |c, _| Some(Check::MaxChars { max: chars(c)? - 1 });
    let min_chars: Build = |c, _| Some(Check::MinChars { min: chars(c)? });
    vec![
        // Before "less than 120 words".
        (Answer, r"{LEAST} {N} words(?: long)?", |c, _| Some(Check::MinWords { min: number(c)? })),
        (
            Answer,
            r"(?:just |only )(?:give me |write |say |use |send )?(?:just |only )?(?:a single|1) sentence",
            |_, _| Some(Check::Sentences { count: 1 }),
        ),
        (Answer, r"{LEAST} {N} (?:full |complete )?sentences?(?: long)?", min_sentences),
        (Answer, r"{N} sentences? (?:or more|minimum|at (?:the )?least|at minimum)", min_sentences),
        (
            Answer,
            r"{MOST} (?P<n>[2-9]|\d{2,4}) (?:short )?paragraphs?(?: (?:max(?:imum)?|at most|long))?",
            max_paragraphs,
        ),
        (
            Answer,
            r"(?P<n>[2-9]|\d{2,4}) (?:short )?paragraphs? (?:or (?:less|fewer)|max(?:imum)?|at (?:the )?most|tops|(?:is|are) (?:enough|plenty))",
            max_paragraphs,
        ),
        (Answer, r"{LEAST} {N} (?:short |full )?paragraphs?(?: long)?", min_paragraphs),
        (Answer, r"{N} paragraphs? (?:or more|minimum|at (?:the )?least|at minimum)", min_paragraphs),
        (
            Answer,
            r"{MOST} {N} (?:characters|chars)(?: (?:max(?:imum)?|long|total|in total|including spaces))*",
            max_chars,
        ),
        (
            Answer,
            r"{N} (?:characters|chars) (?:or (?:less|fewer)|max(?:imum)?|at (?:the )?most|tops)",
            max_chars,
        ),
        (Answer, r"(?:a |the )?{N}[- ](?:character|char) (?:limit|maximum|max|cap)", max_chars),
        (
            Answer,
            r"(?:under|below|less than|fewer than|shorter than) {N} (?:characters|chars)(?: long| total)?",
            chars_below,
        ),
        (Answer, r"{LEAST} {N} (?:characters|chars)(?: long)?", min_chars),
    ]
}

fn counts() -> Vec<Wording> {
    use Scope::{Answer, Part};
    let max_bullets: Build = |c, _| both(Check::BulletList, Check::MaxListItems { max: many(c)? });
    let min_bullets: Build = |c, _| both(Check::BulletList, Check::MinListItems { min: many(c)? });
    let max_numbered: Build = |c, _| both(Check::NumberedList, Check::MaxListItems { max: many(c)? });
    let min_numbered: Build = |c, _| both(Check::NumberedList, Check::MinListItems { min: many(c)? });
    let max_items: Build = |c, _| Some(Check::MaxListItems { max: many(c)? });
    let min_items: Build = |c, _| Some(Check::MinListItems { min: many(c)? });
    let headings: Build = |c, _| Some(Check::Headings { min: number(c)? });
    let highlights: Build = |c, _| Some(Check::Highlights { min: number(c)? });
    let placeholders: Build = |c, _| Some(Check::Placeholders { min: number(c)? });
    let min_capitals: Build = |c, _| Some(Check::MinCapitalWords { min: number(c)? });
    let max_capitals: Build = |c, _| Some(Check::MaxCapitalWords { max: number(c)? });
    let fewer_capitals: Build = |c, _| Some(Check::MaxCapitalWords { max: number(c)?.checked_sub(1)? });
    vec![
        (
            Part,
            r"{MOST} {N} (?:short |concise |brief )?(?:bullets|bullet[- ]?points|bulleted points)(?: (?:max(?:imum)?|at most))?",
            max_bullets,
        ),
        (
            Part,
            r"{N} (?:short |concise |brief )?(?:bullets|bullet[- ]?points) (?:or (?:less|fewer)|max(?:imum)?|at (?:the )?most|tops)",
            max_bullets,
        ),
        (
            Part,
            r"{LEAST} {N} (?:short |concise |brief )?(?:bullets|bullet[- ]?points|bulleted points)",
            min_bullets,
        ),
        (
            Part,
            r"(?:a |the )?(?:bullet(?:ed)?|bullet[- ]point) list (?:of|with) {MOST} {N} (?:items|bullets|points|entries)",
            max_bullets,
        ),
        (
            Part,
            r"(?:a |the )?(?:bullet(?:ed)?|bullet[- ]point) list (?:of|with) {LEAST} {N} (?:items|bullets|points|entries)",
            min_bullets,
        ),
        (
            Part,
            r"(?:a |the )?numbered list (?:of|with) {MOST} {N} (?:items|steps|points|entries|tips)",
            max_numbered,
        ),
        (
            Part,
            r"(?:a |the )?numbered list (?:of|with) {LEAST} {N} (?:items|steps|points|entries|tips)",
            min_numbered,
        ),
        (Part, r"{MOST} {N} numbered (?:items|steps|points)", max_numbered),
        (Part, r"(?:a |1 |the )?list (?:of|with) {MOST} {N} (?:items|points|entries)", max_items),
        (Part, r"(?:a |1 |the )?list (?:of|with) {LEAST} {N} (?:items|points|entries)", min_items),
        (Answer, r"{LEAST} {N} (?:markdown |section |sub)?(?:headings|headers)", headings),
        (
            Answer,
            r"(?:highlight|bold|emphasi[sz]e|put) {LEAST} {N} (?:different )?(?:sections?|words?|phrases?|passages?|parts|key ?words|key phrases|terms|key terms)(?: (?:in|of) (?:your|the) (?:answers?|responses?|repl(?:y|ies)))?(?: (?:with|in|using) (?:markdown|bold(?: or italics?)?|italics?(?: or bold)?|bold (?:type|text|font)))?",
            highlights,
        ),
        (
            Answer,
            r"(?:contain |include |use |with |have |add )?{LEAST} {N} placeholders?(?: (?:represented by|in|inside|with|using|marked by|written in) (?:square )?brackets)?",
            placeholders,
        ),
        (
            Answer,
            r"{LEAST} {N} words (?:written )?(?:in|with) (?:all )?(?:caps|capital letters|capitals|upper[- ]?case(?: letters)?)",
            min_capitals,
        ),
        (
            Answer,
            r"{MOST} {N} words (?:written )?(?:in|with) (?:all )?(?:caps|capital letters|capitals|upper[- ]?case(?: letters)?)",
            max_capitals,
        ),
        (
            Answer,
            r"words (?:written )?(?:with|in) all (?:capital letters|caps|capitals) (?:should|must) (?:appear|occur) (?:at least) {N} times",
            min_capitals,
        ),
        (
            Answer,
            r"words (?:written )?(?:with|in) all (?:capital letters|caps|capitals) (?:should|must) (?:appear|occur) (?:at most|no more than) {N} times",
            max_capitals,
        ),
        (
            Answer,
            r"words (?:written )?(?:with|in) all (?:capital letters|caps|capitals) (?:should|must) (?:appear|occur) (?:less|fewer) than {N} times",
            fewer_capitals,
        ),
    ]
}

fn both(a: Check, b: Check) -> Option<Check> {
    Some(Check::All { checks: vec![a, b] })
}

/// A count of list items: one item is no list.
fn many(c: &Captures<'_>) -> Option<usize> {
    number(c).filter(|n| *n >= 2)
}

fn phrases() -> Vec<Wording> {
    use Scope::Answer;
    let not_starts: Build = |c, q| Some(Check::NotStartsWith { text: quote(c, q)? });
    let not_ends: Build = |c, q| Some(Check::NotEndsWith { text: quote(c, q)? });
    let min_times: Build = |c, q| Some(Check::MinTimes { text: quote(c, q)?, min: times(c)? });
    let max_times: Build = |c, q| Some(Check::MaxTimes { text: quote(c, q)?, max: times(c)? });
    let just_times: Build = |c, q| {
        let (text, n) = (quote(c, q)?, times(c)?);
        both(Check::MinTimes { text: text.clone(), min: n }, Check::MaxTimes { text, max: n })
    };
    let min_letter: Build = |c, q| {
        let text = c.name("l").map(|m| m.as_str().to_owned()).or_else(|| quote(c, q))?.to_lowercase();
        (text.chars().count() == 1).then_some(Check::MinLetter { text, min: times(c)? })
    };
    let paragraph: Build = |c, q| {
        let ordinals = ["first", "second", "third", "fourth", "fifth"];
        let count = ordinals.iter().position(|o| Some(*o) == c.name("o").map(|m| m.as_str()))? + 1;
        Some(Check::ParagraphStartsWith { count, text: quote(c, q)? })
    };
    let one_of: Build = |c, q| {
        let text = |name: &str| q.get(c.name(name)?.as_str().parse::<usize>().ok()?).cloned();
        Some(Check::OneOf { options: vec![text("q")?, text("r")?] })
    };
    let yes_no: Build = |_, _| Some(Check::OneOf { options: vec!["yes".into(), "no".into()] });
    vec![
        (
            Answer,
            r"(?:use|with|in|using|inside) (?:fenced |markdown )?code blocks? for (?:the |any |all |your |all the )?code",
            |_, _| Some(Check::Code),
        ),
        (
            Answer,
            r"{NOT} (?:a |any |the )?(?:markdown |comparison )?tables?(?: at all| of any kind)?",
            |_, _| Some(Check::NoTable),
        ),
        (
            Answer,
            r"(?:at the (?:very )?end )?(?:add |include |put |write |have |append |with |end with |finish with |close with )(?:a |your |1 )?postscript(?: (?:starting|that starts|beginning|that begins|marked) with (?:{Q}|postscript))?(?: at the (?:very )?end(?: of {ANSWER})?)?",
            |c, q| match c.name("q") {
                Some(_) => Some(Check::Postscript { text: quote(c, q)? }),
                None => Some(Check::Postscript { text: "P.S.".into() }),
            },
        ),
        (
            Answer,
            r"(?:don't|do not|never|avoid|stop|quit|not)(?: ever)? (?:start|starting|begin|beginning|open|opening)(?: off)?(?: {ANSWER})?(?: (?:with|by saying))(?: the)?(?: (?:words?|phrase|line|sentence|greeting))? {Q}",
            not_starts,
        ),
        (
            Answer,
            r"(?:don't|do not|never|avoid|stop|quit|not)(?: ever)? (?:end|ending|finish|finishing|close|closing|conclude|concluding|sign off|signing off)(?: {ANSWER})?(?: (?:with|by saying|on))(?: the)?(?: (?:words?|phrase|line|sentence))? {Q}",
            not_ends,
        ),
        (Answer, r"{USE_Q} {LEAST} {TIMES}", min_times),
        (
            Answer,
            r"{USE_Q} (?:at (?:the )?most|no more than|not more than|up to|a maximum of) {TIMES}",
            max_times,
        ),
        (Answer, r"{USE_Q} (?:exactly|precisely) {TIMES}", just_times),
        (
            Answer,
            r"(?:the )?(?:word |phrase |term |keyword )?{Q} (?:must|should|has to|needs to) (?:appear|occur|be (?:used|mentioned)) {LEAST} {TIMES}",
            min_times,
        ),
        (
            Answer,
            r"(?:the )?(?:word |phrase |term |keyword )?{Q} (?:must|should|may|can) (?:appear|occur|be (?:used|mentioned)) (?:at (?:the )?most|no more than|up to) {TIMES}",
            max_times,
        ),
        (
            Answer,
            r"(?:don't|do not|never) (?:use|say|mention|repeat)(?: the)?(?: (?:word|phrase|term))? {Q} more than {TIMES}",
            max_times,
        ),
        (
            Answer,
            r"(?:use |include )?the letter (?:{Q}|(?P<l>[a-z])) (?:(?:must|should|has to) (?:appear|occur|be used) |appears? )?{LEAST} {TIMES}",
            min_letter,
        ),
        (
            Answer,
            r"(?:the |your )?(?P<o>first|second|third|fourth|fifth) paragraph (?:must|should|has to|needs to) (?:always )?(?:start|begin|open) with(?: the (?:words?|phrase))? {Q}",
            paragraph,
        ),
        (
            Answer,
            r"(?:start|begin|open) (?:the|your) (?P<o>first|second|third|fourth|fifth) paragraph with(?: the (?:words?|phrase))? {Q}",
            paragraph,
        ),
        (Answer, r"(?:start|begin|open) paragraph {N} with(?: the (?:words?|phrase))? {Q}", |c, q| {
            Some(Check::ParagraphStartsWith { count: number(c)?, text: quote(c, q)? })
        }),
        (
            Answer,
            r"(?:answer|reply|respond)(?: only| just)? with(?: only| just| either| exactly)* {Q} or QUOTE(?P<r>\d)(?: only)?(?: and nothing (?:else|more))?",
            one_of,
        ),
        (
            Answer,
            r"(?:answer|reply|respond|say)(?: with)? (?:only|just|simply|nothing but)(?: with)?(?: a)? yes or no(?: and nothing (?:else|more))?|(?:answer |reply |respond )(?:with )?(?:a )?yes or no (?:only|and nothing (?:else|more))",
            yes_no,
        ),
    ]
}

/// "3 times", "once", "twice".
fn times(c: &Captures<'_>) -> Option<usize> {
    match c.name("w").map(|m| m.as_str()) {
        Some("once") => Some(1),
        Some("twice") => Some(2),
        _ => number(c),
    }
}

/// Tried last.
pub(super) fn after() -> Vec<Wording> {
    use Scope::Answer;
    vec![
        (Answer, r"^a (?:markdown |small |simple )?table$", |_, _| Some(Check::Table)),
        (Answer, r"leave (?:the |all |all the |those )?emojis? out", |_, _| Some(Check::NoEmoji)),
        (
            Answer,
            r"{NOT} (?:any |the )?(?:markdown |section )?(?:headings?|headers?|sub-?headings?)(?: at all)?",
            |_, _| Some(Check::NoHeadings),
        ),
        (
            Answer,
            r"(?:use|add|include|with|have|put in|insert|structure (?:it|this|your answers?|the answer) with) (?:some |clear |short |markdown |section |proper |bold )*(?:headings|headers|sub-?headings)",
            |c, _| (!c[0].contains("bold")).then_some(Check::Headings { min: 1 }),
        ),
        (Answer, r"use a heading", |_, _| Some(Check::Headings { min: 1 })),
        (
            Answer,
            r"{NOT} (?:any |the )?markdown(?: formatting| syntax| markup| at all)*|(?:in |as |use |with )*plain text (?:only|without (?:any )?(?:markdown|formatting)|and no markdown|not markdown)",
            |_, _| Some(Check::NoMarkdown),
        ),
        (
            Answer,
            r"(?:put |add |give |include |contain |have |with |use )*(?:a |the )?title (?:wrapped |enclosed |contained |placed |put |surrounded )?(?:in|by|with|within|inside) double (?:angled?|angular) brackets(?: on the first line| at the (?:top|start|beginning)| first)?",
            |_, _| Some(Check::Title),
        ),
        (
            Answer,
            r"(?:wrap|put|enclose|place|surround) (?:your |the |all )?(?:entire |whole |full |complete )?(?:answer|response|reply|output)s? (?:in|with|inside|within|between) (?:double )?(?:quotation marks|QUOTEs|QUOTE marks)",
            |_, _| Some(Check::Quoted),
        ),
        (
            Answer,
            r"(?:give |write |provide |show )?(?:me )?(?:exactly )?2 (?:different |alternative )?(?:answers|responses|versions) (?:separated|divided|parted) by (?:6 asterisks(?: symbols)?|(?:a line of )?\*{6})",
            |_, _| Some(Check::TwoAnswers),
        ),
        (
            Answer,
            r"{NOT} (?:any |the )?commas?(?: at all| in (?:it|your (?:answers?|response|repl(?:y|ies))))?",
            |_, _| Some(Check::NoCommas),
        ),
        (
            Answer,
            r"{NOT} (?:any |the |those |all the )?exclamation (?:marks?|points?)(?: at all)?",
            |c, _| (!c[0].contains("so m")).then_some(Check::NoExclamation),
        ),
        (
            Answer,
            r"(?:don't|do not|never|please don't|stop|avoid|quit)(?: ever)? ask(?:ing)?(?: me)?(?: any| follow[- ]?up| more)* questions?(?: at all| back)?",
            |_, _| Some(Check::NoQuestions),
        ),
        (
            Answer,
            r"(?:(?:in|into|to|use|using|speak|write|only|with) )+(?P<lang>german|french|spanish|italian|portuguese|dutch|russian|japanese|korean|arabic|hindi)(?: only)?(?:,? not (?:in )?\w+)?",
            |c, _| Some(Check::Language { text: language::code(c.name("lang")?.as_str())?.to_owned() }),
        ),
    ]
}
