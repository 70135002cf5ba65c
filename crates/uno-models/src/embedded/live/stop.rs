//! Stop strings: nothing of one is let out, nor anything behind it.

/// Looks for stop strings in a text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct StopScan {
    stops: Vec<String>,
    /// The beginning of what may become a stop.
    held: String,
    reached: bool,
}

impl StopScan {
    /// Empty strings stop nothing.
    pub(super) fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, held: String::new(), reached: false }
    }

    /// Whether a stop has come. Nothing is let out any more then.
    pub(super) fn is_reached(&self) -> bool {
        self.reached
    }

    /// What may go out now. How the text is cut into pieces makes no difference to what goes out in all.
    pub(super) fn push(&mut self, piece: &str) -> String {
        if self.reached {
            return String::new();
        }
        if self.stops.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        // The one that is complete first counts; of several complete at once the longest.
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()).map(|at| (at + stop.len(), at)));
        if let Some((_, at)) = found.min() {
            self.reached = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// What was held back, where the text ends without a stop.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes of the longest end of `text` that `stop` begins with, less than all of it.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = (stop.len() - 1).min(text.len());
    let fits = |n: &usize| stop.is_char_boundary(*n) && text.as_bytes().ends_with(&stop.as_bytes()[..*n]);
    (1..=longest).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What goes out, with the pieces as they are.
    fn run(pieces: &[&str], stops: &[&str]) -> (String, bool) {
        let mut scan = StopScan::new(stops.iter().map(|s| (*s).to_owned()).collect());
        let mut out: String = pieces.iter().map(|piece| scan.push(piece)).collect();
        let reached = scan.is_reached();
        out.push_str(&scan.finish());
        (out, reached)
    }

    #[test]
    fn a_stop_is_found_over_pieces_and_its_beginning_is_held_back() {
        assert_eq!(run(&["one E", "N", "D two"], &["END"]), ("one ".into(), true));
        assert_eq!(run(&["one E", "N"], &["END"]), ("one EN".into(), false));
        assert_eq!(run(&["a\n", "\nb"], &["", "\n\n"]), ("a".into(), true));
        assert_eq!(run(&["xabc"], &["abc", "b"]), ("xa".into(), true), "the one that is complete first");
        assert_eq!(
            run(&["xabc"], &["abc", "c"]),
            ("x".into(), true),
            "the longest of those complete at once"
        );
        assert_eq!(run(&["é", "ée"], &["ée"]), ("é".into(), true));
        let mut scan = StopScan::new(vec!["END".into()]);
        assert_eq!(
            (scan.push("an E"), scan.push("N"), scan.push("d")),
            ("an ".into(), String::new(), "ENd".into())
        );
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(text in "[abé]{0,30}", stops in prop::collection::vec("[abé]{0,4}", 0..4), cut in 1usize..5) {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<String> = letters.chunks(cut).map(<[String]>::concat).collect();
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let (out, reached) = run(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), &stops);
            let whole = run(&letters.iter().map(String::as_str).collect::<Vec<_>>(), &stops);
            prop_assert_eq!((out.clone(), reached), whole);
            prop_assert!(text.starts_with(&out));
            let stops: Vec<&str> = stops.into_iter().filter(|s| !s.is_empty()).collect();
            prop_assert_eq!(reached, stops.iter().any(|stop| text.contains(stop)));
            prop_assert!(stops.iter().all(|stop| !out.contains(stop)), "{out}");
        }
    }
}
