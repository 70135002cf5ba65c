//! Clustering against scikit-learn 1.7.2 / scipy 1.16.3. Labels, trees and cluster counts are exact; distances agree
//! to 1e-6 relative, features and centroids to 1e-6 absolute.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;
use uno_learn::cluster::{Centroids, nearest_within, similarity_to_distance};
use uno_learn::features::{dual, normalised};
use uno_learn::ward;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

fn f32s(file: &SafeTensors<'_>, name: &str) -> Vec<Vec<f32>> {
    let t = file.tensor(name).unwrap();
    let values: Vec<f32> = t.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    values.chunks(t.shape()[1]).map(<[f32]>::to_vec).collect()
}

fn f64s(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    file.tensor(name).unwrap().data().chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn usizes(file: &SafeTensors<'_>, name: &str) -> Vec<usize> {
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as usize).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}[{i}]: {a} for {b}");
    }
}

#[test]
fn ward600() {
    let bytes = fixture("ward600.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (q, r) = (f32s(&file, "q"), f32s(&file, "r"));
    let points: Vec<Vec<f32>> = q.iter().zip(&r).map(|(q, r)| dual(q, r)).collect();
    for (found, expected) in points[30..110].iter().zip(f32s(&file, "emb_combined_30_to_110")) {
        let wide = |x: &[f32]| x.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        assert_close(&wide(found), &wide(&expected), 1e-6, "dual features");
    }

    let tree = ward::tree(&points).unwrap();
    assert_eq!(tree.children.concat(), usizes(&file, "children"));
    let distances = f64s(&file, "distances");
    for (found, expected) in tree.distances.iter().zip(&distances) {
        assert!((found - expected).abs() <= 1e-6 * expected, "{found} for {expected}");
    }

    let runs = &json("ward600.json")["runs"];
    let queries: Vec<Vec<f32>> = q.iter().map(|v| normalised(v)).collect();
    let questions = f32s(&file, "predict_norm");
    for (raw, norm) in f32s(&file, "predict_raw").iter().zip(&questions) {
        for (a, b) in normalised(raw).iter().zip(norm) {
            assert!((a - b).abs() < 1e-6);
        }
    }
    for (name, threshold) in [("t4", 4.0), ("t1", 1.0), ("t2.5", 2.5)] {
        let labels = tree.cut(threshold);
        assert_eq!(labels, usizes(&file, &format!("labels_{name}")), "{name}");
        let run = &runs[name];
        assert_eq!(tree.clusters_at(threshold) as u64, run["n_clusters"].as_u64().unwrap());
        let centroids = Centroids::from_labels(&queries, &labels).unwrap();
        // The centroids of the cut at 4 were stored after their online updates only: see `online_updates`.
        if name != "t4" {
            assert_close(centroids.values(), &f64s(&file, &format!("centroids_{name}")), 1e-6, name);
        }
        let predict = |max: Option<f64>| -> Vec<i64> {
            let each = questions.iter().map(|x| nearest_within(&centroids, x, max));
            each.map(|n| n.map_or(-1, |(c, _)| c as i64)).collect()
        };
        let expected = |key: &str| -> Vec<i64> {
            run[key].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
        };
        assert_eq!(predict(None), expected("predict_labels"), "{name}");
        let far = Some(similarity_to_distance(0.5));
        assert_eq!(predict(far), expected("predict_labels_unseen_sim0_5"), "{name}");
    }
}

#[test]
fn online_updates() {
    let bytes = fixture("ward600.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let queries: Vec<Vec<f32>> = f32s(&file, "q").iter().map(|v| normalised(v)).collect();
    let mut centroids = Centroids::from_labels(&queries, &usizes(&file, "labels_t4")).unwrap();
    let questions = f32s(&file, "predict_norm");
    let labels: Vec<usize> =
        questions.iter().map(|x| nearest_within(&centroids, x, None).unwrap().0).collect();
    for (label, x) in labels.iter().zip(&questions) {
        centroids.update(*label, x).unwrap();
    }
    assert_close(centroids.values(), &f64s(&file, "centroids_t4_after_online"), 1e-6, "after online updates");
}

fn small(name: &str) -> (ward::Tree, Value) {
    let golden = json(name);
    let points: Vec<Vec<f32>> = serde_json::from_value(golden["X"].clone()).unwrap();
    let tree = ward::tree(&points).unwrap();
    assert_eq!(serde_json::to_value(&tree.children).unwrap(), golden["children"], "{name}");
    let distances: Vec<f64> = serde_json::from_value(golden["distances"].clone()).unwrap();
    assert_close(&tree.distances, &distances, 1e-6, name);
    let labels = tree.cut(golden["distance_threshold"].as_f64().unwrap());
    assert_eq!(serde_json::to_value(labels).unwrap(), golden["labels"], "{name}");
    (tree, golden)
}

#[test]
fn small30() {
    small("ward_small30.json");
}

#[test]
fn ties20_break_as_scipy_breaks_them() {
    let (tree, golden) = small("ward_ties20.json");
    let labels = tree.cut_into(golden["fixed_k"].as_u64().unwrap() as usize);
    assert_eq!(serde_json::to_value(labels).unwrap(), golden["labels_fixed_k"]);
}

#[test]
fn similarity_becomes_distance() {
    for (similarity, distance) in json("misc.json")["similarity_to_distance"].as_object().unwrap() {
        let found = similarity_to_distance(similarity.parse().unwrap());
        assert!((found - distance.as_f64().unwrap()).abs() < 1e-12, "{similarity}");
    }
}
