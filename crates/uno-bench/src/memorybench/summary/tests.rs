use super::*;
use serde_json::json;

fn items(rows: &[(&str, serde_json::Value)]) -> Vec<ItemResult> {
    let item = |(i, (set, metrics)): (usize, &(&str, serde_json::Value))| {
        serde_json::from_value(json!({"test_idx": i, "metrics": metrics, "dataset": set})).unwrap()
    };
    rows.iter().enumerate().map(item).collect()
}

fn norm() -> SetNorm {
    serde_json::from_value(json!({
        "dataset_min": {"NFCats": 1, "JRE-L": 2}, "dataset_max": {"NFCats": 5, "JRE-L": 8},
        "dataset_mu": {"NFCats": 4, "JRE-L": 7}, "dataset_sigma": {"NFCats": 0.5, "JRE-L": 1},
    }))
    .unwrap()
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} {b}");
}

#[test]
fn the_three_figures_by_hand() {
    let items = items(&[
        ("NFCats", json!({"score": 5})),
        ("NFCats", json!({"score": 3})),
        ("NFCats", json!({"score": 1})),
        ("JRE-L", json!({"CLI": 1})),
    ]);
    let given = LlmMeans { by_data_set: [("JRE-L".to_owned(), 9.0)].into(), strict: true };
    let s = summarise(&items, &norm(), &given).unwrap();
    // NFCats: 1, 0.5, 0; JRE-L: 7/6, beyond the baselines' range and not clipped.
    close(s.minmax_normalized_average["NFCats"].0, 1.5);
    close(s.minmax_normalized_average["JRE-L"].2, 7.0 / 6.0);
    close(s.summary.average, (0.5 + 7.0 / 6.0) / 2.0);
    close(s.summary.weighted_average, (1.5 + 7.0 / 6.0) / 4.0);
    // z: 2, −2, −6 and 2.
    close(s.summary.z_score, -4.0 / 4.0);
    assert_eq!(s.given, ["JRE-L"]);
    assert_eq!(s.average["NFCats"], 3.0);
}

#[test]
fn a_data_set_without_a_merged_score_is_left_out_and_named() {
    let items = items(&[("NFCats", json!({"score": 5})), ("JRE-L", json!({"CLI": 1}))]);
    let s = summarise(&items, &norm(), &LlmMeans::default()).unwrap();
    assert_eq!(s.left_out.keys().collect::<Vec<_>>(), ["JRE-L"]);
    close(s.summary.average, 1.0);
    let only = &items[1..];
    assert!(summarise(only, &norm(), &LlmMeans::default()).unwrap_err().to_string().contains("JRE-L"));
}

#[test]
fn given_means_must_fit() {
    let items = items(&[("NFCats", json!({"score": 5}))]);
    for name in ["JRE-L", "NFCats"] {
        let given = LlmMeans { by_data_set: [(name.to_owned(), 9.0)].into(), strict: true };
        assert!(summarise(&items, &norm(), &given).unwrap_err().to_string().contains(name));
        let loose = LlmMeans { strict: false, ..given };
        close(summarise(&items, &norm(), &loose).unwrap().average["NFCats"], 5.0);
    }
}

#[test]
fn the_parts_of_locomo_count_once_and_constant_data_sets_count_as_zero() {
    let norm: SetNorm = serde_json::from_value(json!({
        "dataset_min": {"Locomo": 1}, "dataset_max": {"Locomo": 1}, "dataset_mu": {"Locomo": 1}, "dataset_sigma": {"Locomo": 0},
    }))
    .unwrap();
    let items = items(&[("Locomo-0", json!({"f1": 1.0})), ("Locomo-9", json!({"f1": 0.0}))]);
    let s = summarise(&items, &norm, &LlmMeans::default()).unwrap();
    assert_eq!((s.average["Locomo"], s.summary.average, s.summary.z_score), (0.5, 0.0, 0.0));
}
