use super::*;

const GOLD: &str = "某县人民法院 刑事判决书 公诉机关某县人民检察院。本案现已审理终结。经审理查明，被告人张某偷走一辆车。本院认为，\
    被告人张某的行为已构成盗窃罪。依照《中华人民共和国刑法》第二百六十四条、第五十二条、《中华人民共和国刑事诉讼法》第十五条之规定，\
    判决如下： 一、被告人张某犯盗窃罪，判处有期徒刑一年六个月，并处罚金人民币5,000元。 如不服本判决，可在十日内上诉。 审判长李某";

#[test]
fn the_parts_of_a_judgment() {
    let parts = parts(GOLD);
    assert!(parts.reason.starts_with("本院认为") && parts.reason.ends_with("判决如下："), "{parts:?}");
    assert!(parts.decision.starts_with("一、被告人") && parts.decision.ends_with("5,000元。"), "{parts:?}");
    let without = super::parts("本院认为，没有结果。");
    assert_eq!((without.reason.as_str(), without.decision.as_str()), ("本院认为，没有结果。", ""));
}

#[test]
fn what_it_decides() {
    let verdict = extract(GOLD, &parts(GOLD));
    assert_eq!(verdict.charges, ["盗窃罪".to_owned()].into());
    assert_eq!(verdict.articles, [52, 264].into());
    assert_eq!((verdict.months, verdict.yuan), (Some(18.0), Some(5000.0)));
}

#[test]
fn the_same_document_agrees_with_itself() {
    let m = judgment_metrics(GOLD, GOLD);
    assert_eq!(
        (m.crime_recall, m.crime_precision, m.time_score, m.amount_score),
        (1.0, 1.0, Some(1.0), Some(1.0))
    );
    assert_eq!((m.penalcode_index_recall, m.penalcode_index_precision), (1.0, 1.0));
    assert!(m.reasoning_meteor.is_some_and(|x| x > 0.99) && m.judge_meteor.is_some_and(|x| x > 0.99));
}

#[test]
fn a_document_that_is_none_scores_without_a_panic() {
    let m = judgment_metrics(GOLD, "好的。");
    assert_eq!(
        (m.reasoning_meteor, m.time_score, m.amount_score, m.crime_precision),
        (None, Some(0.0), Some(0.0), 0.0)
    );
    assert_eq!(judgment_metrics("", "").time_score, None);
}

#[test]
fn figures_agree_by_their_share() {
    assert_eq!(agreement(Some(12.0), Some(24.0)), Some(0.5));
    assert_eq!(agreement(Some(10_001.0), Some(24.0)), Some(0.0));
    assert_eq!(agreement(Some(0.0), Some(0.0)), Some(1.0));
    assert_eq!(agreement(None, Some(5.0)), Some(0.0));
}
