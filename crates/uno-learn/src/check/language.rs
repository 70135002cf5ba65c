//! Telling languages apart, for whole answers: by script where that is enough, else by the commonest short words.

/// Common short words of English, and of the languages that share its letters. None is in both lists.
const ENGLISH: &[&str] = &[
    "the", "and", "of", "to", "is", "that", "it", "for", "with", "you", "your", "this", "are", "be", "can",
    "or", "have", "not", "if", "will", "from", "which", "when", "how", "has", "but", "they", "their",
    "should", "would",
];
const OTHERS: &[&str] = &[
    "el", "los", "las", "una", "que", "por", "para", "con", "le", "les", "des", "une", "et", "est", "pour",
    "dans", "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "il", "che", "di", "per", "della",
    "os", "um", "uma", "em", "het", "een", "och", "att", "jest", "nie", "się", "yang", "dan", "của", "và",
    "bir", "ve",
];

/// Whether at least half of the letters are CJK ideographs and none is Japanese kana or Korean.
pub(super) fn is_chinese(text: &str) -> bool {
    let (mut letters, mut ideographs) = (0usize, 0usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        if matches!(c, '\u{3040}'..='\u{30FF}' | '\u{AC00}'..='\u{D7AF}') {
            return false;
        }
        letters += 1;
        ideographs += usize::from(('\u{3400}'..='\u{9FFF}').contains(&c));
    }
    letters > 0 && ideographs * 2 >= letters
}

/// Whether nine letters in ten are ASCII and English function words outnumber those of other languages. A text of
/// fewer than six words needs no function words, but none of another language either.
pub(super) fn is_english(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let ascii = text.chars().filter(char::is_ascii_alphabetic).count();
    if letters == 0 || ascii * 10 < letters * 9 {
        return false;
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
    let count = |list: &[&str]| words.iter().filter(|w| list.contains(w)).count();
    let (english, others) = (count(ENGLISH), count(OTHERS));
    if words.len() < 6 {
        others == 0
    } else {
        english > others && (english * 20 >= words.len() || others == 0)
    }
}

/// A language besides Chinese and English.
struct Known {
    code: &'static str,
    english: &'static str,
    chinese: &'static str,
    tells: Tells,
}

/// What tells a language.
enum Tells {
    /// Letters of these ranges, which no other language of the list uses.
    Script(&'static [(char, char)]),
    /// Common short words that are rare in the other languages with Latin letters.
    Words(&'static [&'static str]),
}

const KNOWN: &[Known] = &[
    Known {
        code: "de",
        english: "German",
        chinese: "德语",
        tells: Tells::Words(&[
            "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "mit", "auf", "für", "sie", "zu",
            "den",
        ]),
    },
    Known {
        code: "fr",
        english: "French",
        chinese: "法语",
        tells: Tells::Words(&[
            "le", "les", "des", "une", "et", "est", "pour", "dans", "vous", "avec", "pas", "sur", "du", "au",
        ]),
    },
    Known {
        code: "es",
        english: "Spanish",
        chinese: "西班牙语",
        tells: Tells::Words(&[
            "el", "los", "las", "una", "y", "es", "para", "con", "por", "del", "más", "lo", "se", "como",
        ]),
    },
    Known {
        code: "it",
        english: "Italian",
        chinese: "意大利语",
        tells: Tells::Words(&[
            "il", "che", "di", "per", "della", "è", "sono", "con", "gli", "nel", "una", "non", "anche", "si",
        ]),
    },
    Known {
        code: "pt",
        english: "Portuguese",
        chinese: "葡萄牙语",
        tells: Tells::Words(&[
            "os", "um", "uma", "em", "não", "com", "você", "para", "é", "do", "da", "mais", "ao", "são",
        ]),
    },
    Known {
        code: "nl",
        english: "Dutch",
        chinese: "荷兰语",
        tells: Tells::Words(&[
            "het", "een", "van", "en", "niet", "dat", "voor", "op", "met", "zijn", "je", "ook", "aan",
            "wordt",
        ]),
    },
    Known {
        code: "ru",
        english: "Russian",
        chinese: "俄语",
        tells: Tells::Script(&[('\u{0400}', '\u{04FF}')]),
    },
    Known {
        code: "ja",
        english: "Japanese",
        chinese: "日语",
        tells: Tells::Script(&[('\u{3040}', '\u{30FF}')]),
    },
    Known {
        code: "ko",
        english: "Korean",
        chinese: "韩语",
        tells: Tells::Script(&[('\u{AC00}', '\u{D7AF}')]),
    },
    Known {
        code: "ar",
        english: "Arabic",
        chinese: "阿拉伯语",
        tells: Tells::Script(&[('\u{0600}', '\u{06FF}')]),
    },
    Known {
        code: "hi",
        english: "Hindi",
        chinese: "印地语",
        tells: Tells::Script(&[('\u{0900}', '\u{097F}')]),
    },
];

fn known(code: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.code == code)
}

/// The code of a language by its English or Chinese name, for those of [`uno_types::Check::Language`].
pub(super) fn code(name: &str) -> Option<&'static str> {
    let alias = match name {
        "法文" => "法语",
        "德文" => "德语",
        "日文" => "日语",
        "韩文" => "韩语",
        "俄文" => "俄语",
        "西班牙文" => "西班牙语",
        name => name,
    };
    KNOWN.iter().find(|k| k.english.eq_ignore_ascii_case(alias) || k.chinese == alias).map(|k| k.code)
}

/// A language's English name; the code where it is none of ours.
pub(crate) fn english(code: &str) -> &str {
    known(code).map_or(code, |k| k.english)
}

/// A language's Chinese name; the code where it is none of ours.
pub(crate) fn chinese(code: &str) -> &str {
    known(code).map_or(code, |k| k.chinese)
}

/// Whether `text` is in the language `code`. By script: a third of its letters at least (Japanese mixes scripts). By words:
/// more of the language's own than of English and than of any other language here, and one word in ten at least.
pub(super) fn is_in(code: &str, text: &str) -> bool {
    let Some(language) = known(code) else { return false };
    match language.tells {
        Tells::Script(ranges) => {
            let letters = text.chars().filter(|c| c.is_alphabetic()).count();
            let own = text.chars().filter(|c| ranges.iter().any(|(a, b)| (*a..=*b).contains(c))).count();
            own > 0 && own * 3 >= letters
        }
        Tells::Words(own) => {
            let lower = text.to_lowercase();
            let words: Vec<&str> =
                lower.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
            let count = |list: &[&str]| words.iter().filter(|w| list.contains(w)).count();
            let mine = count(own);
            let others = KNOWN.iter().filter(|k| k.code != code).map(|k| match k.tells {
                Tells::Words(list) => count(list),
                Tells::Script(_) => 0,
            });
            mine > 0
                && mine * 10 >= words.len()
                && mine > count(ENGLISH)
                && others.max().is_none_or(|o| mine > o)
        }
    }
}
