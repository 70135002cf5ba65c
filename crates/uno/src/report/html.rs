//! Escaping and small pieces of HTML. Whatever comes from a log or a model passes [`escape`].

use std::fmt::Write;

/// Text as HTML text or attribute value. Control characters other than white space become visible replacements.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// The first `limit` characters, with an ellipsis when there are more.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// The colour of a cluster, as a CSS value.
pub fn colour(cluster: usize) -> String {
    format!("var(--c{})", cluster % 10)
}

/// A table: head cells, then rows of cells that are HTML already. Columns in `numeric` are aligned right.
pub fn table(head: &[&str], numeric: &[usize], rows: &[Vec<String>]) -> String {
    let class = |i: usize| if numeric.contains(&i) { " class=n" } else { "" };
    let mut out = String::from("<div class=scroll><table><thead><tr>");
    for (i, cell) in head.iter().enumerate() {
        let _ = write!(out, "<th{}>{}</th>", class(i), escape(cell));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let _ = write!(out, "<td{}>{cell}</td>", class(i));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scripts_become_text() {
        assert_eq!(
            escape("<script>alert('x & \"y\"')</script>\u{0}"),
            "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;\u{FFFD}"
        );
        assert_eq!(shorten("日本語のテキスト", 3), "日本語…");
        assert_eq!(shorten("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn nothing_opens_a_tag(text in "\\PC*|.*") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        }
    }
}
