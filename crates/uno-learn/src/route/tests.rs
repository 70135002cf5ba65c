use uno_types::{ModelError, PlanEntry};

use super::*;
use crate::testing::{Letters, Scripted};

fn adapter(name: &str) -> AdapterRef {
    AdapterRef { name: name.into(), dir: "d".into() }
}

fn plan(max_distance: Option<f64>) -> Plan {
    let entry = |cluster, path, adapter| PlanEntry {
        cluster,
        size: 1,
        path,
        adapter,
        gap: None,
        win_rate: None,
        reason: String::new(),
    };
    Plan {
        max_distance,
        clusters: vec![
            entry(0, Path::Expert, Some(adapter("expert"))),
            entry(1, Path::Critic, Some(adapter("critic"))),
            entry(2, Path::Expert, None),
        ],
        ..Plan::default()
    }
}

const TOPICS: [&str; 3] = ["boiling rice in a pot", "visiting museums abroad", "xylophone jazz quartz"];

fn centroids() -> Centroids {
    let mut rows = Letters.embed(&TOPICS).unwrap();
    rows.iter_mut().for_each(|v| features::normalise(v));
    Centroids::from_labels(&rows, &[0, 1, 2]).unwrap()
}

fn routes(max_distance: Option<f64>, policy: Policy) -> Vec<(Option<usize>, Path)> {
    let routes = route(&TOPICS, &plan(max_distance), &centroids(), &Letters, policy).unwrap();
    routes.into_iter().map(|r| (r.cluster, r.path)).collect()
}

#[test]
fn the_plan_the_policy_and_the_distance_decide() {
    use Path::{Base, Critic, Expert};
    assert_eq!(routes(None, Policy::Uno), [(Some(0), Expert), (Some(1), Critic), (Some(2), Base)]);
    assert_eq!(routes(None, Policy::Single), [(Some(0), Expert), (Some(1), Base), (Some(2), Base)]);
    assert_eq!(routes(None, Policy::Base), [(Some(0), Base), (Some(1), Base), (Some(2), Base)]);
    let far = route(&["zzzz zzz"], &plan(Some(0.1)), &centroids(), &Letters, Policy::Uno).unwrap();
    assert_eq!((far[0].cluster, far[0].path), (None, Base));
    assert_eq!(route(&[], &plan(None), &centroids(), &Letters, Policy::Uno).unwrap(), []);
}

#[test]
fn a_path_that_fails_falls_back_to_the_base() {
    let model = Scripted::new(|r| match r.adapter.as_ref().map(|a| a.name.as_str()) {
        Some("expert") => Err(ModelError::Invalid("cannot load".into())),
        Some(_) => Ok("1. Use a list.".into()),
        None => Ok(format!("base {}", r.messages.len())),
    });
    let prompts: Vec<Vec<Message>> = TOPICS.iter().map(|t| vec![Message::user(*t)]).collect();
    let prompts: Vec<&[Message]> = prompts.iter().map(Vec::as_slice).collect();
    let routes = route(&TOPICS, &plan(None), &centroids(), &Letters, Policy::Uno).unwrap();
    let answers = answer(&prompts, routes, &model, &AnswerOptions::default()).unwrap();
    let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!((answers[0].text.as_str(), answers[0].route.path), ("base 1", Path::Base));
    assert_eq!(answers[0].route.cluster, Some(0));
    assert!(answers[0].failed.as_ref().unwrap().contains("cannot load"));
    assert_eq!((answers[1].route.path, answers[1].reflected.is_some()), (Path::Critic, true));
    assert_eq!(answers[2].text, "base 1");
    let one = ask(
        prompts[1],
        &plan(None),
        &centroids(),
        Policy::Single,
        &Letters,
        &model,
        &AnswerOptions::default(),
    );
    assert_eq!(one.unwrap().route.path, Path::Base);
}
