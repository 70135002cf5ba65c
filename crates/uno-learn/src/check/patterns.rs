//! English wordings of checkable properties. Each pattern is tried on a clause in lower case, with numbers in digits
//! and quoted phrases as `QUOTE0`; what it matches is taken out of the clause before the next one is tried.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use uno_types::Check;

use super::patterns_more as more;
use super::text::regex;

/// What kind of words may surround a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole answer only: nothing but filler around it.
    Answer,
    /// A structure somewhere in the answer: may name what is put into it ("the ingredients as a table").
    Part,
}

/// A wording.
pub(super) struct Pattern {
    pub regex: Regex,
    pub scope: Scope,
    pub build: fn(&Captures<'_>, &[String]) -> Option<Check>,
}

/// A number that a check can have.
pub(super) fn number(c: &Captures<'_>) -> Option<usize> {
    c.name("n")?.as_str().parse().ok().filter(|n| (1..=5000).contains(n))
}

pub(super) fn quote(c: &Captures<'_>, quotes: &[String]) -> Option<String> {
    let phrase = quotes.get(c.name("q")?.as_str().parse::<usize>().ok()?)?;
    (!super::clause::is_template(phrase)).then(|| phrase.clone())
}

/// Makes a check of what a wording matched; `None` when it is none after all.
pub(super) type Build = fn(&Captures<'_>, &[String]) -> Option<Check>;

/// The wordings, in the order in which they are tried.
pub(super) static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut all: Vec<(Scope, &str, Build)> = Vec::new();
    all.extend(more::before());
    all.extend(quantities());
    all.extend(quoted());
    all.extend(structures());
    all.extend(manners());
    all.extend(more::after());
    let pattern = |(scope, source, build): (Scope, &str, Build)| {
        let source = source
            .replace("{USE_Q}", r"(?:use|include|mention|repeat|say|have|write|contain)(?: the)?(?: (?:exact )?(?:word|phrase|term|keyword))? {Q}")
            .replace("{TIMES}", r"(?:{N} times?|(?P<w>once|twice))")
            .replace("{LEAST}", r"(?:at (?:the )?(?:very )?least|no (?:less|fewer) than|not (?:less|fewer) than|a minimum of|minimum(?: of)?)")
            .replace("{MOST}", r"(?:{MORE}|not exceed|(?:don't|do not|never) (?:exceed|go over|use more than|write more than|give me more than)|at (?:the )?(?:very )?most|up to|max(?:imum)?(?: of)?|a maximum of|within|limit(?:ed)?(?: (?:it|this|that|yourself|{ANSWER}))? to|(?:keep|cut|trim|shorten|reduce|hold|stick|restrict|confine)(?: (?:it|this|that|answers|replies|responses|{ANSWER}))?(?: down)?(?: short)? (?:to|at|within)(?: (?:at most|a maximum of|no more than|up to|under))?)")
            .replace("{ANSWER}", r"(?:it|this|that|(?:your|the|all|all your|every|each|my) (?:answers?|repl(?:y|ies)|responses?|messages?))")
            .replace("{N}", r"(?P<n>\d{1,4})")
            .replace("{Q}", r"QUOTE(?P<q>\d)")
            .replace("{MORE}", r"(?:no|not|never|nothing|(?:don't|do not|never) (?:use|write|give me|send me|send)|not use) (?:any )?(?:more|longer|over|greater)(?: than)?")
            .replace("{NOT}", r"(?:no|avoid|i (?:don't|do not) want(?: to see)?|without|skip|drop|remove|omit|lose|ditch|stop(?: using| writing in| with)?|leave out|(?:don't|do not|never|not|please don't)(?: ever)?(?: use| include| add| write| put| give me| make| show| send| answer (?:with|in|as)| reply (?:with|in|as)| respond (?:with|in|as)| format (?:it|this|that|your answers?) as| in| as| with)|not)");
        Pattern { regex: regex(&format!(r"\b(?:{source})(?:\b|$)")), scope, build }
    };
    all.into_iter().map(pattern).collect()
});

fn quantities() -> Vec<(Scope, &'static str, Build)> {
    use Scope::Answer;
    let max: Build = |c, _| Some(Check::MaxWords { max: number(c)? });
    let below: Build = |c, _| Some(Check::MaxWords { max: number(c)?.checked_sub(1).filter(|n| *n > 0)? });
    let min: Build = |c, _| Some(Check::MinWords { min: number(c)? });
    let above: Build = |c, _| Some(Check::MinWords { min: number(c)? + 1 });
    let sentences: Build = |c, _| Some(Check::Sentences { count: number(c)? });
    let max_sentences: Build = |c, _| Some(Check::MaxSentences { max: number(c)? });
    let fewer_sentences: Build =
        |c, _| Some(Check::MaxSentences { max: number(c)?.checked_sub(1).filter(|n| *n > 0)? });
    let paragraphs: Build = |c, _| Some(Check::Paragraphs { count: number(c)? });
    vec![
        // Words: upper bounds.
        (
            Answer,
            r"(?:anything|everything) (?:over|above|longer than|more than) {N} words is (?:too (?:long|much)|too many)",
            max,
        ),
        (
            Answer,
            r"(?:{MORE}|not (?:to )?exceed(?:ing)?|(?:don't|do not|never|shouldn't|should not|must not|mustn't|can't|cannot|may not) (?:ever )?(?:exceed|go (?:over|above|beyond|past)|be (?:longer|more|over)(?: than)?|use more than|pass)|without (?:exceeding|going over)) (?:a (?:limit|maximum|total) of )?{N} words(?: (?:total|in total|max|at most))?",
            max,
        ),
        (
            Answer,
            r"(?:at (?:the )?most|at max(?:imum)?|(?:a |the )?max(?:imum)?(?: length)?(?: of| is|,)?|up to|within|limit(?:ed)?(?: (?:it|this|that|yourself|the (?:answer|reply|response|length)|(?:your|all|future) (?:answers?|repl(?:y|ies)|responses?)))? to|a limit of|(?:the )?(?:word )?limit is|cap(?:ped)?(?: (?:it|this|that|your answers?|your repl(?:y|ies)|your responses?))? at|(?:keep|cut|trim|shorten|reduce|hold|restrict|confine|condense|squeeze|stick|get)(?: (?:it|this|that|things|everything|answers|replies|responses|your (?:answers?|repl(?:y|ies)|responses?)|the (?:answer|reply|response)))?(?: down)?(?: short)? (?:to|at|within|inside)(?: (?:at most|a maximum of|max|maximum|no more than|a max of|up to))?) {N} words(?: (?:max(?:imum)?|at most|tops|or (?:less|fewer|under)|total|in total))?",
            max,
        ),
        (
            Answer,
            r"(?:in )?{N} words (?:or (?:less|fewer|under|below)|max(?:imum)?|at (?:the )?most|at max(?:imum)?|tops|limit|is (?:the|my) (?:limit|max(?:imum)?|most)|(?:is|are|would be|would have been|will be) (?:enough|plenty)|and no more|not more|and not more)",
            max,
        ),
        (Answer, r"(?:a |the )?{N}[- ]words? (?:limit|maximum|max|cap|ceiling)", max),
        (
            Answer,
            r"(?:under|below|less than|fewer than|shorter than|not as long as) {N} words(?: (?:total|in total|max|please))?",
            below,
        ),
        // Words: lower bounds.
        (
            Answer,
            r"(?:at least|no (?:less|fewer) than|not (?:less|fewer) than|a minimum of|minimum(?: of)?|min) {N} words(?: long)?",
            min,
        ),
        (Answer, r"{N} words (?:or (?:more|longer)|minimum|at (?:the )?least|at minimum)", min),
        (
            Answer,
            r"(?:should be|must be|make it|write|be|has to be|have to be|needs to be) (?:more than|over|longer than) {N} words(?: long)?",
            above,
        ),
        // Sentences.
        (
            Answer,
            r"(?:{MORE}|(?:don't|do not|never) (?:exceed|go over|use more than|write more than|give me more than)|at (?:the )?most|up to|max(?:imum)?(?: of)?|a maximum of|within|limit(?:ed)?(?: (?:it|this|that|yourself|your (?:answers?|repl(?:y|ies)|responses?)|the (?:answer|reply|response)))? to|(?:keep|cut|trim|shorten|reduce|hold|stick|restrict|confine)(?: (?:it|this|that|answers|replies|responses|your (?:answers?|repl(?:y|ies)|responses?)|the (?:answer|reply|response)))?(?: down)?(?: short)? (?:to|at|within)(?: (?:at most|a maximum of|no more than|up to))?) {N} sentences?(?: (?:max(?:imum)?|at most|tops|or (?:less|fewer)))?",
            max_sentences,
        ),
        (
            Answer,
            r"(?:in )?{N} sentences? (?:or (?:less|fewer)|max(?:imum)?|at (?:the )?most|tops|(?:is|are|would be|would have been|will be) (?:enough|plenty))",
            max_sentences,
        ),
        (Answer, r"(?:under|less than|fewer than) {N} sentences", fewer_sentences),
        (
            Answer,
            r"(?:in |with |using |be |write |use |give me |want |need |to )?(?:exactly|precisely) {N} sentences?(?: long)?",
            sentences,
        ),
        (
            Answer,
            r"(?:in|with|using|be|write|(?:answer|reply|respond)(?: in| with)?) (?:just |only )?(?:a single|{N}) (?:short |full |complete |clear |concise )?sentences?(?: only)?(?: long)?",
            |c, _| Some(Check::Sentences { count: if c.name("n").is_some() { number(c)? } else { 1 } }),
        ),
        (Answer, r"a {N}[- ]sentence (?:answer|reply|response)", sentences),
        // Paragraphs.
        (
            Answer,
            r"(?:in |into |with |using |as |be |write |use |give me |want |keep (?:it|this|that|your (?:answers?|repl(?:y|ies)|responses?)|answers) (?:to|in) )?(?:exactly |precisely |just |only )?(?:a single|1) (?:short |concise |single )?paragraph(?: only)?",
            |_, _| Some(Check::Paragraphs { count: 1 }),
        ),
        (
            Answer,
            r"(?:in|into|with|using|as|be|write|use|(?:answer|reply|respond)(?: in| with)?) (?:exactly |precisely )?{N} (?:short |concise )?paragraphs",
            paragraphs,
        ),
    ]
}

fn quoted() -> Vec<(Scope, &'static str, Build)> {
    use Scope::Answer;
    let starts: Build = |c, q| Some(Check::StartsWith { text: quote(c, q)? });
    let ends: Build = |c, q| Some(Check::EndsWith { text: quote(c, q)? });
    vec![
        (
            Answer,
            r"(?:end(?:s|ed|ing)?|finish(?:es|ed|ing)?|clos(?:e|es|ed|ing)|conclud(?:e|es|ed|ing)|sign(?:ed|ing)? off|wrap(?:ped|ping)? up)(?: off)?(?: (?:it|this|that|things|everything|(?:your|the|all|all your|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))?(?: (?:with|by (?:saying|writing|adding|stating|including)|on))?(?: exactly)?(?: (?:the|this|that|a|my))?(?: (?:exact|closing|final|last|short|standard|usual))?(?: (?:words?|phrase|line|sentence|disclaimer|note|reminder|statement|text|warning))?(?: (?:saying|that says|of|reading|that reads))? {Q}",
            ends,
        ),
        (
            Answer,
            r"(?:put|add|write|include|say|append|place|attach|have|needs?|wants?|expects?|with|stick)(?: (?:the|this|a|my))?(?: (?:exact|closing|final|short|standard|usual))?(?: (?:words?|phrase|line|sentence|disclaimer|note|reminder|statement|text|warning))?(?: (?:saying|that says))? {Q} (?:(?:at|to) the (?:very )?(?:end|bottom|close)|as (?:the|your|a) (?:very )?(?:last|final|closing) (?:line|sentence|words?|thing))(?: of (?:it|this|that|(?:your|the|all|all your|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))?",
            ends,
        ),
        (
            Answer,
            r"(?:at the (?:very )?end|as (?:the|your|a) (?:very )?(?:last|final|closing) (?:line|sentence|words?))(?: of (?:it|this|that|(?:your|the|all|all your|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))? (?:put|add|write|include|say|append|place|always (?:put|add|write|say))(?: (?:the|this|a|my))?(?: (?:exact|closing|final|short|standard|usual))?(?: (?:words?|phrase|line|sentence|disclaimer|note|reminder|statement|text))? {Q}",
            ends,
        ),
        (
            Answer,
            r"(?:the|your) (?:very )?(?:last|final|closing) (?:line|sentence|words?)(?: of (?:your|the|every|each) (?:answers?|repl(?:y|ies)|responses?))? (?:should|must|has to|have to|needs to|need to|is to|ought to) (?:always )?(?:be|read|say) {Q}",
            ends,
        ),
        (
            Answer,
            r"make {Q} (?:the|your) (?:very )?(?:last|final|closing) (?:thing|line|sentence|words?)(?: you (?:say|write))?",
            ends,
        ),
        (
            Answer,
            r"{Q} (?:must|should|has to|needs to) (?:always )?(?:be|come|go|appear|stand) (?:at the (?:very )?end|last|the (?:last|final|closing) (?:line|sentence|words?))(?: of (?:your|the|every|each) (?:answers?|repl(?:y|ies)|responses?))?",
            ends,
        ),
        (
            Answer,
            r"(?:start(?:s|ed|ing)?|begin(?:s|ning)?|open(?:s|ed|ing)?|lead(?:s|ing)?)(?: off)?(?: (?:it|this|that|(?:your|the|all|all your|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))?(?: (?:with|by (?:saying|writing|stating)))(?: exactly)?(?: (?:the|this|that|a|my))?(?: (?:exact|opening|first|short|standard|usual))?(?: (?:words?|phrase|line|sentence|greeting|text|heading|title))?(?: (?:saying|that says|of|reading))? {Q}",
            starts,
        ),
        (
            Answer,
            r"(?:put|add|write|include|say|place)(?: (?:the|this|a))?(?: (?:words?|phrase|line|sentence|greeting|text|warning|disclaimer|note))? {Q} (?:at the (?:very )?(?:start|beginning|top)|as (?:the|your) (?:very )?(?:first|opening) (?:line|sentence|words?))(?: of (?:it|this|that|(?:your|the|all|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))?",
            starts,
        ),
        (
            Answer,
            r"(?:the|your) (?:very )?(?:first|opening) (?:line|sentence|words?)(?: of (?:your|the|every|each) (?:answers?|repl(?:y|ies)|responses?))? (?:should|must|has to|have to|needs to|need to|is to|ought to) (?:always )?(?:be|read|say) {Q}",
            starts,
        ),
        (
            Answer,
            r"(?:avoid(?: using| saying| writing| mentioning)?|(?:don't|do not|never|please don't)(?: ever)? (?:use|say|write|mention|include|repeat)|stop (?:using|saying|writing|mentioning|repeating)|leave out|without(?: using| saying| mentioning)?)(?: (?:the|this|that))?(?: (?:words?|phrases?|terms?|expressions?))? {Q}",
            |c, q| Some(Check::Excludes { text: quote(c, q)? }),
        ),
        (
            Answer,
            r"(?:include|mention|contain|use|say|have)(?:s|ing)?(?: (?:the|this|that))?(?: (?:exact|following))? (?:words?|phrases?|terms?|keywords?|sentence|disclaimer|line|expression) {Q}(?: (?:somewhere|in (?:it|your (?:answers?|repl(?:y|ies)|responses?)|the (?:answer|reply|response)|every (?:answer|reply|response))))?",
            |c, q| Some(Check::Contains { text: quote(c, q)? }),
        ),
        (
            Answer,
            r"(?:include|mention|contain)(?:s|ing)? {Q}(?: (?:somewhere|in (?:it|your (?:answers?|repl(?:y|ies)|responses?)|the (?:answer|reply|response)|every (?:answer|reply|response))))?",
            |c, q| Some(Check::Contains { text: quote(c, q)? }),
        ),
    ]
}

fn structures() -> Vec<(Scope, &'static str, Build)> {
    use Scope::{Answer, Part};
    let code_first: Build = |_, _| Some(Check::CodeFirst);
    let no_list: Build = |_, _| Some(Check::NoList);
    let numbered_items: Build = |c, _| {
        let count = number(c).filter(|n| *n >= 2)?;
        Some(Check::All { checks: vec![Check::NumberedList, Check::ListItems { count }] })
    };
    let bullet_items: Build = |c, _| {
        let count = number(c).filter(|n| *n >= 2)?;
        Some(Check::All { checks: vec![Check::BulletList, Check::ListItems { count }] })
    };
    vec![
        // No list, before any list.
        (
            Answer,
            r"{NOT} (?:a |any |the )?(?:bullet(?:ed)?[- ]?points?|bullet(?:ed)? lists?|bullets?|lists?)(?: of any kind)? (?:or|and|nor) (?:any )?(?:numbered |bullet(?:ed)? |numbers? in )?lists?(?: of any kind)?",
            no_list,
        ),
        (
            Answer,
            r"{NOT} (?:a |any )?(?:numbered|ordered) (?:lists?|points) (?:or|and|nor) (?:any )?(?:bullet[- ]?points|bullet(?:ed)? lists?|bullets?)",
            no_list,
        ),
        (Answer, r"{NOT} (?:a |any )?lists?(?: of any kind| at all| format(?:ting)?)?", no_list),
        (
            Answer,
            r"(?:in |as |write |use |using |with )*(?:plain |flowing |normal |continuous |full )*(?:prose|paragraphs|sentences|text) (?:instead of|rather than|not|and not|and no|without) (?:in |as |a |any )*(?:bullet(?:ed)? )?lists?",
            no_list,
        ),
        (
            Answer,
            r"{NOT} (?:a |any |the |those |these )?(?:numbered|ordered|enumerated) (?:lists?|points|items)(?: at all)?",
            |_, _| Some(Check::NoNumberedList),
        ),
        (
            Answer,
            r"{NOT} (?:a |any |the |those |these )?(?:bullet(?:ed)?[- ]?points?|bullet(?:ed)? lists?|bulleted format(?:ting)?|bullets?)(?: at all)?",
            |_, _| Some(Check::NoBulletList),
        ),
        // Lists.
        (
            Part,
            r"(?:a |the )?numbered list (?:of|with) (?:exactly )?{N} (?:items|steps|points|entries|tips)",
            numbered_items,
        ),
        (Part, r"(?:exactly )?{N} numbered (?:items|steps|points|tips)", numbered_items),
        (
            Part,
            r"(?:a |the )?(?:bullet(?:ed)?|bullet[- ]point) list (?:of|with) (?:exactly )?{N} (?:items|bullets|points|entries|tips)",
            bullet_items,
        ),
        (
            Part,
            r"(?:in|as|with|using|use|give me|write|into|exactly|want) (?:exactly )?{N} (?:short |concise |brief )?(?:bullets|bullet[- ]?points|bulleted points)",
            bullet_items,
        ),
        (Part, r"(?:a |1 )?list (?:of|with) exactly {N} (?:items|points|entries|steps)", |c, _| {
            Some(Check::ListItems { count: number(c).filter(|n| *n >= 2)? })
        }),
        (
            Part,
            r"(?:as |in |into |with |using |use |to |give me |want |by )*(?:a |an |the )?(?:clearly )?(?:(?:numbered|ordered|enumerated) (?:lists?|steps|format|instructions|points|items|form|sequence|order)|numbered step[- ]by[- ]step (?:list|instructions|format)|number(?:ing)? (?:the |your |each |all |all the |all of the |every |these |those |them|out the )*(?:steps?|instructions?|points?|items?)?|(?:list|put|write|give|show|lay out|present|want|need|have|like|get) (?:the |your |all |all the )?(?:steps|instructions|directions) (?:numbered|with numbers)|(?:steps|instructions|directions) (?:should be|must be|need to be|to be|have to be) (?:clearly )?numbered|enumerate (?:the |your |all |all the )?(?:steps|instructions|points))",
            |_, _| Some(Check::NumberedList),
        ),
        (
            Part,
            r"(?:as |in |into |with |using |use |to |give me |want |by )*(?:a |an |the )?(?:short |simple |clear |concise )?(?:(?:bullet(?:ed)?|bullet[- ]point|unordered) (?:lists?|form|format)|bullet[- ]?points|bulleted points|bullets)",
            |_, _| Some(Check::BulletList),
        ),
        // Tables.
        (
            Part,
            r"(?:as|in|into|using|use|include|add|make|give me|show me|with|want|need|like|prefer|to|of) (?:a |an )?(?:markdown |simple |small |short |comparison |clear |neat |summary )*(?:table|tabular form(?:at)?|table form(?:at)?|tables)",
            |_, _| Some(Check::Table),
        ),
        // Code.
        (
            Answer,
            r"{NOT} (?:any |the )?(?:source )?code(?: examples?| snippets?| samples?)?(?: at all| of any kind)?",
            |_, _| Some(Check::NoCode),
        ),
        (
            Answer,
            r"(?:(?:start|begin|lead|open)(?:s|ing)?(?: off)?(?: (?:it|this|(?:your|the|every|each|all|all your) (?:answers?|repl(?:y|ies)|responses?|messages?)))?(?: straight| right| directly| immediately)? with (?:the |a |your |some )?(?:actual |working |complete |full |fenced )*(?:code(?: block| snippet| example| sample| listing)?))(?: (?:first|itself))?",
            code_first,
        ),
        (
            Answer,
            r"(?:(?:put|show|give|place|write|have|present|want|need|like|prefer|get|see|with|provide|post|send)(?: (?:me|us))? )?(?:the |a |your )?(?:actual |working |complete |full |fenced )*code(?: block| snippet| example| sample| listing)? (?:should |must |has to |needs to |to |always |has got to )*(?:be |come |comes |go |goes |appear |appears )?(?:(?:at |on |in )the (?:very )?(?:top|start|beginning)(?: of (?:it|(?:your|the|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))?|first|up front|upfront|right away at the top|before (?:the |any |your |all |all the )*(?:explanations?|text|prose|words|talk(?:ing)?|explaining|anything(?: else)?|everything(?: else)?|discussion|commentary|description))(?: (?:please|always))?",
            code_first,
        ),
        (
            Answer,
            r"(?:first|lead with|open with) (?:show |give |put |write |post |comes |present )?(?:me )?(?:the |a |your )?code(?: block| snippet| example)?",
            code_first,
        ),
        (
            Part,
            r"(?:always )?(?:put|place|wrap|show|give|write|post|format|present)(?: (?:me|us))? (?:the |your |any |all |all the )?code (?:in|inside|into|within|as) (?:a |an )?(?:fenced |markdown |proper |separate )*(?:code )?(?:blocks?|fences?)",
            |_, _| Some(Check::Code),
        ),
        (
            Part,
            r"(?:include|add|give(?: me)?|show(?: me)?|provide|with|want|need|use|have|contain|see) (?:a |an |the |some |at least 1 |1 |your )?(?:working |short |small |concrete |complete |runnable |fenced |full |sample |example |actual )*code(?: (?:blocks?|snippets?|examples?|samples?))?",
            |_, _| Some(Check::Code),
        ),
        // JSON.
        (
            Answer,
            r"(?:as|in|return|output|using|use|only|with|send|give me|produce) (?:only |just |a |an |the |valid |raw |pure |plain |strict |single |well-formed )*json(?: (?:object|array|document|format|only|output))*",
            |_, _| Some(Check::Json),
        ),
    ]
}

fn manners() -> Vec<(Scope, &'static str, Build)> {
    use Scope::Answer;
    let lower: Build = |_, _| Some(Check::LowerCase);
    let upper: Build = |_, _| Some(Check::UpperCase);
    let question: Build = |_, _| Some(Check::EndsWithQuestion);
    vec![
        (
            Answer,
            r"{NOT} (?:any |the |all the |those |these |so many |so much )?(?:emojis?|emoticons or emojis)(?: at all| of any kind)?",
            |c, _| {
                // "Not so many emojis" allows some.
                (!c[0].contains("so m")).then_some(Check::NoEmoji)
            },
        ),
        (
            Answer,
            r"{NOT} (?:any )?(?:capital(?:s| letters?)|upper[- ]?case(?: letters?)?|capitali[sz]ation)(?: at all)?",
            lower,
        ),
        (
            Answer,
            r"(?:entirely |completely |strictly |only )?(?:in |use |using |with |be |write )+(?:all |only |entirely |just |everything in )*(?:lower[- ]?case)(?: letters?)?(?: only)?|all lower[- ]?case|lower[- ]?case (?:letters )?only",
            lower,
        ),
        (
            Answer,
            r"(?:in |use |using |with |be |write )+(?:all |only |entirely |just )*(?:upper[- ]?case|capital letters|caps|all[- ]caps)(?: letters?)?(?: only)?|all upper[- ]?case|all capital letters",
            upper,
        ),
        (
            Answer,
            r"(?:end|finish|close|conclude|wrap up)(?:s|ing)?(?: off)?(?: (?:it|this|that|(?:your|the|all|all your|every|each) (?:answers?|repl(?:y|ies)|responses?|messages?)))? (?:with|by asking|on)(?: me)? (?:a |1 )(?:short |brief |single |clarifying |follow[- ]?up |open |open-ended |closing |friendly |relevant |simple |quick )*question(?: (?:to|for) me| back to me)?",
            question,
        ),
        (
            Answer,
            r"(?:ask|pose)(?: me)? (?:a |1 )(?:short |brief |single |clarifying |follow[- ]?up |open |open-ended |closing )*question at the (?:very )?end(?: of (?:your|the|every|each) (?:answers?|repl(?:y|ies)|responses?))?",
            question,
        ),
        (
            Answer,
            r"(?:the|your) (?:last|final|closing) sentence (?:should|must|has to|needs to) (?:always )?be a question",
            question,
        ),
        (
            Answer,
            r"(?:(?:in|into|to|use|using|speak|write|only|with) )+(?:simplified |mandarin )?chinese(?: only)?(?:,? not (?:in )?english)?",
            |_, _| Some(Check::Chinese),
        ),
        (
            Answer,
            r"(?:(?:in|into|to|use|using|speak|write|only|with) )+english(?: only)?(?:,? not (?:in )?\w+)?",
            |_, _| Some(Check::English),
        ),
    ]
}
