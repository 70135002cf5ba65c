//! What a clause says beside the properties that were found in it, and whether that may be ignored.

use std::sync::LazyLock;

use regex::Regex;

use super::text::regex;

/// Stands in a clause where a property was taken out.
pub(super) const HOLE: &str = "§";

/// Words that demand nothing by themselves: who asks, politeness, time, the answer as a whole, verbs of writing.
const FILLER: &str = " i i'd i'm i've we you you're your me my us our it it's its this that these those them \
 please kindly pls plz thanks thank just always simply again still now on from next time times today onwards forward going \
 the a an to be is are as in of for at with so and also then too both \
 should must can could would will shall may need needs want wanted wants like prefer have has had got ought let's let \
 asked said told requested meant expect expected \
 make sure ensure remember keep stay do try get give provide write answer answers answering reply replies replying \
 respond responding response responses message messages output format formatted formatting present presented style \
 put use using show say state send return produce phrase \
 everything all whole entire entirely full complete overall total length future later \
 there there's respect observe switch ok okay hey hi hmm well yes actually really very much more bit little better best instead rule \
 exactly strictly only know but include contain contains wrapped team boss manager company compliance legal department ";

/// Words after which a structure may not be believed: negation, doubt, condition, choice, scope, praise, the past,
/// and verbs that make the structure an object of talk.
const BLOCKERS: &str = " not no never none nor neither don't doesn't didn't isn't aren't won't wouldn't can't cannot without \
 unless except if when whenever while although though until otherwise whether or either each every per any some \
 about around roughly approximately maybe perhaps probably ideally almost nearly \
 avoid stop skip drop remove omit ditch rather why what how did does was were used gave wrote made liked loved love \
 enjoyed great nice perfect good helpful bad wrong hate hated dislike than too \
 explain describe discuss read check fix follow refer see compare translate convert parse debug review analyze analyse \
 define summarize summarise bold highlight cite mention avoid both fewer less shorter longer smaller larger bigger simpler \
 contents optional ";

/// Words of checkable properties: left in a clause, they say that something was not understood.
const KEYWORDS: &str = " word words sentence sentences paragraph paragraphs list lists listed bullet bullets bulleted numbered \
 number numbers table tables column columns row rows code snippet json yaml xml markdown html heading headings header headers title \
 uppercase lowercase caps capital capitals emoji emojis question questions chinese english french spanish german \
 language character characters letter letters page pages line lines section sections item items start starts begin \
 begins end ends first last finally opening closing ";

/// Verbs that begin a demand.
const IMPERATIVES: &str = " add answer ask avoid be begin bold break bring capitalize change check choose cite clarify compare complete \
 consider convert correct cover create cut define describe discuss do don't double draw emphasize end ensure estimate \
 explain expand finish fix focus follow format give go highlight ignore imagine improve include insert introduce \
 italicize justify keep label leave let limit link list look make mention move name never note number offer omit \
 organize outline phrase pick place point prioritize propose prove provide put quote rank read recommend reduce refer \
 remember remind remove repeat rephrase replace reply report respond restrict return rewrite round say select separate \
 set shorten show simplify skip sort speak specify split start state stick stop suggest summarize summarise support take \
 talk tell test think translate treat try turn update use verify write only always instead rather ";

/// Phrases that are soft, vague or void, and may be ignored before anything else is looked at.
static VOID: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \b (?:
          (?:every|each)(?:\ single)?\ (?:time|answer|reply|response|message)s?
        | per\ (?:answer|reply|response|message)
        | for\ (?:all\ |any\ |the\ |your\ )?(?:\w+\ )?(?:questions|tips|topics|advice)
        | (?:and\ )?(?:not|instead\ of|rather\ than|don't\ write|do\ not\ write|no)(?:\ as|\ in|\ just)?(?:\ a|\ an|\ one|\ 1)?(?:\ big|\ long|\ single|\ giant|\ whole)?
          \ (?:(?:block|wall|lump|chunk)\ of\ text|prose|paragraphs?|essay|lecture|novel|book|speech|running\ text)
        | 1\ (?:step|item|point)\ (?:per|on\ each|on\ every|a)\ line | with\ (?:all\ )?(?:the\ )?steps
        | would\ help(?:\ me)?(?:\ a\ lot)? | don't\ make\ me\ (?:scroll|wait|search)
        | (?:in|for|of|with|to)\ (?:every|each|all|any)(?:\ of\ your|\ your|\ the)?(?:\ single)?\ (?:answer|reply|replie|response|message)s?
        | (?:no\ matter\ what|regardless)
        | when(?:ever)?\ (?:you(?:'re|\ are)?\ |i\ )?(?:answer|reply|respond|answering|replying|responding|ask|asking)(?:\ (?:me|you|to\ me|my\ questions?|questions?|a\ question|for\ (?:help|advice|code|a\ recipe|recipes|steps|instructions)|(?:you\ )?something|like\ this))*
        | when(?:ever)?\ (?:you(?:'re|\ are)?\ )?(?:give|giving|explain|explaining|write|writing|provide|providing)(?:\ me)?(?:\ (?:a|the|an|any))?\ (?:answers?|steps|instructions|recipes?|directions)
        | for\ (?:questions|topics|things|answers)\ like\ (?:this|that|these)
        | (?:if\ (?:possible|you\ can|you\ don't\ mind|you\ could|you\ would))
        | would\ (?:be|have\ been|make\ it|work)\ (?:so\ much\ |much\ |a\ lot\ |way\ )?(?:great|good|nice|better|best|helpful|easier|ideal|perfect|clearer|fine|appreciated|useful)(?:\ (?:for\ me|to\ (?:read|follow|use|scan)))*
        | (?:is|are|works?|reads?)\ (?:so\ much\ |much\ |a\ lot\ |way\ |far\ )?(?:better|best|easier|clearer|nicer)(?:\ (?:for\ me|to\ (?:read|follow|use|scan)))*
        | (?:how|what)\ about | is\ it\ possible\ to | do\ you\ mind | would\ you\ mind | may\ i\ have | can\ i\ (?:get|have) | i\ would
        | (?:don't|do\ not|never)\ forget(?:\ to|\ that)? | be\ sure\ to | see\ to\ it\ that
        | from\ now\ on | going\ forward | in\ (?:the\ )?future | as\ i\ (?:said|asked|told\ you)(?:\ before)? | like\ i\ (?:said|asked)
        | that's\ it | at\ all\ times | without\ exception | on\ its\ own\ line | on\ a\ (?:new|separate)\ line | verbatim | word\ for\ word | in\ total
        | (?:or\ )?(?:i|else\ i)\ (?:get\ lost|lose\ track|can't\ follow)
        ) \b",
    )
});

static LIST_VERB: LazyLock<Regex> = LazyLock::new(|| regex(r"\blist (the|all|your|my|them|out|every)\b"));

/// What an answer that opens with code leaves out anyway.
static INTRODUCTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(?:skip|drop|no|without) (?:the |any )?(?:introduction|intro|preamble|small talk|chit-?chat)s?(?: and)?\b",
    )
});

/// Removes void phrases.
pub(super) fn without_void(clause: &str) -> String {
    // "List" as a verb says no more than "show".
    let mut clause = LIST_VERB.replace_all(clause, "show $1").into_owned();
    if clause.contains("code") {
        clause = INTRODUCTION.replace_all(&clause, " ").into_owned();
    }
    VOID.replace_all(&clause, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Complaints that turn into the demand that they complain about.
static COMPLAINT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \b (?: you\ (?:forgot|missed|left\ out|skipped|dropped|ignored)(?:\ to|\ about)?
          | you\ (?:still\ |again\ )?(?:didn't|did\ not|haven't)(?:\ (?:use|give\ me|put|include|add|write|provide|make|do))?
          | why\ didn't\ you
          | (?P<lack> where(?:'s|\ is|\ are|\ was) | there(?:'s|\ is|\ was)\ no | i\ don't\ see | missing ) ) \b",
    )
});

/// Turns a complaint into the demand behind it; `None` when the clause is none.
pub(super) fn complaint(clause: &str) -> Option<String> {
    let found = COMPLAINT.captures(clause)?;
    let span = found.get(0).filter(|m| m.start() <= 12)?;
    let (before, after) = (&clause[..span.start()], clause[span.end()..].trim_start());
    let needless = after.starts_with("need") || after.starts_with("have");
    let verb = if found.name("lack").is_some() { "include" } else { "" };
    (!needless && is_filler(before)).then(|| format!("{before} {verb} {after}").trim().to_owned())
}

/// Words after which nothing more is demanded: "explanation after it", "then explain".
static AFTER_CODE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:and )?(?:then )?(?:before (?:any|the|all) (?:text|explanations?|words|prose)|(?:put |give |add |with )?(?:the |any |your |all )*(?:explanations?|text|details|talk|words|rest|commentary|discussion) ?(?:should |can |must |may |to )*(?:come |comes |go |goes |follow |follows )?(?:after(?:wards?| it| that| the code)?|below(?: it)?|later|second|underneath)?|(?:you can )?explain(?: it| everything| the code| what it does)?(?: after(?:wards?| it| that| the code)?| below| later)?)$",
    )
});

/// Whether the clause only says that the explanation follows the code.
pub(super) fn is_code_aftermath(clause: &str) -> bool {
    AFTER_CODE.is_match(clause)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",()/\"-".contains(c)).filter(|w| !w.is_empty())
}

fn listed(list: &str, word: &str) -> bool {
    // Lists begin and end with a space, so that whole words are found.
    list.contains(&format!(" {word} "))
}

/// Whether all that is left beside the [`HOLE`]s is filler.
pub(super) fn is_filler(rest: &str) -> bool {
    words(rest).all(|w| w == HOLE || listed(FILLER, w))
}

/// As [`is_filler`], but what is put into the structure may be named: before the hole, or after it with "for" or "of".
pub(super) fn is_filler_or_content(rest: &str) -> bool {
    let Some((before, after)) = rest.split_once(HOLE) else { return false };
    let after = after.replace(HOLE, " ");
    let content = |part: &str| {
        words(part).all(|w| {
            !listed(BLOCKERS, w)
                && !listed(KEYWORDS, w)
                && !w.starts_with("QUOTE")
                && !w.contains(|c: char| c.is_ascii_digit())
        })
    };
    let single = |part: &str| words(part).filter(|w| !listed(FILLER, w)).count() <= 4 && !joins(part);
    let before_ok = is_filler(before) || (content(before) && single(before) && !commands(before));
    let first = words(&after).find(|w| !["please", "too", "again"].contains(w)).unwrap_or("");
    let after_ok = is_filler(&after)
        || (["for", "of", "to"].contains(&first)
            && content(&after)
            && single(&after)
            && !after.contains(" with "));
    before_ok && after_ok
}

/// Whether unknown words are joined to others: one of the two may be a demand of its own.
fn joins(part: &str) -> bool {
    words(part).any(|w| ["and", "then", "also", "but", "plus", "with"].contains(&w)) && !is_filler(part)
}

/// Whether the part before the hole begins with a verb that is no verb of writing.
fn commands(part: &str) -> bool {
    const WRITING: &str = " give list make show put write present format organize provide break turn lay structure display arrange \
     number state return include say use want need answer reply respond keep split try be ";
    words(part).any(|w| listed(IMPERATIVES, w) && !listed(WRITING, w) && !listed(FILLER, w))
}

static SOFT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:please |just |so |and |can you |could you |next time )*(?:be (?:more |very )?(?:brief|concise|short|direct|succinct)|keep (?:it|this|that|things|answers|your answers?) (?:short|shorter|brief|concise|simple|tight)|make (?:it|this|that) (?:short|shorter|brief|simpler|simple)|shorten (?:it|this|that)|short(?:er)?|brief(?:er)?|try (?:it |that |this )?again|redo (?:it|this|that)|rewrite (?:it|this|that)|do (?:it|this|that) (?:again|over)|cut (?:it|this|that) down|trim (?:it|this|that)(?: down)?|keep that in mind|stick to (?:it|that|this)|remember (?:that|this|it)|do (?:that|this|it)|give it another (?:go|try))(?: please| next time| again| for me)*$",
    )
});

/// Whether a clause in which no property was found demands nothing: small talk, praise, blame, a reason.
pub(super) fn is_idle(clause: &str) -> bool {
    if SOFT.is_match(clause) || is_filler(clause) {
        return true;
    }
    if is_about_oneself(clause) {
        return true;
    }
    const DEMANDS: &str =
        " should must don't never always only if unless except instead otherwise when whenever ";
    let first =
        words(clause).find(|w| !["please", "and", "so", "then", "also", "just", "but", "or"].contains(w));
    let begins = first.is_some_and(|w| listed(IMPERATIVES, w));
    let asks = clause.contains("can you")
        || clause.contains("could you")
        || clause.contains("make sure")
        || clause.contains("please ");
    let named = words(clause).any(|w| {
        listed(KEYWORDS, w)
            || listed(DEMANDS, w)
            || w.starts_with("QUOTE")
            || w.contains(|c: char| c.is_ascii_digit())
    });
    !begins && !asks && !named
}

/// Whether the clause tells of the user, who asks for nothing in it.
fn is_about_oneself(clause: &str) -> bool {
    const WISHES: &str = " want wanted need needed prefer like love ask asked asking said told expect expected wish hope would \
         i'd should must mean meant if unless require please ";
    let first = words(clause).next();
    if clause.starts_with("i don't need") {
        return !words(clause).any(|w| listed(KEYWORDS, w) || w.contains(|c: char| c.is_ascii_digit()));
    }
    let about = first.is_some_and(|w| ["i", "i'm", "i've", "my", "thanks", "thank"].contains(&w));
    let quantity =
        clause.contains(|c: char| c.is_ascii_digit()) && words(clause).any(|w| listed(KEYWORDS, w));
    about && !quantity && words(clause).all(|w| !listed(WISHES, w) && !w.starts_with("QUOTE"))
}

/// Whether a clause that follows a property in the same sentence adds nothing to it.
pub(super) fn is_appendix(clause: &str) -> bool {
    let first = words(clause).next().unwrap_or("");
    let comment =
        ["it", "it's", "that", "that's", "this", "they", "they're", "these", "those", "thanks", "thank"]
            .contains(&first)
            && is_idle(clause);
    SOFT.is_match(clause) || is_filler(clause) || is_about_oneself(clause) || comment
}

static REASON: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:^|\s)(?:because|since i|since it|as i am|as i'm|so that|so i|so it|otherwise i|it's easier|i find it|i read|i'm on|i am on|that way)\b.*$",
    )
});

/// Cuts off the reason that a clause gives.
pub(super) fn without_reason(clause: &str) -> String {
    REASON.replace(clause, "").trim().to_owned()
}

static NO_DEMAND: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) ^ (?:(?:but|and|so|well|ok|oh)\ )*
          (?: you\ (?:may|can|could|might|are\ (?:allowed|free|welcome)\ to|don't\ (?:have|need)\ to|needn't) \b
            | feel\ free | it(?:'s|\ is)\ (?:ok|okay|fine|all\ right)
            | (?:thanks|thank\ you|thx)(?:\ (?:a\ lot|so\ much|very\ much))?\ for\b
            | (?:(?:my|our|his|her|their|the)\ (?:\w+\ )?\w+|he|she|they|somebody|someone)\ (?:told|asked|taught|reminded)\ (?:me|us)\b
            | you\ (?:(?:always|still|again|just|keep|kept|often|usually|sometimes|never|already|also)\ )*
              (?:start|begin|began|end|use|using|write|wrote|writing|give|gave|giving|put|answer|repl(?:y|ied)|respond|include|add|mention|say|said|open|close|finish|show)(?:e?d|ing)? \b )",
    )
});

/// Whether the clause asks for something beside what it names.
pub(super) fn asks_for_more(clause: &str) -> bool {
    ["but also", "as well as", "along with", "together with"].iter().any(|words| clause.contains(words))
}

/// Whether the clause permits, praises or reports what it names: "you may use bullets", "thanks for the table", "you always start
/// with …", "my boss told me to …".
pub(super) fn is_permission_or_report(clause: &str) -> bool {
    NO_DEMAND.is_match(clause)
}

static FOR_SOME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(?:for|in|with|on) (?:simple|simpler|long|longer|short|shorter|complex|complicated|easy|easier|hard|harder|difficult|big|small|quick|trivial|some|certain|most|many|other)\b",
    )
});

/// Whether the sentence is about some answers only: "for long answers".
pub(super) fn is_about_some(sentence: &str) -> bool {
    FOR_SOME.is_match(sentence)
}
