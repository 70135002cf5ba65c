use std::collections::{BTreeSet, HashMap};

use uno_types::Role;

use super::*;

/// Gives every request the same answer.
struct Parrot(&'static str);

type OnGeneration<'a> = uno_types::role::OnGeneration<'a>;

impl ChatModel for Parrot {
    fn id(&self) -> String {
        "parrot".into()
    }
    fn context_length(&self) -> usize {
        4096
    }
    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        for i in 0..requests.len() {
            let (text, finish) = (self.0.to_owned(), FinishReason::Length);
            done(i, Ok(Generation { text, finish, prompt_tokens: 1, completion_tokens: 1, logprobs: None }));
        }
        Ok(())
    }
}

const ANSWER: &str = "Take a large pot and fill it with plenty of cold water. Bring the water to a boil over high heat. Add a \
                      spoon of salt and whatever you want to cook in it. Wait until everything is soft and then drain it \
                      well. Serve it at once on warm plates with a little butter and some herbs. Then you";

#[test]
fn logs_have_the_promised_shape() {
    let sim = simulate(&SimulateOptions::default(), &Parrot(ANSWER), &mut |_, _| {}).unwrap();
    let n = sim.records.len();
    assert!(n >= 240, "{n}");
    let c = sim.counts;
    let noise = c.praise + c.small_talk + c.new_questions + c.contradictions;
    assert_eq!((c.about_another, c.wrong_corrections), (0, 0));
    assert!(noise * 100 >= n * 15, "{c:?}");
    assert!((25..=40).contains(&(c.corrected * 100 / n)), "{c:?}");
    assert_eq!(c.complaints + c.obeyed_at_once + noise, n);
    let ids: BTreeSet<&str> = sim.records.iter().map(|r| r.id.as_str()).collect();
    let questions: BTreeSet<&str> = sim.records.iter().map(Record::query).collect();
    assert_eq!((ids.len(), questions.len()), (n, n));
    assert_eq!(sim.held_out.len(), 80);
    assert!(sim.held_out.iter().all(|h| !questions.contains(h.question.as_str())));
    for domain in domains() {
        let own: Vec<&Record> = sim.records.iter().filter(|r| r.id.starts_with(domain.name)).collect();
        assert!(own.len() >= 48, "{}: {}", domain.name, own.len());
        let users: BTreeSet<_> = own.iter().filter_map(|r| r.user.as_deref()).collect();
        assert_eq!(users.len(), domain.users.len());
        for r in &own {
            assert!(domain.held_out.iter().all(|t| !r.query().contains(t)), "{}", r.query());
        }
        let said: BTreeSet<&str> = own.iter().flat_map(|r| r.feedback_turns()).collect();
        assert!(domain.complaints.iter().filter(|c| said.contains(**c)).count() >= 20, "{}", domain.name);
        // Whatever followed a complaint obeys.
        for r in own.iter().filter(|r| domain.complaints.iter().any(|c| r.feedback_turns().any(|t| t == *c)))
        {
            for m in r.messages[2..].iter().filter(|m| m.role == Role::Assistant) {
                assert!(check::holds(&domain.check, &m.content), "{}", m.content);
            }
        }
    }
}

#[test]
fn the_seed_decides_everything() {
    let play = |seed| {
        simulate(&SimulateOptions { seed, ..SimulateOptions::default() }, &Parrot(ANSWER), &mut |_, _| {})
    };
    let (a, b, other) = (play(1).unwrap(), play(1).unwrap(), play(2).unwrap());
    assert_eq!(a, b);
    assert_ne!(a.records, other.records);
}

#[test]
fn texts_are_distinct_and_rules_are_voiced_in_twenty_ways() {
    for d in all_domains() {
        let distinct = |list: &[&str]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
        assert!(
            distinct(d.topics) && distinct(d.held_out) && distinct(d.complaints) && distinct(d.users),
            "{}",
            d.name
        );
        assert!(d.topics.len() >= 48 && d.held_out.len() >= 12 && d.complaints.len() >= 20, "{}", d.name);
        assert!(d.topics.iter().all(|t| !d.held_out.contains(t)), "{}", d.name);
        assert!(d.frames.iter().all(|f| f.matches("{}").count() == 1), "{}", d.name);
    }
}

#[test]
fn an_answer_that_obeys_at_once_is_praised() {
    let sim = simulate(
        &SimulateOptions::default(),
        &Parrot("Short and sweet. Not financial advice."),
        &mut |_, _| {},
    );
    let sim = sim.unwrap();
    assert!(sim.counts.obeyed_at_once > 60, "{:?}", sim.counts);
}

#[test]
fn cut_answers_end_with_a_sentence() {
    let whole = |text: &str| {
        let (finish, text) = (FinishReason::Length, text.to_owned());
        super::whole(&Generation { text, finish, prompt_tokens: 0, completion_tokens: 0, logprobs: None })
    };
    assert_eq!(whole("Boil the water.\n2. Add salt.\n3. Then"), "Boil the water.\n2. Add salt.");
    assert_eq!(whole("no sentence at all"), "no sentence at all");
}

#[test]
fn files_read_back() {
    let sim = simulate(
        &SimulateOptions { per_domain: 8, ..SimulateOptions::default() },
        &Parrot(ANSWER),
        &mut |_, _| {},
    );
    let sim = sim.unwrap();
    let text: String = sim.held_out.iter().map(|h| held_out_line(h) + "\n").collect();
    assert_eq!(parse_held_out(&text).unwrap(), sim.held_out);
    assert!(matches!(parse_held_out("\n{}"), Err(SimulateError::HeldOut { line: 2, .. })));
    let line: serde_json::Value = serde_json::from_str(&conversation_line(&sim.records[0])).unwrap();
    assert_eq!(line["messages"][0]["role"], "user");
    let users: HashMap<&str, usize> = sim.records.iter().map(|r| (r.user.as_deref().unwrap(), 1)).collect();
    assert!(users.len() > 5);
}

#[test]
fn most_phrasings_compile_to_the_house_rule_and_noise_does_not() {
    let (mut said, mut right, mut wrong) = (0, 0, Vec::new());
    for d in all_domains() {
        for complaint in d.complaints {
            let found = uno_learn::distil::sentence::split(complaint).into_iter().filter_map(check::compile);
            let found: Vec<_> = found.filter(|c| c.confidence >= 0.6).map(|c| c.check).collect();
            said += 1;
            right += usize::from(found.contains(&d.check));
            if !found.contains(&d.check) || found.len() > 1 {
                wrong.push(format!("{}: {complaint:?} -> {found:?}", d.name));
            }
        }
        for question in d.new_questions {
            assert_eq!(check::compile(question), None, "{question}");
        }
    }
    println!("{right} of {said}\n{}", wrong.join("\n"));
    assert!(right * 100 >= said * 80, "{right} of {said}: {wrong:#?}");
}

#[test]
fn chinese_rules_compile_to_their_checks() {
    for d in chinese_domains() {
        for complaint in d.complaints {
            let found = check::compile(complaint).map(|c| c.check);
            assert_eq!(found.as_ref(), Some(&d.check), "{complaint}");
        }
        assert!(d.topics.iter().all(|t| !d.held_out.contains(t)), "{}", d.name);
    }
    let options = SimulateOptions { per_domain: 10, held_out: 4, ..SimulateOptions::default() };
    let sim = simulate_in(
        &chinese_domains(),
        &options,
        &Parrot("先洗米。再加水。然后煮二十分钟。"),
        &mut |_, _| {},
    )
    .unwrap();
    assert!(sim.records.iter().all(|r| r.lang == Lang::Zh));
    assert_eq!((sim.records.len(), sim.held_out.len()), (20, 8));
}

#[test]
fn the_benchmarks_noise_has_five_kinds_in_its_share() {
    for noise in [0.0, 0.3, 0.5] {
        let options = SimulateOptions {
            noise,
            noise_kinds: NoiseKind::OF_BENCHMARK.to_vec(),
            per_domain: 30,
            ..SimulateOptions::default()
        };
        let sim = simulate_in(&all_domains(), &options, &Parrot(ANSWER), &mut |_, _| {}).unwrap();
        let c = sim.counts;
        let kinds = [c.praise, c.small_talk, c.contradictions, c.about_another, c.wrong_corrections];
        let share = kinds.iter().sum::<usize>() as f64 / sim.records.len() as f64;
        assert!((share - noise).abs() < 0.02, "{noise}: {c:?}");
        assert!(kinds.iter().all(|n| (*n > 0) == (noise > 0.0)), "{noise}: {c:?}");
        // A wrong correction is answered by something that does not obey the house rule of its domain.
        for domain in all_domains() {
            let own = sim.records.iter().filter(|r| r.id.starts_with(domain.name));
            let voiced = |r: &&Record| !domain.complaints.iter().any(|c| r.feedback_turns().any(|t| t == *c));
            for r in own.filter(voiced) {
                assert!(!r.feedback().is_empty(), "{}", r.id);
            }
        }
    }
}

#[test]
fn the_example_logs_are_still_what_the_default_options_script() {
    let lines = include_str!("../../../../examples/logs/conversations.jsonl").lines();
    let logged: HashMap<String, String> = lines
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok())
        .map(|v| (v["id"].as_str().unwrap().into(), v["messages"][0]["content"].as_str().unwrap().into()))
        .collect();
    let (domains, options) = (domains(), SimulateOptions::default());
    let scripted: Vec<Script> = (0..domains.len()).flat_map(|i| scripts(&domains, i, &options)).collect();
    assert_eq!(scripted.len(), logged.len());
    for script in scripted {
        assert_eq!(logged.get(&script.id), Some(&script.question), "{}", script.id);
    }
}
