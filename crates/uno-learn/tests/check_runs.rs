//! Checks on answers as language models write them: with Markdown, nested lists, code.

use uno_learn::check::holds;
use uno_types::Check;

fn assert_holds(check: &Check, yes: &[&str], no: &[&str]) {
    for answer in yes {
        assert!(holds(check, answer), "{check:?} should hold for {answer:?}");
    }
    for answer in no.iter().chain(&["", "  \n"]) {
        assert!(!holds(check, answer), "{check:?} should not hold for {answer:?}");
    }
}

#[test]
fn words() {
    assert_holds(
        &Check::MaxWords { max: 4 },
        &[
            "one two three four",
            "**one** two - three, four!",
            "1. one two\n2. three four",
            "| one | two |\n|---|---|\n| three | four |",
            "今天很好",
        ],
        &["one two three four five", "今天天气好", "```\none two three\nfour five\n```"],
    );
    assert_holds(&Check::MinWords { min: 3 }, &["a b c", "don't well-known fact"], &["a b", "- - a b"]);
}

#[test]
fn sentences() {
    assert_holds(
        &Check::Sentences { count: 2 },
        &[
            "Yes. No.",
            "It costs 3.5 euros, e.g. in Rome. Dr. Smith agrees!",
            "Really?! Yes.",
            "First line\n\nsecond line",
            "- one thing\n- another thing",
            "好的。谢谢！",
            "He said \"stop.\" Then he left.",
        ],
        &["Yes", "One. Two. Three."],
    );
    assert_holds(&Check::MaxSentences { max: 1 }, &["Bake at 180 degrees"], &["Bake. Eat."]);
}

#[test]
fn paragraphs() {
    assert_holds(
        &Check::Paragraphs { count: 1 },
        &["one\ntwo", "# Title\n\ntext", "text\n\n---\n"],
        &["one\n\ntwo", "- a\n- b", "text\n```\ncode\n\ncode\n```"],
    );
    assert_holds(&Check::Paragraphs { count: 2 }, &["one\n\n\ntwo", "see:\n```\na\n\nb\n```"], &["one"]);
}

#[test]
fn lists() {
    let numbered = [
        "1. Mix\n2. Bake",
        "Sure!\n\n1) Mix\n2) Bake\n\nEnjoy.",
        "**1. Mix**\n- well\n- long\n\n**2. Bake**",
        "### 1. Mix\ntext\n### 2. Bake",
        "Step 1: Mix\nStep 2: Bake",
        "1. Mix\n   - flour\n   - eggs\n2. Bake",
        "1、搅拌\n2、烘烤",
    ];
    assert_holds(
        &Check::NumberedList,
        &numbered,
        &["- Mix\n- Bake", "1. Mix", "It took 1.5 hours.\n2.5 litres", "```\n1. a\n2. b\n```"],
    );
    assert_holds(
        &Check::BulletList,
        &["- Mix\n- Bake", "* **Mix**: well\n* Bake", "• a\n• b", "1. x\n   - a\n   - b"],
        &["1. Mix\n2. Bake", "- only one", "---\n***\n- a", "-5 degrees\n-6 degrees"],
    );
    assert_holds(
        &Check::ListItems { count: 2 },
        &["1. a\n   1. x\n   2. y\n   3. z\n2. b", "- a\n- b", "1. a\n- x\n- y\n- z\n2. b"],
        &["- a\n- b\n- c", "no list"],
    );
    assert_holds(
        &Check::NoList,
        &["Just text.", "One - dash - in text", "- one dash line"],
        &["- a\n- b", "1. a\n2. b"],
    );
    assert_holds(&Check::NoBulletList, &["1. a\n2. b", "text"], &["* a\n* b"]);
}

#[test]
fn tables_code_and_json() {
    assert_holds(
        &Check::Table,
        &["| a | b |\n|---|:-:|\n| 1 | 2 |", "Here:\na | b\n--- | ---\n1 | 2"],
        &["a | b", "text\n---\ntext"],
    );
    assert_holds(&Check::Code, &["Try\n```py\nx\n```", "```\ncut off"], &["`x`", "x = 1"]);
    assert_holds(&Check::CodeFirst, &["\n```rust\nx\n```\nIt works."], &["Sure:\n```\nx\n```", "`x` first"]);
    assert_holds(
        &Check::NoCode,
        &["Plain words; nothing else to see."],
        &["```\nx\n```", "use `x`", "def f(x):\n  return x", "let x = 1;"],
    );
    assert_holds(
        &Check::Json,
        &["{\"a\": 1}", "```json\n[1, 2]\n```", "  [ ]  "],
        &["{a: 1}", "Here: {\"a\": 1}", "\"text\"", "12"],
    );
}

#[test]
fn openings_and_closings() {
    let ends = Check::EndsWith { text: "Not financial advice.".into() };
    assert_holds(
        &ends,
        &[
            "Buy low.\n\nNot financial advice.",
            "Buy low. **Not financial advice.**",
            "Buy low. *not financial advice*",
            "Buy low.\n> Not financial advice.",
            "Buy low. (Not financial advice.) 🙂",
            "- Buy low\n- \"Not financial advice.\"",
            "## Not financial advice!",
        ],
        &[
            "Not financial advice. Buy low.",
            "This is not financial advice, friend",
            "Cannot financial advice x",
        ],
    );
    assert_holds(&Check::EndsWith { text: "!!!".into() }, &["Go!!!"], &["Go!"]);
    let starts = Check::StartsWith { text: "Short answer:".into() };
    assert_holds(
        &starts,
        &[
            "Short answer: yes",
            "**Short answer:** yes",
            "> short answer: yes",
            "# Short  answer:\nyes",
            "\"Short answer: yes\"",
        ],
        &["The short answer: yes", "Short answers: yes"],
    );
    assert_holds(
        &Check::StartsWith { text: "In short".into() },
        &["In short, yes", "In short"],
        &["In shorts we trust"],
    );
    assert_holds(
        &Check::EndsWithQuestion,
        &["Fine. Shall I go on?", "好吗？", "Shall I?** 🙂", "(right?)"],
        &["Is it? Yes."],
    );
}

#[test]
fn words_and_letters() {
    let very = Check::Contains { text: "very".into() };
    assert_holds(&very, &["Very good", "it is **very** good", "\"very\"."], &["every day", "slowly"]);
    assert_holds(&Check::Excludes { text: "very".into() }, &["every day"], &["a VERY good day"]);
    assert_holds(&Check::Contains { text: "snake_case".into() }, &["use snake_case"], &["use snake case"]);
    assert_holds(&Check::Contains { text: "天气".into() }, &["今天天气好"], &["今天好"]);
    assert_holds(&Check::LowerCase, &["all small 1!"], &["One capital", "123"]);
    assert_holds(&Check::UpperCase, &["ALL BIG 1!"], &["Mostly BIG", "123"]);
    assert_holds(&Check::NoEmoji, &["fine :)", "© 2020"], &["fine 🙂", "ok ✅"]);
}

#[test]
fn languages() {
    assert_holds(
        &Check::Chinese,
        &["今天天气很好，我们用 Python 写代码。", "好", "答案：\n```\nfn main() {}\n```"],
        &["It means 天气 in Chinese", "今日は天気がいいです"],
    );
    assert_holds(
        &Check::English,
        &[
            "The weather is good and you can go out.",
            "Sure.",
            "Preheat oven; mix flour, eggs, sugar; bake for 30 minutes with the lid on.",
        ],
        &[
            "今天天气很好",
            "El tiempo es muy bueno y por eso los niños van al parque con la familia",
            "Das ist nicht gut und der Hund ist da",
            "Привет, как дела",
        ],
    );
}

#[test]
fn all_means_every_part() {
    let both = Check::All { checks: vec![Check::NumberedList, Check::MaxWords { max: 4 }] };
    assert_holds(&both, &["1. Mix\n2. Bake"], &["Mix. Bake.", "1. Mix it all\n2. Bake it"]);
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd(rule in "\\PC{0,80}", answer in "(\\PC|\n|`|\\*|\\||#|- |1\\. ){0,80}") {
        if let Some(compiled) = uno_learn::check::compile(&rule) {
            holds(&compiled.check, &answer);
        }
        for check in [
            Check::MaxWords { max: 3 }, Check::Sentences { count: 2 }, Check::Paragraphs { count: 1 }, Check::NumberedList,
            Check::ListItems { count: 2 }, Check::Table, Check::NoCode, Check::Json, Check::English, Check::Chinese,
            Check::StartsWith { text: answer.clone() }, Check::EndsWith { text: rule.clone() }, Check::EndsWithQuestion,
        ] {
            holds(&check, &answer);
        }
        // A text always contains what it consists of.
        let word: String = rule.chars().filter(|c| c.is_ascii_alphabetic()).collect();
        let contains = Check::Contains { text: word.clone() };
        let held = holds(&contains, &format!("x {word} y"));
        proptest::prop_assert!(word.is_empty() || held);
    }

    #[test]
    fn compile_and_run_agree(n in 1usize..300, lead in "(Please |Always |)", tail in "( please| from now on|)") {
        let compiled = uno_learn::check::compile(&format!("{lead}keep it to at most {n} words{tail}.")).unwrap();
        proptest::prop_assert_eq!(&compiled.check, &Check::MaxWords { max: n });
        proptest::prop_assert!(holds(&compiled.check, &"word ".repeat(n)));
        proptest::prop_assert!(!holds(&compiled.check, &"word ".repeat(n + 1)));
    }
}

#[test]
fn bounds_and_counts() {
    assert_holds(&Check::MinSentences { min: 2 }, &["Yes. No.", "One. Two. Three."], &["Yes."]);
    assert_holds(&Check::MaxParagraphs { max: 2 }, &["one", "one\n\ntwo"], &["one\n\ntwo\n\nthree"]);
    assert_holds(&Check::MinParagraphs { min: 2 }, &["one\n\ntwo"], &["one\ntwo"]);
    assert_holds(&Check::MaxChars { max: 5 }, &[" 12345 ", "一二三"], &["123456"]);
    assert_holds(&Check::MinChars { min: 5 }, &["12345"], &["1234"]);
    assert_holds(&Check::MaxListItems { max: 2 }, &["- a\n- b", "1. a\n2. b"], &["- a\n- b\n- c", "prose"]);
    assert_holds(&Check::MinListItems { min: 3 }, &["- a\n- b\n- c"], &["- a\n- b"]);
    assert_holds(&Check::NoNumberedList, &["- a\n- b", "prose"], &["1. a\n2. b"]);
    assert_holds(&Check::NoTable, &["a | b"], &["|a|b|\n|-|-|\n|1|2|"]);
    let sea = |min| Check::MinTimes { text: "sea".into(), min };
    assert_holds(&sea(2), &["Sea and **sea**.", "sea, sea, sea"], &["season of the sea", "sea"]);
    assert_holds(
        &Check::MaxTimes { text: "sea".into(), max: 1 },
        &["no water", "The sea, the season"],
        &["sea sea"],
    );
    assert_holds(&Check::MinLetter { text: "q".into(), min: 2 }, &["Quite queer"], &["quite"]);
    assert_holds(
        &Check::MinCapitalWords { min: 2 },
        &["NASA and ESA", "**NOW** or NEVER"],
        &["NASA is A thing", "nasa"],
    );
    assert_holds(&Check::MaxCapitalWords { max: 1 }, &["I use NASA data", "none"], &["NASA, ESA"]);
}

#[test]
fn marks_and_markup() {
    assert_holds(
        &Check::Headings { min: 1 },
        &["# A\ntext", "text\n### B"],
        &["#hashtag", "```\n# comment\n```"],
    );
    assert_holds(&Check::NoHeadings, &["plain", "```\n# comment\n```"], &["## A"]);
    assert_holds(
        &Check::NoMarkdown,
        &["Plain text, 2 * 3 * 4.", "1. one\n2. two"],
        &["**bold**", "- a\n- b", "`code`"],
    );
    assert_holds(
        &Check::Title,
        &["<<On comets>>\nThey are icy.", "**<<On comets>>**\n."],
        &["On comets\n<<late>>"],
    );
    assert_holds(
        &Check::Highlights { min: 2 },
        &["*one* and **two**", "__a__ _b_"],
        &["**one**", "2 * 3 * 4", "snake_case_name"],
    );
    assert_holds(
        &Check::Placeholders { min: 2 },
        &["Dear [name], on [date]"],
        &["[name]", "[a](http://b) [c](d)"],
    );
    let ps = Check::Postscript { text: "P.S.".into() };
    assert_holds(
        &ps,
        &["Text.\n\nP.S. Bring water.", "a\n**PS:** b"],
        &["P.S. first\ntext\ntext\ntext", "Text. P.S.", "text\nP.S."],
    );
    assert_holds(&Check::Quoted, &["\"All of it.\"", "“全部”"], &["\"Some\" of it", "\"\""]);
    assert_holds(
        &Check::TwoAnswers,
        &["Tea.\n******\nCoffee."],
        &["Tea.\n******\nTea.", "Tea.", "a ****** b ****** c"],
    );
    let yes_no = Check::OneOf { options: vec!["yes".into(), "no".into()] };
    assert_holds(&yes_no, &["Yes", "**No.**"], &["Yes, because", "maybe"]);
    assert_holds(&Check::NoCommas, &["no marks here"], &["one, two", "一，二"]);
    assert_holds(&Check::NoExclamation, &["calm."], &["wow!", "好！"]);
    assert_holds(&Check::NoQuestions, &["Fine.", "```\na ? b : c\n```\nDone."], &["Really?", "好吗？"]);
    let so = Check::ParagraphStartsWith { count: 2, text: "So".into() };
    assert_holds(&so, &["One.\n\nSo it is."], &["So.\n\nThen.", "One.", "One.\n\nSome"]);
    assert_holds(
        &Check::NotStartsWith { text: "Sure".into() },
        &["Well, sure."],
        &["Sure, here it is", "**Sure**!"],
    );
    assert_holds(&Check::NotEndsWith { text: "Bye".into() }, &["Bye for now"], &["So long. Bye!"]);
}

#[test]
fn other_languages() {
    let is = |code: &str| Check::Language { text: code.into() };
    let german = "Kometen sind Klumpen aus Eis und Staub, die die Sonne auf langen Bahnen umkreisen und nicht leuchten.";
    let french =
        "Les comètes sont des blocs de glace et de poussière qui tournent dans une orbite autour du Soleil.";
    let spanish = "Los cometas son bloques de hielo y polvo que giran en una órbita larga por el espacio, como los planetas.";
    let english = "Comets are lumps of ice and dust that circle the sun on long paths.";
    assert_holds(&is("de"), &[german], &[french, spanish, english, "彗星"]);
    assert_holds(&is("fr"), &[french], &[german, spanish, english]);
    assert_holds(&is("es"), &[spanish], &[german, french, english]);
    assert_holds(&is("ja"), &["彗星は氷と塵の塊です。"], &["彗星是冰和尘埃的团块。", english]);
    assert_holds(&is("ru"), &["Кометы состоят из льда и пыли."], &[english]);
}
