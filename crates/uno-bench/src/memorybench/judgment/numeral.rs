//! Numbers in Chinese text, in Chinese or Arabic numerals or both ("3万五千").

/// The numbers of a text in order. A run of units alone ("千万") is no number.
pub fn numbers(text: &str) -> Vec<f64> {
    let mut out = Vec::new();
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        let c = simple(c);
        if c.is_ascii_digit() || c == '.' || digit(c).is_some() || unit(c).is_some() {
            run.push(c);
        } else if !run.is_empty() {
            out.extend(value(run.trim_matches('.')));
            run.clear();
        }
    }
    out
}

/// Everyday characters for those that cheques are written with.
fn simple(c: char) -> char {
    match c {
        '壹' => '一',
        '贰' | '两' => '二',
        '叁' => '三',
        '肆' => '四',
        '伍' => '五',
        '陆' => '六',
        '柒' => '七',
        '捌' => '八',
        '玖' => '九',
        '〇' => '零',
        '拾' => '十',
        '佰' => '百',
        '仟' => '千',
        '萬' => '万',
        other => other,
    }
}

fn digit(c: char) -> Option<u32> {
    "零一二三四五六七八九".chars().position(|d| d == c).map(|n| n as u32)
}

fn unit(c: char) -> Option<f64> {
    match c {
        '十' => Some(10.0),
        '百' => Some(100.0),
        '千' => Some(1000.0),
        '万' => Some(1e4),
        '亿' => Some(1e8),
        _ => None,
    }
}

/// The value of a run: sections up to 万 and 亿, in them digits times units.
fn value(run: &str) -> Option<f64> {
    let (mut total, mut section, mut current): (f64, f64, Option<f64>) = (0.0, 0.0, None);
    let (mut arabic, mut any, mut last_unit) = (String::new(), false, 1.0);
    for c in run.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() || c == '.' {
            arabic.push(c);
            continue;
        }
        if !arabic.is_empty() {
            current = arabic.parse().ok();
            any |= current.is_some();
            arabic.clear();
        }
        if let Some(d) = digit(c) {
            // Digits side by side ("二〇一三") are written out.
            current = Some(current.filter(|n| *n > 0.0).map_or(0.0, |n| n * 10.0) + f64::from(d));
            last_unit = if d == 0 { 1.0 } else { last_unit };
            any = true;
        } else if let Some(u) = unit(c) {
            // Ten alone is a number ("十万"), other units are not ("千万").
            any |= c == '十';
            if u >= 1e4 {
                total = (total + section + current.take().unwrap_or(0.0)) * u;
                section = 0.0;
            } else {
                section += current.take().unwrap_or(1.0) * u;
            }
            last_unit = u;
        }
    }
    // "三千二" is 3200: a last digit right after 百, 千 or 万 counts a unit lower.
    let ends_in_digit = run.chars().next_back().is_some_and(|c| digit(c).is_some());
    let lower = if ends_in_digit && last_unit >= 100.0 { last_unit / 10.0 } else { 1.0 };
    any.then(|| total + section + current.unwrap_or(0.0) * lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        for (text, expected) in [
            ("十三", &[13.0][..]),
            ("二十", &[20.0]),
            ("一百零五", &[105.0]),
            ("三千二", &[3200.0]),
            ("四万三", &[43_000.0]),
            ("一万二千", &[12_000.0]),
            ("人民币5万元", &[50_000.0]),
            ("1.5万元", &[15_000.0]),
            ("180000", &[180_000.0]),
            ("二〇一三年十月", &[2013.0, 10.0]),
            ("有期徒刑三年六个月", &[3.0, 6.0]),
            ("贰拾万", &[200_000.0]),
            ("拾万元", &[100_000.0]),
            ("第一百三十四条", &[134.0]),
            ("十", &[10.0]),
            ("千万", &[]),
            ("无", &[]),
            (".", &[]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }
}
