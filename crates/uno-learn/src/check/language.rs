//! Telling Chinese and English apart from other languages, for whole answers.

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
